//! `gradus regrade`: what the courses as they are now would change of what was graded; and change it.

mod heads;
mod text;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::gradebook::{Which, author};
use super::trouble::{Trouble, fail};
use super::up::{course_dirs, data_home};
use crate::config::kinds::GradebookConfig;
use crate::course::id::TaskId;
use crate::course::locate::LocateError;
use crate::forge::pull::Login;
use crate::gradebook::Gradebook;
use crate::gradebook::decision::kinds::{Instructor, Reason};
use crate::reconcile::regrade::{Losses, Regraded, Todo, newest};
use crate::store::Store;
use crate::store::time::{Clock, SystemClock};

/// Show or apply what the courses as they are now would change
///
/// The newest graded head of each learner and task, of those in open pull requests, is judged again with the courses given
/// here, without posting anything; as if no checkpoint were in quarantine. `--apply` has those pull requests graded again
/// whose result changed, behind what learners wait for, by the daemon once it serves exactly these courses. What somebody
/// reached stays: pull requests where somebody would lose are left alone unless `--accept-losses` says why.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("mode").required(true).args(["preview", "apply"])))]
pub struct Args {
    /// Only show
    #[arg(long)]
    preview: bool,
    /// Show, and have it graded again
    #[arg(long)]
    apply: bool,
    /// Only this task
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Only this learner, by id or login
    #[arg(long, value_name = "NAME")]
    learner: Option<String>,
    /// Apply lower scores too, and write this reason into the gradebook
    #[arg(long, value_name = "REASON", requires = "apply")]
    accept_losses: Option<Reason>,
    /// Your name in the gradebook; by default your name on this machine
    #[arg(long, value_name = "NAME", env = "GRADUS_AUTHOR")]
    author: Option<String>,
    /// Course directories; without any, all of `./courses`
    #[arg(long, value_name = "DIR", num_args = 1..)]
    course: Vec<PathBuf>,
    /// The daemon's data directory; by default that of `gradus up`
    #[arg(long, value_name = "DIR", env = "GRADUS_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(regrade(&args)) {
        Ok(()) => ExitCode::from(super::EXIT_PASS),
        // A broken course is shown with its lines.
        Err(error) => match error.downcast::<LocateError>() {
            Ok(error) => Trouble::from(*error).tell(),
            Err(error) => fail(error.as_ref()),
        },
    }
}

async fn regrade(args: &Args) -> Result<(), Failure> {
    let config = args.which.config()?;
    let (data, database) = match &config {
        Some(config) => (config.data.clone(), config.database()),
        None => {
            let data = args.data.clone().or_else(data_home).ok_or("there is no home directory: name `--data DIR`")?;
            (data.clone(), data.join("gradus.db"))
        }
    };
    if !database.is_file() {
        let remedy = "name its configuration with `--config FILE`, or its directory with `--data DIR`";
        return Err(format!("there is no database of a daemon at {}: {remedy}", database.display()).into());
    }
    let store = Store::open(&database).await?;
    // The daemon's own copy, unless another one is named: it pushes what is written there.
    let opened = (config.is_none() && args.which.named()).then(|| args.which.open()).transpose()?;
    let gradebook = match (&opened, config.as_ref().map(|config| &config.gradebook)) {
        (_, Some(GradebookConfig::Dir(dir))) => Arc::new(Gradebook::new(dir.clone())),
        (Some(opened), None) => opened.gradebook.clone(),
        _ => Arc::new(Gradebook::new(data.join("gradebook"))),
    };
    let ground = heads::Ground::open(&data, &course_dirs(args.course.clone())?, store.clone(), gradebook.clone())?;
    let found = ground.regrade(args.task.as_ref(), args.learner.as_deref()).await?;
    let regraded = newest(found.regraded);
    let losses = if args.accept_losses.is_some() { Losses::Accepted } else { Losses::Refused };
    let login = |one: &Regraded| {
        let book = gradebook.book(&one.learner).ok()?;
        book.login().map(|login| login.0.clone())
    };
    let mut out = std::io::stdout();
    // A reader that has seen enough is no error.
    let _ = out.write_all(text::render(&regraded, &found.left_out, losses, login).as_bytes());
    let now = SystemClock.now();
    for (_, spec) in gradebook.decisions()?.quarantines(now).filter(|(_, spec)| ground.serves(&spec.course)) {
        eprintln!(
            "note: `{}` of `{}` is in quarantine until {}: shown is what comes after it",
            spec.checkpoint, spec.task, spec.until
        );
    }
    if !args.apply {
        return Ok(());
    }
    let by = Instructor { id: None, login: Login(args.author.clone().unwrap_or_else(author)) };
    let (mut asked, mut revisions) = (0, BTreeSet::new());
    for one in regraded.iter().filter(|one| one.todo(losses) == Todo::Again) {
        if let Some(reason) = &args.accept_losses {
            // Before it is told, so that the review and the score agree.
            gradebook.decide(&one.losses(&*gradebook.book(&one.learner)?, &by, reason, now))?;
        }
        let course = &one.after.course;
        store.grade_with(&one.key, one.learner.as_str(), &one.head, &course.revision, now).await?;
        revisions.insert(format!("`{}` at `{}`", course.id, course.revision.short()));
        asked += 1;
    }
    if args.accept_losses.is_some() {
        gradebook.exchange()?;
    }
    store.close().await;
    let text = match asked {
        0 => "0 to be graded again.\n".to_owned(),
        _ => format!(
            "{asked} to be graded again, behind what learners wait for, once the daemon serves {}.\n",
            revisions.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    let _ = out.write_all(text.as_bytes());
    Ok(())
}
