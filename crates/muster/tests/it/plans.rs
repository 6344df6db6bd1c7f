//! How the statements are planned, among two hundred thousand accounts: by keys and indexes, never by reading a large table
//! whole; in the same way for a large tenant and a small one; and with a bounded number of buffers for a page.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use muster::config::ServeSettings;
use muster_wire::TenantId;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    console_large::{screens, slow},
    plans_lists::{LISTS, browse},
    support::{CLUSTER, Caller, TestApp, long},
};

/// The accounts of both tenants; one of two hundred is the small one's. In the long form they are a million.
const ACCOUNTS: [u32; 2] = [200_000, 1_000_000];

/// Shared buffers that a statement of a list, a count or a dashboard touches for a page of 50, at most.
pub const PAGE_BUFFERS_MAX: i64 = 500;

/// Plans are logged in one place for all databases: whoever reads them there is alone.
static LOG: Mutex<()> = Mutex::const_new(());

/// A table is large when it has more rows than this.
const LARGE_ROWS: f64 = 10_000.0;

/// Statements, by how their path begins, that may read a large table whole or are not a tenant's; each with its reason.
const EXCEPTED: &[(&str, &str)] = &[
    ("backup/", "the superuser's, of the whole database"),
    ("copies/", "a whole tenant, for a copy of it, and the owner's"),
    ("replica/", "the superuser's, of servers"),
    ("hosts/", "of a server"),
    ("cluster/", "the superuser's, while it makes roles and databases"),
    ("schema/", "of the catalogue"),
    ("tick/", "the scheduler's, over all tenants"),
    ("tenants/", "the owner's"),
    (
        "batches/moved",
        "looks through the minutes of a batch in the history, which are found for all tenants together",
    ),
    ("doctor/", "counts everything again, which is what it is for"),
    ("keys/sample", "takes some of every kind of secret, for a drill"),
    ("keys/stale", "goes through every secret, for a new data key"),
    ("keys/versions", "counts every secret, for a new data key"),
    ("imports/change_", "goes through a whole file"),
    ("imports/remove_", "goes through a whole file"),
    (
        "imports/resolve_content",
        "looks for many rows of a file at once among all content",
    ),
    (
        "imports/resolve_texts",
        "looks for many rows of a file at once among all texts",
    ),
];

/// Statements that may be planned in another way for a small tenant, each with its reason.
const BY_SIZE: &[(&str, &str)] = &[
    (
        "accounts/move.sql",
        "the accounts of a small tenant are no more than those to be moved",
    ),
    (
        "proxies/choose.sql",
        "a small tenant has few proxies: all that are shared, or those in their order, are as quickly read",
    ),
];

/// Statements that are planned for their parameters each time, since one serves many filters: a plan for any is not made, and
/// theirs are looked at where they are called, below.
const PLANNED_EACH_TIME: &[&str] = &[
    "accounts/list.sql",
    "accounts/count.sql",
    "accounts/matching.sql",
    "audit/list.sql",
    "content/list.sql",
    "proxies/list.sql",
    "proxies/candidates.sql",
    "texts/list.sql",
    "today/needs.sql",
    "today/stuck.sql",
];

/// Loads the rows, once for all tests of this file; gives the database.
pub async fn database() -> &'static str {
    static DATABASE: OnceCell<String> = OnceCell::const_new();
    DATABASE.get_or_init(|| loaded(ACCOUNTS[long()])).await
}

/// A database with rows of both tenants, in which the server logs every plan that is run, also those inside functions, with the
/// buffers that it touched.
async fn loaded(accounts: u32) -> String {
    let database = CLUSTER.database().await;
    let mut db = CLUSTER.superuser(&database).await;
    let settings = format!(
        "set session_replication_role = replica; set maintenance_work_mem = '256MB';
         set fixture.accounts = {accounts}; set fixture.events = 2"
    );
    db.execute(AssertSqlSafe(settings)).await.expect("settings");
    db.execute(include_str!("plans_fixture.sql"))
        .await
        .expect("the fixture");
    db.execute("vacuum (analyze)").await.expect("statistics");
    for (setting, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_format", "json"),
        ("auto_explain.log_nested_statements", "on"),
    ] {
        let sql = format!("alter role muster_app in database {database} set {setting} = '{value}'");
        db.execute(AssertSqlSafe(sql)).await.expect("a setting");
    }
    database
}

