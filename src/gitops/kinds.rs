//! How an API server is asked for objects of a kind: looked up by discovery, and remembered.

use std::collections::HashMap;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, TypeMeta};
use kube::discovery::{self, Scope};
use serde_json::Value;
use tokio::sync::Mutex;

/// The kinds of one API server.
pub struct Kinds {
    client: Client,
    known: Mutex<HashMap<(String, String), Served>>,
}

/// A kind as it is served.
#[derive(Debug, Clone)]
pub struct Served {
    /// In the version that is recommended.
    pub resource: ApiResource,
    /// Whether its objects are in a namespace.
    pub scope: Scope,
}

impl Kinds {
    /// Those of the API server that `client` speaks to.
    pub fn of(client: Client) -> Self {
        Self { client, known: Mutex::default() }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How a kind is asked for; none while it is not served, which a definition that is applied may change.
    ///
    /// # Errors
    /// When the API server gives no answer.
    pub async fn find(&self, group: &str, kind: &str) -> Result<Option<Served>, kube::Error> {
        let key = (group.to_owned(), kind.to_owned());
        let mut known = self.known.lock().await;
        if let Some(served) = known.get(&key) {
            return Ok(Some(served.clone()));
        }
        let group = match discovery::group(&self.client, group).await {
            Ok(group) => group,
            Err(kube::Error::Discovery(_)) => return Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = group.recommended_kind(kind);
        let served = found.map(|(resource, capabilities)| Served { resource, scope: capabilities.scope });
        if let Some(served) = &served {
            known.insert(key, served.clone());
        }
        Ok(served)
    }

    /// Objects of a kind, those of a namespace where they are in one.
    pub fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        match served.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &served.resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, &served.resource),
        }
    }
}

impl Served {
    /// The object with its type, without which single objects and items of lists come.
    pub fn whole(&self, mut object: DynamicObject) -> Value {
        let ApiResource { api_version, kind, .. } = &self.resource;
        object.types = Some(TypeMeta { api_version: api_version.clone(), kind: kind.clone() });
        serde_json::to_value(object).unwrap_or_default()
    }
}
