//! Before WAL fills its disk nothing is written any more, everything can be read, and nothing is lost.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use muster::{
    access::SESSION_COOKIE,
    actor::Actor,
    cluster::{self, Archive, Cluster},
    config::ServeSettings,
    schema,
    seal::{Keyring, MasterKeys},
    server::Server,
    tenants,
    token::{self, TokenKind},
    tokens::Bearer,
};
use muster_wire::Role;
use nix::mount::umount;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::Executor;

use crate::support::{Caller, backed::superuser};

/// The disk of WAL: little more than what has to be left.
const DISK_MIB: u32 = 700;
/// What is written at once to fill it.
const WRITTEN_MIB: usize = 16;
/// How long the disk may take to fill, and to have room again.
const ROOM_WITHIN: Duration = Duration::from_secs(120);

/// A small disk in memory, for as long as the value lives.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// Makes it; not possible without the right to.
    fn mount(at: &'a Path) -> Option<Self> {
        fs::create_dir(at).expect("a folder");
        let size = format!("size={DISK_MIB}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = umount(self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_refused_before_wal_fills_its_disk_and_go_on_when_there_is_room() {
    let above = tempfile::tempdir().expect("a folder");
    fs::set_permissions(above.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("a mode");
    let (live, wal, mended) = (
        above.path().join("live"),
        above.path().join("wal"),
        above.path().join("mended"),
    );
    let Some(_disk) = Disk::mount(&wal) else {
        println!("not shown here: it takes the right to mount a tmpfs");
        return;
    };
    Cluster::start(&live, cluster::Settings::default())
        .await
        .expect("it starts")
        .stop()
        .await
        .expect("it stops");
    let here = live.join("pg/pg_wal");
    let moved = Command::new("cp")
        .arg("-a")
        .arg(&here)
        .arg(wal.join("pg_wal"))
        .status();
    assert!(moved.expect("cp runs").success());
    fs::remove_dir_all(&here).expect("removed");
    symlink(wal.join("pg_wal"), &here).expect("a link");
    fs::write(
        live.join("postgresql.local.conf"),
        "max_wal_size = 96MB\nmin_wal_size = 32MB\n",
    )
    .expect("written");
    let settings = cluster::Settings {
        // An archive that takes nothing until it is mended.
        archive: Archive::Push {
            command: format!("test -e {}", mended.display()),
            environment: Vec::new(),
        },
        ..cluster::Settings::default()
    };
    let cluster = Cluster::start(&live, settings).await.expect("it starts");
    let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
    schema::migrate(&owner_role).await.expect("it migrates");
    let keys = Keyring::new(MasterKeys::read_or_create(&live.join("master.key")).expect("a key"));
    let made = tenants::create(&owner_role, &keys, "First", "ana@example.com", "Ana")
        .await
        .expect("a tenant");
    let server = Server::start(
        cluster.url(cluster::APP, cluster::DATABASE),
        cluster.url(cluster::SCHEDULER, cluster::DATABASE),
        keys,
        ServeSettings {
            listen: ([127, 0, 0, 1], 0).into(),
            wal: Some(cluster.layout().wal()),
            ..ServeSettings::default()
        },
    )
    .await
    .expect("it serves");
    let actor = Actor::system(made.tenant);
    let mut tx = server.app.db.begin(&actor).await.expect("a transaction");
    let expires = chrono::Utc::now() + chrono::Duration::days(1);
    let (_, token) = muster::tokens::issue(
        &mut tx,
        &actor,
        "test",
        Bearer::Operator(made.owner, Role::Owner),
        expires,
    )
    .await
    .expect("a token");
    tx.commit().await.expect("commit");
    let owner = Caller::new(&server.url(), Some(token));
    let account = |number: usize| json!({"username": format!("account{number}"), "email": "a@example.com"});

    let ready = owner.get("/readyz").await.expect(200);
    assert!(
        ready
            .as_str()
            .is_some_and(|said| said.contains("MiB left; with less than 512")),
        "{ready}"
    );
    let mut db = superuser(&cluster).await;
    let fill = format!(
        "select pg_logical_emit_message(false, 'test', repeat(md5(random()::text), {WRITTEN_MIB} * 32768))"
    );
    let mut written = 0;
    let refused = loop {
        let answer = owner.post("/v1/accounts", account(written)).await;
        if answer.status != 201 {
            break answer;
        }
        written += 1;
        assert!(written < 100, "it is never refused");
        db.execute(sqlx::AssertSqlSafe(fill.clone())).await.expect("WAL");
    };
    assert_eq!(refused.headers["retry-after"], "30");
    assert_eq!(refused.problem(503), "no_space");
    assert!(written > 1, "it was refused from the beginning");
    // Nothing was lost, and all of it can be read; somebody can also come and look.
    let stored: i64 = sqlx::query_scalar("select count(*) from accounts")
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(usize::try_from(stored).ok(), Some(written));
    let listed = owner.get("/v1/accounts").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(written));
    let session = json!({"email": "nobody@example.com", "password": "not the password"});
    assert_eq!(
        Caller::new(&server.url(), None)
            .post("/v1/sessions", session)
            .await
            .status,
        401
    );
    // And goes again; the session is over on the server too.
    let secret = token::mint(TokenKind::Session, made.tenant);
    sqlx::query(
        "insert into sessions (tenant_id, token_hash, operator_id, expires_at)
         select tenant_id, $1, operator_id, now() + interval '30 minutes' from memberships",
    )
    .bind(&token::hash(&secret)[..])
    .execute(&mut db)
    .await
    .expect("a session");
    let anybody = Caller::new(&server.url(), None);
    let request = anybody
        .request(Method::POST, "/sign-out")
        .header("cookie", format!("{SESSION_COOKIE}={}", secret.expose_secret()));
    anybody.send(request).await.expect(200);
    let open: i64 = sqlx::query_scalar("select count(*) from sessions where revoked_at is null")
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(open, 0, "a session is open still");
    let ready = owner.get("/readyz").await.expect(200);
    assert!(
        ready
            .as_str()
            .is_some_and(|said| said.contains("nothing is written until there is room")),
        "{ready}"
    );
    let findings = owner.get("/v1/doctor").await.expect(200).to_string();
    assert!(
        findings.contains("\"space\"") && findings.contains("WAL is not being archived"),
        "{findings}"
    );
    let metrics = owner.get("/metrics").await.expect(200);
    let metrics = metrics.as_str().expect("text");
    let free = metrics
        .lines()
        .find_map(|line| line.strip_prefix("muster_free_bytes{volume=\"wal\"} "));
    let free: u64 = free.expect("a figure").parse().expect("a number");
    assert!(free > 0 && free < 512 * 1024 * 1024, "{free}");

    fs::write(&mended, "").expect("it is mended");
    let goes_on = async {
        loop {
            // What is archived is removed at the next checkpoint.
            db.execute("checkpoint").await.expect("a checkpoint");
            let answer = owner.post("/v1/accounts", account(written)).await;
            if answer.status == 201 {
                return;
            }
            answer.problem(503);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(ROOM_WITHIN, goes_on)
        .await
        .expect("it goes on when there is room");
    server.stop().await.expect("it stops");
    drop(db);
    cluster.stop().await.expect("it stops");
}
