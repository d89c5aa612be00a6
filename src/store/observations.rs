//! What was seen in learners' environments, kept so that it can be judged again without a cluster. By its digest: what was
//! seen twice is there once.

use sha2::{Digest, Sha256};
use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError, json};
use crate::checkpoint::observed::Environs;

/// SHA-256 of an observation as it is kept, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ObservationId(String);

impl ObservationId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    /// Keeps what was seen.
    pub async fn keep(&self, seen: &Environs, now: Time) -> Result<ObservationId, StoreError> {
        let text = serde_json::json!(seen).to_string();
        let id = ObservationId(hex::encode(Sha256::digest(&text)));
        sqlx::query("INSERT INTO observations (digest, seen, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seen_at = ?3")
            .bind(id.as_str())
            .bind(text)
            .bind(now.0)
            .execute(self.writer())
            .await?;
        Ok(id)
    }

    /// Forgets what was last seen before this. How many were forgotten.
    pub async fn forget(&self, before: Time) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM observations WHERE seen_at < ?").bind(before.0);
        Ok(query.execute(self.writer()).await?.rows_affected())
    }

    /// What was seen; none where it is not kept any more.
    pub async fn kept(&self, id: &ObservationId) -> Result<Option<Environs>, StoreError> {
        let query = sqlx::query("SELECT seen FROM observations WHERE digest = ?").bind(id.as_str());
        let row = query.fetch_optional(self.reader()).await?;
        row.map(|row| json("observations.seen", row.try_get(0)?)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_seen_comes_back_as_it_was_and_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let seen = Environs::Absent("not today".into());
        let id = store.keep(&seen, Time(1)).await.unwrap();
        assert_eq!(store.keep(&seen, Time(2)).await.unwrap(), id);
        assert_eq!(store.kept(&id).await.unwrap(), Some(seen));
        assert_eq!(store.kept(&ObservationId("0".repeat(64))).await.unwrap(), None);
        let old = store.keep(&Environs::Absent("long ago".into()), Time(1)).await.unwrap();
        assert_eq!(store.forget(Time(2)).await.unwrap(), 1, "what was seen again is as new as that");
        assert_eq!((store.kept(&old).await.unwrap(), store.kept(&id).await.unwrap().is_some()), (None, true));
    }
}
