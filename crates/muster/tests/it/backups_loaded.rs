//! Backups beside work: bots ask at 70 % of what the server can do, at a rate that no answer slows down, without a backup and while
//! one is made. Nobody is refused; how much longer the slowest wait is measured.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use muster_client::Client;
use muster_wire::work::{Claim, Verdict};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    recovery::bot_token,
    support::{backed::Ground, load::completed, long, warm::warm_accounts},
};

/// Accounts that warm up, in the short and the long form: more steps than are asked for.
const ACCOUNTS: [usize; 2] = [8_000, 100_000];
/// How long the capacity is measured, and how long each load is kept up.
const SECS: [u64; 2] = [1, 10];
/// How often the load is kept up alone and beside a backup, in turns: the slowest of one time differ from those of the next by a third.
const ROUNDS: [usize; 2] = [2, 6];
/// Who asks without a pause while the capacity is measured.
const BOTS: usize = 16;
/// Steps of one claim.
const STEPS: u32 = 5;
/// The share of the capacity that is asked for, in percent; the short form shares the machine with tests that may begin later.
const LOAD_PERCENT: [f64; 2] = [30.0, 70.0];

/// Claims a few steps and reports them.
async fn work(client: &Client) {
    let claim = Claim {
        max: STEPS,
        wait_ms: 0,
        steps: Vec::new(),
        model_id: None,
    };
    let claimed = client.claim(&claim).await.expect("nobody is refused");
    assert!(!claimed.items.is_empty(), "there is work");
    let reported = client
        .report(&completed(&claimed.items))
        .await
        .expect("nobody is refused");
    assert!(
        reported
            .receipts
            .iter()
            .all(|receipt| receipt.verdict == Verdict::Accepted)
    );
}

/// How often a second work can be done.
async fn capacity(client: &Client) -> f64 {
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut bots = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..BOTS {
        let (client, done, stop) = (client.clone(), done.clone(), stop.clone());
        bots.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                work(&client).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    // This is what is measured.
    tokio::time::sleep(Duration::from_secs(SECS[long()])).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(bot) = bots.join_next().await {
        bot.expect("nobody is refused");
    }
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Has work asked for at this rate until `enough` says so; gives how long each took from when it was due.
async fn load(client: &Client, rate: f64, enough: impl Fn() -> bool) -> Vec<Duration> {
    let took = Arc::new(Mutex::new(Vec::new()));
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    while !enough() {
        let due = ticks.tick().await;
        let (client, took) = (client.clone(), took.clone());
        asked.spawn(async move {
            work(&client).await;
            took.lock().expect("a lock").push(due.elapsed());
        });
    }
    while let Some(one) = asked.join_next().await {
        one.expect("nobody is refused");
    }
    std::mem::take(&mut *took.lock().expect("a lock"))
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_refused_while_a_backup_is_made() {
    let ground = Ground::make().await;
    warm_accounts(&mut ground.superuser().await, ground.tenant, ACCOUNTS[long()]).await;
    let client = Client::new(&ground.server.url(), bot_token(&ground).await).expect("a client");
    let most = capacity(&client).await;
    let rate = most * LOAD_PERCENT[long()] / 100.0;
    let (mut alone, mut beside, mut backups) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS[long()] {
        let until = Instant::now() + Duration::from_secs(SECS[long()]);
        alone.extend(load(&client, rate, || Instant::now() >= until).await);
        let is_done = AtomicBool::new(false);
        let until = Instant::now() + Duration::from_secs(SECS[long()]);
        let backup = async {
            loop {
                ground.backup(&["run", "--full"]).await.expect(0);
                backups += 1;
                if Instant::now() >= until {
                    break;
                }
            }
            is_done.store(true, Ordering::Relaxed);
        };
        let (took, ()) = tokio::join!(load(&client, rate, || is_done.load(Ordering::Relaxed)), backup);
        beside.extend(took);
    }
    let counts = (alone.len(), beside.len());
    let (alone, beside) = (p99(alone), p99(beside));
    println!(
        "{most:.0} claims and reports of {STEPS} steps a second at most; at {rate:.0}: p99 {alone:?} of {}, beside {backups} full backups \
         {beside:?} of {}, {:.2} times; 0 errors",
        counts.0,
        counts.1,
        beside.as_secs_f64() / alone.as_secs_f64()
    );
    ground.end().await;
}
