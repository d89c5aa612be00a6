//! The history that a submission of the gate would have: one honest commit on the starter, unless its author plans others.

use similar::{ChangeTag, TextDiff};

use crate::course::kinds::CommitFile;
use crate::submission::history::{Change, ChangedPath, CommitFacts, History};
use crate::submission::sha::CommitId;
use crate::submission::tree::{Entry, Tree};

/// The subject of that commit, unless the author says otherwise.
const SUBJECT: &str = "Solve the task";

/// The history of somebody who changed `base` to `files`: in one commit, or as `planned`. Who changes nothing and plans
/// nothing has no commit. Paths of the task get `prefix` in front.
pub fn history(base: &Tree, files: &Tree, planned: Option<&[CommitFile]>, prefix: &str) -> History {
    let mut changed = changed(base, files, prefix);
    let published = made_up(0);
    let one = [CommitFile { message: SUBJECT.to_owned(), merge: false, signed: false, files: None, also: Vec::new() }];
    let planned = planned.unwrap_or(if changed.is_empty() { &[] } else { &one });
    let mut left = changed.clone();
    let mut commits: Vec<CommitFacts> = Vec::with_capacity(planned.len());
    for (plan, number) in planned.iter().zip(1..) {
        let parent = commits.last().map_or(&published, |commit| &commit.id);
        let mut parents = vec![parent.clone()];
        if plan.merge {
            parents.push(made_up(u32::MAX - number));
        }
        let elsewhere: Vec<ChangedPath> = plan.also.iter().map(|path| touched(path)).collect();
        changed.extend(elsewhere.iter().cloned());
        let mut of_commit: Vec<ChangedPath> = match &plan.files {
            None => std::mem::take(&mut left),
            Some(paths) => {
                left.extract_if(.., |c| paths.iter().any(|path| c.path == format!("{prefix}{path}"))).collect()
            }
        };
        of_commit.extend(elsewhere);
        commits.push(CommitFacts {
            id: made_up(number),
            parents,
            message: plan.message.clone(),
            author: "learner".to_owned(),
            time: 0,
            signed: plan.signed,
            changed: of_commit,
        });
    }
    changed.sort_by(|a, b| a.path.cmp(&b.path));
    History { merge_base: Some(published), commits, truncated: false, changed }
}

/// A path elsewhere, changed by one line.
fn touched(path: &str) -> ChangedPath {
    ChangedPath { path: path.to_owned(), change: Change::Modified, added: 1, removed: 1 }
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
        let history = history(&base, &files, None, "tasks/t/");
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
    fn a_plan_spreads_the_changes_over_commits_and_adds_to_them() {
        let base = Tree::default();
        let mut files = Tree::default();
        files.insert_file("a", *b"a\n");
        files.insert_file("b", *b"b\n");
        let plan = |message: &str, merge, files: Option<&[&str]>, also: &[&str]| CommitFile {
            message: message.to_owned(),
            merge,
            signed: merge,
            files: files.map(|files| files.iter().map(ToString::to_string).collect()),
            also: also.iter().map(ToString::to_string).collect(),
        };
        let plan = [plan("one", false, Some(&["b"]), &["README.md"]), plan("two", true, None, &[])];
        let history = history(&base, &files, Some(&plan), "tasks/t/");
        let paths = |changed: &[ChangedPath]| changed.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&history.commits[0].changed), ["tasks/t/b", "README.md"]);
        assert_eq!(paths(&history.commits[1].changed), ["tasks/t/a"]);
        assert_eq!(paths(&history.changed), ["README.md", "tasks/t/a", "tasks/t/b"]);
        assert!(!history.commits[0].is_merge() && history.commits[1].is_merge() && history.commits[1].signed);
        assert_eq!(history.commits[1].parents[0], history.commits[0].id);
    }

    #[test]
    fn who_changes_nothing_has_no_commit() {
        let mut base = Tree::default();
        base.insert_file("kept", *b"a\n");
        assert!(history(&base, &base, None, "tasks/t/").commits.is_empty());
    }
}
