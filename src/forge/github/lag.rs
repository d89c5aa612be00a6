//! Reads that lag: GitHub may answer with what was true some seconds ago, after it answered with what came later.
//!
//! A head that comes back that way is no push. It would be taken for one, and a review of it would be posted that everybody
//! knows to be out of date. So an answer that is older than one before is none; its time tells.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Inner;
use super::wire::PullWire;
use crate::forge::http::failure::Failure;
use crate::forge::pull::PullNumber;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// Longest that a read lags behind another one. What looks older after that is a clock of theirs that was set back.
const LAG: Duration = Duration::from_secs(60);

/// The newest that was seen of each pull request within [`LAG`]. What was seen before this process began is in the store.
#[derive(Debug, Default)]
pub(super) struct Newest(Mutex<BTreeMap<PullNumber, Seen>>);

#[derive(Debug, Clone)]
struct Seen {
    head: CommitId,
    /// GitHub's.
    updated_at: Time,
    /// Ours.
    at: Time,
}

impl Newest {
    fn get(&self, number: PullNumber, now: Time) -> Option<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        seen.filter(|seen| now.since(seen.at) < LAG)
    }

    fn note(&self, number: PullNumber, seen: Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, other| seen.at.since(other.at) < LAG);
        all.insert(number, seen);
    }

    /// Notes what a list shows. What nothing happened to lately cannot be shown otherwise by a read that lags; clocks may
    /// differ by another [`LAG`].
    pub(super) fn listed(&self, wires: &[PullWire], now: Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, other| now.since(other.at) < LAG);
        for wire in wires.iter().filter(|wire| now.since(wire.updated_at) < 2 * LAG) {
            let number = PullNumber(wire.number);
            if all.get(&number).is_none_or(|seen| seen.updated_at <= wire.updated_at) {
                all.insert(number, Seen { head: wire.head.sha.clone(), updated_at: wire.updated_at, at: now });
            }
        }
    }
}

impl Inner {
    /// Fails when this is older than what was seen before.
    pub(super) async fn is_news(&self, number: PullNumber, wire: &PullWire) -> Result<(), Failure> {
        let now = self.clock.now();
        let newest = match self.newest.get(number, now) {
            Some(newest) => Some(newest),
            None => self.noted(number, now).await?,
        };
        match newest {
            Some(newest) if newest.updated_at > wire.updated_at && newest.head != wire.head.sha => {
                Err(self.odd(format!("it shows #{number} as it was before {}", newest.updated_at)))
            }
            Some(newest) if newest.updated_at > wire.updated_at => Ok(()),
            _ => {
                let (head, updated_at) = (wire.head.sha.clone(), wire.updated_at);
                self.newest.note(number, Seen { head, updated_at, at: now });
                Ok(())
            }
        }
    }

    async fn noted(&self, number: PullNumber, now: Time) -> Result<Option<Seen>, Failure> {
        let noted = self.store.newest_head(&self.key(number)).await.map_err(|error| Failure::Store(error.into()))?;
        let noted = noted.filter(|noted| now.since(noted.seen_at) < LAG);
        Ok(noted.map(|noted| Seen { head: noted.head, updated_at: noted.updated_at, at: noted.seen_at }))
    }
}
