//! When is the live state a given commit? One read, one answer (design §8).
//!
//! Nine steps have to hold at once; each has a function below that names what stands against it. The order in which they are
//! asked does not matter for opening. For the answer it does: what ends the wait is told before what may still come.

use std::time::Duration;

use super::allowed::Allowed;
use super::application::{Application, Destination, Health, Mode, OperationState, Phase, Resource, SyncStatus};
use super::failure::Failure;
use super::object::Object;
use super::policy::Policy;
use super::reason::{Field, Reason};
use super::tracking::Live;
use super::waiting::{WAITS_FOR_HEALTH, Waiting};
use crate::checkpoint::outcome::Blame;
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The commit that the live state should be.
    pub commit: CommitId,
    /// The commit that the environment is to run by now: another one once a newer head was offered.
    pub offered: CommitId,
    /// The Application as we made it.
    pub application: Expected,
    /// The objects that the checkpoints look at and expect to come from the commit.
    pub needs: Vec<Object>,
    /// What counts as applied.
    pub applied: Applied,
    /// What the environment lets its learner apply: tells their mistakes from ours.
    pub allowed: Allowed,
    /// When the commit was offered and a comparison asked for.
    pub asked_at: Time,
    /// How long to wait from then on.
    pub budget: Duration,
    /// Now.
    pub now: Time,
}

/// When a commit counts as applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Also where nothing was to be done for it.
    OrUnchanged,
    /// Only by an operation of its own. Argo CD tries each commit once by itself: one that was not tried yet would be applied
    /// when something is changed in the cluster, and look as if it healed.
    ByOperation,
}

/// An Application as we made it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Which one of this name; none while it was never seen.
    pub uid: Option<String>,
    /// The name that Argo CD tracks its objects under.
    pub tracked_as: String,
    /// Its AppProject.
    pub project: String,
    /// Repository and path of each source, all at the commit.
    pub sources: Vec<(String, String)>,
    /// Where the objects go.
    pub destination: Destination,
    /// How it syncs by itself.
    pub policy: Policy,
}

/// What was read.
#[derive(Debug, Clone)]
pub enum Seen {
    /// No Application of this name.
    Nothing,
    /// Something that cannot be read.
    Unreadable(String),
    /// The Application, and after it the objects of [`Question::needs`] that are in the cluster.
    Application(Box<Application>, Vec<Live>),
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// By this read the live state is the commit. It counts when a read after the evidence says the same ([`Proof::stands`]).
    Open(Proof),
    /// Not yet.
    Wait {
        /// What is missing.
        why: Waiting,
        /// Since when it is.
        since: Time,
    },
    /// It will not be.
    Closed(Reason),
}

/// What must not change between the reads before and after the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    uid: String,
    commit: CommitId,
    operation: Option<(Option<Time>, Option<Time>)>,
    resources: Vec<(Object, SyncStatus, bool)>,
    /// Of each object that a checkpoint needs: Argo CD's times are whole seconds, and what it heals within one of them shows
    /// in nothing of the Application.
    editions: Vec<(Object, String)>,
}

impl Proof {
    /// Step 9: whether evidence that was taken between this proof and a later answer counts. Everything that could have
    /// changed an object leaves a trace here: another commit, another Application, an operation, another set of objects, or
    /// the object itself.
    /// Neither health nor the time of the last comparison does: both change by themselves.
    pub fn stands(&self, later: &Gate) -> bool {
        matches!(later, Gate::Open(proof) if proof == self)
    }

    /// The commit that was proven to run.
    pub fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// Whether this is still the Application that was proven to run the commit, and still asks for it, whatever became of
    /// its objects since.
    pub fn is_of(&self, application: &Application) -> bool {
        let Application { metadata, spec, .. } = application;
        let asks = spec.sources().iter().all(|source| source.target_revision == self.commit.as_str());
        metadata.uid == self.uid && metadata.deletion_timestamp.is_none() && asks
    }
}

enum Stop {
    Wait(Waiting, Time),
    Closed(Reason),
}

type Step = Result<(), Stop>;

/// The answer to one read.
pub fn gate(question: &Question, seen: &Seen) -> Gate {
    if question.offered != question.commit {
        return Gate::Closed(Reason::Superseded(question.offered.clone()));
    }
    let asked = question.asked_at;
    let stop = match seen {
        Seen::Nothing if question.application.uid.is_some() => Stop::Closed(Reason::Deleted),
        Seen::Nothing => Stop::Wait(Waiting::NotThere, asked),
        Seen::Unreadable(problem) => Stop::Wait(Waiting::Unreadable(problem.clone()), asked),
        Seen::Application(application, objects) => match examine(question, application, objects) {
            Ok(proof) => return Gate::Open(proof),
            Err(stop) => stop,
        },
    };
    match stop {
        Stop::Closed(reason) => Gate::Closed(reason),
        Stop::Wait(why, _) if question.now.since(asked) >= question.budget => {
            Gate::Closed(Reason::at_the_end(why, question.budget))
        }
        Stop::Wait(why, since) => Gate::Wait { why, since },
    }
}

