//! Claims of what is ready beside many steps of the same tenant that are not due yet, beside as many accounts that have no step, and
//! alone. Nothing is reported: a report costs more than a claim and would hide a difference.

use anyhow::Result;

use super::told;
use crate::{
    bench::{BOTS, Bench, Fill, Template},
    cluster::SUPERUSER,
    load,
    report::Run,
};

pub const NAME: &str = "not yet due";
pub const ALONE: &str = "claims of what is ready, of no other accounts";
/// The same accounts as of [`BESIDE`], so that these two differ by the steps that are not due and nothing else.
pub const WITHOUT: &str = "claims of what is ready, of accounts without a step";
pub const BESIDE: &str = "claims of what is ready, beside what is not due";

const BATCH: usize = 500;

/// Claims all that is ready, in each of the three in turn, as often as there are rounds. All of the large tenant is ready, and is
/// postponed here but for as much as is claimed.
///
/// # Errors
/// When something fails, or what is not due is handed out.
pub async fn run(bench: &Bench, large: &Template) -> Result<Vec<Run>> {
    let ready = bench.sizes.ready_accounts;
    let alone = bench.template("ready", &[Fill::warming(ready)]).await?;
    let others = Fill {
        warming: ready,
        ..Fill::warming(bench.sizes.large_accounts)
    };
    let without = bench.template("without", &[others]).await?;
    let mut admin = bench.cluster.connect(SUPERUSER, large.name()).await?;
    sqlx::query(include_str!("../../sql/postpone.sql"))
        .bind(large.owners.len() as i64)
        .bind(ready)
        .execute(&mut admin)
        .await?;
    drop(admin);
    bench.cluster.settle(large.name()).await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.large_rounds {
        runs.push(one(bench, &alone, ALONE).await?);
        runs.push(one(bench, &without, WITHOUT).await?);
        runs.push(one(bench, large, BESIDE).await?);
    }
    bench.clear(&[&alone, &without]).await?;
    Ok(runs)
}

async fn one(bench: &Bench, template: &Template, subject: &str) -> Result<Run> {
    let server = bench.serve(template).await?;
    let mut bots = server.bots(BOTS).await?;
    let meter = bench.meter(Some(&server)).await?;
    let ready = u64::from(bench.sizes.ready_accounts.unsigned_abs());
    let done = load::lease(&mut bots, BATCH, ready).await?;
    let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
    let cost = bench.finish(server, &meter, cost).await?;
    Ok(told(
        Run::new(NAME, subject, "claims", done.steps, done.took.as_secs_f64())
            .cost(cost)
            .latency("claim", done.claims.percentiles()),
    ))
}
