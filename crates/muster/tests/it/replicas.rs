//! `muster replica`, as an administrator runs it: each command of the runbook's part on replicas.

use std::{
    fs::Permissions,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use muster::cluster;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    cli::Ran,
    support::load::{Ground, host, lose, superuser},
};

/// Runs a command of the binary on this data folder.
async fn muster(data: &Path, args: &[&str]) -> Ran {
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
fn run(data: &Path) -> Child {
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
    kill(Pid::from_raw(replica.id().cast_signed()), Signal::SIGTERM).expect("SIGTERM");
    assert!(replica.wait().expect("it ends").success());

    // From here on it is a data folder like any other.
    let promoted = cluster::Cluster::start(&data, cluster::Settings::default())
        .await
        .expect("it starts");
    let after: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut superuser(&promoted).await)
        .await
        .expect("a count");
    assert_eq!(after, before);
    promoted.stop().await.expect("it stops");
}
