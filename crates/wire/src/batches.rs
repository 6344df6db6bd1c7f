//! Batches: one change of many accounts, done in parts after a moment in which it can be taken back.

use chrono::{DateTime, Utc};

use crate::{
    AccountId, BatchId, Event, Fault, OperatorId,
    accounts::{reason_faults, which_faults},
    check,
};

/// The longest time that a batch can wait before it begins, in seconds.
pub const BATCH_WAIT_SECS_MAX: u32 = 60;

/// How long a batch waits where nothing else is said, in seconds.
pub const BATCH_WAIT_SECS_DEFAULT: u32 = 10;

/// For how long after its end what a batch did can be taken back, in hours.
pub const BATCH_UNDO_HOURS_MAX: i32 = 24;

/// The refused accounts that a batch shows.
pub const BATCH_REFUSALS_MAX: i64 = 100;

crate::words! {
    /// How far a batch is.
    pub enum BatchState {
        /// It can still be taken back whole.
        Waiting = "waiting",
        /// It is being done.
        Running = "running",
        /// It is done.
        Done = "done",
        /// It was taken back; what was done before stays done.
        Cancelled = "cancelled",
    }
}

crate::wire! {
    /// One change of many accounts.
    pub struct Batch {
        /// Its id.
        pub id: BatchId,
        /// What happens to each.
        pub event: Event,
        /// Why.
        pub reason: String,
        /// How far it is.
        pub state: BatchState,
        /// The batch that it takes back, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub undoes: Option<BatchId>,
        /// How many accounts it is about.
        pub accounts: i64,
        /// Those that were moved so far.
        pub moved: i64,
        /// Those that were refused so far.
        pub refused: i64,
        /// When it begins.
        pub due_at: DateTime<Utc>,
        /// Who asked for it.
        pub operator_id: OperatorId,
        /// Their name, while they belong to the tenant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator: Option<String>,
        /// When it was asked for.
        pub created_at: DateTime<Utc>,
        /// When it was done, or taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ended_at: Option<DateTime<Utc>>,
    }
}

impl Batch {
    /// How much of it is behind us, of a hundred.
    pub fn percent(&self) -> i64 {
        (self.moved + self.refused) * 100 / self.accounts.max(1)
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        matches!(self.state, BatchState::Waiting | BatchState::Running)
    }
}

crate::wire! {
    /// An account that a batch did not move, and why.
    pub struct BatchRefusal {
        /// The account.
        pub account_id: AccountId,
        /// Its user name.
        pub username: String,
        /// Why, and what to do about it.
        pub reason: String,
    }
}

crate::wire! {
    /// A batch, with the accounts that it did not move.
    pub struct BatchDetail {
        /// The batch.
        pub batch: Batch,
        /// The first 100 accounts that were refused.
        pub refusals: Vec<BatchRefusal>,
        /// The event that takes back what it did, while that can be asked for: for 24 hours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub undo: Option<Event>,
        /// The latest batch that takes it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub undone_by: Option<BatchId>,
    }
}

crate::wire! {
    /// Asks for what a batch did to be taken back, of each account that is still as the batch left it.
    #[serde(deny_unknown_fields)]
    pub struct UndoBatch {
        /// Why, 1 to 500 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
        /// For how many seconds this can be taken back before it begins, up to 60.
        #[serde(default = "wait_secs_default")]
        #[cfg_attr(feature = "openapi", schema(maximum = 60))]
        pub wait_secs: u32,
    }
}

impl UndoBatch {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        batch_faults(&self.reason, self.wait_secs)
    }
}

fn batch_faults(reason: &str, wait_secs: u32) -> Vec<Fault> {
    let mut faults = reason_faults(Some(reason));
    check::range(&mut faults, "/wait_secs", wait_secs, 0..=BATCH_WAIT_SECS_MAX);
    faults
}

crate::wire! {
    /// Asks for a change of many accounts: of all that match the filter, or of those named.
    #[serde(deny_unknown_fields)]
    pub struct NewBatch {
        /// What is to happen; any event that people can ask for, `assign_proxy` and the decisions of reviews too.
        pub event: Event,
        /// Why, 1 to 500 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
        /// Which accounts, in the grammar of the list; an empty text is all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Exactly these accounts, at most 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_items = 10000))]
        pub ids: Option<Vec<AccountId>>,
        /// How many accounts the caller believes these to be; with another number nothing is done. A filter needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0))]
        pub expected_count: Option<i64>,
        /// Only accounts that are in review are meant: the filter is that of reviews.
        #[serde(default)]
        pub in_review: bool,
        /// For how many seconds it can be taken back before it begins, up to 60.
        #[serde(default = "wait_secs_default")]
        #[cfg_attr(feature = "openapi", schema(maximum = 60))]
        pub wait_secs: u32,
    }
}

fn wait_secs_default() -> u32 {
    BATCH_WAIT_SECS_DEFAULT
}

impl NewBatch {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = batch_faults(&self.reason, self.wait_secs);
        if self.event.roles().is_empty() {
            let detail = "this follows from reported work, and is not asked for";
            faults.push(Fault::new("/event", "elsewhere", detail));
        }
        which_faults(
            &mut faults,
            self.filter.as_deref(),
            self.ids.as_deref(),
            self.expected_count,
            false,
        );
        faults
    }
}
