//! Resolves names, as strategy designers write them, to features.
//!
//! A name is a stem and parameters, joined by `_`: `RSI_14`, `EMA_CROSS_8_21`, `BB_WIDTH_20_2.5`; a
//! kind that compares with a benchmark carries its symbol between the two: `BETA_SPY_60`. Missing
//! parameters are the defaults; case, `-` and spaces do not matter; spellings of TA-Lib and
//! pandas-ta are known.

mod aliases;

use oculus_job::request::is_symbol;
use serde::{Deserialize, Serialize};

pub(super) use self::aliases::ALIASES;
use self::aliases::Alias;
use super::catalogue::{kind, kinds};
use super::feature::Feature;
use super::kind::Kind;

/// Least similarity of a known name that is suggested.
const WORTH_SUGGESTING: f64 = 0.8;

/// A name that is not a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{asked}` is no feature: {reason}")]
pub struct UnknownFeatureError {
    /// The requested name.
    pub asked: String,
    /// The reason why it is not a feature.
    pub reason: String,
    /// The known name most like it.
    pub nearest: Option<String>,
}

/// Why the parts of a name are not valid parameters of its kind.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum ParamError {
    /// More numbers than parameters.
    #[error("{stem} takes {n_most} parameters, found {n_found}")]
    TooMany { stem: &'static str, n_most: usize, n_found: usize },
    /// Two numbers of an alias that stand for one parameter and differ.
    #[error("two of its numbers are one parameter here and must be equal")]
    Unequal,
    /// A fraction for a whole parameter.
    #[error("its parameter {number} is a whole number, found {found}")]
    NotWhole { number: usize, found: f64 },
    /// A number beyond the range of its parameter.
    #[error("its parameters go from {least} to {most}, found {found}")]
    OutOfRange { least: String, most: String, found: f64 },
    /// A benchmark that is not a symbol.
    #[error("{0} is no symbol")]
    NotASymbol(String),
}

/// A name in its parts.
struct NameParts {
    stem: String,
    /// Upper case.
    symbol: Option<String>,
    /// In hundredths.
    numbers: Vec<usize>,
}

/// A kind as a stem spells it.
#[derive(Clone, Copy)]
struct Spelled {
    kind: &'static Kind,
    alias: Option<&'static Alias>,
}

/// Returns the feature of a name.
///
/// # Errors
/// [`UnknownFeatureError`] with the nearest known name.
pub fn resolve(asked: &str) -> Result<Feature, UnknownFeatureError> {
    let upper = asked.trim().to_uppercase().replace(' ', "_");
    let parts = with_symbol(&upper).unwrap_or_else(|| split(&upper.replace('-', "_")));
    let Some(spelled) = spelled(&parts.stem) else {
        let nearest = nearest(&upper.replace('-', "_"), &parts);
        return Err(UnknownFeatureError { asked: asked.to_owned(), reason: "unknown name".to_owned(), nearest });
    };
    let found = spelled.params(&parts.numbers).and_then(|params| {
        let symbol = parts.symbol.as_deref();
        match symbol.filter(|symbol| !is_benchmark(symbol)) {
            Some(wrong) => Err(ParamError::NotASymbol(wrong.to_owned())),
            None => Ok(spelled.kind.feature(&params, symbol)),
        }
    });
    found.map_err(|error| {
        let numbers = (0..=parts.numbers.len()).rev().map(|n_kept| &parts.numbers[..n_kept]);
        let params = numbers.map(|numbers| spelled.params(numbers)).find_map(Result::ok).unwrap_or_default();
        let symbol = parts.symbol.as_deref().filter(|symbol| is_benchmark(symbol));
        let nearest = Some(spelled.kind.feature(&params, symbol).name());
        UnknownFeatureError { asked: asked.to_owned(), reason: error.to_string(), nearest }
    })
}

/// Returns whether a part of a name can be a benchmark's symbol: one that begins with a number is a
/// misplaced parameter.
fn is_benchmark(symbol: &str) -> bool {
    let first = symbol.split('_').next().unwrap_or_default();
    is_symbol(symbol) && first.contains(|character: char| character.is_alphabetic())
}

