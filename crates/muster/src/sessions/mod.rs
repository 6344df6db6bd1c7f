//! Sessions: how people sign in, and what they are signed in with. A session ends when it was not used for half an hour,
//! and after twelve hours in any case; the gate moves the first of these as it is used.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use muster_wire::{
    OperatorId, TenantId,
    operators::{OpenTenant, Session, SignIn, SignedIn},
    page::PAGE_ITEMS_MAX,
};
use secrecy::SecretString;
use uuid::Uuid;

use crate::{
    actor::{Actor, Who},
    audit::{self, Entry},
    db::{Db, Tx},
    problem::{Failure, Kind, Refusal},
    seal::Keyring,
    token::{self, TokenKind},
};

pub mod api;
pub mod pages;
pub mod passwords;
pub mod recovery;
pub mod second_factor;

use passwords::Passwords;
use second_factor::Ticket;

/// After how many minutes without a request that somebody asked for a session ends; `access/verify_session.sql` moves the end.
pub const SESSION_IDLE_MINUTES: i64 = 30;

/// The longest description of a browser that is kept.
const USER_AGENT_CHARS_MAX: usize = 300;

/// From where a request comes, before it is known from whom.
#[derive(Debug, Clone)]
pub struct From {
    /// The address.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// The request.
    pub request: Uuid,
}

impl From {
    /// The actor, once it is known.
    pub fn actor(&self, tenant: TenantId, who: Who) -> Actor {
        Actor {
            tenant,
            who,
            request: self.request,
            address: self.address.map(|a| a.to_string()),
            stale: None,
        }
    }
}

/// What came of a right password.
pub enum Entered {
    /// They are signed in; with the session's token.
    SignedIn(Box<SignedIn>, SecretString),
    /// They have to give the code of their second factor.
    CodeDue(Ticket),
}

/// Signs a person in: gives who they are, and the session's token. An address that nobody has and a wrong password are
/// refused alike, and take as long. Where they have a second factor and gave no code, they are given a ticket, to come back
/// with the code.
///
/// # Errors
/// The faults of the request; that there were too many attempts; that the address or the password, or the code, is wrong;
/// that they may not enter the tenant; or that the database fails.
pub async fn sign_in(
    db: &Db,
    keys: &Keyring,
    passwords: &Passwords,
    from: &From,
    sign_in: SignIn,
) -> Result<Entered, Failure> {
    Refusal::check(sign_in.faults())?;
    passwords.admit(from.address, Some(&sign_in.email))?;
    let theirs = db.sign_in(&sign_in.email).await?;
    let hash = theirs.first().and_then(|row| row.password_hash.clone());
    if !passwords.verify(sign_in.password.0, hash).await? {
        tracing::info!(address = ?from.address, "a sign-in was refused");
        let detail = "the e-mail address or the password is wrong";
        return Err(Refusal::new(Kind::Unauthenticated, "wrong_credentials", detail).into());
    }
    let entered = theirs
        .iter()
        .find(|row| sign_in.tenant.is_none_or(|tenant| tenant == row.tenant_id));
    let Some(entered) = entered else {
        let detail = "you do not belong to this tenant: leave it out to enter the first of yours";
        return Err(Refusal::new(Kind::Forbidden, "not_a_member", detail).into());
    };
    let who = Who::Operator {
        id: entered.operator_id,
        role: entered.role,
    };
    let actor = from.actor(entered.tenant_id, who);
    let mut tx = db.begin(&actor).await?;
    let ticket = second_factor::ticket(&mut tx, &actor, keys, entered.operator_id).await?;
    tx.commit().await?;
    match (ticket, &sign_in.code) {
        (None, _) => {}
        (Some(ticket), None) => return Ok(Entered::CodeDue(ticket)),
        (Some(_), Some(code)) => second_factor::check(db, keys, &actor, entered.operator_id, code).await?,
    }
    let (secret, expires_at) = begin(db, from, &actor, entered.operator_id).await?;
    let open = |row: &crate::db::SignIn| OpenTenant {
        tenant_id: row.tenant_id,
        name: row.tenant.clone(),
        role: row.role,
    };
    let signed_in = SignedIn {
        operator_id: entered.operator_id,
        name: entered.name.clone(),
        tenant_id: entered.tenant_id,
        role: entered.role,
        expires_at,
        tenants: theirs.iter().map(open).collect(),
    };
    Ok(Entered::SignedIn(Box::new(signed_in), secret))
}

