//! Lists: keyset pages with an opaque cursor.

use serde::{Deserialize, Serialize};

/// The most items that one page can hold.
pub const PAGE_ITEMS_MAX: u32 = 500;

/// The items of a page when the request does not say.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Give this as `cursor` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
