//! Work: claiming steps under a lease, and reporting on them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{AccountId, ContentId, Fault, ModelId, ProxyId, Secret, Step, TextId};

/// The most leases that one claim can give.
pub const CLAIM_LEASES_MAX: u32 = 1000;

/// The most results that one report, extension or release can hold.
pub const REPORT_RESULTS_MAX: usize = 1000;

/// The longest that a claim can wait for work.
pub const CLAIM_WAIT_MS_MAX: u32 = 30_000;

/// Failed attempts at a step after which the account is handed to a person.
pub const STEP_ATTEMPTS_MAX: i16 = 5;

/// The longest text that a report may carry as its error.
pub const ERROR_CHARS_MAX: usize = 2000;

/// The largest `response` that a report may carry, in bytes of JSON.
pub const RESPONSE_BYTES_MAX: usize = 16 << 10;

/// The longest name that a bot may give its run.
pub const SESSION_NAME_CHARS_MAX: usize = 100;

/// The largest session data that is kept for an account.
pub const SESSION_BYTES_MAX: usize = 256 << 10;

/// The exclusive right to work one step of one account: the account and its fencing token, which grows with every lease of
/// that account. Written `ACCOUNT.TOKEN`; programs should treat it as opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// The fencing token.
    pub token: i64,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.account, self.token)
    }
}

/// A text that is not a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lease looks like 12.3, as the claim gave it")]
pub struct NoLease;

impl FromStr for Lease {
    type Err = NoLease;

    fn from_str(text: &str) -> Result<Self, NoLease> {
        let (account, token) = text.split_once('.').ok_or(NoLease)?;
        let number = |digits: &str| match digits.parse::<i64>() {
            Ok(n) if n > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
            _ => Err(NoLease),
        };
        Ok(Self {
            account: AccountId(number(account)?),
            token: number(token)?,
        })
    }
}

impl Serialize for Lease {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lease {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod lease_schema {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
    };

    impl PartialSchema for super::Lease {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("A lease, as the claim gave it. Opaque."))
                .pattern(Some("^[1-9][0-9]{0,17}\\.[1-9][0-9]{0,17}$"))
                .examples(["42.7"])
                .into()
        }
    }

    impl ToSchema for super::Lease {}
}

crate::wire! {
    /// Asks for steps to work.
    #[serde(deny_unknown_fields)]
    pub struct Claim {
        /// How many leases at most, 1 to 1000.
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
        pub max: u32,
        /// How long to wait for work when there is none, in milliseconds, at most 30000.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(maximum = 30000))]
        pub wait_ms: u32,
        /// Only these steps; all when absent or empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub steps: Vec<Step>,
        /// Only accounts of this model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
    }
}

impl Claim {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=CLAIM_LEASES_MAX).contains(&self.max) {
            let detail = format!("max is from 1 to {CLAIM_LEASES_MAX}");
            faults.push(Fault::new("/max", "range", detail));
        }
        if self.wait_ms > CLAIM_WAIT_MS_MAX {
            let detail = format!("wait_ms is at most {CLAIM_WAIT_MS_MAX}");
            faults.push(Fault::new("/wait_ms", "range", detail));
        }
        faults
    }
}

crate::wire! {
    /// What a claim gave.
    pub struct Claimed {
        /// The steps, each under its own lease.
        pub items: Vec<WorkItem>,
        /// Why nothing is handed out, while the tenant, the bot or the model that was asked for is paused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub paused: Option<String>,
    }
}

/// The leases that are given to whoever asks which they hold, the oldest first, at most.
pub const HELD_LEASES_MAX: i64 = 1_000;

crate::wire! {
    /// The leases that somebody holds.
    pub struct HeldLeases {
        /// The steps, each under its own lease, the oldest first, at most 1000.
        pub items: Vec<WorkItem>,
    }
}

crate::wire! {
    /// One step of one account, to be worked before its lease expires.
    pub struct WorkItem {
        /// To be presented with the report.
        pub lease: Lease,
        /// When the lease began, by the database's clock.
        pub leased_at: DateTime<Utc>,
        /// When the lease ends, by the database's clock, unless it is extended.
        pub expires_at: DateTime<Utc>,
        /// The account.
        pub account: WorkAccount,
        /// The network egress that the account uses.
        pub proxy: WorkProxy,
        /// The step's number, 1 to 5.
        pub step: i16,
        /// The step's name.
        pub name: Step,
        /// Which try this is, from 1.
        pub attempt: i16,
        /// The picture to use, where the step uses one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub content: Option<WorkContent>,
        /// The text to use, where the step uses one; its variables are filled in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub text: Option<WorkText>,
    }
}

