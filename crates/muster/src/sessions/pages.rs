//! Signing in and out, a person's own page, and going from one tenant to another.

use askama::Template;
use axum::{
    Extension, Router,
    extract::State,
    http::header,
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Secret, TenantId,
    operators::{OpenTenant, Session, SignIn},
};
use serde::Deserialize;

use crate::{
    access::TokenHash,
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor},
    http::Query,
    problem::Failure,
    sessions::{
        self, From,
        api::{cookie, no_cookie},
    },
};

/// The pages of sessions.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in_form).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/profile", get(profile))
        .route("/profile/sessions/end", post(end_session))
        .route("/tenants", get(tenants))
        .route("/tenants/enter", post(enter_tenant))
}

#[derive(Template)]
#[template(path = "sessions/sign_in.html")]
struct SignInPage {
    email: String,
    next: String,
    said: Option<Said>,
    faults: Faults,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NextQuery {
    next: Option<String>,
}

async fn sign_in_form(
    headers: axum::http::HeaderMap,
    Query(NextQuery { next }): Query<NextQuery>,
) -> Result<Response, Failure> {
    console::page(&SignInPage {
        email: String::new(),
        next: console::way_back(next.as_deref()).to_owned(),
        said: Said::read(&headers),
        faults: Faults::none(),
    })
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: Secret,
    next: String,
}

async fn sign_in(
    State(app): State<App>,
    from: From,
    Form(form): Form<SignInForm>,
) -> Result<Response, Failure> {
    let asked = SignIn {
        email: form.email.clone(),
        password: form.password,
        tenant: None,
    };
    let next = console::way_back(Some(&form.next));
    match sessions::sign_in(&app.db, &app.gate.passwords, &from, asked).await {
        Ok((who, token)) => {
            let mut response = if who.tenants.len() > 1 {
                console::go("/tenants")
            } else {
                console::go(next)
            };
            response.headers_mut().append(header::SET_COOKIE, cookie(&token));
            Ok(response)
        }
        Err(failure) => console::refused(&SignInPage {
            email: form.email,
            next: next.to_owned(),
            said: None,
            faults: Faults::of(failure, &["/email", "/password"])?,
        }),
    }
}

async fn sign_out(
    State(app): State<App>,
    visitor: Visitor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    sessions::revoke(
        &mut tx,
        &visitor.actor,
        visitor.person()?,
        &sessions::id(&presented),
    )
    .await?;
    tx.commit().await?;
    app.gate.forget();
    let mut response = console::go_and_say("/sign-in", &Said::done("You are signed out."));
    response.headers_mut().append(header::SET_COOKIE, no_cookie());
    Ok(response)
}

#[derive(Template)]
#[template(path = "sessions/profile.html")]
struct ProfilePage {
    shell: Shell,
    role: &'static str,
    sessions: Vec<Session>,
    tenants: usize,
}

async fn profile(
    State(app): State<App>,
    visitor: Visitor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let sessions = sessions::list(&mut tx, &visitor.actor, visitor.person()?, &presented).await?;
    let tenants = sessions::tenants(&mut tx).await?.len();
    tx.commit().await?;
    console::page(&ProfilePage {
        role: visitor.actor.role().map_or("", |role| role.word()),
        shell: Shell::new(visitor.name.clone(), visitor),
        sessions,
        tenants,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndForm {
    id: String,
}

async fn end_session(
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form<EndForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    sessions::revoke(&mut tx, &visitor.actor, visitor.person()?, &form.id).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(console::go_and_say(
        "/profile",
        &Said::done("That session is over."),
    ))
}

#[derive(Template)]
#[template(path = "sessions/tenants.html")]
struct TenantsPage {
    shell: Shell,
    here: TenantId,
    tenants: Vec<OpenTenant>,
}

async fn tenants(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let tenants = sessions::tenants(&mut tx).await?;
    tx.commit().await?;
    console::page(&TenantsPage {
        here: visitor.actor.tenant,
        shell: Shell::new("Your tenants", visitor),
        tenants,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnterForm {
    tenant: TenantId,
}

async fn enter_tenant(
    State(app): State<App>,
    visitor: Visitor,
    from: From,
    Extension(TokenHash(presented)): Extension<TokenHash>,
    Form(form): Form<EnterForm>,
) -> Result<Response, Failure> {
    if form.tenant == visitor.actor.tenant {
        return Ok(console::go("/"));
    }
    let person = visitor.person()?;
    let token = sessions::enter(&app.db, &from, &visitor.actor, person, &presented, form.tenant).await?;
    app.gate.forget();
    let mut response = console::go("/");
    response.headers_mut().append(header::SET_COOKIE, cookie(&token));
    Ok(response)
}
