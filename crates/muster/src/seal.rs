//! Secrets that must be presented again: sealed with XChaCha20-Poly1305 under a data key of their tenant, which is
//! itself wrapped by the master key. The master key is never in the database.
//!
//! A sealed secret is `1 | algorithm | key version (u32, big-endian) | nonce (24 bytes) | ciphertext and tag`. Its place
//! (table, column, tenant, row) is authenticated with it, so that a ciphertext cannot be moved.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use muster_wire::TenantId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgExecutor};
use zeroize::Zeroizing;

use crate::{
    db::Borrowed,
    problem::{Bug, Failure},
};

/// How long unwrapped keys are believed without asking the database: a new key is known to every server within this.
pub const KEYS_CACHE_SECS: u64 = 5;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORMAT: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const HEADER_BYTES: usize = 6;

pub use self::master::{MasterKeyError, MasterKeys, replace_private};

mod master;

/// A key of 256 bits. Its `Debug` shows nothing of it, and it is wiped when dropped.
#[derive(Clone)]
struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    fn random() -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut bytes[..]);
        Self(bytes)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }

    /// The first eight bytes of its SHA-256, in hex: names the key without telling it.
    fn id(&self) -> String {
        hex(&Sha256::digest(&self.0[..])[..8])
    }

    fn encrypt(&self, plain: &[u8], aad: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce);
        let mut out = nonce.to_vec();
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
            .expect("XChaCha20-Poly1305 fails only over 256 GiB");
        out.extend_from_slice(&sealed);
        out
    }

    fn decrypt(&self, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        self.cipher()
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad })
            .ok()
            .map(Zeroizing::new)
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Hexadecimal digits as bytes; none where they are no such thing.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// 256 random bits in hexadecimal digits.
pub fn new_passphrase() -> SecretString {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    rand::fill(&mut bytes[..]);
    hex(&bytes[..]).into()
}

/// Two hexadecimal digits as a byte.
fn byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    // A sign is no digit, though it is read as one.
    let both = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    both.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u32).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Where a secret is stored. What was sealed for one place cannot be opened in another.
#[derive(Debug, Clone)]
pub struct Place {
    table: &'static str,
    column: &'static str,
    row: String,
}

impl Place {
    /// A column of a row; the row is named by its key within the tenant.
    pub fn new(table: &'static str, column: &'static str, row: impl fmt::Display) -> Self {
        Self {
            table,
            column,
            row: row.to_string(),
        }
    }
}

/// The keys of one tenant, ready to seal and to open.
#[derive(Debug, Clone)]
pub struct TenantKeys {
    tenant: TenantId,
    current: i32,
    keys: HashMap<i32, Key>,
}

/// A data key as it is stored.
#[derive(Debug, Clone)]
pub struct WrappedKey {
    /// Its version.
    pub version: i32,
    /// It, wrapped by a master key.
    pub wrapped: Vec<u8>,
    /// The name of that master key.
    pub master_key_id: String,
}

impl TenantKeys {
    /// The keys of a tenant, unwrapped.
    ///
    /// # Errors
    /// When there are none, or one cannot be unwrapped by these master keys.
    pub fn unwrap(master: &MasterKeys, tenant: TenantId, rows: &[WrappedKey]) -> Result<Self, Bug> {
        let mut keys = HashMap::new();
        for row in rows {
            keys.insert(
                row.version,
                master.unwrap(tenant, row.version, &row.wrapped, &row.master_key_id)?,
            );
        }
        let current = keys
            .keys()
            .copied()
            .max()
            .ok_or_else(|| Bug::new(format!("tenant {tenant} has no data key")))?;
        Ok(Self {
            tenant,
            current,
            keys,
        })
    }

    /// Seals a secret for its place.
    pub fn seal(&self, place: &Place, secret: &SecretString) -> Vec<u8> {
        self.seal_bytes(place, secret.expose_secret().as_bytes())
    }

    /// Seals bytes for their place.
    pub fn seal_bytes(&self, place: &Place, secret: &[u8]) -> Vec<u8> {
        let mut out = vec![FORMAT, XCHACHA20_POLY1305];
        out.extend_from_slice(&(self.current as u32).to_be_bytes());
        out.extend(self.keys[&self.current].encrypt(secret, &self.aad(place)));
        out
    }

