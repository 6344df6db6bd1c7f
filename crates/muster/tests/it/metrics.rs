//! The rollup of metrics: what is stored of a day is what happened on it, however often, in whatever order and by how many it is
//! counted.

use chrono::Utc;
use muster::{actor::Actor, metrics, tick};
use muster_wire::{Role, TenantId, metrics::Rollup};
use proptest::{prelude::*, strategy::ValueTree};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;

/// Every row of the metrics, as text.
async fn stored(app: &TestApp) -> String {
    app.look(
        "select coalesce(string_agg(r, E'\\n' order by r), '') from (
            select 'day ' || (to_jsonb(d) - 'id' - 'counted_at')::text from daily_metrics d
            union all select 'step ' || to_jsonb(s)::text from daily_step_metrics s
            union all select 'failure ' || to_jsonb(f)::text from daily_failures f) x (r)",
    )
    .await
    .unwrap_or_default()
}

/// What the step log and the history say, counted without a thought of speed: the same rows as the rollup's, but for their rest.
async fn counted(app: &TestApp) -> Vec<Option<String>> {
    let day = "(started_at at time zone 'utc')::date";
    let of = |rows: &str| {
        format!(
            "select coalesce(jsonb_agg(to_jsonb(x) order by x.tenant_id, x.date, x.model_id nulls first, x.step_number), '[]')
             from ({rows}) x"
        )
    };
    let attempts = |model: &str, among: &str| {
        format!(
            "select tenant_id, {day} as date, {model} as model_id, step_number, count(*) as attempts,
                sum((status = 'completed')::int) as completed,
                sum((status = 'failed')::int) as failed, sum((status = 'requires_review')::int) as given_to_people,
                sum((status = 'failed' and completed_at is null)::int) as unreported,
                sum((bot_id is not null)::int) as bot_actions,
                sum((bot_id is not null and status <> 'completed')::int) as bot_errors,
                sum((bot_id is not null and execution_time_ms is not null)::int) as timed,
                sum(case when bot_id is not null then coalesce(execution_time_ms, 0) else 0 end) as time_ms
             from warmup_step_logs where {among} group by 1, 2, 3, 4"
        )
    };
    let all = format!(
        "{} union all {}",
        attempts("null::bigint", "true"),
        attempts("model_id", "model_id in (select id from models)")
    );
    let stored = "select * from daily_step_metrics";
    let mut found = vec![app.look(of(&all)).await, app.look(of(stored)).await];
    let failures = format!(
        "select coalesce(jsonb_object_agg(k, n), '{{}}') from (
            select {day} || ' ' || step_number || ' ' || translate(error_message, '0123456789', '##########') as k, count(*) as n
            from warmup_step_logs where status <> 'completed' group by 1) x"
    );
    let stored =
        "select coalesce(jsonb_object_agg(date || ' ' || step_number || ' ' || cause, failures), '{}')
        from daily_failures where model_id is null";
    found.extend([app.look(failures).await, app.look(stored).await]);
    let history = "select coalesce(jsonb_agg(to_jsonb(x) order by x.date), '[]') from (
        select (created_at at time zone 'utc')::date as date,
            sum((event = 'finish_warmup')::int) as finished, count(distinct account_id) filter (where event = 'escalate') as failed,
            sum((event = 'approve')::int) as approved, sum((event = 'resume')::int) as resumed,
            sum((event = 'retire' and from_state = 'human_review')::int) as rejected
        from account_state_history h group by 1
        having bool_or(event in ('finish_warmup', 'escalate', 'approve', 'resume')
            or (event = 'retire' and from_state = 'human_review'))) x";
    let stored = "select coalesce(jsonb_agg(to_jsonb(x) order by x.date), '[]') from (
        select date, warmups_finished as finished, failed_accounts as failed, reviews_approved as approved,
            reviews_resumed as resumed, reviews_rejected as rejected
        from daily_metrics
        where model_id is null and warmups_finished + failed_accounts + reviews_approved + reviews_resumed + reviews_rejected > 0) x";
    found.extend([app.look(history).await, app.look(stored).await]);
    found
}

