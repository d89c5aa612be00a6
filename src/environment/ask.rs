//! What an API server would do: whether somebody may do something, and what would become of an object. Nothing is left of
//! either question. Both are asked with the credentials of whoever looks.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use kube::core::Status;
use kube::discovery::Scope;
use serde_json::Value;

use super::address::Addresses;
use super::look::group_of;
use crate::checkpoint::observed::{Access, DryRun, Reach, Said, Who};
use crate::gitops::kinds::Kinds;

/// Resources that no API server serves, of which there is right or no right in the whole cluster only.
const OF_THE_CLUSTER: [(&str, &str); 5] = [
    ("", "users"),
    ("", "groups"),
    ("authentication.k8s.io", "uids"),
    ("authentication.k8s.io", "userextras"),
    ("certificates.k8s.io", "signers"),
];

/// How the volume begins that every pod is given; it ends in five random letters.
const TOKEN_VOLUME: &str = "kube-api-access-";

/// Asks one API server.
pub(super) struct Asker<'a> {
    /// Its kinds, and the way to it.
    pub kinds: &'a Kinds,
    /// The environment's own.
    pub namespace: &'a str,
    /// Whom else it may ask.
    pub addresses: Option<&'a Addresses>,
}

impl Asker<'_> {
    /// Whether somebody may do something.
    pub async fn access(&self, access: &Access) -> Said {
        let namespace = match self.reach(access).await {
            Ok(namespace) => namespace,
            Err(error) => return nothing("who may do what", &error),
        };
        let review =
            SubjectAccessReview { spec: self.review(access, namespace.clone()), ..SubjectAccessReview::default() };
        let reviews: Api<SubjectAccessReview> = Api::all(self.kinds.client().clone());
        match reviews.create(&PostParams::default(), &review).await {
            Ok(SubjectAccessReview { status: Some(status), .. }) => {
                let words = status.reason.into_iter().chain(status.evaluation_error);
                let reason = words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
                Said::Access { allowed: status.allowed, namespace, reason }
            }
            Ok(_) => Said::Nothing("the API server does not say who may do what".to_owned()),
            Err(error) => nothing("who may do what", &error),
        }
    }

    /// The namespace to ask about. A role in a namespace gives no right to what is in none, and an API server that is
    /// asked about both together says it does.
    async fn reach(&self, access: &Access) -> Result<Option<String>, kube::Error> {
        let namespace = match &access.reach {
            Reach::All => return Ok(None),
            Reach::Own => self.namespace.to_owned(),
            Reach::Namespace(namespace) => namespace.clone(),
        };
        if OF_THE_CLUSTER.contains(&(&access.group, &access.resource)) {
            return Ok(None);
        }
        let scope = match access.resource.as_str() {
            "*" => None,
            resource => self.kinds.scope(&access.group, resource).await?,
        };
        Ok((scope != Some(Scope::Cluster)).then_some(namespace))
    }

    fn review(&self, access: &Access, namespace: Option<String>) -> SubjectAccessReviewSpec {
        let (user, groups) = match &access.who {
            // Everybody who is somebody is authenticated: a right that all have, they have.
            Who::User { name, groups } => (name.clone(), groups.iter().cloned().chain([authenticated()]).collect()),
            Who::ServiceAccount { name, namespace } => {
                let namespace = namespace.as_deref().unwrap_or(self.namespace);
                let all = "system:serviceaccounts".to_owned();
                let groups = vec![all.clone(), format!("{all}:{namespace}"), authenticated()];
                (format!("system:serviceaccount:{namespace}:{name}"), groups)
            }
        };
        SubjectAccessReviewSpec {
            user: Some(user),
            groups: Some(groups),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(access.verb.clone()),
                group: Some(access.group.clone()),
                resource: Some(access.resource.clone()),
                subresource: access.subresource.clone(),
                name: access.name.clone(),
                namespace,
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        }
    }

    /// What would become of an object.
    pub async fn dry_run(&self, run: &DryRun) -> Said {
        let text = |field: &str| run.object.pointer(field).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let what = format!("what would become of a {kind}");
        let served = match self.kinds.find(group_of(version), kind).await {
            Ok(Some(served)) => served.at(version),
            Ok(None) => {
                let message = format!("{kind} of {version} is not served");
                return Said::Refused { code: 404, reason: "NotFound".to_owned(), message };
            }
            Err(error) => return nothing(&what, &error),
        };
        let object = match serde_json::from_value(run.object.clone()) {
            Ok(object) => object,
            Err(error) => {
                let message = format!("this is no object: {error}");
                return Said::Refused { code: 400, reason: "BadRequest".to_owned(), message };
            }
        };
        let namespace = run.namespace.as_deref().unwrap_or(self.namespace);
        let how = PostParams { dry_run: true, ..PostParams::default() };
        match self.kinds.api(&served, namespace).create(&how, &object).await {
            Ok(object) => Said::Admitted(steady(served.whole(object))),
            Err(kube::Error::Api(status)) if is_answer(status.code) => refused(*status, text("/metadata/generateName")),
            Err(error) => nothing(&what, &error),
        }
    }
}

