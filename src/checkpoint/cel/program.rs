//! Compiling: from source to a [`Program`], or to problems with their place. Nothing of a learner is ever compiled.

use std::fmt;

use cel::Env;

use super::limits;
use super::lower::Lowering;
use super::node::Node;
use super::types::Ty;

/// A compiled rule.
#[derive(Debug)]
pub struct Program {
    /// The whole expression.
    pub root: Node,
    /// The type of its result as far as it is known.
    pub result: Ty,
    /// Places on the stack: variables, then those of loops and bindings.
    pub(super) slots: usize,
    variables: Vec<String>,
    used: Vec<bool>,
}

/// Something wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// One sentence with the remedy, without a full stop.
    pub message: String,
    /// Line of the expression, from 1, where it is known.
    pub line: Option<u32>,
    /// Column in characters, from 1, where it is known.
    pub column: Option<u32>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(1) | None, Some(column)) => write!(f, "{} (at column {column} of the expression)", self.message),
            (Some(line), Some(column)) => {
                write!(f, "{} (at line {line}, column {column} of the expression)", self.message)
            }
            _ => f.write_str(&self.message),
        }
    }
}

impl Problem {
    fn whole(message: String) -> Vec<Problem> {
        vec![Problem { message, line: None, column: None }]
    }

    /// At a byte offset of the source.
    pub(super) fn at(source: &str, offset: Option<usize>, message: String) -> Problem {
        let before = offset.and_then(|offset| source.get(..offset));
        let line = before.map(|text| text.matches('\n').count() as u32 + 1);
        let column = before.map(|text| text.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1);
        Problem { message, line, column }
    }
}

impl Program {
    /// Compiles an expression over these variables.
    pub fn compile(source: &str, variables: &[&str]) -> Result<Program, Vec<Problem>> {
        Self::compile_typed(source, &variables.iter().map(|name| (*name, Ty::Dyn)).collect::<Vec<_>>())
    }

    /// Compiles an expression over variables whose types are known.
    pub fn compile_typed(source: &str, variables: &[(&str, Ty)]) -> Result<Program, Vec<Problem>> {
        measure(source).map_err(Problem::whole)?;
        let parser = Env::default().parser().enable_ident_escape_syntax(true);
        let (expression, info) = parser.parse_with_source_info(source).map_err(|errors| {
            errors
                .errors
                .iter()
                .map(|error| Problem {
                    message: format!("not a CEL expression: {}", error.msg.trim_start_matches("Syntax error: ")),
                    line: u32::try_from(error.pos.0).ok(),
                    column: u32::try_from(error.pos.1).ok(),
                })
                .collect::<Vec<_>>()
        })?;
        let mut lowering = Lowering::new(source, &info, variables);
        let (root, result) = lowering.lower(&expression, 0);
        let (slots, used, problems) = lowering.finish();
        if !problems.is_empty() {
            return Err(problems);
        }
        let variables = variables.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Program { root, result, slots, variables, used })
    }

    /// The names of its variables, in the order in which [`super::machine::Machine::run`] takes their values.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Whether the rule refers to this variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.variables.iter().zip(&self.used).any(|(name, used)| *used && name == variable)
    }
}

/// Refuses what would overflow the parser's stack, before it is parsed.
fn measure(source: &str) -> Result<(), String> {
    if source.trim().is_empty() {
        return Err("the expression is empty".to_owned());
    }
    if source.len() > limits::SOURCE_BYTES {
        return Err(format!(
            "the expression has {} bytes, the limit is {}: split it into several checkpoints",
            source.len(),
            limits::SOURCE_BYTES
        ));
    }
    let tokens = count_tokens(source);
    if tokens > limits::TOKENS {
        return Err(format!(
            "the expression has {tokens} terms and operators, the limit is {}: split it into several checkpoints",
            limits::TOKENS
        ));
    }
    Ok(())
}

/// Counts words, numbers, literals and signs. Close enough: the parser itself decides what is valid.
fn count_tokens(source: &str) -> usize {
    let mut tokens = 0;
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_whitespace() {
            c.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' || c == '\'' {
            tokens += 1;
            literal_length(rest, c)
        } else if c.is_alphanumeric() || c == '_' {
            tokens += 1;
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        } else {
            tokens += 1;
            c.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens
}

/// Length of the literal that starts here. A prefix such as `r` has been counted as a word, so escapes in raw text may
/// end it early or late: that only miscounts.
fn literal_length(text: &str, quote: char) -> usize {
    let triple: String = [quote; 3].iter().collect();
    let (skip, end) = if text.starts_with(&triple) { (3, triple) } else { (1, quote.to_string()) };
    let mut position = skip;
    while let Some(rest) = text.get(position..) {
        if rest.starts_with(&end) {
            return position + end.len();
        }
        let mut characters = rest.chars();
        match characters.next() {
            Some('\\') => position += 1 + characters.next().map_or(0, char::len_utf8),
            Some(c) => position += c.len_utf8(),
            None => break,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(source: &str) -> String {
        match Program::compile(source, &["object"]) {
            Ok(_) => "compiles".to_owned(),
            Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn a_huge_rule_is_refused_with_a_remedy_not_a_crash() {
        assert!(problems(&vec!["1"; 5000].join("+")).contains("4096"), "bytes");
        assert!(problems(&vec!["1"; 2000].join("+")).contains("split it"), "terms");
        assert!(problems(&vec!["1"; 500].join("+")).contains("nested"), "depth");
        assert!(
            problems(&format!("{}1{}", "(".repeat(500), ")".repeat(500))).contains("not a CEL expression"),
            "parens"
        );
        assert!(problems(&"!".repeat(1000)).contains("not a CEL expression"), "nots");
        assert!(problems(&format!("object{}", ".a".repeat(550))).contains("nested"), "selects");
    }

    #[test]
    fn long_flat_conditions_are_fine() {
        let rule = vec!["object.a == 1"; 150].join(" && ");
        assert_eq!(problems(&rule), "compiles");
    }

    #[test]
    fn a_problem_names_its_column() {
        assert_eq!(
            problems("object.a == 1 &&\n  objekt.b == 2"),
            "undeclared variable `objekt`; there is `object` (at line 2, column 3 of the expression)"
        );
    }
}
