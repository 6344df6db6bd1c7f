//! Exports: everything of a kind, in the form that imports again unchanged. Secrets are left out unless they are asked for.

use bytes::Bytes;
use futures_util::{Stream, stream};
use muster_wire::{ImportId, imports::ImportKind};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    note, open_raw, places,
    read::{Detected, Dialect, Raw, write},
    shape, source,
};
use crate::{
    actor::Actor,
    app::App,
    audit,
    problem::{Bug, Failure, Refusal},
    seal::{Place, TenantKeys},
};

/// Rows that are read and written together.
const PAGE_ROWS: i64 = 1000;

/// Writes everything of a kind, page by page as it is consumed. Each page is what was stored when it was read.
///
/// # Errors
/// When the database fails. With secrets, that they are handed out is in the audit log before the first one is.
pub async fn export(
    app: App,
    actor: Actor,
    kind: ImportKind,
    secrets: bool,
) -> Result<impl Stream<Item = Result<Bytes, Failure>>, Failure> {
    if secrets {
        let mut tx = app.db.begin(&actor).await?;
        let after = json!({"kind": kind.word()});
        let entry = audit::Entry {
            action: "secrets.export",
            object_type: "export",
            after: Some(after),
            ..Default::default()
        };
        audit::write(&mut tx, &actor, &[entry]).await?;
        tx.commit().await?;
    }
    let mut header = Vec::new();
    write::write_header(shape::kind(kind), &mut header).map_err(Bug::new)?;
    Ok(stream::try_unfold(Some((0, header)), move |state| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let Some((after, mut out)) = state else {
                return Ok::<_, Failure>(None);
            };
            let last = page(&app, &actor, kind, secrets, after, &mut out).await?;
            Ok(Some((Bytes::from(out), last.map(|id| (id, Vec::new())))))
        }
    }))
}

struct Exported {
    id: i64,
    fields: Value,
    password_encrypted: Option<Vec<u8>>,
    access_token_encrypted: Option<Vec<u8>>,
}

/// Writes the next page; gives the last id of it, or none when it was the last page.
async fn page(
    app: &App,
    actor: &Actor,
    kind: ImportKind,
    secrets: bool,
    after: i64,
    out: &mut Vec<u8>,
) -> Result<Option<i64>, Failure> {
    let mut tx = app.db.begin(actor).await?;
    let tenant = actor.tenant.0;
    macro_rules! read {
        ($file:literal) => {
            sqlx::query_file_as!(Exported, $file, tenant, after, PAGE_ROWS)
                .fetch_all(&mut *tx)
                .await?
        };
    }
    let rows = match kind {
        ImportKind::Accounts => read!("src/imports/export_accounts.sql"),
        ImportKind::Proxies => read!("src/imports/export_proxies.sql"),
        ImportKind::Models => read!("src/imports/export_models.sql"),
        ImportKind::Content => read!("src/imports/export_content.sql"),
        ImportKind::Texts => read!("src/imports/export_texts.sql"),
    };
    let keys = app.keys.tenant(&mut tx, actor.tenant).await?;
    tx.commit().await?;
    let last = rows
        .last()
        .map(|row| row.id)
        .filter(|_| rows.len() as i64 == PAGE_ROWS);
    for row in rows {
        let (password, token) = places(kind, row.id);
        let password = opened(&keys, secrets, password, row.password_encrypted)?;
        let token = opened(&keys, secrets, token, row.access_token_encrypted)?;
        let row = shape::row(kind, &row.fields, password, token).map_err(Bug::new)?;
        write::write_row(&row, out).map_err(Bug::new)?;
    }
    Ok(last)
}

fn opened(
    keys: &TenantKeys,
    secrets: bool,
    place: Option<Place>,
    sealed: Option<Vec<u8>>,
) -> Result<Option<SecretString>, Bug> {
    match (place, sealed) {
        (Some(place), Some(sealed)) if secrets => keys.open(&place, &sealed).map(Some),
        _ => Ok(None),
    }
}

/// Writes the rejected rows of an import, into a file of this name, as they stood in the file, to be mended and imported again, page by page as they are
/// consumed. They hold what the sender sent, secrets too, so that it is in the audit log before the first one is.
///
/// # Errors
/// When there is no such import, or its file could not be read.
pub async fn rejected(
    app: App,
    actor: Actor,
    id: ImportId,
) -> Result<(String, impl Stream<Item = Result<Bytes, Failure>>), Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let detected = source(&mut tx, &actor, id).await?.detected;
    note(&mut tx, &actor, id, "import.rejected", json!({})).await?;
    tx.commit().await?;
    let detected: Detected = serde_json::from_value(detected).map_err(|_| {
        Refusal::conflict(
            "import_state",
            "the import's file could not be read, so it has no rows",
        )
    })?;
    let ending = match detected.dialect {
        Dialect::WebshareJson => "json",
        Dialect::ProxyLines => "txt",
        _ => "csv",
    };
    let name = format!("import-{id}-refused.{ending}");
    let mut header = Vec::new();
    write::write_rejected_header(&detected, &mut header).map_err(Bug::new)?;
    let file = stream::try_unfold(Some((0, true, header)), move |state| {
        let (app, actor, detected) = (app.clone(), actor.clone(), detected.clone());
        async move {
            let Some((after, first, mut out)) = state else {
                return Ok::<_, Failure>(None);
            };
            let last = rejected_page(&app, &actor, id, &detected, (after, first), &mut out).await?;
            if last.is_none() {
                write::write_rejected_end(&detected, &mut out).map_err(Bug::new)?;
            }
            Ok(Some((
                Bytes::from(out),
                last.map(|(line, first)| (line, first, Vec::new())),
            )))
        }
    });
    Ok((name, file))
}

/// Writes the next page of rejected rows, after a line, and whether none was written before; gives the same for the page after
/// it, or none when there are no more.
async fn rejected_page(
    app: &App,
    actor: &Actor,
    id: ImportId,
    detected: &Detected,
    (after, mut first): (i64, bool),
    out: &mut Vec<u8>,
) -> Result<Option<(i64, bool)>, Failure> {
    let mut tx = app.db.begin(actor).await?;
    let keys = app.keys.tenant(&mut tx, actor.tenant).await?;
    let rows = sqlx::query_file!("src/imports/rejected.sql", actor.tenant.0, id.0, after, PAGE_ROWS)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    let last = rows.last().map(|row| row.line);
    for row in rows {
        let Some(sealed) = row.raw_encrypted else { continue };
        let cells = open_raw(&keys, id, row.line, &sealed)?;
        let cells: Vec<Raw> = cells.into_iter().map(|cell| Raw::Secret(cell.into())).collect();
        write::write_rejected_row(detected, &cells, first, out).map_err(Bug::new)?;
        first = false;
    }
    Ok(last.map(|line| (line, first)))
}
