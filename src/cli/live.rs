//! The cluster of `gradus up --live`: a stack of its own, or one that is there.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::Named;
use super::stack::{build_parts, cache, tell};
use super::trouble::words;
use super::up::Failure;
use crate::environment::planes::{self, Planes};
use crate::server::environments::{Environments, Settings};
use crate::stack::{Name, Optional, Programs, Spec, Stack, Stop, UpError, down, programs};

/// Where environments are going to be.
pub(in crate::cli) enum Place {
    /// In a stack that is ours and ends with us.
    Stack { data: PathBuf, name: String, planes: planes::Spec },
    /// In a cluster that is there.
    Cluster(PathBuf),
}

/// A cluster that is being made ready, or is.
pub(in crate::cli) struct Cluster {
    stop: Stop,
    environments: Environments,
    task: JoinHandle<Option<Stack>>,
}

impl Place {
    /// A stack for this data directory, unless a kubeconfig names another cluster.
    pub(in crate::cli) fn new(kubeconfig: Option<PathBuf>, data: &Path, planes: NonZeroUsize) -> Self {
        let stacks = super::up::data_home().map_or_else(|| data.join("stacks"), |home| home.join("stacks"));
        kubeconfig.map_or_else(|| Self::stack(stacks, data, planes), Self::Cluster)
    }

    /// A stack in `stacks` for this data directory.
    pub(in crate::cli) fn stack(stacks: PathBuf, data: &Path, planes: NonZeroUsize) -> Self {
        // Nobody else has our data directory open, so that whatever has the stack's name is left of us.
        let name = format!("up-{}", hex::encode(&Sha256::digest(data.as_os_str().as_encoded_bytes())[..4]));
        // One waits, so that the first task that needs one has it at once.
        let planes = planes::Spec { dir: data.join("planes"), limit: planes.get(), warm: 1 };
        Self::Stack { data: stacks, name, planes }
    }

    /// Makes it ready in the background and says how far it is.
    pub(in crate::cli) fn begin(
        self,
        environments: Environments,
        addresses: Vec<Named>,
        stopping: watch::Receiver<bool>,
    ) -> Cluster {
        let stop = Stop::default();
        let (asked, begun) = (stop.clone(), environments.clone());
        let task = tokio::spawn(async move {
            match self.ready(&environments, addresses, asked, stopping).await {
                Ok(stack) => {
                    println!("environments are ready: push, and the review tells what the cluster runs");
                    stack
                }
                Err(error) if error.downcast_ref().is_some_and(UpError::is_stopped) => None,
                Err(error) => {
                    let why = words(error.as_ref());
                    eprintln!("error: there are no environments, and tasks are judged by their files: {why}");
                    None
                }
            }
        });
        Cluster { stop, environments: begun, task }
    }

    async fn ready(
        self,
        environments: &Environments,
        addresses: Vec<Named>,
        stop: Stop,
        stopping: watch::Receiver<bool>,
    ) -> Result<Option<Stack>, Failure> {
        let addresses = addresses.into_iter().map(|Named { name, server }| (name.into(), server)).collect();
        match self {
            Self::Cluster(kubeconfig) => {
                environments.begin(&kubeconfig, None, addresses, Settings::Theirs, stopping).await?;
                Ok(None)
            }
            Self::Stack { data, name, planes } => {
                let (stack, programs) = tokio::task::spawn_blocking(move || stack(data, &name, &stop)).await??;
                let planes = Arc::new(Planes::open(planes, programs).await?);
                let kubeconfig = stack.endpoints().kubeconfig.clone();
                environments.begin(&kubeconfig, Some(planes), addresses, Settings::Ours, stopping).await?;
                Ok(Some(stack))
            }
        }
    }
}

/// Builds what is missing and starts the stack; with the programs it is made of.
fn stack(data: PathBuf, name: &str, stop: &Stop) -> Result<(Stack, Programs), Failure> {
    let spec = Spec { name: name.parse::<Name>()?, data, without: BTreeSet::from([Optional::Gitea]) };
    let cache = cache()?;
    let left: Vec<_> =
        programs::components(&spec.without).into_iter().filter(|component| !component.is_built(&cache)).collect();
    if !left.is_empty() {
        build_parts(&left, &cache)?;
    }
    let programs = Programs::find(&cache, &spec.without)?;
    down(&spec)?;
    println!("starting the cluster for environments: about 15 s and 1.4 GB of memory");
    let stack = Stack::up(&spec, &programs, stop, &mut tell)?;
    Ok((stack, programs))
}

impl Cluster {
    /// Waits until there are environments. False where there are none in the end.
    pub(in crate::cli) async fn ready(&mut self) -> bool {
        let slot = self.environments.slot();
        while slot.get().is_none() && !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        slot.get().is_some()
    }

    /// Ends it, also while it is made ready.
    pub(in crate::cli) async fn end(self) {
        self.stop.now();
        // Dropping the stack ends its processes and removes its directory.
        if let Ok(Some(stack)) = self.task.await {
            let _ = tokio::task::spawn_blocking(move || drop(stack)).await;
        }
    }
}
