//! Models: how many accounts each has, and letting the work of one stand still.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::{
    ModelId,
    models::{Model, ModelStatus},
};

use crate::{
    app::App,
    console::{
        self, BecauseForm, BecausePage, Faults, Form, Listed, Said, Shell, Visitor,
        ui::{self, Markup, Tone},
    },
    http::{Id, ListQuery, Query},
    models,
    problem::Failure,
};

/// The pages of models.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/models", get(list))
        .route("/models/{id}/pause", get(pause_form).post(pause))
        .route("/models/{id}/resume", get(resume_form).post(resume))
}

fn status(model: &Model) -> Markup {
    match model.status {
        ModelStatus::Active => ui::badge(Tone::Good, "check", "Worked"),
        ModelStatus::Paused => ui::badge(Tone::Warn, "pause", "Paused"),
        ModelStatus::Inactive => ui::badge(Tone::Quiet, "box", "Out of use"),
    }
}

#[derive(Template)]
#[template(path = "models/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    models: Vec<Model>,
    next: Option<String>,
    faults: Faults,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let Listed {
        filter,
        cursor,
        page,
        faults,
    } = Listed::read(&app, &visitor, query, models::list).await?;
    console::page(&ListPage {
        shell: Shell::new("Models", visitor),
        filter,
        cursor,
        models: page.items,
        next: page.next,
        faults,
    })
}

/// What is asked before the status of a model changes.
fn why(visitor: Visitor, model: &Model, to: ModelStatus, reason: String, faults: Faults) -> BecausePage {
    let (title, text, verb, button) = match to {
        ModelStatus::Active => (
            format!("Let {} go on", model.name),
            "The work of its accounts is handed out again.",
            "resume",
            "Let it go on",
        ),
        _ => (
            format!("Pause {}", model.name),
            "No step of its accounts is handed out, and bots that ask for its work are told why. What they hold they \
             may finish.",
            "pause",
            "Pause it",
        ),
    };
    BecausePage {
        shell: Shell::new(title, visitor),
        text,
        action: format!("/models/{}/{verb}", model.id),
        button,
        back: "/models".to_owned(),
        reason,
        faults,
    }
}

async fn ask(app: App, visitor: Visitor, id: ModelId, to: ModelStatus) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let model = models::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&why(visitor, &model, to, String::new(), Faults::none()))
}

async fn set(
    app: App,
    visitor: Visitor,
    id: ModelId,
    to: ModelStatus,
    form: BecauseForm,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match models::set_status(&mut tx, &visitor.actor, id, to, &form.because()).await {
        Ok(model) => {
            tx.commit().await?;
            let what = match to {
                ModelStatus::Active => "goes on",
                _ => "is paused",
            };
            let said = Said::done(format!("{} {what}.", model.name));
            Ok(console::go_and_say("/models", &said))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/reason"])?;
            let model = models::get(&mut tx, &visitor.actor, id).await?;
            console::refused(&why(visitor, &model, to, form.reason, faults))
        }
    }
}

async fn pause_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ModelId>,
) -> Result<Response, Failure> {
    ask(app, visitor, id, ModelStatus::Paused).await
}

async fn pause(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ModelId>,
    Form(form): Form<BecauseForm>,
) -> Result<Response, Failure> {
    set(app, visitor, id, ModelStatus::Paused, form).await
}

async fn resume_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ModelId>,
) -> Result<Response, Failure> {
    ask(app, visitor, id, ModelStatus::Active).await
}

async fn resume(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<ModelId>,
    Form(form): Form<BecauseForm>,
) -> Result<Response, Failure> {
    set(app, visitor, id, ModelStatus::Active, form).await
}
