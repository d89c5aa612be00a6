//! The environments of `gradus up --live`: an Argo CD is told to ask us, and learners' forks become what it applies.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::sync::watch;

use super::serve::argocd::tend;
use super::serve::generator::{Compared, Generator};
use crate::config::secret::Secret;
use crate::environment::address::{Addresses, Server};
use crate::environment::client::{self, ClientError};
use crate::environment::lender::{Argocd, LendError, Lender, Shared, apply};
use crate::environment::planes::Planes;
use crate::forge::http::client::NoCertificates;
use crate::forge::pull::{Pull, Workspace};
use crate::gitops::install::{self, InvalidFile};
use crate::gitops::kinds::Kinds;
use crate::reconcile::live::{Live, PATIENCE, Slot};
use crate::store::Store;
use crate::store::time::SystemClock;

/// Argo CD's namespace, where its own manifests put it.
const NAMESPACE: &str = "argocd";

/// The ApplicationSet that asks us.
const SET: &str = "gradus-environments";

/// What Argo CD calls the cluster that it runs in.
const SERVER: &str = "https://kubernetes.default.svc";

/// Environments cannot be had of this cluster.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentsError {
    /// It cannot be spoken to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What asks us cannot be made there.
    #[error(transparent)]
    Refused(#[from] LendError),
    /// No token can be made.
    #[error("this machine gives no random numbers")]
    Random,
    /// No server can be asked.
    #[error(transparent)]
    Certificates(#[from] NoCertificates),
    /// A defect of ours.
    #[error(transparent)]
    File(#[from] InvalidFile),
}

/// Whose settings an Argo CD has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settings {
    /// Ours: it is there for this alone, and acts as learners' accounts.
    Ours,
    /// Somebody else's: none is changed.
    Theirs,
}

/// Environments that are there sooner or later.
#[derive(Clone)]
pub struct Environments {
    slot: Slot,
    generator: Generator,
    token: String,
    swept: Arc<AtomicBool>,
    store: Store,
    workspace: Workspace,
    address: String,
}

impl Environments {
    /// None yet, for the learners of a workspace that is served at this address.
    pub fn new(store: Store, workspace: Workspace, address: String) -> Result<Self, EnvironmentsError> {
        let swept = Arc::new(AtomicBool::new(false));
        let mut token = [0; 32];
        SystemRandom::new().fill(&mut token).map_err(|_| EnvironmentsError::Random)?;
        let token = hex::encode(token);
        let generator = Generator::new(store.clone(), compared(&swept, &workspace));
        generator.replace(Some(Secret::new(token.clone())));
        Ok(Self { slot: Slot::default(), generator, token, swept, store, workspace, address })
    }

    /// Where the environments are once there are any.
    pub fn slot(&self) -> Slot {
        self.slot.clone()
    }

    /// What Argo CD asks.
    pub fn routes(&self) -> axum::Router {
        self.generator.clone().routes()
    }

    /// Everything was compared with the forks.
    pub fn swept(&self) {
        self.swept.store(true, Ordering::Relaxed);
    }

    /// From now on there are environments: in this cluster, whose Argo CD asks us from now on. Tasks may ask the servers of
    /// `addresses` by name.
    pub async fn begin(
        &self,
        kubeconfig: &Path,
        planes: Option<Arc<Planes>>,
        addresses: BTreeMap<String, Server>,
        settings: Settings,
        stopping: watch::Receiver<bool>,
    ) -> Result<(), EnvironmentsError> {
        let client = client::of_file(Some(kubeconfig)).await?;
        if settings == Settings::Ours {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
            let on = json!({ "data": { "application.sync.impersonation.enabled": "true" } });
            let done = api.patch("argocd-cm", &PatchParams::default(), &Patch::Merge(on)).await;
            done.map_err(|source| LendError::of("set up Argo CD", source))?;
        }
        for object in install::objects(NAMESPACE, SET, &self.address, &self.token)? {
            apply(&client, &object).await?;
        }
        let clock = Arc::new(SystemClock);
        let argocd = Argocd { client: client.clone(), namespace: NAMESPACE.to_owned(), set: SET.to_owned() };
        let shared = Shared { kinds: Arc::new(Kinds::of(client)), server: SERVER.to_owned() };
        let mut lender = Lender::new(argocd, Some(shared), planes, clock.clone());
        if !addresses.is_empty() {
            let servers = Addresses::none()?;
            servers.replace(addresses);
            lender = lender.asking(servers);
        }
        let lender = Arc::new(lender);
        let address = self.address.clone();
        let repository = Arc::new(move |pull: &Pull| format!("{address}/git/{}/{}.git", pull.learner(), pull.course));
        let (store, workspace) = (self.store.clone(), self.workspace.clone());
        let live = Live::new(lender.clone(), store.clone(), clock, workspace, repository, PATIENCE);
        // Begun once: whoever comes second changes nothing.
        if self.slot.set(live).is_ok() {
            tokio::spawn(tend(lender, store, compared(&self.swept, &self.workspace), stopping));
        }
        Ok(())
    }
}

fn compared(swept: &Arc<AtomicBool>, workspace: &Workspace) -> Compared {
    let (swept, workspace) = (swept.clone(), workspace.clone());
    Arc::new(move || swept.load(Ordering::Relaxed).then(|| vec![workspace.clone()]))
}
