//! Durations and timestamps, in Go's notation and RFC 3339. There is no clock: a rule cannot ask what time it is.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;

use super::{Declaration, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("duration", &["duration -> duration", "string -> duration"], to_duration),
    global("timestamp", &["timestamp -> timestamp", "string -> timestamp", "int -> timestamp"], to_timestamp),
    method("getFullYear", PART, |_, args| part(args, |time| i64::from(time.year()))),
    method("getMonth", PART, |_, args| part(args, |time| i64::from(time.month0()))),
    method("getDayOfYear", PART, |_, args| part(args, |time| i64::from(time.ordinal0()))),
    method("getDayOfMonth", PART, |_, args| part(args, |time| i64::from(time.day0()))),
    method("getDate", PART, |_, args| part(args, |time| i64::from(time.day()))),
    method("getDayOfWeek", PART, |_, args| part(args, |time| i64::from(time.weekday().num_days_from_sunday()))),
    method("getHours", PART, |_, args| part(args, |time| i64::from(time.hour()))),
    method("getMinutes", PART, |_, args| part(args, |time| i64::from(time.minute()))),
    method("getSeconds", PART, |_, args| part(args, |time| i64::from(time.second()))),
    method("getMilliseconds", PART, |_, args| part(args, |time| i64::from(time.nanosecond() / 1_000_000))),
    method("getHours", SPAN, |_, args| span(args, |span| span.num_hours())),
    method("getMinutes", SPAN, |_, args| span(args, |span| span.num_minutes())),
    method("getSeconds", SPAN, |_, args| span(args, |span| span.num_seconds())),
    method("getMilliseconds", SPAN, |_, args| span(args, |span| span.num_milliseconds())),
];

const PART: &[&str] = &["timestamp -> int", "timestamp, string -> int"];
const SPAN: &[&str] = &["duration -> int"];

fn to_duration<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Duration(value)] => Ok(Val::Duration(*value)),
        [Val::Str(text)] => parse_duration(text.as_str()).map(Val::Duration),
        _ => Err(Fault::overload()),
    }
}

fn to_timestamp<'a>(_: &mut Machine<'a>, args: &[Val<'a>]) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Timestamp(value)] => Ok(Val::Timestamp(*value)),
        [Val::Str(text)] => parse_timestamp(text.as_str()).map(Val::Timestamp),
        [Val::Int(seconds)] => DateTime::from_timestamp(*seconds, 0)
            .map(|time| Val::Timestamp(time.fixed_offset()))
            .ok_or_else(|| Fault::invalid(format!("{seconds} is out of the range of timestamps"))),
        _ => Err(Fault::overload()),
    }
}

/// Reads RFC 3339.
pub fn parse_timestamp(text: &str) -> Result<DateTime<FixedOffset>, Fault> {
    DateTime::parse_from_rfc3339(text).map_err(|_| {
        let shown = Val::text(text).show();
        Fault::invalid(format!("{shown} is not a timestamp; write it as '2026-01-31T09:00:00Z'"))
    })
}

/// Writes RFC 3339, as Go does.
pub fn timestamp_text(time: &DateTime<FixedOffset>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// Seconds with the fewest digits and an `s`, as CEL writes durations.
pub fn duration_text(span: TimeDelta) -> String {
    let nanos = span.num_nanoseconds().map_or_else(|| i128::from(span.num_seconds()) * 1_000_000_000, i128::from);
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.abs() / 1_000_000_000, nanos.abs() % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{rest:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// Reads Go's notation: `1h30m`, `-1.5s`, `100ms`, `0`.
pub fn parse_duration(text: &str) -> Result<TimeDelta, Fault> {
    go_nanoseconds(text).and_then(|nanos| i64::try_from(nanos).ok()).map(TimeDelta::nanoseconds).ok_or_else(|| {
        let shown = Val::text(text).show();
        Fault::invalid(format!("{shown} is not a duration; write it as '1h30m'"))
    })
}

fn go_nanoseconds(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 19 || fraction.len() > 19 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        let power = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        total += whole.checked_mul(scale)? + part.checked_mul(scale)? / power;
        rest = next;
    }
    Some(sign * total)
}

/// Reads an IANA name; empty and `UTC` are UTC.
pub fn parse_zone(name: &str) -> Result<Tz, Fault> {
    if name.is_empty() {
        return Ok(Tz::UTC);
    }
    name.parse().map_err(|_| {
        let shown = Val::text(name).show();
        Fault::invalid(format!("{shown} is not a time zone; write an IANA name such as 'Europe/Berlin'"))
    })
}

fn part<'a>(args: &[Val<'a>], read: fn(&NaiveDateTime) -> i64) -> Result<Val<'a>, Fault> {
    let (time, zone) = match args {
        [Val::Timestamp(time)] => (time, "UTC"),
        [Val::Timestamp(time), zone] => (time, text(zone)?),
        _ => return Err(Fault::overload()),
    };
    let offset = match fixed_offset(zone) {
        Some(offset) => offset,
        None => parse_zone(zone)?.offset_from_utc_datetime(&time.naive_utc()).fix(),
    };
    Ok(Val::Int(read(&time.with_timezone(&offset).naive_local())))
}

/// `+02:00` or `02:00`.
fn fixed_offset(zone: &str) -> Option<FixedOffset> {
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    FixedOffset::east_opt(sign * (hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?))
}

fn span<'a>(args: &[Val<'a>], read: fn(&TimeDelta) -> i64) -> Result<Val<'a>, Fault> {
    match args {
        [Val::Duration(span)] => Ok(Val::Int(read(span))),
        _ => Err(Fault::overload()),
    }
}
