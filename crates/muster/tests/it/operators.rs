//! Operators: who belongs to a tenant, what they may give, and how they come to a password.

use std::time::{Duration, Instant};

use muster_wire::{Role, TenantId};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::{Caller, TestApp, value};

const PASSWORD: &str = "three plain words";

/// Makes a member over the API; gives their id.
async fn add(caller: &Caller, email: &str, role: &str) -> i64 {
    let made = caller
        .post(
            "/v1/operators",
            json!({"email": email, "name": "Bo", "role": role}),
        )
        .await
        .expect(201);
    made["id"].as_i64().expect("an id")
}

/// Makes a member of another tenant of a person who may be known already.
async fn also_member(app: &TestApp, tenant: TenantId, operator: i64) {
    sqlx::query("insert into memberships (tenant_id, operator_id, role) values ($1, $2, 'viewer')")
        .bind(tenant.0)
        .bind(operator)
        .execute(&mut app.superuser().await)
        .await
        .expect("a membership");
}

async fn link(caller: &Caller, id: i64) -> String {
    let link = caller
        .post(&format!("/v1/operators/{id}/password-link"), json!({}))
        .await
        .expect(201);
    link["token"].as_str().expect("a token").to_owned()
}

async fn set(app: &TestApp, token: &str, password: &str) -> crate::support::Answer {
    let anybody = Caller::new(&app.url, None);
    anybody
        .post("/v1/password", json!({"token": token, "password": password}))
        .await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> u16 {
    let anybody = Caller::new(&app.url, None);
    anybody
        .post("/v1/sessions", json!({"email": email, "password": password}))
        .await
        .status
        .as_u16()
}

#[tokio::test]
async fn a_member_is_made_listed_changed_and_removed() {
    let app = TestApp::start().await;
    let id = add(&app.owner, "Bo@Example.com", "viewer").await;
    let path = format!("/v1/operators/{id}");
    let answer = app.owner.get(&path).await;
    let tag = answer.headers["etag"].clone();
    assert_eq!(answer.expect(200)["email"], "bo@example.com");
    let found = app
        .owner
        .get("/v1/operators?filter=role:viewer%20bo")
        .await
        .expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    let changed = app.owner.patch(&path, json!({"role": "admin"})).await.expect(200);
    assert_eq!(changed["role"], "admin");
    let late = app
        .owner
        .request(reqwest::Method::PATCH, &path)
        .header("if-match", tag)
        .json(&json!({"role": "viewer"}));
    assert_eq!(app.owner.send(late).await.problem(412), "changed");
    app.owner.delete(&path).await.expect(204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
    let log = app
        .owner
        .get(&format!("/v1/audit?filter=object:operator:{id}"))
        .await
        .expect(200);
    let actions: Vec<_> = log["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|e| e["action"].clone())
        .collect();
    assert_eq!(actions, ["operator.delete", "operator.update", "operator.create"]);
    assert_eq!(log["items"][1]["before"]["role"], "viewer");
}

#[tokio::test]
async fn all_faults_of_a_new_member_are_told_at_once() {
    let app = TestApp::start().await;
    let answer = app
        .owner
        .post(
            "/v1/operators",
            json!({"email": "nobody at home", "name": "", "role": "viewer"}),
        )
        .await;
    let body = answer.expect(422);
    let pointers: Vec<_> = body["errors"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|f| f["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/email", "/name"]);
}

#[tokio::test]
async fn nobody_gives_or_takes_away_more_than_they_have() {
    let app = TestApp::start().await;
    let admin = app.person(Role::Admin).await;
    let owner = app.owner_id;
    let new = json!({"email": "o@example.com", "name": "O", "role": "owner"});
    assert_eq!(
        admin.post("/v1/operators", new).await.problem(403),
        "more_than_own"
    );
    let id = add(&admin, "bo@example.com", "operator").await;
    let raise = admin
        .patch(&format!("/v1/operators/{id}"), json!({"role": "owner"}))
        .await;
    assert_eq!(raise.problem(403), "more_than_own");
    let another = add(&app.owner, "second@example.com", "owner").await;
    let path = format!("/v1/operators/{another}");
    assert_eq!(
        admin.patch(&path, json!({"role": "viewer"})).await.problem(403),
        "more_than_own"
    );
    assert_eq!(admin.delete(&path).await.problem(403), "more_than_own");
    let link = format!("/v1/operators/{owner}/password-link");
    assert_eq!(admin.post(&link, json!({})).await.problem(403), "more_than_own");
}

#[tokio::test]
async fn the_last_owner_stays_even_when_two_leave_at_once() {
    let app = TestApp::start().await;
    let first = format!("/v1/operators/{}", app.owner_id);
    assert_eq!(
        app.owner
            .patch(&first, json!({"role": "viewer"}))
            .await
            .problem(409),
        "last_owner"
    );
    assert_eq!(app.owner.delete(&first).await.problem(409), "last_owner");
    let second = app.person(Role::Owner).await;
    let second_id = second.get("/v1/me").await.expect(200)["operator_id"]
        .as_i64()
        .expect("an id");
    let second_path = format!("/v1/operators/{second_id}");
    // Both requests are under way before either can go on.
    let mut db = app.superuser().await;
    let mut lock = db.begin().await.expect("a transaction");
    sqlx::query("select from memberships for update")
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let release = async {
        let until = Instant::now() + Duration::from_secs(10);
        let waiting = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
        while value::<i64>(&app, waiting).await < 2 {
            assert!(Instant::now() < until, "they do not wait");
        }
        lock.rollback().await.expect("rollback");
    };
    let (a, b, ()) = tokio::join!(
        app.owner.patch(&second_path, json!({"role": "viewer"})),
        second.patch(&first, json!({"role": "viewer"})),
        release
    );
    let owners: i64 = value(&app, "select count(*) from memberships where role = 'owner'").await;
    assert_eq!(owners, 1, "{:?} {:?}", a.status, b.status);
}

#[tokio::test]
async fn a_member_who_was_removed_is_let_in_no_more() {
    let app = TestApp::start().await;
    let viewer = app.person(Role::Viewer).await;
    let id = viewer.get("/v1/me").await.expect(200)["operator_id"]
        .as_i64()
        .expect("an id");
    app.owner.delete(&format!("/v1/operators/{id}")).await.expect(204);
    assert_eq!(viewer.get("/v1/me").await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_person_of_another_tenant_is_added_like_one_who_is_new() {
    let app = TestApp::start().await;
    let (_, other) = app.other_tenant().await;
    add(&other, "known@example.com", "admin").await;
    let shape = |body: Value| {
        let mut keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys
    };
    let new = |email: &str| json!({"email": email, "name": "Bo", "role": "viewer"});
    let known = app
        .owner
        .post("/v1/operators", new("known@example.com"))
        .await
        .expect(201);
    let unknown = app
        .owner
        .post("/v1/operators", new("unknown@example.com"))
        .await
        .expect(201);
    assert_eq!(
        known["role"], "viewer",
        "the role of the other tenant is not told"
    );
    assert_eq!(shape(known), shape(unknown));
    let again = app.owner.post("/v1/operators", new("known@example.com")).await;
    assert_eq!(again.problem(409), "already_exists");
}

#[tokio::test]
async fn the_members_of_another_tenant_are_not_there() {
    let app = TestApp::start().await;
    let (_, other) = app.other_tenant().await;
    let path = format!("/v1/operators/{}", app.owner_id);
    assert_eq!(other.get(&path).await.problem(404), "not_found");
    assert_eq!(other.delete(&path).await.problem(404), "not_found");
    assert_eq!(
        other
            .post(&format!("{path}/password-link"), json!({}))
            .await
            .problem(404),
        "not_found"
    );
}

#[tokio::test]
async fn a_password_link_sets_a_password_once() {
    let app = TestApp::start().await;
    let id = add(&app.owner, "bo@example.com", "viewer").await;
    assert_eq!(sign_in(&app, "bo@example.com", PASSWORD).await, 401);
    let (token, spare) = (link(&app.owner, id).await, link(&app.owner, id).await);
    for (password, faults) in [("short", 1), (&"long ".repeat(20) as &str, 1)] {
        let body = set(&app, &token, password).await.expect(422);
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(faults));
        assert!(!body.to_string().contains(password), "{body}");
    }
    set(&app, &token, PASSWORD).await.expect(204);
    assert_eq!(sign_in(&app, "bo@example.com", PASSWORD).await, 201);
    assert_eq!(
        set(&app, &token, "another good one").await.problem(401),
        "unauthenticated"
    );
    assert_eq!(
        set(&app, &spare, "another good one").await.problem(401),
        "unauthenticated"
    );
    let log = app
        .owner
        .get("/v1/audit?filter=action:operator.set_password")
        .await
        .expect(200);
    assert_eq!(log["items"][0]["operator_id"], id);
    assert!(!log.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn a_password_link_is_no_token_and_expires() {
    let app = TestApp::start().await;
    let id = add(&app.owner, "bo@example.com", "viewer").await;
    let token = link(&app.owner, id).await;
    let caller = Caller::new(&app.url, Some(token.clone().into()));
    assert_eq!(caller.get("/v1/me").await.problem(401), "unauthenticated");
    assert_eq!(
        set(&app, app.owner.token(), PASSWORD).await.problem(401),
        "unauthenticated"
    );
    sqlx::query("update password_links set expires_at = now()")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    assert_eq!(set(&app, &token, PASSWORD).await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_person_of_two_tenants_is_not_taken_over_by_one_of_them() {
    let app = TestApp::start().await;
    let (other_tenant, other) = app.other_tenant().await;
    let id = add(&app.owner, "bo@example.com", "admin").await;
    also_member(&app, other_tenant, id).await;
    // Nobody has set a password yet: the tenant that added the person first may let them, the other may not.
    let path = format!("/v1/operators/{id}/password-link");
    assert_eq!(other.post(&path, json!({})).await.problem(409), "own_password");
    let (token, spare) = (link(&app.owner, id).await, link(&app.owner, id).await);
    set(&app, &token, PASSWORD).await.expect(204);
    assert_eq!(
        app.owner.post(&path, json!({})).await.problem(409),
        "own_password"
    );
    assert_eq!(other.post(&path, json!({})).await.problem(409), "own_password");
    assert_eq!(
        set(&app, &spare, "another good one").await.problem(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn a_link_works_no_more_when_the_person_joined_another_tenant_meanwhile() {
    let app = TestApp::start().await;
    let (other_tenant, _) = app.other_tenant().await;
    let id = add(&app.owner, "bo@example.com", "admin").await;
    let token = link(&app.owner, id).await;
    set(&app, &token, PASSWORD).await.expect(204);
    let token = link(&app.owner, id).await;
    also_member(&app, other_tenant, id).await;
    assert_eq!(
        set(&app, &token, "another good one").await.problem(401),
        "unauthenticated"
    );
    assert_eq!(sign_in(&app, "bo@example.com", PASSWORD).await, 201);
}
