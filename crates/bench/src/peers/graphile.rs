//! `graphile_worker`: no history, deletes on completion, no fence. Set as its own benchmark of 200,000 jobs sets it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{Counter, LOOK_EVERY};

const SCHEMA: &str = "graphile_worker";

/// Connections of its pool, and jobs run side by side.
pub const CONNECTIONS: u32 = 100;
const CONCURRENCY: usize = 500;

/// Jobs fetched at once into its local queue.
pub const LOCAL_QUEUE_SIZE: usize = 5_000;

const POLL_EVERY: Duration = Duration::from_millis(5);
const COMPLETE_EVERY: Duration = Duration::from_millis(5);

/// Jobs added at once.
const ADD_AT_ONCE: u64 = 10_000;

#[derive(Serialize, Deserialize)]
struct Noop {
    id: u64,
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(counter) = ctx.get_ext::<Counter>() {
            counter.count();
        }
        Ok::<(), String>(())
    }
}

/// Makes its schema, and adds jobs.
///
/// # Errors
/// When the database refuses.
pub async fn fill(pool: &PgPool, jobs: u64) -> Result<()> {
    let utils = WorkerUtils::new(pool.clone(), SCHEMA);
    utils.migrate().await?;
    for first in (0..jobs).step_by(usize::try_from(ADD_AT_ONCE)?) {
        let chunk: Vec<RawJobSpec> = (first..jobs.min(first + ADD_AT_ONCE))
            .map(|id| RawJobSpec {
                identifier: Noop::IDENTIFIER.to_owned(),
                payload: serde_json::json!({ "id": id }),
                spec: JobSpec::default(),
            })
            .collect();
        utils.add_raw_jobs(&chunk).await?;
    }
    Ok(())
}

/// Runs all jobs, and gives how long it took until none was left in its table.
///
/// # Errors
/// When it fails, or stalls.
pub async fn drain(pool: &PgPool, jobs: u64, local_queue: bool) -> Result<Duration> {
    let counter = Counter::default();
    let mut options = WorkerOptions::default()
        .pg_pool(pool.clone())
        .schema(SCHEMA)
        .concurrency(CONCURRENCY)
        .poll_interval(POLL_EVERY)
        .complete_job_batch_delay(COMPLETE_EVERY)
        .listen_os_shutdown_signals(false)
        .add_extension(counter.clone())
        .define_job::<Noop>();
    if local_queue {
        options = options.local_queue(LocalQueueConfig::default().with_size(LOCAL_QUEUE_SIZE));
    }
    let worker = Arc::new(options.init().await?);
    let began = Instant::now();
    let running = tokio::spawn({
        let worker = worker.clone();
        async move { worker.run().await }
    });
    counter.wait_for(jobs).await?;
    while sqlx::query_scalar::<_, bool>(include_str!("../../sql/graphile_jobs_left.sql"))
        .fetch_one(pool)
        .await?
    {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    worker.request_shutdown();
    running.await?.context("graphile_worker")?;
    Ok(took)
}
