//! The result of a push on the learner's terminal: the `remote:` lines.
//!
//! Our own words are ASCII; learner text keeps its letters and has everything invisible shown as `\u{…}`, so that it
//! cannot move the cursor or recolour the terminal.

use super::difference::{TERMINAL, differences};
use super::hints::Ladder;
use super::input::{Mode, ReviewInput, Section};
use super::{safe, words};
use crate::checkpoint::outcome::Outcome;
use crate::grade::report::CheckpointResult;

/// Most lines printed: what fits on a small terminal with the push's own output.
pub const MAX_LINES: usize = 40;

/// Longest line in characters, without git's `remote: `. A sentence goes on in the next one; only a command, which is
/// there to be copied, may be longer.
pub const MAX_WIDTH: usize = 240;

/// Longest sentence or command in characters: room for every one of ours, whatever learner text is in it.
const MAX_TEXT: usize = safe::MAX_SENTENCE;

/// Near misses told on the terminal; the page has the others.
const MAX_NEAR_MISSES: usize = 4;

/// What is printed on lines of its own.
enum Line {
    /// Goes on in the next line where it is too long.
    Words(String),
    /// Stays on one line.
    Command(String),
}

impl Line {
    /// As lines that are safe to print.
    fn printed(&self) -> Vec<String> {
        let ascii = |text: &str| safe::plain(text, MAX_TEXT).replace('…', "...");
        match self {
            Line::Words(text) => wrap(&ascii(text)),
            Line::Command(text) => vec![ascii(text)],
        }
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Line::Words(text)
    }
}

/// Lines of at most [`MAX_WIDTH`] characters, broken between words where there are any; the later ones are indented.
fn wrap(text: &str) -> Vec<String> {
    let indent = " ".repeat(text.len() - text.trim_start().len() + 4);
    let mut lines = Vec::new();
    let mut rest = text.to_owned();
    while let Some((end, _)) = rest.char_indices().nth(MAX_WIDTH) {
        let words = rest.len() - rest.trim_start().len();
        let at = rest[words..end].rfind(' ').map_or(end, |space| words + space);
        lines.push(rest[..at].trim_end().to_owned());
        rest = format!("{indent}{}", rest[at..].trim_start());
    }
    lines.push(rest);
    lines
}

/// The lines to print after a push, each with a line end; at most [`MAX_LINES`].
pub fn push_output(input: &ReviewInput<'_>) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for section in &input.sections {
        task(&mut lines, section, input);
    }
    if input.sections.is_empty() {
        let nothing = match input.passed_before.len() {
            _ if !input.refused.is_empty() => "Nothing of this push is graded here.".to_owned(),
            n @ 1.. if input.near_misses.is_empty() => {
                format!("Nothing new to grade: {} unchanged since {} passed.", words::count(n, "task"), words::they(n))
            }
            _ => "Nothing to grade yet: this push changes no file below tasks/TASK-ID/.".to_owned(),
        };
        lines.push(nothing.into());
    }
    lines.extend(input.refused.iter().map(|id| format!("  not graded here: {id}  has hidden checkpoints").into()));
    for miss in input.near_misses.iter().take(MAX_NEAR_MISSES) {
        lines.push(format!("  not looked at: {}  {}", miss.found, miss.why).into());
        lines.push(format!("    looked for:  {}", miss.meant).into());
        lines.extend(miss.remedy.lines().map(|line| Line::Command(format!("    do:          {line}"))));
    }
    if let Some(more @ 1..) = input.near_misses.len().checked_sub(MAX_NEAR_MISSES) {
        lines.push(format!("  and {} that no task looks at", words::count(more, "more path")).into());
    }
    if let Some(main) = input.on_main {
        let why = "  main is where the course's updates arrive: move your work to a branch, then put main back.";
        lines.push(why.to_owned().into());
        lines.extend(main.commands().map(|line| Line::Command(format!("    do:          {line}"))));
    }
    let mut lines: Vec<String> = lines.iter().flat_map(Line::printed).collect();
    let foot = input.page.map(|page| safe::plain(&format!("Review: {page}"), MAX_TEXT));
    let room = MAX_LINES - usize::from(foot.is_some());
    if lines.len() > room {
        let rest = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("  ... {}", words::count(rest, "more line")));
    }
    lines.extend(foot);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn task(lines: &mut Vec<Line>, section: &Section<'_>, input: &ReviewInput<'_>) {
    let verdict = words::Verdict::of(section.report);
    let rest = if verdict.rest.is_empty() { String::new() } else { format!(" {}.", verdict.rest) };
    let name = if input.sections.len() > 1 { format!("{}: ", section.report.task) } else { String::new() };
    let practice = if input.mode == Mode::Practice { " Practice, no attempt counted." } else { "" };
    lines.push(format!("{name}{}.{rest}{practice}", verdict.headline).into());
    if section.task_changed {
        let command = format!("{} && git merge FETCH_HEAD", input.upstream.fetch());
        lines.push(Line::Command(format!("  The task changed after your branch began: {command}")));
    }
    if let Some(why) = section.on_files {
        lines.push(format!("  Judged on your files alone: {why}").into());
    }
    for checkpoint in &section.report.checkpoints {
        checkpoint_lines(lines, checkpoint, section);
    }
    if let Some(next) = section.next.as_ref().filter(|_| section.report.outcome == Outcome::Pass) {
        lines.push(format!("  Next: {}  ({})", next.id, next.title).into());
    }
    if let Some(finished) = input.finished_in(section) {
        let page = finished.page.map(|page| format!(" Where you stand in it: {page}")).unwrap_or_default();
        lines.push(format!("  You passed every task of this course.{page}").into());
    }
}

fn checkpoint_lines(lines: &mut Vec<Line>, checkpoint: &CheckpointResult, section: &Section<'_>) {
    let id = &checkpoint.id;
    let why = checkpoint.evidence.first().map_or("", |e| e.message.as_str());
    match checkpoint.outcome {
        Outcome::Pass => {}
        Outcome::Fail => {
            let all: Vec<_> = checkpoint.evidence.iter().collect();
            let told = differences(&all, TERMINAL);
            let (place, message) = match told.items.first() {
                Some(first) => (told.place.or(first.place.clone()), first.text.clone()),
                None => (None, checkpoint.title.clone()),
            };
            let message = match (told.sentence, told.about) {
                (Some(sentence), _) => format!("{sentence}. Not yet: {message}"),
                (None, Some(about)) => format!("{about}: {message}"),
                (None, None) => message,
            };
            let place = place.map(|place| format!("{place}  ")).unwrap_or_default();
            let more = match told.items.len() {
                0 | 1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            lines.push(format!("  {id}  {place}{message}{more}").into());
            let failures = section.failures.get(id).copied().unwrap_or(1);
            let known = section.task.checkpoints.iter().find(|c| c.id == *id);
            let ladder = known.map(Ladder::of).unwrap_or_default();
            if let Some(index) = ladder.given(failures) {
                let hint = ladder.hints()[index].text.trim();
                lines.push(format!("    hint {} of {}: {hint}", index + 1, ladder.hints().len()).into());
            }
        }
        Outcome::Blocked => {
            let by: Vec<&str> = checkpoint.blocked_by.iter().map(|id| id.as_str()).collect();
            lines.push(format!("  {id}  waits for {}", by.join(", ")).into());
        }
        Outcome::NotRun => lines.push(format!("  {id}  not judged here: {why}").into()),
        Outcome::Inconclusive => lines.push(format!("  {id}  could not be judged, is tried again: {why}").into()),
        Outcome::Error => lines.push(format!("  {id}  could not be judged, ours to mend: {why}").into()),
    }
}
