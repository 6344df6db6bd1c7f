//! A load of bots that claim and report over HTTP and keep every acknowledgement, what it runs on, and the comparison of
//! what was acknowledged with what is stored.

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
    cluster::{self, Cluster},
    db::Db,
    doctor, schema,
    seal::{Keyring, MasterKeys},
    tenants,
    tokens::Bearer,
};
use muster_client::Client;
use muster_wire::{
    OperatorId, Role, TenantId,
    work::{Claim, Lease, Outcome, Report, StepResult, Verdict, WorkItem},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};

use super::warm::warm_accounts;

/// Bots that claim and report all the while.
const BOTS: usize = 32;

/// Accounts that warm up. Enough that the work does not end before the killing does.
const ACCOUNTS: usize = 6_000;

/// How long nothing at all may be acknowledged before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server acknowledged.
#[derive(Default)]
pub struct Acknowledged {
    /// Each lease that was accepted, with its outcome.
    pub steps: HashMap<Lease, Outcome>,
    /// Those that were accepted a second time.
    pub doubled: Vec<Lease>,
}

pub struct Load {
    /// Where the bots send their requests.
    pub url: Arc<Mutex<String>>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    bots: JoinSet<()>,
}

impl Load {
    pub fn start(url: String, token: &SecretString) -> Self {
        let mut this = Self {
            url: Arc::new(Mutex::new(url)),
            acknowledged: Arc::default(),
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
    pub async fn progress(&self, steps: u64) {
        let mut known = self.count();
        let (until, mut since) = (known + steps, Instant::now());
        while known < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
            if self.count() > known {
                (known, since) = (self.count(), Instant::now());
            }
            assert!(
                since.elapsed() < PATIENCE,
                "no work goes on at {known}, wanted {until}"
            );
        }
    }

    /// How many steps have been acknowledged.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub async fn stop(mut self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        while self.bots.join_next().await.is_some() {}
        std::mem::take(&mut *self.acknowledged.lock().expect("a lock"))
    }
}

/// The report that all of these steps were done.
pub fn completed(items: &[WorkItem]) -> Report {
    let results = items.iter().map(|item| StepResult {
        lease: item.lease,
        outcome: Outcome::Completed,
        execution_time_ms: 5,
        response: None,
        error: None,
    });
    Report {
        bot_session_id: None,
        results: results.collect(),
    }
}

