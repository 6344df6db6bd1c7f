//! Metrics: what happened by day, model and step, as counts and sums; every rate and average is computed from these.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::{Fault, ModelId, Step};

/// The days that are shown where nobody says which: so many until today.
pub const PERIOD_DAYS_DEFAULT: i64 = 28;

/// The days that can be asked for at once.
pub const PERIOD_DAYS_MAX: i64 = 92;

/// The causes that are shown of a period, the commonest first.
pub const CAUSES_MAX: i64 = 20;

/// The models whose metrics are shown beside each other, those with the most attempts.
pub const MODELS_MAX: i64 = 50;

crate::wire! {
    /// Metrics of a period, and of the one as long before it.
    pub struct Metrics {
        /// The first day, in UTC.
        pub from: NaiveDate,
        /// The last day.
        pub to: NaiveDate,
        /// The model that they are of; absent where they are of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// Until when things were counted; absent where they never were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub counted_until: Option<DateTime<Utc>>,
        /// The period, added up.
        pub period: Totals,
        /// The period before, added up.
        pub before: Totals,
        /// What there was when it was counted last in the period before; absent where nobody counted in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub stock_before: Option<Stock>,
        /// The models of which something was counted, those with the most attempts of the period first, at most 50; none where the
        /// metrics are of one.
        pub models: Vec<ModelMetrics>,
        /// Each day of the period of which something was counted.
        pub days: Vec<Day>,
        /// Why attempts of the period failed, the commonest first, at most 20.
        pub failures: Vec<Failures>,
    }
}

crate::wire! {
    /// What happened in a period.
    #[derive(Default)]
    pub struct Totals {
        /// The attempts, by step.
        pub steps: Vec<StepMetrics>,
        /// What happened besides.
        pub events: Events,
    }
}

crate::wire! {
    /// What happened to the accounts of a model.
    pub struct ModelMetrics {
        /// The model.
        pub model_id: ModelId,
        /// Its name.
        pub model: String,
        /// In the period.
        pub period: ModelTotals,
        /// In the period before.
        pub before: ModelTotals,
    }
}

crate::wire! {
    /// What happened to the accounts of a model in a period.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub struct ModelTotals {
        /// The attempts, at all steps.
        pub attempts: Attempts,
        /// What happened besides.
        pub events: Events,
    }
}

crate::wire! {
    /// A day.
    pub struct Day {
        /// Which.
        pub date: NaiveDate,
        /// The attempts that began on it, by step.
        pub steps: Vec<StepMetrics>,
        /// What happened besides.
        pub events: Events,
        /// What there was when it was counted last; absent where nobody counted on that day.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub stock: Option<Stock>,
    }
}

crate::wire! {
    /// The attempts at a step.
    #[derive(PartialEq, Eq)]
    pub struct StepMetrics {
        /// The step.
        pub step: Step,
        /// How they ended.
        pub counts: Attempts,
    }
}

crate::wire! {
    /// Attempts, and how they ended: completed, failed or given to people.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub struct Attempts {
        /// All of them.
        pub attempts: i64,
        /// Those that were completed.
        pub completed: i64,
        /// Those that failed.
        pub failed: i64,
        /// Those that were given to people.
        pub given_to_people: i64,
        /// Of the failed: those that nobody reported before their lease ran out.
        pub unreported: i64,
        /// Those of bots.
        pub bot_actions: i64,
        /// Those of bots that were not completed.
        pub bot_errors: i64,
        /// Those of bots of which it is known how long they took.
        pub timed: i64,
        /// How long these took together, in milliseconds.
        pub time_ms: i64,
    }
}

impl Attempts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.completed += other.completed;
        self.failed += other.failed;
        self.given_to_people += other.given_to_people;
        self.unreported += other.unreported;
        self.bot_actions += other.bot_actions;
        self.bot_errors += other.bot_errors;
        self.timed += other.timed;
        self.time_ms += other.time_ms;
    }

    /// How many of a hundred were completed; none where there were none.
    pub fn success_percent(&self) -> Option<f64> {
        percent(self.completed, self.attempts)
    }

    /// How many of a hundred of the bots' were not completed; none where there were none.
    pub fn bot_error_percent(&self) -> Option<f64> {
        percent(self.bot_errors, self.bot_actions)
    }

    /// How long one of the bots' took, in milliseconds; none where it is known of none.
    pub fn average_ms(&self) -> Option<i64> {
        self.time_ms.checked_div(self.timed)
    }
}

