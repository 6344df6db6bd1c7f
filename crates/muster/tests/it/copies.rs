//! Copies of a tenant: what they hold, that they restore into another server, and what they refuse.

use std::path::{Path, PathBuf};

use muster::{
    config::ServeSettings,
    copies::{self, Copied, CopyError},
    seal::MasterKeys,
    tick,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::{
    cli::{Ran, run_with},
    support::{CLUSTER, Caller, TestApp, value},
};

/// Tables with rows of tenants that are not in a copy, each with its reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("account_count_changes", "counted anew when restored"),
    ("account_counts", "counted anew when restored"),
    (
        "api_tokens",
        "new ones are given out: the old ones may be known to whoever caused the loss",
    ),
    ("attempt_count_changes", "of the last hour"),
    ("attempt_counts", "of the last hour"),
    ("batch_accounts", "under way, and of people"),
    ("batches", "under way, and of people"),
    ("fingerprint_changes", "noted anew when restored"),
    ("idempotency_keys", "of requests that nobody repeats"),
    ("import_rows", "a file that is there still"),
    ("imports", "under way, and of people"),
    ("memberships", "people are invited anew"),
    ("password_links", "of people"),
    ("second_factors", "of people"),
    ("pool_count_changes", "counted anew when restored"),
    ("pool_counts", "counted anew when restored"),
    ("proxy_count_changes", "counted anew when restored"),
    ("proxy_counts", "counted anew when restored"),
    ("recovery_codes", "of people"),
    ("sessions", "of people"),
    (
        "tenant_keys",
        "in the copy, and not restored: the new tenant's seal everything anew",
    ),
    ("views", "of people"),
];

/// A tenant with something in each copied table, of which some happened half a year ago.
async fn lived_in() -> TestApp {
    let app = TestApp::start().await;
    app.warm_accounts(12).await;
    let account = app
        .owner
        .post(
            "/v1/accounts",
            json!({"username": "canary.name", "email": "c@example.com", "password": "canary-password"}),
        )
        .await
        .expect(201);
    let id = account["id"].as_i64().expect("an id");
    app.owner
        .post(&format!("/v1/accounts/{id}/notes"), json!({"text": "a note"}))
        .await
        .expect(204);
    app.owner
        .post(
            "/v1/proxies",
            json!({"scheme": "http", "host": "p.example.com", "port": 1, "username": "u", "password": "canary-proxy",
                "provider": "P", "location": "DE", "monthly_cost": "1.50"}),
        )
        .await
        .expect(201);
    let (_, bot) = app.bot("b").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 6})).await.expect(200);
    let items = claimed["items"].as_array().expect("steps");
    let lease = items[0]["lease"].as_str().expect("a lease");
    let session = format!("/v1/work/session?lease={lease}");
    bot.put(&session, json!({"data": "canary-session"}))
        .await
        .expect(200);
    let results: Vec<Value> = items[1..]
        .iter()
        .zip(["completed", "completed", "failed", "requires_review", "completed"])
        .map(|(item, outcome)| json!({"lease": item["lease"], "outcome": outcome, "execution_time_ms": 5, "error": "why"}))
        .collect();
    bot.post("/v1/work/report", json!({"results": results}))
        .await
        .expect(200);
    app.run(
        "select make_partition(t, (date_trunc('month', now()) - interval '6 months')::date)
         from unnest('{account_state_history,warmup_step_logs}'::text[]) t;
         update account_state_history set created_at = created_at - interval '6 months' where account_id = 1;
         insert into pictures (tenant_id, sha256, media_type, bytes) values (1, sha256('a picture'), 'image/png', 'a picture');
         insert into model_content (tenant_id, model_id, content_type, image_url)
         select tenant_id, id, 'pfp', '/v1/pictures/' || encode(sha256('a picture'), 'hex') from models",
    )
    .await;
    app.owner.post("/v1/metrics/rollup", json!({})).await.expect(200);
    app
}

/// A place for copies, and the copy in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("first.copy");
    (folder, path)
}

