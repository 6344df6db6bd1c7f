//! Testing proxies: connecting through each, and recording what was found.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use muster_wire::{
    Filter, ProxyId,
    proxies::{ProxiesTested, ProxyStatus, ProxyTest, TEST_PROXIES_MAX, TestProxies},
};
use serde_json::json;

use super::{
    Matching, assign, place,
    probe::{Egress, ProbeFault, Seen},
};
use crate::{
    actor::Actor,
    app::App,
    audit,
    http::Listing,
    problem::{Bug, Failure, Refusal},
};

/// How long after a failed test a proxy is due for the next one, in seconds.
pub const RETEST_SECS: u32 = 300;

/// Tests the proxies that are asked for, and records what was found. No transaction is open while it connects.
///
/// A proxy whose address the server may not connect to (loopback, private, link-local and the like, unless the settings
/// allow it) fails like any other that cannot be used, without anything having been sent to it.
///
/// # Errors
/// Faults of the input; when the database fails.
pub async fn test(app: &App, actor: &Actor, request: &TestProxies) -> Result<ProxiesTested, Failure> {
    let faults = request.faults();
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults).into());
    }
    let mut next = None;
    let ids = match &request.proxy_ids {
        Some(ids) => ids.iter().map(|id| id.0).collect(),
        None => {
            let listing = Listing {
                filter: Filter::parse(request.filter.as_deref().unwrap_or_default()),
                after: request.after.map(|id| id.0),
                limit: i64::try_from(TEST_PROXIES_MAX).map_err(Bug::new)?,
            };
            let matching = Matching::read(listing.filter.clone())?;
            let mut tx = app.db.begin_read(actor).await?;
            let (ids, after) = matching.walk(&mut tx, actor, &listing).await?;
            tx.commit().await?;
            next = after.map(ProxyId);
            ids
        }
    };
    let results = run(app, actor, &ids).await?;
    let passed = results.iter().filter(|result| result.error.is_none()).count();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(ProxiesTested {
        passed: count(passed),
        failed: count(results.len() - passed),
        results,
        next,
    })
}

/// Tests the proxies of the actor's tenant whose last test failed and is older than [`RETEST_SECS`], so that the work of
/// their accounts goes on when they have recovered. For a timer; those that pass are in use again.
///
/// # Errors
/// When the database fails.
pub async fn test_due(app: &App, actor: &Actor) -> Result<(), Failure> {
    let limit = i64::try_from(TEST_PROXIES_MAX).unwrap_or(i64::MAX);
    let mut tx = app.db.begin(actor).await?;
    let ids = sqlx::query_file_scalar!(
        "src/proxies/due.sql",
        actor.tenant.0,
        f64::from(RETEST_SECS),
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    if !ids.is_empty() {
        run(app, actor, &ids).await?;
    }
    Ok(())
}

/// A proxy as it was when its test began.
#[derive(Debug, Clone, Copy)]
struct Tested {
    id: i64,
    updated_at: DateTime<Utc>,
}

async fn run(app: &App, actor: &Actor, ids: &[i64]) -> Result<Vec<ProxyTest>, Failure> {
    let egresses = egresses(app, actor, ids).await?;
    let found: Vec<(Tested, Result<Seen, ProbeFault>)> = app.probe.test_many(egresses).collect().await;
    record(app, actor, &found).await
}

async fn egresses(app: &App, actor: &Actor, ids: &[i64]) -> Result<Vec<(Tested, Egress)>, Failure> {
    let mut tx = app.db.begin(actor).await?;
    let keys = app.keys.tenant(&mut tx, actor.tenant).await?;
    let rows = sqlx::query_file!("src/proxies/egress.sql", actor.tenant.0, ids)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    rows.into_iter()
        .map(|row| {
            let sealed = row.password_encrypted.as_deref();
            let password = sealed
                .map(|sealed| keys.open(&place(ProxyId(row.id)), sealed))
                .transpose()?;
            let egress = Egress {
                scheme: row.scheme,
                host: row.host,
                port: u16::try_from(row.port).map_err(Bug::new)?,
                username: row.username,
                password,
            };
            Ok((
                Tested {
                    id: row.id,
                    updated_at: row.updated_at,
                },
                egress,
            ))
        })
        .collect()
}

async fn record(
    app: &App,
    actor: &Actor,
    found: &[(Tested, Result<Seen, ProbeFault>)],
) -> Result<Vec<ProxyTest>, Failure> {
    let ids: Vec<_> = found.iter().map(|(tested, _)| tested.id).collect();
    let updated: Vec<_> = found.iter().map(|(tested, _)| tested.updated_at).collect();
    let latencies: Vec<_> = found
        .iter()
        .map(|(_, seen)| {
            seen.as_ref()
                .ok()
                .map(|s| i32::try_from(s.latency_ms).unwrap_or(i32::MAX))
        })
        .collect();
    let exits: Vec<_> = found
        .iter()
        .map(|(_, seen)| {
            seen.as_ref()
                .ok()
                .and_then(|s| s.exit_ip)
                .map(|ip| ip.to_string())
        })
        .collect();
    let errors: Vec<_> = found
        .iter()
        .map(|(_, seen)| seen.as_ref().err().map(ToString::to_string))
        .collect();
    let mut tx = app.db.begin(actor).await?;
    assign::lock_work(&mut tx, actor, &[], &ids).await?;
    let mut rows = sqlx::query_file!(
        "src/proxies/record.sql",
        actor.tenant.0,
        &ids,
        &updated,
        &latencies as &[Option<i32>],
        &exits as &[Option<String>],
        &errors as &[Option<String>]
    )
    .fetch_all(&mut *tx)
    .await?;
    rows.sort_by_key(|row| row.id);
    let mut entries = vec![audit::Entry {
        action: "proxies.test",
        object_type: "proxy",
        after: Some(json!({
            "tested": rows.len(),
            "failed": rows.iter().filter(|row| row.error.is_some()).count(),
        })),
        ..audit::Entry::default()
    }];
    entries.extend(
        rows.iter()
            .filter(|row| row.was != row.status)
            .map(|row| audit::Entry {
                action: if row.status == ProxyStatus::Failed {
                    "proxy.fail"
                } else {
                    "proxy.recover"
                },
                object_type: "proxy",
                object_id: Some(row.id.to_string()),
                before: Some(json!({"status": row.was})),
                after: Some(json!({"status": row.status, "error": row.error})),
                ..audit::Entry::default()
            }),
    );
    audit::write(&mut tx, actor, &entries).await?;
    tx.commit().await?;
    let results = rows.into_iter().map(|row| ProxyTest {
        proxy_id: row.id,
        status: row.status,
        latency_ms: row.latency_ms,
        exit_ip: row.exit_ip,
        error: row.error,
    });
    Ok(results.collect())
}