crate::wire! {
    /// What happened to accounts.
    #[derive(Copy, Default, PartialEq, Eq)]
    pub struct Events {
        /// Accounts whose warm-up was given to a person, each counted once a day.
        pub failed_accounts: i64,
        /// Warm-ups that were finished.
        pub warmups_finished: i64,
        /// How long these took together, from their beginning, in seconds.
        pub warmup_secs: i64,
        /// Reviews that approved an account.
        pub reviews_approved: i64,
        /// Reviews that sent an account back to its step.
        pub reviews_resumed: i64,
        /// Reviews that rejected an account.
        pub reviews_rejected: i64,
    }
}

impl Events {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.failed_accounts += other.failed_accounts;
        self.warmups_finished += other.warmups_finished;
        self.warmup_secs += other.warmup_secs;
        self.reviews_approved += other.reviews_approved;
        self.reviews_resumed += other.reviews_resumed;
        self.reviews_rejected += other.reviews_rejected;
    }

    /// How long a warm-up took, in seconds; none where none was finished.
    pub fn average_warmup_secs(&self) -> Option<i64> {
        self.warmup_secs.checked_div(self.warmups_finished)
    }
}

crate::wire! {
    /// What there is at a moment. Of a model: the proxies that are kept for it.
    #[derive(PartialEq, Eq)]
    pub struct Stock {
        /// When.
        pub counted_at: DateTime<Utc>,
        /// The accounts but for the retired.
        pub total_accounts: i64,
        /// Those in use.
        pub active_accounts: i64,
        /// Those on their way.
        pub warming_up_accounts: i64,
        /// The proxies that can be used.
        pub active_proxies: i64,
        /// The accounts that proxies could carry.
        pub proxy_places: i64,
        /// The accounts that they carry.
        pub proxy_accounts: i64,
        /// What all proxies cost a month.
        pub proxy_monthly_cost: Decimal,
    }
}

impl Stock {
    /// How many of a hundred places of proxies are taken; none where there are none.
    pub fn proxy_percent(&self) -> Option<f64> {
        percent(self.proxy_accounts, self.proxy_places)
    }
}

crate::wire! {
    /// Attempts that failed for the same cause.
    pub struct Failures {
        /// The step.
        pub step: Step,
        /// What was reported, its numbers as `#`; `other causes` stands for the less common of a day.
        pub cause: String,
        /// How many.
        pub failures: i64,
    }
}

crate::words! {
    /// What a file of metrics has rows for.
    #[derive(Default)]
    pub enum MetricsTable {
        /// A row for each day, model and step.
        #[default]
        Steps = "steps",
        /// A row for each day and model.
        Days = "days",
    }
}

crate::wire! {
    /// Which days to count again. Without both: those on which something can have happened since it was counted last.
    #[derive(Default)]
    #[serde(deny_unknown_fields)]
    pub struct Rollup {
        /// The first day, in UTC.
        #[serde(default)]
        pub from: Option<NaiveDate>,
        /// The last day.
        #[serde(default)]
        pub to: Option<NaiveDate>,
    }
}

impl Rollup {
    /// The faults: one day without the other, or the last before the first.
    pub fn faults(&self) -> Vec<Fault> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to < from => {
                vec![Fault::new("/to", "range", "to is the last day: not before from")]
            }
            (Some(_), None) => vec![Fault::new("/to", "required", "say both days, or neither")],
            (None, Some(_)) => vec![Fault::new("/from", "required", "say both days, or neither")],
            _ => Vec::new(),
        }
    }
}

crate::wire! {
    /// What was counted.
    pub struct RolledUp {
        /// How many days.
        pub days: i32,
    }
}

fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}
