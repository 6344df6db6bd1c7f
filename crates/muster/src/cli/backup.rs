//! `muster backup`: backups of the embedded PostgreSQL, made and restored on the machine where its data folder is.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{ArgGroup, Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{
    Exit,
    print::{self, Column},
    remote,
};
use crate::{
    backup::{self, BackupError, Kind, Repository, Target},
    cluster::Layout,
    seal::MasterKeys,
};

const BACKUPS: &[Column] = &[
    ("LABEL", "label"),
    ("REPOSITORY", "repository"),
    ("KIND", "kind"),
    ("STARTED", "started_at"),
    ("ENDED", "ended_at"),
    ("DATABASE BYTES", "database_bytes"),
    ("STORED BYTES", "stored_bytes"),
    ("DAMAGED", "damaged"),
];

/// The code of a process whose drill finds faults.
const FAULTS_CODE: u8 = 6;

/// The parts of a bar of percents.
const PERCENT: u64 = 100;

/// Back the embedded PostgreSQL up, and restore it. Run on the machine of the data folder, as root or as the user that
/// runs Muster.
#[derive(Debug, Args)]
pub struct Backup {
    /// Print JSON, an item a line.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a backup now; the server also makes them by itself.
    Run {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        kind: KindChoice,
    },
    /// List the backups.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Have WAL archived, and hold every file of the repository against its checksum.
    Check {
        #[command(flatten)]
        data: Data,
    },
    /// Restore the newest backup and its WAL beside the live database, and examine what comes of it.
    Drill {
        #[command(flatten)]
        data: Data,
        /// Restore the moment at this time instead, such as 2026-11-25T21:00:00Z.
        #[arg(long, value_name = "TIME")]
        to_time: Option<DateTime<Utc>>,
    },
    /// Print a configuration of pgBackRest for a PostgreSQL of yours, with a new passphrase and what there is to do.
    Config {
        /// PostgreSQL's data directory.
        #[arg(long, value_name = "DIR")]
        pg_data: PathBuf,
        /// Where the backups are to be.
        #[arg(long, value_name = "DIR")]
        repository: PathBuf,
    },
    /// Restore into a new data folder; the live one is not touched.
    Restore(Restore),
}

