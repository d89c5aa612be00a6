//! A compiled sub-expression written out again, for evidence and traces.

use std::fmt;

use super::node::{Constant, Missing, Node, NodeKind};

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written { node: self, aliases: &[] }.fmt(f)
    }
}

/// A sub-expression with some variables written as what they stand for: `optMap`'s `m` as the path it was made from.
pub struct Written<'n> {
    /// The sub-expression.
    pub node: &'n Node,
    /// By place on the stack.
    pub aliases: &'n [(usize, String)],
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, self.node, 0)
    }
}

impl Written<'_> {
    fn with<'n>(&'n self, node: &'n Node) -> Written<'n> {
        Written { node, aliases: self.aliases }
    }

    /// Writes a node, in parentheses when it binds less tightly than `outer`.
    fn write(&self, f: &mut fmt::Formatter<'_>, node: &Node, outer: u8) -> fmt::Result {
        let own = precedence(node);
        if own < outer {
            f.write_str("(")?;
            self.write_bare(f, node, own)?;
            return f.write_str(")");
        }
        self.write_bare(f, node, own)
    }

    fn write_bare(&self, f: &mut fmt::Formatter<'_>, node: &Node, own: u8) -> fmt::Result {
        match &node.kind {
            NodeKind::Constant(constant) => write_constant(f, constant),
            NodeKind::Variable { slot, name } => {
                let alias = self.aliases.iter().rev().find(|(known, _)| known == slot);
                f.write_str(alias.map_or(name, |(_, text)| text))
            }
            NodeKind::Select { operand, field, missing } => {
                self.write(f, operand, 8)?;
                write!(f, "{}{}", if *missing == Missing::None { ".?" } else { "." }, Field(field))
            }
            NodeKind::Has { operand, field } => {
                f.write_str("has(")?;
                self.write(f, operand, 8)?;
                write!(f, ".{})", Field(field))
            }
            NodeKind::Index { operand, index, missing } => {
                self.write(f, operand, 8)?;
                write!(f, "{}{}]", if *missing == Missing::None { "[?" } else { "[" }, self.with(index))
            }
            NodeKind::Not(inner) => {
                f.write_str("!")?;
                self.write(f, inner, 8)
            }
            NodeKind::Negate(inner) => {
                f.write_str("-")?;
                self.write(f, inner, 8)
            }
            NodeKind::Binary { operator, left, right } => {
                self.write(f, left, own)?;
                write!(f, " {} ", operator.symbol())?;
                self.write(f, right, own + 1)
            }
            NodeKind::All(parts) => self.write_joined(f, parts, " && ", 4),
            NodeKind::Any(parts) => self.write_joined(f, parts, " || ", 3),
            NodeKind::Condition { test, yes, no } => {
                self.write(f, test, 2)?;
                f.write_str(" ? ")?;
                self.write(f, yes, 2)?;
                f.write_str(" : ")?;
                self.write(f, no, 1)
            }
            NodeKind::List(items) => {
                f.write_str("[")?;
                for (index, (item, optional)) in items.iter().enumerate() {
                    write!(f, "{}{}{}", comma(index), if *optional { "?" } else { "" }, self.with(item))?;
                }
                f.write_str("]")
            }
            NodeKind::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value, optional)) in entries.iter().enumerate() {
                    let mark = if *optional { "?" } else { "" };
                    write!(f, "{}{mark}{}: {}", comma(index), self.with(key), self.with(value))?;
                }
                f.write_str("}")
            }
            NodeKind::Call { function, arguments } => {
                let mut arguments = arguments.as_slice();
                if let (true, Some((receiver, rest))) = (function.is_method(), arguments.split_first()) {
                    self.write(f, receiver, 8)?;
                    f.write_str(".")?;
                    arguments = rest;
                }
                write!(f, "{}(", function.name)?;
                self.write_joined(f, arguments, ", ", 0)?;
                f.write_str(")")
            }
            NodeKind::Loop(looped) => {
                self.write(f, &looped.range, 8)?;
                write!(f, ".{}({}", looped.kind.name(), looped.first.1)?;
                let second = looped.second.iter().map(|(_, name)| name.clone());
                let bodies = looped.filter.iter().chain([&looped.body]).map(|body| self.with(body).to_string());
                for part in second.chain(bodies) {
                    write!(f, ", {part}")?;
                }
                f.write_str(")")
            }
            NodeKind::Bind { name, value, body, .. } => {
                write!(f, "cel.bind({name}, {}, {})", self.with(value), self.with(body))
            }
            NodeKind::OrElse { target, alternative, unwrap } => {
                self.write(f, target, 8)?;
                write!(f, ".{}({})", if *unwrap { "orValue" } else { "or" }, self.with(alternative))
            }
            NodeKind::OptMap { target, name, body, flat, .. } => {
                self.write(f, target, 8)?;
                write!(f, ".{}({name}, {})", if *flat { "optFlatMap" } else { "optMap" }, self.with(body))
            }
        }
    }

    fn write_joined(&self, f: &mut fmt::Formatter<'_>, parts: &[Node], separator: &str, outer: u8) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(separator)?;
            }
            self.write(f, part, outer)?;
        }
        Ok(())
    }
}

fn precedence(node: &Node) -> u8 {
    match &node.kind {
        NodeKind::Condition { .. } => 1,
        NodeKind::Any(_) => 2,
        NodeKind::All(_) => 3,
        NodeKind::Binary { operator, .. } => operator.precedence(),
        NodeKind::Not(_) | NodeKind::Negate(_) => 7,
        _ => 8,
    }
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { ", " }
}

fn write_constant(f: &mut fmt::Formatter<'_>, constant: &Constant) -> fmt::Result {
    match constant {
        Constant::Null => f.write_str("null"),
        Constant::Bool(value) => write!(f, "{value}"),
        Constant::Int(value) => write!(f, "{value}"),
        Constant::Uint(value) => write!(f, "{value}u"),
        Constant::Double(value) if value.fract() == 0.0 && value.abs() < 1e15 => write!(f, "{value:.1}"),
        Constant::Double(value) => write!(f, "{value}"),
        Constant::Text(text) => f.write_str(&quote(text)),
        Constant::Bytes(bytes) => write!(f, "b{}", quote(&String::from_utf8_lossy(bytes))),
        Constant::Type(name) => f.write_str(name),
    }
}

/// A text literal in single quotes.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A field name, in backticks when it is not an identifier.
struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain { f.write_str(self.0) } else { write!(f, "`{}`", self.0) }
    }
}
