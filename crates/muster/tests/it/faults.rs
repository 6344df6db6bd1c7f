//! What breaks around a server under load: its primary is lost and a replica takes its place, its network is slow, cut or
//! silent, its connections are all taken. What was acknowledged is there, and the control, in which nobody waits for the
//! replica, loses some.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use muster::{
    cluster::{self, Cluster},
    replica::{self, Fence},
};
use muster_wire::TenantId;
use nix::sys::signal::{Signal, kill};
use reqwest::{StatusCode, header::RETRY_AFTER};
use secrecy::ExposeSecret;
use sqlx::PgConnection;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};

use crate::support::{
    PATIENCE, http,
    load::{
        Acknowledged, Ground, Load, Served, host, lose, lost, nothing_lost, processes, serve_at, superuser,
    },
    long,
    network::Network,
    watch::Watch,
};

/// How often a primary is lost, as often with the receiver frozen as without, in the short and the long form.
const PROMOTIONS: [usize; 2] = [2, 20];

/// How often the network is cut and slow, in the short and the long form.
const CUTS: [usize; 2] = [3, 20];

/// How often the network falls silent, in the short and the long form.
const SILENCES: [usize; 2] = [1, 5];

/// Accounts that warm up while a network fails: the work does not end before that does.
const ACCOUNTS: [usize; 2] = [6_000, 60_000];

/// How long it may take after the network or the pool is well again until work goes on, in the short and the long form: the short
/// form shares the machine with other tests.
const RECOVERY: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(5)];

/// How long the network is silent for whatever is connected anew, too: longer than anything is waited for.
const DEAD: Duration = Duration::from_secs(6);

/// How long anybody may wait for an answer from a server whose database says nothing: for a connection, for a statement, for the
/// word that it is given up; and a margin, which is wide where the machine is shared with other tests.
const DEADLINE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(6)];

/// How soon there are no errors any more once the network is well, likewise.
const ERRORS_END: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(5)];

/// Clients that want a connection at once, many more than there are.
const CLIENTS: usize = 1_000;

/// When a client that gets no connection is told so, at the latest. The short form shares the machine with other tests, and
/// all the clients are on it too.
const REFUSAL: [Duration; 2] = [Duration::from_secs(8), Duration::from_secs(2)];

/// Steps that are acknowledged while the receiver of the control is frozen: more than what a socket buffers.
const UNRECEIVED_STEPS: u64 = 2_000;

/// A primary under load, with a replica and a server that knows both.
struct Pair {
    ground: Ground,
    replica: Cluster,
    above: TempDir,
    served: Served,
    load: Load,
}

/// What is left of a pair when the primary is lost and the load has stopped.
struct Survivor {
    tenant: TenantId,
    replica: Cluster,
    acknowledged: Acknowledged,
    /// How long nothing was acknowledged.
    away: Duration,
    _folders: [TempDir; 2],
}

impl Pair {
    async fn make(sync: bool) -> Self {
        let ground = Ground::make().await;
        let above = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(above.path(), Permissions::from_mode(0o711)).expect("a mode");
        let dir = above.path().join("replica");
        let of = format!("postgres://{}@{}", cluster::SUPERUSER, host(&ground.cluster));
        replica::create(&of.into(), &dir, sync).await.expect("a replica");
        let replica = replica::start(&dir).await.expect("it starts");
        let served = serve_at(&ground, &[host(&ground.cluster), host(&replica)], &[]);
        let load = Load::start(served.url.clone(), &ground.bot_token().await);
        load.progress(300).await;
        let seen = replica::status(&dir).await.expect("it runs");
        assert_eq!(
            (seen.is_replica, seen.state.as_deref(), seen.is_synchronous),
            (true, Some("streaming"), sync),
            "{seen:?}"
        );
        Self {
            ground,
            replica,
            above,
            served,
            load,
        }
    }

    fn dir(&self) -> PathBuf {
        self.above.path().join("replica")
    }

    /// Stops the process that receives WAL where it is.
    fn freeze(&self) {
        let receivers = processes(&self.replica, "walreceiver");
        assert_eq!(receivers.len(), 1, "it streams");
        kill(receivers[0], Signal::SIGSTOP).expect("SIGSTOP");
    }

    /// The primary is lost and the replica promoted; the load goes on for a while, and stops.
    async fn fail_over(mut self) -> Survivor {
        let dir = self.dir();
        let begun = Instant::now();
        lose(self.ground.cluster).await;
        for receiver in processes(&self.replica, "walreceiver") {
            let _ = kill(receiver, Signal::SIGCONT);
        }
        let promoted = replica::promote(&dir).await.expect("it takes its place");
        assert_eq!(promoted.fence, Fence::NoAnswer);
        self.load.progress(1).await;
        let away = begun.elapsed();
        self.load.progress(300).await;
        let acknowledged = self.load.stop().await;
        self.served.kill();
        Survivor {
            tenant: self.ground.tenant,
            replica: self.replica,
            acknowledged,
            away,
            _folders: [self.above, self.ground.folder],
        }
    }
}

