//! Partial-object matching: what the work must look like, against what it looks like (`docs/matching.md`).
//!
//! A pure function from two JSON values to all their differences, each with a JSON pointer.

mod cel;
mod pairing;
mod path;
mod pattern;
mod quantity;
mod walk;
mod words;

use serde_json::Value;

pub use path::escape;
pub use pattern::{Flaw, Pattern};
pub use words::{clip, shorten};

/// One way in which a value is not what the pattern asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// JSON pointer into the value; of a missing key, the pointer it would have.
    pub pointer: String,
    /// How the two were compared: `equals`, `$gte`, `pairing`, …
    pub operator: &'static str,
    /// That part of the pattern.
    pub expected: Value,
    /// That part of the value, shortened and redacted; none when it is missing.
    pub actual: Option<Value>,
    /// One sentence for the learner, without a full stop.
    pub message: String,
}

/// How near a value comes to a pattern: leaves of the pattern that hold, and that do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Nearness {
    /// Leaves that hold; names and other identifying keys weigh more.
    pub good: u32,
    /// Leaves that do not.
    pub bad: u32,
}

impl Pattern {
    /// Whether the value is what the pattern asks for.
    pub fn matches(&self, actual: &Value) -> bool {
        walk::decide(&self.root, actual)
    }

    /// How near the value comes.
    pub fn nearness(&self, actual: &Value) -> Nearness {
        walk::nearness(&self.root, actual)
    }

    /// All differences; none when it matches. The values of Secrets are left out of them.
    pub fn differences(&self, actual: &Value) -> Vec<Difference> {
        walk::differences(&self.root, actual)
    }
}

/// Flaws of a pattern as one sentence, for an author.
pub fn words(flaws: &[Flaw]) -> String {
    flaws.iter().map(|(at, message)| format!("{at}: {message}")).collect::<Vec<_>>().join("; ")
}
