//! Tests of names and of the catalogue.

use oculus_plugin_api::FeatureRole;
use proptest::prelude::*;

use super::*;

#[test]
fn common_spellings_resolve_to_canonical_names() {
    for (requested, canonical) in [
        ("RSI_14", "RSI_14"),
        ("rsi", "RSI_14"),
        ("RSI9", "RSI_9"),
        ("ADX", "ADX_14"),
        ("MACD_HIST", "MACD_HIST"),
        ("MACDh_12_26_9", "MACD_HIST"),
        ("MACD_HIST_5_35_5", "MACD_HIST_5_35_5"),
        ("EMA_CROSS_5_30", "EMA_CROSS_5_30"),
        ("BBP_20", "BB_PCT_B_20"),
        ("BBU_20_2.0", "BB_UPPER_20"),
        ("BB_WIDTH_20_3", "BB_WIDTH_20_3"),
        ("CCI_14_0.015", "CCI_14"),
        ("STOCHk_14_3_3", "STOCH_K"),
        ("roc", "RET_10"),
        ("ROC_5", "RET_5"),
        ("DMP_14", "PLUS_DI_14"),
        ("volume ratio-20", "VOLUME_RATIO_20"),
        ("CLOSE", "CLOSE"),
        ("BB_WIDTH_20_2.50", "BB_WIDTH_20_2.5"),
        ("BBU_20_2.5", "BB_UPPER_20_2.5"),
        ("KCUe_20_2", "KELTNER_UPPER_20"),
        ("DCU_20_20", "DONCHIAN_UPPER_20"),
        ("EFI_13", "FORCE_13"),
        ("ADOSC_3_10", "ADOSC_3_10"),
        ("CMF_20", "CMF_20"),
        ("ZS_20", "ZSCORE_20"),
        ("AROONU_25", "AROON_UP_25"),
        ("AROOND_25", "AROON_DOWN_25"),
        ("AROONOSC_25", "AROON_OSC_25"),
        ("SAR", "PSAR"),
        ("PSAR_0.02_0.2", "PSAR"),
        ("PSAR_DIR_0.01_0.1", "PSAR_DIR_0.01_0.1"),
        ("SUPERTd_10_3.0", "SUPERTREND_DIR_10_3"),
        ("SUPERT_7_2.5", "SUPERTREND_7_2.5"),
        ("ITS_9", "ICHIMOKU_TENKAN"),
        ("IKS_26", "ICHIMOKU_KIJUN"),
        ("TSI_13_25_13", "TSI"),
        ("TSIs_13_25_13", "TSI_SIGNAL"),
        ("UO_7_14_28", "ULTOSC"),
        ("AO_5_34", "AO"),
        ("STOCHRSIk_14_14_3_3", "STOCHRSI_K"),
        ("BBANDS_UPPER", "BB_UPPER_20"),
    ] {
        assert_eq!(resolve(requested).unwrap().name(), canonical, "{requested}");
    }
}

#[test]
fn numbers_of_other_libraries_are_read_in_their_order() {
    for (requested, canonical) in [
        ("STOCHk_14_5_3", "STOCH_K_14_3_5"),
        ("STOCHd_14_5_3", "STOCH_D_14_3_5"),
        ("STOCHd_14_5", "STOCH_D_14_3_5"),
        ("SLOWK_14_5_3", "STOCH_K_14_5"),
        ("STOCHRSI_13_5_3", "STOCHRSI_K_13_5_1"),
        ("STOCHRSI_21", "STOCHRSI_K_21"),
        ("STOCHRSI_11_13_3_5", "STOCHRSI_K_13_11_3_5"),
        ("STOCHRSIk_11_13_3_5", "STOCHRSI_K_13_11_3_5"),
        ("DCU_30", "DONCHIAN_UPPER_30"),
        ("DCU_10_20", "DONCHIAN_UPPER_20"),
        ("DCL_10_20", "DONCHIAN_LOWER_10"),
        ("BBU_20_2.5_1.5", "BB_UPPER_20_1.5"),
        ("BBL_20_2.5_1.5", "BB_LOWER_20_2.5"),
        ("BBANDS_UPPER_20_2.5_1.5", "BB_UPPER_20_2.5"),
        ("BBANDS_LOWER_20_2.5_1.5", "BB_LOWER_20_1.5"),
        ("ROC_10", "RET_10"),
    ] {
        assert_eq!(resolve(requested).unwrap().name(), canonical, "{requested}");
    }
    // The position between two bands has no meaning if only one of their widths is known.
    assert!(resolve("BBP_20_2.5_1.5").is_err());
}

