//! Solutions and alternatives: what they put over the starter.

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::load::check_path;
use crate::submission::tree::Tree;

/// The file of an overlay that lists what it deletes: a path per line; `#` begins a comment.
pub const REMOVED: &str = ".removed";

/// The file of an overlay that says how it was committed: a list of commits. Needed only where a `git` checkpoint looks
/// at commits.
pub const COMMITS: &str = ".commits.yaml";

/// The starter with an overlay on it. `file` names the overlay's directory, for messages.
pub fn overlay(starter: &Tree, over: &Tree, file: &str, problems: &mut Vec<Diagnostic>) -> Tree {
    let mut result = starter.clone();
    let list = format!("{file}/{REMOVED}");
    let removed = over.file(REMOVED).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    for (index, line) in removed.lines().enumerate() {
        let path = line.trim();
        if path.is_empty() || path.starts_with('#') {
            continue;
        }
        let problem =
            |message: String| Diagnostic::new(&list, message).at(Spot::line(index + 1, 0, line.chars().count()));
        if let Some(bad) = check_path(path) {
            problems.push(problem(bad).help("paths are relative to `tasks/TASK-ID/` of the workspace"));
        } else if result.remove(path).is_none() {
            let help = nearest(path, starter.paths())
                .map_or_else(|| "remove the line".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.push(problem(format!("the starter has no file `{path}`")).help(help));
        }
    }
    for (path, entry) in over.iter().filter(|(path, _)| ![REMOVED, COMMITS].contains(path)) {
        if starter.get(path) == Some(entry) {
            let message = "the same as in the starter";
            problems.push(
                Diagnostic::new(format!("{file}/{path}"), message).help("remove it: an overlay holds differences"),
            );
        }
        result.insert(path, entry.clone());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_adds_replaces_and_removes() {
        let mut starter = Tree::default();
        starter.insert_file("a", *b"1");
        starter.insert_file("b", *b"2");
        starter.insert_file("c", *b"3");
        let mut over = Tree::default();
        over.insert_file(".removed", *b"# gone\nb\n");
        over.insert_file("a", *b"9");
        over.insert_file("d", *b"4");
        let mut problems = Vec::new();
        let result = overlay(&starter, &over, "solution", &mut problems);
        assert_eq!(problems, []);
        assert_eq!(result.paths().collect::<Vec<_>>(), ["a", "c", "d"]);

        over.insert_file(".removed", *b"bb\n../x\n");
        over.insert_file("c", *b"3");
        overlay(&starter, &over, "solution", &mut problems);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        solution/.removed:1:1: the starter has no file `bb` (did you mean `b`?)
        solution/.removed:2:1: the path `../x` leaves the directory by `..` (paths are relative to `tasks/TASK-ID/` of the workspace)
        solution/c: the same as in the starter (remove it: an overlay holds differences)
        ");
    }
}
