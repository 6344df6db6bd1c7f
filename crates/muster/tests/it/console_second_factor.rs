//! The second factor: set up, asked for at each door, never right twice, and taken away again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster::{limits::SIGN_INS_PER_MINUTE, seal::Place};
use muster_wire::Role;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{Answer, Caller, TestApp, browser::Page};

const PASSWORD: &str = "three plain words";

/// Gives the owner a password.
async fn with_password(app: &TestApp) {
    let path = format!("/v1/operators/{}/password-link", app.owner_id);
    let link = app.owner.post(&path, json!({})).await.expect(201);
    let new = json!({"token": link["token"], "password": PASSWORD});
    Caller::new(&app.url, None)
        .post("/v1/password", new)
        .await
        .expect(204);
}

/// The code that a device with this secret shows now, or in some half minutes.
async fn code(app: &TestApp, secret: &str, later: u64) -> String {
    code_of(
        app,
        secret,
        "select floor(extract(epoch from now()) / 30)::bigint",
        later,
    )
    .await
}

/// The code that was right last.
async fn spent_code(app: &TestApp, secret: &str) -> String {
    code_of(app, secret, "select last_step from second_factors", 0).await
}

async fn code_of(app: &TestApp, secret: &str, step: &str, later: u64) -> String {
    let secret = Secret::try_from_base32(secret).expect("a secret");
    let totp = Builder::new().with_secret(secret).build().expect("a device");
    let step = app.look(step).await.expect("a step");
    totp.generate(30 * (step.parse::<u64>().expect("a number") + later))
        .to_string()
}

/// Time goes by for nobody in a test: lets the code of now be right once more.
async fn next_code_is_right(app: &TestApp) {
    app.run("update second_factors set last_step = 0").await;
}

async fn set_up(app: &TestApp, page: &Page) -> String {
    page.open("/profile").await;
    page.click("Set it up").await;
    page.see("Let an authenticator on your phone read this").await;
    let secret = page.eval("document.querySelector('output').textContent").await;
    let secret = secret.as_str().expect("a secret").to_owned();
    page.fill("Code", "000000x").await;
    page.click("Set it up").await;
    page.see("this is not the code that your device shows now").await;
    let same = page.eval("document.querySelector('output').textContent").await;
    assert_eq!(same.as_str(), Some(secret.as_str()));
    page.fill("Code", &code(app, &secret, 0).await).await;
    page.click("Set it up").await;
    page.see("From now on a code of your device is asked for").await;
    page.see("this is the only time that they are shown").await;
    secret
}

/// The recovery codes that a page shows.
async fn shown_codes(page: &Page) -> Vec<String> {
    let shown = page.eval("document.querySelector('#codes').textContent").await;
    let codes: Vec<_> = shown.as_str().expect("text").lines().map(str::to_owned).collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    codes
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for_and_taken_away() {
    let app = TestApp::start().await;
    with_password(&app).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Owner).await;
        page.expect_complaint("status of 422");
        if scripts {
            page.open("/profile/second-factor").await;
            page.is_accessible().await;
        } else {
            page.scripts_off().await;
        }
        let secret = set_up(&app, &page).await;
        if scripts {
            page.is_accessible().await;
        }
        let there = Page::new(&app).await;
        there.expect_complaint("status of 422");
        if !scripts {
            there.scripts_off().await;
        }
        there.open("/sign-in?next=%2Fproxies").await;
        there.fill("E-mail address", "ana@example.com").await;
        there.fill("Password", PASSWORD).await;
        there.click("Sign in").await;
        there.see("Give the code").await;
        if scripts {
            there.is_accessible().await;
        }
        there.fill("Code", &spent_code(&app, &secret).await).await;
        there.click("Sign in").await;
        there.see("this is not the code").await;
        there.fill("Code", &code(&app, &secret, 1).await).await;
        there.click("Sign in").await;
        there.arrives("/proxies").await;
        there.see("No proxies yet").await;
        next_code_is_right(&app).await;
        there.open("/profile").await;
        there.fill("Code", "12345").await;
        there.click("Take it away").await;
        there.see("this is not the code").await;
        there.fill("Code", &code(&app, &secret, 0).await).await;
        there.click("Take it away").await;
        there.see("Your password alone lets you in here again").await;
        there.close().await;
        page.close().await;
    }
}

