//! The map of proxies, one proxy, and what would become of its accounts without it.

use std::borrow::Borrow;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    AccountId, ProxyId,
    imports::ImportKind,
    proxies::{Capacity, MoveAway, Proxy, ProxyChange, ProxyStatus, Share, TestProxies},
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{
    assign::{self, Carried},
    test,
};
use crate::{
    app::App,
    console::{
        self, Faults, Form, Said, Shell, Visitor,
        ui::{self, Markup, Tone},
    },
    http::{Id, IfMatch, ListQuery, Query},
    models,
    problem::Failure,
};

/// The tiles of one page of the map: as many as a page of less than 100 KB holds.
const TILES_MAX: u32 = 120;

/// The pages of proxies.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/proxies", get(map))
        .route("/proxies/{id}", get(show))
        .route("/proxies/{id}/retire", get(retire_form).post(retire))
        .route("/proxies/{id}/restore", post(restore))
        .route("/proxies/test", post(test_now))
        .merge(super::page::routes())
}

/// How a proxy is: a colour, a shape and a word.
struct Health(Tone, &'static str, &'static str);

impl Health {
    fn of(proxy: &Proxy) -> Self {
        match (proxy.status, proxy.last_tested_at) {
            (ProxyStatus::Active, Some(_)) => Self(Tone::Good, "check", "In use"),
            (ProxyStatus::Active, None) => Self(Tone::Info, "s0", "Never tested"),
            (ProxyStatus::Failed, _) => Self(Tone::Bad, "cross", "In error"),
            (ProxyStatus::Inactive, _) => Self(Tone::Quiet, "pause", "Out of use"),
        }
    }

    fn icon(&self) -> Markup {
        ui::icon(self.1)
    }

    fn badge(&self) -> Markup {
        ui::badge(self.0, self.1, self.2)
    }
}

/// What each account costs a month; nothing where there are none.
fn each(cost: &Decimal, accounts: impl Borrow<i64>) -> Option<String> {
    let each = cost.checked_div(Decimal::from(*accounts.borrow()))?.round_dp(2);
    Some(format!("{each:.2}"))
}

#[derive(Template)]
#[template(path = "proxies/map.html")]
struct MapPage {
    shell: Shell,
    capacity: Capacity,
    filter: String,
    cursor: String,
    proxies: Vec<Proxy>,
    next: Option<String>,
    faults: Faults,
}

