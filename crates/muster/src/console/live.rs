//! Live pages: one stream of events per open console, on which the server says that something changed; the page then
//! reads itself again. The stream is rung in process, so that open consoles cost the database nothing.

use std::{
    collections::HashMap,
    convert::Infallible,
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
    time::{Instant, sleep_until, timeout_at},
};

use crate::{actor::Actor, app::App};

/// The shortest time between two events of a stream: what changes meanwhile is told at its end.
const PAUSE_MS_MIN: u64 = 500;

/// After how long a page reads itself again though nobody rang: what another process changed rings no bell here.
const LOOK_AGAIN_SECS: u64 = 15;

/// The bells of tenants whose pages are open. What rings them costs a look-up where nobody looks.
#[derive(Debug, Default)]
pub struct Live {
    tenants: Mutex<HashMap<TenantId, watch::Sender<u64>>>,
}

impl Live {
    /// Tells the open pages of a tenant that something changed. Call it after the commit.
    pub fn ring(&self, tenant: TenantId) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = tenants.get(&tenant) {
            if bell.is_closed() {
                tenants.remove(&tenant);
            } else {
                bell.send_modify(|rung| *rung += 1);
            }
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
