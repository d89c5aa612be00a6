//! What helps with a mutant that does not fail what it names: its change to the solution, and how to see each verdict.

use std::collections::BTreeSet;
use std::sync::Arc;

use similar::TextDiff;

use crate::course::draw::Drawn;
use crate::course::values::Scope;
use crate::course::{Course, CourseTask};
use crate::grade::proof::{Finding, Problem};
use crate::review::safe::plain;
use crate::review::words::count;
use crate::submission::tree::Tree;

/// Most lines of a change that are shown: a mutant is small, or should be.
const MOST: usize = 24;

/// Longest line of it in characters.
const MAX_LINE: usize = 160;

/// Checkpoints whose command is spelt out.
const COMMANDS: usize = 3;

/// What belongs below the finding; nothing below one that is not about a mutant. `course_flag` is what the commands need
/// to find the course from here.
pub fn help(course: &Course, task: &CourseTask, finding: &Finding, course_flag: impl FnOnce() -> String) -> String {
    let Problem::Mutant { name, survived, elsewhere } = &finding.problem else { return String::new() };
    let draw = finding.only_draws.first().copied().unwrap_or(0);
    let Ok(drawn) = task.draw(course, &Scope::Proof(draw)) else { return String::new() };
    let mut lines = vec![format!("what `{name}` changes in the solution:")];
    lines.extend(change(&drawn, name).into_iter().map(|line| format!("  {line}")));
    lines.push("how it was judged:".to_owned());
    let draw = if draw == 0 { String::new() } else { format!(" --draw {draw}") };
    let (id, flag) = (&task.task.id, course_flag());
    let asked = survived.iter().chain(elsewhere).take(COMMANDS);
    lines.extend(asked.map(|checkpoint| format!("  gradus explain {id} {checkpoint} --on {name}{draw}{flag}")));
    // The review has the values of the first draw.
    if draw.is_empty() {
        lines.push(format!("  gradus preview {id} --on {name}{flag}"));
    }
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

/// The mutant's files against the solution's, as hunks below their names.
fn change(drawn: &Drawn, name: &str) -> Vec<String> {
    let Some(mutant) = drawn.mutants.get(name) else { return Vec::new() };
    let mut lines = hunks(&drawn.solution, &mutant.files);
    if lines.is_empty() {
        lines.push(match mutant.commits {
            Some(_) => "no file; only how it is committed".to_owned(),
            None => "nothing: no edit changes a file".to_owned(),
        });
    }
    if let Some(rest) = lines.len().checked_sub(MOST).filter(|rest| *rest > 0) {
        lines.truncate(MOST);
        lines.push(format!("… {}", count(rest, "more line")));
    }
    lines
}

fn hunks(before: &Tree, after: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    let paths: BTreeSet<&str> = before.paths().chain(after.paths()).collect();
    for path in paths {
        let (old, new) = (before.file(path), after.file(path));
        if old == new {
            continue;
        }
        let what = match (old, new) {
            (_, None) => " (removed)",
            (None, _) => " (added)",
            _ => "",
        };
        lines.push(plain(&format!("{path}{what}"), MAX_LINE));
        let text = |bytes: Option<&Arc<[u8]>>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        // Of a file that is gone, its name says all.
        if let Some(new) = text(new) {
            let old = text(old).unwrap_or_default();
            let diff = TextDiff::from_lines(&old, &new).unified_diff().context_radius(1).to_string();
            lines.extend(diff.lines().map(|line| plain(line, MAX_LINE)));
        }
    }
    lines
}
