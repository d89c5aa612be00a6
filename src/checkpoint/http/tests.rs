use serde_json::json;

use super::super::observed::{Maker, Said, Seen};
use super::super::testing::{judge, judge_sight, tree};
use super::super::via::{Answer, Unreached};
use super::*;
use crate::checkpoint::{Check, Sight};

const WEB: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: web}\n";

fn check(extra: Value) -> Http {
    let mut value = json!({
        "via": { "service": "web", "port": 80 }, "get": "/healthz",
        "expect": { "headers": { "Content-Type": { "$prefix": "application/json" } }, "json": { "ok": true }, "within": "500ms" },
    });
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn reply(status: u16, body: &str) -> Reply {
    let headers = BTreeMap::from([("content-type".to_owned(), "application/json; charset=utf-8".to_owned())]);
    Reply { status, headers, body: Some(body.to_owned()), late: false }
}

fn seen(kind: &str, name: &str, namespace: &str, maker: Maker) -> Seen {
    let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": namespace } });
    if kind == "Endpoints" {
        let address = |pod: &str| json!({ "ip": "10.0.0.7", "targetRef": { "kind": "Pod", "name": pod } });
        object["subsets"] = json!([{ "addresses": [address("web-a"), address("web-b")] }]);
    }
    Seen { object, maker }
}

/// The Service `web`, and two Pods behind it, one of them made by this one.
fn world(service: Maker, pod: Maker) -> Vec<Seen> {
    vec![
        seen("Service", "web", "other", Maker::Commit),
        seen("Service", "web", "ada", service),
        seen("Endpoints", "web", "ada", Maker::Somebody),
        seen("Pod", "web-a", "ada", Maker::Controller),
        seen("Pod", "web-b", "ada", pod),
    ]
}

fn judged_in(check: &Http, objects: Vec<Seen>, said: Said) -> Judgement {
    let want = check.wants(None).pop().unwrap();
    let sample = Sample { objects, answers: vec![(want, said)], ..Sample::default() };
    judge_sight(check, &tree(&[("web.yaml", WEB)]), Sight::Seen(&sample))
}

fn said(reply: Result<Reply, Unreached>) -> Said {
    Said::Http(Answer { namespace: "ada".to_owned(), reply })
}

fn judged(check: &Http, reply: Result<Reply, Unreached>) -> Judgement {
    judged_in(check, world(Maker::Commit, Maker::Controller), said(reply))
}

fn messages(judgement: &Judgement) -> Vec<&str> {
    judgement.evidence.iter().map(|evidence| evidence.message.as_str()).collect()
}

#[test]
fn an_answer_is_compared_and_every_difference_told() {
    let right = reply(200, r#"{"ok": true, "more": 1}"#);
    assert_eq!(judged(&check(json!({})), Ok(right.clone())), Judgement::pass());
    let judgement = judged(&check(json!({})), Ok(Reply { late: true, ..reply(500, r#"{"ok": false}"#) }));
    assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::HealthyButWrong)));
    assert_eq!(
        messages(&judgement),
        [
            "`GET /healthz`: `status` is 500, must be 200",
            "`GET /healthz`: `json.ok` is false, must be true",
            "`GET /healthz`: the answer took longer than 500ms",
        ]
    );
    let first = &judgement.evidence[0];
    assert_eq!(first.subject.as_deref(), Some("GET /healthz of the Service `web` at port 80"));
    assert_eq!((first.place.file.as_deref(), first.place.line), (Some("web.yaml"), Some(1)));
    let redirect = check(json!({ "expect": {} }));
    assert_eq!(
        messages(&judged(&redirect, Ok(reply(302, "")))),
        ["`GET /healthz`: `status` is 302, must be 200; redirects are not followed"]
    );
}

#[test]
fn headers_are_found_in_any_case_and_bodies_as_text() {
    let body = check(json!({ "expect": { "status": { "$in": [200, 204] }, "body": { "$regex": "^hello" } } }));
    assert_eq!(judged(&body, Ok(reply(204, "hello, you"))).outcome, Outcome::Pass);
    assert_eq!(judged(&body, Ok(reply(204, "bye"))).evidence.len(), 1);
    let header = check(json!({ "expect": { "headers": { "X-Cache": "hit" } } }));
    let judgement = judged(&header, Ok(reply(200, "")));
    assert!(messages(&judgement)[0].contains("X-Cache"), "{judgement:?}");
    let found = Reply { headers: BTreeMap::from([("x-cache".to_owned(), "hit".to_owned())]), ..reply(200, "") };
    assert_eq!(judged(&header, Ok(found)).outcome, Outcome::Pass);
}

#[test]
fn a_body_that_cannot_be_read_is_told_once_and_its_text_is_tamed() {
    let table = [
        (Some("<h1>`hi`\u{202e}\n</h1>"), "`GET /healthz`: the answer is no JSON: `<h1>'hi'\\u{202e}\\n</h1>`"),
        (Some(" "), "`GET /healthz`: the answer is empty, must be JSON"),
        (None, "`GET /healthz`: the answer has more than 64 KiB, which is more than is read"),
    ];
    for (body, words) in table {
        let judgement = judged(&check(json!({})), Ok(Reply { body: body.map(str::to_owned), ..reply(200, "") }));
        assert_eq!(messages(&judgement), [words]);
    }
    let long = judged(&check(json!({})), Ok(reply(200, &"x".repeat(5000))));
    assert!(long.evidence[0].message.len() < 200, "{long:?}");
}

#[test]
fn nobody_who_answers_is_the_learners_to_mend_and_each_reason_has_its_words() {
    let table = [
        (Unreached::NoEndpoints, "the Service `web` has no endpoints: "),
        (Unreached::NoPort, "the Service `web` has no port 80"),
        (Unreached::NoAddress, "the Service `web` has no address"),
        (Unreached::Refused, "nothing listens at port 80 of the Service `web`"),
        (Unreached::NoWay, "the API server finds no way to port 80"),
        (Unreached::Slow, "the Service `web` gave no whole answer at port 80 within 5s"),
        (Unreached::Broken, "what port 80 of the Service `web` gives is no whole answer of HTTP"),
    ];
    for (why, words) in table {
        let judgement = judged(&check(json!({ "expect": { "status": 503 } })), Err(why));
        assert_eq!((judgement.outcome, judgement.blame), (Outcome::Fail, Some(Blame::NotHealthy)), "{why:?}");
        assert!(judgement.evidence[0].message.starts_with(words), "{judgement:?}");
        assert_eq!(judgement.evidence[0].place.line, Some(1));
    }
    let nothing = Said::Nothing("we may not".to_owned());
    let unknown = judged_in(&check(json!({})), world(Maker::Commit, Maker::Controller), nothing);
    assert_eq!(unknown.outcome, Outcome::Inconclusive);
}

#[test]
fn an_answer_counts_only_from_what_the_commit_made() {
    let right = || said(Ok(reply(200, r#"{"ok": true}"#)));
    let of = |objects: Vec<Seen>| judged_in(&check(json!({})), objects, right());
    assert_eq!(of(world(Maker::Commit, Maker::Commit)).outcome, Outcome::Pass);
    let by_hand = of(world(Maker::Somebody, Maker::Controller));
    assert_eq!((by_hand.outcome, by_hand.blame), (Outcome::Fail, Some(Blame::YourFiles)));
    assert!(messages(&by_hand)[0].ends_with("what is made by hand does not count"), "{by_hand:?}");
    let mixed = of(world(Maker::Commit, Maker::Somebody));
    assert_eq!(
        messages(&mixed),
        [
            "behind the Service `web` is the Pod `web-b`, which nothing of this commit made: what is made by hand does not count"
        ]
    );
    let none = of(vec![seen("Service", "web", "other", Maker::Commit)]);
    assert_eq!(messages(&none), ["the environment has no Service `web` of this commit"]);
    let mut gone = world(Maker::Commit, Maker::Controller);
    gone.pop();
    assert_eq!(of(gone).outcome, Outcome::Fail, "a Pod that nobody knows");
    let mut unled = world(Maker::Commit, Maker::Controller);
    unled.remove(2);
    assert_eq!(of(unled).outcome, Outcome::Fail, "no endpoints, and yet an answer");

    let pod = check(json!({ "via": { "pod": "web-a", "port": 8080 } }));
    assert_eq!(judged_in(&pod, world(Maker::Commit, Maker::Commit), right()).outcome, Outcome::Pass);
    let by_hand = check(json!({ "via": { "pod": "web-b", "port": 8080 } }));
    assert_eq!(judged_in(&by_hand, world(Maker::Commit, Maker::Somebody), right()).outcome, Outcome::Fail);
}

#[test]
fn without_an_environment_the_twin_judges_the_files_and_says_so() {
    let files = tree(&[("web.yaml", WEB)]);
    assert_eq!(judge(&check(json!({})), &files).outcome, Outcome::NotRun);
    let twin = json!({ "select": { "kind": "Service" }, "match": { "spec": { "selector": { "app": "shop" } } } });
    let judgement = judge(&check(json!({ "offline": { "manifest": twin } })), &files);
    assert_eq!(judgement.outcome, Outcome::Fail);
    assert!(messages(&judgement)[0].ends_with("(judged on the files: there is no environment here)"), "{judgement:?}");
}

#[test]
fn a_checkpoint_that_nobody_could_judge_is_refused() {
    let twin = json!({ "file": { "path": "web.yaml", "expect": "exists" } });
    let problems = |extra: Value| -> Vec<String> {
        let mut check = check(extra);
        check.offline = serde_json::from_value(twin.clone()).unwrap();
        check.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
    };
    let table = [
        (json!({}), vec![]),
        (json!({ "via": { "port": 80 } }), vec!["/via"]),
        (json!({ "via": { "service": "web", "pod": "web", "port": 80 } }), vec!["/via"]),
        (json!({ "via": { "service": "Web/x", "port": "http" } }), vec!["/via/service"]),
        (json!({ "via": { "service": "web", "port": 0 } }), vec!["/via/port"]),
        (json!({ "via": { "service": "web", "port": "8080/x" } }), vec!["/via/port"]),
        (json!({ "via": { "pod": "web-0", "port": "http" } }), vec!["/via/port"]),
        (json!({ "get": "healthz" }), vec!["/get"]),
        (json!({ "get": "//evil.example" }), vec!["/get"]),
        (json!({ "get": "/a/../../secrets" }), vec!["/get"]),
        (json!({ "get": "/a b" }), vec!["/get"]),
        (json!({ "get": "/a#b" }), vec!["/get"]),
        (json!({ "get": "/a?b=..//" }), vec![]),
        (json!({ "expect": { "status": { "$x": 1 } } }), vec!["/expect/status/$x"]),
        (json!({ "expect": { "headers": { "a b": "x" } } }), vec!["/expect/headers/a b"]),
        (json!({ "expect": { "within": "6s" } }), vec!["/expect/within"]),
        (json!({ "expect": { "within": "0s" } }), vec!["/expect/within"]),
    ];
    for (extra, expected) in table {
        assert_eq!(problems(extra.clone()), expected, "{extra}");
    }
    assert_eq!(check(json!({})).lint(&BTreeMap::new())[0].0, "", "a twin");
}

/// By the operator's address `gateway`.
fn by_address(expect: Value) -> Http {
    let via = json!({ "address": "gateway" });
    serde_json::from_value(json!({ "via": via, "get": "/$namespace/healthz", "expect": expect })).unwrap()
}

#[test]
fn a_server_of_the_operators_needs_no_objects_and_what_is_wrong_with_it_costs_nobody_points() {
    let check = by_address(json!({ "json": { "ok": true } }));
    assert!(matches!(&check.wants(None)[..], [Want::Http(ask)] if ask.path == "/$namespace/healthz"));
    let judged = |reply| judged_in(&check, Vec::new(), said(reply));
    assert_eq!(judged(Ok(reply(200, r#"{"ok": true}"#))), Judgement::pass());
    let wrong = judged(Ok(reply(404, "{}")));
    assert_eq!((wrong.outcome, wrong.blame), (Outcome::Fail, Some(Blame::HealthyButWrong)));
    assert_eq!(
        wrong.evidence[0].subject.as_deref(),
        Some("GET /$namespace/healthz of the operator's address `gateway`")
    );
    assert_eq!(wrong.evidence[0].place.file, None, "no file of the learner's says where it is");
    for (why, words) in [
        (Unreached::Refused, "the operator's address `gateway` cannot be reached"),
        (Unreached::Slow, "the operator's address `gateway` gave no whole answer within 5s"),
        (Unreached::Broken, "what the operator's address `gateway` gives is no whole answer of HTTP"),
    ] {
        let judgement = judged(Err(why));
        assert_eq!((judgement.outcome, messages(&judgement)), (Outcome::Inconclusive, vec![words]));
    }
    // As where no environment is: what judges the files does, if there is something.
    let unknown = judged(Err(Unreached::NotConfigured));
    assert_eq!(unknown.outcome, Outcome::NotRun);
    let words = "the operator's address `gateway` is not configured here: its place is `argocd.addresses`";
    assert_eq!(messages(&unknown), [words]);
    let twin = json!({ "file": { "path": "missing.yaml", "expect": "exists" } });
    let check = Http { offline: Some(Box::new(serde_json::from_value(twin).unwrap())), ..check };
    let files = judged_in(&check, Vec::new(), said(Err(Unreached::NotConfigured)));
    assert_eq!(files.outcome, Outcome::Fail);
    assert!(messages(&files)[0].ends_with(&format!("(judged on the files: {words})")), "{files:?}");
}

#[test]
fn where_and_about_whom_is_said_once() {
    let problems = |via: Value, get: &str| -> Vec<(String, String)> {
        let check: Http = serde_json::from_value(json!({ "via": via, "get": get })).unwrap();
        let missing = |one: &(String, String)| one.1 == twin::MISSING;
        check.lint(&BTreeMap::new()).into_iter().filter(|one| !missing(one)).collect()
    };
    for (via, get, at) in [
        (json!({ "address": "gateway" }), "/$namespace", None),
        (json!({ "service": "web", "port": 80 }), "/of/$namespace", None),
        (json!({ "service": "web", "port": 80 }), "/a$|b$", None),
        (json!({ "address": "gateway" }), "/all", Some("/get")),
        (json!({ "address": "gateway" }), "/$namespaces", Some("/get")),
        (json!({ "service": "web", "port": 80 }), "/$learner", Some("/get")),
        (json!({ "address": "gateway", "port": 80 }), "/$namespace", Some("/via/port")),
        (json!({ "address": "gateway", "service": "web" }), "/$namespace", Some("/via")),
        (json!({ "address": "http://evil" }), "/$namespace", Some("/via/address")),
        (json!({ "service": "web" }), "/", Some("/via")),
    ] {
        let found: Vec<_> = problems(via.clone(), get).into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, at.into_iter().collect::<Vec<_>>(), "{via} {get}");
    }
}
