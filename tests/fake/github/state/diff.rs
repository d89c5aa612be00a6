//! Which lines of a pull request can be commented on.

use std::collections::BTreeMap;
use std::ops::Range;

/// The side of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before: removed and unchanged lines.
    Left,
    /// After: added and unchanged lines.
    Right,
}

impl Side {
    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Left, Self::Right].into_iter().find(|side| side.word() == word)
    }
}

/// One hunk: its lines before and after, context included. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    left: Range<u64>,
    right: Range<u64>,
}

/// The hunks of a pull request by path.
#[derive(Debug, Clone, Default)]
pub struct Diff(BTreeMap<String, Vec<Hunk>>);

/// Where a comment wants to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Which file.
    pub path: String,
    /// The last line.
    pub line: u64,
    /// Of which side.
    pub side: Side,
    /// The first line and its side, when there are several lines.
    pub start: Option<(u64, Side)>,
}

impl Diff {
    /// Adds a hunk as its header has it: `@@ -left.0,left.1 +right.0,right.1 @@`.
    #[must_use]
    pub fn hunk(mut self, path: &str, left: (u64, u64), right: (u64, u64)) -> Self {
        let lines = |(start, count): (u64, u64)| start..start + count;
        self.0.entry(path.to_owned()).or_default().push(Hunk { left: lines(left), right: lines(right) });
        self
    }

    /// Adds a new file of so many lines.
    #[must_use]
    pub fn added(self, path: &str, lines: u64) -> Self {
        self.hunk(path, (0, 0), (1, lines))
    }

    /// Whether a comment may be there: all its lines within one hunk.
    pub fn allows(&self, anchor: &Anchor) -> Result<(), &'static str> {
        let hunks = self.0.get(&anchor.path).ok_or("Path could not be resolved")?;
        let holds = |hunk: &Hunk, line: u64, side: Side| match side {
            Side::Left => hunk.left.contains(&line),
            Side::Right => hunk.right.contains(&line),
        };
        let hunk =
            hunks.iter().find(|hunk| holds(hunk, anchor.line, anchor.side)).ok_or("Line could not be resolved")?;
        match anchor.start {
            Some((line, side)) if side == anchor.side && line > anchor.line => {
                Err("Start line must precede the end line.")
            }
            Some((line, side)) if !holds(hunk, line, side) => {
                Err("Start line must be part of the same hunk as the line.")
            }
            _ => Ok(()),
        }
    }
}
