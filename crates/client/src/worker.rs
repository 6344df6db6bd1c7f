//! The worker loop: claims steps, works them side by side, keeps their leases, and reports in batches.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use muster_wire::{
    ModelId, Step,
    work::{
        CLAIM_LEASES_MAX, Claim, ERROR_CHARS_MAX, Lease, Leases, Outcome, Report, StepResult, Verdict,
        WorkItem,
    },
};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tracing::{debug, warn};

use crate::{Client, ClientError};

/// How long a claim waits for work.
const WAIT_MS: u32 = 20_000;

/// The most results that go into one report.
const REPORT_ITEMS_MAX: usize = 500;

/// How long the loop waits after the server could not be reached.
const PAUSE_MS_AFTER_ERROR: u64 = 1_000;

/// How long steps that are under way may take to end, when the loop is stopped, before they are given back.
const GRACE_SECS: u64 = 30;

/// What a lease is taken to last, at least: it is not extended more often than twice in this time.
const LEASE_MIN: Duration = Duration::from_millis(200);

/// A step that was done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// What the platform answered, for the log.
    pub response: Option<Value>,
}

/// A step that was not done.
#[derive(Debug, Clone)]
pub struct StepError {
    outcome: Outcome,
    error: String,
    response: Option<Value>,
}

impl StepError {
    /// It may work another time: the server tries it again, until the attempts are used up.
    pub fn failed(error: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            error: error.into(),
            response: None,
        }
    }

    /// A person has to look before it is tried again.
    pub fn needs_review(error: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::RequiresReview,
            error: error.into(),
            response: None,
        }
    }

    /// The same, with what the platform answered.
    #[must_use]
    pub fn with_response(mut self, response: Value) -> Self {
        self.response = Some(response);
        self
    }
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps completed, as the server accepted them.
    pub completed: u64,
    /// Steps failed.
    pub failed: u64,
    /// Steps handed to a person.
    pub requires_review: u64,
    /// Reports that came after their lease was lost, and changed nothing.
    pub stale: u64,
}

/// A bot's loop.
#[derive(Debug, Clone)]
pub struct Worker {
    client: Client,
    concurrency: usize,
    steps: Vec<Step>,
    model: Option<ModelId>,
    session: Option<String>,
}

impl Worker {
    /// A loop that works one step at a time, of any kind and model.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            concurrency: 1,
            steps: Vec::new(),
            model: None,
            session: None,
        }
    }

    /// Works up to this many steps side by side, at most 1000.
    #[must_use]
    pub fn concurrency(mut self, steps: usize) -> Self {
        self.concurrency = steps.clamp(1, CLAIM_LEASES_MAX as usize);
        self
    }

    /// Works only these steps.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps = steps.into_iter().collect();
        self
    }

    /// Works only accounts of this model.
    #[must_use]
    pub fn model(mut self, model: ModelId) -> Self {
        self.model = Some(model);
        self
    }

    /// Names this run in the step logs.
    #[must_use]
    pub fn session(mut self, name: impl Into<String>) -> Self {
        self.session = Some(name.into());
        self
    }

    /// Runs until `stop` is done: then claims nothing more, lets what is under way end for half a minute, reports it, and
    /// gives the rest back. A handler that panics is a step that failed. While the server cannot be reached, the loop tries
    /// again; a step whose lease was lost meanwhile is dropped.
    ///
    /// # Errors
    /// When the server refuses the token or the request.
    pub async fn run<H, R>(self, handler: H, stop: impl Future<Output = ()>) -> Result<Tally, ClientError>
    where
        H: Fn(WorkItem) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Done, StepError>> + Send + 'static,
    {
        let (done, results) = mpsc::unbounded_channel();
        let mut run = Run {
            worker: self,
            handler: Arc::new(handler),
            running: HashMap::new(),
            tasks: JoinSet::new(),
            done,
            results,
            tally: Tally::default(),
        };
        let mut stop = std::pin::pin!(stop);
        let ended = loop {
            tokio::select! {
                biased;
                () = &mut stop => break Ok(()),
                turn = run.turn() => if let Err(error) = turn { break Err(error) },
            }
        };
        let wound_up = run.wind_up().await;
        ended.and(wound_up)?;
        Ok(run.tally)
    }
}

struct Held {
    task: AbortHandle,
    /// When it was leased, by the database's clock and by ours, which only tells how long ago that is: the bot's may be wrong.
    leased_at: DateTime<Utc>,
    begun: Instant,
    extend_at: Instant,
}

impl Held {
    /// When half of what is left of the lease is over.
    fn halfway(leased_at: DateTime<Utc>, begun: Instant, expires_at: DateTime<Utc>) -> Instant {
        let left = expires_at - (leased_at + begun.elapsed());
        Instant::now() + left.to_std().unwrap_or_default().max(LEASE_MIN) / 2
    }
}

struct Run<H> {
    worker: Worker,
    handler: Arc<H>,
    running: HashMap<Lease, Held>,
    tasks: JoinSet<()>,
    done: mpsc::UnboundedSender<StepResult>,
    results: mpsc::UnboundedReceiver<StepResult>,
    tally: Tally,
}

