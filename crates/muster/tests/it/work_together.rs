//! What several bots ask at the same time is served together, and each as if alone.

use muster::{
    actor::{Actor, Who},
    config::ServeSettings,
    work,
};
use muster_wire::{
    AccountId, BotId,
    work::{Claim, Outcome, Report, StepResult, Verdict, WorkItem},
};
use serde_json::json;
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use crate::{
    support::{PATIENCE, TestApp},
    work::FAULTS,
};

fn actor(app: &TestApp, id: BotId) -> Actor {
    Actor {
        who: Who::Bot { id },
        ..Actor::system(app.tenant)
    }
}

fn report(item: &WorkItem, outcome: Outcome) -> Report {
    Report {
        bot_session_id: None,
        results: vec![StepResult {
            lease: item.lease,
            outcome,
            execution_time_ms: 1,
            response: None,
            error: None,
        }],
    }
}

fn claim_of(max: u32) -> Claim {
    Claim {
        max,
        wait_ms: 0,
        steps: Vec::new(),
        model_id: None,
    }
}

/// Claims one step for a bot of its own.
async fn leased(app: &TestApp, name: &str) -> (Actor, WorkItem) {
    let (id, _) = app.bot(name).await;
    let actor = actor(app, id);
    let claimed = work::claim(&app.app, &actor, &claim_of(1)).await;
    let mut claimed = claimed.expect("a claim");
    (actor, claimed.items.pop().expect("a step"))
}

/// Has another tenant ask for work, so that turns are taken.
async fn another_tenant_asks(app: &TestApp) {
    let (_, owner) = app.other_tenant().await;
    let claim = json!({ "max": 1 });
    owner.post("/v1/work/claim", claim).await.expect(200);
}

/// Someone who holds these accounts, until they end their transaction: reports wait for them.
async fn holds_accounts(app: &TestApp, accounts: &[AccountId]) -> PgConnection {
    let ids: Vec<i64> = accounts.iter().map(|id| id.0).collect();
    let mut other = app.superuser().await;
    other.execute("begin").await.expect("begin");
    sqlx::query("select from accounts where id = any ($1) for update")
        .bind(ids)
        .execute(&mut other)
        .await
        .expect("locked");
    other
}

/// Someone who holds all proxies: claims that find something wait for them.
async fn holds_proxies(app: &TestApp) -> PgConnection {
    let mut other = app.superuser().await;
    other
        .execute("begin; lock table proxies in access exclusive mode")
        .await
        .expect("locked");
    other
}

