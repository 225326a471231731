//! Parses the texts of a time column.
//!
//! In: a date or time in the notation of ISO 8601 and RFC 9557, such as
//! `2024-01-02T09:30:00-05:00[America/New_York]`. Out: a [`ParsedTime`]. Invariant: an offset and a
//! zone are applied or rejected, never ignored.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::TimeZone;

use super::ParsedTime;

/// Parses a text. A time without an offset and without a zone is in UTC.
///
/// # Errors
/// Returns the expected value, or `None` if the text is neither a date nor a time.
pub(super) fn parse(text: &str) -> Result<ParsedTime, Option<String>> {
    let pieces = Pieces::parse(text).map_err(|_| None)?;
    let unknown_zone = |_| "a zone of the tz database such as [America/New_York]".to_owned();
    let zone = pieces.to_time_zone().map_err(unknown_zone)?;
    let local = match (pieces.time(), &zone) {
        (None, None) => return Ok(ParsedTime::Date(pieces.date())),
        (time, _) => DateTime::from_parts(pieces.date(), time.unwrap_or(Time::midnight())),
    };
    let timestamp = match (pieces.to_numeric_offset(), &zone) {
        (Some(offset), _) => offset.to_timestamp(local),
        (None, Some(zone)) => zone.to_ambiguous_timestamp(local).unambiguous(),
        (None, None) => TimeZone::UTC.to_timestamp(local),
    };
    let with_offset =
        |_| "an offset such as -05:00, because clocks in this zone show the time twice or never".to_owned();
    let timestamp = timestamp.map_err(with_offset)?;
    let zone = zone.map_or_else(|| Ok(stated_zone(&pieces)), |zone| consistent(zone, &pieces, timestamp))?;
    Ok(ParsedTime::Instant(timestamp.as_second(), zone))
}

/// Returns the zone of a text without a named zone: its offset, or UTC.
fn stated_zone(pieces: &Pieces<'_>) -> TimeZone {
    pieces.to_numeric_offset().map_or(TimeZone::UTC, TimeZone::fixed)
}

/// Returns the named zone of a text if its offset is that of the zone. `Z` is consistent with every
/// zone, because it states the point in time and not the offset.
fn consistent(zone: TimeZone, pieces: &Pieces<'_>, timestamp: Timestamp) -> Result<TimeZone, Option<String>> {
    let expected = zone.to_offset(timestamp);
    match pieces.offset() {
        Some(PiecesOffset::Numeric(found)) if found.offset() != expected => {
            Err(Some(format!("the offset {expected} of the zone at that time")))
        }
        _ => Ok(zone),
    }
}

#[cfg(test)]
mod tests {
    use oculus_job::request::Timeframe;

    use crate::time_column::TimeReader;

    fn read(text: &str, timeframe: Timeframe) -> Result<i64, String> {
        TimeReader::new(timeframe).text(text)
    }

    #[test]
    fn every_notation_of_a_point_in_time_is_read_exactly() {
        for text in [
            "2024-01-02T14:30:00Z",
            "2024-01-02 14:30:00",
            "2024-01-02 14:30:00+00:00",
            "2024-01-02T09:30:00-05:00",
            "2024-01-02 09:30:00-0500",
            "2024-01-02T20:00:00+05:30",
            "2024-01-02T09:30:00[America/New_York]",
            "2024-01-02T09:30-05:00[America/New_York]",
            "2024-01-02T14:30:00Z[America/New_York]",
            "1704205800",
            "1704205800000",
        ] {
            assert_eq!(read(text, Timeframe::Minute15), Ok(1_704_205_800), "{text}");
        }
        assert_eq!(read("2024-01-02", Timeframe::Hour1), Ok(1_704_153_600), "midnight in UTC");
        assert_eq!(read("2024-01-02[Asia/Tokyo]", Timeframe::Hour1), Ok(1_704_121_200), "midnight in Tokyo");
    }

    #[test]
    fn a_text_that_contradicts_itself_or_is_ambiguous_is_rejected_by_name() {
        for (text, expected) in [
            ("2024-01-02T09:30:00-04:00[America/New_York]", "the offset -05 of the zone at that time"),
            ("2024-01-02T09:30:00[Europe/Atlantis]", "a zone of the tz database"),
            ("2024-11-03T01:30:00[America/New_York]", "an offset such as -05:00"),
            ("2024-03-10T02:30:00[America/New_York]", "an offset such as -05:00"),
            ("2024-01-02 14:30:00 EST", "a time such as"),
            ("2024-01-02T14:30:00+26:00", "a time such as"),
            ("02/01/2024 14:30", "a time such as"),
            ("1704205800.5", "a time such as"),
            ("", "a time such as"),
        ] {
            let found = read(text, Timeframe::Minute15).unwrap_err();
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    #[test]
    fn a_daily_bar_has_the_date_that_begins_at_its_time_in_the_zone_of_the_exchange() {
        let third_of_january = 1_704_240_000;
        for text in [
            "2024-01-03",
            "20240103",
            "2024-01-03 00:00:00",
            "2024-01-03T00:00:00Z",
            "2024-01-03T05:00:00Z",
            "2024-01-03 00:00:00-05:00",
            "2024-01-03T00:00:00+01:00",
            "2024-01-03T00:00:00+09:00",
            "2024-01-03T00:00:00[Asia/Kolkata]",
            "2024-01-03T01:00:00+01:00",
            "1704240000000",
        ] {
            assert_eq!(read(text, Timeframe::Day1), Ok(third_of_january), "{text}");
        }
    }

    #[test]
    fn a_daily_bar_at_the_midnight_of_an_unnamed_zone_is_rejected() {
        for text in [
            "2024-01-02T23:00:00Z",
            "2024-01-02 23:00:00+00:00",
            "2024-01-02 23:00:00",
            "2024-01-02T15:00:00Z",
            "2024-01-02T16:00:00-05:00",
            // Midnight in UTC, but another date than in the stated zone.
            "2024-01-02T19:00:00-05:00",
            "1704236400",
        ] {
            let found = read(text, Timeframe::Day1).unwrap_err();
            assert!(found.contains("midnight in the exchange's zone"), "{text}: {found}");
        }
    }
}
