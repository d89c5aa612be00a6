//! Timestamps as go-yaml 3 sees them in a plain scalar; kustomize writes them out again in RFC 3339.

/// The scalar in RFC 3339 when go-yaml takes it for a timestamp: `2026-1-2`, `2026-01-02 03:04:05`,
/// `2026-01-02T03:04:05.6+07:00`.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    let mut rest = text;
    let year = number(&mut rest, 4..=4)?;
    literal(&mut rest, '-')?;
    let month = number(&mut rest, 1..=2)?;
    literal(&mut rest, '-')?;
    let day = number(&mut rest, 1..=2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(separator) = rest.chars().next() else { return Some(format!("{date}T00:00:00Z")) };
    rest = &rest[separator.len_utf8()..];
    let zoned = match separator {
        'T' | 't' => true,
        ' ' => false,
        _ => return None,
    };
    let hour = number(&mut rest, 1..=2).filter(|n| *n < 24)?;
    literal(&mut rest, ':')?;
    let minute = number(&mut rest, 1..=2).filter(|n| *n < 60)?;
    literal(&mut rest, ':')?;
    let second = number(&mut rest, 1..=2).filter(|n| *n < 60)?;
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        fraction = after[..length.min(9)].trim_end_matches('0');
        rest = &after[length..];
    }
    let zone = match (zoned, rest) {
        (true, "Z") | (false, "") => "Z".to_owned(),
        (true, _) => offset(rest)?,
        (false, _) => return None,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{point}{fraction}{zone}"))
}

fn offset(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix(['+', '-'])?;
    let hours = number(&mut rest, 2..=2).filter(|n| *n <= 24)?;
    literal(&mut rest, ':')?;
    let minutes = number(&mut rest, 2..=2).filter(|n| *n < 60)?;
    let zero = hours == 0 && minutes == 0;
    rest.is_empty().then(|| if zero { "Z".to_owned() } else { text.to_owned() })
}

fn number(rest: &mut &str, length: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let found = rest.bytes().take(*length.end()).take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at(found);
    *rest = after;
    length.contains(&found).then(|| digits.parse().ok()).flatten()
}

fn literal(rest: &mut &str, c: char) -> Option<()> {
    *rest = rest.strip_prefix(c)?;
    Some(())
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    // Measured with kustomize 5.7.1.
    #[test]
    fn timestamps_read_as_kustomize_reads_them() {
        for (text, expected) in [
            ("2026-01-01", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01 10:00:00", Some("2026-01-01T10:00:00Z")),
            ("2026-1-1T1:2:3Z", Some("2026-01-01T01:02:03Z")),
            ("2026-01-01T10:00:00.120+02:00", Some("2026-01-01T10:00:00.12+02:00")),
            ("2026-02-30", None),
            ("2001-12-14 21:59:43.10 -5", None),
            ("12:30:45", None),
            ("2026-01-01x", None),
        ] {
            assert_eq!(rfc3339(text).as_deref(), expected, "{text}");
        }
    }
}
