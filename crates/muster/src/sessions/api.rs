//! `/v1/sessions`.

use std::net::SocketAddr;

use axum::{
    Extension, Json,
    extract::{ConnectInfo, FromRequestParts, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use muster_wire::{
    OperatorId, Page,
    operators::{Session, SignIn, SignedIn},
};
use secrecy::{ExposeSecret, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::{RequestId, SESSION_COOKIE, TokenHash, same_origin},
    actor::Actor,
    app::App,
    http::{Body, Problems, Reply},
    problem::{Bug, Failure, Kind, Refusal},
    sessions::{self, Entered, From},
};

/// The routes of sessions.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_in, list_sessions))
        .routes(routes!(revoke_session))
}

/// The cookie that holds a session until the browser closes: no script reads it, and it goes out over TLS only.
pub fn cookie(token: &SecretString) -> HeaderValue {
    let text = format!(
        "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax",
        token.expose_secret()
    );
    let mut value = HeaderValue::from_str(&text).expect("a token is letters, digits and underscores");
    value.set_sensitive(true);
    value
}

/// The cookie that takes the session from the browser.
pub fn no_cookie() -> HeaderValue {
    let text = format!("{SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    HeaderValue::from_str(&text).expect("it is visible ASCII")
}

/// Signs a person in; the session is in the cookie that is set. The same answer is given to a wrong address and to a wrong
/// password; where they have a second factor in the tenant, its code is needed too. A program signs in with a token instead.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", security(()), request_body = SignIn,
    responses((status = 201, body = SignedIn, headers(("Set-Cookie" = String))), Problems))]
async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    from: From,
    Body(sign_in): Body<SignIn>,
) -> Result<Response, Failure> {
    same_origin(&headers)?;
    let entered = sessions::sign_in(&app.db, &app.keys, &app.gate.passwords, &from, sign_in).await?;
    let Entered::SignedIn(who, token) = entered else {
        let detail = "this person has a second factor here: give the code that their device shows as `code`";
        return Err(Refusal::new(Kind::Unauthenticated, "code_needed", detail).into());
    };
    Ok((
        StatusCode::CREATED,
        [(header::SET_COOKIE, cookie(&token))],
        Json(who),
    )
        .into_response())
}

/// Lists the caller's sessions that are good now.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", responses((status = 200, body = Page<Session>), Problems))]
async fn list_sessions(
    State(app): State<App>,
    actor: Actor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
) -> Reply<Page<Session>> {
    let mut tx = app.db.begin(&actor).await?;
    let items = sessions::list(&mut tx, &actor, person(&actor)?, &presented).await?;
    Ok(Json(Page { items, next: None }))
}

/// Ends a session of the caller's: the one that this request is made with when the id is `current`.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn revoke_session(
    State(app): State<App>,
    actor: Actor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let current = sessions::id(&presented);
    let id = if id == "current" { current.clone() } else { id };
    let mut tx = app.db.begin(&actor).await?;
    sessions::revoke(&mut tx, &actor, person(&actor)?, &id).await?;
    tx.commit().await?;
    app.gate.forget();
    let mut response = StatusCode::NO_CONTENT.into_response();
    if id == current {
        response.headers_mut().insert(header::SET_COOKIE, no_cookie());
    }
    Ok(response)
}

fn person(actor: &Actor) -> Result<OperatorId, Bug> {
    actor
        .operator()
        .ok_or_else(|| Bug::new("the gate lets only people here"))
}

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            address: parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0.ip()),
            user_agent: parts
                .headers
                .get(header::USER_AGENT)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            request: parts
                .extensions
                .get::<RequestId>()
                .map_or_else(Uuid::now_v7, |id| id.0),
        })
    }
}
