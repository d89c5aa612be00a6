//! The journal: what we are about to write on a forge, written down before; and the gradings that lead to it.
//!
//! An entry's key is (pull request, head, outcome digest): two workers, two daemons or a worker after a crash make one
//! entry, and one entry makes one review. States: `intent` → `posted` → `done`, or `superseded` when the head moved on
//! before it was posted (and back to `intent` when that head comes back), or `failed` when the forge will never take it.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::time::Time;
use super::{Store, StoreError, json, parsed};
use crate::forge::pull::PullKey;
use crate::grade::digest::OutcomeDigest;
use crate::review::Review;
use crate::submission::sha::{CommitId, TreeId};

/// An entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub i64);

/// How far an entry got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// Nothing of it may be on the forge yet, or just so.
    Intent,
    /// It is on the forge; what follows from it may be missing.
    Posted,
    /// Everything that follows is done.
    Done,
    /// The head moved on before it was posted.
    Superseded,
    /// The forge will never take it.
    Failed,
}

impl JournalState {
    fn word(self) -> &'static str {
        match self {
            JournalState::Intent => "intent",
            JournalState::Posted => "posted",
            JournalState::Done => "done",
            JournalState::Superseded => "superseded",
            JournalState::Failed => "failed",
        }
    }
}

/// An entry without its review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its id.
    pub id: JournalId,
    /// The head that was graded.
    pub head: CommitId,
    /// What the review tells.
    pub digest: OutcomeDigest,
    /// How far it got.
    pub state: JournalState,
    /// Position of the newest head that it answers.
    pub up_to: i64,
    /// A final one of the same head takes its place.
    pub provisional: bool,
    /// The forge's id of the review, once it is posted.
    pub review_id: Option<String>,
    /// Folded on the forge, since a newer one stands.
    pub retired: bool,
}

/// What matters of a grading beyond its outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits {
    /// A draft's: no attempt.
    pub practice: bool,
    /// Answered by a status, without a review.
    pub quiet: bool,
    /// Every graded task passed, and there is one.
    pub passed: bool,
    /// Passed, and a person has to approve.
    pub human: bool,
    /// Provisional by a quarantine alone, or because every cluster is somebody's: trying again before that ends changes nothing.
    pub held_up: bool,
}

/// The newest grading of a head, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GradingState {
    /// What it tells.
    pub digest: OutcomeDigest,
    /// Something is still open.
    pub provisional: bool,
    /// What kind of answer it is.
    pub traits: Traits,
    /// Gradings of this head so far.
    pub tries: u32,
    /// When the first of them was.
    pub first_at: Time,
    /// When the newest was.
    pub graded_at: Time,
    /// From then on it is graded again, whatever came of it.
    pub again_at: Option<Time>,
    /// The course revision that it is graded again with, once that is served.
    pub wanted: Option<TreeId>,
}

/// What a grading leaves behind.
#[derive(Debug)]
pub struct Graded<'a> {
    /// The head.
    pub head: &'a CommitId,
    /// Of the course, that it was judged with.
    pub revision: &'a TreeId,
    /// What it tells.
    pub digest: &'a OutcomeDigest,
    /// Something is still open.
    pub provisional: bool,
    /// What kind of answer it is.
    pub traits: Traits,
    /// From then on it is to be graded again.
    pub again_at: Option<Time>,
    /// The grading as JSON.
    pub grading: &'a str,
    /// What is to be posted of it; nothing while only the status is written.
    pub intent: Option<Intent<'a>>,
}

/// A review of ours that was found on the forge.
#[derive(Debug)]
pub struct Recall<'a> {
    /// The head that it is of.
    pub head: &'a CommitId,
    /// What it tells.
    pub digest: &'a OutcomeDigest,
    /// It is final: the head, and those before, are answered.
    pub answered: bool,
    /// What is left of it.
    pub review: &'a Review,
    /// What its marker says.
    pub record: Option<&'a str>,
    /// The forge's id.
    pub review_id: &'a str,
    /// When it was posted.
    pub at: Time,
}

