//! What a strategy designer writes, and which feature that is.
//!
//! A name is a stem and whole-number parameters, joined by `_`: `RSI_14`, `EMA_CROSS_8_21`. Missing parameters are the
//! defaults; case, `-` and spaces do not matter; spellings of TA-Lib and pandas-ta are known.

use serde::{Deserialize, Serialize};

use super::catalogue::{Feature, Kind, MAX_PARAM, USUAL_BENCHMARK, kind, kinds};

/// Similarity from which a known name is worth suggesting.
const WORTH_SUGGESTING: f64 = 0.8;

/// A name that means no feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{asked}` is no feature: {reason}")]
pub struct Unresolved {
    /// The name as it was written.
    pub asked: String,
    /// What is wrong with it.
    pub reason: String,
    /// The known name most like it.
    pub nearest: Option<String>,
}

/// Other spellings of stems, upper case.
const ALIASES: &[(&str, &str)] = &[
    ("MACD", "MACD_LINE"),
    ("MACDS", "MACD_SIGNAL"),
    ("MACDSIGNAL", "MACD_SIGNAL"),
    ("MACDH", "MACD_HIST"),
    ("MACDHIST", "MACD_HIST"),
    ("MACD_HISTOGRAM", "MACD_HIST"),
    ("PPO", "PPO_LINE"),
    ("PPOS", "PPO_SIGNAL"),
    ("PPOH", "PPO_HIST"),
    ("DMP", "PLUS_DI"),
    ("DI_PLUS", "PLUS_DI"),
    ("DMN", "MINUS_DI"),
    ("DI_MINUS", "MINUS_DI"),
    ("STOCH", "STOCH_K"),
    ("STOCHK", "STOCH_K"),
    ("SLOWK", "STOCH_K"),
    ("STOCH_SLOWK", "STOCH_K"),
    ("STOCHD", "STOCH_D"),
    ("SLOWD", "STOCH_D"),
    ("STOCH_SLOWD", "STOCH_D"),
    ("WILLIAMS_R", "WILLR"),
    ("ATRR", "ATR"),
    ("ATR_PCT", "NATR"),
    ("ATR_PERCENT", "NATR"),
    ("ATRP", "NATR"),
    ("PRICE_VS_SMA", "PRICE_TO_SMA"),
    ("PRICE_VS_EMA", "PRICE_TO_EMA"),
    ("BBU", "BB_UPPER"),
    ("BBANDS_UPPER", "BB_UPPER"),
    ("BBL", "BB_LOWER"),
    ("BBANDS_LOWER", "BB_LOWER"),
    ("BBP", "BB_PCT_B"),
    ("BB_PERCENT_B", "BB_PCT_B"),
    ("BB_PCT", "BB_PCT_B"),
    ("BBB", "BB_WIDTH"),
    ("BB_BANDWIDTH", "BB_WIDTH"),
    ("HIST_VOL", "HV"),
    ("VOLATILITY", "HV"),
    ("ROC", "RET"),
    ("RETURN", "RET"),
    ("RETURNS", "RET"),
    ("RELATIVE_VOLUME", "VOLUME_RATIO"),
    ("RVOL", "VOLUME_RATIO"),
    ("PRICE", "CLOSE"),
];

/// TA-Lib's and pandas-ta's default where it is another than the target's own.
const ALIAS_DEFAULTS: &[(&str, &[usize])] = &[("ROC", &[10])];

/// The feature of a name.
///
/// # Errors
/// [`Unresolved`] with the nearest known name.
pub fn resolve(asked: &str) -> Result<Feature, Unresolved> {
    let plain = asked.trim().to_uppercase().replace(['-', ' '], "_");
    let (stem, params) = split(&plain);
    let stem = if params.len() == 2 { crossing(stem) } else { stem };
    let Some(kind) = kind_of(&stem) else {
        return Err(unresolved(asked, "unknown name".to_owned(), nearest(&plain, &stem, &params)));
    };
    if params.len() > kind.defaults.len() {
        let reason = format!("{} takes {} parameters, found {}", kind.stem, kind.defaults.len(), params.len());
        return Err(unresolved(asked, reason, Some(with_defaults(kind, &[]).name())));
    }
    let range = kind.least..=MAX_PARAM;
    if let Some(wrong) = params.iter().find(|param| !range.contains(param)) {
        let reason = format!("its parameters go from {} to {MAX_PARAM}, found {wrong}", kind.least);
        return Err(unresolved(asked, reason, Some(with_defaults(kind, &[]).name())));
    }
    let own = ALIAS_DEFAULTS.iter().find(|(alias, _)| params.is_empty() && *alias == stem);
    Ok(with_defaults(kind, own.map_or(params.as_slice(), |(_, own)| own)))
}

/// `EMA_8_21` names two averages, and what two averages tell is how they cross.
fn crossing(stem: String) -> String {
    match stem.as_str() {
        "EMA" | "SMA" => format!("{stem}_CROSS"),
        _ => stem,
    }
}

/// Parts a name into its stem and trailing whole numbers; `RSI14` like `RSI_14`, `20_2.0` like `20_2`.
fn split(name: &str) -> (String, Vec<usize>) {
    // pandas-ta ends CCI's name with Lambert's constant, which is no parameter here.
    let name = name.strip_suffix("_0.015").unwrap_or(name);
    let mut stem = name;
    let mut params = Vec::new();
    while let Some((rest, last)) = stem.rsplit_once('_') {
        let Some(param) = last.strip_suffix(".0").unwrap_or(last).parse().ok() else { break };
        params.insert(0, param);
        stem = rest;
    }
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if let (Some(_), Ok(param)) = (kind_of(letters), stem[letters.len()..].parse()) {
        params.insert(0, param);
        stem = letters;
    }
    (stem.to_owned(), params)
}

fn kind_of(stem: &str) -> Option<&'static Kind> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == stem);
    kind(alias.map_or(stem, |(_, stem)| stem))
}

fn with_defaults(kind: &'static Kind, given: &[usize]) -> Feature {
    let defaults = kind.defaults.iter().skip(given.len());
    let benchmark = kind.has_benchmark.then(|| USUAL_BENCHMARK.to_owned());
    Feature { kind, params: given.iter().chain(defaults).copied().collect(), benchmark }
}

fn nearest(plain: &str, stem: &str, params: &[usize]) -> Option<String> {
    // A number too large to be a parameter is still part of the stem.
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    let stems = kinds().map(|kind| (kind.stem, kind));
    let aliases = ALIASES.iter().filter_map(|(alias, stem)| Some((*alias, kind(stem)?)));
    let scored = stems.chain(aliases).map(|(known, kind)| {
        let alike =
            [stem, plain, letters].map(|asked| strsim::jaro_winkler(known, asked)).into_iter().fold(0.0, f64::max);
        (alike, kind)
    });
    let (alike, kind) = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    let fits =
        params.len() <= kind.defaults.len() && params.iter().all(|param| (kind.least..=MAX_PARAM).contains(param));
    (alike >= WORTH_SUGGESTING).then(|| with_defaults(kind, if fits { params } else { &[] }).name())
}

fn unresolved(asked: &str, reason: String, nearest: Option<String>) -> Unresolved {
    Unresolved { asked: asked.to_owned(), reason, nearest }
}
