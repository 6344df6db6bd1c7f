//! `/v1/texts`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    Page, TextId,
    texts::{NewText, Text, TextChange},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
    texts,
};

/// The routes of texts.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_texts, create_text))
        .routes(routes!(get_text, change_text, delete_text))
}

/// Lists texts. The filter takes `model:` (name or id), `type:`, `template:`, `unused:`, `duplicate:`, and
/// words that the text holds.
#[utoipa::path(get, path = "/v1/texts", tag = "texts", params(ListQuery),
    responses((status = 200, body = Page<Text>), Problems))]
async fn list_texts(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Text>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(texts::list(&mut tx, &actor, listing).await?))
}

/// Makes a text.
#[utoipa::path(post, path = "/v1/texts", tag = "texts", params(IdempotencyKey), request_body = NewText,
    responses((status = 201, body = Text), Problems))]
async fn create_text(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewText>,
) -> Result<(StatusCode, Json<Text>), Failure> {
    create
        .once(&app, &actor, async |tx, new| texts::create(tx, &actor, new).await)
        .await
}

/// Gives a text.
#[utoipa::path(get, path = "/v1/texts/{id}", tag = "texts", params(("id" = TextId, Path)),
    responses((status = 200, body = Text, headers(("ETag" = String))), Problems))]
async fn get_text(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<TextId>,
) -> Result<Versioned<Text>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(texts::get(&mut tx, &actor, id).await?))
}

/// Changes a text.
#[utoipa::path(patch, path = "/v1/texts/{id}", tag = "texts", params(("id" = TextId, Path), IfMatch),
    request_body = TextChange, responses((status = 200, body = Text, headers(("ETag" = String))), Problems))]
async fn change_text(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<TextId>,
    if_match: IfMatch,
    Body(change): Body<TextChange>,
) -> Result<Versioned<Text>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let text = texts::change(&mut tx, &actor, id, if_match, change).await?;
    tx.commit().await?;
    Ok(versioned(text))
}

/// Deletes a text.
#[utoipa::path(delete, path = "/v1/texts/{id}", tag = "texts", params(("id" = TextId, Path), IfMatch),
    responses((status = 204), Problems))]
async fn delete_text(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<TextId>,
    if_match: IfMatch,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    texts::delete(&mut tx, &actor, id, if_match).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn versioned(text: Text) -> Versioned<Text> {
    Versioned {
        version: text.version,
        body: text,
    }
}
