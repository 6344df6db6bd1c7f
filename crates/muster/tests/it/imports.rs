//! Imports and exports through HTTP: the diff, the commit, the undo, and that what is exported imports again unchanged.

use std::{path::Path, time::Duration};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, TestApp, value};

async fn send(caller: &Caller, query: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = caller
        .request(Method::POST, &format!("/v1/imports?{query}"))
        .header("content-type", "application/octet-stream")
        .body(body.into());
    caller.send(request).await
}

async fn commit(caller: &Caller, import: &Value, rows: &str) -> Answer {
    caller
        .post(
            &format!("/v1/imports/{}/commit", import["id"]),
            json!({"rows": rows}),
        )
        .await
}

/// Imports a file whole.
async fn import(caller: &Caller, kind: &str, body: impl Into<Vec<u8>>) -> Value {
    let staged = send(caller, &format!("kind={kind}"), body).await.expect(201);
    commit(caller, &staged, "all").await.expect(200)
}

fn counts(import: &Value) -> [i64; 4] {
    ["new_rows", "changed_rows", "same_rows", "rejected_rows"]
        .map(|name| import[name].as_i64().expect("a count"))
}

async fn exported(caller: &Caller, kind: &str, query: &str) -> String {
    let body = caller
        .get(&format!("/v1/exports/{kind}{query}"))
        .await
        .expect(200);
    body.as_str().expect("a file").to_owned()
}

const MODELS: &str = "name\nNorthside\nSouthside\n";
const ACCOUNTS: &str = "username,email,model,authorisation_basis,authorisation_reference,password\n\
    ana.one,ana@example.com,Northside,owned,C-1,CANARY-first\n\
    bo_two,bo@example.com,Southside,client_consent,C-2,\n";

#[tokio::test]
async fn a_file_is_a_diff_until_it_is_committed() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    let staged = send(&app.owner, "kind=accounts&file_name=a.csv", ACCOUNTS)
        .await
        .expect(201);
    assert_eq!(counts(&staged), [2, 0, 0, 0]);
    assert_eq!(staged["state"], "staged");
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);

    assert_eq!(
        commit(&app.owner, &staged, "all").await.expect(200)["state"],
        "committed"
    );
    assert_eq!(
        value::<i64>(
            &app,
            "select count(*) from accounts where lifecycle_state = 'imported'"
        )
        .await,
        2
    );
    assert_eq!(
        commit(&app.owner, &staged, "all").await.problem(409),
        "import_state"
    );

    let again = send(&app.owner, "kind=accounts", ACCOUNTS).await.expect(201);
    assert_eq!(counts(&again), [0, 0, 2, 0]);

    let other = ACCOUNTS
        .replace("bo@example.com", "bo@example.org")
        .replace("CANARY-first", "CANARY-second");
    let changed = send(&app.owner, "kind=accounts", other).await.expect(201);
    assert_eq!(counts(&changed), [0, 2, 0, 0]);
    let rows = app
        .owner
        .get(&format!(
            "/v1/imports/{}/rows?filter=verdict:changed",
            changed["id"]
        ))
        .await
        .expect(200);
    assert_eq!(rows["items"][1]["before"], json!({"email": "bo@example.com"}));
    assert_eq!(rows["items"][1]["data"], json!({"email": "bo@example.org"}));
    assert!(!rows.to_string().contains("CANARY"), "{rows}");
}

#[tokio::test]
async fn all_faults_are_told_and_the_good_rows_can_be_had() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    let file = "username,email,model,authorisation_basis,authorisation_reference\n\
        good.one,good@example.com,Northside,owned,C-1\n\
        b@d handle!,no mail,Nowhere,stolen,\n\
        lost.model,x@example.com,Nowhere,owned,C-3\n\
        GOOD.ONE,twice@example.com,Northside,owned,C-4\n\
        no.reference,y@example.com,Northside,owned,\n";
    let staged = send(&app.owner, "kind=accounts", file).await.expect(201);
    assert_eq!(counts(&staged), [1, 0, 0, 4]);
    let rows = app
        .owner
        .get(&format!(
            "/v1/imports/{}/rows?filter=verdict:rejected",
            staged["id"]
        ))
        .await
        .expect(200);
    let codes: Vec<Vec<&str>> = rows["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            row["faults"]
                .as_array()
                .expect("faults")
                .iter()
                .filter_map(|f| f["column"].as_str())
                .collect()
        })
        .collect();
    assert_eq!(
        codes,
        [
            vec!["username", "email", "authorisation_basis"],
            vec!["model"],
            vec!["username"],
            vec!["authorisation_reference"]
        ]
    );
    assert_eq!(
        commit(&app.owner, &staged, "all").await.problem(409),
        "rows_rejected"
    );
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);
    commit(&app.owner, &staged, "good").await.expect(200);
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 1);

    let rejected = app
        .owner
        .get(&format!("/v1/imports/{}/rejected", staged["id"]))
        .await
        .expect(200);
    let rejected = rejected.as_str().expect("a file");
    assert_eq!(rejected.lines().count(), 5, "{rejected}");
    let mended = rejected.replace("Nowhere", "Southside");
    let again = send(&app.owner, "kind=accounts", mended).await.expect(201);
    assert_eq!(again["new_rows"], 1, "{again}");
}

