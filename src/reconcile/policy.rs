//! How a workspace is run: who is graded, what a review may decide, when a passed pull request is closed. Pure.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::forge::pull::{Standing, User, UserKind};
use crate::review::input::Merging;
use crate::submission::upstream::Upstream;

/// How a workspace is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Who is graded.
    pub learners: Learners,
    /// What a review tells the forge.
    pub verdicts: Verdicts,
    /// What a push is answered with that touches no task, not even nearly.
    pub untouched: Untouched,
    /// How long a passed pull request stays open; none leaves it open.
    pub close_after: Option<Duration>,
    /// Whether pull requests are labelled.
    pub labels: Labels,
    /// Where a clone gets the published workspace from.
    pub upstream: Upstream,
    /// What becomes of a pull request that passed.
    pub merging: Merging,
}

/// Who is graded; others get one polite refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learners {
    /// Everybody.
    Anyone,
    /// Whom the workspace's owner invited.
    Collaborators,
    /// Those on a list: logins in lower case, or numeric ids.
    Listed(Arc<BTreeSet<String>>),
}

/// What a review tells the forge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdicts {
    /// A comment; the verdict is in the commit status. Never in the way of a merge by accident.
    #[default]
    Comment,
    /// Approves what passed and requests changes of what did not.
    Decide,
}

/// What a push is answered with that touches no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untouched {
    /// A status: on a shared repository such a pull request is somebody's change to a page.
    Status,
    /// A review that says how to begin.
    Review,
}

/// Whether pull requests are labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// On change.
    Written,
    /// Never.
    None,
}

/// Whether somebody's pull requests are graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Graded and reviewed.
    Admitted,
    /// Gets a status, and no review: a program reads no reviews.
    Bot,
    /// Gets one polite refusal.
    Refused,
}

impl Policy {
    /// Of the embedded default: one's own machine.
    pub fn local() -> Self {
        Self {
            learners: Learners::Anyone,
            verdicts: Verdicts::Comment,
            untouched: Untouched::Review,
            close_after: None,
            labels: Labels::None,
            upstream: Upstream::local(),
            merging: Merging::Never,
        }
    }

    /// Of a workspace on a forge, when nothing else is said. `address` is where it is.
    pub fn forge(address: impl Into<String>) -> Self {
        Self {
            untouched: Untouched::Status,
            close_after: Some(Duration::from_secs(3 * 86_400)),
            labels: Labels::Written,
            upstream: Upstream::at(address),
            ..Self::local()
        }
    }

    /// Of a learner's own repository, where this is how the workspace is run: what passed is merged by the learner and never
    /// closed by us.
    pub fn in_fork(&self) -> Self {
        Self { close_after: None, merging: Merging::Deploys, ..self.clone() }
    }

    /// Whether the forge has to be asked how an author stands to the workspace.
    pub fn asks_standing(&self) -> bool {
        self.learners == Learners::Collaborators
    }

    /// Whether an author is graded. `standing` as asked when [`Policy::asks_standing`].
    pub fn admission(&self, author: &User, standing: Option<Standing>) -> Admission {
        if author.kind == UserKind::Bot {
            return Admission::Bot;
        }
        let admitted = match &self.learners {
            Learners::Anyone => true,
            Learners::Collaborators => standing.is_some_and(|standing| standing >= Standing::Collaborator),
            Learners::Listed(names) => {
                names.contains(&author.login.0.to_lowercase()) || names.contains(author.id.as_str())
            }
        };
        if admitted { Admission::Admitted } else { Admission::Refused }
    }
}

/// A policy that can be replaced while workers run.
#[derive(Debug, Clone)]
pub struct LivePolicy(Arc<RwLock<Arc<Policy>>>);

impl LivePolicy {
    /// Begins with this one.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(policy))))
    }

    /// The one in force.
    pub fn get(&self) -> Arc<Policy> {
        // Replaced in one step: a panic elsewhere leaves it whole.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the next look at a pull request on.
    pub fn set(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::Login;

    fn user(kind: UserKind) -> User {
        User { id: "4711".parse().unwrap(), login: Login("Ada".into()), kind }
    }

    fn admission(learners: Learners, standing: Option<Standing>) -> Admission {
        let policy = Policy { learners, ..Policy::local() };
        policy.admission(&user(UserKind::Person), standing)
    }

    #[test]
    fn who_is_graded_is_what_the_policy_says() {
        assert_eq!(admission(Learners::Anyone, None), Admission::Admitted);
        for (standing, expected) in [
            (None, Admission::Refused),
            (Some(Standing::Outsider), Admission::Refused),
            (Some(Standing::Collaborator), Admission::Admitted),
            (Some(Standing::Instructor), Admission::Admitted),
        ] {
            assert_eq!(admission(Learners::Collaborators, standing), expected);
        }
        for (name, expected) in [
            ("ada", Admission::Admitted),
            ("4711", Admission::Admitted),
            ("Ada", Admission::Refused),
            ("bob", Admission::Refused),
        ] {
            let listed = Learners::Listed(Arc::new(BTreeSet::from([name.to_owned()])));
            assert_eq!(admission(listed, None), expected, "{name}");
        }
    }

    #[test]
    fn a_program_is_never_reviewed() {
        assert_eq!(Policy::local().admission(&user(UserKind::Bot), None), Admission::Bot);
    }
}
