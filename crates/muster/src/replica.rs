//! A replica: a PostgreSQL that streams everything from a primary, so that it can take its place. See docs/adr/0019.
//!
//! Its data folder is like that of `muster up`, and becomes one when it is promoted. Beside it is `replica.json`, which says
//! of what it is a replica.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{io::AsyncReadExt, time::Instant};
use url::Url;
use uuid::Uuid;

use crate::cluster::{self, Archive, Cluster, ClusterError, Layout, Settings};

/// What says of what a folder is a replica.
const FILE: &str = "replica.json";

/// How long a primary has for its answer before it counts as gone.
const PRIMARY_MS_MAX: u64 = 5_000;

/// How long those who work on a primary that is fenced off may take to end, and the replica to receive what they wrote.
const CATCH_UP_SECS_MAX: u64 = 60;

/// How long a promotion may take.
const PROMOTION_SECS_MAX: i32 = 60;

/// How often something that is waited for is looked at.
const LOOK_EVERY_MS: u64 = 100;

/// Why a replica was not made, or not promoted. Each names the fault and, where there is one, the cure.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The folder is none of a replica.
    #[error("{} is not the folder of a replica: make one with `muster replica create`", dir.display())]
    NotOne {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds a database.
    #[error("{} holds a database already: choose a new folder", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// The address is not understood.
    #[error("the primary's address is not understood: write postgres://ROLE:PASSWORD@HOST:PORT")]
    Address,
    /// What it would be a replica of is not fit for it.
    #[error("{}", .0.join("; "))]
    Unfit(Vec<String>),
    /// The replica's own server does not run.
    #[error("the replica does not run: start it with `muster replica run`")]
    NotRunning(#[source] sqlx::Error),
    /// The primary answers and goes on taking writes.
    #[error(
        "the primary still takes writes, and could not be fenced off ({why}): stop it, and promote again; nothing is changed \
         on the replica"
    )]
    NotFenced {
        /// Why not.
        why: String,
    },
    /// The replica has not all that the primary has written.
    #[error(
        "the primary is read-only now, but the replica did not receive all it wrote within {CATCH_UP_SECS_MAX} s: see that \
         they are connected, and promote again; or stop the primary to promote without what is missing"
    )]
    Behind,
    /// It did not end to be a replica in time.
    #[error("the promotion was asked for, and not done within {PROMOTION_SECS_MAX} s: see log/postgres.log")]
    Slow,
    /// It takes writes already.
    #[error("it was promoted already")]
    Promoted,
    /// A program of PostgreSQL failed.
    #[error("pg_basebackup failed: {0}")]
    BaseBackup(String),
    /// A database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A folder or a server failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Of what a folder is a replica. Has no `Debug`: the address can hold a password.
#[derive(Clone, Serialize, Deserialize)]
struct Origin {
    /// The address of the primary, as a role that may replicate.
    of: String,
    /// The name of the slot there, and of the connection.
    slot: String,
    /// Whether commits are to wait for this replica.
    sync: bool,
}

/// A replica that was made.
#[derive(Debug, Serialize)]
pub struct Created {
    /// Its data folder.
    pub data: PathBuf,
    /// The slot on the primary that keeps the WAL that it has not received yet.
    pub slot: String,
    /// Whether commits are to wait for it while it runs.
    pub sync: bool,
    /// How long it took.
    pub milliseconds: u64,
}

/// How far a replica is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Whether it is one still; false when it was promoted.
    pub is_replica: bool,
    /// Whether the primary answers.
    pub primary_answers: bool,
    /// What the primary says of the connection, `streaming` when all is well; none without a connection.
    pub state: Option<String>,
    /// Whether commits wait for it.
    pub is_synchronous: bool,
    /// What the primary has written and this replica does not show yet; none when the primary does not know.
    pub lag_bytes: Option<i64>,
    /// How long ago the primary wrote what this replica shows; none when the primary does not know.
    pub lag_seconds: Option<f64>,
    /// The WAL that the primary keeps for it.
    pub kept_bytes: Option<i64>,
    /// What it has received and does not show yet.
    pub unreplayed_bytes: i64,
    /// When the last transaction that it shows was committed.
    pub replayed_until: Option<DateTime<Utc>>,
}

