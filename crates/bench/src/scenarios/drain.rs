//! Many accounts through all five steps, as fast as it goes: ours over HTTP in batches, the peers with as many jobs that do
//! nothing; and ours again without HTTP, from inside PostgreSQL, and without row-level security, to show what each costs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::told;
use crate::{
    bench::{Bench, Fill, RUN, Template},
    cluster::{APP, OWNER, SUPERUSER},
    load,
    metrics::median,
    peers::{awa, graphile},
    report::Run,
};

pub const NAME: &str = "drain";
pub const OURS_500: &str = "Muster over HTTP, batch 500";
pub const OURS_50: &str = "Muster over HTTP, batch 50";
pub const GRAPHILE_LOCAL: &str = "graphile_worker, local queue 5000";
pub const AWA: &str = "awa, batches of 512";
pub const CEILING_500: &str = "Muster inside PostgreSQL, batch 500";
pub const CEILING_50: &str = "Muster inside PostgreSQL, batch 50";
pub const NO_RLS_50: &str = "Muster inside PostgreSQL, batch 50, no row-level security";
const DIRECT_500: &str = "Muster without HTTP, batch 500";
const DIRECT_50: &str = "Muster without HTTP, batch 50";

const STEPS_EACH: u64 = 5;

/// Connections that work without a server: as many as keep PostgreSQL busy.
const CONNECTIONS: i64 = 4;

/// Runs every subject in turn, as often as there are rounds.
///
/// # Errors
/// When something fails, or did other work than it should have.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let template = bench
        .template("drain", &[Fill::warming(bench.sizes.accounts)])
        .await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.rounds {
        runs.push(ours(bench, &template, OURS_500, 500).await?);
        runs.push(graphile_worker(bench, NAME, GRAPHILE_LOCAL, steps(bench), true).await?);
        runs.push(ours(bench, &template, OURS_50, 50).await?);
        runs.push(awa_worker(bench).await?);
        runs.push(without(Without::Server, bench, &template, CEILING_500, 500, APP).await?);
        runs.push(without(Without::Server, bench, &template, CEILING_50, 50, APP).await?);
        runs.push(without(Without::Server, bench, &template, NO_RLS_50, 50, SUPERUSER).await?);
        runs.push(without(Without::Http, bench, &template, DIRECT_500, 500, APP).await?);
        runs.push(without(Without::Http, bench, &template, DIRECT_50, 50, APP).await?);
    }
    bench.clear(&[&template]).await?;
    Ok(runs)
}

/// Runs ours once, at batch 500, and nothing else.
///
/// # Errors
/// When something fails.
pub async fn one(bench: &Bench) -> Result<Run> {
    let fill = Fill::warming(bench.sizes.accounts);
    let template = bench.template("drain", &[fill]).await?;
    let run = ours(bench, &template, OURS_500, 500).await?;
    bench.clear(&[&template]).await?;
    Ok(run)
}

/// The rate of ours at batch 500 among these runs, if it is among them.
#[must_use]
pub fn rate(runs: &[Run]) -> Option<f64> {
    let ours = runs
        .iter()
        .filter(|run| run.scenario == NAME && run.subject == OURS_500);
    median(&ours.map(Run::rate).collect::<Vec<_>>())
}

fn steps(bench: &Bench) -> u64 {
    u64::from(bench.sizes.accounts.unsigned_abs()) * STEPS_EACH
}

/// As a user has it, with as many steps in the hands of bots as the peer has in its local queue.
async fn ours(bench: &Bench, template: &Template, subject: &str, batch: usize) -> Result<Run> {
    let server = bench.serve(template).await?;
    let mut bots = server.bots(graphile::LOCAL_QUEUE_SIZE / batch).await?;
    let meter = bench.meter(Some(&server)).await?;
    let done = load::drain(&mut bots, batch, steps(bench)).await?;
    let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
    check(bench).await?;
    let cost = bench.finish(server, &meter, cost).await?;
    let run = Run::new(NAME, subject, "steps", done.steps, done.took.as_secs_f64()).cost(cost);
    Ok(told(
        run.latency("claim", done.claims.percentiles())
            .latency("report", done.reports.percentiles()),
    ))
}

/// How work is done without a server.
#[derive(Debug, Clone, Copy)]
enum Without {
    /// From inside PostgreSQL.
    Server,
    /// From a client of PostgreSQL.
    Http,
}

