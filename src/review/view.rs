//! What the templates see: reports and history sorted into the parts of a review. No text that is not ours is made safe
//! here; the templates do that where they show it.

use serde::Serialize;
use serde_json::Value;

use super::difference::{Differences, MARKDOWN, differences, place};
use super::hints::Ladder;
use super::input::{Merging, Mode, ReviewInput, Section};
use super::{safe, words};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::outcome::{Blame, Outcome};
use crate::course::task::ReviewBy;
use crate::grade::report::{CheckpointResult, Report};
use crate::submission::scope::OnMain;

/// Most differences of a checkpoint told in full; of the others only the places are named.
const MAX_DIFFERENCES: usize = 10;

/// Most places named of the differences that are not told in full.
const MAX_PLACES: usize = 20;

/// Most near misses shown.
const MAX_NEAR_MISSES: usize = 10;

/// Which of four reviews this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Shape {
    /// At least one task was graded.
    Tasks,
    /// All that changed passed before.
    PassedBefore,
    /// All that changed is not graded in this place.
    Refused,
    /// No task was found.
    Nothing,
}

#[derive(Debug, Serialize)]
pub(super) struct ReviewView<'a> {
    shape: Shape,
    head: &'a str,
    course: &'a str,
    revision: &'a str,
    /// The command that gets the workspace's newest commit.
    fetch: String,
    practice: bool,
    several: bool,
    /// All of several tasks passed, and the learner may merge it now.
    deploys: bool,
    passed: usize,
    total: usize,
    score: u32,
    points: u32,
    tasks: Vec<TaskView<'a>>,
    passed_before: Vec<&'a str>,
    refused: Vec<&'a str>,
    near_misses: Vec<NearMissView<'a>>,
    more_near_misses: usize,
    on_main: Option<OnMainView>,
    skipped: Vec<&'a str>,
    page: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct NearMissView<'a> {
    found: &'a str,
    /// As Markdown: a path, or words with paths in them.
    meant: String,
    why: &'a str,
    /// A fenced block; empty when there is no command.
    remedy: String,
}

/// Work on the branch that follows the workspace, with fenced blocks of commands.
#[derive(Debug, Serialize)]
struct OnMainView {
    aside: String,
    back: String,
}

/// What no checkpoint asks for.
#[derive(Debug, Serialize)]
struct AdviceView<'a> {
    place: Option<String>,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct TaskView<'a> {
    id: &'a str,
    title: &'a str,
    head: &'a str,
    fetch: String,
    several: bool,
    practice: bool,
    attempt: u32,
    first_try: bool,
    headline: String,
    rest: String,
    passed: bool,
    provisional: bool,
    /// The command that takes in the newest `main`, when the task changed.
    merge: Option<String>,
    on_files: Option<&'a str>,
    advice: Vec<AdviceView<'a>>,
    since: Option<Since<'a>>,
    fails: Vec<CheckpointView<'a>>,
    waiting: Vec<Waiting<'a>>,
    ours: Vec<Unjudged<'a>>,
    not_run: Vec<Unjudged<'a>>,
    passes: Vec<Points<'a>>,
    pass_points: u32,
    all: usize,
    judged_locally: u32,
    after_push: u32,
    /// Some checkpoints look at an environment.
    live: bool,
    foot: bool,
    foot_line: bool,
    values: Vec<NamedValue<'a>>,
    domain: Option<Domain<'a>>,
    /// Passed, and a person has to approve.
    human: bool,
    /// Passed, and the learner may merge it now.
    deploys: bool,
    next: Option<Next<'a>>,
    /// With this, every task of the course is passed.
    finished: Option<FinishedView<'a>>,
    debrief: String,
    /// A checkpoint to object to.
    wrong: Option<String>,
}

#[derive(Debug, Serialize)]
struct Since<'a> {
    attempt: u32,
    same: bool,
    fixed: Vec<Change<'a>>,
    broke: Vec<Change<'a>>,
}

#[derive(Debug, Serialize)]
struct Change<'a> {
    id: &'a str,
    points: u32,
}

#[derive(Debug, Serialize)]
struct CheckpointView<'a> {
    number: usize,
    id: &'a str,
    /// As a command names it.
    called: String,
    title: &'a str,
    points: String,
    blame: &'static str,
    single: bool,
    found: Differences,
    total: usize,
    more: usize,
    more_places: Vec<String>,
    hint: Option<HintView<'a>>,
    hints: usize,
    /// Price of the next hint; none when all were given.
    next_hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct HintView<'a> {
    number: usize,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Waiting<'a> {
    id: &'a str,
    points: u32,
    by: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Unjudged<'a> {
    id: &'a str,
    points: u32,
    why: &'a str,
    broken: bool,
}

