//! Old months of history and step log are dropped only when they are in a backup that is known to be good.

use muster::{config::ServeSettings, tick};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::support::{CLUSTER, TestApp, value};

/// A server that keeps a year, with accounts that did something 8 and 14 months ago, and nothing since.
async fn aged() -> TestApp {
    let app = TestApp::start_with(ServeSettings {
        history_months: Some(12),
        ..ServeSettings::default()
    })
    .await;
    app.warm_accounts(4).await;
    let (_, bot) = app.bot("bot").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 4})).await.expect(200);
    let results: Vec<_> = claimed["items"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|item| json!({"lease": item["lease"], "outcome": "completed", "execution_time_ms": 5}))
        .collect();
    bot.post("/v1/work/report", json!({"results": results}))
        .await
        .expect(200);
    app.fold().await;
    app.run(
        "select make_partition(t, (date_trunc('month', now() at time zone 'utc') - make_interval(months => m))::date)
         from unnest('{account_state_history,warmup_step_logs}'::text[]) t, unnest('{8,14}'::integer[]) m;
         set session_replication_role = replica;
         update account_state_history
         set created_at = created_at - make_interval(months => case when account_id <= 2 then 14 else 8 end);
         update warmup_step_logs
         set started_at = started_at - make_interval(months => case when account_id <= 2 then 14 else 8 end);
         update accounts
         set state_changed_at = state_changed_at - make_interval(months => case when id <= 2 then 14 else 8 end)",
    )
    .await;
    app.owner
        .post(
            "/v1/metrics/rollup",
            json!({"from": day(&app, 15).await, "to": day(&app, 0).await}),
        )
        .await
        .expect(200);
    app
}

async fn day(app: &TestApp, months_ago: i32) -> String {
    let sql =
        format!("select ((now() at time zone 'utc')::date - make_interval(months => {months_ago}))::date");
    app.look(sql).await.expect("a day")
}

/// Writes down a drill.
async fn drilled(app: &TestApp, good: bool, recovered_hours_ago: i32) {
    let faults = if good { "{}" } else { "{damaged}" };
    app.run(format!(
        "insert into backup_runs (event, started_at, ended_at, good, faults, recovery_point)
         values ('drill', clock_timestamp(), clock_timestamp(), {good}, '{faults}', now() - make_interval(hours => {recovered_hours_ago}))"
    ))
    .await;
}

async fn dropped(app: &TestApp) -> u64 {
    tick::drop_partitions(&app.app, &app.scheduler().await)
        .await
        .expect("it looks")
}

/// But for those of the tests' own PostgreSQL, which is neither backed up nor durable.
async fn findings(app: &TestApp) -> Vec<String> {
    let said = app.owner.get("/v1/doctor").await.expect(200);
    let codes = said["findings"].as_array().expect("findings").iter();
    let codes = codes.map(|finding| {
        format!(
            "{} {}",
            finding["code"].as_str().expect("a code"),
            finding["count"]
        )
    });
    codes
        .filter(|code| !code.starts_with("backups") && !code.starts_with("settings"))
        .collect()
}

#[tokio::test]
async fn old_months_wait_for_a_drill_that_found_their_backup_good() {
    let app = aged().await;
    let metrics = "select coalesce(sum(attempts), 0) from daily_step_metrics where model_id is null";
    let counted: i64 = value(&app, metrics).await;
    assert_eq!(counted, 4);

    assert_eq!(dropped(&app).await, 0, "there is no backup");
    assert_eq!(findings(&app).await, ["retention 2"]);
    drilled(&app, true, 27).await;
    assert_eq!(dropped(&app).await, 0, "the last good one is old");
    drilled(&app, true, 0).await;
    drilled(&app, false, 0).await;
    assert_eq!(dropped(&app).await, 0, "the last one was not good");
    assert_eq!(findings(&app).await, ["retention 2"]);

    drilled(&app, true, 0).await;
    assert_eq!(findings(&app).await, [""; 0], "now they wait for nothing");
    assert_eq!(dropped(&app).await, 2);
    let left: (i64, i64) = sqlx::query_as(
        "select (select count(distinct account_id) from account_state_history), (select count(*) from warmup_step_logs)",
    )
    .fetch_one(&mut app.superuser().await)
    .await
    .expect("what is left");
    assert_eq!(left, (2, 2), "what is younger is kept");
    assert_eq!(dropped(&app).await, 0, "there is nothing more to drop");
    assert_eq!(findings(&app).await, [""; 0], "what was dropped is not missed");

    // Nor is it counted as nothing.
    app.owner
        .post(
            "/v1/metrics/rollup",
            json!({"from": day(&app, 15).await, "to": day(&app, 0).await}),
        )
        .await
        .expect(200);
    let counted: i64 = value(&app, metrics).await;
    assert_eq!(counted, 4, "the days before stay as they were counted");
}

#[tokio::test]
async fn everything_is_kept_where_nothing_is_said() {
    let app = aged().await;
    drilled(&app, true, 0).await;
    let mut keeps = app.app.clone();
    keeps.settings = std::sync::Arc::new(ServeSettings::default());
    assert_eq!(
        tick::drop_partitions(&keeps, &app.scheduler().await)
            .await
            .expect("it looks"),
        0
    );
    let refused = sqlx::query("select drop_partitions(2)")
        .execute(
            &mut app
                .scheduler()
                .await
                .connection()
                .await
                .expect("the timer's role"),
        )
        .await
        .expect_err("three months are the least");
    assert!(refused.to_string().contains("at least three months"), "{refused}");
}

/// The statements of the runbook, for whose PostgreSQL Muster makes no backups.
#[tokio::test]
async fn old_months_are_dropped_by_hand_as_the_runbook_says() {
    let app = aged().await;
    let page = include_str!("../../../../docs/operate.md");
    let (_, statements) = page.split_once("```sql\ndrop table").expect("they are there");
    let (statements, _) = statements.split_once("```").expect("they end");
    let month = "select to_char(now() at time zone 'utc' - make_interval(months => 14), 'YYYY_MM')";
    let after = "select to_char(now() at time zone 'utc' - make_interval(months => 13), 'YYYY-MM-01')";
    let statements = format!("drop table{statements}")
        .replace("2026_01", &app.look(month).await.expect("a month"))
        .replace("2026-02-01", &app.look(after).await.expect("a day"));
    let owner = CLUSTER.options("muster_owner", &app.database);
    let mut db = PgConnection::connect_with(&owner)
        .await
        .expect("the owner's role");
    db.execute(AssertSqlSafe(statements))
        .await
        .expect("they are dropped");
    drilled(&app, true, 0).await;
    assert_eq!(findings(&app).await, [""; 0], "what was dropped is not missed");
}
