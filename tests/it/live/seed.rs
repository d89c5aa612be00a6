//! What the course has in an environment, and what becomes there of what others made.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::beside;
use super::courses::Place;
use super::shop::{Shop, settings};
use super::tenant::resource;
use crate::gitea::academy::Learner;
use crate::planes::world::client;

const PATIENCE: Duration = Duration::from_secs(240);

const COURSE: &str = "apiVersion: gradus.dev/v1alpha1\nkind: Course\nmetadata: {id: tiny, title: Tiny}\nspec:\n  description: For tests.\n  \
    salt: grain\n  domains: [{id: basics, title: Basics, points: 2}]\n  modules: [start]\n";

const MODULE: &str =
    "apiVersion: gradus.dev/v1alpha1\nkind: Module\nmetadata: {id: start, title: Start}\nspec: {tasks: [shop]}\n";

/// A checkpoint about an object that a commit brings, and one about an object that the course has there.
const TASK: &str = r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: Beside the course's}
spec:
  points: 2
  minutes: 5
  environment: {tier: TIER, path: manifests, allow: {kinds: [KIND]}}
  checkpoints:
    - id: mine
      title: Mine is there
      points: 1
      eventually: {within: 20s}
      live: {select: {kind: WHAT, name: settings}, match: {FIELDS}, offline: {manifest: {select: {kind: WHAT, name: settings}, match: {}}}}
    - id: theirs
      title: Not mine
      points: 1
      live: {select: {kind: WHAT, name: motd}, match: {}, offline: {manifest: {select: {kind: WHAT, name: motd}, match: {}}}}
"#;

const MOTD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: motd\ndata: {text: \"Welcome\"}\n";

const DEFINITION: &str = r#"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: buckets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Bucket, plural: buckets, singular: bucket, listKind: BucketList}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"#;

const BUCKETS: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: neighbour}\nstringData: {key: theirs}\n---\n\
    apiVersion: v1\nkind: Namespace\nmetadata: {name: neighbour}\n---\n\
    apiVersion: example.org/v1\nkind: Bucket\nmetadata: {name: motd}\nspec: {size: 1}\n";

fn bucket(size: u32) -> String {
    format!("apiVersion: example.org/v1\nkind: Bucket\nmetadata:\n  name: settings\nspec: {{size: {size}}}\n")
}

fn course(dir: &Path, words: [(&str, &str); 4], seeds: &[(&str, &str)], solution: &str) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let task = words.iter().fold(TASK.to_owned(), |task, (word, is)| task.replace(word, is));
    write("course.yaml", COURSE);
    write("basics/start/module.yaml", MODULE);
    write("basics/start/lessons/01-hello.md", "# Hello\n\nRead this.\n");
    let home = "basics/start/tasks/shop";
    write(&format!("{home}/task.yaml"), &task);
    write(&format!("{home}/brief.md"), "# A shop\n\nRun it.\n");
    write(&format!("{home}/debrief.md"), "# Why\n\nThe debrief of the shop.\n");
    write(&format!("{home}/starter/manifests/notes.md"), "Here.\n");
    write(&format!("{home}/solution/manifests/settings.yaml"), solution);
    for (file, text) in seeds {
        write(&format!("{home}/seed/{file}"), text);
    }
}

