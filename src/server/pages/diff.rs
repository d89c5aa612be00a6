//! A diff with the comments of a review on their lines.

use serde::Serialize;

use super::model::Html;
use crate::review::LineComment;
use crate::review::safe;
use crate::submission::diff::{Diff, FileDiff, LineKind, Shown};
use crate::submission::history::Change;

/// A file of the diff.
#[derive(Debug, Clone, Serialize)]
pub struct FileView {
    /// Its path from the top, invisible characters shown.
    pub path: String,
    /// `added`, `changed` or `removed`.
    pub change: &'static str,
    /// Why its lines are not here.
    pub note: Option<&'static str>,
    /// Lines added and removed.
    pub added: usize,
    /// See `added`.
    pub removed: usize,
    /// Number of comments on it.
    pub comments: usize,
    /// In order.
    pub hunks: Vec<HunkView>,
}

/// A hunk.
#[derive(Debug, Clone, Serialize)]
pub struct HunkView {
    /// As in `@@ -1,3 +1,4 @@`.
    pub header: String,
    /// In order.
    pub lines: Vec<LineView>,
}

/// A line.
#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    /// `context`, `added`, `removed` or `note`: the class in the style.
    pub kind: &'static str,
    /// `+`, `-` or a space.
    pub sign: &'static str,
    /// Number on the old side.
    pub old: Option<u32>,
    /// Number on the new side.
    pub new: Option<u32>,
    /// Invisible characters shown, tabs kept.
    pub text: String,
    /// A comment that stands below marks this line.
    pub marked: bool,
    /// Comments whose last line this is.
    pub comments: Vec<CommentOnLine>,
}

/// A line comment.
#[derive(Debug, Clone, Serialize)]
pub struct CommentOnLine {
    /// As in `lines 3 to 5`.
    pub lines: String,
    /// Its body.
    pub body: Html,
}

/// Files with the comments on their lines. Each comment is on a line of the diff: reviews are composed so.
pub fn files(diff: &Diff, comments: &[LineComment]) -> Vec<FileView> {
    diff.files.iter().map(|file| file_view(file, comments)).collect()
}

fn file_view(file: &FileDiff, comments: &[LineComment]) -> FileView {
    let here: Vec<&LineComment> = comments.iter().filter(|comment| comment.path == file.path).collect();
    let lines = || file.hunks.iter().flat_map(|hunk| &hunk.lines);
    FileView {
        path: safe::plain(&file.path, 400),
        change: match file.change {
            Change::Added => "added",
            Change::Modified => "changed",
            Change::Deleted => "removed",
        },
        note: match file.shown {
            Shown::Lines if file.hunks.is_empty() => Some("Only its mode changed, or it is empty."),
            Shown::Lines => None,
            Shown::Binary => Some("Not text."),
            Shown::TooLarge => Some("Too large to be shown here."),
        },
        added: lines().filter(|line| line.kind == LineKind::Added).count(),
        removed: lines().filter(|line| line.kind == LineKind::Removed).count(),
        comments: here.len(),
        hunks: file
            .hunks
            .iter()
            .map(|hunk| HunkView {
                header: format!("@@ -{},{} +{},{} @@", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines),
                lines: hunk.lines.iter().map(|line| line_view(line, &here)).collect(),
            })
            .collect(),
    }
}

fn line_view(line: &crate::submission::diff::Line, comments: &[&LineComment]) -> LineView {
    let (kind, sign) = match line.kind {
        LineKind::Context => ("context", " "),
        LineKind::Added => ("added", "+"),
        LineKind::Removed => ("removed", "-"),
        LineKind::NoNewline => ("note", "\\"),
    };
    // A removed line has no number on the new side, and comments stand on that side.
    let on = |comment: &&&LineComment| line.new == Some(comment.line);
    let marked = comments.iter().any(|c| line.new.is_some_and(|n| (c.start_line..=c.line).contains(&n)));
    LineView {
        kind,
        sign,
        old: line.old,
        new: line.new,
        text: shown(&line.text),
        marked,
        comments: comments.iter().filter(on).map(|comment| CommentOnLine::of(comment)).collect(),
    }
}

impl CommentOnLine {
    fn of(comment: &LineComment) -> Self {
        let lines = if comment.start_line == comment.line {
            format!("line {}", comment.line)
        } else {
            format!("lines {} to {}", comment.start_line, comment.line)
        };
        Self { lines, body: Html::comment(&comment.body) }
    }
}

/// A source line with its tabs, everything else that does not show made visible.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            c if safe::is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submission::diff::{Hunk, Line};

    #[test]
    fn a_comment_stands_below_its_last_line_on_the_new_side() {
        let line = |kind, old, new, text: &str| Line { kind, old, new, text: text.to_owned() };
        let lines = vec![
            line(LineKind::Context, Some(1), Some(1), "a"),
            line(LineKind::Removed, Some(2), None, "b\u{202e}"),
            line(LineKind::Added, None, Some(2), "\tc"),
            line(LineKind::Added, None, Some(3), "d"),
        ];
        let hunk = Hunk { old_start: 1, old_lines: 2, new_start: 1, new_lines: 3, lines };
        let file =
            FileDiff { path: "a.yaml".to_owned(), change: Change::Modified, shown: Shown::Lines, hunks: vec![hunk] };
        let diff = Diff { files: vec![file], truncated: false };
        let comment = LineComment { path: "a.yaml".to_owned(), start_line: 2, line: 3, body: "**x**".to_owned() };
        let views = files(&diff, &[comment]);
        let [view] = views.as_slice() else { panic!("one file") };
        let lines = &view.hunks[0].lines;
        assert_eq!((view.added, view.removed, view.comments), (2, 1, 1));
        assert_eq!(lines.iter().map(|l| l.marked).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!(lines.iter().map(|l| l.comments.len()).collect::<Vec<_>>(), [0, 0, 0, 1]);
        assert_eq!((lines[1].text.as_str(), lines[2].text.as_str()), ("b\\u{202e}", "\tc"));
    }
}
