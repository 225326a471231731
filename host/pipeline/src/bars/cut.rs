//! Cuts whole series to the labelled span and the warm-up before it.
//!
//! In: one valid series per symbol. Out: a [`Market`]. The labelled span covers `years` years and
//! ends with the newest bar of any symbol. Features need a warm-up before the span. If even the
//! symbol with the longest history has too few bars for the warm-up, the warm-up is shortened. The
//! rows of a symbol with a shorter history start later. A symbol is left out if its labels before
//! the test period, or its labels in the test period, are missing. The other symbols are then cut
//! as if the job did not name that symbol.

use std::collections::BTreeSet;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::request::Job;
use oculus_job::warning::{Warning, WarningCode};

use super::failure::{listed, refused};
use super::horizon::{horizon_bars, median_session_bars};
use super::market::Market;
use super::needs::BarsNeeds;
use super::series::{Bars, sha256};
use super::span::{LabelledSpan, TEST_PERIOD_DIVISOR};
use super::validate::{FindingKind, missing_days};
use crate::date::iso_date;

/// Number of warm-up bars that features need. The window of a sequence model is added to this
/// number. No feature of the default set needs more than 319 bars before its first value.
pub(super) const WARM_UP_BARS: usize = 320;
/// Smallest number of warm-up bars: a short history does not reduce [`WARM_UP_BARS`] below this
/// number.
const MIN_WARM_UP_BARS: usize = 60;
const MIN_LABELLED_DATES: usize = 250;
const DAYS_PER_YEAR: f64 = 365.25;

/// A series with its session dates.
struct DatedBars {
    bars: Bars,
    days: Vec<i32>,
}

/// Cuts all series to the same span.
///
/// If the windows of a sequence model would leave too few dates with labels, no bars are reserved
/// for the windows.
pub(super) fn market(all: Vec<Bars>, needs: &BarsNeeds<'_>, warnings: Vec<Warning>) -> Result<Market, JobError> {
    let lookback_rows = needs.lookback_rows;
    let without_windows = BarsNeeds { lookback_rows: 0, ..needs.clone() };
    if lookback_rows == 0 {
        return cut(all, &without_windows, warnings);
    }
    // If the windows are too long, only the sequence model fails. The other families of the job can
    // still be trained.
    cut(all.clone(), needs, warnings.clone()).or_else(|_| {
        let message = format!(
            "windows of {lookback_rows} bars would leave fewer than {MIN_LABELLED_DATES} dates with labels: no bars before \
             the labelled span are reserved for them, and a sequence model may fail; provide a longer history or request \
             shorter windows"
        );
        let short = Warning::new(WarningCode::WindowsTooLong, message);
        cut(all, &without_windows, warnings.into_iter().chain([short]).collect())
    })
}

