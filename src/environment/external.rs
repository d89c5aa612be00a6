//! Clusters that somebody else runs: each is lent to one environment at a time. Who holds which is written on the AppProjects,
//! so that a restart and an empty store know it. What we make there has a label of its own, by which it is found again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::discovery::{ApiGroup, Scope as Served, verbs};
use kube::{Client, Discovery};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::lender::LendError;
use crate::gitops::kinds::Kinds;
use crate::gitops::tracking::Live;
use crate::store::time::Time;

/// The label of an AppProject that says which cluster its environment holds.
pub const HOLDS: &str = "gradus.dev/external";

/// The label of what we made in such a cluster: the environment's name.
pub const OF: &str = "gradus.dev/environment";

/// A cluster that was chosen is written on a project within seconds, or was not lent after all.
const PROMISED: Duration = Duration::from_secs(600);

/// One cluster.
#[derive(Clone)]
pub struct Cluster {
    /// Its name in the configuration.
    pub name: String,
    /// Its kinds, and the client that makes and reads everything in it.
    pub kinds: Arc<Kinds>,
    /// What Argo CD calls it.
    pub server: String,
}

/// All of them.
pub struct External {
    clusters: Vec<Cluster>,
    /// By environment: chosen, and not yet written on its project.
    promised: Mutex<BTreeMap<String, (String, Time)>>,
}

impl External {
    /// Lends these.
    pub fn new(clusters: Vec<Cluster>) -> Self {
        Self { clusters, promised: Mutex::default() }
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// The cluster of an environment. `held` asks for what is written: by environment, the cluster's name.
    pub(super) async fn lend(
        &self,
        environment: &str,
        now: Time,
        held: impl Future<Output = Result<BTreeMap<String, String>, LendError>>,
    ) -> Result<Cluster, LendError> {
        // Nobody else chooses meanwhile.
        let mut promised = self.promised.lock().await;
        promised.retain(|_, (_, at)| now.since(*at) < PROMISED);
        let mut all: BTreeMap<String, String> =
            promised.iter().map(|(environment, (cluster, _))| (environment.clone(), cluster.clone())).collect();
        all.extend(held.await?);
        let names: Vec<&str> = self.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        let chosen = choose(environment, &names, &all).and_then(|name| self.named(name));
        let chosen = chosen.ok_or(LendError::AllInUse)?;
        promised.insert(environment.to_owned(), (chosen.name.clone(), now));
        Ok(chosen.clone())
    }

    /// It is written on the environment's project now, or nobody's any more.
    pub(super) async fn written(&self, environment: &str) {
        self.promised.lock().await.remove(environment);
    }
}

/// The cluster that an environment has, else one that nobody has.
fn choose<'a>(environment: &str, clusters: &[&'a str], held: &BTreeMap<String, String>) -> Option<&'a str> {
    let of = |name: &str| clusters.iter().copied().find(|cluster| *cluster == name);
    let free = |cluster: &&str| !held.iter().any(|(other, has)| other != environment && has == cluster);
    held.get(environment)
        .and_then(|name| of(name))
        .filter(|name| free(name))
        .or_else(|| clusters.iter().copied().find(|cluster| free(cluster)))
}

/// Says on an object of whose environment it is.
pub(super) fn mark(object: &mut Value, environment: &str) {
    object["metadata"]["labels"][OF] = environment.into();
}

impl Cluster {
    /// Refuses what is there already and not this environment's: applying it would make somebody else's object ours, and it
    /// would be taken away with the environment.
    pub(super) async fn is_free_for(&self, objects: &[Value], environment: &str) -> Result<(), LendError> {
        for object in objects {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let failed = |error| LendError::of(format!("look whether the {kind} {name} is somebody else's"), error);
            let Some(served) = self.kinds.find(group, kind).await.map_err(failed)? else { continue };
            if served.scope != Served::Cluster {
                continue;
            }
            let there = self.kinds.api(&served, "").get_opt(name).await.map_err(failed)?;
            let of = there.map(|there| there.metadata.labels.unwrap_or_default().remove(OF));
            if of.is_some_and(|of| of.as_deref() != Some(environment)) {
                return Err(LendError::SomebodyElses(format!("{kind} {name}"), self.name.clone()));
            }
        }
        Ok(())
    }

