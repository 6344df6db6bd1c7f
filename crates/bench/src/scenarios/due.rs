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

/// The tenant of a template that has one.
const TENANT: i64 = 1;

/// Claims all that is ready, in each of the three in turn, as often as there are rounds. What is ready lies in the same way in all of
/// them: the others' steps are queued later, and take no room beside it.
///
/// # Errors
/// When something fails, or what is not due is handed out.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let ready = bench.sizes.ready_accounts;
    let alone = bench.template("ready", &[Fill::warming(ready)]).await?;
    let others = Fill {
        warming: ready,
        ..Fill::warming(bench.sizes.large_accounts)
    };
    let without = bench.template("without", &[others]).await?;
    for template in [&alone, &without] {
        bench.cluster.compact(template.name()).await?;
    }
    let beside = bench.another("beside", &without).await?;
    let mut admin = bench.cluster.connect(SUPERUSER, beside.name()).await?;
    sqlx::query(include_str!("../../sql/begin.sql"))
        .bind(TENANT)
        .execute(&mut admin)
        .await?;
    bench.cluster.analyse(beside.name()).await?;
    sqlx::query(include_str!("../../sql/postpone.sql"))
        .bind(TENANT)
        .bind(ready)
        .execute(&mut admin)
        .await?;
    drop(admin);
    let subjects = [(&alone, ALONE), (&without, WITHOUT), (&beside, BESIDE)];
    for (template, _) in subjects {
        bench.cluster.settle(template.name()).await?;
    }
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.large_rounds {
        for (template, subject) in subjects {
            runs.push(one(bench, template, subject).await?);
        }
    }
    bench.clear(&[&alone, &without, &beside]).await?;
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
