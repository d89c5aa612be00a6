//! Lends environments: makes what is missing of one, and takes it away when it is given back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::address::Addresses;
use super::clear::Clearing;
use super::client::{self, ClientError};
use super::external::{self, Cluster, External, mark};
use super::planes::{Plane, Planes, PlanesError};
use super::provision::{ACCOUNT, MANAGED, MANAGER, Resource, in_cluster, project};
use super::reset::{Stays, is_clusters_namespace};
use super::sow::Sower;
use super::{Environment, Tier, reap};
use crate::gitops::generator::Offer;
use crate::gitops::kinds::Kinds;
use crate::gitops::tracking::Live;
use crate::store::time::{Clock, Time};

/// A definition of a kind.
const DEFINITION: &str = "CustomResourceDefinition";

/// An environment that was made is looked over again after this long: somebody may have changed something.
const LOOK_OVER: Duration = Duration::from_secs(600);

/// How often one looks at once whether a cluster that is given back is empty.
const EMPTIED: u32 = 5;

/// Lends environments.
pub struct Lender {
    argocd: Argocd,
    shared: Option<Shared>,
    planes: Option<Arc<Planes>>,
    external: Option<External>,
    addresses: Option<Addresses>,
    clock: Arc<dyn Clock>,
    /// By name: what was made, and when it was looked over.
    made: Mutex<HashMap<String, (Vec<u8>, Time)>>,
}

/// The Argo CD that applies learners' commits.
#[derive(Clone)]
pub struct Argocd {
    /// Speaks to the API server that it keeps its objects in.
    pub client: Client,
    /// Its namespace.
    pub namespace: String,
    /// The ApplicationSet that asks our generator.
    pub set: String,
}

/// The cluster whose namespaces are lent.
#[derive(Clone)]
pub struct Shared {
    /// Its kinds, and the client that makes and reads learners' objects.
    pub kinds: Arc<Kinds>,
    /// What Argo CD calls it.
    pub server: String,
}

/// Where an environment is. As long as this is held its API server is not taken away.
pub struct Ground {
    /// Makes and reads its objects.
    pub kinds: Arc<Kinds>,
    /// What Argo CD calls the cluster.
    pub server: String,
    plane: Option<Plane>,
    external: Option<Cluster>,
}