async fn roll_up(app: &TestApp) {
    tick::roll_up_metrics(&app.app, &app.scheduler().await)
        .await
        .expect("it rolls up");
}

/// Counts everything again, whatever was counted before.
async fn roll_up_all(app: &TestApp) {
    let today = Utc::now().date_naive();
    let from = today - chrono::Days::new(40);
    app.owner
        .post("/v1/metrics/rollup", json!({"from": from, "to": today}))
        .await
        .expect(200);
}

async fn is_what_happened(app: &TestApp) {
    let found = counted(app).await;
    for pair in found.chunks(2) {
        assert_eq!(pair[0], pair[1], "as counted, and as stored");
    }
}

/// Attempts of a tenant at different times of the last days; a small number says everything about each.
fn attempts(tenant: TenantId, model: i64, seeds: &[u16]) -> String {
    let rows = seeds.iter().enumerate().map(|(n, seed)| {
        let status = ["completed", "completed", "failed", "requires_review"][usize::from(seed % 4)];
        let step = seed / 4 % 5 + 1;
        let name = ["change_pfp", "change_bio", "post_highlight", "post_story", "post_post"][usize::from(step) - 1];
        let model = if seed % 7 == 0 { "null".to_owned() } else { (model + i64::from(seed % 3)).to_string() };
        let bot = if seed % 5 == 0 { "null" } else { "1" };
        let ended = if status == "failed" && seed % 2 == 0 { "null" } else { "now()" };
        let error = if status == "completed" { "null".to_owned() } else { format!("'code {}{}'", seed % 3, "a".repeat(usize::from(seed % 2))) };
        let time = if seed % 3 == 0 { "null".to_owned() } else { seed.to_string() };
        format!(
            "({tenant}, {}, {}, date_trunc('day', now(), 'utc') - make_interval(hours => {}), {ended}, {step}, '{name}', '{status}', \
             {bot}, {error}, {time}, {model})",
            seed % 11 + 1,
            n + usize::from(*seed) * 100,
            seed % 80,
        )
    });
    format!(
        "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status,
            bot_id, error_message, execution_time_ms, model_id)
         values {} on conflict do nothing",
        rows.collect::<Vec<_>>().join(", ")
    )
}

/// What is done to an account, by hand or by a program, through the door that all use.
async fn work(app: &TestApp, times: usize) {
    let (_, bot) = app.bot(&uuid::Uuid::new_v4().to_string()).await;
    for n in 0..times {
        let claimed = bot.post("/v1/work/claim", json!({"max": 5})).await.expect(200);
        let items = claimed["items"].as_array().cloned().unwrap_or_default();
        let results: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(i, item)| {
                let outcome =
                    ["completed", "completed", "completed", "failed", "requires_review"][(n + i) % 5];
                json!({"lease": item["lease"], "outcome": outcome, "execution_time_ms": 10 * (n + 1),
                    "error": (outcome != "completed").then_some("rate limited 9")})
            })
            .collect();
        if !results.is_empty() {
            bot.post("/v1/work/report", json!({"results": results}))
                .await
                .expect(200);
        }
    }
}

#[tokio::test]
async fn what_is_stored_is_what_happened_whoever_counts_and_however_often() {
    let app = TestApp::start().await;
    app.warm_accounts(8).await;
    app.warm_accounts(3).await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let seeds = proptest::collection::vec(any::<u16>(), 1..40);
    for round in 0..6 {
        let seeds = seeds.new_tree(&mut runner).expect("seeds").current();
        app.run(attempts(app.tenant, 1, &seeds)).await;
        work(&app, 3).await;
        match round % 3 {
            0 => roll_up(&app).await,
            1 => roll_up_all(&app).await,
            _ => {}
        }
        // What began days ago and is written only now is counted when it is asked for; what was under way, by itself.
        roll_up_all(&app).await;
        is_what_happened(&app).await;
        let once = stored(&app).await;
        roll_up(&app).await;
        roll_up_all(&app).await;
        assert_eq!(stored(&app).await, once, "counted again, it is the same");
    }
    let rates = app
        .look(
            "select count(*) from daily_metrics d join daily_step_metrics s using (tenant_id, date)
             where s.model_id is not distinct from d.model_id and s.step_number = 2
                and d.step_2_success_rate <> round(100.0 * s.completed / s.attempts, 2)",
        )
        .await;
    assert_eq!(rates.as_deref(), Some("0"), "rates are computed from counts");
}

