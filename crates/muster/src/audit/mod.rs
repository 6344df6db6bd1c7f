//! The audit log: what was done that is not a transition, by whom, with before and after. Append-only.

use chrono::{DateTime, Duration, Utc};
use muster_wire::audit::{AuditEntry, AuditFilter, TriggeredBy};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{
    actor::Actor,
    db::{Borrowed, Tx},
    http::{WALKED_MAX, Walked, walked_page},
    problem::Failure,
};

pub mod api;
pub mod pages;

/// One thing that was done.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// What was done, as `object.verb`: `proxy.update`, `credentials.open`.
    pub action: &'a str,
    /// The kind of thing that it was done to.
    pub object_type: &'a str,
    /// Which one, or none where it was done to many.
    pub object_id: Option<String>,
    /// Why, when somebody said so.
    pub reason: Option<&'a str>,
    /// What was there before. Never a secret.
    pub before: Option<Value>,
    /// What is there now. Never a secret.
    pub after: Option<Value>,
}

/// Writes entries down, in the transaction that did what they tell.
///
/// # Errors
/// When the database fails.
pub async fn write(tx: &mut Borrowed, actor: &Actor, entries: &[Entry<'_>]) -> Result<(), Failure> {
    insert(tx, actor, entries).await
}

/// As [`write()`], in a transaction of the schema's owner.
///
/// # Errors
/// When the database fails.
pub async fn write_as_owner(
    tx: &mut PgConnection,
    actor: &Actor,
    entries: &[Entry<'_>],
) -> Result<(), Failure> {
    insert(tx, actor, entries).await
}

async fn insert(tx: impl PgExecutor<'_>, actor: &Actor, entries: &[Entry<'_>]) -> Result<(), Failure> {
    let actions: Vec<_> = entries.iter().map(|e| e.action.to_owned()).collect();
    let types: Vec<_> = entries.iter().map(|e| e.object_type.to_owned()).collect();
    let ids: Vec<_> = entries.iter().map(|e| e.object_id.clone()).collect();
    let reasons: Vec<_> = entries.iter().map(|e| e.reason.map(str::to_owned)).collect();
    let befores: Vec<_> = entries.iter().map(|e| e.before.clone()).collect();
    let afters: Vec<_> = entries.iter().map(|e| e.after.clone()).collect();
    sqlx::query_file!(
        "src/audit/write.sql",
        actor.tenant.0,
        actor.address,
        &actions,
        &types,
        &ids as &[Option<String>],
        &reasons as &[Option<String>],
        &befores as &[Option<Value>],
        &afters as &[Option<Value>]
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The key of an entry: when, and which of those at the same moment.
pub type EntryKey = (DateTime<Utc>, Uuid);

/// The entries before a key, the newest first, and before which one the next page goes on. `since:` is counted from the moment
/// that is given.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &AuditFilter,
    now: DateTime<Utc>,
    before: Option<EntryKey>,
    limit: i64,
) -> Result<(Vec<AuditEntry>, Option<EntryKey>), Failure> {
    let moment = filter.since.map(|age| now - Duration::seconds(age.secs));
    let older = filter.since.is_some_and(|age| age.longer);
    let (object_type, object_id) = match &filter.object {
        Some((kind, id)) => (Some(kind.as_str()), id.as_deref()),
        None => (None, None),
    };
    let fetch = limit + 1;
    let walked_max = WALKED_MAX.max(fetch);
    let rows = sqlx::query_file!(
        "src/audit/list.sql",
        actor.tenant.0,
        before.map(|key| key.0),
        before.map(|key| key.1),
        filter.actor.map(|actor| actor.kind).map(TriggeredBy::word),
        filter.actor.and_then(|actor| actor.id),
        filter.action,
        object_type,
        object_id,
        filter.request,
        moment.filter(|_| !older),
        moment.filter(|_| older),
        fetch,
        walked_max
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(|row| Walked {
        item: AuditEntry {
            at: row.at,
            id: row.id,
            triggered_by: row.triggered_by,
            operator_id: row.operator_id,
            bot_id: row.bot_id,
            actor_name: row.actor_name,
            request_id: row.request_id,
            address: row.address,
            action: row.action,
            object_type: row.object_type,
            object_id: row.object_id,
            reason: row.reason,
            before: row.before,
            after: row.after,
        },
        walked: row.walked,
        matches: row.matches,
    });
    let (entries, end) = walked_page(rows, limit, walked_max);
    Ok((entries, end.map(|entry| (entry.at, entry.id))))
}
