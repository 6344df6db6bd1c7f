//! Work: claims, reports, leases, holds, and what they leave behind.

use muster::config::ServeSettings;
use muster_wire::Role;
use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

/// What must be true of queue, accounts, history and logs, whatever happened; one row per fault.
pub const FAULTS: &str = "
    select 'account ' || a.id || ' is ' || a.lifecycle_state || ', its step is ' || coalesce(q.state, 'nowhere')
    from accounts a left join work_queue q on q.tenant_id = a.tenant_id and q.account_id = a.id
    where (a.lifecycle_state = 'warming_up') <> (coalesce(q.state, 'idle') <> 'idle')
    union all
    select 'account ' || a.id || ': model differs from its queue row'
    from accounts a join work_queue q on q.tenant_id = a.tenant_id and q.account_id = a.id
    where q.state <> 'idle' and q.model_id is distinct from a.model_id
    union all
    select 'account ' || a.id || ': hold is ' || coalesce(q.hold, 'none') || ' and should be ' || coalesce(h.hold, 'none')
    from accounts a join work_queue q on q.tenant_id = a.tenant_id and q.account_id = a.id
    left join models m on m.tenant_id = a.tenant_id and m.id = a.model_id
    left join proxies p on p.tenant_id = a.tenant_id and p.id = a.proxy_id
    cross join lateral (select case
        when a.status <> 'active' then 'account_not_active'
        when a.authorisation_basis is null or a.authorisation_expires_at <= now() then 'authorisation_lapsed'
        when a.model_id is null then 'no_model'
        when m.status <> 'active' then 'model_not_active'
        when p.status <> 'active' then 'proxy_not_active' end as hold) h
    where q.state <> 'idle' and q.hold is distinct from h.hold and q.hold is distinct from 'pool_empty'
    union all
    select 'account ' || a.id || ': its history ends in ' || coalesce(h.to_state, 'nothing')
    from accounts a
    left join lateral (
        select to_state from account_state_history h where h.tenant_id = a.tenant_id and h.account_id = a.id
        order by created_at desc limit 1) h on true
    where h.to_state is distinct from a.lifecycle_state
    union all
    select 'account ' || q.account_id || ': a log of a lease that was never given, or is still held'
    from work_queue q join warmup_step_logs l on l.tenant_id = q.tenant_id and l.account_id = q.account_id
    where l.lease > q.lease or (q.state = 'leased' and l.lease = q.lease)
    union all
    select 'account ' || account_id || ': two logs of lease ' || lease from warmup_step_logs
    group by tenant_id, account_id, lease having count(*) > 1
    union all
    select 'model ' || m.id || ': its counters are wrong' from models m
    where (m.total_accounts, m.active_accounts) <> (
        select count(*), count(*) filter (where a.lifecycle_state = 'active') from accounts a
        where a.tenant_id = m.tenant_id and a.model_id = m.id)";

/// Claims up to `max` steps.
pub async fn claim(by: &Caller, max: u32) -> Vec<Value> {
    let claimed = by.post("/v1/work/claim", json!({ "max": max })).await.expect(200);
    claimed["items"].as_array().expect("items").clone()
}

/// Claims the only step there is.
#[track_caller]
pub fn only(items: Vec<Value>) -> Value {
    assert_eq!(items.len(), 1, "{items:#?}");
    items.into_iter().next().expect("one")
}

/// Reports one lease; gives its receipt.
pub async fn report(by: &Caller, lease: &Value, outcome: &str) -> Value {
    let body =
        json!({ "results": [{ "lease": lease, "outcome": outcome, "error": format!("why it {outcome}") }] });
    by.post("/v1/work/report", body).await.expect(200)["receipts"][0].clone()
}

/// A server whose first retry waits this long.
pub async fn start_with_retry_ms(retry_ms: u32) -> TestApp {
    TestApp::start_with(ServeSettings {
        retry_ms,
        ..ServeSettings::default()
    })
    .await
}

/// Lets every lease run out.
pub async fn expire(app: &TestApp) {
    app.run("update work_queue set leased_until = now() - interval '1 second' where state = 'leased'")
        .await;
}

