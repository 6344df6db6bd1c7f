//! What is handed out to whom, and with what: holds, pauses, people's steps, and the choice of content.

use muster_wire::Role;
use serde_json::json;
use sqlx::{Connection, Executor};

use crate::{
    support::TestApp,
    work::{FAULTS, claim, make_due, only, report},
};

#[tokio::test]
async fn templates_are_filled_in_from_the_account_and_other_texts_are_not() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    app.run(
        "update accounts set location_city = 'Bath'; update work_queue set step = 5;
        update model_content set text_content = '{username} in {city}, {campus}{nothing}', is_template = true;
        update text_pools set text_content = '{city}'",
    )
    .await;
    let item = only(claim(&bot, 1).await);
    let username = item["account"]["username"].as_str().expect("a name");
    assert_eq!(
        item["content"]["text"],
        format!("{username} in Bath, {{nothing}}")
    );
    assert_eq!(item["text"]["text"], "{city}");
}

#[tokio::test]
async fn a_held_account_is_not_handed_out_and_its_hold_ends_with_its_cause() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    for (hold, cause, cure) in [
        (
            "account_not_active",
            "update accounts set status = 'suspended'",
            "update accounts set status = 'active'",
        ),
        (
            "authorisation_lapsed",
            "update accounts set authorisation_expires_at = now() - interval '1 day'",
            "update accounts set authorisation_expires_at = now() + interval '1 day'",
        ),
        (
            "model_not_active",
            "update models set status = 'paused'",
            "update models set status = 'active'",
        ),
        (
            "proxy_not_active",
            "update proxies set status = 'error'",
            "update proxies set status = 'active'",
        ),
        (
            "no_model",
            "update accounts set model_id = null",
            "update accounts set model_id = (select id from models)",
        ),
        (
            "pool_empty",
            "delete from model_content where content_type = 'pfp'",
            "insert into model_content (tenant_id, model_id, content_type, image_url)
            select tenant_id, id, 'any', 'https://example.com/any.jpg' from models",
        ),
    ] {
        app.run(cause).await;
        assert!(claim(&bot, 1).await.is_empty(), "{hold}");
        let held = "select concat_ws(' ', state, hold) from work_queue";
        assert_eq!(app.look(held).await, Some(format!("held {hold}")));
        app.run(cure).await;
        let item = only(claim(&bot, 1).await);
        assert_eq!(item["attempt"], 1, "{hold} cost an attempt");
        // A cause that comes while the step is leased holds the account from its report on.
        app.run(cause).await;
        assert_eq!(
            report(&bot, &item["lease"], "failed").await["verdict"],
            "accepted"
        );
        make_due(&app).await;
        assert!(claim(&bot, 1).await.is_empty() || hold == "pool_empty", "{hold}");
        app.run(cure).await;
        app.run("update work_queue set attempt = 0, run_at = now(), state = 'ready', hold = null, leased_at = null,
            leased_until = null, bot_id = null").await;
        assert_eq!(app.look(FAULTS).await, None, "{hold}");
    }
}

#[tokio::test]
async fn an_authorisation_that_lapses_by_the_clock_holds_at_the_next_claim_until_it_is_renewed() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    // As it is when an expiry that lay ahead has passed: nothing has touched the queue since.
    app.run(
        "alter table accounts disable trigger user;
        update accounts set authorisation_expires_at = now() - interval '1 second' where id in (1, 2);
        update work_queue set authorised_until = now() - interval '1 second' where account_id in (1, 2);
        alter table accounts enable trigger user",
    )
    .await;
    let item = only(claim(&bot, 1).await);
    assert_eq!(
        item["account"]["id"], 3,
        "the lapsed ones in front do not hide it"
    );
    let held = "select string_agg(concat_ws(' ', account_id, hold, attempt), ', ' order by account_id) from work_queue
        where state = 'held'";
    claim(&bot, 10).await;
    assert_eq!(
        app.look(held).await.as_deref(),
        Some("1 authorisation_lapsed 0, 2 authorisation_lapsed 0")
    );
    app.run("update accounts set authorisation_expires_at = now() + interval '1 day' where id = 1")
        .await;
    assert_eq!(only(claim(&bot, 10).await)["account"]["id"], 1);
}

#[tokio::test]
async fn the_steps_of_an_empty_pool_hide_no_others() {
    let app = TestApp::start().await;
    let poor = app.warm_accounts(5).await;
    let rich = app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    app.run(format!("delete from model_content where model_id = {poor}"))
        .await;
    assert_eq!(only(claim(&bot, 1).await)["account"]["model_id"], rich);
    let held = format!("select count(*) from work_queue where hold = 'pool_empty' and model_id = {poor}");
    assert_eq!(app.look(held).await.as_deref(), Some("5"));
    app.run(format!("update model_content set model_id = {poor} where id = (select min(id) from model_content where content_type = 'pfp')")).await;
    assert_eq!(claim(&bot, 10).await.len(), 5);
}

