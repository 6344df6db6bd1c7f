//! Today: what needs a person now, how far the accounts of each model are, and how the work goes.

use chrono::{DateTime, Utc};

use crate::{ModelId, State};

/// After how many days without a change of state an account is stuck.
pub const STUCK_DAYS: i32 = 2;

/// Within how many days an authorisation is about to lapse.
pub const LAPSING_DAYS: i32 = 30;

/// How far is counted what needs somebody, and the work: this many mean this many or more. Reviews and the funnel are counted whole.
pub const COUNTED_MAX: i64 = 100;

/// The minutes that the pulse shows.
pub const PULSE_MINUTES: i32 = 30;

crate::wire! {
    /// What needs a person, and how things go.
    pub struct Today {
        /// Everything that waits for somebody.
        pub needs: Needs,
        /// The accounts of each model by state; those without a model last.
        pub funnel: Vec<Funnel>,
        /// The work of the last half hour.
        pub pulse: Pulse,
    }
}

crate::wire! {
    /// What waits for somebody. But for the reviews, 100 mean 100 or more.
    pub struct Needs {
        /// Reviews that wait for a decision.
        pub reviews: i64,
        /// Since when the oldest of them waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub oldest_review: Option<DateTime<Utc>>,
        /// Accounts that have been in a state for more than 2 days that should lead on.
        pub stuck: Vec<Stuck>,
        /// Proxies whose last test failed.
        pub proxies_in_error: i64,
        /// Active proxies with no place left.
        pub proxies_full: i64,
        /// Active proxies with a place left.
        pub proxies_with_room: i64,
        /// Accounts whose authorisation lapses within 30 days.
        pub lapsing: i64,
        /// Accounts whose authorisation has lapsed.
        pub lapsed: i64,
        /// Pools that have nothing that was not used before.
        pub pools: Vec<Pool>,
    }
}

crate::wire! {
    /// Accounts that are stuck in a state.
    pub struct Stuck {
        /// The state.
        pub state: State,
        /// How many.
        pub accounts: i64,
        /// Since when the first of them.
        pub since: DateTime<Utc>,
    }
}

crate::wire! {
    /// A pool of a model that has accounts on their way, and nothing unused for them.
    pub struct Pool {
        /// The model.
        pub model_id: ModelId,
        /// Its name.
        pub model: String,
        /// The kind of content or text: `pfp`, `bio`, `highlight`, `story` or `post`.
        pub pool: String,
        /// Whether there is nothing at all, so that its step waits.
        pub empty: bool,
    }
}

crate::wire! {
    /// The accounts of a model, by state.
    pub struct Funnel {
        /// The model; absent for accounts without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        /// Known, without a proxy.
        pub imported: i64,
        /// With a proxy.
        pub proxy_assigned: i64,
        /// On their way.
        pub warming_up: i64,
        /// Waiting for a decision.
        pub human_review: i64,
        /// Approved.
        pub ready: i64,
        /// In use.
        pub active: i64,
        /// Retired.
        pub cleanup: i64,
    }
}

impl Funnel {
    /// The accounts in a state.
    pub fn count(&self, state: State) -> i64 {
        match state {
            State::Imported => self.imported,
            State::ProxyAssigned => self.proxy_assigned,
            State::WarmingUp => self.warming_up,
            State::HumanReview => self.human_review,
            State::Ready => self.ready,
            State::Active => self.active,
            State::Cleanup => self.cleanup,
        }
    }

    /// All of them but the retired.
    pub fn total(&self) -> i64 {
        State::ALL.iter().map(|state| self.count(*state)).sum::<i64>() - self.cleanup
    }
}

crate::wire! {
    /// How the work goes. 100 steps mean 100 or more.
    pub struct Pulse {
        /// Steps that somebody holds now.
        pub under_way: i64,
        /// Steps that could be claimed now.
        pub ready: i64,
        /// The last 30 minutes, the present one last.
        pub minutes: Vec<Minute>,
    }
}

crate::wire! {
    /// The attempts that ended in a minute.
    pub struct Minute {
        /// When it began.
        pub at: DateTime<Utc>,
        /// Attempts that were completed.
        pub completed: i64,
        /// Attempts that failed, or were given to a person.
        pub failed: i64,
    }
}
