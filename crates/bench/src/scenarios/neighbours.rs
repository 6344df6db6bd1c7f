//! Small tenants beside a large one: each small tenant's bot claims a few of its steps every so often, first in a
//! database without the large one, then while its bots drain it in large batches as fast as it goes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Result;

use super::told;
use crate::{
    bench::{BOTS, Bench, Fill, Template},
    http::Connection,
    load,
    report::Run,
    server::Server,
};

pub const NAME: &str = "small tenants";
pub const ALONE: &str = "small tenants, alone";
pub const BESIDE: &str = "small tenants, beside a large one that is drained";
pub const CLAIM: &str = "claim";

/// What is in the pools of a small tenant, who has one model.
const POOL_ITEMS: i32 = 5;

/// Steps that a small tenant's bot claims at once.
const BATCH: usize = 5;

/// How often each small tenant's bot claims before it counts: tokens are read for the first time, connections opened and plans made,
/// beside the large tenant or not.
const WARM_CLAIMS: u32 = 4;

/// Steps that the large tenant's bots claim at once.
const LARGE_BATCH: usize = 500;

/// Runs the small ones alone and beside the large one in turn, as often as there are rounds with a large one.
///
/// # Errors
/// When something fails.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let small = Fill {
        models: 1,
        items: POOL_ITEMS,
        accounts: bench.sizes.small_accounts,
        warming: bench.sizes.small_accounts,
    };
    let mut fills = vec![small; bench.sizes.small_tenants];
    let smalls = bench.template("small", &fills).await?;
    fills.push(Fill::warming(bench.sizes.large_accounts));
    let large = bench.template("large", &fills).await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.large_rounds {
        runs.push(one(bench, &smalls, ALONE).await?);
        runs.push(one(bench, &large, BESIDE).await?);
    }
    bench.clear(&[&smalls, &large]).await?;
    Ok(runs)
}

async fn one(bench: &Bench, template: &Template, subject: &str) -> Result<Run> {
    let server = bench.serve(template).await?;
    let (smalls, large) = template.owners.split_at(bench.sizes.small_tenants);
    let mut bots: Vec<Connection> = Vec::new();
    for owner in smalls {
        bots.extend(server.bots_of(owner, 1).await?);
    }
    let over = Arc::new(AtomicBool::new(false));
    let large = match large.first() {
        Some(owner) => Some(drain(&server, owner, BOTS, over.clone()).await?),
        None => None,
    };
    let every = bench.sizes.small_every;
    load::paced(&mut bots, BATCH, every, WARM_CLAIMS).await?;
    let meter = bench.meter(Some(&server)).await?;
    let done = load::paced(&mut bots, BATCH, every, bench.sizes.small_claims).await?;
    let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
    over.store(true, Ordering::Relaxed);
    let mut run = Run::new(NAME, subject, "steps", done.steps, done.took.as_secs_f64())
        .latency(CLAIM, done.claims.percentiles())
        .latency("report", done.reports.percentiles());
    if let Some(large) = large {
        let done = large.await??;
        run = run
            .figure(
                "of the large one, steps/s",
                done.steps as f64 / done.took.as_secs_f64(),
            )
            .latency("claim of the large one", done.claims.percentiles());
    }
    Ok(told(run.cost(bench.finish(server, &meter, cost).await?)))
}

/// Begins to drain the large tenant, until it is over.
async fn drain(
    server: &Server,
    owner: &str,
    bots: usize,
    over: Arc<AtomicBool>,
) -> Result<tokio::task::JoinHandle<Result<load::Done>>> {
    let mut bots = server.bots_of(owner, bots).await?;
    Ok(tokio::spawn(async move {
        load::work(&mut bots, LARGE_BATCH, move |_| over.load(Ordering::Relaxed)).await
    }))
}
