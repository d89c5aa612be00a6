//! What the daemon counts, and how Prometheus reads it.
//!
//! The text format is a dozen lines to write; what is counted here lives as long as the process, what is measured of the
//! store is read when somebody asks ([`super::health`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::course::id::ForgeName;
use crate::forge::ErrorClass;
use crate::forge::pull::Workspace;
use crate::reconcile::live::Ending;

/// Upper bounds of the histogram of push → review in seconds: from what feels immediate to what nobody waits for.
const BOUNDS: [f64; 12] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// In the queue.
    Queued,
    /// About nothing of ours.
    Ignored,
    /// Its signature is not that of any secret.
    Unsigned,
    /// Too large, too slow, or no JSON.
    Malformed,
    /// Too much at once, or the store did not answer.
    Overload,
}

impl Delivery {
    fn word(self) -> &'static str {
        match self {
            Delivery::Queued => "queued",
            Delivery::Ignored => "ignored",
            Delivery::Unsigned => "unsigned",
            Delivery::Malformed => "malformed",
            Delivery::Overload => "overload",
        }
    }
}

/// How a head was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every graded task passed.
    Passed,
    /// Not every one did, or there was none.
    NotPassed,
    /// Something is still open.
    Provisional,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::NotPassed => "not_passed",
            Verdict::Provisional => "provisional",
        }
    }
}

