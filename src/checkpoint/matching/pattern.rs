//! The pattern as authors write it, checked and ready to compare.

use std::fmt;

use regex::Regex;
use semver::VersionReq;
use serde_json::{Map, Number, Value};

use super::quantity::{self, Nano};

/// Something wrong with a pattern: (JSON pointer into it, message with the remedy).
pub type Flaw = (String, String);

/// What the work must look like.
#[derive(Debug)]
pub struct Pattern {
    pub(super) root: Node,
}

/// A part of a pattern, with the JSON it was made from.
#[derive(Debug)]
pub(super) struct Node {
    pub raw: Value,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Typed equality; numbers by value.
    Scalar(Value),
    /// These keys, whatever else is there.
    Map(Vec<(String, Node)>),
    /// Each item paired with one of its own, in any order.
    List(Vec<Node>),
    /// All of these hold.
    Operators(Vec<Operator>),
}

#[derive(Debug)]
pub(super) enum Operator {
    Exact(Node),
    All(Node),
    None(Node),
    Len(Node),
    Contains(Node),
    Order(Order, Number),
    Ne(Node),
    In(Vec<Node>),
    Nin(Vec<Node>),
    Regex(Regex),
    Prefix(String),
    Suffix(String),
    Present,
    Absent,
    Null,
    Semver(VersionReq, String),
    Quantity(Vec<QuantityBound>),
    Not(Node),
    AnyOf(Vec<Node>),
    Type(Type),
    Cel(super::cel::Rule),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Gte,
    Gt,
    Lte,
    Lt,
    /// Only inside `$qty`.
    Eq,
    /// Only inside `$qty`.
    Ne,
}

impl Order {
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Order::Gte => ordering.is_ge(),
            Order::Gt => ordering.is_gt(),
            Order::Lte => ordering.is_le(),
            Order::Lt => ordering.is_lt(),
            Order::Eq => ordering.is_eq(),
            Order::Ne => ordering.is_ne(),
        }
    }
}

#[derive(Debug)]
pub(super) struct QuantityBound {
    pub order: Order,
    pub bound: Nano,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Int,
    Number,
    Bool,
    List,
    Map,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::String => "a string",
            Type::Int => "an integer",
            Type::Number => "a number",
            Type::Bool => "true or false",
            Type::List => "a list",
            Type::Map => "a map",
        })
    }
}

/// All operators, for messages and documentation.
pub(super) const OPERATORS: [&str; 24] = [
    "$exact",
    "$all",
    "$none",
    "$len",
    "$contains",
    "$gte",
    "$gt",
    "$lte",
    "$lt",
    "$ne",
    "$in",
    "$nin",
    "$regex",
    "$prefix",
    "$suffix",
    "$present",
    "$absent",
    "$null",
    "$semver",
    "$qty",
    "$not",
    "$anyOf",
    "$type",
    "$cel",
];

/// Nesting of patterns; the walk recurses along it.
const MAX_DEPTH: usize = 100;
/// Bytes of a compiled regular expression: generous for a rule, small for the child process.
const MAX_REGEX_BYTES: usize = 1 << 20;

impl Pattern {
    /// Checks a pattern and prepares it.
    ///
    /// # Errors
    /// All flaws of the pattern.
    pub fn parse(raw: &Value) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let root = parse(raw, &Spot::default(), &mut flaws);
        match root {
            Some(root) if flaws.is_empty() => Ok(Pattern { root }),
            _ => Err(flaws),
        }
    }
}

/// Where in the pattern the parser is.
#[derive(Default, Clone)]
struct Spot {
    pointer: String,
    depth: usize,
}

impl Spot {
    fn below(&self, segment: &str) -> Spot {
        Spot { pointer: format!("{}/{}", self.pointer, super::path::escape(segment)), depth: self.depth + 1 }
    }

    fn flaw(&self, flaws: &mut Vec<Flaw>, message: impl Into<String>) {
        flaws.push((self.pointer.clone(), message.into()));
    }
}

