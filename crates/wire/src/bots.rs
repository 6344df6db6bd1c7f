//! Bots: programs that work steps.

use chrono::{DateTime, Utc};

use crate::{AccountId, BotId, Fault, Filter, Step, accounts::AttemptStatus, check, patch};

/// The longest name of a bot.
pub const BOT_NAME_CHARS_MAX: usize = 50;

/// The longest description of a bot.
pub const BOT_DESCRIPTION_CHARS_MAX: usize = 500;

/// The minutes over which it is counted what a bot does.
pub const RATE_MINUTES: i32 = 15;

/// How far the leases that a bot holds are counted where it is looked at by itself.
pub const BOT_LEASES_COUNTED_MAX: i64 = 500;

/// How far they are counted in lists: whether it works, and on much or little.
pub const BOT_LEASES_LISTED_MAX: i64 = 10;

/// The most attempts of a bot that are told because they failed.
pub const BOT_ERRORS_MAX: i64 = 20;

crate::words! {
    /// Whether a bot is given work.
    pub enum BotStatus {
        /// It is.
        Active = "active",
        /// It is not, for now.
        Paused = "paused",
    }
}

crate::wire! {
    /// A bot.
    pub struct Bot {
        /// Its id.
        pub id: BotId,
        /// Its name, unique in the tenant.
        pub name: String,
        /// What it is.
        pub description: String,
        /// Whether it is given work.
        pub status: BotStatus,
        /// Why it is paused, while it is.
        pub pause_reason: Option<String>,
        /// When a token of it was last used, to the minute.
        pub last_seen_at: Option<DateTime<Utc>>,
        /// The leases that it holds now, counted no further than 500, and in lists no further than 10.
        pub leases: i64,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// The version of what is stored; quoted, it is the `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// What a bot did in the last 15 minutes, the present one included: the attempts that ended in them.
    pub struct BotRate {
        /// The bot.
        pub bot_id: BotId,
        /// Attempts that were completed.
        pub completed: i64,
        /// Attempts that failed, or were given to a person.
        pub failed: i64,
        /// How long an attempt took, in milliseconds, of those that were reported with their time.
        pub average_ms: Option<i64>,
    }
}

crate::wire! {
    /// What a bot does, and what went wrong.
    pub struct BotActivity {
        /// The last 15 minutes.
        pub rate: BotRate,
        /// The attempts of the last day that failed or were given to a person, the newest first, at most 20.
        pub errors: Vec<BotError>,
    }
}

crate::wire! {
    /// An attempt of a bot that was not completed.
    pub struct BotError {
        /// When it began.
        pub at: DateTime<Utc>,
        /// The account.
        pub account_id: AccountId,
        /// Its user name.
        pub username: String,
        /// The step.
        pub step: Step,
        /// How it ended.
        pub status: AttemptStatus,
        /// What the bot said.
        pub error: Option<String>,
    }
}

crate::wire! {
    /// A bot that is to be made.
    #[serde(deny_unknown_fields)]
    pub struct NewBot {
        /// Its name, unique in the tenant.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 50))]
        pub name: String,
        /// What it is.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(max_length = 500))]
        pub description: String,
    }
}

impl NewBot {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/name", &self.name, 1..=BOT_NAME_CHARS_MAX);
        check::text(
            &mut faults,
            "/description",
            &self.description,
            0..=BOT_DESCRIPTION_CHARS_MAX,
        );
        faults
    }
}

crate::wire! {
    /// What is to change about a bot.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct BotChange {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 50))]
        pub name: Option<String>,
        /// What it is.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(max_length = 500))]
        pub description: Option<String>,
    }
}

impl BotChange {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = &self.name {
            check::text(&mut faults, "/name", name, 1..=BOT_NAME_CHARS_MAX);
        }
        if let Some(description) = &self.description {
            check::text(
                &mut faults,
                "/description",
                description,
                0..=BOT_DESCRIPTION_CHARS_MAX,
            );
        }
        faults
    }
}

/// Which bots a list shows.
#[derive(Debug, Clone, Default)]
pub struct BotFilter {
    /// Only those of this status.
    pub status: Option<BotStatus>,
    /// Only those whose name holds this.
    pub words: Option<String>,
}

impl BotFilter {
    /// Reads it: `status:`, and words.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            status: filter.read("status"),
            words: filter.words(),
        };
        filter.finish().map(|()| this)
    }
}
