//! Claims that wait, and what the server does by the clock.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use muster::{
    tick,
    work::{
        FEW_USES_MAX, USES_WAIT_SECS,
        claim::{DEAD_EACH_MAX, DEAD_MAX, LOOK_AGAIN_MS_MAX},
        floors::{Found, LOOKS_THROUGH_MUCH_MIN},
    },
};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::{
    support::{CLUSTER, TestApp},
    work::{claim, only, report, start_with_retry_ms},
};

#[tokio::test]
async fn claims_that_wait_are_woken_when_work_appears() {
    let app = TestApp::start().await;
    app.warm_accounts(4).await;
    let (_, bot) = app.bot("b1").await;
    let (_, waiter) = app.bot("b2").await;
    let began = Instant::now();
    for item in claim(&bot, 4).await {
        let (mut holder, mut other) = (bot.clone(), waiter.clone());
        let mut lease = item["lease"].clone();
        for step in 2..=5 {
            let waiting = tokio::spawn(async move {
                let body = json!({ "max": 1, "wait_ms": 30_000 });
                let claimed = other.post("/v1/work/claim", body).await.expect(200);
                (other, claimed["items"][0].clone())
            });
            // A round trip, in which the other one finds nothing and begins to wait.
            assert!(claim(&holder, 1).await.is_empty());
            report(&holder, &lease, "completed").await;
            let (woken, next) = waiting.await.expect("it ran");
            assert_eq!(next["step"], step);
            (other, holder) = (holder, woken);
            lease = next["lease"].clone();
        }
        report(&holder, &lease, "completed").await;
    }
    // Sixteen waits, each of which would last most of a second if nothing rang.
    let bound = Duration::from_millis(LOOK_AGAIN_MS_MAX * 6);
    assert!(began.elapsed() < bound, "{:?}", began.elapsed());
}

