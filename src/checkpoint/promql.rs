//! `promql`: What a Prometheus says to a query about the learner's environment: one in it, or the operator's.
//!
//! Asked as `http` asks ([`super::via`]), at `/api/v1/query`. A Prometheus that the learner runs says what its learner lets
//! it say: what it measures should be looked at in another way too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evidence::Evidence;
use super::looking::Looking;
use super::matching::{self, Pattern, clip, clip_at};
use super::observed::{Sample, Want};
use super::outcome::Blame;
use super::twin::{self, Twin};
use super::via::{Addressee, Ask, Heard, Keep, MOST_BYTES, NAMESPACE, Reply, Via};
use super::{Context, Judgement, Trace};
use crate::submission::tree::Tree;

/// Characters of Prometheus's words and of labels that are shown.
const WORDS: usize = 200;

/// Pieces of evidence about values; more help nobody.
const MOST: usize = 10;

/// Longest query.
const MOST_QUERY: usize = 2 << 10;

/// What a Prometheus of the learner's environment says to a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Promql {
    /// Where Prometheus is. A Service or Pod must come from the learner's commit, and so must the Pods behind it.
    pub via: Via,
    /// PromQL, asked about now. `$namespace` is the environment's own. That it finds nothing is a failure, never zero: say `absent(…)` where nothing is right.
    pub query: String,
    /// What it must say.
    pub expect: Expect,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// What a query must give.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PromqlExpect")]
pub struct Expect {
    /// Each value of each series: a number or a pattern (`docs/matching.md`). NaN and the infinities are no numbers: only
    /// the text itself expects them, as in `NaN`, `+Inf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How many series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
}

/// How many series a query must give. A scalar is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PromqlSeries")]
pub struct Series {
    /// At least so many; 1 when left out.
    #[serde(default = "one")]
    pub min: u32,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

fn one() -> u32 {
    1
}

impl Looking for Promql {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = self.via.lint(("/query", &self.query));
        let mut say = |at: &str, message: &str| problems.push((at.to_owned(), message.to_owned()));
        match self.query.len() {
            _ if self.query.trim().is_empty() => say("/query", "the query is empty"),
            length if length > MOST_QUERY => say("/query", "the query is longer than 2 KiB: make it shorter"),
            _ => {}
        }
        match (&self.expect.value, self.expect.series) {
            (None, None) => say("/expect", "say what is expected: `value`, `series` or both"),
            (_, Some(Series { min: 0, .. })) => {
                say("/expect/series/min", "a query that finds nothing never passes: 1 is the least; see `absent()`");
            }
            (_, Some(Series { min, max: Some(max) })) if max < min => {
                say("/expect/series/max", "`max` is less than `min`");
            }
            _ => {}
        }
        if let Some(Err(flaws)) = self.expect.value.as_ref().map(Pattern::parse) {
            problems.extend(flaws.into_iter().map(|(at, message)| (format!("/expect/value{at}"), message)));
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
        let expected = self.expect.value.as_ref().map(|value| json!({ "value": value }));
        let pattern = match expected.as_ref().map(Pattern::parse).transpose() {
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
        trace.say(|| {
            format!("status {}: {}", reply.status, clip_at(WORDS, reply.body.as_deref().unwrap_or("too long")))
        });
        let series = match read(reply) {
            Ok(series) => series,
            Err(Nothing::Author(why)) => return Judgement::error(why),
            Err(Nothing::Server(why)) if ask.target.kind == Addressee::Address => {
                return Judgement::inconclusive(format!("{}: {why}", ask.target.words()));
            }
            Err(Nothing::Server(why) | Nothing::Measured(why)) => {
                return ask.fail(context, Blame::HealthyButWrong, why);
            }
        };
        let place = ask.place(context);
        let evidence = |message: String| Evidence {
            message,
            place: place.clone(),
            subject: Some(match ask.target.kind {
                Addressee::Address => format!("{}, the query {}", ask.target.words(), clip_at(WORDS, &self.query)),
                Addressee::Service | Addressee::Pod => format!("the query {}", clip_at(WORDS, &self.query)),
            }),
            operator: Some("promql".to_owned()),
            ..Evidence::default()
        };
        let mut all = Vec::new();
        if let Some(wrong) = self.expect.series.and_then(|wanted| wanted.wrong(series.len())) {
            all.push(evidence(wrong));
        }
        let mut left_out = 0;
        if let Some(pattern) = &pattern {
            let several = series.len() > 1;
            for one in &series {
                let whose = if several { format!("{}: ", one.labels) } else { String::new() };
                for found in one.values.iter().flat_map(|number| self.differences(pattern, number)) {
                    if all.len() >= MOST {
                        left_out += 1;
                        continue;
                    }
                    all.push(Evidence {
                        message: format!("{whose}{}", found.message),
                        ..with(evidence(String::new()), found)
                    });
                }
            }
        }
        if left_out > 0 {
            all.push(evidence(format!("and {} more of the same kind", left_out)));
        }
        match all.is_empty() {
            true => Judgement::pass(),
            false => Judgement { blame: Some(Blame::HealthyButWrong), ..Judgement::fail(all) },
        }
    }
}

/// One series of what was found.
struct Found {
    /// Its labels, as in `{pod="web-0"}`.
    labels: String,
    values: Vec<Number>,
}

/// A sample's value.
enum Number {
    /// One that can be compared.
    Finite(f64),
    /// As in `NaN`, or what is no number at all.
    Text(String),
    /// A native histogram.
    Histogram,
}

/// Why there is nothing to compare.
enum Nothing {
    /// The author's query.
    Author(String),
    /// Whatever it is that answers: its owner's matter.
    Server(String),
    /// That nothing was measured, which is the learner's.
    Measured(String),
}

impl Promql {
    fn ask(&self) -> Ask {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("query", &self.query).append_pair("timeout", "4s");
        let escaped: String = url::form_urlencoded::byte_serialize(NAMESPACE.as_bytes()).collect();
        let path = format!("/api/v1/query?{}", query.finish().replace(&escaped, NAMESPACE));
        Ask { target: self.via.target(), path, headers: Vec::new(), body: Keep::Samples, within: None }
    }

