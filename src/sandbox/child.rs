//! The child: gives its rights away, reads one request, judges, advises, answers, ends.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use super::confine::{Confined, ProcessLimits, Strictness, confine};
use super::evaluate::{Event, evaluate};
use super::probe;
use super::wire::{Frame, Request};

/// The hidden verb, followed by what [`Invocation::args`] writes.
pub const VERB: &str = "__evaluate";

/// Stack of the thread that evaluates, in bytes: CEL and YAML recurse, and 2 MiB is too little for what their limits
/// allow (`docs/sandbox.md`).
const STACK: usize = 32 << 20;

/// What the child is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Judge the request on standard input.
    Judge,
    /// Try what must not be possible, and tell.
    TestWalls,
}

/// How the child is called: all it is told before its walls stand, and nothing of it comes from a learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invocation {
    /// What it may use.
    pub limits: ProcessLimits,
    /// What to do where the kernel offers too little.
    pub strictness: Strictness,
    /// What to do.
    pub errand: Errand,
}

impl Invocation {
    /// As arguments after the program.
    pub fn args(&self) -> [String; 5] {
        let strictness = match self.strictness {
            Strictness::Required => "required",
            Strictness::BestEffort => "best-effort",
        };
        let errand = match self.errand {
            Errand::Judge => "judge",
            Errand::TestWalls => "test-walls",
        };
        let ProcessLimits { memory, cpu } = self.limits;
        [VERB.to_owned(), memory.to_string(), cpu.to_string(), strictness.to_owned(), errand.to_owned()]
    }

    fn parse(args: &[String]) -> Option<Self> {
        let [memory, cpu, strictness, errand] = args else { return None };
        let strictness = match strictness.as_str() {
            "required" => Strictness::Required,
            "best-effort" => Strictness::BestEffort,
            _ => return None,
        };
        let errand = match errand.as_str() {
            "judge" => Errand::Judge,
            "test-walls" => Errand::TestWalls,
            _ => return None,
        };
        let limits = ProcessLimits { memory: memory.parse().ok()?, cpu: cpu.parse().ok()? };
        Some(Self { limits, strictness, errand })
    }
}

/// Runs as the child when this process was called as one; to be asked before anything else happens.
pub fn run_if_called() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != VERB {
        return None;
    }
    let Some(invocation) = Invocation::parse(&args.collect::<Vec<_>>()) else {
        eprintln!("error: `{VERB}` is how gradus calls itself");
        return Some(ExitCode::from(2));
    };
    // The parent sees every end of a child; why standard output broke would be news to nobody.
    Some(run(invocation).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn run(invocation: Invocation) -> io::Result<()> {
    let confined = match confine(invocation.limits, invocation.strictness) {
        Ok(confined) => confined,
        Err(error) => return Frame::Refused(error.to_string()).write(&mut io::stdout()),
    };
    Frame::Ready(confined.walls()).write(&mut io::stdout())?;
    match invocation.errand {
        Errand::TestWalls => Frame::Holes(probe::holes()).write(&mut io::stdout()),
        Errand::Judge => {
            let judge = thread::Builder::new().stack_size(STACK).spawn(move || judge(confined))?;
            judge.join().unwrap_or_else(|_| Err(io::Error::other("the evaluator broke")))
        }
    }
}

fn judge(confined: Confined) -> io::Result<()> {
    let request = Request::read(confined, &mut io::stdin().lock())?;
    let mut out = io::stdout().lock();
    let mut told = Ok(());
    request.with_work(|work| {
        evaluate(work, |event| {
            let frame = match event {
                Event::Begun(index) => Frame::Begun(index),
                Event::Judged(index, judged) => Frame::Judged(index, judged),
                Event::Advised(advice) => Frame::Advised(advice),
            };
            if told.is_ok() {
                told = frame.write(&mut out);
            }
        });
    });
    told?;
    Frame::Finished.write(&mut out)?;
    out.flush()?;
    // Taking the trees apart is wasted time at the end of a process.
    std::process::exit(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_survives_the_command_line() {
        let limits = ProcessLimits { memory: 1 << 30, cpu: 60 };
        for strictness in [Strictness::Required, Strictness::BestEffort] {
            for errand in [Errand::Judge, Errand::TestWalls] {
                let invocation = Invocation { limits, strictness, errand };
                assert_eq!(Invocation::parse(&invocation.args()[1..]), Some(invocation));
            }
        }
        assert_eq!(Invocation::parse(&["1".into(), "1".into(), "anything".into(), "judge".into()]), None);
    }
}
