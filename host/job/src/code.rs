//! The codes of errors and warnings, each with its meaning and remedy.
//!
//! In: nothing. Out: enums of codes, their texts in JSON, and the rows of the generated page
//! `docs/errors.md`. Invariant: every code in a result is a variant of one of these enums. Codes
//! are part of the wire format and never change. Messages can change in any release.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a failed job can succeed when it is pushed again without a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryable {
    /// The job fails again unless the job or the installation is changed.
    No,
    /// The cause is outside the job and may be temporary.
    Yes,
    /// A retry succeeds or fails depending on the cause of the failure. The error's field
    /// `retryable` states whether a retry can succeed.
    Sometimes,
}

impl Retryable {
    /// Returns the text of the column `retryable` in `docs/errors.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Sometimes => "sometimes",
        }
    }
}

/// Defines an enum of codes. Each variant has its text in JSON, its meaning, and its remedy.
macro_rules! codes {
    (
        $(#[$attribute:meta])*
        $name:ident { $($variant:ident = $text:literal: $meaning:literal, $remedy:literal;)+ }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                $variant,
            )+
        }

        impl $name {
            /// All codes, in the order of `docs/errors.md`.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the text of the code in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Returns the meaning of the code, in one or two sentences.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// Returns the remedy, in one or two sentences.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// The code of a failure. A result contains it in the field `error.code`.
    ErrorCode {
        EntryNotJson = "entry_not_json":
            "The queue entry is neither a job id nor a JSON object.",
            "Push the id of a stored job, or the job itself as one JSON object.";
        EntryWithoutId = "entry_without_id":
            "The queue entry is a JSON object without a valid job id.",
            "Add `job_id` or `build_id` to the entry: 1 to 200 printable characters.";
        EntryTooLarge = "entry_too_large":
            "The queue entry is larger than 5,000,000 bytes.",
            "Store the job at its key and push only its id.";
        PayloadMissing = "payload_missing":
            "No payload is stored at the key that belongs to the queued id.",
            "Store the job's JSON at its key before you push its id.";
        PayloadUnreadable = "payload_unreadable":
            "The key that belongs to the queued id does not contain a string.",
            "Store the job's JSON as a Redis string (`SET`).";
        PayloadNotJson = "payload_not_json":
            "The stored payload is not a JSON object in UTF-8.",
            "Store the job as one JSON object.";
        PayloadTooLarge = "payload_too_large":
            "The payload is larger than 5,000,000 bytes.",
            "Send the design only; do not include market data.";
        MalformedJson = "malformed_json":
            "The job is not valid JSON.",
            "Send one JSON object as described in docs/job.md.";
        InvalidJob = "invalid_job":
            "Fields of the job are missing, of the wrong type or out of range. The message names each of them.",
            "Correct the named fields; docs/job.md lists their types and ranges.";
        UnknownModel = "unknown_model":
            "No installed plugin that can run the config search has the name in `config_search_model`.",
            "Correct the name, or install the plugin; `oculus-host plugin list` lists the installed ones.";
        NoFamilies = "no_families":
            "None of the model families that the job requests is installed.",
            "Install their plugins, or request installed families.";
        InvalidParameters = "invalid_parameters":
            "Parameters of a model family are out of range or of the wrong type. The message names each of them.",
            "Correct the named parameters; `oculus-host plugin list -v` lists their ranges.";
        BarsSourceUnavailable = "bars_source_unavailable":
            "The worker has no source of bars, or the folder of bars does not exist.",
            "Set POLYGON_API_KEY, or name an existing folder with --bars DIR or BARS_SOURCE=dir:PATH.";
        NoBars = "no_bars":
            "The source of bars has none of the job's symbols.",
            "Correct the symbols, or add bar files for them.";
        BadBars = "bad_bars":
            "The bars of a symbol cannot be parsed or contradict each other. The message names the first error.",
            "Correct the file; `oculus-host bars check` lists every error.";
        TooFewBars = "too_few_bars":
            "After the warm-up of the features, too few dates can have a label.",
            "Increase `years`, provide a longer history, or use shorter horizons.";
        UnreadableBars = "unreadable_bars":
            "Bars could not be read because the file system or the network failed.",
            "Follow the hint of the error: check permissions, disk space, the rate limit or the network.";
        BarsDenied = "bars_denied":
            "Polygon rejected the API key or the request.",
            "Check POLYGON_API_KEY, POLYGON_BASE_URL and the symbol.";
        HistoryNotInPlan = "history_not_in_plan":
            "The Polygon plan of the API key does not include the history that the job needs.",
            "Request fewer `years` or a longer timeframe, or upgrade the plan.";
        ForeignPage = "foreign_page":
            "Polygon's response refers to another server. The request was not sent there, to protect the API key.",
            "If that server belongs to Polygon, set POLYGON_BASE_URL to its address, or add it to POLYGON_ALIAS_URLS.";
        EndlessPages = "endless_pages":
            "Polygon's result pages refer to each other in a cycle.",
            "Push the job again later; pages that were fetched are cached.";
        ConflictingBars = "conflicting_bars":
            "Polygon returned different bars for the same time.",
            "Push the job again; if it fails again, run `oculus-host bars fetch --refresh` for the symbol.";
        NoRoomForTable = "no_room_for_table":
            "The temporary folder has too little free space for the feature table.",
            "Free space there, or set TMPDIR to a folder on a larger disk.";
        NoLabelLearnable = "no_label_learnable":
            "No label has enough rows of both classes in every fold.",
            "Follow the hint of the error: change thresholds or horizons, or add symbols or years.";
        NoLabelFitted = "no_label_fitted":
            "The family in `config_search_model` could not be fitted on any label.",
            "Read the reasons of the failed trials in the message and change the family's parameters.";
        FamilyRefused = "family_refused":
            "The family in `config_search_model` rejects the job's data or parameters.",
            "Change the job's parameters of this family as the message describes.";
        PluginDied = "plugin_died":
            "The plugin process of the family in `config_search_model` died repeatedly.",
            "Read the plugin's last lines in the worker's log, and update or replace the plugin.";
        JobCrashed = "job_crashed":
            "The job process died MAX_CRASHES times.",
            "Read the worker's log of this job. Signal 9 often means that the machine ran out of memory.";
        WorkerVanished = "worker_vanished":
            "Too many workers stopped renewing their lease on the job. They were killed or lost their connection to Redis.",
            "Read the logs of those workers, then push the job again.";
        Timeout = "timeout":
            "The job ran longer than JOB_TIMEOUT_SECONDS and was killed.",
            "Reduce trials, symbols or years, or increase JOB_TIMEOUT_SECONDS.";
        Cancelled = "cancelled":
            "A user cancelled the job.",
            "Push the job again to run it.";
        Internal = "internal":
            "The worker has a bug or failed unexpectedly.",
            "Report the message, the worker's log and the job to the developers.";
    }
}

codes! {
    /// The code of a warning, a finding that did not stop the job. A result contains it in the
    /// field `warnings[].code`.
    WarningCode {
        SymbolWithoutBars = "symbol_without_bars":
            "The source has no bars of a symbol. The job continues without it.",
            "Correct the symbol, or add its bars.";
        SymbolLeftOut = "symbol_left_out":
            "A symbol is left out, because it does not have labels both before and in the test period.",
            "Provide a longer or more recent history of the symbol.";
        TwoFiles = "two_files":
            "A symbol has a CSV file and a Parquet file. The Parquet file is read.",
            "Remove the file that is not needed.";
        UnsortedRows = "unsorted_rows":
            "Rows were not in order of time. They were sorted.",
            "No action is required. Sort the file to remove the warning.";
        DuplicateRows = "duplicate_rows":
            "Several rows had the same time and values. They were merged.",
            "No action is required. Remove the duplicates to remove the warning.";
        HighLowRounded = "high_low_rounded":
            "The high or low of a bar was wrong by a rounding error. It was corrected.",
            "No action is required. Round all prices in the same way to remove the warning.";
        SuspectedSplit = "suspected_split":
            "Prices jump by the ratio of a stock split.",
            "Provide split-adjusted bars; a model learns an unadjusted split as a crash.";
        ExtremeJump = "extreme_jump":
            "A close is less than half or more than double the previous close.",
            "Check that the bar is correct.";
        OpenSpike = "open_spike":
            "An open is far from the close of its bar and the previous close.",
            "Check that the bar is correct.";
        HighSpike = "high_spike":
            "A high is far above the other prices of its bar and the previous close.",
            "Check that the bar is correct. Stops and fills of the backtest use highs and lows.";
        LowSpike = "low_spike":
            "A low is far below the other prices of its bar and the previous close.",
            "Check that the bar is correct. Stops and fills of the backtest use highs and lows.";
        VolumeSpike = "volume_spike":
            "A volume is more than 100 times the largest volume of the bars around it.",
            "Check that the bar is correct. Features of volume are not informative around it.";
        LongGaps = "long_gaps":
            "There are no bars on three or more weekdays in a row, or in one week for weekly bars. Missing bars are never filled in.",
            "Provide the missing bars.";
        Gaps = "gaps":
            "Bars are missing on dates on which other symbols traded. Missing bars are never filled in.",
            "Provide the missing bars.";
        ShortSessions = "short_sessions":
            "Intraday sessions have less than half of the usual number of bars.",
            "Provide the missing bars.";
        StalePrices = "stale_prices":
            "Five or more consecutive bars have the same prices.",
            "Check that the bars are correct.";
        ZeroVolume = "zero_volume":
            "Bars have a volume of zero.",
            "Check the bars. Features of volume are not informative for bars without volume.";
        ConflictingRows = "conflicting_rows":
            "Rows with the same time have different values.",
            "Correct the file.";
        PriceOutOfRange = "price_out_of_range":
            "A price is not between 1e-9 and 1e12.",
            "Correct the file.";
        VolumeOutOfRange = "volume_out_of_range":
            "A volume is not between 0 and 1e18.",
            "Correct the file. If its volumes are -1 because they are unknown, write 0.";
        InconsistentBar = "inconsistent_bar":
            "The high of a bar is below another price of the bar, or its low is above another price.",
            "Correct the file.";
        WrongSpacing = "wrong_spacing":
            "The spacing of the bars does not match the job's timeframe.",
            "Provide bars of the job's timeframe, or change the timeframe.";
        SplitsUnchecked = "splits_unchecked":
            "Polygon's list of splits is unavailable. Cached bars may not be adjusted for recent splits.",
            "Use a Polygon plan that includes the list of splits, or fetch the bars again with `oculus-host bars fetch --refresh`.";
        HistoryNotInPlan = "history_not_in_plan":
            "The Polygon plan includes less history than the job requests. The job continues with the included part.",
            "Request fewer `years`, or upgrade the plan.";
        WarmUpShortened = "warm_up_shortened":
            "Before the labelled span, there are fewer bars than the features need. The warm-up is therefore shorter.",
            "Provide a longer history.";
        WindowsTooLong = "windows_too_long":
            "If bars were reserved for the windows of a sequence model, too few labelled dates would remain. No bars are therefore reserved.",
            "Provide a longer history, or request shorter windows.";
        BenchmarkLeftOut = "benchmark_left_out":
            "The bars of a benchmark cannot be used. The features that need it are left out.",
            "Provide bars of the benchmark for the same dates.";
        UnitSuspected = "unit_suspected":
            "A value is valid but unusually small, as if it were given in another unit.",
            "Read the unit in docs/job.md, and correct the value if another unit was meant.";
        RuleAlwaysTrue = "rule_always_true":
            "A rule of the job is true on every bar before the test period, so it excludes no bar.",
            "Correct the threshold; the message names the range of the feature.";
        RuleNeverTrue = "rule_never_true":
            "A rule of the job is never true before the test period, or as many rules as the job demands are never true at the same time.",
            "Correct the threshold; the message names the range of the feature. Or demand fewer rules at the same time.";
        UnresolvedFeature = "unresolved_feature":
            "The job names a feature that does not exist.",
            "Use a name listed in docs/features.md.";
        FeatureLeftOut = "feature_left_out":
            "A feature cannot be computed from these bars.",
            "Provide what the message names: a longer history, or bars of the benchmark.";
        FewSeasons = "few_seasons":
            "The job, a rule or the model uses the month, but the labelled dates cover less than three years.",
            "Treat what depends on the month as unproven, or raise `years`.";
        PluginNameTaken = "plugin_name_taken":
            "Two plugins declare the same name or flag. The plugin with the higher version is used.",
            "Remove one of the plugins, or select one by its name in `families`.";
        UnknownParameter = "unknown_parameter":
            "A field has the prefix of a selected family's parameters but is not one of them. It has no effect.",
            "Correct the name; the message suggests the most similar one.";
        FoldsMerged = "folds_merged":
            "There are too few positives or negatives for the requested number of folds. Fewer folds are used.",
            "Request fewer folds, more years, or labels for which both classes are frequent.";
        AucWeak = "auc_weak":
            "Too few rows, episodes or dates for a reliable AUC. The message names what is lacking.",
            "Request more years or symbols, or a label whose classes are both frequent.";
        AucWithinChance = "auc_within_chance":
            "The AUC of the test period is within the range that the same model reaches by chance.",
            "Treat the scores as chance; do not trade on this model.";
        ConstantModel = "constant_model":
            "The model gives every row the same score.",
            "Use other features, labels or parameters; with few rows, request more years or symbols.";
        TestReused = "test_reused":
            "At least ten designs were tested on the same test period. The best of many designs without an edge looks good by chance.",
            "Judge the design on bars after the test period, or on other symbols; `submissions` has the corrected figures.";
        SubmissionsUnknown = "submissions_unknown":
            "The ledger of submissions cannot be read, so the number of designs that were tested on the test period is unknown.",
            "Follow the message: grant the right to the key, or remove the unreadable ledger.";
        NoVolatilityBaseline = "no_volatility_baseline":
            "The baseline of volatility alone could not be computed.",
            "Follow the message, which states the reason.";
        FamilyFailed = "family_failed":
            "A model family could not be fitted. The job continues with the other families.",
            "Follow the message; the worker's log has the plugin's last lines.";
        StoppedAtOnce = "stopped_at_once":
            "Early stopping kept the first epoch of a family, so the family learned next to nothing.",
            "Treat the family's figures as chance; with few rows, request more years or symbols.";
        WinnerFailed = "winner_failed":
            "The final fit of the best family failed. The next best family was used.",
            "Follow the message; the worker's log has the plugin's last lines.";
        NoBetterThanSurrogates = "no_better_than_surrogates":
            "The validation score is not better than the score on surrogate markets, whose moves cannot be forecast.",
            "Treat the scores as chance; do not trade on this model.";
        NoRuleExtractor = "no_rule_extractor":
            "No rule extractor is installed. Only the rules in the job are scored.",
            "Install a plugin with the role `rules`.";
        RulesFailed = "rules_failed":
            "The rule extractor failed. Only the rules in the job are scored.",
            "Follow the message; the worker's log has the plugin's last lines.";
        MinedRulesRefused = "mined_rules_refused":
            "The rule extractor returned invalid rules, which are rejected.",
            "Update the rule extractor.";
        BarsBeginLater = "bars_begin_later":
            "The bars of a symbol begin later than in training.",
            "Provide the earlier bars.";
        BarsEndEarlier = "bars_end_earlier":
            "The bars of a symbol end earlier than in training. The later training bars therefore cannot be compared.",
            "Provide the later bars.";
        BarsChanged = "bars_changed":
            "The bars of a symbol differ from those used in training.",
            "Train again if the change is a split or a correction.";
        BenchmarkBeginsLater = "benchmark_begins_later":
            "A benchmark begins later than the bars of the symbols. Bars before its first bar are not used.",
            "Provide earlier bars of the benchmark.";
    }
}

impl ErrorCode {
    /// Returns whether the job can succeed when it is pushed again without a change.
    pub fn retryable(self) -> Retryable {
        match self {
            Self::BarsSourceUnavailable
            | Self::EndlessPages
            | Self::ConflictingBars
            | Self::NoRoomForTable
            | Self::PluginDied
            | Self::JobCrashed
            | Self::WorkerVanished => Retryable::Yes,
            Self::UnreadableBars => Retryable::Sometimes,
            // A cancelled job is not retryable: a user stopped it on purpose. A job that timed out
            // is not retryable either, because a second attempt takes as long.
            _ => Retryable::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_survive_a_round_trip_through_json() {
        let mut texts: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            let json = serde_json::to_value(code).unwrap();
            assert_eq!(json, code.as_str());
            assert_eq!(serde_json::from_value::<ErrorCode>(json).unwrap(), *code);
        }
        for code in WarningCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
