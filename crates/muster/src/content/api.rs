//! `/v1/content`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    ContentId, Page,
    content::{Content, ContentChange, Coverage, NewContent},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    content,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    models,
    problem::Failure,
};

/// The routes of content.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_content, create_content))
        .routes(routes!(get_coverage))
        .routes(routes!(get_content, change_content, delete_content))
}

/// Lists content. The filter takes `model:` (name or id), `type:`, `template:`, `unused:`, `duplicate:`, and words that the
/// text or the picture's address holds.
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

/// Gives how long what models have lasts: for each model its pools, in the order of the steps. The filter and the limit are
/// those of the list of models.
#[utoipa::path(get, path = "/v1/content/coverage", tag = "content", params(ListQuery),
    responses((status = 200, body = Page<Coverage>), Problems))]
async fn get_coverage(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Coverage>> {
    Ok(Json(covered(&app, &actor, query).await?))
}

/// The coverage of the models that a query asks for.
pub(super) async fn covered(app: &App, actor: &Actor, query: ListQuery) -> Result<Page<Coverage>, Failure> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(actor).await?;
    let page = models::list(&mut tx, actor, listing).await?;
    let ids: Vec<_> = page.items.iter().map(|model| model.id.0).collect();
    let items = content::coverage(&mut tx, actor, &ids).await?;
    tx.commit().await?;
    Ok(Page {
        items,
        next: page.next,
    })
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
