//! A family and an extractor that do all they must, and the flaws that they can have, one at a time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RResult, RSlice, RStr};
use oculus_plugin_api::prelude::*;
use oculus_plugin_api::{abi, internal};

pub(crate) const NONE: u8 = 0;
/// Gives another result at each call.
pub(crate) const CHANCE: u8 = 1;
/// Lets the number of threads into the result.
pub(crate) const THREADS: u8 = 2;
/// Notices fits that run beside it.
pub(crate) const SHARED: u8 = 3;
/// Reads labels of rows that it is not to learn from.
pub(crate) const LEAK: u8 = 4;
/// Learns from columns for rules.
pub(crate) const GREEDY: u8 = 5;
/// Never asks whether to end.
pub(crate) const DEAF: u8 = 6;
/// Returns a result although it was cancelled.
pub(crate) const STUBBORN: u8 = 7;
/// Asks once, and then no more.
pub(crate) const HASTY: u8 = 8;
/// Loads less than it saved.
pub(crate) const FORGETFUL: u8 = 9;
/// Loads half a model.
pub(crate) const CREDULOUS: u8 = 10;
/// Loads anything.
pub(crate) const TRUSTING: u8 = 11;
/// Says half of the importance that there is.
pub(crate) const VAIN: u8 = 12;
/// Lets the number of rows into the score.
pub(crate) const SOCIABLE: u8 = 13;
/// Finds columns by position.
pub(crate) const POSITIONAL: u8 = 14;
/// Lets a hole into all scores of a call.
pub(crate) const SPREADING: u8 = 15;
/// Learns from holes; names features that nobody has.
pub(crate) const BLIND: u8 = 16;
/// Learns from one class.
pub(crate) const ONE_SIDED: u8 = 17;
/// Panics where there is little to work with.
pub(crate) const FRAIL: u8 = 18;
/// Never gives a result.
pub(crate) const MUTE: u8 = 19;
/// Declares a default that it does not allow.
pub(crate) const BACKWARDS: u8 = 20;
/// Says the other role.
pub(crate) const MISCAST: u8 = 21;
/// Prints on stdout.
pub(crate) const LOUD: u8 = 22;
/// Prints on C's stdout, which holds back what goes to a pipe.
pub(crate) const MUMBLING: u8 = 23;

static N_CALLS: AtomicU32 = AtomicU32::new(0);
static N_RUNNING: AtomicU32 = AtomicU32::new(0);

/// What a flaw adds to a result.
fn flaw_of_call(flaw: u8, table: &Table<'_>, task: &Task<'_>) -> f64 {
    match flaw {
        CHANCE => f64::from(N_CALLS.fetch_add(1, Ordering::Relaxed)),
        THREADS => task.threads as f64,
        SHARED => f64::from(meets_another()),
        LEAK => task.label.iter().filter(|label| !label.is_nan()).map(|label| f64::from(*label)).sum(),
        GREEDY => {
            let for_rules = (0..table.n_features()).filter(|&idx| table.role(idx) == FeatureRole::Rule);
            let values =
                for_rules.flat_map(|idx| task.train_rows.iter().map(move |&row| table.column(idx)[row as usize]));
            values.filter(|value| value.is_finite()).map(f64::from).sum()
        }
        _ => 0.0,
    }
}

/// Whether another fit runs within a moment.
fn meets_another() -> u8 {
    N_RUNNING.fetch_add(1, Ordering::SeqCst);
    let start = Instant::now();
    let mut meets = false;
    while !meets && start.elapsed() < Duration::from_millis(40) {
        meets = N_RUNNING.load(Ordering::SeqCst) > 1;
        std::thread::yield_now();
    }
    // Long enough for the other to see this one.
    std::thread::sleep(Duration::from_millis(5));
    N_RUNNING.fetch_sub(1, Ordering::SeqCst);
    u8::from(meets)
}

/// Asks whether to end; `STUBBORN` asks, and goes on all the same.
fn ask(flaw: u8, round: usize, ctx: &Ctx<'_, '_>) -> Result<()> {
    match flaw {
        DEAF => Ok(()),
        HASTY if round > 0 => Ok(()),
        STUBBORN => ctx.check().or(Ok(())),
        _ => ctx.check(),
    }
}

fn needs_both_classes(flaw: u8, task: &Task<'_>) -> Result<()> {
    if flaw == ONE_SIDED { Ok(()) } else { task.needs_both_classes() }
}

fn mumble() {
    unsafe extern "C" {
        fn puts(text: *const std::ffi::c_char) -> std::ffi::c_int;
    }
    // SAFETY: `puts` is of the C library that every program here is linked with, and reads a text up to its zero byte.
    unsafe { puts(c"mumbling".as_ptr()) };
}

