//! Floors: from when on steps that are due, and leases that are over, are looked for, while looking from the beginning takes long.
//!
//! Both leave the order they are looked for in at its beginning. What they leave there PostgreSQL removes, but not while a
//! transaction goes on that may still see it (a copy of a tenant, somebody's open session); until then each look reads through all
//! of it, and after some minutes of much work takes seconds. So after some looks that read through much, looks begin where the last
//! of them found something, and one goes from the beginning again only after many times as long as it takes: what comes behind the
//! floor waits for that one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::Mutex,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_wire::{Step, TenantId};

/// How many looks from the beginning have to read through much, one after the other, before looks begin at the floor.
pub const LOOKS_THROUGH_MUCH_MIN: u32 = 3;

/// How many times as long as a look from the beginning took the looks begin at the floor: a fiftieth of the time goes there.
const PART: u32 = 50;

/// How long looks begin at the floor after one from the beginning was given up.
const GIVEN_UP_SECS: u64 = 60;

/// How long something may take from when it is due, by its own transaction's clock, until others can see it. A floor is never nearer
/// to the present: of two that become due one after the other, the first may be seen last.
const UNSEEN_MS_MAX: i64 = 1_000;

/// Steps that are looked for together: those of a tenant that are for bots, or for people.
pub type Queue = (TenantId, bool);

/// Those of steps that are due, for each kind of step.
pub type OfSteps = Floors<Queue, { Step::ALL.len() }>;

/// That of leases that are over, of all tenants.
pub type OfLeases = Floors<(), 1>;

/// From when on is looked, for each kind; none means from the beginning.
pub type From<const KINDS: usize> = [Option<DateTime<Utc>>; KINDS];

/// What a look found.
#[derive(Debug)]
pub struct Found<const KINDS: usize> {
    /// The first that was due, of each kind.
    pub first: From<KINDS>,
    /// The database's time.
    pub at: DateTime<Utc>,
    /// Whether all that was due was found.
    pub all: bool,
}

impl<const KINDS: usize> Found<KINDS> {
    /// Where the next look may begin: at what was found first, or a moment ago if that is earlier or there was nothing.
    fn from(&self) -> From<KINDS> {
        let seen = self.at - TimeDelta::milliseconds(UNSEEN_MS_MAX);
        self.first.map(|first| match first {
            Some(first) => Some(first.min(seen)),
            None => self.all.then_some(seen),
        })
    }
}

/// The floors of whatever is looked for and slow to be found.
#[derive(Debug)]
pub struct Floors<K, const KINDS: usize>(Mutex<HashMap<K, Floor<KINDS>>>);

#[derive(Debug)]
struct Floor<const KINDS: usize> {
    looks_through_much: u32,
    from: From<KINDS>,
    beginning_at: Instant,
}

impl<K, const KINDS: usize> Default for Floors<K, KINDS> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, const KINDS: usize> Floors<K, KINDS> {
    /// From when on to look now; none when it is from the beginning, which only one look at a time is while there is a floor.
    pub fn from(&self, queue: K) -> Option<From<KINDS>> {
        let mut floors = self.0.lock().expect("no holder of this lock panics");
        let floor = floors
            .get_mut(&queue)
            .filter(|floor| floor.looks_through_much >= LOOKS_THROUGH_MUCH_MIN)?;
        if Instant::now() < floor.beginning_at {
            return Some(floor.from);
        }
        floor.beginning_at = Instant::now() + Duration::from_secs(GIVEN_UP_SECS);
        None
    }

    /// Takes note of a look from the beginning: how long it took; whether it read through much that is dead, if that is known; and
    /// what it found, which is none where it was not for every kind of step and every model.
    pub fn looked_from_the_beginning(
        &self,
        queue: K,
        took: Duration,
        through_much: Option<bool>,
        found: Option<&Found<KINDS>>,
    ) {
        let mut floors = self.0.lock().expect("no holder of this lock panics");
        if through_much == Some(false) {
            floors.remove(&queue);
            return;
        }
        let beginning_at = Instant::now() + took * PART;
        let (Some(true), Some(found)) = (through_much, found) else {
            if let Some(floor) = floors.get_mut(&queue) {
                floor.beginning_at = beginning_at;
            }
            return;
        };
        let floor = floors.entry(queue).or_insert(Floor {
            looks_through_much: 0,
            from: [None; KINDS],
            beginning_at,
        });
        floor.looks_through_much += 1;
        floor.beginning_at = beginning_at;
        // Of the kinds that were not come to, since so much of others was found, the floor stays.
        for (from, next) in floor.from.iter_mut().zip(found.from()) {
            *from = next.or(*from);
        }
    }

