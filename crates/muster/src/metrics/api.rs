//! `/v1/metrics`.

use axum::{
    Json,
    body::Body as RawBody,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{NaiveDate, Utc};
use muster_wire::{
    ModelId,
    metrics::{Metrics, MetricsTable, RolledUp, Rollup},
};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Period, export};
use crate::{
    actor::Actor,
    app::App,
    audit,
    http::{Body, Problems, Query, Reply},
    problem::{Failure, Refusal},
};

/// The routes of metrics.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_metrics))
        .routes(routes!(export_metrics))
        .routes(routes!(roll_up_metrics))
}

/// Which days, and of which model.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeriodQuery {
    /// The first day, in UTC; without both days the last 28 until today. A period has at most 92.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub to: Option<NaiveDate>,
    /// The model; without it all of them.
    pub model_id: Option<ModelId>,
}

impl PeriodQuery {
    /// The period.
    ///
    /// # Errors
    /// As [`Period::new`].
    pub fn read(self) -> Result<Period, Refusal> {
        Period::new(self.from, self.to, self.model_id, Utc::now().date_naive())
    }
}

/// Gives what happened by day and step, and in the period before: counts and sums, as they were counted by the hour.
#[utoipa::path(get, path = "/v1/metrics", tag = "metrics", params(PeriodQuery),
    responses((status = 200, body = Metrics), Problems))]
async fn get_metrics(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<PeriodQuery>,
) -> Reply<Metrics> {
    let period = query.read()?;
    let mut tx = app.db.begin_read(&actor).await?;
    let metrics = super::get(&mut tx, &actor, &period).await?;
    tx.commit().await?;
    Ok(Json(metrics))
}

/// Which file of metrics.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// The first day, in UTC; without both days the last 28 until today. A period has at most 92.
    from: Option<NaiveDate>,
    /// The last day.
    to: Option<NaiveDate>,
    /// The model; without it each of them, and all together where `model` is empty.
    model_id: Option<ModelId>,
    /// `steps` for a row for each day, model and step; `days` for one for each day and model.
    #[serde(default)]
    #[param(value_type = Option<MetricsTable>)]
    table: MetricsTable,
}

/// Gives metrics as CSV.
#[utoipa::path(get, path = "/v1/metrics/export", tag = "metrics", params(ExportQuery),
    responses((status = 200, body = String, content_type = "text/csv"), Problems))]
async fn export_metrics(
    State(app): State<App>,
    actor: Actor,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Failure> {
    let period = Period::new(query.from, query.to, query.model_id, Utc::now().date_naive())?;
    let file = export::export(app, actor, period, query.table).await?;
    let name = format!("metrics-{}-{}-{}.csv", query.table, period.from, period.to);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, RawBody::from_stream(file)).into_response())
}

/// Counts days again now: those that are given, or those on which something can have happened since the last time, as the
/// server does every hour.
#[utoipa::path(post, path = "/v1/metrics/rollup", tag = "metrics", request_body = Rollup,
    responses((status = 200, body = RolledUp), Problems))]
async fn roll_up_metrics(
    State(app): State<App>,
    actor: Actor,
    Body(rollup): Body<Rollup>,
) -> Reply<RolledUp> {
    let mut tx = app.db.begin(&actor).await?;
    let days = super::roll_up(&mut tx, &actor, &rollup, app.settings.metrics_days).await?;
    let entry = audit::Entry {
        action: "metrics.rollup",
        object_type: "metrics",
        after: Some(json!({"from": rollup.from, "to": rollup.to, "days": days})),
        ..Default::default()
    };
    audit::write(&mut tx, &actor, &[entry]).await?;
    tx.commit().await?;
    Ok(Json(RolledUp { days }))
}
