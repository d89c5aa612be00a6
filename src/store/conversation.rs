//! Where we are in a pull request's comments, and the full reports of earlier attempts.

use sqlx::Row;

use super::{Store, StoreError, json};
use crate::course::id::{CourseId, Learner, TaskId};
use crate::forge::pull::{CommentId, PullKey};
use crate::grade::report::Report;

impl Store {
    /// The last comment that was looked at.
    pub async fn cursor(&self, key: &PullKey) -> Result<CommentId, StoreError> {
        let row = sqlx::query("SELECT comment FROM cursors WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .fetch_optional(self.reader())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(CommentId).unwrap_or_default())
    }

    /// Notes the last comment that was looked at; never goes back.
    pub async fn move_cursor(&self, key: &PullKey, to: CommentId) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO cursors (workspace, number, comment) VALUES (?1, ?2, ?3)
             ON CONFLICT (workspace, number) DO UPDATE SET comment = max(comment, ?3)",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(to.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Keeps the full report of an attempt, for "what changed since the last one".
    pub async fn keep_report(
        &self,
        learner: &Learner,
        course: &CourseId,
        attempt: u32,
        report: &Report,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(report)
            .map_err(|source| StoreError::Damaged { what: "a report to be kept", source: source.into() })?;
        sqlx::query(
            "INSERT INTO attempts (learner, course, task, attempt, report) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (learner, course, task, attempt) DO UPDATE SET report = ?5",
        )
        .bind(learner.as_str())
        .bind(course.as_str())
        .bind(report.task.as_str())
        .bind(attempt)
        .bind(text)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The full report of an attempt, if it is still there.
    pub async fn report(
        &self,
        learner: &Learner,
        course: &CourseId,
        task: &TaskId,
        attempt: u32,
    ) -> Result<Option<Report>, StoreError> {
        let row =
            sqlx::query("SELECT report FROM attempts WHERE learner = ? AND course = ? AND task = ? AND attempt = ?")
                .bind(learner.as_str())
                .bind(course.as_str())
                .bind(task.as_str())
                .bind(attempt)
                .fetch_optional(self.reader())
                .await?;
        row.map(|row| json("attempts.report", row.try_get(0)?)).transpose()
    }
}
