//! Every endpoint: the table of who may call what and the OpenAPI document name the same ones, and each holds to its row.

use std::{collections::BTreeSet, path::Path};

use muster::access::{Access, ENDPOINTS, Endpoint};
use muster_wire::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

/// Whether an endpoint is no operation of the API: the document itself, and pages.
fn is_no_operation(endpoint: &Endpoint) -> bool {
    let server = ["/healthz", "/readyz", "/metrics"];
    endpoint.path == "/v1/openapi.json"
        || !(endpoint.path.starts_with("/v1/") || server.contains(&endpoint.path))
}

fn document() -> Value {
    serde_json::to_value(muster::app::document()).expect("the document is JSON")
}

/// The operations of the document, as `GET /v1/models`.
fn operations(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("there are paths");
    let methods = [
        "get", "put", "post", "delete", "options", "head", "patch", "trace",
    ];
    paths
        .iter()
        .flat_map(|(path, item)| {
            let there = methods.iter().filter(|method| item.get(**method).is_some());
            there.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// A request to the endpoint: path parameters are 1, and a body is an empty object.
async fn call(caller: &Caller, endpoint: &Endpoint) -> (StatusCode, String) {
    let path: Vec<_> = endpoint
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect();
    let method: Method = endpoint.method.parse().expect("a method");
    let mut request = caller.request(method.clone(), &path.join("/"));
    if method != Method::GET && method != Method::DELETE {
        request = request.json(&json!({}));
    }
    // Some answers never end; their status is all that is asked for here.
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let body = match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED => response.text().await.expect("a body"),
        _ => String::new(),
    };
    let code = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|body| Some(body["code"].as_str()?.to_owned()));
    (status, code.unwrap_or_default())
}

fn guarded() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS
        .iter()
        .filter(|endpoint| endpoint.access != Access::Public)
}

/// Everything that one caller must be refused as unauthenticated is.
async fn opens_nothing(caller: &Caller) {
    for endpoint in guarded() {
        let (status, code) = call(caller, endpoint).await;
        assert_eq!(
            (status.as_u16(), code.as_str()),
            (401, "unauthenticated"),
            "{} {}",
            endpoint.method,
            endpoint.path
        );
    }
}

