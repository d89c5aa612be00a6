//! What is to be graded again though nobody pushed: what it was judged by changed.

use super::queue::{Hint, enqueue};
use super::time::Time;
use super::{Store, StoreError};
use crate::forge::pull::PullKey;
use crate::submission::sha::{CommitId, TreeId};

impl Store {
    /// Has a head graded again, whatever came of it, behind what learners wait for. A wait for its time ends with that, one
    /// after failures does not.
    pub async fn grade_again(&self, key: &PullKey, lane: &str, head: &CommitId, now: Time) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE gradings SET again_at = ? WHERE workspace = ? AND number = ? AND head = ?")
            .bind(now.0)
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(head.as_str())
            .execute(&mut *transaction)
            .await?;
        hint(&mut transaction, key, lane, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Has a head graded again with this revision of the course, as soon as it is served: whoever still serves another one
    /// leaves it alone.
    pub async fn grade_with(
        &self,
        key: &PullKey,
        lane: &str,
        head: &CommitId,
        revision: &TreeId,
        now: Time,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE gradings SET wanted = ? WHERE workspace = ? AND number = ? AND head = ?")
            .bind(revision.as_str())
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(head.as_str())
            .execute(&mut *transaction)
            .await?;
        hint(&mut transaction, key, lane, now).await?;
        Ok(transaction.commit().await?)
    }
}

async fn hint(
    transaction: &mut sqlx::Transaction<'static, sqlx::Sqlite>,
    key: &PullKey,
    lane: &str,
    now: Time,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE queue SET not_before = 0 WHERE workspace = ? AND number = ? AND failures = 0")
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .execute(&mut **transaction)
        .await?;
    enqueue(&mut **transaction, key, lane, Hint::Backlog, now).await
}
