//! The end of a test: nothing was wrong, nothing is left over.

use super::super::state::ids::IssueRef;
use super::super::state::issue::ReviewState;
use super::{Expectation, Hub, Inner};

impl Hub {
    /// Expects this to hold at the end.
    pub fn expect(&self, what: &str, holds: impl Fn(&Hub) -> bool + Send + 'static) {
        let expectation = Expectation { what: what.to_owned(), holds: Box::new(holds) };
        self.lock().expectations.push(expectation);
    }

    /// Takes what was wrong so far, for tests of the fake itself.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().violations)
    }

    /// Fails the test with everything that was wrong and everything that is left over.
    pub fn finish(&self) {
        let expectations = std::mem::take(&mut self.lock().expectations);
        let unmet = expectations.into_iter().filter(|expectation| !(expectation.holds)(self));
        let mut wrong: Vec<String> = unmet.map(|expectation| format!("expected: {}", expectation.what)).collect();
        let mut inner = self.lock();
        inner.finished = true;
        wrong.append(&mut inner.violations);
        wrong.extend(leftovers(&inner));
        drop(inner);
        assert!(wrong.is_empty(), "the fake GitHub is not content:\n  {}", wrong.join("\n  "));
    }
}

fn leftovers(inner: &Inner) -> Vec<String> {
    let mut left: Vec<String> = inner
        .planned
        .iter()
        .map(|(operation, fault)| format!("left over: {fault:?}, {operation} was never asked"))
        .collect();
    for repo in inner.state.repos.keys() {
        for (issue, pull) in inner.state.pulls(*repo) {
            let at = IssueRef { repo: *repo, number: issue.number };
            let pending = pull.reviews.iter().filter(|review| review.state == ReviewState::Pending);
            left.extend(pending.map(|review| {
                let login = inner.state.login(review.user);
                format!("left over: pending review {} of {login} on {at}, for {}", review.id, review.commit_id)
            }));
        }
    }
    left
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A test that forgets `finish` must not hide what was wrong.
        if !self.finished && !self.violations.is_empty() && !std::thread::panicking() {
            panic!(
                "the fake GitHub is not content, and the test did not call `finish`:\n  {}",
                self.violations.join("\n  ")
            );
        }
    }
}
