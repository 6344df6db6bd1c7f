//! `awa`: keeps history, fences completions by a lease. Set as its documentation has it for the most of short jobs: its
//! current storage, claims and completions of 512, no deadlines, and the four completion writers it takes itself from 512
//! jobs side by side.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use awa::{
    Client, InsertOpts, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig, insert, migrations,
};
use serde::{Deserialize, Serialize};
use sqlx_of_awa::{PgPool, postgres::PgPoolOptions};

use super::{Counter, LOOK_EVERY};

const QUEUE: &str = "bench";

/// Connections of its pool, and jobs run side by side.
const CONNECTIONS: u32 = 20;
const WORKERS: u32 = 1_024;

const POLL_EVERY: Duration = Duration::from_millis(50);

/// Jobs added at once.
const ADD_AT_ONCE: u64 = 5_000;

/// How long it may take to stop.
const STOP_SECS: u64 = 10;

#[derive(Debug, Serialize, Deserialize, JobArgs)]
struct Noop {
    id: u64,
}

/// Connects, by the version of the driver that it is built with.
///
/// # Errors
/// When the database refuses.
pub async fn connect(url: &str) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(url)
        .await?)
}

/// Makes its schema, and adds jobs.
///
/// # Errors
/// When the database refuses.
pub async fn fill(pool: &PgPool, jobs: u64) -> Result<()> {
    migrations::run(pool).await?;
    // The first start on a new database chooses the current storage.
    let client = client(pool, &Counter::default())?;
    client.start().await?;
    client.shutdown(Duration::from_secs(STOP_SECS)).await;
    let store = QueueStorage::new(QueueStorageConfig::default())?;
    for first in (0..jobs).step_by(usize::try_from(ADD_AT_ONCE)?) {
        let chunk: Result<Vec<_>, _> = (first..jobs.min(first + ADD_AT_ONCE))
            .map(|id| {
                insert::params_with(
                    &Noop { id },
                    InsertOpts {
                        queue: QUEUE.to_owned(),
                        ..InsertOpts::default()
                    },
                )
            })
            .collect();
        store.enqueue_params_copy(pool, &chunk?).await?;
    }
    Ok(())
}

/// Runs all jobs, and gives how long it took until all were stored as done.
///
/// # Errors
/// When it fails, or stalls.
pub async fn drain(pool: &PgPool, jobs: u64) -> Result<Duration> {
    let counter = Counter::default();
    let client = client(pool, &counter)?;
    let store = QueueStorage::new(QueueStorageConfig::default())?;
    let began = Instant::now();
    client.start().await?;
    counter.wait_for(jobs).await?;
    let jobs = i64::try_from(jobs)?;
    loop {
        let counts = store.queue_counts(pool, QUEUE).await?;
        if counts.terminal == jobs {
            break;
        }
        ensure!(
            began.elapsed().as_secs() < 3600,
            "{} of {jobs} jobs were stored as done",
            counts.terminal
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    client.shutdown(Duration::from_secs(STOP_SECS)).await;
    Ok(took)
}

fn client(pool: &PgPool, counter: &Counter) -> Result<Client> {
    let counter = counter.clone();
    let config = QueueConfig {
        max_workers: WORKERS,
        poll_interval: POLL_EVERY,
        deadline_duration: Duration::ZERO,
        ..QueueConfig::default()
    };
    Ok(Client::builder(pool.clone())
        .queue(QUEUE, config)
        .register::<Noop, _, _>(move |_, _| {
            counter.count();
            async { Ok(JobResult::Completed) }
        })
        .build()?)
}
