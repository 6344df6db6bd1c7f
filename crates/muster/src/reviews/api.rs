//! Reviews over HTTP.

use axum::{Json, extract::State};
use muster_wire::{
    AccountId, Page,
    accounts::{Account, Count, Transitions},
    reviews::{NewDecision, NewDecisions, Review},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    accounts::{self, api::CountQuery, filter::AccountFilter},
    actor::Actor,
    app::App,
    http::{Body, Id, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
};

/// The routes of reviews.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_reviews, decide_reviews))
        .routes(routes!(count_reviews))
        .routes(routes!(decide_review))
}

/// Lists the accounts that wait for a decision, those that have waited longest first. Qualifiers: `kind:` (finished,
/// escalated or flagged), and those of accounts but for `state:`.
#[utoipa::path(get, path = "/v1/reviews", tag = "reviews", params(ListQuery),
    responses((status = 200, body = Page<Review>), Problems))]
async fn list_reviews(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Review>> {
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::list(&mut tx, &actor, query).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Counts the reviews that match, as the accounts are counted.
#[utoipa::path(get, path = "/v1/reviews/count", tag = "reviews", params(CountQuery),
    responses((status = 200, body = Count), Problems))]
async fn count_reviews(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<CountQuery>,
) -> Reply<Count> {
    let mut tx = app.db.begin_read(&actor).await?;
    let filter = AccountFilter::reviews(&mut tx, &actor, query.read()).await?;
    let count = accounts::count(&mut tx, &actor, &filter, query.exactly).await?;
    tx.commit().await?;
    Ok(Json(count))
}

/// Decides one review: approves, resumes or rejects. When somebody has decided before, says what.
#[utoipa::path(post, path = "/v1/reviews/{account_id}", tag = "reviews", request_body = NewDecision,
    params(("account_id" = i64, Path)), responses((status = 200, body = Account), Problems))]
async fn decide_review(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Body(asked): Body<NewDecision>,
) -> Result<Versioned<Account>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let body = super::decide(&mut tx, &actor, id, &asked).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Decides many reviews in the same way: all that match a filter, whose number has to be stated, or those named.
#[utoipa::path(post, path = "/v1/reviews", tag = "reviews", request_body = NewDecisions,
    responses((status = 200, body = Transitions), Problems))]
async fn decide_reviews(
    State(app): State<App>,
    actor: Actor,
    Body(asked): Body<NewDecisions>,
) -> Reply<Transitions> {
    let mut tx = app.db.begin_read(&actor).await?;
    let decided = super::decide_all(&mut tx, &actor, asked).await?;
    tx.commit().await?;
    Ok(Json(decided))
}