    /// Opens a secret of this place.
    ///
    /// # Errors
    /// When it was not sealed for this place and tenant, was altered, or its key is not here.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<SecretString, Bug> {
        let bytes = self.open_bytes(place, sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Bug::new("a sealed secret is not text"))?;
        Ok(SecretString::from(text))
    }

    /// Opens bytes of this place.
    ///
    /// # Errors
    /// As [`TenantKeys::open`].
    pub fn open_bytes(&self, place: &Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Bug> {
        let refused = |why: &str| {
            Bug::new(format!(
                "{}.{} of row {}: {why}",
                place.table, place.column, place.row
            ))
        };
        let version = key_version(sealed).ok_or_else(|| refused("not in the form of a sealed secret"))?;
        let key = self
            .keys
            .get(&version)
            .ok_or_else(|| refused("sealed with a data key that is not here"))?;
        key.decrypt(&sealed[HEADER_BYTES..], &self.aad(place))
            .ok_or_else(|| refused("does not open: altered, or moved"))
    }

    /// The version of the key that seals now.
    pub fn current(&self) -> i32 {
        self.current
    }

    fn aad(&self, place: &Place) -> Vec<u8> {
        framed(&[
            b"muster/secret/1",
            place.table.as_bytes(),
            place.column.as_bytes(),
            &self.tenant.0.to_be_bytes(),
            place.row.as_bytes(),
        ])
    }
}

/// The version of the data key that a secret was sealed with; none where it is not in the form of a sealed secret.
pub fn key_version(sealed: &[u8]) -> Option<i32> {
    match sealed {
        [FORMAT, XCHACHA20_POLY1305, a, b, c, d, ..] => {
            i32::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()
        }
        _ => None,
    }
}

/// A tenant's keys, and when they were read.
type Read = (Instant, Arc<TenantKeys>);

/// The keys of all tenants, unwrapped when first needed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keyring {
    master: Arc<RwLock<MasterKeys>>,
    /// Where the master keys are read again from, when they came from a file.
    file: Option<Arc<Path>>,
    tenants: Arc<RwLock<HashMap<TenantId, Read>>>,
}

impl Keyring {
    /// A keyring under these master keys.
    pub fn new(master: MasterKeys) -> Self {
        Self {
            master: Arc::new(RwLock::new(master)),
            file: None,
            tenants: Arc::default(),
        }
    }

