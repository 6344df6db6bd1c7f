//! Metrics on screen: rates, durations and causes of a period beside the one before, drawn and as numbers.

use muster_wire::Role;
use serde_json::json;

use crate::support::{
    TestApp,
    browser::{Page, Window},
};

/// Attempts and finished warm-ups of so many days, some of them with all that a bot may report.
async fn fill(app: &TestApp, days: u32) -> i64 {
    let model = app.warm_accounts(5).await;
    let tenant = app.tenant;
    app.run(format!(
        "insert into warmup_step_logs (tenant_id, account_id, lease, started_at, completed_at, step_number, step_name, status,
            bot_id, execution_time_ms, error_message, model_id)
         select {tenant}, 1, d * 100 + n, now() - make_interval(days => d), now(), 1, 'change_pfp',
            case when n % 4 = 0 then 'failed' else 'completed' end, 1, 1500 + d,
            case when n % 4 = 0 then '<b>rate</b> limited, code ' || n end, {model}
         from generate_series(0, {days} - 1) d, generate_series(1, 8) n;
         insert into account_state_history (tenant_id, account_id, created_at, event, from_state, to_state, triggered_by, model_id)
         select {tenant}, 100 + d, now() - make_interval(days => d, hours => h), e, f, t, 'bot', {model}
         from generate_series(0, {days} - 1) d,
            (values (36, 'start_warmup', 'proxy_assigned', 'warming_up'), (0, 'finish_warmup', 'warming_up', 'human_review'))
                x (h, e, f, t)"
    ))
    .await;
    let today = chrono::Utc::now().date_naive();
    let from = today - chrono::Days::new(u64::from(days) + 2);
    app.owner
        .post("/v1/metrics/rollup", json!({"from": from, "to": today}))
        .await
        .expect(200);
    model
}

#[tokio::test]
async fn metrics_are_drawn_and_told_beside_those_of_the_period_before() {
    let app = TestApp::start().await;
    let page = Page::signed_in(&app, Role::Viewer).await;
    page.open("/daily-metrics").await;
    page.see("Nothing is counted yet").await;
    page.close().await;
    let model = fill(&app, 26).await;
    app.run(format!(
        "update models set name = '<i>North</i>' where id = {model}"
    ))
    .await;
    app.owner.post("/v1/metrics/rollup", json!({})).await.expect(200);
    for scripts in [true, false] {
        let page = Page::signed_in(&app, Role::Viewer).await;
        if !scripts {
            page.scripts_off().await;
        }
        page.open("/").await;
        page.click("Metrics, by day and step").await;
        page.arrives("/daily-metrics").await;
        for seen in [
            "75.0 %",
            "36.0 h",
            "1.5 s an action",
            "83.3 %",
            "At most 8 on a day",
            "<b>rate</b> limited, code #",
        ] {
            page.see(seen).await;
        }
        page.see("Models").await;
        page.click("7 days").await;
        page.arrives("/daily-metrics?from").await;
        page.see("beside the 7 days before").await;
        page.fill("Model", "<i>North</i>").await;
        page.click("Show").await;
        page.until(
            "the model's page is there",
            "location.search.includes('North')".to_owned(),
        )
        .await;
        page.see("56 attempts").await;
        page.is_accessible_unless(!scripts).await;
        page.fill("Model", "nobody").await;
        page.click("Show").await;
        page.see("there is no model").await;
        page.is_accessible_unless(!scripts).await;
        page.close().await;
    }
}

