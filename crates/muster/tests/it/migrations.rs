//! Migrating: twice, at once from many places, killed at any moment; and what a binary says of a database that is not its
//! own.

use std::{path::Path, process::Command};

use muster::schema::{self, CheckError, MigrateError};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::support::CLUSTER;

/// At how many places a migration is killed, from its first command to its last.
const KILLS: i64 = 12;

/// A database with nothing in it.
async fn empty_database(name: &str) -> PgConnectOptions {
    let mut db = CLUSTER.superuser("postgres").await;
    db.execute(AssertSqlSafe(format!(
        "create database {name} template template0 owner muster_owner"
    )))
    .await
    .expect("a database");
    CLUSTER.options("muster_owner", name)
}

/// The database as text: `pg_dump` without what differs from month to month (partitions), from version to version
/// (comments, settings) and from cluster to cluster (owners).
pub fn dump(database: &str) -> String {
    let bin = std::env::var_os("MUSTER_PG_BIN").map_or_else(newest_binaries, std::path::PathBuf::from);
    let out = Command::new(bin.join("pg_dump"))
        .args([
            "--schema-only",
            "--no-owner",
            "--no-comments",
            "--exclude-table=*_20[0-9][0-9]_[0-9][0-9]",
            "-U",
            "postgres",
        ])
        .arg("-h")
        .arg(&CLUSTER.socket)
        .arg(database)
        .output()
        .expect("pg_dump starts");
    assert!(
        out.status.success(),
        "pg_dump: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8(out.stdout).expect("a dump is UTF-8");
    let mut kept = String::from(
        "-- The schema that the migrations and always/ make, to be read. Written by a test: UPDATE_SNAPSHOTS=1.\n",
    );
    let mut blank = false;
    // What attaches a partition names it: with it go the statements' further lines, up to the semicolon.
    let mut dropping = false;
    for line in text.lines() {
        if dropping {
            dropping = !line.ends_with(';');
            continue;
        }
        if names_a_partition(line) {
            dropping = !line.ends_with(';');
            continue;
        }
        if line.starts_with("--")
            || line.starts_with("SET ")
            || line.starts_with('\\')
            || line.starts_with("SELECT pg_catalog.set_config")
        {
            continue;
        }
        if line.is_empty() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            kept.push('\n');
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn newest_binaries() -> std::path::PathBuf {
    let mut found: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .map(|entry| entry.expect("a folder").path().join("bin"))
        .filter(|bin| bin.join("pg_dump").exists())
        .collect();
    found.sort();
    found.pop().expect("pg_dump is installed")
}

fn names_a_partition(line: &str) -> bool {
    ["account_state_history_2", "warmup_step_logs_2"]
        .iter()
        .any(|parent| line.contains(parent))
}

#[tokio::test]
async fn the_dump_beside_the_migrations_is_what_they_make() {
    let database = CLUSTER.database().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/schema.sql");
    let now = dump(&database);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &now).expect("it is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = now.lines().zip(stored.lines()).position(|(a, b)| a != b);
    assert!(
        now == stored,
        "schema/schema.sql is not what the migrations make (first difference after line {differs:?}): run this test with \
         UPDATE_SNAPSHOTS=1 and read the difference"
    );
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = CLUSTER.database().await;
    let owner = CLUSTER.options("muster_owner", &database);
    let before = dump(&database);
    let rows = lifecycle(&database).await;
    schema::migrate(&owner).await.expect("it migrates again");
    assert_eq!(before, dump(&database));
    assert_eq!(rows, lifecycle(&database).await);
}

async fn lifecycle(database: &str) -> Vec<(String, String, String, Option<bool>)> {
    sqlx::query_as(
        "select event, from_state, to_state, warmup_complete from lifecycle_transitions order by 1, 2",
    )
    .fetch_all(&mut CLUSTER.superuser(database).await)
    .await
    .expect("the lifecycle")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_that_migrate_an_empty_database_at_once_all_succeed() {
    let owner = empty_database("migrate_at_once").await;
    let all: Vec<_> = (0..8)
        .map(|_| {
            let owner = owner.clone();
            tokio::spawn(async move { schema::migrate(&owner).await })
        })
        .collect();
    for one in all {
        one.await.expect("no panic").expect("it migrates");
    }
    assert_eq!(dump("migrate_at_once"), dump("template_muster"));
}

#[tokio::test]
async fn an_older_binary_refuses_a_newer_database_by_name_and_leaves_it_alone() {
    let database = CLUSTER.database().await;
    let mut db = CLUSTER.superuser(&database).await;
    db.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, '', 0); create table of_the_future (id bigint)",
    )
    .await
    .expect("a newer database");
    let before = dump(&database);
    let error = schema::migrate(&CLUSTER.options("muster_owner", &database))
        .await
        .expect_err("refused");
    assert!(matches!(error, MigrateError::Newer(9999)), "{error:?}");
    assert!(
        error.to_string().contains("9999") && error.to_string().contains("newer Muster"),
        "{error}"
    );
    assert_eq!(before, dump(&database));
}

#[tokio::test]
async fn a_server_is_told_whether_the_schema_is_missing_older_or_newer() {
    empty_database("check_unmigrated").await;
    let check = async |database: &str| schema::check(&CLUSTER.options("muster_app", database)).await;
    assert!(matches!(
        check("check_unmigrated").await,
        Err(CheckError::Unmigrated)
    ));

    let database = CLUSTER.database().await;
    assert!(matches!(check(&database).await, Ok(())));
    let mut db = CLUSTER.superuser(&database).await;
    db.execute("create table kept as select * from _sqlx_migrations; delete from _sqlx_migrations where version = (select max(version) from kept)")
        .await
        .expect("an older one");
    assert!(matches!(check(&database).await, Err(CheckError::Older)));
    db.execute(
        "delete from _sqlx_migrations; insert into _sqlx_migrations select * from kept;
         update _sqlx_migrations set version = 9999 where version = (select max(version) from kept)",
    )
    .await
    .expect("a newer one");
    assert!(matches!(check(&database).await, Err(CheckError::Newer)));
    db.execute("truncate _sqlx_migrations")
        .await
        .expect("an empty one");
    assert!(matches!(check(&database).await, Err(CheckError::Unmigrated)));
}

/// Migrates with a trap: at its n-th command that changes the schema, the migration's own backend is ended, and whatever it
/// was at is rolled back as in a crash. Says how many commands there were.
async fn migrate_and_die_at(database: &str, n: i64) -> i64 {
    let mut db = CLUSTER.superuser(database).await;
    // The counter is a sequence, because what is rolled back must be counted too.
    db.execute(AssertSqlSafe(format!(
        "create sequence public.command; grant usage on sequence public.command to public;
         create function public.die() returns event_trigger language plpgsql security definer as $$
         begin
             if nextval('public.command') = {n} then perform pg_terminate_backend(pg_backend_pid()); end if;
         end $$;
         create event trigger die on ddl_command_end execute function public.die()"
    )))
    .await
    .expect("the trap is laid");
    let died = schema::migrate(&CLUSTER.options("muster_owner", database))
        .await
        .is_err();
    let commands: i64 = sqlx::query_scalar("select last_value from public.command")
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(
        died,
        commands == n,
        "it was to die at {n} and had {commands} commands"
    );
    db.execute("drop event trigger die; drop function public.die(); drop sequence public.command")
        .await
        .expect("the trap is taken away");
    db.close().await.expect("closed");
    commands
}

#[tokio::test]
async fn a_migration_killed_at_any_statement_is_finished_by_the_next() {
    let reference = dump("template_muster");
    empty_database("not_killed").await;
    let commands = migrate_and_die_at("not_killed", i64::MAX).await;
    assert!(commands > KILLS, "there are {commands} commands");
    for round in 0..KILLS {
        let at = 1 + round * (commands - 1) / (KILLS - 1);
        let database = format!("killed_{round}");
        let owner = empty_database(&database).await;
        assert_eq!(migrate_and_die_at(&database, at).await, at);
        schema::migrate(&owner)
            .await
            .unwrap_or_else(|error| panic!("after dying at {at}: {error}"));
        assert_eq!(reference, dump(&database), "after dying at {at}");
        schema::check(&CLUSTER.options("muster_app", &database))
            .await
            .expect("it can be served");
        drop_database(&database).await;
    }
}

async fn drop_database(name: &str) {
    let mut db: PgConnection = CLUSTER.superuser("postgres").await;
    db.execute(AssertSqlSafe(format!("drop database {name} with (force)")))
        .await
        .expect("dropped");
}
