//! Rows of an import as its page shows them: what a good one would change, and what is wrong with a refused one and where it
//! can be mended.

use muster_wire::imports::{ImportRow, RowVerdict};
use serde_json::Value;

use super::read::{Column, Detected, MASK};
use crate::console::ui;

/// Characters that are shown of a value, of a row's name, and of a column's.
pub(super) const VALUE_CHARS_MAX: usize = 60;
pub(super) const NAME_CHARS_MAX: usize = 100;
pub(super) const HEADER_CHARS_MAX: usize = 40;

/// Cells by which a refused row can be told, at most.
const SAID_MAX: usize = 3;

/// The longest cell that can be mended in place; a longer one is kept, or written anew.
pub(super) const CELL_CHARS_MAX: usize = 500;

/// A field as people say it.
pub(super) fn field_name(field: &str) -> String {
    field.replace('_', " ")
}

/// About how many bytes a text takes on a page.
pub(super) fn written_bytes(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if matches!(c, '<' | '>' | '&' | '"' | '\'') {
                5
            } else {
                c.len_utf8()
            }
        })
        .sum()
}

/// A row that is good, as the diff shows it.
pub(super) struct DiffRow {
    pub line: i64,
    pub name: String,
    pub changes: Vec<Change>,
    /// Fields for which there is no room.
    pub more: usize,
}

pub(super) struct Change {
    pub field: String,
    pub before: Option<String>,
    pub after: String,
}

/// A row that was refused, with what is wrong and where it can be mended.
pub(super) struct MendedRow {
    pub line: i64,
    /// What it says elsewhere, so that it can be told.
    pub says: Vec<(String, String)>,
    pub faults: Vec<String>,
    pub cells: Vec<MendedCell>,
    /// Whether only the whole row can be written anew.
    pub whole: bool,
}

pub(super) struct MendedCell {
    pub column: usize,
    pub label: String,
    pub secret: bool,
    /// What it says; none where it is or may be a secret, or is too long.
    pub text: Option<String>,
    pub faults: Vec<String>,
}

/// What stands in a value of the diff.
pub(super) fn said(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Object(object) if object.is_empty() => "none".to_owned(),
        other => other.to_string(),
    };
    ui::clip(&text, VALUE_CHARS_MAX)
}

impl DiffRow {
    pub fn read(row: &ImportRow, left: &mut usize) -> Self {
        let key = row.key.as_deref().unwrap_or_default();
        // Things without a name of their own are told apart by a list.
        let name = match serde_json::from_str::<Vec<Value>>(key) {
            Ok(parts) => parts
                .iter()
                .filter(|part| !part.is_null())
                .map(said)
                .collect::<Vec<_>>()
                .join(" · "),
            Err(_) => key.to_owned(),
        };
        let mut shown = Self {
            line: row.line,
            name: ui::clip(&name, NAME_CHARS_MAX),
            changes: Vec::new(),
            more: 0,
        };
        let mut all: Vec<Change> = Vec::new();
        for (field, value) in row.data.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let before = row.before.as_ref().and_then(|before| before.get(field));
            if before.is_none() && (value.is_null() || key == value.as_str().unwrap_or_default()) {
                continue;
            }
            all.push(Change {
                field: field_name(field),
                before: before.map(said),
                after: said(value),
            });
        }
        for (sets, field) in [
            (row.sets_password, "password"),
            (row.sets_access_token, "access token"),
        ] {
            if sets {
                all.push(Change {
                    field: field.to_owned(),
                    before: None,
                    after: if row.verdict == RowVerdict::New {
                        "given, not shown"
                    } else {
                        "another, not shown"
                    }
                    .to_owned(),
                });
            }
        }
        for change in all {
            let bytes = 60 + written_bytes(&change.after) + change.before.as_deref().map_or(0, written_bytes);
            if bytes > *left {
                shown.more += 1;
                continue;
            }
            *left -= bytes;
            shown.changes.push(change);
        }
        shown
    }
}

impl MendedRow {
    pub fn read(row: &ImportRow, detected: &Detected) -> Self {
        let faults: Vec<&Value> = row
            .faults
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        let cells = row.cells.as_deref().unwrap_or_default();
        let message = |fault: &Value| fault["message"].as_str().unwrap_or_default().to_owned();
        let quoted = |fault: &Value| {
            let message = message(fault);
            match fault["value"].as_str() {
                Some(value) if value != MASK && !value.is_empty() => {
                    format!("“{}” {message}", ui::clip(value, VALUE_CHARS_MAX))
                }
                _ => message,
            }
        };
        let of = |column: &Column, fault: &Value| {
            let name = fault["column"].as_str().unwrap_or_default();
            column.field.as_deref() == Some(name) || (column.field.is_none() && column.header == name)
        };
        let mut mended = Self {
            line: row.line,
            says: Vec::new(),
            faults: Vec::new(),
            cells: Vec::new(),
            whole: false,
        };
        for column in &detected.columns {
            let cell = cells.get(column.number - 1).and_then(Option::as_deref);
            let shown = cell.filter(|cell| cell.chars().count() <= CELL_CHARS_MAX);
            // What stands in the field needs no saying again.
            let wrong: Vec<String> = faults
                .iter()
                .filter(|fault| of(column, fault))
                .map(|fault| {
                    if shown.is_some() {
                        message(fault)
                    } else {
                        quoted(fault)
                    }
                })
                .collect();
            let label = column_name(column);
            if wrong.is_empty() {
                if let Some(cell) = cell.filter(|cell| !cell.trim().is_empty())
                    && mended.says.len() < SAID_MAX
                {
                    mended.says.push((label, ui::clip(cell, VALUE_CHARS_MAX)));
                }
                continue;
            }
            let field = column.field.as_deref();
            mended.cells.push(MendedCell {
                column: column.number,
                label,
                secret: field.is_none_or(|field| detected.kind.is_secret(field)),
                text: shown
                    .map(str::to_owned)
                    .or_else(|| (cells.len() < column.number && !cells.is_empty()).then(String::new)),
                faults: wrong,
            });
        }
        mended.faults = faults
            .iter()
            .filter(|fault| !detected.columns.iter().any(|column| of(column, fault)))
            .map(|fault| quoted(fault))
            .collect();
        mended.whole = cells.is_empty()
            || detected.columns.is_empty()
            || faults.iter().any(|fault| fault["column"] == "row");
        if mended.whole {
            for cell in std::mem::take(&mut mended.cells) {
                mended.faults.extend(cell.faults);
            }
        }
        mended
    }

    /// About how many bytes it takes on the page.
    pub fn bytes(&self) -> usize {
        let cells = self.cells.iter().map(|cell| {
            let faults: usize = cell.faults.iter().map(|fault| 150 + written_bytes(fault)).sum();
            450 + faults + cell.text.as_deref().map_or(0, written_bytes) + written_bytes(&cell.label)
        });
        let says = self
            .says
            .iter()
            .map(|(name, text)| 40 + written_bytes(name) + written_bytes(text));
        let faults = self.faults.iter().map(|fault| 150 + written_bytes(fault));
        let whole = if self.whole { 1_500 } else { 0 };
        400 + whole + cells.sum::<usize>() + says.sum::<usize>() + faults.sum::<usize>()
    }
}

pub(super) fn column_name(column: &Column) -> String {
    match (&column.field, column.header.as_str()) {
        (_, "") => format!("column {}", column.number),
        (_, header) => ui::clip(header, HEADER_CHARS_MAX),
    }
}
