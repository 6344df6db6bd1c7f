//! Bots: made, paused and deleted.

use muster_wire::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_bot_is_made_changed_paused_resumed_and_deleted() {
    let app = TestApp::start().await;
    let made = app
        .owner
        .post("/v1/bots", json!({"name": "b1"}))
        .await
        .expect(201);
    let path = format!("/v1/bots/{}", made["id"]);
    assert_eq!(
        (made["status"].as_str(), made["leases"].as_i64()),
        (Some("active"), Some(0))
    );
    assert_eq!(
        app.owner
            .post("/v1/bots", json!({"name": "b1"}))
            .await
            .problem(409),
        "already_exists"
    );
    let changed = app
        .owner
        .patch(&path, json!({"description": "the first"}))
        .await
        .expect(200);
    assert_eq!(
        (changed["name"].as_str(), changed["description"].as_str()),
        (Some("b1"), Some("the first"))
    );
    assert_eq!(
        app.owner
            .post(&format!("{path}/pause"), json!({}))
            .await
            .problem(422),
        "invalid"
    );
    let paused = app
        .owner
        .post(&format!("{path}/pause"), json!({"reason": "too hasty"}))
        .await
        .expect(200);
    assert_eq!(
        (paused["status"].as_str(), paused["pause_reason"].as_str()),
        (Some("paused"), Some("too hasty"))
    );
    let listed = app.owner.get("/v1/bots?filter=status:paused").await.expect(200);
    assert_eq!(listed["items"][0]["id"], made["id"]);
    let resumed = app
        .owner
        .post(&format!("{path}/resume"), json!({}))
        .await
        .expect(200);
    assert!(resumed["pause_reason"].is_null(), "{resumed}");
    app.owner.delete(&path).await.expect(204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
    let log = app.owner.get("/v1/audit?filter=action:bot").await.expect(200);
    let actions: Vec<_> = log["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|e| e["action"].clone())
        .collect();
    assert_eq!(
        actions,
        [
            "bot.delete",
            "bot.resume",
            "bot.pause",
            "bot.update",
            "bot.create"
        ]
    );
}

#[tokio::test]
async fn the_bots_of_another_tenant_are_not_there() {
    let app = TestApp::start().await;
    let (id, _) = app.bot("b1").await;
    let (_, other) = app.other_tenant().await;
    let path = format!("/v1/bots/{id}");
    assert_eq!(other.get(&path).await.problem(404), "not_found");
    assert_eq!(
        other.patch(&path, json!({"name": "mine"})).await.problem(404),
        "not_found"
    );
    assert_eq!(
        other
            .post(&format!("{path}/pause"), json!({"reason": "x"}))
            .await
            .problem(404),
        "not_found"
    );
    assert_eq!(other.delete(&path).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_bot_that_holds_leases_is_not_deleted() {
    let app = TestApp::start().await;
    let (id, _) = app.bot("b1").await;
    let mut db = app.superuser().await;
    // Another bot's lease must not count.
    for (bot, name) in [(id.0, "held"), (id.0 + 1, "other")] {
        let account: i64 = sqlx::query_scalar(
            "insert into accounts (tenant_id, username, email) values ($1, $2, 'x') returning id",
        )
        .bind(app.tenant.0)
        .bind(name)
        .fetch_one(&mut db)
        .await
        .expect("an account");
        sqlx::query(
            "insert into work_queue (tenant_id, account_id, step, state, authorised_until, leased_until, bot_id) \
             values ($1, $2, 1, 'leased', 'infinity', now() + interval '1 minute', $3)",
        )
        .bind(app.tenant.0)
        .bind(account)
        .bind(bot)
        .execute(&mut db)
        .await
        .expect("a lease");
    }
    let path = format!("/v1/bots/{id}");
    assert_eq!(app.owner.get(&path).await.expect(200)["leases"], 1);
    assert_eq!(
        app.owner.get("/v1/bots").await.expect(200)["items"][0]["leases"],
        1
    );
    assert_eq!(app.owner.delete(&path).await.problem(409), "has_leases");
    sqlx::query("update work_queue set state = 'idle', leased_until = null")
        .execute(&mut db)
        .await
        .expect("update");
    app.owner.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_bot_is_seen_when_its_token_is_used_and_gone_when_it_is_deleted() {
    let app = TestApp::start().await;
    let (id, bot) = app.bot("b1").await;
    let path = format!("/v1/bots/{id}");
    assert!(app.owner.get(&path).await.expect(200)["last_seen_at"].is_null());
    bot.get("/v1/me").await.expect(200);
    assert!(app.owner.get(&path).await.expect(200)["last_seen_at"].is_string());
    app.owner.delete(&path).await.expect(204);
    assert_eq!(bot.get("/v1/me").await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn only_those_who_administer_make_bots() {
    let app = TestApp::start().await;
    let operator = app.person(Role::Operator).await;
    operator.get("/v1/bots").await.expect(200);
    assert_eq!(
        operator.post("/v1/bots", json!({"name": "b"})).await.problem(403),
        "forbidden"
    );
}
