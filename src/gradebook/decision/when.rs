//! Times and spans as instructors write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::time::Time;

/// A point in time: a date (the end of that day, UTC) or a date, a time of day and a zone. Written as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub Time);

/// How a time is to be written.
pub const MOMENT: &str =
    "a date as in 2026-12-01 (the end of that day, UTC), or a time with its zone as in 2026-12-01T08:00Z";

/// The text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a time: write {MOMENT}", .0.escape_debug())]
pub struct InvalidMoment(String);

impl FromStr for Moment {
    type Err = InvalidMoment;
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let whole = match text.split_once(['T', 't', ' ']) {
            None => format!("{text}T23:59:59Z"),
            // RFC 3339 wants seconds; people do not.
            Some((date, time)) => match time.find(['Z', 'z', '+', '-']) {
                Some(5) => format!("{date}T{}:00{}", &time[..5], &time[5..]),
                _ => format!("{date}T{time}"),
            },
        };
        let parsed = chrono::DateTime::parse_from_rfc3339(&whole).map_err(|_| InvalidMoment(text.to_owned()))?;
        Ok(Self(Time(parsed.timestamp_millis())))
    }
}

impl TryFrom<String> for Moment {
    type Error = InvalidMoment;
    fn try_from(text: String) -> Result<Self, InvalidMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        // To the millisecond where there are any: of two decisions, or a decision and a verdict, within a second it matters
        // which one came first.
        match moment.0.0.rem_euclid(1000) {
            0 => moment.0.rfc3339(),
            millis => moment.0.rfc3339().replace('Z', &format!(".{millis:03}Z")),
        }
    }
}

/// To the minute, for people.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_the_minute())
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let description = format!("A time: {MOMENT}.");
        schemars::json_schema!({ "type": "string", "description": description, "pattern": r"^\d{4}-\d\d-\d\d([Tt ].+)?$" })
    }
}

/// A length of time in whole minutes, as in `3d`, `12h` or `1w2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

/// How a span is to be written.
pub const SPAN: &str = "a length of time as in 3d, 12h or 1w2d";

/// Units and what each has of minutes.
const UNITS: [(char, u64); 4] = [('w', 7 * 24 * 60), ('d', 24 * 60), ('h', 60), ('m', 1)];

/// Longest span: a year.
const MAX_MINUTES: u64 = 366 * 24 * 60;

/// The text is not a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a length of time: write {SPAN}, at most a year", .0.escape_debug())]
pub struct InvalidSpan(String);

impl FromStr for Span {
    type Err = InvalidSpan;
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        minutes(text)
            .filter(|minutes| (1..=MAX_MINUTES).contains(minutes))
            .map(|minutes| Self(Duration::from_secs(60 * minutes)))
            .ok_or_else(|| InvalidSpan(text.to_owned()))
    }
}

fn minutes(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let unit = rest[end..].chars().next()?;
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*size)?)?;
        rest = &rest[end + 1..];
    }
    Some(total)
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs() / 60;
        // Weeks are for writing only: `10d` is what people count.
        for (unit, size) in &UNITS[1..] {
            if rest >= *size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let description = format!("A length of time: {SPAN}.");
        schemars::json_schema!({ "type": "string", "description": description, "pattern": r"^(\d+[wdhm])+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_has_a_zone() {
        for (text, shown) in [
            ("2026-12-01", "2026-12-01T23:59:59Z"),
            ("2026-12-01T08:00Z", "2026-12-01T08:00:00Z"),
            ("2026-12-01T08:00:30Z", "2026-12-01T08:00:30Z"),
            ("2026-12-01 08:00+01:00", "2026-12-01T07:00:00Z"),
            ("2026-12-01T08:00:00.5-02:00", "2026-12-01T10:00:00.500Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            let moment = text.parse::<Moment>().unwrap();
            assert_eq!(String::from(moment), shown, "{text}");
            assert_eq!(shown.parse(), Ok(moment));
        }
        for text in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-12-01T08:00",
            "2026-12-01T",
            "2026-12-01T8:00Z",
            "01.12.2026",
            "é",
            "2026-12-01Té:00Z",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_reads_back_as_it_is_shown() {
        for (text, shown) in [("3d", "3d"), ("36h", "1d12h"), ("1w", "7d"), ("90m", "1h30m"), ("1w2d3h4m", "9d3h4m")] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.to_string(), shown);
            assert_eq!(shown.parse(), Ok(span));
        }
        for text in ["", "3", "d", "0d", "3x", "-3d", "3 d", "1000d", "99999999999999999999d", "é", "3é"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
