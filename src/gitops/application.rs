//! One read of an Argo CD Application (3.x), as typed data.
//!
//! Fields that we do not know are left alone, and new values of the enums are `Other`, which never opens a gate. A field of
//! another type than expected makes the read unreadable: taken for absent, a condition could go unseen.

use chrono::DateTime;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::object::Object;
use crate::store::time::Time;

/// An Application, as far as the gate looks at it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Application {
    /// Who it is.
    pub metadata: Metadata,
    /// What it should do.
    pub spec: Spec,
    /// The operation that was asked for and is not over; its content is the controller's.
    #[serde(default)]
    pub operation: Option<Value>,
    /// What the controller saw and did; empty before its first look.
    #[serde(default, deserialize_with = "or_default")]
    pub status: Status,
}

/// The read is not an Application as we know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{path}` of the Application cannot be read: {problem}. Does this Argo CD have a version that docs/argocd.md names?"
)]
pub struct Unreadable {
    /// Where, as in `status.sync.status`.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl Application {
    /// Reads what the API server gave.
    pub fn read(read: &Value) -> Result<Self, Unreadable> {
        serde_path_to_error::deserialize(read)
            .map_err(|error| Unreadable { path: error.path().to_string(), problem: error.inner().to_string() })
    }

    /// The annotation of this key.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.get(key)?.as_str()
    }
}

/// Who an Application is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Where it stands.
    #[serde(default)]
    pub namespace: String,
    /// Which one of all that ever had this name.
    pub uid: String,
    /// Counts up with every write, the status included: it tells nothing about the spec.
    #[serde(default)]
    pub generation: i64,
    /// Which read this is.
    #[serde(default)]
    pub resource_version: String,
    /// Set while it is being deleted, whatever it holds.
    #[serde(default)]
    pub deletion_timestamp: Option<Value>,
    /// Its labels.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: serde_json::Map<String, Value>,
    /// Its annotations, among them the requests to the controller.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: serde_json::Map<String, Value>,
}

/// What an Application should do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The AppProject.
    #[serde(default)]
    pub project: String,
    #[serde(default)]
    source: Option<Source>,
    #[serde(default, deserialize_with = "or_default")]
    sources: Vec<Source>,
    /// Set where a commit is rendered into another branch first; never by us.
    #[serde(default)]
    pub source_hydrator: Option<Value>,
    /// Where the objects go.
    pub destination: Destination,
    /// How it syncs; ours to set, not looked at by the gate.
    #[serde(default)]
    pub sync_policy: Option<Value>,
}

impl Spec {
    /// What counts: `source` is ignored as soon as `sources` holds something.
    pub fn sources(&self) -> &[Source] {
        several(&self.sources, self.source.as_ref())
    }
}

/// Where manifests come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// The repository.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// The directory in it.
    pub path: String,
    /// What was asked for: for us always a full commit id.
    pub target_revision: String,
}

/// Where the objects go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// The API server's address; or a name.
    pub server: String,
    /// The cluster's name in Argo CD; or an address.
    pub name: String,
    /// The namespace of objects that name none.
    pub namespace: String,
}

/// What the controller saw and did.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The last comparison.
    #[serde(deserialize_with = "or_default")]
    pub sync: Sync,
    /// Of everything together.
    #[serde(deserialize_with = "or_default")]
    pub health: Health,
    /// What is wrong, by the last comparison.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
    /// The last operation, or the one that runs.
    pub operation_state: Option<OperationState>,
    /// When the last full comparison was written.
    #[serde(deserialize_with = "moment")]
    pub reconciled_at: Option<Time>,
    /// Kept by old versions; nothing follows from it.
    #[serde(deserialize_with = "moment")]
    pub observed_at: Option<Time>,
    /// The objects of the last comparison.
    #[serde(deserialize_with = "or_default")]
    pub resources: Vec<Resource>,
}

/// A comparison of commit and live state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sync {
    /// What it gave.
    #[serde(deserialize_with = "or_default")]
    pub status: SyncStatus,
    /// What was compared.
    #[serde(deserialize_with = "or_default")]
    pub compared_to: ComparedTo,
    revision: String,
    #[serde(deserialize_with = "or_default")]
    revisions: Vec<String>,
}

impl Sync {
    /// The commits that were compared, one per source. A full id is echoed here even where no manifest could be made.
    pub fn revisions(&self) -> Vec<&str> {
        revisions(&self.revisions, &self.revision)
    }
}