#[tokio::test]
async fn recovery_codes_are_shown_once_let_in_once_and_are_made_anew() {
    let app = TestApp::start().await;
    with_password(&app).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Owner).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        let secret = set_up(&app, &page).await;
        let codes = shown_codes(&page).await;
        page.is_accessible_unless(!scripts).await;
        page.click("I have kept them").await;
        page.see("10 recovery codes left").await;
        for code in &codes {
            page.see_no(code).await;
        }
        let there = Page::new(&app).await;
        there.expect_complaint("status of 422");
        if !scripts {
            there.scripts_off().await;
        }
        let sign_in = async || {
            there.open("/sign-in").await;
            there.fill("E-mail address", "ana@example.com").await;
            there.fill("Password", PASSWORD).await;
            there.click("Sign in").await;
            there.see("Give the code").await;
        };
        sign_in().await;
        // As somebody writes it who reads it from paper.
        there
            .fill("Code", &codes[3].to_uppercase().replace('-', " "))
            .await;
        there.click("Sign in").await;
        there.see("What needs somebody").await;
        there.open("/profile").await;
        there.see("9 recovery codes left").await;
        there.close().await;
        page.open("/profile").await;
        page.click("Make new ones").await;
        page.is_accessible_unless(!scripts).await;
        next_code_is_right(&app).await;
        page.fill("Password", "wrong, I think").await;
        page.fill("Code", &code(&app, &secret, 0).await).await;
        page.click("Make them").await;
        page.see("this is not your password").await;
        page.fill("Password", PASSWORD).await;
        page.fill("Code", &codes[3]).await;
        page.click("Make them").await;
        page.see("this is not the code").await;
        page.fill("Password", PASSWORD).await;
        page.fill("Code", &code(&app, &secret, 0).await).await;
        page.click("Make them").await;
        page.see("this is the only time that they are shown").await;
        let renewed = shown_codes(&page).await;
        assert!(renewed.iter().all(|code| !codes.contains(code)));
        page.click("I have kept them").await;
        page.see("10 recovery codes left").await;
        page.fill("Code", &codes[5]).await;
        page.click("Take it away").await;
        page.see("this is not the code").await;
        page.fill("Code", &renewed[5]).await;
        page.click("Take it away").await;
        page.see("Your password alone lets you in here again").await;
        assert_eq!(
            app.look("select count(*) from recovery_codes").await.as_deref(),
            Some("0")
        );
        page.close().await;
    }
    let used = "select string_agg(action || ' ' || (after ->> 'recovery_codes_left'), ', ' order by at, id)
        from audit_log where action like 'recovery%'";
    let once = "recovery_codes.make 10, recovery_codes.use 9, recovery_codes.make 10, recovery_codes.use 9";
    assert_eq!(app.look(used).await, Some(format!("{once}, {once}")));
}

