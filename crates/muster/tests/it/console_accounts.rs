//! The list of accounts and one account: what is asked for in the address, many changed at once and taken back, views kept,
//! and everything that happened to an account.

use muster::tick;
use muster_wire::Role;
use serde_json::json;

use crate::support::{TestApp, browser::Page, hostile};

#[tokio::test]
async fn the_list_is_asked_in_the_address_and_says_what_is_wrong_there() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.expect_complaint("status of 422");
    page.open("/accounts").await;
    page.see("3 accounts").await;
    page.is_accessible().await;
    page.press("/").await;
    page.fill("Filter", "model1.account2").await;
    page.press("Enter").await;
    page.see("1 account").await;
    page.arrives("/accounts?filter=model1.account2").await;
    page.fill("Filter", "stuck:2 colour:red").await;
    page.click("Show").await;
    page.see("colour: is not known here").await;
    page.see("stuck:").await;
    page.fill("Filter", "").await;
    page.click("Show").await;
    page.see("3 accounts").await;
    page.click("Warming up").await;
    page.arrives("/accounts?filter=state%3Awarming_up").await;
    page.see("3 accounts").await;
    page.close().await;
}

#[tokio::test]
async fn the_rows_of_the_next_page_come_when_they_are_scrolled_to() {
    let app = TestApp::start().await;
    app.warm_accounts(120).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Viewer).await;
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/accounts").await;
        page.see("120 accounts").await;
        if scripts {
            page.eval("scrollTo(0, document.body.scrollHeight)").await;
            page.see("model1.account90").await;
            page.eval("scrollTo(0, document.body.scrollHeight)").await;
        } else {
            page.click("More accounts").await;
            page.see("model1.account90").await;
            page.click("More accounts").await;
        }
        page.see("model1.account120").await;
        page.close().await;
    }
}

#[tokio::test]
async fn many_accounts_are_changed_at_once_after_a_look_and_taken_back() {
    let app = TestApp::start().await;
    app.warm_accounts(6).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/accounts").await;
        page.click("model1.account1").await;
        page.arrives("/accounts/").await;
        page.open("/accounts").await;
        for name in ["model1.account2", "model1.account3"] {
            page.click(&format!("Tick {name}")).await;
        }
        page.fill("What to do", "Retire").await;
        page.click("The ticked…").await;
        page.see("Retire: 2 accounts").await;
        page.see("2 of 2 accounts would be changed").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Why", "the contract ended").await;
        page.click("Retire").await;
        page.see("It begins in a moment").await;
        page.click("Take it back").await;
        page.see("Taken back: nothing was done").await;
        page.close().await;
    }
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open("/accounts?filter=state%3Awarming_up").await;
    page.fill("What to do", "Activate").await;
    page.click("All 6…").await;
    page.see("0 of 6 accounts would be changed, 6 would not").await;
    page.see("activate is possible from ready").await;
    page.open("/accounts?filter=state%3Awarming_up").await;
    page.fill("What to do", "Retire").await;
    page.click("All 6…").await;
    page.fill("Why", "the contract ended").await;
    page.click("Retire").await;
    page.see("It begins in a moment").await;
    app.run("update batches set due_at = now()").await;
    tick::do_batches(&app.app, &app.scheduler().await)
        .await
        .expect("the timer runs");
    // The page is told, and reads itself again.
    page.see("It is done").await;
    page.see("6 changed").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn what_was_changed_by_mistake_is_undone_after_a_look() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    for scripts in [true, false] {
        app.run(
            "update accounts set lifecycle_state = 'cleanup', proxy_id = null, proxy_assigned_at = null
                where lifecycle_state = 'warming_up';
             update accounts set lifecycle_state = 'imported', warmup_started_at = null where lifecycle_state = 'cleanup'",
        )
        .await;
        let retire = json!({"event": "retire", "reason": "the wrong list", "filter": "", "expected_count": 2, "wait_secs": 0});
        let batch = app.owner.post("/v1/batches", retire).await.expect(201);
        let run = async || {
            app.run("update batches set due_at = now()").await;
            tick::do_batches(&app.app, &app.scheduler().await)
                .await
                .expect("the timer runs");
        };
        run().await;
        let restore = json!({"event": "restore", "reason": "this one is needed"});
        app.owner
            .post("/v1/accounts/1/transitions", restore)
            .await
            .expect(200);
        let page = Page::signed_in(&app, Role::Operator).await;
        if !scripts {
            page.scripts_off().await;
        }
        page.open(&format!("/batches/{}", batch["id"])).await;
        page.click("Undo…").await;
        page.see("1 of 2 accounts would go back to where they were, 1 would stay as it is")
            .await;
        page.see("it was changed since, by restore").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Why", "retired by mistake").await;
        page.click("Undo").await;
        page.see("It begins in a moment").await;
        run().await;
        if !scripts {
            let back = app.look("select max(id) from batches").await.expect("a batch");
            page.open(&format!("/batches/{back}")).await;
        }
        page.see("It is done").await;
        page.see("model1.account1").await;
        page.is_accessible_unless(!scripts).await;
        page.click("an earlier bulk change").await;
        page.see("a later bulk change").await;
        page.close().await;
    }
}

