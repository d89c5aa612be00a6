//! What a configuration asks for, workspace by workspace. Pure: two plans tell what has to be started anew.

use std::collections::BTreeMap;

use crate::config::Loaded;
use crate::config::kinds::{Auth, Config, CourseConfig, CourseSource, ForgeConfig, SweepConfig};
use crate::config::policy::PullRequests;
use crate::config::secret::{Secret, SecretSource};
use crate::course::id::ForgeName;
use crate::forge::forks::{Fork, RepositoryId};
use crate::forge::hint::RepositoryName;
use crate::reconcile::policy::Policy;

/// A workspace among all of a configuration.
pub type WorkspaceId = (ForgeName, RepositoryName);

/// A workspace with everything that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What cannot change while its workers run.
    pub works: Works,
    /// How it is run.
    pub policy: Policy,
    /// Whether learners' forks of it are served too.
    pub forks: Served,
}

/// Whether learners' forks of a workspace are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The workspace alone.
    No,
    /// Every fork that the forge lists.
    Yes,
}

impl Plan {
    /// That of a fork of this workspace.
    pub fn of_fork(&self, fork: &Fork) -> Self {
        let mut works = Works {
            repository: fork.repository.clone(),
            fork: Some(ForkOf { upstream: self.works.repository.clone(), id: fork.id }),
            ..self.works.clone()
        };
        if let Auth::App(app) = &mut works.forge.auth {
            // That of the workspace's owner; learners install it themselves.
            app.installation = None;
        }
        Self { works, policy: self.policy.in_fork(), forks: Served::No }
    }
}

/// A repository of a learner's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkOf {
    /// Forked from this workspace.
    pub upstream: RepositoryName,
    /// The forge's number of it.
    pub id: RepositoryId,
}

/// What a workspace's workers are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Works {
    /// Its forge. Webhooks are not the workers' business and left out.
    pub forge: ForgeConfig,
    /// Token, or the App's key.
    pub auth: Secret,
    /// Seal markers: the first one seals.
    pub keys: Vec<Secret>,
    /// Which one on the forge.
    pub repository: RepositoryName,
    /// When it is a learner's fork of a workspace.
    pub fork: Option<ForkOf>,
    /// What it is graded with.
    pub course: CourseConfig,
    /// For a course in a private repository.
    pub course_token: Option<Secret>,
    /// When to sweep.
    pub sweep: SweepConfig,
    /// Gradings at once.
    pub workers: usize,
}

impl Works {
    /// Among all of the configuration.
    pub fn id(&self) -> WorkspaceId {
        (self.forge.name.clone(), self.repository.clone())
    }
}

/// What learners clone.
pub fn address(forge: &ForgeConfig, repository: &RepositoryName) -> String {
    format!("{}/{repository}.git", forge.web())
}

/// One plan for each workspace. `processors` is how many gradings run at once unless it is configured.
pub fn plans(loaded: &Loaded, processors: usize) -> BTreeMap<WorkspaceId, Plan> {
    let Config { forges, courses, workspaces, policy, keys, sweep, limits, .. } = &loaded.config;
    let secret = |source: &SecretSource| loaded.secrets.get(source).cloned();
    let plan = |workspace: &crate::config::kinds::WorkspaceConfig| {
        let forge = forges.iter().find(|forge| forge.name == workspace.forge)?;
        let course = courses.iter().find(|course| course.id == workspace.course)?;
        let auth = match &forge.auth {
            Auth::Token(source) => source,
            Auth::App(app) => &app.key,
        };
        let course_token = match &course.source {
            CourseSource::Git(git) => git.token.as_ref().and_then(secret),
            CourseSource::Dir(_) => None,
        };
        let upstream = address(forge, &workspace.repository);
        let works = Works {
            forge: ForgeConfig { webhook: None, ..forge.clone() },
            auth: secret(auth)?,
            keys: keys.iter().filter_map(secret).collect(),
            repository: workspace.repository.clone(),
            fork: None,
            course: course.clone(),
            course_token,
            sweep: *sweep,
            workers: limits.workers.unwrap_or(processors),
        };
        let policy = policy.with(&workspace.policy);
        let forks = match policy.pull_requests {
            PullRequests::Upstream => Served::No,
            PullRequests::Fork => Served::Yes,
        };
        Some((works.id(), Plan { policy: policy.policy(upstream, &loaded.names), forks, works }))
    };
    // A configuration that was loaded names only what is there.
    workspaces.iter().filter_map(plan).collect()
}

/// What environments are lent by. The token, and whom tasks may ask, are taken over at once.
fn lending(config: &Config) -> Option<crate::config::kinds::ArgocdConfig> {
    let token = SecretSource::Env(String::new());
    config.argocd.clone().map(|argocd| crate::config::kinds::ArgocdConfig { token, addresses: Vec::new(), ..argocd })
}

