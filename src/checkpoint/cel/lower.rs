//! From the parser's tree to nodes: names to slots, macros to loops, calls to functions; and as much type checking as
//! literals and known results allow.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SourceInfo, operators as op};

use super::functions::{Function, Style, find, suggest};
use super::limits;
use super::node::{Constant, Loop, LoopKind, Missing, Node, NodeKind, Operator};
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
    info: &'s SourceInfo,
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
    pub fn new(source: &'s str, info: &'s SourceInfo, variables: &[(&str, Ty)]) -> Self {
        let binding =
            |(slot, (name, ty)): (usize, &(&str, Ty))| Binding { name: (*name).to_owned(), slot, ty: ty.clone() };
        let scope: Vec<_> = variables.iter().enumerate().map(binding).collect();
        let globals = scope.len();
        let used = vec![false; globals];
        Self { source, info, scope, globals, slots: globals, used, next_id: 0, mixed: false, problems: Vec::new() }
    }

    /// Number of slots, which variables are used, and what is wrong.
    pub fn finish(self) -> (usize, Vec<bool>, Vec<Problem>) {
        (self.slots, self.used, self.problems)
    }

    /// Lowers an expression; what is wrong with it is noted and stands as `null`.
    pub fn lower(&mut self, expression: &IdedExpr, depth: usize) -> (Node, Ty) {
        if depth > limits::DEPTH {
            let message = format!("the expression is nested more than {} deep: split it", limits::DEPTH);
            if !self.problems.iter().any(|problem| problem.message == message) {
                self.problem(expression, message);
            }
            return (self.node(NodeKind::Constant(Constant::Null)), Ty::Dyn);
        }
        let (kind, ty) = match &expression.expr {
            Expr::Literal(literal) => lower_literal(literal),
            Expr::Ident(name) => self.ident(expression, name),
            Expr::Select(select) => match self.qualified_type(expression) {
                Some(name) => (NodeKind::Constant(Constant::Type(name)), Ty::Type),
                None => {
                    let (operand, ty) = self.lower(&select.operand, depth + 1);
                    let ty = self.member_type(expression, &ty, &select.field);
                    let missing = Missing::Fault;
                    (NodeKind::Select { operand: Box::new(operand), field: select.field.clone(), missing }, ty)
                }
            },
            Expr::Call(call) => self.call(expression, call, depth),
            Expr::List(list) => self.list(list, depth),
            Expr::Map(map) => self.map(map, depth),
            Expr::Struct(message) => {
                self.problem(expression, format!("`{}{{…}}`: message literals are not supported", message.type_name));
                (NodeKind::Constant(Constant::Null), Ty::Dyn)
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                self.problem(expression, "not a CEL expression".to_owned());
                (NodeKind::Constant(Constant::Null), Ty::Dyn)
            }
        };
        (self.node(kind), ty)
    }

    fn node(&mut self, kind: NodeKind) -> Node {
        let id = self.next_id;
        self.next_id += 1;
        Node { id, kind }
    }

    fn problem(&mut self, expression: &IdedExpr, message: String) {
        // The parser counts characters; problems are placed by bytes.
        let characters = self.info.offset_for(expression.id).map(|(start, _)| start as usize);
        let offset =
            characters.and_then(|count| self.source.char_indices().map(|(at, _)| at).nth(count)).or(characters);
        self.problems.push(Problem::at(self.source, offset, message));
    }

    fn lookup(&self, name: &str) -> Option<&Binding> {
        self.scope.iter().rev().find(|binding| binding.name == name)
    }

    fn ident(&mut self, expression: &IdedExpr, name: &str) -> (NodeKind, Ty) {
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

    fn qualified_type(&self, expression: &IdedExpr) -> Option<&'static str> {
        let mut segments = Vec::new();
        let mut current = expression;
        loop {
            match &current.expr {
                Expr::Ident(name) if self.lookup(name).is_none() => {
                    segments.push(name.as_str());
                    break;
                }
                Expr::Select(select) => {
                    segments.push(select.field.as_str());
                    current = &select.operand;
                }
                _ => return None,
            }
        }
        segments.reverse();
        let name = segments.join(".");
        TYPES.iter().find(|known| **known == name).copied()
    }

    fn member_type(&mut self, expression: &IdedExpr, operand: &Ty, field: &str) -> Ty {
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

    fn item_type(&mut self, expression: &IdedExpr, operand: &Ty, index: &Ty) -> Ty {
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

    fn list(&mut self, list: &ListExpr, depth: usize) -> (NodeKind, Ty) {
        let mut items = Vec::new();
        let mut common: Option<Ty> = None;
        for (index, element) in list.elements.iter().enumerate() {
            let optional = list.optional_indices.contains(&index);
            let (node, ty) = self.lower(element, depth + 1);
            let ty = if optional { self.unwrap_optional(element, ty) } else { ty };
            common = Some(self.same_type(element, common, ty));
            items.push((node, optional));
        }
        (NodeKind::List(items), Ty::list(common.unwrap_or(Ty::Param('T'))))
    }

    fn map(&mut self, map: &MapExpr, depth: usize) -> (NodeKind, Ty) {
        let mut entries = Vec::new();
        let (mut keys, mut values) = (None, None);
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let (key, key_type) = self.lower(&entry.key, depth + 1);
            let (value, value_type) = self.lower(&entry.value, depth + 1);
            let value_type = if entry.optional { self.unwrap_optional(&entry.value, value_type) } else { value_type };
            if !matches!(key_type, Ty::Dyn | Ty::Str | Ty::Int | Ty::Uint | Ty::Bool | Ty::Param(_)) {
                self.problem(&entry.key, format!("a map cannot have a key of type {key_type}"));
            }
            keys = Some(self.same_type(&entry.key, keys, key_type));
            values = Some(self.same_type(&entry.value, values, value_type));
            entries.push((key, value, entry.optional));
        }
        let ty = Ty::map(keys.unwrap_or(Ty::Param('T')), values.unwrap_or(Ty::Param('T')));
        (NodeKind::Map(entries), ty)
    }

    fn unwrap_optional(&mut self, expression: &IdedExpr, ty: Ty) -> Ty {
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
    fn same_type(&mut self, expression: &IdedExpr, before: Option<Ty>, ty: Ty) -> Ty {
        match before {
            None => ty,
            Some(before) if self.mixed || before.agrees(&ty) => before.join(&ty),
            Some(before) => {
                self.problem(expression, format!("expected type {before} but found {ty}; write `dyn(…)` to mix types"));
                before
            }
        }
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr, depth: usize) -> (NodeKind, Ty) {
        match &call.target {
            Some(target) => self.method(expression, call, target, depth),
            None => self.global(expression, call, depth),
        }
    }

    fn global(&mut self, expression: &IdedExpr, call: &CallExpr, depth: usize) -> (NodeKind, Ty) {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_AND, _) => self.logical(call, op::LOGICAL_AND, depth),
            (op::LOGICAL_OR, _) => self.logical(call, op::LOGICAL_OR, depth),
            (op::LOGICAL_NOT, [inner]) => {
                let node = self.boolean(inner, "!", depth);
                (NodeKind::Not(Box::new(node)), Ty::Bool)
            }
            (op::NEGATE, [inner]) => {
                let (node, ty) = self.lower(inner, depth + 1);
                if !matches!(ty, Ty::Dyn | Ty::Int | Ty::Double) {
                    self.problem(expression, format!("no matching overload for `-` applied to {ty}"));
                }
                (NodeKind::Negate(Box::new(node)), ty)
            }
            (op::CONDITIONAL, [test, yes, no]) => {
                let test = self.boolean(test, "?:", depth);
                let (yes, yes_type) = self.lower(yes, depth + 1);
                let (no, no_type) = self.lower(no, depth + 1);
                if !yes_type.agrees(&no_type) {
                    self.problem(expression, format!("the branches of `?:` are of types {yes_type} and {no_type}"));
                }
                let ty = yes_type.join(&no_type);
                (NodeKind::Condition { test: Box::new(test), yes: Box::new(yes), no: Box::new(no) }, ty)
            }
            (op::INDEX | op::OPT_INDEX, [operand, index]) => {
                let (operand, operand_type) = self.lower(operand, depth + 1);
                let (index, index_type) = self.lower(index, depth + 1);
                let optional = call.func_name == op::OPT_INDEX;
                let ty = self.item_type(expression, &operand_type, &index_type);
                let missing = if optional { Missing::None } else { Missing::Fault };
                (
                    NodeKind::Index { operand: Box::new(operand), index: Box::new(index), missing },
                    as_optional(ty, optional),
                )
            }
            (op::OPT_SELECT, [operand, field]) => {
                let (operand, operand_type) = self.lower(operand, depth + 1);
                let Expr::Literal(LiteralValue::String(field)) = &field.expr else {
                    self.problem(expression, "`.?` needs a field name".to_owned());
                    return (NodeKind::Constant(Constant::Null), Ty::Dyn);
                };
                let field = field.inner().to_owned();
                let ty = self.member_type(expression, &operand_type, &field);
                (NodeKind::Select { operand: Box::new(operand), field, missing: Missing::None }, as_optional(ty, true))
            }
            ("has", [argument]) => self.has(expression, argument, depth),
            (name, [left, right]) if operator(name).is_some() => self.binary(expression, name, left, right, depth),
            (name, arguments) => match find(name, Style::Global) {
                Some(function) => self.apply(expression, function, &arguments.iter().collect::<Vec<_>>(), depth),
                None => {
                    self.unknown(expression, name, Style::Global);
                    (NodeKind::Constant(Constant::Null), Ty::Dyn)
                }
            },
        }
    }

    fn unknown(&mut self, expression: &IdedExpr, name: &str, style: Style) {
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

    fn has(&mut self, expression: &IdedExpr, argument: &IdedExpr, depth: usize) -> (NodeKind, Ty) {
        let Expr::Select(select) = &argument.expr else {
            self.problem(expression, "`has` needs a field, as in `has(object.spec)`".to_owned());
            return (NodeKind::Constant(Constant::Null), Ty::Bool);
        };
        let (operand, ty) = self.lower(&select.operand, depth + 1);
        self.member_type(argument, &ty, &select.field);
        (NodeKind::Has { operand: Box::new(operand), field: select.field.clone() }, Ty::Bool)
    }

    /// Flattens a chain of one logical operator.
    fn logical(&mut self, call: &CallExpr, name: &str, depth: usize) -> (NodeKind, Ty) {
        let mut operands = Vec::new();
        let mut pending: Vec<&IdedExpr> = call.args.iter().rev().collect();
        while let Some(next) = pending.pop() {
            match &next.expr {
                Expr::Call(inner) if inner.func_name == name && inner.target.is_none() => {
                    pending.extend(inner.args.iter().rev());
                }
                _ => operands.push(next),
            }
        }
        let symbol = if name == op::LOGICAL_AND { "&&" } else { "||" };
        let parts = operands.iter().map(|operand| self.boolean(operand, symbol, depth)).collect();
        (if name == op::LOGICAL_AND { NodeKind::All(parts) } else { NodeKind::Any(parts) }, Ty::Bool)
    }

    fn boolean(&mut self, expression: &IdedExpr, symbol: &str, depth: usize) -> Node {
        let (node, ty) = self.lower(expression, depth + 1);
        if !ty.agrees(&Ty::Bool) {
            self.problem(expression, format!("`{symbol}` needs a bool, got {ty}"));
        }
        node
    }

    fn binary(
        &mut self,
        expression: &IdedExpr,
        name: &str,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> (NodeKind, Ty) {
        let operator = operator(name).unwrap_or(Operator::Equal);
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
        expression: &IdedExpr,
        function: &'static Function,
        arguments: &[&IdedExpr],
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
    fn check_literals(&mut self, expression: &IdedExpr, function: &Function, arguments: &[Node]) {
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

    fn method(&mut self, expression: &IdedExpr, call: &CallExpr, target: &IdedExpr, depth: usize) -> (NodeKind, Ty) {
        let name = call.func_name.as_str();
        if let Expr::Ident(namespace) = &target.expr
            && self.lookup(namespace).is_none()
        {
            if (namespace.as_str(), name, call.args.len()) == ("cel", "bind", 3) {
                return self.bind(expression, call, depth);
            }
            let qualified = format!("{namespace}.{name}");
            if let Some(function) = find(&qualified, Style::Global) {
                return self.apply(expression, function, &call.args.iter().collect::<Vec<_>>(), depth);
            }
            if super::functions::is_namespace(namespace) {
                self.unknown(expression, &qualified, Style::Global);
                return (NodeKind::Constant(Constant::Null), Ty::Dyn);
            }
        }
        if let Some((kind, forms)) = loop_kind(name) {
            let form = (call.args.len(), call.args.get(1).is_some_and(|arg| matches!(arg.expr, Expr::Ident(_))));
            if let Some(form) = forms.iter().find(|known| known.arguments == form.0 && (!known.two || form.1)) {
                return self.looped(expression, kind, *form, target, &call.args, depth);
            }
            let known: Vec<_> = forms.iter().map(|form| format!("`{name}{}`", form.shape())).collect();
            self.problem(expression, format!("`{name}` is written {}", known.join(" or ")));
            return (NodeKind::Constant(Constant::Null), Ty::Dyn);
        }
        match (name, call.args.as_slice()) {
            ("optMap" | "optFlatMap", [variable, body]) => {
                self.opt_map(expression, call, target, variable, body, depth)
            }
            ("or" | "orValue", [alternative]) => {
                self.or_else(expression, name == "orValue", target, alternative, depth)
            }
            _ => match find(name, Style::Method) {
                Some(function) => {
                    let arguments: Vec<_> = std::iter::once(target).chain(&call.args).collect();
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
        expression: &IdedExpr,
        unwrap: bool,
        target: &IdedExpr,
        alternative: &IdedExpr,
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

    fn name_of(&mut self, expression: &IdedExpr) -> String {
        match &expression.expr {
            Expr::Ident(name) => name.clone(),
            _ => {
                self.problem(
                    expression,
                    "a name is needed here, as `c` in `containers.all(c, c.name != '')`".to_owned(),
                );
                "_".to_owned()
            }
        }
    }

    fn bind(&mut self, expression: &IdedExpr, call: &CallExpr, depth: usize) -> (NodeKind, Ty) {
        let [name, value, body] = call.args.as_slice() else {
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
        expression: &IdedExpr,
        call: &CallExpr,
        target: &IdedExpr,
        variable: &IdedExpr,
        body: &IdedExpr,
        depth: usize,
    ) -> (NodeKind, Ty) {
        let flat = call.func_name == "optFlatMap";
        let (target, target_type) = self.lower(target, depth + 1);
        let inner = match target_type {
            Ty::Optional(inner) => *inner,
            Ty::Dyn | Ty::Param(_) => Ty::Dyn,
            other => {
                self.problem(expression, format!("`{}` needs an optional, got {other}", call.func_name));
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
        expression: &IdedExpr,
        kind: LoopKind,
        form: Form,
        target: &IdedExpr,
        arguments: &[IdedExpr],
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

fn lower_literal(literal: &LiteralValue) -> (NodeKind, Ty) {
    let (constant, ty) = match literal {
        LiteralValue::Null => (Constant::Null, Ty::Null),
        LiteralValue::Boolean(value) => (Constant::Bool(*value.inner()), Ty::Bool),
        LiteralValue::Int(value) => (Constant::Int(*value.inner()), Ty::Int),
        LiteralValue::UInt(value) => (Constant::Uint(*value.inner()), Ty::Uint),
        LiteralValue::Double(value) => (Constant::Double(*value.inner()), Ty::Double),
        LiteralValue::String(value) => (Constant::Text(value.inner().to_owned()), Ty::Str),
        LiteralValue::Bytes(value) => (Constant::Bytes(value.inner().to_vec()), Ty::Bytes),
    };
    (NodeKind::Constant(constant), ty)
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        op::ADD => Operator::Add,
        op::SUBSTRACT => Operator::Subtract,
        op::MULTIPLY => Operator::Multiply,
        op::DIVIDE => Operator::Divide,
        op::MODULO => Operator::Remainder,
        op::EQUALS => Operator::Equal,
        op::NOT_EQUALS => Operator::NotEqual,
        op::LESS => Operator::Less,
        op::LESS_EQUALS => Operator::LessOrEqual,
        op::GREATER => Operator::Greater,
        op::GREATER_EQUALS => Operator::GreaterOrEqual,
        op::IN => Operator::In,
        _ => return None,
    })
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
