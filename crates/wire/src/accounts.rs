//! Accounts: what is kept of them, how it is changed, their history, and the transitions that people ask for.

mod history;
mod transitions;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

pub use self::{history::*, transitions::*};
use crate::{
    AccountId, BotId, Event, Fault, ModelId, OperatorId, ProxyId, State, Step, check, patch,
    secret::{SECRET_BYTES_MAX, Secret},
};

/// The longest user name.
pub const USERNAME_CHARS_MAX: usize = 100;

/// The longest biography.
pub const BIO_CHARS_MAX: usize = 10_000;

/// The largest `device_info`, in bytes of JSON.
pub const DEVICE_INFO_BYTES_MAX: usize = 16 << 10;

crate::words! {
    /// What the platform, or the organisation, says of an account. Work goes on only while it is `active`.
    pub enum AccountStatus {
        /// In order.
        Active = "active",
        /// Closed by the platform.
        Banned = "banned",
        /// Closed by the platform for a while.
        Suspended = "suspended",
        /// Set aside by the organisation.
        Inactive = "inactive",
    }
}

crate::words! {
    /// The ground on which the organisation manages an account.
    pub enum Basis {
        /// It is the organisation's own.
        Owned = "owned",
        /// It is a client's, who has consented.
        ClientConsent = "client_consent",
        /// It is an employee's, who has agreed.
        Employee = "employee",
    }
}

crate::words! {
    /// Why no work of an account is handed out.
    pub enum Hold {
        /// Its status is not `active`.
        AccountNotActive = "account_not_active",
        /// It has no authorisation, or that has lapsed.
        AuthorisationLapsed = "authorisation_lapsed",
        /// It belongs to no model.
        NoModel = "no_model",
        /// Its model's status is not `active`.
        ModelNotActive = "model_not_active",
        /// Its proxy's status is not `active`.
        ProxyNotActive = "proxy_not_active",
        /// Its model's pool has nothing for its step.
        PoolEmpty = "pool_empty",
    }
}

crate::wire! {
    /// Why no work of an account is handed out, now; it ends by itself when the cause does.
    pub struct Held {
        /// The cause.
        pub code: Hold,
        /// The cause and the cure, for people.
        pub detail: String,
    }
}

impl From<Hold> for Held {
    fn from(code: Hold) -> Self {
        let detail = match code {
            Hold::AccountNotActive => "its status is not active: work goes on when it is active again",
            Hold::AuthorisationLapsed => "it has no authorisation, or that has lapsed: record a valid one",
            Hold::NoModel => "it belongs to no model: give it one",
            Hold::ModelNotActive => "its model is not active: work goes on when the model is",
            Hold::ProxyNotActive => "its proxy is not active: work goes on when the proxy is",
            Hold::PoolEmpty => "its model has nothing for this step: add content or texts",
        };
        Self {
            code,
            detail: detail.to_owned(),
        }
    }
}

crate::wire! {
    /// How far the current step of an account is.
    pub struct Progress {
        /// The step's number, 1 to 5.
        pub step: i16,
        /// The step's name.
        pub name: Step,
        /// Which try is next, or under way, from 1.
        pub attempt: i16,
        /// Not before this.
        pub run_at: DateTime<Utc>,
        /// When the lease on it ends, while somebody holds one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub leased_until: Option<DateTime<Utc>>,
        /// The bot that holds the lease.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bot_id: Option<BotId>,
        /// The operator who holds the lease.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operator_id: Option<OperatorId>,
    }
}