/// What a comparison gave, or how an object stands in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum SyncStatus {
    /// As the commit says.
    Synced,
    /// Not as the commit says.
    OutOfSync,
    /// Nobody knows, or a word that we do not.
    #[default]
    #[serde(other)]
    Other,
}

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ComparedTo {
    source: Option<Source>,
    #[serde(deserialize_with = "or_default")]
    sources: Vec<Source>,
    /// With what.
    #[serde(deserialize_with = "or_default")]
    pub destination: Destination,
}

impl ComparedTo {
    /// One or more sources, as in [`Spec::sources`].
    pub fn sources(&self) -> &[Source] {
        several(&self.sources, self.source.as_ref())
    }
}

/// How well something is; a word of Argo CD or of a health script.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended`, `Missing`, …
    pub status: String,
    /// Why.
    pub message: String,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Condition {
    /// `ComparisonError`, `SyncError`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// In Argo CD's words.
    #[serde(default)]
    pub message: String,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationState {
    /// How far it is.
    #[serde(default)]
    pub phase: Phase,
    /// In Argo CD's words.
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    operation: Operation,
    /// What it did to which commit; absent before it began to.
    #[serde(default)]
    pub sync_result: Option<SyncResult>,
    /// When it began.
    #[serde(default, deserialize_with = "moment")]
    pub started_at: Option<Time>,
    /// When it ended; while it runs, when the last try ended.
    #[serde(default, deserialize_with = "moment")]
    pub finished_at: Option<Time>,
}

impl OperationState {
    /// The commits it applies or applied, one per source; none where it does not say.
    pub fn revisions(&self) -> Vec<&str> {
        match (&self.sync_result, &self.operation.sync) {
            (Some(result), _) => revisions(&result.revisions, &result.revision),
            (None, Some(asked)) => revisions(&asked.revisions, &asked.revision),
            (None, None) => Vec::new(),
        }
    }

    /// What it takes the manifests from, and whether it writes.
    pub fn mode(&self) -> Mode {
        match &self.operation.sync {
            Some(sync) if !sync.manifests.is_empty() => Mode::LocalManifests,
            Some(sync) if sync.dry_run => Mode::DryRun,
            _ => Mode::Commit,
        }
    }
}

/// What an operation takes manifests from, and whether it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It applies a commit.
    Commit,
    /// It writes nothing.
    DryRun,
    /// It applies what somebody handed over, under the name of a commit. Comparisons after it use that, too.
    LocalManifests,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Phase {
    /// It runs, or waits for its next try.
    Running,
    /// It is being stopped.
    Terminating,
    /// Everything was applied.
    Succeeded,
    /// Something was refused.
    Failed,
    /// The controller could not.
    Error,
    /// A word that we do not know.
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Operation {
    sync: Option<SyncOperation>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SyncOperation {
    revision: String,
    #[serde(deserialize_with = "or_default")]
    revisions: Vec<String>,
    dry_run: bool,
    #[serde(deserialize_with = "or_default")]
    manifests: Vec<String>,
}

/// What an operation did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncResult {
    revision: String,
    #[serde(deserialize_with = "or_default")]
    revisions: Vec<String>,
    /// Object by object.
    #[serde(deserialize_with = "or_default")]
    pub resources: Vec<ResourceResult>,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceResult {
    /// Which one.
    #[serde(flatten)]
    pub object: Object,
    /// `Synced`, `SyncFailed`, `Pruned`, `PruneSkipped`; none for hooks.
    #[serde(default)]
    pub status: String,
    /// Of a hook.
    #[serde(default)]
    pub hook_phase: Option<Phase>,
    /// The API server's words, or Argo CD's.
    #[serde(default)]
    pub message: String,
}

/// An object of the last comparison.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Which one.
    #[serde(flatten)]
    pub object: Object,
    /// How it stands.
    #[serde(default)]
    pub status: SyncStatus,
    /// How well it is, where somebody knows.
    #[serde(default)]
    pub health: Option<Health>,
    /// It is there and not in the commit.
    #[serde(default)]
    pub requires_pruning: bool,
}

fn several<'a>(many: &'a [Source], one: Option<&'a Source>) -> &'a [Source] {
    if many.is_empty() { one.map_or(&[], std::slice::from_ref) } else { many }
}

fn revisions<'a>(many: &'a [String], one: &'a str) -> Vec<&'a str> {
    match (many, one) {
        ([], "") => Vec::new(),
        ([], one) => vec![one],
        (many, _) => many.iter().map(String::as_str).collect(),
    }
}

/// `null` is what is not there.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let at = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
    Ok(Some(Time(at.timestamp_millis())))
}