crate::wire! {
    /// The account of a work item.
    pub struct WorkAccount {
        /// Its id.
        pub id: AccountId,
        /// Its user name.
        pub username: String,
        /// Its model.
        pub model_id: ModelId,
        /// Its model's name.
        pub model: String,
    }
}

crate::wire! {
    /// The proxy of a work item, without its password, which `POST /v1/work/credentials` opens.
    pub struct WorkProxy {
        /// Its id.
        pub id: ProxyId,
        /// `http` or `socks5`.
        pub scheme: String,
        /// Host name or address.
        pub host: String,
        /// Port.
        pub port: u16,
        /// User name, where the proxy asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub username: Option<String>,
    }
}

crate::wire! {
    /// The picture chosen for a step.
    pub struct WorkContent {
        /// Its id.
        pub id: ContentId,
        /// Where it is.
        ///
        /// One that begins with `/v1/pictures/` is on this server: read it with the token that holds the step, while it does.
        pub image_url: String,
        /// The text that belongs to it; its variables are filled in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub text: Option<String>,
    }
}

crate::wire! {
    /// The text chosen for a step.
    pub struct WorkText {
        /// Its id.
        pub id: TextId,
        /// The text, its variables filled in.
        pub text: String,
    }
}

crate::words! {
    /// How a step ended.
    pub enum Outcome {
        /// Done; the account goes on to its next step.
        Completed = "completed",
        /// Not done; it is tried again after a while, until the attempts are used up.
        Failed = "failed",
        /// A person must look before it goes on.
        RequiresReview = "requires_review",
    }
}

crate::wire! {
    /// How one leased step ended.
    #[serde(deny_unknown_fields)]
    pub struct StepResult {
        /// The lease, as the claim gave it.
        pub lease: Lease,
        /// How it ended.
        pub outcome: Outcome,
        /// How long the step took, in milliseconds.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 2147483647))]
        pub execution_time_ms: i32,
        /// What the platform answered, at most 16 KiB of JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub response: Option<serde_json::Value>,
        /// What went wrong, at most 2000 characters. Put no secret in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
        pub error: Option<String>,
    }
}

crate::wire! {
    /// Reports how leased steps ended.
    #[serde(deny_unknown_fields)]
    pub struct Report {
        /// The bot's own name for the run that did them, at most 100 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_length = 100))]
        pub bot_session_id: Option<String>,
        /// One result per lease, at most 1000.
        #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
        pub results: Vec<StepResult>,
    }
}

impl Report {
    /// What is wrong with it: every fault of every result.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = &self.bot_session_id {
            text_faults(&mut faults, "/bot_session_id", name, SESSION_NAME_CHARS_MAX);
        }
        count_faults(&mut faults, "/results", self.results.len());
        for (i, result) in self.results.iter().enumerate() {
            if result.execution_time_ms < 0 {
                faults.push(Fault::new(
                    format!("/results/{i}/execution_time_ms"),
                    "range",
                    "a step takes no negative time",
                ));
            }
            if let Some(error) = &result.error {
                text_faults(
                    &mut faults,
                    &format!("/results/{i}/error"),
                    error,
                    ERROR_CHARS_MAX,
                );
            }
            if let Some(response) = &result.response {
                let at = format!("/results/{i}/response");
                if response.to_string().len() > RESPONSE_BYTES_MAX {
                    let detail = format!("a response has at most {RESPONSE_BYTES_MAX} bytes of JSON");
                    faults.push(Fault::new(at, "too_long", detail));
                } else if has_nul(response) {
                    faults.push(Fault::new(at, "nul", "a text cannot hold a NUL"));
                }
            }
        }
        faults
    }
}

fn count_faults(faults: &mut Vec<Fault>, pointer: &str, count: usize) {
    if !(1..=REPORT_RESULTS_MAX).contains(&count) {
        let detail = format!("name 1 to {REPORT_RESULTS_MAX} leases at once");
        faults.push(Fault::new(pointer, "range", detail));
    }
}

fn text_faults(faults: &mut Vec<Fault>, pointer: &str, text: &str, chars_max: usize) {
    if text.chars().count() > chars_max {
        let detail = format!("this text has at most {chars_max} characters");
        faults.push(Fault::new(pointer, "too_long", detail));
    }
    if text.contains('\0') {
        faults.push(Fault::new(pointer, "nul", "a text cannot hold a NUL"));
    }
}

fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
        _ => false,
    }
}

