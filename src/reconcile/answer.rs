//! Answers to commands: Markdown, and what goes into the gradebook with it. Pure.

use super::command::{Command, INSTRUCTORS, Target, USAGE, passed_over};
use super::courses::OpenCourse;
use super::earlier::earlier;
use super::grader::{GradedTask, Grading};
use super::ruling;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::outcome::Outcome;
use crate::course::diagnostic::nearest;
use crate::course::task::Task;
use crate::forge::pull::{Marker, Permission, Pull, PullKey, User};
use crate::grade::report::{CheckpointResult, Report};
use crate::grade::view::{Due, learner_view};
use crate::gradebook::Keeping;
use crate::gradebook::book::{Book, Record};
use crate::gradebook::decision::Decision;
use crate::gradebook::entry::{Dispute, Entry, HintGiven};
use crate::review::asked::{Asked, asked, shown};
use crate::review::hints::Ladder;
use crate::review::{safe, words};
use crate::store::time::Time;

/// Most differences shown by `/explain`; the review has all of them.
const MAX_EVIDENCE: usize = 10;

/// Most characters shown of a command that was not done.
const MAX_COMMAND: usize = 80;

/// What an answer is made of.
pub struct About<'a> {
    /// The pull request.
    pub pull: &'a Pull,
    /// Its key.
    pub key: &'a PullKey,
    /// Who asks.
    pub by: &'a User,
    /// What they may do.
    pub permission: Permission,
    /// The grading of its head, if it is graded.
    pub grading: Option<&'a Grading>,
    /// What the learner reached.
    pub book: &'a Book,
    /// Whether decisions have a place.
    pub keeping: Keeping,
    /// The course, while it is served.
    pub course: Option<&'a OpenCourse>,
    /// When it was asked.
    pub at: Time,
    /// What came of grading again.
    pub again: Again,
}

/// What came of `/regrade`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It was not asked for.
    No,
    /// The result is the same.
    Same,
    /// It is another one, and a review of it follows.
    Changed,
    /// It is another one, of which a review stands.
    Back,
    /// Something could not be judged.
    Provisional,
    /// A push came meanwhile.
    Moved,
    /// The pull request is closed.
    Closed,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Markdown.
    pub text: String,
    /// For the learner's file in the gradebook.
    pub record: Vec<Entry>,
    /// For the gradebook's decisions.
    pub decisions: Vec<Decision>,
    /// To be opened; its address goes into the answer.
    pub issue: Option<Issue>,
}

/// An issue for instructors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Opened once per marker.
    pub marker: Marker,
    /// One line of plain text.
    pub title: String,
    /// Markdown.
    pub body: String,
}

