use std::collections::BTreeMap;

use serde_json::json;

use super::super::observed::{Maker, Said, Seen};
use super::super::outcome::Outcome;
use super::super::testing::{judge, judge_sight, tree};
use super::super::via::{Answer, Unreached};
use super::*;
use crate::checkpoint::{Check, Sight};

fn check(expect: Value) -> Promql {
    let value = json!({ "via": { "service": "prometheus", "port": 9090 }, "query": "sum(rate(x{a=\"b\"}[1m])) > 0", "expect": expect });
    serde_json::from_value(value).unwrap()
}

fn judged(check: &Promql, reply: Result<Reply, Unreached>) -> Judgement {
    let seen = |kind: &str, name: &str, more: Value| {
        let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": "ada" } });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Seen { object, maker: Maker::Commit }
    };
    let subsets = json!({ "subsets": [{ "addresses": [{ "targetRef": { "kind": "Pod", "name": "p" } }] }] });
    let objects = vec![
        seen("Service", "prometheus", json!({})),
        seen("Endpoints", "prometheus", subsets),
        seen("Pod", "p", json!({})),
    ];
    let said = Said::Http(Answer { namespace: "ada".to_owned(), reply });
    let sample = Sample { objects, answers: vec![(check.wants(None).pop().unwrap(), said)], ..Sample::default() };
    judge_sight(check, &tree(&[]), Sight::Seen(&sample))
}

fn answers(check: &Promql, status: u16, body: Value) -> Judgement {
    let body = Some(body.to_string());
    judged(check, Ok(Reply { status, headers: BTreeMap::new(), body, late: false }))
}

/// As kept: without the times of samples.
fn vector(values: &[&str]) -> Value {
    let one = |(index, value): (usize, &&str)| json!({ "metric": { "pod": format!("p-{index}") }, "value": value });
    let result: Vec<_> = values.iter().enumerate().map(one).collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } })
}

fn of(kind: &str, result: Value) -> Value {
    json!({ "status": "success", "data": { "resultType": kind, "result": result } })
}

fn words(judgement: &Judgement) -> Vec<&str> {
    judgement.evidence.iter().map(|evidence| evidence.message.as_str()).collect()
}

#[test]
fn every_value_of_every_series_must_be_right() {
    let positive = check(json!({ "value": { "$gt": 0 } }));
    let table: [(Value, &[&str]); 14] = [
        (vector(&["1"]), &[]),
        (vector(&["1.5e+09", "0.001"]), &[]),
        (vector(&["0"]), &["`value` is 0, must be more than 0"]),
        (vector(&["1", "-2.5"]), &["{pod=\"p-1\"}: `value` is -2.5, must be more than 0"]),
        (vector(&[]), &["the query finds no data: of what it asks for nothing was measured"]),
        (
            vector(&["NaN"]),
            &["the value is NaN, which is no number that can be compared: nothing was divided by nothing, most often"],
        ),
        (vector(&["+Inf"]), &["the value is +Inf, which is no number that can be compared"]),
        (of("scalar", json!("3")), &[]),
        (of("scalar", json!("0")), &["`value` is 0, must be more than 0"]),
        (of("string", json!("3")), &["the value is 3, which is no number that can be compared"]),
        (of("matrix", json!([{ "metric": {}, "values": ["1", "2"] }])), &[]),
        (of("matrix", json!([{ "metric": {}, "values": ["1", "0"] }])), &["`value` is 0, must be more than 0"]),
        (
            of("matrix", json!([{ "metric": {}, "values": [] }])),
            &["the query finds no data: of what it asks for nothing was measured"],
        ),
        (
            of("vector", json!([{ "metric": {}, "histogram": {} }])),
            &["the value is a histogram, which is no number: say `histogram_quantile` or the like"],
        ),
    ];
    for (body, expected) in table {
        let judgement = answers(&positive, 200, body.clone());
        assert_eq!(words(&judgement), expected, "{body}");
        let outcome = if expected.is_empty() { Outcome::Pass } else { Outcome::Fail };
        assert_eq!(judgement.outcome, outcome, "{body}");
    }
    let many = answers(&positive, 200, vector(&["0"; 30]));
    assert_eq!((many.evidence.len(), words(&many)[10]), (11, "and 20 more of the same kind"));
}

