//! Open consoles: however many there are, all hear of a change, and the database does not hear of them.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use muster::{
    access::SESSION_COOKIE,
    cluster,
    config::ServeSettings,
    console::live::LOOK_AGAIN_SECS,
    server::Server,
    token::{self, TokenKind},
};
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::{
    support::{Caller, load::Ground},
    work::{claim, only, report},
};

/// Consoles that are open at once.
const CONSOLES: usize = 1_000;

/// Within this a console has heard what it would see by itself only when it looks again.
const HEARD_SECS_MAX: u64 = LOOK_AGAIN_SECS - 5;

/// A server as it is run, on this database.
async fn server(ground: &Ground) -> Server {
    Server::start(
        ground.cluster.url(cluster::APP, cluster::DATABASE),
        ground.cluster.url(cluster::SCHEDULER, cluster::DATABASE),
        ground.keys.clone(),
        ServeSettings {
            listen: ([127, 0, 0, 1], 0).into(),
            connections: 2,
            ..ServeSettings::default()
        },
    )
    .await
    .expect("it serves")
}

/// The cookie of somebody who is signed in.
async fn cookie(ground: &Ground, db: &mut PgConnection) -> String {
    let secret = token::mint(TokenKind::Session, ground.tenant);
    sqlx::query(
        "insert into sessions (tenant_id, token_hash, operator_id, expires_at)
         select tenant_id, $1, operator_id, now() + interval '30 minutes' from memberships",
    )
    .bind(&token::hash(&secret)[..])
    .execute(db)
    .await
    .expect("a session");
    format!("{SESSION_COOKIE}={}", secret.expose_secret())
}

/// Opens the stream of a console.
async fn console(url: &str, cookie: &str) -> Response {
    let request = Caller::new(url, None)
        .request(Method::GET, "/live")
        .header("cookie", cookie);
    let stream = request.send().await.expect("an answer");
    assert_eq!(stream.status(), 200);
    stream
}

/// Waits for what the stream says next.
async fn hears(stream: &mut Response) {
    let said = timeout(Duration::from_secs(HEARD_SECS_MAX), stream.chunk()).await;
    let said = said.expect("it hears in time").expect("the stream is whole");
    assert_eq!(&said.expect("it goes on")[..], b"event: changed\ndata: 1\n\n");
}

/// The connections of the servers, and how many of them listen.
async fn connections(db: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as(
        "select count(*), count(*) filter (where query ilike 'listen%') from pg_stat_activity
         where usename in ('muster_app', 'muster_scheduler')",
    )
    .fetch_one(db)
    .await
    .expect("counts")
}

/// Waits until so many servers listen.
async fn listening(db: &mut PgConnection, servers: i64) {
    let listening = async { while connections(db).await.1 != servers {} };
    timeout(Duration::from_secs(HEARD_SECS_MAX), listening)
        .await
        .expect("they listen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_open_consoles_cost_one_listener_and_hear_of_a_step_that_a_bot_finished() {
    let ground = Ground::make().await;
    let mut db = ground.superuser().await;
    let cookie = cookie(&ground, &mut db).await;
    let server = server(&ground).await;
    let url = server.url();
    let bot = Caller::new(&url, Some(ground.bot_token().await));
    let item = only(claim(&bot, 1).await);
    listening(&mut db, 1).await;
    let before = connections(&mut db).await;
    let mut consoles = Vec::with_capacity(CONSOLES);
    while consoles.len() < CONSOLES {
        let more = (consoles.len()..CONSOLES)
            .take(50)
            .map(|_| console(&url, &cookie));
        consoles.extend(join_all(more).await);
    }
    report(&bot, &item["lease"], "completed").await;
    join_all(consoles.iter_mut().map(hears)).await;
    let during = connections(&mut db).await;
    assert_eq!((before.1, during.1), (1, 1), "one of the connections listens");
    assert!(during.0 <= before.0 + 1, "{before:?} {during:?}");
    drop(consoles);
    server.stop().await.expect("it stops");
    ground.cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_on_one_server_is_heard_on_the_others_also_after_the_connection_was_lost() {
    let ground = Ground::make().await;
    let mut db = ground.superuser().await;
    let cookie = cookie(&ground, &mut db).await;
    let (here, there) = (server(&ground).await, server(&ground).await);
    let bot = Caller::new(&here.url(), Some(ground.bot_token().await));
    let items = claim(&bot, 2).await;
    listening(&mut db, 2).await;
    let mut console = console(&there.url(), &cookie).await;
    report(&bot, &items[0]["lease"], "completed").await;
    hears(&mut console).await;
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'")
        .execute(&mut db)
        .await
        .expect("they are lost");
    // It may have missed something, and says so.
    hears(&mut console).await;
    listening(&mut db, 2).await;
    report(&bot, &items[1]["lease"], "completed").await;
    hears(&mut console).await;
    drop(console);
    try_join_all([here.stop(), there.stop()])
        .await
        .expect("they stop");
    ground.cluster.stop().await.expect("it stops");
}