#[tokio::test]
async fn two_that_count_at_once_count_once() {
    let app = TestApp::start().await;
    app.warm_accounts(5).await;
    work(&app, 4).await;
    let actor = Actor::scheduler(app.tenant);
    let today = Utc::now().date_naive();
    let asked = Rollup {
        from: Some(today - chrono::Days::new(2)),
        to: Some(today),
    };
    let due = Rollup::default();
    let count = async |rollup: &Rollup| {
        let mut tx = app.app.db.begin(&actor).await.expect("a transaction");
        metrics::roll_up(&mut tx, &actor, rollup, 700)
            .await
            .expect("it counts");
        tx.commit().await.expect("commit");
    };
    for _ in 0..5 {
        tokio::join!(
            count(&due),
            count(&asked),
            count(&asked),
            count(&asked),
            count(&due),
            work(&app, 1)
        );
    }
    roll_up(&app).await;
    is_what_happened(&app).await;
}

#[tokio::test]
async fn an_attempt_that_ends_days_after_it_began_is_counted_on_the_day_it_began() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("slow").await;
    let claimed = bot.post("/v1/work/claim", json!({"max": 1})).await.expect(200);
    app.run("update work_queue set leased_at = now() - interval '3 days' where state = 'leased'")
        .await;
    roll_up(&app).await;
    roll_up(&app).await;
    let result =
        json!({"lease": claimed["items"][0]["lease"], "outcome": "completed", "execution_time_ms": 7});
    bot.post("/v1/work/report", json!({"results": [result]}))
        .await
        .expect(200);
    roll_up(&app).await;
    is_what_happened(&app).await;
    let day = app
        .look("select (now() at time zone 'utc')::date - date from daily_step_metrics where model_id is null")
        .await;
    assert_eq!(day.as_deref(), Some("3"));
    let open = app.look("select open_days from metric_rollups").await;
    assert_eq!(open.as_deref(), Some("{}"), "nothing is open any more");
}

#[tokio::test]
async fn days_are_those_of_utc_whatever_the_session_thinks_of_time() {
    let app = TestApp::start().await;
    app.run(format!(
        "alter database {} set timezone = 'Pacific/Auckland'",
        app.database
    ))
    .await;
    app.run(
        "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status)
         select t.id, 1, g, date_trunc('day', now(), 'utc') + make_interval(secs => d), now(), 1, 'change_pfp', 'completed'
         from tenants t, unnest('{-0.000001,0,-86400,-86400.000001}'::float8[]) with ordinality x (d, g)",
    )
    .await;
    // A connection of before does not know of the time zone yet.
    let actor = Actor::scheduler(app.tenant);
    let mut tx = app.app.db.begin(&actor).await.expect("a transaction");
    let today = Utc::now().date_naive();
    let rollup = Rollup {
        from: Some(today - chrono::Days::new(3)),
        to: Some(today),
    };
    sqlx::query("set local timezone = 'Pacific/Auckland'")
        .execute(&mut *tx)
        .await
        .expect("a zone");
    assert_eq!(
        metrics::roll_up(&mut tx, &actor, &rollup, 700)
            .await
            .expect("it counts"),
        4
    );
    tx.commit().await.expect("commit");
    let days = app
        .look("select array_agg(((now() at time zone 'utc')::date - date) || ':' || attempts order by date) from daily_step_metrics")
        .await;
    assert_eq!(days.as_deref(), Some("{2:1,1:2,0:1}"));
}

