//! `/v1/models`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    ModelId, Page,
    models::{Because, Model, ModelChange, ModelStatus, NewModel},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    models,
    problem::Failure,
};

/// The routes of models.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_models, create_model))
        .routes(routes!(get_model, change_model, delete_model))
        .routes(routes!(pause_model))
        .routes(routes!(resume_model))
}

/// Lists models. The filter takes `status:` and words that the name holds.
#[utoipa::path(get, path = "/v1/models", tag = "models", params(ListQuery),
    responses((status = 200, body = Page<Model>), Problems))]
async fn list_models(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Model>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(models::list(&mut tx, &actor, listing).await?))
}

/// Makes a model.
#[utoipa::path(post, path = "/v1/models", tag = "models", params(IdempotencyKey), request_body = NewModel,
    responses((status = 201, body = Model), Problems))]
async fn create_model(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewModel>,
) -> Result<(StatusCode, Json<Model>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            models::create(tx, &actor, new).await
        })
        .await
}

/// Gives a model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "models", params(("id" = ModelId, Path)),
    responses((status = 200, body = Model, headers(("ETag" = String))), Problems))]
async fn get_model(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ModelId>,
) -> Result<Versioned<Model>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(models::get(&mut tx, &actor, id).await?))
}

/// Changes a model.
#[utoipa::path(patch, path = "/v1/models/{id}", tag = "models", params(("id" = ModelId, Path), IfMatch),
    request_body = ModelChange, responses((status = 200, body = Model, headers(("ETag" = String))), Problems))]
async fn change_model(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ModelId>,
    if_match: IfMatch,
    Body(change): Body<ModelChange>,
) -> Result<Versioned<Model>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let model = models::change(&mut tx, &actor, id, if_match, change).await?;
    tx.commit().await?;
    Ok(versioned(model))
}

/// Deletes a model to which no account belongs, with its content and texts.
#[utoipa::path(delete, path = "/v1/models/{id}", tag = "models", params(("id" = ModelId, Path), IfMatch),
    responses((status = 204), Problems))]
async fn delete_model(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ModelId>,
    if_match: IfMatch,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    models::delete(&mut tx, &actor, id, if_match).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a model: its accounts are not handed out until it is resumed.
#[utoipa::path(post, path = "/v1/models/{id}/pause", tag = "models", params(("id" = ModelId, Path)),
    request_body = Because, responses((status = 200, body = Model, headers(("ETag" = String))), Problems))]
async fn pause_model(
    state: State<App>,
    actor: Actor,
    id: Id<ModelId>,
    because: Body<Because>,
) -> Result<Versioned<Model>, Failure> {
    set_status(state, actor, id, ModelStatus::Paused, because).await
}

/// Resumes a model: its accounts are handed out again.
#[utoipa::path(post, path = "/v1/models/{id}/resume", tag = "models", params(("id" = ModelId, Path)),
    request_body = Because, responses((status = 200, body = Model, headers(("ETag" = String))), Problems))]
async fn resume_model(
    state: State<App>,
    actor: Actor,
    id: Id<ModelId>,
    because: Body<Because>,
) -> Result<Versioned<Model>, Failure> {
    set_status(state, actor, id, ModelStatus::Active, because).await
}

async fn set_status(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ModelId>,
    status: ModelStatus,
    Body(because): Body<Because>,
) -> Result<Versioned<Model>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let model = models::set_status(&mut tx, &actor, id, status, &because).await?;
    tx.commit().await?;
    Ok(versioned(model))
}

fn versioned(model: Model) -> Versioned<Model> {
    Versioned {
        version: model.version,
        body: model,
    }
}
