//! Sessions: signing in, what the cookie opens, and how it ends.

use muster::limits::SIGN_INS_PER_MINUTE;
use muster_wire::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, TestApp, value};

const PASSWORD: &str = "three plain words";

/// Gives the owner a password, and nobody else.
async fn with_password() -> TestApp {
    let app = TestApp::start().await;
    let path = format!("/v1/operators/{}/password-link", app.owner_id);
    let link = app.owner.post(&path, json!({})).await.expect(201);
    let body = json!({"token": link["token"], "password": PASSWORD});
    Caller::new(&app.url, None)
        .post("/v1/password", body)
        .await
        .expect(204);
    app
}

async fn try_password(app: &TestApp, email: &str, password: &str) -> Answer {
    Caller::new(&app.url, None)
        .post("/v1/sessions", json!({"email": email, "password": password}))
        .await
}

/// Signs the owner in; gives the cookie as a browser sends it.
async fn sign_in(app: &TestApp) -> String {
    let answer = try_password(app, "Ana@example.com", PASSWORD).await;
    let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    answer.expect(201);
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn with_cookie(
    app: &TestApp,
    method: Method,
    path: &str,
    cookie: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let caller = Caller::new(&app.url, None);
    let mut request = caller.request(method, path).header("cookie", cookie);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    caller.send(request).await
}

#[tokio::test]
async fn a_person_who_signs_in_is_known_by_a_cookie_that_no_script_reads() {
    let app = with_password().await;
    let answer = try_password(&app, "ana@example.com", PASSWORD).await;
    let cookie = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    for attribute in [
        "__Host-muster=mst_ses_",
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
    ] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    let body = answer.expect(201);
    assert_eq!(
        (body["role"].as_str(), body["tenants"][0]["name"].as_str()),
        (Some("owner"), Some("First"))
    );
    assert!(
        !body.to_string().contains("mst_ses_"),
        "the secret is in the cookie only"
    );
    let cookie = cookie.split(';').next().expect("a pair");
    let me = with_cookie(&app, Method::GET, "/v1/me", cookie, &[])
        .await
        .expect(200);
    assert_eq!(me["operator_id"], app.owner_id.0);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike() {
    let app = with_password().await;
    let normal = |answer: Answer| {
        let mut body = answer.expect(401);
        body["request_id"] = Value::Null;
        body
    };
    let wrong = normal(try_password(&app, "ana@example.com", "three other words").await);
    let unknown = normal(try_password(&app, "nobody@example.com", PASSWORD).await);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong["code"], "wrong_credentials");
}

#[tokio::test]
async fn a_person_without_a_password_and_one_who_is_disabled_are_refused() {
    let app = with_password().await;
    app.person(Role::Viewer).await;
    let email: String = value(&app, "select email from operators where name = 'viewer'").await;
    assert_eq!(
        try_password(&app, &email, "").await.problem(401),
        "wrong_credentials"
    );
    sqlx::query("update operators set disabled_at = now()")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    assert_eq!(
        try_password(&app, "ana@example.com", PASSWORD).await.problem(401),
        "wrong_credentials"
    );
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_is_stopped() {
    let app = TestApp::start().await;
    let flood = 4 * SIGN_INS_PER_MINUTE;
    let attempts = (0..flood).map(|_| try_password(&app, "ana@example.com", "three other words"));
    let answers = futures_util::future::join_all(attempts).await;
    let stopped: Vec<_> = answers
        .into_iter()
        .filter(|answer| answer.status == 429)
        .collect();
    // One more is let through every six seconds, however long this takes.
    assert!(stopped.len() > flood as usize / 2, "{} of {flood}", stopped.len());
    for answer in stopped {
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.problem(429), "too_many_requests");
    }
}

#[tokio::test]
async fn a_person_enters_the_tenant_they_name_and_no_other() {
    let app = with_password().await;
    let (second, _) = app.other_tenant().await;
    let (third, _) = app.other_tenant().await;
    sqlx::query("insert into memberships (tenant_id, operator_id, role) values ($1, $2, 'viewer')")
        .bind(second.0)
        .bind(app.owner_id.0)
        .execute(&mut app.superuser().await)
        .await
        .expect("a membership");
    let anybody = Caller::new(&app.url, None);
    let sign_in = |tenant: i64| json!({"email": "ana@example.com", "password": PASSWORD, "tenant": tenant});
    let body = anybody.post("/v1/sessions", sign_in(second.0)).await.expect(201);
    assert_eq!(
        (body["tenant_id"].as_i64(), body["role"].as_str()),
        (Some(second.0), Some("viewer"))
    );
    assert_eq!(body["tenants"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        anybody.post("/v1/sessions", sign_in(third.0)).await.problem(403),
        "not_a_member"
    );
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_change_anything() {
    let app = with_password().await;
    let cookie = sign_in(&app).await;
    for headers in [
        [("sec-fetch-site", "cross-site"), ("accept", "*/*")],
        [("sec-fetch-site", "same-site"), ("accept", "*/*")],
        [("origin", "https://evil.example"), ("accept", "*/*")],
    ] {
        let answer = with_cookie(&app, Method::DELETE, "/v1/sessions/current", &cookie, &headers).await;
        assert_eq!(answer.problem(403), "cross_site", "{headers:?}");
        let anybody = Caller::new(&app.url, None);
        let body = json!({"email": "ana@example.com", "password": PASSWORD});
        let request = anybody
            .request(Method::POST, "/v1/sessions")
            .header(headers[0].0, headers[0].1)
            .json(&body);
        assert_eq!(
            anybody.send(request).await.problem(403),
            "cross_site",
            "{headers:?}"
        );
    }
    // Reading is harmless, and so is what our own pages send.
    let foreign = [("sec-fetch-site", "cross-site")];
    with_cookie(&app, Method::GET, "/v1/me", &cookie, &foreign)
        .await
        .expect(200);
    let own = [("sec-fetch-site", "same-origin")];
    with_cookie(&app, Method::DELETE, "/v1/sessions/current", &cookie, &own)
        .await
        .expect(204);
}

#[tokio::test]
async fn a_session_that_was_ended_opens_nothing_and_the_others_go_on() {
    let app = with_password().await;
    let (first, second) = (sign_in(&app).await, sign_in(&app).await);
    let list = with_cookie(&app, Method::GET, "/v1/sessions", &second, &[])
        .await
        .expect(200);
    let sessions = list["items"].as_array().expect("items");
    let current: Vec<_> = sessions.iter().map(|s| s["current"].as_bool()).collect();
    assert_eq!(current, [Some(true), Some(false)], "the newest first");
    let path = format!("/v1/sessions/{}", sessions[1]["id"].as_str().expect("an id"));
    with_cookie(&app, Method::DELETE, &path, &second, &[])
        .await
        .expect(204);
    assert_eq!(
        with_cookie(&app, Method::GET, "/v1/me", &first, &[])
            .await
            .problem(401),
        "unauthenticated"
    );
    assert_eq!(
        with_cookie(&app, Method::DELETE, &path, &second, &[])
            .await
            .problem(404),
        "not_found"
    );
    let out = with_cookie(&app, Method::DELETE, "/v1/sessions/current", &second, &[]).await;
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .expect("text")
            .contains("Max-Age=0")
    );
    assert_eq!(
        with_cookie(&app, Method::GET, "/v1/me", &second, &[])
            .await
            .problem(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn nobody_ends_the_session_of_somebody_else() {
    let app = TestApp::start().await;
    let (mine, theirs) = (app.session(Role::Admin).await, app.session(Role::Viewer).await);
    let list = with_cookie(&app, Method::GET, "/v1/sessions", &theirs, &[])
        .await
        .expect(200);
    let path = format!("/v1/sessions/{}", list["items"][0]["id"].as_str().expect("an id"));
    let ended = with_cookie(&app, Method::DELETE, &path, &mine, &[]).await;
    assert_eq!(ended.problem(404), "not_found");
    app.app.gate.forget();
    with_cookie(&app, Method::GET, "/v1/me", &theirs, &[])
        .await
        .expect(200);
}

#[tokio::test]
async fn the_session_of_a_person_who_is_disabled_opens_nothing() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Viewer).await;
    app.run("update operators set disabled_at = now() where name = 'viewer'")
        .await;
    let me = with_cookie(&app, Method::GET, "/v1/me", &cookie, &[]).await;
    assert_eq!(me.problem(401), "unauthenticated");
}

#[tokio::test]
async fn a_session_in_use_lasts_and_ends_after_twelve_hours_in_any_case() {
    let app = with_password().await;
    let cookie = sign_in(&app).await;
    let mut db = app.superuser().await;
    let age = async |db: &mut sqlx::PgConnection, sql: &'static str| {
        sqlx::query(sql).execute(db).await.expect("update");
        app.app.gate.forget();
    };
    let left = "select extract(epoch from expires_at - now())::float8 / 60 from sessions";
    age(&mut db, "update sessions set last_seen_at = now() - interval '10 minutes', expires_at = now() + interval '20 minutes'").await;
    with_cookie(&app, Method::GET, "/v1/me", &cookie, &[])
        .await
        .expect(200);
    let minutes: f64 = value(&app, left).await;
    assert!((29.0..=30.0).contains(&minutes), "used again: {minutes}");
    age(&mut db, "update sessions set created_at = now() - interval '11 hours 50 minutes', last_seen_at = now() - interval '5 minutes'").await;
    with_cookie(&app, Method::GET, "/v1/me", &cookie, &[])
        .await
        .expect(200);
    let minutes: f64 = value(&app, left).await;
    assert!(
        (9.0..=10.0).contains(&minutes),
        "no longer than twelve hours: {minutes}"
    );
    age(&mut db, "update sessions set expires_at = now()").await;
    assert_eq!(
        with_cookie(&app, Method::GET, "/v1/me", &cookie, &[])
            .await
            .problem(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn a_console_that_is_left_open_goes_idle() {
    let app = with_password().await;
    let cookie = sign_in(&app).await;
    app.run("update sessions set last_seen_at = now() - interval '10 minutes', expires_at = now() + interval '20 minutes'")
        .await;
    let idle = "select extract(epoch from now() - last_seen_at)::float8 / 60 from sessions";
    app.app.gate.forget();
    for (path, header) in [
        ("/", ("muster-background", "1")),
        ("/live", ("accept", "text/event-stream")),
    ] {
        let request = Caller::new(&app.url, None)
            .request(Method::GET, path)
            .header("cookie", &cookie)
            .header(header.0, header.1);
        // A stream has no end.
        assert_eq!(request.send().await.expect("an answer").status(), 200, "{path}");
        let minutes: f64 = value(&app, idle).await;
        assert!(minutes >= 10.0, "{path} is no use: {minutes}");
        let left: f64 = value(
            &app,
            "select extract(epoch from expires_at - now())::float8 / 60 from sessions",
        )
        .await;
        assert!(left <= 20.0, "{path} is no use: {left}");
    }
    // What somebody asks for is one, also just after the page read itself again.
    with_cookie(&app, Method::GET, "/", &cookie, &[("accept", "text/html")])
        .await
        .expect(200);
    let minutes: f64 = value(&app, idle).await;
    assert!(minutes < 1.0, "it was used: {minutes}");
}

/// Signs out as a browser does; gives the cookies that are set, and what the page after it says.
async fn sign_out(app: &TestApp, cookie: &str) -> (String, String) {
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let out = browser
        .post(format!("{}/sign-out", app.url))
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .expect("an answer");
    assert_eq!(out.status(), 303);
    assert_eq!(out.headers()["location"], "/sign-in");
    let cookies: Vec<_> = out
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().expect("text"))
        .collect();
    let pairs: Vec<_> = cookies
        .iter()
        .filter_map(|cookie| cookie.split(';').next())
        .collect();
    let page = with_cookie(app, Method::GET, "/sign-in", &pairs.join("; "), &[])
        .await
        .expect(200);
    (cookies.join("\n"), page.as_str().expect("a page").to_owned())
}

#[tokio::test]
async fn whoever_signs_out_is_out_also_when_the_server_cannot_store_it() {
    let app = with_password().await;
    let cookie = sign_in(&app).await;
    for known in [true, false] {
        // Known for a moment, or to be asked for.
        app.app.gate.forget();
        if known {
            with_cookie(&app, Method::GET, "/v1/me", &cookie, &[])
                .await
                .expect(200);
        }
        app.run("revoke update on sessions from muster_app").await;
        let (set, page) = sign_out(&app, &cookie).await;
        app.run("grant update on sessions to muster_app").await;
        assert!(
            set.contains("__Host-muster=; ") && set.contains("Max-Age=0"),
            "{set}"
        );
        assert!(
            page.contains("You are signed out in this browser. The server could not store that now"),
            "{page}"
        );
        with_cookie(&app, Method::GET, "/v1/me", &cookie, &[])
            .await
            .expect(200);
    }
    let foreign = [("sec-fetch-site", "cross-site")];
    let out = with_cookie(&app, Method::POST, "/sign-out", &cookie, &foreign).await;
    assert_eq!(out.problem(403), "cross_site");
    // When it can, the session is over; once more does no harm.
    for _ in 0..2 {
        let (set, page) = sign_out(&app, &cookie).await;
        assert!(
            set.contains("__Host-muster=; ") && set.contains("Max-Age=0"),
            "{set}"
        );
        assert!(page.contains("You are signed out."), "{page}");
        let me = with_cookie(&app, Method::GET, "/v1/me", &cookie, &[]).await;
        assert_eq!(me.problem(401), "unauthenticated");
    }
}

#[tokio::test]
async fn reading_with_a_cookie_changes_nothing() {
    let app = with_password().await;
    let cookie = sign_in(&app).await;
    let changes: i64 = value(&app, "select count(*) from audit_log").await;
    for path in [
        "/v1/operators",
        "/v1/sessions",
        "/v1/bots",
        "/v1/tokens",
        "/v1/tenant",
        "/v1/audit",
        "/v1/keys",
    ] {
        with_cookie(&app, Method::GET, path, &cookie, &[])
            .await
            .expect(200);
    }
    assert_eq!(
        value::<i64>(&app, "select count(*) from audit_log").await,
        changes
    );
}
