//! The load on Muster: bots over HTTP, each with a connection and a token of its own, that do nothing but claim and report.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{http::Connection, metrics::Latencies, server::LEASE_SECS};

/// How long a bot that found nothing waits for work in the server.
const WAIT_MS: u32 = 500;

/// How long a bot may find nothing before the load is given up.
const STALL_SECS: u64 = 60;

#[derive(Deserialize)]
struct Claimed<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    lease: &'a str,
    expires_at: &'a str,
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
    /// Steps whose reports were accepted; where nothing was reported, that were leased.
    pub steps: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Of claims that gave something, from being sent or from when they were to be sent.
    pub claims: Latencies,
    /// Of the same, from when the database began to lease: what is left when a claim that waited for work got some.
    pub answers: Latencies,
    /// Of reports.
    pub reports: Latencies,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.took = self.took.max(other.took);
        self.claims.append(other.claims);
        self.answers.append(other.answers);
        self.reports.append(other.reports);
    }
}

/// Steps that were handed out.
struct Handed {
    steps: u64,
    /// When the database began to lease them, where there are any.
    leased_at: Option<DateTime<Utc>>,
    /// What reports them all as completed.
    report: Vec<u8>,
}

async fn claim(bot: &mut Connection, max: usize, wait_ms: u32) -> Result<Handed> {
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
    let expires_at = items.first().map(|item| item.expires_at.parse::<DateTime<Utc>>());
    let expires_at = expires_at.transpose().context("a lease ends at a time")?;
    Ok(Handed {
        steps: items.len() as u64,
        leased_at: expires_at.map(|at| at - TimeDelta::seconds(LEASE_SECS.into())),
        report,
    })
}

/// Reports as completed what was handed out; all of it must be accepted.
async fn report(bot: &mut Connection, handed: Handed) -> Result<u64> {
    let answer = bot.post_raw("/v1/work/report", handed.report).await?;
    let Reported { receipts } = serde_json::from_slice(&answer)?;
    let accepted = receipts
        .iter()
        .filter(|receipt| receipt.verdict == "accepted")
        .count() as u64;
    ensure!(
        accepted == handed.steps,
        "of {} reports {accepted} were accepted",
        handed.steps
    );
    Ok(accepted)
}

/// Lets the bots claim and report in batches until so many steps are done, which may become ready only meanwhile.
///
/// # Errors
/// When the server refuses something, or stalls.
pub async fn drain(bots: &mut Vec<Connection>, batch: usize, steps: u64) -> Result<Done> {
    let all = work(bots, batch, move |done| done >= steps).await?;
    ensure!(all.steps == steps, "{} steps were done, not {steps}", all.steps);
    Ok(all)
}

/// Lets the bots claim and report in batches until what all of them did is enough.
///
/// # Errors
/// When the server refuses something, or stalls.
pub async fn work(
    bots: &mut Vec<Connection>,
    batch: usize,
    enough: impl Fn(u64) -> bool + Clone + Send + 'static,
) -> Result<Done> {
    let done = Arc::new(AtomicU64::new(0));
    side_by_side(bots, |_, mut bot, began| {
        let (done, enough) = (done.clone(), enough.clone());
        async move {
            let mut mine = Done::default();
            let mut last = began;
            while !enough(done.load(Ordering::Relaxed)) {
                let asked = Instant::now();
                let handed = claim(&mut bot, batch, WAIT_MS).await?;
                let Some(leased_at) = handed.leased_at else {
                    ensure!(
                        last.elapsed().as_secs() < STALL_SECS,
                        "{} steps were done, and no more",
                        done.load(Ordering::Relaxed)
                    );
                    continue;
                };
                mine.claims.add(asked.elapsed());
                mine.answers
                    .add((Utc::now() - leased_at).to_std().unwrap_or_default());
                let asked = Instant::now();
                let accepted = report(&mut bot, handed).await?;
                last = Instant::now();
                mine.reports.add(last - asked);
                mine.steps += accepted;
                mine.took = last - began;
                done.fetch_add(accepted, Ordering::Relaxed);
            }
            Ok((bot, mine))
        }
    })
    .await
}

/// Lets each bot claim a batch every so often, however long answers take, and report it at once, so many times; so much must be
/// ready. They take turns. A claim's latency counts from when it was to be sent.
///
/// # Errors
/// When the server refuses something, or has nothing to hand out.
pub async fn paced(bots: &mut Vec<Connection>, batch: usize, every: Duration, times: u32) -> Result<Done> {
    let between = every.div_f64(bots.len().max(1) as f64);
    side_by_side(bots, |n, mut bot, began| async move {
        let mut mine = Done::default();
        for time in 0..times {
            let due = began + between * n + every * time;
            tokio::time::sleep_until(due.into()).await;
            let handed = claim(&mut bot, batch, 0).await?;
            ensure!(handed.steps > 0, "nothing was ready after {} steps", mine.steps);
            mine.claims.add(due.elapsed());
            let asked = Instant::now();
            mine.steps += report(&mut bot, handed).await?;
            mine.reports.add(asked.elapsed());
            mine.took = began.elapsed();
        }
        Ok((bot, mine))
    })
    .await
}

/// Lets the bots claim in batches, and report nothing, until so many steps are leased, which must be ready.
///
/// # Errors
/// When the server refuses something, or has too little to hand out.
pub async fn lease(bots: &mut Vec<Connection>, batch: usize, steps: u64) -> Result<Done> {
    let all = side_by_side(bots, |_, mut bot, began| async move {
        let mut mine = Done::default();
        loop {
            let asked = Instant::now();
            let handed = claim(&mut bot, batch, 0).await?;
            if handed.steps == 0 {
                return Ok((bot, mine));
            }
            mine.claims.add(asked.elapsed());
            mine.steps += handed.steps;
            mine.took = began.elapsed();
        }
    })
    .await?;
    ensure!(all.steps == steps, "{} steps were leased, not {steps}", all.steps);
    Ok(all)
}

/// Has each bot work by itself, told which it is and when all began, and gives what all of them did.
async fn side_by_side<W>(
    bots: &mut Vec<Connection>,
    work: impl Fn(u32, Connection, Instant) -> W,
) -> Result<Done>
where
    W: Future<Output = Result<(Connection, Done)>> + Send + 'static,
{
    let began = Instant::now();
    let mut working: JoinSet<_> = (0..)
        .zip(bots.drain(..))
        .map(|(n, bot)| work(n, bot, began))
        .collect();
    let mut all = Done::default();
    while let Some(ended) = working.join_next().await {
        let (bot, done) = ended??;
        bots.push(bot);
        all.add(done);
    }
    Ok(all)
}
