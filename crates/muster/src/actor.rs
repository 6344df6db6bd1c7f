//! Who acts: the one thing without which nothing reaches the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use muster_wire::{BotId, OperatorId, Role, TenantId};
use uuid::Uuid;

/// Who acts, in which tenant, because of which request. Made when a credential has been verified, or by the server for
/// its own timers; every transaction carries one, and every row of history and audit names it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The tenant whose rows can be seen.
    pub tenant: TenantId,
    /// Who.
    pub who: Who,
    /// The request, or the run of a timer.
    pub request: Uuid,
    /// The caller's address, where there is one.
    pub address: Option<String>,
    /// Where lists and dashboards may be old.
    pub stale: Option<Stale>,
}

/// How old an answer may be, and how old the one that is given is.
#[derive(Debug, Clone)]
pub struct Stale {
    max: Duration,
    /// Milliseconds and one, or 0 where it is not old.
    given: Arc<AtomicU64>,
}

impl Stale {
    /// An answer may be this old.
    pub fn up_to(max: Duration) -> Self {
        Self {
            max,
            given: Arc::default(),
        }
    }

    /// Whether something of this age will do.
    pub fn allows(&self, age: Duration) -> bool {
        age <= self.max
    }

    /// Notes that the answer is, in part, this old.
    pub fn give(&self, age: Duration) {
        let ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX - 1);
        self.given.fetch_max(ms + 1, Ordering::Relaxed);
    }

    /// How old the answer is, in whole seconds, rounded up; none where it is what there is now.
    pub fn age_secs(&self) -> Option<u64> {
        let ms = self.given.load(Ordering::Relaxed).checked_sub(1)?;
        Some(ms.div_ceil(1_000))
    }
}

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A person, through a session or a token of theirs.
    Operator {
        /// Who.
        id: OperatorId,
        /// What they may do here.
        role: Role,
    },
    /// A program, through its token.
    Bot {
        /// Which.
        id: BotId,
    },
    /// The server itself: set-up and other things nobody asked for over the API.
    System,
    /// The server's timers.
    Scheduler,
}

impl Actor {
    /// The server itself, acting in a tenant.
    pub fn system(tenant: TenantId) -> Self {
        Self {
            tenant,
            who: Who::System,
            request: Uuid::now_v7(),
            address: None,
            stale: None,
        }
    }

    /// One of the server's timers, acting in a tenant.
    pub fn scheduler(tenant: TenantId) -> Self {
        Self {
            tenant,
            who: Who::Scheduler,
            request: Uuid::now_v7(),
            address: None,
            stale: None,
        }
    }

    /// The operator, when a person acts.
    pub fn operator(&self) -> Option<OperatorId> {
        match self.who {
            Who::Operator { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The bot, when a bot acts.
    pub fn bot(&self) -> Option<BotId> {
        match self.who {
            Who::Bot { id } => Some(id),
            _ => None,
        }
    }

    /// The operator's role, when a person acts.
    pub fn role(&self) -> Option<Role> {
        match self.who {
            Who::Operator { role, .. } => Some(role),
            _ => None,
        }
    }

    /// How the database names this kind of actor, in `triggered_by`.
    pub fn triggered_by(&self) -> &'static str {
        match self.who {
            Who::Operator { .. } => "user",
            Who::Bot { .. } => "bot",
            Who::System => "system",
            Who::Scheduler => "scheduler",
        }
    }

    /// A stable name for this actor within its tenant: `operator:7`, `bot:3`, `system`, `scheduler`.
    pub fn name(&self) -> String {
        match self.who {
            Who::Operator { id, .. } => format!("operator:{id}"),
            Who::Bot { id } => format!("bot:{id}"),
            Who::System => "system".to_owned(),
            Who::Scheduler => "scheduler".to_owned(),
        }
    }
}
