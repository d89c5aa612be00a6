//! In which order checkpoints are judged, and what their dependencies make of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::outcome::Outcome;
use crate::checkpoint::{Checkpoint, Judgement};
use crate::course::id::CheckpointId;

/// The checkpoints of a task, each after those it depends on; otherwise in the order of the task.
#[derive(Debug)]
pub struct Plan<'a> {
    order: Vec<&'a Checkpoint>,
    broken: Vec<(&'a Checkpoint, String)>,
}

/// What became of a checkpoint once its dependencies have had their say.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Judged on its own.
    Judged(Judgement),
    /// Not judged: these root causes stand in the way.
    Blocked(Vec<CheckpointId>),
}

impl Standing {
    fn outcome(&self) -> Outcome {
        match self {
            Standing::Judged(judgement) => judgement.outcome,
            Standing::Blocked(_) => Outcome::Blocked,
        }
    }
}

impl<'a> Plan<'a> {
    /// Loading a course refuses unknown dependencies and cycles; should one get here, it is an `error` of these
    /// checkpoints and of nothing else.
    pub fn new(checkpoints: &'a [Checkpoint]) -> Self {
        let ids: BTreeSet<&CheckpointId> = checkpoints.iter().map(|c| &c.id).collect();
        let mut plan = Plan { order: Vec::with_capacity(checkpoints.len()), broken: Vec::new() };
        let mut placed: BTreeSet<&CheckpointId> = BTreeSet::new();
        let mut waiting: Vec<&Checkpoint> = Vec::new();
        for checkpoint in checkpoints {
            match checkpoint.depends_on.iter().find(|id| !ids.contains(id)) {
                Some(missing) => {
                    let why = format!("it depends on `{missing}`, which the task does not have");
                    plan.broken.push((checkpoint, why));
                    placed.insert(&checkpoint.id);
                }
                None => waiting.push(checkpoint),
            }
        }
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|c| c.depends_on.iter().all(|id| placed.contains(id)));
            let Some(ready) = ready else {
                plan.broken.extend(waiting.drain(..).map(|c| (c, "its dependencies run in a circle".to_owned())));
                break;
            };
            let checkpoint = waiting.remove(ready);
            placed.insert(&checkpoint.id);
            plan.order.push(checkpoint);
        }
        plan
    }

    /// What can be judged, dependencies first.
    pub fn order(&self) -> &[&'a Checkpoint] {
        &self.order
    }

    /// Joins what was judged with what follows from dependencies. A checkpoint without a judgement that nothing stands in
    /// the way of could not be judged.
    pub fn standings(&self, mut judged: BTreeMap<CheckpointId, Judgement>) -> BTreeMap<&'a CheckpointId, Standing> {
        let mut standings: BTreeMap<&CheckpointId, Standing> = BTreeMap::new();
        for (checkpoint, why) in &self.broken {
            let judgement = Judgement::error(format!("this checkpoint cannot be judged: {why}"));
            standings.insert(&checkpoint.id, Standing::Judged(judgement));
        }
        for checkpoint in &self.order {
            let standing = inherited(checkpoint, &standings).unwrap_or_else(|| {
                let judgement = judged.remove(&checkpoint.id);
                Standing::Judged(judgement.unwrap_or_else(|| Judgement::inconclusive("it was not judged")))
            });
            standings.insert(&checkpoint.id, standing);
        }
        standings
    }
}

