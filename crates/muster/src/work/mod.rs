//! Work: steps are claimed under a lease, reported on, extended, given back; leases that run out are reaped. The SQL of the
//! hot path is in `schema/always/60_work.sql`, one function per operation.

use std::{collections::HashMap, time::Duration};

use muster_wire::{
    BotId, OperatorId, Step, TenantId,
    work::{
        Claim, Claimed, Lease, LeaseState, LeaseStates, Leases, Outcome, Receipt, Report, Reported,
        STEP_ATTEMPTS_MAX, Verdict, WorkAccount, WorkContent, WorkItem, WorkProxy, WorkText,
    },
};
use tokio::time::Instant;

use crate::{
    actor::Actor,
    app::App,
    config::ServeSettings,
    db::Tx,
    problem::{Bug, Failure, Refusal},
};
use template::Variables;

pub mod api;
pub mod bells;
pub mod secrets;
pub mod template;

/// How long a claim waits, at most, before it looks again by itself: work that another process made ready rings no bell
/// here.
pub const LOOK_AGAIN_MS_MAX: u64 = 1_000;

/// Leases that one transaction of the reaper ends, at most.
pub const REAP_LEASES_MAX: i32 = 500;

/// Claims steps, and waits for some as long as the claim says. Answers at once when the tenant or the bot is paused.
///
/// # Errors
/// When the claim has faults, or the database fails.
pub async fn claim_or_wait(app: &App, actor: &Actor, claim: &Claim) -> Result<Claimed, Failure> {
    let until = Instant::now() + Duration::from_millis(claim.wait_ms.into());
    let bell = app.work.of(actor.tenant);
    loop {
        // Listening begins before looking, so that what comes between the two is heard.
        let mut rung = std::pin::pin!(bell.notified());
        rung.as_mut().enable();
        let mut tx = app.db.begin(actor).await?;
        let items = self::claim(&mut tx, actor, &app.settings, claim).await?;
        if !items.is_empty() {
            tx.commit().await?;
            return Ok(Claimed { items, paused: None });
        }
        let idle = sqlx::query_file!("src/work/idle.sql", actor.tenant.0, actor.bot().map(|id| id.0))
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        let now = Instant::now();
        if idle.paused.is_some() || now >= until || app.work.closed().is_cancelled() {
            return Ok(Claimed {
                items,
                paused: idle.paused,
            });
        }
        let look_again_ms = rand::random_range(LOOK_AGAIN_MS_MAX * 4 / 5..=LOOK_AGAIN_MS_MAX);
        let due_ms = idle
            .due_in_ms
            .and_then(|ms| u64::try_from(ms.max(1)).ok())
            .map_or(look_again_ms, |ms| ms.min(look_again_ms));
        tokio::select! {
            () = rung => {}
            () = app.work.closed().cancelled() => {}
            () = tokio::time::sleep_until(until.min(now + Duration::from_millis(due_ms))) => {}
        }
    }
}

/// Claims steps that are due, accounts furthest along first: bots get those that bots may do, people those that only
/// people may do. What is given carries no secret.
///
/// # Errors
/// When the claim has faults, or the database fails.
pub async fn claim(
    tx: &mut Tx,
    actor: &Actor,
    settings: &ServeSettings,
    claim: &Claim,
) -> Result<Vec<WorkItem>, Failure> {
    refuse(claim.faults())?;
    let (bot, operator) = holder(actor)?;
    let steps: Vec<i16> = claim.steps.iter().map(|step| step.number()).collect();
    let rows = sqlx::query_file_as!(
        Row,
        "src/work/claim.sql",
        actor.tenant.0,
        bot,
        operator,
        count(claim.max),
        &steps,
        claim.model_id.map(|id| id.0),
        count(settings.lease_secs)
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Row::item).collect()
}