#[test]
fn the_error_of_an_unknown_name_suggests_the_most_similar_one() {
    for (requested, nearest) in [
        ("RSII_14", Some("RSI_14")),
        ("EMA_CROS_5_30", Some("EMA_CROSS_5_30")),
        ("RSI_0", Some("RSI_14")),
        ("RSI_14_3", Some("RSI_14")),
        ("SMA_99999999999999999999", Some("SMA_20")),
        ("RSI_14.5", Some("RSI_14")),
        ("BB_WIDTH_20_0", Some("BB_WIDTH_20")),
        ("BBP_20_2_3", Some("BB_PCT_B_20")),
        ("BETTA_60", Some("BETA_SPY_60")),
        ("ZZZZ", None),
    ] {
        assert_eq!(resolve(requested).unwrap_err().nearest.as_deref(), nearest, "{requested}");
    }
}

#[test]
fn the_symbol_of_a_benchmark_is_between_stem_and_parameters() {
    for (requested, name, symbol) in [
        ("BETA", "BETA_SPY_60", "SPY"),
        ("BETA_60", "BETA_SPY_60", "SPY"),
        ("beta_qqq", "BETA_QQQ_60", "QQQ"),
        ("BETA_QQQ_30", "BETA_QQQ_30", "QQQ"),
        ("REL_STRENGTH_SPY_20", "REL_STRENGTH_SPY_20", "SPY"),
        ("relative strength brk.b 10", "REL_STRENGTH_BRK.B_10", "BRK.B"),
        ("CORR_BTC-USD_90", "CORR_BTC-USD_90", "BTC-USD"),
        ("CORR_^GSPC", "CORR_^GSPC_60", "^GSPC"),
        ("CORR-0700.HK-60", "CORR_0700.HK_60", "0700.HK"),
    ] {
        let feature = resolve(requested).unwrap();
        assert_eq!((feature.name().as_str(), feature.benchmark()), (name, Some(symbol)), "{requested}");
        assert_eq!(resolve(name).unwrap(), feature);
    }
    let wrong = resolve("BETA_A/B_60").unwrap_err();
    assert!(wrong.reason.contains("A/B") && wrong.nearest.as_deref() == Some("BETA_SPY_60"), "{wrong}");
}

#[test]
fn every_kind_is_documented_and_every_spelling_denotes_one_kind() {
    for section in listing() {
        for CatalogueEntry { pattern, about, formula, unit, aliases, .. } in section.entries {
            assert!([about, formula, unit].iter().all(|text| !text.is_empty()), "{pattern}");
            assert!(aliases.iter().all(|alias| resolve(alias).is_ok()), "{pattern}: {aliases:?}");
        }
    }
    let n_aliases: usize = listing().iter().flat_map(|section| &section.entries).map(|entry| entry.aliases.len()).sum();
    assert_eq!(n_aliases, name::ALIASES.len(), "every alias belongs to a kind");
    let mut spellings: Vec<&str> = catalogue::kinds().map(|kind| kind.stem).collect();
    spellings.extend(name::ALIASES.iter().map(|alias| alias.spelling));
    let n_spellings = spellings.len();
    spellings.sort_unstable();
    spellings.dedup();
    assert_eq!(spellings.len(), n_spellings, "no spelling belongs to two kinds");
}

#[test]
fn the_default_set_fits_the_full_warm_up_and_has_no_duplicates() {
    let mut names: Vec<String> = catalogue::default_features().map(|feature| feature.name()).collect();
    let models = catalogue::default_features().filter(|feature| feature.role() == FeatureRole::Model).count();
    assert_eq!((names.len(), models), (110, 82));
    assert!(catalogue::default_features().all(|feature| feature.warm_up_bars() <= 319));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 110);
}

#[test]
fn spellings_of_strategy_designers_are_resolved() {
    for (requested, name) in [
        ("STOCH", "STOCH_K"),
        ("ATR_PERCENT", "NATR_14"),
        ("ATRP_14", "NATR_14"),
        ("EMA_8_21", "EMA_CROSS_8_21"),
        ("SMA_20_50", "SMA_CROSS_20_50"),
        ("PRICE_VS_SMA_50", "PRICE_TO_SMA_50"),
        ("EMA_21", "EMA_21"),
    ] {
        assert_eq!(resolve(requested).map(|feature| feature.name()).as_deref(), Ok(name), "{requested}");
    }
}

#[test]
fn canonical_names_resolve_and_only_levels_have_scale_free_forms() {
    for feature in all_features() {
        assert_eq!(resolve(&feature.name()).unwrap(), feature);
        if let Some(free) = catalogue::scale_free(&feature) {
            assert_eq!((feature.role(), free.role()), (FeatureRole::Rule, FeatureRole::Model), "{}", feature.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn resolving_never_panics(name in "\\PC{0,24}", digits in "(RSI|BETA|BB_WIDTH|PSAR|TSI|DCU|[A-Z_]{1,8})[0-9A-Z_.^-]{0,24}") {
        for name in [name, digits] {
            if let Ok(feature) = resolve(&name) {
                prop_assert!(resolve(&feature.name()).is_ok());
            }
        }
    }
}
