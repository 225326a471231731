//! What it means that a feature is low or high, in a word or two; nothing where a word would be nonsense.
//!
//! In: a condition on a feature of the catalogue. A word holds beyond a limit: RSI below 70 is not oversold. Features
//! without a natural scale have no limit; of them a word is said where the condition holds on at most half of the rows.

use oculus_plugin_api::Operator;

use super::book::Clause;
use crate::features::{self, Feature};

/// The words of one direction; `{n}` and `{m}` stand for parameters, `{symbol}` for the benchmark.
type Words = Option<(Limit, &'static str)>;

/// From where on words hold.
#[derive(Clone, Copy)]
enum Limit {
    /// This value, included.
    At(f64),
    /// Wherever the condition holds on at most half of the rows.
    Rare,
}

const fn at(limit: f64, words: &'static str) -> Words {
    Some((Limit::At(limit), words))
}

const fn rare(words: &'static str) -> Words {
    Some((Limit::Rare, words))
}

/// Stems, what low means, and what high means. Prices and sums of volume mean nothing by themselves.
static MEANINGS: &[(&[&str], Words, Words)] = &[
    (&["RSI", "MFI", "STOCH_K", "STOCH_D", "ULTOSC"], at(40.0, "oversold"), at(60.0, "overbought")),
    (&["STOCHRSI_K", "STOCHRSI_D"], at(40.0, "RSI low in its own range"), at(60.0, "RSI high in its own range")),
    (&["WILLR"], at(-70.0, "oversold"), at(-30.0, "overbought")),
    (&["CCI"], at(-50.0, "oversold"), at(50.0, "overbought")),
    (&["CMO"], at(-20.0, "oversold"), at(20.0, "overbought")),
    (&["ZSCORE"], at(-1.0, "far below the mean of {n} bars"), at(1.0, "far above the mean of {n} bars")),
    (&["BB_PCT_B"], at(0.25, "near or below the lower band"), at(0.75, "near or above the upper band")),
    (&["KELTNER_POS"], at(0.25, "near or below the lower channel"), at(0.75, "near or above the upper channel")),
    (&["DONCHIAN_POS"], at(0.25, "near the low of {n} bars"), at(0.75, "near the high of {n} bars")),
    (
        &["PRICE_TO_SMA", "PRICE_TO_EMA"],
        at(0.0, "below the average of {n} bars"),
        at(0.0, "above the average of {n} bars"),
    ),
    (&["VWAP_DIST"], at(0.0, "below the mean price by volume"), at(0.0, "above the mean price by volume")),
    (
        &["SMA_CROSS", "EMA_CROSS"],
        at(0.0, "the average of {n} bars below that of {m}"),
        at(0.0, "the average of {n} bars above that of {m}"),
    ),
    (
        &["MACD_LINE", "MACD_SIGNAL", "PPO_LINE", "PPO_SIGNAL", "TSI", "TSI_SIGNAL", "AO", "AO_PCT", "TRIX"],
        at(0.0, "falling momentum"),
        at(0.0, "rising momentum"),
    ),
    (&["MACD_HIST", "PPO_HIST"], at(0.0, "momentum below its average"), at(0.0, "momentum above its average")),
    (&["ADX"], at(20.0, "no clear trend"), at(20.0, "a strong trend")),
    (&["PLUS_DI"], rare("little movement up"), rare("much movement up")),
    (&["MINUS_DI"], rare("little movement down"), rare("much movement down")),
    (&["DI_DIFF"], at(0.0, "more movement down than up"), at(0.0, "more movement up than down")),
    (&["AROON_UP"], at(30.0, "no high of late"), at(70.0, "a recent high")),
    (&["AROON_DOWN"], at(30.0, "no low of late"), at(70.0, "a recent low")),
    (&["AROON_OSC"], at(0.0, "the low later than the high"), at(0.0, "the high later than the low")),
    (&["PSAR_DIR"], at(0.0, "below the parabolic stop"), at(0.0, "above the parabolic stop")),
    (&["SUPERTREND_DIR"], at(0.0, "below the supertrend"), at(0.0, "above the supertrend")),
    (&["LINREG_SLOPE"], at(0.0, "a falling line through {n} closes"), at(0.0, "a rising line through {n} closes")),
    (&["LINREG_R2"], at(0.3, "a winding way"), at(0.7, "a straight way")),
    (&["ICHIMOKU_CLOUD_DIST"], at(0.0, "not above the cloud"), at(0.0, "not below the cloud")),
    (&["ICHIMOKU_TENKAN_DIST"], at(0.0, "below the tenkan line"), at(0.0, "above the tenkan line")),
    (&["ICHIMOKU_KIJUN_DIST"], at(0.0, "below the kijun line"), at(0.0, "above the kijun line")),
    (&["NATR", "HV", "PARKINSON"], rare("quiet"), rare("volatile")),
    (&["BB_WIDTH"], rare("narrow bands"), rare("wide bands")),
    (&["BB_SQUEEZE"], at(0.0, "no squeeze"), at(1.0, "a squeeze")),
    (&["ATR_RATIO", "VOL_REGIME"], at(1.0, "quieter than usual"), at(1.0, "more volatile than usual")),
    (
        &["OBV_SLOPE", "CMF", "ADOSC", "ADOSC_PCT", "FORCE", "FORCE_PCT"],
        at(0.0, "selling pressure"),
        at(0.0, "buying pressure"),
    ),
    (&["VOLUME_RATIO"], at(1.0, "less volume than usual"), at(1.0, "more volume than usual")),
    (&["VOLUME_Z"], at(0.0, "less volume than usual"), at(0.0, "more volume than usual")),
    (&["RET", "MOM"], at(0.0, "lower than {n} bars before"), at(0.0, "higher than {n} bars before")),
    (&["GAP_PCT"], at(0.0, "a gap down"), at(0.0, "a gap up")),
    (&["BODY_PCT"], at(0.0, "a falling bar"), at(0.0, "a rising bar")),
    (&["UPPER_WICK"], at(0.2, "a short upper wick"), at(0.4, "a long upper wick")),
    (&["LOWER_WICK"], at(0.2, "a short lower wick"), at(0.4, "a long lower wick")),
    (&["CLOSE_LOC"], at(0.3, "a close near the bar's low"), at(0.7, "a close near the bar's high")),
    (&["DIST_HIGH"], rare("far below the high of {n} bars"), rare("near the high of {n} bars")),
    (&["DIST_LOW"], rare("near the low of {n} bars"), rare("far above the low of {n} bars")),
    (&["CONSEC_UP"], at(-1.0, "falls in a row"), at(1.0, "rises in a row")),
    (&["INSIDE_BAR"], at(0.0, "no inside bar"), at(1.0, "an inside bar")),
    (&["DAY_OF_WEEK"], at(1.0, "early in the week"), at(3.0, "late in the week")),
    (&["REL_STRENGTH"], at(0.0, "weaker than {symbol}"), at(0.0, "stronger than {symbol}")),
    (&["BETA"], at(0.8, "moving less than {symbol}"), at(1.2, "moving more than {symbol}")),
    (&["CORR"], at(0.3, "hardly moving with {symbol}"), at(0.7, "moving with {symbol}")),
];

/// What a condition means; `None` where no word fits.
///
/// * `is_rare`: whether it holds on at most half of the rows.
pub(super) fn of(feature: &str, clause: &Clause, is_rare: bool) -> Option<String> {
    let feature = features::resolve(feature).ok()?;
    let (_, low, high) = MEANINGS.iter().find(|(stems, ..)| stems.contains(&feature.stem()))?;
    let threshold = f64::from(clause.threshold);
    let says_low = |&(limit, _): &(Limit, &str)| match limit {
        Limit::At(limit) => threshold <= limit,
        Limit::Rare => is_rare && clause.operator != Operator::Equal,
    };
    let says_high = |&(limit, _): &(Limit, &str)| match limit {
        Limit::At(limit) => threshold >= limit,
        Limit::Rare => is_rare && clause.operator != Operator::Equal,
    };
    let (low, high) = (low.filter(says_low), high.filter(says_high));
    let (_, words) = match clause.operator {
        Operator::AtMost | Operator::Below => low,
        Operator::AtLeast | Operator::Above => high,
        // A value on the border of both is neither.
        Operator::Equal => low.xor(high),
        Operator::Unequal => None,
    }?;
    Some(filled(words, &feature))
}

fn filled(words: &str, feature: &Feature) -> String {
    let param = |idx: usize| feature.params().get(idx).map(usize::to_string).unwrap_or_default();
    let symbol = feature.benchmark().unwrap_or_default();
    words.replace("{n}", &param(0)).replace("{m}", &param(1)).replace("{symbol}", symbol)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(feature: &str, operator: Operator, threshold: f32) -> Option<String> {
        of(feature, &Clause { feature_idx: 0, operator, threshold }, true)
    }

    #[test]
    fn every_default_feature_but_prices_and_sums_has_words_for_low_and_high() {
        let mut silent: Vec<String> = Vec::new();
        for feature in features::defaults() {
            let name = feature.name();
            let low = said(&name, Operator::AtMost, -1e6);
            let high = said(&name, Operator::AtLeast, 1e6);
            assert_eq!(low.is_some(), high.is_some(), "{name}");
            match low.zip(high) {
                Some((low, high)) => {
                    assert_ne!(low, high, "{name}");
                    assert!(![&low, &high].iter().any(|words| words.contains(['{', '}'])), "{name}: {low}, {high}");
                }
                None => silent.push(feature.stem().to_owned()),
            }
        }
        silent.dedup();
        let prices =
            "SMA EMA ICHIMOKU_TENKAN ICHIMOKU_KIJUN ATR BB_UPPER BB_LOWER OBV DOLLAR_VOLUME MONTH MONTH_SIN MONTH_COS";
        assert_eq!(silent.join(" "), prices);
    }

    #[test]
    fn words_name_the_features_own_numbers_and_benchmark() {
        assert_eq!(said("DIST_HIGH_20", Operator::AtLeast, -1.0).unwrap(), "near the high of 20 bars");
        assert_eq!(said("EMA_CROSS_8_21", Operator::Above, 0.0).unwrap(), "the average of 8 bars above that of 21");
        assert_eq!(said("BETA_QQQ_60", Operator::AtLeast, 1.5).unwrap(), "moving more than QQQ");
    }

    #[test]
    fn no_word_is_said_where_it_would_be_nonsense() {
        assert_eq!(said("RSI_14", Operator::AtMost, 34.6).unwrap(), "oversold");
        assert_eq!(said("RSI_14", Operator::AtMost, 70.0), None);
        assert_eq!(said("RSI_14", Operator::AtLeast, 35.0), None);
        assert_eq!(said("RSI_14", Operator::Unequal, 20.0), None);
        assert_eq!(said("PSAR_DIR", Operator::Equal, 0.0), None);
        assert_eq!(said("PSAR_DIR", Operator::Equal, 1.0).unwrap(), "above the parabolic stop");
        assert_eq!(said("NO_SUCH", Operator::AtMost, 0.0), None);
        let wide = Clause { feature_idx: 0, operator: Operator::AtMost, threshold: 9.0 };
        assert_eq!(of("NATR_14", &wide, true).unwrap(), "quiet");
        assert_eq!(of("NATR_14", &wide, false), None, "it holds on most rows");
    }
}
