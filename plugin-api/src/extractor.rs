//! What an author of a rule extractor implements.

use serde::{Deserialize, Serialize};

use crate::{Ctx, Extension, Manifest, Params, Result, Table, Task};

/// A plugin that proposes trading rules. The host computes every statistic of a rule itself.
pub trait Extractor: Send + Sync + 'static {
    /// Who it is and what it takes; its role is [`Role::Rules`](crate::Role::Rules).
    fn manifest() -> Manifest;

    /// Proposes rules, the best first, for class 1 of the task's labels.
    ///
    /// `scores` has one out-of-fold score of a model a row, NaN where there is none. Nothing may be learnt from rows
    /// other than `task.train_rows`.
    ///
    /// # Errors
    /// As [`Family::fit`](crate::Family::fit).
    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        scores: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>>;

    /// What the plugin offers by a name that this API does not know; nothing unless said otherwise.
    fn extension(_name: &str) -> Option<Extension> {
        None
    }
}

/// A rule: all of its conditions hold at the close of a bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinedRule {
    /// At least one.
    pub conditions: Vec<Condition>,
    /// Share of the extractor's resamples in which the rule came up, from 0 to 1, where it resamples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
}

/// One comparison of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the feature.
    pub feature: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: f64,
}

impl Condition {
    /// Whether a value meets the condition; NaN never does.
    ///
    /// ```
    /// use oculus_plugin_api::{Condition, Operator};
    ///
    /// let oversold = Condition { feature: "RSI_14".into(), operator: Operator::AtMost, threshold: 35.0 };
    /// assert!(oversold.holds(34.9) && !oversold.holds(35.1) && !oversold.holds(f64::NAN));
    /// ```
    pub fn holds(&self, value: f64) -> bool {
        self.operator.holds(value, self.threshold)
    }
}

/// How a feature is compared with a threshold.
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
            Self::Unequal => !value.is_nan() && value != threshold,
        }
    }
}
