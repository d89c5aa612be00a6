//! Names of values: every one that is used has a parameter, and the other way round.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::checks::Mutants;
use super::{Loader, is_template};
use crate::course::CourseTask;
use crate::course::diagnostic::{Diagnostic, Spot, nearest};
use crate::course::fill;
use crate::course::source::{Node, join};
use crate::course::template;
use crate::course::values::{Parameter, ParameterScope};

impl Loader<'_> {
    pub(super) fn check_names(&mut self, task: &CourseTask, mutants: &Mutants) {
        let parameters = &task.source.parameters;
        let written = task.source.raw.pointer("/spec/parameters").and_then(Value::as_object);
        if written.map_or(0, serde_json::Map::len) != parameters.len() {
            // One that cannot be drawn was reported already; its uses are not wrong.
            return;
        }
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut spec = task.source.raw.clone();
        if let Some(spec) = spec.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove("parameters");
        }
        self.check_placeholders(parameters, &task.file(), &task.source.node, &spec, &mut used);
        for (name, (node, _)) in mutants {
            let file = format!("{}/mutants/{name}.yaml", task.dir);
            self.check_placeholders(parameters, &file, node, &node.to_value(), &mut used);
        }
        let templates =
            task.files.paths().filter(|path| is_template(path) || ["brief.md", "debrief.md"].contains(path));
        for path in templates {
            self.check_template(task, path, &mut used);
        }
        for name in parameters.keys().filter(|name| !used.contains(*name)) {
            let at = task.source.node.locate_key(&join("/spec/parameters", name));
            let problem = Diagnostic::new(task.file(), format!("nothing uses the parameter `{name}`")).at(at);
            self.say(
                problem.help(format!("use it as `${{{name}}}`, `params.{name}` or `{{{{{name}}}}}`, or remove it")),
            );
        }
    }

    fn check_placeholders(
        &mut self,
        parameters: &BTreeMap<String, Parameter>,
        file: &str,
        node: &Node,
        value: &Value,
        used: &mut BTreeSet<String>,
    ) {
        let names = fill::names(value);
        for (name, pointer) in names.placeholders {
            if !parameters.contains_key(&name) {
                let help = nearest(&name, parameters.keys().map(String::as_str)).map_or_else(
                    || format!("declare it in `spec.parameters`, or write `$${{{name}}}` for the text itself"),
                    |near| format!("did you mean `${{{near}}}`?"),
                );
                let problem = Diagnostic::new(file, format!("no parameter is called `{name}`"));
                self.say(problem.at(node.locate(&pointer)).help(help));
            }
            used.insert(name);
        }
        used.extend(names.params.into_keys());
    }

    fn check_template(&mut self, task: &CourseTask, path: &str, used: &mut BTreeSet<String>) {
        let parameters = &task.source.parameters;
        let file = format!("{}/{path}", task.dir);
        let Some(text) = self.text(&file, "the template") else { return };
        let names = match template::names(&text) {
            Ok(names) => names,
            Err(problem) => return self.say(problem.diagnostic(&file)),
        };
        for (name, line) in names {
            let at = spot(&text, line, &name);
            match parameters.get(&name) {
                None => {
                    let help = nearest(&name, parameters.keys().map(String::as_str)).map_or_else(
                        || format!("declare it in task.yaml, or write `\\{{{{{name}}}}}` for the text itself"),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.say(Diagnostic::new(&file, format!("no parameter is called `{name}`")).at(at).help(help));
                }
                Some(parameter) if parameter.scope == ParameterScope::Learner && path.starts_with("starter/") => {
                    let message = format!("the starter is the same for everybody and cannot hold `{name}`");
                    let help = "use it in the brief and in checkpoints, or drop `scope: learner`";
                    self.say(Diagnostic::new(&file, message).at(at).help(help));
                }
                Some(_) => {}
            }
            used.insert(name);
        }
    }
}

/// The name in its line; handlebars tells the line only.
fn spot(text: &str, line: usize, name: &str) -> Spot {
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let braces = content.find("{{").unwrap_or(0);
    match content[braces..].find(name) {
        Some(at) => {
            let column = content[..braces + at].chars().count();
            Spot::line(line, column, column + name.chars().count())
        }
        None => Spot::point(line, 0),
    }
}
