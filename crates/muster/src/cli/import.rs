//! Imports and exports: a file as a diff that is shown, then stored; and everything of a kind as a file.

use std::{
    fs::Permissions,
    io::{IsTerminal, Write},
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use futures_util::TryStreamExt;
use muster_client::{Body, Client, ClientError, Download};
use muster_wire::{
    Page,
    imports::{Commit, CommitRows, Import as Imported, ImportKind, ImportRow, ImportState, Undone},
};
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

use super::{
    Exit,
    entities::{entity, json_or_text},
    print::{self, Column},
    remote::{Remote, Shown, confirm, copy, progress},
};

/// Rejected rows whose faults are shown.
const REJECTED_SHOWN: &str = "20";

/// The code of a file with faults.
const FAULTS_CODE: u8 = 5;

/// Bytes that are read from the file together.
const READ_BYTES: usize = 64 << 10;

const COUNTS: &[Column] = &[
    ("NEW", "new_rows"),
    ("CHANGED", "changed_rows"),
    ("SAME", "same_rows"),
    ("REJECTED", "rejected_rows"),
];

const FAULTS: &[Column] = &[
    ("LINE", "line"),
    ("COLUMN", "column"),
    ("VALUE", "value"),
    ("WHAT IS WRONG, AND WHAT TO DO", "message"),
];

const UNDONE: &[Column] = &[("REMOVED", "removed"), ("RESTORED", "restored"), ("KEPT", "kept")];

const BAR: &str = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
const SPINNER: &str = "{spinner} {bytes}, {bytes_per_sec} {msg}";

/// Compare a file with what is stored, show the difference, and store it.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub struct Import {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    file: Option<File>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Take a committed import back, but for what was touched since.
    Undo {
        /// The import.
        id: i64,
    },
    /// List the imports that were made.
    List(Shown),
}

#[derive(Debug, Args)]
struct File {
    /// What the file holds: accounts, proxies, models, content or texts.
    kind: ImportKind,

    /// The file; - is standard input.
    file: PathBuf,

    /// Only show the difference.
    #[arg(long)]
    dry_run: bool,

    /// Store the good rows even when others have faults.
    #[arg(long)]
    good_rows: bool,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    /// Write the rows with faults into this file, to be mended and imported again.
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,

    /// How to read the file where the detection is wrong, or what it lacks: delimiter=; default_model=Northside
    /// date_order=day_first 'mapping={"Handle":"username"}'.
    #[arg(long, value_name = "KEY=VALUE")]
    option: Vec<String>,
}

/// Write everything of a kind as CSV that imports again unchanged.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    remote: Remote,

    /// What: accounts, proxies, models, content or texts.
    kind: ImportKind,

    /// With the secrets in the clear: for owners only, and written down.
    #[arg(long)]
    secrets: bool,

    /// Into this file; with secrets, one that only its owner can read.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl Import {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        match (self.verb, self.file) {
            (Some(Verb::Undo { id }), _) => {
                let undone: Undone = self
                    .remote
                    .client()?
                    .post(&format!("/v1/imports/{id}/undo"), &json!({}))
                    .await?;
                self.remote.items(UNDONE, &[serde_json::to_value(undone)?])
            }
            (Some(Verb::List(shown)), _) => {
                let imports = entity("imports").expect("it is one of the entities");
                self.remote.list(imports.path, imports.columns, &shown).await
            }
            (None, Some(file)) => file.import(&self.remote).await,
            (None, None) => Err(Exit::new(2, "say what to import")),
        }
    }
}

