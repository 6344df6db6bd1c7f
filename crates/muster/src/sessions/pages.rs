//! Signing in and out, a person's own page, and going from one tenant to another.

use askama::Template;
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, header},
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    OperatorId, Secret, TenantId,
    operators::{OpenTenant, Session, SignIn},
};
use qrcode::QrCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    access::{self, TokenHash},
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor},
    http::Query,
    problem::{Failure, Kind, Refusal},
    sessions::{
        self, Entered, From, SESSION_IDLE_MINUTES,
        api::{cookie, no_cookie},
        recovery,
        second_factor::{self, Offer, Ticket},
    },
};

/// The pages of sessions.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in_form).post(sign_in))
        .route("/sign-in/code", post(give_code))
        .route("/sign-out", post(sign_out))
        .route("/profile", get(profile))
        .route("/profile/sessions/end", post(end_session))
        .route(
            "/profile/second-factor",
            get(second_factor_form).post(set_up_second_factor),
        )
        .route("/profile/second-factor/forget", post(forget_second_factor))
        .route("/profile/recovery-codes", get(renew_codes_form).post(renew_codes))
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
    headers: HeaderMap,
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
        code: None,
    };
    let next = console::way_back(Some(&form.next));
    match sessions::sign_in(&app.db, &app.keys, &app.gate.passwords, &from, asked).await {
        Ok(Entered::SignedIn(who, token)) => {
            let next = if who.tenants.len() > 1 { "/tenants" } else { next };
            Ok(signed_in(next, &token))
        }
        Ok(Entered::CodeDue(ticket)) => console::page(&CodePage {
            ticket: ticket.0,
            next: next.to_owned(),
            faults: Faults::none(),
        }),
        Err(failure) => console::refused(&SignInPage {
            email: form.email,
            next: next.to_owned(),
            said: None,
            faults: Faults::of(failure, &["/email", "/password"])?,
        }),
    }
}

fn signed_in(next: &str, token: &SecretString) -> Response {
    let mut response = console::go(next);
    response.headers_mut().append(header::SET_COOKIE, cookie(token));
    response
}

