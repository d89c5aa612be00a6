//! Why a rule is false: its conjuncts one by one, the items of its loops one by one, the values of what is compared, and
//! where in the learner's data those values stand.

use std::ops::ControlFlow;

use serde_json::Value;

use super::fault::Fault;
use super::machine::Machine;
use super::node::{Loop, LoopKind, Node, NodeKind};
use super::source::Written;
use super::value::Val;
use super::wording::{cut, demand, is_constant};

/// Findings of one evaluation; more help nobody.
const MOST: usize = 8;

/// Items among which the nearest one is looked for.
const COMPARED: usize = 200;

/// One reason why a rule is false.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// The reason in one sentence, without a full stop.
    pub message: String,
    /// Where it stands in the data.
    pub target: Option<Target<'a>>,
    /// What one side of a comparison had to be, where the rule says so.
    pub expected: Option<Value>,
    /// What was found.
    pub actual: Option<Value>,
    /// The failing operator or function.
    pub operator: String,
    /// The items of loops that lead there, outermost first.
    pub items: Vec<String>,
}

/// A place in the data, by address: turned into a pointer only when it is shown.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The value, or the nearest one that exists.
    pub value: &'a Value,
    /// What is missing below it, as a JSON pointer; empty when nothing is.
    pub below: String,
}

/// The JSON pointer of a target below `root`, found by its address; none when it is not in this tree.
pub fn pointer_below(root: &Value, target: &Target<'_>) -> Option<String> {
    if std::ptr::eq(root, target.value) {
        return Some(target.below.clone());
    }
    match root {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| pointer_below(item, target).map(|rest| format!("/{index}{rest}"))),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            pointer_below(item, target).map(|rest| format!("/{}{rest}", crate::checkpoint::matching::escape(key)))
        }),
        _ => None,
    }
}

/// The reasons why `node` is not `wanted`, in order of the rule. The machine must hold the variables.
pub fn explain<'a>(machine: &mut Machine<'a>, node: &'a Node, wanted: bool) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    Explainer { machine, items: Vec::new(), aliases: Vec::new() }.explain(node, wanted, &mut findings);
    findings
}

/// The place that a fault is about.
pub fn place_of_fault<'a>(machine: &mut Machine<'a>, root: &'a Node, fault: &Fault) -> Option<Target<'a>> {
    let node = fault.node.and_then(|id| find(root, id))?;
    probe(machine, node)
}

/// A fault in words, with the sub-expression that raised it.
pub fn fault_words(root: &Node, fault: &Fault) -> String {
    let message = format!("the rule could not be evaluated: {}", fault.message);
    match fault.node.and_then(|id| find(root, id)) {
        Some(node) => format!("{message} in `{}`", cut(&node.to_string())),
        None => message,
    }
}

/// The place in the data that an expression is about.
pub fn place_of<'a>(machine: &mut Machine<'a>, node: &'a Node) -> Option<Target<'a>> {
    probe(machine, node)
}

fn find(node: &Node, id: u32) -> Option<&Node> {
    if node.id == id { Some(node) } else { node.children().into_iter().find_map(|child| find(child, id)) }
}

struct Explainer<'m, 'a> {
    machine: &'m mut Machine<'a>,
    items: Vec<String>,
    /// Bound names and the paths they stand for.
    aliases: Vec<(usize, String)>,
}

