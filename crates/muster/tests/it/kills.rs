//! Nothing that was acknowledged is lost: the server, and PostgreSQL under it, are killed at random moments while bots
//! claim and report, and afterwards every acknowledgement is looked for in the database.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use muster::{
    actor::Actor,
    cluster::{self, Cluster, ServerState},
    config::ServeSettings,
    db::Db,
    doctor, schema,
    seal::{Keyring, MasterKeys},
    server::Server,
    tenants,
    tokens::Bearer,
};
use muster_client::Client;
use muster_wire::{
    TenantId,
    work::{Claim, Lease, Outcome, Report, StepResult, Verdict},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::warm::warm_accounts;

/// How often each thing is killed.
const KILLS: u32 = 20;

/// Bots that claim and report all the while.
const BOTS: usize = 8;

/// Accounts that warm up. Enough that the work does not end before the killing does.
const ACCOUNTS: usize = 6_000;

/// What the server acknowledged: each lease that was accepted, with its outcome.
type Acknowledged = Arc<Mutex<HashMap<Lease, Outcome>>>;

struct Load {
    url: Arc<Mutex<String>>,
    acknowledged: Acknowledged,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    bots: JoinSet<()>,
}

impl Load {
    fn start(url: String, token: &SecretString) -> Self {
        let mut this = Self {
            url: Arc::new(Mutex::new(url)),
            acknowledged: Acknowledged::default(),
            count: Arc::default(),
            stop: Arc::default(),
            bots: JoinSet::new(),
        };
        for _ in 0..BOTS {
            let (url, acknowledged) = (this.url.clone(), this.acknowledged.clone());
            let (count, stop, token) = (this.count.clone(), this.stop.clone(), token.clone());
            this.bots.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let url = url.lock().expect("a lock").clone();
                    let client = Client::new(&url, token.clone()).expect("a client");
                    work_once(&client, &acknowledged, &count).await;
                }
            });
        }
        this
    }

    /// Waits until this many more steps have been acknowledged, so that a kill falls into work that goes on.
    async fn progress(&self, steps: u64) {
        let until = self.count.load(Ordering::Relaxed) + steps;
        let waited = async {
            while self.count.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waited)
            .await
            .expect("work goes on");
    }

    async fn stop(mut self) -> HashMap<Lease, Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        while self.bots.join_next().await.is_some() {}
        let acknowledged = self.acknowledged.lock().expect("a lock");
        acknowledged.clone()
    }
}

/// Claims a few steps and reports them; what breaks on the way is the point of the test.
async fn work_once(client: &Client, acknowledged: &Acknowledged, count: &AtomicU64) {
    let claim = Claim {
        max: 10,
        wait_ms: 0,
        steps: Vec::new(),
        model_id: None,
    };
    let Ok(Ok(claimed)) = tokio::time::timeout(Duration::from_secs(5), client.claim(&claim)).await else {
        return;
    };
    if claimed.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        return;
    }
    let results: Vec<_> = claimed
        .items
        .iter()
        .enumerate()
        .map(|(i, item)| StepResult {
            lease: item.lease,
            outcome: if i % 7 == 6 {
                Outcome::Failed
            } else {
                Outcome::Completed
            },
            execution_time_ms: 5,
            response: None,
            error: None,
        })
        .collect();
    let report = Report {
        bot_session_id: None,
        results,
    };
    let Ok(Ok(reported)) = tokio::time::timeout(Duration::from_secs(20), client.report(&report)).await else {
        return;
    };
    let mut known = acknowledged.lock().expect("a lock");
    for receipt in reported.receipts {
        // A repeated report is told `duplicate`; that acknowledges too.
        if let (Verdict::Accepted | Verdict::Duplicate, Some(outcome)) = (receipt.verdict, receipt.outcome) {
            let before = known.insert(receipt.lease, outcome);
            assert!(before.is_none(), "lease {} was acknowledged twice", receipt.lease);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Every acknowledged step is in the log, once, with the outcome that was acknowledged.
async fn nothing_lost(db: &mut PgConnection, acknowledged: HashMap<Lease, Outcome>) {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select account_id, lease, status from warmup_step_logs where completed_at is not null",
    )
    .fetch_all(db)
    .await
    .expect("the log");
    let stored: HashMap<(i64, i64), String> = rows.iter().map(|(a, l, s)| ((*a, *l), s.clone())).collect();
    assert_eq!(stored.len(), rows.len(), "a lease is in the log twice");
    assert!(
        acknowledged.len() > 500,
        "only {} steps: the test saw too little",
        acknowledged.len()
    );
    for (lease, outcome) in &acknowledged {
        let status = stored.get(&(lease.account.0, lease.token)).map(String::as_str);
        assert_eq!(
            status,
            Some(outcome.word()),
            "lease {lease}, of {}",
            acknowledged.len()
        );
    }
}

/// A durable cluster of its own, with accounts that warm up: what the tests' shared one is not.
struct Ground {
    cluster: Cluster,
    tenant: TenantId,
    keys: Keyring,
    folder: TempDir,
}

impl Ground {
    async fn make() -> Self {
        let cluster = Cluster::temporary(cluster::Settings::default())
            .await
            .expect("a cluster");
        let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
        schema::migrate(&owner_role).await.expect("it migrates");
        let folder = tempfile::tempdir().expect("a folder");
        let keys =
            Keyring::new(MasterKeys::read_or_create(&folder.path().join("master.key")).expect("a key"));
        let made = tenants::create(&owner_role, &keys, "First", "ana@example.com", "Ana")
            .await
            .expect("a tenant");
        let this = Self {
            cluster,
            tenant: made.tenant,
            keys,
            folder,
        };
        warm_accounts(&mut this.superuser().await, this.tenant, ACCOUNTS).await;
        this
    }

    async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&self.cluster.url(cluster::SUPERUSER, cluster::DATABASE))
            .await
            .expect("a connection")
    }

    async fn db(&self) -> Db {
        Db::connect(self.cluster.url(cluster::APP, cluster::DATABASE), 2)
            .await
            .expect("the app's role")
    }

    async fn bot_token(&self) -> SecretString {
        let db = self.db().await;
        let actor = Actor::system(self.tenant);
        let mut tx = db.begin(&actor).await.expect("a transaction");
        let bot = muster::bots::create(&mut tx, &actor, "killed", "")
            .await
            .expect("a bot");
        let expires = chrono::Utc::now() + chrono::Duration::days(1);
        let (_, token) = muster::tokens::issue(&mut tx, &actor, "test", Bearer::Bot(bot), expires)
            .await
            .expect("a token");
        tx.commit().await.expect("commit");
        token
    }

    /// Everything that was acknowledged is there, the doctor is silent, and nothing is left behind.
    async fn end(self, acknowledged: HashMap<Lease, Outcome>) {
        nothing_lost(&mut self.superuser().await, acknowledged).await;
        let actor = Actor::system(self.tenant);
        let mut tx = self.db().await.begin_snapshot(&actor).await.expect("a snapshot");
        let findings = doctor::examine(&mut tx, &actor).await.expect("the doctor");
        assert!(findings.is_empty(), "{findings:#?}");
        drop(tx);
        self.cluster.stop().await.expect("it stops");
    }
}

