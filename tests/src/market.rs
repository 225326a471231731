//! Synthetic bars as files that the program reads.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use oculus_job::request::Timeframe;
use oculus_market_data::synth::{Kind, Recipe, files, generate};

/// Writes one file `SYMBOL.csv` per symbol, with `n_days` weekdays from 2010-01-04.
pub fn write(folder: &Path, symbols: &[&str], n_days: usize, seed: u64, kind: Kind) {
    for (stream, symbol) in (0..).zip(symbols) {
        let symbol = (*symbol).to_owned();
        let timeframe = Timeframe::Day1;
        let mut file = BufWriter::new(File::create(folder.join(format!("{symbol}.csv"))).unwrap());
        let recipe = Recipe { kind, symbol, stream, seed, timeframe, n_bars: n_days };
        files::csv(&generate(&recipe).bars, timeframe, &mut file).unwrap();
        file.flush().unwrap();
    }
}
