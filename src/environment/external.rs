//! Clusters that somebody else runs: each is lent to one environment at a time. Who holds which is written on the AppProjects,
//! so that a restart and an empty store know it. What we make there has a label of its own, by which it is found again.
//!
//! One whose kubeconfig cannot be used is lent to nobody, and keeps nothing else from working: it is looked at again later.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::discovery::{ApiGroup, Scope as Served, verbs};
use kube::{Client, Discovery};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client;
use super::lender::LendError;
use crate::config::kinds::ExternalConfig;
use crate::course::id::ClusterName;
use crate::gitops::kinds::Kinds;
use crate::gitops::tracking::Live;
use crate::store::time::Time;

/// The label of an AppProject that says which cluster its environment holds.
pub const HOLDS: &str = "gradus.dev/external";

/// The label of what we made in such a cluster: the environment's name.
pub const OF: &str = "gradus.dev/environment";

/// A cluster that was chosen is written on a project within seconds, or was not lent after all.
const PROMISED: Duration = Duration::from_secs(600);

/// One cluster that can be used.
#[derive(Clone)]
pub struct Cluster {
    /// Its name in the configuration.
    pub name: ClusterName,
    /// Its kinds, and the client that makes and reads everything in it.
    pub kinds: Arc<Kinds>,
    /// What Argo CD calls it.
    pub server: String,
}

/// All of them.
pub struct External {
    configured: Vec<ExternalConfig>,
    /// By name: what its kubeconfig leads to, or why it cannot be used.
    found: RwLock<BTreeMap<String, Result<Cluster, String>>>,
    /// By environment: chosen, and not yet written on its project.
    promised: Mutex<BTreeMap<String, (String, Time)>>,
}

impl External {
    /// Lends these, as far as their kubeconfigs can be used. Asks no cluster anything yet.
    pub async fn open(configured: Vec<ExternalConfig>) -> Self {
        let external = Self { configured, found: RwLock::default(), promised: Mutex::default() };
        external.look_again().await;
        external
    }

    /// Reads the kubeconfigs of those again that cannot be used. How many of them can be from now on.
    pub async fn look_again(&self) -> usize {
        let mut came = 0;
        for one in self.configured.iter().filter(|one| self.usable(one.name.as_str()).is_err()) {
            let ExternalConfig { name, kubeconfig, server } = one;
            let found = client::of_file(Some(kubeconfig)).await.map_err(|error| error.to_string());
            let cluster =
                |client| Cluster { name: name.clone(), kinds: Arc::new(Kinds::of(client)), server: server.clone() };
            let found = found.map(cluster);
            // Replaced in one step: a panic elsewhere leaves it whole.
            let mut all = self.found.write().unwrap_or_else(PoisonError::into_inner);
            match (all.get(name.as_str()), &found) {
                // Said before.
                (Some(Err(before)), Err(why)) if before == why => {}
                (_, Err(why)) => tracing::error!(cluster = %name, "lent to nobody until it can be used: {why}"),
                (None, Ok(_)) => {}
                (Some(_), Ok(_)) => tracing::info!(cluster = %name, "can be used, and is lent from now on"),
            }
            came += usize::from(found.is_ok());
            all.insert(name.to_string(), found);
        }
        came
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// The names of those that cannot be used.
    pub fn unusable(&self) -> Vec<String> {
        let names = self.configured.iter().map(|one| one.name.as_str());
        names.filter(|name| self.usable(name).is_err()).map(str::to_owned).collect()
    }

    /// Whether the configuration has one of this name.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured.iter().any(|one| one.name.as_str() == name)
    }

    /// The one of this name, if it can be used.
    pub(super) fn usable(&self, name: &str) -> Result<Cluster, LendError> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let cluster = found.get(name).and_then(|found| found.as_ref().ok()).cloned();
        cluster.ok_or_else(|| LendError::Unusable(name.to_owned()))
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
        let names: Vec<&str> = self.configured.iter().map(|one| one.name.as_str()).collect();
        let open = open_to(environment, &names, &all);
        let chosen = open.iter().find_map(|name| self.usable(name).ok()).ok_or_else(|| match &open[..] {
            [] => LendError::AllInUse,
            unusable => LendError::Unusable(unusable.join(", ")),
        })?;
        promised.insert(environment.to_owned(), (chosen.name.to_string(), now));
        Ok(chosen)
    }

    /// It is written on the environment's project now, or nobody's any more.
    pub(super) async fn written(&self, environment: &str) {
        self.promised.lock().await.remove(environment);
    }
}

