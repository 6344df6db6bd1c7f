//! `/v1/tokens`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    Page, TokenId,
    tokens::{IssuedToken, NewToken, Rotation, Token},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Body, Id, ListQuery, Problems, Query, Reply},
    problem::Failure,
    tokens,
};

/// The routes of tokens.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(get_token, revoke_token))
        .routes(routes!(rotate_token))
}

/// Lists the caller's tokens; everybody's for those who administer. The filter takes `kind:`, `state:`, `bot:` and
/// `operator:`.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(ListQuery),
    responses((status = 200, body = Page<Token>), Problems))]
async fn list_tokens(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Token>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(tokens::list(&mut tx, &actor, listing).await?))
}

/// Makes a token. Its secret is shown this once; the answer is not kept, so an `Idempotency-Key` has no effect here.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = IssuedToken), Problems))]
async fn create_token(
    State(app): State<App>,
    actor: Actor,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<IssuedToken>), Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let issued = tokens::create(&mut tx, &actor, new).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Gives a token, without its secret.
#[utoipa::path(get, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 200, body = Token), Problems))]
async fn get_token(State(app): State<App>, actor: Actor, Id(id): Id<TokenId>) -> Reply<Token> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(Json(tokens::get(&mut tx, &actor, id).await?))
}

/// Revokes a token: at once on this server, within five seconds on others.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 204), Problems))]
async fn revoke_token(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<TokenId>,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    tokens::revoke(&mut tx, &actor, id).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the successor of a token; the old one stays good for the overlap. The secret is shown this once.
#[utoipa::path(post, path = "/v1/tokens/{id}/rotate", tag = "tokens", params(("id" = TokenId, Path)),
    request_body = Rotation, responses((status = 201, body = IssuedToken), Problems))]
async fn rotate_token(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<TokenId>,
    Body(rotation): Body<Rotation>,
) -> Result<(StatusCode, Json<IssuedToken>), Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let issued = tokens::rotate(&mut tx, &actor, id, &rotation).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok((StatusCode::CREATED, Json(issued)))
}
