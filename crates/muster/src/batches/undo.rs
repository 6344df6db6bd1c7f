//! Taking back what a batch did: each account that is still as the batch left it goes back to where it was, by the event that leads
//! there. What has happened to an account since is never undone with it.

use chrono::{DateTime, Duration, Utc};
use muster_wire::{
    BatchId, Event, State,
    accounts::{Account, NotMoved, REFUSALS_LISTED_MAX, RefusedAccount, Transitions},
    batches::{BATCH_UNDO_HOURS_MAX, Batch, UndoBatch},
    lifecycle::next,
};
use uuid::Uuid;

use crate::{
    accounts::{self, lifecycle},
    actor::Actor,
    batches::{self, Change},
    db::Tx,
    problem::{Failure, Refusal},
};

/// An account that a batch moved.
struct Moved {
    account_id: i64,
    /// Where it was before.
    from_state: State,
    /// Where it is.
    state: State,
    warmup_complete: bool,
    /// What happened to it since.
    since: Option<String>,
}

impl Moved {
    /// Why it does not go back by this event.
    fn obstacle(&self, back: Event) -> Option<String> {
        if let Some(since) = &self.since {
            return Some(format!("it was changed since, by {since}"));
        }
        let leads = next(self.state, back, self.warmup_complete).is_some_and(|t| t.to == self.from_state);
        let (was, is) = (self.from_state, self.state);
        (!leads).then(|| format!("it was {was}, and no event leads back there from {is}"))
    }
}

/// After the end of a batch, within which its last part is stored: parts are transactions of their own.
const LAST_PART_MINUTES_MAX: i64 = 10;

/// When a batch that is over did what it did, in whose request.
struct Ended {
    request_id: Uuid,
    begun_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    /// Whether it is not too long ago to be undone.
    lately: bool,
}

/// That of a batch which changed something.
async fn ended(tx: &mut Tx, actor: &Actor, id: BatchId) -> Result<Option<Ended>, Failure> {
    let ended = sqlx::query_file_as!(
        Ended,
        "src/batches/ended.sql",
        actor.tenant.0,
        id.0,
        BATCH_UNDO_HOURS_MAX
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(ended)
}

/// The accounts that a batch moved: those that go back, and those that do not, with the reason. Of these ids, where some are given.
async fn moved(
    tx: &mut Tx,
    actor: &Actor,
    batch: &Batch,
    back: Event,
    among: Option<&[i64]>,
) -> Result<(Vec<i64>, Vec<(i64, String)>), Failure> {
    let Some(ended) = ended(tx, actor, batch.id).await? else {
        return Ok((Vec::new(), Vec::new()));
    };
    let moved = sqlx::query_file_as!(
        Moved,
        "src/batches/moved.sql",
        actor.tenant.0,
        ended.request_id,
        batch.event.word(),
        ended.begun_at,
        ended.ended_at + Duration::minutes(LAST_PART_MINUTES_MAX),
        among
    )
    .fetch_all(&mut **tx)
    .await?;
    let (mut going, mut staying) = (Vec::new(), Vec::new());
    for account in moved {
        match account.obstacle(back) {
            Some(reason) => staying.push((account.account_id, reason)),
            None => going.push(account.account_id),
        }
    }
    Ok((going, staying))
}

/// The event that takes back what a batch did, while it can be asked for; otherwise why it cannot.
///
/// # Errors
/// The database's.
pub async fn way_back(tx: &mut Tx, actor: &Actor, batch: &Batch) -> Result<Result<Event, Refusal>, Failure> {
    if batch.is_open() {
        let detail = "it is not over yet: stop it, or wait for its end";
        return Ok(Err(Refusal::conflict("batch_open", detail)));
    }
    let Some(back) = batch.event.undone_by() else {
        let detail = format!("the lifecycle has no way back from {}", batch.event);
        return Ok(Err(Refusal::conflict("no_way_back", detail)));
    };
    if ended(tx, actor, batch.id)
        .await?
        .is_some_and(|ended| ended.lately)
    {
        return Ok(Ok(back));
    }
    let hours = BATCH_UNDO_HOURS_MAX;
    let detail =
        format!("it changed nothing, or it ended over {hours} hours ago: change the accounts themselves");
    Ok(Err(Refusal::conflict("undo_too_late", detail)))
}

/// What taking a batch back would do, and the first few accounts that would go back.
///
/// # Errors
/// That there is no such batch; that it cannot be taken back; that the actor may not; or the database's.
pub async fn preview(
    tx: &mut Tx,
    actor: &Actor,
    id: BatchId,
    sample: usize,
) -> Result<(Batch, Transitions, Vec<Account>), Failure> {
    let batch = batches::get(tx, actor, id).await?;
    let back = way_back(tx, actor, &batch).await??;
    lifecycle::allow(actor, back)?;
    let (going, staying) = moved(tx, actor, &batch, back, None).await?;
    let accounts = accounts::walk::read(tx, actor, &going[..sample.min(going.len())]).await?;
    let would = Transitions {
        matched: (going.len() + staying.len()) as i64,
        moved: going.len() as i64,
        refused_count: staying.len() as i64,
        refused: staying
            .into_iter()
            .take(REFUSALS_LISTED_MAX)
            .map(|(id, reason)| RefusedAccount {
                id: id.into(),
                code: NotMoved::IllegalTransition,
                reason,
            })
            .collect(),
        dry_run: true,
    };
    Ok((batch, would, accounts))
}

/// Asks for a batch to be taken back. That is a batch too: it waits, is done in parts, and names what it leaves as it is.
///
/// # Errors
/// The faults of the request; as [`preview`]; or that no account is as the batch left it.
pub async fn create(tx: &mut Tx, actor: &Actor, id: BatchId, asked: &UndoBatch) -> Result<Batch, Failure> {
    accounts::refuse(asked.faults())?;
    let batch = batches::get(tx, actor, id).await?;
    let back = way_back(tx, actor, &batch).await??;
    lifecycle::allow(actor, back)?;
    let (mut ids, staying) = moved(tx, actor, &batch, back, None).await?;
    if ids.is_empty() {
        let detail = "no account that it changed can go back: see the history of each";
        return Err(Refusal::conflict("no_accounts", detail).into());
    }
    ids.extend(staying.iter().map(|(id, _)| *id));
    let change = Change {
        event: back,
        in_review: false,
        reason: &asked.reason,
        wait_secs: asked.wait_secs,
        undoes: Some(id),
    };
    batches::write_down(tx, actor, &change, &ids).await
}

/// Of accounts that are locked: those that still go back, and those that do not, with the reason.
pub(super) async fn part(
    tx: &mut Tx,
    actor: &Actor,
    undone: BatchId,
    back: Event,
    ids: &[i64],
) -> Result<(Vec<i64>, Vec<(i64, String)>), Failure> {
    lifecycle::lock(tx, actor, ids).await?;
    let undone = batches::get(tx, actor, undone).await?;
    moved(tx, actor, &undone, back, Some(ids)).await
}
