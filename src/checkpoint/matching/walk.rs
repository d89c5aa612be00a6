//! The comparison: one walk along the pattern, which decides, scores or explains.

mod lists;

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::super::field::field;
use super::path::Path;
use super::pattern::{Kind, Node, Operator, QuantityBound, Type};
use super::{Difference, Nearness, quantity, spelling, words};

/// Comparisons of one walk. A pattern of an author needs thousands; only a hostile file makes it need more.
const FUEL: u64 = 20_000_000;

/// What one CEL rule costs of it.
const CEL_FUEL: u64 = 1_000;

/// What identifies an item to a person: agreement in it says more about what was meant than agreement elsewhere.
const IDENTITY: [&str; 8] = ["name", "id", "key", "type", "kind", "alert", "record", "host"];

/// Whether the value is what the pattern asks for.
pub(super) fn decide(root: &Node, actual: &Value) -> bool {
    let mut out = Sink { nearness: Nearness::default(), mode: Mode::Decide };
    Walk::silent().node(root, Some(actual), &Path::root(), &mut out);
    out.nearness.bad == 0
}

/// How near the value comes.
pub(super) fn nearness(root: &Node, actual: &Value) -> Nearness {
    let mut out = Sink { nearness: Nearness::default(), mode: Mode::Score };
    Walk::silent().node(root, Some(actual), &Path::root(), &mut out);
    out.nearness
}

/// All differences.
pub(super) fn differences(root: &Node, actual: &Value) -> Vec<Difference> {
    let mut out = Sink { nearness: Nearness::default(), mode: Mode::Explain(Vec::new()) };
    Walk::explaining(actual).node(root, Some(actual), &Path::root(), &mut out);
    match out.mode {
        Mode::Explain(differences) => differences,
        Mode::Decide | Mode::Score => Vec::new(),
    }
}

enum Mode {
    /// Stops at the first difference.
    Decide,
    Score,
    Explain(Vec<Difference>),
}

/// Where results go.
struct Sink {
    nearness: Nearness,
    mode: Mode,
}

impl Sink {
    /// Differences told so far.
    fn told(&self) -> usize {
        if let Mode::Explain(differences) = &self.mode { differences.len() } else { 0 }
    }

    /// Those told since there were `told`.
    fn differences_from(&mut self, told: usize) -> &mut [Difference] {
        if let Mode::Explain(differences) = &mut self.mode { &mut differences[told..] } else { &mut [] }
    }

    fn decided(&self) -> bool {
        matches!(self.mode, Mode::Decide) && self.nearness.bad > 0
    }

    fn good(&mut self, weight: u32) {
        self.nearness.good = self.nearness.good.saturating_add(weight);
    }

    fn bad(&mut self, leaves: u32, difference: impl FnOnce() -> Difference) {
        self.nearness.bad = self.nearness.bad.saturating_add(leaves);
        if let Mode::Explain(differences) = &mut self.mode {
            differences.push(difference());
        }
    }
}

struct Walk {
    /// The object is a Secret: its data is in no difference.
    secret: bool,
    fuel: Cell<u64>,
}

impl Walk {
    /// Gives no differences, so that it does not matter what it looks at.
    fn silent() -> Self {
        Walk { secret: true, fuel: Cell::new(FUEL) }
    }

    fn explaining(root: &Value) -> Self {
        Walk { secret: root.get("kind").and_then(Value::as_str) == Some("Secret"), fuel: Cell::new(FUEL) }
    }

    /// Compares without reporting.
    fn holds(&self, node: &Node, actual: Option<&Value>, at: &Path<'_>) -> bool {
        let mut out = Sink { nearness: Nearness::default(), mode: Mode::Decide };
        self.node(node, actual, at, &mut out);
        out.nearness.bad == 0
    }

    fn score(&self, node: &Node, actual: Option<&Value>, at: &Path<'_>) -> Nearness {
        let mut out = Sink { nearness: Nearness::default(), mode: Mode::Score };
        self.node(node, actual, at, &mut out);
        out.nearness
    }

