//! Batches: one change of many accounts. It is written down, waits a moment in which it can be taken back, and is then done in
//! parts by a timer, in the name of who asked for it and with what they may do then.

use chrono::{Duration, Utc};
use muster_wire::{
    AccountId, BatchId, Event, Filter, OperatorId, Role, TenantId,
    accounts::{Account, RefusedAccount, Transitions},
    batches::{BATCH_REFUSALS_MAX, Batch, BatchDetail, BatchRefusal, NewBatch},
    proxies::{Assign, Unplaced},
};
use uuid::Uuid;

use crate::{
    accounts::{
        self,
        filter::AccountFilter,
        lifecycle::{self, Bulk, Which},
    },
    actor::{Actor, Who},
    db::{Db, Tx},
    problem::{Failure, Refusal},
    proxies::assign,
};

pub mod api;
pub mod pages;
pub mod undo;

/// The accounts that one transaction moves, at most.
pub const PART_ACCOUNTS_MAX: i64 = 1_000;

/// The accounts that one transaction gives proxies to: of no more is it said of each why it got none.
const PART_ASSIGNED_MAX: i64 = 20;

/// The accounts that a request is about.
async fn which(tx: &mut Tx, actor: &Actor, new: &NewBatch) -> Result<Which, Failure> {
    Ok(match (&new.ids, &new.filter) {
        (Some(ids), _) => Which::Ids(ids.clone()),
        (None, filter) => {
            let filter = Filter::parse(filter.as_deref().unwrap_or_default());
            Which::Matching(if new.in_review {
                AccountFilter::reviews(tx, actor, filter).await?.undecided()
            } else {
                AccountFilter::accounts(tx, actor, filter).await?
            })
        }
    })
}

/// What a change would do: how many accounts it is about, how many of them would be moved, and why not the others. The first
/// few of them are given to be looked at.
///
/// # Errors
/// That the actor may not; the faults of the request; or the database's.
pub async fn preview(
    tx: &mut Tx,
    actor: &Actor,
    new: &NewBatch,
    sample: usize,
) -> Result<(Transitions, Vec<Account>), Failure> {
    lifecycle::allow(actor, new.event)?;
    tx.take_your_time().await?;
    let which = which(tx, actor, new).await?;
    let ids = lifecycle::ids(tx, actor, &which).await?;
    let first = &ids[..sample.min(ids.len())];
    let accounts = accounts::walk::read(tx, actor, first).await?;
    let would = if new.event == Event::AssignProxy {
        would_assign(tx, actor, &ids).await?
    } else {
        let bulk = Bulk {
            event: new.event,
            in_review: new.in_review,
            reason: None,
            which,
            expected_count: None,
            dry_run: true,
        };
        lifecycle::transition_all(tx, actor, bulk).await?
    };
    Ok((would, accounts))
}

/// What assigning proxies would do; asked in parts of what one request can name.
async fn would_assign(tx: &mut Tx, actor: &Actor, ids: &[i64]) -> Result<Transitions, Failure> {
    let mut would = Transitions {
        matched: ids.len() as i64,
        moved: 0,
        refused_count: 0,
        refused: Vec::new(),
        dry_run: true,
    };
    for part in ids.chunks(muster_wire::proxies::ASSIGN_ACCOUNTS_MAX) {
        let asked = Assign {
            account_ids: Some(part.iter().copied().map(AccountId).collect()),
            dry_run: true,
            ..Assign::default()
        };
        let assigned = assign::assign(tx, actor, &asked).await?;
        would.moved += assigned.assigned;
        for unplaced in assigned.unplaced {
            would.refused_count += unplaced.count;
            would
                .refused
                .extend(unplaced.examples.into_iter().map(|id| RefusedAccount {
                    id,
                    code: muster_wire::accounts::NotMoved::IllegalTransition,
                    reason: why_unplaced(unplaced.reason).to_owned(),
                }));
        }
    }
    Ok(would)
}

fn why_unplaced(reason: Unplaced) -> &'static str {
    match reason {
        Unplaced::NoRoom => "no proxy that may carry it has room: add proxies",
        Unplaced::NotAuthorised => "no authorisation is recorded: record on what ground it is managed",
        Unplaced::AuthorisationLapsed => "its authorisation has lapsed: record a valid one",
        Unplaced::AccountNotActive => "its status is not active",
        Unplaced::NotImported => "it is past imported, so it has a proxy, or is retired",
        Unplaced::NotFound => "there is no such account",
    }
}

