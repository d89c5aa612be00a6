//! The configuration as operators write it. Its JSON Schema comes from these types (`gradus schema config`); every
//! default stands in `example.yaml`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{PolicyConfig, PolicyOverrides};
use super::secret::SecretSource;
use super::span::Span;
use crate::course::id::{ClusterName, CourseId, ForgeName, ServerName};
use crate::course::kinds::{ApiVersion, ConfigKind};
use crate::forge::hint::RepositoryName;
use crate::submission::sha::{CommitId, TreeId};

/// gradus.yaml: what `gradus serve` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// `gradus.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Config`.
    pub kind: ConfigKind,
    /// Where learners' pull requests are.
    pub forges: Vec<ForgeConfig>,
    /// What is graded with.
    pub courses: Vec<CourseConfig>,
    /// The repositories that are served; no others ever are, but forks of them with `pullRequests: fork`.
    pub workspaces: Vec<WorkspaceConfig>,
    /// How workspaces are run, unless one says otherwise.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Seal the markers of reviews. The first seals, all are believed: put a new one in front, and take the old one out
    /// when no open pull request has a review sealed with it.
    #[serde(default = "default_keys")]
    pub keys: Vec<SecretSource>,
    /// Address and port of webhooks, health and metrics.
    #[serde(default = "default_listen", deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Where everything is kept that is not on a forge. Relative to this file.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// The database.
    #[serde(default)]
    pub store: StoreConfig,
    /// Where verdicts are kept.
    #[serde(default)]
    pub gradebook: GradebookConfig,
    /// The Argo CD that runs learners' environments.
    #[serde(default)]
    pub argocd: Option<ArgocdConfig>,
    /// When to look for what webhooks did not tell.
    #[serde(default)]
    pub sweep: SweepConfig,
    /// Bounds for requests and work.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Grade everything and print what would be written, and write nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// A forge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Forge")]
pub struct ForgeConfig {
    /// What workspaces call it.
    pub name: ForgeName,
    /// What it is.
    pub kind: ForgeKind,
    /// Where people find it, as in `https://git.example.org`. Only for `github` there is a default, `https://github.com`.
    #[serde(default)]
    pub address: Option<String>,
    /// Where its API is when it is not where this kind of forge has it.
    #[serde(default)]
    pub api: Option<String>,
    /// Who we are there.
    pub auth: Auth,
    /// What it tells us; without, only sweeps find pushes.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
    /// Where tokens may travel without TLS.
    #[serde(default)]
    pub plain_http: PlainHttp,
    /// How fast we write there, when not as its documentation advises.
    #[serde(default)]
    pub budget: BudgetConfig,
}

/// What a forge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ForgeKind {
    /// github.com or GitHub Enterprise Server.
    Github,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
}

impl ForgeKind {
    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            ForgeKind::Github => "GitHub",
            ForgeKind::Gitea => "Gitea",
            ForgeKind::Forgejo => "Forgejo",
        }
    }
}

/// Who we are on a forge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Auth {
    /// An access token of an account.
    Token(SecretSource),
    /// A GitHub App.
    App(AppConfig),
}

/// A GitHub App.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "App")]
pub struct AppConfig {
    /// The App's id, from its settings page.
    pub id: u64,
    /// The installation's id; without, it is asked for by repository.
    #[serde(default)]
    pub installation: Option<u64>,
    /// The App's private key, PEM.
    pub key: SecretSource,
}

/// What a forge tells us, and how we know that it is the forge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Webhook")]
pub struct WebhookConfig {
    /// Path of its address; by default `/webhooks/NAME` with the forge's name.
    #[serde(default)]
    pub path: Option<String>,
    /// Each is believed: put a new one beside the old one, change the forge, take the old one out.
    pub secrets: Vec<SecretSource>,
}

/// Where tokens may travel without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlainHttp {
    /// Within this machine.
    #[default]
    Loopback,
    /// Anywhere: for a forge behind a wall of your own.
    Allowed,
}

/// How fast we write. What is not said here is as the forge's documentation advises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct BudgetConfig {
    /// Most writes in a minute.
    #[serde(default)]
    pub per_minute: Option<u32>,
    /// Most writes in an hour.
    #[serde(default)]
    pub per_hour: Option<u32>,
    /// Shortest time between two writes.
    #[serde(default)]
    pub spacing: Option<Span>,
    /// Shortest time after a review or a comment, which people are told of.
    #[serde(default)]
    pub review_spacing: Option<Span>,
}

/// A course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ServedCourse")]
pub struct CourseConfig {
    /// Its id, as in its `course.yaml`.
    pub id: CourseId,
    /// Where its files come from.
    pub source: CourseSource,
    /// Git's hash of its directory, as `gradus lint` shows it; a course of another revision is refused.
    #[serde(default)]
    pub revision: Option<TreeId>,
    /// Serve it although it says `draft: true`.
    #[serde(default)]
    pub allow_draft: bool,
}

/// Where a course's files come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CourseSource {
    /// A directory, read when the configuration is. Relative to this file.
    Dir(PathBuf),
    /// A commit of a repository.
    Git(GitSource),
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitSource {
    /// `https://…`, or a path on this machine; `ssh` is not spoken.
    pub address: String,
    /// The commit, all 40 digits; never a branch, which others can move.
    pub commit: CommitId,
    /// The course's directory in it, as in `courses/cnpe`; by default the top.
    #[serde(default)]
    pub path: String,
    /// For a repository that is not open to everybody.
    #[serde(default)]
    pub token: Option<SecretSource>,
}

/// A repository that is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ServedWorkspace")]
pub struct WorkspaceConfig {
    /// On which forge.
    pub forge: ForgeName,
    /// Which one, as in `acme/cnpe`.
    pub repository: RepositoryName,
    /// What its pull requests are graded with.
    pub course: CourseId,
    /// What is different from `policy` here.
    #[serde(default)]
    pub policy: PolicyOverrides,
}

