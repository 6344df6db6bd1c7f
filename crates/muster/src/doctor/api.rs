//! The doctor over HTTP.

use axum::{Json, extract::State};
use muster_wire::doctor::Examination;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    doctor,
    http::{Problems, Reply},
};

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(examine))
}

/// Checks everything that must be true of the tenant's data and of the server, and says what is not.
#[utoipa::path(get, path = "/v1/doctor", tag = "server", responses((status = 200, body = Examination), Problems))]
async fn examine(State(app): State<App>, actor: Actor) -> Reply<Examination> {
    let findings = doctor::examine_here(&app, &actor).await?;
    Ok(Json(Examination { findings }))
}
