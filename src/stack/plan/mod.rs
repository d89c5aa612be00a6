//! What a stack consists of, as data: files to write, commands to run, processes to start, in order. Pure.

mod argocd;
mod cluster;
pub(crate) mod etcd;
mod gitea;
pub(crate) mod nodes;
pub(crate) mod plane;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::etcd::EtcdPorts;
use super::keys::{Keys, Pair};
use super::name::Name;
use super::part::{Optional, Part};
use super::ports;
use super::probe::Probe;
use super::programs::Programs;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Which stack.
    pub name: Name,
    /// The directory of all stacks; this one's is below it, named after it.
    pub data: PathBuf,
    /// What to leave out.
    pub without: BTreeSet<Optional>,
}

impl Spec {
    /// The directory of this stack: everything of it, nothing else.
    pub fn dir(&self) -> PathBuf {
        self.data.join(self.name.as_str())
    }

    /// Whether a part is to run.
    pub fn has(&self, part: Part) -> bool {
        part.optional().is_none_or(|optional| !self.without.contains(&optional))
    }
}

/// A port for whatever listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    etcd: EtcdPorts,
    api: u16,
    controllers: u16,
    scheduler: u16,
    kwok: u16,
    redis: u16,
    repo_server: u16,
    repo_metrics: u16,
    application_metrics: u16,
    applicationset_metrics: u16,
    applicationset_probe: u16,
    applicationset_webhook: u16,
    gitea: u16,
}

impl Ports {
    /// Free ones.
    pub(super) fn find() -> std::io::Result<Self> {
        Ok(Self::of(ports::free()?))
    }

    fn of(ports: [u16; 15]) -> Self {
        let [client, peer, metrics, api, controllers, scheduler, kwok, redis, repo_server, ..] = ports;
        let [.., repo_metrics, application_metrics, applicationset_metrics, applicationset_probe, webhook, gitea] =
            ports;
        Self {
            etcd: EtcdPorts { client, peer, metrics },
            api,
            controllers,
            scheduler,
            kwok,
            redis,
            repo_server,
            repo_metrics,
            application_metrics,
            applicationset_metrics,
            applicationset_probe,
            applicationset_webhook: webhook,
            gitea,
        }
    }
}

/// A stack to be.
#[derive(Debug)]
pub struct Plan {
    /// Which.
    pub name: Name,
    /// Its directory.
    pub dir: PathBuf,
    /// Written before anything runs.
    pub(super) files: Vec<File>,
    /// In this order.
    pub(super) steps: Vec<Step>,
    /// Where it will be found.
    pub endpoints: Endpoints,
}

/// Where a stack is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// For kubectl and every other client: administrator of the cluster, namespace `argocd`.
    pub kubeconfig: PathBuf,
    /// The kubectl of the same version.
    pub kubectl: PathBuf,
    /// The API server.
    pub api: String,
    /// None where it was left out.
    pub argocd: Option<ArgocdAt>,
    /// None where it was left out.
    pub gitea: Option<GiteaAt>,
}

/// Argo CD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgocdAt {
    /// Where it looks for Applications.
    pub namespace: String,
    /// Where its ApplicationSet controller takes webhooks.
    pub webhook: String,
}

/// Gitea.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiteaAt {
    /// As in `http://127.0.0.1:4711`.
    pub address: String,
    /// Its administrator.
    pub user: String,
    /// The file with a token of the administrator, which Git takes as password too.
    pub token: PathBuf,
}

/// A file of a stack, readable only by its owner.
pub(crate) struct File {
    /// Below the stack's directory.
    pub path: PathBuf,
    /// May be a secret.
    pub content: String,
}

impl File {
    pub(super) fn new(path: &str, content: &str) -> Self {
        Self { path: path.into(), content: content.to_owned() }
    }
}

/// Files of certificates and their keys.
fn pairs(pairs: &[(&str, &Pair)]) -> Vec<File> {
    let files = |(name, pair): &(&str, &Pair)| {
        [File::new(&format!("pki/{name}.crt"), &pair.certificate), File::new(&format!("pki/{name}.key"), &pair.key)]
    };
    pairs.iter().flat_map(files).collect()
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.path).finish()
    }
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    /// Make an empty directory.
    Dir(PathBuf),
    /// Run to the end.
    Run(Command),
    /// Start, and go on.
    Start(Process),
    /// Wait until these are healthy.
    Await(Vec<Part>),
}

/// A program that ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// What it does, for people.
    pub says: &'static str,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, OsString)>,
    /// Where to put the token that it prints.
    pub token: Option<PathBuf>,
    pub failing: Failing,
    pub within: Duration,
}