/// Lets every retry fall due.
pub async fn make_due(app: &TestApp) {
    app.run("update work_queue set run_at = now() where state = 'ready'")
        .await;
}

#[tokio::test]
async fn an_account_is_led_through_its_whole_warmup() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (id, bot) = app.bot("b1").await;
    for (step, name) in [
        "change_pfp",
        "change_bio",
        "post_highlight",
        "post_story",
        "post_post",
    ]
    .iter()
    .enumerate()
    {
        let item = only(claim(&bot, 10).await);
        assert_eq!(
            (item["step"].as_u64(), item["name"].as_str()),
            (Some(step as u64 + 1), Some(*name))
        );
        assert_eq!(item["attempt"], 1);
        assert_eq!(item["content"].is_null(), step == 1, "{item:#}");
        assert_eq!(item["text"].is_null(), step == 0, "{item:#}");
        assert!(claim(&bot, 10).await.is_empty(), "one account has one live step");
        assert_eq!(
            report(&bot, &item["lease"], "completed").await["verdict"],
            "accepted"
        );
    }
    assert!(claim(&bot, 10).await.is_empty());
    let state = "select concat_ws(' ', lifecycle_state, step, warmup_completed_at is not null,
        requires_human_review, last_bot_action_by) from accounts join work_queue on account_id = id";
    assert_eq!(
        app.look(state).await,
        Some(format!("human_review 5 t f bot:{id}"))
    );
    let history = "select string_agg(concat_ws(' ', event, triggered_by, bot_id), ', ' order by created_at)
        from account_state_history";
    assert_eq!(
        app.look(history).await,
        Some(format!(
            "import system, assign_proxy system, start_warmup system, finish_warmup bot {id}"
        ))
    );
    let logs =
        "select string_agg(concat_ws(' ', step_number, status, retry_count, bot_id), ', ' order by lease)
        from warmup_step_logs where completed_at >= started_at";
    let expected: Vec<_> = (1..=5).map(|step| format!("{step} completed 0 {id}")).collect();
    assert_eq!(app.look(logs).await, Some(expected.join(", ")));
    app.fold().await;
    let used = "select concat_ws(' ', sum(usage_count), sum(success_count), count(last_used_at))";
    assert_eq!(
        app.look(format!("{used} from model_content")).await.as_deref(),
        Some("4 4 4")
    );
    assert_eq!(
        app.look(format!("{used} from text_pools")).await.as_deref(),
        Some("4 4 4")
    );
    let chosen = "select count(*) from warmup_step_logs l join model_content c on c.id = l.content_id
        where c.usage_count = 1 and c.success_rate = 100";
    assert_eq!(app.look(chosen).await.as_deref(), Some("4"));
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn accounts_furthest_along_are_worked_first() {
    let app = TestApp::start().await;
    app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    let first = claim(&bot, 1).await;
    report(&bot, &first[0]["lease"], "completed").await;
    let second = claim(&bot, 1).await;
    assert_eq!(second[0]["account"], first[0]["account"]);
    let body = json!({ "max": 10, "steps": ["change_pfp"] });
    let rest = bot.post("/v1/work/claim", body).await.expect(200);
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_claim_can_ask_for_one_model() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let model = app.warm_accounts(3).await;
    let (_, bot) = app.bot("b1").await;
    let claimed = bot
        .post("/v1/work/claim", json!({ "max": 10, "model_id": model }))
        .await
        .expect(200);
    let items = claimed["items"].as_array().expect("items");
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|i| i["account"]["model_id"] == model));
}

#[tokio::test]
async fn a_report_after_the_lease_ran_out_is_stale_and_changes_nothing() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (id, bot) = app.bot("b1").await;
    let item = only(claim(&bot, 1).await);
    expire(&app).await;
    let all = "select concat_ws(' ', (select string_agg(a::text, '') from accounts a), (select string_agg(q::text, '')
        from work_queue q), (select count(*) from warmup_step_logs), (select count(*) from content_uses))";
    let before = app.look(all).await;
    let receipt = report(&bot, &item["lease"], "completed").await;
    assert_eq!(
        (&receipt["verdict"], &receipt["outcome"]),
        (&json!("stale"), &Value::Null)
    );
    assert_eq!(app.look(all).await, before);
    let audited = "select concat_ws(' ', object_id, bot_id, after->>'outcome') from audit_log where action = 'report.stale'";
    assert_eq!(
        app.look(audited).await,
        Some(format!("{} {id} completed", item["account"]["id"]))
    );
}