async fn make(app: &TestApp, path: &Path) -> Copied {
    let owner = CLUSTER.options("muster_owner", &app.database);
    copies::make(&owner, &app.app.keys.master(), "First", path)
        .await
        .expect("a copy")
}

async fn restore(
    app: &TestApp,
    sealed_by: &MasterKeys,
    path: &Path,
    tenant: &str,
) -> Result<Copied, CopyError> {
    let owner = CLUSTER.options("muster_owner", &app.database);
    copies::restore(&owner, &app.app.keys, sealed_by, path, tenant).await
}

/// Every row of a tenant in a copied table, but for its tenant and what is sealed.
async fn rows(app: &TestApp, table: &str, tenant: &str) -> Vec<Value> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select to_jsonb(t) - '{{tenant_id,password_encrypted,access_token_encrypted,data_encrypted}}'::text[] from {table} t
         where tenant_id = (select id from tenants where name = '{tenant}') order by 1"
    )))
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("rows")
}

/// What the doctor finds, but for the settings of a PostgreSQL of tests.
async fn findings(owner: &Caller) -> Vec<String> {
    let told = owner.get("/v1/doctor").await.expect(200);
    let codes = told["findings"].as_array().expect("findings").iter();
    codes
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .filter(|code| code != "settings")
        .collect()
}

