//! Tokens: what a program presents to act as a bot or as an operator.

use chrono::{DateTime, Duration, Utc};
use muster_wire::{
    BotId, Fault, OperatorId, Page, Role, TokenId,
    secret::Secret,
    tokens::{
        IssuedToken, NewToken, Rotation, TOKEN_REQUESTS_PER_MINUTE_DEFAULT, Token, TokenFilter, TokenKind,
        TokenState,
    },
};
use secrecy::SecretString;
use serde_json::json;

use crate::{
    access::Access,
    actor::Actor,
    audit::{self, Entry},
    db::Tx,
    http::Listing,
    operators,
    problem::{Bug, Failure, Kind, Refusal},
    token,
};

pub mod api;
pub mod pages;

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
    store(
        tx,
        actor,
        name,
        bearer,
        TOKEN_REQUESTS_PER_MINUTE_DEFAULT,
        expires_at,
    )
    .await
}

async fn store(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    bearer: Bearer,
    requests_per_minute: i32,
    expires_at: DateTime<Utc>,
) -> Result<(TokenId, SecretString), Failure> {
    let (kind, word, bot, operator, role) = match bearer {
        Bearer::Bot(id) => (token::TokenKind::Bot, TokenKind::Bot, Some(id.0), None, None),
        Bearer::Operator(id, role) => (
            token::TokenKind::Api,
            TokenKind::Api,
            None,
            Some(id.0),
            Some(role.word()),
        ),
    };
    let secret = token::mint(kind, actor.tenant);
    let id = sqlx::query_file_scalar!(
        "src/tokens/issue.sql",
        actor.tenant.0,
        word.word(),
        name,
        &token::hash(&secret)[..],
        token::hint(&secret),
        bot,
        operator,
        role,
        requests_per_minute,
        expires_at
    )
    .fetch_one(&mut **tx)
    .await?;
    let id = TokenId(id);
    let after = find(tx, actor, id, None).await?;
    record(tx, actor, "token.create", None, Some(&after)).await?;
    Ok((id, secret))
}

/// Makes a token that somebody asked for. People make tokens of their own, with at most their role; for others, for bots,
/// and for more than the usual number of requests it takes an admin.
///
/// # Errors
/// The faults of the request, among them a bot or an operator who is not there; that the actor may not give this token;
/// or that the database fails.
pub async fn create(tx: &mut Tx, actor: &Actor, new: NewToken) -> Result<IssuedToken, Failure> {
    Refusal::check(new.faults())?;
    if new.requests_per_minute > TOKEN_REQUESTS_PER_MINUTE_DEFAULT {
        administers(actor)?;
    }
    let bearer = match (new.bot_id, new.role) {
        (Some(bot), _) => {
            administers(actor)?;
            let exists = sqlx::query_file_scalar!("src/tokens/bot_exists.sql", actor.tenant.0, bot.0)
                .fetch_one(&mut **tx)
                .await?;
            if !exists {
                return Err(
                    Refusal::invalid(vec![Fault::new("/bot_id", "unknown", "there is no such bot")]).into(),
                );
            }
            Bearer::Bot(bot)
        }
        (None, Some(role)) => {
            operators::may_give(actor, role)?;
            Bearer::Operator(person(tx, actor, new.operator_id).await?, role)
        }
        (None, None) => return Err(Bug::new("a token without a role has a bot").into()),
    };
    let expires_at = Utc::now() + Duration::days(new.expires_in_days);
    let (id, secret) = store(tx, actor, &new.name, bearer, new.requests_per_minute, expires_at).await?;
    Ok(IssuedToken {
        token: find(tx, actor, id, None).await?,
        secret: Secret(secret),
    })
}

/// For whom a token of kind `api` is: the actor, or another person who has no more than the actor may give, because the
/// token acts in that person's name.
async fn person(tx: &mut Tx, actor: &Actor, asked: Option<OperatorId>) -> Result<OperatorId, Failure> {
    let unknown = |detail: &str| Refusal::invalid(vec![Fault::new("/operator_id", "unknown", detail)]);
    let Some(id) = asked.or(actor.operator()) else {
        return Err(unknown("say whose token this is").into());
    };
    if actor.operator() == Some(id) {
        return Ok(id);
    }
    administers(actor)?;
    let operator = operators::get(tx, actor, id)
        .await
        .map_err(|failure| match failure.refusal() {
            Some(_) => unknown("there is no such operator").into(),
            None => failure,
        })?;
    operators::may_give(actor, operator.role)?;
    Ok(id)
}

fn administers(actor: &Actor) -> Result<(), Refusal> {
    if Access::Administer.allows(actor.who) || actor.who == crate::actor::Who::System {
        Ok(())
    } else {
        let detail =
            "people make tokens of their own, of up to 60000 requests a minute; ask an admin for others";
        Err(Refusal::new(Kind::Forbidden, "forbidden", detail))
    }
}

