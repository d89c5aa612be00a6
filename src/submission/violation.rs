//! Limits and tricks as values: what a submission may not hold, with the remedy.

use serde::{Deserialize, Serialize};

use super::limits::{
    MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_PUSH_COMMITS, MAX_TOTAL_BYTES,
    MAX_VIOLATIONS,
};
use super::sha::CommitId;
use super::shell::quoted;

/// Something that a submission may not hold. A checkpoint that it concerns is `fail`, *your files*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Path from the top of the workspace, unprintable characters escaped; empty when it concerns all of it.
    pub path: String,
    /// Which rule.
    pub rule: Rule,
    /// What is wrong, in one sentence without a full stop; names the path.
    pub what: String,
    /// The limit with its unit, where there is one.
    pub limit: Option<String>,
    /// What to do, in one sentence without a full stop.
    pub remedy: String,
}

/// Which rule a violation breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// All files together are too large; the tree is incomplete.
    TotalBytes,
    /// Too many files; the tree is incomplete.
    Files,
    /// One push brings too many commits.
    Commits,
    /// One file is too large; it is not in the tree.
    FileBytes,
    /// The path or a name in it is too long; it is not in the tree.
    PathLength,
    /// The path is too deep; it is not in the tree.
    Depth,
    /// The name is a trick or cannot exist on every system; it is not in the tree.
    Name,
    /// Two names differ only in case or Unicode normalisation; both are in the tree.
    Collision,
    /// A Git tree with names twice or out of order; the tree is incomplete.
    Malformed,
    /// A symbolic link; it is in the tree as a link and never followed.
    Symlink,
    /// A submodule; it is in the tree as one and never fetched.
    Submodule,
    /// A Git LFS pointer in place of the file; the pointer is in the tree.
    LfsPointer,
    /// A socket, pipe or device; it is not in the tree.
    Special,
    /// A clean filter of the learner's configuration would change the file when it is committed; it is in the tree as
    /// it lies on the disk.
    ExternalFilter,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(limit) = &self.limit {
            write!(f, " (limit: {limit})")?;
        }
        write!(f, ": {}", self.remedy)
    }
}

