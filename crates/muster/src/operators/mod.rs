//! Operators: the people of a tenant, what they may do, and how they come to a password.

use chrono::{Duration, Utc};
use muster_wire::{
    Fault, Filter, OperatorId, Page, Role,
    operators::{NewOperator, NewPassword, Operator, OperatorChange, PasswordLink},
    secret::Secret,
};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    actor::{Actor, Who},
    audit::{self, Entry},
    db::{Db, Tx},
    http::{IfMatch, Listing},
    problem::{Failure, Kind, Refusal},
    sessions::{self, passwords::Passwords},
    token::{self, TokenKind},
};

pub mod api;
pub mod pages;

/// For how many hours a password link works.
pub const PASSWORD_LINK_HOURS: i64 = 24;

/// Which operators a list shows.
#[derive(Debug, Clone, Default)]
struct OperatorFilter {
    /// Only those of this role.
    role: Option<Role>,
    /// Only those whose name or address holds this.
    words: Option<String>,
}

impl OperatorFilter {
    /// Reads it: `role:`, and words.
    ///
    /// # Errors
    /// Every fault of the filter.
    fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            role: filter.read("role"),
            words: filter.words(),
        };
        filter.finish().map(|()| this)
    }
}

/// Goes on when the actor may give this role to somebody: nobody gives, or takes away, more than they have.
///
/// # Errors
/// That they may not.
pub fn may_give(actor: &Actor, role: Role) -> Result<(), Refusal> {
    let may = match actor.who {
        Who::Operator { role: own, .. } => own.may_give(role),
        Who::System => true,
        Who::Bot { .. } | Who::Scheduler => false,
    };
    if may {
        Ok(())
    } else {
        let detail =
            format!("nobody gives or takes away more than they have: ask an owner about the role {role}");
        Err(Refusal::new(Kind::Forbidden, "more_than_own", detail))
    }
}

/// One page of the members that match, in the order of their ids.
///
/// # Errors
/// The faults of the filter, or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Operator>, Failure> {
    let filter = OperatorFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let rows = sqlx::query_file_as!(
        Operator,
        "src/operators/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        filter.role.map(Role::word),
        filter.words.as_deref(),
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(listing.page(rows, |operator| operator.id.0))
}

/// A member.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: OperatorId) -> Result<Operator, Failure> {
    sqlx::query_file_as!(Operator, "src/operators/get.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("operator").into())
}

/// Makes a person a member. Whether they were known to the server before cannot be told from the answer.
///
/// # Errors
/// The faults of the request; that the actor may not give the role; that the person is a member already; or that the
/// database fails.
pub async fn add(tx: &mut Tx, actor: &Actor, new: NewOperator) -> Result<Operator, Failure> {
    Refusal::check(new.faults())?;
    may_give(actor, new.role)?;
    let id = sqlx::query_file_scalar!("src/operators/add.sql", new.email, new.name, new.role.word())
        .fetch_one(&mut **tx)
        .await?
        .ok_or_else(|| {
            Refusal::conflict("already_exists", "a person with this address is a member already")
        })?;
    let operator = get(tx, actor, OperatorId(id)).await?;
    record(tx, actor, "operator.create", None, Some(&operator)).await?;
    Ok(operator)
}

/// Gives a member another role.
///
/// # Errors
/// That there is no such member, or that it has changed; that the actor may not give or take the role; that it is the last
/// owner; or that the database fails.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: OperatorId,
    if_match: IfMatch,
    change: OperatorChange,
) -> Result<Operator, Failure> {
    let owners = lock_owners(tx, actor).await?;
    let before = get(tx, actor, id).await?;
    if_match.check("operator", before.version)?;
    let Some(role) = change.role.filter(|role| *role != before.role) else {
        return Ok(before);
    };
    may_give(actor, before.role)?;
    may_give(actor, role)?;
    keep_an_owner(&owners, id)?;
    sqlx::query_file!("src/operators/change.sql", actor.tenant.0, id.0, role.word())
        .execute(&mut **tx)
        .await?;
    let after = get(tx, actor, id).await?;
    record(tx, actor, "operator.update", Some(&before), Some(&after)).await?;
    Ok(after)
}

