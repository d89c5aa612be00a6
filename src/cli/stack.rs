//! `gradus stack`: the real parts as plain processes on this machine.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::{EXIT_FAIL, EXIT_PASS, trouble};
use crate::stack::component::{self, BuildError, Component};
use crate::stack::state::{self, Phase};
use crate::stack::status::PartStatus;
use crate::stack::{
    Endpoints, Event, Health, Name, Optional, Part, Programs, Spec, Stack, Status, Stop, UpError, down, programs,
    status,
};

/// How many lines of a log are shown first.
const LINES: usize = 100;

/// Run the real parts on this machine: API server, Argo CD, Gitea
///
/// Plain processes on loopback, no containers. Pods are simulated: they are said to run, nothing of them does. A stack is
/// for trying and testing: whatever is in it is gone when it is ended.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Build the parts from the Go module proxy into the cache
    Build(Build),
    /// Start a stack; it runs on in the background
    Up(Up),
    /// Show how every part is
    Status(Which),
    /// Show the log of a part
    Logs(Logs),
    /// End a stack and remove all of it
    Down(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The stack's name: several can run side by side
    #[arg(long, value_name = "NAME", default_value = "default", env = "GRADUS_STACK_NAME")]
    name: Name,
    /// Where stacks are kept; by default `gradus/stacks` in your data directory
    #[arg(long, value_name = "DIR", env = "GRADUS_STACK_DATA")]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Build {
    /// Leave out what a stack without these parts does not need
    #[arg(long, value_name = "PART", value_enum, num_args = 1..)]
    without: Vec<Optional>,
}

#[derive(Debug, clap::Args)]
struct Up {
    #[command(flatten)]
    which: Which,
    /// Leave these parts out
    #[arg(long, value_name = "PART", value_enum, num_args = 1..)]
    without: Vec<Optional>,
}

#[derive(Debug, clap::Args)]
struct Logs {
    /// Which part
    #[arg(value_enum)]
    part: Part,
    #[command(flatten)]
    which: Which,
    /// Go on with what is written from now on
    #[arg(short, long)]
    follow: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the verb.
pub fn run(args: Args) -> ExitCode {
    let result = match args.verb {
        Verb::Build(args) => build(&args.without.into_iter().collect()),
        Verb::Up(args) => up(args),
        Verb::Status(which) => show(&which),
        Verb::Logs(args) => logs(&args),
        Verb::Down(which) => end(&which),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => trouble::fail(error.as_ref()),
    }
}

impl Which {
    fn spec(&self, without: BTreeSet<Optional>) -> Result<Spec, Failure> {
        let data = self.data.clone().or_else(|| Some(super::up::data_home()?.join("stacks")));
        let data = data.ok_or("there is no home directory: name a data directory with `--data DIR`")?;
        // Whoever is told a path has another working directory.
        Ok(Spec { name: self.name.clone(), data: std::path::absolute(data)?, without })
    }

    /// What to add to a command so that it means the same stack.
    fn flags(&self) -> String {
        let mut flags = String::new();
        if self.name.as_str() != "default" {
            let _ = write!(flags, " --name {}", self.name);
        }
        if let Some(data) = &self.data {
            let _ = write!(flags, " --data {}", data.display());
        }
        flags
    }
}

pub(super) fn cache() -> Result<PathBuf, Failure> {
    Ok(component::cache_of_user()
        .ok_or("there is no home directory: set GRADUS_CACHE to a directory for what is built")?)
}

fn build(without: &BTreeSet<Optional>) -> Result<u8, Failure> {
    let cache = cache()?;
    let (built, left): (Vec<Component>, Vec<Component>) =
        programs::components(without).into_iter().partition(|component| component.is_built(&cache));
    for component in built {
        println!("{:<18} already built: {}", component.title(), component.dir(&cache).display());
    }
    if !left.is_empty() {
        build_parts(&left, &cache)?;
        println!("Next: gradus stack up");
    }
    Ok(EXIT_PASS)
}

/// Builds parts one after the other, with the expected time and disk said first.
pub(super) fn build_parts(left: &[Component], cache: &std::path::Path) -> Result<(), Failure> {
    component::find_go()?;
    println!("{}", expectation(left));
    for (index, component) in left.iter().enumerate() {
        println!("{:<18} building, {} of {}", component.title(), index + 1, left.len());
        let begun = Instant::now();
        build_one(*component, cache)?;
        println!("{:<18} built in {} s", component.title(), begun.elapsed().as_secs());
    }
    Ok(())
}

/// What is going to be done, and what it takes.
fn expectation(left: &[Component]) -> String {
    let time: Duration = left.iter().map(|component| component.cost().time).sum();
    let disk: u64 = left.iter().map(|component| component.cost().disk).sum();
    let names: Vec<&str> = left.iter().map(|component| component.title()).collect();
    format!(
        "Building {} from the Go module proxy: about {} minutes on 2 cores, {:.1} GB of disk (mostly Go's own caches), 3 GB of \
         memory at most. What was built before in Go's caches is taken from there.",
        names.join(", "),
        time.as_secs().div_ceil(60),
        disk as f64 / 1000.0
    )
}

/// With the time so far on a terminal.
fn build_one(component: Component, cache: &std::path::Path) -> Result<(), BuildError> {
    let expected = component.cost().time.as_secs();
    let (done, over) = std::sync::mpsc::channel::<()>();
    let clock = io::stderr().is_terminal().then(|| {
        std::thread::spawn(move || {
            let begun = Instant::now();
            while over.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                eprint!("\r  {} s of about {expected} s ", begun.elapsed().as_secs());
            }
            eprint!("\r\x1b[K");
        })
    });
    // What the compiler says besides is of use only when it fails.
    let result = component.build(cache, &mut |line| {
        if let Some(done) = line.strip_prefix("   ").filter(|done| !done.starts_with("built")) {
            println!("{:<18} {done} is built", component.title());
        }
    });
    drop(done);
    if let Some(clock) = clock {
        let _ = clock.join();
    }
    result.map(drop)
}

