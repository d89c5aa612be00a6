//! What was seen in a learner's environment: the only thing of a cluster that a checkpoint may look at. Plain data, so that
//! it is judged in the sandbox like files, and can be judged again later without a cluster.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The objects of one read of an environment that is proven to run the submission's commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// In no order that means anything.
    pub objects: Vec<Seen>,
}

/// An object as the API server gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Whole, with `metadata` and `status`.
    pub object: Value,
    /// Who made it.
    pub maker: Maker,
}

/// Who made an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Maker {
    /// The learner's Application tracks it: it comes from the commit.
    Commit,
    /// A controller made it for an object that comes from the commit, as a ReplicaSet of a Deployment.
    Controller,
    /// Nothing of the commit: made by hand, or by somebody else. Does not count.
    Somebody,
}
