//! What a test looks at.

use std::sync::Arc;

use super::super::faults::Fault;
use super::super::state::State;
use super::super::state::hooks::Delivery;
use super::super::state::ids::{IssueRef, RepoId, UserId};
use super::super::state::issue::{Comment, Issue, Pull, Review, ReviewState, Thread};
use super::super::state::repo::Status;
use super::{Hub, Record, must};

impl Hub {
    /// Everything, as it is now.
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// A pull request as an issue: title, labels, comments.
    pub fn issue(&self, at: IssueRef) -> Issue {
        must(self.lock().state.issue(at)).clone()
    }

    /// A pull request: heads, reviews, threads.
    pub fn pull(&self, at: IssueRef) -> Pull {
        must(self.lock().state.pull(at)).clone()
    }

    /// Reviews that everybody sees, oldest first.
    pub fn visible_reviews(&self, at: IssueRef) -> Vec<Review> {
        let reviews = self.pull(at).reviews;
        reviews.into_iter().filter(|review| review.state != ReviewState::Pending).collect()
    }

    /// Visible reviews of one user.
    pub fn reviews_by(&self, at: IssueRef, user: UserId) -> Vec<Review> {
        self.visible_reviews(at).into_iter().filter(|review| review.user == user).collect()
    }

    /// Reviews that were begun and not submitted.
    pub fn pending_reviews(&self, at: IssueRef) -> Vec<Review> {
        let reviews = self.pull(at).reviews;
        reviews.into_iter().filter(|review| review.state == ReviewState::Pending).collect()
    }

    /// Ids of hidden reviews, and why each is hidden.
    pub fn minimized(&self, at: IssueRef) -> Vec<(u64, String)> {
        let reviews = self.pull(at).reviews;
        reviews.into_iter().filter_map(|review| Some((review.id, review.minimized?))).collect()
    }

    /// Threads of line comments, those of pending reviews included.
    pub fn threads(&self, at: IssueRef) -> Vec<Thread> {
        self.pull(at).threads
    }

    /// Comments of the conversation, oldest first.
    pub fn comments(&self, at: IssueRef) -> Vec<Comment> {
        self.issue(at).comments
    }

    /// Names of labels, sorted.
    pub fn labels(&self, at: IssueRef) -> Vec<String> {
        let mut labels = self.issue(at).labels;
        labels.sort();
        labels
    }

    /// The newest status of each context.
    pub fn statuses(&self, repo: RepoId, sha: &str) -> Vec<Status> {
        self.lock().state.combined_status(repo, sha).into_iter().cloned().collect()
    }

    /// All statuses, oldest first: how often one was written.
    pub fn all_statuses(&self, repo: RepoId, sha: &str) -> Vec<Status> {
        let mut all: Vec<Status> = self.lock().state.statuses(repo, sha).cloned().collect();
        all.reverse();
        all
    }

    /// Issues that are no pull requests.
    pub fn issues(&self, repo: RepoId) -> Vec<Issue> {
        let inner = self.lock();
        let issues = inner.state.repo(repo).issues.values();
        issues.filter(|issue| issue.pull.is_none()).map(|issue| issue.as_ref().clone()).collect()
    }

    /// Every request that came.
    pub fn calls(&self) -> Vec<Record> {
        self.lock().calls.clone()
    }

    /// Whether the last request that came was answered with what is true now, should it have been a read.
    pub fn last_was_fresh(&self) -> bool {
        let inner = self.lock();
        let fault = inner.calls.last().and_then(|record| record.fault.as_ref());
        inner.lag == 0 && !matches!(fault, Some(Fault::Stale(_)))
    }

    /// How many requests of an operation came, as in `pulls/create-review`.
    pub fn count(&self, operation: &str) -> usize {
        self.lock().calls.iter().filter(|record| record.asked.operation == operation).count()
    }

    /// Deliveries that nobody took yet, oldest first.
    pub fn take_deliveries(&self) -> Vec<Arc<Delivery>> {
        let mut inner = self.lock();
        let fresh = inner.state.deliveries[inner.taken..].to_vec();
        inner.taken = inner.state.deliveries.len();
        fresh
    }

    /// The receiver answered a delivery.
    pub fn delivered(&self, id: u64, status: u16) {
        self.change(|state, _| {
            if let Some(delivery) = state.deliveries.iter_mut().find(|delivery| delivery.id == id) {
                Arc::make_mut(delivery).status = Some(status);
            }
        });
    }
}
