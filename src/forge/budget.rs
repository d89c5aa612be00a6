//! What an identity may write on a forge, and when: spacing, budgets by the minute and the hour, the gate that stops all.
//!
//! The decision is pure ([`earliest`], [`room`]); what it decides about lies in the store, so that a restart forgets
//! nothing and two daemons on one store share one budget. A write waits here for as long as [`PATIENCE`]; longer than
//! that is `Throttled`, and the queue keeps the pull request until there is room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WriteRoom;
use crate::store::budget::{Admission, Turn};
use crate::store::time::{Clock, Time};
use crate::store::{Store, StoreError};

/// Longest that a write waits in line instead of going back to the queue.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// First wait after a limit whose answer says no time; doubles with each further one (GitHub: "at least one minute").
pub const STRIKE: Duration = Duration::from_secs(60);

/// Longest such wait.
pub const MAX_STRIKE: Duration = Duration::from_secs(3_600);

/// Longest wait that an answer is believed to ask for: GitHub's longest window is one hour.
pub const MAX_GATE: Duration = Duration::from_secs(2 * 3_600);

/// For how long a look at the gate is good: a limit that another daemon met is kept that much later at most.
const FRESH: Duration = Duration::from_millis(100);

/// Content writes that one verdict takes: the pending review and its submission. There is room only for both.
const PER_VERDICT: usize = 2;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Who waits for a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteClass {
    /// A learner.
    Live,
    /// Nobody: some of the budget is not for these.
    Backlog,
}

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// Puts text in front of people and tells them: a submitted review, a comment, an issue.
    Notifying,
    /// Makes or changes text.
    Content,
    /// Anything else: statuses, labels, deletions.
    Plain,
}

/// So many content writes in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// For all.
    pub writes: usize,
    /// Of these, kept for [`WriteClass::Live`].
    pub kept: usize,
}

impl Quota {
    fn of(self, class: WriteClass) -> usize {
        match class {
            WriteClass::Live => self.writes,
            WriteClass::Backlog => self.writes.saturating_sub(self.kept),
        }
    }
}

/// How fast an identity may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WritePolicy {
    /// Between the beginnings of two writes.
    pub spacing: Duration,
    /// Between two writes that notify.
    pub notify_spacing: Duration,
    /// In a minute.
    pub per_minute: Option<Quota>,
    /// In an hour.
    pub per_hour: Option<Quota>,
}

impl WritePolicy {
    /// GitHub: one write a second ("Best practices for using the REST API"), three seconds between those that notify
    /// (octokit/plugin-throttling), and 80 % of the 80 a minute and 500 an hour that make content ("Rate limits for the
    /// REST API"): the limits may change without notice, and people use the same identity.
    pub const GITHUB: Self = Self {
        spacing: Duration::from_secs(1),
        notify_spacing: Duration::from_secs(3),
        per_minute: Some(Quota { writes: 64, kept: 16 }),
        per_hour: Some(Quota { writes: 400, kept: 100 }),
    };

    /// No limit of ours: Gitea has none unless its operator put one in front of it. A limit that the forge tells of is
    /// kept all the same.
    pub const OFF: Self =
        Self { spacing: Duration::ZERO, notify_spacing: Duration::ZERO, per_minute: None, per_hour: None };

    /// Whether nothing has to be counted.
    pub fn is_off(&self) -> bool {
        *self == Self::OFF
    }
}

/// A write that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// When.
    pub at: Time,
    /// What it did.
    pub kind: WriteKind,
}

/// Nothing is written or read before `until`, because the forge said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    /// Open again from then on.
    pub until: Time,
    /// Limits in a row whose answers said no time.
    pub strikes: u32,
}

