//! Giving accounts a proxy, and moving them: evenly, never over capacity, whoever does it at the same time.

use futures_util::future::join_all;
use muster::config::ServeSettings;
use muster_wire::Role;
use serde_json::{Value, json};

use crate::support::{TestApp, value};

/// Accounts of a model (none for 0), authorised, in the state `imported`.
async fn accounts(app: &TestApp, prefix: &str, model: i64, count: i64) -> Vec<i64> {
    sqlx::query_scalar(
        "insert into accounts (tenant_id, username, email, model_id, authorisation_basis)
         select $1, $2 || n, 'a@example.com', nullif($3, 0), 'owned' from generate_series(1, $4) n returning id",
    )
    .bind(app.tenant.0)
    .bind(prefix)
    .bind(model)
    .bind(count)
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("accounts")
}

async fn model(app: &TestApp, name: &str) -> i64 {
    sqlx::query_scalar("insert into models (tenant_id, name) values ($1, $2) returning id")
        .bind(app.tenant.0)
        .bind(name)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("a model")
}

/// Proxies of a model (shared for 0).
async fn proxies(app: &TestApp, host: &str, model: i64, count: i64) -> Vec<i64> {
    sqlx::query_scalar(
        "insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost, assigned_model_id)
         select $1, 'http', $2, n, 'p', 'l', 1, nullif($3, 0) from generate_series(1, $4) n returning id",
    )
    .bind(app.tenant.0)
    .bind(host)
    .bind(model)
    .bind(count)
    .fetch_all(&mut app.superuser().await)
    .await
    .expect("proxies")
}

async fn change(app: &TestApp, sql: &'static str, ids: &[i64]) {
    sqlx::query(sql)
        .bind(ids)
        .execute(&mut app.superuser().await)
        .await
        .expect("it is changed");
}

/// How many accounts each proxy carries, by its id; checked to be the truth.
async fn carried(app: &TestApp) -> Vec<i64> {
    let wrong: i64 = value(
        app,
        "select count(*) from proxies p where account_count > max_accounts or account_count
         <> (select count(*) from accounts a where a.tenant_id = p.tenant_id and a.proxy_id = p.id)",
    )
    .await;
    assert_eq!(wrong, 0, "counters are the truth, and within capacity");
    sqlx::query_scalar("select account_count::bigint from proxies order by id")
        .fetch_all(&mut app.superuser().await)
        .await
        .expect("counts")
}

async fn assign(app: &TestApp, request: Value) -> Value {
    app.owner.post("/v1/proxies/assign", request).await.expect(200)
}

