//! A family and an extractor that meet every claim, and variants of them with one flaw each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RResult, RSlice, RStr};
use oculus_plugin_api::prelude::*;
use oculus_plugin_api::{abi, internal};

/// No flaw.
pub(crate) const NONE: u8 = 0;
/// Each call returns a different result.
pub(crate) const RANDOM: u8 = 1;
/// The result depends on the number of threads.
pub(crate) const THREADS: u8 = 2;
/// The result depends on concurrent fits.
pub(crate) const SHARED_STATE: u8 = 3;
/// The fit reads labels of rows outside the training rows.
pub(crate) const LOOKAHEAD: u8 = 4;
/// The fit trains on columns for rules.
pub(crate) const RULE_COLUMNS: u8 = 5;
/// The fit never checks for cancellation.
pub(crate) const UNCANCELLABLE: u8 = 6;
/// The fit returns a result although the job was cancelled.
pub(crate) const IGNORES_CANCEL: u8 = 7;
/// The fit checks for cancellation in the first round only.
pub(crate) const CHECKS_ONCE: u8 = 8;
/// A loaded model lacks a part of the saved model.
pub(crate) const LOSSY_LOAD: u8 = 9;
/// A truncated model is accepted.
pub(crate) const ACCEPTS_TRUNCATED: u8 = 10;
/// Bytes that are not a model are accepted.
pub(crate) const ACCEPTS_ANY_BYTES: u8 = 11;
/// The importances sum to one half.
pub(crate) const HALF_IMPORTANCE: u8 = 12;
/// A score depends on the number of requested rows.
pub(crate) const COUNTS_ROWS: u8 = 13;
/// The model finds columns by position.
pub(crate) const POSITIONAL: u8 = 14;
/// A missing value makes all scores of a call NaN.
pub(crate) const SPREADS_NAN: u8 = 15;
/// The fit trains on missing values, or the extractor names an unknown feature.
pub(crate) const ACCEPTS_NAN: u8 = 16;
/// The fit accepts training rows of one class.
pub(crate) const ACCEPTS_ONE_CLASS: u8 = 17;
/// A prediction of an empty list of rows panics, and so does an extraction without scores.
pub(crate) const PANICS: u8 = 18;
/// Each fit fails.
pub(crate) const FAILS: u8 = 19;
/// The manifest declares a default outside the allowed range.
pub(crate) const BAD_DEFAULT: u8 = 20;
/// The manifest has the role of the other trait.
pub(crate) const WRONG_ROLE: u8 = 21;
/// The fit prints on stdout.
pub(crate) const PRINTS: u8 = 22;
/// The fit prints through the C library, which buffers its stdout if that is a pipe.
pub(crate) const PRINTS_THROUGH_C: u8 = 23;

/// A prediction ignores the base score.
pub(crate) const IGNORES_BASE: u8 = 24;
/// A fit ignores the base score.
pub(crate) const FITS_WITHOUT_BASE: u8 = 25;
/// A fit reads base scores outside the task's rows.
pub(crate) const READS_LATER_BASE: u8 = 26;
/// A prediction returns scores although the job was cancelled.
pub(crate) const PREDICTS_WHEN_CANCELLED: u8 = 27;

/// A fit refuses names that are not plain.
pub(crate) const PLAIN_NAMES: u8 = 28;

static N_CALLS: AtomicU32 = AtomicU32::new(0);
static N_RUNNING: AtomicU32 = AtomicU32::new(0);

/// Returns the number by which a flaw changes a result.
fn flaw_term(flaw: u8, table: &Table<'_>, task: &Task<'_>) -> f64 {
    match flaw {
        RANDOM => f64::from(N_CALLS.fetch_add(1, Ordering::Relaxed)),
        THREADS => task.threads as f64,
        SHARED_STATE => f64::from(runs_concurrently()),
        LOOKAHEAD => task.label.iter().filter(|label| !label.is_nan()).map(|label| f64::from(*label)).sum(),
        RULE_COLUMNS => {
            let for_rules = (0..table.n_features()).filter(|&idx| table.role(idx) == FeatureRole::Rule);
            let values =
                for_rules.flat_map(|idx| task.train_rows.iter().map(move |&row| table.column(idx)[row as usize]));
            values.filter(|value| value.is_finite()).map(f64::from).sum()
        }
        _ => 0.0,
    }
}

/// Returns 1 if another fit runs at the same time, else 0.
fn runs_concurrently() -> u8 {
    N_RUNNING.fetch_add(1, Ordering::SeqCst);
    let start = Instant::now();
    let mut is_concurrent = false;
    while !is_concurrent && start.elapsed() < Duration::from_millis(40) {
        is_concurrent = N_RUNNING.load(Ordering::SeqCst) > 1;
        std::thread::yield_now();
    }
    // The delay allows the other fit to observe this fit before the counter is decreased.
    std::thread::sleep(Duration::from_millis(5));
    N_RUNNING.fetch_sub(1, Ordering::SeqCst);
    u8::from(is_concurrent)
}

