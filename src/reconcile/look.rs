//! Looks at an environment again and again, until what is seen decides something or there is no more time for it.

use std::time::Duration;

use super::live::{Open, Undecided};
use super::run::blocking;
use crate::checkpoint::Judgement;
use crate::checkpoint::evidence::Evidence;
use crate::checkpoint::observed::{Environs, Observed, Want};
use crate::environment::follow::Follow;
use crate::environment::look::{LookError, Looker};
use crate::gitops::drive::{Cluster, remains};
use crate::gitops::gate::Proof;
use crate::store::time::Clock;

/// First pause between two looks; doubles up to [`PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Pause after a change: what changes once often changes again at once.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between two looks where nothing is seen to change: answers to what is asked besides change unseen, and a watch may
/// be broken or not allowed.
const PAUSE: Duration = Duration::from_secs(1);

/// Most bytes that are kept of all that was seen of an environment; what is not decided by then is not looked at any more.
const MOST_SEEN: usize = 32 << 20;

/// Looks at one environment.
pub(super) struct Looking<'a> {
    pub looker: &'a Looker,
    /// What is looked at.
    pub wants: &'a [Want],
    /// For how long at most.
    pub horizon: Duration,
    pub clock: &'a dyn Clock,
    pub undecided: &'a Undecided,
    /// The environment's.
    pub name: &'a str,
    /// Where something was done: the Application that has to stay the one it was.
    pub staying: Option<(&'a Proof, &'a Cluster)>,
}

/// Why nothing comes of looking.
#[derive(Debug)]
pub(super) enum Broken {
    /// The environment is not that of the commit any more.
    Moved,
    /// This is what it means for each live checkpoint.
    Shut(Judgement),
}

impl Looking<'_> {
    /// Looks until nothing that counts is open. `whole` puts what was seen so far into all that is known, `is_done` looks at
    /// what is open then.
    pub async fn until(
        &self,
        whole: impl Fn(Observed) -> Environs,
        is_done: impl Fn(&[Open]) -> bool,
    ) -> Result<Observed, Broken> {
        let began = self.clock.now();
        let mut observed = Observed { asked: self.wants.to_vec(), ..Observed::default() };
        let (mut pause, mut follow) = (FIRST_PAUSE, None);
        loop {
            let at = self.clock.now().since(began);
            match self.looker.look(self.wants).await {
                Ok((objects, answers)) => observed.add(at, objects, answers),
                Err(error @ (LookError::TooMany(_) | LookError::TooLarge)) => {
                    let message = format!("{error}: make it fewer or smaller");
                    return Err(Broken::Shut(Judgement::fail(vec![Evidence { message, ..Evidence::default() }])));
                }
                // No answer is no sample: what was seen before stays what was seen.
                Err(error) => tracing::warn!(environment = self.name, %error, "the environment cannot be looked at"),
            }
            // One that cannot be read is read again with the next look.
            if let Some((proof, cluster)) = self.staying
                && remains(proof, cluster).await == Some(false)
            {
                return Err(Broken::Moved);
            }
            observed.over = at >= self.horizon + PAUSE || observed.size() > MOST_SEEN;
            let (so_far, undecided) = (whole(observed.clone()), self.undecided.clone());
            if is_done(&blocking(move || undecided(&so_far)).await) || observed.over {
                return Ok(observed);
            }
            if follow.is_none() {
                follow = Some(self.looker.follow(self.wants).await);
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = changed(follow.as_mut()) => self.clock.sleep(LEAST_PAUSE).await,
            }
            pause = PAUSE.min(pause * 2);
        }
    }
}

/// Ready when something that is followed changed.
async fn changed(follow: Option<&mut Follow>) {
    match follow {
        Some(follow) => follow.changed().await,
        None => std::future::pending().await,
    }
}
