//! Proxies: the network egress that accounts use; giving accounts a proxy, and testing that proxies work.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::{
    AccountId, Fault, ModelId, ProxyId, patch,
    secret::{SECRET_BYTES_MAX, Secret},
};

/// The most accounts that one proxy can carry, whatever its own limit.
pub const PROXY_ACCOUNTS_MAX: i32 = 3;

/// The most accounts that one call of `POST /v1/proxies/assign` looks at.
pub const ASSIGN_ACCOUNTS_MAX: usize = 10_000;

/// The most proxies that one call of `POST /v1/proxies/test` tests.
pub const TEST_PROXIES_MAX: usize = 300;

/// The most models, and the most locations, that the capacity is shared out over.
pub const SHARES_MAX: usize = 50;

/// The most ids that are given as examples of accounts left without a proxy for one reason.
pub const EXAMPLES_MAX: usize = 20;

crate::words! {
    /// How a proxy is spoken to.
    pub enum Scheme {
        /// HTTP, with CONNECT.
        Http = "http",
        /// SOCKS version 5.
        Socks5 = "socks5",
    }
}

crate::words! {
    /// Whether a proxy can be used.
    pub enum ProxyStatus {
        /// It is in use.
        Active = "active",
        /// A person took it out of use; the work of its accounts pauses.
        Inactive = "inactive",
        /// Its last test failed; the work of its accounts pauses until one passes.
        Failed = "error",
    }
}

crate::wire! {
    /// A proxy, without its password.
    pub struct Proxy {
        /// Its id.
        pub id: ProxyId,
        /// How it is spoken to.
        pub scheme: Scheme,
        /// Host name or address.
        pub host: String,
        /// Port.
        pub port: i32,
        /// User name, where it asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub username: Option<String>,
        /// Whether a password is kept for it.
        pub has_password: bool,
        /// Who sells it.
        pub provider: String,
        /// Where it is.
        pub location: String,
        /// What it costs a month.
        pub monthly_cost: Decimal,
        /// Whether it can be used.
        pub status: ProxyStatus,
        /// The only model whose accounts it may carry; any model's when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub assigned_model_id: Option<ModelId>,
        /// The accounts that use it now.
        pub account_count: i32,
        /// The accounts that it can carry.
        pub max_accounts: i32,
        /// When it was last tested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_tested_at: Option<DateTime<Utc>>,
        /// How long its last successful test took, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_latency_ms: Option<i32>,
        /// What went wrong in the last test; absent when it passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_error_message: Option<String>,
        /// The address that others see, when a test has found it out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub exit_ip: Option<String>,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// When somebody last changed it.
        pub updated_at: DateTime<Utc>,
        /// The version of its row, as in its `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// A proxy to be made. What makes it the same as another is scheme, host, port and user name together.
    #[serde(deny_unknown_fields)]
    pub struct NewProxy {
        /// How it is spoken to.
        pub scheme: Scheme,
        /// Host name or address.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
        pub host: String,
        /// Port.
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 65535))]
        pub port: u16,
        /// User name, where it asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
        pub username: Option<String>,
        /// Password, where it asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub password: Option<Secret>,
        /// Who sells it.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub provider: String,
        /// Where it is.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location: String,
        /// What it costs a month, with at most two decimals.
        pub monthly_cost: Decimal,
        /// The only model whose accounts it may carry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub assigned_model_id: Option<ModelId>,
        /// The accounts that it can carry, 1 to 3; 3 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3))]
        pub max_accounts: Option<i32>,
    }
}

crate::wire! {
    /// What is to change about a proxy: absent fields stay, `null` clears.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct ProxyChange {
        /// How it is spoken to.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        pub scheme: Option<Scheme>,
        /// Host name or address.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255, nullable = false))]
        pub host: Option<String>,
        /// Port.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 65535, nullable = false))]
        pub port: Option<u16>,
        /// User name; `null` when it asks for none.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
        pub username: Option<Option<String>>,
        /// Password; `null` forgets it.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub password: Option<Option<Secret>>,
        /// Who sells it.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100, nullable = false))]
        pub provider: Option<String>,
        /// Where it is.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100, nullable = false))]
        pub location: Option<String>,
        /// What it costs a month, with at most two decimals.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        pub monthly_cost: Option<Decimal>,
        /// `active` or `inactive`; `error` is what tests find.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        pub status: Option<ProxyStatus>,
        /// The only model whose accounts it may carry; `null` for any. Accounts that it carries stay.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub assigned_model_id: Option<Option<ModelId>>,
        /// The accounts that it can carry, 1 to 3, and not fewer than it carries now.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3, nullable = false))]
        pub max_accounts: Option<i32>,
    }
}