impl Spelled {
    /// Converts a spelling's numbers into parameters; numbers that it omits at the end get their defaults.
    ///
    /// # Errors
    /// If a number is not a valid parameter.
    fn params(&self, numbers: &[usize]) -> Result<Vec<usize>, ParamError> {
        let kind = self.kind;
        let order = self.alias.map_or(&[][..], |alias| alias.order);
        let n_most = if order.is_empty() { kind.defaults.len() } else { order.len() };
        if numbers.len() > n_most {
            return Err(ParamError::TooMany { stem: kind.stem, n_most, n_found: numbers.len() });
        }
        if let Some(alias) = self.alias
            && numbers.is_empty()
        {
            return Ok(alias.usual.to_vec());
        }
        let mut params: Vec<Option<usize>> = Vec::new();
        for (place, &hundredths) in numbers.iter().enumerate() {
            let idx = order.get(place).copied().unwrap_or(place);
            let param = kind.param(idx, hundredths)?;
            params.resize(params.len().max(idx + 1), None);
            if params[idx].replace(param).is_some_and(|other| other != param) {
                return Err(ParamError::Unequal);
            }
        }
        let defaults = kind.defaults.iter();
        Ok(params.into_iter().zip(defaults).map(|(param, &default)| param.unwrap_or(default)).collect())
    }
}

impl Kind {
    /// Converts hundredths into a parameter in its own unit.
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
        let least = self.written(idx, *range.start());
        let most = self.written(idx, *range.end());
        Err(ParamError::OutOfRange { least, most, found })
    }
}

/// Splits a name of a kind that compares with a benchmark, where there is a symbol between its stem and its parameters.
///
/// * `upper`: with the `-` that symbols may have.
fn with_symbol(upper: &str) -> Option<NameParts> {
    let stems = kinds().map(|kind| (kind.stem, kind));
    let aliases = ALIASES.iter().filter_map(|alias| Some((alias.spelling, kind(alias.stem)?)));
    let plain = upper.replace('-', "_");
    let begins = |stem: &str| plain.strip_prefix(stem).is_some_and(|rest| rest.starts_with('_'));
    let known = stems.chain(aliases).filter(|(stem, kind)| kind.has_benchmark && begins(stem));
    let (stem, kind) = known.max_by_key(|(stem, _)| stem.len())?;
    // Both spellings have the same bytes but for `-`.
    let mut rest = upper.get(stem.len()..)?;
    let mut numbers = Vec::new();
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

/// Splits a name into its stem and trailing numbers; `RSI14` like `RSI_14`.
fn split(plain: &str) -> NameParts {
    // pandas-ta ends CCI's name with Lambert's constant, which is no parameter here.
    let mut stem = plain.strip_suffix("_0.015").unwrap_or(plain);
    let mut numbers = Vec::new();
    while let Some((rest, last)) = stem.rsplit_once('_') {
        let Some(number) = hundredths(last) else { break };
        numbers.insert(0, number);
        stem = rest;
    }
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if spelled(letters).is_some()
        && let Some(number) = hundredths(&stem[letters.len()..])
    {
        numbers.insert(0, number);
        stem = letters;
    }
    // pandas-ta names the faster of TSI's two averages first; which of them is taken first hardly matters.
    if stem.starts_with("TSI") && numbers.len() > 1 && numbers[0] < numbers[1] {
        numbers.swap(0, 1);
    }
    // `EMA_8_21` names two averages: the feature is their crossing.
    let crosses = numbers.len() == 2 && matches!(stem, "EMA" | "SMA");
    NameParts { stem: if crosses { format!("{stem}_CROSS") } else { stem.to_owned() }, symbol: None, numbers }
}

/// A number with at most two decimals, in hundredths: 250 for `2.5`.
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

fn spelled(stem: &str) -> Option<Spelled> {
    let alias = ALIASES.iter().find(|alias| alias.spelling == stem);
    let kind = kind(alias.map_or(stem, |alias| alias.stem))?;
    Some(Spelled { kind, alias })
}

fn nearest(plain: &str, NameParts { stem, numbers, .. }: &NameParts) -> Option<String> {
    // A number too large to be a parameter is still part of the stem.
    let letters = stem.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    let stems = kinds().map(|kind| kind.stem).chain(ALIASES.iter().map(|alias| alias.spelling));
    let alike = |known: &str| {
        [stem, plain, letters].map(|asked| strsim::jaro_winkler(known, asked)).into_iter().fold(0.0, f64::max)
    };
    let (alike, known) = stems.map(|known| (alike(known), known)).max_by(|left, right| left.0.total_cmp(&right.0))?;
    let spelled = spelled(known)?;
    let params = spelled.params(numbers).or_else(|_| spelled.params(&[])).unwrap_or_default();
    (alike >= WORTH_SUGGESTING).then(|| spelled.kind.feature(&params, None).name())
}