impl<'a> Explainer<'_, 'a> {
    fn explain(&mut self, node: &'a Node, wanted: bool, out: &mut Vec<Finding<'a>>) {
        if out.len() >= MOST {
            return;
        }
        match &node.kind {
            NodeKind::Not(inner) => self.explain(inner, !wanted, out),
            // `a && b` should be true: each part that is not is a reason of its own. `a || b` should be false: likewise.
            NodeKind::All(parts) if wanted => self.explain_each(parts, true, out),
            NodeKind::Any(parts) if !wanted => self.explain_each(parts, false, out),
            NodeKind::All(parts) | NodeKind::Any(parts) => self.explain_together(node, parts, wanted, out),
            NodeKind::Condition { test, yes, no } => match self.machine.eval(test).map(Val::plain) {
                Ok(Val::Bool(true)) => self.explain(yes, wanted, out),
                Ok(Val::Bool(false)) => self.explain(no, wanted, out),
                _ => self.explain(test, true, out),
            },
            NodeKind::Bind { slot, value, body, .. } => match self.machine.eval(value) {
                Ok(value) => {
                    self.machine.bind(*slot, value);
                    self.explain(body, wanted, out);
                }
                Err(fault) => out.push(self.fault(node, &fault)),
            },
            NodeKind::Has { operand, field } if wanted && self.machine.eval(node).is_ok() => {
                let target = probe(self.machine, node);
                let mut finding = self.finding(node, wanted, Vec::new(), target);
                finding.message = format!("`{}` is missing", cut(&format!("{}.{field}", self.path(operand))));
                out.push(finding);
            }
            NodeKind::OrElse { target, alternative, unwrap: true } => {
                self.explain_or_else(node, target, alternative, wanted, out);
            }
            NodeKind::Loop(looped) => self.explain_loop(node, looped, wanted, out),
            _ => self.leaf(node, wanted, out),
        }
    }

    fn is(&mut self, node: &'a Node, wanted: bool) -> bool {
        matches!(self.machine.eval(node).map(Val::plain), Ok(Val::Bool(value)) if value == wanted)
    }

    fn explain_each(&mut self, parts: &'a [Node], wanted: bool, out: &mut Vec<Finding<'a>>) {
        for part in parts {
            if !self.is(part, wanted) {
                self.explain(part, wanted, out);
            }
        }
    }

    /// Several parts of which one would be enough: one reason that tells of all of them.
    fn explain_together(&mut self, node: &'a Node, parts: &'a [Node], wanted: bool, out: &mut Vec<Finding<'a>>) {
        let mut inner = Vec::new();
        self.explain_each(parts, wanted, &mut inner);
        let facts: Vec<_> = parts.iter().flat_map(|part| self.facts(part)).collect();
        let target = inner.into_iter().find_map(|finding| finding.target);
        out.push(self.finding(node, wanted, facts, target));
    }

    fn explain_or_else(
        &mut self,
        node: &'a Node,
        target: &'a Node,
        alternative: &'a Node,
        wanted: bool,
        out: &mut Vec<Finding<'a>>,
    ) {
        if let NodeKind::OptMap { target: inner, slot, body, flat: false, .. } = &target.kind {
            match self.machine.eval(inner) {
                Ok(Val::Optional(Some(value))) => {
                    self.machine.bind(*slot, (*value).clone());
                    let path = self.path(inner);
                    self.aliases.push((*slot, path));
                    self.explain(body, wanted, out);
                    self.aliases.pop();
                    return;
                }
                Ok(Val::Optional(None)) => {
                    let target = probe(self.machine, inner);
                    let mut finding = self.finding(node, wanted, Vec::new(), target);
                    finding.message = format!("`{}` is missing", cut(&self.path(inner)));
                    finding.operator = "exists".to_owned();
                    out.push(finding);
                    return;
                }
                _ => {}
            }
        }
        match self.machine.eval(target) {
            Ok(Val::Optional(None)) if !matches!(alternative.kind, NodeKind::Constant(_)) => {
                self.explain(alternative, wanted, out);
            }
            _ => self.leaf(node, wanted, out),
        }
    }

    fn explain_loop(&mut self, node: &'a Node, looped: &'a Loop, wanted: bool, out: &mut Vec<Finding<'a>>) {
        let range = match self.machine.eval(&looped.range) {
            Ok(range) => range,
            Err(fault) => {
                out.push(self.fault(node, &fault));
                return;
            }
        };
        match (looped.kind, wanted) {
            // Each item that breaks the rule is a reason of its own.
            (LoopKind::All, true) => self.explain_items(looped, &range, true, out),
            (LoopKind::Exists, false) => self.explain_items(looped, &range, false, out),
            (LoopKind::Exists, true) => self.explain_none(node, looped, &range, out),
            (LoopKind::ExistsOne, true) => {
                let mut hits = 0_usize;
                let mut second = None;
                self.visit(looped, &range, |explainer, item| {
                    if explainer.is(&looped.body, true) {
                        hits += 1;
                        second = if hits == 2 { target_of(&item) } else { second.take() };
                    }
                });
                let facts = vec![format!("{} fulfil it", counted(hits, "item"))];
                let target = second.or_else(|| probe(self.machine, &looped.range));
                out.push(self.finding(node, wanted, facts, target));
            }
            _ => self.leaf(node, wanted, out),
        }
    }

    fn explain_items(&mut self, looped: &'a Loop, range: &Val<'a>, wanted: bool, out: &mut Vec<Finding<'a>>) {
        self.visit(looped, range, |explainer, item| {
            if out.len() < MOST && !explainer.is(&looped.body, wanted) {
                let before = out.len();
                explainer.explain(&looped.body, wanted, out);
                for finding in out.iter_mut().skip(before).filter(|finding| finding.target.is_none()) {
                    finding.target = target_of(&item);
                }
            }
        });
    }

    /// `exists` found nothing: the item with the fewest reasons against it is probably the one that was meant.
    fn explain_none(&mut self, node: &'a Node, looped: &'a Loop, range: &Val<'a>, out: &mut Vec<Finding<'a>>) {
        let mut nearest: Option<Vec<Finding<'a>>> = None;
        let mut count = 0_usize;
        self.visit(looped, range, |explainer, item| {
            count += 1;
            if count > COMPARED {
                return;
            }
            let mut reasons = Vec::new();
            explainer.explain(&looped.body, true, &mut reasons);
            for finding in reasons.iter_mut().filter(|finding| finding.target.is_none()) {
                finding.target = target_of(&item);
            }
            if nearest.as_ref().is_none_or(|best| reasons.len() < best.len()) {
                nearest = Some(reasons);
            }
        });
        let list = cut(&self.written(&looped.range));
        let target = probe(self.machine, &looped.range);
        let mut finding = self.finding(node, true, Vec::new(), target);
        finding.message = match nearest {
            Some(reasons) if count == 1 => {
                out.extend(reasons);
                return;
            }
            Some(reasons) => {
                let body = cut(&self.written(&looped.body));
                let mut message = format!("none of the {count} items of `{list}` fulfils `{body}`");
                if let Some(first) = reasons.into_iter().next() {
                    let item = first.items.last().cloned().unwrap_or_default();
                    message += &format!("; nearest is {item}: {}", first.message);
                    finding.target = first.target.or(finding.target);
                }
                message
            }
            None => format!("`{list}` has no items"),
        };
        out.push(finding);
    }

    /// Runs `visit` per item, with the item's name on the path.
    fn visit(&mut self, looped: &'a Loop, range: &Val<'a>, mut visit: impl FnMut(&mut Explainer<'_, 'a>, Val<'a>)) {
        let mut position = 0_usize;
        let items = std::mem::take(&mut self.items);
        let aliases = self.aliases.clone();
        // Faults of filters and limits were reported when the rule was judged.
        let _ = self.machine.each(looped, range, |machine, item| {
            let mut path = items.clone();
            path.push(label(&item, position));
            position += 1;
            visit(&mut Explainer { machine, items: path, aliases: aliases.clone() }, item);
            Ok(ControlFlow::Continue(()))
        });
        self.items = items;
    }

    fn leaf(&mut self, node: &'a Node, wanted: bool, out: &mut Vec<Finding<'a>>) {
        if let Err(fault) = self.machine.eval(node) {
            out.push(self.fault(node, &fault));
            return;
        }
        let target = probe(self.machine, node);
        let Some(demand) = demand(self.machine, node, wanted, &self.aliases) else {
            let facts = self.facts(node);
            out.push(self.finding(node, wanted, facts, target));
            return;
        };
        // Without data on that side, the fact is all there is to say.
        let fact = self.fact(demand.about).unwrap_or_else(|| format!("`{}`", cut(&self.written(demand.about))));
        let mut finding = self.finding(node, wanted, Vec::new(), target);
        finding.message = format!("{fact}, {}", demand.words);
        finding.expected = Some(demand.expected);
        finding.actual = self.machine.eval(demand.about).ok().map(|value| value.to_json());
        out.push(finding);
    }

    /// A piece of the rule, with bound names written out.
    fn written(&self, node: &Node) -> String {
        Written { node, aliases: &self.aliases }.to_string()
    }

    /// A path without the marks of optional selection, for people.
    fn path(&self, node: &Node) -> String {
        self.written(node).replace(".?", ".").replace("[?", "[")
    }

    fn finding(&self, node: &Node, wanted: bool, facts: Vec<String>, target: Option<Target<'a>>) -> Finding<'a> {
        let mut message = format!("`{}` must be {wanted}", cut(&self.written(node)));
        if !facts.is_empty() {
            message += &format!("; {}", facts.join(", "));
        }
        let actual = target.as_ref().filter(|target| target.below.is_empty()).map(|target| target.value.clone());
        let operator = operator_of(node).to_owned();
        Finding { message, target, expected: None, actual, operator, items: self.items.clone() }
    }

    fn fault(&mut self, node: &'a Node, fault: &Fault) -> Finding<'a> {
        let target = place_of_fault(self.machine, node, fault);
        Finding {
            message: fault_words(node, fault),
            target,
            expected: None,
            actual: None,
            operator: "rule".to_owned(),
            items: self.items.clone(),
        }
    }

    /// The values that decide a sub-expression: `x` is 3.
    fn facts(&mut self, node: &'a Node) -> Vec<String> {
        let operands: Vec<&'a Node> = match &node.kind {
            NodeKind::Binary { left, right, .. } => vec![left, right],
            NodeKind::Call { arguments, .. } => arguments.iter().collect(),
            NodeKind::Not(inner) => return self.facts(inner),
            NodeKind::All(parts) | NodeKind::Any(parts) => {
                return parts.iter().flat_map(|part| self.facts(part)).collect();
            }
            NodeKind::Has { .. } => return Vec::new(),
            _ => vec![node],
        };
        let varying: Vec<_> = operands.into_iter().filter(|operand| !is_constant(operand)).collect();
        varying.into_iter().filter_map(|operand| self.fact(operand)).collect()
    }

    /// `x` is 3.
    fn fact(&mut self, node: &'a Node) -> Option<String> {
        if let NodeKind::OrElse { target, .. } = &node.kind
            && matches!(self.machine.eval(target), Ok(Val::Optional(None)))
        {
            return Some(format!("`{}` is missing", cut(&self.path(target))));
        }
        let shown = match &node.kind {
            NodeKind::OrElse { target, .. } => self.path(target),
            _ => self.written(node),
        };
        let value = self.machine.eval(node).ok()?.show();
        Some(format!("`{}` is {value}", cut(&shown)))
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn operator_of(node: &Node) -> &'static str {
    match &node.kind {
        NodeKind::Binary { operator, .. } => operator.symbol(),
        NodeKind::Call { function, .. } => function.name,
        NodeKind::Loop(looped) => looped.kind.name(),
        NodeKind::Has { .. } => "has",
        _ => "rule",
    }
}

/// An item in words: what object it is, its name, the value itself, or its number.
pub fn label(item: &Val<'_>, position: usize) -> String {
    if let Some(map) = item.as_map() {
        if let Val::Json(value) = item
            && map.field("metadata").is_some()
            && map.field("kind").is_some()
        {
            return crate::checkpoint::select::subject(value);
        }
        for key in ["name", "id", "key", "alert", "record", "kind"] {
            if let Some(name) = map.field(key).as_ref().and_then(Val::as_text) {
                return Val::text(name).show();
            }
        }
    } else if item.as_list().is_none() {
        return item.show();
    }
    format!("item {}", position + 1)
}

fn target_of<'a>(value: &Val<'a>) -> Option<Target<'a>> {
    match value {
        Val::Json(value) => Some(Target { value, below: String::new() }),
        Val::Optional(Some(value)) => target_of(value),
        _ => None,
    }
}

