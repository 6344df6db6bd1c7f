//! Texts through the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    models::model,
    support::{Caller, TestApp, hostile, value},
};

fn full(model: i64) -> Value {
    json!({"model_id": model, "content_type": "bio", "text_content": "Hello from {{city}}", "is_template": true})
}

async fn text(caller: &Caller, body: Value) -> i64 {
    let made = caller.post("/v1/texts", body).await.expect(201);
    made["id"].as_i64().expect("an id")
}

#[tokio::test]
async fn a_text_is_read_as_it_was_made() {
    let app = TestApp::start().await;
    let body = full(model(&app.owner, "North Side").await);
    let made = app.owner.post("/v1/texts", body.clone()).await.expect(201);
    for (field, value) in body.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(
        (&made["model"], &made["success_rate"]),
        (&json!("North Side"), &json!("0"))
    );
    assert_eq!(made["created_by"], format!("operator:{}", app.owner_id));
    let read = app.owner.get(&format!("/v1/texts/{}", made["id"])).await;
    assert_eq!(
        read.headers["etag"].to_str().ok(),
        Some(format!("\"{}\"", made["version"]).as_str())
    );
    assert_eq!(read.expect(200), made);
}

#[tokio::test]
async fn a_text_of_a_model_that_is_not_there_is_refused() {
    let app = TestApp::start().await;
    let id = text(&app.owner, full(model(&app.owner, "Mine").await)).await;
    let (_, neighbour) = app.other_tenant().await;
    let foreign = model(&neighbour, "Theirs").await;
    for refused in [
        app.owner.post("/v1/texts", full(foreign)).await,
        app.owner
            .patch(&format!("/v1/texts/{id}"), json!({"model_id": foreign}))
            .await,
    ] {
        assert_eq!(refused.body["errors"][0]["pointer"], "/model_id");
        assert_eq!(refused.problem(422), "invalid");
    }
    let refused = app.owner.get("/v1/texts?filter=model:Theirs").await;
    assert_eq!(refused.body["errors"][0]["code"], "unknown_model");
}

#[tokio::test]
async fn a_change_of_a_text_leaves_the_rest() {
    let app = TestApp::start().await;
    let path = format!(
        "/v1/texts/{}",
        text(&app.owner, full(model(&app.owner, "North").await)).await
    );
    let changed = app
        .owner
        .patch(&path, json!({"content_type": "story"}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["content_type"], &changed["text_content"]),
        (&json!("story"), &json!("Hello from {{city}}"))
    );
    assert_eq!(
        app.owner
            .patch(&path, json!({"text_content": null}))
            .await
            .problem(422),
        "invalid"
    );
    assert_eq!(
        app.owner
            .patch(&path, json!({"text_content": ""}))
            .await
            .problem(422),
        "invalid"
    );
    app.owner.delete(&path).await.expect(204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
    let written: Value = value(
        &app,
        "select jsonb_agg(action order by at) from audit_log where object_type = 'text'",
    )
    .await;
    assert_eq!(written, json!(["text.create", "text.update", "text.delete"]));
}

#[tokio::test]
async fn a_text_has_ten_thousand_characters_whatever_their_bytes() {
    let app = TestApp::start().await;
    let mut body = full(model(&app.owner, "North").await);
    body["text_content"] = json!("🏔".repeat(10_000));
    text(&app.owner, body.clone()).await;
    body["text_content"] = json!("a".repeat(10_001));
    assert_eq!(app.owner.post("/v1/texts", body).await.problem(422), "invalid");
}

#[tokio::test]
async fn texts_are_listed_by_model_type_template_use_and_words() {
    let app = TestApp::start().await;
    let (north, south) = (
        model(&app.owner, "North Side").await,
        model(&app.owner, "South").await,
    );
    let a = text(&app.owner, full(north)).await;
    let plain = json!({"model_id": south, "content_type": "post", "text_content": "Goodbye"});
    let b = text(&app.owner, plain).await;
    sqlx::query("update text_pools set usage_count = 1 where id = $1")
        .bind(b)
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    let ids = async |filter: &str| {
        let page = app
            .owner
            .get(&format!("/v1/texts?filter={filter}"))
            .await
            .expect(200);
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|item| item["id"].as_i64().expect("an id"))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [a, b]);
    assert_eq!(ids("model:%22North%20Side%22").await, [a]);
    assert_eq!(ids(&format!("model:{south}%20type:post")).await, [b]);
    assert_eq!(ids("template:yes%20unused:yes").await, [a]);
    assert_eq!(ids("template:no%20unused:no").await, [b]);
    assert_eq!(ids("hello").await, [a]);
}

#[tokio::test]
async fn a_new_text_ends_the_wait_of_the_accounts_that_had_none() {
    let app = TestApp::start().await;
    let north = model(&app.owner, "North").await;
    crate::models::account_warming_up(&app, north).await;
    sqlx::query("update work_queue set state = 'held', hold = 'pool_empty'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    text(&app.owner, full(north)).await;
    assert_eq!(
        value::<Option<String>>(&app, "select hold from work_queue").await,
        None
    );
}

#[tokio::test]
async fn hostile_requests_to_texts_are_refused_by_name() {
    let app = TestApp::start().await;
    let valid = full(model(&app.owner, "Mine").await);
    let path = format!("/v1/texts/{}", text(&app.owner, valid.clone()).await);
    let (_, neighbour) = app.other_tenant().await;
    let foreign = text(&neighbour, full(model(&neighbour, "Theirs").await)).await;
    hostile::list(&app.owner, "/v1/texts").await;
    hostile::body(&app.owner, Method::POST, "/v1/texts", &valid).await;
    hostile::body(&app.owner, Method::PATCH, &path, &valid).await;
    hostile::if_match(&app.owner, Method::PATCH, &path, Some(&valid)).await;
    hostile::if_match(&app.owner, Method::DELETE, &path, None).await;
    hostile::ids(&app.owner, Method::GET, "/v1/texts/{id}", None, foreign).await;
    hostile::ids(&app.owner, Method::PATCH, "/v1/texts/{id}", Some(&valid), foreign).await;
    hostile::ids(&app.owner, Method::DELETE, "/v1/texts/{id}", None, foreign).await;
    neighbour.get(&format!("/v1/texts/{foreign}")).await.expect(200);
}