/// The clusters that an environment may have: the one that it has and no other, since something of it is there; else all
/// that nobody has.
fn open_to<'a>(environment: &str, clusters: &[&'a str], held: &BTreeMap<String, String>) -> Vec<&'a str> {
    let free = |cluster: &&str| !held.iter().any(|(other, has)| other != environment && has == cluster);
    let free: Vec<&str> = clusters.iter().copied().filter(free).collect();
    match held.get(environment).and_then(|has| free.iter().copied().find(|cluster| cluster == has)) {
        Some(own) => vec![own],
        None => free,
    }
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
                return Err(LendError::SomebodyElses(format!("{kind} {name}"), self.name.to_string()));
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
        let open = |environment, all: &[(&str, &str)]| open_to(environment, &["lab-1", "lab-2"], &held(all));
        assert_eq!(open("ada", &[]), ["lab-1", "lab-2"]);
        assert_eq!(open("ada", &[("ada", "lab-2")]), ["lab-2"]);
        assert_eq!(open("bob", &[("ada", "lab-1")]), ["lab-2"]);
        assert_eq!(open("eve", &[("ada", "lab-1"), ("bob", "lab-2")]), [""; 0]);
        // Its own was taken out of the configuration, or is written on two projects.
        assert_eq!(open("ada", &[("ada", "lab-9"), ("bob", "lab-1")]), ["lab-2"]);
        assert_eq!(open("ada", &[("ada", "lab-1"), ("bob", "lab-1")]), ["lab-2"]);
    }

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}]
users: [{name: gradus, user: {token: t}}]
contexts: [{name: lab, context: {cluster: lab, user: gradus}}]
current-context: lab
";

    /// Kubeconfigs in a directory.
    struct Labs(tempfile::TempDir);

    impl Labs {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        async fn open(&self, names: &[&str]) -> External {
            let one = |name: &&str| ExternalConfig {
                name: name.parse().unwrap(),
                kubeconfig: self.0.path().join(name),
                server: format!("https://{name}"),
            };
            External::open(names.iter().map(one).collect()).await
        }
    }

    /// Which cluster an environment gets while these are held.
    async fn ask(external: &External, environment: &str, at: i64, all: &[(&str, &str)]) -> Result<String, LendError> {
        let held = held(all);
        external.lend(environment, Time(at), async { Ok(held) }).await.map(|cluster| cluster.name.into())
    }

    #[tokio::test]
    async fn two_that_ask_before_anything_is_written_get_different_ones() {
        let labs = Labs::new();
        ["lab-1", "lab-2"].iter().for_each(|name| labs.write(name, KUBECONFIG));
        let external = labs.open(&["lab-1", "lab-2"]).await;
        let ask =
            async |environment: &str, at: i64, all: &[(&str, &str)]| ask(&external, environment, at, all).await.ok();
        assert_eq!(ask("ada", 0, &[]).await.as_deref(), Some("lab-1"));
        assert_eq!(ask("bob", 1, &[]).await.as_deref(), Some("lab-2"));
        assert_eq!(ask("eve", 2, &[]).await, None);
        // Ada's is written; bob's never was.
        external.written("ada").await;
        assert_eq!(ask("eve", 3, &[("ada", "lab-1")]).await, None);
        external.written("bob").await;
        assert_eq!(ask("eve", 4, &[("ada", "lab-1")]).await.as_deref(), Some("lab-2"));
    }

    #[tokio::test]
    async fn one_that_cannot_be_used_is_lent_to_nobody_until_it_can_be() {
        let labs = Labs::new();
        labs.write("lab-2", "clusters: [");
        labs.write("lab-3", KUBECONFIG);
        let external = labs.open(&["lab-1", "lab-2", "lab-3"]).await;
        assert_eq!(external.unusable(), ["lab-1", "lab-2"]);
        assert_eq!(ask(&external, "ada", 0, &[]).await.ok().as_deref(), Some("lab-3"));
        let ada = ("ada", "lab-3");
        let waits = ask(&external, "bob", 1, &[ada]).await;
        assert!(matches!(&waits, Err(LendError::Unusable(names)) if names == "lab-1, lab-2"), "{waits:?}");
        let full = ask(&external, "eve", 2, &[ada, ("bob", "lab-1"), ("joe", "lab-2")]).await;
        assert!(matches!(&full, Err(LendError::AllInUse)), "{full:?}");
        // What somebody has in it is there still: neither another one nor nothing to take away.
        let hers = ask(&external, "eve", 3, &[("eve", "lab-1")]).await;
        assert!(matches!(&hers, Err(LendError::Unusable(names)) if names == "lab-1"), "{hers:?}");
        assert!(external.is_configured("lab-1") && external.usable("lab-1").is_err());

        assert_eq!(external.look_again().await, 0);
        labs.write("lab-1", KUBECONFIG);
        assert_eq!((external.look_again().await, external.unusable()), (1, vec!["lab-2".to_owned()]));
        assert_eq!(ask(&external, "bob", 4, &[ada]).await.ok().as_deref(), Some("lab-1"));
        labs.write("lab-2", KUBECONFIG);
        assert_eq!((external.look_again().await, external.look_again().await), (1, 0));
        assert_eq!(external.unusable(), [""; 0]);
    }
}