/// Fields whose change takes effect at the next start only.
pub fn fixed(before: &Config, after: &Config) -> Vec<&'static str> {
    let changed = [
        ("listen", before.listen != after.listen),
        ("data", before.data != after.data),
        ("store", before.store != after.store),
        ("gradebook", before.gradebook != after.gradebook),
        (
            "limits",
            crate::config::kinds::LimitsConfig { workers: before.limits.workers, ..after.limits } != before.limits,
        ),
        ("argocd", lending(before) != lending(after)),
        ("dryRun", before.dry_run != after.dry_run),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;
    use crate::reconcile::policy::Verdicts;
    use crate::review::input::Merging;
    use crate::submission::upstream::Upstream;

    const TEXT: &str = "\
apiVersion: gradus.dev/v1alpha1
kind: Config
forges:
  - {name: git, kind: gitea, address: https://git.example.org/, auth: {token: {env: A}}, webhook: {secrets: [{env: B}]}}
courses:
  - {id: hello, source: {git: {address: /srv/c.git, commit: \"0123456789012345678901234567890123456789\"}}}
workspaces:
  - {forge: git, repository: acme/hello, course: hello}
  - {forge: git, repository: acme/other, course: hello, policy: {reviews: requestChanges}}
";

    fn read(text: &str, salt: &'static str) -> Loaded {
        let env = move |name: &str| Some(format!("{name}-{}-{salt}", "x".repeat(32)));
        parse("gradus.yaml", text, Path::new("/"), &env).unwrap()
    }

    /// Which plans differ in what workers are made of, and which in policy only.
    fn difference(after: &Loaded) -> (Vec<String>, Vec<String>) {
        let before = plans(&read(TEXT, ""), 2);
        let after = plans(after, 2);
        let names = |differs: &dyn Fn(&Plan, &Plan) -> bool| {
            let all = before.iter().filter(|(id, plan)| differs(plan, &after[*id]));
            all.map(|(id, _)| id.1.to_string()).collect::<Vec<_>>()
        };
        (names(&|a, b| a.works != b.works), names(&|a, b| a.works == b.works && a.policy != b.policy))
    }

    #[test]
    fn a_workspace_has_its_own_policy_and_its_address() {
        let plans = plans(&read(TEXT, ""), 2);
        let verdicts: Vec<_> = plans.values().map(|plan| plan.policy.verdicts).collect();
        assert_eq!(verdicts, [Verdicts::Comment, Verdicts::Decide]);
        let upstream: Vec<_> = plans.values().map(|plan| plan.policy.upstream.fetch()).collect();
        assert_eq!(
            upstream,
            ["hello", "other"].map(|name| format!("git fetch https://git.example.org/acme/{name}.git main"))
        );
    }

    #[test]
    fn a_fork_is_run_as_its_workspace_is_but_never_closed_and_found_by_an_installation_of_its_own() {
        let text = TEXT.replace("reviews: requestChanges", "pullRequests: fork");
        let app =
            "kind: github, address: https://git.example.org/, auth: {app: {id: 7, installation: 9, key: {env: A}}}";
        let text = text.replace("kind: gitea, address: https://git.example.org/, auth: {token: {env: A}}", app);
        let plans = plans(&read(&text, ""), 2);
        let served: Vec<_> = plans.values().map(|plan| plan.forks).collect();
        assert_eq!(served, [Served::No, Served::Yes]);
        let home = plans.values().nth(1).unwrap();
        let fork = Fork { id: RepositoryId(4711), repository: "ada/mine".parse().unwrap() };
        let plan = home.of_fork(&fork);
        assert_eq!(plan.policy, Policy { close_after: None, merging: Merging::Deploys, ..home.policy.clone() });
        assert_eq!(
            plan.policy.upstream,
            Upstream::at("https://git.example.org/acme/other.git"),
            "where its `main` comes from"
        );
        assert_eq!((plan.forks, plan.works.repository.to_string()), (Served::No, "ada/mine".into()));
        let Auth::App(app) = &plan.works.forge.auth else { panic!("{:?}", plan.works.forge.auth) };
        assert_eq!((app.id, app.installation), (7, None));
        let name = crate::server::serve::connect::name(&plan.works).unwrap();
        assert_eq!(name.0, "git.example.org/acme/other/forks/4711");
    }

    #[test]
    fn a_policy_changes_under_running_workers_and_a_webhook_without_them() {
        let none: Vec<String> = Vec::new();
        let both = vec!["acme/hello".to_owned(), "acme/other".to_owned()];
        let policy = read(&format!("{TEXT}policy: {{closeAfter: never}}\n"), "");
        assert_eq!(difference(&policy), (none.clone(), both.clone()));
        let webhook = read(&TEXT.replace("secrets: [{env: B}]", "secrets: [{env: C}, {env: B}]"), "");
        assert_eq!(difference(&webhook), (none.clone(), none.clone()));
        let other = read(&TEXT.replace("policy: {reviews: requestChanges}", "policy: {labels: none}"), "");
        assert_eq!(difference(&other), (none.clone(), vec!["acme/other".to_owned()]));
    }

    #[test]
    fn another_secret_course_or_pace_needs_other_workers() {
        let both = (vec!["acme/hello".to_owned(), "acme/other".to_owned()], Vec::new());
        assert_eq!(difference(&read(TEXT, "rotated")), both);
        assert_eq!(difference(&read(&TEXT.replace("\"0123", "\"9123"), "")), both);
        assert_eq!(difference(&read(&format!("{TEXT}sweep: {{recent: 5s}}\n"), "")), both);
    }

    #[test]
    fn what_is_fixed_at_the_start_is_named() {
        let before = read(TEXT, "").config;
        for (text, expected) in [
            ("listen: 127.0.0.1:1\n", vec!["listen"]),
            ("data: elsewhere\nstore: {path: x.db}\n", vec!["data", "store"]),
            ("limits: {workers: 7}\n", vec![]),
            ("limits: {webhooksAtOnce: 7}\ndryRun: true\n", vec!["limits", "dryRun"]),
            ("policy: {labels: none}\nsweep: {full: 3h}\n", vec![]),
            ("argocd: {token: {env: T}}\n", vec!["argocd"]),
        ] {
            assert_eq!(fixed(&before, &read(&format!("{TEXT}{text}"), "").config), expected, "{text}");
        }
    }
}
