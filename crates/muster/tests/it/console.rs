//! The console itself: signing in and out, the frame of every page, what it refuses, and that nobody else can send its forms.

use muster::access::{ENDPOINTS, SESSION_COOKIE};
use muster_wire::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    Caller, TestApp,
    browser::{Page, Window},
};

const PASSWORD: &str = "three plain words";

async fn password_link(app: &TestApp) -> String {
    let path = format!("/v1/operators/{}/password-link", app.owner_id);
    let link = app.owner.post(&path, json!({})).await.expect(201);
    format!("/password?token={}", link["token"].as_str().expect("a token"))
}

/// From the link that the first start prints to the first page, as the owner goes.
async fn comes_in(app: &TestApp, page: &Page) {
    page.open(&password_link(app).await).await;
    page.fill("New password", PASSWORD).await;
    page.fill("Once more", "three plain wards").await;
    page.click("Set it").await;
    page.see("this is another one than above").await;
    page.fill("New password", PASSWORD).await;
    page.fill("Once more", PASSWORD).await;
    page.click("Set it").await;
    page.see("Your password is set").await;
    page.fill("E-mail address", "ana@example.com").await;
    page.fill("Password", "wrong, I think").await;
    page.click("Sign in").await;
    page.see("the e-mail address or the password is wrong").await;
    page.fill("Password", PASSWORD).await;
    page.click("Sign in").await;
    page.arrives("/").await;
    page.see("What needs somebody in First").await;
}

#[tokio::test]
async fn the_first_owner_comes_in_by_the_link_and_leaves_again() {
    let app = TestApp::start().await;
    for scripts in [true, false] {
        let page = Page::new(&app).await;
        // Forms that are refused are answered with 422, which the browser notes.
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        comes_in(&app, &page).await;
        page.open("/profile").await;
        page.see("This one").await;
        page.click("Sign out").await;
        page.see("You are signed out").await;
        page.open("/profile").await;
        page.arrives("/sign-in?next=%2Fprofile").await;
        page.close().await;
    }
}

