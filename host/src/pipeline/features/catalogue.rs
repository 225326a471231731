//! Every kind of feature: its name, parameters, warm-up, role, definition and computation.

use oculus_plugin_api::FeatureRole;

use super::{momentum, price, trend, volatility, volume};

/// Largest parameter that a name may carry.
pub(super) const MAX_PARAM: usize = 2000;

/// The numbers of one symbol, one a bar, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Prices<'a> {
    /// First price.
    pub open: &'a [f64],
    /// Highest price.
    pub high: &'a [f64],
    /// Lowest price.
    pub low: &'a [f64],
    /// Last price.
    pub close: &'a [f64],
    /// Shares traded.
    pub volume: &'a [f64],
}

/// A kind of feature, whatever its parameters.
#[derive(Debug)]
pub(super) struct Kind {
    /// Name without parameters.
    pub(super) stem: &'static str,
    /// Parameters where the name carries none; whole numbers, mostly bars.
    pub(super) defaults: &'static [usize],
    /// Parameters that the name always carries; the others only where they are not the default.
    pub(super) n_shown: usize,
    /// Least value of a parameter.
    pub(super) least: usize,
    role: FeatureRole,
    /// What models get in place of a level.
    scale_free: Option<&'static str>,
    /// One line for people.
    about: &'static str,
    /// Bars before the first value.
    warm_up: fn(&[usize]) -> usize,
    /// One value a bar, NaN during the warm-up.
    compute: fn(&Prices, &[usize]) -> Vec<f64>,
}

/// A kind with its parameters: one column.
#[derive(Clone, Debug)]
pub struct Feature {
    pub(super) kind: &'static Kind,
    pub(super) params: Vec<usize>,
}

impl Feature {
    /// The name in the table, such as `RSI_14` or `MACD_HIST`.
    pub fn name(&self) -> String {
        let changed = self.params.iter().zip(self.kind.defaults).rposition(|(param, default)| param != default);
        let n_named = changed.map_or(0, |last| last + 1).max(self.kind.n_shown);
        self.params[..n_named].iter().fold(self.kind.stem.to_owned(), |name, param| format!("{name}_{param}"))
    }

    /// Whether models get it.
    pub fn role(&self) -> FeatureRole {
        self.kind.role
    }

    /// What it is, in one line.
    pub fn about(&self) -> &'static str {
        self.kind.about
    }

    /// Bars before the first value.
    pub fn warm_up_bars(&self) -> usize {
        (self.kind.warm_up)(&self.params)
    }

    /// What models get in place of a level: the scale-free kind with the same parameters, or with its own defaults
    /// where the level has none.
    pub fn scale_free(&self) -> Option<Self> {
        let kind = kind(self.kind.scale_free?)?;
        let params = if self.params.is_empty() { kind.defaults } else { &self.params };
        Some(Self { kind, params: params.to_vec() })
    }

    /// One value a bar: NaN during the warm-up, finite from then on.
    pub fn compute(&self, prices: &Prices) -> Vec<f64> {
        (self.kind.compute)(prices, &self.params)
    }
}

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        self.kind.stem == other.kind.stem && self.params == other.params
    }
}

impl Prices<'_> {
    /// Wilder's true range of a bar after the first.
    pub(super) fn true_range(&self, bar: usize) -> f64 {
        let (high, low, before) = (self.high[bar], self.low[bar], self.close[bar - 1]);
        (high - low).max((high - before).abs()).max((low - before).abs())
    }

    /// Wilder's movement up and down of a bar after the first; at most one of them is not 0.
    pub(super) fn directional_movement(&self, bar: usize) -> (f64, f64) {
        let up = self.high[bar] - self.high[bar - 1];
        let down = self.low[bar - 1] - self.low[bar];
        (if up > down { up.max(0.0) } else { 0.0 }, if down > up { down.max(0.0) } else { 0.0 })
    }

    /// Mean of high, low and close of each bar.
    pub(super) fn typical(&self) -> Vec<f64> {
        (0..self.close.len()).map(|bar| (self.high[bar] + self.low[bar] + self.close[bar]) / 3.0).collect()
    }
}

/// The kind of a stem.
pub(super) fn kind(stem: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.stem == stem)
}

/// What every job gets.
pub(super) fn default_features() -> impl Iterator<Item = Feature> {
    DEFAULT_SET.iter().filter_map(|&(stem, params)| {
        let kind = kind(stem)?;
        let params = if params.is_empty() { kind.defaults } else { params };
        Some(Feature { kind, params: params.to_vec() })
    })
}

