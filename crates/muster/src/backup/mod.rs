//! Backups of the embedded PostgreSQL, made by pgBackRest: full and incremental ones, and an archive of WAL in between that
//! reaches any moment since the oldest. See docs/adr/0014.
//!
//! ```text
//! DIR/            the data folder of the cluster
//!   backup.key              what opens the backups, sealed by the master key
//!   pgbackrest.conf         written anew whenever Muster starts
//!   pgbackrest.local.conf   the administrator's own settings, which go before ours
//!   drills/                 what became of each drill
//!   backup/repository/      the backups, encrypted, unless the own settings say `repo1-path`
//! ```

mod check;
mod drill;
mod error;
mod key;
mod program;
mod record;
mod restore;
pub mod schedule;
mod settings;
mod state;

use std::{path::Path, process::Stdio};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

pub use check::Checked;
pub use error::BackupError;
pub use key::{BackupKey, KEY_FILE};
use program::Program;
pub use record::{Event, Record};
pub use restore::{Recovered, Restored, Target, restore, restore_from};
use settings::Settings;
pub use settings::external;
pub use state::{State, states, worries};

use crate::{
    cluster::{Archive, Layout},
    seal::MasterKeys,
};

/// What pgBackRest calls the cluster.
const STANZA: &str = "muster";

/// How much of the database a backup copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All of it.
    Full,
    /// What has changed since the last backup, whichever that was.
    Incremental,
}

/// A backup in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// pgBackRest's name for it.
    pub label: String,
    /// The number of the repository that it is in.
    pub repository: u8,
    /// How much it copied.
    pub kind: Kind,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended. It restores any moment from here on, as far as the archive goes.
    pub ended_at: DateTime<Utc>,
    /// The size of the database then.
    pub database_bytes: u64,
    /// What it takes in the repository, compressed and encrypted, without those it builds upon.
    pub stored_bytes: u64,
    /// Whether pgBackRest met damaged pages while it copied.
    pub damaged: bool,
    /// The first segment of WAL that it needs.
    pub first_segment: String,
}

/// What there is in the repository.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// The backups, oldest first.
    pub backups: Vec<Backup>,
    /// The newest segment of WAL in the archive.
    pub archived_until: Option<String>,
}

/// The repository of a cluster's backups.
#[derive(Debug, Clone)]
pub struct Repository {
    layout: Layout,
    settings: Settings,
    key: BackupKey,
    program: Program,
}

impl Repository {
    /// Opens the repository of a data folder for the cluster that is laid out so, and writes pgBackRest's configuration.
    /// The key is made when there is none yet, neither in the data folder nor in a repository that is there already.
    ///
    /// # Errors
    /// When pgBackRest is not installed, the own settings have faults, or the key does not open.
    pub fn open(layout: &Layout, masters: &MasterKeys) -> Result<Self, BackupError> {
        let settings = Settings::of(&layout.dir)?;
        let path = layout.dir.join(KEY_FILE);
        let in_repository = settings.folder().map(|folder| folder.join(KEY_FILE));
        let key = if path.exists() {
            BackupKey::read(&path, masters)?
        } else if let Some(path) = in_repository.filter(|path| path.exists()) {
            BackupKey::read(&path, masters)?
        } else {
            BackupKey::new(masters)
        };
        key.write(&path)?;
        Self::new(layout, settings, key)
    }

    /// Opens a repository that is a folder, for a cluster that is yet to be restored.
    ///
    /// # Errors
    /// As [`Repository::open`].
    pub fn at(repository: &Path, layout: &Layout, masters: &MasterKeys) -> Result<Self, BackupError> {
        let repository =
            std::path::absolute(repository).map_err(BackupError::io("looking up", repository))?;
        let key = BackupKey::read(&repository.join(KEY_FILE), masters)?;
        Self::new(layout, Settings::in_folder(&repository), key)
    }

    fn new(layout: &Layout, settings: Settings, key: BackupKey) -> Result<Self, BackupError> {
        let program = Program::configure(layout, &settings, &key)?;
        Ok(Self {
            layout: layout.clone(),
            settings,
            key,
            program,
        })
    }

    /// The same repository, for a cluster that is to be restored elsewhere.
    fn for_restore(&self, layout: &Layout) -> Result<Self, BackupError> {
        Self::new(layout, self.settings.clone(), self.key.clone())
    }

    /// What opens it.
    pub fn key(&self) -> &BackupKey {
        &self.key
    }

    /// What the cluster is to do with its WAL.
    pub fn archive(&self) -> Archive {
        Archive::Push {
            command: self.program.archive_command(),
            environment: self.program.environment(),
        }
    }

    /// Makes the repository ready for a cluster that runs. May be done again.
    ///
    /// # Errors
    /// When it cannot be written, or belongs to another cluster.
    pub async fn prepare(&self) -> Result<(), BackupError> {
        self.program.run("stanza-create", &[], |_| ()).await?;
        self.deposit_key().await
    }