#[tokio::test]
async fn a_repeated_report_is_a_duplicate_with_the_outcome_accepted_first() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let item = only(claim(&bot, 1).await);
    report(&bot, &item["lease"], "completed").await;
    let again = report(&bot, &item["lease"], "failed").await;
    assert_eq!(
        (&again["verdict"], &again["outcome"]),
        (&json!("duplicate"), &json!("completed"))
    );
    // Also when the next step of the account is leased already.
    claim(&bot, 1).await;
    assert_eq!(
        report(&bot, &item["lease"], "completed").await["verdict"],
        "duplicate"
    );
    assert_eq!(
        app.look("select count(*) from warmup_step_logs").await.as_deref(),
        Some("1")
    );
    assert_eq!(
        app.look("select count(*) from audit_log where action = 'report.stale'")
            .await
            .as_deref(),
        Some("0")
    );
    let (_, other) = app.bot("b2").await;
    assert_eq!(
        report(&other, &item["lease"], "completed").await["verdict"],
        "stale"
    );
}

#[tokio::test]
async fn a_lease_named_twice_in_one_report_counts_once() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let lease = only(claim(&bot, 1).await)["lease"].clone();
    let body = json!({ "results": [
        { "lease": lease, "outcome": "failed" },
        { "lease": "999.1", "outcome": "completed" },
        { "lease": lease, "outcome": "completed" },
    ] });
    let receipts = bot.post("/v1/work/report", body).await.expect(200)["receipts"].clone();
    let told: Vec<_> = receipts
        .as_array()
        .expect("receipts")
        .iter()
        .map(|r| {
            (
                r["verdict"].as_str().unwrap_or_default(),
                r["outcome"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("accepted", "failed"), ("stale", ""), ("duplicate", "failed")]
    );
}

#[tokio::test]
async fn the_lease_of_another_bot_can_neither_be_reported_extended_nor_released() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let person = app.person(Role::Operator).await;
    let lease = only(claim(&bot, 1).await)["lease"].clone();
    for stranger in [&other, &person] {
        assert_eq!(report(stranger, &lease, "completed").await["verdict"], "stale");
        for path in ["/v1/work/extend", "/v1/work/release"] {
            let states = stranger
                .post(path, json!({ "leases": [lease] }))
                .await
                .expect(200);
            assert_eq!(states["leases"][0]["held"], false, "{path}");
        }
    }
    let (_, foreigner) = app.other_tenant().await;
    assert_eq!(report(&foreigner, &lease, "completed").await["verdict"], "stale");
    assert_eq!(report(&bot, &lease, "completed").await["verdict"], "accepted");
}