fn check_text(faults: &mut Vec<Fault>, pointer: &str, text: &str, chars_max: usize) {
    if !(1..=chars_max).contains(&text.chars().count()) {
        faults.push(Fault::new(
            pointer,
            "length",
            format!("give 1 to {chars_max} characters"),
        ));
    } else if text.contains(char::is_control) {
        faults.push(Fault::new(pointer, "characters", "give no control characters"));
    }
}

fn check_host(faults: &mut Vec<Fault>, host: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if !(1..=255).contains(&host.len()) || !host.chars().all(allowed) {
        faults.push(Fault::new(
            "/host",
            "host",
            "give a host name or an address alone, without scheme, port or brackets, in at most 255 characters",
        ));
    }
}

fn check_rest(
    faults: &mut Vec<Fault>,
    port: Option<u16>,
    password: Option<&Secret>,
    cost: Option<Decimal>,
    max: Option<i32>,
) {
    if port == Some(0) {
        faults.push(Fault::new("/port", "range", "a port is from 1 to 65535"));
    }
    if password.is_some_and(|password| !password.is_acceptable()) {
        let detail = format!("a password has 1 to {SECRET_BYTES_MAX} bytes");
        faults.push(Fault::new("/password", "length", detail));
    }
    if cost
        .is_some_and(|c| c.is_sign_negative() || c >= Decimal::from(100_000_000) || c.normalize().scale() > 2)
    {
        let detail = "a monthly cost is from 0 to 99999999.99, with at most two decimals";
        faults.push(Fault::new("/monthly_cost", "range", detail));
    }
    if max.is_some_and(|max| !(1..=PROXY_ACCOUNTS_MAX).contains(&max)) {
        let detail = format!("a proxy carries from 1 to {PROXY_ACCOUNTS_MAX} accounts");
        faults.push(Fault::new("/max_accounts", "range", detail));
    }
}

impl NewProxy {
    /// Everything that is wrong with it, each with its cure.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        check_host(&mut faults, &self.host);
        if let Some(username) = &self.username {
            check_text(&mut faults, "/username", username, 255);
        }
        check_text(&mut faults, "/provider", &self.provider, 100);
        check_text(&mut faults, "/location", &self.location, 100);
        let cost = Some(self.monthly_cost);
        check_rest(
            &mut faults,
            Some(self.port),
            self.password.as_ref(),
            cost,
            self.max_accounts,
        );
        faults
    }
}

impl ProxyChange {
    /// Everything that is wrong with it, each with its cure.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(host) = &self.host {
            check_host(&mut faults, host);
        }
        if let Some(Some(username)) = &self.username {
            check_text(&mut faults, "/username", username, 255);
        }
        for (pointer, text) in [("/provider", &self.provider), ("/location", &self.location)] {
            if let Some(text) = text {
                check_text(&mut faults, pointer, text, 100);
            }
        }
        let password = self.password.as_ref().and_then(Option::as_ref);
        check_rest(
            &mut faults,
            self.port,
            password,
            self.monthly_cost,
            self.max_accounts,
        );
        if self.status == Some(ProxyStatus::Failed) {
            let detail = "error is what a test finds; a person sets active or inactive";
            faults.push(Fault::new("/status", "status", detail));
        }
        faults
    }
}

crate::wire! {
    /// How much the proxies carry, how they are, and what they cost: together, and shared out.
    pub struct Capacity {
        /// All of them.
        pub total: Share,
        /// By the model that they are kept for, those that cost most first, at most 50.
        pub models: Vec<Share>,
        /// By where they are, those that cost most first, at most 50.
        pub locations: Vec<Share>,
    }
}

crate::wire! {
    /// What some of the proxies carry and cost.
    pub struct Share {
        /// The model that they are kept for; absent for those that any model may use.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// The name of the model or of the location; absent for those that any model may use, and for all together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<String>,
        /// How many proxies.
        pub proxies: i64,
        /// Those of them whose last test failed.
        pub failed: i64,
        /// Those of them that a person took out of use.
        pub inactive: i64,
        /// The accounts that they carry.
        pub accounts: i64,
        /// The places that they have: of those in use all, of the others those that are taken.
        pub places: i64,
        /// What they cost a month.
        pub monthly_cost: Decimal,
    }
}

crate::wire! {
    /// Gives imported accounts a proxy each: those named, or else those that the filter matches, in the order of their
    /// ids, at most 10000 a call.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct Assign {
        /// Which accounts: `model:` (name, id or none), `city:`, `campus:`, `niche:`, and words in the user name.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Exactly these accounts.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_items = 10000))]
        pub account_ids: Option<Vec<AccountId>>,
        /// Only accounts of this model.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// Only accounts after this one: `next` of the answer before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub after: Option<AccountId>,
        /// How many accounts the caller believes to match; with another number nothing is done.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(minimum = 0))]
        pub expected_count: Option<i64>,
        /// Says what would happen, and does nothing.
        pub dry_run: bool,
    }
}

