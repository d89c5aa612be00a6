//! Cron schedules of five fields as `robfig/cron` reads them (the library of Argo CD and of CronJobs), and the question
//! whether a window that such a schedule opened is still open.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::Val;

/// Longest window: beyond a year the answer would hardly be meant.
const LONGEST_DAYS: i64 = 366;

/// A parsed schedule: one bit per allowed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: Field,
    months: u64,
    weekdays: Field,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// Written `*` or `?`: then the other day field alone decides.
    star: bool,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads five fields: minute, hour, day of month, month, day of week.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = |why: String| Fault::invalid(format!("{} is not a cron schedule: {why}", Val::text(text).show()));
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(invalid(format!("it has {} fields instead of 5", fields.len())));
        };
        let read = |text, low, high, names| field(text, low, high, names).map_err(invalid);
        Ok(Self {
            minutes: read(minutes, 0, 59, &[])?.bits,
            hours: read(hours, 0, 23, &[])?.bits,
            days: read(days, 1, 31, &[])?,
            months: read(months, 1, 12, MONTHS)?.bits,
            weekdays: read(weekdays, 0, 6, WEEKDAYS)?,
        })
    }

    fn on(&self, date: NaiveDate) -> bool {
        let day = has(self.days.bits, date.day());
        let weekday = has(self.weekdays.bits, date.weekday().num_days_from_sunday());
        let either = if self.days.star || self.weekdays.star { day && weekday } else { day || weekday };
        has(self.months, date.month()) && either
    }

    /// Whether some scheduled start `s` satisfies `s ≤ time < s + duration`. `charge` is told the steps.
    pub fn is_open(
        &self,
        duration: TimeDelta,
        zone: Tz,
        time: DateTime<FixedOffset>,
        mut charge: impl FnMut(u64) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        if duration <= TimeDelta::zero() {
            return Ok(false);
        }
        if duration > TimeDelta::days(LONGEST_DAYS) {
            return Err(Fault::invalid(format!("the window is longer than {LONGEST_DAYS} days")));
        }
        let time = time.with_timezone(&Utc);
        let out_of_range = || Fault::invalid("time out of range");
        let earliest = time.checked_sub_signed(duration).ok_or_else(out_of_range)?;
        // A day more on both sides: local dates differ from those in UTC.
        let mut date = time.date_naive().succ_opt().ok_or_else(out_of_range)?;
        let first = earliest.date_naive().pred_opt().ok_or_else(out_of_range)?;
        while date >= first {
            charge(1)?;
            if self.on(date) {
                for start in self.starts_on(date, zone) {
                    charge(1)?;
                    if start <= time && time.signed_duration_since(start) < duration {
                        return Ok(true);
                    }
                }
            }
            date = date.pred_opt().ok_or_else(out_of_range)?;
        }
        Ok(false)
    }

    /// The starts of one local date. Those that a change to summer time skips do not happen; those that a change back
    /// repeats happen twice.
    fn starts_on(&self, date: NaiveDate, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> + use<'_> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        let times = hours
            .flat_map(|hour| (0..60).filter(|minute| has(self.minutes, *minute)).map(move |minute| (hour, minute)));
        times.flat_map(move |(hour, minute)| {
            let local = NaiveTime::from_hms_opt(hour, minute, 0).map(|at| zone.from_local_datetime(&date.and_time(at)));
            let (one, other) = match local {
                Some(chrono::LocalResult::Single(at)) => (Some(at), None),
                Some(chrono::LocalResult::Ambiguous(early, late)) => (Some(early), Some(late)),
                Some(chrono::LocalResult::None) | None => (None, None),
            };
            debug_assert!(one.as_ref().is_none_or(|at| at.second() == 0));
            [one, other].into_iter().flatten().map(|at| at.with_timezone(&Utc))
        })
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits.checked_shr(value).is_some_and(|bits| bits & 1 == 1)
}