fn parse(raw: &Value, spot: &Spot, flaws: &mut Vec<Flaw>) -> Option<Node> {
    if spot.depth > MAX_DEPTH {
        spot.flaw(flaws, format!("the pattern is nested more than {MAX_DEPTH} deep"));
        return None;
    }
    let kind = match raw {
        Value::Null => {
            spot.flaw(flaws, "null says too little: write `{$absent: true}` or `{$null: true}`");
            return None;
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Kind::Scalar(raw.clone()),
        Value::Array(items) => Kind::List(parse_all(items, spot, flaws)?),
        Value::Object(map) => parse_map(map, spot, flaws)?,
    };
    Some(Node { raw: raw.clone(), kind })
}

fn parse_all(items: &[Value], spot: &Spot, flaws: &mut Vec<Flaw>) -> Option<Vec<Node>> {
    // Every item is looked at, so that all flaws are reported at once.
    let nodes: Vec<_> =
        items.iter().enumerate().map(|(index, item)| parse(item, &spot.below(&index.to_string()), flaws)).collect();
    nodes.into_iter().collect()
}

fn parse_map(map: &Map<String, Value>, spot: &Spot, flaws: &mut Vec<Flaw>) -> Option<Kind> {
    let is_operator = |key: &str| key.starts_with('$') && !key.starts_with("$$");
    let operators = map.keys().filter(|key| is_operator(key)).count();
    if operators == 0 {
        let entries: Vec<_> = map
            .iter()
            .map(|(key, value)| {
                // `$$x` is the literal key `$x`.
                let name = key.strip_prefix('$').unwrap_or(key).to_owned();
                Some((name, parse(value, &spot.below(key), flaws)?))
            })
            .collect();
        return entries.into_iter().collect::<Option<_>>().map(Kind::Map);
    }
    if operators < map.len() {
        spot.flaw(
            flaws,
            "operators and plain keys stand in one map: a key that really starts with `$` is written `$$`",
        );
        return None;
    }
    let parsed: Vec<_> = map.iter().map(|(key, value)| parse_operator(key, value, &spot.below(key), flaws)).collect();
    parsed.into_iter().collect::<Option<_>>().map(Kind::Operators)
}

fn parse_operator(key: &str, value: &Value, spot: &Spot, flaws: &mut Vec<Flaw>) -> Option<Operator> {
    let mut refuse = |message: String| {
        spot.flaw(flaws, message);
        None
    };
    let text = || value.as_str().map(str::to_owned);
    match key {
        "$exact" => parse(value, spot, flaws).map(Operator::Exact),
        "$all" => parse(value, spot, flaws).map(Operator::All),
        "$none" => parse(value, spot, flaws).map(Operator::None),
        "$len" => parse(value, spot, flaws).map(Operator::Len),
        "$contains" => parse(value, spot, flaws).map(Operator::Contains),
        "$not" => parse(value, spot, flaws).map(Operator::Not),
        "$ne" => parse(value, spot, flaws).map(Operator::Ne),
        "$gte" | "$gt" | "$lte" | "$lt" => match value {
            Value::Number(bound) => Some(Operator::Order(order(key)?, bound.clone())),
            _ => {
                refuse(format!("`{key}` compares numbers: for `1Gi` use `$qty: {{{key}: …}}`, for versions `$semver`"))
            }
        },
        "$in" | "$nin" | "$anyOf" => {
            let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
                return refuse(format!("`{key}` takes a list of at least one"));
            };
            let items = parse_all(items, spot, flaws)?;
            Some(match key {
                "$in" => Operator::In(items),
                "$nin" => Operator::Nin(items),
                _ => Operator::AnyOf(items),
            })
        }
        "$regex" => {
            let Some(text) = text() else { return refuse("`$regex` takes a string".to_owned()) };
            match regex::RegexBuilder::new(&text).size_limit(MAX_REGEX_BYTES).build() {
                Ok(regex) => Some(Operator::Regex(regex)),
                Err(error) => refuse(format!("`$regex` does not compile: {error}")),
            }
        }
        "$prefix" | "$suffix" | "$cel" => match text() {
            None => refuse(format!("`{key}` takes a string")),
            Some(text) if key == "$prefix" => Some(Operator::Prefix(text)),
            Some(text) if key == "$suffix" => Some(Operator::Suffix(text)),
            Some(text) => match super::cel::Rule::compile(&text) {
                Ok(rule) => Some(Operator::Cel(rule)),
                Err(message) => refuse(format!("`$cel` does not compile: {message}")),
            },
        },
        "$present" | "$absent" | "$null" if *value != Value::Bool(true) => {
            refuse(format!("`{key}` only takes `true`: say the opposite by its own operator, or by `$not`"))
        }
        "$present" => Some(Operator::Present),
        "$absent" => Some(Operator::Absent),
        "$null" => Some(Operator::Null),
        "$semver" => {
            let Some(text) = text() else { return refuse("`$semver` takes a string, as in \">=1.2\"".to_owned()) };
            match VersionReq::parse(&text) {
                Ok(range) => Some(Operator::Semver(range, text)),
                Err(error) => refuse(format!("`$semver` takes a range like \">=1.2, <2\": {error}")),
            }
        }
        "$qty" => parse_quantity(value, spot, flaws),
        "$type" => match text().as_deref() {
            Some("string") => Some(Operator::Type(Type::String)),
            Some("int") => Some(Operator::Type(Type::Int)),
            Some("number") => Some(Operator::Type(Type::Number)),
            Some("bool") => Some(Operator::Type(Type::Bool)),
            Some("list") => Some(Operator::Type(Type::List)),
            Some("map") => Some(Operator::Type(Type::Map)),
            _ => refuse("`$type` is one of string, int, number, bool, list, map".to_owned()),
        },
        _ => {
            let nearest = OPERATORS
                .iter()
                .max_by(|a, b| {
                    let alike = |name: &str| crate::checkpoint::globs::similarity(name, key);
                    alike(a).total_cmp(&alike(b))
                })
                .unwrap_or(&"$regex");
            refuse(format!(
                "there is no operator `{key}`; did you mean `{nearest}`? A key that really starts with `$` is written `$${}`",
                &key[1..]
            ))
        }
    }
}