#[tokio::test]
async fn an_undone_import_leaves_what_was_touched_since() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    let first = import(&app.owner, "accounts", ACCOUNTS).await;
    let second = import(
        &app.owner,
        "accounts",
        "username,email,bio\nana.one,new@example.com,Hello\nbo_two,b2@example.com,Hi\n",
    )
    .await;
    assert_eq!(counts(&second), [0, 2, 0, 0]);
    sqlx::query("update accounts set bio = 'mine' where username = 'bo_two'")
        .execute(&mut app.superuser().await)
        .await
        .expect("update");

    let undone = app
        .owner
        .post(&format!("/v1/imports/{}/undo", second["id"]), json!({}))
        .await
        .expect(200);
    assert_eq!(
        (undone["restored"].as_i64(), undone["kept"].as_i64()),
        (Some(1), Some(1))
    );
    assert_eq!(
        value::<String>(&app, "select email from accounts where username = 'ana.one'").await,
        "ana@example.com"
    );
    assert_eq!(
        value::<String>(&app, "select email from accounts where username = 'bo_two'").await,
        "b2@example.com"
    );

    let undone = app
        .owner
        .post(&format!("/v1/imports/{}/undo", first["id"]), json!({}))
        .await
        .expect(200);
    assert_eq!(
        (undone["removed"].as_i64(), undone["kept"].as_i64()),
        (Some(1), Some(1))
    );
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 1);
    let again = app
        .owner
        .post(&format!("/v1/imports/{}/undo", first["id"]), json!({}))
        .await;
    assert_eq!(again.problem(409), "import_state");
}

#[tokio::test]
async fn what_is_exported_imports_again_unchanged() {
    let app = TestApp::start().await;
    for (kind, name, wrong, file) in sample_files() {
        let staged = send(&app.owner, &format!("kind={kind}"), file).await.expect(201);
        let rows = app
            .owner
            .get(&format!(
                "/v1/imports/{}/rows?filter=verdict:rejected",
                staged["id"]
            ))
            .await
            .expect(200);
        assert_eq!(staged["rejected_rows"], wrong, "{name}: {rows:#}");
        commit(&app.owner, &staged, "good").await.expect(200);
    }
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 600);
    assert_eq!(value::<i64>(&app, "select count(*) from proxies").await, 240);
    for kind in ["models", "proxies", "content", "texts", "accounts"] {
        let file = exported(&app.owner, kind, "").await;
        let again = send(&app.owner, &format!("kind={kind}"), file.clone())
            .await
            .expect(201);
        let lines = again["same_rows"].as_i64().expect("a count");
        assert_eq!(counts(&again), [0, 0, lines, 0], "{kind}");
        assert!(lines > 0, "{kind}");

        // On another tenant, which has nothing, everything is new; and what it exports is the same file.
        if kind == "models" {
            let (_, other) = app.other_tenant().await;
            let there = import(&other, kind, file.clone()).await;
            assert_eq!(counts(&there), [lines, 0, 0, 0]);
            assert_eq!(exported(&other, kind, "").await, file);
        }
    }
}

/// The files that the repository ships, in an order that works, and how many of their rows are wrong on purpose.
fn sample_files() -> Vec<(&'static str, &'static str, i64, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    [
        ("models", "models.csv", 0),
        ("proxies", "proxies.csv", 4),
        ("proxies", "proxies-list.txt", 2),
        ("proxies", "proxies-entry-points.csv", 1),
        ("content", "content.csv", 0),
        ("texts", "texts.csv", 0),
        ("accounts", "accounts.csv", 10),
        ("accounts", "accounts-agency.csv", 5),
        ("accounts", "accounts-campus.txt", 3),
    ]
    .map(|(kind, name, wrong)| {
        (
            kind,
            name,
            wrong,
            std::fs::read(folder.join(name)).expect("a file"),
        )
    })
    .into()
}

