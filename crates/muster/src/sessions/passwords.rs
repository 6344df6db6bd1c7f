//! Passwords: hashed with bcrypt, few at a time because that is slow on purpose, and tried seldom.

use std::{net::IpAddr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{
    access::too_many,
    limits::{Limits, SIGN_INS_PER_MINUTE},
    problem::{Bug, Failure, Refusal},
};

/// The cost of bcrypt: 2^12 rounds.
pub const BCRYPT_COST: u32 = 12;

/// How long a password waits for its turn to be hashed.
const HASHING_WAIT_MS_MAX: u64 = 5_000;

/// The hash of no password, in the form of one: what is verified when there is nobody of an address, so that the answer
/// takes as long.
const NOBODYS_HASH: &str = "$2b$12$.....................................................";

/// What hashes and verifies passwords, and counts the attempts.
#[derive(Debug)]
pub struct Passwords {
    hashing: Arc<Semaphore>,
    addresses: Limits<IpAddr>,
    emails: Limits<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            hashing: Arc::new(Semaphore::new(cores)),
            addresses: Limits::default(),
            emails: Limits::default(),
        }
    }
}

impl Passwords {
    /// Counts an attempt of an address, and for an e-mail address.
    ///
    /// # Errors
    /// That one of them has used up its allowance.
    pub fn admit(&self, address: Option<IpAddr>, email: Option<&str>) -> Result<(), Failure> {
        if let Some(address) = address {
            self.addresses
                .take(&address, SIGN_INS_PER_MINUTE)
                .map_err(|wait| too_many("this address", wait))?;
        }
        if let Some(email) = email {
            self.emails
                .take(&email.to_lowercase(), SIGN_INS_PER_MINUTE)
                .map_err(|wait| too_many("this e-mail address", wait))?;
        }
        Ok(())
    }

    /// Hashes a password of at most 72 bytes.
    ///
    /// # Errors
    /// Unavailable when too many are being hashed.
    pub async fn hash(&self, password: SecretString) -> Result<SecretString, Failure> {
        let hash = self
            .in_turn(move || bcrypt::non_truncating_hash(password.expose_secret(), BCRYPT_COST))
            .await?
            .map_err(Bug::new)?;
        Ok(hash.into())
    }

    /// Whether the password is the one that was hashed; takes as long where there is no hash, and says no.
    ///
    /// # Errors
    /// Unavailable when too many are being verified.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, Failure> {
        let somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS_HASH.to_owned());
        let same = self
            .in_turn(move || bcrypt::non_truncating_verify(password.expose_secret(), &hash))
            .await?
            .map_err(Bug::new)?;
        Ok(same && somebody)
    }

    /// Runs on a thread of its own, as many at a time as there are cores. A request that is given up does not free its
    /// turn before its thread is done.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = timeout(
            Duration::from_millis(HASHING_WAIT_MS_MAX),
            self.hashing.clone().acquire_owned(),
        )
        .await
        .map_err(|_| Refusal::unavailable("too many people are signing in; try again"))?
        .map_err(Bug::new)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(done.await.map_err(Bug::new)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_address_and_by_e_mail_address() {
        let passwords = Passwords::default();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        for n in 0..SIGN_INS_PER_MINUTE as u8 {
            assert!(
                passwords
                    .admit(address(1), Some(&format!("{n}@example.com")))
                    .is_ok()
            );
            assert!(passwords.admit(address(100 + n), Some("ana@example.com")).is_ok());
        }
        assert!(
            passwords.admit(address(1), Some("new@example.com")).is_err(),
            "the address is used up"
        );
        assert!(
            passwords.admit(address(2), Some("Ana@Example.com")).is_err(),
            "the e-mail address is used up"
        );
        assert!(passwords.admit(address(2), Some("bo@example.com")).is_ok());
    }

    #[tokio::test]
    async fn nobodys_hash_takes_the_full_cost_and_is_no_passwords() {
        let passwords = Passwords::default();
        assert!(
            !passwords
                .verify("".into(), None)
                .await
                .expect("it has the form of a hash")
        );
        let parts: bcrypt::HashParts = NOBODYS_HASH.parse().expect("it has the form of a hash");
        assert_eq!(parts.get_cost(), BCRYPT_COST);
        let hash = passwords
            .hash("correct horse".into())
            .await
            .expect("it is hashed");
        let hash = hash.expose_secret().to_owned();
        assert!(
            passwords
                .verify("correct horse".into(), Some(hash.clone()))
                .await
                .expect("verified")
        );
        assert!(
            !passwords
                .verify("correct hors".into(), Some(hash))
                .await
                .expect("verified")
        );
    }
}
