//! A large tenant beside many small ones, and the two questions that are asked of it. To fill it takes longest of all, so it is done
//! once for both.

use anyhow::Result;

use super::{due, neighbours};
use crate::{
    bench::{Bench, Fill},
    report::Run,
};

/// What is in the pools of a small tenant, who has one model.
const POOL_ITEMS: i32 = 5;

/// Asks whether small tenants feel it, then whether claims feel what is not due.
///
/// # Errors
/// When something fails.
pub async fn run(bench: &Bench) -> Result<Vec<Run>> {
    let small = Fill {
        models: 1,
        items: POOL_ITEMS,
        accounts: bench.sizes.small_accounts,
        warming: bench.sizes.small_accounts,
    };
    let mut fills = vec![small; bench.sizes.small_tenants];
    let smalls = bench.template("small", &fills).await?;
    fills.push(Fill::warming(bench.sizes.large_accounts));
    let large = bench.template("large", &fills).await?;
    let mut runs = neighbours::run(bench, &smalls, &large).await?;
    bench.clear(&[&smalls]).await?;
    runs.extend(due::run(bench, &large).await?);
    bench.clear(&[&large]).await?;
    Ok(runs)
}
