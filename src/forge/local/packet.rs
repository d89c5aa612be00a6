//! Git's framing: each line behind its length in four hexadecimal digits, which count themselves.

/// Ends a list of lines.
pub const FLUSH: &[u8] = b"0000";

/// Longest content of one packet in bytes.
pub const MAX_PAYLOAD: usize = 65_516;

/// A framed line. At most [`MAX_PAYLOAD`] bytes.
pub fn packet(payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() <= MAX_PAYLOAD, "Git's longest packet");
    let mut packet = format!("{:04x}", payload.len() + 4).into_bytes();
    packet.extend_from_slice(payload);
    packet
}

/// The bytes are not framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not in Git's framing")]
pub struct Unframed;

/// Lines, and how many bytes they take with the flush packet behind them.
type Lines<'a> = (Vec<&'a [u8]>, usize);

/// The lines up to the first flush packet; none until all of it is there.
pub fn lines(bytes: &[u8]) -> Result<Option<Lines<'_>>, Unframed> {
    let mut lines = Vec::new();
    let mut at = 0;
    loop {
        let Some(digits) = bytes.get(at..at + 4) else { return Ok(None) };
        let digits = std::str::from_utf8(digits).map_err(|_| Unframed)?;
        // `from_str_radix` would take a sign.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Unframed);
        }
        match usize::from_str_radix(digits, 16).map_err(|_| Unframed)? {
            0 => return Ok(Some((lines, at + 4))),
            1..4 => return Err(Unframed),
            length => {
                let Some(line) = bytes.get(at + 4..at + length) else { return Ok(None) };
                lines.push(line);
                at += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_were_framed_and_not_before_the_flush() {
        let mut bytes = [packet(b"one\n"), packet(b""), packet(b"\0\xff"), FLUSH.to_vec()].concat();
        let end = bytes.len();
        bytes.extend_from_slice(b"PACK");
        assert_eq!(lines(&bytes), Ok(Some((vec![&b"one\n"[..], b"", b"\0\xff"], end))));
        for cut in 0..end {
            assert_eq!(lines(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
    }

    #[test]
    fn what_is_not_framed_is_refused_at_once() {
        for bytes in [&b"GET "[..], b"0001", b"0003x", b"+00a", b"00\xff\xff"] {
            assert_eq!(lines(bytes), Err(Unframed), "{bytes:?}");
        }
    }
}
