//! The secrets of leased accounts: credentials are opened for whoever holds the lease, and session data is kept for them.

use std::collections::HashMap;

use muster_wire::{
    Secret,
    work::{Credentials, Lease, LeaseSecrets, Leases, PutSession, Session},
};

use super::{columns, holder, refuse};
use crate::{
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    problem::{Failure, Refusal},
    seal::{Keyring, Place},
};

/// Opens the credentials of the accounts whose leases the actor still holds, and writes down for each that it was opened.
///
/// # Errors
/// When the request has faults, a secret does not open, or the database fails.
pub async fn credentials(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    leases: &Leases,
) -> Result<Credentials, Failure> {
    refuse(leases.faults())?;
    let (bot, operator) = holder(actor)?;
    let (accounts, tokens) = columns(leases.leases.iter().copied());
    let rows = sqlx::query_file!(
        "src/work/sealed.sql",
        actor.tenant.0,
        bot,
        operator,
        &accounts,
        &tokens
    )
    .fetch_all(&mut **tx)
    .await?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let open = |table, column, row: i64, sealed: Option<Vec<u8>>| {
        sealed
            .map(|sealed| keys.open(&Place::new(table, column, row), &sealed).map(Secret))
            .transpose()
    };
    let mut opened = HashMap::new();
    for row in rows {
        let lease = Lease {
            account: row.account,
            token: row.token,
        };
        let account = row.account.0;
        let secrets = LeaseSecrets {
            lease,
            held: true,
            password: open("accounts", "password_encrypted", account, row.password_encrypted)?,
            access_token: open(
                "accounts",
                "access_token_encrypted",
                account,
                row.access_token_encrypted,
            )?,
            proxy_password: open(
                "proxies",
                "password_encrypted",
                row.proxy_id.0,
                row.proxy_password_encrypted,
            )?,
        };
        opened.insert(lease, secrets);
    }
    let entries: Vec<_> = opened
        .keys()
        .map(|lease| Entry {
            action: "credentials.open",
            object_type: "account",
            object_id: Some(lease.account.to_string()),
            after: Some(serde_json::json!({ "lease": lease })),
            ..Entry::default()
        })
        .collect();
    if !entries.is_empty() {
        audit::write(tx, actor, &entries).await?;
    }
    let answer = |lease: &Lease| {
        opened.get(lease).cloned().unwrap_or(LeaseSecrets {
            lease: *lease,
            held: false,
            password: None,
            access_token: None,
            proxy_password: None,
        })
    };
    Ok(Credentials {
        leases: leases.leases.iter().map(answer).collect(),
    })
}

/// Gives what is kept for an account whose lease the actor still holds.
///
/// # Errors
/// A conflict when they do not hold it; when the data does not open, or the database fails.
pub async fn session(tx: &mut Tx, actor: &Actor, keys: &Keyring, lease: Lease) -> Result<Session, Failure> {
    let (bot, operator) = holder(actor)?;
    let row = sqlx::query_file!(
        "src/work/session.sql",
        actor.tenant.0,
        bot,
        operator,
        lease.account.0,
        lease.token
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(lost)?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let open = |sealed: Vec<u8>| keys.open(&place(lease), &sealed).map(Secret);
    Ok(Session {
        data: row.data_encrypted.map(open).transpose()?,
        updated_at: row.updated_at,
    })
}

/// Keeps session data for an account whose lease the actor still holds, sealed, in place of what was kept before.
///
/// # Errors
/// When the request has faults; a conflict when they do not hold the lease; or the database fails.
pub async fn put_session(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    lease: Lease,
    put: &PutSession,
) -> Result<Session, Failure> {
    refuse(put.faults())?;
    let (bot, operator) = holder(actor)?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let sealed = keys.seal(&place(lease), &put.data.0);
    let updated_at = sqlx::query_file_scalar!(
        "src/work/put_session.sql",
        actor.tenant.0,
        bot,
        operator,
        lease.account.0,
        lease.token,
        sealed
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(lost)?;
    Ok(Session {
        data: None,
        updated_at: Some(updated_at),
    })
}

fn place(lease: Lease) -> Place {
    Place::new("bot_sessions", "data_encrypted", lease.account)
}

fn lost() -> Failure {
    Refusal::conflict(
        "lease_lost",
        "this lease is not held by you any more: claim again",
    )
    .into()
}
