//! Nothing that was acknowledged is lost: the server, and PostgreSQL under it, are killed at random moments while bots
//! claim and report, and afterwards every acknowledgement is looked for in the database. The control, in which commits do not
//! wait for the disk, loses some.

use std::time::Duration;

use muster::cluster::ServerState;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sqlx::Executor;
use tokio::time::Instant;

use crate::support::{
    load::{Ground, Load, Served, lost, processes, serve, superuser},
    long,
    watch::Watch,
};

/// How often, and for how long, it is done.
struct Form {
    /// Databases, one after the other.
    grounds: usize,
    /// Enough that the work does not end before the killing does.
    accounts: usize,
    /// Kills in each.
    cycles: usize,
    /// Steps that are acknowledged between two kills, on average.
    steps: u64,
}

/// The short and the long form.
const FORMS: [Form; 2] = [
    Form {
        grounds: 1,
        accounts: 6_000,
        cycles: 21,
        steps: 100,
    },
    Form {
        grounds: 20,
        accounts: 30_000,
        cycles: 10,
        steps: 6_000,
    },
];

/// How soon it serves again, for 95 of 100 kills. The short form shares the machine with other tests.
const BACK: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(5)];

/// Steps that the control has acknowledged while nothing is written to disk.
const UNWRITTEN_STEPS: u64 = 500;

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// The server.
    Server,
    /// PostgreSQL's first process.
    Postmaster,
    /// One of those that serve connections; PostgreSQL then starts all of them anew.
    Backend,
    /// All of those.
    Backends,
    /// All of PostgreSQL, and the server.
    All,
    /// One connection, in order.
    Connection,
    /// All connections, in order.
    Connections,
}

const VICTIMS: [Victim; 7] = [
    Victim::Server,
    Victim::Postmaster,
    Victim::Backend,
    Victim::Backends,
    Victim::All,
    Victim::Connection,
    Victim::Connections,
];

impl Victim {
    /// Kills it, and starts what nobody else starts.
    async fn strike(self, ground: &Ground, served: &mut Served, random: &mut StdRng) {
        let mut backends = processes(&ground.cluster, "muster_app");
        let mut state = ground.cluster.state();
        let ServerState::Running { pid: postmaster } = *state.borrow_and_update() else {
            // Still down from the last strike.
            return;
        };
        match self {
            Victim::Server => served.kill(),
            Victim::Postmaster => {
                let _ = kill(Pid::from_raw(postmaster.cast_signed()), Signal::SIGKILL);
            }
            Victim::Backend => backends = backends.choose(random).copied().into_iter().collect(),
            Victim::Backends => {}
            Victim::All => {
                served.kill();
                backends = processes(&ground.cluster, "");
            }
            Victim::Connection | Victim::Connections => {
                let end = match self {
                    Victim::Connection => "limit 1",
                    _ => "",
                };
                let end = format!(
                    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'muster_app' {end}"
                );
                let mut db = ground.superuser().await;
                db.execute(sqlx::AssertSqlSafe(end)).await.expect("ended");
            }
        }
        if matches!(self, Victim::Backend | Victim::Backends | Victim::All) {
            for pid in backends {
                // Some may be gone already, with the first of them.
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        if matches!(self, Victim::Server | Victim::All) {
            if matches!(self, Victim::All) {
                let anew =
                    |state: &ServerState| matches!(state, ServerState::Running { pid } if *pid != postmaster);
                state.wait_for(anew).await.expect("it runs");
            }
            *served = serve(ground);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_anything_at_random_moments_loses_nothing_acknowledged() {
    let form = &FORMS[long()];
    let seed = rand::random::<u64>();
    println!("kills: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut acknowledged, mut back, mut p95) = (0, Vec::new(), Duration::ZERO);
    for round in 0..form.grounds {
        let ground = Ground::with(form.accounts).await;
        let mut served = serve(&ground);
        let token = ground.bot_token().await;
        let load = Load::start(served.url.clone(), &token);
        let watch = Watch::start(&load.url, &token);
        for cycle in 0..form.cycles {
            load.progress(random.random_range(1..form.steps * 2)).await;
            let victim = VICTIMS[(round * form.cycles + cycle) % VICTIMS.len()];
            let struck = Instant::now();
            victim.strike(&ground, &mut served, &mut random).await;
            load.url.lock().expect("a lock").clone_from(&served.url);
            watch.good(20).await;
            back.push((watch.since(struck).bad_for, victim));
        }
        load.progress(20).await;
        watch.stop().await;
        let kept = load.stop().await;
        acknowledged += kept.steps.len();
        served.kill();
        ground.end(kept).await;
        back.sort_by_key(|(took, _)| *took);
        p95 = back[(back.len() * 95).div_ceil(100) - 1].0;
        println!(
            "kills: {} kills, {acknowledged} acknowledged, 0 lost, 0 doubled; serving again after {:?} at the median, {p95:?} at \
             the 95th percentile, {:?} at most",
            back.len(),
            back[back.len() / 2].0,
            back[back.len() - 1]
        );
    }
    assert!(p95 <= BACK[long()], "{back:?}");
}

/// The control: that the comparison sees a loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_do_not_wait_for_the_disk_are_lost_when_postgres_is_killed() {
    let ground = Ground::make().await;
    let mut served = serve(&ground);
    let load = Load::start(served.url.clone(), &ground.bot_token().await);
    load.progress(100).await;
    commit_without_waiting(&ground).await;
    for writer in processes(&ground.cluster, "walwriter") {
        kill(writer, Signal::SIGSTOP).expect("SIGSTOP");
    }
    load.progress(UNWRITTEN_STEPS).await;
    let restarted = {
        let mut state = ground.cluster.state();
        state.mark_unchanged();
        for pid in processes(&ground.cluster, "") {
            let _ = kill(pid, Signal::SIGKILL);
        }
        state
    };
    until_running_again(restarted).await;
    load.progress(20).await;
    let acknowledged = load.stop().await;
    served.kill();
    let lost = lost(&mut superuser(&ground.cluster).await, &acknowledged).await;
    let gone = lost.len() + acknowledged.doubled.len();
    println!(
        "kills, control: {} acknowledged, {gone} lost",
        acknowledged.steps.len()
    );
    assert!(gone > 0, "the comparison sees no loss");
    ground.cluster.stop().await.expect("it stops");
}

/// Has commits acknowledged before they are written, which the server refuses when it starts, on connections of its from now on.
pub async fn commit_without_waiting(ground: &Ground) {
    let mut db = ground.superuser().await;
    db.execute("alter role muster_app set synchronous_commit = off")
        .await
        .expect("altered");
    db.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'muster_app'")
        .await
        .expect("ended");
}

async fn until_running_again(mut state: tokio::sync::watch::Receiver<ServerState>) {
    state.changed().await.expect("it is noticed");
    let running = |state: &ServerState| matches!(state, ServerState::Running { .. });
    state.wait_for(running).await.expect("it runs");
}
