//! Snapshots of each shape of review, and the laws that hold for any learner text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::input::{DomainScore, Finished, Merging, Mode, NextTask, ReviewInput, Section};
use super::*;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::evidence::{Evidence, Place};
use crate::checkpoint::outcome::Blame;
use crate::course::task::{API_VERSION, ReviewBy, Task};
use crate::course::values::Values;
use crate::grade::report::{CheckpointResult, CourseRef, Report, ReportKind};
use crate::submission::advice::Advice;
use crate::submission::diff::DiffLines;
use crate::submission::scope::{NearMiss, OnMain};
use crate::submission::sha::CommitId;
use crate::submission::upstream::Upstream;

fn head() -> CommitId {
    "4f2c9ab000000000000000000000000000000000".parse().unwrap()
}

fn course() -> CourseRef {
    CourseRef { id: "cnpe".parse().unwrap(), revision: "a41f09c000000000000000000000000000000000".parse().unwrap() }
}

fn checkpoint(id: &str, points: u32, hints: serde_json::Value) -> Checkpoint {
    serde_json::from_value(json!({
        "id": id, "title": format!("Title of {id}"), "points": points, "hints": hints, "withheld": "hidden",
    }))
    .unwrap()
}

fn task(checkpoints: Vec<Checkpoint>) -> Task {
    Task {
        environment: None,
        id: "freeze".parse().unwrap(),
        title: "Freeze production on Fridays".to_owned(),
        points: checkpoints.iter().map(|c| c.points).sum(),
        minutes: 8,
        dialect: Default::default(),
        competencies: Vec::new(),
        sources: Vec::new(),
        review: ReviewBy::Grader,
        checkpoints,
    }
}

fn result(id: &str, outcome: Outcome, points: u32, evidence: Vec<Evidence>) -> CheckpointResult {
    CheckpointResult {
        id: id.parse().unwrap(),
        title: format!("Title of {id}"),
        outcome,
        score: if outcome == Outcome::Pass { points } else { 0 },
        points,
        blame: match outcome {
            Outcome::Fail => Some(Blame::YourFiles),
            Outcome::Inconclusive | Outcome::Error => Some(Blame::Ours),
            _ => None,
        },
        blocked_by: Vec::new(),
        cases: None,
        evidence,
    }
}

fn blocked(id: &str, points: u32, by: &str) -> CheckpointResult {
    CheckpointResult { blocked_by: vec![by.parse().unwrap()], ..result(id, Outcome::Blocked, points, Vec::new()) }
}

fn report(checkpoints: Vec<CheckpointResult>) -> Report {
    let has = |outcome: Outcome| checkpoints.iter().any(|c| c.outcome == outcome);
    let judged = || checkpoints.iter().filter(|c| c.outcome != Outcome::NotRun);
    let outcome = [Outcome::Error, Outcome::Inconclusive, Outcome::Fail, Outcome::Blocked]
        .into_iter()
        .find(|o| has(*o))
        .unwrap_or(if has(Outcome::Pass) { Outcome::Pass } else { Outcome::NotRun });
    Report {
        api_version: API_VERSION.to_owned(),
        kind: ReportKind::Report,
        task: "freeze".parse().unwrap(),
        title: "Freeze production on Fridays".to_owned(),
        course: course(),
        commit: Some(head()),
        score: judged().map(|c| c.score).sum(),
        points: judged().map(|c| c.points).sum(),
        outcome,
        provisional: has(Outcome::Error) || has(Outcome::Inconclusive),
        checkpoints,
    }
}

fn at(line: u32, message: &str) -> Evidence {
    Evidence {
        message: message.to_owned(),
        place: Place {
            file: Some("tasks/freeze/retail.yaml".to_owned()),
            line: Some(line),
            column: Some(3),
            ..Place::default()
        },
        ..Evidence::default()
    }
}

/// Everything that a section borrows.
struct Fixture {
    task: Task,
    report: Report,
    previous: Option<Report>,
    values: Values,
    diff: DiffLines,
    head: CommitId,
    course: CourseRef,
    upstream: Upstream,
}

impl Fixture {
    fn new(report: Report) -> Self {
        let mut diff = DiffLines::default();
        diff.add("tasks/freeze/retail.yaml", 1..=40);
        let checkpoints = report
            .checkpoints
            .iter()
            .map(|c| {
                let hints = json!([
                    {"after": 1, "text": format!("first of {}", c.id)},
                    {"after": 3, "text": "second"},
                    {"after": 1, "text": "dear", "cost": 1},
                ]);
                checkpoint(c.id.as_str(), c.points, hints)
            })
            .collect();
        Self {
            task: task(checkpoints),
            report,
            previous: None,
            values: Values::from([("team".to_owned(), json!("aurora")), ("replicas".to_owned(), json!(3))]),
            diff,
            head: head(),
            course: course(),
            upstream: Upstream::local(),
        }
    }