#[derive(Template)]
#[template(path = "sessions/code.html")]
struct CodePage {
    ticket: SecretString,
    next: String,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeForm {
    ticket: Secret,
    code: String,
    next: String,
}

async fn give_code(
    State(app): State<App>,
    from: From,
    Form(form): Form<CodeForm>,
) -> Result<Response, Failure> {
    let ticket = Ticket(form.ticket.0);
    let next = console::way_back(Some(&form.next));
    match sessions::give_code(
        &app.db,
        &app.keys,
        &app.gate.passwords,
        &from,
        &ticket,
        &form.code,
    )
    .await
    {
        Ok(token) => Ok(signed_in(next, &token)),
        Err(failure) => console::refused(&CodePage {
            ticket: ticket.0,
            next: next.to_owned(),
            faults: Faults::of(failure, &["/code"])?,
        }),
    }
}

/// Takes the session from the browser, whatever becomes of it on the server.
async fn sign_out(State(app): State<App>, from: From, headers: HeaderMap) -> Response {
    let said = match end_own(&app, &from, &headers).await {
        Ok(()) => "You are signed out.".to_owned(),
        // It was over already.
        Err(failure)
            if failure
                .refusal()
                .is_some_and(|refusal| matches!(refusal.kind, Kind::Unauthenticated | Kind::NotFound)) =>
        {
            "You are signed out.".to_owned()
        }
        Err(failure) => {
            tracing::warn!(%failure, "a session could not be ended by whoever signed out");
            format!(
                "You are signed out in this browser. The server could not store that now: there the session ends by itself, \
                 when it was not used for {SESSION_IDLE_MINUTES} minutes."
            )
        }
    };
    let mut response = console::go_and_say("/sign-in", &Said::done(said));
    response.headers_mut().append(header::SET_COOKIE, no_cookie());
    response
}

async fn end_own(app: &App, from: &From, headers: &HeaderMap) -> Result<(), Failure> {
    let (identity, presented) = access::identify(app, headers, from.address).await?;
    let actor = from.actor(identity.tenant, identity.who);
    let person = actor.operator().ok_or_else(|| Refusal::not_found("session"))?;
    let mut tx = app.db.begin(&actor).await?;
    sessions::revoke(&mut tx, &actor, person, &sessions::id(&presented)).await?;
    tx.commit().await?;
    app.gate.forget();
    Ok(())
}

#[derive(Template)]
#[template(path = "sessions/profile.html")]
struct ProfilePage {
    shell: Shell,
    role: &'static str,
    sessions: Vec<Session>,
    tenants: usize,
    second_factor: bool,
    recovery_codes_left: i64,
    faults: Faults,
}

/// So few recovery codes are left that new ones should be made.
const RECOVERY_CODES_FEW: i64 = 3;

impl ProfilePage {
    async fn read(
        app: &App,
        visitor: Visitor,
        presented: &[u8; 32],
        faults: Faults,
    ) -> Result<Self, Failure> {
        let mut tx = app.db.begin(&visitor.actor).await?;
        let person = visitor.person()?;
        let sessions = sessions::list(&mut tx, &visitor.actor, person, presented).await?;
        let tenants = sessions::tenants(&mut tx).await?.len();
        let second_factor = second_factor::is_due(&mut tx, &visitor.actor, person).await?;
        let recovery_codes_left = recovery::left(&mut tx, &visitor.actor, person).await?;
        tx.commit().await?;
        Ok(Self {
            role: visitor.actor.role().map_or("", |role| role.word()),
            shell: Shell::new(visitor.name.clone(), visitor),
            sessions,
            tenants,
            second_factor,
            recovery_codes_left,
            faults,
        })
    }
}

async fn profile(
    State(app): State<App>,
    visitor: Visitor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
) -> Result<Response, Failure> {
    console::page(&ProfilePage::read(&app, visitor, &presented, Faults::none()).await?)
}

/// A token of the API can have less than its person's role, and could lock them out: only a session changes how they sign in.
async fn only_by_session(app: &App, visitor: &Visitor, presented: &[u8; 32]) -> Result<OperatorId, Failure> {
    let person = visitor.person()?;
    let mut tx = app.db.begin(&visitor.actor).await?;
    let sessions = sessions::list(&mut tx, &visitor.actor, person, presented).await?;
    tx.commit().await?;
    if sessions.iter().any(|session| session.current) {
        Ok(person)
    } else {
        Err(Refusal::not_found("session").into())
    }
}

#[derive(Template)]
#[template(path = "sessions/second_factor.html")]
struct SecondFactorPage {
    shell: Shell,
    offer: Offer,
    code: String,
    faults: Faults,
}

impl SecondFactorPage {
    fn new(visitor: Visitor, offer: Offer, faults: Faults) -> Self {
        Self {
            shell: Shell::new("Set up a second factor", visitor),
            offer,
            code: String::new(),
            faults,
        }
    }

