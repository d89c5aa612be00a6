//! From children that may die to answers for every checkpoint: what to run again, with how much, and when to give up. What
//! comes after the last answer is advice: nothing is run again for it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::child::{Errand, Invocation};
use super::confine::{ProcessLimits, Strictness, Walls};
use super::evaluate::MAX_TEXT;
use super::parent::{Death, Next, run};
use super::wire::{Frame, Outgoing};
use super::{Advising, Answers, Judged, Screening, Work};
use crate::checkpoint::outcome::Outcome;
use crate::checkpoint::{Checkpoint, Judgement};
use crate::course::id::CheckpointId;
use crate::submission::advice::{Advice, MAX_ADVICE};
use crate::submission::tree::Tree;

/// What judging one submission may take. Running into one of these is never the learner's fault (design §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall clock for one checkpoint: two hundred times what the slowest honest one takes.
    pub checkpoint: Duration,
    /// Wall clock until a child has read its input.
    pub start: Duration,
    /// Wall clock for all children of one submission.
    pub submission: Duration,
    /// Address space of a child in bytes. An honest one uses 60 MiB of memory; stacks and the allocator's arenas reserve
    /// several times that.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            checkpoint: Duration::from_secs(5),
            start: Duration::from_secs(10),
            submission: Duration::from_secs(60),
            memory: 1 << 30,
        }
    }
}

impl Limits {
    fn doubled(self) -> Self {
        Self { checkpoint: self.checkpoint * 2, start: self.start * 2, memory: self.memory * 2, ..self }
    }
}

/// Starts children of a program.
#[derive(Debug, Clone)]
pub struct Launcher {
    program: PathBuf,
    strictness: Strictness,
    limits: Limits,
    walls: Arc<OnceLock<Walls>>,
}

/// Nothing can be graded here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The child did not start or did not answer.
    #[error("the sandbox does not start: {0}")]
    Broken(String),
    /// The kernel offers too little.
    #[error("no grading here: {0}")]
    Refused(String),
    /// The walls stand and do not hold.
    #[error("no grading here: the sandbox leaks: {}", .0.join("; "))]
    Leaks(Vec<String>),
}

/// What one child left behind.
struct Run {
    answers: Vec<(usize, Judged)>,
    advice: Option<Vec<Advice>>,
    /// The checkpoint that was being judged when it died.
    in_flight: Option<usize>,
    end: Result<(), Death>,
}

impl Launcher {
    /// `program` is gradus itself.
    pub fn new(program: PathBuf, strictness: Strictness, limits: Limits) -> Self {
        Self { program, strictness, limits, walls: Arc::default() }
    }

    /// Which walls stood around the first child; none before there was one.
    pub fn walls(&self) -> Option<Walls> {
        self.walls.get().copied()
    }

    /// Starts a child that tries to get out. To be asked once, before anything is graded.
    pub fn check(&self) -> Result<Walls, Unusable> {
        let invocation = self.invocation(self.limits, Errand::TestWalls, 1);
        let mut holes = None;
        let end = run(&self.program, &invocation, std::iter::empty(), self.limits.start, |frame| match frame {
            Frame::Ready(walls) => self.ready(walls),
            Frame::Holes(found) => {
                holes = Some(found);
                Next::Enough
            }
            _ => Next::Unexpected,
        });
        match (end, self.walls()) {
            (Err(Death::Refused(why)), _) => Err(Unusable::Refused(why)),
            (Err(death), _) => Err(Unusable::Broken(words(&death))),
            (Ok(()), None) => Err(Unusable::Broken("it did not say which walls stand".to_owned())),
            (Ok(()), Some(walls)) => match holes {
                // Without seccomp some of it is possible by design, and said so in `walls`.
                Some(holes) if !holes.is_empty() && walls.gap().is_none() => Err(Unusable::Leaks(holes)),
                _ => Ok(walls),
            },
        }
    }

