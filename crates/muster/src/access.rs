//! Who may call what: the one table of endpoints, and the gate that holds every request to it.
//!
//! The gate runs before any handler: it finds the endpoint in the table, verifies the token, checks the role and the
//! allowance, and gives the handler its [`Actor`]. An endpoint that is not in the table answers nobody.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use muster_wire::{Role, TenantId};
use uuid::Uuid;

use crate::{
    actor::{Actor, Stale, Who},
    app::App,
    cluster::Space,
    limits::{ANONYMOUS_REQUESTS_PER_MINUTE, Allowance, Limits},
    problem::{Bug, Failure, Kind, Refusal},
    sessions::passwords::Passwords,
};

mod identify;

use identify::presented_by_cookie;
pub(crate) use identify::{identify, same_origin};

/// How long a verified token is believed without asking the database: revoking takes effect within this.
pub const TOKEN_CACHE_SECS: u64 = 5;

/// Verified tokens remembered at most.
const TOKENS_CACHED_MAX: usize = 100_000;

/// The longest that a request can take. Longer than the longest wait for work.
pub const REQUEST_SECS_MAX: u64 = 60;

/// Endpoints that take as long as their files and networks do.
const UNHURRIED: &[&str] = &[
    "/v1/imports",
    "/v1/content/upload",
    "/content/pictures/upload",
    "/imports",
    "/imports/{id}/read",
    "/imports/{id}/rows",
    "/imports/{id}/commit",
    "/imports/{id}/undo",
    "/v1/imports/{id}/read",
    "/v1/imports/{id}/rows",
    "/v1/imports/{id}/commit",
    "/v1/imports/{id}/undo",
    "/v1/imports/{id}/rejected",
    "/v1/exports/{kind}",
    "/v1/metrics/export",
    "/v1/metrics/rollup",
    "/v1/proxies/test",
    "/proxies/test",
];

/// Endpoints that write next to nothing and cannot wait until there is room: they end a session.
const WITHOUT_ROOM: &[&str] = &["/profile/sessions/end", "/v1/sessions/{id}"];

/// The cookie that holds a session.
pub const SESSION_COOKIE: &str = "__Host-muster";

/// What the console's script sends along when a page reads itself again: nobody asked for that, so it is no use of a session.
pub(crate) const BACKGROUND: &str = "muster-background";

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; no token is looked at.
    Public,
    /// Whoever is signed in, bots too.
    SignedIn,
    /// Operators of any role.
    View,
    /// Bots, and the people who may work steps: all but viewers.
    Work,
    /// Operators who run things: operator, admin, owner.
    Operate,
    /// Operators who decide: reviewer, admin, owner.
    Review,
    /// Either of the last two.
    OperateOrReview,
    /// Admins and owners.
    Administer,
    /// Owners.
    Own,
}

