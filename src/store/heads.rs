//! Which heads a pull request had, and which of them are answered.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::time::Time;
use super::{Store, StoreError, parsed};
use crate::forge::pull::PullKey;
use crate::submission::sha::CommitId;

/// A head in the order seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHead {
    /// Position, from 1; the same commit may come back at another one.
    pub seq: i64,
    /// The commit.
    pub head: CommitId,
    /// When we first saw it there.
    pub seen_at: Time,
    /// When a review of it, or of a later head, was there.
    pub answered_at: Option<Time>,
    /// The forge's time of the pull request when it first showed this head; 0 when that is not known.
    pub updated_at: Time,
}

impl Store {
    /// Notes a head unless it is the newest already.
    pub async fn see_head(
        &self,
        key: &PullKey,
        head: &CommitId,
        updated_at: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        see_head(self.writer(), key, head, updated_at, now).await
    }

    /// The newest head.
    pub async fn newest_head(&self, key: &PullKey) -> Result<Option<SeenHead>, StoreError> {
        let row = sqlx::query(
            "SELECT seq, head, seen_at, answered_at, updated_at FROM heads WHERE workspace = ? AND number = ?
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .fetch_optional(self.reader())
        .await?;
        row.as_ref().map(seen).transpose()
    }

    /// All heads, oldest first.
    pub async fn heads(&self, key: &PullKey) -> Result<Vec<SeenHead>, StoreError> {
        sqlx::query(
            "SELECT seq, head, seen_at, answered_at, updated_at FROM heads WHERE workspace = ? AND number = ? ORDER BY seq",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(seen)
        .collect()
    }

    /// Notes that all heads up to this position are answered.
    pub async fn answer_heads(&self, key: &PullKey, up_to: i64, now: Time) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE heads SET answered_at = ? WHERE workspace = ? AND number = ? AND seq <= ? AND answered_at IS NULL",
        )
        .bind(now.0)
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(up_to)
        .execute(self.writer())
        .await?;
        Ok(())
    }
}

fn seen(row: &SqliteRow) -> Result<SeenHead, StoreError> {
    Ok(SeenHead {
        seq: row.try_get(0)?,
        head: parsed("heads.head", row.try_get(1)?)?,
        seen_at: Time(row.try_get(2)?),
        answered_at: row.try_get::<Option<i64>, _>(3)?.map(Time),
        updated_at: Time(row.try_get(4)?),
    })
}

/// [`Store::see_head`] inside somebody's transaction.
pub(crate) async fn see_head<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    key: &PullKey,
    head: &CommitId,
    updated_at: Time,
    now: Time,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO heads (workspace, number, seq, head, seen_at, updated_at)
         SELECT ?1, ?2, coalesce(max(seq), 0) + 1, ?3, ?4, ?5 FROM heads WHERE workspace = ?1 AND number = ?2
         HAVING (SELECT head FROM heads WHERE workspace = ?1 AND number = ?2 ORDER BY seq DESC LIMIT 1) IS NOT ?3",
    )
    .bind(&key.workspace.0)
    .bind(key.number.0)
    .bind(head.as_str())
    .bind(now.0)
    .bind(updated_at.0)
    .execute(executor)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::{PullNumber, Workspace};

    #[tokio::test]
    async fn a_head_that_comes_back_is_a_new_push_and_one_seen_twice_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let key = PullKey { workspace: Workspace("local".into()), number: PullNumber(1) };
        let (a, b): (CommitId, CommitId) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
        for (at, head) in [(1, &a), (2, &a), (3, &b), (4, &a)] {
            store.see_head(&key, head, Time(10 * at), Time(at)).await.unwrap();
        }
        store.answer_heads(&key, 2, Time(9)).await.unwrap();
        let newest = store.newest_head(&key).await.unwrap().unwrap();
        assert_eq!((newest.seq, newest.updated_at), (3, Time(40)));
        let heads: Vec<_> = store.heads(&key).await.unwrap();
        let expected = [(1, a.clone(), 1, Some(9)), (2, b, 3, Some(9)), (3, a, 4, None)];
        let found: Vec<_> =
            heads.into_iter().map(|h| (h.seq, h.head, h.seen_at.0, h.answered_at.map(|t| t.0))).collect();
        assert_eq!(found, expected);
    }
}
