//! The page of a list, as it was asked for in the address.

use muster_wire::Page;

use super::{Faults, Visitor};
use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    http::{ListQuery, Listing},
    problem::Failure,
};

/// What was asked of a list, and its page; an empty one where the filter has faults.
pub struct Listed<T> {
    /// The filter, as it was written.
    pub filter: String,
    /// After which item the page begins; empty for the first page.
    pub cursor: String,
    /// The items, and where the next page begins.
    pub page: Page<T>,
    /// What is wrong with the filter.
    pub faults: Faults,
}

impl<T> Listed<T> {
    /// Reads the page by an operation that lists, in a transaction of its own.
    ///
    /// # Errors
    /// When the query is not understood, or the operation fails otherwise than by its filter.
    pub async fn read(
        app: &App,
        visitor: &Visitor,
        query: ListQuery,
        list: impl AsyncFnOnce(&mut Tx, &Actor, Listing) -> Result<Page<T>, Failure>,
    ) -> Result<Self, Failure> {
        let filter = query.filter.clone().unwrap_or_default();
        let cursor = query.cursor.clone().unwrap_or_default();
        let listing = query.read()?;
        let mut tx = app.db.begin_read(&visitor.actor).await?;
        let (page, faults) = Faults::of_list(list(&mut tx, &visitor.actor, listing).await)?;
        tx.commit().await?;
        Ok(Self {
            filter,
            cursor,
            page,
            faults,
        })
    }
}
