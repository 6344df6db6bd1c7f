//! Bots, tokens and pauses on screen: who works and what goes wrong, secrets that are shown once, and standing still.

use muster_wire::Role;
use serde_json::json;

use crate::support::{Caller, TestApp, browser::Page};

/// A bot that has completed one step and failed at another.
async fn busy_bot(app: &TestApp) -> Caller {
    app.warm_accounts(2).await;
    let (_, bot) = app.bot("b1").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 2})).await.expect(200);
    let lease = |n: usize| claimed["items"][n]["lease"].clone();
    let results = json!({"results": [
        {"lease": lease(0), "outcome": "completed", "execution_time_ms": 120},
        {"lease": lease(1), "outcome": "failed", "error": "<b>the picture was refused</b>", "execution_time_ms": 120}]});
    bot.post("/v1/work/report", results).await.expect(200);
    bot
}

#[tokio::test]
async fn bots_show_whether_they_work_how_fast_and_what_goes_wrong() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/bots").await;
    page.see("No bots yet").await;
    page.is_accessible().await;
    busy_bot(&app).await;
    page.open("/bots").await;
    for seen in ["Between steps", "0.1", "1 50 %", "120 ms"] {
        page.see(seen).await;
    }
    page.see_no("Pause everything").await;
    page.is_accessible().await;
    page.click("b1").await;
    page.see("<b>the picture was refused</b>").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn what_a_bot_does_is_told_to_programs_too() {
    let app = TestApp::start().await;
    busy_bot(&app).await;
    let id = app.look("select id from bots").await.expect("a bot");
    let activity = app
        .owner
        .get(&format!("/v1/bots/{id}/activity"))
        .await
        .expect(200);
    assert_eq!(
        activity["rate"],
        json!({"bot_id": id.parse::<i64>().expect("an id"), "completed": 1, "failed": 1, "average_ms": 120})
    );
    assert_eq!(activity["errors"][0]["error"], "<b>the picture was refused</b>");
    assert_eq!(activity["errors"][0]["step"], "change_pfp");
    app.owner.get("/v1/bots/77/activity").await.problem(404);
}

#[tokio::test]
async fn a_bot_is_made_given_a_token_that_is_shown_once_and_that_is_revoked() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    for (scripts, name) in [(true, "with scripts"), (false, "without")] {
        let page = Page::signed_in(&app, Role::Admin).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/bots").await;
        page.click("New bot").await;
        page.fill("Name", name).await;
        page.click("Make it").await;
        page.see("It needs a token").await;
        page.click("New token").await;
        page.fill("What it is for", "its only one").await;
        page.fill("Good for how many days", "soon").await;
        page.click("Make it").await;
        page.see("this is from 1 to 366").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Good for how many days", "7").await;
        page.click("Make it").await;
        page.see("shown this once").await;
        page.is_accessible_unless(!scripts).await;
        let secret = page.eval("document.querySelector('output').textContent").await;
        let secret = secret.as_str().expect("a secret").to_owned();
        let bot = Caller::new(&app.url, Some(secret.clone().into()));
        bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
        page.click("I have it").await;
        page.see(&secret[secret.len() - 4..]).await;
        page.see_no(&secret).await;
        page.is_accessible_unless(!scripts).await;
        page.eval(&format!(
            "[...document.querySelectorAll('tr')].find((row) => row.innerText.includes({}))
                .querySelector('a').click()",
            json!(format!("{name} bot"))
        ))
        .await;
        page.see("Revoke it").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Hours that both are good", "1000").await;
        page.click("Replace it").await;
        page.see("this is from 0 to 168").await;
        page.fill("Hours that both are good", "0").await;
        page.click("Replace it").await;
        page.see("The token is replaced").await;
        bot.post("/v1/work/claim", json!({"max": 1})).await.problem(401);
        page.open("/tokens?filter=kind:bot+state:live").await;
        page.click("its only one").await;
        page.arrives("/tokens/").await;
        page.click("Revoke it").await;
        page.see("its only one is revoked").await;
        page.close().await;
    }
}

#[tokio::test]
async fn people_make_tokens_of_their_own_and_no_others() {
    let app = TestApp::start().await;
    app.bot("b1").await;
    let page = Page::signed_in(&app, Role::Reviewer).await;
    page.open("/tokens").await;
    page.see("No tokens yet").await;
    page.open("/tokens/new").await;
    let offered = page
        .eval("[...document.querySelectorAll('option')].map((option) => option.value)")
        .await;
    assert_eq!(offered, json!(["reviewer", "viewer"]));
    page.fill("What it is for", "my script").await;
    page.fill("Acts as", "viewer").await;
    page.click("Make it").await;
    page.see("at most viewer").await;
    page.close().await;
}

#[tokio::test]
async fn one_bot_one_model_or_everything_stands_still_and_bots_are_told_why() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    let (id, bot) = app.bot("b1").await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Admin).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        let told = async |claim| {
            let claimed = bot.post("/v1/work/claim", claim).await.expect(200);
            claimed["paused"].as_str().map(str::to_owned)
        };
        let of_model = json!({"max": 1, "model_id": model});

        page.open(&format!("/bots/{id}")).await;
        page.click("Pause").await;
        page.fill("Why", "a new version").await;
        page.click("Pause it").await;
        page.see("b1 is paused.").await;
        page.is_accessible_unless(!scripts).await;
        assert_eq!(told(json!({"max": 1})).await.as_deref(), Some("a new version"));
        page.open("/bots").await;
        page.see("a new version").await;
        page.open(&format!("/bots/{id}")).await;
        page.click("Give it work again").await;
        page.see("is given work again").await;

        page.open("/models").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Pause").await;
        page.fill("Why", "<i>the client asks</i>").await;
        page.click("Pause it").await;
        page.see("is paused.").await;
        page.see("<i>the client asks</i>").await;
        assert_eq!(
            told(of_model.clone()).await.as_deref(),
            Some("<i>the client asks</i>")
        );
        assert_eq!(told(json!({"max": 1})).await, None);
        page.click("Let it go on").await;
        page.fill("Why", "all is well").await;
        page.click("Let it go on").await;
        page.see("goes on.").await;

        page.open("/bots").await;
        page.click("Pause everything").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Why", "maintenance").await;
        page.click("Pause everything").await;
        page.see("Everything stands still, for").await;
        page.is_accessible_unless(!scripts).await;
        assert_eq!(told(of_model).await.as_deref(), Some("maintenance"));
        page.click("Let everything go on").await;
        page.see("Everything goes on.").await;
        let work = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
        let lease = &work["items"][0]["lease"];
        bot.post("/v1/work/release", json!({"leases": [lease]}))
            .await
            .expect(200);
        page.close().await;
    }
}

#[tokio::test]
async fn nothing_stands_still_without_a_reason() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    let (id, _) = app.bot("b1").await;
    let model = app.warm_accounts(1).await;
    for path in [
        format!("/bots/{id}/pause"),
        format!("/models/{model}/pause"),
        "/pause".to_owned(),
    ] {
        let request = browser
            .request(reqwest::Method::POST, &path)
            .header("cookie", &cookie)
            .header("accept", "text/html")
            .form(&[("reason", "")]);
        let answer = browser.send(request).await;
        assert_eq!(answer.status, 422, "{path}");
        assert!(
            answer
                .body
                .as_str()
                .is_some_and(|html| html.contains("this has 1 to 500 characters")),
            "{path}"
        );
    }
}