#[tokio::test]
async fn metrics_are_a_tenants_own_and_are_forgotten_when_they_are_old() {
    let app = TestApp::start().await;
    let (other, theirs) = app.other_tenant().await;
    app.warm_accounts(4).await;
    work(&app, 2).await;
    app.run(format!(
        "insert into daily_metrics (tenant_id, date) select t, current_date - 800 from unnest(array[{}, {other}]::bigint[]) t",
        app.tenant
    ))
    .await;
    roll_up(&app).await;
    let ours = app.owner.get("/v1/metrics").await.expect(200);
    assert!(
        ours["period"]["steps"][0]["counts"]["attempts"].as_i64() > Some(0),
        "{ours:#}"
    );
    let them = theirs.get("/v1/metrics").await.expect(200);
    assert_eq!(them["period"]["steps"], json!([]));
    let old = app
        .look("select count(*) from daily_metrics where date < current_date - 700")
        .await;
    assert_eq!(old.as_deref(), Some("0"));
}

#[tokio::test]
async fn the_api_gives_counts_of_a_period_and_of_the_one_before_and_refuses_what_is_none() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(2).await;
    let today = Utc::now().date_naive();
    let log = |days: u32, status: &str, lease: u32| {
        format!(
            "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status,
                bot_id, execution_time_ms, error_message, model_id)
             select {}, 1, {lease}, now() - interval '{days} days', now(), 2, 'change_bio', '{status}', 1, 100, '=cmd() 12', {model}",
            app.tenant
        )
    };
    for (lease, (days, status)) in
        (1..).zip([(0, "completed"), (0, "failed"), (1, "completed"), (9, "failed")])
    {
        app.run(log(days, status, lease)).await;
    }
    app.run(format!("update models set name = '=1+1' where id = {model}"))
        .await;
    roll_up_all(&app).await;
    let from = today - chrono::Days::new(6);
    let path = format!("/v1/metrics?from={from}&to={today}&model_id={model}");
    let found = app.owner.get(&path).await.expect(200);
    let counts = &found["period"]["steps"][0]["counts"];
    assert_eq!(
        (&counts["attempts"], &counts["completed"], &counts["time_ms"]),
        (&json!(3), &json!(2), &json!(300))
    );
    assert_eq!(found["before"]["steps"][0]["counts"]["failed"], json!(1));
    assert_eq!(
        found["failures"],
        json!([{"step": "change_bio", "cause": "=cmd() #", "failures": 1}])
    );
    assert_eq!(
        found["days"].as_array().expect("days").last().expect("today")["stock"]["warming_up_accounts"],
        json!(2)
    );
    for (query, status) in [
        ("from=2026-02-01&to=2026-01-01", 422),
        ("from=2020-01-01&to=2026-01-01", 422),
        ("from=yesterday", 422),
        ("model_id=999", 404),
    ] {
        app.owner
            .get(&format!("/v1/metrics?{query}"))
            .await
            .problem(status);
    }
    app.owner
        .post("/v1/metrics/rollup", json!({"from": "2026-01-01"}))
        .await
        .problem(422);
    let viewer = app.person(Role::Viewer).await;
    let file = viewer
        .send(viewer.request(Method::GET, &format!("/v1/metrics/export?from={from}&to={today}")))
        .await;
    let text = file.body.as_str().expect("CSV").to_owned();
    assert!(
        text.contains(&format!("\n{today},,change_bio,2,1,1,0,0,2,1,2,200\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("\n{today},'=1+1,change_bio,")),
        "a formula is guarded: {text}"
    );
    let days = viewer.get("/v1/metrics/export?table=days").await;
    let text = days.body.as_str().expect("CSV").to_owned();
    assert!(
        text.starts_with("date,model,failed_accounts") && text.contains(&format!("\n{today},'=1+1,0,")),
        "{text}"
    );
    viewer.post("/v1/metrics/rollup", json!({})).await.problem(403);
}
