//! Environments are taken back, and nobody else's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus::environment::lender::{Argocd, Lender, Shared};
use gradus::environment::reap::reap;
use gradus::forge::pull::Workspace;
use gradus::gitops::kinds::Kinds;
use gradus::store::Store;
use gradus::store::time::SystemClock;
use serde_json::json;

use super::beside;
use super::shop::{Shop, settings, web};
use super::tenant::SERVER;

#[test]
fn what_nobody_works_on_goes_and_what_was_left_of_something_cut_short_and_nobody_elses() {
    beside(async {
        let shop = Shop::new().await;
        let [ada, bob] = ["ada", "bob"].map(|name| shop.academy.learner(name));
        let mut pulls = Vec::new();
        for learner in [&ada, &bob] {
            learner.clone.branch("work");
            shop.write(learner, &[("web.yaml", &web(3)), ("settings.yaml", &settings("yes"))]);
            pulls.push(learner.open("work"));
        }
        for pull in &pulls {
            shop.review(*pull, "10 of 10 points").await;
        }
        let [gone, stays] = ["ada", "bob"].map(|learner| shop.environment(learner));
        // Nothing is offered to it any more, and somebody died before the rest was done.
        let (client, name) = (shop.client.clone(), shop.academy.name.clone());
        let argocd = Argocd { client: client.clone(), namespace: "argocd".into(), set: name.clone() };
        let shared = Shared { kinds: Arc::new(Kinds::of(client)), server: SERVER.into() };
        let lender = Arc::new(Lender::new(argocd, Some(shared), None, Arc::new(SystemClock)));
        let store = Store::open(&shop.academy.path("data/gradus.db")).await.unwrap();
        let workspace = [Workspace(format!("{}/teacher/{name}", shop.academy.server.authority))];
        assert_eq!(reap(&lender, &store, &workspace).await.unwrap(), 0, "both are worked on");

        let closed = Some(json!({ "state": "closed" }));
        shop.academy.ask("ada", "PATCH", &format!("/pulls/{}", pulls[0]), closed, 201);
        let there = async |environment: &str| {
            let namespace = shop.api("Namespace", "").get_opt(environment).await.unwrap().is_some();
            let application = shop.api("Application", "argocd").get_opt(environment).await.unwrap().is_some();
            let project = shop.api("AppProject", "argocd").get_opt(environment).await.unwrap().is_some();
            [namespace, application, project]
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while there(&gone).await != [false; 3] {
            assert!(Instant::now() < deadline, "{:?}", there(&gone).await);
            reap(&lender, &store, &workspace).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(there(&stays).await, [true; 3]);
        assert_eq!(reap(&lender, &store, &workspace).await.unwrap(), 0);
        // Another workspace's are none of ours, whatever its store says.
        let elsewhere = [Workspace("git.example.org/acme/other".into())];
        let empty = Store::open(&shop.academy.path("empty.db")).await.unwrap();
        assert_eq!(reap(&lender, &empty, &elsewhere).await.unwrap(), 0);
        assert_eq!(there(&stays).await, [true; 3]);
    });
}