/// What it means when a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// It is over.
    Final,
    /// Something is not there yet: it is run again while there is time.
    Again,
}

/// A part to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub part: Part,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, OsString)>,
    /// Healthy when this says so.
    pub ready: Probe,
    /// How long that may take on a machine that has other things to do.
    pub within: Duration,
    /// Where it listens, for people.
    pub address: String,
}

/// Builds arguments of programs.
#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn new(args: &[&str]) -> Self {
        Self(args.iter().map(OsString::from).collect())
    }

    /// Adds `--NAME=VALUE`.
    fn flag(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let mut arg = OsString::from(format!("--{name}="));
        arg.push(value);
        self.0.push(arg);
        self
    }
}

/// What all parts of a plan are made of.
struct Site<'a> {
    spec: &'a Spec,
    dir: PathBuf,
    ports: Ports,
    programs: &'a Programs,
    keys: &'a Keys,
}

impl Site<'_> {
    fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    fn env(&self, home: &str) -> Vec<(&'static str, OsString)> {
        env(&self.dir, self.programs, home)
    }

    fn kubectl(&self, says: &'static str, args: Args, failing: Failing) -> Step {
        Step::Run(Command {
            says,
            program: self.programs.kubernetes.join("kubectl"),
            args: args.flag("kubeconfig", self.kubeconfig()).0,
            env: self.env("tmp"),
            token: None,
            failing,
            within: Duration::from_secs(60),
        })
    }
}

/// The environment of every process: nothing of ours but where programs are.
fn env(dir: &Path, programs: &Programs, home: &str) -> Vec<(&'static str, OsString)> {
    vec![("PATH", OsString::from(&programs.path)), ("HOME", dir.join(home).into()), ("TMPDIR", dir.join("tmp").into())]
}

/// `127.0.0.1:PORT`.
fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl Plan {
    /// A plan with free ports and fresh keys.
    pub(super) fn new(spec: &Spec, programs: &Programs, ports: Ports, keys: &Keys) -> Self {
        let site = Site { spec, dir: spec.dir(), ports, programs, keys };
        let etcd = cluster::etcd(&site);
        let at = etcd.at();
        let plane = cluster::control_plane(&site, &at);
        let mut files = cluster::files(&site);
        let mut steps = vec![Step::Dir("tmp".into()), Step::Dir("logs".into()), Step::Start(etcd.process())];
        if spec.has(Part::Redis) {
            files.extend(argocd::files(&site));
            steps.extend(argocd::dirs());
            steps.push(Step::Start(argocd::redis(&site)));
        }
        steps.push(Step::Await(vec![Part::Etcd]));
        steps.push(Step::Start(plane.apiserver()));
        // While the API server starts, which takes longest.
        if spec.has(Part::Gitea) {
            files.extend(gitea::files(&site));
            steps.extend(gitea::steps(&site));
        }
        steps.push(Step::Await(vec![Part::KubeApiserver]));
        steps.push(Step::Start(plane.controller_manager()));
        if spec.has(Part::Kwok) {
            steps.push(Step::Start(plane.scheduler(site.ports.scheduler)));
            steps.push(Step::Start(plane.kwok(site.ports.kwok)));
        }
        if spec.has(Part::Redis) {
            steps.push(Step::Await(vec![Part::Redis]));
            steps.extend(argocd::steps(&site));
        }
        if spec.has(Part::Kwok) {
            steps.push(cluster::node(&site));
        }
        steps.push(Step::Await(Part::ALL.into_iter().filter(|part| spec.has(*part)).collect()));
        let endpoints = Endpoints {
            kubeconfig: site.kubeconfig(),
            kubectl: programs.kubernetes.join("kubectl"),
            api: cluster::address(&site),
            argocd: spec.has(Part::Redis).then(|| argocd::endpoint(&site)),
            gitea: spec.has(Part::Gitea).then(|| gitea::endpoint(&site)),
        };
        Self { name: spec.name.clone(), dir: site.dir.clone(), files, steps, endpoints }
    }
}

/// The longest path that a socket may have, less what Argo CD adds below the directory that it is told.
const MAX_SOCKET: usize = 100;