/// Waits until this many transactions wait for a lock.
async fn wait_for_waiters(app: &TestApp, count: usize) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let seen = async {
        while app.look(waiting).await != Some(count.to_string()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("they wait");
}

#[tokio::test]
async fn reports_that_come_together_share_a_transaction_and_each_names_its_own_bot_and_request() {
    let app = TestApp::start().await;
    app.warm_accounts(8).await;
    app.run("update work_queue set step = 5").await;
    let mut leases = Vec::new();
    for n in 0..8 {
        leases.push(leased(&app, &format!("b{n}")).await);
    }
    // The first two wait for their accounts; the others wait for them.
    let mut other = holds_accounts(&app, &[leases[0].1.account.id, leases[1].1.account.id]).await;
    let mut reports = tokio::task::JoinSet::new();
    for (n, (actor, item)) in leases.iter().enumerate() {
        let (server, actor, report) = (app.app.clone(), actor.clone(), report(item, Outcome::Completed));
        reports.spawn(async move { work::report(&server, &actor, report).await });
        if n < 2 {
            wait_for_waiters(&app, n + 1).await;
        }
    }
    other.execute("rollback").await.expect("rollback");
    while let Some(reported) = reports.join_next().await {
        let reported = reported.expect("no panic").expect("a report");
        assert_eq!(reported.receipts[0].verdict, Verdict::Accepted);
    }
    let mut named: Vec<(i64, i64, Uuid)> = sqlx::query_as(
        "select account_id, bot_id, request_id from account_state_history
         where event = 'finish_warmup' and triggered_by = 'bot' order by account_id",
    )
    .fetch_all(&mut other)
    .await
    .expect("history");
    named.sort_unstable();
    let mut expected: Vec<_> = leases
        .iter()
        .map(|(actor, item)| (item.account.id.0, actor.bot().expect("a bot").0, actor.request))
        .collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
    let transactions =
        "select count(distinct xmin::text) from account_state_history where event = 'finish_warmup'";
    assert_eq!(app.look(transactions).await.as_deref(), Some("3"));
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn neither_work_nor_what_takes_long_waits_for_the_others_connections() {
    let app = TestApp::start_with(ServeSettings {
        connections: 2,
        ..ServeSettings::default()
    })
    .await;
    app.warm_accounts(2).await;
    let (bot, item) = leased(&app, "b").await;
    let db = &app.app.db;
    let actor = app.owner_actor();
    let long = (db.begin(&actor).await, db.begin(&actor).await);
    assert!(long.0.is_ok() && long.1.is_ok(), "all that are not for work");
    let claimed = work::claim(&app.app, &bot, &claim_of(1)).await.expect("a claim");
    assert_eq!(claimed.items.len(), 1);
    let reported = work::report(&app.app, &bot, report(&item, Outcome::Completed)).await;
    assert_eq!(reported.expect("a report").receipts[0].verdict, Verdict::Accepted);
    drop(long);
    let _work = db.for_one_statement().await.expect("the one for work");
    app.owner.get("/v1/accounts").await.expect(200);
}

#[tokio::test]
async fn the_same_lease_reported_twice_at_once_is_accepted_once() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (actor, item) = leased(&app, "b").await;
    let twice = [Outcome::Completed, Outcome::Failed]
        .map(|outcome| work::report(&app.app, &actor, report(&item, outcome)));
    let answers = futures_util::future::join_all(twice).await;
    let mut verdicts: Vec<_> = answers
        .into_iter()
        .map(|answer| {
            let receipt = answer.expect("a report").receipts[0].clone();
            (receipt.verdict.word(), receipt.outcome)
        })
        .collect();
    verdicts.sort_unstable_by_key(|(verdict, _)| *verdict);
    assert_eq!(
        verdicts.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(),
        ["accepted", "duplicate"]
    );
    assert_eq!(verdicts[0].1, verdicts[1].1, "the outcome accepted first stands");
    assert_eq!(
        app.look("select count(*) from warmup_step_logs").await.as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn a_claim_whose_caller_went_away_gives_its_leases_back() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (id, _) = app.bot("b").await;
    let mut other = holds_proxies(&app).await;
    let (server, actor) = (app.app.clone(), actor(&app, id));
    let claim = tokio::spawn(async move { work::claim(&server, &actor, &claim_of(3)).await });
    wait_for_waiters(&app, 1).await;
    claim.abort();
    assert!(claim.await.is_err());
    other.execute("rollback").await.expect("rollback");
    let given_back = "select string_agg(state || lease, ' ') from work_queue";
    while app.look(given_back).await.as_deref() != Some("ready1 ready1 ready1") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_report_begins_again_when_an_account_changes_between_being_read_and_written() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    app.run("update work_queue set step = 5").await;
    let (id, _) = app.bot("b").await;
    let actor = actor(&app, id);
    let items = work::claim(&app.app, &actor, &claim_of(2))
        .await
        .expect("a claim")
        .items;
    let both = Report {
        bot_session_id: None,
        results: items
            .iter()
            .flat_map(|item| report(item, Outcome::Completed).results)
            .collect(),
    };
    let retired = items[1].lease;
    let mut other = app.superuser().await;
    other.execute("begin").await.expect("begin");
    sqlx::query("update accounts set lifecycle_state = 'cleanup', proxy_id = null where id = $1")
        .bind(retired.account.0)
        .execute(&mut other)
        .await
        .expect("retired");
    let server = app.app.clone();
    let reported = tokio::spawn(async move { work::report(&server, &actor, both).await });
    wait_for_waiters(&app, 1).await;
    other.execute("commit").await.expect("commit");
    let reported = reported.await.expect("no panic").expect("a report");
    for receipt in reported.receipts {
        let expected = if receipt.lease == retired {
            Verdict::Stale
        } else {
            Verdict::Accepted
        };
        assert_eq!(receipt.verdict, expected);
    }
    assert_eq!(
        app.look("select count(*) from warmup_step_logs").await.as_deref(),
        Some("1")
    );
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn groups_are_smaller_while_another_tenant_asks() {
    const MAX: u32 = 300;
    let app = TestApp::start().await;
    app.warm_accounts(700).await;
    let (id, _) = app.bot("b").await;
    let mut other = holds_proxies(&app).await;
    let mut claims = tokio::task::JoinSet::new();
    let mut ask = || {
        let (server, actor) = (app.app.clone(), actor(&app, id));
        claims.spawn(async move { work::claim(&server, &actor, &claim_of(MAX)).await })
    };
    ask();
    wait_for_waiters(&app, 1).await;
    another_tenant_asks(&app).await;
    // These two go together where nobody else asks, as soon as they have waited for a while.
    ask();
    ask();
    wait_for_waiters(&app, 2).await;
    other.execute("rollback").await.expect("rollback");
    while let Some(claimed) = claims.join_next().await {
        claimed.expect("no panic").expect("a claim");
    }
    let groups = "select count(distinct leased_at) from work_queue where state = 'leased'";
    assert_eq!(app.look(groups).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_turn_ends_while_its_group_waits_for_somebodys_lock() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let (actor, item) = leased(&app, "b").await;
    let mut other = holds_accounts(&app, &[item.account.id]).await;
    app.run("update work_queue set step = 5 where state = 'leased'")
        .await;
    another_tenant_asks(&app).await;
    let server = app.app.clone();
    let reporter = actor.clone();
    let reported =
        tokio::spawn(
            async move { work::report(&server, &reporter, report(&item, Outcome::Completed)).await },
        );
    wait_for_waiters(&app, 1).await;
    let claim = claim_of(1);
    let claimed = tokio::time::timeout(PATIENCE, work::claim(&app.app, &actor, &claim)).await;
    assert_eq!(claimed.expect("its turn").expect("a claim").items.len(), 1);
    other.execute("rollback").await.expect("rollback");
    reported.await.expect("no panic").expect("a report");
}

/// Otherwise it would measure something else, or nothing.
#[tokio::test]
async fn the_benchmark_does_the_servers_work_without_the_server() {
    const ACCOUNTS: u8 = 3;
    let app = TestApp::start().await;
    app.warm_accounts(usize::from(ACCOUNTS)).await;
    let (bot, _) = app.bot("b1").await;
    let (tenant, bot) = (app.tenant.0, bot.0);
    let mut db = app.superuser().await;
    let claimed: Vec<(i64, i64)> = sqlx::query_as(include_str!("../../../bench/sql/claim.sql"))
        .bind(tenant)
        .bind(bot)
        .bind(10)
        .fetch_all(&mut db)
        .await
        .expect("it claims");
    let (accounts, leases): (Vec<_>, Vec<_>) = claimed.into_iter().unzip();
    let reported: i64 = sqlx::query_scalar(include_str!("../../../bench/sql/report.sql"))
        .bind(tenant)
        .bind(bot)
        .bind(accounts)
        .bind(leases)
        .fetch_one(&mut db)
        .await
        .expect("it reports");
    assert_eq!(reported, i64::from(ACCOUNTS));
    for made in [
        include_str!("../../../bench/sql/schema.sql"),
        include_str!("../../../bench/sql/drain.sql"),
    ] {
        sqlx::raw_sql(made).execute(&mut db).await.expect("it is made");
    }
    let drained: i64 = sqlx::query_scalar(include_str!("../../../bench/sql/call_drain.sql"))
        .bind(tenant)
        .bind(bot)
        .bind(10)
        .fetch_one(&mut db)
        .await
        .expect("it drains");
    assert_eq!(drained, 4 * i64::from(ACCOUNTS));
}
