//! `/v1/bots`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    BotId, Page,
    bots::{Bot, BotActivity, BotChange, NewBot},
    models::Because,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    bots,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
};

/// The routes of bots.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_bots, create_bot))
        .routes(routes!(get_bot, change_bot, delete_bot))
        .routes(routes!(get_bot_activity))
        .routes(routes!(pause_bot))
        .routes(routes!(resume_bot))
}

/// Lists bots. The filter takes `status:` and words that the name holds.
#[utoipa::path(get, path = "/v1/bots", tag = "bots", params(ListQuery),
    responses((status = 200, body = Page<Bot>), Problems))]
async fn list_bots(State(app): State<App>, actor: Actor, Query(query): Query<ListQuery>) -> Reply<Page<Bot>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(bots::list(&mut tx, &actor, listing).await?))
}

/// Makes a bot. It works with a token of its own.
#[utoipa::path(post, path = "/v1/bots", tag = "bots", params(IdempotencyKey), request_body = NewBot,
    responses((status = 201, body = Bot), Problems))]
async fn create_bot(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewBot>,
) -> Result<(StatusCode, Json<Bot>), Failure> {
    create
        .once(&app, &actor, async |tx, new| bots::add(tx, &actor, new).await)
        .await
}

/// Gives a bot.
#[utoipa::path(get, path = "/v1/bots/{id}", tag = "bots", params(("id" = BotId, Path)),
    responses((status = 200, body = Bot, headers(("ETag" = String))), Problems))]
async fn get_bot(State(app): State<App>, actor: Actor, Id(id): Id<BotId>) -> Result<Versioned<Bot>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(bots::get(&mut tx, &actor, id).await?))
}

/// Gives what a bot did in the last 15 minutes, and what went wrong in the last day.
#[utoipa::path(get, path = "/v1/bots/{id}/activity", tag = "bots", params(("id" = BotId, Path)),
    responses((status = 200, body = BotActivity), Problems))]
async fn get_bot_activity(State(app): State<App>, actor: Actor, Id(id): Id<BotId>) -> Reply<BotActivity> {
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(bots::activity(&mut tx, &actor, id).await?))
}

/// Changes a bot.
#[utoipa::path(patch, path = "/v1/bots/{id}", tag = "bots", params(("id" = BotId, Path), IfMatch), request_body = BotChange,
    responses((status = 200, body = Bot, headers(("ETag" = String))), Problems))]
async fn change_bot(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<BotId>,
    if_match: IfMatch,
    Body(change): Body<BotChange>,
) -> Result<Versioned<Bot>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let bot = bots::change(&mut tx, &actor, id, if_match, change).await?;
    tx.commit().await?;
    Ok(versioned(bot))
}

/// Deletes a bot that holds no lease; its tokens end with it.
#[utoipa::path(delete, path = "/v1/bots/{id}", tag = "bots", params(("id" = BotId, Path)),
    responses((status = 204), Problems))]
async fn delete_bot(State(app): State<App>, actor: Actor, Id(id): Id<BotId>) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    bots::delete(&mut tx, &actor, id).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a bot: it is given no more work, and told why.
#[utoipa::path(post, path = "/v1/bots/{id}/pause", tag = "bots", params(("id" = BotId, Path)), request_body = Because,
    responses((status = 200, body = Bot, headers(("ETag" = String))), Problems))]
async fn pause_bot(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<BotId>,
    Body(because): Body<Because>,
) -> Result<Versioned<Bot>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let bot = bots::pause(&mut tx, &actor, id, &because).await?;
    tx.commit().await?;
    Ok(versioned(bot))
}

/// Lets a bot go on.
#[utoipa::path(post, path = "/v1/bots/{id}/resume", tag = "bots", params(("id" = BotId, Path)),
    responses((status = 200, body = Bot, headers(("ETag" = String))), Problems))]
async fn resume_bot(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<BotId>,
) -> Result<Versioned<Bot>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let bot = bots::resume(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(versioned(bot))
}

fn versioned(body: Bot) -> Versioned<Bot> {
    Versioned {
        version: body.version,
        body,
    }
}
