//! What was written on forges within the last hour, whose turn it is, and until when a forge wants to be left alone.

use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::time::Time;
use super::{Store, StoreError};
use crate::forge::budget::{Gate, Write, WriteClass, WriteKind, WritePolicy, earliest};
use crate::forge::pull::PullKey;

/// How long somebody who does not come back keeps the turn: longer than a write takes, shorter than people wait.
const TURN: Duration = Duration::from_secs(10);

/// How far back writes count.
const WINDOW: Duration = Duration::from_secs(3_600);

/// Whether a write may begin.
#[derive(Debug)]
pub enum Admission {
    /// It is counted already.
    Now(Turn),
    /// Not before this time.
    NotBefore(Time),
}

/// The turn of one write.
#[derive(Debug)]
pub struct Turn(i64);

impl Store {
    /// Until when a forge wants to be left alone by this identity.
    pub async fn gate(&self, identity: &str) -> Result<Gate, StoreError> {
        read_gate(self.reader(), identity).await
    }

    /// Shuts the gate, and says how it stands now.
    pub async fn shut(&self, identity: &str, until: Option<Time>, now: Time) -> Result<Gate, StoreError> {
        let mut transaction = self.begin().await?;
        let gate = read_gate(&mut *transaction, identity).await?.shut(until, now);
        sqlx::query(
            "INSERT INTO gates (identity, until, strikes) VALUES (?1, ?2, ?3)
             ON CONFLICT (identity) DO UPDATE SET until = ?2, strikes = ?3",
        )
        .bind(identity)
        .bind(gate.until.0)
        .bind(gate.strikes)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(gate)
    }

    /// The forge took a write: the next limit that says no time is the first of its row.
    pub async fn forget_strikes(&self, identity: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE gates SET strikes = 0 WHERE identity = ?").bind(identity).execute(self.writer()).await?;
        Ok(())
    }

    /// What was begun within the last hour, oldest first, and the gate.
    pub async fn written(&self, identity: &str, now: Time) -> Result<(Vec<Write>, Gate), StoreError> {
        let mut connection = self.reader().acquire().await?;
        let history = history(&mut *connection, identity, now).await?;
        Ok((history, read_gate(&mut *connection, identity).await?))
    }

    /// Counts a write that may begin now, or says when it may.
    pub async fn admit(
        &self,
        identity: &str,
        policy: &WritePolicy,
        class: WriteClass,
        kind: WriteKind,
        now: Time,
    ) -> Result<Admission, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM writes WHERE identity = ? AND at <= ?")
            .bind(identity)
            .bind(now.0 - WINDOW.as_millis() as i64)
            .execute(&mut *transaction)
            .await?;
        let history = history(&mut *transaction, identity, now).await?;
        let gate = read_gate(&mut *transaction, identity).await?;
        let busy = sqlx::query("SELECT max(at) FROM writes WHERE identity = ? AND ended = 0")
            .bind(identity)
            .fetch_one(&mut *transaction)
            .await?
            .try_get::<Option<i64>, _>(0)?
            .map_or(now, |at| Time(at).plus(TURN));
        let at = earliest(policy, &history, gate, class, kind, now).max(busy);
        if at > now {
            return Ok(Admission::NotBefore(at));
        }
        let id = sqlx::query("INSERT INTO writes (identity, at, kind, ended) VALUES (?, ?, ?, 0)")
            .bind(identity)
            .bind(now.0)
            .bind(number(kind))
            .execute(&mut *transaction)
            .await?
            .last_insert_rowid();
        transaction.commit().await?;
        Ok(Admission::Now(Turn(id)))
    }

    /// The write is over: the next one may begin.
    pub async fn end_turn(&self, identity: &str, turn: &Turn) -> Result<(), StoreError> {
        sqlx::query("UPDATE writes SET ended = 1 WHERE identity = ? AND id = ?")
            .bind(identity)
            .bind(turn.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Who waits for what is written about a pull request: a learner as long as the queue says so.
    pub async fn write_class(&self, key: &PullKey) -> Result<WriteClass, StoreError> {
        let row = sqlx::query("SELECT class FROM queue WHERE workspace = ? AND number = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .fetch_optional(self.reader())
            .await?;
        let class: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(if class == Some(0) { WriteClass::Live } else { WriteClass::Backlog })
    }
}

async fn read_gate<'e>(executor: impl sqlx::SqliteExecutor<'e>, identity: &str) -> Result<Gate, StoreError> {
    let row = sqlx::query("SELECT until, strikes FROM gates WHERE identity = ?")
        .bind(identity)
        .fetch_optional(executor)
        .await?;
    let read = |row: SqliteRow| -> Result<Gate, sqlx::Error> {
        Ok(Gate { until: Time(row.try_get(0)?), strikes: row.try_get(1)? })
    };
    Ok(row.map(read).transpose()?.unwrap_or_default())
}

async fn history<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    identity: &str,
    now: Time,
) -> Result<Vec<Write>, StoreError> {
    let rows = sqlx::query("SELECT at, kind FROM writes WHERE identity = ? AND at > ? ORDER BY at, id")
        .bind(identity)
        .bind(now.0 - WINDOW.as_millis() as i64)
        .fetch_all(executor)
        .await?;
    let read = |row: &SqliteRow| {
        let kind = match row.try_get(1)? {
            0 => WriteKind::Notifying,
            1 => WriteKind::Content,
            _ => WriteKind::Plain,
        };
        Ok(Write { at: Time(row.try_get(0)?), kind })
    };
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}

fn number(kind: WriteKind) -> i64 {
    match kind {
        WriteKind::Notifying => 0,
        WriteKind::Content => 1,
        WriteKind::Plain => 2,
    }
}
