//! The JSON API beside the pages (`docs/api.md`). Shapes are the structs below; fields are only ever added.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Json, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use axum::{Router, response};
use serde::{Deserialize, Serialize};

use super::App;
use super::api_errors::{Failure, unreadable};
use super::query::{PullQuery, States, misread};
use super::views;
use super::web::post_comment;
use crate::course::id::{CourseId, Learner};
use crate::forge::Forge;
use crate::forge::local::StoredReview;
use crate::forge::pull::{self, Author, Branch, CommentId, PullNumber, PullState};
use crate::grade::report::Report;
use crate::grade::view::{Due, learner_view};
use crate::reconcile::grader::Grading;
use crate::review::{LineComment, ReviewEvent, Status};
use crate::submission::sha::CommitId;

/// The routes below `/api/v1`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/pulls", get(pulls))
        .route("/api/v1/pulls/{number}", get(one))
        .route("/api/v1/pulls/{number}/reviews", get(reviews))
        .route("/api/v1/pulls/{number}/comments", get(comments).post(comment))
}

/// A pull request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pull {
    /// Its number.
    pub number: PullNumber,
    /// Whose.
    pub learner: Learner,
    /// Of which course.
    pub course: CourseId,
    /// The branch it comes from.
    pub branch: Branch,
    /// The newest commit.
    pub head: CommitId,
    /// Open or closed.
    pub state: PullState,
    /// The status of the head.
    pub status: Status,
    /// RFC 3339.
    pub opened_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Its page.
    pub page: String,
    /// One per task of the head, as the learner may see them; empty until the head is graded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<Vec<Report>>,
}

/// A review.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// Its id.
    pub id: String,
    /// The commit it is of.
    pub head: CommitId,
    /// What it is to the forge.
    pub event: ReviewEvent,
    /// Markdown.
    pub body: String,
    /// On lines of the head.
    pub comments: Vec<LineComment>,
    /// The status that goes with it.
    pub status: Status,
    /// RFC 3339.
    pub created_at: String,
}

/// A comment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// Who wrote it; null for the grader.
    pub author: Option<Learner>,
    /// Markdown.
    pub body: String,
    /// RFC 3339.
    pub created_at: String,
}

impl From<pull::Comment> for Comment {
    fn from(comment: pull::Comment) -> Self {
        let author = match comment.author {
            Author::Grader => None,
            Author::Person(who) => Some(who.id),
        };
        Self { id: comment.id, author, body: comment.body, created_at: comment.created_at.rfc3339() }
    }
}

/// What a comment is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewComment {
    /// Markdown; a line such as `/hint` is a command.
    pub body: String,
    /// In whose name; by default whose pull request it is.
    pub author: Option<String>,
}

type Answer<T> = Result<response::Json<T>, Failure>;

async fn pulls(State(app): State<App>, query: Result<Query<PullQuery>, QueryRejection>) -> Answer<Vec<Pull>> {
    let Query(query) = query.map_err(|rejection| Failure(StatusCode::BAD_REQUEST, misread(&rejection)))?;
    let all = views::pulls::all(&app).await?;
    let rows = query.of_which(query.state.unwrap_or(States::All), &query.of_whom(&all));
    let rows = if query.page.is_some() { query.on_page(&rows) } else { &rows };
    Ok(response::Json(rows.iter().map(|(pull, status)| shape(&app, pull.clone(), status.clone())).collect()))
}

async fn one(State(app): State<App>, Number(number): Number) -> Answer<Pull> {
    let found = find(&app, number).await?;
    let grading = app.store.grading::<Grading>(&app.forge.key(found.number), &found.head).await?;
    let reports = grading.map(|grading| visible(&app, &found, grading)).unwrap_or_default();
    let status = views::pull::status(&app, &found).await?;
    Ok(response::Json(Pull { reports: Some(reports), ..shape(&app, found, status) }))
}

async fn reviews(State(app): State<App>, Number(number): Number) -> Answer<Vec<Review>> {
    let pull = find(&app, number).await?;
    let shape = |posted: StoredReview| Review {
        id: posted.id,
        head: posted.head,
        event: posted.review.event,
        body: posted.review.body,
        comments: posted.review.comments,
        status: posted.review.status,
        created_at: posted.created_at.rfc3339(),
    };
    Ok(response::Json(app.forge.stored_reviews(pull.number).await?.into_iter().map(shape).collect()))
}

async fn comments(State(app): State<App>, Number(number): Number) -> Answer<Vec<Comment>> {
    let pull = find(&app, number).await?;
    let comments = app.forge.comments_after(pull.number, CommentId::default()).await?;
    Ok(response::Json(comments.into_iter().map(Comment::from).collect()))
}

async fn comment(
    State(app): State<App>,
    Number(number): Number,
    body: Result<Json<NewComment>, JsonRejection>,
) -> Result<(StatusCode, response::Json<Comment>), Failure> {
    let Json(new) = body.map_err(|rejection| unreadable(&rejection))?;
    match post_comment(&app, number, new.author.as_deref(), &new.body).await {
        Ok(comment) => Ok((StatusCode::CREATED, response::Json(comment.into()))),
        Err(refusal) => Err(Failure(refusal.status, refusal.message.into_owned())),
    }
}

/// The number of a pull request, from the address.
struct Number(PullNumber);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        text.parse().map(Number).map_err(|_| missing())
    }
}

fn missing() -> Failure {
    Failure(StatusCode::NOT_FOUND, "there is no such pull request: `GET /api/v1/pulls` lists all".to_owned())
}

async fn find(app: &App, number: PullNumber) -> Result<pull::Pull, Failure> {
    app.forge.pull(number).await?.ok_or_else(missing)
}

/// Reports as the learner may see them. A task that the course does not have any more is left out: nobody can say what
/// of it is hidden.
fn visible(app: &App, pull: &pull::Pull, grading: Grading) -> Vec<Report> {
    let Some(course) = app.courses.get(&pull.course) else { return Vec::new() };
    let view = |report: Report| {
        let drawn = course.draw(pull.learner(), &report.task)?.ok()?;
        Some(learner_view(&report, &drawn.task, Due::Open))
    };
    grading.tasks.into_iter().filter_map(|task| view(task.report)).collect()
}

fn shape(app: &App, pull: pull::Pull, status: Status) -> Pull {
    Pull {
        status,
        page: app.page(pull.number),
        number: pull.number,
        learner: pull.author.id,
        course: pull.course,
        branch: pull.branch,
        head: pull.head,
        state: pull.state,
        opened_at: pull.opened_at.rfc3339(),
        updated_at: pull.updated_at.rfc3339(),
        reports: None,
    }
}