/// An environment cannot be lent.
#[derive(Debug, thiserror::Error)]
pub enum LendError {
    /// This place has none of its tier.
    #[error("there are no environments of its tier here")]
    NotHere,
    /// There is no control plane for it.
    #[error(transparent)]
    Plane(#[from] PlanesError),
    /// Every cluster of its tier is somebody's.
    #[error(
        "all clusters that somebody else runs are in use: add one below `argocd.external`, or wait until one is free"
    )]
    AllInUse,
    /// Those that are free, or the one that it holds, cannot be used.
    #[error(
        "no cluster that somebody else runs can be lent, since of {0} the kubeconfig cannot be used: `gradus doctor` says why"
    )]
    Unusable(String),
    /// What is to be made is there, and not ours.
    #[error(
        "{0} is there already in the cluster {1}, and somebody else's: take it away there, or call it otherwise in the task"
    )]
    SomebodyElses(String, String),
    /// Something that an API server does by itself takes too long.
    #[error("{0}, and was waited for long enough")]
    Late(String),
    /// Its API server cannot be spoken to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An API server said no, or nothing.
    #[error("cannot {what}: {source}")]
    Refused {
        /// What was tried.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

type Result<T> = std::result::Result<T, LendError>;

fn failed(what: impl Into<String>) -> impl FnOnce(kube::Error) -> LendError {
    let what = what.into();
    move |source| LendError::Refused { what, source: Box::new(source) }
}

impl LendError {
    /// Something that an API server refused: what was tried, and why not.
    pub fn of(what: impl Into<String>, source: kube::Error) -> Self {
        failed(what)(source)
    }
}

impl Lender {
    /// Lends namespaces of `shared` and control planes, where there are some, into which `argocd` applies commits.
    pub fn new(argocd: Argocd, shared: Option<Shared>, planes: Option<Arc<Planes>>, clock: Arc<dyn Clock>) -> Self {
        Self { argocd, shared, planes, external: None, addresses: None, clock, made: Mutex::default() }
    }

    /// Lends these clusters, too, each to one environment at a time.
    pub fn with_external(self, external: External) -> Self {
        Self { external: (!external.is_empty()).then_some(external), ..self }
    }

    /// The clusters that somebody else runs, where some are lent.
    pub fn external(&self) -> Option<&External> {
        self.external.as_ref()
    }

    /// Lets tasks ask these servers.
    pub fn asking(self, addresses: Addresses) -> Self {
        Self { addresses: Some(addresses), ..self }
    }

    /// The servers that tasks may ask.
    pub fn addresses(&self) -> Option<&Addresses> {
        self.addresses.as_ref()
    }

    /// The Argo CD that applies commits.
    pub fn argocd(&self) -> &Argocd {
        &self.argocd
    }

    /// Whether environments of this tier are lent here at all.
    pub fn has(&self, tier: Tier) -> bool {
        match tier {
            Tier::Namespace => self.shared.is_some(),
            Tier::ControlPlane => self.planes.is_some(),
            Tier::External => self.external.is_some(),
        }
    }

    /// Where the environment of this name is: an API server that runs.
    pub async fn ground(&self, name: &str, tier: Tier) -> Result<Ground> {
        if tier == Tier::External {
            let external = self.external.as_ref().ok_or(LendError::NotHere)?;
            let cluster = external.lend(name, self.clock.now(), self.held()).await?;
            // Definitions of kinds came and went with whoever held it before.
            let kinds = Arc::new(Kinds::of(cluster.kinds.client().clone()));
            let server = cluster.server.clone();
            return Ok(Ground { kinds, server, plane: None, external: Some(cluster) });
        }
        match (tier, &self.shared, &self.planes) {
            (Tier::Namespace, Some(shared), _) => {
                let (kinds, server) = (shared.kinds.clone(), shared.server.clone());
                Ok(Ground { kinds, server, plane: None, external: None })
            }
            (Tier::ControlPlane, _, Some(planes)) => {
                let plane = planes.lend(name).await?;
                let kinds = Arc::new(Kinds::of(client::of_text(plane.kubeconfig()).await?));
                Ok(Ground { kinds, server: plane.server().to_owned(), plane: Some(plane), external: None })
            }
            (Tier::Namespace | Tier::ControlPlane | Tier::External, ..) => Err(LendError::NotHere),
        }
    }

    /// Makes what is missing of the environment that this commit is offered to, and the course's objects as they were.
    pub async fn lend(&self, offer: &Offer, environment: &Environment, ground: &Ground) -> Result<()> {
        let kinds = &ground.kinds;
        let name = offer.tenancy.name();
        let mut project = project(offer, environment, &self.argocd.namespace);
        if let Some(cluster) = &ground.external {
            project["metadata"]["labels"][external::HOLDS] = cluster.name.as_str().into();
        }
        let cluster = ground.plane.as_ref().map(|plane| self.cluster(plane, &name));
        let mut seeds = environment.seeds.made(&name);
        if ground.external.is_some() {
            seeds.iter_mut().for_each(|seed| mark(seed, &name));
        }
        let all = |resources: &[Resource]| {
            let mut objects = in_cluster(offer, environment, resources);
            if ground.external.is_some() {
                objects.iter_mut().for_each(|object| mark(object, &name));
            }
            let digest = Sha256::digest(json!([objects, project, cluster, seeds]).to_string()).to_vec();
            (objects, digest)
        };
        let (planned, digest) = all(&resources(kinds, environment).await?);
        let now = self.clock.now();
        let fine = |(known, at): &(Vec<u8>, Time)| *known == digest && now.since(*at) < LOOK_OVER;
        // Not before all of it worked once more is it known to be fine.
        let before = self.made.lock().await.remove(&name).filter(fine);
        let sower = Sower { kinds, client: acting(kinds, environment, &name) };
        let (definitions, seeds): (Vec<_>, Vec<_>) = seeds.iter().cloned().partition(|one| one["kind"] == DEFINITION);
        if before.is_none() {
            // First and last: as long as it is there, something of the environment may be.
            apply(&self.argocd.client, &project).await?;
        }
        // Also where it was written before: a promise that nobody ends outlasts the environment.
        if let Some(external) = &self.external {
            external.written(&name).await;
        }
        if before.is_none()
            && let Some(cluster) = &ground.external
        {
            let all: Vec<Value> = [&planned, &definitions, &seeds].into_iter().flatten().cloned().collect();
            cluster.is_free_for(&all, &name).await?;
        }
        sower.sow(&definitions).await?;
        // Only now are all the kinds there that the task allows.
        let (objects, digest) = all(&resources(kinds, environment).await?);
        if before.is_none() {
            for object in &objects {
                apply(kinds.client(), object).await?;
            }
        }
        sower.sow(&seeds).await?;
        if before.is_none()
            && let Some(cluster) = &cluster
        {
            apply(&self.argocd.client, cluster).await?;
        }
        let at = before.map_or(now, |(_, at)| at);
        self.made.lock().await.insert(name, (digest, at));
        Ok(())
    }

    /// Takes away what neither the commit that runs brings, nor the course, nor we, nor the cluster: what was made by hand, or by
    /// workloads of commits before. How many objects that were.
    pub async fn reset(&self, offer: &Offer, environment: &Environment, ground: &Ground) -> Result<usize> {
        let (kinds, name) = (&ground.kinds, offer.tenancy.name());
        let ours = in_cluster(offer, environment, &resources(kinds, environment).await?);
        let ours = ours.iter().filter_map(Live::read).map(|live| live.object);
        let known = ours.chain(environment.seeds.objects(&name)).collect();
        let more = environment.allow.namespaces.iter().map(String::as_str).chain(environment.seeds.namespaces());
        let mut namespaces: Vec<String> = std::iter::once(name.as_str()).chain(more).map(str::to_owned).collect();
        namespaces.retain(|namespace| !is_clusters_namespace(namespace));
        namespaces.sort();
        namespaces.dedup();
        let client = acting(kinds, environment, &name);
        let stays = Stays { application: name, known };
        Clearing { kinds, client, environment, namespaces, stays }.clear().await
    }

    /// What makes a control plane known to Argo CD.
    fn cluster(&self, plane: &Plane, name: &str) -> Value {
        let mut secret = plane.cluster_secret(name);
        secret["metadata"]["name"] = name.into();
        secret["metadata"]["namespace"] = self.argocd.namespace.as_str().into();
        secret["metadata"]["labels"][MANAGED.0] = MANAGED.1.into();
        secret
    }

    /// Something in the environment is not as it was made: the next one who lends it makes it anew.
    pub async fn doubt(&self, name: &str) {
        self.made.lock().await.remove(name);
    }

    /// Takes an environment away, once nothing is offered to it any more: its Application first, so that nothing is applied
    /// into what is going. True when nothing is left of it; else it is asked for again later.
    pub async fn take_away(&self, name: &str) -> Result<bool> {
        self.doubt(name).await;
        let mut gone = delete(&self.argocd.api("Application"), name, Whose::Anybodys).await?;
        if gone && let Some(shared) = &self.shared {
            let namespaces = Api::<DynamicObject>::all_with(shared.kinds.client().clone(), &core("Namespace"));
            gone = delete(&namespaces, name, Whose::Ours).await?;
        }
        if gone && let Some(planes) = &self.planes {
            let argocd = &self.argocd;
            let secrets =
                Api::<DynamicObject>::namespaced_with(argocd.client.clone(), &argocd.namespace, &core("Secret"));
            gone = delete(&secrets, name, Whose::Ours).await?;
            planes.give_back(name).await?;
        }
        if gone && let Some(external) = &self.external {
            gone = self.give_external_back(name, external).await?;
        }
        if gone {
            gone = delete(&self.argocd.api("AppProject"), name, Whose::Ours).await?;
        }
        Ok(gone)
    }

    /// Empties the cluster that an environment holds, if it holds one. True when nothing is left in it.
    async fn give_external_back(&self, name: &str, external: &External) -> Result<bool> {
        external.written(name).await;
        let project = self.argocd.api("AppProject").get_opt(name).await.map_err(failed(format!("take {name} away")))?;
        let Some(project) = project else { return Ok(true) };
        let labels = project.metadata.labels.unwrap_or_default();
        let Some(held) = labels.get(external::HOLDS) else { return Ok(true) };
        if !external.is_configured(held) {
            tracing::error!(
                environment = name,
                held,
                "its cluster is not configured any more: what is in it stays there"
            );
            return Ok(true);
        }
        let cluster = external.usable(held)?;
        let kinds = project.data.pointer("/spec/clusterResourceWhitelist").and_then(Value::as_array);
        let text = |kind: &Value, field: &str| kind[field].as_str().unwrap_or_default().to_owned();
        let kinds: Vec<_> = kinds.into_iter().flatten().map(|kind| (text(kind, "group"), text(kind, "kind"))).collect();
        // Most of it is gone at once: then nobody waits for another look.
        for _ in 0..EMPTIED {
            if cluster.take_away(name, &kinds).await? {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(false)
    }

    /// Who holds which cluster that somebody else runs, by environment.
    async fn held(&self) -> Result<BTreeMap<String, String>> {
        let made = self.made().await?.into_iter();
        Ok(made.filter_map(|(name, mut labels)| Some((name, labels.remove(external::HOLDS)?))).collect())
    }

    /// Environments of which something may be there, made by whoever uses this Argo CD: name and labels.
    pub async fn made(&self) -> Result<Vec<(String, BTreeMap<String, String>)>> {
        let ours = kube::api::ListParams::default().labels(&format!("{}={},{}", MANAGED.0, MANAGED.1, reap::TASK));
        let list =
            self.argocd.api("AppProject").list(&ours).await.map_err(failed("list the projects of environments"))?;
        let one = |object: DynamicObject| Some((object.metadata.name?, object.metadata.labels.unwrap_or_default()));
        Ok(list.items.into_iter().filter_map(one).collect())
    }
}

/// Whose an object must be for us to delete it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Anybodys,
    Ours,
}

/// Deletes an object of this name. True when it is gone.
async fn delete(api: &Api<DynamicObject>, name: &str, whose: Whose) -> Result<bool> {
    let what = || format!("take {name} away");
    let Some(object) = api.get_opt(name).await.map_err(failed(what()))? else { return Ok(true) };
    let label = object.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED.0));
    if whose == Whose::Ours && label.map(String::as_str) != Some(MANAGED.1) {
        tracing::warn!(name, "somebody else's object has the name of an environment; it is left alone");
        return Ok(true);
    }
    if object.metadata.deletion_timestamp.is_none() {
        // The one that was looked at, and no other one that has its name by now.
        let preconditions = Some(Preconditions { uid: object.metadata.uid, ..Preconditions::default() });
        match api.delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(failed(what())(error)),
        }
    }
    Ok(api.get_opt(name).await.map_err(failed(what()))?.is_none())
}