/// Writes a change down. It begins after the time that was asked for; until then it can be taken back whole.
///
/// # Errors
/// That the actor may not; the faults of the request; that there are not as many accounts as were expected, or none; or the
/// database's.
pub async fn create(tx: &mut Tx, actor: &Actor, new: &NewBatch) -> Result<Batch, Failure> {
    accounts::refuse(new.faults())?;
    lifecycle::allow(actor, new.event)?;
    let which = which(tx, actor, new).await?;
    let ids = lifecycle::ids(tx, actor, &which).await?;
    let found = ids.len() as i64;
    if let Some(expected) = new.expected_count.filter(|expected| *expected != found) {
        let detail = format!(
            "there are {found} accounts, not {expected}: nothing was done; look again, and state the new count"
        );
        return Err(Refusal::conflict("count_changed", detail).into());
    }
    if ids.is_empty() {
        return Err(Refusal::conflict("no_accounts", "no account is meant: choose some").into());
    }
    let change = Change {
        event: new.event,
        in_review: new.in_review,
        reason: &new.reason,
        wait_secs: new.wait_secs,
        undoes: None,
    };
    write_down(tx, actor, &change, &ids).await
}

/// A change that is about to be written down.
struct Change<'a> {
    event: Event,
    in_review: bool,
    reason: &'a str,
    wait_secs: u32,
    /// The batch that it takes back.
    undoes: Option<BatchId>,
}

/// Writes a change of these accounts down.
async fn write_down(tx: &mut Tx, actor: &Actor, change: &Change<'_>, ids: &[i64]) -> Result<Batch, Failure> {
    let operator = actor
        .operator()
        .ok_or_else(|| Refusal::conflict("not_a_person", "a batch is asked for by a person"))?;
    let due_at = Utc::now() + Duration::seconds(i64::from(change.wait_secs));
    let id = sqlx::query_file_scalar!(
        "src/batches/create.sql",
        actor.tenant.0,
        change.event.word(),
        change.in_review,
        change.reason,
        operator.0,
        actor.request,
        ids.len() as i64,
        due_at,
        change.undoes.map(|id| id.0)
    )
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query_file!("src/batches/add_accounts.sql", actor.tenant.0, id, ids)
        .execute(&mut **tx)
        .await?;
    get(tx, actor, BatchId(id)).await
}

