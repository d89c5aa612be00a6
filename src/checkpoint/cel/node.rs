//! The compiled form of an expression: names resolved to slots, macros to loops, calls to functions.

use super::functions::Function;

/// One sub-expression.
#[derive(Debug)]
pub struct Node {
    /// Unique in its program, from 0.
    pub id: u32,
    /// What it does.
    pub kind: NodeKind,
}

/// What a sub-expression does.
#[derive(Debug)]
pub enum NodeKind {
    /// A literal or the name of a type.
    Constant(Constant),
    /// A variable, by its place on the stack.
    Variable {
        /// Place on the stack.
        slot: usize,
        /// As written.
        name: String,
    },
    /// `operand.field` or `operand.?field`.
    Select {
        /// What is selected from.
        operand: Box<Node>,
        /// The key.
        field: String,
        /// What a missing key means.
        missing: Missing,
    },
    /// `has(operand.field)`.
    Has {
        /// What is selected from.
        operand: Box<Node>,
        /// The key.
        field: String,
    },
    /// `operand[index]` or `operand[?index]`.
    Index {
        /// A list or map.
        operand: Box<Node>,
        /// Position or key.
        index: Box<Node>,
        /// What a missing item means.
        missing: Missing,
    },
    /// `!x`.
    Not(Box<Node>),
    /// `-x`.
    Negate(Box<Node>),
    /// Arithmetic, comparison, `in`.
    Binary {
        /// Which one.
        operator: Operator,
        /// The left operand.
        left: Box<Node>,
        /// The right operand.
        right: Box<Node>,
    },
    /// `a && b && …`, flat.
    All(Vec<Node>),
    /// `a || b || …`, flat.
    Any(Vec<Node>),
    /// `test ? yes : no`.
    Condition {
        /// A boolean.
        test: Box<Node>,
        /// When true.
        yes: Box<Node>,
        /// When false.
        no: Box<Node>,
    },
    /// `[a, ?b]`; `true` marks an optional item.
    List(Vec<(Node, bool)>),
    /// `{a: b, ?c: d}`; `true` marks an optional entry.
    Map(Vec<(Node, Node, bool)>),
    /// A function; a method's receiver is its first argument.
    Call {
        /// Which one.
        function: &'static Function,
        /// Receiver first.
        arguments: Vec<Node>,
    },
    /// `range.all(variable, body)` and its kin.
    Loop(Box<Loop>),
    /// `cel.bind(name, value, body)`.
    Bind {
        /// Place on the stack.
        slot: usize,
        /// The name.
        name: String,
        /// What it stands for.
        value: Box<Node>,
        /// Where it is known.
        body: Box<Node>,
    },
    /// `target.orValue(alternative)` and `target.or(alternative)`: the alternative is evaluated only when it is needed.
    OrElse {
        /// An optional.
        target: Box<Node>,
        /// What to take when it has no value.
        alternative: Box<Node>,
        /// `orValue`: gives the value instead of an optional.
        unwrap: bool,
    },
    /// `target.optMap(name, body)` and `optFlatMap`.
    OptMap {
        /// An optional.
        target: Box<Node>,
        /// Place on the stack.
        slot: usize,
        /// The name.
        name: String,
        /// Evaluated when the target has a value.
        body: Box<Node>,
        /// `optFlatMap`: the body gives an optional itself.
        flat: bool,
    },
}

/// What a key that is not there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// An error.
    Fault,
    /// `optional.none()`.
    None,
}

/// A loop over a list or map.
#[derive(Debug)]
pub struct Loop {
    /// What it makes of the items.
    pub kind: LoopKind,
    /// The list or map.
    pub range: Node,
    /// The first variable: item of a list, key of a map; with two variables index or key.
    pub first: (usize, String),
    /// The second variable: item of a list, value of a map.
    pub second: Option<(usize, String)>,
    /// Items for which this is false are left out.
    pub filter: Option<Node>,
    /// Evaluated for each item.
    pub body: Node,
}

/// What a loop makes of its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopKind {
    /// True when the body is true for all.
    All,
    /// True when it is true for one at least.
    Exists,
    /// True when it is true for exactly one.
    ExistsOne,
    /// The items for which it is true.
    Filter,
    /// The bodies' values (`map`).
    Map,
    /// The bodies' values, two variables (`transformList`).
    TransformList,
    /// A map of the same keys with the bodies' values.
    TransformMap,
    /// A map of the entries that the bodies give.
    TransformMapEntry,
    /// The items in order of the bodies' values.
    SortBy,
}

impl LoopKind {
    /// The name of the macro.
    pub fn name(self) -> &'static str {
        match self {
            LoopKind::All => "all",
            LoopKind::Exists => "exists",
            LoopKind::ExistsOne => "existsOne",
            LoopKind::Filter => "filter",
            LoopKind::Map => "map",
            LoopKind::TransformList => "transformList",
            LoopKind::TransformMap => "transformMap",
            LoopKind::TransformMapEntry => "transformMapEntry",
            LoopKind::SortBy => "sortBy",
        }
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// `3`.
    Int(i64),
    /// `3u`.
    Uint(u64),
    /// `3.0`.
    Double(f64),
    /// `'text'`.
    Text(String),
    /// `b'bytes'`.
    Bytes(Vec<u8>),
    /// `int`, `string`, … as values.
    Type(&'static str),
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
}

impl Operator {
    /// As written in source.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
        }
    }

    /// How tightly it binds; `&&` is 3, `||` 2, `?:` 1.
    pub fn precedence(self) -> u8 {
        match self {
            Operator::Multiply | Operator::Divide | Operator::Remainder => 6,
            Operator::Add | Operator::Subtract => 5,
            _ => 4,
        }
    }

    /// Whether it compares: `==`, `<`, `in`, ….
    pub fn is_comparison(self) -> bool {
        self.precedence() == 4
    }
}

impl Node {
    /// The direct sub-expressions, left to right.
    pub fn children(&self) -> Vec<&Node> {
        match &self.kind {
            NodeKind::Constant(_) | NodeKind::Variable { .. } => Vec::new(),
            NodeKind::Select { operand, .. } | NodeKind::Has { operand, .. } => vec![operand],
            NodeKind::Index { operand, index, .. } => vec![operand, index],
            NodeKind::Not(inner) | NodeKind::Negate(inner) => vec![inner],
            NodeKind::Binary { left, right, .. } => vec![left, right],
            NodeKind::All(parts) | NodeKind::Any(parts) => parts.iter().collect(),
            NodeKind::Condition { test, yes, no } => vec![test, yes, no],
            NodeKind::List(items) => items.iter().map(|(item, _)| item).collect(),
            NodeKind::Map(entries) => entries.iter().flat_map(|(key, value, _)| [key, value]).collect(),
            NodeKind::Call { arguments, .. } => arguments.iter().collect(),
            NodeKind::Loop(looped) => [&looped.range].into_iter().chain(&looped.filter).chain([&looped.body]).collect(),
            NodeKind::Bind { value, body, .. } => vec![value, body],
            NodeKind::OrElse { target, alternative, .. } => vec![target, alternative],
            NodeKind::OptMap { target, body, .. } => vec![target, body],
        }
    }
}
