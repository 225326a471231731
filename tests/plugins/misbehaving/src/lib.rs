//! A family that misbehaves on request, for the tests of plugin isolation.
//!
//! The parameter `act` selects the behaviour of a fit. Without an act, the score is the share of
//! positives plus the weighted value of the first model feature.

use std::hint::black_box;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use oculus_plugin_api::prelude::*;

/// The misbehaving family.
pub struct Misbehaving;

impl Family for Misbehaving {
    type Model = Shifted;

    fn manifest() -> Manifest {
        let acts = [
            "none",
            "panic",
            "abort",
            "segfault",
            "exit",
            "hang",
            "wait_for_cancel",
            "spawn_child",
            "allocate",
            "megabyte",
            "stdout",
        ];
        Manifest::new("misbehaving", "1.0.0")
            .prefixed("misbehaving_")
            .leads_search()
            .param(Param::choice("act", "none", acts).help("behaviour of a fit"))
            .param(Param::float("weight", 1.0).range(0.0, 10.0).search(0.5, 2.0).help("weight of the feature"))
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Shifted> {
        act(params.choice("act")?, ctx);
        ctx.check()?;
        task.needs_both_classes()?;
        let column = table.model_features().first().map(|&idx| table.name(idx).to_owned());
        let column = column.ok_or_else(|| PluginError::data("found no model feature, expected at least one"))?;
        let base_rate = task.n_positives() as f32 / task.train_rows.len() as f32;
        Ok(Shifted { column, base_rate, weight: params.float("weight")? as f32 })
    }
}

/// Performs an act.
fn act(act: &str, ctx: &Ctx<'_, '_>) {
    eprintln!("misbehaving: act={act}");
    match act {
        "panic" => panic!("misbehaving: panic"),
        "abort" => std::process::abort(),
        "segfault" => segfault(),
        "exit" => std::process::exit(0),
        "hang" => hang(),
        "wait_for_cancel" => {
            while ctx.check().is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
            eprintln!("misbehaving: cancelled");
        }
        "spawn_child" => {
            let child = Command::new("sleep").arg("3600").spawn();
            eprintln!("misbehaving: child={}", child.map_or(0, |child| child.id()));
            hang();
        }
        "allocate" => loop {
            // The pages are written, so that the kernel allocates them, and leaked, so that they
            // are never freed.
            black_box(vec![1_u8; 8 << 20].leak());
        },
        "megabyte" => print_a_megabyte(),
        "stdout" => {
            println!("misbehaving: stdout {{\"type\": \"result\"}}");
            print!("misbehaving: no newline");
        }
        _ => {}
    }
}

/// Ignores the host's cancel flag on purpose.
fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Prints a megabyte in short lines to stdout, and a megabyte without a line break to stderr.
fn print_a_megabyte() {
    for line in 0..1 << 14 {
        // Each line has 64 bytes, including the newline.
        println!("{:-<63}", format!("misbehaving: line {line} "));
    }
    let _ = std::io::stderr().write_all(&vec![b'x'; 1 << 20]);
}

fn segfault() {
    let unmapped = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: none. The first page is never mapped, so the process dies of SIGSEGV here, as the act
    // requests.
    unsafe { unmapped.write_volatile(1) };
}

/// The fitted model: the sum of a base rate and a weighted feature.
pub struct Shifted {
    column: String,
    base_rate: f32,
    weight: f32,
}

impl Model for Shifted {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let idx = table.position(&self.column);
        let idx = idx.ok_or_else(|| PluginError::data(format!("the table lacks {}", self.column)))?;
        let column = table.column(idx);
        rows.iter().zip(out).for_each(|(&row, out)| *out = self.base_rate + self.weight * column[row as usize]);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(&self.column, self.base_rate, self.weight))
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        json::load(bytes).map(|(column, base_rate, weight)| Self { column, base_rate, weight })
    }
}

oculus_plugin_api::export_family!(Misbehaving);