fn cut(all: Vec<Bars>, needs: &BarsNeeds<'_>, mut warnings: Vec<Warning>) -> Result<Market, JobError> {
    let job = needs.job;
    let with_days = |bars: Bars| DatedBars { days: bars.session_days(job.timeframe), bars };
    let mut series: Vec<DatedBars> = all.into_iter().map(with_days).collect();
    let mut left_out = Vec::new();
    // The cut depends on the newest bar and on the longest history. Either of them may belong to a
    // series that is left out, so the cut is computed again until no series is left out.
    let cut = loop {
        let cut = Cut::new(&series, needs);
        let n_series = series.len();
        series = without_useless(series, &cut, &mut warnings, &mut left_out);
        if series.len() == n_series {
            break cut;
        }
    };
    let n_dates = cut.labelled_dates(&series).len();
    if n_dates < MIN_LABELLED_DATES {
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

/// The date at which all series are cut, and the numbers of bars that features, windows and labels
/// need.
struct Cut {
    /// First date of the labelled span, days since 1970-01-01.
    first_day: i32,
    /// Number of bars that the symbol with the longest history has before the span.
    available: usize,
    /// Number of bars that features and windows need before the span.
    needed: usize,
    /// Number of bars that are kept before the span.
    warm_up: usize,
    /// Number of bars of a symbol before its first row that has all features and a whole window.
    n_unready: usize,
    /// Longest horizon of a label, in bars.
    horizon_bars: usize,
}

impl Cut {
    fn new(series: &[DatedBars], needs: &BarsNeeds<'_>) -> Self {
        let BarsNeeds { job, lookback_rows, .. } = *needs;
        let newest = series.iter().filter_map(|one| one.days.last()).max().copied().unwrap_or_default();
        let first_day = newest - (job.design.years * DAYS_PER_YEAR).floor() as i32;
        let needed = WARM_UP_BARS + lookback_rows;
        let n_before = |one: &DatedBars| one.days.partition_point(|&day| day < first_day);
        let available = series.iter().map(n_before).max().unwrap_or(0);
        // If there are fewer bars before the span than the minimum, the first bars of the span
        // become warm-up.
        let warm_up = available.clamp(MIN_WARM_UP_BARS + lookback_rows, needed);
        // A window includes the row itself, so the number of earlier rows is the window's length
        // minus 1.
        let n_unready = (needs.warm_up_bars)(job, warm_up - lookback_rows) + lookback_rows.saturating_sub(1);
        let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
        let bars_per_session = median_session_bars(series.iter().map(|one| one.days.as_slice()));
        let horizon_bars = horizon_bars(longest, job.timeframe, bars_per_session) as usize;
        Self { first_day, available, needed, warm_up, n_unready, horizon_bars }
    }

    fn n_before(&self, one: &DatedBars) -> usize {
        one.days.partition_point(|&day| day < self.first_day)
    }

    /// Returns the session date of each bar at which a symbol has all features and the label of the
    /// longest horizon.
    fn labelled<'a>(&self, one: &'a DatedBars) -> &'a [i32] {
        // The horizons of the last bars end after the end of the series, so these bars have no
        // label.
        let end = one.days.len().saturating_sub(self.horizon_bars);
        &one.days[self.n_before(one).max(self.n_unready).min(end)..end]
    }

    fn labelled_dates(&self, series: &[DatedBars]) -> Vec<i32> {
        let dates: BTreeSet<i32> = series.iter().flat_map(|one| self.labelled(one)).copied().collect();
        dates.into_iter().collect()
    }

    fn shortened(&self) -> Option<Warning> {
        let Self { available, needed, warm_up, .. } = self;
        (warm_up < needed).then(|| {
            let message = format!(
                "found {available} bars before the labelled span, expected {needed}: the warm-up is shortened to {warm_up} \
                 bars"
            );
            Warning::new(WarningCode::WarmUpShortened, message)
        })
    }
}

/// Returns the series that have labels both before and in the test period, and adds the names of
/// the others to `left_out`.
fn without_useless(
    series: Vec<DatedBars>,
    cut: &Cut,
    warnings: &mut Vec<Warning>,
    left_out: &mut Vec<String>,
) -> Vec<DatedBars> {
    let dates = cut.labelled_dates(&series);
    // If no date belongs to the test period, there are too few dates, and the caller refuses the
    // job.
    let Some(&test_start) = dates.get(dates.len() - dates.len() / TEST_PERIOD_DIVISOR) else { return series };
    let (useful, useless): (Vec<DatedBars>, Vec<DatedBars>) = series.into_iter().partition(|one| {
        let labelled = cut.labelled(one);
        labelled.first().is_some_and(|&day| day < test_start) && labelled.last().is_some_and(|&day| day >= test_start)
    });
    warnings.extend(useless.iter().map(|one| {
        let span = match one.days.as_slice() {
            [] => "it has no bars".to_owned(),
            [first, .., last] => format!("its bars run from {} to {}", iso_date(*first), iso_date(*last)),
            [only] => format!("its only bar is of {}", iso_date(*only)),
        };
        let symbol = &one.bars.symbol;
        let test = iso_date(test_start);
        Warning::new(
            WarningCode::SymbolLeftOut,
            format!("{symbol} is left out: it needs labels before {test} and labels from {test} on, but {span}"),
        )
    }));
    left_out.extend(useless.into_iter().map(|one| one.bars.symbol));
    useful
}

/// Adds a warning for each symbol with gaps: dates between its first and last bar on which only
/// other symbols traded.
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

fn too_few(n_dates: usize, cut: &Cut, left_out: &[String], job: &Job) -> JobError {
    let years = job.design.years;
    let longest = job.design.forward_returns_days_options.iter().max().copied().unwrap_or(1);
    let without = match left_out {
        [] => String::new(),
        names => {
            format!(
                "; these symbols are left out, because they lack labels before or in the test period: {}",
                listed(names)
            )
        }
    };
    refused(
        ErrorCode::TooFewBars,
        format!(
            "{n_dates} dates can have labels in {years} year{} of {} bars, after a warm-up of {} bars and before the last \
             {longest} sessions; expected at least {MIN_LABELLED_DATES} dates{without}",
            if years == 1.0 { "" } else { "s" },
            job.timeframe.name(),
            cut.n_unready
        ),
        "raise design.years, provide a longer history, or use a shorter timeframe or shorter horizons",
    )
}
