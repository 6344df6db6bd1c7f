//! The demo is the main job: files become accounts, accounts get proxies, bots lead them through the five steps over the real
//! API, people (or an automatic reviewer) decide, and the accounts are put to use. The bots only pretend to work: they wait,
//! fail now and then, and ask for a person now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt};
use muster_client::{Client, ClientError, Done, StepError, Worker};
use muster_wire::{
    Event, ImportId,
    accounts::{NewTransitions, Transitions},
    bots::Bot,
    doctor::Examination,
    imports::{Commit, CommitRows, Import, ImportKind},
    proxies::{Assign, Assigned},
    reviews::{Decision, NewDecisions, Review, ReviewKind},
    tokens::IssuedToken,
    work::WorkItem,
};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

mod files;
mod pictures;

pub use files::{File, generated, samples};
pub use pictures::illustrate;

/// How a simulated step goes.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Bots, each with its own token.
    pub bots: usize,
    /// Steps that each works side by side.
    pub concurrency: usize,
    /// How long a step takes, at least and at most, in milliseconds.
    pub latency_ms: (u64, u64),
    /// Of a hundred steps, how many fail.
    pub failures_percent: u32,
    /// Of a thousand steps, how many ask for a person.
    pub reviews_permille: u32,
}

/// What the demo did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Accounts stored from the files.
    pub imported: i64,
    /// Rows of all files that were refused.
    pub rejected: i64,
    /// Accounts that were given a proxy.
    pub proxies_assigned: i64,
    /// Steps that bots reported as completed.
    pub steps_completed: u64,
    /// Steps that bots reported as failed.
    pub steps_failed: u64,
    /// Accounts that were handed to a person before their warm-up was complete.
    pub escalated: u64,
    /// Accounts that were approved.
    pub approved: u64,
    /// Accounts that are in use at the end.
    pub active: i64,
    /// How long it took from the first file to the doctor's word.
    pub seconds: f64,
    /// What the doctor found.
    pub doctor_findings: usize,
}

/// Imports the files, good rows only. Gives the accounts stored and the rows refused.
///
/// # Errors
/// When the server refuses a file whole, or cannot be reached.
pub async fn import(
    owner: &Client,
    files: &[File],
    mut told: impl FnMut(&File, &Import),
) -> Result<(i64, i64), ClientError> {
    let (mut accounts, mut rejected) = (0, 0);
    for file in files {
        let query = [("kind", file.kind.word()), ("file_name", file.name)];
        let staged: Import = owner.upload("/v1/imports", &query, file.bytes.clone()).await?;
        let ImportId(id) = staged.id;
        let import: Import = owner
            .post(
                &format!("/v1/imports/{id}/commit"),
                &Commit {
                    rows: CommitRows::Good,
                },
            )
            .await?;
        told(file, &import);
        rejected += import.rejected_rows;
        if file.kind == ImportKind::Accounts {
            accounts += import.new_rows;
        }
    }
    Ok((accounts, rejected))
}

/// Gives every account that waits for one a proxy, and begins the warm-ups. Gives how many got one.
///
/// # Errors
/// When the server refuses, or cannot be reached.
pub async fn begin(owner: &Client) -> Result<i64, ClientError> {
    let mut assign = Assign::default();
    let mut assigned = 0;
    loop {
        let done: Assigned = owner.post("/v1/proxies/assign", &assign).await?;
        assigned += done.assigned;
        assign.after = done.next;
        if done.next.is_none() {
            break;
        }
    }
    move_all(owner, Event::StartWarmup, "state:proxy_assigned").await?;
    Ok(assigned)
}

/// Moves all accounts that match: asks how many first, and says so.
async fn move_all(owner: &Client, event: Event, filter: &str) -> Result<i64, ClientError> {
    let mut asked = NewTransitions {
        event,
        reason: Some("demo".to_owned()),
        filter: Some(filter.to_owned()),
        ids: None,
        expected_count: None,
        dry_run: true,
    };
    let would: Transitions = owner.post("/v1/accounts/transitions", &asked).await?;
    if would.matched == 0 {
        return Ok(0);
    }
    asked.expected_count = Some(would.matched);
    asked.dry_run = false;
    let done: Transitions = owner.post("/v1/accounts/transitions", &asked).await?;
    Ok(done.moved)
}

/// Bots that work until they are stopped.
#[derive(Debug)]
pub struct Bots {
    running: JoinSet<Result<muster_client::Tally, ClientError>>,
    stop: CancellationToken,
    /// Steps worked so far, however they ended.
    pub steps: Arc<AtomicU64>,
}

