//! `.gradus/tasks/ID.yaml`: what a fork may know of a task's checkpoints.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::checkpoint::Checkpoint;
use crate::checkpoint::spec::{Visibility, Withheld};
use crate::course::CourseTask;
use crate::course::emit;
use crate::course::fill::names;
use crate::course::template;

/// The public part of a task's task.yaml. Placeholders stay: values are drawn in the fork as they are here.
pub(super) fn public_task(task: &CourseTask) -> String {
    let raw = &task.source.raw;
    let mut spec = Map::new();
    for key in ["points", "minutes", "competencies", "sources", "dialect", "review"] {
        if let Some(value) = raw.pointer(&format!("/spec/{key}")) {
            spec.insert(key.to_owned(), value.clone());
        }
    }
    let written = raw.pointer("/spec/checkpoints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let checkpoints: Vec<Value> =
        task.task.checkpoints.iter().zip(written).map(|(read, written)| public_checkpoint(read, written)).collect();
    let metadata = raw.get("metadata").cloned().unwrap_or_default();
    let shown = json!([metadata, spec, checkpoints]);
    let parameters = parameters(task, &shown);
    if !parameters.is_empty() {
        spec.insert("parameters".to_owned(), Value::Object(parameters));
    }
    spec.insert("checkpoints".to_owned(), Value::Array(checkpoints));
    emit::yaml(&json!({
        "apiVersion": crate::course::task::API_VERSION, "kind": "Task", "metadata": metadata, "spec": spec,
    }))
    .unwrap_or_default()
}

/// Why a checkpoint's kind is not published, if it is not.
pub(super) fn withheld(checkpoint: &Checkpoint, written: &Value) -> Option<Withheld> {
    let mut hidden = Vec::new();
    crate::course::hidden_strings(written, "", &mut hidden);
    match checkpoint.visibility {
        Visibility::AfterDue | Visibility::Never => Some(Withheld::Visibility),
        Visibility::Always if !hidden.is_empty() => Some(Withheld::Hidden),
        Visibility::Always => None,
    }
}

fn public_checkpoint(read: &Checkpoint, written: &Value) -> Value {
    let Some(written_fields) = written.as_object() else { return Value::Null };
    let fields = written_fields.iter();
    match withheld(read, written) {
        None => Value::Object(fields.filter(|(key, _)| *key != "hints").map(|(k, v)| (k.clone(), v.clone())).collect()),
        Some(reason) => {
            let shown = |key: &str| ["id", "title", "points"].contains(&key);
            let mut public: Map<String, Value> =
                fields.filter(|(key, _)| shown(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
            public.insert("withheld".to_owned(), serde_json::to_value(reason).unwrap_or_default());
            Value::Object(public)
        }
    }
}

/// The parameters that the public part and the brief name. Others could tell what hidden fixtures hold.
fn parameters(task: &CourseTask, shown: &Value) -> Map<String, Value> {
    let names = names(shown);
    let mut used: BTreeSet<String> = names.placeholders.into_keys().chain(names.params.into_keys()).collect();
    used.extend(template::names(&task.text_of("brief.md")).unwrap_or_default().into_keys());
    let written = task.source.raw.pointer("/spec/parameters").and_then(Value::as_object);
    let all = written.into_iter().flatten();
    all.filter(|(name, _)| used.contains(*name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
