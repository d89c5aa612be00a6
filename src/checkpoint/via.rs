//! `via`: Where something is asked about the learner's environment, what is asked there, and who answers. Shared by `http` and
//! `promql`.
//!
//! A workload is the learner's and answers whatever it likes. Nothing here believes an answer before it is known, from the
//! API server's own objects, that a Pod of the commit gave it. A server of the operator's is believed, and what is wrong with
//! it is never the learner's matter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evidence::{Evidence, Place};
use super::matching::clip;
use super::observed::{Maker, Said, Sample, Seen, Want};
use super::outcome::Blame;
use super::select::{self, Select};
use super::{Context, Judgement};
use crate::config::span::Span;

/// Longest answer that is read.
pub const MOST_BYTES: usize = 64 << 10;

/// How long an answer may take before it is none.
pub const PATIENCE: Span = Span::seconds(5);

/// Stands in what is asked for the environment's own namespace.
pub const NAMESPACE: &str = "$namespace";

/// Where: in the environment's own namespace `service` or `pod`, and its port; else a server of the operator's, `address`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Via {
    /// The name of a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name of a Pod, as in `web-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The Service's port by number or name; a Pod's by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// The name of a server that the operator lets tasks ask: one of `argocd.addresses` in gradus.yaml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Port {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
}

/// A question to an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// Whom.
    pub target: Target,
    /// The path, with the query. [`NAMESPACE`] stands for the environment's own.
    pub path: String,
    /// The headers that matter, in small letters.
    pub headers: Vec<String>,
    /// What of the body matters.
    pub body: Keep,
    /// Longer than this is too long.
    pub within: Option<Span>,
}

/// Whom a question is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// As in `Service`.
    pub kind: Addressee,
    /// Its name.
    pub name: String,
    /// Its port, by number or name; none of a server of the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// What has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Addressee {
    /// The Pods behind a Service.
    Service,
    /// A Pod.
    Pod,
    /// A server of the operator's.
    Address,
}

/// What of an answer's body matters: the rest is not kept, so that two answers that say the same are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// All of it.
    Text,
    /// What Prometheus's API says, without the times of its samples, in an order of ours.
    Samples,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The environment's own namespace, where or about which it was asked.
    pub namespace: String,
    /// The answer, or why there is none.
    pub reply: Result<Reply, Unreached>,
}

/// What a workload answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// Of HTTP.
    pub status: u16,
    /// Those that matter.
    pub headers: BTreeMap<String, String>,
    /// What is kept of the body; none where it is longer than [`MOST_BYTES`].
    pub body: Option<String>,
    /// It took longer than it may.
    pub late: bool,
}

/// Why there is no answer. In few classes: the API server's words hold addresses that change with every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unreached {
    /// No Pod is ready behind the Service.
    NoEndpoints,
    /// The Service has no such port.
    NoPort,
    /// The Pod has no address yet, or is not there.
    NoAddress,
    /// Nothing listens there.
    Refused,
    /// The network does not let the API server through.
    NoWay,
    /// The whole answer did not come in time.
    Slow,
    /// What came is no answer of HTTP, or not a whole one.
    Broken,
    /// The operator has configured no server of this name.
    NotConfigured,
}

/// What an answer is to a kind.
pub enum Heard<'s> {
    /// It counts.
    Reply(&'s Reply),
    /// Here is nobody to ask, for this reason: what judges the files does.
    Nobody(String),
    /// This is the verdict.
    Judged(Judgement),
}

impl Via {
    /// Problems, as (JSON pointer below `via`, message with the remedy). `asked` is the field beside `via` that says what is
    /// asked, and its text.
    pub fn lint(&self, asked: (&str, &str)) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut say = |at: &str, message: String| problems.push((at.to_owned(), message));
        let named = [("/service", &self.service), ("/pod", &self.pod), ("/address", &self.address)];
        if named.iter().filter(|(_, name)| name.is_some()).count() != 1 {
            say("/via", "say where: one of `service`, `pod` and `address`".to_owned());
        }
        for (at, name) in named {
            if let Some(name) = name.as_deref().filter(|name| !is_name(name, 253, ".-")) {
                say(&format!("/via{at}"), format!("`{}` is no name: small letters, digits, `-` and `.`", clip(name)));
            }
        }
        match &self.port {
            Some(_) if self.address.is_some() => {
                say("/via/port", "the operator says at which port an `address` is: leave this away".to_owned());
            }
            None if self.address.is_none() => say("/via", "say at which `port`".to_owned()),
            None | Some(Port::Number(1..)) => {}
            Some(Port::Number(0)) => say("/via/port", "0 is no port".to_owned()),
            Some(Port::Name(_)) if self.pod.is_some() => say("/via/port", "the port of a `pod` is a number".to_owned()),
            Some(Port::Name(name)) if is_name(name, 15, "-") => {}
            Some(Port::Name(name)) => {
                say("/via/port", format!("`{}` is neither the number nor the name of a port", clip(name)));
            }
        }
        let (field, text) = asked;
        if let Some(word) = placeholders(text).find(|word| *word != &NAMESPACE[1..]) {
            say(field, format!("`${}` stands for nothing; `{NAMESPACE}` does, for the environment's own", clip(word)));
        } else if self.address.is_some() && !text.contains(NAMESPACE) {
            // Else the verdict would be the same for everybody.
            let message = "a server of the operator's knows of every learner: say whose it is to tell, with";
            say(field, format!("{message} `{NAMESPACE}`, which is the environment's own namespace"));
        }
        problems
    }

    /// The address as it is asked.
    pub fn target(&self) -> Target {
        let (kind, name) = match (&self.service, &self.pod, &self.address) {
            (None, None, Some(address)) => (Addressee::Address, address.clone()),
            (None, Some(pod), _) => (Addressee::Pod, pod.clone()),
            (service, ..) => (Addressee::Service, service.clone().unwrap_or_default()),
        };
        let port = self.port.as_ref().map(|port| match port {
            Port::Number(number) => number.to_string(),
            Port::Name(name) => name.clone(),
        });
        Target { kind, name, port }
    }
}

