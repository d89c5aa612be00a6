//! The local forge's rows: statements only.

use std::collections::{BTreeSet, HashMap};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use crate::course::id::{CourseId, Learner};
use crate::forge::pull::{
    Author, Branch, Comment, CommentId, Label, Marker, Pull, PullNumber, PullState, Readiness, User,
};
use crate::review::{Review, Status, StatusState};
use crate::store::time::Time;
use crate::store::{StoreError, json, parsed};
use crate::submission::sha::CommitId;

type Result<T> = std::result::Result<T, StoreError>;

// Columns in the order in which `pull_row` reads them.
macro_rules! select_pulls {
    ($rest:literal) => {
        concat!(
            "SELECT number, learner, course, branch, head, state, opened_at, updated_at, labels FROM local_pulls ",
            $rest
        )
    };
}

fn pull_row(row: &SqliteRow) -> Result<Pull> {
    let state: &str = row.try_get(5)?;
    Ok(Pull {
        number: PullNumber(row.try_get(0)?),
        author: User::local(parsed("local_pulls.learner", row.try_get(1)?)?),
        course: parsed("local_pulls.course", row.try_get(2)?)?,
        branch: parsed("local_pulls.branch", row.try_get(3)?)?,
        head: parsed("local_pulls.head", row.try_get(4)?)?,
        base: None,
        state: if state == PullState::Open.word() { PullState::Open } else { PullState::Closed },
        readiness: Readiness::Ready,
        labels: json("local_pulls.labels", row.try_get(8)?)?,
        opened_at: Time(row.try_get(6)?),
        updated_at: Time(row.try_get(7)?),
    })
}

pub async fn pulls<'e>(executor: impl SqliteExecutor<'e>) -> Result<Vec<Pull>> {
    let rows = sqlx::query(select_pulls!("ORDER BY updated_at DESC, number DESC")).fetch_all(executor).await?;
    rows.iter().map(pull_row).collect()
}

pub async fn pull<'e>(executor: impl SqliteExecutor<'e>, number: PullNumber) -> Result<Option<Pull>> {
    let query = sqlx::query(select_pulls!("WHERE number = ?")).bind(number.0);
    query.fetch_optional(executor).await?.as_ref().map(pull_row).transpose()
}

pub async fn pulls_of_fork<'e>(
    executor: impl SqliteExecutor<'e>,
    learner: &Learner,
    course: &CourseId,
) -> Result<Vec<Pull>> {
    let query = sqlx::query(select_pulls!("WHERE learner = ? AND course = ?"));
    let rows = query.bind(learner.as_str()).bind(course.as_str()).fetch_all(executor).await?;
    rows.iter().map(pull_row).collect()
}

pub async fn pull_of_branch<'e>(
    executor: impl SqliteExecutor<'e>,
    learner: &Learner,
    course: &CourseId,
    branch: &Branch,
) -> Result<Option<Pull>> {
    let query = sqlx::query(select_pulls!("WHERE learner = ? AND course = ? AND branch = ?"));
    let query = query.bind(learner.as_str()).bind(course.as_str()).bind(branch.as_str());
    query.fetch_optional(executor).await?.as_ref().map(pull_row).transpose()
}

pub async fn insert<'e>(
    executor: impl SqliteExecutor<'e>,
    learner: &Learner,
    course: &CourseId,
    branch: &Branch,
    head: &CommitId,
    now: Time,
) -> Result<PullNumber> {
    let row = sqlx::query(
        "INSERT INTO local_pulls (learner, course, branch, head, state, opened_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?5) RETURNING number",
    )
    .bind(learner.as_str())
    .bind(course.as_str())
    .bind(branch.as_str())
    .bind(head.as_str())
    .bind(now.0)
    .fetch_one(executor)
    .await?;
    Ok(PullNumber(row.try_get(0)?))
}

pub async fn update<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    head: &CommitId,
    state: PullState,
    now: Time,
) -> Result<()> {
    sqlx::query("UPDATE local_pulls SET head = ?, state = ?, updated_at = ? WHERE number = ?")
        .bind(head.as_str())
        .bind(state.word())
        .bind(now.0)
        .bind(number.0)
        .execute(executor)
        .await?;
    Ok(())
}

/// A review as it is stored: with its line comments and status.
#[derive(Debug, Clone)]
pub struct StoredReview {
    /// As in `12`.
    pub id: String,
    /// What it answers.
    pub marker: String,
    /// The commit it was made for.
    pub head: CommitId,
    /// What it says.
    pub review: Review,
    /// Whether a newer one stands.
    pub retired: bool,
    /// When it was posted.
    pub created_at: Time,
}

pub async fn reviews<'e>(executor: impl SqliteExecutor<'e>, number: PullNumber) -> Result<Vec<StoredReview>> {
    sqlx::query(
        "SELECT id, marker, head, review, created_at, retired_at FROM local_reviews WHERE number = ? ORDER BY id",
    )
    .bind(number.0)
    .fetch_all(executor)
    .await?
    .iter()
    .map(|row| {
        Ok(StoredReview {
            id: row.try_get::<i64, _>(0)?.to_string(),
            marker: row.try_get(1)?,
            head: parsed("local_reviews.head", row.try_get(2)?)?,
            review: json("local_reviews.review", row.try_get(3)?)?,
            created_at: Time(row.try_get(4)?),
            retired: row.try_get::<Option<i64>, _>(5)?.is_some(),
        })
    })
    .collect()
}

