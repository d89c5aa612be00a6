//! Patterns and values in words: "is 1, must be at least 2".

use serde_json::Value;

use super::pattern::{Kind, Node, Operator, Order, QuantityBound};

/// Characters of a value in a sentence.
const LONGEST: usize = 80;

/// Learner text inside a sentence: on one line, short, without backticks of its own.
pub fn clip(text: &str) -> String {
    clip_at(LONGEST, text)
}

/// As [`clip`], with so many characters at most.
pub fn clip_at(longest: usize, text: &str) -> String {
    let mut clipped: String = String::new();
    for c in text.chars().take(longest) {
        match c {
            '`' => clipped.push('\''),
            '"' | '\'' | '\\' => clipped.push(c),
            c => clipped.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(longest).is_some() {
        clipped.push('…');
    }
    clipped
}

/// A number of things, as in `1 item`, `2 items`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A value for evidence: long strings cut, large structures pruned.
pub fn shorten(value: &Value) -> Value {
    let mut left = 60;
    prune(value, &mut left)
}

fn prune(value: &Value, left: &mut usize) -> Value {
    const LONGEST_STRING: usize = 200;
    if *left == 0 {
        return Value::from("…");
    }
    *left -= 1;
    match value {
        Value::String(text) if text.chars().nth(LONGEST_STRING).is_some() => {
            Value::from(text.chars().take(LONGEST_STRING).chain(['…']).collect::<String>())
        }
        Value::Array(items) => {
            let mut kept = Vec::new();
            for item in items {
                kept.push(prune(item, left));
                if *left == 0 {
                    break;
                }
            }
            Value::Array(kept)
        }
        Value::Object(map) => {
            let mut kept = serde_json::Map::new();
            for (key, item) in map {
                kept.insert(key.clone(), prune(item, left));
                if *left == 0 {
                    break;
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// A value in a sentence.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "empty (null)".to_owned(),
        Value::String(text) if text.is_empty() => "the empty text".to_owned(),
        Value::String(text) => format!("`{}`", clip(text)),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Object(map) if map.is_empty() => "an empty map".to_owned(),
        Value::Array(_) | Value::Object(_) => format!("`{}`", clip(&shorten(value).to_string())),
    }
}

/// A scalar with its type, for when the type is the matter.
pub(super) fn typed(of: &Value) -> String {
    match of {
        Value::String(text) if !text.is_empty() => format!("the text {}", value(of)),
        Value::Number(_) => format!("the number {of}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        _ => value(of),
    }
}

/// What a pattern asks for, after "must".
pub(super) fn must(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(expected) => format!("be {}", value(expected)),
        Kind::Map(entries) if entries.is_empty() => "be an empty map or any other map".to_owned(),
        Kind::Map(_) | Kind::List(_) => format!("be {}", brief(&node.raw)),
        Kind::Operators(operators) => operators.iter().map(must_operator).collect::<Vec<_>>().join(" and "),
    }
}

fn brief(raw: &Value) -> String {
    format!("like {}", value(raw))
}

/// What an operator asks for, after "must".
pub(super) fn must_operator(operator: &Operator) -> String {
    let all = |nodes: &[Node]| nodes.iter().map(|node| value(&node.raw)).collect::<Vec<_>>().join(", ");
    match operator {
        Operator::Exact(node) => format!("be exactly {}", value(&node.raw)),
        Operator::All(node) => format!("be a list in which every item is {}", brief(&node.raw)),
        Operator::None(node) => format!("have no item like {}", value(&node.raw)),
        Operator::Len(node) => format!("have {}", length(node)),
        Operator::Contains(node) => format!("contain {}", value(&node.raw)),
        Operator::Order(order, bound) => format!("be {} {bound}", order_words(*order)),
        Operator::Ne(node) => format!("not be {}", value(&node.raw)),
        Operator::In(nodes) => format!("be one of {}", all(nodes)),
        Operator::Nin(nodes) => format!("be none of {}", all(nodes)),
        Operator::Regex(regex) => format!("match the regular expression `{}`", clip(regex.as_str())),
        Operator::Prefix(text) => format!("start with `{}`", clip(text)),
        Operator::Suffix(text) => format!("end with `{}`", clip(text)),
        Operator::Present => "be set".to_owned(),
        Operator::Absent => "not be set".to_owned(),
        Operator::Null => "be null".to_owned(),
        Operator::Semver(_, text) => format!("be a version in `{}`", clip(text)),
        Operator::Quantity(bounds) => {
            format!("be a quantity of {}", bounds.iter().map(bound).collect::<Vec<_>>().join(" and "))
        }
        Operator::Not(node) => format!("not {}", must(node)),
        Operator::AnyOf(nodes) => nodes.iter().map(must).collect::<Vec<_>>().join(", or "),
        Operator::Type(kind) => format!("be {kind}"),
        Operator::Cel(rule) => format!("satisfy `{}`", clip(&rule.source)),
    }
}

/// How many items a length asks for.
pub(super) fn length(node: &Node) -> String {
    let items = |n: &str| if n == "1" { "item" } else { "items" };
    match &node.kind {
        Kind::Scalar(n) => format!("exactly {n} {}", items(&n.to_string())),
        Kind::Operators(operators) => {
            let words: Vec<_> = operators
                .iter()
                .map(|operator| match operator {
                    Operator::Order(order, n) => format!("{} {n} {}", order_words(*order), items(&n.to_string())),
                    other => format!("a length that must {}", must_operator(other)),
                })
                .collect();
            words.join(" and ")
        }
        Kind::Map(_) | Kind::List(_) => value(&node.raw),
    }
}

fn bound(bound: &QuantityBound) -> String {
    format!("{} {}", order_words(bound.order), clip(&bound.text))
}

fn order_words(order: Order) -> &'static str {
    match order {
        Order::Gte => "at least",
        Order::Gt => "more than",
        Order::Lte => "at most",
        Order::Lt => "less than",
        Order::Eq => "exactly",
        Order::Ne => "anything but",
    }
}

/// One item of a list, in words: `containers` has containers.
pub(super) fn item_of(list: &str) -> String {
    let singular = match list {
        "" => None,
        _ if list.ends_with("ies") => Some(format!("{}y", &list[..list.len() - 3])),
        _ if list.ends_with("sses") => Some(list[..list.len() - 2].to_owned()),
        _ if list.ends_with('s') && !list.ends_with("ss") => Some(list[..list.len() - 1].to_owned()),
        _ => None,
    };
    match singular {
        Some(word) if word.chars().all(|c| c.is_ascii_alphabetic()) => word,
        _ => "item".to_owned(),
    }
}
