//! Clocks that are wrong: the server's runs an hour ahead of the database's, or behind it. No lease is given while another one of its
//! account runs, and no report of one that ran out is accepted, because no clock but the database's decides. The control, in which
//! leases end an hour early, is seen. A bot whose clock is wrong keeps its leases while it works.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_client::{Client, Done, Worker};
use muster_wire::{
    AccountId,
    work::{Claim, Lease, Leases, Verdict},
};
use reqwest::header::DATE;
use secrecy::{ExposeSecret, SecretString};
use sqlx::Executor;
use tokio::task::JoinSet;

use crate::support::{
    Caller,
    load::{Ground, Served, completed, host, serve_with},
    long,
};

/// Leases that are claimed with each clock, in the short and the long form.
const CLAIMS: [u64; 2] = [2_000, 50_000];

const BOTS: usize = 16;

/// How long a lease lasts. Whoever dawdles reports later than that.
const LEASE_SECS: i64 = 3;

/// One of so many claims is dawdled over until its leases have run out.
const DAWDLES_EVERY: u64 = 40;

/// How much earlier than it was written down a lease may seem to be given: its time is when its transaction began.
const ROUNDING: TimeDelta = TimeDelta::milliseconds(1_000);

/// What bots know of one lease.
struct Known {
    lease: Lease,
    from: DateTime<Utc>,
    /// When it ran out, or was given up or reported before.
    until: DateTime<Utc>,
}

/// What bots saw.
#[derive(Default)]
struct Seen {
    leases: Mutex<Vec<Known>>,
    claims: AtomicU64,
    late: AtomicU64,
    /// Reports of leases that had run out, which were accepted.
    accepted_late: AtomicU64,
}

impl Seen {
    /// How often an account was leased to somebody while it was leased to somebody else.
    fn overlaps(&self) -> usize {
        let mut accounts = HashMap::<AccountId, Vec<&Known>>::new();
        let leases = self.leases.lock().expect("a lock");
        for one in leases.iter() {
            accounts.entry(one.lease.account).or_default().push(one);
        }
        let mut overlaps = 0;
        for mut known in accounts.into_values() {
            known.sort_by_key(|one| one.lease.token);
            overlaps += known
                .windows(2)
                .filter(|pair| {
                    pair[1].from + ROUNDING < pair[0].until || pair[0].lease.token == pair[1].lease.token
                })
                .count();
        }
        overlaps
    }
}

/// Claims until there have been enough.
async fn bot(client: Client, seen: Arc<Seen>, claims: u64) {
    while seen.claims.load(Ordering::Relaxed) < claims {
        let claim = Claim {
            max: 10,
            wait_ms: 500,
            steps: Vec::new(),
            model_id: None,
        };
        let items = client.claim(&claim).await.expect("it claims").items;
        let before = seen.claims.fetch_add(items.len() as u64, Ordering::Relaxed);
        if items.is_empty() {
            continue;
        }
        let turn = before / 10;
        let dawdles = turn.is_multiple_of(DAWDLES_EVERY);
        if dawdles {
            // This is what is tested.
            tokio::time::sleep(Duration::from_secs(LEASE_SECS.unsigned_abs() + 1)).await;
        }
        let until = Utc::now();
        if dawdles || turn.is_multiple_of(4) {
            let report = completed(&items);
            let receipts = client.report(&report).await.expect("it reports").receipts;
            for (item, receipt) in items.iter().zip(receipts) {
                if item.expires_at < until {
                    seen.late.fetch_add(1, Ordering::Relaxed);
                    let accepted = u64::from(receipt.verdict == Verdict::Accepted);
                    seen.accepted_late.fetch_add(accepted, Ordering::Relaxed);
                }
            }
        } else {
            let leases = items.iter().map(|item| item.lease).collect();
            client.release(&Leases { leases }).await.expect("it gives back");
        }
        let known = items.iter().map(|item| Known {
            lease: item.lease,
            from: item.leased_at,
            until: until.min(item.expires_at),
        });
        seen.leases.lock().expect("a lock").extend(known);
    }
}

async fn work(served: &Served, token: &SecretString, claims: u64) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let mut bots = JoinSet::new();
    for _ in 0..BOTS {
        let client = Client::new(&served.url, token.clone()).expect("a client");
        bots.spawn(bot(client, seen.clone(), claims));
    }
    bots.join_all().await;
    seen
}

/// The library that shifts the clocks of a program, where it is installed; `scripts/setup --test` installs it.
fn library() -> PathBuf {
    let found = ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .into_iter()
        .find_map(|folder| {
            let inside = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            [PathBuf::from(folder)]
                .into_iter()
                .chain(inside)
                .find_map(|folder| {
                    let library = folder.join("faketime/libfaketime.so.1");
                    library.exists().then_some(library)
                })
        });
    found.expect("libfaketime: run scripts/setup --test")
}

/// Clocks an hour ahead, and behind.
const SHIFTS: [(&str, i64); 2] = [("+3600", 1), ("-3600", -1)];

/// The variables that shift a program's clock, but for the one that only tells how long something took.
fn shifted<'a>(library: &'a Path, shift: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("LD_PRELOAD", library.to_str().expect("text")),
        ("FAKETIME", shift),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

/// A server whose leases last for [`LEASE_SECS`].
fn serve(ground: &Ground, variables: &[(&str, &str)]) -> Served {
    let lease_secs = LEASE_SECS.to_string();
    let hosts = [host(&ground.cluster)];
    serve_with(ground, &hosts, &["--lease-secs", &lease_secs], variables)
}

