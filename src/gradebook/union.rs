//! Two versions of a file made one. Pure.
//!
//! Lines are only ever added, so both sides' lines count, theirs first; a line that one side took away by hand (it was in
//! the version that both know) stays away. Other files are replaced as a whole: who changed it wins, they over us.

use std::collections::HashSet;

/// Ours, theirs, and `base`, which both know.
pub fn lines(base: &[u8], ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    let known: HashSet<&[u8]> = split(base).chain(split(theirs)).collect();
    let mut merged = theirs.to_vec();
    if !merged.is_empty() && !merged.ends_with(b"\n") {
        // Their last line was mended by an editor that leaves the line end away.
        merged.push(b'\n');
    }
    for line in split(ours).filter(|line| !known.contains(line)) {
        merged.extend_from_slice(line);
        merged.push(b'\n');
    }
    merged
}

/// How many lines of `ours` are not in `base`.
pub fn new_lines(base: &[u8], ours: &[u8]) -> usize {
    let known: HashSet<&[u8]> = split(base).collect();
    split(ours).filter(|line| !known.contains(line)).count()
}

fn split(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Whose version of a whole file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Ours.
    Ours,
    /// Theirs; both changed it when `conflict`.
    Theirs {
        /// Ours is given up.
        conflict: bool,
    },
}

/// Whose version of a file counts; none where there is no such file. We never take a file away.
pub fn whole(base: Option<&[u8]>, ours: Option<&[u8]>, theirs: Option<&[u8]>) -> Side {
    match (ours, theirs) {
        (None, _) => Side::Theirs { conflict: false },
        (Some(_), _) if ours == theirs => Side::Ours,
        (Some(_), _) if theirs == base => Side::Ours,
        (Some(_), _) => Side::Theirs { conflict: ours != base },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> String {
        String::from_utf8(lines(base.as_bytes(), ours.as_bytes(), theirs.as_bytes())).unwrap()
    }

    #[test]
    fn both_sides_lines_count_once_theirs_first() {
        assert_eq!(merged("a\n", "a\nb\nc\n", "a\nd\nc\n"), "a\nd\nc\nb\n");
        assert_eq!(merged("", "a\n", ""), "a\n");
        assert_eq!(merged("a\n", "a\n", "a\nb\n"), "a\nb\n");
        assert_eq!(merged("a\n", "a\nb\n", "a"), "a\nb\n");
    }

    #[test]
    fn a_line_that_they_took_away_stays_away() {
        assert_eq!(merged("a\nbroken\n", "a\nbroken\nb\n", "a\n"), "a\nb\n");
    }

    proptest! {
        /// Whatever the order in which two daemons meet, nothing is lost, nothing is there twice, and doing it again
        /// changes nothing.
        #[test]
        fn nothing_is_lost_and_nothing_is_twice(
            base in proptest::collection::vec("[a-e]", 0..4),
            ours in proptest::collection::vec("[f-j]", 0..4),
            theirs in proptest::collection::vec("[h-m]", 0..4),
        ) {
            let unique = |parts: &[&[String]]| {
                let mut seen = HashSet::new();
                let all = parts.iter().copied().flatten().filter(|line| seen.insert((*line).clone()));
                all.map(|line| format!("{line}\n")).collect::<String>()
            };
            let (common, left, right) = (unique(&[&base]), unique(&[&base, &ours]), unique(&[&base, &theirs]));
            let one = merged(&common, &left, &right);
            let mut found: Vec<&str> = one.lines().collect();
            found.sort_unstable();
            let all = unique(&[&base, &ours, &theirs]);
            let mut all: Vec<&str> = all.lines().collect();
            all.sort_unstable();
            prop_assert_eq!(found, all);
            prop_assert_eq!(merged(&common, &one, &right), one.clone());
            prop_assert_eq!(merged(&right, &one, &right), one);
        }
    }

    #[test]
    fn who_changed_a_whole_file_wins_and_they_over_us() {
        let (a, b, c) = (Some(&b"a"[..]), Some(&b"b"[..]), Some(&b"c"[..]));
        for (base, ours, theirs, side) in [
            (None, a, None, Side::Ours),
            (a, b, a, Side::Ours),
            (a, a, b, Side::Theirs { conflict: false }),
            (a, a, None, Side::Theirs { conflict: false }),
            (a, None, a, Side::Theirs { conflict: false }),
            (None, None, a, Side::Theirs { conflict: false }),
            (a, b, c, Side::Theirs { conflict: true }),
            (a, b, None, Side::Theirs { conflict: true }),
            (None, a, b, Side::Theirs { conflict: true }),
            (None, a, a, Side::Ours),
            (None, None, None, Side::Theirs { conflict: false }),
        ] {
            assert_eq!(whole(base, ours, theirs), side, "{base:?} {ours:?} {theirs:?}");
        }
    }
}
