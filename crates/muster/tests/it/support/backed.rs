//! A data folder that is backed up, with real PostgreSQL, pgBackRest, and the command line.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use muster::{
    actor::Actor,
    backup::Repository,
    cluster::{self, Cluster},
    config::ServeSettings,
    db::Db,
    keys, schema,
    seal::{Keyring, MasterKeys},
    server::Server,
    tenants,
    tokens::Bearer,
};
use muster_wire::{Role, TenantId};
use serde_json::json;
use sqlx::{ConnectOptions, PgConnection};
use tempfile::TempDir;

use super::Caller;
use crate::cli::Ran;

/// The password of an account, which must be readable in no backup.
pub const CANARY: &str = "canary-4fd0c2e1a7";
/// A name that is not secret, and must be readable in no backup either.
pub const NAME: &str = "canaryname4fd0c2e1a7";
/// How long WAL may take to be archived.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(90);

/// A data folder as `muster up` makes it, with a server, and an account that has a password.
pub struct Ground {
    pub above: TempDir,
    pub cluster: Cluster,
    pub repository: Repository,
    pub tenant: TenantId,
    pub server: Server,
    pub owner: Caller,
}

impl Ground {
    pub async fn make() -> Self {
        Self::make_with("").await
    }

    /// With own settings of pgBackRest, in which `ABOVE` is the folder above the data folder.
    pub async fn make_with(own: &str) -> Self {
        muster::telemetry::logs(false);
        let above = tempfile::tempdir().expect("a folder");
        fs::set_permissions(above.path(), PermissionsExt::from_mode(0o711)).expect("a mode");
        let folder = Cluster::hold(&above.path().join("live"))
            .await
            .expect("it is new");
        let own = own.replace("ABOVE", above.path().to_str().expect("text"));
        fs::write(folder.dir.join("pgbackrest.local.conf"), own).expect("written");
        let second = above.path().join("second");
        fs::create_dir(&second).expect("a folder");
        let server = &folder.server;
        chown(&second, Some(server.uid.into()), Some(server.gid.into())).expect("an owner");
        let keys = Keyring::from_file(&folder.dir.join("master.key")).expect("a key");
        let repository = Repository::open(&folder, &keys.master()).expect("pgBackRest is installed");
        let settings = cluster::Settings {
            archive: repository.archive(),
            ..cluster::Settings::default()
        };
        let cluster = Cluster::start_in(folder, settings).await.expect("it starts");
        repository.prepare().await.expect("a repository");
        let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
        schema::migrate(&owner_role).await.expect("it migrates");
        let made = tenants::create(&owner_role, &keys, "First", "ana@example.com", "Ana")
            .await
            .expect("a tenant");
        let server = Server::start(
            cluster.url(cluster::APP, cluster::DATABASE),
            cluster.url(cluster::SCHEDULER, cluster::DATABASE),
            keys,
            ServeSettings {
                listen: ([127, 0, 0, 1], 0).into(),
                ..ServeSettings::default()
            },
        )
        .await
        .expect("it serves");
        let actor = Actor::system(made.tenant);
        let mut tx = server.app.db.begin(&actor).await.expect("a transaction");
        let bearer = Bearer::Operator(made.owner, Role::Owner);
        let expires = Utc::now() + chrono::Duration::days(1);
        let (_, token) = muster::tokens::issue(&mut tx, &actor, "test", bearer, expires)
            .await
            .expect("a token");
        tx.commit().await.expect("commit");
        let this = Self {
            owner: Caller::new(&server.url(), Some(token)),
            above,
            cluster,
            repository,
            tenant: made.tenant,
            server,
        };
        this.account(NAME).await;
        this
    }

    /// Makes an account by the API, with a password.
    pub async fn account(&self, username: &str) {
        let account = json!({"username": username, "email": "a@example.com", "password": CANARY});
        self.owner.post("/v1/accounts", account).await.expect(201);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.above.path().join(name)
    }

    pub fn folder(&self) -> PathBuf {
        self.path("live/backup/repository")
    }

    pub async fn superuser(&self) -> PgConnection {
        superuser(&self.cluster).await
    }

    /// Has what is written so far archived.
    pub async fn archive(&self) {
        let mut db = self.superuser().await;
        let segment: String = sqlx::query_scalar("select pg_walfile_name(pg_switch_wal())")
            .fetch_one(&mut db)
            .await
            .expect("a segment");
        let archived = async {
            loop {
                let done: bool = sqlx::query_scalar(
                    "select coalesce(last_archived_wal >= $1, false) from pg_stat_archiver",
                )
                .bind(&segment)
                .fetch_one(&mut db)
                .await
                .expect("a view");
                if done {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(ARCHIVED_WITHIN, archived)
            .await
            .expect("it is archived");
    }

    /// Runs `muster backup` on the live folder.
    pub async fn backup(&self, arguments: &[&str]) -> Ran {
        let live = self.path("live");
        let data = ["--data", live.to_str().expect("text")];
        let (verb, rest) = arguments.split_first().expect("a verb");
        muster(&[&["backup", verb], &data[..], rest].concat()).await
    }

    pub async fn end(self) {
        self.server.stop().await.expect("it stops");
        self.cluster.stop().await.expect("it stops");
    }
}

pub async fn superuser(cluster: &Cluster) -> PgConnection {
    let url = cluster.url(cluster::SUPERUSER, cluster::DATABASE);
    url.connect().await.expect("a connection")
}

/// Runs the binary; the database lives on this test's threads, which must not wait.
pub async fn muster(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a path"));
    let ended = tokio::task::spawn_blocking(move || command.output().expect("the binary starts"));
    let ended = ended.await.expect("it runs");
    Ran {
        code: ended.status.code().expect("no signal"),
        out: String::from_utf8(ended.stdout).expect("text"),
        err: String::from_utf8(ended.stderr).expect("text"),
    }
}

/// The accounts of a folder that was restored, as a new life of it has them; and that its secrets open.
pub async fn accounts(dir: &Path, tenant: TenantId) -> Vec<String> {
    let cluster = Cluster::start(dir, cluster::Settings::default())
        .await
        .expect("what was restored starts");
    let names = sqlx::query_scalar("select username from accounts order by id")
        .fetch_all(&mut superuser(&cluster).await)
        .await
        .expect("the accounts");
    let master = MasterKeys::read(&dir.join("master.key")).expect("the key was restored with it");
    let db = Db::connect(cluster.url(cluster::APP, cluster::DATABASE), 1)
        .await
        .expect("the app's role");
    let actor = Actor::system(tenant);
    let mut tx = db.begin(&actor).await.expect("a transaction");
    let closed = keys::open_some(&mut tx, &Keyring::new(master), &actor, 100)
        .await
        .expect("the data keys open");
    assert_eq!(closed, Vec::<String>::new(), "secrets do not open");
    drop(tx);
    db.close().await;
    cluster.stop().await.expect("it stops");
    names
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if entry.file_type().expect("a type").is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub fn holds(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
