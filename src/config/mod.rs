//! The configuration of `gradus serve`: read strictly, checked as a whole, followed while it runs.
//!
//! [`load`] gives the file with every default filled in, the secrets that it names, and what does not stand in the way.
//! Each problem has a line and a remedy.

pub mod address;
pub mod check;
mod inline;
pub mod kinds;
pub mod policy;
pub mod reload;
pub mod secret;
pub mod span;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::course::diagnostic::Diagnostic;
use crate::course::source::Node;
use crate::course::strict;
use kinds::{Auth, Config, CourseSource, GradebookConfig};
use policy::{LearnersConfig, Names};
use secret::{Env, SecretSource, Secrets};

/// A whole commented file with every default.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// Largest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// As written, with defaults filled in and paths made absolute.
    pub config: Config,
    /// All that it names.
    pub secrets: Secrets,
    /// The learners' files that it names, by path.
    pub names: BTreeMap<PathBuf, Names>,
    /// What does not stand in the way.
    pub warnings: Vec<Diagnostic>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Invalid {
    /// What is wrong, each with its place.
    pub problems: Vec<Diagnostic>,
    /// The file's text for excerpts; secrets in it are blotted out.
    pub text: String,
}

/// Reads a configuration alone: for what needs no secret.
pub fn outline(path: &Path) -> Result<Config, Invalid> {
    let (file, text, dir) = open(path)?;
    Ok(shape(&file, &text, &dir)?.0)
}

/// Reads a configuration, the secrets and the learners' files that it names.
pub fn load(path: &Path, env: Env<'_>) -> Result<Loaded, Invalid> {
    let (file, text, dir) = open(path)?;
    parse(&file, &text, &dir, env)
}

/// Name and text of the file, and what stands before relative paths in it.
fn open(path: &Path) -> Result<(String, String, PathBuf), Invalid> {
    let file = path.display().to_string();
    let text = read(path).map_err(|message| Invalid {
        problems: vec![Diagnostic::new(&file, message).help("`gradus config example` prints one to begin with")],
        text: String::new(),
    })?;
    // Relative paths mean the same wherever the program is started. Links stay: where they lead may be swapped.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    Ok((file, text, dir))
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read the configuration: {error}");
    if path.metadata().map_err(failed)?.len() > MAX_CONFIG {
        return Err(format!("the file is longer than {MAX_CONFIG} bytes: this is no configuration"));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The same for a text; relative paths in it are below `dir`.
pub fn parse(file: &str, text: &str, dir: &Path, env: Env<'_>) -> Result<Loaded, Invalid> {
    let (config, node) = shape(file, text, dir)?;
    let mut reader = check::Reader { file, node: &node, problems: Vec::new(), warnings: Vec::new() };
    reader.check(&config);
    let secrets = reader.secrets(&config, env);
    let names = reader.names(&config);
    let check::Reader { problems, warnings, .. } = reader;
    if problems.is_empty() {
        Ok(Loaded { config, secrets, names, warnings })
    } else {
        Err(Invalid { problems, text: text.to_owned() })
    }
}

/// What a text says, each field by itself.
fn shape(file: &str, text: &str, dir: &Path) -> Result<(Config, Node), Invalid> {
    let fail = |problems, text: &str| Err(Invalid { problems, text: text.to_owned() });
    let node = match strict::document(file, text) {
        Ok(node) => node,
        Err(problem) => return fail(vec![problem], &inline::blot(text)),
    };
    let inline = inline::find(file, text, &node);
    if !inline.problems.is_empty() {
        return fail(inline.problems, &inline.text);
    }
    let mut problems = Vec::new();
    let Some(mut config) = strict::typed::<Config>(file, &node, node.to_value(), &mut problems) else {
        return fail(problems, text);
    };
    absolute(&mut config, dir);
    Ok((config, node))
}

/// Every secret with the place of its source in the file.
fn sources(config: &Config) -> Vec<(String, &SecretSource)> {
    let mut all = Vec::new();
    for (index, forge) in config.forges.iter().enumerate() {
        let at = format!("/forges/{index}");
        match &forge.auth {
            Auth::Token(source) => all.push((format!("{at}/auth/token"), source)),
            Auth::App(app) => all.push((format!("{at}/auth/app/key"), &app.key)),
        }
        let secrets = forge.webhook.iter().flat_map(|webhook| &webhook.secrets).enumerate();
        all.extend(secrets.map(|(index, source)| (format!("{at}/webhook/secrets/{index}"), source)));
    }
    for (index, course) in config.courses.iter().enumerate() {
        if let CourseSource::Git(git) = &course.source {
            all.extend(git.token.iter().map(|source| (format!("/courses/{index}/source/git/token"), source)));
        }
    }
    if let GradebookConfig::Git(git) = &config.gradebook {
        all.extend(git.token.iter().map(|source| ("/gradebook/git/token".to_owned(), source)));
    }
    if let Some(argocd) = &config.argocd {
        all.push(("/argocd/token".to_owned(), &argocd.token));
        let tokens = argocd.addresses.iter().enumerate();
        all.extend(
            tokens.filter_map(|(index, one)| Some((format!("/argocd/addresses/{index}/token"), one.token.as_ref()?))),
        );
    }
    all.extend(config.keys.iter().enumerate().map(|(index, source)| (format!("/keys/{index}"), source)));
    all
}

/// Every learners' file with its place.
fn learners(config: &Config) -> Vec<(String, &PathBuf)> {
    let overrides =
        config.workspaces.iter().enumerate().map(|(index, workspace)| {
            (format!("/workspaces/{index}/policy/learners"), workspace.policy.learners.as_ref())
        });
    std::iter::once(("/policy/learners".to_owned(), Some(&config.policy.learners)))
        .chain(overrides)
        .filter_map(|(at, learners)| match learners {
            Some(LearnersConfig::File(path)) => Some((at, path)),
            _ => None,
        })
        .collect()
}

impl Config {
    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(|| self.data.join("gradus.db"))
    }
}

impl Loaded {
    /// The files besides the configuration itself whose changes matter.
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self.secrets.0.keys().filter_map(|source| match source {
            SecretSource::File(path) => Some(path.clone()),
            SecretSource::Env(_) => None,
        });
        secrets.chain(self.names.keys().cloned()).collect()
    }
}

