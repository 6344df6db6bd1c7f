//! What a row of a file says, as the fields that are compared, stored and written again; and the other way round.

use chrono::{DateTime, SecondsFormat, Utc};
use muster_wire::imports::ImportKind;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::read::{self, AccountRow, ContentRow, Fault, Kind, ModelRow, ProxyRow, Row, TextRow};

/// What one row sets: the fields in the form of the `*_fields` functions of the schema, and the secrets beside them.
#[derive(Debug)]
pub struct Shaped {
    /// What makes it the same thing as a stored one: its name, or what it is told apart by, as a JSON array.
    pub key: String,
    /// The fields; null clears one. Fields that the file says nothing about are absent.
    pub data: Map<String, Value>,
    /// The password, where the row has one.
    pub password: Option<SecretString>,
    /// The access token, where the row has one.
    pub access_token: Option<SecretString>,
}

/// The kind of file, in the reader's words.
pub fn kind(kind: ImportKind) -> Kind {
    match kind {
        ImportKind::Accounts => Kind::Accounts,
        ImportKind::Proxies => Kind::Proxies,
        ImportKind::Models => Kind::Models,
        ImportKind::Content => Kind::Content,
        ImportKind::Texts => Kind::Texts,
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn money(amount: Decimal) -> String {
    format!("{amount:.2}")
}

/// Fields that keep what is stored when a row leaves them blank, because they cannot be empty.
const NEVER_BLANK: &[&str] = &[
    "username",
    "email",
    "status",
    "scheme",
    "host",
    "port",
    "provider",
    "location",
    "monthly_cost",
    "max_accounts",
    "name",
    "unfollow_ratio",
    "daily_follow_limit",
    "posting_schedule",
    "people_steps",
    "content_type",
    "image_url",
    "is_template",
    "order_priority",
];

/// Shapes a row that has been read. `fields` are the fields that the file sets.
///
/// # Errors
/// What is wrong between the fields of the row.
pub fn shape(row: Row, fields: &[String]) -> Result<Shaped, Vec<Fault>> {
    let (key, all, password, access_token) = match row {
        Row::Account(row) => account(*row)?,
        Row::Proxy(row) => proxy(*row),
        Row::Model(row) => model(*row),
        Row::Content(row) => content(row),
        Row::Text(row) => text(row),
    };
    let data = all
        .into_iter()
        .filter(|(name, value)| {
            !value.is_null() || (fields.iter().any(|field| field == name) && !NEVER_BLANK.contains(name))
        })
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(Shaped {
        key,
        data,
        password,
        access_token,
    })
}

/// The fields of a row, by name.
type Fields = Vec<(&'static str, Value)>;

type Parts = (String, Fields, Option<SecretString>, Option<SecretString>);

fn account(row: AccountRow) -> Result<Parts, Vec<Fault>> {
    let mut faults = Vec::new();
    let fault = |column: &str, code: &'static str, message: &str| Fault {
        column: column.to_owned(),
        code: code.into(),
        message: message.to_owned(),
        value: None,
    };
    if row.authorisation_basis.is_none()
        && (row.authorisation_reference.is_some() || row.authorisation_expires_at.is_some())
    {
        faults.push(fault(
            "authorisation_basis",
            "missing",
            "an authorisation needs its basis: owned, client_consent or employee",
        ));
    }
    if row.authorisation_basis.is_some() && row.authorisation_reference.is_none() {
        faults.push(fault(
            "authorisation_reference",
            "missing",
            "an authorisation needs a reference: the contract, the consent or the person it rests on",
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let fields = vec![
        ("username", row.username.clone().into()),
        ("email", row.email.into()),
        ("model", row.model.into()),
        ("status", row.status.into()),
        ("authorisation_basis", row.authorisation_basis.into()),
        ("authorisation_reference", row.authorisation_reference.into()),
        (
            "authorisation_expires_at",
            row.authorisation_expires_at.map(instant).into(),
        ),
        ("bio", row.bio.into()),
        ("profile_picture_url", row.profile_picture_url.into()),
        ("location_city", row.location_city.into()),
        ("location_campus", row.location_campus.into()),
        ("location_niche", row.location_niche.into()),
        ("birthday", row.birthday.map(|day| day.to_string()).into()),
        ("device_info", row.device_info.into()),
        ("content_type", row.content_type.into()),
    ];
    Ok((row.username, fields, row.password, row.access_token))
}

fn proxy(row: ProxyRow) -> Parts {
    let key = json!([row.scheme, row.host, row.port, row.username]).to_string();
    let fields = vec![
        ("scheme", row.scheme.into()),
        ("host", row.host.into()),
        ("port", row.port.into()),
        ("username", row.username.into()),
        ("exit_ip", row.exit_ip.map(|ip| ip.to_string()).into()),
        ("provider", row.provider.into()),
        ("location", row.location.into()),
        ("monthly_cost", row.monthly_cost.map(money).into()),
        ("status", row.status.into()),
        ("model", row.model.into()),
        ("max_accounts", row.max_accounts.into()),
    ];
    (key, fields, row.password, None)
}

fn model(row: ModelRow) -> Parts {
    let fields = vec![
        ("name", row.name.clone().into()),
        ("description", row.description.into()),
        ("status", row.status.into()),
        ("unfollow_ratio", row.unfollow_ratio.into()),
        ("daily_follow_limit", row.daily_follow_limit.into()),
        ("posting_schedule", row.posting_schedule.into()),
        ("people_steps", row.people_steps.into()),
    ];
    (row.name, fields, None, None)
}

fn content(row: ContentRow) -> Parts {
    let key = json!([row.model, row.content_type, row.image_url, row.text_content]).to_string();
    let fields = vec![
        ("model", row.model.into()),
        ("content_type", row.content_type.into()),
        ("image_url", row.image_url.into()),
        ("text_content", row.text_content.into()),
        ("is_template", row.is_template.into()),
        ("order_priority", row.order_priority.into()),
    ];
    (key, fields, None, None)
}

fn text(row: TextRow) -> Parts {
    let key = json!([row.model, row.content_type, row.text_content]).to_string();
    let fields = vec![
        ("model", row.model.into()),
        ("content_type", row.content_type.into()),
        ("text_content", row.text_content.into()),
        ("is_template", row.is_template.into()),
    ];
    (key, fields, None, None)
}

/// The row of an export, from the fields as the schema gives them.
///
/// # Errors
/// When the fields are not in the form that the schema's functions give, which is a fault of ours.
pub fn row(
    kind: ImportKind,
    fields: &Value,
    password: Option<SecretString>,
    access_token: Option<SecretString>,
) -> Result<Row, serde_json::Error> {
    fn get<T: serde::de::DeserializeOwned>(fields: &Value, name: &str) -> Result<T, serde_json::Error> {
        serde_json::from_value(fields.get(name).cloned().unwrap_or(Value::Null))
    }
    let f = fields;
    Ok(match kind {
        ImportKind::Accounts => Row::Account(Box::new(AccountRow {
            username: get(f, "username")?,
            email: get(f, "email")?,
            model: get(f, "model")?,
            status: get(f, "status")?,
            authorisation_basis: get(f, "authorisation_basis")?,
            authorisation_reference: get(f, "authorisation_reference")?,
            authorisation_expires_at: get(f, "authorisation_expires_at")?,
            password,
            access_token,
            bio: get(f, "bio")?,
            profile_picture_url: get(f, "profile_picture_url")?,
            location_city: get(f, "location_city")?,
            location_campus: get(f, "location_campus")?,
            location_niche: get(f, "location_niche")?,
            birthday: get(f, "birthday")?,
            device_info: get(f, "device_info")?,
            content_type: get(f, "content_type")?,
            lifecycle_state: get(f, "lifecycle_state")?,
        })),
        ImportKind::Proxies => Row::Proxy(Box::new(ProxyRow {
            scheme: get(f, "scheme")?,
            host: get(f, "host")?,
            port: get(f, "port")?,
            username: get(f, "username")?,
            password,
            exit_ip: get(f, "exit_ip")?,
            provider: get(f, "provider")?,
            location: get(f, "location")?,
            monthly_cost: get::<Option<String>>(f, "monthly_cost")?.and_then(|cost| cost.parse().ok()),
            status: get(f, "status")?,
            model: get(f, "model")?,
            max_accounts: get(f, "max_accounts")?,
        })),
        ImportKind::Models => Row::Model(Box::new(ModelRow {
            name: get(f, "name")?,
            description: get(f, "description")?,
            status: get(f, "status")?,
            unfollow_ratio: get(f, "unfollow_ratio")?,
            daily_follow_limit: get(f, "daily_follow_limit")?,
            posting_schedule: get(f, "posting_schedule")?,
            people_steps: get(f, "people_steps")?,
        })),
        ImportKind::Content => Row::Content(ContentRow {
            model: get(f, "model")?,
            content_type: get(f, "content_type")?,
            image_url: get(f, "image_url")?,
            text_content: get(f, "text_content")?,
            is_template: get(f, "is_template")?,
            order_priority: get(f, "order_priority")?,
        }),
        ImportKind::Texts => Row::Text(TextRow {
            model: get(f, "model")?,
            content_type: get(f, "content_type")?,
            text_content: get(f, "text_content")?,
            is_template: get(f, "is_template")?,
        }),
    })
}

/// The fields of a new thing that the file says nothing about.
pub fn with_defaults(kind: ImportKind, data: &mut Map<String, Value>) {
    let defaults = match kind {
        ImportKind::Accounts => json!({"status": "active"}),
        ImportKind::Proxies => json!({
            "provider": read::UNKNOWN, "location": read::UNKNOWN, "monthly_cost": "0.00", "status": "active", "max_accounts": 3,
        }),
        ImportKind::Models => json!({
            "status": "active", "unfollow_ratio": 90, "daily_follow_limit": 50, "posting_schedule": {}, "people_steps": [],
        }),
        ImportKind::Content => json!({"is_template": false, "order_priority": 0}),
        ImportKind::Texts => json!({"is_template": false}),
    };
    let Value::Object(defaults) = defaults else {
        unreachable!("each is an object")
    };
    for (name, value) in defaults {
        data.entry(name).or_insert(value);
    }
}
