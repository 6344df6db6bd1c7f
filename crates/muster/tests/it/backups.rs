//! Backups that are made and restored, and an archive that fails.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use chrono::{DateTime, Utc};
use muster::{
    backup::{self, Kind, Repository, Target},
    cluster::{self, Cluster, ClusterError},
    seal::MasterKeys,
};
use serde_json::Value;
use sqlx::{ConnectOptions, Executor};

use crate::support::{
    backed::{CANARY, Ground, NAME, accounts, files, holds, muster, rfc3339},
    certificate,
};

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
    // Not as far as the archive goes: there the data keys are wrapped by the new one.
    let before = Target::Name("before-the-exchange".to_owned());
    ground
        .superuser()
        .await
        .execute("select pg_create_restore_point('before-the-exchange')")
        .await
        .expect("a restore point");
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
    backup::restore(&repository, &old, &before, |_| ())
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

/// A store of buckets that speaks S3, on this machine. Ended when dropped.
struct Store {
    child: Child,
    url: String,
}

impl Store {
    /// Starts it with a certificate that nobody vouches for, where `scripts/setup --test` could install it.
    fn start(folder: &Path) -> Option<Self> {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin");
        if !programs.join("moto_server").exists() {
            return None;
        }
        let (certificate, key) = certificate(folder, "store");
        // It ends TLS before it ends a connection, which of itself it does not: pgBackRest rightly takes that for a cut.
        let program = "
import contextlib, sys
from werkzeug.serving import BaseWSGIServer
from moto.server import main
def end(self, request):
    with contextlib.suppress(OSError):
        request.setblocking(False)
        request.unwrap()
    self.close_request(request)
BaseWSGIServer.shutdown_request = end
main(sys.argv[1:])
";
        let mut child = Command::new(programs.join("python3"))
            .args(["-c", program, "-H", "127.0.0.1", "-p", "0", "-c"])
            .arg(certificate)
            .arg("-k")
            .arg(key)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let url = lines
            .find_map(|line| Some(line.ok()?.split_once("Running on ")?.1.trim().to_owned()))
            .expect("it says where it listens");
        // What else it says is not read, and must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_restores_what_a_lost_folder_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(store) = Store::start(folder.path()) else {
        println!("not shown here: scripts/setup --test could not install moto");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .no_proxy()
        .danger_accept_invalid_certs(true)
        .build()
        .expect("a client");
    let made = http
        .put(format!("{}/muster-backups", store.url))
        .send()
        .await
        .expect("it answers");
    assert!(made.status().is_success(), "{made:?}");
    let port = store.url.rsplit(':').next().expect("a port");
    let ground = Ground::make_with(&format!(
        "repo2-type=s3\nrepo2-s3-endpoint=127.0.0.1\nrepo2-storage-port={port}\nrepo2-storage-verify-tls=n\n\
         repo2-s3-uri-style=path\nrepo2-s3-region=eu-1\nrepo2-s3-bucket=muster-backups\nrepo2-s3-key=key\n\
         repo2-s3-key-secret=secret\nrepo2-path=/muster\nrepo2-retention-full-type=count\nrepo2-retention-full=4\n"
    ))
    .await;
    ground.backup(&["run", "--full"]).await.expect(0);
    ground.account("after.the.backup").await;
    ground.archive().await;
    let checked = ground.backup(&["check"]).await.expect(0);
    assert!(
        checked.contains("2 backups and their WAL are as they were written"),
        "{checked}"
    );

    // All that is left is the bucket, and what the runbook says to keep copies of.
    let (kept, restored) = (ground.path("kept"), ground.path("restored"));
    fs::create_dir(&kept).expect("a folder");
    for name in ["master.key", "backup.key"] {
        let copied = Command::new("cp")
            .arg("-a")
            .arg(ground.path("live").join(name))
            .arg(&kept)
            .status();
        assert!(copied.expect("cp runs").success());
    }
    let own = fs::read_to_string(ground.path("live/pgbackrest.local.conf")).expect("the settings");
    fs::write(
        kept.join("pgbackrest.local.conf"),
        own.replace("repo2-", "repo1-"),
    )
    .expect("written");
    fs::rename(ground.folder(), ground.path("lost")).expect("it is lost");
    let tenant = ground.tenant;
    let text = |path: &PathBuf| path.to_str().expect("text").to_owned();
    let arguments = [
        "backup",
        "restore",
        "--latest",
        "--data",
        &text(&kept),
        "--into",
        &text(&restored),
    ];
    muster(&arguments).await.expect(0);
    assert_eq!(accounts(&restored, tenant).await, [NAME, "after.the.backup"]);
    fs::rename(ground.path("lost"), ground.folder()).expect("it is back");
    ground.end().await;
}
