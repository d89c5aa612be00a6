//! The history that a submission of the gate would have: one honest commit on the starter.

use similar::{ChangeTag, TextDiff};

use crate::submission::history::{Change, ChangedPath, CommitFacts, History};
use crate::submission::sha::CommitId;
use crate::submission::tree::{Entry, Tree};

/// The subject of that commit, unless the author says otherwise.
const SUBJECT: &str = "Solve the task";

/// The history of somebody who changed `base` to `files` in one commit; of somebody who changed nothing, no commit.
/// Paths get `prefix` in front.
pub fn history(base: &Tree, files: &Tree, prefix: &str) -> History {
    let published = made_up(0);
    let changed = changed(base, files, prefix);
    let commits = if changed.is_empty() { Vec::new() } else { vec![commit(1, &published, changed.clone())] };
    History { merge_base: Some(published), commits, truncated: false, changed }
}

fn commit(number: u32, parent: &CommitId, changed: Vec<ChangedPath>) -> CommitFacts {
    CommitFacts {
        id: made_up(number),
        parents: vec![parent.clone()],
        message: SUBJECT.to_owned(),
        author: "learner".to_owned(),
        time: 0,
        signed: false,
        changed,
    }
}

/// An id of no commit anywhere.
fn made_up(number: u32) -> CommitId {
    format!("{number:040x}").parse().expect("40 hexadecimal digits")
}

fn changed(base: &Tree, files: &Tree, prefix: &str) -> Vec<ChangedPath> {
    let entry = |path: &str, change, old: Option<&Entry>, new: Option<&Entry>| {
        let (added, removed) = lines(old, new);
        ChangedPath { path: format!("{prefix}{path}"), change, added, removed }
    };
    let mut changed: Vec<ChangedPath> = files
        .iter()
        .filter_map(|(path, new)| match base.get(path) {
            None => Some(entry(path, Change::Added, None, Some(new))),
            Some(old) if old != new => Some(entry(path, Change::Modified, Some(old), Some(new))),
            Some(_) => None,
        })
        .collect();
    let gone = base.iter().filter(|(path, _)| files.get(path).is_none());
    changed.extend(gone.map(|(path, old)| entry(path, Change::Deleted, Some(old), None)));
    changed.sort_by(|a, b| a.path.cmp(&b.path));
    changed
}

/// Lines added and removed; none for what is not text.
fn lines(old: Option<&Entry>, new: Option<&Entry>) -> (u32, u32) {
    let text = |entry: Option<&Entry>| match entry {
        Some(Entry::File { bytes, .. }) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Some(Entry::Symlink(target)) => Some(target.clone()),
        Some(Entry::Submodule) => None,
        None => Some(String::new()),
    };
    let (Some(old), Some(new)) = (text(old), text(new)) else { return (0, 0) };
    let diff = TextDiff::from_lines(&old, &new);
    let count = |tag| {
        let lines = diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        u32::try_from(lines).unwrap_or(u32::MAX)
    };
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_tells_exactly_what_differs() {
        let mut base = Tree::default();
        base.insert_file("kept", *b"a\n");
        base.insert_file("changed", *b"a\nb\nc\n");
        base.insert_file("gone", *b"a\nb\n");
        let mut files = base.clone();
        files.remove("gone");
        files.insert_file("changed", *b"a\nB\nc\nd\n");
        files.insert_file("new", *b"x\n");
        let history = history(&base, &files, "tasks/t/");
        let found: Vec<_> = history.changed.iter().map(|c| (c.path.as_str(), c.change, c.added, c.removed)).collect();
        assert_eq!(
            found,
            [
                ("tasks/t/changed", Change::Modified, 2, 1),
                ("tasks/t/gone", Change::Deleted, 0, 2),
                ("tasks/t/new", Change::Added, 1, 0),
            ]
        );
        assert_eq!(history.commits.len(), 1);
        assert_eq!(history.commits[0].changed, history.changed);
    }

    #[test]
    fn who_changes_nothing_has_no_commit() {
        let mut base = Tree::default();
        base.insert_file("kept", *b"a\n");
        assert!(history(&base, &base, "tasks/t/").commits.is_empty());
    }
}