/// Checks for cancellation. With the flaw `IGNORES_CANCEL`, the result is ignored.
fn check_cancelled(flaw: u8, round: usize, ctx: &Ctx<'_, '_>) -> Result<()> {
    match flaw {
        UNCANCELLABLE => Ok(()),
        CHECKS_ONCE if round > 0 => Ok(()),
        IGNORES_CANCEL => ctx.check().or(Ok(())),
        _ => ctx.check(),
    }
}

fn needs_both_classes(flaw: u8, task: &Task<'_>) -> Result<()> {
    if flaw == ACCEPTS_ONE_CLASS { Ok(()) } else { task.needs_both_classes() }
}

fn print_through_c() {
    unsafe extern "C" {
        fn puts(text: *const std::ffi::c_char) -> std::ffi::c_int;
    }
    // SAFETY: `puts` is a function of the C library, to which every test binary is linked. It reads
    // the text up to its zero byte.
    unsafe { puts(c"printed by C".as_ptr()) };
}

/// A family with one weight per standardised column: the covariance of the column with the label.
pub(crate) struct Linear<const FLAW: u8>;

/// A flawed family whose prepared table counts its fits. The count changes the model.
pub(crate) struct Tallied;

/// A prepared table and the number of fits on it.
pub(crate) struct TalliedTable<'a> {
    table: Table<'a>,
    n_fits: AtomicU32,
}

impl PreparedFamily for Tallied {
    type Prepared<'a> = TalliedTable<'a>;
    type Model = Weights<NONE>;

    fn manifest() -> Manifest {
        Manifest { base_score: false, ..<Linear<NONE> as Family>::manifest() }
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
        let rounds = Param::int("rounds", i64::from(FLAW != BAD_DEFAULT)).range(1, 100);
        let manifest = Manifest::new("linear", "1.0.0").rounds_param("rounds").concurrent_fits().param(rounds);
        let manifest = manifest.supports_base_score();
        let manifest = manifest.param(Param::float("scale", 1.0).range(0.5, 2.0)).param(Param::flag("even", false));
        let manifest =
            manifest.param(Param::choice("kind", "a", ["a", "b"])).param(Param::ints("sizes", [1], (1, 9), 2));
        manifest.role(if FLAW == WRONG_ROLE { Role::Rules } else { Role::Tabular })
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Weights<FLAW>> {
        <Self as Family>::fit_from(table, task, &vec![0.0; table.n_rows()], params, ctx)
    }

    fn fit_from(
        table: &Table<'_>,
        task: &Task<'_>,
        base_score: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Weights<FLAW>> {
        needs_both_classes(FLAW, task)?;
        match FLAW {
            FAILS => return Err(PluginError::engine("the fit fails")),
            PLAIN_NAMES if (0..table.n_features()).any(|idx| escape_name(table.name(idx)) != table.name(idx)) => {
                return Err(PluginError::data("invalid feature name"));
            }
            PRINTS => println!("fitting"),
            PRINTS_THROUGH_C => print_through_c(),
            _ => {}
        }
        for round in 0..params.count("rounds")? {
            check_cancelled(FLAW, round, ctx)?;
        }
        let inputs = match (Input::standardised(table, task.train_rows), table.model_features().first()) {
            (Err(_), Some(&idx)) if FLAW == ACCEPTS_NAN => {
                vec![Input { name: table.name(idx).to_owned(), mean: f64::NAN, deviation: 1.0 }]
            }
            (inputs, _) => inputs?,
        };
        let n_rows = task.train_rows.len() as f64;
        let weight = |input: &Input| {
            let values = input.values(table, task.train_rows)?;
            let base = |row: u32| if FLAW == FITS_WITHOUT_BASE { 0.0 } else { base_score[row as usize] };
            let residuals = task.train_rows.iter().map(|&row| task.label[row as usize] - sigmoid(base(row)));
            Ok(values.zip(residuals).map(|(value, residual)| value * f64::from(residual)).sum::<f64>() / n_rows)
        };
        let weights = inputs.iter().map(weight).collect::<Result<Vec<_>>>()?;
        let columns = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
        let n_missing = base_score.iter().filter(|score| score.is_nan()).count();
        let bias = flaw_term(FLAW, table, task) + if FLAW == READS_LATER_BASE { n_missing as f64 } else { 0.0 };
        Ok(Weights { bias, inputs: inputs.into_iter().zip(weights).collect(), columns })
    }
}

fn sigmoid(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A fitted model of [`Linear`].
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
        assert!(FLAW != PANICS || !rows.is_empty(), "no rows");
        let mut margins = self.margins(table, rows)?;
        match FLAW {
            COUNTS_ROWS => margins.iter_mut().for_each(|margin| *margin += rows.len() as f64),
            SPREADS_NAN if margins.iter().any(|margin| margin.is_nan()) => margins.fill(f64::NAN),
            _ => {}
        }
        out.iter_mut().zip(margins).for_each(|(out, margin)| *out = margin as f32);
        Ok(())
    }

    fn predict_with(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32], ctx: &Ctx<'_, '_>) -> Result<()> {
        match ctx.check() {
            Err(_) if FLAW == PREDICTS_WHEN_CANCELLED => {}
            checked => checked?,
        }
        self.predict(table, rows, out)
    }

