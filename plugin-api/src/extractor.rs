//! The trait that the author of a rule extractor implements, and the rules that it returns.

use serde::{Deserialize, Serialize};

use crate::{Ctx, Extension, Manifest, Params, Result, Table, Task};

/// A plugin that proposes trading rules. The host computes every statistic of a rule.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// struct Oversold;
///
/// impl Extractor for Oversold {
///     fn manifest() -> Manifest {
///         Manifest::new("oversold", "1.0.0").role(Role::Rules)
///     }
///
///     fn extract(t: &Table<'_>, _: &Task<'_>, _: &[f32], _: &Params, ctx: &Ctx<'_, '_>) -> Result<Vec<MinedRule>> {
///         ctx.check()?;
///         let rule = |idx| Condition { feature: t.name(idx).into(), operator: Operator::AtMost, threshold: 30.0 };
///         Ok((0..t.n_features()).map(|idx| MinedRule { conditions: vec![rule(idx)], stability: None }).collect())
///     }
/// }
/// ```
pub trait Extractor: Send + Sync + 'static {
    /// Returns the plugin's id, the names and flags that select it, and its parameters. The role
    /// must be [`Role::Rules`](crate::Role::Rules).
    fn manifest() -> Manifest;

    /// Proposes rules for class 1 of the task's labels, the best rule first.
    ///
    /// `scores` contains one out-of-fold score of a model per row, or NaN for a row without a
    /// score. The rules and their thresholds must come from `task.train_rows` only.
    ///
    /// # Errors
    /// * [`code::DATA`](crate::code::DATA) if rules cannot be mined from these rows.
    /// * [`code::CANCELLED`](crate::code::CANCELLED) from [`Ctx::check`], if the job was cancelled.
    /// * [`code::ENGINE`](crate::code::ENGINE) if the engine fails.
    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        scores: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>>;

    /// Returns the plugin's extension with this name. The default is `None` for every name.
    fn extension(_name: &str) -> Option<Extension> {
        None
    }
}

/// A trading rule. It applies to a bar if all its conditions hold at the bar's close.
///
/// ```
/// use oculus_plugin_api::{Condition, MinedRule, Operator};
///
/// let oversold = Condition { feature: "RSI_14".into(), operator: Operator::AtMost, threshold: 30.0 };
/// let rising = Condition { feature: "RET_5".into(), operator: Operator::Above, threshold: 0.0 };
/// let rule = MinedRule { conditions: vec![oversold, rising], stability: Some(0.8) };
/// assert!(rule.conditions.iter().zip([25.0, 0.01]).all(|(condition, value)| condition.holds(value)));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinedRule {
    /// Conditions that must all hold; there is at least one.
    pub conditions: Vec<Condition>,
    /// Share of the extractor's resamples that propose the rule, from 0 to 1. It is absent if the
    /// extractor does not resample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
}

/// A comparison of a feature with a threshold.
///
/// ```
/// use oculus_plugin_api::{Condition, Operator};
///
/// let oversold = Condition { feature: "RSI_14".into(), operator: Operator::AtMost, threshold: 35.0 };
/// assert!(oversold.holds(34.9) && !oversold.holds(35.1) && !oversold.holds(f64::NAN));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the feature.
    pub feature: String,
    /// The operator that compares the feature with the threshold.
    pub operator: Operator,
    /// Number with which the feature is compared.
    pub threshold: f64,
}

impl Condition {
    /// Returns whether a value of the feature meets the condition. NaN never meets it.
    pub fn holds(&self, value: f64) -> bool {
        self.operator.holds(value, self.threshold)
    }
}

/// A comparison operator.
///
/// ```
/// use oculus_plugin_api::Operator;
///
/// assert_eq!(Operator::from_sign("<="), Some(Operator::AtMost));
/// assert_eq!(Operator::Above.sign(), ">");
/// assert!(Operator::Above.holds(1.0, 0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The value is at most the threshold.
    #[serde(rename = "<=")]
    AtMost,
    /// The value is less than the threshold.
    #[serde(rename = "<")]
    Below,
    /// The value is at least the threshold.
    #[serde(rename = ">=")]
    AtLeast,
    /// The value is greater than the threshold.
    #[serde(rename = ">")]
    Above,
    /// The value equals the threshold.
    #[serde(rename = "==")]
    Equal,
    /// The value differs from the threshold.
    #[serde(rename = "!=")]
    Unequal,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 6] = [Self::AtMost, Self::Below, Self::AtLeast, Self::Above, Self::Equal, Self::Unequal];

    /// Returns the sign that represents the operator in JSON.
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

    /// Returns the operator with this sign.
    pub fn from_sign(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.sign() == sign)
    }

    /// Returns whether `value operator threshold` is true. It is never true for NaN.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::Below => value < threshold,
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Equal => value == threshold,
            // IEEE 754 makes every comparison with NaN false except `!=`.
            Self::Unequal => !value.is_nan() && value != threshold,
        }
    }
}
