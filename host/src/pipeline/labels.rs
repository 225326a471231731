//! Labels: did the close rise by a threshold within a horizon.

/// What a label asks: a rise of `threshold_pct` over `horizon_days` sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelKey {
    /// Sessions ahead.
    pub horizon_days: u32,
    /// Rise in percent.
    pub threshold_pct: f64,
}

/// One label of every row of the feature table.
#[derive(Clone, Debug)]
pub struct Label {
    /// What it asks.
    pub key: LabelKey,
    /// The horizon in bars.
    pub horizon_bars: u32,
    /// 1, 0, or NaN where the horizon reaches past the last bar of the symbol.
    pub value: Vec<f32>,
    /// Forward return in percent, NaN where there is no label.
    pub forward_return_pct: Vec<f32>,
    /// Session date at which each row's label is known, days since 1970-01-01; `i32::MAX` where there is no label.
    pub known_day: Vec<i32>,
}
