//! Migrating: twice, at once from many places, killed at any moment; and what a binary says of a database that is not its
//! own.

use std::{path::Path, process::Command};

use muster::schema::{self, CheckError, MigrateError};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::support::{CLUSTER, long};

/// At how many places a migration is killed at most, from its first command to its last: in the long form at each.
const KILLS: [i64; 2] = [6, i64::MAX];
/// The last migration before those that move what is there to where it is today.
const BEFORE_MOVES: i64 = 4;

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

/// Migrates with a trap: at its n-th command that changes the schema or rows, the migration's own backend is ended, and
/// whatever it was at is rolled back as in a crash. Says how many commands there were.
async fn migrate_and_die_at(database: &str, n: i64) -> i64 {
    let mut db = CLUSTER.superuser(database).await;
    // The counter is a sequence, because what is rolled back must be counted too. A table gets its own trap when it is made.
    db.execute(AssertSqlSafe(format!(
        "create schema trap; grant usage on schema trap to public;
         create sequence trap.command; grant usage on sequence trap.command to public;
         create function trap.die() returns void language plpgsql security definer as $$
         begin
             if nextval('trap.command') = {n} then perform pg_terminate_backend(pg_backend_pid()); end if;
         end $$;
         create function trap.at_rows() returns trigger language plpgsql as $$
         begin
             perform trap.die();
             return null;
         end $$;
         create function trap.lay(p_table text) returns void language plpgsql as $$
         begin
             execute format('create trigger trap after insert or update or delete on %s for each statement
                 execute function trap.at_rows()', p_table);
         end $$;
         create function trap.at_commands() returns event_trigger language plpgsql as $$
         declare
             command record;
         begin
             for command in select * from pg_event_trigger_ddl_commands() loop
                 if command.object_identity like 'trap on %' then
                     return;
                 end if;
                 if command.command_tag = 'CREATE TABLE' and command.object_type = 'table'
                     and not (select relispartition from pg_class where oid = command.objid) then
                     perform trap.lay(command.object_identity);
                 end if;
             end loop;
             perform trap.die();
         end $$;
         select trap.lay(oid::regclass::text) from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition;
         create event trigger die on ddl_command_end execute function trap.at_commands()"
    )))
    .await
    .expect("the trap is laid");
    let died = schema::migrate(&CLUSTER.options("muster_owner", database))
        .await
        .is_err();
    let commands: i64 = sqlx::query_scalar("select last_value from trap.command")
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(
        died,
        commands == n,
        "it was to die at {n} and had {commands} commands"
    );
    db.execute("set client_min_messages = error; drop event trigger die; drop schema trap cascade")
        .await
        .expect("the trap is taken away");
    db.close().await.expect("closed");
    commands
}

/// Kills a migration of what `template` holds at each place, and has it finished by the next; `look` sees the rows that
/// must be there then.
async fn kill_everywhere(template: &str, look: &str) -> Vec<String> {
    let reference = dump("template_muster");
    let unharmed = copy_of(template, "not_killed").await;
    let commands = migrate_and_die_at(&unharmed, i64::MAX).await;
    let rows = rows(&unharmed, look).await;
    let kills = KILLS[long()].min(commands);
    assert!(kills > 1, "there are {commands} commands");
    for round in 0..kills {
        let at = 1 + round * (commands - 1) / (kills - 1);
        let database = copy_of(template, "killed").await;
        assert_eq!(migrate_and_die_at(&database, at).await, at);
        schema::migrate(&CLUSTER.options("muster_owner", &database))
            .await
            .unwrap_or_else(|error| panic!("after dying at {at}: {error}"));
        assert_eq!(reference, dump(&database), "after dying at {at}");
        assert_eq!(rows, self::rows(&database, look).await, "after dying at {at}");
        schema::check(&CLUSTER.options("muster_app", &database))
            .await
            .expect("it can be served");
    }
    println!("{template}: killed at {kills} of {commands} commands, and finished by the next each time");
    rows
}

/// A new copy of a database, in the place of the last one.
async fn copy_of(template: &str, name: &str) -> String {
    let database = format!("{template}_{name}");
    let mut db: PgConnection = CLUSTER.superuser("postgres").await;
    db.execute(AssertSqlSafe(format!(
        "drop database if exists {database} with (force)"
    )))
    .await
    .expect("dropped");
    db.execute(AssertSqlSafe(format!(
        "create database {database} template {template} owner muster_owner"
    )))
    .await
    .expect("a database");
    database
}

async fn rows(database: &str, look: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(look.to_owned()))
        .fetch_all(&mut CLUSTER.superuser(database).await)
        .await
        .expect("the rows")
}

