//! (to come)

/// Who gets a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureRole {
    /// Models and rules.
    Model,
    /// Rules only: a level that means nothing across symbols or years.
    Rule,
}
