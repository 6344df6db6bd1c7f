//! The embedded PostgreSQL, with real processes that are really killed.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster::cluster::{
    APP, Cluster, ClusterError, DATABASE, OWNER, SCHEDULER, SUPERUSER, ServerState, Settings,
};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Tells a test that it runs as the separate process of itself, and on which folder.
const HOLD: &str = "MUSTER_TEST_HOLD";
/// How long a process may take to come up, or to end.
const WITHIN: Duration = Duration::from_secs(20);

async fn start(dir: &Path) -> Result<Cluster, ClusterError> {
    Cluster::start(dir, Settings::default()).await
}

async fn connect(cluster: &Cluster, role: &str, database: &str) -> PgConnection {
    cluster
        .url(role, database)
        .connect()
        .await
        .expect("the role may connect")
}

async fn ask(connection: &mut PgConnection, query: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(connection)
        .await
        .expect("the query is good")
}

fn running_pid(cluster: &Cluster) -> Pid {
    match *cluster.state().borrow() {
        ServerState::Running { pid } => Pid::from_raw(pid.cast_signed()),
        other => panic!("expected a running server, found {other:?}"),
    }
}

/// The processes that work in the data directory of `dir`, by their working directory.
fn processes(dir: &Path) -> Vec<Pid> {
    let data = dir.join("pg").to_str().expect("plain text").to_owned();
    let all = fs::read_dir("/proc").expect("this is Linux").flatten();
    let works_there = |process: &fs::DirEntry| {
        // The link to a removed folder goes on with " (deleted)".
        let cwd = fs::read_link(process.path().join("cwd")).unwrap_or_default();
        cwd.to_string_lossy().starts_with(&data)
    };
    all.filter(works_there)
        .filter_map(|process| Some(Pid::from_raw(process.file_name().to_str()?.parse().ok()?)))
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o7777
}

/// The inodes of the sockets that a process has open.
fn sockets(pid: Pid) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it lives")
        .flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|target| {
            Some(
                target
                    .to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect()
}

async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(WITHIN, async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} did not happen"));
}

/// Runs the named test of this file once more as a process of its own, which calls [`hold_if_asked`].
fn spawn_holder(test: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("we run"))
        .args([&format!("cluster::{test}"), "--exact", "--nocapture"])
        .env(HOLD, dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the test binary runs")
}

/// In the process made by [`spawn_holder`]: starts the cluster, says so, and stays until killed.
async fn hold_if_asked() {
    let Some(dir) = std::env::var_os(HOLD) else {
        return;
    };
    let cluster = start(Path::new(&dir)).await.expect("the folder is free");
    println!("\nholding {}", running_pid(&cluster));
    std::future::pending::<()>().await;
}

async fn server_of_holder(holder: &mut Child) -> Pid {
    let mut lines = BufReader::new(holder.stdout.take().expect("it is piped")).lines();
    while let Some(line) = lines.next_line().await.expect("it is text") {
        if let Some(pid) = line.strip_prefix("holding ") {
            return Pid::from_raw(pid.parse().expect("a number"));
        }
    }
    panic!("the holder ended before its server ran");
}