    fn section(&self) -> Section<'_> {
        let failures: BTreeMap<_, _> = self.report.checkpoints.iter().map(|c| (c.id.clone(), 1)).collect();
        Section {
            task: &self.task,
            report: &self.report,
            attempt: if self.previous.is_some() { 3 } else { 1 },
            previous: self.previous.as_ref(),
            failures,
            values: &self.values,
            debrief: "An allow window **closes** all other times.\n",
            domain: Some(DomainScore { title: "GitOps".to_owned(), score: 29, points: 128 }),
            next: Some(NextTask { id: "health".parse().unwrap(), title: "Health checks".to_owned() }),
            judged_locally: 3,
            task_changed: false,
            advice: Vec::new(),
            on_files: None,
        }
    }

    fn input<'a>(&'a self, sections: Vec<Section<'a>>) -> ReviewInput<'a> {
        ReviewInput {
            head: &self.head,
            course: &self.course,
            sections,
            passed_before: Vec::new(),
            refused: Vec::new(),
            near_misses: &[],
            on_main: None,
            skipped: &[],
            diff: &self.diff,
            mode: Mode::Graded,
            page: Some("http://127.0.0.1:7878/pulls/1"),
            upstream: &self.upstream,
            merging: Merging::Never,
            finished: None,
        }
    }

    fn review(&self) -> Review {
        compose(&self.input(vec![self.section()]))
    }
}

fn half_right() -> Fixture {
    let mut kind = at(24, "`spec.syncWindows[0].kind` must be `deny`");
    kind.expected = Some(json!("deny"));
    kind.actual = Some(json!("allow"));
    kind.subject = Some("AppProject retail".to_owned());
    let mut zone = at(25, "`timeZone` is missing");
    zone.place.end_line = Some(27);
    let mut fixture = Fixture::new(report(vec![
        result("kind", Outcome::Fail, 2, vec![kind]),
        result("windows", Outcome::Fail, 2, vec![zone, at(24, "`duration` must be `4h`, found `1h`")]),
        blocked("door", 1, "windows"),
        result("named", Outcome::Pass, 4, Vec::new()),
        result("kept", Outcome::Pass, 3, Vec::new()),
    ]));
    fixture.previous = Some(report(vec![
        result("kind", Outcome::Fail, 2, Vec::new()),
        result("windows", Outcome::Fail, 2, Vec::new()),
        blocked("door", 1, "windows"),
        result("named", Outcome::Fail, 4, Vec::new()),
        result("kept", Outcome::Pass, 3, Vec::new()),
    ]));
    fixture
}

