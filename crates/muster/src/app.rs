//! The application: what every handler shares, the router made of the features' routes, and the layers around it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use muster_wire::{BotId, OperatorId, Problem, Role, TenantId, lifecycle::Lifecycle};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, info_span};
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};
use uuid::Uuid;

use crate::{
    access::{self, Gate, Identity, RequestId},
    actor::{Actor, Who},
    backup,
    cluster::Space,
    config::ServeSettings,
    console::{self, live::Live},
    db::Db,
    http::{BODY_BYTES_MAX, Problems, Reply, unread::Unread},
    problem::{Bug, Failure, Kind, Refusal},
    proxies::{
        self,
        probe::{Probe, TEST_SECONDS_DEFAULT},
    },
    seal::Keyring,
    telemetry::Telemetry,
    work::{bells::Bells, claim::Wanted, floors, report::Reports, together::Together, turns::Turns},
};

/// What the browsable documentation may load: its own files, and the styles and small pictures that it holds itself.
const DOCS_SECURITY_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// What every handler shares. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The keys of secrets.
    pub keys: Keyring,
    /// The settings.
    pub settings: Arc<ServeSettings>,
    /// What the gate remembers.
    pub gate: Arc<Gate>,
    /// The figures of `/metrics`.
    pub telemetry: Arc<Telemetry>,
    /// The bells that wake claims which wait for work.
    pub work: Arc<Bells>,
    /// The bells that tell open pages of changes.
    pub live: Arc<Live>,
    /// From when on claims look for steps.
    pub floors: Arc<floors::OfSteps>,
    /// From when on leases are looked for that are over.
    pub lease_floor: Arc<floors::OfLeases>,
    /// The claims that are being served, and those that wait to be.
    pub claims: Arc<Together<Wanted>>,
    /// The reports likewise.
    pub reports: Arc<Together<Reports>>,
    /// Whose turn it is to be served, where several tenants ask.
    pub turns: Arc<Turns>,
    /// Tests proxies; its limits hold for all callers together.
    pub probe: Arc<Probe>,
}

impl App {
    /// An application on a database that has been checked.
    pub fn new(db: Db, keys: Keyring, settings: ServeSettings) -> Self {
        let timeout = Duration::from_secs(TEST_SECONDS_DEFAULT);
        let probe = Probe::new(
            settings.probe_target.clone(),
            timeout,
            settings.probe_allow.clone(),
        );
        Self {
            probe: Arc::new(probe),
            db,
            keys,
            settings: Arc::new(settings),
            gate: Arc::default(),
            telemetry: Arc::default(),
            work: Arc::default(),
            live: Arc::default(),
            floors: Arc::default(),
            lease_floor: Arc::default(),
            claims: Arc::default(),
            reports: Arc::default(),
            turns: Arc::default(),
        }
    }

    /// The room for WAL now, where the PostgreSQL is one of ours.
    pub fn wal_space(&self) -> Option<Space> {
        let folder = self.settings.wal.as_ref()?;
        Space::at(folder)
            .inspect_err(|error| tracing::error!(%error, "how much room there is for WAL cannot be seen"))
            .ok()
    }

    /// Serves until `stop` is done; then finishes the requests that are under way.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(stop).await
    }

    /// The router with all its layers.
    pub fn router(self) -> Router {
        let (router, document) = routes().split_for_parts();
        let document = Arc::new(document);
        let openapi = move || {
            let document = document.clone();
            async move { Json(document.as_ref().clone()) }
        };
        router
            .route("/v1/openapi.json", axum::routing::get(openapi))
            .merge(docs())
            .merge(console::routes())
            .method_not_allowed_fallback(|| async {
                Refusal::new(
                    Kind::MethodNotAllowed,
                    "method_not_allowed",
                    "this path has other methods; see /docs",
                )
            })
            .route_layer(middleware::from_fn_with_state(self.clone(), access::gate))
            .fallback(|| async {
                Refusal::new(Kind::NotFound, "no_such_path", "there is no such path; see /docs")
            })
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(CatchPanicLayer::custom(|_| {
                Failure::from(Bug::new("a handler panicked")).into_response()
            }))
            .layer(middleware::from_fn_with_state(self.clone(), envelope))
            .with_state(self)
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Muster", description = "Accounts, proxies and content; their lifecycle; and the work on them."),
    components(schemas(Problem)),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    }
}