/// Claims a few steps and reports them; what breaks on the way is the point of the test.
async fn work_once(client: &Client, acknowledged: &Mutex<Acknowledged>, count: &AtomicU64) {
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
            if known.steps.insert(receipt.lease, outcome).is_some() {
                known.doubled.push(receipt.lease);
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The acknowledged steps that are not in the log as they were acknowledged. None may be there twice.
pub async fn lost(db: &mut PgConnection, acknowledged: &Acknowledged) -> Vec<Lease> {
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(
        "select account_id, lease, status from warmup_step_logs where completed_at is not null",
    )
    .fetch_all(db)
    .await
    .expect("the log");
    let stored: HashMap<(i64, i64), String> = rows.iter().map(|(a, l, s)| ((*a, *l), s.clone())).collect();
    assert_eq!(stored.len(), rows.len(), "a lease is in the log twice");
    let is_stored = |lease: &Lease, outcome: &Outcome| {
        let status = stored.get(&(lease.account.0, lease.token)).map(String::as_str);
        status == Some(outcome.word())
    };
    let lost = acknowledged
        .steps
        .iter()
        .filter(|(lease, outcome)| !is_stored(lease, outcome));
    lost.map(|(lease, _)| *lease).collect()
}

/// Everything that was acknowledged is there, once, and the doctor is silent.
pub async fn nothing_lost(cluster: &Cluster, tenant: TenantId, acknowledged: &Acknowledged) {
    assert!(
        acknowledged.steps.len() > 500,
        "only {} steps: the test saw too little",
        acknowledged.steps.len()
    );
    assert!(
        acknowledged.doubled.is_empty(),
        "acknowledged twice: {:?}",
        acknowledged.doubled
    );
    let lost = lost(&mut superuser(cluster).await, acknowledged).await;
    assert!(lost.is_empty(), "of {}: {lost:?}", acknowledged.steps.len());
    let actor = Actor::system(tenant);
    let db = app_role(cluster).await;
    let mut tx = db.begin_snapshot(&actor).await.expect("a snapshot");
    let findings = doctor::examine(&mut tx, &actor).await.expect("the doctor");
    assert!(findings.is_empty(), "{findings:#?}");
}

pub async fn superuser(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.url(cluster::SUPERUSER, cluster::DATABASE))
        .await
        .expect("a connection")
}

async fn app_role(cluster: &Cluster) -> Db {
    Db::connect(cluster.url(cluster::APP, cluster::DATABASE), 2)
        .await
        .expect("the app's role")
}

/// A durable cluster of its own, with accounts that warm up: what the tests' shared one is not.
pub struct Ground {
    pub cluster: Cluster,
    pub tenant: TenantId,
    pub owner: OperatorId,
    pub keys: Keyring,
    pub folder: TempDir,
}

impl Ground {
    pub async fn make() -> Self {
        Self::with(ACCOUNTS).await
    }

    /// With this many accounts.
    pub async fn with(accounts: usize) -> Self {
        let cluster = Cluster::temporary(cluster::Settings::default())
            .await
            .expect("a cluster");
        Self::on(cluster, accounts).await
    }

    /// On a cluster that is new.
    pub async fn on(cluster: Cluster, accounts: usize) -> Self {
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
            owner: made.owner,
            keys,
            folder,
        };
        warm_accounts(&mut this.superuser().await, this.tenant, accounts).await;
        this
    }

    pub async fn superuser(&self) -> PgConnection {
        superuser(&self.cluster).await
    }

    pub async fn bot_token(&self) -> SecretString {
        let db = app_role(&self.cluster).await;
        let actor = Actor::system(self.tenant);
        let mut tx = db.begin(&actor).await.expect("a transaction");
        let bot = muster::bots::create(&mut tx, &actor, "killed", "")
            .await
            .expect("a bot");
        tx.commit().await.expect("commit");
        self.token(Bearer::Bot(bot)).await
    }

    pub async fn owner_token(&self) -> SecretString {
        self.token(Bearer::Operator(self.owner, Role::Owner)).await
    }

    async fn token(&self, bearer: Bearer) -> SecretString {
        let db = app_role(&self.cluster).await;
        let actor = Actor::system(self.tenant);
        let mut tx = db.begin(&actor).await.expect("a transaction");
        let expires = chrono::Utc::now() + chrono::Duration::days(1);
        let (_, token) = muster::tokens::issue(&mut tx, &actor, "test", bearer, expires)
            .await
            .expect("a token");
        tx.commit().await.expect("commit");
        token
    }

    /// Everything that was acknowledged is there, the doctor is silent, and nothing is left behind.
    pub async fn end(self, acknowledged: Acknowledged) {
        nothing_lost(&self.cluster, self.tenant, &acknowledged).await;
        self.cluster.stop().await.expect("it stops");
    }
}

pub struct Served {
    pub child: Child,
    pub url: String,
}

impl Served {
    /// Ends it at once, without a chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it is gone");
    }
}

impl Drop for Served {
    /// Where a test fails, nothing is left behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the real binary on the cluster and waits until it says where it serves.
pub fn serve(ground: &Ground) -> Served {
    serve_at(ground, &[host(&ground.cluster)], &[])
}

/// The same on these hosts, with these options besides.
pub fn serve_at(ground: &Ground, hosts: &[String], options: &[&str]) -> Served {
    serve_with(ground, hosts, options, &[])
}

/// The same with these variables in its environment besides.
pub fn serve_with(ground: &Ground, hosts: &[String], options: &[&str], variables: &[(&str, &str)]) -> Served {
    let url = |role: &str| format!("postgres://{role}@{}/{}", hosts.join(","), cluster::DATABASE);
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["serve", "--listen", "127.0.0.1:0", "--retry-ms", "1"])
        .args(options)
        .envs(variables.iter().copied())
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

/// The host of an address: the encoded path of the socket's folder.
pub fn host(cluster: &Cluster) -> String {
    let url = cluster.url(cluster::APP, cluster::DATABASE).to_url_lossy();
    url.host_str().expect("a host").to_owned()
}

/// The processes of a cluster's PostgreSQL whose title contains these words; all of them where there are none.
pub fn processes(cluster: &Cluster, title: &str) -> Vec<Pid> {
    let wanted = std::fs::canonicalize(&cluster.layout().data).expect("it is there");
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    all.filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == wanted))
        .filter(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(title)
        })
        .filter_map(|process| Some(Pid::from_raw(process.file_name().to_str()?.parse().ok()?)))
        .collect()
}

/// Ends PostgreSQL at once, all of it, so that it does not come back: as when its machine is lost.
pub async fn lose(cluster: Cluster) {
    for pid in processes(&cluster, "") {
        let _ = kill(pid, Signal::SIGKILL);
    }
    cluster.stop().await.expect("nothing is left");
}
