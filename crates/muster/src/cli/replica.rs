//! `muster replica`: a copy of a PostgreSQL that follows it all the time, and can take its place.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde::Serialize;

use super::{Exit, print, serve::told_to_stop};
use crate::{
    replica::{self, Fence},
    telemetry,
};

/// A copy of a PostgreSQL that follows it all the time, and can take its place. Run on the machine of the copy, as root or as
/// the user that runs Muster.
#[derive(Debug, Args)]
pub struct Replica {
    /// Print JSON, an item a line.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Copy a primary into a new data folder, while it works.
    Create {
        /// The primary, as a role that may replicate and, for `promote` and `--sync`, is a superuser: postgres://ROLE:PASSWORD@HOST.
        #[arg(long, env = "MUSTER_PRIMARY_URL", hide_env_values = true)]
        of: SecretString,
        #[command(flatten)]
        data: Data,
        /// While the replica runs, acknowledge nothing that it does not have: nothing is lost with the primary, and nothing is
        /// written while the replica is away.
        #[arg(long)]
        sync: bool,
    },
    /// Keep a replica running until it is told to stop, also when it was promoted.
    Run {
        #[command(flatten)]
        data: Data,
    },
    /// Say how far a replica is.
    Status {
        #[command(flatten)]
        data: Data,
    },
    /// Have a replica take the place of its primary, which is fenced off where it answers.
    Promote {
        #[command(flatten)]
        data: Data,
    },
}

/// The replica's data folder.
#[derive(Debug, Args)]
struct Data {
    /// The replica's data folder.
    #[arg(long, env = "MUSTER_DATA", value_name = "DIR")]
    data: PathBuf,
}

impl Replica {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        match &self.verb {
            Verb::Create { of, data, sync } => {
                let made = replica::create(of, &data.data, *sync).await?;
                self.say(
                    &made,
                    &format!(
                        "The replica is made in {}; start it with `muster replica run --data {}`. Until it runs, the primary keeps \
                         WAL for it in the slot {}.",
                        made.data.display(),
                        made.data.display(),
                        made.slot
                    ),
                )
            }
            Verb::Run { data } => {
                telemetry::logs(false);
                let stopped = told_to_stop();
                let cluster = replica::start(&data.data).await?;
                print::line(&format!("The replica runs in {}", cluster.dir().display()))?;
                stopped.await?;
                Ok(cluster.stop().await?)
            }
            Verb::Status { data } => {
                let status = serde_json::to_value(replica::status(&data.data).await?)?;
                if self.json {
                    print::json(&status)
                } else {
                    print::record(&[], &status)
                }
            }
            Verb::Promote { data } => {
                let promoted = replica::promote(&data.data).await?;
                let before = match promoted.fence {
                    Fence::ReadOnly => {
                        "The primary before it is read-only for good, and all it wrote is here."
                    }
                    Fence::NoAnswer => {
                        "The primary before it did not answer, so it could not be fenced off: see that it stays off, or that no \
                         server reaches it. What it acknowledged last is here only where it waited for this replica (--sync)."
                    }
                };
                self.say(&promoted, &format!("The replica takes writes now. {before}"))
            }
        }
    }

    fn say(&self, value: &impl Serialize, words: &str) -> Result<(), Exit> {
        if self.json {
            print::json(&serde_json::to_value(value)?)
        } else {
            print::line(words)
        }
    }
}