impl File {
    async fn import(&self, remote: &Remote) -> Result<(), Exit> {
        let client = remote.client()?;
        let staged = self.upload(&client).await?;
        let id = staged.id;
        self.tell(remote, &client, &staged).await?;
        if let (Some(path), true) = (&self.rejected, staged.rejected_rows > 0) {
            let download = client
                .download(&format!("/v1/imports/{id}/rejected"), &[])
                .await?;
            // The rows stand there as they were sent, secrets too.
            write_to(download, Some(path), true).await?;
            remote.say(&format!("The rows with faults are in {}.", path.display()))?;
        }
        let decided = self.decide(&staged);
        let (Ok(Some(rows)), false) = (&decided, self.dry_run) else {
            client.delete(&format!("/v1/imports/{id}")).await?;
            if self.dry_run {
                remote.say("Nothing was stored: this was a dry run.")?;
            } else if decided.is_ok() {
                remote.say("There is nothing to store.")?;
            }
            return self.end(remote, &client, &staged, decided.map(drop)).await;
        };
        let bar = progress(None, "{spinner} storing ({elapsed})");
        let committed: Imported = client
            .post(&format!("/v1/imports/{id}/commit"), &Commit { rows: *rows })
            .await?;
        bar.finish_and_clear();
        let stored = committed.new_rows + committed.changed_rows;
        remote.say(&format!(
            "{stored} rows are stored. `muster import undo {id}` takes them back."
        ))?;
        if remote.json {
            print::json(&serde_json::to_value(committed)?)
        } else {
            Ok(())
        }
    }

    /// Ends an import of which nothing is stored.
    async fn end(
        &self,
        remote: &Remote,
        client: &Client,
        staged: &Imported,
        end: Result<(), Exit>,
    ) -> Result<(), Exit> {
        if remote.json {
            let left: Value = client.get(&format!("/v1/imports/{}", staged.id), &[]).await?;
            print::json(&left)?;
        }
        match end {
            Ok(()) if self.dry_run && staged.rejected_rows > 0 => Err(faulty(staged)),
            end => end,
        }
    }

    /// Which rows are to be stored; none when there is nothing to store.
    fn decide(&self, staged: &Imported) -> Result<Option<CommitRows>, Exit> {
        let store = staged.new_rows + staged.changed_rows;
        if self.dry_run {
            return Ok(None);
        }
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if staged.rejected_rows > 0 && !self.good_rows && (!terminal || self.yes) {
            return Err(faulty(staged).hint("mend them, or give --good-rows to store the others"));
        }
        if store == 0 {
            return Ok(None);
        }
        let rows = if staged.rejected_rows > 0 {
            CommitRows::Good
        } else {
            CommitRows::All
        };
        if terminal {
            let which = if rows == CommitRows::Good {
                "good rows"
            } else {
                "rows"
            };
            confirm(&format!("Store these {store} {which}?"), self.yes)?;
        }
        Ok(Some(rows))
    }

    async fn upload(&self, client: &Client) -> Result<Imported, Exit> {
        let options = options(&self.option)?.to_string();
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let query = [
            ("kind", self.kind.word()),
            ("file_name", &name),
            ("options", &options),
        ];
        let cannot = |error| Exit::new(2, format!("{} cannot be read: {error}", self.file.display()));
        let (file, length) = self.open().map_err(cannot)?;
        let bar = progress(length, if length.is_some() { BAR } else { SPINNER });
        let counted = ReaderStream::with_capacity(file, READ_BYTES).inspect_ok({
            let bar = bar.clone();
            move |bytes| bar.inc(bytes.len() as u64)
        });
        let sent: Result<Imported, ClientError> = client
            .upload("/v1/imports", &query, Body::wrap_stream(counted))
            .await;
        bar.finish_and_clear();
        let imported = sent?;
        match imported.state {
            ImportState::Staged => Ok(imported),
            state => Err(Exit::new(
                1,
                format!("import {} is {state}: it cannot be stored", imported.id),
            )),
        }
    }

    /// The file, and its length where that is known.
    fn open(&self) -> std::io::Result<(tokio::fs::File, Option<u64>)> {
        if self.file == Path::new("-") {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
            return Ok((std::fs::File::from(stdin).into(), None));
        }
        let file = std::fs::File::open(&self.file)?;
        let length = file.metadata()?.len();
        Ok((file.into(), Some(length)))
    }

