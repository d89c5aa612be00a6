//! Reads of an Argo CD what is judged before anything is changed. Changes nothing.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use semver::Version;
use serde_json::Value;

use super::Survey;
use crate::gitops::version::of_image;

/// Objects of one page of a list.
const PAGE: u32 = 500;

/// An Argo CD cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// There is none.
    #[error(
        "there is no Argo CD in the namespace `{0}`: it has no ConfigMap argocd-cm; `--namespace` names another one"
    )]
    Nobody(String),
    /// The API server said no, or nothing.
    #[error("the API server does not give {what}: {source}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

struct Reader<'a> {
    client: &'a Client,
    namespace: &'a str,
}

/// All that is judged.
///
/// # Errors
/// When there is no Argo CD, or it is not shown.
pub async fn survey(client: &Client, namespace: &str) -> Result<Survey, SurveyError> {
    let reader = Reader { client, namespace };
    let Some(settings) = reader.map("argocd-cm").await? else { return Err(SurveyError::Nobody(namespace.to_owned())) };
    Ok(Survey {
        version: reader.version().await?,
        settings,
        parameters: reader.map("argocd-cmd-params-cm").await?.unwrap_or_default(),
        rights: reader.map("argocd-rbac-cm").await?.unwrap_or_default(),
        applications: reader.all("Application", Where::Everywhere).await?,
        projects: reader.all("AppProject", Where::Here).await?,
        sets: reader.all("ApplicationSet", Where::Everywhere).await?,
        namespace: namespace.to_owned(),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Here,
    Everywhere,
}

impl Reader<'_> {
    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), self.namespace, &resource)
    }

    async fn map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, SurveyError> {
        let read = self.api("", "v1", "ConfigMap").get_opt(name).await;
        let map = read.map_err(|error| SurveyError::of(format!("the ConfigMap {name}"), error))?;
        let data = |map: DynamicObject| serde_json::from_value(map.data["data"].clone()).unwrap_or_default();
        Ok(map.map(data))
    }

    async fn all(&self, kind: &str, from: Where) -> Result<Vec<Value>, SurveyError> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", kind));
        let api = match from {
            Where::Everywhere => Api::all_with(self.client.clone(), &resource),
            Where::Here => self.api("argoproj.io", "v1alpha1", kind),
        };
        pages(&api).await.map_err(|error| SurveyError::of(format!("its {kind}s"), error))
    }

    /// The version that the images of its programs name, the application controller's first.
    async fn version(&self) -> Result<Option<Version>, SurveyError> {
        let mut found = None;
        for kind in ["StatefulSet", "Deployment"] {
            let failed = |error| SurveyError::of(format!("its {kind}s"), error);
            for workload in pages(&self.api("apps", "v1", kind)).await.map_err(failed)? {
                let images = workload.pointer("/spec/template/spec/containers").and_then(Value::as_array);
                let images = images.into_iter().flatten().filter_map(|one| one.get("image").and_then(Value::as_str));
                let Some(version) = images.filter_map(of_image).next() else { continue };
                let name = workload.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                if name.ends_with("application-controller") {
                    return Ok(Some(version));
                }
                found = found.or(Some(version));
            }
        }
        Ok(found)
    }
}

async fn pages(api: &Api<DynamicObject>) -> Result<Vec<Value>, kube::Error> {
    let (mut all, mut params) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let list = api.list(&params).await?;
        all.extend(list.items.into_iter().filter_map(|object| serde_json::to_value(object).ok()));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

impl SurveyError {
    fn of(what: String, source: kube::Error) -> Self {
        Self::Refused { what, source: Box::new(source) }
    }
}
