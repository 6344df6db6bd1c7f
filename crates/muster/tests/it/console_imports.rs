//! Imports on screen: a file is given, looked at, read otherwise, mended, stored and taken back.

use muster_wire::Role;
use serde_json::json;

use crate::{
    imports::until_some,
    support::{Caller, TestApp, browser::Page, value},
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
    app.owner
        .post("/v1/models", json!({"name": "Northside"}))
        .await
        .expect(201);
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
        for seen in [
            "Line 4",
            "must be one e-mail address",
            "Line 5",
            "there is no model",
            "Line 6",
        ] {
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

/// Imports a file over the API, as far as to its diff or to why it is refused; gives its page.
async fn staged(caller: &Caller, kind: &str, body: &str) -> String {
    let request = caller
        .request(
            reqwest::Method::POST,
            &format!("/v1/imports?kind={kind}&file_name=a.csv"),
        )
        .header("content-type", "application/octet-stream")
        .body(body.to_owned());
    caller.send(request).await;
    let imports = caller.get("/v1/imports?limit=1").await.expect(200);
    format!("/imports/{}", imports["items"][0]["id"])
}

#[tokio::test]
async fn a_file_is_read_otherwise_until_it_is_right() {
    let app = TestApp::start().await;
    model(&app).await;
    let file = "Nick;Post;Geheim;birthday\nana.one;ana@example.com;CANARY-1;03/04/1999\n";
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Operator).await;
        if !scripts {
            page.scripts_off().await;
        }
        let address = staged(&app.owner, "accounts", file).await;
        page.open(&address).await;
        page.see("Why the file was not read").await;
        page.see("there is no column `username`").await;
        page.see("cells between semicolons").await;
        is_clean(&page).await;
        page.is_accessible_unless(!scripts).await;
        for (label, field) in [("Nick", "username"), ("Post", "email"), ("Geheim", "password")] {
            page.fill(label, field).await;
        }
        page.click("Read it again").await;
        page.see("can be read two ways").await;
        page.fill("Dates such as 03/04/2026 begin with", "dmy").await;
        page.fill("Authorisation", "owned").await;
        page.fill("What it rests on", "C-7").await;
        page.click("Read it again").await;
        page.see("The file was read again.").await;
        page.see("To be decided").await;
        page.see("1999-04-03").await;
        page.see("given, not shown").await;
        is_clean(&page).await;
        assert_eq!(
            app.look("select (options->'mapping'->>'1') from imports order by id desc limit 1")
                .await
                .as_deref(),
            Some("username")
        );
        page.click("Give it up").await;
        page.see("nothing of its file is stored").await;
        assert_eq!(
            value::<i64>(
                &app,
                "select count(*) from imports where file_encrypted is not null"
            )
            .await,
            0,
            "a decided import keeps its file"
        );
        page.close().await;
    }
}

#[tokio::test]
async fn a_line_of_a_list_is_written_anew_and_a_file_that_is_refused_for_good_is_not_kept() {
    let app = TestApp::start().await;
    let address = staged(
        &app.owner,
        "proxies",
        "10.0.0.1:8080:user:CANARY-1\nCANARY-2-rubbish\n",
    )
    .await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open(&address).await;
    page.see("is no proxy in a shape that is known").await;
    is_clean(&page).await;
    page.is_accessible().await;
    page.fill("The whole row, written anew", "10.0.0.2:8080:user:CANARY-2")
        .await;
    page.click("Check these rows again").await;
    page.see("1 good now, 0 still refused").await;
    page.see("10.0.0.2").await;
    is_clean(&page).await;
    page.click("Store 2 rows").await;
    page.see("2 rows are stored.").await;
    page.close().await;
    staged(
        &app.owner,
        "accounts",
        "ana.one:CANARY-pw1:ana@example.com:CANARY-mail1\n",
    )
    .await;
    assert_eq!(
        app.look("select state || ' ' || (file_encrypted is null) from imports order by id desc limit 1")
            .await
            .as_deref(),
        Some("failed true")
    );
}