/// Weights of standardised columns: how far the classes lie apart in each.
pub(crate) struct Linear<const FLAW: u8>;

/// A family whose prepared form counts its fits, and lets the count into the model.
pub(crate) struct Tallied;

/// A table, and the number of fits on it.
pub(crate) struct TalliedTable<'a> {
    table: Table<'a>,
    n_fits: AtomicU32,
}

impl PreparedFamily for Tallied {
    type Prepared<'a> = TalliedTable<'a>;
    type Model = Weights<NONE>;

    fn manifest() -> Manifest {
        <Linear<NONE> as Family>::manifest()
    }

    fn prepare<'a>(table: Table<'a>, _: &[u32], _: &Setting, _: &Ctx<'_, '_>) -> Result<TalliedTable<'a>> {
        Ok(TalliedTable { table, n_fits: AtomicU32::new(0) })
    }

    fn fit(prepared: &TalliedTable<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Weights<NONE>> {
        let model = <Linear<NONE> as Family>::fit(&prepared.table, task, params, ctx)?;
        let n_fits = prepared.n_fits.fetch_add(1, Ordering::Relaxed);
        Ok(Weights { bias: model.bias + f64::from(n_fits), ..model })
    }
}

impl<const FLAW: u8> Family for Linear<FLAW> {
    type Model = Weights<FLAW>;

    fn manifest() -> Manifest {
        let rounds = Param::int("rounds", i64::from(FLAW != BACKWARDS)).range(1, 100);
        let manifest = Manifest::new("linear", "1.0.0").rounds_param("rounds").concurrent_fits().param(rounds);
        let manifest = manifest.param(Param::float("scale", 1.0).range(0.5, 2.0)).param(Param::flag("even", false));
        let manifest =
            manifest.param(Param::choice("kind", "a", ["a", "b"])).param(Param::ints("sizes", [1], (1, 9), 2));
        manifest.role(if FLAW == MISCAST { Role::Rules } else { Role::Tabular })
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Weights<FLAW>> {
        needs_both_classes(FLAW, task)?;
        match FLAW {
            MUTE => return Err(PluginError::engine("mute")),
            LOUD => println!("fitting"),
            MUMBLING => mumble(),
            _ => {}
        }
        for round in 0..params.count("rounds")? {
            ask(FLAW, round, ctx)?;
        }
        let inputs = match (Input::standardised(table, task.train_rows), table.model_features().first()) {
            (Err(_), Some(&idx)) if FLAW == BLIND => {
                vec![Input { name: table.name(idx).to_owned(), mean: f64::NAN, deviation: 1.0 }]
            }
            (inputs, _) => inputs?,
        };
        let n_rows = task.train_rows.len() as f64;
        let weight = |input: &Input| {
            let values = input.values(table, task.train_rows)?;
            Ok(values.zip(task.train_labels()).map(|(value, label)| value * f64::from(label - 0.5)).sum::<f64>()
                / n_rows)
        };
        let weights = inputs.iter().map(weight).collect::<Result<Vec<_>>>()?;
        let columns = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        let bias = flaw_of_call(FLAW, table, task);
        Ok(Weights { bias, inputs: inputs.into_iter().zip(weights).collect(), columns })
    }
}

pub(crate) struct Weights<const FLAW: u8> {
    bias: f64,
    inputs: Vec<(Input, f64)>,
    columns: Vec<String>,
}

impl<const FLAW: u8> Weights<FLAW> {
    fn margins(&self, table: &Table<'_>, rows: &[u32]) -> Result<Vec<f64>> {
        let mut margins = vec![self.bias; rows.len()];
        for (idx, (input, weight)) in self.inputs.iter().enumerate() {
            let mut input = input.clone();
            if FLAW == POSITIONAL {
                if table.n_features() <= idx + 1 {
                    return Err(PluginError::data("too few columns"));
                }
                input.name = table.name(idx + 1).to_owned();
            }
            margins.iter_mut().zip(input.values(table, rows)?).for_each(|(margin, value)| *margin += weight * value);
        }
        Ok(margins)
    }
}

impl<const FLAW: u8> Model for Weights<FLAW> {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        assert!(FLAW != FRAIL || !rows.is_empty(), "frail");
        let mut margins = self.margins(table, rows)?;
        match FLAW {
            SOCIABLE => margins.iter_mut().for_each(|margin| *margin += rows.len() as f64),
            SPREADING if margins.iter().any(|margin| margin.is_nan()) => margins.fill(f64::NAN),
            _ => {}
        }
        out.iter_mut().zip(margins).for_each(|(out, margin)| *out = margin as f32);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(self.bias, &self.inputs, &self.columns))
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let is_begun = bytes.starts_with(b"[");
        let (bias, mut inputs, columns): (_, Vec<(Input, f64)>, _) = match json::load(bytes) {
            Err(_) if FLAW == CREDULOUS && is_begun => Default::default(),
            Err(_) if FLAW == TRUSTING && !is_begun && !bytes.is_empty() => Default::default(),
            loaded => loaded?,
        };
        if FLAW == FORGETFUL {
            inputs.pop();
        }
        Ok(Self { bias, inputs, columns })
    }

    fn importance(&self) -> Result<Vec<f64>> {
        let total: f64 = self.inputs.iter().map(|(_, weight)| weight.abs()).sum();
        let total = if FLAW == VAIN { 2.0 * total } else { total };
        let share = |column: &String| {
            let weight = self.inputs.iter().find(|(input, _)| input.name == *column).map_or(0.0, |(_, weight)| *weight);
            weight.abs() / total
        };
        Ok(self.columns.iter().map(share).collect())
    }
}

