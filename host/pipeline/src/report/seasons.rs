//! Warns about seasons that the labelled dates show too rarely.
//!
//! In: the features that the job names, and those that its rules and its model use. Out: a warning
//! if one of them repeats every year and the labelled dates cover less than three years.

use std::collections::BTreeSet;

use oculus_job::warning::{Warning, WarningCode};

use super::{ReportInputs, rules};
use crate::{features::is_seasonal, rules::RuleSide};

const DAYS_PER_YEAR: f64 = 365.25;
/// Smallest number of years in which an effect of the season can be distinguished from chance.
const MIN_YEARS: f64 = 3.0;
/// Largest number of years that may be missing because of holidays, or because of the horizon of
/// the labels.
const TOLERANCE_YEARS: f64 = 0.1;

/// Returns the warning about the features of a job that repeat every year.
pub(super) fn warning(inputs: &ReportInputs<'_>) -> Option<Warning> {
    let table = inputs.table;
    let first_day = table.day.iter().copied().filter(|&day| day >= inputs.market.span.first_day).min()?;
    let last_day = table.day.iter().copied().max()?;
    let mined = [RuleSide::Entry, RuleSide::Exit].map(|side| &inputs.rules.mined_rules.get(side).rules);
    let conditions = mined.into_iter().flatten().flat_map(|rule| &rule.scored.rule.0);
    let in_rules = conditions.map(|condition| table.names[condition.feature_idx].clone());
    let importance = inputs.training.winner.importance.as_deref().unwrap_or_default();
    let in_model = rules::top_features(table, importance).into_iter().map(|top| top.feature);
    let used = inputs.features.canonical.values().cloned().chain(in_rules).chain(in_model);
    few_seasons(f64::from(last_day - first_day) / DAYS_PER_YEAR, used)
}

/// Returns the warning about features that repeat every year.
///
/// * `years`: length of the labelled dates.
/// * `used`: canonical names of the features that are used, in any order.
fn few_seasons(years: f64, used: impl Iterator<Item = String>) -> Option<Warning> {
    // This is a set, so that the warning names each feature once and always in the same order.
    let seasonal: BTreeSet<String> = used.filter(|name| is_seasonal(name)).collect();
    if seasonal.is_empty() || years >= MIN_YEARS - TOLERANCE_YEARS {
        return None;
    }
    let names = seasonal.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!(
        "found {years:.1} years of labelled dates, expected at least {MIN_YEARS} for {names}: each month occurs too rarely \
         to show an effect of the season, so treat rules and scores that depend on it as unproven, or raise design.years"
    );
    Some(Warning::new(WarningCode::FewSeasons, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning_for(years: f64, used: &[&str]) -> Option<String> {
        let warning = few_seasons(years, used.iter().map(|&name| name.to_owned()))?;
        assert_eq!(warning.code, WarningCode::FewSeasons);
        Some(warning.message)
    }

    #[test]
    fn features_of_the_month_on_less_than_three_years_get_a_warning() {
        for name in ["MONTH", "MONTH_SIN", "MONTH_COS"] {
            let message = warning_for(2.0, &["RSI_14", name]).unwrap();
            assert!(message.contains(name) && message.contains("2.0 years") && !message.contains("RSI"), "{message}");
        }
        let both = warning_for(1.5, &["MONTH_SIN", "MONTH_COS", "MONTH_SIN"]).unwrap();
        assert!(both.contains("for MONTH_COS, MONTH_SIN:"), "{both}");
    }

    #[test]
    fn three_years_and_features_of_the_week_get_no_warning() {
        // A job of three years has slightly less: its first date may follow a holiday.
        assert_eq!(warning_for(2.98, &["MONTH_SIN"]), None);
        assert_eq!(warning_for(1.0, &["DAY_OF_WEEK", "RSI_14"]), None);
    }
}
