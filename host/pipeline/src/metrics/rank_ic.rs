//! The rank information coefficient (rank IC): how well scores order the symbols of a date by their
//! forward returns.
//!
//! In: scores, forward returns and dates of rows. Out: the mean over dates of Spearman's rank
//! correlation within the date (Spearman, *The Proof and Measurement of Association between Two
//! Things*, 1904), with an interval. A correlation within a date ignores the market's rise, which
//! all symbols of the date share. Forward returns of neighbouring dates overlap, so the interval is
//! a Student-t interval over blocks of whole dates.

use super::{
    bootstrap::{Interval, Resamples, standard_error},
    figure::UndefinedError,
    random::Random,
    t_interval::t_interval,
};

/// Minimum number of symbols of a date: with fewer, a rank correlation has only a few values.
pub const MIN_RANKED_SYMBOLS: usize = 5;

/// Rows to rank within their dates.
#[derive(Clone, Copy, Debug)]
pub struct RankIcRows<'a> {
    /// Score of each row; a row with NaN is left out.
    pub scores: &'a [f32],
    /// Forward return of each row in any unit; a row with NaN is left out.
    pub forward_returns: &'a [f64],
    /// Date of each row, in any order. Rows with equal dates are ranked together.
    pub dates: &'a [i32],
}

/// The mean rank IC of some dates.
#[derive(Clone, Debug, PartialEq)]
pub struct RankIc {
    /// Mean over the dates of Spearman's rank correlation within the date, from −1 to 1.
    pub mean: f64,
    /// 95 % interval of the mean, or the reason why there is none.
    pub ci95: Result<Interval, UndefinedError>,
    /// Number of dates with a rank correlation.
    pub n_dates: usize,
}

/// Computes the mean rank IC and its 95 % interval.
///
/// Equal values share their mean rank. A date with equal scores has a correlation of 0, because it
/// orders nothing. A date with fewer than five rows or with equal forward returns is left out.
///
/// * `block_dates`: number of dates per block of the interval, twice the horizon of the returns.
/// * `seed`: seed of the bootstrap.
///
/// # Errors
/// Returns the reason if none of the dates has a rank correlation.
pub fn rank_ic(rows: &RankIcRows<'_>, block_dates: usize, seed: u64) -> Result<RankIc, UndefinedError> {
    let correlations = correlations(rows);
    let n_dates = correlations.len();
    if n_dates == 0 {
        return Err(UndefinedError::because(format!(
            "found no date with {MIN_RANKED_SYMBOLS} or more scored symbols whose returns differ, expected at least one"
        )));
    }
    let mean = correlations.iter().sum::<f64>() / n_dates as f64;
    let ci95 = deviation(&correlations, block_dates, seed)
        .and_then(|deviation| t_interval(mean, deviation, n_dates as f64 / block_dates.max(1) as f64));
    Ok(RankIc { mean, ci95, n_dates })
}

/// Returns the standard deviation of the mean over resamples of blocks of dates.
fn deviation(correlations: &[f64], block_dates: usize, seed: u64) -> Result<f64, UndefinedError> {
    let resamples = Resamples::draw(correlations.len(), block_dates, Random::new(seed, "rank IC"))?;
    let n_dates = correlations.len() as f64;
    let mean = |counts: &[u32]| {
        Some(correlations.iter().zip(counts).map(|(value, &count)| f64::from(count) * value).sum::<f64>() / n_dates)
    };
    standard_error(&resamples.map(mean)?)
}

/// Returns the rank correlation of each date that has one, in the order of dates.
fn correlations(rows: &RankIcRows<'_>) -> Vec<f64> {
    let RankIcRows { scores, forward_returns, dates } = *rows;
    let values = scores.iter().map(|&score| f64::from(score)).zip(forward_returns.iter().copied());
    let mut dated: Vec<(i32, (f64, f64))> = dates.iter().copied().zip(values).collect();
    dated.retain(|(_, (score, change))| !score.is_nan() && !change.is_nan());
    // The sort is stable, so the rows of a date keep their order, and sums keep their bits.
    dated.sort_by_key(|(date, _)| *date);
    let of_date = |rows: &[(i32, (f64, f64))]| {
        let (scores, changes): (Vec<f64>, Vec<f64>) = rows.iter().map(|(_, pair)| *pair).unzip();
        (rows.len() >= MIN_RANKED_SYMBOLS).then(|| spearman(&scores, &changes)).flatten()
    };
    dated.chunk_by(|a, b| a.0 == b.0).filter_map(of_date).collect()
}

/// Returns Pearson's correlation of the ranks: 0 for equal scores, `None` for equal returns.
fn spearman(scores: &[f64], changes: &[f64]) -> Option<f64> {
    let [x, y] = [scores, changes].map(centred_ranks);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = [product(&x, &x), product(&y, &y)];
    if spread[1] == 0.0 {
        return None;
    }
    Some(if spread[0] == 0.0 { 0.0 } else { product(&x, &y) / (spread[0] * spread[1]).sqrt() })
}

/// Returns the rank of each value minus the mean rank; equal values share their mean rank.
fn centred_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut n_below = 0;
    // `==` treats 0 and −0 as equal, unlike `total_cmp`, which only puts them next to each other.
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // The places of a tie are counted from 0, so the mean of all places is (n − 1) / 2.
        let shared = n_below as f64 + (tie.len() as f64 - 1.0) / 2.0;
        tie.iter().for_each(|&idx| ranks[idx] = shared - (values.len() as f64 - 1.0) / 2.0);
        n_below += tie.len();
    }
    ranks
}

#[cfg(test)]
mod tests;