impl<H, R> Run<H>
where
    H: Fn(WorkItem) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Done, StepError>> + Send + 'static,
{
    /// One turn: claim while there is room, or wait for what is under way; then report, then extend.
    async fn turn(&mut self) -> Result<(), ClientError> {
        let room = self.worker.concurrency - self.running.len();
        // With a quarter of the room free a claim is worth its round trip; less is gathered first.
        let worth = room * 4 >= self.worker.concurrency;
        if worth {
            let wait_ms = if self.running.is_empty() { WAIT_MS } else { 0 };
            let claimed = self.claim(room, wait_ms).await?;
            if claimed == 0 && self.running.is_empty() {
                return Ok(());
            }
        }
        self.gather().await
    }

    async fn claim(&mut self, room: usize, wait_ms: u32) -> Result<usize, ClientError> {
        let claim = Claim {
            max: u32::try_from(room).unwrap_or(CLAIM_LEASES_MAX),
            wait_ms,
            steps: self.worker.steps.clone(),
            model_id: self.worker.model,
        };
        let claimed = match self.worker.client.claim(&claim).await {
            Ok(claimed) => claimed,
            Err(error) => return self.tolerate(error).await.map(|()| 0),
        };
        if let Some(reason) = &claimed.paused {
            debug!("paused: {reason}");
        }
        let count = claimed.items.len();
        for item in claimed.items {
            self.begin(item);
        }
        Ok(count)
    }

    fn begin(&mut self, item: WorkItem) {
        let (lease, begun) = (item.lease, Instant::now());
        let (leased_at, expires_at) = (item.leased_at, item.expires_at);
        let (handler, done) = (self.handler.clone(), self.done.clone());
        let task = self.tasks.spawn(async move {
            let began = Instant::now();
            let worked = std::panic::AssertUnwindSafe(async { handler(item).await })
                .catch_unwind()
                .await;
            let ended = worked.unwrap_or_else(|_| Err(StepError::failed("the bot's handler panicked")));
            let execution_time_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
            let result = match ended {
                Ok(Done { response }) => StepResult {
                    lease,
                    outcome: Outcome::Completed,
                    execution_time_ms,
                    response,
                    error: None,
                },
                Err(StepError {
                    outcome,
                    error,
                    response,
                }) => {
                    let error = Some(error.chars().take(ERROR_CHARS_MAX).collect());
                    StepResult {
                        lease,
                        outcome,
                        execution_time_ms,
                        response,
                        error,
                    }
                }
            };
            // The loop may have ended; then the lease runs out.
            let _ = done.send(result);
        });
        self.running.insert(
            lease,
            Held {
                task,
                leased_at,
                begun,
                extend_at: Held::halfway(leased_at, begun, expires_at),
            },
        );
    }

    /// Waits until a step ends or a lease wants to be extended, and deals with it.
    async fn gather(&mut self) -> Result<(), ClientError> {
        let soonest = self
            .running
            .values()
            .map(|held| held.extend_at)
            .min()
            .unwrap_or_else(Instant::now);
        let mut batch = Vec::new();
        tokio::select! {
            first = self.results.recv() => batch.extend(first),
            () = tokio::time::sleep_until(soonest), if !self.running.is_empty() => {}
        }
        while batch.len() < REPORT_ITEMS_MAX
            && let Ok(more) = self.results.try_recv()
        {
            batch.push(more);
        }
        while self.tasks.try_join_next().is_some() {}
        if !batch.is_empty() {
            self.report(batch).await?;
        }
        self.extend().await
    }

    async fn report(&mut self, batch: Vec<StepResult>) -> Result<(), ClientError> {
        for result in &batch {
            self.running.remove(&result.lease);
        }
        let report = Report {
            bot_session_id: self.worker.session.clone(),
            results: batch,
        };
        let reported = loop {
            match self.worker.client.report(&report).await {
                Ok(reported) => break reported,
                Err(error) => self.tolerate(error).await?,
            }
        };
        for receipt in reported.receipts {
            match (receipt.verdict, receipt.outcome) {
                (Verdict::Stale, _) => self.tally.stale += 1,
                (_, Some(Outcome::Completed)) => self.tally.completed += 1,
                (_, Some(Outcome::Failed)) => self.tally.failed += 1,
                (_, Some(Outcome::RequiresReview)) => self.tally.requires_review += 1,
                (_, None) => {}
            }
        }
        Ok(())
    }

    async fn extend(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        let due: Vec<_> = self
            .running
            .iter()
            .filter(|(_, held)| held.extend_at <= now)
            .map(|(lease, _)| *lease)
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let states = match self.worker.client.extend(&Leases { leases: due }).await {
            Ok(states) => states.leases,
            Err(error) => return self.tolerate(error).await,
        };
        for state in states {
            match state.expires_at.filter(|_| state.held) {
                Some(expires_at) => {
                    if let Some(held) = self.running.get_mut(&state.lease) {
                        held.extend_at = Held::halfway(held.leased_at, held.begun, expires_at);
                    }
                }
                None => {
                    warn!(lease = %state.lease, "lease {} was lost; its step is dropped", state.lease);
                    if let Some(held) = self.running.remove(&state.lease) {
                        held.task.abort();
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits a while where trying again can help; otherwise gives the error back.
    async fn tolerate(&self, error: ClientError) -> Result<(), ClientError> {
        let passing = match &error {
            ClientError::Connection(_) => true,
            ClientError::Problem(problem) => problem.status >= 500 || problem.status == 429,
            ClientError::Answer(_) | ClientError::Url(_) => false,
        };
        if !passing {
            return Err(error);
        }
        warn!("{error}; trying again");
        tokio::time::sleep(Duration::from_millis(PAUSE_MS_AFTER_ERROR)).await;
        Ok(())
    }

    async fn wind_up(&mut self) -> Result<(), ClientError> {
        let until = Instant::now() + Duration::from_secs(GRACE_SECS);
        while !self.running.is_empty() && Instant::now() < until {
            if let Ok(gathered) = tokio::time::timeout_at(until, self.gather()).await {
                gathered?;
            }
        }
        let rest: Vec<_> = self
            .running
            .drain()
            .map(|(lease, held)| {
                held.task.abort();
                lease
            })
            .collect();
        if !rest.is_empty() {
            self.worker.client.release(&Leases { leases: rest }).await?;
        }
        Ok(())
    }
}
