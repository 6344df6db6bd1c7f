//! The lifecycle: every transition is legal, is asked for by somebody who may, and is written down with who and why.

use std::sync::atomic::{AtomicI32, Ordering};

use muster_wire::{Event, Role, State, TenantId, lifecycle::TABLE};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::support::{CLUSTER, Caller, TestApp, value};

/// A model, by its name.
pub async fn model(app: &TestApp, name: &str) -> i64 {
    sqlx::query_scalar("insert into models (tenant_id, name) values ($1, $2) returning id")
        .bind(app.tenant.0)
        .bind(name)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("a model")
}

/// A proxy with room.
pub async fn proxy(app: &TestApp, db: &mut PgConnection) -> i64 {
    static PORT: AtomicI32 = AtomicI32::new(1000);
    sqlx::query_scalar(
        "insert into proxies (tenant_id, scheme, host, port, provider, location, monthly_cost) \
         values ($1, 'http', 'egress.example.com', $2, 'Egress Ltd', 'Lisbon', 3) returning id",
    )
    .bind(app.tenant.0)
    .bind(PORT.fetch_add(1, Ordering::Relaxed))
    .fetch_one(db)
    .await
    .expect("a proxy")
}

/// An account of the organisation's own, without a model.
pub async fn authorised(app: &TestApp, username: &str) -> i64 {
    let new = json!({"username": username, "email": format!("{username}@example.com"), "authorisation_basis": "owned"});
    let made = app.owner.post("/v1/accounts", new).await.expect(201);
    made["id"].as_i64().expect("an id")
}

/// Leads an imported account to a state by what bots and people would do; `escalated` is a review of a warm-up that stopped
/// at step 3.
pub async fn lead(app: &TestApp, id: i64, to: &str) {
    let mut db = app.superuser().await;
    let proxy = proxy(app, &mut db).await;
    let path: &[&str] = match to {
        "proxy_assigned" => &["proxy"],
        "warming_up" => &["proxy", "start"],
        "human_review" => &["proxy", "start", "finish"],
        "escalated" => &["proxy", "start", "escalate"],
        "ready" => &["proxy", "start", "finish", "approve"],
        "active" => &["proxy", "start", "finish", "approve", "activate"],
        other => panic!("no way to {other}"),
    };
    for part in path {
        world(&mut db, id, part, proxy).await;
    }
}

/// Does one part of such a life.
pub async fn world(db: &mut PgConnection, id: i64, part: &str, proxy: i64) {
    let sql = match part {
        "proxy" => {
            "update accounts set lifecycle_state = 'proxy_assigned', proxy_id = $2, proxy_assigned_at = now(), \
                    state_changed_at = now() where id = $1"
        }
        "start" => {
            "update accounts set lifecycle_state = 'warming_up', warmup_started_at = now(), \
                    state_changed_at = now() where id = $1 and $2 > 0"
        }
        "finish" => {
            "with last as (update work_queue set step = 5 where account_id = $1) \
                     update accounts set lifecycle_state = 'human_review', warmup_completed_at = now(), \
                     state_changed_at = now() where id = $1 and $2 > 0"
        }
        "escalate" => {
            "with third as (update work_queue set step = 3 where account_id = $1) \
                       update accounts set lifecycle_state = 'human_review', requires_human_review = true, \
                       last_error_message = 'the story was refused', state_changed_at = now() where id = $1 and $2 > 0"
        }
        "approve" => {
            "update accounts set lifecycle_state = 'ready', state_changed_at = now() where id = $1 and $2 > 0"
        }
        "activate" => {
            "update accounts set lifecycle_state = 'active', state_changed_at = now() where id = $1 and $2 > 0"
        }
        other => panic!("no such part: {other}"),
    };
    let done = sqlx::query(sql).bind(id).bind(proxy).execute(db).await;
    assert_eq!(done.expect("it is legal").rows_affected(), 1);
}

/// Asks for a transition.
pub async fn ask(caller: &Caller, id: i64, event: &str) -> crate::support::Answer {
    let body = json!({"event": event, "reason": "because of a test"});
    caller.post(&format!("/v1/accounts/{id}/transitions"), body).await
}

