//! The board of the warm-up: what stands at each step, who works on it, and what comes next.

use chrono::{DateTime, Utc};

use crate::{AccountId, Step, accounts::Hold};

/// How far the board counts: what is this many or more is not counted further.
pub const BOARD_COUNTED_MAX: i64 = 200;

/// The leases of a step that the board shows, those that end first.
pub const BOARD_LEASES_MAX: i64 = 6;

/// The accounts that the board shows of those that are next, of people's steps and of bots' each.
pub const BOARD_NEXT_MAX: i64 = 3;

crate::wire! {
    /// The warm-up of a tenant.
    pub struct Board {
        /// Its five steps, in their order.
        pub steps: Vec<BoardStep>,
    }
}

crate::wire! {
    /// One step of the warm-up. Counts go no further than 200.
    pub struct BoardStep {
        /// Its number, 1 to 5.
        pub step: i16,
        /// Its name.
        pub name: Step,
        /// Accounts whose step is due and can be claimed by bots.
        pub due_for_bots: i64,
        /// Accounts whose step is due and is for people only.
        pub due_for_people: i64,
        /// Accounts whose step is to be tried later.
        pub later: i64,
        /// Accounts whose step is leased, among the 200 of all steps whose leases end first.
        pub under_way: i64,
        /// The leases that end first.
        pub leases: Vec<BoardLease>,
        /// The accounts that are next.
        pub next: Vec<BoardNext>,
        /// Accounts that are held back, by the reason, among the first 200 of all steps that are.
        pub held: Vec<BoardHeld>,
    }
}

crate::wire! {
    /// A step that somebody works on.
    pub struct BoardLease {
        /// The account.
        pub account_id: AccountId,
        /// Its user name.
        pub username: String,
        /// The bot that holds the lease.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot: Option<String>,
        /// The person who holds it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator: Option<String>,
        /// Which try this is, from 1.
        pub attempt: i16,
        /// When the lease ends.
        pub leased_until: DateTime<Utc>,
    }
}

crate::wire! {
    /// An account whose step is one of the next.
    pub struct BoardNext {
        /// The account.
        pub account_id: AccountId,
        /// Its user name.
        pub username: String,
        /// Whether the step is for people only.
        pub for_people: bool,
        /// Which try it will be, from 1.
        pub attempt: i16,
        /// From when on it can be claimed.
        pub run_at: DateTime<Utc>,
    }
}

crate::wire! {
    /// Accounts that are held back.
    pub struct BoardHeld {
        /// Why.
        pub hold: Hold,
        /// How many.
        pub accounts: i64,
    }
}