impl Answer {
    /// The text once it is known where the issue is, if the forge has any.
    pub fn with_issue(&self, address: Option<&str>) -> String {
        match address {
            Some(address) => format!("{} It is looked at in {address}", self.text),
            None => self.text.clone(),
        }
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// What is said of further commands in the comment, as a paragraph of its own.
pub fn not_done(body: &str) -> String {
    let further = passed_over(body);
    let Some(first) = further.first() else { return String::new() };
    let more = if further.len() > 1 { format!(" and {} more", further.len() - 1) } else { String::new() };
    let line: String = first.chars().take(MAX_COMMAND).collect();
    format!("\n\nNot done: {}{more}. A comment is one command: send each as its own.", safe::code(&line))
}

/// Answers a command.
pub fn answer(about: &About<'_>, command: &Command) -> Answer {
    if command.decides() && about.permission < Permission::Instructor {
        return "Only instructors of this workspace decide that: who may write to it. Nothing was changed."
            .to_owned()
            .into();
    }
    if about.permission == Permission::Reader {
        let owner = safe::code(&about.pull.author.login.0);
        return format!("Only {owner}, whose pull request this is, can ask for that here.").into();
    }
    match command {
        Command::Hint(target) => hint(about, target.as_ref()),
        Command::Regrade => regrade(about).into(),
        Command::Explain(target) => explain(about, target).into(),
        Command::Progress => progress(about).into(),
        Command::Dispute(target, why) => dispute(about, target, why),
        Command::Waive(target, why) => ruling::waive(about, target, why),
        Command::Extend(task, time, why) => ruling::extend(about, task, *time, why),
        Command::Override(task, points, why) => ruling::override_points(about, task, *points, why),
        Command::Misfit { usage, found, wanted } => {
            format!("{} is not {wanted}. The command is `{usage}`.", safe::code(found)).into()
        }
        Command::Incomplete(usage) if command.decides() => {
            format!("That command needs a little more: `{usage}`. {}", ruling::names(about)).into()
        }
        Command::Incomplete(usage) => format!("That command needs a little more: `{usage}`. {}", names(about)).into(),
        Command::Unknown { word, nearest } => {
            let meant = nearest.map(|word| format!(" Did you mean `{word}`?")).unwrap_or_default();
            let theirs: &[_] = if about.permission == Permission::Instructor { &INSTRUCTORS } else { &[] };
            let usage = USAGE.iter().chain(theirs).map(|(usage, what)| format!("- `{usage}`: {what}"));
            let usage: Vec<_> = usage.collect();
            format!("There is no command {}.{meant}\n\n{}", safe::code(word), usage.join("\n")).into()
        }
    }
}

fn regrade(about: &About<'_>) -> String {
    let head = about.pull.head.short();
    let verdict = about.grading.map(|grading| grading.review.status.description.as_str()).unwrap_or_default();
    match about.again {
        Again::Same => format!("Graded `{head}` again, with the same result. {}", safe::md(verdict)),
        Again::Changed => {
            format!("Graded `{head}` again: the result changed. {} The review follows.", safe::md(verdict))
        }
        Again::Back => {
            format!("Graded `{head}` again: the result is that of its earlier review. {}", safe::md(verdict))
        }
        Again::Provisional => format!(
            "Graded `{head}` again. {}. It is judged again by itself; a review follows when the final result is another one.",
            safe::md(verdict)
        ),
        Again::Moved => "You pushed meanwhile: the new head is being graded.".to_owned(),
        Again::Closed => {
            let branch = safe::code(&format!("git push origin {}", about.pull.branch));
            format!("This pull request is closed, so nothing is graded. {branch} opens it again.")
        }
        Again::No => "Nothing was graded.".to_owned(),
    }
}

/// A checkpoint as named by a learner, in what was graded.
pub(super) struct Found<'a> {
    task: Task,
    pub(super) graded: &'a GradedTask,
    pub(super) index: usize,
}

impl Found<'_> {
    fn checkpoint(&self) -> Option<&Checkpoint> {
        let id = &self.graded.report.checkpoints[self.index].id;
        self.task.checkpoints.iter().find(|checkpoint| checkpoint.id == *id)
    }

    /// The result as the learner may see it.
    fn result(&self) -> CheckpointResult {
        learner_view(&self.graded.report, &self.task, Due::Open).checkpoints.swap_remove(self.index)
    }

    pub(super) fn name(&self) -> String {
        format!("`{}`", self.graded.report.checkpoints[self.index].id)
    }
}

fn find<'a>(about: &About<'a>, wanted: impl Fn(&GradedTask, &CheckpointResult) -> bool) -> Option<Found<'a>> {
    let (grading, course) = (about.grading?, about.course?);
    grading.tasks.iter().find_map(|graded| {
        let index = graded.report.checkpoints.iter().position(|result| wanted(graded, result))?;
        let drawn = course.draw(about.pull.learner(), &graded.report.task)?.ok()?;
        Some(Found { task: drawn.task.clone(), graded, index })
    })
}

pub(super) fn named<'a>(about: &About<'a>, target: &Target) -> Result<Found<'a>, String> {
    let meant = |graded: &GradedTask, result: &CheckpointResult| target.names(graded.report.task.as_str(), &result.id);
    let tasks = reports(about)
        .filter(|report| report.checkpoints.iter().any(|result| target.names(report.task.as_str(), &result.id)));
    let choices: Vec<_> = tasks.map(|report| format!("`{}/{}`", report.task, target.checkpoint)).collect();
    if choices.len() > 1 {
        let checkpoint = safe::code(&target.checkpoint);
        return Err(format!(
            "{checkpoint} is a checkpoint of {} tasks here: say {}.",
            choices.len(),
            choices.join(" or ")
        ));
    }
    let found = find(about, meant);
    found.ok_or_else(|| {
        let known = checkpoints(about);
        if known.is_empty() {
            return earlier(about, Some(target));
        }
        let near = nearest(&target.checkpoint, known.iter().map(String::as_str));
        let near = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
        format!("No checkpoint {} was graded here.{near} {}", safe::code(&target.checkpoint), names(about))
    })
}

