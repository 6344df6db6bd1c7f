//! Imports: a file is read and compared with what is stored, row by row; then all of it, or its good rows, are committed in
//! one transaction, which can be undone. Exports write the same files.

use chrono::{DateTime, Utc};
use muster_wire::{
    Fault, ImportId, Page,
    imports::{CommitRows, Import, ImportKind, ImportRow, ImportState, RowVerdict, Undone},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::types::Json;

use self::read::{Column, Detected, Dialect};
use crate::{
    actor::Actor,
    audit,
    db::Tx,
    http::Listing,
    problem::{Bug, Failure, Refusal},
    seal::{Keyring, Place, TenantKeys},
};

mod again;
pub mod api;
mod correct;
pub mod export;
pub mod pages;
pub mod read;
mod row;
mod shape;
mod shown;
mod stage;

pub use correct::correct;
use stage::file_name_fault;
pub use stage::{FILE_KEPT_BYTES_MAX, FILE_ROWS_MAX, begin, read_again, read_sent_again, stage};

/// Where things of a kind are stored.
fn table(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Accounts => "accounts",
        ImportKind::Proxies => "proxies",
        ImportKind::Models => "models",
        ImportKind::Content => "model_content",
        ImportKind::Texts => "text_pools",
    }
}

/// Where the secrets of a thing are stored.
fn places(kind: ImportKind, id: i64) -> (Option<Place>, Option<Place>) {
    let place = |column| Some(Place::new(table(kind), column, id));
    match kind {
        ImportKind::Accounts => (place("password_encrypted"), place("access_token_encrypted")),
        ImportKind::Proxies => (place("password_encrypted"), None),
        ImportKind::Models | ImportKind::Content | ImportKind::Texts => (None, None),
    }
}

fn raw_place(import: i64, line: i64) -> Place {
    Place::new("import_rows", "raw_encrypted", format!("{import}:{line}"))
}

fn file_place(import: ImportId) -> Place {
    Place::new("imports", "file_encrypted", import)
}

/// The cells of a row as they stood in its file.
fn open_raw(keys: &TenantKeys, import: ImportId, line: i64, sealed: &[u8]) -> Result<Vec<String>, Bug> {
    let text = keys.open(&raw_place(import.0, line), sealed)?;
    serde_json::from_str(text.expose_secret()).map_err(Bug::new)
}

