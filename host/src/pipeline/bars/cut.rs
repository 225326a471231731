//! Whole series cut to the labelled span and the warm-up before it.
//!
//! The span reaches `years` back from the newest bar of all symbols. Before it features need a warm-up; where the
//! symbol with the longest history has less, the warm-up shrinks. A symbol with a shorter history than that starts later.

use std::collections::BTreeSet;

use super::{Bars, Market, Warning, date_name, refused, sha256};
use crate::{
    job::{failure::Failure, request::Job},
    pipeline::{
        labels,
        splits::{Span, TEST_ONE_IN},
    },
};

/// Bars of warm-up for features, beside the window of a sequence model.
const WARM_UP_BARS: usize = 320;
/// The least warm-up that leaves features worth training on.
const LEAST_WARM_UP_BARS: usize = 60;
const LEAST_LABELLED_DATES: usize = 250;
const DAYS_A_YEAR: f64 = 365.25;

/// A series with its session dates and what of it can have a label.
struct Series {
    bars: Bars,
    days: Vec<i32>,
    /// Bars before the labelled span.
    n_before: usize,
}

/// Cuts all series alike.
pub(super) fn market(all: Vec<Bars>, job: &Job, mut warnings: Vec<Warning>) -> Result<Market, Failure> {
    let days: Vec<Vec<i32>> = all.iter().map(|bars| bars.session_days(job.timeframe)).collect();
    let newest = days.iter().filter_map(|days| days.last()).max().copied().unwrap_or_default();
    let first_day = newest - (job.design.years * DAYS_A_YEAR).floor() as i32;
    let mut series: Vec<Series> = all
        .into_iter()
        .zip(days)
        .map(|(bars, days)| Series { n_before: days.partition_point(|&day| day < first_day), bars, days })
        .collect();

    let lookback_rows = job.sequence_length();
    let wanted = WARM_UP_BARS + lookback_rows;
    let available = series.iter().map(|series| series.n_before).max().unwrap_or(0);
    let warm_up = available.clamp(LEAST_WARM_UP_BARS + lookback_rows, wanted);
    if warm_up < wanted {
        let message =
            format!("{available} bars before the labelled span, {wanted} wanted: the warm-up takes {warm_up}");
        warnings.push(Warning::new("warm_up_shortened", message));
    }
    let horizon_bars = longest_horizon(&series, job);
    series = leave_out_useless(series, warm_up, horizon_bars, &mut warnings);
    let n_dates = labelled_dates(&series, warm_up, horizon_bars).len();
    if n_dates < LEAST_LABELLED_DATES {
        return Err(too_few(n_dates, warm_up, job));
    }
    report_gaps(&series, &mut warnings);

    let bars: Vec<Bars> = series.iter().map(|one| one.bars.skip(one.n_before.saturating_sub(warm_up))).collect();
    Ok(Market {
        sha256: sha256(&bars),
        bars,
        timeframe: job.timeframe,
        span: Span { first_day, lookback_rows },
        warm_up_bars: warm_up - lookback_rows,
        warnings,
    })
}

fn longest_horizon(series: &[Series], job: &Job) -> usize {
    let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
    let bars_a_session = labels::median_session_bars(series.iter().map(|one| one.days.as_slice()));
    labels::horizon_bars(longest, job.timeframe, bars_a_session) as usize
}

impl Series {
    /// Session dates at which this symbol has features and the longest label.
    fn labelled(&self, warm_up: usize, horizon_bars: usize) -> &[i32] {
        let end = self.days.len().saturating_sub(horizon_bars);
        &self.days[self.n_before.max(warm_up).min(end)..end]
    }
}

fn labelled_dates(series: &[Series], warm_up: usize, horizon_bars: usize) -> Vec<i32> {
    let dates: BTreeSet<i32> = series.iter().flat_map(|one| one.labelled(warm_up, horizon_bars)).copied().collect();
    dates.into_iter().collect()
}

/// Leaves out symbols that end before the test period or begin after the training.
fn leave_out_useless(
    series: Vec<Series>,
    warm_up: usize,
    horizon_bars: usize,
    warnings: &mut Vec<Warning>,
) -> Vec<Series> {
    let dates = labelled_dates(&series, warm_up, horizon_bars);
    let Some(&test_start) = dates.get(dates.len() - dates.len() / TEST_ONE_IN) else { return series };
    let (useful, useless): (Vec<Series>, Vec<Series>) = series.into_iter().partition(|one| {
        let labelled = one.labelled(warm_up, horizon_bars);
        labelled.first().is_some_and(|&day| day < test_start) && labelled.last().is_some_and(|&day| day >= test_start)
    });
    warnings.extend(useless.iter().map(|one| {
        let span = match one.days.as_slice() {
            [] => "it has none".to_owned(),
            [first, .., last] => format!("they run from {} to {}", date_name(*first), date_name(*last)),
            [only] => format!("it has only {}", date_name(*only)),
        };
        let symbol = &one.bars.symbol;
        let test = date_name(test_start);
        Warning::new(
            "symbol_left_out",
            format!("{symbol} is left out: its bars must allow labels before and after {test}, {span}"),
        )
    }));
    useful
}

/// A gap is a date on which other symbols traded while this one, listed, did not.
fn report_gaps(series: &[Series], warnings: &mut Vec<Warning>) {
    let all: BTreeSet<i32> = series.iter().flat_map(|one| &one.days).copied().collect();
    for one in series {
        let (Some(&first), Some(&last)) = (one.days.first(), one.days.last()) else { continue };
        let own: BTreeSet<i32> = one.days.iter().copied().collect();
        let n_gaps = all.range(first..=last).count() - own.len();
        if n_gaps > 0 {
            let message =
                format!("{} has no bar on {n_gaps} dates on which other symbols of the job traded", one.bars.symbol);
            warnings.push(Warning::new("gaps", message));
        }
    }
}

fn too_few(n_dates: usize, warm_up: usize, job: &Job) -> Failure {
    let years = job.design.years;
    let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
    refused(
        "too_few_bars",
        format!(
            "{n_dates} dates can be labelled in {years} years of {} bars, after a warm-up of {warm_up} bars and before the last \
             {longest} sessions; {LEAST_LABELLED_DATES} are needed",
            job.timeframe.name()
        ),
        "raise design.years, give bars of a longer history, or use a shorter timeframe or shorter horizons",
    )
}
