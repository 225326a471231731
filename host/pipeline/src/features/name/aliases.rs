//! Lists other spellings of stems, from TA-Lib, pandas-ta and strategy designers.
//!
//! A spelling has its numbers in the order of the library that it comes from. If this order differs
//! from the order of the kind, or if a name without numbers has other parameters, its entry states
//! them. `tests/golden/aliases.py` computes the values that the libraries have under these
//! spellings.

/// Another spelling of a stem.
#[derive(Debug)]
pub(in super::super) struct Alias {
    /// Spelling in upper case.
    pub(in super::super) spelling: &'static str,
    /// Canonical stem.
    pub(in super::super) stem: &'static str,
    /// Orders of the numbers, the one with the fewest numbers first; empty if the numbers are those
    /// of the kind. A name has the first order that is not shorter than its list of numbers.
    pub(super) orders: &'static [NumberOrder],
}

/// The meaning of the numbers of a spelling.
#[derive(Debug)]
pub(super) struct NumberOrder {
    /// For each number, the index of its parameter in the kind, or [`OTHER_LINE`]. Two numbers for
    /// the same parameter must be equal.
    pub(super) places: &'static [usize],
    /// Parameters that the numbers do not state; empty if these are the defaults of the kind.
    pub(super) others: &'static [usize],
}

/// A number that is not a parameter of the kind, but of another line of the same indicator.
pub(super) const OTHER_LINE: usize = usize::MAX;

const fn alias(spelling: &'static str, stem: &'static str) -> Alias {
    Alias { spelling, stem, orders: &[] }
}

const fn places(places: &'static [usize]) -> NumberOrder {
    NumberOrder { places, others: &[] }
}

impl Alias {
    /// Sets the orders of the numbers.
    const fn orders(mut self, orders: &'static [NumberOrder]) -> Self {
        self.orders = orders;
        self
    }
}

