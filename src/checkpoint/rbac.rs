//! `rbac`: Who may do what in the learner's environment.
//!
//! Each row is a question that the API server answers by itself (SubjectAccessReview): nobody has to become anybody. What is
//! forbidden proves nothing where nothing is allowed, so rows of both sorts belong together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evidence::{Evidence, Place};
use super::looking::Looking;
use super::matching::{clip, clip_at};
use super::observed::{Access, Reach, Said, Sample, Want, Who};
use super::outcome::{Blame, Outcome};
use super::select::{self, Select, Source};
use super::twin::Twin;
use super::{Context, Judgement, Trace};
use crate::submission::tree::Tree;

/// Characters of the API server's words that are shown.
const WORDS: usize = 300;

/// Who may do what in the learner's environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rbac {
    /// Who: a user with groups, or a service account.
    #[serde(rename = "as")]
    pub subject: Subject,
    /// Where, unless a row says otherwise; the environment's own namespace when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What they must be able to do; at least one.
    pub allowed: Vec<Row>,
    /// What they must not be able to do. Counts only while something of `allowed` holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<Row>,
    /// Judged on the files where there is no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Box<Twin>>,
}

/// Who is asked about: `user` with `groups`, or `serviceAccount`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subject {
    /// As in `jane`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's groups, all of them but `system:authenticated`, which everybody is in; `[]` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// As in `deployer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The service account's; the environment's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// As in `get`; `*` is every one.
    pub verb: String,
    /// As in `pods`, `pods/exec`, `deployments.apps`, `deployments.apps/scale`; `*.*` is everything.
    pub resource: String,
    /// Only to the object of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `*` is all of them at once. Without meaning for what is in no namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a row expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Allowed,
    Forbidden,
}

impl Looking for Rbac {
    fn flaws(&self) -> Vec<(String, String)> {
        let mut problems = self.subject.lint();
        if self.allowed.is_empty() {
            let message = "`allowed` needs a row: where nothing is allowed, nothing is forbidden on purpose";
            problems.push(("/allowed".to_owned(), message.to_owned()));
        }
        for (field, rows) in [("allowed", &self.allowed), ("forbidden", &self.forbidden)] {
            for (index, row) in rows.iter().enumerate() {
                problems.extend(row.lint().into_iter().map(|(at, message)| (format!("/{field}/{index}{at}"), message)));
            }
        }
        let allowed: Vec<Access> = self.allowed.iter().map(|row| self.access(row)).collect();
        for (index, row) in self.forbidden.iter().enumerate() {
            if allowed.contains(&self.access(row)) {
                let message = "this is in `allowed` too: nothing can be both, keep one of them";
                problems.push((format!("/forbidden/{index}"), message.to_owned()));
            }
        }
        problems
    }

    fn offline(&self) -> Option<&Twin> {
        self.offline.as_deref()
    }

    fn wanted(&self, _hidden: Option<&Tree>) -> Vec<Want> {
        self.allowed.iter().chain(&self.forbidden).map(|row| Want::Access(self.access(row))).collect()
    }

    fn judge_sample(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Judgement {
        self.judge_rows(context, sample, trace).unwrap_or_else(Judgement::inconclusive)
    }
}

impl Subject {
    fn lint(&self) -> Vec<(String, String)> {
        let problem = match (&self.user, &self.service_account) {
            (Some(user), None) if user.is_empty() => ("/as/user", "say who: `user` is empty"),
            (Some(_), None) if self.groups.is_none() => {
                ("/as", "say the user's `groups`, or `groups: []`: an API server does not look them up")
            }
            (Some(_), None) if self.namespace.is_some() => ("/as/namespace", "a user is in no `namespace`: delete it"),
            (None, Some(name)) if name.is_empty() => ("/as/serviceAccount", "say which: `serviceAccount` is empty"),
            (None, Some(_)) if self.groups.is_some() => {
                ("/as/groups", "the `groups` of a service account are known: delete them")
            }
            (Some(_), None) | (None, Some(_)) => return Vec::new(),
            (Some(_), Some(_)) | (None, None) => ("/as", "say who: either `user` with `groups`, or `serviceAccount`"),
        };
        vec![(problem.0.to_owned(), problem.1.to_owned())]
    }

