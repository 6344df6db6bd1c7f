//! Proxies: their data, their secrets, and that tests of them decide about work.

use muster::config::ServeSettings;
use muster_wire::{Role, proxies::Scheme};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    probe::{Proxy, mirror, unused_port},
    support::{Answer, Caller, TestApp, value},
};

const CANARY: &str = "CANARY-7f3a";

fn new(host: &str, port: u16) -> Value {
    json!({
        "scheme": "http", "host": host, "port": port, "username": "u", "password": CANARY,
        "provider": "Acme", "location": "Berlin", "monthly_cost": "9.90"
    })
}

async fn create(caller: &Caller, body: Value) -> i64 {
    let made = caller.post("/v1/proxies", body).await.expect(201);
    made["id"].as_i64().expect("an id")
}

async fn patch_if(caller: &Caller, path: &str, etag: &str, body: Value) -> Answer {
    let request = caller
        .request(Method::PATCH, path)
        .header("if-match", etag)
        .json(&body);
    caller.send(request).await
}

#[tokio::test]
async fn a_proxy_is_made_shown_changed_and_deleted_and_its_password_never_shown() {
    let app = TestApp::start().await;
    let made = app
        .owner
        .post("/v1/proxies", new("P.example.com", 8080))
        .await
        .expect(201);
    assert_eq!(
        (
            &made["host"],
            &made["has_password"],
            &made["monthly_cost"],
            &made["max_accounts"]
        ),
        (&json!("p.example.com"), &json!(true), &json!("9.90"), &json!(3))
    );
    assert_eq!(
        app.owner
            .post("/v1/proxies", new("p.example.com", 8080))
            .await
            .problem(409),
        "already_exists"
    );
    let path = format!("/v1/proxies/{}", made["id"]);
    let got = app.owner.get(&path).await;
    let etag = got.headers["etag"].to_str().expect("text").to_owned();
    let seen = got.expect(200);
    let changed = patch_if(
        &app.owner,
        &path,
        &etag,
        json!({"username": null, "location": "Paris"}),
    )
    .await
    .expect(200);
    assert_eq!(
        (changed.get("username"), &changed["location"]),
        (None, &json!("Paris"))
    );
    assert_eq!(changed["has_password"], true, "what is not named stays");
    let late = patch_if(&app.owner, &path, &etag, json!({"location": "Rome"})).await;
    assert_eq!(late.problem(412), "changed");
    let cleared = app
        .owner
        .patch(&path, json!({"password": null}))
        .await
        .expect(200);
    assert_eq!(cleared["has_password"], false);
    app.owner
        .patch(&path, json!({"password": CANARY}))
        .await
        .expect(200);
    let listed = app.owner.get("/v1/proxies").await.expect(200);
    let log: Vec<Value> =
        sqlx::query_scalar("select to_jsonb(l) from audit_log l where object_type = 'proxy' order by at")
            .fetch_all(&mut app.superuser().await)
            .await
            .expect("the log");
    assert_eq!(log.len(), 4, "{log:#?}");
    for told in [&made, &seen, &changed, &listed, &Value::from(log)] {
        assert!(!told.to_string().contains(CANARY), "{told}");
    }
    assert_eq!(app.owner.delete(&path).await.status, 204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
}

#[tokio::test]
async fn all_faults_of_a_proxy_are_told_at_once() {
    let app = TestApp::start().await;
    let bad = json!({
        "scheme": "http", "host": "http://x:1/", "port": 0, "username": "", "password": "", "provider": "",
        "location": "a\u{7}", "monthly_cost": "-1", "assigned_model_id": 999, "max_accounts": 4
    });
    let answer = app.owner.post("/v1/proxies", bad).await.expect(422);
    let pointers: Vec<_> = answer["errors"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| fault["pointer"].as_str().expect("a pointer"))
        .collect();
    assert_eq!(
        pointers,
        [
            "/host",
            "/username",
            "/provider",
            "/location",
            "/port",
            "/password",
            "/monthly_cost",
            "/max_accounts",
            "/assigned_model_id"
        ]
    );
    let id = create(&app.owner, new("p", 1)).await;
    let path = format!("/v1/proxies/{id}");
    assert_eq!(
        app.owner
            .patch(&path, json!({"status": "error"}))
            .await
            .problem(422),
        "invalid"
    );
    assert_eq!(
        app.owner.patch(&path, json!({"port": null})).await.problem(422),
        "invalid"
    );
    assert_eq!(
        app.owner
            .patch(&path, json!({"account_count": 0}))
            .await
            .problem(422),
        "invalid"
    );
    let viewer = app.person(Role::Viewer).await;
    assert_eq!(
        viewer.post("/v1/proxies", new("q", 1)).await.problem(403),
        "forbidden"
    );
    viewer.get(&path).await.expect(200);
    let (_, stranger) = app.other_tenant().await;
    assert_eq!(stranger.get(&path).await.problem(404), "not_found");
    assert_eq!(
        stranger.patch(&path, json!({"location": "x"})).await.problem(404),
        "not_found"
    );
    assert_eq!(stranger.delete(&path).await.problem(404), "not_found");
    assert_eq!(
        stranger
            .post(&format!("{path}/move"), json!({}))
            .await
            .problem(404),
        "not_found"
    );
}

#[tokio::test]
async fn a_list_shows_what_its_filter_says() {
    let app = TestApp::start().await;
    let model: i64 = value(
        &app,
        "insert into models (tenant_id, name) select id, 'North Side' from tenants returning id",
    )
    .await;
    let mut first = new("alpha.example.com", 1);
    first["assigned_model_id"] = model.into();
    let a = create(&app.owner, first).await;
    let b = create(&app.owner, new("beta.example.com", 2)).await;
    app.owner
        .patch(
            &format!("/v1/proxies/{b}"),
            json!({"status": "inactive", "location": "Paris"}),
        )
        .await
        .expect(200);
    for (filter, expected) in [
        ("", vec![a, b]),
        ("status:inactive", vec![b]),
        ("model:\"North Side\"", vec![a]),
        (&format!("model:{model}"), vec![a]),
        ("model:none", vec![b]),
        ("location:Paris provider:Acme", vec![b]),
        ("room:no", vec![]),
        ("room:yes ALPHA", vec![a]),
    ] {
        let request = app
            .owner
            .request(Method::GET, "/v1/proxies")
            .query(&[("filter", filter)]);
        let page = app.owner.send(request).await.expect(200);
        let ids: Vec<_> = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|p| p["id"].as_i64())
            .collect();
        assert_eq!(ids, expected, "{filter}");
    }
    let page = app.owner.get("/v1/proxies?limit=1").await.expect(200);
    let next = page["next"].as_str().expect("there is more");
    let page = app
        .owner
        .get(&format!("/v1/proxies?limit=1&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(
        (page["items"][0]["id"].as_i64(), page.get("next")),
        (Some(b), None)
    );
    assert_eq!(
        app.owner
            .get("/v1/proxies?filter=room:perhaps")
            .await
            .problem(422),
        "invalid"
    );
}

/// An account that is warming up on this proxy.
async fn working_on(app: &TestApp, proxy: i64) -> i64 {
    let mut db = app.superuser().await;
    let id: i64 = sqlx::query_scalar(
        "with m as (insert into models (tenant_id, name) values ($1, 'm' || $2) returning id)
         insert into accounts (tenant_id, username, email, model_id, authorisation_basis)
         select $1, 'a' || $2, 'a@example.com', m.id, 'owned' from m returning id",
    )
    .bind(app.tenant.0)
    .bind(proxy)
    .fetch_one(&mut db)
    .await
    .expect("an account");
    app.owner
        .post(&format!("/v1/accounts/{id}/proxy"), json!({"proxy_id": proxy}))
        .await
        .expect(200);
    sqlx::query(
        "update accounts set lifecycle_state = 'warming_up', warmup_started_at = now() where id = $1",
    )
    .bind(id)
    .execute(&mut db)
    .await
    .expect("it warms up");
    id
}

async fn hold(app: &TestApp, account: i64) -> (String, Option<String>) {
    sqlx::query_as("select state, hold from work_queue where account_id = $1")
        .bind(account)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("a queue row")
}

#[tokio::test]
async fn a_proxy_that_carries_accounts_is_neither_deleted_nor_narrowed() {
    let app = TestApp::start().await;
    let id = create(&app.owner, new("p", 1)).await;
    let path = format!("/v1/proxies/{id}");
    working_on(&app, id).await;
    let refused = app.owner.delete(&path).await;
    assert!(
        refused.body["detail"]
            .as_str()
            .is_some_and(|d| d.contains("/move")),
        "{refused:?}"
    );
    assert_eq!(refused.problem(409), "in_use");
    app.owner
        .patch(&path, json!({"max_accounts": 1}))
        .await
        .expect(200);
    sqlx::query("update proxies set max_accounts = 3")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    let other = create(&app.owner, new("q", 1)).await;
    let account = working_on(&app, other).await;
    app.owner
        .post(&format!("/v1/accounts/{account}/proxy"), json!({"proxy_id": id}))
        .await
        .expect(200);
    let refused = app.owner.patch(&path, json!({"max_accounts": 1})).await;
    assert!(
        refused.body["detail"]
            .as_str()
            .is_some_and(|d| d.starts_with("2 accounts")),
        "{refused:?}"
    );
    assert_eq!(refused.problem(409), "in_use");
}

#[tokio::test]
async fn a_proxy_that_fails_its_test_holds_its_work_until_it_passes() {
    let target = mirror().await;
    let app = TestApp::start_with(ServeSettings {
        probe_target: format!("http://127.0.0.1:{}/ip", target.port)
            .parse()
            .expect("a target"),
        probe_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ServeSettings::default()
    })
    .await;
    let http = Proxy::start(Scheme::Http, None).await;
    let socks = Proxy::start(Scheme::Socks5, Some(("u", CANARY))).await;
    let dead = unused_port();
    let mut body = new("127.0.0.1", dead);
    (body["username"], body["password"]) = (Value::Null, Value::Null);
    let a = create(&app.owner, body).await;
    let mut body = new("127.0.0.1", socks.port);
    body["scheme"] = "socks5".into();
    let b = create(&app.owner, body).await;
    let account = working_on(&app, a).await;
    assert_eq!(hold(&app, account).await, ("ready".to_owned(), None));

    let tested = app.owner.post("/v1/proxies/test", json!({})).await.expect(200);
    assert_eq!(
        (&tested["passed"], &tested["failed"]),
        (&json!(1), &json!(1)),
        "{tested:#}"
    );
    assert_eq!(
        (&tested["results"][0]["proxy_id"], &tested["results"][0]["status"]),
        (&json!(a), &json!("error"))
    );
    assert_eq!(tested["results"][1]["exit_ip"], "127.0.0.77");
    assert!(!tested.to_string().contains(CANARY));
    let seen = app.owner.get(&format!("/v1/proxies/{b}")).await.expect(200);
    assert_eq!(
        (&seen["status"], &seen["exit_ip"]),
        (&json!("active"), &json!("127.0.0.77"))
    );
    assert!(
        seen["last_tested_at"].is_string() && seen["last_latency_ms"].is_i64(),
        "{seen}"
    );
    assert_eq!(
        hold(&app, account).await,
        ("held".to_owned(), Some("proxy_not_active".to_owned()))
    );

    // It comes back: its address is put right, and the next test finds it working.
    app.owner
        .patch(&format!("/v1/proxies/{a}"), json!({"port": http.port}))
        .await
        .expect(200);
    let tested = app
        .owner
        .post("/v1/proxies/test", json!({"filter": "status:error"}))
        .await
        .expect(200);
    assert_eq!(
        (&tested["passed"], &tested["results"][0]["status"]),
        (&json!(1), &json!("active")),
        "{tested:#}"
    );
    assert_eq!(hold(&app, account).await, ("ready".to_owned(), None));
    let seen = app.owner.get(&format!("/v1/proxies/{a}")).await.expect(200);
    assert_eq!(seen.get("last_error_message"), None);

    // One that a person took out of use is tested, and stays so.
    let path = format!("/v1/proxies/{b}");
    app.owner
        .patch(&path, json!({"status": "inactive"}))
        .await
        .expect(200);
    let tested = app
        .owner
        .post("/v1/proxies/test", json!({"proxy_ids": [b]}))
        .await
        .expect(200);
    assert_eq!(
        (&tested["passed"], &tested["results"][0]["status"]),
        (&json!(1), &json!("inactive"))
    );
    app.owner
        .patch(&path, json!({"password": "wrong"}))
        .await
        .expect(200);
    let tested = app
        .owner
        .post("/v1/proxies/test", json!({"proxy_ids": [b]}))
        .await
        .expect(200);
    assert_eq!(
        (&tested["failed"], &tested["results"][0]["status"]),
        (&json!(1), &json!("inactive"))
    );
    let changes: Vec<String> = sqlx::query_scalar(
        "select action from audit_log where action in ('proxy.fail', 'proxy.recover') order by at",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("the log");
    assert_eq!(changes, ["proxy.fail", "proxy.recover"]);
}

#[tokio::test]
async fn a_failed_proxy_is_tested_again_when_it_is_due() {
    let target = mirror().await;
    let app = TestApp::start_with(ServeSettings {
        probe_target: format!("tcp://127.0.0.1:{}", target.port)
            .parse()
            .expect("a target"),
        probe_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ServeSettings::default()
    })
    .await;
    let proxy = Proxy::start(Scheme::Http, None).await;
    let id = create(&app.owner, new("127.0.0.1", proxy.port)).await;
    sqlx::query("update proxies set status = 'error', last_tested_at = now() - interval '4 min'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    let actor = muster::actor::Actor::scheduler(app.tenant);
    let status = async || app.owner.get(&format!("/v1/proxies/{id}")).await.expect(200)["status"].clone();
    muster::proxies::test::test_due(&app.app, &actor)
        .await
        .expect("it runs");
    assert_eq!(status().await, "error", "it is not due");
    sqlx::query("update proxies set last_tested_at = now() - interval '6 min'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    muster::proxies::test::test_due(&app.app, &actor)
        .await
        .expect("it runs");
    assert_eq!(status().await, "active");
}

#[tokio::test]
async fn a_proxy_within_the_servers_own_network_is_not_connected_to() {
    let app = TestApp::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its address").port();
    create(&app.owner, new("127.0.0.1", port)).await;
    create(&app.owner, new("169.254.169.254", 80)).await;
    let tested = app.owner.post("/v1/proxies/test", json!({})).await.expect(200);
    assert_eq!(tested["failed"], 2, "{tested:#}");
    for result in tested["results"].as_array().expect("results") {
        assert_eq!(result["status"], "error");
        assert!(
            result["error"]
                .as_str()
                .is_some_and(|e| e.contains("MUSTER_PROBE_ALLOW") || e.contains("allow")),
            "{result}"
        );
    }
    let accepted = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(accepted.is_err(), "nothing came");
}

#[tokio::test]
async fn what_a_test_found_is_not_recorded_of_a_proxy_that_was_changed_meanwhile() {
    let app = TestApp::start_with(ServeSettings {
        probe_allow: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ServeSettings::default()
    })
    .await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let id = create(&app.owner, new("127.0.0.1", port)).await;
    let path = format!("/v1/proxies/{id}");
    let change_while_tested = async {
        let (connection, _) = listener.accept().await.expect("the test connects");
        app.owner.patch(&path, json!({"port": 1})).await.expect(200);
        drop(connection);
    };
    let test = app.owner.post("/v1/proxies/test", json!({"proxy_ids": [id]}));
    let (tested, ()) = tokio::join!(test, change_while_tested);
    assert_eq!(tested.expect(200)["results"], json!([]));
    let seen = app.owner.get(&path).await.expect(200);
    assert_eq!(
        (&seen["status"], seen.get("last_tested_at")),
        (&json!("active"), None)
    );
}

#[test]
fn a_server_with_a_bad_target_or_network_for_tests_does_not_start() {
    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        _settings: ServeSettings,
    }
    use clap::Parser;
    for (flag, bad, word) in [
        ("--probe-target", "ftp://example.com", "not a target"),
        ("--probe-target", "tcp://example.com", "not a target"),
        ("--probe-allow", "10.0.0.0/99", "10.0.0.0/99"),
    ] {
        let error = Command::try_parse_from(["muster", flag, bad])
            .expect_err(bad)
            .to_string();
        assert!(error.contains(word) && error.contains(flag), "{error}");
    }
    assert!(Command::try_parse_from(["muster"]).is_ok());
}
