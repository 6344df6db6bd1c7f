//! Work: steps are claimed under a lease, reported on, extended, given back; leases that run out are reaped. The SQL of the
//! hot path is in `schema/always/60_work.sql`, one function per operation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use muster_wire::{
    BotId, OperatorId, TenantId,
    work::{Lease, LeaseState, LeaseStates, Leases, STEP_ATTEMPTS_MAX},
};

use crate::{
    actor::Actor,
    config::ServeSettings,
    db::Tx,
    problem::{Bug, Failure, Refusal},
};
pub use board::board;
pub use claim::{claim, held};
pub use report::report;

pub mod api;
pub mod bells;
pub mod board;
pub mod claim;
pub mod floors;
pub mod pages;
pub mod report;
pub mod run;
pub mod secrets;
pub mod together;
pub mod turns;

/// Steps that one statement hands out, or takes results of, for all who ask at the same time: enough that what a statement costs
/// however few there are is next to nothing a step, and few enough that it is done in a tenth of a second.
pub const GROUP_STEPS_MAX: usize = 2_000;

/// Leases that one transaction of the reaper ends, at most.
pub const REAP_LEASES_MAX: i32 = 500;

/// Changes of what is counted of attempts that a tenant may leave as they are: who reads the counters reads them too, and to fold them
/// in every second would be a transaction a second for each tenant that does a little.
pub const FEW_ATTEMPTS_MAX: i64 = 200;

/// Uses of content that are added to the counters whenever the timer comes by, so that what was just used is not chosen again.
pub const FEW_USES_MAX: i64 = 1_000;

/// How long the first of more uses waits: each adding writes all counters anew, and where a transaction goes on for long, a claim
/// reads through every one of them that was written since.
pub const USES_WAIT_SECS: f64 = 60.0;

/// A person's lease lasts this long at least: they do the step in another app, and look at several things on the way.
pub const PEOPLE_LEASE_SECS_MIN: u32 = 900;

/// How long a lease lasts.
fn lease_secs(settings: &ServeSettings, for_people: bool) -> u32 {
    if for_people {
        settings.lease_secs.max(PEOPLE_LEASE_SECS_MIN)
    } else {
        settings.lease_secs
    }
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
        count(lease_secs(settings, operator.is_some()))
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

/// Ends leases that have run out since a moment, each as a failed attempt, at most [`REAP_LEASES_MAX`]; gives how many.
///
/// # Errors
/// When the database fails.
pub async fn reap(
    tx: &mut Tx,
    tenant: TenantId,
    since: DateTime<Utc>,
    settings: &ServeSettings,
) -> Result<i32, Failure> {
    let reaped = sqlx::query_file_scalar!(
        "src/work/reap.sql",
        tenant.0,
        REAP_LEASES_MAX,
        STEP_ATTEMPTS_MAX,
        count(settings.retry_ms),
        since
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(reaped)
}

/// Adds the uses that reports have noted to the counters of content and texts; gives how many items were touched. Where there are
/// many, they wait to be added together.
///
/// # Errors
/// When the database fails.
pub async fn fold_uses(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/work/fold.sql", tenant.0, FEW_USES_MAX, USES_WAIT_SECS)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
}

/// Folds the attempts that have ended into their counters; gives how many counters were changed.
///
/// # Errors
/// When the database fails.
pub async fn fold_counts(tx: &mut Tx, tenant: TenantId) -> Result<i32, Failure> {
    let folded = sqlx::query_file_scalar!("src/work/fold_counts.sql", tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(folded)
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

/// Bots and operators, as the arrays that statements take: in each place one of the two.
type Holders = (Vec<Option<i64>>, Vec<Option<i64>>);

/// The holders that these actors are.
fn holders<'a>(actors: impl Iterator<Item = &'a Actor>) -> Result<Holders, Failure> {
    actors.map(holder).collect()
}

/// Leases as the arrays that statements take.
fn columns(leases: impl Iterator<Item = Lease>) -> (Vec<i64>, Vec<i64>) {
    leases.map(|lease| (lease.account.0, lease.token)).unzip()
}

fn states(asked: &Leases, held: &HashMap<Lease, Option<DateTime<Utc>>>) -> LeaseStates {
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
