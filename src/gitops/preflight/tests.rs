use super::*;
use crate::gitops::allowed::{AllowedKind, Scope};
use crate::submission::testing::Git;
use crate::submission::tree::Entry;

const PATH: &str = "tasks/shop/manifests";

fn allowed() -> Allowed {
    let kind = |group: &str, kind: &str, scope| AllowedKind { group: group.into(), kind: kind.into(), scope };
    Allowed {
        kinds: vec![
            kind("apps", "Deployment", Scope::Namespace),
            kind("", "ConfigMap", Scope::Namespace),
            kind("", "Secret", Scope::Namespace),
            kind("argoproj.io", "Application", Scope::Namespace),
            kind("rbac.authorization.k8s.io", "ClusterRole", Scope::Cluster),
        ],
        namespace: "ada-shop".into(),
        more_namespaces: vec!["ada-tools".into()],
        annotations: vec!["argocd.argoproj.io/sync-wave".into()],
        seeded: Vec::new(),
    }
}

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// Files below the path, unless they begin with `/`; `-> target` is a link, `@` a submodule.
fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    tree.insert_file("README.md", *b"# Shop\n");
    tree.insert_file(format!("{PATH}/good.yaml"), map("good").as_bytes());
    for (name, content) in files {
        let path = name.strip_prefix('/').map_or_else(|| format!("{PATH}/{name}"), str::to_owned);
        match *content {
            "@" => tree.insert(path, Entry::Submodule),
            content => match content.strip_prefix("-> ") {
                Some(target) => tree.insert(path, Entry::Symlink(target.to_owned())),
                None => tree.insert_file(path, content.as_bytes()),
            },
        }
    }
    tree
}

fn objections(files: &[(&str, &str)]) -> Vec<Objection> {
    preflight(&tree(files), PATH, &allowed()).err().unwrap_or_default()
}

/// The one objection to these files.
fn objection(files: &[(&str, &str)]) -> Objection {
    let mut all = objections(files);
    assert_eq!(all.len(), 1, "{files:?}: {all:?}");
    all.remove(0)
}

#[test]
fn a_file_that_changes_what_argo_cd_makes_of_the_others_is_refused_with_one_reason() {
    let cases = [
        (Rule::Submodule, "lib", "@"),
        (Rule::Submodule, "/lib", "@"),
        (Rule::Submodule, "/.gitmodules", "[submodule \"x\"]\n\turl = file:///etc\n"),
        (Rule::Symlink, "x.yaml", "-> good.yaml"),
        (Rule::Symlink, "dir", "-> ../../other"),
        (Rule::Symlink, "passwd", "-> /etc/passwd"),
        (Rule::Symlink, "/tasks/other/out", "-> ../../../outside"),
        (Rule::Symlink, "/abs", "-> /proc/self/environ"),
        (Rule::Attributes, "/.gitattributes", "*.yaml working-tree-encoding=IBM037\n"),
        (Rule::Attributes, "/tasks/.gitattributes", "* text\n*.yaml ident\n"),
        (Rule::Attributes, "deep/.gitattributes", "*.yaml filter=lfs diff=lfs\n"),
        (Rule::Attributes, "/.gitattributes", "[attr]plain -diff\n*.yaml plain\n"),
        (Rule::Generator, "kustomization.yaml", "resources: [good.yaml]\n"),
        (Rule::Generator, "kustomization.yml", "resources: []\n"),
        (Rule::Generator, "Kustomization", "resources: []\n"),
        (Rule::Generator, "Chart.yaml", "name: x\n"),
        (Rule::Generator, "sub/Chart.yaml", "name: x\n"),
        (Rule::Generator, "x.jsonnet", "{}"),
        (Rule::Generator, "x.libsonnet", "{}"),
        (Rule::Generator, "x.yaml.hbs", "{{name}}"),
        (Rule::Generator, ".argocd-source.yaml", "helm: {}\n"),
        (Rule::Generator, ".argocd-source-ada-shop.yaml", "kustomize: {}\n"),
        (Rule::Generator, ".argocd-allow-concurrency", ""),
        (Rule::Extension, "x.YAML", "kind: Secret\n"),
        (Rule::LfsPointer, "x.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n"),
    ];
    for (rule, name, content) in cases {
        assert_eq!(objection(&[(name, content)]).rule, rule, "{name} {content:?}");
    }
}