#[tokio::test]
async fn a_life_is_led_from_import_to_retirement_and_back_and_names_who_did_what() {
    let app = TestApp::start().await;
    let north = model(&app, "North").await;
    let id = authorised(&app, "ana").await;
    app.owner
        .patch(&format!("/v1/accounts/{id}"), json!({"model_id": north}))
        .await
        .expect(200);
    lead(&app, id, "proxy_assigned").await;
    let released = ask(&app.owner, id, "release_proxy").await.expect(200);
    assert_eq!(released["proxy_id"], Value::Null);
    lead(&app, id, "proxy_assigned").await;
    let begun = ask(&app.owner, id, "start_warmup").await.expect(200);
    assert_eq!((&begun["warmup_step"], &begun["hold"]), (&json!(1), &Value::Null));
    assert_eq!(begun["progress"]["step"], 1);
    let mut db = app.superuser().await;
    world(&mut db, id, "finish", 1).await;
    let decision = json!({"decision": "approve", "reason": "looks good"});
    app.owner
        .post(&format!("/v1/reviews/{id}"), decision)
        .await
        .expect(200);
    ask(&app.owner, id, "activate").await.expect(200);
    ask(&app.owner, id, "flag").await.expect(200);
    let retired = ask(&app.owner, id, "retire").await.expect(200);
    assert_eq!(retired["proxy_id"], Value::Null);
    let used: i64 = value(&app, "select sum(account_count) from proxies").await;
    assert_eq!(used, 0);
    let restored = ask(&app.owner, id, "restore").await.expect(200);
    for field in [
        "warmup_step",
        "warmup_started_at",
        "warmup_completed_at",
        "last_error_message",
    ] {
        assert_eq!(restored[field], Value::Null, "{field}");
    }
    assert_eq!(restored["requires_human_review"], false);

    let history = app
        .owner
        .get(&format!("/v1/accounts/{id}/history?limit=5"))
        .await
        .expect(200);
    let events: Vec<_> = history["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|h| h["event"].as_str().expect("an event"))
        .collect();
    assert_eq!(events, ["restore", "retire", "flag", "activate", "approve"]);
    let retire = &history["items"][1];
    assert_eq!(
        (
            &retire["operator_id"],
            &retire["operator"],
            &retire["triggered_by"],
            &retire["reason"]
        ),
        (
            &json!(app.owner_id.0),
            &json!("Ana"),
            &json!("user"),
            &json!("because of a test")
        )
    );
    assert!(retire["request_id"].is_string() && retire["metadata"]["proxy_id"].is_i64());
    let next = history["next"].as_str().expect("there is more");
    let rest = app
        .owner
        .get(&format!("/v1/accounts/{id}/history?cursor={next}"))
        .await
        .expect(200);
    let last = rest["items"].as_array().expect("items").last().expect("one");
    assert_eq!(
        (&last["event"], &last["reason"]),
        (&json!("import"), &Value::Null)
    );
}

#[tokio::test]
async fn a_warmup_begins_only_with_a_valid_authorisation_and_a_model() {
    let app = TestApp::start().await;
    let id = authorised(&app, "ana").await;
    lead(&app, id, "proxy_assigned").await;
    let path = format!("/v1/accounts/{id}");
    assert_eq!(ask(&app.owner, id, "start_warmup").await.problem(409), "no_model");
    let north = model(&app, "North").await;
    let lapsed = json!({"model_id": north, "authorisation_expires_at": "2020-01-01T00:00:00Z"});
    app.owner.patch(&path, lapsed).await.expect(200);
    assert_eq!(
        ask(&app.owner, id, "start_warmup").await.problem(409),
        "authorisation_lapsed"
    );
    let valid = json!({"authorisation_expires_at": null});
    app.owner.patch(&path, valid).await.expect(200);
    ask(&app.owner, id, "start_warmup").await.expect(200);
}

#[tokio::test]
async fn many_are_moved_as_stated_and_the_others_are_told_why() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for (name, state) in [
        ("r1", "ready"),
        ("r2", "ready"),
        ("a1", "active"),
        ("w1", "warming_up"),
    ] {
        let id = authorised(&app, name).await;
        lead(&app, id, state).await;
        ids.push(id);
    }
    let all = |body: Value| app.owner.post("/v1/accounts/transitions", body);
    let dry = json!({"event": "activate", "filter": "", "dry_run": true});
    let told = all(dry).await.expect(200);
    assert_eq!(
        (
            &told["matched"],
            &told["moved"],
            &told["refused_count"],
            &told["dry_run"]
        ),
        (&json!(4), &json!(2), &json!(2), &json!(true))
    );
    let active: i64 = value(
        &app,
        "select count(*) from accounts where lifecycle_state = 'active'",
    )
    .await;
    assert_eq!(active, 1, "a dry run does nothing");

    let uncounted = json!({"event": "activate", "filter": "state:ready"});
    assert_eq!(all(uncounted).await.problem(422), "invalid");
    let wrong = json!({"event": "activate", "filter": "state:ready", "expected_count": 3});
    assert_eq!(all(wrong).await.problem(409), "count_changed");
    let right = json!({"event": "activate", "filter": "state:ready", "expected_count": 2, "reason": "go"});
    let moved = all(right).await.expect(200);
    assert_eq!((&moved["moved"], &moved["refused"]), (&json!(2), &json!([])));

    let some = json!({"event": "flag", "ids": [ids[0], ids[3], 999_999, ids[0]]});
    let moved = all(some).await.expect(200);
    assert_eq!((&moved["matched"], &moved["moved"]), (&json!(3), &json!(1)));
    let refused: Vec<_> = moved["refused"]
        .as_array()
        .expect("refused")
        .iter()
        .map(|r| (r["id"].as_i64(), r["code"].as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (Some(ids[3]), Some("illegal_transition")),
            (Some(999_999), Some("not_found"))
        ]
    );
    let reasons: i64 = value(
        &app,
        "select count(*) from account_state_history where event = 'activate' and transition_reason = 'go' \
         and user_id is not null and request_id is not null",
    )
    .await;
    assert_eq!(reasons, 2);
    let reviewer = app.person(Role::Reviewer).await;
    let body = json!({"event": "activate", "ids": [ids[0]]});
    let answer = reviewer.post("/v1/accounts/transitions", body).await;
    assert_eq!(answer.problem(403), "forbidden");
}

