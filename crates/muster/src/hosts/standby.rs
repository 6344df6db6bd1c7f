//! Reads that may be old: a standby answers them, as long as it is known how old that is.
//!
//! How far the standby is behind is seen from here, by one clock: a place in the primary's WAL is noted, with the time, and once the
//! standby has replayed it the standby shows at least what there was then. Nothing is believed of a standby that cannot be asked, of
//! another database or timeline, or that is none any more.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::MissedTickBehavior;

use super::{ANSWER_MS_MAX, examining, named, within};

/// How often it is asked how far the standby is.
const ASK_EVERY_MS: u64 = 200;

/// How long a read waits for a connection to the standby before it goes to the primary.
const CONNECTION_WAIT_MS_MAX: u64 = 500;

/// A standby that answers reads. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Standby {
    pool: PgPool,
    /// When it was that the standby shows; none while that is not known.
    shows: Arc<Mutex<Option<Instant>>>,
}

/// A place in the WAL of a database.
#[derive(Debug)]
struct Place {
    system: i64,
    timeline: i64,
    /// Bytes from the beginning.
    at: i64,
}

impl Standby {
    /// A standby of the database of this pool, which is asked until the pool is closed. It need not be there yet.
    pub fn of(
        primary: PgPool,
        standby: &PgConnectOptions,
        connections_max: u32,
        statement_ms_max: u64,
    ) -> Self {
        let options = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(Duration::from_millis(CONNECTION_WAIT_MS_MAX));
        let pool = examining(options).connect_lazy_with(named(standby, "muster-reads", statement_ms_max));
        let standby = Self {
            pool,
            shows: Arc::default(),
        };
        let asked = standby.clone();
        tokio::spawn(async move {
            let mut closed = primary.close_event();
            closed.do_until(asked.watch(&primary)).await
        });
        standby
    }

    /// How old what it shows is, at most; none when that is not known.
    pub fn age(&self) -> Option<Duration> {
        let shows = *self.shows.lock().expect("no holder of this lock panics");
        shows.map(|moment| moment.elapsed())
    }

    /// Its connections.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn watch(&self, primary: &PgPool) {
        let mut ticks = tokio::time::interval(Duration::from_millis(ASK_EVERY_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut noted: Option<(Instant, Place)> = None;
        loop {
            ticks.tick().await;
            let now = Instant::now();
            if noted.is_none() {
                noted = written(primary).await.ok().map(|place| (now, place));
            }
            let Some((moment, place)) = &noted else { continue };
            let shows = match replayed(&self.pool).await {
                Ok(Some(far)) if (far.system, far.timeline) == (place.system, place.timeline) => {
                    if far.at < place.at {
                        continue;
                    }
                    Some(*moment)
                }
                _ => None,
            };
            *self.shows.lock().expect("no holder of this lock panics") = shows;
            noted = None;
        }
    }
}

/// Where the primary's WAL ends.
async fn written(primary: &PgPool) -> Result<Place, sqlx::Error> {
    let answer = sqlx::query_file_as!(Place, "src/hosts/written.sql").fetch_one(primary);
    within(ANSWER_MS_MAX, answer).await
}

/// How far a standby is; none where it is no standby.
async fn replayed(standby: &PgPool) -> Result<Option<Place>, sqlx::Error> {
    let answer = sqlx::query_file_as!(Place, "src/hosts/replayed.sql").fetch_optional(standby);
    within(ANSWER_MS_MAX, answer).await
}
