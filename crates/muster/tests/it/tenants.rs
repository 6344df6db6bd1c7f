//! The tenant: its settings and its pause.

use muster_wire::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn the_owner_changes_the_tenant_and_what_was_read_before_is_refused() {
    let app = TestApp::start().await;
    let answer = app.owner.get("/v1/tenant").await;
    let tag = answer.headers["etag"].clone();
    assert_eq!(answer.expect(200)["name"], "First");
    let changed = app
        .owner
        .patch("/v1/tenant", json!({"name": "Second"}))
        .await
        .expect(200);
    assert_eq!(
        (changed["name"].as_str(), changed["requests_per_minute"].as_i64()),
        (Some("Second"), Some(600_000))
    );
    let late = app
        .owner
        .request(reqwest::Method::PATCH, "/v1/tenant")
        .header("if-match", tag);
    assert_eq!(
        app.owner
            .send(late.json(&json!({"name": "Third"})))
            .await
            .problem(412),
        "changed"
    );
    let faults = app
        .owner
        .patch("/v1/tenant", json!({"name": "", "requests_per_minute": 0}))
        .await
        .expect(422);
    assert_eq!(faults["errors"].as_array().map(Vec::len), Some(2));
    let admin = app.person(Role::Admin).await;
    assert_eq!(
        admin.patch("/v1/tenant", json!({})).await.problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn a_pause_keeps_its_reason_and_its_beginning_and_both_are_written_down() {
    let app = TestApp::start().await;
    assert_eq!(
        app.owner
            .post("/v1/tenant/pause", json!({"reason": ""}))
            .await
            .problem(422),
        "invalid"
    );
    let paused = app
        .owner
        .post("/v1/tenant/pause", json!({"reason": "audit"}))
        .await
        .expect(200);
    let again = app
        .owner
        .post("/v1/tenant/pause", json!({"reason": "still the audit"}))
        .await
        .expect(200);
    assert_eq!(again["paused_at"], paused["paused_at"]);
    assert_eq!(again["pause_reason"], "still the audit");
    let resumed = app.owner.post("/v1/tenant/resume", json!({})).await.expect(200);
    assert!(
        resumed["paused_at"].is_null() && resumed["pause_reason"].is_null(),
        "{resumed}"
    );
    let log = app.owner.get("/v1/audit?filter=action:tenant").await.expect(200);
    let told: Vec<_> = log["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|e| e["reason"].clone())
        .collect();
    assert_eq!(told, [json!(null), json!("still the audit"), json!("audit")]);
}

#[tokio::test]
async fn the_allowance_of_a_tenant_counts_for_all_its_tokens_together() {
    let app = TestApp::start().await;
    let viewer = app.person(Role::Viewer).await;
    app.owner
        .patch("/v1/tenant", json!({"requests_per_minute": 2}))
        .await
        .expect(200);
    viewer.get("/v1/me").await.expect(200);
    app.owner.get("/v1/me").await.expect(200);
    let refused = viewer.get("/v1/me").await;
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(refused.problem(429), "too_many_requests");
}