/// Conditions at the medians of the columns for models, over the training rows of class 1.
pub(crate) struct Medians<const FLAW: u8>;

impl<const FLAW: u8> Extractor for Medians<FLAW> {
    fn manifest() -> Manifest {
        let role = if FLAW == MISCAST { Role::Tabular } else { Role::Rules };
        Manifest::new("medians", "1.0.0").role(role).param(Param::int("most", 3).range(1, 9))
    }

    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        scores: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>> {
        needs_both_classes(FLAW, task)?;
        if FLAW == MUTE {
            return Err(PluginError::engine("mute"));
        }
        assert!(FLAW != FRAIL || scores.iter().any(|score| score.is_finite()), "frail");
        let of_model = |features: Vec<usize>| features.into_iter().take(9);
        let rule = |(round, idx): (usize, usize)| {
            ask(FLAW, round, ctx)?;
            let positives = task.train_rows.iter().filter(|&&row| task.label[row as usize] == 1.0);
            let mut values: Vec<f32> = positives.map(|&row| table.column(idx)[row as usize]).collect();
            values.retain(|value| value.is_finite());
            values.sort_by(f32::total_cmp);
            let median = values.get(values.len() / 2).copied().unwrap_or_default();
            let threshold = f64::from(median) + flaw_of_call(FLAW, table, task);
            let feature = if FLAW == BLIND { "NO_SUCH" } else { table.name(idx) }.to_owned();
            let conditions = vec![Condition { feature, operator: Operator::AtLeast, threshold }];
            Ok(MinedRule { conditions, stability: Some(0.5) })
        };
        let rules: Result<Vec<_>> = of_model(table.model_features()).enumerate().map(rule).collect();
        rules.map(|mut rules| {
            rules.truncate(params.count("most").unwrap_or(1));
            rules
        })
    }
}

/// A module of a maker who checks nothing: whatever is asked for, it fits the same.
pub(crate) fn yes_man() -> abi::Module_Ref {
    let sound = internal::family_module::<Linear<NONE>>();
    abi::Module {
        describe: sound.describe(),
        prepare: say_yes,
        load: sound.load(),
        extract: sound.extract(),
        extension: sound.extension(),
    }
    .leak_into_prefix()
}

struct SaysYes<'a>(abi::PreparedBox<'a>, usize);

extern "C" fn say_yes<'a>(
    table: abi::Table<'a>,
    _: RSlice<'_, u32>,
    _: RStr<'_>,
    host: abi::HostRef<'_>,
) -> RResult<abi::PreparedBox<'a>, PluginError> {
    let learn_rows: &[u32] = &[0, 1];
    let sound = internal::family_module::<Linear<NONE>>();
    sound.prepare()(table, RSlice::from_slice(learn_rows), RStr::from_str(""), host).map(|prepared| {
        let says_yes = SaysYes(prepared, table.n_rows as usize);
        abi::Prepared_TO::from_value(says_yes, abi_stable::erased_types::TD_Opaque)
    })
}

impl abi::Prepared for SaysYes<'_> {
    fn fit(&self, task: abi::Task<'_>, _: RStr<'_>, host: abi::HostRef<'_>) -> RResult<abi::ModelBox, PluginError> {
        let label: Vec<f32> = (0..self.1).map(|row| f32::from(row % 2 == 0)).collect();
        let train_rows: &[u32] = &[0, 1];
        let always = abi::Task {
            label: RSlice::from_slice(&label),
            train_rows: RSlice::from_slice(train_rows),
            tune_rows: RSlice::EMPTY,
            device: RStr::from_str("cpu"),
            ..task
        };
        self.0.fit(always, RStr::from_str("{}"), host)
    }
}
