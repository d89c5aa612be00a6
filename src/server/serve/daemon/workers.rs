//! What runs for one workspace: prepared, started, ended.

use std::sync::Arc;

use super::ServeError;
use super::supervisor::Supervisor;
use crate::course::Course;
use crate::forge::Forge;
use crate::forge::dry_run::DryRun;
use crate::reconcile::courses::{Courses, OpenCourse};
use crate::reconcile::examine::Examiner;
use crate::reconcile::live::{Live, PATIENCE};
use crate::reconcile::policy::LivePolicy;
use crate::reconcile::turns::{PULLS_PER_GRADING, PULLS_PER_GRADING_LIVE, Turns};
use crate::server::serve::connect::{self, Connect, ConnectError};
use crate::server::serve::crowd::Crowd;
use crate::server::serve::engine::{Engine, Ground};
use crate::server::serve::plan::{Plan, Works, WorkspaceId, address};
use crate::server::serve::port::Port;

/// At work.
pub(super) struct Running {
    pub(super) works: Works,
    /// The workspace that it is a fork of.
    pub(super) of: Option<WorkspaceId>,
    pub(super) courses: Arc<Courses>,
    pub(super) policy: LivePolicy,
    pub(super) engine: Arc<Engine>,
}

/// Ready to be started.
pub(super) struct Prepared<F> {
    pub(super) id: WorkspaceId,
    pub(super) plan: Plan,
    pub(super) forge: F,
    pub(super) courses: Arc<Courses>,
}

/// What it is started on.
pub(super) enum Grounds<F> {
    /// A workspace of the configuration.
    Configured,
    /// A learner's fork of one.
    Fork {
        of: WorkspaceId,
        /// A port to the workspace.
        upstream: F,
        crowd: Crowd,
    },
}

impl<C: Connect> Supervisor<C> {
    /// Everything that may fail. Nothing runs yet.
    pub(super) fn prepare(
        &self,
        id: &WorkspaceId,
        plan: &Plan,
        course: Course,
    ) -> Result<Prepared<C::Forge>, ServeError> {
        let failed = |source| ServeError::Connect { forge: id.0.to_string(), repository: id.1.to_string(), source };
        let course = OpenCourse::on_forge(course, &address(&plan.works.forge, &plan.works.repository))?;
        let courses = Courses::from([(course.course.id.clone(), Arc::new(course))]);
        let forge = self.port(plan).map_err(failed)?;
        Ok(Prepared { id: id.clone(), plan: plan.clone(), forge, courses: Arc::new(courses) })
    }

    /// A port to the forge of a workspace.
    pub(super) fn port(&self, plan: &Plan) -> Result<C::Forge, ConnectError> {
        let mirror = self.data.mirror(&connect::name(&plan.works)?);
        self.connect.connect(&plan.works, mirror, self.ground.store.clone())
    }

    /// Sets it to work.
    pub(super) fn start(&mut self, prepared: Prepared<C::Forge>, grounds: Grounds<C::Forge>) {
        let Prepared { id, plan, forge, courses } = prepared;
        let Ground { store, clock, metrics, .. } = self.ground.clone();
        let workspace = forge.workspace().clone();
        for course in courses.values().map(|course| &course.course) {
            tracing::info!(%workspace, repository = %id.1, course = %course.id, revision = %course.revision, "serving");
        }
        let policy = LivePolicy::new(plan.policy);
        let examiner = Examiner::new(courses.clone(), self.sandbox.clone(), store.clone(), None, policy.clone());
        let pulse = self.pulses.entry(workspace.clone()).or_default().clone();
        if self.turns.at_once() != plan.works.workers {
            self.turns = Turns::new(plan.works.workers);
        }
        let address = address(&plan.works.forge, &plan.works.repository);
        let patience = self.begun.config.argocd.as_ref().map_or(PATIENCE, |argocd| argocd.patience.0);
        let live = self.lender.clone().map(|lender| {
            let repository = Arc::new(move |_: &_| address.clone());
            let counted = (metrics.clone(), workspace.clone());
            let tell = Arc::new(move |ending, wait| counted.0.environed(&counted.1, ending, wait));
            Live::new(lender, store.clone(), clock.clone(), workspace, repository, patience).telling(tell)
        });
        let pulls = if live.is_some() { PULLS_PER_GRADING_LIVE } else { PULLS_PER_GRADING };
        let examiner = examiner.in_turn(self.turns.clone()).looking_at(live.map(Live::at_once));
        let (of, upstream, workers, crowd) = match grounds {
            Grounds::Configured => (None, None, plan.works.workers.saturating_mul(pulls), None),
            // One learner's.
            Grounds::Fork { of, upstream, crowd } => (Some(of), Some(upstream), 1, Some(crowd)),
        };
        let ground = Ground { workers, sweep: plan.works.sweep, crowd, ..self.ground.clone() };
        let engine = match &self.dry_run {
            None => {
                let port = Port::new(forge, store, clock, metrics);
                let port = upstream.into_iter().fold(port, |port, upstream| port.in_fork(upstream, id.1.clone()));
                Engine::start(port, examiner, policy.clone(), pulse, ground)
            }
            Some(tell) => {
                let dry = |forge| DryRun::new(forge, tell.clone());
                let port = Port::new(dry(forge), store, clock, metrics);
                let port = upstream.into_iter().fold(port, |port, upstream| port.in_fork(dry(upstream), id.1.clone()));
                Engine::start(port, examiner, policy.clone(), pulse, ground)
            }
        };
        self.running.insert(id, Running { works: plan.works, of, courses, policy, engine: Arc::new(engine) });
    }

    /// Ends what runs for a workspace, without waiting for it.
    pub(super) fn leave(&mut self, id: &WorkspaceId) {
        while self.leaving.try_join_next().is_some() {}
        if let Some(running) = self.running.remove(id) {
            tracing::info!(workspace = %running.engine.workspace(), "ending");
            running.engine.stop();
            if running.of.is_some() {
                // There may be many of them over time.
                self.pulses.remove(running.engine.workspace());
            }
            let within = self.begun.config.limits.drain.0;
            self.leaving.spawn(async move { running.engine.stopped(within).await });
        }
    }
}
