//! The rows of each kind of file, and how they are read from cells.
//!
//! None means that the cell is blank or the column absent; [`super::Detected::fields`] says which, for the whole file.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value;

use super::cells::Cells;
use super::lines;

/// The states of an account.
pub const ACCOUNT_STATUSES: &[&str] = &["active", "banned", "suspended", "inactive"];
/// The bases on which an organisation manages an account.
pub const AUTHORISATION_BASES: &[&str] = &["owned", "client_consent", "employee"];
/// The states of a proxy.
pub const PROXY_STATUSES: &[&str] = &["active", "inactive", "error"];
/// The protocols of proxies.
pub const SCHEMES: &[&str] = &["http", "socks5"];
/// The states of a model.
pub const MODEL_STATUSES: &[&str] = &["active", "inactive", "paused"];
/// The types of content.
pub const CONTENT_TYPES: &[&str] = &["pfp", "post", "highlight", "story", "any"];
/// The types of texts.
pub const TEXT_TYPES: &[&str] = &["bio", "post", "story", "highlight"];
/// The provider and the location of a new proxy whose row has none; its monthly cost is then 0.
pub const UNKNOWN: &str = "unknown";

const STEP_NAMES: &[&str] = &[
    "change_pfp",
    "change_bio",
    "post_highlight",
    "post_story",
    "post_post",
];
/// How an empty set of steps is written, as a blank cell would keep what is stored.
pub(super) const NO_STEPS: &str = "none";

const NAME_CHARS_MAX: usize = 255;
const LABEL_CHARS_MAX: usize = 100;
const CONTENT_TYPE_CHARS_MAX: usize = 50;
const URL_CHARS_MAX: usize = 500;
const REFERENCE_CHARS_MAX: usize = 255;
const TEXT_CHARS_MAX: usize = 10_000;
/// Amounts are stored as `decimal(10,2)`.
const MONEY_LIMIT: i64 = 100_000_000;

/// Parts of a user name by which providers choose another exit address for each connection or session.
const ROTATING_USERS: &[&str] = &["-rotate", "-session-", "-sessid-"];
/// Entry points that have no fixed exit address.
const ROTATING_HOSTS: &[(&str, u16)] = &[
    ("dc.oxylabs.io", 8000),
    ("isp.oxylabs.io", 8000),
    ("disp.oxylabs.io", 8000),
    ("ddc.oxylabs.io", 8000),
    ("pr.oxylabs.io", 7777),
    ("gate.decodo.com", 7000),
    ("gate.smartproxy.com", 7000),
];
const PROVIDERS: &[(&str, &str)] = &[
    ("superproxy.io", "Bright Data"),
    ("oxylabs.io", "Oxylabs"),
    ("decodo.com", "Decodo"),
    ("smartproxy.com", "Decodo"),
    ("webshare.io", "Webshare"),
];

/// A row of any kind.
#[derive(Clone, Debug)]
pub enum Row {
    /// Of a file of accounts.
    Account(Box<AccountRow>),
    /// Of a file of proxies.
    Proxy(Box<ProxyRow>),
    /// Of a file of models.
    Model(Box<ModelRow>),
    /// Of a file of content.
    Content(ContentRow),
    /// Of a file of texts.
    Text(TextRow),
}

/// An account.
#[derive(Clone, Debug, Default)]
pub struct AccountRow {
    /// The handle: 1 to 30 of `a-z0-9._`.
    pub username: String,
    /// An e-mail address, at most 255 characters.
    pub email: String,
    /// The name of its model, at most 255 characters.
    pub model: Option<String>,
    /// One of [`ACCOUNT_STATUSES`].
    pub status: Option<String>,
    /// One of [`AUTHORISATION_BASES`].
    pub authorisation_basis: Option<String>,
    /// At most 255 characters.
    pub authorisation_reference: Option<String>,
    /// When the authorisation lapses.
    pub authorisation_expires_at: Option<DateTime<Utc>>,
    /// The password of the account.
    pub password: Option<SecretString>,
    /// A token of the official API.
    pub access_token: Option<SecretString>,
    /// Kept exactly as it is.
    pub bio: Option<String>,
    /// A web address, at most 500 characters.
    pub profile_picture_url: Option<String>,
    /// At most 100 characters.
    pub location_city: Option<String>,
    /// At most 100 characters.
    pub location_campus: Option<String>,
    /// At most 100 characters.
    pub location_niche: Option<String>,
    /// A day of birth.
    pub birthday: Option<NaiveDate>,
    /// Any JSON.
    pub device_info: Option<Value>,
    /// At most 50 characters.
    pub content_type: Option<String>,
    /// Only written; a file's lifecycle state is not read.
    pub lifecycle_state: Option<String>,
}

