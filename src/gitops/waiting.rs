//! Why the gate is not open yet, and what can be done meanwhile.

use std::fmt;

use super::application::Condition;
use super::failure::{Failure, cut};
use super::object::Object;
use crate::checkpoint::outcome::Blame;

/// How Argo CD begins to say which objects an operation waits for.
pub(super) const WAITS_FOR_HEALTH: &str = "waiting for healthy state of ";

/// Why the gate is not open yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// There is no Application yet.
    NotThere,
    /// What was read is not an Application as we know it.
    Unreadable(String),
    /// The Application still asks for another commit.
    NotOffered(String),
    /// The controller was asked to look and has not.
    NotRefreshed,
    /// The commit is being applied; objects that are not healthy may be what it waits for.
    Applying {
        /// In Argo CD's words.
        message: String,
        /// What is not healthy, with its words.
        unhealthy: Vec<(Object, String)>,
    },
    /// Another commit is being applied, or nobody knows which.
    ApplyingAnother,
    /// A try failed; the next one follows.
    Retrying(Failure),
    /// The last comparison is of something else.
    NotCompared,
    /// The commit cannot be compared, and that is not known to lie in the files.
    Incomparable(Failure),
    /// The last comparison found differences.
    Differs(Vec<Object>),
    /// The commit was applied, and the cluster was changed since by something that Argo CD leaves alone.
    Drifted(Vec<Object>),
    /// The comparison gave no answer.
    NoAnswer,
    /// The last operation is of another commit, and no comparison is younger than what was asked.
    NotApplied,
    /// Nothing was to be done for the commit, and Argo CD has to have tried it.
    Untried,
    /// The last operation applied manifests that are in no commit.
    LocalManifests,
    /// No comparison is younger than the last operation.
    Stale,
    /// Argo CD will not deal with the Application as it stands.
    Refused(Failure),
    /// Argo CD says that something is wrong.
    Condition(Condition),
    /// An object that counts is not as the commit says.
    NotAsCommitted(Object),
    /// An object that counts is there and belongs to no Application, or to another one.
    Untracked(Object),
}

/// What can be done so that the wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// Ask for a comparison while an operation runs: a controller that was started again in the middle of one may not look at
    /// it until something concerns the Application (seen with 3.6.1).
    Wake,
    /// Ask for a comparison.
    Refresh,
    /// Ask for one that writes its time even where nothing changed.
    HardRefresh,
    /// Stop the operation: a newer commit waits behind it.
    Stop,
    /// Start a sync of the commit: Argo CD will not by itself.
    Sync,
}

impl Waiting {
    /// What to do meanwhile; nothing where it will come by itself.
    pub fn nudge(&self) -> Option<Nudge> {
        match self {
            Self::NotCompared | Self::NotApplied | Self::NoAnswer | Self::Untracked(_) | Self::NotAsCommitted(_) => {
                Some(Nudge::Refresh)
            }
            Self::Stale | Self::Incomparable(_) | Self::Refused(_) => Some(Nudge::HardRefresh),
            Self::Applying { .. } => Some(Nudge::Wake),
            Self::ApplyingAnother => Some(Nudge::Stop),
            Self::LocalManifests | Self::Drifted(_) | Self::Untried => Some(Nudge::Sync),
            Self::NotThere
            | Self::Unreadable(_)
            | Self::NotOffered(_)
            | Self::NotRefreshed
            | Self::Retrying(_)
            | Self::Differs(_)
            | Self::Condition(_) => None,
        }
    }

    /// Whose matter it is when it never ends.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Applying { message, unhealthy } if message.starts_with(WAITS_FOR_HEALTH) && !unhealthy.is_empty() => {
                Blame::NotHealthy
            }
            Self::Retrying(failure) | Self::Incomparable(failure) => failure.blame,
            _ => Blame::Ours,
        }
    }
}

/// One sentence for the learner, without a full stop.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("the environment has no Application yet"),
            Self::Unreadable(problem) => write!(f, "the state of Argo CD cannot be read: {}", cut(problem)),
            Self::NotOffered(other) => write!(f, "Argo CD still asks for `{}`, not for this commit", cut(other)),
            Self::NotRefreshed => f.write_str("Argo CD was asked to look again and has not yet"),
            Self::Applying { message, unhealthy } => {
                f.write_str("Argo CD is applying this commit")?;
                if !message.is_empty() {
                    write!(f, " ({})", cut(message))?;
                }
                let shown = |(object, words): &(Object, String)| format!("; {object} is {}", cut(words));
                f.write_str(&unhealthy.iter().take(5).map(shown).collect::<String>())
            }
            Self::ApplyingAnother => f.write_str("Argo CD is still applying another commit"),
            Self::Retrying(failure) => write!(f, "applying this commit failed and is tried again: {failure}"),
            Self::NotCompared => f.write_str("Argo CD has not compared the cluster with this commit yet"),
            Self::Incomparable(failure) => write!(f, "Argo CD cannot compare the cluster with this commit: {failure}"),
            Self::Differs(objects) | Self::Drifted(objects) => {
                f.write_str("the cluster is not as this commit says")?;
                let named: Vec<_> = objects.iter().take(5).map(Object::to_string).collect();
                if named.is_empty() { Ok(()) } else { write!(f, ": {}", named.join(", ")) }
            }
            Self::NoAnswer => f.write_str("Argo CD does not know whether the cluster is as this commit says"),
            Self::NotApplied => f.write_str("Argo CD has not said yet whether this commit has to be applied"),
            Self::Untried => f.write_str("Argo CD has not tried this commit, which changes nothing"),
            Self::LocalManifests => f.write_str("somebody applied manifests that are in no commit"),
            Self::Stale => f.write_str("Argo CD has not looked at the cluster since it applied this commit"),
            Self::Refused(failure) => write!(f, "Argo CD will not deal with the environment: {failure}"),
            Self::Condition(condition) => {
                write!(f, "Argo CD says {}: {}", cut(&condition.kind), cut(&condition.message))
            }
            Self::NotAsCommitted(object) => write!(f, "{object} is not as this commit says"),
            Self::Untracked(object) => write!(f, "{object} does not belong to the environment's Application"),
        }
    }
}
