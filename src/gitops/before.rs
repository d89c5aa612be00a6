//! What an Argo CD that others use would mean for learners, and what our settings would mean for the others: judged by what
//! was read of it, before anything is changed. Pure; `read` reads.

mod foreign;
pub mod read;

use std::collections::BTreeMap;

use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use super::filter::Filter;
use super::version::Support;
use foreign::Foreign;

/// What `argocd/dedicated` sets.
const SETTINGS: &str = include_str!("../../argocd/dedicated/argocd-cm.yaml");

/// What it sets as parameters of the programs.
const PARAMETERS: &str = include_str!("../../argocd/dedicated/argocd-cmd-params-cm.yaml");

/// What Argo CD calls the cluster that it runs in.
pub const HERE: &str = "https://kubernetes.default.svc";

const ENABLED: &str = "application.sync.impersonation.enabled";
const ENFORCED: &str = "application.sync.impersonation.enforced";
const TRACKING: &str = "application.resourceTrackingMethod";
const INCLUSIONS: &str = "resource.inclusions";
const EXCLUSIONS: &str = "resource.exclusions";

/// Kinds that nearly every task allows.
const USUAL: [(&str, &str); 4] = [("", "ConfigMap"), ("", "Service"), ("", "Secret"), ("apps", "Deployment")];

type Settings = BTreeMap<String, String>;

/// What was read of an Argo CD.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Its version, where its programs' images say so.
    pub version: Option<Version>,
    /// `argocd-cm`.
    pub settings: Settings,
    /// `argocd-cmd-params-cm`.
    pub parameters: Settings,
    /// `argocd-rbac-cm`.
    pub rights: Settings,
    /// All Applications.
    pub applications: Vec<Value>,
    /// All AppProjects.
    pub projects: Vec<Value>,
    /// All ApplicationSets.
    pub sets: Vec<Value>,
    /// Its namespace.
    pub namespace: String,
}

/// A global setting: how it is, and what changing it would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// As in `argocd-cm timeout.reconciliation`.
    pub about: String,
    /// Its value, or what holds without one.
    pub now: String,
    /// What learners need, and why.
    pub needed: String,
    /// Why it does not do as it is; none when it does.
    pub lacks: Option<String>,
    /// What `argocd/dedicated` would make of it; none where it leaves it alone.
    pub dedicated: Option<String>,
    /// Whom that would break, and why.
    pub breaks: Vec<(String, String)>,
    /// What else is worth knowing.
    pub remark: Option<String>,
}

/// The whole judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The version and what is known of it.
    pub version: Option<(Version, Support)>,
    /// How many Applications of others there are.
    pub applications: usize,
    /// Every setting that matters.
    pub settings: Vec<Setting>,
    /// Why learners whom nobody knows cannot be taken with the settings that are there; empty when they can.
    pub keeps_out: Vec<String>,
}

/// A file of ours is not as this program needs it, which its tests tell.
#[derive(Debug, thiserror::Error)]
#[error("argocd/dedicated is not as it has to be: {0}")]
pub struct InvalidFile(String);

#[derive(Deserialize)]
struct Map {
    data: Settings,
}

fn file(text: &str) -> Result<Settings, InvalidFile> {
    serde_yaml::from_str::<Map>(text).map(|map| map.data).map_err(|error| InvalidFile(error.to_string()))
}

impl Before {
    /// Whether `argocd/dedicated` would break somebody else's.
    pub fn breaks(&self) -> bool {
        self.settings.iter().any(|setting| !setting.breaks.is_empty())
    }
}

/// Judges what was read.
///
/// # Errors
/// When a file of ours is broken.
pub fn judge(survey: &Survey) -> Result<Before, InvalidFile> {
    let (wanted, parameters) = (file(SETTINGS)?, file(PARAMETERS)?);
    let applications: Vec<Foreign> = survey.applications.iter().filter_map(Foreign::read).collect();
    let looked = Looked { survey, applications: &applications, wanted: &wanted };
    let mut settings: Vec<Setting> = wanted.iter().map(|(key, value)| looked.setting(key, Some(value))).collect();
    for key in ["application.instanceLabelKey", EXCLUSIONS, "users.anonymous.enabled"] {
        settings.push(looked.setting(key, None));
    }
    let of_rights = survey.settings.keys().filter(|key| key.starts_with("server.rbac."));
    settings.extend(of_rights.map(|key| looked.setting(key, None)));
    settings.extend(parameters.iter().map(|(key, value)| looked.parameter(key, value)));
    settings.push(looked.default_project());
    settings.push(looked.default_policy());

    let version = survey.version.clone().map(|version| (version.clone(), Support::of(&version)));
    let mut keeps_out: Vec<String> = settings.iter().filter_map(|setting| setting.lacks.clone()).collect();
    if let Some((version, support)) = version.as_ref().filter(|(_, support)| !support.admits_strangers()) {
        keeps_out.push(format!("Argo CD {version} {}", support.says()));
    }
    Ok(Before { version, applications: applications.len(), settings, keeps_out })
}