/// The database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Store")]
pub struct StoreConfig {
    /// The file; by default `gradus.db` in the data directory. Two daemons may share it on one machine, never over a
    /// network file system. Relative to this file.
    #[serde(default)]
    pub path: Option<PathBuf>,
}

/// Where verdicts are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Gradebook")]
pub enum GradebookConfig {
    /// `gradebook` in the data directory.
    #[default]
    Local,
    /// A directory. Relative to this file.
    Dir(PathBuf),
    /// A private repository of its own.
    Git(GradebookGit),
}

/// A private repository with a branch that only we write to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GradebookGit {
    /// `https://…`, or the path of a bare repository on this machine; `ssh` is not spoken.
    pub address: String,
    /// May read and write there.
    #[serde(default)]
    pub token: Option<SecretSource>,
    /// The branch.
    #[serde(default = "main_branch")]
    pub branch: String,
}

/// The Argo CD that runs learners' environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Argocd")]
pub struct ArgocdConfig {
    /// What its ApplicationSet controller shows when it asks for the list of environments.
    pub token: SecretSource,
    /// Leads to its API server; without, that of the cluster that we run in. Relative to this file.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// Its namespace.
    #[serde(default = "argocd_namespace")]
    pub namespace: String,
    /// The ApplicationSet that asks for the list of environments.
    #[serde(default = "application_set")]
    pub application_set: String,
    /// Where learners' namespaces are; without, no task of the tier `namespace` is judged live.
    #[serde(default)]
    pub namespaces: Option<NamespacesConfig>,
    /// API servers of learners' own, as processes beside the daemon; without, no task of the tier `controlPlane` is judged
    /// live.
    #[serde(default)]
    pub control_planes: Option<ControlPlanesConfig>,
    /// Clusters that somebody else runs, each for one environment at a time; without, no task of the tier `external` is judged
    /// live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalConfig>,
    /// Servers of yours that tasks may ask about environments with GET, by name; without, no checkpoint that asks an `address` is
    /// judged live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressConfig>,
    /// How long a commit gets from being offered to being proven to run.
    #[serde(default = "patience")]
    pub patience: Span,
}

/// A server that tasks may ask about environments, as a Prometheus that watches them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Address")]
pub struct AddressConfig {
    /// What tasks call it.
    pub name: ServerName,
    /// Where it is, as in `https://prometheus.example.org`. Nothing is asked that is not below it.
    pub url: String,
    /// Shown there as a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretSource>,
    /// Where the token may travel without TLS. Without a token plain HTTP needs no permission.
    #[serde(default)]
    pub plain_http: PlainHttp,
}

/// The cluster whose namespaces are lent to learners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Namespaces")]
pub struct NamespacesConfig {
    /// What Argo CD calls it: the one that Argo CD runs in, unless another one is registered there.
    #[serde(default = "own_cluster")]
    pub server: String,
    /// Leads to it; without, as Argo CD's. Relative to this file.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
}

/// A cluster that somebody else runs, for environments and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "External")]
pub struct ExternalConfig {
    /// Written on the AppProject of whoever holds it.
    pub name: ClusterName,
    /// Leads to it, with all rights there. Relative to this file.
    pub kubeconfig: PathBuf,
    /// What Argo CD calls it: you register it there yourself.
    pub server: String,
}

/// API servers of learners' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ControlPlanes")]
pub struct ControlPlanesConfig {
    /// How many may run at once; count 500 MiB of memory for each.
    pub limit: usize,
    /// How many of them run in advance.
    #[serde(default)]
    pub warm: usize,
}

/// When to look for what webhooks did not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Sweep")]
pub struct SweepConfig {
    /// Time between two looks at what changed lately; up to a tenth more, so that daemons do not look all at once. Many
    /// forks are looked at less often.
    pub recent: Span,
    /// How much further back than the last look each one reaches: clocks differ and lists lag.
    pub overlap: Span,
    /// Time between two comparisons of everything, both ways.
    pub full: Span,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self { recent: Span::seconds(60), overlap: Span::seconds(120), full: Span::seconds(3600) }
    }
}

/// Bounds for requests and work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
pub struct LimitsConfig {
    /// Largest webhook in bytes. Title, text and comment of a pull request come to at most about 1 MB; forges send up to
    /// 25 MB, for events that we do not ask for.
    pub webhook_bytes: usize,
    /// Webhooks that are taken at once; more are told to come back (503).
    pub webhooks_at_once: usize,
    /// Longest time for a request's head, and for its body.
    pub request_time: Span,
    /// Gradings at once, of all workspaces together; by default as many as there are processors.
    pub workers: Option<usize>,
    /// How long a stop waits for what is under way.
    pub drain: Span,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            webhook_bytes: 2 << 20,
            webhooks_at_once: 64,
            request_time: Span::seconds(10),
            workers: None,
            drain: Span::seconds(25),
        }
    }
}

fn argocd_namespace() -> String {
    "argocd".to_owned()
}

fn application_set() -> String {
    "gradus-environments".to_owned()
}

fn own_cluster() -> String {
    "https://kubernetes.default.svc".to_owned()
}

fn patience() -> Span {
    Span(crate::reconcile::live::PATIENCE)
}

fn default_keys() -> Vec<SecretSource> {
    vec![SecretSource::Env("GRADUS_KEY".to_owned())]
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 7431))
}

fn listen<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    super::address::address(&String::deserialize(deserializer)?, default_listen()).map_err(serde::de::Error::custom)
}

fn default_data() -> PathBuf {
    PathBuf::from("data")
}

fn main_branch() -> String {
    "main".to_owned()
}