#[tokio::test]
async fn what_may_not_be_mended_is_refused_with_every_fault() {
    let app = TestApp::start().await;
    model(&app).await;
    let address = format!("/v1{}", staged(&app.owner, "accounts", &accounts()).await);
    let rows = format!("{address}/rows");
    let wrong = json!({"rows": [
        {"line": 2}, {"line": 4, "cells": [{"column": 9, "text": "x"}]}, {"line": 4, "text": "x", "cells": [{"column": 1}]},
    ]});
    let refused = app.owner.post(&rows, wrong).await;
    let errors = refused.body["errors"].clone();
    assert_eq!(refused.problem(422), "invalid");
    let places: Vec<&str> = errors
        .as_array()
        .expect("faults")
        .iter()
        .filter_map(|f| f["pointer"].as_str())
        .collect();
    assert_eq!(
        places,
        [
            "/rows/0/line",
            "/rows/1/cells/0/column",
            "/rows/2/line",
            "/rows/2/cells"
        ]
    );
    // A row that is corrected to name what another one names is refused for that.
    let twice = json!({"rows": [{"line": 4, "cells": [{"column": 1, "text": "ana.one"}, {"column": 2, "text": "x@example.com"}]}]});
    let import = app.owner.post(&rows, twice).await.expect(200);
    assert_eq!(import["rejected_rows"], 3);
    let shown = app
        .owner
        .get(&format!("{rows}?filter=verdict:rejected"))
        .await
        .expect(200);
    assert_eq!(shown["items"][0]["faults"][0]["code"], "twice");
    assert_eq!(shown["items"][0]["cells"][0], "ana.one");
    assert_eq!(shown["items"][0]["cells"][5], json!(null));
    assert_eq!(
        shown["items"][2]["cells"],
        json!([null, null, null]),
        "a row that slipped shows a cell"
    );
    assert!(!shown.to_string().contains("CANARY"), "{shown}");
    // An empty row, and several, are no row.
    for (text, code) in [("\n", "row_empty"), ("a,b\nc,d", "rows_several")] {
        app.owner
            .post(&rows, json!({"rows": [{"line": 4, "text": text}]}))
            .await
            .expect(200);
        let shown = app
            .owner
            .get(&format!("{rows}?filter=verdict:rejected"))
            .await
            .expect(200);
        assert_eq!(shown["items"][0]["faults"][0]["code"], code);
    }
    app.owner
        .post(&format!("{address}/commit"), json!({"rows": "good"}))
        .await
        .expect(200);
    let again = app.owner.post(&rows, json!({"rows": [{"line": 4}]})).await;
    assert_eq!(again.problem(409), "import_state");
    let read = app.owner.post(&format!("{address}/read"), json!({})).await;
    assert_eq!(read.problem(409), "import_state");
}

#[tokio::test]
async fn a_page_of_the_worst_rows_is_small_and_nothing_in_it_is_markup() {
    let app = TestApp::start().await;
    model(&app).await;
    let hostile = "<script>alert(1)</script>\"'&amp;{{7*7}}<img src=x onerror=alert(2)>".repeat(8);
    let cell = format!("\"{}\"", hostile.replace('"', "\"\""));
    let mut file = format!("username,email,model,bio,location_city,birthday,status,{cell}\n");
    for n in 0..70 {
        let name = if n % 2 == 0 {
            format!("good.{n}")
        } else {
            cell.clone()
        };
        let bio = "\"<b>&\"\"'</b>\"";
        let (mail, model, city, day, status) = if n % 2 == 0 {
            (
                format!("m{n}@example.com"),
                "Northside".to_owned(),
                format!("\"{}\"", "<i>&".repeat(18)),
                String::new(),
                String::new(),
            )
        } else {
            (
                cell.clone(),
                cell.clone(),
                cell.clone(),
                cell.clone(),
                cell.clone(),
            )
        };
        file += &format!("{name},{mail},{model},{bio},{city},{day},{status},{cell}\n");
    }
    let address = staged(&app.owner, "accounts", &file).await;
    let page = Page::signed_in(&app, Role::Owner).await;
    for rows in ["rejected", "new"] {
        page.open(&format!("{address}?rows={rows}")).await;
        page.see("What it would change").await;
        page.is_small().await;
        page.is_accessible().await;
        assert_eq!(
            page.eval("document.querySelectorAll('main img, main script, main b').length")
                .await,
            json!(0)
        );
    }
    page.see("More rows").await;
    page.open("/imports").await;
    page.is_small().await;
    page.close().await;
}