/// As whom objects inside of an environment are made and taken away. In a shared cluster as its own account: we may do nothing
/// else there.
fn acting(kinds: &Kinds, environment: &Environment, namespace: &str) -> Client {
    match environment.tier {
        Tier::Namespace => client::acting_as(kinds.client(), namespace, ACCOUNT),
        Tier::ControlPlane | Tier::External => kinds.client().clone(),
    }
}

/// What the API server calls the kinds that an environment allows. One that it does not have cannot be applied, and Argo CD
/// says so then.
async fn resources(kinds: &Kinds, environment: &Environment) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    for kind in &environment.allow.kinds {
        let found =
            kinds.find(&kind.group, &kind.kind).await.map_err(failed(format!("look up the kind {}", kind.kind)))?;
        resources.extend(found.map(|served| Resource {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            plural: served.resource.plural,
            scope: kind.scope,
        }));
    }
    Ok(resources)
}

/// Makes an object as it is said, whatever it was.
pub async fn apply(client: &Client, object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (kind, name) = (text("/kind").unwrap_or_default(), text("/metadata/name").unwrap_or_default());
    let (group, version) = match text("/apiVersion").unwrap_or_default().split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", "v1"),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let applied = api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object)).await;
    applied.map(drop).map_err(failed(format!("make the {kind} {name}")))
}

fn core(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind))
}

impl Argocd {
    /// Its own objects of a kind.
    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Asks the ApplicationSet controller to ask our generator now.
    pub async fn refresh(&self) -> std::result::Result<(), kube::Error> {
        let patch = json!({ "metadata": { "annotations": { "argocd.argoproj.io/application-set-refresh": "true" } } });
        self.api("ApplicationSet").patch(&self.set, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
    }
}
