//! What of an Application checkpoints may look at.

use serde_json::{Value, json};

/// An Application as the API server gave it without what is another with every look, and without messages about what was
/// applied, which may quote Secrets.
pub fn shown(application: &Value) -> Value {
    let take = |pointer: &str| application.pointer(pointer).cloned().unwrap_or_default();
    let fields = |pointer: &str, keep: &[&str]| {
        let of = |one: &Value| {
            let kept = keep.iter().filter_map(|key| Some(((*key).to_owned(), one.get(key)?.clone())));
            Value::Object(kept.collect())
        };
        let list = application.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().map(of).collect::<Vec<_>>()
    };
    let mut health = take("/status/health");
    if let Some(health) = health.as_object_mut() {
        health.remove("lastTransitionTime");
    }
    const OF_OBJECTS: [&str; 8] =
        ["group", "kind", "namespace", "name", "status", "health", "requiresPruning", "syncWave"];
    const OF_RESULTS: [&str; 8] =
        ["group", "kind", "namespace", "name", "status", "hookPhase", "hookType", "syncPhase"];
    json!({
        "spec": { "syncPolicy": take("/spec/syncPolicy"), "source": { "path": take("/spec/source/path") } },
        "status": {
            "sync": { "status": take("/status/sync/status") },
            "health": health,
            "resources": fields("/status/resources", &OF_OBJECTS),
            "summary": take("/status/summary"),
            "operationState": {
                "phase": take("/status/operationState/phase"),
                "syncResult": { "resources": fields("/status/operationState/syncResult/resources", &OF_RESULTS) },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_with_every_look_and_what_may_quote_secrets_is_left_out() {
        let mut later: Value = serde_json::from_str(include_str!("../gitops/gate/fixtures/single.json")).unwrap();
        let before = shown(&later);
        later["status"]["reconciledAt"] = "2027-01-01T00:00:00Z".into();
        later["status"]["health"]["lastTransitionTime"] = "2027-01-01T00:00:00Z".into();
        later["status"]["operationState"]["message"] = "hunter2".into();
        later["status"]["operationState"]["syncResult"]["resources"][0]["message"] = "hunter2".into();
        later["status"]["conditions"] = json!([{ "type": "SyncError", "message": "hunter2" }]);
        assert_eq!(shown(&later), before);
    }
}
