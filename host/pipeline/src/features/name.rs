//! Resolves names, as strategy designers write them, to features.
//!
//! A name is a stem and parameters, joined by `_`: `RSI_14`, `EMA_CROSS_8_21`, `BB_WIDTH_20_2.5`.
//! The name of a kind that compares with a benchmark contains the benchmark's symbol between stem
//! and parameters: `BETA_SPY_60`. Omitted parameters have their defaults. Case does not matter, and
//! `-` and spaces are read as `_`. Spellings of TA-Lib and pandas-ta are supported.

mod aliases;

use oculus_job::request::is_symbol;
use serde::{Deserialize, Serialize};

pub(super) use self::aliases::ALIASES;
use self::aliases::{Alias, OTHER_LINE};
use super::catalogue::{kind, kinds};
use super::feature::Feature;
use super::kind::FeatureKind;

/// Smallest Jaro-Winkler similarity of a suggested name.
const MIN_SIMILARITY: f64 = 0.8;

/// A requested name that is not a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{requested}` is not a feature: {reason}")]
pub struct UnknownFeatureError {
    /// Name as it was requested.
    #[serde(rename = "asked")]
    pub requested: String,
    /// Reason why it is not a feature.
    pub reason: String,
    /// Most similar known name, or `None` if no name is similar enough.
    pub nearest: Option<String>,
}

/// A reason why the parts of a name are not valid parameters of its kind.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum ParamError {
    /// More numbers than parameters.
    #[error("found {n_found} parameters, expected at most {n_max} for {stem}")]
    TooMany { stem: &'static str, n_max: usize, n_found: usize },
    /// Two numbers of an alias that differ, although they denote the same parameter.
    #[error("two of its numbers denote one parameter and must be equal")]
    Unequal,
    /// A fraction for a parameter that must be a whole number.
    #[error("found {found} for parameter {number}, expected a whole number")]
    NotWhole { number: usize, found: f64 },
    /// A number outside the range of its parameter.
    #[error("found parameter {found}, expected {min} to {max}")]
    OutOfRange { min: String, max: String, found: f64 },
    /// A benchmark that is not a valid symbol.
    #[error("{0} is not a symbol")]
    NotASymbol(String),
}

/// The parts of a name.
struct NameParts {
    stem: String,
    /// Symbol of the benchmark, in upper case.
    symbol: Option<String>,
    /// Numbers in hundredths.
    numbers: Vec<usize>,
}

/// A kind that was found through its stem or one of its aliases.
#[derive(Clone, Copy)]
struct KnownStem {
    kind: &'static FeatureKind,
    alias: Option<&'static Alias>,
}

/// Returns the feature with this name.
///
/// # Errors
/// Returns [`UnknownFeatureError`], with the most similar known name, if the name is not a feature.
pub fn resolve(requested: &str) -> Result<Feature, UnknownFeatureError> {
    let upper = requested.trim().to_uppercase().replace(' ', "_");
    // Symbols such as BTC-USD contain a `-`, so a symbol is split off before `-` is read as `_`.
    let parts = with_symbol(&upper).unwrap_or_else(|| split(&upper.replace('-', "_")));
    let Some(known) = known_stem(&parts.stem) else {
        let nearest = nearest(&upper.replace('-', "_"), &parts);
        return Err(UnknownFeatureError {
            requested: requested.to_owned(),
            reason: "unknown name".to_owned(),
            nearest,
        });
    };
    let found = known.params(&parts.numbers).and_then(|params| {
        let symbol = parts.symbol.as_deref();
        match symbol.filter(|symbol| !is_benchmark(symbol)) {
            Some(invalid) => Err(ParamError::NotASymbol(invalid.to_owned())),
            None => Ok(known.kind.feature(&params, symbol)),
        }
    });
    found.map_err(|error| {
        // The suggestion keeps the longest sequence of leading numbers that is valid.
        let numbers = (0..=parts.numbers.len()).rev().map(|n_kept| &parts.numbers[..n_kept]);
        let params = numbers.map(|numbers| known.params(numbers)).find_map(Result::ok).unwrap_or_default();
        let symbol = parts.symbol.as_deref().filter(|symbol| is_benchmark(symbol));
        let nearest = Some(known.kind.feature(&params, symbol).name());
        UnknownFeatureError { requested: requested.to_owned(), reason: error.to_string(), nearest }
    })
}

/// Returns whether a part of a name can be the symbol of a benchmark. A part that begins with a
/// number is a misplaced parameter.
fn is_benchmark(symbol: &str) -> bool {
    let first = symbol.split('_').next().unwrap_or_default();
    is_symbol(symbol) && first.contains(|character: char| character.is_alphabetic())
}

impl KnownStem {
    /// Converts the numbers of a name into parameters. If the name omits the last numbers, their
    /// parameters are the defaults.
    ///
    /// # Errors
    /// Returns [`ParamError`] if there are too many numbers or one is not a valid parameter.
    fn params(&self, numbers: &[usize]) -> Result<Vec<usize>, ParamError> {
        let kind = self.kind;
        let orders = self.alias.map_or(&[][..], |alias| alias.orders);
        let order = orders.iter().find(|order| numbers.len() <= order.places.len());
        let n_max = orders.last().map_or(kind.defaults.len(), |longest| longest.places.len());
        if numbers.len() > n_max {
            return Err(ParamError::TooMany { stem: kind.stem, n_max, n_found: numbers.len() });
        }
        let mut params: Vec<Option<usize>> = vec![None; kind.defaults.len()];
        for (place, &hundredths) in numbers.iter().enumerate() {
            let idx = order.map_or(place, |order| order.places[place]);
            if idx == OTHER_LINE {
                continue;
            }
            let param = kind.param(idx, hundredths)?;
            if params[idx].replace(param).is_some_and(|other| other != param) {
                return Err(ParamError::Unequal);
            }
        }
        let others = order.map(|order| order.others).filter(|others| !others.is_empty()).unwrap_or(kind.defaults);
        Ok(params.into_iter().zip(others).map(|(param, &other)| param.unwrap_or(other)).collect())
    }
}

