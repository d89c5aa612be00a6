//! Pull requests as they were when we last came to rest with them: what sweeps compare with.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError, parsed};
use crate::forge::pull::{Pull, PullKey, PullNumber, PullState, Workspace};
use crate::submission::sha::CommitId;

/// A pull request as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Which one.
    pub number: PullNumber,
    /// The learner.
    pub lane: String,
    /// Its head then.
    pub head: CommitId,
    /// Open or closed.
    pub state: PullState,
    /// When the forge had seen something happen to it.
    pub updated_at: Time,
    /// Whether its newest head is answered.
    pub answered: bool,
}

impl Store {
    /// Whether this pull request was seen before.
    pub async fn knows(&self, key: &PullKey) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM pulls WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .fetch_optional(self.reader())
            .await?;
        Ok(row.is_some())
    }

    /// In which lane a pull request is that was seen before.
    pub async fn lane(&self, key: &PullKey) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT lane FROM pulls WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .fetch_optional(self.reader())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// All workspaces that something is known of, in order.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT workspace FROM pulls ORDER BY workspace").fetch_all(self.reader()).await?;
        rows.iter().map(|row| Ok(Workspace(row.try_get(0)?))).collect()
    }

    /// Notes how a pull request is left.
    pub async fn leave(&self, key: &PullKey, pull: &Pull) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO pulls (workspace, number, lane, head, state, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (workspace, number) DO UPDATE SET lane = ?3, head = ?4, state = ?5, updated_at = ?6",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(pull.learner().as_str())
        .bind(pull.head.as_str())
        .bind(pull.state.word())
        .bind(pull.updated_at.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Notes that the forge has no such pull request any more.
    pub async fn leave_vanished(&self, key: &PullKey) -> Result<(), StoreError> {
        sqlx::query("UPDATE pulls SET state = 'closed' WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// All pull requests of a workspace that were seen.
    pub async fn known(&self, workspace: &Workspace) -> Result<Vec<Known>, StoreError> {
        sqlx::query(
            "SELECT p.number, p.lane, p.head, p.state, p.updated_at,
                 EXISTS (SELECT 1 FROM heads AS h WHERE h.workspace = p.workspace AND h.number = p.number
                         AND h.head = p.head AND h.answered_at IS NOT NULL AND h.seq = (
                             SELECT max(seq) FROM heads WHERE workspace = p.workspace AND number = p.number))
             FROM pulls AS p WHERE p.workspace = ?",
        )
        .bind(&workspace.0)
        .fetch_all(self.reader())
        .await?
        .iter()
        .map(|row| {
            let state: &str = row.try_get(3)?;
            Ok(Known {
                number: PullNumber(row.try_get(0)?),
                lane: row.try_get(1)?,
                head: parsed("pulls.head", row.try_get(2)?)?,
                state: if state == PullState::Open.word() { PullState::Open } else { PullState::Closed },
                updated_at: Time(row.try_get(4)?),
                answered: row.try_get(5)?,
            })
        })
        .collect()
    }
}
