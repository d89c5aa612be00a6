//! Compiling: from source to a [`Program`], or to problems with their place. Nothing of a learner is ever compiled.

use std::fmt;

use super::limits;
use super::lower::Lowering;
use super::node::Node;
use super::parse::parse;
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
        let expression = parse(source).map_err(|(at, message)| vec![Problem::at(source, Some(at), message)])?;
        let mut lowering = Lowering::new(source, variables);
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
    Ok(())
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
        assert!(problems(&format!("{}1{}", "(".repeat(500), ")".repeat(500))).contains("nested"), "parentheses");
        assert!(problems(&format!("{}true", "!(".repeat(500))).contains("nested"), "nots");
        assert!(problems(&format!("{}true", "!".repeat(1000))).contains("compiles"), "pairs of nots");
        assert!(problems(&format!("object{}", ".a".repeat(550))).contains("nested"), "selects");
        assert!(problems(&"[".repeat(1000)).contains("nested"), "lists");
        assert!(problems(&"a?b:".repeat(250)).contains("nested"), "conditions");
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
