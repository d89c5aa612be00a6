//! What one go did: lines for a log, annotations beside it, and a step's summary.
//!
//! Everybody who can read the workspace can read these. They hold numbers, commits and the words of our own status, never
//! anything that a learner or a course's author wrote.

use std::fmt::Write as _;
use std::time::Duration;

use super::annotation::{Level, command};
use crate::checkpoint::evidence::Place;
use crate::reconcile::once::{Done, Outcome, Why};
use crate::review::safe;

/// Longest sentence about a pull request in characters; a status has at most 140.
const MAX_SENTENCE: usize = 300;

/// One line for each pull request, and one about all.
pub fn lines(outcomes: &[Outcome], took: Duration) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let head = outcome.head.as_ref().map_or("", |head| head.short());
        let _ = writeln!(text, "#{:<5} {head:<8} {}", outcome.number, safe::plain(&sentence(outcome), MAX_SENTENCE));
    }
    let left = outcomes.iter().filter(|outcome| left(outcome).is_some()).count();
    let answered = outcomes.iter().filter(|outcome| outcome.done == Done::Answered).count();
    let many = if outcomes.len() == 1 { "" } else { "s" };
    let _ = writeln!(
        text,
        "{} pull request{many}: {answered} answered, {left} left; {:.1} s",
        outcomes.len(),
        took.as_secs_f64()
    );
    text
}

/// An error for what is left, a notice for what was answered. GitHub shows ten of each.
pub fn annotations(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let level = match outcome.done {
            Done::Left(_) | Done::Gone => Level::Error,
            Done::Answered => Level::Notice,
            Done::Standing | Done::Closed => continue,
        };
        text += &command(level, &Place::default(), &format!("#{}", outcome.number), &sentence(outcome));
    }
    text
}

/// Markdown for `GITHUB_STEP_SUMMARY`. `pulls` is the address below which pull requests have their pages.
pub fn summary(outcomes: &[Outcome], pulls: &str, took: Duration) -> String {
    let mut text = String::from("### Gradus\n\n");
    if outcomes.is_empty() {
        text += "No pull request was due.\n";
        return text;
    }
    for outcome in outcomes {
        let head = outcome.head.as_ref().map_or_else(String::new, |head| format!(" `{}`", head.short()));
        let (number, what) = (outcome.number, safe::md(&safe::plain(&sentence(outcome), MAX_SENTENCE)));
        let _ = writeln!(text, "- [#{number}]({pulls}/{number}){head} {what}");
    }
    let _ = writeln!(text, "\n{:.1} s", took.as_secs_f64());
    text
}

/// What somebody still waits for; none when everything is answered.
pub fn left(outcome: &Outcome) -> Option<String> {
    match outcome.done {
        Done::Left(Why::Room(at)) => {
            Some(format!("left: GitHub takes no more writes before {at}; the next run goes on"))
        }
        Done::Left(Why::Failed(times)) => {
            let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
            Some(format!("left: it failed {times}, the log says why; the next run tries again"))
        }
        Done::Left(Why::Provisional) => {
            Some("left: something could not be judged yet; the next run tries again".to_owned())
        }
        Done::Left(Why::Time) => Some("left: the time was over; the next run goes on".to_owned()),
        Done::Gone => Some("there is no such pull request".to_owned()),
        Done::Answered | Done::Standing | Done::Closed => None,
    }
}

fn sentence(outcome: &Outcome) -> String {
    let done = match outcome.done {
        Done::Answered => "answered".to_owned(),
        Done::Standing => "nothing new".to_owned(),
        Done::Closed => "closed: gets nothing".to_owned(),
        Done::Left(_) | Done::Gone => return left(outcome).unwrap_or_default(),
    };
    let said = outcome.said.iter().map(|said| format!(": {said}"));
    let replied = outcome.replied.then(|| "; a command was answered".to_owned());
    [done].into_iter().chain(said).chain(replied).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::pull::PullNumber;
    use crate::store::time::Time;

    fn outcome(number: i64, done: Done, said: Option<&str>) -> Outcome {
        Outcome {
            number: PullNumber(number),
            head: Some("a".repeat(40).parse().unwrap()),
            done,
            said: said.map(str::to_owned),
            replied: number == 2,
        }
    }

    fn all() -> Vec<Outcome> {
        vec![
            outcome(1, Done::Answered, Some("Not yet: 7 of 12 points")),
            outcome(2, Done::Standing, None),
            outcome(3, Done::Left(Why::Room(Time(0))), None),
            outcome(4, Done::Left(Why::Failed(2)), None),
            outcome(5, Done::Closed, None),
        ]
    }

    #[test]
    fn a_log_says_what_became_of_each() {
        insta::assert_snapshot!(lines(&all(), Duration::from_millis(1234)), @r"
        #1     aaaaaaa  answered: Not yet: 7 of 12 points
        #2     aaaaaaa  nothing new; a command was answered
        #3     aaaaaaa  left: GitHub takes no more writes before 1970-01-01 00:00:00 UTC; the next run goes on
        #4     aaaaaaa  left: it failed 2 times, the log says why; the next run tries again
        #5     aaaaaaa  closed: gets nothing
        5 pull requests: 1 answered, 2 left; 1.2 s
        ");
    }

    #[test]
    fn what_is_left_is_an_error_and_what_was_answered_a_notice() {
        insta::assert_snapshot!(annotations(&all()), @r"
        ::notice title=#1::answered: Not yet: 7 of 12 points
        ::error title=#3::left: GitHub takes no more writes before 1970-01-01 00:00:00 UTC; the next run goes on
        ::error title=#4::left: it failed 2 times, the log says why; the next run tries again
        ");
    }

    #[test]
    fn a_summary_links_to_each_pull_request() {
        let text = summary(&all()[..2], "https://github.com/acme/cnpe/pull", Duration::from_millis(1234));
        insta::assert_snapshot!(text, @r"
        ### Gradus

        - [#1](https://github.com/acme/cnpe/pull/1) `aaaaaaa` answered: Not yet: 7 of 12 points
        - [#2](https://github.com/acme/cnpe/pull/2) `aaaaaaa` nothing new; a command was answered

        1.2 s
        ");
        assert!(summary(&[], "x", Duration::ZERO).contains("No pull request was due"));
    }

    #[test]
    fn a_word_in_a_status_cannot_break_out_of_its_line() {
        let hostile = [outcome(1, Done::Answered, Some("a\n::error::c @all <script>"))];
        let (log, text) = (lines(&hostile, Duration::ZERO), summary(&hostile, "p", Duration::ZERO));
        assert!(!text.contains("<script>") && !text.contains("\n::"), "{text}");
        assert_eq!((log.lines().count(), annotations(&hostile).lines().count()), (2, 1), "{log}");
    }
}
