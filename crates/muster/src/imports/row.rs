//! A row of a file on its way into an import: what it says, what is stored of its thing, and what it would change of that.

use muster_wire::imports::{ImportKind, RowVerdict};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sqlx::types::Json;

use super::{
    places, raw_place,
    read::{Fault, Item, Raw},
    shape,
};
use crate::{
    problem::Failure,
    seal::{Place, TenantKeys},
};

/// What is stored of a row's thing.
pub struct Stored {
    pub ordinal: i64,
    pub id: i64,
    pub fields: Value,
    pub password_encrypted: Option<Vec<u8>>,
    pub access_token_encrypted: Option<Vec<u8>>,
}

/// A row and the comparison, as the import keeps them.
pub struct Staged {
    pub line: i64,
    pub verdict: RowVerdict,
    pub key: Option<String>,
    pub data: Map<String, Value>,
    pub faults: Vec<Fault>,
    pub before: Option<Map<String, Value>>,
    pub target: Option<i64>,
    pub sealed_password: Option<Vec<u8>>,
    pub sealed_token: Option<Vec<u8>>,
    pub sealed_raw: Option<Vec<u8>>,
    pub before_password: Option<Vec<u8>>,
    pub before_token: Option<Vec<u8>>,
    password: Option<SecretString>,
    token: Option<SecretString>,
    raw: Vec<Raw>,
}

impl Staged {
    /// The row as it was read, before anything is known of what is stored.
    pub fn read(item: Item, fields: &[String]) -> Self {
        let shaped = item.row.and_then(|row| shape::shape(row, fields));
        let mut row = Self {
            line: i64::try_from(item.number).unwrap_or(i64::MAX),
            verdict: RowVerdict::New,
            key: None,
            data: Map::new(),
            password: None,
            token: None,
            raw: item.raw,
            faults: Vec::new(),
            before: None,
            target: None,
            sealed_password: None,
            sealed_token: None,
            sealed_raw: None,
            before_password: None,
            before_token: None,
        };
        match shaped {
            Ok(shaped) => {
                row.key = Some(shaped.key);
                row.data = shaped.data;
                row.password = shaped.password;
                row.token = shaped.access_token;
            }
            Err(faults) => {
                row.verdict = RowVerdict::Rejected;
                row.faults = faults;
            }
        }
        row
    }

    /// Refuses the row.
    pub fn reject(&mut self, column: &str, code: &'static str, message: String) {
        self.verdict = RowVerdict::Rejected;
        self.faults.push(Fault {
            column: column.to_owned(),
            code: code.into(),
            message,
            value: None,
        });
    }

    /// What makes the row's thing the same as a stored one, where it is to be looked for.
    pub fn wanted(&self) -> Option<&str> {
        self.key
            .as_deref()
            .filter(|_| self.verdict != RowVerdict::Rejected)
    }

    /// How many bytes its cells have.
    pub fn raw_bytes(&self) -> usize {
        self.raw.iter().map(|cell| cell.expose().len()).sum()
    }

    /// The address of the picture that the row gives.
    pub fn picture(&self) -> Option<&str> {
        self.data.get("image_url").and_then(Value::as_str)
    }

    /// Whether a text is known to be no secret, because it stands in a cell that is none.
    pub fn may_show(&self, text: &str) -> bool {
        self.raw
            .iter()
            .any(|cell| matches!(cell, Raw::Plain(plain) if plain.trim() == text))
    }

    /// The name of the model that the row names.
    pub fn model(&self) -> Option<&str> {
        self.data.get("model").and_then(Value::as_str)
    }

    /// Finds out what the row changes of what is stored.
    pub fn compare(&mut self, kind: ImportKind, keys: &TenantKeys, stored: Stored) -> Result<(), Failure> {
        self.data
            .retain(|name, value| stored.fields.get(name) != Some(value));
        let before: Map<String, Value> = self
            .data
            .keys()
            .map(|name| {
                (
                    name.clone(),
                    stored.fields.get(name).cloned().unwrap_or(Value::Null),
                )
            })
            .collect();
        let (password, token) = places(kind, stored.id);
        let changes = |new: &Option<SecretString>, old: &Option<Vec<u8>>, place: &Option<Place>| match (
            new, old, place,
        ) {
            (Some(new), Some(old), Some(place)) => {
                Ok::<_, Failure>(keys.open(place, old)?.expose_secret() != new.expose_secret())
            }
            (Some(_), None, Some(_)) => Ok(true),
            _ => Ok(false),
        };
        if !changes(&self.password, &stored.password_encrypted, &password)? {
            self.password = None;
        }
        if !changes(&self.token, &stored.access_token_encrypted, &token)? {
            self.token = None;
        }
        self.target = Some(stored.id);
        if self.data.is_empty() && self.password.is_none() && self.token.is_none() {
            self.verdict = RowVerdict::Same;
            return Ok(());
        }
        self.verdict = RowVerdict::Changed;
        self.seal(kind, keys, stored.id);
        self.before = Some(before);
        self.before_password = stored.password_encrypted;
        self.before_token = stored.access_token_encrypted;
        Ok(())
    }

    /// Seals the secrets for the place that they will be stored in.
    pub fn seal(&mut self, kind: ImportKind, keys: &TenantKeys, id: i64) {
        let (password, token) = places(kind, id);
        let seal =
            |secret: &Option<SecretString>, place: Option<Place>| Some(keys.seal(&place?, secret.as_ref()?));
        self.sealed_password = seal(&self.password, password);
        self.sealed_token = seal(&self.token, token);
    }

    /// Keeps the cells of a rejected row, so that it can be given back as it was.
    pub fn seal_raw(&mut self, keys: &TenantKeys, import: i64) {
        if self.verdict == RowVerdict::Rejected {
            let cells: Vec<&str> = self.raw.iter().map(Raw::expose).collect();
            self.sealed_raw =
                Some(keys.seal(&raw_place(import, self.line), &json!(cells).to_string().into()));
        }
    }

    /// What the row sets of what is stored.
    pub fn sets(&self) -> Option<Json<&Map<String, Value>>> {
        matches!(self.verdict, RowVerdict::New | RowVerdict::Changed).then_some(Json(&self.data))
    }
}