#[test]
fn a_file_that_two_programs_could_read_differently_is_refused_with_one_reason() {
    let evil = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let and = |more: &str| format!("{evil}{more}");
    let cases = [
        (Rule::Skipped, "x.yaml", and("# +argocd:skip-file-rendering\n")),
        (Rule::Skipped, "x.yaml", and("data: {a: \"+argocd:skip-file-rendering\"}\n")),
        (Rule::Syntax, "x.yaml", "a: [1\n".into()),
        (Rule::Syntax, "x.yaml", "a: {{ .Values.x }}\n".into()),
        (Rule::Syntax, ".hidden.yaml", "a: b: c\n".into()),
        (Rule::Syntax, "x.yaml", "\u{0}".into()),
        (Rule::Reading, "x.yaml", and("kind: Secret\n")),
        (Rule::Reading, "x.yaml", and("\"k\\u0069nd\": Secret\n")),
        (Rule::Reading, "x.yaml", and("data: &x {a: b}\n")),
        (Rule::Reading, "x.yaml", and("data: {<<: {a: b}}\n")),
        (Rule::Reading, "x.yaml", and("data: !!map {a: b}\n")),
        (Rule::Reading, "x.yaml", and("data: {a: yes}\n")),
        (Rule::Syntax, "x.yaml", and("data: {1: a}\n")),
        (Rule::Reading, "x.yaml", and("# \u{85}kind: Secret\n")),
        (Rule::Reading, "x.yaml", and("...\nkind: Secret\n")),
        (Rule::Reading, "x.yaml", and("--- {kind: Secret}\n")),
        (Rule::Reading, "x.yaml", and("KIND: Secret\n")),
        (Rule::Reading, "x.yaml", "{\"apiVersion\": \"v1\"}\n".into()),
        (Rule::Reading, "x.json", "{\"kind\": \"A\", \"kind\": \"B\"}".into()),
        (Rule::Reading, "x.json", "{\"a\": -0}".into()),
        (Rule::Syntax, "x.json", "{\"a\": 1} {\"b\": 2}".into()),
        (Rule::Syntax, "x.json", "apiVersion: v1\nkind: ConfigMap\n".into()),
    ];
    for (rule, name, content) in cases {
        assert_eq!(objection(&[(name, &content)]).rule, rule, "{name} {content:?}");
    }
    let utf16 =
        [&[0xff, 0xfe][..], &"kind: Secret".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    let mut tree = tree(&[]);
    tree.insert_file(format!("{PATH}/x.yaml"), utf16);
    let against = preflight(&tree, PATH, &allowed()).unwrap_err();
    assert_eq!(against.iter().map(|one| one.rule).collect::<Vec<_>>(), [Rule::Syntax]);
}

#[test]
fn an_object_that_the_environment_does_not_take_is_refused_with_one_reason_and_its_line() {
    let object = |version: &str, kind: &str, metadata: &str, more: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{{metadata}}}\n{more}")
    };
    let map = |metadata: &str| object("v1", "ConfigMap", metadata, "");
    let cases = [
        (Rule::NoObject, 1, "replicas: 3\n".into()),
        (Rule::NoObject, 1, "- 1\n".into()),
        (Rule::NoObject, 3, map("labels: {a: b}")),
        (Rule::NoObject, 3, map("name: a, labels: [a]")),
        (Rule::NoObject, 3, map("name: a, labels: {a: 1}")),
        (Rule::List, 4, object("v1", "ConfigMap", "name: a", "items: [{kind: Secret}]\n")),
        (Rule::List, 4, object("v1", "ConfigMapList", "name: a", "items: []\n")),
        (
            Rule::Kind,
            5,
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n".into(),
        ),
        (Rule::NoObject, 4, "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n".into()),
        (Rule::NoObject, 4, "apiVersion: v1\nkind: List\nitems:\n- kind: List\n  items: []\n".into()),
        (Rule::Kind, 2, object("v1", "Pod", "name: a", "")),
        (Rule::Kind, 2, object("v1", "Namespace", "name: a", "")),
        (Rule::Kind, 2, object("apps.evil.org/v1", "Deployment", "name: a", "")),
        (Rule::Kind, 2, object("apps/v1", "deployment", "name: a", "")),
        (Rule::Kind, 2, object("apps/v1/x", "ConfigMap", "name: a", "")),
        (Rule::ArgoCd, 2, object("argoproj.io/v1alpha1", "Application", "name: a", "")),
        (Rule::ArgoCd, 2, object("argoproj.io/v1alpha1", "AppProject", "name: a", "")),
        (Rule::Namespace, 3, map("name: a, namespace: kube-system")),
        (Rule::Namespace, 3, map("name: a, namespace: 3")),
        (Rule::Namespace, 3, object("rbac.authorization.k8s.io/v1", "ClusterRole", "name: a, namespace: ada-shop", "")),
        (Rule::GenerateName, 3, map("generateName: a-")),
        (Rule::Metadata, 3, map("name: a, finalizers: [resources-finalizer.argocd.argoproj.io]")),
        (Rule::Metadata, 3, map("name: a, ownerReferences: []")),
        (Rule::Metadata, 3, map("name: a, uid: b")),
        (Rule::Metadata, 3, map("name: a, Finalizers: [x]")),
        (Rule::Annotation, 3, map("name: a, annotations: {argocd.argoproj.io/hook: PreSync}")),
        (Rule::Annotation, 3, map("name: a, annotations: {argocd.argoproj.io/sync-options: Prune=false}")),
        (Rule::Annotation, 3, map("name: a, annotations: {argocd.argoproj.io/compare-options: IgnoreExtraneous}")),
        (Rule::Annotation, 3, map("name: a, annotations: {argocd.argoproj.io/tracking-id: x}")),
        (Rule::Annotation, 3, map("name: a, annotations: {link.argocd.argoproj.io/x: javascript}")),
        (Rule::Annotation, 3, map("name: a, annotations: {helm.sh/hook: pre-install}")),
        (Rule::Annotation, 3, map("name: a, annotations: {helm.sh/resource-policy: keep}")),
        (Rule::Annotation, 3, map("name: a, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}")),
        (Rule::Annotation, 3, object("v1", "Secret", "name: a, labels: {argocd.argoproj.io/secret-type: cluster}", "")),
        (Rule::Token, 4, object("v1", "Secret", "name: a", "type: kubernetes.io/service-account-token\n")),
        (Rule::Token, 4, object("v1", "Secret", "name: a", "type: bootstrap.kubernetes.io/token\n")),
        (Rule::Duplicate, 1, map("name: good")),
        (Rule::Duplicate, 5, format!("{}---\n{}", map("name: a"), map("name: a, namespace: ada-shop"))),
        (
            Rule::Size,
            1,
            object("v1", "ConfigMap", "name: a", &format!("data: {{a: {}}}\n", "x".repeat(MAX_OBJECT_BYTES))),
        ),
    ];
    for (rule, line, content) in cases {
        let found = objection(&[("x.yaml", &content)]);
        let short = &content[..content.len().min(200)];
        assert_eq!((found.rule, found.place.line), (rule, Some(line)), "{short:?}: {found}");
        assert_eq!(found.place.file.as_deref(), Some("tasks/shop/manifests/x.yaml"));
        assert!(!found.what.is_empty() && !found.remedy.is_empty() && !found.remedy.ends_with('.'), "{found}");
    }
}

