//! A cluster in memory: what is read depends on what was done, and time passes by sleeping.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::gitops::application::Application;
use crate::gitops::gate::steps::{COMMIT, EARLIER, at, change, live, question, single};
use crate::gitops::waiting::Waiting;
use crate::store::time::ManualClock;

/// What the Application looks like by now, as a merge patch on a good one; by what was done, and when.
type Story = fn(&[(Nudge, Time)], Time) -> Value;

struct Memory {
    clock: ManualClock,
    story: Story,
    done: Mutex<Vec<(Nudge, Time)>>,
    /// A newer head, from then on.
    newer: Option<Time>,
}

impl Watched for Memory {
    fn offered(&self) -> CommitId {
        let newer = self.newer.is_some_and(|from| self.clock.now() >= from);
        if newer { EARLIER } else { COMMIT }.parse().unwrap()
    }

    async fn read(&self, _: &[Object]) -> Seen {
        let mut read = single();
        change(&mut read, &(self.story)(&self.done.lock().unwrap(), self.clock.now()));
        Seen::Application(Box::new(Application::read(&read).unwrap()), live())
    }

    async fn nudge(&self, nudge: Nudge, _: &CommitId) {
        self.done.lock().unwrap().push((nudge, self.clock.now()));
    }

    async fn changed(&self) {
        std::future::pending().await
    }
}

fn told(story: Story) -> Memory {
    Memory { clock: ManualClock::at(question().asked_at), story, done: Mutex::default(), newer: None }
}

async fn run(memory: &Memory) -> (Result<Proof, Reason>, Vec<Nudge>) {
    let ending = drive(&question(), memory, &memory.clock).await;
    (ending, memory.done.lock().unwrap().iter().map(|(nudge, _)| *nudge).collect())
}

fn seconds(memory: &Memory) -> u64 {
    memory.clock.now().since(question().asked_at).as_secs()
}

/// The operation of the commit before was the last one.
fn of_before() -> Value {
    json!({ "operation": { "sync": { "revision": EARLIER } }, "syncResult": { "revision": EARLIER },
        "startedAt": "2026-11-24T11:59:00Z", "finishedAt": "2026-11-24T11:59:30Z" })
}

#[tokio::test]
async fn what_comes_by_itself_is_waited_for_and_nothing_is_done() {
    let memory = told(|_, now| match now {
        now if now < at("2026-11-24T12:00:05Z") => json!({ "spec": { "source": { "targetRevision": EARLIER } } }),
        now if now < at("2026-11-24T12:00:12Z") => {
            json!({ "status": { "operationState": { "phase": "Running", "finishedAt": null } } })
        }
        _ => json!({}),
    });
    let (ending, done) = run(&memory).await;
    assert!(ending.is_ok() && done.is_empty(), "{ending:?} {done:?}");
    assert!((11..=13).contains(&seconds(&memory)), "{}", seconds(&memory));
}

#[tokio::test]
async fn a_commit_that_changes_nothing_opens_after_a_comparison_was_asked_for() {
    let memory = told(|done, now| {
        let reconciled =
            done.first().map_or(at("2026-11-24T11:59:31Z"), |(_, at)| at.plus(Duration::from_secs(1)).min(now));
        json!({ "status": { "operationState": of_before(), "reconciledAt": reconciled.rfc3339() } })
    });
    let (ending, done) = run(&memory).await;
    assert!(ending.is_ok(), "{ending:?}");
    assert_eq!(done, [Nudge::Refresh]);
}

#[tokio::test]
async fn a_sync_that_stands_still_is_woken_after_a_while() {
    let memory = told(|done, _| match done.len() {
        0 => json!({ "status": { "operationState": { "phase": "Running", "finishedAt": null } } }),
        _ => json!({}),
    });
    let (ending, done) = run(&memory).await;
    assert!(ending.is_ok(), "{ending:?}");
    assert_eq!(done, [Nudge::Wake]);
    assert!(seconds(&memory) >= 10, "a sync gets time to end by itself");
}

#[tokio::test]
async fn a_sync_of_another_commit_is_stopped_at_once_and_again_when_that_was_lost() {
    let memory = told(|done, _| match done.len() {
        0 | 1 => {
            let running = json!({ "phase": "Running", "finishedAt": null, "syncResult": { "revision": EARLIER } });
            json!({ "operation": { "sync": {} }, "status": { "operationState": running } })
        }
        _ => json!({}),
    });
    let (ending, done) = run(&memory).await;
    assert!(ending.is_ok(), "{ending:?}");
    assert_eq!(done, [Nudge::Stop, Nudge::Stop]);
    let times: Vec<_> =
        memory.done.lock().unwrap().iter().map(|(_, at)| at.since(question().asked_at).as_secs()).collect();
    assert_eq!(times, [2, 7], "it began at 2");
}

#[tokio::test]
async fn a_wedged_controller_gets_one_sync_and_then_is_told() {
    let helped = told(|done, _| match done {
        [] => json!({ "status": { "operationState": { "syncResult": null, "finishedAt": null } } }),
        _ => json!({}),
    });
    let (ending, done) = run(&helped).await;
    assert!(ending.is_ok() && done == [Nudge::Sync], "{ending:?} {done:?}");
    let lost = told(|_, _| json!({ "status": { "operationState": { "syncResult": null, "finishedAt": null } } }));
    let (ending, done) = run(&lost).await;
    assert_eq!((ending, done.as_slice()), (Err(Reason::Wedged), [Nudge::Sync].as_slice()));
    assert_eq!(seconds(&lost), TAKE_UP.as_secs());
}

#[tokio::test]
async fn a_controller_that_never_answers_is_asked_seldom_and_the_wait_ends_with_the_budget() {
    let memory = told(|_, _| json!({ "status": { "reconciledAt": "2026-11-24T12:00:02Z" } }));
    let (ending, done) = run(&memory).await;
    assert!(matches!(ending, Err(Reason::BudgetUsedUp { waiting: Waiting::Stale, .. })), "{ending:?}");
    assert_eq!(done, vec![Nudge::HardRefresh; 5]);
    assert_eq!(seconds(&memory), question().budget.as_secs());
}

#[tokio::test]
async fn a_head_that_comes_meanwhile_ends_the_wait() {
    let mut memory = told(|_, _| json!({ "status": { "sync": { "status": "OutOfSync" } } }));
    memory.newer = Some(at("2026-11-24T12:00:20Z"));
    let (ending, _) = run(&memory).await;
    assert_eq!(ending, Err(Reason::Superseded(EARLIER.parse().unwrap())));
    assert!(seconds(&memory) <= 21, "{}", seconds(&memory));
}

#[tokio::test]
async fn evidence_counts_where_the_read_after_it_says_the_same() {
    let memory = told(|_, now| match now {
        now if now < at("2026-11-24T12:00:30Z") => json!({}),
        _ => {
            json!({ "status": { "operationState": { "startedAt": "2026-11-24T12:00:28Z", "finishedAt": "2026-11-24T12:00:29Z" },
            "reconciledAt": "2026-11-24T12:00:29Z" } })
        }
    });
    let proof = run(&memory).await.0.unwrap();
    assert!(still(&proof, &question(), &memory, &memory.clock).await);
    memory.clock.advance(Duration::from_secs(40));
    assert!(!still(&proof, &question(), &memory, &memory.clock).await);
}
