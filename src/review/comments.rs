//! Line comments: one per (line, checkpoint), only where the diff shows the line.

use std::collections::BTreeMap;

use serde::Serialize;

use super::difference::{Differences, MARKDOWN, differences};
use super::input::ReviewInput;
use super::{LineComment, MAX_COMMENTS, render};
use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::outcome::Outcome;

/// Most lines that one comment marks: more says less.
const MAX_RANGE: u32 = 12;

/// Most differences told in one comment; the body of the review has the others.
const MAX_DIFFERENCES: usize = 5;

/// What the template of a comment sees.
#[derive(Debug, Serialize)]
struct CommentView<'a> {
    checkpoint: &'a str,
    title: &'a str,
    found: Differences,
    several: bool,
    /// Number of differences that are not shown.
    more: usize,
}

/// The comments of a review, in the order of tasks, checkpoints and lines; at most [`MAX_COMMENTS`].
pub(super) fn comments(input: &ReviewInput<'_>) -> Vec<LineComment> {
    let mut comments = Vec::new();
    for section in &input.sections {
        for checkpoint in section.report.checkpoints.iter().filter(|c| c.outcome == Outcome::Fail) {
            let mut by_line: BTreeMap<(&str, u32), (u32, Vec<&Evidence>)> = BTreeMap::new();
            for evidence in &checkpoint.evidence {
                let Some((path, start, end)) = anchor(&evidence.place, input) else { continue };
                let (last, at) = by_line.entry((path, start)).or_insert((end, Vec::new()));
                // Several on one line: the narrowest range points best.
                *last = end.min(*last);
                at.push(evidence);
            }
            for ((path, start_line), (line, evidence)) in by_line {
                if comments.len() == MAX_COMMENTS {
                    return comments;
                }
                let view = CommentView {
                    checkpoint: checkpoint.id.as_str(),
                    title: &checkpoint.title,
                    found: differences(evidence.get(..MAX_DIFFERENCES).unwrap_or(&evidence), MARKDOWN),
                    several: evidence.len() > 1,
                    more: evidence.len().saturating_sub(MAX_DIFFERENCES),
                };
                comments.push(LineComment { path: path.to_owned(), start_line, line, body: render::comment(&view) });
            }
        }
    }
    comments
}

/// Path, first and last line on which a comment about this place may stand; none when the diff does not show it.
fn anchor<'a>(place: &'a Place, input: &ReviewInput<'_>) -> Option<(&'a str, u32, u32)> {
    let path = place.file.as_deref()?;
    let start = place.line?;
    let end = place.end_line.unwrap_or(start);
    let short = end > start && end - start < MAX_RANGE;
    if short && input.diff.shows(path, start..=end) {
        return Some((path, start, end));
    }
    input.diff.shows(path, start..=start).then_some((path, start, start))
}
