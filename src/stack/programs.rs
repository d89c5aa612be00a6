//! Where the programs of a stack are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::component::Component;
use super::part::Optional;

/// All that a plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Of etcd.
    pub etcd: PathBuf,
    /// API server, controller manager, scheduler, kubectl.
    pub kubernetes: PathBuf,
    /// Argo CD with its CRDs.
    pub argocd: PathBuf,
    /// kwok with its stages.
    pub kwok: PathBuf,
    /// Gitea with its static files.
    pub gitea: PathBuf,
    /// Debian's redis-server.
    pub redis: PathBuf,
    /// Directories of the programs that parts call: git, sh.
    pub path: String,
}

/// What has to be there first.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Not built yet, or of another version.
    #[error("{} {} not built: run `gradus stack build`", list(.0), if .0.len() == 1 { "is" } else { "are" })]
    Components(Vec<Component>),
    /// Not installed.
    #[error("`{0}` is not on PATH: install it (on Debian: `apt-get install {1}`)")]
    Program(&'static str, &'static str),
}

fn list(components: &[Component]) -> String {
    components.iter().map(|component| component.title()).collect::<Vec<_>>().join(", ")
}

/// The components of a stack without some of its parts.
pub fn components(without: &BTreeSet<Optional>) -> Vec<Component> {
    let needed = |component: &Component| {
        let optional = match component {
            Component::Etcd | Component::Kubernetes => return true,
            Component::Argocd => Optional::Argocd,
            Component::Kwok => Optional::Pods,
            Component::Gitea => Optional::Gitea,
        };
        !without.contains(&optional)
    };
    Component::ALL.into_iter().filter(needed).collect()
}

impl Programs {
    /// The built ones in this cache and the installed ones on PATH.
    pub fn find(cache: &Path, without: &BTreeSet<Optional>) -> Result<Self, Missing> {
        let missing: Vec<Component> =
            components(without).into_iter().filter(|component| !component.is_built(cache)).collect();
        if !missing.is_empty() {
            return Err(Missing::Components(missing));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut redis = PathBuf::new();
        if !without.contains(&Optional::Argocd) {
            redis = on_path("redis-server", &path).ok_or(Missing::Program("redis-server", "redis-server"))?;
        }
        if !(without.contains(&Optional::Argocd) && without.contains(&Optional::Gitea)) {
            on_path("git", &path).ok_or(Missing::Program("git", "git"))?;
        }
        Ok(Self {
            etcd: Component::Etcd.dir(cache),
            kubernetes: Component::Kubernetes.dir(cache),
            argocd: Component::Argocd.dir(cache),
            kwok: Component::Kwok.dir(cache),
            gitea: Component::Gitea.dir(cache),
            redis,
            path,
        })
    }
}

fn on_path(program: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_is_named_with_the_remedy() {
        let cache = tempfile::tempdir().unwrap();
        let without = BTreeSet::from([Optional::Argocd, Optional::Pods]);
        std::fs::create_dir_all(Component::Etcd.dir(cache.path())).unwrap();
        let error = Programs::find(cache.path(), &without).unwrap_err().to_string();
        assert_eq!(error, "Kubernetes 1.35.4, Gitea 1.26.0 are not built: run `gradus stack build`");
    }
}
