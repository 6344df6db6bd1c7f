//! `/v1/tenant`.

use axum::extract::State;
use muster_wire::{
    models::Because,
    tenants::{Tenant, TenantChange},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Body, IfMatch, Problems, Versioned},
    problem::Failure,
    tenants,
};

/// The routes of the tenant.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_tenant, change_tenant))
        .routes(routes!(pause_tenant))
        .routes(routes!(resume_tenant))
}

/// Gives the tenant that the caller acts in.
#[utoipa::path(get, path = "/v1/tenant", tag = "tenant",
    responses((status = 200, body = Tenant, headers(("ETag" = String))), Problems))]
async fn get_tenant(State(app): State<App>, actor: Actor) -> Result<Versioned<Tenant>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(tenants::get(&mut tx, &actor).await?))
}

/// Changes the tenant's name or its allowance of requests.
#[utoipa::path(patch, path = "/v1/tenant", tag = "tenant", params(IfMatch), request_body = TenantChange,
    responses((status = 200, body = Tenant, headers(("ETag" = String))), Problems))]
async fn change_tenant(
    State(app): State<App>,
    actor: Actor,
    if_match: IfMatch,
    Body(change): Body<TenantChange>,
) -> Result<Versioned<Tenant>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let tenant = tenants::change(&mut tx, &actor, if_match, change).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(versioned(tenant))
}

/// Pauses the tenant: no step is handed out, and bots are told why.
#[utoipa::path(post, path = "/v1/tenant/pause", tag = "tenant", request_body = Because,
    responses((status = 200, body = Tenant, headers(("ETag" = String))), Problems))]
async fn pause_tenant(
    State(app): State<App>,
    actor: Actor,
    Body(because): Body<Because>,
) -> Result<Versioned<Tenant>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let tenant = tenants::pause(&mut tx, &actor, &because).await?;
    tx.commit().await?;
    Ok(versioned(tenant))
}

/// Lets the tenant go on.
#[utoipa::path(post, path = "/v1/tenant/resume", tag = "tenant",
    responses((status = 200, body = Tenant, headers(("ETag" = String))), Problems))]
async fn resume_tenant(State(app): State<App>, actor: Actor) -> Result<Versioned<Tenant>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let tenant = tenants::resume(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(versioned(tenant))
}

fn versioned(body: Tenant) -> Versioned<Tenant> {
    Versioned {
        version: body.version,
        body,
    }
}
