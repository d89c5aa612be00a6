//! What stands on the forge is taken in by a store that knows nothing of a pull request: after a lost disk, in a second
//! daemon, in an ephemeral run. Only texts of our own account whose seal is whole are believed; the dialect checks both.

use super::grader::Grader;
use super::record;
use super::run::{Reconciler, Result};
use crate::forge::Forge;
use crate::forge::pull::{Author, CommentId, PostedReview, Pull, PullKey};
use crate::grade::digest::OutcomeDigest;
use crate::gradebook::entry::Entry;
use crate::review::{Review, ReviewEvent, Status, StatusState};
use crate::store::journal::Recall;
use crate::submission::sha::CommitId;

impl<F: Forge, G: Grader> Reconciler<F, G> {
    pub(super) async fn recall(&self, key: &PullKey, pull: &Pull) -> Result<()> {
        let mut entries: Vec<Entry> = Vec::new();
        for posted in self.forge.reviews(key.number).await? {
            let Some((head, digest)) = ours(&posted) else { continue };
            let record = posted.marker.as_ref().and_then(|marker| marker.record.as_deref());
            let recalled = record.and_then(|record| record::recall_review(record, key, &head));
            let answered = recalled.as_ref().is_none_or(|recalled| !recalled.provisional);
            let review = Review {
                event: ReviewEvent::Comment,
                body: posted.body.clone(),
                comments: Vec::new(),
                status: Status { state: StatusState::Pending, description: String::new() },
            };
            let recall = Recall {
                head: &head,
                digest: &digest,
                answered,
                review: &review,
                record,
                review_id: &posted.id,
                at: posted.created_at,
            };
            self.store.recall(key, &recall).await?;
            entries.extend(recalled.into_iter().flat_map(|recalled| recalled.verdicts));
        }
        let mut replied = None;
        for comment in self.forge.comments_after(key.number, CommentId::default()).await? {
            let (Author::Grader, Some(marker)) = (&comment.author, &comment.marker) else { continue };
            let asked = marker.key.strip_prefix("reply:").and_then(|id| id.parse().ok()).map(CommentId);
            replied = replied.max(asked);
            entries.extend(marker.record.iter().flat_map(|record| record::recall_answer(record)));
        }
        if let Some(asked) = replied {
            self.store.move_cursor(key, asked).await?;
        }
        self.enter(pull, entries).await?;
        // Last: after a crash before this everything is taken in again, and each part of it once.
        Ok(self.store.leave(key, pull).await?)
    }
}

/// Head and outcome that a review of ours answers.
fn ours(posted: &PostedReview) -> Option<(CommitId, OutcomeDigest)> {
    let (head, digest) = posted.marker.as_ref()?.key.split_once(':')?;
    Some((head.parse().ok()?, digest.parse().ok()?))
}
