//! `docs/seed-conformance.md` says what became of everything that the seed names; here that page is read against the seed's
//! names and the live database.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::support::CLUSTER;

// The names of the seed, taken from it once.
#[rustfmt::skip]
const TABLES: &[&str] = &[
    "models", "accounts", "proxies", "model_content", "text_pools", "warmup_step_logs", "account_state_history",
    "daily_metrics",
];
/// Each table with its columns.
#[rustfmt::skip]
const COLUMNS: &[(&str, &str)] = &[
    ("models", "\
        id name description status unfollow_ratio daily_follow_limit posting_schedule total_accounts \
        active_accounts created_at updated_at"),
    ("accounts", "\
        id username email password_encrypted status model_id assigned_at lifecycle_state warmup_step \
        warmup_started_at warmup_completed_at proxy_id proxy_assigned_at last_bot_action_by last_bot_action_at \
        requires_human_review last_error_message last_error_at retry_count bio profile_picture_url location_city \
        location_campus location_niche birthday device_info content_type created_at updated_at"),
    ("proxies", "\
        id ip port username password_encrypted provider location monthly_cost status assigned_model_id \
        account_count max_accounts created_at updated_at last_tested_at last_error_message"),
    ("model_content", "\
        id model_id content_type image_url text_content is_template order_priority usage_count created_at \
        created_by success_rate last_used_at"),
    ("text_pools", "\
        id model_id content_type text_content is_template usage_count success_rate last_used_at created_at \
        created_by"),
    ("warmup_step_logs", "\
        id account_id step_number step_name started_at completed_at status bot_id bot_session_id content_used \
        error_message error_details retry_count execution_time_ms instagram_response"),
    ("account_state_history", "\
        id account_id from_state to_state transition_reason triggered_by bot_id user_id metadata created_at"),
    ("daily_metrics", "\
        id date model_id total_accounts active_accounts warming_up_accounts failed_accounts step_1_success_rate \
        step_2_success_rate step_3_success_rate step_4_success_rate step_5_success_rate active_proxies \
        proxy_utilization_rate bot_actions bot_errors average_execution_time_ms"),
];
#[rustfmt::skip]
const INDEXES: &[&str] = &[
    "idx_models_status", "idx_models_created_at", "idx_accounts_username", "idx_accounts_model_id",
    "idx_accounts_lifecycle_state", "idx_accounts_warmup_step", "idx_accounts_proxy_id",
    "idx_accounts_requires_review", "idx_accounts_last_bot_action", "idx_accounts_status", "idx_proxies_status",
    "idx_proxies_assigned_model", "idx_proxies_account_count", "idx_proxies_location",
    "idx_model_content_model_id", "idx_model_content_type", "idx_model_content_template",
    "idx_model_content_usage", "idx_text_pools_model_id", "idx_text_pools_content_type",
    "idx_text_pools_template", "idx_text_pools_usage", "idx_warmup_logs_account_id",
    "idx_warmup_logs_step_number", "idx_warmup_logs_status", "idx_warmup_logs_bot_id",
    "idx_warmup_logs_started_at", "idx_warmup_logs_failed", "idx_state_history_account_id",
    "idx_state_history_to_state", "idx_state_history_created_at", "idx_state_history_triggered_by",
    "idx_daily_metrics_date", "idx_daily_metrics_model_id", "idx_accounts_dashboard", "idx_warmup_progress",
    "idx_proxy_availability", "idx_bot_next_task", "idx_bot_content_lookup",
];
/// Called by what they say, where the seed does not name them.
#[rustfmt::skip]
const CONSTRAINTS: &[&str] = &[
    "models.id primary key",
    "models.status check",
    "models.unfollow_ratio check",
    "models.daily_follow_limit check",
    "accounts.id primary key",
    "accounts.username unique",
    "accounts.status check",
    "accounts.model_id references models",
    "accounts.lifecycle_state check",
    "accounts.warmup_step check",
    "accounts.proxy_id references proxies",
    "proxies.id primary key",
    "proxies.port check",
    "proxies.monthly_cost check",
    "proxies.status check",
    "proxies.assigned_model_id references models",
    "proxies.account_count check",
    "proxies.max_accounts check",
    "proxies unique (ip, port)",
    "model_content.id primary key",
    "model_content.model_id references models",
    "model_content.content_type check",
    "text_pools.id primary key",
    "text_pools.model_id references models",
    "text_pools.content_type check",
    "warmup_step_logs.id primary key",
    "warmup_step_logs.account_id references accounts",
    "warmup_step_logs.step_number check",
    "warmup_step_logs.step_name check",
    "warmup_step_logs.status check",
    "warmup_step_logs unique (account_id, step_number)",
    "account_state_history.id primary key",
    "account_state_history.account_id references accounts",
    "account_state_history.triggered_by check",
    "daily_metrics.id primary key",
    "daily_metrics.model_id references models",
    "daily_metrics unique (date, model_id)",
    "check_proxy_capacity",
    "check_step_sequence",
];
#[rustfmt::skip]
const TRIGGERS: &[&str] = &[
    "trigger_proxy_account_count", "trigger_account_state_history", "update_proxy_account_count",
    "log_account_state_change",
];

