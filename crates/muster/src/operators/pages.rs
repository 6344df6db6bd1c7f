//! People: who belongs to the tenant and what each may do, invitations, and setting a password by a link that was given.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri, header},
    response::Response,
    routing::{get, post},
};
use muster_wire::{
    Fault, OperatorId, Role, Secret,
    operators::{NewOperator, NewPassword, Operator, OperatorChange, PasswordLink},
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{
    access::{Access, ENDPOINTS, Endpoint},
    actor::Who,
    app::App,
    console::{
        self, Faults, Form, Listed, Said, Shell, Visitor,
        ui::{self, Markup, Tone},
    },
    http::{Id, IfMatch, ListQuery, Query},
    operators,
    problem::{Failure, Refusal},
    sessions::From,
};

/// The pages of operators.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/password", get(password_form).post(set_password))
        .route("/operators", get(list).post(create))
        .route("/operators/new", get(new))
        .route("/operators/{id}", get(show))
        .route("/operators/{id}/role", post(change_role))
        .route("/operators/{id}/password-link", post(link))
        .route("/operators/{id}/second-factor/forget", post(forget_second_factor))
        .route("/operators/{id}/remove", post(remove))
}

fn role(role: &Role) -> Markup {
    match role {
        Role::Owner => ui::badge(Tone::Info, "key", "Owner"),
        Role::Admin => ui::badge(Tone::Info, "admin", "Admin"),
        Role::Operator => ui::badge(Tone::Good, "bolt", "Operator"),
        Role::Reviewer => ui::badge(Tone::Good, "eye", "Reviewer"),
        Role::Viewer => ui::badge(Tone::Quiet, "eye", "Viewer"),
    }
}

/// What the rows of the access table let people do, in words.
const RIGHTS: &[(Access, &str)] = &[
    (
        Access::View,
        "Look at everything but the audit log, and make tokens of their own",
    ),
    (Access::Work, "Work steps that are for people"),
    (Access::Operate, "Import, assign, test, edit, start and pause"),
    (Access::Review, "Decide reviews"),
    (
        Access::Administer,
        "Manage people, bots and their tokens, pause everything, read the audit log",
    ),
    (
        Access::Own,
        "Reveal and export secrets, exchange keys, set the tenant's limits, name owners",
    ),
];

/// The roles that the visitor may give.
fn gives(visitor: &Visitor) -> Vec<Role> {
    let may = |role: &Role| operators::may_give(&visitor.actor, *role).is_ok();
    Role::ALL.iter().copied().filter(may).collect()
}

#[derive(Template)]
#[template(path = "operators/list.html")]
struct ListPage {
    shell: Shell,
    filter: String,
    cursor: String,
    operators: Vec<Operator>,
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
    } = Listed::read(&app, &visitor, query, operators::list).await?;
    console::page(&ListPage {
        shell: Shell::new("People", visitor),
        filter,
        cursor,
        operators: page.items,
        next: page.next,
        faults,
    })
}

#[derive(Template)]
#[template(path = "operators/show.html")]
struct OperatorPage {
    shell: Shell,
    operator: Operator,
    /// What they may do.
    rights: Vec<(&'static str, bool)>,
    /// Every request that the access table lets them send.
    endpoints: Vec<&'static Endpoint>,
    roles: Vec<Role>,
    faults: Faults,
}

impl OperatorPage {
    fn new(visitor: Visitor, operator: Operator, faults: Faults) -> Self {
        let who = Who::Operator {
            id: operator.id,
            role: operator.role,
        };
        let rights = RIGHTS.iter().map(|(access, words)| (*words, access.allows(who)));
        let endpoints = ENDPOINTS.iter().filter(|endpoint| endpoint.access.allows(who));
        Self {
            rights: rights.collect(),
            endpoints: endpoints.collect(),
            roles: gives(&visitor),
            shell: Shell::new(operator.name.clone(), visitor),
            operator,
            faults,
        }
    }

