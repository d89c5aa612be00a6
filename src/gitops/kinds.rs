//! How an API server is asked for objects of a kind: looked up by discovery, and remembered.

use std::collections::HashMap;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, PartialObjectMeta, TypeMeta};
use kube::discovery::{self, ApiGroup, Scope};
use serde_json::Value;
use tokio::sync::Mutex;

/// The kinds of one API server.
pub struct Kinds {
    client: Client,
    known: Mutex<HashMap<(String, String), Served>>,
    scopes: Mutex<HashMap<(String, String), Scope>>,
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
        Self { client, known: Mutex::default(), scopes: Mutex::default() }
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
        let Some(group) = self.group(group).await? else { return Ok(None) };
        let found = group.recommended_kind(kind);
        let served = found.map(|(resource, capabilities)| Served { resource, scope: capabilities.scope });
        if let Some(served) = &served {
            known.insert(key, served.clone());
        }
        Ok(served)
    }

    /// Whether objects of a resource, as in `deployments`, are in a namespace; none while it is not served.
    ///
    /// # Errors
    /// When the API server gives no answer.
    pub async fn scope(&self, group: &str, plural: &str) -> Result<Option<Scope>, kube::Error> {
        let key = (group.to_owned(), plural.to_owned());
        let mut scopes = self.scopes.lock().await;
        if let Some(scope) = scopes.get(&key) {
            return Ok(Some(scope.clone()));
        }
        let Some(group) = self.group(group).await? else { return Ok(None) };
        let found = group.resources_by_stability().into_iter().find(|(resource, _)| resource.plural == plural);
        let scope = found.map(|(_, capabilities)| capabilities.scope);
        if let Some(scope) = &scope {
            scopes.insert(key, scope.clone());
        }
        Ok(scope)
    }

    async fn group(&self, group: &str) -> Result<Option<ApiGroup>, kube::Error> {
        match discovery::group(&self.client, group).await {
            Ok(group) => Ok(Some(group)),
            Err(kube::Error::Discovery(_)) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Objects of a kind, those of a namespace where they are in one.
    pub fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        served.api(self.client.clone(), namespace)
    }

    /// The same of their metadata alone.
    pub fn metadata(&self, served: &Served, namespace: &str) -> Api<PartialObjectMeta<DynamicObject>> {
        match served.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &served.resource),
            Scope::Namespaced => Api::namespaced_with(self.client.clone(), namespace, &served.resource),
        }
    }
}

impl Served {
    /// Its objects as this client may see them, those of a namespace where they are in one.
    pub fn api(&self, client: Client, namespace: &str) -> Api<DynamicObject> {
        match self.scope {
            Scope::Cluster => Api::all_with(client, &self.resource),
            Scope::Namespaced => Api::namespaced_with(client, namespace, &self.resource),
        }
    }

    /// The same kind in the version that an object names, as in `apps/v1`.
    pub fn at(mut self, api_version: &str) -> Self {
        self.resource.api_version = api_version.to_owned();
        self.resource.version = api_version.rsplit('/').next().unwrap_or_default().to_owned();
        self
    }

    /// The object with its type, without which single objects and items of lists come.
    pub fn whole(&self, mut object: DynamicObject) -> Value {
        let ApiResource { api_version, kind, .. } = &self.resource;
        object.types = Some(TypeMeta { api_version: api_version.clone(), kind: kind.clone() });
        serde_json::to_value(object).unwrap_or_default()
    }
}