/// A proxy.
#[derive(Clone, Debug, Default)]
pub struct ProxyRow {
    /// One of [`SCHEMES`].
    pub scheme: String,
    /// An IP address without brackets, or a host's name in lower case.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// At most 255 characters.
    pub username: Option<String>,
    /// The password at the proxy.
    pub password: Option<SecretString>,
    /// The address that others see.
    pub exit_ip: Option<IpAddr>,
    /// At most 100 characters; see [`UNKNOWN`].
    pub provider: Option<String>,
    /// At most 100 characters; see [`UNKNOWN`].
    pub location: Option<String>,
    /// Two decimals, not negative; 0 for a new proxy whose row has none.
    pub monthly_cost: Option<Decimal>,
    /// One of [`PROXY_STATUSES`].
    pub status: Option<String>,
    /// The name of the model it is kept for, at most 255 characters.
    pub model: Option<String>,
    /// 1 to 3.
    pub max_accounts: Option<i16>,
}

/// A model.
#[derive(Clone, Debug, Default)]
pub struct ModelRow {
    /// At most 255 characters.
    pub name: String,
    /// Kept exactly as it is.
    pub description: Option<String>,
    /// One of [`MODEL_STATUSES`].
    pub status: Option<String>,
    /// 0 to 100.
    pub unfollow_ratio: Option<i32>,
    /// 1 to 1000.
    pub daily_follow_limit: Option<i32>,
    /// A JSON object.
    pub posting_schedule: Option<Value>,
    /// The steps, 1 to 5 in order and each once, that only people may do; some and empty means none of them.
    pub people_steps: Option<Vec<i16>>,
}

/// A piece of content of a model.
#[derive(Clone, Debug, Default)]
pub struct ContentRow {
    /// The name of its model, at most 255 characters.
    pub model: String,
    /// One of [`CONTENT_TYPES`].
    pub content_type: String,
    /// A web address, at most 500 characters.
    pub image_url: String,
    /// Kept exactly as it is.
    pub text_content: Option<String>,
    /// Whether the text holds variables.
    pub is_template: Option<bool>,
    /// Any number of 32 bits.
    pub order_priority: Option<i32>,
}

/// A text of a model.
#[derive(Clone, Debug, Default)]
pub struct TextRow {
    /// The name of its model, at most 255 characters.
    pub model: String,
    /// One of [`TEXT_TYPES`].
    pub content_type: String,
    /// Kept exactly as it is.
    pub text_content: String,
    /// Whether the text holds variables.
    pub is_template: Option<bool>,
}

/// Reads an account; none when there are faults.
pub(super) fn account(cells: &mut Cells<'_>) -> Option<Row> {
    let username = cells.required("username", |cells| cells.handle("username"));
    let email = cells.required("email", |cells| cells.email("email"));
    let row = AccountRow {
        username: String::new(),
        email: String::new(),
        model: cells.text("model", NAME_CHARS_MAX),
        status: cells.choice("status", ACCOUNT_STATUSES),
        authorisation_basis: cells.choice("authorisation_basis", AUTHORISATION_BASES),
        authorisation_reference: cells.text("authorisation_reference", REFERENCE_CHARS_MAX),
        authorisation_expires_at: cells.instant("authorisation_expires_at"),
        password: cells.secret("password"),
        access_token: cells.secret("access_token"),
        bio: cells.verbatim("bio", TEXT_CHARS_MAX),
        profile_picture_url: cells.web_address("profile_picture_url", URL_CHARS_MAX),
        location_city: cells.text("location_city", LABEL_CHARS_MAX),
        location_campus: cells.text("location_campus", LABEL_CHARS_MAX),
        location_niche: cells.text("location_niche", LABEL_CHARS_MAX),
        birthday: cells.date("birthday"),
        device_info: cells.json("device_info", false),
        content_type: cells.text("content_type", CONTENT_TYPE_CHARS_MAX),
        lifecycle_state: None,
    };
    Some(Row::Account(Box::new(AccountRow {
        username: username?,
        email: email?,
        ..row
    })))
}

