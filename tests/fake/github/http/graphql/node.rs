//! Objects of the schema, and their fields.

use std::cell::RefCell;
use std::rc::Rc;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use serde_json::Value;

use super::super::super::clock::{SECOND, rfc3339};
use super::super::super::state::State;
use super::super::super::state::account::AccountKind;
use super::super::super::state::ids::{IssueRef, NodeKind, RepoId, UserId};
use super::super::super::state::issue::{Comment, Issue, Pull, Review, ReviewComment, Thread};
use super::View;
use super::connection::{Connection, Key, cursor, page};
use super::mutation;

/// An object, and what it is read from.
#[derive(Clone)]
pub struct Node {
    /// What it is read from.
    pub view: Rc<View>,
    /// Which one.
    pub kind: Kind,
}

/// Which object.
#[derive(Clone)]
pub enum Kind {
    /// Where queries begin.
    Query,
    /// Where mutations begin; they change this.
    Mutation(Rc<RefCell<State>>),
    /// A repository.
    Repository(RepoId),
    /// A pull request.
    Pull(IssueRef),
    /// A review.
    Review(IssueRef, u64),
    /// A thread of line comments.
    Thread(IssueRef, u64),
    /// A line comment.
    ReviewComment(IssueRef, u64),
    /// A comment of the conversation.
    IssueComment(IssueRef, u64),
    /// A user or a bot.
    Actor(UserId),
    /// Who asks: a `User` even when it is a bot, and then with `[bot]`.
    Viewer(UserId),
    /// A commit.
    Commit(String),
    /// A label.
    Label(RepoId, String),
    /// A page of a list.
    Connection(Connection),
    /// A member of such a page.
    Edge(&'static str, Key, Box<Kind>),
    /// What is before and after such a page.
    PageInfo(Connection),
    /// The budget.
    RateLimit,
    /// What a mutation gives back.
    Payload {
        /// Its type.
        name: &'static str,
        /// The client's own id of the mutation.
        client: Option<String>,
        /// The field of the subject.
        field: &'static str,
        /// What was changed.
        subject: Box<Kind>,
    },
}

/// What a field comes to.
pub(super) type Field<'a> = Result<ResolvedValue<'a>, FieldError>;

/// A value without fields.
pub(super) fn leaf<'a>(value: impl Into<Value>) -> Field<'a> {
    let value: Value = value.into();
    Ok(ResolvedValue::leaf(serde_json::from_value::<apollo_compiler::response::JsonValue>(value).unwrap_or_default()))
}

impl ObjectValue for Node {
    fn type_name(&self) -> &str {
        match &self.kind {
            Kind::Query => "Query",
            Kind::Mutation(_) => "Mutation",
            Kind::Repository(_) => "Repository",
            Kind::Pull(_) => "PullRequest",
            Kind::Review(..) => "PullRequestReview",
            Kind::Thread(..) => "PullRequestReviewThread",
            Kind::ReviewComment(..) => "PullRequestReviewComment",
            Kind::IssueComment(..) => "IssueComment",
            Kind::Actor(id) => match self.view.state.user(*id).kind {
                AccountKind::User => "User",
                AccountKind::Bot => "Bot",
                AccountKind::Organization => "Organization",
            },
            Kind::Viewer(_) => "User",
            Kind::Commit(_) => "Commit",
            Kind::Label(..) => "Label",
            Kind::Connection(connection) => connection.name,
            Kind::Edge(name, ..) => name,
            Kind::PageInfo(_) => "PageInfo",
            Kind::RateLimit => "RateLimit",
            Kind::Payload { name, .. } => name,
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Field<'a> {
        let state = &self.view.state;
        let found = match &self.kind {
            Kind::Query => self.query(info),
            Kind::Mutation(state) => Some(mutation::run(&self.view, state, info)),
            Kind::Repository(id) => self.repository(*id, info),
            Kind::Pull(at) => match (state.issue(*at), state.pull(*at)) {
                (Ok(issue), Ok(pull)) => self.pull(*at, issue, pull, info),
                _ => None,
            },
            Kind::Review(at, id) => {
                let review = state.pull(*at).ok().and_then(|pull| pull.review(*id));
                review.and_then(|review| self.review(*at, review, info))
            }
            Kind::Thread(at, id) => {
                let thread = state.pull(*at).ok().and_then(|pull| pull.threads.iter().find(|thread| thread.id == *id));
                thread.and_then(|thread| self.thread(*at, thread, info))
            }
            Kind::ReviewComment(at, id) => {
                let pull = state.pull(*at).ok();
                let found = pull.and_then(|pull| pull.line_comments().find(|(_, comment)| comment.id == *id));
                found.and_then(|(thread, comment)| self.review_comment(*at, thread, comment, info))
            }
            Kind::IssueComment(at, id) => {
                let issue = state.issue(*at).ok();
                let comment = issue.and_then(|issue| issue.comments.iter().find(|comment| comment.id == *id));
                comment.and_then(|comment| self.comment(comment, info))
            }
            Kind::Actor(id) => self.actor(*id, info),
            Kind::Viewer(id) if info.field_name() == "login" => Some(leaf(state.login(*id))),
            Kind::Viewer(id) => self.actor(*id, info),
            Kind::Commit(sha) => match info.field_name() {
                "oid" => Some(leaf(sha.as_str())),
                "abbreviatedOid" => Some(leaf(&sha[..7])),
                _ => None,
            },
            Kind::Label(repo, name) => match (info.field_name(), state.label(*repo, name)) {
                ("name", _) => Some(leaf(name.as_str())),
                ("id", Some(label)) => Some(leaf(NodeKind::Label.node(label.id))),
                ("color", Some(label)) => Some(leaf(label.color.as_str())),
                ("description", Some(label)) => Some(leaf(label.description.clone())),
                _ => None,
            },
            Kind::Connection(connection) => self.connection(connection, info),
            Kind::Edge(_, key, node) => match info.field_name() {
                "cursor" => Some(leaf(cursor(*key))),
                "node" => Some(self.give((**node).clone())),
                _ => None,
            },
            Kind::PageInfo(connection) => match info.field_name() {
                "hasNextPage" => Some(leaf(connection.next)),
                "hasPreviousPage" => Some(leaf(connection.previous)),
                "startCursor" => Some(leaf(connection.items.first().map(|(key, _)| cursor(*key)))),
                "endCursor" => Some(leaf(connection.items.last().map(|(key, _)| cursor(*key)))),
                _ => None,
            },
            Kind::RateLimit => match info.field_name() {
                "cost" => Some(leaf(1)),
                "nodeCount" => Some(leaf(100)),
                "resetAt" => {
                    let seconds = self.view.budget["reset"].as_i64().unwrap_or_default();
                    Some(leaf(rfc3339(seconds * SECOND)))
                }
                name @ ("limit" | "remaining" | "used") => Some(leaf(self.view.budget[name].clone())),
                _ => None,
            },
            Kind::Payload { client, field, subject, .. } => match info.field_name() {
                "clientMutationId" => Some(leaf(client.clone())),
                name if name == *field => Some(self.give((**subject).clone())),
                _ => None,
            },
        };
        found.unwrap_or_else(|| {
            let what = format!("the fake does not know the field {}.{}", self.type_name(), info.field_name());
            self.view.unknown.borrow_mut().push(what.clone());
            Err(FieldError { message: what })
        })
    }
}

impl Node {
    pub(super) fn give<'a>(&self, kind: Kind) -> Field<'a> {
        Ok(ResolvedValue::object(Node { view: Rc::clone(&self.view), kind }))
    }

