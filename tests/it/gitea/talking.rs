//! Comments, statuses, labels, issues, and who somebody is.

use std::collections::BTreeSet;

use gradus::forge::http::Limits;
use gradus::forge::pull::{Author, CommentId, Label, Login, Marker, Standing, User, UserKind};
use gradus::forge::{Forge, StatusBefore};
use gradus::review::{Status, StatusState};
use gradus::store::Store;
use serde_json::json;

use super::Case;

impl Case {
    fn say(&self, user: &str, text: &str) -> CommentId {
        let body = Some(json!({"body": text}));
        let made = self.academy.ask(user, "POST", &format!("/issues/{}/comments", self.pull), body, 201);
        CommentId(made["id"].as_i64().unwrap())
    }

    fn comments(&self) -> usize {
        self.academy.ask("ada", "GET", &format!("/issues/{}/comments", self.pull), None, 200).as_array().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_come_after_the_one_that_was_seen_and_ours_are_known() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    let first = case.say("ada", "/hint");
    let marker = Marker::new("reply:1");
    let ours = gitea.post_comment(case.pull, &marker, "A hint.").await.unwrap();
    for name in ["a", "b"] {
        let again = case.academy.daemon(name).await.post_comment(case.pull, &marker, "A hint.").await.unwrap();
        assert_eq!(again, ours, "posted once");
    }
    case.say("eve", "Thank you <!-- gradus:1 x.y -->");
    let after = gitea.comments_after(case.pull, first).await.unwrap();
    let [answer, thanks] = after.as_slice() else { panic!("{after:#?}") };
    assert_eq!((answer.id, &answer.author, &*answer.body), (ours, &Author::Grader, "A hint."));
    assert_eq!(answer.marker, Some(marker));
    assert!(matches!(&thanks.author, Author::Person(eve) if eve.login.0 == "eve"));
    assert_eq!(thanks.marker, None);
    assert_eq!(case.comments(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_that_are_too_large_to_read_do_not_hide_the_others() {
    let case = Case::new();
    let store = Store::open(&case.academy.path("a.db")).await.unwrap();
    let limits = Limits { bytes: 50_000, ..Limits::default() };
    let gitea = case.academy.gitea(&store, "a", &case.academy.server.bot, limits);
    let small = case.say("ada", "/hint");
    // They share a second otherwise, which is as exact as Gitea can be asked.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    case.say("eve", &"x".repeat(60_000));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let last = case.say("ada", "/progress");
    let seen = gitea.comments_after(case.pull, CommentId(0)).await.unwrap();
    assert_eq!(seen.iter().map(|comment| comment.id).collect::<Vec<_>>(), [small, last]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_written_only_when_it_differs() {
    let case = Case::new();
    let head = case.head();
    let gitea = case.academy.daemon("a").await;
    let status = |state, text: &str| Status { state, description: text.to_owned() };
    // Others' newer ones fill the first page.
    gitea
        .set_status(case.pull, &head.parse().unwrap(), &status(StatusState::Pending, "Waiting"), StatusBefore::Unknown)
        .await
        .unwrap();
    for number in 0..7 {
        let body = json!({"state": "success", "context": format!("other {number}")});
        case.academy.ask("teacher", "POST", &format!("/statuses/{head}"), Some(body), 201);
    }
    let count = || -> u64 {
        let all = (1..=4).flat_map(|page| {
            let found = case.academy.ask("ada", "GET", &format!("/statuses/{head}?limit=5&page={page}"), None, 200);
            found.as_array().unwrap().clone()
        });
        all.filter(|status| status["context"] == "gradus").count() as u64
    };
    for (state, text, expected) in [
        (StatusState::Pending, "Waiting", 1),
        (StatusState::Failure, "Waiting", 2),
        (StatusState::Failure, "Not yet", 3),
        (StatusState::Failure, "Not yet", 3),
        (StatusState::Success, "Passed", 4),
        (StatusState::Error, "Ours", 5),
    ] {
        gitea.set_status(case.pull, &head.parse().unwrap(), &status(state, text), StatusBefore::Unknown).await.unwrap();
        assert_eq!(count(), expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_made_when_there_are_none_and_only_what_differs_is_written() {
    let case = Case::new();
    let set = |names: &[&str]| names.iter().map(|name| Label((*name).to_owned())).collect::<BTreeSet<_>>();
    let gitea = case.academy.daemon("a").await;
    let pull = async || gitea.pull(case.pull).await.unwrap().unwrap();
    // Made twice, as two daemons may do.
    for _ in 0..2 {
        case.academy.ask("bot", "POST", "/labels", Some(json!({"name": "gradus/passed", "color": "#00ff00"})), 201);
    }
    case.academy.ask("bot", "POST", "/labels", Some(json!({"name": "theirs", "color": "#00ff00"})), 201);
    case.academy.ask("bot", "POST", &format!("/issues/{}/labels", case.pull), Some(json!({"labels": ["theirs"]})), 200);
    gitea.set_labels(&pull().await, &set(&["gradus/passed", "task/first"]), &set(&["gradus/stuck"])).await.unwrap();
    assert_eq!(pull().await.labels, set(&["gradus/passed", "task/first", "theirs"]));
    let on_it = case.academy.ask("ada", "GET", &format!("/issues/{}/labels", case.pull), None, 200);
    assert_eq!(on_it.as_array().unwrap().len(), 3, "one of the two: {on_it}");

    let before = pull().await;
    gitea.set_labels(&before, &set(&["task/first"]), &set(&["gradus/stuck"])).await.unwrap();
    assert_eq!(pull().await.updated_at, before.updated_at);
    gitea.set_labels(&before, &set(&[]), &set(&["gradus/passed"])).await.unwrap();
    assert_eq!(pull().await.labels, set(&["task/first", "theirs"]));
    gitea.set_labels(&before, &set(&[]), &set(&["gradus/passed"])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_opens_one_issue() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    let marker = Marker::new("dispute:1:replicas");
    let first = gitea.open_issue(&marker, "Dispute: replicas", "Why.").await.unwrap().unwrap();
    let other = case.academy.daemon("b").await;
    assert_eq!(other.open_issue(&marker, "Dispute: replicas", "Why.").await.unwrap(), Some(first.clone()));
    let another = gitea.open_issue(&Marker::new("dispute:1:team"), "Dispute: team", "Why.").await.unwrap();
    assert_ne!(another, Some(first));
    case.academy.ask("teacher", "PATCH", "", Some(json!({"has_issues": false})), 200);
    assert_eq!(gitea.open_issue(&Marker::new("dispute:2"), "t", "b").await.unwrap(), None);
}

impl Case {
    fn user(&self, login: &str) -> User {
        let found = self.academy.server.ask("root", "GET", &format!("/users/{login}"), None, 200);
        let id = found["id"].as_i64().unwrap().to_string().parse().unwrap();
        User { id, login: Login(login.to_owned()), kind: UserKind::Person }
    }

    fn invite(&self, login: &str, permission: &str) {
        let body = Some(json!({"permission": permission}));
        self.academy.ask("teacher", "PUT", &format!("/collaborators/{login}"), body, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_is_an_instructor_and_who_was_invited_a_collaborator() {
    let case = Case::new();
    let gitea = case.academy.daemon("a").await;
    case.invite("bob", "read");
    let standing = async |login: &str| gitea.standing(&case.user(login)).await.unwrap();
    assert_eq!(standing("teacher").await, Standing::Instructor);
    assert_eq!(standing("bob").await, Standing::Collaborator);
    assert_eq!(standing("eve").await, Standing::Outsider);
    case.invite("bob", "write");
    assert_eq!(standing("bob").await, Standing::Instructor);
    case.academy.ask("teacher", "PATCH", "", Some(json!({"private": true})), 200);
    assert_eq!(standing("eve").await, Standing::Outsider);
    let nobody = User { id: "nobody".parse().unwrap(), login: Login("no-such-user".into()), kind: UserKind::Bot };
    assert_eq!(gitea.standing(&nobody).await.unwrap(), Standing::Outsider);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changed_hands_carries_no_rights() {
    let case = Case::new();
    let server = case.academy.server;
    let gitea = case.academy.daemon("a").await;
    server.add("carol");
    let carol = case.user("carol");
    server.ask("root", "POST", "/admin/users/carol/rename", Some(json!({"new_username": "caroline"})), 204);
    server.add("carol");
    case.invite("carol", "write");
    // Who was called so, asked about by the name that a webhook of last week had.
    assert_eq!(gitea.standing(&carol).await.unwrap(), Standing::Outsider);
    case.invite("caroline", "read");
    assert_eq!(gitea.standing(&carol).await.unwrap(), Standing::Collaborator);
    assert_eq!(gitea.standing(&case.user("carol")).await.unwrap(), Standing::Instructor);
}