fn examine(question: &Question, application: &Application, objects: &[Live]) -> Result<Proof, Stop> {
    let [identity, at_rest, compared, applied, fresh, unquestioned, complete, tracked] =
        steps(question, application, objects);
    // What is said of another Application, or of another commit, is no answer to anything else.
    identity?;
    // Argo CD's own words about what is wrong tell more than that there is no comparison for it.
    let telling = [at_rest, unquestioned, compared, applied, fresh, complete, tracked];
    let mut first = None;
    for stop in telling.into_iter().filter_map(Step::err) {
        match stop {
            Stop::Closed(_) => return Err(stop),
            Stop::Wait(..) => first = first.or(Some(stop)),
        }
    }
    match first {
        Some(stop) => Err(stop),
        None => Ok(Proof {
            uid: application.metadata.uid.clone(),
            commit: question.commit.clone(),
            operation: application.status.operation_state.as_ref().map(|state| (state.started_at, state.finished_at)),
            resources: application.status.resources.iter().map(standing).collect(),
            editions: objects.iter().map(|live| (live.object.clone(), live.edition.clone())).collect(),
        }),
    }
}

/// Steps 1 to 8. Each is there for a reason of its own: the tests have states that it alone keeps out.
fn steps(question: &Question, application: &Application, objects: &[Live]) -> [Step; 8] {
    [
        identity(question, application),
        at_rest(question, application),
        compared(question, application),
        applied(question, application),
        fresh(question, application),
        unquestioned(question, application),
        complete(question, application),
        tracked(question, application, objects),
    ]
}

fn standing(one: &Resource) -> (Object, SyncStatus, bool) {
    (one.object.clone(), one.status, one.requires_pruning)
}

/// Step 1: it is the Application that we made, as we made it, and it asks for the commit.
fn identity(question: &Question, application: &Application) -> Step {
    let (expected, spec) = (&question.application, &application.spec);
    let another = expected.uid.as_ref().is_some_and(|uid| *uid != application.metadata.uid);
    if another || application.metadata.deletion_timestamp.is_some() {
        return Err(Stop::Closed(Reason::Deleted));
    }
    let changed = |field| Err(Stop::Closed(Reason::Changed(field)));
    if spec.project != expected.project {
        return changed(Field::Project);
    }
    if spec.destination != expected.destination {
        return changed(Field::Destination);
    }
    let places = spec.sources().iter().map(|source| (&source.repo_url, &source.path));
    if spec.source_hydrator.is_some() || !places.eq(expected.sources.iter().map(|(repo, path)| (repo, path))) {
        return changed(Field::Source);
    }
    match spec.sources().iter().find(|source| source.target_revision != question.commit.as_str()) {
        Some(other) => wait(Waiting::NotOffered(other.target_revision.clone()), question.asked_at),
        None => Ok(()),
    }
}

/// Step 2: nothing is being applied.
fn at_rest(question: &Question, application: &Application) -> Step {
    let state = application.status.operation_state.as_ref();
    let Some(state) = state.filter(|state| matches!(state.phase, Phase::Running | Phase::Terminating | Phase::Other))
    else {
        // Asked for, and the controller has not taken it up.
        return match &application.operation {
            Some(_) => applying(String::new(), Vec::new(), question.asked_at),
            None => Ok(()),
        };
    };
    let since = state.started_at.unwrap_or(question.asked_at);
    if !is_of(state, &question.commit) {
        return wait(Waiting::ApplyingAnother, since);
    }
    // A phase that runs and has an end is one that failed and is tried again.
    if state.finished_at.is_some() {
        return wait(Waiting::Retrying(Failure::of(state, &question.allowed)), since);
    }
    applying(state.message.clone(), unhealthy(application, &state.message), since)
}

