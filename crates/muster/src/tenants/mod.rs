//! Tenants: the organisations whose rows are kept apart, and how the first one comes to be.

use muster_wire::{
    OperatorId, TenantId,
    models::Because,
    tenants::{Tenant, TenantChange},
};
use serde_json::json;
use sqlx::{Connection, PgConnection, PgExecutor, postgres::PgConnectOptions};

use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::IfMatch,
    problem::{Failure, Refusal},
    seal::Keyring,
};

pub mod api;
pub mod pages;

/// A tenant that has just been made.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// The tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: OperatorId,
}

/// Makes a tenant with its first data key and its owner, who is the operator with this address, made when there is none.
/// Needs the schema owner's role: no tenant can make another.
///
/// # Errors
/// When there is a tenant of this name, or the database fails. Nothing is left half done.
pub async fn create(
    owner_role: &PgConnectOptions,
    keys: &Keyring,
    name: &str,
    owner_email: &str,
    owner_name: &str,
) -> Result<Made, Failure> {
    let mut db = PgConnection::connect_with(owner_role).await?;
    let mut tx = db.begin().await?;
    let tenant = sqlx::query_file_scalar!("src/tenants/next_id.sql")
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query_file!("src/tenants/create.sql", tenant, name)
        .execute(&mut *tx)
        .await?;
    let (wrapped, master_key_id) = keys.new_data_key(TenantId(tenant), 1)?;
    add_key(&mut *tx, TenantId(tenant), 1, &wrapped, &master_key_id).await?;
    let owner = sqlx::query_file_scalar!("src/tenants/ensure_operator.sql", owner_email, owner_name)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query_file!("src/tenants/add_owner.sql", tenant, owner)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    db.close().await?;
    Ok(Made {
        tenant: TenantId(tenant),
        owner: OperatorId(owner),
    })
}

/// Stores a data key of the tenant that the connection acts in.
///
/// # Errors
/// When there is one of this version, or the database fails.
pub async fn add_key(
    db: impl PgExecutor<'_>,
    tenant: TenantId,
    version: i32,
    wrapped: &[u8],
    master_key_id: &str,
) -> Result<(), Failure> {
    sqlx::query_file!(
        "src/tenants/add_key.sql",
        tenant.0,
        version,
        wrapped,
        master_key_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The first tenant, when there is one: what `muster up` serves.
///
/// # Errors
/// When the database fails.
pub async fn first(owner_role: &PgConnectOptions) -> Result<Option<TenantId>, Failure> {
    let mut db = PgConnection::connect_with(owner_role).await?;
    let id = sqlx::query_file_scalar!("src/tenants/first.sql")
        .fetch_one(&mut db)
        .await?;
    db.close().await?;
    Ok(id.map(TenantId))
}

/// The tenant that the actor acts in.
///
/// # Errors
/// When the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor) -> Result<Tenant, Failure> {
    let tenant = sqlx::query_file_as!(Tenant, "src/tenants/get.sql", actor.tenant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(tenant)
}

/// Changes the tenant's name or its allowance of requests.
///
/// # Errors
/// The faults of the change; that the tenant has changed, or its name is taken; or that the database fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    if_match: IfMatch,
    change: TenantChange,
) -> Result<Tenant, Failure> {
    Refusal::check(change.faults())?;
    let before = get(tx, actor).await?;
    let changed = sqlx::query_file!(
        "src/tenants/change.sql",
        actor.tenant.0,
        if_match.0,
        change.name,
        change.requests_per_minute
    )
    .execute(&mut **tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(if_match.missed("tenant", true));
    }
    record(tx, actor, "tenant.update", None, &before).await
}

/// Lets everything in the tenant stand still: no step is handed out, and bots are told why.
///
/// # Errors
/// The faults of the reason, or that the database fails.
pub async fn pause(tx: &mut Tx, actor: &Actor, because: &Because) -> Result<Tenant, Failure> {
    Refusal::check(because.faults())?;
    let before = get(tx, actor).await?;
    sqlx::query_file!("src/tenants/pause.sql", actor.tenant.0, because.reason)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "tenant.pause", Some(&because.reason), &before).await
}

/// Lets everything in the tenant go on.
///
/// # Errors
/// When the database fails.
pub async fn resume(tx: &mut Tx, actor: &Actor) -> Result<Tenant, Failure> {
    let before = get(tx, actor).await?;
    sqlx::query_file!("src/tenants/resume.sql", actor.tenant.0)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "tenant.resume", None, &before).await
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    reason: Option<&str>,
    before: &Tenant,
) -> Result<Tenant, Failure> {
    let after = get(tx, actor).await?;
    let shown = |t: &Tenant| json!({"name": t.name, "paused_at": t.paused_at, "requests_per_minute": t.requests_per_minute});
    let entry = Entry {
        action,
        object_type: "tenant",
        object_id: Some(actor.tenant.to_string()),
        reason,
        before: Some(shown(before)),
        after: Some(shown(&after)),
    };
    audit::write(tx, actor, &[entry]).await?;
    Ok(after)
}
