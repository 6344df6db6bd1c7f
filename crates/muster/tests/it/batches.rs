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

/// Accounts that were never given a proxy, whatever was made of them.
async fn imported(app: &TestApp, count: usize) {
    app.warm_accounts(count).await;
    app.run(
        "update accounts set lifecycle_state = 'cleanup', proxy_id = null, proxy_assigned_at = null;
         update accounts set lifecycle_state = 'imported', warmup_started_at = null",
    )
    .await;
}

/// Does a batch of all accounts, to its end; gives its path.
async fn done(app: &TestApp, event: &str, count: u32) -> String {
    let batch = ask(app, json!({"event": event, "expected_count": count})).await;
    run(app).await;
    format!("/v1/batches/{}", batch["id"])
}

fn undo() -> Value {
    json!({"reason": "that was the wrong list", "wait_secs": 0})
}

#[tokio::test]
async fn what_a_batch_did_is_undone_for_each_account_that_nothing_happened_to_since() {
    let app = TestApp::start().await;
    imported(&app, 4).await;
    let path = done(&app, "retire", 4).await;
    assert_eq!(in_state(&app, "cleanup").await.as_deref(), Some("4"));
    assert_eq!(app.owner.get(&path).await.expect(200)["undo"], "restore");
    let restore = json!({"event": "restore", "reason": "this one was not meant"});
    app.owner
        .post("/v1/accounts/1/transitions", restore.clone())
        .await
        .expect(200);
    let back = app.owner.post(&format!("{path}/undo"), undo()).await.expect(201);
    assert_eq!(
        (&back["event"], &back["accounts"]),
        (&json!("restore"), &json!(4))
    );
    // Between the asking and the doing, too, something can happen to an account.
    for event in [restore, json!({"event": "retire", "reason": "for good"})] {
        app.owner
            .post("/v1/accounts/2/transitions", event)
            .await
            .expect(200);
    }
    run(&app).await;
    let undone = format!("/v1/batches/{}", back["id"]);
    let detail = app.owner.get(&undone).await.expect(200);
    assert_eq!(
        (&detail["batch"]["moved"], &detail["batch"]["refused"]),
        (&json!(2), &json!(2))
    );
    let left: Vec<_> = detail["refusals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|r| (r["account_id"].as_i64(), r["reason"].as_str()))
        .collect();
    let since = Some("it was changed since, by restore");
    assert_eq!(left, [(Some(1), since), (Some(2), since)]);
    assert_eq!(
        in_state(&app, "cleanup").await.as_deref(),
        Some("1"),
        "the second"
    );
    let history = "select string_agg(account_id || ' ' || user_id || ' ' || transition_reason, ', ' order by account_id)
        from account_state_history where event = 'restore' and transition_reason like '%wrong list'";
    let owner = app.owner_id;
    assert_eq!(
        app.look(history).await,
        Some(format!(
            "3 {owner} that was the wrong list, 4 {owner} that was the wrong list"
        ))
    );
    assert_eq!(app.owner.get(&path).await.expect(200)["undone_by"], back["id"]);
    assert_eq!(
        detail["batch"]["undoes"].to_string(),
        path.replace("/v1/batches/", "")
    );
    let again = app.owner.post(&format!("{path}/undo"), undo()).await;
    assert_eq!(again.problem(409), "no_accounts", "each has been changed since");
}

#[tokio::test]
async fn proxies_that_a_batch_gave_are_taken_back_but_not_the_one_that_was_exchanged_since() {
    let app = TestApp::start().await;
    imported(&app, 3).await;
    let assign = json!({"event": "assign_proxy", "expected_count": 3});
    let batch = ask(&app, assign).await;
    run(&app).await;
    app.warm_accounts(1).await;
    app.run("update accounts set proxy_id = (select max(id) from proxies) where id = 3")
        .await;
    let path = format!("/v1/batches/{}/undo", batch["id"]);
    let back = app.owner.post(&path, undo()).await.expect(201);
    run(&app).await;
    let detail = app
        .owner
        .get(&format!("/v1/batches/{}", back["id"]))
        .await
        .expect(200);
    assert_eq!(
        (&detail["batch"]["moved"], &detail["refusals"][0]["reason"]),
        (&json!(2), &json!("it was changed since, by another proxy"))
    );
    assert_eq!(in_state(&app, "proxy_assigned").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_batch_that_cannot_be_undone_says_why() {
    let app = TestApp::start().await;
    imported(&app, 2).await;
    app.warm_accounts(1).await;
    // That of the account that was warming up is lost with its retirement.
    let path = done(&app, "retire", 3).await;
    let ask_undo =
        async |by: &crate::support::Caller, path: &str| by.post(&format!("{path}/undo"), undo()).await;
    let reviewer = app.person(Role::Reviewer).await;
    assert_eq!(ask_undo(&reviewer, &path).await.problem(403), "forbidden");
    let faulty = json!({"reason": "", "wait_secs": 61});
    assert_eq!(
        app.owner.post(&format!("{path}/undo"), faulty).await.problem(422),
        "invalid"
    );
    app.run("update batches set ended_at = now() - interval '25 hours'")
        .await;
    assert_eq!(ask_undo(&app.owner, &path).await.problem(409), "undo_too_late");
    assert_eq!(app.owner.get(&path).await.expect(200).get("undo"), None);
    app.run("update batches set ended_at = now()").await;
    let back = ask_undo(&app.owner, &path).await.expect(201);
    assert_eq!(
        ask_undo(&app.owner, &format!("/v1/batches/{}", back["id"]))
            .await
            .problem(409),
        "batch_open"
    );
    run(&app).await;
    let detail = app
        .owner
        .get(&format!("/v1/batches/{}", back["id"]))
        .await
        .expect(200);
    assert_eq!(detail["batch"]["moved"], 2);
    assert_eq!(
        detail["refusals"][0]["reason"],
        "it was warming_up, and no event leads back there from cleanup"
    );
    let path = done(&app, "start_warmup", 3).await;
    assert_eq!(ask_undo(&app.owner, &path).await.problem(409), "no_way_back");
}
