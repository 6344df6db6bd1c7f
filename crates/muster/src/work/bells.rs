//! Bells: how a claim that waits learns that there may be work, without asking the database over and over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use muster_wire::TenantId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One bell per tenant, in this process. Whoever commits what may make a step ready rings it; other processes' work is
/// found by the waiters' own coarse look.
#[derive(Debug, Default)]
pub struct Bells {
    tenants: Mutex<HashMap<TenantId, Arc<Notify>>>,
    closed: CancellationToken,
}

impl Bells {
    /// Wakes the claims of a tenant that wait. Call it after the commit.
    pub fn notify(&self, tenant: TenantId) {
        let bell = self
            .tenants
            .lock()
            .expect("no holder of this lock panics")
            .get(&tenant)
            .cloned();
        if let Some(bell) = bell {
            bell.notify_waiters();
        }
    }

    /// Lets every claim that waits answer at once, now and from here on: the server is about to stop.
    pub fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn of(&self, tenant: TenantId) -> Arc<Notify> {
        self.tenants
            .lock()
            .expect("no holder of this lock panics")
            .entry(tenant)
            .or_default()
            .clone()
    }

    pub(super) fn closed(&self) -> &CancellationToken {
        &self.closed
    }
}
