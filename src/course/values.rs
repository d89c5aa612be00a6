//! Values of a task's parameters: drawn, never chosen, and the same wherever they are drawn (design §5).
//!
//! The draw is stable for ever, because learners work with the values: `docs/authoring.md` describes it, the test
//! `draws_never_change` guards it. For a parameter:
//!
//! 1. Join with NUL bytes, as UTF-8: `gradus-values-1`, course id, task id, salt, scope, parameter name.
//!    Scope is `course`, `learner/NAME` or `proof/N`.
//! 2. Take SHA-256 and read its first eight bytes as a big-endian number *h*.
//! 3. Of *n* possible values take number ⌊*h* · *n* / 2⁶⁴⌋, counting from 0.
//!
//! A proof with number *n* > 0 takes *n* places further on, round and round, so that few proofs meet many values.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::id::{CourseId, Learner, TaskId};

/// Values by parameter name.
pub type Values = BTreeMap<String, Value>;

/// Most values that an `int` parameter may have.
const MAX_INT_VALUES: u64 = 1 << 32;

/// A parameter as written in task.yaml: exactly one of `oneOf` and `int`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameter {
    /// The possible values: text, numbers, `true` and `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// A whole number within bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int: Option<IntRange>,
    /// Who gets the same value.
    #[serde(default, skip_serializing_if = "ParameterScope::is_course")]
    pub scope: ParameterScope,
}

/// A range of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntRange {
    /// The smallest.
    pub min: i64,
    /// The largest; it may be drawn too.
    pub max: i64,
}

/// Who gets the same value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ParameterScope {
    /// Everybody.
    #[default]
    Course,
    /// Each learner their own; never in the starter.
    Learner,
}

impl ParameterScope {
    fn is_course(&self) -> bool {
        *self == Self::Course
    }
}

/// For whom values are drawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// For everybody: what is published. Parameters of scope `learner` take the value of proof 0, an example.
    Course,
    /// For one learner.
    Learner(Learner),
    /// For `gradus test`: number 0 is [`Scope::Course`], the others vary all parameters.
    Proof(u32),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Course => f.write_str("course"),
            Scope::Learner(learner) => write!(f, "learner/{learner}"),
            Scope::Proof(number) => write!(f, "proof/{number}"),
        }
    }
}

impl Parameter {
    /// Why no value can be drawn, if none can.
    pub fn problem(&self) -> Option<&'static str> {
        match (&self.one_of, self.int) {
            (Some(_), Some(_)) | (None, None) => Some("a parameter needs exactly one of `oneOf` and `int`"),
            (Some(values), None) if values.is_empty() => Some("`oneOf` needs at least one value"),
            (Some(values), None) if !values.iter().all(is_plain) => {
                Some("`oneOf` holds text, numbers, `true` and `false` only")
            }
            (None, Some(range)) if range.max < range.min => Some("`max` must not be less than `min`"),
            (None, Some(range)) if range.max.abs_diff(range.min) >= MAX_INT_VALUES => {
                Some("`int` may span at most 4294967296 values")
            }
            _ => None,
        }
    }

    fn count(&self) -> u64 {
        match (&self.one_of, self.int) {
            (Some(values), _) => values.len() as u64,
            (None, Some(range)) => range.max.abs_diff(range.min) + 1,
            (None, None) => 0,
        }
    }

    fn value(&self, index: u64) -> Value {
        match (&self.one_of, self.int) {
            (Some(values), _) => {
                usize::try_from(index).ok().and_then(|index| values.get(index)).cloned().unwrap_or(Value::Null)
            }
            (None, Some(range)) => range.min.saturating_add_unsigned(index).into(),
            (None, None) => Value::Null,
        }
    }
}

