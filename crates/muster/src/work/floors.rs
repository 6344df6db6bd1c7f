//! Floors: from when on steps that are due are looked for, while looking from the beginning takes long.
//!
//! Steps leave the queue's order at its beginning. What they leave there PostgreSQL removes, but not while a transaction goes on
//! that may still see it (a copy of a tenant, somebody's open session); until then each look for work reads through all of it, and
//! after some minutes of much work takes seconds. So after a look that was slow, looks begin where it found something, and one goes
//! from the beginning again only after many times as long as it takes: what became due behind the floor waits for that one.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_wire::{Step, TenantId};

/// How long a look from the beginning takes, at most, for the next to be one too.
const QUICK_MS_MAX: u64 = 500;

/// How many times as long as a look from the beginning took the looks begin at the floor: a twentieth of the time goes there.
const PART: u32 = 20;

/// How long looks begin at the floor after one from the beginning was given up.
const GIVEN_UP_SECS: u64 = 60;

/// How long a step may take from when it is due, by its own transaction's clock, until others can see it.
const UNSEEN_SECS_MAX: i64 = 2;

/// Steps that are looked for together: those of a tenant that are for bots, or for people.
pub type Queue = (TenantId, bool);

/// From when on steps that are due are looked for, for each kind of step; none means from the beginning.
pub type From = [Option<DateTime<Utc>>; Step::ALL.len()];

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    /// The first that was due, of each kind of step.
    pub first: From,
    /// The database's time, if all that was due was found.
    pub all_at: Option<DateTime<Utc>>,
}

impl Found {
    /// Where the next look may begin: at what was found first, or a moment ago where there was nothing.
    fn from(&self) -> From {
        let unseen = self.all_at.map(|at| at - TimeDelta::seconds(UNSEEN_SECS_MAX));
        self.first.map(|first| first.or(unseen))
    }
}

/// The floors of all queues whose looks are slow.
#[derive(Debug, Default)]
pub struct Floors(Mutex<HashMap<Queue, Floor>>);

#[derive(Debug)]
struct Floor {
    from: From,
    beginning_at: Instant,
}

impl Floors {
    /// From when on to look now; none when it is from the beginning, which only one look at a time is while there is a floor.
    pub fn from(&self, queue: Queue) -> Option<From> {
        let mut floors = self.0.lock().expect("no holder of this lock panics");
        let floor = floors.get_mut(&queue)?;
        if Instant::now() < floor.beginning_at {
            return Some(floor.from);
        }
        floor.beginning_at = Instant::now() + Duration::from_secs(GIVEN_UP_SECS);
        None
    }

    /// Takes note of a look from the beginning, how long it took, and what it found; that is none where it was not for every
    /// kind of step and every model.
    pub fn looked_from_the_beginning(&self, queue: Queue, took: Duration, found: Option<&Found>) {
        let mut floors = self.0.lock().expect("no holder of this lock panics");
        if took < Duration::from_millis(QUICK_MS_MAX) {
            floors.remove(&queue);
            return;
        }
        let Some(found) = found else { return };
        // Of the kinds that were not come to, since so much of others was found, the floor stays.
        let mut from = found.from();
        if let Some(before) = floors.get(&queue) {
            for (next, before) in from.iter_mut().zip(before.from) {
                *next = next.or(before);
            }
        }
        let beginning_at = Instant::now() + took * PART;
        floors.insert(queue, Floor { from, beginning_at });
    }

    /// Takes note of what a look from the floor found, for every kind of step and every model.
    pub fn looked(&self, queue: Queue, found: &Found) {
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
    const SLOW: Duration = Duration::from_secs(1);

    fn at(secs: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(secs, 0)
    }

    fn found(first: From, all_at: Option<DateTime<Utc>>) -> Found {
        Found { first, all_at }
    }

    #[test]
    fn a_quick_look_is_followed_by_another_from_the_beginning() {
        let floors = Floors::default();
        floors.looked_from_the_beginning(QUEUE, SLOW, Some(&found([at(5); 5], None)));
        assert!(floors.from(QUEUE).is_some());
        assert!(
            floors.from((TenantId(1), true)).is_none(),
            "people have a queue of their own"
        );
        floors.looked_from_the_beginning(QUEUE, Duration::from_millis(10), None);
        assert!(floors.from(QUEUE).is_none());
    }

    #[test]
    fn a_floor_is_where_something_was_found_last() {
        let floors = Floors::default();
        floors.looked_from_the_beginning(
            QUEUE,
            SLOW,
            Some(&found([at(100), at(90), None, None, None], None)),
        );
        floors.looked(QUEUE, &found([at(110), None, at(120), None, None], None));
        assert_eq!(floors.from(QUEUE), Some([at(110), at(90), at(120), None, None]));
    }

    #[test]
    fn a_kind_that_a_full_look_did_not_come_to_keeps_its_floor() {
        let floors = Floors::default();
        floors.looked_from_the_beginning(QUEUE, SLOW, Some(&found([at(100); 5], None)));
        floors.looked_from_the_beginning(
            QUEUE,
            SLOW,
            Some(&found([None, None, None, at(90), at(110)], None)),
        );
        assert_eq!(
            floors.from(QUEUE),
            Some([at(100), at(100), at(100), at(90), at(110)])
        );
    }

    #[test]
    fn where_all_was_found_the_floor_of_the_rest_is_a_moment_ago() {
        let floors = Floors::default();
        floors.looked_from_the_beginning(
            QUEUE,
            SLOW,
            Some(&found([at(100), None, None, None, None], at(200))),
        );
        assert_eq!(
            floors.from(QUEUE),
            Some([at(100), at(198), at(198), at(198), at(198)])
        );
        // Also where nothing at all was.
        floors.looked(QUEUE, &found([None; 5], at(300)));
        assert_eq!(floors.from(QUEUE), Some([at(298); 5]));
    }

    #[test]
    fn one_look_at_a_time_goes_from_the_beginning_again() {
        let floors = Floors::default();
        floors.looked_from_the_beginning(QUEUE, Duration::ZERO, Some(&Found::default()));
        assert!(
            floors.from(QUEUE).is_none() && floors.from(QUEUE).is_none(),
            "there is no floor"
        );
        floors.looked_from_the_beginning(QUEUE, SLOW, Some(&Found::default()));
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
