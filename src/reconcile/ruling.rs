//! Instructors' commands: what they decide becomes a decision of the gradebook, and the answer says what now counts. Pure.
//! That the author is an instructor is checked before.

use super::answer::{About, Answer, named};
use super::command::{MoreTime, Target};
use crate::checkpoint::outcome::Outcome;
use crate::course::diagnostic::nearest;
use crate::course::id::TaskId;
use crate::gradebook::Keeping;
use crate::gradebook::decision::Decision;
use crate::gradebook::decision::kinds::{
    Concerned, ExtensionFile, ExtensionSpec, Holds, Instructor, Metadata, OverrideFile, OverrideSpec, Reason,
    WaiverFile, WaiverSpec,
};
use crate::gradebook::decision::when::Moment;
use crate::review::{safe, words};

const NO_GRADEBOOK: &str = "No gradebook is configured here, so there is no place where a decision would last. Nothing \
                            was changed: name a repository for it under `gradebook:` in the daemon's configuration.";

const NO_REASON: &str = "A decision needs a reason that can be read. Nothing was changed.";

const STAYS: &str = "It stays in the gradebook with your name and the reason.";

/// `/waive`.
pub fn waive(about: &About<'_>, target: &Target, why: &str) -> Answer {
    let found = match (kept(about), named(about, target)) {
        (Err(text), _) | (_, Err(text)) => return text.into(),
        (Ok(()), Ok(found)) => found,
    };
    let Ok(reason) = why.parse::<Reason>() else { return NO_REASON.to_owned().into() };
    let report = &found.graded.report;
    let checkpoint = &report.checkpoints[found.index];
    let waiting = report
        .checkpoints
        .iter()
        .filter(|result| result.outcome == Outcome::Blocked && result.blocked_by.contains(&checkpoint.id));
    let waiting: Vec<String> = waiting.map(|result| format!("`{}`", result.id)).collect();
    let waiting = match waiting.as_slice() {
        [] => String::new(),
        _ => format!(
            " Not judged, since they wait for it: {}. Waive them too, or let them be judged once it passes.",
            waiting.join(", ")
        ),
    };
    let text = format!(
        "Waived: {} of `{}` counts as passed for {}. {STAYS}{waiting}",
        found.name(),
        report.task,
        learner(about)
    );
    let spec = WaiverSpec {
        learner: concerned(about),
        course: report.course.id.clone(),
        task: report.task.clone(),
        checkpoint: checkpoint.id.clone(),
        reason,
    };
    decided(text, Decision::Waiver(WaiverFile::new(metadata(about), spec)))
}

/// `/extend`.
pub fn extend(about: &About<'_>, task: &str, time: MoreTime, why: &str) -> Answer {
    let (task, _) = match kept(about).and_then(|()| find(about, task)) {
        Ok(found) => found,
        Err(text) => return text.into(),
    };
    let Ok(reason) = why.parse::<Reason>() else { return NO_REASON.to_owned().into() };
    let (by, until, how) = match time {
        MoreTime::By(span) => (Some(span), None, format!("{span} more")),
        MoreTime::Until(moment) if moment.0 <= about.at => {
            return format!("{moment} has passed already. Nothing was changed.").into();
        }
        MoreTime::Until(moment) => (None, Some(moment), format!("time until {moment}")),
    };
    let text = format!("Extended: {} has {how} for `{task}`. {STAYS}", learner(about));
    let spec = ExtensionSpec { learner: concerned(about), course: about.pull.course.clone(), task, by, until, reason };
    decided(text, Decision::Extension(ExtensionFile::new(metadata(about), spec)))
}

/// `/override`.
pub fn override_points(about: &About<'_>, task: &str, points: u32, why: &str) -> Answer {
    let (task, of) = match kept(about).and_then(|()| find(about, task)) {
        Ok(found) => found,
        Err(text) => return text.into(),
    };
    if points > of {
        let of = words::count(of as usize, "point");
        return format!("`{task}` has {of}, so {points} cannot be given. Nothing was changed.").into();
    }
    let Ok(reason) = why.parse::<Reason>() else { return NO_REASON.to_owned().into() };
    let text = format!(
        "Overridden: {} has {points} of {} for `{task}`, whatever is judged and hinted, until a later override. {STAYS}",
        learner(about),
        words::count(of as usize, "point"),
    );
    let spec = OverrideSpec {
        learner: concerned(about),
        course: about.pull.course.clone(),
        task,
        points,
        of,
        holds: Holds::default(),
        reason,
    };
    decided(text, Decision::Override(OverrideFile::new(metadata(about), spec)))
}

/// The tasks of the course, as a sentence.
pub fn names(about: &About<'_>) -> String {
    let tasks: Vec<String> = tasks(about).iter().map(|(id, _)| format!("`{id}`")).collect();
    match tasks.as_slice() {
        [] => "This course is not served any more.".to_owned(),
        // A course has dozens; those at hand are enough for an example.
        [first, ..] if tasks.len() > 8 => format!("Tasks are named as in {first}."),
        _ => format!("Tasks here: {}.", tasks.join(", ")),
    }
}