    /// A keyring under the master keys of a file, which is made when there is none. The file is read again whenever a data
    /// key is met that another master key wraps, so that master keys are exchanged while servers run.
    ///
    /// # Errors
    /// As [`MasterKeys::read`].
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let master = MasterKeys::read_or_create(path)?;
        Ok(Self {
            file: Some(path.into()),
            ..Self::new(master)
        })
    }

    /// Reads the master keys' file again, when they came from one.
    fn reread(&self) -> Result<(), Bug> {
        if let Some(path) = &self.file {
            let master = MasterKeys::read(path).map_err(Bug::new)?;
            *self.master.write().expect("no holder of this lock panics") = master;
        }
        Ok(())
    }

    /// The master keys in use.
    pub fn master(&self) -> MasterKeys {
        self.master.read().expect("no holder of this lock panics").clone()
    }

    /// Uses other master keys from now on.
    pub fn set_master(&self, master: MasterKeys) {
        *self.master.write().expect("no holder of this lock panics") = master;
        self.forget();
    }

    /// Forgets what was unwrapped, so that the next use reads the database again.
    pub fn forget(&self) {
        self.tenants
            .write()
            .expect("no holder of this lock panics")
            .clear();
    }

    /// A new data key, wrapped by the newest master key there is: its bytes for `tenant_keys`, and the name of the master
    /// key that wrapped it.
    ///
    /// # Errors
    /// When the master keys' file cannot be read again.
    pub fn new_data_key(&self, tenant: TenantId, version: i32) -> Result<(Vec<u8>, String), Bug> {
        self.reread()?;
        let master = self.master();
        Ok((master.wrap(tenant, version, &Key::random()), master.id()))
    }

    /// A data key, wrapped anew by the newest master key.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn rewrap(
        &self,
        tenant: TenantId,
        version: i32,
        wrapped: &[u8],
        master_key_id: &str,
    ) -> Result<(Vec<u8>, String), Bug> {
        let master = self.master();
        let key = master.unwrap(tenant, version, wrapped, master_key_id)?;
        Ok((master.wrap(tenant, version, &key), master.id()))
    }

    /// The keys of the tenant, which the transaction sees.
    ///
    /// # Errors
    /// When the database fails, the tenant has no key, or a key cannot be unwrapped.
    pub async fn tenant(&self, db: &mut Borrowed, tenant: TenantId) -> Result<Arc<TenantKeys>, Failure> {
        self.find(db, tenant).await
    }

    /// As [`Keyring::tenant`], in a transaction of the schema's owner.
    ///
    /// # Errors
    /// As that.
    pub async fn tenant_as_owner(
        &self,
        db: &mut PgConnection,
        tenant: TenantId,
    ) -> Result<Arc<TenantKeys>, Failure> {
        self.find(db, tenant).await
    }

    async fn find(&self, db: impl PgExecutor<'_>, tenant: TenantId) -> Result<Arc<TenantKeys>, Failure> {
        if let Some((at, keys)) = self
            .tenants
            .read()
            .expect("no holder of this lock panics")
            .get(&tenant)
            && at.elapsed() < Duration::from_secs(KEYS_CACHE_SECS)
        {
            return Ok(keys.clone());
        }
        let rows = sqlx::query_file_as!(WrappedKey, "src/tenants/keys.sql", tenant.0)
            .fetch_all(db)
            .await?;
        if rows.iter().any(|row| !self.master().holds(&row.master_key_id)) {
            self.reread()?;
        }
        let keys = Arc::new(TenantKeys::unwrap(&self.master(), tenant, &rows)?);
        self.tenants
            .write()
            .expect("no holder of this lock panics")
            .insert(tenant, (Instant::now(), keys.clone()));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(tenant: i64) -> TenantKeys {
        TenantKeys {
            tenant: TenantId(tenant),
            current: 1,
            keys: HashMap::from([(1, Key(Zeroizing::new([7; 32])))]),
        }
    }

    fn place() -> Place {
        Place::new("accounts", "password_encrypted", 5)
    }

    #[test]
    fn a_secret_opens_where_it_was_sealed_and_nowhere_else() {
        let sealed = keys(1).seal(&place(), &"s3cret".into());
        assert_eq!(
            keys(1).open(&place(), &sealed).expect("it opens").expose_secret(),
            "s3cret"
        );
        assert!(keys(2).open(&place(), &sealed).is_err(), "another tenant");
        for other in [
            Place::new("proxies", "password_encrypted", 5),
            Place::new("accounts", "access_token_encrypted", 5),
            Place::new("accounts", "password_encrypted", 6),
        ] {
            assert!(keys(1).open(&other, &sealed).is_err(), "{other:?}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!(
            "{:?} {:?}",
            keys(1),
            MasterKeys(vec![Key(Zeroizing::new([7; 32]))])
        );
        assert!(!shown.contains("07") && !shown.contains("7, 7"), "{shown}");
    }

    #[test]
    fn a_master_key_that_others_can_read_is_refused() {
        use std::{fs, os::unix::fs::PermissionsExt};
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("master.key");
        let made = MasterKeys::read_or_create(&path).expect("it is made");
        assert_eq!(MasterKeys::read(&path).expect("it is read again").id(), made.id());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        assert!(matches!(
            MasterKeys::read(&path),
            Err(MasterKeyError::Mode { .. })
        ));
    }

    #[test]
    fn a_data_key_wrapped_by_the_old_master_key_opens_after_rotation() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("master.key");
        let old = MasterKeys::read_or_create(&path).expect("it is made");
        let ring = Keyring::new(old.clone());
        let (wrapped, by) = ring.new_data_key(TenantId(1), 1).expect("it is made");
        ring.set_master(old.rotate(&path).expect("it rotates"));
        let (again, by_new) = ring
            .rewrap(TenantId(1), 1, &wrapped, &by)
            .expect("the old key is still there");
        assert_ne!(by, by_new);
        ring.set_master(ring.master().forget_old(&path).expect("it is written"));
        assert!(ring.rewrap(TenantId(1), 1, &again, &by_new).is_ok());
        assert!(ring.rewrap(TenantId(1), 1, &wrapped, &by).is_err());
        assert_eq!(MasterKeys::read(&path).expect("it is read").count(), 1);
    }

    proptest! {
        #[test]
        fn an_altered_secret_does_not_open(text in ".*", at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut sealed = keys(1).seal(&place(), &text.into());
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(keys(1).open(&place(), &sealed).is_err());
        }

        #[test]
        fn no_bytes_make_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = keys(1).open(&place(), &bytes);
        }
    }
}
