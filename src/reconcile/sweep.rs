//! What a sweep finds: pull requests that the forge and the store see differently.
//!
//! Webhooks are hints; this is the truth. An incremental sweep asks for what changed lately, a full one compares
//! everything both ways: what is open there and unanswered here, and what is open here and gone there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::grader::Grader;
use super::run::{Reconciler, Result};
use crate::forge::Forge;
use crate::forge::pull::{Pull, PullKey, PullNumber, PullState};
use crate::store::pulls::Known;
use crate::store::queue::Hint;
use crate::store::time::Time;

/// How much of the forge a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All open pull requests.
    Full,
    /// What changed lately, closed ones too.
    Recent,
}

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// Looks at what happened since this store was swept last, `overlap` before that counted in: however long nobody ran or
    /// could look, nothing falls in between. With [`Extent::Full`], and at first, at everything there is too. How many were found.
    pub async fn catch_up(&self, extent: Extent, overlap: Duration) -> Result<usize> {
        let (workspace, begun) = (self.forge.workspace(), self.clock.now());
        let last = self.store.swept(workspace).await?;
        let mut found = 0;
        match last {
            Some(last) => found += self.sweep(Some(last.before(overlap))).await?,
            // The first one ever may fail, and counts from its beginning all the same.
            None => self.store.note_sweep(workspace, begun).await?,
        }
        if extent == Extent::Full || last.is_none() {
            found += self.sweep(None).await?;
        }
        self.store.note_sweep(workspace, begun).await?;
        Ok(found)
    }

    /// Asks for everything to be looked at that hints may have missed. `since` makes it an incremental sweep: only what
    /// changed since then is compared. How many were found.
    pub async fn sweep(&self, since: Option<Time>) -> Result<usize> {
        self.follow_quarantines().await?;
        let listed = self.forge.pulls(since).await?;
        let known = self.store.known(self.forge.workspace()).await?;
        let extent = if since.is_some() { Extent::Recent } else { Extent::Full };
        let due = due(&known, &listed, extent);
        for (number, lane) in &due {
            let key = PullKey { workspace: self.forge.workspace().clone(), number: *number };
            self.store.enqueue(&key, lane, Hint::Housekeeping, self.clock.now()).await?;
        }
        if !due.is_empty() {
            self.pulse.wake();
        }
        Ok(due.len())
    }
}

/// Pull requests to look at, each with its lane. Pure.
pub fn due(known: &[Known], listed: &[Pull], extent: Extent) -> BTreeMap<PullNumber, String> {
    let known: BTreeMap<PullNumber, &Known> = known.iter().map(|known| (known.number, known)).collect();
    let mut due = BTreeMap::new();
    for pull in listed {
        let wanted = match known.get(&pull.number) {
            // Opened and closed while nobody looked: somebody may have asked something there.
            None => true,
            Some(known) => {
                known.state != pull.state
                    || known.updated_at != pull.updated_at
                    || known.head != pull.head
                    || (known.state == PullState::Open && !known.answered)
            }
        };
        if wanted {
            due.insert(pull.number, pull.learner().to_string());
        }
    }
    if extent == Extent::Full {
        let listed: std::collections::BTreeSet<PullNumber> = listed.iter().map(|pull| pull.number).collect();
        let vanished = known.values().filter(|known| known.state == PullState::Open && !listed.contains(&known.number));
        due.extend(vanished.map(|known| (known.number, known.lane.clone())));
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing;

    fn pull(number: i64, head: &str, state: PullState, updated: i64) -> Pull {
        Pull { number: PullNumber(number), state, updated_at: Time(updated), ..testing::pull(head) }
    }

    fn known(number: i64, head: &str, state: PullState, updated: i64, answered: bool) -> Known {
        Known {
            number: PullNumber(number),
            lane: "ada".to_owned(),
            head: head.repeat(40).parse().unwrap(),
            state,
            updated_at: Time(updated),
            answered,
        }
    }

    fn numbers(known: &[Known], listed: &[Pull], extent: Extent) -> Vec<i64> {
        due(known, listed, extent).keys().map(|number| number.0).collect()
    }

    #[test]
    fn what_is_as_it_was_left_is_not_looked_at() {
        use PullState::{Closed, Open};
        let at_rest = [known(1, "a", Open, 5, true), known(2, "a", Closed, 5, false)];
        let same = [pull(1, "a", Open, 5), pull(2, "a", Closed, 5)];
        assert_eq!(numbers(&at_rest, &same, Extent::Recent), [0; 0]);
        assert_eq!(numbers(&at_rest, &same[..1], Extent::Full), [0; 0]);
    }

    #[test]
    fn every_difference_is_looked_at() {
        use PullState::{Closed, Open};
        let before = [known(1, "a", Open, 5, true)];
        for (what, pull) in [
            ("a push", pull(1, "b", Open, 5)),
            ("a comment", pull(1, "a", Open, 6)),
            ("closed", pull(1, "a", Closed, 5)),
            ("new", pull(9, "a", Open, 1)),
        ] {
            assert_eq!(numbers(&before, std::slice::from_ref(&pull), Extent::Recent), [pull.number.0], "{what}");
        }
        let unanswered = [known(1, "a", Open, 5, false)];
        assert_eq!(numbers(&unanswered, &[pull(1, "a", Open, 5)], Extent::Recent), [1]);
    }

    #[test]
    fn what_vanished_shows_in_a_full_list_only() {
        let before = [known(1, "a", PullState::Open, 5, true), known(2, "a", PullState::Closed, 5, true)];
        assert_eq!(numbers(&before, &[], Extent::Full), [1]);
        assert_eq!(numbers(&before, &[], Extent::Recent), [0; 0]);
    }

    #[test]
    fn a_closed_pull_request_that_was_never_seen_is_looked_at_once() {
        let closed = [pull(1, "a", PullState::Closed, 5)];
        assert_eq!(numbers(&[], &closed, Extent::Recent), [1], "somebody may have asked something there");
        assert_eq!(numbers(&[known(1, "a", PullState::Closed, 5, false)], &closed, Extent::Recent), [0; 0]);
    }
}
