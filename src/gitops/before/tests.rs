use serde_json::json;

use super::*;

fn application(name: &str, spec: Value, status: Value) -> Value {
    json!({ "metadata": { "name": name, "namespace": "argocd" }, "spec": spec, "status": status })
}

fn project(name: &str, accounts: Value) -> Value {
    json!({ "metadata": { "name": name, "namespace": "argocd" },
        "spec": { "destinations": [{ "server": "*", "namespace": "*" }], "destinationServiceAccounts": accounts } })
}

fn in_project(project: &str) -> Value {
    json!({ "project": project, "source": { "repoURL": "r", "path": "p", "targetRevision": "main" },
        "destination": { "server": HERE, "namespace": "team-a" } })
}

fn survey(applications: Vec<Value>, projects: Vec<Value>) -> Survey {
    Survey { applications, projects, namespace: "argocd".into(), ..Survey::default() }
}

fn find<'a>(before: &'a Before, about: &str) -> &'a Setting {
    before.settings.iter().find(|one| one.about.ends_with(about)).unwrap()
}

fn broken(before: &Before, about: &str) -> Vec<String> {
    find(before, about).breaks.iter().map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_key_that_dedicated_sets_is_judged_and_nothing_breaks_where_nobody_is() {
    let before = judge(&survey(Vec::new(), Vec::new())).unwrap();
    for key in file(SETTINGS).unwrap().keys().chain(file(PARAMETERS).unwrap().keys()) {
        let setting = find(&before, &format!(" {key}"));
        assert!(setting.dedicated.is_some() && !setting.now.is_empty() && !setting.needed.is_empty(), "{key}");
    }
    assert!(!before.breaks());
    assert_eq!(
        before.keeps_out,
        ["without impersonation the shared namespace tier takes no untrusted learners"],
        "Argo CD's defaults otherwise do"
    );
}

#[test]
fn what_dedicated_sets_is_enough_for_learners() {
    let mut all = survey(Vec::new(), Vec::new());
    all.settings = file(SETTINGS).unwrap();
    all.parameters = file(PARAMETERS).unwrap();
    all.version = Some(Version::new(3, 6, 1));
    assert_eq!(judge(&all).unwrap().keeps_out, [""; 0]);
    all.version = Some(Version::new(3, 5, 1));
    assert!(judge(&all).unwrap().keeps_out[0].contains("known holes"));
}

#[test]
fn impersonation_breaks_whom_no_account_is_named_for() {
    let account = |server: &str, namespace: &str, name: &str| json!({ "server": server, "namespace": namespace, "defaultServiceAccount": name });
    let projects = vec![
        project("named", json!([account(HERE, "team-*", "deployer")])),
        project("elsewhere", json!([account(HERE, "team-b", "deployer"), account("https://1.2.3.4", "*", "deployer")])),
        project("refused", json!([account("*", "*", "a*"), account("*", "*", "deployer")])),
        project("default", json!([])),
    ];
    let names = ["named", "elsewhere", "refused", "default", "gone"];
    let mut applications: Vec<Value> =
        names.iter().map(|name| application(name, in_project(name), json!({}))).collect();
    let mut ours = application("ours", in_project("default"), json!({}));
    ours["metadata"]["labels"] = json!({ "gradus.dev/task": "shop" });
    applications.push(ours);
    let mut by_name = in_project("named");
    by_name["destination"] = json!({ "name": "production", "namespace": "team-a" });
    applications.push(application("by-name", by_name, json!({})));
    let mut all = survey(applications, projects);
    let expected = ["argocd/elsewhere", "argocd/refused", "argocd/default", "argocd/gone", "argocd/by-name"];
    let before = judge(&all).unwrap();
    assert_eq!(broken(&before, ENABLED), expected);
    assert_eq!((before.breaks(), before.applications), (true, 6));
    assert_eq!(broken(&before, "AppProject default"), ["argocd/default"]);
    // It is on already: nobody breaks.
    all.settings.insert(ENABLED.into(), "true".into());
    let on = judge(&all).unwrap();
    assert_eq!((broken(&on, ENABLED), on.keeps_out.len()), (vec![], 0));
    // And not enforced: whoever has no account is applied with all rights.
    all.settings.insert(ENFORCED.into(), "false".into());
    let lax = judge(&all).unwrap();
    assert_eq!(broken(&lax, ENFORCED), expected);
    assert!(lax.keeps_out[0].contains("not enforced"), "{:?}", lax.keeps_out);
}

#[test]
fn tracking_by_label_keeps_the_gate_shut_and_leaves_orphans_where_only_changes_are_synced() {
    let mut careful = in_project("a");
    careful["syncPolicy"] = json!({ "syncOptions": ["ApplyOutOfSyncOnly=true"] });
    let all = vec![application("plain", in_project("a"), json!({})), application("careful", careful, json!({}))];
    let mut all = survey(all, vec![project("a", json!([]))]);
    all.settings.insert(TRACKING.into(), "label".into());
    let before = judge(&all).unwrap();
    assert_eq!(broken(&before, TRACKING), ["argocd/careful"]);
    assert!(before.keeps_out.iter().any(|why| why.contains("the gate never opens")));
    all.settings.insert(TRACKING.into(), "annotation+label".into());
    assert!(find(&judge(&all).unwrap(), TRACKING).lacks.is_none());
}

#[test]
fn renderers_kinds_and_places_that_would_go_are_told_with_who_uses_them() {
    let resources = json!({ "sourceType": "Helm", "resources": [{ "kind": "ConfigMap" }, { "group": "cert-manager.io", "kind": "Certificate" }] });
    let chart = application("chart", in_project("a"), resources.clone());
    let mut away = application("away", in_project("a"), resources);
    away["spec"]["destination"]["server"] = "https://10.0.0.1".into();
    away["status"]["sourceType"] = "Directory".into();
    let mut multi = application("multi", in_project("a"), json!({ "sourceTypes": ["Directory", "Kustomize"] }));
    multi["metadata"]["namespace"] = "team-a".into();
    let mut all = survey(vec![chart, away, multi], vec![project("a", json!([]))]);
    all.parameters.insert("application.namespaces".into(), "team-*".into());
    let generator = json!({ "matrix": { "generators": [{ "pullRequest": {} }, { "list": {} }] } });
    all.sets = vec![
        json!({ "metadata": { "name": "pulls", "namespace": "argocd" }, "spec": { "generators": [generator] } }),
        json!({ "metadata": { "name": "plain", "namespace": "argocd" }, "spec": { "generators": [{ "list": {} }] } }),
    ];
    let before = judge(&all).unwrap();
    assert_eq!(broken(&before, "helm.enable"), ["argocd/chart"]);
    assert_eq!(broken(&before, "kustomize.enable"), ["team-a/multi"]);
    assert_eq!(broken(&before, INCLUSIONS), ["argocd/chart"], "the other one's cluster has no inclusions");
    assert!(find(&before, INCLUSIONS).breaks[0].1.contains("Certificate"));
    assert_eq!(broken(&before, " application.namespaces"), ["team-a/multi"]);
    assert_eq!(broken(&before, "scm.providers"), ["argocd/pulls (ApplicationSet)"]);
    assert!(find(&before, "timeout.reconciliation").remark.as_deref().unwrap().starts_with("3 Applications"));
    // Excluded before: it loses nothing.
    all.settings.insert(EXCLUSIONS.into(), "- kinds: [Certificate]\n".into());
    assert_eq!(broken(&judge(&all).unwrap(), INCLUSIONS), [""; 0]);
}

#[test]
fn kinds_that_tasks_need_and_argo_cd_does_not_see_keep_learners_out() {
    let mut all = survey(Vec::new(), Vec::new());
    all.settings.insert(EXCLUSIONS.into(), "- apiGroups: ['']\n  kinds: [Secret]\n".into());
    let before = judge(&all).unwrap();
    assert!(before.keeps_out.iter().any(|why| why.contains("keeps Secret from Argo CD")), "{:?}", before.keeps_out);
}
