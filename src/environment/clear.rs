//! Takes away what [`super::reset`] says goes.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::discovery::{ApiGroup, Scope as Served, verbs};
use kube::{Client, Discovery};
use serde_json::json;

use super::lender::LendError;
use super::reset::{Stays, concerns};
use super::sow::rightly;
use super::{Environment, Tier};
use crate::gitops::allowed::Scope;
use crate::gitops::kinds::Kinds;

/// Most objects of one answer.
const PAGE: u32 = 500;

/// Most answers about one kind in one namespace; what is more is taken away by the next one who lends the environment.
const PAGES: usize = 4;

/// How many kinds are looked through at once.
const AT_ONCE: usize = 8;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clears one environment.
pub(super) struct Clearing<'a> {
    pub kinds: &'a Kinds,
    /// As whom.
    pub client: Client,
    pub environment: &'a Environment,
    /// Its own ones.
    pub namespaces: Vec<String>,
    pub stays: Stays,
}

/// Objects of one kind in one place.
struct Shelf {
    resource: ApiResource,
    scope: Scope,
    api: Api<DynamicObject>,
}

impl Clearing<'_> {
    /// Deletes what goes, without waiting until it is gone; how many that were.
    pub async fn clear(&self) -> Result<usize, LendError> {
        let late = || LendError::Late("what others left in an environment is not taken away yet".to_owned());
        tokio::time::timeout(PATIENCE, self.all()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn all(&self) -> Result<usize, LendError> {
        let shelves =
            self.shelves().await.map_err(|error| LendError::of("look up the kinds of an environment", error))?;
        let one = |shelf: Shelf| async move {
            let what = format!("take away {} of others", shelf.resource.plural);
            self.shelf(&shelf).await.map_err(|error| LendError::of(what, error))
        };
        let counts: Vec<Count> = stream::iter(shelves).map(one).buffer_unordered(AT_ONCE).try_collect().await?;
        match counts.iter().any(|count| count.more) {
            true => Err(LendError::Late("others left more in an environment than is taken away at once".to_owned())),
            false => Ok(counts.iter().map(|count| count.gone).sum()),
        }
    }

    /// In a shared cluster what the environment's account may delete; elsewhere everything in its namespaces, and of the
    /// whole cluster the kinds that the task allows, unless others use the cluster, too.
    async fn shelves(&self) -> Result<Vec<Shelf>, kube::Error> {
        let mut shelves = Vec::new();
        let allowed = &self.environment.allow.kinds;
        if self.environment.tier == Tier::Namespace {
            for kind in allowed.iter().filter(|kind| concerns(&kind.group, &kind.kind)) {
                if let Some(served) = self.kinds.find(&kind.group, &kind.kind).await? {
                    self.within(&served.resource, &mut shelves);
                }
            }
            return Ok(shelves);
        }
        let all = Discovery::new(self.client.clone()).run_aggregated().await?;
        for (resource, can) in all.groups().flat_map(ApiGroup::recommended_resources) {
            let (group, kind) = (resource.group.as_str(), resource.kind.as_str());
            if !(concerns(group, kind) && can.supports_operation(verbs::LIST) && can.supports_operation(verbs::DELETE))
            {
                continue;
            }
            match can.scope {
                Served::Namespaced => self.within(&resource, &mut shelves),
                Served::Cluster if self.environment.tier == Tier::External => {}
                Served::Cluster if allowed.iter().any(|known| known.group == group && known.kind == kind) => {
                    let api = Api::all_with(self.client.clone(), &resource);
                    shelves.push(Shelf { resource, scope: Scope::Cluster, api });
                }
                Served::Cluster => {}
            }
        }
        Ok(shelves)
    }

    fn within(&self, resource: &ApiResource, shelves: &mut Vec<Shelf>) {
        let one = |namespace: &String| Shelf {
            resource: resource.clone(),
            scope: Scope::Namespace,
            api: Api::namespaced_with(self.client.clone(), namespace, resource),
        };
        shelves.extend(self.namespaces.iter().map(one));
    }

    async fn shelf(&self, shelf: &Shelf) -> Result<Count, kube::Error> {
        let mut count = Count { gone: 0, more: false };
        let mut page = ListParams::default().limit(PAGE);
        for _ in 0..PAGES {
            // Their metadata only: values of Secrets are nobody's to read.
            let list = match rightly(|| shelf.api.list_metadata(&page)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(count),
                list => list?,
            };
            for object in list.items {
                let mut read = serde_json::to_value(&object.metadata).map(|metadata| json!({ "metadata": metadata }));
                if let Ok(read) = &mut read {
                    read["apiVersion"] = shelf.resource.api_version.as_str().into();
                    read["kind"] = shelf.resource.kind.as_str().into();
                }
                if read.is_ok_and(|read| self.stays.goes(&read, shelf.scope)) {
                    delete(&shelf.api, object.metadata).await?;
                    count.gone += 1;
                }
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page.continue_token = Some(token),
                None => return Ok(count),
            }
        }
        Ok(Count { more: true, ..count })
    }
}

struct Count {
    gone: usize,
    /// There may be more.
    more: bool,
}

/// Deletes the object that was looked at, and no other one that has its name by now.
async fn delete(api: &Api<DynamicObject>, metadata: ObjectMeta) -> Result<(), kube::Error> {
    let preconditions = Some(Preconditions { uid: metadata.uid, ..Preconditions::default() });
    let how = DeleteParams { preconditions, ..DeleteParams::background() };
    match api.delete(&metadata.name.unwrap_or_default(), &how).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}