/// What of a tenant stands for the words in capitals of the lists and screens that are opened.
#[derive(sqlx::FromRow)]
pub struct Places {
    model: i64,
    proxy: i64,
    import: i64,
    account: i64,
}

impl Places {
    /// The active model with the most reviews, and the first account, proxy and import of this tenant that are in use.
    async fn of(app: &TestApp, tenant: TenantId) -> Self {
        sqlx::query_as(
            "select a.id as account, m.id as model, a.proxy_id as proxy, i.id as import
             from accounts a
             cross join lateral (
                 select i.id from imports i
                 where i.tenant_id = a.tenant_id and i.state = 'staged'
                     and exists (select from import_rows r where r.tenant_id = i.tenant_id and r.import_id = i.id)
                 order by i.id limit 1
             ) i
             cross join lateral (
                 select m.id from models m
                 join accounts r on r.tenant_id = m.tenant_id and r.model_id = m.id and r.lifecycle_state = 'human_review'
                 where m.tenant_id = a.tenant_id and m.status = 'active'
                 group by m.id order by count(*) desc, m.id limit 1
             ) m
             join proxies p on p.tenant_id = a.tenant_id and p.id = a.proxy_id
             where a.tenant_id = $1 and a.lifecycle_state = 'active'
                 and a.status = 'active' and p.status = 'active'
             order by a.id limit 1",
        )
        .bind(tenant.0)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("there are some of everything")
    }

    /// A list or a screen of them.
    pub fn fill(&self, path: &str) -> String {
        [
            ("MODEL", self.model),
            ("PROXY", self.proxy),
            ("IMPORT", self.import),
            ("ACCOUNT", self.account),
        ]
        .iter()
        .fold(path.to_owned(), |path, (word, id)| {
            path.replace(word, &id.to_string())
        })
    }
}

/// One place in a plan where a large table is read.
#[derive(Debug)]
struct Reading {
    table: String,
    /// The index, or none for a sequential scan.
    index: Option<String>,
    /// What the index is asked for, the tenant left out.
    sought: String,
    /// Whether a limit ends it early.
    limited: bool,
    /// How many rows are expected, or were read where that is more.
    rows: f64,
    /// What it says of the tenant.
    tenant: String,
}

/// The tables that are large, each partition by the name of its parent.
pub struct Large(BTreeMap<String, String>);

impl Large {
    pub async fn of(db: &mut PgConnection) -> Self {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select c.relname::text, coalesce(p.relname, c.relname)::text
             from pg_class c
             left join pg_inherits i on i.inhrelid = c.oid
             left join pg_class p on p.oid = i.inhparent
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.reltuples > $1::float8",
        )
        .bind(LARGE_ROWS)
        .fetch_all(db)
        .await
        .expect("the catalogue");
        Self(rows.into_iter().collect())
    }

    /// Every reading of a large table in a plan.
    fn readings(&self, plan: &Value) -> Vec<Reading> {
        let mut found = Vec::new();
        self.walk(plan, false, None, &mut found);
        found
    }

    fn walk(&self, node: &Value, limited: bool, heap: Option<&str>, found: &mut Vec<Reading>) {
        let text = |key: &str| node[key].as_str().unwrap_or_default();
        let number = |key: &str| node[key].as_f64().unwrap_or_default();
        let kind = text("Node Type");
        let relation = node["Relation Name"].as_str().or(heap);
        let limited = limited || kind == "Limit";
        let scans = matches!(
            kind,
            "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Index Scan"
        );
        if scans && let Some(table) = relation.and_then(|name| self.0.get(name)) {
            let condition = if kind == "Seq Scan" {
                text("Filter")
            } else {
                text("Index Cond")
            };
            let (tenant, sought): (Vec<_>, Vec<_>) = condition
                .split(" AND ")
                .filter(|part| !part.is_empty())
                .partition(|part| part.contains("tenant_id ="));
            found.push(Reading {
                table: table.clone(),
                index: node["Index Name"].as_str().map(str::to_owned),
                sought: sought.join(" and "),
                limited,
                rows: number("Plan Rows").max(number("Actual Rows") + number("Rows Removed by Filter")),
                tenant: tenant.join(" and "),
            });
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            // A limit reaches through what hands rows on one by one.
            let streams = matches!(
                kind,
                "Limit"
                    | "LockRows"
                    | "Result"
                    | "Subquery Scan"
                    | "Nested Loop"
                    | "Append"
                    | "Merge Append"
                    | "WindowAgg"
                    | "Incremental Sort"
                    | "Unique"
            );
            let heap = if kind.starts_with("Bitmap") {
                relation
            } else {
                None
            };
            self.walk(child, limited && streams, heap, found);
        }
    }
}