#[derive(Debug, Serialize)]
struct Points<'a> {
    id: &'a str,
    score: u32,
}

#[derive(Debug, Serialize)]
struct NamedValue<'a> {
    name: &'a str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Domain<'a> {
    title: &'a str,
    score: u32,
    points: u32,
}

#[derive(Debug, Serialize)]
struct Next<'a> {
    id: &'a str,
    title: &'a str,
}

#[derive(Debug, Serialize)]
struct FinishedView<'a> {
    page: Option<&'a str>,
}

impl<'a> ReviewView<'a> {
    pub(super) fn of(input: &'a ReviewInput<'_>) -> Self {
        let sections = &input.sections;
        let several = sections.len() > 1;
        let shape = match (sections.is_empty(), input.passed_before.is_empty()) {
            (false, _) => Shape::Tasks,
            (true, _) if !input.refused.is_empty() => Shape::Refused,
            (true, false) if input.near_misses.is_empty() => Shape::PassedBefore,
            (true, _) => Shape::Nothing,
        };
        Self {
            shape,
            head: input.head.short(),
            course: input.course.id.as_str(),
            revision: input.course.revision.short(),
            fetch: input.upstream.fetch(),
            on_main: input.on_main.map(OnMainView::of),
            practice: input.mode == Mode::Practice,
            several,
            deploys: several && deploys(input),
            passed: sections.iter().filter(|s| s.report.outcome == Outcome::Pass).count(),
            total: sections.len(),
            score: sections.iter().map(|s| s.report.score).sum(),
            points: sections.iter().map(|s| s.report.points).sum(),
            tasks: sections.iter().map(|section| TaskView::of(section, input, several)).collect(),
            passed_before: input.passed_before.iter().map(|id| id.as_str()).collect(),
            refused: input.refused.iter().map(|id| id.as_str()).collect(),
            near_misses: input.near_misses.iter().take(MAX_NEAR_MISSES).map(NearMissView::of).collect(),
            more_near_misses: input.near_misses.len().saturating_sub(MAX_NEAR_MISSES),
            skipped: input.skipped.iter().map(|id| id.short()).collect(),
            page: input.page,
        }
    }
}

impl OnMainView {
    fn of(on_main: &OnMain) -> Self {
        Self { aside: safe::block(&on_main.aside, "sh"), back: safe::block(&on_main.back, "sh") }
    }
}

impl<'a> NearMissView<'a> {
    fn of(miss: &'a crate::submission::scope::NearMiss) -> Self {
        let remedy = if miss.remedy.is_empty() { String::new() } else { safe::block(&miss.remedy, "sh") };
        let meant = if miss.meant.contains('`') { safe::md(&miss.meant) } else { safe::code(&miss.meant) };
        Self { found: &miss.found, meant, why: miss.why.trim_end_matches('.'), remedy }
    }
}

/// Whether the learner may merge now: everything passed, nobody else has to look, and it is no draft.
fn deploys(input: &ReviewInput<'_>) -> bool {
    let done = |section: &Section<'_>| {
        section.report.outcome == Outcome::Pass && !section.report.provisional && section.task.review != ReviewBy::Human
    };
    input.merging == Merging::Deploys && input.mode == Mode::Graded && input.sections.iter().all(done)
}

