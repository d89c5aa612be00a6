//! [`Watched`] on a real Argo CD: one Application, followed by a watch, and objects of the cluster that it applies to.

use std::sync::{Arc, Mutex, PoisonError};

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_stream::StreamExt;

use super::Watched;
use crate::gitops::application::Application;
use crate::gitops::gate::Seen;
use crate::gitops::kinds::Kinds;
use crate::gitops::object::Object;
use crate::gitops::tracking::Live;
use crate::gitops::waiting::Nudge;
use crate::submission::sha::CommitId;

/// Who asks Argo CD for operations, as it shows them.
const WHO: &str = "gradus";

/// One Application and the cluster it applies to.
pub struct Cluster {
    applications: Api<DynamicObject>,
    name: String,
    offered: Mutex<watch::Receiver<CommitId>>,
    changes: Mutex<watch::Receiver<()>>,
    follower: AbortHandle,
    kinds: Arc<Kinds>,
}

/// An API server said no, or nothing.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not give {what}: {source}")]
pub struct ClusterError {
    what: String,
    source: Box<kube::Error>,
}

impl Cluster {
    /// Follows the Application `name` in `namespace` of the API server that `argocd` speaks to; its objects are read by
    /// `kinds`.
    pub fn follow(
        argocd: &Client,
        namespace: &str,
        name: &str,
        kinds: Arc<Kinds>,
        offered: watch::Receiver<CommitId>,
    ) -> Self {
        let applications = Api::namespaced_with(argocd.clone(), namespace, &application_resource());
        let (changed, changes) = watch::channel(());
        let events = watcher::watch_object(applications.clone(), name).default_backoff();
        let follower = tokio::spawn(async move {
            let mut events = std::pin::pin!(events);
            // What it became is read again anyway: a watch may show an older state than the last read did.
            while events.next().await.is_some() {
                changed.send_replace(());
            }
        });
        Self {
            applications,
            name: name.to_owned(),
            offered: Mutex::new(offered),
            changes: Mutex::new(changes),
            follower: follower.abort_handle(),
            kinds,
        }
    }

    async fn application(&self) -> Result<Option<Value>, ClusterError> {
        let what = || format!("the Application {}", self.name);
        let object = self.applications.get_opt(&self.name).await.map_err(|error| ClusterError::new(what(), error))?;
        Ok(object.map(|object| serde_json::to_value(object).unwrap_or_default()))
    }

    async fn live(&self, object: &Object) -> Result<Option<Value>, ClusterError> {
        let failed = |error| ClusterError::new(object.to_string(), error);
        let Some(served) = self.kinds.find(&object.group, &object.kind).await.map_err(failed)? else { return Ok(None) };
        let api = self.kinds.api(&served, &object.namespace);
        let live = api.get_opt(&object.name).await.map_err(failed)?;
        Ok(live.map(|live| served.whole(live)))
    }

    async fn look(&self, needs: &[Object]) -> Result<Seen, ClusterError> {
        let Some(read) = self.application().await? else { return Ok(Seen::Nothing) };
        let application = match Application::read(&read) {
            Ok(application) => application,
            Err(problem) => return Ok(Seen::Unreadable(problem.to_string())),
        };
        let mut objects = Vec::new();
        for need in needs {
            objects.extend(self.live(need).await?.as_ref().and_then(Live::read));
        }
        Ok(Seen::Application(Box::new(application), objects))
    }

    async fn patch(&self, nudge: Nudge, commit: &CommitId) -> Result<(), kube::Error> {
        let refresh = |how: &str| json!({ "metadata": { "annotations": { "argocd.argoproj.io/refresh": how } } });
        let patch = match nudge {
            Nudge::Wake | Nudge::Refresh => refresh("normal"),
            Nudge::HardRefresh => refresh("hard"),
            // Both only in the state that was read: what runs by then may be another operation.
            Nudge::Stop | Nudge::Sync => {
                let now = self.applications.get(&self.name).await?;
                let version = now.resource_version();
                if nudge == Nudge::Sync {
                    let prune = now.data.pointer("/spec/syncPolicy/automated/prune").and_then(Value::as_bool);
                    json!({ "metadata": { "resourceVersion": version }, "operation": { "initiatedBy": { "username": WHO },
                        "sync": { "revision": commit, "prune": prune.unwrap_or_default(), "syncOptions": now.data.pointer("/spec/syncPolicy/syncOptions") } } })
                } else if now.data.get("operation").is_some() && runs_another(&now.data, commit) {
                    json!({ "metadata": { "resourceVersion": version }, "status": { "operationState": { "phase": "Terminating" } } })
                } else {
                    return Ok(());
                }
            }
        };
        self.applications.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }
}

/// Replaced in one step: a panic elsewhere leaves it whole.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runs_another(application: &Value, commit: &CommitId) -> bool {
    let state = application.pointer("/status/operationState");
    let text = |pointer: &str| state.and_then(|state| state.pointer(pointer)).and_then(Value::as_str);
    let revision = text("/syncResult/revision").or_else(|| text("/operation/sync/revision"));
    text("/phase") == Some("Running") && revision.is_some_and(|revision| revision != commit.as_str())
}

fn application_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application"))
}

impl ClusterError {
    fn new(what: String, source: kube::Error) -> Self {
        Self { what, source: Box::new(source) }
    }
}

impl Watched for Cluster {
    fn offered(&self) -> CommitId {
        held(&self.offered).borrow_and_update().clone()
    }

    async fn read(&self, needs: &[Object]) -> Seen {
        self.look(needs).await.unwrap_or_else(|error| Seen::Unreadable(error.to_string()))
    }

    async fn nudge(&self, nudge: Nudge, commit: &CommitId) {
        match self.patch(nudge, commit).await {
            Ok(()) => {}
            // It has moved on.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => tracing::warn!(application = self.name, ?nudge, %error, "Argo CD cannot be asked"),
        }
    }

    async fn changed(&self) {
        let (mut changes, mut offered) = (held(&self.changes).clone(), held(&self.offered).clone());
        // Nobody sends any more: there is the time that passes.
        tokio::select! {
            result = changes.changed() => if result.is_err() { std::future::pending::<()>().await },
            result = offered.changed() => if result.is_err() { std::future::pending::<()>().await },
        }
        *held(&self.changes) = changes;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
