//! Answers to commands in comments.

use super::allowance::{self, Allowance};
use super::answer;
use super::command::Command;
use super::decide::Observed;
use super::grader::{Grader, Grading};
use super::probe::Point;
use super::pulse::What;
use super::record;
use super::run::{Reconciler, Result, blocking, standing};
use crate::forge::Forge;
use crate::forge::pull::{Author, Comment, CommentId, Marker, Permission, Pull, PullKey, PullState};

impl<F: Forge, G: Grader> Reconciler<F, G> {
    /// Answers a command: what is too much first, then permission asked now, what it records written down, one comment.
    pub(super) async fn reply(
        &self,
        key: &PullKey,
        seen: &Observed,
        pull: &Pull,
        comment: &Comment,
        command: &Command,
    ) -> Result<()> {
        let comments = self.forge.comments_after(key.number, CommentId::default()).await?;
        match allowance::allowance(&comments, comment.id) {
            Allowance::Answer => {}
            Allowance::Exceeded(again) => {
                let text = allowance::exceeded(again, seen.now);
                return self.replied(key, comment.id, &reply_marker(comment.id), &text).await;
            }
            Allowance::Answered => {
                let last = allowance::passed_over(&comments, comment.id);
                tracing::info!(pull = %key, from = comment.id.0, to = last.0, "more commands than are taken");
                return Ok(self.store.move_cursor(key, last).await?);
            }
        }
        let permission = match &comment.author {
            Author::Person(who) => Permission::of(pull, who, self.forge.standing(who).await?),
            Author::Grader => Permission::Reader,
        };
        let mut grading = self.store.grading::<Grading>(key, &pull.head).await?;
        if grading.is_none() && pull.state == PullState::Open {
            // Answered in the life of another store: what is asked about has to be known here first.
            grading = self.grade(key, seen, pull).await?;
        }
        let mut again = answer::Again::No;
        if permission >= Permission::Owner && *command == Command::Regrade {
            again = if pull.state == PullState::Closed {
                answer::Again::Closed
            } else {
                let before = grading.as_ref().map(Grading::digest);
                match self.grade(key, seen, pull).await? {
                    // The push that came meanwhile is graded anyway.
                    None => answer::Again::Moved,
                    Some(after) => {
                        let again = match before {
                            Some(before) if before != after.digest() => match () {
                                () if after.provisional() => answer::Again::Provisional,
                                () if standing(seen, &pull.head, &after.digest()) => answer::Again::Back,
                                () => answer::Again::Changed,
                            },
                            _ => answer::Again::Same,
                        };
                        grading = Some(after);
                        again
                    }
                }
            };
        }
        let book = self.gradebook.book(pull.learner())?;
        let course = self.grader.course(&pull.course);
        let by = match &comment.author {
            Author::Person(who) => who,
            Author::Grader => &pull.author,
        };
        let about = answer::About {
            pull,
            key,
            by,
            permission,
            keeping: self.gradebook.keeping(),
            grading: grading.as_ref(),
            book: &book,
            course: course.as_deref(),
            at: comment.created_at,
            again,
        };
        let answer = answer::answer(&about, command);
        let marker = Marker { record: record::of_answer(&answer.record), ..reply_marker(comment.id) };
        if !answer.record.is_empty() || !answer.decisions.is_empty() {
            self.enter(pull, answer.record.clone()).await?;
            let (gradebook, decisions) = (self.gradebook.clone(), answer.decisions.clone());
            blocking(move || gradebook.decide(&decisions)).await?;
        }
        let issue = match &answer.issue {
            Some(issue) => self.forge.open_issue(&issue.marker, &issue.title, &issue.body).await?,
            None => None,
        };
        let text = answer.with_issue(issue.as_deref()) + &answer::not_done(&comment.body);
        self.replied(key, comment.id, &marker, &text).await
    }

    async fn replied(&self, key: &PullKey, to: CommentId, marker: &Marker, text: &str) -> Result<()> {
        self.forge.post_comment(key.number, marker, text).await?;
        self.probe.pass(Point::Replied)?;
        self.store.move_cursor(key, to).await?;
        self.pulse.tell(key.number, What::Commented);
        Ok(())
    }
}

fn reply_marker(comment: CommentId) -> Marker {
    Marker::new(format!("reply:{}", comment.0))
}
