//! Pages: addresses to views to HTML.

use std::borrow::Cow;

use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::App;
use super::pages::model::{Link, Message, Nav};
use super::pages::{CSP, Page, assets, html};
use super::query::{PullQuery, misread};
use super::views::{ViewError, course, frame, pull, pulls as list};
use crate::course::id::Learner;
use crate::forge::Forge;
use crate::forge::pull::PullNumber;

/// Longest comment in characters.
pub const MAX_COMMENT: usize = 10_000;

/// The routes of all pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/courses/{course}", get(course_page))
        .route("/courses/{course}/lessons/{module}/{slug}", get(lesson))
        .route("/courses/{course}/tasks/{task}", get(task))
        .route("/pulls", get(pulls))
        .route("/pulls/{number}", get(pull_page))
        .route("/pulls/{number}/comments", post(comment))
        .route("/assets/{name}", get(asset))
        .fallback(nothing)
}

async fn home(State(app): State<App>) -> Response {
    show(&app, course::home(&app).await.map(Some), "")
}

async fn course_page(State(app): State<App>, Path(id): Path<String>) -> Response {
    let course = id.parse().ok().and_then(|id| app.courses.get(&id));
    show(&app, course.map(|course| course::page(&app, course)).transpose(), "There is no such course.")
}

async fn lesson(State(app): State<App>, Path((id, module, slug)): Path<(String, String, String)>) -> Response {
    let found = || {
        let course = app.courses.get(&id.parse().ok()?)?;
        course::lesson(&app, course, &module.parse().ok()?, &slug).transpose()
    };
    show(&app, found().transpose(), "There is no such lesson.")
}

async fn task(State(app): State<App>, Path((id, task)): Path<(String, String)>) -> Response {
    let found = || {
        let course = app.courses.get(&id.parse().ok()?)?;
        course::task(&app, course, &task.parse().ok()?).transpose()
    };
    show(&app, found().transpose(), "There is no such task.")
}

async fn pulls(State(app): State<App>, query: Result<Query<PullQuery>, QueryRejection>) -> Response {
    match query {
        Ok(Query(query)) => show(&app, list::list(&app, &query).await.map(Some), ""),
        Err(rejection) => {
            let onward = Link { text: "To the pull requests".to_owned(), href: "/pulls".to_owned() };
            say(&app, StatusCode::BAD_REQUEST, &format!("Sorry, {}.", misread(&rejection)), Some(onward))
        }
    }
}

const NO_PULL: &str = "There is no such pull request. Push a branch to open one.";

async fn pull_page(State(app): State<App>, Path(number): Path<String>) -> Response {
    let page = match number.parse::<PullNumber>() {
        Ok(number) => pull::page(&app, number).await,
        Err(_) => Ok(None),
    };
    show(&app, page, NO_PULL)
}

#[derive(Deserialize)]
struct CommentForm {
    body: String,
    author: Option<String>,
}

async fn comment(
    State(app): State<App>,
    Path(number): Path<String>,
    form: Result<Form<CommentForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return say(
            &app,
            StatusCode::BAD_REQUEST,
            "That comment could not be read: send it from the page's own form.",
            None,
        );
    };
    let comment = match number.parse() {
        Ok(number) => post_comment(&app, number, form.author.as_deref(), &form.body).await,
        Err(_) => Err(Refusal { status: StatusCode::NOT_FOUND, message: NO_PULL.into() }),
    };
    match comment {
        Ok(_) => Redirect::to(&format!("/pulls/{number}#conversation")).into_response(),
        Err(refusal) => {
            let back = Link { text: "Back to the pull request".to_owned(), href: format!("/pulls/{number}") };
            let onward = (refusal.status != StatusCode::NOT_FOUND).then_some(back);
            say(&app, refusal.status, &refusal.message, onward)
        }
    }
}

/// Why a comment was not taken.
pub struct Refusal {
    /// For the client.
    pub status: StatusCode,
    /// For the person.
    pub message: Cow<'static, str>,
}

/// Takes a comment of the person at this machine: in the name of whose pull request it is, unless the instructor is named.
pub async fn post_comment(
    app: &App,
    number: PullNumber,
    author: Option<&str>,
    body: &str,
) -> Result<crate::forge::pull::Comment, Refusal> {
    let refusal = |status, message: &'static str| Refusal { status, message: message.into() };
    let failed = |error: ViewError| {
        tracing::error!(%error, "a comment was not taken");
        refusal(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
    };
    let body = body.trim();
    if body.is_empty() {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, "The comment is empty."));
    }
    if body.chars().count() > MAX_COMMENT {
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, "The comment is too long: at most 10,000 characters."));
    }
    let pull = app.forge.pull(number).await.map_err(|error| failed(error.into()))?;
    let pull = pull.ok_or_else(|| refusal(StatusCode::NOT_FOUND, NO_PULL))?;
    // Single-user: nobody is asked who they are, and only these two have something to say here.
    let here = [Some(pull.learner()), app.forge.instructor()];
    let author = match author {
        None => pull.learner(),
        Some(name) => match here.into_iter().flatten().find(|known| known.as_str() == name) {
            Some(known) => known,
            None => return Err(stranger(pull.learner(), app.forge.instructor())),
        },
    };
    let comment = app.forge.comment(&pull, author, body).await.map_err(|error| failed(error.into()))?;
    app.pulse.tell(number, crate::reconcile::pulse::What::Commented);
    app.pulse.wake();
    Ok(comment)
}

fn stranger(learner: &Learner, instructor: Option<&Learner>) -> Refusal {
    let message = match instructor {
        Some(instructor) => {
            format!("Only {learner}, whose pull request this is, and {instructor}, the instructor, speak here.")
        }
        None => format!(
            "Only {learner}, whose pull request this is, speaks here; with `gradus up --instructor NAME` an instructor does, too."
        ),
    };
    Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, message: message.into() }
}

async fn asset(State(app): State<App>, Path(name): Path<String>) -> Response {
    match assets::get(&name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, "no-cache")], asset.body)
            .into_response(),
        None => nothing(State(app)).await,
    }
}

async fn nothing(State(app): State<App>) -> Response {
    say(&app, StatusCode::NOT_FOUND, "There is nothing at this address.", None)
}

const FAILED: &str = "Something of ours went wrong; the log of `gradus up` says what. Nothing of yours is lost.";

fn show<P: Page>(app: &App, page: Result<Option<P>, ViewError>, missing: &str) -> Response {
    match page {
        Ok(Some(page)) => respond(StatusCode::OK, &page),
        Ok(None) => say(app, StatusCode::NOT_FOUND, missing, None),
        Err(error) => {
            tracing::error!(%error, "a page cannot be filled");
            say(app, StatusCode::INTERNAL_SERVER_ERROR, FAILED, None)
        }
    }
}

fn say(app: &App, status: StatusCode, text: &str, onward: Option<Link>) -> Response {
    let title = status.canonical_reason().unwrap_or("Not done");
    let onward = onward.or_else(|| Some(Link { text: "To the courses".to_owned(), href: "/".to_owned() }));
    respond(status, &Message { frame: frame(app, title, Nav::Courses), text: text.to_owned(), onward })
}

fn respond<P: Page>(status: StatusCode, page: &P) -> Response {
    let mut response = (status, Html(html(page))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
