//! The doctor on screen. It reads everything, so it does when it is asked to, and not whenever the page is opened.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::doctor::Finding;
use serde::Deserialize;

use crate::{
    app::App,
    console::{
        self, Shell, Visitor,
        ui::{self, Tone},
    },
    doctor,
    http::Query,
    problem::Failure,
};

/// The page of the doctor.
pub fn routes() -> Router<App> {
    Router::new().route("/administration/health", get(show))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthQuery {
    examine: Option<String>,
}

#[derive(Template)]
#[template(path = "doctor/show.html")]
struct HealthPage {
    shell: Shell,
    /// None before it was asked.
    findings: Option<Vec<Finding>>,
}

async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Query(query): Query<HealthQuery>,
) -> Result<Response, Failure> {
    let mut findings = None;
    if query.examine.is_some() {
        findings = Some(doctor::examine_here(&app, &visitor.actor).await?);
    }
    console::page(&HealthPage {
        shell: Shell::new("Administration", visitor),
        findings,
    })
}
