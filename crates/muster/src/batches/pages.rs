//! Changing many accounts: what would happen, then how far it is, with the way back.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    AccountId, BatchId, Event, Page,
    accounts::{Account, Transitions},
    batches::{
        BATCH_UNDO_HOURS_MAX, BATCH_WAIT_SECS_DEFAULT, Batch, BatchDetail, BatchState, NewBatch, UndoBatch,
    },
};
use serde::Deserialize;

use crate::{
    app::App,
    batches,
    console::{self, Faults, Form, Said, Shell, Visitor, ui},
    http::{Id, ListQuery, Query},
    problem::{Failure, Refusal},
};

/// The pages of batches.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/batches/new", get(preview))
        .route("/batches", get(list).post(create))
        .route("/batches/{id}", get(batch))
        .route("/batches/{id}/cancel", post(cancel))
        .route("/batches/{id}/undo", get(undo_form).post(undo))
}

/// Accounts that are shown of those that are meant.
const SAMPLE_ACCOUNTS: usize = 8;

/// Reasons for refusing that are shown.
const REFUSALS_SHOWN: usize = 8;

/// How far a batch is.
fn state(state: &BatchState) -> ui::Markup {
    match state {
        BatchState::Waiting => ui::badge(ui::Tone::Info, "clock", "Waiting"),
        BatchState::Running => ui::badge(ui::Tone::Info, "s2", "Running"),
        BatchState::Done => ui::badge(ui::Tone::Good, "check", "Done"),
        BatchState::Cancelled => ui::badge(ui::Tone::Quiet, "cross", "Taken back"),
    }
}

/// What is to be done with which accounts, as a list or another page says it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    event: String,
    filter: String,
    /// `ticked` or `all`.
    of: String,
    id: Vec<i64>,
    in_review: Option<String>,
    reason: String,
    count: Option<i64>,
}

impl Asked {
    fn event(&self) -> Result<Event, Failure> {
        self.event.parse().map_err(|_| Refusal::not_found("event").into())
    }

    fn new_batch(&self) -> Result<NewBatch, Failure> {
        let all = self.of == "all";
        Ok(NewBatch {
            event: self.event()?,
            reason: self.reason.clone(),
            filter: all.then(|| self.filter.clone()),
            ids: (!all).then(|| self.id.iter().copied().map(AccountId).collect()),
            expected_count: self.count.filter(|_| all),
            in_review: self.in_review.is_some(),
            wait_secs: BATCH_WAIT_SECS_DEFAULT,
        })
    }

    /// Where it was asked for.
    fn list(&self) -> String {
        let filter: String = url::form_urlencoded::byte_serialize(self.filter.as_bytes()).collect();
        let list = if self.in_review.is_some() {
            "/reviews"
        } else {
            "/accounts"
        };
        format!("{list}?filter={filter}")
    }
}

#[derive(Template)]
#[template(path = "batches/new.html")]
struct NewPage {
    shell: Shell,
    asked: Asked,
    event: Event,
    would: Transitions,
    sample: Vec<Account>,
    faults: Faults,
}

/// Why accounts would be refused: the reason, and of how many of those that are listed.
fn reasons(would: &Transitions) -> Vec<(String, i64)> {
    let mut reasons: Vec<(String, i64)> = Vec::new();
    for refused in &would.refused {
        match reasons.iter_mut().find(|(reason, _)| *reason == refused.reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((refused.reason.clone(), 1)),
        }
    }
    reasons.sort_by_key(|(_, count)| -count);
    reasons.truncate(REFUSALS_SHOWN);
    reasons
}

async fn new_page(app: &App, visitor: Visitor, asked: Asked, faults: Faults) -> Result<NewPage, Failure> {
    let event = asked.event()?;
    let new = asked.new_batch()?;
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let (would, sample) = batches::preview(&mut tx, &visitor.actor, &new, SAMPLE_ACCOUNTS).await?;
    // Nothing was changed, and the locks are let go.
    drop(tx);
    let what = ui::event_name(&event);
    Ok(NewPage {
        shell: Shell::new(
            format!("{what}: {}", ui::count(would.matched, "account", "accounts")),
            visitor,
        ),
        asked,
        event,
        would,
        sample,
        faults,
    })
}