/// How far the server's clock is ahead of ours.
async fn ahead(served: &Served) -> TimeDelta {
    let answer = Caller::new(&served.url, None).get("/healthz").await;
    let date = answer.headers[DATE].to_str().expect("text");
    let its = DateTime::parse_from_rfc2822(date).expect("a date");
    its.with_timezone(&Utc) - Utc::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_an_hour_off_gives_no_lease_twice_and_accepts_no_late_report() {
    let ground = Ground::make().await;
    let token = ground.bot_token().await;
    let library = library();
    for (shift, hours) in SHIFTS {
        let mut served = serve(&ground, &shifted(&library, shift));
        let off = ahead(&served).await - TimeDelta::hours(hours);
        assert!(off.abs() < TimeDelta::minutes(1), "its clock is shifted: {off}");
        let seen = work(&served, &token, CLAIMS[long()]).await;
        served.kill();
        let (claims, late) = (
            seen.claims.load(Ordering::Relaxed),
            seen.late.load(Ordering::Relaxed),
        );
        let (overlaps, accepted) = (seen.overlaps(), seen.accepted_late.load(Ordering::Relaxed));
        println!(
            "clock {hours:+} h: {claims} claims, {overlaps} overlapping leases; {late} late reports, {accepted} accepted"
        );
        assert!(late > 0, "nobody dawdled");
        assert_eq!((overlaps, accepted), (0, 0));
    }
    ground.cluster.stop().await.expect("it stops");
}

/// Where the bot of the test below works, and with which token: set in the process in which it does.
const ELSEWHERE: [&str; 2] = ["MUSTER_TEST_BOT_URL", "MUSTER_TEST_BOT_TOKEN"];

/// Steps that a bot works side by side, each for longer than its lease lasts.
const LASTING_STEPS: usize = 10;
const STEP_TAKES: Duration = Duration::from_secs(LEASE_SECS as u64 * 2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_whose_clock_is_an_hour_off_keeps_its_leases_while_it_works() {
    if let [Ok(url), Ok(token)] = ELSEWHERE.map(std::env::var) {
        return work_here(&url, token.into()).await;
    }
    let ground = Ground::with(LASTING_STEPS).await;
    let token = ground.bot_token().await;
    let library = library();
    let mut served = serve(&ground, &[]);
    for (shift, _) in SHIFTS {
        let name = "clocks::a_bot_whose_clock_is_an_hour_off_keeps_its_leases_while_it_works";
        let bot = Command::new(std::env::current_exe().expect("a program"))
            .args([name, "--exact"])
            .envs(
                ELSEWHERE
                    .into_iter()
                    .zip([served.url.as_str(), token.expose_secret()]),
            )
            .envs(shifted(&library, shift))
            .output()
            .expect("it runs");
        assert!(bot.status.success(), "{}", String::from_utf8_lossy(&bot.stdout));
    }
    let log = "select string_agg(distinct status || coalesce(error_message, ''), ', ') || ' ' || count(*) from warmup_step_logs";
    let worked: String = sqlx::query_scalar(log)
        .fetch_one(&mut ground.superuser().await)
        .await
        .expect("a log");
    assert_eq!(worked, format!("completed {}", 2 * LASTING_STEPS));
    served.kill();
    ground.cluster.stop().await.expect("it stops");
}

/// Works as many steps as there are accounts, all at once.
async fn work_here(url: &str, token: SecretString) {
    let begun = Arc::new(AtomicU64::new(0));
    let all = LASTING_STEPS as u64;
    let worker = Worker::new(Client::new(url, token).expect("a client")).concurrency(LASTING_STEPS);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stop = Mutex::new(Some(stop));
    let tally = worker
        .run(
            move |_| {
                if begun.fetch_add(1, Ordering::Relaxed) + 1 == all {
                    // What is under way goes on.
                    let stop = stop.lock().expect("a lock").take().expect("once");
                    stop.send(()).expect("it is waited for");
                }
                async {
                    tokio::time::sleep(STEP_TAKES).await;
                    Ok(Done::default())
                }
            },
            async { stopped.await.expect("it is sent") },
        )
        .await
        .expect("it works");
    assert_eq!((tally.completed, tally.stale, tally.failed), (all, 0, 0));
}

/// The control: that leases which overlap are seen, because something else than the time that was promised ends them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_that_end_an_hour_early_are_seen_to_overlap() {
    let ground = Ground::make().await;
    let token = ground.bot_token().await;
    let mut served = serve(&ground, &[]);
    let mut db = ground.superuser().await;
    let hurry = tokio::spawn(async move {
        loop {
            db.execute(
                "update work_queue set leased_at = leased_at - interval '1 hour', leased_until = leased_until - interval '1 hour'
                 where state = 'leased' and leased_until > now()",
            )
            .await
            .expect("hurried");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let client = Client::new(&served.url, token).expect("a client");
    let seen = Seen::default();
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while seen.overlaps() == 0 {
        assert!(tokio::time::Instant::now() < until, "no overlap is seen");
        let claim = Claim {
            max: 1_000,
            wait_ms: 0,
            steps: Vec::new(),
            model_id: None,
        };
        let items = client.claim(&claim).await.expect("it claims").items;
        let known = items.iter().map(|item| Known {
            lease: item.lease,
            from: item.leased_at,
            until: item.expires_at,
        });
        seen.leases.lock().expect("a lock").extend(known);
    }
    hurry.abort();
    served.kill();
    ground.cluster.stop().await.expect("it stops");
}
