//! Work under concurrency, and under any sequence of events.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use muster::{
    actor::{Actor, Who},
    app::App,
    config::ServeSettings,
    work,
};
use muster_wire::{
    BotId,
    work::{Claim, Leases, Outcome, Report, StepResult},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    support::{Caller, TestApp},
    work::{FAULTS, report},
};

/// Claims that the test of 64 claimers makes together, at least.
const CLAIMS: u64 = 100_000;

async fn start_with_connections(connections: u32) -> TestApp {
    TestApp::start_with(ServeSettings {
        connections,
        retry_ms: 1,
        ..ServeSettings::default()
    })
    .await
}

/// Another server on the same database: what several ask of one is gathered, and would not meet in the database.
fn another(app: &TestApp) -> App {
    App::new(
        app.app.db.clone(),
        app.app.keys.clone(),
        (*app.app.settings).clone(),
    )
}

fn bot_actor(app: &TestApp, id: BotId) -> Actor {
    Actor {
        who: Who::Bot { id },
        ..Actor::system(app.tenant)
    }
}

fn ask(max: u32) -> Claim {
    Claim {
        max,
        wait_ms: 0,
        steps: Vec::new(),
        model_id: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claimers_never_share_a_lease() {
    let app = start_with_connections(64).await;
    app.warm_accounts(4_000).await;
    let given = Arc::new(Mutex::new(HashSet::new()));
    let held = Arc::new(Mutex::new(HashSet::new()));
    let claims = Arc::new(AtomicU64::new(0));
    let mut claimers = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (id, _) = app.bot(&format!("b{n}")).await;
        let (server, actor) = (another(&app), bot_actor(&app, id));
        let (given, held, claims) = (given.clone(), held.clone(), claims.clone());
        claimers.spawn(async move {
            while claims.load(Ordering::Relaxed) < CLAIMS {
                let items = work::claim(&server, &actor, &ask(200))
                    .await
                    .expect("a claim")
                    .items;
                let leases: Vec<_> = items.iter().map(|item| item.lease).collect();
                for lease in &leases {
                    assert!(
                        given.lock().expect("lock").insert(*lease),
                        "{lease} was given twice"
                    );
                    assert!(
                        held.lock().expect("lock").insert(lease.account),
                        "{lease}: its account is leased already"
                    );
                }
                claims.fetch_add(leases.len() as u64, Ordering::Relaxed);
                for lease in &leases {
                    held.lock().expect("lock").remove(&lease.account);
                }
                if !leases.is_empty() {
                    let mut tx = server.db.begin(&actor).await.expect("a transaction");
                    let states = work::release(&mut tx, &actor, &Leases { leases })
                        .await
                        .expect("a release");
                    tx.commit().await.expect("commit");
                    assert!(states.leases.iter().all(|state| state.held));
                }
            }
        });
    }
    while let Some(claimer) = claimers.join_next().await {
        claimer.expect("a claimer");
    }
    assert!(given.lock().expect("lock").len() as u64 >= CLAIMS);
    assert_eq!(
        app.look("select sum(lease) from work_queue").await,
        Some(claims.load(Ordering::Relaxed).to_string())
    );
    assert_eq!(app.look(FAULTS).await, None);
}

/// Bots work while an operator suspends accounts, pauses the model and empties and fills a pool, and leases run out: none
/// of it may deadlock, nothing accepted may be lost, and no hold may outlive its cause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_while_its_causes_change() {
    let app = start_with_connections(16).await;
    let model = app.warm_accounts(120).await;
    let done = tokio_util::sync::CancellationToken::new();
    let mut bots = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (id, _) = app.bot(&format!("b{n}")).await;
        let (server, actor, done) = (another(&app), bot_actor(&app, id), done.clone());
        bots.spawn(async move {
            let mut accepted = 0;
            while !done.is_cancelled() {
                let items = work::claim(&server, &actor, &ask(20))
                    .await
                    .expect("a claim")
                    .items;
                let result = |(i, item): (usize, &muster_wire::work::WorkItem)| StepResult {
                    lease: item.lease,
                    outcome: if (i + n) % 7 == 0 {
                        Outcome::Failed
                    } else {
                        Outcome::Completed
                    },
                    execution_time_ms: 1,
                    response: None,
                    error: None,
                };
                // In any order: it is the server that must lock in one.
                let results: Vec<_> = items.iter().rev().enumerate().map(result).collect();
                if !results.is_empty() {
                    let report = Report {
                        bot_session_id: None,
                        results,
                    };
                    let reported = work::report(&server, &actor, report).await.expect("a report");
                    accepted += reported.receipts.iter().filter(|r| r.outcome.is_some()).count();
                }
            }
            accepted
        });
    }
    let model_sql = format!("where tenant_id = {} and model_id = {model}", app.tenant);
    for round in 0..20 {
        let odd = format!("{model_sql} and id % 3 = {}", round % 3);
        // As everybody does: accounts are locked in their order, and rows of the queue in that of their accounts.
        let accounts = |status: &str, which: &str| {
            format!(
                "update accounts set status = '{status}'
                 where id = any (array(select id from accounts {which} order by id for no key update))"
            )
        };
        app.run(accounts(
            "suspended",
            &format!("{odd} and lifecycle_state = 'warming_up'"),
        ))
        .await;
        app.run(format!("update models set status = 'paused' where id = {model}"))
            .await;
        app.run(format!(
            "delete from model_content {model_sql} and content_type in ('pfp', 'story')"
        ))
        .await;
        app.run(format!("update models set status = 'active' where id = {model}"))
            .await;
        app.run(
            "update work_queue set leased_until = now() - interval '1 ms'
             where account_id = any (array(
                 select account_id from work_queue where state = 'leased' and account_id % 5 = 0
                 order by account_id for no key update)) and state = 'leased'",
        )
        .await;
        app.reap().await;
        app.run(accounts("active", &odd)).await;
        app.run(format!(
            "insert into model_content (tenant_id, model_id, content_type, image_url)
            values ({0}, {model}, 'pfp', 'https://example.com/p'), ({0}, {model}, 'story', 'https://example.com/s')",
            app.tenant
        ))
        .await;
        app.fold().await;
    }
    let working = "select count(*) from work_queue where state in ('ready', 'leased') and run_at <= now()";
    while app.look(working).await.as_deref() != Some("0") {
        // The reaper passes over what a report has locked, and comes again, as it does here.
        app.reap().await;
    }
    done.cancel();
    let mut accepted = 0;
    while let Some(bot) = bots.join_next().await {
        accepted += bot.expect("a bot");
    }
    assert_eq!(
        app.look("select count(*) from warmup_step_logs where completed_at is not null")
            .await,
        Some(accepted.to_string())
    );
    assert_eq!(
        app.look("select count(*) from work_queue where state = 'held'")
            .await
            .as_deref(),
        Some("0")
    );
    assert_eq!(app.look(FAULTS).await, None);
}

