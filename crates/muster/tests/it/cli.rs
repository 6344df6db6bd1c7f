//! The command line, as the process that people and scripts run, against a server over HTTP.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    cli_files::import_examples,
    support::{TestApp, value},
};

/// What a command ended with.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output, when the command ended so.
    #[track_caller]
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self.out
    }

    /// Standard error, when the command ended so.
    #[track_caller]
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self.err
    }
}

/// Runs the binary with nothing of this process's environment but what is given.
async fn run(url: &str, token: &str, args: &[&str], input: &str) -> Ran {
    run_with(&[("MUSTER_URL", url), ("MUSTER_TOKEN", token)], args, input).await
}

/// Runs the binary with this environment and no other.
pub async fn run_with(environment: &[(&str, &str)], args: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(args).env_clear().envs(environment.iter().copied());
    let input = input.to_owned();
    // The server lives on this test's thread, which must not wait.
    tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read is free to end first.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let ended = child.wait_with_output().expect("it ends");
        Ran {
            code: ended.status.code().expect("no signal"),
            out: String::from_utf8(ended.stdout).expect("text"),
            err: String::from_utf8(ended.stderr).expect("text"),
        }
    })
    .await
    .expect("it runs")
}

/// Runs it as the owner.
pub async fn muster(app: &TestApp, args: &[&str]) -> Ran {
    run(&app.url, app.owner.token(), args, "").await
}

pub async fn muster_reads(app: &TestApp, args: &[&str], input: &str) -> Ran {
    run(&app.url, app.owner.token(), args, input).await
}

