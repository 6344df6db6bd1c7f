//! The audit log on screen: who did what, when, from where, and what was there before and after.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::audit::{AuditEntry, TriggeredBy};
use serde_json::Value;

use super::api::listed;
use crate::{
    app::App,
    console::{self, Faults, Shell, Visitor, ui},
    http::{ListQuery, Query},
    problem::Failure,
};

/// The entries of one page.
const ENTRIES_MAX: u32 = 30;

/// The bytes of values on one page, as they are written there, so that it stays small: what one entry leaves is shared by
/// those after it.
const VALUES_BYTES_MAX: usize = 40_000;

/// The fields that are shown of one entry; the export has all.
const FIELDS_MAX: usize = 8;

/// The page of the audit log.
pub fn routes() -> Router<App> {
    Router::new().route("/audit", get(list))
}

/// A field that was not the same before and after.
struct Changed {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

/// An entry, and what it changed.
struct Row {
    entry: AuditEntry,
    changes: Vec<Changed>,
    /// Fields that are not shown.
    more: i64,
}

impl Row {
    fn new(entry: AuditEntry, bytes: usize) -> Self {
        let field = |value: &Option<Value>, name: &str| match value {
            Some(Value::Object(fields)) => fields.get(name).filter(|value| !value.is_null()).cloned(),
            Some(other) if name.is_empty() => Some(other.clone()),
            _ => None,
        };
        let mut names: Vec<&str> = [&entry.before, &entry.after]
            .into_iter()
            .flatten()
            .flat_map(|value| match value {
                Value::Object(fields) => fields.keys().map(String::as_str).collect(),
                _ => vec![""],
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| field(&entry.before, name) != field(&entry.after, name));
        let each = bytes / (names.len().clamp(1, FIELDS_MAX) * 2);
        let text = |value: Option<Value>| value.map(|value| short(value, each));
        let changes: Vec<_> = names
            .iter()
            .take(FIELDS_MAX)
            .map(|name| Changed {
                name: (*name).to_owned(),
                before: text(field(&entry.before, name)),
                after: text(field(&entry.after, name)),
            })
            .collect();
        Self {
            more: i64::try_from(names.len() - changes.len()).unwrap_or(i64::MAX),
            entry,
            changes,
        }
    }

    /// How much of the page its values take.
    fn bytes(&self) -> usize {
        let values = self
            .changes
            .iter()
            .flat_map(|change| [&change.before, &change.after]);
        values.flatten().flat_map(|text| text.chars()).map(written).sum()
    }

    /// Who did it, in words.
    fn who(&self) -> String {
        let gone = |kind: &str, id: Option<i64>| format!("{kind} {}, gone", id.unwrap_or(0));
        match (&self.entry.actor_name, self.entry.triggered_by) {
            (Some(name), _) => name.clone(),
            (None, TriggeredBy::User) => gone("operator", self.entry.operator_id.map(|id| id.0)),
            (None, TriggeredBy::Bot) => gone("bot", self.entry.bot_id.map(|id| id.0)),
            (None, TriggeredBy::System) => "Muster itself".to_owned(),
            (None, TriggeredBy::Scheduler) => "Muster, by the clock".to_owned(),
        }
    }

    /// The filter for what the same actor did.
    fn by_actor(&self) -> String {
        match (self.entry.operator_id, self.entry.bot_id) {
            (Some(id), _) => format!("actor:operator:{id}"),
            (_, Some(id)) => format!("actor:bot:{id}"),
            _ => format!("actor:{}", self.entry.triggered_by),
        }
    }

    /// The filter for what was done to the same thing; quoted, because an id can be any text.
    fn of_object(&self) -> String {
        match &self.entry.object_id {
            Some(id) => format!("object:\"{}:{id}\"", self.entry.object_type),
            None => format!("object:{}", self.entry.object_type),
        }
    }
}

/// How many bytes a character takes on a page.
fn written(char: char) -> usize {
    match char {
        '<' | '>' | '&' | '"' | '\'' => 5,
        _ => char.len_utf8(),
    }
}

/// A value as text, cut to so many bytes of the page.
fn short(value: Value, bytes: usize) -> String {
    let text = match value {
        Value::String(text) if text.is_empty() => "“”".to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    let mut left = bytes;
    let fits = |(_, char): &(usize, char)| {
        let fits = written(*char) <= left;
        left = left.saturating_sub(written(*char));
        !fits
    };
    match text.char_indices().find(fits) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    rows: Vec<Row>,
    next: Option<String>,
    faults: Faults,
}

impl ListPage {
    /// The chips of the filter: a name, and what they filter by.
    fn chips(&self) -> Vec<(&'static str, String)> {
        let own = self.shell.visitor.actor.operator();
        let own = own.map_or(String::new(), |id| format!("actor:operator:{id}"));
        vec![
            ("All", String::new()),
            ("Mine", own),
            ("Last day", "since:<1d".to_owned()),
            ("By bots", "actor:bot".to_owned()),
            ("By the clock", "actor:scheduler".to_owned()),
            ("Operators", "action:operator".to_owned()),
            ("Tokens", "action:token".to_owned()),
        ]
    }
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(mut query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let filter = query.filter.clone().unwrap_or_default();
    let cursor = query.cursor.clone().unwrap_or_default();
    query.limit = Some(ENTRIES_MAX);
    let (page, faults) = Faults::of_list(listed(&app, &visitor.actor, query).await)?;
    let (mut left, mut rows) = (VALUES_BYTES_MAX, Vec::with_capacity(page.items.len()));
    for (later, entry) in (1..=page.items.len()).rev().zip(page.items) {
        let row = Row::new(entry, left / later);
        left = left.saturating_sub(row.bytes());
        rows.push(row);
    }
    console::page(&ListPage {
        shell: Shell::new("Audit", visitor),
        filter,
        cursor,
        rows,
        next: page.next,
        faults,
    })
}
