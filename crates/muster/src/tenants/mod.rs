//! Tenants: the organisations whose rows are kept apart, and how the first one comes to be.

use muster_wire::{OperatorId, TenantId};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{problem::Failure, seal::Keyring};

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
    let (wrapped, master_key_id) = keys.new_data_key(TenantId(tenant), 1);
    sqlx::query_file!("src/tenants/add_key.sql", tenant, 1, wrapped, master_key_id)
        .execute(&mut *tx)
        .await?;
    let owner =
        sqlx::query_file_scalar!("src/tenants/ensure_operator.sql", owner_email, owner_name)
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
