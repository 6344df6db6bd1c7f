//! Restoring: files from a backup, then WAL from the archive up to what was asked for.

use std::{path::Path, time::Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sqlx::{ConnectOptions, Connection};

use super::{BackupError, KEY_FILE, Repository, drill::mark};
use crate::{
    cluster::{self, Archive, Cluster, ClusterError, Folder, Settings},
    seal::MasterKeys,
};

/// Up to where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// As far as the archive goes.
    Latest,
    /// What was committed by this time.
    Time(DateTime<Utc>),
    /// What was committed before this restore point was made with `pg_create_restore_point`.
    Name(String),
}

/// A database that was restored and replayed. It runs, and archives nothing.
#[derive(Debug)]
pub struct Recovered {
    /// The cluster.
    pub cluster: Cluster,
    /// When the last transaction that it has was committed; none when nothing was replayed that came after the backup.
    pub recovery_point: Option<DateTime<Utc>>,
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// The new data folder, ready for `muster up`.
    pub into: String,
    /// When the last transaction that it has was committed.
    pub recovery_point: Option<DateTime<Utc>>,
    /// From the first file to the moment when it could have served.
    pub milliseconds: u64,
}

/// Restores from the repository of a data folder into a new one, with every key that it needs.
///
/// # Errors
/// Each with its cure. The new folder is then not to be used, and refused by `muster up`.
pub async fn restore(
    from: &Repository,
    into: &Path,
    target: &Target,
    progress: impl FnMut(f64),
) -> Result<Restored, BackupError> {
    let folder = hold_new(into).await?;
    let repository = from.for_restore(&folder)?;
    // Where the live database runs, what it has is archived first. Often it is what was lost.
    let live = from.layout.url(cluster::SUPERUSER, cluster::DATABASE);
    if let Ok(mut live) = live.connect().await {
        if let Err(error) = mark(&mut live).await {
            tracing::warn!(%error, "what the live database wrote last is not in the archive");
        }
        live.close().await?;
    }
    finish(&repository, folder, target, progress).await
}

/// Restores from a repository that is a folder, for when the data folder is lost: the repository and the master key are
/// enough.
///
/// # Errors
/// As [`restore`].
pub async fn restore_from(
    repository: &Path,
    masters: &MasterKeys,
    into: &Path,
    target: &Target,
    progress: impl FnMut(f64),
) -> Result<Restored, BackupError> {
    let folder = hold_new(into).await?;
    let repository = Repository::at(repository, &folder, masters)?;
    finish(&repository, folder, target, progress).await
}

async fn finish(
    repository: &Repository,
    folder: Folder,
    target: &Target,
    progress: impl FnMut(f64),
) -> Result<Restored, BackupError> {
    let begun = Instant::now();
    let dir = folder.dir.clone();
    let recovered = repository.recover(folder, target, progress).await?;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    recovered.cluster.stop().await?;
    repository.key.masters().write_new(&dir.join("master.key"))?;
    repository.key.write(&dir.join(KEY_FILE))?;
    Ok(Restored {
        into: dir.display().to_string(),
        recovery_point: recovered.recovery_point,
        milliseconds,
    })
}

/// Takes hold of a folder that has no database.
pub(super) async fn hold_new(dir: &Path) -> Result<Folder, BackupError> {
    let folder = Cluster::hold(dir).await?;
    if folder.data.exists() {
        return Err(BackupError::Occupied {
            dir: folder.dir.clone(),
        });
    }
    Ok(folder)
}

impl Repository {
    /// Restores into the folder for which this repository was opened, and replays the archive up to the target. The archive
    /// itself is only read.
    ///
    /// # Errors
    /// [`BackupError::Replay`] when WAL does not lead there; [`BackupError::Pgbackrest`] when a file is damaged or missing.
    pub(super) async fn recover(
        &self,
        folder: Folder,
        target: &Target,
        progress: impl FnMut(f64),
    ) -> Result<Recovered, BackupError> {
        folder.create_private("pg")?;
        let arguments = match target {
            Target::Latest => Vec::new(),
            Target::Time(time) => {
                let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
                let time = time.replace('T', " ").replace('Z', "+00");
                vec![
                    "--type=time".to_owned(),
                    format!("--target={time}"),
                    "--target-action=promote".to_owned(),
                ]
            }
            Target::Name(name) => vec![
                "--type=name".to_owned(),
                format!("--target={name}"),
                "--target-action=promote".to_owned(),
            ],
        };
        self.program.run("restore", &arguments, progress).await?;
        let settings = Settings {
            archive: Archive::Replay {
                environment: self.program.environment(),
            },
            ..Settings::default()
        };
        let cluster = Cluster::start_in(folder, settings)
            .await
            .map_err(|error| match error {
                ClusterError::Program {
                    program: "postgres",
                    output,
                } => BackupError::Replay { said: fatal(&output) },
                other => other.into(),
            })?;
        let recovery_point = cluster.end_recovery().await?;
        Ok(Recovered {
            cluster,
            recovery_point,
        })
    }
}

/// Of the server's log what ended it.
fn fatal(log: &str) -> String {
    let fatal: Vec<_> = log
        .lines()
        .filter_map(|line| {
            line.find("FATAL")
                .or_else(|| line.find("PANIC"))
                .map(|at| &line[at..])
        })
        .collect();
    if fatal.is_empty() {
        log.to_owned()
    } else {
        fatal.join("; ")
    }
}