impl Gate {
    /// After the forge refused because of a limit, and said until when or not.
    pub fn shut(self, until: Option<Time>, now: Time) -> Self {
        let (wanted, strikes) = match until {
            Some(until) => (until.min(now.plus(MAX_GATE)), self.strikes),
            // Several requests may be refused for one reason: only the first of them counts.
            None if self.until > now => (self.until, self.strikes),
            None => {
                let wait = STRIKE.saturating_mul(1 << self.strikes.min(16)).min(MAX_STRIKE);
                (now.plus(wait), self.strikes.saturating_add(1))
            }
        };
        Self { until: self.until.max(wanted), strikes }
    }
}

/// When a write of this kind may begin: `now`, or later. `history` is what was begun within the last hour, oldest first.
pub fn earliest(
    policy: &WritePolicy,
    history: &[Write],
    gate: Gate,
    class: WriteClass,
    kind: WriteKind,
    now: Time,
) -> Time {
    let after = |last: Option<&Write>, spacing| last.map_or(now, |last| last.at.plus(spacing));
    let spaced = after(history.last(), policy.spacing);
    let quiet = match kind {
        WriteKind::Notifying => {
            let last = history.iter().rev().find(|write| write.kind == WriteKind::Notifying);
            after(last, policy.notify_spacing)
        }
        WriteKind::Content | WriteKind::Plain => now,
    };
    let counted = match kind {
        WriteKind::Notifying | WriteKind::Content => within(policy, history, class, 1, now),
        WriteKind::Plain => now,
    };
    now.max(gate.until).max(spaced).max(quiet).max(counted)
}

/// From when on there is room for a verdict. Spacing is waited for in line and does not count here.
pub fn room(policy: &WritePolicy, history: &[Write], gate: Gate, class: WriteClass, now: Time) -> Time {
    now.max(gate.until).max(within(policy, history, class, PER_VERDICT, now))
}

/// When so many content writes more fit into both windows.
fn within(policy: &WritePolicy, history: &[Write], class: WriteClass, more: usize, now: Time) -> Time {
    let windows = [(policy.per_minute, MINUTE), (policy.per_hour, HOUR)];
    let fits = |(quota, window): (Option<Quota>, Duration)| {
        let Some(quota) = quota else { return now };
        let content = history.iter().filter(|write| write.kind != WriteKind::Plain);
        let times: Vec<Time> = content.map(|write| write.at).filter(|at| at.plus(window) > now).collect();
        // As many as are too many have to leave the window first. A quota smaller than what is wanted is used whole.
        let over = (times.len() + more).saturating_sub(quota.of(class).max(more));
        match over.checked_sub(1).and_then(|last| times.get(last)) {
            Some(last) => last.plus(window),
            None => now,
        }
    };
    windows.into_iter().map(fits).max().unwrap_or(now)
}

/// The write budget of an identity on a forge.
#[derive(Clone)]
pub struct Budget {
    store: Store,
    clock: Arc<dyn Clock>,
    identity: Arc<str>,
    policy: WritePolicy,
    /// One write in flight; the store keeps other processes apart.
    line: Arc<tokio::sync::Mutex<()>>,
    /// The gate as it was seen last, and when: it is asked for before each read.
    seen: Arc<Mutex<Option<(Time, Gate)>>>,
}

/// Why nothing may be asked of the forge now.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// Not before this time.
    #[error("its write limits allow it from {0} on")]
    Throttled(Time),
    /// About the database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The right to make one write now. Nobody else writes until it is given back or ten seconds have passed.
#[derive(Debug)]
#[must_use]
pub struct Permit<'a> {
    turn: Option<Turn>,
    _line: tokio::sync::MutexGuard<'a, ()>,
}

impl Budget {
    /// Of this identity, as in `github.com/4711`: all who write as it share the budget.
    pub fn new(store: Store, clock: Arc<dyn Clock>, identity: &str, policy: WritePolicy) -> Self {
        Self { store, clock, identity: identity.into(), policy, line: Arc::default(), seen: Arc::default() }
    }

