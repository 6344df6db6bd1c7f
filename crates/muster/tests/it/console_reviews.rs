//! Reviews in the console: decided by keys, with a reason, taken back within ten seconds, and many at once after a look.

use muster::tick;
use muster_wire::Role;
use serde_json::json;

use crate::support::{TestApp, browser::Page};

/// Accounts in review: the first with a step that failed and asked for a person, the others with a complete warm-up.
async fn waiting(app: &TestApp, count: usize) {
    app.warm_accounts(count).await;
    let (_, bot) = app.bot("b1").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    let result = json!({"lease": claimed["items"][0]["lease"], "outcome": "requires_review",
        "error": "the picture shows somebody else", "execution_time_ms": 5});
    bot.post("/v1/work/report", json!({"results": [result]}))
        .await
        .expect(200);
    app.run(
        "update accounts set lifecycle_state = 'human_review', warmup_completed_at = now(),
            state_changed_at = now() where lifecycle_state = 'warming_up'",
    )
    .await;
}

async fn states(app: &TestApp) -> String {
    app.look("select string_agg(lifecycle_state, ' ' order by id) from accounts")
        .await
        .expect("accounts")
}

async fn ten_seconds_go_by(app: &TestApp) {
    app.run("update batches set due_at = now() where state = 'waiting'")
        .await;
    tick::do_batches(&app.app, &app.scheduler().await)
        .await
        .expect("the timer runs");
}

#[tokio::test]
async fn reviews_are_decided_by_keys_and_taken_back() {
    let app = TestApp::start().await;
    waiting(&app, 4).await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.open("/reviews").await;
    page.see("4 waiting").await;
    page.see("the picture shows somebody else").await;
    page.is_accessible().await;
    // Without a reason nothing is sent: the field is asked for, and Enter then means what was pressed.
    page.press("r").await;
    page.until(
        "the reason is asked for",
        "document.activeElement.id === 'reason'".to_owned(),
    )
    .await;
    page.fill("Why", "not what was agreed").await;
    page.press("Enter").await;
    page.see("Rejected model1.account1.").await;
    page.see_no("the picture shows somebody else").await;
    page.press("z").await;
    page.see("Taken back: nothing was done").await;
    page.see("the picture shows somebody else").await;
    ten_seconds_go_by(&app).await;
    assert_eq!(
        states(&app).await,
        "human_review human_review human_review human_review"
    );
    page.press("j").await;
    page.until(
        "the next is open",
        "document.querySelector('#detail-title')?.innerText === 'model1.account2'".to_owned(),
    )
    .await;
    page.press("k").await;
    page.until(
        "the one before is open",
        "document.querySelector('#detail-title')?.innerText === 'model1.account1'".to_owned(),
    )
    .await;
    page.press("s").await;
    page.until(
        "it is skipped",
        "document.querySelector('#detail-title')?.innerText === 'model1.account2'".to_owned(),
    )
    .await;
    page.fill("Why", "all as agreed").await;
    page.press("Escape").await;
    page.press("a").await;
    page.see("Approved model1.account2.").await;
    ten_seconds_go_by(&app).await;
    assert_eq!(states(&app).await, "human_review ready human_review human_review");
    page.close().await;
}

#[tokio::test]
async fn reviews_are_decided_without_scripts() {
    let app = TestApp::start().await;
    waiting(&app, 2).await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.expect_complaint("status of 422");
    page.scripts_off().await;
    page.open("/reviews").await;
    page.fill("Why", "try once more").await;
    page.press("Enter").await;
    page.see("choose what is decided").await;
    page.click("Resume").await;
    page.see("Sent back to its step: model1.account1.").await;
    page.click("Undo").await;
    page.see("Taken back").await;
    page.fill("Why", "try once more").await;
    page.click("Resume").await;
    page.see("Sent back").await;
    ten_seconds_go_by(&app).await;
    assert_eq!(states(&app).await, "warming_up human_review");
    page.close().await;
}

#[tokio::test]
async fn who_comes_too_late_is_told_what_was_decided() {
    let app = TestApp::start().await;
    waiting(&app, 1).await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.expect_complaint("status of 422");
    page.open("/reviews").await;
    page.fill("Why", "fine").await;
    let id = app.look("select id from accounts").await.expect("an account");
    let decided = json!({"decision": "resume", "reason": "first"});
    app.owner
        .post(&format!("/v1/reviews/{id}"), decided)
        .await
        .expect(200);
    page.click("Resume").await;
    page.see("it is warming_up, so there is nothing to decide").await;
    page.open(&format!("/reviews?account={id}")).await;
    page.see("it is warming_up, so there is nothing to decide: resume by")
        .await;
    page.close().await;
}

#[tokio::test]
async fn many_reviews_are_decided_at_once_after_a_look_at_some() {
    let app = TestApp::start().await;
    waiting(&app, 5).await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.open("/reviews?filter=kind%3Aescalated").await;
    page.see("1 waiting").await;
    page.open("/reviews").await;
    page.fill("What to do", "Approve").await;
    page.click("All 5…").await;
    page.see("4 of 5 accounts would be changed, 1 would not").await;
    page.see("its warm-up is not complete").await;
    page.see("Some of them, to look at").await;
    page.is_accessible().await;
    page.fill("Why", "looked at each").await;
    page.click("Approve").await;
    page.see("It begins in a moment").await;
    ten_seconds_go_by(&app).await;
    page.see("4 changed").await;
    page.see("1 refused").await;
    assert_eq!(states(&app).await, "human_review ready ready ready ready");
    page.close().await;
}

#[tokio::test]
async fn what_was_to_be_published_stands_beside_what_was_reported() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    app.run(
        "update text_pools set is_template = true, text_content = 'Hello from {city}, @{username}';
         update accounts set location_city = 'Leeds'",
    )
    .await;
    let (_, bot) = app.bot("b1").await;
    for outcome in ["completed", "requires_review"] {
        let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
        let result = json!({"lease": claimed["items"][0]["lease"], "outcome": outcome,
            "response": {"shown": format!("seen after {outcome}")}, "execution_time_ms": 5});
        bot.post("/v1/work/report", json!({"results": [result]}))
            .await
            .expect(200);
    }
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.expect_complaint("example.com");
    page.open("/reviews").await;
    page.see("Hello from Leeds, @model1.account1").await;
    page.see("seen after completed").await;
    page.see("seen after requires_review").await;
    assert_eq!(
        page.eval("document.querySelector('.evidence img').src.startsWith('https://example.com/1/pfp')")
            .await,
        true
    );
    page.close().await;
}

#[tokio::test]
async fn those_that_came_later_are_on_the_next_page() {
    let app = TestApp::start().await;
    waiting(&app, 60).await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.open("/reviews").await;
    page.see("60 waiting").await;
    page.click("Those that came later").await;
    page.see("model1.account60").await;
    page.fill("Why", "all as agreed").await;
    page.click("Approve").await;
    page.see("Approved model1.account").await;
    page.see("The oldest").await;
    page.see("model1.account60").await;
    page.click("The oldest").await;
    page.see("model1.account1").await;
    page.close().await;
}

#[tokio::test]
async fn a_viewer_looks_and_does_not_decide() {
    let app = TestApp::start().await;
    waiting(&app, 1).await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/reviews").await;
    page.see("the picture shows somebody else").await;
    page.see_no("Approve").await;
    page.see_no("Reject").await;
    page.close().await;
}
