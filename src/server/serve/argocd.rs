//! The Argo CD of a configuration: who lends environments, and taking them back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::generator::Compared;
use crate::config::kinds::ArgocdConfig;
use crate::environment::address::Addresses;
use crate::environment::client::{self, ClientError};
use crate::environment::external::Cluster;
use crate::environment::lender::{Argocd, Lender, Shared};
use crate::environment::planes::{Planes, PlanesError, Spec};
use crate::environment::reap::{PAUSE, reap};
use crate::forge::http::client::NoCertificates;
use crate::gitops::kinds::Kinds;
use crate::server::listen::stopped;
use crate::stack::{Missing, Optional, Programs, component};
use crate::store::Store;
use crate::store::time::{Clock, SystemClock, Time};

/// There is nobody who lends environments as configured.
#[derive(Debug, thiserror::Error)]
pub enum ArgocdError {
    /// A cluster cannot be spoken to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What control planes are made of.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// There is no place where that was built.
    #[error("there is no home directory: set GRADUS_CACHE to the directory that `gradus stack build` builds in")]
    NoCache,
    /// The control planes.
    #[error(transparent)]
    Planes(#[from] PlanesError),
    /// Servers that tasks may ask.
    #[error(transparent)]
    NoCertificates(#[from] NoCertificates),
}

/// Who lends environments as configured; none where none are. Control planes are kept in `data`. Asks no cluster anything yet.
pub async fn lender(
    config: &ArgocdConfig,
    data: &Path,
    clock: Arc<dyn Clock>,
) -> Result<Option<Arc<Lender>>, ArgocdError> {
    if config.namespaces.is_none() && config.control_planes.is_none() && config.external.is_empty() {
        return Ok(None);
    }
    let client = client::of_file(config.kubeconfig.as_deref()).await?;
    let shared = match &config.namespaces {
        Some(namespaces) => {
            let cluster = match &namespaces.kubeconfig {
                Some(path) => client::of_file(Some(path)).await?,
                None => client.clone(),
            };
            Some(Shared { kinds: Arc::new(Kinds::of(cluster)), server: namespaces.server.clone() })
        }
        None => None,
    };
    let planes = match &config.control_planes {
        Some(planes) => {
            let cache = component::cache_of_user().ok_or(ArgocdError::NoCache)?;
            let programs = Programs::find(&cache, &BTreeSet::from([Optional::Argocd, Optional::Gitea]))?;
            let spec = Spec { dir: data.join("planes"), limit: planes.limit, warm: planes.warm };
            Some(Arc::new(Planes::open(spec, programs).await?))
        }
        None => None,
    };
    let mut external = Vec::new();
    for one in &config.external {
        let kinds = Arc::new(Kinds::of(client::of_file(Some(&one.kubeconfig)).await?));
        external.push(Cluster { name: one.name.clone(), kinds, server: one.server.clone() });
    }
    let argocd = Argocd { client, namespace: config.namespace.clone(), set: config.application_set.clone() };
    let lender = Lender::new(argocd, shared, planes, clock).with_external(external);
    Ok(Some(Arc::new(lender.asking(Addresses::none()?))))
}

/// How long what was seen in environments is kept after it was seen last: longer than a term.
const KEPT: Duration = Duration::from_secs(180 * 24 * 3600);

/// Takes environments back until the end, and forgets what was seen there long ago.
pub async fn take_back(lender: Arc<Lender>, store: Store, compared: Compared, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stopped(&mut stopping) => return,
        }
        let before =
            Time(SystemClock.now().0.saturating_sub_unsigned(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX)));
        if let Err(error) = store.forget(before).await {
            tracing::error!(%error, "the database cannot be used");
        }
        let Some(workspaces) = compared() else { continue };
        match reap(&lender, &store, &workspaces).await {
            Ok(0) => {}
            Ok(taken) => tracing::info!(taken, "environments were taken away"),
            Err(error) => tracing::error!(%error, "the database cannot be used"),
        }
    }
}
