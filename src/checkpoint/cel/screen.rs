//! Screening: whether a rule over single objects is true of one beyond doubt.

use serde_json::Value;

use super::ask::{Asked, Asker, Data};
use super::machine::Machine;
use super::rules::Rules;
use super::value::Val;
use super::{Cel, Over};
use crate::checkpoint::Context;
use crate::checkpoint::screen::Rule;

/// A rule over single objects.
pub struct Single {
    rules: Rules,
    data: Data,
}

impl Single {
    /// None for a rule over several objects or cases, for one that carries all files with it, and for a broken one.
    pub fn of(spec: &Cel, context: &Context<'_>) -> Option<Self> {
        if spec.over == Over::Set || spec.cases.is_some() {
            return None;
        }
        let rules = Rules::compile(spec, context.params).ok()?;
        if ["objects", "files", "commit"].iter().any(|name| rules.uses(name)) {
            return None;
        }
        let data = Data::of(&rules, context);
        Some(Self { rules, data })
    }
}

impl Rule for Single {
    fn ask<'r>(&'r self) -> Box<dyn FnMut(&'r Value) -> Option<u64> + 'r> {
        let mut asker = Asker::new(&self.rules, &self.data, Val::Null, Machine::for_screening());
        Box::new(move |object| {
            let before = asker.machine.left_in_all();
            holds(&mut asker, object).then(|| before - asker.machine.left_in_all())
        })
    }
}

fn holds<'r>(asker: &mut Asker<'r>, object: &'r Value) -> bool {
    let asked = Asked { object: Some((0, object)), ..Asked::default() };
    let Some(each) = &asker.rules.each else { return is_true(asker, &asked) };
    // That there is nothing to check is for the judging to say.
    let items = asker.items(each, &asked).unwrap_or_default();
    let of_item = |item| Asked { item: Some(item), ..asked.clone() };
    !items.is_empty() && items.into_iter().enumerate().all(|item| is_true(asker, &of_item(item)))
}

fn is_true<'r>(asker: &mut Asker<'r>, asked: &Asked<'r>) -> bool {
    let rule = &asker.rules.rule;
    let Ok(asked) = asker.named(rule, asked) else { return false };
    let globals = asker.globals(rule, &asked);
    matches!(asker.machine.run(rule, &globals), Ok(Val::Bool(true)))
}
