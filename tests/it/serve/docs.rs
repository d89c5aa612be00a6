//! What docs/serve.md tells operators.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::World;
use crate::up::world::text;

const PAGE: &str = include_str!("../../../docs/serve.md");
const MANIFESTS: &str = include_str!("../../../docs/serve/kubernetes.yaml");
const UNIT: &str = include_str!("../../../docs/serve/gradus.service");

fn manifests() -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(MANIFESTS);
    documents.map(|document| serde::Deserialize::deserialize(document).unwrap()).collect()
}

fn manifest(kind: &str) -> Value {
    manifests().into_iter().find(|manifest| manifest["kind"] == kind).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_every_number_that_there_is_and_no_other() {
    let world = World::new().await;
    let at = world.open("ada", 3, "none");
    let serve = world.serve(&[]);
    world.reviewed(at, 1, "Not yet").await;
    world.at_rest(&serve).await;
    let name = |line: &str| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned());
    let there: BTreeSet<String> = serve.get("/metrics").1.lines().filter_map(name).collect();
    let told: BTreeSet<String> =
        PAGE.split('`').filter(|word| word.starts_with("gradus_")).map(str::to_owned).collect();
    // Of a gradebook that is shared.
    let shared = ["gradus_gradebook_broken", "gradus_gradebook_waiting"].map(str::to_owned);
    assert_eq!(there.union(&shared.into()).cloned().collect::<BTreeSet<_>>(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifests_run_a_configuration_that_is_one() {
    let world = World::new().await;
    let config = manifest("ConfigMap")["data"]["gradus.yaml"].as_str().unwrap().to_owned();
    for secret in ["forge", "webhook", "key"] {
        world.write(secret, &format!("canary-{secret}-0123456789abcdef0123"));
        assert!(config.contains(&format!("/secrets/{secret}}}")), "{secret}: {config}");
    }
    let here = config.replace("/secrets/", "").replace("/data", "data");
    world.write("gradus.yaml", &here);
    let output = world.run(&["config", "check"]);
    assert!(output.status.success(), "{}", text(&output));

    let pod = manifest("Deployment")["spec"]["template"]["spec"].clone();
    let container = &pod["containers"][0];
    assert_eq!(container["args"][2], "/config/gradus.yaml");
    for path in [&container["livenessProbe"], &container["readinessProbe"]] {
        assert!(PAGE.contains(path["httpGet"]["path"].as_str().unwrap()));
    }
    let port = config.split("listen: 0.0.0.0:").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(container["ports"][0]["containerPort"].to_string(), port);
    let drained = 25;
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > drained);
    let mounted: BTreeSet<&str> =
        container["volumeMounts"].as_array().unwrap().iter().map(|mount| mount["name"].as_str().unwrap()).collect();
    let volumes: BTreeSet<&str> =
        pod["volumes"].as_array().unwrap().iter().map(|volume| volume["name"].as_str().unwrap()).collect();
    assert_eq!(mounted, volumes);
}

#[test]
fn the_unit_starts_what_there_is() {
    let start = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/gradus ")).unwrap();
    let mut command = std::process::Command::new(super::world::PROGRAM);
    // A machine may have the real one.
    let (there, missing) = ("/etc/gradus/gradus.yaml", "/nowhere/gradus/gradus.yaml");
    assert!(start.contains(there));
    let output = command.args(start.replace(there, missing).split(' ')).output().unwrap();
    // Its options are understood: what is missing is the file.
    assert!(text(&output).contains(&format!("{missing} cannot be used")), "{}", text(&output));
}
