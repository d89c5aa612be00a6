//! Courses, lessons and tasks with what the learner reached.

use super::super::App;
use super::super::pages::model::{
    AttemptRow, CheckpointRow, CourseCard, CoursePage, DomainView, Home, Html, LessonPage, Link, ModuleView, Nav,
    Progress, TaskPage, TaskRow,
};
use super::pulls::{all, rows};
use super::{ViewError, frame, when};
use crate::course::draw::Drawn;
use crate::course::id::{CourseId, ModuleId, TaskId};
use crate::course::{CourseTask, Module};
use crate::forge::pull::PullNumber;
use crate::gradebook::book::{Book, Record};
use crate::reconcile::courses::OpenCourse;
use crate::submission::upstream::Upstream;

/// Pull requests on the home page.
const RECENT: usize = 8;

/// `/`.
pub async fn home(app: &App) -> Result<Home, ViewError> {
    let book = app.gradebook.book(&app.learner)?;
    let courses = app.courses().map(|course| card(app, course, &book)).collect();
    let pulls = all(app).await?;
    let mut frame = frame(app, "Courses", Nav::Courses);
    frame.events = Some("/events".to_owned());
    Ok(Home { frame, courses, any: !pulls.is_empty(), pulls: rows(pulls.iter().take(RECENT)) })
}

/// `/courses/COURSE`.
pub fn page(app: &App, course: &OpenCourse) -> Result<CoursePage, ViewError> {
    let book = app.gradebook.book(&app.learner)?;
    let of_domain = |domain: &crate::course::Domain| {
        let modules = course.course.modules.iter().filter(|module| module.domain == domain.id);
        let modules: Vec<ModuleView> = modules.map(|module| module_view(course, module, &book)).collect();
        let sum = |what: fn(&TaskRow) -> u32| modules.iter().flat_map(|module| &module.tasks).map(what).sum();
        DomainView { title: domain.title.clone(), score: sum(|t| t.score), points: sum(|t| t.points), modules }
    };
    let domains = course.course.domains.iter().map(of_domain).filter(|domain| !domain.modules.is_empty()).collect();
    Ok(CoursePage {
        frame: frame(app, &course.course.title, Nav::Courses),
        course: card(app, course, &book),
        description: course.course.description.clone(),
        draft: course.course.draft,
        domains,
    })
}

/// `/courses/COURSE/lessons/MODULE/SLUG`; none when there is no such lesson.
pub fn lesson(app: &App, course: &OpenCourse, module: &ModuleId, slug: &str) -> Result<Option<LessonPage>, ViewError> {
    let all: Vec<(&Module, usize)> =
        course.course.modules.iter().flat_map(|m| (0..m.lessons.len()).map(move |index| (m, index))).collect();
    let here = all.iter().position(|(m, index)| m.id == *module && m.lessons[*index].slug == slug);
    let Some(here) = here else { return Ok(None) };
    let (module, index) = all[here];
    let lesson = &module.lessons[index];
    let book = app.gradebook.book(&app.learner)?;
    let link = |at: Option<&(&Module, usize)>| at.map(|(module, index)| lesson_link(course, module, *index));
    Ok(Some(LessonPage {
        frame: frame(app, &lesson.title, Nav::Courses),
        course: course_link(course),
        module: module.title.clone(),
        text: Html::document(&lesson.text),
        previous: link(here.checked_sub(1).and_then(|before| all.get(before))),
        next: link(all.get(here + 1)),
        tasks: module_view(course, module, &book).tasks,
    }))
}

/// `/courses/COURSE/tasks/TASK`; none when there is no such task.
pub fn task(app: &App, course: &OpenCourse, id: &TaskId) -> Result<Option<TaskPage>, ViewError> {
    let (Some(task), Some(module)) = (course.course.tasks.get(id), course.module(id)) else { return Ok(None) };
    let drawn = match course.draw(&app.learner, id) {
        Some(Ok(drawn)) => drawn,
        Some(Err(problems)) => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            tracing::error!(task = %id, problems = problems.join("; "), "a task cannot be drawn");
            return Ok(None);
        }
        None => return Ok(None),
    };
    let book = app.gradebook.book(&app.learner)?;
    let record = book.record(&course.course.id, id);
    Ok(Some(TaskPage {
        frame: frame(app, &drawn.task.title, Nav::Courses),
        course: course_link(course),
        module: module.title.clone(),
        id: id.to_string(),
        row: row(course, task, &book),
        brief: Html::document(&drawn.brief),
        values: drawn.values.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        checkpoints: checkpoints(&drawn, record),
        start: format!("cd {}\n{}\ngit switch -c {id} FETCH_HEAD", course.course.id, Upstream::local().fetch()),
        hand_in: format!("git add tasks/{id}\ngit commit -m \"{id}\"\ngit push -u origin {id}"),
        attempts: record.map(attempts).unwrap_or_default(),
        debrief: record.filter(|record| record.passed()).map(|_| Html::document(&drawn.debrief)),
        lessons: (0..module.lessons.len()).map(|index| lesson_link(course, module, index)).collect(),
    }))
}

