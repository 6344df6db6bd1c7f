//! Recovery at its limits: a repository that was damaged anywhere, and any instant while bots work.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use muster::{
    actor::Actor,
    backup::Kind,
    cluster::{self, Cluster},
    db::Db,
    doctor,
    tokens::Bearer,
};
use muster_client::Client;
use muster_wire::work::{Claim, Lease, Verdict};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{
    backed::{Ground, files, rfc3339, superuser},
    load::completed,
    long,
    warm::warm_accounts,
};

/// Chooses what is damaged and to which instants is restored, so that what failed once fails again.
const SEED: u64 = 0x6d75_7374_6572;
/// How often the repository is damaged, in the short and the long form.
const DAMAGES: [usize; 2] = [6, 100];
/// To how many instants is restored, by time and by name.
const INSTANTS: [usize; 2] = [3, 100];
/// How long bots work after the backup.
const LOAD_SECS: [u64; 2] = [5, 60];
/// Bots that work meanwhile.
const BOTS: usize = 4;
/// Accounts that warm up: enough that the work does not end before the load.
const ACCOUNTS: [usize; 2] = [6_000, 60_000];
/// Accounts of a database whose recovery is measured, and how long that may take.
const MEASURED: [(usize, u64); 2] = [(2_000, 60), (1_000_000, 180)];
/// What was acknowledged this long before an instant must be there.
const GRACE_SECS: i64 = 1;

/// What is done to a repository.
#[derive(Debug)]
enum Damage {
    Flip { at: usize },
    Cut { to: usize },
    Remove,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_anywhere_in_the_repository_is_noticed_by_the_drill() {
    let ground = Ground::make().await;
    ground.repository.run(Kind::Full, |_| ()).await.expect("a backup");
    ground.account("between.the.backups").await;
    ground
        .repository
        .run(Kind::Incremental, |_| ())
        .await
        .expect("a backup");
    ground.account("after.the.backups").await;
    ground.archive().await;

    let listed = ground.repository.list().await.expect("a list");
    let needed = listed.backups[0].first_segment.clone();
    let mut random = StdRng::seed_from_u64(SEED);
    let kept = ground.path("kept");
    let (mut unnoticed, mut tried) = (Vec::new(), HashMap::new());
    for round in 0..DAMAGES[long()] {
        let (file, damage) = choose(&mut random, &ground.folder(), &needed, round);
        preserve(&file, &kept);
        inflict(&file, &damage);
        let record = ground.repository.drill(None, |_| ()).await.expect("a verdict");
        let name = file
            .strip_prefix(ground.folder())
            .expect("it is below")
            .display()
            .to_string();
        if record.is_good() {
            unnoticed.push(format!("{name}: {damage:?}"));
        }
        let kind = format!("{damage:?}")
            .split(' ')
            .next()
            .expect("a word")
            .to_owned();
        *tried.entry(kind).or_insert(0) += 1;
        preserve(&kept, &file);
    }
    println!("damages: {tried:?}, unnoticed: {}", unnoticed.len());
    assert_eq!(unnoticed, Vec::<String>::new());
    let record = ground.repository.drill(None, |_| ()).await.expect("a verdict");
    assert_eq!(record.faults, Vec::<String>::new(), "the control");
    let noticed: i64 =
        sqlx::query_scalar("select count(*) from backup_runs where event = 'drill' and not good")
            .fetch_one(&mut ground.superuser().await)
            .await
            .expect("the verdicts");
    assert_eq!(
        usize::try_from(noticed).ok(),
        Some(DAMAGES[long()]),
        "verdicts are written down"
    );
    ground.end().await;
}

/// A file of the repository that a restore can need, and what becomes of it: each third time WAL is removed.
fn choose(random: &mut StdRng, repository: &Path, needed: &str, round: usize) -> (PathBuf, Damage) {
    let is_wal = |path: &Path| {
        path.extension().is_some_and(|e| e == "zst") && path.starts_with(repository.join("archive"))
    };
    let found = files(repository).into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).expect("text");
        // WAL from before the first backup is of no use, and two kinds of files are for people to read: what was in
        // backups that are gone, and from when to when each was made.
        let is_read = path.to_string_lossy().contains("backup.history")
            || path.extension().is_some_and(|e| e == "backup");
        path.is_file() && !path.is_symlink() && !is_read && (!is_wal(path) || name >= needed)
    });
    let found: Vec<_> = found.filter(|path| round % 3 != 2 || is_wal(path)).collect();
    let file = found[random.random_range(0..found.len())].clone();
    let length = usize::try_from(fs::metadata(&file).expect("a file").len()).expect("it is small");
    let damage = match round % 3 {
        0 => Damage::Flip {
            at: random.random_range(0..length),
        },
        1 => Damage::Cut {
            to: random.random_range(0..length),
        },
        _ => Damage::Remove,
    };
    (file, damage)
}

