//! Work over HTTP.

use axum::{Json, extract::State};
use muster_wire::{
    board::Board,
    work::{
        Claim, Claimed, Credentials, HeldLeases, Lease, LeaseStates, Leases, PutSession, Report, Reported, Session,
    },
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::secrets;
use crate::{
    actor::Actor,
    app::App,
    http::{Body, Problems, Query, Reply},
};

/// The routes of work.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(claim_work))
        .routes(routes!(list_held))
        .routes(routes!(get_board))
        .routes(routes!(report_work))
        .routes(routes!(extend_work))
        .routes(routes!(release_work))
        .routes(routes!(open_credentials))
        .routes(routes!(get_session, put_session))
}

/// Claims steps to work.
///
/// Bots get steps that bots may do, people those that are for people only. With `wait_ms` the answer waits for work. Each
/// step is leased: report it, extend it or release it before `expires_at`, or it counts as failed and goes to another.
#[utoipa::path(post, path = "/v1/work/claim", tag = "work", request_body = Claim,
    responses((status = 200, body = Claimed), Problems))]
async fn claim_work(State(app): State<App>, actor: Actor, Body(claim): Body<Claim>) -> Reply<Claimed> {
    Ok(Json(super::claim(&app, &actor, &claim).await?))
}

/// Gives the leases that the caller holds, with what is needed to work them: for a bot that was started again.
#[utoipa::path(get, path = "/v1/work/held", tag = "work", responses((status = 200, body = HeldLeases), Problems))]
async fn list_held(State(app): State<App>, actor: Actor) -> Reply<HeldLeases> {
    let mut tx = app.db.begin(&actor).await?;
    let held = super::held(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(held))
}

/// Gives the board: what stands at each step of the warm-up, who works on it, and what comes next.
#[utoipa::path(get, path = "/v1/work/board", tag = "work", responses((status = 200, body = Board), Problems))]
async fn get_board(State(app): State<App>, actor: Actor) -> Reply<Board> {
    let mut tx = app.db.begin(&actor).await?;
    let board = super::board(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(board))
}

/// Reports how leased steps ended.
///
/// Safe to repeat: a lease that was reported before is answered as a duplicate, with the outcome that was accepted then.
#[utoipa::path(post, path = "/v1/work/report", tag = "work", request_body = Report,
    responses((status = 200, body = Reported), Problems))]
async fn report_work(State(app): State<App>, actor: Actor, Body(report): Body<Report>) -> Reply<Reported> {
    Ok(Json(super::report(&app, &actor, report).await?))
}

/// Extends leases.
#[utoipa::path(post, path = "/v1/work/extend", tag = "work", request_body = Leases,
    responses((status = 200, body = LeaseStates), Problems))]
async fn extend_work(State(app): State<App>, actor: Actor, Body(leases): Body<Leases>) -> Reply<LeaseStates> {
    let mut tx = app.db.begin(&actor).await?;
    let states = super::extend(&mut tx, &actor, &app.settings, &leases).await?;
    tx.commit().await?;
    Ok(Json(states))
}

/// Gives leases back; no attempt is counted.
#[utoipa::path(post, path = "/v1/work/release", tag = "work", request_body = Leases,
    responses((status = 200, body = LeaseStates), Problems))]
async fn release_work(
    State(app): State<App>,
    actor: Actor,
    Body(leases): Body<Leases>,
) -> Reply<LeaseStates> {
    let mut tx = app.db.begin(&actor).await?;
    let states = super::release(&mut tx, &actor, &leases).await?;
    tx.commit().await?;
    app.work.notify(actor.tenant);
    Ok(Json(states))
}

/// Opens the credentials of leased accounts.
///
/// Each opening is written to the audit log. A lease that is not held opens nothing.
#[utoipa::path(post, path = "/v1/work/credentials", tag = "work", request_body = Leases,
    responses((status = 200, body = Credentials), Problems))]
async fn open_credentials(
    State(app): State<App>,
    actor: Actor,
    Body(leases): Body<Leases>,
) -> Reply<Credentials> {
    let mut tx = app.db.begin(&actor).await?;
    let credentials = secrets::credentials(&mut tx, &actor, &app.keys, &leases).await?;
    tx.commit().await?;
    Ok(Json(credentials))
}

/// Names a lease.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfLease {
    /// The lease, as the claim gave it.
    lease: Lease,
}

/// Gives the session data kept for a leased account.
#[utoipa::path(get, path = "/v1/work/session", tag = "work", params(OfLease),
    responses((status = 200, body = Session), Problems))]
async fn get_session(State(app): State<App>, actor: Actor, Query(of): Query<OfLease>) -> Reply<Session> {
    let mut tx = app.db.begin(&actor).await?;
    let session = secrets::session(&mut tx, &actor, &app.keys, of.lease).await?;
    tx.commit().await?;
    Ok(Json(session))
}

/// Keeps session data for a leased account, sealed, until another bot or a later run gets it.
#[utoipa::path(put, path = "/v1/work/session", tag = "work", params(OfLease), request_body = PutSession,
    responses((status = 200, body = Session), Problems))]
async fn put_session(
    State(app): State<App>,
    actor: Actor,
    Query(of): Query<OfLease>,
    Body(put): Body<PutSession>,
) -> Reply<Session> {
    let mut tx = app.db.begin(&actor).await?;
    let session = secrets::put_session(&mut tx, &actor, &app.keys, of.lease, &put).await?;
    tx.commit().await?;
    Ok(Json(session))
}
