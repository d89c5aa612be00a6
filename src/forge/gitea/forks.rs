//! Forks of the workspace, as Gitea lists them: those that our account may see.

use serde::Deserialize;

use super::{Gitea, failed};
use crate::forge::examine::Finding;
use crate::forge::forks::{Fork, Forks, RepositoryId};
use crate::forge::{Answer, ErrorClass, ForgeError};

#[derive(Deserialize)]
struct ForkWire {
    id: u64,
    full_name: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    has_pull_requests: bool,
}

impl Forks for Gitea {
    async fn forks(&self) -> Answer<Vec<Fork>> {
        let what = "list the forks of the workspace";
        let listed = self.0.desk.list::<ForkWire>(&self.0.desk.at(&["forks"]), &[], |_| true).await;
        let fork = |fork: ForkWire| {
            let repository = fork.full_name.parse().map_err(|error: crate::forge::hint::InvalidRepository| {
                ForgeError { what, class: ErrorClass::Retry, source: error.into() }
            })?;
            Ok(Fork { id: RepositoryId(fork.id), repository })
        };
        let found = listed.map_err(failed(what))?.entries;
        found.into_iter().filter(|fork| !fork.archived && fork.has_pull_requests).map(fork).collect()
    }

    async fn examine_rights(&self) -> Finding {
        self.0.desk.examine_role().await
    }
}
