//! People, the tenant, its keys and its health on screen.

use muster_wire::Role;
use serde_json::json;

use crate::support::{Caller, TestApp, browser::Page};

#[tokio::test]
async fn somebody_is_invited_comes_in_by_the_link_and_is_given_another_role() {
    let app = TestApp::start().await;
    for (scripts, name) in [(true, "Bea"), (false, "Cid")] {
        let page = Page::signed_in(&app, Role::Admin).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/operators").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Invite somebody").await;
        page.fill("E-mail address", "nobody@nowhere@here").await;
        page.fill("Name", name).await;
        page.fill("Role", "reviewer").await;
        page.eval("document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })")
            .await;
        page.click("Invite").await;
        page.see("this is no e-mail address").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("E-mail address", &format!("{name}@example.com")).await;
        page.click("Invite").await;
        page.see("Give this link to").await;
        page.is_accessible_unless(!scripts).await;
        let link = page.eval("document.querySelector('output').textContent").await;
        let link = link.as_str().expect("a link").to_owned();
        page.open("/operators").await;
        page.see("Invited").await;

        let theirs = Page::new(&app).await;
        theirs
            .open(link.strip_prefix(&app.url).expect("it leads here"))
            .await;
        theirs.fill("New password", "three plain words").await;
        theirs.fill("Once more", "three plain words").await;
        theirs.click("Set it").await;
        theirs
            .fill("E-mail address", &format!("{name}@example.com"))
            .await;
        theirs.fill("Password", "three plain words").await;
        theirs.click("Sign in").await;
        theirs.see("What needs somebody in First").await;
        theirs.open("/operators").await;
        theirs.see_no("Invite somebody").await;
        theirs.see_no("Invited").await;
        theirs.close().await;

        page.open("/operators").await;
        page.click(name).await;
        page.see("Decide reviews").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Role from now on", "operator").await;
        page.click("Give it").await;
        page.see(&format!("{name} is operator now.")).await;
        page.click("End it").await;
        page.see(&format!("{name} is no member any more.")).await;
        page.close().await;
    }
}

#[tokio::test]
async fn nobody_is_given_more_than_the_giver_has_and_the_last_owner_stays() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Admin).await;
    page.open(&format!("/operators/{}", app.owner_id)).await;
    page.see("What this person may do").await;
    page.see_no("Give it").await;
    page.close().await;
    let owner = Page::signed_in(&app, Role::Owner).await;
    owner.expect_complaint("status of 422");
    owner.open(&format!("/operators/{}", app.owner_id)).await;
    owner.click("End it").await;
    owner.see("this is the last owner").await;
    owner.is_accessible().await;
    owner.close().await;
    // The form of an admin that says more than its page offers.
    let cookie = app.session(Role::Admin).await;
    let browser = Caller::new(&app.url, None);
    let request = browser
        .request(reqwest::Method::POST, "/operators")
        .header("cookie", &cookie)
        .form(&[("email", "x@example.com"), ("name", "X"), ("role", "owner")]);
    assert_eq!(browser.send(request).await.problem(403), "more_than_own");
}

#[tokio::test]
async fn the_tenant_is_named_and_limited_by_its_owner() {
    let app = TestApp::start().await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Owner).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/administration").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Requests a minute of all programs together", "0").await;
        page.click("Save").await;
        page.see("this is from 1 to 100000000").await;
        page.fill("Requests a minute of all programs together", "5000")
            .await;
        page.fill("Name of the tenant", "<b>First</b>").await;
        page.click("Save").await;
        page.see("The tenant is changed.").await;
        page.see("What holds for everybody in <b>First</b>").await;
        page.close().await;
    }
    let viewer = Page::signed_in(&app, Role::Viewer).await;
    viewer.open("/administration").await;
    viewer.see_no("Save").await;
    viewer.see_no("Keys").await;
    viewer.is_accessible().await;
    viewer.close().await;
}

#[tokio::test]
async fn a_change_of_the_tenant_is_refused_when_somebody_else_changed_it_meanwhile() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Owner).await;
    page.expect_complaint("status of 422");
    page.open("/administration").await;
    app.owner
        .patch("/v1/tenant", json!({"name": "Second thoughts"}))
        .await
        .expect(200);
    page.fill("Name of the tenant", "Third").await;
    page.click("Save").await;
    page.see("has changed since it was read").await;
    page.click("Save").await;
    page.see("The tenant is changed.").await;
    page.close().await;
}

#[tokio::test]
async fn keys_are_exchanged_and_the_progress_is_seen() {
    let app = TestApp::start().await;
    let new = json!({"scheme": "http", "host": "p.example.com", "port": 80, "provider": "P", "location": "DE",
        "monthly_cost": "5", "password": "a secret of a proxy"});
    app.owner.post("/v1/proxies", new).await.expect(201);
    let page = Page::signed_in(&app, Role::Owner).await;
    page.open("/administration/keys").await;
    page.see("All by the newest").await;
    page.is_accessible().await;
    page.click("Exchange it").await;
    page.see("Key 2 seals from now on").await;
    page.see("0 secrets going on").await;
    page.is_accessible().await;
    // The page follows by itself.
    page.see("All by the newest").await;
    page.see("1 secret done").await;

    // One that does not open is told, and stands in nobody's way.
    app.run("update proxies set password_encrypted = decode('000000000001', 'hex') || password_encrypted")
        .await;
    page.click("Exchange it").await;
    page.see("Some did not open").await;
    page.see("1 secret did not open").await;
    page.see("Exchange it").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_when_it_is_asked() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Admin).await;
        if !scripts {
            page.scripts_off().await;
        }
        app.run("set session_replication_role = replica; update models set total_accounts = 2")
            .await;
        page.open("/administration/health").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Examine now").await;
        // The tests' own database is one that could lose what it has acknowledged, and the doctor says so.
        page.see("fsync is off").await;
        page.see_no("model_counters").await;
        page.is_accessible_unless(!scripts).await;
        app.run("set session_replication_role = replica; update models set total_accounts = 77")
            .await;
        page.click("Examine again").await;
        page.see("model_counters").await;
        page.see("models whose counters are not the numbers of their accounts")
            .await;
        page.is_accessible_unless(!scripts).await;
        page.close().await;
    }
}