/// What can happen to the accounts of a model, one thing at a time. The numbers choose an account, or one of its leases.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Claim(u32),
    Report(usize, Outcome),
    LateReport(usize),
    Expire(usize),
    Release(usize),
    Retire(usize),
    Restore(usize),
    Resume(usize),
    Suspend(usize, bool),
    PauseModel(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let outcome = prop_oneof![4 => Just(Outcome::Completed), 4 => Just(Outcome::Failed), 1 => Just(Outcome::RequiresReview)];
    let n = 0usize..8;
    prop_oneof![
        8 => (1u32..5).prop_map(Claim),
        12 => (n.clone(), outcome).prop_map(|(n, o)| Report(n, o)),
        2 => n.clone().prop_map(LateReport),
        2 => n.clone().prop_map(Expire),
        1 => n.clone().prop_map(Release),
        1 => n.clone().prop_map(Retire),
        1 => n.clone().prop_map(Restore),
        2 => n.clone().prop_map(Resume),
        2 => (n, any::<bool>()).prop_map(|(n, on)| Suspend(n, on)),
        1 => any::<bool>().prop_map(PauseModel),
    ]
}

/// What an account should be, told simply.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    state: &'static str,
    step: i64,
    attempt: i64,
    suspended: bool,
    lease: Option<Value>,
}

