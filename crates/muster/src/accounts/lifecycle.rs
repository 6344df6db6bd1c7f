//! Transitions that are asked for, of one account or of many. The rules are those of [`muster_wire::lifecycle`]; the
//! database refuses whatever they do not allow, and writes the history.

use std::collections::HashMap;

use muster_wire::{
    AccountId, Event, State,
    accounts::{NewTransition, NotMoved, REFUSALS_LISTED_MAX, RefusedAccount, Transitions},
    lifecycle::{TABLE, next},
};

use super::filter::AccountFilter;
use crate::{
    actor::{Actor, Who},
    db::Tx,
    problem::{Bug, Failure, Kind, Refusal},
};

/// What decides whether an account can be moved. Its row is locked until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub struct Locked {
    /// The account.
    pub id: AccountId,
    /// Where it is.
    pub state: State,
    /// Whether its warm-up is complete.
    pub warmup_complete: bool,
    /// Whether it has a model.
    pub has_model: bool,
    /// Whether an authorisation is recorded.
    pub authorised: bool,
    /// Whether that has lapsed.
    pub lapsed: bool,
}

/// Locks accounts, in the order of their ids; those that are not there are left out.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Vec<Locked>, Failure> {
    let rows = sqlx::query_file_as!(Locked, "src/accounts/lock.sql", actor.tenant.0, ids)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows)
}

/// Refuses an actor who may not make this event happen.
///
/// # Errors
/// That they may not.
pub fn allow(actor: &Actor, event: Event) -> Result<(), Failure> {
    let allowed = match actor.who {
        Who::Operator { role, .. } => event.roles().contains(&role),
        Who::System | Who::Scheduler => event.by_server(),
        Who::Bot { .. } => false,
    };
    if allowed {
        return Ok(());
    }
    let roles: Vec<_> = event.roles().iter().map(|role| role.word()).collect();
    let detail = format!("{event} is for: {}", roles.join(", "));
    Err(Refusal::new(Kind::Forbidden, "forbidden", detail).into())
}

/// Why this account cannot be moved by the event; none where it can.
pub fn obstacle(event: Event, account: &Locked) -> Option<RefusedAccount> {
    let refused = |code, reason: String| {
        Some(RefusedAccount {
            id: account.id,
            code,
            reason,
        })
    };
    if next(account.state, event, account.warmup_complete).is_none() {
        let reason = match (account.state, event) {
            (State::HumanReview, Event::Approve) => {
                "its warm-up is not complete: resume it, or reject it".to_owned()
            }
            (State::HumanReview, Event::Resume) => {
                "its warm-up is complete: approve it, or reject it".to_owned()
            }
            (state, event) => {
                let from = TABLE.iter().filter(|t| t.event == event);
                let from: Vec<_> = from.map(|t| t.from.word()).collect();
                format!("it is {state}; {event} is possible from {}", from.join(", "))
            }
        };
        return refused(NotMoved::IllegalTransition, reason);
    }
    if event != Event::StartWarmup {
        return None;
    }
    if !account.authorised {
        let reason = "no authorisation is recorded: record on what ground it is managed";
        return refused(NotMoved::NotAuthorised, reason.to_owned());
    }
    if account.lapsed {
        let reason = "its authorisation has lapsed: record a valid one";
        return refused(NotMoved::AuthorisationLapsed, reason.to_owned());
    }
    if !account.has_model {
        return refused(
            NotMoved::NoModel,
            "it belongs to no model: give it one".to_owned(),
        );
    }
    None
}

/// Moves one account.
///
/// # Errors
/// That the actor may not; that there is no such account; what stands in the way; or the database's.
pub async fn transition(
    tx: &mut Tx,
    actor: &Actor,
    event: Event,
    reason: Option<&str>,
    id: AccountId,
) -> Result<(), Failure> {
    allow(actor, event)?;
    let locked = lock(tx, actor, &[id.0]).await?;
    let account = locked.first().ok_or_else(|| Refusal::not_found("account"))?;
    if let Some(refused) = obstacle(event, account) {
        return Err(Refusal::conflict(refused.code.word(), refused.reason).into());
    }
    move_all(tx, actor, event, reason, &[id.0]).await
}

/// Moves one account, and says why, as people are asked to.
///
/// # Errors
/// The faults of the reason; and as [`transition`].
pub async fn because(
    tx: &mut Tx,
    actor: &Actor,
    event: Event,
    reason: &str,
    id: AccountId,
) -> Result<(), Failure> {
    let asked = NewTransition {
        event,
        reason: Some(reason.to_owned()),
    };
    super::refuse(asked.faults())?;
    transition(tx, actor, event, Some(reason), id).await
}

/// Which accounts a request is about.
#[derive(Debug)]
pub enum Which {
    /// These.
    Ids(Vec<AccountId>),
    /// All that match.
    Matching(AccountFilter),
}

