//! Nothing that was acknowledged is lost: the server, and PostgreSQL under it, are killed at random moments while bots
//! claim and report, and afterwards every acknowledgement is looked for in the database.

use muster::{
    cluster::{self, ServerState},
    config::ServeSettings,
    server::Server,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{
    load::{Ground, Load, serve},
    long,
};

/// How often each thing is killed, in the short and the long form.
const KILLS: [u32; 2] = [20, 100];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_server_at_random_moments_loses_nothing_acknowledged() {
    let ground = Ground::make().await;
    let mut served = serve(&ground);
    let load = Load::start(served.url.clone(), &ground.bot_token().await);
    for round in 0..u64::from(KILLS[long()]) {
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
    for round in 0..u64::from(KILLS[long()]) {
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
