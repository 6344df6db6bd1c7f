//! Keys: exchanged while everything runs, and after being interrupted.

use std::time::{Duration, Instant};

use muster::{
    actor::Actor,
    db::Db,
    keys,
    seal::{Keyring, MasterKeys, Place, key_version},
    tenants,
};
use muster_wire::TenantId;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::support::{CLUSTER, TestApp, value};

fn place(account: i64) -> Place {
    Place::new("accounts", "password_encrypted", account)
}

/// An account of the tenant with a sealed password, `secret-ID`.
async fn account(app: &TestApp, tenant: TenantId) -> i64 {
    let mut db = app.superuser().await;
    let id: i64 = sqlx::query_scalar(
        "insert into accounts (tenant_id, username, email) values ($1, 'a' || nextval('accounts_id_seq'), 'x') returning id",
    )
    .bind(tenant.0)
    .fetch_one(&mut db)
    .await
    .expect("an account");
    let sealed = seal(app, tenant, id, &format!("secret-{id}")).await;
    store(&mut db, id, &sealed).await;
    id
}

async fn seal(app: &TestApp, tenant: TenantId, id: i64, secret: &str) -> Vec<u8> {
    let mut tx = app
        .app
        .db
        .begin(&Actor::system(tenant))
        .await
        .expect("a transaction");
    app.app
        .keys
        .tenant(&mut tx, tenant)
        .await
        .expect("keys")
        .seal(&place(id), &secret.into())
}

async fn store(db: &mut PgConnection, id: i64, sealed: &[u8]) {
    sqlx::query("update accounts set password_encrypted = $2 where id = $1")
        .bind(id)
        .bind(sealed)
        .execute(db)
        .await
        .expect("update");
}

async fn sealed(app: &TestApp, id: i64) -> Vec<u8> {
    sqlx::query_scalar("select password_encrypted from accounts where id = $1")
        .bind(id)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("a secret")
}

/// What the account's password opens to, with keys that are read again.
async fn opened(app: &TestApp, tenant: TenantId, id: i64) -> String {
    app.app.keys.forget();
    let mut tx = app
        .app
        .db
        .begin(&Actor::system(tenant))
        .await
        .expect("a transaction");
    let keys = app.app.keys.tenant(&mut tx, tenant).await.expect("keys");
    keys.open(&place(id), &sealed(app, id).await)
        .expect("it opens")
        .expose_secret()
        .to_owned()
}

