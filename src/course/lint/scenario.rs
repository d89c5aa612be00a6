//! What can be said about a scenario only where its task is known: its environment, and the checkpoints beside it.

use crate::checkpoint::scenario::Scenario;
use crate::checkpoint::scene::Target;
use crate::checkpoint::{Checkpoint, Kind};
use crate::environment::Environment;

/// A problem: JSON pointer below the checkpoint, message with the remedy.
type Problem = (String, String);

/// What its environment or its time words make impossible.
pub fn problems(checkpoint: &Checkpoint, scenario: &Scenario, environment: &Environment) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !checkpoint.timing.is_none() {
        let message = "each step of a scenario has time words of its own: write them beside its `check`";
        problems.push((String::new(), message.to_owned()));
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        let at = format!("/scenario/steps/{index}/do/{}", step.act.word());
        let target = step.act.target();
        if !target.kind.is_empty() && !allows(environment, &target) {
            let message = format!(
                "the environment allows no {}, so that no commit brings one: name it in `allow.kinds`, or another kind here",
                target.kind
            );
            problems.push((at.clone(), message));
        }
        if let Some(namespace) = target.namespace.filter(|one| !environment.allow.namespaces.contains(one)) {
            let message = format!("the environment has no namespace `{namespace}`: name it in `allow.namespaces`");
            problems.push((at, message));
        }
    }
    problems
}

fn allows(environment: &Environment, target: &Target) -> bool {
    let group = target.api_version.as_deref().map(|version| version.split_once('/').map_or("", |(group, _)| group));
    environment.allow.kinds.iter().any(|one| one.kind == target.kind && group.is_none_or(|group| one.group == group))
}

/// What is looked at before a scenario is played cannot wait for it: of any other live checkpoint that depends on one.
pub fn waits_in_vain(index: usize, all: &[Checkpoint]) -> Option<Problem> {
    let checkpoint = &all[index];
    if matches!(checkpoint.kind, Kind::Scenario(_)) {
        return None;
    }
    let (mut open, mut seen) = (vec![checkpoint], Vec::new());
    while let Some(one) = open.pop() {
        for needed in all.iter().filter(|known| one.depends_on.contains(&known.id)) {
            if matches!(needed.kind, Kind::Scenario(_)) {
                let message = format!(
                    "`{}` is a scenario, and scenarios are played when everything else is decided: let this depend on something else",
                    needed.id
                );
                return Some(("/dependsOn".to_owned(), message));
            }
            if !seen.contains(&&needed.id) {
                seen.push(&needed.id);
                open.push(needed);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn environment() -> Environment {
        let allow = json!({ "kinds": [{ "kind": "ConfigMap" }, { "group": "apps", "kind": "Deployment" }] });
        serde_json::from_value(json!({ "tier": "namespace", "path": "m", "allow": allow })).unwrap()
    }

    fn scenario(act: Value, timing: Value) -> Checkpoint {
        let step = json!({ "do": act, "check": { "gone": { "kind": "ConfigMap", "name": "x" } } });
        let mut file = json!({ "id": "heals", "title": "It heals", "scenario": { "steps": [step] } });
        file.as_object_mut().unwrap().extend(timing.as_object().unwrap().clone());
        serde_json::from_value(file).unwrap()
    }

    fn at(act: Value, timing: Value) -> Vec<String> {
        let checkpoint = scenario(act, timing);
        let Kind::Scenario(scenario) = &checkpoint.kind else { panic!() };
        problems(&checkpoint, scenario, &environment()).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn only_what_a_commit_can_bring_is_touched() {
        let delete = |target: Value| at(json!({ "delete": target }), json!({}));
        assert_eq!(delete(json!({ "kind": "Deployment", "name": "web" })), Vec::<String>::new());
        assert_eq!(
            delete(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" })),
            Vec::<String>::new()
        );
        assert_eq!(
            delete(json!({ "apiVersion": "v1", "kind": "Deployment", "name": "web" })),
            ["/scenario/steps/0/do/delete"]
        );
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" } });
        assert_eq!(at(json!({ "plant": { "object": pod } }), json!({})), ["/scenario/steps/0/do/plant"]);
        assert_eq!(
            delete(json!({ "kind": "ConfigMap", "name": "x", "namespace": "kube-system" })),
            ["/scenario/steps/0/do/delete"]
        );
    }

    #[test]
    fn the_time_words_are_the_steps() {
        let target = json!({ "delete": { "kind": "ConfigMap", "name": "x" } });
        assert_eq!(at(target, json!({ "stableFor": "5s" })), [""]);
    }

    #[test]
    fn what_is_looked_at_before_does_not_wait_for_it() {
        let heals = scenario(json!({ "delete": { "kind": "ConfigMap", "name": "x" } }), json!({}));
        let other = |id: &str, kind: &str, needs: &str| -> Checkpoint {
            let select = json!({ "select": { "kind": "Pod" }, "match": {} });
            serde_json::from_value(json!({ "id": id, "title": "t", "dependsOn": [needs], kind: select })).unwrap()
        };
        let mut second = heals.clone();
        second.id = "again".parse().unwrap();
        second.depends_on = vec!["heals".parse().unwrap()];
        let all = [
            heals,
            second,
            other("file", "manifest", "heals"),
            other("direct", "live", "again"),
            other("far", "live", "file"),
        ];
        let found: Vec<_> = (0..all.len()).map(|index| waits_in_vain(index, &all).is_some()).collect();
        // A checkpoint of files is asked for only where it is a live one.
        assert_eq!(found, [false, false, true, true, true]);
    }
}