    /// Judges every checkpoint of the work that its dependencies leave open, then gives advice where it is wanted.
    pub fn judge(&self, work: &Work<'_>) -> Answers {
        let deadline = Instant::now() + self.limits.submission;
        let mut answers: BTreeMap<CheckpointId, Judged> = BTreeMap::new();
        let mut stumbled = false;
        loop {
            let rest = remaining(work.checkpoints, &answers);
            // With nothing left to judge, the last checkpoint took the child with it that was to give advice.
            if rest.is_empty() && work.advising == Advising::Off {
                return without_advice(answers);
            }
            let (limits, screening) = match stumbled {
                true => (self.limits.doubled(), Screening::Off),
                false => (self.limits, work.screening),
            };
            let run = self.run(&Work { screening, ..work.clone() }, &rest, limits, deadline);
            answers.extend(run.answers.into_iter().map(|(index, judged)| (rest[index].id.clone(), judged)));
            if run.in_flight.is_none() && remaining(work.checkpoints, &answers).is_empty() {
                // All is judged. However the child ended, it cannot cost more than its advice.
                return Answers { judged: answers, advice: run.advice.unwrap_or_default() };
            }
            let Err(death) = run.end else {
                // Finished without these: the child left out what it should not have.
                return gave_up(work, answers, &Judgement::error("the sandbox left it out"));
            };
            match (death, run.in_flight) {
                (Death::Refused(why) | Death::NotStarted(why), _) => {
                    return gave_up(work, answers, &Judgement::inconclusive(format!("it could not be judged: {why}")));
                }
                _ if Instant::now() >= deadline => {
                    let seconds = self.limits.submission.as_secs();
                    let why = format!("the {seconds} s that judging one submission may take were used up");
                    return gave_up(work, answers, &Judgement::inconclusive(why));
                }
                (death, Some(index)) => {
                    let answer = self.alone(work, &rest[index], &death, deadline);
                    answers.insert(rest[index].id.clone(), answer);
                }
                // Nothing was in flight: the input itself is too much, or going through its objects. Once more with double
                // limits and without the latter, then no more.
                (_, None) if !stumbled => stumbled = true,
                (death, None) => {
                    let why = format!("the submission could not be read within the limits: {}", words(&death));
                    return gave_up(work, answers, &Judgement::error(why));
                }
            }
        }
    }

    /// The second try of a checkpoint that took its child with it.
    fn alone(&self, work: &Work<'_>, checkpoint: &Checkpoint, first: &Death, deadline: Instant) -> Judged {
        let mut checkpoint = checkpoint.clone();
        checkpoint.depends_on.clear();
        let work = Work { screening: Screening::Off, advising: Advising::Off, ..work.clone() };
        let mut run = self.run(&work, &[Cow::Owned(checkpoint)], self.limits.doubled(), deadline);
        match (run.answers.pop(), run.end) {
            (Some((_, judged)), _) => judged,
            (None, Err(second)) => judged(Judgement::error(format!(
                "judging this failed twice, the second time alone and with double limits: {}, then {}",
                words(first),
                words(&second)
            ))),
            (None, Ok(())) => judged(Judgement::error("the sandbox left it out")),
        }
    }

    fn run(&self, work: &Work<'_>, checkpoints: &[Cow<'_, Checkpoint>], limits: Limits, deadline: Instant) -> Run {
        let list: Vec<&Checkpoint> = checkpoints.iter().map(AsRef::as_ref).collect();
        let outgoing = Outgoing::new(&Work { checkpoints: &list, ..work.clone() });
        let invocation = self.invocation(limits, Errand::Judge, list.len());
        let within = |time: Duration| time.min(deadline.saturating_duration_since(Instant::now()));
        let mut answers = Vec::new();
        let mut advice = None;
        let mut in_flight = None;
        let mut next = 0;
        let end = run(&self.program, &invocation, outgoing.pieces(), within(limits.start), |frame| match frame {
            Frame::Ready(walls) => {
                self.ready(walls);
                Next::Within(within(limits.start))
            }
            // Positions only grow, so no answer can be taken back.
            Frame::Begun(index) if in_flight.is_none() && advice.is_none() && (next..list.len()).contains(&index) => {
                in_flight = Some(index);
                next = index + 1;
                Next::Within(within(limits.checkpoint))
            }
            Frame::Judged(index, judged) if in_flight == Some(index) => {
                in_flight = None;
                answers.push((index, judged));
                Next::Within(within(limits.start))
            }
            Frame::Advised(found)
                if in_flight.is_none()
                    && advice.is_none()
                    && work.advising == Advising::On
                    && fits(&found, work.files) =>
            {
                advice = Some(found);
                Next::Within(within(limits.start))
            }
            Frame::Finished if in_flight.is_none() => Next::Enough,
            _ => Next::Unexpected,
        });
        Run { answers, advice, in_flight, end }
    }

    fn ready(&self, walls: Walls) -> Next {
        // The first child speaks for all: the kernel does not change.
        let _ = self.walls.set(walls);
        Next::Within(self.limits.start)
    }

    fn invocation(&self, limits: Limits, errand: Errand, checkpoints: usize) -> Invocation {
        let each = limits.checkpoint.as_secs() + 1;
        let cpu = limits.start.as_secs() + each * u64::try_from(checkpoints).unwrap_or(u64::MAX / each / 2);
        Invocation { limits: ProcessLimits { memory: limits.memory, cpu }, strictness: self.strictness, errand }
    }
}

