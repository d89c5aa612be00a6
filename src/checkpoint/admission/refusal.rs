//! Who refused an object, from the API server's words. Those of Kubernetes 1.35.4 are in `recorded.json`.
//!
//! Codes say little: a ValidatingAdmissionPolicy refuses with 422 as a schema does, Pod Security with 403 as missing rights
//! do. Words are read from their beginning only: what follows may be a learner's, as the message of a policy.

use std::sync::LazyLock;

use regex::Regex;

use super::By;
use crate::checkpoint::matching::clip;

/// What a LimitRange says, of each container, pod and claim; several in brackets.
static LIMIT_RANGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let (usage, ratio) = (r"(minimum|maximum) \S+ usage per", r"\S+ max limit to request ratio per");
    Regex::new(&format!(r"^\[?({usage}|{ratio}) (Container|Pod|PersistentVolumeClaim) is ")).ok()
});

/// Who refused an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refuser {
    /// The Pod Security level of the namespace.
    PodSecurity,
    /// A ResourceQuota.
    Quota,
    /// A LimitRange.
    LimitRange,
    /// The ValidatingAdmissionPolicy of this name.
    Policy(String),
    /// The schema: it is no such object.
    Schema,
    /// Nobody: there is no such namespace or no such kind.
    Nowhere,
    /// Nobody: an object of that name is there already, and admission had been passed.
    Exists,
    /// Whoever asked may not make such objects.
    Rights,
    /// A quota that is not counted yet, and refuses everything until then.
    Unsettled,
    /// A webhook that cannot be asked without consequences.
    NoDryRun,
    /// Another one.
    Somebody,
}

impl Refuser {
    /// From an answer with this code.
    pub fn of(code: u16, message: &str) -> Self {
        let says = |start: &str| message.split_once(" is forbidden: ").is_some_and(|(_, why)| why.starts_with(start));
        let why = message.split_once("\" is forbidden: ").map_or("", |(_, why)| why);
        let starts = |word: &str| why.starts_with(word);
        if starts("violates PodSecurity \"") {
            Self::PodSecurity
        } else if starts("exceeded quota: ") || starts("failed quota: ") || starts("insufficient quota to consume: ") {
            Self::Quota
        } else if starts("status unknown for quota: ") {
            Self::Unsettled
        } else if LIMIT_RANGE.as_ref().is_some_and(|words| words.is_match(why)) {
            Self::LimitRange
        } else if let Some(name) = policy(why) {
            Self::Policy(name.to_owned())
        } else if code == 403 && says("User \"") {
            Self::Rights
        } else if code == 400 && message.ends_with("does not support dry run") {
            Self::NoDryRun
        } else if message.starts_with("admission webhook \"") {
            Self::Somebody
        } else {
            match code {
                404 => Self::Nowhere,
                409 if message.ends_with("\" already exists") => Self::Exists,
                400 | 422 => Self::Schema,
                _ => Self::Somebody,
            }
        }
    }

    /// Whether it is the one who has to refuse.
    pub fn is(&self, by: &By) -> bool {
        match (self, by) {
            (Self::PodSecurity, By::PodSecurity) | (Self::Quota, By::Quota) | (Self::LimitRange, By::LimitRange) => {
                true
            }
            (Self::Policy(found), By::Policy(wanted)) => found == wanted,
            _ => false,
        }
    }

    /// As a task names it; none where it is nothing that a task could ask for.
    pub fn by(&self) -> Option<By> {
        match self {
            Self::PodSecurity => Some(By::PodSecurity),
            Self::Quota | Self::Unsettled => Some(By::Quota),
            Self::LimitRange => Some(By::LimitRange),
            Self::Policy(name) => Some(By::Policy(name.clone())),
            Self::Schema | Self::Nowhere | Self::Exists | Self::Rights | Self::NoDryRun | Self::Somebody => None,
        }
    }

    /// As in "was refused by …".
    pub fn words(&self) -> String {
        match self {
            Self::PodSecurity => By::PodSecurity.words(),
            Self::Quota | Self::Unsettled => By::Quota.words(),
            Self::LimitRange => By::LimitRange.words(),
            Self::Policy(name) => format!("the ValidatingAdmissionPolicy `{}`", clip(name)),
            Self::Schema => "the API server itself, as no such object".to_owned(),
            Self::Nowhere => "the API server itself, which does not find where it belongs".to_owned(),
            Self::Exists => "the API server itself, as there is one of that name".to_owned(),
            Self::Rights => "missing rights".to_owned(),
            Self::NoDryRun => "a webhook that does not answer to a dry run".to_owned(),
            Self::Somebody => "somebody else".to_owned(),
        }
    }
}

fn policy(why: &str) -> Option<&str> {
    let (name, rest) = why.strip_prefix("ValidatingAdmissionPolicy '")?.split_once('\'')?;
    rest.starts_with(" with binding '").then_some(name)
}