impl<'a> TaskView<'a> {
    fn of(section: &'a Section<'_>, input: &'a ReviewInput<'_>, several: bool) -> Self {
        let report = section.report;
        let verdict = words::Verdict::of(report);
        let passed = report.outcome == Outcome::Pass;
        let fetch = input.upstream.fetch();
        let with = |outcome: Outcome| report.checkpoints.iter().filter(move |c| c.outcome == outcome);
        let fails: Vec<_> = with(Outcome::Fail)
            .enumerate()
            .map(|(index, c)| CheckpointView::of(index + 1, c, section, input))
            .collect();
        let unjudged = |c: &'a CheckpointResult| Unjudged {
            id: c.id.as_str(),
            points: c.points,
            why: c.evidence.first().map_or("no reason given", |e| e.message.trim_end_matches('.')),
            broken: c.outcome == Outcome::Error,
        };
        let all = report.checkpoints.len();
        Self {
            id: report.task.as_str(),
            title: &report.title,
            head: input.head.short(),
            several,
            practice: input.mode == Mode::Practice,
            attempt: section.attempt,
            first_try: section.attempt <= 1,
            headline: verdict.headline,
            rest: verdict.rest,
            passed,
            provisional: report.provisional,
            merge: section.task_changed.then(|| format!("{fetch} && git merge FETCH_HEAD")),
            on_files: section.on_files,
            advice: section
                .advice
                .iter()
                .map(|piece| AdviceView { place: place(&piece.place), message: piece.message.trim_end_matches('.') })
                .collect(),
            since: section.previous.map(|previous| Since::of(section.attempt, previous, report)),
            wrong: fails.first().map(|c| c.called.clone()),
            fails,
            waiting: with(Outcome::Blocked)
                .map(|c| Waiting {
                    id: c.id.as_str(),
                    points: c.points,
                    by: c.blocked_by.iter().map(|id| id.as_str()).collect(),
                })
                .collect(),
            ours: report.checkpoints.iter().filter(|c| c.outcome.is_provisional()).map(unjudged).collect(),
            not_run: with(Outcome::NotRun).map(unjudged).collect(),
            passes: with(Outcome::Pass).map(|c| Points { id: c.id.as_str(), score: c.score }).collect(),
            pass_points: with(Outcome::Pass).map(|c| c.score).sum(),
            all,
            judged_locally: if passed { 0 } else { section.judged_locally },
            after_push: (all as u32).saturating_sub(section.judged_locally),
            live: section.task.checkpoints.iter().any(Checkpoint::is_live),
            foot_line: !section.values.is_empty() || section.domain.is_some(),
            foot: !passed || !section.values.is_empty() || section.domain.is_some(),
            values: section
                .values
                .iter()
                .map(|(name, value)| NamedValue {
                    name,
                    value: match value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    },
                })
                .collect(),
            domain: section.domain.as_ref().map(|d| Domain { title: &d.title, score: d.score, points: d.points }),
            human: passed && section.task.review == ReviewBy::Human && input.mode == Mode::Graded,
            deploys: !several && deploys(input),
            next: section.next.as_ref().filter(|_| passed).map(|n| Next { id: n.id.as_str(), title: &n.title }),
            finished: input.finished_in(section).map(|finished| FinishedView { page: finished.page }),
            debrief: if passed { super::reflow::reflow(section.debrief) } else { String::new() },
            fetch,
        }
    }
}

impl<'a> Since<'a> {
    fn of(attempt: u32, previous: &Report, now: &'a Report) -> Self {
        let mut since = Self { attempt: attempt.saturating_sub(1), same: true, fixed: Vec::new(), broke: Vec::new() };
        for checkpoint in &now.checkpoints {
            let Some(before) = previous.checkpoints.iter().find(|c| c.id == checkpoint.id) else { continue };
            let id = checkpoint.id.as_str();
            since.same &= before.outcome == checkpoint.outcome && before.score == checkpoint.score;
            if checkpoint.score > before.score {
                since.fixed.push(Change { id, points: checkpoint.score - before.score });
            } else if checkpoint.score < before.score && !checkpoint.outcome.is_provisional() {
                since.broke.push(Change { id, points: before.score - checkpoint.score });
            }
        }
        since
    }
}

impl<'a> CheckpointView<'a> {
    fn of(number: usize, result: &'a CheckpointResult, section: &'a Section<'_>, input: &'a ReviewInput<'_>) -> Self {
        let told: Vec<_> = result.evidence.iter().take(MAX_DIFFERENCES).collect();
        let rest = result.evidence.get(MAX_DIFFERENCES..).unwrap_or_default();
        let mut more_places: Vec<String> = rest.iter().filter_map(|e| place(&e.place)).collect();
        more_places.dedup();
        more_places.truncate(MAX_PLACES);
        let failures = section.failures.get(&result.id).copied().unwrap_or(1);
        let checkpoint = section.task.checkpoints.iter().find(|c| c.id == result.id);
        let ladder = checkpoint.map(Ladder::of).unwrap_or_default();
        let given = ladder.given(failures);
        Self {
            number,
            id: result.id.as_str(),
            called: words::called(input.sections.iter().map(|s| s.report), &section.report.task, &result.id),
            title: result.title.trim_end_matches('.'),
            points: words::points(result),
            blame: result.blame.unwrap_or(Blame::YourFiles).words(),
            single: told.len() == 1,
            total: result.evidence.len(),
            found: differences(&told, MARKDOWN),
            more: rest.len(),
            more_places: more_places.iter().map(|p| safe::code(p)).collect(),
            hint: given.map(|index| HintView { number: index + 1, text: &ladder.hints()[index].text }),
            hints: ladder.hints().len(),
            next_hint: ladder.hints().get(given.map_or(0, |index| index + 1)).map(|hint| match hint.cost {
                0 => "free".to_owned(),
                cost => format!("costs {}", words::count(cost as usize, "point")),
            }),
        }
    }
}
