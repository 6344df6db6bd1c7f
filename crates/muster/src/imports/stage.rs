//! Staging: a file is read on a thread of its own, row by row, and compared with what is stored, batch by batch.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    io::Cursor,
};

use muster_wire::{
    ImportId,
    imports::{FILE_NAME_CHARS_MAX, Import, ImportKind, ImportState, RowVerdict},
};
use serde_json::{Map, Value, json};
use sqlx::types::Json;
use tokio::{io::AsyncRead, sync::mpsc, task::JoinSet};
use tokio_util::io::SyncIoBridge;
use zeroize::Zeroizing;

use super::{
    drop_rows, expect_state, file_place, lock,
    read::{self, Detected, Note},
    row::{Staged, Stored},
    shape, show, source, table,
};
use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    pictures,
    problem::{Bug, Failure, Kind, Refusal},
    seal::TenantKeys,
};

/// Rows that are compared and stored together, at most.
const BATCH_ROWS_MAX: usize = 2_000;

/// What the cells of a batch hold together, about: long rows make small batches.
const BATCH_BYTES_MAX: usize = 2 << 20;

/// Batches that are compared and stored side by side: while the database stores one, another is sealed and written down.
const BATCHES_AT_ONCE: usize = 2;

/// Batches that may wait for their turn while the file is read on.
const BATCHES_WAITING_MAX: usize = 1;

/// Rows of one file, at most. What is remembered of each, so that the same thing is found twice, takes some 20 bytes.
pub const FILE_ROWS_MAX: usize = 3_000_000;

/// The longest file that is kept, sealed, until its import is decided, so that it can be read again otherwise.
pub const FILE_KEPT_BYTES_MAX: usize = 8 << 20;

/// What is wrong with the name of a file.
pub(super) fn file_name_fault(name: &str) -> Option<muster_wire::Fault> {
    let wrong = name.chars().count() > FILE_NAME_CHARS_MAX || name.contains('\0');
    let detail = format!("a file's name has at most {FILE_NAME_CHARS_MAX} characters, and no NUL");
    wrong.then(|| muster_wire::Fault::new("file_name", "length", detail))
}

/// Begins an import; [`stage`] reads its file.
///
/// # Errors
/// Faults of the file's name; when the database fails.
pub async fn begin(
    app: &App,
    actor: &Actor,
    kind: ImportKind,
    file_name: &str,
    options: &read::Options,
) -> Result<ImportId, Failure> {
    Refusal::check(file_name_fault(file_name).into_iter().collect())?;
    let mut tx = app.db.begin(actor).await?;
    let stored_options = serde_json::to_value(options).map_err(Bug::new)?;
    let id = sqlx::query_file_scalar!(
        "src/imports/begin.sql",
        actor.tenant.0,
        kind.word(),
        file_name,
        stored_options
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ImportId(id))
}

/// Reads the file of an import that was begun and compares it with what is stored. Nothing but the import itself is stored; its
/// rows are the diff. Goes on to an end of its own when whoever asked goes away: nothing is left half read.
///
/// # Errors
/// When the file cannot be read at all: every fault of it, which the import keeps too.
pub async fn stage(
    app: &App,
    actor: &Actor,
    kind: ImportKind,
    id: ImportId,
    options: read::Options,
    source: impl AsyncRead + Send + Unpin + 'static,
) -> Result<Import, Failure> {
    let staging = Staging::new(app, actor, kind, id);
    let staged = tokio::spawn(async move {
        let mut found = Found::default();
        match staging.read(options, source, &mut found).await {
            Ok(()) => staging.end(found).await,
            Err(failure) => {
                staging.give_up(found, &failure).await?;
                Err(failure)
            }
        }
    });
    staged.await.map_err(Bug::new)?
}

