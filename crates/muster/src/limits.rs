//! Rate limits: per token, per tenant, and per address for what needs no token.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

/// Limiters kept at most, per set; when there are more, those that have not been used for a while make room.
const LIMITERS_MAX: usize = 100_000;

/// Requests a minute that one address may make to endpoints that need no token.
pub const ANONYMOUS_REQUESTS_PER_MINUTE: u32 = 600;

/// Attempts to sign in that one address, and one e-mail address, may make a minute.
pub const SIGN_INS_PER_MINUTE: u32 = 10;

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What is left of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The requests a minute.
    pub per_minute: u32,
    /// How many could be made right now.
    pub remaining: u32,
}

/// Allowances by key.
#[derive(Debug)]
pub struct Limits<K> {
    limiters: Mutex<HashMap<K, (u32, Arc<Limiter>)>>,
}

impl<K> Default for Limits<K> {
    fn default() -> Self {
        Self {
            limiters: Mutex::default(),
        }
    }
}

impl<K: Hash + Eq + Clone> Limits<K> {
    /// Takes one request from the key's allowance.
    ///
    /// # Errors
    /// When it is used up: how long until there is one again.
    pub fn take(&self, key: &K, per_minute: u32) -> Result<Allowance, Duration> {
        let limiter = self.limiter(key, per_minute);
        match limiter.check() {
            Ok(state) => Ok(Allowance {
                per_minute,
                remaining: state.remaining_burst_capacity(),
            }),
            Err(not_until) => Err(not_until.wait_time_from(DefaultClock::default().now())),
        }
    }

    fn limiter(&self, key: &K, per_minute: u32) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().expect("no holder of this lock panics");
        if let Some((quota, limiter)) = limiters.get(key)
            && *quota == per_minute
        {
            return limiter.clone();
        }
        if limiters.len() >= LIMITERS_MAX {
            limiters.clear();
        }
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let limiter = Arc::new(RateLimiter::direct(quota).with_middleware::<StateInformationMiddleware>());
        limiters.insert(key.clone(), (per_minute, limiter.clone()));
        limiter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_per_key_and_ends() {
        let limits = Limits::<u8>::default();
        for left in (0..5).rev() {
            assert_eq!(limits.take(&1, 5).expect("it is allowed").remaining, left);
        }
        let wait = limits.take(&1, 5).expect_err("it is used up");
        assert!(
            wait > Duration::from_secs(1) && wait <= Duration::from_secs(12),
            "{wait:?}"
        );
        assert!(limits.take(&2, 5).is_ok());
        assert!(limits.take(&1, 10).is_ok(), "a raised limit counts at once");
    }
}
