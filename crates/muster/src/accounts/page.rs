//! One account: where it is, the next thing to do, and everything that happened to it.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    AccountId, Event,
    accounts::{Account, AccountChange, AccountStatus, Attempt, Basis, NewNote, Reveal, Revealed},
    audit::AuditEntry,
    lifecycle::Step,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::{
    lifecycle, notes,
    timeline::{self, Place, Timeline, What},
};
use crate::{
    accounts,
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor, ui},
    http::{Id, IfMatch, ListQuery, Query},
    problem::{Failure, Refusal},
};

/// The pages of one account.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/accounts/{id}", get(account))
        .route("/accounts/{id}/move", get(move_form).post(move_account))
        .route("/accounts/{id}/notes", post(add_note))
        .route("/accounts/{id}/reveal", get(reveal_form).post(reveal))
        .route("/accounts/{id}/edit", get(edit_form).post(edit))
}

/// The attempts that are counted for the steps, at most.
const ATTEMPTS_COUNTED_MAX: u32 = 100;

/// How much of what a bot or a change says is shown, in characters: a page is to stay small.
const SHOWN_CHARS_MAX: usize = 400;

/// A step of the warm-up, as it stands.
struct StepRow {
    number: i16,
    step: Step,
    done: bool,
    now: bool,
    attempts: i64,
}

#[derive(Template)]
#[template(path = "accounts/account.html")]
struct AccountPage {
    shell: Shell,
    account: Account,
    steps: Vec<StepRow>,
    /// Whether there were more attempts than were counted.
    uncounted: bool,
    timeline: Timeline,
    /// Whether this is not the beginning of the timeline.
    earlier: bool,
}

impl AccountPage {
    /// The next thing to do: the first that leads on. Reviews are decided where their evidence is.
    fn primary(&self) -> Option<&Event> {
        self.account
            .actions
            .iter()
            .find(|event| !matches!(event, Event::Retire | Event::Flag | Event::ReleaseProxy))
    }

    fn others(&self) -> Vec<&Event> {
        let primary = self.primary();
        self.account
            .actions
            .iter()
            .filter(|event| Some(*event) != primary)
            .collect()
    }

    /// What changed in a change: field, before, after.
    fn changes(&self, entry: &AuditEntry) -> Vec<(String, String, String)> {
        let object = |value: &Option<Value>| {
            value
                .as_ref()
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let (before, after) = (object(&entry.before), object(&entry.after));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let text = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "nothing".to_owned(),
            Some(Value::String(text)) => ui::clip(text, SHOWN_CHARS_MAX),
            Some(other) => ui::clip(&other.to_string(), SHOWN_CHARS_MAX),
        };
        let change = |name: &String| {
            (
                name.replace('_', " "),
                text(before.get(name)),
                text(after.get(name)),
            )
        };
        names.into_iter().map(change).collect()
    }

    fn change_name<'a>(&self, entry: &'a AuditEntry) -> &'a str {
        match entry.action.as_str() {
            "account.create" => "Made",
            "account.update" => "Changed",
            "account.reveal" => "Secrets revealed",
            other => other,
        }
    }

    fn earlier_address(&self, place: &Place) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("before", place.before_micros), ("lease", place.before_lease)] {
            if let Some(value) = value {
                query.append_pair(name, &value.to_string());
            }
        }
        format!("/accounts/{}?{}", self.account.id, query.finish())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AccountQuery {
    before: Option<i64>,
    lease: Option<i64>,
}

async fn account(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Query(query): Query<AccountQuery>,
) -> Result<Response, Failure> {
    let actor = &visitor.actor;
    let place = Place {
        before_micros: query.before,
        before_lease: query.lease,
    };
    let mut tx = app.db.begin_read(actor).await?;
    let account = accounts::get(&mut tx, actor, id).await?;
    let attempts = ListQuery {
        limit: Some(ATTEMPTS_COUNTED_MAX),
        ..ListQuery::default()
    };
    let attempts = accounts::attempts(&mut tx, actor, id, attempts.read()?).await?;
    let audited = visitor.may("GET", "/v1/audit");
    let timeline = timeline::timeline(&mut tx, actor, id, place, audited).await?;
    tx.commit().await?;
    console::page(&AccountPage {
        shell: Shell::new(account.username.clone(), visitor),
        steps: steps(&account, &attempts.items),
        uncounted: attempts.next.is_some(),
        account,
        timeline,
        earlier: place != Place::default(),
    })
}

fn steps(account: &Account, attempts: &[Attempt]) -> Vec<StepRow> {
    let at = account.warmup_step.unwrap_or(0);
    let complete = account.warmup_completed_at.is_some();
    let row = |step: &Step| {
        let number = step.number();
        let of_step = attempts.iter().filter(|attempt| attempt.step == number);
        StepRow {
            number,
            step: *step,
            done: complete || number < at,
            now: !complete && number == at,
            attempts: of_step.count() as i64,
        }
    };
    Step::ALL.iter().map(row).collect()
}