#[tokio::test]
async fn a_failed_step_waits_longer_each_time_and_the_fifth_failure_hands_the_account_to_a_person() {
    let app = start_with_retry_ms(60_000).await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    for attempt in 1..=4 {
        let item = only(claim(&bot, 1).await);
        assert_eq!(item["attempt"], attempt);
        report(&bot, &item["lease"], "failed").await;
        let wait = app
            .look("select extract(epoch from run_at - now()) from work_queue")
            .await;
        let wait: f64 = wait.expect("a wait").parse().expect("a number");
        let nominal = 60.0 * f64::from(1 << (attempt - 1));
        assert!(
            wait > nominal * 0.8 - 5.0 && wait <= nominal * 1.2,
            "attempt {attempt}: {wait} s"
        );
        assert!(claim(&bot, 1).await.is_empty());
        let told = "select concat_ws(' ', lifecycle_state, attempt, last_error_message)
            from accounts join work_queue on account_id = id";
        assert_eq!(
            app.look(told).await,
            Some(format!("warming_up {attempt} why it failed"))
        );
        make_due(&app).await;
    }
    let item = only(claim(&bot, 1).await);
    report(&bot, &item["lease"], "failed").await;
    let told = "select concat_ws(' ', lifecycle_state, step, requires_human_review, attempt)
        from accounts join work_queue on account_id = id";
    assert_eq!(app.look(told).await.as_deref(), Some("human_review 1 t 5"));
    let history = "select concat_ws(' ', event, transition_reason) from account_state_history
        order by created_at desc limit 1";
    assert_eq!(app.look(history).await.as_deref(), Some("escalate why it failed"));
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn the_wait_for_a_retry_is_at_most_an_hour_and_its_jitter() {
    let app = start_with_retry_ms(3_600_000).await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    app.run("update work_queue set attempt = 3").await;
    report(&bot, &only(claim(&bot, 1).await)["lease"], "failed").await;
    let wait = app
        .look("select extract(epoch from run_at - now())::int between 2870 and 4320 from work_queue")
        .await;
    assert_eq!(wait.as_deref(), Some("true"));
}

#[tokio::test]
async fn a_step_that_requires_review_hands_the_account_to_a_person_at_once() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let (id, bot) = app.bot("b1").await;
    let items = claim(&bot, 2).await;
    let body = json!({ "results": [
        { "lease": items[0]["lease"], "outcome": "requires_review", "error": "a challenge" },
        { "lease": items[1]["lease"], "outcome": "completed" },
    ] });
    bot.post("/v1/work/report", body).await.expect(200);
    let told = "select concat_ws(' ', event, from_state, to_state, transition_reason, bot_id) from account_state_history
        order by created_at desc limit 1";
    assert_eq!(
        app.look(told).await,
        Some(format!("escalate warming_up human_review a challenge {id}"))
    );
    let log = "select error_message from warmup_step_logs where status = 'requires_review'";
    assert_eq!(app.look(log).await.as_deref(), Some("a challenge"));
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn a_step_whose_lease_ran_out_is_given_to_another_bot_as_the_next_attempt() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (id, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let item = only(claim(&bot, 1).await);
    assert_eq!(app.reap().await, 0, "a lease that lasts is left alone");
    expire(&app).await;
    assert!(
        claim(&other, 1).await.is_empty(),
        "expiry is the reaper's to decide"
    );
    assert_eq!(app.reap().await, 1);
    let log = "select concat_ws(' ', status, completed_at, error_message, bot_id, retry_count) from warmup_step_logs";
    assert_eq!(
        app.look(log).await,
        Some(format!("failed the lease ran out {id} 0"))
    );
    make_due(&app).await;
    let next = only(claim(&other, 1).await);
    assert_eq!(
        (next["attempt"].as_i64(), &next["account"]),
        (Some(2), &item["account"])
    );
    assert_ne!(next["lease"], item["lease"]);
    assert_eq!(
        report(&bot, &item["lease"], "completed").await["verdict"],
        "stale"
    );
    assert_eq!(
        report(&other, &next["lease"], "completed").await["verdict"],
        "accepted"
    );
    app.fold().await;
    assert_eq!(
        app.look("select sum(usage_count) from model_content")
            .await
            .as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn an_account_whose_leases_keep_running_out_is_handed_to_a_person() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    for _ in 0..5 {
        make_due(&app).await;
        only(claim(&bot, 1).await);
        expire(&app).await;
        assert_eq!(app.reap().await, 1);
    }
    let told = "select concat_ws(' ', event, triggered_by, transition_reason) from account_state_history
        order by created_at desc limit 1";
    assert_eq!(
        app.look(told).await.as_deref(),
        Some("escalate scheduler the lease ran out")
    );
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn a_released_step_costs_no_attempt_and_leaves_no_log() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let first = only(claim(&bot, 1).await);
    let states = bot
        .post("/v1/work/release", json!({ "leases": [first["lease"], "999.1"] }))
        .await
        .expect(200);
    assert_eq!(
        (&states["leases"][0]["held"], &states["leases"][1]["held"]),
        (&json!(true), &json!(false))
    );
    let second = only(claim(&bot, 1).await);
    assert_eq!(second["attempt"], 1);
    assert_ne!(first["lease"], second["lease"]);
    assert_eq!(
        report(&bot, &first["lease"], "completed").await["verdict"],
        "stale"
    );
    assert_eq!(
        app.look("select count(*) from warmup_step_logs").await.as_deref(),
        Some("0")
    );
}

#[tokio::test]
async fn an_extended_lease_lasts_a_whole_term_from_now() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let lease = only(claim(&bot, 1).await)["lease"].clone();
    app.run("update work_queue set leased_until = now() + interval '2 seconds'")
        .await;
    let extended = bot
        .post("/v1/work/extend", json!({ "leases": [lease] }))
        .await
        .expect(200);
    assert_eq!(extended["leases"][0]["held"], true);
    let left = app
        .look("select leased_until > now() + interval '50 seconds' from work_queue")
        .await;
    assert_eq!(left.as_deref(), Some("true"));
    expire(&app).await;
    let late = bot
        .post("/v1/work/extend", json!({ "leases": [lease] }))
        .await
        .expect(200);
    assert_eq!(late["leases"][0]["held"], false);
}

#[tokio::test]
async fn an_account_that_is_retired_while_leased_loses_its_lease() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let lease = only(claim(&bot, 1).await)["lease"].clone();
    app.run("update accounts set lifecycle_state = 'cleanup', proxy_id = null")
        .await;
    assert_eq!(report(&bot, &lease, "completed").await["verdict"], "stale");
    app.run(
        "update accounts set lifecycle_state = 'imported', warmup_started_at = null;
        update accounts set lifecycle_state = 'proxy_assigned', proxy_id = 1;
        update accounts set lifecycle_state = 'warming_up', warmup_started_at = now()",
    )
    .await;
    let again = only(claim(&bot, 1).await);
    assert_ne!(again["lease"], lease, "the fencing token does not begin again");
    assert_eq!(report(&bot, &lease, "completed").await["verdict"], "stale");
    assert_eq!(app.look(FAULTS).await, None);
}

