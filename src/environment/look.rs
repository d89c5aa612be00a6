//! One look at a learner's environment: what its checkpoints want to know, as it is now.

use std::collections::HashMap;
use std::sync::Arc;

use kube::api::ListParams;
use kube::discovery::Scope;
use kube::runtime::watcher::Config;
use serde_json::Value;

use super::address::Addresses;
use super::ask::Asker;
use super::follow::Follow;
use super::lender::Argocd;
use super::{Environment, Tier};
use crate::checkpoint::observed::{Maker, Said, Seen, Want};
use crate::gitops::kinds::{Kinds, Served};
use crate::gitops::object::Object;
use crate::gitops::shown::shown as application_shown;
use crate::gitops::tracking::Live;

/// Most objects of one kind that are looked at. A commit applies 200 at most; controllers make the rest.
const MOST: u32 = 500;

/// Most bytes of one look, as JSON. Objects are in part the learner's, and so are their sizes.
const MOST_BYTES: usize = 16 << 20;

/// How far one goes from an object to whoever made it: Pod, ReplicaSet, Deployment and one more.
const OWNERS: usize = 4;

/// Groups in which a kind is looked for whose group nobody says, the core first.
const GROUPS: [&str; 8] = [
    "",
    "apps",
    "batch",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
    "policy",
    "autoscaling",
    "admissionregistration.k8s.io",
];

/// Looks at one environment.
pub struct Looker {
    kinds: Arc<Kinds>,
    tier: Tier,
    /// Groups of what the environment allows.
    groups: Vec<(String, String)>,
    /// Its own, then the others.
    namespaces: Vec<String>,
    application: String,
    /// The course's.
    seeds: Vec<Object>,
    argocd: Option<Argocd>,
    addresses: Option<Addresses>,
}

/// The API server gave no answer that counts.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It said no, or nothing.
    #[error("the API server does not give {what}: {source}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// More than is looked at: its learner can make it less.
    #[error("the environment has more than {MOST} objects of the kind {0}, which is more than is looked at")]
    TooMany(String),
    /// Larger than is looked at: its learner can make it smaller.
    #[error("the objects of the environment that are looked at have more than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
}

/// What one look saw: objects, and answers to what was asked besides.
pub type Sight = (Vec<Seen>, Vec<(Want, Said)>);

impl Looker {
    /// Looks at what `application` applies into its namespace, which has its name, and into those that `environment` allows
    /// besides.
    pub fn new(kinds: Arc<Kinds>, environment: &Environment, application: &str) -> Self {
        let group = |kind: &super::Kind| (kind.kind.clone(), kind.group.clone());
        let namespaces = std::iter::once(application.to_owned()).chain(environment.allow.namespaces.iter().cloned());
        Self {
            kinds,
            tier: environment.tier,
            groups: environment.allow.kinds.iter().map(group).collect(),
            namespaces: namespaces.collect(),
            application: application.to_owned(),
            seeds: environment.seeds.objects(application),
            argocd: None,
            addresses: None,
        }
    }

    /// With the Argo CD that the Application is in.
    pub fn by(self, argocd: &Argocd) -> Self {
        Self { argocd: Some(argocd.clone()), ..self }
    }

    /// Asks these, too, where a task says so.
    pub fn asking(self, addresses: Option<&Addresses>) -> Self {
        Self { addresses: addresses.cloned(), ..self }
    }

    /// What is wanted, as it is now.
    pub async fn look(&self, wants: &[Want]) -> Result<Sight, LookError> {
        let (mut read, mut answers) = (Vec::new(), Vec::new());
        let asker = Asker { kinds: &self.kinds, namespace: &self.namespaces[0], addresses: self.addresses.as_ref() };
        for want in wants {
            match want {
                Want::Objects { api_version, kind } => {
                    // A kind that is not served has no objects, which is what its checkpoint says then.
                    if let Some(served) = self.served(api_version.as_deref(), kind).await? {
                        read.extend(self.list(&served).await?);
                    }
                }
                Want::Access(access) => answers.push((want.clone(), asker.access(access).await)),
                Want::DryRun(run) => answers.push((want.clone(), asker.dry_run(run).await)),
                Want::Application => answers.push((want.clone(), self.application().await)),
                Want::Http(_) => {}
            }
        }
        // At once: each may take as long as a workload likes to be waited for.
        let asked = wants.iter().map(async |want| match want {
            Want::Http(ask) => Some((want.clone(), asker.http(ask).await)),
            _ => None,
        });
        answers.extend(futures_util::future::join_all(asked).await.into_iter().flatten());
        // Roughly: what an API server sends is hardly shorter.
        let mut bytes = 0;
        for object in &read {
            bytes += object.to_string().len();
            if bytes > MOST_BYTES {
                return Err(LookError::TooLarge);
            }
        }
        let mut owners = HashMap::new();
        self.owners(&read, &mut owners).await?;
        Ok((self.seen(read, &owners), answers))
    }