/// A batch.
///
/// # Errors
/// That there is none, or the database's.
pub async fn get(tx: &mut Tx, actor: &Actor, id: BatchId) -> Result<Batch, Failure> {
    sqlx::query_file_as!(Batch, "src/batches/get.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("batch").into())
}

/// A batch, with what it refused, and whether it can be taken back.
///
/// # Errors
/// As [`get`].
pub async fn detail(tx: &mut Tx, actor: &Actor, id: BatchId) -> Result<BatchDetail, Failure> {
    let batch = get(tx, actor, id).await?;
    let refusals = sqlx::query_file_as!(
        BatchRefusal,
        "src/batches/refusals.sql",
        actor.tenant.0,
        id.0,
        BATCH_REFUSALS_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    let undone_by = sqlx::query_file_scalar!("src/batches/undone_by.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(BatchDetail {
        undo: undo::way_back(tx, actor, &batch).await?.ok(),
        undone_by,
        batch,
        refusals,
    })
}

/// Batches before an id, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Batch>, Failure> {
    let batches = sqlx::query_file_as!(Batch, "src/batches/list.sql", actor.tenant.0, before, limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(batches)
}

/// Takes a batch back: what has not been done yet will not be.
///
/// # Errors
/// That there is none; that the actor may not; that it is over; or the database's.
pub async fn cancel(tx: &mut Tx, actor: &Actor, id: BatchId) -> Result<Batch, Failure> {
    let batch = get(tx, actor, id).await?;
    lifecycle::allow(actor, batch.event)?;
    if !end(tx, actor, id, true).await? {
        let detail = "it is over already: what it did is in the history of each account";
        return Err(Refusal::conflict("batch_over", detail).into());
    }
    get(tx, actor, id).await
}

async fn end(tx: &mut Tx, actor: &Actor, id: BatchId, cancelled: bool) -> Result<bool, Failure> {
    let state = if cancelled { "cancelled" } else { "done" };
    let ended = sqlx::query_file!("src/batches/end.sql", actor.tenant.0, id.0, state)
        .execute(&mut **tx)
        .await?;
    sqlx::query_file!("src/batches/drop_waiting.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// A batch of which a part is to be done.
struct Due {
    id: BatchId,
    event: Event,
    in_review: bool,
    reason: String,
    operator_id: OperatorId,
    request_id: Uuid,
    undoes: Option<BatchId>,
    role: Option<Role>,
}

/// Does one part of the batch of a tenant that is due longest; gives whether there was one. Of several servers one does it.
///
/// # Errors
/// The database's; then the part is not done, and is tried again.
pub async fn run_part(db: &Db, tenant: TenantId) -> Result<bool, Failure> {
    let mut tx = db.begin(&Actor::scheduler(tenant)).await?;
    let due = sqlx::query_file_as!(Due, "src/batches/due.sql", tenant.0)
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    let Some(due) = due else { return Ok(false) };
    let who = due.role.map_or(Who::Scheduler, |role| Who::Operator {
        id: due.operator_id,
        role,
    });
    let actor = Actor {
        tenant,
        who,
        request: due.request_id,
        address: None,
        stale: None,
    };
    let mut tx = db.begin_read(&actor).await?;
    tx.take_your_time().await?;
    let begun = sqlx::query_file!("src/batches/begin.sql", tenant.0, due.id.0)
        .execute(&mut *tx)
        .await?;
    if begun.rows_affected() == 0 {
        // Another server is at it, or it was taken back.
        return Ok(false);
    }
    if lifecycle::allow(&actor, due.event).is_err() {
        // Who asked for it may not do it any more.
        end(&mut tx, &actor, due.id, true).await?;
        tx.commit().await?;
        return Ok(true);
    }
    let part_max = match due.event {
        Event::AssignProxy => PART_ASSIGNED_MAX,
        _ => PART_ACCOUNTS_MAX,
    };
    let ids = sqlx::query_file_scalar!("src/batches/part.sql", tenant.0, due.id.0, part_max)
        .fetch_all(&mut *tx)
        .await?;
    let (refused, reasons) = work(&mut tx, &actor, &due, &ids).await?;
    sqlx::query_file!("src/batches/refuse.sql", tenant.0, due.id.0, &refused, &reasons)
        .execute(&mut *tx)
        .await?;
    sqlx::query_file!("src/batches/drop_done.sql", tenant.0, due.id.0, &ids)
        .execute(&mut *tx)
        .await?;
    let (done, not_done) = ((ids.len() - refused.len()) as i64, refused.len() as i64);
    sqlx::query_file!("src/batches/count.sql", tenant.0, due.id.0, done, not_done)
        .execute(&mut *tx)
        .await?;
    if (ids.len() as i64) < part_max {
        end(&mut tx, &actor, due.id, false).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Moves the accounts of a part; gives those that were refused, and why.
async fn work(
    tx: &mut Tx,
    actor: &Actor,
    due: &Due,
    ids: &[i64],
) -> Result<(Vec<i64>, Vec<String>), Failure> {
    let Some(undone) = due.undoes else {
        return move_named(tx, actor, due, ids).await;
    };
    let (going, staying) = undo::part(tx, actor, undone, due.event, ids).await?;
    let (mut refused, mut reasons) = move_named(tx, actor, due, &going).await?;
    for (id, reason) in staying {
        refused.push(id);
        reasons.push(reason);
    }
    Ok((refused, reasons))
}

async fn move_named(
    tx: &mut Tx,
    actor: &Actor,
    due: &Due,
    ids: &[i64],
) -> Result<(Vec<i64>, Vec<String>), Failure> {
    let named = ids.iter().copied().map(AccountId).collect();
    if due.event == Event::AssignProxy {
        tx.because(&due.reason).await?;
        let asked = Assign {
            account_ids: Some(named),
            ..Assign::default()
        };
        let assigned = assign::assign(tx, actor, &asked).await?;
        let unplaced = assigned.unplaced.into_iter();
        return Ok(unplaced
            .flat_map(|group| {
                let reason = why_unplaced(group.reason);
                group
                    .examples
                    .into_iter()
                    .map(move |id| (id.0, reason.to_owned()))
            })
            .unzip());
    }
    let bulk = Bulk {
        event: due.event,
        in_review: due.in_review,
        reason: Some(&due.reason),
        which: Which::Ids(named),
        expected_count: None,
        dry_run: false,
    };
    let moved = lifecycle::transition_all(tx, actor, bulk).await?;
    Ok(moved.refused.into_iter().map(|r| (r.id.0, r.reason)).unzip())
}
