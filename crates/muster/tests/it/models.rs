//! Models through the API.

use muster_wire::{AccountId, Role};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Caller, TestApp, hostile, value};

/// Makes a model, and gives its id.
pub async fn model(caller: &Caller, name: &str) -> i64 {
    let made = caller.post("/v1/models", json!({"name": name})).await.expect(201);
    made["id"].as_i64().expect("an id")
}

fn full(name: &str) -> Value {
    json!({
        "name": name, "description": "North of the river", "status": "paused", "unfollow_ratio": 10,
        "daily_follow_limit": 7, "posting_schedule": {"mon": ["09:00"]}, "people_steps": ["post_post", "change_pfp"],
    })
}

/// An account of this model that is being warmed up.
pub async fn account_warming_up(app: &TestApp, model: i64) -> AccountId {
    let mut db = app.superuser().await;
    let id: i64 = sqlx::query_scalar(
        "insert into accounts (tenant_id, username, email, model_id, authorisation_basis)
        values ($1, 'ana', 'ana@example.com', $2, 'owned') returning id",
    )
    .bind(app.tenant.0)
    .bind(model)
    .fetch_one(&mut db)
    .await
    .expect("an account");
    for change in [
        "insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost)
        select tenant_id, 'http', 'p.example.com', 8080, 'p', 'l', 1 from accounts where id = $1",
        "update accounts set proxy_id = (select id from proxies), lifecycle_state = 'proxy_assigned' where id = $1",
        "update accounts set lifecycle_state = 'warming_up', warmup_started_at = now() where id = $1",
    ] {
        sqlx::query(change).bind(id).execute(&mut db).await.expect(change);
    }
    AccountId(id)
}