    /// Says what the file was found to be, how it differs from what is stored, and the first of its faults.
    async fn tell(&self, remote: &Remote, client: &Client, staged: &Imported) -> Result<(), Exit> {
        remote.say(&print::harmless(
            staged.detected["summary"].as_str().unwrap_or_default(),
        ))?;
        for note in staged.notes.as_array().into_iter().flatten() {
            let place = match (note["number"].as_u64(), note["count"].as_u64()) {
                (Some(line), Some(count)) if count > 1 => format!(" ({count} times, first on line {line})"),
                (Some(line), _) => format!(" (line {line})"),
                _ => String::new(),
            };
            remote.say(&format!(
                "note: {}{place}",
                print::harmless(note["message"].as_str().unwrap_or_default())
            ))?;
        }
        if remote.json {
            return Ok(());
        }
        print::line("")?;
        print::table(COUNTS, &[serde_json::to_value(staged)?])?;
        if staged.rejected_rows == 0 {
            return Ok(());
        }
        let query = [("filter", "verdict:rejected"), ("limit", REJECTED_SHOWN)];
        let page: Page<ImportRow> = client
            .get(&format!("/v1/imports/{}/rows", staged.id), &query)
            .await?;
        let faults: Vec<Value> = page.items.iter().flat_map(faults).collect();
        print::line("")?;
        print::table(FAULTS, &faults)?;
        if page.next.is_some() {
            print::line(&format!(
                "... of {} rows with faults; --rejected FILE writes them all",
                staged.rejected_rows
            ))?;
        }
        print::line("")
    }
}

/// How a file is to be read, of options that are written as KEY=VALUE.
///
/// # Errors
/// The first that is not.
pub fn options(given: &[String]) -> Result<Value, Exit> {
    let mut options = Map::new();
    for option in given {
        let (key, value) = option
            .split_once('=')
            .ok_or_else(|| Exit::new(2, format!("{option:?} is not understood: write KEY=VALUE")))?;
        options.insert(key.to_owned(), json_or_text(value));
    }
    Ok(Value::Object(options))
}

/// The faults of a row, each with the row's line.
fn faults(row: &ImportRow) -> Vec<Value> {
    let faults = row.faults.as_ref().and_then(Value::as_array);
    let faults = faults.into_iter().flatten().cloned();
    faults
        .map(|mut fault| {
            fault["line"] = json!(row.line);
            fault
        })
        .collect()
}

fn faulty(staged: &Imported) -> Exit {
    Exit::new(
        FAULTS_CODE,
        format!("{} rows have faults; nothing was stored", staged.rejected_rows),
    )
}

impl Export {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        let query: &[(&str, &str)] = if self.secrets { &[("secrets", "true")] } else { &[] };
        let download = self
            .remote
            .client()?
            .download(&format!("/v1/exports/{}", self.kind), query)
            .await?;
        write_to(download, self.output.as_deref(), self.secrets).await
    }
}

/// Writes a download to standard output, or to a file that is there only when all of it has come. A private file is one that
/// only its owner can read.
///
/// # Errors
/// When the connection breaks, or the file cannot be written.
pub async fn write_to(download: Download, path: Option<&Path>, private: bool) -> Result<(), Exit> {
    let Some(path) = path else {
        let done = copy(download, print::bytes).await.map(drop);
        std::io::stdout().flush()?;
        return done;
    };
    let cannot = |error| Exit::new(1, format!("{} cannot be written: {error}", path.display()));
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mode = Permissions::from_mode(if private { 0o600 } else { 0o666 });
    let mut file = tempfile::Builder::new()
        .permissions(mode)
        .tempfile_in(folder)
        .map_err(cannot)?;
    let bar = progress(None, SPINNER);
    let count = copy(download, |bytes| {
        bar.inc(bytes.len() as u64);
        file.write_all(bytes).map_err(cannot)
    })
    .await?;
    bar.finish_and_clear();
    file.persist(path).map_err(|error| cannot(error.error))?;
    eprintln!("{count} bytes are in {}.", path.display());
    Ok(())
}
