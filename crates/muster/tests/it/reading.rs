//! Lists and counts that stay quick: what they promise of their pages, their order and their exactness.

use muster::tick;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor;

use crate::support::TestApp;

/// More accounts than are walked for a page.
const MANY: usize = 600;

/// The page of a list, or the answer of a count.
async fn get(app: &TestApp, path: &str, query: &[(&str, &str)]) -> Value {
    let request = app.owner.request(Method::GET, path).query(query);
    app.owner.send(request).await.expect(200)
}

/// Every page of a list of accounts: how many items each had, and the user names.
async fn scroll(app: &TestApp, filter: &str, limit: &str) -> (Vec<usize>, Vec<String>) {
    let (mut pages, mut names, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let mut query = vec![("filter", filter), ("limit", limit)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = get(app, "/v1/accounts", &query).await;
        let items = page["items"].as_array().expect("items");
        pages.push(items.len());
        names.extend(
            items
                .iter()
                .map(|item| item["username"].as_str().expect("a name").to_owned()),
        );
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return (pages, names);
        }
    }
}

#[tokio::test]
async fn a_rare_match_is_found_by_going_on_and_counted_exactly_when_that_is_asked() {
    let app = TestApp::start().await;
    app.warm_accounts(MANY).await;
    app.run("update accounts set authorisation_expires_at = now() + interval '90 days' where id % 300 = 0")
        .await;
    let rare = "authorisation:>30d state:warming_up review:no hold:none";
    app.run("update accounts set requires_human_review = true where id <> 599")
        .await;

    let (pages, names) = scroll(&app, "review:no", "50").await;
    assert_eq!(names, ["model1.account599"]);
    assert!(
        pages.len() > 1,
        "not everything is looked at for one page: {pages:?}"
    );
    let (_, names) = scroll(&app, rare, "50").await;
    assert_eq!(names, ["model1.account599"]);

    let count = get(&app, "/v1/accounts/count", &[("filter", "review:no")]).await;
    assert_eq!(count, json!({"count": 0, "exact": false}));
    let exactly = get(
        &app,
        "/v1/accounts/count",
        &[("filter", "review:no"), ("exactly", "true")],
    )
    .await;
    assert_eq!(exactly, json!({"count": 1, "exact": true}));
    let few = get(&app, "/v1/accounts/count", &[("filter", "model1.account59")]).await;
    assert_eq!(few, json!({"count": 11, "exact": true}));
}