impl Access {
    /// Whether it lets this actor in.
    pub fn allows(self, who: Who) -> bool {
        let role = match who {
            Who::Bot { .. } => {
                return matches!(self, Access::Public | Access::SignedIn | Access::Work);
            }
            Who::Operator { role, .. } => role,
            Who::System | Who::Scheduler => return false,
        };
        match self {
            Access::Public | Access::SignedIn | Access::View => true,
            Access::Work | Access::OperateOrReview => role != Role::Viewer,
            Access::Operate => matches!(role, Role::Operator | Role::Admin | Role::Owner),
            Access::Review => matches!(role, Role::Reviewer | Role::Admin | Role::Owner),
            Access::Administer => matches!(role, Role::Admin | Role::Owner),
            Access::Own => role == Role::Owner,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// The method.
    pub method: &'static str,
    /// The path, as the router knows it.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

const fn to(method: &'static str, path: &'static str, access: Access) -> Endpoint {
    Endpoint { method, path, access }
}

/// Every endpoint there is, by path.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    to("GET", "/healthz", Access::Public),
    to("GET", "/readyz", Access::Public),
    to("GET", "/metrics", Access::Public),
    to("GET", "/v1/openapi.json", Access::Public),
    to("GET", "/docs", Access::Public),
    to("GET", "/docs/", Access::Public),
    to("GET", "/docs/{*rest}", Access::Public),
    to("GET", "/v1/me", Access::SignedIn),

    to("GET", "/assets/{file}", Access::Public),
    to("GET", "/live", Access::View),
    to("GET", "/", Access::View),
    to("GET", "/v1/today", Access::View),
    to("GET", "/daily-metrics", Access::View),
    to("GET", "/v1/metrics", Access::View),
    to("GET", "/v1/metrics/export", Access::View),
    to("POST", "/v1/metrics/rollup", Access::Administer),
    to("GET", "/v1/batches", Access::View),
    to("POST", "/v1/batches", Access::OperateOrReview),
    to("GET", "/v1/batches/{id}", Access::View),
    to("POST", "/v1/batches/{id}/cancel", Access::OperateOrReview),
    to("POST", "/v1/batches/{id}/undo", Access::OperateOrReview),
    to("GET", "/v1/views", Access::View),
    to("POST", "/v1/views", Access::View),
    to("DELETE", "/v1/views/{id}", Access::View),
    to("GET", "/v1/accounts/{id}/notes", Access::View),
    to("POST", "/v1/accounts/{id}/notes", Access::OperateOrReview),
    to("GET", "/v1/work/held", Access::Work),
    to("GET", "/v1/work/board", Access::View),
    to("GET", "/warm-up", Access::View),
    to("GET", "/steps", Access::OperateOrReview),
    to("POST", "/steps/take", Access::OperateOrReview),
    to("POST", "/steps/report", Access::OperateOrReview),
    to("POST", "/steps/extend", Access::OperateOrReview),
    to("POST", "/steps/release", Access::OperateOrReview),
    to("POST", "/steps/credentials", Access::OperateOrReview),
    to("GET", "/reviews", Access::View),
    to("POST", "/reviews", Access::Review),
    to("GET", "/batches", Access::View),
    to("GET", "/batches/new", Access::OperateOrReview),
    to("GET", "/batches/{id}", Access::View),
    to("POST", "/batches", Access::OperateOrReview),
    to("POST", "/batches/{id}/cancel", Access::OperateOrReview),
    to("GET", "/batches/{id}/undo", Access::OperateOrReview),
    to("POST", "/batches/{id}/undo", Access::OperateOrReview),
    to("GET", "/views/new", Access::View),
    to("POST", "/views", Access::View),
    to("POST", "/views/delete", Access::View),
    to("GET", "/accounts", Access::View),
    to("GET", "/accounts/{id}", Access::View),
    to("GET", "/accounts/{id}/move", Access::OperateOrReview),
    to("POST", "/accounts/{id}/move", Access::OperateOrReview),
    to("POST", "/accounts/{id}/notes", Access::OperateOrReview),
    to("GET", "/accounts/{id}/reveal", Access::Own),
    to("POST", "/accounts/{id}/reveal", Access::Own),
    to("GET", "/accounts/{id}/edit", Access::Operate),
    to("POST", "/accounts/{id}/edit", Access::Operate),
    to("GET", "/sign-in", Access::Public),
    to("POST", "/sign-in", Access::Public),
    to("POST", "/sign-in/code", Access::Public),
    to("POST", "/sign-out", Access::Public),
    to("GET", "/password", Access::Public),
    to("POST", "/password", Access::Public),
    to("GET", "/profile", Access::View),
    to("POST", "/profile/sessions/end", Access::View),
    to("GET", "/profile/second-factor", Access::View),
    to("POST", "/profile/second-factor", Access::View),
    to("POST", "/profile/second-factor/forget", Access::View),
    to("GET", "/profile/recovery-codes", Access::View),
    to("POST", "/profile/recovery-codes", Access::View),
    to("GET", "/tenants", Access::View),
    to("POST", "/tenants/enter", Access::View),

    to("GET", "/v1/operators", Access::View),
    to("POST", "/v1/operators", Access::Administer),
    to("GET", "/v1/operators/{id}", Access::View),
    to("PATCH", "/v1/operators/{id}", Access::Administer),
    to("DELETE", "/v1/operators/{id}", Access::Administer),
    to("POST", "/v1/operators/{id}/password-link", Access::Administer),
    to("DELETE", "/v1/operators/{id}/second-factor", Access::Administer),
    to("GET", "/operators", Access::View),
    to("POST", "/operators", Access::Administer),
    to("GET", "/operators/new", Access::Administer),
    to("GET", "/operators/{id}", Access::View),
    to("POST", "/operators/{id}/role", Access::Administer),
    to("POST", "/operators/{id}/password-link", Access::Administer),
    to("POST", "/operators/{id}/second-factor/forget", Access::Administer),
    to("POST", "/operators/{id}/remove", Access::Administer),
    to("POST", "/v1/password", Access::Public),

    to("POST", "/v1/sessions", Access::Public),
    to("GET", "/v1/sessions", Access::View),
    to("DELETE", "/v1/sessions/{id}", Access::View),

    to("GET", "/bots", Access::View),
    to("POST", "/bots", Access::Administer),
    to("GET", "/bots/new", Access::Administer),
    to("GET", "/bots/{id}", Access::View),
    to("GET", "/bots/{id}/pause", Access::Administer),
    to("POST", "/bots/{id}/pause", Access::Administer),
    to("POST", "/bots/{id}/resume", Access::Administer),
    to("GET", "/pause", Access::Administer),
    to("POST", "/pause", Access::Administer),
    to("POST", "/resume", Access::Administer),
    to("GET", "/v1/bots", Access::View),
    to("GET", "/v1/bots/{id}/activity", Access::View),
    to("POST", "/v1/bots", Access::Administer),
    to("GET", "/v1/bots/{id}", Access::View),
    to("PATCH", "/v1/bots/{id}", Access::Administer),
    to("DELETE", "/v1/bots/{id}", Access::Administer),
    to("POST", "/v1/bots/{id}/pause", Access::Administer),
    to("POST", "/v1/bots/{id}/resume", Access::Administer),

    to("GET", "/tokens", Access::View),
    to("POST", "/tokens", Access::View),
    to("GET", "/tokens/new", Access::View),
    to("GET", "/tokens/{id}", Access::View),
    to("POST", "/tokens/{id}/revoke", Access::View),
    to("POST", "/tokens/{id}/rotate", Access::View),
    to("GET", "/v1/tokens", Access::View),
    to("POST", "/v1/tokens", Access::View),
    to("GET", "/v1/tokens/{id}", Access::View),
    to("DELETE", "/v1/tokens/{id}", Access::View),
    to("POST", "/v1/tokens/{id}/rotate", Access::View),

    to("GET", "/administration", Access::View),
    to("POST", "/administration", Access::Own),
    to("GET", "/v1/tenant", Access::View),
    to("PATCH", "/v1/tenant", Access::Own),
    to("POST", "/v1/tenant/pause", Access::Administer),
    to("POST", "/v1/tenant/resume", Access::Administer),

    to("GET", "/audit", Access::Administer),
    to("GET", "/v1/audit", Access::Administer),
    to("GET", "/v1/audit/export", Access::Administer),

    to("GET", "/administration/keys", Access::Own),
    to("POST", "/administration/keys", Access::Own),
    to("GET", "/administration/health", Access::Administer),
    to("GET", "/v1/keys", Access::Own),
    to("POST", "/v1/keys/rotate", Access::Own),
    to("GET", "/v1/doctor", Access::Administer),
    to("POST", "/v1/accounts/{id}/proxy", Access::Operate),
    to("GET", "/proxies", Access::View),
    to("POST", "/proxies", Access::Operate),
    to("GET", "/proxies/new", Access::Operate),
    to("GET", "/proxies/{id}/edit", Access::Operate),
    to("POST", "/proxies/{id}/edit", Access::Operate),
    to("GET", "/proxies/{id}", Access::View),
    to("GET", "/proxies/{id}/retire", Access::Operate),
    to("POST", "/proxies/{id}/retire", Access::Operate),
    to("POST", "/proxies/{id}/restore", Access::Operate),
    to("POST", "/proxies/test", Access::Operate),
    to("GET", "/v1/proxies", Access::View),
    to("GET", "/v1/proxies/capacity", Access::View),
    to("POST", "/v1/proxies", Access::Operate),
    to("GET", "/v1/proxies/{id}", Access::View),
    to("PATCH", "/v1/proxies/{id}", Access::Operate),
    to("DELETE", "/v1/proxies/{id}", Access::Operate),
    to("POST", "/v1/proxies/{id}/move", Access::Operate),
    to("POST", "/v1/proxies/assign", Access::Operate),
    to("POST", "/v1/proxies/test", Access::Operate),
    to("GET", "/v1/accounts", Access::View),
    to("POST", "/v1/accounts", Access::Operate),
    to("GET", "/v1/accounts/count", Access::View),
    to("POST", "/v1/accounts/transitions", Access::OperateOrReview),
    to("GET", "/v1/accounts/{id}", Access::View),
    to("PATCH", "/v1/accounts/{id}", Access::Operate),
    to("GET", "/v1/accounts/{id}/history", Access::View),
    to("GET", "/v1/accounts/{id}/attempts", Access::View),
    to("GET", "/v1/accounts/{id}/authorisations", Access::View),
    to("POST", "/v1/accounts/{id}/reveal", Access::Own),
    to("POST", "/v1/accounts/{id}/transitions", Access::OperateOrReview),
    to("GET", "/v1/reviews", Access::View),
    to("GET", "/v1/reviews/count", Access::View),
    to("POST", "/v1/reviews", Access::Review),
    to("POST", "/v1/reviews/{account_id}", Access::Review),
    to("GET", "/v1/imports", Access::View),
    to("POST", "/v1/imports", Access::Operate),
    to("GET", "/v1/imports/{id}", Access::View),
    to("DELETE", "/v1/imports/{id}", Access::Operate),
    to("GET", "/v1/imports/{id}/rows", Access::View),
    to("POST", "/v1/imports/{id}/read", Access::Operate),
    to("POST", "/v1/imports/{id}/rows", Access::Operate),
    to("GET", "/v1/imports/{id}/rejected", Access::Operate),
    to("POST", "/v1/imports/{id}/commit", Access::Operate),
    to("POST", "/v1/imports/{id}/undo", Access::Operate),
    to("GET", "/v1/exports/{kind}", Access::Operate),
    to("GET", "/imports", Access::View),
    to("GET", "/imports/new", Access::Operate),
    to("POST", "/imports", Access::Operate),
    to("GET", "/imports/{id}", Access::View),
    to("POST", "/imports/{id}/read", Access::Operate),
    to("POST", "/imports/{id}/rows", Access::Operate),
    to("POST", "/imports/{id}/commit", Access::Operate),
    to("POST", "/imports/{id}/undo", Access::Operate),
    to("POST", "/imports/{id}/discard", Access::Operate),
    to("GET", "/v1/lifecycle", Access::SignedIn),

    to("GET", "/models", Access::View),
    to("GET", "/models/{id}/pause", Access::Operate),
    to("POST", "/models/{id}/pause", Access::Operate),
    to("GET", "/models/{id}/resume", Access::Operate),
    to("POST", "/models/{id}/resume", Access::Operate),
    to("GET", "/v1/models", Access::View),
    to("POST", "/v1/models", Access::Operate),
    to("GET", "/v1/models/{id}", Access::View),
    to("PATCH", "/v1/models/{id}", Access::Operate),
    to("DELETE", "/v1/models/{id}", Access::Operate),
    to("POST", "/v1/models/{id}/pause", Access::Operate),
    to("POST", "/v1/models/{id}/resume", Access::Operate),

    to("GET", "/content", Access::View),
    to("GET", "/content/pictures", Access::View),
    to("POST", "/content/pictures", Access::Operate),
    to("GET", "/content/pictures/new", Access::Operate),
    to("POST", "/content/pictures/upload", Access::Operate),
    to("GET", "/content/pictures/{id}", Access::View),
    to("POST", "/content/pictures/{id}", Access::Operate),
    to("POST", "/content/pictures/{id}/delete", Access::Operate),
    to("GET", "/v1/content/coverage", Access::View),
    to("GET", "/v1/content", Access::View),
    to("POST", "/v1/content", Access::Operate),
    to("POST", "/v1/content/upload", Access::Operate),
    to("GET", "/v1/pictures/{sha256}", Access::SignedIn),
    to("GET", "/v1/content/{id}", Access::View),
    to("PATCH", "/v1/content/{id}", Access::Operate),
    to("DELETE", "/v1/content/{id}", Access::Operate),

    to("GET", "/content/texts", Access::View),
    to("POST", "/content/texts", Access::Operate),
    to("GET", "/content/texts/new", Access::Operate),
    to("GET", "/content/texts/{id}", Access::View),
    to("POST", "/content/texts/{id}", Access::Operate),
    to("POST", "/content/texts/{id}/delete", Access::Operate),
    to("GET", "/v1/texts", Access::View),
    to("POST", "/v1/texts", Access::Operate),
    to("GET", "/v1/texts/{id}", Access::View),
    to("PATCH", "/v1/texts/{id}", Access::Operate),
    to("DELETE", "/v1/texts/{id}", Access::Operate),
    to("POST", "/v1/work/claim", Access::Work),
    to("POST", "/v1/work/report", Access::Work),
    to("POST", "/v1/work/extend", Access::Work),
    to("POST", "/v1/work/release", Access::Work),
    to("POST", "/v1/work/credentials", Access::Work),
    to("GET", "/v1/work/session", Access::Work),
    to("PUT", "/v1/work/session", Access::Work),
];

/// The row of an endpoint.
pub fn endpoint(method: &Method, path: &str) -> Option<&'static Endpoint> {
    // A HEAD is answered by the handler of GET.
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    ENDPOINTS.iter().find(|e| e.path == path && e.method == method)
}

/// Who a token stands for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The tenant.
    pub tenant: TenantId,
    /// Who.
    pub who: Who,
    /// Its allowance.
    pub requests_per_minute: u32,
    /// That of its tenant.
    pub tenant_requests_per_minute: u32,
    /// Its person's or bot's name, for pages.
    pub name: String,
    /// The name of its tenant.
    pub tenant_name: String,
}

