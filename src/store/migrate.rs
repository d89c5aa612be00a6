//! From the schemas of the versions before to the one of now, in the transaction that opens the file.
//!
//! Only versions that people may have data of; others are refused and left as they are. What is added here may be null or
//! has a default, so that a program of the version before that still runs on the file goes on.

use sqlx::{Row, SqliteConnection};

use super::StoreError;

/// To version 3: heads that are graded again with another revision of the course.
const FROM_2: &str = "ALTER TABLE gradings ADD COLUMN wanted TEXT";

/// To version 4: what was written and not answered, and what a forge that lags is held to.
const FROM_3: &str = "
    ALTER TABLE heads ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE doubts (id INTEGER PRIMARY KEY AUTOINCREMENT, workspace TEXT NOT NULL, number INTEGER NOT NULL,
        since INTEGER NOT NULL) STRICT;
    CREATE INDEX doubts_by_pull ON doubts (workspace, number);
    CREATE TABLE statuses (workspace TEXT NOT NULL, number INTEGER NOT NULL, head TEXT NOT NULL, state TEXT NOT NULL,
        description TEXT NOT NULL, written INTEGER NOT NULL, PRIMARY KEY (workspace, number, head)) STRICT, WITHOUT ROWID;
    CREATE TABLE sweeps (workspace TEXT PRIMARY KEY, begun_at INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/// To version 5: which commit each environment is to run.
const FROM_4: &str =
    "CREATE TABLE offers (workspace TEXT NOT NULL, learner TEXT NOT NULL, task TEXT NOT NULL, offer TEXT NOT NULL,
    offered_at INTEGER NOT NULL, PRIMARY KEY (workspace, learner, task)) STRICT, WITHOUT ROWID";

/// To version 6: who holds an environment, and what was seen there.
const FROM_5: &str = "
    ALTER TABLE offers ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE offers ADD COLUMN pushed_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE queue ADD COLUMN offered INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE observations (digest TEXT PRIMARY KEY, seen TEXT NOT NULL, seen_at INTEGER NOT NULL)
        STRICT, WITHOUT ROWID";

/// To version 7: what has to be undone in environments.
const FROM_6: &str =
    "CREATE TABLE undos (id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, undo TEXT NOT NULL,
    since INTEGER NOT NULL) STRICT;
    CREATE INDEX observations_by_age ON observations (seen_at)";

/// Whether data of this version can be taken over. Several schemas were called 2 while the program was made: only the last
/// one of them is meant.
pub(super) async fn knows(connection: &mut SqliteConnection, version: i64) -> Result<bool, sqlx::Error> {
    if version != 2 {
        return Ok(matches!(version, 3..=6));
    }
    let last = sqlx::query("SELECT count(*) FROM pragma_table_info('gradings') WHERE name = 'again_at'");
    Ok(last.fetch_one(connection).await?.try_get::<i64, _>(0)? == 1)
}

