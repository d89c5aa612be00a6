//! Screening: many checkpoints over many objects, object by object.
//!
//! Checkpoints are judged one after the other, and each would fetch thousands of objects from memory anew, which takes
//! longer than judging them (`docs/performance.md`). So the objects are gone through once before, a few at a time, and
//! each checkpoint notes which of them it is not about and which are in order beyond doubt. The rest, and every object
//! that was not screened for whatever reason, is judged as if nothing had happened: screening changes no verdict.

use std::time::{Duration, Instant};

use globset::GlobSet;
use serde_json::Value;

use super::matching::Pattern;
use super::select::{Filter, Selected, Source};
use super::{Check, Context};
use crate::submission::yaml::{Dialect, File, Object, YamlFiles};

/// Objects that are gone through at a time: few enough to stay in the processor's cache until the last checkpoint has
/// seen them.
const BLOCK: usize = 32;

/// Objects beyond these are not screened: notes about them would take more memory than they save time.
const MOST_OBJECTS: usize = 200_000;

/// After this time the rest is not screened: half of what a child has until it must begin to judge.
const MOST_TIME: Duration = Duration::from_secs(5);

/// How a kind that judges object by object takes part.
pub struct Screen<'c> {
    /// Its objects.
    pub source: Source<'c>,
    /// What must be true of each of them.
    pub rule: Box<dyn Rule + 'c>,
}

/// What must be true of an object.
pub trait Rule {
    /// Ready to be asked of one object after the other. The answer is the steps it took (0 where nobody counts them) when
    /// the rule holds beyond doubt.
    fn ask<'r>(&'r self) -> Box<dyn FnMut(&'r Value) -> Option<u64> + 'r>;
}

/// What screening found out about an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    #[default]
    Open,
    /// It is none of those that the checkpoint is about.
    Unfit,
    /// It is one of them, and in order.
    Holds,
}

/// What screening found out for one checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screened {
    /// By [`Object::number`].
    seen: Vec<Seen>,
    spent: u64,
}

impl Screened {
    /// What is known of an object.
    pub fn of(&self, object: &Object) -> Seen {
        self.seen.get(object.number as usize).copied().unwrap_or_default()
    }

    /// Steps that the rule took for what holds.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    fn note(&mut self, object: &Object, seen: Seen) {
        let number = object.number as usize;
        if number < MOST_OBJECTS {
            self.seen.resize(self.seen.len().max(number + 1), Seen::Open);
            self.seen[number] = seen;
        }
    }
}

/// A screen with all that is made once.
struct Ready<'c> {
    screen: Screen<'c>,
    files: Option<GlobSet>,
    matching: Option<Pattern>,
    dialect: Dialect,
}

impl<'c> Ready<'c> {
    /// None when the checkpoint is broken, which its judging will tell.
    fn new(screen: Screen<'c>, context: &Context<'_>) -> Option<Self> {
        let files = screen.source.files.map(|globs| globs.compile()).transpose().ok()?;
        let matching = screen.source.select.matching.as_ref().map(Pattern::parse).transpose().ok()?;
        let dialect = screen.source.dialect.unwrap_or(context.dialect);
        Some(Self { screen, files, matching, dialect })
    }

    fn looks_at(&self, file: File<'_>, dialect: Dialect) -> bool {
        let named = || self.files.as_ref().map_or_else(|| file.is_named_yaml(), |globs| globs.is_match(file.path()));
        self.dialect == dialect && named()
    }

