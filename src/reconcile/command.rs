//! Commands in comments: a line that begins with a slash and a word, outside code blocks and quotes. Pure.

use crate::course::diagnostic::nearest;
use crate::course::id::CheckpointId;
use crate::gradebook::decision::when::{Moment, Span};

/// Longest objection or reason kept, in characters.
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
    /// An instructor's: a checkpoint counts as passed for this learner, and why.
    Waive(Target, String),
    /// An instructor's: more time for a task, and why.
    Extend(String, MoreTime, String),
    /// An instructor's: the points of a task, and why.
    Override(String, u32, String),
    /// A command without what it needs.
    Incomplete(&'static str),
    /// A command with something else than it needs.
    Misfit {
        /// How it is used.
        usage: &'static str,
        /// What stands there.
        found: String,
        /// What has to stand there.
        wanted: &'static str,
    },
    /// None of these.
    Unknown {
        /// The word as written, at most 40 characters.
        word: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
}

/// How much more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoreTime {
    /// So much later than the due date.
    By(Span),
    /// Until then.
    Until(Moment),
}

impl Command {
    /// Whether only instructors may give it.
    pub fn decides(&self) -> bool {
        match self {
            Command::Waive(..) | Command::Extend(..) | Command::Override(..) => true,
            Command::Incomplete(usage) | Command::Misfit { usage, .. } => {
                INSTRUCTORS.iter().any(|(known, _)| known == usage)
            }
            _ => false,
        }
    }
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

/// Commands of everybody with what they take, for help.
pub const USAGE: [(&str, &str); 5] = [
    ("/hint [CHECKPOINT]", "the next hint"),
    ("/explain CHECKPOINT", "what is expected and what was found"),
    ("/regrade", "grade this head again"),
    ("/progress", "your points so far"),
    ("/dispute CHECKPOINT WHY", "object to a verdict"),
];

const WAIVE: &str = "/waive CHECKPOINT WHY";
const EXTEND: &str = "/extend TASK TIME WHY";
const OVERRIDE: &str = "/override TASK POINTS WHY";

/// Commands of instructors, for help.
pub const INSTRUCTORS: [(&str, &str); 3] = [
    (WAIVE, "the checkpoint counts as passed for this learner"),
    (EXTEND, "more time, as in `3d` or `2026-12-01`"),
    (OVERRIDE, "the points that count, whatever was judged"),
];

const WORDS: [&str; 8] = ["/hint", "/explain", "/regrade", "/progress", "/dispute", "/waive", "/extend", "/override"];

/// The first command of a comment.
pub fn parse(body: &str) -> Option<Command> {
    spoken(body).find_map(command)
}

/// The lines of a comment with commands after the first one. One comment is one command; these are not done.
pub fn passed_over(body: &str) -> Vec<&str> {
    spoken(body).filter(|line| command(line).is_some()).skip(1).map(str::trim).collect()
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
    let mut target = || words.next().and_then(self::target);
    Some(match word.to_lowercase().as_str() {
        "/hint" => Command::Hint(target()),
        "/regrade" => Command::Regrade,
        "/progress" => Command::Progress,
        "/explain" => target().map_or(Command::Incomplete("/explain CHECKPOINT"), Command::Explain),
        "/dispute" => match (target(), why(words)) {
            (Some(target), Some(why)) => Command::Dispute(target, why),
            _ => Command::Incomplete("/dispute CHECKPOINT WHY"),
        },
        "/waive" => match (target(), why(words)) {
            (Some(target), Some(why)) => Command::Waive(target, why),
            _ => Command::Incomplete(WAIVE),
        },
        "/extend" => {
            let (task, time) = (words.next().map(self::name), words.next());
            match (task, time, why(words)) {
                (Some(task), Some(time), Some(why)) => match more_time(time) {
                    Some(time) => Command::Extend(task, time, why),
                    None => misfit(EXTEND, time, TIME),
                },
                _ => Command::Incomplete(EXTEND),
            }
        }
        "/override" => {
            let (task, points) = (words.next().map(self::name), words.next());
            match (task, points, why(words)) {
                (Some(task), Some(points), Some(why)) => match points.parse() {
                    Ok(points) => Command::Override(task, points, why),
                    Err(_) => misfit(OVERRIDE, points, "a whole number of points"),
                },
                _ => Command::Incomplete(OVERRIDE),
            }
        }
        other => Command::Unknown { word: word.chars().take(40).collect(), nearest: nearest(other, WORDS) },
    })
}

/// What people put around a name.
fn bare(word: &str) -> &str {
    word.trim_matches(|c| matches!(c, '`' | '"' | '\'' | '.' | ',' | ':'))
}

fn name(word: &str) -> String {
    bare(word).to_ascii_lowercase()
}

fn target(word: &str) -> Option<Target> {
    let word = bare(word);
    let (task, checkpoint) = match word.split_once('/') {
        Some((task, checkpoint)) => (Some(task.to_ascii_lowercase()), checkpoint),
        None => (None, word),
    };
    (!checkpoint.is_empty()).then(|| Target { task, checkpoint: checkpoint.to_ascii_lowercase() })
}

fn why<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let why: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_WHY).collect();
    (!why.is_empty()).then_some(why)
}

