//! A head in a learner's environment: offered to Argo CD, waited for at the gate, looked at until its live checkpoints are
//! decided. What comes of it is data ([`Environs`]), judged like files.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use git2::Repository;
use tokio::sync::watch;

use super::look::{Broken, Looking};
use super::run::blocking;
use super::scene::{Stage, undo_all};
use crate::checkpoint::evidence::{ALL_IN_USE, Evidence, NOT_APPLIED, Place};
use crate::checkpoint::observed::{Environs, Want};
use crate::checkpoint::outcome::{Blame, Outcome};
use crate::checkpoint::scenario::Scenario;
use crate::checkpoint::{Checkpoint, Judgement, Kind};
use crate::course::id::{CheckpointId, TaskId};
use crate::course::task::Task;
use crate::environment::Environment;
use crate::environment::act::Actor;
use crate::environment::lender::{Ground, LendError, Lender};
use crate::environment::look::Looker;
use crate::environment::planes::PlanesError;
use crate::forge::pull::{Pull, PullKey, PullNumber, Workspace};
use crate::gitops::drive::{Cluster, drive, still};
use crate::gitops::gate::{Applied, Expected, Question};
use crate::gitops::generator::{Offer, Tenancy};
use crate::gitops::object::Object;
use crate::gitops::preflight::{Accepted, Objection, of_commit};
use crate::gitops::reason::Reason;
use crate::store::offers::Push;
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};
use crate::submission::sha::CommitId;
use crate::submission::tree::Tree;

/// How long a commit gets from being offered to being proven to run, unless the operator says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How often what was seen is thrown away because something changed meanwhile, before it is given up for now.
const ROUNDS: u32 = 3;

/// How often one looks whether another commit was offered.
const LOOK_FOR_OFFER: Duration = Duration::from_secs(1);

/// Where Argo CD fetches a pull request's commits from.
pub type RepositoryOf = Arc<dyn Fn(&Pull) -> String + Send + Sync>;

/// Judges what was seen so far; answers with the live checkpoints that nothing decides yet.
pub type Undecided = Arc<dyn Fn(&Environs) -> Vec<Open> + Send + Sync>;

/// A live checkpoint that nothing decides yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Which one.
    pub checkpoint: CheckpointId,
    /// How many steps of it are decided, where it is a scenario.
    pub decided: u32,
}

/// How a commit came out of the wait for its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It was proven to run.
    Proven,
    /// Its learner has to change something.
    Refused,
    /// It is not the learner's matter, and tried again.
    Ours,
}

/// Is told how each wait ended, and how long it was since the commit was offered.
pub type Tell = Arc<dyn Fn(Ending, Duration) + Send + Sync>;

/// The environments of a workspace's learners.
#[derive(Clone)]
pub struct Live {
    pub(super) lender: Arc<Lender>,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    workspace: Workspace,
    repository: RepositoryOf,
    patience: Duration,
    tell: Tell,
}

/// Environments that may come later.
pub type Slot = Arc<OnceLock<Live>>;

/// A head of one task.
#[derive(Debug, Clone)]
pub struct Stay {
    /// Whose, and which head.
    pub pull: Pull,
    /// When it was pushed, by the forge's clock.
    pub pushed_at: Time,
    /// Where the head's objects are.
    pub objects: PathBuf,
    /// Of which task.
    pub task: Task,
    /// The task's hidden files.
    pub hidden: Tree,
}

/// A commit that was offered.
pub struct Offered {
    pub(super) offer: Offer,
    pub(super) ground: Ground,
    pub(super) environment: Environment,
    accepted: Accepted,
    asked_at: Time,
    /// Longest time that a checkpoint wants to look.
    horizon: Duration,
    wants: Vec<Want>,
    /// What is played when everything else is decided.
    pub(super) scenarios: Vec<(CheckpointId, Scenario)>,
    pub(super) hidden: Tree,
}

/// What becomes of a head before anything is waited for.
pub enum Begun {
    /// It is to run.
    Offered(Box<Offered>),
    /// It does not come to that.
    Settled(Environs),
}

impl Live {
    /// For one workspace. `repository` is where Argo CD fetches from.
    pub fn new(
        lender: Arc<Lender>,
        store: Store,
        clock: Arc<dyn Clock>,
        workspace: Workspace,
        repository: RepositoryOf,
        patience: Duration,
    ) -> Self {
        Self { lender, store, clock, workspace, repository, patience, tell: Arc::new(|_, _| {}) }
    }

