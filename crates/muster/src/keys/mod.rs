//! Keys: how the data keys of tenants, and the master key that wraps them, are exchanged while everything runs.

use std::time::Duration;

use muster_wire::{
    TenantId,
    tenants::{KeyVersion, Keys},
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    actor::Actor,
    app::App,
    audit::{self, Entry},
    db::{Db, Tx},
    problem::{Bug, Failure},
    seal::{KEYS_CACHE_SECS, Keyring, Place, TenantKeys},
    tenants,
};

pub mod api;
pub mod pages;

/// How many secrets are sealed anew in one transaction, at most.
const BATCH_ROWS: i64 = 200;

/// How many rows are looked through for them, at most.
const WALKED_ROWS_MAX: i64 = 5_000;

/// Every column that holds sealed secrets.
const SEALED: &[(&str, &str)] = &[
    ("accounts", "password_encrypted"),
    ("accounts", "access_token_encrypted"),
    ("proxies", "password_encrypted"),
    ("bot_sessions", "data_encrypted"),
    ("second_factors", "secret_encrypted"),
    ("imports", "file_encrypted"),
    ("import_rows", "password_encrypted"),
    ("import_rows", "access_token_encrypted"),
    ("import_rows", "raw_encrypted"),
    ("import_rows", "before_password_encrypted"),
    ("import_rows", "before_access_token_encrypted"),
];

/// The columns of a table that hold sealed secrets, each with how the place of a row's is found, given the row as JSON: rows of
/// `bot_sessions` are named by their account, all others by their id.
pub fn sealed_columns(table: &str) -> impl Iterator<Item = (&'static str, impl Fn(&Value) -> Option<Place>)> {
    SEALED
        .iter()
        .filter(move |(of, _)| *of == table)
        .map(|&(table, column)| {
            let key = if table == "bot_sessions" {
                "account_id"
            } else {
                "id"
            };
            (column, move |row: &Value| {
                Some(Place::new(table, column, row[key].as_i64()?))
            })
        })
}

/// What came of sealing anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that the current key seals now.
    pub resealed: u64,
    /// Secrets that do not open, and stay as they are; the log says which.
    pub failed: u64,
}

/// What came of wrapping anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Data keys that the newest master key wraps now.
    pub rewrapped: u64,
    /// Data keys that another one still wraps, because they were made meanwhile: only when there are none may the old
    /// master keys be forgotten.
    pub left: u64,
}

/// The tenant's data keys, and how far a rotation has come.
///
/// # Errors
/// When the database fails.
pub async fn show(tx: &mut Tx, actor: &Actor) -> Result<Keys, Failure> {
    let versions = sqlx::query_file_as!(KeyVersion, "src/keys/versions.sql", actor.tenant.0)
        .fetch_all(&mut **tx)
        .await?;
    let newest = versions
        .last()
        .ok_or_else(|| Bug::new("a tenant has a data key"))?;
    Ok(Keys {
        current: newest.version,
        resealing: newest.resealed_at.is_none(),
        versions,
    })
}

/// Makes a new data key that seals from now on. Where a rotation was begun and not finished, it is that one that goes on,
/// and no key is made. [`reseal`] does the rest, once the servers that share the database know the key.
///
/// # Errors
/// When another rotation is being begun, or the database fails.
pub async fn rotate(tx: &mut Tx, actor: &Actor, keyring: &Keyring) -> Result<Keys, Failure> {
    let keys = show(tx, actor).await?;
    if keys.resealing {
        return Ok(keys);
    }
    let version = keys.current + 1;
    let (wrapped, master_key_id) = keyring.new_data_key(actor.tenant, version)?;
    tenants::add_key(&mut **tx, actor.tenant, version, &wrapped, &master_key_id).await?;
    record(tx, actor, "key.rotate", json!({"version": version})).await?;
    show(tx, actor).await
}

/// As [`rotate`], and [`reseal`] in the background once every server knows the key; [`show`] says how far it is.
///
/// # Errors
/// As [`rotate`].
pub async fn rotate_and_reseal(app: &App, actor: &Actor) -> Result<Keys, Failure> {
    let mut tx = app.db.begin_read(actor).await?;
    let shown = rotate(&mut tx, actor, &app.keys).await?;
    tx.commit().await?;
    app.keys.forget();
    let (app, actor) = (app.clone(), actor.clone());
    tokio::spawn(async move {
        // Until then another server may not know the key, and could not open what it seals.
        tokio::time::sleep(Duration::from_secs(KEYS_CACHE_SECS + 1)).await;
        match reseal(&app.db, &app.keys, &actor).await {
            Ok(done) => {
                tracing::info!(tenant = %actor.tenant, done.resealed, done.failed, "secrets are sealed anew")
            }
            Err(failure) => {
                tracing::error!(tenant = %actor.tenant, "sealing anew stopped; rotate again to go on: {failure}");
            }
        }
        app.live.ring(actor.tenant);
    });
    Ok(shown)
}

