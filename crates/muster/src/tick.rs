//! What the server does by itself, by the clock: reaps leases that ran out, counts what was used and what there is, tests proxies
//! that failed again, forgets old keys, makes and drops partitions. Every timer is also a function of its own, so that it can be called once.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use chrono::DateTime;
use futures_util::{FutureExt, future::BoxFuture};
use muster_wire::{TenantId, metrics::Rollup};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use uuid::Uuid;

use crate::{
    accounts,
    actor::Actor,
    app::App,
    batches,
    cluster::Space,
    content, copies,
    db::{SchedulerDb, Tx},
    metrics,
    problem::{Bug, Failure},
    proxies,
    work::{self, floors::Found},
};

/// Months for which partitions are made ahead.
pub const PARTITION_MONTHS_AHEAD: i32 = 3;

/// How long the look for leases that have run out takes, at most, unless it reads through many that are dead.
const EXPIRED_MS_MAX: u64 = 10;

/// How many times as long as it took counting rests, where that is longer than its period: it reads through all that it has counted
/// before and PostgreSQL could not remove yet.
const COUNTING_RESTS: u32 = 50;

type Operation = for<'a> fn(&'a App, &'a SchedulerDb) -> BoxFuture<'a, Result<u64, Failure>>;

/// Every timer: its name, its period in seconds, how many times as long as it took it rests, and what it does.
const TIMERS: &[(&str, u64, u32, Operation)] = &[
    ("reap leases", 1, 0, |app, db| Box::pin(reap_all(app, db))),
    ("fold uses", 5, COUNTING_RESTS, |app, db| {
        Box::pin(fold_all(app, db))
    }),
    ("fold counts", 1, COUNTING_RESTS, |app, db| {
        Box::pin(fold_counts(app, db))
    }),
    ("tell other servers", 1, 0, |app, _| {
        Box::pin(app.live.tell(&app.db))
    }),
    ("do batches", 1, 0, |app, db| Box::pin(do_batches(app, db))),
    ("test failed proxies", 60, 0, |app, db| {
        Box::pin(test_proxies(app, db))
    }),
    ("roll metrics up", 3_600, 0, |app, db| {
        Box::pin(roll_up_metrics(app, db))
    }),
    ("forget keys", 3_600, 0, |app, db| Box::pin(forget_keys(app, db))),
    ("copy tenants", 60, 0, |app, db| Box::pin(copy_tenants(app, db))),
    ("make partitions", 3_600, 0, |_, db| Box::pin(make_partitions(db))),
    ("drop partitions", 3_600, 0, |app, db| {
        Box::pin(drop_partitions(app, db))
    }),
];

/// Runs the timers until `stop`; what is under way then is finished, and claims that wait are answered. A timer that fails
/// says so once, with an id, is tried again at its next time, and stops no other. While the disk is nearly full they stand still.
pub async fn run(app: App, scheduler: SchedulerDb, stop: CancellationToken) {
    let mut timers = JoinSet::new();
    for (name, period_secs, rests, operation) in TIMERS {
        let (app, scheduler, stop) = (app.clone(), scheduler.clone(), stop.clone());
        timers.spawn(async move {
            let period = Duration::from_secs(*period_secs);
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut failing = false;
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                if app.wal_space().is_some_and(Space::is_short) {
                    continue;
                }
                let begun = Instant::now();
                let done = AssertUnwindSafe(operation(&app, &scheduler)).catch_unwind().await;
                let done = done.unwrap_or_else(|_| Err(Bug::new("it panicked").into()));
                match &done {
                    Err(failure) if !failing => {
                        let id = Uuid::now_v7();
                        error!(timer = name, bug.id = %id, error = %failure, "a timer fails, bug {id}");
                    }
                    Ok(_) if failing => info!(timer = name, "the timer works again"),
                    _ => {}
                }
                failing = done.is_err();
                let rest = begun.elapsed() * *rests;
                if rest > period {
                    ticks.reset_after(rest);
                }
            }
        });
    }
    stop.cancelled().await;
    app.work.close();
    app.live.close();
    timers.join_all().await;
    scheduler.close().await;
}