fn kept(about: &About<'_>) -> Result<(), String> {
    match about.keeping {
        Keeping::Kept => Ok(()),
        Keeping::NotConfigured => Err(NO_GRADEBOOK.to_owned()),
    }
}

/// The course's tasks and their points, in order.
fn tasks(about: &About<'_>) -> Vec<(TaskId, u32)> {
    let tasks = about.course.into_iter().flat_map(|course| course.tasks());
    tasks.map(|task| (task.task.id.clone(), task.task.points)).collect()
}

/// A task by its name, and its points.
fn find(about: &About<'_>, name: &str) -> Result<(TaskId, u32), String> {
    let tasks = tasks(about);
    if let Some(found) = tasks.iter().find(|(id, _)| id.as_str() == name) {
        return Ok(found.clone());
    }
    let near = nearest(name, tasks.iter().map(|(id, _)| id.as_str()));
    let near = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
    Err(format!("There is no task {}.{near} {} Nothing was changed.", safe::code(name), names(about)))
}

fn learner(about: &About<'_>) -> String {
    safe::code(&about.pull.author.login.0)
}

fn concerned(about: &About<'_>) -> Concerned {
    Concerned { id: about.pull.author.id.clone(), login: Some(about.pull.author.login.clone()) }
}

fn metadata(about: &About<'_>) -> Metadata {
    let author = Instructor { id: Some(about.by.id.clone()), login: about.by.login.clone() };
    Metadata { author, at: Moment(about.at), pull: Some(about.key.to_string()) }
}

