//! Changes something in a learner's environment to see what becomes of it, and undoes it.
//!
//! As the environment's own account: an act can do no more than what the learner's commits may. Only what comes from the
//! commit is touched, and how it is undone is known before it is done.

use std::sync::Arc;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::discovery::Scope;
use serde_json::{Value, json};

use super::Environment;
use super::ask::is_answer;
use super::client::acting_as;
use super::look::{Looker, shown};
use super::provision::ACCOUNT;
use super::sow::rightly;
use super::undo::{Back, Undo, back};
use crate::checkpoint::scene::{Act, Done, asked, is_going, uid};
use crate::gitops::kinds::{Kinds, Served};
use crate::gitops::tracking::TRACKING;

/// The annotation by which an object that we planted is known.
const PLANTED: &str = "gradus.dev/planted";

/// How often an undo is tried on an object that changes meanwhile.
const TRIES: u32 = 5;

/// Acts in one environment.
pub struct Actor {
    kinds: Arc<Kinds>,
    looker: Looker,
    account: kube::Client,
    /// Of the Application, and of the environment's own namespace.
    name: String,
}

/// An act that can be done, and undone.
pub struct Ready {
    served: Served,
    /// How.
    pub undo: Undo,
}

/// Something cannot be undone now.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The API server said no, or nothing.
    #[error("what was done to {what} cannot be undone: {source}")]
    Refused {
        /// To what.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// It changes all the time, or is still being deleted.
    #[error("what was done to {0} cannot be undone: it changes meanwhile")]
    Busy(String),
}

impl Actor {
    /// Acts in what the Application of this name applies to.
    pub fn new(kinds: Arc<Kinds>, environment: &Environment, name: &str) -> Self {
        let account = acting_as(kinds.client(), name, ACCOUNT);
        Self { looker: Looker::new(kinds.clone(), environment, name), kinds, account, name: name.to_owned() }
    }

    /// Looks whether an act can be done, and how it is undone then; else what comes of it. Changes nothing.
    ///
    /// # Errors
    /// What the act comes to without being done.
    pub async fn prepare(&self, act: &Act) -> Result<Ready, Box<Done>> {
        let target = act.target();
        let unknown = |why: String| Box::new(Done::Unknown(why));
        let served = self.looker.served(target.api_version.as_deref(), &target.kind).await;
        let served = match (served.map_err(|error| unknown(error.to_string()))?, act) {
            (Some(served), _) => served,
            (None, Act::Plant(_)) => return Err(unknown(format!("the kind {} is not served", target.kind))),
            (None, _) => return Err(Box::new(Done::Missing)),
        };
        let namespace = target.namespace.clone().unwrap_or_else(|| self.name.clone());
        let api = self.api(&served, &namespace);
        let found = api.get_opt(&target.name).await.map_err(|error| Box::new(refused(error)))?;
        let found = found.map(|object| served.whole(object));
        let back = match (act, found) {
            (Act::Plant(_), None) => Back::Planted(mark()),
            (Act::Plant(_), Some(there)) if self.looker.tracks(&there) => return Err(Box::new(Done::Taken)),
            (Act::Plant(_), Some(_)) => return Err(unknown("its name is taken by nothing of the commit".to_owned())),
            (_, None) => return Err(Box::new(Done::Missing)),
            (_, Some(there)) if !self.looker.tracks(&there) => return Err(Box::new(Done::Foreign)),
            (_, Some(there)) if is_going(&there) => return Err(unknown("it is being deleted".to_owned())),
            (Act::Delete(_), Some(there)) => Back::Again(again(&there)),
            (Act::Scale(_) | Act::Patch(_), Some(there)) => {
                // What the API server makes of it: defaults, and values in another form.
                let try_out = PatchParams { dry_run: true, ..PatchParams::default() };
                let merge = Patch::Merge(act.merge().unwrap_or_default());
                let made = api.patch(&target.name, &try_out, &merge).await.map_err(|error| Box::new(refused(error)))?;
                let made = served.whole(made);
                if asked(&there) == asked(&made) {
                    let (before, after) = (Some(shown(there)), Some(shown(made)));
                    return Err(Box::new(Done::Acted { before, after }));
                }
                Back::Values { uid: uid(&there).to_owned(), before: asked(&there), after: asked(&made) }
            }
        };
        let group = served.resource.group.clone();
        let undo = Undo { group, kind: target.kind, namespace, name: target.name, back };
        Ok(Ready { served, undo })
    }

    /// Does it.
    pub async fn act(&self, act: &Act, ready: &Ready) -> Done {
        self.try_act(act, ready).await.unwrap_or_else(refused)
    }

