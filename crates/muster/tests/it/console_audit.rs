//! The audit log on screen: who, what, when, from where, before and after; found again by each of them, and taken along.

use muster_wire::Role;
use serde_json::json;

use crate::support::{Caller, TestApp, browser::Page};

#[tokio::test]
async fn what_was_done_is_shown_and_found_by_actor_object_and_request() {
    let app = TestApp::start().await;
    let (bot, _) = app.bot("b1").await;
    app.owner
        .post(
            &format!("/v1/bots/{bot}/pause"),
            json!({"reason": "<b>it</b> misbehaves"}),
        )
        .await
        .expect(200);
    let admin = app.person(Role::Admin).await;
    admin
        .post("/v1/bots", json!({"name": "second", "description": "<script>"}))
        .await
        .expect(201);
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Admin).await;
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/audit").await;
        for seen in [
            "bot.pause",
            "“<b>it</b> misbehaves”",
            "from 127.0.0.1",
            "status active → paused",
            "<script>",
        ] {
            page.see(seen).await;
        }
        if scripts {
            page.is_accessible().await;
        }
        page.click(&format!("bot {bot}")).await;
        page.arrives("/audit?filter=object").await;
        page.see("bot.pause").await;
        page.see_no("<script>").await;
        page.click("Ana").await;
        page.arrives("/audit?filter=actor").await;
        page.see("bot.pause").await;
        page.see_no("<script>").await;
        page.click("same request").await;
        page.arrives("/audit?filter=request").await;
        page.see("bot.pause").await;
        page.see_no("bot.create").await;
        page.fill("Filter", "colour:red").await;
        page.click("Filter").await;
        page.see("colour: is not known here").await;
        if scripts {
            page.is_accessible().await;
        }
        page.close().await;
    }
}

#[tokio::test]
async fn the_log_is_read_in_pages_that_stay_small_and_taken_along_whole() {
    let app = TestApp::start().await;
    app.run(format!(
        "insert into audit_log (tenant_id, at, triggered_by, action, object_type, object_id, before, after)
         select {}, now() - make_interval(secs => g), 'system', 'thing.update', 'thing', 'n' || g,
            (select jsonb_object_agg('field' || f, repeat('<', 3000)) from generate_series(1, 20) f),
            (select jsonb_object_agg('field' || f, repeat('>', 3000) || f) from generate_series(1, 20) f)
         from generate_series(1, 100) g",
        app.tenant.0
    ))
    .await;
    let page = Page::signed_in(&app, Role::Admin).await;
    page.open("/audit?filter=object:thing").await;
    page.is_small().await;
    page.see("and 12 more fields, in the export").await;
    page.click("Older entries").await;
    page.see("thing n31").await;
    page.click("The newest").await;
    page.see("thing n1").await;
    let lines = page
        .eval(
            "fetch(document.querySelector('a[download]').href).then((r) => r.text())
                .then((text) => text.trim().split('\\n').map((line) => JSON.parse(line)).map((e) => e.object_id).join())",
        )
        .await;
    let all: Vec<_> = (1..=100).map(|n| format!("n{n}")).collect();
    assert_eq!(lines, all.join(","));
    page.close().await;
}

#[tokio::test]
async fn whoever_does_not_administer_does_not_see_the_log() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Operator).await;
    let browser = Caller::new(&app.url, None);
    let request = browser
        .request(reqwest::Method::GET, "/audit")
        .header("cookie", &cookie)
        .header("accept", "text/html");
    assert_eq!(browser.send(request).await.status, 403);
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open("/").await;
    page.see_no("Audit").await;
    page.close().await;
}
