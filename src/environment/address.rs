//! Servers that the operator lets tasks ask about environments, by name: which course authors may name, and no other. The
//! operator's, so that their answers are believed; what they are asked is a course's, with GET and nothing else.
//!
//! What is asked stays at the configured server and below its path, no redirect is followed, and an answer is bounded in bytes and
//! time as a workload's is (`proxy`). A token goes nowhere else, and is blotted out of an answer that repeats it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::body::Body;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::proxy::{kept, read};
use crate::checkpoint::observed::Said;
use crate::checkpoint::via::{Addressee, Answer, Ask, Keep, PATIENCE, Reply, Target, Unreached};
use crate::config::Loaded;
use crate::config::kinds::AddressConfig;
use crate::config::secret::Secret;
use crate::forge::http::base::Base;
use crate::forge::http::client::{NoCertificates, Sockets, sockets};

/// Questions at once, of all environments together: each may be asked every second.
const AT_ONCE: usize = 16;

/// Stands where a server repeated our token.
const BLOTTED: &str = "[secret]";

/// Servers that tasks may ask. A clone is the same ones.
#[derive(Clone)]
pub struct Addresses(Arc<Inner>);

struct Inner {
    client: Sockets,
    servers: RwLock<BTreeMap<String, Server>>,
    turns: Semaphore,
}

/// A server that tasks may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub base: Base,
    /// Shown there, as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Addresses").field(&self.servers()).finish()
    }
}

impl Addresses {
    /// None yet.
    ///
    /// # Errors
    /// This machine has no certificates.
    pub fn none() -> Result<Self, NoCertificates> {
        let (client, turns) = (sockets()?, Semaphore::new(AT_ONCE));
        Ok(Self(Arc::new(Inner { client, servers: RwLock::default(), turns })))
    }

    /// Those of a configuration.
    pub fn of(loaded: &Loaded) -> BTreeMap<String, Server> {
        let all = loaded.config.argocd.iter().flat_map(|argocd| &argocd.addresses);
        let one = |one: &AddressConfig| {
            let token = one.token.as_ref().and_then(|source| loaded.secrets.get(source)).cloned();
            // A configuration that was loaded has good ones only.
            Some((one.name.to_string(), Server { base: one.base().ok()?, token }))
        };
        all.filter_map(one).collect()
    }

    /// These from now on.
    pub fn replace(&self, servers: BTreeMap<String, Server>) {
        // Replaced in one step: a panic elsewhere leaves it whole.
        *self.0.servers.write().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    fn servers(&self) -> BTreeMap<String, Server> {
        self.0.servers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a server says about an environment of this namespace.
    pub async fn ask(&self, ask: &Ask, namespace: &str) -> Said {
        let answer = |reply| Said::Http(Answer { namespace: namespace.to_owned(), reply });
        let Some(server) = self.servers().remove(&ask.target.name) else {
            return answer(Err(Unreached::NotConfigured));
        };
        let Ok(_turn) = self.0.turns.acquire().await else { return answer(Err(Unreached::Slow)) };
        let reply = match timeout(PATIENCE.0, self.get(&server, ask, namespace)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Failed::Unreached(why))) => return answer(Err(why)),
            Ok(Err(Failed::NotAsked(why))) => return Said::Nothing(format!("{}: {why}", ask.target.words())),
            Err(_) => return answer(Err(Unreached::Slow)),
        };
        // Of what it says to us and to nobody's work.
        match reply.status {
            401 if server.token.is_some() => Said::Nothing(format!("{} does not know our token", ask.target.words())),
            429 => Said::Nothing(format!("{} has no time for us", ask.target.words())),
            _ => answer(Ok(reply)),
        }
    }

    async fn get(&self, server: &Server, ask: &Ask, namespace: &str) -> Result<Reply, Failed> {
        let address = format!("{}{}", server.base, ask.path_in(namespace));
        let url = Url::parse(&address).ok().filter(|url| server.base.covers(url) && url.fragment().is_none());
        let url = url.ok_or(Failed::NotAsked("what is asked leads elsewhere"))?;
        let mut request = http::Request::get(url.as_str())
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, concat!("gradus/", env!("CARGO_PKG_VERSION")))
            .body(Body::empty())
            .map_err(|_| Failed::NotAsked("what is asked is no address"))?;
        if let Some(token) = &server.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|_| Failed::NotAsked("our token for it is no text that could be sent"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let begun = Instant::now();
        let response = self.0.client.request(request).await.map_err(|error| {
            Failed::Unreached(if error.is_connect() { Unreached::Refused } else { Unreached::Broken })
        })?;
        let mut reply = read(response, ask, begun).await.ok_or(Failed::Unreached(Unreached::Broken))?;
        if let Some(token) = &server.token {
            let texts = reply.headers.values_mut().chain(&mut reply.body);
            texts.for_each(|text| *text = text.replace(token.expose(), BLOTTED));
        }
        reply.body = reply.body.map(|body| kept(ask.body, body));
        Ok(reply)
    }

    /// Whether a server answers at all, for its operator: the status, or why there is none.
    ///
    /// # Errors
    /// It does not, or not to us.
    pub async fn knock(&self, name: &str) -> Result<u16, String> {
        let target = Target { kind: Addressee::Address, name: name.to_owned(), port: None };
        let ask = Ask { target, path: "/".to_owned(), headers: Vec::new(), body: Keep::Nothing, within: None };
        match self.ask(&ask, "").await {
            Said::Http(Answer { reply: Ok(reply), .. }) => Ok(reply.status),
            Said::Http(Answer { reply: Err(why), .. }) => Err(why.words(&ask.target)),
            Said::Nothing(why) => Err(why),
            _ => Err("it says nothing".to_owned()),
        }
    }
}

/// Why there is no answer.
enum Failed {
    /// Of it.
    Unreached(Unreached),
    /// Nothing was asked, for this reason.
    NotAsked(&'static str),
}

#[cfg(test)]
mod tests;
