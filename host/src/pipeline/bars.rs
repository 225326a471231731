//! Market bars: read, validated, one series a symbol.

/// The bars of one symbol, oldest first; all vectors have one entry a bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Ticker.
    pub symbol: String,
    /// Start of the bar, seconds since 1970-01-01 UTC (daily bars: midnight UTC of their date). Strictly ascending.
    pub time: Vec<i64>,
    /// First price.
    pub open: Vec<f64>,
    /// Highest price.
    pub high: Vec<f64>,
    /// Lowest price.
    pub low: Vec<f64>,
    /// Last price.
    pub close: Vec<f64>,
    /// Shares traded.
    pub volume: Vec<f64>,
}