    /// Whether the visitor may change anything about them.
    fn may_change(&self) -> bool {
        self.shell.may("POST", "/operators/{id}/role") && self.roles.contains(&self.operator.role)
    }
}

async fn show(State(app): State<App>, visitor: Visitor, Id(id): Id<OperatorId>) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let operator = operators::get(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    console::page(&OperatorPage::new(visitor, operator, Faults::none()))
}

#[derive(Template)]
#[template(path = "operators/new.html")]
struct NewPage {
    shell: Shell,
    roles: Vec<Role>,
    form: NewForm,
    faults: Faults,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewForm {
    email: String,
    name: String,
    role: String,
}

async fn new(visitor: Visitor) -> Result<Response, Failure> {
    console::page(&NewPage {
        roles: gives(&visitor),
        shell: Shell::new("Invite somebody", visitor),
        form: NewForm::default(),
        faults: Faults::none(),
    })
}

/// Makes them a member, and in the same go the link by which they come in; who has a password already needs none.
async fn create(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<NewForm>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let added = match form.role.parse() {
        Ok(role) => {
            let asked = NewOperator {
                email: form.email.clone(),
                name: form.name.clone(),
                role,
            };
            operators::add(&mut tx, &visitor.actor, asked).await
        }
        Err(error) => {
            let fault = Fault::new("/role", "unknown", format!("{error}"));
            Err(Refusal::invalid(vec![fault]).into())
        }
    };
    let operator = match added {
        Ok(operator) => operator,
        Err(failure) => {
            return console::refused(&NewPage {
                roles: gives(&visitor),
                shell: Shell::new("Invite somebody", visitor),
                form,
                faults: Faults::of(failure, &["/email", "/name", "/role"])?,
            });
        }
    };
    match operators::password_link(&mut tx, &visitor.actor, operator.id).await {
        Ok(link) => {
            tx.commit().await?;
            console::page(&LinkPage::new(visitor, &headers, operator, &link))
        }
        Err(failure) if failure.refusal().is_some() => {
            tx.commit().await?;
            let text = format!(
                "{} is a member now, and signs in with the password that they have.",
                operator.name
            );
            Ok(console::go_and_say("/operators", &Said::done(text)))
        }
        Err(failure) => Err(failure),
    }
}

#[derive(Template)]
#[template(path = "operators/link.html")]
struct LinkPage {
    shell: Shell,
    operator: Operator,
    address: String,
    expires_at: chrono::DateTime<chrono::Utc>,
}

impl LinkPage {
    fn new(visitor: Visitor, headers: &HeaderMap, operator: Operator, link: &PasswordLink) -> Self {
        Self {
            shell: Shell::new("The link is made", visitor),
            address: format!(
                "{}/password?token={}",
                site(headers),
                link.token.0.expose_secret()
            ),
            operator,
            expires_at: link.expires_at,
        }
    }
}

/// The address of this server as the visitor reached it. Sessions are for TLS only, but on the machine itself.
fn site(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let name = host.parse::<Uri>().ok();
    let name = name.as_ref().and_then(Uri::host).unwrap_or(host);
    let scheme = match name {
        "localhost" | "127.0.0.1" | "[::1]" => "http",
        _ => "https",
    };
    format!("{scheme}://{host}")
}

async fn link(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Id(id): Id<OperatorId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let operator = operators::get(&mut tx, &visitor.actor, id).await?;
    match operators::password_link(&mut tx, &visitor.actor, id).await {
        Ok(link) => {
            tx.commit().await?;
            console::page(&LinkPage::new(visitor, &headers, operator, &link))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/role"])?;
            console::refused(&OperatorPage::new(visitor, operator, faults))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleForm {
    role: Role,
}

async fn change_role(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<OperatorId>,
    Form(RoleForm { role }): Form<RoleForm>,
) -> Result<Response, Failure> {
    let change = OperatorChange { role: Some(role) };
    let mut tx = app.db.begin(&visitor.actor).await?;
    match operators::change(&mut tx, &visitor.actor, id, IfMatch(None), change).await {
        Ok(operator) => {
            tx.commit().await?;
            app.gate.forget();
            let said = Said::done(format!("{} is {role} now.", operator.name));
            Ok(console::go_and_say(format!("/operators/{id}"), &said))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/role"])?;
            let operator = operators::get(&mut tx, &visitor.actor, id).await?;
            console::refused(&OperatorPage::new(visitor, operator, faults))
        }
    }
}

async fn forget_second_factor(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<OperatorId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    operators::forget_second_factor(&mut tx, &visitor.actor, id).await?;
    tx.commit().await?;
    let said = Said::done("Their password alone lets them in again, until they set up another device.");
    Ok(console::go_and_say(format!("/operators/{id}"), &said))
}

async fn remove(
    State(app): State<App>,
    visitor: Visitor,
    Id(id): Id<OperatorId>,
) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let operator = operators::get(&mut tx, &visitor.actor, id).await?;
    match operators::remove(&mut tx, &visitor.actor, id).await {
        Ok(()) => {
            tx.commit().await?;
            app.gate.forget();
            let said = Said::done(format!("{} is no member any more.", operator.name));
            Ok(console::go_and_say("/operators", &said))
        }
        Err(failure) => {
            let faults = Faults::of(failure, &["/role"])?;
            console::refused(&OperatorPage::new(visitor, operator, faults))
        }
    }
}

/// The token stays in the page, which is read by nobody else: it came in the address.
#[derive(Template)]
#[template(path = "operators/password.html")]
struct PasswordPage {
    token: Secret,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkQuery {
    token: Secret,
}

async fn password_form(Query(LinkQuery { token }): Query<LinkQuery>) -> Result<Response, Failure> {
    console::page(&PasswordPage {
        token,
        faults: Faults::none(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    token: Secret,
    password: Secret,
    again: Secret,
}

async fn set_password(
    State(app): State<App>,
    from: From,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Failure> {
    app.gate.passwords.admit(from.address, None)?;
    let token = form.token.clone();
    let same = form.password.0.expose_secret() == form.again.0.expose_secret();
    let set = if same {
        let new = NewPassword {
            token: form.token,
            password: form.password,
        };
        operators::set_password(&app.db, &app.gate.passwords, &from, new).await
    } else {
        let detail = "this is another one than above: write it again";
        Err(Refusal::invalid(vec![Fault::new("/again", "differs", detail)]).into())
    };
    match set {
        Ok(()) => {
            app.gate.forget();
            Ok(console::go_and_say(
                "/sign-in",
                &Said::done("Your password is set. Sign in with it."),
            ))
        }
        Err(failure) => console::refused(&PasswordPage {
            token,
            faults: Faults::of(failure, &["/password", "/again"])?,
        }),
    }
}