fn inflict(file: &Path, damage: &Damage) {
    match *damage {
        Damage::Flip { at } => {
            let mut bytes = fs::read(file).expect("a file");
            bytes[at] ^= 0x10;
            fs::write(file, bytes).expect("written");
        }
        Damage::Cut { to } => {
            let bytes = fs::read(file).expect("a file");
            fs::write(file, &bytes[..to]).expect("written");
        }
        Damage::Remove => fs::remove_file(file).expect("removed"),
    }
}

/// Copies a file over another, with owner and times.
fn preserve(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.expect("cp runs").success());
}

/// A step whose report was acknowledged: when it was sent, and when the answer came.
type Acknowledged = HashMap<Lease, (DateTime<Utc>, DateTime<Utc>)>;

/// A moment to restore to, which lies between two times.
#[derive(Debug)]
struct Instant {
    after: DateTime<Utc>,
    before: DateTime<Utc>,
    name: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_instant_during_load_is_restored_with_all_that_was_acknowledged_before_it() {
    let ground = Ground::make().await;
    warm_accounts(&mut ground.superuser().await, ground.tenant, ACCOUNTS[long()]).await;
    let token = bot_token(&ground).await;
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Arc<Mutex<Acknowledged>> = Arc::default();
    let mut bots = JoinSet::new();
    for _ in 0..BOTS {
        let client = Client::new(&ground.server.url(), token.clone()).expect("a client");
        let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
        bots.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                work_once(&client, &acknowledged).await;
            }
        });
    }
    ground
        .repository
        .run(Kind::Full, |_| ())
        .await
        .expect("a backup during load");
    // pgBackRest knows the end of a backup to the second.
    let begun = Utc::now() + TimeDelta::seconds(1);
    let mut random = StdRng::seed_from_u64(SEED);
    let mut instants = Vec::new();
    let mut db = ground.superuser().await;
    let step = Duration::from_secs(LOAD_SECS[long()]) / u32::try_from(INSTANTS[long()]).expect("a few");
    for number in 0..INSTANTS[long()] {
        // Half of them get a name when they are there; the load goes on for this long for each.
        tokio::time::sleep(step).await;
        let name = (number % 2 == 1).then(|| format!("instant-{number}"));
        if let Some(name) = name {
            let after = Utc::now();
            sqlx::query("select pg_create_restore_point($1)")
                .bind(&name)
                .execute(&mut db)
                .await
                .expect("a restore point");
            instants.push(Instant {
                after,
                before: Utc::now(),
                name: Some(name),
            });
        }
    }
    stop.store(true, Ordering::Relaxed);
    while bots.join_next().await.is_some() {}
    let span = (Utc::now() - begun).num_milliseconds();
    while instants.len() < INSTANTS[long()] {
        let at = begun + TimeDelta::milliseconds(random.random_range(0..span));
        instants.push(Instant {
            after: at,
            before: at,
            name: None,
        });
    }
    let acknowledged = acknowledged.lock().expect("a lock").clone();
    assert!(
        acknowledged.len() > 500,
        "only {} steps: too little was seen",
        acknowledged.len()
    );

    let (mut took, mut findings) = (Vec::new(), Vec::new());
    for instant in &instants {
        let into = ground.path("restored");
        let time = rfc3339(instant.after);
        let to = instant
            .name
            .as_ref()
            .map_or(["--to-time", &time], |name| ["--to-name", name]);
        let arguments = [
            &["restore", "--json", "--into", into.to_str().expect("text")],
            &to[..],
        ]
        .concat();
        let said: Value = serde_json::from_str(&ground.backup(&arguments).await.expect(0)).expect("JSON");
        took.push(said["milliseconds"].as_u64().expect("a duration"));
        let (present, found) = look_into(&into, &ground).await;
        findings.extend(found);
        let (lost, early) = compare(&acknowledged, &present, instant);
        assert!(
            lost.is_empty() && early.is_empty(),
            "{instant:?}: lost {lost:?}, from after it {early:?}"
        );
        // The control: to another instant it would not have been right.
        let moved = |seconds| Instant {
            after: instant.after + TimeDelta::seconds(seconds),
            before: instant.before + TimeDelta::seconds(seconds),
            name: None,
        };
        if instant.after - begun > TimeDelta::seconds(3) {
            let (lost, _) = compare(&acknowledged, &present, &moved(3_600));
            let (_, early) = compare(&acknowledged, &present, &moved(-3));
            let is_last = acknowledged.values().all(|(sent, _)| *sent < instant.before);
            assert!(
                (is_last || !lost.is_empty()) && !early.is_empty(),
                "{instant:?}: the comparison sees nothing"
            );
        }
        cluster::discard(&into).await.expect("removed");
    }
    took.sort_unstable();
    println!(
        "instants: {}, acknowledged: {}, a restore took {} to {} ms",
        instants.len(),
        acknowledged.len(),
        took[0],
        took[took.len() - 1],
    );
    assert_eq!(findings, Vec::<String>::new());
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_says_how_long_recovery_takes() {
    let (accounts, secs_max) = MEASURED[long()];
    let ground = Ground::make().await;
    warm_accounts(&mut ground.superuser().await, ground.tenant, accounts).await;
    let begun = std::time::Instant::now();
    ground.repository.run(Kind::Full, |_| ()).await.expect("a backup");
    let backed_up = begun.elapsed();
    let begun = std::time::Instant::now();
    let record = ground.repository.drill(None, |_| ()).await.expect("a verdict");
    assert_eq!(record.faults, Vec::<String>::new());
    let recovery_ms = record.recovery_ms.expect("it was measured").unsigned_abs();
    println!(
        "{accounts} accounts, {} MiB: backed up in {} ms, recovered in {recovery_ms} ms, drilled in {} ms",
        record.bytes.unwrap_or_default() / 1024 / 1024,
        backed_up.as_millis(),
        begun.elapsed().as_millis(),
    );
    assert!(
        recovery_ms < secs_max * 1_000,
        "it takes longer than {secs_max} s"
    );
    ground.end().await;
}

