//! Reports: how leased steps ended.

use std::collections::{HashMap, HashSet};

use muster_wire::{
    TenantId,
    work::{Lease, Outcome, Receipt, Report, Reported, STEP_ATTEMPTS_MAX, StepResult, Verdict},
};

use super::{
    columns, count, holder, holders, refuse,
    together::{self, Group},
};
use crate::{
    actor::Actor,
    app::App,
    db::not_committed,
    problem::{Bug, Failure},
};

/// PostgreSQL's code for a transaction that others got in the way of.
const SERIALIZATION_FAILURE: &str = "40001";

/// How often a report begins again because what it read was changed before it was written.
const BEGINNINGS_MAX: u32 = 10;

/// Reports that can be one statement: those of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reports(TenantId);

/// One reporter of several.
#[derive(Debug)]
pub struct Reporter {
    actor: Actor,
    report: Report,
}

/// Takes results of leased steps. Each is accepted, a duplicate or stale by itself; the account goes on, is tried again
/// later, or goes to review in the same transaction. The answer is given when that is committed.
///
/// # Errors
/// When the report has faults, which are then all named and nothing is done; or the database fails.
pub async fn report(app: &App, actor: &Actor, report: Report) -> Result<Reported, Failure> {
    refuse(report.faults())?;
    holder(actor)?;
    let reporter = Reporter {
        actor: actor.clone(),
        report,
    };
    let reported = app.reports.ask(app, Reports(actor.tenant), reporter).await?;
    tally(app, &reported);
    app.work.notify(actor.tenant);
    Ok(reported)
}

impl Group for Reports {
    type Ask = Reporter;
    type Answer = Reported;

    fn tenant(&self) -> TenantId {
        self.0
    }

    fn steps(reporter: &Reporter) -> usize {
        reporter.report.results.len()
    }

    /// No lease that another one names.
    fn agrees(asks: &[&Reporter], next: &Reporter) -> bool {
        let leases: HashSet<Lease> = next.report.results.iter().map(|result| result.lease).collect();
        let mut others = asks.iter().flat_map(|reporter| &reporter.report.results);
        !others.any(|result| leases.contains(&result.lease))
    }

    async fn serve(&self, app: &App, asks: &[&Reporter]) -> Result<Vec<Reported>, Failure> {
        settle(app, self.0, asks).await
    }

    /// An answer that nobody waits for is no loss: the same report made again is answered as a duplicate.
    async fn take_back(&self, _: &App, _: Reporter, _: Reported) {}
}

/// A result, and whose it is: the number of the reporter, from 0.
type Item<'a> = (usize, &'a StepResult);

async fn settle(app: &App, tenant: TenantId, reporters: &[&Reporter]) -> Result<Vec<Reported>, Failure> {
    // A lease that is named twice counts once. In the order of their accounts, in which everybody locks.
    let mut items: Vec<Item<'_>> = reporters
        .iter()
        .enumerate()
        .flat_map(|(n, reporter)| reporter.report.results.iter().map(move |result| (n, result)))
        .collect();
    items.sort_by_key(|(_, result)| result.lease);
    items.dedup_by_key(|(_, result)| result.lease);
    for _ in 0..BEGINNINGS_MAX {
        if let Some(verdicts) = settle_once(app, tenant, reporters, &items).await? {
            let answers = reporters
                .iter()
                .map(|reporter| receipts(&reporter.report, &verdicts));
            return Ok(answers.collect());
        }
    }
    Err(Bug::new("what a report read was changed each time before it was written").into())
}

/// What became of each lease that was reported on.
type Verdicts = HashMap<Lease, (Verdict, Option<Outcome>)>;

fn receipts(report: &Report, verdicts: &Verdicts) -> Reported {
    let mut seen = HashSet::new();
    let receipts = report.results.iter().map(|result| {
        let (verdict, outcome) = verdicts[&result.lease];
        let verdict = match verdict {
            Verdict::Accepted if !seen.insert(result.lease) => Verdict::Duplicate,
            verdict => verdict,
        };
        Receipt {
            lease: result.lease,
            verdict,
            outcome,
        }
    });
    Reported {
        receipts: receipts.collect(),
    }
}

/// Gives nothing where what was read was changed by others before it was written; then nothing was done.
async fn settle_once(
    app: &App,
    tenant: TenantId,
    reporters: &[&Reporter],
    items: &[Item<'_>],
) -> Result<Option<Verdicts>, Failure> {
    let (bots, operators) = holders(reporters.iter().map(|reporter| &reporter.actor))?;
    let requests: Vec<_> = reporters.iter().map(|r| r.actor.request).collect();
    let addresses: Vec<_> = reporters.iter().map(|r| r.actor.address.as_deref()).collect();
    let sessions: Vec<_> = reporters
        .iter()
        .map(|r| r.report.bot_session_id.as_deref())
        .collect();
    let whose: Vec<i32> = items
        .iter()
        .map(|(n, _)| i32::try_from(n + 1).unwrap_or(i32::MAX))
        .collect();
    let (accounts, tokens) = columns(items.iter().map(|(_, r)| r.lease));
    let outcomes: Vec<&str> = items.iter().map(|(_, r)| r.outcome.word()).collect();
    let times_ms: Vec<i32> = items.iter().map(|(_, r)| r.execution_time_ms).collect();
    let responses: Vec<_> = items.iter().map(|(_, r)| r.response.as_ref()).collect();
    let errors: Vec<_> = items.iter().map(|(_, r)| r.error.as_deref()).collect();
    let actor = together::actor(tenant, reporters.iter().map(|reporter| &reporter.actor));
    let rows = sqlx::query_file!(
        "src/work/report.sql",
        tenant.0,
        STEP_ATTEMPTS_MAX,
        count(app.settings.retry_ms),
        &bots as &[Option<i64>],
        &operators as &[Option<i64>],
        &requests,
        &addresses as &[Option<&str>],
        &sessions as &[Option<&str>],
        &whose,
        &accounts,
        &tokens,
        &outcomes as &[&str],
        &times_ms,
        &responses as &[Option<&serde_json::Value>],
        &errors as &[Option<&str>],
        actor.triggered_by(),
        actor.operator().map(|id| id.0),
        actor.bot().map(|id| id.0),
        actor.request
    )
    .fetch_all(&mut app.db.for_one_statement().await?)
    .await;
    let rows = match rows {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(SERIALIZATION_FAILURE) => {
            return Ok(None);
        }
        rows => rows.map_err(not_committed)?,
    };
    let stale = (Verdict::Stale, None);
    let mut verdicts: Verdicts = items.iter().map(|(_, result)| (result.lease, stale)).collect();
    for row in rows {
        let item = usize::try_from(row.item - 1).ok().and_then(|n| items.get(n));
        let (_, result) = item.ok_or_else(|| Bug::new("a verdict on a result that was not reported"))?;
        verdicts.insert(result.lease, (row.verdict, row.outcome));
    }
    Ok(Some(verdicts))
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
