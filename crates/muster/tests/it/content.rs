//! Content through the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    models::model,
    support::{Caller, TestApp, hostile, value},
};

fn full(model: i64) -> Value {
    json!({
        "model_id": model, "content_type": "story", "image_url": "https://cdn.example.com/a.jpg",
        "text_content": "Hello {{city}}", "is_template": true, "order_priority": 3,
    })
}

async fn content(caller: &Caller, body: Value) -> i64 {
    let made = caller.post("/v1/content", body).await.expect(201);
    made["id"].as_i64().expect("an id")
}

#[tokio::test]
async fn content_is_read_as_it_was_made() {
    let app = TestApp::start().await;
    let body = full(model(&app.owner, "North Side").await);
    let made = app.owner.post("/v1/content", body.clone()).await.expect(201);
    for (field, value) in body.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!(made["model"], "North Side");
    assert_eq!(
        (&made["usage_count"], &made["success_rate"]),
        (&json!(0), &json!("0"))
    );
    assert_eq!(
        (&made["last_used_at"], &made["created_by"]),
        (&Value::Null, &json!(format!("operator:{}", app.owner_id)))
    );
    let read = app.owner.get(&format!("/v1/content/{}", made["id"])).await;
    assert_eq!(
        read.headers["etag"].to_str().ok(),
        Some(format!("\"{}\"", made["version"]).as_str())
    );
    assert_eq!(read.expect(200), made);
}

#[tokio::test]
async fn content_of_a_model_that_is_not_there_is_refused() {
    let app = TestApp::start().await;
    let id = content(&app.owner, full(model(&app.owner, "Mine").await)).await;
    let (_, neighbour) = app.other_tenant().await;
    let foreign = model(&neighbour, "Theirs").await;
    for refused in [
        app.owner.post("/v1/content", full(foreign)).await,
        app.owner.post("/v1/content", full(i64::MAX)).await,
        app.owner
            .patch(&format!("/v1/content/{id}"), json!({"model_id": foreign}))
            .await,
    ] {
        let fault = &refused.body["errors"][0];
        assert_eq!(
            (&fault["pointer"], &fault["code"]),
            (&json!("/model_id"), &json!("unknown_model"))
        );
        assert_eq!(refused.problem(422), "invalid");
    }
}

#[tokio::test]
async fn a_change_of_content_leaves_the_rest_and_moves_it_between_models() {
    let app = TestApp::start().await;
    let (north, south) = (model(&app.owner, "North").await, model(&app.owner, "South").await);
    let path = format!("/v1/content/{}", content(&app.owner, full(north)).await);
    let changed = app
        .owner
        .patch(&path, json!({"model_id": south, "text_content": null}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["model"], &changed["text_content"]),
        (&json!("South"), &Value::Null)
    );
    assert_eq!(
        (&changed["order_priority"], &changed["is_template"]),
        (&json!(3), &json!(true))
    );
    app.owner.delete(&path).await.expect(204);
    assert_eq!(app.owner.get(&path).await.problem(404), "not_found");
    let written: Value = value(
        &app,
        "select jsonb_agg(jsonb_build_array(action, before->'model', after->'model') order by at)
        from audit_log where object_type = 'content'",
    )
    .await;
    assert_eq!(
        written,
        json!([
            ["content.create", null, "North"],
            ["content.update", "North", "South"],
            ["content.delete", "South", null]
        ])
    );
}

#[tokio::test]
async fn content_is_listed_by_model_type_template_use_and_words() {
    let app = TestApp::start().await;
    let (north, south) = (
        model(&app.owner, "North Side").await,
        model(&app.owner, "South").await,
    );
    let a = content(&app.owner, full(north)).await;
    let mut plain = full(south);
    (plain["is_template"], plain["content_type"], plain["text_content"]) =
        (json!(false), json!("pfp"), Value::Null);
    plain["image_url"] = json!("https://cdn.example.com/Blue.jpg");
    let b = content(&app.owner, plain).await;
    sqlx::query("update model_content set usage_count = 3, success_count = 2 where id = $1")
        .bind(b)
        .execute(&mut app.superuser().await)
        .await
        .expect("update");
    let ids = async |filter: &str| {
        let page = app
            .owner
            .get(&format!("/v1/content?filter={filter}"))
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
    assert_eq!(ids(&format!("model:{south}")).await, [b]);
    assert_eq!(ids("type:pfp").await, [b]);
    assert_eq!(ids("template:yes").await, [a]);
    assert_eq!(ids("template:no").await, [b]);
    assert_eq!(ids("unused:yes").await, [a]);
    assert_eq!(ids("unused:no").await, [b]);
    assert_eq!(ids("hello").await, [a]);
    assert_eq!(ids("blue").await, [b]);
    let used = app.owner.get(&format!("/v1/content/{b}")).await.expect(200);
    assert_eq!(
        (&used["usage_count"], &used["success_rate"]),
        (&json!(3), &json!("66.67"))
    );
}

#[tokio::test]
async fn a_list_of_content_of_an_unknown_model_says_so() {
    let app = TestApp::start().await;
    let (_, neighbour) = app.other_tenant().await;
    let foreign = model(&neighbour, "Theirs").await;
    for named in ["Nowhere".to_owned(), "Theirs".to_owned(), foreign.to_string()] {
        let refused = app.owner.get(&format!("/v1/content?filter=model:{named}")).await;
        assert_eq!(refused.body["errors"][0]["code"], "unknown_model", "{named}");
        assert_eq!(refused.problem(422), "invalid");
    }
}

#[tokio::test]
async fn only_web_addresses_are_pictures() {
    let app = TestApp::start().await;
    let model = model(&app.owner, "North Side").await;
    let long = format!("https://example.com/{}", "a".repeat(481));
    for bad in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "/a.jpg",
        "",
        "https://",
        long.as_str(),
    ] {
        let mut body = full(model);
        body["image_url"] = json!(bad);
        let refused = app.owner.post("/v1/content", body).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/image_url", "{bad}");
        assert_eq!(refused.problem(422), "invalid");
    }
    let mut body = full(model);
    body["image_url"] = json!(&long[..500]);
    content(&app.owner, body).await;
}

#[tokio::test]
async fn hostile_requests_to_content_are_refused_by_name() {
    let app = TestApp::start().await;
    let valid = full(model(&app.owner, "Mine").await);
    let path = format!("/v1/content/{}", content(&app.owner, valid.clone()).await);
    let (_, neighbour) = app.other_tenant().await;
    let foreign = content(&neighbour, full(model(&neighbour, "Theirs").await)).await;
    hostile::list(&app.owner, "/v1/content").await;
    hostile::body(&app.owner, Method::POST, "/v1/content", &valid).await;
    hostile::body(&app.owner, Method::PATCH, &path, &valid).await;
    hostile::if_match(&app.owner, Method::PATCH, &path, Some(&valid)).await;
    hostile::if_match(&app.owner, Method::DELETE, &path, None).await;
    hostile::ids(&app.owner, Method::GET, "/v1/content/{id}", None, foreign).await;
    hostile::ids(
        &app.owner,
        Method::PATCH,
        "/v1/content/{id}",
        Some(&valid),
        foreign,
    )
    .await;
    hostile::ids(&app.owner, Method::DELETE, "/v1/content/{id}", None, foreign).await;
    neighbour.get(&format!("/v1/content/{foreign}")).await.expect(200);
}
