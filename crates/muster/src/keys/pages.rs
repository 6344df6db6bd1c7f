//! The data keys on screen: which seals now, how far sealing anew by it has come, and a new one.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use muster_wire::tenants::{KeyVersion, Keys};

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
    /// How far a version has come with what older ones had sealed.
    fn progress(&self, key: &KeyVersion) -> String {
        let mut parts = Vec::new();
        if key.version > 1 {
            parts.push(ui::count(key.resealed, "secret", "secrets"));
        }
        if key.failed > 0 {
            parts.push(format!("{} did not open", ui::number(key.failed)));
        }
        if key.resealed_at.is_none() {
            parts.push("going on".to_owned());
        }
        parts.join(", ")
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
