//! What must hold at rest, whatever happened before.

use std::collections::BTreeMap;

use gradus::forge::pull::PullNumber;
use gradus::forge::seal::Place;

use super::learners::{Learners, Story};
use super::world::World;
use crate::fake_github::state::ids::IssueRef;

/// What does not hold, if anything.
pub fn judge(world: &World) -> Result<(), String> {
    let learners = world.learners();
    if let Some(wrong) = learners.wrong.first() {
        return Err(wrong.clone());
    }
    for (number, story) in &learners.stories {
        let one = One { world, at: world.at(*number), story, learners: &learners };
        let judged = one.reviews().and_then(|()| one.shown()).and_then(|()| one.answers());
        judged.map_err(|what| format!("#{number}: {what}"))?;
    }
    drop(learners);
    world.hub.finish();
    Ok(())
}

/// A pull request.
struct One<'a> {
    world: &'a World,
    at: IssueRef,
    story: &'a Story,
    learners: &'a Learners,
}

impl One<'_> {
    /// The key of the marker in a text of ours.
    fn key(&self, text: &str) -> Option<String> {
        let (workspace, number) = (self.world.workspace(), PullNumber(self.at.number as i64));
        self.world.seal().open(Place { workspace: &workspace, number: Some(number) }, text).1.map(|marker| marker.key)
    }

    /// One of each head at most, since a head has one verdict here; none of anything else; the newest head has one.
    /// GitHub lets nobody take back what was submitted, so what holds now held at every moment.
    fn reviews(&self) -> Result<(), String> {
        let reviews = self.world.hub.reviews_by(self.at, self.world.me);
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for review in &reviews {
            let head = review.commit_id.as_str();
            let sealed = self.key(&review.body).is_some_and(|key| key.starts_with(head));
            if !sealed || self.story.heads.iter().all(|known| known != head) {
                return Err(format!("a review that is of no head: {review:#?}"));
            }
            *seen.entry(head).or_default() += 1;
        }
        if let Some((head, times)) = seen.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{times} reviews of {head}: {reviews:#?}"));
        }
        let head = self.world.hub.pull(self.at).head_sha;
        if self.world.hub.issue(self.at).open && !seen.contains_key(head.as_str()) {
            return Err(format!("the head {head} was never answered: {reviews:#?}"));
        }
        match self.world.hub.pending_reviews(self.at).as_slice() {
            [] => Ok(()),
            pending => Err(format!("left pending: {pending:#?}")),
        }
    }

    /// Status and labels tell the verdict of the head.
    fn shown(&self) -> Result<(), String> {
        if !self.world.hub.issue(self.at).open {
            return Ok(());
        }
        let head = self.world.hub.pull(self.at).head_sha;
        let (says, passes) = self.learners.verdict(&head);
        let state = if passes { "success" } else { "failure" };
        let wanted = [(state.to_owned(), Some(says))];
        let statuses = self.world.hub.statuses(self.world.repo, &head);
        let shown: Vec<_> = statuses.into_iter().map(|status| (status.state, status.description)).collect();
        if shown != wanted {
            return Err(format!("{head} shows {shown:?} and not {wanted:?}"));
        }
        let labels = self.world.hub.labels(self.at);
        let has = |name: &str| labels.iter().any(|label| label == name);
        if has("gradus/passed") != passes || !has("task/first") {
            return Err(format!("{wanted:?} at {head}, and labels {labels:?}"));
        }
        Ok(())
    }

    /// One to each command, and nothing else.
    fn answers(&self) -> Result<(), String> {
        let comments = self.world.hub.comments(self.at).into_iter();
        let ours = comments.filter(|comment| comment.user == self.world.me);
        let mut given: Vec<Option<String>> = ours.map(|comment| self.key(&comment.body)).collect();
        let mut wanted: Vec<_> = self.story.commands.iter().map(|id| Some(format!("reply:{id}"))).collect();
        given.sort();
        wanted.sort();
        if given != wanted {
            return Err(format!("the answers are {given:?} and not {wanted:?}"));
        }
        Ok(())
    }
}
