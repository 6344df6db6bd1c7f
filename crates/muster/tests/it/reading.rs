//! Lists and counts that stay quick: what they promise of their pages, their order and their exactness.

use muster::tick;
use reqwest::Method;
use serde_json::{Value, json};

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
