//! A cluster that somebody else runs: lent to one environment at a time, and left as it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::config::kinds::ExternalConfig;
use gradus::environment::Environment;
use gradus::environment::Tier;
use gradus::environment::external::External;
use gradus::environment::lender::{Argocd, LendError, Lender};
use gradus::environment::seed::Seeds;
use gradus::forge::pull::Workspace;
use gradus::gitops::generator::{Offer, Tenancy};
use gradus::gitops::policy::Policy;
use gradus::store::time::SystemClock;
use gradus::submission::sha::CommitId;
use gradus::submission::tree::Tree;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use serde_json::{Value, json};

use super::beside;
use super::tenant::{PATH, Tenant, map, resource};
use crate::planes::world::{Ground, client};
use crate::until::until;

const ROLE: &str =
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: tenant-viewer}\nrules: []\n";

fn environment(seed: &str) -> Environment {
    let kinds = json!([{ "kind": "ConfigMap" }, { "group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "scope": "cluster" }]);
    let mut environment: Environment =
        serde_json::from_value(json!({ "tier": "external", "path": "manifests", "allow": { "kinds": kinds } }))
            .unwrap();
    let (mut tree, mut problems) = (Tree::default(), Vec::new());
    tree.insert_file("seed.yaml", seed.as_bytes());
    environment.seeds = Seeds::read(&tree, str::to_owned, &environment, &mut problems);
    assert_eq!(problems, []);
    environment
}

fn offer(tenant: &Tenant, learner: &str, server: &str, commit: &CommitId) -> Offer {
    Offer {
        tenancy: Tenancy {
            workspace: Workspace(format!("git.example.org/acme/{}", tenant.name)),
            learner: learner.parse().unwrap(),
            task: "shop".parse().unwrap(),
        },
        repo_url: tenant.repository.clone(),
        path: PATH.into(),
        commit: commit.clone(),
        server: server.to_owned(),
        policy: Policy::default(),
    }
}

#[test]
fn a_cluster_of_somebody_elses_is_one_environments_at_a_time_and_left_as_it_was() {
    beside(async {
        let (ground, tenant) = (Ground::new(), Tenant::new("external").await);
        let planes = ground.open(1, 0).await;
        let lab = planes.lend("lab-1").await.unwrap();
        let inside = client(lab.kubeconfig()).await;
        let secret = lab.cluster_secret(&tenant.name);
        tenant.create(Some("argocd"), resource("", "v1", "Secret"), secret.clone()).await;
        let of = |group: &str, kind: &str| -> Api<DynamicObject> {
            Api::all_with(inside.clone(), &resource(group, "v1", kind))
        };
        let (roles, bindings, namespaces) = (
            of("rbac.authorization.k8s.io", "ClusterRole"),
            of("rbac.authorization.k8s.io", "ClusterRoleBinding"),
            of("", "Namespace"),
        );
        for (api, kind, version) in
            [(&roles, "ClusterRole", "rbac.authorization.k8s.io/v1"), (&namespaces, "Namespace", "v1")]
        {
            let theirs = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "theirs" } });
            api.create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
        }
        let kubeconfig = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(kubeconfig.path(), lab.kubeconfig()).unwrap();
        let lender = async || {
            let argocd = Argocd { client: tenant.client.clone(), namespace: "argocd".into(), set: "nobodys".into() };
            let (name, server) = (tenant.name.parse().unwrap(), lab.server().to_owned());
            let cluster = ExternalConfig { name, kubeconfig: kubeconfig.path().to_owned(), server };
            let external = External::open(vec![cluster]).await;
            Lender::new(argocd, None, None, Arc::new(SystemClock)).with_external(external)
        };
        let commit = tenant.push(&[("role.yaml", Some(ROLE)), ("map.yaml", Some(&map("settings", "hers")))]);
        let [ada, bob] = ["7", "8"].map(|learner| offer(&tenant, learner, lab.server(), &commit));
        let [hers, his] = [&ada, &bob].map(|offer| offer.tenancy.name());
        let full = |answer: Result<_, LendError>| matches!(answer, Err(LendError::AllInUse));

        // Before and after it is written, for this process and for one that knows nothing.
        let first = lender().await;
        let place = first.ground(&hers, Tier::External).await.unwrap();
        assert!(full(first.ground(&his, Tier::External).await.map(drop)));
        let neighbour = environment("apiVersion: v1\nkind: Namespace\nmetadata: {name: neighbour}\n");
        first.lend(&ada, &neighbour, &place).await.unwrap();
        assert!(full(first.ground(&his, Tier::External).await.map(drop)));
        let second = lender().await;
        assert!(full(second.ground(&his, Tier::External).await.map(drop)));
        assert_eq!(second.ground(&hers, Tier::External).await.unwrap().server, lab.server());

        let destination = json!({ "server": lab.server(), "namespace": hers });
        let application = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": { "name": hers, "namespace": "argocd" },
            "spec": { "project": hers, "destination": destination, "syncPolicy": { "automated": {} },
                "source": { "repoURL": tenant.repository, "path": PATH, "targetRevision": commit } } });
        tenant.create(Some("argocd"), resource("argoproj.io", "v1alpha1", "Application"), application).await;
        let deadline = Instant::now() + Duration::from_secs(90);
        while roles.get_opt("tenant-viewer").await.unwrap().is_none() {
            let now = || async { tenant.applications().get(&hers).await.unwrap().data["status"].to_string() };
            assert!(Instant::now() < deadline, "not synced: {}", now().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let there = async || {
            let mut there = Vec::new();
            for (api, name) in [
                (&roles, "tenant-viewer"),
                (&bindings, "gradus-deployer"),
                (&namespaces, hers.as_str()),
                (&namespaces, "neighbour"),
                (&roles, "theirs"),
                (&namespaces, "theirs"),
                (&roles, "cluster-admin"),
            ] {
                there.push(api.get_opt(name).await.unwrap().is_some());
            }
            there
        };
        assert_eq!(there().await, [true; 7]);

        // By the process that did not make it.
        while !second.take_away(&hers).await.unwrap() {
            assert!(Instant::now() < deadline + Duration::from_secs(60), "{:?}", there().await);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(there().await, [false, false, false, false, true, true, true]);
        let projects: Api<DynamicObject> =
            Api::namespaced_with(tenant.client.clone(), "argocd", &resource("argoproj.io", "v1alpha1", "AppProject"));
        assert!(
            projects.get_opt(&hers).await.unwrap().is_none()
                && tenant.applications().get_opt(&hers).await.unwrap().is_none()
        );

        // It is free, and nothing of somebody else's becomes ours.
        let place = first.ground(&his, Tier::External).await.unwrap();
        let taking = environment("apiVersion: v1\nkind: Namespace\nmetadata: {name: theirs}\n");
        let refused = first.lend(&bob, &taking, &place).await;
        assert!(
            matches!(refused, Err(LendError::SomebodyElses(ref what, _)) if what == "Namespace theirs"),
            "{refused:?}"
        );
        let labels = namespaces.get("theirs").await.unwrap().metadata.labels.unwrap_or_default();
        assert!(!labels.keys().any(|key| key.starts_with("gradus.dev/")), "{labels:?}");
        until("his is taken away", async || first.take_away(&his).await.unwrap()).await;
        assert_eq!(there().await[4..], [true; 3]);
        let secrets: Api<DynamicObject> =
            Api::namespaced_with(tenant.client.clone(), "argocd", &resource("", "v1", "Secret"));
        let name = secret.pointer("/metadata/name").and_then(Value::as_str).unwrap().to_owned();
        secrets.delete(&name, &DeleteParams::default()).await.unwrap();
    });
}
