//! The tenant on screen: its name, and how much its programs may ask.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::tenants::{Tenant, TenantChange};
use serde::Deserialize;

use crate::{
    app::App,
    console::{self, Faults, Form, Said, Shell, Visitor, ui},
    http::IfMatch,
    problem::Failure,
    tenants,
};

/// The page of the tenant.
pub fn routes() -> Router<App> {
    Router::new().route("/administration", get(show).post(change))
}

#[derive(Template)]
#[template(path = "tenants/show.html")]
struct TenantPage {
    shell: Shell,
    tenant: Tenant,
    form: TenantForm,
    faults: Faults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantForm {
    name: String,
    requests: String,
    /// What was shown when the form was: changed since, it is refused.
    version: i64,
}

async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin(&visitor.actor).await?;
    let tenant = tenants::get(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    console::page(&TenantPage {
        shell: Shell::new("Administration", visitor),
        form: TenantForm {
            name: tenant.name.clone(),
            requests: tenant.requests_per_minute.to_string(),
            version: tenant.version,
        },
        tenant,
        faults: Faults::none(),
    })
}

async fn change(
    State(app): State<App>,
    visitor: Visitor,
    Form(mut form): Form<TenantForm>,
) -> Result<Response, Failure> {
    let change = TenantChange {
        name: Some(form.name.clone()),
        // What is no number is in no range, and refused with it.
        requests_per_minute: Some(form.requests.trim().parse().unwrap_or(0)),
    };
    let mut tx = app.db.begin(&visitor.actor).await?;
    match tenants::change(&mut tx, &visitor.actor, IfMatch(Some(form.version)), change).await {
        Ok(_) => {
            tx.commit().await?;
            app.gate.forget();
            Ok(console::go_and_say(
                "/administration",
                &Said::done("The tenant is changed."),
            ))
        }
        Err(failure) => {
            let mut faults = Faults::of(failure, &["/name", "/requests"])?;
            faults.rename(&[("/requests_per_minute", "/requests")]);
            // What failed may have broken the transaction.
            drop(tx);
            let mut tx = app.db.begin(&visitor.actor).await?;
            let tenant = tenants::get(&mut tx, &visitor.actor).await?;
            tx.commit().await?;
            form.version = tenant.version;
            console::refused(&TenantPage {
                shell: Shell::new("Administration", visitor),
                tenant,
                form,
                faults,
            })
        }
    }
}
