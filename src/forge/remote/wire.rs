//! Git's wire protocol version 2, as much of it as a fetch by commit needs. Pure: requests as bytes, answers from bytes.
//!
//! A request is a list of packets, each behind its length in four hexadecimal digits; `0000` ends a request, `0001` stands
//! between its capabilities and its arguments. The answer to a fetch that says `done` is the pack in slices, each marked
//! as data, progress or error.

use bytes::Bytes;

use crate::submission::sha::CommitId;

/// What a server said that is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It answers in an older protocol.
    #[error("the server does not speak version 2 of Git's protocol: on Gitea, leave `EnableAutoGitWireProtocol` on")]
    Old,
    /// It says no, in its own words.
    #[error("the server says: {0}")]
    Said(String),
    /// Not Git at all, or cut off.
    #[error("the server's answer is not Git's protocol ({0}): check the address of the repository")]
    Nonsense(&'static str),
}

/// Longest text of a server that is handed on, in characters.
const MAX_SAID: usize = 300;

/// A piece of a request or an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// With something in it.
    Data(&'a [u8]),
    /// Ends a list.
    Flush,
    /// Between two lists.
    Delimiter,
}

/// Appends a packet.
pub fn packet(into: &mut Vec<u8>, text: &str) {
    into.extend_from_slice(format!("{:04x}{text}", text.len() + 4).as_bytes());
}

/// Ends a list.
pub fn end(into: &mut Vec<u8>) {
    into.extend_from_slice(b"0000");
}

/// The next packet, and what follows it.
pub fn next(bytes: &[u8]) -> Result<(Packet<'_>, &[u8]), WireError> {
    let cut = WireError::Nonsense("it ends in the middle");
    let (length, rest) = bytes.split_at_checked(4).ok_or(cut.clone())?;
    let length = std::str::from_utf8(length).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length.ok_or(WireError::Nonsense("a packet has no length"))? {
        0 => Ok((Packet::Flush, rest)),
        // 2 ends an answer of a stateless server; nothing follows that we would wait for.
        1 | 2 => Ok((Packet::Delimiter, rest)),
        3 => Err(WireError::Nonsense("a packet is shorter than its length")),
        length => {
            let (data, rest) = rest.split_at_checked(length - 4).ok_or(cut)?;
            match data.strip_prefix(b"ERR ") {
                Some(error) => Err(WireError::Said(said(error))),
                None => Ok((Packet::Data(data), rest)),
            }
        }
    }
}

/// A server's words: one line, no control characters, of bounded length.
pub fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect()
}

/// Whether the answer to `info/refs` offers version 2.
pub fn offers_version_2(answer: &[u8]) -> Result<(), WireError> {
    let mut rest = answer;
    // Over HTTP some servers name the service first.
    for _ in 0..3 {
        match next(rest) {
            Ok((Packet::Data(line), _)) if line.trim_ascii_end() == b"version 2" => return Ok(()),
            Ok((Packet::Data(line), after)) if line.starts_with(b"# service=") => rest = after,
            Ok((Packet::Flush, after)) => rest = after,
            Err(error @ WireError::Said(_)) => return Err(error),
            _ => break,
        }
    }
    Err(WireError::Old)
}

fn command(name: &str, arguments: &[String]) -> Bytes {
    let mut request = Vec::new();
    packet(&mut request, &format!("command={name}\n"));
    packet(&mut request, concat!("agent=gradus/", env!("CARGO_PKG_VERSION"), "\n"));
    packet(&mut request, "object-format=sha1\n");
    request.extend_from_slice(b"0001");
    for argument in arguments {
        packet(&mut request, &format!("{argument}\n"));
    }
    end(&mut request);
    request.into()
}

/// Asks where the references are whose names begin so.
pub fn ask_references(prefix: &str) -> Bytes {
    command("ls-refs", &[format!("ref-prefix {prefix}")])
}

/// Which commit a reference is at, by the answer to [`ask_references`].
pub fn reference(answer: &[u8], name: &str) -> Result<Option<CommitId>, WireError> {
    let mut rest = answer;
    loop {
        match next(rest)? {
            (Packet::Data(line), after) => {
                rest = after;
                let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
                let (id, found) = (words.next().unwrap_or_default(), words.next());
                if found == Some(name.as_bytes()) {
                    let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
                    return id.map(Some).ok_or(WireError::Nonsense("a reference is at no commit"));
                }
            }
            (Packet::Delimiter, after) => rest = after,
            (Packet::Flush, _) => return Ok(None),
        }
    }
}

/// Asks for commits with the history that leads to them, less what these others lead to.
pub fn ask_pack(wants: &[CommitId], haves: &[CommitId]) -> Bytes {
    let wants = wants.iter().map(|id| format!("want {}", id.as_str()));
    let haves = haves.iter().map(|id| format!("have {}", id.as_str()));
    let fixed = ["no-progress".to_owned(), "ofs-delta".to_owned()];
    command("fetch", &fixed.into_iter().chain(wants).chain(haves).chain(["done".to_owned()]).collect::<Vec<_>>())
}