    /// Takes away what is of the whole cluster and ours, the environment's namespaces with all that is in them among it, and
    /// what `application` applied of these kinds (group and name). True when nothing of it is left.
    pub(super) async fn take_away(&self, application: &str, kinds: &[(String, String)]) -> Result<bool, LendError> {
        let failed = |error| LendError::of(format!("take what {application} has in {} away", self.name), error);
        let client: &Client = self.kinds.client();
        let mut gone = true;
        let all = Discovery::new(client.clone()).run_aggregated().await.map_err(failed)?;
        for (resource, can) in all.groups().flat_map(ApiGroup::recommended_resources) {
            let able = can.supports_operation(verbs::LIST) && can.supports_operation(verbs::DELETE);
            if can.scope != Served::Cluster || !able {
                continue;
            }
            let theirs = kinds.iter().any(|(group, kind)| *group == resource.group && *kind == resource.kind);
            let ours = ListParams::default().labels(&format!("{OF}={application}"));
            let asked = if theirs { ListParams::default() } else { ours };
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let list = match api.list_metadata(&asked).await {
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                list => list.map_err(failed)?,
            };
            for object in list.items {
                let read =
                    json!({ "apiVersion": resource.api_version, "kind": resource.kind, "metadata": object.metadata });
                let of = read.pointer("/metadata/labels/gradus.dev~1environment").and_then(Value::as_str);
                let tracked = Live::read(&read).is_some_and(|live| live.is_tracked_by(application, application));
                if !tracked && of != Some(application) {
                    continue;
                }
                gone = false;
                if object.metadata.deletion_timestamp.is_some() {
                    continue;
                }
                let preconditions = Some(Preconditions { uid: object.metadata.uid, ..Preconditions::default() });
                let how = DeleteParams { preconditions, ..DeleteParams::background() };
                match api.delete(&object.metadata.name.unwrap_or_default(), &how).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(environment, cluster)| ((*environment).to_owned(), (*cluster).to_owned())).collect()
    }

    #[test]
    fn an_environment_keeps_its_cluster_and_gets_none_that_another_one_has() {
        let clusters = ["lab-1", "lab-2"];
        assert_eq!(choose("ada", &clusters, &held(&[])), Some("lab-1"));
        assert_eq!(choose("ada", &clusters, &held(&[("ada", "lab-2")])), Some("lab-2"));
        assert_eq!(choose("bob", &clusters, &held(&[("ada", "lab-1")])), Some("lab-2"));
        assert_eq!(choose("eve", &clusters, &held(&[("ada", "lab-1"), ("bob", "lab-2")])), None);
        // Its own was taken out of the configuration, or is written on two projects.
        assert_eq!(choose("ada", &clusters, &held(&[("ada", "lab-9"), ("bob", "lab-1")])), Some("lab-2"));
        assert_eq!(choose("ada", &clusters, &held(&[("ada", "lab-1"), ("bob", "lab-1")])), Some("lab-2"));
    }

    #[tokio::test]
    async fn two_that_ask_before_anything_is_written_get_different_ones() {
        let config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        let kinds = Arc::new(Kinds::of(Client::try_from(config).unwrap()));
        let cluster =
            |name: &str| Cluster { name: name.into(), kinds: kinds.clone(), server: format!("https://{name}") };
        let external = External::new(vec![cluster("lab-1"), cluster("lab-2")]);
        let ask = async |environment: &str, at: i64, all: &[(&str, &str)]| {
            let held = held(all);
            external.lend(environment, Time(at), async { Ok(held) }).await.map(|cluster| cluster.name).ok()
        };
        assert_eq!(ask("ada", 0, &[]).await.as_deref(), Some("lab-1"));
        assert_eq!(ask("bob", 1, &[]).await.as_deref(), Some("lab-2"));
        assert_eq!(ask("eve", 2, &[]).await, None);
        // Ada's is written; bob's never was.
        external.written("ada").await;
        assert_eq!(ask("eve", 3, &[("ada", "lab-1")]).await, None);
        external.written("bob").await;
        assert_eq!(ask("eve", 4, &[("ada", "lab-1")]).await.as_deref(), Some("lab-2"));
    }
}
