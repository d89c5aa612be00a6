//! From the parser's tree to nodes: names to slots, macros to loops, calls to functions; and as much type checking as
//! literals and known results allow.

use super::functions::{Function, Style, find, suggest};
use super::limits;
use super::node::{Constant, Loop, LoopKind, Missing, Node, NodeKind, Operator};
use super::parse::{Expr, ExprKind};
use super::program::Problem;
use super::types::Ty;

/// Names that stand for types.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
    "google.protobuf.Duration",
    "google.protobuf.Timestamp",
    "optional_type",
    "kubernetes.Quantity",
    "kubernetes.Semver",
    "kubernetes.URL",
    "net.IP",
    "net.CIDR",
];

struct Binding {
    name: String,
    slot: usize,
    ty: Ty,
}

/// The state of lowering one expression.
pub struct Lowering<'s> {
    source: &'s str,
    scope: Vec<Binding>,
    globals: usize,
    slots: usize,
    used: Vec<bool>,
    next_id: u32,
    /// Inside the arguments of `format`, where literals may mix types, as in an API server.
    mixed: bool,
    problems: Vec<Problem>,
}

impl<'s> Lowering<'s> {
    /// Starts with the variables of the rule.
    pub fn new(source: &'s str, variables: &[(&str, Ty)]) -> Self {
        let binding =
            |(slot, (name, ty)): (usize, &(&str, Ty))| Binding { name: (*name).to_owned(), slot, ty: ty.clone() };
        let scope: Vec<_> = variables.iter().enumerate().map(binding).collect();
        let globals = scope.len();
        let used = vec![false; globals];
        Self { source, scope, globals, slots: globals, used, next_id: 0, mixed: false, problems: Vec::new() }
    }

    /// Number of slots, which variables are used, and what is wrong.
    pub fn finish(self) -> (usize, Vec<bool>, Vec<Problem>) {
        (self.slots, self.used, self.problems)
    }

    /// Lowers an expression; what is wrong with it is noted and stands as `null`.
    pub fn lower(&mut self, expression: &Expr, depth: usize) -> (Node, Ty) {
        if depth > limits::DEPTH {
            let message = limits::too_deep();
            if !self.problems.iter().any(|problem| problem.message == message) {
                self.problem(expression, message);
            }
            return (self.node(NodeKind::Constant(Constant::Null)), Ty::Dyn);
        }
        let (kind, ty) = match &expression.kind {
            ExprKind::Constant(constant) => (NodeKind::Constant(constant.clone()), constant_type(constant)),
            ExprKind::Name(name) => self.ident(expression, name),
            ExprKind::Select { operand, field, optional } => match self.qualified_type(expression) {
                Some(name) => (NodeKind::Constant(Constant::Type(name)), Ty::Type),
                None => {
                    let (operand, ty) = self.lower(operand, depth + 1);
                    let ty = as_optional(self.member_type(expression, &ty, field), *optional);
                    (
                        NodeKind::Select {
                            operand: Box::new(operand),
                            field: field.clone(),
                            missing: missing(*optional),
                        },
                        ty,
                    )
                }
            },
            ExprKind::Index { operand, index, optional } => {
                let (operand, operand_type) = self.lower(operand, depth + 1);
                let (index, index_type) = self.lower(index, depth + 1);
                let ty = as_optional(self.item_type(expression, &operand_type, &index_type), *optional);
                let (operand, index) = (Box::new(operand), Box::new(index));
                (NodeKind::Index { operand, index, missing: missing(*optional) }, ty)
            }
            ExprKind::Call { target: Some(target), name, arguments } => {
                self.method(expression, name, target, arguments, depth)
            }
            ExprKind::Call { target: None, name, arguments } => self.global(expression, name, arguments, depth),
            ExprKind::Not(inner) => (NodeKind::Not(Box::new(self.boolean(inner, "!", depth))), Ty::Bool),
            ExprKind::Negate(inner) => {
                let (node, ty) = self.lower(inner, depth + 1);
                if !matches!(ty, Ty::Dyn | Ty::Int | Ty::Double) {
                    self.problem(expression, format!("no matching overload for `-` applied to {ty}"));
                }
                (NodeKind::Negate(Box::new(node)), ty)
            }
            ExprKind::Binary(operator, left, right) => self.binary(expression, *operator, left, right, depth),
            ExprKind::All(parts) => (NodeKind::All(self.booleans(parts, "&&", depth)), Ty::Bool),
            ExprKind::Any(parts) => (NodeKind::Any(self.booleans(parts, "||", depth)), Ty::Bool),
            ExprKind::Condition(parts) => {
                let [test, yes, no] = &**parts;
                let test = self.boolean(test, "?:", depth);
                let (yes, yes_type) = self.lower(yes, depth + 1);
                let (no, no_type) = self.lower(no, depth + 1);
                if !yes_type.agrees(&no_type) {
                    self.problem(expression, format!("the branches of `?:` are of types {yes_type} and {no_type}"));
                }
                let ty = yes_type.join(&no_type);
                (NodeKind::Condition { test: Box::new(test), yes: Box::new(yes), no: Box::new(no) }, ty)
            }
            ExprKind::List(items) => self.list(items, depth),
            ExprKind::Map(entries) => self.map(entries, depth),
        };
        (self.node(kind), ty)
    }

