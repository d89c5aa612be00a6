//! Forks of the workspace, as GitHub lists them.

use serde::Deserialize;

use super::{GitHub, PAGE, repository_failed};
use crate::forge::Answer;
use crate::forge::examine::Finding;
use crate::forge::forks::{Fork, Forks, RepositoryId};
use crate::forge::http::failure::Failure;

#[derive(Deserialize)]
struct ForkWire {
    id: u64,
    full_name: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
}

impl Forks for GitHub {
    async fn forks(&self) -> Answer<Vec<Fork>> {
        let what = "list the forks of the workspace";
        // Oldest first: what is forked while we read comes at the end.
        let url = self.0.list_url(&["forks"], &[("sort", "oldest")]);
        let found: Result<Vec<ForkWire>, Failure> = self.0.api.list(&url, PAGE, |_| true).await;
        let fork = |fork: ForkWire| {
            let repository = fork.full_name.parse().map_err(|error| self.0.odd(error).forge(what))?;
            Ok(Fork { id: RepositoryId(fork.id), repository })
        };
        let found = found.map_err(repository_failed(what))?;
        found.into_iter().filter(|fork| !fork.archived && !fork.disabled).map(fork).collect()
    }

    async fn examine_rights(&self) -> Finding {
        self.0.rights().await
    }
}
