//! Views: lists of accounts that people look at again.

use crate::{Fault, ViewId, check};

/// The longest name of a view.
pub const VIEW_NAME_CHARS_MAX: usize = 50;

/// The longest filter of a view.
pub const VIEW_FILTER_CHARS_MAX: usize = 1_000;

/// The most columns of a view.
pub const VIEW_COLUMNS_MAX: usize = 20;

/// The most views that one person, or a tenant, can keep.
pub const VIEWS_MAX: i64 = 50;

crate::wire! {
    /// A list of accounts that is looked at again.
    pub struct View {
        /// Its id.
        pub id: ViewId,
        /// Its name.
        pub name: String,
        /// Which accounts, in the grammar of the list.
        pub filter: String,
        /// The columns of the table, in their order; those of the console when empty.
        pub columns: Vec<String>,
        /// Whether all of the tenant see it, not its maker alone.
        pub shared: bool,
    }
}

crate::wire! {
    /// A view to be kept.
    #[serde(deny_unknown_fields)]
    pub struct NewView {
        /// Its name, 1 to 50 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 50))]
        pub name: String,
        /// Which accounts, in the grammar of the list.
        #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
        pub filter: String,
        /// The columns of the table.
        #[serde(default)]
        pub columns: Vec<String>,
        /// Whether all of the tenant are to see it; for those who run things.
        #[serde(default)]
        pub shared: bool,
    }
}

impl NewView {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/name", &self.name, 1..=VIEW_NAME_CHARS_MAX);
        if !self.name.is_empty() && self.name.trim().is_empty() {
            faults.push(Fault::new("/name", "blank", "give it a name, in words"));
        }
        check::text(&mut faults, "/filter", &self.filter, 0..=VIEW_FILTER_CHARS_MAX);
        let odd = |column: &String| {
            !column.chars().all(|c| c.is_ascii_lowercase() || c == '_') || column.is_empty()
        };
        if self.columns.len() > VIEW_COLUMNS_MAX || self.columns.iter().any(odd) {
            let detail = "columns are at most 20 names such as model or state";
            faults.push(Fault::new("/columns", "columns", detail));
        }
        faults
    }
}
