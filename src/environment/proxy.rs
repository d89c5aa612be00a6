//! What answers at an address of an environment, through the API server's proxy. Whoever answers is the learner's workload:
//! what is read of it is bounded in bytes and time, and nothing that it says is taken for the API server's word.

use std::time::Instant;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ask::Asker;
use crate::checkpoint::observed::Said;
use crate::checkpoint::via::{Addressee, Answer, Ask, Keep, MOST_BYTES, PATIENCE, Reply, Unreached};

/// Longest header that is kept.
const MOST_HEADER: usize = 1 << 10;

impl Asker<'_> {
    /// What answers.
    pub async fn http(&self, ask: &Ask) -> Said {
        let answer = |reply| Said::Http(Answer { namespace: self.namespace.to_owned(), reply });
        let plural = match (ask.target.kind, self.addresses) {
            (Addressee::Service, _) => "services",
            (Addressee::Pod, _) => "pods",
            (Addressee::Address, Some(addresses)) => return addresses.ask(ask, self.namespace).await,
            (Addressee::Address, None) => return answer(Err(Unreached::NotConfigured)),
        };
        let given = match timeout(PATIENCE.0, self.get(ask, plural)).await {
            Ok(Got::Reply(reply)) => return answer(Ok(reply)),
            Ok(Got::Unreached(why)) => return answer(Err(why)),
            Ok(Got::Unsure(given)) => given,
            Err(_) => Err(Unreached::Slow),
        };
        match self.ours(ask, plural).await {
            None => answer(given),
            Some(why) => Said::Nothing(why),
        }
    }

    async fn get(&self, ask: &Ask, plural: &str) -> Got {
        let path = ask.path_in(self.namespace);
        let uri = format!("/api/v1/namespaces/{}/{plural}/{}/proxy{path}", self.namespace, subject(ask));
        let request = http::Request::get(uri).header("accept-encoding", "identity").header("user-agent", "gradus");
        let Some(request) = once().await.and_then(|body| request.body(body).ok()) else {
            return Got::Unsure(Err(Unreached::Broken));
        };
        let begun = Instant::now();
        let Ok(response) = self.kinds.client().send(request).await else {
            return Got::Unsure(Err(Unreached::Broken));
        };
        let Some(mut reply) = read(response, ask, begun).await else {
            return Got::Unsure(Err(Unreached::Broken));
        };
        let own = reply.body.as_deref().and_then(|body| own_words(reply.status, body));
        reply.body = reply.body.map(|body| kept(ask.body, body));
        match own.map(|words| unreached(&words)) {
            None => Got::Reply(reply),
            Some(Some(why)) => Got::Unreached(why),
            Some(None) => Got::Unsure(Ok(reply)),
        }
    }

    /// Why it is our matter or the API server's that there is no good answer; none where it is not. Asked of the API server
    /// itself, because a workload can say whatever an API server says.
    async fn ours(&self, ask: &Ask, plural: &str) -> Option<String> {
        let attributes = ResourceAttributes {
            verb: Some("get".to_owned()),
            resource: Some(plural.to_owned()),
            subresource: Some("proxy".to_owned()),
            name: Some(subject(ask)),
            namespace: Some(self.namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.kinds.client().clone());
        match timeout(PATIENCE.0, reviews.create(&PostParams::default(), &review)).await {
            Ok(Ok(review)) if review.status.as_ref().is_some_and(|status| status.allowed) => None,
            Ok(Ok(_)) => Some(format!("we may not get {plural}/proxy in the environment's namespace")),
            Ok(Err(error)) => Some(format!("the API server does not answer: {error}")),
            Err(_) => Some(format!("the API server does not answer within {PATIENCE}")),
        }
    }
}

/// The body of a question that is asked once. A client repeats what it can clone, up to 15 times after a 429, 503 or 504 and
/// as late as a workload's `Retry-After` says; only the body of an answer cannot be cloned.
async fn once() -> Option<Body> {
    let empty = async |_| Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<Bytes>::new()));
    let nowhere = Client::new(tower::service_fn(empty), "");
    nowhere.send(http::Request::new(Body::empty())).await.ok().map(http::Response::into_body)
}

/// What came of one request.
enum Got {
    /// The workload's.
    Reply(Reply),
    /// The API server says why there is none; a workload that says so says that it gave none.
    Unreached(Unreached),
    /// This, if the API server is well and lets us ask.
    Unsure(Result<Reply, Unreached>),
}

/// As the API server calls an address, as in `web:80`.
fn subject(ask: &Ask) -> String {
    format!("{}:{}", ask.target.name, ask.target.port.as_deref().unwrap_or_default())
}

/// Reads an answer, the whole body where it is not too long; none where it is not whole.
pub(super) async fn read<B>(response: http::Response<B>, ask: &Ask, begun: Instant) -> Option<Reply>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => Some(String::from_utf8_lossy(&body.to_bytes()).into_owned()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
        Err(_) => return None,
    };
    let late = ask.within.is_some_and(|within| begun.elapsed() > within.0);
    let header = |name: &String| {
        let values: Vec<_> =
            parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| (name.clone(), values.join(", ").chars().take(MOST_HEADER).collect()))
    };
    let headers = ask.headers.iter().filter_map(header).collect();
    Some(Reply { status: parts.status.as_u16(), headers, body, late })
}

/// What an API server would have said itself, by the look of it.
fn own_words(status: u16, body: &str) -> Option<String> {
    if status < 400 {
        return None;
    }
    let object: Value = serde_json::from_str(body).ok()?;
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    (text("kind") == Some("Status") && text("apiVersion") == Some("v1"))
        .then(|| text("message").unwrap_or_default().to_owned())
}