/// A token that was verified.
#[derive(Debug)]
struct Verified {
    at: Instant,
    identity: Identity,
    /// Whether that was a use of its session.
    used: bool,
}

/// What the gate remembers: verified tokens for a moment, and allowances.
#[derive(Debug, Default)]
pub struct Gate {
    verified: Mutex<HashMap<[u8; 32], Verified>>,
    tokens: Limits<[u8; 32]>,
    tenants: Limits<TenantId>,
    addresses: Limits<IpAddr>,
    /// What verifies passwords.
    pub passwords: Passwords,
}

impl Gate {
    /// Forgets what was verified, so that the next request asks the database.
    pub fn forget(&self) {
        self.verified
            .lock()
            .expect("no holder of this lock panics")
            .clear();
    }

    /// Who a token was verified to stand for, just now. What was no use of its session is not enough for what is one.
    fn remembered(&self, hash: &[u8; 32], used: bool) -> Option<Identity> {
        let verified = self.verified.lock().expect("no holder of this lock panics");
        let before = verified.get(hash)?;
        let fresh = before.at.elapsed() < Duration::from_secs(TOKEN_CACHE_SECS);
        (fresh && (before.used || !used)).then(|| before.identity.clone())
    }

    fn remember(&self, hash: [u8; 32], identity: &Identity, used: bool) {
        let mut verified = self.verified.lock().expect("no holder of this lock panics");
        if verified.len() >= TOKENS_CACHED_MAX {
            verified.clear();
        }
        let verification = Verified {
            at: Instant::now(),
            identity: identity.clone(),
            used,
        };
        verified.insert(hash, verification);
    }
}

