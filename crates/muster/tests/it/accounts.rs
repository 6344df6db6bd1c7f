//! Accounts: made, changed, found; their secrets, holds and lists.

use muster_wire::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    lifecycle::{authorised, lead, model},
    support::{Caller, TestApp, value},
};

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|a| a["username"].as_str().expect("a name"))
        .collect()
}

async fn found(caller: &Caller, filter: &str) -> Value {
    let query = [("filter", filter)];
    let request = caller.request(Method::GET, "/v1/accounts").query(&query);
    caller.send(request).await.expect(200)
}

#[tokio::test]
async fn an_account_is_made_and_shown_without_its_secrets() {
    let app = TestApp::start().await;
    let new = json!({"username": "ana.1", "email": "ana@example.com", "password": "CANARY-1", "access_token": "CANARY-2",
        "location_city": "Lisbon", "birthday": "1999-12-31", "device_info": {"kind": "phone"}});
    let made = app.owner.post("/v1/accounts", new).await.expect(201);
    let path = format!("/v1/accounts/{}", made["id"]);
    let answer = app.owner.get(&path).await;
    assert_eq!(
        answer.headers["etag"],
        format!("\"{}\"", made["version"]).as_str()
    );
    let shown = answer.expect(200);
    assert_eq!(shown, made);
    assert!(!shown.to_string().contains("CANARY"), "{shown}");
    assert_eq!(shown["has_password"], true);
    assert_eq!(shown["lifecycle_state"], "imported");
    assert_eq!(shown["hold"]["code"], "authorisation_lapsed");
    assert_eq!(shown["actions"], json!(["assign_proxy", "retire"]));
    assert_eq!(shown["birthday"], "1999-12-31");
    let told: i64 = value(
        &app,
        "select count(*) from audit_log where after::text like '%CANARY%'",
    )
    .await;
    let plain: i64 = value(
        &app,
        "select count(*) from accounts where position('CANARY' in encode(password_encrypted, 'escape')) > 0",
    )
    .await;
    assert_eq!((told, plain), (0, 0));
}

#[tokio::test]
async fn all_faults_of_an_account_are_told_at_once() {
    let app = TestApp::start().await;
    let answer = app
        .owner
        .post(
            "/v1/accounts",
            json!({"username": "@Ana", "email": "x", "model_id": 77, "location_city": ""}),
        )
        .await
        .expect(422);
    let pointers: Vec<_> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| &e["pointer"])
        .collect();
    assert_eq!(pointers, ["/username", "/email", "/email", "/location_city"]);
    let no_model = json!({"username": "ana", "email": "a@b", "model_id": 77});
    assert_eq!(
        app.owner.post("/v1/accounts", no_model).await.expect(422)["errors"][0]["code"],
        "no_such_model"
    );
}

#[tokio::test]
async fn a_user_name_is_taken_once_in_a_tenant_and_says_nothing_of_others() {
    let app = TestApp::start().await;
    let new = json!({"username": "ana", "email": "a@example.com"});
    let made = app.owner.post("/v1/accounts", new.clone()).await.expect(201);
    assert_eq!(
        app.owner.post("/v1/accounts", new.clone()).await.problem(409),
        "username_taken"
    );
    let (_, other) = app.other_tenant().await;
    other.post("/v1/accounts", new).await.expect(201);
    let path = format!("/v1/accounts/{}", made["id"]);
    assert_eq!(other.get(&path).await.problem(404), "not_found");
    for list in ["history", "attempts", "authorisations"] {
        assert_eq!(
            other.get(&format!("{path}/{list}")).await.problem(404),
            "not_found"
        );
    }
    assert_eq!(
        other.patch(&path, json!({"email": "x@y"})).await.problem(404),
        "not_found"
    );
    let retire = json!({"event": "retire"});
    assert_eq!(
        other
            .post(&format!("{path}/transitions"), retire)
            .await
            .problem(404),
        "not_found"
    );
    let bulk = json!({"event": "retire", "ids": [made["id"]]});
    let moved = other.post("/v1/accounts/transitions", bulk).await.expect(200);
    assert_eq!(moved["refused"][0]["code"], "not_found");
}

