//! Staging: a file is read on a thread of its own, row by row, and compared with what is stored, batch by batch.

use std::collections::{HashMap, HashSet};

use muster_wire::{
    ImportId,
    imports::{Import, ImportKind, ImportState, RowVerdict},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::{io::AsyncRead, sync::mpsc};
use tokio_util::io::SyncIoBridge;

use super::{
    drop_rows, places, raw_place,
    read::{self, Detected, Fault, Item, Note, Raw},
    set_state, shape, show,
};
use crate::{
    actor::Actor,
    app::App,
    db::Tx,
    problem::{Bug, Failure, Kind, Refusal},
    seal::{Place, TenantKeys},
};

/// Rows that are compared and stored together.
const BATCH_ROWS: usize = 1000;

/// Batches that may wait for the database while the file is read on.
const BATCHES_WAITING_MAX: usize = 2;

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
    let mut staging = Staging {
        app,
        actor,
        kind,
        id,
        tally: Tally::default(),
    };
    match staging.read(options, source).await {
        Ok((detected, notes)) => staging.end(ImportState::Staged, &detected, &notes).await,
        Err(failure) => {
            staging.give_up().await?;
            Err(failure)
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    new: i64,
    changed: i64,
    same: i64,
    rejected: i64,
}

struct Staging<'a> {
    app: &'a App,
    actor: &'a Actor,
    kind: ImportKind,
    id: i64,
    tally: Tally,
}

/// What the blocking half sends: first what the file is, then its rows.
enum Piece {
    Detected(Detected),
    Rows(Vec<Item>),
}

impl Staging<'_> {
    async fn read(
        &mut self,
        options: read::Options,
        source: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<(Detected, Vec<Note>), Failure> {
        let (pieces, mut arriving) = mpsc::channel(BATCHES_WAITING_MAX);
        let kind = shape::kind(self.kind);
        let source = SyncIoBridge::new(source);
        let reading = tokio::task::spawn_blocking(move || read_file(kind, source, &options, &pieces));
        let mut detected = None;
        while let Some(piece) = arriving.recv().await {
            match piece {
                Piece::Detected(found) => detected = Some(found),
                Piece::Rows(items) => {
                    let fields = detected.as_ref().map_or(&[][..], |d| &d.fields);
                    self.stage(items, fields).await?;
                }
            }
        }
        let notes = reading.await.map_err(Bug::new)??;
        let detected = detected.ok_or_else(|| Bug::new("a file was read without being looked at"))?;
        Ok((detected, notes))
    }

    /// Compares a batch with what is stored, and stores the comparison.
    async fn stage(&mut self, items: Vec<Item>, fields: &[String]) -> Result<(), Failure> {
        let mut tx = self.app.db.begin(self.actor).await?;
        let keys = self.app.keys.tenant(&mut tx, self.actor.tenant).await?;
        let mut rows: Vec<Staged> = items
            .into_iter()
            .map(|item| Staged::shape(item, fields))
            .collect();
        self.refuse_twice(&mut tx, &mut rows).await?;
        self.refuse_unknown_models(&mut tx, &mut rows).await?;
        self.compare(&mut tx, &keys, &mut rows).await?;
        self.number_new(&mut tx, &keys, &mut rows).await?;
        for row in &mut rows {
            row.seal_raw(&keys, self.id);
            match row.verdict {
                RowVerdict::New => self.tally.new += 1,
                RowVerdict::Changed => self.tally.changed += 1,
                RowVerdict::Same => self.tally.same += 1,
                RowVerdict::Rejected => self.tally.rejected += 1,
            }
        }
        self.store(&mut tx, &rows).await?;
        tx.commit().await
    }

    /// The first row of a key counts; the others are the same thing twice.
    async fn refuse_twice(&self, tx: &mut Tx, rows: &mut [Staged]) -> Result<(), Failure> {
        let keys: Vec<String> = rows.iter().filter_map(|row| row.key.clone()).collect();
        let earlier = sqlx::query_file!("src/imports/staged_keys.sql", self.actor.tenant.0, self.id, &keys)
            .fetch_all(&mut **tx)
            .await?;
        let mut lines: HashMap<String, i64> = earlier.into_iter().map(|row| (row.key, row.line)).collect();
        for row in rows.iter_mut() {
            let Some(key) = row.key.clone() else { continue };
            if let Some(first) = lines.get(&key) {
                let message = format!("this is in the file already, on line {first}: keep one of the two");
                row.reject(fault(self.key_column(), "twice", message));
            } else {
                lines.insert(key, row.line);
            }
        }
        Ok(())
    }

    fn key_column(&self) -> &'static str {
        match self.kind {
            ImportKind::Accounts => "username",
            ImportKind::Proxies => "host",
            ImportKind::Models => "name",
            ImportKind::Content => "image_url",
            ImportKind::Texts => "text_content",
        }
    }

    async fn refuse_unknown_models(&self, tx: &mut Tx, rows: &mut [Staged]) -> Result<(), Failure> {
        let named: HashSet<String> = rows.iter().filter_map(Staged::model).map(str::to_owned).collect();
        if named.is_empty() || self.kind == ImportKind::Models {
            return Ok(());
        }
        let named: Vec<String> = named.into_iter().collect();
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
                row.reject(fault("model", "unknown_model", message));
            }
        }
        Ok(())
    }

    /// Finds what is stored already, and what the rows change of it.
    async fn compare(&self, tx: &mut Tx, keys: &TenantKeys, rows: &mut [Staged]) -> Result<(), Failure> {
        let data: Vec<Value> = rows.iter().map(|row| Value::Object(row.data.clone())).collect();
        for stored in self.resolve(tx, &data).await? {
            let Some(row) = usize::try_from(stored.ordinal - 1)
                .ok()
                .and_then(|at| rows.get_mut(at))
            else {
                continue;
            };
            if row.verdict != RowVerdict::Rejected {
                row.compare(self.kind, keys, stored)?;
            }
        }
        Ok(())
    }

    async fn resolve(&self, tx: &mut Tx, data: &[Value]) -> Result<Vec<Stored>, Failure> {
        let tenant = self.actor.tenant.0;
        macro_rules! resolve {
            ($file:literal) => {
                sqlx::query_file_as!(Stored, $file, tenant, data)
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
        macro_rules! ids {
            ($file:literal) => {
                sqlx::query_file_scalar!($file, count)
                    .fetch_all(&mut **tx)
                    .await?
            };
        }
        let ids = match self.kind {
            ImportKind::Accounts => ids!("src/imports/ids_accounts.sql"),
            ImportKind::Proxies => ids!("src/imports/ids_proxies.sql"),
            ImportKind::Models => ids!("src/imports/ids_models.sql"),
            ImportKind::Content => ids!("src/imports/ids_content.sql"),
            ImportKind::Texts => ids!("src/imports/ids_texts.sql"),
        };
        for (row, id) in new.into_iter().zip(ids) {
            shape::with_defaults(self.kind, &mut row.data);
            row.target = Some(id);
            row.seal(self.kind, keys, id);
        }
        Ok(())
    }

    async fn store(&self, tx: &mut Tx, rows: &[Staged]) -> Result<(), Failure> {
        let column = |value: fn(&Staged) -> Option<Vec<u8>>| rows.iter().map(value).collect::<Vec<_>>();
        let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
        let verdicts: Vec<String> = rows.iter().map(|row| row.verdict.word().to_owned()).collect();
        let keys: Vec<Option<String>> = rows.iter().map(|row| row.key.clone()).collect();
        let data: Vec<Option<Value>> = rows.iter().map(Staged::stored_data).collect();
        let faults: Vec<Option<Value>> = rows.iter().map(Staged::stored_faults).collect();
        let before: Vec<Option<Value>> = rows
            .iter()
            .map(|row| row.before.clone().map(Value::Object))
            .collect();
        let targets: Vec<Option<i64>> = rows.iter().map(|row| row.target).collect();
        sqlx::query_file!(
            "src/imports/stage.sql",
            self.actor.tenant.0,
            self.id,
            &lines,
            &verdicts,
            &keys as &[Option<String>],
            &data as &[Option<Value>],
            &column(|row| row.sealed_password.clone()) as &[Option<Vec<u8>>],
            &column(|row| row.sealed_token.clone()) as &[Option<Vec<u8>>],
            &column(|row| row.sealed_raw.clone()) as &[Option<Vec<u8>>],
            &faults as &[Option<Value>],
            &before as &[Option<Value>],
            &column(|row| row.before_password.clone()) as &[Option<Vec<u8>>],
            &column(|row| row.before_token.clone()) as &[Option<Vec<u8>>],
            &targets as &[Option<i64>],
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn end(self, state: ImportState, detected: &Detected, notes: &[Note]) -> Result<Import, Failure> {
        let mut tx = self.app.db.begin(self.actor).await?;
        sqlx::query_file!(
            "src/imports/staged.sql",
            self.actor.tenant.0,
            self.id,
            state.word(),
            serde_json::to_value(detected).map_err(Bug::new)?,
            serde_json::to_value(notes).map_err(Bug::new)?,
            self.tally.new,
            self.tally.changed,
            self.tally.same,
            self.tally.rejected
        )
        .execute(&mut *tx)
        .await?;
        let import = show(&mut tx, self.actor, ImportId(self.id)).await?;
        tx.commit().await?;
        Ok(import)
    }

    /// Leaves nothing of a file that could not be read to its end but the note that it was tried.
    async fn give_up(self) -> Result<(), Failure> {
        let mut tx = self.app.db.begin(self.actor).await?;
        tx.take_your_time().await?;
        drop_rows(&mut tx, self.actor, ImportId(self.id)).await?;
        set_state(&mut tx, self.actor, ImportId(self.id), ImportState::Failed).await?;
        tx.commit().await
    }
}

/// The blocking half: reads the file and sends its rows on in batches, no faster than they are stored.
fn read_file(
    kind: read::Kind,
    source: impl std::io::Read,
    options: &read::Options,
    pieces: &mpsc::Sender<Piece>,
) -> Result<Vec<Note>, Failure> {
    let broken = |error: std::io::Error| -> Failure {
        Refusal::new(
            Kind::Malformed,
            "unreadable_file",
            format!("the file broke off: {error}"),
        )
        .into()
    };
    let mut reader = read::open(kind, source, options).map_err(|refused| {
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
    if !send(Piece::Detected(reader.detected().clone())) {
        return Ok(Vec::new());
    }
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    for item in reader.by_ref() {
        batch.push(item.map_err(broken)?);
        if batch.len() == BATCH_ROWS && !send(Piece::Rows(std::mem::take(&mut batch))) {
            return Ok(Vec::new());
        }
    }
    if !batch.is_empty() {
        send(Piece::Rows(batch));
    }
    Ok(reader.notes().to_vec())
}

fn fault(column: &str, code: &'static str, message: impl Into<String>) -> Fault {
    Fault {
        column: column.to_owned(),
        code: code.into(),
        message: message.into(),
        value: None,
    }
}

/// What is stored of a row's thing.
struct Stored {
    ordinal: i64,
    id: i64,
    fields: Value,
    password_encrypted: Option<Vec<u8>>,
    access_token_encrypted: Option<Vec<u8>>,
}

/// A row on its way into the import.
struct Staged {
    line: i64,
    verdict: RowVerdict,
    key: Option<String>,
    data: Map<String, Value>,
    password: Option<SecretString>,
    token: Option<SecretString>,
    raw: Vec<Raw>,
    faults: Vec<Fault>,
    before: Option<Map<String, Value>>,
    target: Option<i64>,
    sealed_password: Option<Vec<u8>>,
    sealed_token: Option<Vec<u8>>,
    sealed_raw: Option<Vec<u8>>,
    before_password: Option<Vec<u8>>,
    before_token: Option<Vec<u8>>,
}

impl Staged {
    fn shape(item: Item, fields: &[String]) -> Self {
        let shaped = item.row.and_then(|row| shape::shape(row, fields));
        let mut row = Self {
            line: i64::try_from(item.number).unwrap_or(i64::MAX),
            verdict: RowVerdict::New,
            key: None,
            data: Map::new(),
            password: None,
            token: None,
            raw: item.raw,
            faults: Vec::new(),
            before: None,
            target: None,
            sealed_password: None,
            sealed_token: None,
            sealed_raw: None,
            before_password: None,
            before_token: None,
        };
        match shaped {
            Ok(shaped) => {
                row.key = Some(shaped.key);
                row.data = shaped.data;
                row.password = shaped.password;
                row.token = shaped.access_token;
            }
            Err(faults) => {
                row.verdict = RowVerdict::Rejected;
                row.faults = faults;
            }
        }
        row
    }

    fn reject(&mut self, fault: Fault) {
        self.verdict = RowVerdict::Rejected;
        self.faults.push(fault);
        // So that a later row of the same thing is not taken for a second one.
        self.key = None;
    }

    fn model(&self) -> Option<&str> {
        self.data.get("model").and_then(Value::as_str)
    }

    /// Finds out what the row changes of what is stored.
    fn compare(&mut self, kind: ImportKind, keys: &TenantKeys, stored: Stored) -> Result<(), Failure> {
        self.data
            .retain(|name, value| stored.fields.get(name) != Some(value));
        let before: Map<String, Value> = self
            .data
            .keys()
            .map(|name| {
                (
                    name.clone(),
                    stored.fields.get(name).cloned().unwrap_or(Value::Null),
                )
            })
            .collect();
        let (password, token) = places(kind, stored.id);
        let changes = |new: &Option<SecretString>, old: &Option<Vec<u8>>, place: &Option<Place>| match (
            new, old, place,
        ) {
            (Some(new), Some(old), Some(place)) => {
                Ok::<_, Failure>(keys.open(place, old)?.expose_secret() != new.expose_secret())
            }
            (Some(_), None, Some(_)) => Ok(true),
            _ => Ok(false),
        };
        if !changes(&self.password, &stored.password_encrypted, &password)? {
            self.password = None;
        }
        if !changes(&self.token, &stored.access_token_encrypted, &token)? {
            self.token = None;
        }
        self.target = Some(stored.id);
        if self.data.is_empty() && self.password.is_none() && self.token.is_none() {
            self.verdict = RowVerdict::Same;
            return Ok(());
        }
        self.verdict = RowVerdict::Changed;
        self.seal(kind, keys, stored.id);
        self.before = Some(before);
        self.before_password = stored.password_encrypted;
        self.before_token = stored.access_token_encrypted;
        Ok(())
    }

    /// Seals the secrets for the place that they will be stored in.
    fn seal(&mut self, kind: ImportKind, keys: &TenantKeys, id: i64) {
        let (password, token) = places(kind, id);
        let seal =
            |secret: &Option<SecretString>, place: Option<Place>| Some(keys.seal(&place?, secret.as_ref()?));
        self.sealed_password = seal(&self.password, password);
        self.sealed_token = seal(&self.token, token);
    }

    /// Keeps the cells of a rejected row, so that it can be given back as it was.
    fn seal_raw(&mut self, keys: &TenantKeys, import: i64) {
        if self.verdict == RowVerdict::Rejected {
            let cells: Vec<&str> = self
                .raw
                .iter()
                .map(|cell| match cell {
                    Raw::Plain(text) => text.as_str(),
                    Raw::Secret(secret) => secret.expose_secret(),
                })
                .collect();
            self.sealed_raw =
                Some(keys.seal(&raw_place(import, self.line), &json!(cells).to_string().into()));
        }
    }

    fn stored_data(&self) -> Option<Value> {
        (self.verdict != RowVerdict::Rejected && self.verdict != RowVerdict::Same)
            .then(|| self.data.clone().into())
    }

    fn stored_faults(&self) -> Option<Value> {
        (!self.faults.is_empty()).then(|| json!(self.faults))
    }
}