impl Bots {
    /// Makes the bots and their tokens over the API, and sets them to work.
    ///
    /// # Errors
    /// When the server refuses, or cannot be reached.
    pub async fn start(owner: &Client, simulation: Simulation) -> Result<Self, ClientError> {
        let mut this = Self {
            running: JoinSet::new(),
            stop: CancellationToken::new(),
            steps: Arc::default(),
        };
        for n in 1..=simulation.bots {
            let name = format!("demo-{n}");
            let bot: Bot = owner.create("/v1/bots", &json!({"name": name})).await?;
            let body = json!({"kind": "bot", "name": name, "bot_id": bot.id, "requests_per_minute": 600_000});
            let issued: IssuedToken = owner.post("/v1/tokens", &body).await?;
            let client = Client::new(owner.url(), issued.secret.0)?;
            let worker = Worker::new(client)
                .concurrency(simulation.concurrency)
                .session(name);
            let (steps, stop) = (this.steps.clone(), this.stop.clone());
            let handler = move |item: WorkItem| {
                steps.fetch_add(1, Ordering::Relaxed);
                pretend(item, simulation)
            };
            this.running.spawn(worker.run(handler, stop.cancelled_owned()));
        }
        Ok(this)
    }

    /// Nothing while all bots work; what ended one of them otherwise.
    ///
    /// # Errors
    /// What ended a bot although nobody stopped it.
    pub fn all_working(&mut self) -> Result<(), ClientError> {
        match self.running.try_join_next() {
            Some(ended) => ended.expect("a bot's loop does not panic").map(drop),
            None => Ok(()),
        }
    }

    /// Lets what is under way end, and gives what the bots did together.
    ///
    /// # Errors
    /// What ended a bot before it was stopped.
    pub async fn stop(mut self) -> Result<muster_client::Tally, ClientError> {
        self.stop.cancel();
        let mut sum = muster_client::Tally::default();
        while let Some(ended) = self.running.join_next().await {
            let tally = ended.expect("a bot's loop does not panic")?;
            sum.completed += tally.completed;
            sum.failed += tally.failed;
            sum.requires_review += tally.requires_review;
            sum.stale += tally.stale;
        }
        Ok(sum)
    }
}

/// A step that nobody really does.
async fn pretend(item: WorkItem, simulation: Simulation) -> Result<Done, StepError> {
    let (least, most) = simulation.latency_ms;
    tokio::time::sleep(Duration::from_millis(rand::random_range(least..=most))).await;
    if rand::random_range(0..1000) < simulation.reviews_permille {
        return Err(StepError::needs_review(format!(
            "simulated: somebody should look at {}",
            item.account.username
        )));
    }
    if rand::random_range(0..100) < simulation.failures_percent {
        return Err(StepError::failed("simulated: the platform did not answer"));
    }
    Ok(Done {
        response: Some(json!({"simulated": true})),
    })
}

/// What an automatic reviewer decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decided {
    /// Approved.
    pub approved: u64,
    /// Sent back to their step.
    pub resumed: u64,
}

/// Decides what waits for a person: approves complete warm-ups, sends the others back to their step.
///
/// # Errors
/// When the server refuses, or cannot be reached.
pub async fn review(owner: &Client) -> Result<Decided, ClientError> {
    let waiting: Vec<Review> = owner.list("/v1/reviews", "").take(5_000).try_collect().await?;
    let ids = |finished: bool| {
        let of_kind = |r: &&Review| (r.kind == ReviewKind::Escalated) != finished;
        waiting
            .iter()
            .filter(of_kind)
            .map(|r| r.account.id)
            .collect::<Vec<_>>()
    };
    let mut decided = Decided::default();
    for (decision, ids) in [(Decision::Approve, ids(true)), (Decision::Resume, ids(false))] {
        if ids.is_empty() {
            continue;
        }
        let asked = NewDecisions {
            decision,
            reason: "demo: decided by the automatic reviewer".to_owned(),
            filter: None,
            ids: Some(ids),
            expected_count: None,
            dry_run: false,
        };
        let done: Transitions = owner.post("/v1/reviews", &asked).await?;
        match decision {
            Decision::Approve => decided.approved += done.moved.unsigned_abs(),
            _ => decided.resumed += done.moved.unsigned_abs(),
        }
    }
    Ok(decided)
}

/// The whole main job on a server that has nothing yet, with an automatic reviewer, to the last account.
///
/// # Errors
/// When the server refuses, or cannot be reached.
pub async fn run(
    owner: &Client,
    files: &[File],
    simulation: Simulation,
    mut progress: impl FnMut(&Summary),
) -> Result<Summary, ClientError> {
    let began = std::time::Instant::now();
    let mut summary = Summary::default();
    (summary.imported, summary.rejected) = import(owner, files, |_, _| {}).await?;
    summary.proxies_assigned = begin(owner).await?;
    let mut bots = Bots::start(owner, simulation).await?;
    while summary.active < summary.proxies_assigned {
        bots.all_working()?;
        let decided = review(owner).await?;
        summary.approved += decided.approved;
        summary.escalated += decided.resumed;
        let activated = move_all(owner, Event::Activate, "state:ready").await?;
        summary.active += activated;
        summary.steps_completed = bots.steps.load(Ordering::Relaxed);
        summary.seconds = began.elapsed().as_secs_f64();
        progress(&summary);
        if activated == 0 && decided.approved + decided.resumed == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let tally = bots.stop().await?;
    summary.steps_completed = tally.completed;
    summary.steps_failed = tally.failed;
    let examination: Examination = owner.get("/v1/doctor", &[]).await?;
    summary.doctor_findings = examination.findings.len();
    summary.seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    Ok(summary)
}