/// Why there is no answer, by the API server's words about it (`pkg/registry/core/service/storage` and `util/proxy` of
/// Kubernetes 1.35).
fn unreached(words: &str) -> Option<Unreached> {
    if words.starts_with("no endpoints available for service ") {
        return Some(Unreached::NoEndpoints);
    }
    if words.starts_with("no service port ") {
        return Some(Unreached::NoPort);
    }
    if words == "address not allowed" || words.ends_with(" not found") {
        return Some(Unreached::NoAddress);
    }
    let reason = words.strip_prefix("error trying to reach service: ")?;
    let has = |part: &str| reason.contains(part);
    Some(match () {
        () if has("connection refused") => Unreached::Refused,
        () if has("no route to host") || has("network is unreachable") || has("i/o timeout") => Unreached::NoWay,
        () => Unreached::Broken,
    })
}

/// What is kept of a body.
pub(crate) fn kept(keep: Keep, body: String) -> String {
    match keep {
        Keep::Nothing => String::new(),
        Keep::Text => body,
        Keep::Samples => serde_json::from_str(&body).map(|value| samples(value).to_string()).unwrap_or(body),
    }
}

/// An answer of Prometheus's API without the times of its samples, its series ordered by their labels.
fn samples(answer: Value) -> Value {
    let mut kept = json!({});
    for field in ["status", "errorType", "error"] {
        if let Some(value) = answer.get(field) {
            kept[field] = value.clone();
        }
    }
    let Some(data) = answer.get("data") else { return kept };
    let value = |sample: &Value| sample.get(1).cloned().unwrap_or_default();
    let series = |one: &Value| {
        let mut kept = json!({ "metric": one.get("metric") });
        for (field, many) in [("value", false), ("histogram", false), ("values", true), ("histograms", true)] {
            let Some(found) = one.get(field) else { continue };
            kept[field] = match (many, found.as_array()) {
                (true, Some(samples)) => samples.iter().map(value).collect(),
                _ => value(found),
            };
        }
        kept
    };
    let kind = data.get("resultType").and_then(Value::as_str).unwrap_or_default();
    let result = match (kind, data.get("result").and_then(Value::as_array)) {
        ("scalar" | "string", Some(_)) => value(&data["result"]),
        (_, Some(all)) => {
            let mut all: Vec<Value> = all.iter().map(series).collect();
            all.sort_by_cached_key(|one| one["metric"].to_string());
            all.into()
        }
        (_, None) => Value::Null,
    };
    kept["data"] = json!({ "resultType": kind, "result": result });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_servers_own_words_are_told_from_others() {
        let status = |message: &str| json!({ "kind": "Status", "apiVersion": "v1", "message": message }).to_string();
        let table = [
            (503, status("no endpoints available for service \"web:80\""), Some(Some(Unreached::NoEndpoints))),
            (503, status("no service port 81 found for service \"web\""), Some(Some(Unreached::NoPort))),
            (400, status("address not allowed"), Some(Some(Unreached::NoAddress))),
            (404, status("pods \"web-0\" not found"), Some(Some(Unreached::NoAddress))),
            (
                503,
                status("error trying to reach service: dial tcp 10.0.0.7:80: connect: connection refused"),
                Some(Some(Unreached::Refused)),
            ),
            (
                503,
                status("error trying to reach service: dial tcp 10.0.0.7:80: i/o timeout"),
                Some(Some(Unreached::NoWay)),
            ),
            (503, status("error trying to reach service: EOF"), Some(Some(Unreached::Broken))),
            (403, status("services \"web:80\" is forbidden: no"), Some(None)),
            (429, status("too many requests"), Some(None)),
            (200, status("no endpoints available for service \"web:80\""), None),
            (503, "no endpoints available for service \"web:80\"".to_owned(), None),
            (503, json!({ "kind": "Status" }).to_string(), None),
        ];
        for (code, body, expected) in table {
            assert_eq!(own_words(code, &body).map(|words| unreached(&words)), expected, "{code} {body}");
        }
    }

    #[test]
    fn two_answers_of_prometheus_that_say_the_same_are_the_same() {
        let vector = |time: f64, turned: bool| {
            let mut result = vec![
                json!({ "metric": { "pod": "a" }, "value": [time, "1"] }),
                json!({ "metric": { "pod": "b" }, "value": [time, "NaN"] }),
            ];
            if turned {
                result.reverse();
            }
            json!({ "status": "success", "data": { "resultType": "vector", "result": result }, "warnings": ["x"] })
        };
        let text = |value: &Value| kept(Keep::Samples, value.to_string());
        assert_eq!(text(&vector(1.5, false)), text(&vector(2.5, true)));
        let of = |kind: &str, result: Value| {
            samples(json!({ "data": { "resultType": kind, "result": result } }))["data"]["result"].clone()
        };
        assert_eq!(of("scalar", json!([1.5, "3"])), json!("3"));
        assert_eq!(of("string", json!([1.5, "x"])), json!("x"));
        let matrix = json!([{ "metric": {}, "values": [[1, "2"], [2, "3"]] }]);
        assert_eq!(of("matrix", matrix), json!([{ "metric": {}, "values": ["2", "3"] }]));
        assert_eq!(of("vector", json!("hostile")), Value::Null);
        assert_eq!(kept(Keep::Samples, "no JSON".to_owned()), "no JSON");
    }
}
