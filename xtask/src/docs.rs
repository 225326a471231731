//! Pages that are written by the program itself.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{output, root};
use crate::{cargo, plugins};

/// What stands above the tables of `docs/parameters.md`.
const HEAD: &str = "# Model families and their parameters\n\n<!-- Written by `cargo xtask docs` from the plugins' own \
                    manifests. -->\n\nEach parameter is set in `design.ml_training_config` of a job. One out of its range refuses the job before any bar\n\
                    is fetched, with all the others that are. \"Searched\" is where the config search looks when the family leads it.\n";

/// Writes `docs/parameters.md` from the manifests of this project's plugins.
pub fn write() -> Result<()> {
    plugins::publish(&[])?;
    let host = cargo::built()?.join("oculus-host");
    let mut list = Command::new(host);
    list.args(["plugin", "list", "--markdown", "--plugins"]).arg(root().join("plugins"));
    let families = output(&mut list).context("`oculus-host plugin list --markdown` failed")?;
    let page = root().join("docs/parameters.md");
    fs::write(&page, format!("{HEAD}\n{families}")).with_context(|| format!("cannot write {}", page.display()))?;
    eprintln!("docs: wrote {}", page.display());
    Ok(())
}