/// Brings data of a version that [`knows`] knows to the one of now; a new file (version 0) is there already.
pub(super) async fn run(connection: &mut SqliteConnection, version: i64) -> Result<(), StoreError> {
    if version == 2 {
        sqlx::raw_sql(FROM_2).execute(&mut *connection).await?;
    }
    if matches!(version, 2 | 3) {
        sqlx::raw_sql(FROM_3).execute(&mut *connection).await?;
    }
    if matches!(version, 2..=4) {
        sqlx::raw_sql(FROM_4).execute(&mut *connection).await?;
    }
    if matches!(version, 2..=5) {
        sqlx::raw_sql(FROM_5).execute(&mut *connection).await?;
    }
    if matches!(version, 2..=6) {
        sqlx::raw_sql(FROM_6).execute(connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::{SCHEMA_VERSION, Store, StoreError};

    /// Statements on a file, and the rows of the last of them as text.
    async fn sql(path: &Path, statements: &[&'static str]) -> Vec<String> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let mut rows = Vec::new();
        for statement in statements {
            rows = sqlx::query(*statement).fetch_all(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        rows.iter().map(|row| sqlx::Row::try_get(row, 0).unwrap()).collect()
    }

    const TABLES: &str = "SELECT name || ': ' || group_concat(kind, ', ') FROM (
        SELECT m.name, t.name || ' ' || t.type || ' ' || t.\"notnull\" AS kind FROM sqlite_schema AS m
        JOIN pragma_table_info(m.name) AS t WHERE m.type = 'table' ORDER BY m.name, t.name) GROUP BY name";

    /// A grading, a review and a comment as version 2 left them.
    const LEFT: [&str; 3] = [
        "INSERT INTO gradings (workspace, number, head, digest, provisional, practice, quiet, passed, human, quarantined,
            again_at, tries, first_at, graded_at, grading) VALUES ('local', 1, 'h', 'd', 0, 0, 0, 1, 0, 0, 7, 1, 2, 3, '{}')",
        "INSERT INTO local_pulls VALUES (1, 'ada', 'hello', 'fix', 'h', 'open', '[]', 1, 1)",
        "INSERT INTO local_comments VALUES (1, 1, 'ada', 'thanks', NULL, 1)",
    ];

    /// A file as the last program of version 6 would have made it.
    async fn sixth(path: &Path) {
        Store::open(path).await.unwrap().close().await;
        sql(path, &["DROP TABLE undos", "DROP INDEX observations_by_age", "PRAGMA user_version = 6"]).await;
    }

    /// A file as the last program of version 5 would have made it.
    async fn fifth(path: &Path) {
        sixth(path).await;
        sql(path, &["DROP TABLE observations", "ALTER TABLE queue DROP COLUMN offered"]).await;
        sql(path, &["ALTER TABLE offers DROP COLUMN number", "ALTER TABLE offers DROP COLUMN pushed_at"]).await;
        sql(path, &["PRAGMA user_version = 5"]).await;
    }

    /// A file as the last program of version 4 would have made it.
    async fn fourth(path: &Path) {
        fifth(path).await;
        sql(path, &["DROP TABLE offers", "PRAGMA user_version = 4"]).await;
    }

    /// A file as the last program of version 3 would have made it.
    async fn third(path: &Path) {
        fourth(path).await;
        let newer = ["DROP TABLE doubts", "DROP TABLE statuses", "DROP TABLE sweeps"];
        sql(path, &newer).await;
        sql(path, &["ALTER TABLE heads DROP COLUMN updated_at", "PRAGMA user_version = 3"]).await;
    }

    /// A file as the last program of version 2 would have made it.
    async fn second(path: &Path) {
        third(path).await;
        sql(path, &["ALTER TABLE gradings DROP COLUMN wanted", "PRAGMA user_version = 2"]).await;
    }

    #[tokio::test]
    async fn data_of_the_versions_before_is_taken_over_whole() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["new", "old", "third", "fourth", "fifth", "sixth"];
        let [new, old, third_one, fourth_one, fifth_one, sixth_one] = names.map(|name| dir.path().join(name));
        Store::open(&new).await.unwrap().close().await;
        third(&third_one).await;
        fourth(&fourth_one).await;
        fifth(&fifth_one).await;
        sixth(&sixth_one).await;
        for one in [&third_one, &fourth_one, &fifth_one, &sixth_one] {
            Store::open(one).await.unwrap().close().await;
            assert_eq!(sql(one, &[TABLES]).await, sql(&new, &[TABLES]).await, "the schemas are the same");
        }
        second(&old).await;
        sql(&old, &LEFT).await;
        // Two programs at once, and once more later.
        let (one, two) = tokio::join!(Store::open(&old), Store::open(&old));
        one.unwrap().close().await;
        two.unwrap().close().await;
        Store::open(&old).await.unwrap().close().await;
        assert_eq!(sql(&old, &[TABLES]).await, sql(&new, &[TABLES]).await, "the schemas are the same");
        let version = ["SELECT CAST(user_version AS TEXT) FROM pragma_user_version"];
        assert_eq!(sql(&old, &version).await, [SCHEMA_VERSION.to_string()]);
        let kept = [
            "SELECT head || again_at || coalesce(wanted, '-') FROM gradings UNION ALL SELECT body FROM local_comments",
        ];
        assert_eq!(sql(&old, &kept).await, ["h7-", "thanks"]);
    }

    #[tokio::test]
    async fn an_earlier_schema_that_was_called_2_too_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gradus.db");
        second(&path).await;
        sql(&path, &["ALTER TABLE gradings DROP COLUMN again_at"]).await;
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::OtherVersion { found: 2, .. }), "{error}");
        assert!(error.to_string().contains("`--data DIR`"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