struct Served {
    child: Child,
    url: String,
}

/// Starts the real binary and waits until it says where it serves.
fn serve(ground: &Ground) -> Served {
    let url = |role: &str| {
        ground
            .cluster
            .url(role, cluster::DATABASE)
            .to_url_lossy()
            .to_string()
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["serve", "--listen", "127.0.0.1:0", "--retry-ms", "1"])
        .env("MUSTER_DATABASE_URL", url(cluster::APP))
        .env("MUSTER_SCHEDULER_URL", url(cluster::SCHEDULER))
        .env("MUSTER_MASTER_KEY_FILE", ground.folder.path().join("master.key"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("muster starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let line = lines.next().expect("it says where it serves").expect("a line");
    let url = line.rsplit(' ').next().expect("an address").to_owned();
    assert!(url.starts_with("http://"), "{line}");
    Served { child, url }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_at_random_moments_loses_nothing_acknowledged() {
    let ground = Ground::make().await;
    let mut served = serve(&ground);
    let load = Load::start(served.url.clone(), &ground.bot_token().await);
    for round in 0..u64::from(KILLS) {
        load.progress(20 + 37 * (round % 5)).await;
        served.child.kill().expect("SIGKILL");
        served.child.wait().expect("it is gone");
        served = serve(&ground);
        load.url.lock().expect("a lock").clone_from(&served.url);
    }
    load.progress(20).await;
    let acknowledged = load.stop().await;
    served.child.kill().expect("SIGKILL");
    served.child.wait().expect("it is gone");
    ground.end(acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_postgres_at_random_moments_loses_nothing_acknowledged() {
    let ground = Ground::make().await;
    let settings = ServeSettings {
        listen: ([127, 0, 0, 1], 0).into(),
        retry_ms: 1,
        lease_secs: 10,
        ..ServeSettings::default()
    };
    let server = Server::start(
        ground.cluster.url(cluster::APP, cluster::DATABASE),
        ground.cluster.url(cluster::SCHEDULER, cluster::DATABASE),
        ground.keys.clone(),
        settings,
    )
    .await
    .expect("it serves");
    let mut state = ground.cluster.state();
    let load = Load::start(server.url(), &ground.bot_token().await);
    for round in 0..u64::from(KILLS) {
        load.progress(20 + 37 * (round % 5)).await;
        let running = state
            .wait_for(|s| matches!(s, ServerState::Running { .. }))
            .await
            .expect("it runs");
        let ServerState::Running { pid: before } = *running else {
            unreachable!("waited for")
        };
        drop(running);
        kill(
            Pid::from_raw(i32::try_from(before).expect("a pid")),
            Signal::SIGKILL,
        )
        .expect("SIGKILL");
        let back = |s: &ServerState| matches!(s, ServerState::Running { pid } if *pid != before);
        state.wait_for(back).await.expect("it comes back");
    }
    load.progress(20).await;
    let acknowledged = load.stop().await;
    server.stop().await.expect("it stops");
    ground.end(acknowledged).await;
}