/// Whose tokens the actor sees and may end: their own, or everybody's for those who administer.
fn only_of(actor: &Actor) -> Option<i64> {
    match administers(actor) {
        Ok(()) => None,
        // Nobody has the id 0.
        Err(_) => Some(actor.operator().map_or(0, |id| id.0)),
    }
}

/// One page of the tokens that match, in the order of their ids: of the actor's own, or of all for those who administer.
///
/// # Errors
/// The faults of the filter, or that the database fails.
pub async fn list(tx: &mut Tx, actor: &Actor, mut listing: Listing) -> Result<Page<Token>, Failure> {
    let filter = TokenFilter::read(listing.take_filter()).map_err(Refusal::invalid)?;
    let rows = sqlx::query_file_as!(
        Token,
        "src/tokens/list.sql",
        actor.tenant.0,
        listing.after.unwrap_or(0),
        only_of(actor),
        filter.kind.map(TokenKind::word),
        filter.state.map(TokenState::word),
        filter.bot.map(|id| id.0),
        filter.operator.map(|id| id.0),
        listing.fetch()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(listing.page(rows, |token| token.id.0))
}

/// A token that the actor may see.
///
/// # Errors
/// That there is none, or that the database fails.
pub async fn get(tx: &mut Tx, actor: &Actor, id: TokenId) -> Result<Token, Failure> {
    find(tx, actor, id, only_of(actor)).await
}

async fn find(tx: &mut Tx, actor: &Actor, id: TokenId, only_of: Option<i64>) -> Result<Token, Failure> {
    sqlx::query_file_as!(Token, "src/tokens/get.sql", actor.tenant.0, id.0, only_of)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| Refusal::not_found("token").into())
}

/// Revokes a token. Servers other than the one that is asked may believe it for [`crate::access::TOKEN_CACHE_SECS`].
///
/// # Errors
/// That there is no such token, or that the database fails.
pub async fn revoke(tx: &mut Tx, actor: &Actor, id: TokenId) -> Result<(), Failure> {
    let before = get(tx, actor, id).await?;
    sqlx::query_file!("src/tokens/revoke.sql", actor.tenant.0, id.0)
        .execute(&mut **tx)
        .await?;
    let after = find(tx, actor, id, None).await?;
    record(tx, actor, "token.revoke", Some(&before), Some(&after)).await
}

/// Makes the successor of a token: as the same, for as long, while the old one stays good for the overlap.
///
/// # Errors
/// The faults of the request; that there is no such token, or it is good no more; that the actor may not give its role;
/// or that the database fails.
pub async fn rotate(
    tx: &mut Tx,
    actor: &Actor,
    id: TokenId,
    rotation: &Rotation,
) -> Result<IssuedToken, Failure> {
    Refusal::check(rotation.faults())?;
    let before = get(tx, actor, id).await?;
    if before.state != TokenState::Live {
        let detail = format!("this token is {}: make a new one instead", before.state);
        return Err(Refusal::conflict("not_live", detail).into());
    }
    let bearer = match (before.bot_id, before.operator_id, before.role) {
        (Some(bot), None, None) => Bearer::Bot(bot),
        (None, Some(operator), Some(role)) => {
            operators::may_give(actor, role)?;
            Bearer::Operator(person(tx, actor, Some(operator)).await?, role)
        }
        _ => return Err(Bug::new("a token is a bot's or an operator's").into()),
    };
    let life = before.expires_at - before.created_at;
    let (new, secret) = store(
        tx,
        actor,
        &before.name,
        bearer,
        before.requests_per_minute,
        Utc::now() + life,
    )
    .await?;
    let hours = i32::try_from(rotation.overlap_hours).map_err(Bug::new)?;
    sqlx::query_file!("src/tokens/end_after.sql", actor.tenant.0, id.0, hours)
        .execute(&mut **tx)
        .await?;
    let after = find(tx, actor, id, None).await?;
    record(tx, actor, "token.rotate", Some(&before), Some(&after)).await?;
    Ok(IssuedToken {
        token: find(tx, actor, new, None).await?,
        secret: Secret(secret),
    })
}

async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: &str,
    before: Option<&Token>,
    after: Option<&Token>,
) -> Result<(), Failure> {
    let shown = |t: &Token| {
        json!({
            "kind": t.kind, "name": t.name, "bot_id": t.bot_id, "operator_id": t.operator_id, "role": t.role,
            "requests_per_minute": t.requests_per_minute, "expires_at": t.expires_at, "revoked_at": t.revoked_at,
        })
    };
    let entry = Entry {
        action,
        object_type: "token",
        object_id: before.or(after).map(|t| t.id.to_string()),
        reason: None,
        before: before.map(shown),
        after: after.map(shown),
    };
    audit::write(tx, actor, &[entry]).await
}