#[tokio::test]
async fn a_change_of_what_has_changed_meanwhile_is_refused() {
    let app = TestApp::start().await;
    let id = authorised(&app, "ana").await;
    let path = format!("/v1/accounts/{id}");
    let tag = app.owner.get(&path).await.headers["etag"].clone();
    let change = |tag: &reqwest::header::HeaderValue, body: Value| {
        let request = app.owner.request(Method::PATCH, &path);
        app.owner.send(request.header("if-match", tag).json(&body))
    };
    let changed = change(
        &tag,
        json!({"email": "new@example.com", "bio": "hello", "password": "CANARY"}),
    )
    .await
    .expect(200);
    assert_eq!(changed["email"], "new@example.com");
    assert_eq!(changed["has_password"], true);
    assert_eq!(
        change(&tag, json!({"email": "old@example.com"}))
            .await
            .problem(412),
        "changed"
    );
    let cleared = app
        .owner
        .patch(&path, json!({"bio": null, "password": null}))
        .await
        .expect(200);
    assert_eq!(
        (&cleared["bio"], &cleared["has_password"]),
        (&Value::Null, &json!(false))
    );
    let audited: Value = value(
        &app,
        "select jsonb_agg(jsonb_build_array(before, after) order by at) from audit_log where action = 'account.update'",
    )
    .await;
    assert_eq!(
        audited,
        json!([
            [
                {"email": "ana@example.com"},
                {"email": "new@example.com", "bio": "hello", "password": "set"}
            ],
            [{"bio": "hello"}, {"bio": null, "password": "cleared"}]
        ])
    );
}

#[tokio::test]
async fn what_an_owner_reveals_is_what_was_sealed_and_is_written_down() {
    let app = TestApp::start().await;
    let new = json!({"username": "ana", "email": "a@example.com", "password": "pass-1"});
    let made = app.owner.post("/v1/accounts", new).await.expect(201);
    let path = format!("/v1/accounts/{}/reveal", made["id"]);
    let why = json!({"reason": "the client asks for it"});
    let shown = app.owner.post(&path, why.clone()).await.expect(200);
    assert_eq!(
        (&shown["password"], &shown["access_token"]),
        (&json!("pass-1"), &Value::Null)
    );
    let admin = app.person(Role::Admin).await;
    assert_eq!(admin.post(&path, why).await.problem(403), "forbidden");
    assert_eq!(
        app.owner.post(&path, json!({"reason": " "})).await.problem(422),
        "invalid"
    );
    let audited: Value = value(
        &app,
        "select jsonb_agg(jsonb_build_array(operator_id, object_id, reason, after)) from audit_log \
         where action = 'account.reveal'",
    )
    .await;
    let row = json!([
        app.owner_id.0,
        made["id"].to_string(),
        "the client asks for it",
        null
    ]);
    assert_eq!(audited, json!([row]));
}