#[tokio::test]
async fn secrets_leave_only_with_an_owner_who_asks_and_it_is_written_down() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    import(&app.owner, "accounts", ACCOUNTS).await;
    assert!(!exported(&app.owner, "accounts", "").await.contains("CANARY"));
    let admin = app.person(muster_wire::Role::Admin).await;
    assert_eq!(
        admin.get("/v1/exports/accounts?secrets=true").await.problem(403),
        "forbidden"
    );
    assert!(
        exported(&app.owner, "accounts", "?secrets=true")
            .await
            .contains("CANARY-first")
    );
    assert_eq!(
        value::<i64>(
            &app,
            "select count(*) from audit_log where action = 'secrets.export'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn the_shape_of_bought_accounts_is_refused_whole() {
    let app = TestApp::start().await;
    let answer = send(
        &app.owner,
        "kind=accounts",
        "ana1:pw1:ana1@example.com:pw\nbo2:pw2:bo2@example.com:pw\n",
    )
    .await;
    assert_eq!(answer.problem(422), "unreadable_file");
    assert_eq!(value::<i64>(&app, "select count(*) from import_rows").await, 0);
}

#[tokio::test]
async fn a_row_without_a_secret_keeps_the_stored_one() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    import(&app.owner, "accounts", ACCOUNTS).await;
    import(
        &app.owner,
        "accounts",
        "username,email,password\nana.one,other@example.com,\n",
    )
    .await;
    assert!(
        exported(&app.owner, "accounts", "?secrets=true")
            .await
            .contains("CANARY-first")
    );
}

/// Rows for more than two batches, each with a name of its own.
fn many_models(count: usize) -> String {
    let rows = (1..=count).map(|n| format!("Model {n},made by a test\n"));
    std::iter::once("name,description\n".to_owned())
        .chain(rows)
        .collect()
}

#[tokio::test]
async fn the_same_thing_far_apart_in_a_file_is_refused_with_both_lines_named() {
    let app = TestApp::start().await;
    let file = many_models(12_000) + "Model 1,again\nModel 11999,again\n";
    let staged = send(&app.owner, "kind=models", file).await.expect(201);
    assert_eq!(counts(&staged), [12_000, 0, 0, 2]);
    let rows = app
        .owner
        .get(&format!(
            "/v1/imports/{}/rows?filter=verdict:rejected",
            staged["id"]
        ))
        .await
        .expect(200);
    let told: Vec<_> = rows["items"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["line"].as_i64(), row["faults"][0]["message"].as_str()))
        .collect();
    let message = |line| format!("this is in the file already, on line {line}: keep one of the two");
    assert_eq!(
        told,
        [
            (Some(12_002), Some(&*message(2))),
            (Some(12_003), Some(&*message(12_000)))
        ]
    );
    commit(&app.owner, &staged, "good").await.expect(200);
    assert_eq!(value::<i64>(&app, "select count(*) from models").await, 12_000);
    let undone = app
        .owner
        .post(&format!("/v1/imports/{}/undo", staged["id"]), json!({}))
        .await
        .expect(200);
    assert_eq!(undone["removed"], 12_000);
}

#[tokio::test]
async fn characters_that_mean_something_elsewhere_are_stored_as_they_are() {
    let app = TestApp::start().await;
    let told = "tab\there, back\\slash \\N \\. {\"a\"} 'q' \u{1F98A} \u{202E}e\u{301} $1\nnext line";
    let file = format!(
        "name,description\nNorthside,\"{}\"\nSouthside,nul\0here\n",
        told.replace('"', "\"\"")
    );
    let staged = send(&app.owner, "kind=models", file).await.expect(201);
    assert_eq!(counts(&staged), [1, 0, 0, 1]);
    let rows = app
        .owner
        .get(&format!("/v1/imports/{}/rows", staged["id"]))
        .await
        .expect(200);
    assert_eq!(rows["items"][0]["data"]["description"], told);
    assert_eq!(rows["items"][1]["faults"][0]["code"], "character_not_allowed");
    commit(&app.owner, &staged, "good").await.expect(200);
    assert_eq!(
        value::<String>(&app, "select description from models").await,
        told
    );
}

