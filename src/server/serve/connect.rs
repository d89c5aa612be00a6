//! From a plan to a port: which dialect, at which address, as whom.

use std::path::PathBuf;
use std::sync::Arc;

use super::plan::Works;
use crate::config::kinds::{Auth, ForgeConfig, ForgeKind};
use crate::forge::any::AnyForge;
use crate::forge::forks::Forks;
use crate::forge::gitea::{self, Gitea};
use crate::forge::github::auth::{App, AppKey, InvalidKey};
use crate::forge::github::{self, GITHUB_COM, GitHub};
use crate::forge::http::base::{Base, InvalidBase};
use crate::forge::http::client::NoCertificates;
use crate::forge::http::{Limits, Transport};
use crate::forge::pull::Workspace;
use crate::forge::seal::{InvalidKeys, Seal};
use crate::forge::tools::{InvalidToken, Tools};
use crate::server::webhooks::Reader;
use crate::store::Store;
use crate::store::time::Clock;
use crate::submission::limits::MAX_FETCH_BYTES;

/// A forge cannot be spoken to as configured. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its address.
    #[error(transparent)]
    Address(#[from] InvalidBase),
    /// Our token there.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// Our App's key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// What seals markers.
    #[error(transparent)]
    Seal(#[from] InvalidKeys),
}

/// Makes ports. Tests bring their own.
pub trait Connect: Send + Sync + 'static {
    /// What it makes.
    type Forge: crate::forge::Forge + Forks;

    /// A port to the workspace of a plan, whose mirror is kept at this path. Asks nothing of the forge yet.
    fn connect(&self, works: &Works, mirror: PathBuf, store: Store) -> Result<Self::Forge, ConnectError>;

    /// How webhooks of a kind of forge are read.
    fn reader(&self, kind: ForgeKind) -> Reader;
}

/// The dialects that there are, over sockets.
pub struct Dialects {
    transport: Transport,
    fetches: Transport,
    clock: Arc<dyn Clock>,
}

impl Dialects {
    /// With the certificates that this machine trusts.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, NoCertificates> {
        let transport = Transport::sockets(Limits::default())?;
        let fetches = Transport::sockets(Limits { bytes: MAX_FETCH_BYTES, ..Limits::default() })?;
        Ok(Self { transport, fetches, clock })
    }

    /// What carries requests to APIs.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }
}

/// Where people find the forge.
pub fn server(forge: &ForgeConfig) -> Result<Base, InvalidBase> {
    Base::parse(forge.web(), forge.plain())
}

/// What a workspace is called in the store and in markers: the same whatever case its repository is written in.
pub fn name(works: &Works) -> Result<Workspace, ConnectError> {
    let host = server(&works.forge)?.host();
    Ok(match &works.fork {
        Some(fork) => Workspace::fork(&host, &fork.upstream, fork.id),
        None => Workspace::on(&host, &works.repository),
    })
}

/// Where the API of a forge is.
pub fn api(forge: &ForgeConfig) -> Result<Base, ConnectError> {
    let usual = || match forge.kind {
        ForgeKind::Github if forge.web() == crate::config::check::GITHUB => GITHUB_COM.to_owned(),
        ForgeKind::Github => format!("{}/api/v3", forge.web()),
        ForgeKind::Gitea | ForgeKind::Forgejo => format!("{}/api/v1", forge.web()),
    };
    Ok(Base::parse(&forge.api.clone().unwrap_or_else(usual), forge.plain())?)
}

/// Who we are on GitHub.
pub fn access(works: &Works) -> Result<github::Access, ConnectError> {
    Ok(match &works.forge.auth {
        Auth::Token(_) => github::Access::Token(works.auth.expose().to_owned()),
        Auth::App(app) => github::Access::App(App {
            id: app.id.to_string(),
            key: AppKey::from_pem(works.auth.expose())?,
            installation: app.installation,
        }),
    })
}

/// What seals markers and believes them.
pub fn seal(works: &Works) -> Result<Seal, ConnectError> {
    let keys: Vec<&str> = works.keys.iter().map(|key| key.expose()).collect();
    Ok(Seal::with_keys(&keys.join("\n"))?)
}

impl Connect for Dialects {
    type Forge = AnyForge;

    fn connect(&self, works: &Works, mirror: PathBuf, store: Store) -> Result<AnyForge, ConnectError> {
        let tools = Tools {
            transport: self.transport.clone(),
            fetches: self.fetches.clone(),
            seal: seal(works)?,
            store,
            clock: self.clock.clone(),
        };
        let (api, workspace, writes) = (api(&works.forge)?, name(works)?, works.forge.write_policy());
        let (repository, course, status_page) = (works.repository.clone(), works.course.id.clone(), None);
        Ok(match works.forge.kind {
            ForgeKind::Github => {
                let settings = github::Settings { api, workspace, repository, course, writes, status_page, mirror };
                AnyForge::GitHub(GitHub::new(settings, access(works)?, tools)?)
            }
            ForgeKind::Gitea | ForgeKind::Forgejo => {
                let web = server(&works.forge)?;
                let settings = gitea::Settings { web, api, workspace, repository, course, writes, status_page, mirror };
                AnyForge::Gitea(Gitea::new(settings, works.auth.expose(), tools)?)
            }
        })
    }

    fn reader(&self, kind: ForgeKind) -> Reader {
        match kind {
            ForgeKind::Github => {
                use crate::forge::github::webhook::{delivery, hint, signature};
                Reader { signature, delivery, hint }
            }
            ForgeKind::Gitea | ForgeKind::Forgejo => {
                use crate::forge::gitea::webhook::{delivery, hint, signature};
                Reader { signature, delivery, hint }
            }
        }
    }
}