/// Ends every lease that has run out, in every tenant; gives how many.
///
/// # Errors
/// When the database fails. What was ended before stays ended.
pub async fn reap_all(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let (from, begun) = (app.lease_floor.from(()), Instant::now());
    let [since] = from.unwrap_or_default();
    let over = sqlx::query_file!("src/tick/expired.sql", since.unwrap_or(DateTime::UNIX_EPOCH))
        .fetch_one(&mut scheduler.connection().await?)
        .await?;
    let found = Found {
        first: [over.first],
        at: over.at,
        all: true,
    };
    let took = begun.elapsed();
    match from {
        None => {
            let long = took > Duration::from_millis(EXPIRED_MS_MAX);
            app.lease_floor
                .looked_from_the_beginning((), took, Some(long), Some(&found));
        }
        Some(_) => app.lease_floor.looked((), &found),
    }
    let (mut total, since) = (0, over.first.unwrap_or(over.at));
    for tenant in over.tenants.into_iter().map(TenantId) {
        loop {
            let mut tx = app.db.begin(&Actor::scheduler(tenant)).await?;
            let reaped = work::reap(&mut tx, tenant, since, &app.settings).await?;
            tx.commit().await?;
            total += u64::from(reaped.unsigned_abs());
            if reaped < work::REAP_LEASES_MAX {
                break;
            }
        }
        app.work.notify(tenant);
        app.live.ring(tenant);
    }
    app.telemetry.steps("expired", total);
    Ok(total)
}

/// Does something in each of these tenants, in a transaction for each; gives how much was done.
async fn in_each(
    app: &App,
    tenants: Vec<TenantId>,
    work: impl AsyncFn(&mut Tx, TenantId) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let mut total = 0;
    for tenant in tenants {
        let mut tx = app.db.begin(&Actor::scheduler(tenant)).await?;
        total += work(&mut tx, tenant).await?;
        tx.commit().await?;
    }
    Ok(total)
}

/// Adds noted uses to the counters of content and texts, in every tenant; gives how many items were touched.
///
/// # Errors
/// When the database fails.
pub async fn fold_all(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let tenants = sqlx::query_file_scalar!("src/tick/used.sql")
        .fetch_all(&mut scheduler.connection().await?)
        .await?;
    in_each(app, tenants, async |tx, tenant| {
        Ok(work::fold_uses(tx, tenant).await?.unsigned_abs().into())
    })
    .await
}

/// Does what is due of batches, in every tenant, in turn; gives how many parts were done. Where that fails in one tenant, it
/// goes on in the others.
///
/// # Errors
/// When the database fails. What was done before stays done.
pub async fn do_batches(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let mut parts = 0;
    loop {
        let tenants = sqlx::query_file_scalar!("src/tick/batches_due.sql")
            .fetch_all(&mut scheduler.connection().await?)
            .await?;
        let (before, mut failed) = (parts, None);
        for tenant in tenants {
            match batches::run_part(&app.db, tenant).await {
                Ok(true) => {
                    parts += 1;
                    app.work.notify(tenant);
                    app.live.ring(tenant);
                }
                Ok(false) => {}
                Err(failure) => failed = Some(failure),
            }
        }
        if parts == before {
            return failed.map_or(Ok(parts), Err);
        }
    }
}

/// Folds what has changed into the counters of accounts, pools, proxies and attempts, and marks what is in a pool twice, in every
/// tenant; gives how many counters and items were changed.
///
/// # Errors
/// When the database fails.
pub async fn fold_counts(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let tenants = sqlx::query_file_scalar!("src/tick/counted.sql", work::FEW_ATTEMPTS_MAX)
        .fetch_all(&mut scheduler.connection().await?)
        .await?;
    in_each(app, tenants, async |tx, tenant| {
        let accounts = accounts::fold_counts(tx, tenant).await?;
        let pools = content::fold_counts(tx, tenant).await?;
        let proxies = proxies::fold_counts(tx, tenant).await?;
        let attempts = work::fold_counts(tx, tenant).await?;
        let marked = content::mark_duplicates(tx, tenant).await?;
        Ok(u64::from(
            (accounts + pools + proxies + attempts + marked).unsigned_abs(),
        ))
    })
    .await
}