const DEFAULT_SET: &[(&str, &[usize])] = &[
    ("SMA", &[20]),
    ("SMA", &[50]),
    ("SMA", &[200]),
    ("EMA", &[8]),
    ("EMA", &[21]),
    ("PRICE_TO_SMA", &[20]),
    ("PRICE_TO_SMA", &[50]),
    ("PRICE_TO_SMA", &[200]),
    ("PRICE_TO_EMA", &[21]),
    ("SMA_CROSS", &[20, 50]),
    ("EMA_CROSS", &[8, 21]),
    ("EMA_CROSS", &[12, 26]),
    ("MACD_LINE", &[]),
    ("MACD_SIGNAL", &[]),
    ("MACD_HIST", &[]),
    ("PPO_SIGNAL", &[]),
    ("PPO_HIST", &[]),
    ("ADX", &[14]),
    ("PLUS_DI", &[14]),
    ("MINUS_DI", &[14]),
    ("RSI", &[2]),
    ("RSI", &[7]),
    ("RSI", &[14]),
    ("RSI", &[21]),
    ("STOCH_K", &[]),
    ("STOCH_D", &[]),
    ("WILLR", &[14]),
    ("CCI", &[20]),
    ("ATR", &[14]),
    ("NATR", &[14]),
    ("BB_PCT_B", &[]),
    ("BB_WIDTH", &[]),
    ("HV", &[10]),
    ("HV", &[20]),
    ("HV", &[60]),
    ("OBV", &[]),
    ("OBV_SLOPE", &[20]),
    ("MFI", &[14]),
    ("VOLUME_RATIO", &[20]),
    ("RET", &[1]),
    ("RET", &[2]),
    ("RET", &[5]),
    ("RET", &[10]),
    ("RET", &[20]),
    ("RET", &[60]),
    ("GAP_PCT", &[]),
    ("CLOSE_LOC", &[]),
    ("DIST_HIGH", &[20]),
    ("DIST_LOW", &[20]),
];

/// A scale-free kind with every parameter in its name.
const fn model(stem: &'static str, defaults: &'static [usize], about: &'static str, parts: Parts) -> Kind {
    let (warm_up, compute) = parts;
    let n_shown = defaults.len();
    Kind { stem, defaults, n_shown, least: 2, role: FeatureRole::Model, scale_free: None, about, warm_up, compute }
}

type Parts = (fn(&[usize]) -> usize, fn(&Prices, &[usize]) -> Vec<f64>);

impl Kind {
    /// A level, for rules only, with the kind that models get instead.
    const fn level(mut self, scale_free: Option<&'static str>) -> Self {
        self.role = FeatureRole::Rule;
        self.scale_free = scale_free;
        self
    }

    /// Names only the first parameters while the others are the defaults.
    const fn shown(mut self, n_shown: usize) -> Self {
        self.n_shown = n_shown;
        self
    }

    /// Allows parameters from 1 on.
    const fn from_one(mut self) -> Self {
        self.least = 1;
        self
    }
}

const NONE: fn(&[usize]) -> usize = |_| 0;
const ONE: fn(&[usize]) -> usize = |_| 1;
/// A window of bars.
const WINDOW: fn(&[usize]) -> usize = |p| p[0] - 1;
/// A window of changes from bar to bar.
const CHANGES: fn(&[usize]) -> usize = |p| p[0];
/// The longer of two windows.
const LONGER: fn(&[usize]) -> usize = |p| if p[0] > p[1] { p[0] - 1 } else { p[1] - 1 };