impl Assign {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(ids) = &self.account_ids {
            if ids.len() > ASSIGN_ACCOUNTS_MAX {
                let detail = format!("name at most {ASSIGN_ACCOUNTS_MAX} accounts a call");
                faults.push(Fault::new("/account_ids", "length", detail));
            }
            if self.filter.is_some() || self.model_id.is_some() || self.after.is_some() {
                let detail = "name accounts, or describe them by filter and model_id, but not both";
                faults.push(Fault::new("/account_ids", "both", detail));
            }
        }
        if self.expected_count.is_some_and(|count| count < 0) {
            faults.push(Fault::new("/expected_count", "range", "a count is not negative"));
        }
        faults
    }
}

crate::words! {
    /// Why an account was given no proxy.
    pub enum Unplaced {
        /// Its model has no proxy of its own with room, and there is no shared one with room: add proxies.
        NoRoom = "no_room",
        /// No authorisation is recorded: record the basis on which the organisation manages it.
        NotAuthorised = "not_authorised",
        /// Its authorisation has lapsed: renew it.
        AuthorisationLapsed = "authorisation_lapsed",
        /// It is banned, suspended or inactive.
        AccountNotActive = "account_not_active",
        /// It is past `imported`, so it has a proxy, or is retired.
        NotImported = "not_imported",
        /// There is no such account.
        NotFound = "not_found",
    }
}

crate::wire! {
    /// Accounts that were given no proxy, for one reason.
    pub struct UnplacedAccounts {
        /// Why.
        pub reason: Unplaced,
        /// How many.
        pub count: i64,
        /// Some of them, 20 at most.
        pub examples: Vec<AccountId>,
    }
}

crate::wire! {
    /// What became of an assignment.
    pub struct Assigned {
        /// How many accounts were given a proxy.
        pub assigned: i64,
        /// The others that were looked at, by reason.
        pub unplaced: Vec<UnplacedAccounts>,
        /// More accounts match: give this as `after` to go on with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next: Option<AccountId>,
        /// Nothing was done.
        pub dry_run: bool,
    }
}

crate::wire! {
    /// Gives one account this proxy, in place of the one that it has, if it has one.
    #[serde(deny_unknown_fields)]
    pub struct SetProxy {
        /// A proxy with room, of the account's model or shared.
        pub proxy_id: ProxyId,
    }
}

crate::wire! {
    /// Moves every account of a proxy to others, so that it can be retired.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct MoveAway {
        /// To this proxy; to any that may carry them when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub to: Option<ProxyId>,
        /// Says what would happen, and does nothing.
        pub dry_run: bool,
    }
}

crate::wire! {
    /// An account and the proxy it has now.
    pub struct Placed {
        /// The account.
        pub account_id: AccountId,
        /// Its proxy.
        pub proxy_id: ProxyId,
    }
}

crate::wire! {
    /// What became of the accounts of a proxy.
    pub struct MovedAway {
        /// Those that were moved, and where to.
        pub moved: Vec<Placed>,
        /// Those that stay, because no proxy that may carry them has room.
        pub unplaced: Vec<AccountId>,
        /// Nothing was done.
        pub dry_run: bool,
    }
}

crate::wire! {
    /// Tests proxies by connecting through each: those named, or else those that the filter matches, in the order of
    /// their ids, at most 300 a call.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct TestProxies {
        /// Which, as in the list of proxies.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub filter: Option<String>,
        /// Exactly these.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_items = 300))]
        pub proxy_ids: Option<Vec<ProxyId>>,
        /// Only proxies after this one: `next` of the answer before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub after: Option<ProxyId>,
    }
}

impl TestProxies {
    /// Everything that is wrong with it but for its filter.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(ids) = &self.proxy_ids {
            if ids.len() > TEST_PROXIES_MAX {
                let detail = format!("name at most {TEST_PROXIES_MAX} proxies a call");
                faults.push(Fault::new("/proxy_ids", "length", detail));
            }
            if self.filter.is_some() || self.after.is_some() {
                let detail = "name proxies, or describe them by filter, but not both";
                faults.push(Fault::new("/proxy_ids", "both", detail));
            }
        }
        faults
    }
}

crate::wire! {
    /// What a test of one proxy found.
    pub struct ProxyTest {
        /// The proxy.
        pub proxy_id: ProxyId,
        /// Whether it can be used, after this test.
        pub status: ProxyStatus,
        /// How long the way through it took, in milliseconds; absent when it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub latency_ms: Option<i32>,
        /// The address that others see, when the target tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub exit_ip: Option<String>,
        /// What went wrong; absent when it passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub error: Option<String>,
    }
}

crate::wire! {
    /// What the tests found.
    pub struct ProxiesTested {
        /// How many passed.
        pub passed: i64,
        /// How many failed.
        pub failed: i64,
        /// One per proxy, in the order of their ids. A proxy that was changed or deleted during its test is missing.
        pub results: Vec<ProxyTest>,
        /// More proxies match: give this as `after` to go on with them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next: Option<ProxyId>,
    }
}
