//! A failed comparison in words: "`object.spec.replicas` is 1, must be >= 2".

use serde_json::Value;

use super::machine::Machine;
use super::node::{Node, NodeKind, Operator};
use super::source::Written;

/// Longest piece of a rule in a message, in characters.
const SOURCE_SHOWN: usize = 140;

/// What a sub-expression asks of a value.
pub struct Demand<'a> {
    /// The sub-expression whose value is wrong.
    pub about: &'a Node,
    /// What it must be, as in `must be >= 2`.
    pub words: String,
    /// The same as data: the very value for `==`, the list for `in`, else words.
    pub expected: Value,
}

/// A piece of the rule for a message, shortened.
pub fn cut(source: &str) -> String {
    if source.chars().count() <= SOURCE_SHOWN {
        return source.to_owned();
    }
    source.chars().take(SOURCE_SHOWN).chain(['…']).collect()
}

/// Whether an expression has the same value whatever the data is.
pub fn is_constant(node: &Node) -> bool {
    !matches!(node.kind, NodeKind::Variable { .. }) && node.children().into_iter().all(is_constant)
}

/// What a false comparison (or a true one that must be false) demands; none when it is no comparison of a value.
pub fn demand<'a>(
    machine: &mut Machine<'a>,
    node: &'a Node,
    wanted: bool,
    aliases: &[(usize, String)],
) -> Option<Demand<'a>> {
    match &node.kind {
        NodeKind::Binary { operator, left, right } if operator.is_comparison() => {
            let flip = is_constant(left) && !is_constant(right) && *operator != Operator::In;
            let (about, given) = if flip { (right, left) } else { (left, right) };
            let operator = if flip { mirrored(*operator) } else { *operator };
            let operator = if wanted { operator } else { opposite(operator) };
            let given_text = operand(machine, given, aliases)?;
            let words = match operator {
                Operator::Equal => format!("must be {given_text}"),
                Operator::NotEqual => format!("must not be {given_text}"),
                Operator::In if wanted => format!("must be one of {given_text}"),
                Operator::In => format!("must be none of {given_text}"),
                other => format!("must be {} {given_text}", other.symbol()),
            };
            let is_data = operator == Operator::Equal || (operator == Operator::In && wanted);
            let data = if is_data { machine.eval(given).ok().map(|value| value.to_json()) } else { None };
            Some(Demand { about, expected: data.unwrap_or_else(|| words.clone().into()), words })
        }
        NodeKind::Call { function, arguments } if function.is_method() => {
            let [about, given] = arguments.as_slice() else { return None };
            let verb = match function.name {
                "startsWith" => "start with",
                "endsWith" => "end with",
                "contains" => "contain",
                "matches" => "match",
                "isLessThan" => "be less than",
                "isGreaterThan" => "be greater than",
                "containsIP" | "containsCIDR" => "contain",
                _ => return None,
            };
            let given = operand(machine, given, aliases)?;
            let words = format!("{} {verb} {given}", if wanted { "must" } else { "must not" });
            Some(Demand { about, expected: words.clone().into(), words })
        }
        NodeKind::Variable { .. } | NodeKind::Select { .. } | NodeKind::Index { .. } | NodeKind::OrElse { .. } => {
            Some(Demand { about: node, words: format!("must be {wanted}"), expected: wanted.into() })
        }
        _ => None,
    }
}

/// The other side of a comparison: a constant's value, else the expression with its value.
fn operand<'a>(machine: &mut Machine<'a>, node: &'a Node, aliases: &[(usize, String)]) -> Option<String> {
    let value = machine.eval(node).ok()?.show();
    if is_constant(node) {
        return Some(value);
    }
    let written = Written { node, aliases }.to_string();
    Some(format!("`{}`, which is {value}", cut(&written)))
}

fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        other => other,
    }
}

fn opposite(operator: Operator) -> Operator {
    match operator {
        Operator::Equal => Operator::NotEqual,
        Operator::NotEqual => Operator::Equal,
        Operator::Less => Operator::GreaterOrEqual,
        Operator::LessOrEqual => Operator::Greater,
        Operator::Greater => Operator::LessOrEqual,
        Operator::GreaterOrEqual => Operator::Less,
        other => other,
    }
}
