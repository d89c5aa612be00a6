//! `$cel` inside a pattern: the rule sees the value as `self`.

use serde_json::Value;

use crate::checkpoint::cel::machine::Machine;
use crate::checkpoint::cel::program::Program;
use crate::checkpoint::cel::types::Ty;
use crate::checkpoint::cel::value::Val;

/// A compiled rule and its source.
#[derive(Debug)]
pub(super) struct Rule {
    pub source: String,
    program: Program,
}

impl Rule {
    pub fn compile(source: &str) -> Result<Self, String> {
        let program = Program::compile(source, &["self"])
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        if !matches!(program.result, Ty::Bool | Ty::Dyn) {
            return Err(format!("it gives {}, must give true or false", program.result));
        }
        Ok(Rule { source: source.to_owned(), program })
    }

    /// Whether the rule holds for a value, or why that cannot be said.
    pub fn holds(&self, value: &Value) -> Result<bool, String> {
        match Machine::new().run(&self.program, &[Val::Json(value)]) {
            Ok(Val::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gives {}, must give true or false", other.show())),
            Err(fault) => Err(fault.message),
        }
    }
}
