//! t
use tokio_util::sync::CancellationToken;
/// t
pub async fn run(_app: crate::app::App, _s: crate::db::SchedulerDb, stop: CancellationToken) { stop.cancelled().await }