crate::words! {
    /// What became of one reported result.
    pub enum Verdict {
        /// It counts, and is stored.
        Accepted = "accepted",
        /// This lease was reported before; nothing changed. `outcome` is what was accepted then.
        Duplicate = "duplicate",
        /// The lease was lost; nothing changed but that the late report was written down.
        Stale = "stale",
    }
}

crate::wire! {
    /// What became of one reported result.
    pub struct Receipt {
        /// The lease.
        pub lease: Lease,
        /// What became of its result.
        pub verdict: Verdict,
        /// The outcome that stands for this lease, where one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub outcome: Option<Outcome>,
    }
}

crate::wire! {
    /// What became of a report, in the order of its results.
    pub struct Reported {
        /// One receipt per result.
        pub receipts: Vec<Receipt>,
    }
}

crate::wire! {
    /// Names leases.
    #[serde(deny_unknown_fields)]
    pub struct Leases {
        /// The leases, at most 1000.
        #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
        pub leases: Vec<Lease>,
    }
}

impl Leases {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        count_faults(&mut faults, "/leases", self.leases.len());
        faults
    }
}

crate::wire! {
    /// What became of one lease.
    pub struct LeaseState {
        /// The lease.
        pub lease: Lease,
        /// Whether it was still held, and so was extended or released as asked.
        pub held: bool,
        /// When it ends now, while it is held.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<DateTime<Utc>>,
    }
}

crate::wire! {
    /// What became of the leases, in the order they were named.
    pub struct LeaseStates {
        /// One per lease.
        pub leases: Vec<LeaseState>,
    }
}

crate::wire! {
    /// The opened secrets of one leased account. A lease that is no longer held opens nothing.
    pub struct LeaseSecrets {
        /// The lease.
        pub lease: Lease,
        /// Whether it was still held.
        pub held: bool,
        /// The account's password, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub password: Option<Secret>,
        /// The account's access token, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub access_token: Option<Secret>,
        /// The password of the account's proxy, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub proxy_password: Option<Secret>,
    }
}

crate::wire! {
    /// The opened secrets of leased accounts, in the order their leases were named.
    pub struct Credentials {
        /// One per lease.
        pub leases: Vec<LeaseSecrets>,
    }
}

crate::wire! {
    /// What a bot wants kept for an account until it works on it again: cookies, a state of its own.
    #[serde(deny_unknown_fields)]
    pub struct PutSession {
        /// The data, at most 256 KiB.
        pub data: Secret,
    }
}

impl PutSession {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        use secrecy::ExposeSecret;
        if self.data.0.expose_secret().len() > SESSION_BYTES_MAX {
            let detail = format!("session data has at most {SESSION_BYTES_MAX} bytes");
            return vec![Fault::new("/data", "too_long", detail)];
        }
        Vec::new()
    }
}

crate::wire! {
    /// What is kept for an account.
    pub struct Session {
        /// The data; absent when none was put yet, or when this answers a put.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub data: Option<Secret>,
        /// When it was put; absent when none was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub updated_at: Option<DateTime<Utc>>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lease_survives_being_written_and_read(account in 1i64.., token in 1i64..) {
            let lease = Lease { account: AccountId(account), token };
            prop_assert_eq!(lease.to_string().parse::<Lease>(), Ok(lease));
        }

        #[test]
        fn no_text_makes_reading_a_lease_panic(text in ".*") {
            let _ = text.parse::<Lease>();
        }
    }

    #[test]
    fn every_fault_of_a_report_is_named_at_once() {
        let report: Report = serde_json::from_value(serde_json::json!({
            "bot_session_id": "x".repeat(101),
            "results": [
                {"lease": "1.1", "outcome": "completed", "execution_time_ms": -1},
                {"lease": "2.1", "outcome": "failed", "error": "x".repeat(2001)},
                {"lease": "3.1", "outcome": "failed", "error": "a\0b", "response": {"k": ["\0"]}},
                {"lease": "4.1", "outcome": "failed", "response": "x".repeat(RESPONSE_BYTES_MAX)},
                {"lease": "5.1", "outcome": "completed", "response": "\\u0000 is only written here"},
            ]
        }))
        .expect("it has the form of a report");
        let pointers: Vec<_> = report.faults().into_iter().map(|f| f.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/bot_session_id",
                "/results/0/execution_time_ms",
                "/results/1/error",
                "/results/2/error",
                "/results/2/response",
                "/results/3/response",
            ]
        );
    }

    #[test]
    fn what_is_not_a_lease_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "0.1",
            "1.0",
            "-1.1",
            "+1.1",
            "1.+2",
            "1.2.3",
            "9223372036854775808.1",
        ] {
            assert!(text.parse::<Lease>().is_err(), "{text}");
        }
    }
}