fn authenticated() -> String {
    "system:authenticated".to_owned()
}

/// Whether an answer with this code is about the object: not about who asks, how often, or how the API server is.
pub(super) fn is_answer(code: u16) -> bool {
    (400..500).contains(&code) && ![401, 408, 429].contains(&code)
}

fn nothing(what: &str, error: &kube::Error) -> Said {
    Said::Nothing(format!("the API server does not say {what}: {error}"))
}

/// A refusal, without the end of a name that is another with every question.
fn refused(status: Status, generate: &str) -> Said {
    let Status { code, reason, mut message, details, .. } = status;
    if let Some(details) = details.filter(|details| !generate.is_empty() && details.name.starts_with(generate)) {
        message = message.replace(&format!("\"{}\"", details.name), &format!("\"{generate}…\""));
    }
    Said::Refused { code, reason, message }
}

/// An object without what is another with every question, so that two answers that say the same are the same.
fn steady(mut object: Value) -> Value {
    let generated = |object: &Value| {
        let text = |field: &str| object.pointer(field)?.as_str().map(str::to_owned);
        Some((text("/metadata/name")?, text("/metadata/generateName").filter(|start| !start.is_empty())?))
    };
    if let Some((name, start)) = generated(&object) {
        rename(&mut object, &|text| (text == name).then(|| format!("{start}…")));
    }
    let token = |text: &str| text.strip_prefix(TOKEN_VOLUME).is_some_and(|end| end.len() == 5);
    rename(&mut object, &|text| token(text).then(|| format!("{TOKEN_VOLUME}…")));
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(field);
        }
    }
    object
}

fn rename(value: &mut Value, to: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(renamed) = to(text) {
                *text = renamed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, to)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_answers_that_say_the_same_are_the_same() {
        let pod = |end: &str, uid: &str| {
            steady(json!({ "kind": "Pod", "metadata": { "name": format!("p-{end}"), "generateName": "p-", "uid": uid,
                "creationTimestamp": uid, "managedFields": [uid], "labels": { "x": format!("p-{end}") } },
                "spec": { "volumes": [{ "name": format!("kube-api-access-{end}") }, { "name": "kube-api-access-mine-too" }] } }))
        };
        assert_eq!(pod("crmx6", "1"), pod("z82dz", "2"));
        let kept = pod("crmx6", "1");
        assert_eq!(kept["metadata"], json!({ "name": "p-…", "generateName": "p-", "labels": { "x": "p-…" } }));
        assert_eq!(kept["spec"]["volumes"][1]["name"], "kube-api-access-mine-too");
        let named = steady(json!({ "metadata": { "name": "web", "labels": { "app": "web" } } }));
        assert_eq!(
            named,
            json!({ "metadata": { "name": "web", "labels": { "app": "web" } } }),
            "the author's own name"
        );
    }

    #[test]
    fn a_generated_name_is_cut_in_a_refusal_too() {
        let status = |name: &str| {
            let status = json!({ "code": 403, "reason": "Forbidden", "details": { "name": name, "kind": "pods" },
                "message": format!("pods \"{name}\" is forbidden: exceeded quota: budget") });
            serde_json::from_value::<Status>(status).unwrap()
        };
        let said = refused(status("p-2vrd9"), "p-");
        assert_eq!(said, refused(status("p-dhqfj"), "p-"));
        let Said::Refused { message, .. } = said else { panic!("{said:?}") };
        assert_eq!(message, "pods \"p-…\" is forbidden: exceeded quota: budget");
        let Said::Refused { message, .. } = refused(status("web"), "") else { panic!() };
        assert!(message.contains("\"web\""), "{message}");
    }

    #[test]
    fn an_api_server_that_has_no_time_says_nothing_about_the_object() {
        assert!([400, 403, 404, 409, 422].into_iter().all(is_answer));
        assert!(![401, 408, 429, 500, 503, 504].into_iter().any(is_answer));
    }
}
