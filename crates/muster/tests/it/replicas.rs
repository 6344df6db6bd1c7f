//! `muster replica`, as an administrator runs it: each command of the runbook's part on replicas.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use muster::cluster::{self, Cluster};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};

use crate::{
    cli::Ran,
    runbook::documented,
    support::{
        certificate,
        load::{Ground, host, lose, superuser},
    },
};

/// Runs a command of the binary on this data folder.
pub async fn muster(data: &Path, args: &[&str]) -> Ran {
    let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a PATH"))
        .env("MUSTER_DATA", data)
        .output()
        .await
        .expect("the binary starts");
    Ran {
        code: ended.status.code().expect("no signal"),
        out: String::from_utf8(ended.stdout).expect("text"),
        err: String::from_utf8(ended.stderr).expect("text"),
    }
}

/// Starts a replica and waits until it says that it runs.
pub fn run(data: &Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["replica", "run"])
        .env("MUSTER_DATA", data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let line = lines.next().expect("it says that it runs").expect("a line");
    assert!(line.starts_with("The replica runs in "), "{line}");
    child
}

/// Stops a replica.
pub fn end(replica: &mut Child) {
    kill(Pid::from_raw(replica.id().cast_signed()), Signal::SIGTERM).expect("SIGTERM");
    assert!(replica.wait().expect("it ends").success());
}

async fn status(data: &Path) -> Value {
    let said = muster(data, &["replica", "status", "--json"]).await.expect(0);
    serde_json::from_str(&said).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_made_run_examined_and_promoted_by_the_commands_of_the_runbook() {
    let ground = Ground::make().await;
    let above = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(above.path(), Permissions::from_mode(0o711)).expect("a mode");
    let data = above.path().join("replica");
    let of = format!("postgres://{}@{}", cluster::SUPERUSER, host(&ground.cluster));

    let refused = muster(&data, &["replica", "status"]).await.refused(1);
    assert!(refused.contains("muster replica create"), "{refused}");
    let made = muster(&data, &["replica", "create", "--of", &of, "--sync"])
        .await
        .expect(0);
    assert!(made.contains("muster replica run"), "{made}");
    let twice = muster(&data, &["replica", "create", "--of", &of])
        .await
        .refused(1);
    assert!(twice.contains("holds a database already"), "{twice}");
    let refused = muster(&data, &["replica", "promote"]).await.refused(1);
    assert!(
        refused.contains("start it with `muster replica run`"),
        "{refused}"
    );
    // As long as it is a replica it is none of `up`'s.
    let refused = muster(&data, &["up"]).await.refused(1);
    assert!(refused.contains("muster replica promote"), "{refused}");

    let mut replica = run(&data);
    let seen = status(&data).await;
    assert_eq!(
        (&seen["state"], &seen["is_synchronous"], &seen["primary_answers"]),
        (&"streaming".into(), &true.into(), &true.into()),
        "{seen}"
    );
    assert!(
        seen["lag_bytes"].is_i64() && seen["lag_seconds"].is_f64(),
        "{seen}"
    );

    let count = "select count(*) from accounts";
    let before: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut superuser(&ground.cluster).await)
        .await
        .expect("a count");
    lose(ground.cluster).await;
    assert_eq!(status(&data).await["primary_answers"], false);
    let said = muster(&data, &["replica", "promote"]).await.expect(0);
    assert!(said.contains("could not be fenced off"), "{said}");
    assert_eq!(status(&data).await["is_replica"], false);
    end(&mut replica);

    // From here on it is a data folder like any other.
    let promoted = Cluster::start(&data, cluster::Settings::default())
        .await
        .expect("it starts");
    let after: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut superuser(&promoted).await)
        .await
        .expect("a count");
    assert_eq!(after, before);
    promoted.stop().await.expect("it stops");
}

/// A password with everything in it that an address means something by.
const PASSWORD: &str = "p+w&d%41/@:x";

