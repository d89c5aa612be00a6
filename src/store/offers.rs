//! Which commit each environment is to run: what pre-flight accepted last. A head that was refused leaves it as it was. Of
//! two pull requests about one environment the one with the newest push holds it.
//!
//! Whether the list is all there is has to be known, too: an empty store has none, and that is no reason to take everybody's
//! environment away. So it counts only after each workspace was called whole, once per store.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError, json};
use crate::forge::pull::{PullKey, PullNumber, Workspace};
use crate::gitops::generator::{Offer, Tenancy};
use crate::submission::sha::CommitId;

/// The head of a pull request that is to hold an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Of which pull request.
    pub number: PullNumber,
    /// When, by the forge's clock.
    pub at: Time,
}

impl Store {
    /// From now on the environment is to run this commit, unless another pull request was pushed to later: then that one's
    /// number.
    pub async fn offer(&self, offer: &Offer, push: Push, now: Time) -> Result<Option<PullNumber>, StoreError> {
        let Tenancy { workspace, learner, task } = &offer.tenancy;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO offers (workspace, learner, task, offer, number, pushed_at, offered_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET offer = ?4, number = ?5, pushed_at = ?6, offered_at = ?7
             WHERE (pushed_at, number) <= (?6, ?5) OR EXISTS (
                 SELECT 1 FROM pulls WHERE pulls.workspace = ?1 AND pulls.number = offers.number AND state = 'closed')",
        )
        .bind(&workspace.0)
        .bind(learner.as_str())
        .bind(task.as_str())
        .bind(serde_json::json!(offer).to_string())
        .bind(push.number.0)
        .bind(push.at.0)
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        let holder = sqlx::query("SELECT number FROM offers WHERE workspace = ? AND learner = ? AND task = ?")
            .bind(&workspace.0)
            .bind(learner.as_str())
            .bind(task.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some(PullNumber(holder.try_get(0)?)).filter(|holder| *holder != push.number))
    }