    /// What time it is for this budget.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Whether anything may be asked now: fails while the gate is shut.
    pub async fn open(&self) -> Result<(), BudgetError> {
        let gate = self.gate().await?;
        if gate.until > self.now() { Err(BudgetError::Throttled(gate.until)) } else { Ok(()) }
    }

    async fn gate(&self) -> Result<Gate, BudgetError> {
        let now = self.now();
        if let Some((at, gate)) = *self.seen()
            && at <= now
            && now.since(at) < FRESH
        {
            return Ok(gate);
        }
        let gate = self.store.gate(&self.identity).await?;
        *self.seen() = Some((now, gate));
        Ok(gate)
    }

    fn seen(&self) -> MutexGuard<'_, Option<(Time, Gate)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a write, at most [`PATIENCE`].
    pub async fn turn(&self, class: WriteClass, kind: WriteKind) -> Result<Permit<'_>, BudgetError> {
        let patience = self.now().plus(PATIENCE);
        let line = self.line.lock().await;
        if self.policy.is_off() {
            self.open().await?;
            return Ok(Permit { turn: None, _line: line });
        }
        loop {
            let now = self.now();
            match self.store.admit(&self.identity, &self.policy, class, kind, now).await? {
                Admission::Now(turn) => return Ok(Permit { turn: Some(turn), _line: line }),
                Admission::NotBefore(at) if at <= patience => self.clock.sleep(at.since(now)).await,
                Admission::NotBefore(at) => return Err(BudgetError::Throttled(at)),
            }
        }
    }

    /// A write is over: the next one may begin. `Fine` when the forge took it, which ends a row of strikes.
    pub async fn done(&self, permit: Permit<'_>, end: End) -> Result<(), BudgetError> {
        if let Some(turn) = &permit.turn {
            self.store.end_turn(&self.identity, turn).await?;
        }
        match end {
            // Almost always there is nothing to change.
            End::Fine if self.gate().await?.strikes > 0 => {
                self.store.forget_strikes(&self.identity).await?;
                *self.seen() = None;
                Ok(())
            }
            End::Fine | End::Otherwise => Ok(()),
        }
    }

    /// The forge refused because of a limit: nothing is asked any more before the result.
    pub async fn limited(&self, until: Option<Time>) -> Result<Time, BudgetError> {
        let now = self.now();
        let gate = self.store.shut(&self.identity, until, now).await?;
        *self.seen() = Some((now, gate));
        Ok(gate.until)
    }

    /// From when on each class has room for a verdict.
    pub async fn room(&self) -> Result<WriteRoom, BudgetError> {
        let now = self.now();
        if self.policy.is_off() {
            let open = self.gate().await?.until.max(now);
            return Ok(WriteRoom { live: open, backlog: open });
        }
        let (history, gate) = self.store.written(&self.identity, now).await?;
        let of = |class| room(&self.policy, &history, gate, class, now);
        Ok(WriteRoom { live: of(WriteClass::Live), backlog: of(WriteClass::Backlog) })
    }
}

