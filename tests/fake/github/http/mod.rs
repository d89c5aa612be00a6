//! The HTTP face: a request goes in, an answer comes out; everything about both is checked against GitHub's description.

pub mod auth;
pub mod call;
pub mod ctx;
pub mod desk;
pub mod git;
pub mod graphql;
pub mod limits;
pub mod paging;
pub mod render;
pub mod reply;
pub mod routes;
pub mod service;

use std::collections::HashMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::clock::{Millis, http_date};
use super::hub::Inner;
use super::spec::{self, Spec};
use super::state::account::{Actor, Token};
use super::state::refusal::Refusal;
use call::Call;
use ctx::Ctx;
use limits::{Cost, Resource};
use reply::Reply;
use routes::{Makes, Needs, ROUTES, Route};

static SPEC: LazyLock<Spec> = LazyLock::new(|| spec::load(&ROUTES.iter().map(|route| route.id).collect::<Vec<_>>()));

/// `X-GitHub-Api-Version` that GitHub knows.
const API_VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// The operation that a request asks for, as in [`Call::operation`], and the values of its path.
pub fn locate(method: &str, path: &str) -> (&'static str, HashMap<String, String>) {
    if (method, path) == ("POST", "/graphql") {
        return ("graphql", HashMap::new());
    }
    if let Some((operation, owner, repo)) = git::locate(method, path) {
        return (operation, [("owner".to_owned(), owner), ("repo".to_owned(), repo)].into());
    }
    let found = SPEC.find(method, path);
    found.and_then(|(id, parameters)| Some((route(id)?.id, parameters))).unwrap_or_default()
}

fn route(id: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.id == id)
}

/// Answers a request, by what is true now, or for reads by what was true at `past`.
pub fn perform(inner: &mut Inner, call: &Call, past: Option<Millis>) -> Reply {
    let reply = check_headers(inner, call).and_then(|()| answer(inner, call, past));
    let reply = reply.unwrap_or_else(|reply| *reply);
    let request = call.number;
    reply.with("date", http_date(inner.now())).with("x-github-request-id", format!("FA4E:{request:06X}"))
}

fn check_headers(inner: &mut Inner, call: &Call) -> Result<(), Box<Reply>> {
    if call.header("user-agent").is_none_or(str::is_empty) {
        inner.violation(call, "there is no User-Agent: GitHub refuses such requests");
        let message =
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return Err(refused(Refusal::forbidden(message)));
    }
    if let Some(version) = call.header("x-github-api-version")
        && !API_VERSIONS.contains(&version)
    {
        inner.violation(call, &format!("X-GitHub-Api-Version {version} is not supported"));
        return Err(refused(Refusal { status: 400, ..Refusal::forbidden("API version is not supported") }));
    }
    Ok(())
}

fn refused(refusal: Refusal) -> Box<Reply> {
    Box::new(refusal.into())
}

