//! Rules of reviews: `reference/forges.md` §7, and what others saw on the real GitHub.

use super::super::clock::Millis;
use super::diff::Anchor;
use super::ids::{IssueRef, UserId};
use super::issue::{Review, ReviewComment, ReviewState, Thread};
use super::refusal::Refusal;
use super::repo::Role;
use super::{MAX_BODY, State};

/// What a review is submitted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewEvent {
    /// Without a verdict.
    Comment,
    /// For.
    Approve,
    /// Against.
    RequestChanges,
}

impl ReviewEvent {
    /// Reads the word in JSON.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "COMMENT" => Some(Self::Comment),
            "APPROVE" => Some(Self::Approve),
            "REQUEST_CHANGES" => Some(Self::RequestChanges),
            _ => None,
        }
    }

    fn state(self) -> ReviewState {
        match self {
            Self::Comment => ReviewState::Commented,
            Self::Approve => ReviewState::Approved,
            Self::RequestChanges => ReviewState::ChangesRequested,
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct NewReview {
    /// The commit; none: the newest.
    pub commit_id: Option<String>,
    /// Markdown.
    pub body: String,
    /// None leaves it pending.
    pub event: Option<ReviewEvent>,
    /// Line comments.
    pub comments: Vec<(Anchor, String)>,
}

impl State {
    /// Begins a review, and submits it when it has an event. Its id.
    pub fn create_review(&mut self, at: IssueRef, user: UserId, new: NewReview, now: Millis) -> Result<u64, Refusal> {
        let author = self.issue(at)?.author;
        let pull = self.pull(at)?;
        let commit = new.commit_id.unwrap_or_else(|| pull.head_sha.clone());
        // Measured by others on the real one: this refuses a review with an event as well (max-sixty/tend#1171).
        if pull.reviews.iter().any(|review| review.user == user && review.state == ReviewState::Pending) {
            return Err(Refusal::unprocessable("User can only have one pending review per pull request"));
        }
        if !pull.commits.contains(&commit) {
            return Err(Refusal::unprocessable("The commit_id is not part of the pull request"));
        }
        check_length(&new.body)?;
        for (anchor, body) in &new.comments {
            check_length(body)?;
            if body.trim().is_empty() {
                return Err(Refusal::unprocessable("Body can't be blank"));
            }
            if let Some(diff) = &pull.diff {
                // Which comment it was is not said.
                diff.allows(anchor).map_err(Refusal::unprocessable)?;
            }
        }
        if let Some(event) = new.event {
            check_event(event, &new.body, author == user)?;
        }
        let id = self.fresh_id();
        let threads: Vec<Thread> = new
            .comments
            .into_iter()
            .map(|(anchor, body)| {
                let comment = ReviewComment {
                    id: self.fresh_id(),
                    review: id,
                    user,
                    body,
                    commit_id: commit.clone(),
                    minimized: None,
                    created_at: now,
                };
                Thread { id: self.fresh_id(), anchor, outdated: false, resolved: false, comments: vec![comment] }
            })
            .collect();
        let review = Review {
            id,
            user,
            body: new.body,
            state: new.event.map_or(ReviewState::Pending, ReviewEvent::state),
            commit_id: commit,
            submitted_at: new.event.map(|_| now),
            created_at: now,
            minimized: None,
        };
        let issue = self.issue_mut(at)?;
        if new.event.is_some() {
            issue.updated_at = now;
        }
        let pull = issue.pull.as_mut().ok_or_else(Refusal::not_found)?;
        pull.threads.extend(threads);
        pull.reviews.push(review);
        Ok(id)
    }

    /// Makes a pending review visible.
    pub fn submit_review(
        &mut self,
        at: IssueRef,
        id: u64,
        user: UserId,
        event: ReviewEvent,
        body: Option<String>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let own = self.issue(at)?.author == user;
        let pull = self.pull(at)?;
        let review = self.visible_review(at, id, Some(user))?;
        if review.user != user {
            return Err(Refusal::not_found());
        }
        if review.state != ReviewState::Pending {
            return Err(Refusal::unprocessable("Can not submit a pull request review that is not pending"));
        }
        let body = body.unwrap_or_else(|| review.body.clone());
        check_length(&body)?;
        check_event(event, &body, own)?;
        if !pull.commits.contains(&review.commit_id) {
            return Err(Refusal::unprocessable("The commit_id is not part of the pull request"));
        }
        let issue = self.issue_mut(at)?;
        issue.updated_at = now;
        let review = own_review(issue.pull.as_mut().map(|pull| &mut pull.reviews), id)?;
        review.body = body;
        review.state = event.state();
        review.submitted_at = Some(now);
        Ok(())
    }

    /// Replaces the body of one's own review.
    pub fn edit_review(
        &mut self,
        at: IssueRef,
        id: u64,
        user: UserId,
        body: String,
        now: Millis,
    ) -> Result<(), Refusal> {
        if self.visible_review(at, id, Some(user))?.user != user {
            return Err(Refusal::forbidden("Must be the author of the review"));
        }
        check_length(&body)?;
        if body.trim().is_empty() {
            return Err(Refusal::unprocessable("Body can't be blank"));
        }
        let issue = self.issue_mut(at)?;
        let review = own_review(issue.pull.as_mut().map(|pull| &mut pull.reviews), id)?;
        review.body = body;
        if review.state != ReviewState::Pending {
            issue.updated_at = now;
        }
        Ok(())
    }

    /// Takes a pending review away, with its comments.
    pub fn delete_review(&mut self, at: IssueRef, id: u64, user: UserId) -> Result<Review, Refusal> {
        let review = self.visible_review(at, id, Some(user))?.clone();
        if review.state != ReviewState::Pending {
            return Err(Refusal::unprocessable("Can not delete a non-pending pull request review"));
        }
        let pull = self.pull_mut(at)?;
        pull.reviews.retain(|other| other.id != id);
        pull.threads.iter_mut().for_each(|thread| thread.comments.retain(|comment| comment.review != id));
        pull.threads.retain(|thread| !thread.comments.is_empty());
        Ok(review)
    }

    /// Takes the verdict of a review back. Needs the right to push.
    pub fn dismiss_review(&mut self, at: IssueRef, id: u64, role: Role, now: Millis) -> Result<(), Refusal> {
        if role < Role::Write {
            return Err(Refusal::forbidden("Must have write access to dismiss a review"));
        }
        match self.visible_review(at, id, None)?.state {
            ReviewState::Approved | ReviewState::ChangesRequested => {}
            other => {
                let word = other.word().to_ascii_lowercase();
                return Err(Refusal::unprocessable(format!("Can not dismiss a {word} pull request review")));
            }
        }
        let issue = self.issue_mut(at)?;
        issue.updated_at = now;
        own_review(issue.pull.as_mut().map(|pull| &mut pull.reviews), id)?.state = ReviewState::Dismissed;
        Ok(())
    }

    /// A review, if this user may see it: a pending one is its author's alone.
    pub fn visible_review(&self, at: IssueRef, id: u64, user: Option<UserId>) -> Result<&Review, Refusal> {
        let review = self.pull(at)?.review(id).ok_or_else(Refusal::not_found)?;
        let seen = review.state != ReviewState::Pending || Some(review.user) == user;
        if seen { Ok(review) } else { Err(Refusal::not_found()) }
    }

    /// The reviews that this user may see, oldest first.
    pub fn reviews_seen_by(&self, at: IssueRef, user: Option<UserId>) -> Result<Vec<&Review>, Refusal> {
        let reviews = self.pull(at)?.reviews.iter();
        Ok(reviews.filter(|review| review.state != ReviewState::Pending || Some(review.user) == user).collect())
    }
}

fn own_review(reviews: Option<&mut Vec<Review>>, id: u64) -> Result<&mut Review, Refusal> {
    reviews.and_then(|all| all.iter_mut().find(|review| review.id == id)).ok_or_else(Refusal::not_found)
}

fn check_length(body: &str) -> Result<(), Refusal> {
    if body.chars().count() > MAX_BODY {
        return Err(Refusal::unprocessable(format!("Body is too long (maximum is {MAX_BODY} characters)")));
    }
    Ok(())
}

fn check_event(event: ReviewEvent, body: &str, own: bool) -> Result<(), Refusal> {
    match event {
        ReviewEvent::Approve if own => Err(Refusal::unprocessable("Can not approve your own pull request")),
        ReviewEvent::RequestChanges if own => {
            Err(Refusal::unprocessable("Can not request changes on your own pull request"))
        }
        ReviewEvent::Comment | ReviewEvent::RequestChanges if body.trim().is_empty() => {
            Err(Refusal::unprocessable("Body can't be blank"))
        }
        _ => Ok(()),
    }
}