/// As they stand in the verdict that the points are of: a later attempt takes nothing away.
fn checkpoints(drawn: &Drawn, record: Option<&Record>) -> Vec<CheckpointRow> {
    let best = record.and_then(Record::best);
    let outcome = |id: &crate::course::id::CheckpointId| {
        best.and_then(|verdict| verdict.checkpoints.iter().find(|c| c.id == *id)).map(|c| c.outcome.word())
    };
    let row = |checkpoint: &crate::checkpoint::Checkpoint| CheckpointRow {
        id: checkpoint.id.to_string(),
        title: checkpoint.title.clone(),
        points: checkpoint.points,
        outcome: outcome(&checkpoint.id),
    };
    drawn.task.checkpoints.iter().map(row).collect()
}

fn attempts(record: &Record) -> Vec<AttemptRow> {
    let row = |(number, attempt): (u32, &crate::gradebook::book::Attempt)| {
        let verdict = &attempt.verdict;
        let pull = verdict.pull.strip_prefix("local#").and_then(|number| number.parse::<PullNumber>().ok());
        AttemptRow {
            number,
            score: verdict.score,
            points: verdict.points,
            head: verdict.head.short().to_owned(),
            at: when(verdict.at),
            pull: pull.map(|number| Link { text: format!("#{number}"), href: format!("/pulls/{number}") }),
        }
    };
    let mut rows: Vec<_> = (1..).zip(record.attempts()).map(row).collect();
    rows.reverse();
    rows
}

fn card(app: &App, course: &OpenCourse, book: &Book) -> CourseCard {
    let rows: Vec<(TaskId, TaskRow)> =
        course.tasks().map(|task| (task.task.id.clone(), row(course, task, book))).collect();
    let passed = rows.iter().filter(|(_, row)| row.progress == Progress::Passed).count();
    let next = rows.iter().find(|(_, row)| row.progress != Progress::Passed);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    CourseCard {
        id: course.course.id.to_string(),
        title: course.course.title.clone(),
        score: rows.iter().map(|(_, row)| row.score).sum(),
        points: rows.iter().map(|(_, row)| row.points).sum(),
        passed: number(passed),
        tasks: number(rows.len()),
        clone: clone_command(app, &course.course.id),
        next: next.map(|(_, row)| Link { text: row.title.clone(), href: row.href.clone() }),
    }
}

/// What to type to get a course's workspace.
pub fn clone_command(app: &App, course: &CourseId) -> String {
    format!("git clone {}/git/{}/{course}.git", app.address, app.learner)
}

fn module_view(course: &OpenCourse, module: &Module, book: &Book) -> ModuleView {
    let tasks = module.tasks.iter().filter_map(|id| course.course.tasks.get(id));
    ModuleView {
        title: module.title.clone(),
        lessons: (0..module.lessons.len()).map(|index| lesson_link(course, module, index)).collect(),
        tasks: tasks.map(|task| row(course, task, book)).collect(),
    }
}

fn row(course: &OpenCourse, task: &CourseTask, book: &Book) -> TaskRow {
    let record = book.record(&course.course.id, &task.task.id);
    TaskRow {
        title: task.task.title.clone(),
        href: format!("/courses/{}/tasks/{}", course.course.id, task.task.id),
        score: record.map_or(0, Record::score),
        points: task.task.points,
        minutes: task.task.minutes,
        progress: match record {
            Some(record) if record.passed() => Progress::Passed,
            Some(record) if !record.attempts().is_empty() => Progress::Tried,
            _ => Progress::Untried,
        },
    }
}

fn lesson_link(course: &OpenCourse, module: &Module, index: usize) -> Link {
    let lesson = &module.lessons[index];
    let href = format!("/courses/{}/lessons/{}/{}", course.course.id, module.id, lesson.slug);
    Link { text: lesson.title.clone(), href }
}

pub(super) fn course_link(course: &OpenCourse) -> Link {
    Link { text: course.course.title.clone(), href: format!("/courses/{}", course.course.id) }
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