async fn begin(app: &TestApp) -> i32 {
    let actor = app.owner_actor();
    let mut tx = app.app.db.begin(&actor).await.expect("a transaction");
    let shown = keys::rotate(&mut tx, &actor, &app.app.keys)
        .await
        .expect("it rotates");
    tx.commit().await.expect("commit");
    app.app.keys.forget();
    shown.current
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(app: &TestApp) {
    let until = Instant::now() + Duration::from_secs(10);
    while value::<i64>(app, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").await == 0 {
        assert!(Instant::now() < until, "nobody came to wait for the lock");
    }
}

#[tokio::test]
async fn a_rotation_over_the_api_seals_everything_anew_in_the_background() {
    let app = TestApp::start().await;
    let id = account(&app, app.tenant).await;
    let (other, _) = app.other_tenant().await;
    let theirs = account(&app, other).await;
    let begun = app
        .owner
        .post("/v1/keys/rotate", serde_json::json!({}))
        .await
        .expect(202);
    assert_eq!(
        (begun["current"].as_i64(), begun["resealing"].as_bool()),
        (Some(2), Some(true))
    );
    let until = Instant::now() + Duration::from_secs(30);
    let keys = loop {
        let keys = app.owner.get("/v1/keys").await.expect(200);
        if keys["resealing"] == false {
            break keys;
        }
        assert!(Instant::now() < until, "it does not end");
        tokio::task::yield_now().await;
    };
    assert_eq!(keys["versions"][1]["resealed"], 1, "{keys}");
    assert_eq!(keys["versions"][1]["failed"], 0, "{keys}");
    assert_eq!(key_version(&sealed(&app, id).await), Some(2));
    assert_eq!(opened(&app, app.tenant, id).await, format!("secret-{id}"));
    assert_eq!(
        key_version(&sealed(&app, theirs).await),
        Some(1),
        "another tenant's key is its own"
    );
}

#[tokio::test]
async fn every_column_of_secrets_is_sealed_anew_for_its_own_place() {
    let app = TestApp::start().await;
    let tenant = app.tenant.0;
    let id = account(&app, app.tenant).await;
    let mut db = app.superuser().await;
    let mut tx = app
        .app
        .db
        .begin(&Actor::system(app.tenant))
        .await
        .expect("a transaction");
    let tenant_keys = app.app.keys.tenant(&mut tx, app.tenant).await.expect("keys");
    tx.commit().await.expect("commit");
    let (proxy, import): (i64, i64) = (
        sqlx::query_scalar("insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost) values ($1, 'http', 'h', 1, 'p', 'l', 0) returning id")
            .bind(tenant).fetch_one(&mut db).await.expect("a proxy"),
        sqlx::query_scalar("insert into imports (tenant_id, kind, state) values ($1, 'accounts', 'staged') returning id")
            .bind(tenant).fetch_one(&mut db).await.expect("an import"),
    );
    sqlx::query("insert into import_rows (tenant_id, import_id, line, verdict, target_id) values ($1, $2, 7, 'changed', $3)")
        .bind(tenant).bind(import).bind(id).execute(&mut db).await.expect("a row");
    sqlx::query("insert into bot_sessions (tenant_id, account_id, data_encrypted) values ($1, $2, '')")
        .bind(tenant)
        .bind(id)
        .execute(&mut db)
        .await
        .expect("a session");
    sqlx::query(
        "insert into second_factors (tenant_id, operator_id, secret_encrypted, last_step) values ($1, $2, '', 0)",
    )
    .bind(tenant)
    .bind(app.owner_id.0)
    .execute(&mut db)
    .await
    .expect("a second factor");
    // Where each is stored, and for which place it is sealed.
    let account_password = Place::new("accounts", "password_encrypted", id);
    let account_token = Place::new("accounts", "access_token_encrypted", id);
    let places: [(&'static str, &'static str, &Place); 11] = [
        (
            "update accounts set password_encrypted = $1",
            "select password_encrypted from accounts",
            &account_password,
        ),
        (
            "update accounts set access_token_encrypted = $1",
            "select access_token_encrypted from accounts",
            &account_token,
        ),
        (
            "update proxies set password_encrypted = $1",
            "select password_encrypted from proxies",
            &Place::new("proxies", "password_encrypted", proxy),
        ),
        (
            "update bot_sessions set data_encrypted = $1",
            "select data_encrypted from bot_sessions",
            &Place::new("bot_sessions", "data_encrypted", id),
        ),
        (
            "update second_factors set secret_encrypted = $1",
            "select secret_encrypted from second_factors",
            &Place::new("second_factors", "secret_encrypted", app.owner_id),
        ),
        (
            "update imports set file_encrypted = $1",
            "select file_encrypted from imports",
            &Place::new("imports", "file_encrypted", import),
        ),
        (
            "update import_rows set password_encrypted = $1",
            "select password_encrypted from import_rows",
            &account_password,
        ),
        (
            "update import_rows set access_token_encrypted = $1",
            "select access_token_encrypted from import_rows",
            &account_token,
        ),
        (
            "update import_rows set raw_encrypted = $1",
            "select raw_encrypted from import_rows",
            &Place::new("import_rows", "raw_encrypted", format!("{import}:7")),
        ),
        (
            "update import_rows set before_password_encrypted = $1",
            "select before_password_encrypted from import_rows",
            &account_password,
        ),
        (
            "update import_rows set before_access_token_encrypted = $1",
            "select before_access_token_encrypted from import_rows",
            &account_token,
        ),
    ];
    for (n, (update, _, place)) in places.iter().enumerate() {
        let sealed = tenant_keys.seal(place, &format!("s{n}").into());
        sqlx::query(*update)
            .bind(sealed)
            .execute(&mut db)
            .await
            .expect("update");
    }
    assert_eq!(begin(&app).await, 2);
    let done = keys::reseal(&app.app.db, &app.app.keys, &app.owner_actor())
        .await
        .expect("it ends");
    assert_eq!((done.resealed, done.failed), (11, 0));
    let mut tx = app
        .app
        .db
        .begin(&Actor::system(app.tenant))
        .await
        .expect("a transaction");
    let tenant_keys = app.app.keys.tenant(&mut tx, app.tenant).await.expect("keys");
    for (n, (_, select, place)) in places.iter().enumerate() {
        let sealed: Vec<u8> = sqlx::query_scalar(*select)
            .fetch_one(&mut db)
            .await
            .expect("a secret");
        assert_eq!(key_version(&sealed), Some(2), "{select}");
        assert_eq!(
            tenant_keys.open(place, &sealed).expect(select).expose_secret(),
            format!("s{n}")
        );
    }
}

#[tokio::test]
async fn no_column_of_secrets_is_forgotten() {
    let app = TestApp::start().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select table_name || '.' || column_name from information_schema.columns \
         where table_schema = 'public' and data_type = 'bytea' order by 1",
    )
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("columns");
    let hashes = [
        "hash",
        "token_hash",
        "code_hash",
        "request_hash",
        "sha256",
        "picture",
    ];
    let sealed: Vec<_> = columns
        .iter()
        .filter(|name| {
            !hashes.iter().any(|hash| name.ends_with(&format!(".{hash}"))) && *name != "tenant_keys.wrapped"
        })
        .filter(|name| *name != "_sqlx_migrations.checksum" && *name != "pictures.bytes")
        .collect();
    assert_eq!(
        sealed.len(),
        11,
        "add the new column to keys::SEALED and its statements: {sealed:?}"
    );
}