/// The violations that concern `prefix` (as in `tasks/TASK-ID/`): those below it and those of the whole submission.
pub fn violations_below<'a>(violations: &'a [Violation], prefix: &str) -> impl Iterator<Item = &'a Violation> {
    let prefix = prefix.trim_end_matches('/').to_owned();
    violations.iter().filter(move |violation| {
        let rest = violation.path.strip_prefix(&prefix);
        violation.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Collects violations up to [`MAX_VIOLATIONS`].
#[derive(Debug, Default)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    /// Adds one unless there are too many already. The caller stops reading on rules of the whole tree, so none of
    /// those gets lost here.
    pub fn add(&mut self, violation: Violation) {
        if self.0.len() < MAX_VIOLATIONS || violation.path.is_empty() {
            self.0.push(violation);
        }
    }

    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}

/// Bytes for people: exact multiples of MiB as such.
pub(super) fn bytes(n: u64) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n >= 1 << 20 => format!("{:.1} MiB", n as f64 / f64::from(1 << 20)),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// A path for messages: control, bidi and other invisible characters escaped, so that it shows what it is.
pub fn printable(path: &str) -> String {
    path.chars()
        .flat_map(|c| {
            let hidden = c.is_control() || super::names::is_invisible(c) || c == '\u{fffd}';
            if hidden { c.escape_unicode().collect::<String>() } else { c.to_string() }.chars().collect::<Vec<_>>()
        })
        .collect()
}

impl Violation {
    fn new(path: &str, rule: Rule, what: String, remedy: impl Into<String>) -> Self {
        Self { path: printable(path), rule, what, limit: None, remedy: remedy.into() }
    }

    fn limit(mut self, limit: String) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) fn total_bytes() -> Self {
        let what = "the files are too large together".to_owned();
        let remedy = "take large files out with `git rm`, keep them elsewhere and push again";
        Self::new("", Rule::TotalBytes, what, remedy).limit(bytes(MAX_TOTAL_BYTES))
    }

    pub(super) fn files() -> Self {
        let what = "there are too many files".to_owned();
        let remedy = "take generated files out with `git rm -r --cached DIRECTORY`, name the directory in `.gitignore` \
                      and push again";
        Self::new("", Rule::Files, what, remedy).limit(format!("{MAX_FILES} files"))
    }

    pub(super) fn commits() -> Self {
        let what = "the push brings too many commits".to_owned();
        let remedy = "start a branch from `origin/main` and bring only your own commits over with `git cherry-pick`";
        Self::new("", Rule::Commits, what, remedy).limit(format!("{MAX_PUSH_COMMITS} commits"))
    }

    pub(super) fn file_bytes(path: &str, size: u64) -> Self {
        let what = format!("`{}` is too large: {}", printable(path), bytes(size));
        Self::new(path, Rule::FileBytes, what, "take it out with `git rm` or make it smaller")
            .limit(bytes(MAX_FILE_BYTES))
    }

    /// A file that a commit of a push brings: taken out by a later one, it would still come along.
    pub(super) fn file_bytes_of(path: &str, size: u64, commit: &CommitId) -> Self {
        let violation = Self::file_bytes(path, size);
        let (Some(path), commit) = (quoted(path), commit.short()) else { return violation };
        let remedy = format!(
            "commit {commit} brings it, and a later commit that takes it out leaves it there; begin again before that \
             one: git reset --soft {commit}~1 && git rm -q --cached --ignore-unmatch {path} && git commit -m \"Without \
             the large file\""
        );
        Self { remedy, ..violation }
    }

    pub(super) fn path_length(path: &str) -> Self {
        // Such a path floods a review: its start is enough to find it.
        let start: String = path.chars().take(80).collect();
        let what = format!("the path that starts with `{}` is too long: {} bytes", printable(&start), path.len());
        Self::new(path, Rule::PathLength, what, "use shorter names or fewer directories")
            .limit(format!("{MAX_PATH_BYTES} bytes, {MAX_NAME_BYTES} for each name"))
    }

    pub(super) fn depth(path: &str) -> Self {
        let start: String = path.chars().take(80).collect();
        let what = format!("the path that starts with `{}` is too deep", printable(&start));
        Self::new(path, Rule::Depth, what, "move the file up").limit(format!("{MAX_DEPTH} directories"))
    }

    pub(super) fn name(path: &str, why: &str) -> Self {
        let what = format!("`{}` {why}", printable(path));
        Self::new(path, Rule::Name, what, "rename it, using letters, digits, `.`, `_` and `-`")
    }

    pub(super) fn collision(path: &str, other: &str) -> Self {
        let (path_shown, other_shown) = (printable(path), printable(other));
        let what = format!(
            "`{path_shown}` and `{other_shown}` differ only in upper and lower case or in how accents are encoded, \
             so Windows and macOS cannot hold both"
        );
        Self::new(path, Rule::Collision, what, "keep one and remove the other with `git rm`")
    }

    pub(super) fn malformed(dir: &str) -> Self {
        let what = format!("the directory `{}` holds names twice or out of order", printable(dir));
        let remedy = "commit with Git itself: this tree was written by another program";
        Self { path: String::new(), ..Self::new(dir, Rule::Malformed, what, remedy) }
    }

    pub(super) fn symlink(path: &str, target: &str) -> Self {
        let what = format!("`{}` is a symbolic link to `{}`; links are not followed", printable(path), {
            let start: String = target.chars().take(80).collect();
            printable(&start)
        });
        Self::new(path, Rule::Symlink, what, "commit the file itself in its place")
    }

    pub(super) fn submodule(path: &str) -> Self {
        let path_shown = printable(path);
        let what = format!("`{path_shown}` is a submodule (a repository inside the repository); it is not fetched");
        let remedy = format!(
            "take it out with `git rm --cached {path_shown}`, delete the `.git` directory in it, then `git add \
             {path_shown}`"
        );
        Self::new(path, Rule::Submodule, what, remedy)
    }

    pub(super) fn lfs_pointer(path: &str) -> Self {
        let path_shown = printable(path);
        let what = format!("`{path_shown}` is a Git LFS pointer, not the file");
        let remedy = format!(
            "commit the file itself: `git lfs untrack {path_shown}`, then `git add --renormalize {path_shown}` and \
             commit"
        );
        Self::new(path, Rule::LfsPointer, what, remedy)
    }

    pub(super) fn special(path: &str) -> Self {
        let what = format!("`{}` is a socket, pipe or device", printable(path));
        Self::new(path, Rule::Special, what, "remove it or name it in `.gitignore`")
    }

    pub(super) fn external_filter(path: &str, attribute: &str) -> Self {
        let what = format!(
            "`{}` has `{attribute}` in `.gitattributes`, so what you commit is not what lies on the disk",
            printable(path)
        );
        let remedy = "take that attribute out, or commit and grade the commit";
        Self::new(path, Rule::ExternalFilter, what, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_concerns_its_directory_and_one_of_the_whole_concerns_all() {
        let all = [Violation::symlink("tasks/a/link", "/etc/passwd"), Violation::files()];
        let rules = |prefix| violations_below(&all, prefix).map(|v| v.rule).collect::<Vec<_>>();
        assert_eq!(rules("tasks/a/"), [Rule::Symlink, Rule::Files]);
        assert_eq!(rules("tasks/a"), [Rule::Symlink, Rule::Files]);
        assert_eq!(rules("tasks/ab/"), [Rule::Files]);
        assert_eq!(rules("tasks/a/link"), [Rule::Symlink, Rule::Files]);
    }

    #[test]
    fn a_path_in_a_message_shows_its_invisible_characters() {
        assert_eq!(printable("a\u{202e}b\n"), r"a\u{202e}b\u{a}");
    }

    #[test]
    fn the_list_of_violations_is_bounded_but_never_drops_one_of_the_whole_tree() {
        let mut violations = Violations::default();
        for n in 0..MAX_VIOLATIONS * 2 {
            violations.add(Violation::special(&n.to_string()));
        }
        violations.add(Violation::files());
        assert_eq!(violations.into_vec().len(), MAX_VIOLATIONS + 1);
    }
}
