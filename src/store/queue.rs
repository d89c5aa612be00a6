//! The durable queue: one entry per pull request.
//!
//! A hint makes or touches an entry; a worker claims one for a lease, looks at the pull request, and gives it back: done,
//! or to be looked at again at a time. Hints that come while a worker is at it raise the entry's version, so that giving
//! it back as done keeps it for another look. Nothing but the key is in a hint: losing one costs a delay until the
//! next sweep, and having one too many costs a look.
//!
//! Order: what has waited long for its class ([`AGED`]) first, oldest first; then learners' actions, newest first; then what
//! sweeps found; then the backlog. An entry that only waits to be written is not claimed before the forge has room for it. Two entries of one lane (learner) are never claimed at once.

use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::time::Time;
use super::{Store, StoreError};
use crate::forge::WriteRoom;
use crate::forge::pull::{PullKey, PullNumber, Workspace};

/// After this wait an entry goes before newer ones, so that nobody starves under load. A learner looks at the terminal
/// for ten seconds; thirty is when they have turned to the page.
pub const AGED: Duration = Duration::from_secs(30);

/// The same for what a sweep found: a learner waits there too, whose hint was lost.
pub const AGED_HOUSEKEEPING: Duration = Duration::from_secs(120);

/// The same for backlog: long, since regrading a cohort takes hours of the forge's write limits, and learners' pushes
/// are answered in between.
pub const AGED_BACKLOG: Duration = Duration::from_secs(6 * 3600);

/// How long a claim holds when the worker vanishes. Longer than any reconcile of one pull request takes.
pub const LEASE: Duration = Duration::from_secs(300);

/// Why a pull request is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// A push: failures so far do not count against it.
    NewHead,
    /// A comment, or the branch was deleted.
    Action,
    /// Sweep or timer: waits its turn, and for `not_before`.
    Housekeeping,
    /// Nobody waits for it: regrading after a change of the course.
    Backlog,
}

impl Hint {
    fn class(self) -> i64 {
        match self {
            Hint::NewHead | Hint::Action => 0,
            Hint::Housekeeping => 1,
            Hint::Backlog => 2,
        }
    }
}

/// An entry that a worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which pull request.
    pub key: PullKey,
    /// Failures in a row so far.
    pub failures: u32,
    version: i64,
}

/// An entry as it stands in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which pull request.
    pub number: PullNumber,
    /// When it is looked at again.
    pub not_before: Time,
    /// Failures in a row so far.
    pub failures: u32,
    /// Everything is decided, the forge's limits allow no write now.
    pub awaits_write: bool,
}

impl Store {
    /// Notes that a pull request is to be looked at; several hints collapse into one entry.
    pub async fn enqueue(&self, key: &PullKey, lane: &str, hint: Hint, now: Time) -> Result<(), StoreError> {
        enqueue(self.writer(), key, lane, hint, now).await
    }

    /// Takes the next entry of a workspace that is due, whose lane is free, and for which there is room to write when
    /// writing is all that is left to do.
    pub async fn claim(&self, workspace: &Workspace, now: Time, room: WriteRoom) -> Result<Option<Claim>, StoreError> {
        let row = sqlx::query(
            "UPDATE queue SET lease_until = ?2, waiting_since = ?1
             WHERE (workspace, number) = (
                 SELECT workspace, number FROM queue AS q
                 WHERE workspace = ?3 AND not_before <= ?1 AND lease_until <= ?1
                   AND (NOT awaits_write OR CASE class WHEN 0 THEN ?4 ELSE ?5 END <= ?1)
                   AND NOT EXISTS (SELECT 1 FROM queue AS busy WHERE busy.lane = q.lane AND busy.lease_until > ?1)
                 ORDER BY CASE WHEN waiting_since <= ?1 - CASE class WHEN 0 THEN ?6 WHEN 1 THEN ?7 ELSE ?8 END
                               THEN 0 ELSE 1 + class END,
                          CASE WHEN class > 0 OR waiting_since <= ?1 - ?6 THEN waiting_since ELSE -hinted_at END,
                          number
                 LIMIT 1)
             RETURNING workspace, number, failures, version",
        )
        .bind(now.0)
        .bind(now.plus(LEASE).0)
        .bind(&workspace.0)
        .bind(room.live.0)
        .bind(room.backlog.0)
        .bind(millis(AGED))
        .bind(millis(AGED_HOUSEKEEPING))
        .bind(millis(AGED_BACKLOG))
        .fetch_optional(self.writer())
        .await?;
        Ok(row.as_ref().map(claim).transpose()?)
    }