#[tokio::test]
async fn an_installation_killed_at_any_statement_is_finished_by_the_next() {
    empty_database("migrate_new").await;
    kill_everywhere(
        "migrate_new",
        "select version::text from _sqlx_migrations order by version",
    )
    .await;
}

#[tokio::test]
async fn an_upgrade_of_what_is_there_killed_at_any_statement_is_finished_by_the_next() {
    let owner = empty_database("migrate_old").await;
    let mut db = PgConnection::connect_with(&owner).await.expect("a connection");
    schema::MIGRATIONS
        .run_direct(Some(BEFORE_MOVES), &mut db, false)
        .await
        .expect("it migrates");
    db.close().await.expect("closed");
    let mut db = CLUSTER.superuser("migrate_old").await;
    db.execute(
        "insert into tenants (name) values ('First');
         insert into models (tenant_id, name) values (1, 'Northside');
         insert into model_content (tenant_id, model_id, content_type, image_url)
         values (1, 1, 'pfp', 'https://example.com/1.jpg');
         insert into content_uses (tenant_id, pool, item_id, used, succeeded, at) values (1, 'content', 1, 3, 2, now());
         insert into accounts (
             tenant_id, username, email, model_id, assigned_at, warmup_step, retry_count, last_bot_action_by)
         select 1, 'account' || g, 'a@example.com', 1, now(), g % 5 + 1, g, 'bot' from generate_series(1, 50) g;
         insert into text_pools (tenant_id, model_id, content_type, text_content)
         select 1, 1, 'post', 'text ' || g / 2 from generate_series(1, 3) g;
         insert into tenant_keys (tenant_id, version, wrapped, master_key_id) values (1, 1, '', 'a'), (1, 2, '', 'a');
         create table warmup_step_logs_2026_01 partition of warmup_step_logs
         for values from ('2026-01-01 00:00:00+00') to ('2026-02-01 00:00:00+00');
         insert into warmup_step_logs (
             tenant_id, account_id, lease, started_at, step_number, step_name, status, content_used)
         select 1, g, 1, '2026-01-10 00:00:00+00', 1, 'change_pfp', 'completed', '{\"content\": 1}' from generate_series(1, 50) g;
         alter table warmup_step_logs_2026_01 owner to muster_owner",
    )
    .await
    .expect("what an older Muster had");
    db.close().await.expect("closed");
    let upgraded = kill_everywhere(
        "migrate_old",
        "select format('%s is at step %s after %s attempts by %s', account_id, step, attempt, last_bot_action_by)
         from work_queue
         union all
         select format('%s published %s of %s', account_id, content_id, model_id) from warmup_step_logs
         union all
         select format('%s was used %s times', id, usage_count) from model_content
         union all
         select format('%s are %s', accounts, lifecycle_state) from account_counts
         union all
         select format('%s of %s were used %s times', items, pool, uses) from pool_counts
         union all
         select format('%s proxies carry %s', proxies, accounts) from proxy_counts
         union all
         select format('%s is there twice', fingerprint) from fingerprint_changes, unnest(fingerprints) fingerprint
         union all
         select format('key %s has sealed anew: %s', version, resealed_at is not null) from tenant_keys
         order by 1",
    )
    .await;
    for (ending, rows) in [
        ("is there twice", 1),
        ("key 1 has sealed anew: t", 1),
        ("key 2 has sealed anew: f", 1),
    ] {
        let found = upgraded.iter().filter(|row| row.ends_with(ending)).count();
        assert_eq!(found, rows, "{ending}: {upgraded:?}");
    }
}