impl Reading {
    /// What is wrong with it.
    fn fault(&self) -> Option<String> {
        let Self { table, index, .. } = self;
        match index {
            None => Some(format!("reads {table} whole")),
            Some(index) if self.sought.is_empty() && !self.limited && self.rows > LARGE_ROWS => {
                Some(format!("reads all of a tenant's {table} by {index}"))
            }
            Some(_) => None,
        }
    }
}

/// Every `.sql` file of the server's that is a statement of a tenant's, by its path under `src`.
fn statements() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let name = path
                    .strip_prefix(root)
                    .expect("it is below")
                    .display()
                    .to_string();
                found.insert(name, std::fs::read_to_string(&path).expect("a file"));
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

/// A value for a parameter of this type: the tenant's where it is the tenant, nothing where it is optional and absent.
fn value(place: usize, kind: &str, tenant: i64, optional: bool) -> String {
    if place == 1 && kind == "bigint" {
        return tenant.to_string();
    }
    if optional {
        return "null".to_owned();
    }
    let sample = |kind: &str| match kind {
        "bigint" => "1400",
        "integer" => "50",
        "smallint" => "3",
        "double precision" => "60",
        "numeric" => "1",
        "boolean" => "true",
        "text" => "'active'",
        "jsonb" => "'{}'",
        "bytea" => "'\\x00'",
        "uuid" => "'00000000-0000-0000-0000-000000000007'",
        "date" => "current_date",
        "timestamp with time zone" => "now()",
        other => panic!("a parameter of the type {other}: say here what stands for one"),
    };
    match kind.strip_suffix("[]") {
        Some("bigint") => format!(
            "array{:?}::bigint[]",
            (1..=100).map(|n| n * 200).collect::<Vec<i64>>()
        ),
        Some(element) => format!("array_fill({}::{element}, array[100])", sample(element)),
        None => format!("{}::{kind}", sample(kind)),
    }
}