/// Reads the file of an import that is not decided again, otherwise.
///
/// # Errors
/// When there is no such import, it is decided, or its file was too long to be kept; and as [`stage`].
pub async fn read_again(
    app: &App,
    actor: &Actor,
    id: ImportId,
    options: read::Options,
) -> Result<Import, Failure> {
    let mut tx = app.db.begin(actor).await?;
    tx.take_your_time().await?;
    let kind = undecided(&mut tx, actor, id).await?;
    let sealed = source(&mut tx, actor, id).await?.file_encrypted.ok_or_else(|| {
        let detail = "the file was too long to be kept: send it again, with what is to be read otherwise";
        Refusal::conflict("file_not_kept", detail)
    })?;
    let keys = app.keys.tenant(&mut tx, actor.tenant).await?;
    let file = keys.open_bytes(&file_place(id), &sealed)?;
    forget_what_was_read(&mut tx, actor, id, &options).await?;
    tx.commit().await?;
    stage(app, actor, kind, id, options, Cursor::new(file)).await
}

/// Reads the file of an import that is not decided again, otherwise, from whoever sends it again: one that was too long to be kept.
///
/// # Errors
/// When there is no such import or it is decided; and as [`stage`].
pub async fn read_sent_again(
    app: &App,
    actor: &Actor,
    id: ImportId,
    options: read::Options,
    source: impl AsyncRead + Send + Unpin + 'static,
) -> Result<Import, Failure> {
    let mut tx = app.db.begin(actor).await?;
    tx.take_your_time().await?;
    let kind = undecided(&mut tx, actor, id).await?;
    forget_what_was_read(&mut tx, actor, id, &options).await?;
    tx.commit().await?;
    stage(app, actor, kind, id, options, source).await
}

/// Locks an import that can be read again; gives its kind.
async fn undecided(tx: &mut Tx, actor: &Actor, id: ImportId) -> Result<ImportKind, Failure> {
    let import = lock(tx, actor, id).await?;
    if import.state != ImportState::Failed {
        expect_state(import.state, ImportState::Staged)?;
    }
    Ok(import.kind)
}

async fn forget_what_was_read(
    tx: &mut Tx,
    actor: &Actor,
    id: ImportId,
    options: &read::Options,
) -> Result<(), Failure> {
    drop_rows(tx, actor, id).await?;
    let stored_options = serde_json::to_value(options).map_err(Bug::new)?;
    sqlx::query_file!("src/imports/again.sql", actor.tenant.0, id.0, stored_options)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What became of a file that was read, as far as that came.
#[derive(Default)]
struct Found {
    detected: Option<Detected>,
    notes: Vec<Note>,
    tally: Tally,
    /// The file, where it is short enough to be kept.
    file: Option<Zeroizing<Vec<u8>>>,
}

/// How many rows of each verdict there are.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub new: i64,
    pub changed: i64,
    pub same: i64,
    pub rejected: i64,
}

impl Tally {
    pub fn of(rows: &[Staged]) -> Self {
        let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count() as i64;
        Self {
            new: count(RowVerdict::New),
            changed: count(RowVerdict::Changed),
            same: count(RowVerdict::Same),
            rejected: count(RowVerdict::Rejected),
        }
    }

    fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.same += other.same;
        self.rejected += other.rejected;
    }
}

#[derive(Clone)]
pub(super) struct Staging {
    app: App,
    actor: Actor,
    kind: ImportKind,
    id: i64,
}

/// What the blocking half sends: first what the file is, then its rows, last what is to be kept of it.
enum Piece {
    Detected(Detected),
    Rows(Vec<Staged>),
    File(Zeroizing<Vec<u8>>),
}

impl Staging {
    pub fn new(app: &App, actor: &Actor, kind: ImportKind, id: ImportId) -> Self {
        Self {
            app: app.clone(),
            actor: actor.clone(),
            kind,
            id: id.0,
        }
    }

