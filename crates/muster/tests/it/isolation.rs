//! Tenants are kept apart: every table attacked by every role, each policy shown to matter by dropping it, and the tenant of
//! a transaction shown to end with it.

use muster::{actor::Actor, db::Db};
use muster_wire::TenantId;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::support::CLUSTER;

/// What the timer's role may read, column by column, and how many rows of the fixture that shows.
pub const SCHEDULER_SEES: &[(&str, &[&str], i64)] = &[
    ("account_count_changes", &["tenant_id"], 2),
    ("attempt_count_changes", &["tenant_id"], 2),
    ("batches", &["tenant_id", "state", "due_at"], 2),
    ("content_uses", &["tenant_id"], 2),
    ("fingerprint_changes", &["tenant_id"], 2),
    ("pool_count_changes", &["tenant_id"], 2),
    ("proxy_count_changes", &["tenant_id"], 2),
    ("tenants", &["id", "paused_at"], 2),
    ("work_queue", &["tenant_id", "state", "leased_until"], 2),
];

/// Tables of which the schema owner, who migrates, makes tenants and signs people in, sees every row.
const OWNER_SEES: &[&str] = &[
    "backup_runs",
    "lifecycle_transitions",
    "memberships",
    "operators",
    "retention",
    "tenants",
];

const REFUSED: &str = "42501";

/// A database of two tenants with a row in every table for each.
async fn two_tenants() -> String {
    let database = CLUSTER.database().await;
    let mut db = CLUSTER.superuser(&database).await;
    db.execute("set session_replication_role = replica")
        .await
        .expect("triggers off");
    db.execute(include_str!("isolation_fixture.sql"))
        .await
        .expect("the fixture");
    database
}

struct Table {
    name: String,
    /// The column that says whose a row is; for operators, because the fixture has it so.
    tenant: Option<&'static str>,
    partition: bool,
    select: bool,
    delete: bool,
    /// A column that may be updated.
    update: Option<String>,
    /// The columns that an insert gives.
    columns: String,
    /// One of its rows, as JSON quoted for SQL, to make others from.
    row: String,
    rows: i64,
    rows_of_1: i64,
}

/// Name, whether a partition, whether with tenant_id; whether granted select and delete, a column to update; its columns.
type TableRow = (String, bool, bool, bool, bool, Option<String>, String);

impl Table {
    /// A column that anybody can try to change.
    fn column(&self) -> &str {
        match (self.tenant, self.name.as_str()) {
            (Some(tenant), _) => tenant,
            (None, "retention") => "kept_from",
            (None, _) => "event",
        }
    }
}

async fn tables(db: &mut PgConnection, only: Option<&str>) -> Vec<Table> {
    let rows: Vec<TableRow> = sqlx::query_as(
        "select c.relname::text, c.relispartition,
             exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'),
             has_table_privilege('muster_app', c.oid, 'select'),
             has_table_privilege('muster_app', c.oid, 'delete'),
             (select min(a.attname::text) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
                 and has_column_privilege('muster_app', c.oid, a.attnum, 'update')),
             (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
         from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and c.relname <> '_sqlx_migrations' and c.relname = coalesce($1, c.relname) order by 1",
    )
    .bind(only)
    .fetch_all(&mut *db)
    .await
    .expect("the tables");
    let mut tables = Vec::new();
    for (name, partition, has_tenant, select, delete, update, columns) in rows {
        let tenant = match name.as_str() {
            "tenants" | "operators" => Some("id"),
            _ => has_tenant.then_some("tenant_id"),
        };
        // Whatever is granted on a partition is wrong.
        let (select, delete, update) = (
            select && !partition,
            delete && !partition,
            update.filter(|_| !partition),
        );
        let (rows, rows_of_1) = sqlx::query_as(AssertSqlSafe(format!(
            "select count(*), count(*) filter (where {} = 1) from {name}",
            tenant.unwrap_or("1")
        )))
        .fetch_one(&mut *db)
        .await
        .expect("a count");
        let row: Option<String> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select quote_literal(to_jsonb(r)) from {name} r limit 1"
        )))
        .fetch_optional(&mut *db)
        .await
        .expect("a row");
        let row = row.unwrap_or_else(|| "'{}'".to_owned());
        tables.push(Table {
            row,
            name,
            tenant,
            partition,
            select,
            delete,
            update,
            columns,
            rows,
            rows_of_1,
        });
    }
    tables
}

