//! Content on screen: how long it lasts, pictures and texts, what becomes of a template, and duplicates.

use muster_wire::Role;
use serde_json::json;

use crate::support::{Caller, TestApp, browser::Page};

#[tokio::test]
async fn coverage_says_how_long_what_a_model_has_lasts() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/content").await;
    page.see("No models here").await;
    let model = app.warm_accounts(1).await;
    app.run(format!(
        "update model_content set usage_count = 1, success_count = 1, last_used_at = now() - interval '2 days'
            where content_type = 'story' and id in (
                select id from model_content where content_type = 'story' and model_id = {model} order by id limit 5);
         update text_pools set usage_count = 4, success_count = 3, last_used_at = now() where content_type = 'bio';
         delete from model_content where content_type = 'highlight'"
    ))
    .await;
    page.open("/content").await;
    for seen in [
        "7 days",
        "Running out",
        "All used before",
        "75 %",
        "Empty",
        "no use lately",
        "Enough",
    ] {
        page.see(seen).await;
    }
    page.is_accessible().await;
    page.click("Stories").await;
    page.arrives("/content/pictures?filter=model").await;
    page.see("Unused").await;
    page.see_no("New picture").await;
    page.close().await;
    let coverage = app.owner.get("/v1/content/coverage").await.expect(200);
    let story = coverage["items"]
        .as_array()
        .and_then(|items| items.iter().find(|item| item["pool"] == "story"))
        .cloned();
    let name = app
        .look(format!("select name from models where id = {model}"))
        .await;
    assert_eq!(
        story,
        Some(
            json!({"model_id": model, "model": name, "pool": "story", "items": 10, "unused": 5,
            "used_last_week": 5, "uses": 5, "completed": 5})
        )
    );
}

#[tokio::test]
async fn a_text_is_written_with_its_preview_changed_and_deleted() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    app.run("update accounts set location_city = '<b>Bath</b>'").await;
    let account = app
        .look("select min(username) from accounts")
        .await
        .expect("an account");
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/content/texts").await;
        page.click("New text").await;
        page.click("Save").await;
        page.see("this has 1 to 10000 characters").await;
        page.click("It is a template: its variables are filled in for each account")
            .await;
        page.fill("Text", "tea in {city}, says {username}").await;
        if scripts {
            page.see(&format!("tea in <b>Bath</b>, says {account}")).await;
            page.is_accessible().await;
        } else {
            page.click("Preview").await;
            page.see(&format!("tea in <b>Bath</b>, says {account}")).await;
            assert_eq!(
                app.look("select count(*) from text_pools where text_content like 'tea%'")
                    .await
                    .as_deref(),
                Some("0"),
                "a preview made it"
            );
        }
        page.click("Save").await;
        page.see("has one text more.").await;
        page.open("/content/texts?filter=template:yes").await;
        page.see("tea in {city}, says {username}").await;
        if scripts {
            page.is_accessible().await;
        }
        page.click("tea in {city}, says {username}").await;
        page.fill("Text", "coffee in {city}").await;
        page.click("Save").await;
        page.see("The text is changed.").await;
        page.see("coffee in <b>Bath</b>").await;
        page.click("Delete it").await;
        page.see("The text is deleted.").await;
        page.close().await;
    }
}

#[tokio::test]
async fn a_picture_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/content/pictures").await;
        if scripts {
            page.is_accessible().await;
        }
        page.click("New picture").await;
        page.fill("For", "story").await;
        page.fill("Order", "5").await;
        page.eval("document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })")
            .await;
        page.fill("Address of the picture", "javascript:alert(1)").await;
        page.click("Save").await;
        page.see("https://").await;
        if scripts {
            page.is_accessible().await;
        }
        page.fill("Address of the picture", "https://pictures.example.com/new.jpg")
            .await;
        page.fill("Text with it", "<i>hello</i>").await;
        page.click("Save").await;
        page.see("has one picture more.").await;
        page.open("/content/pictures?filter=hello").await;
        page.see("<i>hello</i>").await;
        page.eval("document.querySelector('.picture a').click()").await;
        page.see("Delete it").await;
        if scripts {
            page.is_accessible().await;
        }
        page.fill("Text with it", "good bye").await;
        page.click("Save").await;
        page.see("The picture is changed.").await;
        page.click("Delete it").await;
        page.see("The picture is deleted.").await;
        page.close().await;
    }
}

