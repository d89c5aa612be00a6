//! Configurations: refused at the start, changed under a running daemon.

use super::world::{CANARY, World};

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_to_start_with_what_is_wrong_and_says_where() {
    let world = World::new().await;
    let refused = |config: &str, expected: &[&str]| {
        world.write("gradus.yaml", config);
        let output = world.run(&["serve"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        for part in expected {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains(CANARY), "{said}");
    };
    let good = world.config("");
    refused(&good.replace("kind: github", "kind: githob"), &["gradus.yaml:5:11", "did you mean `github`?", "^^^^^^"]);
    refused(&good.replace("secrets: [{file: hook}]", "secrets: []"), &["no secret is named"]);
    refused(&good.replace("{file: hook}", "{file: empty}"), &["cannot read the secret"]);
    world.write("empty", "\n");
    refused(&good.replace("{file: hook}", "{file: empty}"), &["is empty"]);
    refused(
        &good.replace("{file: hook}", &format!("{CANARY}-in-the-file-itself")),
        &["holds the secret itself", "******"],
    );
    refused(
        &good.replace("id: tiny, source", "id: small, source").replace("course: tiny", "course: small"),
        &["holds the course `tiny`"],
    );
    world.write("key.pem", &format!("{CANARY} is no key"));
    refused(&good, &["this is not the private key of a GitHub App"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checked_configuration_is_one_that_starts() {
    let world = World::new().await;
    let output = world.run(&["config", "check"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "fine: 1 workspaces, 1 forges, 1 courses\n", "{output:?}");
    let output = world.run(&["config", "example"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), gradus::config::EXAMPLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_taken_over_and_a_broken_one_is_not() {
    let world = World::new().await;
    let serve = world.serve(&[]);
    let at = world.open("ada", 3, "none");
    world.reviewed(at, 1, "Not yet").await;

    world.write("gradus.yaml", &world.config("policy: {learners: {file: names.txt}}\n"));
    world.until("broken", |_| serve.get("/healthz").1.contains("config: cannot be used since")).await;
    world.until("the log", |_| serve.logged().contains("names.txt")).await;
    world.push(at, 2, "none");
    world.reviewed(at, 2, "0 of 7").await;

    world.write("names.txt", "# nobody but bob\nbob\n");
    world.until("mended", |_| serve.get("/healthz").1.starts_with("ok\n")).await;
    let (refused, admitted) = (world.open("eve", 3, "aurora"), world.open("bob", 3, "aurora"));
    world.reviewed(admitted, 1, "7 of 7 points").await;
    world.until("the refusal", |world| !world.hub.comments(refused).is_empty()).await;
    assert_eq!(world.reviews(refused).len(), 0);

    world.write("names.txt", "bob\neve\n");
    world.until("the list", |_| serve.logged().matches("the configuration is in force").count() >= 2).await;
    world.push(refused, 3, "none");
    world.reviewed(refused, 1, "4 of 7 points").await;

    world.write("gradus.yaml", &world.config("data: elsewhere\n"));
    world.until("said", |_| serve.get("/healthz").1.contains("config: data changed")).await;
    assert!(!world.path("elsewhere").exists());
    assert_eq!(serve.stop("TERM").0, Some(0));
    world.hub.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_secret_is_rotated_without_a_restart() {
    let world = World::new().await;
    world.write("gradus.yaml", &world.config("sweep: {recent: 1h, full: 2h}\n"));
    let serve = world.serve(&[]);
    let at = world.open("ada", 3, "none");
    let next = format!("{CANARY}-of-next-month");
    assert_eq!(world.deliver(&serve, at, &next), 401);
    world.write("hook", &next);
    world.until("the new secret", |world| world.deliver(&serve, at, &next) == 202).await;
    assert_eq!(world.deliver(&serve, at, &world.hook()), 401);
    world.reviewed(at, 1, "Not yet").await;
    world.hub.finish();
}

/// Of a cluster where nobody answers, which nobody notices who asks it nothing.
const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\nclusters: [{name: lab, cluster: {server: 'https://127.0.0.1:1', \
    insecure-skip-tls-verify: true}}]\nusers: [{name: gradus, user: {token: t}}]\ncontexts: [{name: lab, context: {cluster: lab, user: \
    gradus}}]\ncurrent-context: lab\n";

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_although_a_cluster_of_somebody_elses_cannot_be_used_and_takes_it_into_use_later() {
    let world = World::new().await;
    let one =
        |name: &str| format!("{{name: {name}, kubeconfig: {name}.kubeconfig, server: \"https://{name}.example.org\"}}");
    let all = ["lab-1", "lab-2", "lab-3"].map(one).join(", ");
    let argocd = format!("argocd: {{token: {{file: generator}}, kubeconfig: argocd.kubeconfig, external: [{all}]}}\n");
    world.write("gradus.yaml", &world.config(&argocd));
    world.write("generator", &format!("{CANARY}-of-the-generator-0123456789"));
    world.write("argocd.kubeconfig", KUBECONFIG);
    world.write("lab-1.kubeconfig", KUBECONFIG);
    world.write("lab-3.kubeconfig", "clusters: [");
    let serve = world.serve(&[]);
    let says =
        |name: &str| serve.get("/healthz").1.contains(&format!("cluster {name}: cannot be used and is not lent"));
    assert_eq!([says("lab-1"), says("lab-2"), says("lab-3")], [false, true, true], "{}", serve.get("/healthz").1);
    assert!(serve.get("/healthz").1.starts_with("degraded\n"));
    for name in ["lab-2", "lab-3"] {
        let file = world.path(&format!("{name}.kubeconfig")).display().to_string();
        let said = |line: &str| line.contains("lent to nobody") && line.contains(&file);
        world.until(&file, |_| serve.logged().lines().any(said)).await;
    }
    // Everything else works.
    let at = world.open("ada", 3, "none");
    world.reviewed(at, 1, "Not yet: 4 of 7 points").await;

    world.write("lab-2.kubeconfig", KUBECONFIG);
    world.until("lab-2", |_| !says("lab-2")).await;
    assert!(says("lab-3"));
    world.write("lab-3.kubeconfig", KUBECONFIG);
    world.until("all of them", |_| serve.get("/healthz").1.starts_with("ok\n")).await;
    assert_eq!(serve.logged().matches("lent to nobody").count(), 2, "each is said once");
    assert_eq!(serve.stop("TERM").0, Some(0));
    world.hub.finish();
}