#[tokio::test]
async fn while_a_pool_is_being_filled_nobody_is_held_for_it() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    app.run("delete from model_content").await;
    let mut filler = app.superuser().await;
    let mut tx = filler.begin().await.expect("a transaction");
    let fill = "insert into model_content (tenant_id, model_id, content_type, image_url)
        select tenant_id, id, 'pfp', 'https://example.com/p.jpg' from models";
    tx.execute(fill).await.expect("an item");
    assert!(claim(&bot, 1).await.is_empty());
    let state = app.look("select state from work_queue").await;
    assert_eq!(state.as_deref(), Some("ready"));
    tx.commit().await.expect("commit");
    only(claim(&bot, 1).await);
}

#[tokio::test]
async fn a_text_is_needed_for_the_bio_and_only_for_the_bio() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    app.run("delete from text_pools").await;
    for step in [1, 3, 4, 5] {
        app.run(format!("update work_queue set step = {step}")).await;
        let item = only(claim(&bot, 1).await);
        assert!(item["text"].is_null() && item["content"].is_object());
        bot.post("/v1/work/release", json!({ "leases": [item["lease"]] }))
            .await
            .expect(200);
    }
    app.run("update work_queue set step = 2").await;
    assert!(claim(&bot, 1).await.is_empty());
    app.run("insert into text_pools (tenant_id, model_id, content_type, text_content) select tenant_id, id, 'bio', 'b' from models").await;
    assert_eq!(only(claim(&bot, 1).await)["text"]["text"], "b");
}

#[tokio::test]
async fn steps_for_people_are_given_to_people_and_to_nobody_else() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(2).await;
    let (_, bot) = app.bot("b1").await;
    let person = app.person(Role::Reviewer).await;
    assert!(claim(&person, 10).await.is_empty(), "a bot's step is no person's");
    app.run(format!(
        "update models set people_steps = '{{1,4}}' where id = {model}"
    ))
    .await;
    assert!(claim(&bot, 10).await.is_empty());
    let items = claim(&person, 10).await;
    assert_eq!(items.len(), 2);
    for item in &items {
        assert_eq!(
            report(&person, &item["lease"], "completed").await["verdict"],
            "accepted"
        );
    }
    let by = "select bool_and(last_bot_action_by like 'operator:%') from work_queue";
    assert_eq!(app.look(by).await.as_deref(), Some("true"));
    assert!(claim(&person, 10).await.is_empty());
    assert_eq!(
        claim(&bot, 10).await.len(),
        2,
        "the second step is the bots' again"
    );
}

#[tokio::test]
async fn a_viewer_works_no_steps() {
    let app = TestApp::start().await;
    let viewer = app.person(Role::Viewer).await;
    assert_eq!(
        viewer
            .post("/v1/work/claim", json!({ "max": 1 }))
            .await
            .problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn while_the_tenant_or_the_bot_is_paused_nothing_is_handed_out_and_the_reason_is_told() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let ask = json!({ "max": 1, "wait_ms": 30_000 });
    app.run("update tenants set paused_at = now(), pause_reason = 'an incident'")
        .await;
    let told = bot.post("/v1/work/claim", ask.clone()).await.expect(200);
    assert_eq!(
        (&told["paused"], told["items"].as_array().map(Vec::len)),
        (&json!("an incident"), Some(0))
    );
    app.run(
        "update tenants set paused_at = null, pause_reason = null;
        update bots set status = 'paused', pause_reason = 'it misbehaves' where name = 'b1'",
    )
    .await;
    let told = bot.post("/v1/work/claim", ask).await.expect(200);
    assert_eq!(
        (&told["paused"], told["items"].as_array().map(Vec::len)),
        (&json!("it misbehaves"), Some(0))
    );
    assert_eq!(claim(&other, 1).await.len(), 1);
}

#[tokio::test]
async fn content_is_used_evenly() {
    let app = TestApp::start().await;
    app.warm_accounts(100).await;
    let (_, bot) = app.bot("b1").await;
    for size in [1, 30, 1, 1, 1, 20, 1, 25, 20] {
        let items = claim(&bot, size).await;
        let results: Vec<_> = items
            .iter()
            .map(|i| json!({ "lease": i["lease"], "outcome": "failed" }))
            .collect();
        bot.post("/v1/work/report", json!({ "results": results }))
            .await
            .expect(200);
        app.run("update work_queue set run_at = 'infinity' where attempt > 0")
            .await;
        app.fold().await;
    }
    let spread = "select concat_ws(' ', sum(usage_count), sum(success_count), max(usage_count) - min(usage_count) <= 3)
        from model_content where content_type = 'pfp'";
    assert_eq!(app.look(spread).await.as_deref(), Some("100 0 t"));
}

#[tokio::test]
async fn of_equally_used_content_the_lower_order_comes_first() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    app.run("update model_content set order_priority = 100 - id where content_type = 'pfp'")
        .await;
    let best = "select string_agg(id::text, ' ' order by order_priority) from (
        select id, order_priority from model_content where content_type = 'pfp' order by order_priority limit 3) b";
    let mut used = Vec::new();
    for _ in 0..3 {
        let item = only(claim(&bot, 1).await);
        used.push(item["content"]["id"].to_string());
        report(&bot, &item["lease"], "failed").await;
        app.run("update work_queue set run_at = 'infinity' where attempt > 0")
            .await;
        app.fold().await;
    }
    assert_eq!(app.look(best).await, Some(used.join(" ")));
}
