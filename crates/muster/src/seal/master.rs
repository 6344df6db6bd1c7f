//! The master keys, which wrap the data keys of all tenants, and their file.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use muster_wire::TenantId;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{KEY_BYTES, Key, framed, hex, unhex};
use crate::problem::Bug;

/// For `map_err`: names the file.
fn failed(path: &Path) -> impl Fn(std::io::Error) -> MasterKeyError {
    move |source| MasterKeyError::File {
        path: path.display().to_string(),
        source,
    }
}

/// Writes a new file that only its owner may read, durably.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Puts a file that only its owner may read in the place of another, in one step.
///
/// # Errors
/// When it cannot be written.
pub fn replace_private(path: &Path, text: &str) -> Result<(), MasterKeyError> {
    let beside = path.with_extension("new");
    let replace = || {
        if beside.exists() {
            fs::remove_file(&beside)?;
        }
        write_private(&beside, text)?;
        fs::rename(&beside, path)
    };
    replace().map_err(failed(path))
}

/// The master key, and those it has replaced until nothing is wrapped by them any more.
#[derive(Debug, Clone)]
pub struct MasterKeys(pub(super) Vec<Key>);

/// Why a master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("the master key {path} cannot be read or written")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error("the master key {path} can be read by others (mode {mode:o}): chmod 600 it")]
    Mode {
        /// Which.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// It is not 64 hexadecimal digits a line.
    #[error("the master key has to be 64 hexadecimal digits, the newest on the first line")]
    Form,
    /// Something was sealed by a master key that is not here.
    #[error(
        "{what} is sealed by master key {id}, which is not here: add the line of that key to the file of master keys"
    )]
    Missing {
        /// What was to be opened.
        what: &'static str,
        /// The name of the key.
        id: String,
    },
    /// What was sealed by a master key was altered since.
    #[error(
        "{0} does not open: it is damaged, or not what a master key sealed; take a copy of it from elsewhere"
    )]
    Damaged(&'static str),
}

impl MasterKeys {
    /// Reads the keys from text: one per line as 64 hexadecimal digits, the newest first.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &SecretString) -> Result<Self, MasterKeyError> {
        let mut keys = Vec::new();
        for line in text
            .expose_secret()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let read = unhex(line).map(Zeroizing::new).ok_or(MasterKeyError::Form)?;
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            if read.len() != KEY_BYTES {
                return Err(MasterKeyError::Form);
            }
            bytes.copy_from_slice(&read);
            keys.push(Key(bytes));
        }
        if keys.is_empty() {
            Err(MasterKeyError::Form)
        } else {
            Ok(Self(keys))
        }
    }

    /// Reads the keys from a file that only its owner may read.
    ///
    /// # Errors
    /// When it cannot be read, can be read by others, or holds anything else.
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = failed(path);
        let mode = fs::metadata(path).map_err(&failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Mode {
                path: path.display().to_string(),
                mode,
            });
        }
        Self::parse(&fs::read_to_string(path).map_err(failed)?.into())
    }

    /// Reads the keys from a file, or makes the file with a new key when there is none.
    ///
    /// # Errors
    /// As [`MasterKeys::read`].
    pub fn read_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        if !path.exists() {
            Self(vec![Key::random()]).write_new(path)?;
        }
        Self::read(path)
    }

    /// The same keys with a new one in front, written to the file in one step. Every server has to read the file again
    /// before the data keys are wrapped anew.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rotate(&self, path: &Path) -> Result<Self, MasterKeyError> {
        let mut keys = vec![Key::random()];
        keys.extend(self.0.iter().cloned());
        let rotated = Self(keys);
        rotated.replace(path)?;
        Ok(rotated)
    }

    /// The newest key alone, written to the file in one step: for when nothing is wrapped by the others any more.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget_old(&self, path: &Path) -> Result<Self, MasterKeyError> {
        let newest = Self(self.0[..1].to_vec());
        newest.replace(path)?;
        Ok(newest)
    }

    fn replace(&self, path: &Path) -> Result<(), MasterKeyError> {
        replace_private(path, self.text().expose_secret())
    }

    /// Writes the keys to a new file.
    ///
    /// # Errors
    /// When there is such a file, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), MasterKeyError> {
        write_private(path, self.text().expose_secret()).map_err(failed(path))
    }

    /// The keys as their file has them.
    pub fn text(&self) -> SecretString {
        self.0
            .iter()
            .map(|key| hex(&key.0[..]) + "\n")
            .collect::<String>()
            .into()
    }

    /// These keys, and behind them those of the others that are not among them.
    pub fn and(&self, others: &Self) -> Self {
        let more = others.0.iter().filter(|key| !self.holds(&key.id()));
        Self(self.0.iter().chain(more).cloned().collect())
    }

    /// Seals a text by the newest key: the name of the key, a space, hexadecimal digits. `what` has to be said again to
    /// open it.
    pub fn seal(&self, what: &'static str, text: &SecretString) -> String {
        let sealed = self.0[0].encrypt(text.expose_secret().as_bytes(), what.as_bytes());
        format!("{} {}", self.id(), hex(&sealed))
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// When the key that sealed it is not among these, or it was altered.
    pub fn open(&self, what: &'static str, sealed: &str) -> Result<SecretString, MasterKeyError> {
        let damaged = || MasterKeyError::Damaged(what);
        let (id, digits) = sealed.trim().split_once(' ').ok_or_else(damaged)?;
        let key = self.0.iter().find(|key| key.id() == id);
        let key = key.ok_or_else(|| MasterKeyError::Missing {
            what,
            id: id.to_owned(),
        })?;
        let text = key
            .decrypt(&unhex(digits).ok_or_else(damaged)?, what.as_bytes())
            .ok_or_else(damaged)?;
        let text = std::str::from_utf8(&text).map_err(|_| damaged())?;
        Ok(text.into())
    }

    /// Names the newest key without telling it.
    pub fn id(&self) -> String {
        self.0[0].id()
    }

    pub(super) fn holds(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id() == id)
    }

    /// How many keys there are; more than one while a rotation is not finished.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn wrap(&self, tenant: TenantId, version: i32, key: &Key) -> Vec<u8> {
        self.0[0].encrypt(&key.0[..], &wrap_aad(tenant, version))
    }

    pub(super) fn unwrap(
        &self,
        tenant: TenantId,
        version: i32,
        wrapped: &[u8],
        master_key_id: &str,
    ) -> Result<Key, Bug> {
        let master = self.0.iter().find(|key| key.id() == master_key_id).ok_or_else(|| {
            Bug::new(format!("the data key of tenant {tenant} is wrapped by master key {master_key_id}, which is not here"))
        })?;
        let plain = master
            .decrypt(wrapped, &wrap_aad(tenant, version))
            .ok_or_else(|| {
                Bug::new(format!(
                    "the data key {version} of tenant {tenant} cannot be opened"
                ))
            })?;
        let bytes: [u8; KEY_BYTES] = plain
            .as_slice()
            .try_into()
            .map_err(|_| Bug::new("a data key has a wrong length"))?;
        Ok(Key(Zeroizing::new(bytes)))
    }
}

fn wrap_aad(tenant: TenantId, version: i32) -> Vec<u8> {
    framed(&[
        b"muster/data-key/1",
        &tenant.0.to_be_bytes(),
        &version.to_be_bytes(),
    ])
}
