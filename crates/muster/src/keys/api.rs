//! `/v1/keys`.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::tenants::Keys;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Problems, Reply},
    keys,
    problem::Failure,
    seal::KEYS_CACHE_SECS,
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

/// Makes a new data key, and seals every secret by it in the background: `GET /v1/keys` says how many are left. Where that
/// was interrupted, asking again goes on with it and makes no other key.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys", responses((status = 202, body = Keys), Problems))]
async fn rotate_keys(State(app): State<App>, actor: Actor) -> Result<(StatusCode, Json<Keys>), Failure> {
    let mut tx = app.db.begin_read(&actor).await?;
    let shown = keys::rotate(&mut tx, &actor, &app.keys).await?;
    tx.commit().await?;
    app.keys.forget();
    tokio::spawn(async move {
        // Until then another server may not know the key, and could not open what it seals.
        tokio::time::sleep(Duration::from_secs(KEYS_CACHE_SECS + 1)).await;
        match keys::reseal(&app.db, &app.keys, &actor).await {
            Ok(done) => {
                tracing::info!(tenant = %actor.tenant, done.resealed, done.failed, "secrets are sealed anew")
            }
            Err(failure) => {
                tracing::error!(tenant = %actor.tenant, "sealing anew stopped; rotate again to go on: {failure}");
            }
        }
    });
    Ok((StatusCode::ACCEPTED, Json(shown)))
}