    async fn read(
        &self,
        options: read::Options,
        source: impl AsyncRead + Send + Unpin + 'static,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let (pieces, mut arriving) = mpsc::channel(BATCHES_WAITING_MAX);
        let kind = self.kind;
        let source = SyncIoBridge::new(source);
        let reading = tokio::task::spawn_blocking(move || read_file(kind, source, &options, &pieces));
        let mut batches = JoinSet::new();
        let read = async {
            while let Some(piece) = arriving.recv().await {
                match piece {
                    Piece::Detected(detected) => found.detected = Some(detected),
                    Piece::File(file) => found.file = Some(file),
                    Piece::Rows(rows) => {
                        if batches.len() == BATCHES_AT_ONCE
                            && let Some(staged) = batches.join_next().await
                        {
                            found.tally.add(&staged.map_err(Bug::new)??);
                        }
                        batches.spawn(self.clone().stage(rows));
                    }
                }
            }
            while let Some(staged) = batches.join_next().await {
                found.tally.add(&staged.map_err(Bug::new)??);
            }
            // Nothing helps what was not found to be anything: it is not kept.
            found.file = found.file.take().filter(|_| found.detected.is_some());
            found.notes = reading.await.map_err(Bug::new)??;
            Ok(())
        };
        let read = read.await;
        // When one failed, the others end before their rows are dropped.
        while batches.join_next().await.is_some() {}
        read
    }