impl Without {
    /// Works until nothing is found; gives the steps done.
    async fn work(self, mut connection: PgConnection, bot: i64, batch: i32) -> Result<i64> {
        if matches!(self, Self::Server) {
            let call = sqlx::query_scalar(include_str!("../../sql/call_drain.sql"))
                .bind(1_i64)
                .bind(bot)
                .bind(batch);
            return Ok(call.fetch_one(&mut connection).await?);
        }
        let mut done = 0;
        loop {
            let claim = sqlx::query_as::<_, (i64, i64)>(include_str!("../../sql/claim.sql"));
            let claimed = claim
                .bind(1_i64)
                .bind(bot)
                .bind(batch)
                .fetch_all(&mut connection)
                .await?;
            if claimed.is_empty() {
                return Ok(done);
            }
            let (accounts, leases): (Vec<_>, Vec<_>) = claimed.into_iter().unzip();
            let report = sqlx::query_scalar::<_, i64>(include_str!("../../sql/report.sql"));
            done += report
                .bind(1_i64)
                .bind(bot)
                .bind(accounts)
                .bind(leases)
                .fetch_one(&mut connection)
                .await?;
        }
    }
}

/// Several connections that each work until they find nothing, again until all is done: what one finds ready, the report of
/// another may have made so a moment later.
async fn without(
    way: Without,
    bench: &Bench,
    template: &Template,
    subject: &str,
    batch: i32,
    role: &'static str,
) -> Result<Run> {
    bench.copy(template).await?;
    let mut owner = bench.cluster.connect(OWNER, RUN).await?;
    let bots: Vec<i64> = sqlx::query_scalar(include_str!("../../sql/bots.sql"))
        .bind(1_i64)
        .bind(CONNECTIONS)
        .fetch_all(&mut owner)
        .await?;
    drop(owner);
    let meter = bench.meter(None).await?;
    let (wanted, began, mut done) = (steps(bench), Instant::now(), 0);
    let mut took = Duration::ZERO;
    while done < wanted {
        let mut working = JoinSet::new();
        for bot in &bots {
            working.spawn(way.work(bench.cluster.connect(role, RUN).await?, *bot, batch));
        }
        let before = done;
        while let Some(ended) = working.join_next().await {
            done += ended??.unsigned_abs();
        }
        took = began.elapsed();
        ensure!(done > before, "{done} of {wanted} steps were done, and no more");
    }
    let mut cost = meter.stop(&bench.cluster, None).await?;
    check(bench).await?;
    meter.settle(&bench.cluster, &mut cost).await?;
    Ok(told(
        Run::new(NAME, subject, "steps", done, took.as_secs_f64()).cost(cost),
    ))
}

/// Sees that every step is logged once, and that every account waits for a person, with its history.
async fn check(bench: &Bench) -> Result<()> {
    let mut admin = bench.cluster.connect(SUPERUSER, RUN).await?;
    let (logged, waiting, written): (i64, i64, i64) = sqlx::query_as(include_str!("../../sql/warmed.sql"))
        .fetch_one(&mut admin)
        .await?;
    let accounts = i64::from(bench.sizes.accounts);
    ensure!(
        logged == accounts * 5,
        "{logged} steps are logged of {accounts} accounts"
    );
    ensure!(
        waiting == accounts && written == accounts,
        "of {accounts} accounts {waiting} wait, {written} by their history"
    );
    Ok(())
}

/// `graphile_worker` with jobs that do nothing.
///
/// # Errors
/// When it fails.
pub async fn graphile_worker(
    bench: &Bench,
    scenario: &'static str,
    subject: &str,
    jobs: u64,
    local_queue: bool,
) -> Result<Run> {
    bench.cluster.create(RUN, None).await?;
    let pool = bench.cluster.pool(OWNER, RUN, graphile::CONNECTIONS).await?;
    graphile::fill(&pool, jobs).await?;
    bench.cluster.settle(RUN).await?;
    let meter = bench.meter(None).await?;
    let took = graphile::drain(&pool, jobs, local_queue).await?;
    let mut cost = meter.stop(&bench.cluster, None).await?;
    pool.close().await;
    meter.settle(&bench.cluster, &mut cost).await?;
    Ok(told(
        Run::new(scenario, subject, "jobs", jobs, took.as_secs_f64()).cost(cost),
    ))
}

async fn awa_worker(bench: &Bench) -> Result<Run> {
    bench.cluster.create(RUN, None).await?;
    let (pool, jobs) = (awa::connect(&bench.cluster.url(OWNER, RUN)).await?, steps(bench));
    awa::fill(&pool, jobs).await?;
    bench.cluster.settle(RUN).await?;
    let meter = bench.meter(None).await?;
    let took = awa::drain(&pool, jobs).await?;
    let mut cost = meter.stop(&bench.cluster, None).await?;
    pool.close().await;
    meter.settle(&bench.cluster, &mut cost).await?;
    Ok(told(
        Run::new(NAME, AWA, "jobs", jobs, took.as_secs_f64()).cost(cost),
    ))
}
