//! `gradus quarantine`: stop trusting a checkpoint for a while, for everybody and at once; or trust it again.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::gradebook::{Opened, Which, author};
use super::trouble::fail;
use crate::course::diagnostic::nearest;
use crate::course::id::{CheckpointId, CourseId, TaskId};
use crate::forge::pull::Login;
use crate::gradebook::GradebookError;
use crate::gradebook::decision::kinds::{Instructor, Lifted, Metadata, QuarantineFile, QuarantineSpec, Reason};
use crate::gradebook::decision::when::Moment;
use crate::gradebook::decision::{DIR, Decision, file};
use crate::store::time::{Clock, SystemClock, Time};

/// Stop trusting a checkpoint for a while, for everybody
///
/// Whatever does not pass it becomes our error, which costs nobody points, from the next look of the daemons on (some
/// seconds); a pass stays a pass. At the end, or with `--lift`, everything it held up is judged again. It is one file in
/// the gradebook's `decisions/`, and may as well be written there by hand.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The task
    #[arg(value_name = "TASK")]
    task: TaskId,
    /// Its checkpoint
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: CheckpointId,
    /// Until when: a date (the end of that day, UTC) or a time with its zone, as in 2026-12-01T08:00Z
    #[arg(long, value_name = "TIME", required_unless_present = "lift")]
    until: Option<Moment>,
    /// Why; learners read it
    #[arg(long, value_name = "TEXT", required_unless_present = "lift")]
    reason: Option<Reason>,
    /// Trust it again
    #[arg(long, conflicts_with_all = ["until", "reason"])]
    lift: bool,
    /// The course; may be left out where the gradebook knows only one
    #[arg(long, value_name = "ID")]
    course: Option<CourseId>,
    /// Your name in the decision; by default your name on this machine
    #[arg(long, value_name = "NAME", env = "GRADUS_AUTHOR")]
    author: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// It is not decided.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Gradebook(#[from] GradebookError),
    #[error("the gradebook knows several courses or none: say which one by `--course ID`")]
    WhichCourse,
    #[error("{0} has passed already: nothing was written")]
    Past(Moment),
    #[error("`{checkpoint}` of `{task}` is in no quarantine: nothing was written; in quarantine here: {there}")]
    NotThere { task: TaskId, checkpoint: CheckpointId, there: String },
    #[error("it is written, but not pushed: {0}; say it again when the repository can be reached")]
    NotPushed(#[from] crate::gradebook::ExchangeError),
    #[error("others changed {} at the same time, and theirs counts: look at it and say again what you want", .0.join(", "))]
    Conflict(Vec<String>),
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let opened = match args.which.open() {
        Ok(opened) => opened,
        Err(error) => return fail(&error),
    };
    match decide(&args, &opened, SystemClock.now()) {
        Ok(decided) => {
            println!("{}", decided.text);
            if let Some(doubt) = decided.doubt {
                eprintln!("note: {doubt}");
            }
            if opened.checkout {
                eprintln!("note: {} is a checkout: commit and push {DIR}/ to put it in force", opened.shown);
            }
            ExitCode::from(super::EXIT_PASS)
        }
        Err(error) => fail(&error),
    }
}

/// What was written.
#[derive(Debug)]
struct Decided {
    text: String,
    /// Why it may be a mistake all the same.
    doubt: Option<String>,
}

fn decide(args: &Args, opened: &Opened, now: Time) -> Result<Decided, Refused> {
    let author = Instructor { id: None, login: Login(args.author.clone().unwrap_or_else(author)) };
    let course = match &args.course {
        Some(course) => course.clone(),
        None => only_course(opened)?,
    };
    let (task, checkpoint) = (args.task.clone(), args.checkpoint.clone());
    let mut doubt = None;
    let text = match (&args.until, &args.reason) {
        (Some(until), Some(reason)) => {
            if until.0 <= now {
                return Err(Refused::Past(*until));
            }
            doubt = unheard_of(opened, &course, &task, &checkpoint)?;
            let text = format!("`{checkpoint}` of `{task}` in `{course}` is not trusted until {until}.");
            let spec = QuarantineSpec { course, task, checkpoint, until: *until, reason: reason.clone(), lifted: None };
            let metadata = Metadata { author, at: Moment(now), pull: None };
            let decision = Decision::Quarantine(QuarantineFile::new(metadata, spec));
            let files = opened.gradebook.decide(&[decision])?;
            format!("{text}\n{}", files.join("\n"))
        }
        _ => {
            let files = lift(opened, &course, &task, &checkpoint, &author, now)?;
            if files.is_empty() {
                return Err(Refused::NotThere { task, checkpoint, there: there(opened, now)? });
            }
            format!("`{checkpoint}` of `{task}` in `{course}` is trusted again.\n{}", files.join("\n"))
        }
    };
    let exchanged = opened.gradebook.exchange()?;
    if exchanged.conflicts.is_empty() {
        Ok(Decided { text, doubt })
    } else {
        Err(Refused::Conflict(exchanged.conflicts))
    }
}

