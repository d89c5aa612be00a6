//! What operators watch: how long the queue is and how old, and what is on its way to a forge.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError};
use crate::forge::pull::Workspace;

/// Entries of one workspace and class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Whose.
    pub workspace: Workspace,
    /// As in `live`, `sweep` and `backlog`.
    pub class: &'static str,
    /// How many.
    pub entries: i64,
    /// How many of them somebody is at.
    pub in_work: i64,
    /// How many of them wait only for the forge's limits.
    pub await_write: i64,
    /// Since when the oldest of those waits that are due; none when none is.
    pub oldest: Option<Time>,
}

/// Reviews of one workspace that are not where they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Whose.
    pub workspace: Workspace,
    /// Begun to be posted, or just about to be: nobody knows whether they are on the forge.
    pub in_doubt: i64,
    /// On the forge; something that follows is missing.
    pub posted: i64,
}

/// What an identity wrote lately: reviews, comments, issues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// As in `github.com/app/4711/acme`.
    pub identity: String,
    /// Within the last minute.
    pub minute: i64,
    /// Within the last hour.
    pub hour: i64,
}

/// Of `writes.kind`: anything but what makes or changes text.
const PLAIN: i64 = 2;

impl Store {
    /// What each identity wrote lately.
    pub async fn written_lately(&self, now: Time) -> Result<Vec<Written>, StoreError> {
        sqlx::query(
            "SELECT identity, sum(at > ?1 - 60000), count(*) FROM writes WHERE at > ?1 - 3600000 AND kind <> ?2
             GROUP BY identity ORDER BY identity",
        )
        .bind(now.0)
        .bind(PLAIN)
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(|row| Ok(Written { identity: row.try_get(0)?, minute: row.try_get(1)?, hour: row.try_get(2)? }))
        .collect()
    }

    /// Identities that a forge wants to be left alone by, and until when.
    pub async fn gates_shut(&self, now: Time) -> Result<Vec<(String, Time)>, StoreError> {
        sqlx::query("SELECT identity, until FROM gates WHERE until > ? ORDER BY identity")
            .bind(now.0)
            .fetch_all(self.reader())
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, Time(row.try_get(1)?))))
            .collect()
    }

    /// The queue by workspace and class.
    pub async fn depths(&self, now: Time) -> Result<Vec<Depth>, StoreError> {
        sqlx::query(
            "SELECT workspace, class, count(*), sum(lease_until > ?1), sum(awaits_write),
                 min(CASE WHEN not_before <= ?1 AND lease_until <= ?1 THEN waiting_since END)
             FROM queue GROUP BY workspace, class ORDER BY workspace, class",
        )
        .bind(now.0)
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(|row| {
            Ok(Depth {
                workspace: Workspace(row.try_get(0)?),
                class: match row.try_get::<i64, _>(1)? {
                    0 => "live",
                    1 => "sweep",
                    _ => "backlog",
                },
                entries: row.try_get(2)?,
                in_work: row.try_get(3)?,
                await_write: row.try_get(4)?,
                oldest: row.try_get::<Option<i64>, _>(5)?.map(Time),
            })
        })
        .collect()
    }

    /// Reviews that are not done with, by workspace.
    pub async fn unsettled(&self) -> Result<Vec<Unsettled>, StoreError> {
        sqlx::query(
            "SELECT workspace, sum(state = 'intent'), sum(state = 'posted') FROM journal
             WHERE state IN ('intent', 'posted') GROUP BY workspace ORDER BY workspace",
        )
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(|row| {
            Ok(Unsettled { workspace: Workspace(row.try_get(0)?), in_doubt: row.try_get(1)?, posted: row.try_get(2)? })
        })
        .collect()
    }

    /// Copies everything into a file that is not there yet.
    pub async fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError> {
        sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy().into_owned()).execute(self.writer()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::{PullKey, PullNumber};
    use crate::store::queue::Hint;

    async fn store(dir: &tempfile::TempDir) -> Store {
        Store::open(&dir.path().join("gradus.db")).await.unwrap()
    }

    fn key(workspace: &str, number: i64) -> PullKey {
        PullKey { workspace: Workspace(workspace.into()), number: PullNumber(number) }
    }

    #[tokio::test]
    async fn the_queue_is_told_by_workspace_and_class_with_what_waits_longest() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        for (workspace, number, hint, at) in [
            ("a", 1, Hint::NewHead, 30),
            ("a", 2, Hint::Action, 20),
            ("a", 3, Hint::Backlog, 10),
            ("b", 1, Hint::Housekeeping, 40),
        ] {
            store.enqueue(&key(workspace, number), &number.to_string(), hint, Time(at)).await.unwrap();
        }
        let depths = store.depths(Time(100)).await.unwrap();
        let told: Vec<_> =
            depths.iter().map(|d| (d.workspace.0.as_str(), d.class, d.entries, d.oldest.map(|t| t.0))).collect();
        assert_eq!(told, [("a", "live", 2, Some(20)), ("a", "backlog", 1, Some(10)), ("b", "sweep", 1, Some(40))]);
    }

    #[tokio::test]
    async fn what_somebody_works_on_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        store.enqueue(&key("a", 1), "ada", Hint::NewHead, Time(5)).await.unwrap();
        let room = crate::forge::WriteRoom::default();
        let claim = store.claim(&Workspace("a".into()), Time(6), room).await.unwrap().unwrap();
        let depth = &store.depths(Time(7)).await.unwrap()[0];
        assert_eq!((depth.in_work, depth.oldest), (1, None));
        store.await_write(&claim).await.unwrap();
        let depth = &store.depths(Time(8)).await.unwrap()[0];
        assert_eq!((depth.await_write, depth.oldest), (1, Some(Time(5))));
    }

    #[tokio::test]
    async fn content_of_the_last_minute_and_hour_is_counted_and_a_shut_gate_is_told() {
        use crate::forge::budget::{WriteClass, WriteKind, WritePolicy};
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let hour = 3_600_000;
        for (at, kind) in [(0, WriteKind::Content), (hour, WriteKind::Content), (hour + 50_000, WriteKind::Notifying)] {
            let policy = WritePolicy { spacing: std::time::Duration::ZERO, ..WritePolicy::GITHUB };
            let admitted = store.admit("hub/1", &policy, WriteClass::Live, kind, Time(at)).await.unwrap();
            let crate::store::budget::Admission::Now(turn) = admitted else { panic!("{admitted:?}") };
            store.end_turn("hub/1", &turn).await.unwrap();
        }
        let now = Time(hour + 100_000);
        let written = store.written_lately(now).await.unwrap();
        assert_eq!(written, [Written { identity: "hub/1".into(), minute: 1, hour: 2 }]);
        assert_eq!(store.gates_shut(now).await.unwrap(), []);
        store.shut("hub/1", Some(Time(hour + 160_000)), now).await.unwrap();
        assert_eq!(store.gates_shut(now).await.unwrap(), [("hub/1".to_owned(), Time(hour + 160_000))]);
    }

    #[tokio::test]
    async fn a_copy_holds_what_the_original_does_and_goes_its_own_way() {
        let dir = tempfile::tempdir().unwrap();
        let original = store(&dir).await;
        original.pause(Time(7)).await.unwrap();
        let path = dir.path().join("copy.db");
        original.copy_to(&path).await.unwrap();
        let copy = Store::open(&path).await.unwrap();
        assert_eq!(copy.resume().await.unwrap(), Some(Time(7)));
        assert_eq!(original.paused().await.unwrap(), Some(Time(7)));
    }
}
