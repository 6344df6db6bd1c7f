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
    account: Account,
}

#[derive(Deserialize)]
struct Account {
    id: usize,
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

/// Steps that were handed out, and what reports them all as completed.
pub struct Handed {
    /// Their accounts.
    pub accounts: Vec<usize>,
    report: Vec<u8>,
}

/// Claims up to `max` steps, and waits so long for some.
///
/// # Errors
/// When the server refuses.
pub async fn claim(bot: &mut Connection, max: usize, wait_ms: u32) -> Result<Handed> {
    let claim = format!(r#"{{"max":{max},"wait_ms":{wait_ms}}}"#);
    let answer = bot.post_raw("/v1/work/claim", claim.into_bytes()).await?;
    let Claimed { items } = serde_json::from_slice(&answer)?;
    let mut report = Vec::with_capacity(32 + 80 * items.len());
    report.extend_from_slice(br#"{"results":["#);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            report.push(b',');
        }
        report.extend_from_slice(br#"{"lease":""#);
        report.extend_from_slice(item.lease.as_bytes());
        report.extend_from_slice(br#"","outcome":"completed","execution_time_ms":120}"#);
    }
    report.extend_from_slice(b"]}");
    Ok(Handed {
        accounts: items.into_iter().map(|item| item.account.id).collect(),
        report,
    })
}

/// Reports what was handed out as completed; all of it must be accepted.
///
/// # Errors
/// When the server refuses, or does not accept a step.
pub async fn report(bot: &mut Connection, handed: Handed) -> Result<u64> {
    let answer = bot.post_raw("/v1/work/report", handed.report).await?;
    let Reported { receipts } = serde_json::from_slice(&answer)?;
    let accepted = receipts
        .iter()
        .filter(|receipt| receipt.verdict == "accepted")
        .count();
    let handed = handed.accounts.len();
    ensure!(accepted == handed, "of {handed} reports {accepted} were accepted");
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
                let handed = claim(&mut bot, batch, WAIT_MS).await?;
                let claim_took = asked.elapsed();
                if handed.accounts.is_empty() {
                    ensure!(
                        last.elapsed().as_secs() < STALL_SECS,
                        "{} of {steps} steps, and no more",
                        done.load(Ordering::Relaxed)
                    );
                    continue;
                }
                mine.claims.add(claim_took);
                let asked = Instant::now();
                let accepted = report(&mut bot, handed).await?;
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
