//! Statuses, labels, closing: written only where something differs.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::wire::{PullWire, StatusWire};
use super::{Inner, PAGE};
use crate::forge::StatusBefore;
use crate::forge::budget::{WriteClass, WriteKind};
use crate::forge::http::failure::Failure;
use crate::forge::pull::{Label, Pull, PullNumber, PullState};
use crate::review::{MAX_DESCRIPTION, Status, safe};
use crate::submission::sha::CommitId;

/// Longest name of a label in characters that GitHub takes.
const MAX_LABEL: usize = 50;

#[derive(Serialize)]
struct NewStatus<'a> {
    state: &'a str,
    description: &'a str,
    context: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
}

impl Inner {
    pub(super) async fn set_status(
        &self,
        number: PullNumber,
        head: &CommitId,
        status: &Status,
        before: StatusBefore,
    ) -> Result<(), Failure> {
        let context = format!("gradus/{}", self.settings.course);
        // Invisible characters take more room when they are shown.
        let description = safe::cut(&safe::plain(&status.description, MAX_DESCRIPTION - 1), MAX_DESCRIPTION - 1);
        let target_url = self.settings.status_page.as_ref().map(url::Url::as_str);
        let wanted = NewStatus { state: status.state.word(), description: &description, context: &context, target_url };
        if before == StatusBefore::Unknown {
            let url = self.list_url(&["commits", head.as_str(), "statuses"], &[]);
            // Newest first: the first of our context is the one that counts.
            let ours = |status: &StatusWire| status.context == context;
            let known: Vec<StatusWire> = self.api.list(&url, PAGE, |page| !page.iter().any(ours)).await?;
            let same = |known: &StatusWire| {
                known.state == wanted.state
                    && known.description == wanted.description
                    && known.target_url.as_deref() == wanted.target_url
            };
            if known.iter().find(|status| ours(status)).is_some_and(same) {
                return Ok(());
            }
        }
        let url = self.url(&["statuses", head.as_str()]);
        let on = (number, self.class(number).await?);
        self.write_on(on, WriteKind::Plain, (Method::POST, &url), Some(&wanted)).await.map(|_| ())
    }

    pub(super) async fn set_labels(
        &self,
        pull: &Pull,
        add: &BTreeSet<Label>,
        remove: &BTreeSet<Label>,
    ) -> Result<(), Failure> {
        let there: BTreeSet<String> = pull.labels.iter().map(|label| label.0.clone()).collect();
        let wanted: BTreeSet<String> = add.iter().map(|label| short(&label.0)).collect();
        let missing: Vec<&String> = wanted.difference(&there).collect();
        let stale = remove.iter().map(|label| &label.0).filter(|name| there.contains(*name) && !wanted.contains(*name));
        let number = pull.number.to_string();
        let class = self.class(pull.number).await?;
        let on = (pull.number, class);
        if !missing.is_empty() {
            for name in &missing {
                self.ensure_label(class, name).await?;
            }
            let url = self.url(&["issues", &number, "labels"]);
            self.write_on(on, WriteKind::Plain, (Method::POST, &url), Some(&json!({"labels": missing}))).await?;
        }
        for name in stale {
            let url = self.url(&["issues", &number, "labels", name]);
            match self.write_on::<()>(on, WriteKind::Plain, (Method::DELETE, &url), None).await {
                Ok(_) => {}
                // Somebody was faster.
                Err(error) if error.refused(StatusCode::NOT_FOUND).is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes a label in the workspace, so that it has our colour and not a random grey.
    async fn ensure_label(&self, class: WriteClass, name: &str) -> Result<(), Failure> {
        if self.labels.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(());
        }
        if self.api.find::<super::wire::LabelWire>(&self.url(&["labels", name])).await?.is_none() {
            let (color, description) = look(name);
            let new = json!({"name": name, "color": color, "description": description});
            match self.write(class, WriteKind::Plain, (Method::POST, &self.url(&["labels"])), Some(&new)).await {
                Ok(_) => {}
                // Somebody was faster, or the answer was lost: adding it to the pull request makes it if need be.
                Err(error) if error.refused(StatusCode::UNPROCESSABLE_ENTITY).is_some() => {}
                Err(error) => return Err(error),
            }
        }
        self.labels.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        Ok(())
    }

    pub(super) async fn close(&self, number: PullNumber) -> Result<(), Failure> {
        let url = self.url(&["pulls", &number.to_string()]);
        let found: Option<PullWire> = self.api.find(&url).await?;
        if found.is_none_or(|pull| pull.pull_state() == PullState::Closed) {
            return Ok(());
        }
        let on = (number, self.class(number).await?);
        let closed = json!({"state": "closed"});
        self.write_on(on, WriteKind::Plain, (Method::PATCH, &url), Some(&closed)).await.map(|_| ())
    }
}

/// A name that GitHub takes: a longer one keeps its beginning, and a digest tells it from others that begin the same.
fn short(name: &str) -> String {
    if name.chars().count() <= MAX_LABEL {
        return name.to_owned();
    }
    let digest = hex::encode(&Sha256::digest(name)[..4]);
    let begin: String = name.chars().take(MAX_LABEL - 1 - digest.len()).collect();
    format!("{begin}-{digest}")
}

/// Colour and description of a label of ours.
fn look(name: &str) -> (&'static str, &'static str) {
    match name {
        "gradus/passed" => ("0e8a16", "Every task of this pull request passed"),
        "gradus/needs-human" => ("fbca04", "A person's review is due"),
        "gradus/stuck" => ("d93f0b", "Three failed attempts on one checkpoint"),
        "gradus/our-error" => ("b60205", "Something of ours failed, nothing of the learner's"),
        name if name.starts_with("task/") => ("1d76db", "A task that this pull request is about"),
        _ => ("c5def5", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(short("task/hello"), "task/hello");
        let (one, two) = (short(&format!("task/{}a", "x".repeat(60))), short(&format!("task/{}b", "x".repeat(60))));
        assert_eq!((one.chars().count(), two.chars().count()), (MAX_LABEL, MAX_LABEL));
        assert_ne!(one, two);
    }
}
