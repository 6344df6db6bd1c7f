//! `/v1/batches`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    BatchId, Page,
    batches::{Batch, BatchDetail, NewBatch, UndoBatch},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    batches,
    http::{Body, Id, ListQuery, Problems, Query, Reply},
    problem::{Failure, Refusal},
};

/// The routes of batches.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_batches, create_batch))
        .routes(routes!(get_batch))
        .routes(routes!(cancel_batch))
        .routes(routes!(undo_batch))
}

/// Lists batches, the newest first.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(ListQuery),
    responses((status = 200, body = Page<Batch>), Problems))]
async fn list_batches(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Batch>> {
    let mut listing = query.read()?;
    listing.take_filter().finish().map_err(Refusal::invalid)?;
    let mut tx = app.db.begin(&actor).await?;
    let rows = batches::list(&mut tx, &actor, listing.after, listing.fetch()).await?;
    tx.commit().await?;
    Ok(Json(listing.page(rows, |batch| batch.id.0)))
}

/// Asks for a change of many accounts. It is done in parts, after a moment in which it can be taken back.
#[utoipa::path(post, path = "/v1/batches", tag = "batches", request_body = NewBatch,
    responses((status = 201, body = Batch), Problems))]
async fn create_batch(
    State(app): State<App>,
    actor: Actor,
    Body(new): Body<NewBatch>,
) -> Result<(StatusCode, Json<Batch>), Failure> {
    let mut tx = app.db.begin_read(&actor).await?;
    let batch = batches::create(&mut tx, &actor, &new).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(batch)))
}

/// Gives a batch, with the accounts that it refused.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", params(("id" = BatchId, Path)),
    responses((status = 200, body = BatchDetail), Problems))]
async fn get_batch(State(app): State<App>, actor: Actor, Id(id): Id<BatchId>) -> Reply<BatchDetail> {
    let mut tx = app.db.begin(&actor).await?;
    let detail = batches::detail(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Json(detail))
}

/// Takes a batch back. What it has done already stays done.
#[utoipa::path(post, path = "/v1/batches/{id}/cancel", tag = "batches", params(("id" = BatchId, Path)),
    responses((status = 200, body = Batch), Problems))]
async fn cancel_batch(State(app): State<App>, actor: Actor, Id(id): Id<BatchId>) -> Reply<Batch> {
    let mut tx = app.db.begin(&actor).await?;
    let batch = batches::cancel(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Json(batch))
}

/// Asks for what a batch did to be taken back, within 24 hours of its end. That is a batch too; it leaves each account that was
/// changed since as it is, and names it.
#[utoipa::path(post, path = "/v1/batches/{id}/undo", tag = "batches", params(("id" = BatchId, Path)), request_body = UndoBatch,
    responses((status = 201, body = Batch), Problems))]
async fn undo_batch(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<BatchId>,
    Body(asked): Body<UndoBatch>,
) -> Result<(StatusCode, Json<Batch>), Failure> {
    let mut tx = app.db.begin_read(&actor).await?;
    let batch = batches::undo::create(&mut tx, &actor, id, &asked).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(batch)))
}