async fn sign_in(app: &TestApp, code: Option<&str>) -> Answer {
    let mut body = json!({"email": "ana@example.com", "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = code.into();
    }
    Caller::new(&app.url, None).post("/v1/sessions", body).await
}

async fn set_up_owner(app: &TestApp) -> String {
    with_password(app).await;
    let page = Page::signed_in(app, Role::Owner).await;
    page.expect_complaint("status of 422");
    let secret = set_up(app, &page).await;
    page.close().await;
    secret
}

#[tokio::test]
async fn recovery_codes_are_throttled_with_the_codes_of_the_device_and_kept_as_hashes() {
    let app = TestApp::start().await;
    with_password(&app).await;
    let page = Page::signed_in(&app, Role::Owner).await;
    page.expect_complaint("status of 422");
    set_up(&app, &page).await;
    let codes = shown_codes(&page).await;
    page.close().await;
    let (sum, other) = (&codes[0], &codes[1]);
    let kept = format!("select count(*) from recovery_codes where code_hash = sha256('{sum}')");
    assert_eq!(app.look(kept).await.as_deref(), Some("1"));
    app.run("update second_factors set failures = 9, failed_at = now()")
        .await;
    sign_in(&app, Some(sum)).await.expect(201);
    let failures = "select failures from second_factors";
    assert_eq!(
        app.look(failures).await.as_deref(),
        Some("0"),
        "a right one counts"
    );
    assert_eq!(sign_in(&app, Some(sum)).await.problem(401), "wrong_code");
    assert_eq!(app.look(failures).await.as_deref(), Some("1"));
    app.run("update second_factors set failures = 10, failed_at = now()")
        .await;
    assert_eq!(sign_in(&app, Some(other)).await.problem(429), "too_many_codes");
}

#[tokio::test]
async fn the_password_alone_opens_nothing_and_no_code_is_right_twice() {
    let app = TestApp::start().await;
    let secret = set_up_owner(&app).await;
    let refused = sign_in(&app, None).await;
    assert!(!refused.headers.contains_key("set-cookie"));
    assert_eq!(refused.problem(401), "code_needed");
    let good = code(&app, &secret, 1).await;
    sign_in(&app, Some(&good)).await.expect(201);
    assert_eq!(sign_in(&app, Some(&good)).await.problem(401), "wrong_code");
}

#[tokio::test]
async fn after_ten_wrong_codes_none_is_looked_at_for_a_while() {
    let app = TestApp::start().await;
    let secret = set_up_owner(&app).await;
    next_code_is_right(&app).await;
    app.run("update second_factors set failures = 9, failed_at = now()")
        .await;
    assert_eq!(sign_in(&app, Some("abcdef")).await.problem(401), "wrong_code");
    let good = code(&app, &secret, 0).await;
    assert_eq!(sign_in(&app, Some(&good)).await.problem(429), "too_many_codes");
    app.run("update second_factors set failed_at = now() - interval '16 minutes'")
        .await;
    let good = code(&app, &secret, 0).await;
    sign_in(&app, Some(&good)).await.expect(201);
}

#[tokio::test]
async fn a_flood_of_codes_with_a_made_up_ticket_is_stopped() {
    let app = TestApp::start().await;
    let browser = Caller::new(&app.url, None);
    let flood = 4 * SIGN_INS_PER_MINUTE;
    let form = [("ticket", "1.1.AAAA"), ("code", "123456"), ("next", "/")];
    let attempts = (0..flood).map(|_| {
        let request = browser
            .request(reqwest::Method::POST, "/sign-in/code")
            .form(&form);
        browser.send(request)
    });
    let answers = futures_util::future::join_all(attempts).await;
    let stopped = answers
        .iter()
        .filter(|answer| answer.body.to_string().contains("has used up its allowance"))
        .count();
    // One more is let through every six seconds, however long this takes.
    assert!(stopped > flood as usize / 2, "{stopped} of {flood}");
}

#[tokio::test]
async fn a_ticket_is_good_for_nobody_else_and_not_for_long() {
    let app = TestApp::start().await;
    let secret = set_up_owner(&app).await;
    let browser = Caller::new(&app.url, None);
    let entered = browser.request(reqwest::Method::POST, "/sign-in").form(&[
        ("email", "ana@example.com"),
        ("password", PASSWORD),
        ("next", "/"),
    ]);
    let answer = browser.send(entered).await;
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    let html = answer.body.as_str().expect("a page").to_owned();
    let ticket = html
        .split("name=\"ticket\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a ticket");
    let give = async |ticket: &str| {
        next_code_is_right(&app).await;
        let code = code(&app, &secret, 0).await;
        let form = [("ticket", ticket), ("code", &code), ("next", "/")];
        let request = browser
            .request(reqwest::Method::POST, "/sign-in/code")
            .form(&form);
        browser.send(request).await
    };
    let (tenant, rest) = ticket.split_once('.').expect("parts");
    let (operator, sealed) = rest.split_once('.').expect("parts");
    let other = app.operator(Role::Admin).await;
    let (before, after) = sealed.split_at(40);
    let altered = format!(
        "{before}{}{}",
        if after.starts_with('A') { 'B' } else { 'A' },
        &after[1..]
    );
    // One that Muster itself made a while ago: an hour is longer than any may last.
    let mut tx = app.app.db.begin(&app.owner_actor()).await.expect("a transaction");
    let keys = app.app.keys.tenant(&mut tx, app.tenant).await.expect("keys");
    tx.commit().await.expect("commit");
    let place = Place::new("sessions", "ticket", app.owner_id);
    let ended = app
        .look("select extract(epoch from now() - interval '1 hour')::bigint")
        .await
        .expect("a time");
    let expired = URL_SAFE_NO_PAD.encode(keys.seal(&place, &ended.into()));
    for wrong in [
        format!("{tenant}.{other}.{sealed}"),
        format!("77.{operator}.{sealed}"),
        format!("{tenant}.{operator}.{altered}"),
        format!("{tenant}.{operator}.{expired}"),
        format!("{tenant}.{operator}"),
        String::new(),
    ] {
        let answer = give(&wrong).await;
        assert_eq!(answer.status, 422, "{wrong}");
        assert!(!answer.headers.contains_key("set-cookie"), "{wrong}");
    }
    next_code_is_right(&app).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let good = code(&app, &secret, 0).await;
    let answer = http
        .post(format!("{}/sign-in/code", app.url))
        .form(&[("ticket", ticket), ("code", &good), ("next", "/")])
        .send()
        .await
        .expect("an answer");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-muster=mst_ses_"), "{cookie}");
}

#[tokio::test]
async fn a_tenant_with_a_second_factor_is_entered_with_its_code_from_another_one_too() {
    let app = TestApp::start().await;
    let secret = set_up_owner(&app).await;
    let (second, _) = app.other_tenant().await;
    app.run(format!(
        "insert into memberships (tenant_id, operator_id, role) values ({second}, {}, 'viewer')",
        app.owner_id
    ))
    .await;
    let cookie = {
        let body = json!({"email": "ana@example.com", "password": PASSWORD, "tenant": second});
        let answer = Caller::new(&app.url, None).post("/v1/sessions", body).await;
        let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
        answer.expect(201);
        cookie.split(';').next().expect("a pair").to_owned()
    };
    let browser = Caller::new(&app.url, None);
    let enter = browser
        .request(reqwest::Method::POST, "/tenants/enter")
        .header("cookie", &cookie)
        .form(&[("tenant", app.tenant.0)]);
    let answer = browser.send(enter).await;
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    assert!(
        answer
            .body
            .as_str()
            .is_some_and(|html| html.contains("Give the code")),
        "{answer:?}"
    );
    drop(secret);
}

#[tokio::test]
async fn an_admin_takes_it_from_whoever_lost_the_device_and_a_token_from_nobody() {
    let app = TestApp::start().await;
    set_up_owner(&app).await;
    // A token of the owner's own cannot take it away or set up another, whatever it knows.
    for path in ["/profile/second-factor", "/profile/second-factor/forget"] {
        let form: Vec<(&str, &str)> = match path {
            "/profile/second-factor" => {
                vec![("secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ("code", "123456")]
            }
            _ => vec![("code", "123456")],
        };
        let request = app.owner.request(reqwest::Method::POST, path).form(&form);
        assert_eq!(app.owner.send(request).await.status, 404, "{path}");
    }
    let shown = |people: &Value| people["items"][0]["second_factor"].clone();
    assert_eq!(shown(&app.owner.get("/v1/operators").await.expect(200)), true);
    let admin = app.person(Role::Admin).await;
    let path = format!("/v1/operators/{}/second-factor", app.owner_id);
    assert_eq!(admin.delete(&path).await.problem(403), "more_than_own");
    let page = Page::signed_in(&app, Role::Owner).await;
    page.open("/operators").await;
    page.see("Second factor").await;
    page.click("Ana").await;
    page.click("Take it away").await;
    page.see("Their password alone lets them in again").await;
    page.close().await;
    sign_in(&app, None).await.expect(201);
    assert_eq!(shown(&app.owner.get("/v1/operators").await.expect(200)), false);
    app.owner.delete(&path).await.problem(404);
}
