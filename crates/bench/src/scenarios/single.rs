//! One at a time: 64 bots, each claiming one step and reporting it before it claims the next.

use anyhow::Result;

use super::{drain::graphile_worker, told};
use crate::{
    bench::{Bench, Fill},
    load,
    report::Run,
};

pub const NAME: &str = "one at a time";
pub const OURS: &str = "Muster over HTTP, 64 bots";
pub const GRAPHILE: &str = "graphile_worker, no local queue";

const BOTS: usize = 64;
const STEPS_EACH: u64 = 5;

/// Runs ours and the peer in turn, as often as there are rounds.
///
/// # Errors
/// When something fails.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let accounts = bench.sizes.single_accounts;
    let steps = u64::from(accounts.unsigned_abs()) * STEPS_EACH;
    let template = bench.template("single", &[Fill::warming(accounts)]).await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let server = bench.serve(&template).await?;
        let mut bots = server.bots(BOTS).await?;
        let meter = bench.meter(Some(&server)).await?;
        let done = load::drain(&mut bots, 1, steps).await?;
        let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
        let cost = bench.finish(server, &meter, cost).await?;
        let run = Run::new(NAME, OURS, "steps", steps, done.took.as_secs_f64()).cost(cost);
        runs.push(told(
            run.latency("claim", done.claims.percentiles())
                .latency("report", done.reports.percentiles()),
        ));
        runs.push(graphile_worker(bench, NAME, GRAPHILE, steps, false).await?);
    }
    bench.clear(&[&template]).await?;
    Ok(runs)
}