#[tokio::test]
async fn what_a_model_has_twice_is_found() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    let text = |text: &str, kind: &str| json!({"model_id": model, "content_type": kind, "text_content": text, "is_template": true});
    let mut ids = Vec::new();
    for (content, kind) in [
        ("twice", "post"),
        ("twice", "post"),
        ("twice", "story"),
        ("once", "post"),
    ] {
        let made = app.owner.post("/v1/texts", text(content, kind)).await.expect(201);
        ids.push(made["id"].as_i64().expect("an id"));
    }
    let found = async |filter: &str| {
        app.fold_counts().await;
        let page = app
            .owner
            .get(&format!("/v1/texts?filter={filter}"))
            .await
            .expect(200);
        let items = page["items"].as_array().expect("items").iter();
        items
            .map(|item| item["id"].as_i64().expect("an id"))
            .collect::<Vec<_>>()
    };
    assert_eq!(found("duplicate:yes+template:yes").await, ids[..2]);
    assert_eq!(found("duplicate:no+template:yes").await, ids[2..]);
    assert_eq!(found("duplicate:yes+type:story").await, [0; 0]);
    app.owner
        .post("/v1/models", json!({"name": "Other"}))
        .await
        .expect(201);
    assert_eq!(found("duplicate:yes+model:Other").await, [0; 0]);

    // What becomes the same is found, and what is no longer is not.
    let path = |n: usize| format!("/v1/texts/{}", ids[n]);
    app.owner
        .patch(&path(2), json!({"content_type": "post"}))
        .await
        .expect(200);
    assert_eq!(found("duplicate:yes+template:yes").await, ids[..3]);
    app.owner
        .patch(&path(0), json!({"text_content": "once"}))
        .await
        .expect(200);
    assert_eq!(found("duplicate:yes+template:yes").await, ids);
    for n in [1, 3] {
        app.owner.delete(&path(n)).await.expect(204);
    }
    assert_eq!(found("duplicate:yes+template:yes").await, [0; 0]);

    let picture =
        json!({"model_id": model, "content_type": "post", "image_url": "https://p.example.com/1.jpg"});
    for _ in 0..2 {
        app.owner.post("/v1/content", picture.clone()).await.expect(201);
    }
    app.fold_counts().await;
    let found = app
        .owner
        .get("/v1/content?filter=duplicate:yes+1.jpg")
        .await
        .expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(2), "{found}");
}

#[tokio::test]
async fn a_page_of_long_texts_stays_small() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    app.run(format!(
        "insert into text_pools (tenant_id, model_id, content_type, text_content)
            select {0}, {model}, 'post', repeat('<', 10000) from generate_series(1, 200);
         insert into model_content (tenant_id, model_id, content_type, image_url, text_content)
            select {0}, {model}, 'post', 'https://p.example.com/' || repeat('&', 450), repeat('<', 10000)
            from generate_series(1, 200)",
        app.tenant.0
    ))
    .await;
    let cookie = app.session(Role::Viewer).await;
    let browser = Caller::new(&app.url, None);
    for path in [
        "/content/texts?filter=type:post",
        "/content/pictures?filter=p.example.com",
    ] {
        let request = browser
            .request(reqwest::Method::GET, path)
            .header("cookie", &cookie)
            .header("accept", "text/html");
        let answer = browser.send(request).await;
        let bytes = answer.body.as_str().map_or(0, str::len);
        assert!((1_000..100_000).contains(&bytes), "{path} has {bytes} bytes");
    }
}