/// Runs one statement as a tenant (`None`: nothing was ever set on this connection) and takes it back. The rows it touched,
/// or for a select counted, or the error's code.
async fn attempt(db: &mut PgConnection, setting: Option<&str>, sql: &str) -> Result<i64, String> {
    let mut tx = db.begin().await.expect("a transaction");
    if let Some(setting) = setting {
        sqlx::query("select set_config('muster.tenant_id', $1, true)")
            .bind(setting)
            .execute(&mut *tx)
            .await
            .expect("set");
    }
    let answer = if sql.starts_with("select") {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await
    } else {
        tx.execute(AssertSqlSafe(sql))
            .await
            .map(|done| i64::try_from(done.rows_affected()).expect("few rows"))
    };
    tx.rollback().await.expect("rolled back");
    answer.map_err(|error| match error.as_database_error() {
        // An identity column refuses to be set before grants are looked at.
        Some(e) if e.code().as_deref() == Some("428C9") => REFUSED.to_owned(),
        Some(e) => e
            .code()
            .map_or_else(|| e.message().to_owned(), |code| code.into_owned()),
        None => panic!("{sql}: {error}"),
    })
}

/// Every way past the policies that was found: for all tables, or one.
async fn leaks(database: &str, only: Option<&str>) -> Vec<String> {
    let mut superuser = CLUSTER.superuser(database).await;
    let tables = tables(&mut superuser, only).await;
    let mut leaks = Vec::new();
    for setting in [None, Some(""), Some("1"), Some("2")] {
        let mut app = PgConnection::connect_with(&CLUSTER.options("muster_app", database))
            .await
            .expect("a connection");
        for table in &tables {
            for (sql, expected) in attacks(table, setting.and_then(|s| s.parse().ok())) {
                let got = attempt(&mut app, setting, &sql).await;
                if !expected.contains(&got) {
                    leaks.push(format!(
                        "muster_app with tenant {setting:?}: {sql}: {got:?}, expected one of {expected:?}"
                    ));
                }
            }
        }
        leaks.extend(leaks_to_the_others(database, setting, &tables).await);
    }
    leaks
}

/// What the serving role may try on a table as `own`, with what may come of it.
fn attacks(table: &Table, own: Option<i64>) -> Vec<(String, Vec<Result<i64, String>>)> {
    let Table { name, columns, .. } = table;
    let refused = || vec![Err(REFUSED.to_owned())];
    let when = |granted: bool, rows: i64| if granted { vec![Ok(rows)] } else { refused() };
    let own_rows = match (table.tenant, own) {
        (None, _) => table.rows,
        (Some(_), None) => 0,
        (Some(_), Some(1)) => table.rows_of_1,
        (Some(_), Some(_)) => table.rows - table.rows_of_1,
    };
    let mut list = vec![
        (
            format!("select count(*) from {name}"),
            when(table.select, own_rows),
        ),
        (format!("truncate {name}"), refused()),
        (format!("delete from {name} where false"), when(table.delete, 0)),
    ];
    list.push(match &table.update {
        Some(column) => (
            format!("update {name} set {column} = {column}"),
            when(true, own_rows),
        ),
        None => (format!("update {name} set {0} = {0}", table.column()), refused()),
    });
    let Some(tenant) = table.tenant else {
        list.push((format!("insert into {name} default values"), refused()));
        return list;
    };
    let own_or_null = own.map_or("null".to_owned(), |own| own.to_string());
    list.push((
        format!("select count(*) from {name} where {tenant} is distinct from {own_or_null}"),
        when(table.select, 0),
    ));
    list.push((
        format!("delete from {name} where {tenant} is distinct from {own_or_null}"),
        when(table.delete, 0),
    ));
    list.push((format!("update {name} set {tenant} = 3 - {tenant}"), refused()));
    if own.is_some() {
        let mut outcomes = when(table.delete, own_rows);
        if table.delete {
            // The row was reached; that something still needs it is another matter.
            outcomes.extend([Err("23503".to_owned()), Err("MU001".to_owned())]);
        }
        list.push((format!("delete from {name}"), outcomes));
    }
    // Granted or not, a row for another tenant is refused, before any key is looked at.
    for victim in [1, 2].into_iter().filter(|victim| own != Some(*victim)) {
        let row = columns
            .split(", ")
            .map(|column| {
                if column == tenant {
                    victim.to_string()
                } else {
                    format!("r.{column}")
                }
            })
            .collect::<Vec<_>>()
            .join(", ");
        list.push((
            format!(
                "insert into {name} ({columns}) overriding system value
                 select {row} from jsonb_populate_record(null::{name}, {given}) r",
                given = table.row
            ),
            refused(),
        ));
    }
    list
}

