//! Accounts and their transitions over HTTP.

use axum::{Json, extract::State, http::StatusCode};
use muster_wire::{
    AccountId, Filter, Page, ViewId,
    accounts::{
        Account, AccountChange, Attempt, Authorisation, Count, HistoryEntry, NewAccount, NewNote,
        NewTransition, NewTransitions, Note, Reveal, Revealed, Transitions,
    },
    views::{NewView, View},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    filter::AccountFilter,
    lifecycle::{self, Bulk, Which},
    refuse,
};
use crate::{
    actor::Actor,
    app::App,
    http::{Body, Create, Id, IdempotencyKey, IfMatch, ListQuery, Problems, Query, Reply, Versioned},
    problem::Failure,
};

/// The routes of accounts.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts, create_account))
        .routes(routes!(count_accounts))
        .routes(routes!(transition_accounts))
        .routes(routes!(get_account, update_account))
        .routes(routes!(list_account_history))
        .routes(routes!(list_account_attempts))
        .routes(routes!(list_account_authorisations))
        .routes(routes!(reveal_account))
        .routes(routes!(transition_account))
        .routes(routes!(list_notes, add_note))
        .routes(routes!(list_views, create_view))
        .routes(routes!(delete_view))
}

/// Lists accounts. Qualifiers: `model:` (name, id or none), `state:`, `status:`, `proxy:` (id or none), `step:` (1 to 5 or
/// its name), `stuck:` (`>2d`), `authorisation:` (lapsed, none, `<30d`), `review:` (yes or no), `hold:` (its reason, or none),
/// and words with which user names begin.
///
/// The order is that of an index that serves the filter: with words, that of the user names; with `authorisation:` (lapsed or
/// `<`), the first to end first; with `state:`, the longest in it first; that of the ids otherwise. A page may hold fewer than
/// `limit` although there are more, where few of the accounts that were looked at match: go on while there is `next`.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", params(ListQuery),
    responses((status = 200, body = Page<Account>), Problems))]
async fn list_accounts(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Account>> {
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::list(&mut tx, &actor, query).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// What is to be counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CountQuery {
    /// Which items, in the grammar of the list; all when absent.
    #[serde(default)]
    pub filter: Option<String>,
    /// Whether every account may be looked at, however long that takes, to count exactly.
    #[serde(default)]
    pub exactly: bool,
}

impl CountQuery {
    /// The filter.
    pub fn read(&self) -> Filter {
        Filter::parse(self.filter.as_deref().unwrap_or_default())
    }
}

/// Counts the accounts that match. By state, status and model, and where few match, exactly and at once; otherwise `exact` is
/// false and there are at least as many. With `exactly=true` all are looked at, which takes as long as it takes.
#[utoipa::path(get, path = "/v1/accounts/count", tag = "accounts", params(CountQuery),
    responses((status = 200, body = Count), Problems))]
async fn count_accounts(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<CountQuery>,
) -> Reply<Count> {
    let mut tx = app.db.begin_read(&actor).await?;
    let filter = AccountFilter::accounts(&mut tx, &actor, query.read()).await?;
    let count = super::count(&mut tx, &actor, &filter, query.exactly).await?;
    tx.commit().await?;
    Ok(Json(count))
}

/// Makes an account; it begins as `imported`.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header)), responses((status = 201, body = Account), Problems))]
async fn create_account(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewAccount>,
) -> Result<(StatusCode, Json<Account>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            super::create(tx, &actor, &app.keys, new).await
        })
        .await
}

/// Gives an account, without its secrets.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "accounts", params(("id" = i64, Path)),
    responses((status = 200, body = Account), Problems))]
async fn get_account(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
) -> Result<Versioned<Account>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let body = super::get(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Changes an account: absent fields stay, `null` clears.
#[utoipa::path(patch, path = "/v1/accounts/{id}", tag = "accounts", request_body = AccountChange,
    params(("id" = i64, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Account), Problems))]