#[tokio::test]
async fn claims_that_wait_get_a_retry_when_it_falls_due() {
    let app = start_with_retry_ms(100).await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let mut item = only(claim(&bot, 1).await);
    let began = Instant::now();
    for attempt in 2..=4 {
        report(&bot, &item["lease"], "failed").await;
        let body = json!({ "max": 1, "wait_ms": 30_000 });
        item = bot.post("/v1/work/claim", body).await.expect(200)["items"][0].clone();
        assert_eq!(item["attempt"], attempt);
    }
    // The retries fall due after 0.84 s together, at most; three looks by chance would take 2.4 s.
    let bound = Duration::from_millis(LOOK_AGAIN_MS_MAX * 2);
    assert!(began.elapsed() < bound, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_claim_that_waits_is_answered_when_the_server_stops() {
    let app = TestApp::start().await;
    let (_, bot) = app.bot("b1").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let timers = tokio::spawn(tick::run(app.app.clone(), app.scheduler().await, stop.clone()));
    let waiting = tokio::spawn(async move {
        bot.post("/v1/work/claim", json!({ "max": 1, "wait_ms": 30_000 }))
            .await
    });
    stop.cancel();
    timers.await.expect("the timers end");
    let within = std::time::Duration::from_secs(10);
    let claimed = tokio::time::timeout(within, waiting)
        .await
        .expect("it did not wait to its end");
    assert_eq!(claimed.expect("it ran").expect(200), json!({ "items": [] }));
}

#[tokio::test]
async fn the_timers_forget_old_keys_and_make_partitions() {
    let app = TestApp::start().await;
    app.run(format!(
        "insert into idempotency_keys (tenant_id, actor, key, request_hash, created_at) values
        ({0}, 'a', 'old', '', now() - interval '25 hours'), ({0}, 'a', 'new', '', now() - interval '23 hours')",
        app.tenant
    ))
    .await;
    let scheduler = app.scheduler().await;
    assert_eq!(
        tick::forget_keys(&app.app, &scheduler).await.expect("it forgets"),
        1
    );
    assert_eq!(
        app.look("select key from idempotency_keys").await.as_deref(),
        Some("new")
    );
    assert_eq!(
        tick::make_partitions(&scheduler).await.expect("it makes"),
        0,
        "migrate made those ahead"
    );
}

#[tokio::test]
async fn while_looks_read_through_much_they_begin_where_something_was_found_and_one_from_the_beginning_finds_the_rest()
 {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    app.run("update work_queue set run_at = now() - interval '1 hour' where account_id = (select min(account_id) from work_queue)")
        .await;
    let (_, bot) = app.bot("looker").await;
    let queue = (app.tenant, false);
    let found = Found {
        first: [Some(Utc::now() - TimeDelta::minutes(30)); 5],
        at: Utc::now(),
        all: false,
    };
    let looked = |through_much| {
        let took = Duration::from_secs(60);
        app.app
            .floors
            .looked_from_the_beginning(queue, took, Some(through_much), Some(&found));
    };
    for _ in 0..LOOKS_THROUGH_MUCH_MIN {
        looked(true);
    }
    assert_eq!(
        claim(&bot, 10).await.len(),
        1,
        "what was due before the floor is not looked for"
    );
    assert_eq!(claim(&bot, 10).await.len(), 0);
    looked(false);
    assert_eq!(claim(&bot, 10).await.len(), 1);
}

#[tokio::test]
async fn what_died_beside_a_transaction_that_goes_on_is_not_read_through_for_long() {
    let app = TestApp::start().await;
    let looks = LOOKS_THROUGH_MUCH_MIN;
    let dying = u32::try_from(DEAD_MAX + DEAD_EACH_MAX).expect("some") + 1;
    app.warm_accounts((dying + looks + 1) as usize).await;
    app.run(format!(
        "update work_queue set run_at = run_at - interval '1 hour'
         where account_id in (select account_id from work_queue order by account_id limit {dying})"
    ))
    .await;
    let mut lasting = app.superuser().await;
    lasting
        .execute("begin isolation level repeatable read; select")
        .await
        .expect("it begins");
    let (id, bot) = app.bot("looker").await;
    let mut left = dying;
    while left > 0 {
        left -= claim(&bot, left.min(1_000)).await.len() as u32;
    }
    let queue = (app.tenant, false);
    for _ in 0..looks {
        assert!(app.app.floors.from(queue).is_none());
        assert_eq!(claim(&bot, 1).await.len(), 1);
    }
    assert!(app.app.floors.from(queue).is_some());

    // And what is behind the floor is not read through, by the role that serves.
    let mut served = PgConnection::connect_with(&CLUSTER.options("muster_app", &app.database))
        .await
        .expect("a connection");
    let dead: i64 = sqlx::query_scalar(
        "select max(dead) from claim_steps(muster_act_as($1, 'system', null, null, gen_random_uuid()), array [$2],
            array [null::bigint], '{1}', '{}', null, 60, array_fill(now() - interval '30 minutes', array [5]))",
    )
    .bind(app.tenant.0)
    .bind(id)
    .fetch_one(&mut served)
    .await
    .expect("it claims");
    assert!(dead < DEAD_MAX / 2, "{dead}");
}

#[tokio::test]
async fn looks_for_leases_that_are_over_begin_where_one_was_likewise() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let (_, bot) = app.bot("gone").await;
    assert_eq!(claim(&bot, 2).await.len(), 2);
    app.run(
        "update work_queue set leased_until = now() - case when account_id = (select min(account_id) from work_queue)
            then interval '1 hour' else interval '1 minute' end",
    )
    .await;
    let found = Found {
        first: [Some(Utc::now() - TimeDelta::minutes(30))],
        at: Utc::now(),
        all: false,
    };
    let looked = |through_much| {
        let took = Duration::from_secs(60);
        app.app
            .lease_floor
            .looked_from_the_beginning((), took, Some(through_much), Some(&found));
    };
    for _ in 0..LOOKS_THROUGH_MUCH_MIN {
        looked(true);
    }
    assert_eq!(
        app.reap().await,
        1,
        "what was over before the floor is not looked for"
    );
    assert_eq!(app.reap().await, 0);
    looked(false);
    assert_eq!(app.reap().await, 1);
}

#[tokio::test]
async fn where_many_uses_are_noted_they_are_counted_once_a_minute() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let note = |uses: i64| {
        format!(
            "insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
            select tenant_id, array_fill(id, array [{uses}]), array_fill(null::bigint, array [{uses}]), array_fill(true, array [{uses}])
            from model_content order by id limit 1"
        )
    };
    let counted = async || app.look("select max(usage_count) from model_content").await;
    app.run(note(FEW_USES_MAX)).await;
    app.fold().await;
    assert_eq!(
        counted().await,
        Some(FEW_USES_MAX.to_string()),
        "few are, at once"
    );
    app.run(note(FEW_USES_MAX + 1)).await;
    app.fold().await;
    assert_eq!(counted().await, Some(FEW_USES_MAX.to_string()), "many wait");
    app.run(format!(
        "update content_uses set at = at - interval '{USES_WAIT_SECS} seconds'"
    ))
    .await;
    app.fold().await;
    assert_eq!(counted().await, Some((2 * FEW_USES_MAX + 1).to_string()));
}
