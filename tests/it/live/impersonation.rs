//! Argo CD acts as the account that a project names, everywhere.

use serde_json::json;

use super::install::{give_back, kubectl};

/// As long as this lives; after a failed test, too: whoever comes next has projects that name no account.
pub struct Impersonation;

impl Impersonation {
    pub fn on() -> Self {
        set(true, kubectl);
        Self
    }
}

impl Drop for Impersonation {
    fn drop(&mut self) {
        set(false, give_back);
    }
}

fn set(on: bool, kubectl: fn(&[&str]) -> String) {
    let data = json!({ "data": { "application.sync.impersonation.enabled": on.to_string() } }).to_string();
    kubectl(&["--namespace", "argocd", "patch", "configmap", "argocd-cm", "--type=merge", "-p", &data]);
}
