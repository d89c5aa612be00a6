//! Gradings take turns, since they need processors; everything else of a pull request mostly waits for the forge and is
//! done for many at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::course::id::CourseId;
use crate::reconcile::courses::OpenCourse;
use crate::reconcile::grader::{GradeError, Grader, Grading, Request};

/// Pull requests that are looked after at once, for each grading at once. A verdict takes some twenty calls one after the
/// other, which is ten times as long as its grading takes on a forge that answers within 50 ms.
pub const PULLS_PER_GRADING: usize = 8;

/// So many gradings at once. A clone hands out the same turns.
#[derive(Debug, Clone)]
pub struct Turns {
    permits: Arc<Semaphore>,
    at_once: usize,
}

impl Turns {
    /// So many at once, at least one.
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(at_once)), at_once }
    }

    /// How many.
    pub fn at_once(&self) -> usize {
        self.at_once
    }
}

/// A grader that waits for its turn. A grading that is called off gives its turn back.
pub struct InTurn<G> {
    grader: G,
    turns: Turns,
}

impl<G> InTurn<G> {
    /// With these turns.
    pub fn new(grader: G, turns: Turns) -> Self {
        Self { grader, turns }
    }
}

impl<G: Grader> Grader for InTurn<G> {
    async fn grade(&self, request: Request) -> Result<Grading, GradeError> {
        // Never closed.
        let _turn = self.turns.permits.acquire().await;
        self.grader.grade(request).await
    }

    fn course(&self, id: &CourseId) -> Option<Arc<OpenCourse>> {
        self.grader.course(id)
    }
}
