//! Reviews: what waits for a person's decision, and the decisions.

use chrono::{DateTime, Utc};

use crate::{
    AccountId, Event, Fault,
    accounts::{Account, Attempt, HistoryEntry, reason_faults, which_faults},
};

/// The attempts that a review shows.
pub const REVIEW_ATTEMPTS_MAX: i64 = 5;

/// The earlier decisions that a review shows.
pub const REVIEW_DECISIONS_MAX: i64 = 5;

crate::words! {
    /// Why an account is in review.
    pub enum ReviewKind {
        /// Its warm-up is complete.
        Finished = "finished",
        /// A step failed too often, or the report asked for a person.
        Escalated = "escalated",
        /// Somebody flagged it.
        Flagged = "flagged",
    }
}

impl ReviewKind {
    /// The event that leads to such a review.
    pub const fn event(self) -> Event {
        match self {
            ReviewKind::Finished => Event::FinishWarmup,
            ReviewKind::Escalated => Event::Escalate,
            ReviewKind::Flagged => Event::Flag,
        }
    }
}

crate::words! {
    /// What a reviewer decides.
    pub enum Decision {
        /// The account is fit for use; its warm-up must be complete.
        Approve = "approve",
        /// The account goes back to the step it stopped at; its warm-up must not be complete.
        Resume = "resume",
        /// The account is retired.
        Reject = "reject",
    }
}

impl Decision {
    /// The event that it is.
    pub const fn event(self) -> Event {
        match self {
            Decision::Approve => Event::Approve,
            Decision::Resume => Event::Resume,
            Decision::Reject => Event::Retire,
        }
    }
}

crate::wire! {
    /// An account that waits for a decision, with what is needed to decide.
    pub struct Review {
        /// The account; `actions` says what the caller can decide.
        pub account: Account,
        /// Why it is here.
        pub kind: ReviewKind,
        /// Since when.
        pub since: DateTime<Utc>,
        /// What was said when it came here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        /// Its last attempts with the content that was used, newest first, at most 5.
        pub attempts: Vec<Attempt>,
        /// What was decided about it before, newest first, at most 5.
        pub decisions: Vec<HistoryEntry>,
    }
}

crate::wire! {
    /// Decides one review.
    #[serde(deny_unknown_fields)]
    pub struct NewDecision {
        /// The decision.
        pub decision: Decision,
        /// Why, 1 to 500 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
    }
}

impl NewDecision {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        reason_faults(Some(&self.reason))
    }
}

crate::wire! {
    /// Decides many reviews in the same way: all that match the filter, or those of the accounts named.
    #[serde(deny_unknown_fields)]
    pub struct NewDecisions {
        /// The decision.
        pub decision: Decision,
        /// Why, 1 to 500 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
        /// Which reviews, in the grammar of the list; an empty text is all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Exactly the reviews of these accounts, at most 10000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_items = 10000))]
        pub ids: Option<Vec<AccountId>>,
        /// How many reviews the caller believes these to be; with another number nothing is done. A filter needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0))]
        pub expected_count: Option<i64>,
        /// Says what would happen, and does nothing.
        #[serde(default)]
        pub dry_run: bool,
    }
}

impl NewDecisions {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = reason_faults(Some(&self.reason));
        which_faults(
            &mut faults,
            self.filter.as_deref(),
            self.ids.as_deref(),
            self.expected_count,
            self.dry_run,
        );
        faults
    }
}
