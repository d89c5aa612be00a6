//! Kubernetes quantities (`500m`, `1Gi`, `1e3`), compared exactly in billionths.

/// Billionths of one: the smallest step a quantity has.
pub(super) type Nano = i128;

const NANO: i128 = 1_000_000_000;

/// Reads a quantity; none when it is none, or larger than any that Kubernetes holds.
pub(super) fn parse(text: &str) -> Option<Nano> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let length = unsigned.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, suffix) = unsigned.split_at(length);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') || whole.len() > 20 {
        return None;
    }
    let (numerator, denominator) = factor(suffix)?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Nine digits are exact for every suffix; what lies below rounds up, as in apimachinery.
    let (kept, below) = fraction.split_at(fraction.len().min(9));
    let part: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let part = part + i128::from(below.bytes().any(|digit| digit != b'0'));
    let whole = ceil(whole.checked_mul(NANO)?.checked_mul(numerator)?, denominator);
    let part = ceil(part.checked_mul(NANO)?.checked_mul(numerator)?, denominator * 10i128.pow(kept.len() as u32));
    let total = whole.checked_add(part)?;
    Some(if negative { -total } else { total })
}

fn ceil(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

/// The suffix as a fraction.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    let decimal = |power: u32| Some((10i128.pow(power), 1));
    let binary = |power: u32| Some((1i128 << power, 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1_000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10i128.pow(u32::try_from(exponent.abs()).ok().filter(|power| *power <= 18)?);
            Some(if exponent < 0 { (1, power) } else { (power, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_by_value() {
        for (a, b) in [
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("0.5", "500m"),
            ("1e3", "1k"),
            ("1.5Gi", "1536Mi"),
            ("-1", "-1000m"),
            ("1E", "1e18"),
            (".5", "0.5"),
            ("1000000n", "1m"),
        ] {
            assert_eq!(parse(a), parse(b), "{a} {b}");
            assert!(parse(a).is_some(), "{a}");
        }
        assert!(parse("1G") < parse("1Gi"));
        assert!(parse("0.1") > parse("99m"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for bad in ["", "Gi", "1 Gi", "1gi", "1.2.3", "1e", "1e99", "--1", "99999999999999999999999999", "ten"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