/// What is to be done with many accounts.
#[derive(Debug)]
pub struct Bulk<'a> {
    /// What is to happen.
    pub event: Event,
    /// Only to accounts that are in review.
    pub in_review: bool,
    /// Why.
    pub reason: Option<&'a str>,
    /// Which accounts.
    pub which: Which,
    /// How many the caller believes these to be.
    pub expected_count: Option<i64>,
    /// Whether nothing is to be done.
    pub dry_run: bool,
}

/// Moves many accounts at once: each that can be is moved, and it is said of each other why not.
///
/// # Errors
/// That the actor may not; that there are not as many accounts as were expected, and then nothing was done; or the
/// database's.
pub async fn transition_all(tx: &mut Tx, actor: &Actor, bulk: Bulk<'_>) -> Result<Transitions, Failure> {
    allow(actor, bulk.event)?;
    tx.take_your_time().await?;
    let (ids, locked) = find(tx, actor, &bulk.which).await?;
    let matched = ids.len() as i64;
    if let Some(expected) = bulk.expected_count.filter(|expected| *expected != matched) {
        let detail = format!(
            "there are {matched} accounts, not {expected}: nothing was done; look again, and state the new count"
        );
        return Err(Refusal::conflict("count_changed", detail).into());
    }
    let found: HashMap<i64, Locked> = locked.into_iter().map(|a| (a.id.0, a)).collect();
    let (mut going, mut refused, mut refused_count) = (Vec::new(), Vec::new(), 0);
    for id in ids {
        let Some(obstacle) = why_not(&bulk, AccountId(id), found.get(&id)) else {
            going.push(id);
            continue;
        };
        refused_count += 1;
        if refused.len() < REFUSALS_LISTED_MAX {
            refused.push(obstacle);
        }
    }
    if !bulk.dry_run {
        move_all(tx, actor, bulk.event, bulk.reason, &going).await?;
    }
    Ok(Transitions {
        matched,
        moved: going.len() as i64,
        refused_count,
        refused,
        dry_run: bulk.dry_run,
    })
}

/// The ids that are meant, in their order; those that are named need not exist.
///
/// # Errors
/// The database's.
pub async fn ids(tx: &mut Tx, actor: &Actor, which: &Which) -> Result<Vec<i64>, Failure> {
    match which {
        Which::Ids(ids) => {
            let mut ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            ids.sort_unstable();
            ids.dedup();
            Ok(ids)
        }
        Which::Matching(filter) => matching(tx, actor, filter, None).await,
    }
}

/// The ids that are meant, and those accounts among them that exist, locked.
async fn find(tx: &mut Tx, actor: &Actor, which: &Which) -> Result<(Vec<i64>, Vec<Locked>), Failure> {
    let filter = match which {
        Which::Ids(_) => {
            let ids = self::ids(tx, actor, which).await?;
            let locked = lock(tx, actor, &ids).await?;
            return Ok((ids, locked));
        }
        Which::Matching(filter) => filter,
    };
    let ids = matching(tx, actor, filter, None).await?;
    let locked = lock(tx, actor, &ids).await?;
    // Whoever held a lock may have changed what it held: what does not match any more is not meant any more.
    let ids = matching(tx, actor, filter, Some(&ids)).await?;
    Ok((ids, locked))
}

async fn matching(
    tx: &mut Tx,
    actor: &Actor,
    filter: &AccountFilter,
    among: Option<&[i64]>,
) -> Result<Vec<i64>, Failure> {
    let (along, filter) = (filter.walk().along()?, filter.json()?);
    let ids = sqlx::query_file_scalar!("src/accounts/matching.sql", actor.tenant.0, filter, along, among)
        .fetch_all(&mut **tx)
        .await?;
    Ok(ids)
}

fn why_not(bulk: &Bulk<'_>, id: AccountId, account: Option<&Locked>) -> Option<RefusedAccount> {
    let refused = |code, reason: String| Some(RefusedAccount { id, code, reason });
    match account {
        None => refused(NotMoved::NotFound, "there is no such account".to_owned()),
        Some(account) if bulk.in_review && account.state != State::HumanReview => refused(
            NotMoved::NotInReview,
            format!("it is {}, so there is nothing to decide", account.state),
        ),
        Some(account) => obstacle(bulk.event, account),
    }
}

/// Moves accounts that are locked and that nothing stands in the way of.
async fn move_all(
    tx: &mut Tx,
    actor: &Actor,
    event: Event,
    reason: Option<&str>,
    ids: &[i64],
) -> Result<(), Failure> {
    tx.because(reason.unwrap_or_default()).await?;
    let moved = sqlx::query_file!("src/accounts/move.sql", actor.tenant.0, ids, event.word())
        .execute(&mut **tx)
        .await?
        .rows_affected();
    if moved == ids.len() as u64 {
        Ok(())
    } else {
        let told = format!("{event} moved {moved} accounts of {}", ids.len());
        Err(Bug::new(told).into())
    }
}