/// Hands the slices of the pack on.
pub fn pack<E: From<WireError>>(answer: &[u8], mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut rest = answer;
    let mut begun = false;
    loop {
        match next(rest)? {
            (Packet::Data(line), after) => {
                rest = after;
                match line.split_first() {
                    Some((1, slice)) if begun => take(slice)?,
                    Some((2, _)) if begun => {}
                    Some((3, error)) if begun => return Err(WireError::Said(said(error)).into()),
                    // Other sections may come before it.
                    _ if !begun => begun = line.trim_ascii_end() == b"packfile",
                    _ => return Err(WireError::Nonsense("a slice of the pack has no mark").into()),
                }
            }
            (Packet::Flush, _) if begun => return Ok(()),
            (Packet::Flush, _) => return Err(WireError::Nonsense("it has no pack").into()),
            (Packet::Delimiter, after) => rest = after,
        }
    }
}

/// An answer of these packets.
#[cfg(test)]
pub fn answer(packets: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in packets {
        match *text {
            "0000" | "0001" => bytes.extend_from_slice(text.as_bytes()),
            text => packet(&mut bytes, text),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(answer: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut whole = Vec::new();
        pack(answer, |slice| {
            whole.extend_from_slice(slice);
            Ok::<(), WireError>(())
        })?;
        Ok(whole)
    }

    #[test]
    fn a_request_is_what_git_itself_would_send() {
        let (a, b) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
        let text = String::from_utf8(ask_pack(&[a], &[b]).to_vec()).unwrap();
        let agent = concat!("agent=gradus/", env!("CARGO_PKG_VERSION"), "\n");
        let expected = format!(
            "0012command=fetch\n{:04x}{agent}0017object-format=sha1\n00010010no-progress\n000eofs-delta\n0032want {}\n\
             0032have {}\n0009done\n0000",
            agent.len() + 4,
            "a".repeat(40),
            "b".repeat(40)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_reference_is_found_by_its_whole_name() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let lines = [format!("{b} refs/heads/main-2\n"), format!("{a} refs/heads/main symref-target:x\n")];
        let whole = answer(&[&lines[0], &lines[1], "0000"]);
        let found = |name| reference(&whole, name).unwrap().map(String::from);
        assert_eq!((found("refs/heads/main"), found("refs/heads/mai")), (Some(a), None));
        assert_eq!(reference(&answer(&["0000"]), "refs/heads/main"), Ok(None), "an empty repository");
        for bad in [&answer(&["x refs/heads/main\n", "0000"])[..], b"", b"<html>", &whole[..60]] {
            assert!(reference(bad, "refs/heads/main").is_err(), "{bad:?}");
        }
        let text = String::from_utf8(ask_references("refs/heads/main").to_vec()).unwrap();
        assert!(
            text.starts_with("0014command=ls-refs\n") && text.ends_with("0001001fref-prefix refs/heads/main\n0000"),
            "{text}"
        );
    }

    #[test]
    fn the_pack_comes_out_of_its_slices() {
        let whole = answer(&["packfile\n", "\u{1}PACK", "\u{2}counting", "\u{1}rest", "0000"]);
        assert_eq!(collected(&whole).unwrap(), b"PACKrest");
        let with_more = answer(&["shallow-info\n", "0001", "packfile\n", "\u{1}PACK", "0000"]);
        assert_eq!(collected(&with_more).unwrap(), b"PACK");
        for cut in 0..whole.len() - 4 {
            assert!(collected(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_a_server_says_is_one_harmless_line() {
        let error = collected(&answer(&["ERR upload-pack: not our ref\u{1b}[2J\nx"])).unwrap_err();
        assert_eq!(error.to_string(), "the server says: upload-pack: not our ref [2J x");
        let error = collected(&answer(&["packfile\n", "\u{3}out of memory\n", "0000"])).unwrap_err();
        assert_eq!(error, WireError::Said("out of memory".into()));
        assert!(matches!(collected(b"<html>"), Err(WireError::Nonsense(_))));
        assert!(matches!(collected(b"0003"), Err(WireError::Nonsense(_))));
    }

    #[test]
    fn a_server_that_speaks_only_the_old_protocol_is_told_so() {
        assert_eq!(offers_version_2(&answer(&["version 2\n", "agent=git\n", "0000"])), Ok(()));
        let named = answer(&["# service=git-upload-pack\n", "0000", "version 2\n", "0000"]);
        assert_eq!(offers_version_2(&named), Ok(()));
        let old = answer(&["# service=git-upload-pack\n", "0000", "1111 HEAD\0multi_ack\n", "0000"]);
        assert_eq!(offers_version_2(&old), Err(WireError::Old));
        assert_eq!(offers_version_2(b""), Err(WireError::Old));
    }
}
