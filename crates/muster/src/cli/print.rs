//! What is printed: answers on standard output, as tables or as JSON; words about them on standard error.

use std::{
    borrow::Cow,
    io::{ErrorKind, IsTerminal, Write},
};

use chrono::{DateTime, Utc};
use comfy_table::{
    Attribute, Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets::NOTHING,
};
use serde_json::Value;

use super::Exit;

/// A column of a table: its heading, and the field it shows; a dot goes into an object.
pub type Column = (&'static str, &'static str);

/// A rule under the headings.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Prints a line on standard output.
///
/// # Errors
/// When it cannot be written; a reader that has gone away ends the command without a word.
pub fn line(text: &str) -> Result<(), Exit> {
    bytes(text.as_bytes()).and_then(|()| bytes(b"\n"))
}

/// Writes to standard output.
///
/// # Errors
/// As [`line`].
pub fn bytes(bytes: &[u8]) -> Result<(), Exit> {
    std::io::stdout()
        .lock()
        .write_all(bytes)
        .map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Exit::new(0, ""),
            _ => error.into(),
        })
}

/// Prints one value as one line of JSON.
///
/// # Errors
/// As [`line`].
pub fn json(value: &Value) -> Result<(), Exit> {
    line(&value.to_string())
}

/// Prints items as a table: with a ruled heading and folded to the width on a terminal, plain and aligned elsewhere.
///
/// # Errors
/// As [`line`].
pub fn table(columns: &[Column], items: &[Value]) -> Result<(), Exit> {
    let bold = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    line(&rendered(columns, items, std::io::stdout().is_terminal(), bold))
}

fn rendered(columns: &[Column], items: &[Value], terminal: bool, bold: bool) -> String {
    let mut table = Table::new();
    if terminal {
        table
            .load_style(RULED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .enforce_styling();
    } else {
        table.load_style(NOTHING).force_no_tty();
    }
    table.set_header(columns.iter().map(|(heading, _)| {
        let cell = Cell::new(heading);
        if terminal && bold {
            cell.add_attribute(Attribute::Bold)
        } else {
            cell
        }
    }));
    table.add_rows(items.iter().map(|item| {
        columns
            .iter()
            .map(|(_, name)| cell(item, name))
            .collect::<Vec<_>>()
    }));
    for (index, (_, name)) in columns.iter().enumerate() {
        let mut values = items
            .iter()
            .map(|item| field(item, name))
            .filter(|value| !value.is_null())
            .peekable();
        let numbers = values.peek().is_some() && values.all(Value::is_number);
        if let Some(column) = table.column_mut(index) {
            column.set_padding((u16::from(terminal), 1 + u16::from(!terminal)));
            if numbers {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Prints one thing, a field a line, those of `columns` first.
///
/// # Errors
/// As [`line`].
pub fn record(columns: &[Column], item: &Value) -> Result<(), Exit> {
    let Value::Object(fields) = item else {
        return json(item);
    };
    let first = columns
        .iter()
        .map(|(_, name)| *name)
        .filter(|name| fields.contains_key(*name));
    let others = fields
        .keys()
        .map(String::as_str)
        .filter(|name| !columns.iter().any(|(_, first)| first == name));
    let mut lines = Vec::new();
    for name in first.chain(others) {
        match &fields[name] {
            Value::Object(inner) if !inner.is_empty() => {
                lines.extend(
                    inner
                        .iter()
                        .map(|(part, value)| (format!("{name}.{part}"), shown(part, value))),
                );
            }
            value => lines.push((name.to_owned(), shown(name, value))),
        }
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines
        .iter()
        .try_for_each(|(name, value)| line(format!("{name:width$}  {value}").trim_end()))
}

/// The field of an item; null when it has none.
pub fn field<'a>(item: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(item, |value, name| &value[name])
}

fn cell(item: &Value, name: &str) -> String {
    shown(name, field(item, name))
}

/// A value in words, on one line.
fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if name.ends_with("at") || name == "since" => {
            match DateTime::parse_from_rfc3339(text) {
                Ok(time) => time.with_timezone(&Utc).format("%Y-%m-%d %H:%MZ").to_string(),
                Err(_) => harmless(text).into_owned(),
            }
        }
        Value::String(text) => harmless(text).into_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => items
            .iter()
            .map(|item| shown(name, item))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Array(_) | Value::Object(_) => harmless(&value.to_string()).into_owned(),
    }
}

/// The text on one line, without what could steer a terminal.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(
            text.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[
        ("ID", "id"),
        ("NAME", "name"),
        ("KIND", "in.kind"),
        ("SEEN", "seen_at"),
    ];

    #[test]
    fn a_pipe_gets_aligned_columns_and_nothing_else() {
        let items = [
            json!({"id": 7, "name": "ana\u{1b}[31m", "in": {"kind": "a"}, "seen_at": "2026-11-24T09:05:06.123Z"}),
            json!({"id": 1200, "name": "Bo\nTwo", "in": null, "seen_at": null}),
        ];
        insta::assert_snapshot!(rendered(COLUMNS, &items, false, true), @r"
          ID  NAME      KIND  SEEN
           7  ana [31m  a     2026-11-24 09:05Z
        1200  Bo Two
        ");
    }

    #[test]
    fn a_terminal_gets_a_rule_and_bold_headings_where_it_may() {
        let items = [json!({"id": 1, "name": "ana"})];
        let (bold, plain) = (
            rendered(COLUMNS, &items, true, true),
            rendered(COLUMNS, &items, true, false),
        );
        assert!(bold.contains("\u{1b}[1m"), "{bold}");
        assert!(!plain.contains('\u{1b}') && plain.contains('─'), "{plain}");
    }
}
