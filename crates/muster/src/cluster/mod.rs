//! The embedded PostgreSQL: a data folder made with `initdb` and a supervised `postgres`, reached through a private socket.
//!
//! ```text
//! DIR/            0700, or 0710 and root's when Muster runs as root
//!   lock          held while a Muster uses the folder; names its process
//!   muster.json   format of the folder, who made it, where the socket is
//!   muster.conf   PostgreSQL's settings, pg_hba.conf and pg_ident.conf beside it: all written anew at each start
//!   postgresql.local.conf   the administrator's own settings, which go before ours
//!   pg/           the data directory
//!   run/          the socket, 0700
//!   backup/       made by [`crate::backup`], which also keeps pgbackrest.conf and backup.key in `DIR`
//!   log/          postgres.log
//! ```
//!
//! Whoever is root or the user that started Muster may take the roles below, by the kernel's word and without passwords;
//! nobody else gets to the socket, and nothing listens on TCP. Linux only: processes are known by `/proc`.

mod binaries;
mod conf;
mod error;
mod folder;
mod server;
mod space;

use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use binaries::{Binaries, find_binaries, find_binaries_for};
pub use error::ClusterError;
pub use folder::{Folder, Layout};
use secrecy::SecretString;
use server::Server;
pub use space::Space;

/// The role that `initdb` makes; only set-up, backup and `muster doctor` take it.
pub const SUPERUSER: &str = "postgres";
/// The role that owns the database and migrates it.
pub const OWNER: &str = "muster_owner";
/// The role that serves requests.
pub const APP: &str = "muster_app";
/// The role of the reaper and the timers.
pub const SCHEDULER: &str = "muster_scheduler";
/// The database, owned by [`OWNER`].
pub const DATABASE: &str = "muster";

/// Names the socket; nothing listens on a port.
pub const PORT: u16 = 5432;
/// What pgBackRest may leave in `postgresql.auto.conf`.
const RECOVERY_SETTINGS: [&str; 7] = [
    "restore_command",
    "recovery_target",
    "recovery_target_time",
    "recovery_target_name",
    "recovery_target_action",
    "recovery_target_timeline",
    "recovery_target_inclusive",
];
/// What the names of temporary folders begin with.
const TEMPORARY: &str = "muster-temporary-";
/// A temporary folder that nobody holds is left over from a killed process when it is this old.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(60);
/// How long dropping a temporary cluster without [`Cluster::stop`] waits for its processes.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// How to run the cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether acknowledged writes survive a power loss. May only be off for a [temporary](Cluster::temporary) cluster.
    pub durable: bool,
    /// What becomes of WAL.
    pub archive: Archive,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durable: true,
            archive: Archive::Off,
        }
    }
}

/// What becomes of WAL when the cluster no longer needs it itself.
#[derive(Debug, Clone)]
pub enum Archive {
    /// It is reused.
    Off,
    /// A command takes each segment to the archive, and none is reused before.
    Push {
        /// `archive_command`.
        command: String,
        /// Variables that the command finds in its environment.
        environment: Vec<(String, SecretString)>,
    },
    /// The data has just been restored: the archive is replayed as the data says, and nothing is pushed.
    Replay {
        /// Variables that `restore_command` finds in its environment.
        environment: Vec<(String, SecretString)>,
    },
    /// It comes from a primary, for as long as this is a replica, and is reused.
    Receive,
}

/// What the server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// It takes connections.
    Running {
        /// Its process.
        pid: u32,
    },
    /// It ended unexpectedly and is being started again, for as long as it takes.
    Restarting,
    /// It was stopped.
    Stopped,
}

/// A running PostgreSQL. Call [`stop`](Cluster::stop) when done: a cluster that is merely dropped is asked to shut down
/// in order, but nobody waits for it.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    binaries: Binaries,
    state: watch::Receiver<ServerState>,
    stop: CancellationToken,
    supervisor: Option<JoinHandle<Result<(), ClusterError>>>,
    temporary: Option<TempDir>,
}

impl Cluster {
    /// Starts the cluster in `dir`, which is made at the first start, with Muster's roles and database.
    ///
    /// When it returns, the server takes connections and is restarted whenever it ends unexpectedly. A server that a
    /// killed Muster left running is stopped in order and started anew. `dir` must be empty, new, or Muster's.
    ///
    /// # Errors
    /// Each [`ClusterError`] names the fault and the cure; nothing is left running.
    pub async fn start(dir: &Path, settings: Settings) -> Result<Self, ClusterError> {
        if !settings.durable {
            return Err(ClusterError::NotDurable);
        }
        Self::start_in(Self::hold(dir).await?, settings).await
    }

    /// Takes hold of `dir` for [`start_in`](Cluster::start_in).
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub async fn hold(dir: &Path) -> Result<Folder, ClusterError> {
        let wanted = dir.to_owned();
        tokio::task::spawn_blocking(move || Folder::open(&wanted))
            .await
            .expect("opening a folder does not panic")
    }

    /// Starts the cluster in a folder that is held already, otherwise as [`start`](Cluster::start).
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn start_in(folder: Folder, settings: Settings) -> Result<Self, ClusterError> {
        if !settings.durable {
            return Err(ClusterError::NotDurable);
        }
        Self::launch(folder, settings).await
    }