fn reasons(answer: &Value) -> Vec<(&str, i64)> {
    let unplaced = answer["unplaced"].as_array().expect("a list");
    unplaced
        .iter()
        .map(|u| {
            (
                u["reason"].as_str().expect("a word"),
                u["count"].as_i64().expect("a count"),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_models_own_proxies_are_filled_evenly_before_shared_ones() {
    let app = TestApp::start().await;
    let (a, b) = (model(&app, "A").await, model(&app, "B").await);
    let mine = accounts(&app, "a", a, 8).await;
    accounts(&app, "b", b, 4).await;
    accounts(&app, "n", 0, 1).await;
    proxies(&app, "own", a, 2).await;
    proxies(&app, "shared", 0, 3).await;
    let answer = assign(&app, json!({"account_ids": mine[..3]})).await;
    assert_eq!(answer["assigned"], 3);
    assert_eq!(carried(&app).await, [2, 1, 0, 0, 0]);
    let answer = assign(&app, json!({"model_id": a})).await;
    assert_eq!(
        (answer["assigned"].as_i64(), &answer["unplaced"]),
        (Some(5), &json!([]))
    );
    assert_eq!(
        carried(&app).await,
        [3, 3, 1, 1, 0],
        "all of its own, then the first places of shared ones"
    );
    let answer = assign(&app, json!({})).await;
    assert_eq!(answer["assigned"], 5);
    assert_eq!(carried(&app).await, [3, 3, 3, 2, 2]);
    let told: i64 = value(
        &app,
        "select count(*) from account_state_history where event = 'assign_proxy' and triggered_by = 'user'
         and user_id is not null and request_id is not null and metadata ? 'proxy_id'",
    )
    .await;
    assert_eq!(told, 13, "each has its transition, with the actor");
}

#[tokio::test]
async fn those_who_get_no_proxy_are_told_why() {
    let app = TestApp::start().await;
    let (a, b) = (model(&app, "A").await, model(&app, "B").await);
    let ids = accounts(&app, "a", a, 8).await;
    let spare = proxies(&app, "of-b", b, 5).await;
    let own = proxies(&app, "of-a", a, 3).await;
    change(
        &app,
        "update proxies set max_accounts = 1 where id = any ($1)",
        &own,
    )
    .await;
    change(
        &app,
        "update proxies set status = 'inactive' where id = any ($1)",
        &own[..1],
    )
    .await;
    change(
        &app,
        "update accounts set authorisation_basis = null where id = any ($1)",
        &ids[..1],
    )
    .await;
    change(
        &app,
        "update accounts set authorisation_expires_at = now() - interval '1 s' where id = any ($1)",
        &ids[1..2],
    )
    .await;
    change(
        &app,
        "update accounts set status = 'banned' where id = any ($1)",
        &ids[2..3],
    )
    .await;
    let answer = assign(&app, json!({"filter": "model:A"})).await;
    assert_eq!(answer["assigned"], 2);
    assert_eq!(
        reasons(&answer),
        [
            ("no_room", 3),
            ("not_authorised", 1),
            ("authorisation_lapsed", 1),
            ("account_not_active", 1)
        ]
    );
    assert_eq!(answer["unplaced"][0]["examples"], json!(ids[5..]));
    let of_b: i64 = value(&app, "select sum(account_count) from proxies where host = 'of-b'").await;
    assert_eq!(
        (of_b, spare.len()),
        (0, 5),
        "another model's proxies are not touched"
    );
    let answer = assign(&app, json!({"account_ids": [ids[3], ids[0], 999_999_999]})).await;
    assert_eq!(
        reasons(&answer),
        [("not_authorised", 1), ("not_imported", 1), ("not_found", 1)]
    );
}

#[tokio::test]
async fn what_is_only_tried_or_not_as_expected_changes_nothing() {
    let app = TestApp::start().await;
    accounts(&app, "a", 0, 4).await;
    proxies(&app, "p", 0, 2).await;
    let answer = assign(&app, json!({"dry_run": true, "expected_count": 4})).await;
    assert_eq!(
        (answer["assigned"].as_i64(), answer["dry_run"].as_bool()),
        (Some(4), Some(true))
    );
    let refused = app
        .owner
        .post("/v1/proxies/assign", json!({"expected_count": 3}))
        .await;
    assert!(
        refused.body["detail"]
            .as_str()
            .is_some_and(|d| d.contains("4 accounts match")),
        "{refused:?}"
    );
    assert_eq!(refused.problem(409), "count_differs");
    assert_eq!(carried(&app).await, [0, 0]);
    let both = json!({"account_ids": [1], "filter": "colour:red", "expected_count": -1});
    let faults = app.owner.post("/v1/proxies/assign", both).await.expect(422);
    assert_eq!(faults["errors"].as_array().map(Vec::len), Some(3), "{faults}");
    let viewer = app.person(Role::Viewer).await;
    assert_eq!(
        viewer.post("/v1/proxies/assign", json!({})).await.problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn many_accounts_are_assigned_in_one_call_and_the_rest_in_the_next() {
    let app = TestApp::start().await;
    let (a, b) = (model(&app, "A").await, model(&app, "B").await);
    accounts(&app, "a", a, 7_000).await;
    accounts(&app, "b", b, 3_100).await;
    proxies(&app, "a", a, 2_000).await;
    proxies(&app, "b", b, 400).await;
    proxies(&app, "s", 0, 1_950).await;
    let first = assign(&app, json!({})).await;
    assert_eq!(first["assigned"], 10_000);
    let second = assign(&app, json!({"after": first["next"]})).await;
    assert_eq!(
        (second["assigned"].as_i64(), second.get("next")),
        (Some(100), None)
    );
    let spread: Vec<(String, i32, i64)> =
        sqlx::query_as("select host, account_count, count(*) from proxies group by 1, 2 order by 1, 2")
            .fetch_all(&mut app.superuser().await)
            .await
            .expect("the spread");
    let expected = [("a", 3, 2_000), ("b", 3, 400), ("s", 1, 1_000), ("s", 2, 950)];
    assert_eq!(
        spread,
        expected.map(|(host, carried, count)| (host.to_owned(), carried, count))
    );
}

#[tokio::test]
async fn concurrent_assignments_give_every_account_one_proxy() {
    let app = TestApp::start().await;
    let (a, b) = (model(&app, "A").await, model(&app, "B").await);
    accounts(&app, "a", a, 60).await;
    accounts(&app, "b", b, 60).await;
    proxies(&app, "a", a, 5).await;
    proxies(&app, "b", b, 5).await;
    proxies(&app, "s", 0, 35).await;
    let calls = (0..12).map(|n| assign(&app, json!({"model_id": if n % 2 == 0 { a } else { b }})));
    let answers = join_all(calls).await;
    let assigned: i64 = answers
        .iter()
        .filter_map(|answer| answer["assigned"].as_i64())
        .sum();
    assert_eq!(assigned, 120, "each account once, whoever asks");
    assert_eq!(carried(&app).await.iter().sum::<i64>(), 120);
}

#[tokio::test]
async fn concurrent_assignments_find_every_place_there_is() {
    let app = TestApp::start().await;
    let ids = accounts(&app, "a", 0, 60).await;
    proxies(&app, "p", 0, 20).await;
    let calls = ids
        .chunks(10)
        .map(|ids| assign(&app, json!({"account_ids": ids})));
    let answers = join_all(calls).await;
    let assigned: Vec<_> = answers.iter().map(|answer| &answer["assigned"]).collect();
    assert_eq!(
        assigned, [10; 6],
        "sixty places, and nobody was told that there is no room"
    );
    assert_eq!(carried(&app).await, [3; 20]);
}

/// Thirty accounts over twenty proxies, all warming up so that their queue rows take part.
async fn warming(app: &TestApp) -> (Vec<i64>, Vec<i64>) {
    let a = model(app, "A").await;
    let ids = accounts(app, "a", a, 30).await;
    let proxies = proxies(app, "p", 0, 20).await;
    assign(app, json!({})).await;
    change(
        app,
        "update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()
         where id = any ($1)",
        &ids,
    )
    .await;
    (ids, proxies)
}

#[tokio::test]
async fn two_hundred_concurrent_moves_never_exceed_capacity() {
    let app = TestApp::start_with(ServeSettings {
        connections: 64,
        ..ServeSettings::default()
    })
    .await;
    let (ids, proxies) = warming(&app).await;
    let moves = (0..200).map(|n| {
        let (app, ids, proxies) = (&app, &ids, &proxies);
        async move {
            // Few proxies are asked for by many, and some are emptied or switched meanwhile.
            let to = proxies[(n * 7) % 6];
            let answer = match n % 10 {
                0 => app.owner.post(&format!("/v1/proxies/{to}/move"), json!({})).await,
                1 => {
                    let status = if n % 20 == 1 { "inactive" } else { "active" };
                    app.owner
                        .patch(&format!("/v1/proxies/{to}"), json!({"status": status}))
                        .await
                }
                _ => {
                    let path = format!("/v1/accounts/{}/proxy", ids[(n * 11) % 30]);
                    app.owner.post(&path, json!({"proxy_id": to})).await
                }
            };
            match answer.status.as_u16() {
                200 => true,
                // Too many at once for this machine: nothing was done.
                503 => false,
                _ => {
                    let code = answer.problem(409);
                    assert!(matches!(code.as_str(), "no_room" | "proxy_not_active"), "{code}");
                    false
                }
            }
        }
    });
    let done = join_all(moves).await.into_iter().filter(|moved| *moved).count();
    assert!(done >= 40, "{done} of 200 were done");
    assert_eq!(carried(&app).await.iter().sum::<i64>(), 30);
    let wrong: i64 = value(
        &app,
        "select count(*) from work_queue q join accounts a on a.id = q.account_id join proxies p on p.id = a.proxy_id
         where (q.hold is null) <> (p.status = 'active')",
    )
    .await;
    assert_eq!(wrong, 0, "work is held exactly where the proxy is not active");
}

#[tokio::test]
async fn the_accounts_of_a_proxy_move_elsewhere_or_are_named() {
    let app = TestApp::start().await;
    let ids = accounts(&app, "a", 0, 4).await;
    let proxies = proxies(&app, "p", 0, 3).await;
    assign(&app, json!({"account_ids": ids[..3]})).await;
    let path = format!("/v1/proxies/{}/move", proxies[0]);
    let tried = app.owner.post(&path, json!({"dry_run": true})).await.expect(200);
    assert_eq!(
        tried["moved"],
        json!([{"account_id": ids[0], "proxy_id": proxies[1]}])
    );
    assert_eq!(carried(&app).await, [1, 1, 1]);
    app.owner.post(&path, json!({"to": proxies[2]})).await.expect(200);
    assert_eq!(carried(&app).await, [0, 1, 2]);
    change(
        &app,
        "update proxies set max_accounts = account_count where id = any ($1)",
        &proxies[1..2],
    )
    .await;
    change(
        &app,
        "update proxies set status = 'inactive' where id = any ($1)",
        &proxies[..1],
    )
    .await;
    let path = format!("/v1/proxies/{}/move", proxies[2]);
    let stuck = app.owner.post(&path, json!({})).await.expect(200);
    assert_eq!(
        (&stuck["moved"], &stuck["unplaced"]),
        (&json!([]), &json!([ids[0], ids[2]]))
    );
    assert_eq!(
        app.owner
            .post(&path, json!({"to": proxies[0]}))
            .await
            .problem(409),
        "proxy_not_active",
        "an inactive proxy takes nobody"
    );
    assert_eq!(
        app.owner
            .post(&path, json!({"to": proxies[2]}))
            .await
            .problem(422),
        "invalid"
    );
    let moves: i64 = value(
        &app,
        "select count(*) from audit_log where action = 'account.move'",
    )
    .await;
    assert_eq!(moves, 1, "a move that was only tried leaves no trace");
}

#[tokio::test]
async fn an_account_is_refused_a_proxy_that_it_may_not_use() {
    let app = TestApp::start().await;
    let (a, b) = (model(&app, "A").await, model(&app, "B").await);
    let ids = accounts(&app, "a", a, 5).await;
    let (of_b, shared) = (proxies(&app, "b", b, 1).await, proxies(&app, "s", 0, 2).await);
    change(
        &app,
        "update accounts set authorisation_basis = null where id = any ($1)",
        &ids[4..],
    )
    .await;
    change(
        &app,
        "update proxies set max_accounts = 1 where id = any ($1)",
        &shared[..1],
    )
    .await;
    let give = async |account: i64, proxy: i64| {
        app.owner
            .post(
                &format!("/v1/accounts/{account}/proxy"),
                json!({"proxy_id": proxy}),
            )
            .await
    };
    give(ids[0], shared[0]).await.expect(200);
    give(ids[0], shared[0]).await.expect(200);
    assert_eq!(give(ids[1], shared[0]).await.problem(409), "no_room");
    assert_eq!(give(ids[1], of_b[0]).await.problem(409), "other_models_proxy");
    assert_eq!(give(ids[4], shared[1]).await.problem(409), "not_authorised");
    assert_eq!(give(ids[1], 999_999_999).await.problem(422), "invalid");
    assert_eq!(give(999_999_999, shared[1]).await.problem(404), "not_found");
    change(
        &app,
        "update proxies set status = 'inactive' where id = any ($1)",
        &shared[1..],
    )
    .await;
    assert_eq!(give(ids[0], shared[1]).await.problem(409), "proxy_not_active");
    assert_eq!(carried(&app).await, [0, 1, 0]);
    let (_, stranger) = app.other_tenant().await;
    let theirs = stranger
        .post(
            &format!("/v1/accounts/{}/proxy", ids[0]),
            json!({"proxy_id": shared[0]}),
        )
        .await;
    assert_eq!(theirs.problem(404), "not_found");
}