/// Lets a request through to its handler, or refuses it.
pub async fn gate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app, &mut request).await {
        Ok(allowance) => {
            let unhurried = request
                .extensions()
                .get::<MatchedPath>()
                .is_some_and(|path| UNHURRIED.contains(&path.as_str()));
            let actor = request.extensions().get::<Actor>();
            let stale = actor.and_then(|actor| actor.stale.clone());
            let writer = actor.filter(|_| !request.method().is_safe());
            let rings = writer.map(|actor| actor.tenant);
            // What somebody changes can make work ready; claims that wait look again. Bots ring where they report.
            let changed_by = writer
                .filter(|actor| actor.bot().is_none())
                .map(|actor| actor.tenant);
            let identity = request.extensions().get::<Arc<Identity>>().cloned();
            let mut response = if unhurried {
                next.run(request).await
            } else {
                let refusal = match request.method().is_safe() {
                    true => Refusal::unavailable("the request took too long; try again"),
                    false => Refusal::outcome_unknown(),
                };
                let limit = Duration::from_secs(REQUEST_SECS_MAX);
                tokio::time::timeout(limit, next.run(request))
                    .await
                    .unwrap_or_else(|_| refusal.into_response())
            };
            let done = response.status().is_success() || response.status().is_redirection();
            if let Some(tenant) = changed_by.filter(|_| done) {
                app.work.notify(tenant);
            }
            if let Some(tenant) = rings.filter(|_| done) {
                app.live.ring(tenant);
            }
            if let Some(allowance) = allowance {
                tell_allowance(response.headers_mut(), allowance);
            }
            if let Some(secs) = stale.and_then(|stale| stale.age_secs()) {
                response.headers_mut().insert(header::AGE, secs.into());
            }
            if let Some(identity) = identity {
                response.extensions_mut().insert(identity);
            }
            response
        }
        Err(failure) => {
            let spent = failure
                .refusal()
                .is_some_and(|refusal| refusal.kind == Kind::TooMany);
            let mut response = failure.into_response();
            if let Some(identity) = request.extensions().get::<Arc<Identity>>() {
                response.extensions_mut().insert(identity.clone());
            }
            if spent && let Some(identity) = request.extensions().get::<Arc<Identity>>() {
                let allowance = Allowance {
                    per_minute: identity.requests_per_minute,
                    remaining: 0,
                };
                tell_allowance(response.headers_mut(), allowance);
            }
            response
        }
    }
}