#[derive(Template)]
#[template(path = "accounts/move.html")]
struct MovePage {
    shell: Shell,
    id: AccountId,
    event: Event,
    reason: String,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveQuery {
    event: String,
}

fn event_of(word: &str) -> Result<Event, Failure> {
    word.parse().map_err(|_| Refusal::not_found("event").into())
}

async fn move_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Query(query): Query<MoveQuery>,
) -> Result<Response, Failure> {
    let event = event_of(&query.event)?;
    let mut tx = app.db.begin(&visitor.actor).await?;
    let account = accounts::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&MovePage {
        shell: Shell::new(
            format!("{}: {}", ui::event_name(&event), account.username),
            visitor,
        ),
        id,
        event,
        reason: String::new(),
        faults: Faults::none(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveForm {
    event: String,
    reason: String,
}

async fn move_account(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Form(form): Form<MoveForm>,
) -> Result<Response, Failure> {
    let event = event_of(&form.event)?;
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let moved = lifecycle::because(&mut tx, &visitor.actor, event, &form.reason, id).await;
    match moved {
        Ok(()) => {
            tx.commit().await?;
            let said = Said::done(format!("{}: done.", ui::event_name(&event)));
            Ok(console::go_and_say(format!("/accounts/{id}"), &said))
        }
        Err(failure) => console::refused(&MovePage {
            faults: Faults::of(failure, &["/reason"])?,
            shell: Shell::new(ui::event_name(&event), visitor),
            id,
            event,
            reason: form.reason,
        }),
    }
}

async fn add_note(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Form(note): Form<NewNote>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    notes::add(&mut tx, &visitor.actor, id, &note).await?;
    tx.commit().await?;
    Ok(console::go_and_say(
        format!("/accounts/{id}"),
        &Said::done("Noted."),
    ))
}

/// The one page that shows secrets. It is kept by nobody, like every page.
#[derive(Template)]
#[template(path = "accounts/reveal.html")]
struct RevealPage {
    shell: Shell,
    id: AccountId,
    reason: String,
    revealed: Option<Revealed>,
    faults: Faults,
}

async fn reveal_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let account = accounts::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&RevealPage {
        shell: Shell::new(format!("Secrets of {}", account.username), visitor),
        id,
        reason: String::new(),
        revealed: None,
        faults: Faults::none(),
    })
}

async fn reveal(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Form(asked): Form<Reveal>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    match accounts::reveal(&mut tx, &visitor.actor, &app.keys, id, &asked).await {
        Ok(revealed) => {
            tx.commit().await?;
            console::page(&RevealPage {
                shell: Shell::new(format!("Secrets of {}", revealed.username), visitor),
                id,
                reason: asked.reason,
                revealed: Some(revealed),
                faults: Faults::none(),
            })
        }
        Err(failure) => console::refused(&RevealPage {
            faults: Faults::of(failure, &["/reason"])?,
            shell: Shell::new("Secrets", visitor),
            id,
            reason: asked.reason,
            revealed: None,
        }),
    }
}

#[derive(Template)]
#[template(path = "accounts/edit.html")]
struct EditPage {
    shell: Shell,
    id: AccountId,
    form: EditForm,
    faults: Faults,
}

/// The fields that are changed in the console; the others come by import.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditForm {
    version: i64,
    username: String,
    email: String,
    status: String,
    basis: String,
    reference: String,
    /// A day; the authorisation ends with it.
    until: String,
    bio: String,
}

const EDIT_FIELDS: &[&str] = &[
    "/username",
    "/email",
    "/status",
    "/authorisation_basis",
    "/authorisation_reference",
    "/authorisation_expires_at",
    "/bio",
];

async fn edit_form(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let account = accounts::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    let until = account
        .authorisation_expires_at
        .map(|at| at.format("%Y-%m-%d").to_string());
    console::page(&EditPage {
        shell: Shell::new(format!("Change {}", account.username), visitor),
        id,
        form: EditForm {
            version: account.version,
            username: account.username,
            email: account.email,
            status: account.status.to_string(),
            basis: account
                .authorisation_basis
                .map(|basis| basis.to_string())
                .unwrap_or_default(),
            reference: account.authorisation_reference.unwrap_or_default(),
            until: until.unwrap_or_default(),
            bio: account.bio.unwrap_or_default(),
        },
        faults: Faults::none(),
    })
}

impl EditForm {
    /// What the form says is to change. An empty field is nothing; a day that is no day is a fault of the operation's.
    fn change(&self) -> Result<AccountChange, Failure> {
        let text = |text: &str| Some(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        let basis = Some(self.basis.as_str()).filter(|basis| !basis.is_empty());
        let basis = basis.map(str::parse::<Basis>).transpose();
        let day = Some(self.until.as_str()).filter(|day| !day.is_empty());
        let day = day.map(|day| day.parse::<chrono::NaiveDate>()).transpose();
        let (Ok(status), Ok(basis), Ok(day)) = (self.status.parse::<AccountStatus>(), basis, day) else {
            let detail = "choose one of the list, and write the day as 2027-03-31";
            return Err(Refusal::invalid(vec![muster_wire::Fault::new(
                "/authorisation_expires_at",
                "type",
                detail,
            )])
            .into());
        };
        let end = day
            .and_then(|day| day.and_hms_opt(23, 59, 59))
            .map(|end| end.and_utc());
        Ok(AccountChange {
            username: Some(self.username.trim().to_owned()),
            email: Some(self.email.trim().to_owned()),
            status: Some(status),
            authorisation_basis: Some(basis),
            authorisation_reference: Some(text(&self.reference).flatten().filter(|_| basis.is_some())),
            authorisation_expires_at: Some(end.filter(|_| basis.is_some())),
            bio: text(&self.bio.replace("\r\n", "\n")),
            ..AccountChange::default()
        })
    }
}

async fn edit(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<AccountId>,
    Form(form): Form<EditForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let changed = match form.change() {
        Ok(change) => {
            let version = IfMatch(Some(form.version));
            accounts::update(&mut tx, &visitor.actor, &app.keys, id, version, change).await
        }
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(_) => {
            tx.commit().await?;
            Ok(console::go_and_say(
                format!("/accounts/{id}"),
                &Said::done("Changed."),
            ))
        }
        Err(failure) => console::refused(&EditPage {
            faults: Faults::of(failure, EDIT_FIELDS)?,
            shell: Shell::new("Change the account", visitor),
            id,
            form,
        }),
    }
}
