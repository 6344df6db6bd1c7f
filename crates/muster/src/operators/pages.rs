//! Setting a password by a link that was given.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::{Fault, Secret, operators::NewPassword};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::{
    app::App,
    console::{self, Faults, Form, Said},
    http::Query,
    operators,
    problem::{Failure, Refusal},
    sessions::From,
};

/// The pages of operators.
pub fn routes() -> Router<App> {
    Router::new().route("/password", get(password_form).post(set_password))
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