#[tokio::test]
async fn a_secret_that_is_changed_meanwhile_stays_as_it_is_changed() {
    let app = TestApp::start().await;
    let id = account(&app, app.tenant).await;
    begin(&app).await;
    let fresh = seal(&app, app.tenant, id, "changed meanwhile").await;
    let mut db = app.superuser().await;
    let mut change = db.begin().await.expect("a transaction");
    store(&mut change, id, &fresh).await;
    let (running, keyring, actor) = (app.app.db.clone(), app.app.keys.clone(), app.owner_actor());
    let resealing = tokio::spawn(async move { keys::reseal(&running, &keyring, &actor).await });
    // It has read the old secret, and waits to exchange it.
    somebody_waits(&app).await;
    change.commit().await.expect("commit");
    resealing.await.expect("it ran").expect("it ends");
    assert_eq!(opened(&app, app.tenant, id).await, "changed meanwhile");
}

#[tokio::test]
async fn a_rotation_that_was_killed_goes_on_with_the_same_key_when_it_is_asked_for_again() {
    let app = TestApp::start().await;
    let (first, second) = (account(&app, app.tenant).await, account(&app, app.tenant).await);
    assert_eq!(begin(&app).await, 2);
    let mut db = app.superuser().await;
    let mut lock = db.begin().await.expect("a transaction");
    sqlx::query("select from accounts where id = $1 for update")
        .bind(second)
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let (running, keyring, actor) = (app.app.db.clone(), app.app.keys.clone(), app.owner_actor());
    let resealing = tokio::spawn(async move { keys::reseal(&running, &keyring, &actor).await });
    somebody_waits(&app).await;
    resealing.abort();
    assert!(resealing.await.expect_err("it was killed").is_cancelled());
    lock.rollback().await.expect("rollback");
    for id in [first, second] {
        assert_eq!(opened(&app, app.tenant, id).await, format!("secret-{id}"));
    }
    assert_eq!(begin(&app).await, 2, "no other key is made");
    keys::reseal(&app.app.db, &app.app.keys, &app.owner_actor())
        .await
        .expect("it ends");
    for id in [first, second] {
        assert_eq!(key_version(&sealed(&app, id).await), Some(2));
        assert_eq!(opened(&app, app.tenant, id).await, format!("secret-{id}"));
    }
    assert_eq!(begin(&app).await, 3, "the next rotation makes another");
}