/// The checkpoints that are still to be judged, without dependencies that are met. What a failed one blocks is left out.
fn remaining<'a>(checkpoints: &[&'a Checkpoint], answers: &BTreeMap<CheckpointId, Judged>) -> Vec<Cow<'a, Checkpoint>> {
    let passed = |id: &CheckpointId| answers.get(id).is_some_and(|a| a.judgement.outcome == Outcome::Pass);
    let mut open: BTreeSet<&CheckpointId> = BTreeSet::new();
    let mut rest = Vec::new();
    for checkpoint in checkpoints.iter().copied() {
        if answers.contains_key(&checkpoint.id) {
            continue;
        }
        if !checkpoint.depends_on.iter().all(|id| passed(id) || open.contains(id)) {
            continue;
        }
        open.insert(&checkpoint.id);
        if checkpoint.depends_on.iter().any(passed) {
            let mut pruned = checkpoint.clone();
            pruned.depends_on.retain(|id| !passed(id));
            rest.push(Cow::Owned(pruned));
        } else {
            rest.push(Cow::Borrowed(checkpoint));
        }
    }
    rest
}

fn gave_up(work: &Work<'_>, mut answers: BTreeMap<CheckpointId, Judged>, judgement: &Judgement) -> Answers {
    for checkpoint in remaining(work.checkpoints, &answers) {
        answers.insert(checkpoint.id.clone(), judged(judgement.clone()));
    }
    without_advice(answers)
}

fn without_advice(judged: BTreeMap<CheckpointId, Judged>) -> Answers {
    Answers { judged, advice: Vec::new() }
}

/// Whether a healthy child could have said it: few and short pieces, each about a file that is there.
fn fits(advice: &[Advice], files: &Tree) -> bool {
    let piece_fits = |Advice { message, place }: &Advice| {
        let of_file = place.file.as_deref().is_some_and(|path| files.file(path).is_some());
        // Clipping adds a sign of it.
        of_file && place.pointer.is_none() && message.len() <= MAX_TEXT + '…'.len_utf8()
    };
    advice.len() <= MAX_ADVICE && advice.iter().all(piece_fits)
}

fn judged(judgement: Judgement) -> Judged {
    Judged { judgement, trace: Vec::new() }
}

fn words(death: &Death) -> String {
    match death {
        Death::TimedOut(after) => format!("it did not end within {} s", after.as_secs_f32().ceil()),
        Death::Ended(why) | Death::Nonsense(why) | Death::Refused(why) | Death::NotStarted(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::testing::checkpoint;

    #[test]
    fn after_a_death_the_rest_goes_on_without_what_is_answered_or_blocked() {
        let all = [
            checkpoint("a", 1, &[]),
            checkpoint("b", 1, &["a"]),
            checkpoint("c", 1, &[]),
            checkpoint("d", 1, &["a", "b"]),
            checkpoint("e", 1, &["c"]),
            checkpoint("f", 1, &["e"]),
        ];
        let list: Vec<&Checkpoint> = all.iter().collect();
        let answers = BTreeMap::from([
            ("a".parse().unwrap(), judged(Judgement::pass())),
            ("c".parse().unwrap(), judged(Judgement::error("broke"))),
        ]);
        let rest: Vec<_> = remaining(&list, &answers)
            .iter()
            .map(|c| (c.id.to_string(), c.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>()))
            .collect();
        assert_eq!(rest, [("b".to_owned(), vec![]), ("d".to_owned(), vec!["b".to_owned()])]);
    }

    #[test]
    fn a_program_that_is_not_there_makes_everything_inconclusive_and_nothing_a_failure() {
        let launcher = Launcher::new("/nowhere/gradus".into(), Strictness::BestEffort, Limits::default());
        let (tree, values) = (crate::submission::tree::Tree::default(), crate::course::values::Values::new());
        let all = [checkpoint("a", 1, &[]), checkpoint("b", 1, &["a"])];
        let list: Vec<&Checkpoint> = all.iter().collect();
        let answers = launcher.judge(&Work {
            checkpoints: &list,
            files: &tree,
            base: &tree,
            hidden: None,
            params: &values,
            history: None,
            environs: None,
            prefix: "tasks/x/",
            dialect: crate::submission::yaml::Dialect::Kubectl,
            tracing: super::super::Tracing::Off,
            screening: Screening::On,
            advising: Advising::On,
        });
        let answers = answers.judged;
        assert!(answers.values().all(|a| a.judgement.outcome == Outcome::Inconclusive) && answers.len() == 2);
        assert!(matches!(launcher.check(), Err(Unusable::Broken(_))));
    }
}
