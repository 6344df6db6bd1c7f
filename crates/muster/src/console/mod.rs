//! The console: what the pages of all features have in common. A page is made by its feature's `pages.rs` from a template
//! beside it, which fills the blocks of `layout.html`; everything works with scripts off, and `console.js` adds to it.

use std::fmt::Display;

use askama::Template;
use axum::{
    Router,
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware,
    response::{IntoResponse, Response},
};
use muster_wire::{OperatorId, Problem};

use crate::{
    access::{self, Identity},
    actor::Actor,
    app::App,
    problem::{Bug, Failure},
};

pub mod assets;
pub mod because;
pub mod form;
pub mod listed;
pub mod live;
pub mod said;
pub mod ui;

pub use because::{BecauseForm, BecausePage};
pub use form::{Faults, Form, FormQuery};
pub use listed::Listed;
pub use said::Said;

/// What a page may load and where its forms may go: our own files, and pictures over TLS. No script or style is inline.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A screen in the navigation. Whoever the access table lets open it sees it there.
#[derive(Debug)]
pub struct Screen {
    /// Its address.
    pub path: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// Its picture in `icons.svg`.
    pub icon: &'static str,
    /// The letter that opens it, after `g`.
    pub key: char,
}

const fn screen(path: &'static str, label: &'static str, icon: &'static str, key: char) -> Screen {
    Screen {
        path,
        label,
        icon,
        key,
    }
}

/// The navigation: groups of screens, in the order in which they are shown.
pub const SCREENS: &[(&str, &[Screen])] = &[
    (
        "Work",
        &[
            screen("/", "Today", "today", 't'),
            screen("/accounts", "Accounts", "accounts", 'a'),
            screen("/warm-up", "Warm-up", "board", 'w'),
            screen("/steps", "My steps", "run", 's'),
            screen("/reviews", "Reviews", "reviews", 'r'),
        ],
    ),
    (
        "Supplies",
        &[
            screen("/models", "Models", "models", 'm'),
            screen("/proxies", "Proxies", "proxies", 'p'),
            screen("/content", "Content", "content", 'c'),
            screen("/imports", "Imports", "import", 'i'),
        ],
    ),
    (
        "Control",
        &[
            screen("/daily-metrics", "Metrics", "metrics", 'n'),
            screen("/bots", "Bots", "bots", 'b'),
            screen("/tokens", "Tokens", "key", 'k'),
            screen("/audit", "Audit", "audit", 'u'),
            screen("/operators", "People", "person", 'e'),
            screen("/administration", "Administration", "admin", 'd'),
        ],
    ),
];

/// The routes of all pages. Each feature brings its own.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(assets::routes())
        .merge(live::routes())
        .merge(crate::sessions::pages::routes())
        .merge(crate::operators::pages::routes())
        .merge(crate::today::pages::routes())
        .merge(crate::metrics::pages::routes())
        .merge(crate::models::pages::routes())
        .merge(crate::proxies::pages::routes())
        .merge(crate::content::pages::routes())
        .merge(crate::texts::pages::routes())
        .merge(crate::imports::pages::routes())
        .merge(crate::bots::pages::routes())
        .merge(crate::tokens::pages::routes())
        .merge(crate::audit::pages::routes())
        .merge(crate::tenants::pages::routes())
        .merge(crate::keys::pages::routes())
        .merge(crate::doctor::pages::routes())
        .merge(crate::accounts::pages::routes())
        .merge(crate::batches::pages::routes())
        .merge(crate::work::pages::routes())
        .merge(crate::reviews::pages::routes())
        .layer(middleware::from_fn(said::said_once))
}

/// Who looks at a page, and where.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, for the operations.
    pub actor: Actor,
    /// Their name.
    pub name: String,
    /// The name of their tenant.
    pub tenant: String,
    /// The address of the page.
    pub path: String,
    /// What the page before has to say.
    pub said: Option<Said>,
}

impl Visitor {
    /// Whether the access table lets them send this request; buttons that it does not are not shown.
    pub fn may(&self, method: &str, path: &str) -> bool {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        access::endpoint(&method, path).is_some_and(|endpoint| endpoint.access.allows(self.actor.who))
    }

