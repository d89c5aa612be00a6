//! Whether clusters that somebody else runs are as `gradus serve` needs them: there, wholly ours to use, and known to Argo CD.

use base64::Engine as _;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};

use super::argocd::{reach, rights, said};
use crate::config::kinds::{ArgocdConfig, ExternalConfig};
use crate::environment::client;
use crate::environment::external::HOLDS;
use crate::forge::examine::Finding;

const ABOUT: &str = "external";

/// What Argo CD calls the cluster that it runs in, which it knows without being told.
const ITS_OWN: &str = "https://kubernetes.default.svc";

/// Looks at each of them, of an Argo CD that this client leads to.
pub(super) async fn look(config: &ArgocdConfig, argocd: &Client) -> Vec<Finding> {
    if config.external.is_empty() {
        return Vec::new();
    }
    let known = known(argocd, &config.namespace).await;
    let mut findings = Vec::new();
    for one in &config.external {
        findings.push(whole(one).await.unwrap_or_else(|wrong| wrong));
        findings.extend(is_known(one, &known));
        findings.extend(held(one, argocd, &config.namespace).await);
    }
    findings
}

/// Whether it is there, and we may do everything in it.
async fn whole(one: &ExternalConfig) -> Result<Finding, Finding> {
    let name = &one.name;
    let client = client::of_file(Some(&one.kubeconfig)).await.map_err(|error| {
        let remedy = "mend it: `gradus serve` lends this cluster to nobody until it can be used, and then by itself";
        Finding::wrong(ABOUT, format!("{name}: {error}"), remedy)
    })?;
    let there = reach(ABOUT, &client).await;
    if there.remedy.is_some() {
        let remedy = "`kubectl version` with its kubeconfig says more";
        return Err(Finding::wrong(ABOUT, format!("{name}: {}", there.says), remedy));
    }
    let all = rights(ABOUT, &client, None, "", &[("*", "*", "*", "")]).await;
    if all.remedy.is_some() {
        let remedy = "bind the account of its kubeconfig to cluster-admin: what learners may do has to be ours to give";
        return Err(Finding::wrong(ABOUT, format!("{name}: we may not do everything there"), remedy));
    }
    Ok(Finding::fine(ABOUT, format!("{name}: {}, and we may do everything there", there.says)))
}

/// What Argo CD calls the clusters that it knows; why we do not know, else.
async fn known(argocd: &Client, namespace: &str) -> Result<Vec<String>, String> {
    let secrets: Api<DynamicObject> = Api::namespaced_with(argocd.clone(), namespace, &resource("", "v1", "Secret"));
    let of_clusters = ListParams::default().labels("argocd.argoproj.io/secret-type=cluster");
    let server = |secret: &DynamicObject| {
        let server = base64::engine::general_purpose::STANDARD.decode(secret.data["data"]["server"].as_str()?).ok()?;
        // As Argo CD reads it.
        Some(String::from_utf8(server).ok()?.trim_end_matches('/').to_owned())
    };
    let secrets = secrets.list(&of_clusters).await.map_err(|error| said(&error))?;
    Ok(secrets.items.iter().filter_map(server).collect())
}

/// Whether Argo CD knows it; nothing to say where it does.
fn is_known(one: &ExternalConfig, known: &Result<Vec<String>, String>) -> Option<Finding> {
    let ExternalConfig { name, server, .. } = one;
    match known {
        _ if server == ITS_OWN => None,
        Ok(known) if known.contains(server) => None,
        Ok(_) => {
            let remedy = "register it (`argocd cluster add`), and write as `server` what `argocd cluster list` shows";
            Some(Finding::wrong(ABOUT, format!("{name}: Argo CD knows no cluster {server}"), remedy))
        }
        Err(_) => {
            let says = format!("{name}: whether Argo CD knows {server} we may not see, and need not");
            Some(Finding::unknown(ABOUT, says, "`argocd cluster list` has to show it"))
        }
    }
}

/// Whose it is now.
async fn held(one: &ExternalConfig, argocd: &Client, namespace: &str) -> Option<Finding> {
    let projects = resource("argoproj.io", "v1alpha1", "AppProject");
    let projects: Api<DynamicObject> = Api::namespaced_with(argocd.clone(), namespace, &projects);
    let of_it = ListParams::default().labels(&format!("{HOLDS}={}", one.name));
    // What keeps us from knowing is said where our rights are looked at.
    let projects = projects.list(&of_it).await.ok()?;
    let by = projects.items.into_iter().find_map(|project| project.metadata.name)?;
    Some(Finding::fine(ABOUT, format!("{}: lent to {by}", one.name)))
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}
