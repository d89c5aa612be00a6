//! What Argo CD or the API server refused, object by object, and whose matter it is.
//!
//! Argo CD has no codes: what is told apart here is told apart by its words. Words that nobody knows are ours, never the
//! learner's: only their work costs points.

use std::fmt;

use super::allowed::Allowed;
use super::application::{OperationState, Phase};
use super::object::Object;
use crate::checkpoint::outcome::Blame;

/// Most objects that are named in one sentence.
const NAMED: usize = 5;

/// Most characters that are kept of one message.
const MESSAGE: usize = 400;

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The AppProject.
    Project,
    /// The ServiceAccount that Argo CD acts as may not.
    Impersonation,
    /// The API server would not have the object.
    Object,
    /// The cluster or Argo CD is in trouble, or said something we do not know.
    Trouble,
}

/// Something that was refused. Its texts are the cluster's, and in part the learner's: whoever shows them escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Who refused.
    pub refusal: Refusal,
    /// Whose matter it is.
    pub blame: Blame,
    /// In Argo CD's words, of the whole.
    pub message: String,
    /// What was refused, each with the words that are about it.
    pub objects: Vec<(Object, String)>,
}

impl Failure {
    /// Of an operation that failed, or whose last try did.
    pub fn of(state: &OperationState, allowed: &Allowed) -> Self {
        let results = state.sync_result.iter().flat_map(|result| &result.resources);
        let refused = results
            .filter(|one| one.status == "SyncFailed" || matches!(one.hook_phase, Some(Phase::Failed | Phase::Error)));
        let refused: Vec<_> = refused.map(|one| (one.object.clone(), one.message.as_str())).collect();
        Self::from(&state.message, refused, allowed)
    }

    /// Of words that are about no object.
    pub fn words(message: &str, allowed: &Allowed) -> Self {
        Self::from(message, Vec::new(), allowed)
    }

    fn from(message: &str, objects: Vec<(Object, &str)>, allowed: &Allowed) -> Self {
        let kinds = objects.iter().map(|(_, words)| refusal(words));
        // One object in trouble makes the rest uncertain: it may be refused for the same reason in other words.
        let refusal = kinds.reduce(worse).unwrap_or_else(|| refusal(message));
        let foreign = objects.iter().any(|(object, _)| !allowed.holds(object));
        let blame = match refusal {
            Refusal::Object => Blame::YourFiles,
            // What the environment promises and then refuses is our mistake.
            Refusal::Project | Refusal::Impersonation if foreign => Blame::YourFiles,
            Refusal::Project | Refusal::Impersonation | Refusal::Trouble => Blame::Ours,
        };
        let shown = |(object, words): (Object, &str)| {
            // The API server repeats values, and here each of them may be a password.
            let words = if object.kind == "Secret" {
                "refused; the words are left out, they may hold its values".into()
            } else {
                cut(about(words))
            };
            (object, words)
        };
        let secret = objects.iter().any(|(object, _)| object.kind == "Secret");
        let message = if secret { "one or more objects were refused".into() } else { cut(message) };
        Self { refusal, blame, message, objects: objects.into_iter().map(shown).collect() }
    }
}

/// Each object with its words; where none is named, the words of the whole.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.objects.is_empty() {
            return f.write_str(if self.message.is_empty() { "Argo CD gave no reason" } else { &self.message });
        }
        let named: Vec<_> =
            self.objects.iter().take(NAMED).map(|(object, words)| format!("{object}: {words}")).collect();
        f.write_str(&named.join("; "))?;
        match self.objects.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// By the words alone. First whatever speaks of a cluster in trouble: such words may hold any of the others.
fn refusal(words: &str) -> Refusal {
    const TROUBLE: [&str; 11] = [
        "connection refused",
        "connection reset",
        "context deadline exceeded",
        "context canceled",
        "i/o timeout",
        "etcdserver:",
        "failed calling webhook",
        "Internal error occurred",
        "the server is currently unable",
        "no matching service account",
        "code = Unavailable",
    ];
    const OBJECT: [&str; 11] = [
        " is invalid:",
        "denied the request",
        "error validating data",
        "strict decoding error",
        "could not find the requested resource",
        "The Kubernetes API could not find",
        "no matches for kind",
        "Failed to unmarshal \"",
        "field is immutable",
        "exceeded quota",
        "cannot be handled as a",
    ];
    let has = |list: &[&str]| list.iter().any(|known| words.contains(known));
    if has(&TROUBLE) {
        Refusal::Trouble
    } else if words.contains("is not permitted in project") || words.contains("allowed destinations in project") {
        Refusal::Project
    } else if words.contains("is forbidden: User \"system:serviceaccount:") {
        Refusal::Impersonation
    } else if has(&OBJECT) {
        Refusal::Object
    } else {
        Refusal::Trouble
    }
}

