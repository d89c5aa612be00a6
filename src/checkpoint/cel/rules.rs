//! The expressions of one checkpoint, compiled once per judging.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{Node, NodeKind};
use super::program::Program;
use super::types::Ty;
use super::{Cel, Over};

/// The compiled expressions of a checkpoint.
pub struct Rules {
    /// Names for values, in order.
    pub lets: Vec<(String, Program)>,
    /// What must hold.
    pub rule: Program,
    /// The list whose items it must hold for.
    pub each: Option<Program>,
    /// The sentence for the learner.
    pub message: Option<Program>,
}

impl Rules {
    /// Compiles all of them; problems as (JSON pointer below the kind's key, message).
    pub fn compile(spec: &Cel, params: &BTreeMap<String, Value>) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut compile = |field: &str, source: &str, variables: &[(&str, Ty)], wanted: Ty| match Program::compile_typed(
            source, variables,
        ) {
            Ok(program) => {
                let mut found = unknown_parameters(&program.root, params);
                if !program.result.agrees(&wanted) {
                    found.push(format!("the expression must give a {wanted}, it gives {}", program.result));
                }
                problems.extend(found.into_iter().map(|message| (format!("/{field}"), message)));
                Some(program)
            }
            Err(found) => {
                let words = found.iter().map(|problem| format!("{problem}{}", remedy(spec, &problem.message)));
                problems.extend(words.map(|message| (format!("/{field}"), message)));
                None
            }
        };
        let each =
            spec.each.as_deref().map(|source| compile("each", source, &variables(spec, false), Ty::list(Ty::Dyn)));
        let mut variables = variables(spec, true);
        let mut lets = Vec::new();
        let mut taken = Vec::new();
        for (index, binding) in spec.lets.iter().enumerate() {
            let field = format!("let/{index}/{}", binding.name);
            if variables.iter().any(|(name, _)| *name == binding.name) || !is_name(&binding.name) {
                taken.push((
                    format!("/{field}"),
                    format!("`{}` cannot be a new name here: choose another", binding.name),
                ));
                continue;
            }
            let program = compile(&field, &binding.is, &variables, Ty::Dyn);
            variables.push((&binding.name, program.as_ref().map_or(Ty::Dyn, |program| program.result.clone())));
            lets.extend(program.map(|program| (binding.name.clone(), program)));
        }
        let rule = compile("rule", &spec.rule, &variables, Ty::Bool);
        let message = spec.message.as_deref().map(|source| compile("message", source, &variables, Ty::Str));
        problems.extend(taken);
        match rule {
            Some(rule) if problems.is_empty() => {
                Ok(Self { lets, rule, each: each.flatten(), message: message.flatten() })
            }
            _ => Err(problems),
        }
    }

    /// Which of the names a program needs, through other names too.
    pub fn needed(&self, program: &Program) -> Vec<bool> {
        let mut needed: Vec<bool> = self.lets.iter().map(|(name, _)| program.uses(name)).collect();
        for index in (0..self.lets.len()).rev() {
            if needed[index] {
                for (earlier, (name, _)) in self.lets.iter().enumerate().take(index) {
                    needed[earlier] |= self.lets[index].1.uses(name);
                }
            }
        }
        needed
    }

    /// Whether one of them refers to a variable.
    pub fn uses(&self, variable: &str) -> bool {
        let others = self.each.iter().chain(&self.message).chain(self.lets.iter().map(|(_, program)| program));
        std::iter::once(&self.rule).chain(others).any(|program| program.uses(variable))
    }
}

/// The variables that a checkpoint has, by its fields.
fn variables(spec: &Cel, items: bool) -> Vec<(&str, Ty)> {
    let text_map = || Ty::map(Ty::Str, Ty::Str);
    let mut variables = Vec::new();
    if spec.over == Over::Each {
        variables.push(("object", Ty::Dyn));
    }
    variables.push(("objects", Ty::list(Ty::Dyn)));
    if items && spec.each.is_some() {
        variables.extend([("item", Ty::Dyn), ("index", Ty::Int)]);
    }
    if spec.cases.is_some() {
        variables.push(("case", Ty::Dyn));
    }
    variables.extend([("files", text_map()), ("params", Ty::Dyn), ("commit", Ty::Dyn)]);
    variables
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What makes a variable that is not there available.
fn remedy(spec: &Cel, message: &str) -> &'static str {
    let about = |name: &str| message.starts_with(&format!("undeclared variable `{name}`"));
    if (about("item") || about("index")) && spec.each.is_none() {
        "; `item` and `index` come with `each`"
    } else if about("case") && spec.cases.is_none() {
        "; `case` comes with `cases`"
    } else if about("object") && spec.over == Over::Set {
        "; with `over: set` there is `objects`"
    } else {
        ""
    }
}

fn unknown_parameters(node: &Node, params: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found: Vec<_> = node.children().into_iter().flat_map(|child| unknown_parameters(child, params)).collect();
    if let NodeKind::Select { operand, field, .. } = &node.kind
        && matches!(&operand.kind, NodeKind::Variable { name, .. } if name == "params")
        && !params.contains_key(field)
    {
        let known: Vec<_> = params.keys().map(|name| format!("`{name}`")).collect();
        let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        found.push(format!("the task has no parameter `{field}`; it has {there}"));
    }
    found
}