async fn update_account(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    if_match: IfMatch,
    Body(change): Body<AccountChange>,
) -> Result<Versioned<Account>, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    let body = super::update(&mut tx, &actor, &app.keys, id, if_match, change).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Lists an account's changes of state, newest first, with who made them and why.
#[utoipa::path(get, path = "/v1/accounts/{id}/history", tag = "accounts", params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = Page<HistoryEntry>), Problems))]
async fn list_account_history(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Query(query): Query<ListQuery>,
) -> Reply<Page<HistoryEntry>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::history(&mut tx, &actor, id, listing).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Lists the attempts at an account's steps, newest first.
#[utoipa::path(get, path = "/v1/accounts/{id}/attempts", tag = "accounts", params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = Page<Attempt>), Problems))]
async fn list_account_attempts(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Attempt>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::attempts(&mut tx, &actor, id, listing).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Lists the authorisations that an account has had, newest first.
#[utoipa::path(get, path = "/v1/accounts/{id}/authorisations", tag = "accounts", params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = Page<Authorisation>), Problems))]
async fn list_account_authorisations(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Authorisation>> {
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::authorisations(&mut tx, &actor, id, listing).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Opens an account's secrets. For owners; each time is written to the audit log, with the reason.
#[utoipa::path(post, path = "/v1/accounts/{id}/reveal", tag = "accounts", request_body = Reveal,
    params(("id" = i64, Path)), responses((status = 200, body = Revealed), Problems))]
async fn reveal_account(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Body(reveal): Body<Reveal>,
) -> Reply<Revealed> {
    let mut tx = app.db.begin(&actor).await?;
    let revealed = super::reveal(&mut tx, &actor, &app.keys, id, &reveal).await?;
    tx.commit().await?;
    Ok(Json(revealed))
}

/// Moves an account: releases its proxy, starts its warm-up, activates, flags, retires or restores it.
#[utoipa::path(post, path = "/v1/accounts/{id}/transitions", tag = "accounts", request_body = NewTransition,
    params(("id" = i64, Path)), responses((status = 200, body = Account), Problems))]
async fn transition_account(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Body(asked): Body<NewTransition>,
) -> Result<Versioned<Account>, Failure> {
    refuse(asked.faults())?;
    let mut tx = app.db.begin(&actor).await?;
    lifecycle::transition(&mut tx, &actor, asked.event, asked.reason.as_deref(), id).await?;
    let body = super::get(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Versioned {
        version: body.version,
        body,
    })
}

/// Moves many accounts: all that match a filter, whose number has to be stated, or those named. Each that can be moved is;
/// of each other it is said why not.
#[utoipa::path(post, path = "/v1/accounts/transitions", tag = "accounts", request_body = NewTransitions,
    responses((status = 200, body = Transitions), Problems))]
async fn transition_accounts(
    State(app): State<App>,
    actor: Actor,
    Body(asked): Body<NewTransitions>,
) -> Reply<Transitions> {
    refuse(asked.faults())?;
    let mut tx = app.db.begin_read(&actor).await?;
    let which = match (asked.ids, &asked.filter) {
        (Some(ids), _) => Which::Ids(ids),
        (None, filter) => {
            let filter = Filter::parse(filter.as_deref().unwrap_or_default());
            Which::Matching(AccountFilter::accounts(&mut tx, &actor, filter).await?)
        }
    };
    let bulk = Bulk {
        event: asked.event,
        in_review: false,
        reason: asked.reason.as_deref(),
        which,
        expected_count: asked.expected_count,
        dry_run: asked.dry_run,
    };
    let moved = lifecycle::transition_all(&mut tx, &actor, bulk).await?;
    tx.commit().await?;
    Ok(Json(moved))
}

/// Lists the notes on an account, newest first.
#[utoipa::path(get, path = "/v1/accounts/{id}/notes", tag = "accounts", params(("id" = AccountId, Path), ListQuery),
    responses((status = 200, body = Page<Note>), Problems))]
async fn list_notes(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Note>> {
    let mut tx = app.db.begin(&actor).await?;
    let page = super::notes::list(&mut tx, &actor, id, query.read()?).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Notes something about an account.
#[utoipa::path(post, path = "/v1/accounts/{id}/notes", tag = "accounts", params(("id" = AccountId, Path)),
    request_body = NewNote, responses((status = 204), Problems))]
async fn add_note(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<AccountId>,
    Body(new): Body<NewNote>,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    super::notes::add(&mut tx, &actor, id, &new).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the views of the tenant, and the caller's own: lists of accounts that people look at again.
#[utoipa::path(get, path = "/v1/views", tag = "accounts", responses((status = 200, body = Page<View>), Problems))]
async fn list_views(State(app): State<App>, actor: Actor) -> Reply<Page<View>> {
    let mut tx = app.db.begin(&actor).await?;
    let items = super::views::list(&mut tx, &actor).await?;
    tx.commit().await?;
    Ok(Json(Page { items, next: None }))
}

/// Keeps a view.
#[utoipa::path(post, path = "/v1/views", tag = "accounts", params(IdempotencyKey), request_body = NewView,
    responses((status = 201, body = View), Problems))]
async fn create_view(
    State(app): State<App>,
    actor: Actor,
    create: Create<NewView>,
) -> Result<(StatusCode, Json<View>), Failure> {
    create
        .once(&app, &actor, async |tx, new| {
            super::views::create(tx, &actor, new).await
        })
        .await
}

/// Forgets a view.
#[utoipa::path(delete, path = "/v1/views/{id}", tag = "accounts", params(("id" = ViewId, Path)),
    responses((status = 204), Problems))]
async fn delete_view(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ViewId>,
) -> Result<StatusCode, Failure> {
    let mut tx = app.db.begin(&actor).await?;
    super::views::delete(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
