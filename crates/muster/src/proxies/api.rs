//! Proxies over HTTP.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    AccountId, Page, ProxyId,
    proxies::{
        Assign, Assigned, Capacity, MoveAway, MovedAway, NewProxy, Placed, ProxiesTested, Proxy, ProxyChange,
        SetProxy, TestProxies,
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{assign, test};
use crate::{
    actor::Actor,
    app::App,
    http::{Body, Create, Id, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
};

/// The routes of proxies.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_proxies, create_proxy))
        .routes(routes!(get_capacity))
        .routes(routes!(get_proxy, update_proxy, delete_proxy))
        .routes(routes!(assign_proxies))
        .routes(routes!(test_proxies))
        .routes(routes!(move_away))
        .routes(routes!(set_account_proxy))
}

/// Lists proxies. Qualifiers: `status:`, `model:` (name, id or none), `provider:`, `location:`, `room:` (yes or no), and
/// words in the host.
#[utoipa::path(get, path = "/v1/proxies", tag = "proxies", params(ListQuery),
    responses((status = 200, body = Page<Proxy>), Problems))]
async fn list_proxies(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Proxy>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::list(&mut tx, &actor, listing).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Makes a proxy.
#[utoipa::path(post, path = "/v1/proxies", tag = "proxies", request_body = NewProxy,
    responses((status = 201, body = Proxy), Problems))]
async fn create_proxy(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewProxy>,
) -> Result<(StatusCode, Json<Proxy>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            super::create(tx, &actor, &app.keys, new).await
        })
        .await
}

/// Gives how much the proxies carry, how they are, and what they cost, by model and by location.
#[utoipa::path(get, path = "/v1/proxies/capacity", tag = "proxies", responses((status = 200, body = Capacity), Problems))]
async fn get_capacity(State(app): State<App>, actor: Actor) -> Reply<Capacity> {
    let mut tx = app.db.begin(&actor).await?;
    let capacity = super::capacity(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(capacity))
}

/// Gives a proxy, without its password.
#[utoipa::path(get, path = "/v1/proxies/{id}", tag = "proxies", params(("id" = i64, Path)),
    responses((status = 200, body = Proxy), Problems))]
async fn get_proxy(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ProxyId>,
) -> Result<Versioned<Proxy>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let body = super::get(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Changes a proxy: absent fields stay, `null` clears. The accounts that it carries stay with it.
#[utoipa::path(patch, path = "/v1/proxies/{id}", tag = "proxies", request_body = ProxyChange,
    params(("id" = i64, Path), ("If-Match" = Option<String>, Header)), responses((status = 200, body = Proxy), Problems))]
async fn update_proxy(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ProxyId>,
    version: IfMatch,
    Body(change): Body<ProxyChange>,
) -> Result<Versioned<Proxy>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let body = super::update(&mut tx, &actor, &app.keys, id, version, change).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Deletes a proxy that no account uses.
#[utoipa::path(delete, path = "/v1/proxies/{id}", tag = "proxies",
    params(("id" = i64, Path), ("If-Match" = Option<String>, Header)), responses((status = 204), Problems))]
async fn delete_proxy(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ProxyId>,
    version: IfMatch,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    super::delete(&mut tx, &actor, id, version).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives imported accounts a proxy each, spread evenly, and says which got none and why.
#[utoipa::path(post, path = "/v1/proxies/assign", tag = "proxies", request_body = Assign,
    responses((status = 200, body = Assigned), Problems))]
async fn assign_proxies(
    State(app): State<App>,
    actor: Actor,
    Body(request): Body<Assign>,
) -> Reply<Assigned> {
    let mut tx = app.db.begin_read(&actor).await?;
    let answer = assign::assign(&mut tx, &actor, &request).await?;
    if !request.dry_run {
        tx.commit().await?;
    }
    Ok(Json(answer))
}

/// Tests proxies by connecting through each to the target in the server's settings.
#[utoipa::path(post, path = "/v1/proxies/test", tag = "proxies", request_body = TestProxies,
    responses((status = 200, body = ProxiesTested), Problems))]
async fn test_proxies(
    State(app): State<App>,
    actor: Actor,
    Body(request): Body<TestProxies>,
) -> Reply<ProxiesTested> {
    Ok(Json(test::test(&app, &actor, &request).await?))
}

/// Moves every account of a proxy to others, and says which could not be moved.
#[utoipa::path(post, path = "/v1/proxies/{id}/move", tag = "proxies", request_body = MoveAway, params(("id" = i64, Path)),
    responses((status = 200, body = MovedAway), Problems))]
async fn move_away(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ProxyId>,
    Body(request): Body<MoveAway>,
) -> Reply<MovedAway> {
    let mut tx = app.db.begin_read(&actor).await?;
    let answer = assign::move_away(&mut tx, &actor, id, &request).await?;
    if !request.dry_run {
        tx.commit().await?;
    }
    Ok(Json(answer))
}

/// Gives an account a proxy, in place of the one that it has, if it has one.
#[utoipa::path(post, path = "/v1/accounts/{id}/proxy", tag = "proxies", request_body = SetProxy, params(("id" = i64, Path)),
    responses((status = 200, body = Placed), Problems))]
async fn set_account_proxy(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Body(request): Body<SetProxy>,
) -> Reply<Placed> {
    let mut tx = app.db.begin(&actor).await?;
    let placed = assign::set(&mut tx, &actor, id, request.proxy_id).await?;
    tx.commit().await?;
    Ok(Json(placed))
}
