//! Proxies on screen: the map, testing now, what would become of the accounts of one, and what they cost.

use muster::config::ServeSettings;
use muster_wire::{Role, proxies::Scheme};
use serde_json::json;

use crate::{
    probe::{Proxy, mirror, unused_port},
    support::{TestApp, browser::Page},
};

#[tokio::test]
async fn the_map_shows_how_each_proxy_is_and_what_they_cost() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/proxies").await;
    page.see("No proxies yet").await;
    let model = app.warm_accounts(7).await;
    app.run(format!(
        "update proxies set status = 'error', last_tested_at = now(), last_error_message = 'no <way> through'
            where host like 'proxy1.%';
         update proxies set location = 'New York', monthly_cost = 30 where host like 'proxy2.%';
         update proxies set assigned_model_id = {model} where host like 'proxy3.%'"
    ))
    .await;
    page.open("/proxies").await;
    for seen in [
        "3 proxies; 7 of 9 places taken; 32.00 a month.",
        "In error, 3 of 3 places taken",
        "Never tested, 1 of 3 places taken",
        "New York",
        "Any model",
    ] {
        page.see(seen).await;
    }
    page.is_accessible().await;
    page.click("In error").await;
    page.arrives("/proxies?filter=status%3Aerror").await;
    page.see("proxy1.").await;
    page.see_no("proxy2.").await;
    page.click("New York").await;
    page.see("proxy2.").await;
    page.see_no("proxy1.").await;
    page.fill("Filter", "colour:red").await;
    page.press("Enter").await;
    page.see("colour: is not known here").await;
    page.is_accessible().await;
    page.open("/proxies?filter=status:error").await;
    page.eval("document.querySelector('.tile a').click()").await;
    page.see("no <way> through").await;
    page.see("Accounts on it").await;
    page.see_no("Test now").await;
    page.is_accessible().await;
    page.close().await;
}

#[tokio::test]
async fn proxies_are_tested_when_somebody_wants_to_know() {
    let target = mirror().await;
    let proxy = Proxy::start(Scheme::Http, None).await;
    let dead = unused_port();
    let app = TestApp::start_with(ServeSettings {
        probe_target: format!("http://127.0.0.1:{}/ip", target.port)
            .parse()
            .expect("a target"),
        probe_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ServeSettings::default()
    })
    .await;
    for port in [proxy.port, dead] {
        let new = json!({"scheme": "http", "host": "127.0.0.1", "port": port, "provider": "P", "location": "DE",
            "monthly_cost": "5"});
        app.owner.post("/v1/proxies", new).await.expect(201);
    }
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/proxies").await;
        page.click("Test these 2").await;
        page.see("Tested 2 proxies: 1 passed, 1 failed.").await;
        page.open("/proxies?filter=status:error").await;
        page.click(&format!("127.0.0.1:{dead} DE In error, 0 of 3 places taken"))
            .await;
        page.click("Test now").await;
        page.see("The test failed:").await;
        page.close().await;
    }
}

#[tokio::test]
async fn what_a_proxy_leaves_behind_is_seen_before_it_is_retired() {
    let app = TestApp::start().await;
    app.warm_accounts(4).await;
    let first = app.look("select min(id) from proxies").await.expect("a proxy");
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open(&format!("/proxies/{first}")).await;
    page.click("What if I retire this").await;
    page.see("1 account finds no place elsewhere").await;
    page.see("Nothing has been done yet").await;
    page.click("Cancel").await;
    page.open(&format!("/proxies/{first}/retire")).await;
    page.is_accessible().await;
    let still = app
        .look(format!(
            "select account_count from proxies where id = {first} and status = 'active'"
        ))
        .await;
    assert_eq!(still.as_deref(), Some("3"), "looking changed something");
    page.scripts_off().await;
    page.open(&format!("/proxies/{first}/retire")).await;
    page.click("Retire it").await;
    page.see("2 accounts moved to other proxies. 1 account found no place and wait on it.")
        .await;
    page.click("Put back into use").await;
    page.see("is in use again").await;
    page.close().await;
}