    /// Follows the objects that are wanted.
    pub async fn follow(&self, wants: &[Want]) -> Follow {
        let mut all = Vec::new();
        for want in wants {
            if let Want::Objects { api_version, kind } = want
                && let Ok(Some(served)) = self.served(api_version.as_deref(), kind).await
            {
                let api = |namespace: &String| (self.kinds.metadata(&served, namespace), Config::default());
                all.extend(self.places(&served).iter().map(api));
            }
        }
        Follow::start(all)
    }

    async fn application(&self) -> Said {
        let Some(argocd) = &self.argocd else { return Said::Nothing("there is no Argo CD here".to_owned()) };
        match argocd.api("Application").get_opt(&self.application).await {
            Ok(Some(object)) => Said::Application(application_shown(&serde_json::to_value(object).unwrap_or_default())),
            Ok(None) => Said::Nothing("the environment has no Application".to_owned()),
            Err(error) => Said::Nothing(format!("the API server does not give the Application: {error}")),
        }
    }

    pub(super) async fn served(&self, api_version: Option<&str>, kind: &str) -> Result<Option<Served>, LookError> {
        let of = |group: String| async move {
            self.kinds.find(&group, kind).await.map_err(|error| LookError::of(format!("the kind {kind}"), error))
        };
        if let Some(version) = api_version {
            return of(group_of(version).to_owned()).await;
        }
        let allowed = self.groups.iter().filter(|(allowed, _)| allowed == kind).map(|(_, group)| group.clone());
        for group in allowed.chain(GROUPS.map(str::to_owned)) {
            if let Some(served) = of(group).await? {
                return Ok(Some(served));
            }
        }
        Ok(None)
    }

    /// Where objects of a kind are looked for; any one namespace where they are in none.
    fn places(&self, served: &Served) -> &[String] {
        match served.scope {
            // Those of a shared cluster are everybody's, and nobody's to see.
            Scope::Cluster if self.tier == Tier::Namespace => &[],
            Scope::Cluster => &self.namespaces[..1],
            Scope::Namespaced => &self.namespaces,
        }
    }

    async fn list(&self, served: &Served) -> Result<Vec<Value>, LookError> {
        let kind = &served.resource.kind;
        let mut all = Vec::new();
        for namespace in self.places(served) {
            let list = self.kinds.api(served, namespace).list(&ListParams::default().limit(MOST)).await;
            let list = list.map_err(|error| LookError::of(format!("objects of the kind {kind}"), error))?;
            // Of custom resources the last answer has one that is empty.
            if list.metadata.continue_.is_some_and(|token| !token.is_empty()) {
                return Err(LookError::TooMany(kind.clone()));
            }
            all.extend(list.items.into_iter().map(|object| served.whole(object)));
        }
        Ok(all)
    }

    /// Who made these, and who made those, by uid.
    async fn owners(&self, read: &[Value], owners: &mut HashMap<String, Value>) -> Result<(), LookError> {
        owners.extend(read.iter().map(|object| (text(object, "/metadata/uid").to_owned(), object.clone())));
        let mut open: Vec<(Value, String)> = read.iter().filter_map(controller).collect();
        for _ in 0..OWNERS {
            let mut next = Vec::new();
            for (owner, namespace) in open {
                let uid = text(&owner, "/uid");
                if owners.contains_key(uid) {
                    continue;
                }
                let (group, kind, name) =
                    (group_of(text(&owner, "/apiVersion")), text(&owner, "/kind"), text(&owner, "/name"));
                let failed = |error| LookError::of(format!("{kind} {name}"), error);
                let Some(served) = self.kinds.find(group, kind).await.map_err(failed)? else { continue };
                let Some(object) = self.kinds.api(&served, &namespace).get_opt(name).await.map_err(failed)? else {
                    continue;
                };
                let object = served.whole(object);
                // Another one of the same name made nothing of this.
                if text(&object, "/metadata/uid") == uid {
                    next.extend(controller(&object));
                    owners.insert(uid.to_owned(), object);
                }
            }
            open = next;
        }
        Ok(())
    }

    fn seen(&self, read: Vec<Value>, owners: &HashMap<String, Value>) -> Vec<Seen> {
        let one = |object: Value| Seen { maker: self.maker(&object, owners), object: shown(object) };
        read.into_iter().map(one).collect()
    }

    fn maker(&self, object: &Value, owners: &HashMap<String, Value>) -> Maker {
        if self.tracks(object) {
            return Maker::Commit;
        }
        if self.seeded(object) {
            return Maker::Course;
        }
        let mut object = object;
        for _ in 0..OWNERS {
            let owner = controller(object).and_then(|(owner, _)| owners.get(text(&owner, "/uid")));
            match owner {
                Some(owner) if self.tracks(owner) => return Maker::Controller,
                Some(owner) if self.seeded(owner) => return Maker::Course,
                Some(owner) => object = owner,
                None => break,
            }
        }
        Maker::Somebody
    }