const TIME: &str = "a length of time as in `3d`, `12h` or `1w2d`, or a date as in `2026-12-01`";

fn more_time(word: &str) -> Option<MoreTime> {
    let word = bare(word);
    word.parse().map(MoreTime::By).ok().or_else(|| word.parse().map(MoreTime::Until).ok())
}

fn misfit(usage: &'static str, found: &str, wanted: &'static str) -> Command {
    Command::Misfit { usage, found: found.chars().take(40).collect(), wanted }
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
            (
                "/waive first-edit/probes the brief is wrong",
                Command::Waive(target("first-edit/probes"), "the brief is wrong".into()),
            ),
            ("/waive probes", Command::Incomplete(WAIVE)),
            ("/extend `First-Edit` 3d ill", Command::Extend("first-edit".into(), by("3d"), "ill".into())),
            ("/extend t 2026-12-01 ill", Command::Extend("t".into(), until("2026-12-01"), "ill".into())),
            ("/extend t 3d", Command::Incomplete(EXTEND)),
            ("/extend t soon ill", Command::Misfit { usage: EXTEND, found: "soon".into(), wanted: TIME }),
            ("/override t 3 appeal", Command::Override("t".into(), 3, "appeal".into())),
            ("/override t", Command::Incomplete(OVERRIDE)),
            (
                "/override t -1 appeal",
                Command::Misfit { usage: OVERRIDE, found: "-1".into(), wanted: "a whole number of points" },
            ),
        ] {
            assert_eq!(parse(body), Some(command), "{body}");
        }
    }

    fn by(text: &str) -> MoreTime {
        MoreTime::By(text.parse().unwrap())
    }

    fn until(text: &str) -> MoreTime {
        MoreTime::Until(text.parse().unwrap())
    }

    #[test]
    fn commands_that_decide_are_the_instructors_also_when_incomplete() {
        for body in ["/waive a b", "/waive", "/extend", "/extend t x y", "/override t x y", "/override t 3 y"] {
            assert!(parse(body).unwrap().decides(), "{body}");
        }
        for body in ["/hint", "/dispute", "/dispute a b", "/explain", "/waiv a b"] {
            assert!(!parse(body).unwrap().decides(), "{body}");
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
    fn commands_after_the_first_are_named() {
        assert_eq!(
            passed_over("so:\n/hint\n> /regrade\n /explain replicas \n/etc/x\n/progress"),
            ["/explain replicas", "/progress"]
        );
        for body in ["", "/hint", "thanks\n/hint", "/hint\n```\n/hint\n```"] {
            assert!(passed_over(body).is_empty(), "{body}");
        }
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_nearest() {
        for (word, meant) in [
            ("/hnit", Some("/hint")),
            ("/hints", Some("/hint")),
            ("/re-grade", Some("/regrade")),
            ("/explian", Some("/explain")),
            ("/disputed", Some("/dispute")),
            ("/waiver", Some("/waive")),
            ("/overide", Some("/override")),
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