/// Gives an import.
///
/// # Errors
/// When there is no such import.
pub async fn show(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<Import, Failure> {
    let row = sqlx::query_file_as!(ImportStored, "src/imports/show.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("import"))?;
    Ok(row.into())
}

/// How the file of an import was read, and the file where it is kept.
struct Source {
    detected: Value,
    options: Value,
    file_encrypted: Option<Vec<u8>>,
}

async fn source(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<Source, Failure> {
    sqlx::query_file_as!(Source, "src/imports/source.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("import").into())
}

/// How the file of an import was asked to be read.
///
/// # Errors
/// When there is no such import.
pub async fn options(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<read::Options, Failure> {
    let source = source(tx, actor, id).await?;
    Ok(serde_json::from_value(source.options).map_err(Bug::new)?)
}

/// An import as it is stored.
struct ImportStored {
    id: ImportId,
    kind: ImportKind,
    state: ImportState,
    file_name: String,
    detected: Value,
    notes: Value,
    faults: Json<Vec<Fault>>,
    file_kept: bool,
    new_rows: i64,
    changed_rows: i64,
    same_rows: i64,
    rejected_rows: i64,
    created_at: DateTime<Utc>,
    committed_at: Option<DateTime<Utc>>,
    undone_at: Option<DateTime<Utc>>,
}

impl From<ImportStored> for Import {
    fn from(row: ImportStored) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            file_name: row.file_name,
            detected: row.detected,
            notes: row.notes,
            faults: row.faults.0,
            file_kept: row.file_kept,
            new_rows: row.new_rows,
            changed_rows: row.changed_rows,
            same_rows: row.same_rows,
            rejected_rows: row.rejected_rows,
            created_at: row.created_at,
            committed_at: row.committed_at,
            undone_at: row.undone_at,
        }
    }
}

/// Gives imports, the newest first. Qualifiers: `kind:`, `state:`.
///
/// # Errors
/// Faults of the filter.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Import>, Failure> {
    let kind: Option<ImportKind> = listing.filter.read("kind");
    let state: Option<ImportState> = listing.filter.read("state");
    std::mem::take(&mut listing.filter)
        .finish()
        .map_err(Refusal::invalid)?;
    let rows = sqlx::query_file_as!(
        ImportStored,
        "src/imports/list.sql",
        actor.tenant.0,
        kind.map(ImportKind::word),
        state.map(ImportState::word),
        listing.after,
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = rows.into_iter().map(Import::from).collect();
    Ok(listing.page(rows, |import| import.id.0))
}

/// Gives the rows of an import, in the order of the file. Qualifier: `verdict:`. Of a rejected row it gives the cells too, but
/// none that is or may be a secret.
///
/// # Errors
/// When there is no such import; faults of the filter.
pub async fn rows(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    id: ImportId,
    mut listing: Listing,
) -> Result<Page<ImportRow>, Failure> {
    let verdict: Option<RowVerdict> = listing.filter.read("verdict");
    std::mem::take(&mut listing.filter)
        .finish()
        .map_err(Refusal::invalid)?;
    let detected = source(tx, actor, id).await?.detected;
    let stored = sqlx::query_file!(
        "src/imports/rows.sql",
        actor.tenant.0,
        id.0,
        verdict.map(RowVerdict::word),
        listing.after,
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    let keys = keys.tenant(tx, actor.tenant).await?;
    let detected: Option<Detected> = serde_json::from_value(detected).ok();
    let mut rows = Vec::with_capacity(stored.len());
    for row in stored {
        let cells = match (&row.raw_encrypted, &detected) {
            (Some(sealed), Some(detected)) => {
                let cells = open_raw(&keys, id, row.line, sealed)?;
                Some(open_cells(detected, row.faults.as_ref(), cells))
            }
            _ => None,
        };
        rows.push(ImportRow {
            line: row.line,
            verdict: row.verdict,
            // Of a row whose cells have all to be hidden, so has what they were read as.
            key: row.key.filter(|_| {
                cells
                    .as_ref()
                    .is_none_or(|cells| cells.iter().any(Option::is_some))
            }),
            data: row.data,
            before: row.before,
            sets_password: row.sets_password,
            sets_access_token: row.sets_access_token,
            faults: row.faults,
            cells,
        });
    }
    Ok(listing.page(rows, |row| row.line))
}

/// The cells that are known to hold no secret: those of columns that are read into fields that are none, and only where every
/// cell stands in its column and none of the row's faults hides its value.
fn open_cells(detected: &Detected, faults: Option<&Value>, cells: Vec<String>) -> Vec<Option<String>> {
    let columns = &detected.columns;
    let managed = matches!(
        detected.dialect,
        Dialect::Bitwarden | Dialect::Dashlane | Dialect::Lastpass
    );
    let open = |column: &Column| {
        let field = column.field.as_deref();
        !managed && field.is_some_and(|field| !detected.kind.is_secret(field))
    };
    let slipped = read::slipped(columns.len(), &cells) && !columns.iter().all(open);
    let hidden = |field: &str| {
        let faults = faults.and_then(Value::as_array);
        faults
            .into_iter()
            .flatten()
            .any(|fault| fault["column"] == field && fault["value"] == read::MASK)
    };
    let shown = |(at, cell): (usize, String)| {
        let column = columns.get(at).filter(|column| !slipped && open(column))?;
        (!hidden(column.field.as_deref()?)).then_some(cell)
    };
    cells.into_iter().enumerate().map(shown).collect()
}

/// Stores the rows of a staged import, all in this transaction.
///
/// # Errors
/// When it is not staged, when a row has faults and all were asked for, or when what it would change has changed since it was
/// compared. Nothing is stored then.
pub async fn commit(tx: &mut Tx, actor: &Actor, id: ImportId, rows: CommitRows) -> Result<Import, Failure> {
    let import = lock(tx, actor, id).await?;
    expect_state(import.state, ImportState::Staged)?;
    if rows == CommitRows::All && import.rejected_rows > 0 {
        let detail = format!(
            "{} rows have faults: mend them and import the file again, or commit the good rows",
            import.rejected_rows
        );
        return Err(Refusal::conflict("rows_rejected", detail).into());
    }
    tx.take_your_time().await?;
    tx.because(&format!("import {id}")).await?;
    let stored = store_new(tx, actor, import.kind, id).await?;
    let changed = change(tx, actor, import.kind, id, false).await?;
    if stored != import.new_rows || changed != import.changed_rows {
        let detail = "what it would change has changed since the file was compared: import it again";
        return Err(Refusal::conflict("changed_since", detail).into());
    }
    set_state(tx, actor, id, ImportState::Committed).await?;
    note(
        tx,
        actor,
        id,
        "import.commit",
        json!({"new": stored, "changed": changed}),
    )
    .await?;
    show(tx, actor, id).await
}

/// Takes a committed import back: removes what it made, and gives back the values that it changed, but leaves alone what was
/// touched since.
///
/// # Errors
/// When it is not committed.
pub async fn undo(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<Undone, Failure> {
    let import = lock(tx, actor, id).await?;
    expect_state(import.state, ImportState::Committed)?;
    tx.take_your_time().await?;
    tx.because(&format!("import {id} undone")).await?;
    let restored = change(tx, actor, import.kind, id, true).await?;
    let removed = remove(tx, actor, import.kind, id).await?;
    let kept = import.new_rows + import.changed_rows - removed - restored;
    set_state(tx, actor, id, ImportState::Undone).await?;
    note(
        tx,
        actor,
        id,
        "import.undo",
        json!({"removed": removed, "restored": restored, "kept": kept}),
    )
    .await?;
    Ok(Undone {
        import: show(tx, actor, id).await?,
        removed,
        restored,
        kept,
    })
}

/// Gives a staged import up.
///
/// # Errors
/// When it is not staged.
pub async fn discard(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<Import, Failure> {
    let import = lock(tx, actor, id).await?;
    if !matches!(
        import.state,
        ImportState::Staged | ImportState::Reading | ImportState::Failed
    ) {
        expect_state(import.state, ImportState::Staged)?;
    }
    tx.take_your_time().await?;
    drop_rows(tx, actor, id).await?;
    set_state(tx, actor, id, ImportState::Discarded).await?;
    show(tx, actor, id).await
}

struct Locked {
    kind: ImportKind,
    state: ImportState,
    new_rows: i64,
    changed_rows: i64,
    rejected_rows: i64,
}

async fn lock(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<Locked, Failure> {
    sqlx::query_file_as!(Locked, "src/imports/lock.sql", actor.tenant.0, id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("import").into())
}

fn expect_state(state: ImportState, expected: ImportState) -> Result<(), Failure> {
    if state == expected {
        return Ok(());
    }
    Err(Refusal::conflict(
        "import_state",
        format!("the import is {state}, and would have to be {expected}"),
    )
    .into())
}

async fn drop_rows(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<(), Failure> {
    sqlx::query_file!("src/imports/drop_rows.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn set_state(tx: &mut Tx, actor: &Actor, id: ImportId, state: ImportState) -> Result<(), Failure> {
    sqlx::query_file!("src/imports/set_state.sql", actor.tenant.0, id.0, state.word())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn note(tx: &mut Tx, actor: &Actor, id: ImportId, action: &str, after: Value) -> Result<(), Failure> {
    let entry = audit::Entry {
        action,
        object_type: "import",
        object_id: Some(id.to_string()),
        after: Some(after),
        ..Default::default()
    };
    audit::write(tx, actor, &[entry]).await
}

async fn store_new(tx: &mut Tx, actor: &Actor, kind: ImportKind, id: ImportId) -> Result<i64, Failure> {
    let (tenant, id, by) = (actor.tenant.0, id.0, actor.name());
    let done = match kind {
        ImportKind::Accounts => {
            sqlx::query_file!("src/imports/store_accounts.sql", tenant, id)
                .execute(&mut **tx)
                .await
        }
        ImportKind::Proxies => {
            sqlx::query_file!("src/imports/store_proxies.sql", tenant, id)
                .execute(&mut **tx)
                .await
        }
        ImportKind::Models => {
            sqlx::query_file!("src/imports/store_models.sql", tenant, id)
                .execute(&mut **tx)
                .await
        }
        ImportKind::Content => {
            sqlx::query_file!("src/imports/store_content.sql", tenant, id, by)
                .execute(&mut **tx)
                .await
        }
        ImportKind::Texts => {
            sqlx::query_file!("src/imports/store_texts.sql", tenant, id, by)
                .execute(&mut **tx)
                .await
        }
    };
    touched(done?)
}

async fn change(
    tx: &mut Tx,
    actor: &Actor,
    kind: ImportKind,
    id: ImportId,
    undo: bool,
) -> Result<i64, Failure> {
    let (tenant, id) = (actor.tenant.0, id.0);
    macro_rules! run {
        ($file:literal) => {
            sqlx::query_file!($file, tenant, id, undo)
                .execute(&mut **tx)
                .await
        };
    }
    touched(match kind {
        ImportKind::Accounts => run!("src/imports/change_accounts.sql"),
        ImportKind::Proxies => run!("src/imports/change_proxies.sql"),
        ImportKind::Models => run!("src/imports/change_models.sql"),
        ImportKind::Content => run!("src/imports/change_content.sql"),
        ImportKind::Texts => run!("src/imports/change_texts.sql"),
    }?)
}

async fn remove(tx: &mut Tx, actor: &Actor, kind: ImportKind, id: ImportId) -> Result<i64, Failure> {
    let (tenant, id) = (actor.tenant.0, id.0);
    macro_rules! run {
        ($file:literal) => {
            sqlx::query_file!($file, tenant, id)
                .execute(&mut **tx)
                .await
        };
    }
    touched(match kind {
        ImportKind::Accounts => run!("src/imports/remove_accounts.sql"),
        ImportKind::Proxies => run!("src/imports/remove_proxies.sql"),
        ImportKind::Models => run!("src/imports/remove_models.sql"),
        ImportKind::Content => run!("src/imports/remove_content.sql"),
        ImportKind::Texts => run!("src/imports/remove_texts.sql"),
    }?)
}

fn touched(done: sqlx::postgres::PgQueryResult) -> Result<i64, Failure> {
    Ok(i64::try_from(done.rows_affected()).map_err(Bug::new)?)
}