/// A primary that takes replicas over TLS, on an address of its own.
async fn listening(above: &Path) -> (Cluster, String) {
    let data = above.join("live");
    let made = Cluster::start(&data, cluster::Settings::default())
        .await
        .expect("it starts");
    let user = made.layout().server.clone();
    made.stop().await.expect("it stops");
    let (certificate, key) = certificate(&data, "primary");
    for file in [&certificate, &key] {
        chown(file, Some(user.uid.into()), Some(user.gid.into())).expect("an owner");
        fs::set_permissions(file, Permissions::from_mode(0o600)).expect("a mode");
    }
    // Its own address of the many that are this machine, since the port is always the same.
    let id = std::process::id().to_be_bytes();
    let address = format!("127.{}.{}.{}", 64 + id[1] % 64, id[2], id[3].max(1));
    let settings = format!(
        "listen_addresses = '{address}'\nssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
        certificate.display(),
        key.display()
    );
    fs::write(data.join("postgresql.local.conf"), settings).expect("written");
    let line = documented("hostssl replication,postgres REPLICATOR ADDRESS scram-sha-256");
    let line = line
        .replace("REPLICATOR", "replicator")
        .replace("ADDRESS", "127.0.0.0/8");
    fs::write(data.join("pg_hba.local.conf"), line + "\n").expect("written");
    let cluster = Cluster::start(&data, cluster::Settings::default())
        .await
        .expect("it starts");
    let role = format!("create role replicator superuser replication login password '{PASSWORD}'");
    superuser(&cluster)
        .await
        .execute(AssertSqlSafe(role))
        .await
        .expect("a role");
    (cluster, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_another_machine_comes_over_tls_with_a_password_that_it_keeps_to_itself() {
    let above = tempfile::tempdir().expect("a folder");
    fs::set_permissions(above.path(), Permissions::from_mode(0o711)).expect("a mode");
    let (primary, address) = listening(above.path()).await;
    let data = above.path().join("replica");
    let encoded: String = PASSWORD.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let wrong = format!("postgres://replicator:wrong@{address}?sslmode=require");
    let refused = muster(&data, &["replica", "create", "--of", &wrong])
        .await
        .refused(1);
    assert!(!refused.contains("wrong"), "{refused}");
    let plain = format!("postgres://replicator:{encoded}@{address}?sslmode=disable");
    muster(&data, &["replica", "create", "--of", &plain])
        .await
        .refused(1);

    let of = format!("postgres://replicator:{encoded}@{address}?sslmode=require");
    let made = muster(&data, &["replica", "create", "--json", "--sync", "--of", &of])
        .await
        .expect(0);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let slot = made["slot"].as_str().expect("a name");
    for file in ["replica.json", "pg/postgresql.auto.conf"] {
        let mode = fs::metadata(data.join(file))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(
            mode & 0o077,
            0,
            "{file} holds the password and is others\' to read: {mode:o}"
        );
    }
    let mut replica = run(&data);
    let seen = status(&data).await;
    assert_eq!(
        (&seen["state"], &seen["is_synchronous"]),
        (&"streaming".into(), &true.into()),
        "{seen}"
    );
    let mut db = superuser(&primary).await;
    let by_tls: Vec<bool> =
        sqlx::query_scalar("select s.ssl from pg_stat_replication r join pg_stat_ssl s using (pid)")
            .fetch_all(&mut db)
            .await
            .expect("the connections of replicas");
    assert_eq!(by_tls, [true]);

    // Nothing is written while the replica is away, until it is gone on without.
    end(&mut replica);
    let mut writer = superuser(&primary).await;
    let write = tokio::spawn(async move { writer.execute("create table written (id bigint)").await });
    for statement in [
        "alter system reset synchronous_standby_names",
        "select pg_reload_conf()",
    ] {
        assert!(!write.is_finished(), "it was written without the replica");
        db.execute(documented(statement)).await.expect("done");
    }
    write.await.expect("no panic").expect("it is written");

    // It is back, and takes the place of the primary, which answers.
    let mut replica = run(&data);
    let promoted = muster(&data, &["replica", "promote", "--json"]).await.expect(0);
    let promoted: Value = serde_json::from_str(&promoted).expect("JSON");
    assert_eq!(promoted["fence"], "read_only");
    let mut old = superuser(&primary).await;
    let refused = old
        .execute("create table lost (id bigint)")
        .await
        .expect_err("it is fenced off");
    assert!(refused.to_string().contains("read-only"), "{refused}");
    end(&mut replica);
    let forget = documented("select pg_drop_replication_slot('SLOT')").replace("SLOT", slot);
    old.execute(AssertSqlSafe(forget))
        .await
        .expect("the slot is forgotten");
    let promoted = Cluster::start(&data, cluster::Settings::default())
        .await
        .expect("it starts");
    superuser(&promoted)
        .await
        .execute("insert into written values (1)")
        .await
        .expect("it has all, and takes writes");
    promoted.stop().await.expect("it stops");
    primary.stop().await.expect("it stops");
}