/// What an operation waits for, with its words. Argo CD keeps the health of single objects elsewhere unless it is told not
/// to: then the first that it waits for stands in the operation's message, and of the rest nothing is known.
fn unhealthy(application: &Application, message: &str) -> Vec<(Object, String)> {
    let words = |health: &Health| format!("{} {}", health.status, health.message).trim_end().to_owned();
    let whole = |health: &Health| if health.status == "Healthy" { "not healthy".into() } else { health.status.clone() };
    let status = &application.status;
    let ill = |one: &Resource| match &one.health {
        Some(health) if health.status != "Healthy" => Some((one.object.clone(), words(health))),
        _ => None,
    };
    let known: Vec<_> = status.resources.iter().filter_map(ill).collect();
    if !known.is_empty() {
        return known;
    }
    let Some(named) = message.strip_prefix(WAITS_FOR_HEALTH) else { return known };
    let named = named.split(' ').next().unwrap_or_default();
    let is_named = |one: &&Resource| named == format!("{}/{}/{}", one.object.group, one.object.kind, one.object.name);
    status.resources.iter().find(is_named).map(|one| (one.object.clone(), whole(&status.health))).into_iter().collect()
}

fn applying(message: String, unhealthy: Vec<(Object, String)>, since: Time) -> Step {
    wait(Waiting::Applying { message, unhealthy }, since)
}

/// Step 3: the last comparison is of this commit, in its place, and found no difference.
fn compared(question: &Question, application: &Application) -> Step {
    let sync = &application.status.sync;
    let revisions = sync.revisions();
    // The revision alone proves nothing: it is echoed where no manifest could be made. What was compared alone neither: a
    // quick comparison takes the spec's source with the revision of the comparison before.
    let named = revisions.len() == application.spec.sources().len()
        && revisions.iter().all(|revision| *revision == question.commit.as_str());
    if !named || !is_about(application) {
        return wait(Waiting::NotCompared, question.asked_at);
    }
    match sync.status {
        SyncStatus::Synced => Ok(()),
        SyncStatus::OutOfSync => out_of_sync(question, application),
        SyncStatus::Other => wait(Waiting::NoAnswer, question.asked_at),
    }
}

/// Differences: whether they go by themselves is the policy's matter.
fn out_of_sync(question: &Question, application: &Application) -> Step {
    let (policy, state) = (&question.application.policy, application.status.operation_state.as_ref());
    let differs = || application.status.resources.iter().filter(|one| one.status != SyncStatus::Synced);
    let named = || differs().map(|one| one.object.clone()).collect();
    let rests = at_rest(question, application).is_ok() && fresh(question, application).is_ok();
    let applied = state.is_some_and(|state| is_of(state, &question.commit) && state.phase == Phase::Succeeded);
    let only_pruning = differs().next().is_some() && differs().all(|one| one.requires_pruning);
    match () {
        () if rests && !applied && policy.automated.is_none() => Err(Stop::Closed(Reason::NotAutomated)),
        () if rests && only_pruning && !policy.prunes() => Err(Stop::Closed(Reason::NotPruned(named()))),
        // Somebody changed something since, maybe we: a learner's policy that does not heal is no reason to wait for ever.
        () if rests && applied && !policy.heals() => wait(Waiting::Drifted(named()), question.asked_at),
        () => wait(Waiting::Differs(named()), question.asked_at),
    }
}

/// Whether the last comparison looked at what the spec says now. Step 1 holds the spec to the commit.
fn is_about(application: &Application) -> bool {
    let compared = &application.status.sync.compared_to;
    compared.sources() == application.spec.sources() && compared.destination == application.spec.destination
}

/// Step 4: the commit was applied, or a comparison that was made since it was offered says that nothing was to be done.
fn applied(question: &Question, application: &Application) -> Step {
    let state = application.status.operation_state.as_ref();
    if let Some(state) = state {
        // Unless the next one is asked for already: then the last one is no answer any more, and step 2 holds.
        let last = application.operation.is_none();
        let without_result = state.sync_result.is_none() || state.finished_at.is_none();
        if last && state.phase == Phase::Succeeded && without_result {
            return Err(Stop::Closed(Reason::Wedged));
        }
        // What was compared since is not the commit either.
        if state.mode() == Mode::LocalManifests {
            return wait(Waiting::LocalManifests, question.asked_at);
        }
        if is_of(state, &question.commit) && state.mode() == Mode::Commit {
            match state.phase {
                Phase::Succeeded => return Ok(()),
                Phase::Failed | Phase::Error if last => {
                    if let Some(shared) = state.message.strip_prefix("Shared resource found: ") {
                        return Err(Stop::Closed(Reason::Shared(shared.to_owned())));
                    }
                    return Err(Stop::Closed(Reason::refused(Failure::of(state, &question.allowed))));
                }
                Phase::Failed | Phase::Error | Phase::Running | Phase::Terminating | Phase::Other => {}
            }
        }
    }
    // Times of Argo CD have no fractions: the same second may lie before.
    match application.status.reconciled_at {
        Some(at) if at > question.asked_at => match question.applied {
            Applied::OrUnchanged => Ok(()),
            Applied::ByOperation => wait(Waiting::Untried, question.asked_at),
        },
        _ => wait(Waiting::NotApplied, question.asked_at),
    }
}