#[test]
fn what_is_no_number_passes_by_its_own_name_alone() {
    for (expect, body, outcome) in [
        (json!({ "$ne": 0 }), vector(&["NaN"]), Outcome::Fail),
        (json!({ "$present": true }), vector(&["NaN"]), Outcome::Fail),
        (json!({ "$gt": 0 }), vector(&["+Inf"]), Outcome::Fail),
        (json!("NaN"), vector(&["NaN"]), Outcome::Pass),
        (json!("NaN"), vector(&["0"]), Outcome::Fail),
        (json!("+Inf"), vector(&["+Inf"]), Outcome::Pass),
        (json!("+Inf"), vector(&["-Inf"]), Outcome::Fail),
        (json!("up"), of("string", json!("up")), Outcome::Pass),
        (json!(0), vector(&["0"]), Outcome::Pass),
        (json!(0), vector(&[]), Outcome::Fail),
    ] {
        let judgement = answers(&check(json!({ "value": expect })), 200, body.clone());
        assert_eq!(judgement.outcome, outcome, "{expect} of {body}");
    }
}

#[test]
fn series_are_counted() {
    let counted = |min: u32, max: Option<u32>, values: &[&str]| {
        let series = max.map_or(json!({ "min": min }), |max| json!({ "min": min, "max": max }));
        let judgement = answers(&check(json!({ "series": series })), 200, vector(values));
        judgement.evidence.into_iter().map(|evidence| evidence.message).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(counted(1, Some(1), &["0"]), "");
    assert_eq!(counted(1, Some(1), &["0", "NaN"]), "the query gives 2 series, must be at most 1");
    assert_eq!(counted(2, None, &["0"]), "the query gives 1 series, must be at least 2");
    assert!(counted(1, None, &[]).starts_with("the query finds no data"));
    assert_eq!(counted(2, None, &["0"; 9]), "");
}

#[test]
fn whose_matter_an_error_is() {
    let positive = check(json!({ "value": { "$gt": 0 } }));
    let error = |kind: &str, text: &str| json!({ "status": "error", "errorType": kind, "error": text });
    let parse = "invalid parameter \"query\": 1:5: parse error: unexpected end of input";
    let judgement = answers(&positive, 400, error("bad_data", parse));
    assert_eq!((judgement.outcome, judgement.blame), (Outcome::Error, Some(Blame::Ours)));
    assert_eq!(words(&judgement), [format!("Prometheus cannot read the query: {parse}")]);
    for (status, body, words) in [
        (422, error("execution", "many-to-many matching not allowed"), "Prometheus has no answer: execution: many-to"),
        (503, error("timeout", "query timed out"), "Prometheus has no answer: timeout: query timed out"),
        (500, error("bad_data", "x"), "Prometheus has no answer: bad_data: x"),
        (200, json!("<html>`"), "what answers is no Prometheus: status 200, `\"<html>'\"`"),
        (404, json!({}), "what answers is no Prometheus: status 404"),
        (200, of("vector", json!("x")), "what answers is no Prometheus: `"),
        (200, of("scalar", Value::Null), "what answers is no Prometheus: `"),
    ] {
        let judgement = answers(&positive, status, body);
        assert_eq!(judgement.outcome, Outcome::Fail, "{words}");
        assert!(judgement.evidence[0].message.starts_with(words), "{judgement:?}");
    }
    let long = judged(&positive, Ok(Reply { status: 200, headers: BTreeMap::new(), body: None, late: false }));
    assert_eq!(words(&long), ["Prometheus answers with more than 64 KiB, which is more than is read"]);
    let nobody = judged(&positive, Err(Unreached::NoEndpoints));
    assert_eq!((nobody.outcome, nobody.blame), (Outcome::Fail, Some(Blame::NotHealthy)));
}

#[test]
fn it_asks_prometheus_and_nothing_else() {
    let Some(Want::Http(ask)) = check(json!({ "value": 1 })).wants(None).pop() else { panic!() };
    assert_eq!(ask.path, "/api/v1/query?query=sum%28rate%28x%7Ba%3D%22b%22%7D%5B1m%5D%29%29+%3E+0&timeout=4s");
    assert_eq!((ask.target.name.as_str(), ask.target.port.as_deref()), ("prometheus", Some("9090")));
    assert_eq!(judge(&check(json!({ "value": 1 })), &tree(&[])).outcome, Outcome::NotRun, "no environment, no twin");
}

#[test]
fn a_checkpoint_that_nobody_could_judge_is_refused() {
    let problems = |expect: Value, query: &str| -> Vec<String> {
        let mut check = check(expect);
        check.query = query.to_owned();
        check.offline = serde_json::from_value(json!({ "file": { "path": "web.yaml", "expect": "exists" } })).unwrap();
        check.lint(&BTreeMap::new()).into_iter().map(|(at, _)| at).collect()
    };
    for (expect, query, expected) in [
        (json!({ "value": { "$gt": 0 }, "series": { "max": 1 } }), "up", vec![]),
        (json!({}), "up", vec!["/expect"]),
        (json!({ "value": 1 }), " ", vec!["/query"]),
        (json!({ "value": 1 }), "x".repeat(3000).as_str(), vec!["/query"]),
        (json!({ "value": { "$gtt": 1 } }), "up", vec!["/expect/value/$gtt"]),
        (json!({ "series": { "min": 0 } }), "up", vec!["/expect/series/min"]),
        (json!({ "series": { "min": 3, "max": 2 } }), "up", vec!["/expect/series/max"]),
    ] {
        assert_eq!(problems(expect.clone(), query), expected, "{expect}");
    }
    assert_eq!(check(json!({ "value": 1 })).lint(&BTreeMap::new())[0].0, "", "a twin");
}

#[test]
fn the_operators_prometheus_is_asked_about_one_namespace_and_its_troubles_are_nobodys_work() {
    let value = json!({ "via": { "address": "prometheus" }, "query": "sum(up{namespace=\"$namespace\"})", "expect": { "value": 1 } });
    let check: Promql = serde_json::from_value(value).unwrap();
    let Some(Want::Http(ask)) = check.wants(None).pop() else { panic!() };
    let path = "/api/v1/query?query=sum%28up%7Bnamespace%3D%22shop-ada%22%7D%29&timeout=4s";
    assert_eq!(ask.path_in("shop-ada"), path);
    assert_eq!(answers(&check, 200, vector(&["1"])), Judgement::pass());
    let wrong = answers(&check, 200, vector(&["0"]));
    let subject = "the operator's address `prometheus`, the query sum(up{namespace=\"$namespace\"})";
    assert_eq!((wrong.outcome, wrong.evidence[0].subject.as_deref()), (Outcome::Fail, Some(subject)));
    assert_eq!(answers(&check, 200, vector(&[])).outcome, Outcome::Fail, "nothing was measured");
    let error = |kind: &str| json!({ "status": "error", "errorType": kind, "error": "why" });
    for (status, body, outcome) in [
        (400, error("bad_data"), Outcome::Error),
        (422, error("execution"), Outcome::Inconclusive),
        (503, error("timeout"), Outcome::Inconclusive),
        (403, json!({}), Outcome::Inconclusive),
        (502, json!("bad gateway"), Outcome::Inconclusive),
    ] {
        assert_eq!(answers(&check, status, body.clone()).outcome, outcome, "{body}");
    }
    let long = judged(&check, Ok(Reply { status: 200, headers: BTreeMap::new(), body: None, late: false }));
    assert_eq!(long.outcome, Outcome::Inconclusive);
    let judged = judged(&check, Err(Unreached::Refused));
    assert_eq!(judged.outcome, Outcome::Inconclusive);
}
