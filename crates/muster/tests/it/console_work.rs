//! The board of the warm-up, which shows what happens as it happens; and the runner, one person's step at a time on a phone.

use muster_wire::Role;
use serde_json::json;

use crate::support::{
    TestApp,
    browser::{Page, Window},
};

/// Accounts at their first step, which a person does; the text of the second is a template.
async fn for_people(app: &TestApp, count: usize) {
    app.warm_accounts(count).await;
    app.run(
        "update models set people_steps = '{1,2}';
         update text_pools set is_template = true, text_content = 'Hello from {username}' where content_type = 'bio'",
    )
    .await;
}

#[tokio::test]
async fn a_step_that_a_bot_works_on_and_finishes_moves_on_the_board_without_a_reload() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/warm-up").await;
    page.see("model1.account1").await;
    page.see_no("My steps").await;
    page.is_live().await;
    page.eval("window.sameLoad = true").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    let under_way = |step: usize| {
        format!(
            "[...document.querySelectorAll('.board > section')].map((s) => s.querySelector('dd').innerText)[{step}] === '1'"
        )
    };
    page.until("the lease is on the board", under_way(0)).await;
    page.see("b1").await;
    let clock = "document.querySelector('[data-clock]').innerText";
    let shown = page.eval(clock).await;
    page.until(
        "the clock runs down",
        format!("{clock} !== {shown} && /^\\d:\\d\\d$/.test({clock})"),
    )
    .await;
    page.is_accessible().await;
    let lease = &claimed["items"][0]["lease"];
    let result = json!({"lease": lease, "outcome": "completed", "execution_time_ms": 5});
    bot.post("/v1/work/report", json!({"results": [result]}))
        .await
        .expect(200);
    page.until(
        "it is at the second step",
        "document.querySelectorAll('.board > section')[1].innerText.includes('model1.account1')".to_owned(),
    )
    .await;
    app.run("update accounts set status = 'banned' where username = 'model1.account2'")
        .await;
    page.open("/warm-up").await;
    page.click("Account not active").await;
    page.arrives("/accounts?filter=state%3Awarming_up+step%3A1+hold%3Aaccount_not_active")
        .await;
    page.see("model1.account2").await;
    page.close().await;
}

#[tokio::test]
async fn a_person_does_one_step_after_the_other_on_a_phone() {
    let app = TestApp::start().await;
    for_people(&app, 2).await;
    for scripts in [true, false] {
        let page = Page::with(&app, Window::Phone).await;
        page.sign_in(&app, Role::Reviewer).await;
        page.expect_complaint("status of 422");
        page.expect_complaint("example.com");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/steps").await;
        page.see("2\n\nsteps are due").await;
        page.is_accessible_unless(!scripts).await;
        page.window(Window::Phone).await;
        page.click("Take the next").await;
        page.see("Make this the profile picture.").await;
        page.see("yours for 1").await;
        page.is_accessible_unless(!scripts).await;
        page.window(Window::Phone).await;
        page.click("Did not work").await;
        page.see("say what went wrong, for whoever looks next").await;
        page.click("More time").await;
        page.see("yours for 1").await;
        page.click("Give it back").await;
        page.see("Given back: another can take it.").await;
        page.click("Take the next").await;
        page.see("Make this the profile picture.").await;
        // Whoever comes back finds the step that they have.
        page.open("/steps").await;
        page.fill(
            "What there is to see, or what went wrong",
            "https://example.com/seen",
        )
        .await;
        page.click("Done, next").await;
        page.see("Done: Profile picture of model1.account").await;
        page.see("Write this into the biography.").await;
        page.see("Hello from model1.account").await;
        page.fill(
            "What there is to see, or what went wrong",
            "the platform asks for a code",
        )
        .await;
        page.click("Ask a reviewer").await;
        page.see("Given to a reviewer: Biography of model1.account").await;
        app.run(
            "update accounts set lifecycle_state = 'warming_up', requires_human_review = false
                where lifecycle_state = 'human_review';
             update work_queue set step = 1, state = 'ready', attempt = 0, run_at = now()",
        )
        .await;
        page.close().await;
    }
    let evidence =
        "select string_agg(instagram_response ->> 'evidence' || ' ' || (execution_time_ms > 0)::text, ',')
        from warmup_step_logs where status = 'completed'";
    assert_eq!(
        app.look(evidence).await.as_deref(),
        Some("https://example.com/seen true,https://example.com/seen true")
    );
    assert_eq!(
        app.look("select count(*) from warmup_step_logs where error_message = 'the platform asks for a code' and operator_id is not null")
            .await
            .as_deref(),
        Some("2")
    );
}

#[tokio::test]
async fn a_lease_that_is_lost_is_said_so_and_secrets_are_shown_to_the_holder() {
    let app = TestApp::start().await;
    for_people(&app, 1).await;
    app.owner
        .patch("/v1/accounts/1", json!({"password": "CANARY-password"}))
        .await
        .expect(200);
    let page = Page::signed_in(&app, Role::Operator).await;
    page.expect_complaint("status of 422");
    page.expect_complaint("example.com");
    page.open("/steps").await;
    page.click("Take the next").await;
    page.click("How to get in").await;
    page.see_no("CANARY").await;
    page.click("Show the secrets").await;
    page.see("CANARY-password").await;
    page.is_accessible().await;
    let audited =
        "select count(*) from audit_log where action = 'credentials.open' and operator_id is not null";
    assert_eq!(app.look(audited).await.as_deref(), Some("1"));
    app.run("update work_queue set leased_until = now() - interval '1 second'")
        .await;
    app.reap().await;
    page.click("Done, next").await;
    page.see("this step is not yours any more").await;
    page.close().await;
}

#[tokio::test]
async fn whoever_began_again_finds_the_leases_that_they_hold() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 2})).await.expect(200);
    let held = bot.get("/v1/work/held").await.expect(200);
    assert_eq!(held["items"], claimed["items"]);
    assert_eq!(other.get("/v1/work/held").await.expect(200)["items"], json!([]));
    let board = app.owner.get("/v1/work/board").await.expect(200);
    assert_eq!(
        (
            &board["steps"][0]["under_way"],
            &board["steps"][0]["due_for_bots"]
        ),
        (&json!(2), &json!(1))
    );
}
