//! The document of the API is held to what the server answers: schemathesis makes requests from it, good and bad, as each
//! kind of caller, and finds neither a fault of ours nor an answer that the document does not tell of.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use muster_wire::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Caller, TestApp};

/// Requests made up for each endpoint and caller in the ordinary test, beside those at the bounds of each value; another
/// number in `MUSTER_SCHEMATHESIS_EXAMPLES` also makes them different each time.
const EXAMPLES: &str = "2";

/// What every answer is held to.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Connects to hosts that the generator made up; its own tests give it real ones.
const NEVER: &str = "test_proxies";

/// Take from the caller what the others need, the token or its allowance: called last.
const LAST: &str = "^(change_tenant|change_operator|delete_operator|revoke_token|rotate_token)$";

/// Ask for no token, and share one small allowance: called by a stranger.
const PUBLIC: &str = "^(healthz|readyz|metrics|sign_in|set_password)$";

/// Ids in paths go no further, so that many of them are somebody's.
const IDS_MAX: u32 = 6;

/// The program, where `scripts/setup --test` could install it.
fn program() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/schemathesis");
    path.exists().then_some(path)
}

/// Something of each kind, so that not every id is nobody's.
async fn furnish(app: &TestApp) {
    app.warm_accounts(6).await;
    app.bot("furniture").await;
    app.person(Role::Operator).await;
    let files = [
        ("models", "name\nNorthside\n"),
        (
            "accounts",
            "username,email,model,authorisation_basis,authorisation_reference,password\n\
            ana.one,ana@example.com,Northside,owned,C-1,secret-one\nb@d!,no mail,Nowhere,stolen,,secret-two\n",
        ),
    ];
    for (kind, file) in files {
        let request = app
            .owner
            .request(Method::POST, &format!("/v1/imports?kind={kind}"))
            .body(file);
        let staged = app.owner.send(request).await.expect(201);
        let rows = json!({"rows": "good"});
        app.owner
            .post(&format!("/v1/imports/{}/commit", staged["id"]), rows)
            .await
            .expect(200);
    }
}

/// The document as it is served, but that ids are small and that no claim waits long.
async fn document(app: &TestApp) -> Value {
    let mut document = app.owner.get("/v1/openapi.json").await.expect(200);
    for operation in document["paths"]
        .as_object_mut()
        .expect("paths")
        .values_mut()
        .filter_map(Value::as_object_mut)
    {
        for parameter in operation
            .values_mut()
            .filter_map(|o| o.get_mut("parameters")?.as_array_mut())
            .flatten()
        {
            if parameter["in"] == "path" && parameter["schema"]["type"] == "integer" {
                parameter["schema"]["minimum"] = 1.into();
                parameter["schema"]["maximum"] = IDS_MAX.into();
            }
        }
    }
    document["components"]["schemas"]["Claim"]["properties"]["wait_ms"]["maximum"] = 10.into();
    document
}

/// Runs as this caller with these options; gives what was found when something was.
async fn run(
    program: &Path,
    document: &Path,
    caller: Option<&Caller>,
    url: &str,
    options: &[&str],
) -> Result<(), String> {
    let examples = std::env::var("MUSTER_SCHEMATHESIS_EXAMPLES");
    let mut command = Command::new(program);
    command.arg("run").arg(document);
    command.args([
        "--url",
        url,
        "--checks",
        CHECKS,
        "--continue-on-failure",
        "--no-color",
    ]);
    command.args(["--warnings", "off", "--suppress-health-check", "all"]);
    command.args(["--request-timeout", "30", "--exclude-operation-id", NEVER]);
    command.args(["--max-examples", examples.as_deref().unwrap_or(EXAMPLES)]);
    if examples.is_ok() {
        command.args(["--generation-database", "none"]);
    } else {
        command.arg("--generation-deterministic");
    }
    if let Some(caller) = caller {
        command.args(["--header", &format!("Authorization: Bearer {}", caller.token())]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let done = command
        .args(options)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let summary = said
        .lines()
        .skip_while(|line| !line.contains(" SUMMARY "))
        .collect::<Vec<_>>();
    println!("{}", summary.join("\n"));
    if done.status.success() {
        Ok(())
    } else {
        Err(said + &String::from_utf8_lossy(&done.stderr))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_asked_the_answer_is_one_that_the_document_tells_of() {
    let Some(program) = program() else {
        println!("skipped: schemathesis is not installed; `scripts/setup --test` does that");
        return;
    };
    let app = TestApp::start().await;
    furnish(&app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("openapi.json");
    std::fs::write(&path, document(&app).await.to_string()).expect("it is written");
    let (_, bot) = app.bot("guest").await;
    let viewer = app.person(Role::Viewer).await;
    let others = format!("{PUBLIC}|{LAST}");

    let most = vec!["--exclude-operation-id-regex", &*others];
    let last = vec!["--include-operation-id-regex", LAST];
    let public = vec!["--include-operation-id-regex", PUBLIC];
    // What a viewer may do the owner may, too, and is held to the bounds of each value.
    let viewing = [&most[..], &["--phases", "examples,fuzzing,stateful"]].concat();
    // The owner comes after the others, whom they can take their tokens from.
    let runs = [
        ("stranger", None, &public),
        ("viewer", Some(&viewer), &viewing),
        ("viewer, last", Some(&viewer), &last),
        ("bot", Some(&bot), &most),
        ("bot, last", Some(&bot), &last),
        ("owner", Some(&app.owner), &most),
        ("owner, last", Some(&app.owner), &last),
    ];
    let mut found = String::new();
    for (who, caller, options) in runs {
        println!("as {who}");
        if let Err(said) = run(&program, &path, caller, &app.url, options).await {
            found += &format!("\n\nas {who}:\n{said}");
        }
    }
    assert!(found.is_empty(), "{found}");
    assert_eq!(app.app.telemetry.bugs(), 0, "answers of status 500");
    let answered = app
        .app
        .telemetry
        .render((0, 0), &[], None)
        .lines()
        .filter(|line| line.contains("status=\"2"))
        .count();
    assert!(
        answered > 50,
        "only {answered} endpoints did what was asked: the test reached too little"
    );
}
