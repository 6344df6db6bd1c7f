//! Steady load: accounts become ready one after the other, at a fifth of the rate that the drain of the same report reached,
//! however fast the work goes. Once with nothing else, and once while a transaction that goes on for all of it keeps PostgreSQL
//! from removing anything that died. Before and after the load a burst of accounts is drained, to see what the server could do.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};
use sqlx::PgConnection;

use super::{drain, told};
use crate::{
    bench::{BOTS, Bench, Fill, RUN, Template},
    cluster::SUPERUSER,
    load,
    metrics::Percentiles,
    report::Run,
};

pub const NAME: &str = "steady load";
pub const FREE: &str = "Muster over HTTP";
pub const PINNED: &str = "Muster over HTTP, beside a transaction that goes on";
pub const BURST_BEFORE: &str = "burst before, steps/s";
pub const BURST_AFTER: &str = "burst after, steps/s";

const STEPS_EACH: u64 = 5;
const BATCH: usize = 500;

/// The part of the drain's rate that is asked for.
const PART: f64 = 0.2;

/// How many parts of the load the first and the last are of which latencies are told apart.
const PARTS: f64 = 10.0;

/// How long before it begins the load is written down: as long as it took to fill the database, which is more work, and so much more,
/// for the server to start and the first burst.
const AHEAD_SECS: f64 = 3.0;

/// How long after the load's last account the last burst becomes due: it is written down with the load, so that nothing but Muster
/// writes beside the transaction, and the load must have ended by then.
const BURST_AFTER_SECS: f64 = 2.0;

/// What is asked of one run.
#[derive(Debug, Clone, Copy)]
struct Load {
    burst_accounts: i32,
    accounts: i32,
    accounts_per_sec: f64,
    pinned: bool,
}

impl Load {
    fn new(bench: &Bench, steps_per_sec: f64, secs: u32, pinned: bool) -> Self {
        let accounts_per_sec = steps_per_sec / STEPS_EACH as f64;
        Self {
            burst_accounts: bench.sizes.burst_accounts,
            accounts: (accounts_per_sec * f64::from(secs)) as i32,
            accounts_per_sec,
            pinned,
        }
    }

    /// How many seconds after the load's beginning the last burst becomes due.
    fn burst_after_secs(self) -> f64 {
        f64::from(self.accounts) / self.accounts_per_sec + BURST_AFTER_SECS
    }

    fn all_accounts(self) -> i32 {
        self.accounts + 2 * self.burst_accounts
    }
}

/// Runs the load as often as there are rounds, and once beside a transaction. `drained` is the drain's rate; where it was not
/// measured, it is now.
///
/// # Errors
/// When something fails, or the server falls behind for good.
pub async fn run(bench: &Bench, drained: Option<f64>) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    let drained = if let Some(rate) = drained {
        rate
    } else {
        let run = drain::one(bench).await?;
        let rate = run.rate();
        runs.push(run);
        rate
    };
    let free = Load::new(bench, drained * PART, bench.sizes.steady_secs, false);
    let pinned = Load::new(bench, drained * PART, bench.sizes.pinned_secs, true);
    for (load, subject, rounds) in [(free, FREE, bench.sizes.rounds), (pinned, PINNED, 1)] {
        let template = bench
            .template("steady", &[Fill::warming(load.all_accounts())])
            .await?;
        for _ in 0..rounds {
            runs.push(one(bench, &template, subject, load).await?);
        }
        bench.clear(&[&template]).await?;
    }
    Ok(runs)
}