fn answer(inner: &mut Inner, call: &Call, past: Option<Millis>) -> Result<Reply, Box<Reply>> {
    let now = inner.now();
    let tokens = &inner.desk.tokens;
    let who = auth::actor(call, &inner.state, |secret| tokens.get(secret).cloned(), now);
    let (actor, token) = who.map_err(refused)?;
    if let Some(record) = inner.calls.get_mut((call.number as usize).wrapping_sub(1)) {
        record.actor = actor;
    }
    if call.operation == "graphql" {
        return graphql::answer(inner, call, actor, token.as_ref(), past);
    }
    if [git::ADVERTISE, git::FETCH, git::PUSH].contains(&call.operation) {
        return git::answer(inner, call, actor, token.as_ref()).map_err(refused);
    }
    let Some(route) = route(call.operation) else {
        inner.violation(call, "the fake offers no such endpoint");
        return Err(refused(Refusal::not_found()));
    };
    let wrong = SPEC.check_request(route.id, &call.parameters, &call.query, call.body.as_ref());
    wrong.iter().for_each(|what| inner.violation(call, what));
    if wrong.iter().any(|what| what.starts_with("body")) {
        let refusal = Refusal::invalid_message(format!("Invalid request.\n\n{}", wrong.join("\n")));
        return Err(refused(refusal));
    }
    let makes = match route.makes {
        Makes::Nothing => false,
        Makes::Content => true,
        Makes::Note => inner.desk.limits.labels_and_statuses_are_content,
    };
    let cost = Cost { points: if call.reads() { 1 } else { 5 }, content: makes, resource: Resource::Core };
    let limits = inner.desk.limits;
    // Asking for the budget is free.
    if route.id != "rate-limit/get"
        && let Err(refused) = inner.desk.meters.count(actor, cost, &limits, now)
    {
        return Ok(with_budget(inner, *refused, actor, Resource::Core));
    }
    // Only what is of a repository: the rest may depend on the time.
    let allowed = may(route.needs, actor, token.as_ref());
    let asked = (call.reads() && past.is_none() && call.path.starts_with("/repos/") && allowed.is_ok())
        .then(|| format!("{actor:?} {} {} {:?}", call.base, call.path, call.query));
    if let Some(reply) = asked.as_ref().and_then(|asked| inner.answered_before(asked)) {
        return Ok(revalidated(inner, call, actor, reply));
    }
    let result = allowed.and_then(|()| {
        let mut lagging = past.filter(|_| call.reads()).and_then(|past| inner.past(past));
        let state = lagging.as_mut().unwrap_or(&mut inner.state);
        (route.run)(&mut Ctx { state, desk: &mut inner.desk, call, actor, token, now })
    });
    if !call.reads() {
        inner.changed();
    }
    let mut reply = result.unwrap_or_else(Reply::from);
    let bytes = reply.bytes();
    for wrong in SPEC.check_answer(route.id, reply.status, reply.body.as_ref(), &bytes) {
        inner.violation(call, &wrong);
    }
    if call.reads() && reply.status == 200 {
        reply = reply.with("etag", format!("W/\"{}\"", hex::encode(Sha256::digest(&bytes))));
    }
    // Written down and checked: nobody looks at it as JSON any more.
    if reply.body.take().is_some() {
        reply = reply.with("content-type", reply::JSON);
    }
    if let Some(asked) = asked {
        inner.keep_answer(asked, &reply);
    }
    Ok(revalidated(inner, call, actor, reply))
}

/// The answer, or that it did not change.
fn revalidated(inner: &mut Inner, call: &Call, actor: Actor, reply: Reply) -> Reply {
    let tag = reply.headers.iter().find(|(name, _)| name == "etag").map(|(_, tag)| tag.as_str());
    if tag.is_none() || call.header("if-none-match") != tag {
        return with_budget(inner, reply, actor, Resource::Core);
    }
    // Free of the primary limit, when there are credentials.
    if actor != Actor::Anonymous {
        inner.desk.meters.give_back(actor, Resource::Core);
    }
    let mut same = Reply { headers: reply.headers, ..Reply::empty(304) };
    same.headers.retain(|(name, _)| name != "content-type");
    with_budget(inner, same, actor, Resource::Core)
}

/// The answer with `x-ratelimit-*`.
fn with_budget(inner: &mut Inner, reply: Reply, actor: Actor, resource: Resource) -> Reply {
    let (limits, now) = (inner.desk.limits, inner.now());
    let budget = inner.desk.meters.budget(actor, resource, &limits, now);
    ["limit", "remaining", "used", "reset"]
        .iter()
        .fold(reply, |reply, name| reply.with(&format!("x-ratelimit-{name}"), budget[name].to_string()))
        .with("x-ratelimit-resource", resource.word())
}

fn may(needs: Needs, actor: Actor, token: Option<&Token>) -> Result<(), Refusal> {
    let no_integration = || Refusal::forbidden("Resource not accessible by integration");
    match (needs, actor) {
        (Needs::Nothing, _) | (Needs::App, Actor::App(_)) | (Needs::User, Actor::User(_)) => Ok(()),
        (Needs::App, Actor::Anonymous | Actor::User(_) | Actor::Installation(_)) => {
            Err(Refusal::unauthorised("A JSON web token could not be decoded"))
        }
        (Needs::Installation, Actor::Installation(_)) => Ok(()),
        (Needs::User | Needs::Installation, Actor::Anonymous) => Err(Refusal::unauthorised("Requires authentication")),
        (Needs::User | Needs::Installation, _) => Err(no_integration()),
        (Needs::Any(_), Actor::App(_)) => Err(Refusal::unauthorised("A JSON web token could not be decoded")),
        (Needs::Any(_), Actor::Anonymous | Actor::User(_)) => Ok(()),
        (Needs::Any(wanted), Actor::Installation(_)) => {
            let held = token.and_then(|token| token.permissions.as_ref());
            let holds = |(name, access): &(&str, _)| held.is_some_and(|held| held.get(*name) >= Some(access));
            if wanted.iter().any(holds) { Ok(()) } else { Err(no_integration()) }
        }
    }
}
