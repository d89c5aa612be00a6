//! The ladder of hints that a learner climbs by failing, and whose next rung `/hint` gives.

use crate::checkpoint::Checkpoint;
use crate::checkpoint::spec::Hint;

/// The hints of a checkpoint in the order in which they are given.
#[derive(Debug, Default)]
pub struct Ladder<'a>(Vec<&'a Hint>);

impl<'a> Ladder<'a> {
    /// Free hints first, each kind by `after`.
    pub fn of(checkpoint: &'a Checkpoint) -> Self {
        let mut hints: Vec<&Hint> = checkpoint.hints.iter().collect();
        hints.sort_by_key(|hint| (hint.cost > 0, hint.after));
        Self(hints)
    }

    /// All of them in that order.
    pub fn hints(&self) -> &[&'a Hint] {
        &self.0
    }

    /// Position of the highest hint that this number of failures earns; one with a cost is only given when asked for.
    pub fn given(&self, failures: u32) -> Option<usize> {
        self.0.iter().rposition(|hint| hint.cost == 0 && hint.after <= failures)
    }
}
