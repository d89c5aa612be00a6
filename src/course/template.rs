//! Briefs, debriefs and `*.hbs`: handlebars with nothing but the task's values.

use std::collections::BTreeMap;

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use handlebars::{Handlebars, Path, no_escape};
use serde_json::Value;

use super::diagnostic::{Diagnostic, Spot};

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Line from 1 and column from 1, where they are known.
    at: Option<(usize, usize)>,
    message: String,
}

impl TemplateProblem {
    /// With the file's name.
    pub fn diagnostic(self, file: &str) -> Diagnostic {
        let problem = Diagnostic::new(file, format!("not a handlebars template: {}", self.message))
            .help("only values are available here; write `\\{{` for the text itself");
        match self.at {
            Some((line, column)) => problem.at(Spot::point(line, column.saturating_sub(1))),
            None => problem,
        }
    }
}

/// Renders a template. Unknown names are errors, also where handlebars' strict mode lets them pass (`{{#if name}}`):
/// callers check [`names`] first.
pub fn render(text: &str, values: &BTreeMap<String, Value>) -> Result<String, TemplateProblem> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine.render_template(text, values).map_err(|error| TemplateProblem {
        at: error.line_no.zip(error.column_no),
        message: error.reason().to_string(),
    })
}

/// The names that a template reads, each with the first line that does.
pub fn names(text: &str) -> Result<BTreeMap<String, usize>, TemplateProblem> {
    let template = Template::compile(text)
        .map_err(|error| TemplateProblem { at: error.pos(), message: syntax(&error.reason().to_string()) })?;
    let mut names = Names { found: BTreeMap::new(), unsupported: None };
    names.template(&template, 1);
    match names.unsupported {
        Some(problem) => Err(problem),
        None => Ok(names.found),
    }
}

/// The parser lists all rules of its grammar that it would have liked to see.
fn syntax(reason: &str) -> String {
    match reason.split_once(": expected ") {
        Some(_) => "something is not understood here, or a block (`{{#if …}}`) is left open".to_owned(),
        None => reason.to_owned(),
    }
}

struct Names {
    found: BTreeMap<String, usize>,
    unsupported: Option<TemplateProblem>,
}

impl Names {
    fn template(&mut self, template: &Template, line: usize) {
        for (index, element) in template.elements.iter().enumerate() {
            let line = template.mapping.get(index).map_or(line, |mapping| mapping.0);
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression) => {
                    self.helper(expression, line);
                }
                TemplateElement::HelperBlock(block) => {
                    self.helper(block, line);
                    for inner in [&block.template, &block.inverse].into_iter().flatten() {
                        self.template(inner, line);
                    }
                }
                _ => self.refuse(line, "partials and decorators are not available"),
            }
        }
    }

    fn helper(&mut self, helper: &HelperTemplate, line: usize) {
        let called = helper.block || !helper.params.is_empty() || !helper.hash.is_empty();
        if called {
            if matches!(helper.name.as_name(), Some("each" | "with" | "lookup" | "log" | "raw")) {
                self.refuse(line, "values are plain: only if, unless and the comparisons are available");
            }
        } else {
            self.parameter(&helper.name, line);
        }
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter, line);
        }
    }

    fn parameter(&mut self, parameter: &Parameter, line: usize) {
        match parameter {
            Parameter::Literal(_) => {}
            Parameter::Name(name) => self.name(name, line),
            Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => self.name(raw, line),
            Parameter::Subexpression(inner) => {
                if let TemplateElement::Expression(helper) = inner.as_element() {
                    // The name of a subexpression is always a helper's.
                    for parameter in helper.params.iter().chain(helper.hash.values()) {
                        self.parameter(parameter, line);
                    }
                }
            }
            _ => self.refuse(line, "this kind of parameter is not available"),
        }
    }

    fn name(&mut self, name: &str, line: usize) {
        self.found.entry(name.to_owned()).or_insert(line);
    }

    fn refuse(&mut self, line: usize, message: &str) {
        let problem = TemplateProblem { at: Some((line, 1)), message: message.to_owned() };
        self.unsupported.get_or_insert(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_found_wherever_they_are_read() {
        let text =
            "# {{title}}\n\n{{#if (eq mode \"x\")}}{{deep}}{{else}}{{other}}{{/if}}\n{{#unless flag}}a{{/unless}}\n";
        let found = names(text).expect("a template");
        let lines: Vec<_> = found.iter().map(|(name, line)| (name.as_str(), *line)).collect();
        assert_eq!(lines, [("deep", 3), ("flag", 4), ("mode", 3), ("other", 3), ("title", 1)]);
    }

    #[test]
    fn text_is_not_escaped_and_foreign_braces_can_be_written() {
        let values = BTreeMap::from([("a".to_owned(), json!("<b> & \"c\"")), ("n".to_owned(), json!(3))]);
        let text = "{{a}} {{n}} \\{{ .Values.x }} ${{ github.sha }}\n";
        assert!(render(text, &values).is_err(), "`github.sha` is unknown");
        let text = "{{a}} {{n}} \\{{ .Values.x }}\n";
        assert_eq!(render(text, &values).expect("renders"), "<b> & \"c\" 3 {{ .Values.x }}\n");
    }

    #[test]
    fn a_broken_template_has_a_line() {
        let problem = names("a\n{{#if x}}\n").expect_err("not closed");
        assert!(problem.diagnostic("brief.md").place.line.is_some());
        assert!(names("{{#each items}}{{this}}{{/each}}").is_err());
        assert!(names("{{> partial}}").is_err());
    }
}
