//! Backups that are made, restored, damaged and drilled, with real PostgreSQL, pgBackRest, and the command line.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use muster::{
    actor::Actor,
    backup::{self, Kind, Repository, Target},
    cluster::{self, Cluster, ClusterError},
    config::ServeSettings,
    db::Db,
    keys, schema,
    seal::{Keyring, MasterKeys},
    server::Server,
    tenants,
    tokens::Bearer,
};
use muster_wire::{Role, TenantId};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};
use tempfile::TempDir;

use crate::{
    cli::Ran,
    support::{Caller, warm::warm_accounts},
};

/// The password of an account, which must be readable in no backup.
const CANARY: &str = "canary-4fd0c2e1a7";
/// A name that is not secret, and must be readable in no backup either.
const NAME: &str = "canaryname4fd0c2e1a7";
/// Accounts in a database that is drilled.
const ACCOUNTS: usize = 12;
/// How long anything here may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(90);

/// A data folder as `muster up` makes it, with a server, and an account that has a password.
struct Ground {
    above: TempDir,
    cluster: Cluster,
    repository: Repository,
    tenant: TenantId,
    server: Server,
    owner: Caller,
}

impl Ground {
    async fn make() -> Self {
        Self::make_with("").await
    }

    /// With own settings of pgBackRest, in which `ABOVE` is the folder above the data folder.
    async fn make_with(own: &str) -> Self {
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
    async fn account(&self, username: &str) {
        let account = json!({"username": username, "email": "a@example.com", "password": CANARY});
        self.owner.post("/v1/accounts", account).await.expect(201);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.above.path().join(name)
    }

    fn folder(&self) -> PathBuf {
        self.path("live/backup/repository")
    }

    async fn superuser(&self) -> PgConnection {
        superuser(&self.cluster).await
    }

    /// Has what is written so far archived.
    async fn archive(&self) {
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
        tokio::time::timeout(PATIENCE, archived)
            .await
            .expect("it is archived");
    }

    /// Runs `muster backup` on the live folder.
    async fn backup(&self, arguments: &[&str]) -> Ran {
        let live = self.path("live");
        let data = ["--data", live.to_str().expect("text")];
        let (verb, rest) = arguments.split_first().expect("a verb");
        muster(&[&["backup", verb], &data[..], rest].concat()).await
    }

    async fn end(self) {
        self.server.stop().await.expect("it stops");
        self.cluster.stop().await.expect("it stops");
    }
}

async fn superuser(cluster: &Cluster) -> PgConnection {
    let url = cluster.url(cluster::SUPERUSER, cluster::DATABASE);
    url.connect().await.expect("a connection")
}

/// Runs the binary; the database lives on this test's threads, which must not wait.
async fn muster(arguments: &[&str]) -> Ran {
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
async fn accounts(dir: &Path, tenant: TenantId) -> Vec<String> {
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
fn files(folder: &Path) -> Vec<PathBuf> {
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

fn holds(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_restored_to_the_latest_to_a_time_and_to_a_name() {
    let ground = Ground::make().await;
    ground.backup(&["run", "--full"]).await.expect(0);
    ground.account("second").await;
    let incremental: Value =
        serde_json::from_str(&ground.backup(&["run", "--incremental", "--json"]).await.expect(0))
            .expect("JSON");
    assert_eq!(incremental["kind"], "incremental");
    ground.account("third").await;
    let mut db = ground.superuser().await;
    let then: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut db)
        .await
        .expect("a time");
    ground.account("fourth").await;
    db.execute("select pg_create_restore_point('before-the-fifth')")
        .await
        .expect("a restore point");
    ground.account("fifth").await;
    ground.archive().await;

    let listed: Value =
        serde_json::from_str(&ground.backup(&["list", "--json"]).await.expect(0)).expect("JSON");
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(2), "{listed}");
    assert!(ground.backup(&["list"]).await.expect(0).contains("incremental"));
    let checked = ground.backup(&["check"]).await.expect(0);
    assert!(
        checked.contains("2 backups and their WAL are as they were written"),
        "{checked}"
    );

    let (to_time, to_name, latest) = (ground.path("time"), ground.path("name"), ground.path("latest"));
    let into = |path: &PathBuf| path.to_str().expect("text").to_owned();
    ground
        .backup(&["restore", "--to-time", &rfc3339(then), "--into", &into(&to_time)])
        .await
        .expect(0);
    ground
        .backup(&[
            "restore",
            "--to-name",
            "before-the-fifth",
            "--into",
            &into(&to_name),
        ])
        .await
        .expect(0);
    // As after the loss of the data folder: the repository, and a copy of the master key.
    let (repository, key) = (into(&ground.folder()), into(&ground.path("live/master.key")));
    let lost = ["--repository", &repository, "--master-key-file", &key];
    let new = into(&latest);
    let arguments = [
        &["backup", "restore", "--latest", "--json", "--into", &new],
        &lost[..],
    ]
    .concat();
    let restored: Value = serde_json::from_str(&muster(&arguments).await.expect(0)).expect("JSON");
    assert!(
        restored["recovery_point"].as_str() > Some(&rfc3339(then)),
        "{restored}"
    );

    let all = [NAME, "second", "third", "fourth", "fifth"];
    assert_eq!(accounts(&to_time, ground.tenant).await, all[..3]);
    assert_eq!(accounts(&to_name, ground.tenant).await, all[..4]);
    assert_eq!(accounts(&latest, ground.tenant).await, all);

    let refused = ground
        .backup(&["restore", "--latest", "--into", &into(&latest)])
        .await
        .refused(1);
    assert!(refused.contains("holds a database already"), "{refused}");
    let live = ground
        .backup(&["restore", "--latest", "--into", &into(&ground.path("live"))])
        .await;
    assert!(live.refused(1).contains("is in use by process"));
    let future = ground.path("future");
    let refused = ground
        .backup(&[
            "restore",
            "--to-time",
            &rfc3339(Utc::now() + chrono::Duration::hours(1)),
            "--into",
            &into(&future),
        ])
        .await
        .refused(1);
    assert!(
        refused.contains("recovery ended before configured recovery target"),
        "{refused}"
    );
    let half = Cluster::start(&future, cluster::Settings::default()).await;
    assert!(matches!(half, Err(ClusterError::HalfRestored { .. })), "{half:?}");
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_tell_nothing_and_belong_to_the_user_of_postgresql() {
    let ground = Ground::make_with("repo2-path=ABOVE/second\nrepo2-retention-full=2\n").await;
    let made = ground.repository.run(Kind::Full, |_| ()).await.expect("a backup");
    assert!(made.stored_bytes < made.database_bytes);
    ground.archive().await;
    let data = ground.path("live/pg");
    let data_files = files(&data);
    let (mut all, second) = (files(&ground.folder()), files(&ground.path("second")));
    assert!(second.len() > 5, "{second:?}");
    all.extend(second);
    assert!(
        data_files.iter().any(|file| holds(file, NAME)),
        "the control sees it"
    );
    assert!(all.len() > 5, "{all:?}");
    let user = fs::metadata(&data).expect("a folder").uid();
    for file in &all {
        let readable = [CANARY, NAME, "muster_owner", "PostgreSQL"]
            .iter()
            .find(|word| holds(file, word));
        assert_eq!(readable, None, "{} can be read", file.display());
        assert_eq!(
            fs::metadata(file).expect("a file").uid(),
            user,
            "{}",
            file.display()
        );
        assert_ne!(user, 0, "PostgreSQL does not run as root");
    }

    // The second is as good as the first.
    ground.repository.check().await.expect("both are whole");
    fs::rename(ground.folder(), ground.path("unplugged")).expect("unplugged");
    let into = ground.path("of-the-second");
    backup::restore(&ground.repository, &into, &Target::Latest, |_| ())
        .await
        .expect("it restores");
    assert_eq!(accounts(&into, ground.tenant).await, [NAME]);
    fs::rename(ground.path("unplugged"), ground.folder()).expect("plugged in");

    // The passphrase is in no file: sealed in one, and otherwise only in memory.
    let passphrase = secrecy::ExposeSecret::expose_secret(ground.repository.key().passphrase()).to_owned();
    for file in files(&ground.path("live")) {
        assert!(
            !holds(&file, &passphrase),
            "{} holds the passphrase",
            file.display()
        );
    }
    let private = |name: &str| fs::metadata(ground.path(name)).expect("a file").mode() & 0o777;
    assert_eq!(
        (private("live/backup.key"), private("live/backup")),
        (0o600, 0o700)
    );
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_before_an_exchange_of_the_master_key_opens_with_the_new_one() {
    let ground = Ground::make().await;
    ground.repository.run(Kind::Full, |_| ()).await.expect("a backup");
    let key_file = ground.path("live/master.key");
    let key = key_file.to_str().expect("text");
    let owner_url = ground
        .cluster
        .url(cluster::OWNER, cluster::DATABASE)
        .to_url_lossy()
        .to_string();
    muster(&["master-key", "new", "--master-key-file", key])
        .await
        .expect(0);
    muster(&[
        "master-key",
        "wrap",
        "--master-key-file",
        key,
        "--database-url",
        &owner_url,
    ])
    .await
    .expect(0);
    assert_eq!(MasterKeys::read(&key_file).expect("a key").count(), 1);

    let layout = ground.cluster.layout();
    let repository =
        Repository::open(layout, &MasterKeys::read(&key_file).expect("a key")).expect("it opens");
    let (old, new) = (ground.path("old"), ground.path("new"));
    backup::restore(&repository, &old, &Target::Latest, |_| ())
        .await
        .expect("it restores");
    repository.run(Kind::Incremental, |_| ()).await.expect("a backup");
    backup::restore(&repository, &new, &Target::Latest, |_| ())
        .await
        .expect("it restores");
    assert_eq!(accounts(&old, ground.tenant).await, [NAME]);
    assert_eq!(accounts(&new, ground.tenant).await, [NAME]);
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_tells_a_good_backup_and_writes_its_verdict_down() {
    let ground = Ground::make().await;
    warm_accounts(&mut ground.superuser().await, ground.tenant, ACCOUNTS).await;
    ground
        .repository
        .run_recorded(Kind::Full, |_| ())
        .await
        .expect("a backup");
    ground.account("after.the.backup").await;
    let mut db = ground.superuser().await;
    let then: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut db)
        .await
        .expect("a time");
    let archived_before = files(&ground.folder().join("archive")).len();

    let drilled: Value =
        serde_json::from_str(&ground.backup(&["drill", "--json"]).await.expect(0)).expect("JSON");
    assert_eq!(drilled["faults"], json!([]));
    assert!(drilled["recovery_point"].as_str().expect("a time") <= rfc3339(Utc::now()).as_str());
    assert!(
        drilled["recovery_ms"].as_i64() > Some(0) && drilled["bytes"].as_i64() > Some(0),
        "{drilled}"
    );
    assert!(
        !ground.path("live/drill").exists(),
        "the scratch cluster is removed"
    );
    let named = files(&ground.folder().join("archive"));
    let names: Vec<_> = named.iter().filter_map(|f| f.file_name()?.to_str()).collect();
    assert!(
        named.len() > archived_before,
        "the drill has what it looks at archived"
    );
    assert!(
        names.iter().all(|name| !name.starts_with("00000002")),
        "the scratch cluster archived something: {names:?}"
    );
    let dated = files(&ground.path("live/drills"));
    assert_eq!(dated.len(), 1);
    let text = fs::read_to_string(&dated[0]).expect("a file");
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("JSON")["label"],
        drilled["label"]
    );

    let at = ground
        .backup(&["drill", "--to-time", &rfc3339(then)])
        .await
        .expect(0);
    assert!(at.contains("recovery_point"), "{at}");
    let events: Vec<(String, bool)> = sqlx::query_as("select event, good from backup_runs order by id")
        .fetch_all(&mut db)
        .await
        .expect("what was written down");
    let expected = [("full", true), ("drill", true), ("drill", true)];
    assert_eq!(events, expected.map(|(event, good)| (event.to_owned(), good)));
    assert_eq!(ground.owner.get("/readyz").await.expect(200), "ready\n");

    // The live database has a row from before that moment which the restored one has not.
    db.execute(AssertSqlSafe(format!(
        "set session_replication_role = replica; insert into accounts (tenant_id, username, email, created_at) \
         values ({}, 'lost', 'l@example.com', now() - interval '2 hours')",
        ground.tenant
    )))
    .await
    .expect("a row");
    let at = ground
        .backup(&["drill", "--to-time", &rfc3339(then), "--json"])
        .await
        .expect(6);
    assert!(
        at.contains("accounts: 1 rows of the live database are missing"),
        "{at}"
    );
    let ready = ground.owner.get("/readyz").await.expect(200);
    assert_eq!(
        ready,
        "ready\nwarning: the last drill found the backup not good\n"
    );
    let metrics = ground.owner.get("/metrics").await.expect(200);
    let metrics = metrics.as_str().expect("text");
    assert!(
        metrics.contains("muster_backup_last_is_good{event=\"drill\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("muster_backup_last_is_good{event=\"full\"} 1"),
        "{metrics}"
    );
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_backups_are_noticed_by_the_drill() {
    let ground = Ground::make().await;
    ground.repository.run(Kind::Full, |_| ()).await.expect("a backup");
    ground.account("after.the.backup").await;
    ground.archive().await;
    let (folder, kept) = (ground.folder(), ground.path("kept"));
    copy(&folder, &kept);
    let labelled = |path: &&PathBuf| path.display().to_string().contains("F/");
    let backup_files: Vec<_> = files(&folder)
        .into_iter()
        .filter(|path| labelled(&path) && !path.display().to_string().contains("manifest"))
        .collect();
    let largest = backup_files
        .iter()
        .max_by_key(|path| fs::metadata(path).expect("a file").len())
        .expect("a file");
    let smallest = backup_files
        .iter()
        .filter(|path| path.display().to_string().contains("pg_data"))
        .min_by_key(|path| fs::metadata(path).expect("a file").len())
        .expect("a file");
    let wal: Vec<_> = files(&folder.join("archive"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "zst"))
        .collect();
    type Damage<'a> = (&'a str, &'a Path, fn(&Path));
    let damages: [Damage; 5] = [
        ("a byte flipped at the end of the largest file", largest, |file| {
            flip(file, 9, 10)
        }),
        (
            "a byte flipped at the beginning of the largest file",
            largest,
            |file| flip(file, 1, 10),
        ),
        ("the smallest file cut", smallest, cut),
        ("the largest file removed", largest, |file| {
            fs::remove_file(file).expect("removed")
        }),
        (
            "the newest segment of WAL removed",
            wal.last().expect("a segment"),
            |file| {
                fs::remove_file(file).expect("removed");
            },
        ),
    ];
    for (what, file, damage) in damages {
        damage(file);
        let record = ground.repository.drill(None, |_| ()).await.expect("a verdict");
        assert!(
            !record.is_good(),
            "{what} ({}) was not noticed: {record:?}",
            file.display()
        );
        copy(&kept, &folder);
    }
    let record = ground.repository.drill(None, |_| ()).await.expect("a verdict");
    assert_eq!(record.faults, Vec::<String>::new(), "the control");
    let mut db = ground.superuser().await;
    let verdicts: Vec<bool> =
        sqlx::query_scalar("select good from backup_runs where event = 'drill' order by id")
            .fetch_all(&mut db)
            .await
            .expect("the verdicts");
    assert_eq!(verdicts, [false, false, false, false, false, true]);
    ground.end().await;
}

/// Copies what is in a folder over another, with owners and times.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .args(["-a", "--no-target-directory"])
        .args([from, to])
        .status();
    assert!(copied.expect("cp runs").success());
}

/// Flips a byte at this part of the file.
fn flip(file: &Path, part: usize, of: usize) {
    let mut bytes = fs::read(file).expect("a file");
    let at = bytes.len() * part / of;
    bytes[at] ^= 0x10;
    fs::write(file, bytes).expect("written");
}

/// Cuts the file in half.
fn cut(file: &Path) {
    let bytes = fs::read(file).expect("a file");
    fs::write(file, &bytes[..bytes.len() / 2]).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_cannot_be_reached_shows_at_once_and_catches_up() {
    let ground = Ground::make().await;
    assert_eq!(ground.owner.get("/readyz").await.expect(200), "ready\n");
    let (folder, away) = (ground.folder(), ground.path("away"));
    fs::rename(&folder, &away).expect("it is unplugged");
    fs::write(&folder, "nothing can be written below this").expect("a file");
    let mut db = ground.superuser().await;
    db.execute("select pg_logical_emit_message(false, 'test', 'something')")
        .await
        .expect("WAL");
    db.execute("select pg_switch_wal()").await.expect("a switch");
    let shown = async {
        while !ready(&ground).await.contains("WAL is not being archived") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), shown)
        .await
        .expect("it shows within a minute");
    let findings = ground.owner.get("/v1/doctor").await.expect(200);
    assert_eq!(findings["findings"][0]["code"], "backups", "{findings}");
    let failed = ground.backup(&["run", "--full"]).await.refused(1);
    assert!(failed.contains("repository"), "{failed}");
    // It goes on serving and writing meanwhile.
    ground.account("meanwhile").await;

    fs::remove_file(&folder).expect("removed");
    fs::rename(&away, &folder).expect("it is plugged in");
    ground.archive().await;
    assert!(!ready(&ground).await.contains("WAL is not being archived"));
    ground.end().await;
}

async fn ready(ground: &Ground) -> String {
    ground
        .owner
        .get("/readyz")
        .await
        .expect(200)
        .as_str()
        .expect("text")
        .to_owned()
}

#[tokio::test]
async fn the_configuration_for_another_server_has_a_passphrase_of_its_own() {
    let arguments = [
        "backup",
        "config",
        "--pg-data",
        "/srv/pg",
        "--repository",
        "/mnt/backups",
    ];
    let passphrase = |text: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("repo1-cipher-pass="));
        line.expect("a passphrase").to_owned()
    };
    let (one, two) = (
        muster(&arguments).await.expect(0),
        muster(&arguments).await.expect(0),
    );
    assert_eq!(passphrase(&one).len(), 64);
    assert_ne!(passphrase(&one), passphrase(&two));
    assert!(
        one.contains("pg1-path=/srv/pg\n") && one.contains("repo1-path=/mnt/backups\n"),
        "{one}"
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &one).expect("written");
    let read = Command::new("pgbackrest")
        .arg(format!("--config={}", file.path().display()))
        .args([
            "--stanza=muster",
            "--log-level-file=off",
            "--log-level-stderr=error",
            "info",
        ])
        .output()
        .expect("pgBackRest runs");
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(
        !said.contains("invalid") && !said.contains("WARN"),
        "pgBackRest does not understand it: {said}"
    );
}
