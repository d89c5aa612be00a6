//! `failFast`: what tells that waiting is in vain, so that nobody waits any longer.

use serde_json::Value;

use super::cel::machine::Machine;
use super::cel::program::Program;
use super::cel::types::Ty;
use super::cel::value::Val;
use super::select;

/// A compiled expression over one `object` of the environment.
#[derive(Debug)]
pub struct FailFast(Program);

impl FailFast {
    /// Compiles it; problems with their remedy.
    pub fn compile(source: &str) -> Result<Self, Vec<String>> {
        let program = Program::compile(source, &["object"])
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        if !program.result.agrees(&Ty::Bool) {
            return Err(vec![format!("the expression must give a {}, it gives {}", Ty::Bool, program.result)]);
        }
        Ok(Self(program))
    }

    /// The first object, in words, of which it is true. What cannot be evaluated is not true yet, and neither is a status
    /// that its controller wrote about an older object: it tells of the commit before.
    pub fn hit<'o>(&self, mut objects: impl Iterator<Item = &'o Value>) -> Option<String> {
        let is_true = |object: &Value| matches!(Machine::new().run(&self.0, &[Val::Json(object)]), Ok(Val::Bool(true)));
        objects.find(|object| !is_stale(object) && is_true(object)).map(select::subject)
    }
}

fn is_stale(object: &Value) -> bool {
    let observed = object.pointer("/status/observedGeneration");
    observed.is_some() && observed != object.pointer("/metadata/generation")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXCEEDED: &str =
        "object.status.?conditions.orValue([]).exists(c, c.?reason.orValue('') == 'ProgressDeadlineExceeded')";

    fn web(status: Value) -> Value {
        json!({ "kind": "Deployment", "metadata": { "name": "web", "generation": 4 }, "status": status })
    }

    #[test]
    fn it_is_true_of_an_object_or_not_yet() {
        let conditions = |reason: &str| json!([{ "type": "Progressing" }, { "type": "x", "reason": reason }]);
        let at = |generation: u32| json!({ "observedGeneration": generation, "conditions": conditions("ProgressDeadlineExceeded") });
        let exceeded = json!({ "conditions": conditions("ProgressDeadlineExceeded") });
        let table = [
            (EXCEEDED, exceeded, true),
            (EXCEEDED, json!({ "conditions": conditions("NewReplicaSetAvailable") }), false),
            (EXCEEDED, json!({}), false),
            (EXCEEDED, at(4), true),
            (EXCEEDED, at(3), false),
            ("object.status.phase == 'Failed'", json!({}), false),
            ("object.status.phase == 'Failed'", json!({ "phase": "Failed" }), true),
            ("object.status.phase", json!({ "phase": "Failed" }), false),
        ];
        for (source, status, expected) in table {
            let hit = FailFast::compile(source).unwrap().hit([&web(status.clone())].into_iter());
            assert_eq!(hit, expected.then(|| "Deployment web".to_owned()), "{source} of {status}");
        }
        assert_eq!(FailFast::compile("true").unwrap().hit([].into_iter()), None, "no object, no hit");
    }

    #[test]
    fn what_does_not_compile_is_told() {
        for (source, words) in [("object.a ==", "ends where a value"), ("objects == 1", "`object`"), ("1 + 1", "bool")]
        {
            let problems = FailFast::compile(source).unwrap_err().join("\n");
            assert!(problems.contains(words), "{source}: {problems}");
        }
    }
}
