//! `/v1/content`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    ContentId, Page,
    content::{Content, ContentChange, NewContent},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    content,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
};

/// The routes of content.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_content, create_content))
        .routes(routes!(get_content, change_content, delete_content))
}

/// Lists content. The filter takes `model:` (name or id), `type:`, `template:`, `unused:`, and words that the text or the
/// picture's address holds.
#[utoipa::path(get, path = "/v1/content", tag = "content", params(ListQuery),
    responses((status = 200, body = Page<Content>), Problems))]
async fn list_content(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Content>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(content::list(&mut tx, &actor, listing).await?))
}

/// Makes an item of content.
#[utoipa::path(post, path = "/v1/content", tag = "content", params(IdempotencyKey), request_body = NewContent,
    responses((status = 201, body = Content), Problems))]
async fn create_content(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewContent>,
) -> Result<(StatusCode, Json<Content>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            content::create(tx, &actor, new).await
        })
        .await
}

/// Gives an item of content.
#[utoipa::path(get, path = "/v1/content/{id}", tag = "content", params(("id" = ContentId, Path)),
    responses((status = 200, body = Content, headers(("ETag" = String))), Problems))]
async fn get_content(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ContentId>,
) -> Result<Versioned<Content>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(content::get(&mut tx, &actor, id).await?))
}

/// Changes an item of content.
#[utoipa::path(patch, path = "/v1/content/{id}", tag = "content", params(("id" = ContentId, Path), IfMatch),
    request_body = ContentChange, responses((status = 200, body = Content, headers(("ETag" = String))), Problems))]
async fn change_content(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ContentId>,
    if_match: IfMatch,
    Body(change): Body<ContentChange>,
) -> Result<Versioned<Content>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let content = content::change(&mut tx, &actor, id, if_match, change).await?;
    tx.commit().await?;
    Ok(versioned(content))
}

/// Deletes an item of content.
#[utoipa::path(delete, path = "/v1/content/{id}", tag = "content", params(("id" = ContentId, Path), IfMatch),
    responses((status = 204), Problems))]
async fn delete_content(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ContentId>,
    if_match: IfMatch,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    content::delete(&mut tx, &actor, id, if_match).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn versioned(content: Content) -> Versioned<Content> {
    Versioned {
        version: content.version,
        body: content,
    }
}
