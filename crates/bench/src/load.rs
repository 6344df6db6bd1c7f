//! The load on Muster: bots over HTTP, each with a connection and a token of its own, that do nothing but claim and report.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{http::Connection, metrics::Latencies};

/// How long a bot that found nothing waits for work in the server.
const WAIT_MS: u32 = 500;

/// How long no step may be done before the load is given up.
const STALL_SECS: u64 = 60;

#[derive(Deserialize)]
struct Claimed<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    lease: &'a str,
}

#[derive(Deserialize)]
struct Reported<'a> {
    #[serde(borrow)]
    receipts: Vec<Receipt<'a>>,
}

#[derive(Deserialize)]
struct Receipt<'a> {
    verdict: &'a str,
}

/// What bots did.
#[derive(Debug, Default)]
pub struct Done {
    /// Steps whose reports were accepted.
    pub steps: u64,
    /// From the first request to the last accepted report.
    pub took: Duration,
    /// Of claims that gave something.
    pub claims: Latencies,
    /// Of reports.
    pub reports: Latencies,
}

/// Claims up to `max` steps, and gives the answer's body.
async fn claim(bot: &mut Connection, max: usize, wait_ms: u32) -> Result<hyper::body::Bytes> {
    bot.post_raw(
        "/v1/work/claim",
        format!(r#"{{"max":{max},"wait_ms":{wait_ms}}}"#).into_bytes(),
    )
    .await
}

/// Reports all that a claim gave as completed; gives how many were accepted, which must be all.
async fn report(bot: &mut Connection, claimed: &[u8]) -> Result<u64> {
    let Claimed { items } = serde_json::from_slice(claimed)?;
    let mut body = Vec::with_capacity(32 + 80 * items.len());
    body.extend_from_slice(br#"{"results":["#);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"lease":""#);
        body.extend_from_slice(item.lease.as_bytes());
        body.extend_from_slice(br#"","outcome":"completed","execution_time_ms":120}"#);
    }
    body.extend_from_slice(b"]}");
    let answer = bot.post_raw("/v1/work/report", body).await?;
    let Reported { receipts } = serde_json::from_slice(&answer)?;
    let accepted = receipts
        .iter()
        .filter(|receipt| receipt.verdict == "accepted")
        .count();
    ensure!(
        accepted == items.len(),
        "of {} reports {accepted} were accepted",
        items.len()
    );
    Ok(accepted as u64)
}

/// Lets the bots claim and report in batches until so many steps are done.
///
/// # Errors
/// When the server refuses something, or stalls.
pub async fn drain(bots: Vec<Connection>, batch: usize, steps: u64) -> Result<Done> {
    let (done, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut working = JoinSet::new();
    for mut bot in bots {
        let done = done.clone();
        working.spawn(async move {
            let mut mine = Done::default();
            let mut last = Instant::now();
            while done.load(Ordering::Relaxed) < steps {
                let asked = Instant::now();
                let claimed = claim(&mut bot, batch, WAIT_MS).await?;
                let claim_took = asked.elapsed();
                if claimed.starts_with(br#"{"items":[]"#) {
                    ensure!(
                        last.elapsed().as_secs() < STALL_SECS,
                        "{} of {steps} steps, and no more",
                        done.load(Ordering::Relaxed)
                    );
                    continue;
                }
                mine.claims.add(claim_took);
                let asked = Instant::now();
                let accepted = report(&mut bot, &claimed).await?;
                last = Instant::now();
                mine.reports.add(last - asked);
                mine.steps += accepted;
                mine.took = last - began;
                done.fetch_add(accepted, Ordering::Relaxed);
            }
            anyhow::Ok(mine)
        });
    }
    let mut all = Done::default();
    while let Some(ended) = working.join_next().await {
        all.add(ended??);
    }
    ensure!(all.steps == steps, "{} steps were done, not {steps}", all.steps);
    Ok(all)
}

impl Done {
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.took = self.took.max(other.took);
        self.claims.append(other.claims);
        self.reports.append(other.reports);
    }
}