#[tokio::test]
async fn a_copy_restores_into_another_server_as_it_was() {
    let from = lived_in().await;
    let (folder, path) = place();
    let copied = make(&from, &path).await;
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("the folder").count(),
        1,
        "nothing is left beside it"
    );

    // Where another tenant has the same numbers already, under another master key.
    let to = TestApp::start().await;
    to.warm_accounts(3).await;
    let (tenant, owner) = to.other_tenant().await;
    owner.post("/v1/metrics/rollup", json!({})).await.expect(200);
    let name = value::<String>(&to, "select name from tenants order by id desc limit 1").await;
    let restored = restore(&to, &from.app.keys.master(), &path, &name)
        .await
        .expect("it restores");
    assert_eq!((restored.rows, restored.taken_at), (copied.rows, copied.taken_at));

    let tables: Vec<String> = value(&to, "select copied_tables()").await;
    for table in &tables {
        let (were, are) = (rows(&from, table, "First").await, rows(&to, table, &name).await);
        assert!(!were.is_empty(), "{table} is empty, and so shows nothing");
        // What is said of the copy itself, and of the tenant before, is in the audit too.
        let were: Vec<Value> = were
            .into_iter()
            .filter(|row| row["action"] != "copy.make")
            .collect();
        let are: Vec<Value> = are.into_iter().filter(|row| were.contains(row)).collect();
        assert_eq!(were, are, "{table}");
    }
    assert_eq!(findings(&owner).await, [] as [String; 0]);
    let told = owner.get("/v1/audit?filter=action:copy").await.expect(200);
    assert_eq!(told["items"][0]["action"], "copy.restore", "{told}");

    // Its secrets open, and by its own keys.
    let id = rows(&to, "accounts", &name).await;
    let id = id
        .iter()
        .find(|row| row["username"] == "canary.name")
        .expect("the account")["id"]
        .clone();
    let shown = owner
        .post(&format!("/v1/accounts/{id}/reveal"), json!({"reason": "a test"}))
        .await
        .expect(200);
    assert_eq!(shown["password"], "canary-password");

    // It goes on: triggers fire again, new rows get new numbers, work is handed out.
    let made = owner
        .post(
            "/v1/accounts",
            json!({"username": "after", "email": "a@example.com"}),
        )
        .await
        .expect(201);
    assert!(made["id"].as_i64() > id.as_i64(), "{made}");
    let history = format!("/v1/accounts/{}/history", made["id"]);
    assert_eq!(
        owner.get(&history).await.expect(200)["items"]
            .as_array()
            .expect("items")
            .len(),
        1
    );
    let bot = owner.post("/v1/bots", json!({"name": "new"})).await.expect(201);
    let bot = muster_wire::BotId(bot["id"].as_i64().expect("an id"));
    let bot = to.caller(tenant, muster::tokens::Bearer::Bot(bot)).await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    assert_eq!(claimed["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn a_copy_shows_nothing_to_whoever_has_only_the_file() {
    let app = lived_in().await;
    let (_folder, path) = place();
    make(&app, &path).await;
    let bytes = std::fs::read(&path).expect("the copy");
    for canary in ["canary", "example.com", "Provider"] {
        let found = bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{canary} is in the file");
    }
    use std::os::unix::fs::MetadataExt;
    assert_eq!(std::fs::metadata(&path).expect("the copy").mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_copy_that_was_altered_or_cut_restores_nothing() {
    let app = lived_in().await;
    let (_folder, path) = place();
    make(&app, &path).await;
    let whole = std::fs::read(&path).expect("the copy");
    let master = app.app.keys.master();
    let (_, owner) = app.other_tenant().await;
    let name: String = value(&app, "select name from tenants order by id desc limit 1").await;
    let mut damaged = Vec::new();
    for part in 0..16 {
        let at = whole.len() * part / 16;
        damaged.push((
            format!("altered at {at}"),
            [&whole[..at], &[whole[at] ^ 1], &whole[at + 1..]].concat(),
        ));
        damaged.push((format!("cut at {at}"), whole[..at].to_vec()));
    }
    let name_at = whole
        .windows(5)
        .position(|window| window == b"First")
        .expect("its name");
    damaged.push((
        "said to be another's".to_owned(),
        [&whole[..name_at], b"Fjrst", &whole[name_at + 5..]].concat(),
    ));
    damaged.push(("longer".to_owned(), [&whole[..], b"more"].concat()));
    for (how, bytes) in damaged {
        std::fs::write(&path, bytes).expect("written");
        let refused = restore(&app, &master, &path, &name).await;
        assert!(
            matches!(refused, Err(CopyError::Form | CopyError::Key(_))),
            "{how}: {refused:?}"
        );
        assert_eq!(rows(&app, "accounts", &name).await.len(), 0, "{how}");
    }
    std::fs::write(&path, &whole).expect("written");
    restore(&app, &master, &path, &name)
        .await
        .expect("the whole one restores");
    assert_eq!(findings(&owner).await, [] as [String; 0]);
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_with_the_cure() {
    let app = lived_in().await;
    let (folder, path) = place();
    make(&app, &path).await;
    let master = app.app.keys.master();
    let refused = restore(&app, &master, &path, "First")
        .await
        .expect_err("it is not empty");
    assert!(matches!(refused, CopyError::NotEmpty(_)), "{refused}");
    let refused = restore(&app, &master, &path, "Nobody")
        .await
        .expect_err("there is none");
    assert!(matches!(refused, CopyError::NoTenant(_)), "{refused}");
    let other = MasterKeys::read_or_create(&folder.path().join("other.key")).expect("a key");
    app.other_tenant().await;
    let name: String = value(&app, "select name from tenants order by id desc limit 1").await;
    let refused = restore(&app, &other, &path, &name)
        .await
        .expect_err("another key");
    assert!(refused.to_string().contains(&master.id()), "{refused}");
    app.run("update _sqlx_migrations set version = version + 1000 where version = (select max(version) from _sqlx_migrations)")
        .await;
    let refused = restore(&app, &master, &path, &name)
        .await
        .expect_err("another version");
    assert!(matches!(refused, CopyError::Version { .. }), "{refused}");
    let nowhere = folder.path().join("nowhere/first.copy");
    let owner = CLUSTER.options("muster_owner", &app.database);
    let refused = copies::make(&owner, &master, "First", &nowhere)
        .await
        .expect_err("no folder");
    assert!(matches!(refused, CopyError::Io(_)), "{refused}");
}

#[tokio::test]
async fn the_role_that_serves_restores_nothing() {
    let app = TestApp::start().await;
    let role = CLUSTER.options("muster_app", &app.database);
    let mut db = PgConnection::connect_with(&role).await.expect("the role");
    for call in [
        "select begin_restore(1)",
        "select restore_rows(1, 'accounts', '[]')",
        "select finish_restore(1)",
        "select make_partition('accounts', current_date)",
    ] {
        let refused = db.execute(call).await.expect_err(call).to_string();
        assert!(refused.contains("permission denied for function"), "{refused}");
    }
}

#[tokio::test]
async fn every_table_of_tenants_is_copied_or_left_out_for_a_reason() {
    let app = TestApp::start().await;
    let tables: Vec<String> = value(
        &app,
        "select array_agg(c.relname::text order by c.relname) from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition",
    )
    .await;
    let copied: Vec<String> = value(&app, "select copied_tables()").await;
    let mut known: Vec<&str> = LEFT_OUT.iter().map(|(table, _)| *table).collect();
    known.extend(copied.iter().map(String::as_str));
    known.sort_unstable();
    assert_eq!(known, tables);
    let read = include_str!("../../src/copies/rows.sql");
    for table in copied.iter().map(String::as_str).chain(["tenant_keys"]) {
        assert!(read.contains(&format!("'{table}'")), "{table}");
    }
}

#[tokio::test]
async fn the_server_writes_a_copy_of_each_tenant_each_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = TestApp::start_with(ServeSettings {
        copies: Some(folder.path().join("copies")),
        ..ServeSettings::default()
    })
    .await;
    app.warm_accounts(3).await;
    app.other_tenant().await;
    let scheduler = app.scheduler().await;
    let written = async || tick::copy_tenants(&app.app, &scheduler).await.expect("copies");
    assert_eq!(written().await, 2);
    let first = folder.path().join("copies/1");
    let stale = first.join("2020-01-01T00Z.copy");
    std::fs::write(&stale, "").expect("an old one");
    // In the next hour there may be two more.
    let again = written().await;
    assert!(again == 0 || again == 2, "{again}");
    let newest = |dir: &Path| {
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .expect("the folder")
            .map(|file| file.expect("a file").path())
            .collect();
        files.sort_unstable();
        files.pop().expect("a copy")
    };
    let copy = newest(&first);
    std::fs::remove_file(&copy).expect("removed");
    assert_eq!(written().await, 1);
    assert!(!stale.exists(), "an old one is removed when a new one is there");
    let name: String = value(&app, "select name from tenants order by id desc limit 1").await;
    let restored = restore(&app, &app.app.keys.master(), &copy, &name)
        .await
        .expect("it restores");
    assert_eq!(restored.tenant, "First");
    assert_eq!(rows(&app, "accounts", &name).await.len(), 3);
}

#[tokio::test]
async fn copies_are_made_shown_and_restored_from_the_command_line() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    app.other_tenant().await;
    let name: String = value(&app, "select name from tenants order by id desc limit 1").await;
    let (folder, path) = place();
    let key_file = folder.path().join("master.key");
    app.app.keys.master().write_new(&key_file).expect("the key");
    let url = format!(
        "postgres://muster_owner@localhost/{}?host={}",
        app.database,
        CLUSTER.socket.display()
    );
    let (key_file, path) = (key_file.display().to_string(), path.display().to_string());
    let muster = async |args: &[&str]| -> Ran {
        let env = [
            ("MUSTER_OWNER_URL", url.as_str()),
            ("MUSTER_MASTER_KEY_FILE", &key_file),
        ];
        run_with(&env, args, "").await
    };
    let made = muster(&["copy", "make", "--tenant", "First", "--into", &path])
        .await
        .expect(0);
    assert!(made.starts_with(&format!("The copy is in {path}: ")), "{made}");
    let shown = muster(&["copy", "show", &path]).await.expect(0);
    assert!(shown.starts_with("Tenant First (1) at 2"), "{shown}");
    let restore = [
        "copy",
        "restore",
        &path,
        "--tenant",
        &name,
        "--sealed-by",
        &key_file,
    ];
    let restored = muster(&restore).await.expect(0);
    assert!(restored.contains("`muster doctor`"), "{restored}");
    let again = muster(&restore).await.refused(1);
    assert!(
        again.contains("is not empty: make a new one for the copy"),
        "{again}"
    );
}
