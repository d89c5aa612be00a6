//! A port that answers as the forge does and tells what it would write instead of writing it.
//!
//! What was pretended is remembered as far as reconcile looks for it again: a pull request that would be closed counts as
//! closed, labels as set; otherwise the same step would be taken for ever.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pull::{
    Comment, CommentId, Label, Marker, PostedReview, Pull, PullNumber, PullState, Standing, User, Workspace,
};
use super::{Answer, Forge, StatusBefore, WriteRoom};
use crate::review::safe::is_invisible;
use crate::review::{Review, ReviewEvent, Status};
use crate::store::time::Time;
use crate::submission::sha::CommitId;

/// Takes a whole text that says what would be written.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// The port.
pub struct DryRun<F> {
    forge: F,
    tell: Tell,
    pretended: Mutex<HashMap<PullNumber, Pretended>>,
}

#[derive(Debug, Default)]
struct Pretended {
    closed: bool,
    labels: Option<BTreeSet<Label>>,
    statuses: HashMap<CommitId, Status>,
}

impl<F: Forge> DryRun<F> {
    /// Around this port.
    pub fn new(forge: F, tell: Tell) -> Self {
        Self { forge, tell, pretended: Mutex::default() }
    }

    fn pretended(&self) -> MutexGuard<'_, HashMap<PullNumber, Pretended>> {
        // Changed in one step each: a panic elsewhere leaves it whole.
        self.pretended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, number: Option<PullNumber>, what: &str, body: &str) {
        let mut text = match number {
            Some(number) => format!("{}#{number}: would {what}", self.workspace()),
            None => format!("{}: would {what}", self.workspace()),
        };
        for line in body.lines() {
            let _ = write!(text, "\n    {}", harmless(line));
        }
        (self.tell)(&text);
    }

    fn overlaid(&self, mut pull: Pull) -> Pull {
        if let Some(pretended) = self.pretended().get(&pull.number) {
            if pretended.closed {
                pull.state = PullState::Closed;
            }
            if let Some(labels) = &pretended.labels {
                pull.labels.clone_from(labels);
            }
        }
        pull
    }
}

/// Learners' text on somebody's terminal.
fn harmless(line: &str) -> String {
    line.chars()
        .map(|c| if is_invisible(c) && c != '\t' { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

impl<F: Forge> Forge for DryRun<F> {
    fn workspace(&self) -> &Workspace {
        self.forge.workspace()
    }

    /// Always: nothing is written.
    async fn write_room(&self) -> Answer<WriteRoom> {
        Ok(WriteRoom::default())
    }

    async fn pull(&self, number: PullNumber) -> Answer<Option<Pull>> {
        Ok(self.forge.pull(number).await?.map(|pull| self.overlaid(pull)))
    }

    async fn pulls(&self, since: Option<Time>) -> Answer<Vec<Pull>> {
        let pulls = self.forge.pulls(since).await?.into_iter().map(|pull| self.overlaid(pull));
        Ok(pulls.filter(|pull| since.is_some() || pull.state == PullState::Open).collect())
    }

    async fn objects(&self, pull: &Pull) -> Answer<PathBuf> {
        self.forge.objects(pull).await
    }

    async fn reviews(&self, number: PullNumber) -> Answer<Vec<PostedReview>> {
        self.forge.reviews(number).await
    }

    async fn post_review(
        &self,
        number: PullNumber,
        head: &CommitId,
        marker: &Marker,
        review: &Review,
    ) -> Answer<String> {
        let what = match review.event {
            ReviewEvent::Comment => "review",
            ReviewEvent::Approve => "approve",
            ReviewEvent::RequestChanges => "request changes of",
        };
        let mut body = review.body.clone();
        for comment in &review.comments {
            let _ = write!(body, "\n[{}:{}]\n{}", comment.path, comment.line, comment.body);
        }
        self.say(Some(number), &format!("{what} {}", head.short()), &body);
        Ok(format!("dry-run:{}", marker.key))
    }

    async fn edit_review(&self, number: PullNumber, posted: &PostedReview, body: &str) -> Answer<()> {
        self.say(Some(number), &format!("change the review of {} to", posted.head.short()), body);
        Ok(())
    }

    async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Answer<()> {
        self.say(Some(number), &format!("fold the review of {}", posted.head.short()), "");
        Ok(())
    }

    async fn comments_after(&self, number: PullNumber, after: CommentId) -> Answer<Vec<Comment>> {
        self.forge.comments_after(number, after).await
    }

    async fn post_comment(&self, number: PullNumber, _: &Marker, body: &str) -> Answer<CommentId> {
        self.say(Some(number), "comment", body);
        Ok(CommentId::default())
    }

    async fn set_status(&self, number: PullNumber, head: &CommitId, status: &Status, _: StatusBefore) -> Answer<()> {
        let known = self.pretended().entry(number).or_default().statuses.insert(head.clone(), status.clone());
        if known.as_ref() != Some(status) {
            self.say(
                Some(number),
                &format!("set the status of {} to {}", head.short(), status.state.word()),
                &status.description,
            );
        }
        Ok(())
    }

    async fn tidy(&self, _: PullNumber) -> Answer<()> {
        Ok(())
    }

    async fn set_labels(&self, pull: &Pull, add: &BTreeSet<Label>, remove: &BTreeSet<Label>) -> Answer<()> {
        let wanted: BTreeSet<Label> = pull.labels.union(add).filter(|label| !remove.contains(label)).cloned().collect();
        if wanted == pull.labels {
            return Ok(());
        }
        let names: Vec<&str> = wanted.iter().map(|label| label.0.as_str()).collect();
        self.say(Some(pull.number), "set the labels to", &names.join(", "));
        self.pretended().entry(pull.number).or_default().labels = Some(wanted);
        Ok(())
    }

    async fn close(&self, number: PullNumber) -> Answer<()> {
        self.say(Some(number), "close", "");
        self.pretended().entry(number).or_default().closed = true;
        Ok(())
    }

    async fn open_issue(&self, _: &Marker, title: &str, body: &str) -> Answer<Option<String>> {
        self.say(None, &format!("open the issue `{}`", harmless(title)), body);
        Ok(None)
    }

    async fn standing(&self, who: &User) -> Answer<Standing> {
        self.forge.standing(who).await
    }
}