/// How a write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The forge took it.
    Fine,
    /// Not, or nobody knows.
    Otherwise,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::WriteClass::{Backlog, Live};
    use super::WriteKind::{Content, Notifying, Plain};
    use super::*;
    use crate::store::time::ManualClock;

    const NOW: Time = Time(10_000_000);
    const POLICY: WritePolicy = WritePolicy::GITHUB;

    fn ago(seconds: u64, kind: WriteKind) -> Write {
        Write { at: Time(NOW.0 - seconds as i64 * 1000), kind }
    }

    fn seconds(at: Time) -> f64 {
        (at.0 - NOW.0) as f64 / 1000.0
    }

    fn wait(history: &[Write], class: WriteClass, kind: WriteKind) -> f64 {
        seconds(earliest(&POLICY, history, Gate::default(), class, kind, NOW))
    }

    #[test]
    fn writes_are_a_second_apart_and_those_that_notify_three() {
        assert_eq!(wait(&[], Live, Notifying), 0.0);
        let notified = [ago(1, Notifying), ago(0, Plain)];
        assert_eq!(wait(&notified, Live, Plain), 1.0);
        assert_eq!(wait(&notified, Live, Content), 1.0);
        assert_eq!(wait(&notified, Live, Notifying), 2.0);
        assert_eq!(wait(&[ago(3, Notifying)], Live, Notifying), 0.0);
    }

    #[test]
    fn the_last_part_of_a_window_is_for_whom_somebody_waits() {
        // 48 in the last minute: all that backlog may have.
        let minute: Vec<Write> = (1..=48).rev().map(|second| ago(second, Content)).collect();
        assert_eq!(wait(&minute, Live, Content), 0.0);
        assert_eq!(wait(&minute, Backlog, Content), 12.0);
        assert_eq!(wait(&minute, Backlog, Plain), 0.0);
        // 400 in the last hour: all that anybody may have. The oldest leaves in 3600 - 3200 seconds.
        let hour: Vec<Write> = (1..=400).rev().map(|at| ago(at * 8, Content)).collect();
        assert_eq!(wait(&hour, Live, Content), 400.0);
        assert_eq!(wait(&hour, Backlog, Content), 1200.0);
        assert_eq!(wait(&hour, Backlog, Plain), 0.0);
    }

    #[test]
    fn there_is_room_only_for_a_whole_verdict() {
        let almost: Vec<Write> = (1..=399).rev().map(|at| ago(at * 8, Content)).collect();
        assert_eq!(wait(&almost, Live, Content), 0.0);
        assert_eq!(seconds(room(&POLICY, &almost, Gate::default(), Live, NOW)), (3600 - 399 * 8) as f64);
        // Spacing is no lack of room.
        assert_eq!(room(&POLICY, &[ago(0, Notifying)], Gate::default(), Live, NOW), NOW);
    }

    #[test]
    fn a_shut_gate_stops_all_kinds_and_classes() {
        let gate = Gate { until: NOW.plus(MINUTE), strikes: 0 };
        for (class, kind) in [(Live, Plain), (Live, Notifying), (Backlog, Content)] {
            assert_eq!(earliest(&WritePolicy::OFF, &[], gate, class, kind, NOW), gate.until);
            assert_eq!(room(&WritePolicy::OFF, &[], gate, class, NOW), gate.until);
        }
    }

    #[test]
    fn a_limit_without_a_time_doubles_and_one_with_a_time_is_believed() {
        let mut gate = Gate::default();
        let mut now = NOW;
        for expected in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            gate = gate.shut(None, now);
            assert_eq!(gate.until.since(now).as_secs(), expected);
            // A second refusal for the same reason is none more.
            assert_eq!(gate.shut(None, now), gate);
            now = gate.until;
        }
        let told = Gate::default().shut(Some(NOW.plus(Duration::from_secs(7))), NOW);
        assert_eq!(told, Gate { until: NOW.plus(Duration::from_secs(7)), strikes: 0 });
        assert_eq!(told.shut(Some(NOW), NOW), told, "never opens earlier");
        assert_eq!(Gate::default().shut(Some(Time(i64::MAX)), NOW).until, NOW.plus(MAX_GATE));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Whoever writes when it may never exceeds what GitHub documents.
        #[test]
        fn a_writer_that_obeys_stays_within_the_limits(wants in proptest::collection::vec((0u64..20, 0usize..3, any::<bool>()), 1..700)) {
            let (mut history, mut now): (Vec<Write>, Time) = (Vec::new(), NOW);
            for (pause, kind, live) in wants {
                let kind = [Notifying, Content, Plain][kind];
                let class = if live { Live } else { Backlog };
                now = now.plus(Duration::from_secs(pause));
                now = earliest(&POLICY, &history, Gate::default(), class, kind, now);
                // At that time it really may.
                prop_assert_eq!(earliest(&POLICY, &history, Gate::default(), class, kind, now), now);
                history.push(Write { at: now, kind });
                let content = |window| history.iter().filter(|w| w.kind != Plain && w.at.plus(window) > now).count();
                prop_assert!(content(MINUTE) <= 80 && content(HOUR) <= 500);
            }
            prop_assert!(history.windows(2).all(|pair| pair[1].at.since(pair[0].at) >= POLICY.spacing));
        }
    }

    struct World {
        clock: Arc<ManualClock>,
        store: Store,
        _dir: tempfile::TempDir,
    }

    impl World {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&dir.path().join("gradus.db")).await.unwrap();
            Self { clock: Arc::new(ManualClock::at(NOW)), store, _dir: dir }
        }

        fn budget(&self, identity: &str, policy: WritePolicy) -> Budget {
            Budget::new(self.store.clone(), self.clock.clone(), identity, policy)
        }
    }

    async fn write(budget: &Budget, kind: WriteKind) -> Result<(), BudgetError> {
        let permit = budget.turn(Live, kind).await?;
        budget.done(permit, End::Fine).await
    }

    #[tokio::test]
    async fn spacing_is_waited_for_and_a_full_window_is_not() {
        let world = World::new().await;
        let tight = WritePolicy { per_minute: Some(Quota { writes: 3, kept: 0 }), ..POLICY };
        let budget = world.budget("github.com/1", tight);
        for after in [0, 3, 6] {
            write(&budget, Notifying).await.unwrap();
            assert_eq!(seconds(world.clock.now()), f64::from(after));
        }
        let error = write(&budget, Content).await.unwrap_err();
        assert!(matches!(error, BudgetError::Throttled(at) if seconds(at) == 60.0), "{error}");
        assert_eq!(seconds(world.clock.now()), 6.0, "nobody waited");
        assert_eq!(seconds(budget.room().await.unwrap().live), 63.0, "for two");
        write(&budget, Plain).await.unwrap();
    }

    #[tokio::test]
    async fn two_daemons_on_one_store_share_the_budget_and_other_identities_do_not() {
        let world = World::new().await;
        let (one, two) = (world.budget("github.com/1", POLICY), world.budget("github.com/1", POLICY));
        write(&one, Notifying).await.unwrap();
        write(&two, Notifying).await.unwrap();
        assert_eq!(seconds(world.clock.now()), 3.0);
        write(&world.budget("github.com/2", POLICY), Notifying).await.unwrap();
        assert_eq!(seconds(world.clock.now()), 3.0);
    }

    #[tokio::test]
    async fn a_gate_outlives_the_process_and_stops_reads_too() {
        let world = World::new().await;
        for policy in [POLICY, WritePolicy::OFF] {
            let before = world.budget("github.com/1", policy);
            let until = before.limited(None).await.unwrap();
            assert_eq!(until.since(world.clock.now()), STRIKE);
            let after = world.budget("github.com/1", policy);
            assert!(matches!(after.open().await, Err(BudgetError::Throttled(at)) if at == until));
            assert!(matches!(write(&after, Plain).await, Err(BudgetError::Throttled(at)) if at == until));
            assert_eq!(after.room().await.unwrap(), WriteRoom { live: until, backlog: until });
            world.clock.advance(STRIKE);
            write(&after, Plain).await.unwrap();
            // A write that was taken ends the row of strikes: the next wait is the first again.
        }
    }

    #[tokio::test]
    async fn who_dies_in_the_middle_of_a_write_holds_others_up_for_seconds() {
        let world = World::new().await;
        let (one, two) = (world.budget("github.com/1", POLICY), world.budget("github.com/1", POLICY));
        drop(one.turn(Live, Plain).await.unwrap());
        let error = write(&two, Plain).await.unwrap_err();
        assert!(matches!(error, BudgetError::Throttled(at) if seconds(at) == 10.0), "{error}");
        world.clock.advance(Duration::from_secs(6));
        write(&two, Plain).await.unwrap();
        assert_eq!(seconds(world.clock.now()), 10.0);
    }
}
