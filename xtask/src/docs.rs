//! Pages that are written by the program itself.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{output, root};
use crate::{cargo, plugins};

/// What stands above the tables of `docs/parameters.md`.
const PARAMETERS: &str = "# Model families and their parameters

<!-- Written by `cargo xtask docs` from the plugins' own manifests. -->

Each parameter is set in `design.ml_training_config` of a job. One out of its range refuses the job before any bar
is fetched, with all the others that are. \"Searched\" is where the config search looks when the family leads it.
";

/// What stands above the tables of `docs/features.md`.
const FEATURES: &str = "# Features

<!-- Written by `cargo xtask docs` from the program's own catalogue. -->

What `priority_features`, `entry_rules` and `exit_rules` of a job may name. `oculus-host features list` says the same.

A name is a stem and its numbers, joined by `_`. n, m, k and j are the numbers in their order; those in brackets may be left
away, and so may all at the end that are as in the column \"without numbers\": `RSI` is `RSI_14`. Whole numbers go up to
2000 bars, those with decimals from 0.01 to 20. Upper and lower case, `-` and spaces do not matter, and `RSI14` is
`RSI_14`. `EMA_8_21` is `EMA_CROSS_8_21`. A name that means nothing here is listed in the result with the nearest one that does.

SYMBOL is a benchmark, upper case, SPY where none is named: `BETA_60` is `BETA_SPY_60`. Its bars are read beside the job's
own; a bar is compared with the benchmark's last close at or before it. Without bars of it, with a week without bars among them, or with bars that begin after
the job's or end more than 7 days before them, its features are left out.

Definitions are TA-Lib 0.8.2's where it has the feature. `x[1]` is x of the bar before, `SMA_n` the mean of the last n
closes or of what stands in parentheses, `EMA_n` the exponential average with factor 2/(n + 1) that is seeded by the mean of
the first n. The warm-up is the number of bars before the first value, of each name of the default set; of a kind that is not in
it, with the numbers of the column \"without numbers\". What is a level, such as a price, serves rules only; models get the form
beside it, which no split and no other price of the share changes. After the warm-up no value is missing: where a
definition divides by nothing, the last column but one says what the value is. A channel narrower than a millionth of the
close counts as one without width.
";

/// Writes the pages that the program knows best.
pub fn write() -> Result<()> {
    plugins::publish(&[])?;
    let host = cargo::built()?.join("oculus-host");
    let mut families = Command::new(&host);
    families.args(["plugin", "list", "--markdown", "--plugins"]).arg(root().join("plugins"));
    page("docs/parameters.md", PARAMETERS, &mut families)?;
    let mut features = Command::new(&host);
    features.args(["features", "list", "--markdown"]);
    page("docs/features.md", FEATURES, &mut features)
}

/// Writes what a command says below a head.
fn page(path: &str, head: &str, list: &mut Command) -> Result<()> {
    let said = output(list).with_context(|| format!("{list:?} failed"))?;
    let path = root().join(path);
    fs::write(&path, format!("{head}\n{said}")).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("docs: wrote {}", path.display());
    Ok(())
}
