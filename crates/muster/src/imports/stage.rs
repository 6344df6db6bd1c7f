//! Staging: a file is read on a thread of its own, row by row, and compared with what is stored, batch by batch.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use muster_wire::{
    ImportId,
    imports::{Import, ImportKind, ImportState, RowVerdict},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use tokio::{io::AsyncRead, sync::mpsc, task::JoinSet};
use tokio_util::io::SyncIoBridge;

use super::{
    drop_rows,
    read::{self, Detected, Note},
    row::{Staged, Stored},
    set_state, shape, show, table,
};
use crate::{
    actor::Actor,
    app::App,
    db::Tx,
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
const FILE_ROWS_MAX: usize = 3_000_000;

/// Reads a file and compares it with what is stored. Nothing but the import itself is stored; its rows are the diff.
///
/// # Errors
/// When the file cannot be read at all: every fault of it. Nothing is left of it then.
pub async fn stage(
    app: &App,
    actor: &Actor,
    kind: ImportKind,
    file_name: &str,
    options: read::Options,
    source: impl AsyncRead + Send + Unpin + 'static,
) -> Result<Import, Failure> {
    let mut tx = app.db.begin(actor).await?;
    let stored_options = serde_json::to_value(&options).map_err(Bug::new)?;
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
    let staging = Staging {
        app: app.clone(),
        actor: actor.clone(),
        kind,
        id,
    };
    match staging.read(options, source).await {
        Ok((tally, detected, notes)) => staging.end(&tally, &detected, &notes).await,
        Err(failure) => {
            staging.give_up().await?;
            Err(failure)
        }
    }
}

/// How many rows of each verdict there are.
#[derive(Debug, Default)]
struct Tally {
    new: i64,
    changed: i64,
    same: i64,
    rejected: i64,
}

impl Tally {
    fn of(rows: &[Staged]) -> Self {
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
struct Staging {
    app: App,
    actor: Actor,
    kind: ImportKind,
    id: i64,
}

/// What the blocking half sends: first what the file is, then its rows.
enum Piece {
    Detected(Detected),
    Rows(Vec<Staged>),
}

impl Staging {
    async fn read(
        &self,
        options: read::Options,
        source: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(Tally, Detected, Vec<Note>), Failure> {
        let (pieces, mut arriving) = mpsc::channel(BATCHES_WAITING_MAX);
        let kind = self.kind;
        let source = SyncIoBridge::new(source);
        let reading = tokio::task::spawn_blocking(move || read_file(kind, source, &options, &pieces));
        let mut batches = JoinSet::new();
        let read = async {
            let (mut detected, mut tally) = (None, Tally::default());
            while let Some(piece) = arriving.recv().await {
                match piece {
                    Piece::Detected(found) => detected = Some(found),
                    Piece::Rows(rows) => {
                        if batches.len() == BATCHES_AT_ONCE
                            && let Some(staged) = batches.join_next().await
                        {
                            tally.add(&staged.map_err(Bug::new)??);
                        }
                        batches.spawn(self.clone().stage(rows));
                    }
                }
            }
            while let Some(staged) = batches.join_next().await {
                tally.add(&staged.map_err(Bug::new)??);
            }
            let notes = reading.await.map_err(Bug::new)??;
            let detected = detected.ok_or_else(|| Bug::new("a file was read without being looked at"))?;
            Ok((tally, detected, notes))
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
        let keys = self.app.keys.tenant(&mut tx, self.actor.tenant).await?;
        self.refuse_unknown_models(&mut tx, &mut rows).await?;
        self.compare(&mut tx, &keys, &mut rows).await?;
        self.number_new(&mut tx, &keys, &mut rows).await?;
        tx.commit().await?;
        for row in &mut rows {
            row.seal_raw(&keys, self.id);
        }
        // With plans that are kept: here a foreign key is looked up for each row.
        let mut tx = self.app.db.begin(&self.actor).await?;
        self.store(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(Tally::of(&rows))
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
                let shown: String = model.chars().take(100).collect();
                let message = format!("there is no model {shown:?}: make it first, or correct the name");
                row.reject("model", "unknown_model", message);
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

    async fn store(&self, tx: &mut Tx, rows: &[Staged]) -> Result<(), Failure> {
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

    async fn end(self, tally: &Tally, detected: &Detected, notes: &[Note]) -> Result<Import, Failure> {
        let mut tx = self.app.db.begin(&self.actor).await?;
        sqlx::query_file!(
            "src/imports/staged.sql",
            self.actor.tenant.0,
            self.id,
            serde_json::to_value(detected).map_err(Bug::new)?,
            serde_json::to_value(notes).map_err(Bug::new)?,
            tally.new,
            tally.changed,
            tally.same,
            tally.rejected
        )
        .execute(&mut *tx)
        .await?;
        let import = show(&mut tx, &self.actor, ImportId(self.id)).await?;
        tx.commit().await?;
        Ok(import)
    }

    /// Leaves nothing of a file that could not be read to its end but the note that it was tried.
    async fn give_up(self) -> Result<(), Failure> {
        let mut tx = self.app.db.begin(&self.actor).await?;
        tx.take_your_time().await?;
        drop_rows(&mut tx, &self.actor, ImportId(self.id)).await?;
        set_state(&mut tx, &self.actor, ImportId(self.id), ImportState::Failed).await?;
        tx.commit().await
    }
}

/// The blocking half: reads the file and sends its rows on in batches, no faster than they are stored.
fn read_file(
    kind: ImportKind,
    source: impl std::io::Read,
    options: &read::Options,
    pieces: &mpsc::Sender<Piece>,
) -> Result<Vec<Note>, Failure> {
    let broken = |error: std::io::Error| -> Failure {
        let detail = format!("the file broke off: {error}");
        Refusal::new(Kind::Malformed, "unreadable_file", detail).into()
    };
    let mut reader = read::open(shape::kind(kind), source, options).map_err(|refused| {
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
    // A receiver that is gone has failed and says so itself.
    let send = |piece| pieces.blocking_send(piece).is_ok();
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

fn key_column(kind: ImportKind) -> &'static str {
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
