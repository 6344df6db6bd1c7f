//! `/v1/operators` and `/v1/password`.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    OperatorId, Page,
    operators::{NewOperator, NewPassword, Operator, OperatorChange, PasswordLink},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    operators,
    problem::Failure,
    sessions::From,
};

/// The routes of operators.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_operators, create_operator))
        .routes(routes!(get_operator, change_operator, delete_operator))
        .routes(routes!(create_password_link))
        .routes(routes!(forget_second_factor))
        .routes(routes!(set_password))
}

/// Lists the members of the tenant. The filter takes `role:` and words that the name or the address holds.
#[utoipa::path(get, path = "/v1/operators", tag = "operators", params(ListQuery),
    responses((status = 200, body = Page<Operator>), Problems))]
async fn list_operators(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Operator>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    Ok(Json(operators::list(&mut tx, &actor, listing).await?))
}

/// Makes a person a member of the tenant. They sign in once they have set a password by a password link, or with the one
/// they have.
#[utoipa::path(post, path = "/v1/operators", tag = "operators", params(IdempotencyKey), request_body = NewOperator,
    responses((status = 201, body = Operator), Problems))]
async fn create_operator(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewOperator>,
) -> Result<(StatusCode, Json<Operator>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            operators::add(tx, &actor, new).await
        })
        .await
}

/// Gives a member of the tenant.
#[utoipa::path(get, path = "/v1/operators/{id}", tag = "operators", params(("id" = OperatorId, Path)),
    responses((status = 200, body = Operator, headers(("ETag" = String))), Problems))]
async fn get_operator(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<OperatorId>,
) -> Result<Versioned<Operator>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    Ok(versioned(operators::get(&mut tx, &actor, id).await?))
}

/// Gives a member another role. The last owner stays one.
#[utoipa::path(patch, path = "/v1/operators/{id}", tag = "operators", params(("id" = OperatorId, Path), IfMatch),
    request_body = OperatorChange, responses((status = 200, body = Operator, headers(("ETag" = String))), Problems))]
async fn change_operator(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<OperatorId>,
    if_match: IfMatch,
    Body(change): Body<OperatorChange>,
) -> Result<Versioned<Operator>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let operator = operators::change(&mut tx, &actor, id, if_match, change).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(versioned(operator))
}

/// Ends a membership; the person's sessions and tokens in this tenant end with it. The last owner stays.
#[utoipa::path(delete, path = "/v1/operators/{id}", tag = "operators", params(("id" = OperatorId, Path)),
    responses((status = 204), Problems))]
async fn delete_operator(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<OperatorId>,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    operators::remove(&mut tx, &actor, id).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// Makes what lets a member set their password, once, within 24 hours. Shown this once.
#[utoipa::path(post, path = "/v1/operators/{id}/password-link", tag = "operators", params(("id" = OperatorId, Path)),
    responses((status = 201, body = PasswordLink), Problems))]
async fn create_password_link(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<OperatorId>,
) -> Result<(StatusCode, Json<PasswordLink>), Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let link = operators::password_link(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(link)))
}

/// Takes the second factor from a member who has lost their device: their password alone lets them in until they set up
/// another.
#[utoipa::path(delete, path = "/v1/operators/{id}/second-factor", tag = "operators", params(("id" = OperatorId, Path)),
    responses((status = 204), Problems))]
async fn forget_second_factor(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<OperatorId>,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    operators::forget_second_factor(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets the password of the person whom the link was given to; their sessions end.
#[utoipa::path(post, path = "/v1/password", tag = "operators", security(()), request_body = NewPassword,
    responses((status = 204), Problems))]
async fn set_password(
    State(app): State<App>,
    from: From,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, Failure> {
    app.gate.passwords.admit(from.address, None)?;
    operators::set_password(&app.db, &app.gate.passwords, &from, new).await?;
    app.gate.forget();
    Ok(StatusCode::NO_CONTENT)
}

fn versioned(body: Operator) -> Versioned<Operator> {
    Versioned {
        version: body.version,
        body,
    }
}
