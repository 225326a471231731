//! Scores the rows of a feature table with a saved model: of one family, or of the ensemble.
//!
//! In: a saved artifact and one of its models. Out: one score per row. Invariant: everything that
//! can be missing, files and plugins, is found before the features are computed.

use anyhow::{Context, bail};
use oculus_pipeline::baseline::Volatility;
use oculus_pipeline::features::FeatureTable;
use oculus_pipeline::fitter;
use oculus_pipeline::models::Ensemble;
use oculus_plugin_host::catalog::Catalog;
use oculus_plugin_host::device;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::predictor::Predictor;
use oculus_plugin_host::selection;
use oculus_plugin_host::table::SharedTable;

use crate::artifacts::{SavedArtifact, SavedModel};
use crate::config::Config;
use crate::runner;

/// A saved model that is ready to score tables.
pub(super) struct Scorer<'a> {
    config: &'a Config,
    /// The seed of the job that trained the model.
    seed: u64,
    /// The models of the families: the members of the ensemble in their order, or the model itself.
    families: Vec<FamilyModel<'a>>,
    /// The combination of the families' scores; `None` for the model of one family.
    ensemble: Option<Ensemble>,
}

/// The saved model of one family, with the plugin that loads it.
struct FamilyModel<'a> {
    model: &'a SavedModel,
    bytes: Vec<u8>,
    plugin: InstalledPlugin,
}

impl<'a> Scorer<'a> {
    /// Reads the files of a model and finds its plugins.
    ///
    /// # Errors
    /// Returns an error if a file is missing or has changed, or if a plugin is not installed.
    pub(super) fn open(saved: &'a SavedArtifact, model: &'a SavedModel, config: &'a Config) -> anyhow::Result<Self> {
        let bytes = saved.bytes(model)?;
        let ensemble = match model.members.is_empty() {
            true => None,
            false => Some(Ensemble::from_bytes(&bytes).with_context(|| format!("{} is not valid", model.file))?),
        };
        let files = match &ensemble {
            None => vec![(model, bytes)],
            Some(ensemble) => member_files(saved, ensemble)?,
        };
        let catalog = Catalog::open(&config.jobs.plugins)?;
        catalog.scan_to_end()?;
        let load = |(model, bytes)| Ok(FamilyModel { model, bytes, plugin: find_plugin(model, &catalog, config)? });
        let families = files.into_iter().map(load).collect::<anyhow::Result<_>>()?;
        Ok(Self { config, seed: saved.artifact.trained.seed, families, ensemble })
    }

    /// Returns one score per row of the table; NaN for a row without a score.
    ///
    /// # Errors
    /// Returns an error if the table cannot be written to the temporary folder, or if a plugin
    /// fails.
    pub(super) fn score(self, table: &FeatureTable) -> anyhow::Result<Vec<f32>> {
        let Self { config, seed, families, ensemble } = self;
        let shared = SharedTable::write(table).context("cannot write the features to the temporary folder (TMPDIR)")?;
        let score = |family: FamilyModel<'_>| family.score(table, &shared, seed, config);
        let mut scores = families.into_iter().map(score).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(match ensemble {
            Some(ensemble) => ensemble.scores(&scores),
            None => scores.pop().unwrap_or_default(),
        })
    }
}

/// Returns the models of an ensemble's members with the bytes of their files.
fn member_files<'a>(saved: &'a SavedArtifact, ensemble: &Ensemble) -> anyhow::Result<Vec<(&'a SavedModel, Vec<u8>)>> {
    let files = ensemble.members.iter().map(|member| {
        let model = saved.model(Some(&member.plugin))?;
        if model.sha256 != member.model_sha256 {
            bail!(
                "found the SHA-256 {} of the model `{}`, expected {} as in the ensemble; train again",
                model.sha256,
                member.plugin,
                member.model_sha256
            );
        }
        Ok((model, saved.bytes(model)?))
    });
    files.collect()
}

impl FamilyModel<'_> {
    /// Returns one score per row of the table.
    ///
    /// * `shared`: the table in a file.
    fn score(self, table: &FeatureTable, shared: &SharedTable, seed: u64, config: &Config) -> anyhow::Result<Vec<f32>> {
        let Self { model, bytes, plugin } = self;
        let setting = fitter::setting(device(model, &plugin, config), seed);
        let rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let id = &plugin.manifest.id;
        let base_score = match &model.base_score {
            None => None,
            Some(base) => {
                let volatility = Volatility::from_table(table);
                let volatility =
                    volatility.context("the table lacks the volatility features of the model's base score")?;
                Some(volatility.base_score(base))
            }
        };
        let scores = Predictor::start(&plugin, shared, config.jobs.plugins.limits, runner::plugin_log(id))
            .and_then(|predictor| {
                predictor.load(bytes, &setting).and_then(|()| predictor.predict(&rows, base_score.as_deref()))
            })
            .with_context(|| format!("the plugin `{id}` {} cannot predict with this model", plugin.manifest.version))?;
        if scores.len() != rows.len() {
            bail!("the plugin `{id}` returned {} scores for {} rows; update the plugin", scores.len(), rows.len());
        }
        Ok(scores)
    }
}

/// Returns the plugin that loads a model.
///
/// If the library that trained the model is available, it is returned. Otherwise the highest
/// installed version of the plugin is returned, and a warning is logged.
fn find_plugin(model: &SavedModel, catalog: &Catalog, config: &Config) -> anyhow::Result<InstalledPlugin> {
    let folder = config.jobs.plugins.dir.display();
    let plugins = catalog.current().plugins();
    let refused = catalog.current().refused();
    let SavedModel { plugin: id, version, library_sha256, .. } = model;
    let candidates: Vec<_> = plugins.iter().filter(|plugin| plugin.manifest.id == *id).collect();
    // The same library is preferred, because the scores of another one may differ in their last
    // digits.
    if let Some(same) = candidates.iter().find(|plugin| plugin.sha256 == *library_sha256) {
        return Ok((*same).clone());
    }
    // The store may still contain the library that trained the model, although a newer one has
    // replaced it.
    if let Some(saved) = catalog.find(library_sha256) {
        return Ok(saved);
    }
    let Some(other) = candidates.into_iter().max_by_key(|plugin| selection::version(plugin)) else {
        let installed: Vec<_> = plugins.iter().map(|plugin| plugin.manifest.id.as_str()).collect();
        let installed = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
        let refused =
            refused.iter().map(|library| format!("; {} is not a plugin: {}", library.path.display(), library.reason));
        bail!(
            "the plugin `{id}` {version}, which trained the model, is not installed; plugins in {folder}: {installed}{}; \
             publish it there (`cargo xtask plugins {id}` for a plugin of this project), or select another folder with --plugins",
            refused.collect::<String>()
        );
    };
    tracing::warn!(
        "the model was trained by {id} {version} (SHA-256 {library_sha256}) and is loaded by {id} {} (SHA-256 {}): scores \
         may differ in their last digits",
        other.manifest.version,
        other.sha256
    );
    Ok(other.clone())
}

/// Returns the device that the model was fitted on, or the CPU if that device is unavailable or not
/// allowed.
fn device<'a>(model: &'a SavedModel, plugin: &InstalledPlugin, config: &Config) -> &'a str {
    let fitted_on = model.device.as_deref().unwrap_or(device::CPU);
    if fitted_on == device::CPU
        || config.jobs.gpu_enabled && plugin.manifest.devices.iter().any(|device| device == fitted_on)
    {
        return fitted_on;
    }
    tracing::warn!(
        "the model was fitted on {fitted_on} and predicts on the CPU: scores may differ in their last digits"
    );
    device::CPU
}
