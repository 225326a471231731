//! Whole series cut to the labelled span and the warm-up before it.
//!
//! The span reaches `years` back from the newest bar of all symbols. Before it features need a
//! warm-up; where the symbol with the longest history has less, the warm-up shrinks. A symbol with
//! a shorter history than that starts later. A symbol without labels before and in the test period
//! is left out, and the others are cut as if it had not been given.

use std::collections::BTreeSet;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::request::Job;
use oculus_job::warning::{Warning, WarningCode};

use super::failure::{listed, refused};
use super::horizon::{horizon_bars, median_session_bars};
use super::market::Market;
use super::needs::BarsNeeds;
use super::series::{Bars, sha256};
use super::span::{LabelledSpan, TEST_ONE_IN};
use super::validate::{FindingKind, missing_days};
use crate::date::iso_date;

/// Bars of warm-up for features, in addition to the window of a sequence model.
pub(super) const WARM_UP_BARS: usize = 320;
/// The least warm-up that leaves features worth training on.
const LEAST_WARM_UP_BARS: usize = 60;
const LEAST_LABELLED_DATES: usize = 250;
const DAYS_A_YEAR: f64 = 365.25;

/// A series with its session dates.
struct DatedBars {
    bars: Bars,
    days: Vec<i32>,
}

/// Cuts all series to the same span.
///
/// Where the windows of a sequence model would leave too few dates, no bars are kept for them: the family that needs
/// them may fail, the others can run.
pub(super) fn market(all: Vec<Bars>, needs: &BarsNeeds<'_>, warnings: Vec<Warning>) -> Result<Market, Failure> {
    let lookback_rows = needs.lookback_rows;
    let without_windows = BarsNeeds { lookback_rows: 0, ..needs.clone() };
    if lookback_rows == 0 {
        return cut(all, &without_windows, warnings);
    }
    cut(all.clone(), needs, warnings.clone()).or_else(|_| {
        let message = format!(
            "windows of {lookback_rows} bars would leave less than {LEAST_LABELLED_DATES} dates to label: they get no bars \
             before the labelled span, and a sequence model may fail for it; give a longer history, or ask for shorter \
             windows"
        );
        let short = Warning::new(WarningCode::WindowsTooLong, message);
        cut(all, &without_windows, warnings.into_iter().chain([short]).collect())
    })
}

fn cut(all: Vec<Bars>, needs: &BarsNeeds<'_>, mut warnings: Vec<Warning>) -> Result<Market, Failure> {
    let job = needs.job;
    let with_days = |bars: Bars| DatedBars { days: bars.session_days(job.timeframe), bars };
    let mut series: Vec<DatedBars> = all.into_iter().map(with_days).collect();
    let mut left_out = Vec::new();
    let cut = loop {
        let cut = Cut::new(&series, needs);
        let n_series = series.len();
        series = leave_out_useless(series, &cut, &mut warnings, &mut left_out);
        if series.len() == n_series {
            break cut;
        }
    };
    let n_dates = cut.labelled_dates(&series).len();
    if n_dates < LEAST_LABELLED_DATES {
        return Err(too_few(n_dates, &cut, &left_out, job));
    }
    warnings.extend(cut.shortened());
    report_gaps(&series, &mut warnings);

    let bars: Vec<Bars> =
        series.iter().map(|one| one.bars.skip(cut.n_before(one).saturating_sub(cut.warm_up))).collect();
    Ok(Market {
        sha256: sha256(&bars),
        bars,
        benchmarks: Vec::new(),
        timeframe: job.timeframe,
        span: LabelledSpan { first_day: cut.first_day, lookback_rows: needs.lookback_rows },
        warm_up_bars: cut.warm_up - needs.lookback_rows,
        warnings,
    })
}

/// Where series are cut, and which of their bars can have a label.
struct Cut {
    /// First date of the labelled span.
    first_day: i32,
    /// Bars before the span that the longest history has.
    available: usize,
    /// Bars before the span that are needed.
    wanted: usize,
    /// Bars before the span that are kept.
    warm_up: usize,
    /// Bars of a symbol before its first row that has all features and a whole window.
    n_unready: usize,
    /// Bars that the longest label looks ahead.
    horizon_bars: usize,
}