#[tokio::test]
async fn all_faults_of_a_claim_and_of_a_report_are_named_at_once() {
    let app = TestApp::start().await;
    let (_, bot) = app.bot("b1").await;
    let pointers = |answer: Value| -> Vec<String> {
        let errors = answer["errors"].as_array().expect("errors").clone();
        errors
            .iter()
            .map(|e| e["pointer"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let claim = bot
        .post("/v1/work/claim", json!({ "max": 0, "wait_ms": 30_001 }))
        .await
        .expect(422);
    assert_eq!(pointers(claim), ["/max", "/wait_ms"]);
    let results = json!([
        { "lease": "1.1", "outcome": "failed", "error": "x".repeat(2001), "execution_time_ms": -1 },
        { "lease": "1.2", "outcome": "failed", "response": "x".repeat(20_000) },
    ]);
    let report = bot
        .post("/v1/work/report", json!({ "results": results }))
        .await
        .expect(422);
    assert_eq!(
        pointers(report),
        [
            "/results/0/execution_time_ms",
            "/results/0/error",
            "/results/1/response"
        ]
    );
    let many: Vec<_> = (0..1001).map(|i| format!("1.{}", i + 1)).collect();
    let release = bot
        .post("/v1/work/release", json!({ "leases": many }))
        .await
        .expect(422);
    assert_eq!(pointers(release), ["/leases"]);
    let empty = bot
        .post("/v1/work/report", json!({ "results": [] }))
        .await
        .expect(422);
    assert_eq!(pointers(empty), ["/results"]);
}

#[tokio::test]
async fn many_uses_wait_to_be_counted_together_and_few_do_not() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let note = |uses: u32| {
        format!(
            "insert into content_uses (tenant_id, content_ids, text_ids, succeeded)
             select tenant_id, array_fill(id, array[{uses}]), array_fill(null::bigint, array[{uses}]),
                 array_fill(true, array[{uses}])
             from model_content order by id limit 1"
        )
    };
    let counted = async || app.look("select max(usage_count) from model_content").await;
    app.run(&note(1_000)).await;
    app.fold().await;
    assert_eq!(counted().await.as_deref(), Some("1000"));
    app.run(&note(1_001)).await;
    app.fold().await;
    assert_eq!(counted().await.as_deref(), Some("1000"));
    app.run("update content_uses set at = at - interval '61 seconds'")
        .await;
    app.fold().await;
    assert_eq!(counted().await.as_deref(), Some("2001"));
}