/// What everybody is told of a head, once it counts.
async fn told(shop: &Shop, pull: i64, head: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reviews = shop.academy.reviews(pull);
        let of = reviews.iter().rev().find(|(_, commit, body, _)| commit == head && body.contains(" of 2 points"));
        if let Some((_, _, body, _)) = of {
            return body.clone();
        }
        assert!(Instant::now() < deadline, "no review of {head}: {reviews:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Pushes what is written, and is told of it.
async fn push(shop: &Shop, learner: &Learner, pull: i64) -> String {
    learner.force_push(pull);
    told(shop, pull, &learner.clone.head()).await
}

#[test]
fn the_courses_objects_are_there_before_the_learners_and_stay_as_they_are() {
    beside(async {
        let words = [
            ("TIER", "namespace"),
            ("KIND", "{kind: ConfigMap}"),
            ("WHAT", "ConfigMap"),
            ("FIELDS", "data: {open: \"yes\"}"),
        ];
        let fixed = format!("{}immutable: true\n", MOTD.replace("motd", "fixed"));
        let course = |dir: &Path| {
            course(dir, words, &[("fixed.yaml", fixed.as_str()), ("motd.yaml", MOTD)], &settings("yes"));
        };
        let shop = Shop::of("tiny", course, "namespaces: {}").await;
        let ada = shop.academy.learner("ada");
        let maps = shop.api("ConfigMap", &shop.environment("ada"));
        let text = async || maps.get("motd").await.unwrap().data["data"]["text"].as_str().map(str::to_owned);
        assert!(!ada.clone.dir.join("tasks/shop/seed").exists(), "published");

        // Nobody takes its place.
        ada.clone.branch("work");
        shop.write(&ada, &[("settings.yaml", &settings("yes")), ("motd.yaml", MOTD)]);
        let pull = ada.open("work");
        let refused = told(&shop, pull, &ada.clone.head()).await;
        assert!(
            refused.contains("motd is the course's, and there already: delete it, or give yours another name"),
            "{refused}"
        );
        assert!(refused.contains("tasks/shop/manifests/motd.yaml:4"), "{refused}");

        std::fs::remove_file(ada.clone.dir.join("tasks/shop/manifests/motd.yaml")).unwrap();
        let right = push(&shop, &ada, pull).await;
        assert!(right.contains("1 of 2 points") && !right.contains("by hand"), "{right}");
        assert_eq!(text().await.as_deref(), Some("Welcome"));

        // Whatever is done to it, it is as it was for the next push.
        let spoilt = json!({ "data": { "text": "Go away" } });
        maps.patch("motd", &PatchParams::default(), &Patch::Merge(spoilt)).await.unwrap();
        // Nobody can change this one any more: it is made anew.
        let other = json!({ "metadata": { "name": "fixed" }, "data": { "text": "Go away" }, "immutable": true });
        maps.delete("fixed", &DeleteParams::default()).await.unwrap();
        maps.create(&PostParams::default(), &serde_json::from_value(other).unwrap()).await.unwrap();
        shop.write(&ada, &[("more.yaml", &settings("yes").replace("name: settings", "name: more"))]);
        let right = push(&shop, &ada, pull).await;
        assert!(right.contains("1 of 2 points"), "{right}");
        assert_eq!(text().await.as_deref(), Some("Welcome"));
        assert_eq!(maps.get("fixed").await.unwrap().data["data"]["text"], "Welcome");
    });
}

#[test]
fn who_takes_an_environment_over_finds_nothing_there_that_others_made_by_hand() {
    beside(async {
        let words = [
            ("TIER", "namespace"),
            ("KIND", "{kind: ConfigMap}"),
            ("WHAT", "ConfigMap"),
            ("FIELDS", "data: {open: \"yes\"}"),
        ];
        let course = |dir: &Path| course(dir, words, &[("motd.yaml", MOTD)], &settings("yes"));
        let shop = Shop::of("tiny", course, "namespaces: {}").await;
        let ada = shop.academy.learner("ada");
        let name = shop.environment("ada");
        let maps = shop.api("ConfigMap", &name);
        let uid = async |map: &str| maps.get_opt(map).await.unwrap().and_then(|map| map.metadata.uid);
        ada.clone.branch("work");
        shop.write(&ada, &[("settings.yaml", &settings("yes"))]);
        let pull = ada.open("work");
        assert!(told(&shop, pull, &ada.clone.head()).await.contains("1 of 2 points"));
        let by_hand = async |map: &str, owner: Option<&str>| {
            let owner =
                owner.map(|uid| json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "uid": uid }));
            let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": map,
                "ownerReferences": owner.into_iter().collect::<Vec<_>>() } });
            maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
        };
        let before = [uid("settings").await, uid("motd").await, uid("kube-root-ca.crt").await];
        by_hand("left", None).await;
        by_hand("owned", before[0].as_deref()).await;

        // Another push to it changes nothing of that.
        shop.write(&ada, &[("notes.md", "Mine.\n")]);
        assert!(push(&shop, &ada, pull).await.contains("1 of 2 points"));
        assert!(uid("left").await.is_some());

        // Gitea's times are whole seconds.
        tokio::time::sleep(Duration::from_secs(1)).await;
        ada.clone.git(&["checkout", "-q", "-b", "other"]);
        shop.write(&ada, &[("notes.md", "Other.\n")]);
        let second = ada.open("other");
        assert!(told(&shop, second, &ada.clone.head()).await.contains("1 of 2 points"));
        assert_eq!(uid("left").await, None);
        assert!(uid("owned").await.is_some(), "by what the commit brings");
        assert_eq!([uid("settings").await, uid("motd").await, uid("kube-root-ca.crt").await], before);
        for (kind, ours) in
            [("ServiceAccount", "gradus-deployer"), ("ServiceAccount", "default"), ("ResourceQuota", "gradus")]
        {
            assert!(shop.api(kind, &name).get_opt(ours).await.unwrap().is_some(), "{ours}");
        }
    });
}

