//! Corrections: rejected rows of a staged import get other cells, and are read, checked and compared anew.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
};

use muster_wire::{
    Fault, ImportId,
    imports::{CorrectRows, Import, ImportState, ROWS_CORRECTED_MAX, RowCorrection, RowVerdict},
};
use secrecy::ExposeSecret;

use super::{
    expect_state, lock, open_raw,
    read::{self, Detected, Dialect, Item, Options, ROW_BYTES_MAX, Raw, write},
    row::Staged,
    show, source,
    stage::{Staging, Tally, key_column},
};
use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    problem::{Bug, Failure, Refusal},
};

/// Corrects rejected rows: each is then new, changed, the same, or rejected for what is still wrong with it.
///
/// # Errors
/// When there is no such import or it is not staged; when one of the rows is not rejected, or a column is not the file's: every
/// fault, and nothing is corrected.
pub async fn correct(app: &App, actor: &Actor, id: ImportId, asked: CorrectRows) -> Result<Import, Failure> {
    if !(1..=ROWS_CORRECTED_MAX).contains(&asked.rows.len()) {
        let detail = format!("one request corrects 1 to {ROWS_CORRECTED_MAX} rows");
        return Err(Refusal::invalid(vec![Fault::new("/rows", "length", detail)]).into());
    }
    let mut tx = app.db.begin(actor).await?;
    tx.take_your_time().await?;
    let import = lock(&mut tx, actor, id).await?;
    expect_state(import.state, ImportState::Staged)?;
    let source = source(&mut tx, actor, id).await?;
    let detected: Detected = serde_json::from_value(source.detected).map_err(Bug::new)?;
    let options: Options = serde_json::from_value(source.options).map_err(Bug::new)?;
    let cells = cells(app, &mut tx, actor, id, &asked).await?;
    Refusal::check(faults(&asked, &cells, &detected))?;

    let fields = detected.fields.clone();
    let mut rows: Vec<Staged> = Vec::with_capacity(asked.rows.len());
    for row in &asked.rows {
        let text = written(row, cells.get(&row.line), &detected)?;
        let item = reread(row.line, &text, &detected, &options).map_err(Bug::new)?;
        rows.push(Staged::read(item, &fields));
    }
    refuse_twice(&mut tx, actor, id, key_column(import.kind), &mut rows).await?;
    let staging = Staging::new(app, actor, import.kind, id);
    staging.judge(&mut tx, &mut rows).await?;
    let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
    sqlx::query_file!("src/imports/drop_lines.sql", actor.tenant.0, id.0, &lines)
        .execute(&mut *tx)
        .await?;
    staging.store(&mut tx, &rows).await?;
    let tally = Tally::of(&rows);
    sqlx::query_file!(
        "src/imports/recount.sql",
        actor.tenant.0,
        id.0,
        tally.new,
        tally.changed,
        tally.same
    )
    .execute(&mut *tx)
    .await?;
    let import = show(&mut tx, actor, id).await?;
    tx.commit().await?;
    Ok(import)
}

/// The cells of the rows that are asked for and rejected, by line.
async fn cells(
    app: &App,
    tx: &mut Tx,
    actor: &Actor,
    id: ImportId,
    asked: &CorrectRows,
) -> Result<HashMap<i64, Vec<String>>, Failure> {
    let lines: Vec<i64> = asked.rows.iter().map(|row| row.line).collect();
    let sealed = sqlx::query_file!("src/imports/raw.sql", actor.tenant.0, id.0, &lines)
        .fetch_all(&mut **tx)
        .await?;
    let keys = app.keys.tenant(tx, actor.tenant).await?;
    let mut cells = HashMap::new();
    for row in sealed {
        let opened = match &row.raw_encrypted {
            Some(sealed) => open_raw(&keys, id, row.line, sealed)?,
            None => Vec::new(),
        };
        cells.insert(row.line, opened);
    }
    Ok(cells)
}

