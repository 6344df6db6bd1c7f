//! Metrics as CSV, a day at a time as it is consumed.

use bytes::Bytes;
use chrono::NaiveDate;
use futures_util::{Stream, stream};
use muster_wire::metrics::MetricsTable;

use super::{Period, step};
use crate::{
    actor::Actor,
    app::App,
    imports::read::write,
    models,
    problem::{Bug, Failure},
};

fn columns(table: MetricsTable) -> &'static [&'static str] {
    match table {
        MetricsTable::Steps => &[
            "date",
            "model",
            "step",
            "attempts",
            "completed",
            "failed",
            "given_to_people",
            "unreported",
            "bot_actions",
            "bot_errors",
            "timed",
            "time_ms",
        ],
        MetricsTable::Days => &[
            "date",
            "model",
            "failed_accounts",
            "warmups_finished",
            "warmup_secs",
            "reviews_approved",
            "reviews_resumed",
            "reviews_rejected",
            "counted_at",
            "total_accounts",
            "active_accounts",
            "warming_up_accounts",
            "active_proxies",
            "proxy_places",
            "proxy_accounts",
            "proxy_monthly_cost",
        ],
    }
}

/// Writes the days of a period; an empty `model` stands for all models together. What there was is empty for days on which it
/// was not counted.
///
/// # Errors
/// When there is no such model, or the database fails.
pub async fn export(
    app: App,
    actor: Actor,
    period: Period,
    table: MetricsTable,
) -> Result<impl Stream<Item = Result<Bytes, Failure>>, Failure> {
    if let Some(model) = period.model_id {
        let mut tx = app.db.begin(&actor).await?;
        models::get(&mut tx, &actor, model).await?;
        tx.commit().await?;
    }
    let mut header = Vec::new();
    write::write_line(columns(table).iter().copied(), &mut header).map_err(Bug::new)?;
    let begin = (Some(period.from), header);
    Ok(stream::try_unfold(begin, move |(date, mut out)| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let Some(date) = date else {
                return Ok::<_, Failure>(None);
            };
            let mut tx = app.db.begin_read(&actor).await?;
            let (tenant, model) = (actor.tenant.0, period.model_id.map(|id| id.0));
            for cells in match table {
                MetricsTable::Steps => steps(&mut tx, tenant, date, model).await?,
                MetricsTable::Days => days(&mut tx, tenant, date, model).await?,
            } {
                write::write_line(cells.iter().map(String::as_str), &mut out).map_err(Bug::new)?;
            }
            tx.commit().await?;
            let next = date.succ_opt().filter(|next| *next <= period.to);
            Ok(Some((Bytes::from(out), (next, Vec::new()))))
        }
    }))
}

async fn steps(
    tx: &mut crate::db::Tx,
    tenant: i64,
    date: NaiveDate,
    model: Option<i64>,
) -> Result<Vec<Vec<String>>, Failure> {
    let rows = sqlx::query_file!("src/metrics/export_steps.sql", tenant, date, model)
        .fetch_all(&mut **tx)
        .await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let counts = [
            row.attempts,
            row.completed,
            row.failed,
            row.given_to_people,
            row.unreported,
            row.bot_actions,
            row.bot_errors,
            row.timed,
        ];
        let mut cells = vec![
            date.to_string(),
            row.model.unwrap_or_default(),
            step(row.step_number)?.to_string(),
        ];
        cells.extend(counts.iter().map(ToString::to_string));
        cells.push(row.time_ms.to_string());
        lines.push(cells);
    }
    Ok(lines)
}

async fn days(
    tx: &mut crate::db::Tx,
    tenant: i64,
    date: NaiveDate,
    model: Option<i64>,
) -> Result<Vec<Vec<String>>, Failure> {
    let rows = sqlx::query_file!("src/metrics/export_days.sql", tenant, date, model)
        .fetch_all(&mut **tx)
        .await?;
    let lines = rows.into_iter().map(|row| {
        let mut cells = vec![
            date.to_string(),
            row.model.unwrap_or_default(),
            row.failed_accounts.to_string(),
            row.warmups_finished.to_string(),
            row.warmup_secs.to_string(),
            row.reviews_approved.to_string(),
            row.reviews_resumed.to_string(),
            row.reviews_rejected.to_string(),
        ];
        match row.counted_at {
            Some(at) => cells.extend([
                at.to_rfc3339(),
                row.total_accounts.to_string(),
                row.active_accounts.to_string(),
                row.warming_up_accounts.to_string(),
                row.active_proxies.to_string(),
                row.proxy_places.to_string(),
                row.proxy_accounts.to_string(),
                row.proxy_monthly_cost.to_string(),
            ]),
            None => cells.resize(columns(MetricsTable::Days).len(), String::new()),
        }
        cells
    });
    Ok(lines.collect())
}
