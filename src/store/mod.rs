//! SQLite: queue, journal and read model, and the local forge's own tables. One file, one schema version; data of the three
//! before is taken over (`migrate`).
//!
//! Writers go through one connection, so that they wait for each other instead of failing; readers have their own and
//! see the last committed state (WAL). Another process on the same file is waited for up to `BUSY`. A connection on which
//! a transaction did not come to its end is closed (`settled`): after a full disk everything goes on by itself. `synchronous =
//! normal` means that a crash of the process loses nothing and a power cut may lose the last moments: the sweep finds
//! the refs again, and the posting protocol adopts what it already wrote.

mod again;
pub mod budget;
pub mod conversation;
pub mod doubts;
pub mod flags;
pub mod flock;
pub mod gauges;
pub mod heads;
pub mod journal;
mod migrate;
pub mod observations;
pub mod offers;
pub mod pulls;
pub mod queue;
pub mod statuses;
mod sweeps;
pub mod time;
pub mod undos;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, SqlitePool};

/// Raised with every change of `schema.sql`.
pub const SCHEMA_VERSION: i64 = 7;

/// Marks the file as ours (SQLite's `application_id`): "Grds".
const APPLICATION_ID: i64 = 0x4772_6473;

/// How long a statement waits for another process before it fails.
const BUSY: Duration = Duration::from_secs(10);

/// Connections for reading: pages, API, and observation in the workers.
const READERS: u32 = 4;

/// The open store.
#[derive(Debug, Clone)]
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
}

/// The store cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Written by another version of the program.
    #[error(
        "{} has data of schema version {found}, this program reads version {SCHEMA_VERSION}: use the program that wrote \
         it, or another directory with `--data DIR`; nothing was changed", path.display()
    )]
    OtherVersion {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// Not written by this program at all.
    #[error("{} is not a database of Gradus: choose another directory with `--data DIR`; nothing was changed", path.display())]
    NotOurs {
        /// The database file.
        path: PathBuf,
    },
    /// SQLite says no: disk full, no permission, damaged file.
    #[error("cannot use the database: {0}")]
    Database(#[from] sqlx::Error),
    /// A value that was stored does not read back.
    #[error("the database holds something unreadable in {what}: {source}")]
    Damaged {
        /// Table and column.
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Store {
    /// Opens the database file, makes it when it is not there, and refuses one of another version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        // Look before touching anything: setting WAL would already write to a file that is not ours.
        if path.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            check(path).await?;
        }
        let write = pool(1).connect_with(options.clone()).await?;
        let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *transaction).await?.try_get(0)?;
        if version == 0 {
            sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *transaction).await?;
            sqlx::raw_sql("PRAGMA application_id = 1198679155").execute(&mut *transaction).await?;
        }
        if version < SCHEMA_VERSION {
            // Seen under the lock: of two programs that open it at once one does it.
            migrate::run(&mut transaction, version).await?;
            sqlx::raw_sql("PRAGMA user_version = 7").execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        let read = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { write, read })
    }

    /// For statements that change something.
    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.write
    }

    /// For statements that only look.
    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.read
    }

    /// A transaction that holds the write lock from its first statement on.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.write.begin_with("BEGIN IMMEDIATE").await
    }

    /// Whether something can be written just now. What is written is the mark that is there already: a page of the file, so
    /// that a full disk says no.
    pub async fn try_to_write(&self) -> Result<(), StoreError> {
        sqlx::raw_sql("PRAGMA application_id = 1198679155").execute(self.writer()).await?;
        Ok(())
    }

    /// Closes all connections: what was written is in the main file afterwards.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// A connection to a file in this process needs no trial before each use: that would double every statement.
fn pool(connections: u32) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
    options.after_release(|connection, _| Box::pin(settled(connection)))
}

