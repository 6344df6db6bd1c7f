//! Batches: one change of many accounts, which waits a moment, is done in parts, and can be taken back.

use muster::tick;
use muster_wire::Role;
use serde_json::{Value, json};

use crate::support::TestApp;

async fn ask(app: &TestApp, more: Value) -> Value {
    let mut body = json!({"event": "retire", "reason": "the campaign is over", "filter": "", "wait_secs": 0});
    body.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    app.owner.post("/v1/batches", body).await.expect(201)
}

async fn run(app: &TestApp) -> u64 {
    tick::do_batches(&app.app, &app.scheduler().await)
        .await
        .expect("the timer runs")
}

async fn in_state(app: &TestApp, state: &str) -> Option<String> {
    app.look(format!(
        "select count(*) from accounts where lifecycle_state = '{state}'"
    ))
    .await
}

#[tokio::test]
async fn a_batch_is_done_in_parts_in_the_name_of_who_asked_for_it() {
    let app = TestApp::start().await;
    app.warm_accounts(1_200).await;
    let batch = ask(&app, json!({"expected_count": 1_200})).await;
    assert_eq!(
        (batch["state"].as_str(), batch["accounts"].as_i64()),
        (Some("waiting"), Some(1_200))
    );
    assert_eq!(run(&app).await, 2, "a thousand, and the rest");
    assert_eq!(in_state(&app, "cleanup").await.as_deref(), Some("1200"));
    let path = format!("/v1/batches/{}", batch["id"]);
    let detail = app.owner.get(&path).await.expect(200);
    assert_eq!(
        (
            detail["batch"]["state"].as_str(),
            detail["batch"]["moved"].as_i64()
        ),
        (Some("done"), Some(1_200))
    );
    let named = "select count(distinct request_id) || ' ' || min(user_id) || ' ' || min(transition_reason)
        from account_state_history where event = 'retire'";
    let expected = format!("1 {} the campaign is over", app.owner_id);
    assert_eq!(app.look(named).await, Some(expected));
    assert_eq!(
        app.look("select count(*) from batch_accounts").await.as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn a_batch_that_waits_is_taken_back_as_if_nothing_had_been() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let batch = ask(&app, json!({"expected_count": 3, "wait_secs": 60})).await;
    assert_eq!(run(&app).await, 0, "it waits");
    let cancel = format!("/v1/batches/{}/cancel", batch["id"]);
    let back = app.owner.post(&cancel, json!({})).await.expect(200);
    assert_eq!(
        (back["state"].as_str(), back["moved"].as_i64()),
        (Some("cancelled"), Some(0))
    );
    assert_eq!(
        app.owner.post(&cancel, json!({})).await.problem(409),
        "batch_over"
    );
    app.run("update batches set due_at = now()").await;
    assert_eq!(run(&app).await, 0, "it is over");
    assert_eq!(in_state(&app, "warming_up").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn what_a_batch_cannot_move_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let batch = ask(&app, json!({"event": "activate", "expected_count": 2})).await;
    assert_eq!(run(&app).await, 1);
    let detail = app
        .owner
        .get(&format!("/v1/batches/{}", batch["id"]))
        .await
        .expect(200);
    assert_eq!(detail["batch"]["refused"], 2);
    let reason = detail["refusals"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("activate is possible from ready"), "{reason}");
}

#[tokio::test]
async fn proxies_are_assigned_in_a_batch_and_it_is_said_who_got_none() {
    let app = TestApp::start().await;
    app.warm_accounts(25).await;
    // Two of the nine proxies stay, which is room for six.
    app.run(
        "update accounts set lifecycle_state = 'cleanup', proxy_id = null, proxy_assigned_at = null;
         update accounts set lifecycle_state = 'imported', warmup_started_at = null;
         delete from proxies where id not in (select id from proxies order by id limit 2)",
    )
    .await;
    let batch = ask(
        &app,
        json!({"event": "assign_proxy", "filter": "proxy:none", "expected_count": 25}),
    )
    .await;
    run(&app).await;
    assert_eq!(in_state(&app, "proxy_assigned").await.as_deref(), Some("6"));
    let detail = app
        .owner
        .get(&format!("/v1/batches/{}", batch["id"]))
        .await
        .expect(200);
    assert_eq!(
        (
            detail["batch"]["moved"].as_i64(),
            detail["batch"]["refused"].as_i64()
        ),
        (Some(6), Some(19))
    );
    assert_eq!(
        detail["refusals"][0]["reason"],
        "no proxy that may carry it has room: add proxies"
    );
}

#[tokio::test]
async fn a_batch_of_somebody_who_may_not_any_more_is_not_done() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let operator = app.person(Role::Operator).await;
    let body = json!({"event": "retire", "reason": "r", "filter": "", "expected_count": 2, "wait_secs": 0});
    let batch = operator.post("/v1/batches", body).await.expect(201);
    app.run("update memberships set role = 'viewer' where role = 'operator'")
        .await;
    run(&app).await;
    assert_eq!(in_state(&app, "cleanup").await.as_deref(), Some("0"));
    let detail = app
        .owner
        .get(&format!("/v1/batches/{}", batch["id"]))
        .await
        .expect(200);
    assert_eq!(detail["batch"]["state"], "cancelled");
}

#[tokio::test]
async fn a_batch_says_how_many_and_is_refused_when_it_is_another_number() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let ask = |more: Value| {
        let mut body = json!({"event": "retire", "reason": "r", "wait_secs": 0});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        app.owner.post("/v1/batches", body)
    };
    assert_eq!(
        ask(json!({"filter": "", "expected_count": 3})).await.problem(409),
        "count_changed"
    );
    assert_eq!(
        ask(json!({"filter": "state:active", "expected_count": 0}))
            .await
            .problem(409),
        "no_accounts"
    );
    assert_eq!(ask(json!({"filter": ""})).await.problem(422), "invalid");
    assert_eq!(
        ask(json!({"ids": [1], "event": "escalate"})).await.problem(422),
        "invalid"
    );
    assert_eq!(
        ask(json!({"ids": [1], "wait_secs": 61})).await.problem(422),
        "invalid"
    );
    let viewer = app.person(Role::Reviewer).await;
    let restore = json!({"event": "restore", "reason": "r", "ids": [1], "wait_secs": 0});
    assert_eq!(
        viewer.post("/v1/batches", restore).await.problem(403),
        "forbidden"
    );
}
