//! Git's wire protocol of a push. Pure: requests as bytes, answers from bytes.
//!
//! The server lists its references and, behind the first one, what it is able to do. We say which reference is to move
//! from which commit to which, and the pack follows. The server looks at the commit that we believe the reference to be at
//! before it moves it; that is what keeps two who push at once apart.

use bytes::Bytes;

use super::wire::{Packet, WireError, end, next, packet, said};
use crate::submission::sha::CommitId;

/// Stands for no commit.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What is to become of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// As in `refs/heads/main`.
    pub reference: String,
    /// The commit that it is at; none when there is no such reference yet.
    pub old: Option<CommitId>,
    /// The commit that it is to be at.
    pub new: CommitId,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It was taken.
    Taken,
    /// Somebody else was faster: the reference is elsewhere.
    Behind,
    /// The server does not take it, now or ever; in its own words.
    Refused(String),
}

/// What the server has and is able to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Advertised {
    references: Vec<(String, CommitId)>,
    abilities: Vec<String>,
}

/// Whether the server tells its report and what people are to read apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bands {
    /// The report alone.
    One,
    /// Report, words and errors.
    Three,
}

impl Advertised {
    /// Which commit a reference is at.
    pub fn at(&self, name: &str) -> Option<&CommitId> {
        self.references.iter().find(|(found, _)| found == name).map(|(_, id)| id)
    }

    /// What need not be sent.
    pub fn known(&self) -> Vec<CommitId> {
        self.references.iter().map(|(_, id)| id.clone()).collect()
    }

    /// How it reports.
    pub fn bands(&self) -> Bands {
        if self.is_able("side-band-64k") { Bands::Three } else { Bands::One }
    }

    fn is_able(&self, ability: &str) -> bool {
        self.abilities.iter().any(|found| found == ability)
    }
}

/// Reads the answer to `info/refs`.
pub fn advertised(answer: &[u8]) -> Result<Advertised, WireError> {
    let mut found = Advertised::default();
    let mut rest = answer;
    if let (Packet::Data(line), after) = next(rest)?
        && line.starts_with(b"# service=")
    {
        match next(after)? {
            (Packet::Flush, after) => rest = after,
            _ => return Err(WireError::Nonsense("its references do not follow its name")),
        }
    }
    let mut first = true;
    loop {
        let (line, after) = match next(rest)? {
            (Packet::Data(line), after) => (line, after),
            (Packet::Flush | Packet::Delimiter, _) => return Ok(found),
        };
        rest = after;
        let mut parts = line.splitn(2, |byte| *byte == 0);
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).trim_end().to_owned();
        let (reference, abilities) = (text(parts.next()), text(parts.next()));
        if std::mem::take(&mut first) {
            found.abilities = abilities.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        }
        let Some((id, name)) = reference.split_once(' ') else {
            return Err(WireError::Nonsense("a reference has no name"));
        };
        // `shallow ID` is about what it lacks; without references it names its abilities in place of one.
        if id != "shallow" && name != "capabilities^{}" {
            let id = id.parse().map_err(|_| WireError::Nonsense("a reference is at no commit"))?;
            found.references.push((name.to_owned(), id));
        }
    }
}

/// The request: what is to move, and the pack.
pub fn ask(update: &Update, there: &Advertised, pack: &[u8]) -> Result<Bytes, WireError> {
    if !there.is_able("report-status") {
        return Err(WireError::Nonsense("it would not say what becomes of a push"));
    }
    let agent = concat!("agent=gradus/", env!("CARGO_PKG_VERSION"));
    let wanted = ["report-status", "side-band-64k", "quiet", "object-format=sha1"];
    let mut abilities: Vec<&str> = wanted.into_iter().filter(|ability| there.is_able(ability)).collect();
    // A server that says who it is wants to know who we are.
    if there.abilities.iter().any(|ability| ability.starts_with("agent=")) {
        abilities.push(agent);
    }
    let Update { reference, old, new } = update;
    let old = old.as_ref().map_or(NOTHING, CommitId::as_str);
    let mut request = Vec::with_capacity(pack.len() + 512);
    packet(&mut request, &format!("{old} {} {reference}\0 {}", new.as_str(), abilities.join(" ")));
    end(&mut request);
    request.extend_from_slice(pack);
    Ok(request.into())
}

/// Reads what became of a reference.
pub fn outcome(answer: &[u8], reference: &str, bands: Bands) -> Result<Pushed, WireError> {
    match bands {
        Bands::One => report(answer, reference, ""),
        Bands::Three => {
            let (mut whole, mut words) = (Vec::new(), Vec::new());
            let mut rest = answer;
            loop {
                match next(rest)? {
                    (Packet::Data(line), after) => {
                        rest = after;
                        match line.split_first() {
                            Some((1, slice)) => whole.extend_from_slice(slice),
                            Some((2, slice)) => words.extend_from_slice(slice),
                            Some((3, error)) => return Err(WireError::Said(said(error))),
                            _ => return Err(WireError::Nonsense("a slice of the report has no mark")),
                        }
                    }
                    (Packet::Delimiter, after) => rest = after,
                    (Packet::Flush, _) => return report(&whole, reference, &said(&words)),
                }
            }
        }
    }
}