fn is_plain(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

/// Draws the values of a task's valid parameters.
pub fn draw(
    course: &CourseId,
    task: &TaskId,
    salt: &str,
    scope: &Scope,
    parameters: &BTreeMap<String, Parameter>,
) -> Values {
    let draw_one = |(name, parameter): (&String, &Parameter)| {
        let (scope, further) = match (scope, parameter.scope) {
            (Scope::Proof(number), _) if *number > 0 => (Scope::Proof(0), u64::from(*number)),
            (Scope::Learner(_), ParameterScope::Learner) => (scope.clone(), 0),
            (_, ParameterScope::Learner) => (Scope::Proof(0), 0),
            (_, ParameterScope::Course) => (Scope::Course, 0),
        };
        // A proof of a course-wide parameter starts at the value that everybody gets.
        let scope = if further > 0 && parameter.scope == ParameterScope::Course { Scope::Course } else { scope };
        let count = parameter.count();
        let index =
            (index(&[course.as_str(), task.as_str(), salt, &scope.to_string(), name], count) + further) % count.max(1);
        (name.clone(), parameter.value(index))
    };
    parameters.iter().map(draw_one).collect()
}

/// A number below `count`, the same for the same words.
fn index(words: &[&str], count: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update("gradus-values-1");
    for word in words {
        hash.update([0]);
        hash.update(word);
    }
    let digest = hash.finalize();
    let high = digest.iter().take(8).fold(0_u64, |high, byte| (high << 8) | u64::from(*byte));
    let scaled = (u128::from(high) * u128::from(count)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameters() -> BTreeMap<String, Parameter> {
        let parse = |value| serde_json::from_value(value).expect("a parameter");
        BTreeMap::from([
            ("port".to_owned(), parse(json!({"int": {"min": 8000, "max": 8999}, "scope": "learner"}))),
            ("replicas".to_owned(), parse(json!({"int": {"min": 2, "max": 5}}))),
            ("team".to_owned(), parse(json!({"oneOf": ["aurora", "basalt", "cobalt"]}))),
        ])
    }

    fn drawn(scope: &Scope) -> Values {
        let course = "cnpe".parse().expect("an id");
        let task = "argocd-sync-windows-freeze".parse().expect("an id");
        draw(&course, &task, "2026", scope, &parameters())
    }

    #[test]
    fn draws_never_change() {
        // Learners hold these values: if this test fails, the code is wrong, not the test.
        let ada = Scope::Learner("ada".parse().expect("an id"));
        let all = json!([drawn(&Scope::Course), drawn(&ada), drawn(&Scope::Proof(1))]);
        insta::assert_snapshot!(all.to_string(), @r#"[{"port":8505,"replicas":2,"team":"aurora"},{"port":8129,"replicas":2,"team":"aurora"},{"port":8506,"replicas":3,"team":"basalt"}]"#);
    }

    #[test]
    fn everybody_gets_the_same_course_values_and_their_own_learner_values() {
        let of = |name: &str| drawn(&Scope::Learner(name.parse().expect("an id")));
        assert_eq!(of("ada")["team"], of("bob")["team"]);
        let ports: std::collections::BTreeSet<_> =
            (0..20).map(|n| of(&format!("learner-{n}"))["port"].as_i64()).collect();
        assert!(ports.len() > 15, "{ports:?}");
        assert_eq!(drawn(&Scope::Course), drawn(&Scope::Proof(0)));
    }

    #[test]
    fn three_proofs_meet_three_values() {
        let teams: std::collections::BTreeSet<_> =
            (0..3).map(|n| drawn(&Scope::Proof(n))["team"].to_string()).collect();
        assert_eq!(teams.len(), 3);
    }

    #[test]
    fn a_parameter_that_cannot_be_drawn_says_why() {
        let problem = |value| serde_json::from_value::<Parameter>(value).expect("a parameter").problem();
        assert!(problem(json!({})).is_some());
        assert!(problem(json!({"oneOf": [1], "int": {"min": 1, "max": 2}})).is_some());
        assert!(problem(json!({"oneOf": []})).is_some());
        assert!(problem(json!({"oneOf": [[1]]})).is_some());
        assert!(problem(json!({"int": {"min": 2, "max": 1}})).is_some());
        assert!(problem(json!({"int": {"min": i64::MIN, "max": i64::MAX}})).is_some());
        assert!(problem(json!({"int": {"min": -1, "max": -1}})).is_none());
    }
}
