use std::path::PathBuf;

/// Why the embedded PostgreSQL was not started, or not stopped. Each names the fault and, where there is one, the cure.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No PostgreSQL new enough was found on this machine.
    #[error(
        "no PostgreSQL 15 or newer was found (looked in {looked}): install the server, on Debian and Ubuntu with \
         `apt-get install postgresql`, on Fedora with `dnf install postgresql-server`, or set MUSTER_PG_BIN to the \
         folder that holds `initdb` and `postgres`"
    )]
    NoBinaries {
        /// The folders that were looked at, for the message.
        looked: String,
    },
    /// The data was written by a major version of PostgreSQL that is not installed.
    #[error(
        "the data in {} was written by PostgreSQL {data}, but only {found} is installed: install PostgreSQL {data} (on \
         Debian and Ubuntu the package is postgresql-{data}), or move the data with pg_upgrade",
        dir.display()
    )]
    OtherMajor {
        /// Muster's folder.
        dir: PathBuf,
        /// The major version that wrote the data.
        data: u32,
        /// The versions that are installed, for the message.
        found: String,
    },
    /// The folder was made by a newer Muster.
    #[error(
        "{} was made by Muster {created_by} in format {format}, and this Muster knows formats up to {known}: run \
         Muster {created_by} or newer",
        dir.display()
    )]
    NewerFolder {
        /// Muster's folder.
        dir: PathBuf,
        /// The format that the folder is in.
        format: u32,
        /// The newest format known here.
        known: u32,
        /// The version of Muster that made the folder.
        created_by: String,
    },
    /// Another process holds the folder.
    #[error("{} is in use by process {pid}: stop that one first, or choose another folder", dir.display())]
    Held {
        /// Muster's folder.
        dir: PathBuf,
        /// The process that holds it, as it wrote itself down.
        pid: String,
    },
    /// The folder holds something else, which is left untouched.
    #[error("{} is not empty and not a folder of Muster: choose an empty or a new folder", dir.display())]
    NotOurs {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder belongs to another user of the system.
    #[error("{} belongs to the user {owner}: run Muster as {owner} or as root, or choose another folder", path.display())]
    OtherOwner {
        /// The folder.
        path: PathBuf,
        /// Name or number of its owner.
        owner: String,
    },
    /// The folder was in use once and its database is gone.
    #[error(
        "{} once held a database, but {}/pg is missing: mount or restore it, or remove {}/muster.json to begin with an \
         empty database",
        dir.display(), dir.display(), dir.display()
    )]
    DataMissing {
        /// Muster's folder.
        dir: PathBuf,
    },
    /// A restore into the folder was interrupted.
    #[error(
        "the restore into {} was not finished, so its database is not whole: remove the folder and restore again", dir.display()
    )]
    HalfRestored {
        /// Muster's folder.
        dir: PathBuf,
    },
    /// The folder is a replica's.
    #[error(
        "{} is a replica: run it with `muster replica run --data {}`, or promote it first with `muster replica promote --data {}`",
        dir.display(), dir.display(), dir.display()
    )]
    Replica {
        /// Muster's folder.
        dir: PathBuf,
    },
    /// The path cannot be written into PostgreSQL's configuration.
    #[error("the path {} is not plain UTF-8 text: choose another folder", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// The unprivileged user cannot get to a folder or program.
    #[error(
        "the user {user}, as whom PostgreSQL runs, cannot enter {}: allow it with `chmod o+x {}`, or choose a folder \
         elsewhere, such as /var/lib/muster",
        path.display(), path.display()
    )]
    Unreachable {
        /// The first folder that is closed.
        path: PathBuf,
        /// The unprivileged user.
        user: String,
    },
    /// Started as root, and no unprivileged user can be had.
    #[error(
        "PostgreSQL refuses to run as root, and no unprivileged user could be made ({why}): create one with `useradd \
         --system muster`"
    )]
    NoUser {
        /// What was tried and how it failed.
        why: String,
    },
    /// The user id that Muster runs as has no name.
    #[error("the user id {uid} has no name on this system, and PostgreSQL needs one: add it to /etc/passwd")]
    NamelessUser {
        /// The user id.
        uid: u32,
    },
    /// A setting without which acknowledged writes can be lost is off.
    #[error(
        "{name} is {value}, so acknowledged writes could be lost: remove it from {}/postgresql.local.conf or {}/pg/postgresql.auto.conf",
        dir.display(), dir.display()
    )]
    Unsafe {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Muster's folder.
        dir: PathBuf,
    },
    /// [`Settings::durable`](super::Settings::durable) is off for a folder that is to be kept.
    #[error("a cluster that is to be kept is always durable: only a temporary one may go without fsync")]
    NotDurable,
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said last.
        output: String,
    },
    /// Processes of an earlier server stayed whatever was done.
    #[error("the PostgreSQL processes {pids:?} of {} do not end: end them by hand", data.display())]
    Lingering {
        /// The data directory.
        data: PathBuf,
        /// The processes.
        pids: Vec<i32>,
    },
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
    /// The server was started, and then refused its set-up.
    #[error("setting up roles and database: {0}")]
    Database(#[from] sqlx::Error),
}

impl ClusterError {
    /// For `map_err`: names what was done to which path.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