    /// Whoever holds an entry is still at it.
    pub async fn renew(&self, key: &PullKey, now: Time) -> Result<(), StoreError> {
        sqlx::query("UPDATE queue SET lease_until = ?1 WHERE workspace = ?2 AND number = ?3 AND lease_until > ?4")
            .bind(now.plus(LEASE).0)
            .bind(&key.workspace.0)
            .bind(key.number.0)
            .bind(now.0)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// Gives an entry back: everything that its hints asked for is done. Stays when a hint came meanwhile.
    pub async fn finish(&self, claim: &Claim) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM queue WHERE workspace = ? AND number = ? AND version = ?")
            .bind(&claim.key.workspace.0)
            .bind(claim.key.number.0)
            .bind(claim.version)
            .execute(&mut *transaction)
            .await?;
        // A hint came: the entry is whole again, as if new.
        sqlx::query(
            "UPDATE queue SET lease_until = 0, awaits_write = 0, failures = 0 WHERE workspace = ? AND number = ?",
        )
        .bind(&claim.key.workspace.0)
        .bind(claim.key.number.0)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Gives an entry back that only waits for room to write. Keeps its place: it waits since its newest hint.
    pub async fn await_write(&self, claim: &Claim) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE queue SET lease_until = 0, awaits_write = (version = ?1),
                 waiting_since = min(waiting_since, hinted_at)
             WHERE workspace = ?2 AND number = ?3",
        )
        .bind(claim.version)
        .bind(&claim.key.workspace.0)
        .bind(claim.key.number.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// Gives an entry back to be looked at again at `at`, or at once when a hint came meanwhile.
    pub async fn postpone(&self, claim: &Claim, at: Time, failures: u32) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE queue SET lease_until = 0, awaits_write = 0, failures = ?1,
                 class = CASE WHEN version = ?2 THEN max(class, 1) ELSE class END,
                 not_before = CASE WHEN version = ?2 THEN ?3 ELSE not_before END,
                 waiting_since = max(waiting_since, CASE WHEN version = ?2 THEN ?3 ELSE 0 END)
             WHERE workspace = ?4 AND number = ?5",
        )
        .bind(failures)
        .bind(claim.version)
        .bind(at.0)
        .bind(&claim.key.workspace.0)
        .bind(claim.key.number.0)
        .execute(self.writer())
        .await?;
        Ok(())
    }

    /// When the next entry is due that nobody holds, if there is one.
    pub async fn next_due(&self, workspace: &Workspace, room: WriteRoom) -> Result<Option<Time>, StoreError> {
        let row = sqlx::query(
            "SELECT min(max(not_before, lease_until,
                 CASE WHEN NOT awaits_write THEN 0 WHEN class = 0 THEN ? ELSE ? END))
             FROM queue WHERE workspace = ?",
        )
        .bind(room.live.0)
        .bind(room.backlog.0)
        .bind(&workspace.0)
        .fetch_one(self.reader())
        .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(Time))
    }

    /// How many hints an entry took; tells whether one came meanwhile.
    pub async fn hints(&self, key: &PullKey) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT version FROM queue WHERE workspace = ? AND number = ?");
        let row = query.bind(&key.workspace.0).bind(key.number.0).fetch_optional(self.reader()).await?;
        Ok(row.map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// All entries of a workspace.
    pub async fn waiting(&self, workspace: &Workspace) -> Result<Vec<Waiting>, StoreError> {
        let query = sqlx::query(
            "SELECT number, not_before, failures, awaits_write FROM queue WHERE workspace = ? ORDER BY number",
        );
        let rows = query.bind(&workspace.0).fetch_all(self.reader()).await?;
        let waiting = |row: &SqliteRow| {
            Ok(Waiting {
                number: PullNumber(row.try_get(0)?),
                not_before: Time(row.try_get(1)?),
                failures: row.try_get(2)?,
                awaits_write: row.try_get(3)?,
            })
        };
        rows.iter().map(waiting).collect()
    }

    /// Pull requests of a workspace that wait to be looked at now. What waits for a timer, as what passed does for days
    /// before it is closed, or only to be written, is before nobody.
    pub async fn queue_ahead(&self, workspace: &Workspace, now: Time) -> Result<i64, StoreError> {
        let query = sqlx::query(
            "SELECT count(*) FROM queue
             WHERE workspace = ?1 AND not_before <= ?2 AND lease_until <= ?2 AND NOT awaits_write AND class < 2",
        );
        Ok(query.bind(&workspace.0).bind(now.0).fetch_one(self.reader()).await?.try_get(0)?)
    }

    /// Number of entries.
    pub async fn queue_length(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query("SELECT count(*) FROM queue").fetch_one(self.reader()).await?.try_get(0)?)
    }

    /// Forgets all leases: for a start that is known to be alone on the store.
    pub async fn break_leases(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE queue SET lease_until = 0").execute(self.writer()).await?;
        Ok(())
    }
}

