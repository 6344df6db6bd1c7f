//! Tokens: made, shown once, limited, revoked and replaced.

use muster_wire::Role;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Caller, TestApp, value};

async fn issue(app: &TestApp, by: &Caller, body: Value) -> (i64, Caller) {
    let issued = by.post("/v1/tokens", body).await.expect(201);
    let secret = SecretString::from(issued["secret"].as_str().expect("a secret"));
    (
        issued["token"]["id"].as_i64().expect("an id"),
        Caller::new(&app.url, Some(secret)),
    )
}

fn own(role: &str) -> Value {
    json!({"kind": "api", "name": "mine", "role": role})
}

#[tokio::test]
async fn a_token_is_shown_once_and_then_only_its_last_characters() {
    let app = TestApp::start().await;
    let key = ("idempotency-key", "once");
    let request = app
        .owner
        .request(reqwest::Method::POST, "/v1/tokens")
        .header(key.0, key.1)
        .json(&own("viewer"));
    let issued = app.owner.send(request).await.expect(201);
    let secret = issued["secret"].as_str().expect("a secret");
    let caller = Caller::new(&app.url, Some(secret.into()));
    assert_eq!(caller.get("/v1/me").await.expect(200)["role"], "viewer");
    let random = &secret[secret.len() - 49..secret.len() - 4];
    for path in [
        "/v1/tokens".to_owned(),
        format!("/v1/tokens/{}", issued["token"]["id"]),
        "/v1/audit".to_owned(),
    ] {
        let shown = app.owner.get(&path).await.expect(200).to_string();
        assert!(!shown.contains(random), "{path} shows {secret}");
    }
    let listed = app.owner.get("/v1/tokens").await.expect(200);
    assert!(
        listed["items"]
            .as_array()
            .expect("items")
            .iter()
            .any(|t| t["hint"] == secret[secret.len() - 4..])
    );
    for sql in [
        "select coalesce(string_agg(k::text, ''), '') from idempotency_keys k",
        "select string_agg(a::text, '') from audit_log a",
        "select string_agg(t::text, '') from api_tokens t",
    ] {
        assert!(!value::<String>(&app, sql).await.contains(random), "{sql}");
    }
}

#[tokio::test]
async fn all_faults_of_a_new_token_are_told_at_once() {
    let app = TestApp::start().await;
    let pointers = async |body: Value| {
        let body = app.owner.post("/v1/tokens", body).await.expect(422);
        let faults = body["errors"].as_array().expect("faults").clone();
        faults
            .iter()
            .map(|f| f["pointer"].as_str().expect("a pointer").to_owned())
            .collect::<Vec<_>>()
    };
    let wrong = json!({"kind": "bot", "name": "", "role": "viewer", "expires_in_days": 367, "requests_per_minute": 0});
    let all = [
        "/name",
        "/expires_in_days",
        "/requests_per_minute",
        "/bot_id",
        "/role",
    ];
    assert_eq!(pointers(wrong).await, all);
    assert_eq!(pointers(json!({"kind": "api", "name": "x"})).await, ["/role"]);
    assert_eq!(
        pointers(json!({"kind": "bot", "name": "x", "bot_id": 99})).await,
        ["/bot_id"]
    );
    let nobody = json!({"kind": "api", "name": "x", "role": "viewer", "operator_id": 99});
    assert_eq!(pointers(nobody).await, ["/operator_id"]);
}

#[tokio::test]
async fn a_bot_or_a_person_of_another_tenant_gets_no_token() {
    let app = TestApp::start().await;
    let (bot, _) = app.bot("b1").await;
    let (_, other) = app.other_tenant().await;
    let for_bot = json!({"kind": "bot", "name": "x", "bot_id": bot.0});
    assert_eq!(other.post("/v1/tokens", for_bot).await.problem(422), "invalid");
    let for_owner = json!({"kind": "api", "name": "x", "role": "viewer", "operator_id": app.owner_id.0});
    assert_eq!(other.post("/v1/tokens", for_owner).await.problem(422), "invalid");
    assert_eq!(other.get("/v1/tokens/1").await.problem(404), "not_found");
    assert_eq!(other.delete("/v1/tokens/1").await.problem(404), "not_found");
    assert_eq!(
        other.post("/v1/tokens/1/rotate", json!({})).await.problem(404),
        "not_found"
    );
}