/// For each index of the seed that was dropped: a query that it was for. The database is asked which index serves it now.
const SERVED: &[(&str, &str)] = &[
    ("idx_accounts_warmup_step",
        "select account_id from work_queue where tenant_id = 1 and state = 'ready' and not for_people and step = 3"),
    ("idx_accounts_last_bot_action",
        "select distinct account_id from warmup_step_logs where tenant_id = 1 and started_at RECENT
         and bot_id is not null"),
    ("idx_warmup_logs_account_id", "select status from warmup_step_logs where tenant_id = 1 and account_id = 7"),
    ("idx_warmup_logs_step_number",
        "select account_id from warmup_step_logs where tenant_id = 1 and started_at RECENT
         and step_number = 3"),
    ("idx_warmup_logs_status",
        "select account_id from warmup_step_logs where tenant_id = 1 and status = 'failed' and started_at RECENT
         and status <> 'completed'"),
    ("idx_warmup_logs_bot_id",
        "select account_id from warmup_step_logs where tenant_id = 1 and bot_id = 3 and started_at RECENT"),
    ("idx_state_history_account_id", "select to_state from account_state_history where tenant_id = 1 and account_id = 7"),
    ("idx_state_history_triggered_by",
        "select account_id from account_state_history where tenant_id = 1 and triggered_by = 'bot'
         and created_at RECENT"),
    ("idx_state_history_to_state",
        "select account_id from account_state_history where tenant_id = 1 and to_state = 'human_review' and created_at RECENT"),
    ("idx_warmup_progress",
        "select status from warmup_step_logs where tenant_id = 1 and account_id = 7 and step_number = 3"),
    ("idx_bot_next_task",
        "select account_id from work_queue where tenant_id = 1 and state = 'ready' and not for_people and step = 2
         order by run_at limit 20"),
];

/// The last minutes of the rows below, which end in the middle of a month, whatever the day.
const RECENT: &str = "between date_trunc('month', now()) + interval '15 days' - interval '5 minutes'
    and date_trunc('month', now()) + interval '15 days'";

/// Enough rows for the planner to care, in the order in which they would arrive.
const ROWS: &str = "
    set session_replication_role = replica;
    insert into tenants (id, name) overriding system value values (1, 'one'), (2, 'two');
    insert into accounts (tenant_id, username, email, lifecycle_state, warmup_started_at, warmup_completed_at,
            authorisation_basis, proxy_id)
        select 1 + n % 2, 'u' || n, 'e', case when n % 20 = 0 then 'warming_up' else 'active' end, now(),
            case when n % 20 <> 0 then now() end, 'owned', n
        from generate_series(1, 10000) n;
    insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status, bot_id)
        select 1 + n % 2, n % 5000, n, date_trunc('month', now()) + interval '15 days' - (40000 - n) * interval '1 s', now(), 1 + n % 5,
            (array['change_pfp', 'change_bio', 'post_highlight', 'post_story', 'post_post'])[1 + n % 5],
            case when n % 50 = 0 then 'failed' else 'completed' end, n % 10
        from generate_series(1, 40000) n;
    insert into account_state_history (tenant_id, account_id, created_at, event, from_state, to_state, triggered_by)
        select 1 + n % 2, n % 5000, date_trunc('month', now()) + interval '15 days' - (40000 - n) * interval '1 s', 'flag', 'active', 'human_review',
            case when n % 3 = 0 then 'bot' else 'user' end
        from generate_series(1, 40000) n;
    insert into work_queue (tenant_id, account_id, step, state, authorised_until)
        select 1 + n % 2, n, 1 + n % 5, case when n % 10 = 0 then 'ready' else 'idle' end, 'infinity'
        from generate_series(1, 10000) n;
    analyze";

/// One row of the page.
#[derive(Debug)]
struct Row {
    section: String,
    verdict: String,
    now: String,
    why: String,
}

/// The rows of the page by the seed's name; a name that comes twice fails.
fn page() -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/seed-conformance.md"
    ))
    .expect("the page");
    let (mut rows, mut section) = (BTreeMap::new(), String::new());
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        if !line.starts_with("| `") {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, verdict, now, why] = cells[..] else {
            panic!("four columns: {line}")
        };
        let row = Row {
            section: section.clone(),
            verdict: verdict.to_owned(),
            now: now.trim_matches('`').to_owned(),
            why: why.to_owned(),
        };
        let twice = rows.insert(name.trim_matches('`').to_owned(), row);
        assert!(twice.is_none(), "{name} is there twice");
    }
    rows
}

