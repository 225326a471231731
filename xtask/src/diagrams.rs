//! Draws the diagrams in `docs/diagrams` from their source text.
//!
//! In: `NAME.dot`, a graph in Graphviz' language. Out: `NAME.svg`, drawn by Graphviz' `dot`.
//! Invariant: a drawing ends with its source text as a comment. So a test can detect an outdated
//! drawing without drawing it again. This matters because versions of Graphviz place the same parts
//! differently.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{output, root};

/// Draws every diagram whose text has changed.
pub(crate) fn draw() -> Result<()> {
    let folder = root().join("docs/diagrams");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "dot") {
            draw_one(&path)?;
        }
    }
    Ok(())
}

fn draw_one(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if text.contains("--") {
        bail!("{} contains \"--\", which cannot be part of the drawing's comment", path.display());
    }
    let comment = format!("<!--\n{text}-->\n");
    let drawing_path = path.with_extension("svg");
    if fs::read_to_string(&drawing_path).is_ok_and(|drawing| drawing.ends_with(&comment)) {
        return Ok(());
    }
    setup::ensure_graphviz()?;
    let mut dot = Command::new("dot");
    dot.arg("-Tsvg").arg(path);
    let drawing = output(&mut dot).with_context(|| format!("{dot:?} failed; run it to see why"))?;
    fs::write(&drawing_path, drawing + &comment).with_context(|| format!("cannot write {}", drawing_path.display()))?;
    eprintln!("docs: drew {}", drawing_path.display());
    Ok(())
}