pub(super) static KINDS: &[Kind] = &[
    model("SMA", &[20], "mean of the last n closes", (WINDOW, trend::sma_level)).level(Some("PRICE_TO_SMA")),
    model("EMA", &[21], "exponential average of closes, seeded by the first n", (WINDOW, trend::ema_level))
        .level(Some("PRICE_TO_EMA")),
    model("PRICE_TO_SMA", &[20], "close above its SMA, %", (WINDOW, trend::price_to_sma)),
    model("PRICE_TO_EMA", &[21], "close above its EMA, %", (WINDOW, trend::price_to_ema)),
    model("SMA_CROSS", &[20, 50], "fast SMA above the slow one, %", (LONGER, trend::sma_cross)),
    model("EMA_CROSS", &[8, 21], "fast EMA above the slow one, %", (LONGER, trend::ema_cross)),
    model("MACD_LINE", &[12, 26, 9], "fast EMA less slow EMA", (trend::macd_warm_up, trend::macd_line))
        .shown(0)
        .level(Some("PPO_LINE")),
    model("MACD_SIGNAL", &[12, 26, 9], "EMA of the MACD line", (trend::macd_warm_up, trend::macd_signal))
        .shown(0)
        .level(Some("PPO_SIGNAL")),
    model("MACD_HIST", &[12, 26, 9], "MACD line less its signal", (trend::macd_warm_up, trend::macd_hist))
        .shown(0)
        .level(Some("PPO_HIST")),
    model("PPO_LINE", &[12, 26, 9], "MACD line in % of the slow EMA", (trend::macd_warm_up, trend::ppo_line)).shown(0),
    model("PPO_SIGNAL", &[12, 26, 9], "EMA of the PPO line", (trend::macd_warm_up, trend::ppo_signal)).shown(0),
    model("PPO_HIST", &[12, 26, 9], "PPO line less its signal", (trend::macd_warm_up, trend::ppo_hist)).shown(0),
    model("ADX", &[14], "strength of the trend, 0 to 100; 0 when nothing ever moved", (|p| 2 * p[0] - 1, trend::adx)),
    model("PLUS_DI", &[14], "movement up in % of the true range; 0 without a range", (CHANGES, trend::plus_di)),
    model("MINUS_DI", &[14], "movement down in % of the true range; 0 without a range", (CHANGES, trend::minus_di)),
    model("RSI", &[14], "Wilder's relative strength, 0 to 100; 0 when nothing moved", (CHANGES, momentum::rsi)),
    model(
        "STOCH_K",
        &[14, 3, 3],
        "smoothed place of the close in its range, %; 0 without a range",
        (momentum::stoch_warm_up, momentum::stoch_k),
    )
    .shown(0)
    .from_one(),
    model("STOCH_D", &[14, 3, 3], "average of STOCH_K", (momentum::stoch_warm_up, momentum::stoch_d))
        .shown(0)
        .from_one(),
    model("WILLR", &[14], "Williams' %R, -100 to 0; 0 without a range", (WINDOW, momentum::willr)),
    model("CCI", &[20], "distance of the typical price in mean deviations; 0 without any", (WINDOW, momentum::cci)),
    model("ATR", &[14], "Wilder's average true range", (CHANGES, volatility::atr)).level(Some("NATR")),
    model("NATR", &[14], "average true range in % of the close", (CHANGES, volatility::natr)),
    model("BB_UPPER", &[20, 2], "SMA plus k population deviations", (WINDOW, volatility::bb_upper))
        .shown(1)
        .from_one()
        .level(Some("BB_PCT_B")),
    model("BB_LOWER", &[20, 2], "SMA less k population deviations", (WINDOW, volatility::bb_lower))
        .shown(1)
        .from_one()
        .level(Some("BB_PCT_B")),
    model(
        "BB_PCT_B",
        &[20, 2],
        "place of the close between the bands; 0.5 where they touch",
        (WINDOW, volatility::bb_pct_b),
    )
    .shown(1)
    .from_one(),
    model("BB_WIDTH", &[20, 2], "distance of the bands in % of the SMA", (WINDOW, volatility::bb_width))
        .shown(1)
        .from_one(),
    model("HV", &[20], "deviation of log returns, % a year of 252 bars", (CHANGES, volatility::hv)),
    model("OBV", &[], "running total of volume signed by the close's change", (NONE, volume::obv))
        .level(Some("OBV_SLOPE")),
    model(
        "OBV_SLOPE",
        &[20],
        "change of OBV in % of the volume traded; 0 without volume",
        (CHANGES, volume::obv_slope),
    )
    .from_one(),
    model("MFI", &[14], "share of money flowing in, %; 0 where none flows", (CHANGES, volume::mfi)),
    model("VOLUME_RATIO", &[20], "volume beside its mean; 1 where nothing was traded", (WINDOW, volume::volume_ratio)),
    model("RET", &[1], "return over n bars, %", (CHANGES, price::ret)).from_one(),
    model("GAP_PCT", &[], "open above the close before, %", (ONE, price::gap_pct)),
    model("CLOSE_LOC", &[], "place of the close in its bar, 0 to 1; 0.5 without a range", (NONE, price::close_loc)),
    model("DIST_HIGH", &[20], "close above the highest high of n bars, %", (WINDOW, price::dist_high)).from_one(),
    model("DIST_LOW", &[20], "close above the lowest low of n bars, %", (WINDOW, price::dist_low)).from_one(),
    model("OPEN", &[], "first price", (NONE, price::open)).level(None),
    model("HIGH", &[], "highest price", (NONE, price::high)).level(None),
    model("LOW", &[], "lowest price", (NONE, price::low)).level(None),
    model("CLOSE", &[], "last price", (NONE, price::close)).level(None),
    model("VOLUME", &[], "shares traded", (NONE, price::volume)).level(Some("VOLUME_RATIO")),
];
