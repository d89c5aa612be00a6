//! A pull request with its reviews, diff and comments.

use git2::Repository;

use super::super::App;
use super::super::pages::diff::files;
use super::super::pages::model::{CommentView, Html, Link, Nav, PullPage, PullRow, ReviewView, StatusView};
use super::course::course_link;
use super::{ViewError, frame, when};
use crate::forge::Forge;
use crate::forge::local::BEING_GRADED;
use crate::forge::local::StoredReview;
use crate::forge::pull::{Author, Comment, CommentId, Pull, PullNumber, PullState};
use crate::reconcile::follow::CLOSED_FIRST;
use crate::review::{Status, StatusState};
use crate::submission::deadline::Deadline;
use crate::submission::diff::{self, Diff};
use crate::submission::history::merge_base;
use crate::submission::sha::CommitId;

/// How long comparing for a page may take.
const COMPARING: std::time::Duration = std::time::Duration::from_secs(5);

/// `/pulls/N`; none when there is no such pull request.
pub async fn page(app: &App, number: PullNumber) -> Result<Option<PullPage>, ViewError> {
    let Some(pull) = app.forge.pull(number).await? else { return Ok(None) };
    let status = status(app, &pull).await?;
    let reviews = app.forge.stored_reviews(number).await?;
    let comments = app.forge.comments_after(number, CommentId::default()).await?;
    let diff = diff(app, &pull).await?;
    // Line comments belong to the lines of the head that they were made for.
    let current = reviews.iter().rev().find(|posted| posted.head == pull.head);
    let on_lines = current.map(|posted| posted.review.comments.as_slice()).unwrap_or_default();
    let course = app.courses.get(&pull.course);
    let mut frame = frame(app, format!("{} #{number}", pull.branch), Nav::Pulls);
    frame.events = Some(format!("/pulls/{number}/events"));
    Ok(Some(PullPage {
        frame,
        pull: row(&pull, &status),
        course: course
            .map_or_else(|| Link { text: pull.course.to_string(), href: "/".to_owned() }, |course| course_link(course)),
        head: pull.head.short().to_owned(),
        files: files(&diff, on_lines),
        truncated: diff.truncated,
        reviews: reviews.iter().rev().enumerate().map(|(index, posted)| review(posted, index == 0)).collect(),
        comments: comments.iter().map(comment).collect(),
        open: pull.state == PullState::Open,
        instructor: app.forge.instructor().filter(|who| *who != pull.learner()).map(ToString::to_string),
    }))
}

/// The status of a pull request's head. Who closes what waits to be graded ends the wait.
pub async fn status(app: &App, pull: &Pull) -> Result<Status, ViewError> {
    Ok(shown(pull, app.forge.status(pull.number, &pull.head).await?))
}

/// What a head shows that got this status.
pub(super) fn shown(pull: &Pull, status: Option<Status>) -> Status {
    let status = status.unwrap_or_else(|| Status { state: StatusState::Pending, description: BEING_GRADED.to_owned() });
    if pull.state == PullState::Closed && status.state == StatusState::Pending {
        return Status { state: StatusState::Failure, description: CLOSED_FIRST.to_owned() };
    }
    status
}

async fn diff(app: &App, pull: &Pull) -> Result<Diff, ViewError> {
    let Some(course) = app.courses.get(&pull.course).cloned() else { return Ok(Diff::default()) };
    let (path, head) = (app.forge.objects(pull).await?, pull.head.clone());
    let compare = move || -> Result<Diff, ViewError> {
        let repository = Repository::open_bare(path)?;
        let base: Option<CommitId> = match &course.main {
            Some(main) => merge_base(&repository, &head, main)?,
            None => None,
        };
        Ok(diff::read(&repository, base.as_ref(), &head, Deadline::after(COMPARING))?)
    };
    let compared = tokio::task::spawn_blocking(compare).await;
    compared.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

pub(super) fn row(pull: &Pull, status: &Status) -> PullRow {
    PullRow {
        number: pull.number.0,
        branch: pull.branch.to_string(),
        learner: pull.author.login.to_string(),
        course: pull.course.to_string(),
        open: pull.state == PullState::Open,
        status: StatusView::from(status),
        updated: when(pull.updated_at),
    }
}

fn review(posted: &StoredReview, newest: bool) -> ReviewView {
    ReviewView {
        head: posted.head.short().to_owned(),
        at: when(posted.created_at),
        newest,
        status: StatusView::from(&posted.review.status),
        body: Html::comment(&posted.review.body),
        comments: posted.review.comments.len(),
    }
}

fn comment(comment: &Comment) -> CommentView {
    CommentView {
        author: match &comment.author {
            Author::Grader => None,
            Author::Person(who) => Some(who.login.to_string()),
        },
        at: when(comment.created_at),
        body: Html::comment(&comment.body),
    }
}
