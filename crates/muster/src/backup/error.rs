use std::path::PathBuf;

use crate::{cluster::ClusterError, seal::MasterKeyError};

/// Why something about backups was not done. Each names the fault and, where there is one, the cure.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// pgBackRest is not there.
    #[error(
        "pgBackRest is not installed, and it makes the backups: install it, on Debian and Ubuntu with `apt-get install \
         pgbackrest`, on Fedora with `dnf install pgbackrest`, and start Muster again"
    )]
    NotInstalled,
    /// The folder has no cluster in it.
    #[error("{} holds no database of Muster: name its data folder with --data", dir.display())]
    NoCluster {
        /// The folder.
        dir: PathBuf,
    },
    /// The administrator's own settings cannot be used.
    #[error("{}: {}", path.display(), faults.join("; "))]
    Settings {
        /// Their file.
        path: PathBuf,
        /// What is wrong, each with its cure.
        faults: Vec<String>,
    },
    /// pgBackRest failed.
    #[error("pgBackRest could not {command}: {said}")]
    Pgbackrest {
        /// Its command.
        command: &'static str,
        /// What it said.
        said: String,
    },
    /// pgBackRest said something that is not understood here.
    #[error("what pgBackRest says of its backups is not understood: {0}")]
    NotUnderstood(String),
    /// The repository holds damaged files.
    #[error(
        "the repository is damaged; make a full backup now, and keep the damaged files for whoever looks into it: {found}"
    )]
    Damaged {
        /// What is.
        found: String,
    },
    /// The folder to restore into holds a database.
    #[error("{} holds a database already: restore into a new folder, and compare before you replace anything", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// The files were restored, and WAL does not lead to the target.
    #[error(
        "the backup was restored, but its WAL does not lead to what was asked for: WAL is missing or damaged, or the time or \
         name lies outside what the archive holds; if nothing was written after the time that was asked for, --latest gives \
         the same: {said}"
    )]
    Replay {
        /// What PostgreSQL said.
        said: String,
    },
    /// WAL does not get into the archive.
    #[error(
        "the archive does not take segment {segment} of WAL: see why in log/postgres.log of the data folder, and mend it soon, \
         because WAL is kept until it is archived"
    )]
    NotArchived {
        /// The segment.
        segment: String,
    },
    /// The cluster did not do what was asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The master key, or the key of the backups.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which path.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl BackupError {
    /// For `map_err`: names what was done to which path.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
