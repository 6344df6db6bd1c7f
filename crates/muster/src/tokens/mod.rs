//! Tokens: what a program presents to act as a bot or as an operator.

use chrono::{DateTime, Utc};
use muster_wire::{BotId, OperatorId, Role, TokenId};
use secrecy::SecretString;

use crate::{actor::Actor, db::Tx, problem::Failure};

pub mod token;

/// For whom a token is.
#[derive(Debug, Clone, Copy)]
pub enum Bearer {
    /// A bot.
    Bot(BotId),
    /// An operator, with at most this role.
    Operator(OperatorId, Role),
}

/// Makes a token and stores its hash. The token is given here, once, and can never be read again.
///
/// # Errors
/// When the bot or the operator does not exist in the tenant, or the database fails.
pub async fn issue(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    bearer: Bearer,
    expires_at: DateTime<Utc>,
) -> Result<(TokenId, SecretString), Failure> {
    let (kind, word, bot, operator, role) = match bearer {
        Bearer::Bot(id) => (token::TokenKind::Bot, "bot", Some(id.0), None, None),
        Bearer::Operator(id, role) => (
            token::TokenKind::Api,
            "api",
            None,
            Some(id.0),
            Some(role.word()),
        ),
    };
    let secret = token::mint(kind, actor.tenant);
    let id = sqlx::query_file_scalar!(
        "src/tokens/issue.sql",
        actor.tenant.0,
        word,
        name,
        &token::hash(&secret)[..],
        token::hint(&secret),
        bot,
        operator,
        role,
        expires_at
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((TokenId(id), secret))
}
