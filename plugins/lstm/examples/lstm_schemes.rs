//! Compares ways of training: test AUC, best epoch and seconds, a line a fit, then the means.
//!
//! `cargo run -p oculus-plugin-lstm --example lstm_schemes -- [--bars DIR] [--seeds N] [SCHEME…]`
//!
//! Planted signals of short and long memory (4 symbols × 2,000 rows × 24 features), or, with `--bars`, the closes of the
//! CSV files of a folder: whether a close is 1 % above, five rows on. Two layers of 128, sequences of 100, one thread.
//! Epochs are chosen by the loss on the rows after the training rows; the test rows come after those.

#[path = "../tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::error::Error;
use std::path::{Path, PathBuf};

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_lstm::Lstm;
use support::{Data, Memory, Size, seconds};

/// Name and parameters of each way; `last` keeps the last weights instead of their running mean.
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
/// For all, unless a scheme says otherwise.
const COMMON: &str = r#""epochs": 20, "patience": 3"#;
/// Where the days for training and for early stopping end, as shares of all days.
const PARTS: [f64; 2] = [0.68, 0.8];

fn main() -> Result<(), Box<dyn Error>> {
    let mut asked: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let place = asked.iter().position(|word| word == name)?;
        (place + 1 < asked.len()).then(|| asked.drain(place..place + 2).nth(1)).flatten()
    };
    let bars = option("--bars").map(PathBuf::from);
    let n_seeds = option("--seeds").map_or(Ok(6), |n| n.parse())?;
    let schemes = SCHEMES.iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|word| word == name));
    let schemes: Vec<_> = schemes.collect();

    let mut results = Vec::new();
    for seed in 1..=n_seeds {
        let data = match &bars {
            Some(folder) => vec![("bars", real(folder)?)],
            None => vec![
                ("short", Data::planted(Memory::Short, Size::new(4, 2000, 24), seed)),
                ("long", Data::planted(Memory::Long, Size::new(4, 2000, 24), 1000 + seed)),
            ],
        };
        for (signal, data) in &data {
            let test_rows = data.days((PARTS[1] * data.n_days as f64) as usize, data.n_days);
            let truth: Vec<f32> = test_rows.iter().map(|&row| data.truth[row as usize]).collect();
            println!("{signal} {seed}: best possible {:.4}", data.auc(&test_rows, &truth));
            for (name, params) in &schemes {
                let (auc, epoch, took) = run(data, params, seed)?;
                println!("{signal} {seed}: {name:16} test {auc:.4}, epoch {epoch:2}, {took:6.1} s");
                results.push((*signal, *name, [auc, f64::from(epoch), took]));
            }
        }
    }
    for signal in ["short", "long", "bars"] {
        for (name, _) in &schemes {
            let own: Vec<_> = results.iter().filter(|(s, n, _)| (s, n) == (&signal, name)).collect();
            let mean = |idx: usize| own.iter().map(|(_, _, values)| values[idx]).sum::<f64>() / own.len() as f64;
            if !own.is_empty() {
                println!("{signal} mean: {name:16} test {:.4}, epoch {:4.1}, {:6.1} s", mean(0), mean(1), mean(2));
            }
        }
    }
    Ok(())
}

/// Test AUC, best epoch and seconds of one fit, those of the epochs waited for in vain included.
fn run(data: &Data, params: &str, seed: u64) -> Result<(f64, u32, f64), Box<dyn Error>> {
    let [tune, test] = PARTS.map(|share| (share * data.n_days as f64) as usize);
    let train_rows = data.days(0, tune);
    let tune_rows = data.days(tune, test);
    let test_rows = data.days(test, data.n_days);
    // The last label of the training rows ends before the first row for early stopping; so at the test.
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
    // Of a name said twice the last counts.
    let params = format!("{{{COMMON}, {params}}}");
    let start = seconds();
    let model = prepared.fit(&task, &params, &Listener::default())?;
    let took = seconds() - start;
    let scores = model.predict(&frame, &test_rows)?;
    Ok((data.auc(&test_rows, &scores), model.summary()?.rounds.unwrap_or_default(), took))
}

/// Closes of the CSV files of a folder: their last common number of rows, simple returns and ranges as features.
fn real(folder: &Path) -> Result<Data, Box<dyn Error>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.path().extension().is_some_and(|ending| ending == "csv"));
    files.sort_by_key(std::fs::DirEntry::path);
    let mut symbols = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file.path())?;
        // date, open, high, low, close, volume
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

/// Days before the first with features.
const WARM_UP: usize = 60;

/// Features and label of each day after the warm-up: returns and deviations over several lengths, the day's range, where
/// the close lies in it, volume against its mean.
fn features(bars: &[Vec<f64>]) -> Vec<(Vec<f32>, f32)> {
    let close = |day: usize| bars[day][3];
    let change = |day: usize, n: usize| close(day) / close(day - n) - 1.0;
    let of_day = |day: usize| {
        let [_, high, low, last, volume] = bars[day][..] else { return (Vec::new(), f32::NAN) };
        let deviation = |n: usize| ((0..n).map(|k| change(day - k, 1).powi(2)).sum::<f64>() / n as f64).sqrt();
        let mean_volume = (0..20).map(|k| bars[day - k][4]).sum::<f64>() / 20.0;
        let mut features: Vec<f32> = [1, 2, 5, 10, 20, 50].map(|n| change(day, n) as f32).to_vec();
        features.extend([5, 10, 20, 50].map(|n| deviation(n) as f32));
        let place = (last - low) / (high - low).max(1e-9);
        features.extend([(high / low - 1.0) as f32, place as f32, (volume / mean_volume).ln() as f32]);
        let label = bars.get(day + 5).map_or(f32::NAN, |later| f32::from(later[3] / last >= 1.01));
        (features, label)
    };
    (WARM_UP..bars.len()).map(of_day).collect()
}