    /// Takes note of what a look from the floor found, for every kind of step and every model.
    pub fn looked(&self, queue: K, found: &Found<KINDS>) {
        let mut floors = self.0.lock().expect("no holder of this lock panics");
        if let Some(floor) = floors.get_mut(&queue) {
            for (from, next) in floor.from.iter_mut().zip(found.from()) {
                *from = next.max(*from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Queue = (TenantId(1), false);
    const LONG: Duration = Duration::from_secs(1);

    fn at(secs: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(secs, 0)
    }

    /// What a look found that did not come to all, long after it was due.
    fn found(first: From<5>) -> Found<5> {
        Found {
            first,
            at: DateTime::from_timestamp(1_000, 0).expect("a time"),
            all: false,
        }
    }

    /// What a look found that came to all that was due at that time.
    fn found_all(first: From<5>, secs: i64) -> Found<5> {
        Found {
            first,
            at: DateTime::from_timestamp(secs, 0).expect("a time"),
            all: true,
        }
    }

    /// Those of a queue in which looks read through much for a while, each of which found this.
    fn floors(found: &Found<5>) -> OfSteps {
        let floors = OfSteps::default();
        for _ in 0..LOOKS_THROUGH_MUCH_MIN {
            assert_eq!(floors.from(QUEUE), None);
            floors.looked_from_the_beginning(QUEUE, LONG, Some(true), Some(found));
        }
        floors
    }

    #[test]
    fn a_look_through_little_is_followed_by_another_from_the_beginning() {
        let floors = floors(&found([at(5); 5]));
        assert!(floors.from(QUEUE).is_some());
        assert!(
            floors.from((TenantId(1), true)).is_none(),
            "people have a queue of their own"
        );
        floors.looked_from_the_beginning(QUEUE, LONG, Some(false), None);
        assert!(floors.from(QUEUE).is_none());
    }

    #[test]
    fn looks_through_much_now_and_then_leave_no_floor() {
        let floors = OfSteps::default();
        let found = found([at(5); 5]);
        for _ in 0..10 {
            for _ in 1..LOOKS_THROUGH_MUCH_MIN {
                floors.looked_from_the_beginning(QUEUE, LONG, Some(true), Some(&found));
            }
            floors.looked_from_the_beginning(QUEUE, LONG, Some(false), None);
            assert_eq!(floors.from(QUEUE), None);
        }
    }

    #[test]
    fn a_look_of_which_nothing_is_known_leaves_the_floor_where_it_is() {
        let none = OfSteps::default();
        none.looked_from_the_beginning(QUEUE, LONG, None, Some(&found([at(5); 5])));
        assert_eq!(none.from(QUEUE), None);
        let floors = floors(&found([at(100); 5]));
        floors.looked_from_the_beginning(QUEUE, LONG, None, Some(&found_all([None; 5], 200)));
        assert_eq!(floors.from(QUEUE), Some([at(100); 5]));
    }

    #[test]
    fn a_floor_is_where_something_was_found_last() {
        let floors = floors(&found([at(100), at(90), None, None, None]));
        floors.looked(QUEUE, &found([at(110), None, at(120), None, None]));
        assert_eq!(floors.from(QUEUE), Some([at(110), at(90), at(120), None, None]));
    }

    #[test]
    fn a_kind_that_a_full_look_did_not_come_to_keeps_its_floor() {
        let floors = floors(&found([at(100); 5]));
        let came_to = found([None, None, None, at(90), at(110)]);
        floors.looked_from_the_beginning(QUEUE, LONG, Some(true), Some(&came_to));
        assert_eq!(
            floors.from(QUEUE),
            Some([at(100), at(100), at(100), at(90), at(110)])
        );
    }

    #[test]
    fn where_all_was_found_the_floor_of_the_rest_is_a_moment_ago() {
        let floors = floors(&found_all([at(100), None, None, None, None], 200));
        assert_eq!(
            floors.from(QUEUE),
            Some([at(100), at(199), at(199), at(199), at(199)])
        );
        // Also where nothing at all was.
        floors.looked(QUEUE, &found_all([None; 5], 300));
        assert_eq!(floors.from(QUEUE), Some([at(299); 5]));
    }

    #[test]
    fn what_became_due_before_that_which_is_seen_first_is_not_behind_the_floor() {
        let floors = floors(&found_all([at(200); 5], 200));
        assert_eq!(floors.from(QUEUE), Some([at(199); 5]));
        floors.looked(QUEUE, &found([at(1_000); 5]));
        assert_eq!(floors.from(QUEUE), Some([at(999); 5]));
    }

    #[test]
    fn one_look_at_a_time_goes_from_the_beginning_again() {
        let floors = floors(&found([None; 5]));
        floors
            .0
            .lock()
            .expect("a lock")
            .get_mut(&QUEUE)
            .expect("a floor")
            .beginning_at = Instant::now();
        assert!(floors.from(QUEUE).is_none(), "it is time");
        assert!(floors.from(QUEUE).is_some(), "one looks");
    }
}
