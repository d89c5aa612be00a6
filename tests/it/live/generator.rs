//! The ApplicationSet controller asks our generator.

use std::collections::BTreeMap;
use std::sync::Arc;

use gradus::config::secret::Secret;
use gradus::forge::pull::{PullNumber, Workspace};
use gradus::gitops::generator::{Offer, Tenancy};
use gradus::gitops::policy::Policy;
use gradus::gradebook::Gradebook;
use gradus::server::serve::engine::{Condition, Stage};
use gradus::server::serve::generator::Generator;
use gradus::server::serve::health::{Ask, Health};
use gradus::store::Store;
use gradus::store::offers::Push;
use gradus::store::time::{Clock, SystemClock};
use gradus::submission::sha::CommitId;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;

use super::beside;
use super::tenant::{PATH, SERVER, Tenant, map, resource};
use crate::until::until;

const TOKEN: &str = "a-token-of-the-tests-0123456789";

#[test]
fn the_controller_makes_and_moves_the_application_that_the_generator_names_and_a_503_takes_nothing_away() {
    beside(async {
        let learner = std::process::id().to_string().parse().unwrap();
        let workspace = Workspace("git.example.org/acme/shop".into());
        let tenancy = Tenancy { workspace: workspace.clone(), learner, task: "shop".parse().unwrap() };
        let tenant = Tenant::named(tenancy.name()).await;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gradebook = Arc::new(Gradebook::new(dir.path().to_owned()));
        let health = Health::new(store.clone(), clock, Arc::default(), gradebook);
        let swept = |at| {
            let ask: Ask = Arc::new(move || Condition { stage: Stage::Running, full_sweep: at, trouble: None });
            health.serves(BTreeMap::from([(workspace.clone(), ask)]), Vec::new());
        };
        let asked = health.clone();
        let generator = Generator::new(store.clone(), Arc::new(move || asked.compared()));
        generator.replace(Some(Secret::new(TOKEN)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, generator.routes()).await });
        swept(Some(SystemClock.now()));
        let offer = async |commit: &CommitId| {
            let offer = Offer {
                tenancy: tenancy.clone(),
                repo_url: tenant.repository.clone(),
                path: PATH.to_owned(),
                commit: commit.clone(),
                server: SERVER.into(),
                policy: Policy::default(),
            };
            let push = Push { number: PullNumber(1), at: SystemClock.now() };
            assert_eq!(store.offer(&offer, push, SystemClock.now()).await.unwrap(), None);
        };
        let first = tenant.push(&[("a.yaml", Some(&map("a", "1")))]);
        offer(&first).await;
        let set = set(&tenant.client, &tenant.name, &address, TOKEN).await;
        tenant.pretend(&first);
        tenant.wait(&first, &[tenant.map("a")]).await.unwrap();

        let second = tenant.push(&[("a.yaml", Some(&map("a", "2")))]);
        offer(&second).await;
        tenant.adopt(&second).await;
        refresh(&set, &tenant.name).await;
        tenant.wait(&second, &[tenant.map("a")]).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));

        // A start that has not compared anything yet.
        swept(None);
        refresh(&set, &tenant.name).await;
        let failed = async || {
            let status = set.get(&tenant.name).await.unwrap().data["status"].to_string();
            status.contains("ErrorOccurred\",\"status\":\"True\"") || status.contains("503")
        };
        until("the controller says that it was refused", failed).await;
        assert!(tenant.applications().get_opt(&tenant.name).await.unwrap().is_some());
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));
        set.delete(&tenant.name, &Default::default()).await.unwrap();
        server.abort();
    });
}

/// Applies the file that operators apply, under a name of its own, with the daemon at this address.
pub async fn set(client: &Client, name: &str, address: &str, token: &str) -> Api<DynamicObject> {
    for object in gradus::gitops::install::objects("argocd", name, address, token).unwrap() {
        gradus::environment::lender::apply(client, &object).await.unwrap();
    }
    Api::namespaced_with(client.clone(), "argocd", &resource("argoproj.io", "v1alpha1", "ApplicationSet"))
}

async fn refresh(set: &Api<DynamicObject>, name: &str) {
    let patch = json!({ "metadata": { "annotations": { "argocd.argoproj.io/application-set-refresh": "true" } } });
    set.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}