#[tokio::test]
async fn a_file_is_chosen_or_dropped_and_a_viewer_only_looks() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open("/imports/new?kind=models").await;
    page.see("drop it anywhere on this page").await;
    page.eval(
        "(() => { const all = new DataTransfer(); all.items.add(new File(['name\\nEastside\\n'], 'models.csv'));
            dispatchEvent(new DragEvent('dragover', {dataTransfer: all, cancelable: true}));
            dispatchEvent(new DragEvent('drop', {dataTransfer: all, cancelable: true})); })()",
    )
    .await;
    page.click("Read it").await;
    page.see("Models from models.csv").await;
    page.see("Eastside").await;
    let address = page.at().await;
    page.close().await;
    let viewer = Page::signed_in(&app, Role::Viewer).await;
    viewer.open("/imports").await;
    viewer.click("Models from models.csv").await;
    viewer.arrives(&address).await;
    viewer.see("To be decided").await;
    for button in ["Store 1 row", "Give it up", "Read it otherwise"] {
        viewer.see_no(button).await;
    }
    viewer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_long_to_be_kept_is_read_all_the_same_and_its_long_cells_are_not_shown() {
    let app = TestApp::start().await;
    let mut file = "name,description,status\n".to_owned();
    for n in 0..900 {
        let status = if n < 899 { "active" } else { "nonsense" };
        file += &format!("model {n},\"{}\",{status}\n", "<&".repeat(5_000));
    }
    assert!(file.len() > muster::imports::FILE_KEPT_BYTES_MAX);
    let address = staged(&app.owner, "models", &file).await;
    let page = Page::signed_in(&app, Role::Operator).await;
    page.open(&address).await;
    page.see("so it was not kept").await;
    page.see("Line 901").await;
    page.is_small().await;
    page.close().await;
    let again = app.owner.post(&format!("/v1{address}/read"), json!({})).await;
    assert_eq!(again.problem(409), "file_not_kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_long_to_be_kept_is_sent_once_more_to_be_read_otherwise() {
    let app = TestApp::start().await;
    // Its column of names is not known by its header, and one row has something else wrong with it.
    let row = "[...Array(10).keys()].map((n) => `model ${n},\"${'a'.repeat(900000)}\",${n < 9 ? 'active' : 'nonsense'}\\n`)";
    let choose = format!(
        "(() => {{ const all = new DataTransfer();
            all.items.add(new File(['what,padding,status\\n', ...{row}], 'models.csv'));
            document.getElementById('file').files = all.files; return all.files[0].size; }})()"
    );
    let page = Page::signed_in(&app, Role::Operator).await;
    page.expect_complaint("status of 422");
    page.open("/imports/new?kind=models").await;
    let bytes = page.eval(&choose).await.as_u64().expect("a number");
    assert!(bytes > muster::imports::FILE_KEPT_BYTES_MAX as u64);
    page.click("Read it").await;
    page.arrives("/imports/").await;
    page.see("there is no column `name`").await;
    page.see("The file has more than 8 MiB, so it was not kept. Only to have it read")
        .await;
    page.is_accessible().await;
    page.fill("what", "name").await;
    page.eval(&choose).await;
    page.click("Read it again").await;
    page.see("The file was read again.").await;
    page.see("refused rows can be mended below or downloaded").await;
    page.see("Store the 9 good rows").await;
    page.fill("status", "active").await;
    page.click("Check these rows again").await;
    page.see("1 good now, 0 still refused").await;
    // Without the file nothing is read, and nothing is lost.
    page.eval("document.querySelector('details.again').open = true; document.getElementById('file').required = false")
        .await;
    page.click("Read it again").await;
    page.see("the file was too long to be kept: send it again").await;
    page.click("Store 10 rows").await;
    page.see("10 rows are stored.").await;
    assert_eq!(value::<i64>(&app, "select count(*) from models").await, 10);
    page.close().await;
}

#[tokio::test]
async fn a_form_that_breaks_off_is_no_shorter_file() {
    let app = TestApp::start().await;
    let cookie = app.session(Role::Owner).await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nmodels\r\n--b\r\nContent-Disposition: form-data; \
        name=\"file\"; filename=\"a.csv\"\r\n\r\nname\nEastside\n";
    let mut db = app.superuser().await;
    let sent = futures_util::stream::iter([Ok(head.to_owned())]);
    let broken = futures_util::stream::once(async move {
        until_some(&mut db, "select count(*) from imports").await;
        Err(std::io::Error::other("the sender goes away"))
    });
    let anybody = Caller::new(&app.url, None);
    let request = anybody
        .request(reqwest::Method::POST, "/imports")
        .header("cookie", cookie)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(reqwest::Body::wrap_stream(futures_util::StreamExt::chain(
            sent, broken,
        )));
    request.send().await.expect_err("the sender went away");
    let failed = "select count(*) from imports where state = 'failed' and file_encrypted is null";
    until_some(&mut app.superuser().await, failed).await;
    assert_eq!(value::<i64>(&app, "select count(*) from import_rows").await, 0);
}