struct Looked<'a> {
    survey: &'a Survey,
    applications: &'a [Foreign],
    wanted: &'a Settings,
}

impl Looked<'_> {
    fn now(&self, key: &str) -> Option<&str> {
        self.survey.settings.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn impersonates(&self) -> bool {
        self.now(ENABLED) == Some("true")
    }

    fn those(&self, why: impl Fn(&Foreign) -> Option<String>) -> Vec<(String, String)> {
        self.applications.iter().filter_map(|one| Some((one.name.clone(), why(one)?))).collect()
    }

    /// Applications for which no account is named.
    fn without_account(&self) -> Vec<(String, String)> {
        self.those(|one| one.lacks_account(&self.survey.projects))
    }

    fn filter(&self, inclusions: Option<&str>, exclusions: Option<&str>) -> Filter {
        // What cannot be read is not in force in Argo CD either.
        Filter::read(inclusions, exclusions).unwrap_or_default()
    }

    fn setting(&self, key: &str, dedicated: Option<&String>) -> Setting {
        let now = self.now(key);
        let changes = dedicated.is_some_and(|value| now != Some(value));
        let blank = |without: &str| now.map_or_else(|| format!("not set: {without}"), |value| format!("`{value}`"));
        let mut setting = Setting {
            about: format!("argocd-cm {key}"),
            dedicated: dedicated.map(|value| if key == INCLUSIONS { rules(value) } else { format!("`{value}`") }),
            ..Setting::default()
        };
        match key {
            ENABLED => {
                setting.now = blank("Argo CD applies with its own rights");
                setting.needed = "`true`: the learner's account applies, and its rights are the boundary".into();
                if !self.impersonates() {
                    setting.lacks =
                        Some("without impersonation the shared namespace tier takes no untrusted learners".into());
                    setting.breaks = self.without_account();
                    setting.remark = Some("Applications that name an account are applied with its rights then".into());
                }
            }
            ENFORCED => {
                setting.now = blank("as `true`");
                setting.needed = "`true`: where no account is named, nothing is applied".into();
                if now == Some("false") && self.impersonates() {
                    setting.lacks = Some(
                        "with impersonation that is not enforced Argo CD applies with its own rights where it finds no account"
                            .into(),
                    );
                    setting.breaks = self.without_account();
                }
            }
            TRACKING => {
                setting.now = blank("as `annotation`");
                setting.needed = "`annotation` or `annotation+label`: the gate reads the annotation".into();
                if now == Some("label") {
                    setting.lacks = Some("with tracking by label the gate never opens".into());
                    setting.breaks = self.those(|one| {
                        one.applies_out_of_sync_only.then(|| {
                            "syncs what is out of sync only: its objects get no annotation, and are left when their file goes"
                                .into()
                        })
                    });
                    setting.remark =
                        Some("the annotation comes with each Application's next sync: sync all once".into());
                }
            }
            "application.instanceLabelKey" => {
                setting.now = blank("as `app.kubernetes.io/instance`");
                setting.needed = "anything: with tracking by annotation it decides nothing".into();
            }
            "helm.enable" | "kustomize.enable" | "jsonnet.enable" => {
                let tool = key.trim_end_matches(".enable");
                setting.now = blank("as `true`");
                setting.needed = "anything: our Applications are plain directories; off is safer".into();
                if now != Some("false") {
                    setting.breaks = self.those(|one| one.renders(tool).then(|| format!("is rendered by {tool}")));
                    if tool == "jsonnet" {
                        setting.remark =
                            Some("whether a directory holds Jsonnet cannot be told from its Application".into());
                    }
                }
            }
            INCLUSIONS => {
                setting.now = now.map_or_else(|| "not set: every kind".into(), rules);
                setting.needed = "the kinds that tasks allow".into();
                setting.lacks = left_out(&self.filter(now, None), "resource.inclusions");
                let ours = self.filter(self.wanted.get(INCLUSIONS).map(String::as_str), None);
                let theirs = self.filter(now, self.now(EXCLUSIONS));
                if changes {
                    setting.breaks = self.those(|one| one.loses(&ours, &theirs));
                }
            }
            EXCLUSIONS => {
                setting.now = now.map_or_else(|| "not set".into(), rules);
                setting.needed = "none of the kinds that tasks allow".into();
                setting.lacks = left_out(&self.filter(None, now), "resource.exclusions");
            }
            "timeout.reconciliation" => {
                setting.now = blank("120s and up to 60s more");
                setting.needed = "anything: our Applications name full commits; a long one costs less".into();
                let follow = self.applications.iter().filter(|one| one.follows_a_branch).count();
                if changes && follow > 0 {
                    setting.remark = Some(format!(
                        "{follow} Applications follow a branch or tag: without a webhook they see a push that much later"
                    ));
                }
            }
            "users.anonymous.enabled" => {
                setting.now = blank("as `false`");
                setting.needed =
                    "`false`: else anybody sees learners' Applications, and may do what `policy.default` says".into();
            }
            "exec.enabled" => {
                setting.now = blank("as `false`");
                setting.needed = "`false`: no shells in learners' Pods by Argo CD's pages".into();
            }
            _ => {
                setting.now = blank("its default");
                setting.needed =
                    "anything: it decides what users of Argo CD's pages may do, which learners are not".into();
            }
        }
        setting
    }

    fn parameter(&self, key: &str, dedicated: &str) -> Setting {
        let now = self.survey.parameters.get(key).map(String::as_str).filter(|value| !value.is_empty());
        let mut setting = Setting {
            about: format!("argocd-cmd-params-cm {key}"),
            now: now.map_or_else(
                || "not set here (flags of its programs are not read)".into(),
                |value| format!("`{value}`"),
            ),
            needed: "anything; what `dedicated` sets is stricter".into(),
            dedicated: Some(if dedicated.is_empty() {
                "its own namespace only".into()
            } else {
                format!("`{dedicated}`")
            }),
            ..Setting::default()
        };
        let elsewhere = |objects: &[Value], kind: &str| -> Vec<(String, String)> {
            let places =
                objects.iter().map(foreign::place).filter(|(namespace, _)| *namespace != self.survey.namespace);
            let why = format!("Argo CD looks for {kind} in its own namespace only");
            places.map(|(namespace, name)| (format!("{namespace}/{name}"), why.clone())).collect()
        };
        match key {
            "application.namespaces" if now.is_some() => {
                setting.breaks = elsewhere(&self.survey.applications, "Applications");
            }
            "applicationsetcontroller.namespaces" if now.is_some() => {
                setting.breaks = elsewhere(&self.survey.sets, "ApplicationSets");
            }
            "applicationsetcontroller.enable.scm.providers" if now != Some(dedicated) => {
                let asks = self.survey.sets.iter().filter(|set| foreign::asks_a_forge(set));
                let why = "asks a forge which repositories or pull requests there are";
                setting.breaks = asks
                    .map(foreign::place)
                    .map(|(namespace, name)| (format!("{namespace}/{name} (ApplicationSet)"), why.to_owned()))
                    .collect();
            }
            "reposerver.enable.git.submodule" | "applicationsetcontroller.enable.git.submodule"
                if now != Some(dedicated) =>
            {
                setting.remark = Some("whether a repository has submodules cannot be told from here".into());
            }
            "controller.sync.timeout.seconds" if now != Some(dedicated) => {
                setting.remark = Some("syncs that take longer are ended".into());
            }
            _ => {}
        }
        setting
    }

    fn default_project(&self) -> Setting {
        let project = self.survey.projects.iter().find(|project| foreign::place(project).1 == "default");
        let open = project.is_some_and(|project| {
            project.pointer("/spec/destinations").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
        });
        Setting {
            about: "AppProject default".into(),
            now: match project {
                None => "is not there".into(),
                Some(_) if open => "lets Applications through".into(),
                Some(_) => "lets nothing through".into(),
            },
            needed: "anything: each environment has a project of its own".into(),
            dedicated: Some("lets nothing through".into()),
            breaks: if open {
                self.those(|one| (one.project == "default").then(|| "is in the project `default`".into()))
            } else {
                Vec::new()
            },
            ..Setting::default()
        }
    }

    fn default_policy(&self) -> Setting {
        let now = self.survey.rights.get("policy.default").map(String::as_str).filter(|value| !value.is_empty());
        Setting {
            about: "argocd-rbac-cm policy.default".into(),
            now: now.map_or_else(|| "not set: nothing".into(), |value| format!("`{value}`")),
            needed: "no more than reading".into(),
            remark: now.filter(|value| value.contains("admin")).map(|_| {
                "whoever signs in may change learners' Applications, and what they were awarded with them".into()
            }),
            ..Setting::default()
        }
    }
}

/// A list of rules in few words.
fn rules(text: &str) -> String {
    let kinds = serde_yaml::from_str::<Option<Vec<Value>>>(text).ok().flatten().unwrap_or_default();
    format!("{} rules", kinds.len())
}

fn left_out(filter: &Filter, setting: &str) -> Option<String> {
    let out: Vec<&str> =
        USUAL.iter().filter(|(group, kind)| filter.leaves_out(group, kind, HERE)).map(|(_, kind)| *kind).collect();
    (!out.is_empty()).then(|| format!("{setting} keeps {} from Argo CD, which tasks need", out.join(", ")))
}

#[cfg(test)]
mod tests;