/// Says so where no verdict names the checkpoint. The gradebook holds no course, and a checkpoint may be too new to have
/// been judged: so it is no more than a doubt.
fn unheard_of(
    opened: &Opened,
    course: &CourseId,
    task: &TaskId,
    checkpoint: &CheckpointId,
) -> Result<Option<String>, GradebookError> {
    let (mut tasks, mut checkpoints) = (BTreeSet::new(), BTreeSet::new());
    for learner in opened.gradebook.learners()? {
        for (_, judged, record) in opened.gradebook.book(&learner)?.records().filter(|(of, ..)| *of == course) {
            let verdicts = record.attempts().iter().map(|attempt| &attempt.verdict);
            let ids = verdicts.flat_map(|verdict| &verdict.checkpoints).map(|result| result.id.clone());
            tasks.insert(judged.clone());
            checkpoints.extend(ids.filter(|_| judged == task));
        }
    }
    let meant = |near: Option<&str>| near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Ok(if !tasks.contains(task) {
        let near = nearest(task.as_str(), tasks.iter().map(TaskId::as_str));
        Some(format!("no verdict in `{course}` is about the task `{task}`{}", meant(near)))
    } else if !checkpoints.contains(checkpoint) {
        let near = nearest(checkpoint.as_str(), checkpoints.iter().map(CheckpointId::as_str));
        Some(format!("no verdict on `{task}` names the checkpoint `{checkpoint}`{}", meant(near)))
    } else {
        None
    })
}

