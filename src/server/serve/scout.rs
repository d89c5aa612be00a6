//! Looks for learners' forks of a workspace: at first, with every full sweep, and when a webhook is about a repository
//! that nobody knows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::plan::WorkspaceId;
use crate::forge::forks::{Fork, Forks};
use crate::forge::{ErrorClass, ForgeError};
use crate::server::listen::stopped;
use crate::store::time::Clock;

/// Shortest time between two looks, whoever asks: a webhook may be about anything.
const AGAIN: Duration = Duration::from_secs(15);

/// First wait after a look that failed; doubles up to the time between two full sweeps.
const BACKOFF: Duration = Duration::from_secs(15);

/// What a look found.
#[derive(Debug)]
pub struct Found {
    /// Forks of which workspace.
    pub of: WorkspaceId,
    /// All of them; none when the forge did not say.
    pub forks: Option<Vec<Fork>>,
}

/// Ends its looking when it is dropped.
#[derive(Debug)]
pub struct Scout {
    wake: Arc<Notify>,
    _stop: watch::Sender<bool>,
}

impl Scout {
    /// Begins to look, and to tell. `every` is the time between two looks that nobody asked for.
    pub fn start<F: Forks>(
        forge: F,
        of: WorkspaceId,
        every: Duration,
        clock: Arc<dyn Clock>,
        tell: mpsc::Sender<Found>,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(look_out(forge, of, every, clock, wake.clone(), tell, stopping));
        Self { wake, _stop: stop }
    }

    /// What makes it look soon.
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }
}

async fn look_out<F: Forks>(
    forge: F,
    of: WorkspaceId,
    every: Duration,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    tell: mpsc::Sender<Found>,
    mut stopping: watch::Receiver<bool>,
) {
    let (mut known, mut backoff) = (Vec::new(), BACKOFF);
    loop {
        let found = tokio::select! {
            found = look(&forge, &known) => found,
            () = stopped(&mut stopping) => return,
        };
        let (forks, wait) = match found {
            Ok(forks) => {
                backoff = BACKOFF;
                known.clone_from(&forks);
                (Some(forks), every)
            }
            Err(error) => {
                tracing::error!(repository = %of.1, %error, "cannot list the forks; trying again");
                let wait = match error.class {
                    ErrorClass::Throttled(until) => until.since(clock.now()),
                    _ => backoff,
                };
                backoff = backoff.saturating_mul(2).min(every.max(BACKOFF));
                (None, wait)
            }
        };
        if tell.send(Found { of: of.clone(), forks }).await.is_err() {
            return;
        }
        let rest = async {
            tokio::time::sleep(AGAIN).await;
            tokio::select! {
                () = tokio::time::sleep(wait.saturating_sub(AGAIN)) => {}
                () = wake.notified() => {}
            }
        };
        tokio::select! {
            () = rest => {}
            () = stopped(&mut stopping) => return,
        }
    }
}

/// All forks. When one is gone, it is looked for once more: what moves from one page to another while we read may be on
/// neither.
async fn look<F: Forks>(forge: &F, known: &[Fork]) -> Result<Vec<Fork>, ForgeError> {
    let mut forks = forge.forks().await?;
    if known.iter().any(|fork| !forks.contains(fork)) {
        let again = forge.forks().await?;
        forks.retain(|fork| again.iter().all(|other| other.id != fork.id));
        forks.extend(again);
    }
    Ok(forks)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::forge::examine::Finding;
    use crate::forge::forks::RepositoryId;
    use crate::store::time::SystemClock;

    /// Answers one list after the other, the last one for ever; none is a failure.
    struct Lists(Mutex<Vec<Option<Vec<Fork>>>>);

    impl Lists {
        fn of(lists: &[Option<&[u64]>]) -> Self {
            let list = |ids: &[u64]| ids.iter().map(|id| fork(*id)).collect();
            Self(Mutex::new(lists.iter().rev().map(|ids| ids.map(list)).collect()))
        }
    }

    impl Forks for Lists {
        async fn forks(&self) -> Result<Vec<Fork>, ForgeError> {
            let mut lists = self.0.lock().unwrap();
            let list = if lists.len() > 1 { lists.pop().unwrap() } else { lists[0].clone() };
            list.ok_or_else(|| ForgeError { what: "list", class: ErrorClass::Retry, source: "no".into() })
        }

        async fn examine_rights(&self) -> Finding {
            Finding::fine("rights", "")
        }
    }

    fn fork(id: u64) -> Fork {
        Fork { id: RepositoryId(id), repository: format!("learner-{id}/hello").parse().unwrap() }
    }

    fn start(lists: Lists) -> (Scout, mpsc::Receiver<Found>) {
        let (tell, told) = mpsc::channel(16);
        let of = ("hub".parse().unwrap(), "acme/hello".parse().unwrap());
        (Scout::start(lists, of, Duration::from_secs(3600), Arc::new(SystemClock), tell), told)
    }

    async fn next(told: &mut mpsc::Receiver<Found>) -> Option<Vec<u64>> {
        told.recv().await.unwrap().forks.map(|forks| forks.iter().map(|fork| fork.id.0).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_about_a_stranger_causes_a_look_soon_and_many_of_them_one() {
        let (scout, mut told) = start(Lists::of(&[Some(&[1]), Some(&[1, 2])]));
        assert_eq!(next(&mut told).await, Some(vec![1]));
        let begun = tokio::time::Instant::now();
        (0..100).for_each(|_| scout.wake().notify_one());
        assert_eq!(next(&mut told).await, Some(vec![1, 2]));
        assert_eq!(begun.elapsed().as_secs(), AGAIN.as_secs());
        assert_eq!(next(&mut told).await, Some(vec![1, 2]));
        assert!(begun.elapsed() >= Duration::from_secs(3600), "nobody asked again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fork_is_gone_when_two_lists_say_so() {
        let lists = [Some(&[1, 2][..]), Some(&[2]), Some(&[1, 2]), Some(&[2]), Some(&[2])];
        let (_scout, mut told) = start(Lists::of(&lists));
        assert_eq!(next(&mut told).await, Some(vec![1, 2]));
        assert_eq!(next(&mut told).await, Some(vec![1, 2]), "moved to another page meanwhile");
        assert_eq!(next(&mut told).await, Some(vec![2]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_fails_changes_nothing_and_is_asked_for_again_soon() {
        let (_scout, mut told) = start(Lists::of(&[Some(&[1]), None, None, Some(&[1, 2])]));
        assert_eq!(next(&mut told).await, Some(vec![1]));
        assert_eq!(next(&mut told).await, None);
        let begun = tokio::time::Instant::now();
        assert_eq!(next(&mut told).await, None);
        assert_eq!(next(&mut told).await, Some(vec![1, 2]));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_its_supervisor() {
        let (scout, mut told) = start(Lists::of(&[Some(&[1])]));
        assert_eq!(next(&mut told).await, Some(vec![1]));
        drop(scout);
        assert!(told.recv().await.is_none());
    }
}
