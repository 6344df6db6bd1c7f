//! The key of the backups.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::BackupError;
use crate::seal::{self, MasterKeys};

/// The name of its file, in the data folder beside the master key, and at the top of a repository that is a folder.
pub const KEY_FILE: &str = "backup.key";

/// What the file holds, as it is called in errors and authenticated with it.
const WHAT: &str = "the key of the backups";

/// What opens the backups: the passphrase of the repository, which never changes, and every master key that has wrapped a
/// data key since the repository was begun, because a backup from before an exchange needs those that were exchanged.
/// It is stored sealed by the newest master key, so that whoever has that and the repository has everything.
#[derive(Debug, Clone)]
pub struct BackupKey {
    passphrase: SecretString,
    masters: MasterKeys,
}

impl BackupKey {
    /// A new one for these master keys.
    pub fn new(masters: &MasterKeys) -> Self {
        Self {
            passphrase: seal::new_passphrase(),
            masters: masters.clone(),
        }
    }

    /// Reads the file with the help of these master keys, and takes up those that it does not hold yet.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn read(path: &Path, masters: &MasterKeys) -> Result<Self, BackupError> {
        let sealed = std::fs::read_to_string(path).map_err(BackupError::io("reading", path))?;
        let text = masters.open(WHAT, &sealed)?;
        let (passphrase, held) = text
            .expose_secret()
            .split_once('\n')
            .ok_or(seal::MasterKeyError::Damaged(WHAT))?;
        Ok(Self {
            passphrase: passphrase.into(),
            masters: masters.and(&MasterKeys::parse(&held.into())?),
        })
    }

    /// It, sealed by the newest master key, as its file holds it.
    pub fn sealed(&self) -> String {
        let text = format!(
            "{}\n{}",
            self.passphrase.expose_secret(),
            self.masters.text().expose_secret()
        );
        self.masters.seal(WHAT, &text.into()) + "\n"
    }

    /// Writes the file in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BackupError> {
        Ok(seal::replace_private(path, &self.sealed())?)
    }

    /// Has the file sealed by the newest of these master keys and hold all of them, where there is such a file: before the
    /// older ones are forgotten.
    ///
    /// # Errors
    /// As [`BackupKey::read`] and [`BackupKey::write`].
    pub fn seal_again(path: &Path, masters: &MasterKeys) -> Result<(), BackupError> {
        if path.exists() {
            Self::read(path, masters)?.write(path)?;
        }
        Ok(())
    }

    /// The passphrase of the repository.
    pub fn passphrase(&self) -> &SecretString {
        &self.passphrase
    }

    /// Every master key that a backup may need, the newest first.
    pub fn masters(&self) -> &MasterKeys {
        &self.masters
    }
}
