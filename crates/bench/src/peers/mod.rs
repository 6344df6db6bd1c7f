//! The job queues that Muster is measured beside. Each runs inside the benchmark, as it runs inside whatever uses it, with a
//! job that does nothing, on the same PostgreSQL, with the settings that its own documentation and benchmark call fastest.

pub mod awa;
pub mod graphile;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

/// How long no job may end before a peer is given up.
const STALL_SECS: u64 = 60;

/// How often it is looked whether a peer is done.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Counts the jobs that were run.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until so many jobs were run. That they are also stored as done is for the caller to see.
    async fn wait_for(&self, jobs: u64) -> Result<()> {
        let (mut seen, mut moved) = (0, Instant::now());
        while seen < jobs {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.get();
            if now > seen {
                (seen, moved) = (now, Instant::now());
            }
            ensure!(
                moved.elapsed().as_secs() < STALL_SECS,
                "{seen} of {jobs} jobs were run, and no more"
            );
        }
        Ok(())
    }
}
