//! The audit log: what it tells, to whom, page by page and as a file.

use muster_wire::Role;
use serde_json::{Value, json};

use crate::support::{TestApp, value};

fn actions(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|e| e["action"].as_str().expect("an action"))
        .collect()
}

#[tokio::test]
async fn the_log_is_paged_without_a_gap_or_a_double_also_within_one_moment() {
    let app = TestApp::start().await;
    sqlx::query(
        "insert into audit_log (tenant_id, at, triggered_by, action, object_type) \
         select $1, now() - (n / 10) * interval '1 second', 'system', 'test.' || n, 'test' from generate_series(1, 50) n",
    )
    .bind(app.tenant.0)
    .execute(&mut app.superuser().await)
    .await
    .expect("entries");
    let (mut seen, mut times, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = app
            .owner
            .get(&format!("/v1/audit?filter=action:test&limit=7{cursor}"))
            .await
            .expect(200);
        for entry in page["items"].as_array().expect("items") {
            seen.push(entry["action"].as_str().expect("an action").to_owned());
            times.push(
                entry["at"]
                    .as_str()
                    .expect("a time")
                    .parse::<chrono::DateTime<chrono::Utc>>()
                    .expect("a time"),
            );
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(times.is_sorted_by(|a, b| a >= b), "the newest first");
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), times.len()), (50, 50));
    assert_eq!(
        app.owner.get("/v1/audit?cursor=MTo3").await.problem(422),
        "invalid"
    );
}

#[tokio::test]
async fn the_log_is_filtered_by_actor_action_object_request_and_age() {
    let app = TestApp::start().await;
    let admin = app.person(Role::Admin).await;
    let id = admin.get("/v1/me").await.expect(200)["operator_id"].clone();
    let made = admin.post("/v1/bots", json!({"name": "b1"})).await;
    let request = made.headers["x-request-id"].to_str().expect("text").to_owned();
    let bot = made.expect(201)["id"].clone();
    app.owner.delete(&format!("/v1/bots/{bot}")).await.expect(204);
    sqlx::query("insert into audit_log (tenant_id, at, triggered_by, action, object_type) values ($1, now() - interval '3 days', 'scheduler', 'old.thing', 'thing')")
        .bind(app.tenant.0)
        .execute(&mut app.superuser().await)
        .await
        .expect("an entry");
    for (filter, expected) in [
        (format!("actor:operator:{id}"), vec!["bot.create"]),
        (format!("object:bot:{bot}"), vec!["bot.delete", "bot.create"]),
        ("object:bot action:bot.delete".to_owned(), vec!["bot.delete"]),
        (format!("request:{request}"), vec!["bot.create"]),
        ("since:>2d".to_owned(), vec!["old.thing"]),
        ("actor:scheduler".to_owned(), vec!["old.thing"]),
        (
            "action:bot since:<2d".to_owned(),
            vec!["bot.delete", "bot.create"],
        ),
        // Part of a word is not the word.
        ("action:bo".to_owned(), vec![]),
    ] {
        let query = [("filter", &filter)];
        let list = app
            .owner
            .send(app.owner.request(reqwest::Method::GET, "/v1/audit").query(&query))
            .await
            .expect(200);
        assert_eq!(actions(&list), expected, "{filter}");
    }
    assert_eq!(
        app.owner
            .get("/v1/audit?filter=actor:anna%20colour:red")
            .await
            .expect(422)["errors"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn an_entry_says_who_did_what_from_where_and_what_was_before() {
    let app = TestApp::start().await;
    let bot = app
        .owner
        .post("/v1/bots", json!({"name": "b1"}))
        .await
        .expect(201)["id"]
        .clone();
    app.owner
        .patch(&format!("/v1/bots/{bot}"), json!({"name": "b2"}))
        .await
        .expect(200);
    let list = app
        .owner
        .get("/v1/audit?filter=action:bot.update")
        .await
        .expect(200);
    let entry = &list["items"][0];
    assert_eq!(
        (entry["triggered_by"].as_str(), entry["operator_id"].as_i64()),
        (Some("user"), Some(app.owner_id.0))
    );
    assert_eq!(
        (&entry["before"]["name"], &entry["after"]["name"]),
        (&json!("b1"), &json!("b2"))
    );
    assert_eq!(
        (entry["address"].as_str(), entry["object_id"].as_str()),
        (Some("127.0.0.1"), Some(bot.to_string().as_str()))
    );
}

#[tokio::test]
async fn the_log_is_for_those_who_administer_and_of_their_tenant_only() {
    let app = TestApp::start().await;
    app.bot("b1").await;
    let (_, other) = app.other_tenant().await;
    let theirs = other.get("/v1/audit?filter=action:bot").await.expect(200);
    assert!(actions(&theirs).is_empty(), "{theirs}");
    let exported = other.get("/v1/audit/export?filter=action:bot").await.expect(200);
    assert_eq!(exported, "");
    for role in [Role::Viewer, Role::Reviewer, Role::Operator] {
        let caller = app.person(role).await;
        assert_eq!(caller.get("/v1/audit").await.problem(403), "forbidden");
        assert_eq!(caller.get("/v1/audit/export").await.problem(403), "forbidden");
    }
}

#[tokio::test]
async fn an_export_is_whole_and_is_written_down_itself() {
    let app = TestApp::start().await;
    sqlx::query(
        "insert into audit_log (tenant_id, triggered_by, action, object_type) \
         select $1, 'system', 'test.' || n, 'test' from generate_series(1, 2500) n",
    )
    .bind(app.tenant.0)
    .execute(&mut app.superuser().await)
    .await
    .expect("entries");
    let answer = app.owner.get("/v1/audit/export?filter=object:test").await;
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let body = answer.expect(200);
    let mut names: Vec<String> = body
        .as_str()
        .expect("lines")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object")["action"].to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 2500);
    assert_eq!(
        value::<i64>(
            &app,
            "select count(*) from audit_log where action = 'audit.export'"
        )
        .await,
        1
    );
}
