//! Bots: programs that work steps.

use muster_wire::{
    BotId, Page,
    bots::{
        BOT_ERRORS_MAX, BOT_LEASES_COUNTED_MAX, BOT_LEASES_LISTED_MAX, Bot, BotActivity, BotChange, BotError,
        BotFilter, BotRate, BotStatus, NewBot, RATE_MINUTES,
    },
    models::Because,
};
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::{IfMatch, Listing},
    problem::{Bug, Failure, Refusal},
};

pub mod api;
pub mod pages;

/// Makes a bot.
///
/// # Errors
/// When there is a bot of this name, or the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, name: &str, description: &str) -> Result<BotId, Failure> {
    let id = sqlx::query_file_scalar!("src/bots/create.sql", actor.tenant.0, name, description)
        .fetch_one(&mut **tx)
        .await?;
    let after = get(tx, actor, BotId(id)).await?;
    record(tx, actor, "bot.create", None, None, Some(&after)).await?;
    Ok(BotId(id))
}

/// Makes a bot that somebody asked for.
///
/// # Errors
/// The faults of the request; that there is a bot of this name; or that the database fails.
pub async fn add(tx: &mut Tx, actor: &Actor, new: NewBot) -> Result<Bot, Failure> {
    Refusal::check(new.faults())?;
    let id = create(tx, actor, &new.name, &new.description).await?;
    get(tx, actor, id).await
}

/// A bot.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: BotId) -> Result<Bot, Failure> {
    sqlx::query_file_as!(
        Bot,
        "src/bots/get.sql",
        actor.tenant.0,
        id.0,
        BOT_LEASES_COUNTED_MAX
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| Refusal::not_found("bot").into())
}

/// One page of the bots that match, in the order of their ids.
///
/// # Errors
/// The faults of the filter, or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Bot>, Failure> {
    let filter = BotFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let rows = sqlx::query_file_as!(
        Bot,
        "src/bots/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        filter.status.map(BotStatus::word),
        filter.words.as_deref(),
        listing.fetch(),
        BOT_LEASES_LISTED_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(listing.page(rows, |bot| bot.id.0))
}

/// What each of these bots did in the last minutes, in the order of their ids.
///
/// # Errors
/// When the database fails.
pub async fn rates(tx: &mut Tx, actor: &Actor, bots: &[i64]) -> Result<Vec<BotRate>, Failure> {
    let rates = sqlx::query_file_as!(
        BotRate,
        "src/bots/rates.sql",
        actor.tenant.0,
        bots,
        RATE_MINUTES,
        bots.iter().min(),
        bots.iter().max()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rates)
}

/// What a bot does, and what went wrong.
///
/// # Errors
/// That there is no such bot, or that the database fails.
pub async fn activity(tx: &mut Tx, actor: &Actor, id: BotId) -> Result<BotActivity, Failure> {
    get(tx, actor, id).await?;
    let rate = rates(tx, actor, &[id.0]).await?.pop();
    let errors = sqlx::query_file_as!(
        BotError,
        "src/bots/errors.sql",
        actor.tenant.0,
        id.0,
        BOT_ERRORS_MAX
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(BotActivity {
        rate: rate.ok_or_else(|| Bug::new("a bot without a rate"))?,
        errors,
    })
}

/// Changes a bot's name or description.
///
/// # Errors
/// The faults of the change; that there is no such bot, that it has changed, or that its name is taken; or that the
/// database fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: BotId,
    if_match: IfMatch,
    change: BotChange,
) -> Result<Bot, Failure> {
    Refusal::check(change.faults())?;
    let before = get(tx, actor, id).await?;
    let changed = sqlx::query_file!(
        "src/bots/change.sql",
        actor.tenant.0,
        id.0,
        if_match.0,
        change.name,
        change.description
    )
    .execute(&mut **tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(if_match.missed("bot", true));
    }
    let after = get(tx, actor, id).await?;
    record(tx, actor, "bot.update", None, Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Gives a bot no more work, and tells it why. What it has leased it may still report.
///
/// # Errors
/// The faults of the reason; that there is no such bot; or that the database fails.
pub async fn pause(tx: &mut Tx, actor: &Actor, id: BotId, because: &Because) -> Result<Bot, Failure> {
    Refusal::check(because.faults())?;
    set_status(tx, actor, id, BotStatus::Paused, Some(&because.reason)).await
}

/// Gives a bot work again.
///
/// # Errors
/// That there is no such bot, or that the database fails.
pub async fn resume(tx: &mut Tx, actor: &Actor, id: BotId) -> Result<Bot, Failure> {
    set_status(tx, actor, id, BotStatus::Active, None).await
}

async fn set_status(
    tx: &mut Tx,
    actor: &Actor,
    id: BotId,
    status: BotStatus,
    reason: Option<&str>,
) -> Result<Bot, Failure> {
    let before = get(tx, actor, id).await?;
    sqlx::query_file!(
        "src/bots/set_status.sql",
        actor.tenant.0,
        id.0,
        status.word(),
        reason
    )
    .execute(&mut **tx)
    .await?;
    let after = get(tx, actor, id).await?;
    let action = match status {
        BotStatus::Paused => "bot.pause",
        BotStatus::Active => "bot.resume",
    };
    record(tx, actor, action, reason, Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Deletes a bot that holds no lease, and its tokens with it.
///
/// # Errors
/// That it holds leases; that there is no such bot; or that the database fails.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: BotId) -> Result<(), Failure> {
    let before = get(tx, actor, id).await?;
    let deleted = sqlx::query_file!("src/bots/delete.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    if deleted.rows_affected() == 0 {
        let detail = format!(
            "{:?} holds leases: pause it, wait until it has reported or released them or they have run out, then delete it",
            before.name
        );
        return Err(Refusal::conflict("has_leases", detail).into());
    }
    record(tx, actor, "bot.delete", None, Some(&before), None).await
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    reason: Option<&str>,
    before: Option<&Bot>,
    after: Option<&Bot>,
) -> Result<(), Failure> {
    let shown = |b: &Bot| json!({"name": b.name, "description": b.description, "status": b.status});
    let entry = Entry {
        action,
        object_type: "bot",
        object_id: before.or(after).map(|b| b.id.to_string()),
        reason,
        before: before.map(shown),
        after: after.map(shown),
    };
    audit::write(tx, actor, &[entry]).await
}
