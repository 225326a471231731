//! The codes of failures and warnings: stable words for programs, each with its meaning and remedy.
//!
//! In: nothing. Out: enums, their texts on the wire, and the rows of `docs/errors.md`, which is
//! generated from these tables.
//! Invariant: every code of a result is a variant here. Messages may change in any release; codes
//! may not.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether the same job, pushed again without a change, may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryable {
    /// Pushing the job again changes nothing.
    No,
    /// The cause lies outside the job and may pass.
    Yes,
    /// It depends on the cause: the field `retryable` of the error states it.
    Sometimes,
}

impl Retryable {
    /// Returns the word of `docs/errors.md`.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Sometimes => "sometimes",
        }
    }
}

/// Defines an enum of codes with the text of each on the wire, its meaning and further columns of the table.
macro_rules! codes {
    (
        $(#[$attribute:meta])*
        $name:ident { $($variant:ident = $text:literal: $meaning:literal, $remedy:literal;)+ }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                $variant,
            )+
        }

        impl $name {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the code on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Returns what the code means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// Returns what to do about it, in one sentence.
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
    /// Why a job ended without a model: the field `error.code` of a result.
    ErrorCode {
        EntryNotJson = "entry_not_json":
            "The queue entry is neither a job id nor a JSON object.",
            "Push the id of a stored job, or the job itself as one JSON object.";
        EntryWithoutId = "entry_without_id":
            "The queue entry is a JSON object without a readable job id.",
            "Add `job_id` or `build_id` to the entry.";
        EntryTooLarge = "entry_too_large":
            "The queue entry is longer than the worker reads.",
            "Store the job at its key and push its id.";
        PayloadMissing = "payload_missing":
            "No payload is stored at the key of the queued id.",
            "Store the job's JSON at its key before pushing its id.";
        PayloadUnreadable = "payload_unreadable":
            "The key of the queued id does not hold a string.",
            "Store the job's JSON as a string.";
        PayloadNotJson = "payload_not_json":
            "The stored payload is not a JSON object in UTF-8.",
            "Store the job as one JSON object.";
        PayloadTooLarge = "payload_too_large":
            "The payload is longer than the worker reads.",
            "Send the design only, without data.";
        MalformedJson = "malformed_json":
            "The job is not valid JSON.",
            "Send one JSON object, as docs/job.md shows.";
        InvalidJob = "invalid_job":
            "Fields of the job are missing, of the wrong type or out of range; the message names every one.",
            "Correct the named fields; docs/job.md lists their ranges.";
        UnknownModel = "unknown_model":
            "No installed plugin can lead the config search under the name in `config_search_model`.",
            "Name an installed family, or install its plugin.";
        NoFamilies = "no_families":
            "None of the model families of the job is installed.",
            "Install a plugin.";
        InvalidParameters = "invalid_parameters":
            "Parameters of a model family are out of range or of the wrong type; the message names every one.",
            "Correct the named parameters; `oculus-host plugin list -v` lists their ranges.";
        BarsSourceUnavailable = "bars_source_unavailable":
            "The worker has no source of bars, or its folder does not exist.",
            "Set POLYGON_API_KEY, or name a folder by --bars DIR or BARS_SOURCE=dir:PATH.";
        NoBars = "no_bars":
            "The source has bars of none of the job's symbols.",
            "Correct the symbols, or add their bars.";
        BadBars = "bad_bars":
            "Bars of a symbol cannot be read or are inconsistent; the message names the first place.",
            "Correct the file; `oculus-host bars check` lists every finding.";
        TooFewBars = "too_few_bars":
            "Too few dates can have a label after the warm-up.",
            "Raise `years`, provide a longer history, or use shorter horizons.";
        UnreadableBars = "unreadable_bars":
            "The file system or the network failed while bars were read.",
            "Follow the hint: permissions, disk space, rate limit or network.";
        BarsDenied = "bars_denied":
            "Polygon rejects the key or the request.",
            "Check POLYGON_API_KEY, POLYGON_BASE_URL and the symbol.";
        HistoryNotInPlan = "history_not_in_plan":
            "The Polygon plan does not include the history that the job needs.",
            "Ask for fewer `years` or a longer timeframe, or take a larger plan.";
        ForeignPage = "foreign_page":
            "Polygon refers to another host, which must not receive the key.",
            "Set POLYGON_BASE_URL to the address that serves the pages itself, if you trust it.";
        EndlessPages = "endless_pages":
            "Polygon's pages refer to each other in a circle.",
            "Push the job again later; fetched pages are kept.";
        ConflictingBars = "conflicting_bars":
            "Two pages of Polygon contain different bars for one time.",
            "Push the job again later; fetched pages are kept.";
        NoRoomForTable = "no_room_for_table":
            "The temporary folder cannot hold the feature table.",
            "Free space there, or set TMPDIR to a folder with room.";
        NoLabelLearnable = "no_label_learnable":
            "No label has enough rows of both classes in every fold.",
            "Follow the hint: other thresholds, horizons, more symbols or years.";
        NoLabelFitted = "no_label_fitted":
            "The leading family could not be fitted on any label.",
            "Read the trials' reasons in the message and change the family's parameters.";
        FamilyRefused = "family_refused":
            "The leading family rejects the job's data or parameters.",
            "Change the job's parameters of this family.";
        PluginDied = "plugin_died":
            "The process of the leading family's plugin died more often than it is restarted.",
            "Read the plugin's last lines in the worker's log; update the plugin.";
        JobCrashed = "job_crashed":
            "The job's process died MAX_CRASHES times.",
            "Read the worker's log; signal 9 often means that memory ran out.";
        WorkerVanished = "worker_vanished":
            "The workers that held the job vanished too often without renewing their lease.",
            "Read the logs of those workers, then push the job again.";
        Timeout = "timeout":
            "The job ran longer than JOB_TIMEOUT_SECONDS.",
            "Reduce trials, symbols or years, or raise JOB_TIMEOUT_SECONDS.";
        Cancelled = "cancelled":
            "The job was cancelled on request.",
            "Push the job again to run it.";
        Internal = "internal":
            "A fault of the worker itself.",
            "Report it with the job.";
    }
}

codes! {
    /// A finding that did not stop the job: the field `warnings[].code`.
    WarningCode {
        SymbolWithoutBars = "symbol_without_bars":
            "The source has no bars of a symbol; the job continues without it.",
            "Correct the symbol, or add its bars.";
        SymbolLeftOut = "symbol_left_out":
            "The bars of a symbol do not allow labels both before and in the test period.",
            "Provide a longer or more recent history of the symbol.";
        TwoFiles = "two_files":
            "A symbol has both a CSV and a Parquet file; the Parquet file is used.",
            "Remove the one that is not wanted.";
        UnsortedRows = "unsorted_rows":
            "Rows were out of order and were sorted.",
            "Nothing, or sort the file.";
        DuplicateRows = "duplicate_rows":
            "Equal rows of one time were merged.",
            "Nothing, or remove the duplicates.";
        HighLowRounded = "high_low_rounded":
            "A high or low missed another price of its bar by a rounding and was corrected.",
            "Nothing, or round the prices alike.";
        SuspectedSplit = "suspected_split":
            "Prices jump by the ratio of a split.",
            "Provide split-adjusted bars.";
        ExtremeJump = "extreme_jump":
            "A close is less than half or more than double the one before.",
            "Check the bar.";
        LongGaps = "long_gaps":
            "Bars are missing for more than a week; missing bars are never filled in.",
            "Provide the missing bars.";
        Gaps = "gaps":
            "Bars are missing on dates on which other symbols traded; missing bars are never filled in.",
            "Provide the missing bars.";
        ShortSessions = "short_sessions":
            "Sessions have less than half of the usual bars.",
            "Provide the missing bars.";
        StalePrices = "stale_prices":
            "Five bars or more in a row have the same prices.",
            "Check the bars.";
        ZeroVolume = "zero_volume":
            "Bars have no volume.",
            "Check the bars; volume features carry little information there.";
        ConflictingRows = "conflicting_rows":
            "Rows of one time have different values.",
            "Correct the file.";
        PriceOutOfRange = "price_out_of_range":
            "A price is not positive or is absurdly large.",
            "Correct the file.";
        VolumeOutOfRange = "volume_out_of_range":
            "A volume is negative or absurdly large.",
            "Correct the file.";
        InconsistentBar = "inconsistent_bar":
            "A high is below, or a low is above, another price of its bar.",
            "Correct the file.";
        WrongSpacing = "wrong_spacing":
            "The bars are of another timeframe than the job's.",
            "Provide bars of the job's timeframe, or change the job's timeframe.";
        SplitsUnchecked = "splits_unchecked":
            "Polygon's list of splits could not be read; cached bars may be unadjusted.",
            "Run the job again when Polygon is available.";
        HistoryNotInPlan = "history_not_in_plan":
            "The Polygon plan includes less history than was asked for.",
            "Ask for fewer `years`, or take a larger plan.";
        WarmUpShortened = "warm_up_shortened":
            "There are fewer bars before the labelled span than features need.",
            "Provide a longer history.";
        WindowsTooLong = "windows_too_long":
            "Windows of a sequence model would leave too few dates to label.",
            "Provide a longer history, or ask for shorter windows.";
        BenchmarkLeftOut = "benchmark_left_out":
            "The bars of a benchmark cannot be used; its features are left out.",
            "Provide bars of the benchmark over the same dates.";
        UnresolvedFeature = "unresolved_feature":
            "A feature name of the job is unknown.",
            "Use a name of docs/features.md.";
        FeatureLeftOut = "feature_left_out":
            "A feature cannot be computed from these bars.",
            "Follow the message: a longer history, or bars of its benchmark.";
        PluginNameTaken = "plugin_name_taken":
            "Two plugins claim one name or flag; the higher version is used.",
            "Remove one of them, or name the wanted one in `families`.";
        UnknownParameter = "unknown_parameter":
            "A field begins like a parameter of a chosen family and is not one; it has no effect.",
            "Correct the name; the message names the nearest.";
        LabelsTooRare = "labels_too_rare":
            "Labels were left out because a class is too rare.",
            "Choose thresholds and horizons that both classes reach.";
        NoVolatilityBaseline = "no_volatility_baseline":
            "The baseline of volatility alone could not be computed.",
            "Read the message.";
        FamilyFailed = "family_failed":
            "A model family could not be fitted; the others were.",
            "Read the message; the worker's log has the plugin's last lines.";
        WinnerFailed = "winner_failed":
            "The final fit of the best family failed; the next best was used.",
            "Read the message; the worker's log has the plugin's last lines.";
        NoBetterThanShiftedLabels = "no_better_than_shifted_labels":
            "The validation score is no better than that of labels shifted in time.",
            "Treat the scores as chance.";
        NoRuleExtractor = "no_rule_extractor":
            "No rule extractor is installed; only the job's own rules are scored.",
            "Install a plugin of the role `rules`.";
        RulesFailed = "rules_failed":
            "The rule extractor failed; only the job's own rules are scored.",
            "Read the message; the worker's log has the plugin's last lines.";
        MinedRulesRefused = "mined_rules_refused":
            "The rule extractor returned rules that are not valid.",
            "Update the rule extractor.";
        BarsBeginLater = "bars_begin_later":
            "A symbol's bars begin later than those of the training.",
            "Provide the earlier bars.";
        BarsEndEarlier = "bars_end_earlier":
            "A symbol's bars end earlier than those of the training, so they cannot be compared.",
            "Provide the later bars.";
        BarsChanged = "bars_changed":
            "A symbol's bars differ from those of the training.",
            "Train again if the change is a split or a correction.";
        BenchmarkBeginsLater = "benchmark_begins_later":
            "Bars before the first bar of a benchmark are not used.",
            "Provide earlier bars of the benchmark.";
    }
}

impl ErrorCode {
    /// Returns whether pushing the job again may help.
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
            _ => Retryable::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back_from_the_wire() {
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
