//! The Argo CD of a configuration: who lends environments, and taking them back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::watch;

use super::generator::Compared;
use crate::config::kinds::ArgocdConfig;
use crate::environment::lender::{Argocd, Lender, Shared};
use crate::environment::reap::{PAUSE, reap};
use crate::gitops::kinds::Kinds;
use crate::server::listen::stopped;
use crate::store::Store;
use crate::store::time::Clock;

/// An API server that takes longer to be reached is not there.
const CONNECT: Duration = Duration::from_secs(5);

/// One that says nothing for so long will not; a watch begins anew then.
const READ: Duration = Duration::from_secs(60);

/// A cluster cannot be spoken to as configured.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Its kubeconfig.
    #[error("cannot use the kubeconfig {}: {source}; `kubectl --kubeconfig` tells whether it works", path.display())]
    Kubeconfig {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// There is none, and we run in no cluster.
    #[error("this is no Pod with an account: name a `kubeconfig` below `argocd` ({0})")]
    NotInside(Box<kube::config::InClusterError>),
    /// Its certificates, or its address.
    #[error("cannot speak to the cluster: {0}")]
    Client(Box<kube::Error>),
}

/// A client as a kubeconfig says, or as the Pod does that we run in.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client, ClusterError> {
    let mut config = match kubeconfig {
        Some(path) => {
            let failed = |source| ClusterError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
            let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(failed)?
        }
        None => kube::Config::incluster().map_err(|error| ClusterError::NotInside(Box::new(error)))?,
    };
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    Client::try_from(config).map_err(|error| ClusterError::Client(Box::new(error)))
}

/// Who lends environments as configured; none where none are. Asks no cluster anything yet.
pub async fn lender(config: &ArgocdConfig, clock: Arc<dyn Clock>) -> Result<Option<Arc<Lender>>, ClusterError> {
    let Some(namespaces) = &config.namespaces else { return Ok(None) };
    let argocd = client(config.kubeconfig.as_deref()).await?;
    let cluster = match &namespaces.kubeconfig {
        Some(path) => client(Some(path)).await?,
        None => argocd.clone(),
    };
    let argocd = Argocd { client: argocd, namespace: config.namespace.clone(), set: config.application_set.clone() };
    let shared = Shared { kinds: Arc::new(Kinds::of(cluster)), server: namespaces.server.clone() };
    Ok(Some(Arc::new(Lender::new(argocd, shared, clock))))
}

/// Takes environments back until the end.
pub async fn take_back(lender: Arc<Lender>, store: Store, compared: Compared, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stopped(&mut stopping) => return,
        }
        let Some(workspaces) = compared() else { continue };
        match reap(&lender, &store, &workspaces).await {
            Ok(0) => {}
            Ok(taken) => tracing::info!(taken, "environments were taken away"),
            Err(error) => tracing::error!(%error, "the database cannot be used"),
        }
    }
}
