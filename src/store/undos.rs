//! What was begun in environments and has to be undone: written down before it is done, struck out when it is undone.

use sqlx::Row;

use super::time::Time;
use super::{Store, StoreError, json};
use crate::environment::undo::Undo;

/// Something that has to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoId(i64);

impl Store {
    /// Something is about to be done in the environment of this name that is to be undone like this.
    pub async fn will_undo(&self, environment: &str, undo: &Undo, now: Time) -> Result<UndoId, StoreError> {
        let query = sqlx::query("INSERT INTO undos (environment, undo, since) VALUES (?, ?, ?)")
            .bind(environment)
            .bind(serde_json::json!(undo).to_string())
            .bind(now.0);
        Ok(UndoId(query.execute(self.writer()).await?.last_insert_rowid()))
    }

    /// What is to be undone in an environment, the last first.
    pub async fn undos(&self, environment: &str) -> Result<Vec<UndoId>, StoreError> {
        let query = sqlx::query("SELECT id FROM undos WHERE environment = ? ORDER BY id DESC").bind(environment);
        let rows = query.fetch_all(self.reader()).await?;
        rows.iter().map(|row| Ok(UndoId(row.try_get(0)?))).collect()
    }

    /// How it is undone; none where it is.
    pub async fn undo(&self, id: UndoId) -> Result<Option<Undo>, StoreError> {
        let query = sqlx::query("SELECT undo FROM undos WHERE id = ?").bind(id.0);
        let row = query.fetch_optional(self.reader()).await?;
        row.map(|row| json("undos.undo", row.try_get(0)?)).transpose()
    }

    /// It is undone.
    pub async fn undone(&self, id: UndoId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM undos WHERE id = ?").bind(id.0).execute(self.writer()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::undo::Back;
    use crate::gitops::generator::Tenancy;

    #[tokio::test]
    async fn what_was_written_down_is_there_until_it_is_undone_the_last_first_and_only_in_its_environment() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let undo = |name: &str| Undo {
            group: "apps".into(),
            kind: "Deployment".into(),
            namespace: "ada".into(),
            name: name.into(),
            back: Back::Planted("7".into()),
        };
        let first = store.will_undo("ada", &undo("one"), Time(1)).await.unwrap();
        let second = store.will_undo("ada", &undo("two"), Time(2)).await.unwrap();
        store.will_undo("bob", &undo("three"), Time(3)).await.unwrap();
        assert_eq!(store.undos("ada").await.unwrap(), [second, first]);
        assert_eq!(store.undo(second).await.unwrap(), Some(undo("two")));
        store.undone(second).await.unwrap();
        assert_eq!(store.undo(second).await.unwrap(), None);
        assert_eq!(store.undos("ada").await.unwrap(), [first]);
    }

    #[tokio::test]
    async fn an_environment_that_is_given_back_has_nothing_to_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let workspace = crate::forge::pull::Workspace("git.example.org/acme/cnpe".into());
        let tenancy = Tenancy { workspace, learner: "7".parse().unwrap(), task: "shop".parse().unwrap() };
        let back = Back::Planted("7".into());
        let undo = Undo { group: String::new(), kind: "Pod".into(), namespace: "n".into(), name: "p".into(), back };
        for name in [&tenancy.name(), "another"] {
            store.will_undo(name, &undo, Time(1)).await.unwrap();
        }
        store.withdraw(&tenancy).await.unwrap();
        assert_eq!(store.undos(&tenancy.name()).await.unwrap(), []);
        assert_eq!(store.undos("another").await.unwrap().len(), 1);
    }
}
