//! No secret is anywhere but in the few answers that may carry it: more than a thousand canaries are imported, changed,
//! rejected, worked, revealed and exported, and then looked for in everything that the server and PostgreSQL leave behind.

mod watched;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

use self::watched::{Watched, found_in, superuser};

/// How every canary begins. In lower case, so that folding case cannot hide it.
const CANARY: &str = "cnry7zqx";

/// How what is left in plain on purpose begins, to see that the search finds what there is.
const CONTROL: &str = "ctrl7zqx";

/// Accounts, each with a password.
const ACCOUNTS: usize = 1_000;

/// Those of them with an access token, too.
const WITH_TOKENS: usize = 200;

/// Those of them whose password a second import changes.
const CHANGED: usize = 100;

/// Proxies, each with a password; each carries three accounts.
const PROXIES: usize = 334;

fn canary(what: &str, n: usize) -> String {
    format!("{CANARY}-{what}-{n}.")
}

/// Models, proxies and accounts with secrets; some are changed, some taken back, and some rows are refused.
async fn import_everything(watched: &mut Watched) {
    watched.import("models", "name\nNorthside\n").await;
    let mut proxies = "scheme,host,port,username,password,provider,location,monthly_cost\n".to_owned();
    for n in 0..PROXIES {
        proxies += &format!(
            "http,egress-{n}.example.com,8080,user,{},Harbour,Leeds,3.50\n",
            canary("proxy", n)
        );
    }
    let import = watched.import("proxies", proxies).await;
    assert_eq!(import["new_rows"], PROXIES, "{import}");

    let header = "username,email,model,authorisation_basis,authorisation_reference,password,access_token\n";
    let mut accounts = header.to_owned();
    for n in 0..ACCOUNTS {
        let token = if n < WITH_TOKENS {
            canary("token", n)
        } else {
            String::new()
        };
        let password = canary("password", n);
        accounts += &format!("account.n{n},a{n}@example.com,Northside,owned,C-{n},{password},{token}\n");
    }
    let import = watched.import("accounts", accounts).await;
    assert_eq!(import["new_rows"], ACCOUNTS, "{import}");

    let mut changes = "username,email,password\n".to_owned();
    for n in 0..CHANGED {
        changes += &format!("account.n{n},a{n}@example.com,{}\n", canary("changed", n));
    }
    let import = watched
        .import("accounts", changes.replace("changed", "undone"))
        .await;
    assert_eq!(import["changed_rows"], CHANGED, "{import}");
    watched
        .ask(
            Method::POST,
            &format!("/v1/imports/{}/undo", import["id"]),
            json!({}),
        )
        .await
        .expect(200);
    watched.import("accounts", changes.clone()).await;
    let staged = watched
        .file("accounts", "", changes.replace("changed", "discarded"))
        .await
        .expect(201);
    watched
        .ask(
            Method::DELETE,
            &format!("/v1/imports/{}", staged["id"]),
            Value::Null,
        )
        .await
        .expect(200);

    // Rows with faults: in other cells, in the secret itself, and cells that slipped.
    let wrong = canary("wrong", 1);
    let faulty = format!(
        "{header}b@d handle!,no mail,Nowhere,stolen,,{wrong},{wrong}\n\
        good.name,x@example.com,Northside,owned,C-1,{wrong},with,{wrong},commas\n\
        other.name,x@example.com,{wrong},extra,Northside,owned,C-1,,\n\
        third.name,x@example.com,Northside,owned,C-1,\"{wrong}\u{0}\",\n\
        fourth.name,x@example.com,Northside,owned,C-1,{},\n\
        fifth.name,{wrong}\n\
        {wrong},slipped.name,x@example.com,Northside,owned,C-1,,{wrong}\n\
        sixth.name,x@example.com,Northside,owned,C-1,\"{wrong}\n",
        wrong.repeat(500),
    );
    let import = watched.import("accounts", faulty).await;
    assert!(import["rejected_rows"].as_i64() >= Some(5), "{import}");
    let rejected = watched
        .owner
        .get(&format!("/v1/imports/{}/rejected", import["id"]))
        .await
        .expect(200);
    assert!(
        rejected.as_str().is_some_and(|file| file.contains(&wrong)),
        "rejected rows come back whole"
    );
    watched
        .import(
            "proxies",
            format!("198.51.100.1:99999:user:{wrong}\nuser:{wrong}@:80\nhttp://u:{wrong}@[::\n{wrong}\n"),
        )
        .await;

    // Files that are refused whole, or are not what they look like.
    for (kind, file) in [
        (
            "accounts",
            format!("ana1:{wrong}:ana1@example.com:{wrong}\nbo2:{wrong}:bo2@example.com:{wrong}\n"),
        ),
        (
            "accounts",
            format!("ana.one,ana@example.com,Northside,owned,C-1,{wrong},\n"),
        ),
        (
            "accounts",
            format!("username,email,password,password\na,b@example.com,{wrong},{wrong}\n"),
        ),
        (
            "accounts",
            format!("username,email,passwort2\na.one,b@example.com,{wrong}\n"),
        ),
        (
            "accounts",
            format!("[{{\"username\": \"a.one\", \"password\": \"{wrong}\", }}]"),
        ),
        (
            "proxies",
            format!("[{{\"proxy_address\": \"a\", \"password\": \"{wrong}\""),
        ),
        ("models", format!("{wrong}\n{wrong},{wrong}\n")),
    ] {
        watched.file(kind, "&file_name=strange.csv", file).await;
    }
}

