//! Waiting at the gate: each read is answered by the gate, and what would help is done, but never too often.
//!
//! What to do next is decided by [`decide`], which is pure; [`drive`] does it. The cluster is behind [`Watched`], so that
//! tests have one in memory.

mod cluster;

use std::time::Duration;

use super::gate::{Gate, Proof, Question, Seen, gate};
use super::object::Object;
use super::reason::Reason;
use super::waiting::Nudge;
use crate::store::time::{Clock, Time};
use crate::submission::sha::CommitId;

pub use cluster::{Cluster, ClusterError};

/// A read is repeated after this long although nothing changed: a watch may be broken without a sign of it, and an object
/// that counts may have changed where the Application did not.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long Argo CD gets to take up an operation that was asked for because it was wedged.
const TAKE_UP: Duration = Duration::from_secs(10);

/// What to do after a read.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The live state is the commit.
    Open(Proof),
    /// It will not be.
    Close(Reason),
    /// Do this, then read again.
    Nudge(Nudge),
    /// Read again when something changed, and then at the latest.
    Wait(Time),
}

/// What was done so far so that the wait ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nudges([Option<Given>; 5]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Given {
    last: Time,
    times: u32,
}

impl Nudges {
    /// Remembers that this was done.
    pub fn give(&mut self, nudge: Nudge, now: Time) {
        let given = &mut self.0[nudge as usize];
        let times = given.map_or(0, |given| given.times).saturating_add(1);
        *given = Some(Given { last: now, times });
    }

    fn given(&self, nudge: Nudge) -> Option<Given> {
        self.0[nudge as usize]
    }

    /// When it may be done next, where what it is for has lasted since then: after what comes by itself had time to come, and
    /// each time twice as long after the time before.
    fn due(&self, nudge: Nudge, since: Time) -> Time {
        let (grace, pause) = match nudge {
            Nudge::Wake => (10, 10),
            Nudge::Refresh => (1, 2),
            Nudge::HardRefresh => (3, 5),
            Nudge::Stop => (0, 5),
            Nudge::Sync => (0, 10),
        };
        let first = since.plus(Duration::from_secs(grace));
        match self.given(nudge) {
            None => first,
            Some(Given { last, times }) => first.max(last.plus(Duration::from_secs(pause << (times - 1).min(4)))),
        }
    }
}

/// What to do after the gate's answer.
pub fn decide(answer: Gate, nudges: &Nudges, now: Time) -> Action {
    match answer {
        Gate::Open(proof) => Action::Open(proof),
        // Argo CD starts nothing any more by itself: an explicit sync is all that helps, and helps or does not.
        Gate::Closed(Reason::Wedged) => match nudges.given(Nudge::Sync) {
            None => Action::Nudge(Nudge::Sync),
            Some(given) if now < given.last.plus(TAKE_UP) => Action::Wait(given.last.plus(TAKE_UP)),
            Some(_) => Action::Close(Reason::Wedged),
        },
        Gate::Closed(reason) => Action::Close(reason),
        Gate::Wait { why, since } => match why.nudge().map(|nudge| (nudge, nudges.due(nudge, since))) {
            Some((nudge, due)) if due <= now => Action::Nudge(nudge),
            Some((_, due)) => Action::Wait(due.min(now.plus(LOOK_AGAIN))),
            None => Action::Wait(now.plus(LOOK_AGAIN)),
        },
    }
}

/// An Application and its objects, as whoever waits at the gate needs them.
pub trait Watched: Sync {
    /// The commit that the environment is to run by now.
    fn offered(&self) -> CommitId;

    /// The Application, and after it those of the objects that are there.
    fn read(&self, needs: &[Object]) -> impl Future<Output = Seen> + Send;

    /// Does what would help. That it did not succeed shows in the next read.
    fn nudge(&self, nudge: Nudge, commit: &CommitId) -> impl Future<Output = ()> + Send;

    /// Ready when the Application may have changed since the last read.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// Waits until the gate opens or closes. The question's clock times are set with every read.
///
/// # Errors
/// The reason why the gate stays closed.
pub async fn drive(question: &Question, watched: &impl Watched, clock: &dyn Clock) -> Result<Proof, Reason> {
    let mut nudges = Nudges::default();
    loop {
        let answer = ask(question, watched, clock).await;
        let now = clock.now();
        let until = match decide(answer, &nudges, now) {
            Action::Open(proof) => return Ok(proof),
            Action::Close(reason) => return Err(reason),
            Action::Nudge(nudge) => {
                tracing::debug!(?nudge, application = question.application.tracked_as, "nudging Argo CD");
                watched.nudge(nudge, &question.commit).await;
                nudges.give(nudge, now);
                continue;
            }
            Action::Wait(until) => until,
        };
        tokio::select! {
            () = watched.changed() => {}
            () = clock.sleep(until.since(now)) => {}
        }
    }
}

/// Step 9, after the evidence was collected: whether it counts.
pub async fn still(proof: &Proof, question: &Question, watched: &impl Watched, clock: &dyn Clock) -> bool {
    proof.stands(&ask(question, watched, clock).await)
}

/// Whether it is still the Application that was proven to run the commit, and still to run it, while somebody changes its
/// objects. None while that cannot be read.
pub async fn remains(proof: &Proof, watched: &impl Watched) -> Option<bool> {
    let seen = watched.read(&[]).await;
    // After the read: a head that came meanwhile counts.
    if watched.offered() != *proof.commit() {
        return Some(false);
    }
    match seen {
        Seen::Application(application, _) => Some(proof.is_of(&application)),
        Seen::Nothing => Some(false),
        Seen::Unreadable(_) => None,
    }
}

async fn ask(question: &Question, watched: &impl Watched, clock: &dyn Clock) -> Gate {
    let seen = watched.read(&question.needs).await;
    // After the read: a head that came meanwhile counts.
    let question = Question { offered: watched.offered(), now: clock.now(), ..question.clone() };
    gate(&question, &seen)
}

#[cfg(test)]
mod tests;
