//! The Argo CD of a configuration: who lends environments, taking them back, and clusters that come later.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::generator::Compared;
use crate::config::kinds::ArgocdConfig;
use crate::environment::address::Addresses;
use crate::environment::client::{self, ClientError};
use crate::environment::external::External;
use crate::environment::lender::{Argocd, Lender, Shared};
use crate::environment::planes::{Planes, PlanesError, Spec};
use crate::environment::reap::{PAUSE, reap, tell_who_waits};
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
    let external = External::open(config.external.clone()).await;
    let argocd = Argocd { client, namespace: config.namespace.clone(), set: config.application_set.clone() };
    let lender = Lender::new(argocd, shared, planes, clock).with_external(external);
    Ok(Some(Arc::new(lender.asking(Addresses::none()?))))
}

/// Tends what is lent until the end.
pub async fn tend(lender: Arc<Lender>, store: Store, compared: Compared, stopping: watch::Receiver<bool>) {
    tokio::join!(
        take_back(&lender, &store, &compared, stopping.clone()),
        take_into_use(&lender, &store, &compared, stopping),
    );
}

/// How long what was seen in environments is kept after it was seen last: longer than a term.
const KEPT: Duration = Duration::from_secs(180 * 24 * 3600);

/// Takes environments back until the end, and forgets what was seen there long ago.
async fn take_back(lender: &Arc<Lender>, store: &Store, compared: &Compared, mut stopping: watch::Receiver<bool>) {
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
        match reap(lender, store, &workspaces).await {
            Ok(0) => {}
            Ok(taken) => tracing::info!(taken, "environments were taken away"),
            Err(error) => tracing::error!(%error, "the database cannot be used"),
        }
    }
}

/// How often one looks whether a kubeconfig that could not be used can be.
const LOOK_FOR_CLUSTERS: Duration = Duration::from_secs(5);

/// Takes clusters into use whose kubeconfigs could not be used at the start, and has those graded again who may wait for one.
/// Ends when there is none left.
async fn take_into_use(lender: &Lender, store: &Store, compared: &Compared, mut stopping: watch::Receiver<bool>) {
    let Some(external) = lender.external() else { return };
    let mut untold = 0;
    while untold > 0 || !external.unusable().is_empty() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_FOR_CLUSTERS) => {}
            () = stopped(&mut stopping) => return,
        }
        untold += external.look_again().await;
        let Some(workspaces) = compared().filter(|_| untold > 0) else { continue };
        match tell_who_waits(store, &workspaces).await {
            Ok(()) => untold = 0,
            Err(error) => tracing::error!(%error, "the database cannot be used"),
        }
    }
}
