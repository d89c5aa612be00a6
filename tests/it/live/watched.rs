//! A push is judged by what a Prometheus of the operator's measured of the learner's namespace.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::json;

use super::alone;
use super::shop::{Shop, one_task, settings};
use crate::prometheus::{Prometheus, Script};

const TASK: &str = r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: A shop that is watched}
spec:
  points: 3
  minutes: 5
  environment:
    tier: namespace
    path: manifests
    allow: {kinds: [{kind: ConfigMap}]}
  checkpoints:
    - id: settings
      title: The shop is open
      points: 1
      live:
        select: {kind: ConfigMap, name: settings}
        match: {data: {open: "yes"}}
        offline: {manifest: {select: {kind: ConfigMap, name: settings}, match: {data: {open: "yes"}}}}
    - id: sells
      title: The shop sells
      points: 2
      eventually: {within: 5s}
      promql:
        via: {address: prometheus}
        query: sum(sold{namespace="$namespace"})
        expect: {value: {$gt: 0}}
        offline: {file: {path: manifests/settings.yaml, expect: exists}}
"#;

fn course(dir: &Path) {
    let (starter, solution) = (settings("no"), settings("yes"));
    let files = [
        ("task.yaml", TASK),
        ("starter/manifests/settings.yaml", &starter),
        ("solution/manifests/settings.yaml", &solution),
    ];
    one_task(dir, 3, &files);
}

#[test]
fn a_push_is_judged_by_what_the_operators_prometheus_measured_of_that_learner() {
    alone(async {
        let prometheus = Prometheus::start(Ipv4Addr::LOCALHOST.into()).await;
        let lends = format!("namespaces: {{}}\n  addresses: [{{name: prometheus, url: \"http://{}\"}}]", prometheus.at);
        let shop = Shop::of("tiny", course, lends.leak()).await;
        let [ada, eve] = ["ada", "eve"].map(|name| shop.academy.learner(name));
        let sells = Script::default();
        sells.tells("sold 3\n");
        let labels = json!({ "namespace": shop.environment("ada") });
        prometheus.scrapes("learners.json", &json!([{ "targets": [sells.serve().await], "labels": labels }]));
        prometheus.measures("sold").await;
        let [one, two] = [&ada, &eve].map(|learner| {
            learner.clone.branch("work");
            shop.write(learner, &[("settings.yaml", &settings("yes"))]);
            learner.open("work")
        });
        let passed = shop.review(one, "3 of 3 points").await;
        assert!(passed.contains("The debrief of the shop"), "{passed}");
        let nothing = shop.review(two, "Not yet: 1 of 3 points").await;
        assert!(nothing.contains("the query finds no data"), "{nothing}");
        assert!(nothing.contains("operator"), "who was asked is told: {nothing}");
    });
}