#[tokio::test]
async fn models_are_told_beside_each_other_those_with_the_most_attempts_first() {
    let app = TestApp::start().await;
    let (first, second) = (app.warm_accounts(1).await, app.warm_accounts(1).await);
    app.warm_accounts(1).await;
    app.run(format!(
        "update models set name = '<i>second</i>' where id = {second};
         insert into daily_step_metrics (tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people,
            unreported, bot_actions, bot_errors, timed, time_ms)
         select {0}, (now() at time zone 'utc')::date - d, m, s, a, a - 1, 1, 0, 0, a, 1, a, 1500 * a
         from generate_series(0, 13) d, generate_series(1, 2) s,
            (values ({first}, 10), ({second}, 20), (null, 30)) x (m, a);
         insert into daily_metrics (tenant_id, date, model_id, counted_at, proxy_places, proxy_accounts, warmups_finished, warmup_secs,
            failed_accounts)
         select {0}, (now() at time zone 'utc')::date - d, m, now(), 10, case when d < 7 then 5 else 2 end, 1, 7200, d / 7
         from generate_series(0, 13) d, unnest(array[null, {first}]::bigint[]) m",
        app.tenant
    ))
    .await;
    let today = chrono::Utc::now().date_naive();
    let from = today - chrono::Days::new(6);
    for window in [Window::Desktop, Window::Phone] {
        let page = Page::with(&app, window).await;
        page.sign_in(&app, Role::Viewer).await;
        page.open(&format!("/daily-metrics?from={from}&to={today}")).await;
        let rows = page
            .eval(
                "[...document.querySelectorAll('[aria-labelledby=models-title] tbody tr')]
                    .map((tr) => [...tr.cells].map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim()))",
            )
            .await;
        assert_eq!(
            rows,
            json!([
                [
                    "<i>second</i>",
                    "280 (280)",
                    "95.0 % (95.0 %)",
                    "0 (0)",
                    "– (–)",
                    "5.0 % (5.0 %)",
                    "1.5 s (1.5 s)"
                ],
                [
                    "Model 1",
                    "140 (140)",
                    "90.0 % (90.0 %)",
                    "0 (7)",
                    "2.0 h (2.0 h)",
                    "10.0 % (10.0 %)",
                    "1.5 s (1.5 s)"
                ]
            ])
        );
        page.see("50.0 %").await;
        page.see("before: 20.0 %").await;
        page.is_small().await;
        page.is_accessible().await;
        page.click("Model 1").await;
        page.see("140 attempts").await;
        page.see_no("with the most attempts").await;
        page.until(
            "of one model there is nothing to set it beside",
            "!document.querySelector('#models-title')".to_owned(),
        )
        .await;
        page.close().await;
    }
}

#[tokio::test]
async fn the_longest_period_is_a_small_page_that_fits_a_phone() {
    let app = TestApp::start().await;
    let model = app.warm_accounts(1).await;
    app.run(format!(
        "insert into daily_metrics (tenant_id, date, model_id, counted_at, proxy_places, proxy_accounts, warmups_finished, warmup_secs)
         select {0}, (now() at time zone 'utc')::date - d, m, now(), 10, d % 10, 3, 86400 * d
         from generate_series(0, 91) d, unnest(array[null, {model}]::bigint[]) m;
         insert into daily_step_metrics (tenant_id, date, model_id, step_number, attempts, completed, failed, given_to_people,
            unreported, bot_actions, bot_errors, timed, time_ms)
         select {0}, (now() at time zone 'utc')::date - d, m, s, 1000 + d, 900, 100, d, 0, 1000, 100, 1000, 900000
         from generate_series(0, 91) d, unnest(array[null, {model}]::bigint[]) m, generate_series(1, 5) s;
         insert into daily_failures (tenant_id, date, step_number, cause, failures)
         select {0}, (now() at time zone 'utc')::date - d, s, repeat('<', 90) || c, 3
         from generate_series(0, 91) d, generate_series(1, 5) s, generate_series(1, 4) c",
        app.tenant
    ))
    .await;
    let page = Page::with(&app, Window::Phone).await;
    page.sign_in(&app, Role::Viewer).await;
    let today = chrono::Utc::now().date_naive();
    let from = today - chrono::Days::new(91);
    page.open(&format!("/daily-metrics?from={from}&to={today}")).await;
    page.see("480\u{202f}930 attempts").await;
    page.is_small().await;
    page.is_accessible().await;
    let file = page
        .eval("fetch(document.querySelector('a[download]').href).then((r) => r.text()).then((t) => t.trim().split('\\n').length)")
        .await;
    assert_eq!(
        file,
        1 + 2 * 5 * 92,
        "a row for each day and step, of all and of the model"
    );
    page.open("/daily-metrics?from=2026-02-30&to=x").await;
    page.see("a day is written as 2026-01-31").await;
    page.close().await;
}