/// Ends a membership. The person's sessions and tokens in this tenant end with it.
///
/// # Errors
/// That there is no such member; that the actor may not take the role away; that it is the last owner; or that the
/// database fails.
pub async fn remove(tx: &mut Tx, actor: &Actor, id: OperatorId) -> Result<(), Failure> {
    let owners = lock_owners(tx, actor).await?;
    let before = get(tx, actor, id).await?;
    may_give(actor, before.role)?;
    keep_an_owner(&owners, id)?;
    sqlx::query_file!("src/operators/remove.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    record(tx, actor, "operator.delete", Some(&before), None).await
}

async fn lock_owners(tx: &mut Tx, actor: &Actor) -> Result<Vec<OperatorId>, Failure> {
    let owners = sqlx::query_file_scalar!("src/operators/lock_owners.sql", actor.tenant.0)
        .fetch_all(&mut **tx)
        .await?;
    Ok(owners)
}

fn keep_an_owner(owners: &[OperatorId], id: OperatorId) -> Result<(), Refusal> {
    if owners == [id] {
        let detail = "this is the last owner: make somebody else an owner first";
        Err(Refusal::conflict("last_owner", detail))
    } else {
        Ok(())
    }
}

/// Takes the second factor from a member who has lost their device.
///
/// # Errors
/// That there is no such member, or they have none; that the actor may not give their role; or that the database fails.
pub async fn forget_second_factor(tx: &mut Tx, actor: &Actor, id: OperatorId) -> Result<(), Failure> {
    let operator = get(tx, actor, id).await?;
    may_give(actor, operator.role)?;
    sessions::second_factor::forget(tx, actor, id).await
}

/// Makes what lets a member set their password, once and within [`PASSWORD_LINK_HOURS`].
///
/// # Errors
/// That there is no such member; that the actor may not give their role; that the person belongs to other tenants too and
/// has a password of their own; or that the database fails.
pub async fn password_link(tx: &mut Tx, actor: &Actor, id: OperatorId) -> Result<PasswordLink, Failure> {
    let operator = get(tx, actor, id).await?;
    may_give(actor, operator.role)?;
    let may = sqlx::query_file_scalar!("src/operators/may_set_password.sql", id.0)
        .fetch_one(&mut **tx)
        .await?;
    if !may {
        let detail = "this person uses the password that they have: one tenant cannot set it for them";
        return Err(Refusal::conflict("own_password", detail).into());
    }
    let secret = token::mint(TokenKind::Password, actor.tenant);
    let expires_at = Utc::now() + Duration::hours(PASSWORD_LINK_HOURS);
    sqlx::query_file!(
        "src/operators/add_link.sql",
        actor.tenant.0,
        &token::hash(&secret)[..],
        id.0,
        actor.operator().map(|id| id.0),
        expires_at
    )
    .execute(&mut **tx)
    .await?;
    record(tx, actor, "operator.password_link", None, Some(&operator)).await?;
    Ok(PasswordLink {
        token: Secret(secret),
        expires_at,
    })
}

/// Sets the password of the person whom a link was given to, and ends their sessions. `from` is who asks, before it is
/// known who that is.
///
/// # Errors
/// The faults of the password; that the link does not work, or no more; or that the database fails.
pub async fn set_password(
    db: &Db,
    passwords: &Passwords,
    from: &sessions::From,
    new: NewPassword,
) -> Result<(), Failure> {
    Refusal::check(new.faults())?;
    let refused = || {
        let detail = "this link is not known, was used, or has expired: ask an admin for a new one";
        Refusal::new(Kind::Unauthenticated, "unauthenticated", detail)
    };
    let presented = token::read(new.token.0.expose_secret())
        .filter(|presented| presented.kind == TokenKind::Password)
        .ok_or_else(refused)?;
    let hash = &presented.hash[..];
    let actor = from.actor(presented.tenant, Who::System);
    let mut tx = db.begin(&actor).await?;
    let link = sqlx::query_file!("src/operators/link.sql", actor.tenant.0, hash)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(refused)?;
    tx.commit().await?;
    // Hashing takes long, and holds no connection meanwhile.
    let password_hash = passwords.hash(new.password.0).await?;
    let id = link.operator;
    let actor = from.actor(presented.tenant, Who::Operator { id, role: link.role });
    let mut tx = db.begin(&actor).await?;
    let used = sqlx::query_file!("src/operators/use_link.sql", actor.tenant.0, hash)
        .execute(&mut *tx)
        .await?;
    let set = sqlx::query_file!(
        "src/operators/set_password.sql",
        id.0,
        password_hash.expose_secret()
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() + set.rows_affected() != 2 {
        return Err(refused().into());
    }
    sqlx::query_file!("src/operators/end_links.sql", actor.tenant.0, id.0)
        .execute(&mut *tx)
        .await?;
    sessions::revoke_all(&mut tx, &actor, id).await?;
    let after = get(&mut tx, &actor, id).await?;
    record(&mut tx, &actor, "operator.set_password", None, Some(&after)).await?;
    tx.commit().await
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    before: Option<&Operator>,
    after: Option<&Operator>,
) -> Result<(), Failure> {
    let shown = |o: &Operator| json!({"email": o.email, "name": o.name, "role": o.role});
    let entry = Entry {
        action,
        object_type: "operator",
        object_id: before.or(after).map(|o| o.id.to_string()),
        reason: None,
        before: before.map(shown),
        after: after.map(shown),
    };
    audit::write(tx, actor, &[entry]).await
}