    fn node(&mut self, kind: NodeKind) -> Node {
        let id = self.next_id;
        self.next_id += 1;
        Node { id, kind }
    }

    fn problem(&mut self, expression: &Expr, message: String) {
        self.problems.push(Problem::at(self.source, Some(expression.at), message));
    }

    fn lookup(&self, name: &str) -> Option<&Binding> {
        self.scope.iter().rev().find(|binding| binding.name == name)
    }

    fn ident(&mut self, expression: &Expr, name: &str) -> (NodeKind, Ty) {
        let found = self.lookup(name).map(|binding| (binding.slot, binding.ty.clone()));
        if let Some((slot, ty)) = found {
            if let Some(used) = self.used.get_mut(slot) {
                *used = true;
            }
            return (NodeKind::Variable { slot, name: name.to_owned() }, ty);
        }
        if let Some(name) = TYPES.iter().find(|known| **known == name) {
            return (NodeKind::Constant(Constant::Type(name)), Ty::Type);
        }
        let known: Vec<_> = self.scope.iter().take(self.globals).map(|binding| format!("`{}`", binding.name)).collect();
        let there = if known.is_empty() { "no variable here".to_owned() } else { known.join(", ") };
        self.problem(expression, format!("undeclared variable `{name}`; there is {there}"));
        (NodeKind::Constant(Constant::Null), Ty::Dyn)
    }