    /// Starts a throw-away cluster in a temporary folder, which is removed when it stops. Folders that killed processes
    /// left behind are removed, too.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn temporary(settings: Settings) -> Result<Self, ClusterError> {
        remove_left_over().await;
        let temporary = TempDir::with_prefix(TEMPORARY).map_err(ClusterError::io(
            "creating a temporary folder in",
            std::env::temp_dir(),
        ))?;
        let mut cluster = Self::launch(Self::hold(temporary.path()).await?, settings).await?;
        cluster.temporary = Some(temporary);
        Ok(cluster)
    }

    async fn launch(folder: Folder, settings: Settings) -> Result<Self, ClusterError> {
        if folder.data.join("recovery.signal").exists() && !matches!(settings.archive, Archive::Replay { .. })
        {
            return Err(ClusterError::HalfRestored {
                dir: folder.dir.clone(),
            });
        }
        let receives = matches!(settings.archive, Archive::Receive);
        if folder.data.join("standby.signal").exists() && !receives {
            return Err(ClusterError::Replica {
                dir: folder.dir.clone(),
            });
        }
        let binaries = match folder.data_major()? {
            Some(major) => binaries::find_binaries_for(&folder.dir, major).await?,
            None => find_binaries().await?,
        };
        let layout = Layout::clone(&folder);
        let server = Server {
            folder,
            binaries: binaries.clone(),
            settings,
        };
        server.init().await?;
        server.folder.label()?;
        server::end_all(&server.folder.data).await?;
        server.check_settings().await?;
        let child = server.launch().await?;

        let (sender, state) = watch::channel(ServerState::Running {
            pid: child.id().unwrap_or_default(),
        });
        let stop = CancellationToken::new();
        let supervisor = Some(tokio::spawn(server.supervise(child, sender, stop.clone())));
        let cluster = Self {
            layout,
            binaries,
            state,
            stop,
            supervisor,
            temporary: None,
        };
        // A replica has its roles and its database from the primary.
        if receives {
            return Ok(cluster);
        }
        match cluster.set_up().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop().await?;
                Err(error.into())
            }
        }
    }

    /// Makes the roles and the database unless they are there.
    async fn set_up(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.url(SUPERUSER, "postgres").connect().await?;
        sqlx::raw_sql(include_str!("roles.sql"))
            .execute(&mut connection)
            .await?;
        let exists: bool = sqlx::query_scalar(include_str!("database_exists.sql"))
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::raw_sql(include_str!("create_database.sql"))
                .execute(&mut connection)
                .await?;
        }
        connection.close().await
    }

    /// Forgets how the data was recovered, so that no later start recovers again; gives when the last transaction that was
    /// replayed was committed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_recovery(&self) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        let mut connection = self.url(SUPERUSER, "postgres").connect().await?;
        for setting in RECOVERY_SETTINGS {
            let reset = format!("alter system reset {setting}");
            sqlx::query(AssertSqlSafe(reset)).execute(&mut connection).await?;
        }
        let point = sqlx::query_scalar(include_str!("replayed_until.sql"))
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(point)
    }

    /// How to connect as `role` to `database`: through the socket, without a password.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> PgConnectOptions {
        self.layout.url(role, database)
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// Where its parts are.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The programs that run this cluster, for those that back it up.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// What the server is doing, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ServerState> {
        self.state.clone()
    }

    /// Shuts the server down in order, which ends its connections, and at once when that takes over a minute; returns
    /// when none of its processes is left. A temporary folder is removed.
    ///
    /// # Errors
    /// [`ClusterError::Lingering`] when a process does not end, [`ClusterError::Io`] when a folder stays.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        self.stop.cancel();
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.await.expect("the supervisor does not panic")?;
        }
        if let Some(temporary) = self.temporary.take() {
            let closed = tokio::task::spawn_blocking(|| temporary.close()).await;
            closed
                .expect("removing a folder does not panic")
                .map_err(ClusterError::io("removing", &self.layout.dir))?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.supervisor.is_none() {
            return;
        }
        tracing::warn!(dir = %self.layout.dir.display(), "a cluster was dropped without being stopped; it is shut down now");
        self.stop.cancel();
        let ServerState::Running { pid } = *self.state.borrow() else {
            return;
        };
        let (data, pid) = (
            self.layout.data.clone(),
            nix::unistd::Pid::from_raw(pid.cast_signed()),
        );
        let is_left = || server::processes_in(&data).contains(&pid);
        if !is_left() {
            return;
        }
        let signal = if self.temporary.is_some() {
            Signal::SIGQUIT
        } else {
            Signal::SIGINT
        };
        let _ = kill(pid, signal);
        let start = std::time::Instant::now();
        while self.temporary.is_some() && is_left() && start.elapsed() < DROP_WAIT {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Removes the temporary clusters of this user whose processes were killed before they could.
async fn remove_left_over() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for dir in entries.flatten().filter(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(TEMPORARY.as_bytes())
    }) {
        let Some(_lock) = left_over(&dir.path()) else {
            continue;
        };
        if server::end_all(&dir.path().join("pg")).await.is_ok() {
            let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(dir.path())).await;
        }
    }
}

/// Removes a folder of Muster with all that is in it, and ends what an earlier life left running there.
///
/// # Errors
/// When another process holds it, or something stays.
pub async fn discard(dir: &Path) -> Result<(), ClusterError> {
    if !dir.exists() {
        return Ok(());
    }
    let folder = Cluster::hold(dir).await?;
    server::end_all(&folder.data).await?;
    folder.tidy_up();
    let removed = dir.to_owned();
    tokio::task::spawn_blocking(move || std::fs::remove_dir_all(removed))
        .await
        .expect("removing a folder does not panic")
        .map_err(ClusterError::io("removing", dir))
}

/// Takes hold of a temporary folder that is ours, old, and held by nobody.
fn left_over(dir: &Path) -> Option<Flock<std::fs::File>> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(dir).ok()?;
    let file = std::fs::File::open(dir.join("lock")).ok()?;
    let age = SystemTime::now()
        .duration_since(file.metadata().ok()?.modified().ok()?)
        .ok()?;
    if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() || age < LEFT_OVER_AFTER {
        return None;
    }
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}
