//! What the templates of the pages see. Text fields are escaped by the templates; fields of type [`Html`] are not.

use serde::Serialize;

use super::Page;
use super::diff::FileView;
use super::markdown;
use crate::review::{Status, StatusState};

/// HTML that [`markdown`] made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Html(String);

impl Html {
    /// Text of a course.
    pub fn document(markdown: &str) -> Self {
        Self(markdown::document(markdown))
    }

    /// A review or a comment.
    pub fn comment(markdown: &str) -> Self {
        Self(markdown::comment(markdown))
    }
}

/// What stands around every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Title of the page, without ours.
    pub title: String,
    /// Who is looking.
    pub learner: String,
    /// The entry of the navigation that is current.
    pub nav: Nav,
    /// Address of an event stream that tells when the page has changed; none when it never does by itself.
    pub events: Option<String>,
}

/// Entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Nav {
    /// Home, courses, lessons, tasks.
    Courses,
    /// Pull requests.
    Pulls,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it leads; starts with `/`.
    pub href: String,
}

/// `/`: the courses and what was pushed last.
#[derive(Debug, Clone, Serialize)]
pub struct Home {
    /// Around it.
    pub frame: Frame,
    /// In the order in which `gradus up` was given them.
    pub courses: Vec<CourseCard>,
    /// Newest first, a handful.
    pub pulls: Vec<PullRow>,
    /// There are pull requests at all.
    pub any: bool,
}

/// A course in short.
#[derive(Debug, Clone, Serialize)]
pub struct CourseCard {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Points reached and to be had in the tasks that exist.
    pub score: u32,
    /// See `score`.
    pub points: u32,
    /// Tasks passed and in all.
    pub passed: u32,
    /// See `passed`.
    pub tasks: u32,
    /// `git clone …`, whole.
    pub clone: String,
    /// The task to go on with; none when all are passed.
    pub next: Option<Link>,
}

/// A pull request in a list.
#[derive(Debug, Clone, Serialize)]
pub struct PullRow {
    /// Its number.
    pub number: i64,
    /// The branch.
    pub branch: String,
    /// Whose.
    pub learner: String,
    /// Of which course.
    pub course: String,
    /// Open or not.
    pub open: bool,
    /// The status of its head.
    pub status: StatusView,
    /// When it changed last.
    pub updated: When,
}

/// A way to another part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What it says.
    pub text: &'static str,
    /// The class in the style; may be empty.
    pub class: &'static str,
    /// How many are there. (`count` is a helper of the templates.)
    pub number: usize,
    /// Where it leads.
    pub href: String,
    /// It is what is shown.
    pub current: bool,
}

/// The form that looks for a learner or a course. Empty: whichever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Search {
    /// Whose are shown.
    pub learner: String,
    /// Of which course.
    pub course: String,
    /// All who ever pushed.
    pub learners: Vec<String>,
    /// All that were ever pushed to.
    pub courses: Vec<String>,
    /// Kept as it is: [`crate::server::query::PullQuery::state`].
    pub state: &'static str,
    /// Kept as it is: [`crate::server::query::PullQuery::status`].
    pub status: &'static str,
}

/// A point in time for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct When {
    /// As in `2026-11-24 09:15 UTC`.
    pub text: String,
    /// RFC 3339.
    pub iso: String,
}

/// A commit status in words and colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// `pending`, `success`, `failure` or `error`: the class in the style.
    pub state: &'static str,
    /// One word for people who do not see the colour.
    pub word: &'static str,
    /// The description.
    pub text: String,
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> Self {
        Self { state: status.state.word(), word: Self::word(status.state), text: status.description.clone() }
    }
}

impl StatusView {
    /// One word for people.
    pub fn word(state: StatusState) -> &'static str {
        match state {
            StatusState::Pending => "Pending",
            StatusState::Success => "Passed",
            StatusState::Failure => "Not yet",
            StatusState::Error => "Ours",
        }
    }
}

/// `/courses/COURSE`: progress by domain and module.
#[derive(Debug, Clone, Serialize)]
pub struct CoursePage {
    /// Around it.
    pub frame: Frame,
    /// The course.
    pub course: CourseCard,
    /// One paragraph: for whom, what they can do afterwards.
    pub description: String,
    /// Not complete yet.
    pub draft: bool,
    /// In order; those without modules are left out.
    pub domains: Vec<DomainView>,
}

/// A domain with its modules.
#[derive(Debug, Clone, Serialize)]
pub struct DomainView {
    /// Its title.
    pub title: String,
    /// Points reached.
    pub score: u32,
    /// Points of the tasks that exist.
    pub points: u32,
    /// In order.
    pub modules: Vec<ModuleView>,
}

/// A module with its lessons and tasks.
#[derive(Debug, Clone, Serialize)]
pub struct ModuleView {
    /// Its title.
    pub title: String,
    /// In order.
    pub lessons: Vec<Link>,
    /// In order.
    pub tasks: Vec<TaskRow>,
}

