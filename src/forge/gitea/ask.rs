//! Asking Gitea: addresses, pages, who we are there.

use std::fmt::Write as _;

use http::{HeaderMap, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use super::super::budget::{BudgetError, WriteClass, WriteKind};
use super::super::hint::RepositoryName;
use super::super::http::api::{Api, Call};
use super::super::http::date::date;
use super::super::http::doubt::noted;
use super::super::http::failure::Failure;
use super::super::http::{Response, TransportError};
use super::super::pull::{PullKey, PullNumber, Workspace};
use super::wire::{Account, AccountId, ApiSettings};
use crate::store::Store;
use crate::store::time::Time;

/// Entries that are asked for at once: what Gitea gives at most unless its operator changed that.
const PAGE: usize = 50;

/// Most pages of one list.
const MAX_PAGES: usize = 2_000;

/// The number of entries of a list over all pages, where Gitea says it.
const TOTAL: &str = "x-total-count";

/// Nothing is sent with it.
pub const NOTHING: Option<&()> = None;

/// Who we are, and how the server answers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our account.
    pub id: AccountId,
    /// What it is called now.
    pub login: String,
    /// Entries of a page.
    pub page: usize,
}

/// A list as it was at one time.
#[derive(Debug)]
pub struct Listed<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// When, on the forge's clock.
    pub at: Time,
}

/// One repository of a Gitea, asked as one account.
pub struct Desk {
    pub api: Api,
    pub workspace: Workspace,
    pub repository: RepositoryName,
    /// Where a commit status leads.
    pub status_page: Option<Url>,
    store: Store,
    identity: OnceCell<Identity>,
}

impl Desk {
    /// Asks nothing yet.
    pub fn new(
        api: Api,
        workspace: Workspace,
        repository: RepositoryName,
        status_page: Option<Url>,
        store: Store,
    ) -> Self {
        Self { api, workspace, repository, status_page, store, identity: OnceCell::new() }
    }

    /// Who we are; asked once.
    pub async fn identity(&self) -> Result<&Identity, Failure> {
        let ask = || async {
            let me: Account = self.api.get(&self.api.base().at(&["user"])).await?;
            let settings: ApiSettings = self.api.get(&self.api.base().at(&["settings", "api"])).await?;
            Ok(Identity { id: me.id, login: me.login, page: settings.max_response_items.clamp(1, PAGE) })
        };
        self.identity.get_or_try_init(ask).await
    }

    /// The address of something of the repository.
    pub fn at(&self, below: &[&str]) -> Url {
        let above = ["repos", self.repository.owner(), self.repository.name()];
        self.api.base().at(&[&above[..], below].concat())
    }

    /// The address of something of a pull request.
    pub fn pull(&self, number: PullNumber, below: &[&str]) -> Url {
        self.at(&[&["pulls", &number.to_string()], below].concat())
    }

    /// The address of something of a pull request that every issue has.
    pub fn issue(&self, number: PullNumber, below: &[&str]) -> Url {
        self.at(&[&["issues", &number.to_string()], below].concat())
    }

    /// Writes about a pull request.
    pub async fn write<B: Serialize>(
        &self,
        about: Option<PullNumber>,
        method: Method,
        url: &Url,
        body: Option<&B>,
        kind: WriteKind,
    ) -> Result<Response, Failure> {
        let Some(number) = about else {
            return self.api.write(Call { method, url, body, kind, class: WriteClass::Live }).await;
        };
        let key = PullKey { workspace: self.workspace.clone(), number };
        let class = self.store.write_class(&key).await.map_err(BudgetError::Store)?;
        let write = self.api.write(Call { method, url, body, kind, class });
        noted(&self.store, &key, self.api.budget().now(), write).await
    }

    /// Deletes something; what is gone already is fine.
    pub async fn delete(&self, about: PullNumber, url: &Url) -> Result<(), Failure> {
        match self.write(Some(about), Method::DELETE, url, NOTHING, WriteKind::Plain).await {
            Err(error) if error.refused(http::StatusCode::NOT_FOUND).is_some() => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Reads a list page by page until `more` says that a page was enough. Pages are counted, links are not followed: the
    /// server writes its public address into them, which need not be the one we reach it at, and some lists have none.
    /// The server counts what it does not show (others' pending reviews), so a short page is not the last one where
    /// there is a count. A page with entries too large to read is read one by one, without these.
    pub async fn list<T: DeserializeOwned>(
        &self,
        url: &Url,
        query: &[(&str, &str)],
        mut more: impl FnMut(&[T]) -> bool,
    ) -> Result<Listed<T>, Failure> {
        let size = self.identity().await?.page;
        let mut listed = Listed { entries: Vec::new(), at: self.api.budget().now() };
        for page in 1..=MAX_PAGES {
            let answer = match self.page(url, query, page, size).await {
                Ok(answer) => answer,
                Err(error) if is_too_large(&error) && size > 1 => {
                    let entries = self.one_by_one(url, query, page, size).await?;
                    listed.entries.extend(entries);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let entries: Vec<T> = self.api.decode::<Option<Vec<T>>>(&answer)?.unwrap_or_default();
            listed.at = date(answer.headers()).unwrap_or(listed.at);
            let last = match total(answer.headers()) {
                Some(total) => page * size >= total,
                None => entries.len() < size,
            };
            let enough = last || !more(&entries);
            listed.entries.extend(entries);
            if enough {
                return Ok(listed);
            }
        }
        Err(self.api.unreadable(&HeaderMap::new(), format!("a list has more than {MAX_PAGES} pages")))
    }

    /// One page as the server gives it.
    pub async fn page(&self, url: &Url, query: &[(&str, &str)], page: usize, size: usize) -> Result<Response, Failure> {
        let mut url = url.clone();
        url.query_pairs_mut()
            .extend_pairs(query)
            .append_pair("page", &page.to_string())
            .append_pair("limit", &size.to_string());
        self.api.answer(&url).await
    }

    async fn one_by_one<T: DeserializeOwned>(
        &self,
        url: &Url,
        query: &[(&str, &str)],
        page: usize,
        size: usize,
    ) -> Result<Vec<T>, Failure> {
        let (mut entries, mut skipped) = (Vec::new(), String::new());
        for at in (page - 1) * size + 1..=page * size {
            match self.page(url, query, at, 1).await {
                Ok(answer) => {
                    entries.extend(self.api.decode::<Option<Vec<T>>>(&answer)?.unwrap_or_default());
                    if total(answer.headers()).is_some_and(|total| at >= total) {
                        break;
                    }
                }
                Err(error) if is_too_large(&error) => _ = write!(skipped, " {at}"),
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(path = url.path(), %skipped, "entries of a list are too large to read");
        Ok(entries)
    }
}

/// Whether an answer was longer than we read.
pub fn is_too_large(error: &Failure) -> bool {
    matches!(error, Failure::Transport(TransportError::TooLarge { .. }))
}

fn total(headers: &HeaderMap) -> Option<usize> {
    headers.get(TOTAL)?.to_str().ok()?.parse().ok()
}