#[tokio::test]
async fn a_secret_that_does_not_open_does_not_stop_the_others() {
    let app = TestApp::start().await;
    let (moved, good) = (account(&app, app.tenant).await, account(&app, app.tenant).await);
    let of_another = sealed(&app, good).await;
    store(&mut app.superuser().await, moved, &of_another).await;
    begin(&app).await;
    let done = keys::reseal(&app.app.db, &app.app.keys, &app.owner_actor())
        .await
        .expect("it ends");
    assert_eq!((done.resealed, done.failed), (1, 1));
    assert_eq!(opened(&app, app.tenant, good).await, format!("secret-{good}"));
    assert_eq!(sealed(&app, moved).await, of_another, "left as it was");
    let keys = app.owner.get("/v1/keys").await.expect(200);
    assert_eq!(keys["resealing"], false, "{keys}");
    assert_eq!(
        (&keys["versions"][1]["resealed"], &keys["versions"][1]["failed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(begin(&app).await, 3, "it stands in the way of no other exchange");
}

#[tokio::test]
async fn secrets_that_lie_far_apart_are_all_found() {
    let app = TestApp::start().await;
    let first = account(&app, app.tenant).await;
    // More rows without a secret than are looked through at once.
    app.run(format!(
        "insert into accounts (tenant_id, username, email) select {}, 'bare' || n, 'e' from generate_series(1, 12000) n",
        app.tenant.0
    ))
    .await;
    let last = account(&app, app.tenant).await;
    begin(&app).await;
    let done = keys::reseal(&app.app.db, &app.app.keys, &app.owner_actor())
        .await
        .expect("it ends");
    assert_eq!((done.resealed, done.failed), (2, 0));
    for id in [first, last] {
        assert_eq!(key_version(&sealed(&app, id).await), Some(2));
    }
}

#[tokio::test]
async fn the_master_key_is_exchanged_for_all_tenants_also_after_being_killed_half_way() {
    let app = TestApp::start().await;
    let mut tenants = vec![app.tenant];
    for _ in 0..3 {
        tenants.push(app.other_tenant().await.0);
    }
    let mut accounts = Vec::new();
    for tenant in &tenants {
        accounts.push((*tenant, account(&app, *tenant).await));
    }
    begin(&app).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("master.key");
    app.app
        .keys
        .set_master(app.app.keys.master().rotate(&path).expect("it rotates"));
    let newest = app.app.keys.master().id();
    let wrapped = async || -> Vec<i64> {
        sqlx::query_scalar("select tenant_id from tenant_keys where master_key_id = $1 order by tenant_id")
            .bind(&newest)
            .fetch_all(&mut app.superuser().await)
            .await
            .expect("rows")
    };
    // Killed while it waits for the third tenant.
    let mut db = app.superuser().await;
    let mut lock = db.begin().await.expect("a transaction");
    sqlx::query("select from tenant_keys where tenant_id = $1 for update")
        .bind(tenants[2].0)
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let owner_role = CLUSTER.options("muster_owner", &app.database);
    let (role, keyring) = (owner_role.clone(), app.app.keys.clone());
    let rewrapping = tokio::spawn(async move { keys::rewrap_all(&role, &keyring).await });
    somebody_waits(&app).await;
    rewrapping.abort();
    assert!(rewrapping.await.expect_err("it was killed").is_cancelled());
    lock.rollback().await.expect("rollback");
    assert_eq!(wrapped().await, [tenants[0].0, tenants[0].0, tenants[1].0]);
    for (tenant, id) in &accounts {
        assert_eq!(opened(&app, *tenant, *id).await, format!("secret-{id}"));
    }
    let done = keys::rewrap_all(&owner_role, &app.app.keys)
        .await
        .expect("it ends");
    assert_eq!((done.rewrapped, done.left), (2, 0));
    assert_eq!(wrapped().await.len(), 5);
    app.app
        .keys
        .set_master(app.app.keys.master().forget_old(&path).expect("it is written"));
    assert_eq!(MasterKeys::read(&path).expect("it is read").count(), 1);
    for (tenant, id) in &accounts {
        assert_eq!(opened(&app, *tenant, *id).await, format!("secret-{id}"));
    }
}

#[tokio::test]
async fn a_running_server_goes_on_when_the_master_key_is_exchanged() {
    let database = CLUSTER.database().await;
    let owner_role = CLUSTER.options("muster_owner", &database);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("master.key");
    let server = Keyring::from_file(&path).expect("a keyring");
    let made = tenants::create(&owner_role, &server, "First", "ana@example.com", "Ana")
        .await
        .expect("a tenant");
    let db = Db::connect(CLUSTER.options("muster_app", &database), 1)
        .await
        .expect("the app's role");
    let actor = Actor::system(made.tenant);
    let place = Place::new("accounts", "password_encrypted", 1);
    let mut tx = db.begin(&actor).await.expect("a transaction");
    let sealed = server
        .tenant(&mut tx, made.tenant)
        .await
        .expect("keys")
        .seal(&place, &"s3cret".into());

    // As `muster master-key new` and `wrap` do, in another process.
    let rotated = MasterKeys::read(&path)
        .expect("the file")
        .rotate(&path)
        .expect("it rotates");
    let done = keys::rewrap_all(&owner_role, &Keyring::new(rotated.clone()))
        .await
        .expect("it wraps");
    assert_eq!((done.rewrapped, done.left), (1, 0));
    let newest = rotated.forget_old(&path).expect("it forgets").id();

    // As after the moment for which keys are remembered.
    server.forget();
    let opened = server
        .tenant(&mut tx, made.tenant)
        .await
        .expect("keys")
        .open(&place, &sealed)
        .expect("it opens");
    assert_eq!(opened.expose_secret(), "s3cret");
    assert_eq!(server.new_data_key(made.tenant, 2).expect("a key").1, newest);
}