impl Cut {
    fn new(series: &[DatedBars], needs: &BarsNeeds<'_>) -> Self {
        let BarsNeeds { job, lookback_rows, .. } = *needs;
        let newest = series.iter().filter_map(|one| one.days.last()).max().copied().unwrap_or_default();
        let first_day = newest - (job.design.years * DAYS_A_YEAR).floor() as i32;
        let wanted = WARM_UP_BARS + lookback_rows;
        let n_before = |one: &DatedBars| one.days.partition_point(|&day| day < first_day);
        let available = series.iter().map(n_before).max().unwrap_or(0);
        let warm_up = available.clamp(LEAST_WARM_UP_BARS + lookback_rows, wanted);
        let n_unready = (needs.warm_up_bars)(job, warm_up - lookback_rows) + lookback_rows.saturating_sub(1);
        let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
        let bars_per_session = median_session_bars(series.iter().map(|one| one.days.as_slice()));
        let horizon_bars = horizon_bars(longest, job.timeframe, bars_per_session) as usize;
        Self { first_day, available, wanted, warm_up, n_unready, horizon_bars }
    }

    fn n_before(&self, one: &DatedBars) -> usize {
        one.days.partition_point(|&day| day < self.first_day)
    }

    /// Returns the session dates at which a symbol has features and the longest label.
    fn labelled<'a>(&self, one: &'a DatedBars) -> &'a [i32] {
        let end = one.days.len().saturating_sub(self.horizon_bars);
        &one.days[self.n_before(one).max(self.n_unready).min(end)..end]
    }

    fn labelled_dates(&self, series: &[DatedBars]) -> Vec<i32> {
        let dates: BTreeSet<i32> = series.iter().flat_map(|one| self.labelled(one)).copied().collect();
        dates.into_iter().collect()
    }

    fn shortened(&self) -> Option<Warning> {
        let Self { available, wanted, warm_up, .. } = self;
        (warm_up < wanted).then(|| {
            let message =
                format!("{available} bars before the labelled span, {wanted} wanted: the warm-up takes {warm_up}");
            Warning::new(WarningCode::WarmUpShortened, message)
        })
    }
}

/// Leaves out symbols that end before the test period or begin after the training; their names go to `left_out`.
fn leave_out_useless(
    series: Vec<DatedBars>,
    cut: &Cut,
    warnings: &mut Vec<Warning>,
    left_out: &mut Vec<String>,
) -> Vec<DatedBars> {
    let dates = cut.labelled_dates(&series);
    let Some(&test_start) = dates.get(dates.len() - dates.len() / TEST_ONE_IN) else { return series };
    let (useful, useless): (Vec<DatedBars>, Vec<DatedBars>) = series.into_iter().partition(|one| {
        let labelled = cut.labelled(one);
        labelled.first().is_some_and(|&day| day < test_start) && labelled.last().is_some_and(|&day| day >= test_start)
    });
    warnings.extend(useless.iter().map(|one| {
        let span = match one.days.as_slice() {
            [] => "it has none".to_owned(),
            [first, .., last] => format!("they run from {} to {}", iso_date(*first), iso_date(*last)),
            [only] => format!("it has only {}", iso_date(*only)),
        };
        let symbol = &one.bars.symbol;
        let test = iso_date(test_start);
        Warning::new(
            WarningCode::SymbolLeftOut,
            format!("{symbol} is left out: its bars must allow labels before and after {test}, {span}"),
        )
    }));
    left_out.extend(useless.into_iter().map(|one| one.bars.symbol));
    useful
}

/// Warns of gaps: dates between a symbol's first and last bar on which only other symbols traded.
fn report_gaps(series: &[DatedBars], warnings: &mut Vec<Warning>) {
    let sessions =
        |one: &DatedBars| one.days.chunk_by(|day, next| day == next).map(|session| session[0]).collect::<Vec<_>>();
    let all: BTreeSet<i32> = series.iter().flat_map(sessions).collect();
    for one in series {
        let missing = missing_days(&one.days, &all);
        if let Some(&first) = missing.first() {
            let symbol = &one.bars.symbol;
            let n_gaps = missing.len();
            let first = iso_date(first);
            let message = format!(
                "{symbol} has no bar on {n_gaps} dates on which other symbols of the job traded, the first {first}"
            );
            warnings.push(Warning::new(FindingKind::Gaps.code(), message));
        }
    }
}

fn too_few(n_dates: usize, cut: &Cut, left_out: &[String], job: &Job) -> Failure {
    let years = job.design.years;
    let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
    let without = match left_out {
        [] => String::new(),
        names => format!(
            "; left out, since their bars do not allow labels both before and in the test period: {}",
            listed(names)
        ),
    };
    refused(
        ErrorCode::TooFewBars,
        format!(
            "{n_dates} dates can be labelled in {years} years of {} bars, after a warm-up of {} bars and before the last \
             {longest} sessions; {LEAST_LABELLED_DATES} are needed{without}",
            job.timeframe.name(),
            cut.n_unready
        ),
        "raise design.years, give bars of a longer history, or use a shorter timeframe or shorter horizons",
    )
}
