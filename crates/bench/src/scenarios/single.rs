//! One at a time: 64 bots, each claiming one step and reporting it before it claims the next.

use anyhow::Result;

use super::{drain::graphile_worker, told};
use crate::{
    bench::{Bench, Fill},
    load::{self, Done},
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
        let bots = server.bots(BOTS).await?;
        let meter = bench.meter(Some(&server)).await?;
        let Done {
            steps,
            took,
            claims,
            reports,
        } = load::drain(bots, 1, steps).await?;
        let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
        let cost = bench.finish(server, &meter, cost).await?;
        let run = Run::new(NAME, OURS, "steps", steps, took.as_secs_f64()).cost(cost);
        runs.push(told(
            run.latency("claim", claims.percentiles())
                .latency("report", reports.percentiles()),
        ));
        runs.push(graphile_worker(bench, NAME, GRAPHILE, steps, false).await?);
    }
    bench.clear(&[&template]).await?;
    Ok(runs)
}