    fn who(&self) -> Who {
        match &self.service_account {
            Some(name) => Who::ServiceAccount { name: name.clone(), namespace: self.namespace.clone() },
            None => Who::User {
                name: self.user.clone().unwrap_or_default(),
                groups: self.groups.clone().unwrap_or_default(),
            },
        }
    }

    /// In words, as in ``jane of the group `team-cobalt` ``.
    fn words(&self) -> String {
        match self.who() {
            Who::ServiceAccount { name, namespace: None } => format!("the service account `{}`", clip(&name)),
            Who::ServiceAccount { name, namespace: Some(namespace) } => {
                format!("the service account `{}` of `{}`", clip(&name), clip(&namespace))
            }
            Who::User { name, groups } if groups.is_empty() => format!("`{}`", clip(&name)),
            Who::User { name, groups } => {
                let shown: Vec<_> = groups.iter().map(|group| format!("`{}`", clip(group))).collect();
                let word = if shown.len() == 1 { "group" } else { "groups" };
                format!("`{}` of the {word} {}", clip(&name), shown.join(", "))
            }
        }
    }
}

impl Row {
    fn lint(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let texts = [("/verb", Some(&self.verb)), ("/resource", Some(&self.resource))];
        let texts = texts.into_iter().chain([("/name", self.name.as_ref()), ("/namespace", self.namespace.as_ref())]);
        for (at, text) in texts {
            if text.is_some_and(String::is_empty) {
                problems.push((at, format!("`{}` is empty", &at[1..])));
            }
        }
        if self.resource.chars().any(char::is_uppercase) {
            let message = "`resource` is the plural in small letters, as in `deployments.apps`, never a kind";
            problems.push(("/resource", message.to_owned()));
        }
        problems
    }
}

impl Rbac {
    fn access(&self, row: &Row) -> Access {
        let (whole, subresource) = match row.resource.split_once('/') {
            Some((whole, subresource)) => (whole, Some(subresource.to_owned())),
            None => (row.resource.as_str(), None),
        };
        let (resource, group) = whole.split_once('.').unwrap_or((whole, ""));
        let reach = match row.namespace.as_ref().or(self.namespace.as_ref()).map(String::as_str) {
            None => Reach::Own,
            Some("*") => Reach::All,
            Some(namespace) => Reach::Namespace(namespace.to_owned()),
        };
        Access {
            who: self.subject.who(),
            verb: row.verb.clone(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource,
            name: row.name.clone(),
            reach,
        }
    }

    /// What the API server said of every row; else why one of them is not known.
    fn judge_rows(&self, context: &Context<'_>, sample: &Sample, trace: &mut Trace) -> Result<Judgement, String> {
        let mut evidence = Vec::new();
        let mut blame = None;
        let mut good = [0_u32; 2];
        let allowed = self.allowed.iter().map(|row| (row, Expect::Allowed));
        for (row, expect) in allowed.chain(self.forbidden.iter().map(|row| (row, Expect::Forbidden))) {
            let access = self.access(row);
            let (allowed, namespace, reason) = match sample.said(&Want::Access(access.clone())) {
                Some(Said::Access { allowed, namespace, reason }) => (*allowed, namespace, reason),
                Some(Said::Nothing(why)) => return Err(why.clone()),
                _ => return Err("the API server was not asked who may do what".to_owned()),
            };
            trace.say(|| {
                format!("{} {}: allowed is {allowed}, {expect:?} is expected: {reason}", row.verb, row.resource)
            });
            if allowed == (expect == Expect::Allowed) {
                good[usize::from(expect == Expect::Forbidden)] += 1;
                continue;
            }
            let place = Binding::read(reason).and_then(|binding| binding.place(context));
            // What lets them in and stands in no file was made by somebody else.
            let theirs = expect == Expect::Allowed || place.is_some();
            let whose = if theirs { Blame::YourFiles } else { Blame::HealthyButWrong };
            blame = if blame == Some(Blame::YourFiles) { blame } else { Some(whose) };
            evidence.push(Evidence {
                message: self.sentence(row, &access, expect, namespace.as_deref(), reason),
                place: place.unwrap_or_default(),
                expected: Some(json!({ "verb": row.verb, "resource": row.resource, "name": row.name,
                    "namespace": namespace, "allowed": expect == Expect::Allowed })),
                actual: Some(json!({ "allowed": allowed, "reason": clip_at(WORDS, reason) })),
                operator: Some("access".to_owned()),
                subject: None,
            });
        }
        let total = (self.allowed.len() + self.forbidden.len()) as u32;
        let proven = good[0] > 0;
        if !proven && !self.forbidden.is_empty() {
            let message =
                "nothing of what must be allowed is allowed, so what is forbidden is not forbidden on purpose";
            evidence.push(Evidence { message: message.to_owned(), ..Evidence::default() });
        }
        let cases = Some((if proven { good[0] + good[1] } else { 0 }, total));
        Ok(match evidence.is_empty() {
            true => Judgement { cases, ..Judgement::pass() },
            false => Judgement { outcome: Outcome::Fail, blame: blame.or(Some(Blame::YourFiles)), evidence, cases },
        })
    }

    fn sentence(&self, row: &Row, access: &Access, expect: Expect, namespace: Option<&str>, reason: &str) -> String {
        let (may, must) = match expect {
            Expect::Allowed => ("may not", "must be able to"),
            Expect::Forbidden => ("may", "must not"),
        };
        let mut what = format!("{} {may} {} `{}`", self.subject.words(), clip(&row.verb), clip(&row.resource));
        if let Some(name) = &row.name {
            what += &format!(" of the name `{}`", clip(name));
        }
        match namespace {
            Some(namespace) => what += &format!(" in the namespace `{}`", clip(namespace)),
            None if access.reach == Reach::All => what += " in all namespaces",
            None => {}
        }
        let reason = if reason.is_empty() { String::new() } else { format!(": {}", clip_at(WORDS, reason)) };
        format!("{what}, {must}{reason}")
    }
}

/// A binding that the API server names as its reason.
#[derive(Debug, PartialEq, Eq)]
struct Binding {
    kind: &'static str,
    name: String,
    namespace: Option<String>,
}

impl Binding {
    /// From words such as `RBAC: allowed by RoleBinding "dev/team-cobalt" of Role "dev" to User "jane"`.
    fn read(reason: &str) -> Option<Self> {
        let rest = reason.strip_prefix("RBAC: allowed by ")?;
        let (kind, rest) = ["RoleBinding", "ClusterRoleBinding"]
            .into_iter()
            .find_map(|kind| Some((kind, rest.strip_prefix(kind)?.strip_prefix(' ')?)))?;
        // Written by Go: of what a name may hold, it escapes as JSON does.
        let quoted = serde_json::Deserializer::from_str(rest).into_iter::<String>().next()?.ok()?;
        Some(match quoted.split_once('/') {
            Some((name, namespace)) => Self { kind, name: name.to_owned(), namespace: Some(namespace.to_owned()) },
            None => Self { kind, name: quoted, namespace: None },
        })
    }

    /// Where it stands in the learner's files.
    fn place(&self, context: &Context<'_>) -> Option<Place> {
        let select = Select { kind: Some(self.kind.to_owned()), name: Some(self.name.clone()), ..Select::default() };
        let source = Source { files: None, select: &select, min: 1, dialect: None };
        let objects = select::select(context, &source, &mut Trace::off()).ok()?;
        let namespace =
            |object: &Value| object.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
        // One in a cluster may have its namespace from elsewhere.
        let here = |object: &&select::Selected<'_>| {
            namespace(object.value).is_none_or(|written| Some(written) == self.namespace)
        };
        objects.iter().find(here).map(|object| object.place(""))
    }
}

#[cfg(test)]
mod tests;
