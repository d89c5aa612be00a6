//! What people do, drawn from the seed, and the story of each pull request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gradus::store::queue::Hint;
use gradus::store::time::{Clock as _, ManualClock};

use super::ground::{Ground, borrowed};
use super::script;
use super::world::BEGIN;
use crate::fake_github::faults::Dice;
use crate::fake_github::hub::Hub;
use crate::fake_github::state::ids::{IssueRef, RepoId, UserId};

/// Most pull requests of a schedule.
const PULLS: usize = 3;

/// A pull request.
#[derive(Debug, Default)]
pub struct Story {
    /// Every head that it had, oldest first; one that came back is there again.
    pub heads: Vec<String>,
    /// Comments that hold a command.
    pub commands: Vec<u64>,
    /// What people did, and when.
    pub acts: Vec<String>,
}

pub struct Learners {
    pub dice: Dice,
    hub: Hub,
    clock: Arc<ManualClock>,
    repo: RepoId,
    /// Where heads are commits.
    ground: Option<Arc<Ground>>,
    people: Vec<UserId>,
    pub stories: BTreeMap<u64, Story>,
    /// Webhooks that are on their way.
    pub hints: Vec<(u64, Hint)>,
    /// What was seen that must not be.
    pub wrong: Vec<String>,
}

impl Learners {
    pub fn new(dice: Dice, hub: Hub, clock: Arc<ManualClock>, repo: RepoId, ground: Option<Arc<Ground>>) -> Self {
        let people = ["ada", "bob"].map(|login| hub.user(login)).to_vec();
        let (stories, hints, wrong) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { dice, hub, clock, repo, ground, people, stories, hints, wrong }
    }

    pub fn at(&self, number: u64) -> IssueRef {
        IssueRef { repo: self.repo, number }
    }

    /// The place of the newest head.
    pub fn newest(&self, number: u64) -> usize {
        self.stories.get(&number).map_or(0, |story| story.heads.len().saturating_sub(1))
    }

    /// The place of a head; of one that came back the last one.
    pub fn place(&self, number: u64, head: &str) -> Option<usize> {
        self.stories.get(&number)?.heads.iter().rposition(|known| known == head)
    }

    /// What the status of a head is to say, and whether it passes.
    pub fn verdict(&self, head: &str) -> (String, bool) {
        match &self.ground {
            Some(ground) => ground.verdict(head),
            None => script::verdict(head),
        }
    }

    fn sha(&mut self) -> String {
        (0..40).map(|_| char::from_digit(self.dice.below(16) as u32, 16).expect("a digit")).collect()
    }

    fn moves(&mut self, number: u64, head: String, hint: Hint) {
        self.stories.entry(number).or_default().heads.push(head);
        self.hints.push((number, hint));
    }

    fn did(&mut self, number: u64, what: &str) {
        let at = self.clock.now().0 - BEGIN.0;
        self.stories.entry(number).or_default().acts.push(format!("{at:>9} {what}"));
    }

    /// Somebody opens a pull request. Its number.
    pub fn opens(&mut self) -> u64 {
        let branch = format!("work-{}", self.stories.len());
        let who = self.people[self.dice.below(self.people.len() as u64) as usize];
        let at = match self.ground.clone() {
            Some(ground) => {
                let (files, points) = ground.answer(&mut self.dice);
                let at = self.hub.open_pull_with(self.repo, who, &branch, &borrowed(&files));
                ground.note(&self.hub.pull(at).head_sha, points);
                at
            }
            None => {
                let sha = self.sha();
                self.hub.open_pull(self.repo, who, &branch, &sha)
            }
        };
        let sha = self.hub.pull(at).head_sha;
        self.did(at.number, "opens");
        self.moves(at.number, sha, Hint::NewHead);
        at.number
    }

    pub fn pushes(&mut self, number: u64) {
        let Some(ground) = self.ground.clone() else {
            let sha = self.sha();
            return self.pushes_head(number, sha);
        };
        let (files, points) = ground.answer(&mut self.dice);
        let sha = self.hub.push_files(self.at(number), &borrowed(&files));
        ground.note(&sha, points);
        self.did(number, "pushes");
        self.moves(number, sha, Hint::NewHead);
    }

    pub fn pushes_head(&mut self, number: u64, sha: String) {
        self.hub.push(self.at(number), &sha);
        self.did(number, "pushes");
        self.moves(number, sha, Hint::NewHead);
    }

    pub fn rewrites(&mut self, number: u64) {
        let sha = match self.ground.clone() {
            Some(ground) => {
                let (files, points) = ground.answer(&mut self.dice);
                let sha = self.hub.force_push_files(self.at(number), &borrowed(&files));
                ground.note(&sha, points);
                sha
            }
            None => {
                let sha = self.sha();
                self.hub.force_push(self.at(number), &sha);
                sha
            }
        };
        self.did(number, "rewrites");
        self.moves(number, sha, Hint::NewHead);
    }

    /// A head that was there before is there again.
    pub fn goes_back(&mut self, number: u64, place: usize) {
        let back = self.stories[&number].heads[place].clone();
        if back != self.hub.pull(self.at(number)).head_sha {
            match self.ground {
                Some(_) => self.hub.force_push_back(self.at(number), &back),
                None => self.hub.force_push(self.at(number), &back),
            }
            self.did(number, "goes back");
            self.moves(number, back, Hint::NewHead);
        }
    }

    pub fn asks(&mut self, number: u64) {
        let at = self.at(number);
        let comment = self.hub.comment(at, self.hub.issue(at).author, "/progress");
        self.stories.entry(number).or_default().commands.push(comment);
        self.did(number, "asks");
        self.hints.push((number, Hint::Action));
    }

    /// Closes what is open, and the other way round.
    pub fn turns(&mut self, number: u64) {
        let at = self.at(number);
        if self.hub.issue(at).open {
            self.hub.close(at)
        } else {
            self.hub.reopen(at)
        }
        self.did(number, "closes or reopens");
        self.hints.push((number, Hint::Action));
    }

    pub fn somebody_acts(&mut self) {
        // GitHub's times are whole seconds: two heads of one second cannot be told apart by them.
        self.clock.advance(Duration::from_secs(1));
        let numbers: Vec<u64> = self.stories.keys().copied().collect();
        let which = self.dice.below(100);
        if numbers.is_empty() || (which < 20 && numbers.len() < PULLS) {
            self.opens();
            return;
        }
        let number = numbers[self.dice.below(numbers.len() as u64) as usize];
        let open = self.hub.issue(self.at(number)).open;
        match which {
            20..55 if open => self.pushes(number),
            55..62 if open => self.rewrites(number),
            62..72 if open => {
                let heads = self.stories[&number].heads.len() as u64;
                let place = self.dice.below(heads) as usize;
                self.goes_back(number, place);
            }
            72..88 => self.asks(number),
            88..94 => self.turns(number),
            _ => {}
        }
    }

    /// Webhooks that arrive now: some are lost, some come twice, in any order; some stay on their way.
    pub fn arriving(&mut self) -> Vec<(u64, Hint)> {
        let mut arriving = Vec::new();
        for hint in std::mem::take(&mut self.hints) {
            match self.dice.below(10) {
                0 | 1 => {}
                2 => self.hints.push(hint),
                3 => arriving.extend([hint, hint]),
                _ => arriving.push(hint),
            }
        }
        if arriving.len() > 1 && self.dice.percent(50) {
            arriving.reverse();
        }
        arriving
    }
}