fn field(text: &str, low: u32, high: u32, names: &[&str]) -> Result<Field, String> {
    let mut bits = 0_u64;
    let mut star = false;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step: u32 = step.parse().map_err(|_| format!("the step `{step}` is not a number"))?;
                (range, Some(step))
            }
            None => (part, None),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*" | "?", _) => {
                star |= step.is_none_or(|step| step == 1);
                (low, high)
            }
            (_, Some((first, last))) => (value(first, low, names)?, value(last, low, names)?),
            // `5/15` runs to the end.
            (single, None) => {
                let first = value(single, low, names)?;
                (first, if step.is_some() { high } else { first })
            }
        };
        if first < low || last > high {
            return Err(format!("`{part}` is outside {low}-{high}"));
        }
        if first > last {
            return Err(format!("the range `{range}` goes downwards"));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(format!("the step of `{part}` is zero"));
        }
        for value in (first..=last).step_by(step as usize) {
            bits |= 1 << value;
        }
    }
    Ok(Field { bits, star })
}

fn value(text: &str, low: u32, names: &[&str]) -> Result<u32, String> {
    if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(low + index as u32);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("`{text}` is not a value of this field"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::cel::functions::time::{parse_duration, parse_timestamp, parse_zone};

    fn open(schedule: &str, duration: &str, zone: &str, time: &str) -> bool {
        Schedule::parse(schedule)
            .unwrap()
            .is_open(
                parse_duration(duration).unwrap(),
                parse_zone(zone).unwrap(),
                parse_timestamp(time).unwrap(),
                |_| Ok(()),
            )
            .unwrap()
    }

    #[test]
    fn a_window_is_open_from_its_start_until_just_before_its_end() {
        let friday = |time: &str| open("0 16 * * 5", "64h", "UTC", time);
        assert!(!friday("2026-01-30T15:59:59Z"));
        assert!(friday("2026-01-30T16:00:00Z"));
        assert!(friday("2026-02-02T07:59:59Z"));
        assert!(!friday("2026-02-02T08:00:00Z"));
    }

    #[test]
    fn fields_read_as_robfig_cron_reads_them() {
        let at = |schedule: &str, time: &str| open(schedule, "1m", "UTC", time);
        assert!(at("*/15 9-17 * jan-MAR mon-fri", "2026-01-30T09:45:30Z"));
        assert!(!at("*/15 9-17 * jan-MAR mon-fri", "2026-01-31T09:45:00Z"));
        assert!(at("5/20 * * * ?", "2026-01-30T09:45:00Z"));
        // Both day fields restricted: either is enough. `*/2` restricts.
        assert!(at("0 0 13 * 5", "2026-01-30T00:00:00Z"));
        assert!(at("0 0 13 * 5", "2026-01-13T00:00:00Z"));
        assert!(!at("0 0 13 * *", "2026-01-30T00:00:00Z"));
        assert!(at("0 0 */2 * 5", "2026-01-30T00:00:00Z"));
        for bad in ["", "* * * *", "60 * * * *", "* * * * 7", "a * * * *", "*/0 * * * *", "5-1 * * * *", "* * * foo *"]
        {
            assert!(Schedule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schedule_follows_the_clock_of_its_zone() {
        // 22:00 in Berlin is 21:00 UTC in winter and 20:00 UTC in summer.
        assert!(open("0 22 * * *", "1h", "Europe/Berlin", "2026-01-15T21:30:00Z"));
        assert!(!open("0 22 * * *", "1h", "Europe/Berlin", "2026-07-15T21:30:00Z"));
        assert!(open("0 22 * * *", "1h", "Europe/Berlin", "2026-07-15T22:30:00+02:00"));
        // 02:30 does not happen on 29 March 2026 in Berlin.
        assert!(!open("30 2 29 3 *", "24h", "Europe/Berlin", "2026-03-29T12:00:00Z"));
        // It happens twice on 25 October.
        assert!(open("30 2 25 10 *", "10m", "Europe/Berlin", "2026-10-25T00:35:00Z"));
        assert!(open("30 2 25 10 *", "10m", "Europe/Berlin", "2026-10-25T01:35:00Z"));
    }
}
