//! A PostgreSQL of the benchmark's own: made for the run, with ordinary durable settings, and removed after it.

use std::{
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use serde::Serialize;
use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tempfile::TempDir;

/// The settings that are not PostgreSQL's defaults; the same for Muster and for every peer.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("max_connections", "300"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "4GB"),
    ("effective_cache_size", "8GB"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "256MB"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
    ("autovacuum_naptime", "15s"),
];

/// How long PostgreSQL may take to start or to stop.
const PATIENCE_SECS: u64 = 60;

/// The role that may do everything; the role that owns Muster's schema; those that serve it.
pub const SUPERUSER: &str = "postgres";
pub const OWNER: &str = "muster_owner";
pub const APP: &str = "muster_app";
pub const SCHEDULER: &str = "muster_scheduler";

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    postmaster: Child,
    /// Holds data, socket and log; removed when the cluster goes.
    dir: TempDir,
}

/// What a reader must know about the PostgreSQL that was used.
#[derive(Debug, Serialize)]
pub struct Settings {
    version: String,
    changed: Vec<(String, String)>,
}

impl Cluster {
    /// Makes and starts it.
    ///
    /// # Errors
    /// When PostgreSQL 15 or newer is not found, or does not start.
    pub async fn start() -> Result<Self> {
        let bin = binaries()?;
        let dir = tempfile::Builder::new().prefix("muster-bench-").tempdir()?;
        let user = postgres_user(dir.path())?;
        let data = dir.path().join("data");
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.args([
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-k",
            // Only making it: what is written later is written safely.
            "--no-sync",
            "-D",
        ]);
        initdb.arg(&data).current_dir(dir.path());
        let made = as_user(&mut initdb, user.as_ref()).output()?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );

        let log = std::fs::File::create(dir.path().join("log"))?;
        let mut postgres = Command::new(bin.join("postgres"));
        postgres
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .current_dir(dir.path());
        for (name, value) in SETTINGS {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A signal from the terminal is for the benchmark, which then stops PostgreSQL.
        let postmaster = as_user(postgres.process_group(0), user.as_ref()).spawn()?;
        let cluster = Self { postmaster, dir };
        let began = Instant::now();
        loop {
            match cluster.options(SUPERUSER, "postgres").connect().await {
                Ok(_) => break,
                Err(error) if began.elapsed().as_secs() > PATIENCE_SECS => {
                    let log = std::fs::read_to_string(cluster.dir.path().join("log")).unwrap_or_default();
                    bail!("PostgreSQL does not start: {error}\n{log}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let mut admin = cluster.options(SUPERUSER, "postgres").connect().await?;
        sqlx::raw_sql(include_str!("../sql/roles.sql"))
            .execute(&mut admin)
            .await?;
        Ok(cluster)
    }

    /// How to connect.
    #[must_use]
    pub fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new()
            .socket(self.dir.path())
            .username(role)
            .database(database)
            .disable_statement_logging()
    }

    /// The same as an address.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}@localhost/{database}?host={}",
            self.dir.path().display()
        )
    }

    /// The folder that goes with the cluster.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process whose children do the database's work.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.postmaster.id()
    }

    /// How long the log is by now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log_bytes(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.dir.path().join("log"))?.len())
    }

    /// What was written to the log since it was so long.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log_since(&self, bytes: u64) -> Result<String> {
        let mut log = std::fs::File::open(self.dir.path().join("log"))?;
        log.seek(SeekFrom::Start(bytes))?;
        let mut text = String::new();
        log.read_to_string(&mut text)?;
        Ok(text)
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn connect(&self, role: &str, database: &str) -> Result<PgConnection> {
        Ok(self.options(role, database).connect().await?)
    }

    /// Connections.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn pool(&self, role: &str, database: &str, connections: u32) -> Result<PgPool> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections.min(4));
        Ok(pool.connect_with(self.options(role, database)).await?)
    }

    /// Makes a database anew, as a copy of another where one is named.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn create(&self, database: &str, template: Option<&str>) -> Result<()> {
        self.drop(database).await?;
        let copy = template
            .map(|t| format!("template {t} strategy file_copy"))
            .unwrap_or_default();
        self.admin(format!("create database {database} owner {OWNER} {copy}"))
            .await
    }

    /// Removes a database, if it is there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn drop(&self, database: &str) -> Result<()> {
        self.admin(format!("drop database if exists {database} with (force)"))
            .await
    }

    /// Vacuums and analyses all of a database, and writes it to disk, so that no run pays for the one before it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn settle(&self, database: &str) -> Result<()> {
        self.maintain(database, &["vacuum analyze", "checkpoint"]).await
    }

    /// Has the rows of the queue lie close together, each page as full as inserts make it, and without a map of the room that is left:
    /// what comes later goes to other pages.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn compact(&self, database: &str) -> Result<()> {
        self.maintain(database, &["vacuum full work_queue"]).await
    }

    /// Has the planner know what is in a database.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn analyse(&self, database: &str) -> Result<()> {
        self.maintain(database, &["analyze"]).await
    }

    /// Has all of a database in memory, as one that is in use has it: a copy is made past `shared_buffers`.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn prewarm(&self, database: &str) -> Result<()> {
        let statements = [
            "create extension if not exists pg_prewarm",
            include_str!("../sql/prewarm.sql"),
        ];
        self.maintain(database, &statements).await
    }

    async fn maintain(&self, database: &str, statements: &[&'static str]) -> Result<()> {
        let mut admin = self.connect(SUPERUSER, database).await?;
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut admin).await?;
        }
        Ok(())
    }

    async fn admin(&self, statement: String) -> Result<()> {
        let mut admin = self.connect(SUPERUSER, "postgres").await?;
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut admin)
            .await?;
        Ok(())
    }

    /// What it is and how it is set.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn settings(&self) -> Result<Settings> {
        let mut admin = self.connect(SUPERUSER, "postgres").await?;
        let version = sqlx::query_scalar(include_str!("../sql/version.sql"))
            .fetch_one(&mut admin)
            .await?;
        let own = SETTINGS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(Settings {
            version,
            changed: own.filter(|(_, value)| !value.is_empty()).collect(),
        })
    }
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgreSQL {}", self.version)?;
        self.changed
            .iter()
            .try_for_each(|(name, value)| write!(f, ", {name} {value}"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.postmaster.id().cast_signed());
        let _ = kill(pid, Signal::SIGQUIT);
        let _ = self.postmaster.wait();
    }
}

/// The newest server binaries, found as the other scripts find them.
fn binaries() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-bin");
    let found = Command::new(script).output().context("scripts/pg-bin")?;
    ensure!(
        found.status.success(),
        "no PostgreSQL 15 or newer is installed; scripts/setup installs it"
    );
    Ok(PathBuf::from(String::from_utf8(found.stdout)?.trim()))
}

/// As whom PostgreSQL runs, which refuses root: for root the user `postgres`, who gets the folder.
fn postgres_user(dir: &Path) -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?
        .context("PostgreSQL does not run as root, and there is no user postgres")?;
    std::os::unix::fs::chown(dir, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    Ok(Some(user))
}

fn as_user<'a>(command: &'a mut Command, user: Option<&User>) -> &'a mut Command {
    match user {
        Some(user) => command.uid(user.uid.as_raw()).gid(user.gid.as_raw()),
        None => command,
    }
}