fn is_of(state: &OperationState, commit: &CommitId) -> bool {
    let revisions = state.revisions();
    !revisions.is_empty() && revisions.iter().all(|revision| *revision == commit.as_str())
}

/// Step 5: the last comparison is younger than the last operation, and no other one is asked for.
fn fresh(question: &Question, application: &Application) -> Step {
    const REQUESTS: [&str; 2] = ["argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate"];
    if REQUESTS.iter().any(|key| application.metadata.annotations.contains_key(*key)) {
        return wait(Waiting::NotRefreshed, question.asked_at);
    }
    let ended = application.status.operation_state.as_ref().and_then(|state| state.finished_at);
    match (application.status.reconciled_at, ended) {
        (Some(at), Some(ended)) if at < ended => wait(Waiting::Stale, ended),
        (None, ended) => wait(Waiting::Stale, ended.unwrap_or(question.asked_at)),
        _ => Ok(()),
    }
}

/// Step 6: Argo CD says of nothing that it is wrong.
fn unquestioned(question: &Question, application: &Application) -> Step {
    let mut first = None;
    for condition in &application.status.conditions {
        let failure = || Failure::words(&condition.message, &question.allowed);
        let why = match condition.kind.as_str() {
            "ComparisonError" if is_about(application) => {
                let failure = failure();
                if failure.blame == Blame::YourFiles {
                    return Err(Stop::Closed(Reason::Incomparable(failure)));
                }
                Waiting::Incomparable(failure)
            }
            "RepeatedResourceWarning" if is_about(application) => {
                return Err(Stop::Closed(Reason::Repeated(condition.message.clone())));
            }
            "InvalidSpecError" | "UnknownError" => Waiting::Refused(failure()),
            // It may be about the commit before.
            "SharedResourceWarning" | "RepeatedResourceWarning" | "ComparisonError" | "SyncError"
                if !is_about(application) =>
            {
                Waiting::NotCompared
            }
            "SharedResourceWarning" => Waiting::Condition(condition.clone()),
            // Of any name: an error that a later version brings is one, too.
            kind if kind.ends_with("Error") => Waiting::Condition(condition.clone()),
            _ => continue,
        };
        if first.as_ref().is_none_or(|first| *first == Waiting::NotCompared) {
            first = Some(why);
        }
    }
    first.map_or(Ok(()), |why| wait(why, question.asked_at))
}

/// Step 7: each object that counts, if Argo CD manages it, is as the commit says. Together they can be called in sync
/// while one of them is not: an annotation on it is enough.
fn complete(question: &Question, application: &Application) -> Step {
    let wrong = |one: &&Resource| {
        question.needs.contains(&one.object) && (one.status != SyncStatus::Synced || one.requires_pruning)
    };
    match application.status.resources.iter().find(wrong) {
        Some(one) => wait(Waiting::NotAsCommitted(one.object.clone()), question.asked_at),
        None => Ok(()),
    }
}

/// Step 8: each object that counts and is there belongs to this Application. One that is nowhere is no matter of the gate:
/// its checkpoint fails.
fn tracked(question: &Question, application: &Application, objects: &[Live]) -> Step {
    let (name, namespace) = (&question.application.tracked_as, &question.application.destination.namespace);
    for need in &question.needs {
        let managed = application.status.resources.iter().any(|one| one.object == *need);
        let ours = match objects.iter().find(|live| live.object == *need) {
            Some(live) => live.is_tracked_by(name, namespace),
            None => !managed,
        };
        match (ours, managed) {
            (true, _) => {}
            (false, true) => return wait(Waiting::Untracked(need.clone()), question.asked_at),
            // Before this commit was compared it may only be unknown.
            (false, false) if compared(question, application).is_err() => {
                return wait(Waiting::Untracked(need.clone()), question.asked_at);
            }
            (false, false) => return Err(Stop::Closed(Reason::ByHand(need.clone()))),
        }
    }
    Ok(())
}

fn wait(why: Waiting, since: Time) -> Step {
    Err(Stop::Wait(why, since))
}

#[cfg(test)]
mod policies;
#[cfg(test)]
pub(crate) mod steps;
#[cfg(test)]
mod traps;