#[tokio::test]
async fn the_pages_of_signing_in_are_accessible() {
    let app = TestApp::start().await;
    let page = Page::new(&app).await;
    page.open("/sign-in").await;
    page.is_accessible().await;
    page.open(&password_link(&app).await).await;
    page.is_accessible().await;
    page.sign_in(&app, Role::Owner).await;
    page.open("/profile").await;
    page.is_accessible().await;
    page.expect_complaint("status of 404");
    page.open("/nowhere").await;
    page.see("there is no such path").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn on_a_phone_the_screens_are_behind_a_menu() {
    let app = TestApp::start().await;
    let page = Page::with(&app, Window::Phone).await;
    page.sign_in(&app, Role::Viewer).await;
    page.open("/profile").await;
    page.click("Menu").await;
    page.click("Today").await;
    page.arrives("/").await;
    page.close().await;
}

#[tokio::test]
async fn a_person_of_several_tenants_chooses_and_changes() {
    let app = TestApp::start().await;
    let (second, _) = app.other_tenant().await;
    sqlx::query("insert into memberships (tenant_id, operator_id, role) values ($1, $2, 'viewer')")
        .bind(second.0)
        .bind(app.owner_id.0)
        .execute(&mut app.superuser().await)
        .await
        .expect("a membership");
    let name = app
        .look(format!("select name from tenants where id = {second}"))
        .await
        .expect("a name");
    let page = Page::signed_in(&app, Role::Owner).await;
    page.open("/profile").await;
    page.click("Go to another tenant").await;
    page.click(&format!("Enter {name}")).await;
    page.see(&format!("What needs somebody in {name}")).await;
    page.open("/profile").await;
    page.see("viewer in").await;
    page.close().await;
}

#[tokio::test]
async fn an_api_token_opens_no_session_in_another_tenant() {
    let app = TestApp::start().await;
    let (second, _) = app.other_tenant().await;
    sqlx::query("insert into memberships (tenant_id, operator_id, role) values ($1, $2, 'owner')")
        .bind(second.0)
        .bind(app.owner_id.0)
        .execute(&mut app.superuser().await)
        .await
        .expect("a membership");
    let form = app
        .owner
        .request(Method::POST, "/tenants/enter")
        .form(&[("tenant", second.0)]);
    let answer = app.owner.send(form).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_is_over() {
    let app = TestApp::start().await;
    let (here, there) = (
        Page::signed_in(&app, Role::Owner).await,
        Page::signed_in(&app, Role::Owner).await,
    );
    there.open("/profile").await;
    here.open("/profile").await;
    here.click("End").await;
    here.see("That session is over").await;
    there.open("/profile").await;
    there.arrives("/sign-in").await;
    here.close().await;
    there.close().await;
}

fn pages() -> impl Iterator<Item = &'static muster::access::Endpoint> {
    ENDPOINTS
        .iter()
        .filter(|e| !e.path.starts_with("/v1/") && !e.path.starts_with("/docs"))
}

fn concrete(path: &str) -> String {
    let part = |part: &'static str| if part.starts_with('{') { "1" } else { part };
    let path: &'static str = Box::leak(path.to_owned().into_boxed_str());
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn no_form_is_taken_from_another_site() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    for endpoint in pages().filter(|e| e.method == "POST") {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://elsewhere.example"),
            ("origin", "null"),
        ] {
            let request = browser
                .request(Method::POST, &concrete(endpoint.path))
                .header("cookie", &cookie)
                .header(name, value)
                .form(&[("id", "1")]);
            let what = format!("{} with {name}: {value}", endpoint.path);
            assert_eq!(browser.send(request).await.problem(403), "cross_site", "{what}");
        }
    }
}

#[tokio::test]
async fn every_page_says_what_it_may_load_and_is_kept_by_nobody() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Owner).await;
    let browser = Caller::new(&app.url, None);
    for endpoint in pages().filter(|e| e.method == "GET") {
        if ["/healthz", "/readyz", "/metrics", "/assets/{file}", "/live"].contains(&endpoint.path) {
            continue;
        }
        let request = browser
            .request(Method::GET, &concrete(endpoint.path))
            .header("cookie", &cookie)
            .header("accept", "text/html");
        let answer = browser.send(request).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap_or_default().to_owned();
        let policy = header("content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "{}",
            endpoint.path
        );
        assert_eq!(header("x-content-type-options"), "nosniff", "{}", endpoint.path);
        assert_eq!(header("cache-control"), "no-store", "{}", endpoint.path);
        assert_eq!(header("referrer-policy"), "no-referrer", "{}", endpoint.path);
        let html = answer.body.as_str().expect("a page");
        assert!(html.len() < 100_000, "{} has {} bytes", endpoint.path, html.len());
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="),
            "{} has inline styles or scripts",
            endpoint.path
        );
    }
}

#[tokio::test]
async fn files_are_kept_for_ever_because_their_names_change_with_them() {
    let app = TestApp::start().await;
    let anybody = Caller::new(&app.url, None);
    for path in [
        muster::console::assets::style(),
        muster::console::assets::script(),
        muster::console::assets::icons(),
        muster::console::assets::mark(),
    ] {
        let answer = anybody.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(
            answer.headers["cache-control"],
            "public, max-age=31536000, immutable"
        );
    }
    anybody.get("/assets/console-000000000000.css").await.problem(404);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_where_they_can_and_back() {
    let app = TestApp::start().await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let get = |path: &str| {
        http.get(format!("{}{path}", app.url))
            .header("accept", "text/html")
    };
    let answer = get("/profile").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/sign-in?next=%2Fprofile");
    for elsewhere in [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
    ] {
        let next: String = url_encoded(elsewhere);
        let page = get(&format!("/sign-in?next={next}"))
            .send()
            .await
            .expect("an answer");
        let html = page.text().await.expect("a page");
        assert!(html.contains(r#"name="next" value="/""#), "{elsewhere}: {html}");
    }
    // A program is told, not led.
    let told = Caller::new(&app.url, None).get("/profile").await.problem(401);
    assert_eq!(told, "unauthenticated");
    assert!(!SESSION_COOKIE.is_empty());
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
