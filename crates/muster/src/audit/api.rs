//! `/v1/audit`.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use futures_util::stream;
use muster_wire::{
    Fault, Filter, Page,
    audit::{AuditEntry, AuditFilter},
};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    actor::Actor,
    app::App,
    audit::{self, Entry, EntryKey},
    http::{ListQuery, Problems, Query, Reply},
    problem::{Bug, Failure, Refusal},
};

/// How many entries the export reads at a time: what it holds in memory.
const EXPORT_ROWS: i64 = 1_000;

/// The routes of the audit log.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_audit))
        .routes(routes!(export_audit))
}

/// Lists what was done, the newest first. The filter takes `actor:operator:7`, `action:token.create` or `action:token`,
/// `object:account:12`, `request:` and `since:<2d`.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(ListQuery),
    responses((status = 200, body = Page<AuditEntry>), Problems))]
async fn list_audit(
    State(app): State<App>,
    actor: Actor,
    Query(mut query): Query<ListQuery>,
) -> Reply<Page<AuditEntry>> {
    let before = query
        .cursor
        .take()
        .map(|cursor| decode_cursor(&cursor))
        .transpose()?;
    let mut listing = query.read()?;
    let filter = AuditFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let mut tx = app.db.begin_read(&actor).await?;
    let (items, next) = audit::list(&mut tx, &actor, &filter, Utc::now(), before, listing.limit).await?;
    Ok(Json(Page {
        items,
        next: next.map(encode_cursor),
    }))
}

/// Which entries an export holds.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// As for the list.
    filter: Option<String>,
}

/// Exports what was done, the newest first, one JSON object a line. The export itself is written down first.
#[utoipa::path(get, path = "/v1/audit/export", tag = "audit", params(ExportQuery),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Problems))]
async fn export_audit(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Failure> {
    let text = query.filter.unwrap_or_default();
    let filter = AuditFilter::read(Filter::parse(&text)).map_err(Refusal::invalid)?;
    let entry = Entry {
        action: "audit.export",
        object_type: "audit",
        after: Some(json!({"filter": text})),
        ..Entry::default()
    };
    let mut tx = app.db.begin(&actor).await?;
    audit::write(&mut tx, &actor, &[entry]).await?;
    tx.commit().await?;
    let export = Export {
        app,
        actor,
        filter,
        now: Utc::now(),
        before: None,
        done: false,
    };
    let body = Body::from_stream(stream::try_unfold(export, Export::next));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// An export under way. Each part is read in a transaction of its own, so that a slow reader holds no connection; where
/// one fails the answer is cut off, so that nobody takes it for the whole.
struct Export {
    app: App,
    actor: Actor,
    filter: AuditFilter,
    now: DateTime<Utc>,
    before: Option<EntryKey>,
    done: bool,
}

impl Export {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Failure> {
        if self.done {
            return Ok(None);
        }
        let mut tx = self.app.db.begin_read(&self.actor).await?;
        let (entries, next) = audit::list(
            &mut tx,
            &self.actor,
            &self.filter,
            self.now,
            self.before,
            EXPORT_ROWS,
        )
        .await?;
        tx.commit().await?;
        let mut lines = Vec::new();
        for entry in &entries {
            serde_json::to_writer(&mut lines, entry).map_err(Bug::new)?;
            lines.push(b'\n');
        }
        self.done = next.is_none();
        self.before = next;
        Ok(Some((lines.into(), self)))
    }
}

fn encode_cursor((at, id): EntryKey) -> String {
    URL_SAFE_NO_PAD.encode(format!("a1:{}:{id}", at.timestamp_micros()))
}

fn decode_cursor(cursor: &str) -> Result<EntryKey, Refusal> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (at, id) = std::str::from_utf8(&bytes)
            .ok()?
            .strip_prefix("a1:")?
            .split_once(':')?;
        Some((
            DateTime::from_timestamp_micros(at.parse().ok()?)?,
            Uuid::parse_str(id).ok()?,
        ))
    };
    read().ok_or_else(|| {
        let detail = "this is no cursor of this list: use next as it was given";
        Refusal::invalid(vec![Fault::new("cursor", "cursor", detail)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cursor_survives_being_written_and_read() {
        let key = (
            DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("a time"),
            Uuid::now_v7(),
        );
        assert_eq!(decode_cursor(&encode_cursor(key)).expect("it is a cursor"), key);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_cursor_panic(text in ".*") {
            let _ = decode_cursor(&text);
            let _ = decode_cursor(&URL_SAFE_NO_PAD.encode(format!("a1:{text}")));
        }
    }
}