/// Waits until commits of the primary wait for the replica.
async fn until_commits_wait(ground: &Ground) {
    let mut db = ground.superuser().await;
    let waiting = async {
        loop {
            let waits: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity where wait_event = 'SyncRep')",
            )
            .fetch_one(&mut db)
            .await
            .expect("it answers");
            if waits {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("commits wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_promotion_of_a_synchronous_replica_under_load_loses_nothing_acknowledged() {
    for round in 0..PROMOTIONS[long()] {
        let is_frozen = round % 2 == 1;
        let pair = Pair::make(true).await;
        if is_frozen {
            pair.freeze();
            until_commits_wait(&pair.ground).await;
        }
        let left = pair.fail_over().await;
        nothing_lost(&left.replica, left.tenant, &left.acknowledged).await;
        println!(
            "promotion {round}, receiver frozen: {is_frozen}; {} acknowledged, 0 lost; away for {:?}",
            left.acknowledged.steps.len(),
            left.away
        );
        left.replica.stop().await.expect("it stops");
    }
}

/// The control: that the comparison sees a loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_nobody_waits_for_loses_what_it_did_not_receive() {
    let pair = Pair::make(false).await;
    pair.freeze();
    pair.load.progress(UNRECEIVED_STEPS).await;
    let left = pair.fail_over().await;
    let lost = lost(&mut superuser(&left.replica).await, &left.acknowledged).await;
    // What is not there, or was so little there that its lease was given and accepted again.
    let gone = lost.len() + left.acknowledged.doubled.len();
    println!(
        "control: {} acknowledged, {gone} lost; away for {:?}",
        left.acknowledged.steps.len(),
        left.away
    );
    assert!(gone > 0, "the comparison sees no loss");
    left.replica.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_answers_is_fenced_off_before_its_replica_takes_its_place() {
    let mut pair = Pair::make(false).await;
    let dir = pair.dir();
    // The replica is behind, and receives the rest only when the primary is fenced off.
    pair.freeze();
    pair.load.progress(UNRECEIVED_STEPS).await;
    let promoting = tokio::spawn(async move { replica::promote(&dir).await });
    let mut old = superuser(&pair.ground.cluster).await;
    let fenced = async {
        // Its clients are sent away, this one too.
        while !is_read_only(&mut old).await {
            old = superuser(&pair.ground.cluster).await;
        }
    };
    tokio::time::timeout(PATIENCE, fenced)
        .await
        .expect("it is fenced off");
    for receiver in processes(&pair.replica, "walreceiver") {
        kill(receiver, Signal::SIGCONT).expect("SIGCONT");
    }
    let promoted = promoting.await.expect("no panic").expect("it takes its place");
    assert_eq!(promoted.fence, Fence::ReadOnly);
    let dir = pair.dir();
    let mut old = superuser(&pair.ground.cluster).await;
    let refused = sqlx::query("delete from accounts").execute(&mut old).await;
    let refused = refused.expect_err("it is read-only").to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
    pair.load.progress(300).await;
    let acknowledged = pair.load.stop().await;
    pair.served.child.kill().expect("SIGKILL");
    pair.served.child.wait().expect("it is gone");
    // Although no commit waited for the replica, the promotion did.
    nothing_lost(&pair.replica, pair.ground.tenant, &acknowledged).await;
    stands_alone(&pair.replica, &dir).await;
    pair.replica.stop().await.expect("it stops");
    pair.ground.cluster.stop().await.expect("it stops");
}

async fn is_read_only(db: &mut PgConnection) -> bool {
    sqlx::query_scalar("select current_setting('transaction_read_only')::boolean")
        .fetch_one(db)
        .await
        .unwrap_or(false)
}

/// What was promoted has its checksums, waits for nobody and follows nobody, and is not promoted twice.
async fn stands_alone(promoted: &Cluster, dir: &Path) {
    let mut db = superuser(promoted).await;
    for (setting, wanted) in [
        ("data_checksums", "on"),
        ("synchronous_standby_names", ""),
        ("primary_conninfo", ""),
        ("default_transaction_read_only", "off"),
    ] {
        let found: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut db)
            .await
            .expect("a setting");
        assert_eq!(found, wanted, "{setting}");
    }
    assert!(!replica::status(dir).await.expect("it runs").is_replica);
    let again = replica::promote(dir).await.expect_err("it was").to_string();
    assert!(again.contains("already"), "{again}");
}

/// Lets the network fall silent while as many groups of bots are being served as are served at once.
async fn silence_at_work(ground: &Ground, network: &Network) {
    let mut db = ground.superuser().await;
    sqlx::raw_sql("begin; lock table work_queue in access exclusive mode")
        .execute(&mut db)
        .await
        .expect("locked");
    let served = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where usename = 'muster_app' and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut db)
            .await
            .expect("it answers");
            if waiting >= 4 {
                return;
            }
        }
    };
    // Claims and reports, two groups of each, where there is something to report.
    let _ = tokio::time::timeout(Duration::from_secs(2), served).await;
    network.silence();
    sqlx::raw_sql("rollback")
        .execute(&mut db)
        .await
        .expect("unlocked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_or_slow_loses_nothing_and_work_goes_on_when_it_is_well() {
    let ground = Ground::with(ACCOUNTS[long()]).await;
    let network = Network::to(&ground.cluster);
    let mut served = serve_at(&ground, &[network.host()], &["--lease-secs", "10"]);
    let load = Load::start(served.url.clone(), &ground.bot_token().await);
    load.progress(100).await;
    let mut longest = Duration::ZERO;
    for _ in 0..CUTS[long()] {
        network.cut();
        network.slow(true);
        load.progress(20).await;
        network.slow(false);
        network.cut();
        let healed = Instant::now();
        load.progress(1).await;
        longest = longest.max(healed.elapsed());
        load.progress(100).await;
    }
    assert!(longest <= RECOVERY[long()], "{longest:?}");

    let acknowledged = load.stop().await;
    println!(
        "network: {} acknowledged, 0 lost; back {longest:?} after a cut at most",
        acknowledged.steps.len()
    );
    served.kill();
    ground.end(acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_keeps_nobody_waiting_past_the_deadline() {
    let ground = Ground::with(ACCOUNTS[long()]).await;
    let network = Network::to(&ground.cluster);
    let mut served = serve_at(&ground, &[network.host()], &["--lease-secs", "10"]);
    let token = ground.bot_token().await;
    let load = Load::start(served.url.clone(), &token);
    let watch = Watch::start(&load.url, &token);
    load.progress(100).await;
    let (mut bad_for, mut longest, mut silent) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for round in 0..SILENCES[long()] * 2 {
        let begun = Instant::now();
        silence_at_work(&ground, &network).await;
        let fell_silent = Instant::now();
        // Every connection that there is hangs for ever. New ones do not, or not before the network is well again.
        if round % 2 == 1 {
            network.dead(true);
            // This is the fault itself.
            tokio::time::sleep(DEAD).await;
            network.dead(false);
        }
        let healed = Instant::now();
        load.progress(200).await;
        silent = silent.max(healed.elapsed());
        // Whoever waited longer than all errors may last has an answer by now.
        while healed.elapsed() < ERRORS_END[long()] {
            watch.good(20).await;
        }
        bad_for = bad_for.max(watch.since(healed).bad_for);
        longest = longest.max(watch.since(begun).longest);
        assert!(watch.since(fell_silent).good > 0, "the watch sees it");
    }
    watch.stop().await;
    let acknowledged = load.stop().await;
    println!(
        "silence: {} acknowledged, 0 lost; nobody waited longer than {longest:?}; no errors after {bad_for:?}; work went on after \
         {silent:?}",
        acknowledged.steps.len()
    );
    assert!(longest <= DEADLINE[long()], "{longest:?}");
    assert!(bad_for <= ERRORS_END[long()], "{bad_for:?}");
    assert!(silent <= ERRORS_END[long()] * 2, "{silent:?}");
    served.kill();
    ground.end(acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_connection_is_taken_clients_are_told_so_in_time_and_the_server_recovers() {
    let ground = Ground::make().await;
    let hosts = [host(&ground.cluster)];
    let mut served = serve_at(&ground, &hosts, &["--connections", "10"]);
    let token = ground.bot_token().await;
    let http = http();
    let held = format!("{}/v1/work/held", served.url);
    let ask = || http.get(&held).bearer_auth(token.expose_secret()).send();
    assert_eq!(ask().await.expect("an answer").status(), StatusCode::OK);

    // Whoever has a connection waits for this.
    let mut slow = ground.superuser().await;
    sqlx::raw_sql("begin; lock table work_queue in access exclusive mode")
        .execute(&mut slow)
        .await
        .expect("locked");
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let asked = ask();
        clients.spawn(async move {
            let begun = Instant::now();
            let answer = asked.await.expect("an answer");
            let retry_after = answer.headers().contains_key(RETRY_AFTER);
            (answer.status(), retry_after, begun.elapsed())
        });
    }
    let healthz = format!("{}/healthz", served.url);
    let (mut refusals, mut longest, mut unhealthy) = (0, Duration::ZERO, Duration::ZERO);
    // All but those that have a connection.
    while refusals < CLIENTS - 10 {
        let (status, retry_after, took) = clients
            .join_next()
            .await
            .expect("more answers")
            .expect("no panic");
        assert_eq!((status, retry_after), (StatusCode::SERVICE_UNAVAILABLE, true));
        refusals += 1;
        longest = longest.max(took);
        if refusals % 100 == 0 {
            let begun = Instant::now();
            let answer = http.get(&healthz).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
            unhealthy = unhealthy.max(begun.elapsed());
        }
    }
    sqlx::raw_sql("rollback")
        .execute(&mut slow)
        .await
        .expect("unlocked");
    let freed = Instant::now();
    while ask().await.expect("an answer").status() != StatusCode::OK {}
    let back = freed.elapsed();
    println!(
        "pool: {refusals} refused after {longest:?} at most, /healthz after {unhealthy:?}, back after {back:?}"
    );
    assert!(longest <= REFUSAL[long()] && unhealthy <= REFUSAL[long()] && back <= RECOVERY[long()]);
    clients.join_all().await;
    served.kill();
    ground.cluster.stop().await.expect("it stops");
}
