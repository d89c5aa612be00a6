//! Differences between two trees, as data: what a page shows, and on which lines a comment may stand.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use git2::{DiffLineType, DiffOptions, Patch, Repository};
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::history::{Change, ChangedPath};
use super::limits::{MAX_CHANGED_PATHS, MAX_DIFF_BYTES, MAX_DIFF_FILE_BYTES, MAX_DIFF_FILES, MAX_DIFF_LINES};
use super::read::{ReadError, tree_of};
use super::sha::CommitId;
use super::weigh::Scale;

/// Lines of the head shown by the diff against the merge base (three lines of context), by path from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiffLines {
    hunks: BTreeMap<String, Vec<RangeInclusive<u32>>>,
}

impl DiffLines {
    /// Adds a hunk: lines of the head, from 1.
    pub fn add(&mut self, path: impl Into<String>, lines: RangeInclusive<u32>) {
        self.hunks.entry(path.into()).or_default().push(lines);
    }

    /// Whether one hunk shows all these lines.
    pub fn shows(&self, path: &str, lines: RangeInclusive<u32>) -> bool {
        let inside = |hunk: &RangeInclusive<u32>| hunk.contains(lines.start()) && hunk.contains(lines.end());
        self.hunks.get(path).is_some_and(|hunks| hunks.iter().any(inside))
    }
}

/// All differences between two trees, within the limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// In order of their paths.
    pub files: Vec<FileDiff>,
    /// More files differ than are listed.
    pub truncated: bool,
}

/// The differences of one file. All text in it is the learner's: whoever shows it escapes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// From the top; a rename counts as delete and add.
    pub path: String,
    /// What happened to it.
    pub change: Change,
    /// Whether its lines are here, and if not, why.
    pub shown: Shown,
    /// Empty unless its lines are shown, and when only its mode changed.
    pub hunks: Vec<Hunk>,
}

/// Whether the lines of a file are in a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shown {
    /// Yes.
    Lines,
    /// Its content is not text.
    Binary,
    /// It, or the diff up to it, is too large.
    TooLarge,
}

/// Lines that stand together: changes with three lines around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// First line on the old side, from 1; 0 when that side has none.
    pub old_start: u32,
    /// Lines of the old side.
    pub old_lines: u32,
    /// First line on the new side, from 1; 0 when that side has none.
    pub new_start: u32,
    /// Lines of the new side.
    pub new_lines: u32,
    /// In order.
    pub lines: Vec<Line>,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// On which side it stands.
    pub kind: LineKind,
    /// Its number on the old side, from 1.
    pub old: Option<u32>,
    /// Its number on the new side, from 1.
    pub new: Option<u32>,
    /// Without its line end; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// On which side a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineKind {
    /// On both.
    Context,
    /// Only on the new one.
    Added,
    /// Only on the old one.
    Removed,
    /// Says that the line before has no line end.
    NoNewline,
}

impl Diff {
    /// Where comments may stand.
    pub fn lines(&self) -> DiffLines {
        let mut lines = DiffLines::default();
        for file in &self.files {
            for hunk in file.hunks.iter().filter(|hunk| hunk.new_lines > 0) {
                lines.add(&file.path, hunk.new_start..=hunk.new_start + hunk.new_lines - 1);
            }
        }
        lines
    }
}

/// The differences between merge base and head; empty when there is no merge base.
pub fn read(
    repository: &Repository,
    merge_base: Option<&CommitId>,
    head: &CommitId,
    deadline: Deadline,
) -> Result<Diff, ReadError> {
    let Some(base) = merge_base else { return Ok(Diff::default()) };
    let (old, new) = (tree_of(repository, base)?, tree_of(repository, head)?);
    let Some(diff) = compare(repository, Some(&old), &new, &mut Scale::default())? else {
        return Ok(Diff { files: Vec::new(), truncated: true });
    };
    let mut shown = Diff { files: Vec::new(), truncated: diff.deltas().len() > MAX_DIFF_FILES };
    let mut room = Room { lines: MAX_DIFF_LINES, bytes: MAX_DIFF_BYTES };
    for index in 0..diff.deltas().len().min(MAX_DIFF_FILES) {
        deadline.check()?;
        shown.files.extend(file_diff(&diff, index, &mut room)?);
    }
    Ok(shown)
}

