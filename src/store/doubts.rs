//! Writes to forges whose answer is not known.
//!
//! Noted before each write and struck out when its answer came. What is left is in doubt: the answer was lost, or the
//! process died. Such a write may still take effect, so what stands on the forge is looked at once more, later.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError};
use crate::forge::pull::PullKey;

/// A write that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt(i64);

impl Store {
    /// A write to a pull request begins, or one did not do what it should.
    pub async fn doubt(&self, key: &PullKey, now: Time) -> Result<Doubt, StoreError> {
        let made = sqlx::query("INSERT INTO doubts (workspace, number, since) VALUES (?, ?, ?)")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(now.0)
            .execute(self.writer())
            .await?;
        Ok(Doubt(made.last_insert_rowid()))
    }

    /// It took effect, and is in doubt from now on: whoever stood still for long in the middle of it may find that it was
    /// put in order before it took effect.
    pub async fn doubt_on(&self, doubt: Doubt, key: &PullKey, now: Time) -> Result<Doubt, StoreError> {
        let query = sqlx::query("UPDATE doubts SET since = ? WHERE id = ?").bind(now.0).bind(doubt.0);
        match query.execute(self.writer()).await?.rows_affected() {
            0 => self.doubt(key, now).await,
            _ => Ok(doubt),
        }
    }

    /// Its answer came.
    pub async fn sure(&self, doubt: Doubt) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM doubts WHERE id = ?").bind(doubt.0).execute(self.writer()).await?;
        Ok(())
    }

    /// Since when a pull request is in doubt: the newest of its doubts.
    pub async fn in_doubt(&self, key: &PullKey) -> Result<Option<Time>, StoreError> {
        let query = sqlx::query("SELECT max(since) FROM doubts WHERE workspace = ? AND number = ?");
        let row = query.bind(&key.workspace.0).bind(key.number.0).fetch_one(self.reader()).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(Time))
    }

    /// What was in doubt until then is put in order.
    pub async fn doubts_settled(&self, key: &PullKey, until: Time) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM doubts WHERE workspace = ? AND number = ? AND since <= ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(until.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::{PullNumber, Workspace};

    #[tokio::test]
    async fn what_was_answered_is_not_in_doubt_and_what_is_newer_than_the_look_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let key = |number| PullKey { workspace: Workspace("local".into()), number: PullNumber(number) };
        let answered = store.doubt(&key(1), Time(5)).await.unwrap();
        store.doubt(&key(1), Time(3)).await.unwrap();
        store.doubt(&key(2), Time(9)).await.unwrap();
        assert_eq!(store.in_doubt(&key(1)).await.unwrap(), Some(Time(5)));
        store.sure(answered).await.unwrap();
        assert_eq!(store.in_doubt(&key(1)).await.unwrap(), Some(Time(3)));
        store.doubt(&key(1), Time(7)).await.unwrap();
        store.doubts_settled(&key(1), Time(3)).await.unwrap();
        assert_eq!(store.in_doubt(&key(1)).await.unwrap(), Some(Time(7)));
        store.doubts_settled(&key(1), Time(7)).await.unwrap();
        assert_eq!(store.in_doubt(&key(1)).await.unwrap(), None);
        assert_eq!(store.in_doubt(&key(2)).await.unwrap(), Some(Time(9)), "of another one");
    }

    #[tokio::test]
    async fn a_write_that_was_given_up_and_took_effect_is_in_doubt_again_and_strikes_out_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let key = PullKey { workspace: Workspace("local".into()), number: PullNumber(1) };
        let slow = store.doubt(&key, Time(1)).await.unwrap();
        assert_eq!(store.doubt_on(slow, &key, Time(2)).await.unwrap(), slow);
        assert_eq!(store.in_doubt(&key).await.unwrap(), Some(Time(2)));
        store.doubts_settled(&key, Time(2)).await.unwrap();
        let other = store.doubt(&key, Time(3)).await.unwrap();
        store.sure(slow).await.unwrap();
        assert_eq!(store.in_doubt(&key).await.unwrap(), Some(Time(3)));
        let again = store.doubt_on(slow, &key, Time(4)).await.unwrap();
        store.sure(other).await.unwrap();
        assert_eq!(store.in_doubt(&key).await.unwrap(), Some(Time(4)));
        store.sure(again).await.unwrap();
        assert_eq!(store.in_doubt(&key).await.unwrap(), None);
    }
}
