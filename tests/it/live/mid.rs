//! What may happen in the middle of a verdict: parts that die, the daemon too, a store that is lost, a push behind a push,
//! a second pull request. Never a `fail` that is not the learner's, and nobody's objects go.

use std::time::{Duration, Instant};

use super::alone;
use super::shop::{Shop, settings, web};
use super::stack::Stack;
use crate::gitea::academy::Learner;

/// Right work, another one each time.
fn right(shop: &Shop, learner: &Learner, number: usize) {
    let settings = format!("# {number}\n{}", settings("yes"));
    shop.write(learner, &[("web.yaml", &web(3)), ("settings.yaml", &settings)]);
}

/// Waits for the review of this head; fails when one says that the work is wrong.
async fn passed(shop: &Shop, pull: i64, head: &str, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        let reviews = shop.academy.reviews(pull);
        let of_head: Vec<_> =
            reviews.iter().filter(|(_, commit, ..)| commit == head).map(|(_, _, body, _)| body).collect();
        assert!(!of_head.iter().any(|body| body.contains("Not yet")), "{what}: {of_head:#?}");
        if of_head.iter().any(|body| body.contains("10 of 10 points")) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: no review of {head}: {reviews:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn whatever_part_dies_while_right_work_is_graded_it_passes_in_the_end_and_was_never_called_wrong() {
    alone(async {
        let mut shop = Shop::new().await;
        let ada = shop.academy.learner("ada");
        ada.clone.branch("work");
        right(&shop, &ada, 0);
        let pull = ada.open("work");
        passed(&shop, pull, &ada.clone.head(), "nothing died").await;
        let parts = [
            "kube-apiserver",
            "etcd",
            "argocd-application-controller",
            "argocd-repo-server",
            "argocd-applicationset-controller",
            "redis",
        ];
        let stack = Stack::shared();
        for (number, part) in parts.iter().enumerate() {
            right(&shop, &ada, number + 1);
            let head = ada.force_push(pull);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let killed = stack.kill(part);
            tokio::time::sleep(Duration::from_secs(2)).await;
            stack.restart(part, killed);
            passed(&shop, pull, &head, part).await;
        }
        right(&shop, &ada, 99);
        let head = ada.force_push(pull);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        shop.daemon.take().unwrap().stop("KILL");
        shop.serve().await;
        passed(&shop, pull, &head, "the daemon").await;
        let name = shop.environment("ada");
        let web = shop.api("Deployment", &name).get("web").await.unwrap();
        assert_eq!(web.metadata.generation, Some(1), "nobody took it away and made it again");
    });
}

#[test]
fn a_store_that_is_lost_takes_nobodys_environment_away() {
    alone(async {
        let mut shop = Shop::new().await;
        let ada = shop.academy.learner("ada");
        ada.clone.branch("work");
        right(&shop, &ada, 0);
        let pull = ada.open("work");
        passed(&shop, pull, &ada.clone.head(), "before").await;
        let name = shop.environment("ada");
        let uid = async |shop: &Shop| shop.api("Deployment", &name).get("web").await.unwrap().metadata.uid;
        let before = uid(&shop).await;
        shop.daemon.take().unwrap().stop("TERM");
        std::fs::remove_dir_all(shop.academy.path("data")).unwrap();
        shop.serve().await;
        let daemon = shop.daemon.as_ref().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !daemon.get("/healthz").1.contains("everything compared") {
            assert!(Instant::now() < deadline, "{}", daemon.logged());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(uid(&shop).await, before);
        right(&shop, &ada, 1);
        let head = ada.force_push(pull);
        passed(&shop, pull, &head, "after").await;
        assert_eq!(uid(&shop).await, before);
    });
}

#[test]
fn a_push_behind_a_push_keeps_its_objects_and_answers_for_both_and_the_newest_pull_request_holds_the_environment() {
    alone(async {
        let shop = Shop::new().await;
        let ada = shop.academy.learner("ada");
        ada.clone.branch("work");
        right(&shop, &ada, 0);
        let pull = ada.open("work");
        // Before anything of the first is known.
        let more = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n";
        shop.write(&ada, &[("more.yaml", more)]);
        let head = ada.force_push(pull);
        passed(&shop, pull, &head, "the second push").await;
        let name = shop.environment("ada");
        assert!(shop.api("ConfigMap", &name).get_opt("more").await.unwrap().is_some());

        ada.clone.git(&["checkout", "-q", "-b", "other"]);
        std::fs::remove_file(ada.clone.dir.join("tasks/shop/manifests/more.yaml")).unwrap();
        right(&shop, &ada, 7);
        // Gitea's times are whole seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = ada.open("other");
        passed(&shop, second, &ada.clone.head(), "the second pull request").await;
        assert!(shop.api("ConfigMap", &name).get_opt("more").await.unwrap().is_none(), "pruned");
        // The first one again: it does not get the environment back without a push.
        let body = serde_json::json!({ "body": "/regrade" });
        shop.academy.ask("ada", "POST", &format!("/issues/{pull}/comments"), Some(body), 201);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(shop.api("ConfigMap", &name).get_opt("more").await.unwrap().is_none());
        // And with one it does.
        ada.clone.git(&["checkout", "-q", "work"]);
        shop.write(&ada, &[("again.yaml", more)]);
        std::fs::remove_file(ada.clone.dir.join("tasks/shop/manifests/more.yaml")).unwrap();
        let head = ada.force_push(pull);
        passed(&shop, pull, &head, "back").await;
        assert!(shop.api("ConfigMap", &name).get_opt("more").await.unwrap().is_some());
    });
}