/// Reads a proxy; none when there are faults.
pub(super) fn proxy(cells: &mut Cells<'_>) -> Option<Row> {
    whole_proxy_in_host(cells);
    if !cells.has("scheme") {
        cells.set("scheme", Some("http".into()));
    }
    let scheme = scheme(cells);
    let host = cells.required("host", |cells| cells.host("host"));
    let port = cells.required("port", |cells| cells.integer("port", 1..=65_535));
    let port = port.and_then(|port| u16::try_from(port).ok());
    let username = cells.text("username", NAME_CHARS_MAX);
    if let (Some(host), Some(port)) = (&host, port) {
        refuse_rotation(cells, host, port, username.as_deref());
    }
    let declared = username.as_deref().and_then(exit_ip_in_username);
    let known = host.as_deref().and_then(known_provider);
    let provider = cells
        .text("provider", LABEL_CHARS_MAX)
        .or_else(|| known.map(str::to_owned));
    let row = ProxyRow {
        scheme: String::new(),
        host: String::new(),
        port: 0,
        username,
        password: cells.secret("password"),
        exit_ip: cells.ip("exit_ip").or(declared),
        provider,
        location: cells.text("location", LABEL_CHARS_MAX),
        monthly_cost: cells.money("monthly_cost", MONEY_LIMIT.into()),
        status: cells.choice("status", PROXY_STATUSES),
        model: cells.text("model", NAME_CHARS_MAX),
        max_accounts: cells
            .integer("max_accounts", 1..=3)
            .and_then(|max| i16::try_from(max).ok()),
    };
    Some(Row::Proxy(Box::new(ProxyRow {
        scheme: scheme?,
        host: host?,
        port: port?,
        ..row
    })))
}

/// A table may have one column that holds whole proxies.
fn whole_proxy_in_host(cells: &mut Cells<'_>) {
    if cells.has("port") || cells.has("password") {
        return;
    }
    let Some(host) = cells.raw("host") else { return };
    if !host.contains(':') || host.parse::<IpAddr>().is_ok() {
        cells.set("host", Some(host));
        return;
    }
    cells.mask_all = true;
    match lines::parse(&host) {
        Ok(line) => set_proxy_line(cells, line),
        Err((code, message)) => {
            cells.fault("host", code, format!("this {message}"), Some(&host));
            cells.set("host", Some("unreadable".into()));
            cells.set("port", Some("1".into()));
        }
    }
}

/// Puts the parts of a line where the cells of a table would be.
pub(super) fn set_proxy_line(cells: &mut Cells<'_>, line: lines::ProxyLine) {
    if line.scheme.is_some() {
        cells.set("scheme", line.scheme);
    }
    cells.set("host", Some(line.host));
    cells.set("port", Some(line.port));
    if line.username.is_some() {
        cells.set("username", line.username);
    }
    cells.set("password", line.password);
}

fn scheme(cells: &mut Cells<'_>) -> Option<String> {
    let raw = cells.raw("scheme")?;
    let meant = match raw.trim().to_lowercase().as_str() {
        "https" => {
            let message =
                "`https` was read as `http`: providers mean by it that the proxy also passes on HTTPS";
            cells.notes.add("https_read_as_http", message, cells.number);
            "http".to_owned()
        }
        "socks5h" | "socks" => "socks5".to_owned(),
        _ => raw,
    };
    cells.set("scheme", Some(meant));
    cells.choice("scheme", SCHEMES)
}

fn refuse_rotation(cells: &mut Cells<'_>, host: &str, port: u16, username: Option<&str>) {
    let username = username.unwrap_or_default().to_lowercase();
    if ROTATING_HOSTS.contains(&(host, port)) {
        let message = format!(
            "{host}:{port} is a rotating entry point: it has no fixed exit address, which an account's proxy must have; \
             use the provider's port or host of one address"
        );
        cells.fault("host", "proxy_rotates", message, None);
    } else if let Some(part) = ROTATING_USERS.iter().find(|part| username.contains(**part)) {
        let message = format!(
            "`{part}` in the user name asks the provider for changing exit addresses: an account's proxy must have a fixed \
             one; use the user name of one address"
        );
        cells.fault("username", "proxy_rotates", message, None);
    }
}