    pub(super) fn maybe<'a>(&self, kind: Option<Kind>) -> Field<'a> {
        Ok(ResolvedValue::nullable_object(kind.map(|kind| Node { view: Rc::clone(&self.view), kind })))
    }

    fn query<'a>(&self, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        let text =
            |name: &str| info.arguments().get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let nobody = |what: String| Some(Err(FieldError { message: what }));
        match info.field_name() {
            "viewer" => Some(self.give(Kind::Viewer(self.view.user))),
            "rateLimit" => Some(self.give(Kind::RateLimit)),
            "repository" => {
                let (owner, name) = (text("owner"), text("name"));
                let found = self.view.state.repo_named(&owner, &name).filter(|repo| self.view.sees(repo.id));
                match found {
                    Some(repo) => Some(self.give(Kind::Repository(repo.id))),
                    None => nobody(format!("Could not resolve to a Repository with the name '{owner}/{name}'.")),
                }
            }
            "node" => match self.node(&text("id")) {
                Some(kind) => Some(self.give(kind)),
                None => nobody(format!("Could not resolve to a node with the global id of '{}'", text("id"))),
            },
            "nodes" => {
                let ids = info.arguments().get("ids").and_then(|ids| ids.as_array()).cloned().unwrap_or_default();
                let nodes: Vec<Node> = ids
                    .iter()
                    .filter_map(|id| self.node(id.as_str()?))
                    .map(|kind| Node { view: Rc::clone(&self.view), kind })
                    .collect();
                Some(Ok(ResolvedValue::list(nodes.into_iter().map(ResolvedValue::object))))
            }
            _ => None,
        }
    }