impl FeatureKind {
    /// Converts a number in hundredths into a parameter as stored: a whole number or hundredths.
    ///
    /// # Errors
    /// Returns [`ParamError`] if a whole parameter has decimals or the value is out of range.
    fn param(&self, idx: usize, hundredths: usize) -> Result<usize, ParamError> {
        let found = hundredths as f64 / 100.0;
        if idx < self.first_decimal && !hundredths.is_multiple_of(100) {
            return Err(ParamError::NotWhole { number: idx + 1, found });
        }
        let param = if idx < self.first_decimal { hundredths / 100 } else { hundredths };
        let range = self.range(idx);
        if range.contains(&param) {
            return Ok(param);
        }
        let min = self.format_param(idx, *range.start());
        let max = self.format_param(idx, *range.end());
        Err(ParamError::OutOfRange { min, max, found })
    }
}

/// Splits the name of a kind that compares with a benchmark. Returns `None` for the name of another
/// kind, and for a name without a symbol.
///
/// * `upper`: name in upper case, in which `-` is not replaced, because symbols may contain it.
fn with_symbol(upper: &str) -> Option<NameParts> {
    let stems = kinds().map(|kind| (kind.stem, kind));
    let aliases = ALIASES.iter().filter_map(|alias| Some((alias.spelling, kind(alias.stem)?)));
    let plain = upper.replace('-', "_");
    let begins = |stem: &str| plain.strip_prefix(stem).is_some_and(|rest| rest.starts_with('_'));
    let known = stems.chain(aliases).filter(|(stem, kind)| kind.has_benchmark && begins(stem));
    // The longest stem is used, because one stem or alias may be the start of another.
    let (stem, kind) = known.max_by_key(|(stem, _)| stem.len())?;
    // `upper` and `plain` differ only in single bytes, `-` or `_`, so the length of the stem is an
    // index into both.
    let mut rest = upper.get(stem.len()..)?;
    let mut numbers = Vec::new();
    // At most as many numbers are taken as the kind has parameters. Any further number belongs to
    // the symbol.
    while numbers.len() < kind.defaults.len()
        && let Some((before, last)) = rest.rsplit_once(['_', '-'])
        && let Some(number) = hundredths(last)
    {
        numbers.insert(0, number);
        rest = before;
    }
    let symbol = rest.trim_start_matches(['_', '-']);
    (!symbol.is_empty()).then(|| NameParts { stem: stem.to_owned(), symbol: Some(symbol.to_owned()), numbers })
}

/// Splits a name into its stem and trailing numbers; `RSI14` is read as `RSI_14`.
fn split(plain: &str) -> NameParts {
    // pandas-ta appends Lambert's constant to the name of CCI. The constant is not a parameter of
    // this kind.
    let mut stem = plain.strip_suffix("_0.015").unwrap_or(plain);
    let mut numbers = Vec::new();
    while let Some((rest, last)) = stem.rsplit_once('_') {
        let Some(number) = hundredths(last) else { break };
        numbers.insert(0, number);
        stem = rest;
    }
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if known_stem(letters).is_some()
        && let Some(number) = hundredths(&stem[letters.len()..])
    {
        numbers.insert(0, number);
        stem = letters;
    }
    // pandas-ta names the faster of TSI's two averages first, although it computes the slower one
    // first.
    if stem.starts_with("TSI") && numbers.len() > 1 && numbers[0] < numbers[1] {
        numbers.swap(0, 1);
    }
    // `EMA_8_21` names two averages, so it is read as their crossing, `EMA_CROSS_8_21`.
    let crosses = numbers.len() == 2 && matches!(stem, "EMA" | "SMA");
    NameParts { stem: if crosses { format!("{stem}_CROSS") } else { stem.to_owned() }, symbol: None, numbers }
}

/// Parses a number with at most two significant decimals, and returns it in hundredths: 250 for
/// `2.5`.
fn hundredths(text: &str) -> Option<usize> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let decimals = decimals.strip_suffix('0').filter(|rest| !rest.is_empty()).unwrap_or(decimals);
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let decimals: usize = format!("{decimals:0<2}").parse().ok()?;
    whole.parse::<usize>().ok()?.checked_mul(100)?.checked_add(decimals)
}

/// Returns the kind with this stem or alias.
fn known_stem(stem: &str) -> Option<KnownStem> {
    let alias = ALIASES.iter().find(|alias| alias.spelling == stem);
    let kind = kind(alias.map_or(stem, |alias| alias.stem))?;
    Some(KnownStem { kind, alias })
}

/// Returns the name of the known feature that is most similar to a name, if it is similar enough.
///
/// * `plain`: name in upper case, with `_` instead of `-`.
fn nearest(plain: &str, NameParts { stem, numbers, .. }: &NameParts) -> Option<String> {
    // A number that is too large to parse is still part of the stem.
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    let stems = kinds().map(|kind| kind.stem).chain(ALIASES.iter().map(|alias| alias.spelling));
    let similarity = |known: &str| {
        [stem, plain, letters].map(|requested| strsim::jaro_winkler(known, requested)).into_iter().fold(0.0, f64::max)
    };
    let scored = stems.map(|known| (similarity(known), known));
    let (similarity, known) = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    let known = known_stem(known)?;
    let params = known.params(numbers).or_else(|_| known.params(&[])).unwrap_or_default();
    (similarity >= MIN_SIMILARITY).then(|| known.kind.feature(&params, None).name())
}
