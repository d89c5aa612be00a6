//! Rules of issues and of comments in a conversation.

use super::super::clock::Millis;
use super::ids::{IssueRef, NodeKind, RepoId, UserId};
use super::issue::{Comment, Issue};
use super::refusal::Refusal;
use super::repo::Role;
use super::{MAX_BODY, State};

impl State {
    /// Opens an issue.
    pub fn open_issue(
        &mut self,
        repo: RepoId,
        author: UserId,
        title: &str,
        body: Option<String>,
        now: Millis,
    ) -> Result<IssueRef, Refusal> {
        if title.trim().is_empty() {
            return Err(Refusal::invalid("Issue", "title", "missing_field", "title can't be blank"));
        }
        if title.chars().count() > 256 {
            return Err(Refusal::invalid("Issue", "title", "custom", "title is too long (maximum is 256 characters)"));
        }
        check_body("Issue", body.as_deref().unwrap_or("-"))?;
        let (id, number) = (self.fresh_id(), self.next_number(repo));
        let issue = Issue {
            id,
            number,
            title: title.to_owned(),
            body,
            author,
            open: true,
            labels: Vec::new(),
            comments: Vec::new(),
            pull: None,
            created_at: now,
            updated_at: now,
            closed_at: None,
        };
        self.repo_mut(repo).issues.insert(number, issue.into());
        Ok(IssueRef { repo, number })
    }

    /// Adds a comment to a conversation. Its id.
    pub fn add_comment(&mut self, at: IssueRef, user: UserId, body: String, now: Millis) -> Result<u64, Refusal> {
        check_body("IssueComment", &body)?;
        self.issue(at)?;
        let id = self.fresh_id();
        let issue = self.issue_mut(at)?;
        issue.updated_at = now;
        issue.comments.push(Comment { id, user, body, minimized: None, created_at: now, updated_at: now });
        Ok(id)
    }

    /// Where a comment is.
    pub fn find_comment(&self, repo: RepoId, id: u64) -> Result<(IssueRef, &Comment), Refusal> {
        let found = self.repo(repo).issues.values().find_map(|issue| {
            let comment = issue.comments.iter().find(|comment| comment.id == id)?;
            Some((IssueRef { repo, number: issue.number }, comment))
        });
        found.ok_or_else(Refusal::not_found)
    }

    /// Replaces a comment's body. One's own, or with the right to push.
    pub fn edit_comment(
        &mut self,
        repo: RepoId,
        id: u64,
        by: (UserId, Role),
        body: String,
        now: Millis,
    ) -> Result<(), Refusal> {
        check_body("IssueComment", &body)?;
        let at = self.own_comment(repo, id, by)?;
        let issue = self.issue_mut(at)?;
        issue.updated_at = now;
        if let Some(comment) = issue.comments.iter_mut().find(|comment| comment.id == id) {
            (comment.body, comment.updated_at) = (body, now);
        }
        Ok(())
    }

    /// Takes a comment away. One's own, or with the right to push.
    pub fn delete_comment(&mut self, repo: RepoId, id: u64, by: (UserId, Role)) -> Result<(), Refusal> {
        let at = self.own_comment(repo, id, by)?;
        self.issue_mut(at)?.comments.retain(|comment| comment.id != id);
        Ok(())
    }

    fn own_comment(&self, repo: RepoId, id: u64, (user, role): (UserId, Role)) -> Result<IssueRef, Refusal> {
        let (at, comment) = self.find_comment(repo, id)?;
        if comment.user != user && role < Role::Write {
            return Err(Refusal::forbidden("Must have admin rights to Repository."));
        }
        Ok(at)
    }

    /// Hides a review, a line comment or a comment, and says why. Where it was.
    pub fn minimize(&mut self, kind: NodeKind, id: u64, why: &str) -> Result<IssueRef, Refusal> {
        let at = self.find(|issue| match (kind, &issue.pull) {
            (NodeKind::IssueComment, _) => issue.comments.iter().any(|comment| comment.id == id),
            (NodeKind::Review, Some(pull)) => pull.review(id).is_some(),
            (NodeKind::ReviewComment, Some(pull)) => pull.line_comments().any(|(_, comment)| comment.id == id),
            _ => false,
        })?;
        let issue = self.issue_mut(at)?;
        let (reviews, threads) = match &mut issue.pull {
            Some(pull) => (pull.reviews.as_mut_slice(), pull.threads.as_mut_slice()),
            None => (&mut [][..], &mut [][..]),
        };
        let slot = match kind {
            NodeKind::Review => reviews.iter_mut().find(|review| review.id == id).map(|r| &mut r.minimized),
            NodeKind::ReviewComment => {
                threads.iter_mut().flat_map(|t| &mut t.comments).find(|c| c.id == id).map(|c| &mut c.minimized)
            }
            _ => issue.comments.iter_mut().find(|comment| comment.id == id).map(|c| &mut c.minimized),
        };
        *slot.ok_or_else(Refusal::not_found)? = Some(why.to_owned());
        Ok(at)
    }

    /// Says that a thread is done, or that it is not. Where it is.
    pub fn resolve_thread(&mut self, id: u64, resolved: bool) -> Result<IssueRef, Refusal> {
        let has = |issue: &Issue| issue.pull.as_ref().is_some_and(|pull| pull.threads.iter().any(|t| t.id == id));
        let at = self.find(has)?;
        let thread = self.pull_mut(at)?.threads.iter_mut().find(|thread| thread.id == id);
        thread.ok_or_else(Refusal::not_found)?.resolved = resolved;
        Ok(at)
    }

    /// All issues and pull requests.
    pub fn everywhere(&self) -> Vec<IssueRef> {
        let repos = self.repos.values();
        repos.flat_map(|repo| repo.issues.keys().map(|number| IssueRef { repo: repo.id, number: *number })).collect()
    }

    /// The first issue or pull request of which this is true.
    pub fn find(&self, is: impl Fn(&Issue) -> bool) -> Result<IssueRef, Refusal> {
        let repos = self.repos.values();
        let mut all = repos.flat_map(|repo| repo.issues.values().map(|issue| (repo.id, issue)));
        let found = all.find(|(_, issue)| is(issue));
        found.map(|(repo, issue)| IssueRef { repo, number: issue.number }).ok_or_else(Refusal::not_found)
    }
}

fn check_body(resource: &str, body: &str) -> Result<(), Refusal> {
    if body.trim().is_empty() {
        return Err(Refusal::invalid(resource, "body", "missing_field", "body can't be blank"));
    }
    if body.chars().count() > MAX_BODY {
        let reason = format!("Body is too long (maximum is {MAX_BODY} characters)");
        return Err(Refusal::invalid(resource, "body", "unprocessable", reason));
    }
    Ok(())
}