    /// Whether this push takes an environment that its pull request does not hold: nobody does, or another one that was pushed
    /// to earlier or is over.
    pub async fn takes_over(&self, tenancy: &Tenancy, push: Push) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "SELECT number != ?5 AND ((pushed_at, number) <= (?4, ?5) OR EXISTS (
                 SELECT 1 FROM pulls WHERE pulls.workspace = ?1 AND pulls.number = offers.number AND state = 'closed'))
             FROM offers WHERE workspace = ?1 AND learner = ?2 AND task = ?3",
        )
        .bind(&tenancy.workspace.0)
        .bind(tenancy.learner.as_str())
        .bind(tenancy.task.as_str())
        .bind(push.at.0)
        .bind(push.number.0);
        let row = query.fetch_optional(self.reader()).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(true))
    }

    /// The commit that an environment is to run now.
    pub async fn offered(&self, tenancy: &Tenancy) -> Result<Option<CommitId>, StoreError> {
        let query = sqlx::query("SELECT offer FROM offers WHERE workspace = ? AND learner = ? AND task = ?")
            .bind(&tenancy.workspace.0)
            .bind(tenancy.learner.as_str())
            .bind(tenancy.task.as_str());
        let row = query.fetch_optional(self.reader()).await?;
        let offer = row.map(|row| json::<Offer>("offers.offer", row.try_get(0)?)).transpose()?;
        Ok(offer.map(|offer| offer.commit))
    }

    /// The environment is given back. It goes, and with it what was to be undone there.
    pub async fn withdraw(&self, tenancy: &Tenancy) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM offers WHERE workspace = ? AND learner = ? AND task = ?")
            .bind(&tenancy.workspace.0)
            .bind(tenancy.learner.as_str())
            .bind(tenancy.task.as_str())
            .execute(&mut *transaction)
            .await?;
        let undos = sqlx::query("DELETE FROM undos WHERE environment = ?").bind(tenancy.name());
        undos.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// All that a pull request is to run in environments is among the offers.
    pub async fn all_offered(&self, key: &PullKey) -> Result<(), StoreError> {
        sqlx::query("UPDATE queue SET offered = 1 WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Whether what this store has of a workspace that was swept is all there is: at some time since the store is there
    /// nothing of it waited to be looked at for the first time. What cannot be looked at holds nobody up.
    pub async fn offers_are_whole(&self, workspace: &Workspace, now: Time) -> Result<bool, StoreError> {
        let flag = format!("offers-whole {workspace}");
        sqlx::query(
            "INSERT INTO flags (name, set_at) SELECT ?1, ?2 WHERE NOT EXISTS (
                 SELECT 1 FROM queue WHERE workspace = ?3 AND NOT offered AND failures = 0 AND NOT EXISTS (
                     SELECT 1 FROM pulls WHERE pulls.workspace = ?3 AND pulls.number = queue.number))
             ON CONFLICT DO NOTHING",
        )
        .bind(&flag)
        .bind(now.0)
        .bind(&workspace.0)
        .execute(self.writer())
        .await?;
        let row = sqlx::query("SELECT 1 FROM flags WHERE name = ?").bind(flag).fetch_optional(self.reader()).await?;
        Ok(row.is_some())
    }

    /// All of them in a steady order.
    pub async fn offers(&self) -> Result<Vec<Offer>, StoreError> {
        let query = sqlx::query("SELECT offer FROM offers ORDER BY workspace, learner, task");
        let rows = query.fetch_all(self.reader()).await?;
        rows.iter().map(|row| json("offers.offer", row.try_get(0)?)).collect()
    }

    /// Whether a learner has an open pull request in a workspace, or one that is to be looked at.
    pub async fn has_open(&self, workspace: &Workspace, learner: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "SELECT 1 FROM pulls WHERE workspace = ?1 AND lane = ?2 AND state = 'open'
             UNION ALL SELECT 1 FROM queue WHERE workspace = ?1 AND lane = ?2 LIMIT 1",
        );
        let row = query.bind(&workspace.0).bind(learner).fetch_optional(self.reader()).await?;
        Ok(row.is_some())
    }

    /// Environments whose learner has no open pull request in the workspace any more.
    pub async fn idle(&self) -> Result<Vec<Offer>, StoreError> {
        let query = sqlx::query(
            "SELECT offer FROM offers WHERE NOT EXISTS (
                 SELECT 1 FROM pulls WHERE pulls.workspace = offers.workspace AND lane = learner AND state = 'open')
             AND NOT EXISTS (
                 SELECT 1 FROM queue WHERE queue.workspace = offers.workspace AND lane = learner)
             ORDER BY workspace, learner, task",
        );
        let rows = query.fetch_all(self.reader()).await?;
        rows.iter().map(|row| json("offers.offer", row.try_get(0)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::policy::Policy;
    use crate::store::queue::Hint;

    fn workspace() -> Workspace {
        Workspace("git.example.org/acme/cnpe".into())
    }

    fn offer(learner: &str, digit: &str) -> Offer {
        let tenancy =
            Tenancy { workspace: workspace(), learner: learner.parse().unwrap(), task: "shop".parse().unwrap() };
        let commit = digit.repeat(40).parse().unwrap();
        Offer {
            tenancy,
            repo_url: "https://git.example.org/acme/cnpe.git".into(),
            path: "tasks/shop/m".into(),
            commit,
            server: "https://s".into(),
            policy: Policy::default(),
        }
    }

    fn push(number: i64, at: i64) -> Push {
        Push { number: PullNumber(number), at: Time(at) }
    }

    async fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(&dir.path().join("gradus.db")).await.unwrap()
    }

    #[tokio::test]
    async fn the_newest_accepted_commit_stays_until_it_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        for (learner, digit, at) in [("7", "1", 1), ("7", "2", 3), ("5", "3", 3)] {
            assert_eq!(store.offer(&offer(learner, digit), push(1, at), Time(at)).await.unwrap(), None);
        }
        assert_eq!(store.offers().await.unwrap(), [offer("5", "3"), offer("7", "2")]);
        assert_eq!(store.offered(&offer("7", "9").tenancy).await.unwrap(), Some(offer("7", "2").commit));
        store.withdraw(&offer("5", "3").tenancy).await.unwrap();
        assert_eq!(store.offers().await.unwrap(), [offer("7", "2")]);
        assert_eq!(store.offered(&offer("5", "9").tenancy).await.unwrap(), None);
    }

    #[tokio::test]
    async fn of_two_pull_requests_the_one_that_was_pushed_to_last_holds_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let ask = async |digit: &str, number, at| {
            store.offer(&offer("7", digit), push(number, at), Time(at)).await.unwrap().map(|holder| holder.0)
        };
        let takes = async |number, at| store.takes_over(&offer("7", "1").tenancy, push(number, at)).await.unwrap();
        assert!(takes(1, 10).await, "nobody has it");
        assert_eq!(ask("1", 1, 10).await, None);
        assert!(!takes(1, 10).await && !takes(1, 30).await, "its own");
        assert!(takes(2, 20).await && !takes(2, 5).await);
        assert_eq!(ask("2", 2, 20).await, None);
        assert_eq!(ask("1", 1, 10).await, Some(2), "graded again, not pushed again");
        assert_eq!(ask("4", 2, 15).await, None, "its own, by somebody who saw less");
        assert_eq!(store.offers().await.unwrap(), [offer("7", "2")]);
        assert_eq!(ask("3", 1, 20).await, Some(2), "in the same second");
        assert_eq!(ask("3", 1, 30).await, None);
        assert_eq!(store.offers().await.unwrap(), [offer("7", "3")]);
        // Its pull request is over.
        sqlx::query("INSERT INTO pulls VALUES (?, 1, '7', 'h', 'closed', 1)")
            .bind(workspace().0)
            .execute(store.writer())
            .await
            .unwrap();
        assert!(takes(2, 20).await, "the other one is closed");
        assert_eq!(ask("2", 2, 20).await, None);
    }

    #[tokio::test]
    async fn an_empty_store_is_sure_of_nothing_before_everything_was_looked_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let key = |number| PullKey { workspace: workspace(), number: PullNumber(number) };
        let whole = async || store.offers_are_whole(&workspace(), Time(1)).await.unwrap();
        store.enqueue(&key(1), "7", Hint::Housekeeping, Time(0)).await.unwrap();
        assert!(!whole().await);
        store.all_offered(&key(1)).await.unwrap();
        assert!(whole().await, "what it is to run is known, whatever it is waited for");
        store.enqueue(&key(2), "8", Hint::NewHead, Time(2)).await.unwrap();
        assert!(whole().await, "what comes later is new");
        let other = Store::open(&dir.path().join("other.db")).await.unwrap();
        other.enqueue(&key(1), "7", Hint::Housekeeping, Time(0)).await.unwrap();
        assert!(!other.offers_are_whole(&workspace(), Time(1)).await.unwrap(), "the store was lost");
    }

    #[tokio::test]
    async fn an_environment_is_idle_when_its_learner_has_nothing_open_and_nothing_is_to_be_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        store.offer(&offer("7", "1"), push(1, 1), Time(1)).await.unwrap();
        let key = PullKey { workspace: workspace(), number: PullNumber(1) };
        store.enqueue(&key, "7", Hint::NewHead, Time(0)).await.unwrap();
        assert_eq!(store.idle().await.unwrap(), []);
        assert!(store.has_open(&workspace(), "7").await.unwrap());
        sqlx::query("DELETE FROM queue").execute(store.writer()).await.unwrap();
        assert_eq!(store.idle().await.unwrap(), [offer("7", "1")]);
        assert!(!store.has_open(&workspace(), "7").await.unwrap());
        sqlx::query("INSERT INTO pulls VALUES (?, 4, '7', 'h', 'open', 1)")
            .bind(workspace().0)
            .execute(store.writer())
            .await
            .unwrap();
        assert_eq!(store.idle().await.unwrap(), [], "another one of the same learner");
    }
}
