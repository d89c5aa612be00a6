//! Which gradebook a verb is about: a directory, `gradus up`'s own, or a repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::up::data_home;
use crate::config::kinds::{Config, GradebookConfig};
use crate::config::outline;
use crate::config::secret::{self, SecretError};
use crate::gradebook::{ExchangeError, Gradebook, InvalidOrigin, Origin};

/// Where the token for the gradebook's repository is.
const TOKEN: &str = "GRADUS_GRADEBOOK_TOKEN";

/// Which gradebook.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The gradebook: a directory, a data directory of `gradus up`, or the address of a repository; by default that of the
    /// data directory. A token for the repository is read from GRADUS_GRADEBOOK_TOKEN
    #[arg(long, value_name = "DIR|URL", env = "GRADUS_GRADEBOOK")]
    gradebook: Option<String>,
    /// The gradebook of the daemon that this configuration runs, whatever else is said
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The branch, where it is a repository
    #[arg(long, value_name = "NAME", default_value = "main")]
    branch: String,
}

/// An open gradebook.
pub struct Opened {
    /// The gradebook.
    pub gradebook: Arc<Gradebook>,
    /// As people know it.
    pub shown: String,
    /// Whether what is written has to be pushed by somebody else.
    pub checkout: bool,
    /// Holds a repository's files meanwhile.
    _dir: Option<tempfile::TempDir>,
}

/// It cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WhichError {
    /// Not an address.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
    /// Not reached.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Not there.
    #[error("there is no gradebook in {}: name one with `--gradebook DIR|URL`", .0.display())]
    Nothing(PathBuf),
    /// No default.
    #[error("there is no home directory: name a gradebook with `--gradebook DIR|URL`")]
    NoHome,
    /// The configuration says nothing.
    #[error("{path} cannot be used: `gradus config check {path}` shows why", path = .0.display())]
    Config(PathBuf),
    /// The configuration's token.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// No place for a copy.
    #[error("cannot create a directory for a copy: {0}")]
    Copy(#[source] std::io::Error),
}

/// The data directory where nothing is said: as `gradus up` finds it.
fn data() -> Option<PathBuf> {
    std::env::var_os("GRADUS_DATA").filter(|data| !data.is_empty()).map(PathBuf::from).or_else(data_home)
}

/// Who sits here: the name that Git would write.
pub fn author() -> String {
    let git = git2::Config::open_default().and_then(|config| config.get_string("user.name"));
    let name = git.ok().or_else(|| std::env::var("USER").ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

impl Which {
    /// The configuration that was named.
    pub fn config(&self) -> Result<Option<Config>, WhichError> {
        let read = |path: &PathBuf| outline(path).map_err(|_| WhichError::Config(path.clone()));
        self.config.as_ref().map(read).transpose()
    }

    /// Whether a gradebook was named.
    pub fn named(&self) -> bool {
        self.gradebook.is_some()
    }

    /// Opens it; a repository is fetched.
    pub fn open(&self) -> Result<Opened, WhichError> {
        if let Some(config) = self.config()? {
            return match &config.gradebook {
                GradebookConfig::Local => directory(&config.data),
                GradebookConfig::Dir(dir) => directory(dir),
                GradebookConfig::Git(git) => {
                    let configured = git.token.as_ref().map(|source| secret::read(source, &super::config::environment));
                    let configured = configured.transpose()?;
                    shared(&git.address, &git.branch, move || configured.clone().map(|token| token.expose().to_owned()))
                }
            };
        }
        let named = match &self.gradebook {
            Some(named) => named.clone(),
            None => data().ok_or(WhichError::NoHome)?.display().to_string(),
        };
        let path = Path::new(&named);
        if named.contains("://") || (path.join("HEAD").is_file() && path.join("objects").is_dir()) {
            return shared(&named, &self.branch, || std::env::var(TOKEN).ok().filter(|token| !token.is_empty()));
        }
        directory(path)
    }
}

/// A copy of what is in a repository.
fn shared(
    address: &str,
    branch: &str,
    token: impl Fn() -> Option<String> + Send + Sync + 'static,
) -> Result<Opened, WhichError> {
    let dir = tempfile::tempdir().map_err(WhichError::Copy)?;
    let origin = Origin::new(address, branch, Some(Arc::new(token)))?;
    let gradebook = Arc::new(Gradebook::shared(dir.path().to_owned(), origin));
    gradebook.exchange()?;
    Ok(Opened { gradebook, shown: address.to_owned(), checkout: false, _dir: Some(dir) })
}

/// A directory of its own, or a data directory, which holds it beside other things.
fn directory(path: &Path) -> Result<Opened, WhichError> {
    let within = path.join("gradebook");
    let dir = if within.is_dir() { within } else { path.to_owned() };
    if !dir.is_dir() {
        return Err(WhichError::Nothing(dir));
    }
    let (checkout, shown) = (dir.join(".git").exists(), dir.display().to_string());
    Ok(Opened { gradebook: Arc::new(Gradebook::new(dir)), shown, checkout, _dir: None })
}