#[tokio::test]
async fn people_make_tokens_of_their_own_with_at_most_their_role() {
    let app = TestApp::start().await;
    let (operator, admin) = (app.person(Role::Operator).await, app.person(Role::Admin).await);
    let (id, made) = issue(&app, &operator, own("operator")).await;
    made.get("/v1/me").await.expect(200);
    for role in ["owner", "admin", "reviewer"] {
        assert_eq!(
            operator.post("/v1/tokens", own(role)).await.problem(403),
            "more_than_own",
            "{role}"
        );
    }
    let mut more = own("viewer");
    more["requests_per_minute"] = json!(60_001);
    assert_eq!(operator.post("/v1/tokens", more).await.problem(403), "forbidden");
    let of_owner = json!({"kind": "api", "name": "x", "role": "viewer", "operator_id": app.owner_id.0});
    assert_eq!(
        operator.post("/v1/tokens", of_owner.clone()).await.problem(403),
        "forbidden"
    );
    assert_eq!(
        admin.post("/v1/tokens", of_owner).await.problem(403),
        "more_than_own",
        "in an owner's name"
    );
    let (bot, _) = app.bot("b1").await;
    let for_bot = json!({"kind": "bot", "name": "x", "bot_id": bot.0});
    assert_eq!(
        operator.post("/v1/tokens", for_bot.clone()).await.problem(403),
        "forbidden"
    );
    issue(&app, &admin, for_bot).await;
    // They see and end their own, and nobody else's.
    let seen = operator.get("/v1/tokens").await.expect(200);
    let mine = operator.get("/v1/me").await.expect(200)["operator_id"].clone();
    assert!(
        seen["items"]
            .as_array()
            .expect("items")
            .iter()
            .all(|t| t["operator_id"] == mine),
        "{seen}"
    );
    assert_eq!(operator.delete("/v1/tokens/1").await.problem(404), "not_found");
    operator.delete(&format!("/v1/tokens/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_token_has_no_more_than_its_operator_has_now() {
    let app = TestApp::start().await;
    let admin = app.person(Role::Admin).await;
    let id = admin.get("/v1/me").await.expect(200)["operator_id"].clone();
    app.owner
        .patch(&format!("/v1/operators/{id}"), json!({"role": "viewer"}))
        .await
        .expect(200);
    assert_eq!(admin.get("/v1/me").await.expect(200)["role"], "viewer");
    assert_eq!(admin.get("/v1/audit").await.problem(403), "forbidden");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_then_on() {
    let app = TestApp::start().await;
    let (id, caller) = issue(&app, &app.owner, own("viewer")).await;
    caller.get("/v1/me").await.expect(200);
    app.owner.delete(&format!("/v1/tokens/{id}")).await.expect(204);
    assert_eq!(caller.get("/v1/me").await.problem(401), "unauthenticated");
    let token = app.owner.get(&format!("/v1/tokens/{id}")).await.expect(200);
    assert_eq!(token["state"], "revoked");
    let again = app
        .owner
        .post(&format!("/v1/tokens/{id}/rotate"), json!({}))
        .await;
    assert_eq!(again.problem(409), "not_live");
    let live = app
        .owner
        .get("/v1/tokens?filter=state:live%20kind:api")
        .await
        .expect(200);
    assert!(
        live["items"]
            .as_array()
            .expect("items")
            .iter()
            .all(|t| t["id"] != id),
        "{live}"
    );
}

#[tokio::test]
async fn a_rotated_token_and_its_successor_are_both_good_for_the_overlap() {
    let app = TestApp::start().await;
    let (id, old) = issue(&app, &app.owner, own("reviewer")).await;
    let path = format!("/v1/tokens/{id}/rotate");
    assert_eq!(
        app.owner
            .post(&path, json!({"overlap_hours": 169}))
            .await
            .problem(422),
        "invalid"
    );
    let issued = app
        .owner
        .post(&path, json!({"overlap_hours": 2}))
        .await
        .expect(201);
    let new = Caller::new(
        &app.url,
        Some(issued["secret"].as_str().expect("a secret").into()),
    );
    assert_eq!(new.get("/v1/me").await.expect(200)["role"], "reviewer");
    old.get("/v1/me").await.expect(200);
    let left: f64 = value(
        &app,
        "select extract(epoch from min(expires_at) - now())::float8 / 3600 from api_tokens",
    )
    .await;
    assert!((1.9..=2.0).contains(&left), "{left} hours");
    let next = format!("/v1/tokens/{}/rotate", issued["token"]["id"]);
    app.owner.post(&next, json!({})).await.expect(201);
    assert_eq!(new.get("/v1/me").await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_token_over_its_allowance_is_told_when_to_come_back() {
    let app = TestApp::start().await;
    let mut body = own("viewer");
    body["requests_per_minute"] = json!(3);
    let (_, caller) = issue(&app, &app.owner, body).await;
    for left in ["2", "1", "0"] {
        let answer = caller.get("/v1/me").await;
        assert_eq!(
            answer.headers["ratelimit"],
            format!("\"token\";r={left};t=60").as_str()
        );
        answer.expect(200);
    }
    let refused = caller.get("/v1/me").await;
    let wait: u64 = refused.headers["retry-after"]
        .to_str()
        .expect("text")
        .parse()
        .expect("seconds");
    assert!((1..=21).contains(&wait), "{wait}");
    assert_eq!(refused.headers["ratelimit-policy"], "\"token\";q=3;w=60");
    assert_eq!(refused.headers["ratelimit"], "\"token\";r=0;t=60");
    assert_eq!(refused.problem(429), "too_many_requests");
    app.owner.get("/v1/me").await.expect(200);
}
