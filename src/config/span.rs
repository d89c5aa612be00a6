//! Lengths of time as operators write them: `90s`, `15m`, `1h`, `3d`.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// The text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no length of time: write a whole number and `ms`, `s`, `m`, `h` or `d`, as in `90s` or `3d`", .0.escape_debug())]
pub struct InvalidSpan(String);

const DAY: u64 = 86_400;

/// Units with their seconds, longest first.
const UNITS: [(&str, u64); 4] = [("d", DAY), ("h", 3600), ("m", 60), ("s", 1)];

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many days.
    pub const fn days(days: u64) -> Self {
        Self::seconds(days * DAY)
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;
    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &text[..text.len() - unit.len()];
        // A hundred years are more than any of our spans, and far from where sums overflow.
        let number = number.parse::<u64>().ok().filter(|_| number.len() <= 10);
        let seconds = |factor| number.map(|number| number.saturating_mul(factor)).filter(|s| *s <= 100 * 366 * DAY);
        let duration = match unit {
            "ms" => number.map(Duration::from_millis),
            unit => UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .and_then(|(_, factor)| seconds(*factor))
                .map(Duration::from_secs),
        };
        duration.map(Self).ok_or_else(|| InvalidSpan(text.chars().take(40).collect()))
    }
}

impl std::str::FromStr for Span {
    type Err = InvalidSpan;
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        Self::try_from(text.to_owned())
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

/// In the longest unit that divides it.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() != 0 {
            return write!(f, "{}ms", self.0.as_millis());
        }
        let seconds = self.0.as_secs();
        let (unit, factor) =
            UNITS.iter().find(|(_, factor)| seconds > 0 && seconds.is_multiple_of(*factor)).unwrap_or(&("s", 1));
        write!(f, "{}{unit}", seconds / factor)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time, as in `90s` or `3d`.",
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_write_as_people_do() {
        for (text, seconds, shown) in [
            ("90s", 90, "90s"),
            ("60s", 60, "1m"),
            ("15m", 900, "15m"),
            ("24h", 86_400, "1d"),
            ("3d", 259_200, "3d"),
            ("0s", 0, "0s"),
        ] {
            let span = Span::try_from(text.to_owned()).unwrap();
            assert_eq!((span, span.to_string().as_str()), (Span::seconds(seconds), shown));
        }
        let short = Span::try_from("250ms".to_owned()).unwrap();
        assert_eq!((short.0, short.to_string().as_str()), (Duration::from_millis(250), "250ms"));
        for bad in ["", "3", "d", "3 d", "-3d", "1.5h", "3w", "3D", "1h30m", "99999999999s", "9999999999d"] {
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
