//! Imports on screen: a file is given, looked at, read otherwise, mended, stored and taken back.

use muster_wire::Role;
use serde_json::json;

use crate::support::{
    TestApp,
    browser::{Page, Window},
    value,
};

const HEADER: &str = "username,email,model,authorisation_basis,authorisation_reference,password";

/// Two good rows, one whose e-mail address is wrong, one whose model there is not, and one that slipped.
fn accounts() -> String {
    format!(
        "{HEADER}\nana.one,ana@example.com,Northside,owned,C-1,CANARY-1\nbo.two,bo@example.com,Northside,owned,C-2,\n\
         cy.three,no mail,Northside,owned,C-3,CANARY-3\ndi.four,di@example.com,Nowhere,owned,C-4,CANARY-4\n\
         ed.five,ed@example.com,CANARY-5\n"
    )
}

async fn model(app: &TestApp) {
    app.owner.post("/v1/models", json!({"name": "Northside"})).await.expect(201);
}

/// The page that is shown, as its server wrote it, without what it may not hold.
async fn is_clean(page: &Page) {
    let html = page.eval("document.documentElement.outerHTML").await.to_string();
    assert!(!html.contains("CANARY"), "a secret is on the page: {html}");
}

#[tokio::test]
async fn rows_are_mended_in_place_stored_and_taken_back() {
    let app = TestApp::start().await;
    model(&app).await;
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        page.expect_complaint("status of 422");
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/accounts").await;
        page.click("Import").await;
        page.arrives("/imports/new?kind=accounts").await;
        page.is_accessible_unless(!scripts).await;
        page.click("Read it").await;
        page.see("choose a file, or paste its text").await;
        page.fill("Text, pasted", &accounts()).await;
        page.click("Read it").await;
        page.arrives("/imports/").await;
        page.see("the columns that Muster writes").await;
        for seen in ["Line 4", "no mail", "Line 5", "there is no model", "Line 6"] {
            page.see(seen).await;
        }
        is_clean(&page).await;
        page.is_accessible_unless(!scripts).await;
        let address = page.at().await;
        page.fill("email", "cy@example.com").await;
        page.fill("model", "Northside").await;
        page.click("Check these rows again").await;
        page.see("2 good now, 1 still refused").await;
        page.see("Store the 4 good rows").await;
        is_clean(&page).await;
        page.open(&format!("{address}?rows=new")).await;
        page.see("cy.three").await;
        page.see("given, not shown").await;
        is_clean(&page).await;
        page.is_accessible_unless(!scripts).await;
        page.click("Store the 4 good rows").await;
        page.see("4 rows are stored.").await;
        page.see("Stored").await;
        assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 4);
        let rejected = app.owner.get(&format!("/v1{address}/rejected")).await.expect(200);
        assert_eq!(
            rejected.as_str(),
            Some(format!("{HEADER}\ned.five,ed@example.com,CANARY-5\n").as_str())
        );
        page.click("Take it back").await;
        page.see("Taken back: 4 removed").await;
        assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);
        page.open("/imports").await;
        page.see("Accounts from pasted text").await;
        page.is_accessible_unless(!scripts).await;
        page.close().await;
    }
}