#[tokio::test]
async fn a_view_is_kept_found_again_and_forgotten() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let page = Page::signed_in(&app, Role::Owner).await;
    page.expect_complaint("status of 422");
    page.open("/accounts?filter=step%3A1&columns=model,email").await;
    page.click("Keep this view").await;
    page.fill("Name", "First steps").await;
    page.click("For everybody in First").await;
    page.click("Keep it").await;
    page.see("The view First steps is kept").await;
    page.open("/accounts").await;
    page.click("First steps").await;
    page.see("E-mail").await;
    page.see("Forget First steps").await;
    page.is_accessible().await;
    let other = Page::signed_in(&app, Role::Viewer).await;
    other.open("/accounts").await;
    other.click("First steps").await;
    other.see("2 accounts").await;
    other.see_no("Forget First steps").await;
    other.close().await;
    page.click("Forget First steps").await;
    page.see("The view is forgotten").await;
    page.see_no("First steps").await;
    page.close().await;
}

#[tokio::test]
async fn an_account_shows_its_next_step_and_everything_that_happened() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    let result = json!({"lease": claimed["items"][0]["lease"], "outcome": "failed", "error": "the picture was refused",
        "execution_time_ms": 5});
    bot.post("/v1/work/report", json!({"results": [result]}))
        .await
        .expect(200);
    let id = app.look("select id from accounts").await.expect("an account");
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Owner).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open(&format!("/accounts/{id}")).await;
        page.see("the picture was refused").await;
        page.see("Start the warm-up").await;
        page.fill("Note for the others", "asked the client for another picture")
            .await;
        page.click("Note it").await;
        page.see("asked the client for another picture").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Change").await;
        page.fill("User name", "Not A Name").await;
        page.click("Save").await;
        page.until(
            "the fault is beside its field",
            "!!document.querySelector('#username-fault')".to_owned(),
        )
        .await;
        page.fill(
            "User name",
            if scripts {
                "model1.renamed"
            } else {
                "model1.renamed2"
            },
        )
        .await;
        page.fill("Biography", "Coffee, & <i>nothing</i> else").await;
        page.click("Save").await;
        page.see("Changed.").await;
        page.see("Changed").await;
        page.see("Coffee, & <i>nothing</i> else").await;
        page.close().await;
    }
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open(&format!("/accounts/{id}")).await;
    page.click("Retire").await;
    page.see("Retire: model1.renamed2").await;
    page.is_accessible().await;
    page.fill("Why", "by mistake made twice").await;
    page.click("Retire").await;
    page.see("Retire: done").await;
    page.click("Restore").await;
    page.fill("Why", "it was not").await;
    page.click("Restore").await;
    page.see("Restore: done").await;
    page.see("Assign a proxy").await;
    page.close().await;
}

#[tokio::test]
async fn secrets_are_shown_to_the_owner_who_says_why_and_to_nobody_else() {
    let app = TestApp::start().await;
    let new = json!({"username": "ana", "email": "ana@example.com", "password": "CANARY-password"});
    let account = app.owner.post("/v1/accounts", new).await.expect(201);
    let path = format!("/accounts/{}", account["id"]);
    let page = Page::signed_in(&app, Role::Owner).await;
    page.open(&path).await;
    page.see_no("CANARY").await;
    page.click("Reveal").await;
    page.fill("Why", "the client asks for it").await;
    page.click("Reveal").await;
    page.see("CANARY-password").await;
    page.click("Done").await;
    page.see("Secrets revealed").await;
    page.see("the client asks for it").await;
    page.close().await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open(&path).await;
    page.see("a password").await;
    page.see_no("Reveal").await;
    page.see_no("the client asks for it").await;
    page.close().await;
}