#[tokio::test]
async fn a_page_of_the_map_is_small_however_many_proxies_there_are() {
    let app = TestApp::start().await;
    app.run(format!(
        "insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost)
         select {}, 'http', 'a-rather-long-name-' || g || '.of.a.provider.example.com', 10000 + g, 'Provider ' || g % 90,
            'Some City ' || g % 400, g % 37 from generate_series(1, 40000) g",
        app.tenant.0
    ))
    .await;
    app.run("analyze proxies").await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open("/proxies").await;
    page.is_small().await;
    page.see("The next 120").await;
    page.click("The next 120").await;
    page.see("a-rather-long-name-121.").await;
    page.click("From the beginning").await;
    page.see("a-rather-long-name-1.").await;
    page.close().await;
}

#[tokio::test]
async fn the_capacity_is_told_to_programs_too() {
    let app = TestApp::start().await;
    let none = app.owner.get("/v1/proxies/capacity").await.expect(200);
    assert_eq!(none["total"]["proxies"], 0);
    let model = app.warm_accounts(4).await;
    app.run(format!(
        "update proxies set assigned_model_id = {model}, location = 'Lyon' where id = (select min(id) from proxies);
         update proxies set status = 'inactive' where id = (select max(id) from proxies)"
    ))
    .await;
    let capacity = app.owner.get("/v1/proxies/capacity").await.expect(200);
    assert_eq!(
        capacity["total"],
        json!({"proxies": 2, "failed": 0, "inactive": 1, "accounts": 4, "places": 4, "monthly_cost": "2.00"})
    );
    assert_eq!(capacity["models"].as_array().map(Vec::len), Some(2));
    let lyon = json!({"name": "Lyon", "proxies": 1, "failed": 0, "inactive": 0, "accounts": 3, "places": 3, "monthly_cost": "1.00"});
    assert!(
        capacity["locations"]
            .as_array()
            .is_some_and(|all| all.contains(&lyon)),
        "{capacity}"
    );
}

#[tokio::test]
async fn a_proxy_is_added_and_changed_and_its_password_never_comes_out() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    for scripts in [true, false] {
        app.run("delete from proxies where host like 'gate%'").await;
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        let hidden = async || {
            let html = page.eval("document.documentElement.outerHTML").await.to_string();
            assert!(!html.contains("CANARY"), "a password is on the page");
        };
        page.open("/proxies").await;
        page.click("Add a proxy").await;
        page.fill("Host", "http://gate").await;
        page.fill("Password, where it asks for one", "CANARY-1").await;
        page.fill("Provider", "<b>Acme</b>").await;
        page.fill("Cost a month", "much").await;
        page.click("Add it").await;
        for fault in [
            "give a host name or an address alone",
            "a port is a number",
            "a monthly cost is a number",
            "give 1 to 100 characters",
        ] {
            page.see(fault).await;
        }
        hidden().await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Host", "gate.example.com").await;
        page.fill("Port", "8080").await;
        page.fill("User name, where it asks for one", "ana").await;
        page.fill("Password, where it asks for one", "CANARY-1").await;
        page.fill("Location", "Bath").await;
        page.fill("Cost a month", "12.50").await;
        page.fill("Kept for", &model.to_string()).await;
        page.click("Add it").await;
        page.see("The proxy is added.").await;
        page.see("as ana, with a password").await;
        page.see("<b>Acme</b>").await;
        hidden().await;
        page.click("Change it").await;
        page.see("Another password").await;
        hidden().await;
        page.is_accessible_unless(!scripts).await;
        let sealed = "select encode(password_encrypted, 'hex') from proxies where host = 'gate.example.com'";
        let before = app.look(sealed).await;
        page.fill("Location", "Wells").await;
        page.click("Save").await;
        page.see("The proxy is changed.").await;
        page.see("Wells").await;
        assert_eq!(
            app.look(sealed).await,
            before,
            "a password that was not written changed"
        );
        page.click("Change it").await;
        page.click("Forget the password that is kept").await;
        page.click("Save").await;
        page.see("without a password").await;
        // Changed since it was shown.
        page.click("Change it").await;
        page.see("Change gate.example.com:8080").await;
        app.run("update proxies set location = 'Ely' where host = 'gate.example.com'")
            .await;
        page.expect_complaint("status of 412");
        page.fill("Location", "Rye").await;
        page.click("Save").await;
        page.see("Change gate.example.com:8080").await;
        assert_eq!(
            app.look("select location from proxies where host = 'gate.example.com'")
                .await
                .as_deref(),
            Some("Ely")
        );
        page.close().await;
    }
}
