//! `/v1/pictures`.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use muster_wire::content::kept_picture;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    actor::Actor,
    app::App,
    http::Problems,
    pictures,
    problem::{Failure, Refusal},
};

/// What a browser may do with a picture that it opens by itself: show it.
const SECURITY_POLICY: &str = "default-src 'none'; sandbox";

/// How long a browser keeps a picture for the person who was shown it: it never becomes another one.
const CACHE: &str = "private, max-age=86400, immutable";

/// The routes of pictures.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_picture))
}

/// Gives a picture that Muster keeps, by its SHA-256: to the tenant's people, and to the bot that holds a step which shows it.
#[utoipa::path(get, path = "/v1/pictures/{sha256}", tag = "content", params(("sha256" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), Problems))]
async fn get_picture(
    State(app): State<App>,
    actor: Actor,
    Path(sha256): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Failure> {
    let named =
        kept_picture(&format!("/v1/pictures/{sha256}")).ok_or_else(|| Refusal::not_found("picture"))?;
    let mut tx = app.db.begin_read(&actor).await?;
    let picture = pictures::get(&mut tx, &actor, named).await?;
    tx.commit().await?;
    let tag = format!("\"{sha256}\"");
    let ending = picture.media_type.rsplit('/').next().unwrap_or_default();
    let headers = [
        (header::CACHE_CONTROL, CACHE.to_owned()),
        (header::CONTENT_SECURITY_POLICY, SECURITY_POLICY.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"{}.{ending}\"", &sha256[..16]),
        ),
        (header::VARY, "Authorization, Cookie".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    let unchanged = asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    if unchanged {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let kind = [
        (header::CONTENT_TYPE, picture.media_type.clone()),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin".to_owned(),
        ),
    ];
    Ok((headers, kind, picture.bytes).into_response())
}
