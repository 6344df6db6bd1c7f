//! `/v1/today`.

use axum::{Json, extract::State};
use muster_wire::today::Today;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Problems, Reply},
};

/// The route of today.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_today))
}

/// Gives what needs a person now, how far the accounts of each model are, and how the work goes.
#[utoipa::path(get, path = "/v1/today", tag = "today", responses((status = 200, body = Today), Problems))]
async fn get_today(State(app): State<App>, actor: Actor) -> Reply<Today> {
    let mut tx = app.db.begin_read(&actor).await?;
    let today = super::get(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(today))
}