#[derive(Debug, Default)]
struct Counted {
    deliveries: BTreeMap<(ForgeName, &'static str), u64>,
    verdicts: BTreeMap<(Workspace, &'static str), u64>,
    failures: BTreeMap<(Workspace, &'static str), u64>,
    waits: BTreeMap<Workspace, Histogram>,
    environments: BTreeMap<(Workspace, &'static str), Histogram>,
}

#[derive(Debug, Default, Clone)]
struct Histogram {
    /// How many were at most each bound.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn add(&mut self, wait: Duration) {
        let seconds = wait.as_secs_f64();
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
    }

    fn write(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        let mut bucket = |bound: &str, count: u64| {
            page.sample(&format!("{name}_bucket"), &[labels, &[("le", bound)]].concat(), count as f64);
        };
        for (bound, count) in BOUNDS.iter().zip(self.buckets) {
            bucket(&bound.to_string(), count);
        }
        bucket("+Inf", self.count);
        page.sample(&format!("{name}_sum"), labels, self.sum);
        page.sample(&format!("{name}_count"), labels, self.count as f64);
    }
}

/// Counters of this process.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counted>);

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Numbers only: a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A webhook came.
    pub fn delivered(&self, forge: &ForgeName, what: Delivery) {
        *self.lock().deliveries.entry((forge.clone(), what.word())).or_default() += 1;
    }

    /// A head was answered.
    pub fn answered(&self, workspace: &Workspace, verdict: Verdict) {
        *self.lock().verdicts.entry((workspace.clone(), verdict.word())).or_default() += 1;
    }

    /// So long after we first saw the head its review stood.
    pub fn waited(&self, workspace: &Workspace, wait: Duration) {
        self.lock().waits.entry(workspace.clone()).or_default().add(wait);
    }

    /// So long after a commit was offered to its environment the wait for it ended.
    pub fn environed(&self, workspace: &Workspace, ending: Ending, wait: Duration) {
        let word = match ending {
            Ending::Proven => "proven",
            Ending::Refused => "refused",
            Ending::Ours => "ours",
        };
        self.lock().environments.entry((workspace.clone(), word)).or_default().add(wait);
    }

    /// A forge did not do what it was asked.
    pub fn forge_failed(&self, workspace: &Workspace, class: ErrorClass) {
        let word = match class {
            ErrorClass::Retry => "retry",
            ErrorClass::Throttled(_) => "throttled",
            ErrorClass::Superseded => "superseded",
            ErrorClass::Permanent => "permanent",
            ErrorClass::Config => "config",
        };
        *self.lock().failures.entry((workspace.clone(), word)).or_default() += 1;
    }

    /// Writes all counters.
    pub fn write(&self, page: &mut Page) {
        let counted = self.lock();
        page.family("gradus_webhooks_total", Kind::Counter, "Webhooks by what became of them.");
        for ((forge, what), count) in &counted.deliveries {
            page.sample("gradus_webhooks_total", &[("forge", forge.as_str()), ("outcome", what)], *count as f64);
        }
        page.family("gradus_verdicts_total", Kind::Counter, "Heads that were answered, by verdict.");
        for ((workspace, what), count) in &counted.verdicts {
            page.sample("gradus_verdicts_total", &[("workspace", &workspace.0), ("verdict", what)], *count as f64);
        }
        page.family(
            "gradus_forge_errors_total",
            Kind::Counter,
            "Calls that a forge did not do, by what is done about it.",
        );
        for ((workspace, class), count) in &counted.failures {
            page.sample("gradus_forge_errors_total", &[("workspace", &workspace.0), ("class", class)], *count as f64);
        }
        let name = "gradus_push_to_review_seconds";
        page.family(name, Kind::Histogram, "From the first sight of a head to its review.");
        for (workspace, histogram) in &counted.waits {
            histogram.write(page, name, &[("workspace", workspace.0.as_str())]);
        }
        let name = "gradus_environment_wait_seconds";
        page.family(name, Kind::Histogram, "From the offer of a commit to the end of the wait for it to run.");
        for ((workspace, ending), histogram) in &counted.environments {
            histogram.write(page, name, &[("workspace", workspace.0.as_str()), ("ending", ending)]);
        }
    }
}

/// What a family of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bounds.
    Histogram,
}

/// A page in Prometheus' text format, version 0.0.4.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// What the format is called in `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number. Values of labels are escaped.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A family of one number.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    /// The page.
    pub fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_reads_as_prometheus_has_it() {
        let metrics = Metrics::default();
        let workspace = Workspace("git.example.org/acme/hello".into());
        metrics.delivered(&"git".parse().unwrap(), Delivery::Queued);
        metrics.delivered(&"git".parse().unwrap(), Delivery::Queued);
        metrics.answered(&workspace, Verdict::Passed);
        metrics.forge_failed(&workspace, ErrorClass::Config);
        metrics.waited(&workspace, Duration::from_millis(1500));
        metrics.waited(&workspace, Duration::from_secs(7200));
        metrics.environed(&workspace, Ending::Ours, Duration::from_secs(3));
        let mut page = Page::default();
        metrics.write(&mut page);
        let text = page.text();
        for line in [
            "# TYPE gradus_webhooks_total counter",
            "gradus_webhooks_total{forge=\"git\",outcome=\"queued\"} 2",
            "gradus_verdicts_total{workspace=\"git.example.org/acme/hello\",verdict=\"passed\"} 1",
            "gradus_forge_errors_total{workspace=\"git.example.org/acme/hello\",class=\"config\"} 1",
            "gradus_push_to_review_seconds_bucket{workspace=\"git.example.org/acme/hello\",le=\"1\"} 0",
            "gradus_push_to_review_seconds_bucket{workspace=\"git.example.org/acme/hello\",le=\"2\"} 1",
            "gradus_push_to_review_seconds_bucket{workspace=\"git.example.org/acme/hello\",le=\"3600\"} 1",
            "gradus_push_to_review_seconds_bucket{workspace=\"git.example.org/acme/hello\",le=\"+Inf\"} 2",
            "gradus_push_to_review_seconds_sum{workspace=\"git.example.org/acme/hello\"} 7201.5",
            "gradus_environment_wait_seconds_bucket{workspace=\"git.example.org/acme/hello\",ending=\"ours\",le=\"5\"} 1",
            "gradus_push_to_review_seconds_count{workspace=\"git.example.org/acme/hello\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let mut page = Page::default();
        page.sample("a", &[("b", "x\"} 1\n\\")], 2.0);
        assert_eq!(page.text(), "a{b=\"x\\\"} 1\\n\\\\\"} 2\n");
    }
}
