//! Parts of the stack that die, or forget: never the learner's fault, and never a wrong answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use gradus::checkpoint::outcome::Blame;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::alone;
use super::stack::Stack;
use super::tenant::{Tenant, map};
use crate::until::until;

const CONTROLLER: &str = "argocd-application-controller";

#[test]
fn a_controller_that_is_killed_in_a_sync_and_comes_back_opens_in_the_end() {
    alone(async {
        let tenant = Tenant::new("killed").await.within(Duration::from_secs(120));
        let needs = [tenant.map("a1")];
        tenant.run(&[("a1.yaml", Some(&map("a1", "1")))], &needs).await.1.unwrap();
        let many: Vec<(String, String)> = (1..60).map(|n| (format!("a{n}.yaml"), map(&format!("a{n}"), "2"))).collect();
        let changes: Vec<_> = many.iter().map(|(file, text)| (file.as_str(), Some(text.as_str()))).collect();
        let commit = tenant.push(&changes);
        tenant.offer(&commit).await;
        let syncs = async || tenant.applications().get(&tenant.name).await.unwrap().data.get("operation").is_some();
        until("a sync", syncs).await;
        let stack = Stack::shared();
        let killed = stack.kill(CONTROLLER);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stack.restart(CONTROLLER, killed);
        tenant.wait(&commit, &needs).await.unwrap();
        for n in [1, 30, 59] {
            assert_eq!(tenant.value(&format!("a{n}"), "value").await.as_deref(), Some("2"), "a{n}");
        }
    });
}

#[test]
fn an_operation_that_was_lost_in_a_restart_gets_a_sync_and_opens() {
    alone(async {
        let tenant = Tenant::new("wedged").await;
        let needs = [tenant.map("a")];
        tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await.1.unwrap();
        // As argo-cd #29636 leaves it.
        let stack = Stack::shared();
        let killed = stack.kill(CONTROLLER);
        let lost =
            json!({ "status": { "operationState": { "phase": "Succeeded", "syncResult": null, "finishedAt": null } } });
        tenant.applications().patch(&tenant.name, &PatchParams::default(), &Patch::Merge(lost)).await.unwrap();
        let commit = tenant.push(&[("a.yaml", Some(&map("a", "2")))]);
        tenant.offer(&commit).await;
        stack.restart(CONTROLLER, killed);
        tenant.wait(&commit, &needs).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));
        let now = tenant.applications().get(&tenant.name).await.unwrap();
        let history = now.data["status"]["history"].as_array().unwrap();
        assert!(history.iter().any(|one| one["initiatedBy"]["username"] == "gradus"), "{history:?}");
    });
}

#[test]
fn a_controller_that_is_not_there_is_ours() {
    alone(async {
        let tenant = Tenant::new("absent").await.within(Duration::from_secs(8));
        let stack = Stack::shared();
        let killed = stack.kill(CONTROLLER);
        let (commit, ending) = tenant.run(&[("a.yaml", Some(&map("a", "1")))], &[tenant.map("a")]).await;
        stack.restart(CONTROLLER, killed);
        let reason = ending.unwrap_err();
        assert_eq!(reason.blame(), Blame::Ours, "{reason}");
        // A later try of the same commit succeeds.
        let tenant = tenant.within(Duration::from_secs(90));
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
    });
}

#[test]
fn a_repo_server_that_is_not_there_is_ours_and_the_commit_opens_when_it_is_back() {
    alone(async {
        let tenant = Tenant::new("norepo").await.within(Duration::from_secs(12));
        let stack = Stack::shared();
        let killed = stack.kill("argocd-repo-server");
        let (commit, ending) = tenant.run(&[("a.yaml", Some(&map("a", "1")))], &[tenant.map("a")]).await;
        stack.restart("argocd-repo-server", killed);
        let reason = ending.unwrap_err();
        assert_eq!(reason.blame(), Blame::Ours, "{reason}");
        let tenant = tenant.within(Duration::from_secs(90));
        tenant.offer(&commit).await;
        tenant.wait(&commit, &[tenant.map("a")]).await.unwrap();
    });
}

#[test]
fn a_cache_that_forgets_everything_changes_no_answer() {
    alone(async {
        let tenant = Tenant::new("flushed").await;
        let needs = [tenant.map("a")];
        let (commit, ending) = tenant.run(&[("a.yaml", Some(&map("a", "1")))], &needs).await;
        let proof = ending.unwrap();
        flush();
        assert!(tenant.still(&proof, &commit, &needs).await);
        tenant.wait(&commit, &needs).await.unwrap();
        let next = tenant.push(&[("a.yaml", Some(&map("a", "2")))]);
        tenant.offer(&next).await;
        flush();
        tenant.wait(&next, &needs).await.unwrap();
        assert_eq!(tenant.value("a", "value").await.as_deref(), Some("2"));
    });
}

fn flush() {
    let stack = Stack::shared();
    let mut redis = TcpStream::connect(stack.address("redis")).unwrap();
    let mut said = [0; 64];
    for command in [format!("AUTH {}", stack.redis_password()), "FLUSHALL".to_owned()] {
        redis.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let length = redis.read(&mut said).unwrap();
        assert_eq!(&said[..length], b"+OK\r\n");
    }
}