    fn qualified_type(&self, expression: &Expr) -> Option<&'static str> {
        let mut segments = Vec::new();
        let mut current = expression;
        loop {
            match &current.kind {
                ExprKind::Name(name) if self.lookup(name).is_none() => {
                    segments.push(name.as_str());
                    break;
                }
                ExprKind::Select { operand, field, optional: false } => {
                    segments.push(field.as_str());
                    current = operand;
                }
                _ => return None,
            }
        }
        segments.reverse();
        let name = segments.join(".");
        TYPES.iter().find(|known| **known == name).copied()
    }

    fn member_type(&mut self, expression: &Expr, operand: &Ty, field: &str) -> Ty {
        match operand {
            Ty::Dyn | Ty::Param(_) => Ty::Dyn,
            Ty::Map(_, value) => (**value).clone(),
            Ty::Optional(inner) => {
                let inner = self.member_type(expression, inner, field);
                if matches!(inner, Ty::Optional(_)) { inner } else { Ty::optional(inner) }
            }
            other => {
                self.problem(expression, format!("type {other} has no field `{field}`"));
                Ty::Dyn
            }
        }
    }

    fn item_type(&mut self, expression: &Expr, operand: &Ty, index: &Ty) -> Ty {
        let fits = match operand {
            Ty::Dyn | Ty::Param(_) => return Ty::Dyn,
            Ty::List(item) if matches!(index, Ty::Dyn | Ty::Int | Ty::Uint | Ty::Double) => Some((**item).clone()),
            Ty::Map(key, value) if key.agrees(index) => Some((**value).clone()),
            Ty::Optional(inner) => return Ty::optional(self.item_type(expression, inner, index)),
            _ => None,
        };
        fits.unwrap_or_else(|| {
            self.problem(expression, format!("no matching overload for `[]` applied to {operand} and {index}"));
            Ty::Dyn
        })
    }

    fn list(&mut self, elements: &[(Expr, bool)], depth: usize) -> (NodeKind, Ty) {
        let mut items = Vec::new();
        let mut common: Option<Ty> = None;
        for (element, optional) in elements {
            let (node, ty) = self.lower(element, depth + 1);
            let ty = if *optional { self.unwrap_optional(element, ty) } else { ty };
            common = Some(self.same_type(element, common, ty));
            items.push((node, *optional));
        }
        (NodeKind::List(items), Ty::list(common.unwrap_or(Ty::Param('T'))))
    }

    fn map(&mut self, written: &[(Expr, Expr, bool)], depth: usize) -> (NodeKind, Ty) {
        let mut entries = Vec::new();
        let (mut keys, mut values) = (None, None);
        for (written_key, written_value, optional) in written {
            let (key, key_type) = self.lower(written_key, depth + 1);
            let (value, value_type) = self.lower(written_value, depth + 1);
            let value_type = if *optional { self.unwrap_optional(written_value, value_type) } else { value_type };
            if !matches!(key_type, Ty::Dyn | Ty::Str | Ty::Int | Ty::Uint | Ty::Bool | Ty::Param(_)) {
                self.problem(written_key, format!("a map cannot have a key of type {key_type}"));
            }
            keys = Some(self.same_type(written_key, keys, key_type));
            values = Some(self.same_type(written_value, values, value_type));
            entries.push((key, value, *optional));
        }
        let ty = Ty::map(keys.unwrap_or(Ty::Param('T')), values.unwrap_or(Ty::Param('T')));
        (NodeKind::Map(entries), ty)
    }

    fn unwrap_optional(&mut self, expression: &Expr, ty: Ty) -> Ty {
        match ty {
            Ty::Optional(inner) => *inner,
            Ty::Dyn | Ty::Param(_) => Ty::Dyn,
            other => {
                self.problem(expression, format!("`?` needs an optional, got {other}"));
                Ty::Dyn
            }
        }
    }

    /// Kubernetes wants all items of a literal to be of one type.
    fn same_type(&mut self, expression: &Expr, before: Option<Ty>, ty: Ty) -> Ty {
        match before {
            None => ty,
            Some(before) if self.mixed || before.agrees(&ty) => before.join(&ty),
            Some(before) => {
                self.problem(expression, format!("expected type {before} but found {ty}; write `dyn(…)` to mix types"));
                before
            }
        }
    }

    fn global(&mut self, expression: &Expr, name: &str, arguments: &[Expr], depth: usize) -> (NodeKind, Ty) {
        if let ("has", [argument]) = (name, arguments) {
            return self.has(expression, argument, depth);
        }
        match find(name, Style::Global) {
            Some(function) => self.apply(expression, function, &arguments.iter().collect::<Vec<_>>(), depth),
            None => {
                self.unknown(expression, name, Style::Global);
                (NodeKind::Constant(Constant::Null), Ty::Dyn)
            }
        }
    }

    fn unknown(&mut self, expression: &Expr, name: &str, style: Style) {
        let (what, other) = match style {
            Style::Global => ("function", Style::Method),
            Style::Method => ("method", Style::Global),
        };
        let help = match (find(name, other), style) {
            (Some(_), Style::Global) => format!("; it is a method: write `x.{name}(…)`"),
            (Some(_), Style::Method) => format!("; it is a function: write `{name}(…)`"),
            (None, _) => suggest(name, style).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
        };
        self.problem(expression, format!("unknown {what} `{name}`{help}"));
    }

    fn has(&mut self, expression: &Expr, argument: &Expr, depth: usize) -> (NodeKind, Ty) {
        let ExprKind::Select { operand, field, .. } = &argument.kind else {
            self.problem(expression, "`has` needs a field, as in `has(object.spec)`".to_owned());
            return (NodeKind::Constant(Constant::Null), Ty::Bool);
        };
        let (operand, ty) = self.lower(operand, depth + 1);
        self.member_type(argument, &ty, field);
        (NodeKind::Has { operand: Box::new(operand), field: field.clone() }, Ty::Bool)
    }

    /// The operands of `&&` or `||`; a chain in parentheses joins the outer one of the same operator.
    fn booleans(&mut self, parts: &[Expr], symbol: &str, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for part in parts {
            match &part.kind {
                ExprKind::All(inner) if symbol == "&&" => nodes.extend(self.booleans(inner, symbol, depth)),
                ExprKind::Any(inner) if symbol == "||" => nodes.extend(self.booleans(inner, symbol, depth)),
                _ => nodes.push(self.boolean(part, symbol, depth)),
            }
        }
        nodes
    }

    fn boolean(&mut self, expression: &Expr, symbol: &str, depth: usize) -> Node {
        let (node, ty) = self.lower(expression, depth + 1);
        if !ty.agrees(&Ty::Bool) {
            self.problem(expression, format!("`{symbol}` needs a bool, got {ty}"));
        }
        node
    }

    fn binary(
        &mut self,
        expression: &Expr,
        operator: Operator,
        left: &Expr,
        right: &Expr,
        depth: usize,
    ) -> (NodeKind, Ty) {
        let (left, left_type) = self.lower(left, depth + 1);
        let (right, right_type) = self.lower(right, depth + 1);
        let ty = binary_type(operator, &left_type, &right_type).unwrap_or_else(|| {
            let symbol = operator.symbol();
            let message = format!("no matching overload for `{symbol}` applied to {left_type} and {right_type}");
            self.problem(expression, message);
            Ty::Dyn
        });
        (NodeKind::Binary { operator, left: Box::new(left), right: Box::new(right) }, ty)
    }

    fn apply(
        &mut self,
        expression: &Expr,
        function: &'static Function,
        arguments: &[&Expr],
        depth: usize,
    ) -> (NodeKind, Ty) {
        let outer = self.mixed;
        self.mixed |= function.name == "format";
        let lowered: Vec<_> = arguments.iter().map(|argument| self.lower(argument, depth + 1)).collect();
        self.mixed = outer;
        let (arguments, types): (Vec<_>, Vec<_>) = lowered.into_iter().unzip();
        let ty = function.result(&types).unwrap_or_else(|message| {
            self.problem(expression, message);
            Ty::Dyn
        });
        self.check_literals(expression, function, &arguments);
        (NodeKind::Call { function, arguments }, ty)
    }

    /// Literals that a function will refuse whatever the data is.
    fn check_literals(&mut self, expression: &Expr, function: &Function, arguments: &[Node]) {
        let text = |node: Option<&Node>| match node.map(|node| &node.kind) {
            Some(NodeKind::Constant(Constant::Text(text))) => Some(text.clone()),
            _ => None,
        };
        let position = usize::from(function.is_method());
        if let ("matches" | "find" | "findAll", Some(pattern)) = (function.name, text(arguments.get(1)))
            && let Err(message) = super::machine::compile_pattern(&pattern)
        {
            self.problem(expression, message);
        }
        if let Some(literal) = text(arguments.get(position))
            && let Err(message) = super::functions::check_literal(function, &literal)
        {
            self.problem(expression, message);
        }
    }

    fn method(
        &mut self,
        expression: &Expr,
        name: &str,
        target: &Expr,
        arguments: &[Expr],
        depth: usize,
    ) -> (NodeKind, Ty) {
        if let ExprKind::Name(namespace) = &target.kind
            && self.lookup(namespace).is_none()
        {
            if (namespace.as_str(), name, arguments.len()) == ("cel", "bind", 3) {
                return self.bind(expression, arguments, depth);
            }
            let qualified = format!("{namespace}.{name}");
            if let Some(function) = find(&qualified, Style::Global) {
                return self.apply(expression, function, &arguments.iter().collect::<Vec<_>>(), depth);
            }
            if super::functions::is_namespace(namespace) {
                self.unknown(expression, &qualified, Style::Global);
                return (NodeKind::Constant(Constant::Null), Ty::Dyn);
            }
        }
        if let Some((kind, forms)) = loop_kind(name) {
            let form =
                (arguments.len(), arguments.get(1).is_some_and(|argument| matches!(argument.kind, ExprKind::Name(_))));
            if let Some(form) = forms.iter().find(|known| known.arguments == form.0 && (!known.two || form.1)) {
                return self.looped(expression, kind, *form, target, arguments, depth);
            }
            let known: Vec<_> = forms.iter().map(|form| format!("`{name}{}`", form.shape())).collect();
            self.problem(expression, format!("`{name}` is written {}", known.join(" or ")));
            return (NodeKind::Constant(Constant::Null), Ty::Dyn);
        }
        match (name, arguments) {
            ("optMap" | "optFlatMap", [variable, body]) => {
                self.opt_map(expression, name, target, [variable, body], depth)
            }
            ("or" | "orValue", [alternative]) => {
                self.or_else(expression, name == "orValue", target, alternative, depth)
            }
            _ => match find(name, Style::Method) {
                Some(function) => {
                    let arguments: Vec<_> = std::iter::once(target).chain(arguments).collect();
                    self.apply(expression, function, &arguments, depth)
                }
                None => {
                    self.lower(target, depth + 1);
                    self.unknown(expression, name, Style::Method);
                    (NodeKind::Constant(Constant::Null), Ty::Dyn)
                }
            },
        }
    }

    fn or_else(
        &mut self,
        expression: &Expr,
        unwrap: bool,
        target: &Expr,
        alternative: &Expr,
        depth: usize,
    ) -> (NodeKind, Ty) {
        let (target, target_type) = self.lower(target, depth + 1);
        let (alternative, alternative_type) = self.lower(alternative, depth + 1);
        let wanted = if unwrap { Ty::optional(alternative_type.clone()) } else { alternative_type.clone() };
        let fits = target_type.agrees(&wanted) && (unwrap || matches!(wanted, Ty::Optional(_) | Ty::Dyn));
        if !fits {
            let name = if unwrap { "orValue" } else { "or" };
            let message = format!("no matching overload for `{name}` applied to {target_type}.({alternative_type})");
            self.problem(expression, message);
        }
        let ty = match target_type.join(&wanted) {
            Ty::Optional(inner) if unwrap => *inner,
            other => other,
        };
        (NodeKind::OrElse { target: Box::new(target), alternative: Box::new(alternative), unwrap }, ty)
    }

    /// Runs `inner` with a name bound in a slot of its own.
    fn scoped<T>(&mut self, name: &str, ty: Ty, inner: impl FnOnce(&mut Self, usize) -> T) -> T {
        let slot = self.scope.iter().map(|binding| binding.slot + 1).max().unwrap_or(0).max(self.globals);
        self.slots = self.slots.max(slot + 1);
        self.scope.push(Binding { name: name.to_owned(), slot, ty });
        let result = inner(self, slot);
        self.scope.pop();
        result
    }

    fn name_of(&mut self, expression: &Expr) -> String {
        match &expression.kind {
            ExprKind::Name(name) => name.clone(),
            _ => {
                self.problem(
                    expression,
                    "a name is needed here, as `c` in `containers.all(c, c.name != '')`".to_owned(),
                );
                "_".to_owned()
            }
        }
    }

    fn bind(&mut self, expression: &Expr, arguments: &[Expr], depth: usize) -> (NodeKind, Ty) {
        let [name, value, body] = arguments else {
            self.problem(expression, "`cel.bind` takes a name, a value and an expression".to_owned());
            return (NodeKind::Constant(Constant::Null), Ty::Dyn);
        };
        let name = self.name_of(name);
        let (value, value_type) = self.lower(value, depth + 1);
        let ((body, ty), slot) =
            self.scoped(&name, value_type, |lowering, slot| (lowering.lower(body, depth + 1), slot));
        (NodeKind::Bind { slot, name, value: Box::new(value), body: Box::new(body) }, ty)
    }

    fn opt_map(
        &mut self,
        expression: &Expr,
        method: &str,
        target: &Expr,
        [variable, body]: [&Expr; 2],
        depth: usize,
    ) -> (NodeKind, Ty) {
        let flat = method == "optFlatMap";
        let (target, target_type) = self.lower(target, depth + 1);
        let inner = match target_type {
            Ty::Optional(inner) => *inner,
            Ty::Dyn | Ty::Param(_) => Ty::Dyn,
            other => {
                self.problem(expression, format!("`{method}` needs an optional, got {other}"));
                Ty::Dyn
            }
        };
        let name = self.name_of(variable);
        let ((body, body_type), slot) =
            self.scoped(&name, inner, |lowering, slot| (lowering.lower(body, depth + 1), slot));
        let ty = if flat { body_type } else { Ty::optional(body_type) };
        (NodeKind::OptMap { target: Box::new(target), slot, name, body: Box::new(body), flat }, ty)
    }

    fn looped(
        &mut self,
        expression: &Expr,
        kind: LoopKind,
        form: Form,
        target: &Expr,
        arguments: &[Expr],
        depth: usize,
    ) -> (NodeKind, Ty) {
        let (range, range_type) = self.lower(target, depth + 1);
        let (key, item) = match &range_type {
            Ty::Dyn | Ty::Param(_) => (Ty::Dyn, Ty::Dyn),
            Ty::List(item) => (Ty::Int, (**item).clone()),
            Ty::Map(key, value) => ((**key).clone(), (**value).clone()),
            other => {
                self.problem(expression, format!("`{}` needs a list or map, got {other}", kind.name()));
                (Ty::Dyn, Ty::Dyn)
            }
        };
        let single = if matches!(range_type, Ty::Map(..)) { key.clone() } else { item.clone() };
        let names = 1 + usize::from(form.two);
        let (variables, bodies) = arguments.split_at(names.min(arguments.len()));
        let first_name = variables.first().map(|variable| self.name_of(variable)).unwrap_or_default();
        let second_name = variables.get(1).map(|variable| self.name_of(variable));
        let first_type = if form.two { key.clone() } else { single.clone() };
        let (filter, body) = match bodies {
            [filter, body] => (Some(filter), Some(body)),
            [body, ..] => (None, Some(body)),
            [] => (None, None),
        };
        let tests = matches!(kind, LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne | LoopKind::Filter);
        let lower_bodies = |lowering: &mut Self| {
            let filter = filter.map(|filter| lowering.boolean(filter, kind.name(), depth));
            let (body, ty) = match body {
                Some(body) if tests => (lowering.boolean(body, kind.name(), depth), Ty::Bool),
                Some(body) => lowering.lower(body, depth + 1),
                None => (lowering.node(NodeKind::Constant(Constant::Null)), Ty::Dyn),
            };
            (filter, body, ty)
        };
        let (first, second, (filter, body, body_type)) =
            self.scoped(&first_name, first_type, |lowering, first| match &second_name {
                Some(name) => lowering.scoped(name, item.clone(), |lowering, second| {
                    (first, Some((second, name.clone())), lower_bodies(lowering))
                }),
                None => (first, None, lower_bodies(lowering)),
            });
        let ty = match kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Ty::Bool,
            LoopKind::Filter | LoopKind::SortBy => Ty::list(single),
            LoopKind::Map | LoopKind::TransformList => Ty::list(body_type),
            LoopKind::TransformMap => Ty::map(key, body_type),
            LoopKind::TransformMapEntry => body_type,
        };
        (NodeKind::Loop(Box::new(Loop { kind, range, first: (first, first_name), second, filter, body })), ty)
    }
}