crate::wire! {
    /// An account, without its secrets.
    pub struct Account {
        /// Its id.
        pub id: AccountId,
        /// Its user name, without `@`, in lower case.
        pub username: String,
        /// Its e-mail address.
        pub email: String,
        /// Whether a password is kept for it.
        pub has_password: bool,
        /// Whether an access token is kept for it.
        pub has_access_token: bool,
        /// What the platform, or the organisation, says of it.
        pub status: AccountStatus,
        /// Its model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// Its model's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        /// When it was given its model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub assigned_at: Option<DateTime<Utc>>,
        /// Where it is in its life.
        pub lifecycle_state: State,
        /// Since when it is there.
        pub state_changed_at: DateTime<Utc>,
        /// The warm-up step it is at, or stopped at, 1 to 5.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub warmup_step: Option<i16>,
        /// When its warm-up began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub warmup_started_at: Option<DateTime<Utc>>,
        /// When its warm-up was completed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub warmup_completed_at: Option<DateTime<Utc>>,
        /// The proxy it uses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub proxy_id: Option<ProxyId>,
        /// Since when it uses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub proxy_assigned_at: Option<DateTime<Utc>>,
        /// On what ground the organisation manages it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorisation_basis: Option<Basis>,
        /// Where that is written down: a contract, a ticket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorisation_reference: Option<String>,
        /// When the authorisation lapses, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorisation_expires_at: Option<DateTime<Utc>>,
        /// Who worked on it last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_bot_action_by: Option<String>,
        /// When it was worked on last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_bot_action_at: Option<DateTime<Utc>>,
        /// Whether something went wrong that a person has to look at.
        pub requires_human_review: bool,
        /// What went wrong last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_error_message: Option<String>,
        /// When that was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_error_at: Option<DateTime<Utc>>,
        /// Failed attempts since something last went well.
        pub retry_count: i32,
        /// Its biography.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bio: Option<String>,
        /// Where its picture is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub profile_picture_url: Option<String>,
        /// City.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub location_city: Option<String>,
        /// Campus.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub location_campus: Option<String>,
        /// Niche.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub location_niche: Option<String>,
        /// Birthday.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub birthday: Option<NaiveDate>,
        /// The device that it is managed from, for the inventory; nothing acts on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub device_info: Option<Value>,
        /// What kind of content it publishes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub content_type: Option<String>,
        /// Why no work of it is handed out; absent when nothing stands in the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hold: Option<Held>,
        /// How far its current step is, while it warms up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub progress: Option<Progress>,
        /// What the caller can do next with it.
        pub actions: Vec<Event>,
        /// When it was made.
        pub created_at: DateTime<Utc>,
        /// When it was last changed.
        pub updated_at: DateTime<Utc>,
        /// The version of its row, as in its `ETag`.
        pub version: i64,
    }
}

crate::wire! {
    /// An account to be made; it begins as `imported`.
    #[derive(Default)]
    #[serde(deny_unknown_fields)]
    pub struct NewAccount {
        /// Its user name: small letters, digits, dots and underscores, without `@`.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100, pattern = "^[a-z0-9._]+$"))]
        pub username: String,
        /// Its e-mail address.
        #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 255))]
        pub email: String,
        /// Its password, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub password: Option<Secret>,
        /// An access token of the platform's official interface, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub access_token: Option<Secret>,
        /// What the platform, or the organisation, says of it; `active` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub status: Option<AccountStatus>,
        /// Its model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model_id: Option<ModelId>,
        /// On what ground the organisation manages it; without one it stays `imported`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorisation_basis: Option<Basis>,
        /// Where that is written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub authorisation_reference: Option<String>,
        /// When the authorisation lapses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub authorisation_expires_at: Option<DateTime<Utc>>,
        /// Its biography.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
        pub bio: Option<String>,
        /// Where its picture is: an http or https address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub profile_picture_url: Option<String>,
        /// City.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_city: Option<String>,
        /// Campus.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_campus: Option<String>,
        /// Niche.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_niche: Option<String>,
        /// Birthday.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub birthday: Option<NaiveDate>,
        /// The device that it is managed from, for the inventory; nothing acts on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub device_info: Option<Value>,
        /// What kind of content it publishes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 50))]
        pub content_type: Option<String>,
    }
}

