//! Every account that waits for a proxy gets one with room, in as many calls as the API asks for.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::told;
use crate::{
    bench::{Bench, Fill},
    metrics::Latencies,
    report::Run,
};

pub const NAME: &str = "assignment";
pub const OURS: &str = "Muster over HTTP";

/// Pictures, or texts, of each type in a model's pools.
const POOL_ITEMS: i32 = 20;

const MODELS: i32 = 10;

#[derive(Deserialize)]
struct Assigned {
    assigned: u64,
    next: Option<i64>,
}

/// Assigns all accounts, as often as there are rounds.
///
/// # Errors
/// When something fails, or an account was left without a proxy.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let wanted = bench.sizes.assigned_accounts;
    let fill = Fill {
        models: MODELS,
        items: POOL_ITEMS,
        accounts: wanted,
        warming: 0,
    };
    let template = bench.template("assignment", &[fill]).await?;
    let mut runs = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let server = bench.serve(&template).await?;
        let mut owner = server.owner().await?;
        let meter = bench.meter(Some(&server)).await?;
        let (began, mut done, mut after, mut calls) = (Instant::now(), 0, None, Latencies::default());
        loop {
            let asked = Instant::now();
            let answer: Assigned = owner
                .post("/v1/proxies/assign", &json!({ "after": after }))
                .await?;
            calls.add(asked.elapsed());
            done += answer.assigned;
            after = answer.next;
            if after.is_none() {
                break;
            }
        }
        let took = began.elapsed();
        let cost = meter.stop(&bench.cluster, Some(server.pid())).await?;
        ensure!(
            done == u64::from(wanted.unsigned_abs()),
            "{done} of {wanted} accounts were given a proxy"
        );
        let cost = bench.finish(server, &meter, cost).await?;
        let run = Run::new(NAME, OURS, "accounts", done, took.as_secs_f64()).cost(cost);
        runs.push(told(run.latency("call", calls.percentiles())));
    }
    bench.clear(&[&template]).await?;
    Ok(runs)
}