/// The same for the two roles that see a little of all tenants.
async fn leaks_to_the_others(database: &str, setting: Option<&str>, tables: &[Table]) -> Vec<String> {
    let mut leaks = Vec::new();
    for role in ["muster_owner", "muster_scheduler"] {
        let mut db = PgConnection::connect_with(&CLUSTER.options(role, database))
            .await
            .expect("a connection");
        for table in tables {
            let tries = if role == "muster_owner" {
                owner_tries(table, setting)
            } else {
                scheduler_tries(table)
            };
            for (sql, expected) in tries {
                let got = attempt(&mut db, setting, &sql).await;
                if got != expected {
                    leaks.push(format!(
                        "{role} with tenant {setting:?}: {sql}: {got:?}, expected {expected:?}"
                    ));
                }
            }
        }
    }
    leaks
}

fn owner_tries(table: &Table, setting: Option<&str>) -> Vec<(String, Result<i64, String>)> {
    let name = &table.name;
    let seen = match (OWNER_SEES.contains(&name.as_str()), setting) {
        (true, _) => table.rows,
        (false, Some("1")) if !table.partition => table.rows_of_1,
        (false, Some("2")) if !table.partition => table.rows - table.rows_of_1,
        (false, _) => 0,
    };
    let mut tries = vec![(format!("select count(*) from {name}"), Ok(seen))];
    // Who migrates stores the lifecycle, who drops partitions says so, and who makes tenants makes their first operator.
    match name.as_str() {
        "operators" => tries.push((format!("update {name} set name = name"), Ok(table.rows))),
        "retention" => tries.push((format!("update {name} set kept_from = kept_from"), Ok(table.rows))),
        "lifecycle_transitions" => tries.push((format!("update {name} set event = event"), Ok(table.rows))),
        _ => {}
    }
    tries
}

fn scheduler_tries(table: &Table) -> Vec<(String, Result<i64, String>)> {
    let name = &table.name;
    let mut tries: Vec<_> = [
        format!("select count({name}.*) from {name}"),
        format!("delete from {name}"),
        format!("truncate {name}"),
        format!("update {name} set {0} = {0}", table.column()),
        format!("insert into {name} default values"),
    ]
    .into_iter()
    .map(|sql| (sql, Err(REFUSED.to_owned())))
    .collect();
    if let Some((_, columns, rows)) = SCHEDULER_SEES.iter().find(|(shown, ..)| shown == name) {
        tries.push((
            format!(
                "select count(*) from (select {} from {name}) x",
                columns.join(", ")
            ),
            Ok(*rows),
        ));
    }
    tries
}

#[tokio::test]
async fn the_fixture_has_rows_of_both_tenants_in_every_table() {
    let database = two_tenants().await;
    for table in tables(&mut CLUSTER.superuser(&database).await, None).await {
        if table.tenant.is_some() && !table.partition {
            assert!(
                table.rows_of_1 > 0 && table.rows > table.rows_of_1,
                "{} is not attacked: give it a row for each tenant in isolation_fixture.sql",
                table.name
            );
        }
    }
}