fn order(key: &str) -> Option<Order> {
    Some(match key {
        "$gte" => Order::Gte,
        "$gt" => Order::Gt,
        "$lte" => Order::Lte,
        "$lt" => Order::Lt,
        "$ne" => Order::Ne,
        _ => return None,
    })
}

fn parse_quantity(value: &Value, spot: &Spot, flaws: &mut Vec<Flaw>) -> Option<Operator> {
    let mut bound = |order: Order, value: &Value, spot: &Spot| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match quantity::parse(&text) {
            Some(bound) => Some(QuantityBound { order, bound, text }),
            None => {
                spot.flaw(flaws, format!("`{text}` is no quantity: write it as 500m, 1Gi or 2"));
                None
            }
        }
    };
    let bounds: Option<Vec<_>> = match value {
        Value::Object(map) if !map.is_empty() => {
            let mut bounds = Vec::new();
            for (key, value) in map {
                let Some(order) = order(key) else {
                    spot.flaw(flaws, format!("`$qty` takes a quantity or $gte, $gt, $lte, $lt, $ne, not `{key}`"));
                    return None;
                };
                bounds.push(bound(order, value, &spot.below(key)));
            }
            bounds.into_iter().collect()
        }
        other => bound(Order::Eq, other, spot).map(|bound| vec![bound]),
    };
    bounds.map(Operator::Quantity)
}

impl Operator {
    /// The key in a pattern.
    pub fn key(&self) -> &'static str {
        match self {
            Operator::Exact(_) => "$exact",
            Operator::All(_) => "$all",
            Operator::None(_) => "$none",
            Operator::Len(_) => "$len",
            Operator::Contains(_) => "$contains",
            Operator::Order(Order::Gte, _) => "$gte",
            Operator::Order(Order::Gt, _) => "$gt",
            Operator::Order(Order::Lte, _) => "$lte",
            Operator::Order(Order::Lt, _) => "$lt",
            Operator::Order(Order::Eq | Order::Ne, _) | Operator::Ne(_) => "$ne",
            Operator::In(_) => "$in",
            Operator::Nin(_) => "$nin",
            Operator::Regex(_) => "$regex",
            Operator::Prefix(_) => "$prefix",
            Operator::Suffix(_) => "$suffix",
            Operator::Present => "$present",
            Operator::Absent => "$absent",
            Operator::Null => "$null",
            Operator::Semver(..) => "$semver",
            Operator::Quantity(_) => "$qty",
            Operator::Not(_) => "$not",
            Operator::AnyOf(_) => "$anyOf",
            Operator::Type(_) => "$type",
            Operator::Cel(_) => "$cel",
        }
    }
}
