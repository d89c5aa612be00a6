//! GraphQL, for what REST cannot do: folding reviews, resolving threads, and asking who a token of Actions is.
//!
//! A fold is a nicety: it is written only while nobody else needs the budget.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::wire::{Account, ReviewWire};
use super::{Inner, PAGE};
use crate::forge::budget::{WriteClass, WriteKind};
use crate::forge::http::failure::{Failure, Refusal, RefusalKind, RequestId};
use crate::forge::pull::{PostedReview, PullNumber};
use crate::review::safe;

/// Most threads of one review that are resolved: as many as it may have line comments.
const MAX_THREADS: usize = crate::review::MAX_COMMENTS;

/// Who asks. The login of an App is without its `[bot]` here.
const VIEWER: &str = "query { viewer { databaseId } }";

/// The threads of a pull request with the review that each began in, and whether a review is folded.
const THREADS: &str = "query($owner: String!, $name: String!, $number: Int!, $review: ID!, $after: String) {
  node(id: $review) { ... on PullRequestReview { isMinimized } }
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id isResolved comments(first: 1) { nodes { pullRequestReview { id } } } }
      }
    }
  }
}";

#[derive(Serialize)]
struct Question<'a> {
    query: &'a str,
    variables: Value,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    /// As in `FORBIDDEN`; not every error has one.
    #[serde(rename = "type", default)]
    kind: String,
    message: String,
}

