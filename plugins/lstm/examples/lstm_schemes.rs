//! Compares training schemes. For each fit, it prints a line with the test AUC, the best epoch and
//! the time in seconds. The means follow.
//!
//! `cargo run -p oculus-plugin-lstm --example lstm_schemes -- [--bars DIR] [--seeds N] [SCHEME…]`
//!
//! The data are planted signals of short and long memory (4 symbols × 2,000 rows × 24 features).
//! With `--bars`, the data come from the CSV files of a folder. The label is then 1 if the close
//! five rows later is at least 1 % higher. The network has two layers of 128 units and reads
//! sequences of 100 rows. Each fit uses one thread. The rows for early stopping follow the training
//! rows. The epoch with the lowest loss on them is selected. The test rows come last.

#[path = "../tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::error::Error;
use std::path::{Path, PathBuf};

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_lstm::Lstm;
use support::{Data, Memory, Size, seconds};

/// Name and parameters of each scheme; `last` uses the last weights instead of their running mean.
const SCHEMES: [(&str, &str); 9] = [
    ("segments", r#""training": "segments""#),
    ("windowed", r#""training": "windowed""#),
    ("burn-in 40", r#""burn_in": 40"#),
    ("mixed", r#""mixed_burn_in": true"#),
    ("segments, last", r#""averaging": 0"#),
    ("windowed, last", r#""averaging": 0, "training": "windowed""#),
    ("burn-in 40, last", r#""averaging": 0, "burn_in": 40"#),
    ("mixed, last", r#""averaging": 0, "mixed_burn_in": true"#),
    ("cosine 12, last", r#""averaging": 0, "schedule": "cosine", "epochs": 12, "patience": 12"#),
];
/// Parameters of all schemes; a scheme may override them.
const COMMON: &str = r#""epochs": 20, "patience": 3"#;
/// The end of the training days, and the end of the days for early stopping, as shares of all days.
const PERIOD_ENDS: [f64; 2] = [0.68, 0.8];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let position = arguments.iter().position(|argument| argument == name)?;
        (position + 1 < arguments.len()).then(|| arguments.drain(position..position + 2).nth(1)).flatten()
    };
    let bars = option("--bars").map(PathBuf::from);
    let n_seeds = option("--seeds").map_or(Ok(6), |n| n.parse())?;
    let schemes =
        SCHEMES.iter().filter(|(name, _)| arguments.is_empty() || arguments.iter().any(|argument| argument == name));
    let schemes: Vec<_> = schemes.collect();

    let mut results = Vec::new();
    for seed in 1..=n_seeds {
        let data = match &bars {
            Some(folder) => vec![("bars", data_from_csv(folder)?)],
            None => vec![
                ("short", Data::planted(Memory::Short, Size::new(4, 2000, 24), seed)),
                ("long", Data::planted(Memory::Long, Size::new(4, 2000, 24), 1000 + seed)),
            ],
        };
        for (signal, data) in &data {
            let test_rows = data.days((PERIOD_ENDS[1] * data.n_days as f64) as usize, data.n_days);
            let truth: Vec<f32> = test_rows.iter().map(|&row| data.truth[row as usize]).collect();
            println!("{signal} {seed}: true probabilities {:.4}", data.auc(&test_rows, &truth));
            for (name, params) in &schemes {
                let (auc, epoch, elapsed) = run(data, params, seed)?;
                println!("{signal} {seed}: {name:16} test {auc:.4}, epoch {epoch:2}, {elapsed:6.1} s");
                results.push((*signal, *name, [auc, f64::from(epoch), elapsed]));
            }
        }
    }
    for signal in ["short", "long", "bars"] {
        for (name, _) in &schemes {
            let fits: Vec<_> = results.iter().filter(|(s, n, _)| (s, n) == (&signal, name)).collect();
            let mean = |idx: usize| fits.iter().map(|(_, _, values)| values[idx]).sum::<f64>() / fits.len() as f64;
            if !fits.is_empty() {
                println!("{signal} mean: {name:16} test {:.4}, epoch {:4.1}, {:6.1} s", mean(0), mean(1), mean(2));
            }
        }
    }
    Ok(())
}

/// Runs one fit. Returns the test AUC, the best epoch and the time in seconds. The time includes
/// the epochs after the best one.
fn run(data: &Data, params: &str, seed: u64) -> Result<(f64, u32, f64), Box<dyn Error>> {
    let [tune, test] = PERIOD_ENDS.map(|share| (share * data.n_days as f64) as usize);
    let train_rows = data.days(0, tune);
    let tune_rows = data.days(tune, test);
    let test_rows = data.days(test, data.n_days);
    // A label reads the close five rows later. The last five training rows and the last five tuning
    // rows are left out, because their labels would read closes of the next period.
    let known = |rows: &[u32], end: usize| -> Vec<u32> {
        let is_known = |row: &u32| *row as usize % data.n_days + 5 < end && !data.label[*row as usize].is_nan();
        rows.iter().copied().filter(is_known).collect()
    };
    let train_rows = known(&train_rows, tune);
    let tune_rows = known(&tune_rows, test);
    let test_rows = known(&test_rows, data.n_days + 5);

    let frame = data.frame();
    let prepared = Harness::family::<Lstm>().prepare(&frame, &train_rows)?;
    let task = Task { seed, ..data.task(&train_rows, &tune_rows) };
    // If a parameter occurs twice, the parser uses the last value, so a scheme overrides COMMON.
    let params = format!("{{{COMMON}, {params}}}");
    let start = seconds();
    let model = prepared.fit(&task, &params, &Listener::default())?;
    let elapsed = seconds() - start;
    let scores = model.predict(&frame, &test_rows)?;
    Ok((data.auc(&test_rows, &scores), model.summary()?.rounds.unwrap_or_default(), elapsed))
}

/// Reads the CSV files of a folder, and computes features and labels of the last rows of each file.
/// Every file contributes the same number of rows.
fn data_from_csv(folder: &Path) -> Result<Data, Box<dyn Error>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.path().extension().is_some_and(|extension| extension == "csv"));
    files.sort_by_key(std::fs::DirEntry::path);
    let mut symbols = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file.path())?;
        // The columns are date, open, high, low, close and volume.
        let bar = |line: &str| line.split(',').skip(1).map(str::parse).collect::<Result<Vec<f64>, _>>();
        symbols.push(text.lines().skip(1).map(bar).collect::<Result<Vec<_>, _>>()?);
    }
    let n_days = symbols.iter().map(Vec::len).min().ok_or("no CSV file in the folder")? - WARM_UP;
    let features: Vec<_> = symbols.iter().map(|bars| features(&bars[bars.len() - n_days - WARM_UP..])).collect();
    let column = |idx: usize| features.iter().flat_map(|days| days.iter().map(move |day| day.0[idx])).collect();
    let n_features = features[0][0].0.len();
    let label: Vec<f32> = features.iter().flatten().map(|day| day.1).collect();
    Ok(Data { n_days, columns: (0..n_features).map(column).collect(), truth: label.clone(), label })
}

/// Number of days before the first day that has features.
const WARM_UP: usize = 60;

/// Computes features and label of each day after the warm-up.
///
/// The features are returns and deviations over several lengths, the day's range, the position of
/// the close in that range, and the volume relative to its mean.
fn features(bars: &[Vec<f64>]) -> Vec<(Vec<f32>, f32)> {
    let close = |day: usize| bars[day][3];
    let change = |day: usize, n: usize| close(day) / close(day - n) - 1.0;
    let features_and_label = |day: usize| {
        let [_, high, low, last, volume] = bars[day][..] else { return (Vec::new(), f32::NAN) };
        let deviation = |n: usize| ((0..n).map(|k| change(day - k, 1).powi(2)).sum::<f64>() / n as f64).sqrt();
        let mean_volume = (0..20).map(|k| bars[day - k][4]).sum::<f64>() / 20.0;
        let mut features: Vec<f32> = [1, 2, 5, 10, 20, 50].map(|n| change(day, n) as f32).to_vec();
        features.extend([5, 10, 20, 50].map(|n| deviation(n) as f32));
        let position = (last - low) / (high - low).max(1e-9);
        features.extend([(high / low - 1.0) as f32, position as f32, (volume / mean_volume).ln() as f32]);
        let label = bars.get(day + 5).map_or(f32::NAN, |later| f32::from(later[3] / last >= 1.01));
        (features, label)
    };
    (WARM_UP..bars.len()).map(features_and_label).collect()
}