pub(in super::super) static ALIASES: &[Alias] = &[
    alias("MA", "SMA"),
    alias("PRICE_VS_SMA", "PRICE_TO_SMA"),
    alias("PRICE_VS_EMA", "PRICE_TO_EMA"),
    alias("MACD", "MACD_LINE"),
    alias("MACDS", "MACD_SIGNAL"),
    alias("MACDSIGNAL", "MACD_SIGNAL"),
    alias("MACDH", "MACD_HIST"),
    alias("MACDHIST", "MACD_HIST"),
    alias("MACD_HISTOGRAM", "MACD_HIST"),
    alias("PPO", "PPO_LINE"),
    alias("PPOS", "PPO_SIGNAL"),
    alias("PPOH", "PPO_HIST"),
    alias("DMP", "PLUS_DI"),
    alias("DI_PLUS", "PLUS_DI"),
    alias("DMN", "MINUS_DI"),
    alias("DI_MINUS", "MINUS_DI"),
    alias("AROONU", "AROON_UP"),
    alias("AROOND", "AROON_DOWN"),
    alias("AROONOSC", "AROON_OSC"),
    alias("SAR", "PSAR"),
    alias("PARABOLIC_SAR", "PSAR"),
    alias("SUPERT", "SUPERTREND"),
    alias("SUPERTD", "SUPERTREND_DIR"),
    alias("ITS", "ICHIMOKU_TENKAN"),
    alias("TENKAN", "ICHIMOKU_TENKAN"),
    alias("IKS", "ICHIMOKU_KIJUN"),
    alias("KIJUN", "ICHIMOKU_KIJUN"),
    alias("CLOUD_DIST", "ICHIMOKU_CLOUD_DIST"),
    alias("STOCH", "STOCH_K"),
    // pandas-ta: k, d, smooth_k.
    alias("STOCHK", "STOCH_K").orders(&[places(&[0, 2, 1])]),
    alias("SLOWK", "STOCH_K"),
    alias("STOCH_SLOWK", "STOCH_K"),
    alias("STOCHD", "STOCH_D").orders(&[places(&[0, 2, 1])]),
    alias("SLOWD", "STOCH_D"),
    alias("STOCH_SLOWD", "STOCH_D"),
    // Three numbers are those of TA-Lib, whose line is not smoothed: timeperiod, fastk_period,
    // fastd_period. Four numbers are those of pandas-ta: length, rsi_length, k, d.
    alias("STOCHRSI", "STOCHRSI_K").orders(&[
        places(&[0, 1]),
        NumberOrder { places: &[0, 1, 3], others: &[14, 14, 1, 3] },
        places(&[1, 0, 2, 3]),
    ]),
    alias("STOCHRSIK", "STOCHRSI_K").orders(&[places(&[1, 0, 2, 3])]),
    alias("STOCHRSID", "STOCHRSI_D").orders(&[places(&[1, 0, 2, 3])]),
    alias("WILLIAMS_R", "WILLR"),
    alias("UO", "ULTOSC"),
    alias("MOMENTUM", "MOM"),
    alias("TSIS", "TSI_SIGNAL"),
    alias("AWESOME_OSC", "AO"),
    alias("ATRR", "ATR"),
    alias("AVERAGE_TRUE_RANGE", "ATR"),
    alias("ATR_PCT", "NATR"),
    alias("ATR_PERCENT", "NATR"),
    alias("ATRP", "NATR"),
    // pandas-ta: length, lower_std, upper_std. Its earlier versions have one deviation.
    alias("BBU", "BB_UPPER").orders(&[places(&[0, 1]), places(&[0, OTHER_LINE, 1])]),
    // TA-Lib: timeperiod, nbdevup, nbdevdn.
    alias("BBANDS_UPPER", "BB_UPPER").orders(&[places(&[0, 1, OTHER_LINE])]),
    alias("BBL", "BB_LOWER").orders(&[places(&[0, 1, OTHER_LINE])]),
    alias("BBANDS_LOWER", "BB_LOWER").orders(&[places(&[0, 1]), places(&[0, OTHER_LINE, 1])]),
    alias("BBP", "BB_PCT_B").orders(&[places(&[0, 1, 1])]),
    alias("BB_PERCENT_B", "BB_PCT_B"),
    alias("BB_PCT", "BB_PCT_B"),
    alias("PERCENT_B", "BB_PCT_B"),
    alias("BBB", "BB_WIDTH").orders(&[places(&[0, 1, 1])]),
    alias("BB_BANDWIDTH", "BB_WIDTH"),
    alias("TTM_SQUEEZE", "BB_SQUEEZE"),
    alias("SQUEEZE", "BB_SQUEEZE"),
    alias("KCUE", "KELTNER_UPPER"),
    alias("KCLE", "KELTNER_LOWER"),
    // pandas-ta: lower_length, upper_length.
    alias("DCU", "DONCHIAN_UPPER").orders(&[places(&[0]), places(&[OTHER_LINE, 0])]),
    alias("DCL", "DONCHIAN_LOWER").orders(&[places(&[0, OTHER_LINE])]),
    alias("HIST_VOL", "HV"),
    alias("HISTORICAL_VOLATILITY", "HV"),
    alias("REALIZED_VOL", "HV"),
    alias("VOLATILITY", "HV"),
    alias("PARKINSON_VOL", "PARKINSON"),
    alias("CHAIKIN_AD", "AD"),
    alias("ADL", "AD"),
    alias("CHAIKIN_MONEY_FLOW", "CMF"),
    alias("CHAIKIN_OSC", "ADOSC"),
    alias("EFI", "FORCE"),
    alias("FORCE_INDEX", "FORCE"),
    alias("MONEY_FLOW_INDEX", "MFI"),
    alias("RELATIVE_VOLUME", "VOLUME_RATIO"),
    alias("RVOL", "VOLUME_RATIO"),
    alias("VOLUME_ZSCORE", "VOLUME_Z"),
    alias("PRICE_TO_VWAP", "VWAP_DIST"),
    alias("PRICE_VS_VWAP", "VWAP_DIST"),
    // TA-Lib and pandas-ta: 10 bars by default.
    alias("ROC", "RET").orders(&[NumberOrder { places: &[0], others: &[10] }]),
    alias("RETURN", "RET"),
    alias("RETURNS", "RET"),
    alias("GAP", "GAP_PCT"),
    alias("ZS", "ZSCORE"),
    alias("CONSECUTIVE_UP", "CONSEC_UP"),
    alias("STREAK", "CONSEC_UP"),
    alias("DIST_FROM_HIGH", "DIST_HIGH"),
    alias("DIST_FROM_LOW", "DIST_LOW"),
    alias("PRICE", "CLOSE"),
    alias("WEEKDAY", "DAY_OF_WEEK"),
    alias("DAYOFWEEK", "DAY_OF_WEEK"),
    alias("RELATIVE_STRENGTH", "REL_STRENGTH"),
    alias("CORRELATION", "CORR"),
];
