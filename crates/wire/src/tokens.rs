//! Tokens: what a program presents to act as a bot, or as an operator.

use chrono::{DateTime, Utc};

use crate::{BotId, Fault, Filter, OperatorId, Role, TokenId, check, secret::Secret};

/// The longest name of a token.
pub const TOKEN_NAME_CHARS_MAX: usize = 100;

/// The longest life of a token.
pub const TOKEN_DAYS_MAX: i64 = 366;

/// The life of a token when the request does not say.
pub const TOKEN_DAYS_DEFAULT: i64 = 90;

/// The requests a minute that a token may make when its request does not say.
pub const TOKEN_REQUESTS_PER_MINUTE_DEFAULT: i32 = 60_000;

/// The most requests a minute that a token, or a tenant, can be given.
pub const REQUESTS_PER_MINUTE_MAX: i32 = 100_000_000;

/// The longest that a token and its successor can both be good.
pub const OVERLAP_HOURS_MAX: i64 = 168;

crate::words! {
    /// As what a token acts.
    pub enum TokenKind {
        /// As a bot.
        Bot = "bot",
        /// As an operator.
        Api = "api",
    }
}

crate::words! {
    /// Whether a token is good.
    pub enum TokenState {
        /// It is.
        Live = "live",
        /// It was revoked.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
    }
}

crate::wire! {
    /// A token, without its secret.
    pub struct Token {
        /// Its id.
        pub id: TokenId,
        /// As what it acts.
        pub kind: TokenKind,
        /// What it is for.
        pub name: String,
        /// Its last four characters.
        pub hint: String,
        /// As which bot it acts.
        pub bot_id: Option<BotId>,
        /// As which operator it acts.
        pub operator_id: Option<OperatorId>,
        /// The name of that bot or operator.
        pub bearer: String,
        /// What it may do, as far as its operator may.
        pub role: Option<Role>,
        /// How many requests a minute it may make.
        pub requests_per_minute: i32,
        /// Whether it is good.
        pub state: TokenState,
        /// Until when it is good, unless it is revoked.
        pub expires_at: DateTime<Utc>,
        /// When it was revoked.
        pub revoked_at: Option<DateTime<Utc>>,
        /// When it was last used, to the minute.
        pub last_used_at: Option<DateTime<Utc>>,
        /// When it was made.
        pub created_at: DateTime<Utc>,
    }
}

crate::wire! {
    /// A token that is to be made.
    #[serde(deny_unknown_fields)]
    pub struct NewToken {
        /// As what it is to act.
        pub kind: TokenKind,
        /// What it is for.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub name: String,
        /// As which bot it acts; needed for `bot`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot_id: Option<BotId>,
        /// As which operator it acts, for `api`; the caller when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator_id: Option<OperatorId>,
        /// What it may do; needed for `api`, and at most what the caller may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<Role>,
        /// For how many days it is good; 90 when absent.
        #[serde(default = "days")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 366))]
        pub expires_in_days: i64,
        /// How many requests a minute it may make; 60000 when absent.
        #[serde(default = "requests_per_minute")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000000))]
        pub requests_per_minute: i32,
    }
}

fn days() -> i64 {
    TOKEN_DAYS_DEFAULT
}

fn requests_per_minute() -> i32 {
    TOKEN_REQUESTS_PER_MINUTE_DEFAULT
}

impl NewToken {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::text(&mut faults, "/name", &self.name, 1..=TOKEN_NAME_CHARS_MAX);
        check::range(
            &mut faults,
            "/expires_in_days",
            self.expires_in_days,
            1..=TOKEN_DAYS_MAX,
        );
        let per_minute = 1..=REQUESTS_PER_MINUTE_MAX;
        check::range(
            &mut faults,
            "/requests_per_minute",
            self.requests_per_minute,
            per_minute,
        );
        let mut place = |pointer: &str, there: bool, wanted: bool| match (there, wanted) {
            (true, false) => {
                let detail = format!("a token of kind {} has none: leave it out", self.kind);
                faults.push(Fault::new(pointer, "not_here", detail));
            }
            (false, true) => {
                let detail = format!("a token of kind {} needs this", self.kind);
                faults.push(Fault::new(pointer, "missing", detail));
            }
            _ => {}
        };
        let bot = self.kind == TokenKind::Bot;
        place("/bot_id", self.bot_id.is_some(), bot);
        place("/role", self.role.is_some(), !bot);
        place("/operator_id", bot && self.operator_id.is_some(), false);
        faults
    }
}

crate::wire! {
    /// How a token is replaced.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct Rotation {
        /// For how many hours the old token stays good beside the new one; it ends at once when absent or 0.
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 168))]
        pub overlap_hours: i64,
    }
}

impl Rotation {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check::range(
            &mut faults,
            "/overlap_hours",
            self.overlap_hours,
            0..=OVERLAP_HOURS_MAX,
        );
        faults
    }
}

crate::wire! {
    /// A token that was just made.
    pub struct IssuedToken {
        /// What is known of it from now on.
        pub token: Token,
        /// What the program presents: `Authorization: Bearer mst_...`. Shown this once.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        pub secret: Secret,
    }
}

/// Which tokens a list shows.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Only those of this kind.
    pub kind: Option<TokenKind>,
    /// Only those that are good, or not.
    pub state: Option<TokenState>,
    /// Only those of this bot.
    pub bot: Option<BotId>,
    /// Only those of this operator.
    pub operator: Option<OperatorId>,
}

impl TokenFilter {
    /// Reads it: `kind:`, `state:`, `bot:` and `operator:`.
    ///
    /// # Errors
    /// Every fault of the filter.
    pub fn read(mut filter: Filter) -> Result<Self, Vec<Fault>> {
        let this = Self {
            kind: filter.read("kind"),
            state: filter.read("state"),
            bot: filter.read("bot"),
            operator: filter.read("operator"),
        };
        filter.finish().map(|()| this)
    }
}