    /// The picture of the address for a device: its width, and the path of its dark parts.
    fn picture(&self) -> Result<(usize, String), askama::Error> {
        let uri = self.offer.uri.expose_secret().as_bytes();
        let code = QrCode::new(uri).map_err(|error| askama::Error::custom(Box::new(error)))?;
        let dark = code.to_colors();
        let mut path = String::new();
        for (y, row) in dark.chunks(code.width()).enumerate() {
            for (x, color) in row.iter().enumerate() {
                if *color == qrcode::Color::Dark {
                    path.push_str(&format!("M{x} {y}h1v1h-1z"));
                }
            }
        }
        Ok((code.width(), path))
    }
}

async fn second_factor_form(visitor: Visitor) -> Result<Response, Failure> {
    let offer = second_factor::offer(&visitor.tenant, &visitor.name);
    console::page(&SecondFactorPage::new(visitor, offer, Faults::none()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondFactorForm {
    secret: Secret,
    code: String,
}

async fn set_up_second_factor(
    State(app): State<App>,
    visitor: Visitor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
    Form(SecondFactorForm { secret, code }): Form<SecondFactorForm>,
) -> Result<Response, Failure> {
    let person = only_by_session(&app, &visitor, &presented).await?;
    let secret = secret.0;
    let mut tx = app.db.begin(&visitor.actor).await?;
    match second_factor::set_up(&mut tx, &visitor.actor, &app.keys, person, &secret, &code).await {
        Ok(codes) => {
            tx.commit().await?;
            let mut visitor = visitor;
            let said = "From now on a code of your device is asked for when you sign in here.";
            visitor.said = Some(Said::done(said));
            console::page(&RecoveryCodesPage::new(visitor, codes))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/code"])?;
            let offer = second_factor::offer_again(secret.expose_secret(), &visitor.tenant, &visitor.name)?;
            console::refused(&SecondFactorPage::new(visitor, offer, faults))
        }
    }
}

/// The one time that recovery codes are shown.
#[derive(Template)]
#[template(path = "sessions/recovery_codes.html")]
struct RecoveryCodesPage {
    shell: Shell,
    codes: Vec<SecretString>,
}

impl RecoveryCodesPage {
    fn new(visitor: Visitor, codes: Vec<SecretString>) -> Self {
        Self {
            shell: Shell::new("Your recovery codes", visitor),
            codes,
        }
    }
}

#[derive(Template)]
#[template(path = "sessions/renew_codes.html")]
struct RenewCodesPage {
    shell: Shell,
    faults: Faults,
}

impl RenewCodesPage {
    fn new(visitor: Visitor, faults: Faults) -> Self {
        Self {
            shell: Shell::new("Make new recovery codes", visitor),
            faults,
        }
    }
}

async fn renew_codes_form(visitor: Visitor) -> Result<Response, Failure> {
    console::page(&RenewCodesPage::new(visitor, Faults::none()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenewCodesForm {
    password: Secret,
    code: String,
}

async fn renew_codes(
    State(app): State<App>,
    visitor: Visitor,
    from: From,
    Extension(TokenHash(presented)): Extension<TokenHash>,
    Form(RenewCodesForm { password, code }): Form<RenewCodesForm>,
) -> Result<Response, Failure> {
    let person = only_by_session(&app, &visitor, &presented).await?;
    let given = (password.0, code.as_str());
    let passwords = &app.gate.passwords;
    match recovery::renew(
        &app.db,
        &app.keys,
        passwords,
        &from,
        &visitor.actor,
        person,
        given,
    )
    .await
    {
        Ok(codes) => console::page(&RecoveryCodesPage::new(visitor, codes)),
        Err(failure) => {
            let faults = Faults::of(failure, &["/password", "/code"])?;
            console::refused(&RenewCodesPage::new(visitor, faults))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgetForm {
    code: String,
}

async fn forget_second_factor(
    State(app): State<App>,
    visitor: Visitor,
    Extension(TokenHash(presented)): Extension<TokenHash>,
    Form(ForgetForm { code }): Form<ForgetForm>,
) -> Result<Response, Failure> {
    let person = only_by_session(&app, &visitor, &presented).await?;
    match second_factor::check(&app.db, &app.keys, &visitor.actor, person, &code).await {
        Ok(()) => {
            let mut tx = app.db.begin(&visitor.actor).await?;
            second_factor::forget(&mut tx, &visitor.actor, person).await?;
            tx.commit().await?;
            let said = Said::done("Your password alone lets you in here again.");
            Ok(console::go_and_say("/profile", &said))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/code"])?;
            console::refused(&ProfilePage::read(&app, visitor, &presented, faults).await?)
        }
    }
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
    let entered = sessions::enter(
        &app.db,
        &app.keys,
        &from,
        &visitor.actor,
        person,
        &presented,
        form.tenant,
    )
    .await?;
    app.gate.forget();
    match entered {
        Ok(token) => Ok(signed_in("/", &token)),
        Err(ticket) => console::page(&CodePage {
            ticket: ticket.0,
            next: "/".to_owned(),
            faults: Faults::none(),
        }),
    }
}
