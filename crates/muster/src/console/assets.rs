//! The files of the console. Each has the hash of its content in its address, so that browsers keep it for ever.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    problem::{Failure, Refusal},
};

struct Asset {
    name: String,
    path: String,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let hash: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{stem}-{hash}.{extension}");
        Self {
            path: format!("/assets/{name}"),
            name,
            kind,
            text,
        }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "console",
        "css",
        "text/css; charset=utf-8",
        include_str!("console.css"),
    )
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "console",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("console.js"),
    )
});
static ICONS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icons", "svg", "image/svg+xml", include_str!("icons.svg")));
static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", include_str!("mark.svg")));

/// The address of the style sheet.
pub fn style() -> &'static str {
    &STYLE.path
}

/// The address of the script.
pub fn script() -> &'static str {
    &SCRIPT.path
}

/// The address of the pictures.
pub fn icons() -> &'static str {
    &ICONS.path
}

/// The address of the mark that browsers show beside the title.
pub fn mark() -> &'static str {
    &MARK.path
}

/// The route of the files.
pub fn routes() -> Router<App> {
    Router::new().route("/assets/{file}", get(file))
}

async fn file(Path(file): Path<String>) -> Result<Response, Failure> {
    let asset = [&STYLE, &SCRIPT, &ICONS, &MARK]
        .into_iter()
        .find(|asset| asset.name == file)
        .ok_or_else(|| Refusal::not_found("file"))?;
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.text).into_response())
}
