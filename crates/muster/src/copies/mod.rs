//! Copies of a tenant: everything that it cannot make again, row by row in one encrypted file, which restores into an empty
//! tenant of another server. A second form beside the backups of the whole database, for the day when those are no use.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use muster_wire::TenantId;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgExecutor, postgres::PgConnectOptions};
use tokio::sync::mpsc;

pub use self::file::Header;
use crate::{
    actor::Actor,
    app::App,
    audit::{self, Entry},
    keys,
    problem::{Bug, Failure},
    schema,
    seal::{self, Keyring, MasterKeyError, MasterKeys, TenantKeys, WrappedKey},
};

mod file;
mod kept;

/// How many rows are put back by one statement.
const BATCH_ROWS: usize = 1_000;

/// How much of rows is put back by one statement: beyond it no more rows are added.
const BATCH_BYTES: usize = 4 << 20;

/// Pieces that wait between the database and the file, so that neither waits for each row of the other.
const PIECES_WAITING: usize = 4;

/// Rows that are written together.
const PIECE_BYTES: usize = 256 * 1024;

/// The rows that say with which keys the copy's secrets are sealed, as they are called in the file.
const KEYS: &str = "tenant_keys";

/// What a copy holds.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// The name of the tenant that it is of.
    pub tenant: String,
    /// The moment that it holds.
    pub taken_at: DateTime<Utc>,
    /// Its rows.
    pub rows: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// Why a copy was not made or not restored. Nothing is half done then.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no such tenant.
    #[error("there is no tenant {0}")]
    NoTenant(String),
    /// It is not empty.
    #[error(
        "tenant {0} is not empty: make a new one for the copy with `muster create-tenant`, and restore into that"
    )]
    NotEmpty(String),
    /// The database is not of the version that the copy is from.
    #[error(
        "the copy is from a database of migration {theirs}, and this one is of {ours}: restore it with the version of Muster that \
         made it, into a database of that version, and upgrade then"
    )]
    Version {
        /// That of the copy.
        theirs: i64,
        /// That of the database.
        ours: i64,
    },
    /// It is no copy, or one that was altered or cut.
    #[error("this is no copy of a tenant, or it is damaged: take another one")]
    Form,
    /// Its key does not open.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The file cannot be written or read.
    #[error("the file of the copy cannot be written or read: {0}")]
    Io(io::Error),
    /// Something else went wrong.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What decryption and decompression say of bytes that were altered or cut.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                Self::Form
            }
            _ => Self::Io(error),
        }
    }
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Bug> for CopyError {
    fn from(bug: Bug) -> Self {
        Self::Failed(bug.into())
    }
}

/// Writes a copy of the tenant of this name, as the schema's owner. The file appears when it is whole, and only its owner may
/// read it; one that has the name already is replaced.
///
/// # Errors
/// When there is no such tenant, the file cannot be written, or the database fails.
pub async fn make(
    owner_role: &PgConnectOptions,
    master: &MasterKeys,
    name: &str,
    path: &Path,
) -> Result<Copied, CopyError> {
    let mut db = PgConnection::connect_with(owner_role).await?;
    let mut tx = db.begin().await?;
    let tenant = act_in(&mut tx, name).await?;
    let copied = write(&mut *tx, master, tenant, name, path).await?;
    record(&mut tx, tenant, "copy.make", &copied).await?;
    tx.commit().await?;
    db.close().await?;
    Ok(copied)
}