    /// The person; the gate lets only people open pages.
    ///
    /// # Errors
    /// None that is known; a failure would be ours.
    pub fn person(&self) -> Result<OperatorId, Bug> {
        self.actor
            .operator()
            .ok_or_else(|| Bug::new("the gate lets only people open pages"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let actor = Actor::from_request_parts(parts, state).await?;
        let identity = parts
            .extensions
            .get::<std::sync::Arc<Identity>>()
            .ok_or_else(|| Bug::new("an actor without an identity"))?;
        Ok(Self {
            actor,
            name: identity.name.clone(),
            tenant: identity.tenant_name.clone(),
            path: parts.uri.path().to_owned(),
            said: Said::read(&parts.headers),
        })
    }
}

/// What stands around the content of a page; templates that extend `layout.html` have it as `shell`.
#[derive(Debug)]
pub struct Shell {
    /// The title, which is also the heading.
    pub title: String,
    /// Who looks.
    pub visitor: Visitor,
}

impl Shell {
    /// The frame of a page with this title.
    pub fn new(title: impl Into<String>, visitor: Visitor) -> Self {
        Self {
            title: title.into(),
            visitor,
        }
    }

    /// Whether the visitor may send this request.
    pub fn may(&self, method: &str, path: &str) -> bool {
        self.visitor.may(method, path)
    }

    /// The groups of screens that the visitor may open.
    pub fn groups(&self) -> Vec<(&'static str, Vec<&'static Screen>)> {
        let open = |screens: &'static [Screen]| screens.iter().filter(|s| self.may("GET", s.path)).collect();
        let groups = SCREENS.iter().map(|(group, screens)| (*group, open(screens)));
        groups
            .filter(|(_, screens): &(_, Vec<_>)| !screens.is_empty())
            .collect()
    }

    /// Whether the page is this screen, or below it.
    pub fn is_at(&self, screen: &Screen) -> bool {
        let path = &self.visitor.path;
        path == screen.path
            || (screen.path != "/"
                && path
                    .strip_prefix(screen.path)
                    .is_some_and(|rest| rest.starts_with('/')))
    }
}

/// A page as an answer.
///
/// # Errors
/// None that is known; a failure would be ours.
pub fn page(template: &impl Template) -> Result<Response, Failure> {
    answer(StatusCode::OK, template)
}

/// The page of a form that was refused, with what is wrong in it.
///
/// # Errors
/// As [`page`].
pub fn refused(template: &impl Template) -> Result<Response, Failure> {
    answer(StatusCode::UNPROCESSABLE_ENTITY, template)
}

fn answer(status: StatusCode, template: &impl Template) -> Result<Response, Failure> {
    let html = template.render().map_err(Bug::new)?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, SECURITY_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((status, headers, html).into_response())
}

/// Sends the browser to another page, as a form that was accepted does.
pub fn go(path: impl Display) -> Response {
    let path = HeaderValue::try_from(path.to_string()).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// Sends the browser to another page, which says this once.
pub fn go_and_say(path: impl Display, said: &Said) -> Response {
    let mut response = go(path);
    response.headers_mut().append(header::SET_COOKIE, said.cookie());
    response
}

/// A path of ours that a form or an address gives to come back to; anything else is taken for the first page.
pub fn way_back(next: Option<&str>) -> &str {
    let ours = |path: &&str| {
        path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n', '\t'])
    };
    next.filter(ours).unwrap_or("/")
}

#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "console/problem_bare.html")]
struct BareProblemPage<'a> {
    problem: &'a Problem,
}

/// Whether the request is a browser's, which is answered with pages.
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// What a browser asked for, as far as a page about a problem needs it.
#[derive(Debug)]
pub struct Asked {
    path_and_query: String,
    safe: bool,
}

impl Asked {
    /// Taken from the request; nothing when it is not a browser's.
    pub fn read(request: &Request) -> Option<Self> {
        wants_page(request.headers()).then(|| Self {
            path_and_query: request
                .uri()
                .path_and_query()
                .map_or_else(String::new, |path| path.as_str().to_owned()),
            safe: request.method().is_safe(),
        })
    }
}

/// Makes a problem a page: to whoever is not signed in the way to do so, to others what is wrong.
///
/// # Errors
/// As [`page`].
pub fn problem(asked: &Asked, problem: &Problem, identity: Option<&Identity>) -> Result<Response, Failure> {
    if problem.status == 401 && asked.safe {
        let next = url::form_urlencoded::byte_serialize(asked.path_and_query.as_bytes()).collect::<String>();
        return Ok(go(format!("/sign-in?next={next}")));
    }
    let status = StatusCode::from_u16(problem.status).map_err(Bug::new)?;
    let Some(identity) =
        identity.filter(|identity| matches!(identity.who, crate::actor::Who::Operator { .. }))
    else {
        return answer(status, &BareProblemPage { problem });
    };
    let visitor = Visitor {
        actor: Actor {
            tenant: identity.tenant,
            who: identity.who,
            request: uuid::Uuid::nil(),
            address: None,
            stale: None,
        },
        name: identity.name.clone(),
        tenant: identity.tenant_name.clone(),
        path: asked
            .path_and_query
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned(),
        said: None,
    };
    let shell = Shell::new(problem.title.clone(), visitor);
    answer(status, &ProblemPage { shell, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_screen_has_a_key_of_its_own() {
        let screens = SCREENS.iter().flat_map(|(_, screens)| screens.iter());
        let mut keys: Vec<char> = screens.map(|screen| screen.key).collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
