//! Entry and exit rules as a job writes them: one condition on one feature.

use serde::{Deserialize, Serialize};

/// One condition: `feature operator threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The feature as the job spells it.
    pub feature: String,
    /// How the feature's value is compared.
    pub operator: Operator,
    /// What it is compared with; finite.
    pub threshold: f64,
    /// What the rule means, for people; empty when the job says nothing.
    pub description: String,
}

/// A comparison of a feature with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// Less than.
    #[serde(rename = "<")]
    Below,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
    /// More than.
    #[serde(rename = ">")]
    Above,
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    Unequal,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 6] = [Self::AtMost, Self::Below, Self::AtLeast, Self::Above, Self::Equal, Self::Unequal];

    /// The sign on the wire.
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::Equal => "==",
            Self::Unequal => "!=",
        }
    }

    /// The operator of a sign.
    pub fn from_sign(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.sign() == sign)
    }

    /// Whether `value operator threshold` holds; never for NaN.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Equal => value == threshold,
            Self::Unequal => value < threshold || value > threshold,
        }
    }
}
