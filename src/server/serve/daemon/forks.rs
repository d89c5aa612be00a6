//! What runs for learners' forks: begun when the forge lists one, ended when it does not any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::supervisor::Supervisor;
use super::workers::{Grounds, Prepared, Running};
use crate::course::id::ForgeName;
use crate::forge::Forge;
use crate::forge::forks::{Changes, Fork, RepositoryId, changes};
use crate::forge::hint::RepositoryName;
use crate::forge::pull::Workspace;
use crate::reconcile::courses::Courses;
use crate::server::serve::connect::{Connect, ConnectError};
use crate::server::serve::crowd::Crowd;
use crate::server::serve::health::{Ask, Fleet, Listed};
use crate::server::serve::plan::{Plan, Served, WorkspaceId};
use crate::server::serve::scout::{Found, Scout};

/// A workspace whose learners have repositories of their own.
pub(super) struct Home {
    plan: Plan,
    workspace: Workspace,
    courses: Arc<Courses>,
    scout: Scout,
    /// As listed last.
    forks: Vec<Fork>,
    listed: Listed,
}

impl<C: Connect> Supervisor<C> {
    /// Follows what the configuration says of a workspace. `prepared` is there when its workers begin anew.
    pub(super) fn house(&mut self, id: &WorkspaceId, plan: &Plan, prepared: Option<&Prepared<C::Forge>>) {
        if plan.forks == Served::No {
            self.homes.remove(id);
            return;
        }
        if let Some(home) = self.homes.get_mut(id)
            && prepared.is_none()
        {
            home.plan.policy = plan.policy.clone();
            return;
        }
        // Anew: its forge, its course or its secrets are others now. What was listed stays until the next list.
        let before = self.homes.remove(id);
        let Some(courses) = prepared.map(|prepared| prepared.courses.clone()).or_else(|| self.courses_of(id)) else {
            return;
        };
        let forge = match self.port(plan) {
            Ok(forge) => forge,
            Err(error) => {
                // The same plan was connected a moment ago.
                tracing::error!(repository = %id.1, %error, "its forks cannot be served");
                return;
            }
        };
        let workspace = forge.workspace().clone();
        let clock = self.ground.clock.clone();
        let scout = Scout::start(forge, id.clone(), plan.works.sweep.full.0, clock, self.found.clone());
        let forks = before.map(|home| home.forks).unwrap_or_default();
        let home = Home { plan: plan.clone(), workspace, courses, scout, forks, listed: Listed::NotYet };
        self.homes.insert(id.clone(), home);
    }

    fn courses_of(&self, id: &WorkspaceId) -> Option<Arc<Courses>> {
        Some(self.running.get(id)?.courses.clone())
    }

    /// Takes over what a look found.
    pub(super) fn found(&mut self, found: Found) {
        let Some(home) = self.homes.get_mut(&found.of) else { return };
        home.listed = if found.forks.is_some() { Listed::Fine } else { Listed::Failed };
        if let Some(forks) = found.forks {
            home.forks = forks;
            self.settle(&found.of);
        }
        self.show();
    }

    /// Starts and ends what runs for the forks of a workspace, until it is as listed.
    pub(super) fn settle(&mut self, of: &WorkspaceId) {
        let Some(home) = self.homes.get(of) else { return };
        let forge = &of.0;
        let plans: BTreeMap<RepositoryId, Plan> =
            home.forks.iter().map(|fork| (fork.id, home.plan.of_fork(fork))).collect();
        let mine = |running: &Running| running.of.as_ref() == Some(of);
        // What runs as it is to run. Everything else of this workspace ends, to begin anew or not.
        let as_planned = |running: &Running| {
            let id = running.works.fork.as_ref()?.id;
            (plans.get(&id)?.works == running.works).then_some(id)
        };
        let mut served: BTreeMap<RepositoryName, RepositoryId> = BTreeMap::new();
        let mut other = Vec::new();
        for (id, running) in self.running.iter().filter(|(_, running)| mine(running)) {
            match as_planned(running) {
                Some(number) => _ = served.insert(id.1.clone(), number),
                None => other.push(id.clone()),
            }
        }
        let taken = |name: &RepositoryName| {
            self.running.get(&(forge.clone(), name.clone())).is_some_and(|running| !mine(running))
        };
        let Changes { start, end } = changes(&served, &home.forks, taken);
        for id in other.into_iter().chain(end.into_iter().map(|name| (forge.clone(), name))) {
            self.leave(&id);
        }
        for running in self.running.values().filter(|running| mine(running)) {
            if let Some(plan) = running.works.fork.as_ref().and_then(|fork| plans.get(&fork.id)) {
                running.policy.set(plan.policy.clone());
            }
        }
        let mut failed = 0;
        for (place, fork) in start.iter().enumerate() {
            let Some(plan) = plans.get(&fork.id) else { continue };
            if let Err(error) = self.begin(of, plan, place) {
                failed += 1;
                tracing::error!(repository = %fork.repository, %error, "this fork cannot be served");
            }
        }
        tracing::info!(repository = %of.1, begun = start.len() - failed, "took over the list of forks");
    }

    fn begin(&mut self, of: &WorkspaceId, plan: &Plan, place: usize) -> Result<(), ConnectError> {
        let Some(home) = self.homes.get(of) else { return Ok(()) };
        let (forge, upstream) = (self.port(plan)?, self.port(&home.plan)?);
        let prepared = Prepared { id: plan.works.id(), plan: plan.clone(), forge, courses: home.courses.clone() };
        let crowd = Crowd::new(self.crowd.clone(), place);
        let grounds = Grounds::Fork { of: of.clone(), upstream, crowd };
        self.start(prepared, grounds);
        Ok(())
    }

    /// Who wants to hear of webhooks about unknown repositories.
    pub(super) fn strangers(&self, forge: &ForgeName) -> Vec<Arc<Notify>> {
        self.homes.iter().filter(|((name, _), _)| name == forge).map(|(_, home)| home.scout.wake()).collect()
    }

    /// What health tells of forks.
    pub(super) fn fleets(&self) -> Vec<Fleet> {
        let fleet = |(id, home): (&WorkspaceId, &Home)| {
            let forks = self.running.values().filter(|running| running.of.as_ref() == Some(id)).map(|running| {
                let engine = running.engine.clone();
                let ask: Ask = Arc::new(move || engine.condition());
                (running.engine.workspace().clone(), ask)
            });
            Fleet { workspace: home.workspace.clone(), listed: home.listed, forks: forks.collect() }
        };
        self.homes.iter().map(fleet).collect()
    }
}
