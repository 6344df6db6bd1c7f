//! `/v1/content`.

use axum::{
    Json,
    body::{Body as RawBody, to_bytes},
    extract::State,
    http::StatusCode,
};
use muster_wire::{
    ContentId, ModelId, Page,
    content::{Content, ContentChange, ContentType, Coverage, NewContent, PICTURE_BYTES_MAX},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    content,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    models,
    problem::{Bug, Failure, Kind, Refusal},
};

/// The routes of content.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_content, create_content))
        .routes(routes!(get_coverage))
        .routes(routes!(upload_content))
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

/// What uploaded pictures are to be.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// The model that it belongs to.
    model_id: ModelId,
    /// What it is for.
    content_type: ContentType,
    /// The text that goes with the picture.
    #[serde(default)]
    #[param(max_length = 10000)]
    text_content: Option<String>,
    /// Whether the text has variables, to be filled in for each account.
    #[serde(default)]
    is_template: bool,
    /// Of what was used equally often, the lower comes first; 0 when absent.
    #[serde(default)]
    order_priority: i32,
}

/// Makes an item of content of a picture, which Muster keeps. The body is the picture itself: JPEG, PNG or WebP, at most 8 MiB.
#[utoipa::path(post, path = "/v1/content/upload", tag = "content", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Content), Problems))]
async fn upload_content(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<UploadQuery>,
    body: RawBody,
) -> Result<(StatusCode, Json<Content>), Failure> {
    let bytes = to_bytes(body, PICTURE_BYTES_MAX).await.map_err(|_| {
        let detail = "the picture broke off, or has more than 8 MiB: make it smaller";
        Refusal::new(Kind::TooLarge, "too_large", detail)
    })?;
    let new = NewContent {
        model_id: query.model_id,
        content_type: query.content_type,
        image_url: String::new(),
        text_content: query.text_content,
        is_template: query.is_template,
        order_priority: query.order_priority,
    };
    let mut tx = app.db.begin(&actor).await?;
    let made = content::upload(&mut tx, &actor, &new, &[("body".to_owned(), bytes.to_vec())]).await?;
    tx.commit().await?;
    let made = made
        .into_iter()
        .next()
        .ok_or_else(|| Bug::new("a picture was uploaded and nothing made"))?;
    Ok((StatusCode::CREATED, Json(made)))
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