fn up(args: Up) -> Result<u8, Failure> {
    let spec = args.which.spec(args.without.iter().copied().collect())?;
    let programs = Programs::find(&cache()?, &spec.without)?;
    println!("Starting the stack `{}`: about 15 s and 1.4 GB of memory", spec.name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stack = runtime.block_on(async {
        // Ctrl-C ends what was started so far.
        let (asked, stop) = (super::ending::asked()?, Stop::default());
        let begun = stop.clone();
        tokio::spawn(async move {
            asked.await;
            stop.now();
        });
        let up = tokio::task::spawn_blocking(move || Stack::up(&spec, &programs, &begun, &mut tell));
        up.await.map_err(Failure::from)?.map_err(Failure::from)
    });
    let stack = match stack {
        Ok(stack) => stack,
        Err(error) => {
            if error.downcast_ref().is_some_and(UpError::is_stopped) {
                eprintln!("stopped; what had been started is ended");
                return Ok(EXIT_FAIL);
            }
            return Err(error);
        }
    };
    print!("{}", summary(stack.endpoints(), &args.which.flags()));
    stack.detach();
    Ok(EXIT_PASS)
}

pub(super) fn tell(event: Event) {
    match event {
        Event::Cleaned(1) => println!("  ended 1 process of an earlier stack of this name"),
        Event::Cleaned(number) => println!("  ended {number} processes of an earlier stack of this name"),
        Event::Doing(what) => println!("  {what}"),
        Event::Started(_) => {}
        Event::Ready(part, after) => println!("  {part:<32} ready after {:.1} s", after.as_secs_f32()),
    }
    let _ = io::stdout().flush();
}

/// What listens where, and what to type.
fn summary(endpoints: &Endpoints, flags: &str) -> String {
    let mut text = format!("\nKubernetes  {}\n", endpoints.api);
    let _ = writeln!(text, "            export KUBECONFIG={}", endpoints.kubeconfig.display());
    let _ = writeln!(text, "            {} get namespaces", endpoints.kubectl.display());
    if let Some(argocd) = &endpoints.argocd {
        let _ =
            writeln!(text, "Argo CD     Applications in namespace {}; webhooks {}", argocd.namespace, argocd.webhook);
    }
    if let Some(gitea) = &endpoints.gitea {
        let token = gitea.token.display();
        let _ = writeln!(text, "Gitea       {}; user {}, token in {token}", gitea.address, gitea.user);
    }
    let _ = write!(
        text,
        "\nHow it is:    gradus stack status{flags}\nWhat it says: gradus stack logs{flags} PART\nTo end it:    gradus stack \
         down{flags}\n"
    );
    text
}

fn show(which: &Which) -> Result<u8, Failure> {
    let spec = which.spec(BTreeSet::new())?;
    let Some(status) = status(&spec)? else {
        println!("There is no stack `{}`: gradus stack up{}", spec.name, which.flags());
        return Ok(EXIT_FAIL);
    };
    print!("{}", table(&status, &which.flags()));
    Ok(if status.is_well() { EXIT_PASS } else { EXIT_FAIL })
}

fn table(status: &Status, flags: &str) -> String {
    let mut text = String::new();
    for PartStatus { part, health, pid, memory, address } in &status.parts {
        let (health, more) = match health {
            Health::Healthy => ("healthy", String::new()),
            Health::Unwell(why) => ("unwell", format!("  {why}")),
            Health::Dead => ("dead", format!("  gradus stack logs{flags} {part}")),
        };
        let memory = memory.map(|memory| format!("{memory} MiB")).unwrap_or_default();
        let _ = writeln!(text, "{part:<32} {health:<8} {pid:>8} {memory:>9}  {address}{more}");
    }
    let memory: u64 = status.parts.iter().filter_map(|part| part.memory).sum();
    let _ = match (status.phase, status.starter_lives) {
        (Phase::Up, _) if status.is_well() => writeln!(text, "All healthy, {memory} MiB"),
        (Phase::Up, _) => writeln!(text, "Not all is well; a fresh one: gradus stack down{flags}, then up"),
        (Phase::Starting, true) => writeln!(text, "Being started"),
        (Phase::Starting, false) => {
            writeln!(text, "Its start was cut off: `gradus stack up{flags}` or `down{flags}` ends what is left")
        }
        (Phase::Failed, _) => {
            writeln!(text, "It did not come up and nothing of it runs: gradus stack logs{flags} PART")
        }
    };
    text
}

fn logs(args: &Logs) -> Result<u8, Failure> {
    let spec = args.which.spec(BTreeSet::new())?;
    let path = state::log(&spec.dir(), args.part);
    let mut file = std::fs::File::open(&path).map_err(|error| {
        let (part, name, flags) = (args.part, &spec.name, args.which.flags());
        format!("there is no log of {part} in the stack `{name}` ({error}): see `gradus stack status{flags}`")
    })?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let mut out = io::stdout().lock();
    out.write_all(last(&text, LINES))?;
    out.flush()?;
    // Until Ctrl-C, or until the stack is gone.
    let mut at = text.len() as u64;
    while args.follow && path.exists() {
        std::thread::sleep(Duration::from_millis(200));
        file.seek(SeekFrom::Start(at))?;
        at += io::copy(&mut file, &mut out)?;
        out.flush()?;
    }
    Ok(EXIT_PASS)
}

/// The last lines.
fn last(text: &[u8], lines: usize) -> &[u8] {
    let ends = text.iter().enumerate().rev().filter(|(at, byte)| **byte == b'\n' && at + 1 < text.len());
    let start = ends.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or_default();
    &text[start..]
}

fn end(which: &Which) -> Result<u8, Failure> {
    let spec = which.spec(BTreeSet::new())?;
    match down(&spec)? {
        None => println!("There is no stack `{}`", spec.name),
        Some(ended) => println!("Ended the stack `{}`: {} processes, its directory is removed", spec.name, ended.all()),
    }
    Ok(EXIT_PASS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_first_what_it_takes() {
        let text = expectation(&[Component::Etcd, Component::Kubernetes]);
        assert!(text.starts_with("Building etcd 3.6.16, Kubernetes 1.35.4 from"), "{text}");
        assert!(text.contains("about 7 minutes") && text.contains("3.4 GB of disk"), "{text}");
    }

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last(b"a\nb\nc", 2), b"b\nc");
        assert_eq!(last(b"a\nb\n", 5), b"a\nb\n");
        assert_eq!(last(b"", 5), b"");
    }

    #[test]
    fn a_dead_part_is_shown_with_the_way_to_its_log() {
        let part = |part, health| PartStatus {
            part,
            health,
            pid: 17,
            memory: Some(50),
            address: "http://127.0.0.1:4711".to_owned(),
        };
        let endpoints = Endpoints {
            kubeconfig: "/k".into(),
            kubectl: "/kubectl".into(),
            api: "https://127.0.0.1:1".to_owned(),
            argocd: None,
            gitea: None,
        };
        let parts = vec![part(Part::Etcd, Health::Healthy), part(Part::Gitea, Health::Dead)];
        let status = Status { phase: Phase::Up, starter_lives: false, parts, endpoints };
        let text = table(&status, " --name two");
        assert!(text.contains("gradus stack logs --name two gitea"), "{text}");
        assert!(text.ends_with("Not all is well; a fresh one: gradus stack down --name two, then up\n"), "{text}");
    }
}