/// Seals by the current data key what another one seals, a batch at a time, until nothing is left. A secret that is changed
/// meanwhile stays as it is changed. Can be stopped at any moment, and called again.
///
/// # Errors
/// When the database fails; what was done stays done.
pub async fn reseal(db: &Db, keyring: &Keyring, actor: &Actor) -> Result<Resealed, Failure> {
    let mut total = Resealed::default();
    loop {
        let mut pass = Resealed::default();
        for (table, column) in SEALED {
            let mut after = Some((0, 0));
            while let Some(key) = after {
                after = batch(db, keyring, actor, (table, column), key, &mut pass).await?;
            }
        }
        total = Resealed {
            resealed: total.resealed + pass.resealed,
            failed: pass.failed,
        };
        if pass.resealed == 0 {
            break;
        }
    }
    let mut tx = db.begin(actor).await?;
    let failed = i64::try_from(total.failed).map_err(Bug::new)?;
    sqlx::query_file!("src/keys/end_reseal.sql", actor.tenant.0, failed)
        .execute(&mut *tx)
        .await?;
    record(
        &mut tx,
        actor,
        "key.reseal",
        json!({"resealed": total.resealed, "failed": total.failed}),
    )
    .await?;
    tx.commit().await?;
    Ok(total)
}

/// Secrets of one column as they are stored, and as they are to be.
#[derive(Debug, Default)]
struct Batch {
    keys: (Vec<i64>, Vec<i64>),
    stale: Vec<Vec<u8>>,
    fresh: Vec<Vec<u8>>,
}

