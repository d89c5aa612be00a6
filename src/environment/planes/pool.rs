//! Who has which control plane, and which of them run: decided here, done elsewhere. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Count;

/// A control plane; never used again for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// As it is in the file system and in etcd.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose a control plane is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// Nobody's yet: nothing of a learner was ever in it.
    Nobody,
    /// The environment's of this name.
    Lent(String),
    /// Nobody's any more: it is to be deleted.
    Leaving,
}

/// Whether a control plane takes one of the places, which are memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It runs, or is about to.
    Taken,
    /// Its processes are ended, its data is kept.
    Parked,
}

#[derive(Debug, Clone)]
struct Slot {
    holder: Holder,
    place: Place,
    /// How many use it now.
    uses: usize,
    /// When it was made or last lent.
    at: u64,
}

/// All of them.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    warm: usize,
    slots: BTreeMap<Id, Slot>,
    clock: u64,
}

/// What to do so that somebody gets a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lend {
    /// Make sure that this one runs; it may be a new one.
    pub id: Id,
    /// After this one was parked.
    pub park: Option<Id>,
}

/// All places are taken by those that are in use.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Pool {
    /// Empty.
    pub fn new(limit: usize, warm: usize) -> Self {
        Self { limit, warm, slots: BTreeMap::new(), clock: 0 }
    }

    /// Knows one from before; none of those run.
    pub fn restore(&mut self, id: Id, holder: Holder) {
        let at = self.tick();
        self.slots.insert(id, Slot { holder, place: Place::Parked, uses: 0, at });
    }

    /// Gives somebody a control plane to use: theirs, else one that is nobody's yet, running ones first, else a new one
    /// under the name `fresh`.
    pub fn lend(&mut self, name: &str, fresh: Id) -> Result<Lend, Full> {
        let id = self.find(name).or_else(|| self.spare(Place::Taken)).or_else(|| self.spare(Place::Parked));
        let id = id.unwrap_or(fresh);
        let runs = self.slots.get(&id).is_some_and(|slot| slot.place == Place::Taken);
        let park = if runs || self.taken() < self.limit { None } else { Some(self.victim().ok_or(Full)?) };
        if let Some(slot) = park.as_ref().and_then(|id| self.slots.get_mut(id)) {
            slot.place = Place::Parked;
        }
        let at = self.tick();
        let slot =
            self.slots.entry(id.clone()).or_insert(Slot { holder: Holder::Nobody, place: Place::Taken, uses: 0, at });
        *slot = Slot { holder: Holder::Lent(name.to_owned()), place: Place::Taken, uses: slot.uses + 1, at };
        Ok(Lend { id, park })
    }

    /// The next control plane that is to wait for somebody; none when there are enough or no place is left.
    pub fn refill(&mut self, fresh: Id) -> Option<Id> {
        if !self.wants_more() {
            return None;
        }
        let id = self.spare(Place::Parked).unwrap_or(fresh);
        let at = self.tick();
        self.slots.insert(id.clone(), Slot { holder: Holder::Nobody, place: Place::Taken, uses: 0, at });
        Some(id)
    }

    /// Whether another one is to wait for somebody.
    pub fn wants_more(&self) -> bool {
        let Count { running, spare, .. } = self.count();
        spare < self.warm && running < self.limit
    }

    /// Somebody does not use it any more.
    pub fn let_go(&mut self, id: &Id) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.uses = slot.uses.saturating_sub(1);
        }
    }

    /// It does not run after all. Others who wait for it try by themselves.
    pub fn failed(&mut self, id: &Id) {
        if let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.uses == 0) {
            slot.place = Place::Parked;
        }
    }

    /// Takes it from its holder; it is to be ended and deleted, and then forgotten.
    pub fn give_back(&mut self, name: &str) -> Option<Id> {
        let id = self.find(name)?;
        self.slots.get_mut(&id)?.holder = Holder::Leaving;
        Some(id)
    }

    /// Its processes are ended, though it could not be deleted yet.
    pub fn ended(&mut self, id: &Id) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.place = Place::Parked;
        }
    }

    /// It is no more.
    pub fn forget(&mut self, id: &Id) {
        self.slots.remove(id);
    }

    /// Whose it is.
    pub fn holder(&self, id: &Id) -> Option<&Holder> {
        self.slots.get(id).map(|slot| &slot.holder)
    }

    /// Whether it is to run; none of one that is not known.
    pub fn place(&self, id: &Id) -> Option<Place> {
        self.slots.get(id).map(|slot| slot.place)
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        let of = |holds: &dyn Fn(&Slot) -> bool| self.slots.values().filter(|slot| holds(slot)).count();
        Count {
            running: self.taken(),
            spare: of(&|slot| slot.place == Place::Taken && slot.holder == Holder::Nobody),
            parked: of(&|slot| slot.place == Place::Parked && matches!(slot.holder, Holder::Lent(_))),
        }
    }

    fn taken(&self) -> usize {
        self.slots.values().filter(|slot| slot.place == Place::Taken).count()
    }

    /// All that are to be deleted.
    pub fn leaving(&self) -> Vec<Id> {
        let leaving = self.slots.iter().filter(|(_, slot)| slot.holder == Holder::Leaving);
        leaving.map(|(id, _)| id.clone()).collect()
    }

    fn find(&self, name: &str) -> Option<Id> {
        let held = |slot: &Slot| matches!(&slot.holder, Holder::Lent(holder) if holder == name);
        self.slots.iter().find(|(_, slot)| held(slot)).map(|(id, _)| id.clone())
    }

    /// The oldest that is nobody's: it is the first to be ready.
    fn spare(&self, place: Place) -> Option<Id> {
        let spare = |slot: &Slot| slot.holder == Holder::Nobody && slot.place == place;
        let spares = self.slots.iter().filter(|(_, slot)| spare(slot));
        spares.min_by_key(|(_, slot)| slot.at).map(|(id, _)| id.clone())
    }

    /// Whose place somebody else may have: the youngest that is nobody's, else the one lent longest ago. Never one in use.
    fn victim(&self) -> Option<Id> {
        let idle = self.slots.iter().filter(|(_, slot)| slot.place == Place::Taken && slot.uses == 0);
        let order = |slot: &Slot| match slot.holder {
            Holder::Nobody => Some((0, u64::MAX - slot.at)),
            Holder::Lent(_) => Some((1, slot.at)),
            // It gives its place back by itself.
            Holder::Leaving => None,
        };
        idle.filter_map(|(id, slot)| Some((order(slot)?, id))).min().map(|(_, id)| id.clone())
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text)
    }

    fn lends(pool: &mut Pool, name: &str, fresh: &str) -> (String, Option<String>) {
        let Lend { id, park } = pool.lend(name, Id::new(fresh)).unwrap();
        (id.to_string(), park.map(|id| id.to_string()))
    }

    fn new(id: &str) -> (String, Option<String>) {
        (id.to_owned(), None)
    }

    fn after(id: &str, parked: &str) -> (String, Option<String>) {
        (id.to_owned(), Some(parked.to_owned()))
    }

    #[test]
    fn a_name_has_one_plane_for_good() {
        let mut pool = Pool::new(3, 0);
        assert_eq!(lends(&mut pool, "ada", "1"), new("1"));
        assert_eq!(lends(&mut pool, "ada", "2"), new("1"));
        assert_eq!(lends(&mut pool, "bob", "2"), new("2"));
        assert_eq!(pool.taken(), 2);
    }

    #[test]
    fn a_new_name_gets_a_running_spare_then_a_parked_one_then_a_new_one() {
        let mut pool = Pool::new(9, 1);
        pool.restore(id("1"), Holder::Nobody);
        pool.restore(id("2"), Holder::Nobody);
        assert_eq!(pool.refill(id("3")), Some(id("1")));
        assert_eq!(lends(&mut pool, "ada", "3"), new("1"));
        assert_eq!(lends(&mut pool, "bob", "3"), new("2"));
        assert_eq!(lends(&mut pool, "eve", "3"), new("3"));
    }

    #[test]
    fn spares_are_made_up_to_their_number_and_never_above_the_limit() {
        let mut pool = Pool::new(3, 2);
        assert_eq!(pool.refill(id("1")), Some(id("1")));
        assert_eq!(pool.refill(id("2")), Some(id("2")));
        assert_eq!(pool.refill(id("3")), None);
        lends(&mut pool, "ada", "-");
        assert_eq!(pool.refill(id("3")), Some(id("3")));
        lends(&mut pool, "bob", "-");
        assert_eq!(pool.refill(id("4")), None);
        assert_eq!(pool.taken(), 3);
    }

    #[test]
    fn at_the_limit_a_spare_makes_place_first_then_whoever_was_lent_longest_ago() {
        let mut pool = Pool::new(3, 1);
        for (name, fresh) in [("ada", "1"), ("bob", "2")] {
            lends(&mut pool, name, fresh);
            pool.let_go(&id(fresh));
        }
        assert_eq!(lends(&mut pool, "ada", "-"), new("1"));
        pool.let_go(&id("1"));
        pool.restore(id("9"), Holder::Lent("old".into()));
        assert_eq!(pool.refill(id("3")), Some(id("3")));
        assert_eq!(lends(&mut pool, "old", "-"), after("9", "3"));
        // Of a spare that is parked nothing is lost.
        assert_eq!(lends(&mut pool, "eve", "-"), after("3", "2"));
        assert_eq!(lends(&mut pool, "joe", "4"), after("4", "1"));
        assert_eq!(pool.taken(), 3);
    }

    #[test]
    fn one_in_use_is_never_parked() {
        let mut pool = Pool::new(1, 0);
        lends(&mut pool, "ada", "1");
        lends(&mut pool, "ada", "-");
        assert_eq!(pool.lend("bob", id("2")), Err(Full));
        pool.let_go(&id("1"));
        assert_eq!(pool.lend("bob", id("2")), Err(Full));
        assert_eq!(pool.holder(&id("2")), None);
        pool.let_go(&id("1"));
        assert_eq!(lends(&mut pool, "bob", "2"), after("2", "1"));
        // Who was parked comes back to the same one.
        pool.let_go(&id("2"));
        assert_eq!(lends(&mut pool, "ada", "3"), after("1", "2"));
    }

    #[test]
    fn what_was_given_back_goes_to_nobody_and_keeps_its_place_until_it_is_ended() {
        let mut pool = Pool::new(1, 1);
        lends(&mut pool, "ada", "1");
        pool.let_go(&id("1"));
        assert_eq!(pool.give_back("ada"), Some(id("1")));
        assert_eq!(pool.give_back("ada"), None);
        assert_eq!(pool.lend("ada", id("2")), Err(Full));
        assert_eq!(pool.refill(id("2")), None);
        pool.ended(&id("1"));
        assert_eq!(lends(&mut pool, "ada", "2"), new("2"));
        assert_eq!(pool.leaving(), [id("1")]);
        pool.forget(&id("1"));
        assert_eq!(pool.leaving(), []);
    }

    #[test]
    fn a_start_that_failed_takes_no_place_unless_somebody_else_waits_for_it() {
        let mut pool = Pool::new(1, 0);
        lends(&mut pool, "ada", "1");
        lends(&mut pool, "ada", "-");
        pool.let_go(&id("1"));
        pool.failed(&id("1"));
        assert_eq!(pool.taken(), 1);
        pool.let_go(&id("1"));
        pool.failed(&id("1"));
        assert_eq!(pool.taken(), 0);
        assert_eq!(lends(&mut pool, "ada", "-"), new("1"));
    }

    #[test]
    fn nothing_is_lent_where_nothing_may_run() {
        let mut pool = Pool::new(0, 3);
        assert_eq!(pool.refill(id("1")), None);
        assert_eq!(pool.lend("ada", id("1")), Err(Full));
    }
}
