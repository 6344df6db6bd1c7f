//! Bots: programs that work steps.

use muster_wire::BotId;

use crate::{actor::Actor, db::Tx, problem::Failure};

/// Makes a bot.
///
/// # Errors
/// When there is a bot of this name, or the database fails.
pub async fn create(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    description: &str,
) -> Result<BotId, Failure> {
    let id = sqlx::query_file_scalar!("src/bots/create.sql", actor.tenant.0, name, description)
        .fetch_one(&mut **tx)
        .await?;
    Ok(BotId(id))
}
