//! Writes the files that Muster exports, and the rejected rows of a file in that file's own shape.
//!
//! The output is UTF-8 without a byte order mark. Cells that a spreadsheet would run as a formula get a leading quote,
//! which the reader takes off again, so that nothing is lost on the way out and back.

use std::borrow::Cow;
use std::io::{self, Write};

use secrecy::{ExposeSecret, SecretString};

use super::rows::{AccountRow, ModelRow, NO_STEPS, ProxyRow, Row};
use super::{Detected, Dialect, Kind, Raw, dates};

const DELIMITER: char = ',';

/// Writes the header of an export.
///
/// # Errors
/// Those of `out`.
pub fn write_header(kind: Kind, out: &mut impl Write) -> io::Result<()> {
    write_cells(out, DELIMITER, kind.columns())
}

/// Writes a row of an export, under the header of its kind. Secrets that the row holds are written in the clear: leave
/// them out of the row unless an owner asked for them.
///
/// # Errors
/// Those of `out`.
pub fn write_row(row: &Row, out: &mut impl Write) -> io::Result<()> {
    let cells = record(row);
    write_cells(out, DELIMITER, cells.iter().map(String::as_str))
}

/// Writes what must stand before the rejected rows of a file: its own header, if it had one.
///
/// # Errors
/// Those of `out`.
pub fn write_rejected_header(detected: &Detected, out: &mut impl Write) -> io::Result<()> {
    match detected.dialect {
        Dialect::WebshareJson => out.write_all(b"[\n"),
        _ if detected.header_line.is_some() => write_cells(
            out,
            delimiter(detected),
            detected.columns.iter().map(|column| column.header.as_str()),
        ),
        _ => Ok(()),
    }
}

/// Writes a rejected row as it stood in its file, secrets included, so that it can be mended there and imported again.
/// `first` says that no row was written before. A row without cells (one that was too long) is left out.
///
/// # Errors
/// Those of `out`.
pub fn write_rejected_row(
    detected: &Detected,
    raw: &[Raw],
    first: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let cells = raw.iter().map(Raw::expose);
    match detected.dialect {
        _ if raw.is_empty() => Ok(()),
        Dialect::WebshareJson => {
            out.write_all(if first { b"" } else { b",\n" })?;
            cells
                .into_iter()
                .try_for_each(|object| out.write_all(object.as_bytes()))
        }
        Dialect::ProxyLines => cells.into_iter().try_for_each(|line| writeln!(out, "{line}")),
        _ => write_cells(out, delimiter(detected), cells),
    }
}

/// Writes what must stand after the rejected rows.
///
/// # Errors
/// Those of `out`.
pub fn write_rejected_end(detected: &Detected, out: &mut impl Write) -> io::Result<()> {
    if detected.dialect == Dialect::WebshareJson {
        out.write_all(b"\n]\n")
    } else {
        Ok(())
    }
}

fn delimiter(detected: &Detected) -> char {
    detected.delimiter.unwrap_or(DELIMITER)
}

/// Writes a line of any CSV: commas between cells, those with commas, quotes or line breaks quoted, formulas guarded.
///
/// # Errors
/// Those of `out`.
pub fn write_line<'a>(cells: impl Iterator<Item = &'a str>, out: &mut impl Write) -> io::Result<()> {
    write_cells(out, DELIMITER, cells)
}

fn write_cells<'a>(
    out: &mut impl Write,
    delimiter: char,
    cells: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let mut line = String::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            line.push(delimiter);
        }
        let cell = guarded(cell);
        if cell.contains([delimiter, '"', '\r', '\n']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn starts_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// `cell` with a leading quote where a spreadsheet would take it for a formula, or the reader would take a quote off.
fn guarded(cell: &str) -> Cow<'_, str> {
    if starts_formula(cell.trim_start_matches('\'')) {
        format!("'{cell}").into()
    } else {
        cell.into()
    }
}

/// A cell as it was before it was guarded; `="0306703"`, the trick that keeps leading zeros, is resolved too.
pub(super) fn unguarded(mut cell: String) -> String {
    if cell.starts_with('\'') && starts_formula(cell.trim_start_matches('\'')) {
        cell.remove(0);
        return cell;
    }
    let inner = cell
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('"'));
    match inner {
        Some(inner) => inner.to_owned(),
        None => cell,
    }
}

/// The cells of a row in the order of its kind's columns.
pub(super) fn record(row: &Row) -> Vec<String> {
    match row {
        Row::Account(account) => account_record(account),
        Row::Proxy(proxy) => proxy_record(proxy),
        Row::Model(model) => model_record(model),
        Row::Content(content) => vec![
            content.model.clone(),
            content.content_type.clone(),
            content.image_url.clone(),
            optional(&content.text_content),
            optional(&content.is_template),
            optional(&content.order_priority),
        ],
        Row::Text(text) => vec![
            text.model.clone(),
            text.content_type.clone(),
            text.text_content.clone(),
            optional(&text.is_template),
        ],
    }
}

fn optional(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn exposed(secret: &Option<SecretString>) -> String {
    secret
        .as_ref()
        .map(|secret| secret.expose_secret().to_owned())
        .unwrap_or_default()
}

fn account_record(account: &AccountRow) -> Vec<String> {
    vec![
        account.username.clone(),
        account.email.clone(),
        optional(&account.model),
        optional(&account.status),
        optional(&account.authorisation_basis),
        optional(&account.authorisation_reference),
        account
            .authorisation_expires_at
            .map(dates::write_instant)
            .unwrap_or_default(),
        exposed(&account.password),
        exposed(&account.access_token),
        optional(&account.bio),
        optional(&account.profile_picture_url),
        optional(&account.location_city),
        optional(&account.location_campus),
        optional(&account.location_niche),
        optional(&account.birthday),
        optional(&account.device_info),
        optional(&account.content_type),
        optional(&account.lifecycle_state),
    ]
}

fn proxy_record(proxy: &ProxyRow) -> Vec<String> {
    vec![
        proxy.scheme.clone(),
        proxy.host.clone(),
        proxy.port.to_string(),
        optional(&proxy.username),
        exposed(&proxy.password),
        optional(&proxy.exit_ip),
        optional(&proxy.provider),
        optional(&proxy.location),
        proxy
            .monthly_cost
            .map(|cost| format!("{cost:.2}"))
            .unwrap_or_default(),
        optional(&proxy.status),
        optional(&proxy.model),
        optional(&proxy.max_accounts),
    ]
}

fn model_record(model: &ModelRow) -> Vec<String> {
    let steps = model.people_steps.as_ref().map(|steps| match steps.as_slice() {
        [] => NO_STEPS.to_owned(),
        steps => steps
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(";"),
    });
    vec![
        model.name.clone(),
        optional(&model.description),
        optional(&model.status),
        optional(&model.unfollow_ratio),
        optional(&model.daily_follow_limit),
        optional(&model.posting_schedule),
        optional(&steps),
    ]
}
