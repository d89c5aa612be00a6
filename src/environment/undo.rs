//! How what was done in an environment is undone. Plain data: it is written down before anything is done, so that whoever
//! comes after a crash can undo it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How one act is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// The API group of what it was done to; empty for the core's.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Where it is, if it is in a namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is to be done.
    pub back: Back,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Back {
    /// Make this object again, unless one of its name is there.
    Again(Value),
    /// Set back what the act changed and nobody changed since, in this very object.
    #[serde(rename_all = "camelCase")]
    Values {
        /// Which one.
        uid: String,
        /// As it was.
        before: Value,
        /// As the act made it.
        after: Value,
    },
    /// Delete the object that carries this mark.
    Planted(String),
}

/// The JSON merge patch that sets back what an act changed and nobody changed since; none where nothing of it is left.
pub fn back(before: &Value, after: &Value, now: &Value) -> Option<Value> {
    let (before, after, now) = (before.as_object()?, after.as_object()?, now.as_object()?);
    let mut patch = Map::new();
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let all = (before.get(key), after.get(key), now.get(key));
        match all {
            (was, made, _) if was == made => {}
            (Some(was @ Value::Object(_)), Some(made @ Value::Object(_)), Some(is)) => {
                patch.extend(back(was, made, is).map(|inner| (key.clone(), inner)));
            }
            (was, made, is) if is == made => drop(patch.insert(key.clone(), was.cloned().unwrap_or_default())),
            _ => {}
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::gitops::gate::steps::change;

    #[test]
    fn what_the_act_changed_is_set_back_and_what_somebody_changed_since_is_not() {
        let before = json!({ "spec": { "replicas": 2, "paused": true, "list": [1, 2] }, "labels": { "a": "b" } });
        let after = json!({ "spec": { "replicas": 5, "list": [3] }, "labels": { "a": "b", "c": "d" } });
        let whole = json!({ "spec": { "replicas": 2, "paused": true, "list": [1, 2] }, "labels": { "c": null } });
        assert_eq!(back(&before, &after, &after), Some(whole));
        assert_eq!(back(&before, &after, &before), None, "healed");
        let half = json!({ "spec": { "replicas": 7, "list": [3], "more": 1 } });
        assert_eq!(back(&before, &after, &half), Some(json!({ "spec": { "paused": true, "list": [1, 2] } })));
        assert_eq!(
            back(&json!({ "a": 1 }), &json!({ "a": { "b": 1 } }), &json!({ "a": { "b": 1 } })),
            Some(json!({ "a": 1 }))
        );
    }

    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        let nested = leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into())
        });
        proptest::collection::btree_map("[abc]", nested, 0..3)
            .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into())
    }

    proptest! {
        #[test]
        fn where_nobody_changed_anything_it_is_exactly_as_it_was(before in object(), act in object()) {
            let mut after = before.clone();
            change(&mut after, &act);
            let mut now = after.clone();
            if let Some(patch) = back(&before, &after, &now) {
                change(&mut now, &patch);
            }
            prop_assert_eq!(now, before);
        }
    }
}