/// What became of the primary before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// It answered, is read-only from now on, and all it wrote is on the new primary.
    ReadOnly,
    /// It did not answer. Nobody knows whether it takes writes, nor whether all it wrote was received.
    NoAnswer,
}

/// A replica that takes writes now.
#[derive(Debug, Serialize)]
pub struct Promoted {
    /// What became of the primary before it.
    pub fence: Fence,
    /// From the first question to the primary until this one takes writes.
    pub milliseconds: u64,
}

/// Makes a replica of the server at `of` in a new folder: a copy with its checksums, made while the primary works, and a slot
/// there that keeps the WAL until the replica has it. With `sync` the primary's commits wait for it from when it runs.
///
/// # Errors
/// When the primary is not fit to be replicated, or the copy fails; the slot is then removed.
pub async fn create(of: &SecretString, dir: &Path, sync: bool) -> Result<Created, ReplicaError> {
    let begun = Instant::now();
    let primary = address(of.expose_secret())?;
    let folder = Cluster::hold(dir).await?;
    if folder.data.exists() {
        return Err(ReplicaError::Occupied {
            dir: folder.dir.clone(),
        });
    }
    let mut db = ask(&primary).await?;
    let seen = sqlx::query_file!("src/replica/primary.sql")
        .fetch_one(&mut db)
        .await?;
    let mut faults = Vec::new();
    if seen.is_replica {
        faults.push("it is a replica itself: name the primary".to_owned());
    }
    if !seen.checksums {
        faults.push(
            "its data has no checksums, so damage would be copied unseen: stop it and run `pg_checksums --enable`".to_owned(),
        );
    }
    if !faults.is_empty() {
        return Err(ReplicaError::Unfit(faults));
    }
    let binaries = cluster::find_binaries_for(&folder.dir, seen.major.unsigned_abs()).await?;
    // It must be able to follow whatever the primary does.
    let at_least = seen.at_least.join("\n");
    folder.write(
        "postgresql.local.conf",
        &format!("# Written by `muster replica create`: at least what the primary has.\n{at_least}\n"),
    )?;

    // The end of a UUID of version 7 is random.
    let random = Uuid::now_v7().simple().to_string();
    let slot = format!("muster_{}", &random[random.len() - 12..]);
    let origin = Origin {
        of: of.expose_secret().to_owned(),
        slot: slot.clone(),
        sync,
    };
    let text = serde_json::to_string_pretty(&origin).expect("it is plain text");
    folder.write_secret(FILE, &(text + "\n"))?;
    let fresh = folder.fresh_data()?;
    let copied = base_backup(&folder, &binaries.folder, of, &slot, &fresh).await;
    if let Err(error) = copied {
        let _ = sqlx::query_scalar!("select pg_drop_replication_slot($1::text)::text", slot)
            .fetch_one(&mut db)
            .await;
        return Err(error);
    }
    folder.keep_fresh_data()?;
    folder.label()?;
    db.close().await?;
    Ok(Created {
        data: folder.dir.clone(),
        slot,
        sync,
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Copies the primary as the user that will run the replica. A password goes by the environment.
async fn base_backup(
    layout: &Layout,
    binaries: &Path,
    of: &SecretString,
    slot: &str,
    into: &Path,
) -> Result<(), ReplicaError> {
    let mut command = layout.command(&binaries.join("pg_basebackup"), into);
    command
        .arg("--pgdata")
        .arg(into)
        .arg(format!("--dbname={}", conninfo(of.expose_secret(), slot)?))
        .args(["--create-slot", "--slot", slot, "--write-recovery-conf"])
        .args(["--checkpoint=fast", "--wal-method=stream", "--no-password"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(password) = password(of.expose_secret()) {
        command.env("PGPASSWORD", password);
    }
    let failed = |error: std::io::Error| ReplicaError::BaseBackup(error.to_string());
    let mut child = command.spawn().map_err(failed)?;
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut said).await.map_err(failed)?;
    if child.wait().await.map_err(failed)?.success() {
        Ok(())
    } else {
        Err(ReplicaError::BaseBackup(said.trim().to_owned()))
    }
}

/// Starts the replica in its folder. Where commits are to wait for it the primary is told so when it streams; a primary that
/// cannot be told keeps no replica from starting.
///
/// # Errors
/// When the folder is none of a replica, or its server does not start.
pub async fn start(dir: &Path) -> Result<Cluster, ReplicaError> {
    let origin = origin(dir)?;
    let settings = Settings {
        archive: Archive::Receive,
        ..Settings::default()
    };
    let cluster = Cluster::start(dir, settings).await?;
    let is_promoted = !cluster.layout().data.join("standby.signal").exists();
    if origin.sync
        && !is_promoted
        && let Err(error) = wait_for_it(&origin).await
    {
        tracing::error!(%error, "the primary could not be told to wait for this replica");
    }
    Ok(cluster)
}

/// Has the primary's commits wait for the replica, once it streams.
async fn wait_for_it(origin: &Origin) -> Result<(), ReplicaError> {
    let mut primary = ask(&address(&origin.of)?).await?;
    until_streaming(&mut primary, &origin.slot).await?;
    let names = format!("FIRST 1 (\"{}\")", origin.slot);
    set(&mut primary, "synchronous_standby_names", &names).await?;
    Ok(primary.close().await?)
}

/// What the primary says of a replica.
struct Lag {
    state: Option<String>,
    sync_state: Option<String>,
    kept_bytes: Option<i64>,
    lag_bytes: Option<i64>,
    lag_seconds: Option<f64>,
}

/// What the primary says of the replica of this slot; nothing where there is no such slot.
async fn lag(primary: &mut PgConnection, slot: &str) -> Result<Option<Lag>, sqlx::Error> {
    sqlx::query_file_as!(Lag, "src/replica/lag.sql", slot)
        .fetch_optional(primary)
        .await
}

/// What a replica says of itself.
struct Here {
    is_replica: bool,
    unreplayed_bytes: i64,
    replayed_until: Option<DateTime<Utc>>,
}

async fn seen(here: &mut PgConnection) -> Result<Here, sqlx::Error> {
    sqlx::query_file_as!(Here, "src/replica/here.sql")
        .fetch_one(here)
        .await
}

async fn until_streaming(primary: &mut PgConnection, slot: &str) -> Result<(), ReplicaError> {
    let until = Instant::now() + Duration::from_secs(CATCH_UP_SECS_MAX);
    loop {
        if lag(primary, slot)
            .await?
            .is_some_and(|seen| seen.state.as_deref() == Some("streaming"))
        {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(ReplicaError::Behind);
        }
        tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
}

/// How far the replica in a folder is. It must run; the primary is asked where it answers.
///
/// # Errors
/// When the folder is none of a replica, or it does not run.
pub async fn status(dir: &Path) -> Result<Status, ReplicaError> {
    let origin = origin(dir)?;
    let mut here = here(dir).await?;
    let seen = seen(&mut here).await?;
    here.close().await?;
    let primary = address(&origin.of)?;
    let (mut answers, mut said) = (false, None);
    if let Ok(mut primary) = ask(&primary).await {
        answers = true;
        said = lag(&mut primary, &origin.slot).await?;
        primary.close().await?;
    }
    let lag = said.as_ref();
    Ok(Status {
        is_replica: seen.is_replica,
        primary_answers: answers,
        state: lag.and_then(|lag| lag.state.clone()),
        is_synchronous: lag.is_some_and(|lag| matches!(lag.sync_state.as_deref(), Some("sync" | "quorum"))),
        lag_bytes: lag.and_then(|lag| lag.lag_bytes),
        lag_seconds: lag.and_then(|lag| lag.lag_seconds),
        kept_bytes: lag.and_then(|lag| lag.kept_bytes),
        unreplayed_bytes: seen.unreplayed_bytes,
        replayed_until: seen.replayed_until,
    })
}

/// Has the replica in a folder take the primary's place. A primary that answers is made read-only for good, its clients are
/// sent away, and what it wrote is waited for, so that nothing is lost; one that does not answer cannot be fenced off from
/// here, which is said.
///
/// # Errors
/// When the primary answers and cannot be fenced off, or the replica does not run or has not all that was written.
pub async fn promote(dir: &Path) -> Result<Promoted, ReplicaError> {
    let begun = Instant::now();
    let origin = origin(dir)?;
    let mut here = here(dir).await?;
    if !seen(&mut here).await?.is_replica {
        return Err(ReplicaError::Promoted);
    }
    let primary = ask(&address(&origin.of)?).await;
    let fence = match primary {
        Err(error) if is_gone(&error) => Fence::NoAnswer,
        Err(error) => {
            return Err(ReplicaError::NotFenced {
                why: error.to_string(),
            });
        }
        Ok(mut primary) => {
            let written = fence(&mut primary).await?;
            receive(&mut here, &written).await?;
            Fence::ReadOnly
        }
    };
    // They were copied from the primary; nobody is there who would confirm a commit to the new one.
    for name in ["synchronous_standby_names", "default_transaction_read_only"] {
        reset(&mut here, name).await?;
    }
    let promoted = sqlx::query_file_scalar!("src/replica/promote.sql", PROMOTION_SECS_MAX)
        .fetch_one(&mut here)
        .await?;
    if !promoted {
        return Err(ReplicaError::Slow);
    }
    for name in ["primary_conninfo", "primary_slot_name"] {
        reset(&mut here, name).await?;
    }
    here.close().await?;
    Ok(Promoted {
        fence,
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Makes a primary read-only for good, and sends its clients away; gives up to where it has written.
async fn fence(primary: &mut PgConnection) -> Result<String, ReplicaError> {
    let not = |error: sqlx::Error| ReplicaError::NotFenced {
        why: error.to_string(),
    };
    set(primary, "default_transaction_read_only", "on")
        .await
        .map_err(not)?;
    let until = Instant::now() + Duration::from_secs(CATCH_UP_SECS_MAX);
    loop {
        sqlx::query_file!("src/replica/fence.sql")
            .fetch_one(&mut *primary)
            .await
            .map_err(not)?;
        let seen = sqlx::query_file!("src/replica/fenced.sql")
            .fetch_one(&mut *primary)
            .await
            .map_err(not)?;
        if seen.quiet && seen.read_only {
            return Ok(seen.written);
        }
        if Instant::now() > until {
            return Err(ReplicaError::NotFenced {
                why: format!("its clients do not end within {CATCH_UP_SECS_MAX} s"),
            });
        }
        tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
}

/// Waits until the replica has received what was written up to there.
async fn receive(here: &mut PgConnection, written: &str) -> Result<(), ReplicaError> {
    let until = Instant::now() + Duration::from_secs(CATCH_UP_SECS_MAX);
    while !sqlx::query_file_scalar!("src/replica/caught_up.sql", written)
        .fetch_one(&mut *here)
        .await?
    {
        if Instant::now() > until {
            return Err(ReplicaError::Behind);
        }
        tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    }
    Ok(())
}

/// Whether a server does not answer at all, or is ending.
fn is_gone(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

fn origin(dir: &Path) -> Result<Origin, ReplicaError> {
    let not_one = || ReplicaError::NotOne { dir: dir.to_owned() };
    let text = std::fs::read_to_string(dir.join(FILE)).map_err(|_| not_one())?;
    serde_json::from_str(&text).map_err(|_| not_one())
}

/// The replica's own server.
async fn here(dir: &Path) -> Result<PgConnection, ReplicaError> {
    let url = Layout::find(dir)?.url(cluster::SUPERUSER, "postgres");
    url.connect().await.map_err(ReplicaError::NotRunning)
}

async fn ask(primary: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    tokio::time::timeout(Duration::from_millis(PRIMARY_MS_MAX), primary.connect())
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Sets something of a server for good. The names and values are ours: there is nothing to escape.
async fn set(db: &mut PgConnection, name: &str, value: &str) -> Result<(), sqlx::Error> {
    alter_system(db, format!("alter system set {name} = '{value}'")).await
}

async fn reset(db: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    alter_system(db, format!("alter system reset {name}")).await
}

async fn alter_system(db: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    db.execute(AssertSqlSafe(statement)).await?;
    sqlx::query_scalar!("select pg_reload_conf()")
        .fetch_one(db)
        .await?;
    Ok(())
}

fn address(of: &str) -> Result<PgConnectOptions, ReplicaError> {
    let options: PgConnectOptions = of.parse().map_err(|_| ReplicaError::Address)?;
    Ok(options.database("postgres").application_name("muster-replica"))
}

fn password(of: &str) -> Option<String> {
    let url: Url = of.parse().ok()?;
    // Decoded as the value of a form, in which these two would mean something.
    let encoded = url.password()?.replace('+', "%2B").replace('&', "%26");
    let form = format!("p={encoded}");
    let (_, password) = url::form_urlencoded::parse(form.as_bytes()).next()?;
    Some(password.into_owned())
}

/// How `libpq` connects there: as the address says, its TLS settings too, without the password.
fn conninfo(of: &str, name: &str) -> Result<String, ReplicaError> {
    let mut url: Url = of.parse().map_err(|_| ReplicaError::Address)?;
    url.set_password(None).map_err(|()| ReplicaError::Address)?;
    if url.username().is_empty() {
        let user = address(of)?.get_username().to_owned();
        url.set_username(&user).map_err(|()| ReplicaError::Address)?;
    }
    let theirs: Vec<_> = url
        .query_pairs()
        .filter(|(name, _)| {
            name.starts_with("ssl") || matches!(&**name, "host" | "hostaddr" | "port" | "user")
        })
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let ours = [
        ("application_name", name),
        ("connect_timeout", "5"),
        ("keepalives_idle", "10"),
        ("tcp_user_timeout", "10000"),
    ];
    url.query_pairs_mut()
        .clear()
        .extend_pairs(theirs)
        .extend_pairs(ours);
    // libpq takes a + for what it is.
    Ok(url.as_str().replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_handed_on_without_its_password() {
        let of = "postgres://rep%40x:a%2Bb+c%26@db.example.com:5433?sslmode=verify-full&sslrootcert=/etc/my+ca.pem";
        assert_eq!(password(of).as_deref(), Some("a+b+c&"));
        assert_eq!(
            conninfo(of, "muster_0").expect("an address"),
            "postgres://rep%40x@db.example.com:5433?sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem\
             &application_name=muster_0&connect_timeout=5&keepalives_idle=10&tcp_user_timeout=10000"
        );
        let socket = conninfo("postgres://postgres@%2Fvar%2Flib%2Fmuster%2Frun", "m").expect("an address");
        assert!(
            socket.starts_with("postgres://postgres@%2Fvar%2Flib%2Fmuster%2Frun?application_name=m&"),
            "{socket}"
        );
        let socket = conninfo("postgres://postgres@localhost?host=/srv/run", "m").expect("an address");
        assert!(
            socket.contains("?host=%2Fsrv%2Frun&application_name=m&"),
            "{socket}"
        );
        assert_eq!(password("postgres://postgres@one"), None);
    }
}