async fn admit(app: &App, request: &mut Request) -> Result<Option<Allowance>, Failure> {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|p| p.as_str().to_owned())
        .unwrap_or_default();
    let Some(endpoint) = endpoint(request.method(), &path) else {
        // A path with other methods is the router's to answer; one that is in no table is a bug of ours.
        if ENDPOINTS.iter().any(|e| e.path == path) {
            return Ok(None);
        }
        return Err(Bug::new(format!(
            "{} {path} is missing from the access table",
            request.method()
        ))
        .into());
    };
    let address = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    // What changes something and can have been sent by a browser must come from our own pages.
    let from_browser = !path.starts_with("/v1/") || presented_by_cookie(request.headers());
    if from_browser && !request.method().is_safe() {
        same_origin(request.headers())?;
    }
    if endpoint.access == Access::Public {
        if let Some(address) = address {
            app.gate
                .addresses
                .take(&address, ANONYMOUS_REQUESTS_PER_MINUTE)
                .map_err(|wait| too_many("this address", wait))?;
        }
        return Ok(None);
    }
    let (identity, hash) = identify(app, request.headers(), address).await?;
    let identity = Arc::new(identity);
    request.extensions_mut().insert(identity.clone());
    request.extensions_mut().insert(TokenHash(hash));
    let allowance = app
        .gate
        .tokens
        .take(&hash, identity.requests_per_minute)
        .map_err(|wait| too_many("this token", wait))?;
    app.gate
        .tenants
        .take(&identity.tenant, identity.tenant_requests_per_minute)
        .map_err(|wait| too_many("this tenant", wait))?;
    if !endpoint.access.allows(identity.who) {
        let detail = "the role or kind of this token does not allow this; ask an admin for one that does";
        return Err(Refusal::new(Kind::Forbidden, "forbidden", detail).into());
    }
    let needs_room = !request.method().is_safe() && !WITHOUT_ROOM.contains(&endpoint.path);
    if needs_room && app.wal_space().is_some_and(Space::is_short) {
        return Err(Refusal::no_space().into());
    }
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map_or_else(Uuid::now_v7, |id| id.0);
    let actor = Actor {
        tenant: identity.tenant,
        who: identity.who,
        request: request_id,
        address: address.map(|a| a.to_string()),
        stale: max_stale(request.headers())
            .filter(|_| path.starts_with("/v1/") && request.method().is_safe()),
    };
    request.extensions_mut().insert(actor);
    Ok(Some(allowance))
}