fn worse(one: Refusal, other: Refusal) -> Refusal {
    let rank = |refusal| match refusal {
        Refusal::Object => 0,
        Refusal::Impersonation => 1,
        Refusal::Project => 2,
        Refusal::Trouble => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}

/// Without what Argo CD says of its own files.
fn about(words: &str) -> &str {
    const BEFORE: [&str; 3] = ["error when patching \"/", "error when creating \"/", "from server for: \"/"];
    let file = BEFORE.iter().find_map(|before| words.split_once(before));
    file.and_then(|(_, rest)| rest.split_once("\": ")).map_or(words, |(_, rest)| rest)
}

/// One line of bounded length.
pub(super) fn cut(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::allowed::{AllowedKind, Scope};

    fn object(kind: &str, namespace: &str) -> Object {
        Object { group: "apps".into(), kind: kind.into(), namespace: namespace.into(), name: "web".into() }
    }

    fn allowed() -> Allowed {
        let kinds = vec![AllowedKind { group: "apps".into(), kind: "Deployment".into(), scope: Scope::Namespace }];
        Allowed { kinds, namespace: "team-a".into(), ..Allowed::default() }
    }

    #[test]
    fn a_refusal_is_the_learners_only_where_the_words_are_known_to_be_about_their_object() {
        let cases = [
            ("Deployment.apps \"web\" is invalid: spec.replicas: must be positive", Refusal::Object, Blame::YourFiles),
            ("admission webhook \"policy\" denied the request: no latest tag", Refusal::Object, Blame::YourFiles),
            ("failed calling webhook \"policy\": denied the request", Refusal::Trouble, Blame::Ours),
            ("dial tcp 10.0.0.1:443: connect: connection refused", Refusal::Trouble, Blame::Ours),
            ("words of a later version", Refusal::Trouble, Blame::Ours),
        ];
        for (words, refusal, blame) in cases {
            let failure = Failure::from("", vec![(object("Deployment", "team-a"), words)], &allowed());
            assert_eq!((failure.refusal, failure.blame), (refusal, blame), "{words}");
        }
    }

    #[test]
    fn a_denial_of_what_the_environment_allows_is_ours_and_of_anything_else_the_learners() {
        let denied = "resource apps:Deployment is not permitted in project ada-shop";
        let blame = |object| Failure::from("", vec![(object, denied)], &allowed()).blame;
        assert_eq!(blame(object("Deployment", "team-a")), Blame::Ours);
        assert_eq!(blame(object("DaemonSet", "team-a")), Blame::YourFiles);
        assert_eq!(blame(object("Deployment", "team-b")), Blame::YourFiles);
    }

    #[test]
    fn one_object_in_trouble_clears_the_learner_of_the_others() {
        let objects = vec![
            (object("Deployment", "team-a"), "Deployment.apps \"web\" is invalid: spec"),
            (object("Deployment", "team-a"), "etcdserver: request timed out"),
        ];
        assert_eq!(Failure::from("", objects, &allowed()).blame, Blame::Ours);
    }

    #[test]
    fn words_about_a_secret_are_never_repeated() {
        let words = "Secret \"web\" is invalid: data[password]: hunter2";
        let failure = Failure::from(words, vec![(object("Secret", "team-a"), words)], &allowed());
        assert!(!format!("{failure} {failure:?}").contains("hunter2"), "{failure:?}");
    }

    #[test]
    fn files_of_argo_cd_are_not_named() {
        let words =
            "error when patching \"/dev/shm/657879910\": Deployment.apps \"web\" is invalid: field is immutable";
        let failure = Failure::from("", vec![(object("Deployment", "team-a"), words)], &allowed());
        assert_eq!(failure.objects[0].1, "Deployment.apps \"web\" is invalid: field is immutable");
        assert_eq!(failure.refusal, Refusal::Object);
        let words = "error when retrieving current configuration of:\nResource: \"/v1, Resource=configmaps\"\nfrom server for: \
                     \"/dev/shm/1\": configmaps \"a\" is forbidden: User \"system:serviceaccount:a:deployer\" cannot get";
        let failure = Failure::from("", vec![(object("ConfigMap", "team-a"), words)], &allowed());
        assert!(failure.objects[0].1.starts_with("configmaps \"a\" is forbidden"), "{failure}");
    }

    #[test]
    fn many_objects_and_long_words_stay_one_sentence() {
        let long = "x".repeat(10_000);
        let failure = Failure::from("", vec![(object("Deployment", "team-a"), &long); 40], &allowed());
        assert!(failure.to_string().ends_with("; and 35 more"), "{failure}");
        assert!(failure.to_string().len() < 3_000);
    }
}