crate::wire! {
    /// What is to change about an account: absent fields stay, `null` clears.
    #[derive(Default)]
    #[serde(default, deny_unknown_fields)]
    pub struct AccountChange {
        /// Its user name.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100, pattern = "^[a-z0-9._]+$", nullable = false))]
        pub username: Option<String>,
        /// Its e-mail address.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 255, nullable = false))]
        pub email: Option<String>,
        /// Its password; `null` forgets it.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub password: Option<Option<Secret>>,
        /// Its access token; `null` forgets it.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub access_token: Option<Option<Secret>>,
        /// What the platform, or the organisation, says of it.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::value")]
        pub status: Option<AccountStatus>,
        /// Its model.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub model_id: Option<Option<ModelId>>,
        /// On what ground the organisation manages it; `null` withdraws the authorisation, with its reference and expiry.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub authorisation_basis: Option<Option<Basis>>,
        /// Where that is written down.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub authorisation_reference: Option<Option<String>>,
        /// When the authorisation lapses.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub authorisation_expires_at: Option<Option<DateTime<Utc>>>,
        /// Its biography.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(max_length = 10000))]
        pub bio: Option<Option<String>>,
        /// Where its picture is.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub profile_picture_url: Option<Option<String>>,
        /// City.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_city: Option<Option<String>>,
        /// Campus.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_campus: Option<Option<String>>,
        /// Niche.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
        pub location_niche: Option<Option<String>>,
        /// Birthday.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        pub birthday: Option<Option<NaiveDate>>,
        /// The device that it is managed from.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        pub device_info: Option<Option<Value>>,
        /// What kind of content it publishes.
        #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "patch::nullable")]
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 50))]
        pub content_type: Option<Option<String>>,
    }
}

impl NewAccount {
    /// Everything that is wrong with it, each with its cure.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let f = &mut faults;
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
        if !(1..=USERNAME_CHARS_MAX).contains(&self.username.len()) || !self.username.chars().all(named) {
            let detail = format!(
                "a user name has 1 to {USERNAME_CHARS_MAX} small letters, digits, dots and underscores, without @"
            );
            f.push(Fault::new("/username", "username", detail));
        }
        check::text(f, "/email", &self.email, 3..=255);
        let addressed = self
            .email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !addressed || self.email.contains(char::is_whitespace) {
            f.push(Fault::new(
                "/email",
                "email",
                "this is no e-mail address: write name@host",
            ));
        }
        for (pointer, secret) in [
            ("/password", &self.password),
            ("/access_token", &self.access_token),
        ] {
            check_secret(f, pointer, secret.as_ref());
        }
        for (pointer, text, chars) in [
            ("/authorisation_reference", &self.authorisation_reference, 1..=500),
            ("/bio", &self.bio, 0..=BIO_CHARS_MAX),
            ("/location_city", &self.location_city, 1..=100),
            ("/location_campus", &self.location_campus, 1..=100),
            ("/location_niche", &self.location_niche, 1..=100),
            ("/content_type", &self.content_type, 1..=50),
        ] {
            if let Some(text) = text {
                check::text(f, pointer, text, chars);
            }
        }
        if let Some(url) = &self.profile_picture_url {
            check::url(f, "/profile_picture_url", url, 500);
        }
        if let Some(info) = &self.device_info {
            check::object(f, "/device_info", info, DEVICE_INFO_BYTES_MAX);
        }
        let grounded = self.authorisation_basis.is_some();
        if !grounded && (self.authorisation_reference.is_some() || self.authorisation_expires_at.is_some()) {
            let detail = "a reference or an expiry needs a basis: owned, client_consent or employee";
            f.push(Fault::new("/authorisation_basis", "missing", detail));
        }
        faults
    }
}

/// A secret that is kept is neither empty nor endless.
fn check_secret(faults: &mut Vec<Fault>, pointer: &str, secret: Option<&Secret>) {
    if secret.is_some_and(|secret| !secret.is_acceptable()) {
        let detail = format!("a secret has 1 to {SECRET_BYTES_MAX} bytes");
        faults.push(Fault::new(pointer, "length", detail));
    }
}

