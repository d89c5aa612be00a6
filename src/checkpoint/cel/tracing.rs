//! The value of each sub-expression, for `gradus explain`.

use std::ops::ControlFlow;

use super::explain::label;
use super::machine::Machine;
use super::node::{Node, NodeKind};
use crate::checkpoint::Trace;

/// Items of a loop that are traced.
const ITEMS: usize = 5;

/// Says what a name of `let` is worth and how that came about. The machine must hold the variables.
pub fn named<'a>(machine: &mut Machine<'a>, name: &str, node: &'a Node, out: &mut Trace) {
    let value = worth(machine, node);
    out.say(|| format!("let {name} = {node}  →  {value}"));
    out.indented(|out| parts(machine, node, out));
}

/// Says what each sub-expression is worth, the whole first. The machine must hold the variables.
pub fn trace<'a>(machine: &mut Machine<'a>, node: &'a Node, out: &mut Trace) {
    if matches!(node.kind, NodeKind::Constant(_)) {
        return;
    }
    let value = worth(machine, node);
    out.say(|| format!("{node}  →  {value}"));
    out.indented(|out| parts(machine, node, out));
}

fn worth<'a>(machine: &mut Machine<'a>, node: &'a Node) -> String {
    match machine.eval(node) {
        Ok(value) => value.show(),
        Err(fault) => format!("error: {}", fault.message),
    }
}

fn parts<'a>(machine: &mut Machine<'a>, node: &'a Node, out: &mut Trace) {
    match &node.kind {
        // A path is one thing: its value says it all.
        NodeKind::Variable { .. } | NodeKind::Select { .. } | NodeKind::Has { .. } => {}
        NodeKind::Loop(looped) => {
            trace(machine, &looped.range, out);
            let Ok(range) = machine.eval(&looped.range) else { return };
            let mut position = 0;
            // Faults were said above.
            let _ = machine.each(looped, &range, |machine, item| {
                if position == ITEMS {
                    out.say(|| "…".to_owned());
                    return Ok(ControlFlow::Break(()));
                }
                out.say(|| format!("{} = {}", looped.first.1, label(&item, position)));
                position += 1;
                out.indented(|out| trace(machine, &looped.body, out));
                Ok(ControlFlow::Continue(()))
            });
        }
        NodeKind::Bind { slot, value, body, .. } => {
            trace(machine, value, out);
            if let Ok(value) = machine.eval(value) {
                machine.bind(*slot, value);
                trace(machine, body, out);
            }
        }
        NodeKind::OptMap { target, slot, body, .. } => {
            trace(machine, target, out);
            if let Ok(super::value::Val::Optional(Some(value))) = machine.eval(target) {
                machine.bind(*slot, (*value).clone());
                trace(machine, body, out);
            }
        }
        _ => node.children().into_iter().for_each(|child| trace(machine, child, out)),
    }
}