#[tokio::test]
async fn the_first_start_is_durable_private_and_listens_on_no_port() {
    let dir = TempDir::new().unwrap();
    let cluster = start(dir.path()).await.unwrap();
    let mut superuser = connect(&cluster, SUPERUSER, "postgres").await;

    for setting in [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "data_checksums",
        "wal_log_hints",
    ] {
        assert_eq!(
            ask(&mut superuser, &format!("show {setting}")).await,
            "on",
            "{setting}"
        );
    }
    assert_eq!(ask(&mut superuser, "show listen_addresses").await, "");
    assert_eq!(ask(&mut superuser, "show server_encoding").await, "UTF8");
    assert_eq!(
        ask(&mut superuser, "select string_agg(concat_ws(' ', type, database, user_name, auth_method), ';') from pg_hba_file_rules").await,
        "local {all} {all} peer;local {replication} {all} peer"
    );

    let pid = running_pid(&cluster);
    let tcp = fs::read_to_string("/proc/net/tcp").unwrap()
        + &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let open = sockets(pid);
    assert!(!open.is_empty(), "the server has its socket");
    let listening = |inode: &&String| {
        tcp.lines()
            .any(|line| line.split_whitespace().nth(9) == Some(inode.as_str()))
    };
    assert_eq!(open.iter().find(listening), None, "the server has a TCP socket");

    assert_eq!(
        nix::unistd::getpgid(Some(pid)),
        Ok(pid),
        "Ctrl-C on our terminal would reach the server"
    );

    assert_eq!(mode(&dir.path().join("run")), 0o700);
    assert_eq!(mode(&dir.path().join("pg")), 0o700);
    assert_eq!(mode(dir.path()), if geteuid().is_root() { 0o710 } else { 0o700 });
    let server = fs::metadata(format!("/proc/{pid}")).unwrap();
    assert_ne!(server.uid(), 0, "the server runs as root");
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap_or_default();
    assert!(
        !environment.contains("CARGO"),
        "our environment reached the server: {environment}"
    );
    superuser.close().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn roles_and_database_are_made_once_and_data_survives_a_restart() {
    let dir = TempDir::new().unwrap();
    let cluster = start(dir.path()).await.unwrap();
    let mut owner = connect(&cluster, OWNER, DATABASE).await;
    sqlx::query("create table kept (word text)")
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query("insert into kept values ('still here')")
        .execute(&mut owner)
        .await
        .unwrap();
    cluster.stop().await.unwrap();

    let cluster = start(dir.path()).await.unwrap();
    let mut owner = connect(&cluster, OWNER, DATABASE).await;
    assert_eq!(ask(&mut owner, "select word from kept").await, "still here");
    for role in [OWNER, APP, SCHEDULER] {
        let mut connection = connect(&cluster, role, DATABASE).await;
        let query = "select concat_ws(' ', rolsuper, rolbypassrls, rolcreaterole, rolcreatedb) from pg_roles where rolname = current_user";
        assert_eq!(ask(&mut connection, query).await, "f f f f", "{role}");
    }
    let mut app = connect(&cluster, APP, DATABASE).await;
    assert_eq!(ask(&mut app, "show statement_timeout").await, "30s");
    assert_eq!(ask(&mut app, "show lock_timeout").await, "10s");
    assert_eq!(
        ask(&mut app, "show idle_in_transaction_session_timeout").await,
        "30s"
    );
    let query = "select pg_get_userbyid(datdba) from pg_database where datname = current_database()";
    assert_eq!(ask(&mut app, query).await, OWNER);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_held_folder_is_refused_and_the_server_of_a_killed_holder_is_replaced() {
    hold_if_asked().await;
    let dir = TempDir::new().unwrap();
    let mut holder = spawn_holder(
        "a_held_folder_is_refused_and_the_server_of_a_killed_holder_is_replaced",
        dir.path(),
    );
    let orphan = server_of_holder(&mut holder).await;

    let refused = start(dir.path())
        .await
        .expect_err("the folder is held")
        .to_string();
    let held_by = format!("is in use by process {}", holder.id().unwrap());
    assert!(refused.contains(&held_by), "{refused}");

    holder.kill().await.unwrap();
    assert!(
        processes(dir.path()).contains(&orphan),
        "the server outlives its killed supervisor"
    );
    let cluster = start(dir.path()).await.unwrap();
    assert_ne!(running_pid(&cluster), orphan);
    assert!(!processes(dir.path()).contains(&orphan), "two servers at once");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_initdb_is_begun_again() {
    hold_if_asked().await;
    let dir = TempDir::new().unwrap();
    let mut holder = spawn_holder("a_killed_initdb_is_begun_again", dir.path());
    eventually("initdb", || dir.path().join("pg.new/base/1").exists()).await;
    holder.kill().await.unwrap();
    assert!(
        !dir.path().join("pg").exists(),
        "initdb was over too soon for this test"
    );

    let cluster = start(dir.path()).await.unwrap();
    assert!(!dir.path().join("pg.new").exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_power_loss_left_of_initdb_is_removed() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("lock"), "").unwrap();
    fs::create_dir(dir.path().join("pg.new")).unwrap();
    fs::write(dir.path().join("pg.new/PG_VERSION"), "15\n").unwrap();
    start(dir.path()).await.unwrap().stop().await.unwrap();
    assert!(!dir.path().join("pg.new").exists());
}

#[tokio::test]
async fn a_killed_postgres_comes_back_by_itself() {
    let dir = TempDir::new().unwrap();
    let cluster = start(dir.path()).await.unwrap();
    let mut owner = connect(&cluster, OWNER, DATABASE).await;
    sqlx::query("create table kept as select 'acknowledged' as word")
        .execute(&mut owner)
        .await
        .unwrap();
    // A backend that computes does not see its postmaster die, keeps the shared memory, and must not stop the restart.
    let endless = "select sum(n) from (select generate_series(1, 1000000000000) as n) as numbers";
    let busy = tokio::spawn(async move { sqlx::query(endless).execute(&mut owner).await.is_err() });
    let mut app = connect(&cluster, SUPERUSER, "postgres").await;
    let sleeping =
        "select count(*)::text from pg_stat_activity where query like 'select sum(n)%' and state = 'active'";
    while ask(&mut app, sleeping).await == "0" {}

    let mut state = cluster.state();
    let killed = running_pid(&cluster);
    kill(killed, Signal::SIGKILL).unwrap();
    tokio::time::timeout(WITHIN, async {
        state
            .wait_for(|state| *state == ServerState::Restarting)
            .await
            .unwrap();
        state
            .wait_for(|state| matches!(state, ServerState::Running { .. }))
            .await
            .unwrap();
    })
    .await
    .expect("the server comes back");
    assert_ne!(running_pid(&cluster), killed);
    assert!(busy.await.unwrap(), "the busy backend was ended");
    let mut owner = connect(&cluster, OWNER, DATABASE).await;
    assert_eq!(ask(&mut owner, "select word from kept").await, "acknowledged");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn settings_that_lose_writes_are_refused_with_the_cure() {
    let dir = TempDir::new().unwrap();
    let local = dir.path().join("postgresql.local.conf");
    start(dir.path()).await.unwrap().stop().await.unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        fs::write(&local, format!("{setting} = no\n")).unwrap();
        let refused = start(dir.path()).await.expect_err("it is off").to_string();
        assert!(refused.starts_with(&format!("{setting} is off")), "{refused}");
        assert!(
            refused.contains("remove it from") && refused.contains("/postgresql.local.conf"),
            "{refused}"
        );
        assert_eq!(processes(dir.path()), []);
    }
    fs::write(&local, "fsnyc = on\n").unwrap();
    let refused = start(dir.path())
        .await
        .expect_err("there is no such setting")
        .to_string();
    assert!(refused.contains("fsnyc"), "{refused}");

    fs::write(&local, "max_connections = 23\n").unwrap();
    let cluster = start(dir.path()).await.unwrap();
    let mut superuser = connect(&cluster, SUPERUSER, "postgres").await;
    assert_eq!(
        ask(&mut superuser, "show max_connections").await,
        "23",
        "the administrator's own settings count"
    );
    sqlx::query("alter system set fsync = off")
        .execute(&mut superuser)
        .await
        .unwrap();
    sqlx::query("select pg_reload_conf()")
        .execute(&mut superuser)
        .await
        .unwrap();
    let mut later = connect(&cluster, SUPERUSER, "postgres").await;
    assert_eq!(
        ask(&mut later, "show fsync").await,
        "on",
        "a reload cannot switch it off"
    );
    cluster.stop().await.unwrap();
    assert!(matches!(
        start(dir.path()).await,
        Err(ClusterError::Unsafe { name: "fsync", .. })
    ));
}

#[tokio::test]
async fn folders_of_others_are_refused_by_name_and_left_untouched() {
    let dir = TempDir::new().unwrap();
    let not_durable = Cluster::start(
        dir.path(),
        Settings {
            durable: false,
            ..Settings::default()
        },
    )
    .await;
    assert!(matches!(not_durable, Err(ClusterError::NotDurable)));

    fs::write(dir.path().join("photo.jpg"), "").unwrap();
    assert!(matches!(
        start(dir.path()).await,
        Err(ClusterError::NotOurs { .. })
    ));
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "something was written"
    );

    fs::write(dir.path().join("lock"), "").unwrap();
    let newer = r#"{"format": 2, "created_by": "7.1.0", "something_new": []}"#;
    fs::write(dir.path().join("muster.json"), newer).unwrap();
    let refused = start(dir.path()).await.expect_err("it is newer").to_string();
    assert!(
        refused.contains("made by Muster 7.1.0 in format 2") && refused.contains("run Muster 7.1.0"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(dir.path().join("muster.json")).unwrap(), newer);

    let known = r#"{"format": 1, "created_by": "0.1.0", "socket_folder": "/nowhere"}"#;
    fs::write(dir.path().join("muster.json"), known).unwrap();
    assert!(matches!(
        start(dir.path()).await,
        Err(ClusterError::DataMissing { .. })
    ));

    fs::create_dir(dir.path().join("pg")).unwrap();
    fs::write(dir.path().join("pg/PG_VERSION"), "99\n").unwrap();
    let refused = start(dir.path())
        .await
        .expect_err("there is no such PostgreSQL")
        .to_string();
    assert!(
        refused.contains("written by PostgreSQL 99") && refused.contains("postgresql-99"),
        "{refused}"
    );
}

#[tokio::test]
async fn stopping_leaves_no_process_and_no_temporary_folder() {
    let left_over = |name: &str| {
        let dir = std::env::temp_dir().join(format!("muster-temporary-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let lock = fs::File::create(dir.join("lock")).unwrap();
        lock.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        (dir, lock)
    };
    let (abandoned, _) = left_over("abandoned");
    let (in_use, lock) = left_over("in-use");
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();

    let cluster = Cluster::temporary(Settings::default()).await.unwrap();
    assert!(!abandoned.exists(), "what a killed process left is removed");
    assert!(in_use.exists(), "what is in use stays");
    drop(lock);
    fs::remove_dir_all(in_use).unwrap();

    let dir = cluster.dir().to_owned();
    let state = cluster.state();
    let idle = connect(&cluster, APP, DATABASE).await;
    assert!(processes(&dir).len() > 3, "the server and its helpers");
    cluster.stop().await.unwrap();
    assert_eq!(processes(&dir), []);
    assert!(!dir.exists());
    assert_eq!(*state.borrow(), ServerState::Stopped);
    drop(idle);
}

#[test]
fn a_temporary_cluster_dropped_without_its_runtime_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cluster = runtime.block_on(async {
        let cluster = Cluster::temporary(Settings {
            durable: false,
            ..Settings::default()
        })
        .await
        .unwrap();
        let mut superuser = connect(&cluster, SUPERUSER, "postgres").await;
        assert_eq!(ask(&mut superuser, "show fsync").await, "off");
        cluster
    });
    drop(runtime);
    let dir = cluster.dir().to_owned();
    drop(cluster);
    assert_eq!(processes(&dir), []);
    assert!(!dir.exists());
}

#[tokio::test]
async fn statements_and_values_do_not_reach_the_log() {
    let cluster = Cluster::temporary(Settings {
        durable: false,
        ..Settings::default()
    })
    .await
    .unwrap();
    let mut owner = connect(&cluster, OWNER, DATABASE).await;
    sqlx::query("create table t (secret text unique)")
        .execute(&mut owner)
        .await
        .unwrap();
    for _ in 0..2 {
        let _ = sqlx::query("insert into t values ($1)")
            .bind("canary")
            .execute(&mut owner)
            .await;
    }
    assert!(
        sqlx::query("select 'canary'::int")
            .execute(&mut owner)
            .await
            .is_err()
    );
    let log = fs::read_to_string(cluster.dir().join("log/postgres.log")).unwrap();
    assert!(log.contains("t_secret_key"), "the error itself is logged: {log}");
    assert!(!log.contains("insert into t"), "{log}");
    assert_eq!(
        log.matches("canary").count(),
        1,
        "only the message of the bad cast: {log}"
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_long_path_gets_its_socket_in_a_private_folder_elsewhere() {
    let above = TempDir::new().unwrap();
    fs::set_permissions(above.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let dir = above.path().join("x".repeat(120));
    let cluster = start(&dir).await.unwrap();
    let socket: PathBuf = cluster.url(APP, DATABASE).get_socket().expect("a socket").clone();
    assert!(
        !socket.starts_with(&dir) && socket.as_os_str().len() < 80,
        "{}",
        socket.display()
    );
    assert_eq!(mode(&socket), 0o700);
    assert!(
        fs::read_to_string(dir.join("muster.json"))
            .unwrap()
            .contains(socket.to_str().unwrap())
    );
    connect(&cluster, APP, DATABASE).await;
    cluster.stop().await.unwrap();
    assert!(!socket.exists(), "it is removed at the stop");

    std::os::unix::fs::symlink("/tmp", &socket).unwrap();
    let refused = start(&dir)
        .await
        .expect_err("a link is not a private folder")
        .to_string();
    assert!(refused.contains(socket.to_str().unwrap()), "{refused}");
    fs::remove_file(&socket).unwrap();
    if geteuid().is_root() {
        fs::create_dir(&socket).unwrap();
        chown(&socket, Some(65534), Some(65534)).unwrap();
        let refused = start(&dir).await;
        fs::remove_dir(&socket).unwrap();
        assert!(matches!(refused, Err(ClusterError::OtherOwner { path, .. }) if path == socket));
    }
}

#[tokio::test]
async fn a_parent_that_the_unprivileged_user_cannot_enter_is_named() {
    let above = TempDir::new().unwrap();
    fs::set_permissions(above.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let refused = start(&above.path().join("data")).await;
    if geteuid().is_root() {
        let refused = refused.expect_err("the folder above is root's alone").to_string();
        assert!(
            refused.contains(&format!("chmod o+x {}`", above.path().display())),
            "{refused}"
        );
    } else {
        refused.expect("it is all ours").stop().await.unwrap();
    }
}