    async fn try_act(&self, act: &Act, Ready { served, undo }: &Ready) -> Result<Done, kube::Error> {
        let (api, name) = (self.api(served, &undo.namespace), undo.name.as_str());
        let seen = |object: Option<DynamicObject>| object.map(|object| shown(served.whole(object)));
        let (before, after) = match act {
            Act::Plant(plant) => {
                let Back::Planted(mark) = &undo.back else {
                    return Ok(Done::Unknown("there is no mark for it".into()));
                };
                let object = self.planted(&plant.object, undo, served, mark);
                let object = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
                let served = served.clone().at(plant.object["apiVersion"].as_str().unwrap_or_default());
                let made = self.api(&served, &undo.namespace).create(&PostParams::default(), &object).await?;
                (None, seen(Some(made)))
            }
            Act::Delete(_) => {
                let before = api.get_opt(name).await?;
                let Some(found) = &before else { return Ok(Done::Missing) };
                let this = Preconditions { uid: found.metadata.uid.clone(), ..Preconditions::default() };
                api.delete(name, &DeleteParams { preconditions: Some(this), ..DeleteParams::default() }).await?;
                (seen(before), seen(api.get_opt(name).await?))
            }
            Act::Scale(_) | Act::Patch(_) => {
                let before = api.get_opt(name).await?;
                let merge = Patch::Merge(act.merge().unwrap_or_default());
                (seen(before), seen(Some(api.patch(name, &PatchParams::default(), &merge).await?)))
            }
        };
        Ok(Done::Acted { before, after })
    }

    /// What is planted: as the commit's, and with our mark.
    fn planted(&self, object: &Value, undo: &Undo, served: &Served, mark: &str) -> Value {
        let mut object = object.clone();
        let Undo { group, kind, namespace, name, .. } = undo;
        let tracking = format!("{}:{group}/{kind}:{namespace}/{name}", self.name);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.extend([(TRACKING.to_owned(), tracking.into()), (PLANTED.to_owned(), mark.into())]);
            }
            if served.scope == Scope::Namespaced {
                metadata.insert("namespace".to_owned(), namespace.as_str().into());
            }
        }
        object
    }

    /// Undoes what is left of it. Done twice it is as done once.
    pub async fn undo(&self, undo: &Undo) -> Result<(), UndoError> {
        let what = format!("{} {}", undo.kind, undo.name);
        for _ in 0..TRIES {
            match self.try_undo(undo).await {
                Ok(Undone::Yes) => return Ok(()),
                Ok(Undone::Again) => {}
                Err(source) => return Err(UndoError::Refused { what, source: Box::new(source) }),
            }
        }
        Err(UndoError::Busy(what))
    }

    async fn try_undo(&self, undo: &Undo) -> Result<Undone, kube::Error> {
        let Some(served) = self.kinds.find(&undo.group, &undo.kind).await? else { return Ok(Undone::Yes) };
        let (api, name) = (self.api(&served, &undo.namespace), undo.name.as_str());
        // The environment may have been made anew just before.
        let there = rightly(|| api.get_opt(name)).await?.map(|object| served.whole(object));
        let result = match (&undo.back, there) {
            (Back::Again(_), Some(there)) if is_going(&there) => return Ok(Undone::Again),
            (Back::Again(object), None) => {
                let object = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
                api.create(&PostParams::default(), &object).await.map(drop)
            }
            (Back::Values { uid: of, before, after }, Some(there)) if uid(&there) == of => {
                let Some(mut patch) = back(before, after, &asked(&there)) else { return Ok(Undone::Yes) };
                // Only in the state that was looked at.
                patch["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
                api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
            }
            (Back::Planted(mark), Some(there)) if carries(&there, mark) && !is_going(&there) => {
                let this = Preconditions { uid: Some(uid(&there).to_owned()), ..Preconditions::default() };
                let how = DeleteParams { preconditions: Some(this), ..DeleteParams::default() };
                api.delete(name, &how).await.map(drop)
            }
            // Nothing of it is left.
            (Back::Again(_) | Back::Values { .. } | Back::Planted(_), _) => return Ok(Undone::Yes),
        };
        match result {
            Ok(()) => Ok(Undone::Yes),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Undone::Again),
            // The namespace is gone, or going.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Undone::Yes),
            Err(kube::Error::Api(status)) if status.message.contains("because it is being terminated") => {
                Ok(Undone::Yes)
            }
            Err(error) => Err(error),
        }
    }

    fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        served.api(self.account.clone(), namespace)
    }
}

/// Whether it is undone.
enum Undone {
    Yes,
    /// It changed meanwhile: look again.
    Again,
}

fn carries(object: &Value, mark: &str) -> bool {
    object["metadata"]["annotations"][PLANTED] == mark
}

/// Nobody else's: the time, and this process.
fn mark() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), since.as_nanos())
}

/// An object as it can be made again.
fn again(object: &Value) -> Value {
    let mut object = asked(object);
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove(field);
        }
    }
    object
}

/// What the API server's answer to an act means: no word about the object where it is about us, or about itself.
fn refused(error: kube::Error) -> Done {
    match error {
        kube::Error::Api(status) if is_answer(status.code) => {
            Done::Refused { code: status.code, message: status.message }
        }
        error => Done::Unknown(format!("the API server does not do it: {error}")),
    }
}
