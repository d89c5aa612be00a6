//! A push to a real Gitea becomes a review of what a real Argo CD applied.

use kube::api::PostParams;
use serde_json::json;

use super::alone;
use super::impersonation::Impersonation;
use super::shop::{Shop, settings, web};

#[test]
fn two_learners_push_at_once_and_each_is_told_of_their_own_namespace_and_the_hostile_one_of_every_line() {
    alone(async {
        let shop = Shop::new().await;
        let _as_before = Impersonation::on();
        let [ada, eve] = ["ada", "eve"].map(|name| shop.academy.learner(name));
        // Half right, and what is missing is made by hand.
        ada.clone.branch("work");
        shop.write(&ada, &[("web.yaml", &web(2))]);
        // Everything but an answer.
        eve.clone.branch("work");
        let other = shop.environment("ada");
        let escape = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: escaped\n  namespace: {other}\n");
        let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations:\n    argocd.argoproj.io/hook: Skip\n";
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: everything\n";
        let application =
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: mine\n  namespace: argocd\n";
        let all =
            [("escape.yaml", escape.as_str()), ("hook.yaml", hook), ("role.yaml", role), ("app.yaml", application)];
        shop.write(&eve, &all);
        shop.write(&eve, &[("web.yaml", &web(3)), ("settings.yaml", &settings("yes"))]);
        let [one, two] = [&ada, &eve].map(|learner| learner.open("work"));

        let first = shop.review(one, "Not yet: 3 of 10 points").await;
        assert!(first.contains("tasks/shop/manifests/web.yaml:6"), "the line of `replicas`: {first}");
        assert!(first.contains("has no ConfigMap `settings` of this commit"), "{first}");
        let hostile = shop.review(two, "Not yet: 1 of 10 points").await;
        for told in ["escape.yaml:5", "hook.yaml:6", "role.yaml:2", "app.yaml:2"] {
            assert!(hostile.contains(&format!("tasks/shop/manifests/{told}")), "{told}: {hostile}");
        }
        let refused = shop.environment("eve");
        assert!(shop.api("Application", "argocd").get_opt(&refused).await.unwrap().is_none(), "nothing was offered");
        assert!(shop.api("ConfigMap", &other).get_opt("escaped").await.unwrap().is_none());

        // What somebody makes by hand is there and does not count.
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": { "open": "yes" } });
        let maps = shop.api("ConfigMap", &other);
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
        shop.write(&ada, &[("web.yaml", &web(3))]);
        ada.force_push(one);
        let second = shop.review(one, "Not yet: 7 of 10 points").await;
        assert!(second.contains("what is made by hand does not count"), "{second}");

        // Both do it right, at the same time.
        shop.write(&ada, &[("settings.yaml", &settings("yes"))]);
        for (file, _) in all {
            std::fs::remove_file(eve.clone.dir.join("tasks/shop/manifests").join(file)).unwrap();
        }
        ada.force_push(one);
        eve.force_push(two);
        for pull in [one, two] {
            let passed = shop.review(pull, "10 of 10 points").await;
            assert!(passed.contains("The debrief of the shop"), "{passed}");
            let shown = shop.academy.shown(pull);
            assert!(shown.iter().all(|(_, body)| !body.contains("canary-of-the-hidden")), "{shown:#?}");
        }
        for learner in ["ada", "eve"] {
            let web = shop.api("Deployment", &shop.environment(learner)).get("web").await.unwrap();
            assert_eq!(web.data["status"]["readyReplicas"], 3, "{learner}");
        }
    });
}