/// Explains a statement for a tenant, as the role that serves, with a plan for these parameters or for any.
async fn explain(db: &mut PgConnection, sql: &str, tenant: i64, mode: &str) -> Result<Value, sqlx::Error> {
    let mut tx = db.begin().await?;
    let setting = format!(
        "select set_config('muster.tenant_id', '{tenant}', true), set_config('plan_cache_mode', '{mode}', true)"
    );
    tx.execute(AssertSqlSafe(setting)).await?;
    tx.execute(AssertSqlSafe(format!("prepare asked as {sql}")))
        .await?;
    let kinds: Vec<String> =
        sqlx::query_scalar("select parameter_types::text[] from pg_prepared_statements where name = 'asked'")
            .fetch_one(&mut *tx)
            .await?;
    let values = kinds.iter().enumerate().map(|(n, kind)| {
        let place = n + 1;
        // Written as `$3::text is null or ...`: a qualifier that can be absent.
        let optional = sql.contains(&format!("${place}::{kind} is null or"))
            || sql.contains(&format!("${place}::timestamptz is null or"));
        value(place, kind, tenant, optional)
    });
    let values = values.collect::<Vec<_>>().join(", ");
    let call = if values.is_empty() {
        "asked".to_owned()
    } else {
        format!("asked({values})")
    };
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(format!("explain (format json) execute {call}")))
        .fetch_one(&mut *tx)
        .await?;
    tx.execute("deallocate asked").await?;
    tx.rollback().await?;
    Ok(plan[0]["Plan"].clone())
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_keys_and_alike_for_a_large_and_a_small_tenant() {
    let database = database().await;
    let large = Large::of(&mut CLUSTER.superuser(database).await).await;
    let options = CLUSTER.options("muster_app", database);
    let mut db = PgConnection::connect_with(&options)
        .await
        .expect("the serving role");
    let mut faults = BTreeSet::new();
    for (file, sql) in statements() {
        let excepted = EXCEPTED.iter().any(|(prefix, _)| file.starts_with(prefix));
        if excepted || PLANNED_EACH_TIME.contains(&file.as_str()) {
            continue;
        }
        let mut found = BTreeSet::new();
        let mut plans = Vec::new();
        for tenant in [1, 2] {
            for mode in ["force_generic_plan", "force_custom_plan"] {
                let plan = explain(&mut db, &sql, tenant, mode)
                    .await
                    .unwrap_or_else(|error| panic!("{file}: {error}"));
                let readings = large.readings(&plan);
                found.extend(readings.iter().filter_map(Reading::fault));
                if mode == "force_custom_plan" {
                    // With its parameters known, what only row-level security says of the tenant is a parameter still.
                    let forgets = readings
                        .iter()
                        .filter(|reading| !reading.tenant.contains("'::bigint)"));
                    found.extend(
                        forgets.map(|reading| format!("does not say whose {} it means", reading.table)),
                    );
                    let ways = readings.into_iter().map(|reading| (reading.table, reading.index));
                    plans.push(ways.collect::<BTreeSet<_>>());
                }
            }
        }
        if plans[0] != plans[1] && !BY_SIZE.iter().any(|(excepted, _)| file == *excepted) {
            found.insert(format!("is planned by size: {:?}, and {:?}", plans[0], plans[1]));
        }
        faults.extend(found.into_iter().map(|fault| format!("{file} {fault}")));
    }
    assert!(faults.is_empty(), "{:#?}", faults);
}

/// Whatever was planned and run on the database since `from`, as the server logged it: its text and its plan.
fn logged(from: u64) -> Vec<(String, Value)> {
    let mut log = std::fs::File::open(CLUSTER.socket.join("log")).expect("the server's log");
    log.seek(SeekFrom::Start(from)).expect("so far");
    let mut text = String::new();
    log.read_to_string(&mut text).expect("text");
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(more.trim_start_matches('\t'));
            json.push('\n');
        }
        let entry: Value = match serde_json::from_str(&json) {
            Ok(entry) => entry,
            // Still being written, of another test: this one's statements have been answered.
            Err(_) if lines.peek().is_none() => break,
            Err(error) => panic!("{error}: {json}"),
        };
        let text = entry["Query Text"].as_str().unwrap_or_default().to_owned();
        // Logged though it was only explained.
        if text.starts_with("prepare asked") {
            continue;
        }
        found.push((text, entry["Plan"].clone()));
    }
    found
}

pub fn log_end() -> u64 {
    std::fs::metadata(CLUSTER.socket.join("log"))
        .expect("the server's log")
        .len()
}

/// Shared buffers that a plan touched.
fn buffers(plan: &Value) -> i64 {
    plan["Shared Hit Blocks"].as_i64().unwrap_or(0) + plan["Shared Read Blocks"].as_i64().unwrap_or(0)
}