    /// Compares a batch with what is stored, and stores the comparison.
    async fn stage(self, mut rows: Vec<Staged>) -> Result<Tally, Failure> {
        // Planned for what is stored now: a plan that was made when there was little would scan all for each batch.
        let mut tx = self.app.db.begin_read(&self.actor).await?;
        self.judge(&mut tx, &mut rows).await?;
        tx.commit().await?;
        // With plans that are kept: here a foreign key is looked up for each row.
        let mut tx = self.app.db.begin(&self.actor).await?;
        self.store(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(Tally::of(&rows))
    }

    /// Compares rows with what is stored, and seals what is to be kept of them.
    pub async fn judge(&self, tx: &mut Tx, rows: &mut [Staged]) -> Result<(), Failure> {
        let keys = self.app.keys.tenant(tx, self.actor.tenant).await?;
        self.refuse_unknown_models(tx, rows).await?;
        self.refuse_unknown_pictures(tx, rows).await?;
        self.compare(tx, &keys, rows).await?;
        self.number_new(tx, &keys, rows).await?;
        for row in rows {
            row.seal_raw(&keys, self.id);
        }
        Ok(())
    }

    async fn refuse_unknown_models(&self, tx: &mut Tx, rows: &mut [Staged]) -> Result<(), Failure> {
        let named: HashSet<&str> = rows.iter().filter_map(Staged::model).collect();
        if named.is_empty() || self.kind == ImportKind::Models {
            return Ok(());
        }
        let named: Vec<String> = named.into_iter().map(str::to_owned).collect();
        let known: HashSet<String> =
            sqlx::query_file_scalar!("src/imports/model_names.sql", self.actor.tenant.0, &named)
                .fetch_all(&mut **tx)
                .await?
                .into_iter()
                .collect();
        for row in rows.iter_mut() {
            if let Some(model) = row.model()
                && !known.contains(model)
            {
                // It may be a secret that slipped into the column.
                let named = if row.may_show(model) {
                    let shown: String = model.chars().take(100).collect();
                    format!("there is no model {shown:?}")
                } else {
                    "there is no model of this name".to_owned()
                };
                let message = format!("{named}: make it first, or correct the name");
                row.reject("model", "unknown_model", message);
            }
        }
        Ok(())
    }

    async fn refuse_unknown_pictures(&self, tx: &mut Tx, rows: &mut [Staged]) -> Result<(), Failure> {
        let named = rows.iter().filter_map(Staged::picture);
        let unknown = pictures::unknown(tx, &self.actor, named).await?;
        for row in rows.iter_mut() {
            if row.picture().is_some_and(|picture| unknown.contains(picture)) {
                let message = "no such picture is kept here: upload it, or give its address on the web";
                row.reject("image_url", "unknown_picture", message.to_owned());
            }
        }
        Ok(())
    }

    /// Finds what is stored already, and what the rows change of it.
    async fn compare(&self, tx: &mut Tx, keys: &TenantKeys, rows: &mut [Staged]) -> Result<(), Failure> {
        for stored in self.resolve(tx, rows).await? {
            let row = usize::try_from(stored.ordinal - 1)
                .ok()
                .and_then(|at| rows.get_mut(at));
            if let Some(row) = row {
                row.compare(self.kind, keys, stored)?;
            }
        }
        Ok(())
    }

    async fn resolve(&self, tx: &mut Tx, rows: &[Staged]) -> Result<Vec<Stored>, Failure> {
        let tenant = self.actor.tenant.0;
        let keys: Vec<Option<&str>> = rows.iter().map(Staged::wanted).collect();
        macro_rules! resolve {
            ($file:literal) => {
                sqlx::query_file_as!(Stored, $file, tenant, &keys as &[Option<&str>])
                    .fetch_all(&mut **tx)
                    .await?
            };
        }
        Ok(match self.kind {
            ImportKind::Accounts => resolve!("src/imports/resolve_accounts.sql"),
            ImportKind::Proxies => resolve!("src/imports/resolve_proxies.sql"),
            ImportKind::Models => resolve!("src/imports/resolve_models.sql"),
            ImportKind::Content => resolve!("src/imports/resolve_content.sql"),
            ImportKind::Texts => resolve!("src/imports/resolve_texts.sql"),
        })
    }

    /// Gives new things the ids that they will have, to which their secrets are sealed.
    async fn number_new(&self, tx: &mut Tx, keys: &TenantKeys, rows: &mut [Staged]) -> Result<(), Failure> {
        let new: Vec<&mut Staged> = rows
            .iter_mut()
            .filter(|row| row.verdict == RowVerdict::New)
            .collect();
        let count = i32::try_from(new.len()).map_err(Bug::new)?;
        let ids = sqlx::query_file_scalar!("src/imports/ids.sql", table(self.kind), count)
            .fetch_all(&mut **tx)
            .await?;
        for (row, id) in new.into_iter().zip(ids) {
            shape::with_defaults(self.kind, &mut row.data);
            row.target = Some(id);
            row.seal(self.kind, keys, id);
        }
        Ok(())
    }

    /// Stores what rows were found to be.
    pub async fn store(&self, tx: &mut Tx, rows: &[Staged]) -> Result<(), Failure> {
        fn column<'r, T>(rows: &'r [Staged], value: impl Fn(&'r Staged) -> T) -> Vec<T> {
            rows.iter().map(value).collect()
        }
        sqlx::query_file!(
            "src/imports/stage.sql",
            self.actor.tenant.0,
            self.id,
            &column(rows, |row| row.line),
            &column(rows, |row| row.verdict.word()) as &[&str],
            &column(rows, |row| row.key.as_deref()) as &[Option<&str>],
            &column(rows, Staged::sets) as &[Option<Json<&Map<String, Value>>>],
            &column(rows, |row| row.sealed_password.as_deref()) as &[Option<&[u8]>],
            &column(rows, |row| row.sealed_token.as_deref()) as &[Option<&[u8]>],
            &column(rows, |row| row.sealed_raw.as_deref()) as &[Option<&[u8]>],
            &column(rows, |row| (!row.faults.is_empty()).then_some(Json(&row.faults)))
                as &[Option<Json<&Vec<read::Fault>>>],
            &column(rows, |row| row.before.as_ref().map(Json)) as &[Option<Json<&Map<String, Value>>>],
            &column(rows, |row| row.before_password.as_deref()) as &[Option<&[u8]>],
            &column(rows, |row| row.before_token.as_deref()) as &[Option<&[u8]>],
            &column(rows, |row| row.target) as &[Option<i64>],
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn end(self, found: Found) -> Result<Import, Failure> {
        let detected = found
            .detected
            .ok_or_else(|| Bug::new("a file was read without being looked at"))?;
        let mut tx = self.app.db.begin(&self.actor).await?;
        let file = self.seal(&mut tx, found.file).await?;
        sqlx::query_file!(
            "src/imports/staged.sql",
            self.actor.tenant.0,
            self.id,
            serde_json::to_value(detected).map_err(Bug::new)?,
            serde_json::to_value(found.notes).map_err(Bug::new)?,
            found.tally.new,
            found.tally.changed,
            found.tally.same,
            found.tally.rejected,
            file
        )
        .execute(&mut *tx)
        .await?;
        let import = show(&mut tx, &self.actor, ImportId(self.id)).await?;
        tx.commit().await?;
        Ok(import)
    }

    /// Leaves nothing of a file that could not be read to its end but that it was tried, what is wrong with it, and the file
    /// itself, which could be read otherwise.
    async fn give_up(self, found: Found, failure: &Failure) -> Result<(), Failure> {
        let faults = match failure.refusal() {
            Some(refusal) if refusal.faults.is_empty() => {
                vec![muster_wire::Fault::new(
                    "file",
                    refusal.code,
                    refusal.detail.clone(),
                )]
            }
            Some(refusal) => refusal.faults.clone(),
            None => Vec::new(),
        };
        let detected = match found.detected {
            Some(detected) => serde_json::to_value(detected).map_err(Bug::new)?,
            None => json!({}),
        };
        let mut tx = self.app.db.begin(&self.actor).await?;
        tx.take_your_time().await?;
        let file = self.seal(&mut tx, found.file).await?;
        drop_rows(&mut tx, &self.actor, ImportId(self.id)).await?;
        sqlx::query_file!(
            "src/imports/failed.sql",
            self.actor.tenant.0,
            self.id,
            detected,
            serde_json::to_value(faults).map_err(Bug::new)?,
            file
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    async fn seal(&self, tx: &mut Tx, file: Option<Zeroizing<Vec<u8>>>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = file else { return Ok(None) };
        let keys = self.app.keys.tenant(tx, self.actor.tenant).await?;
        Ok(Some(keys.seal_bytes(&file_place(ImportId(self.id)), &file)))
    }
}

/// A file that is read, and all of it that was read, as long as that is not too much to be kept.
struct Kept<R> {
    source: R,
    bytes: Option<Zeroizing<Vec<u8>>>,
}

impl<R: std::io::Read> std::io::Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // A file that broke off is not kept: read again, it would be taken for a shorter one.
        let count = self.source.read(buffer).inspect_err(|_| self.bytes = None)?;
        self.bytes = self
            .bytes
            .take()
            .filter(|bytes| bytes.len() + count <= FILE_KEPT_BYTES_MAX);
        if let Some(bytes) = &mut self.bytes {
            bytes.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The blocking half: reads the file, and sends on what is to be kept of it, also when it was refused.
fn read_file(
    kind: ImportKind,
    source: impl std::io::Read,
    options: &read::Options,
    pieces: &mpsc::Sender<Piece>,
) -> Result<Vec<Note>, Failure> {
    let bytes = Some(Zeroizing::default());
    let mut source = Kept { source, bytes };
    let read = read_rows(kind, &mut source, options, pieces);
    // What was refused at its beginning is taken to its end, so that all of it is kept.
    let mut buffer = vec![0; 64 << 10];
    while source.bytes.is_some() {
        if matches!(std::io::Read::read(&mut source, &mut buffer), Ok(0)) {
            break;
        }
    }
    if let Some(file) = source.bytes {
        let _receiver_is_gone = pieces.blocking_send(Piece::File(file));
    }
    read
}

/// Reads the rows of a file and sends them on in batches, no faster than they are stored.
fn read_rows(
    kind: ImportKind,
    source: impl std::io::Read,
    options: &read::Options,
    pieces: &mpsc::Sender<Piece>,
) -> Result<Vec<Note>, Failure> {
    let broken = |error: std::io::Error| -> Failure {
        let detail = format!("the file broke off: {error}");
        Refusal::new(Kind::Malformed, "unreadable_file", detail).into()
    };
    // A receiver that is gone has failed and says so itself.
    let send = |piece| pieces.blocking_send(piece).is_ok();
    let mut reader = read::open(shape::kind(kind), source, options).map_err(|refused| {
        if let Some(detected) = refused.detected {
            send(Piece::Detected(*detected));
        }
        let faults = refused
            .faults
            .iter()
            .map(|f| muster_wire::Fault::new(&*f.column, &*f.code, &*f.message))
            .collect();
        Refusal {
            code: "unreadable_file",
            ..Refusal::invalid(faults)
        }
    })?;
    let fields = reader.detected().fields.clone();
    if !send(Piece::Detected(reader.detected().clone())) {
        return Ok(Vec::new());
    }
    let mut seen = Seen::of_at_most(FILE_ROWS_MAX);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for item in reader.by_ref() {
        let mut row = Staged::read(item.map_err(broken)?, &fields);
        seen.refuse_twice(kind, &mut row)?;
        bytes += row.raw_bytes();
        batch.push(row);
        if batch.len() == BATCH_ROWS_MAX || bytes >= BATCH_BYTES_MAX {
            bytes = 0;
            if !send(Piece::Rows(std::mem::take(&mut batch))) {
                return Ok(Vec::new());
            }
        }
    }
    if !batch.is_empty() {
        send(Piece::Rows(batch));
    }
    Ok(reader.notes().to_vec())
}

/// The things that a file has named so far, by a hash under a random key, each with its first line.
struct Seen {
    lines: HashMap<u64, i64>,
    hash: RandomState,
    rows_max: usize,
}

impl Seen {
    fn of_at_most(rows_max: usize) -> Self {
        Self {
            lines: HashMap::new(),
            hash: RandomState::new(),
            rows_max,
        }
    }

    /// The first row of a thing counts; the others are the same thing twice.
    fn refuse_twice(&mut self, kind: ImportKind, row: &mut Staged) -> Result<(), Failure> {
        let Some(key) = &row.key else { return Ok(()) };
        let first = *self.lines.entry(self.hash.hash_one(key)).or_insert(row.line);
        if first != row.line {
            let message = format!("this is in the file already, on line {first}: keep one of the two");
            row.reject(key_column(kind), "twice", message);
        }
        if self.lines.len() > self.rows_max {
            let detail = format!("a file has at most {} rows: split it", self.rows_max);
            return Err(Refusal::new(Kind::Malformed, "too_many_rows", detail).into());
        }
        Ok(())
    }
}

pub(super) fn key_column(kind: ImportKind) -> &'static str {
    match kind {
        ImportKind::Accounts => "username",
        ImportKind::Proxies => "host",
        ImportKind::Models => "name",
        ImportKind::Content => "image_url",
        ImportKind::Texts => "text_content",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::read::{Item, ModelRow, Row};

    fn row(number: u64, name: &str) -> Staged {
        let row = Row::Model(Box::new(ModelRow {
            name: name.to_owned(),
            ..ModelRow::default()
        }));
        let item = Item {
            number,
            row: Ok(row),
            raw: Vec::new(),
        };
        Staged::read(item, &[])
    }

    #[test]
    fn what_is_remembered_of_a_file_is_bounded() {
        let mut seen = Seen::of_at_most(2);
        for (number, name, verdict) in [
            (2, "a", RowVerdict::New),
            (3, "b", RowVerdict::New),
            (4, "a", RowVerdict::Rejected),
        ] {
            let mut row = row(number, name);
            seen.refuse_twice(ImportKind::Models, &mut row)
                .expect("two things fit");
            assert_eq!(row.verdict, verdict, "line {number}");
        }
        assert!(
            seen.refuse_twice(ImportKind::Models, &mut row(5, "c")).is_err(),
            "a third does not"
        );
    }
}
