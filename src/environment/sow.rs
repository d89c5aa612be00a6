//! Makes the course's objects in an environment, and makes them again as they were.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::Value;

use super::lender::LendError;
use super::look::{group_of, text};
use super::provision::MANAGER;
use crate::gitops::kinds::{Kinds, Served};

/// How long a kind may take until it is served, and an object until it is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long rights that were only just given may take until they are known.
const RIGHTS: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(100);

/// Makes objects of one API server.
pub(super) struct Sower<'a> {
    pub kinds: &'a Kinds,
    /// As whom.
    pub client: Client,
}

impl Sower<'_> {
    /// Makes them one after the other as they are said, whatever they were. A definition is waited for: what follows may be of
    /// its kind.
    pub async fn sow(&self, objects: &[Value]) -> Result<(), LendError> {
        for object in objects {
            let deadline = Instant::now() + PATIENCE;
            let served = self.served(text(object, "/apiVersion"), text(object, "/kind"), deadline).await?;
            self.put(object, &served, deadline).await?;
            if text(object, "/kind") == "CustomResourceDefinition" {
                self.established(object, &served, deadline).await?;
            }
        }
        Ok(())
    }

    /// How the API server calls a kind, once it does.
    async fn served(&self, version: &str, kind: &str, deadline: Instant) -> Result<Served, LendError> {
        loop {
            let found = self.kinds.find(group_of(version), kind).await;
            if let Some(served) = found.map_err(|error| LendError::of(format!("look up the kind {kind}"), error))? {
                return Ok(served.at(version));
            }
            wait(deadline, || format!("the kind {kind} of `{version}` is not served")).await?;
        }
    }

    fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        served.api(self.client.clone(), namespace)
    }

    async fn put(&self, object: &Value, served: &Served, deadline: Instant) -> Result<(), LendError> {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        let what = || format!("make the course's {kind} {name}");
        let api = self.api(served, text(object, "/metadata/namespace"));
        let how = PatchParams::apply(MANAGER).force();
        let all = Patch::Apply(object);
        loop {
            match rightly(|| api.patch(name, &how, &all)).await {
                Ok(_) => return Ok(()),
                // A field that nobody may change any more. With a definition all of its objects would go.
                Err(kube::Error::Api(status)) if status.code == 422 && kind != "CustomResourceDefinition" => {
                    let refused = || LendError::of(what(), kube::Error::Api(status.clone()));
                    if api.get_opt(name).await.map_err(|error| LendError::of(what(), error))?.is_none() {
                        return Err(refused());
                    }
                    api.delete(name, &DeleteParams::background()).await.map_err(|_| refused())?;
                    while api.get_opt(name).await.map_err(|error| LendError::of(what(), error))?.is_some() {
                        wait(deadline, || format!("the course's {kind} {name} stays although it was deleted")).await?;
                    }
                }
                Err(error) => return Err(LendError::of(what(), error)),
            }
            wait(deadline, || format!("the course's {kind} {name} cannot be made anew")).await?;
        }
    }

    async fn established(&self, object: &Value, served: &Served, deadline: Instant) -> Result<(), LendError> {
        let name = text(object, "/metadata/name");
        let api = self.api(served, "");
        loop {
            let what = || format!("read the course's definition {name}");
            let now = api.get(name).await.map_err(|error| LendError::of(what(), error))?;
            let conditions = now.data.pointer("/status/conditions").and_then(Value::as_array);
            if conditions.into_iter().flatten().any(|one| one["type"] == "Established" && one["status"] == "True") {
                break;
            }
            wait(deadline, || format!("the course's definition {name} is not established")).await?;
        }
        let version = format!("{}/v1", text(object, "/spec/group"));
        self.served(&version, text(object, "/spec/names/kind"), deadline).await.map(drop)
    }
}

/// Asks, and again as long as rights that were only just given may not be known yet.
pub(super) async fn rightly<T, A: Future<Output = kube::Result<T>>>(ask: impl Fn() -> A) -> kube::Result<T> {
    let deadline = Instant::now() + RIGHTS;
    loop {
        match ask().await {
            Err(kube::Error::Api(status)) if status.code == 403 && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

async fn wait(deadline: Instant, why: impl Fn() -> String) -> Result<(), LendError> {
    if Instant::now() >= deadline {
        return Err(LendError::Late(why()));
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