/// A server on the loaded database.
async fn served() -> TestApp {
    TestApp::start_on(database().await.to_owned(), ServeSettings::default()).await
}

/// Statements, by how they begin, whose buffers are bounded by something else.
pub const BUFFERS_EXCEPTED: &[(&str, &str)] = &[
    (
        "-- Gives the bots of the tenant",
        "counts the leases that bots hold now: as many as they work at, however many accounts there are",
    ),
    (
        "-- What happened from $3 to $4, and from $2 until then",
        "adds up the days of each model: by the number of models, however many accounts there are",
    ),
];

/// Statements, by how they begin, that may read all of a tenant's rows in an index.
const WHOLE_EXCEPTED: &[(&str, &str)] = &[(
    "-- Counts the accounts of a tenant that are held back",
    "of an index of nothing but held accounts, and only while that costs less than a thousand looks; its buffers are bounded",
)];

/// Checks what was run since `from`: gives the most buffers that each statement touched, by its first line.
pub fn examine(large: &Large, from: u64, faults: &mut BTreeSet<String>) -> BTreeMap<String, i64> {
    let mut most = BTreeMap::<String, i64>::new();
    for (text, plan) in logged(from) {
        let statement = text.trim_start().lines().next().unwrap_or_default().to_owned();
        let excepted = WHOLE_EXCEPTED.iter().any(|(text, _)| statement.starts_with(text));
        faults.extend(
            large
                .readings(&plan)
                .iter()
                .filter(|reading| reading.index.is_none() || !excepted)
                .filter_map(Reading::fault)
                .map(|fault| format!("{statement}: {fault}")),
        );
        let touched = most.entry(statement).or_default();
        *touched = buffers(&plan).max(*touched);
    }
    most
}