#[test]
fn too_much_is_refused() {
    let many: String = (0..=MAX_OBJECTS).map(|n| format!("---\n{}", map(&format!("m{n}")))).collect();
    assert_eq!(objections(&[("x.yaml", &many)]).iter().map(|one| one.rule).collect::<Vec<_>>(), [Rule::Size; 2]);
    let comment = format!("# {}\n", "x".repeat(MAX_BYTES));
    assert_eq!(objection(&[("x.yaml", &comment)]).rule, Rule::Size);
    assert_eq!(objection(&[("x.yaml", &comment), ("y.yaml", "a: [")]).rule, Rule::Size, "it is not even read");
    assert_eq!(preflight(&Tree::default(), PATH, &allowed()).unwrap_err()[0].rule, Rule::Nothing);
    let mut linked = Tree::default();
    linked.insert("tasks/shop", Entry::Symlink("../etc".into()));
    let against = preflight(&linked, PATH, &allowed()).unwrap_err();
    assert_eq!(against.iter().map(|one| one.rule).collect::<Vec<_>>(), [Rule::Symlink]);
}

#[test]
fn honest_work_is_accepted_with_every_object_and_where_it_stands() {
    let files = [
        ("README.md", "kind: nonsense {{\n"),
        (".gitignore", "*.bak\n"),
        ("/.gitattributes", "* text=auto\n*.png binary\n*.yaml text eol=lf diff\n"),
        ("/docs/link", "-> ../README.md"),
        ("/tasks/other/kustomization.yaml", "resources: []\n"),
        ("empty.yaml", "# nothing yet\n"),
        (
            "web.yaml",
            "# The shop\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  creationTimestamp: null\n  namespace: ada-shop\n  labels: {app: web, helm.sh/chart: web-1.0.0, app.kubernetes.io/instance: x}\n  annotations: {argocd.argoproj.io/sync-wave: \"1\", checksum/config: abc}\nspec: {replicas: 2}\nstatus: {}\n---\n\n",
        ),
        (
            "nested/dir/list.yml",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b, namespace: ada-tools}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: c}\n  stringData: {password: \"yes\"}\n",
        ),
        (
            "one.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"j\"}, \"data\": {\"a\": \"\\u00e9\\n\"}}\n",
        ),
        (
            "role.yaml",
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: reader\nrules: []\r\n",
        ),
    ];
    let accepted = preflight(&tree(&files), PATH, &allowed()).unwrap();
    let shown: Vec<_> = accepted
        .objects
        .iter()
        .map(|(object, place)| format!("{object} {}:{}", place.file.as_deref().unwrap(), place.line.unwrap()))
        .collect();
    assert_eq!(
        shown,
        [
            "ConfigMap ada-shop/good tasks/shop/manifests/good.yaml:1",
            "ConfigMap ada-tools/b tasks/shop/manifests/nested/dir/list.yml:4",
            "Secret ada-shop/c tasks/shop/manifests/nested/dir/list.yml:7",
            "ConfigMap ada-shop/j tasks/shop/manifests/one.json:1",
            "ClusterRole reader tasks/shop/manifests/role.yaml:1",
            "Deployment ada-shop/web tasks/shop/manifests/web.yaml:3",
        ]
    );
}

