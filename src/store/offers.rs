//! Which commit each environment is to run: what pre-flight accepted last. A head that was refused leaves it as it was.
//!
//! Whether the list is all there is has to be known, too: an empty store has none, and that is no reason to take everybody's
//! environment away. So it counts only after it was called whole, once per store.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError, json};
use crate::gitops::generator::{Offer, Tenancy};

/// The flag that says so.
const WHOLE: &str = "offers-whole";

impl Store {
    /// From now on the environment is to run this commit.
    pub async fn offer(&self, offer: &Offer, now: Time) -> Result<(), StoreError> {
        let Tenancy { workspace, learner, task } = &offer.tenancy;
        sqlx::query(
            "INSERT INTO offers (workspace, learner, task, offer, offered_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET offer = ?4, offered_at = ?5",
        )
        .bind(&workspace.0)
        .bind(learner.as_str())
        .bind(task.as_str())
        .bind(serde_json::json!(offer).to_string())
        .bind(now.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The environment is given back.
    pub async fn withdraw(&self, tenancy: &Tenancy) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM offers WHERE workspace = ? AND learner = ? AND task = ?")
            .bind(&tenancy.workspace.0)
            .bind(tenancy.learner.as_str())
            .bind(tenancy.task.as_str())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Every pull request was looked at since this store is there: what it holds is all there is.
    pub async fn offers_are_whole(&self, now: Time) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO flags (name, set_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(WHOLE)
            .bind(now.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// All of them in a steady order; none while something may be missing.
    pub async fn offers(&self) -> Result<Option<Vec<Offer>>, StoreError> {
        let mut reader = self.reader().begin().await?;
        let whole = sqlx::query("SELECT 1 FROM flags WHERE name = ?").bind(WHOLE).fetch_optional(&mut *reader).await?;
        if whole.is_none() {
            return Ok(None);
        }
        let query = sqlx::query("SELECT offer FROM offers ORDER BY workspace, learner, task");
        let rows = query.fetch_all(&mut *reader).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| json("offers.offer", row.try_get(0)?);
        rows.iter().map(read).collect::<Result<_, StoreError>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::Workspace;

    fn offer(learner: &str, digit: &str) -> Offer {
        let tenancy = Tenancy {
            workspace: Workspace("git.example.org/acme/cnpe".into()),
            learner: learner.parse().unwrap(),
            task: "shop".parse().unwrap(),
        };
        let commit = digit.repeat(40).parse().unwrap();
        Offer {
            tenancy,
            repo_url: "https://git.example.org/acme/cnpe.git".into(),
            path: "tasks/shop/m".into(),
            commit,
            server: "https://s".into(),
        }
    }

    #[tokio::test]
    async fn an_empty_store_is_sure_of_nothing_and_the_newest_accepted_commit_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        store.offer(&offer("7", "1"), Time(1)).await.unwrap();
        assert_eq!(store.offers().await.unwrap(), None, "something may be missing");
        store.offers_are_whole(Time(2)).await.unwrap();
        store.offer(&offer("7", "2"), Time(3)).await.unwrap();
        store.offer(&offer("5", "3"), Time(3)).await.unwrap();
        assert_eq!(store.offers().await.unwrap(), Some(vec![offer("5", "3"), offer("7", "2")]));
        store.withdraw(&offer("5", "3").tenancy).await.unwrap();
        assert_eq!(store.offers().await.unwrap(), Some(vec![offer("7", "2")]));
        // The store was lost.
        let other = Store::open(&dir.path().join("other.db")).await.unwrap();
        assert_eq!(other.offers().await.unwrap(), None);
    }
}
