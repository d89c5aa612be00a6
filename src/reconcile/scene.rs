//! Plays the scenarios of a task in its learner's environment, one after another, when everything else is decided.
//!
//! How a step is undone is written down before it is done. So it is undone when its check is decided, when the head moved on
//! and nobody waits any more, and after a crash by whoever begins in that environment next.

use std::sync::Arc;
use std::time::Duration;

use super::live::{Live, Offered, Open, Undecided};
use super::look::{Broken, Looking};
use super::run::blocking;
use crate::checkpoint::observed::{Environs, Observed};
use crate::checkpoint::scenario::{Scenario, Step};
use crate::checkpoint::scene::{Done, Played, Scene};
use crate::course::id::CheckpointId;
use crate::environment::act::{Actor, UndoError};
use crate::environment::look::Looker;
use crate::gitops::drive::{Cluster, drive, remains};
use crate::gitops::gate::{Proof, Question};
use crate::store::undos::UndoId;
use crate::store::{Store, StoreError};

/// How long the environment gets to come to rest after a step was undone.
const REST: Duration = Duration::from_secs(30);

/// How often an undo is tried before it is left to whoever comes next.
const TRIES: u32 = 3;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where scenes are played.
pub(super) struct Stage<'a> {
    live: &'a Live,
    offered: &'a Offered,
    undecided: &'a Undecided,
    cluster: &'a Cluster,
    proof: &'a Proof,
    question: &'a Question,
    actor: Arc<Actor>,
    looker: Looker,
    name: String,
}

/// How it goes on after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The environment is as the commit asks for.
    Step,
    /// It is not, or nobody knows: what was seen so far is all that there is.
    End,
}

impl<'a> Stage<'a> {
    /// An environment that `proof` proved to run the commit.
    pub fn new(
        live: &'a Live,
        offered: &'a Offered,
        undecided: &'a Undecided,
        cluster: &'a Cluster,
        proof: &'a Proof,
        question: &'a Question,
    ) -> Self {
        let name = offered.offer.tenancy.name();
        let (kinds, environment) = (&offered.ground.kinds, &offered.environment);
        let actor = Arc::new(Actor::new(kinds.clone(), environment, &name));
        let looker = Looker::new(kinds.clone(), environment, &name).by(live.lender.argocd());
        let looker = looker.asking(live.lender.addresses());
        Self { live, offered, undecided, cluster, proof, question, actor, looker, name }
    }

    /// Plays each scenario whose turn it is by what was seen so far; what was seen, with that.
    pub async fn play(&self, seen: Observed) -> Result<Result<Observed, Broken>, StoreError> {
        let mut whole = seen;
        let empty = |(id, scenario): &(CheckpointId, Scenario)| Scene {
            checkpoint: id.clone(),
            script: scenario.script(),
            steps: Vec::new(),
        };
        whole.scenes = self.offered.scenarios.iter().map(empty).collect();
        // What one comes to may let the next one begin.
        while let Some(scene) = self.next(&whole).await {
            for (number, step) in self.offered.scenarios[scene].1.steps.iter().enumerate() {
                // A step before may have decided all of it.
                if number > 0 && !self.open(&whole).await.contains(&whole.scenes[scene].checkpoint) {
                    break;
                }
                match self.step(&mut whole, scene, step).await? {
                    Ok(Next::Step) => {}
                    Ok(Next::End) => break,
                    Err(broken) => return Ok(Err(broken)),
                }
            }
        }
        whole.scenes.retain(|scene| !scene.steps.is_empty());
        Ok(if self.remains().await { Ok(whole) } else { Err(Broken::Moved) })
    }

    /// The first scenario that is open and was not begun.
    async fn next(&self, whole: &Observed) -> Option<usize> {
        let open = self.open(whole).await;
        whole.scenes.iter().position(|scene| scene.steps.is_empty() && open.contains(&scene.checkpoint))
    }

    /// The checkpoints that nothing decides yet.
    async fn open(&self, whole: &Observed) -> Vec<CheckpointId> {
        let (environs, undecided) = (Environs::Seen(whole.clone()), self.undecided.clone());
        blocking(move || undecided(&environs)).await.into_iter().map(|open| open.checkpoint).collect()
    }