/// A task in a list.
#[derive(Debug, Clone, Serialize)]
pub struct TaskRow {
    /// Its title.
    pub title: String,
    /// Its page.
    pub href: String,
    /// Best score so far.
    pub score: u32,
    /// What it is worth.
    pub points: u32,
    /// Minutes that somebody prepared needs.
    pub minutes: u32,
    /// How far the learner is.
    pub progress: Progress,
}

/// How far a learner is with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Progress {
    /// No attempt.
    Untried,
    /// An attempt, no pass.
    Tried,
    /// Passed.
    Passed,
}

/// A lesson.
#[derive(Debug, Clone, Serialize)]
pub struct LessonPage {
    /// Around it; its title is the lesson's.
    pub frame: Frame,
    /// The course.
    pub course: Link,
    /// Title of its module.
    pub module: String,
    /// The text.
    pub text: Html,
    /// The lesson before.
    pub previous: Option<Link>,
    /// The lesson after.
    pub next: Option<Link>,
    /// The tasks of its module.
    pub tasks: Vec<TaskRow>,
}

/// A task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskPage {
    /// Around it; its title is the task's.
    pub frame: Frame,
    /// The course.
    pub course: Link,
    /// Title of its module.
    pub module: String,
    /// Its id.
    pub id: String,
    /// Score, points, minutes.
    pub row: TaskRow,
    /// With the learner's values.
    pub brief: Html,
    /// Name and value.
    pub values: Vec<(String, String)>,
    /// What is judged, in order.
    pub checkpoints: Vec<CheckpointRow>,
    /// Shell commands that begin the task, one a line.
    pub start: String,
    /// Shell commands that hand it in, one a line.
    pub hand_in: String,
    /// Attempts, newest first.
    pub attempts: Vec<AttemptRow>,
    /// After a pass.
    pub debrief: Option<Html>,
    /// Lessons of its module.
    pub lessons: Vec<Link>,
}

/// A checkpoint of a task's page.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointRow {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it is worth.
    pub points: u32,
    /// Its outcome at the newest attempt, as in `pass`; none before.
    pub outcome: Option<&'static str>,
}

/// An attempt of a task's page.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRow {
    /// From 1.
    pub number: u32,
    /// Points reached.
    pub score: u32,
    /// Points judged.
    pub points: u32,
    /// The head, short.
    pub head: String,
    /// When.
    pub at: When,
    /// The pull request.
    pub pull: Option<Link>,
}

/// `/pulls`.
#[derive(Debug, Clone, Serialize)]
pub struct PullList {
    /// Around it.
    pub frame: Frame,
    /// Those asked for, newest first.
    pub pulls: Vec<PullRow>,
    /// There are pull requests at all.
    pub any: bool,
    /// Open, closed, all.
    pub states: Vec<Choice>,
    /// The statuses among these.
    pub statuses: Vec<Choice>,
    /// Where there are several learners or courses.
    pub search: Option<Search>,
    /// Address of the page before.
    pub newer: Option<String>,
    /// Address of the page behind.
    pub older: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone, Serialize)]
pub struct PullPage {
    /// Around it.
    pub frame: Frame,
    /// Number, branch, status.
    pub pull: PullRow,
    /// The course.
    pub course: Link,
    /// The newest head, short.
    pub head: String,
    /// Newest first.
    pub reviews: Vec<ReviewView>,
    /// Oldest first.
    pub comments: Vec<CommentView>,
    /// The diff of the newest head with the comments of its review on their lines.
    pub files: Vec<FileView>,
    /// More files differ than are shown.
    pub truncated: bool,
    /// Whether comments are taken.
    pub open: bool,
    /// Who else may be spoken for.
    pub instructor: Option<String>,
}

/// A review on a pull request's page.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewView {
    /// The head it is of, short.
    pub head: String,
    /// When it was posted.
    pub at: When,
    /// The newest one is shown open, the others folded.
    pub newest: bool,
    /// Its status.
    pub status: StatusView,
    /// Its body.
    pub body: Html,
    /// Number of its line comments.
    pub comments: usize,
}

/// A comment on a pull request's page.
#[derive(Debug, Clone, Serialize)]
pub struct CommentView {
    /// The learner, or none for the grader.
    pub author: Option<String>,
    /// When it was posted.
    pub at: When,
    /// Its body.
    pub body: Html,
}

/// A page that only says something: what is not there, what went wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// Around it.
    pub frame: Frame,
    /// One or two sentences with the remedy.
    pub text: String,
    /// Where to go on.
    pub onward: Option<Link>,
}

macro_rules! pages {
    ($($model:ty => $template:literal,)*) => {$(
        impl Page for $model {
            const TEMPLATE: &'static str = $template;
        }
    )*};
}

pages! {
    Home => "home",
    CoursePage => "course",
    LessonPage => "lesson",
    TaskPage => "task",
    PullList => "pulls",
    PullPage => "pull",
    Message => "message",
}