#[tokio::test]
async fn every_qualifier_finds_what_it_says_and_counts_it() {
    let app = TestApp::start().await;
    let north = model(&app, "North Side").await;
    let plain = json!({"username": "zoe", "email": "z@example.com"});
    app.owner.post("/v1/accounts", plain).await.expect(201);
    for name in ["ana", "ann", "bob"] {
        authorised(&app, name).await;
    }
    let id_of = |name: &'static str| {
        let app = &app;
        async move {
            let page = found(&app.owner, name).await;
            page["items"][0]["id"].as_i64().expect("an id")
        }
    };
    let (ana, ann, bob) = (id_of("ana").await, id_of("ann").await, id_of("bob").await);
    let patch = async |id: i64, body: Value| {
        let path = format!("/v1/accounts/{id}");
        app.owner.patch(&path, body).await.expect(200)
    };
    patch(ana, json!({"model_id": north})).await;
    patch(
        ann,
        json!({"status": "banned", "authorisation_expires_at": "2020-01-01T00:00:00Z"}),
    )
    .await;
    let soon = chrono::Utc::now() + chrono::Duration::days(10);
    patch(bob, json!({"model_id": north, "authorisation_expires_at": soon})).await;
    lead(&app, bob, "human_review").await;
    sqlx::query("update accounts set state_changed_at = now() - interval '3 days' where id = $1")
        .bind(ana)
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    let proxy: i64 = value(&app, "select max(proxy_id) from accounts").await;
    let by_proxy = format!("proxy:{proxy}");
    let by_id = format!("model:{north}");
    let cases: &[(&str, &[&str])] = &[
        ("", &["zoe", "ana", "ann", "bob"]),
        (r#"model:"North Side""#, &["ana", "bob"]),
        (&by_id, &["ana", "bob"]),
        ("model:none", &["zoe", "ann"]),
        ("state:imported", &["zoe", "ana", "ann"]),
        ("state:human_review", &["bob"]),
        ("status:banned", &["ann"]),
        (&by_proxy, &["bob"]),
        ("proxy:none", &["zoe", "ana", "ann"]),
        ("step:5", &["bob"]),
        ("step:post_post", &["bob"]),
        ("step:2", &[]),
        ("stuck:>2d", &["ana"]),
        ("stuck:<2d", &["zoe", "ann", "bob"]),
        ("authorisation:none", &["zoe"]),
        ("authorisation:lapsed", &["ann"]),
        ("authorisation:<30d", &["bob"]),
        ("authorisation:>30d", &["ana"]),
        ("authorisation:>1d", &["ana", "bob"]),
        ("review:yes", &[]),
        ("review:no state:human_review", &["bob"]),
        ("hold:none", &["ana", "bob"]),
        ("hold:account_not_active", &["ann"]),
        ("hold:authorisation_lapsed", &["zoe"]),
        ("@AN", &["ana", "ann"]),
        ("an status:active", &["ana"]),
    ];
    for (filter, expected) in cases {
        let page = found(&app.owner, filter).await;
        assert_eq!(names(&page), *expected, "{filter}");
        let query = [("filter", filter)];
        let request = app.owner.request(Method::GET, "/v1/accounts/count");
        let count = app.owner.send(request.query(&query)).await.expect(200);
        assert_eq!(count["count"], expected.len(), "{filter}");
    }
    for (filter, code) in [
        ("colour:red", "unknown_qualifier"),
        ("step:6", "not_understood"),
        ("authorisation:soon", "not_understood"),
        ("hold:tired", "not_understood"),
        ("model:South", "no_such_model"),
    ] {
        let request = app.owner.request(Method::GET, "/v1/accounts");
        let answer = app.owner.send(request.query(&[("filter", filter)])).await;
        assert_eq!(answer.expect(422)["errors"][0]["code"], code, "{filter}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = TestApp::start().await;
    for name in ["a", "b", "c", "d", "e"] {
        authorised(&app, name).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/accounts?limit=2".to_owned());
    loop {
        let page = app.owner.get(&path).await.expect(200);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/accounts?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_hold_is_shown_while_its_cause_lasts_and_ends_with_it() {
    let app = TestApp::start().await;
    let id = authorised(&app, "ana").await;
    let north = model(&app, "North").await;
    let path = format!("/v1/accounts/{id}");
    let hold = || async { app.owner.get(&path).await.expect(200)["hold"]["code"].clone() };
    let patch = async |body: Value| app.owner.patch(&path, body).await.expect(200);
    assert_eq!(hold().await, "no_model");
    patch(json!({"model_id": north})).await;
    assert_eq!(hold().await, Value::Null);
    lead(&app, id, "warming_up").await;
    let shown = app.owner.get(&path).await.expect(200);
    assert_eq!(shown["progress"]["name"], "change_pfp");
    assert_eq!(shown["progress"]["attempt"], 1);
    let mut db = app.superuser().await;
    for (sql, code) in [
        ("update models set status = 'paused'", json!("model_not_active")),
        ("update models set status = 'active'", Value::Null),
        ("update proxies set status = 'error'", json!("proxy_not_active")),
        ("update proxies set status = 'active'", Value::Null),
        (
            "update work_queue set state = 'held', hold = 'pool_empty'",
            json!("pool_empty"),
        ),
        (
            "update accounts set authorisation_expires_at = now()",
            json!("authorisation_lapsed"),
        ),
        (
            "update accounts set status = 'suspended'",
            json!("account_not_active"),
        ),
    ] {
        sqlx::query(sql).execute(&mut db).await.expect("update");
        assert_eq!(hold().await, code, "{sql}");
    }
    let held = found(&app.owner, "hold:account_not_active").await;
    assert_eq!(names(&held), ["ana"]);
}

#[tokio::test]
async fn past_imported_an_authorisation_can_lapse_but_not_be_withdrawn_and_each_is_kept() {
    let app = TestApp::start().await;
    let id = authorised(&app, "ana").await;
    let path = format!("/v1/accounts/{id}");
    let patch = |body: Value| app.owner.patch(&path, body);
    patch(json!({"authorisation_basis": null})).await.expect(200);
    patch(json!({"authorisation_basis": "employee"}))
        .await
        .expect(200);
    lead(&app, id, "proxy_assigned").await;
    assert_eq!(
        patch(json!({"authorisation_basis": null})).await.problem(409),
        "authorisation_needed"
    );
    patch(json!({"authorisation_expires_at": "2020-01-01T00:00:00Z"}))
        .await
        .expect(200);
    let kept = app
        .owner
        .get(&format!("{path}/authorisations?limit=3"))
        .await
        .expect(200);
    let bases: Vec<_> = kept["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|a| &a["basis"])
        .collect();
    assert_eq!(bases, [&json!("employee"), &json!("employee"), &Value::Null]);
    assert_eq!(kept["items"][0]["operator_id"], app.owner_id.0);
    let next = kept["next"].as_str().expect("there is one more");
    let rest = app
        .owner
        .get(&format!("{path}/authorisations?cursor={next}"))
        .await
        .expect(200);
    assert_eq!(rest["items"][0]["basis"], "owned");
}