async fn preview(
    State(app): State<App>,
    visitor: Visitor,
    console::FormQuery(asked): console::FormQuery<Asked>,
) -> Result<Response, Failure> {
    console::page(&new_page(&app, visitor, asked, Faults::none()).await?)
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(asked): Form<Asked>,
) -> Result<Response, Failure> {
    let new = asked.new_batch()?;
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    match batches::create(&mut tx, &visitor.actor, &new).await {
        Ok(batch) => {
            tx.commit().await?;
            Ok(console::go(format!("/batches/{}", batch.id)))
        }
        Err(failure) => {
            drop(tx);
            let faults = Faults::of(failure, &["/reason"])?;
            console::refused(&new_page(&app, visitor, asked, faults).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "batches/list.html")]
struct ListPage {
    shell: Shell,
    page: Page<Batch>,
    earlier: bool,
}

impl ListPage {
    fn more(&self, cursor: &str) -> String {
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        format!("/batches?cursor={cursor}")
    }
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let listing = query.read()?;
    let mut tx = app.db.begin(&visitor.actor).await?;
    let rows = batches::list(&mut tx, &visitor.actor, listing.after, listing.fetch()).await?;
    tx.commit().await?;
    console::page(&ListPage {
        shell: Shell::new("Bulk changes", visitor),
        earlier: listing.after.is_some(),
        page: listing.page(rows, |batch| batch.id.0),
    })
}

#[derive(Template)]
#[template(path = "batches/batch.html")]
struct BatchPage {
    shell: Shell,
    detail: BatchDetail,
}

impl BatchPage {
    fn said(&self) -> &'static str {
        match self.detail.batch.state {
            BatchState::Waiting => {
                "It begins in a moment. Until then it can be taken back as if nothing had been."
            }
            BatchState::Running => "It is being done. You can leave this page; it goes on.",
            BatchState::Done => "It is done.",
            BatchState::Cancelled => "It was taken back. What had been done before stays done.",
        }
    }
}

async fn batch(State(app): State<App>, visitor: Visitor, Id(id): Id<BatchId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let detail = batches::detail(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    let what = ui::event_name(&detail.batch.event);
    console::page(&BatchPage {
        shell: Shell::new(
            format!(
                "{what}: {}",
                ui::count(detail.batch.accounts, "account", "accounts")
            ),
            visitor,
        ),
        detail,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelForm {
    /// Where to go back to.
    next: Option<String>,
}

async fn cancel(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<BatchId>,
    Form(form): Form<CancelForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let batch = batches::cancel(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    let said = match batch.moved {
        0 => "Taken back: nothing was done.".to_owned(),
        moved => format!("Stopped after {}.", ui::count(moved, "account", "accounts")),
    };
    let page = format!("/batches/{id}");
    let next = form
        .next
        .as_deref()
        .map_or(page.as_str(), |next| console::way_back(Some(next)));
    Ok(console::go_and_say(next, &Said::done(said)))
}

#[derive(Template)]
#[template(path = "batches/undo.html")]
struct UndoPage {
    shell: Shell,
    batch: Batch,
    would: Transitions,
    sample: Vec<Account>,
    reason: String,
    faults: Faults,
}

async fn undo_page(
    app: &App,
    visitor: Visitor,
    id: BatchId,
    reason: String,
    faults: Faults,
) -> Result<UndoPage, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let (batch, would, sample) = batches::undo::preview(&mut tx, &visitor.actor, id, SAMPLE_ACCOUNTS).await?;
    tx.commit().await?;
    let what = ui::event_name(&batch.event);
    let count = ui::count(batch.moved, "account", "accounts");
    Ok(UndoPage {
        shell: Shell::new(format!("Undo {what}: {count}"), visitor),
        batch,
        would,
        sample,
        reason,
        faults,
    })
}

async fn undo_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<BatchId>,
) -> Result<Response, Failure> {
    console::page(&undo_page(&app, visitor, id, String::new(), Faults::none()).await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UndoForm {
    reason: String,
}

async fn undo(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<BatchId>,
    Form(UndoForm { reason }): Form<UndoForm>,
) -> Result<Response, Failure> {
    let asked = UndoBatch {
        reason,
        wait_secs: BATCH_WAIT_SECS_DEFAULT,
    };
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    match batches::undo::create(&mut tx, &visitor.actor, id, &asked).await {
        Ok(batch) => {
            tx.commit().await?;
            Ok(console::go(format!("/batches/{}", batch.id)))
        }
        Err(failure) => {
            drop(tx);
            let faults = Faults::of(failure, &["/reason"])?;
            console::refused(&undo_page(&app, visitor, id, asked.reason, faults).await?)
        }
    }
}
