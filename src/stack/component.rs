//! What is built from the Go module proxy: wrapper modules in `environments/components`, compiled into this program so that
//! it builds them anywhere, and the directories of the cache that hold the results.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// How many of the last lines of a failed build are shown.
const TAIL: usize = 20;

/// A wrapper module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// etcd.
    Etcd,
    /// API server, controller manager, scheduler, kubectl.
    Kubernetes,
    /// All roles of Argo CD.
    Argocd,
    /// Simulated nodes.
    Kwok,
    /// The forge.
    Gitea,
}

/// The files that a build needs; their content is the key of its result.
macro_rules! wrapper {
    ($name:literal) => {
        Wrapper {
            name: $name,
            files: [
                ("go.mod", include_str!(concat!("../../environments/components/", $name, "/go.mod"))),
                ("go.sum", include_str!(concat!("../../environments/components/", $name, "/go.sum"))),
                ("build", include_str!(concat!("../../environments/components/", $name, "/build"))),
                ("../cached", include_str!("../../environments/components/cached")),
            ],
        }
    };
}

struct Wrapper {
    name: &'static str,
    files: [(&'static str, &'static str); 4],
}

/// What a cold build takes: measured on 2 cores (`docs/stack.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How long.
    pub time: Duration,
    /// Disk of the result and of what Go keeps for the next build, in MiB.
    pub disk: u64,
}

impl Component {
    /// All of them, in the order in which they are built.
    pub const ALL: [Component; 5] =
        [Component::Etcd, Component::Kubernetes, Component::Argocd, Component::Kwok, Component::Gitea];

    fn wrapper(self) -> Wrapper {
        match self {
            Component::Etcd => wrapper!("etcd"),
            Component::Kubernetes => wrapper!("kubernetes"),
            Component::Argocd => wrapper!("argocd"),
            Component::Kwok => wrapper!("kwok"),
            Component::Gitea => wrapper!("gitea"),
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.wrapper().name
    }

    /// What it is, with its version.
    pub fn title(self) -> &'static str {
        match self {
            Component::Etcd => "etcd 3.6.16",
            Component::Kubernetes => "Kubernetes 1.35.4",
            Component::Argocd => "Argo CD 3.6.1",
            Component::Kwok => "kwok 0.8.0",
            Component::Gitea => "Gitea 1.26.0",
        }
    }

    /// What a cold build takes.
    pub fn cost(self) -> Cost {
        let (seconds, disk) = match self {
            Component::Etcd => (60, 400),
            Component::Kubernetes => (360, 3000),
            Component::Argocd => (360, 3500),
            Component::Kwok => (100, 1000),
            Component::Gitea => (240, 1500),
        };
        Cost { time: Duration::from_secs(seconds), disk }
    }

    /// The directory that holds it once it is built; in the same place as for its build script.
    pub fn dir(self, cache: &Path) -> PathBuf {
        let wrapper = self.wrapper();
        let mut hash = Sha256::new();
        for (_, text) in wrapper.files {
            hash.update(text);
        }
        let key = &hex::encode(hash.finalize())[..16];
        cache.join("components").join(format!("{}-{key}", wrapper.name))
    }

    /// Whether it is built.
    pub fn is_built(self, cache: &Path) -> bool {
        self.dir(cache).is_dir()
    }

    /// Builds it and answers its directory; nothing is there of a build that failed. `line` hears what the script says.
    pub fn build(self, cache: &Path, line: &mut dyn FnMut(&str)) -> Result<PathBuf, BuildError> {
        let wrapper = self.wrapper();
        let modules = tempfile::Builder::new().prefix("gradus-build-").tempdir().map_err(BuildError::Write)?;
        let home = modules.path().join(wrapper.name);
        std::fs::create_dir(&home).map_err(BuildError::Write)?;
        for (path, text) in wrapper.files {
            std::fs::write(home.join(path), text).map_err(BuildError::Write)?;
        }
        let mut child = Command::new("bash")
            .arg(home.join("build"))
            .env_clear()
            .envs(environment())
            .env("GRADUS_CACHE", cache)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(BuildError::NoBash)?;
        let mut tail = Vec::new();
        for said in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
            let said = String::from_utf8_lossy(&said.map_err(BuildError::Write)?).into_owned();
            line(&said);
            tail.push(said);
            if tail.len() > TAIL {
                tail.remove(0);
            }
        }
        let status = child.wait().map_err(BuildError::Write)?;
        match status.success() && self.is_built(cache) {
            true => Ok(self.dir(cache)),
            false => Err(BuildError::Failed { component: self, status: status.to_string(), tail: tail.join("\n") }),
        }
    }
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The script cannot run.
    #[error("cannot run the build script: install bash")]
    NoBash(#[source] io::Error),
    /// Its files cannot be laid out.
    #[error("cannot prepare the build: look whether the disk is full")]
    Write(#[source] io::Error),
    /// It ran and failed.
    #[error(
        "building {} failed ({status}); it said:\n{tail}\nNothing is left of it. When it is about the network, a proxy or the \
         disk, put that right; then `gradus stack build` goes on where it ended",
        component.title()
    )]
    Failed {
        /// Which.
        component: Component,
        /// How it ended.
        status: String,
        /// Its last words.
        tail: String,
    },
    /// There is no Go.
    #[error("Go 1.26 or newer is needed to build the parts: install it from https://go.dev/dl and put `go` on PATH")]
    NoGo,
}

/// Looks for the compiler.
pub fn find_go() -> Result<(), BuildError> {
    let version = Command::new("go").arg("version").stdin(Stdio::null()).output().map_err(|_| BuildError::NoGo)?;
    if version.status.success() { Ok(()) } else { Err(BuildError::NoGo) }
}

/// What a build may know of our environment: where things are and how to reach the proxy, no tokens.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    const NAMES: [&str; 16] = [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "CC",
        "CXX",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        NAMES.contains(&name.as_ref()) || name.starts_with("GO")
    })
}

/// The cache of this user: `$GRADUS_CACHE`, else `gradus` in the user's cache directory (XDG).
pub fn cache_of_user() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(cache) = absolute("GRADUS_CACHE") {
        return Some(cache);
    }
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("gradus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_look_where_the_build_scripts_put_their_results() {
        let cache = tempfile::tempdir().unwrap();
        for component in Component::ALL {
            let script = format!("{}/environments/components/{}/build", env!("CARGO_MANIFEST_DIR"), component.as_str());
            let said = Command::new(script).arg("--key").env("GRADUS_CACHE", cache.path()).output().unwrap();
            assert!(said.status.success(), "{said:?}");
            let said = String::from_utf8(said.stdout).unwrap();
            assert_eq!(Path::new(said.trim_end()), component.dir(cache.path()));
            assert!(!component.is_built(cache.path()));
        }
    }

    #[test]
    fn titles_name_the_versions_that_are_built() {
        for (component, module) in [
            (Component::Etcd, "go.etcd.io/etcd/server/v3"),
            (Component::Kubernetes, "k8s.io/kubernetes"),
            (Component::Argocd, "github.com/argoproj/argo-cd/v3"),
            (Component::Kwok, "sigs.k8s.io/kwok"),
            (Component::Gitea, "code.gitea.io/gitea"),
        ] {
            let version = component.title().rsplit(' ').next().unwrap();
            let required = format!("\t{module} v{version} ");
            assert!(component.wrapper().files[0].1.contains(&required), "{required}");
        }
    }
}