/// A way to write a loop: how many arguments, and whether the first two of them are names.
#[derive(Debug, Clone, Copy)]
struct Form {
    arguments: usize,
    two: bool,
}

impl Form {
    fn shape(self) -> &'static str {
        match (self.arguments, self.two) {
            (2, _) => "(item, expression)",
            (3, true) => "(key, value, expression)",
            (3, false) => "(item, filter, expression)",
            _ => "(key, value, filter, expression)",
        }
    }
}

fn loop_kind(name: &str) -> Option<(LoopKind, &'static [Form])> {
    const ONE: Form = Form { arguments: 2, two: false };
    const TWO: Form = Form { arguments: 3, two: true };
    const ONE_FILTERED: Form = Form { arguments: 3, two: false };
    const TWO_FILTERED: Form = Form { arguments: 4, two: true };
    Some(match name {
        "all" => (LoopKind::All, &[ONE, TWO]),
        "exists" => (LoopKind::Exists, &[ONE, TWO]),
        "exists_one" | "existsOne" => (LoopKind::ExistsOne, &[ONE, TWO]),
        "filter" => (LoopKind::Filter, &[ONE]),
        "map" => (LoopKind::Map, &[ONE, ONE_FILTERED]),
        "transformList" => (LoopKind::TransformList, &[TWO, TWO_FILTERED]),
        "transformMap" => (LoopKind::TransformMap, &[TWO, TWO_FILTERED]),
        "transformMapEntry" => (LoopKind::TransformMapEntry, &[TWO, TWO_FILTERED]),
        "sortBy" => (LoopKind::SortBy, &[ONE]),
        _ => return None,
    })
}