    fn filter(&self, yaml: &YamlFiles<'_>) -> Filter<'_> {
        Filter::new(self.screen.source.select, self.matching.as_ref(), yaml)
    }
}

/// A checkpoint at work.
struct Run<'r, 'c> {
    ready: &'r Ready<'c>,
    ask: Box<dyn FnMut(&'r Value) -> Option<u64> + 'r>,
    found: Screened,
}

impl<'r> Run<'r, '_> {
    fn go_through(&mut self, file: File<'r>, block: &'r [Object], filter: &Filter<'_>) {
        for object in block {
            if !filter.fits(&Selected::new(file, object)) {
                self.found.note(object, Seen::Unfit);
            } else if let Some(steps) = (self.ask)(&object.value) {
                self.found.note(object, Seen::Holds);
                self.found.spent += steps;
            }
        }
    }
}

/// Screens the objects of the submission for these kinds; none for one that has no part in it.
pub fn screen<'c>(kinds: impl Iterator<Item = &'c dyn Check>, context: &Context<'c>) -> Vec<Option<Screened>> {
    let began = Instant::now();
    let ready: Vec<Option<Ready<'c>>> = kinds.map(|kind| Ready::new(kind.screen(context)?, context)).collect();
    let start = |ready| Run { ready, ask: ready.screen.rule.ask(), found: Screened::default() };
    let mut runs: Vec<Option<Run<'_, 'c>>> = ready.iter().map(|ready| ready.as_ref().map(start)).collect();
    let files = context.files.paths().filter_map(|path| context.yaml.get(path));
    let readings = files.flat_map(|file| Dialect::ALL.map(|dialect| (file, dialect)));
    'all: for (file, dialect) in readings {
        let mut looking: Vec<_> = runs.iter_mut().flatten().filter(|run| run.ready.looks_at(file, dialect)).collect();
        if looking.is_empty() {
            continue;
        }
        let objects = &file.objects(dialect).objects;
        let filters: Vec<_> = looking.iter().map(|run| run.ready.filter(context.yaml)).collect();
        for block in objects.chunks(BLOCK) {
            looking.iter_mut().zip(&filters).for_each(|(run, filter)| run.go_through(file, block, filter));
            if began.elapsed() > MOST_TIME {
                break 'all;
            }
        }
    }
    runs.into_iter().map(|run| run.map(|run| run.found)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Trace;
    use super::super::cel::limits;
    use super::super::outcome::Outcome;
    use super::super::testing::{in_context, tree};
    use super::*;
    use crate::checkpoint::cel::Cel;
    use crate::checkpoint::manifest::Manifest;
    use crate::submission::tree::Tree;

    /// What is found out about each object in order, for a kind of this YAML.
    fn seen<K: Check + serde::de::DeserializeOwned>(kind: Value, files: &Tree) -> Option<(Vec<Seen>, u64)> {
        let kind: K = serde_json::from_value(kind).unwrap();
        in_context(files, |context| {
            let found = screen(std::iter::once(&kind as &dyn Check), context).remove(0)?;
            let objects = context.yaml.all().flat_map(|file| &file.objects(Dialect::Kubectl).objects);
            Some((objects.map(|object| found.of(object)).collect(), found.spent()))
        })
    }

    fn two_files() -> Tree {
        tree(&[
            ("a.yaml", "kind: Pod\ncount: 1\n---\nkind: Service\nmetadata: {name: x}\n---\nkind: Pod\ncount: 2\n"),
            ("b.yaml", "kind: Pod\ncount: 1\nmetadata: {labels: {a: b}}\n"),
            ("broken.yaml", "a: [\n"),
            ("t.yaml", "a: {{ .Values.x }}\n"),
        ])
    }

    #[test]
    fn each_object_is_out_of_it_in_order_or_open() {
        use Seen::{Holds, Open, Unfit};
        let pods = json!({"select": {"kind": "Pod"}, "match": {"count": 1}});
        assert_eq!(seen::<Manifest>(pods, &two_files()), Some((vec![Holds, Unfit, Open, Holds], 0)));
        // Named in the second file only: in the first nothing has such a name yet.
        let labelled = json!({"in": "b.yaml", "select": {"labels": {"a": "b"}}, "rule": "object.count == 1"});
        let (found, steps) = seen::<Cel>(labelled, &two_files()).unwrap();
        assert_eq!((found, steps > 0), (vec![Open, Open, Open, Holds], true));
        let nowhere = json!({"select": {"kind": "Job"}, "match": {}});
        assert_eq!(seen::<Manifest>(nowhere, &two_files()), Some((vec![Unfit; 4], 0)));
    }

    #[test]
    fn only_rules_over_single_objects_take_part() {
        for rule in [
            json!({"over": "set", "rule": "size(objects) > 0"}),
            json!({"rule": "object.count == size(objects)"}),
            json!({"rule": "object.count == size(files)"}),
            json!({"rule": "commit.subject != ''"}),
            json!({"rule": "object.count == case.count", "cases": [{"count": 1}]}),
            json!({"rule": "object.count =="}),
        ] {
            assert_eq!(seen::<Cel>(rule.clone(), &two_files()), None, "{rule}");
        }
    }

    #[test]
    fn every_item_has_to_be_in_order_and_one_has_to_be_there() {
        use Seen::{Holds, Open};
        let files = tree(&[("a.yaml", "l: [1, 2]\n---\nl: [1, 0]\n---\nl: []\n---\nl: x\n")]);
        let each = json!({"each": "object.l", "let": [{"least": "1"}], "rule": "item >= least"});
        assert_eq!(seen::<Cel>(each, &files).unwrap().0, [Holds, Open, Open, Open]);
    }

    #[test]
    fn a_rule_that_takes_long_is_left_to_its_judging() {
        let list = |items: usize| format!("l: [{}]\n", vec!["1"; items].join(", "));
        let files = tree(&[("a.yaml", &(list(10) + "---\n" + &list(9_000)))]);
        let long = json!({"rule": "object.l.all(item, item == 1)"});
        assert_eq!(seen::<Cel>(long, &files).unwrap().0, [Seen::Holds, Seen::Open]);
    }

    #[test]
    fn what_screening_took_is_taken_from_the_budget_of_the_judging() {
        let cel: Cel = serde_json::from_value(json!({"rule": "object.l.all(a, a == 1)"})).unwrap();
        let outcome = |spent| {
            let screened = Screened { seen: Vec::new(), spent };
            in_context(&tree(&[("a.yaml", "l: [1, 1, 1]\n")]), |context| {
                cel.judge(&Context { screened: Some(&screened), ..*context }, &mut Trace::off()).outcome
            })
        };
        assert_eq!(outcome(limits::STEPS_PER_CHECKPOINT - 100), Outcome::Pass);
        assert_eq!(outcome(limits::STEPS_PER_CHECKPOINT - 3), Outcome::Error);
    }
}