impl MapPage {
    /// The chips of the filter: a name, and what they filter by.
    fn chips(&self) -> [(Tone, &'static str, &'static str, &'static str); 6] {
        [
            (Tone::Quiet, "proxies", "All", ""),
            (Tone::Good, "check", "In use", "status:active"),
            (Tone::Bad, "cross", "In error", "status:error"),
            (Tone::Quiet, "pause", "Out of use", "status:inactive"),
            (Tone::Quiet, "s2", "With room", "status:active room:yes"),
            (Tone::Quiet, "s4", "Full", "status:active room:no"),
        ]
    }

    /// The part of the places that are taken, of a hundred.
    fn taken(&self, share: &Share) -> i64 {
        (share.accounts * 100).checked_div(share.places).unwrap_or(0)
    }

    /// The filter for the proxies of a share, when it can be written as one.
    fn of_model(&self, share: &Share) -> String {
        share
            .model_id
            .map_or("model:none".to_owned(), |id| format!("model:{id}"))
    }

    fn of_location(&self, share: &Share) -> String {
        format!("location:\"{}\"", share.name.as_deref().unwrap_or_default())
    }
}

async fn map(
    State(app): State<App>,
    visitor: Visitor,
    Query(mut query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let filter = query.filter.clone().unwrap_or_default();
    let cursor = query.cursor.clone().unwrap_or_default();
    query.limit = Some(TILES_MAX);
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let capacity = super::capacity(&mut tx, &visitor.actor).await?;
    let listed = match query.read() {
        Ok(listing) => super::list(&mut tx, &visitor.actor, listing).await,
        Err(failure) => Err(failure),
    };
    let (page, faults) = Faults::of_list(listed)?;
    tx.commit().await?;
    console::page(&MapPage {
        shell: Shell::new("Proxies", visitor),
        capacity,
        filter,
        cursor,
        proxies: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "proxies/show.html")]
struct ProxyPage {
    shell: Shell,
    proxy: Proxy,
    model: Option<String>,
    accounts: Vec<Carried>,
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<ProxyId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let proxy = super::get(&mut tx, &visitor.actor, id).await?;
    let model = match proxy.assigned_model_id {
        Some(model) => Some(models::get(&mut tx, &visitor.actor, model).await?.name),
        None => None,
    };
    let accounts = assign::carried(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&ProxyPage {
        shell: Shell::new(address(&proxy), visitor),
        proxy,
        model,
        accounts,
    })
}

fn address(proxy: &Proxy) -> String {
    format!("{}:{}", proxy.host, proxy.port)
}

#[derive(Template)]
#[template(path = "proxies/retire.html")]
struct RetirePage {
    shell: Shell,
    proxy: Proxy,
    /// The accounts that it carries, and where each could go.
    places: Vec<(Carried, Option<Proxy>)>,
}

impl RetirePage {
    fn unplaced(&self) -> i64 {
        let unplaced = self.places.iter().filter(|(_, to)| to.is_none());
        i64::try_from(unplaced.count()).unwrap_or(i64::MAX)
    }
}

/// Tries it, and takes it back.
async fn retire_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ProxyId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let accounts = assign::carried(&mut tx, &visitor.actor, id).await?;
    let tried = MoveAway {
        to: None,
        dry_run: true,
    };
    let moved = assign::move_away(&mut tx, &visitor.actor, id, &tried)
        .await?
        .moved;
    let goes_to = |id: AccountId| moved.iter().find(|placed| placed.account_id == id);
    let mut places = Vec::new();
    for account in accounts {
        let to = match goes_to(account.id) {
            Some(placed) => Some(super::get(&mut tx, &visitor.actor, placed.proxy_id).await?),
            None => None,
        };
        places.push((account, to));
    }
    drop(tx);
    let mut tx = app.db.begin(&visitor.actor).await?;
    let proxy = super::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&RetirePage {
        shell: Shell::new(format!("Retire {}", address(&proxy)), visitor),
        proxy,
        places,
    })
}

/// First out of use, so that it gets no new accounts, then empty: each in a transaction of its own, because their locks
/// are taken in different orders.
async fn retire(State(app): State<App>, visitor: Visitor, Id(id): Id<ProxyId>) -> Result<Response, Failure> {
    let proxy = set_status(&app, &visitor, id, ProxyStatus::Inactive).await?;
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let moved = assign::move_away(&mut tx, &visitor.actor, id, &MoveAway::default()).await?;
    tx.commit().await?;
    let mut text = format!("{} is out of use.", address(&proxy));
    let count = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
    if !moved.moved.is_empty() {
        let accounts = ui::count(count(moved.moved.len()), "account", "accounts");
        text.push_str(&format!(" {accounts} moved to other proxies."));
    }
    if !moved.unplaced.is_empty() {
        let accounts = ui::count(count(moved.unplaced.len()), "account", "accounts");
        text.push_str(&format!(" {accounts} found no place and wait on it."));
    }
    Ok(console::go_and_say(format!("/proxies/{id}"), &Said::done(text)))
}

async fn restore(State(app): State<App>, visitor: Visitor, Id(id): Id<ProxyId>) -> Result<Response, Failure> {
    let proxy = set_status(&app, &visitor, id, ProxyStatus::Active).await?;
    let text = format!("{} is in use again.", address(&proxy));
    Ok(console::go_and_say(format!("/proxies/{id}"), &Said::done(text)))
}

async fn set_status(
    app: &App,
    visitor: &Visitor,
    id: ProxyId,
    status: ProxyStatus,
) -> Result<Proxy, Failure> {
    let change = ProxyChange {
        status: Some(status),
        ..ProxyChange::default()
    };
    let mut tx = app.db.begin(&visitor.actor).await?;
    let proxy = super::update(&mut tx, &visitor.actor, &app.keys, id, IfMatch(None), change).await?;
    tx.commit().await?;
    Ok(proxy)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestForm {
    #[serde(default)]
    id: Vec<ProxyId>,
    back: String,
}

async fn test_now(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<TestForm>,
) -> Result<Response, Failure> {
    let request = TestProxies {
        proxy_ids: Some(form.id),
        ..TestProxies::default()
    };
    let tested = test::test(&app, &visitor.actor, &request).await?;
    let text = match tested.results.as_slice() {
        [one] => match (&one.error, one.latency_ms) {
            (Some(error), _) => format!("The test failed: {error}."),
            (None, latency) => format!("The test passed, in {} ms.", latency.unwrap_or(0)),
        },
        _ => format!(
            "Tested {}: {} passed, {} failed.",
            ui::count(tested.passed + tested.failed, "proxy", "proxies"),
            ui::number(tested.passed),
            ui::number(tested.failed)
        ),
    };
    let back = console::way_back(Some(&form.back));
    Ok(console::go_and_say(back, &Said::done(text)))
}
