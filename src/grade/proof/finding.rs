//! What is wrong with a task, in words that say what to do.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entry, Trial};
use crate::checkpoint::outcome::Outcome;
use crate::course::id::CheckpointId;
use crate::course::values::Values;

/// A problem with the draws that show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
    /// Numbers of the draws that show it, from 0; empty when all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_draws: Vec<u32>,
    /// The values of the first of these draws; empty when all draws show it.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "problem", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Problem {
    /// The task cannot be drawn.
    Broken {
        /// Diagnostics of the course.
        problems: Vec<String>,
    },
    /// No mutant makes the checkpoint fail: nobody knows whether it can.
    Unkilled {
        /// Which one.
        checkpoint: CheckpointId,
    },
    /// A mutant does not fail exactly what it says.
    Mutant {
        /// Which one.
        name: String,
        /// Declared, and did not fail.
        survived: BTreeSet<CheckpointId>,
        /// Failed, and not declared.
        elsewhere: BTreeSet<CheckpointId>,
    },
    /// The solution or an alternative does not score everything.
    LostPoints {
        /// Which one.
        entry: Entry,
        /// Where.
        checkpoint: CheckpointId,
        /// `fail` or `blocked`.
        outcome: Outcome,
        /// What it says.
        message: String,
    },
    /// The untouched workspace satisfies a checkpoint that depends on none that it does not satisfy.
    GuardAlone {
        /// Which one.
        checkpoint: CheckpointId,
    },
    /// The untouched workspace gets a share of the points.
    StarterScored {
        /// Where.
        checkpoint: CheckpointId,
        /// Points reached.
        score: u32,
        /// Points it is worth.
        points: u32,
    },
    /// A checkpoint was not judged where everything is at hand.
    NotJudged {
        /// Which one.
        checkpoint: CheckpointId,
        /// `notRun`, `inconclusive` or `error`.
        outcome: Outcome,
        /// Why.
        message: String,
        /// On which submissions.
        entries: Vec<Entry>,
    },
}

impl Finding {
    /// A problem that one trial shows.
    pub(super) fn new(problem: Problem, trial: &Trial) -> Self {
        Self { problem, only_draws: vec![trial.number], values: trial.values.clone() }
    }

    /// A task that cannot be drawn.
    pub(super) fn broken(number: u32, problems: Vec<String>) -> Self {
        Self { problem: Problem::Broken { problems }, only_draws: vec![number], values: Values::new() }
    }

    /// Adds a finding, or its draw to one that says the same.
    pub(super) fn merge(findings: &mut Vec<Finding>, new: Finding) {
        match findings.iter_mut().find(|known| known.problem.same(&new.problem)) {
            Some(known) => known.only_draws.extend(new.only_draws),
            None => findings.push(new),
        }
    }

    /// Forgets the draws when all of those tried show it.
    pub(super) fn settle(&mut self, tried: u32) {
        if u32::try_from(self.only_draws.len()) == Ok(tried) {
            self.only_draws.clear();
            self.values.clear();
        }
    }
}

impl Problem {
    /// The same but for messages, which may hold drawn values.
    fn same(&self, other: &Problem) -> bool {
        let bare = |problem: &Problem| {
            let mut problem = problem.clone();
            match &mut problem {
                Problem::LostPoints { message, .. } | Problem::NotJudged { message, .. } => message.clear(),
                _ => {}
            }
            problem
        };
        bare(self) == bare(other)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        if self.only_draws.is_empty() {
            return Ok(());
        }
        let draws: Vec<_> = self.only_draws.iter().map(ToString::to_string).collect();
        let word = if draws.len() == 1 { "draw" } else { "draws" };
        write!(f, "; only with {word} {}", draws.join(", "))?;
        let values: Vec<_> = self.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !values.is_empty() {
            write!(f, " ({})", values.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &BTreeSet<CheckpointId>| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
        match self {
            Problem::Broken { problems } => write!(f, "the task cannot be drawn: {}", problems.join("; ")),
            Problem::Unkilled { checkpoint } => {
                write!(f, "nothing kills `{checkpoint}`: write a mutant that it must fail on")
            }
            Problem::Mutant { name, survived, elsewhere } if elsewhere.is_empty() => {
                write!(f, "mutant `{name}` survives: {} should fail and did not", list(survived))
            }
            Problem::Mutant { name, survived, elsewhere } if survived.is_empty() => {
                write!(
                    f,
                    "mutant `{name}` also fails {}: name it in `fails`, or make the edit smaller",
                    list(elsewhere)
                )
            }
            Problem::Mutant { name, survived, elsewhere } => {
                write!(f, "mutant `{name}` fails {} instead of {}", list(elsewhere), list(survived))
            }
            Problem::LostPoints { entry, checkpoint, outcome, message } => {
                let what = if *outcome == Outcome::Blocked { "is blocked at" } else { "fails" };
                write!(f, "{entry} {what} `{checkpoint}`: {message}")
            }
            Problem::GuardAlone { checkpoint } => write!(
                f,
                "the starter satisfies `{checkpoint}`: let it depend (`dependsOn`) on a checkpoint that the starter does not satisfy"
            ),
            Problem::StarterScored { checkpoint, score, points } => {
                write!(f, "the starter scores {score} of {points} on `{checkpoint}`: it must score nothing")
            }
            Problem::NotJudged { checkpoint, outcome, message, entries } => {
                let on = match entries.as_slice() {
                    [one] => one.to_string(),
                    several => format!("{} submissions", several.len()),
                };
                write!(f, "`{checkpoint}` is {} on {on}: {message}", outcome.word())
            }
        }
    }
}
