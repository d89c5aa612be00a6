//! `gradus test`: prove the checkpoints of courses or tasks.

mod live;
mod matrix;
mod survivor;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use clap::ValueEnum;

use super::address::Named;
use super::output::worst;
use super::subject::shown;
use super::target::{self, TargetError};
use super::trouble::{self, Trouble};
use super::{EXIT_FAIL, EXIT_PASS, EXIT_PROVISIONAL, EXIT_USAGE};
use crate::course::id::TaskId;
use crate::course::locate::{self, Home, Located};
use crate::course::task::API_VERSION;
use crate::course::{Course, CourseTask, lint};
use crate::grade::proof::cache::Cache;
use crate::grade::proof::{self, DRAWS, Finding, Proof, ProofList, ProofListKind, TrialResult};
use crate::review::words::count;
use crate::sandbox::{Sandbox, Strictness};
use crate::submission::shell::word;

/// Prove the checkpoints of courses or tasks: solutions pass, mutants fail where they must
///
/// Grades everything that comes with a task, with three draws of its parameters: the starter must score nothing, the
/// solution and every alternative everything, every mutant must fail exactly the checkpoints it names, and every
/// checkpoint must be failed by a mutant.
///
/// Exit code: 0 all proven, 1 something is not, 2 the call or a course is broken, 3 something could not be judged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories of courses or tasks, or ids of tasks; without any, all courses below `courses/`
    #[arg(value_name = "COURSE|TASK")]
    targets: Vec<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Tasks graded at the same time; as many as there are processors unless said otherwise
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Show the kill matrix of every task, not only of those with findings
    #[arg(long)]
    matrix: bool,
    /// Prove everything anew, and remember nothing
    #[arg(long)]
    no_cache: bool,
    /// Prove tasks in their environments: each submission is pushed and judged by what a real API server and Argo CD run,
    /// with one draw. Takes minutes; the parts are built at the first time
    #[arg(long, conflicts_with_all = ["format", "jobs", "no_cache"])]
    live: bool,
    /// With `--live`: so many API servers of learners' own at once, for tasks that need one; each takes 500 MB
    #[arg(long, value_name = "N", requires = "live", default_value = "2")]
    control_planes: NonZeroUsize,
    /// With `--live`: a server that tasks may ask by this name, as a Prometheus that watches the environments
    #[arg(long, value_name = "NAME=URL", requires = "live")]
    address: Vec<Named>,
}

/// How proofs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each proven task; the kill matrix and the findings of the others
    #[default]
    Text,
    /// A `ProofList`
    Json,
}

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let begun = Instant::now();
    let courses = match courses(&args.targets) {
        Ok(courses) => courses,
        Err(code) => return code,
    };
    if args.live {
        return run_live(&courses, args.control_planes, args.address, begun);
    }
    let sandbox = match Sandbox::this_program(Strictness::BestEffort) {
        Ok(sandbox) => sandbox,
        Err(error) => return trouble::fail(&error),
    };
    let cache = if args.no_cache { None } else { Cache::of_user() };
    let tasks: Vec<(&Course, &CourseTask)> = courses.iter().flat_map(Target::tasks).collect();
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let (proofs, remembered) = prove(&tasks, &sandbox, cache.as_ref(), jobs);
    match args.format {
        Format::Text => {
            for (proof, (course, task)) in proofs.iter().zip(&tasks) {
                let flag = || course_flag(&courses, course, &task.task.id);
                let help = |finding: &Finding| survivor::help(course, task, finding, flag);
                print!("{}", matrix::render(proof, args.matrix || proofs.len() == 1, help));
            }
            let red = proofs.iter().filter(|proof| !proof.is_green()).count();
            let known = if remembered > 0 { format!(", {remembered} unchanged since proven") } else { String::new() };
            let took = begun.elapsed().as_secs_f32();
            match red {
                0 => println!("All proven: {}{known} ({took:.1} s)", count(proofs.len(), "task")),
                n => println!("Not proven: {n} of {}{known} ({took:.1} s)", count(proofs.len(), "task")),
            }
        }
        Format::Json => {
            let list = ProofList {
                api_version: API_VERSION.to_owned(),
                kind: ProofListKind::ProofList,
                items: proofs.clone(),
            };
            match serde_json::to_string_pretty(&list) {
                Ok(text) => println!("{text}"),
                Err(error) => return trouble::fail(&error),
            }
        }
    }
    if let Some(gap) = sandbox.gap() {
        eprintln!("note: {gap}");
    }
    ExitCode::from(worst(proofs.iter().map(exit_code)))
}

/// What to do about tasks that are not proven in their environments.
const AFTER_LIVE: &str = "Why a checkpoint did not pass stands above, where its submission was judged: mend the checkpoint or its twin.\n\
    What passes and should not can be looked at in `gradus up --live`: push that submission there";