#[tokio::test]
async fn texts_that_are_longer_than_fits_are_refused_by_their_row() {
    let app = TestApp::start().await;
    import(&app.owner, "models", "name\nEastside\n").await;
    for (kind, head, row, column) in [
        ("models", "name,description", "Westside", "description"),
        (
            "accounts",
            "username,email,model,bio",
            "ana,ana@example.com,Eastside",
            "bio",
        ),
        (
            "content",
            "model,content_type,image_url,text_content",
            "Eastside,pfp,https://example.com/1.jpg",
            "text_content",
        ),
        (
            "texts",
            "model,content_type,text_content",
            "Eastside,bio",
            "text_content",
        ),
    ] {
        for (chars, refused) in [(10_000, 0), (10_001, 1)] {
            let file = format!("{head}\n{row},{}\n", "\u{e9}".repeat(chars));
            let staged = send(&app.owner, &format!("kind={kind}"), file).await.expect(201);
            assert_eq!(counts(&staged)[3], refused, "{kind}: {staged}");
            if refused == 0 {
                commit(&app.owner, &staged, "all").await.expect(200);
            } else {
                let rows = app
                    .owner
                    .get(&format!("/v1/imports/{}/rows", staged["id"]))
                    .await
                    .expect(200);
                let fault = &rows["items"][0]["faults"][0];
                assert_eq!(
                    (&fault["column"], &fault["code"]),
                    (&column.into(), &"too_long".into()),
                    "{rows}"
                );
            }
        }
    }
}

/// Waits until the query counts something.
pub async fn until_some(db: &mut sqlx::PgConnection, query: &'static str) {
    let counted = async {
        while sqlx::query_scalar::<_, i64>(query)
            .fetch_one(&mut *db)
            .await
            .expect("a count")
            == 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counted)
        .await
        .expect(query);
}

#[tokio::test]
async fn a_file_that_breaks_off_leaves_nothing_but_the_note_that_it_was_tried() {
    let app = TestApp::start().await;
    let mut db = app.superuser().await;
    let file = stream::iter([Ok(many_models(11_000))]);
    let broken = stream::once(async move {
        until_some(&mut db, "select count(*) from import_rows").await;
        Err(std::io::Error::other("the sender goes away"))
    });
    let request = app
        .owner
        .request(Method::POST, "/v1/imports?kind=models")
        .header("content-type", "application/octet-stream")
        .body(reqwest::Body::wrap_stream(file.chain(broken)));
    request.send().await.expect_err("the sender went away");
    let failed = "select count(*) from imports where state = 'failed' and file_encrypted is null";
    until_some(&mut app.superuser().await, failed).await;
    assert_eq!(value::<i64>(&app, "select count(*) from import_rows").await, 0);
}

#[tokio::test]
async fn an_import_whose_server_was_killed_can_be_given_up() {
    let app = TestApp::start().await;
    let id: i64 = sqlx::query_scalar(
        "with begun as (insert into imports (tenant_id, kind, state) values ($1, 'models', 'reading') returning id)
         insert into import_rows (tenant_id, import_id, line, verdict) select $1, id, 2, 'new' from begun returning import_id",
    )
    .bind(app.tenant.0)
    .fetch_one(&mut app.superuser().await)
    .await
    .expect("an import");
    let import = json!({"id": id});
    assert_eq!(
        commit(&app.owner, &import, "all").await.problem(409),
        "import_state"
    );
    let given_up = app
        .owner
        .send(app.owner.request(Method::DELETE, &format!("/v1/imports/{id}")))
        .await
        .expect(200);
    assert_eq!(given_up["state"], "discarded");
    assert_eq!(value::<i64>(&app, "select count(*) from import_rows").await, 0);
}

#[tokio::test]
async fn rows_whose_model_is_gone_are_not_stored_without_it() {
    let app = TestApp::start().await;
    import(&app.owner, "models", MODELS).await;
    let staged = send(&app.owner, "kind=accounts", ACCOUNTS).await.expect(201);
    sqlx::query("delete from models where name = 'Southside'")
        .execute(&mut app.superuser().await)
        .await
        .expect("it is deleted");
    assert_eq!(
        commit(&app.owner, &staged, "all").await.problem(409),
        "changed_since"
    );
    assert_eq!(value::<i64>(&app, "select count(*) from accounts").await, 0);
}

#[tokio::test]
async fn proxies_of_one_host_and_port_are_told_apart_by_their_users() {
    let app = TestApp::start().await;
    let file = "scheme,host,port,username,location\n\
        http,gate.example.com,8000,user-1,Leeds\nhttp,gate.example.com,8000,user-2,Leeds\nhttp,gate.example.com,8000,,Leeds\n";
    import(&app.owner, "proxies", file).await;
    let other = file.replace("user-2,Leeds", "user-2,York") + "http,gate.example.com,8000,user-3,Leeds\n";
    let staged = send(&app.owner, "kind=proxies", other).await.expect(201);
    assert_eq!(counts(&staged), [1, 1, 2, 0]);
}
