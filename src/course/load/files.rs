//! Paths that authors write, and the files of a task's directory.

use super::Loader;
use crate::course::diagnostic::{Diagnostic, nearest};

/// What a task's directory may hold.
const FILES: [&str; 3] = ["task.yaml", "brief.md", "debrief.md"];
const DIRECTORIES: [&str; 6] = ["starter", "solution", "alternatives", "mutants", "hidden", "seed"];

/// Why a path (or glob) must not be used, if it must not.
pub(crate) fn check_path(path: &str) -> Option<String> {
    let reason = if path.is_empty() {
        "is empty"
    } else if path.starts_with('/') {
        "begins with `/`"
    } else if path.contains('\\') {
        "holds a backslash"
    } else if path.contains('\0') {
        "holds a NUL character"
    } else if path.split('/').any(|part| part == "..") {
        "leaves the directory by `..`"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "has an empty or `.` segment"
    } else if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
        "reaches into `.git`"
    } else {
        return None;
    };
    Some(format!("the path `{}` {reason}", path.escape_debug()))
}

/// Whether a file of a task goes through handlebars.
pub(crate) fn is_template(path: &str) -> bool {
    path.ends_with(".hbs")
}

impl Loader<'_> {
    /// Reports entries of a task's directory that nothing would read.
    pub(super) fn check_layout(&mut self, dir: &str) {
        let prefix = format!("{dir}/");
        let strays: Vec<Diagnostic> =
            self.tree.paths().filter_map(|path| stray(path, path.strip_prefix(&prefix)?)).collect();
        self.problems.extend(strays);
    }
}

fn stray(path: &str, inside: &str) -> Option<Diagnostic> {
    let (top, rest) = inside.split_once('/').map_or((inside, None), |(top, rest)| (top, Some(rest)));
    let problem = |message: &str| Some(Diagnostic::new(path, message.to_owned()));
    match rest {
        None if FILES.contains(&top) => None,
        Some(name) if top == "mutants" && (name.contains('/') || !name.ends_with(".yaml")) => {
            problem("not a mutant").map(|problem| problem.help("a mutant is a file mutants/NAME.yaml"))
        }
        Some(name) if top == "alternatives" && !name.contains('/') => problem("not an alternative")
            .map(|problem| problem.help("an alternative is a directory alternatives/NAME/")),
        Some(_) if DIRECTORIES.contains(&top) => None,
        _ => {
            let known = FILES.into_iter().chain(DIRECTORIES);
            let help = nearest(top, known.clone()).map_or_else(
                || format!("a task holds {}", known.collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            problem("nothing reads this").map(|problem| problem.help(help))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_directory() {
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", ".git/config", "a/.GIT/x"] {
            assert!(check_path(bad).is_some(), "{bad}");
        }
        for good in ["a", "a/b.yaml", "**/*.yaml", "..a/b", ".github/workflows/x.yaml"] {
            assert_eq!(check_path(good), None);
        }
    }
}