/// Takes results of leased steps. Each is accepted, a duplicate or stale by itself; the account goes on, is tried again
/// later, or goes to review in the same transaction.
///
/// # Errors
/// When the report has faults, which are then all named and nothing is done; or the database fails.
pub async fn report(
    tx: &mut Tx,
    actor: &Actor,
    settings: &ServeSettings,
    report: &Report,
) -> Result<Reported, Failure> {
    refuse(report.faults())?;
    let (bot, operator) = holder(actor)?;
    // A lease that is named twice counts once.
    let mut first_of = HashMap::new();
    let mut results = Vec::with_capacity(report.results.len());
    for result in &report.results {
        first_of.entry(result.lease).or_insert_with(|| {
            results.push(result);
            results.len() - 1
        });
    }
    let (accounts, tokens) = columns(results.iter().map(|r| r.lease));
    let outcomes: Vec<String> = results.iter().map(|r| r.outcome.into()).collect();
    let times_ms: Vec<i32> = results.iter().map(|r| r.execution_time_ms).collect();
    let responses: Vec<_> = results.iter().map(|r| r.response.clone()).collect();
    let errors: Vec<_> = results.iter().map(|r| r.error.clone()).collect();
    let rows = sqlx::query_file!(
        "src/work/report.sql",
        actor.tenant.0,
        bot,
        operator,
        actor.address,
        STEP_ATTEMPTS_MAX,
        count(settings.retry_ms),
        report.bot_session_id,
        &accounts,
        &tokens,
        &outcomes,
        &times_ms,
        &responses as &[Option<serde_json::Value>],
        &errors as &[Option<String>]
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut verdicts = vec![(Verdict::Stale, None); results.len()];
    for row in rows {
        let place = usize::try_from(row.item - 1).ok();
        let verdict = place
            .and_then(|i| verdicts.get_mut(i))
            .ok_or_else(|| Bug::new("a verdict on a result that was not reported"))?;
        *verdict = (row.verdict, row.outcome);
    }
    let mut seen = vec![false; results.len()];
    let receipts = report.results.iter().map(|result| {
        let i = first_of[&result.lease];
        let (verdict, outcome) = verdicts[i];
        let verdict = match verdict {
            Verdict::Accepted if seen[i] => Verdict::Duplicate,
            verdict => verdict,
        };
        seen[i] = true;
        Receipt {
            lease: result.lease,
            verdict,
            outcome,
        }
    });
    Ok(Reported {
        receipts: receipts.collect(),
    })
}

/// Extends leases to a whole term from now.
///
/// # Errors
/// When the request has faults, or the database fails.
pub async fn extend(
    tx: &mut Tx,
    actor: &Actor,
    settings: &ServeSettings,
    leases: &Leases,
) -> Result<LeaseStates, Failure> {
    refuse(leases.faults())?;
    let (bot, operator) = holder(actor)?;
    let (accounts, tokens) = columns(leases.leases.iter().copied());
    let rows = sqlx::query_file!(
        "src/work/extend.sql",
        actor.tenant.0,
        bot,
        operator,
        &accounts,
        &tokens,
        count(settings.lease_secs)
    )
    .fetch_all(&mut **tx)
    .await?;
    let held = rows.into_iter().map(|row| {
        let (account, token) = (row.account, row.token);
        (Lease { account, token }, Some(row.until))
    });
    Ok(states(leases, &held.collect()))
}

/// Gives leases back, as if they had not been claimed: no attempt is counted.
///
/// # Errors
/// When the request has faults, or the database fails.
pub async fn release(tx: &mut Tx, actor: &Actor, leases: &Leases) -> Result<LeaseStates, Failure> {
    refuse(leases.faults())?;
    let (bot, operator) = holder(actor)?;
    let (accounts, tokens) = columns(leases.leases.iter().copied());
    let rows = sqlx::query_file!(
        "src/work/release.sql",
        actor.tenant.0,
        bot,
        operator,
        &accounts,
        &tokens
    )
    .fetch_all(&mut **tx)
    .await?;
    let held = rows.into_iter().map(|row| {
        let (account, token) = (row.account, row.token);
        (Lease { account, token }, None)
    });
    Ok(states(leases, &held.collect()))
}

/// Ends leases that have run out, each as a failed attempt, at most [`REAP_LEASES_MAX`]; gives how many.
///
/// # Errors
/// When the database fails.
pub async fn reap(tx: &mut Tx, tenant: TenantId, settings: &ServeSettings) -> Result<i32, Failure> {
    let reaped = sqlx::query_file_scalar!(
        "src/work/reap.sql",
        tenant.0,
        REAP_LEASES_MAX,
        STEP_ATTEMPTS_MAX,
        count(settings.retry_ms)
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(reaped)
}

/// Adds the uses that reports have noted to the counters of content and texts; gives how many items were touched.
///
/// # Errors
/// When the database fails.
pub async fn fold_uses(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/work/fold.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
}

/// What a claim gives, as the database gives it.
struct Row {
    account_id: muster_wire::AccountId,
    lease: i64,
    leased_until: chrono::DateTime<chrono::Utc>,
    step: i16,
    attempt: i16,
    username: String,
    city: Option<String>,
    campus: Option<String>,
    niche: Option<String>,
    model_id: muster_wire::ModelId,
    model: String,
    proxy_id: muster_wire::ProxyId,
    scheme: String,
    host: String,
    port: i32,
    proxy_username: Option<String>,
    content_id: Option<muster_wire::ContentId>,
    image_url: Option<String>,
    content_text: Option<String>,
    content_is_template: Option<bool>,
    text_id: Option<muster_wire::TextId>,
    text_content: Option<String>,
    text_is_template: Option<bool>,
}

impl Row {
    fn item(self) -> Result<WorkItem, Failure> {
        let name = Step::from_number(self.step).ok_or_else(|| Bug::new("a step beyond the fifth"))?;
        let port = u16::try_from(self.port).map_err(Bug::new)?;
        let variables = Variables {
            username: &self.username,
            city: self.city.as_deref(),
            campus: self.campus.as_deref(),
            niche: self.niche.as_deref(),
            model: &self.model,
        };
        let fill = |text: String, is_template: Option<bool>| match is_template {
            Some(true) => variables.fill(&text),
            _ => text,
        };
        let content = self
            .content_id
            .zip(self.image_url)
            .map(|(id, image_url)| WorkContent {
                id,
                image_url,
                text: self.content_text.map(|text| fill(text, self.content_is_template)),
            });
        let text = self.text_id.zip(self.text_content).map(|(id, text)| WorkText {
            id,
            text: fill(text, self.text_is_template),
        });
        Ok(WorkItem {
            lease: Lease {
                account: self.account_id,
                token: self.lease,
            },
            expires_at: self.leased_until,
            step: self.step,
            name,
            attempt: self.attempt,
            content,
            text,
            account: WorkAccount {
                id: self.account_id,
                username: self.username,
                model_id: self.model_id,
                model: self.model,
            },
            proxy: WorkProxy {
                id: self.proxy_id,
                scheme: self.scheme,
                host: self.host,
                port,
                username: self.proxy_username,
            },
        })
    }
}

/// Counts what became of a report, for `/metrics`.
fn tally(app: &App, reported: &Reported) {
    let count = |verdict, outcome: Option<Outcome>| {
        let like = |r: &&Receipt| r.verdict == verdict && (outcome.is_none() || r.outcome == outcome);
        reported.receipts.iter().filter(like).count() as u64
    };
    for outcome in Outcome::ALL {
        app.telemetry
            .steps(outcome.word(), count(Verdict::Accepted, Some(*outcome)));
    }
    for verdict in [Verdict::Duplicate, Verdict::Stale] {
        app.telemetry.steps(verdict.word(), count(verdict, None));
    }
}

fn refuse(faults: Vec<muster_wire::Fault>) -> Result<(), Failure> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(faults).into())
    }
}

/// Who holds the leases that this actor claims.
fn holder(actor: &Actor) -> Result<(Option<i64>, Option<i64>), Failure> {
    match (actor.bot(), actor.operator()) {
        (Some(BotId(id)), _) => Ok((Some(id), None)),
        (None, Some(OperatorId(id))) => Ok((None, Some(id))),
        (None, None) => Err(Bug::new("only bots and people hold leases").into()),
    }
}

/// Leases as the arrays that statements take.
fn columns(leases: impl Iterator<Item = Lease>) -> (Vec<i64>, Vec<i64>) {
    leases.map(|lease| (lease.account.0, lease.token)).unzip()
}

fn states(asked: &Leases, held: &HashMap<Lease, Option<chrono::DateTime<chrono::Utc>>>) -> LeaseStates {
    let state = |lease: &Lease| LeaseState {
        lease: *lease,
        held: held.contains_key(lease),
        expires_at: held.get(lease).copied().flatten(),
    };
    LeaseStates {
        leases: asked.leases.iter().map(state).collect(),
    }
}

/// A number that has been validated, or comes from the settings, as the database takes it.
fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