async fn one(bench: &Bench, template: &Template, subject: &str, load: Load) -> Result<Run> {
    bench.copy(template).await?;
    let mut admin = bench.cluster.connect(SUPERUSER, RUN).await?;
    let starts = now_secs() + template.filled_in.as_secs_f64() + AHEAD_SECS;
    schedule(&mut admin, load, starts).await?;
    bench.cluster.settle(RUN).await?;
    let server = bench.serve_run(template).await?;
    let mut bots = server.bots(BOTS).await?;
    let mut other = bench.cluster.connect(SUPERUSER, RUN).await?;
    if load.pinned {
        sqlx::raw_sql(include_str!("../../sql/pin.sql"))
            .execute(&mut other)
            .await?;
    }

    let burst_steps = u64::from(load.burst_accounts.unsigned_abs()) * STEPS_EACH;
    let before = load::drain(&mut bots, BATCH, burst_steps).await?;
    let until_start = starts - now_secs();
    ensure!(
        until_start > 0.0,
        "the first burst ended {} seconds after the load was to begin",
        -until_start
    );
    let meter = bench.meter(Some(&server)).await?;
    tokio::time::sleep(Duration::from_secs_f64(starts - now_secs())).await;
    let began = Instant::now();
    let steps = u64::from(load.accounts.unsigned_abs()) * STEPS_EACH;
    let done = load::drain(&mut bots, BATCH, steps).await?;
    let (took, ended) = (began.elapsed().as_secs_f64(), now_secs());
    let mut cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
    meter.settle(&bench.cluster, &mut cost).await?;

    let burst_at = starts + load.burst_after_secs();
    ensure!(
        now_secs() < burst_at,
        "the load ended {} seconds after the last burst was to begin",
        now_secs() - burst_at
    );
    // As before the first burst: after a checkpoint the first change of each page is logged whole.
    sqlx::raw_sql("checkpoint").execute(&mut admin).await?;
    tokio::time::sleep(Duration::from_secs_f64((burst_at - now_secs()).max(0.0))).await;
    let after = load::drain(&mut bots, BATCH, burst_steps).await?;
    drop(other);
    bench.end(server).await?;

    let part = (ended - starts) / PARTS;
    let rate = |done: &load::Done| done.steps as f64 / done.took.as_secs_f64();
    Ok(told(
        Run::new(NAME, subject, "steps", done.steps, took)
            .cost(cost)
            .latency("claim to answer", done.answers.percentiles())
            .latency("report", done.reports.percentiles())
            .latency("ready to claim", waited(&mut admin, starts, ended).await?)
            .latency(
                "ready to claim, first tenth",
                waited(&mut admin, starts, starts + part).await?,
            )
            .latency(
                "ready to claim, last tenth",
                waited(&mut admin, ended - part, ended).await?,
            )
            .figure("asked, steps/s", load.accounts_per_sec * STEPS_EACH as f64)
            .figure(BURST_BEFORE, rate(&before))
            .figure(BURST_AFTER, rate(&after)),
    ))
}

async fn schedule(admin: &mut PgConnection, load: Load, starts: f64) -> Result<()> {
    sqlx::query(include_str!("../../sql/schedule.sql"))
        .bind(1_i64)
        .bind(i64::from(load.burst_accounts))
        .bind(i64::from(load.accounts))
        .bind(starts)
        .bind(load.accounts_per_sec)
        .bind(starts + load.burst_after_secs())
        .execute(&mut *admin)
        .await?;
    sqlx::raw_sql(include_str!("../../sql/scheduled.sql"))
        .execute(admin)
        .await?;
    Ok(())
}

/// How long steps were ready that were leased in a time, in seconds since 1970.
async fn waited(admin: &mut PgConnection, from: f64, to: f64) -> Result<Option<Percentiles>> {
    let found: Option<(i64, f64, f64, f64, f64)> = sqlx::query_as(include_str!("../../sql/waited.sql"))
        .bind(1_i64)
        .bind(from)
        .bind(to)
        .fetch_optional(admin)
        .await?;
    Ok(found.map(|(count, p50_ms, p99_ms, p999_ms, max_ms)| Percentiles {
        count: usize::try_from(count).unwrap_or_default(),
        p50_ms,
        p99_ms,
        p999_ms,
        max_ms,
    }))
}

fn now_secs() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
