//! Bots: who is working, how fast, and what goes wrong; and letting one of them, or everything, stand still.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    BotId,
    accounts::Count,
    bots::{
        BOT_LEASES_COUNTED_MAX, BOT_LEASES_LISTED_MAX, Bot, BotActivity, BotRate, BotStatus, NewBot,
        RATE_MINUTES,
    },
    tenants::Tenant,
};
use serde::Deserialize;

use crate::{
    app::App,
    bots,
    console::{
        self, BecauseForm, BecausePage, Faults, Form, Said, Shell, Visitor,
        ui::{self, Markup, Tone},
    },
    http::{Id, ListQuery, Query},
    problem::Failure,
    tenants,
};

/// For how many minutes a bot that was seen counts as there.
const HERE_MINUTES: i64 = 5;

/// The pages of bots.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/bots", get(list).post(create))
        .route("/bots/new", get(new))
        .route("/bots/{id}", get(show))
        .route("/bots/{id}/pause", get(pause_form).post(pause))
        .route("/bots/{id}/resume", post(resume))
        .route("/pause", get(pause_all_form).post(pause_all))
        .route("/resume", post(resume_all))
}

/// Whether a bot is at work.
fn presence(bot: &Bot, rate: &BotRate) -> Markup {
    let here = |bot: &Bot| {
        bot.last_seen_at
            .is_some_and(|at| (chrono::Utc::now() - at).num_minutes() < HERE_MINUTES)
    };
    match bot.status {
        BotStatus::Paused => ui::badge(Tone::Warn, "pause", "Paused"),
        BotStatus::Active if bot.leases > 0 => ui::badge(Tone::Good, "bolt", "Working"),
        BotStatus::Active if bot.last_seen_at.is_none() => ui::badge(Tone::Quiet, "s0", "Never seen"),
        BotStatus::Active if here(bot) && rate.completed + rate.failed > 0 => {
            ui::badge(Tone::Good, "check", "Between steps")
        }
        BotStatus::Active if here(bot) => ui::badge(Tone::Info, "clock", "Waiting for work"),
        BotStatus::Active => ui::badge(Tone::Quiet, "out", "Away"),
    }
}

/// Steps a minute.
fn speed(rate: &BotRate) -> String {
    let tenths = (rate.completed + rate.failed) * 10 / i64::from(RATE_MINUTES);
    format!("{}.{}", ui::number(tenths / 10), tenths % 10)
}

/// How many of a hundred attempts failed; none where there was none.
fn failed_percent(rate: &BotRate) -> Option<i64> {
    (rate.failed * 100).checked_div(rate.completed + rate.failed)
}

#[derive(Template)]
#[template(path = "bots/list.html")]
struct ListPage {
    shell: Shell,
    tenant: Tenant,
    filter: String,
    cursor: String,
    bots: Vec<(Bot, BotRate)>,
    next: Option<String>,
    faults: Faults,
}

async fn list(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Response, Failure> {
    let filter = query.filter.clone().unwrap_or_default();
    let cursor = query.cursor.clone().unwrap_or_default();
    let listing = query.read()?;
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let tenant = tenants::get(&mut tx, &visitor.actor).await?;
    let (page, faults) = Faults::of_list(bots::list(&mut tx, &visitor.actor, listing).await)?;
    let ids: Vec<_> = page.items.iter().map(|bot| bot.id.0).collect();
    let rates = bots::rates(&mut tx, &visitor.actor, &ids).await?;
    tx.commit().await?;
    console::page(&ListPage {
        shell: Shell::new("Bots", visitor),
        tenant,
        filter,
        cursor,
        bots: page.items.into_iter().zip(rates).collect(),
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "bots/show.html")]
struct BotPage {
    shell: Shell,
    bot: Bot,
    leases: Count,
    activity: BotActivity,
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<BotId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let bot = bots::get(&mut tx, &visitor.actor, id).await?;
    let activity = bots::activity(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&BotPage {
        shell: Shell::new(bot.name.clone(), visitor),
        leases: Count {
            count: bot.leases,
            exact: bot.leases < BOT_LEASES_COUNTED_MAX,
        },
        bot,
        activity,
    })
}

#[derive(Template)]
#[template(path = "bots/new.html")]
struct NewPage {
    shell: Shell,
    form: NewForm,
    faults: Faults,
}

async fn new(visitor: Visitor) -> Result<Response, Failure> {
    console::page(&NewPage {
        shell: Shell::new("New bot", visitor),
        form: NewForm::default(),
        faults: Faults::none(),
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewForm {
    name: String,
    description: String,
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<NewForm>,
) -> Result<Response, Failure> {
    let asked = NewBot {
        name: form.name.clone(),
        description: form.description.clone(),
    };
    let mut tx = app.db.begin(&visitor.actor).await?;
    match bots::add(&mut tx, &visitor.actor, asked).await {
        Ok(bot) => {
            tx.commit().await?;
            let said = Said::done(format!("{} is known. It needs a token to work with.", bot.name));
            Ok(console::go_and_say(format!("/bots/{}", bot.id), &said))
        }
        Err(failure) => console::refused(&NewPage {
            shell: Shell::new("New bot", visitor),
            form,
            faults: Faults::of(failure, &["/name", "/description"])?,
        }),
    }
}

fn why_pause(visitor: Visitor, bot: &Bot, reason: String, faults: Faults) -> BecausePage {
    BecausePage {
        shell: Shell::new(format!("Pause {}", bot.name), visitor),
        text: "It is given no more work, and told why when it asks for some. What it holds it may finish.",
        action: format!("/bots/{}/pause", bot.id),
        button: "Pause it",
        back: format!("/bots/{}", bot.id),
        reason,
        faults,
    }
}

async fn pause_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<BotId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let bot = bots::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&why_pause(visitor, &bot, String::new(), Faults::none()))
}

async fn pause(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<BotId>,
    Form(form): Form<BecauseForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match bots::pause(&mut tx, &visitor.actor, id, &form.because()).await {
        Ok(bot) => {
            tx.commit().await?;
            let said = Said::done(format!("{} is paused.", bot.name));
            Ok(console::go_and_say(format!("/bots/{id}"), &said))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/reason"])?;
            let bot = bots::get(&mut tx, &visitor.actor, id).await?;
            console::refused(&why_pause(visitor, &bot, form.reason, faults))
        }
    }
}

async fn resume(State(app): State<App>, visitor: Visitor, Id(id): Id<BotId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let bot = bots::resume(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    let said = Said::done(format!("{} is given work again.", bot.name));
    Ok(console::go_and_say(format!("/bots/{id}"), &said))
}

fn why_pause_all(visitor: Visitor, reason: String, faults: Faults) -> BecausePage {
    BecausePage {
        shell: Shell::new("Pause everything", visitor),
        text: "No step is handed out to anybody, and bots are told why. What they hold they may finish.",
        action: "/pause".to_owned(),
        button: "Pause everything",
        back: "/bots".to_owned(),
        reason,
        faults,
    }
}

async fn pause_all_form(visitor: Visitor) -> Result<Response, Failure> {
    console::page(&why_pause_all(visitor, String::new(), Faults::none()))
}

async fn pause_all(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<BecauseForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match tenants::pause(&mut tx, &visitor.actor, &form.because()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(console::go_and_say(
                "/bots",
                &Said::done("Everything stands still."),
            ))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/reason"])?;
            console::refused(&why_pause_all(visitor, form.reason, faults))
        }
    }
}

async fn resume_all(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    tenants::resume(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    Ok(console::go_and_say("/bots", &Said::done("Everything goes on.")))
}
