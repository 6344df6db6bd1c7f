//! `/v1/keys`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::tenants::Keys;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Problems, Reply},
    keys,
    problem::Failure,
};

/// The routes of keys.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show_keys))
        .routes(routes!(rotate_keys))
}

/// Gives the versions of the tenant's data key, and how far a rotation has come.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, body = Keys), Problems))]
async fn show_keys(State(app): State<App>, actor: Actor) -> Reply<Keys> {
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(keys::show(&mut tx, &actor).await?))
}

/// Makes a new data key, and seals every secret by it in the background: `GET /v1/keys` says how far it is. Where that
/// was interrupted, asking again goes on with it and makes no other key.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys", responses((status = 202, body = Keys), Problems))]
async fn rotate_keys(State(app): State<App>, actor: Actor) -> Result<(StatusCode, Json<Keys>), Failure> {
    Ok((
        StatusCode::ACCEPTED,
        Json(keys::rotate_and_reseal(&app, &actor).await?),
    ))
}