    /// One act, what becomes of it, and its undoing.
    async fn step(&self, whole: &mut Observed, scene: usize, step: &Step) -> Result<Result<Next, Broken>, StoreError> {
        let wants = step.wants(Some(&self.offered.hidden));
        let nothing =
            |done| Played { done, seen: Observed { asked: wants.clone(), over: true, ..Observed::default() } };
        let number = whole.scenes[scene].steps.len();
        let ready = match self.actor.prepare(&step.act).await {
            Ok(ready) => ready,
            Err(done) => {
                whole.scenes[scene].steps.push(nothing(*done));
                return Ok(Ok(Next::Step));
            }
        };
        let Live { store, clock, .. } = self.live;
        let id = store.will_undo(&self.name, &ready.undo, clock.now()).await?;
        let mut pending = Pending { store: store.clone(), actor: self.actor.clone(), id: Some(id) };
        tracing::info!(environment = self.name, act = step.act.words(), "a scenario is played");
        let done = self.actor.act(&step.act, &ready).await;
        let acted = matches!(done, Done::Acted { .. });
        whole.scenes[scene].steps.push(nothing(done));
        let looked = match acted {
            false => Ok(()),
            true => self.look(whole, scene, number, step).await,
        };
        let undone = pending.undo(&self.name, || clock.sleep(PAUSE)).await?;
        if let Err(broken) = looked {
            return Ok(Err(broken));
        }
        if !self.remains().await {
            return Ok(Err(Broken::Moved));
        }
        Ok(Ok(if undone && self.rests().await { Next::Step } else { Next::End }))
    }

    /// Looks until the step is decided.
    async fn look(&self, whole: &mut Observed, scene: usize, number: usize, step: &Step) -> Result<(), Broken> {
        let looking = Looking {
            looker: &self.looker,
            wants: &whole.scenes[scene].steps[number].seen.asked.clone(),
            horizon: step.timing().horizon(),
            clock: &*self.live.clock,
            undecided: self.undecided,
            name: &self.name,
            staying: Some((self.proof, self.cluster)),
        };
        let checkpoint = whole.scenes[scene].checkpoint.clone();
        let so_far = whole.clone();
        let with = |seen| {
            let mut whole = so_far.clone();
            whole.scenes[scene].steps[number].seen = seen;
            Environs::Seen(whole)
        };
        let is_done = |open: &[Open]| {
            let this = open.iter().find(|one| one.checkpoint == checkpoint);
            this.is_none_or(|one| one.decided as usize > number)
        };
        whole.scenes[scene].steps[number].seen = looking.until(with, is_done).await?;
        Ok(())
    }

    /// Whether it is known to be still the environment of the commit.
    async fn remains(&self) -> bool {
        for _ in 0..TRIES {
            if let Some(remains) = remains(self.proof, self.cluster).await {
                return remains;
            }
            self.live.clock.sleep(PAUSE).await;
        }
        false
    }

    /// Waits until the environment is as the commit asks for.
    async fn rests(&self) -> bool {
        let clock = &*self.live.clock;
        let began = clock.now();
        loop {
            let now = clock.now();
            let budget = REST.saturating_sub(now.since(began));
            let question = Question { asked_at: now, budget, now, ..self.question.clone() };
            match drive(&question, self.cluster, clock).await {
                Ok(_) => return true,
                // What Argo CD saw last may be the state before the undo, of which a policy that leaves things is told.
                Err(reason) if reason.is_of_the_policy() && !budget.is_zero() => clock.sleep(PAUSE).await,
                Err(reason) => {
                    tracing::warn!(environment = self.name, %reason, "it does not come to rest after a scenario");
                    return false;
                }
            }
        }
    }
}

/// What was done and is not undone yet. Also undone when nobody waits for it any more.
struct Pending {
    store: Store,
    actor: Arc<Actor>,
    id: Option<UndoId>,
}

impl Pending {
    /// Undoes it; whether that succeeded. If not, it is undone by whoever begins in the environment next.
    async fn undo<F: Future<Output = ()>>(&mut self, name: &str, pause: impl Fn() -> F) -> Result<bool, StoreError> {
        let Some(id) = self.id else { return Ok(true) };
        for _ in 0..TRIES {
            match undo(&self.store, &self.actor, id).await? {
                Ok(()) => {
                    self.id = None;
                    return Ok(true);
                }
                Err(error) => tracing::warn!(environment = name, %error, "trying again"),
            }
            pause().await;
        }
        self.id = None;
        Ok(false)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // Without a runtime the program ends, and the next one does it.
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let (store, actor) = (self.store.clone(), self.actor.clone());
        runtime.spawn(async move {
            match undo(&store, &actor, id).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "left to the next one who begins there"),
                Err(error) => tracing::warn!(%error, "left to the next one who begins there"),
            }
        });
    }
}

/// Undoes something that was written down, if nobody has.
async fn undo(store: &Store, actor: &Actor, id: UndoId) -> Result<Result<(), UndoError>, StoreError> {
    if let Some(undo) = store.undo(id).await? {
        if let Err(error) = actor.undo(&undo).await {
            return Ok(Err(error));
        }
        store.undone(id).await?;
    }
    Ok(Ok(()))
}

/// Undoes all that is left of scenes that were cut short.
pub(super) async fn undo_all(store: &Store, actor: &Actor, name: &str) -> Result<Result<(), UndoError>, StoreError> {
    for id in store.undos(name).await? {
        if let Err(error) = undo(store, actor, id).await? {
            return Ok(Err(error));
        }
        tracing::info!(environment = name, "what was left of a scenario is undone");
    }
    Ok(Ok(()))
}