/// The API server that Argo CD applies a learner's commits to.
async fn inside(shop: &Shop, name: &str) -> Client {
    let secret = shop.api("Secret", "argocd").get(name).await.unwrap().data;
    let text = |key: &str| String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap();
    let config: Value = serde_json::from_str(&text("config")).unwrap();
    let tls = &config["tlsClientConfig"];
    let kubeconfig = json!({ "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": text("server"), "certificate-authority-data": tls["caData"] } }],
        "users": [{ "name": "it", "user": { "client-certificate-data": tls["certData"], "client-key-data": tls["keyData"] } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }] });
    client(&kubeconfig.to_string()).await
}

#[test]
fn a_stub_of_a_kind_is_there_before_learners_make_objects_of_it() {
    beside(async {
        let words = [
            ("TIER", "controlPlane"),
            (
                "KIND",
                "{group: example.org, kind: Bucket}, {group: rbac.authorization.k8s.io, kind: ClusterRole, scope: cluster}",
            ),
            ("WHAT", "Bucket"),
            ("FIELDS", "spec: {size: 3}"),
        ];
        let seeds = [("a.yaml", BUCKETS), ("definition.yaml", DEFINITION)];
        let course = |dir: &Path| course(dir, words, &seeds, &bucket(3));
        let shop = Shop::of("tiny", course, "controlPlanes: {limit: 1, warm: 0}").await;
        let place = Place::of(shop);
        let shop = &place.shop;
        let ada = shop.academy.learner("ada");
        ada.clone.branch("work");
        shop.write(&ada, &[("settings.yaml", &bucket(2))]);
        let pull = ada.open("work");
        let wrong = told(shop, pull, &ada.clone.head()).await;
        assert!(wrong.contains("0 of 2 points"), "{wrong}");
        shop.write(&ada, &[("settings.yaml", &bucket(3))]);
        let right = push(shop, &ada, pull).await;
        assert!(right.contains("1 of 2 points") && !right.contains("by hand"), "{right}");
        assert!(!right.contains("judged on the files"), "{right}");

        // By hand, of whatever kind, also beside the course's objects.
        let environment = shop.environment("ada");
        let inside = inside(shop, &environment).await;
        let api = |group: &str, kind: &str, namespace: Option<&str>| -> Api<DynamicObject> {
            let resource = resource(group, "v1", kind);
            match namespace {
                Some(namespace) => Api::namespaced_with(inside.clone(), namespace, &resource),
                None => Api::all_with(inside.clone(), &resource),
            }
        };
        let (own, rbac) = (Some(environment.as_str()), "rbac.authorization.k8s.io");
        let by_hand = [
            (api("", "ConfigMap", own), "ConfigMap", "v1"),
            (api("", "Secret", Some("neighbour")), "Secret", "v1"),
            (api("example.org", "Bucket", own), "Bucket", "example.org/v1"),
            (api(rbac, "ClusterRole", None), "ClusterRole", "rbac.authorization.k8s.io/v1"),
        ];
        for (api, kind, version) in &by_hand {
            let left = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "left" } });
            api.create(&PostParams::default(), &serde_json::from_value(left).unwrap()).await.unwrap();
        }
        // Elsewhere is not the environment's.
        let elsewhere = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "left" } });
        let elsewhere: DynamicObject = serde_json::from_value(elsewhere).unwrap();
        api("", "ConfigMap", Some("default")).create(&PostParams::default(), &elsewhere).await.unwrap();
        let uid = async |api: &Api<DynamicObject>, name: &str| {
            api.get_opt(name).await.unwrap().and_then(|it| it.metadata.uid)
        };
        let kept = [
            (api("example.org", "Bucket", own), "settings"),
            (api("example.org", "Bucket", own), "motd"),
            (api("", "Secret", Some("neighbour")), "key"),
            (api("", "Namespace", None), "neighbour"),
            (api("apiextensions.k8s.io", "CustomResourceDefinition", None), "buckets.example.org"),
            (api(rbac, "ClusterRole", None), "cluster-admin"),
            (api(rbac, "ClusterRoleBinding", None), "gradus-deployer"),
            (api("", "ServiceAccount", own), "gradus-deployer"),
            (api("", "ConfigMap", own), "kube-root-ca.crt"),
            (api("", "ConfigMap", Some("default")), "left"),
        ];
        let all = async || {
            let mut all = Vec::new();
            for (api, name) in &kept {
                all.push((*name, uid(api, name).await));
            }
            all
        };
        let before = all().await;
        assert!(before.iter().all(|(_, uid)| uid.is_some()), "{before:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        ada.clone.git(&["checkout", "-q", "-b", "other"]);
        shop.write(&ada, &[("notes.md", "Other.\n")]);
        let second = ada.open("other");
        let right = told(shop, second, &ada.clone.head()).await;
        assert!(right.contains("1 of 2 points"), "{right}");
        for (api, kind, _) in &by_hand {
            assert_eq!(uid(api, "left").await, None, "{kind}");
        }
        assert_eq!(all().await, before);
        place.end(&[environment]).await;
    });
}