fn decided(text: String, decision: Decision) -> Answer {
    Answer { text, decisions: vec![decision], ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checkpoint::Judgement;
    use crate::forge::pull::{Login, Permission, Pull, User, UserKind};
    use crate::grade::report::{CheckpointResult, CourseRef, Report, ReportKind};
    use crate::gradebook::book::Book;
    use crate::reconcile::answer::{Again, answer};
    use crate::reconcile::command::parse;
    use crate::reconcile::courses::OpenCourse;
    use crate::reconcile::grader::{GradedTask, Grading};
    use crate::reconcile::testing;

    fn user(id: &str, login: &str) -> User {
        User { id: id.parse().unwrap(), login: Login(login.into()), kind: UserKind::Person }
    }

    fn course() -> OpenCourse {
        let dir = tempfile::tempdir().unwrap();
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("courses/hello");
        let upstream = |_: &_| dir.path().join("upstream.git");
        OpenCourse::open(&home, upstream, |_| "http://x.example/hello.git".into(), 0).unwrap()
    }

    fn result(id: &str, judgement: &Judgement, blocked_by: &[&str]) -> CheckpointResult {
        let outcome = if blocked_by.is_empty() { judgement.outcome } else { Outcome::Blocked };
        CheckpointResult {
            id: id.parse().unwrap(),
            title: id.to_owned(),
            outcome,
            score: 0,
            points: 1,
            blame: judgement.blame,
            blocked_by: blocked_by.iter().map(|id| id.parse().unwrap()).collect(),
            cases: None,
            evidence: judgement.evidence.clone(),
        }
    }

    fn grading(course: &OpenCourse) -> Grading {
        let fail = Judgement::fail(vec![]);
        let report = Report {
            api_version: String::new(),
            kind: ReportKind::Report,
            task: "scale-the-web".parse().unwrap(),
            title: String::new(),
            course: CourseRef { id: "hello".parse().unwrap(), revision: course.course.revision.clone() },
            commit: None,
            score: 0,
            points: 3,
            outcome: Outcome::Fail,
            provisional: false,
            checkpoints: vec![result("replicas", &fail, &[]), result("kept", &fail, &["replicas"])],
        };
        let graded = GradedTask { files: "0".repeat(40).parse().unwrap(), attempt: 1, report, observed: None };
        testing::grading(graded.report.course.clone(), vec![graded])
    }

    /// What `grace` gets for a comment on the pull request of `ada`.
    fn ask(body: &str, permission: Permission, keeping: Keeping) -> Answer {
        let (course, book) = (course(), Book::default());
        let pull = Pull { author: user("583231", "ada`<!--"), ..testing::pull("a") };
        let about = About {
            pull: &pull,
            key: &testing::key(),
            by: &user("99", "grace"),
            permission,
            keeping,
            grading: Some(&grading(&course)),
            book: &book,
            course: Some(&course),
            at: "2026-11-24T22:00Z".parse::<Moment>().unwrap().0,
            again: Again::No,
        };
        answer(&about, &parse(body).unwrap())
    }

    fn instructed(body: &str) -> Answer {
        ask(body, Permission::Instructor, Keeping::Kept)
    }

    #[test]
    fn a_decision_is_recorded_with_who_when_where_and_why() {
        let answer = instructed("/waive replicas the brief says two");
        let [Decision::Waiver(file)] = answer.decisions.as_slice() else { panic!("{answer:?}") };
        let who = (file.metadata.author.id.as_ref().unwrap().as_str(), file.metadata.author.login.0.as_str());
        assert_eq!(who, ("99", "grace"));
        assert_eq!(file.metadata.at.0.rfc3339(), "2026-11-24T22:00:00Z");
        assert_eq!(file.metadata.pull.as_deref(), Some("local#1"));
        assert_eq!((file.spec.learner.id.as_str(), file.spec.reason.as_str()), ("583231", "the brief says two"));
        assert_eq!((file.spec.task.as_str(), file.spec.checkpoint.as_str()), ("scale-the-web", "replicas"));
        assert!(answer.text.contains("Not judged, since they wait for it: `kept`."), "{}", answer.text);
        let Decision::Extension(file) = &instructed("/extend scale-the-web 3d ill").decisions[0] else { panic!() };
        assert_eq!((file.spec.by.unwrap().to_string().as_str(), file.spec.until), ("3d", None));
        let Decision::Override(file) = &instructed("/override scale-the-web 2 appeal").decisions[0] else { panic!() };
        assert_eq!((file.spec.points, file.spec.of), (2, 4));
    }

    #[test]
    fn every_command_that_decides_is_answered_and_decides_nothing_when_it_cannot() {
        for (body, said) in [
            ("/waive replica why", "Did you mean `replicas`?"),
            ("/waive replicas", "needs a little more: `/waive CHECKPOINT WHY`"),
            ("/waive replicas \u{200b}", "needs a reason"),
            ("/extend scale-teh-web 3d ill", "Did you mean `scale-the-web`?"),
            ("/extend scale-the-web soon ill", "`soon` is not a length of time"),
            ("/extend scale-the-web 2020-01-01 ill", "has passed already"),
            ("/override scale-the-web 40 appeal", "has 4 points, so 40 cannot be given"),
            ("/override scale-the-web lots appeal", "`lots` is not a whole number of points"),
            ("/waiver replicas x", "Did you mean `/waive`?"),
        ] {
            let answer = instructed(body);
            assert!(answer.text.contains(said), "{body}: {}", answer.text);
            assert_eq!(answer.decisions, [], "{body}");
        }
    }

    #[test]
    fn only_instructors_decide_and_only_where_decisions_last() {
        for permission in [Permission::Reader, Permission::Owner] {
            for body in ["/waive replicas why", "/waive", "/override scale-the-web 3 x", "/extend scale-the-web x y"] {
                let answer = ask(body, permission, Keeping::Kept);
                assert!(answer.text.starts_with("Only instructors of this workspace decide that"), "{}", answer.text);
                assert_eq!(answer.decisions, []);
            }
        }
        for body in ["/waive replicas why", "/override scale-the-web 3 x", "/extend scale-the-web 3d y"] {
            let answer = ask(body, Permission::Instructor, Keeping::NotConfigured);
            assert!(answer.text.starts_with("No gradebook is configured here"), "{}", answer.text);
            assert_eq!(answer.decisions, []);
        }
        let help = |permission| ask("/frobnicate", permission, Keeping::Kept).text;
        assert!(help(Permission::Instructor).contains("/override"));
        assert!(!help(Permission::Owner).contains("/override"));
    }

    #[test]
    fn answers_name_logins_as_text_that_nothing_reads() {
        for body in ["/waive replicas why", "/extend scale-the-web 3d y", "/override scale-the-web 1 x"] {
            let text = instructed(body).text;
            assert!(text.contains("``ada`\\u{3c}!--``") && !text.contains("583231") && !text.contains('@'), "{text}");
        }
    }

    #[test]
    fn a_dispute_asks_for_one_issue_per_checkpoint_and_head() {
        let dispute = |body| ask(body, Permission::Owner, Keeping::NotConfigured);
        let answer = dispute("/dispute replicas ```` @octo/team <!-- two are enough");
        let issue = answer.issue.clone().unwrap();
        assert_eq!(issue.marker.key, format!("dispute:local#1:scale-the-web:replicas:{}", "a".repeat(40)));
        assert_eq!(issue.title, "Dispute: replicas of scale-the-web, pull request 1");
        assert!(issue.body.contains("`````text\n```` @octo/team \\u{3c}!-- two are enough\n`````\n"), "{}", issue.body);
        assert_eq!(dispute("/dispute replicas other words").issue.unwrap().marker, issue.marker);
        let text = answer.with_issue(Some("https://forge.example/acme/hello/issues/7"));
        assert!(text.ends_with("It is looked at in https://forge.example/acme/hello/issues/7"), "{text}");
        assert_eq!(answer.with_issue(None), answer.text);
        assert_eq!(answer.record.len(), 1);
    }
}