#[test]
fn the_table_of_access_and_the_document_name_the_same_endpoints() {
    let documented = operations(&document());
    let (mut guarded, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in ENDPOINTS {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        if !is_no_operation(endpoint) {
            operations.insert(name.clone());
        }
        assert!(
            guarded.insert(name.clone()),
            "{name} is twice in access::ENDPOINTS"
        );
    }
    let undocumented: Vec<_> = operations.difference(&documented).collect();
    let unguarded: Vec<_> = documented.difference(&guarded).collect();
    assert!(
        undocumented.is_empty(),
        "in access::ENDPOINTS, but in no routes(): {undocumented:?}"
    );
    assert!(
        unguarded.is_empty(),
        "routed, but missing from access::ENDPOINTS: {unguarded:?}"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().expect("there are paths").values() {
        for operation in item.as_object().expect("a path has operations").values() {
            if let Some(name) = operation["operationId"].as_str() {
                assert!(names.insert(name.to_owned()), "two operations are named {name}");
            }
        }
    }
    assert_eq!(
        names.len(),
        operations(&document).len(),
        "an operation has no name"
    );
}

#[test]
fn the_document_has_the_words_that_are_sent() {
    let schemas = &document()["components"]["schemas"];
    let words: Vec<_> = muster_wire::State::ALL.iter().map(|state| state.word()).collect();
    assert_eq!(schemas["State"]["enum"], json!(words));
}

#[test]
fn the_document_is_the_one_in_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.json");
    let now = serde_json::to_string_pretty(&document()).expect("the document is JSON") + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &now).expect("docs/api.json is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = stored
        .lines()
        .zip(now.lines())
        .find(|(stored, now)| stored != now);
    assert!(
        stored == now,
        "docs/api.json is not what the code says, first at {differs:?}: look at the difference and, where it is meant, \
         run this test with UPDATE_SNAPSHOTS=1 and commit the file"
    );
}

#[tokio::test]
async fn the_document_is_served_as_it_is() {
    let app = TestApp::start().await;
    let served = Caller::new(&app.url, None)
        .get("/v1/openapi.json")
        .await
        .expect(200);
    assert_eq!(served, document());
    assert!(
        served["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
}

#[tokio::test]
async fn without_a_token_no_guarded_endpoint_answers() {
    let app = TestApp::start().await;
    opens_nothing(&Caller::new(&app.url, None)).await;
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let app = TestApp::start().await;
    let (_, bot) = app.bot("b1").await;
    sqlx::query("update api_tokens set expires_at = now() where kind = 'bot'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    opens_nothing(&bot).await;
}

#[tokio::test]
async fn a_revoked_token_opens_nothing() {
    let app = TestApp::start().await;
    let admin = app.person(Role::Admin).await;
    sqlx::query("update api_tokens set revoked_at = now() where role = 'admin'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    opens_nothing(&admin).await;
}

#[tokio::test]
async fn the_token_of_a_deleted_bot_opens_nothing() {
    let app = TestApp::start().await;
    let (id, bot) = app.bot("b1").await;
    sqlx::query("delete from bots where id = $1")
        .bind(id.0)
        .execute(&mut app.superuser().await)
        .await
        .expect("delete");
    opens_nothing(&bot).await;
}

/// Which roles, and whether bots, an endpoint lets in: written here once more, so that a slip in the code shows.
fn admitted(access: Access) -> (&'static [Role], bool) {
    use Role::{Admin, Operator, Owner, Reviewer, Viewer};
    match access {
        Access::Public | Access::SignedIn => (&[Owner, Admin, Operator, Reviewer, Viewer], true),
        Access::View => (&[Owner, Admin, Operator, Reviewer, Viewer], false),
        Access::Work => (&[Owner, Admin, Operator, Reviewer], true),
        Access::Operate => (&[Owner, Admin, Operator], false),
        Access::Review => (&[Owner, Admin, Reviewer], false),
        Access::OperateOrReview => (&[Owner, Admin, Operator, Reviewer], false),
        Access::Administer => (&[Owner, Admin], false),
        Access::Own => (&[Owner], false),
    }
}

#[tokio::test]
async fn each_role_and_a_bot_are_let_in_exactly_where_the_table_says() {
    let app = TestApp::start().await;
    // Ids of 1 in paths must not be those of the callers: the first owner and this bot have them.
    app.bot("first").await;
    let mut callers = vec![(None, app.bot("b").await.1)];
    for role in Role::ALL {
        callers.push((Some(*role), app.person(*role).await));
    }
    for endpoint in guarded() {
        let (roles, bots) = admitted(endpoint.access);
        for (role, caller) in &callers {
            let (status, code) = call(caller, endpoint).await;
            let who = role.map_or("a bot", |role| role.word());
            let what = format!("{} {} as {who}: {status} {code}", endpoint.method, endpoint.path);
            if role.map_or(bots, |role| roles.contains(&role)) {
                let refused = status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
                assert!(
                    !refused && !status.is_server_error(),
                    "{what}, but the table lets them in"
                );
                let routed = !["no_such_path", "method_not_allowed"].contains(&code.as_str());
                assert!(routed, "{what}: it is in the table, and no route leads to it");
            } else {
                assert_eq!(
                    (status.as_u16(), code.as_str()),
                    (403, "forbidden"),
                    "{what}, but the table does not"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_documentation_can_be_browsed_and_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let anybody = Caller::new(&app.url, None);
    let page = anybody.get("/docs").await;
    let html = page.body.as_str().expect("a page");
    assert!(
        page.status.is_success() && html.contains("swagger-ui-bundle.js"),
        "{html}"
    );
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("a policy");
    assert!(
        policy.starts_with("default-src 'self'") && !policy.contains("http"),
        "{policy}"
    );
    assert!(
        !html.contains("src=\"http") && !html.contains("href=\"http") && !html.contains("href=\"//"),
        "{html}"
    );
    for file in [
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        assert!(
            anybody.get(&format!("/docs/{file}")).await.status.is_success(),
            "{file}"
        );
    }
    let start = anybody.get("/docs/swagger-initializer.js").await;
    let start = start.body.as_str().expect("a script");
    assert!(
        start.contains("/v1/openapi.json") && start.contains(r#""validatorUrl": "none""#),
        "{start}"
    );
    assert_eq!(
        anybody.get("/docs/no-such-file").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_lifecycle_is_told_to_whoever_is_signed_in() {
    let app = TestApp::start().await;
    let (_, bot) = app.bot("b1").await;
    let told = bot.get("/v1/lifecycle").await.expect(200);
    assert_eq!(
        told["transitions"].as_array().map(Vec::len),
        Some(muster_wire::lifecycle::TABLE.len())
    );
    assert_eq!(
        told["transitions"][5],
        json!({"event": "approve", "from": "human_review", "to": "ready", "warmup_complete": true})
    );
    assert_eq!(told["steps"][0], "change_pfp");
}
