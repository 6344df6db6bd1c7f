//! Bots: made, paused and deleted; and what they hold and do, as far as it is counted.

use muster::work::FEW_ATTEMPTS_MAX;
use muster_wire::{
    BotId, Role,
    board::BOARD_COUNTED_MAX,
    bots::{BOT_LEASES_COUNTED_MAX, BOT_LEASES_LISTED_MAX},
};
use serde_json::json;

use crate::{
    support::{TestApp, browser::Page},
    work::expire,
};

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

/// Lets counters be folded where there are so many changes of attempts.
async fn fold(app: &TestApp, changes: i64) {
    app.run(format!(
        "insert into attempt_count_changes (tenant_id, ended_in, completed, failed, timed, time_ms)
         select 1, date_trunc('minute', now()), 0, 0, 0, 0
         from generate_series(1, {changes} - (select count(*) from attempt_count_changes))"
    ))
    .await;
    app.fold_counts().await;
}

#[tokio::test]
async fn what_bots_do_is_counted_by_the_minute_before_it_is_folded_in_and_after() {
    let app = TestApp::start().await;
    app.warm_accounts(4).await;
    // What is counted of accounts has attempts folded too.
    fold(&app, 0).await;
    let (id, bot) = app.bot("b1").await;
    let (other, _) = app.bot("b2").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 3})).await.expect(200);
    let lease = |n: usize| claimed["items"][n]["lease"].clone();
    let results = json!({"results": [
        {"lease": lease(0), "outcome": "completed", "execution_time_ms": 100},
        {"lease": lease(1), "outcome": "completed", "execution_time_ms": 200}]});
    bot.post("/v1/work/report", results).await.expect(200);
    expire(&app).await;
    app.reap().await;

    // What ended, of the bot, of the other one, and in the half hour that Today shows.
    let ended = async || {
        let rate = async |bot: BotId| {
            let activity = app
                .owner
                .get(&format!("/v1/bots/{bot}/activity"))
                .await
                .expect(200);
            let rate = &activity["rate"];
            (
                rate["completed"].as_i64(),
                rate["failed"].as_i64(),
                rate["average_ms"].as_i64(),
            )
        };
        let today = app.owner.get("/v1/today").await.expect(200);
        let minutes = today["pulse"]["minutes"].as_array().expect("minutes");
        let sum = |what: &str| {
            minutes
                .iter()
                .filter_map(|minute| minute[what].as_i64())
                .sum::<i64>()
        };
        (rate(id).await, rate(other).await, sum("completed"), sum("failed"))
    };
    let told = ((Some(2), Some(1), Some(150)), (Some(0), Some(0), None), 2, 1);
    assert_eq!(ended().await, told);
    let stored = "select (select count(*) from attempt_count_changes) || ' changes, '
        || (select string_agg(bot_id || ':' || completed, ' ' order by bot_id) from attempt_counts)";
    fold(&app, FEW_ATTEMPTS_MAX).await;
    assert_eq!(app.look(stored).await, None, "few are left as they are");
    assert_eq!(ended().await, told);
    fold(&app, FEW_ATTEMPTS_MAX + 1).await;
    let folded = format!("0 changes, 0:2 {id}:2");
    assert_eq!(app.look(stored).await, Some(folded), "of all, and of the bot");
    assert_eq!(ended().await, told);

    // A person's is nobody's rate; what ended an hour ago is forgotten.
    app.run("update attempt_counts set ended_in = ended_in - interval '61 minutes'")
        .await;
    app.run("update models set people_steps = '{1,2}'; update work_queue set run_at = now() where state = 'ready'")
        .await;
    let claimed = app
        .owner
        .post("/v1/work/claim", json!({"max": 1}))
        .await
        .expect(200);
    let results = json!({"results": [{"lease": claimed["items"][0]["lease"], "outcome": "completed"}]});
    app.owner.post("/v1/work/report", results).await.expect(200);
    fold(&app, FEW_ATTEMPTS_MAX + 1).await;
    let nothing = (Some(0), Some(0), None);
    assert_eq!(ended().await, (nothing, nothing, 1, 0));
    assert_eq!(app.look(stored).await.as_deref(), Some("0 changes, 0:1"));
}

#[tokio::test]
async fn the_leases_of_a_bot_are_counted_as_far_as_is_said() {
    let app = TestApp::start().await;
    app.warm_accounts(BOT_LEASES_COUNTED_MAX as usize + 1).await;
    let (id, bot) = app.bot("b1").await;
    let path = format!("/v1/bots/{id}");
    let counted = async || {
        let bots = app.owner.get("/v1/bots").await.expect(200);
        let bot = app.owner.get(&path).await.expect(200);
        (bots["items"][0]["leases"].as_i64(), bot["leases"].as_i64())
    };
    for (claimed, told) in [
        (9, (Some(9), Some(9))),
        (2, (Some(BOT_LEASES_LISTED_MAX), Some(11))),
        (490, (Some(BOT_LEASES_LISTED_MAX), Some(BOT_LEASES_COUNTED_MAX))),
    ] {
        let work = json!({"max": claimed});
        bot.post("/v1/work/claim", work).await.expect(200);
        assert_eq!(counted().await, told);
    }
    app.run("update work_queue set step = 1 + account_id % 2").await;
    let board = app.owner.get("/v1/work/board").await.expect(200);
    let under_way = |step: usize| board["steps"][step]["under_way"].as_i64().expect("a count");
    assert_eq!(under_way(0) + under_way(1), BOARD_COUNTED_MAX);

    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/bots").await;
    page.see("10+").await;
    page.click("b1").await;
    page.see("500+ steps").await;
    page.open("/warm-up").await;
    for step in [0, 1] {
        page.see(&format!("{}+", under_way(step))).await;
    }
    page.close().await;
    expire(&app).await;
    assert_eq!(
        counted().await,
        (Some(0), Some(0)),
        "what has run out is not held"
    );
}