/// Words behind a `$`.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let word = |rest: &str| rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let begins = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_alphabetic());
    text.split('$').skip(1).filter(begins).map(move |rest| &rest[..word(rest)])
}

fn is_name(text: &str, longest: usize, also: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=longest).contains(&text.len())
        && text.chars().all(|c| inner(c) || also.contains(c))
        && text.starts_with(inner)
        && text.ends_with(inner)
}

impl Ask {
    /// What has to be known: the answer, and after whom it is.
    pub fn wants(self) -> Vec<Want> {
        let of = |kind: &str| Want::Objects { api_version: Some("v1".to_owned()), kind: kind.to_owned() };
        let objects = match self.target.kind {
            Addressee::Service => vec![of("Service"), of("Endpoints"), of("Pod")],
            Addressee::Pod => vec![of("Pod")],
            Addressee::Address => Vec::new(),
        };
        objects.into_iter().chain([Want::Http(self)]).collect()
    }

    /// The path, with the query, in an environment of this namespace.
    pub fn path_in(&self, namespace: &str) -> String {
        self.path.replace(NAMESPACE, namespace)
    }

    /// The question in words, as in ``GET /healthz of the Service `web` at port 80``.
    pub fn words(&self) -> String {
        let port = self.target.port.iter().map(|port| format!(" at port {}", clip(port)));
        format!("GET {} of {}{}", clip(&self.path), self.target.words(), port.collect::<String>())
    }

    /// What a Pod of the commit, or a server of the operator's, answered.
    pub fn heard<'s>(&self, context: &Context<'_>, sample: &'s Sample) -> Heard<'s> {
        let answer = match sample.said(&Want::Http(self.clone())) {
            Some(Said::Http(answer)) => answer,
            Some(Said::Nothing(why)) => return Heard::Judged(Judgement::inconclusive(why.clone())),
            _ => return Heard::Judged(Judgement::inconclusive("nobody asked at this address")),
        };
        if self.target.kind == Addressee::Address {
            return match &answer.reply {
                Ok(reply) => Heard::Reply(reply),
                Err(why @ Unreached::NotConfigured) => Heard::Nobody(why.words(&self.target)),
                Err(why) => Heard::Judged(Judgement::inconclusive(why.words(&self.target))),
            };
        }
        match self.of_the_commit(context, sample, answer) {
            Ok(reply) => Heard::Reply(reply),
            Err(judgement) => Heard::Judged(judgement),
        }
    }

