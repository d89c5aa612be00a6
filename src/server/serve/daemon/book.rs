//! The gradebook of a configuration, with a token that may be replaced while it is used.

use std::sync::{Arc, Mutex, PoisonError};

use super::ServeError;
use crate::config::Loaded;
use crate::config::kinds::{Config, GradebookConfig};
use crate::config::secret::Secret;
use crate::gradebook::{Gradebook, Origin};
use crate::server::serve::data::Data;

/// The gradebook's token: may be replaced while the gradebook uses it.
#[derive(Clone)]
pub(super) struct BookToken(Arc<Mutex<Option<Secret>>>);

impl BookToken {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let token = Self(Arc::default());
        token.set(loaded);
        token
    }

    pub(super) fn set(&self, loaded: &Loaded) {
        let source = match &loaded.config.gradebook {
            GradebookConfig::Git(git) => git.token.as_ref(),
            GradebookConfig::Local | GradebookConfig::Dir(_) => None,
        };
        let secret = source.and_then(|source| loaded.secrets.get(source)).cloned();
        // Replaced in one step: a panic elsewhere leaves it whole.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|secret| secret.expose().to_owned())
    }
}

/// The gradebook that a configuration names.
pub(super) fn gradebook(config: &Config, data: &Data, token: &BookToken) -> Result<Gradebook, ServeError> {
    Ok(match &config.gradebook {
        GradebookConfig::Local => Gradebook::without_decisions(data.gradebook()),
        GradebookConfig::Dir(dir) => {
            std::fs::create_dir_all(dir).map_err(|source| ServeError::Dir { path: dir.clone(), source })?;
            Gradebook::new(dir.clone())
        }
        GradebookConfig::Git(git) => {
            let token = token.clone();
            let give: crate::gradebook::Token = Arc::new(move || token.get());
            Gradebook::shared(data.gradebook(), Origin::new(&git.address, &git.branch, Some(give))?)
        }
    })
}