    /// The object with this node id, if it may be seen.
    fn node(&self, text: &str) -> Option<Kind> {
        let (kind, id) = NodeKind::parse(text)?;
        let state = &self.view.state;
        let at = |is: &dyn Fn(&Issue) -> bool| state.find(is).ok().filter(|at| self.view.sees(at.repo));
        let of_pull = |is: &dyn Fn(&Pull) -> bool| at(&|issue| issue.pull.as_ref().is_some_and(is));
        match kind {
            NodeKind::User | NodeKind::Bot => state.users.contains_key(&UserId(id)).then_some(Kind::Actor(UserId(id))),
            NodeKind::Repository => {
                let repo = RepoId(id);
                (state.repos.contains_key(&repo) && self.view.sees(repo)).then_some(Kind::Repository(repo))
            }
            NodeKind::Pull => of_pull(&|pull| pull.id == id).map(Kind::Pull),
            NodeKind::Review => {
                let at = of_pull(&|pull| pull.review(id).is_some())?;
                state.visible_review(at, id, Some(self.view.user)).ok().map(|_| Kind::Review(at, id))
            }
            NodeKind::Thread => {
                of_pull(&|pull| pull.threads.iter().any(|thread| thread.id == id)).map(|at| Kind::Thread(at, id))
            }
            NodeKind::ReviewComment => {
                let has = |pull: &Pull| pull.line_comments().any(|(_, comment)| comment.id == id);
                of_pull(&has).map(|at| Kind::ReviewComment(at, id))
            }
            NodeKind::IssueComment => {
                let has = |issue: &Issue| issue.comments.iter().any(|comment| comment.id == id);
                at(&has).map(|at| Kind::IssueComment(at, id))
            }
            _ => None,
        }
    }

    fn repository<'a>(&self, id: RepoId, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        let repo = self.view.state.repo(id);
        match info.field_name() {
            "id" => Some(leaf(NodeKind::Repository.node(id.0))),
            "databaseId" => Some(leaf(id.0)),
            "name" => Some(leaf(repo.name.as_str())),
            "nameWithOwner" => Some(leaf(self.view.state.full_name(repo))),
            "isPrivate" => Some(leaf(repo.private)),
            "isFork" => Some(leaf(repo.parent.is_some())),
            "owner" => Some(self.give(Kind::Actor(repo.owner))),
            "pullRequest" => {
                let number = info.arguments().get("number").and_then(|number| number.as_u64()).unwrap_or(0);
                let at = IssueRef { repo: id, number };
                Some(match self.view.state.pull(at) {
                    Ok(_) => self.give(Kind::Pull(at)),
                    Err(_) => Err(FieldError {
                        message: format!("Could not resolve to a PullRequest with the number of {number}."),
                    }),
                })
            }
            "pullRequests" => Some(self.pulls(id, info)),
            _ => None,
        }
    }

