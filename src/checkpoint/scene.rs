//! What was done in a learner's environment to see what becomes of it: a scenario as it was played. Plain data, like all
//! that was seen there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matching::clip;
use super::observed::Observed;
use crate::course::id::CheckpointId;

/// A scenario as it was played, or as far as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scene {
    /// Of which checkpoint.
    pub checkpoint: CheckpointId,
    /// What was to be done, in this order.
    pub script: Vec<Act>,
    /// What became of it, step by step.
    pub steps: Vec<Played>,
}

/// A step of a scenario as it was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Played {
    /// What was done.
    pub done: Done,
    /// What was seen from then on.
    pub seen: Observed,
}

/// What becomes of an act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Done {
    /// The API server took it.
    Acted {
        /// The object before; none where it was to be made.
        before: Option<Value>,
        /// The object afterwards; none where it was gone.
        after: Option<Value>,
    },
    /// There is no such object.
    Missing,
    /// There is one, and nothing of the commit made it.
    Foreign,
    /// An object of this name, which was to be made, comes from the commit.
    Taken,
    /// The API server did not take it.
    Refused {
        /// Of HTTP.
        code: u16,
        /// The API server's words.
        message: String,
    },
    /// Nobody knows, for this reason.
    Unknown(String),
}

/// Something that is done in the environment. A closed list: each one can be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Act {
    /// Deletes an object of the commit. One of its name is as it was only if it is another one.
    Delete(Target),
    /// Sets `spec.replicas` of an object of the commit.
    Scale(Scale),
    /// Changes an object of the commit.
    Patch(Patch),
    /// Makes an object that the environment takes for one of an earlier commit.
    Plant(Plant),
}

/// An object of the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// As in `apps/v1`; needed only where several groups have the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// As in `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The environment's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Another number of replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// As in `apps/v1`; needed only where several groups have the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// As in `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The environment's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// So many.
    pub replicas: u32,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Patch {
    /// As in `apps/v1`; needed only where several groups have the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// As in `ConfigMap`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The environment's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// JSON merge patch (RFC 7386): fields to set, `null` for fields to delete.
    pub merge: Value,
}

/// An object to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plant {
    /// Whole, with `apiVersion`, `kind` and `metadata.name`.
    pub object: Value,
}

/// A field of an act that makes no sense: JSON pointer below the act's word, message with the remedy.
type Nonsense = (String, String);

