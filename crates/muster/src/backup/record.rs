//! What became of backups and drills, written down where the server, the doctor and the figures see it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions, Connection};

use super::{Backup, BackupError, Kind, Repository};
use crate::cluster;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A full backup.
    Full,
    /// An incremental one.
    Incremental,
    /// A drill.
    Drill,
}

impl Event {
    /// Its word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Drill => "drill",
        }
    }
}

impl From<Kind> for Event {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Full => Self::Full,
            Kind::Incremental => Self::Incremental,
        }
    }
}

/// A backup or a drill, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// What was done.
    pub event: Event,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// The backup that was made, or restored.
    pub label: Option<String>,
    /// What a backup takes in the repository; the size of the database that a drill restored.
    pub bytes: Option<i64>,
    /// When the last transaction that a restored database had was committed.
    pub recovery_point: Option<DateTime<Utc>>,
    /// From the first file until the restored database could serve.
    pub recovery_ms: Option<i64>,
    /// Why it is not good; nothing, when it is.
    pub faults: Vec<String>,
}

impl Record {
    pub(super) fn begin(event: Event) -> Self {
        let now = Utc::now();
        Self {
            event,
            started_at: now,
            ended_at: now,
            label: None,
            bytes: None,
            recovery_point: None,
            recovery_ms: None,
            faults: Vec::new(),
        }
    }

    /// Whether it is as it should be.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Repository {
    /// Makes a backup as [`Repository::run`] does, and writes down what became of it.
    ///
    /// # Errors
    /// As [`Repository::run`]; or when what was done cannot be written down.
    pub async fn run_recorded(&self, kind: Kind, progress: impl FnMut(f64)) -> Result<Backup, BackupError> {
        let mut record = Record::begin(kind.into());
        let done = self.run(kind, progress).await;
        match &done {
            Ok(made) => {
                record.label = Some(made.label.clone());
                record.bytes = i64::try_from(made.stored_bytes).ok();
                if made.damaged {
                    record
                        .faults
                        .push("pages of the database are damaged; see the log of PostgreSQL".to_owned());
                }
            }
            Err(error) => record.faults.push(error.to_string()),
        }
        let written = self.write_down(record).await;
        let made = done?;
        written?;
        Ok(made)
    }

    /// Writes down what became of a backup or a drill; gives it with the time at which it ended.
    pub(super) async fn write_down(&self, mut record: Record) -> Result<Record, BackupError> {
        record.ended_at = Utc::now();
        let mut live = self
            .layout
            .url(cluster::SUPERUSER, cluster::DATABASE)
            .connect()
            .await?;
        sqlx::query_file!(
            "src/backup/record.sql",
            record.event.word(),
            record.started_at,
            record.ended_at,
            record.is_good(),
            record.label,
            record.bytes,
            record.recovery_point,
            record.recovery_ms,
            &record.faults,
        )
        .execute(&mut live)
        .await?;
        live.close().await?;
        Ok(record)
    }
}