impl AccountChange {
    /// The fields of the account as they are after the change, without secrets.
    pub fn onto(&self, account: &Account) -> NewAccount {
        fn after<T: Clone>(change: &Option<Option<T>>, stored: &Option<T>) -> Option<T> {
            change.clone().unwrap_or_else(|| stored.clone())
        }
        let withdrawn = self.authorisation_basis == Some(None);
        NewAccount {
            username: self.username.clone().unwrap_or_else(|| account.username.clone()),
            email: self.email.clone().unwrap_or_else(|| account.email.clone()),
            password: None,
            access_token: None,
            status: self.status.or(Some(account.status)),
            model_id: after(&self.model_id, &account.model_id),
            authorisation_basis: after(&self.authorisation_basis, &account.authorisation_basis),
            authorisation_reference: match &self.authorisation_reference {
                None if withdrawn => None,
                change => after(change, &account.authorisation_reference),
            },
            authorisation_expires_at: match &self.authorisation_expires_at {
                None if withdrawn => None,
                change => after(change, &account.authorisation_expires_at),
            },
            bio: after(&self.bio, &account.bio),
            profile_picture_url: after(&self.profile_picture_url, &account.profile_picture_url),
            location_city: after(&self.location_city, &account.location_city),
            location_campus: after(&self.location_campus, &account.location_campus),
            location_niche: after(&self.location_niche, &account.location_niche),
            birthday: after(&self.birthday, &account.birthday),
            device_info: after(&self.device_info, &account.device_info),
            content_type: after(&self.content_type, &account.content_type),
        }
    }

    /// What is wrong with its secrets; the rest is checked with the account it leads to.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (pointer, secret) in [
            ("/password", &self.password),
            ("/access_token", &self.access_token),
        ] {
            check_secret(&mut faults, pointer, secret.as_ref().and_then(Option::as_ref));
        }
        faults
    }
}

crate::wire! {
    /// How many there are.
    pub struct Count {
        /// The number.
        pub count: i64,
        /// Whether it is exact; otherwise there are at least as many.
        pub exact: bool,
    }
}

crate::wire! {
    /// Says why secrets are opened.
    #[serde(deny_unknown_fields)]
    pub struct Reveal {
        /// Why, 1 to 500 characters; it is kept.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 500))]
        pub reason: String,
    }
}

impl Reveal {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        reason_faults(Some(&self.reason))
    }
}

crate::wire! {
    /// The secrets of an account. The one answer that holds any; `Debug` does not show them.
    pub struct Revealed {
        /// The account.
        pub id: AccountId,
        /// Its user name.
        pub username: String,
        /// Its password, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        pub password: Option<Secret>,
        /// Its access token, where one is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        pub access_token: Option<Secret>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(json: serde_json::Value) -> NewAccount {
        serde_json::from_value(json).expect("it is read")
    }

    #[test]
    fn all_faults_of_an_account_are_told_at_once() {
        let faults = new(serde_json::json!({
            "username": "@Ana", "email": "ana", "password": "", "bio": "\u{0}", "location_city": "",
            "profile_picture_url": "nowhere", "device_info": [1], "authorisation_reference": "contract 7",
        }))
        .faults();
        let pointers: Vec<_> = faults.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/username",
                "/email",
                "/password",
                "/bio",
                "/location_city",
                "/profile_picture_url",
                "/device_info",
                "/authorisation_basis"
            ]
        );
        assert!(
            new(serde_json::json!({"username": "ana.b_1", "email": "ana@example.com"}))
                .faults()
                .is_empty()
        );
    }

    #[test]
    fn revealed_secrets_are_not_shown() {
        let revealed = Revealed {
            id: AccountId(1),
            username: "ana".to_owned(),
            password: Some("CANARY".into()),
            access_token: None,
        };
        assert!(!format!("{revealed:?}").contains("CANARY"));
    }
}
