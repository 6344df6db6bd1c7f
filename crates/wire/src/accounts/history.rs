//! What happened to an account: changes of state, attempts at steps, authorisations.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Basis;
use crate::{AccountId, BotId, Fault, OperatorId, State, Step, check};

crate::wire! {
    /// A change of state, or the import that an account began with.
    pub struct HistoryEntry {
        /// Of which account.
        pub account_id: AccountId,
        /// When.
        pub at: DateTime<Utc>,
        /// What happened: an event of the lifecycle, or `import`.
        pub event: String,
        /// The state before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<State>,
        /// The state after.
        pub to: State,
        /// Why, where somebody said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        /// What kind of actor: `user`, `bot`, `system` or `scheduler`.
        pub triggered_by: String,
        /// The operator, where a person acted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator_id: Option<OperatorId>,
        /// The operator's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator: Option<String>,
        /// The bot, where a bot acted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot_id: Option<BotId>,
        /// The bot's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot: Option<String>,
        /// The request that did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request_id: Option<Uuid>,
        /// The step and the proxy at that time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub metadata: Option<Value>,
    }
}

crate::words! {
    /// How an attempt stands.
    pub enum AttemptStatus {
        /// Not begun.
        Pending = "pending",
        /// Begun, and never reported.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Not done.
        Failed = "failed",
        /// Given to a person.
        RequiresReview = "requires_review",
    }
}

crate::wire! {
    /// One attempt at a step.
    pub struct Attempt {
        /// Of which account.
        pub account_id: AccountId,
        /// Its fencing token, which grows with every attempt of the account.
        pub lease: i64,
        /// The step's number, 1 to 5.
        pub step: i16,
        /// The step's name.
        pub name: Step,
        /// How it ended.
        pub status: AttemptStatus,
        /// When it was handed out.
        pub started_at: DateTime<Utc>,
        /// When it was reported; absent where it never was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub completed_at: Option<DateTime<Utc>>,
        /// The bot that worked it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot_id: Option<BotId>,
        /// The operator who worked it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator_id: Option<OperatorId>,
        /// The bot's own name for the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot_session_id: Option<String>,
        /// The content and text that were used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub content_used: Option<Value>,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub error: Option<String>,
        /// Failed attempts at this step before it.
        pub retry_count: i16,
        /// How long it took, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub execution_time_ms: Option<i32>,
        /// What the platform answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub response: Option<Value>,
    }
}

crate::wire! {
    /// An authorisation that an account had from a moment on.
    pub struct Authorisation {
        /// Since when.
        pub recorded_at: DateTime<Utc>,
        /// The ground; absent when the authorisation was withdrawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub basis: Option<Basis>,
        /// Where it is written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reference: Option<String>,
        /// When it lapses, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
        /// Who recorded it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator_id: Option<OperatorId>,
        /// The request that did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub request_id: Option<Uuid>,
    }
}

/// The longest note on an account.
pub const NOTE_CHARS_MAX: usize = 2_000;

crate::wire! {
    /// What somebody noted about an account.
    pub struct Note {
        /// When.
        pub at: DateTime<Utc>,
        /// Names the note.
        pub id: Uuid,
        /// Who.
        pub operator_id: OperatorId,
        /// Their name, while they belong to the tenant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator: Option<String>,
        /// What they wrote.
        pub text: String,
    }
}

crate::wire! {
    /// A note to be kept.
    #[serde(deny_unknown_fields)]
    pub struct NewNote {
        /// What is to be remembered, 1 to 2000 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2000))]
        pub text: String,
    }
}

impl NewNote {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/text", &self.text, 1..=NOTE_CHARS_MAX);
        if !self.text.is_empty() && self.text.trim().is_empty() {
            faults.push(Fault::new("/text", "blank", "write something"));
        }
        faults
    }
}
