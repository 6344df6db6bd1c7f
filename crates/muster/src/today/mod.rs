//! Today: what needs a person now. It counts what other features keep, and changes nothing.

use muster_wire::today::{
    COUNTED_MAX, Funnel, LAPSING_DAYS, Minute, Needs, PULSE_MINUTES, Pool, Pulse, STUCK_DAYS, Stuck, Today,
};

use crate::{actor::Actor, db::Tx, problem::Failure};

pub mod api;
pub mod pages;

/// What needs a person, how far the accounts are, and how the work goes.
///
/// # Errors
/// When the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor) -> Result<Today, Failure> {
    let tenant = actor.tenant.0;
    let counts = sqlx::query_file!("src/today/needs.sql", tenant, LAPSING_DAYS, COUNTED_MAX)
        .fetch_one(&mut **tx)
        .await?;
    let stuck = sqlx::query_file_as!(Stuck, "src/today/stuck.sql", tenant, STUCK_DAYS, COUNTED_MAX)
        .fetch_all(&mut **tx)
        .await?;
    let pools = sqlx::query_file_as!(Pool, "src/today/pools.sql", tenant)
        .fetch_all(&mut **tx)
        .await?;
    let funnel = sqlx::query_file_as!(Funnel, "src/today/funnel.sql", tenant)
        .fetch_all(&mut **tx)
        .await?;
    let minutes = sqlx::query_file_as!(Minute, "src/today/minutes.sql", tenant, PULSE_MINUTES)
        .fetch_all(&mut **tx)
        .await?;
    Ok(Today {
        needs: Needs {
            reviews: counts.reviews,
            oldest_review: counts.oldest_review,
            stuck,
            proxies_in_error: counts.proxies_in_error,
            proxies_full: counts.proxies_full,
            proxies_with_room: counts.proxies_with_room,
            lapsing: counts.lapsing,
            lapsed: counts.lapsed,
            pools,
        },
        funnel,
        pulse: Pulse {
            under_way: counts.under_way,
            ready: counts.ready,
            minutes,
        },
    })
}
