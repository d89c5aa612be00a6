//! A forge's clock, as its answers tell it.

use chrono::DateTime;
use http::HeaderMap;
use http::header::DATE;

use crate::store::time::Time;

/// When an answer was made, cut to seconds.
pub fn date(headers: &HeaderMap) -> Option<Time> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|at| Time(at.timestamp_millis()))
}

/// How far their clock is ahead of ours, in milliseconds, when an answer that they date so was asked for and came between
/// these two: an answer may take its time, so within them it is not off at all.
pub fn ahead(theirs: Time, sent: Time, received: Time) -> i64 {
    if theirs.0 + 1_000 < sent.0 {
        theirs.0 - sent.0
    } else if theirs > received {
        theirs.0 - received.0
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_takes_its_time_makes_no_clock_wrong() {
        for (theirs, sent, received, expected) in [
            (5_000, 5_000, 5_100, 0),
            (5_000, 5_999, 6_000, 0),
            (5_000, 5_000, 65_000, 0),
            (60_000, 5_000, 65_000, 0),
            (605_000, 5_000, 5_100, 599_900),
            (5_000, 605_000, 605_100, -600_000),
        ] {
            assert_eq!(ahead(Time(theirs), Time(sent), Time(received)), expected, "{theirs} {sent} {received}");
        }
    }
}