/// What the dependencies decide: a failed one blocks whatever the others say, since it costs points in any case.
fn inherited(checkpoint: &Checkpoint, standings: &BTreeMap<&CheckpointId, Standing>) -> Option<Standing> {
    let mut roots: Vec<CheckpointId> = Vec::new();
    let mut unjudged: Option<&CheckpointId> = None;
    let mut not_run: Option<&CheckpointId> = None;
    for id in &checkpoint.depends_on {
        let Some(standing) = standings.get(id) else { continue };
        match standing.outcome() {
            Outcome::Pass => {}
            Outcome::Fail => roots.push(id.clone()),
            Outcome::Blocked => {
                if let Standing::Blocked(causes) = standing {
                    roots.extend(causes.iter().cloned());
                }
            }
            Outcome::Inconclusive | Outcome::Error => unjudged = unjudged.or(Some(id)),
            Outcome::NotRun => not_run = not_run.or(Some(id)),
        }
    }
    if !roots.is_empty() {
        let mut seen = BTreeSet::new();
        roots.retain(|id| seen.insert(id.clone()));
        return Some(Standing::Blocked(roots));
    }
    if let Some(id) = unjudged {
        let why = format!("it builds on `{id}`, which could not be judged");
        return Some(Standing::Judged(Judgement::inconclusive(why)));
    }
    let id = not_run?;
    Some(Standing::Judged(Judgement::not_run(format!("it builds on `{id}`, which is not judged here"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grade::testing::checkpoint;

    fn order(checkpoints: &[Checkpoint]) -> Vec<&str> {
        Plan::new(checkpoints).order().iter().map(|c| c.id.as_str()).collect()
    }

    fn standing_of_last(checkpoints: &[Checkpoint], judged: &[(&str, Outcome)]) -> Standing {
        let judged = judged
            .iter()
            .map(|(id, outcome)| (id.parse().unwrap(), Judgement { outcome: *outcome, ..Judgement::pass() }))
            .collect();
        Plan::new(checkpoints).standings(judged).remove(&checkpoints.last().unwrap().id).unwrap()
    }

    #[test]
    fn dependencies_come_first_and_the_task_orders_the_rest() {
        let checkpoints =
            [checkpoint("c", 1, &["b"]), checkpoint("d", 1, &[]), checkpoint("a", 1, &[]), checkpoint("b", 1, &["a"])];
        assert_eq!(order(&checkpoints), ["d", "a", "b", "c"]);
    }

    #[test]
    fn a_circle_or_an_unknown_dependency_is_an_error_of_those_checkpoints_only() {
        let checkpoints = [
            checkpoint("a", 1, &["b"]),
            checkpoint("b", 1, &["a"]),
            checkpoint("c", 1, &["gone"]),
            checkpoint("d", 1, &[]),
        ];
        let plan = Plan::new(&checkpoints);
        let standings = plan.standings(BTreeMap::from([("d".parse().unwrap(), Judgement::pass())]));
        let outcomes: Vec<_> = checkpoints.iter().map(|c| standings[&c.id].outcome()).collect();
        assert_eq!(outcomes, [Outcome::Error, Outcome::Error, Outcome::Error, Outcome::Pass]);
    }

    #[test]
    fn a_blocked_checkpoint_names_the_root_causes_once() {
        let checkpoints = [
            checkpoint("a", 1, &[]),
            checkpoint("b", 1, &["a"]),
            checkpoint("c", 1, &["a"]),
            checkpoint("d", 1, &["b", "c"]),
        ];
        let standing = standing_of_last(&checkpoints, &[("a", Outcome::Fail)]);
        assert_eq!(standing, Standing::Blocked(vec!["a".parse().unwrap()]));
    }

    #[test]
    fn what_a_dependency_became_decides_what_its_dependants_become() {
        let checkpoints = [checkpoint("a", 1, &[]), checkpoint("b", 1, &[]), checkpoint("c", 1, &["a", "b"])];
        use Outcome::{Blocked, Error, Fail, Inconclusive, NotRun, Pass};
        for (a, b, expected) in [
            (Pass, Pass, Pass),
            (Pass, Fail, Blocked),
            (Error, Fail, Blocked),
            (NotRun, Inconclusive, Inconclusive),
            (Pass, Error, Inconclusive),
            (NotRun, Pass, NotRun),
        ] {
            let standing = standing_of_last(&checkpoints, &[("a", a), ("b", b), ("c", Pass)]);
            assert_eq!(standing.outcome(), expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_checkpoint_nobody_judged_is_never_a_pass() {
        assert_eq!(standing_of_last(&[checkpoint("a", 1, &[])], &[]).outcome(), Outcome::Inconclusive);
    }
}