/// Bright Data names the exit address in the user name, as in `…-zone-z1-ip-203.0.113.10`.
fn exit_ip_in_username(username: &str) -> Option<IpAddr> {
    let (_, rest) = username.rsplit_once("-ip-")?;
    rest.split('-').next()?.parse().ok()
}

fn known_provider(host: &str) -> Option<&'static str> {
    let belongs = |domain: &str| {
        host == domain
            || host
                .strip_suffix(domain)
                .is_some_and(|front| front.ends_with('.'))
    };
    PROVIDERS
        .iter()
        .find(|(domain, _)| belongs(domain))
        .map(|(_, name)| *name)
}

/// Reads a model; none when there are faults.
pub(super) fn model(cells: &mut Cells<'_>) -> Option<Row> {
    let small = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok());
    let name = cells.required("name", |cells| cells.text("name", NAME_CHARS_MAX));
    let row = ModelRow {
        name: String::new(),
        description: cells.verbatim("description", TEXT_CHARS_MAX),
        status: cells.choice("status", MODEL_STATUSES),
        unfollow_ratio: small(cells.integer("unfollow_ratio", 0..=100)),
        daily_follow_limit: small(cells.integer("daily_follow_limit", 1..=1000)),
        posting_schedule: cells.json("posting_schedule", true),
        people_steps: people_steps(cells),
    };
    Some(Row::Model(Box::new(ModelRow { name: name?, ..row })))
}

fn people_steps(cells: &mut Cells<'_>) -> Option<Vec<i16>> {
    let raw = cells.raw("people_steps")?;
    let given = raw.trim().to_lowercase();
    if given == NO_STEPS {
        return Some(Vec::new());
    }
    let step = |word: &str| match STEP_NAMES.iter().position(|name| *name == word) {
        Some(position) => i16::try_from(position + 1).ok(),
        None => word.parse().ok().filter(|number| (1..=5).contains(number)),
    };
    let words = given.split([';', ',', ' ', '+']).filter(|word| !word.is_empty());
    let steps: Option<Vec<i16>> = words.map(step).collect();
    match steps {
        Some(mut steps) if !steps.is_empty() => {
            steps.sort_unstable();
            steps.dedup();
            Some(steps)
        }
        _ => {
            let message = format!("must be steps from 1 to 5, as in 1;2;3, or `{NO_STEPS}`");
            cells.fault("people_steps", "steps_invalid", message, Some(&raw));
            None
        }
    }
}

/// Reads a piece of content; none when there are faults.
pub(super) fn content(cells: &mut Cells<'_>) -> Option<Row> {
    let model = cells.required("model", |cells| cells.text("model", NAME_CHARS_MAX));
    let content_type = cells.required("content_type", |cells| {
        cells.choice("content_type", CONTENT_TYPES)
    });
    let image_url = cells.required("image_url", |cells| cells.picture("image_url", URL_CHARS_MAX));
    let row = ContentRow {
        text_content: cells.verbatim("text_content", TEXT_CHARS_MAX),
        is_template: cells.boolean("is_template"),
        order_priority: cells
            .integer("order_priority", i32::MIN.into()..=i32::MAX.into())
            .and_then(|priority| i32::try_from(priority).ok()),
        ..ContentRow::default()
    };
    Some(Row::Content(ContentRow {
        model: model?,
        content_type: content_type?,
        image_url: image_url?,
        ..row
    }))
}

/// Reads a text; none when there are faults.
pub(super) fn text(cells: &mut Cells<'_>) -> Option<Row> {
    let model = cells.required("model", |cells| cells.text("model", NAME_CHARS_MAX));
    let content_type = cells.required("content_type", |cells| cells.choice("content_type", TEXT_TYPES));
    let text_content = cells.required("text_content", |cells| {
        cells.verbatim("text_content", TEXT_CHARS_MAX)
    });
    let is_template = cells.boolean("is_template");
    Some(Row::Text(TextRow {
        model: model?,
        content_type: content_type?,
        text_content: text_content?,
        is_template,
    }))
}
