//! Pull requests in GraphQL: lists of them, their fields, their reviews.

use apollo_compiler::resolvers::ResolveInfo;

use super::super::super::clock::rfc3339;
use super::super::super::state::ids::{IssueRef, NodeKind, RepoId};
use super::super::super::state::issue::{Issue, Pull, Review, ReviewComment, ReviewState};
use super::connection::{Key, page};
use super::node::{Field, Kind, Node, leaf};

impl Node {
    /// `Repository.pullRequests`.
    pub(super) fn pulls<'a>(&self, repo: RepoId, info: &ResolveInfo<'a>) -> Field<'a> {
        let arguments = info.arguments();
        let states = arguments.get("states").and_then(|states| states.as_array());
        let wanted = |word: &str| states.is_none_or(|all| all.iter().any(|state| state.as_str() == Some(word)));
        let text = |name: &str| arguments.get(name).and_then(|value| value.as_str());
        let order = |name: &str| arguments.get("orderBy").and_then(|order| order.get(name)?.as_str());
        let key = |issue: &Issue| match order("field") {
            Some("UPDATED_AT") => (issue.updated_at, issue.number),
            Some("COMMENTS") => (issue.comments.len() as i64, issue.number),
            _ => (issue.created_at, issue.number),
        };
        let mut all: Vec<(Key, Kind)> = self
            .view
            .state
            .pulls(repo)
            .filter(|(issue, pull)| wanted(state_word(issue, pull)))
            .filter(|(_, pull)| text("baseRefName").is_none_or(|base| base == pull.base_ref))
            .filter(|(_, pull)| text("headRefName").is_none_or(|head| head == pull.head_ref))
            .map(|(issue, _)| (key(issue), Kind::Pull(IssueRef { repo, number: issue.number })))
            .collect();
        all.sort_by_key(|(key, _)| *key);
        let descending = order("direction") == Some("DESC");
        if descending {
            all.reverse();
        }
        page(&self.view, info, ("PullRequestConnection", "PullRequestEdge"), all, descending)
    }

    /// A field of a pull request; none when the fake does not know it.
    pub(super) fn pull<'a>(
        &self,
        at: IssueRef,
        issue: &Issue,
        pull: &Pull,
        info: &ResolveInfo<'a>,
    ) -> Option<Field<'a>> {
        let list = |names, all| Some(page(&self.view, info, names, all, false));
        Some(match info.field_name() {
            "id" => leaf(NodeKind::Pull.node(pull.id)),
            "databaseId" => leaf(pull.id),
            "fullDatabaseId" => leaf(pull.id.to_string()),
            "number" => leaf(at.number),
            "title" => leaf(issue.title.as_str()),
            "body" => leaf(issue.body.clone().unwrap_or_default()),
            "state" => leaf(state_word(issue, pull)),
            "closed" => leaf(!issue.open),
            "merged" => leaf(pull.merged_at.is_some()),
            "isDraft" => leaf(pull.draft),
            "isCrossRepository" => leaf(pull.head_repo != Some(at.repo)),
            "createdAt" => leaf(rfc3339(issue.created_at)),
            "updatedAt" => leaf(rfc3339(issue.updated_at)),
            "closedAt" => leaf(issue.closed_at.map(rfc3339)),
            "mergedAt" => leaf(pull.merged_at.map(rfc3339)),
            "headRefOid" => leaf(pull.head_sha.as_str()),
            "headRefName" => leaf(pull.head_ref.as_str()),
            "baseRefOid" => leaf(pull.base_sha.as_str()),
            "baseRefName" => leaf(pull.base_ref.as_str()),
            "headRepository" => self.maybe(pull.head_repo.map(Kind::Repository)),
            "headRepositoryOwner" => self.maybe(pull.head_repo.map(|_| Kind::Actor(pull.head_owner))),
            "baseRepository" | "repository" => self.give(Kind::Repository(at.repo)),
            "author" => self.give(Kind::Actor(issue.author)),
            "labels" => {
                let labels = issue.labels.iter().enumerate();
                let all = labels.map(|(n, name)| ((n as i64, 0), Kind::Label(at.repo, name.clone()))).collect();
                return list(("LabelConnection", "LabelEdge"), all);
            }
            "comments" => {
                let comments = issue.comments.iter();
                let all = comments.map(|c| ((c.created_at, c.id), Kind::IssueComment(at, c.id))).collect();
                return list(("IssueCommentConnection", "IssueCommentEdge"), all);
            }
            "reviews" => {
                return list(("PullRequestReviewConnection", "PullRequestReviewEdge"), self.reviews(at, pull, info));
            }
            "reviewThreads" => {
                let mine =
                    |c: &ReviewComment| self.view.state.visible_review(at, c.review, Some(self.view.user)).is_ok();
                let threads = pull.threads.iter().filter(|thread| thread.comments.iter().any(mine));
                let all = threads.map(|thread| ((0, thread.id), Kind::Thread(at, thread.id))).collect();
                return list(("PullRequestReviewThreadConnection", "PullRequestReviewThreadEdge"), all);
            }
            _ => return None,
        })
    }

    fn reviews(&self, at: IssueRef, pull: &Pull, info: &ResolveInfo<'_>) -> Vec<(Key, Kind)> {
        let states = info.arguments().get("states").and_then(|states| states.as_array());
        let author = info.arguments().get("author").and_then(|author| author.as_str());
        let by = |review: &Review| {
            author.is_none_or(|wanted| {
                let login = self.view.state.login(review.user);
                login == wanted || login.strip_suffix("[bot]") == Some(wanted)
            })
        };
        pull.reviews
            .iter()
            .filter(|review| review.state != ReviewState::Pending || review.user == self.view.user)
            .filter(|review| states.is_none_or(|all| all.iter().any(|s| s.as_str() == Some(review.state.word()))))
            .filter(|review| by(review))
            .map(|review| ((review.created_at, review.id), Kind::Review(at, review.id)))
            .collect()
    }
}

fn state_word(issue: &Issue, pull: &Pull) -> &'static str {
    match (issue.open, pull.merged_at) {
        (true, _) => "OPEN",
        (false, Some(_)) => "MERGED",
        (false, None) => "CLOSED",
    }
}
