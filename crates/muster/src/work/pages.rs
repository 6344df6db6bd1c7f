//! The board of the warm-up, and the runner: one person's step at a time.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Step,
    board::{BOARD_COUNTED_MAX, Board, BoardHeld, BoardStep},
    work::{Lease, LeaseSecrets, Leases, Outcome, WorkItem},
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{board, extend, release, run, secrets};
use crate::{
    actor::Actor,
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor, ui},
    problem::{Failure, Refusal},
};

/// The pages of work.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/warm-up", get(show_board))
        .route("/steps", get(show_step))
        .route("/steps/take", post(take))
        .route("/steps/report", post(report))
        .route("/steps/extend", post(more_time))
        .route("/steps/release", post(give_back))
        .route("/steps/credentials", post(open_secrets))
}

#[derive(Template)]
#[template(path = "work/board.html")]
struct BoardPage {
    shell: Shell,
    board: Board,
}

impl BoardPage {
    /// A count, which is not counted further than so many.
    fn counted(&self, count: i64) -> String {
        ui::as_counted(count, count < BOARD_COUNTED_MAX)
    }

    /// How many are under way at a step, of all that were counted.
    fn under_way(&self, count: i64) -> String {
        let all: i64 = self.board.steps.iter().map(|step| step.under_way).sum();
        ui::as_counted(count, all < BOARD_COUNTED_MAX)
    }

    /// How many are held back at a step for a reason, of all that were counted.
    fn held(&self, count: i64) -> String {
        let held = self.board.steps.iter().flat_map(|step| &step.held);
        let all: i64 = held.map(|held| held.accounts).sum();
        ui::as_counted(count, all < BOARD_COUNTED_MAX)
    }

    /// The qualifier of what is held for a reason.
    fn of_hold(&self, held: &BoardHeld) -> String {
        format!(" hold:{}", held.hold)
    }

    /// The list of the accounts at a step, or of those that are held there.
    fn list(&self, step: &BoardStep, more: &str) -> String {
        let filter = format!("state:warming_up step:{}{more}", step.step);
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        format!("/accounts?filter={filter}")
    }
}

async fn show_board(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let board = board(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    console::page(&BoardPage {
        shell: Shell::new("Warm-up", visitor),
        board,
    })
}

#[derive(Template)]
#[template(path = "work/run.html")]
struct RunPage {
    shell: Shell,
    /// The step that is held.
    item: Option<WorkItem>,
    /// Steps that people could take.
    due: i64,
    secrets: Option<LeaseSecrets>,
    note: String,
    faults: Faults,
}

impl RunPage {
    /// What is to be done.
    fn instruction(&self, step: &Step) -> &'static str {
        match step {
            Step::ChangePfp => "Make this the profile picture.",
            Step::ChangeBio => "Write this into the biography.",
            Step::PostHighlight => "Make a highlight of this.",
            Step::PostStory => "Post this as a story.",
            Step::PostPost => "Publish this as a post.",
        }
    }

    /// The texts to use.
    fn texts<'a>(&self, item: &'a WorkItem) -> Vec<&'a str> {
        let caption = item.content.as_ref().and_then(|content| content.text.as_deref());
        let text = item.text.as_ref().map(|text| text.text.as_str());
        caption.into_iter().chain(text).collect()
    }
}

async fn page(app: &App, visitor: Visitor) -> Result<RunPage, Failure> {
    let item = run::current(app, &visitor.actor).await?;
    let mut tx = app.db.begin(&visitor.actor).await?;
    let board = board(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    Ok(RunPage {
        shell: Shell::new("My steps", visitor),
        item,
        due: board.steps.iter().map(|step| step.due_for_people).sum(),
        secrets: None,
        note: String::new(),
        faults: Faults::none(),
    })
}

async fn show_step(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    console::page(&page(&app, visitor).await?)
}

/// Takes the next step; gives what there is to say of it, where there is none.
async fn next(app: &App, actor: &Actor) -> Result<Option<String>, Failure> {
    let claimed = run::take(app, actor).await?;
    Ok(match (claimed.items.is_empty(), claimed.paused) {
        (false, _) => None,
        (true, Some(reason)) => Some(format!("Nothing is handed out: {reason}.")),
        (true, None) => Some("No step is due for people now.".to_owned()),
    })
}

async fn take(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    Ok(match next(&app, &visitor.actor).await? {
        None => console::go("/steps"),
        Some(said) => console::go_and_say("/steps", &Said::done(said)),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportForm {
    lease: Lease,
    note: String,
    /// `next` where another step is wanted after this one, or how this one ended otherwise.
    outcome: String,
}

async fn report(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<ReportForm>,
) -> Result<Response, Failure> {
    let goes_on = form.outcome == "next";
    let outcome = if goes_on {
        Outcome::Completed
    } else {
        let unknown = |_| Refusal::not_found("outcome");
        form.outcome.parse().map_err(unknown)?
    };
    match run::finish(&app, &visitor.actor, form.lease, outcome, &form.note).await {
        Ok(item) => {
            let ended = match outcome {
                Outcome::Completed => "Done",
                Outcome::Failed => "To be tried again",
                Outcome::RequiresReview => "Given to a reviewer",
            };
            let said = format!(
                "{ended}: {} of {}.",
                ui::step_name(&item.name),
                item.account.username
            );
            let more = if goes_on {
                next(&app, &visitor.actor).await?
            } else {
                None
            };
            let said = more.map_or(said.clone(), |more| format!("{said} {more}"));
            Ok(console::go_and_say("/steps", &Said::done(said)))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/note"])?;
            let page = page(&app, visitor).await?;
            console::refused(&RunPage {
                faults,
                note: form.note,
                ..page
            })
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseForm {
    lease: Lease,
}

impl LeaseForm {
    fn leases(&self) -> Leases {
        Leases {
            leases: vec![self.lease],
        }
    }
}

async fn more_time(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<LeaseForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    extend(&mut tx, &visitor.actor, &app.settings, &form.leases()).await?;
    tx.commit().await?;
    Ok(console::go("/steps"))
}

async fn give_back(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<LeaseForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    release(&mut tx, &visitor.actor, &form.leases()).await?;
    tx.commit().await?;
    app.work.notify(visitor.actor.tenant);
    Ok(console::go_and_say(
        "/steps",
        &Said::done("Given back: another can take it."),
    ))
}

/// Shows the secrets of the account, once; that they were opened is in the audit log.
async fn open_secrets(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<LeaseForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let opened = secrets::credentials(&mut tx, &visitor.actor, &app.keys, &form.leases()).await?;
    tx.commit().await?;
    let page = page(&app, visitor).await?;
    console::page(&RunPage {
        secrets: opened.leases.into_iter().find(|secrets| secrets.held),
        ..page
    })
}