/// Proves what has an environment there.
fn run_live(targets: &[Target], planes: NonZeroUsize, addresses: Vec<Named>, begun: Instant) -> ExitCode {
    let live = |(_, task): &(&Course, &CourseTask)| task.task.environment.is_some();
    let tasks: Vec<(&Course, &CourseTask)> = targets.iter().flat_map(Target::tasks).filter(live).collect();
    if tasks.is_empty() {
        eprintln!("error: none of these tasks has an environment: leave `--live` out");
        return ExitCode::from(EXIT_USAGE);
    }
    let dirs = targets.iter().map(|target| target.dir.clone()).collect();
    let proofs = match live::prove(dirs, &tasks, planes, addresses) {
        Ok(proofs) => proofs,
        Err(error) => return trouble::fail(error.as_ref()),
    };
    for proof in &proofs {
        print!("{}", matrix::render(proof, true, |_| String::new()));
    }
    let (red, took) = (proofs.iter().filter(|proof| !proof.is_green()).count(), begun.elapsed().as_secs());
    match red {
        0 => println!("All proven in their environments: {} ({took} s)", count(proofs.len(), "task")),
        n => {
            println!("Not proven in their environments: {n} of {} ({took} s)", count(proofs.len(), "task"));
            println!("{AFTER_LIVE}");
        }
    }
    ExitCode::from(worst(proofs.iter().map(exit_code)))
}

/// What a command that names the task needs besides, to find the same course from this directory.
fn course_flag(targets: &[Target], course: &Course, task: &TaskId) -> String {
    let Some(target) = targets.iter().find(|target| std::ptr::eq(&target.course, course)) else { return String::new() };
    let found = locate::find(Path::new("."), None, Some(task));
    if found.is_ok_and(|found| found.home.path() == target.dir) {
        return String::new();
    }
    format!(" --course {}", word(&shown(&target.dir)))
}

fn exit_code(proof: &Proof) -> u8 {
    match (proof.is_green(), proof.is_provisional()) {
        (true, _) => EXIT_PASS,
        (false, true) => EXIT_PROVISIONAL,
        (false, false) => EXIT_FAIL,
    }
}

/// A course with the tasks that were asked for.
struct Target {
    dir: PathBuf,
    course: Course,
    /// None for all of them.
    only: Option<Vec<TaskId>>,
}

impl Target {
    fn tasks(&self) -> impl Iterator<Item = (&Course, &CourseTask)> {
        let asked = |task: &CourseTask| self.only.as_ref().is_none_or(|only| only.contains(&task.task.id));
        self.course.tasks_in_order().filter(move |task| asked(task)).map(|task| (&self.course, task))
    }
}

/// The courses that the arguments name, each once. Says what is wrong with all of them before it gives up.
fn courses(targets: &[PathBuf]) -> Result<Vec<Target>, ExitCode> {
    let mut found: BTreeMap<PathBuf, Target> = BTreeMap::new();
    let mut broken = false;
    let targets = target::targets(targets).map_err(|error| trouble::fail(&error))?;
    for target in targets {
        match target::locate(&target) {
            Ok(Located { course, home: Home::Course(dir), task, .. }) => {
                let new = || Target { dir: dir.clone(), course, only: Some(Vec::new()) };
                let entry = found.entry(dir.clone()).or_insert_with(new);
                match task {
                    Some(task) => entry.only.iter_mut().for_each(|only| only.push(task.clone())),
                    None => entry.only = None,
                }
            }
            Ok(Located { home: Home::Workspace(dir), .. }) => {
                let dir = dir.display();
                eprintln!(
                    "error: {dir} is a workspace, which has no solutions to prove anything with: name its course"
                );
                broken = true;
            }
            Err(TargetError::Locate(error)) => {
                Trouble::from(error).tell();
                broken = true;
            }
            Err(error) => {
                trouble::fail(&error);
                broken = true;
            }
        }
    }
    // A rule that does not compile is told at its line, not once per submission that it cannot judge.
    for (dir, target) in &found {
        let errors: Vec<_> = target.tasks().flat_map(|(course, task)| lint::task(course, task).errors).collect();
        if !errors.is_empty() {
            trouble::diagnostics("error", dir, target.course.files(), &errors);
            broken = true;
        }
    }
    if broken { Err(ExitCode::from(EXIT_USAGE)) } else { Ok(found.into_values().collect()) }
}

/// Proves the tasks, a draw at a time on each thread. Also tells how many proofs were remembered.
fn prove(
    tasks: &[(&Course, &CourseTask)],
    sandbox: &Sandbox,
    cache: Option<&Cache>,
    jobs: usize,
) -> (Vec<Proof>, usize) {
    let known: Vec<Option<Proof>> =
        tasks.iter().map(|(course, task)| cache.and_then(|cache| cache.get(course, task))).collect();
    let work: Vec<(usize, u32)> = (0..tasks.len())
        .filter(|index| known[*index].is_none())
        .flat_map(|index| (0..DRAWS).map(move |draw| (index, draw)))
        .collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<(usize, u32), TrialResult>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..jobs.min(work.len()) {
            scope.spawn(|| {
                while let Some((index, draw)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (course, task) = tasks[*index];
                    let trial = proof::trial(course, task, *draw, sandbox);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert((*index, *draw), trial);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let remembered = known.iter().flatten().count();
    let proofs = known.into_iter().zip(tasks).enumerate().map(|(index, (known, (course, task)))| {
        known.unwrap_or_else(|| {
            let trials: Vec<_> = (0..DRAWS).filter_map(|draw| done.remove(&(index, draw))).collect();
            let proof = proof::judge(&task.task, &trials);
            if let Some(error) = cache.and_then(|cache| cache.put(course, task, &proof).err()) {
                eprintln!("note: this proof is not remembered: {error}");
            }
            proof
        })
    });
    (proofs.collect(), remembered)
}