/// Signs in whoever holds a ticket and gives the code of their second factor; gives the session's token.
///
/// # Errors
/// That there were too many attempts; that the ticket or the code is not good; or that the database fails.
pub async fn give_code(
    db: &Db,
    keys: &Keyring,
    passwords: &Passwords,
    from: &From,
    ticket: &Ticket,
    code: &str,
) -> Result<SecretString, Failure> {
    passwords.admit(from.address, None)?;
    let holder = second_factor::holder(db, keys, ticket).await?;
    let who = Who::Operator {
        id: holder.operator,
        role: holder.role,
    };
    let actor = from.actor(holder.tenant, who);
    second_factor::check(db, keys, &actor, holder.operator, code).await?;
    let (secret, _) = begin(db, from, &actor, holder.operator).await?;
    Ok(secret)
}

/// Begins a session of the actor; gives its token, and when it ends unless it is used.
async fn begin(
    db: &Db,
    from: &From,
    actor: &Actor,
    operator: OperatorId,
) -> Result<(SecretString, DateTime<Utc>), Failure> {
    let secret = token::mint(TokenKind::Session, actor.tenant);
    let hash = token::hash(&secret);
    let expires_at = Utc::now() + Duration::minutes(SESSION_IDLE_MINUTES);
    let user_agent = from
        .user_agent
        .as_deref()
        .map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect::<String>());
    let mut tx = db.begin(actor).await?;
    sqlx::query_file!(
        "src/sessions/create.sql",
        actor.tenant.0,
        &hash[..],
        operator.0,
        expires_at,
        actor.address,
        user_agent
    )
    .execute(&mut *tx)
    .await?;
    record(&mut tx, actor, "session.create", Some(id(&hash))).await?;
    tx.commit().await?;
    Ok((secret, expires_at))
}

/// The tenants that the caller may enter.
///
/// # Errors
/// When the database fails.
pub async fn tenants(tx: &mut Tx) -> Result<Vec<OpenTenant>, Failure> {
    let tenants = sqlx::query_file_as!(OpenTenant, "src/sessions/tenants.sql")
        .fetch_all(&mut **tx)
        .await?;
    Ok(tenants)
}

/// Goes from one tenant to another of the person's: ends the session that they came with, and gives the token of one there,
/// or a ticket where they have a second factor there.
///
/// # Errors
/// That they may not enter it; that they did not come with a session; or that the database fails.
pub async fn enter(
    db: &Db,
    keys: &Keyring,
    from: &From,
    actor: &Actor,
    operator: OperatorId,
    presented: &[u8; 32],
    tenant: TenantId,
) -> Result<Result<SecretString, Ticket>, Failure> {
    let mut tx = db.begin(actor).await?;
    let entered = tenants(&mut tx)
        .await?
        .into_iter()
        .find(|open| open.tenant_id == tenant);
    let entered = entered.ok_or_else(|| Refusal::not_found("tenant"))?;
    // An API token can have less than its person's role, so it opens no session.
    revoke(&mut tx, actor, operator, &id(presented)).await?;
    tx.commit().await?;
    let there = from.actor(
        tenant,
        Who::Operator {
            id: operator,
            role: entered.role,
        },
    );
    let mut tx = db.begin(&there).await?;
    let ticket = second_factor::ticket(&mut tx, &there, keys, operator).await?;
    tx.commit().await?;
    if let Some(ticket) = ticket {
        return Ok(Err(ticket));
    }
    let (secret, _) = begin(db, from, &there, operator).await?;
    Ok(Ok(secret))
}

/// What a session is called: not its secret, and not enough of its hash to find it by guessing.
pub fn id(hash: &[u8; 32]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The caller's sessions that are good now, the newest first. `presented` is the hash of what they called with.
///
/// # Errors
/// When the database fails.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    operator: OperatorId,
    presented: &[u8; 32],
) -> Result<Vec<Session>, Failure> {
    let sessions = sqlx::query_file_as!(
        Session,
        "src/sessions/list.sql",
        actor.tenant.0,
        operator.0,
        &presented[..],
        i64::from(PAGE_ITEMS_MAX)
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(sessions)
}

/// Ends one session of the caller.
///
/// # Errors
/// That there is none of this name, or that the database fails.
pub async fn revoke(tx: &mut Tx, actor: &Actor, operator: OperatorId, session: &str) -> Result<(), Failure> {
    let ended = sqlx::query_file!("src/sessions/revoke.sql", actor.tenant.0, operator.0, session)
        .execute(&mut **tx)
        .await?;
    if ended.rows_affected() == 0 {
        return Err(Refusal::not_found("session").into());
    }
    record(tx, actor, "session.revoke", Some(session.to_owned())).await
}

/// Ends all sessions of a person in the tenant.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(tx: &mut Tx, actor: &Actor, operator: OperatorId) -> Result<(), Failure> {
    sqlx::query_file!("src/sessions/revoke_all.sql", actor.tenant.0, operator.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn record(tx: &mut Tx, actor: &Actor, action: &str, object_id: Option<String>) -> Result<(), Failure> {
    audit::write(
        tx,
        actor,
        &[Entry {
            action,
            object_type: "session",
            object_id,
            ..Entry::default()
        }],
    )
    .await
}