#[tokio::test]
async fn neither_a_page_nor_a_change_reads_a_table_whole_and_a_page_touches_few_buffers() {
    let _alone = LOG.lock().await;
    let app = served().await;
    let (small, small_owner) = app.other_tenant().await;
    assert_eq!(
        (app.tenant, small),
        (TenantId(1), TenantId(2)),
        "the tenants of the fixture"
    );
    let mut faults = look(&app, small, &small_owner, "planned").await;
    if !faults.is_empty() {
        // Statistics are of a sample: what is at fault is so with another one too.
        println!("looked at again: {faults:#?}");
        let mut db = app.superuser().await;
        db.execute("vacuum (analyze)").await.expect("statistics");
        faults = look(&app, small, &small_owner, "planned again").await;
    }
    if long() == 1 {
        unwatched(&app).await;
        slow(&app, &Places::of(&app, app.tenant).await, &mut faults).await;
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The planner takes every tenant for as large as the mean of them: where there are many small ones, it would rather read all of
/// one's rows than look for a few keys.
#[tokio::test]
async fn a_change_of_a_large_tenant_beside_many_small_ones_reads_none_of_its_tables_whole() {
    let _alone = LOG.lock().await;
    let database = loaded(40_000).await;
    let mut db = CLUSTER.superuser(&database).await;
    db.execute(include_str!("plans_tenants.sql"))
        .await
        .expect("tenants");
    db.execute("vacuum (analyze)").await.expect("statistics");
    let app = TestApp::start_on(database, ServeSettings::default()).await;
    let large = Large::of(&mut db).await;
    let places = Places::of(&app, app.tenant).await;
    let (mut faults, from) = (BTreeSet::new(), log_end());
    change(&app, &places, "planned").await;
    examine(&large, from, &mut faults);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Asks for everything, and changes something of everything as a bot of this name; gives what is at fault.
async fn look(app: &TestApp, small: TenantId, small_owner: &Caller, bot: &str) -> BTreeSet<String> {
    let large = Large::of(&mut app.superuser().await).await;
    let mut faults = BTreeSet::new();
    let places = Places::of(app, app.tenant).await;
    for (caller, places) in [
        (&app.owner, &places),
        (small_owner, &Places::of(app, small).await),
    ] {
        for list in LISTS {
            let list = places.fill(list);
            let from = log_end();
            browse(caller, &list).await;
            let most = examine(&large, from, &mut faults);
            for (statement, touched) in most {
                let excepted = BUFFERS_EXCEPTED
                    .iter()
                    .any(|(text, _)| statement.starts_with(text));
                if touched > PAGE_BUFFERS_MAX && !excepted {
                    faults.insert(format!("{list}: {touched} buffers: {statement}"));
                }
            }
        }
    }
    screens(app, &places, &large, &mut faults).await;
    let from = log_end();
    change(app, &places, bot).await;
    examine(&large, from, &mut faults);
    faults
}

/// From now on plans are not logged: connections are made anew, without what logs them.
async fn unwatched(app: &TestApp) {
    let sql = format!(
        "alter role muster_app in database {} reset session_preload_libraries;
         select pg_terminate_backend(pid) from pg_stat_activity
         where usename = 'muster_app' and datname = current_database()",
        database().await
    );
    app.superuser()
        .await
        .execute(AssertSqlSafe(sql))
        .await
        .expect("a setting");
    // Whoever gets one of the old ones is refused.
    let mut good = 0;
    while good < app.app.settings.connections {
        let ready = app.owner.get("/readyz").await.status == 200;
        good = if ready { good + 1 } else { 0 };
    }
}

/// Does a bit of everything that changes accounts, models, proxies and the queue.
async fn change(app: &TestApp, places: &Places, name: &str) {
    let (bot_id, bot) = app.bot(name).await;
    let claim = async |max: u32| {
        let claimed = bot
            .post("/v1/work/claim", json!({ "max": max }))
            .await
            .expect(200);
        let leases = claimed["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["lease"].clone());
        leases.collect::<Vec<_>>()
    };
    for max in [1, 100] {
        let leases = claim(max).await;
        assert!(!leases.is_empty(), "there is work");
        let results: Vec<_> = leases
            .iter()
            .enumerate()
            .map(|(n, lease)| {
                let outcome = ["completed", "failed", "requires_review"][n % 3];
                json!({"lease": lease, "outcome": outcome, "error": (n % 3 > 0).then_some("as planned")})
            })
            .collect();
        for _ in 0..2 {
            bot.post("/v1/work/report", json!({ "results": results }))
                .await
                .expect(200);
        }
        let leases = claim(max).await;
        bot.post("/v1/work/extend", json!({ "leases": leases }))
            .await
            .expect(200);
        bot.post("/v1/work/release", json!({ "leases": leases }))
            .await
            .expect(200);
    }
    claim(50).await;
    app.run(&format!(
        "update work_queue set leased_until = now() where state = 'leased' and bot_id = {bot_id}"
    ))
    .await;
    app.reap().await;
    app.fold().await;
    app.owner.post("/v1/metrics/rollup", json!({})).await.expect(200);
    let owner = &app.owner;
    for (path, status) in [
        ("/v1/models/MODEL", "paused"),
        ("/v1/proxies/PROXY", "inactive"),
        ("/v1/accounts/ACCOUNT", "suspended"),
    ] {
        let path = &places.fill(path);
        owner.patch(path, json!({ "status": status })).await.expect(200);
        owner.patch(path, json!({ "status": "active" })).await.expect(200);
    }
    let content =
        json!({"model_id": places.model, "content_type": "pfp", "image_url": "https://example.com/1.jpg"});
    owner.post("/v1/content", content).await.expect(201);
    let text = json!({"model_id": places.model, "content_type": "bio", "text_content": "a text"});
    owner.post("/v1/texts", text).await.expect(201);
    let reviews = owner
        .get("/v1/reviews?limit=20&filter=kind:finished")
        .await
        .expect(200);
    let ids: Vec<_> = reviews["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|review| review["account"]["id"].clone())
        .collect();
    let decisions = json!({"ids": ids, "decision": "reject", "reason": "as planned"});
    owner.post("/v1/reviews", decisions).await.expect(200);
}