/// [`Store::enqueue`] inside somebody's transaction.
pub(crate) async fn enqueue<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    key: &PullKey,
    lane: &str,
    hint: Hint,
    now: Time,
) -> Result<(), StoreError> {
    // A learner's action lifts `not_before`: it is something new to answer. What a sweep found lifts a timer, since it found
    // something new too, and not the wait after a failure, or a forge that is down would be asked at every sweep.
    sqlx::query(
        "INSERT INTO queue (workspace, number, lane, class, hinted_at, waiting_since) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (workspace, number) DO UPDATE SET
             version = version + 1,
             class = min(class, ?4),
             awaits_write = awaits_write AND ?4 > 0,
             hinted_at = CASE WHEN ?4 = 0 THEN ?5 ELSE hinted_at END,
             not_before = CASE WHEN ?4 = 0 OR (?4 = 1 AND failures = 0) THEN 0 ELSE not_before END,
             waiting_since = CASE WHEN ?4 = 0 THEN min(waiting_since, ?5) ELSE waiting_since END,
             failures = CASE WHEN ?6 THEN 0 ELSE failures END",
    )
    .bind(&key.workspace.0)
    .bind(key.number.0)
    .bind(lane)
    .bind(hint.class())
    .bind(now.0)
    .bind(hint == Hint::NewHead)
    .execute(executor)
    .await?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn claim(row: &SqliteRow) -> Result<Claim, sqlx::Error> {
    let key = PullKey { workspace: Workspace(row.try_get(0)?), number: PullNumber(row.try_get(1)?) };
    Ok(Claim { key, failures: row.try_get(2)?, version: row.try_get(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Queue {
        store: Store,
        now: Time,
        room: WriteRoom,
        _dir: tempfile::TempDir,
    }

    impl Queue {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
            Self { store, now: Time(1_000_000), room: WriteRoom::default(), _dir: dir }
        }

        async fn hint(&mut self, number: i64, lane: &str, hint: Hint) {
            self.now = self.now.plus(Duration::from_millis(1));
            self.store.enqueue(&key(number), lane, hint, self.now).await.unwrap();
        }

        async fn claim(&mut self) -> Option<Claim> {
            self.now = self.now.plus(Duration::from_millis(1));
            self.store.claim(&workspace(), self.now, self.room).await.unwrap()
        }

        async fn next(&mut self) -> Option<i64> {
            let claim = self.claim().await?;
            self.store.finish(&claim).await.unwrap();
            Some(claim.key.number.0)
        }
    }

    fn key(number: i64) -> PullKey {
        PullKey { workspace: workspace(), number: PullNumber(number) }
    }

    fn workspace() -> Workspace {
        Workspace("local".into())
    }

    #[tokio::test]
    async fn hints_of_one_pull_request_collapse() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        queue.hint(1, "a", Hint::Action).await;
        queue.hint(1, "a", Hint::Housekeeping).await;
        assert_eq!(queue.next().await, Some(1));
        assert_eq!(queue.next().await, None);
        assert_eq!(queue.store.queue_length().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn the_newest_action_goes_first_and_housekeeping_last() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::Housekeeping).await;
        queue.hint(2, "b", Hint::NewHead).await;
        queue.hint(3, "c", Hint::Action).await;
        assert_eq!(queue.next().await, Some(3));
        assert_eq!(queue.next().await, Some(2));
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn what_waited_long_goes_before_newer_actions() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::Housekeeping).await;
        queue.hint(2, "b", Hint::NewHead).await;
        queue.now = queue.now.plus(AGED_HOUSEKEEPING + SECOND);
        queue.hint(3, "c", Hint::NewHead).await;
        assert_eq!(queue.next().await, Some(1));
        assert_eq!(queue.next().await, Some(2));
        assert_eq!(queue.next().await, Some(3));
    }

    #[tokio::test]
    async fn pushing_again_and_again_does_not_reset_the_wait() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        queue.now = queue.now.plus(AGED);
        queue.hint(1, "a", Hint::NewHead).await;
        queue.now = queue.now.plus(SECOND);
        queue.hint(2, "b", Hint::NewHead).await;
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn a_learner_is_served_by_one_worker_at_a_time() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        queue.hint(2, "a", Hint::NewHead).await;
        queue.hint(3, "b", Hint::NewHead).await;
        let first = queue.claim().await.unwrap();
        let second = queue.claim().await.unwrap();
        assert_eq!((first.key.number.0, second.key.number.0), (3, 2));
        assert_eq!(queue.claim().await, None);
        queue.store.finish(&second).await.unwrap();
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn a_hint_while_working_asks_for_one_more_look() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let claim = queue.claim().await.unwrap();
        queue.hint(1, "a", Hint::NewHead).await;
        queue.hint(1, "a", Hint::NewHead).await;
        assert_eq!(queue.claim().await, None, "nobody else gets it meanwhile");
        queue.store.finish(&claim).await.unwrap();
        assert_eq!(queue.next().await, Some(1));
        assert_eq!(queue.next().await, None);
    }

    #[tokio::test]
    async fn a_postponed_entry_waits_for_its_time_unless_the_learner_acts() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let claim = queue.claim().await.unwrap();
        let later = queue.now.plus(60 * SECOND);
        queue.store.postpone(&claim, later, 1).await.unwrap();
        assert_eq!(queue.store.next_due(&workspace(), queue.room).await.unwrap(), Some(later));
        queue.hint(1, "a", Hint::Housekeeping).await;
        assert_eq!(queue.claim().await, None, "a sweep does not shorten the wait");
        queue.hint(1, "a", Hint::Action).await;
        let claim = queue.claim().await.unwrap();
        assert_eq!(claim.failures, 1, "an action is no reason to forget failures");
        queue.store.postpone(&claim, later, 2).await.unwrap();
        queue.hint(1, "a", Hint::NewHead).await;
        assert_eq!(queue.claim().await.unwrap().failures, 0, "a new head is");
    }

    #[tokio::test]
    async fn what_a_sweep_finds_does_not_wait_for_a_timer_of_days() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let claim = queue.claim().await.unwrap();
        queue.store.postpone(&claim, queue.now.plus(86_400 * SECOND), 0).await.unwrap();
        assert_eq!(queue.claim().await, None);
        queue.hint(1, "a", Hint::Housekeeping).await;
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn postponing_does_not_swallow_a_hint_that_came_meanwhile() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let claim = queue.claim().await.unwrap();
        queue.hint(1, "a", Hint::Action).await;
        queue.store.postpone(&claim, queue.now.plus(60 * SECOND), 1).await.unwrap();
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn the_entry_of_a_vanished_worker_comes_back() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        queue.claim().await.unwrap();
        assert_eq!(queue.claim().await, None);
        queue.now = queue.now.plus(LEASE + SECOND);
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn what_only_waits_to_be_written_waits_for_room_and_learners_go_first() {
        let mut queue = Queue::new().await;
        for (number, hint) in [(1, Hint::Backlog), (2, Hint::NewHead)] {
            queue.hint(number, "a", hint).await;
            let claim = queue.claim().await.unwrap();
            queue.store.await_write(&claim).await.unwrap();
        }
        let (soon, later) = (queue.now.plus(60 * SECOND), queue.now.plus(120 * SECOND));
        queue.room = WriteRoom { live: soon, backlog: later };
        assert_eq!(queue.claim().await, None);
        assert_eq!(queue.store.next_due(&workspace(), queue.room).await.unwrap(), Some(soon));
        queue.now = soon;
        assert_eq!(queue.next().await, Some(2));
        assert_eq!(queue.claim().await, None, "what is kept for learners is not for the backlog");
        queue.now = later;
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn a_new_head_needs_no_room_to_be_graded() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let claim = queue.claim().await.unwrap();
        queue.store.await_write(&claim).await.unwrap();
        queue.room = WriteRoom { live: Time(i64::MAX), backlog: Time(i64::MAX) };
        assert_eq!(queue.claim().await, None);
        queue.hint(1, "a", Hint::NewHead).await;
        assert_eq!(queue.next().await, Some(1));
    }

    #[tokio::test]
    async fn a_cohort_that_is_regraded_does_not_hold_up_a_push() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::Backlog).await;
        queue.now = queue.now.plus(3600 * SECOND);
        queue.hint(2, "b", Hint::NewHead).await;
        assert_eq!(queue.next().await, Some(2));
        queue.now = queue.now.plus(AGED_BACKLOG);
        queue.hint(3, "c", Hint::NewHead).await;
        assert_eq!(queue.next().await, Some(1), "but it is not forgotten");
    }

    #[tokio::test]
    async fn only_what_waits_to_be_looked_at_is_ahead_of_a_push() {
        let mut queue = Queue::new().await;
        for (number, hint) in [(1, Hint::NewHead), (2, Hint::NewHead), (3, Hint::NewHead), (4, Hint::Backlog)] {
            queue.hint(number, &number.to_string(), hint).await;
        }
        let passed = queue.claim().await.unwrap();
        queue.store.postpone(&passed, queue.now.plus(3 * 86_400 * SECOND), 0).await.unwrap();
        let decided = queue.claim().await.unwrap();
        queue.store.await_write(&decided).await.unwrap();
        assert_eq!(queue.store.queue_length().await.unwrap(), 4);
        assert_eq!(queue.store.queue_ahead(&workspace(), queue.now).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn workspaces_do_not_see_each_others_entries() {
        let mut queue = Queue::new().await;
        queue.hint(1, "a", Hint::NewHead).await;
        let other = Workspace("forge.example/acme/course".into());
        assert_eq!(queue.store.claim(&other, queue.now, queue.room).await.unwrap(), None);
        assert_eq!(queue.store.next_due(&other, queue.room).await.unwrap(), None);
    }
}