impl Expected {
    fn ends(&mut self, outcome: Outcome) {
        self.lease = None;
        match outcome {
            Outcome::Completed if self.step < 5 => (self.step, self.attempt) = (self.step + 1, 0),
            Outcome::Completed => (self.state, self.attempt) = ("human_review", 0),
            Outcome::Failed if self.attempt < 4 => self.attempt += 1,
            Outcome::Failed | Outcome::RequiresReview => (self.state, self.attempt) = ("human_review", 0),
        }
    }
}

struct World<'a> {
    app: &'a TestApp,
    bot: &'a Caller,
    model: i64,
    paused: bool,
    accounts: HashMap<i64, Expected>,
    lost: Vec<Value>,
}

impl World<'_> {
    fn nth(&self, n: usize, which: impl Fn(&Expected) -> bool) -> Option<i64> {
        let mut ids: Vec<_> = self
            .accounts
            .iter()
            .filter(|(_, a)| which(a))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        (!ids.is_empty()).then(|| ids[n % ids.len()])
    }

    fn account(&mut self, id: i64) -> &mut Expected {
        self.accounts.get_mut(&id).expect("one of ours")
    }

    async fn happens(&mut self, what: Happening) {
        let leased = |a: &Expected| a.lease.is_some();
        match what {
            Happening::Claim(max) => self.claim(max).await,
            Happening::Report(n, outcome) => {
                let Some(id) = self.nth(n, leased) else {
                    return;
                };
                let lease = self.account(id).lease.clone().expect("it is leased");
                assert_eq!(
                    report(self.bot, &lease, outcome.word()).await["verdict"],
                    "accepted"
                );
                self.account(id).ends(outcome);
                assert_eq!(
                    report(self.bot, &lease, "failed").await["outcome"],
                    outcome.word()
                );
            }
            Happening::LateReport(n) => {
                if let Some(lease) = self.lost.get(n) {
                    assert_eq!(report(self.bot, lease, "completed").await["verdict"], "stale");
                }
            }
            Happening::Expire(n) => {
                let Some(id) = self.nth(n, leased) else {
                    return;
                };
                self.app
                    .run(format!(
                        "update work_queue set leased_until = now() where account_id = {id}"
                    ))
                    .await;
                assert_eq!(self.app.reap().await, 1);
                let lease = self.account(id).lease.take().expect("it was leased");
                self.lost.push(lease);
                self.account(id).ends(Outcome::Failed);
            }
            Happening::Release(n) => {
                let Some(id) = self.nth(n, leased) else {
                    return;
                };
                let lease = self.account(id).lease.take().expect("it was leased");
                self.bot
                    .post("/v1/work/release", json!({ "leases": [lease] }))
                    .await
                    .expect(200);
                self.lost.push(lease);
            }
            Happening::Retire(n) => {
                let Some(id) = self.nth(n, |a| a.state != "cleanup") else {
                    return;
                };
                self.app
                    .run(format!(
                        "update accounts set lifecycle_state = 'cleanup', proxy_id = null where id = {id}"
                    ))
                    .await;
                let lost = self.account(id).lease.take();
                self.lost.extend(lost);
                self.account(id).state = "cleanup";
            }
            Happening::Restore(n) => {
                let Some(id) = self.nth(n, |a| a.state == "cleanup") else {
                    return;
                };
                self.app.run(format!(
                    "update accounts set lifecycle_state = 'imported', warmup_completed_at = null where id = {id};
                    update accounts set lifecycle_state = 'proxy_assigned',
                        proxy_id = (select min(id) from proxies where account_count < max_accounts and status = 'active')
                        where id = {id};
                    update accounts set lifecycle_state = 'warming_up', warmup_started_at = now() where id = {id}"
                )).await;
                let account = self.account(id);
                (account.state, account.step, account.attempt) = ("warming_up", 1, 0);
            }
            Happening::Resume(n) => {
                // A finished warm-up is not resumed; the database would refuse it.
                let Some(id) = self.nth(n, |a| a.state == "human_review") else {
                    return;
                };
                self.resume(id).await;
            }
            Happening::Suspend(n, suspended) => {
                let Some(id) = self.nth(n, |_| true) else {
                    return;
                };
                let status = if suspended { "suspended" } else { "active" };
                self.app
                    .run(format!("update accounts set status = '{status}' where id = {id}"))
                    .await;
                self.account(id).suspended = suspended;
            }
            Happening::PauseModel(paused) => {
                let status = if paused { "paused" } else { "active" };
                self.app
                    .run(format!(
                        "update models set status = '{status}' where id = {}",
                        self.model
                    ))
                    .await;
                self.paused = paused;
            }
        }
    }

    async fn resume(&mut self, id: i64) {
        self.app
            .run(format!(
                "update accounts set lifecycle_state = 'warming_up' where id = {id} and warmup_completed_at is null"
            ))
            .await;
        let state = self
            .app
            .look(format!("select lifecycle_state from accounts where id = {id}"))
            .await;
        if state.as_deref() == Some("warming_up") {
            let account = self.account(id);
            (account.state, account.attempt) = ("warming_up", 0);
        }
    }

    async fn claim(&mut self, max: u32) {
        self.app
            .run("update work_queue set run_at = now() where state in ('ready', 'held')")
            .await;
        let body = json!({ "max": max, "model_id": self.model });
        let claimed = self.bot.post("/v1/work/claim", body).await.expect(200);
        let items = claimed["items"].as_array().expect("items");
        let paused = self.paused;
        let can = |a: &Expected| a.state == "warming_up" && a.lease.is_none() && !a.suspended && !paused;
        let ready = self.accounts.values().filter(|a| can(a)).count();
        assert_eq!(items.len(), ready.min(max as usize), "{:#?}", self.accounts);
        for item in items {
            let account = self.account(item["account"]["id"].as_i64().expect("an id"));
            assert!(can(account), "{account:?} was handed out");
            assert_eq!(
                (item["step"].as_i64(), item["attempt"].as_i64()),
                (Some(account.step), Some(account.attempt + 1))
            );
            account.lease = Some(item["lease"].clone());
        }
    }

    async fn compare(&self) {
        let mut expected: Vec<_> = self.accounts.iter().collect();
        expected.sort_unstable_by_key(|(id, _)| **id);
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(id, a)| {
                let attempt = if a.state == "warming_up" { a.attempt } else { 0 };
                format!("{id} {} {} {attempt} {}", a.state, a.step, a.lease.is_some())
            })
            .collect();
        let seen = self.app.look(format!(
            "select string_agg(concat_ws(' ', a.id, a.lifecycle_state, q.step,
                case when q.state <> 'idle' then q.attempt else 0 end, (q.state = 'leased')::text), ', ' order by a.id)
            from accounts a join work_queue q on q.account_id = a.id where a.model_id = {}",
            self.model
        ));
        assert_eq!(seen.await, Some(expected.join(", ")));
    }
}

