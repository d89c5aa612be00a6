//! Who keeps what is served as the configuration says: takes changes over as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::book::BookToken;
use super::workers::{Grounds, Running};
use super::{ServeError, blocking, forks};
use crate::config::Loaded;
use crate::config::kinds::CourseConfig;
use crate::config::reload::Reading;
use crate::config::secret::Secret;
use crate::course::Course;
use crate::environment::address::Addresses;
use crate::environment::lender::Lender;
use crate::forge::dry_run::Tell;
use crate::forge::pull::Workspace;
use crate::reconcile::pulse::Pulse;
use crate::reconcile::turns::Turns;
use crate::sandbox::Sandbox;
use crate::server::serve::connect::Connect;
use crate::server::serve::courses;
use crate::server::serve::data::Data;
use crate::server::serve::engine::Ground;
use crate::server::serve::generator::{Compared, Generator};
use crate::server::serve::health::{Ask, Health};
use crate::server::serve::plan::{Served, Works, WorkspaceId, fixed, plans};
use crate::server::serve::scout::Found;
use crate::server::webhooks::{Endpoint, Endpoints, Receiver};

/// Starts, changes and ends what runs for each workspace.
pub(super) struct Supervisor<C> {
    pub(super) connect: C,
    pub(super) data: Arc<Data>,
    pub(super) ground: Ground,
    pub(super) sandbox: Sandbox,
    pub(super) dry_run: Option<Tell>,
    pub(super) receiver: Receiver,
    pub(super) generator: Generator,
    pub(super) lender: Option<Arc<Lender>>,
    pub(super) compared: Compared,
    pub(super) health: Health,
    pub(super) book_token: BookToken,
    /// What was in force at the start: some of it stays.
    pub(super) begun: Arc<Loaded>,
    /// What is in force.
    pub(super) loaded: Arc<Loaded>,
    /// Takes what is found of learners' forks.
    pub(super) found: mpsc::Sender<Found>,
    /// Workspaces whose learners' forks are served.
    pub(super) homes: BTreeMap<WorkspaceId, forks::Home>,
    /// How many forks are served.
    pub(super) crowd: Arc<AtomicUsize>,
    /// One for each workspace, whatever its workers are replaced by.
    pub(super) pulses: BTreeMap<Workspace, Pulse>,
    pub(super) courses: Vec<LoadedCourse>,
    pub(super) running: BTreeMap<WorkspaceId, Running>,
    /// Engines that were replaced and finish what they began.
    pub(super) leaving: JoinSet<()>,
    /// Of all workspaces together.
    pub(super) turns: Turns,
}

/// A course with what it was loaded by.
pub(super) struct LoadedCourse {
    config: CourseConfig,
    token: Option<Secret>,
    course: Course,
}

impl<C: Connect> Supervisor<C> {
    /// Takes over a reading of the configuration, or says why not and stays as it is.
    pub(super) async fn take(&mut self, reading: &Reading) {
        let applied = match &reading.broken {
            Some(why) => Err(why.to_string()),
            None => self.apply(&reading.loaded).await.map_err(|error| error.to_string()),
        };
        self.health.config_is(applied.is_ok());
        match applied {
            Ok(()) => {
                for warning in &reading.loaded.warnings {
                    tracing::warn!("{warning}");
                }
                let waiting = fixed(&self.begun.config, &reading.loaded.config);
                if !waiting.is_empty() {
                    tracing::warn!(fields = waiting.join(", "), "changed, which takes effect at the next start");
                }
                self.health.waits_for_start(waiting);
                tracing::info!(workspaces = self.running.len(), "the configuration is in force");
            }
            Err(why) => {
                tracing::error!("the changed configuration cannot be used, the last good one stays in force: {why}")
            }
        }
    }