    /// Somebody is told how each wait ends.
    pub fn telling(self, tell: Tell) -> Self {
        Self { tell, ..self }
    }

    /// As environments that are there already.
    pub fn at_once(self) -> Slot {
        Arc::new(OnceLock::from(self))
    }

    /// Looks whether the head may run, makes the environment and offers the head to Argo CD.
    pub async fn begin(&self, stay: Stay) -> Result<Begun, StoreError> {
        let Some(environment) = stay.task.environment.clone() else { return Ok(absent("the task has no environment")) };
        if !self.lender.has(environment.tier) {
            return Ok(absent("this place has no such environment"));
        }
        let tenancy = Tenancy {
            workspace: self.workspace.clone(),
            learner: stay.pull.learner().clone(),
            task: stay.task.id.clone(),
        };
        let (objects, commit, allowed) =
            (stay.objects.clone(), stay.pull.head.clone(), environment.allowed(&tenancy.name()));
        let origin = environment.origin(&stay.task.id);
        let examined = blocking(move || {
            let repository = Repository::open_bare(&objects).map_err(|error| error.to_string())?;
            of_commit(&repository, &commit, &origin, &allowed).map_err(|error| error.to_string())
        })
        .await;
        let accepted = match examined {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(objections)) => {
                (self.tell)(Ending::Refused, Duration::ZERO);
                return Ok(Begun::Settled(Environs::Shut(refused(&objections, &prefix(&stay.task.id)))));
            }
            Err(why) => return Ok(unsure(format!("the commit cannot be read before it is applied: {why}"))),
        };
        let ground = match self.lender.ground(&tenancy.name(), environment.tier).await {
            Ok(ground) => ground,
            Err(error) => return Ok(self.not_lent(&error)),
        };
        let offer = Offer {
            tenancy,
            repo_url: (self.repository)(&stay.pull),
            path: accepted.path.clone(),
            commit: stay.pull.head.clone(),
            server: ground.server.clone(),
            policy: accepted.policy.clone(),
        };
        // Before the Application is there: without its project and namespace it does nothing but complain.
        if let Err(error) = self.lender.lend(&offer, &environment, &ground).await {
            return Ok(self.not_lent(&error));
        }
        let actor = Actor::new(ground.kinds.clone(), &environment, &offer.tenancy.name());
        if let Err(error) = undo_all(&self.store, &actor, &offer.tenancy.name()).await? {
            tracing::error!(%error, "what was tried in an environment is left in it");
            return Ok(unsure("what was tried in the environment could not be undone yet".to_owned()));
        }
        let push = Push { number: stay.pull.number, at: stay.pushed_at };
        // Before Argo CD turns to the commit: what this one makes is not to be taken for what was there.
        if self.store.takes_over(&offer.tenancy, push).await? {
            match self.lender.reset(&offer, &environment, &ground).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(environment = offer.tenancy.name(), gone, "what others left was taken away"),
                Err(error) => return Ok(self.not_lent(&error)),
            }
        }
        if let Some(holder) = self.store.offer(&offer, push, self.clock.now()).await? {
            return Ok(Begun::Settled(held(holder)));
        }
        let live = || stay.task.checkpoints.iter().filter(|checkpoint| checkpoint.is_live());
        let mut wants: Vec<Want> = Vec::new();
        for want in live().flat_map(|checkpoint| checkpoint.wants(Some(&stay.hidden))) {
            if !wants.contains(&want) {
                wants.push(want);
            }
        }
        let scenario = |checkpoint: &Checkpoint| match &checkpoint.kind {
            Kind::Scenario(scenario) => Some((checkpoint.id.clone(), (**scenario).clone())),
            _ => None,
        };
        let looking = live().filter(|checkpoint| scenario(checkpoint).is_none());
        let horizon = looking.map(|checkpoint| checkpoint.timing.horizon()).max().unwrap_or_default();
        let scenarios = live().filter_map(scenario).collect();
        let (asked_at, hidden) = (self.clock.now(), stay.hidden);
        let offered = Offered { offer, ground, environment, accepted, asked_at, horizon, wants, scenarios, hidden };
        Ok(Begun::Offered(Box::new(offered)))
    }

    /// All that a pull request is to run is offered: Argo CD may ask.
    pub async fn offered_all(&self, number: PullNumber, offers: Offers) -> Result<(), StoreError> {
        self.store.all_offered(&PullKey { workspace: self.workspace.clone(), number }).await?;
        if offers == Offers::Some
            && let Err(error) = self.lender.argocd().refresh().await
        {
            // It asks by itself every now and then.
            tracing::warn!(%error, "the ApplicationSet cannot be refreshed");
        }
        Ok(())
    }

    /// Waits until the environment is proven to run the commit, and looks until everything is decided.
    pub async fn observe(&self, offered: &Offered, undecided: &Undecided) -> Result<Environs, StoreError> {
        let name = offered.offer.tenancy.name();
        let (tell, newest) = watch::channel(offered.offer.commit.clone());
        let (argocd, kinds) = (self.lender.argocd(), offered.ground.kinds.clone());
        let cluster = Cluster::follow(&argocd.client, &argocd.namespace, &name, kinds, newest);
        tokio::select! {
            environs = self.rounds(offered, undecided, &cluster) => environs,
            error = self.follow_offer(&offered.offer.tenancy, &tell) => Err(error),
        }
    }

    async fn rounds(
        &self,
        offered: &Offered,
        undecided: &Undecided,
        cluster: &Cluster,
    ) -> Result<Environs, StoreError> {
        let name = offered.offer.tenancy.name();
        let prefix = prefix(&offered.offer.tenancy.task);
        let question = self.question(offered);
        for _ in 0..ROUNDS {
            let ending = drive(&question, cluster, &*self.clock).await;
            let ours = |reason: &Reason| if reason.blame() == Blame::Ours { Ending::Ours } else { Ending::Refused };
            let how = ending.as_ref().map_or_else(ours, |_| Ending::Proven);
            (self.tell)(how, self.clock.now().since(offered.asked_at));
            let proof = match ending {
                Ok(proof) => proof,
                Err(reason) => {
                    if how == Ending::Ours {
                        tracing::warn!(environment = name, %reason, "the gate stays shut");
                        self.lender.doubt(&name).await;
                    }
                    return Ok(Environs::Shut(closed(&reason, &offered.accepted, &prefix)));
                }
            };
            let looking = Looking {
                looker: &Looker::new(offered.ground.kinds.clone(), &offered.environment, &name)
                    .by(self.lender.argocd())
                    .asking(self.lender.addresses()),
                wants: &offered.wants,
                horizon: offered.horizon,
                clock: &*self.clock,
                undecided,
                name: &name,
                staying: None,
            };
            let seen = match looking.until(Environs::Seen, <[Open]>::is_empty).await {
                Ok(seen) => seen,
                Err(Broken::Shut(judgement)) => return Ok(Environs::Shut(judgement)),
                Err(Broken::Moved) => continue,
            };
            if !still(&proof, &question, cluster, &*self.clock).await {
                tracing::debug!(environment = name, "something changed while it was looked at; once more");
                continue;
            }
            if offered.scenarios.is_empty() {
                return Ok(Environs::Seen(seen));
            }
            let stage = Stage::new(self, offered, undecided, cluster, &proof, &question);
            match stage.play(seen).await? {
                Ok(seen) => return Ok(Environs::Seen(seen)),
                Err(Broken::Shut(judgement)) => return Ok(Environs::Shut(judgement)),
                Err(Broken::Moved) => tracing::debug!(environment = name, "something changed while scenes were played"),
            }
        }
        Ok(shut("the environment changed each time it was looked at"))
    }

    /// Tells of commits that are offered meanwhile. Ends only when that cannot be known.
    async fn follow_offer(&self, tenancy: &Tenancy, tell: &watch::Sender<CommitId>) -> StoreError {
        loop {
            match self.store.offered(tenancy).await {
                Ok(Some(commit)) => {
                    tell.send_if_modified(|now| {
                        *now != commit && {
                            *now = commit;
                            true
                        }
                    });
                }
                // Given back: the Application goes, which the gate sees.
                Ok(None) => {}
                Err(error) => return error,
            }
            self.clock.sleep(LOOK_FOR_OFFER).await;
        }
    }

    fn question(&self, offered: &Offered) -> Question {
        let Offered { offer, environment, accepted, .. } = offered;
        let name = offer.tenancy.name();
        let of_wanted = |object: &&Object| offered.wants.iter().any(|want| want.is_about(&object.group, &object.kind));
        let needs = accepted.objects.iter().map(|(object, _)| object).filter(of_wanted);
        Question {
            commit: offer.commit.clone(),
            offered: offer.commit.clone(),
            application: Expected {
                uid: None,
                tracked_as: name.clone(),
                project: name.clone(),
                sources: vec![(offer.repo_url.clone(), offer.path.clone())],
                destination: offer.destination(),
                policy: offer.policy.clone(),
            },
            needs: needs.cloned().collect(),
            applied: if offered.scenarios.is_empty() { Applied::OrUnchanged } else { Applied::ByOperation },
            allowed: environment.allowed(&name),
            asked_at: offered.asked_at,
            budget: self.patience,
            now: offered.asked_at,
        }
    }

    fn not_lent(&self, error: &LendError) -> Begun {
        (self.tell)(Ending::Ours, Duration::ZERO);
        let told: &dyn std::error::Error = error;
        if let Some(why) = waits(error) {
            tracing::warn!(error = told, "an environment has to wait");
            return Begun::Settled(Environs::Shut(all_in_use(why)));
        }
        let why = match error {
            LendError::Plane(PlanesError::Full { .. }) => FULL,
            _ => "the environment could not be made ready",
        };
        tracing::error!(error = told, "an environment cannot be lent");
        unsure(why.to_owned())
    }
}

