//! Takes environments back that nobody needs any more, and finds those that are left of something that was cut short.
//!
//! In two steps, so that nothing is made again while it goes: first the environment leaves the list that Argo CD asks for,
//! then its Application, its namespace and its project go, in this order. Each step is decided by what is there, so that it
//! does not matter who took the one before, or whether.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Tier;
use super::lender::Lender;
use crate::course::id::{Learner, TaskId};
use crate::forge::pull::{PullKey, PullState, Workspace};
use crate::store::time::{Clock, SystemClock};
use crate::store::{Store, StoreError};

/// Time between two looks.
pub const PAUSE: Duration = Duration::from_secs(60);

/// The label that says of which workspace an environment is.
pub const WORKSPACE: &str = "gradus.dev/workspace";

/// The label that says whose it is.
pub const LEARNER: &str = "gradus.dev/learner";

/// The label that says of which task it is; only environments have it.
pub const TASK: &str = "gradus.dev/task";

/// A workspace as a label: its name has characters that labels may not have.
pub fn label(workspace: &Workspace) -> String {
    hex::encode(&Sha256::digest(&workspace.0)[..10])
}

/// One look: takes back what is not needed. Only where `workspaces` were compared with their forges since the start, and only
/// theirs: another Gradus may use the same cluster. How many are gone or going.
pub async fn reap(lender: &Arc<Lender>, store: &Store, workspaces: &[Workspace]) -> Result<usize, StoreError> {
    let mut sure = Vec::new();
    for workspace in workspaces {
        if store.offers_are_whole(workspace, SystemClock.now()).await? {
            sure.push(workspace);
        }
    }
    for offer in store.idle().await?.iter().filter(|offer| sure.contains(&&offer.tenancy.workspace)) {
        tracing::info!(environment = offer.tenancy.name(), "taken back: its learner has no open pull request");
        store.withdraw(&offer.tenancy).await?;
    }
    let listed: BTreeSet<String> = store.offers().await?.iter().map(|offer| offer.tenancy.name()).collect();
    let made = match lender.made().await {
        Ok(made) => made,
        Err(error) => {
            tracing::warn!(%error, "nobody knows which environments there are");
            return Ok(0);
        }
    };
    let (mut taken, mut free) = (0, false);
    for (name, labels) in made.iter().filter(|(name, _)| !listed.contains(name)) {
        let Some(workspace) = sure.iter().find(|known| labels.get(WORKSPACE) == Some(&label(known))) else { continue };
        let learner = labels.get(LEARNER).map(String::as_str).unwrap_or_default();
        // The store may have been lost: what somebody still works on is offered again by their next push.
        if store.has_open(workspace, learner).await? {
            continue;
        }
        taken += 1;
        match lender.take_away(name).await {
            Ok(gone) => free |= gone,
            Err(error) => tracing::warn!(environment = name, %error, "cannot be taken away; trying again"),
        }
    }
    if free && lender.has(Tier::External) {
        tell_who_waits(store, sure).await?;
    }
    Ok(taken)
}

/// Has those of these workspaces graded again who may wait for a cluster that is free now.
pub async fn tell_who_waits(store: &Store, workspaces: impl IntoIterator<Item = &Workspace>) -> Result<(), StoreError> {
    for workspace in workspaces {
        for known in store.known(workspace).await?.iter().filter(|known| known.state == PullState::Open) {
            let key = PullKey { workspace: workspace.clone(), number: known.number };
            let state = store.grading_state(&key, &known.head).await?;
            if state.is_some_and(|state| state.traits.held_up) {
                store.grade_again(&key, &known.lane, &known.head, SystemClock.now()).await?;
            }
        }
    }
    Ok(())
}

/// The labels of an environment, for the objects that have them.
pub fn labels(workspace: &Workspace, learner: &Learner, task: &TaskId) -> [(&'static str, String); 3] {
    [(WORKSPACE, label(workspace)), (LEARNER, learner.to_string()), (TASK, task.to_string())]
}