#[derive(Deserialize)]
struct ViewerData {
    viewer: Viewer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Viewer {
    database_id: u64,
}

#[derive(Deserialize)]
struct ThreadData {
    node: Option<Folded>,
    repository: Option<Repository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Folded {
    is_minimized: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    pull_request: Option<PullRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PullRequest {
    review_threads: Threads,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Threads {
    page_info: PageInfo,
    nodes: Vec<Thread>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Thread {
    id: String,
    is_resolved: bool,
    comments: Comments,
}

#[derive(Deserialize)]
struct Comments {
    nodes: Vec<First>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct First {
    pull_request_review: Option<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// What a fold has to write.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// The review's node when it is not folded yet.
    fold: Option<String>,
    /// Threads that it began and that are open.
    resolve: Vec<String>,
}

impl Wanted {
    /// One document that does everything, and its variables; none when there is nothing to do.
    fn document(&self) -> Option<(String, Value)> {
        let fold = self
            .fold
            .iter()
            .map(|id| ("fold".to_owned(), id, "minimizeComment", "subjectId", ", classifier: OUTDATED"));
        let resolve = self.resolve.iter().take(MAX_THREADS).enumerate();
        let resolve = resolve.map(|(n, id)| (format!("t{n}"), id, "resolveReviewThread", "threadId", ""));
        let (mut names, mut fields, mut variables) = (Vec::new(), String::new(), Map::new());
        for (name, id, mutation, argument, more) in fold.chain(resolve) {
            fields += &format!(" {name}: {mutation}(input: {{{argument}: ${name}{more}}}) {{ clientMutationId }}");
            names.push(format!("${name}: ID!"));
            variables.insert(name, json!(id));
        }
        (!names.is_empty()).then(|| (format!("mutation({}) {{{fields} }}", names.join(", ")), variables.into()))
    }
}

impl Inner {
    fn graphql(&self) -> Url {
        let mut url = self.api.base().url().clone();
        let path = url.path().trim_end_matches('/');
        // An Enterprise Server has `/api/v3` and `/api/graphql` beside each other.
        let path = format!("{}/graphql", path.strip_suffix("/v3").unwrap_or(path));
        url.set_path(&path);
        url
    }

    /// Whose token of GitHub Actions this is.
    pub(super) async fn viewer(&self) -> Result<Account, Failure> {
        let question = Question { query: VIEWER, variables: json!({}) };
        let answer: Answer<ViewerData> = self.query(&self.graphql(), &question).await?;
        let id = self.data(answer)?.viewer.database_id;
        self.api.get(&self.api.base().at(&["user", &id.to_string()])).await
    }

    /// Folds a review of ours and resolves the threads that it began.
    pub(super) async fn retire_review(&self, number: PullNumber, posted: &PostedReview) -> Result<(), Failure> {
        // A nicety is not worth making anybody wait.
        let idle = self.api.budget().room().await?.backlog;
        if idle > self.api.budget().now() {
            return Err(Failure::Throttled(idle));
        }
        let url = self.url(&["pulls", &number.to_string(), "reviews", &posted.id]);
        let Some(review) = self.api.find::<ReviewWire>(&url).await? else { return Ok(()) };
        self.fold(number, &review.node_id, true).await
    }

    /// Resolves the threads that a review began.
    pub(super) async fn resolve_threads(&self, number: PullNumber, node: &str) -> Result<(), Failure> {
        self.fold(number, node, false).await
    }

    async fn fold(&self, number: PullNumber, node: &str, whole: bool) -> Result<(), Failure> {
        let mut wanted = self.unfolded(number, node).await?;
        if !whole {
            wanted.fold = None;
        }
        let Some((query, variables)) = wanted.document() else { return Ok(()) };
        let question = Question { query: &query, variables };
        let call = (Method::POST, &self.graphql());
        let answer = self.write(WriteClass::Backlog, WriteKind::Plain, call, Some(&question)).await?;
        self.data(self.api.decode::<Answer<Value>>(&answer)?).map(|_| ())
    }

    async fn unfolded(&self, number: PullNumber, node: &str) -> Result<Wanted, Failure> {
        let repository = &self.settings.repository;
        let (mut wanted, mut after) = (Wanted::default(), None);
        loop {
            let variables = json!({
                "owner": repository.owner(), "name": repository.name(), "number": number.0,
                "review": node, "after": after,
            });
            let question = Question { query: THREADS, variables };
            let data: ThreadData = self.data(self.query(&self.graphql(), &question).await?)?;
            if data.node.is_some_and(|review| review.is_minimized == Some(false)) {
                wanted.fold = Some(node.to_owned());
            }
            let Some(pull) = data.repository.and_then(|repository| repository.pull_request) else { return Ok(wanted) };
            let began = |thread: &Thread| {
                let first = thread.comments.nodes.first().and_then(|first| first.pull_request_review.as_ref());
                !thread.is_resolved && first.is_some_and(|review| review.id == node)
            };
            let Threads { page_info, nodes } = pull.review_threads;
            wanted.resolve.extend(nodes.into_iter().filter(began).map(|thread| thread.id));
            after = page_info.end_cursor.filter(|_| page_info.has_next_page);
            if after.is_none() || wanted.resolve.len() >= PAGE {
                return Ok(wanted);
            }
        }
    }

    fn data<T>(&self, answer: Answer<T>) -> Result<T, Failure> {
        match (answer.data, answer.errors.first()) {
            (Some(data), None) => Ok(data),
            (_, error) => {
                let why = error.map_or("neither data nor errors", |error| error.message.as_str());
                let message = format!("GraphQL says: {}", safe::plain(why, 200));
                // Errors come with status 200: a right that is missing is one here too, and asking again does not help.
                let kind = match error.map(|error| error.kind.as_str()) {
                    Some("FORBIDDEN" | "INSUFFICIENT_SCOPES") => RefusalKind::Rights,
                    Some("NOT_FOUND") => RefusalKind::Missing,
                    _ => return Err(self.odd(message)),
                };
                let (host, request) = (self.api.base().host(), RequestId::default());
                Err(Refusal { host, status: StatusCode::OK, kind, message, request }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_document_folds_and_resolves_and_holds_no_text_of_anybody() {
        let wanted = Wanted { fold: Some("R_1".into()), resolve: vec!["T\"1".into(), "T2".into()] };
        let (query, variables) = wanted.document().unwrap();
        assert_eq!(
            query,
            "mutation($fold: ID!, $t0: ID!, $t1: ID!) { \
             fold: minimizeComment(input: {subjectId: $fold, classifier: OUTDATED}) { clientMutationId } \
             t0: resolveReviewThread(input: {threadId: $t0}) { clientMutationId } \
             t1: resolveReviewThread(input: {threadId: $t1}) { clientMutationId } }"
        );
        assert_eq!(variables, json!({"fold": "R_1", "t0": "T\"1", "t1": "T2"}));
    }

    #[test]
    fn where_everything_is_folded_nothing_is_written() {
        assert_eq!(Wanted::default().document(), None);
    }
}
