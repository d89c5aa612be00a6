//! Which lines of the head a forge's diff shows: only there may a line comment stand.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

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
}