/// Whether a pull request is to run anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    /// It is.
    Some,
    /// Nothing.
    None,
}

fn prefix(task: &TaskId) -> String {
    format!("{}/", task.dir())
}

fn absent(why: &str) -> Begun {
    Begun::Settled(Environs::Absent(why.to_owned()))
}

fn unsure(why: String) -> Begun {
    Begun::Settled(shut(&why))
}

fn shut(why: &str) -> Environs {
    Environs::Shut(Judgement::inconclusive(why))
}

/// What a learner reads who waits for somebody else.
const FULL: &str = "all environments are in use: yours follows when one is free";

/// What a learner reads who waits for us.
const UNUSABLE: &str =
    "the cluster for your environment cannot be used now: that is ours to mend, and yours follows by itself";

/// Why trying again before something happens to a cluster changes nothing, if that is so.
fn waits(error: &LendError) -> Option<&'static str> {
    match error {
        LendError::AllInUse => Some(FULL),
        LendError::Unusable(_) => Some(UNUSABLE),
        _ => None,
    }
}

/// Until somebody gives a cluster back, or mends the kubeconfig of one, which may take days.
fn all_in_use(why: &str) -> Judgement {
    let mut judgement = Judgement::inconclusive(why);
    judgement.evidence.iter_mut().for_each(|one| one.operator = Some(ALL_IN_USE.to_owned()));
    judgement
}