/// Whether sockets below this directory can be made.
pub(super) fn short_enough(dir: &Path) -> bool {
    dir.join(argocd::SOCKET).as_os_str().len() <= MAX_SOCKET
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(without: &[Optional]) -> Spec {
        Spec { name: "one".parse().unwrap(), data: "/data".into(), without: without.iter().copied().collect() }
    }

    fn plan(without: &[Optional]) -> Plan {
        let programs = Programs {
            etcd: "/c/etcd".into(),
            kubernetes: "/c/kubernetes".into(),
            argocd: "/c/argocd".into(),
            kwok: "/c/kwok".into(),
            gitea: "/c/gitea".into(),
            redis: "/usr/bin/redis-server".into(),
            path: "/usr/bin:/bin".to_owned(),
        };
        Plan::new(&spec(without), &programs, Ports::of(std::array::from_fn(|index| 2000 + index as u16)), &Keys::fake())
    }

    fn processes(plan: &Plan) -> impl Iterator<Item = &Process> {
        plan.steps.iter().filter_map(|step| match step {
            Step::Start(process) => Some(process),
            Step::Dir(_) | Step::Run(_) | Step::Await(_) => None,
        })
    }

    fn parts(plan: &Plan) -> BTreeSet<Part> {
        processes(plan).map(|process| process.part).collect()
    }

    #[test]
    fn a_plan_starts_every_part_once_and_waits_for_each() {
        let plan = plan(&[]);
        assert_eq!(processes(&plan).count(), Part::ALL.len());
        assert_eq!(parts(&plan), Part::ALL.into());
        let Some(Step::Await(last)) = plan.steps.last() else { panic!("{:?}", plan.steps.last()) };
        assert_eq!(*last, Part::ALL);
    }

    #[test]
    fn what_is_left_out_is_neither_started_nor_awaited_nor_promised() {
        let plan = plan(&[Optional::Argocd, Optional::Gitea, Optional::Pods]);
        let rest = [Part::Etcd, Part::KubeApiserver, Part::KubeControllerManager];
        assert_eq!(parts(&plan), rest.into());
        assert!(matches!(plan.steps.last(), Some(Step::Await(last)) if *last == rest));
        assert_eq!((plan.endpoints.argocd, plan.endpoints.gitea), (None, None));
        assert!(plan.files.iter().all(|file| !file.path.starts_with("argocd") && !file.path.starts_with("gitea")));
    }

    #[test]
    fn nobody_is_awaited_before_being_started() {
        let plan = plan(&[]);
        let mut started = BTreeSet::new();
        for step in &plan.steps {
            match step {
                Step::Start(process) => assert!(started.insert(process.part)),
                Step::Await(parts) => assert!(parts.iter().all(|part| started.contains(part)), "{parts:?}"),
                Step::Dir(_) | Step::Run(_) => {}
            }
        }
    }

    /// All arguments and variables of all processes and commands.
    fn words(plan: &Plan) -> Vec<String> {
        let of = |args: &[OsString], env: &[(&'static str, OsString)]| {
            let all = args.iter().chain(env.iter().map(|(_, value)| value));
            all.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        plan.steps
            .iter()
            .flat_map(|step| match step {
                Step::Start(process) => of(&process.args, &process.env),
                Step::Run(command) => of(&command.args, &command.env),
                Step::Dir(_) | Step::Await(_) => Vec::new(),
            })
            .collect()
    }

    #[test]
    fn no_secret_is_in_an_argument_a_variable_or_debug() {
        let plan = plan(&[]);
        assert!(plan.files.iter().any(|file| file.content.contains("SECRET")));
        for word in words(&plan).iter().chain([&format!("{plan:?}")]) {
            assert!(!word.contains("SECRET"), "{word}");
        }
    }

    #[test]
    fn every_part_writes_below_the_directory_of_its_stack() {
        for word in words(&plan(&[])) {
            let path = word.split_once('=').map_or(word.as_str(), |(_, path)| path);
            // Several directories in one.
            for path in path.split(':').filter(|path| path.starts_with('/') && !path.starts_with("//")) {
                // The last is a prefix of keys in etcd.
                let known = ["/data/one", "/c/", "/usr/bin", "/bin", "/main"];
                assert!(known.iter().any(|known| path.starts_with(known)), "{word}");
            }
        }
    }

    #[test]
    fn a_machine_without_network_has_all_that_the_api_server_asks_for() {
        // Without it the server ends when it finds no default route.
        assert!(words(&plan(&[])).contains(&"--advertise-address=127.0.0.1".to_owned()));
    }

    #[test]
    fn every_listener_is_on_loopback_but_the_one_that_has_no_flag_for_it() {
        for word in words(&plan(&[])) {
            for everywhere in ["=0.0.0.0", "//0.0.0.0", "=:", "//:"] {
                assert!(!word.contains(everywhere), "{word}");
            }
        }
    }

    #[test]
    fn a_directory_too_deep_for_sockets_is_found_out_before() {
        assert!(short_enough(Path::new("/home/somebody/.local/share/gradus/stacks/default")));
        assert!(!short_enough(&Path::new("/home").join("x".repeat(90))));
    }
}