/// A review that is to be posted.
#[derive(Debug)]
pub struct Intent<'a> {
    /// The head.
    pub head: &'a CommitId,
    /// What it tells.
    pub digest: &'a OutcomeDigest,
    /// A final one of the same head takes its place.
    pub provisional: bool,
    /// What to post.
    pub review: &'a Review,
    /// What its marker tells an empty store.
    pub record: Option<&'a str>,
    /// Position of the newest head that it answers.
    pub up_to: i64,
}

impl Store {
    /// Writes a grading down and, in the same step, what is to be posted of it. An entry that was superseded or failed
    /// is to be posted again; one that is further along stays as it is.
    pub async fn graded(&self, key: &PullKey, graded: &Graded<'_>, now: Time) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO gradings (workspace, number, head, digest, provisional, tries, first_at, graded_at, grading,
                 practice, quiet, passed, human, quarantined, again_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
             ON CONFLICT (workspace, number, head) DO UPDATE SET
                 digest = ?4, provisional = ?5, tries = tries + 1, graded_at = ?6, grading = ?7,
                 practice = ?8, quiet = ?9, passed = ?10, human = ?11, quarantined = ?12, again_at = ?13,
                 wanted = nullif(wanted, ?14)",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(graded.head.as_str())
        .bind(graded.digest.as_str())
        .bind(graded.provisional)
        .bind(now.0)
        .bind(graded.grading)
        .bind(graded.traits.practice)
        .bind(graded.traits.quiet)
        .bind(graded.traits.passed)
        .bind(graded.traits.human)
        .bind(graded.traits.held_up)
        .bind(graded.again_at.map(|at| at.0))
        .bind(graded.revision.as_str())
        .execute(&mut *transaction)
        .await?;
        if let Some(intent) = &graded.intent {
            intend(&mut *transaction, key, intent, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that a review is to be posted for a grading that is written down already.
    pub async fn intend(&self, key: &PullKey, intent: &Intent<'_>, now: Time) -> Result<(), StoreError> {
        intend(self.writer(), key, intent, now).await
    }

    /// The newest grading of a head.
    pub async fn grading_state(&self, key: &PullKey, head: &CommitId) -> Result<Option<GradingState>, StoreError> {
        let row = sqlx::query(
            "SELECT digest, provisional, tries, first_at, graded_at, practice, quiet, passed, human,
                 quarantined, again_at, wanted
             FROM gradings
             WHERE workspace = ? AND number = ? AND head = ?",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(head.as_str())
        .fetch_optional(self.reader())
        .await?;
        let state = |row: SqliteRow| -> Result<GradingState, StoreError> {
            Ok(GradingState {
                digest: parsed("gradings.digest", row.try_get(0)?)?,
                provisional: row.try_get(1)?,
                tries: row.try_get(2)?,
                first_at: Time(row.try_get(3)?),
                graded_at: Time(row.try_get(4)?),
                traits: Traits {
                    practice: row.try_get(5)?,
                    quiet: row.try_get(6)?,
                    passed: row.try_get(7)?,
                    human: row.try_get(8)?,
                    held_up: row.try_get(9)?,
                },
                again_at: row.try_get::<Option<i64>, _>(10)?.map(Time),
                wanted: row.try_get::<Option<&str>, _>(11)?.map(|text| parsed("gradings.wanted", text)).transpose()?,
            })
        };
        row.map(state).transpose()
    }

    /// The content of the newest grading of a head.
    pub async fn grading<T: serde::de::DeserializeOwned>(
        &self,
        key: &PullKey,
        head: &CommitId,
    ) -> Result<Option<T>, StoreError> {
        let row = sqlx::query("SELECT grading FROM gradings WHERE workspace = ? AND number = ? AND head = ?")
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(head.as_str())
            .fetch_optional(self.reader())
            .await?;
        row.map(|row| json("gradings.grading", row.try_get(0)?)).transpose()
    }

    /// All entries of a pull request, oldest first.
    pub async fn journal(&self, key: &PullKey) -> Result<Vec<JournalEntry>, StoreError> {
        let columns = "SELECT id, head, digest, state, up_to, provisional, review_id, retired FROM journal
             WHERE workspace = ? AND number = ? ORDER BY id";
        sqlx::query(columns)
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .fetch_all(self.reader())
            .await?
            .iter()
            .map(entry)
            .collect()
    }

    /// The review of an entry, and what its marker tells an empty store.
    pub async fn intended(&self, id: JournalId) -> Result<(Review, Option<String>), StoreError> {
        let query = sqlx::query("SELECT review, record FROM journal WHERE id = ?").bind(id.0);
        let row = query.fetch_one(self.reader()).await?;
        Ok((json("journal.review", row.try_get(0)?)?, row.try_get(1)?))
    }

    /// Notes that a review was folded on the forge.
    pub async fn retired(&self, id: JournalId) -> Result<(), StoreError> {
        sqlx::query("UPDATE journal SET retired = 1 WHERE id = ?").bind(id.0).execute(self.writer()).await?;
        Ok(())
    }

    /// Takes in a review of ours that stands on the forge and that this store knows nothing of, with the head it is of.
    pub async fn recall(&self, key: &PullKey, review: &Recall<'_>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        super::heads::see_head(&mut *transaction, key, review.head, Time(0), review.at).await?;
        if review.answered {
            sqlx::query(
                "UPDATE heads SET answered_at = ?1 WHERE workspace = ?2 AND number = ?3 AND answered_at IS NULL",
            )
            .bind(review.at.0)
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query(
            "INSERT INTO journal (workspace, number, head, digest, state, review, up_to, intent_at, settled_at,
                 provisional, record, review_id)
             SELECT ?1, ?2, ?3, ?4, 'done', ?5, max(seq), ?6, ?6, ?7, ?8, ?9 FROM heads WHERE workspace = ?1 AND number = ?2
             ON CONFLICT (workspace, number, head, digest) DO NOTHING",
        )
        .bind(&key.workspace.0)
        .bind(key.number.0)
        .bind(review.head.as_str())
        .bind(review.digest.as_str())
        .bind(text(review.review)?)
        .bind(review.at.0)
        .bind(!review.answered)
        .bind(review.record)
        .bind(review.review_id)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that an entry is on the forge, under the forge's id.
    pub async fn posted(&self, id: JournalId, review_id: &str, now: Time) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE journal SET state = 'posted', review_id = ?, settled_at = ? WHERE id = ? AND state = 'intent'",
        )
        .bind(review_id)
        .bind(now.0)
        .bind(id.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Notes how an entry ended.
    pub async fn settle(&self, id: JournalId, state: JournalState, now: Time) -> Result<(), StoreError> {
        sqlx::query("UPDATE journal SET state = ?, settled_at = ? WHERE id = ?")
            .bind(state.word())
            .bind(now.0)
            .bind(id.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }
}

fn text(review: &Review) -> Result<String, StoreError> {
    serde_json::to_string(review)
        .map_err(|source| StoreError::Damaged { what: "a review to be posted", source: source.into() })
}

async fn intend<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    key: &PullKey,
    intent: &Intent<'_>,
    now: Time,
) -> Result<(), StoreError> {
    let review = text(intent.review)?;
    // The text of an intent may still change (it names skipped heads); what is posted stays as it was posted.
    sqlx::query(
        "INSERT INTO journal (workspace, number, head, digest, state, review, up_to, intent_at, provisional, record)
         VALUES (?1, ?2, ?3, ?4, 'intent', ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (workspace, number, head, digest) DO UPDATE SET
             state = 'intent', review = ?5, up_to = ?6, intent_at = ?7, settled_at = NULL, record = ?9
         WHERE state IN ('intent', 'superseded', 'failed')",
    )
    .bind(&key.workspace.0)
    .bind(key.number.0)
    .bind(intent.head.as_str())
    .bind(intent.digest.as_str())
    .bind(review)
    .bind(intent.up_to)
    .bind(now.0)
    .bind(intent.provisional)
    .bind(intent.record)
    .execute(executor)
    .await?;
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<JournalEntry, StoreError> {
    let state = match row.try_get(3)? {
        "intent" => JournalState::Intent,
        "posted" => JournalState::Posted,
        "done" => JournalState::Done,
        "superseded" => JournalState::Superseded,
        _ => JournalState::Failed,
    };
    Ok(JournalEntry {
        id: JournalId(row.try_get(0)?),
        head: parsed("journal.head", row.try_get(1)?)?,
        digest: parsed("journal.digest", row.try_get(2)?)?,
        state,
        up_to: row.try_get(4)?,
        provisional: row.try_get(5)?,
        review_id: row.try_get(6)?,
        retired: row.try_get(7)?,
    })
}
