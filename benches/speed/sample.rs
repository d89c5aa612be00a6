//! Measuring: repeated runs, medians, the operating system's own account of a process.

use std::process::Command;
use std::time::{Duration, Instant};

/// Prints what the figures were measured on.
pub fn machine() {
    let output = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).output();
        out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown processor");
    println!(
        "Measured {} on {cores} cores of {cpu}, {}, by `make bench`.\n",
        output("date", &["+%F"]),
        output("rustc", &["--version"])
    );
}

/// Durations of repeated runs, shortest first.
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Runs `work` once to warm up and then `runs` times.
    pub fn of(runs: usize, mut work: impl FnMut()) -> Self {
        work();
        let time = |work: &mut dyn FnMut()| {
            let began = Instant::now();
            work();
            began.elapsed()
        };
        Self::from((0..runs).map(|_| time(&mut work)).collect::<Vec<_>>())
    }

    /// The value below which `percent` of the runs lie.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
    }

    /// `median (fastest – slowest)` in milliseconds.
    pub fn show(&self) -> String {
        format!("{} ({} – {})", ms(self.percentile(50)), ms(self.percentile(0)), ms(self.percentile(100)))
    }
}

impl From<Vec<Duration>> for Sample {
    fn from(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }
}

/// Milliseconds with as many digits as mean something.
pub fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

/// Largest resident set in MiB of one run of a command, its waited-for children included one by one: GNU time's `%M`.
/// None where GNU time is not installed.
pub fn peak_mib(command: &Command) -> Option<u64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        timed.current_dir(dir);
    }
    let out = timed.output().ok()?;
    let text = String::from_utf8_lossy(&out.stderr);
    text.lines().last()?.trim().parse::<u64>().ok().map(|kib| kib.div_ceil(1024))
}
