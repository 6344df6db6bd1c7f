//! Tokens: what programs present, as whom they act with it, and until when. A secret is shown once, by the page that
//! answers to its making.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    BotId, Fault, Role, TokenId,
    bots::Bot,
    tokens::{
        IssuedToken, NewToken, OVERLAP_HOURS_MAX, Rotation, TOKEN_DAYS_DEFAULT,
        TOKEN_REQUESTS_PER_MINUTE_DEFAULT, Token, TokenKind, TokenState,
    },
};
use serde::Deserialize;

use crate::{
    access::Access,
    app::App,
    bots,
    console::{
        self, Faults, Form, Listed, Said, Shell, Visitor,
        ui::{self, Markup, Tone},
    },
    db::Tx,
    http::{Id, ListQuery, Listing, Query},
    operators,
    problem::{Failure, Refusal},
    tokens,
};

/// The pages of tokens.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/new", get(new))
        .route("/tokens/{id}", get(show))
        .route("/tokens/{id}/revoke", post(revoke))
        .route("/tokens/{id}/rotate", post(rotate))
}

fn state(token: &Token) -> Markup {
    match token.state {
        TokenState::Live => ui::badge(Tone::Good, "check", "Good"),
        TokenState::Revoked => ui::badge(Tone::Bad, "cross", "Revoked"),
        TokenState::Expired => ui::badge(Tone::Quiet, "clock", "Expired"),
    }
}

#[derive(Template)]
#[template(path = "tokens/list.html")]
struct ListPage {
    shell: Shell,
    /// Whether everybody's are shown, or only the visitor's.
    everybodys: bool,
    filter: String,
    cursor: String,
    tokens: Vec<Token>,
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
    } = Listed::read(&app, &visitor, query, tokens::list).await?;
    console::page(&ListPage {
        everybodys: Access::Administer.allows(visitor.actor.who),
        shell: Shell::new("Tokens", visitor),
        filter,
        cursor,
        tokens: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "tokens/new.html")]
struct NewPage {
    shell: Shell,
    /// The roles that the visitor may give to a token of their own.
    roles: Vec<Role>,
    /// The bots that the visitor may give a token.
    bots: Vec<Bot>,
    form: NewForm,
    faults: Faults,
}

impl NewPage {
    async fn read(tx: &mut Tx, visitor: Visitor, form: NewForm, faults: Faults) -> Result<Self, Failure> {
        let roles = Role::ALL.iter().copied();
        let mut known = Vec::new();
        if Access::Administer.allows(visitor.actor.who) {
            known = bots::list(tx, &visitor.actor, Listing::longest()).await?.items;
        }
        Ok(Self {
            roles: roles
                .filter(|role| operators::may_give(&visitor.actor, *role).is_ok())
                .collect(),
            bots: known,
            shell: Shell::new("New token", visitor),
            form,
            faults,
        })
    }

    fn acts_as_bot(&self, bot: &Bot) -> bool {
        self.form.bearer == format!("bot:{}", bot.id)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewQuery {
    bot: Option<BotId>,
}

async fn new(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<NewQuery>,
) -> Result<Response, Failure> {
    let form = NewForm {
        name: String::new(),
        bearer: query.bot.map_or(String::new(), |id| format!("bot:{id}")),
        days: TOKEN_DAYS_DEFAULT.to_string(),
        requests: TOKEN_REQUESTS_PER_MINUTE_DEFAULT.to_string(),
    };
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let page = NewPage::read(&mut tx, visitor, form, Faults::none()).await?;
    tx.commit().await?;
    console::page(&page)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewForm {
    name: String,
    /// As whom it acts: a role of the visitor's own, or `bot:3`.
    bearer: String,
    days: String,
    requests: String,
}

impl NewForm {
    fn read(&self) -> Result<NewToken, Failure> {
        let bot_id = self.bearer.strip_prefix("bot:").map(str::parse).transpose();
        let role = match &bot_id {
            Ok(None) => self.bearer.parse().map(Some),
            _ => Ok(None),
        };
        let (Ok(bot_id), Ok(role)) = (bot_id, role) else {
            let fault = Fault::new("/bearer", "unknown", "choose as whom it is to act");
            return Err(Refusal::invalid(vec![fault]).into());
        };
        Ok(NewToken {
            kind: if bot_id.is_some() {
                TokenKind::Bot
            } else {
                TokenKind::Api
            },
            name: self.name.clone(),
            bot_id: bot_id.map(BotId),
            operator_id: None,
            role,
            // What is no number is in no range, and refused with it.
            expires_in_days: self.days.trim().parse().unwrap_or(0),
            requests_per_minute: self.requests.trim().parse().unwrap_or(0),
        })
    }
}

#[derive(Template)]
#[template(path = "tokens/issued.html")]
struct IssuedPage {
    shell: Shell,
    issued: IssuedToken,
}

async fn create(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<NewForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let made = match form.read() {
        Ok(asked) => tokens::create(&mut tx, &visitor.actor, asked).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(issued) => {
            tx.commit().await?;
            let shell = Shell::new("The token is made", visitor);
            console::page(&IssuedPage { shell, issued })
        }
        Err(failure) => {
            let mut faults = Faults::of(failure, &["/name", "/bearer", "/days", "/requests"])?;
            faults.rename(&[
                ("/bot_id", "/bearer"),
                ("/role", "/bearer"),
                ("/expires_in_days", "/days"),
                ("/requests_per_minute", "/requests"),
            ]);
            console::refused(&NewPage::read(&mut tx, visitor, form, faults).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "tokens/show.html")]
struct TokenPage {
    shell: Shell,
    token: Token,
    overlap: String,
    faults: Faults,
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<TokenId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let token = tokens::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&TokenPage {
        shell: Shell::new(token.name.clone(), visitor),
        token,
        overlap: "24".to_owned(),
        faults: Faults::none(),
    })
}

async fn revoke(State(app): State<App>, visitor: Visitor, Id(id): Id<TokenId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    tokens::revoke(&mut tx, &visitor.actor, id).await?;
    let token = tokens::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    app.gate.forget();
    let said = Said::done(format!("{} is revoked.", token.name));
    Ok(console::go_and_say("/tokens", &said))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    overlap: String,
}

async fn rotate(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<TokenId>,
    Form(RotateForm { overlap }): Form<RotateForm>,
) -> Result<Response, Failure> {
    let rotation = Rotation {
        // What is no number is in no range, and refused with it.
        overlap_hours: overlap.trim().parse().unwrap_or(-1),
    };
    let mut tx = app.db.begin(&visitor.actor).await?;
    match tokens::rotate(&mut tx, &visitor.actor, id, &rotation).await {
        Ok(issued) => {
            tx.commit().await?;
            app.gate.forget();
            let shell = Shell::new("The token is replaced", visitor);
            console::page(&IssuedPage { shell, issued })
        }
        Err(failure) => {
            let mut faults = Faults::of(failure, &["/overlap"])?;
            faults.rename(&[("/overlap_hours", "/overlap")]);
            let token = tokens::get(&mut tx, &visitor.actor, id).await?;
            console::refused(&TokenPage {
                shell: Shell::new(token.name.clone(), visitor),
                token,
                overlap,
                faults,
            })
        }
    }
}
