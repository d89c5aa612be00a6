//! How an Application syncs by itself: ours, or what of a learner's own is taken over.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Sync options of Argo CD (3.6, docs/user-guide/sync-options.md) that a learner's Application may set. Not among them is what
/// makes or changes a namespace: the environment's is ours, and is there. Others change nothing but how the learner's own objects are
/// applied, by an account that may do no more than their commits.
const OPTIONS: [&str; 8] = [
    "ApplyOutOfSyncOnly=true",
    "PruneLast=true",
    "PrunePropagationPolicy=background",
    "PrunePropagationPolicy=foreground",
    "PrunePropagationPolicy=orphan",
    "Replace=true",
    "ServerSideApply=true",
    "SkipDryRunOnMissingResource=true",
];

/// How an Application syncs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// What is done without being asked for; none: nothing is.
    pub automated: Option<Automated>,
    /// Options as Argo CD writes them, besides ours.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What Argo CD does by itself, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Automated {
    /// Deletes what the commit does not have any more.
    pub prune: bool,
    /// Undoes what was changed in the cluster.
    pub self_heal: bool,
    /// Takes a commit without any objects for one.
    pub allow_empty: bool,
}

/// Ours: the cluster is what the commit says, whatever happens.
impl Default for Policy {
    fn default() -> Self {
        Self { automated: Some(Automated { prune: true, self_heal: true, allow_empty: true }), options: Vec::new() }
    }
}

impl Policy {
    /// Whether deleted files go from the cluster.
    pub fn prunes(&self) -> bool {
        self.automated.is_some_and(|automated| automated.prune)
    }

    /// Whether what is changed in the cluster is changed back.
    pub fn heals(&self) -> bool {
        self.automated.is_some_and(|automated| automated.self_heal)
    }

    /// Takes an option over if it may be set.
    pub fn take_option(&mut self, option: &str) {
        if OPTIONS.contains(&option) {
            self.options.push(option.to_owned());
        }
    }

    /// As `spec.syncPolicy` of the Application.
    pub fn sync_policy(&self) -> Value {
        // An object that two Applications claim would change hands with every sync.
        let options: Vec<&str> =
            std::iter::once("FailOnSharedResource=true").chain(self.options.iter().map(String::as_str)).collect();
        json!({
            "automated": self.automated,
            "syncOptions": options,
            // What fails is told after three tries, not after five minutes.
            "retry": { "limit": 2, "backoff": { "duration": "2s", "factor": 2, "maxDuration": "10s" } },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_does_everything_and_is_what_the_controller_gets() {
        let ours = Policy::default();
        assert!(ours.prunes() && ours.heals());
        let given = ours.sync_policy();
        assert_eq!(given["automated"], json!({ "prune": true, "selfHeal": true, "allowEmpty": true }));
        assert_eq!(given["syncOptions"], json!(["FailOnSharedResource=true"]));
    }

    #[test]
    fn options_that_reach_beyond_the_learners_objects_are_left_out() {
        let mut policy = Policy { automated: None, options: Vec::new() };
        for option in ["CreateNamespace=true", "PruneLast=true", "FailOnSharedResource=false", "x"] {
            policy.take_option(option);
        }
        assert_eq!(policy.options, ["PruneLast=true"]);
        assert_eq!(policy.sync_policy()["automated"], Value::Null);
        assert!(!policy.prunes() && !policy.heals());
    }
}
