//! Live pages: one stream of events per open console, on which the server says that something changed; the page then
//! reads itself again. Streams are rung in process, so that open consoles cost the database nothing; the servers of one database
//! tell each other once a second, in a transaction of its own, and each hears all others on one connection.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    response::sse::{Event, Sse},
    routing::get,
};
use futures_util::{Stream, stream};
use muster_wire::TenantId;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{actor::Actor, app::App, db::Db, problem::Failure};

/// The shortest time between two events of a stream: what changes meanwhile is told at its end.
const PAUSE_MS_MIN: u64 = 500;

/// After how long a page reads itself again though nobody rang: a server that lost its database did not hear the others.
pub const LOOK_AGAIN_SECS: u64 = 15;

/// Where the servers of a database tell each other whose pages to read again.
const CHANNEL: &str = "muster_live";

/// How long a server that could not listen waits before it tries again.
const LISTEN_AGAIN_SECS: u64 = 1;

/// The bells of tenants whose pages are open. What rings them costs two look-ups where nobody looks.
#[derive(Debug)]
pub struct Live {
    /// What this server signs with, so that it does not heed itself.
    server: Uuid,
    tenants: Mutex<HashMap<TenantId, watch::Sender<u64>>>,
    /// The tenants that rang here since the other servers were last told.
    untold: Mutex<HashSet<TenantId>>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            server: Uuid::now_v7(),
            tenants: Mutex::default(),
            untold: Mutex::default(),
        }
    }
}

impl Live {
    /// Tells the open pages of a tenant that something changed. Call it after the commit.
    pub fn ring(&self, tenant: TenantId) {
        self.ring_here(tenant);
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.insert(tenant);
    }

    fn ring_here(&self, tenant: TenantId) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = tenants.get(&tenant) {
            if bell.is_closed() {
                tenants.remove(&tenant);
            } else {
                bell.send_modify(|rung| *rung += 1);
            }
        }
    }

    fn ring_all_here(&self) {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in tenants.values() {
            bell.send_modify(|rung| *rung += 1);
        }
    }

    /// Tells the other servers of this database which tenants rang here since the last time; gives how many. Where it fails,
    /// their pages look again by themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell(&self, db: &Db) -> Result<u64, Failure> {
        let untold = mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner));
        if untold.is_empty() {
            return Ok(0);
        }
        let payloads: Vec<_> = untold
            .iter()
            .map(|tenant| format!("{} {tenant}", self.server))
            .collect();
        // Of no tenant: it reads and writes no row.
        let mut tx = db.begin(&Actor::system(TenantId(0))).await?;
        sqlx::query_file!("src/console/tell.sql", CHANNEL, &payloads)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(payloads.len() as u64)
    }

    /// Rings for what another server told.
    fn heed(&self, payload: &str) {
        let told = payload
            .split_once(' ')
            .and_then(|(server, tenant)| Some((server.parse::<Uuid>().ok()?, tenant.parse::<i64>().ok()?)));
        if let Some((server, tenant)) = told
            && server != self.server
        {
            self.ring_here(TenantId(tenant));
        }
    }

    /// Ends every stream: the server is about to stop.
    pub fn close(&self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.clear();
    }

    fn listen(&self, tenant: TenantId) -> watch::Receiver<u64> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants
            .entry(tenant)
            .or_insert_with(|| watch::channel(0).0)
            .subscribe()
    }
}

/// The route of the stream.
pub fn routes() -> Router<App> {
    Router::new().route("/live", get(live))
}

/// Hears what the other servers of this database tell, until `stop`. After a time in which it could not, all pages are told to read
/// themselves again.
pub async fn hear(app: App, stop: CancellationToken) {
    let hearing = async {
        let mut deaf = false;
        loop {
            let ended = hear_until_lost(&app, &mut deaf).await;
            if !mem::replace(&mut deaf, true) {
                let error = ended.err().map(tracing::field::display);
                warn!(
                    error,
                    "what other servers change is not heard until the database answers"
                );
            }
            sleep(Duration::from_secs(LISTEN_AGAIN_SECS)).await;
        }
    };
    let _: Option<()> = stop.run_until_cancelled(hearing).await;
}

/// Hears until the connection is lost.
async fn hear_until_lost(app: &App, deaf: &mut bool) -> Result<(), sqlx::Error> {
    let mut listener = app.db.listen(CHANNEL).await?;
    if mem::take(deaf) {
        info!("what other servers change is heard again");
        app.live.ring_all_here();
    }
    while let Some(told) = listener.try_recv().await? {
        app.live.heed(told.payload());
    }
    Ok(())
}

async fn live(State(app): State<App>, actor: Actor) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let bell = app.live.listen(actor.tenant);
    let changes = stream::unfold((bell, Instant::now()), |(mut bell, not_before)| async move {
        let look_again = Instant::now() + Duration::from_secs(LOOK_AGAIN_SECS);
        if let Ok(Err(_)) = timeout_at(look_again, bell.changed()).await {
            return None;
        }
        sleep_until(not_before).await;
        bell.mark_unchanged();
        let next = Instant::now() + Duration::from_millis(PAUSE_MS_MIN);
        // Browsers drop an event without data.
        Some((Ok(Event::default().event("changed").data("1")), (bell, next)))
    });
    Sse::new(changes)
}
