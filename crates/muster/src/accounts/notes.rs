//! Notes: what people write down about an account for each other. They are kept as they were written.

use muster_wire::{
    AccountId, Page,
    accounts::{NewNote, Note},
};

use super::{refuse, require};
use crate::{
    actor::Actor,
    db::Tx,
    http::Listing,
    problem::{Bug, Failure},
};

/// One page of the notes on an account, newest first.
///
/// # Errors
/// That there is no such account; or the database's.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    mut listing: Listing,
) -> Result<Page<Note>, Failure> {
    require(tx, actor, id, &mut listing).await?;
    let rows = of(tx, actor, id, listing.after, listing.fetch()).await?;
    Ok(listing.page(rows, |note| note.at.timestamp_micros()))
}

/// The notes on an account before a time in microseconds, newest first, so many at most.
pub(super) async fn of(
    tx: &mut Tx,
    actor: &Actor,
    id: AccountId,
    before_micros: Option<i64>,
    notes_max: i64,
) -> Result<Vec<Note>, Failure> {
    let notes = sqlx::query_file_as!(
        Note,
        "src/accounts/notes.sql",
        actor.tenant.0,
        id.0,
        before_micros,
        notes_max
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(notes)
}

/// Notes something about an account.
///
/// # Errors
/// The faults of the note; that there is no such account; or the database's.
pub async fn add(tx: &mut Tx, actor: &Actor, id: AccountId, new: &NewNote) -> Result<(), Failure> {
    refuse(new.faults())?;
    super::get(tx, actor, id).await?;
    let operator = actor
        .operator()
        .ok_or_else(|| Bug::new("the gate lets only people note something"))?;
    sqlx::query_file!(
        "src/accounts/add_note.sql",
        actor.tenant.0,
        id.0,
        operator.0,
        new.text
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