impl Act {
    /// What it is done to.
    pub fn target(&self) -> Target {
        let of = |version: &Option<String>, kind: &str, name: &str, namespace: &Option<String>| Target {
            api_version: version.clone(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.clone(),
        };
        match self {
            Act::Delete(target) => target.clone(),
            Act::Scale(one) => of(&one.api_version, &one.kind, &one.name, &one.namespace),
            Act::Patch(one) => of(&one.api_version, &one.kind, &one.name, &one.namespace),
            Act::Plant(plant) => {
                let text = |pointer| plant.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                Target {
                    api_version: text("/apiVersion"),
                    kind: text("/kind").unwrap_or_default(),
                    name: text("/metadata/name").unwrap_or_default(),
                    namespace: text("/metadata/namespace"),
                }
            }
        }
    }

    /// The merge patch that it is; none where it makes or deletes an object.
    pub fn merge(&self) -> Option<Value> {
        match self {
            Act::Scale(scale) => Some(serde_json::json!({ "spec": { "replicas": scale.replicas } })),
            Act::Patch(patch) => Some(patch.merge.clone()),
            Act::Delete(_) | Act::Plant(_) => None,
        }
    }

    /// Its word in a task.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Delete(_) => "delete",
            Act::Scale(_) => "scale",
            Act::Patch(_) => "patch",
            Act::Plant(_) => "plant",
        }
    }

    /// What a learner is told was done, as in ``after Deployment `web` was deleted``.
    pub fn words(&self) -> String {
        let target = self.target();
        format!("after {target} was {}", self.done())
    }

    /// What is done to its target, as in `deleted`.
    pub fn done(&self) -> String {
        match self {
            Act::Delete(_) => "deleted".to_owned(),
            Act::Scale(scale) => format!("scaled to {}", scale.replicas),
            Act::Patch(_) => "changed".to_owned(),
            Act::Plant(_) => "made, as if an earlier commit had brought it".to_owned(),
        }
    }

    /// Whether what the API server said it did is what was to be done: an act that changed nothing proves nothing.
    pub fn changed(&self, before: Option<&Value>, after: Option<&Value>) -> bool {
        match (self, before, after) {
            (Act::Delete(_), Some(before), Some(after)) => uid(before) != uid(after) || is_going(after),
            (Act::Delete(_), Some(_), None) => true,
            (Act::Plant(_), None, Some(after)) => !uid(after).is_empty(),
            (Act::Scale(_) | Act::Patch(_), Some(before), Some(after)) => asked(before) != asked(after),
            _ => false,
        }
    }

    /// Everything that makes no sense, whatever the environment is.
    pub fn nonsense(&self) -> Vec<Nonsense> {
        let target = self.target();
        let mut found = Vec::new();
        let mut say = |at: &str, message: String| found.push((at.to_owned(), message));
        let (kind_at, name_at) = match self {
            Act::Plant(_) => ("/object", "/object"),
            _ => ("/kind", "/name"),
        };
        if target.kind.is_empty() {
            say(kind_at, "name the `kind`".to_owned());
        }
        if target.name.is_empty() {
            say(name_at, "name it: nothing is done to objects of any name".to_owned());
        }
        if target.kind == "Secret" {
            let message =
                "what an act is done to is written down, so that it can be undone: take no Secret, but a ConfigMap";
            say(kind_at, message.to_owned());
        }
        match self {
            Act::Patch(Patch { merge, .. }) => {
                let fields = merge.as_object().filter(|fields| !fields.is_empty());
                if fields.is_none() {
                    say("/merge", "name the fields to change, as in `{spec: {replicas: 5}}`".to_owned());
                }
                found.extend(fields.and_then(|_| whole(merge)).map(|(at, message)| (format!("/merge{at}"), message)));
            }
            Act::Plant(Plant { object }) => {
                if target.api_version.as_deref().is_none_or(str::is_empty) {
                    say("/object", "name the `apiVersion`, as in `v1`".to_owned());
                }
                found.extend(whole(object).map(|(at, message)| (format!("/object{at}"), message)));
            }
            Act::Delete(_) | Act::Scale(_) => {}
        }
        found
    }
}

/// What no act may set: it is the API server's, a controller's, or Argo CD's.
fn whole(object: &Value) -> Option<Nonsense> {
    if object.get("status").is_some() {
        return Some(("/status".to_owned(), "`status` is its controller's to say: leave it out".to_owned()));
    }
    let metadata = object.get("metadata").and_then(Value::as_object)?;
    let known = ["name", "namespace", "labels", "annotations"];
    if let Some(key) = metadata.keys().find(|key| !known.contains(&key.as_str())) {
        let message = format!("`{key}` is not an act's to set: of `metadata` only labels and annotations are");
        return Some((format!("/metadata/{key}"), message));
    }
    ["labels", "annotations"].iter().find_map(|field| {
        let keys = metadata.get(*field)?.as_object()?;
        keys.keys().find(|key| key.contains("argoproj.io/"))?;
        let message = "these speak to Argo CD, and which Application an object belongs to is set by us: leave them out";
        Some((format!("/metadata/{field}"), message.to_owned()))
    })
}

/// As in ``Deployment `web` ``.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", clip(&self.kind), clip(&self.name))
    }
}

impl Target {
    /// Whether the object is the one that is meant. One without a namespace is in the environment's own.
    pub fn is(&self, object: &Value) -> bool {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        text("/kind") == Some(&self.kind)
            && text("/metadata/name") == Some(&self.name)
            && self.api_version.as_deref().is_none_or(|version| group(version) == text("/apiVersion").map_or("", group))
            && self.namespace.as_deref().is_none_or(|namespace| text("/metadata/namespace") == Some(namespace))
    }
}