fn held(by: PullNumber) -> Environs {
    Environs::Absent(format!("pull request {by} holds the environment, since it was pushed to last"))
}

/// A place from the top of the workspace as one below the task's directory. What is elsewhere has no place there.
fn below(place: &Place, prefix: &str) -> Option<Place> {
    let file = place.file.as_deref()?.strip_prefix(prefix)?;
    Some(Place { file: Some(file.to_owned()), ..place.clone() })
}

/// What pre-flight says.
fn refused(objections: &[Objection], prefix: &str) -> Judgement {
    let one = |objection: &Objection| {
        let (place, elsewhere) = match below(&objection.place, prefix) {
            Some(place) => (place, String::new()),
            None => (Place::default(), objection.place.file.iter().map(|file| format!("`{file}`: ")).collect()),
        };
        let message = format!("not applied: {elsewhere}{}: {}", objection.what, objection.remedy);
        Evidence { message, place, operator: Some(NOT_APPLIED.to_owned()), ..Evidence::default() }
    };
    Judgement::fail(objections.iter().map(one).collect())
}

/// Why the gate stays shut, with each object that Argo CD or the API server complained about at its line.
fn closed(reason: &Reason, accepted: &Accepted, prefix: &str) -> Judgement {
    let message = format!("{reason}; {}", reason.remedy());
    if reason.blame() == Blame::Ours {
        return Judgement::inconclusive(message);
    }
    let place = |object: &Object| {
        let found = accepted.objects.iter().find(|(known, _)| known == object);
        found.and_then(|(_, place)| below(place, prefix)).unwrap_or_default()
    };
    let objects = reason.objects();
    let first = match objects.first() {
        Some((object, _)) => place(object),
        None if reason.is_of_the_policy() => {
            accepted.policy_at.as_ref().and_then(|at| below(at, prefix)).unwrap_or_default()
        }
        None => Place::default(),
    };
    let mut evidence =
        vec![Evidence { message, place: first, operator: Some(NOT_APPLIED.to_owned()), ..Evidence::default() }];
    evidence.extend(objects.iter().skip(1).map(|(object, words)| Evidence {
        message: format!("{object}: {words}"),
        place: place(object),
        operator: Some(NOT_APPLIED.to_owned()),
        subject: Some(object.to_string()),
        ..Evidence::default()
    }));
    Judgement { outcome: Outcome::Fail, blame: Some(reason.blame()), evidence, cases: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::failure::{Failure, Refusal};
    use crate::gitops::preflight::Rule;

    const PREFIX: &str = "tasks/shop/";

    fn place(file: &str, line: u32) -> Place {
        Place { file: Some(file.to_owned()), line: Some(line), ..Place::default() }
    }

    #[test]
    fn who_waits_for_a_broken_cluster_is_not_told_that_it_is_in_use() {
        assert_eq!(waits(&LendError::AllInUse), Some(FULL));
        let broken = waits(&LendError::Unusable("lab-1".to_owned())).unwrap();
        assert!(!broken.contains("in use") && !broken.contains("lab-1"), "{broken}");
        assert!(broken.contains("ours to mend"), "{broken}");
        assert_eq!(waits(&LendError::NotHere), None, "tried again as everything else");
    }

    #[test]
    fn what_pre_flight_objects_to_stands_at_its_line_and_what_is_elsewhere_is_named() {
        let objection = |file: &str| Objection {
            rule: Rule::Kind,
            place: place(file, 3),
            what: "Job is not allowed".into(),
            remedy: "take it out".into(),
        };
        let judgement = refused(&[objection("tasks/shop/manifests/job.yaml"), objection(".gitmodules")], PREFIX);
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::YourFiles)));
        let [here, there] = judgement.evidence.as_slice() else { panic!("{judgement:?}") };
        assert_eq!((here.place.file.as_deref(), here.place.line), (Some("manifests/job.yaml"), Some(3)));
        assert_eq!(here.message, "not applied: Job is not allowed: take it out");
        assert_eq!((there.place.file.as_deref(), there.message.contains("`.gitmodules`")), (None, true));
    }

    #[test]
    fn what_the_cluster_refuses_is_told_at_the_object_and_what_is_ours_costs_nothing() {
        let object = |name: &str| Object { kind: "Service".into(), name: name.into(), ..Object::default() };
        let failure = |blame, refusal| Failure {
            refusal,
            blame,
            message: "one or more objects failed to apply".into(),
            objects: vec![(object("web"), "port 0 is invalid".into()), (object("db"), "no ports".into())],
        };
        let accepted = Accepted {
            objects: vec![
                (object("web"), place("tasks/shop/m/web.yaml", 1)),
                (object("db"), place("tasks/shop/m/db.yaml", 9)),
            ],
            policy_at: Some(place("tasks/shop/apps/shop.yaml", 12)),
            ..Accepted::default()
        };
        let theirs = closed(&Reason::refused(failure(Blame::YourFiles, Refusal::Object)), &accepted, PREFIX);
        assert_eq!(theirs.outcome, Outcome::Fail);
        let places: Vec<_> =
            theirs.evidence.iter().map(|one| (one.place.file.clone().unwrap(), one.place.line)).collect();
        assert_eq!(places, [("m/web.yaml".to_owned(), Some(1)), ("m/db.yaml".to_owned(), Some(9))]);
        assert!(theirs.evidence[1].message.contains("no ports"), "{theirs:?}");
        let policy = closed(&Reason::NotAutomated, &accepted, PREFIX);
        let at = &policy.evidence[0].place;
        assert_eq!((policy.outcome, at.file.as_deref(), at.line), (Outcome::Fail, Some("apps/shop.yaml"), Some(12)));
        let ours = closed(&Reason::refused(failure(Blame::Ours, Refusal::Impersonation)), &accepted, PREFIX);
        assert_eq!(ours.outcome, Outcome::Inconclusive);
    }
}