/// Every route of the API, with its documentation. Each feature brings its own.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(me))
        .merge(crate::operators::api::routes())
        .merge(crate::sessions::api::routes())
        .merge(crate::bots::api::routes())
        .merge(crate::tokens::api::routes())
        .merge(crate::tenants::api::routes())
        .merge(crate::audit::api::routes())
        .merge(crate::keys::api::routes())
        .merge(crate::doctor::api::routes())
        .merge(proxies::api::routes())
        .merge(crate::accounts::api::routes())
        .merge(crate::reviews::api::routes())
        .merge(crate::imports::api::routes())
        .routes(routes!(lifecycle))
        .merge(crate::models::api::routes())
        .merge(crate::content::api::routes())
        .merge(crate::pictures::api::routes())
        .merge(crate::texts::api::routes())
        .merge(crate::work::api::routes())
        .merge(crate::today::api::routes())
        .merge(crate::metrics::api::routes())
        .merge(crate::batches::api::routes())
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

/// The server is alive.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// The server can do its work: the database answers. What is wrong with its backups, and that its disk fills, stands on lines of
/// their own.
#[utoipa::path(get, path = "/readyz", tag = "server", security(()),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 503, body = Problem)))]
async fn readyz(State(app): State<App>) -> Result<String, Failure> {
    let mut worries = backup::worries(&backups(&app).await?);
    worries.extend(app.wal_space().and_then(Space::worry));
    Ok(worries.iter().fold("ready\n".to_owned(), |text, worry| {
        text + "warning: " + worry + "\n"
    }))
}

/// How it stands with the server's backups, which are no tenant's.
async fn backups(app: &App) -> Result<Vec<backup::State>, Failure> {
    let mut tx = app.db.begin(&Actor::system(TenantId(0))).await?;
    let states = backup::states(&mut tx).await?;
    tx.commit().await?;
    Ok(states)
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", security(()),
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
async fn metrics(State(app): State<App>) -> Response {
    // The other figures are there however the database does.
    let backups = backups(&app).await.unwrap_or_default();
    let text = app
        .telemetry
        .render(app.db.connections(), &backups, app.wal_space());
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

/// Who a token stands for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The operator, when the token is a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<OperatorId>,
    /// What they may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The bot, when the token is a bot's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_id: Option<BotId>,
}

/// Says who the token stands for.
#[utoipa::path(get, path = "/v1/me", tag = "tokens", responses((status = 200, body = Me), Problems))]
async fn me(actor: Actor) -> Reply<Me> {
    let (operator_id, role, bot_id) = match actor.who {
        Who::Operator { id, role } => (Some(id), Some(role), None),
        Who::Bot { id } => (None, None, Some(id)),
        Who::System | Who::Scheduler => (None, None, None),
    };
    Ok(Json(Me {
        tenant_id: actor.tenant,
        operator_id,
        role,
        bot_id,
    }))
}

/// Gives the lifecycle of every account: its states, its steps, and every transition there is.
#[utoipa::path(get, path = "/v1/lifecycle", tag = "accounts", responses((status = 200, body = Lifecycle), Problems))]
async fn lifecycle() -> Json<Lifecycle> {
    Json(Lifecycle::whole())
}

/// The documentation for people to browse, from the same document; it loads nothing from elsewhere.
fn docs() -> Router<App> {
    let config = Config::from("/v1/openapi.json").validator_url("none");
    Router::from(SwaggerUi::new("/docs").config(config)).layer(middleware::map_response(
        |mut response: Response| async {
            response.headers_mut().insert(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(DOCS_SECURITY_POLICY),
            );
            response
        },
    ))
}

/// The outermost layer: gives the request its id, opens its span, counts it, and writes the body of a problem.
async fn envelope(State(app): State<App>, mut request: Request, next: Next) -> Response {
    static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| Uuid::parse_str(v).ok());
    let id = given.unwrap_or_else(Uuid::now_v7);
    let page = console::Asked::read(&request);
    request.extensions_mut().insert(RequestId(id));
    let method = request.method().clone();
    let span =
        info_span!("request", request.id = %id, http.method = %method, http.path = request.uri().path());
    let count = app.telemetry.begin(&method, request.extensions());
    let mut response = next.run(request.map(Unread::wrap)).instrument(span.clone()).await;
    if let Some(mut problem) = response.extensions_mut().remove::<Box<Problem>>() {
        problem.request_id = Some(id.to_string());
        response = match page.and_then(|asked| {
            let identity = response.extensions().get::<Arc<Identity>>();
            console::problem(&asked, &problem, identity.map(|identity| &**identity)).ok()
        }) {
            Some(mut page) => {
                for (name, value) in response.headers() {
                    page.headers_mut().entry(name).or_insert_with(|| value.clone());
                }
                page
            }
            None => as_json(response, &problem),
        };
    }
    let headers = response.headers_mut();
    headers.insert(
        REQUEST_ID.clone(),
        HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let status = response.status().as_u16();
    let elapsed_ms = count.end(&app.telemetry, status);
    span.in_scope(|| tracing::debug!(http.status = status, elapsed_ms, "answered {status}"));
    response
}

/// Writes the problem into the answer, for programs.
fn as_json(mut response: Response, problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}
