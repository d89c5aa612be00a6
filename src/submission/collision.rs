//! Names that Windows and macOS take for one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::names::folded;
use super::tree::Tree;
use super::violation::Violation;

/// Names of files and directories in `head` that differ only in case or Unicode normalisation. Of such a group those
/// that `base` has too are fine, so that what was published is never the learner's fault; without such one the first is.
pub(super) fn collisions(head: &Tree, base: Option<&Tree>) -> Vec<Violation> {
    let known = base.map(all_names).unwrap_or_default();
    let mut groups: BTreeMap<Cow<'_, str>, Vec<&str>> = BTreeMap::new();
    for name in all_names(head) {
        groups.entry(fold(name)).or_default().push(name);
    }
    let mut found = Vec::new();
    for group in groups.values().filter(|group| group.len() > 1) {
        let keeper = group.iter().find(|name| known.contains(*name)).unwrap_or(&group[0]);
        let culprits = group.iter().filter(|name| *name != keeper && !known.contains(*name));
        // `Tasks/` beside `tasks/` is said once, not again for every file of the same name in both.
        found.extend(
            culprits.filter(|name| parent(name) == parent(keeper)).map(|name| Violation::collision(name, keeper)),
        );
    }
    found
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// Paths of all files and of all directories above them.
fn all_names(tree: &Tree) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for path in tree.paths() {
        let mut name = path;
        while names.insert(name) {
            match name.rsplit_once('/') {
                Some((dir, _)) => name = dir,
                None => break,
            }
        }
    }
    names
}

fn fold(path: &str) -> Cow<'_, str> {
    if path.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(folded(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::default();
        paths.iter().for_each(|path| tree.insert_file(*path, *b""));
        tree
    }

    fn culprits(head: &[&str], base: Option<&[&str]>) -> Vec<String> {
        collisions(&tree(head), base.map(tree).as_ref()).into_iter().map(|v| v.path).collect()
    }

    #[test]
    fn what_was_published_is_never_the_culprit() {
        assert_eq!(culprits(&["A.md", "a.md"], Some(&["a.md"])), ["A.md"]);
        assert_eq!(culprits(&["A.md", "a.md"], Some(&["A.md"])), ["a.md"]);
        assert_eq!(culprits(&["A.md", "a.md"], Some(&["A.md", "a.md"])), [""; 0]);
        assert_eq!(culprits(&["A.md", "a.md"], None), ["a.md"]);
    }

    #[test]
    fn a_directory_in_another_case_is_said_once() {
        assert_eq!(
            culprits(&["Tasks/x/a.yaml", "tasks/x/a.yaml", "tasks/x/b.yaml"], Some(&["tasks/x/a.yaml"])),
            ["Tasks"]
        );
    }

    #[test]
    fn accents_written_in_two_ways_collide() {
        assert_eq!(culprits(&["cafe\u{301}.md", "caf\u{e9}.md"], None).len(), 1);
        assert_eq!(culprits(&["a/x", "b/X"], None), [""; 0]);
    }
}