fn checkpoints(about: &About<'_>) -> Vec<String> {
    let of_task = |report: &Report| {
        let name = |result: &CheckpointResult| words::called(reports(about), &report.task, &result.id);
        report.checkpoints.iter().map(name).collect::<Vec<_>>()
    };
    reports(about).flat_map(of_task).collect()
}

fn reports<'a>(about: &About<'a>) -> impl Iterator<Item = &'a Report> {
    about.grading.into_iter().flat_map(|grading| &grading.tasks).map(|graded| &graded.report)
}

/// The checkpoints of this pull request, as a sentence.
pub(super) fn names(about: &About<'_>) -> String {
    let known: Vec<_> = checkpoints(about).iter().map(|id| format!("`{id}`")).collect();
    if known.is_empty() { earlier(about, None) } else { format!("Checkpoints here: {}.", known.join(", ")) }
}

fn hint(about: &About<'_>, target: Option<&Target>) -> Answer {
    let found = match target {
        Some(target) => named(about, target),
        None => find(about, |_, result| result.outcome == Outcome::Fail).ok_or_else(|| match about.grading {
            Some(grading) if !grading.tasks.is_empty() => {
                "No checkpoint failed, so there is nothing to hint at.".to_owned()
            }
            _ => names(about),
        }),
    };
    let found = match found {
        Ok(found) => found,
        Err(text) => return text.into(),
    };
    let Some(checkpoint) = found.checkpoint() else {
        return format!("The checkpoint {} is no longer part of the task.", found.name()).into();
    };
    let (course, task) = (&found.graded.report.course.id, &found.graded.report.task);
    let record = about.book.record(course, task);
    let ladder = Ladder::of(checkpoint);
    let total = ladder.hints().len();
    if total == 0 {
        let called = words::called(reports(about), &found.graded.report.task, &checkpoint.id);
        return format!("{} has no hints. `/explain {called}` shows what was found.", found.name()).into();
    }
    let failures = record.map_or(0, |record| failures(record, &checkpoint.id));
    let shown = ladder.given(failures).map_or(0, |index| index + 1);
    let asked = record.map_or(0, |record| record.hints_given(&checkpoint.id)) as usize;
    let next = shown.max(asked);
    // The last one is given again rather than refused: it may be far up the page by now.
    let index = next.min(total - 1);
    let hint = ladder.hints()[index];
    let cost = match hint.cost {
        0 => String::new(),
        _ if index < next => String::new(),
        cost => format!(" It costs {}.", words::count(cost as usize, "point")),
    };
    let again = if index < next { " There are no more." } else { "" };
    let text = format!("**{}, hint {} of {total}:** {}{cost}{again}", found.name(), index + 1, hint.text);
    let given = HintGiven {
        at: about.at,
        course: course.clone(),
        task: task.clone(),
        checkpoint: checkpoint.id.clone(),
        number: u32::try_from(index + 1).unwrap_or(u32::MAX),
        cost: hint.cost,
    };
    let record = if index < next { Vec::new() } else { vec![Entry::Hint(given)] };
    Answer { text, record, ..Answer::default() }
}

fn failures(record: &Record, checkpoint: &crate::course::id::CheckpointId) -> u32 {
    let failed = |attempt: &&crate::gradebook::book::Attempt| {
        attempt.verdict.checkpoints.iter().any(|c| c.id == *checkpoint && c.outcome == Outcome::Fail)
    };
    u32::try_from(record.attempts().iter().filter(failed).count()).unwrap_or(u32::MAX)
}

fn explain(about: &About<'_>, target: &Target) -> String {
    match named(about, target) {
        Ok(found) => explanation(&found),
        Err(text) => text,
    }
}

