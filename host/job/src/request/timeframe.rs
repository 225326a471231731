//! The length of a bar.
//!
//! In: a name such as `1d`. Out: a [`Timeframe`]. Invariant: the names are the wire format and
//! never change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Timeframe {
    /// One minute.
    #[serde(rename = "1m")]
    Minute1,
    /// Five minutes.
    #[serde(rename = "5m")]
    Minute5,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    Minute15,
    /// Thirty minutes.
    #[serde(rename = "30m")]
    Minute30,
    /// One hour.
    #[serde(rename = "1h")]
    Hour1,
    /// Four hours.
    #[serde(rename = "4h")]
    Hour4,
    /// One trading day.
    #[serde(rename = "1d")]
    Day1,
    /// One week.
    #[serde(rename = "1w")]
    Week1,
}

impl Timeframe {
    /// Every timeframe, shortest first.
    pub const ALL: [Self; 8] = [
        Self::Minute1,
        Self::Minute5,
        Self::Minute15,
        Self::Minute30,
        Self::Hour1,
        Self::Hour4,
        Self::Day1,
        Self::Week1,
    ];

    /// Returns the name in JSON, such as `1d`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute1 => "1m",
            Self::Minute5 => "5m",
            Self::Minute15 => "15m",
            Self::Minute30 => "30m",
            Self::Hour1 => "1h",
            Self::Hour4 => "4h",
            Self::Day1 => "1d",
            Self::Week1 => "1w",
        }
    }

    /// Returns the length of a bar in seconds. A daily bar has 24 hours, a weekly bar seven days.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute1 => 60,
            Self::Minute5 => 300,
            Self::Minute15 => 900,
            Self::Minute30 => 1_800,
            Self::Hour1 => 3_600,
            Self::Hour4 => 14_400,
            Self::Day1 => 86_400,
            Self::Week1 => 604_800,
        }
    }

    /// Returns the timeframe with the given name, or `None` if the name is unknown.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|timeframe| timeframe.name() == name)
    }

    /// Returns whether a trading day has more than one bar.
    pub fn is_intraday(self) -> bool {
        !matches!(self, Self::Day1 | Self::Week1)
    }
}