#[test]
fn a_refusal_says_what_to_write_instead() {
    let of = |content: &str| objection(&[("x.yaml", content)]).to_string();
    let wrong_case = of("apiVersion: apps/v1\nkind: deployment\nmetadata: {name: a}\n");
    assert_eq!(
        wrong_case,
        "tasks/shop/manifests/x.yaml:2: the environment does not take the kind deployment (apps): write `kind: Deployment`"
    );
    let old_group = of("apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n");
    assert!(old_group.ends_with("write the apiVersion of group `apps`"), "{old_group}");
    let namespace = of("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n");
    assert!(namespace.ends_with("delete the line, or write `ada-shop`"), "{namespace}");
}

#[test]
fn what_the_merge_base_already_held_is_looked_at_too() {
    let git = Git::new();
    let deep = format!("{PATH}/{}evil.yaml", "d/".repeat(crate::submission::limits::MAX_DEPTH + 1));
    git.write(&format!("{PATH}/good.yaml"), map("good"));
    let good = git.commit("good");
    git.write(&deep, "apiVersion: v1\nkind: Pod\nmetadata: {name: evil}\n");
    let evil = git.commit("merged into the fork's own main");
    let of =
        |commit: &CommitId| of_commit(&git.repository(), commit, &Origin::Directory(PATH.into()), &allowed()).unwrap();
    assert_eq!(of(&good).unwrap().objects.len(), 1);
    let against = of(&evil).unwrap_err();
    assert_eq!(against.iter().map(|one| one.rule).collect::<Vec<_>>(), [Rule::Unread]);
}

#[test]
fn a_learners_application_says_which_directory_and_how() {
    let origin = Origin::Application { root: "tasks/shop".into(), file: "tasks/shop/apps/shop.yaml".into() };
    let judged = |path: &str| {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  source: {{path: {path}}}\n  syncPolicy: {{automated: {{prune: true}}}}\n"
        );
        of_tree(&tree(&[("/tasks/shop/apps/shop.yaml", &text), ("/tasks/shop/empty/README", "")]), &origin, &allowed())
    };
    let accepted = judged("manifests").unwrap();
    assert_eq!((accepted.path.as_str(), accepted.objects.len()), (PATH, 1));
    assert!(accepted.policy.prunes() && !accepted.policy.heals(), "{accepted:?}");
    assert_eq!(accepted.policy_at.unwrap().line, Some(6));
    let rules =
        |path: &str| judged(path).unwrap_err().into_iter().map(|one| (one.rule, one.place.line)).collect::<Vec<_>>();
    assert_eq!(rules("empty"), [(Rule::Application, Some(5))]);
    assert_eq!(rules("nowhere"), [(Rule::Nothing, None)]);
    assert_eq!(rules("."), [(Rule::ArgoCd, Some(2))], "the Application itself");
}

#[test]
fn an_object_that_the_course_made_is_refused_by_kind_namespace_and_name() {
    let object = |kind: &str, name: &str| Object {
        group: String::new(),
        kind: kind.into(),
        namespace: "ada-shop".into(),
        name: name.into(),
    };
    let allowed = Allowed { seeded: vec![object("ConfigMap", "motd"), object("Secret", "good")], ..allowed() };
    let taken = preflight(&tree(&[("sub/motd.yaml", &map("motd"))]), PATH, &allowed).unwrap_err();
    let [objection] = taken.as_slice() else { panic!("{taken:?}") };
    assert_eq!(objection.rule, Rule::Seeded);
    assert_eq!(
        objection.to_string(),
        format!(
            "{PATH}/sub/motd.yaml:4: ConfigMap ada-shop/motd is the course's, and there already: delete it, or give yours another name"
        )
    );
    let elsewhere = map("motd").replace("name: motd", "name: motd\n  namespace: ada-tools");
    for file in [map("motd-2"), elsewhere] {
        assert!(preflight(&tree(&[("a.yaml", &file)]), PATH, &allowed).is_ok(), "{file}");
    }
}