fn as_optional(ty: Ty, wrap: bool) -> Ty {
    if !wrap || matches!(ty, Ty::Optional(_)) { ty } else { Ty::optional(ty) }
}

fn missing(optional: bool) -> Missing {
    if optional { Missing::None } else { Missing::Fault }
}

fn constant_type(constant: &Constant) -> Ty {
    match constant {
        Constant::Null => Ty::Null,
        Constant::Bool(_) => Ty::Bool,
        Constant::Int(_) => Ty::Int,
        Constant::Uint(_) => Ty::Uint,
        Constant::Double(_) => Ty::Double,
        Constant::Text(_) => Ty::Str,
        Constant::Bytes(_) => Ty::Bytes,
        Constant::Type(_) => Ty::Type,
    }
}

/// The type of a binary operation; none when no overload takes these types.
fn binary_type(operator: Operator, left: &Ty, right: &Ty) -> Option<Ty> {
    let unknown = |ty: &Ty| matches!(ty, Ty::Dyn | Ty::Param(_));
    match operator {
        Operator::Equal | Operator::NotEqual => left.agrees(right).then_some(Ty::Bool),
        Operator::In => match right {
            Ty::List(item) => item.agrees(left).then_some(Ty::Bool),
            Ty::Map(key, _) => key.agrees(left).then_some(Ty::Bool),
            other => unknown(other).then_some(Ty::Bool),
        },
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let comparable = |ty: &Ty| {
                unknown(ty)
                    || ty.is_number()
                    || matches!(ty, Ty::Bool | Ty::Str | Ty::Bytes | Ty::Duration | Ty::Timestamp)
            };
            let numbers = left.is_number() && right.is_number();
            (comparable(left) && comparable(right) && (numbers || left.agrees(right))).then_some(Ty::Bool)
        }
        _ => {
            let takes = |ty: &Ty| match (operator, ty) {
                (_, Ty::Dyn | Ty::Param(_) | Ty::Int | Ty::Uint) => true,
                (Operator::Remainder, _) => false,
                (_, Ty::Double) => true,
                (Operator::Add, Ty::Str | Ty::Bytes | Ty::List(_) | Ty::Duration | Ty::Timestamp) => true,
                (Operator::Subtract, Ty::Duration | Ty::Timestamp) => true,
                _ => false,
            };
            if !takes(left) || !takes(right) {
                return None;
            }
            match (left, right) {
                (Ty::Timestamp, Ty::Timestamp) => (operator == Operator::Subtract).then_some(Ty::Duration),
                (Ty::Timestamp, Ty::Duration) => Some(Ty::Timestamp),
                (Ty::Duration, Ty::Timestamp) => (operator == Operator::Add).then_some(Ty::Timestamp),
                (Ty::Timestamp | Ty::Duration, other) | (other, Ty::Timestamp | Ty::Duration) if unknown(other) => {
                    Some(Ty::Dyn)
                }
                (left, right) if unknown(left) => Some(right.clone()),
                (left, right) => {
                    left.agrees(right).then(|| if unknown(right) { left.clone() } else { left.join(right) })
                }
            }
        }
    }
}