    fn node(&self, node: &Node, actual: Option<&Value>, at: &Path<'_>, out: &mut Sink) {
        let Some(left) = self.fuel.get().checked_sub(1) else {
            return out.bad(1, || Difference {
                message: format!("{} is too large to be compared with what is asked: shorten it", at.label()),
                ..self.difference(node, actual, at, "limit")
            });
        };
        self.fuel.set(left);
        match (&node.kind, actual) {
            (Kind::Operators(operators), _) => {
                for operator in operators {
                    self.operator(operator, node, actual, at, out);
                    if out.decided() {
                        return;
                    }
                }
            }
            (Kind::Map(entries), None) => {
                // "hostNetwork must be absent" also holds where the whole `spec` is.
                let holds =
                    !entries.is_empty() && entries.iter().all(|(key, node)| self.holds(node, None, &at.key(key)));
                if holds { out.good(1) } else { self.missing(node, at, out) }
            }
            (_, None) => self.missing(node, at, out),
            (Kind::Scalar(expected), Some(actual)) => self.scalar(expected, node, actual, at, out),
            (Kind::Map(entries), Some(Value::Object(map))) => self.map(entries, map, at, out),
            (Kind::List(items), Some(Value::Array(actual))) => self.list(items, actual, node, at, out),
            (Kind::Map(_), Some(actual)) => self.wrong_type("a map", node, actual, at, out),
            (Kind::List(_), Some(actual)) => self.wrong_type("a list", node, actual, at, out),
        }
    }

    fn map(&self, entries: &[(String, Node)], map: &Map<String, Value>, at: &Path<'_>, out: &mut Sink) {
        if entries.is_empty() {
            out.good(1);
        }
        for (key, node) in entries {
            let (before, told, found) = (out.nearness.bad, out.told(), field(map, key));
            self.node(node, found, &at.key(key), out);
            if found.is_none()
                && let Some(difference) = out.differences_from(told).first_mut()
                && !self.hides(&at.key(key))
                && let Some(near) = spelling::misspelt(key, map, |known| entries.iter().any(|(name, _)| name == known))
            {
                difference.message += &format!("; there is `{near}`, probably misspelt");
                difference.misspelt = Some(at.key(near).pointer());
            }
            if out.decided() {
                return;
            }
            if out.nearness.bad == before && IDENTITY.contains(&key.as_str()) {
                out.good(4);
            }
        }
    }

    fn scalar(&self, expected: &Value, node: &Node, actual: &Value, at: &Path<'_>, out: &mut Sink) {
        if equal(expected, actual) {
            return out.good(1);
        }
        out.bad(1, || {
            let mut difference = self.difference(node, Some(actual), at, "equals");
            let same_text = text(expected).is_some() && text(expected) == text(actual);
            difference.message = match actual {
                _ if same_text && !self.hides(at) => {
                    let remedy = if actual.is_string() { "drop the quotes" } else { "quote it" };
                    format!("{} is {}, must be {}: {remedy}", at.label(), words::typed(actual), words::typed(expected))
                }
                Value::Array(_) | Value::Object(_) => {
                    format!("{} is {}, must be {}", at.label(), words::typed(actual), words::value(expected))
                }
                _ => format!("{} is {}, must be {}", at.label(), self.show(actual, at), words::value(expected)),
            };
            difference
        });
    }

    // ---- operators ----

