//! Wakes workers when the queue has something new, and tells listeners (a waiting push, an open page) what happened.
//! Both are only about speed: a lost wake-up is made up for by the timer, a lost event by looking.

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::forge::pull::PullNumber;
use crate::submission::sha::CommitId;

/// Events kept for a slow listener before it misses some.
const BACKLOG: usize = 1024;

/// Something a page or a push waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// On which pull request.
    pub number: PullNumber,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It opened, moved or closed.
    Moved,
    /// A head was graded and its review stands.
    Answered(CommitId),
    /// A head was graded and something is still open.
    Provisional(CommitId),
    /// Somebody, or we, commented.
    Commented,
}

/// Shared by workers and server.
#[derive(Debug, Clone)]
pub struct Pulse {
    wake: Arc<Notify>,
    events: broadcast::Sender<Event>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { wake: Arc::default(), events: broadcast::Sender::new(BACKLOG) }
    }
}

impl Pulse {
    /// The queue has something new.
    pub fn wake(&self) {
        // A stored permit wakes the next worker that is about to sleep; the others are busy or find nothing.
        self.wake.notify_one();
    }

    /// Returns at the next wake-up.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Tells whoever listens.
    pub fn tell(&self, number: PullNumber, what: What) {
        // Nobody listening is fine.
        let _ = self.events.send(Event { number, what });
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
