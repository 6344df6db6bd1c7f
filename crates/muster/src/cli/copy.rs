//! `muster copy`: copies of one tenant, as files that restore into another server.

use std::path::PathBuf;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use indicatif::HumanBytes;

use super::{
    Exit, print,
    serve::{MasterKeySource, OwnerDatabase},
};
use crate::{
    copies::{self, Copied},
    seal::MasterKeys,
};

/// Copy a tenant into an encrypted file, and restore it into an empty tenant of any server: for the day when backups of the whole
/// database are no use.
#[derive(Debug, Args)]
pub struct Copy {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a copy of a tenant, all of one moment: accounts, proxies, models, content, texts, bots, histories, step logs, audit.
    Make {
        /// The tenant's name.
        #[arg(long)]
        tenant: String,
        /// The file to write; one that is there is replaced when the new one is whole.
        #[arg(long, value_name = "FILE")]
        into: PathBuf,
        #[command(flatten)]
        database: OwnerDatabase,
        #[command(flatten)]
        key: MasterKeySource,
    },
    /// Say what a copy is of. Needs no key.
    Show {
        /// The copy.
        file: PathBuf,
    },
    /// Put a copy into an empty tenant, all of it or nothing. People are invited anew, and bots get new tokens.
    Restore {
        /// The copy.
        file: PathBuf,
        /// The name of the tenant to put it into; make one with `muster create-tenant`.
        #[arg(long)]
        tenant: String,
        /// The master key of the server that made the copy.
        #[arg(long, value_name = "FILE")]
        sealed_by: PathBuf,
        #[command(flatten)]
        database: OwnerDatabase,
        #[command(flatten)]
        key: MasterKeySource,
    },
}

impl Copy {
    /// Runs the command.
    pub async fn run(self) -> Result<(), Exit> {
        match &self.verb {
            Verb::Make {
                tenant,
                into,
                database,
                key,
            } => {
                let made = copies::make(&database.options()?, &key.keyring()?.master(), tenant, into).await?;
                self.say(&made, &format!("The copy is in {}", into.display()))
            }
            Verb::Show { file } => {
                let header = copies::header(file)?;
                let at = header.taken_at.to_rfc3339_opts(SecondsFormat::Secs, true);
                print::line(&format!(
                    "Tenant {} ({}) at {at}, of migration {}.",
                    header.tenant, header.tenant_id, header.schema
                ))
            }
            Verb::Restore {
                file,
                tenant,
                sealed_by,
                database,
                key,
            } => {
                let sealed_by = MasterKeys::read(sealed_by)?;
                let restored =
                    copies::restore(&database.options()?, &key.keyring()?, &sealed_by, file, tenant).await?;
                self.say(
                    &restored,
                    &format!(
                        "Restored into {tenant}. Look whether all is well with `muster doctor`; it held"
                    ),
                )
            }
        }
    }

    fn say(&self, copied: &Copied, words: &str) -> Result<(), Exit> {
        if self.json {
            return print::json(&serde_json::to_value(copied)?);
        }
        print::line(&format!(
            "{words}: {} rows of {} at {} ({}).",
            copied.rows,
            copied.tenant,
            copied.taken_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            HumanBytes(copied.bytes)
        ))
    }
}
