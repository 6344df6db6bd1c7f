//! The data keys on screen: which seals now, how far sealing anew by it has come, and a new one.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::tenants::Keys;

use crate::{
    app::App,
    console::{
        self, Said, Shell, Visitor,
        ui::{self, Tone},
    },
    keys,
    problem::Failure,
};

/// The page of keys.
pub fn routes() -> Router<App> {
    Router::new().route("/administration/keys", get(show).post(rotate))
}

#[derive(Template)]
#[template(path = "keys/show.html")]
struct KeysPage {
    shell: Shell,
    keys: Keys,
}

impl KeysPage {
    /// How many secrets the newest key could not seal anew.
    fn failed(&self) -> i64 {
        self.keys.versions.last().map_or(0, |newest| newest.failed)
    }
}

async fn show(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let mut tx = app.db.begin_read(&visitor.actor).await?;
    let keys = keys::show(&mut tx, &visitor.actor).await?;
    tx.commit().await?;
    console::page(&KeysPage {
        shell: Shell::new("Administration", visitor),
        keys,
    })
}

async fn rotate(State(app): State<App>, visitor: Visitor) -> Result<Response, Failure> {
    let keys = keys::rotate_and_reseal(&app, &visitor.actor).await?;
    let text = format!(
        "Key {} seals from now on; what older ones seal is sealed anew in the background.",
        keys.current
    );
    Ok(console::go_and_say("/administration/keys", &Said::done(text)))
}