/// How old an answer may be: `Cache-Control: max-stale`, in seconds, or however old (RFC 9111, section 5.2.1.2). One that is not
/// understood is as good as none.
fn max_stale(headers: &HeaderMap) -> Option<Stale> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    directives.find_map(|directive| {
        let (name, secs) = match directive.trim().split_once('=') {
            Some((name, secs)) => (name, secs.trim_matches('"').parse().ok()?),
            None => (directive.trim(), u64::MAX),
        };
        let is_it = name.eq_ignore_ascii_case("max-stale");
        is_it.then(|| Stale::up_to(Duration::from_secs(secs)))
    })
}

/// The SHA-256 of the token that a request presented.
#[derive(Debug, Clone, Copy)]
pub struct TokenHash(pub [u8; 32]);

/// The id of a request, made or taken over by the outermost layer.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

/// The refusal of a request that is over its allowance.
pub(crate) fn too_many(what: &str, wait: Duration) -> Failure {
    let secs = wait.as_secs() + 1;
    let detail = format!("{what} has used up its allowance of requests; try again in {secs} s");
    Refusal {
        retry_after_secs: Some(secs),
        ..Refusal::new(Kind::TooMany, "too_many_requests", detail)
    }
    .into()
}

/// The `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers.
fn tell_allowance(headers: &mut HeaderMap, allowance: Allowance) {
    let policy = format!("\"token\";q={};w=60", allowance.per_minute);
    let state = format!("\"token\";r={};t=60", allowance.remaining);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Actor>()
            .cloned()
            .ok_or_else(|| Bug::new("a handler asks for an actor on a public endpoint").into())
    }
}