/// Whether a connection may be used again: no transaction is open on it as far as sqlx knows. When a disk is full SQLite rolls
/// back by itself; the `ROLLBACK` that sqlx sends then fails, and sqlx would count a transaction that is not there for ever.
async fn settled(connection: &mut sqlx::SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // The rollback of a transaction that was dropped may still be under way; what is asked now is answered after it.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

async fn check(path: &Path) -> Result<(), StoreError> {
    let not_ours = || StoreError::NotOurs { path: path.to_owned() };
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
    let pragma = async |connection: &mut sqlx::SqliteConnection, sql: &'static str| -> Result<i64, sqlx::Error> {
        sqlx::query(sql).fetch_one(connection).await?.try_get(0)
    };
    // A file that is no database at all fails here, not when it is opened.
    let application = match pragma(&mut connection, "PRAGMA application_id").await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("26") => return Err(not_ours()),
        other => other?,
    };
    let version = pragma(&mut connection, "PRAGMA user_version").await?;
    let taken_over = application == APPLICATION_ID && migrate::knows(&mut connection, version).await?;
    connection.close().await?;
    match (application, version) {
        // Made and not yet filled: the process ended in between.
        (0, 0) => Ok(()),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        _ if taken_over => Ok(()),
        (APPLICATION_ID, found) => Err(StoreError::OtherVersion { path: path.to_owned(), found }),
        _ => Err(not_ours()),
    }
}

/// Reads a column that is JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Damaged { what, source: source.into() })
}

/// Reads a column that is one of our newtypes.
pub(crate) fn parsed<T>(what: &'static str, text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| StoreError::Damaged { what, source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(path: &Path, sql: &'static str) {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn data_of_another_version_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gradus.db");
        Store::open(&path).await.unwrap().close().await;
        Store::open(&path).await.unwrap().close().await;
        pragma(&path, "PRAGMA user_version = 99").await;
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::OtherVersion { found: 99, .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[tokio::test]
    async fn a_file_of_another_program_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let foreign = dir.path().join("foreign.db");
        pragma(&foreign, "CREATE TABLE t (x); PRAGMA user_version = 1").await;
        let text = dir.path().join("text.db");
        std::fs::write(&text, "not a database, whatever its name says".repeat(40)).unwrap();
        for path in [foreign, text] {
            let before = std::fs::read(&path).unwrap();
            let error = Store::open(&path).await.unwrap_err();
            assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }

    #[tokio::test]
    async fn what_a_full_disk_refused_keeps_nothing_from_being_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        let write = "INSERT INTO scratch VALUES (zeroblob(100000))";
        // The one connection that writes gets no page more.
        sqlx::raw_sql("CREATE TABLE scratch (bytes)").execute(store.writer()).await.unwrap();
        sqlx::raw_sql("PRAGMA max_page_count = 1").execute(store.writer()).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        let full = sqlx::raw_sql(write).execute(&mut *transaction).await.unwrap_err();
        let code = full.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        assert_eq!(code.as_deref(), Some("13"), "SQLITE_FULL: {full}");
        drop(transaction);
        // There is room again, on whichever connection.
        sqlx::raw_sql("PRAGMA max_page_count = 1000000").execute(store.writer()).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        sqlx::raw_sql(write).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        store.try_to_write().await.unwrap();
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_costs_no_connection() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
        // Only of this connection: another one would not know it.
        sqlx::raw_sql("CREATE TEMP TABLE mine (text)").execute(store.writer()).await.unwrap();
        for _ in 0..20 {
            let mut transaction = store.begin().await.unwrap();
            sqlx::raw_sql("INSERT INTO mine VALUES ('gone')").execute(&mut *transaction).await.unwrap();
            drop(transaction);
        }
        let count = sqlx::query("SELECT count(*) FROM mine").fetch_one(store.writer()).await.unwrap();
        assert_eq!(count.get::<i64, _>(0), 0);
    }

    #[tokio::test]
    async fn the_constants_and_the_statement_agree() {
        assert_eq!(APPLICATION_ID, 1_198_679_155);
        assert_eq!(SCHEMA_VERSION, 7);
    }
}