/// What is in quarantine, for a sentence.
fn there(opened: &Opened, now: Time) -> Result<String, GradebookError> {
    let decisions = opened.gradebook.decisions()?;
    let names = decisions.quarantines(now).map(|(_, spec)| format!("`{} {}`", spec.task, spec.checkpoint));
    let names: BTreeSet<String> = names.collect();
    Ok(if names.is_empty() { "nothing".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") })
}

/// Ends every quarantine in force of a checkpoint; their files.
fn lift(
    opened: &Opened,
    course: &CourseId,
    task: &TaskId,
    checkpoint: &CheckpointId,
    author: &Instructor,
    now: Time,
) -> Result<Vec<String>, Refused> {
    let decisions = opened.gradebook.decisions()?;
    let mut files = Vec::new();
    for filed in decisions.all() {
        let Decision::Quarantine(quarantine) = &filed.decision else { continue };
        let spec = &quarantine.spec;
        if (&spec.course, &spec.task, &spec.checkpoint) != (course, task, checkpoint) || !spec.in_force(now) {
            continue;
        }
        let lifted = Some(Lifted { author: author.clone(), at: Moment(now) });
        let spec = QuarantineSpec { lifted, ..spec.clone() };
        let decision = Decision::Quarantine(QuarantineFile { spec, ..quarantine.clone() });
        opened.gradebook.rewrite(&filed.file, &file::write(&decision))?;
        files.push(filed.file.clone());
    }
    Ok(files)
}

/// The course, where the gradebook knows one.
fn only_course(opened: &Opened) -> Result<CourseId, Refused> {
    let grades = opened.gradebook.grades(&Default::default(), SystemClock.now())?;
    let courses = grades.items.into_iter().map(|grade| grade.course);
    let mut courses: Vec<CourseId> = courses.chain(grades.quarantines.into_iter().map(|row| row.course)).collect();
    courses.dedup();
    match <[CourseId; 1]>::try_from(courses) {
        Ok([course]) => Ok(course),
        Err(_) => Err(Refused::WhichCourse),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::forge::pull::User;
    use crate::gradebook::entry::tests::fail;
    use crate::gradebook::{Gradebook, Origin};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(gradebook: &std::path::Path, rest: &[&str]) -> Args {
        let fixed = ["quarantine", "t", "c", "--author", "grace", "--gradebook", gradebook.to_str().unwrap()];
        Cli::try_parse_from(fixed.iter().chain(rest)).unwrap().args
    }

    fn now() -> Time {
        "2026-11-24T22:00Z".parse::<Moment>().unwrap().0
    }

    fn said(gradebook: &std::path::Path, rest: &[&str]) -> Result<String, String> {
        let args = args(gradebook, rest);
        let opened = args.which.open().unwrap();
        decide(&args, &opened, now()).map(|decided| decided.text).map_err(|error| error.to_string())
    }

    const UNTIL: [&str; 4] = ["--until", "2026-12-01T08:00Z", "--reason", "it looks at the wrong port"];

    #[test]
    fn a_quarantine_is_one_file_in_the_repository_and_is_lifted_there() {
        let dir = tempfile::tempdir().unwrap();
        let origin = dir.path().join("grades.git");
        git2::Repository::init_bare(&origin).unwrap();
        let daemon = dir.path().join("daemon");
        std::fs::create_dir(&daemon).unwrap();
        let daemon = Gradebook::shared(daemon, Origin::new(origin.to_str().unwrap(), "main", None).unwrap());
        daemon.append(&User::local("ada".parse().unwrap()), &[fail("t", "a")]).unwrap();
        daemon.exchange().unwrap();
        let text = said(&origin, &UNTIL).unwrap();
        assert!(
            text.starts_with(
                "`c` of `t` in `hello` is not trusted until 2026-12-01 08:00 UTC.\ndecisions/quarantine-t-c-"
            ),
            "{text}"
        );
        let in_force = || {
            daemon.exchange().unwrap();
            daemon.decisions().unwrap().quarantines(now()).count()
        };
        assert_eq!(in_force(), 1);
        let lifted = said(&origin, &["--lift"]).unwrap();
        assert!(lifted.contains("is trusted again"), "{lifted}");
        assert_eq!(in_force(), 0);
        assert_eq!(daemon.decisions().unwrap().all().len(), 1, "what was decided stays to be read");
        assert_eq!(
            said(&origin, &["--lift"]).unwrap_err(),
            "`c` of `t` is in no quarantine: nothing was written; in quarantine here: nothing"
        );
    }

    #[test]
    fn a_name_that_no_verdict_knows_is_doubted() {
        let dir = tempfile::tempdir().unwrap();
        let gradebook = Gradebook::new(dir.path().to_owned());
        gradebook.append(&User::local("ada".parse().unwrap()), &[fail("first-task", "a")]).unwrap();
        let course: CourseId = "hello".parse().unwrap();
        let opened = args(dir.path(), &UNTIL).which.open().unwrap();
        for (task, checkpoint, expected) in [
            ("first-task", "c", None),
            ("first-task", "cc", Some("no verdict on `first-task` names the checkpoint `cc`; did you mean `c`?")),
            (
                "first-taks",
                "c",
                Some("no verdict in `hello` is about the task `first-taks`; did you mean `first-task`?"),
            ),
            ("another", "c", Some("no verdict in `hello` is about the task `another`")),
        ] {
            let doubt = unheard_of(&opened, &course, &task.parse().unwrap(), &checkpoint.parse().unwrap()).unwrap();
            assert_eq!(doubt.as_deref(), expected);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let past = ["--until", "2020-01-01", "--reason", "x", "--course", "hello"];
        assert!(said(dir.path(), &past).unwrap_err().contains("has passed already"));
        assert!(said(dir.path(), &UNTIL).unwrap_err().contains("`--course ID`"));
        assert!(Cli::try_parse_from(["quarantine", "t", "c"]).is_err(), "no end, no reason");
        assert!(Cli::try_parse_from(["quarantine", "t", "c", "--until", "2026-12-01", "--reason", " "]).is_err());
    }
}
