use serde_json::json;

use super::*;

fn environment(tier: &str) -> Environment {
    let mut kinds = vec![json!({ "kind": "ConfigMap" }), json!({ "kind": "Secret" })];
    kinds.push(json!({ "group": "rbac.authorization.k8s.io", "kind": "Role" }));
    let namespaces = if tier == "namespace" { json!([]) } else { json!(["tools"]) };
    serde_json::from_value(json!({ "tier": tier, "path": "m", "allow": { "kinds": kinds, "namespaces": namespaces } }))
        .unwrap()
}

fn read(tier: &str, files: &[(&str, &str)]) -> Result<Seeds, Vec<String>> {
    let mut tree = Tree::default();
    files.iter().for_each(|(path, text)| tree.insert_file(*path, text.as_bytes()));
    let mut problems = Vec::new();
    let seeds = Seeds::read(&tree, |path| format!("seed/{path}"), &environment(tier), &mut problems);
    assert!(problems.is_empty() || seeds.is_empty());
    if problems.is_empty() { Ok(seeds) } else { Err(problems.iter().map(ToString::to_string).collect()) }
}

fn object(kind: &str, name: &str, more: &str) -> String {
    let (version, kind) = kind.rsplit_once(' ').unwrap_or(("v1", kind));
    format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{more}}}\n")
}

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: buckets.example.org}\n\
    spec:\n  group: example.org\n  scope: Cluster\n  names: {kind: Bucket, plural: buckets}\n  versions:\n    \
    - {name: v1, served: true, storage: true}\n    - {name: v0, served: false, storage: false}\n";

/// The one thing that is said of this file.
fn said(tier: &str, text: &str) -> String {
    let problems = read(tier, &[("x.yaml", text)]).expect_err(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

#[test]
fn definitions_come_first_then_namespaces_and_everything_is_marked_and_placed() {
    let text = [
        object("example.org/v1 Bucket", "logs", ""),
        object("ConfigMap", "motd", ", labels: {a: b}"),
        object("Secret", "there", ", namespace: team"),
        object("Namespace", "team", ""),
    ]
    .join("---\n");
    let seeds = read("controlPlane", &[("a.yaml", &text), ("b.yaml", DEFINITION)]).unwrap();
    let shown: Vec<_> = seeds.objects("own").iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "CustomResourceDefinition buckets.example.org",
            "Namespace team",
            "Bucket logs",
            "ConfigMap own/motd",
            "Secret team/there"
        ]
    );
    let made = seeds.made("own");
    assert!(made.iter().all(|one| one["metadata"]["labels"][MANAGED.0] == MANAGED.1), "{made:?}");
    assert_eq!(made[3]["metadata"]["labels"]["a"], "b");
    assert_eq!((&made[2]["metadata"]["namespace"], &made[3]["metadata"]["namespace"]), (&Value::Null, &json!("own")));
}

#[test]
fn a_shared_cluster_takes_what_the_environments_account_may_make_in_its_own_namespace() {
    assert!(read("namespace", &[("a.yaml", &object("ConfigMap", "motd", ""))]).is_ok());
    for (text, line, says) in [
        (object("ConfigMap", "motd", ", namespace: other"), 3, "one namespace"),
        (object("Service", "web", ""), 2, "may not make a Service"),
        (object("ResourceQuota", "gradus", ""), 2, "may not make a ResourceQuota"),
        (object("Namespace", "team", ""), 2, "may not make a Namespace"),
        (object("rbac.authorization.k8s.io/v1 Role", "all", ""), 2, "who may do what"),
        (DEFINITION.to_owned(), 2, "may not make a CustomResourceDefinition"),
    ] {
        let said = said("namespace", &text);
        assert!(said.starts_with(&format!("seed/x.yaml:{line}:")) && said.contains(says), "{said}");
    }
    assert!(read("controlPlane", &[("a.yaml", &object("rbac.authorization.k8s.io/v1 Role", "all", ""))]).is_ok());
}

#[test]
fn what_cannot_be_made_is_told_at_its_line() {
    let twice = [object("ConfigMap", "a", ""), object("ConfigMap", "a", "")].join("---\n");
    let old = [DEFINITION, &object("example.org/v0 Bucket", "logs", "")].join("---\n");
    let many: Vec<_> = (0..=MOST).map(|n| object("ConfigMap", &format!("m{n}"), "")).collect();
    for (text, line, says) in [
        ("a: [\n".to_owned(), 1, "not YAML"),
        ("a: yes\n".to_owned(), 1, "different things"),
        ("kind: ConfigMap\n".to_owned(), 1, "not one Kubernetes object"),
        (object("List", "a", ""), 1, "not one Kubernetes object"),
        (twice, 5, "there twice"),
        (many.join("---\n"), 201, "more than 50"),
        (object("ConfigMap", "a", ", finalizers: [x/y]"), 3, "the cluster's to write"),
        (object("ConfigMap", "a", ", annotations: {argocd.argoproj.io/hook: Sync}"), 3, "speaks to Argo CD"),
        (object("ConfigMap", "a", ", labels: {app.kubernetes.io/managed-by: me}"), 3, "Gradus's own"),
        (object("ConfigMap", "a", ", labels: {n: 3}"), 3, "no text"),
        (object("ServiceAccount", ACCOUNT, ""), 3, "its own objects"),
        (object("Namespace", "team", ", namespace: x"), 3, "in no namespace"),
        (object("ConfigMap", "a", ", namespace: nowhere"), 3, "nothing makes the namespace"),
        (object("example.org/v1 Bucket", "logs", ""), 2, "nothing brings the kind Bucket"),
        (old, 12, "serves no version `v0`"),
        (DEFINITION.replace("name: buckets.", "name: bucket."), 3, "is called `buckets.example.org`"),
    ] {
        let said = said("controlPlane", &text);
        assert!(said.starts_with(&format!("seed/x.yaml:{line}:")) && said.contains(says), "{line} {says}: {said}");
    }
    let said = said("external", &object("ConfigMap", "a", ", namespace: kube-system"));
    assert!(said.contains("nothing makes the namespace"), "somebody else's: {said}");
    for namespace in ["tools", "kube-system"] {
        assert!(
            read("controlPlane", &[("a.yaml", &object("ConfigMap", "a", &format!(", namespace: {namespace}")))])
                .is_ok()
        );
    }
}

#[test]
fn files_that_nobody_would_read_and_too_many_bytes_are_told() {
    let said = read("controlPlane", &[("notes.txt", "x")]).expect_err("a text");
    assert!(said[0].starts_with("seed/notes.txt: nothing reads this"), "{said:?}");
    let large = format!("# {}\n", "x".repeat(MOST_BYTES));
    let said = read("controlPlane", &[("a.yaml", &large)]).expect_err("too large");
    assert!(said[0].contains("more than 1 MiB"), "{said:?}");
}