/// What is expected and what was found, as far as the learner may know.
fn explanation(found: &Found<'_>) -> String {
    let result = found.result();
    let mut text = format!(
        "**{} · {} · {} of {}** in `{}`: {}",
        found.name(),
        result.outcome.word(),
        result.score,
        words::count(result.points as usize, "point"),
        found.graded.report.task,
        safe::md(&result.title),
    );
    if !result.blocked_by.is_empty() {
        let causes: Vec<_> = result.blocked_by.iter().map(|id| format!("`{id}`")).collect();
        text += &format!("\n\nIt waits for {}.", causes.join(", "));
    }
    for evidence in result.evidence.iter().take(MAX_EVIDENCE) {
        text += &format!("\n- {}", safe::md(&evidence.message));
        if let Some(subject) = &evidence.subject {
            text += &format!(" ({})", safe::code(subject));
        }
        match asked(evidence) {
            Some(Asked::Value(value)) => text += &format!("\n  - expected: {}", safe::code(&shown(value))),
            Some(Asked::Rule(rule)) => text += &format!("\n  - it must {}", safe::md(&rule)),
            None => {}
        }
        if let Some(value) = &evidence.actual {
            text += &format!("\n  - found: {}", safe::code(&shown(value)));
        }
        if let Some(file) = &evidence.place.file {
            let line = evidence.place.line.map(|line| format!(":{line}")).unwrap_or_default();
            text += &format!("\n  - where: {}", safe::code(&format!("{file}{line}")));
        }
    }
    if let Some(more @ 1..) = result.evidence.len().checked_sub(MAX_EVIDENCE) {
        text += &format!("\n- and {more} more, in the review");
    }
    if result.evidence.is_empty() && result.outcome == Outcome::Pass {
        text += "\n\nIt passed: there is nothing to change.";
    }
    text
}

fn progress(about: &About<'_>) -> String {
    let Some(course) = about.course else {
        return "This course is not served any more.".to_owned();
    };
    let (mut score, mut points, mut rows) = (0, 0, String::new());
    for task in course.tasks().map(|task| &task.task) {
        let record = about.book.record(&course.course.id, &task.id);
        let reached = record.map_or(0, Record::score);
        let attempts = record.map_or(0, |record| record.attempts().len());
        let state = match record {
            Some(record) if record.passed() => "passed",
            Some(_) => "begun",
            None => "open",
        };
        score += reached;
        points += task.points;
        rows += &format!("| `{}` | {state} | {reached} of {} | {attempts} |\n", task.id, task.points);
    }
    let title = safe::md(&course.course.title);
    format!(
        "**{title}: {score} of {points} points.**\n\n| task | state | points | attempts |\n|---|---|---|---|\n{rows}"
    )
}

fn dispute(about: &About<'_>, target: &Target, why: &str) -> Answer {
    let found = match named(about, target) {
        Ok(found) => found,
        Err(text) => return text.into(),
    };
    let report = &found.graded.report;
    let dispute = Dispute {
        at: about.at,
        pull: about.key.to_string(),
        head: about.pull.head.clone(),
        course: report.course.id.clone(),
        task: report.task.clone(),
        checkpoint: report.checkpoints[found.index].id.clone(),
        why: why.to_owned(),
    };
    let task = &report.task;
    let text = format!(
        "Noted in the gradebook: you object to {} of `{task}` at `{}`. The verdict stands until an instructor has looked \
         at it.",
        found.name(),
        about.pull.head.short()
    );
    let key = format!("dispute:{}:{task}:{}:{}", about.key, dispute.checkpoint, about.pull.head);
    let issue = Issue {
        marker: Marker::new(key),
        title: format!("Dispute: {} of {task}, pull request {}", dispute.checkpoint, about.key.number),
        // The workspace's issues are everybody's to read: no more than the learner may know.
        body: format!(
            "{} objects to a verdict on `{}`, which stands until an instructor has looked at it.\n\n{}\n{}\n\n\
             An instructor answers there with `/waive {task}/{} WHY` or `/override {task} POINTS WHY`, or here with a \
             sentence that says why it stands.",
            safe::code(&about.by.login.0),
            about.pull.head,
            safe::block(why, "text"),
            explanation(&found),
            dispute.checkpoint,
        ),
    };
    Answer { text, record: vec![Entry::Dispute(dispute)], issue: Some(issue), ..Answer::default() }
}