pub fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Words that differ from run to run, the same in every run.
fn settled(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.starts_with("request: ") {
                "request: ID"
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn things_are_added_shown_listed_changed_and_removed() {
    let app = TestApp::start().await;
    let added = muster(
        &app,
        &["models", "add", "--name", "North Side", "--unfollow-ratio", "80"],
    )
    .await
    .expect(0);
    assert!(
        added.starts_with("id  ") && added.contains("North Side"),
        "{added}"
    );
    muster(
        &app,
        &[
            "models",
            "add",
            "--set",
            "name=South",
            "--set",
            r#"people_steps=["post_post"]"#,
        ],
    )
    .await
    .expect(0);
    muster_reads(&app, &["models", "add", "--from", "-"], r#"{"name": "123"}"#)
        .await
        .expect(0);
    // A text stays one though it looks like a number.
    muster(&app, &["models", "add", "--name", "124"]).await.expect(0);

    insta::assert_snapshot!(muster(&app, &["models", "list"]).await.expect(0), @r"
    ID  NAME        STATUS  ACCOUNTS  ACTIVE  STEPS FOR PEOPLE
     1  North Side  active         0       0
     2  South       active         0       0  post_post
     3  123         active         0       0
     4  124         active         0       0
    ");
    let named = muster(&app, &["models", "list", "--json", "North Side"])
        .await
        .expect(0);
    let named = lines(&named);
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["unfollow_ratio"], 80);
    let id = named[0]["id"].to_string();

    let limited = muster(&app, &["models", "list", "--limit", "2", "--json"]).await;
    assert!(limited.err.contains("There are more"), "{}", limited.err);
    assert_eq!(lines(&limited.expect(0)).len(), 2);

    let changed = muster(
        &app,
        &[
            "models",
            "set",
            &id,
            "name=Northside",
            "unfollow_ratio=70",
            "--json",
        ],
    )
    .await
    .expect(0);
    let changed: Value = serde_json::from_str(&changed).expect("JSON");
    assert_eq!(
        (&changed["name"], &changed["unfollow_ratio"]),
        (&"Northside".into(), &70.into())
    );

    assert!(
        muster(&app, &["models", "delete", &id])
            .await
            .refused(2)
            .contains("--yes")
    );
    assert!(
        muster(&app, &["models", "show", &id])
            .await
            .expect(0)
            .contains("Northside")
    );
    muster(&app, &["models", "delete", &id, "--yes"]).await.expect(0);
    muster(&app, &["models", "show", &id]).await.refused(3);
}

#[tokio::test]
async fn the_exit_code_says_what_went_wrong() {
    let app = TestApp::start().await;
    insta::assert_snapshot!(settled(&muster(&app, &["models", "show", "999"]).await.refused(3)), @r"
    error: there is no such model
    request: ID
    ");
    insta::assert_snapshot!(settled(&muster(&app, &["models", "add", "--name", "", "--unfollow-ratio", "400"]).await.refused(5)), @r"
    error: the request has faults
      /name: this has 1 to 255 characters
      /unfollow_ratio: this is from 0 to 100
    request: ID
    ");
    let model = muster(&app, &["models", "add", "--name", "North", "--json"])
        .await
        .expect(0);
    let model: Value = serde_json::from_str(&model).expect("JSON");
    let (id, version) = (model["id"].to_string(), model["version"].to_string());
    muster(&app, &["models", "set", &id, "name=Nord", "--if-match", &version])
        .await
        .expect(0);
    muster(&app, &["models", "set", &id, "name=Süd", "--if-match", &version])
        .await
        .refused(4);
    muster(&app, &["models", "add", "--name", "Nord"])
        .await
        .refused(4);
    muster(&app, &["models", "show", "north"]).await.refused(2);
    muster(&app, &["models", "list", "colour:red"]).await.refused(5);
    assert!(
        muster(&app, &["models", "frobnicate"])
            .await
            .refused(2)
            .contains("frobnicate")
    );
}

#[tokio::test]
async fn a_bad_token_and_a_missing_server_say_what_to_do() {
    let app = TestApp::start().await;
    let bad = run(&app.url, "mst_api_nonsense", &["models", "list"], "")
        .await
        .refused(1);
    assert!(
        bad.contains("hint: export MUSTER_TOKEN") && bad.contains("request: "),
        "{bad}"
    );
    assert!(!bad.contains("nonsense"), "{bad}");
    let none = run(&app.url, "", &["models", "list"], "").await.refused(2);
    assert!(none.contains("there is no token"), "{none}");
    // Nothing listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port")
        .port();
    let nobody = run(&format!("http://127.0.0.1:{port}"), "x", &["models", "list"], "")
        .await
        .refused(1);
    assert!(
        nobody.contains("cannot be reached") && nobody.contains("hint: --url"),
        "{nobody}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{}\n", app.owner.token())).expect("a file");
    let path = file.display().to_string();
    run(&app.url, "", &["models", "list", "--token-file", &path], "")
        .await
        .expect(0);
}

#[tokio::test]
async fn secrets_are_never_taken_as_arguments() {
    let app = TestApp::start().await;
    let args = [
        "proxies",
        "add",
        "--host",
        "proxy.example.com",
        "--port",
        "8080",
        "--scheme",
        "http",
    ];
    let refused = muster(&app, &[&args[..], &["--set", "password=CANARY"]].concat())
        .await
        .refused(2);
    assert!(
        refused.contains("password is a secret") && !refused.contains("CANARY"),
        "{refused}"
    );
    assert!(
        muster(&app, &[&args[..], &["--password", "CANARY"]].concat())
            .await
            .refused(2)
            .contains("--password")
    );
    let rest = [
        "--provider",
        "P",
        "--location",
        "Berlin",
        "--monthly-cost",
        "1.50",
        "--from",
        "-",
        "--json",
    ];
    let secrets = r#"{"username": "ana", "password": "CANARY"}"#;
    let made = muster_reads(&app, &[&args[..], &rest].concat(), secrets)
        .await
        .expect(0);
    assert!(
        made.contains(r#""has_password":true"#) && !made.contains("CANARY"),
        "{made}"
    );
}

#[tokio::test]
async fn accounts_are_moved_by_id_and_by_a_filter_whose_count_is_stated() {
    let app = TestApp::start().await;
    import_examples(&app).await;
    let assigned = muster(&app, &["proxies", "assign", "--json"]).await.expect(0);
    assert_eq!(lines(&assigned)[0]["assigned"], 300, "{assigned}");
    let first = muster(
        &app,
        &[
            "accounts",
            "list",
            "state:proxy_assigned",
            "--limit",
            "1",
            "--json",
        ],
    )
    .await
    .expect(0);
    let id = lines(&first)[0]["id"].to_string();
    let moved = muster(&app, &["accounts", "do", "retire", &id, "--reason", "closed"])
        .await
        .expect(0);
    assert_eq!(moved, "retire was done to 1 of 1 accounts\n");
    insta::assert_snapshot!(muster(&app, &["accounts", "do", "retire", &id]).await.expect(4), @r"
    ACCOUNT  CODE                REASON
          1  illegal_transition  it is cleanup; retire is possible from imported, proxy_assigned, warming_up, human_review, ready, active
    retire was done to 0 of 1 accounts
    ");
    muster(&app, &["accounts", "do", "retire", "99999999"])
        .await
        .refused(3);
    muster(&app, &["accounts", "do", "frobnicate", &id])
        .await
        .refused(2);

    let bulk = ["accounts", "do", "retire", "--filter", "state:proxy_assigned"];
    let dry = muster(&app, &[&bulk[..], &["--dry-run"]].concat())
        .await
        .expect(0);
    assert!(
        dry.contains("retire would be done to 299 of 299 accounts"),
        "{dry}"
    );
    assert!(muster(&app, &bulk).await.refused(2).contains("--yes"));
    assert!(
        muster(&app, &[&bulk[..], &["--yes"]].concat())
            .await
            .refused(2)
            .contains("--expect 299")
    );
    muster(&app, &[&bulk[..], &["--yes", "--expect", "298"]].concat())
        .await
        .refused(4);
    assert_eq!(
        value::<i64>(
            &app,
            "select count(*) from accounts where lifecycle_state = 'cleanup'"
        )
        .await,
        1
    );
    muster(&app, &[&bulk[..], &["--yes", "--expect", "299"]].concat())
        .await
        .expect(0);
    assert_eq!(
        value::<i64>(
            &app,
            "select count(*) from accounts where lifecycle_state = 'cleanup'"
        )
        .await,
        300
    );

    let history = muster(&app, &["accounts", "history", &id]).await.expect(0);
    assert!(
        history.contains("retire") && history.contains("closed") && history.contains("Ana"),
        "{history}"
    );
    let empty = muster(&app, &["reviews", "list"]).await.expect(0);
    assert!(empty.starts_with("ACCOUNT"), "{empty}");
    let none = muster(&app, &["reviews", "decide", "approve", &id, "--reason", "fine"]).await;
    none.refused(4);
}

#[tokio::test]
async fn a_token_is_printed_once_and_alone() {
    let app = TestApp::start().await;
    let bot = muster(&app, &["bots", "add", "--name", "runner", "--json"])
        .await
        .expect(0);
    let bot = lines(&bot)[0]["id"].to_string();
    let made = muster(
        &app,
        &[
            "tokens", "add", "--kind", "bot", "--name", "first", "--bot-id", &bot,
        ],
    )
    .await;
    assert!(made.err.contains("Shown this once"), "{}", made.err);
    let token = made.expect(0);
    assert!(
        token.starts_with("mst_bot_") && token.lines().count() == 1,
        "{token}"
    );
    let listed = muster(&app, &["tokens", "list", "kind:bot", "--json"])
        .await
        .expect(0);
    assert!(!listed.contains(token.trim()), "{listed}");
    let id = lines(&listed)[0]["id"].to_string();

    let rotated = muster(&app, &["tokens", "rotate", &id]).await.expect(0);
    assert!(rotated.starts_with("mst_bot_") && rotated != token, "{rotated}");
    muster(&app, &["tokens", "revoke", &id, "--yes"]).await.expect(0);
    // A bot's token works, but not for this.
    let bot_lists = run(&app.url, rotated.trim(), &["operators", "list"], "")
        .await
        .refused(1);
    assert!(bot_lists.contains("hint: another role"), "{bot_lists}");
    let revoked = run(&app.url, token.trim(), &["operators", "list"], "")
        .await
        .refused(1);
    assert!(revoked.contains("hint: export MUSTER_TOKEN"), "{revoked}");

    let paused = muster(&app, &["bots", "pause", &bot, "--reason", "broken"])
        .await
        .expect(0);
    assert!(paused.contains("paused"), "{paused}");
    muster(&app, &["bots", "resume", &bot]).await.expect(0);
}

#[tokio::test]
async fn metrics_are_shown_and_counted_again() {
    let app = TestApp::start().await;
    app.run(format!(
        "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id)
         select {}, 1, n, now() - interval '2 days', now(), 3, 'post_highlight',
            case when n = 1 then 'failed' else 'completed' end, 1
         from generate_series(1, 8) n",
        app.tenant
    ))
    .await;
    let day = (chrono::Utc::now().date_naive() - chrono::Days::new(2)).to_string();
    let counted = muster(&app, &["metrics", "rollup", "--from", &day, "--to", &day]).await;
    assert_eq!(counted.expect(0), "1 day was counted\n");
    let shown = muster(&app, &["metrics", "show", "--from", &day, "--to", &day])
        .await
        .expect(0);
    assert!(
        shown.contains("post_highlight") && shown.contains("87.5"),
        "{shown}"
    );
    let whole = muster(&app, &["metrics", "show", "--json"]).await.expect(0);
    assert_eq!(lines(&whole)[0]["days"][0]["steps"][0]["counts"]["failed"], 1);
    muster(&app, &["metrics", "rollup", "--from", &day])
        .await
        .expect(2);
}

#[tokio::test]
async fn the_tenant_its_keys_its_people_and_its_log_are_in_reach() {
    let app = TestApp::start().await;
    assert!(
        muster(&app, &["tenant", "show"])
            .await
            .expect(0)
            .contains("First")
    );
    muster(&app, &["tenant", "pause", "--reason", "holidays"])
        .await
        .expect(0);
    assert!(
        muster(&app, &["tenant", "show"])
            .await
            .expect(0)
            .contains("holidays")
    );
    muster(&app, &["tenant", "resume"]).await.expect(0);
    assert!(
        muster(&app, &["keys", "show"])
            .await
            .expect(0)
            .contains("version 1 seals")
    );

    let person = [
        "operators",
        "add",
        "--email",
        "bo@example.com",
        "--name",
        "Bo",
        "--role",
        "reviewer",
        "--json",
    ];
    let id = lines(&muster(&app, &person).await.expect(0))[0]["id"].to_string();
    let link = muster(&app, &["operators", "password-link", &id]).await;
    assert!(link.err.contains("Shown this once"), "{}", link.err);
    assert_eq!(link.expect(0).lines().count(), 1);

    let log = muster(&app, &["audit", "list", "--all"]).await.expect(0);
    assert!(log.contains("holidays"), "{log}");
    let exported = muster(&app, &["audit", "export"]).await.expect(0);
    assert!(lines(&exported).len() >= 3, "{exported}");
}

#[tokio::test]
async fn the_doctor_ends_with_a_code_of_its_own() {
    let app = TestApp::start().await;
    muster(&app, &["models", "add", "--name", "North"])
        .await
        .expect(0);
    // The cluster of the tests does without fsync, and the doctor says so.
    let before = lines(&muster(&app, &["doctor", "--json"]).await.expect(6));
    let before = before[0]["findings"].as_array().expect("findings").len();
    let mut db = app.superuser().await;
    sqlx::query("update models set total_accounts = 7")
        .execute(&mut db)
        .await
        .expect("a wrong count");
    let found = muster(&app, &["doctor"]).await;
    assert!(
        found
            .err
            .contains(&format!("the doctor has {} finding", before + 1)),
        "{}",
        found.err
    );
    let table = found.expect(6);
    assert!(table.starts_with("CODE") && table.contains("CURE"), "{table}");
    let found = lines(&muster(&app, &["doctor", "--json"]).await.expect(6));
    assert_eq!(
        found[0]["findings"].as_array().expect("findings").len(),
        before + 1
    );
}

#[tokio::test]
async fn the_document_and_the_completions_need_no_server() {
    let openapi = run("http://127.0.0.1:1", "", &["openapi"], "").await.expect(0);
    let openapi: Value = serde_json::from_str(&openapi).expect("JSON");
    assert_eq!(openapi["info"]["title"], "Muster");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run("http://127.0.0.1:1", "", &["completions", shell], "")
            .await
            .expect(0);
        assert!(script.contains("history"), "{shell}");
    }
    for entity in [
        "models",
        "accounts",
        "proxies",
        "content",
        "texts",
        "bots",
        "tokens",
        "operators",
        "reviews",
        "imports",
        "audit",
    ] {
        run("http://127.0.0.1:1", "", &[entity, "--help"], "")
            .await
            .expect(0);
    }
}