    fn operator(&self, operator: &Operator, node: &Node, actual: Option<&Value>, at: &Path<'_>, out: &mut Sink) {
        let present = actual.filter(|value| !value.is_null());
        match (operator, actual) {
            (Operator::Present, _) => self.verdict(present.is_some(), operator, node, actual, at, out),
            (Operator::Absent, _) => self.verdict(present.is_none(), operator, node, actual, at, out),
            // Negations hold where nothing is.
            (Operator::Not(inner) | Operator::Ne(inner), _) => {
                self.verdict(!self.holds(inner, actual, at), operator, node, actual, at, out);
            }
            (Operator::Nin(inner), _) => {
                let none = !inner.iter().any(|inner| self.holds(inner, actual, at));
                self.verdict(none, operator, node, actual, at, out);
            }
            (Operator::None(_), None) => out.good(1),
            (Operator::AnyOf(inner), _) => self.any_of(inner, operator, node, actual, at, out),
            (_, None) => self.missing_for(operator, node, at, out),
            (Operator::Null, Some(actual)) => self.verdict(actual.is_null(), operator, node, Some(actual), at, out),
            (Operator::In(inner), Some(_)) => {
                let any = inner.iter().any(|inner| self.holds(inner, actual, at));
                self.verdict(any, operator, node, actual, at, out);
            }
            (Operator::Exact(inner), Some(actual)) => self.exact(inner, actual, at, out),
            (Operator::All(inner), Some(Value::Array(items))) => {
                if items.is_empty() {
                    out.bad(1, || Difference {
                        message: format!("{} is empty, must have at least one item", at.label()),
                        ..self.difference(node, actual, at, "$all")
                    });
                }
                for (index, item) in items.iter().enumerate() {
                    let name = item.get("name").and_then(Value::as_str);
                    self.node(inner, Some(item), &at.item(index, name), out);
                    if out.decided() {
                        return;
                    }
                }
            }
            (Operator::None(inner), Some(Value::Array(items))) => {
                let mut clean = true;
                for (index, item) in items.iter().enumerate() {
                    let name = item.get("name").and_then(Value::as_str);
                    let at = at.item(index, name);
                    if self.holds(inner, Some(item), &at) {
                        clean = false;
                        out.bad(1, || Difference {
                            message: format!("{} must not be like {}", at.label(), words::value(&inner.raw)),
                            ..self.difference(node, Some(item), &at, "$none")
                        });
                    }
                }
                if clean {
                    out.good(1);
                }
            }
            (Operator::All(_) | Operator::None(_), Some(actual)) => self.wrong_type("a list", node, actual, at, out),
            (Operator::Contains(inner), Some(Value::Array(items))) => {
                self.list(std::slice::from_ref(inner), items, node, at, out);
            }
            (Operator::Len(inner), Some(actual)) => self.length(inner, node, actual, at, out),
            (Operator::Cel(rule), Some(value)) => {
                self.fuel.set(self.fuel.get().saturating_sub(CEL_FUEL));
                match rule.holds(value) {
                    Ok(holds) => self.verdict(holds, operator, node, actual, at, out),
                    Err(why) => out.bad(1, || Difference {
                        message: format!(
                            "{}: the rule `{}` could not be evaluated: {why}",
                            at.label(),
                            words::clip(&rule.source)
                        ),
                        ..self.difference(node, actual, at, "$cel")
                    }),
                }
            }
            (_, Some(value)) => self.verdict(simple(operator, value), operator, node, actual, at, out),
        }
    }

    fn any_of(
        &self,
        inner: &[Node],
        operator: &Operator,
        node: &Node,
        actual: Option<&Value>,
        at: &Path<'_>,
        out: &mut Sink,
    ) {
        if inner.iter().any(|inner| self.holds(inner, actual, at)) {
            return out.good(1);
        }
        let structured = |node: &&Node| matches!(node.kind, Kind::Map(_) | Kind::List(_));
        let nearest = inner
            .iter()
            .filter(structured)
            .map(|inner| (self.score(inner, actual, at), inner))
            .max_by_key(|(near, _)| near.good);
        let Some((_, nearest)) = nearest.filter(|(near, _)| near.good > 0) else {
            return self.verdict(false, operator, node, actual, at, out);
        };
        let mut explained = Sink { nearness: Nearness::default(), mode: Mode::Explain(Vec::new()) };
        self.node(nearest, actual, at, &mut explained);
        out.bad(1, || {
            let mut why = Vec::new();
            if let Mode::Explain(differences) = explained.mode {
                why.extend(differences.into_iter().map(|difference| difference.message));
            }
            Difference {
                message: format!(
                    "{} fits none of the {} ways that are allowed; the nearest asks: {}",
                    at.label(),
                    inner.len(),
                    why.join("; ")
                ),
                ..self.difference(node, actual, at, "$anyOf")
            }
        });
    }

