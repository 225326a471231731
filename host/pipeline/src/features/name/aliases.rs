//! Lists other spellings of stems, from TA-Lib, pandas-ta and strategy designers.
//!
//! A spelling is listed only if its numbers have the same meaning as those of the kind. If a
//! spelling has other default parameters or another order of the numbers, its entry states them.

/// Another spelling of a stem.
#[derive(Debug)]
pub(in super::super) struct Alias {
    /// Spelling in upper case.
    pub(in super::super) spelling: &'static str,
    /// Canonical stem.
    pub(in super::super) stem: &'static str,
    /// Parameters of a name without numbers; empty if these are the defaults of the kind.
    pub(super) default_params: &'static [usize],
    /// For each number of the spelling, the index of its parameter in the kind; empty if the order
    /// is the same.
    pub(super) order: &'static [usize],
}

const fn alias(spelling: &'static str, stem: &'static str) -> Alias {
    Alias { spelling, stem, default_params: &[], order: &[] }
}

impl Alias {
    /// Sets the parameters that a name without numbers has.
    const fn default_params(mut self, default_params: &'static [usize]) -> Self {
        self.default_params = default_params;
        self
    }

    /// Sets another order of the numbers. Two numbers for the same parameter must be equal.
    const fn order(mut self, order: &'static [usize]) -> Self {
        self.order = order;
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
    alias("STOCHK", "STOCH_K"),
    alias("SLOWK", "STOCH_K"),
    alias("STOCH_SLOWK", "STOCH_K"),
    alias("STOCHD", "STOCH_D"),
    alias("SLOWD", "STOCH_D"),
    alias("STOCH_SLOWD", "STOCH_D"),
    alias("STOCHRSI", "STOCHRSI_K"),
    alias("STOCHRSIK", "STOCHRSI_K").order(&[1, 0, 2, 3]),
    alias("STOCHRSID", "STOCHRSI_D").order(&[1, 0, 2, 3]),
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
    alias("BBU", "BB_UPPER").order(&[0, 1, 1]),
    alias("BBANDS_UPPER", "BB_UPPER"),
    alias("BBL", "BB_LOWER").order(&[0, 1, 1]),
    alias("BBANDS_LOWER", "BB_LOWER"),
    alias("BBP", "BB_PCT_B").order(&[0, 1, 1]),
    alias("BB_PERCENT_B", "BB_PCT_B"),
    alias("BB_PCT", "BB_PCT_B"),
    alias("PERCENT_B", "BB_PCT_B"),
    alias("BBB", "BB_WIDTH").order(&[0, 1, 1]),
    alias("BB_BANDWIDTH", "BB_WIDTH"),
    alias("TTM_SQUEEZE", "BB_SQUEEZE"),
    alias("SQUEEZE", "BB_SQUEEZE"),
    alias("KCUE", "KELTNER_UPPER"),
    alias("KCLE", "KELTNER_LOWER"),
    alias("DCU", "DONCHIAN_UPPER").order(&[0, 0]),
    alias("DCL", "DONCHIAN_LOWER").order(&[0, 0]),
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
    alias("ROC", "RET").default_params(&[10]),
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