/// Seals the next secrets of a column; gives the key of the last row that was looked at, or none when there are no more.
async fn batch(
    db: &Db,
    keyring: &Keyring,
    actor: &Actor,
    (table, column): (&str, &str),
    after: (i64, i64),
    done: &mut Resealed,
) -> Result<Option<(i64, i64)>, Failure> {
    let mut tx = db.begin_read(actor).await?;
    let keys = keyring.tenant(&mut tx, actor.tenant).await?;
    let rows = sqlx::query_file!(
        "src/keys/stale.sql",
        actor.tenant.0,
        table,
        column,
        &keys.current().to_be_bytes()[..],
        after.0,
        after.1,
        BATCH_ROWS,
        WALKED_ROWS_MAX
    )
    .fetch_all(&mut *tx)
    .await?;
    let Some(last) = rows.last().map(|row| (row.a, row.b)) else {
        return Ok(None);
    };
    let mut batch = Batch::default();
    for row in rows {
        // Only walked.
        let Some(sealed) = row.sealed else { continue };
        match anew(
            &keys,
            &row.place_table,
            &row.place_column,
            &row.place_row,
            &sealed,
        ) {
            Ok(fresh) => {
                batch.keys.0.push(row.a);
                batch.keys.1.push(row.b);
                batch.stale.push(sealed);
                batch.fresh.push(fresh);
            }
            Err(bug) => {
                done.failed += 1;
                tracing::error!(tenant = %actor.tenant, "a secret cannot be sealed anew: {bug}");
            }
        }
    }
    if batch.stale.is_empty() {
        return Ok(Some(last));
    }
    let exchanged = exchange(&mut tx, actor, table, column, &batch).await?;
    let resealed = i64::try_from(exchanged).map_err(Bug::new)?;
    sqlx::query_file!(
        "src/keys/count_resealed.sql",
        actor.tenant.0,
        keys.current(),
        resealed
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    done.resealed += exchanged;
    Ok(Some(last))
}

fn anew(keys: &TenantKeys, table: &str, column: &str, row: &str, sealed: &[u8]) -> Result<Vec<u8>, Bug> {
    let place = place(table, column, row)?;
    Ok(keys.seal_bytes(&place, &keys.open_bytes(&place, sealed)?))
}

fn place(table: &str, column: &str, row: &str) -> Result<Place, Bug> {
    let (table, column) = SEALED
        .iter()
        .find(|place| **place == (table, column))
        .ok_or_else(|| Bug::new(format!("{table}.{column} is no place of secrets")))?;
    Ok(Place::new(table, column, row))
}

/// Opens some secrets of the tenant, up to `of_each` of each column and chosen at random; gives why those do not open that do
/// not.
///
/// # Errors
/// When the database fails, or no data key of the tenant opens.
pub async fn open_some(
    tx: &mut Tx,
    keyring: &Keyring,
    actor: &Actor,
    of_each: i64,
) -> Result<Vec<String>, Failure> {
    let keys = keyring.tenant(tx, actor.tenant).await?;
    let rows = sqlx::query_file!("src/keys/sample.sql", actor.tenant.0, of_each)
        .fetch_all(&mut **tx)
        .await?;
    let mut closed = Vec::new();
    for row in rows {
        let opened = place(&row.place_table, &row.place_column, &row.place_row)
            .and_then(|place| keys.open_bytes(&place, &row.sealed));
        closed.extend(opened.err().map(|bug| bug.to_string()));
    }
    Ok(closed)
}

async fn exchange(
    tx: &mut Tx,
    actor: &Actor,
    table: &str,
    column: &str,
    batch: &Batch,
) -> Result<u64, Failure> {
    let Batch {
        keys: (ids, lines),
        stale,
        fresh,
    } = batch;
    let tenant = actor.tenant.0;
    let exchanged = match table {
        "accounts" => {
            sqlx::query_file!("src/keys/reseal_accounts.sql", tenant, column, ids, stale, fresh)
                .execute(&mut **tx)
                .await?
        }
        "proxies" => {
            sqlx::query_file!("src/keys/reseal_proxies.sql", tenant, ids, stale, fresh)
                .execute(&mut **tx)
                .await?
        }
        "bot_sessions" => {
            sqlx::query_file!("src/keys/reseal_bot_sessions.sql", tenant, ids, stale, fresh)
                .execute(&mut **tx)
                .await?
        }
        "second_factors" => {
            sqlx::query_file!("src/keys/reseal_second_factors.sql", tenant, ids, stale, fresh)
                .execute(&mut **tx)
                .await?
        }
        "imports" => {
            sqlx::query_file!("src/keys/reseal_imports.sql", tenant, ids, stale, fresh)
                .execute(&mut **tx)
                .await?
        }
        _ => {
            sqlx::query_file!(
                "src/keys/reseal_import_rows.sql",
                tenant,
                column,
                ids,
                lines,
                stale,
                fresh
            )
            .execute(&mut **tx)
            .await?
        }
    };
    Ok(exchanged.rows_affected())
}

async fn record(tx: &mut Tx, actor: &Actor, action: &str, after: serde_json::Value) -> Result<(), Failure> {
    audit::write(
        tx,
        actor,
        &[Entry {
            action,
            object_type: "key",
            after: Some(after),
            ..Entry::default()
        }],
    )
    .await
}

/// Wraps by the newest master key every data key, of every tenant, that another one wraps. Needs the schema owner's role.
/// Can be stopped at any moment, and called again: each tenant is one transaction, and both master keys open what they
/// wrapped until [`crate::seal::MasterKeys::forget_old`].
///
/// # Errors
/// When a data key cannot be opened, or the database fails; what was done stays done.
pub async fn rewrap_all(owner_role: &PgConnectOptions, keyring: &Keyring) -> Result<Rewrapped, Failure> {
    let mut db = PgConnection::connect_with(owner_role).await?;
    let newest = keyring.master().id();
    let mut done = Rewrapped::default();
    for tenant in every_tenant(&mut db).await? {
        let mut tx = db.begin().await?;
        for key in wrapped_by_others(&mut tx, tenant, &newest).await? {
            done.rewrapped += rewrap(&mut tx, keyring, tenant, &key).await?;
        }
        tx.commit().await?;
    }
    for tenant in every_tenant(&mut db).await? {
        let mut tx = db.begin().await?;
        done.left += wrapped_by_others(&mut tx, tenant, &newest).await?.len() as u64;
    }
    db.close().await?;
    keyring.forget();
    Ok(done)
}

/// A data key as it is stored.
struct Wrapped {
    version: i32,
    wrapped: Vec<u8>,
    master_key_id: String,
}

async fn every_tenant(db: &mut PgConnection) -> Result<Vec<TenantId>, Failure> {
    Ok(sqlx::query_file_scalar!("src/keys/tenants.sql")
        .fetch_all(db)
        .await?)
}

/// Has the schema owner's transaction see the rows of one tenant.
///
/// # Errors
/// When the database fails.
pub async fn act_in(tx: &mut PgConnection, tenant: TenantId) -> Result<(), Failure> {
    sqlx::query_file!("src/keys/act_in.sql", tenant.to_string())
        .fetch_one(tx)
        .await?;
    Ok(())
}

/// The tenant's data keys that another master key wraps. The transaction sees this tenant from here on.
async fn wrapped_by_others(
    tx: &mut PgConnection,
    tenant: TenantId,
    newest: &str,
) -> Result<Vec<Wrapped>, Failure> {
    act_in(tx, tenant).await?;
    let keys = sqlx::query_file_as!(Wrapped, "src/keys/wrapped_by_others.sql", tenant.0, newest)
        .fetch_all(tx)
        .await?;
    Ok(keys)
}

async fn rewrap(
    tx: &mut PgConnection,
    keyring: &Keyring,
    tenant: TenantId,
    key: &Wrapped,
) -> Result<u64, Failure> {
    let (wrapped, by) = keyring.rewrap(tenant, key.version, &key.wrapped, &key.master_key_id)?;
    let done = sqlx::query_file!(
        "src/keys/rewrap.sql",
        tenant.0,
        key.version,
        key.wrapped,
        wrapped,
        by
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}
