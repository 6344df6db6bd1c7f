//! Who a request is from: what it presents, whether that is good, and whether a page of ours made it be sent.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use muster_wire::{BotId, OperatorId};

use super::{BACKGROUND, Identity, SESSION_COOKIE, too_many};
use crate::{
    actor::{Actor, Who},
    app::App,
    limits::ANONYMOUS_REQUESTS_PER_MINUTE,
    problem::{Failure, Kind, Refusal},
    token::{self, Presented, TokenKind},
};

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='))
}

/// Whether a request can have been made by a browser without its page knowing: it presents a session's cookie, and no token.
pub(super) fn presented_by_cookie(headers: &HeaderMap) -> bool {
    bearer(headers).is_none() && session_cookie(headers).is_some()
}

/// Refuses a request that another site made the browser send (the rules of Go's `CrossOriginProtection`, which OWASP
/// accepts as a defence against cross-site request forgery).
pub(crate) fn same_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    };
    if ours {
        Ok(())
    } else {
        Err(Refusal::new(
            Kind::Forbidden,
            "cross_site",
            "this was sent by another site; open Muster itself",
        )
        .into())
    }
}

/// Whether somebody asked for this: a page that is open reads itself again, and has a stream, for as long as nobody closes it.
fn is_use(headers: &HeaderMap) -> bool {
    let streams = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "text/event-stream");
    !streams && !headers.contains_key(BACKGROUND)
}

/// Who a request is from, by the token or the session that it presents; and the hash of that.
///
/// # Errors
/// That it presents none, or none that is good; that its address asked too often; or that the database fails.
pub(crate) async fn identify(
    app: &App,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<(Identity, [u8; 32]), Failure> {
    let refused =
        |detail: &str| -> Failure { Refusal::new(Kind::Unauthenticated, "unauthenticated", detail).into() };
    let (text, kinds): (_, &[TokenKind]) = match (bearer(headers), session_cookie(headers)) {
        (Some(text), _) => (text, &[TokenKind::Bot, TokenKind::Api, TokenKind::Session]),
        (None, Some(text)) => (text, &[TokenKind::Session]),
        (None, None) => return Err(refused("give a token: Authorization: Bearer mst_...")),
    };
    let presented = token::read(text)
        .filter(|presented| kinds.contains(&presented.kind))
        .ok_or_else(|| refused("this is no token of Muster; check that it was copied whole"))?;
    let used = is_use(headers);
    if let Some(identity) = app.gate.remembered(&presented.hash, used) {
        return Ok((identity, presented.hash));
    }
    // Asking the database costs; a flood of wrong tokens is stopped before it.
    if let Some(address) = address {
        app.gate
            .addresses
            .take(&address, ANONYMOUS_REQUESTS_PER_MINUTE)
            .map_err(|wait| too_many("this address", wait))?;
    }
    let identity = verify(app, &presented, used).await?.ok_or_else(|| {
        refused("this token is not known, was revoked, or has expired; ask an admin for a new one")
    })?;
    app.gate.remember(presented.hash, &identity, used);
    Ok((identity, presented.hash))
}

async fn verify(app: &App, presented: &Presented, used: bool) -> Result<Option<Identity>, Failure> {
    let tenant = presented.tenant;
    let mut tx = app.db.begin(&Actor::system(tenant)).await?;
    let identity = match presented.kind {
        TokenKind::Password => None,
        TokenKind::Session => sqlx::query_file!(
            "src/access/verify_session.sql",
            tenant.0,
            &presented.hash[..],
            used
        )
        .fetch_optional(&mut *tx)
        .await?
        .map(|row| Identity {
            tenant,
            who: Who::Operator {
                id: row.operator_id,
                role: row.role,
            },
            requests_per_minute: row.requests_per_minute.unsigned_abs(),
            tenant_requests_per_minute: row.tenant_requests_per_minute.unsigned_abs(),
            name: row.name,
            tenant_name: row.tenant_name,
        }),
        TokenKind::Bot | TokenKind::Api => {
            let row = sqlx::query_file!("src/access/verify_token.sql", tenant.0, &presented.hash[..])
                .fetch_optional(&mut *tx)
                .await?;
            row.and_then(|row| {
                let who = match (row.bot_id, row.operator_id, row.role) {
                    (Some(id), None, None) => Who::Bot { id: BotId(id) },
                    (None, Some(id), Some(role)) => Who::Operator {
                        id: OperatorId(id),
                        role,
                    },
                    _ => return None,
                };
                Some(Identity {
                    tenant,
                    who,
                    requests_per_minute: row.requests_per_minute.unsigned_abs(),
                    tenant_requests_per_minute: row.tenant_requests_per_minute.unsigned_abs(),
                    name: row.name,
                    tenant_name: row.tenant_name,
                })
            })
        }
    };
    tx.commit().await?;
    Ok(identity)
}