#[tokio::test]
async fn every_order_gives_each_account_once_on_full_pages() {
    let app = TestApp::start().await;
    app.warm_accounts(MANY).await;
    app.run(
        "update accounts set state_changed_at = now() - id % 7 * interval '1 hour',
             authorisation_expires_at = now() + id % 5 * interval '1 day' + interval '1 minute'",
    )
    .await;
    for (filter, first) in [
        ("", "model1.account1"),
        ("model1", "model1.account1"),
        ("state:warming_up", "model1.account6"),
        ("model:1 state:warming_up", "model1.account6"),
        ("authorisation:<30d", "model1.account5"),
        ("model:1", "model1.account1"),
    ] {
        let (pages, mut names) = scroll(&app, filter, "100").await;
        assert_eq!((pages, names[0].as_str()), (vec![100; 6], first), "{filter}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), MANY, "{filter}");
    }
    let page = get(
        &app,
        "/v1/accounts",
        &[("filter", "state:warming_up"), ("limit", "1")],
    )
    .await;
    let request = app.owner.request(Method::GET, "/v1/accounts");
    let other = request.query(&[
        ("filter", "model1"),
        ("cursor", page["next"].as_str().expect("more")),
    ]);
    assert_eq!(
        app.owner.send(other).await.problem(422),
        "invalid",
        "a cursor of another order"
    );
}

#[tokio::test]
async fn counts_by_state_status_and_model_are_exact_before_and_after_they_are_folded() {
    let app = TestApp::start().await;
    app.warm_accounts(30).await;
    app.warm_accounts(20).await;
    app.run("update accounts set status = 'banned' where id % 10 = 3;
             update accounts set model_id = null where id % 7 = 0;
             update accounts set lifecycle_state = 'cleanup', proxy_id = null where id % 5 = 0;
             insert into accounts (tenant_id, username, email) select 1, 'new' || n, 'e@example.com' from generate_series(1, 9) n;
             delete from accounts where username = 'new4'").await;
    for folded in [0, 1, 0] {
        for (filter, condition) in [
            ("", "true"),
            ("state:warming_up", "lifecycle_state = 'warming_up'"),
            (
                "state:cleanup status:active",
                "lifecycle_state = 'cleanup' and status = 'active'",
            ),
            ("status:banned", "status = 'banned'"),
            ("model:none", "model_id is null"),
            ("model:2", "model_id = 2"),
            (
                "model:2 state:warming_up status:active",
                "model_id = 2 and lifecycle_state = 'warming_up' and status = 'active'",
            ),
        ] {
            let there = app
                .look(format!("select count(*) from accounts where {condition}"))
                .await;
            let count = get(&app, "/v1/accounts/count", &[("filter", filter)]).await;
            assert_eq!(
                (count["count"].to_string(), &count["exact"]),
                (there.expect("a number"), &json!(true)),
                "{filter}"
            );
        }
        let counters = tick::fold_counts(&app.app, &app.scheduler().await)
            .await
            .expect("it folds");
        assert_eq!(counters > 0, folded == 0, "what is folded is folded once");
        let left = app.look("select count(*) from account_count_changes").await;
        assert_eq!(left.as_deref(), Some("0"));
        if folded == 1 {
            app.run("update accounts set status = 'inactive' where id = 1")
                .await;
        }
    }
}

/// What coverage and capacity are to say, counted again from what there is.
async fn counted_again(app: &TestApp) -> (Value, Value) {
    let coverage = "select jsonb_agg(jsonb_build_object('model_id', model_id, 'pool', pool, 'items', items, 'unused', unused,
            'used_last_week', used_last_week, 'uses', uses, 'completed', completed) order by model_id, pool collate \"C\")::text
        from (
            select model_id, content_type as pool, count(*) as items, count(*) filter (where usage_count = 0) as unused,
                count(*) filter (where last_used_at >= (date_trunc('day', now() at time zone 'utc') - interval '7 days') at time zone 'utc')
                    as used_last_week,
                sum(usage_count) as uses, sum(success_count) as completed
            from (
                select model_id, content_type, usage_count, success_count, last_used_at from model_content
                union all
                select model_id, content_type, usage_count, success_count, last_used_at from text_pools where content_type = 'bio'
            ) i
            group by 1, 2
        ) p";
    let capacity = "select jsonb_build_object(
            'total', (select to_jsonb(t) - 'key' from shares t where key = 'total'),
            'models', (select jsonb_agg(to_jsonb(m) order by key) from shares m where key like 'model%'),
            'locations', (select jsonb_agg(to_jsonb(l) order by key) from shares l where key like 'location%'))::text
        from (values (1)) v (n)";
    let shares = "with shares as (
        select case grouping(assigned_model_id, location) when 3 then 'total'
                when 1 then 'model ' || coalesce(assigned_model_id::text, 'none') else 'location ' || location end as key,
            count(*) as proxies, count(*) filter (where status = 'error') as failed,
            count(*) filter (where status = 'inactive') as inactive, sum(account_count) as accounts,
            sum(case status when 'active' then max_accounts else account_count end) as places, sum(monthly_cost)::text as monthly_cost
        from proxies group by grouping sets ((), (assigned_model_id), (location)))";
    let read = async |sql: String| {
        let text = app.look(sql).await.expect("a count");
        serde_json::from_str(&text).expect("JSON")
    };
    (
        read(coverage.to_owned()).await,
        read(format!("{shares} {capacity}")).await,
    )
}

/// The same from coverage and capacity, in the same form.
async fn told(app: &TestApp) -> (Value, Value) {
    let coverage = app.owner.get("/v1/content/coverage").await.expect(200);
    let mut pools: Vec<Value> = coverage["items"].as_array().expect("pools").clone();
    pools.retain(|pool| pool["items"] != 0);
    for pool in &mut pools {
        pool.as_object_mut().expect("a pool").remove("model");
    }
    pools.sort_by_key(|pool| (pool["model_id"].as_i64(), pool["pool"].to_string()));
    let mut capacity = app.owner.get("/v1/proxies/capacity").await.expect(200);
    for (list, called) in [("models", "model"), ("locations", "location")] {
        let shares = capacity[list].as_array_mut().expect("shares");
        for share in shares.iter_mut() {
            let share = share.as_object_mut().expect("a share");
            let id = share.remove("model_id").map(|id| id.to_string());
            let name = share
                .remove("name")
                .and_then(|name| name.as_str().map(str::to_owned));
            let of = if list == "models" { id } else { name };
            share.insert(
                "key".to_owned(),
                json!(format!("{called} {}", of.as_deref().unwrap_or("none"))),
            );
        }
        shares.sort_by_key(|share| share["key"].to_string());
    }
    (json!(pools), capacity)
}