#[test]
fn whatever_happens_queue_accounts_history_and_logs_agree() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (app, bot) = runtime.block_on(async {
        let app = TestApp::start().await;
        let (_, bot) = app.bot("b1").await;
        (app, bot)
    });
    let config = Config {
        cases: 12,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let run = TestRunner::new(config).run(&prop::collection::vec(happening(), 1..40), |happenings| {
        runtime.block_on(async {
            let model = app.warm_accounts(3).await;
            let ids = app
                .look(format!(
                    "select string_agg(id::text, ' ') from accounts where model_id = {model}"
                ))
                .await;
            let ids = ids.expect("accounts");
            let fresh = Expected {
                state: "warming_up",
                step: 1,
                attempt: 0,
                suspended: false,
                lease: None,
            };
            let accounts = ids
                .split(' ')
                .map(|id| (id.parse().expect("an id"), fresh.clone()))
                .collect();
            let mut world = World {
                app: &app,
                bot: &bot,
                model,
                paused: false,
                accounts,
                lost: Vec::new(),
            };
            for what in happenings {
                world.happens(what).await;
                world.compare().await;
            }
            assert_eq!(app.look(FAULTS).await, None);
        });
        Ok(())
    });
    run.expect("the accounts and the model agree");
    let _guard = runtime.enter();
    drop(app);
}
