//! What commit status each head is to show.

use sqlx::Row;

use super::{Store, StoreError, json, parsed};
use crate::forge::pull::PullKey;
use crate::review::Status;
use crate::submission::sha::CommitId;

/// The status that a head is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub status: Status,
    /// Whether the forge took it.
    pub written: bool,
}

impl Store {
    /// What a head is to show, if anything was decided.
    pub async fn shown(&self, key: &PullKey, head: &CommitId) -> Result<Option<Shown>, StoreError> {
        let row = sqlx::query(
            "SELECT json_object('state', state, 'description', description), written FROM statuses
             WHERE workspace = ? AND number = ? AND head = ?",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(head.as_str())
        .fetch_optional(self.reader())
        .await?;
        let shown = |row: sqlx::sqlite::SqliteRow| {
            Ok(Shown { status: json("statuses", row.try_get(0)?)?, written: row.try_get(1)? })
        };
        row.map(shown).transpose()
    }

    /// Heads other than `current` without a final result that show a wait for one, or did when we were last cut short. A
    /// forge may have one status for a commit, whichever pull requests it is in: what another one graded, and what a newer
    /// one saw, is theirs.
    pub async fn left_waiting(&self, key: &PullKey, current: Option<&CommitId>) -> Result<Vec<CommitId>, StoreError> {
        sqlx::query(
            "SELECT head FROM statuses AS s
             WHERE workspace = ?1 AND number = ?2 AND (state = 'pending' OR NOT written) AND head IS NOT ?3 AND NOT EXISTS (
                 SELECT 1 FROM gradings AS g WHERE g.workspace = s.workspace AND g.head = s.head AND NOT g.provisional)
             AND NOT EXISTS (
                 SELECT 1 FROM heads AS h WHERE h.workspace = s.workspace AND h.number > s.number AND h.head = s.head)
             ORDER BY head",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(current.map(CommitId::as_str))
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(|row| parsed("statuses.head", row.try_get(0)?))
        .collect()
    }

    /// Notes what a head is to show.
    pub async fn show(&self, key: &PullKey, head: &CommitId, shown: &Shown) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO statuses (workspace, number, head, state, description, written) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (workspace, number, head) DO UPDATE SET state = ?4, description = ?5, written = ?6",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(head.as_str())
        .bind(shown.status.state.word())
        .bind(&shown.status.description)
        .bind(shown.written)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// The forge took what a head is to show. False when it is to show something else by now.
    pub async fn showing(&self, key: &PullKey, head: &CommitId, status: &Status) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE statuses SET written = 1
             WHERE workspace = ? AND number = ? AND head = ? AND state = ? AND description = ?",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(head.as_str())
        .bind(status.state.word())
        .bind(&status.description)
        .execute(self.writer())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::{PullNumber, Workspace};
    use crate::review::StatusState;
    use crate::store::time::Time;

    #[tokio::test]
    async fn what_a_head_is_to_show_is_read_as_it_was_noted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let key = PullKey { workspace: Workspace("local".into()), number: PullNumber(1) };
        let (a, b): (CommitId, CommitId) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
        for state in [StatusState::Pending, StatusState::Success, StatusState::Failure, StatusState::Error] {
            let shown = Shown {
                status: Status { state, description: "7 of \"12\" points".to_owned() },
                written: state == StatusState::Success,
            };
            store.show(&key, &a, &shown).await.unwrap();
            assert_eq!(store.shown(&key, &a).await.unwrap(), Some(shown));
        }
        assert_eq!(store.shown(&key, &b).await.unwrap(), None);
        assert_eq!(
            store.left_waiting(&key, None).await.unwrap(),
            std::slice::from_ref(&a),
            "the forge did not take it yet"
        );
        assert_eq!(store.left_waiting(&key, Some(&a)).await.unwrap(), [], "it is still the head");
        let newer = PullKey { number: PullNumber(2), ..key.clone() };
        let waits = Status { state: StatusState::Pending, description: "Being graded".to_owned() };
        store.show(&key, &b, &Shown { status: waits, written: true }).await.unwrap();
        assert_eq!(store.left_waiting(&key, Some(&a)).await.unwrap(), std::slice::from_ref(&b));
        store.see_head(&newer, &b, Time(1), Time(1)).await.unwrap();
        assert_eq!(store.left_waiting(&key, Some(&a)).await.unwrap(), [], "the newer pull request ends it");
        let last = store.shown(&key, &a).await.unwrap().unwrap();
        let other = Status { state: StatusState::Pending, ..last.status.clone() };
        assert!(!store.showing(&key, &a, &other).await.unwrap(), "another worker decided otherwise meanwhile");
        assert_eq!(store.shown(&key, &a).await.unwrap(), Some(last.clone()));
        assert!(store.showing(&key, &a, &last.status).await.unwrap());
        assert_eq!(store.shown(&key, &a).await.unwrap(), Some(Shown { written: true, ..last }));
        assert_eq!(store.left_waiting(&key, None).await.unwrap(), []);
    }
}