/// Requests that are wrong in a way that could make an error quote a secret.
async fn ask_wrongly(watched: &mut Watched) {
    let wrong = canary("asked", 1);
    let tricky = format!("{wrong} at line 1, expected {wrong}");
    let account = json!({
        "username": "ana.new", "email": "ana.new@example.com", "model_id": 1, "password": wrong, "access_token": wrong,
        "authorisation_basis": "owned", "authorisation_reference": "C-1", "status": "active",
        "authorisation_expires_at": "2100-01-01T00:00:00Z",
    });
    let proxy = json!({
        "scheme": "http", "host": "new.example.com", "port": 80, "username": "u", "password": wrong,
        "provider": "Harbour", "location": "Leeds", "monthly_cost": "1.00", "max_accounts": 3,
    });
    let no_texts = [
        "model_id",
        "authorisation_basis",
        "status",
        "authorisation_expires_at",
        "scheme",
        "port",
        "monthly_cost",
        "max_accounts",
    ];
    for (path, whole) in [("/v1/accounts", account), ("/v1/proxies", proxy)] {
        let mut made = Value::Null;
        for _ in 0..2 {
            let request = watched
                .owner
                .request(Method::POST, path)
                .header("idempotency-key", path)
                .json(&whole);
            made = watched.send(request).await.expect(201);
        }
        let made = format!("{path}/{}", made["id"]);
        // The same again without the key: it is there already.
        watched.ask(Method::POST, path, whole.clone()).await.problem(409);
        for field in whole.as_object().expect("an object").keys() {
            let mut bad = vec![
                json!({&wrong: wrong}),
                json!([wrong]),
                json!(format!("{wrong}\0")),
            ];
            if no_texts.contains(&field.as_str()) {
                bad.extend([json!(wrong), json!(tricky)]);
            }
            for bad in bad {
                let mut body = whole.clone();
                body[field] = bad.clone();
                for answer in [
                    watched.ask(Method::POST, path, body).await,
                    watched.ask(Method::PATCH, &made, json!({field: bad})).await,
                ] {
                    assert!(
                        answer.status.is_client_error() || field == "password" || field == "access_token",
                        "{field}: {}",
                        answer.body
                    );
                }
            }
        }
        for body in [
            format!("{{\"password\": \"{wrong}\""),
            format!("{{\"password\": \"{wrong}\" \"{wrong}\"}}"),
            format!("[\"{wrong}\"]"),
            format!("\"{wrong}\""),
            format!("{{\"password\": \"{wrong}\\u0000\", \"password\": \"{wrong}\"}}"),
            format!("{{\"password\": {wrong}}}"),
        ] {
            let request = watched
                .owner
                .request(Method::POST, path)
                .header("content-type", "application/json");
            let answer = watched.send(request.body(body)).await;
            assert!(answer.status.is_client_error(), "{}", answer.body);
        }
        watched
            .ask(Method::PATCH, &made, json!({"password": wrong.repeat(1000)}))
            .await
            .problem(422);
    }
    watched
        .ask(
            Method::PATCH,
            "/v1/proxies/1",
            json!({"password": canary("proxy-changed", 1)}),
        )
        .await
        .expect(200);

    // People's own passwords, good and bad.
    let email = "bo@example.com";
    let operator = json!({"email": email, "name": "Bo", "role": "viewer"});
    let operator = watched
        .ask(Method::POST, "/v1/operators", operator)
        .await
        .expect(201);
    let link = format!("/v1/operators/{}/password-link", operator["id"]);
    let link = watched.owner.post(&link, json!({})).await.expect(201);
    let link = watched.token(&link["token"]);
    for (password, status) in [
        ("short".to_owned(), 422),
        (wrong.repeat(20), 422),
        (wrong.clone(), 204),
    ] {
        let body = json!({"token": link, "password": password});
        watched
            .ask(Method::POST, "/v1/password", body)
            .await
            .expect(status);
    }
    for password in [canary("never", 1), wrong.repeat(20)] {
        let answer = watched
            .ask(
                Method::POST,
                "/v1/sessions",
                json!({"email": email, "password": password}),
            )
            .await;
        assert!(answer.status.is_client_error(), "{}", answer.body);
    }
    let session = watched
        .owner
        .post("/v1/sessions", json!({"email": email, "password": wrong}))
        .await;
    let cookie = session.headers["set-cookie"].to_str().expect("a text");
    watched.token(&json!(cookie.split(['=', ';']).nth(1)));
    let new = json!({"kind": "api", "name": "n", "role": "viewer"});
    let issued = watched.owner.post("/v1/tokens", new).await.expect(201);
    watched.token(&issued["secret"]);
    watched
        .ask(
            Method::POST,
            "/v1/sessions",
            json!({"email": [wrong], "password": {&wrong: 1}}),
        )
        .await
        .problem(422);
}