#[test]
fn a_half_right_submission() {
    let review = half_right().review();
    insta::assert_snapshot!(review.body, @r"
    **Not yet: 7 of 12 points.** 2 checkpoints to fix, 1 waits for them. Head `4f2c9ab`, attempt 3.

    Since attempt 2: fixed `named` (+4). Nothing broke.

    ### 1. `kind` · 0 of 2 · your files

    - **Expected:** Title of kind.
    - **Found:** AppProject retail: `spec.syncWindows[0].kind` must be `deny`.
    - **Where:** `tasks/freeze/retail.yaml:24`
    - **Hint 1 of 3:** first of kind Next: `/hint kind` (free).

    ### 2. `windows` · 0 of 2 · your files

    - **Expected:** Title of windows.
    - **Found:** 2 differences
      - `tasks/freeze/retail.yaml:25`: `timeZone` is missing.
      - `tasks/freeze/retail.yaml:24`: `duration` must be `4h`, found `1h`.
    - **Hint 1 of 3:** first of windows Next: `/hint windows` (free).

    ### Waiting

    - `door` (1 point) waits for `windows`. Nothing to do for it yet.

    <details><summary>Passed: 2 checkpoints, 7 points</summary>

    `named` 4 · `kept` 3

    </details>

    ---

    Before you push: `gradus grade` judges 3 of the 5 checkpoints on your machine; the other 2 are judged only after a push.

    Your values: replicas `3`, team `aurora`. GitOps: 29 of 128 points.

    Is this wrong? `/explain kind` shows how it was judged, `/dispute kind why` asks a person.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_snapshot!(review.status.description, @"Not yet: 7 of 12 points, 2 checkpoints to fix, 1 waits for them");
    insta::assert_debug_snapshot!(review.comments, @r#"
    [
        LineComment {
            path: "tasks/freeze/retail.yaml",
            start_line: 24,
            line: 24,
            body: "**`kind`** · Title of kind\n\nAppProject retail: `spec.syncWindows[0].kind` must be `deny`.",
        },
        LineComment {
            path: "tasks/freeze/retail.yaml",
            start_line: 24,
            line: 24,
            body: "**`windows`** · Title of windows\n\n`duration` must be `4h`, found `1h`.",
        },
        LineComment {
            path: "tasks/freeze/retail.yaml",
            start_line: 25,
            line: 27,
            body: "**`windows`** · Title of windows\n\n`timeZone` is missing.",
        },
    ]
    "#);
}

#[test]
fn the_terminal_says_the_same_in_short() {
    let fixture = half_right();
    insta::assert_snapshot!(terminal::push_output(&fixture.input(vec![fixture.section()])), @r"
    Not yet: 7 of 12 points. 2 checkpoints to fix, 1 waits for them.
      kind  tasks/freeze/retail.yaml:24  AppProject retail: `spec.syncWindows[0].kind` must be `deny`
        hint 1 of 3: first of kind
      windows  tasks/freeze/retail.yaml:25  `timeZone` is missing (and 1 more)
        hint 1 of 3: first of windows
      door  waits for windows
    Review: http://127.0.0.1:7878/pulls/1
    ");
}

#[test]
fn a_pass_is_celebrated_and_leads_on() {
    let mut fixture = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    insta::assert_snapshot!(fixture.review().body, @r"
    **Passed: 2 of 2 points.** Head `4f2c9ab`, attempt 1.

    Right at the first attempt. Well done!

    An allow window **closes** all other times.

    ### Next: Health checks

    ```sh
    git fetch origin gradus/workspace
    git switch -c health FETCH_HEAD
    ```

    Read `briefs/health.md`, edit below `tasks/health/`, commit, then `git push -u origin health`.

    <details><summary>Passed: 1 checkpoint, 2 points</summary>

    `kind` 2

    </details>

    ---

    Your values: replicas `3`, team `aurora`. GitOps: 29 of 128 points.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_debug_snapshot!(fixture.review().status, @r#"
    Status {
        state: Success,
        description: "Passed: 2 of 2 points",
    }
    "#);
    fixture.previous = Some(report(vec![result("kind", Outcome::Fail, 2, Vec::new())]));
    insta::assert_snapshot!(terminal::push_output(&fixture.input(vec![fixture.section()])), @r"
    Passed: 2 of 2 points.
      Next: health  (Health checks)
    Review: http://127.0.0.1:7878/pulls/1
    ");
    assert!(fixture.review().body.contains("There it is, at attempt 3."));
}

#[test]
fn the_end_of_the_course_is_said_once_beside_what_passed_last() {
    let good = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    let last = |page| {
        let mut input = good.input(vec![Section { next: None, ..good.section() }]);
        input.finished = Some(Finished { page });
        (compose(&input).body, terminal::push_output(&input))
    };
    let (body, printed) = last(Some("http://127.0.0.1:7878/courses/cnpe"));
    insta::assert_snapshot!(body.lines().skip(6).take(5).collect::<Vec<_>>().join("\n"), @r"
    ### You passed every task of this course

    Where you stand in it: http://127.0.0.1:7878/courses/cnpe

    Nothing is left to do. What passed stays passed, also when a task changes later.
    ");
    insta::assert_snapshot!(printed, @r"
    Passed: 2 of 2 points.
      You passed every task of this course. Where you stand in it: http://127.0.0.1:7878/courses/cnpe
    Review: http://127.0.0.1:7878/pulls/1
    ");
    let (body, printed) = last(None);
    assert!(body.contains("every task of this course") && !body.contains("Where you stand"), "{body}");
    assert!(printed.contains("every task of this course.\n"), "{printed}");
    // Beside one that did not pass, and never twice.
    let (mut half, mut other) = (half_right(), report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    half.report.task = "half".parse().unwrap();
    other.task = "other".parse().unwrap();
    let other = Section { report: &other, ..good.section() };
    let mut input = good.input(vec![other, Section { next: None, ..good.section() }, half.section()]);
    input.finished = Some(Finished { page: None });
    assert_eq!(compose(&input).body.matches("every task of this course").count(), 1);
    assert_eq!(terminal::push_output(&input).matches("every task of this course").count(), 1);
}

#[test]
fn in_a_learners_own_repository_what_passed_is_to_be_merged_and_nothing_else() {
    let merge = "Merge it: in this repository of yours, that deploys it.";
    let (good, half) = (Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())])), half_right());
    let says = |sections: Vec<Section<'_>>, mode, merging| {
        compose(&ReviewInput { mode, merging, ..good.input(sections) }).body.matches(merge).count()
    };
    let own = Merging::Deploys;
    assert_eq!(says(vec![good.section()], Mode::Graded, own), 1);
    assert_eq!(says(vec![good.section(), good.section()], Mode::Graded, own), 1, "once for the pull request");
    assert_eq!(says(vec![good.section(), half.section()], Mode::Graded, own), 0);
    assert_eq!(says(vec![half.section()], Mode::Graded, own), 0);
    assert_eq!(says(vec![good.section()], Mode::Practice, own), 0);
    assert_eq!(says(vec![good.section()], Mode::Graded, Merging::Never), 0, "the workspace is everybody's");
}

#[test]
fn what_is_not_the_learners_fault_is_named_so() {
    let fixture = Fixture::new(report(vec![
        result(
            "cel",
            Outcome::Inconclusive,
            2,
            vec![Evidence { message: "took more than 4 s".to_owned(), ..Evidence::default() }],
        ),
        result(
            "fixture",
            Outcome::Error,
            1,
            vec![Evidence { message: "hidden/a.yaml is missing.".to_owned(), ..Evidence::default() }],
        ),
        result(
            "commits",
            Outcome::NotRun,
            1,
            vec![Evidence { message: "commit first".to_owned(), ..Evidence::default() }],
        ),
        result("named", Outcome::Pass, 4, Vec::new()),
    ]));
    let review = fixture.review();
    insta::assert_snapshot!(review.body, @r"
    **Provisional: 4 of 7 points so far.** 2 checkpoints could not be judged, which is ours, 1 not judged here. Head `4f2c9ab`, attempt 1.

    This result is provisional: what could not be judged is tried again without a push, and this review then points at the final one.

    ### Ours, not yours

    - `cel` (2 points): took more than 4 s. It is tried again by itself. It costs you nothing.
    - `fixture` (1 point): hidden/a.yaml is missing. The course's author has to mend this. It costs you nothing.

    ### Not judged here

    - `commits` (1 point, left out of the total): commit first.

    <details><summary>Passed: 1 checkpoint, 4 points</summary>

    `named` 4

    </details>

    ---

    Before you push: `gradus grade` judges 3 of the 4 checkpoints on your machine; the other one is judged only after a push.

    Your values: replicas `3`, team `aurora`. GitOps: 29 of 128 points.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_debug_snapshot!(review.status, @r#"
    Status {
        state: Error,
        description: "Provisional: 4 of 7 points so far, 2 checkpoints could not be judged, which is ours, 1 not judged here",
    }
    "#);
    insta::assert_snapshot!(terminal::push_output(&fixture.input(vec![fixture.section()])), @r"
    Provisional: 4 of 7 points so far. 2 checkpoints could not be judged, which is ours, 1 not judged here.
      cel  could not be judged, is tried again: took more than 4 s
      fixture  could not be judged, ours to mend: hidden/a.yaml is missing.
      commits  not judged here: commit first
    Review: http://127.0.0.1:7878/pulls/1
    ");
}

#[test]
fn a_task_that_changed_says_how_to_merge() {
    let fixture = half_right();
    let mut input = fixture.input(vec![Section { task_changed: true, ..fixture.section() }]);
    let upstream = Upstream::at("https://example.org/it's here.git");
    input.upstream = &upstream;
    let body = compose(&input).body;
    insta::assert_snapshot!(body.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    **Not yet: 7 of 12 points.** 2 checkpoints to fix, 1 waits for them. Head `4f2c9ab`, attempt 3.

    **This task changed after your branch began.** Take the change in before you go on: `git fetch 'https://example.org/it'\''s here.git' main && git merge FETCH_HEAD`, then push.
    ");
}

#[test]
fn what_was_judged_on_the_files_in_place_of_an_environment_says_so_also_when_it_passes() {
    let fixture = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    let on_files = Some("pull request 7 holds the environment, since it was pushed to last");
    let input = fixture.input(vec![Section { on_files, ..fixture.section() }]);
    insta::assert_snapshot!(compose(&input).body.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    **Passed: 2 of 2 points.** Head `4f2c9ab`, attempt 1.

    What looks at the environment was judged on your files alone: pull request 7 holds the environment, since it was pushed to last.
    ");
    insta::assert_snapshot!(terminal::push_output(&input), @r"
    Passed: 2 of 2 points.
      Judged on your files alone: pull request 7 holds the environment, since it was pushed to last
      Next: health  (Health checks)
    Review: http://127.0.0.1:7878/pulls/1
    ");
}

#[test]
fn several_tasks_get_a_section_each_below_a_summary() {
    let none = Values::new();
    let (good, half) = (Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())])), half_right());
    let mut input = half.input(vec![
        Section { next: None, domain: None, ..good.section() },
        Section { values: &none, domain: None, ..half.section() },
    ]);
    input.passed_before = vec!["welcome".parse().unwrap()];
    let skipped: [CommitId; 1] = ["1234567000000000000000000000000000000000".parse().unwrap()];
    input.skipped = &skipped;
    input.mode = Mode::Practice;
    insta::assert_snapshot!(compose(&input).body, @r"
    **1 of 2 tasks passed: 9 of 14 points.** Head `4f2c9ab`, a draft: practice, no attempt counted.

    ## Freeze production on Fridays (`freeze`)

    **Passed: 2 of 2 points.**

    Right at the first attempt. Well done!

    An allow window **closes** all other times.

    <details><summary>Passed: 1 checkpoint, 2 points</summary>

    `kind` 2

    </details>

    ---

    Your values: replicas `3`, team `aurora`.

    ## Freeze production on Fridays (`freeze`)

    **Not yet: 7 of 12 points.** 2 checkpoints to fix, 1 waits for them.

    Since attempt 2: fixed `named` (+4). Nothing broke.

    ### 1. `kind` · 0 of 2 · your files

    - **Expected:** Title of kind.
    - **Found:** AppProject retail: `spec.syncWindows[0].kind` must be `deny`.
    - **Where:** `tasks/freeze/retail.yaml:24`
    - **Hint 1 of 3:** first of kind Next: `/hint kind` (free).

    ### 2. `windows` · 0 of 2 · your files

    - **Expected:** Title of windows.
    - **Found:** 2 differences
      - `tasks/freeze/retail.yaml:25`: `timeZone` is missing.
      - `tasks/freeze/retail.yaml:24`: `duration` must be `4h`, found `1h`.
    - **Hint 1 of 3:** first of windows Next: `/hint windows` (free).

    ### Waiting

    - `door` (1 point) waits for `windows`. Nothing to do for it yet.

    <details><summary>Passed: 2 checkpoints, 7 points</summary>

    `named` 4 · `kept` 3

    </details>

    ---

    Before you push: `gradus grade` judges 3 of the 5 checkpoints on your machine; the other 2 are judged only after a push.

    Is this wrong? `/explain kind` shows how it was judged, `/dispute kind why` asks a person.

    <details><summary>Passed before and unchanged since: 1 task</summary>

    `welcome`

    </details>

    This also answers `1234567`: pushed before and superseded by this head.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_debug_snapshot!(compose(&input).status, @r#"
    Status {
        state: Failure,
        description: "1 of 2 tasks passed: 9 of 14 points",
    }
    "#);
}

#[test]
fn the_foot_begins_at_its_first_word_without_values_too() {
    let (none, half) = (Values::new(), half_right());
    let body = compose(&half.input(vec![Section { values: &none, ..half.section() }])).body;
    assert!(body.lines().any(|line| line == "GitOps: 29 of 128 points."), "{body}");
}

#[test]
fn nothing_found_says_what_was_looked_for() {
    let fixture = half_right();
    let misses = [NearMiss {
        found: "Tasks/freeze/retail.yaml".to_owned(),
        meant: "tasks/freeze/retail.yaml".to_owned(),
        why: "differs in upper and lower case".to_owned(),
        remedy: "git mv Tasks/freeze/retail.yaml tasks/freeze/retail.yaml".to_owned(),
    }];
    let mut input = fixture.input(Vec::new());
    insta::assert_snapshot!(compose(&input).body, @r"
    **Nothing to grade yet.** Head `4f2c9ab` changes no file of a task.

    A task is graded as soon as a file below its directory `tasks/TASK-ID/` differs from where your branch began.

    To begin a task, with its id for `TASK-ID`:

    ```sh
    git fetch origin gradus/workspace
    git switch -c TASK-ID FETCH_HEAD
    ```

    Read `briefs/TASK-ID.md`, edit files below `tasks/TASK-ID/`, then `git add -A`, `git commit` and `git push -u origin TASK-ID`.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_snapshot!(compose(&input).status.description, @"Nothing to grade: no file below tasks/TASK-ID/ changed");
    input.near_misses = &misses;
    insta::assert_snapshot!(compose(&input).body, @r"
    **Nothing to grade yet.** Head `4f2c9ab` changes no file of a task, but it came close.

    A task is graded as soon as a file below its directory `tasks/TASK-ID/` differs from where your branch began.

    - `Tasks/freeze/retail.yaml`: differs in upper and lower case. Looked for: `tasks/freeze/retail.yaml`.

      ```sh
      git mv Tasks/freeze/retail.yaml tasks/freeze/retail.yaml
      ```

    Then commit and push again: this pull request is graded again.

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_debug_snapshot!(compose(&input).status, @r#"
    Status {
        state: Failure,
        description: "Nothing to grade: Tasks/freeze/retail.yaml (differs in upper and lower case)",
    }
    "#);
    insta::assert_snapshot!(terminal::push_output(&input), @r"
    Nothing to grade yet: this push changes no file below tasks/TASK-ID/.
      not looked at: Tasks/freeze/retail.yaml  differs in upper and lower case
        looked for:  tasks/freeze/retail.yaml
        do:          git mv Tasks/freeze/retail.yaml tasks/freeze/retail.yaml
    Review: http://127.0.0.1:7878/pulls/1
    ");
}

#[test]
fn near_misses_beside_a_graded_task_are_named_too() {
    let fixture = half_right();
    let misses = vec![
        NearMiss {
            found: "task/freeze/a.yaml".to_owned(),
            meant: "tasks/freeze/a.yaml".to_owned(),
            why: "no such directory is looked at".to_owned(),
            remedy: String::new(),
        };
        12
    ];
    let mut input = fixture.input(vec![fixture.section()]);
    input.near_misses = &misses;
    let body = compose(&input).body;
    assert!(body.contains("### Not looked at\n\n- `task/freeze/a.yaml`: no such directory"), "{body}");
    assert!(body.contains("- and 2 more paths that no task looks at."), "{body}");
}

#[test]
fn work_on_main_is_graded_and_told_how_to_move_and_how_to_put_main_back() {
    let fixture = half_right();
    let on_main = OnMain { aside: "git switch -c freeze".to_owned(), back: "git branch -f main".to_owned() };
    let mut input = fixture.input(Vec::new());
    input.passed_before = vec!["freeze".parse().unwrap()];
    input.on_main = Some(&on_main);
    insta::assert_snapshot!(compose(&input).body, @r"
    **Nothing new to grade.** The files of 1 task in head `4f2c9ab` are those that already passed; the points are yours.

    ### Your work is on `main`

    It counts like any other. But `main` is where the course's updates arrive, and none do while work of yours is on it. Move the work to a branch:

    ```sh
    git switch -c freeze
    ```

    When that push went through, put `main` back to the workspace as it is published, which closes this pull request:

    ```sh
    git branch -f main
    ```

    Judged by course `cnpe` at `a41f09c`.
    ");
    insta::assert_snapshot!(terminal::push_output(&input), @r"
    Nothing new to grade: 1 task unchanged since it passed.
      main is where the course's updates arrive: move your work to a branch, then put main back.
        do:          git switch -c freeze
        do:          git branch -f main
    Review: http://127.0.0.1:7878/pulls/1
    ");
}

#[test]
fn files_that_passed_before_are_not_graded_again() {
    let fixture = half_right();
    let mut input = fixture.input(Vec::new());
    input.passed_before = vec!["freeze".parse().unwrap()];
    insta::assert_snapshot!(compose(&input).body, @r"
    **Nothing new to grade.** The files of 1 task in head `4f2c9ab` are those that already passed; the points are yours.

    Judged by course `cnpe` at `a41f09c`.
    ");
    assert_eq!(compose(&input).status.state, StatusState::Success);
}

#[test]
fn a_comment_stands_only_where_the_diff_shows_its_line() {
    let mut outside = at(90, "outside of the diff");
    outside.place.end_line = Some(91);
    let mut range = at(38, "reaches out of the hunk");
    range.place.end_line = Some(44);
    let elsewhere = Evidence { message: "no such file".to_owned(), ..Evidence::default() };
    let fixture = Fixture::new(report(vec![result("kind", Outcome::Fail, 2, vec![outside, range, elsewhere])]));
    let review = fixture.review();
    let anchors: Vec<_> = review.comments.iter().map(|c| (c.start_line, c.line)).collect();
    assert_eq!(anchors, [(38, 38)]);
    for told in ["outside of the diff", "reaches out of the hunk", "no such file"] {
        assert!(review.body.contains(told), "{told}: {}", review.body);
    }
}

#[test]
fn more_than_thirty_places_are_named_in_the_body() {
    let many = (1..=35).map(|line| at(line, "wrong")).collect();
    let review = Fixture::new(report(vec![result("kind", Outcome::Fail, 2, many)])).review();
    assert_eq!(review.comments.len(), MAX_COMMENTS);
    assert!(review.body.contains("  - and 25 more: `tasks/freeze/retail.yaml:11`, "), "{}", review.body);
}

#[test]
fn a_body_that_is_too_long_is_cut_and_closed() {
    let mut fixture = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    fixture.previous = None;
    let debrief = format!("```yaml\n{}```\n", "a: 1\n".repeat(20_000));
    let review = compose(&fixture.input(vec![Section { debrief: &debrief, ..fixture.section() }]));
    assert!(review.body.chars().count() <= MAX_BODY - MARKER_ROOM);
    assert!(review.body.contains("\na: 1\n```\n\n_Cut here: "), "{}", &review.body[review.body.len() - 300..]);
    assert!(review.body.ends_with("All of it: `http://127.0.0.1:7878/pulls/1`_\n"));
}

#[test]
fn the_terminal_goes_on_in_the_next_line_and_cuts_no_remedy() {
    let remedy = "commit the file itself in its place with `git rm --cached tasks/freeze/a.yaml`";
    let message =
        format!("`a.yaml` is {} that leads out of the directory: {remedy}", "a very long symbolic link ".repeat(12));
    let fixture = Fixture::new(report(vec![result("kind", Outcome::Fail, 2, vec![at(1, &message)])]));
    let text = terminal::push_output(&fixture.input(vec![fixture.section()]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= terminal::MAX_WIDTH), "{text}");
    assert!(lines[2].starts_with("      ") && !text.contains("..."), "{text}");
    let joined = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    assert!(joined.contains(remedy), "{text}");

    let command = format!("git mv tasks/freeze/{} tasks/freeze/b.yaml", "long/".repeat(60));
    let miss = NearMiss {
        found: "a".to_owned(),
        meant: "b".to_owned(),
        why: "is elsewhere".to_owned(),
        remedy: command.clone(),
    };
    let misses = [miss];
    let mut input = fixture.input(Vec::new());
    input.near_misses = &misses;
    assert!(terminal::push_output(&input).contains(&format!("do:          {command}\n")), "a command is whole");
    input.near_misses = &[];
    input.passed_before = vec!["freeze".parse().unwrap()];
    assert!(terminal::push_output(&input).contains("1 task unchanged since it passed."));
}

#[test]
fn advice_is_shown_apart_and_costs_nothing() {
    let fixture = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    let place = Place { file: Some("tasks/freeze/a.yaml".to_owned()), line: Some(2), ..Place::default() };
    let message = "the key `replicas` is set twice, in line 1 and in line 2: keep one. *Or* <none>.".to_owned();
    let advice = vec![Advice { message, place }];
    let body = compose(&fixture.input(vec![Section { advice, ..fixture.section() }])).body;
    assert!(body.starts_with("**Passed: 2 of 2 points.**"), "{body}");
    let told = "### Advice\n\nNo checkpoint asks for this, and it costs no points:\n\n- `tasks/freeze/a.yaml:2`: the key `replicas` \
                is set twice, in line 1 and in line 2: keep one. \\*Or\\* &lt;none&gt;.\n";
    assert!(body.contains(told), "{body}");
}

#[test]
fn what_only_broke_begins_the_sentence_in_the_small() {
    let mut fixture = Fixture::new(report(vec![result("kind", Outcome::Fail, 2, vec![at(1, "wrong")])]));
    fixture.previous = Some(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    assert!(fixture.review().body.contains("Since attempt 2: broke `kind` (-2)."), "{}", fixture.review().body);
}

#[test]
fn words_with_a_path_in_them_are_no_code_span() {
    let miss = NearMiss {
        found: "a.yaml".to_owned(),
        meant: "files below `tasks/TASK-ID/`".to_owned(),
        why: "is elsewhere".to_owned(),
        remedy: String::new(),
    };
    let fixture = half_right();
    let misses = [miss];
    let mut input = fixture.input(Vec::new());
    input.near_misses = &misses;
    let body = compose(&input).body;
    assert!(body.contains("Looked for: files below `tasks/TASK-ID/`."), "{body}");
}

#[test]
fn the_terminal_prints_at_most_forty_lines() {
    let results = (0..60).map(|n| result(&format!("c{n}"), Outcome::Fail, 1, vec![at(1, "wrong")])).collect();
    let fixture = Fixture::new(report(results));
    let text = terminal::push_output(&fixture.input(vec![fixture.section()]));
    assert_eq!(text.lines().count(), terminal::MAX_LINES);
    assert!(text.contains("\n  ... 83 more lines\nReview: http"), "{text}");
}

/// Learner text that is out to do harm, glued from parts that have a meaning somewhere.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,6}",
        "`{1,6}",
        "~{3,5}",
        Just("@octocat ".to_owned()),
        Just("<!-- gradus:x -->".to_owned()),
        Just("</details><script>alert(1)</script>".to_owned()),
        Just("\n\n# h\n- x\n    code\n".to_owned()),
        Just("![i](http://x.y/z.png)[l](javascript:x)".to_owned()),
        Just(" fixes o/r#12 GH-3 https://github.com/o/r/issues/1 www.x.y".to_owned()),
        Just("\u{202e}\u{200b}\r\u{1b}[2J\u{0}".to_owned()),
        Just("\\".to_owned()),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// All text that a forge would link, and all HTML that is not ours, found by a Markdown parser.
fn harm(markdown: &str) -> Vec<String> {
    use comrak::nodes::NodeValue;
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.table = true;
    let arena = comrak::Arena::new();
    let ours = regex::Regex::new(r"^(<details><summary>[\w ,:]+</summary>|</details>)\n$").unwrap();
    let links = regex::Regex::new(r"@\w|(^|\W)(#|!|GH-)\d").unwrap();
    let mut harm = Vec::new();
    for node in comrak::parse_document(&arena, markdown, &options).descendants() {
        match &node.data.borrow().value {
            NodeValue::Text(text) if links.is_match(text) => harm.push(format!("text {text}")),
            NodeValue::HtmlBlock(html) if ours.is_match(&html.literal) => {}
            NodeValue::HtmlBlock(html) => harm.push(format!("block {}", html.literal)),
            NodeValue::HtmlInline(html) => harm.push(format!("inline {html}")),
            NodeValue::Link(link) => harm.push(format!("link {}", link.url)),
            NodeValue::Image(image) => harm.push(format!("image {}", image.url)),
            NodeValue::Strikethrough | NodeValue::Table(_) => harm.push("markup".to_owned()),
            _ => {}
        }
    }
    harm
}

fn headings(markdown: &str) -> usize {
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, markdown, &comrak::Options::default());
    root.descendants().filter(|n| matches!(n.data.borrow().value, comrak::nodes::NodeValue::Heading(_))).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_learner_text_gets_out_of_its_place(
        texts in proptest::collection::vec((hostile(), hostile(), hostile(), 0u32..50), 1..40),
        file in hostile(),
    ) {
        let evidence: Vec<_> = texts
            .iter()
            .map(|(message, subject, actual, line)| {
                let mut evidence = at(*line, message);
                evidence.place.file = Some(file.clone());
                evidence.subject = Some(subject.clone());
                evidence.actual = Some(json!(actual));
                evidence.expected = Some(json!({ actual.as_str(): 1 }));
                evidence
            })
            .collect();
        let misses: Vec<_> = texts
            .iter()
            .map(|(found, why, meant, _)| {
                NearMiss { found: found.clone(), meant: meant.clone(), why: why.clone(), remedy: found.clone() }
            })
            .collect();
        let mut fixture = Fixture::new(report(vec![
            result("kind", Outcome::Fail, 2, evidence.clone()),
            result("cel", Outcome::Inconclusive, 2, evidence.clone()),
        ]));
        fixture.diff.add(file, 1..=40);
        let mut input = fixture.input(vec![fixture.section()]);
        input.near_misses = &misses;
        let review = compose(&input);

        prop_assert!(review.body.chars().count() <= MAX_BODY - MARKER_ROOM);
        prop_assert!(review.status.description.chars().count() <= MAX_DESCRIPTION);
        prop_assert!(review.comments.len() <= MAX_COMMENTS);
        prop_assert_eq!(harm(&review.body), Vec::<String>::new(), "{}", review.body);
        prop_assert_eq!(headings(&review.body), 3, "{}", review.body);
        let lines = |start: &str| review.body.lines().filter(|line| line.starts_with(start)).count();
        prop_assert_eq!(lines("<details>"), lines("</details>"));
        for text in review.comments.iter().map(|c| c.body.as_str()).chain([review.body.as_str()]) {
            prop_assert_eq!(harm(text), Vec::<String>::new(), "{}", text);
            prop_assert!(!text.contains("<!--"), "{text}");
            prop_assert!(!text.chars().any(|c| c != '\n' && safe::is_invisible(c)), "{text:?}");
        }
        let terminal = terminal::push_output(&input);
        prop_assert!(!terminal.chars().any(|c| c != '\n' && safe::is_invisible(c)), "{terminal:?}");
        prop_assert!(terminal.lines().count() <= terminal::MAX_LINES);
    }
}

#[test]
fn a_task_that_a_person_reviews_says_so_once_it_passed_and_not_for_practice() {
    let mut fixture = Fixture::new(report(vec![result("kind", Outcome::Pass, 2, Vec::new())]));
    let says = |fixture: &Fixture, mode| {
        let input = ReviewInput { mode, ..fixture.input(vec![fixture.section()]) };
        compose(&input).body.contains("A person reviews this task next")
    };
    assert!(!says(&fixture, Mode::Graded));
    fixture.task.review = ReviewBy::Human;
    assert!(says(&fixture, Mode::Graded));
    assert!(!says(&fixture, Mode::Practice));
}
