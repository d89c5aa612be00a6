//! Why pre-flight refuses what it refuses: the same push, offered all the same. What Argo CD makes of it is another thing
//! than what is committed.

use std::time::Duration;

use gradus::gitops::preflight::{Rule, preflight};
use gradus::gitops::reason::Reason;
use gradus::submission::tree::Tree;

use super::beside;
use super::tenant::{Change, PATH, Tenant, map};

/// Pushes what pre-flight refuses with this rule alone.
fn refused(tenant: &Tenant, changes: &[Change<'_>], rule: Rule) -> gradus::submission::sha::CommitId {
    let commit = tenant.push(changes);
    let tree = Tree::from_commit(&git2::Repository::open(tenant.clone_dir()).unwrap(), &commit).unwrap();
    let against = preflight(&tree, PATH, &tenant.question(&commit, &[]).allowed).unwrap_err();
    assert!(against.iter().all(|one| one.rule == rule), "{against:?}");
    commit
}

#[test]
fn a_mark_in_a_comment_hides_a_file_and_the_gate_opens_without_its_object() {
    beside(async {
        let tenant = Tenant::new("hidden").await;
        let hidden = format!("# +argocd:skip-file-rendering\n{}", map("b", "1"));
        let commit = refused(&tenant, &[("a.yaml", Some(&map("a", "1"))), ("b.yaml", Some(&hidden))], Rule::Skipped);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
        assert_eq!(tenant.value("b", "value").await, None, "committed, synced, and not there");
    });
}

#[test]
fn a_source_override_changes_which_files_are_read() {
    beside(async {
        let tenant = Tenant::new("override").await;
        let source = "directory: {recurse: true, exclude: a.yaml}\n";
        let changes = [("a.yaml", Some("hello")), ("b.yaml", Some("hello")), (".argocd-source.yaml", Some(source))];
        let (a, b) = (map("a", "1"), map("b", "1"));
        let changes = [(changes[0].0, Some(a.as_str())), (changes[1].0, Some(b.as_str())), changes[2]];
        let commit = refused(&tenant, &changes, Rule::Generator);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("b")]).await.unwrap();
        assert_eq!(tenant.value("a", "value").await, None, "committed, synced, and not there");
    });
}

#[test]
fn a_hook_runs_has_no_standing_and_keeps_the_gate_shut_where_it_counts() {
    beside(async {
        let tenant = Tenant::new("hook").await;
        let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {argocd.argoproj.io/hook: PreSync}}\ndata: {value: \"1\"}\n";
        let commit = refused(&tenant, &[("a.yaml", Some(&map("a", "1"))), ("h.yaml", Some(hook))], Rule::Annotation);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
        assert_eq!(tenant.value("hook", "value").await.as_deref(), Some("1"));
        let now = tenant.applications().get(&tenant.name).await.unwrap();
        let resources = now.data["status"]["resources"].as_array().unwrap();
        let hook = resources.iter().find(|one| one["name"] == "hook").unwrap();
        assert!(hook["hook"] == true && hook.get("status").is_none(), "{hook}");
        let tenant = tenant.within(Duration::from_secs(8));
        let reason = tenant.wait(&commit, &[tenant.map("hook")]).await.unwrap_err();
        assert!(reason.to_string().contains("is not as this commit says"), "{reason}");
    });
}

#[test]
fn an_object_that_forbids_its_pruning_stays_and_keeps_the_gate_shut() {
    beside(async {
        let tenant = Tenant::new("kept").await;
        let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {argocd.argoproj.io/sync-options: Prune=false}}\ndata: {value: \"1\"}\n";
        let commit = refused(&tenant, &[("a.yaml", Some(&map("a", "1"))), ("b.yaml", Some(kept))], Rule::Annotation);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a"), tenant.map("b")]).await.unwrap();
        let tenant = tenant.within(Duration::from_secs(12));
        let commit = tenant.push(&[("b.yaml", None)]);
        tenant.offer(&commit).await;
        let stays = |reason: &Reason| reason.to_string().contains(&format!("{}/b", tenant.name));
        let reason = tenant.closes(&commit, &[tenant.map("a"), tenant.map("b")], stays).await;
        assert!(stays(&reason), "{reason}");
        assert_eq!(tenant.value("b", "value").await.as_deref(), Some("1"));
    });
}

#[test]
fn a_list_of_any_kind_is_taken_apart() {
    beside(async {
        let tenant = Tenant::new("list").await;
        let list = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {value: \"1\"}}\n";
        let commit = refused(&tenant, &[("a.yaml", Some(list))], Rule::List);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("b")]).await.unwrap();
        assert_eq!((tenant.value("a", "value").await, tenant.value("b", "value").await.as_deref()), (None, Some("1")));
    });
}

#[test]
fn a_line_break_of_yaml_1_1_in_a_comment_makes_an_object() {
    beside(async {
        let tenant = Tenant::new("break").await;
        let text = format!("{}# harmless\u{2028}---\u{2028}x: 1\n", map("a", "1"));
        let hidden =
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: \"1\"} # \u{85}binaryData: {}\n";
        for (file, content) in [("a.yaml", hidden), ("a.yaml", text.as_str())] {
            refused(&tenant, &[(file, Some(content))], Rule::Reading);
        }
        let hidden = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n# \u{85}data: {value: \"1\"}\n";
        let commit = refused(&tenant, &[("a.yaml", Some(hidden))], Rule::Reading);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("1"), "Argo CD read what stands in a comment");
    });
}

#[test]
fn attributes_of_git_change_the_file_that_argo_cd_reads() {
    beside(async {
        let tenant = Tenant::new("coded").await;
        let attributes = "*.yaml ident\n";
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: \"$Id$\"}\n";
        let commit =
            refused(&tenant, &[("a.yaml", Some(text)), (".gitattributes", Some(attributes))], Rule::Attributes);
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
        let value = tenant.value("a", "value").await.unwrap();
        assert!(value.starts_with("$Id: "), "{value}: what was applied is not what is committed");
    });
}