#[tokio::test]
async fn a_model_is_read_as_it_was_made() {
    let app = TestApp::start().await;
    let made = app.owner.post("/v1/models", full("North Side")).await.expect(201);
    let read = app.owner.get(&format!("/v1/models/{}", made["id"])).await;
    assert_eq!(
        read.headers["etag"].to_str().ok(),
        Some(format!("\"{}\"", made["version"]).as_str())
    );
    assert_eq!(read.expect(200), made);
    let mut expected = full("North Side");
    expected["people_steps"] = json!(["change_pfp", "post_post"]);
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(
        (&made["total_accounts"], &made["active_accounts"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn what_a_new_model_does_not_say_is_as_usual() {
    let app = TestApp::start().await;
    let made = app
        .owner
        .post("/v1/models", json!({"name": "Plain"}))
        .await
        .expect(201);
    let usual = json!({
        "description": null, "status": "active", "unfollow_ratio": 90, "daily_follow_limit": 50,
        "posting_schedule": {}, "people_steps": [],
    });
    for (field, value) in usual.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_model_made_twice_with_one_key_is_made_once() {
    let app = TestApp::start().await;
    let create = |name: &str| {
        let request = app
            .owner
            .request(Method::POST, "/v1/models")
            .header("idempotency-key", "k1");
        app.owner.send(request.json(&json!({"name": name})))
    };
    let first = create("North Side").await.expect(201);
    assert_eq!(create("North Side").await.expect(201), first);
    assert_eq!(create("South Side").await.problem(422), "key_reused");
}

#[tokio::test]
async fn a_taken_name_is_refused_and_the_cure_is_told() {
    let app = TestApp::start().await;
    model(&app.owner, "North Side").await;
    let other = model(&app.owner, "South Side").await;
    let refused = app.owner.post("/v1/models", json!({"name": "North Side"})).await;
    let detail = refused.body["detail"].as_str().unwrap_or_default().to_owned();
    assert!(
        detail.contains("North Side") && detail.contains("choose another name"),
        "{detail}"
    );
    assert_eq!(refused.problem(409), "already_exists");
    let renamed = app
        .owner
        .patch(&format!("/v1/models/{other}"), json!({"name": "North Side"}))
        .await;
    assert_eq!(renamed.problem(409), "already_exists");
    let (_, neighbour) = app.other_tenant().await;
    model(&neighbour, "North Side").await;
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name_and_clears_what_is_null() {
    let app = TestApp::start().await;
    let made = app.owner.post("/v1/models", full("North Side")).await.expect(201);
    let path = format!("/v1/models/{}", made["id"]);
    let same = app.owner.patch(&path, json!({})).await.expect(200);
    for field in full("").as_object().expect("an object").keys() {
        assert_eq!(same[field], made[field], "{field}");
    }
    let changed = app
        .owner
        .patch(&path, json!({"description": null, "people_steps": []}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["description"], &changed["people_steps"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(changed["posting_schedule"], made["posting_schedule"]);
    let refused = app.owner.patch(&path, json!({"name": null})).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/name");
    assert_eq!(refused.problem(422), "invalid");
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let app = TestApp::start().await;
    let path = format!("/v1/models/{}", model(&app.owner, "North Side").await);
    let tag = app.owner.get(&path).await.headers["etag"].clone();
    let change = |limit: i32| {
        let request = app
            .owner
            .request(Method::PATCH, &path)
            .header("if-match", tag.clone());
        app.owner
            .send(request.json(&json!({"daily_follow_limit": limit})))
    };
    change(1).await.expect(200);
    assert_eq!(change(2).await.problem(412), "changed");
    assert_eq!(app.owner.get(&path).await.expect(200)["daily_follow_limit"], 1);
}

#[tokio::test]
async fn of_two_changes_of_one_version_that_meet_one_is_done() {
    let app = TestApp::start().await;
    let path = format!("/v1/models/{}", model(&app.owner, "North Side").await);
    let tag = app.owner.get(&path).await.headers["etag"].clone();
    let change = |limit: i32| {
        let request = app
            .owner
            .request(Method::PATCH, &path)
            .header("if-match", tag.clone());
        app.owner
            .send(request.json(&json!({"daily_follow_limit": limit})))
    };
    // Somebody holds the row until both changes wait for it.
    let mut holder = app.superuser().await;
    sqlx::raw_sql("begin; select id from models for update")
        .execute(&mut holder)
        .await
        .expect("the row is held");
    let meet = async {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        while value::<i64>(&app, waiting).await < 2 {}
        sqlx::raw_sql("commit")
            .execute(&mut holder)
            .await
            .expect("the row is let go");
    };
    let (one, other, ()) = futures_util::join!(change(1), change(2), meet);
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}

#[tokio::test]
async fn models_are_listed_by_status_and_words_page_by_page() {
    let app = TestApp::start().await;
    for name in ["North Side", "South side", "East"] {
        model(&app.owner, name).await;
    }
    app.owner
        .post("/v1/models", full("Paused side"))
        .await
        .expect(201);
    let names = async |query: &str| {
        let page = app.owner.get(&format!("/v1/models?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        let names: Vec<_> = items
            .iter()
            .map(|model| model["name"].as_str().expect("a name").to_owned())
            .collect();
        (names, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(
        names("filter=side%20status:active").await.0,
        ["North Side", "South side"]
    );
    assert_eq!(names("filter=status:paused").await.0, ["Paused side"]);
    assert_eq!(
        names("filter=%25").await.0,
        [""; 0],
        "a percent sign is no wildcard"
    );
    let (first, next) = names("limit=3").await;
    assert_eq!(first, ["North Side", "South side", "East"]);
    let next = next.expect("there is more");
    assert_eq!(
        names(&format!("limit=3&cursor={next}")).await,
        (vec!["Paused side".to_owned()], None)
    );
}

#[tokio::test]
async fn a_model_with_accounts_is_not_deleted() {
    let app = TestApp::start().await;
    let id = model(&app.owner, "North Side").await;
    let path = format!("/v1/models/{id}");
    account_warming_up(&app, id).await;
    let refused = app.owner.delete(&path).await;
    let detail = refused.body["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.starts_with("1 accounts belong to"), "{detail}");
    assert_eq!(refused.problem(409), "has_accounts");
    sqlx::query("update accounts set model_id = null")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    app.owner.delete(&path).await.expect(204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_paused_model_holds_its_work_until_it_is_resumed() {
    let app = TestApp::start().await;
    let id = model(&app.owner, "North Side").await;
    account_warming_up(&app, id).await;
    let hold = async || value::<Option<String>>(&app, "select hold from work_queue").await;
    assert_eq!(hold().await, None);
    let because = json!({"reason": "The client asked for a break"});
    let paused = app
        .owner
        .post(&format!("/v1/models/{id}/pause"), because.clone())
        .await
        .expect(200);
    assert_eq!(paused["status"], "paused");
    assert_eq!(hold().await.as_deref(), Some("model_not_active"));
    let resumed = app
        .owner
        .post(&format!("/v1/models/{id}/resume"), because)
        .await
        .expect(200);
    assert_eq!(resumed["status"], "active");
    assert_eq!(hold().await, None);
    assert_eq!(
        value::<String>(&app, "select reason from audit_log where action = 'model.pause'").await,
        "The client asked for a break"
    );
}

#[tokio::test]
async fn every_change_of_a_model_is_in_the_audit_log_with_before_and_after() {
    let app = TestApp::start().await;
    let operator = app.person(Role::Operator).await;
    let path = format!("/v1/models/{}", model(&operator, "North Side").await);
    operator
        .patch(&path, json!({"daily_follow_limit": 9}))
        .await
        .expect(200);
    operator.delete(&path).await.expect(204);
    let written: Value = value(
        &app,
        "select jsonb_agg(jsonb_build_array(action, before->'daily_follow_limit', after->'daily_follow_limit') order by at)
        from audit_log where object_type = 'model' and triggered_by = 'user' and operator_id is not null",
    )
    .await;
    assert_eq!(
        written,
        json!([
            ["model.create", null, 50],
            ["model.update", 50, 9],
            ["model.delete", 9, null]
        ])
    );
}

#[tokio::test]
async fn hostile_requests_to_models_are_refused_by_name() {
    let app = TestApp::start().await;
    let path = format!("/v1/models/{}", model(&app.owner, "Mine").await);
    let (_, neighbour) = app.other_tenant().await;
    let foreign = model(&neighbour, "Theirs").await;
    let (valid, because) = (full("Valid"), json!({"reason": "why"}));
    hostile::list(&app.owner, "/v1/models").await;
    hostile::body(&app.owner, Method::POST, "/v1/models", &valid).await;
    hostile::body(&app.owner, Method::PATCH, &path, &valid).await;
    hostile::body(&app.owner, Method::POST, &format!("{path}/pause"), &because).await;
    hostile::if_match(&app.owner, Method::PATCH, &path, Some(&valid)).await;
    hostile::if_match(&app.owner, Method::DELETE, &path, None).await;
    hostile::ids(&app.owner, Method::GET, "/v1/models/{id}", None, foreign).await;
    hostile::ids(
        &app.owner,
        Method::PATCH,
        "/v1/models/{id}",
        Some(&valid),
        foreign,
    )
    .await;
    hostile::ids(&app.owner, Method::DELETE, "/v1/models/{id}", None, foreign).await;
    hostile::ids(
        &app.owner,
        Method::POST,
        "/v1/models/{id}/pause",
        Some(&because),
        foreign,
    )
    .await;
    assert_eq!(
        neighbour.get(&format!("/v1/models/{foreign}")).await.expect(200)["name"],
        "Theirs"
    );
    assert_eq!(app.owner.get(&path).await.expect(200)["name"], "Mine");
}

#[tokio::test]
async fn all_faults_of_a_model_are_told_at_once() {
    let app = TestApp::start().await;
    let refused = app
        .owner
        .post(
            "/v1/models",
            json!({"name": "", "unfollow_ratio": -1, "daily_follow_limit": 1001, "posting_schedule": {"a": "\0"}}),
        )
        .await;
    let faults: Vec<_> = refused.body["errors"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| {
            (
                fault["pointer"].as_str().expect("where").to_owned(),
                fault["code"].as_str().expect("what").to_owned(),
            )
        })
        .collect();
    let expected = [
        ("/name", "length"),
        ("/unfollow_ratio", "range"),
        ("/daily_follow_limit", "range"),
        ("/posting_schedule", "nul"),
    ];
    assert_eq!(
        faults,
        expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned()))
    );
}