/// Writes this hour's copy of the tenant into a folder of its own, `DIR/TENANT`, unless it is there; and removes older ones that
/// are not kept. Says whether one was written.
///
/// # Errors
/// When it cannot be written, or the database fails.
pub async fn keep(app: &App, dir: &Path, tenant: TenantId) -> Result<bool, CopyError> {
    let dir = dir.join(tenant.to_string());
    let now = Utc::now();
    let path = dir.join(kept::name(now));
    if path.exists() {
        return Ok(false);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    let mut tx = app.db.begin_snapshot(&Actor::scheduler(tenant)).await?;
    let name = sqlx::query_file_scalar!("src/copies/tenant_name.sql", tenant.0)
        .fetch_one(&mut *tx)
        .await?;
    write(&mut *tx, &app.keys.master(), tenant, &name, &path).await?;
    kept::forget(&dir, now)?;
    Ok(true)
}

async fn record(
    tx: &mut PgConnection,
    tenant: TenantId,
    action: &'static str,
    copied: &Copied,
) -> Result<(), CopyError> {
    let entry = Entry {
        action,
        object_type: "tenant",
        object_id: Some(tenant.to_string()),
        after: Some(json!({"rows": copied.rows, "tenant": copied.tenant, "taken_at": copied.taken_at})),
        ..Entry::default()
    };
    Ok(audit::write_as_owner(tx, &Actor::system(tenant), &[entry]).await?)
}

/// Writes a copy of the tenant that the transaction sees.
async fn write<C>(
    db: &mut C,
    master: &MasterKeys,
    tenant: TenantId,
    name: &str,
    path: &Path,
) -> Result<Copied, CopyError>
where
    for<'c> &'c mut C: PgExecutor<'c>,
{
    let at = sqlx::query_file_scalar!("src/copies/moment.sql")
        .fetch_one(&mut *db)
        .await?;
    let version = schema::version(&mut *db).await?.unwrap_or_default();
    let header = Header::new(master, name.to_owned(), tenant, at, version);
    let (pieces, written) = mpsc::channel::<Vec<u8>>(PIECES_WAITING);
    let writing = {
        let (header, master, path) = (header.clone(), master.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || write_file(&path, &header, &master, written))
    };
    let mut rows = 0;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let mut stream = sqlx::query_file!("src/copies/rows.sql", tenant.0).fetch(db);
    let mut whole = true;
    while let Some(row) = stream.try_next().await? {
        rows += 1;
        for part in [row.kind.as_str(), "\t", &row.line, "\n"] {
            piece.extend_from_slice(part.as_bytes());
        }
        if piece.len() >= PIECE_BYTES {
            let next = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            // The file says why it takes no more.
            if pieces.send(next).await.is_err() {
                whole = false;
                break;
            }
        }
    }
    if whole && pieces.send(piece).await.is_ok() {
        // Nothing says that it is whole: without this the file is dropped unfinished.
        let _ = pieces.send(Vec::new()).await;
    }
    drop(pieces);
    let bytes = writing.await.map_err(Bug::new)??;
    Ok(Copied {
        tenant: header.tenant,
        taken_at: header.taken_at,
        rows,
        bytes,
    })
}

/// Writes the file of the pieces; an empty one ends it. Where the pieces end without, nothing is left.
fn write_file(
    path: &Path,
    header: &Header,
    master: &MasterKeys,
    mut pieces: mpsc::Receiver<Vec<u8>>,
) -> Result<u64, CopyError> {
    let beside = Unfinished(path.with_extension("unfinished"));
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside.0)?;
    let mut copy = file::Writer::begin(BufWriter::new(file), header, master)?;
    loop {
        let piece = pieces
            .blocking_recv()
            .ok_or_else(|| Bug::new("a copy was not finished"))?;
        if piece.is_empty() {
            break;
        }
        copy.write_all(&piece)?;
    }
    let file = copy
        .finish()?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    fs::rename(&beside.0, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(bytes)
}

/// A file that is removed unless it was renamed.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Says what a copy is, without opening it.
///
/// # Errors
/// When it cannot be read, or is no copy.
pub fn header(path: &Path) -> Result<Header, CopyError> {
    Ok(file::header(&mut BufReader::new(File::open(path)?))?.0)
}

/// Puts a copy into the empty tenant of this name, as the schema's owner, all of it or nothing. `sealed_by` are the master keys
/// of the server that made it. Its secrets are sealed anew by the keys of the tenant. Nobody else changes accounts, proxies,
/// models or content of this server meanwhile: they wait.
///
/// People, their tokens, and what was under way (imports, batches) are not in a copy.
///
/// # Errors
/// When there is no such tenant or it is not empty, the copy does not open or is of another version, or the database fails.
pub async fn restore(
    owner_role: &PgConnectOptions,
    keyring: &Keyring,
    sealed_by: &MasterKeys,
    path: &Path,
    name: &str,
) -> Result<Copied, CopyError> {
    let mut file = BufReader::new(File::open(path)?);
    let bytes = file.get_ref().metadata()?.len();
    let header = file::header(&mut file)?;
    let lines = file::content(file, &header, sealed_by)?;
    let mut db = PgConnection::connect_with(owner_role).await?;
    let mut tx = db.begin().await?;
    let tenant = act_in(&mut tx, name).await?;
    let ours = schema::version(&mut *tx).await?.unwrap_or_default();
    if ours != header.0.schema {
        return Err(CopyError::Version {
            theirs: header.0.schema,
            ours,
        });
    }
    let empty = sqlx::query_file_scalar!("src/copies/is_empty.sql", tenant.0);
    if !empty.fetch_one(&mut *tx).await? {
        return Err(CopyError::NotEmpty(name.to_owned()));
    }
    sqlx::query_file!("src/copies/begin_restore.sql", tenant.0)
        .execute(&mut *tx)
        .await?;
    let new_keys = keyring.tenant_as_owner(&mut tx, tenant).await?;
    let (batches, mut read) = mpsc::channel(PIECES_WAITING);
    let reading = tokio::task::spawn_blocking(move || read_batches(BufReader::new(lines), &batches));
    let (mut rows, mut old_keys) = (0, None);
    while let Some(Batch {
        kind,
        rows: mut batch,
    }) = read.recv().await
    {
        rows += batch.len() as u64;
        if kind == KEYS {
            let wrapped: Option<Vec<WrappedKey>> = batch.iter().map(wrapped_key).collect();
            let wrapped = wrapped.ok_or(CopyError::Form)?;
            old_keys = Some(TenantKeys::unwrap(sealed_by, header.0.tenant_id, &wrapped)?);
            continue;
        }
        seal_anew(
            &kind,
            &mut batch,
            old_keys.as_ref().ok_or(CopyError::Form)?,
            &new_keys,
        )?;
        sqlx::query_file!("src/copies/restore_rows.sql", tenant.0, kind, Value::Array(batch))
            .execute(&mut *tx)
            .await?;
    }
    reading.await.map_err(Bug::new)??;
    sqlx::query_file!("src/copies/finish_restore.sql", tenant.0)
        .execute(&mut *tx)
        .await?;
    let restored = Copied {
        tenant: header.0.tenant,
        taken_at: header.0.taken_at,
        rows,
        bytes,
    };
    record(&mut tx, tenant, "copy.restore", &restored).await?;
    tx.commit().await?;
    db.close().await?;
    Ok(restored)
}

/// Has the transaction see the tenant of this name; gives which that is.
async fn act_in(tx: &mut PgConnection, name: &str) -> Result<TenantId, CopyError> {
    let tenant = sqlx::query_file_scalar!("src/copies/tenant_named.sql", name)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| CopyError::NoTenant(name.to_owned()))?;
    keys::act_in(tx, tenant).await?;
    Ok(tenant)
}