pub async fn bot_token(ground: &Ground) -> SecretString {
    let actor = Actor::system(ground.tenant);
    let mut tx = ground.server.app.db.begin(&actor).await.expect("a transaction");
    let bot = muster::bots::create(&mut tx, &actor, "loader", "")
        .await
        .expect("a bot");
    let expires = Utc::now() + TimeDelta::days(1);
    let (_, token) = muster::tokens::issue(&mut tx, &actor, "test", Bearer::Bot(bot), expires)
        .await
        .expect("a token");
    tx.commit().await.expect("commit");
    token
}

/// Claims a few steps and reports them, and notes when which was acknowledged.
async fn work_once(client: &Client, acknowledged: &Mutex<Acknowledged>) {
    let claim = Claim {
        max: 5,
        wait_ms: 1_000,
        steps: Vec::new(),
        model_id: None,
    };
    let claimed = client.claim(&claim).await.expect("work goes on");
    if claimed.items.is_empty() {
        return;
    }
    let report = completed(&claimed.items);
    let sent = Utc::now();
    let reported = client.report(&report).await.expect("work goes on");
    let at = Utc::now();
    let accepted = reported
        .receipts
        .into_iter()
        .filter(|receipt| receipt.verdict == Verdict::Accepted);
    let mut known = acknowledged.lock().expect("a lock");
    known.extend(accepted.map(|receipt| (receipt.lease, (sent, at))));
}

/// The steps that a restored database has, and what the doctor finds in it.
async fn look_into(dir: &Path, ground: &Ground) -> (HashSet<(i64, i64)>, Vec<String>) {
    let cluster = Cluster::start(dir, cluster::Settings::default())
        .await
        .expect("what was restored starts");
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select account_id, lease from warmup_step_logs where completed_at is not null")
            .fetch_all(&mut superuser(&cluster).await)
            .await
            .expect("the log");
    let db = Db::connect(cluster.url(cluster::APP, cluster::DATABASE), 1)
        .await
        .expect("the app's role");
    let actor = Actor::system(ground.tenant);
    let mut tx = db.begin_snapshot(&actor).await.expect("a snapshot");
    let findings = doctor::examine(&mut tx, &actor).await.expect("the doctor");
    drop(tx);
    db.close().await;
    cluster.stop().await.expect("it stops");
    let findings = findings.iter().map(|finding| format!("{finding:?}")).collect();
    (rows.into_iter().collect(), findings)
}

/// What was acknowledged before an instant and is not there, and what was sent after it and is.
fn compare(
    acknowledged: &Acknowledged,
    present: &HashSet<(i64, i64)>,
    instant: &Instant,
) -> (Vec<Lease>, Vec<Lease>) {
    let is_there = |lease: &Lease| present.contains(&(lease.account.0, lease.token));
    let (mut lost, mut early) = (Vec::new(), Vec::new());
    for (lease, (sent, at)) in acknowledged {
        if *at < instant.after - TimeDelta::seconds(GRACE_SECS) && !is_there(lease) {
            lost.push(*lease);
        }
        if *sent > instant.before && is_there(lease) {
            early.push(*lease);
        }
    }
    (lost, early)
}
