//! A daemon without its server: store, gradebook, dialect and grader.

use std::collections::BTreeMap;
use std::sync::Arc;

use gradus::gradebook::Gradebook;
use gradus::reconcile::examine::Examiner;
use gradus::reconcile::policy::LivePolicy;
use gradus::reconcile::pulse::Pulse;
use gradus::reconcile::run::Reconciler;
use gradus::sandbox::{Sandbox, Strictness};
use gradus::store::Store;

use super::Stage;

/// Looks at most this often for more to do before a test fails.
const PATIENCE: usize = 500;

/// A daemon.
pub struct Desk<S: Stage> {
    pub reconciler: Reconciler<S::Forge, Examiner>,
    pub store: Store,
    forge: S::Forge,
}

impl<S: Stage> Desk<S> {
    /// With what an earlier daemon of this name left.
    pub async fn open(stage: &S, name: &str) -> Self {
        let store = Store::open(&stage.database(name)).await.unwrap();
        let books = stage.gradebook(name);
        std::fs::create_dir_all(&books).unwrap();
        let policy = LivePolicy::new(stage.policy());
        let course = stage.course();
        let courses = Arc::new(BTreeMap::from([(course.course.id.clone(), course)]));
        let sandbox = Sandbox::child(env!("CARGO_BIN_EXE_gradus"), Strictness::Required);
        let examiner = Examiner::new(courses, sandbox, store.clone(), None, policy.clone());
        let reconciler = Reconciler::new(
            stage.forge(&store).await,
            examiner,
            store.clone(),
            Arc::new(Gradebook::new(books)),
            policy,
            stage.clock(),
            Pulse::default(),
        );
        Self { reconciler, forge: stage.forge(&store).await, store }
    }

    /// Sweeps and works until nothing is due any more.
    pub async fn settle(&self, stage: &S) {
        stage.notice(&self.forge).await;
        self.reconciler.sweep(None).await.unwrap();
        for _ in 0..PATIENCE {
            if !self.reconciler.work_one().await.unwrap() {
                return;
            }
        }
        panic!("there is always more to do");
    }
}
