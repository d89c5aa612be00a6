//! When workspaces were swept: after a start, what happened while nobody ran is asked for.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError};
use crate::forge::pull::Workspace;

impl Store {
    /// When the last sweep began that went through, or the first one that was tried.
    pub async fn swept(&self, workspace: &Workspace) -> Result<Option<Time>, StoreError> {
        let query = sqlx::query("SELECT begun_at FROM sweeps WHERE workspace = ?").bind(&workspace.0);
        let row = query.fetch_optional(self.reader()).await?;
        Ok(row.map(|row| row.try_get(0).map(Time)).transpose()?)
    }

    /// A sweep that began then went through.
    pub async fn note_sweep(&self, workspace: &Workspace, begun: Time) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO sweeps (workspace, begun_at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET begun_at = ?2")
            .bind(&workspace.0)
            .bind(begun.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}