/// The deepest place in the data that an expression is about; of equals, the first.
fn probe<'a>(machine: &mut Machine<'a>, node: &'a Node) -> Option<Target<'a>> {
    match &node.kind {
        NodeKind::Constant(_) => None,
        NodeKind::Variable { .. } => machine.eval(node).ok().as_ref().and_then(target_of),
        NodeKind::Select { operand, field, .. } | NodeKind::Has { operand, field } => {
            let selected = match &node.kind {
                NodeKind::Has { .. } => None,
                _ => machine.eval(node).ok().as_ref().and_then(target_of),
            };
            selected.or_else(|| {
                let parent = probe(machine, operand)?;
                Some(below(parent, field))
            })
        }
        NodeKind::Index { operand, index, .. } => {
            let selected = machine.eval(node).ok().as_ref().and_then(target_of);
            selected.or_else(|| {
                let parent = probe(machine, operand)?;
                let index = machine.eval(index).ok()?.plain();
                Some(below(parent, &index.bare()))
            })
        }
        // The loop's body is about items that are bound no more: its range is what it is about.
        NodeKind::Loop(looped) => probe(machine, &looped.range),
        NodeKind::OrElse { target, .. } | NodeKind::OptMap { target, .. } => probe(machine, target),
        NodeKind::Bind { slot, value, body, .. } => {
            let found = probe(machine, value);
            if let Ok(value) = machine.eval(value) {
                machine.bind(*slot, value);
            }
            probe(machine, body).or(found)
        }
        _ => {
            // `&Value` addresses do not tell depth; a missing field is deeper than what is there.
            let found: Vec<_> = node.children().into_iter().filter_map(|child| probe(machine, child)).collect();
            let missing = found.iter().position(|target| !target.below.is_empty());
            let scalar = found.iter().position(|target| !target.value.is_object() && !target.value.is_array());
            let best = missing.or(scalar).unwrap_or(0);
            found.into_iter().nth(best)
        }
    }
}

/// One key further down; where nothing exists already, only the first missing key is kept.
fn below<'a>(parent: Target<'a>, key: &str) -> Target<'a> {
    if parent.below.is_empty() {
        // `has(x.y)` of a key that is there.
        if let Some(value) = parent.value.get(key) {
            return Target { value, below: String::new() };
        }
    }
    let below = format!("{}/{}", parent.below, crate::checkpoint::matching::escape(key));
    Target { value: parent.value, below }
}
