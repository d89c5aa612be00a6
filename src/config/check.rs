//! What is wrong with a configuration as a whole: names that lead nowhere, addresses, secrets that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::kinds::{AddressConfig, Auth, Config, CourseSource, ForgeConfig, ForgeKind, GradebookConfig, PlainHttp};
use super::policy;
use super::secret::{self, Env, SecretSource, Secrets};
use super::span::Span;
use super::{Node, learners, sources};
use crate::course::diagnostic::{Diagnostic, nearest};
use crate::forge::budget::{Quota, WritePolicy};
use crate::forge::http::base::{Base, InvalidBase, Plain};
use crate::forge::seal::Seal;

/// github.com, for people.
pub const GITHUB: &str = "https://github.com";

/// Shortest webhook secret in characters: one that nobody guesses. `openssl rand -hex 32` gives 64.
const MIN_SECRET: usize = 16;

/// Paths that are taken.
const TAKEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Collects problems with their places.
pub(super) struct Reader<'a> {
    pub file: &'a str,
    pub node: &'a Node,
    pub problems: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn at(&self, pointer: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.file, message).at(self.node.locate(pointer))
    }

    fn wrong(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.at(pointer, message).help(help);
        self.problems.push(problem);
    }

    /// Everything that needs no file but this one.
    pub fn check(&mut self, config: &Config) {
        for (list, empty) in [
            ("forges", config.forges.is_empty()),
            ("courses", config.courses.is_empty()),
            ("workspaces", config.workspaces.is_empty()),
            ("keys", config.keys.is_empty()),
        ] {
            if empty {
                self.wrong(
                    &format!("/{list}"),
                    format!("`{list}` is empty"),
                    "`gradus config example` shows how to fill it",
                );
            }
        }
        self.forges(config);
        self.courses(config);
        self.workspaces(config);
        if let GradebookConfig::Git(git) = &config.gradebook {
            self.repository("/gradebook/git/address", &git.address);
        }
        self.times(config);
        self.servers(config);
        self.clusters(config);
    }

    fn servers(&mut self, config: &Config) {
        let all = config.argocd.iter().flat_map(|argocd| &argocd.addresses);
        self.distinct("servers", "/argocd/addresses", all.clone().map(|one| one.name.as_str()));
        for (index, one) in all.enumerate() {
            if let Err(error) = one.base() {
                let help = match error {
                    InvalidBase::Plain(_) => "for a server behind a wall of your own: `plainHttp: allowed`",
                    _ => "`gradus config example` shows one",
                };
                self.wrong(&format!("/argocd/addresses/{index}/url"), error.to_string(), help);
            }
        }
    }

    fn clusters(&mut self, config: &Config) {
        let all = config.argocd.iter().flat_map(|argocd| &argocd.external);
        self.distinct("clusters", "/argocd/external", all.clone().map(|one| one.name.as_str()));
        let mut servers = BTreeSet::new();
        for (index, one) in all.enumerate() {
            if !servers.insert(&one.server) {
                let help = "each is for one environment at a time: name another cluster";
                let pointer = format!("/argocd/external/{index}/server");
                self.wrong(&pointer, format!("`{}` is there twice", one.server), help);
            }
        }
    }

    /// Each of a list's names has to be one's own; what the list is of is said in the plural.
    fn distinct<'c>(&mut self, of: &str, list: &str, names: impl Iterator<Item = &'c str>) {
        let mut known = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !known.insert(name) {
                let pointer = format!("{list}/{index}/name");
                self.wrong(&pointer, format!("two {of} are named `{name}`"), "give one another name");
            }
        }
    }

    fn forges(&mut self, config: &Config) {
        self.distinct("forges", "/forges", config.forges.iter().map(|forge| forge.name.as_str()));
        let mut paths = BTreeSet::new();
        for (index, forge) in config.forges.iter().enumerate() {
            let at = format!("/forges/{index}");
            self.addresses(&at, forge);
            if let (Auth::App(_), ForgeKind::Gitea | ForgeKind::Forgejo) = (&forge.auth, forge.kind) {
                let message = format!("{} has no Apps", forge.kind.title());
                self.wrong(&format!("{at}/auth/app"), message, "give the `token` of an account of its own");
            }
            if let Some(webhook) = &forge.webhook {
                let pointer = format!("{at}/webhook/path");
                let path = forge.webhook_path().unwrap_or_default();
                let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
                if !path.starts_with('/') || path.len() < 2 || !path.chars().all(plain) || path.contains("//") {
                    let help = "begin with `/`, and use letters, digits, `/`, `-`, `_` and `.`";
                    self.wrong(&pointer, "this is no path of an address", help);
                } else if TAKEN.contains(&path.as_str()) {
                    self.wrong(&pointer, format!("`{path}` is taken"), "choose another path");
                } else if !paths.insert(path.clone()) {
                    self.wrong(&pointer, format!("two forges have the webhook path `{path}`"), "choose another path");
                }
                if webhook.secrets.is_empty() {
                    let help = "without a secret anybody could send webhooks: `openssl rand -hex 32` makes one; leave `webhook` \
                                out to have sweeps only";
                    self.wrong(&format!("{at}/webhook/secrets"), "no secret is named", help);
                }
            }
            let budget = &forge.budget;
            for (field, value) in [("perMinute", budget.per_minute), ("perHour", budget.per_hour)] {
                if value == Some(0) {
                    let help = "`gradus pause` stops all writes; leave this out for the forge's own limit";
                    self.wrong(&format!("{at}/budget/{field}"), "nothing could ever be written", help);
                }
            }
        }
    }

    fn addresses(&mut self, at: &str, forge: &ForgeConfig) {
        if forge.address.is_none() && forge.kind != ForgeKind::Github {
            let message = format!("the address of this {} is missing", forge.kind.title());
            self.wrong(at, message, "add `address: https://…`, where people find it");
        }
        for (field, text) in [("address", &forge.address), ("api", &forge.api)] {
            if let Some(Err(error)) = text.as_ref().map(|text| Base::parse(text, forge.plain())) {
                let help = match error {
                    InvalidBase::Plain(_) => "for a forge behind a wall of your own: `plainHttp: allowed`",
                    _ => "`gradus config example` shows one of each kind",
                };
                self.wrong(&format!("{at}/{field}"), error.to_string(), help);
            }
        }
    }

    /// What `git clone` takes and what we can fetch: `https`, plain `http` within this machine, or a path.
    fn repository(&mut self, pointer: &str, address: &str) {
        let good = match Url::parse(address) {
            Ok(url) => match url.scheme() {
                "file" => true,
                _ => Base::parse(address, Plain::Loopback).is_ok(),
            },
            Err(_) => Path::new(address).is_absolute(),
        };
        if !good {
            let help =
                "write `https://…`, or the absolute path of a repository on this machine; a token stands beside it";
            self.wrong(pointer, "this repository cannot be fetched", help);
        }
    }

    fn courses(&mut self, config: &Config) {
        let mut ids = BTreeSet::new();
        for (index, course) in config.courses.iter().enumerate() {
            let at = format!("/courses/{index}");
            if !ids.insert(&course.id) {
                self.wrong(
                    &format!("{at}/id"),
                    format!("the course `{}` is there twice", course.id),
                    "remove one of the two",
                );
            }
            match &course.source {
                CourseSource::Dir(dir) if !dir.join("course.yaml").is_file() => {
                    let message = format!("{} holds no course.yaml", dir.display());
                    self.wrong(&format!("{at}/source/dir"), message, "name the directory of the course itself");
                }
                CourseSource::Dir(_) => {}
                CourseSource::Git(git) => {
                    self.repository(&format!("{at}/source/git/address"), &git.address);
                    let parts = || git.path.split('/');
                    if git.path.starts_with('/')
                        || (!git.path.is_empty() && parts().any(|part| matches!(part, "" | "." | "..")))
                    {
                        let help = "write a path within the repository, as in `courses/cnpe`";
                        self.wrong(&format!("{at}/source/git/path"), "this is no directory of the repository", help);
                    }
                }
            }
        }
    }

    fn workspaces(&mut self, config: &Config) {
        let mut seen = BTreeSet::new();
        for (index, workspace) in config.workspaces.iter().enumerate() {
            let at = format!("/workspaces/{index}");
            let forges = config.forges.iter().map(|forge| forge.name.as_str());
            self.known(&format!("{at}/forge"), "forge", workspace.forge.as_str(), forges);
            let courses = config.courses.iter().map(|course| course.id.as_str());
            self.known(&format!("{at}/course"), "course", workspace.course.as_str(), courses);
            if !seen.insert((&workspace.forge, &workspace.repository)) {
                let message = format!("`{}` is there twice", workspace.repository);
                self.wrong(&format!("{at}/repository"), message, "remove one of the two: a workspace has one course");
            }
        }
    }

    fn known<'a>(&mut self, pointer: &str, what: &str, name: &str, all: impl Iterator<Item = &'a str> + Clone) {
        if all.clone().any(|known| known == name) {
            return;
        }
        let help = match nearest(name, all.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", all.collect::<Vec<_>>().join(", ")),
        };
        self.wrong(pointer, format!("there is no {what} `{name}` in this file"), help);
    }

    fn times(&mut self, config: &Config) {
        let (sweep, limits) = (&config.sweep, &config.limits);
        for (pointer, span, least) in [
            ("/sweep/recent", sweep.recent, Span::seconds(1)),
            ("/sweep/full", sweep.full, Span::seconds(10)),
            ("/limits/requestTime", limits.request_time, Span::seconds(1)),
        ] {
            if span < least {
                self.wrong(pointer, format!("`{span}` is too short"), format!("write at least `{least}`"));
            }
        }
        for (pointer, number, least) in [
            ("/limits/webhookBytes", limits.webhook_bytes, 64 << 10),
            ("/limits/webhooksAtOnce", limits.webhooks_at_once, 1),
            ("/limits/workers", limits.workers.unwrap_or(1), 1),
        ] {
            if number < least {
                self.wrong(pointer, format!("{number} is too few"), format!("write at least {least}"));
            }
        }
    }

    /// Reads every secret that is named.
    pub fn secrets(&mut self, config: &Config, env: Env<'_>) -> Secrets {
        let mut all = BTreeMap::new();
        for (pointer, source) in sources(config) {
            let found = match secret::read(source, env) {
                Ok(found) => found,
                Err(error) => {
                    let help = "put it there: what is left out here would be open to everybody";
                    self.wrong(&pointer, error.to_string(), help);
                    continue;
                }
            };
            if pointer.starts_with("/keys/") {
                if let Err(error) = Seal::with_keys(found.expose()) {
                    self.wrong(&pointer, format!("{source}: {error}"), "then keep it: our own earlier reviews need it");
                }
            } else if (pointer.contains("/webhook/") || pointer == "/argocd/token")
                && found.expose().chars().count() < MIN_SECRET
            {
                let message = format!("the secret in {source} is shorter than {MIN_SECRET} characters");
                self.wrong(&pointer, message, "`openssl rand -hex 32` makes one that nobody guesses");
            }
            if let SecretSource::File(path) = source
                && secret::open_to_all(path)
            {
                let warning = self.at(&pointer, format!("everybody on this machine may read {}", path.display()));
                self.warnings.push(warning.help("`chmod o-r` it; in Kubernetes, `defaultMode: 0440` of the volume"));
            }
            all.insert(source.clone(), found);
        }
        Secrets(all)
    }

    /// Reads every learners' file that is named.
    pub fn names(&mut self, config: &Config) -> BTreeMap<std::path::PathBuf, policy::Names> {
        let mut all = BTreeMap::new();
        for (pointer, path) in learners(config) {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    self.wrong(&pointer, message, "write one login or numeric id a line into it");
                    continue;
                }
            };
            match policy::names(&text) {
                Ok(names) => {
                    all.insert(path.clone(), Arc::new(names));
                }
                Err(odd) => self.wrong(&pointer, format!("{}: {odd}", path.display()), "`#` begins a remark"),
            }
        }
        all
    }
}