    fn differences(&self, pattern: &Pattern, number: &Number) -> Vec<Evidence> {
        let sentence = |message: &str| vec![Evidence { message: message.to_owned(), ..Evidence::default() }];
        let value = match number {
            // Written as a whole number where it is one.
            Number::Finite(value) if value.fract() == 0.0 && value.abs() < 1e15 => json!(*value as i64),
            Number::Finite(value) => json!(value),
            Number::Histogram => {
                return sentence("the value is a histogram, which is no number: say `histogram_quantile` or the like");
            }
            Number::Text(text) if self.expect.value.as_ref().and_then(Value::as_str) == Some(text) => {
                return Vec::new();
            }
            Number::Text(text) => {
                let why = if text == "NaN" { ": nothing was divided by nothing, most often" } else { "" };
                return sentence(&format!("the value is {}, which is no number that can be compared{why}", clip(text)));
            }
        };
        let differences = pattern.differences(&json!({ "value": value })).into_iter();
        let one = |difference: matching::Difference| Evidence {
            message: difference.message,
            expected: Some(difference.expected),
            actual: difference.actual,
            operator: Some(difference.operator.to_owned()),
            ..Evidence::default()
        };
        differences.map(one).collect()
    }
}

/// Evidence of one value, in its place.
fn with(frame: Evidence, found: Evidence) -> Evidence {
    Evidence {
        expected: found.expected,
        actual: found.actual,
        operator: found.operator.or(frame.operator.clone()),
        ..frame
    }
}

impl Series {
    fn wrong(self, found: usize) -> Option<String> {
        let gives = format!("the query gives {} series", found);
        match (found as u64) < u64::from(self.min) {
            true => Some(format!("{gives}, must be at least {}", self.min)),
            false => self
                .max
                .filter(|max| found as u64 > u64::from(*max))
                .map(|max| format!("{gives}, must be at most {max}")),
        }
    }
}

/// The series of an answer of Prometheus's API; at least one, each with a value.
fn read(reply: &Reply) -> Result<Vec<Found>, Nothing> {
    let server = |why: String| Err(Nothing::Server(why));
    let Some(body) = &reply.body else {
        return server(format!(
            "Prometheus answers with more than {} KiB, which is more than is read",
            MOST_BYTES >> 10
        ));
    };
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default();
    match (reply.status, text("status"), text("errorType")) {
        (200, "success", _) => {}
        (400, "error", "bad_data") => {
            return Err(Nothing::Author(format!(
                "Prometheus cannot read the query: {}",
                clip_at(WORDS, text("error"))
            )));
        }
        (_, "error", kind) => {
            return server(format!("Prometheus has no answer: {}: {}", clip(kind), clip_at(WORDS, text("error"))));
        }
        (status, _, _) => return server(format!("what answers is no Prometheus: status {status}, `{}`", clip(body))),
    }
    let result = answer.pointer("/data/result").unwrap_or(&Value::Null);
    let kind = answer.pointer("/data/resultType").and_then(Value::as_str).unwrap_or_default();
    let series: Vec<Found> = match (kind, result) {
        ("scalar" | "string", Value::String(_)) => {
            let number = if kind == "scalar" {
                number(result)
            } else {
                Number::Text(result.as_str().unwrap_or_default().to_owned())
            };
            vec![Found { labels: "{}".to_owned(), values: vec![number] }]
        }
        ("vector" | "matrix", Value::Array(all)) => {
            all.iter().map(series).filter(|one| !one.values.is_empty()).collect()
        }
        _ => return server(format!("what answers is no Prometheus: `{}`", clip(body))),
    };
    match series.is_empty() {
        true => Err(Nothing::Measured("the query finds no data: of what it asks for nothing was measured".to_owned())),
        false => Ok(series),
    }
}

fn series(one: &Value) -> Found {
    let list = |field: &str| one.get(field).and_then(Value::as_array).into_iter().flatten();
    let histograms = one.get("histogram").into_iter().chain(list("histograms")).map(|_| Number::Histogram);
    let values = one.get("value").into_iter().chain(list("values")).map(number).chain(histograms).collect();
    let labels = one.get("metric").and_then(Value::as_object).into_iter().flatten();
    let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    Found { labels: clip_at(WORDS, &format!("{{{}}}", labels.join(", "))), values }
}

/// As Prometheus writes numbers, which JSON cannot all hold.
fn number(value: &Value) -> Number {
    let text = value.as_str().unwrap_or_default();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Number::Finite(number),
        _ => Number::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
