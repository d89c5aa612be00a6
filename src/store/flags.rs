//! What operators switch while daemons run: seen by all that share the store.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError};

/// The name of the one flag there is.
const PAUSED: &str = "paused";

impl Store {
    /// Since when nothing is posted, if so.
    pub async fn paused(&self) -> Result<Option<Time>, StoreError> {
        let row =
            sqlx::query("SELECT set_at FROM flags WHERE name = ?").bind(PAUSED).fetch_optional(self.reader()).await?;
        Ok(row.map(|row| row.try_get(0).map(Time)).transpose()?)
    }

    /// From now on everything is graded and nothing is posted. Since when that is so.
    pub async fn pause(&self, now: Time) -> Result<Time, StoreError> {
        sqlx::query("INSERT INTO flags (name, set_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(PAUSED)
            .bind(now.0)
            .execute(self.writer())
            .await?;
        Ok(self.paused().await?.unwrap_or(now))
    }

    /// Posts again. Since when nothing was posted, if so.
    pub async fn resume(&self) -> Result<Option<Time>, StoreError> {
        let row = sqlx::query("DELETE FROM flags WHERE name = ? RETURNING set_at")
            .bind(PAUSED)
            .fetch_optional(self.writer())
            .await?;
        Ok(row.map(|row| row.try_get(0).map(Time)).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_holds_for_all_who_share_the_store_until_somebody_resumes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gradus.db");
        let (one, other) = (Store::open(&path).await.unwrap(), Store::open(&path).await.unwrap());
        assert_eq!(one.paused().await.unwrap(), None);
        assert_eq!(one.pause(Time(7)).await.unwrap(), Time(7));
        assert_eq!(other.pause(Time(9)).await.unwrap(), Time(7), "it began with the first");
        assert_eq!(other.paused().await.unwrap(), Some(Time(7)));
        assert_eq!(other.resume().await.unwrap(), Some(Time(7)));
        assert_eq!((one.paused().await.unwrap(), one.resume().await.unwrap()), (None, None));
    }
}