#[tokio::test]
async fn no_attack_on_any_table_reaches_another_tenant() {
    let database = two_tenants().await;
    let leaks = leaks(&database, None).await;
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

#[tokio::test]
async fn the_attacks_notice_when_any_policy_is_gone_or_any_table_is_open() {
    let database = two_tenants().await;
    let mut superuser = CLUSTER.superuser(&database).await;
    let mut holes = Vec::new();
    let policies: Vec<(String, String)> = sqlx::query_as(
        "select relname::text, polname::text from pg_policy p join pg_class c on c.oid = polrelid",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("the policies");
    for (table, policy) in policies {
        holes.push((format!("drop policy {policy} on {table}"), table));
    }
    // The lifecycle is there for all to read; that nobody writes it, grants see to.
    for table in tables(&mut superuser, None)
        .await
        .into_iter()
        .filter(|table| table.tenant.is_some())
    {
        let name = table.name;
        if table.rows > 0 {
            holes.push((
                format!("alter table {name} disable row level security"),
                name.clone(),
            ));
        }
        if table.partition {
            // The owner is held by force; the serving roles have no grant to begin with.
            holes.push((format!("grant select on {name} to muster_app"), name));
        } else {
            holes.push((
                format!("create policy hole on {name} for all to muster_app using (true) with check (true)"),
                name.clone(),
            ));
            holes.push((format!("grant truncate on {name} to muster_app"), name));
        }
    }
    let restore = [
        include_str!("../../schema/always/80_policies.sql"),
        include_str!("../../schema/always/90_grants.sql"),
    ]
    .concat();
    for (hole, table) in holes {
        superuser
            .execute(AssertSqlSafe(hole.as_str()))
            .await
            .unwrap_or_else(|error| panic!("{hole}: {error}"));
        assert!(
            !leaks(&database, Some(&table)).await.is_empty(),
            "no attack noticed: {hole}"
        );
        superuser
            .execute(AssertSqlSafe(restore.as_str()))
            .await
            .expect("the policies are restored");
        if hole.contains("disable row level security") {
            // The policies' file is for parents; a partition is protected where it is made.
            superuser
                .execute(AssertSqlSafe(format!(
                    "alter table {table} enable row level security"
                )))
                .await
                .expect("closed");
        }
    }
    assert_eq!(leaks(&database, None).await, Vec::<String>::new(), "restored");
}

#[tokio::test]
async fn an_operator_is_seen_by_the_tenants_they_belong_to_and_no_other() {
    let database = two_tenants().await;
    let mut superuser = CLUSTER.superuser(&database).await;
    superuser
        .execute("insert into memberships (tenant_id, operator_id, role) values (2, 1, 'viewer')")
        .await
        .expect("a colleague");
    let mut app = PgConnection::connect_with(&CLUSTER.options("muster_app", &database))
        .await
        .expect("a connection");
    let seen = "select string_agg(id::text, ',' order by id)::bigint from operators where id = 1";
    assert_eq!(attempt(&mut app, Some("2"), seen).await, Ok(1));
    superuser
        .execute("delete from memberships where tenant_id = 2 and operator_id = 1")
        .await
        .expect("gone");
    assert_eq!(
        attempt(&mut app, Some("2"), "select count(*) from operators where id = 1").await,
        Ok(0)
    );
}

// ------------------------------------------------------------------------------------------------ the setting

/// A database whose `sign_in`, the one call for which no tenant is set, answers with the tenant that is set.
async fn telltale() -> (String, Db) {
    let database = two_tenants().await;
    let sql = "create or replace function sign_in(p_email text)
        returns table (operator_id bigint, name text, password_hash text, tenant_id bigint, tenant text, role text)
        language sql volatile as $$
            select 1::bigint, concat_ws('|', nullif(current_setting('muster.tenant_id', true), ''),
                nullif(current_setting('muster.operator_id', true), ''), nullif(current_setting('muster.request_id', true), '')),
                null::text, 1::bigint, '', 'viewer'
        $$";
    CLUSTER
        .superuser(&database)
        .await
        .execute(sql)
        .await
        .expect("a telltale");
    let db = Db::connect(CLUSTER.options("muster_app", &database), 1)
        .await
        .expect("a pool of one");
    (database, db)
}

async fn left_over(db: &Db) -> String {
    db.sign_in("")
        .await
        .unwrap_or_else(|failure| panic!("{failure}"))
        .remove(0)
        .name
}

#[tokio::test]
async fn the_tenant_never_outlives_its_transaction() {
    let (_, db) = telltale().await;
    let actor = Actor::system(TenantId(1));
    assert_eq!(left_over(&db).await, "", "before");

    db.begin(&actor)
        .await
        .expect("a transaction")
        .commit()
        .await
        .expect("commit");
    assert_eq!(left_over(&db).await, "", "after a commit");

    drop(db.begin_read(&actor).await.expect("a transaction"));
    assert_eq!(left_over(&db).await, "", "after a drop");

    let mut tx = db.begin_snapshot(&actor).await.expect("a transaction");
    tx.execute("select 1 / 0").await.expect_err("an error");
    drop(tx);
    assert_eq!(left_over(&db).await, "", "after an error");

    let mut tx = db.begin(&actor).await.expect("a transaction");
    let sleep = tx.execute("select pg_sleep(0.3)");
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(20), sleep)
            .await
            .is_err(),
        "given up while waiting"
    );
    drop(tx);
    assert_eq!(left_over(&db).await, "", "after a request that was given up");

    let (db2, actor2) = (db.clone(), actor.clone());
    let panicked = tokio::spawn(async move {
        let _tx = db2.begin(&actor2).await.expect("a transaction");
        panic!("on purpose");
    })
    .await;
    assert!(panicked.is_err());
    assert_eq!(left_over(&db).await, "", "after a panic");
}

#[tokio::test]
async fn a_tenant_set_for_the_session_would_be_noticed() {
    let (_, db) = telltale().await;
    let mut tx = db
        .begin(&Actor::system(TenantId(1)))
        .await
        .expect("a transaction");
    tx.execute("select set_config('muster.tenant_id', '7', false)")
        .await
        .expect("set");
    tx.commit().await.expect("commit");
    assert_eq!(left_over(&db).await, "7");
}