/// Everything that the seed names, with the section it belongs to.
fn seed() -> BTreeMap<String, &'static str> {
    let columns = COLUMNS.iter().flat_map(|(table, columns)| {
        columns
            .split_whitespace()
            .map(move |column| (format!("{table}.{column}"), "Columns"))
    });
    let lists = [
        (TABLES, "Tables"),
        (INDEXES, "Indexes"),
        (CONSTRAINTS, "Constraints"),
        (TRIGGERS, "Triggers and functions"),
    ];
    let named = lists
        .into_iter()
        .flat_map(|(names, section)| names.iter().map(move |name| ((*name).to_owned(), section)));
    columns.chain(named).collect()
}

async fn names(db: &mut PgConnection, sql: &'static str) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(db).await.expect("the catalogue");
    rows.into_iter().collect()
}

#[test]
fn every_name_of_the_seed_is_on_the_page_once_and_nothing_else() {
    let (page, seed) = (page(), seed());
    assert_eq!(
        seed.len(),
        8 + 120 + 39 + 39 + 4,
        "the names of the seed are data: they do not change"
    );
    for (name, section) in &seed {
        let row = page
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing from the page's section {section}"));
        assert_eq!(row.section, *section, "{name}");
        assert!(
            matches!(row.verdict.as_str(), "kept" | "widened" | "replaced"),
            "{name}: {}",
            row.verdict
        );
        assert!(
            row.verdict != "replaced" || !row.why.is_empty(),
            "{name} is replaced: say why"
        );
    }
    let unknown: Vec<_> = page.keys().filter(|name| !seed.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "not names of the seed: {unknown:?}");
}

#[tokio::test]
async fn what_the_page_names_is_in_the_database() {
    let mut db = CLUSTER.superuser("template_muster").await;
    let columns = names(
        &mut db,
        "select c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
         from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped",
    )
    .await;
    let objects = names(
        &mut db,
        "select relname::text, 'Tables' from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
         union all select relname, 'Indexes' from pg_class where relnamespace = 'public'::regnamespace and relkind in ('i', 'I')
             and relname not in (select conname from pg_constraint)
         union all select conname, 'Constraints' from pg_constraint where connamespace = 'public'::regnamespace and conparentid = 0
         union all select tgname, 'Triggers and functions' from pg_trigger where not tgisinternal
         union all select proname, 'Triggers and functions' from pg_proc where pronamespace = 'public'::regnamespace",
    )
    .await;
    for (name, row) in page() {
        if row.verdict == "replaced" {
            let there = columns.contains_key(&row.now) || objects.contains_key(&row.now);
            assert!(there, "{name} is replaced by {}, which does not exist", row.now);
        } else if row.section == "Columns" {
            assert_eq!(columns.get(&name), Some(&row.now), "the type of {name}");
        } else {
            // A constraint that the seed leaves unnamed has the name that the page gives.
            assert_eq!(
                objects.get(&row.now),
                Some(&row.section),
                "{name} is to be there as {}",
                row.now
            );
            assert!(
                row.section == "Constraints" || row.now == name,
                "{name} is not kept under its name, but as {}",
                row.now
            );
        }
    }
}

#[tokio::test]
async fn the_queries_of_dropped_indexes_are_served_by_those_the_page_names() {
    let database = CLUSTER.database().await;
    let mut db = CLUSTER.superuser(&database).await;
    db.execute(ROWS).await.expect("rows");
    db.execute("set enable_seqscan = off").await.expect("set");
    let page = page();
    let dropped: Vec<_> = page
        .iter()
        .filter(|(_, row)| row.section == "Indexes" && row.verdict == "replaced")
        .map(|(name, _)| name.as_str())
        .collect();
    let mut served: Vec<_> = SERVED.iter().map(|(index, _)| *index).collect();
    served.sort_unstable();
    assert_eq!(served, dropped, "each dropped index has a query here");
    for (index, query) in SERVED {
        let query = query.replace("RECENT", RECENT);
        let plan: serde_json::Value =
            sqlx::query_scalar(AssertSqlSafe(format!("explain (format json) {query}")))
                .fetch_one(&mut db)
                .await
                .unwrap_or_else(|error| panic!("{query}: {error}"));
        let mut used = Vec::new();
        indexes_of(&plan, &mut used);
        let roots: Vec<String> = sqlx::query_scalar(
            "select distinct coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::regclass::text
             from unnest($1::text[]) n join pg_index i on i.indexrelid = n::regclass join pg_class t on t.oid = i.indrelid
             where t.reltuples > 0",
        )
        .bind(&used)
        .fetch_all(&mut db)
        .await
        .expect("the indexes, by the names of the parents, of the partitions that hold anything");
        assert_eq!(
            roots,
            [page[*index].now.as_str()],
            "what serves {query}\n{plan:#}"
        );
    }
}

/// The names of the indexes in a plan.
fn indexes_of(plan: &serde_json::Value, found: &mut Vec<String>) {
    match plan {
        serde_json::Value::Object(fields) => {
            found.extend(
                fields
                    .get("Index Name")
                    .and_then(|name| name.as_str())
                    .map(str::to_owned),
            );
            fields.values().for_each(|value| indexes_of(value, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| indexes_of(item, found)),
        _ => {}
    }
}