fn report(report: &[u8], reference: &str, words: &str) -> Result<Pushed, WireError> {
    let refused = |why: &[u8]| {
        let why = said(why);
        Ok(Pushed::Refused(if words.is_empty() { why } else { format!("{why}: {words}") }))
    };
    let mut rest = report;
    loop {
        let (line, after) = match next(rest)? {
            (Packet::Data(line), after) => (line.trim_ascii_end(), after),
            (Packet::Delimiter, after) => {
                rest = after;
                continue;
            }
            (Packet::Flush, _) => return Err(WireError::Nonsense("it does not say what became of the push")),
        };
        rest = after;
        if let Some(why) = line.strip_prefix(b"unpack ") {
            if why != b"ok" {
                return refused(why);
            }
        } else if line.strip_prefix(b"ok ") == Some(reference.as_bytes()) {
            return Ok(Pushed::Taken);
        } else if let Some(why) = line.strip_prefix(b"ng ").and_then(|line| line.strip_prefix(reference.as_bytes())) {
            return refused(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::answer;
    use super::*;

    fn id(digit: char) -> CommitId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn main() -> Update {
        Update { reference: "refs/heads/main".to_owned(), old: Some(id('a')), new: id('b') }
    }

    #[test]
    fn what_a_server_has_and_is_able_to_do_is_read() {
        let lines = [
            "# service=git-receive-pack\n".to_owned(),
            "0000".to_owned(),
            format!("{} refs/heads/main\0report-status side-band-64k agent=git/2\n", id('a')),
            format!("{} refs/heads/other\n", id('b')),
            format!("{} .have\n", id('c')),
            format!("shallow {}\n", id('d')),
            "0000".to_owned(),
        ];
        let whole = answer(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let found = advertised(&whole).unwrap();
        assert_eq!(found.at("refs/heads/main"), Some(&id('a')));
        assert_eq!(found.at("refs/heads/mai"), None);
        assert_eq!(found.known(), [id('a'), id('b'), id('c')]);
        assert_eq!(found.bands(), Bands::Three);
        for cut in 0..whole.len() - 4 {
            assert!(advertised(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_repository_without_a_commit_has_abilities_and_no_references() {
        let line = format!("{NOTHING} capabilities^{{}}\0report-status delete-refs\n");
        let found = advertised(&answer(&["# service=git-receive-pack\n", "0000", &line, "0000"])).unwrap();
        assert_eq!((found.known(), found.bands()), (vec![], Bands::One));
        assert!(found.is_able("report-status"));
    }

    #[test]
    fn a_page_and_an_error_are_no_references() {
        assert!(matches!(advertised(b"<html>sign in</html>"), Err(WireError::Nonsense(_))));
        assert!(matches!(advertised(&answer(&["nonsense\n", "0000"])), Err(WireError::Nonsense(_))));
        let error = advertised(&answer(&["ERR access denied\n"])).unwrap_err();
        assert_eq!(error, WireError::Said("access denied".into()));
    }

    #[test]
    fn a_request_says_what_moves_and_asks_for_no_more_than_the_server_offers() {
        let able =
            |words: &str| Advertised { references: vec![], abilities: words.split(' ').map(str::to_owned).collect() };
        let text = |update, words| String::from_utf8(ask(&update, &able(words), b"PACK").unwrap().to_vec()).unwrap();
        let (a, b) = (id('a'), id('b'));
        let expected = format!("0074{a} {b} refs/heads/main\0 report-status0000PACK");
        assert_eq!(text(main(), "report-status delete-refs"), expected);
        let first = text(Update { old: None, ..main() }, "report-status side-band-64k agent=git/2.39 quiet");
        let agent = concat!("agent=gradus/", env!("CARGO_PKG_VERSION"));
        assert!(
            first.contains(&format!(
                "{NOTHING} {b} refs/heads/main\0 report-status side-band-64k quiet {agent}0000PACK"
            )),
            "{first}"
        );
        assert!(ask(&main(), &able("delete-refs"), b"PACK").is_err());
    }

    #[test]
    fn a_report_tells_taken_from_refused() {
        let read = |lines: &[&str]| outcome(&answer(lines), "refs/heads/main", Bands::One);
        assert_eq!(read(&["unpack ok\n", "ok refs/heads/main\n", "0000"]).unwrap(), Pushed::Taken);
        let refused = read(&["unpack ok\n", "ng refs/heads/main pre-receive hook declined\n", "0000"]).unwrap();
        assert_eq!(refused, Pushed::Refused("pre-receive hook declined".into()));
        let refused = read(&["unpack index-pack abnormal exit\n", "ng refs/heads/main unpacker error\n", "0000"]);
        assert_eq!(refused.unwrap(), Pushed::Refused("index-pack abnormal exit".into()));
        for bad in [&["unpack ok\n", "ok refs/heads/other\n", "0000"][..], &["unpack ok\n"], &["0000"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_server_says_beside_its_report_is_handed_on() {
        let inner = String::from_utf8(answer(&["unpack ok\n", "ng refs/heads/main hook declined\n", "0000"])).unwrap();
        let (one, two) = inner.split_at(9);
        let lines = [&format!("\u{1}{one}"), "\u{2}grades are \u{1b}closed\n", &format!("\u{1}{two}"), "0000"];
        let refused = outcome(&answer(&lines), "refs/heads/main", Bands::Three).unwrap();
        assert_eq!(refused, Pushed::Refused("hook declined: grades are  closed".into()));
        let error = outcome(&answer(&["\u{3}out of disk\n", "0000"]), "refs/heads/main", Bands::Three).unwrap_err();
        assert_eq!(error, WireError::Said("out of disk".into()));
    }
}
