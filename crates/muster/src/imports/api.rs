//! Imports and exports over HTTP.

use axum::{
    Json,
    body::Body as RawBody,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use muster_wire::{
    ImportId, Page, Role,
    imports::{Commit, CorrectRows, Import, ImportKind, ImportRow, Undone},
    problem::Fault,
};
use serde::Deserialize;
use tokio_util::io::StreamReader;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{export, read};
use crate::{
    actor::Actor,
    app::App,
    http::{Body, Id, ListQuery, Problems, Query, Reply},
    problem::{Failure, Kind, Refusal},
};

/// The routes of imports and exports.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, create_import))
        .routes(routes!(show_import, discard_import))
        .routes(routes!(read_import_again))
        .routes(routes!(list_import_rows, correct_import_rows))
        .routes(routes!(rejected_rows))
        .routes(routes!(commit_import))
        .routes(routes!(undo_import))
        .routes(routes!(export_all))
}

/// How to read a file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportQuery {
    /// What the file holds.
    kind: ImportKind,
    /// What the sender calls the file, at most 255 characters.
    #[serde(default)]
    #[param(max_length = 255)]
    file_name: String,
    /// What to read otherwise than it would be detected, as JSON; see the schema `Options`.
    #[param(value_type = Option<String>)]
    options: Option<String>,
}

/// Lists imports, the newest first. Qualifiers: `kind:`, `state:`.
#[utoipa::path(get, path = "/v1/imports", tag = "imports", params(ListQuery),
    responses((status = 200, body = Page<Import>), Problems))]
async fn list_imports(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Reply<Page<Import>> {
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::list(&mut tx, &actor, query.read()?).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Reads a file and compares it with what is stored; commit the import to store it. The body is the file itself.
#[utoipa::path(post, path = "/v1/imports", tag = "imports", params(ImportQuery),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 201, body = Import), Problems))]
async fn create_import(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ImportQuery>,
    body: RawBody,
) -> Result<(StatusCode, Json<Import>), Failure> {
    let options = query
        .options
        .as_deref()
        .map(serde_json::from_str::<read::Options>)
        .unwrap_or_else(|| Ok(read::Options::default()));
    let options = options.map_err(|error| {
        let mut faults = vec![Fault::new(
            "options",
            "json",
            format!("options are not understood: {error}"),
        )];
        faults.extend(super::file_name_fault(&query.file_name));
        Refusal::invalid(faults)
    })?;
    let source = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    let id = super::begin(&app, &actor, query.kind, &query.file_name, &options).await?;
    let import = super::stage(&app, &actor, query.kind, id, options, source).await?;
    Ok((StatusCode::CREATED, Json(import)))
}

/// Reads the file of an import that is not decided again, otherwise. The body says how.
#[utoipa::path(post, path = "/v1/imports/{id}/read", tag = "imports", params(("id" = i64, Path)),
    request_body = read::Options, responses((status = 200, body = Import), Problems))]
async fn read_import_again(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ImportId>,
    Body(options): Body<read::Options>,
) -> Reply<Import> {
    Ok(Json(super::read_again(&app, &actor, id, options).await?))
}

/// Corrects rejected rows of a staged import: they are checked and compared anew.
#[utoipa::path(post, path = "/v1/imports/{id}/rows", tag = "imports", params(("id" = i64, Path)), request_body = CorrectRows,
    responses((status = 200, body = Import), Problems))]
async fn correct_import_rows(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ImportId>,
    Body(asked): Body<CorrectRows>,
) -> Reply<Import> {
    Ok(Json(super::correct(&app, &actor, id, asked).await?))
}

/// Shows an import.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = Import), Problems))]
async fn show_import(State(app): State<App>, actor: Actor, Id(id): Id<ImportId>) -> Reply<Import> {
    let mut tx = app.db.begin(&actor).await?;
    let import = super::show(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Json(import))
}

/// Gives a staged import up.
#[utoipa::path(delete, path = "/v1/imports/{id}", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = Import), Problems))]
async fn discard_import(State(app): State<App>, actor: Actor, Id(id): Id<ImportId>) -> Reply<Import> {
    let mut tx = app.db.begin(&actor).await?;
    let import = super::discard(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Json(import))
}

/// Lists the rows of an import, the diff, in the order of the file. Qualifier: `verdict:`.
#[utoipa::path(get, path = "/v1/imports/{id}/rows", tag = "imports", params(("id" = i64, Path), ListQuery),
    responses((status = 200, body = Page<ImportRow>), Problems))]
async fn list_import_rows(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ImportId>,
    Query(query): Query<ListQuery>,
) -> Reply<Page<ImportRow>> {
    let mut tx = app.db.begin_read(&actor).await?;
    let page = super::rows(&mut tx, &actor, &app.keys, id, query.read()?).await?;
    tx.commit().await?;
    Ok(Json(page))
}

/// Gives the rejected rows back in the file's own form, to be mended and imported again.
#[utoipa::path(get, path = "/v1/imports/{id}/rejected", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), Problems))]
async fn rejected_rows(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ImportId>,
) -> Result<Response, Failure> {
    let (name, file) = export::rejected(app, actor, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, RawBody::from_stream(file)).into_response())
}

/// Stores the rows of a staged import, all of them or the good ones, in one step.
#[utoipa::path(post, path = "/v1/imports/{id}/commit", tag = "imports", params(("id" = i64, Path)), request_body = Commit,
    responses((status = 200, body = Import), Problems))]
async fn commit_import(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id<ImportId>,
    Body(commit): Body<Commit>,
) -> Reply<Import> {
    let mut tx = app.db.begin(&actor).await?;
    let import = super::commit(&mut tx, &actor, id, commit.rows).await?;
    tx.commit().await?;
    Ok(Json(import))
}

/// Takes a committed import back, but for what was touched since.
#[utoipa::path(post, path = "/v1/imports/{id}/undo", tag = "imports", params(("id" = i64, Path)),
    responses((status = 200, body = Undone), Problems))]
async fn undo_import(State(app): State<App>, actor: Actor, Id(id): Id<ImportId>) -> Reply<Undone> {
    let mut tx = app.db.begin(&actor).await?;
    let undone = super::undo(&mut tx, &actor, id).await?;
    tx.commit().await?;
    Ok(Json(undone))
}

/// How to export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// With the secrets in the clear: for owners only, and written down.
    #[serde(default)]
    secrets: bool,
}

/// Writes everything of a kind as CSV that imports again unchanged.
#[utoipa::path(get, path = "/v1/exports/{kind}", tag = "imports",
    params(("kind" = ImportKind, Path), ExportQuery),
    responses((status = 200, body = String, content_type = "text/csv"), Problems))]
async fn export_all(
    State(app): State<App>,
    actor: Actor,
    Path(kind): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Failure> {
    let kind: ImportKind = kind.parse().map_err(|_| Refusal::not_found("kind of export"))?;
    if query.secrets && actor.role() != Some(Role::Owner) {
        let detail = "only an owner exports secrets; leave secrets=true out";
        return Err(Refusal::new(Kind::Forbidden, "forbidden", detail).into());
    }
    let file = export::export(app, actor, kind, query.secrets).await?;
    let disposition = format!("attachment; filename=\"{kind}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, RawBody::from_stream(file)).into_response())
}
