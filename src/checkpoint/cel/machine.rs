//! Runs a compiled rule over data, counting every step.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use indexmap::IndexMap;
use regex::{Regex, RegexBuilder};

use super::fault::{Fault, FaultKind};
use super::functions::Function;
use super::limits;
use super::node::{Constant, Loop, LoopKind, Missing, Node, NodeKind};
use super::operators;
use super::program::Program;
use super::value::{Key, Text, Val};

/// Runs rules of one checkpoint. Compiled patterns and the step budget live as long as it does.
pub struct Machine<'a> {
    stack: Vec<Val<'a>>,
    left: u64,
    left_in_all: u64,
    per_evaluation: u64,
    longest: usize,
    patterns: HashMap<String, Rc<Regex>>,
}

impl Default for Machine<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Machine<'a> {
    /// A machine with the budget of one checkpoint.
    pub fn new() -> Self {
        Self::with(limits::STEPS_PER_EVALUATION, limits::STEPS_PER_CHECKPOINT)
    }

    /// A machine that gives up early.
    pub fn for_screening() -> Self {
        Self::with(limits::STEPS_PER_SCREENED, limits::STEPS_PER_SCREENING)
    }

    /// A machine with the budget of one checkpoint, of which so much is used up.
    pub fn after(steps: u64) -> Self {
        Self::with(limits::STEPS_PER_EVALUATION, limits::STEPS_PER_CHECKPOINT.saturating_sub(steps))
    }

    fn with(per_evaluation: u64, left_in_all: u64) -> Self {
        Self { stack: Vec::new(), left: 0, left_in_all, per_evaluation, longest: 0, patterns: HashMap::new() }
    }

    /// Evaluates a program. `globals` are the values of its variables, in the order in which it was compiled.
    pub fn run(&mut self, program: &'a Program, globals: &[Val<'a>]) -> Result<Val<'a>, Fault> {
        self.load(program, globals);
        self.eval(&program.root).map(Val::plain)
    }

    /// Puts the variables in place, for evaluating sub-expressions with [`Machine::eval`].
    pub fn load(&mut self, program: &'a Program, globals: &[Val<'a>]) {
        self.stack.clear();
        self.stack.extend_from_slice(globals);
        self.stack.resize(program.slots.max(globals.len()), Val::Null);
        self.left = self.per_evaluation;
        self.longest = 0;
    }

    /// Runs `inner` on a budget of its own: explaining what was judged must not use up what is left for judging.
    pub fn aside<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let saved = (self.left, self.left_in_all);
        (self.left, self.left_in_all) = (limits::STEPS_PER_EVALUATION, limits::STEPS_PER_CHECKPOINT);
        let result = inner(self);
        (self.left, self.left_in_all) = saved;
        result
    }

    /// The longest list that this evaluation walked.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// What is left of the budget of the checkpoint.
    pub fn left_in_all(&self) -> u64 {
        self.left_in_all
    }

    /// Sets a variable of a loop or binding.
    pub fn bind(&mut self, slot: usize, value: Val<'a>) {
        if let Some(place) = self.stack.get_mut(slot) {
            *place = value;
        }
    }

    /// Takes steps from the budget.
    pub fn charge(&mut self, steps: u64) -> Result<(), Fault> {
        match (self.left.checked_sub(steps), self.left_in_all.checked_sub(steps)) {
            (Some(left), Some(left_in_all)) => {
                self.left = left;
                self.left_in_all = left_in_all;
                Ok(())
            }
            (None, _) => Err(Fault::steps(format!(
                "the rule takes more than {} steps for one object or case",
                limits::STEPS_PER_EVALUATION
            ))),
            (_, None) => {
                Err(Fault::steps(format!("the rule takes more than {} steps in all", limits::STEPS_PER_CHECKPOINT)))
            }
        }
    }

    /// Notes that a list of this length is about to be walked.
    pub fn walk(&mut self, length: usize) -> Result<(), Fault> {
        self.longest = self.longest.max(length);
        if length > limits::ITEMS {
            return Err(Fault::too_long(format!("a list has {length} items; a rule walks at most {}", limits::ITEMS)));
        }
        Ok(())
    }

    /// A compiled regular expression, compiled once per machine.
    pub fn pattern(&mut self, text: &str) -> Result<Rc<Regex>, Fault> {
        /// Patterns kept: more than a rule names; patterns that come from data do not pile up.
        const KEPT: usize = 64;
        if let Some(regex) = self.patterns.get(text) {
            return Ok(regex.clone());
        }
        if text.len() > limits::PATTERN_BYTES {
            return Err(Fault::invalid(format!("a regular expression is longer than {} bytes", limits::PATTERN_BYTES)));
        }
        self.charge(1000)?;
        let regex = compile_pattern(text).map_err(Fault::invalid)?;
        if self.patterns.len() >= KEPT {
            self.patterns.clear();
        }
        let regex = Rc::new(regex);
        self.patterns.insert(text.to_owned(), regex.clone());
        Ok(regex)
    }

    /// Evaluates a sub-expression with the variables as they are now.
    pub fn eval(&mut self, node: &'a Node) -> Result<Val<'a>, Fault> {
        self.charge(1)?;
        let result = match &node.kind {
            NodeKind::Constant(constant) => Ok(constant_value(constant)),
            NodeKind::Variable { slot, .. } => Ok(self.stack.get(*slot).cloned().unwrap_or(Val::Null)),
            NodeKind::Select { operand, field, missing } => self.select(operand, field, *missing),
            NodeKind::Has { operand, field } => self.has(operand, field),
            NodeKind::Index { operand, index, missing } => self.index(operand, index, *missing),
            NodeKind::Not(inner) => self.boolean(inner, "!").map(|value| Val::Bool(!value)),
            NodeKind::Negate(inner) => self.eval(inner).and_then(operators::negate),
            NodeKind::Binary { operator, left, right } => self.binary(*operator, left, right),
            NodeKind::All(parts) => self.logical(parts, false),
            NodeKind::Any(parts) => self.logical(parts, true),
            NodeKind::Condition { test, yes, no } => match self.boolean(test, "?:") {
                Ok(true) => self.eval(yes),
                Ok(false) => self.eval(no),
                Err(fault) => Err(fault),
            },
            NodeKind::List(items) => self.list(items),
            NodeKind::Map(entries) => self.map(entries),
            NodeKind::Call { function, arguments } => self.call(function, arguments),
            NodeKind::Loop(looped) => self.looped(looped),
            NodeKind::Bind { slot, value, body, .. } => match self.eval(value) {
                Ok(value) => {
                    self.bind(*slot, value);
                    self.eval(body)
                }
                Err(fault) => Err(fault),
            },
            NodeKind::OrElse { target, alternative, unwrap } => self.or_else(target, alternative, *unwrap),
            NodeKind::OptMap { target, slot, body, flat, .. } => self.opt_map(target, *slot, body, *flat),
        };
        result.map_err(|mut fault| {
            fault.node.get_or_insert(node.id);
            fault
        })
    }

    fn boolean(&mut self, node: &'a Node, operator: &str) -> Result<bool, Fault> {
        match self.eval(node)?.plain() {
            Val::Bool(value) => Ok(value),
            other => Err(Fault::invalid(format!("`{operator}` needs a bool, got {}", other.type_name()))),
        }
    }

    fn select(&mut self, operand: &'a Node, field: &str, missing: Missing) -> Result<Val<'a>, Fault> {
        let operand = self.eval(operand)?;
        // After one `.?` the rest of a chain is optional too.
        let (operand, missing) = match operand {
            Val::Optional(None) => return Ok(Val::Optional(None)),
            Val::Optional(Some(value)) => ((*value).clone(), Missing::None),
            other => (other, missing),
        };
        let Some(map) = operand.as_map() else {
            let what = operand.type_name();
            return Err(match missing {
                Missing::None if what == "null_type" => return Ok(Val::Optional(None)),
                _ => Fault::missing(format!("no such key: {field} (its parent is {})", article(what))),
            });
        };
        match (map.field(field), missing) {
            (Some(value), Missing::Fault) => Ok(value),
            (Some(value), Missing::None) => Ok(Val::some(value)),
            (None, Missing::Fault) => Err(Fault::missing(format!("no such key: {field}"))),
            (None, Missing::None) => Ok(Val::Optional(None)),
        }
    }

    fn has(&mut self, operand: &'a Node, field: &str) -> Result<Val<'a>, Fault> {
        let operand = match self.eval(operand)? {
            Val::Optional(None) => return Ok(Val::Bool(false)),
            Val::Optional(Some(value)) => (*value).clone(),
            other => other,
        };
        match operand.as_map() {
            Some(map) => Ok(Val::Bool(map.field(field).is_some())),
            None => {
                Err(Fault::missing(format!("no such key: {field} (its parent is {})", article(operand.type_name()))))
            }
        }
    }

    fn index(&mut self, operand: &'a Node, index: &'a Node, missing: Missing) -> Result<Val<'a>, Fault> {
        let operand = self.eval(operand)?;
        let index = self.eval(index)?.plain();
        let (operand, missing) = match operand {
            Val::Optional(None) => return Ok(Val::Optional(None)),
            Val::Optional(Some(value)) => ((*value).clone(), Missing::None),
            other => (other, missing),
        };
        let found = if let Some(list) = operand.as_list() {
            let position = match &index {
                Val::Int(position) => usize::try_from(*position).ok(),
                Val::Uint(position) => usize::try_from(*position).ok(),
                Val::Double(position) if position.fract() == 0.0 && *position >= 0.0 => Some(*position as usize),
                Val::Double(_) => None,
                other => return Err(Fault::invalid(format!("a list has no item {}", other.show()))),
            };
            position.and_then(|position| list.get(position))
        } else if let Some(map) = operand.as_map() {
            map.get(&index)
        } else {
            return Err(Fault::missing(format!("cannot take {} of {}", index.show(), article(operand.type_name()))));
        };
        match (found, missing) {
            (Some(value), Missing::Fault) => Ok(value),
            (Some(value), Missing::None) => Ok(Val::some(value)),
            (None, Missing::None) => Ok(Val::Optional(None)),
            (None, Missing::Fault) => Err(Fault::missing(match operand.as_list() {
                Some(list) => format!("index out of range: {} of a list of {}", index.show(), list.len()),
                None => format!("no such key: {}", index.bare()),
            })),
        }
    }

    fn binary(&mut self, operator: super::node::Operator, left: &'a Node, right: &'a Node) -> Result<Val<'a>, Fault> {
        let left = self.eval(left)?.plain();
        let right = self.eval(right)?.plain();
        self.charge(weight(&left).min(weight(&right)))?;
        let result = operators::binary(operator, &left, &right)?;
        self.charge(weight(&result))?;
        Ok(result)
    }

    /// `&&` and `||`: an operand that decides the result absorbs the faults of the others.
    fn logical(&mut self, parts: &'a [Node], decisive: bool) -> Result<Val<'a>, Fault> {
        let symbol = if decisive { "||" } else { "&&" };
        let mut first_fault = None;
        for part in parts {
            match self.boolean(part, symbol) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(fault) if fault.is_fatal() => return Err(fault),
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        first_fault.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    fn list(&mut self, items: &'a [(Node, bool)]) -> Result<Val<'a>, Fault> {
        let mut values = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.eval(item)?, optional) {
                (value, false) => values.push(value),
                (Val::Optional(Some(value)), true) => values.push((*value).clone()),
                (Val::Optional(None), true) => {}
                (other, true) => {
                    return Err(Fault::invalid(format!("`?` needs an optional, got {}", other.type_name())));
                }
            }
        }
        Ok(Val::list(values))
    }

    fn map(&mut self, entries: &'a [(Node, Node, bool)]) -> Result<Val<'a>, Fault> {
        let mut map = IndexMap::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let key = map_key(&self.eval(key)?)?;
            let value = match (self.eval(value)?, optional) {
                (value, false) => value,
                (Val::Optional(Some(value)), true) => (*value).clone(),
                (Val::Optional(None), true) => continue,
                (other, true) => {
                    return Err(Fault::invalid(format!("`?` needs an optional, got {}", other.type_name())));
                }
            };
            insert_new(&mut map, key, value)?;
        }
        Ok(Val::Map(Rc::new(map)))
    }

    fn call(&mut self, function: &'static Function, arguments: &'a [Node]) -> Result<Val<'a>, Fault> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let value = self.eval(argument)?.plain();
            self.charge(weight(&value))?;
            values.push(value);
        }
        for body in function.bodies() {
            match body(self, &values) {
                Err(fault) if fault.kind == FaultKind::Overload => {}
                Err(fault) => return Err(fault),
                Ok(value) => {
                    self.charge(weight(&value))?;
                    return Ok(value);
                }
            }
        }
        Err(Fault::invalid(function.no_overload(&values)))
    }

    fn or_else(&mut self, target: &'a Node, alternative: &'a Node, unwrap: bool) -> Result<Val<'a>, Fault> {
        match self.eval(target)? {
            Val::Optional(Some(value)) if unwrap => Ok((*value).clone()),
            Val::Optional(Some(value)) => Ok(Val::Optional(Some(value))),
            Val::Optional(None) => self.eval(alternative),
            other => {
                let name = if unwrap { "orValue" } else { "or" };
                Err(Fault::invalid(format!("`{name}` needs an optional, got {}", other.type_name())))
            }
        }
    }

    fn opt_map(&mut self, target: &'a Node, slot: usize, body: &'a Node, flat: bool) -> Result<Val<'a>, Fault> {
        match self.eval(target)? {
            Val::Optional(None) => Ok(Val::Optional(None)),
            Val::Optional(Some(value)) => {
                self.bind(slot, (*value).clone());
                match (self.eval(body)?, flat) {
                    (value @ Val::Optional(_), true) => Ok(value),
                    (other, true) => {
                        Err(Fault::invalid(format!("`optFlatMap` must give an optional, got {}", other.type_name())))
                    }
                    (value, false) => Ok(Val::some(value)),
                }
            }
            other => Err(Fault::invalid(format!("`optMap` needs an optional, got {}", other.type_name()))),
        }
    }

    fn looped(&mut self, looped: &'a Loop) -> Result<Val<'a>, Fault> {
        let range = self.eval(&looped.range)?;
        match looped.kind {
            LoopKind::All => self.fold(looped, &range, false),
            LoopKind::Exists => self.fold(looped, &range, true),
            LoopKind::ExistsOne => {
                let mut count = 0_usize;
                self.each(looped, &range, |machine, _| {
                    count += usize::from(machine.boolean(&looped.body, "existsOne")?);
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok(Val::Bool(count == 1))
            }
            LoopKind::Filter => {
                let mut kept = Vec::new();
                self.each(looped, &range, |machine, item| {
                    if machine.boolean(&looped.body, "filter")? {
                        kept.push(item);
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok(Val::list(kept))
            }
            LoopKind::Map | LoopKind::TransformList => {
                let mut values = Vec::new();
                self.each(looped, &range, |machine, _| {
                    values.push(machine.eval(&looped.body)?);
                    Ok(ControlFlow::Continue(()))
                })?;
                Ok(Val::list(values))
            }
            LoopKind::TransformMap | LoopKind::TransformMapEntry => self.transform_map(looped, &range),
            LoopKind::SortBy => self.sort_by(looped, &range),
        }
    }

    /// `all` and `exists`: an item that decides the result absorbs the faults of the others.
    fn fold(&mut self, looped: &'a Loop, range: &Val<'a>, decisive: bool) -> Result<Val<'a>, Fault> {
        let mut decided = false;
        let mut first_fault = None;
        self.each(looped, range, |machine, _| {
            match machine.boolean(&looped.body, looped.kind.name()) {
                Ok(value) if value == decisive => {
                    decided = true;
                    return Ok(ControlFlow::Break(()));
                }
                Ok(_) => {}
                Err(fault) if fault.is_fatal() => return Err(fault),
                Err(fault) => first_fault = first_fault.take().or(Some(fault)),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        match first_fault {
            Some(fault) if !decided => Err(fault),
            _ => Ok(Val::Bool(decided == decisive)),
        }
    }

    fn transform_map(&mut self, looped: &'a Loop, range: &Val<'a>) -> Result<Val<'a>, Fault> {
        let mut map = IndexMap::new();
        self.each(looped, range, |machine, _| {
            let value = machine.eval(&looped.body)?;
            if looped.kind == LoopKind::TransformMap {
                let key = machine.stack.get(looped.first.0).cloned().unwrap_or(Val::Null);
                map.insert(map_key(&key)?, value);
            } else {
                let entries = value.as_map().ok_or_else(|| Fault::invalid("`transformMapEntry` must give a map"))?;
                for (key, value) in entries.entries() {
                    insert_new(&mut map, map_key(&key)?, value)?;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Val::Map(Rc::new(map)))
    }

    fn sort_by(&mut self, looped: &'a Loop, range: &Val<'a>) -> Result<Val<'a>, Fault> {
        let mut keyed = Vec::new();
        self.each(looped, range, |machine, item| {
            keyed.push((machine.eval(&looped.body)?, item));
            Ok(ControlFlow::Continue(()))
        })?;
        super::functions::lists::sort_keyed(self, keyed)
    }

    /// Runs `visit` for each item of a list, key of a map, or pair, with the variables bound and the filter applied.
    pub fn each(
        &mut self,
        looped: &'a Loop,
        range: &Val<'a>,
        mut visit: impl FnMut(&mut Self, Val<'a>) -> Result<ControlFlow<()>, Fault>,
    ) -> Result<(), Fault> {
        let list = range.as_list();
        let entries = range.as_map().map(|map| map.entries());
        let length = match (&list, &entries) {
            (Some(list), _) => list.len(),
            (None, Some(entries)) => entries.len(),
            (None, None) => {
                let name = looped.kind.name();
                let what = article(range.type_name());
                return Err(Fault::invalid(format!("`{name}` needs a list or map, got {what}")));
            }
        };
        self.walk(length)?;
        for position in 0..length {
            self.charge(1)?;
            let (key, item) = match (&list, &entries) {
                (Some(list), _) => (None, list.get(position)),
                (None, entries) => match entries.as_ref().and_then(|entries| entries.get(position)) {
                    Some((key, value)) => (Some(key.clone()), Some(value.clone())),
                    None => (None, None),
                },
            };
            let item = item.unwrap_or(Val::Null);
            let single = match &looped.second {
                Some((slot, _)) => {
                    self.bind(looped.first.0, key.unwrap_or(Val::Int(position as i64)));
                    self.bind(*slot, item.clone());
                    item
                }
                None => {
                    let single = key.unwrap_or(item);
                    self.bind(looped.first.0, single.clone());
                    single
                }
            };
            if let Some(filter) = &looped.filter
                && !self.boolean(filter, looped.kind.name())?
            {
                continue;
            }
            if visit(self, single)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Compiles a regular expression within the limits; the error is one line.
pub fn compile_pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(limits::COMPILED_PATTERN_BYTES)
        .dfa_size_limit(limits::COMPILED_PATTERN_BYTES)
        .nest_limit(50)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => format!(
                "the regular expression needs more than {} bytes when compiled; use smaller repetitions",
                limits::COMPILED_PATTERN_BYTES
            ),
            other => {
                let text = other.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("not a regular expression: {reason}")
            }
        })
}

/// A type's name with its article.
pub fn article(type_name: &str) -> String {
    match type_name {
        "null_type" => "null".to_owned(),
        "int" | "optional_type" => format!("an {type_name}"),
        other => format!("a {other}"),
    }
}

fn map_key(key: &Val<'_>) -> Result<Key, Fault> {
    key.to_key().ok_or_else(|| Fault::invalid(format!("a map cannot have {} as key", article(key.type_name()))))
}

fn insert_new<'a>(map: &mut IndexMap<Key, Val<'a>>, key: Key, value: Val<'a>) -> Result<(), Fault> {
    if map.contains_key(&key) {
        return Err(Fault::invalid(format!("the key {} is there twice", Val::from_key(&key).show())));
    }
    map.insert(key, value);
    Ok(())
}

/// What handling a value costs beyond one step.
fn weight(value: &Val<'_>) -> u64 {
    let length = match value {
        Val::Str(text) => text.as_str().len() / 16,
        Val::Bytes(bytes) => bytes.len() / 16,
        other => other.as_list().map(|list| list.len()).or(other.as_map().map(|map| map.len())).unwrap_or(0),
    };
    length as u64
}

fn constant_value(constant: &Constant) -> Val<'_> {
    match constant {
        Constant::Null => Val::Null,
        Constant::Bool(value) => Val::Bool(*value),
        Constant::Int(value) => Val::Int(*value),
        Constant::Uint(value) => Val::Uint(*value),
        Constant::Double(value) => Val::Double(*value),
        Constant::Text(text) => Val::Str(Text::Borrowed(text)),
        Constant::Bytes(bytes) => Val::Bytes(bytes.as_slice().into()),
        Constant::Type(name) => Val::Type(name),
    }
}