    fn exact(&self, inner: &Node, actual: &Value, at: &Path<'_>, out: &mut Sink) {
        match (&inner.kind, actual) {
            (Kind::List(expected), Value::Array(items)) => {
                if expected.len() != items.len() {
                    return out.bad(leaves(inner), || Difference {
                        message: format!(
                            "{} has {}, must have exactly {}, in this order: {}",
                            at.label(),
                            words::count(items.len(), "item"),
                            expected.len(),
                            words::value(&inner.raw)
                        ),
                        ..self.difference(inner, Some(actual), at, "$exact")
                    });
                }
                for (index, (expected, item)) in expected.iter().zip(items).enumerate() {
                    self.node(expected, Some(item), &at.item(index, None), out);
                }
                if expected.is_empty() {
                    out.good(1);
                }
            }
            (Kind::Map(expected), Value::Object(map)) => {
                self.map(expected, map, at, out);
                let parent = at.label();
                for (key, value) in map.iter().filter(|(key, _)| !expected.iter().any(|(name, _)| name == *key)) {
                    let at = at.key(key);
                    out.bad(1, || Difference {
                        message: format!(
                            "{} must not be set: {parent} must be exactly {}",
                            at.label(),
                            words::value(&inner.raw)
                        ),
                        ..self.difference(inner, Some(value), &at, "$exact")
                    });
                }
            }
            _ => self.node(inner, Some(actual), at, out),
        }
    }

    fn length(&self, inner: &Node, node: &Node, actual: &Value, at: &Path<'_>, out: &mut Sink) {
        let (length, unit) = match actual {
            Value::Array(items) => (items.len(), "item"),
            Value::Object(map) => (map.len(), "key"),
            Value::String(text) => (text.chars().count(), "character"),
            _ => return self.wrong_type("a list, a map or text", node, actual, at, out),
        };
        if self.holds(inner, Some(&Value::from(length)), at) {
            return out.good(1);
        }
        out.bad(1, || Difference {
            message: format!("{} has {}, must have {}", at.label(), words::count(length, unit), words::length(inner)),
            ..self.difference(node, Some(actual), at, "$len")
        });
    }

    // ---- reports ----

    fn verdict(
        &self,
        holds: bool,
        operator: &Operator,
        node: &Node,
        actual: Option<&Value>,
        at: &Path<'_>,
        out: &mut Sink,
    ) {
        if holds {
            return out.good(1);
        }
        out.bad(1, || {
            let must = words::must_operator(operator);
            let message = match (operator, actual) {
                (Operator::Present, None) => format!("{} is not set", at.label()),
                (_, None) => format!("{} is not set, must {must}", at.label()),
                (Operator::Absent, Some(_)) => format!("{} must not be set: delete it", at.label()),
                (_, Some(actual)) if wants_text(operator) && !actual.is_string() => {
                    format!("{} is {}, must be text and {must}", at.label(), words::typed(actual))
                }
                (Operator::Order(..), Some(actual)) if !actual.is_number() => {
                    format!("{} is {}, must be a number and {must}", at.label(), words::typed(actual))
                }
                (_, Some(actual)) => format!("{} is {}, must {must}", at.label(), self.show(actual, at)),
            };
            Difference { message, ..self.difference(node, actual, at, operator.key()) }
        });
    }

    fn missing(&self, node: &Node, at: &Path<'_>, out: &mut Sink) {
        out.bad(leaves(node), || Difference {
            message: format!("{} is not set, must {}", at.label(), words::must(node)),
            ..self.difference(node, None, at, "equals")
        });
    }

    fn missing_for(&self, operator: &Operator, node: &Node, at: &Path<'_>, out: &mut Sink) {
        out.bad(1, || Difference {
            message: format!("{} is not set, must {}", at.label(), words::must_operator(operator)),
            ..self.difference(node, None, at, operator.key())
        });
    }

    fn wrong_type(&self, wanted: &str, node: &Node, actual: &Value, at: &Path<'_>, out: &mut Sink) {
        out.bad(leaves(node), || {
            let found = match actual {
                Value::Array(_) => "a list".to_owned(),
                Value::Object(_) => "a map".to_owned(),
                scalar => self.show(scalar, at),
            };
            Difference {
                message: format!("{} is {found}, must be {wanted}", at.label()),
                ..self.difference(node, Some(actual), at, "$type")
            }
        });
    }

