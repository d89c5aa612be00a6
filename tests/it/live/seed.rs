//! What the course has in an environment, and what becomes there of what others made.

use std::path::Path;
use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::beside;
use super::courses::Place;
use super::shop::{Shop, settings};
use crate::gitea::academy::Learner;

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
        let course = |dir: &Path| course(dir, words, &[("motd.yaml", MOTD)], &settings("yes"));
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
        shop.write(&ada, &[("more.yaml", &settings("yes").replace("name: settings", "name: more"))]);
        let right = push(&shop, &ada, pull).await;
        assert!(right.contains("1 of 2 points"), "{right}");
        assert_eq!(text().await.as_deref(), Some("Welcome"));
        // What nobody tracks is not pruned.
        assert!(maps.get_opt("more").await.unwrap().is_some());
    });
}

#[test]
fn a_stub_of_a_kind_is_there_before_learners_make_objects_of_it() {
    beside(async {
        let words = [
            ("TIER", "controlPlane"),
            ("KIND", "{group: example.org, kind: Bucket}"),
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
        let environment = shop.environment("ada");
        place.end(&[environment]).await;
    });
}