#[tokio::test]
async fn what_matches_no_more_when_its_turn_comes_is_not_moved() {
    let app = TestApp::start().await;
    let id = authorised(&app, "ana").await;
    lead(&app, id, "ready").await;
    let mut root = app.superuser().await;
    let mut other = root.begin().await.expect("begin");
    world(&mut other, id, "activate", 1).await;
    let body = json!({"event": "retire", "filter": "state:ready", "expected_count": 1});
    let retiring = tokio::spawn({
        let owner = app.owner.clone();
        async move { owner.post("/v1/accounts/transitions", body).await }
    });
    let waiting = "select exists (select from pg_stat_activity where datname = current_database() \
                   and wait_event_type = 'Lock')";
    while !value::<bool>(&app, waiting).await {
        assert!(!retiring.is_finished(), "it did not wait");
    }
    other.commit().await.expect("commit");
    let answer = retiring.await.expect("an answer");
    assert_eq!(answer.problem(409), "count_changed");
}

/// Whether the lifecycle lets an account go from one state to another, given whether its warm-up is complete before and
/// after.
fn legal(from: State, complete: bool, to: State, complete_after: bool) -> bool {
    let unchanged = complete == complete_after;
    if from == to {
        return unchanged;
    }
    let event = TABLE.iter().find(|t| {
        t.from == from && t.to == to && t.warmup_complete.is_none_or(|needed| needed == complete_after)
    });
    event.is_some_and(|t| match t.event {
        Event::FinishWarmup => true,
        Event::Restore => unchanged || !complete_after,
        _ => unchanged,
    })
}

#[tokio::test]
async fn the_database_stores_no_transition_that_the_lifecycle_does_not_have() {
    let app = TestApp::start().await;
    let mut root = app.superuser().await;
    let options = CLUSTER.options("muster_app", &app.database);
    let mut db = PgConnection::connect_with(&options)
        .await
        .expect("the app's role");
    let (mut legals, mut illegals) = (0, 0);
    for from in State::ALL.iter().copied() {
        for complete in [false, true] {
            let impossible = match from {
                State::WarmingUp => complete,
                State::Ready | State::Active => !complete,
                _ => false,
            };
            if impossible {
                continue;
            }
            let (id, first) = place(&app, &mut root, from, complete).await;
            let second = proxy(&app, &mut root).await;
            for to in State::ALL.iter().copied() {
                for after in [false, true] {
                    let without_proxy = matches!(to, State::Imported | State::Cleanup);
                    let mut tx = of_tenant(&mut db, app.tenant).await;
                    let done = sqlx::query(
                        "update accounts set lifecycle_state = $2, proxy_id = $3, \
                         warmup_started_at = now(), warmup_completed_at = case when $4 then now() end where id = $1",
                    )
                    .bind(id)
                    .bind(to.word())
                    .bind((!without_proxy).then(|| first.unwrap_or(second)))
                    .bind(after)
                    .execute(&mut *tx)
                    .await;
                    let what = format!("{from} ({complete}) to {to} ({after})");
                    match done {
                        Ok(done) => {
                            assert_eq!(done.rows_affected(), 1, "{what}");
                            assert!(legal(from, complete, to, after), "{what} was stored");
                            legals += 1;
                        }
                        Err(error) => {
                            let code = error
                                .as_database_error()
                                .and_then(|e| e.code().map(|c| c.into_owned()));
                            assert!(
                                matches!(code.as_deref(), Some("MU001" | "23514")),
                                "{what}: {error}"
                            );
                            // A warm-up under way is never complete, and what is in use never incomplete.
                            let shapeless = match to {
                                State::WarmingUp => after,
                                State::Ready | State::Active => !after,
                                _ => false,
                            };
                            assert!(
                                shapeless || !legal(from, complete, to, after),
                                "{what} was refused: {error}"
                            );
                            illegals += 1;
                        }
                    }
                    tx.rollback().await.expect("rollback");
                }
            }
        }
    }
    assert!(legals > TABLE.len() && illegals > 100, "{legals} and {illegals}");
}

