//! `muster master-key`: exchanging the key that wraps all others, while servers run.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Exit, serve::OwnerDatabase};
use crate::{
    backup::{BackupKey, KEY_FILE},
    keys,
    seal::{Keyring, MasterKeys},
};

/// Exchange the master key: first `new`, on the machine of each server the same file; then `wrap`.
#[derive(Debug, Subcommand)]
pub enum MasterKey {
    /// Put a new master key in front of the file. Nothing is wrapped by it yet but new data keys; the old one stays.
    New {
        #[command(flatten)]
        file: KeyFile,
    },
    /// Wrap every data key by the newest master key, and then forget the old ones.
    Wrap {
        #[command(flatten)]
        file: KeyFile,
        #[command(flatten)]
        owner: OwnerDatabase,
    },
}

/// The file with the master keys.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// The file with the master keys, the newest first.
    #[arg(long, env = "MUSTER_MASTER_KEY_FILE")]
    master_key_file: PathBuf,
}

impl MasterKey {
    /// Does it.
    pub async fn run(self) -> Result<(), Exit> {
        match self {
            MasterKey::New { file } => {
                let keys = MasterKeys::read(&file.master_key_file)?.rotate(&file.master_key_file)?;
                println!(
                    "Master key {} is in front of {}.",
                    keys.id(),
                    file.master_key_file.display()
                );
                println!(
                    "Copy the file to every server, and to where its backup is kept; then `muster master-key wrap`."
                );
                Ok(())
            }
            MasterKey::Wrap { file, owner } => {
                let master = MasterKeys::read(&file.master_key_file)?;
                let done = keys::rewrap_all(&owner.options()?, &Keyring::new(master.clone())).await?;
                if done.left > 0 {
                    return Err(Exit::new(
                        4,
                        format!(
                            "{} data keys were made meanwhile under an old master key: run it again",
                            done.left
                        ),
                    ));
                }
                BackupKey::seal_again(&file.master_key_file.with_file_name(KEY_FILE), &master)?;
                let keys = master.forget_old(&file.master_key_file)?;
                println!(
                    "{} data keys are wrapped by {}, now the only master key in the file.",
                    done.rewrapped,
                    keys.id()
                );
                Ok(())
            }
        }
    }
}
