//! Limits of a submission, in one place. The table of `docs/submission.md` is checked against them.
//!
//! All of them are deterministic: the same commit exceeds them everywhere. Exceeding one is a [`Violation`], which the
//! grader turns into `fail`, *your files*; only a deadline is not a matter of the learner.
//!
//! [`Violation`]: super::violation::Violation

/// Bytes of all files of a tree together. A workspace of 200 tasks measures below 5 MB; trees are held in memory, and
/// several are graded at once.
pub const MAX_TOTAL_BYTES: u64 = 64 << 20;

/// Bytes of one file. The YAML reader stops at 10 MB too, and no task needs a file of a tenth of that.
pub const MAX_FILE_BYTES: u64 = 10 << 20;

/// Files of a tree. Ten times a large workspace.
pub const MAX_FILES: usize = 20_000;

/// Bytes of a path. Windows stops at 260 characters by default, with the directory of the clone in front.
pub const MAX_PATH_BYTES: usize = 400;

/// Bytes of one name in a path: what ext4, APFS and NTFS can hold.
pub const MAX_NAME_BYTES: usize = 255;

/// Directories above a file. Deeper trees occur only in attacks on recursive readers.
pub const MAX_DEPTH: usize = 32;

/// Bytes received in one fetch: the history of a fork on top of what we have. Git compresses text about four times.
pub const MAX_FETCH_BYTES: usize = 64 << 20;

/// Commits between merge base and head that are read. Beyond it the history counts as truncated.
pub const MAX_COMMITS: usize = 1_000;

/// Changed paths, summed over the commits that are read. Beyond it the history counts as truncated.
pub const MAX_CHANGED_PATHS: usize = 50_000;

/// Bytes of a commit message that are kept.
pub const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// Files of a diff; GitHub shows 300.
pub const MAX_DIFF_FILES: usize = 300;

/// Bytes of one side of a file in a diff; larger files are flagged and not compared line by line.
pub const MAX_DIFF_FILE_BYTES: u64 = 1 << 20;

/// Lines of a diff over all files; GitHub shows 20,000.
pub const MAX_DIFF_LINES: usize = 20_000;

/// Bytes of the lines of a diff over all files: what a page may weigh.
pub const MAX_DIFF_BYTES: usize = 4 << 20;

/// Commits of one push that are looked at before it is let in.
pub const MAX_PUSH_COMMITS: usize = 10_000;

/// Trees and files of one push that are looked at before it is let in.
pub const MAX_PUSH_OBJECTS: usize = 200_000;

/// Violations that are reported; the first few are what a learner acts on.
pub const MAX_VIOLATIONS: usize = 100;

#[cfg(test)]
mod tests {
    use super::super::violation::bytes;
    use super::*;

    #[test]
    fn the_documentation_names_every_limit_with_its_value() {
        let values = [
            ("MAX_TOTAL_BYTES", bytes(MAX_TOTAL_BYTES)),
            ("MAX_FILE_BYTES", bytes(MAX_FILE_BYTES)),
            ("MAX_FILES", MAX_FILES.to_string()),
            ("MAX_PATH_BYTES", MAX_PATH_BYTES.to_string()),
            ("MAX_NAME_BYTES", MAX_NAME_BYTES.to_string()),
            ("MAX_DEPTH", MAX_DEPTH.to_string()),
            ("MAX_FETCH_BYTES", bytes(MAX_FETCH_BYTES as u64)),
            ("MAX_COMMITS", MAX_COMMITS.to_string()),
            ("MAX_CHANGED_PATHS", MAX_CHANGED_PATHS.to_string()),
            ("MAX_MESSAGE_BYTES", bytes(MAX_MESSAGE_BYTES as u64)),
            ("MAX_DIFF_FILES", MAX_DIFF_FILES.to_string()),
            ("MAX_DIFF_LINES", MAX_DIFF_LINES.to_string()),
            ("MAX_DIFF_BYTES", bytes(MAX_DIFF_BYTES as u64)),
            ("MAX_DIFF_FILE_BYTES", bytes(MAX_DIFF_FILE_BYTES)),
            ("MAX_PUSH_COMMITS", MAX_PUSH_COMMITS.to_string()),
            ("MAX_PUSH_OBJECTS", MAX_PUSH_OBJECTS.to_string()),
            ("MAX_VIOLATIONS", MAX_VIOLATIONS.to_string()),
        ];
        let constants = include_str!("limits.rs").lines().filter(|line| line.starts_with("pub const ")).count();
        assert_eq!(constants, values.len(), "a constant is missing in this test");
        let documented: Vec<_> = include_str!("../../docs/submission.md")
            .lines()
            .filter(|line| line.ends_with("` |"))
            .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
            .map(|cells| (cells[3].trim_matches('`'), cells[2].to_owned()))
            .collect();
        assert_eq!(documented, values);
    }
}