    fn review<'a>(&self, at: IssueRef, review: &Review, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        Some(match info.field_name() {
            "id" => leaf(NodeKind::Review.node(review.id)),
            "databaseId" => leaf(review.id),
            "fullDatabaseId" => leaf(review.id.to_string()),
            "body" => leaf(review.body.as_str()),
            "state" => leaf(review.state.word()),
            "submittedAt" => leaf(review.submitted_at.map(rfc3339)),
            "createdAt" => leaf(rfc3339(review.created_at)),
            "viewerDidAuthor" => leaf(review.user == self.view.user),
            "isMinimized" => leaf(review.minimized.is_some()),
            "minimizedReason" => leaf(review.minimized.clone()),
            "author" => self.give(Kind::Actor(review.user)),
            "commit" => self.give(Kind::Commit(review.commit_id.clone())),
            "pullRequest" => self.give(Kind::Pull(at)),
            "comments" => {
                let comments = self.view.state.pull(at).ok()?.comments_of(review.id);
                let all = comments.map(|(_, c)| ((c.created_at, c.id), Kind::ReviewComment(at, c.id))).collect();
                page(
                    &self.view,
                    info,
                    ("PullRequestReviewCommentConnection", "PullRequestReviewCommentEdge"),
                    all,
                    false,
                )
            }
            _ => return None,
        })
    }

    fn thread<'a>(&self, at: IssueRef, thread: &Thread, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        Some(match info.field_name() {
            "id" => leaf(NodeKind::Thread.node(thread.id)),
            "isResolved" => leaf(thread.resolved),
            "isOutdated" => leaf(thread.outdated),
            "path" => leaf(thread.anchor.path.as_str()),
            "line" => leaf((!thread.outdated).then_some(thread.anchor.line)),
            "originalLine" => leaf(thread.anchor.line),
            "diffSide" => leaf(thread.anchor.side.word()),
            "comments" => {
                let comments = thread.comments.iter();
                let all = comments.map(|c| ((c.created_at, c.id), Kind::ReviewComment(at, c.id))).collect();
                page(
                    &self.view,
                    info,
                    ("PullRequestReviewCommentConnection", "PullRequestReviewCommentEdge"),
                    all,
                    false,
                )
            }
            _ => return None,
        })
    }

    fn review_comment<'a>(
        &self,
        at: IssueRef,
        thread: &Thread,
        comment: &ReviewComment,
        info: &ResolveInfo<'a>,
    ) -> Option<Field<'a>> {
        Some(match info.field_name() {
            "id" => leaf(NodeKind::ReviewComment.node(comment.id)),
            "databaseId" => leaf(comment.id),
            "fullDatabaseId" => leaf(comment.id.to_string()),
            "body" => leaf(comment.body.as_str()),
            "path" => leaf(thread.anchor.path.as_str()),
            "createdAt" => leaf(rfc3339(comment.created_at)),
            "isMinimized" => leaf(comment.minimized.is_some()),
            "minimizedReason" => leaf(comment.minimized.clone()),
            "author" => self.give(Kind::Actor(comment.user)),
            "viewerDidAuthor" => leaf(comment.user == self.view.user),
            "pullRequestReview" => self.give(Kind::Review(at, comment.review)),
            _ => return None,
        })
    }

    fn comment<'a>(&self, comment: &Comment, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        Some(match info.field_name() {
            "id" => leaf(NodeKind::IssueComment.node(comment.id)),
            "databaseId" => leaf(comment.id),
            "fullDatabaseId" => leaf(comment.id.to_string()),
            "body" => leaf(comment.body.as_str()),
            "createdAt" => leaf(rfc3339(comment.created_at)),
            "updatedAt" => leaf(rfc3339(comment.updated_at)),
            "isMinimized" => leaf(comment.minimized.is_some()),
            "minimizedReason" => leaf(comment.minimized.clone()),
            "author" => self.give(Kind::Actor(comment.user)),
            "viewerDidAuthor" => leaf(comment.user == self.view.user),
            _ => return None,
        })
    }

    fn actor<'a>(&self, id: UserId, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        let user = self.view.state.user(id);
        let node = if user.kind == AccountKind::Bot { NodeKind::Bot } else { NodeKind::User };
        Some(match info.field_name() {
            "id" => leaf(node.node(id.0)),
            "databaseId" => leaf(id.0),
            // Unlike REST, which says `gradus[bot]`.
            "login" => leaf(user.login.trim_end_matches("[bot]")),
            _ => return None,
        })
    }

    fn connection<'a>(&self, connection: &Connection, info: &ResolveInfo<'a>) -> Option<Field<'a>> {
        let node = |kind: &Kind| Node { view: Rc::clone(&self.view), kind: kind.clone() };
        Some(match info.field_name() {
            "totalCount" => leaf(connection.total),
            "pageInfo" => self.give(Kind::PageInfo(connection.clone())),
            "nodes" => {
                let nodes: Vec<Node> = connection.items.iter().map(|(_, kind)| node(kind)).collect();
                Ok(ResolvedValue::list(nodes.into_iter().map(ResolvedValue::object)))
            }
            "edges" => {
                let edge = |(key, kind): &(Key, Kind)| node(&Kind::Edge(connection.edge, *key, Box::new(kind.clone())));
                let edges: Vec<Node> = connection.items.iter().map(edge).collect();
                Ok(ResolvedValue::list(edges.into_iter().map(ResolvedValue::object)))
            }
            _ => return None,
        })
    }
}
