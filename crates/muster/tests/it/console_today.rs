//! Today: what needs somebody is shown, counted as its list counts it, and kept up to date.

use muster_wire::{Role, today::COUNTED_MAX};
use serde_json::json;

use crate::support::{TestApp, browser::Page};

#[tokio::test]
async fn today_shows_what_needs_somebody_and_nothing_when_nothing_does() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/").await;
    page.see("Nothing needs you").await;
    page.is_accessible().await;
    let model = app.warm_accounts(7).await;
    app.run(format!(
        "update accounts set state_changed_at = now() - interval '5 days' where model_id = {model};
         update accounts set authorisation_expires_at = now() + interval '3 days' where username like '%account1';
         update accounts set authorisation_expires_at = now() - interval '3 days' where username like '%account2';
         update proxies set status = 'error' where id = (select min(id) from proxies);
         update text_pools set usage_count = 1 where content_type = 'bio'"
    ))
    .await;
    page.open("/").await;
    for seen in [
        "stuck: warming up",
        "the first for 5 d",
        "proxy in error",
        "authorisation lapses",
        "authorisation has lapsed",
        "All used before",
    ] {
        page.see(seen).await;
    }
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn a_step_that_a_bot_finishes_shows_without_a_reload() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/").await;
    page.see("0 steps completed").await;
    page.is_live().await;
    page.eval("window.sameLoad = true").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    page.see("1 under way").await;
    let lease = &claimed["items"][0]["lease"];
    let result = json!({"lease": lease, "outcome": "completed", "execution_time_ms": 5});
    bot.post("/v1/work/report", json!({"results": [result]}))
        .await
        .expect(200);
    page.see("1 step completed").await;
    assert_eq!(
        page.eval("window.sameLoad").await,
        true,
        "the page was loaded again"
    );
    page.close().await;
}

#[tokio::test]
async fn today_is_told_to_programs_too() {
    let app = TestApp::start().await;
    app.warm_accounts(4).await;
    let today = app.owner.get("/v1/today").await.expect(200);
    assert_eq!(today["funnel"][0]["warming_up"], 4);
    assert_eq!(today["pulse"]["ready"], 4);
    assert_eq!(today["pulse"]["minutes"].as_array().map(Vec::len), Some(30));
}

#[tokio::test]
async fn a_number_that_is_at_its_limit_says_that_there_may_be_more() {
    let app = TestApp::start().await;
    app.warm_accounts(COUNTED_MAX as usize + 1).await;
    app.run("update accounts set authorisation_expires_at = now() + interval '3 days'")
        .await;
    let today = app.owner.get("/v1/today").await.expect(200);
    assert_eq!(today["pulse"]["ready"], COUNTED_MAX);
    assert_eq!(today["needs"]["lapsing"], COUNTED_MAX);
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/").await;
    page.see("100+ ready").await;
    page.close().await;
}

#[tokio::test]
async fn each_number_leads_to_the_list_that_it_counts() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(9).await;
    app.run(format!(
        "update accounts set state_changed_at = now() - interval '5 days' where model_id = {model} and id <= 3;
         update accounts set authorisation_expires_at = now() + interval '3 days' where id = 4;
         update accounts set authorisation_expires_at = now() - interval '3 days' where id in (5, 6);
         update accounts set lifecycle_state = 'human_review' where id in (7, 8)"
    ))
    .await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    for (number, list, counted) in [
        ("2 reviews wait", "/reviews", "2 waiting"),
        (
            "3 stuck: warming up",
            "/accounts?filter=state%3Awarming_up+stuck",
            "3 accounts",
        ),
        (
            "1 authorisation lapses",
            "/accounts?filter=authorisation%3A%3C30d",
            "1 account",
        ),
        (
            "2 authorisations have lapsed",
            "/accounts?filter=authorisation%3Alapsed",
            "2 accounts",
        ),
        ("7", "/accounts?filter=model%3A1+state%3Awarming_up", "7 accounts"),
    ] {
        page.open("/").await;
        page.click(number).await;
        page.arrives(list).await;
        page.see(counted).await;
    }
    page.close().await;
}