fn faults(asked: &CorrectRows, cells: &HashMap<i64, Vec<String>>, detected: &Detected) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for (at, row) in asked.rows.iter().enumerate() {
        let mut fault = |name: &str, code: &str, detail: String| {
            faults.push(Fault::new(format!("/rows/{at}/{name}"), code, detail));
        };
        let Some(cells) = cells.get(&row.line) else {
            let detail = format!(
                "no rejected row begins on line {}: look at the rows again",
                row.line
            );
            fault("line", "unknown_row", detail);
            continue;
        };
        if !seen.insert(row.line) {
            fault(
                "line",
                "twice",
                format!("line {} is corrected twice: once is enough", row.line),
            );
        }
        if row.text.is_some() && !row.cells.is_empty() {
            let detail = "give cells, or the text of the whole row: both is one too many".to_owned();
            fault("cells", "cells_or_text", detail);
        }
        if cells.is_empty() && row.text.is_none() {
            let detail = "this row was too long to be kept: give the text of the whole row".to_owned();
            fault("cells", "row_not_kept", detail);
            continue;
        }
        let columns = cells.len().max(detected.columns.len());
        for (cell, corrected) in row.cells.iter().enumerate() {
            if !(1..=columns).contains(&(corrected.column as usize)) {
                let detail = format!("the row has the columns 1 to {columns}");
                fault(&format!("cells/{cell}/column"), "unknown_column", detail);
            }
        }
    }
    faults
}

/// The row as its file would have it, corrected.
fn written(row: &RowCorrection, cells: Option<&Vec<String>>, detected: &Detected) -> Result<Vec<u8>, Bug> {
    if let Some(text) = &row.text {
        return Ok(text.0.expose_secret().as_bytes().to_vec());
    }
    let mut cells = cells.cloned().unwrap_or_default();
    for corrected in &row.cells {
        let at = corrected.column as usize - 1;
        if cells.len() <= at {
            cells.resize(at + 1, String::new());
        }
        cells[at] = corrected
            .text
            .as_ref()
            .map(|text| text.0.expose_secret().to_owned())
            .unwrap_or_default();
    }
    let cells: Vec<Raw> = cells.into_iter().map(|cell| Raw::Secret(cell.into())).collect();
    let mut out = Vec::new();
    write::write_rejected_row(detected, &cells, true, &mut out).map_err(Bug::new)?;
    Ok(out)
}

/// Reads one row of a file anew.
fn reread(line: i64, text: &[u8], detected: &Detected, options: &Options) -> std::io::Result<Item> {
    let number = u64::try_from(line).unwrap_or_default();
    let brackets: (&[u8], &[u8]) = match detected.dialect {
        Dialect::WebshareJson => (b"[", b"]"),
        _ => (b"", b""),
    };
    let source = brackets.0.chain(text).chain(brackets.1);
    let mut items: Vec<Item> = read::reopen(detected.clone(), source, options)
        .take(2)
        .collect::<Result<_, _>>()?;
    let wrong = |code: &'static str, message: String| Item {
        number,
        row: Err(vec![read::Fault {
            column: "row".to_owned(),
            code: code.into(),
            message,
            value: None,
        }]),
        raw: vec![Raw::Secret(
            String::from_utf8_lossy(text).trim_end().to_owned().into(),
        )],
    };
    if text.len() > ROW_BYTES_MAX {
        return Ok(wrong(
            "row_too_long",
            format!("a row has at most {ROW_BYTES_MAX} bytes"),
        ));
    }
    Ok(match (items.pop(), items.is_empty()) {
        (None, _) => wrong(
            "row_empty",
            "there is nothing in this row: write it again".to_owned(),
        ),
        (Some(_), false) => wrong("rows_several", "these are several rows: write one".to_owned()),
        (Some(item), true) => Item { number, ..item },
    })
}

/// A row that names a thing which another one names already, of those that are corrected or of the import's good ones.
async fn refuse_twice(
    tx: &mut Tx,
    actor: &Actor,
    id: ImportId,
    column: &str,
    rows: &mut [Staged],
) -> Result<(), Failure> {
    let keys: Vec<String> = rows.iter().filter_map(|row| row.key.clone()).collect();
    let mut lines: HashMap<String, i64> =
        sqlx::query_file!("src/imports/named.sql", actor.tenant.0, id.0, &keys)
            .fetch_all(&mut **tx)
            .await?
            .into_iter()
            .map(|row| (row.key, row.line))
            .collect();
    for row in rows {
        let Some(key) = row.key.clone().filter(|_| row.verdict != RowVerdict::Rejected) else {
            continue;
        };
        match lines.get(&key) {
            Some(line) => {
                let message = format!("this is in the file already, on line {line}: keep one of the two");
                row.reject(column, "twice", message);
            }
            None => {
                lines.insert(key, row.line);
            }
        }
    }
    Ok(())
}