/// Paths that differ between two trees with their counts of lines; none when there are more than `room`.
pub(super) fn changed_paths(
    repository: &Repository,
    old: Option<&git2::Tree<'_>>,
    new: &git2::Tree<'_>,
    scale: &mut Scale,
    room: usize,
) -> Result<Option<Vec<ChangedPath>>, ReadError> {
    let Some(diff) = compare(repository, old, new, scale)? else { return Ok(None) };
    if diff.deltas().len() > room.min(MAX_CHANGED_PATHS) {
        return Ok(None);
    }
    let mut changed = Vec::new();
    for index in 0..diff.deltas().len() {
        let Some((path, change)) = diff.get_delta(index).as_ref().and_then(path_and_change) else { continue };
        let patch = Patch::from_diff(&diff, index).map_err(ReadError::git(format!("compare `{path}`")))?;
        let (_, added, removed) = match &patch {
            Some(patch) => patch.line_stats().map_err(ReadError::git(format!("count the lines of `{path}`")))?,
            None => (0, 0, 0),
        };
        changed.push(ChangedPath { path, change, added: count(added), removed: count(removed) });
    }
    Ok(Some(changed))
}

fn count(lines: usize) -> u32 {
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// None when a tree is too large to be compared: a tree of few objects can stand for billions of files.
fn compare<'r>(
    repository: &'r Repository,
    old: Option<&git2::Tree<'r>>,
    new: &git2::Tree<'r>,
    scale: &mut Scale,
) -> Result<Option<git2::Diff<'r>>, ReadError> {
    for tree in old.iter().copied().chain([new]) {
        if !scale.bearable(repository, tree.id())? {
            return Ok(None);
        }
    }
    let mut options = DiffOptions::new();
    options.context_lines(3).include_typechange(true).max_size(MAX_DIFF_FILE_BYTES as i64);
    repository
        .diff_tree_to_tree(old, Some(new), Some(&mut options))
        .map(Some)
        .map_err(ReadError::git("compare two commits"))
}

fn path_and_change(delta: &git2::DiffDelta<'_>) -> Option<(String, Change)> {
    let change = match delta.status() {
        git2::Delta::Added => Change::Added,
        git2::Delta::Deleted => Change::Deleted,
        git2::Delta::Modified | git2::Delta::Typechange => Change::Modified,
        _ => return None,
    };
    let file = if change == Change::Deleted { delta.old_file() } else { delta.new_file() };
    Some((String::from_utf8_lossy(file.path_bytes()?).into_owned(), change))
}

/// What may still be shown.
struct Room {
    lines: usize,
    bytes: usize,
}

fn file_diff(diff: &git2::Diff<'_>, index: usize, room: &mut Room) -> Result<Option<FileDiff>, ReadError> {
    let Some((path, change)) = diff.get_delta(index).as_ref().and_then(path_and_change) else { return Ok(None) };
    let failed = || ReadError::git(format!("compare `{path}`"));
    let patch = Patch::from_diff(diff, index).map_err(failed())?;
    // Read again: the sizes are known only once the contents were looked at.
    let delta = diff.get_delta(index);
    let too_large = delta.iter().any(|d| d.old_file().size().max(d.new_file().size()) > MAX_DIFF_FILE_BYTES);
    let binary = delta.iter().any(|d| d.flags().is_binary());
    let (shown, hunks) = match patch {
        _ if too_large => (Shown::TooLarge, Vec::new()),
        _ if binary => (Shown::Binary, Vec::new()),
        Some(patch) => match hunks(&patch, room).map_err(failed())? {
            Some(hunks) => (Shown::Lines, hunks),
            None => (Shown::TooLarge, Vec::new()),
        },
        None => (Shown::Lines, Vec::new()),
    };
    Ok(Some(FileDiff { path, change, shown, hunks }))
}

/// None when there is no room for them.
fn hunks(patch: &Patch<'_>, room: &mut Room) -> Result<Option<Vec<Hunk>>, git2::Error> {
    let mut hunks = Vec::new();
    for at in 0..patch.num_hunks() {
        let (hunk, count) = patch.hunk(at)?;
        let mut lines = Vec::new();
        for n in 0..count {
            let line = patch.line_in_hunk(at, n)?;
            let fits = room.lines.checked_sub(1).zip(room.bytes.checked_sub(line.content().len()));
            let Some((left, bytes)) = fits else { return Ok(None) };
            *room = Room { lines: left, bytes };
            lines.extend(diff_line(&line));
        }
        hunks.push(Hunk {
            old_start: hunk.old_start(),
            old_lines: hunk.old_lines(),
            new_start: hunk.new_start(),
            new_lines: hunk.new_lines(),
            lines,
        });
    }
    Ok(Some(hunks))
}

