//! `http`: What answers at an address of the learner's environment.
//!
//! Asked through the API server's proxy, or of a server of the operator's, with GET and nothing else. Judged on what is kept of
//! the answer ([`super::via`]).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::evidence::Evidence;
use super::looking::Looking;
use super::matching::{self, Pattern, clip};
use super::observed::{Sample, Want};
use super::outcome::{Blame, Outcome};
use super::twin::{self, Twin};
use super::via::{Ask, Heard, Keep, MOST_BYTES, PATIENCE, Reply, Via};
use super::{Context, Judgement, Trace};
use crate::config::span::Span;
use crate::submission::tree::Tree;

/// What answers at an address of the learner's environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// Where. A Service or Pod must come from the learner's commit, and so must the Pods behind it.
    pub via: Via,
    /// The path, with a query if there is one, as in `/healthz`. `$namespace` is the environment's own. Redirects are not
    /// followed.
    pub get: String,
    /// What the answer must be.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expect,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// What an answer must be; each a value or a pattern (`docs/matching.md`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "HttpExpect")]
pub struct Expect {
    /// 200 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Value>,
    /// By name; upper and lower case are the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Value>,
    /// The body, read as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// How long the whole answer may take, the way through the API server included; at most 5 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Looking for Http {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = self.via.lint(("/get", &self.get));
        let mut say = |at: &str, message: &str| problems.push((at.to_owned(), message.to_owned()));
        if !is_path(&self.get) {
            say("/get", "write a path of an address, as in `/healthz` or `/items?limit=1`: it begins with one `/`");
        }
        for name in self.expect.headers.keys() {
            if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                say(&format!("/expect/headers/{}", matching::escape(name)), "this is no name of a header");
            }
        }
        match self.expect.within {
            Some(within) if within > PATIENCE => {
                say("/expect/within", &format!("nobody waits longer than {PATIENCE} for an answer: ask for less"));
            }
            Some(within) if within.0.is_zero() => say("/expect/within", "nothing takes no time: ask for more"),
            _ => {}
        }
        if let Err(flaws) = Pattern::parse(&self.expect.pattern()) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/expect{at}"), message)));
        }
        problems
    }

    fn offline(&self) -> Option<&Twin> {
        self.offline.as_deref()
    }

    fn wanted(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        self.ask().wants()
    }

    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement {
        let pattern = match Pattern::parse(&self.expect.pattern()) {
            Ok(pattern) => pattern,
            Err(flaws) => return Judgement::error(matching::words(&flaws)),
        };
        let ask = self.ask();
        let reply = match ask.heard(context, sample) {
            Heard::Reply(reply) => reply,
            Heard::Nobody(why) => return twin::judge(self.offline.as_deref(), &why, context, trace),
            Heard::Judged(judgement) => {
                trace.say(|| format!("{}: {}", ask.words(), judgement.evidence[0].message));
                return judgement;
            }
        };
        trace.say(|| format!("{}: status {}{}", ask.words(), reply.status, if reply.late { ", late" } else { "" }));
        let place = ask.place(context);
        let says = |message: String| Evidence {
            message: format!("`GET {}`: {message}", clip(&self.get)),
            place: place.clone(),
            subject: Some(ask.words()),
            operator: Some("http".to_owned()),
            ..Evidence::default()
        };
        let (found, unread) = self.found(reply);
        let mut evidence: Vec<Evidence> = pattern
            .differences(&found)
            .into_iter()
            // What could not be read is told once, and not as missing.
            .filter(|difference| {
                unread.is_none() || !["/json", "/body"].iter().any(|part| difference.pointer.starts_with(part))
            })
            .map(|difference| {
                let redirect = difference.pointer == "/status" && (300..400).contains(&reply.status);
                let more = if redirect { "; redirects are not followed" } else { "" };
                Evidence {
                    expected: Some(difference.expected),
                    actual: difference.actual,
                    operator: Some(difference.operator.to_owned()),
                    ..says(difference.message + more)
                }
            })
            .collect();
        evidence.extend(unread.map(says));
        if let Some(within) = self.expect.within.filter(|_| reply.late) {
            evidence.push(says(format!("the answer took longer than {within}")));
        }
        match evidence.is_empty() {
            true => Judgement::pass(),
            false => Judgement { outcome: Outcome::Fail, blame: Some(Blame::HealthyButWrong), evidence, cases: None },
        }
    }
}

fn is_path(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or_default();
    let is_address = text.parse::<http::uri::PathAndQuery>().is_ok_and(|parsed| parsed.as_str() == text);
    is_address && text.starts_with('/') && !path.contains("//") && !path.split('/').any(|part| part == "..")
}

impl Expect {
    /// All of it as one pattern.
    fn pattern(&self) -> Value {
        let mut all = Map::from_iter([("status".to_owned(), self.status.clone().unwrap_or(json!(200)))]);
        if !self.headers.is_empty() {
            all.insert("headers".to_owned(), self.headers.clone().into_iter().collect());
        }
        all.extend(self.json.clone().map(|json| ("json".to_owned(), json)));
        all.extend(self.body.clone().map(|body| ("body".to_owned(), body)));
        all.into()
    }

    fn needs_body(&self) -> bool {
        self.json.is_some() || self.body.is_some()
    }
}

impl Http {
    fn ask(&self) -> Ask {
        let mut headers: Vec<_> = self.expect.headers.keys().map(|name| name.to_ascii_lowercase()).collect();
        headers.sort();
        headers.dedup();
        let body = if self.expect.needs_body() { Keep::Text } else { Keep::Nothing };
        Ask { target: self.via.target(), path: self.get.clone(), headers, body, within: self.expect.within }
    }

    /// The answer as the pattern sees it, and why its body is not part of it where it should be.
    fn found(&self, reply: &Reply) -> (Value, Option<String>) {
        let header =
            |name: &String| Some((name.clone(), reply.headers.get(&name.to_ascii_lowercase())?.clone().into()));
        let headers: Map<String, Value> = self.expect.headers.keys().filter_map(header).collect();
        let mut found = json!({ "status": reply.status, "headers": headers });
        if !self.expect.needs_body() {
            return (found, None);
        }
        let Some(body) = &reply.body else {
            return (
                found,
                Some(format!("the answer has more than {} KiB, which is more than is read", MOST_BYTES >> 10)),
            );
        };
        found["body"] = body.clone().into();
        if self.expect.json.is_some() {
            match serde_json::from_str::<Value>(body) {
                Ok(json) => found["json"] = json,
                Err(_) if body.trim().is_empty() => {
                    return (found, Some("the answer is empty, must be JSON".to_owned()));
                }
                Err(_) => return (found, Some(format!("the answer is no JSON: `{}`", clip(body)))),
            }
        }
        (found, None)
    }
}

#[cfg(test)]
mod tests;