/// Rows of one table.
struct Batch {
    kind: String,
    rows: Vec<Value>,
}

/// Reads the lines of a copy until nobody takes more of them.
fn read_batches(lines: impl BufRead, batches: &mpsc::Sender<Batch>) -> Result<(), CopyError> {
    let mut batch = Batch {
        kind: String::new(),
        rows: Vec::new(),
    };
    let mut bytes = 0;
    for line in lines.lines() {
        let line = line?;
        let (kind, row) = line.split_once('\t').ok_or(CopyError::Form)?;
        if kind != batch.kind || batch.rows.len() == BATCH_ROWS || bytes > BATCH_BYTES {
            let next = Batch {
                kind: kind.to_owned(),
                rows: Vec::new(),
            };
            let full = std::mem::replace(&mut batch, next);
            bytes = 0;
            if !full.rows.is_empty() && batches.blocking_send(full).is_err() {
                return Ok(());
            }
        }
        bytes += row.len();
        batch
            .rows
            .push(serde_json::from_str(row).map_err(|_| CopyError::Form)?);
    }
    // Nobody takes it only where the rest failed, which says so.
    let _ = batches.blocking_send(batch);
    Ok(())
}

/// Bytes as PostgreSQL writes them in JSON.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    seal::unhex(value.as_str()?.strip_prefix("\\x")?)
}

fn wrapped_key(row: &Value) -> Option<WrappedKey> {
    Some(WrappedKey {
        version: row["version"].as_i64()?.try_into().ok()?,
        wrapped: bytes(&row["wrapped"])?,
        master_key_id: row["master_key_id"].as_str()?.to_owned(),
    })
}

/// Seals by the new keys what the old ones seal in these rows.
fn seal_anew(table: &str, rows: &mut [Value], old: &TenantKeys, new: &TenantKeys) -> Result<(), CopyError> {
    for (column, place) in keys::sealed_columns(table) {
        for row in &mut *rows {
            if row[column].is_null() {
                continue;
            }
            let place = place(row).ok_or(CopyError::Form)?;
            let secret = old.open_bytes(&place, &bytes(&row[column]).ok_or(CopyError::Form)?)?;
            row[column] = format!("\\x{}", seal::hex(&new.seal_bytes(&place, &secret))).into();
        }
    }
    Ok(())
}