    fn predict_from(
        &self,
        table: &Table<'_>,
        rows: &[u32],
        base_score: &[f32],
        out: &mut [f32],
        ctx: &Ctx<'_, '_>,
    ) -> Result<()> {
        self.predict_with(table, rows, out, ctx)?;
        if FLAW != IGNORES_BASE {
            out.iter_mut().zip(rows).for_each(|(score, &row)| *score += base_score[row as usize]);
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(self.bias, &self.inputs, &self.columns))
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let is_begun = bytes.starts_with(b"[");
        let (bias, mut inputs, columns): (_, Vec<(Input, f64)>, _) = match json::load(bytes) {
            Err(_) if FLAW == ACCEPTS_TRUNCATED && is_begun => Default::default(),
            Err(_) if FLAW == ACCEPTS_ANY_BYTES && !is_begun && !bytes.is_empty() => Default::default(),
            loaded => loaded?,
        };
        if FLAW == LOSSY_LOAD {
            inputs.pop();
        }
        Ok(Self { bias, inputs, columns })
    }

    fn importance(&self) -> Result<Vec<f64>> {
        let total: f64 = self.inputs.iter().map(|(_, weight)| weight.abs()).sum();
        let total = if FLAW == HALF_IMPORTANCE { 2.0 * total } else { total };
        let share = |column: &String| {
            let weight = self.inputs.iter().find(|(input, _)| input.name == *column).map_or(0.0, |(_, weight)| *weight);
            weight.abs() / total
        };
        Ok(self.columns.iter().map(share).collect())
    }
}

/// An extractor that proposes one rule per column for models. Its threshold is the median of the
/// column over the training rows of class 1.
pub(crate) struct Medians<const FLAW: u8>;

impl<const FLAW: u8> Extractor for Medians<FLAW> {
    fn manifest() -> Manifest {
        let role = if FLAW == WRONG_ROLE { Role::Tabular } else { Role::Rules };
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
        if FLAW == FAILS {
            return Err(PluginError::engine("the fit fails"));
        }
        assert!(FLAW != PANICS || scores.iter().any(|score| score.is_finite()), "no scores");
        let rule = |(round, idx): (usize, usize)| {
            check_cancelled(FLAW, round, ctx)?;
            let positives = task.train_rows.iter().filter(|&&row| task.label[row as usize] == 1.0);
            let mut values: Vec<f32> = positives.map(|&row| table.column(idx)[row as usize]).collect();
            values.retain(|value| value.is_finite());
            values.sort_by(f32::total_cmp);
            let median = values.get(values.len() / 2).copied().unwrap_or_default();
            let threshold = f64::from(median) + flaw_term(FLAW, table, task);
            let feature = if FLAW == ACCEPTS_NAN { "NO_SUCH" } else { table.name(idx) }.to_owned();
            let conditions = vec![Condition { feature, operator: Operator::AtLeast, threshold }];
            Ok(MinedRule { conditions, stability: Some(0.5) })
        };
        let rules: Result<Vec<_>> = table.model_features().into_iter().take(9).enumerate().map(rule).collect();
        rules.map(|mut rules| {
            rules.truncate(params.count("most").unwrap_or(1));
            rules
        })
    }
}

/// Returns a module that checks no argument. It ignores the request and always runs the same fit.
pub(crate) fn module_without_checks() -> abi::Module_Ref {
    let sound = internal::family_module::<Linear<NONE>>();
    abi::Module {
        describe: sound.describe(),
        prepare: prepare_anything,
        load: sound.load(),
        extract: sound.extract(),
        extension: sound.extension(),
    }
    .leak_into_prefix()
}

/// A prepared table that ignores every task. The second field is its number of rows.
struct FitsAnything<'a>(abi::PreparedBox<'a>, usize);

extern "C" fn prepare_anything<'a>(
    table: abi::Table<'a>,
    _: RSlice<'_, u32>,
    _: RStr<'_>,
    host: abi::HostRef<'_>,
) -> RResult<abi::PreparedBox<'a>, PluginError> {
    let learn_rows: &[u32] = &[0, 1];
    let sound = internal::family_module::<Linear<NONE>>();
    sound.prepare()(table, RSlice::from_slice(learn_rows), RStr::from_str(""), host).map(|prepared| {
        let fits_anything = FitsAnything(prepared, table.n_rows as usize);
        abi::Prepared_TO::from_value(fits_anything, abi_stable::erased_types::TD_Opaque)
    })
}

impl abi::Prepared for FitsAnything<'_> {
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