#[tokio::test]
async fn pools_and_proxies_are_counted_exactly_before_and_after_they_are_folded() {
    let app = TestApp::start().await;
    let first = app.warm_accounts(30).await;
    let second = app.warm_accounts(20).await;
    let changes = [
        "select 1".to_owned(),
        // Of every kind, at every turn of a week, and what counts for nothing.
        "update model_content set usage_count = id % 3, success_count = least(id % 3, 1),
             last_used_at = case when id % 3 > 0 then now() - (id % 10) * interval '1 day' end;
         update text_pools set usage_count = 2, last_used_at = now() - (id % 10) * interval '1 day' where id % 2 = 0"
            .to_owned(),
        format!(
            "update model_content set model_id = {second}, content_type = 'any' where id % 5 = 0;
             update model_content set order_priority = 7;
             insert into text_pools (tenant_id, model_id, content_type, text_content) values (1, {first}, 'bio', 'new'),
                 (1, {first}, 'story', 'new');
             delete from model_content where id % 7 = 0; delete from text_pools where id % 7 = 0"
        ),
        format!(
            "update proxies set assigned_model_id = {second}, location = 'Lyon', monthly_cost = 2.5 where id % 3 = 0;
             update proxies set status = 'error' where id % 4 = 0;
             update proxies set status = 'inactive' where id % 5 = 0;
             update proxies set max_accounts = account_count where id % 2 = 0 and account_count > 0;
             insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost)
                 values (1, 'http', 'new', 80, 'p', 'Nice', 9), (1, 'http', 'gone', 80, 'p', 'Nice', 9);
             delete from proxies where host = 'gone';
             update accounts set lifecycle_state = 'cleanup', proxy_id = null where id % 5 = 0"
        ),
        // Takes its pools along, and leaves its proxies to all.
        format!("update accounts set model_id = null where model_id = {second}; delete from models where id = {second}"),
    ];
    for change in changes {
        app.run(&change).await;
        for _ in 0..2 {
            assert_eq!(told(&app).await, counted_again(&app).await, "after {change}");
            tick::fold_counts(&app.app, &app.scheduler().await)
                .await
                .expect("it folds");
            let left = app
                .look("select (select count(*) from pool_count_changes) + (select count(*) from proxy_count_changes)")
                .await;
            assert_eq!(left.as_deref(), Some("0"));
        }
    }
}

#[tokio::test]
async fn days_that_are_past_become_one_counter_when_the_pool_changes() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let fold = async || {
        tick::fold_counts(&app.app, &app.scheduler().await)
            .await
            .expect("it folds")
    };
    app.run("update model_content set usage_count = 1, last_used_at = now() - (id % 6) * interval '1 day' where content_type = 'story'")
        .await;
    fold().await;
    // As if that had been a week ago.
    let past = "set session_replication_role = replica;
         update pool_counts set used_on = used_on - 8 where pool = 'story';
         update model_content set last_used_at = last_used_at - interval '8 days' where content_type = 'story'";
    app.superuser().await.execute(past).await.expect("a week ago");
    assert_eq!(
        told(&app).await.0,
        counted_again(&app).await.0,
        "before anything changes"
    );
    app.run(
        "update model_content set usage_count = 2, last_used_at = now()
        where id = (select min(id) from model_content where content_type = 'story')",
    )
    .await;
    fold().await;
    assert_eq!(
        told(&app).await.0,
        counted_again(&app).await.0,
        "after something changed"
    );
    let counters = app
        .look("select string_agg(coalesce((used_on - (now() at time zone 'utc')::date)::text, 'never'), ' ')
            from (select used_on from pool_counts where pool = 'story' and isfinite(used_on) and items > 0) c")
        .await;
    assert_eq!(counters.as_deref(), Some("0"), "of the days, today alone is left");
    let past = app
        .look("select count(*) from pool_counts where pool = 'story' and used_on = '-infinity'")
        .await;
    assert_eq!(past.as_deref(), Some("1"));
}