    fn difference(&self, node: &Node, actual: Option<&Value>, at: &Path<'_>, operator: &'static str) -> Difference {
        let actual =
            actual.map(|actual| if self.hides(at) { Value::from("(not shown)") } else { self.redacted(actual, at) });
        Difference {
            pointer: at.pointer(),
            operator,
            expected: node.raw.clone(),
            actual,
            message: String::new(),
            misspelt: None,
        }
    }

    /// A value in a sentence, unless it is a secret.
    fn show(&self, value: &Value, at: &Path<'_>) -> String {
        if self.hides(at) { "something else (not shown)".to_owned() } else { words::value(value) }
    }

    fn hides(&self, at: &Path<'_>) -> bool {
        self.secret && matches!(at.top(), Some("data" | "stringData"))
    }

    fn redacted(&self, actual: &Value, at: &Path<'_>) -> Value {
        let mut short = words::shorten(actual);
        if self.secret
            && at.top().is_none()
            && let Some(map) = short.as_object_mut()
        {
            map.retain(|key, _| key != "data" && key != "stringData");
        }
        short
    }
}

/// A scalar as text, whatever its type: `80` and `"80"` are the same key, and the comparison then says that one of them
/// has the wrong type.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// How many leaves a pattern has: what is lost when all of it is missing.
fn leaves(node: &Node) -> u32 {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::Map(entries) => entries.iter().map(|(_, node)| leaves(node)).sum::<u32>().max(1),
        Kind::List(items) => items.iter().map(leaves).sum::<u32>().max(1),
        Kind::Operators(operators) => operators.len() as u32,
    }
}

/// Typed equality of scalars; numbers by value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    let integer = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn wants_text(operator: &Operator) -> bool {
    matches!(operator, Operator::Regex(_) | Operator::Prefix(_) | Operator::Suffix(_) | Operator::Semver(..))
}

/// Operators on one value that need nothing but it.
fn simple(operator: &Operator, actual: &Value) -> bool {
    let as_text = actual.as_str();
    match operator {
        Operator::Order(order, bound) => {
            actual.as_number().and_then(|n| compare(n, bound)).is_some_and(|ordering| order.holds(ordering))
        }
        Operator::Regex(regex) => as_text.is_some_and(|text| regex.is_match(text)),
        Operator::Prefix(prefix) => as_text.is_some_and(|text| text.starts_with(prefix.as_str())),
        Operator::Suffix(suffix) => as_text.is_some_and(|text| text.ends_with(suffix.as_str())),
        Operator::Semver(range, _) => as_text.and_then(version).is_some_and(|version| range.matches(&version)),
        Operator::Quantity(bounds) => text(actual)
            .and_then(|text| quantity::parse(&text))
            .is_some_and(|found| bounds.iter().all(|QuantityBound { order, bound, .. }| order.holds(found.cmp(bound)))),
        Operator::Contains(inner) => match (&inner.kind, actual) {
            (Kind::Scalar(Value::String(part)), Value::String(text)) => text.contains(part.as_str()),
            (Kind::Scalar(Value::String(key)), Value::Object(map)) => map.contains_key(key),
            _ => false,
        },
        Operator::Type(kind) => match kind {
            Type::String => actual.is_string(),
            Type::Int => actual.is_i64() || actual.is_u64(),
            Type::Number => actual.is_number(),
            Type::Bool => actual.is_boolean(),
            Type::List => actual.is_array(),
            Type::Map => actual.is_object(),
        },
        _ => false,
    }
}

/// A version as people write it: with a `v`, with one or two numbers.
fn version(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers_end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(numbers_end);
    let padded = match numbers.matches('.').count() {
        0 => format!("{numbers}.0.0{rest}"),
        1 => format!("{numbers}.0{rest}"),
        _ => text.to_owned(),
    };
    semver::Version::parse(&padded).ok()
}