pub async fn retire_review<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    id: &str,
    now: Time,
) -> Result<()> {
    sqlx::query(
        "UPDATE local_reviews SET retired_at = coalesce(retired_at, ?) WHERE number = ? AND id = CAST(? AS INTEGER)",
    )
    .bind(now.0)
    .bind(number.0)
    .bind(id)
    .execute(executor)
    .await?;
    Ok(())
}

pub async fn set_labels<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    labels: &BTreeSet<Label>,
) -> Result<()> {
    let text = serde_json::to_string(labels)
        .map_err(|source| StoreError::Damaged { what: "labels to be set", source: source.into() })?;
    sqlx::query("UPDATE local_pulls SET labels = ? WHERE number = ?")
        .bind(text)
        .bind(number.0)
        .execute(executor)
        .await?;
    Ok(())
}

/// The id of the review with this marker, posted now or before.
pub async fn post_review<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    head: &CommitId,
    marker: &Marker,
    review: &Review,
    now: Time,
) -> Result<i64> {
    let text = serde_json::to_string(review)
        .map_err(|source| StoreError::Damaged { what: "a review to be posted", source: source.into() })?;
    // The update changes nothing; it makes RETURNING give the row that was there.
    let row = sqlx::query(
        "INSERT INTO local_reviews (number, marker, head, review, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (number, marker) DO UPDATE SET marker = excluded.marker RETURNING id",
    )
    .bind(number.0)
    .bind(&marker.key)
    .bind(head.as_str())
    .bind(text)
    .bind(now.0)
    .fetch_one(executor)
    .await?;
    Ok(row.try_get(0)?)
}

pub async fn edit_review<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    id: &str,
    body: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE local_reviews SET review = json_set(review, '$.body', ?, '$.comments', json('[]'))
         WHERE number = ? AND id = CAST(? AS INTEGER)",
    )
    .bind(body)
    .bind(number.0)
    .bind(id)
    .execute(executor)
    .await?;
    Ok(())
}

pub async fn comments_after<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    after: CommentId,
) -> Result<Vec<Comment>> {
    sqlx::query(
        "SELECT id, author, body, created_at, marker FROM local_comments WHERE number = ? AND id > ? ORDER BY id",
    )
    .bind(number.0)
    .bind(after.0)
    .fetch_all(executor)
    .await?
    .iter()
    .map(|row| {
        let author = match row.try_get::<Option<&str>, _>(1)? {
            Some(name) => Author::Person(User::local(parsed("local_comments.author", name)?)),
            None => Author::Grader,
        };
        let (id, created_at) = (CommentId(row.try_get(0)?), Time(row.try_get(3)?));
        let marker = row.try_get::<Option<String>, _>(4)?.map(Marker::new);
        Ok(Comment { id, author, marker, body: row.try_get(2)?, created_at })
    })
    .collect()
}

/// The id of the comment, written now or, with this marker, before.
pub async fn comment<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    author: Option<&Learner>,
    body: &str,
    marker: Option<&Marker>,
    now: Time,
) -> Result<CommentId> {
    let row = sqlx::query(
        "INSERT INTO local_comments (number, author, body, marker, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (number, marker) DO UPDATE SET marker = excluded.marker RETURNING id",
    )
    .bind(number.0)
    .bind(author.map(Learner::as_str))
    .bind(body)
    .bind(marker.map(|marker| marker.key.as_str()))
    .bind(now.0)
    .fetch_one(executor)
    .await?;
    Ok(CommentId(row.try_get(0)?))
}

/// What to do with a status that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Leave it: a verdict stands, though the head was pushed again.
    Never,
    /// Write when it differs.
    Differing,
}

pub async fn set_status<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    head: &CommitId,
    status: &Status,
    now: Time,
    overwrite: Overwrite,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO local_statuses (number, head, state, description, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (number, head) DO UPDATE SET state = ?3, description = ?4, updated_at = ?5
         WHERE ?6 AND (state, description) IS NOT (?3, ?4)",
    )
    .bind(number.0)
    .bind(head.as_str())
    .bind(status.state.word())
    .bind(&status.description)
    .bind(now.0)
    .bind(overwrite == Overwrite::Differing)
    .execute(executor)
    .await?;
    Ok(())
}

pub async fn status<'e>(
    executor: impl SqliteExecutor<'e>,
    number: PullNumber,
    head: &CommitId,
) -> Result<Option<Status>> {
    let query = sqlx::query("SELECT state, description FROM local_statuses WHERE number = ? AND head = ?");
    query.bind(number.0).bind(head.as_str()).fetch_optional(executor).await?.as_ref().map(status_row).transpose()
}

/// Statuses of all heads that are the newest of their pull request.
pub async fn statuses_of_heads<'e>(executor: impl SqliteExecutor<'e>) -> Result<HashMap<PullNumber, Status>> {
    let query = "SELECT s.state, s.description, s.number FROM local_statuses AS s
                 JOIN local_pulls AS p ON p.number = s.number AND p.head = s.head";
    let rows = sqlx::query(query).fetch_all(executor).await?;
    rows.iter().map(|row| Ok((PullNumber(row.try_get(2)?), status_row(row)?))).collect()
}

fn status_row(row: &SqliteRow) -> Result<Status> {
    let state = match row.try_get(0)? {
        "pending" => StatusState::Pending,
        "success" => StatusState::Success,
        "failure" => StatusState::Failure,
        _ => StatusState::Error,
    };
    Ok(Status { state, description: row.try_get(1)? })
}