impl AddressConfig {
    /// Where it is.
    pub fn base(&self) -> Result<Base, InvalidBase> {
        let plain = match (&self.token, self.plain_http) {
            (Some(_), PlainHttp::Loopback) => Plain::Loopback,
            (None, _) | (_, PlainHttp::Allowed) => Plain::Anywhere,
        };
        Base::parse(&self.url, plain)
    }
}

impl ForgeConfig {
    /// The path of its webhooks, when it has any.
    pub fn webhook_path(&self) -> Option<String> {
        let webhook = self.webhook.as_ref()?;
        Some(webhook.path.clone().unwrap_or_else(|| format!("/webhooks/{}", self.name)))
    }

    /// How fast we write there. A quarter of each budget is kept for what learners wait for.
    pub fn write_policy(&self) -> WritePolicy {
        let usual = match self.kind {
            ForgeKind::Github => WritePolicy::GITHUB,
            ForgeKind::Gitea | ForgeKind::Forgejo => WritePolicy::OFF,
        };
        let quota = |writes: u32| Quota { writes: writes as usize, kept: writes as usize / 4 };
        let budget = &self.budget;
        WritePolicy {
            spacing: budget.spacing.map_or(usual.spacing, |span| span.0),
            notify_spacing: budget.review_spacing.map_or(usual.notify_spacing, |span| span.0),
            per_minute: budget.per_minute.map(quota).or(usual.per_minute),
            per_hour: budget.per_hour.map(quota).or(usual.per_hour),
        }
    }

    /// Where a token may go without TLS.
    pub fn plain(&self) -> Plain {
        match self.plain_http {
            PlainHttp::Loopback => Plain::Loopback,
            PlainHttp::Allowed => Plain::Anywhere,
        }
    }

    /// Where people find it, without a slash at the end.
    pub fn web(&self) -> &str {
        self.address.as_deref().unwrap_or(GITHUB).trim_end_matches('/')
    }
}