    /// Prepares everything that is new first: when something of it cannot be, nothing has changed.
    pub(super) async fn apply(&mut self, loaded: &Arc<Loaded>) -> Result<(), ServeError> {
        let processors = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        let plans = plans(loaded, processors);
        let mut prepared = Vec::new();
        let mut courses = Vec::new();
        for (id, plan) in &plans {
            let course = self.course(&plan.works, &mut courses).await?;
            if self.running.get(id).is_none_or(|running| running.works != plan.works) {
                prepared.push(self.prepare(id, plan, course)?);
            }
        }
        self.courses = courses;
        // Forks go with their workspace.
        let stays = |id: &WorkspaceId, running: &Running| match &running.of {
            None => plans.contains_key(id),
            Some(of) => plans.get(of).is_some_and(|plan| plan.forks == Served::Yes),
        };
        let gone = self.running.iter().filter(|(id, running)| !stays(id, running));
        for id in gone.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.leave(&id);
        }
        self.homes.retain(|id, _| plans.contains_key(id));
        for (id, plan) in &plans {
            let new = prepared.iter().find(|prepared| prepared.id == *id);
            self.house(id, plan, new);
            if let Some(running) = self.running.get(id) {
                running.policy.set(plan.policy.clone());
            }
        }
        for prepared in prepared {
            self.leave(&prepared.id);
            self.start(prepared, Grounds::Configured);
        }
        for id in self.homes.keys().cloned().collect::<Vec<_>>() {
            self.settle(&id);
        }
        self.book_token.set(loaded);
        let token = loaded.config.argocd.as_ref().and_then(|argocd| loaded.secrets.get(&argocd.token));
        self.generator.replace(token.cloned());
        if let Some(addresses) = self.lender.as_ref().and_then(|lender| lender.addresses()) {
            addresses.replace(Addresses::of(loaded));
        }
        self.loaded = loaded.clone();
        self.show();
        Ok(())
    }

    /// Tells those outside what is served now.
    pub(super) fn show(&self) {
        let forks = self.running.values().filter(|running| running.of.is_some()).count();
        self.crowd.store(forks, Ordering::Relaxed);
        self.receiver.replace(self.endpoints(&self.loaded));
        let configured = self.running.values().filter(|running| running.of.is_none());
        let conditions = configured.map(|running| {
            let engine = running.engine.clone();
            let ask: Ask = Arc::new(move || engine.condition());
            (running.engine.workspace().clone(), ask)
        });
        self.health.serves(conditions.collect(), self.fleets());
    }

    /// The course of a workspace, loaded once for all that are graded with it. Kept while its configuration is the same.
    async fn course(&self, works: &Works, loaded: &mut Vec<LoadedCourse>) -> Result<Course, ServeError> {
        let same = |known: &&LoadedCourse| known.config == works.course && known.token == works.course_token;
        if let Some(known) = loaded.iter().find(same) {
            return Ok(known.course.clone());
        }
        let course = match self.courses.iter().find(same) {
            Some(known) => known.course.clone(),
            None => {
                let (config, token, data) = (works.course.clone(), works.course_token.clone(), self.data.clone());
                blocking(move || courses::load(&config, token.as_ref(), &data)).await?
            }
        };
        loaded.push(LoadedCourse {
            config: works.course.clone(),
            token: works.course_token.clone(),
            course: course.clone(),
        });
        Ok(course)
    }

    fn endpoints(&self, loaded: &Loaded) -> Endpoints {
        let forges = loaded.config.forges.iter().filter_map(|forge| {
            let webhook = forge.webhook.as_ref()?;
            let secrets = webhook.secrets.iter().filter_map(|source| loaded.secrets.get(source)).cloned().collect();
            let here = self.running.iter().filter(|((name, _), _)| *name == forge.name);
            let workspaces = here.filter_map(|((_, repository), running)| {
                let workspace = running.engine.workspace();
                Some((repository.clone(), (workspace.clone(), self.pulses.get(workspace)?.clone())))
            });
            let endpoint = Endpoint {
                forge: forge.name.clone(),
                reader: self.connect.reader(forge.kind),
                secrets,
                workspaces: workspaces.collect(),
                strangers: self.strangers(&forge.name),
            };
            Some((forge.webhook_path()?, endpoint))
        });
        forges.collect()
    }

    /// Ends everything.
    pub(super) async fn end(mut self, within: std::time::Duration) {
        self.homes.clear();
        for running in self.running.values() {
            running.engine.stop();
        }
        for (_, running) in std::mem::take(&mut self.running) {
            self.leaving.spawn(async move { running.engine.stopped(within).await });
        }
        while self.leaving.join_next().await.is_some() {}
    }
}
