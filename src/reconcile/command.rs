//! Commands in comments: a line that begins with a slash and a word, outside code blocks and quotes. Pure.

use crate::course::diagnostic::nearest;
use crate::course::id::CheckpointId;

/// Longest objection kept, in characters.
pub const MAX_WHY: usize = 2000;

/// What somebody asks for. Names of checkpoints may be qualified by their task, as in `first-edit/replicas`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The next hint of a checkpoint, or of the first that failed.
    Hint(Option<Target>),
    /// Grade the head again.
    Regrade,
    /// What a checkpoint expects and what was found.
    Explain(Target),
    /// Points so far.
    Progress,
    /// An objection to a checkpoint's verdict.
    Dispute(Target, String),
    /// A command without what it needs.
    Incomplete(&'static str),
    /// None of these.
    Unknown {
        /// The word as written, at most 40 characters.
        word: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
}

/// A checkpoint as a learner names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The task, where named.
    pub task: Option<String>,
    /// The checkpoint; free text until it is found.
    pub checkpoint: String,
}

impl Target {
    /// Whether it names this checkpoint of this task.
    pub fn names(&self, task: &str, checkpoint: &CheckpointId) -> bool {
        self.task.as_deref().is_none_or(|named| named == task) && self.checkpoint == checkpoint.as_str()
    }
}

/// All commands with what they take, for help.
pub const USAGE: [(&str, &str); 5] = [
    ("/hint [CHECKPOINT]", "the next hint"),
    ("/explain CHECKPOINT", "what is expected and what was found"),
    ("/regrade", "grade this head again"),
    ("/progress", "your points so far"),
    ("/dispute CHECKPOINT WHY", "object to a verdict"),
];

const WORDS: [&str; 5] = ["/hint", "/explain", "/regrade", "/progress", "/dispute"];

/// The first command of a comment.
pub fn parse(body: &str) -> Option<Command> {
    spoken(body).find_map(command)
}

/// Lines that the author says: neither quoted nor code.
fn spoken(body: &str) -> impl Iterator<Item = &str> {
    let mut fence: Option<(char, usize)> = None;
    body.lines().filter(move |line| {
        // Four spaces or a tab make code, a `>` makes a quote.
        if line.starts_with("    ") || line.starts_with('\t') {
            return false;
        }
        let text = line.trim_start();
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |mark| text.chars().take_while(|c| *c == mark).count());
        match (fence, mark) {
            (Some((open, least)), Some(mark)) if mark == open && length >= least => {
                fence = None;
                false
            }
            (Some(_), _) => false,
            (None, Some(mark)) if length >= 3 => {
                fence = Some((mark, length));
                false
            }
            (None, _) => !text.starts_with('>'),
        }
    })
}

fn command(line: &str) -> Option<Command> {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let word = words.next()?;
    // `/etc/passwd` and `/` are not meant for us; `/Hint` is.
    let name = word.strip_prefix('/')?;
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') {
        return None;
    }
    let mut target = || {
        let word = words.next()?.trim_matches(|c| matches!(c, '`' | '"' | '\'' | '.' | ',' | ':'));
        let (task, checkpoint) = match word.split_once('/') {
            Some((task, checkpoint)) => (Some(task.to_ascii_lowercase()), checkpoint),
            None => (None, word),
        };
        (!checkpoint.is_empty()).then(|| Target { task, checkpoint: checkpoint.to_ascii_lowercase() })
    };
    Some(match word.to_lowercase().as_str() {
        "/hint" => Command::Hint(target()),
        "/regrade" => Command::Regrade,
        "/progress" => Command::Progress,
        "/explain" => target().map_or(Command::Incomplete("/explain CHECKPOINT"), Command::Explain),
        "/dispute" => match target() {
            Some(target) => {
                let why: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_WHY).collect();
                if why.is_empty() {
                    Command::Incomplete("/dispute CHECKPOINT WHY")
                } else {
                    Command::Dispute(target, why)
                }
            }
            None => Command::Incomplete("/dispute CHECKPOINT WHY"),
        },
        other => Command::Unknown { word: word.chars().take(40).collect(), nearest: nearest(other, WORDS) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        let (task, checkpoint) = match text.split_once('/') {
            Some((task, checkpoint)) => (Some(task.to_owned()), checkpoint),
            None => (None, text),
        };
        Target { task, checkpoint: checkpoint.to_owned() }
    }

    #[test]
    fn commands_are_lines_that_begin_with_a_slash() {
        for (body, command) in [
            ("/hint", Command::Hint(None)),
            ("  /Hint `Probes`.", Command::Hint(Some(target("probes")))),
            ("I am stuck.\n\n/hint first-edit/probes please", Command::Hint(Some(target("first-edit/probes")))),
            ("/regrade", Command::Regrade),
            ("/explain probes", Command::Explain(target("probes"))),
            ("/explain", Command::Incomplete("/explain CHECKPOINT")),
            ("/progress\n/regrade", Command::Progress),
            ("/dispute probes the  brief says so", Command::Dispute(target("probes"), "the brief says so".into())),
            ("/dispute probes", Command::Incomplete("/dispute CHECKPOINT WHY")),
            ("/dispute", Command::Incomplete("/dispute CHECKPOINT WHY")),
        ] {
            assert_eq!(parse(body), Some(command), "{body}");
        }
    }

    #[test]
    fn what_is_quoted_or_code_is_not_asked() {
        for body in [
            "",
            "thanks!",
            "see /hint",
            "> /hint",
            "  > /regrade",
            "    /hint",
            "\t/hint",
            "```\n/hint\n```",
            "~~~~\n/hint\n~~~\n/hint\n~~~~",
            "```sh\n/hint",
            "````\n```\n/hint\n````",
            "/",
            "/etc/passwd is not ours",
            "//comment",
        ] {
            assert_eq!(parse(body), None, "{body}");
        }
        assert_eq!(parse("```\n/hint\n```\n/regrade"), Some(Command::Regrade));
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_nearest() {
        for (word, meant) in [
            ("/hnit", Some("/hint")),
            ("/hints", Some("/hint")),
            ("/re-grade", Some("/regrade")),
            ("/explian", Some("/explain")),
            ("/disputed", Some("/dispute")),
            ("/deploy", None),
            ("/lgtm", None),
        ] {
            let Some(Command::Unknown { nearest, .. }) = parse(word) else { panic!("{word}") };
            assert_eq!(nearest, meant, "{word}");
        }
        let Some(Command::Unknown { word, .. }) = parse(&format!("/{}", "x".repeat(999))) else { panic!() };
        assert_eq!(word.len(), 40);
    }
}