    /// What a Pod of the commit answered, else the judgement.
    fn of_the_commit<'s>(
        &self,
        context: &Context<'_>,
        sample: &Sample,
        answer: &'s Answer,
    ) -> Result<&'s Reply, Judgement> {
        let of = |kind, name| find(sample, kind, &answer.namespace, name);
        let target = of(self.target.kind.word(), &self.target.name);
        let Some(_) = target.filter(|seen| seen.maker != Maker::Somebody) else {
            let mut judgement = self.fail(context, Blame::YourFiles, self.target.missing(target));
            // As where nothing is selected: a step of a scenario tells it from what a file says wrong.
            judgement.evidence.iter_mut().for_each(|one| one.operator = Some("select".to_owned()));
            return Err(judgement);
        };
        let reply = match &answer.reply {
            Ok(reply) => reply,
            Err(why) => return Err(self.fail(context, Blame::NotHealthy, why.words(&self.target))),
        };
        if self.target.kind == Addressee::Service {
            let pods = behind(of("Endpoints", &self.target.name));
            let makers: Vec<_> = pods.iter().map(|pod| of("Pod", pod).map(|seen| seen.maker)).collect();
            if let Some(by_hand) = makers.iter().position(|maker| *maker == Some(Maker::Somebody)) {
                let message = format!(
                    "behind {} is the Pod `{}`, which nothing of this commit made: what is made by hand does not count",
                    self.target.words(),
                    clip(pods[by_hand])
                );
                return Err(self.fail(context, Blame::HealthyButWrong, message));
            }
            if makers.is_empty() || makers.contains(&None) {
                // Of what no Pod is known nobody can say that it is of the commit.
                let message = format!("the Pods behind {} changed while they were looked at", self.target.words());
                return Err(self.fail(context, Blame::NotHealthy, message));
            }
        }
        Ok(reply)
    }

    /// A failure of one sentence.
    pub fn fail(&self, context: &Context<'_>, blame: Blame, message: String) -> Judgement {
        let evidence = Evidence {
            message,
            place: self.place(context),
            operator: Some("http".to_owned()),
            subject: Some(self.words()),
            ..Evidence::default()
        };
        Judgement { blame: Some(blame), ..Judgement::fail(vec![evidence]) }
    }

    /// The Service or Pod where it stands in the learner's files.
    pub fn place(&self, context: &Context<'_>) -> Place {
        if self.target.kind == Addressee::Address {
            return Place::default();
        }
        let select = Select {
            kind: Some(self.target.kind.word().to_owned()),
            name: Some(self.target.name.clone()),
            ..Select::default()
        };
        select::written(context, &select).map_or_else(Place::default, |object| object.place(""))
    }
}

fn find<'s>(sample: &'s Sample, kind: &str, namespace: &str, name: &str) -> Option<&'s Seen> {
    let is = |object: &Value, pointer, wanted| object.pointer(pointer).and_then(Value::as_str) == Some(wanted);
    sample.objects.iter().find(|Seen { object, .. }| {
        is(object, "/apiVersion", "v1")
            && is(object, "/kind", kind)
            && is(object, "/metadata/name", name)
            && is(object, "/metadata/namespace", namespace)
    })
}

/// The Pods that a Service's questions may go to. The API server asks no address of which it does not know the Pod.
fn behind(endpoints: Option<&Seen>) -> Vec<&str> {
    fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
        value.get(field).and_then(Value::as_array).into_iter().flatten()
    }
    let subsets = endpoints.into_iter().flat_map(|seen| list(&seen.object, "subsets"));
    let addresses = subsets.flat_map(|subset| list(subset, "addresses"));
    addresses.filter_map(|address| address.pointer("/targetRef/name")?.as_str()).collect()
}

impl Addressee {
    fn word(self) -> &'static str {
        match self {
            Addressee::Service => "Service",
            Addressee::Pod => "Pod",
            Addressee::Address => "operator's address",
        }
    }
}

impl Target {
    /// As in ``the Service `web` ``.
    pub fn words(&self) -> String {
        format!("the {} `{}`", self.kind.word(), clip(&self.name))
    }

    fn missing(&self, there: Option<&Seen>) -> String {
        let what = format!("{} `{}`", self.kind.word(), clip(&self.name));
        match there {
            None => format!("the environment has no {what} of this commit"),
            Some(_) => format!(
                "the environment has no {what} of this commit; one is there, but nothing of this commit made it: what is made by hand does not count"
            ),
        }
    }
}

impl Unreached {
    /// Says it of whom was asked.
    pub fn words(self, target: &Target) -> String {
        let whom = target.words();
        let Some(port) = target.port.as_deref().map(clip) else {
            return match self {
                Unreached::NotConfigured => format!("{whom} is not configured here: its place is `argocd.addresses`"),
                Unreached::Slow => format!("{whom} gave no whole answer within {PATIENCE}"),
                Unreached::Broken => format!("what {whom} gives is no whole answer of HTTP"),
                _ => format!("{whom} cannot be reached"),
            };
        };
        match self {
            Unreached::NoEndpoints => format!(
                "{whom} has no endpoints: no Pod that its selector finds is ready, or none has the port that `{port}` leads to"
            ),
            Unreached::NoPort => format!("{whom} has no port {port}"),
            Unreached::NoAddress => format!("{whom} has no address yet"),
            Unreached::Refused => format!("nothing listens at port {port} of {whom}: the connection is refused"),
            Unreached::NoWay => format!("the API server finds no way to port {port} of {whom}"),
            Unreached::Slow => format!("{whom} gave no whole answer at port {port} within {PATIENCE}"),
            Unreached::NotConfigured => format!("{whom} is not known here"),
            Unreached::Broken => format!("what port {port} of {whom} gives is no whole answer of HTTP"),
        }
    }
}