/// Leads every account to a lease, and opens its secrets.
async fn work(watched: &mut Watched) {
    let mut db = superuser(&watched.cluster).await;
    let fill = "insert into model_content (tenant_id, model_id, content_type, image_url)
        select 1, 1, 'any', 'https://example.com/' || g || '.jpg' from generate_series(1, 10) g;
        insert into text_pools (tenant_id, model_id, content_type, text_content)
        select 1, 1, 'bio', 'Words ' || g from generate_series(1, 10) g";
    db.execute(fill).await.expect("pools");
    watched
        .ask(Method::POST, "/v1/proxies/assign", json!({}))
        .await
        .expect(200);
    let count = watched
        .ask(
            Method::GET,
            "/v1/accounts/count?filter=state:proxy_assigned",
            Value::Null,
        )
        .await
        .expect(200);
    let start =
        json!({"event": "start_warmup", "filter": "state:proxy_assigned", "expected_count": count["count"]});
    watched
        .ask(Method::POST, "/v1/accounts/transitions", start)
        .await
        .expect(200);

    let bot = watched.bot.clone();
    let mut opened = String::new();
    loop {
        let claimed = bot.post("/v1/work/claim", json!({"max": 250})).await;
        watched.keep(&claimed);
        let claimed = claimed.expect(200);
        let leases: Vec<&Value> = claimed["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| &item["lease"])
            .collect();
        let Some(first) = leases.first().and_then(|lease| lease.as_str()) else {
            break;
        };
        let credentials = bot
            .post("/v1/work/credentials", json!({"leases": leases}))
            .await
            .expect(200);
        opened += &credentials.to_string();
        let session = format!("/v1/work/session?lease={first}");
        let kept = bot.put(&session, json!({"data": canary("session", 1)})).await;
        watched.keep(&kept);
        kept.expect(200);
        assert_eq!(bot.get(&session).await.expect(200)["data"], canary("session", 1));
        let bad = bot.put(&session, json!({"data": [canary("session", 2)]})).await;
        watched.keep(&bad);
        bad.problem(422);
        // Those of the first step go on to the second, which nobody needs here: the rest of the leases end with the test.
        let results: Vec<Value> = leases
            .iter()
            .map(|lease| json!({"lease": lease, "outcome": "requires_review", "execution_time_ms": 1}))
            .collect();
        let reported = bot.post("/v1/work/report", json!({"results": results})).await;
        watched.keep(&reported);
        reported.expect(200);
    }
    for n in 0..ACCOUNTS {
        let password = if n < CHANGED {
            canary("changed", n)
        } else {
            canary("password", n)
        };
        assert!(
            opened.contains(&password),
            "{password} was not opened for the bot that had the lease"
        );
    }
}

/// Everything that may carry secrets does, and everything else that can be looked at is.
async fn look_everywhere(watched: &mut Watched) {
    let revealed = watched
        .owner
        .post("/v1/accounts/500/reveal", json!({"reason": "a test"}))
        .await
        .expect(200);
    assert!(
        revealed["password"]
            .as_str()
            .is_some_and(|password| password.starts_with(CANARY)),
        "{revealed}"
    );
    watched
        .ask(
            Method::POST,
            "/v1/accounts/500/reveal",
            json!({"reason": [canary("reason", 1)]}),
        )
        .await
        .problem(422);
    for kind in ["accounts", "proxies"] {
        let exported = watched
            .owner
            .get(&format!("/v1/exports/{kind}?secrets=true"))
            .await
            .expect(200);
        let count = exported.as_str().expect("a file").matches(CANARY).count();
        assert!(
            count
                >= if kind == "accounts" {
                    ACCOUNTS + WITH_TOKENS
                } else {
                    PROXIES
                },
            "{count} of {kind}"
        );
    }
    let bot = watched.bot.get("/v1/accounts").await;
    watched.keep(&bot);
    bot.problem(403);
    for path in [
        "/v1/exports/accounts",
        "/v1/exports/proxies",
        "/v1/accounts?limit=500",
        "/v1/accounts/500",
        "/v1/accounts/500/history",
        "/v1/accounts/500/attempts",
        "/v1/accounts/500/authorisations",
        "/v1/proxies?limit=500",
        "/v1/proxies/1",
        "/v1/imports?limit=500",
        "/v1/reviews?limit=500",
        "/v1/audit?limit=500",
        "/v1/audit/export",
        "/v1/tokens",
        "/v1/bots",
        "/v1/operators",
        "/v1/sessions",
        "/v1/keys",
        "/v1/doctor",
        "/metrics",
        "/v1/openapi.json",
    ] {
        watched.ask(Method::GET, path, Value::Null).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_secrets_are_nowhere_but_where_they_may_be() {
    let mut watched = Watched::start().await;
    import_everything(&mut watched).await;
    ask_wrongly(&mut watched).await;
    work(&mut watched).await;
    look_everywhere(&mut watched).await;

    // Left in plain on purpose: in a table, and so in the WAL and a dump; in PostgreSQL's log; and in the server's.
    let mut db = superuser(&watched.cluster).await;
    db.execute(AssertSqlSafe(format!(
        "create table control as select '{CONTROL}' as plain"
    )))
    .await
    .expect("a table");
    db.execute(AssertSqlSafe(format!("select '{CONTROL}'::integer")))
        .await
        .expect_err("no number");
    watched
        .ask(Method::GET, &format!("/v1/{CONTROL}"), Value::Null)
        .await
        .problem(404);
    db.execute("checkpoint").await.expect("everything is on disk");
    watched.dump();

    watched.server.kill().expect("SIGKILL");
    watched.server.wait().expect("it is gone");
    let (data, evidence) = (
        watched.cluster.dir().to_owned(),
        watched.evidence.path().to_owned(),
    );

    let control = found_in(&data, &[CONTROL]) + &found_in(&evidence, &[CONTROL]);
    for place in ["/pg/base/", "/pg/pg_wal/", "/log/", "/server.log", "/dump.sql"] {
        assert!(
            control.contains(place),
            "what is left in plain in {place} is not found: {control}"
        );
    }
    let log = std::fs::read_to_string(evidence.join("server.log")).expect("the log");
    assert!(
        log.contains("TRACE") && log.contains("DEBUG"),
        "the server says everything that it can"
    );

    let secrets: Vec<&str> = std::iter::once(CANARY)
        .chain(watched.tokens.iter().map(String::as_str))
        .collect();
    let found = found_in(&data, &secrets) + &found_in(&evidence, &secrets);
    watched.evidence.disable_cleanup(!found.is_empty());
    assert!(found.is_empty(), "secrets are in plain in:\n{found}");
    watched.cluster.stop().await.expect("it stops");
}