    /// Makes a backup in each repository; gives the first one's. Backups that are no longer to be kept are removed
    /// afterwards.
    ///
    /// # Errors
    /// When the cluster does not run, another backup does, or WAL is not archived. A repository that fails keeps no other
    /// from its backup.
    pub async fn run(&self, kind: Kind, mut progress: impl FnMut(f64)) -> Result<Backup, BackupError> {
        let word = match kind {
            Kind::Full => "full",
            Kind::Incremental => "incr",
        };
        let mut done = self.deposit_key().await;
        for number in self.settings.repositories() {
            let arguments = [format!("--type={word}"), format!("--repo={number}")];
            let made = self.program.run("backup", &arguments, &mut progress).await;
            done = done.and(made);
        }
        done?;
        let listing = self.list().await?;
        let first = listing.backups.iter().map(|backup| backup.repository).min();
        listing
            .backups
            .into_iter()
            .rfind(|backup| Some(backup.repository) == first)
            .ok_or_else(|| BackupError::NotUnderstood("no backup is listed after one was made".to_owned()))
    }

    /// What there is.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub async fn list(&self) -> Result<Listing, BackupError> {
        listing(&self.program.answer("info", &["--output=json"]).await?)
    }

    /// Leaves the sealed key at the top of a repository that is a folder, as the user who owns it.
    async fn deposit_key(&self) -> Result<(), BackupError> {
        let Some(folder) = self.settings.folder() else {
            return Ok(());
        };
        let path = folder.join(KEY_FILE);
        let mut put = self.layout.command(Path::new("/bin/sh"), &self.layout.dir);
        let script = r#"umask 077 && cat >"$1.new" && mv "$1.new" "$1""#;
        put.args(["-c", script, "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let failed = |error| BackupError::io("writing", &path)(error);
        let mut child = put.spawn().map_err(failed)?;
        let mut input = child.stdin.take().expect("it is piped");
        let written = input.write_all(self.key.sealed().as_bytes()).await;
        drop(input);
        let output = child.wait_with_output().await.map_err(failed)?;
        if output.status.success() {
            return written.map_err(failed);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(failed(std::io::Error::other(said)))
    }
}

/// Reads the answer of `info`.
fn listing(json: &str) -> Result<Listing, BackupError> {
    #[derive(Deserialize)]
    struct Stanza {
        name: String,
        status: Status,
        backup: Vec<Entry>,
        archive: Vec<Archived>,
    }
    #[derive(Deserialize)]
    struct Status {
        code: u32,
        message: String,
    }
    #[derive(Deserialize)]
    struct Archived {
        max: Option<String>,
    }
    #[derive(Deserialize)]
    struct Entry {
        label: String,
        #[serde(rename = "type")]
        kind: String,
        timestamp: Timestamp,
        database: Database,
        info: Info,
        archive: Needed,
        error: Option<bool>,
    }
    #[derive(Deserialize)]
    struct Needed {
        start: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Database {
        repo_key: u8,
    }
    #[derive(Deserialize)]
    struct Timestamp {
        start: i64,
        stop: i64,
    }
    #[derive(Deserialize)]
    struct Info {
        size: u64,
        repository: Stored,
    }
    #[derive(Deserialize)]
    struct Stored {
        delta: u64,
    }
    /// Nothing was made yet: no stanza, no backup.
    const EMPTY: [u32; 2] = [1, 2];

    let stanzas: Vec<Stanza> =
        serde_json::from_str(json).map_err(|error| BackupError::NotUnderstood(error.to_string()))?;
    let Some(stanza) = stanzas.into_iter().find(|stanza| stanza.name == STANZA) else {
        return Ok(Listing {
            backups: Vec::new(),
            archived_until: None,
        });
    };
    if stanza.status.code != 0 && !EMPTY.contains(&stanza.status.code) && stanza.backup.is_empty() {
        return Err(BackupError::Pgbackrest {
            command: "info",
            said: stanza.status.message,
        });
    }
    let time = |seconds| {
        DateTime::from_timestamp(seconds, 0)
            .ok_or_else(|| BackupError::NotUnderstood(format!("the time {seconds}")))
    };
    let backups = stanza.backup.into_iter().map(|entry| {
        Ok(Backup {
            label: entry.label,
            repository: entry.database.repo_key,
            kind: if entry.kind == "full" {
                Kind::Full
            } else {
                Kind::Incremental
            },
            started_at: time(entry.timestamp.start)?,
            ended_at: time(entry.timestamp.stop)?,
            database_bytes: entry.info.size,
            stored_bytes: entry.info.repository.delta,
            damaged: entry.error.unwrap_or(false),
            first_segment: entry.archive.start,
        })
    });
    Ok(Listing {
        backups: backups.collect::<Result<_, BackupError>>()?,
        archived_until: stanza.archive.into_iter().filter_map(|archive| archive.max).max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_does_not_open_is_no_empty_one() {
        let closed = r#"[{"archive":[],"backup":[],"name":"muster","status":{"code":99,"message":"other"}}]"#;
        assert!(listing(closed).is_err());
        let none = r#"[{"archive":[],"backup":[],"name":"muster","status":{"code":1,"message":"missing stanza path"}}]"#;
        assert_eq!(listing(none).expect("it is empty").backups, []);
    }
}
