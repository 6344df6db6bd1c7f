//! Views: lists of accounts that people look at again, their own and those that the tenant shares.

use muster_wire::{
    Filter, OperatorId, ViewId,
    views::{NewView, VIEWS_MAX, View},
};

use super::{filter::AccountFilter, refuse};
use crate::{
    access::Access,
    actor::Actor,
    db::Tx,
    problem::{Bug, Failure, Kind, Refusal},
};

fn person(actor: &Actor) -> Result<OperatorId, Bug> {
    actor
        .operator()
        .ok_or_else(|| Bug::new("the gate lets only people keep views"))
}

/// The views that the actor sees: those of the tenant first, then their own.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, actor: &Actor) -> Result<Vec<View>, Failure> {
    let views = sqlx::query_file_as!(View, "src/accounts/views.sql", actor.tenant.0, person(actor)?.0)
        .fetch_all(&mut **tx)
        .await?;
    Ok(views)
}

/// Keeps a view.
///
/// # Errors
/// Its faults, and those of its filter; that the actor may not share one; that there is one of this name, or too many; or the
/// database's.
pub async fn create(tx: &mut Tx, actor: &Actor, new: NewView) -> Result<View, Failure> {
    refuse(new.faults())?;
    AccountFilter::accounts(tx, actor, Filter::parse(&new.filter)).await?;
    if new.shared {
        may_share(actor)?;
    }
    let owner = if new.shared { None } else { Some(person(actor)?.0) };
    let id = sqlx::query_file_scalar!(
        "src/accounts/add_view.sql",
        actor.tenant.0,
        owner,
        new.name,
        new.filter,
        &new.columns,
        VIEWS_MAX
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| {
        let detail = format!("there are {VIEWS_MAX} views already: forget one first");
        Refusal::conflict("too_many_views", detail)
    })?;
    Ok(View {
        id: ViewId(id),
        name: new.name,
        filter: new.filter,
        columns: new.columns,
        shared: new.shared,
    })
}

/// Forgets a view: one's own, or a shared one where the actor may share.
///
/// # Errors
/// That there is none; that the actor may not; or the database's.
pub async fn delete(tx: &mut Tx, actor: &Actor, id: ViewId) -> Result<(), Failure> {
    let view = list(tx, actor).await?.into_iter().find(|view| view.id == id);
    let view = view.ok_or_else(|| Refusal::not_found("view"))?;
    if view.shared {
        may_share(actor)?;
    }
    sqlx::query_file!("src/accounts/delete_view.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Nothing, where the actor may keep and forget views of the whole tenant.
pub(super) fn may_share(actor: &Actor) -> Result<(), Refusal> {
    if Access::Operate.allows(actor.who) {
        return Ok(());
    }
    let detail = "views of the whole tenant are for: owner, admin, operator";
    Err(Refusal::new(Kind::Forbidden, "forbidden", detail))
}
