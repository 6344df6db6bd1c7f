//! Turns: how tenants share the database. Whoever asks alone is served as fast as it goes. While several ask, each has one
//! turn, in which one group of its claims or reports is served: a tenant that drains a million steps then keeps one connection
//! busy and not four, and those who ask for little find a processor free.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use muster_wire::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long several tenants count as asking after two of them did.
const SHARED: Duration = Duration::from_secs(10);

/// Steps that are claimed or reported in a turn, at most, where it is not one caller who asks for more.
pub const TURN_STEPS_MAX: usize = 500;

/// Who asks, and whose turn it is, in this process.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Asking>);

#[derive(Debug, Default)]
struct Asking {
    last: Option<TenantId>,
    /// When another tenant asked than the one before.
    shared_at: Option<Instant>,
    turns: HashMap<TenantId, Arc<Semaphore>>,
}

impl Turns {
    /// A tenant asks for something.
    pub fn ask(&self, tenant: TenantId) {
        let mut asking = self.asking();
        if asking.last.is_some_and(|last| last != tenant) {
            asking.shared_at = Some(Instant::now());
        }
        asking.last = Some(tenant);
    }

    /// The tenant's turn, once it has one, until it is dropped. None while nobody else asks: then nothing is waited for.
    pub async fn take(&self, tenant: TenantId) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut asking = self.asking();
            if asking.shared_at.is_none_or(|at| at.elapsed() >= SHARED) {
                return None;
            }
            let one = || Arc::new(Semaphore::new(1));
            asking.turns.entry(tenant).or_insert_with(one).clone()
        };
        turns.acquire_owned().await.ok()
    }

    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ONE: TenantId = TenantId(1);
    const OTHER: TenantId = TenantId(2);

    #[tokio::test]
    async fn a_tenant_has_one_turn_while_another_one_asks_too() {
        let turns = Turns::default();
        turns.ask(ONE);
        turns.ask(ONE);
        assert!(turns.take(ONE).await.is_none(), "nobody else asks");
        turns.ask(OTHER);
        let turn = turns.take(ONE).await.expect("a turn");
        assert!(turns.take(ONE).now_or_never().is_none(), "it is not over");
        assert!(turns.take(OTHER).await.is_some(), "each has its own");
        drop(turn);
        let _turn = turns.take(ONE).await.expect("the next turn");
        turns.asking().shared_at = Instant::now().checked_sub(SHARED);
        turns.ask(OTHER);
        assert!(turns.take(ONE).await.is_none(), "nobody else has asked for long");
    }
}
