//! One go without a daemon: look at some pull requests, work until nothing is due or the time is over, and tell what
//! became of each. What a daemon would come back to, as a grading that is tried again in an hour, is left to the next go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::grader::{Grader, Grading};
use super::pulse::What;
use super::run::{Reconciler, Result};
use crate::forge::Forge;
use crate::forge::pull::{PullKey, PullNumber, PullState};
use crate::store::pulls::Known;
use crate::store::queue::{Hint, Waiting};
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// Shortest sleep: what is due then may still be a millisecond away.
const NAP: Duration = Duration::from_millis(10);

/// Longest sleep: a forge's limit may be lifted earlier than it said.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// What a go is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One pull request.
    One(PullNumber),
    /// All that something happened to since then.
    Since(Time),
}

/// What became of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which one.
    pub number: PullNumber,
    /// Its head; none when it was not even seen.
    pub head: Option<CommitId>,
    /// What was done.
    pub done: Done,
    /// What the status of the head says: for everybody to read, without anything of the learner's.
    pub said: Option<String>,
    /// Somebody's command was answered.
    pub replied: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The head was answered now.
    Answered,
    /// There was nothing to say: it was answered before.
    Standing,
    /// Closed pull requests get nothing.
    Closed,
    /// The forge has no such pull request.
    Gone,
    /// Not everything is done.
    Left(Why),
}

/// Why something is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The forge takes no writes before this time.
    Room(Time),
    /// It failed so many times; the log says why.
    Failed(u32),
    /// The result is provisional.
    Provisional,
    /// The time was over.
    Time,
}

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// Works on what is wanted until nothing is due, or begins nothing more after `until`. In the order of the numbers.
    pub async fn once(&self, wanted: Wanted, until: Time) -> Result<Vec<Outcome>> {
        let mut events = self.pulse.listen();
        match wanted {
            Wanted::One(number) => {
                let Some(pull) = self.forge.pull(number).await? else {
                    return Ok(vec![Outcome { number, head: None, done: Done::Gone, said: None, replied: false }]);
                };
                let lane = pull.learner().to_string();
                self.store.enqueue(&self.key(number), &lane, Hint::NewHead, self.clock.now()).await?;
            }
            Wanted::Since(time) => {
                self.sweep(Some(time)).await?;
            }
        }
        while self.clock.now() < until {
            if self.work_one().await? {
                continue;
            }
            let room = self.forge.write_room().await?;
            match self.store.next_due(self.forge.workspace(), room).await? {
                Some(due) if due < until => {
                    tokio::time::sleep(due.since(self.clock.now()).clamp(NAP, LOOK_AROUND)).await;
                }
                _ => break,
            }
        }
        let mut told = Told::default();
        // Should some have been missed, a review of this go is taken for an older one: a word in a log.
        while let Ok(event) = events.try_recv() {
            match event.what {
                What::Answered(_) => told.answered.insert(event.number),
                What::Commented => told.replied.insert(event.number),
                What::Moved | What::Provisional(_) => false,
            };
        }
        self.outcomes(&told, until).await
    }

    fn key(&self, number: PullNumber) -> PullKey {
        PullKey { workspace: self.forge.workspace().clone(), number }
    }

    async fn outcomes(&self, told: &Told, until: Time) -> Result<Vec<Outcome>> {
        let room = self.forge.write_room().await?.live;
        let known = self.store.known(self.forge.workspace()).await?;
        let waiting = self.store.waiting(self.forge.workspace()).await?;
        let mut outcomes = Vec::new();
        for (number, (known, waiting)) in pairs(&known, &waiting) {
            let head = known.map(|known| known.head.clone());
            let grading = match &head {
                Some(head) => self.store.grading::<Grading>(&self.key(number), head).await?,
                None => None,
            };
            outcomes.push(Outcome {
                number,
                head,
                done: done(known, waiting, told.answered.contains(&number), room, until),
                said: grading.map(|grading| grading.review.status.description),
                replied: told.replied.contains(&number),
            });
        }
        Ok(outcomes)
    }
}

/// What was told while working.
#[derive(Debug, Default)]
struct Told {
    answered: BTreeSet<PullNumber>,
    replied: BTreeSet<PullNumber>,
}

/// How each pull request was left, and what of the queue is left of it.
fn pairs<'a>(
    known: &'a [Known],
    waiting: &'a [Waiting],
) -> BTreeMap<PullNumber, (Option<&'a Known>, Option<&'a Waiting>)> {
    let mut pairs: BTreeMap<PullNumber, (Option<&Known>, Option<&Waiting>)> =
        known.iter().map(|known| (known.number, (Some(known), None))).collect();
    for entry in waiting {
        pairs.entry(entry.number).or_default().1 = Some(entry);
    }
    pairs
}

/// From how a pull request was left to what was done. Pure.
fn done(known: Option<&Known>, waiting: Option<&Waiting>, now: bool, room: Time, until: Time) -> Done {
    let answered = known.is_some_and(|known| known.answered || known.state == PullState::Closed);
    match waiting {
        Some(entry) if entry.failures > 0 => Done::Left(Why::Failed(entry.failures)),
        Some(entry) if entry.awaits_write => Done::Left(Why::Room(room)),
        // To be closed, or folded, days or minutes from now: the next go looks again.
        Some(entry) if answered && entry.not_before >= until => settled(known, now),
        Some(entry) if entry.not_before >= until => Done::Left(Why::Provisional),
        Some(_) => Done::Left(Why::Time),
        None => settled(known, now),
    }
}

fn settled(known: Option<&Known>, now: bool) -> Done {
    match known {
        _ if now => Done::Answered,
        Some(known) if known.state == PullState::Closed => Done::Closed,
        Some(_) => Done::Standing,
        None => Done::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Time = Time(1_000);
    const ROOM: Time = Time(9_000);

    fn known(state: PullState, answered: bool) -> Known {
        Known {
            number: PullNumber(1),
            lane: "ada".to_owned(),
            head: "a".repeat(40).parse().unwrap(),
            state,
            updated_at: Time(0),
            answered,
        }
    }

    fn waiting(not_before: i64, failures: u32, awaits_write: bool) -> Waiting {
        Waiting { number: PullNumber(1), not_before: Time(not_before), failures, awaits_write }
    }

    #[test]
    fn only_what_somebody_still_waits_for_is_left() {
        use PullState::{Closed, Open};
        let (open, answered, closed) = (known(Open, false), known(Open, true), known(Closed, false));
        let later = waiting(5_000, 0, false);
        for (what, known, waiting, now, expected) in [
            ("answered in this go", Some(&answered), None, true, Done::Answered),
            ("answered, closed in three days", Some(&answered), Some(&later), true, Done::Answered),
            ("answered before", Some(&answered), None, false, Done::Standing),
            ("answered by a status alone", Some(&open), None, false, Done::Standing),
            ("closed", Some(&closed), None, false, Done::Closed),
            ("graded again in an hour", Some(&open), Some(&later), false, Done::Left(Why::Provisional)),
            ("failing", Some(&open), Some(&waiting(5_000, 3, false)), false, Done::Left(Why::Failed(3))),
            ("failing after an answer", Some(&answered), Some(&waiting(0, 1, false)), true, Done::Left(Why::Failed(1))),
            ("no room", Some(&open), Some(&waiting(0, 0, true)), false, Done::Left(Why::Room(ROOM))),
            ("never begun", None, Some(&waiting(0, 0, false)), false, Done::Left(Why::Time)),
        ] {
            assert_eq!(done(known, waiting, now, ROOM, UNTIL), expected, "{what}");
        }
    }
}
