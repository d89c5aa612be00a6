//! Where a crash may hit: tests stop a worker at each of these points and let another one go on.

/// A point between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// An entry of the queue is claimed.
    Claimed,
    /// A head is graded, nothing is written down.
    Graded,
    /// Grading and intent are in the journal.
    Intended,
    /// The head was looked at again, just before posting.
    HeadChecked,
    /// The forge has the review, the journal does not know.
    Posted,
    /// The journal knows that the forge has the review.
    Journaled,
    /// The forge has the status.
    StatusSet,
    /// The gradebook has the verdicts.
    Recorded,
    /// The heads are marked as answered, the entry is not closed.
    Answered,
    /// The entry is closed, the queue's entry is still held.
    Closed,
    /// A command's answer is posted, the cursor is not moved.
    Replied,
}

impl Point {
    /// All of them, in the order in which a push meets them.
    pub const ALL: [Point; 11] = [
        Point::Claimed,
        Point::Graded,
        Point::Intended,
        Point::HeadChecked,
        Point::Posted,
        Point::Journaled,
        Point::StatusSet,
        Point::Recorded,
        Point::Answered,
        Point::Closed,
        Point::Replied,
    ];
}

/// The worker ends here, as if the process had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped at {0:?}")]
pub struct Stopped(pub Point);

/// Asked at each point.
pub trait Probe: Send + Sync + 'static {
    /// Whether to go on.
    fn pass(&self, point: Point) -> Result<(), Stopped>;
}

/// Always goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn pass(&self, _: Point) -> Result<(), Stopped> {
        Ok(())
    }
}