fn group(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

/// The object's uid; empty where it has none.
pub fn uid(object: &Value) -> &str {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}

/// Whether it is being deleted.
pub fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// What is asked of an object: without its status and what the API server counts.
pub fn asked(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "selfLink"] {
            metadata.shift_remove(field);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn act(value: Value) -> Act {
        serde_json::from_value(value).unwrap()
    }

    fn object(uid: &str, replicas: u32, version: &str) -> Value {
        json!({ "kind": "Deployment", "metadata": { "name": "web", "uid": uid, "resourceVersion": version },
            "spec": { "replicas": replicas }, "status": { "readyReplicas": version } })
    }

    #[test]
    fn only_an_act_that_changed_what_it_was_to_change_counts() {
        let scale = act(json!({ "scale": { "kind": "Deployment", "name": "web", "replicas": 5 } }));
        assert!(scale.changed(Some(&object("a", 2, "1")), Some(&object("a", 5, "2"))));
        assert!(!scale.changed(Some(&object("a", 5, "1")), Some(&object("a", 5, "2"))), "only its version is another");
        assert!(!scale.changed(Some(&object("a", 2, "1")), None));
        let delete = act(json!({ "delete": { "kind": "Deployment", "name": "web" } }));
        let mut going = object("a", 2, "2");
        going["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:00Z".into();
        assert!(delete.changed(Some(&object("a", 2, "1")), None));
        assert!(delete.changed(Some(&object("a", 2, "1")), Some(&object("b", 2, "2"))), "healed already");
        assert!(delete.changed(Some(&object("a", 2, "1")), Some(&going)));
        assert!(!delete.changed(Some(&object("a", 2, "1")), Some(&object("a", 2, "2"))), "still there");
        let plant = act(json!({ "plant": { "object": object("", 1, "1") } }));
        assert!(plant.changed(None, Some(&object("a", 1, "1"))));
        assert!(!plant.changed(None, None) && !plant.changed(None, Some(&object("", 1, "1"))));
        assert!(!plant.changed(Some(&object("b", 1, "1")), Some(&object("a", 1, "1"))), "it was there before");
    }

    #[test]
    fn what_no_act_may_do_is_named_at_its_field() {
        let at = |value: Value| act(value).nonsense().into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        let none = Vec::<String>::new();
        assert_eq!(at(json!({ "scale": { "kind": "Deployment", "name": "web", "replicas": 5 } })), none);
        assert_eq!(at(json!({ "delete": { "kind": "", "name": "" } })), ["/kind", "/name"]);
        assert_eq!(at(json!({ "delete": { "kind": "Secret", "name": "db" } })), ["/kind"]);
        let patch = |merge: Value| at(json!({ "patch": { "kind": "ConfigMap", "name": "c", "merge": merge } }));
        assert_eq!(patch(json!({ "data": { "a": null } })), none);
        assert_eq!(patch(json!({})), ["/merge"]);
        assert_eq!(patch(json!(3)), ["/merge"]);
        assert_eq!(patch(json!({ "status": {} })), ["/merge/status"]);
        assert_eq!(patch(json!({ "metadata": { "ownerReferences": [] } })), ["/merge/metadata/ownerReferences"]);
        let tracking = json!({ "metadata": { "annotations": { "argocd.argoproj.io/tracking-id": null } } });
        assert_eq!(patch(tracking), ["/merge/metadata/annotations"]);
        let plant = |object: Value| at(json!({ "plant": { "object": object } }));
        assert_eq!(plant(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x" } })), none);
        assert_eq!(
            plant(json!({ "kind": "ConfigMap", "metadata": { "generateName": "x" } })),
            ["/object", "/object", "/object/metadata/generateName"]
        );
    }
}