/// Puts `dir` before relative paths.
fn absolute(config: &mut Config, dir: &Path) {
    let join = |path: &mut PathBuf| *path = dir.join(&*path);
    let secret = |source: &mut SecretSource| {
        if let SecretSource::File(path) = source {
            join(path);
        }
    };
    for forge in &mut config.forges {
        match &mut forge.auth {
            Auth::Token(source) => secret(source),
            Auth::App(app) => secret(&mut app.key),
        }
        forge.webhook.iter_mut().flat_map(|webhook| &mut webhook.secrets).for_each(secret);
    }
    for course in &mut config.courses {
        match &mut course.source {
            CourseSource::Dir(path) => join(path),
            CourseSource::Git(git) => git.token.iter_mut().for_each(secret),
        }
    }
    match &mut config.gradebook {
        GradebookConfig::Local => {}
        GradebookConfig::Dir(path) => join(path),
        GradebookConfig::Git(git) => git.token.iter_mut().for_each(secret),
    }
    let learners = config.workspaces.iter_mut().filter_map(|workspace| workspace.policy.learners.as_mut());
    for learners in learners.chain([&mut config.policy.learners]) {
        if let LearnersConfig::File(path) = learners {
            join(path);
        }
    }
    config.argocd.iter_mut().map(|argocd| &mut argocd.token).for_each(secret);
    if let Some(argocd) = &mut config.argocd {
        argocd.kubeconfig.iter_mut().for_each(join);
        argocd.addresses.iter_mut().filter_map(|one| one.token.as_mut()).for_each(secret);
        argocd.namespaces.iter_mut().filter_map(|namespaces| namespaces.kubeconfig.as_mut()).for_each(join);
        argocd.external.iter_mut().map(|external| &mut external.kubeconfig).for_each(join);
    }
    config.keys.iter_mut().for_each(secret);
    join(&mut config.data);
    config.store.path.iter_mut().for_each(join);
}

#[cfg(test)]
mod tests;