    fn seeded(&self, object: &Value) -> bool {
        Live::read(object).is_some_and(|live| self.seeds.contains(&live.object))
    }

    /// Whether an object comes from the Application's commit.
    pub(super) fn tracks(&self, object: &Value) -> bool {
        Live::read(object).is_some_and(|live| live.is_tracked_by(&self.application, &self.namespaces[0]))
    }
}

impl LookError {
    fn of(what: String, source: kube::Error) -> Self {
        Self::Refused { what, source: Box::new(source) }
    }
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The reference to the controller that made an object, and the namespace that both are in.
fn controller(object: &Value) -> Option<(Value, String)> {
    let references = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = references.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    Some((owner.clone(), text(object, "/metadata/namespace").to_owned()))
}

/// The object without what nobody may read on, and without the API server's own notes.
pub(super) fn shown(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if text(&object, "/kind") == "Secret" && group_of(text(&object, "/apiVersion")).is_empty() {
        for field in ["data", "stringData"] {
            if let Some(values) = object.get_mut(field).and_then(Value::as_object_mut) {
                values.values_mut().for_each(|value| *value = "left out".into());
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::environment::seed::Seeds;
    use crate::environment::{Allow, Tier};

    fn looker() -> Looker {
        let config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        let kinds = Arc::new(Kinds::of(kube::Client::try_from(config).unwrap()));
        let allow = Allow { kinds: Vec::new(), namespaces: Vec::new(), annotations: Vec::new() };
        Looker::new(
            kinds,
            &Environment {
                tier: Tier::Namespace,
                path: Some("m".into()),
                application: None,
                allow,
                seeds: Seeds::default(),
            },
            "shop-ada",
        )
    }

    fn object(kind: &str, uid: &str, owner: Option<&str>, tracking: Option<&str>) -> Value {
        let owners: Vec<_> = owner.iter().map(|uid| json!({ "uid": uid, "controller": true })).collect();
        json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": uid, "namespace": "shop-ada", "uid": uid,
            "ownerReferences": owners, "annotations": { "argocd.argoproj.io/tracking-id": tracking } } })
    }

    #[tokio::test]
    async fn who_made_an_object_is_followed_to_the_commit_and_a_copied_annotation_makes_nobody_its_maker() {
        let web = object("Deployment", "web", None, Some("shop-ada:apps/Deployment:shop-ada/web"));
        let set = object("ReplicaSet", "set", Some("web"), None);
        let pod = object("Pod", "pod", Some("set"), None);
        let copied = object("Deployment", "by-hand", None, Some("shop-ada:apps/Deployment:shop-ada/web"));
        let orphan = object("ReplicaSet", "orphan", Some("gone"), None);
        let all = [web, set, pod, copied, orphan];
        let owners: HashMap<_, _> =
            all.iter().map(|one| (text(one, "/metadata/uid").to_owned(), one.clone())).collect();
        let makers: Vec<_> = all.iter().map(|one| looker().maker(one, &owners)).collect();
        use Maker::{Commit, Controller, Course, Somebody};
        assert_eq!(makers, [Commit, Controller, Controller, Somebody, Somebody]);

        let name = |name: &str| Object {
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: "shop-ada".into(),
            name: name.into(),
        };
        let seeding = Looker { seeds: vec![name("by-hand"), name("web")], ..looker() };
        let theirs = object("ReplicaSet", "theirs", Some("by-hand"), None);
        let makers = [&all[0], &all[2], &all[3], &theirs, &all[4]].map(|one| seeding.maker(one, &owners));
        assert_eq!(makers, [Commit, Controller, Course, Course, Somebody], "what the commit brings is the commit's");
    }

    #[tokio::test]
    async fn owners_in_a_circle_end() {
        let (a, b) = (object("A", "a", Some("b"), None), object("B", "b", Some("a"), None));
        let owners = [&a, &b].map(|one| (text(one, "/metadata/uid").to_owned(), one.clone())).into();
        assert_eq!(looker().maker(&a, &owners), Maker::Somebody);
    }

    #[test]
    fn values_of_secrets_are_left_out_and_their_keys_stay() {
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "password": "aHVudGVyMg==" }, "metadata": {
            "name": "db", "managedFields": [1], "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "hunter2" } } });
        let kept = shown(secret);
        assert_eq!(kept["data"], json!({ "password": "left out" }));
        assert!(!kept.to_string().contains("hunter2") && kept["metadata"].get("managedFields").is_none(), "{kept}");
    }
}