#[tokio::test]
async fn what_happened_long_ago_is_found_page_by_page_each_thing_once() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    app.run(
        "insert into account_notes (tenant_id, account_id, at, operator_id, text)
             select 1, id, now() - n * interval '1 hour', 1, 'note ' || n || '.' from accounts, generate_series(1, 60) n;
         insert into warmup_step_logs (tenant_id, account_id, lease, started_at, step_number, step_name, status, error_message)
             select 1, id, 100 - n, now() - n * interval '1 minute', 2, 'change_bio', 'failed', 'attempt ' || n || '.'
             from accounts, generate_series(1, 30) n",
    )
    .await;
    let id = app.look("select id from accounts").await.expect("an account");
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open(&format!("/accounts/{id}")).await;
    page.see("30 attempts").await;
    let (mut seen, mut pages) = (String::new(), 0);
    loop {
        pages += 1;
        let text = page.eval("document.querySelector('#happenings').innerText").await;
        seen += text.as_str().expect("text");
        let earlier = page
            .eval("document.querySelector('#timeline footer a')?.getAttribute('href')")
            .await;
        let Some(earlier) = earlier.as_str() else { break };
        page.open(earlier).await;
    }
    assert!(pages > 3, "{pages} pages");
    for (what, count) in [("note", 60), ("attempt", 30)] {
        for n in 1..=count {
            let text = format!("{what} {n}.");
            assert_eq!(seen.matches(&text).count(), 1, "{text}");
        }
    }
    page.click("The latest").await;
    page.see("attempt 1.").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn a_list_keeps_what_was_scrolled_to_and_chosen_while_things_change() {
    let app = TestApp::start().await;
    app.warm_accounts(70).await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open("/accounts").await;
    page.is_live().await;
    page.fill("What to do", "Retire").await;
    page.click("Tick model1.account2").await;
    app.owner
        .patch("/v1/accounts/1", json!({"status": "banned"}))
        .await
        .expect(200);
    page.until(
        "the list is not read again",
        "document.querySelector('#rows tr').innerText.includes('Account not active')".to_owned(),
    )
    .await;
    assert_eq!(
        page.eval(
            "[document.querySelector('#event').value, document.querySelectorAll('#rows :checked').length]"
        )
        .await,
        json!(["retire", 1])
    );
    page.eval("scrollTo(0, document.body.scrollHeight)").await;
    page.see("model1.account70").await;
    let (_, bot) = app.bot("b1").await;
    bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    // What is read again comes before what is asked for after it.
    page.eval("fetch('/accounts').then((r) => r.text())").await;
    page.see("model1.account70").await;
    page.see("1 ticked").await;
    page.close().await;
}

#[tokio::test]
async fn two_hundred_hostile_texts_are_shown_as_they_were_written() {
    let app = TestApp::start().await;
    app.warm_accounts(200).await;
    let texts = hostile::texts();
    app.run("update accounts set requires_human_review = true where id % 2 = 0")
        .await;
    sqlx::query(
        "with t as (select text, n from unnest($1::text[]) with ordinality t (text, n)),
         a as (update accounts set bio = t.text, last_error_message = t.text, last_error_at = now(), location_city = t.text,
                authorisation_reference = t.text, email = t.text
             from t where id = t.n returning id),
         m as (update models set name = (select text from t where n = 2)),
         v as (insert into views (tenant_id, operator_id, name, filter) select 1, null, left(text, 50), text from t where n <= 40),
         n as (insert into account_notes (tenant_id, account_id, operator_id, text) select 1, 1, 1, text from t)
         insert into warmup_step_logs (tenant_id, account_id, lease, started_at, step_number, step_name, status, error_message)
             select 1, 1, n, now(), 2, 'change_bio', 'failed', text from t",
    )
    .bind(&texts)
    .execute(&mut app.superuser().await)
    .await
    .expect("they are stored");
    app.run("update accounts set lifecycle_state = 'human_review' where id <= 20")
        .await;
    let page = Page::signed_in(&app, Role::Owner).await;
    for filter in hostile::TEXTS {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        for path in ["accounts", "views/new", "reviews"] {
            page.expect_complaint("status of 422");
            page.open(&format!("/{path}?filter={filter}")).await;
            assert_eq!(
                page.eval(hostile::HARMLESS).await,
                true,
                "/{path}?filter={filter}"
            );
        }
    }
    page.open("/accounts?columns=model,error,email,city,authorisation")
        .await;
    for last in ["account99", "account149", "account199"] {
        page.eval("scrollTo(0, document.body.scrollHeight)").await;
        page.see(&format!("model1.{last}")).await;
    }
    let shown = page
        .eval("[...document.querySelectorAll('#rows td.wrap')].map((td) => td.textContent)")
        .await;
    assert_eq!(shown, json!(texts));
    assert_eq!(page.eval(hostile::HARMLESS).await, true);
    for path in ["/accounts/1", "/accounts/1/edit", "/reviews", "/"] {
        page.open(path).await;
        assert_eq!(page.eval(hostile::HARMLESS).await, true, "{path}");
    }
    page.close().await;
}