/// Counts the metrics of the days on which something can have happened, in every tenant; gives how many days. Where that fails
/// in one tenant, it goes on in the others.
///
/// # Errors
/// When the database fails.
pub async fn roll_up_metrics(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let (mut days, mut failed) = (0, None);
    for tenant in every_tenant(scheduler).await? {
        let actor = Actor::scheduler(tenant);
        let rolled_up = async {
            let mut tx = app.db.begin(&actor).await?;
            let rollup = Rollup::default();
            let days = metrics::roll_up(&mut tx, &actor, &rollup, app.settings.metrics_days).await?;
            tx.commit().await?;
            Ok::<_, Failure>(days)
        };
        match rolled_up.await {
            Ok(counted) => days += u64::from(counted.unsigned_abs()),
            Err(failure) => failed = Some(failure),
        }
    }
    failed.map_or(Ok(days), Err)
}

/// Deletes idempotency keys older than a day, in every tenant; gives how many.
///
/// # Errors
/// When the database fails.
pub async fn forget_keys(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let tenants = every_tenant(scheduler).await?;
    in_each(app, tenants, async |tx, tenant| {
        let forgotten = sqlx::query_file!("src/tick/forget_keys.sql", tenant.0);
        Ok(forgotten.execute(&mut **tx).await?.rows_affected())
    })
    .await
}

/// Tests the proxies whose last test failed a while ago, in every tenant; gives in how many.
///
/// # Errors
/// When the database fails.
pub async fn test_proxies(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let tenants = every_tenant(scheduler).await?;
    for tenant in &tenants {
        proxies::test::test_due(app, &Actor::scheduler(*tenant)).await?;
        app.work.notify(*tenant);
    }
    Ok(tenants.len() as u64)
}

/// Writes this hour's copy of each tenant, where copies are kept and it is not there yet; gives how many. Where that fails for one
/// tenant, it goes on with the others.
///
/// # Errors
/// When a copy cannot be written, or the database fails.
pub async fn copy_tenants(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let Some(dir) = &app.settings.copies else {
        return Ok(0);
    };
    let (mut written, mut failed) = (0, None);
    for tenant in every_tenant(scheduler).await? {
        match copies::keep(app, dir, tenant).await {
            Ok(new) => written += u64::from(new),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(written), |error| Err(Bug::new(error).into()))
}

/// Makes the partitions of the months ahead; gives how many were missing.
///
/// # Errors
/// When the database fails.
pub async fn make_partitions(scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let made = sqlx::query_file_scalar!("src/tick/make_partitions.sql", PARTITION_MONTHS_AHEAD)
        .fetch_one(&mut scheduler.connection().await?)
        .await?;
    Ok(u64::from(made.unsigned_abs()))
}

/// Drops the partitions of history and step log that are older than is kept, where they are in a backup that the last drill
/// found good; gives how many.
///
/// # Errors
/// When the database fails, or somebody reads them just now.
pub async fn drop_partitions(app: &App, scheduler: &SchedulerDb) -> Result<u64, Failure> {
    let Some(months) = app.settings.history_months else {
        return Ok(0);
    };
    let months = i32::try_from(months).map_err(Bug::new)?;
    let dropped = sqlx::query_file_scalar!("src/tick/drop_partitions.sql", months)
        .fetch_one(&mut scheduler.connection().await?)
        .await?;
    if dropped > 0 {
        info!("{dropped} old partitions of history and step log were dropped");
    }
    Ok(u64::from(dropped.unsigned_abs()))
}

/// Every tenant there is.
///
/// # Errors
/// When the database fails.
pub async fn every_tenant(scheduler: &SchedulerDb) -> Result<Vec<TenantId>, Failure> {
    Ok(sqlx::query_file_scalar!("src/tick/tenants.sql")
        .fetch_all(&mut scheduler.connection().await?)
        .await?)
}
