//! How a push is answered: the report for git, text for the learner's terminal.

use super::super::packet::{FLUSH, MAX_PAYLOAD, packet};
use super::asked::Asked;

/// Bands of the answer.
const REPORT: u8 = 1;
const TEXT: u8 = 2;
const FATAL: u8 = 3;

/// Most sentences of a refusal that are shown.
const MAX_LINES: usize = 10;

/// Speaks to one client, as far as it is able to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    sideband: bool,
    report: bool,
}

impl Voice {
    /// For the client that asked this.
    pub fn of(asked: &Asked) -> Self {
        Self { sideband: asked.sideband, report: asked.report }
    }

    /// Lines that git shows with `remote:` in front.
    pub fn text(self, text: &str) -> Vec<u8> {
        if self.sideband { on(TEXT, text.as_bytes()) } else { Vec::new() }
    }

    /// Sentences on lines of their own; of many only the first.
    pub fn sentences(self, sentences: &[String]) -> Vec<u8> {
        let mut text = String::new();
        for sentence in sentences.iter().take(MAX_LINES) {
            text += &format!("{sentence}\n");
        }
        if let Some(more @ 1..) = sentences.len().checked_sub(MAX_LINES) {
            text += &format!("and {more} more like this\n");
        }
        self.text(&text)
    }

    /// What became of the pack (none: it is unpacked) and of each reference.
    pub fn report<'n>(
        self,
        unpacked: Option<&str>,
        references: impl IntoIterator<Item = (&'n [u8], Result<(), String>)>,
    ) -> Vec<u8> {
        if !self.report {
            return Vec::new();
        }
        let mut report = packet(format!("unpack {}\n", unpacked.unwrap_or("ok")).as_bytes());
        for (name, became) in references {
            // Names are as long as the client made them, the reason is ours: both stay far below a packet.
            let name = &name[..name.len().min(MAX_PAYLOAD / 2)];
            let line = match became {
                Ok(()) => [b"ok ", name, b"\n"].concat(),
                Err(reason) => [b"ng ", name, b" ", reason.replace('\n', " ").as_bytes(), b"\n"].concat(),
            };
            report.extend(packet(&line));
        }
        report.extend_from_slice(FLUSH);
        if self.sideband { on(REPORT, &report) } else { report }
    }

    /// Something of ours went wrong: git stops and shows this.
    pub fn fatal(self, why: &str) -> Vec<u8> {
        if self.sideband { on(FATAL, why.as_bytes()) } else { packet(format!("ERR {why}\n").as_bytes()) }
    }

    /// Nothing follows.
    pub fn end(self) -> &'static [u8] {
        if self.sideband { FLUSH } else { b"" }
    }
}

fn on(band: u8, bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(MAX_PAYLOAD - 1).flat_map(|chunk| packet(&[&[band], chunk].concat())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::packet::lines;
    use super::*;

    const TALKATIVE: Voice = Voice { sideband: true, report: true };

    #[test]
    fn a_report_names_each_reference_on_its_band() {
        let became = [(&b"refs/heads/a"[..], Ok(())), (b"refs/heads/b", Err("moved\nmeanwhile".to_owned()))];
        let mut bytes = TALKATIVE.report(None, became);
        bytes.extend_from_slice(TALKATIVE.end());
        let (outer, _) = lines(&bytes).unwrap().unwrap();
        assert_eq!((outer.len(), outer[0][0]), (1, REPORT));
        let (inner, _) = lines(&outer[0][1..]).unwrap().unwrap();
        let expected = [&b"unpack ok\n"[..], b"ok refs/heads/a\n", b"ng refs/heads/b moved meanwhile\n"];
        assert_eq!(inner, expected);
    }

    #[test]
    fn long_texts_come_in_packets_that_git_takes() {
        let text = "é".repeat(100_000);
        let mut bytes = TALKATIVE.text(&text);
        bytes.extend_from_slice(FLUSH);
        let (packets, _) = lines(&bytes).unwrap().unwrap();
        assert!(packets.len() > 1 && packets.iter().all(|packet| packet[0] == TEXT && packet.len() <= MAX_PAYLOAD));
        let whole: Vec<u8> = packets.iter().flat_map(|packet| &packet[1..]).copied().collect();
        assert_eq!(whole, text.as_bytes());
    }

    #[test]
    fn a_client_without_bands_hears_the_report_and_no_text() {
        let plain = Voice { sideband: false, report: true };
        assert_eq!(plain.text("hello"), b"");
        assert!(plain.report(None, [(&b"refs/heads/a"[..], Ok(()))]).starts_with(b"000eunpack ok\n"));
        assert_eq!(plain.end(), b"");
        assert_eq!(Voice { sideband: true, report: false }.report(None, []), b"");
    }

    #[test]
    fn of_many_sentences_the_first_are_shown() {
        let many: Vec<String> = (0..13).map(|n| format!("sentence {n}")).collect();
        let text = String::from_utf8(TALKATIVE.sentences(&many)).unwrap();
        assert!(text.contains("sentence 9\nand 3 more like this\n"), "{text}");
    }
}