/// The data folder that is backed up.
#[derive(Debug, Args)]
struct Data {
    /// The data folder of `muster up`.
    #[arg(long, env = "MUSTER_DATA", default_value = "muster-data")]
    data: PathBuf,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct KindChoice {
    /// Copy the whole database.
    #[arg(long)]
    full: bool,
    /// Copy what has changed since the last backup.
    #[arg(long)]
    incremental: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target").required(true)))]
struct Restore {
    #[command(flatten)]
    data: Data,

    /// The repository, when the data folder is lost and the repository is a folder. The key of the backups is in it.
    #[arg(long, requires = "master_key_file")]
    repository: Option<PathBuf>,

    /// The copy of the master key, when the data folder is lost.
    #[arg(long, requires = "repository")]
    master_key_file: Option<PathBuf>,

    /// As far as the archive goes.
    #[arg(long, group = "target")]
    latest: bool,

    /// Up to this time, such as 2026-11-25T21:00:00Z.
    #[arg(long, group = "target", value_name = "TIME")]
    to_time: Option<DateTime<Utc>>,

    /// Up to this restore point, made before with `select pg_create_restore_point('NAME')`.
    #[arg(long, group = "target", value_name = "NAME")]
    to_name: Option<String>,

    /// The data folder to make; new or empty.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

impl Data {
    fn repository(&self) -> Result<Repository, BackupError> {
        let layout = Layout::find(&self.data)?;
        let key_file = layout.dir.join("master.key");
        if !key_file.exists() {
            return Err(BackupError::NoCluster { dir: layout.dir });
        }
        Repository::open(&layout, &MasterKeys::read(&key_file)?)
    }
}

impl Backup {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        match &self.verb {
            Verb::Run { data, kind } => self.make(data, kind.kind()).await,
            Verb::List { data } => {
                let listing = data.repository()?.list().await?;
                if self.json {
                    return print::json(&serde_json::to_value(&listing)?);
                }
                let rows: Result<Vec<_>, _> = listing.backups.iter().map(serde_json::to_value).collect();
                print::table(BACKUPS, &rows?)?;
                print::line(&format!(
                    "WAL is archived up to segment {}.",
                    listing.archived_until.as_deref().unwrap_or("none")
                ))
            }
            Verb::Check { data } => {
                let checked = data.repository()?.check().await?;
                self.say(
                    &checked,
                    &format!(
                        "WAL is archived, and {} backups and their WAL are as they were written ({}). Whether they restore, only \
                         a drill shows.",
                        checked.backups,
                        seconds(checked.milliseconds)
                    ),
                )
            }
            Verb::Drill { data, to_time } => self.drill(data, *to_time).await,
            Verb::Config { pg_data, repository } => {
                print::bytes(backup::external(pg_data, repository).expose_secret().as_bytes())
            }
            Verb::Restore(restore) => self.restore(restore).await,
        }
    }

    async fn make(&self, data: &Data, kind: Kind) -> Result<(), Exit> {
        let bar = bar("backing up");
        let made = data
            .repository()?
            .run_recorded(kind, |percent| bar.set_position(percent as u64))
            .await;
        bar.finish_and_clear();
        let made = made?;
        self.say(
            &made,
            &format!(
                "Backup {} of {} is made, and takes {} ({}).",
                made.label,
                HumanBytes(made.database_bytes),
                HumanBytes(made.stored_bytes),
                seconds(
                    u64::try_from((made.ended_at - made.started_at).num_milliseconds()).unwrap_or_default()
                )
            ),
        )
    }

    async fn drill(&self, data: &Data, at: Option<DateTime<Utc>>) -> Result<(), Exit> {
        let bar = bar("restoring");
        let record = data
            .repository()?
            .drill(at, |percent| bar.set_position(percent as u64))
            .await;
        bar.finish_and_clear();
        let record = record?;
        if self.json {
            print::json(&serde_json::to_value(&record)?)?;
        } else {
            print::record(&[], &serde_json::to_value(&record)?)?;
        }
        if record.is_good() {
            return Ok(());
        }
        Err(Exit::new(
            FAULTS_CODE,
            "the backup is not good: make a full one now, drill it, and find out what happened to this one",
        ))
    }

    async fn restore(&self, restore: &Restore) -> Result<(), Exit> {
        let bar = bar("restoring");
        let progress = |percent: f64| bar.set_position(percent as u64);
        let target = restore.target();
        let done = match (&restore.repository, &restore.master_key_file) {
            (Some(repository), Some(key_file)) => {
                let masters = MasterKeys::read(key_file)?;
                backup::restore_from(repository, &masters, &restore.into, &target, progress).await
            }
            _ => backup::restore(&restore.data.repository()?, &restore.into, &target, progress).await,
        };
        bar.finish_and_clear();
        let done = done?;
        let point = match done.recovery_point {
            Some(point) => format!(
                "its last transaction is of {}",
                point.to_rfc3339_opts(SecondsFormat::Millis, true)
            ),
            None => "nothing was written after the backup".to_owned(),
        };
        self.say(
            &done,
            &format!(
                "Restored into {} ({}); {point}. Look at it with `muster up --data {}`; your own postgresql.local.conf and \
                 pgbackrest.local.conf are not in a backup.",
                done.into,
                seconds(done.milliseconds),
                done.into
            ),
        )
    }

    fn say(&self, value: &impl Serialize, words: &str) -> Result<(), Exit> {
        if self.json {
            print::json(&serde_json::to_value(value)?)
        } else {
            print::line(words)
        }
    }
}

impl KindChoice {
    fn kind(&self) -> Kind {
        if self.full { Kind::Full } else { Kind::Incremental }
    }
}

impl Restore {
    fn target(&self) -> Target {
        match (self.to_time, &self.to_name) {
            (Some(time), _) => Target::Time(time),
            (None, Some(name)) => Target::Name(name.clone()),
            (None, None) => Target::Latest,
        }
    }
}

fn bar(doing: &'static str) -> ProgressBar {
    let bar = remote::progress(Some(PERCENT), "{spinner} {msg} {bar:30} {percent} % ({elapsed})");
    bar.set_message(doing);
    bar
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}
