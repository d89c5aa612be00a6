//! Asking the expressions of a checkpoint: what their variables stand for at one time.

use serde_json::{Value, json};

use super::fault::Fault;
use super::machine::{Machine, article};
use super::program::Program;
use super::rules::Rules;
use super::value::Val;
use crate::checkpoint::Context;
use crate::submission::history::History;
use crate::submission::tree::Tree;

/// Values that are the same for all objects.
pub struct Data {
    files: Value,
    params: Value,
    commit: Value,
}

impl Data {
    /// What these rules look at.
    pub fn of(rules: &Rules, context: &Context<'_>) -> Self {
        Self {
            files: if rules.uses("files") { texts(context.files) } else { Value::Null },
            params: context.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            commit: context.history.map_or(Value::Null, commit),
        }
    }
}

/// The text files of the task's directory by path.
fn texts(files: &Tree) -> Value {
    let text = |path: &str| Some(std::str::from_utf8(files.file(path)?).ok()?.to_owned());
    files.paths().filter_map(|path| Some((path.to_owned(), Value::from(text(path)?)))).collect()
}

/// The head as the rule sees it.
fn commit(history: &History) -> Value {
    history.commits.last().map_or(Value::Null, |head| {
        let time = chrono::DateTime::from_timestamp(head.time, 0);
        json!({
            "id": head.id.as_str(),
            "subject": head.message.lines().next().unwrap_or_default(),
            "message": head.message,
            "author": head.author,
            "time": time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            "signed": head.signed,
            "parents": head.parents.len(),
        })
    })
}

/// What the rule is asked about at one time.
#[derive(Clone, Default)]
pub struct Asked<'a> {
    /// One of the objects, with its position among them.
    pub object: Option<(usize, &'a Value)>,
    /// One of the items of `each`, with its position among them.
    pub item: Option<(usize, Val<'a>)>,
    /// One of the cases.
    pub case: Option<&'a Value>,
    /// Values of the `let` names so far.
    pub named: Vec<Val<'a>>,
}

/// The expressions of a checkpoint with what they look at.
pub struct Asker<'a> {
    /// The expressions.
    pub rules: &'a Rules,
    /// What evaluates them.
    pub machine: Machine<'a>,
    data: &'a Data,
    objects: Val<'a>,
}

impl<'a> Asker<'a> {
    /// `objects` is the list of that name.
    pub fn new(rules: &'a Rules, data: &'a Data, objects: Val<'a>, machine: Machine<'a>) -> Self {
        Self { rules, machine, data, objects }
    }

    /// The values of a program's variables.
    pub fn globals(&self, program: &Program, asked: &Asked<'a>) -> Vec<Val<'a>> {
        let value = |name: &str| match name {
            "object" => asked.object.map_or(Val::Null, |(_, object)| Val::Json(object)),
            "objects" => self.objects.clone(),
            "item" => asked.item.as_ref().map_or(Val::Null, |(_, item)| item.clone()),
            "index" => asked.item.as_ref().map_or(Val::Null, |(index, _)| Val::Int(*index as i64)),
            "case" => asked.case.map_or(Val::Null, Val::Json),
            "files" => Val::Json(&self.data.files),
            "params" => Val::Json(&self.data.params),
            "commit" => Val::Json(&self.data.commit),
            other => {
                let position = self.rules.lets.iter().position(|(name, _)| name == other);
                position.and_then(|position| asked.named.get(position).cloned()).unwrap_or(Val::Null)
            }
        };
        program.variables().map(value).collect()
    }

    /// The same question with the values of the names that a program needs.
    ///
    /// # Errors
    /// What went wrong, and in the expression of which name.
    pub fn named(&mut self, program: &Program, asked: &Asked<'a>) -> Result<Asked<'a>, (&'a Program, Fault)> {
        let rules = self.rules;
        let mut asked = asked.clone();
        asked.named.clear();
        for ((_, value), needed) in rules.lets.iter().zip(rules.needed(program)) {
            let globals = self.globals(value, &asked);
            let value = match needed {
                true => self.machine.run(value, &globals).map_err(|fault| (value, fault))?,
                false => Val::Null,
            };
            asked.named.push(value);
        }
        Ok(asked)
    }

    /// The items of `each`.
    ///
    /// # Errors
    /// It cannot be evaluated, is no list, or one that is too long.
    pub fn items(&mut self, each: &'a Program, asked: &Asked<'a>) -> Result<Vec<Val<'a>>, Fault> {
        let globals = self.globals(each, asked);
        let value = self.machine.run(each, &globals)?;
        let items = value.as_list().map(|list| list.iter().collect::<Vec<_>>());
        let items = items.ok_or_else(|| Fault::invalid(format!("`each` gives {}", article(value.type_name()))))?;
        self.machine.walk(items.len()).map(|()| items)
    }
}