/// An account that is in a state without having been led there.
async fn place(app: &TestApp, root: &mut PgConnection, state: State, complete: bool) -> (i64, Option<i64>) {
    let proxied = !matches!(state, State::Imported | State::Cleanup);
    let proxy = if proxied {
        Some(proxy(app, root).await)
    } else {
        None
    };
    sqlx::query("set session_replication_role = replica")
        .execute(&mut *root)
        .await
        .expect("without triggers");
    let id = sqlx::query_scalar(
        "insert into accounts (tenant_id, username, email, authorisation_basis, lifecycle_state, proxy_id, \
         warmup_started_at, warmup_completed_at) \
         values ($1, $2, 'x@example.com', 'owned', $3, $4, now(), case when $5 then now() end) returning id",
    )
    .bind(app.tenant.0)
    .bind(format!("{state}.{complete}"))
    .bind(state.word())
    .bind(proxy)
    .bind(complete)
    .fetch_one(&mut *root)
    .await
    .expect("an account");
    for sql in [
        "update proxies p set account_count = (select count(*) from accounts a where a.proxy_id = p.id)",
        "set session_replication_role = origin",
    ] {
        sqlx::query(sql).execute(&mut *root).await.expect("it is set");
    }
    (id, proxy)
}

/// A transaction in which the application's role sees this tenant.
async fn of_tenant(db: &mut PgConnection, tenant: TenantId) -> Transaction<'_, Postgres> {
    let mut tx = db.begin().await.expect("begin");
    sqlx::query("select set_config('muster.tenant_id', $1, true)")
        .bind(tenant.0.to_string())
        .execute(&mut *tx)
        .await
        .expect("the tenant");
    tx
}

#[tokio::test]
async fn history_tells_only_what_the_lifecycle_knows() {
    let app = TestApp::start().await;
    let options = CLUSTER.options("muster_app", &app.database);
    let mut db = PgConnection::connect_with(&options)
        .await
        .expect("the app's role");
    let mut known = 0;
    let events = Event::ALL.iter().map(|e| e.word()).chain(["import", "delete"]);
    for event in events {
        for from in State::ALL.iter().map(|s| Some(*s)).chain([None]) {
            for to in State::ALL {
                let legal = TABLE
                    .iter()
                    .any(|t| t.event.word() == event && Some(t.from) == from && t.to == *to)
                    || (event == "import" && from.is_none() && *to == State::Imported);
                let mut tx = of_tenant(&mut db, app.tenant).await;
                let told = sqlx::query(
                    "insert into account_state_history (tenant_id, account_id, event, from_state, to_state, triggered_by) \
                     values ($1, 1, $2, $3, $4, 'system')",
                )
                .bind(app.tenant.0)
                .bind(event)
                .bind(from.map(|s| s.word()))
                .bind(to.word())
                .execute(&mut *tx)
                .await;
                assert_eq!(told.is_ok(), legal, "{event} from {from:?} to {to}: {told:?}");
                known += i32::from(legal);
            }
        }
    }
    assert_eq!(known as usize, TABLE.len() + 1);
}

/// Accounts whose history is not a chain from nothing to the state they are in.
pub async fn broken_histories(app: &TestApp) -> i64 {
    value(
        app,
        "select count(*) from accounts a where not (
            select bool_and(h.from_state is not distinct from h.before) from (
                select h.from_state, lag(h.to_state) over (order by h.created_at) as before
                from account_state_history h where h.tenant_id = a.tenant_id and h.account_id = a.id) h)
            or a.lifecycle_state <> (
                select h.to_state from account_state_history h where h.tenant_id = a.tenant_id and h.account_id = a.id
                order by h.created_at desc limit 1)",
    )
    .await
}