fn diff_line(line: &git2::DiffLine<'_>) -> Option<Line> {
    let kind = match line.origin_value() {
        DiffLineType::Context => LineKind::Context,
        DiffLineType::Addition => LineKind::Added,
        DiffLineType::Deletion => LineKind::Removed,
        DiffLineType::ContextEOFNL | DiffLineType::AddEOFNL | DiffLineType::DeleteEOFNL => {
            let text = "No line end at the end of the file".to_owned();
            return Some(Line { kind: LineKind::NoNewline, old: None, new: None, text });
        }
        _ => return None,
    };
    let text = String::from_utf8_lossy(line.content());
    let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
    Some(Line { kind, old: line.old_lineno(), new: line.new_lineno(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_may_not_span_two_hunks() {
        let mut diff = DiffLines::default();
        diff.add("a.yaml", 1..=5);
        diff.add("a.yaml", 9..=12);
        assert!(diff.shows("a.yaml", 2..=5));
        assert!(!diff.shows("a.yaml", 5..=9));
        assert!(!diff.shows("b.yaml", 1..=1));
    }

    use super::super::testing::Git;

    fn diff(git: &Git, base: &CommitId, head: &CommitId) -> Diff {
        read(&git.repository(), Some(base), head, Deadline::none()).unwrap()
    }

    #[test]
    fn a_diff_has_the_lines_that_git_shows() {
        let git = Git::new();
        let text: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        git.write("a.txt", &text);
        git.write("gone.txt", "x\n");
        let base = git.commit("base");
        git.write("a.txt", text.replace("line 10\n", "ten\nand more\n").replace("line 30\n", "end"));
        git.write("new.txt", "y\n");
        git.run(&["rm", "-q", "gone.txt"]);
        let head = git.commit("head");

        let diff = diff(&git, &base, &head);
        let seen: Vec<_> = diff.files.iter().map(|f| (f.path.as_str(), f.change, f.hunks.len())).collect();
        assert_eq!(
            seen,
            [("a.txt", Change::Modified, 2), ("gone.txt", Change::Deleted, 1), ("new.txt", Change::Added, 1)]
        );

        let hunk = &diff.files[0].hunks[0];
        assert_eq!((hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines), (7, 7, 7, 8));
        let added: Vec<_> =
            hunk.lines.iter().filter(|l| l.kind == LineKind::Added).map(|l| (l.new, &*l.text)).collect();
        assert_eq!(added, [(Some(10), "ten"), (Some(11), "and more")]);
        assert_eq!(diff.files[0].hunks[1].lines.last().map(|l| l.kind), Some(LineKind::NoNewline));

        let lines = diff.lines();
        assert!(lines.shows("a.txt", 7..=14) && !lines.shows("a.txt", 6..=7) && !lines.shows("a.txt", 14..=15));
        assert!(lines.shows("new.txt", 1..=1));
        assert!(!lines.shows("gone.txt", 1..=1), "a deleted line is not a line of the head");
    }

    #[test]
    fn binary_and_large_files_are_flagged_and_take_no_comments() {
        let git = Git::new();
        let base = git.commit("base");
        git.write("binary", [0, 1, 2]);
        git.write("large", "x\n".repeat(MAX_DIFF_FILE_BYTES as usize));
        git.write("long", "x\n".repeat(MAX_DIFF_LINES + 1));
        let head = git.commit("head");
        let diff = diff(&git, &base, &head);
        let shown: Vec<_> = diff.files.iter().map(|f| (f.path.as_str(), f.shown, f.hunks.len())).collect();
        assert_eq!(shown, [("binary", Shown::Binary, 0), ("large", Shown::TooLarge, 0), ("long", Shown::TooLarge, 0)]);
    }

    #[test]
    fn a_changed_mode_or_type_is_one_modified_file() {
        let git = Git::new();
        git.write("run.sh", "x\n");
        git.write("file", "x\n");
        let base = git.commit("base");
        git.executable("run.sh");
        git.run(&["rm", "-q", "file"]);
        git.symlink("file", "/etc/passwd");
        let head = git.commit("head");
        let seen: Vec<_> = diff(&git, &base, &head).files.into_iter().map(|f| (f.path, f.change)).collect();
        assert_eq!(seen, [("file".to_owned(), Change::Modified), ("run.sh".to_owned(), Change::Modified)]);
    }

    #[test]
    fn a_tree_that_stands_for_billions_of_files_is_not_compared() {
        let git = Git::new();
        let base = git.commit("base");
        let head = git.raw_commit(&git.doubling_tree(), &[&base]);
        assert_eq!(diff(&git, &base, &head), Diff { files: Vec::new(), truncated: true });
    }
}
