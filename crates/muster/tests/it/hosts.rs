//! Several hosts of one database: whichever takes writes is followed, and what was lost on the way is not done twice.

use std::time::Duration;

use muster::{
    actor::Actor,
    cluster::{self, Cluster},
    db::Db,
    hosts::Hosts,
    schema,
};
use muster_wire::TenantId;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

/// How long following may take before it counts as failed.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(20);

async fn cluster(name: &str) -> Cluster {
    let cluster = Cluster::temporary(cluster::Settings::default())
        .await
        .expect("a cluster");
    schema::migrate(&cluster.url(cluster::OWNER, cluster::DATABASE))
        .await
        .expect("it migrates");
    let mut db = superuser(&cluster).await;
    let named = format!("alter database muster set test.cluster = '{name}'");
    db.execute(AssertSqlSafe(named)).await.expect("named");
    cluster
}

async fn superuser(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.url(cluster::SUPERUSER, "postgres"))
        .await
        .expect("a connection")
}

/// Makes every session of the cluster read-only, or lets it write.
async fn read_only(cluster: &Cluster, on: bool) {
    let mut db = superuser(cluster).await;
    let setting = if on {
        "alter system set default_transaction_read_only = on"
    } else {
        "alter system reset default_transaction_read_only"
    };
    db.execute(setting).await.expect("set");
    db.execute("select pg_reload_conf()").await.expect("read again");
}

/// Waits until a server's transactions, and its claims and reports, go to the cluster of this name.
async fn follows(db: &Db, name: &str) {
    const NAME: &str = "select current_setting('test.cluster')";
    let followed = async {
        loop {
            let mut found: Vec<String> = Vec::new();
            if let Ok(mut tx) = db.begin(&Actor::system(TenantId(1))).await {
                found.extend(sqlx::query_scalar(NAME).fetch_one(&mut *tx).await.ok());
            }
            if let Ok(mut work) = db.for_one_statement().await {
                found.extend(sqlx::query_scalar(NAME).fetch_one(&mut work).await.ok());
            }
            if found == [name, name] {
                return;
            }
        }
    };
    tokio::time::timeout(FOLLOWED_WITHIN, followed).await.expect(name);
}

/// The names of the connections of Muster's that a cluster has.
async fn connected(cluster: &Cluster) -> Vec<String> {
    sqlx::query_scalar(
        "select application_name from pg_stat_activity where application_name like 'muster%' \
         and application_name <> 'muster-hosts' order by 1",
    )
    .fetch_all(&mut superuser(cluster).await)
    .await
    .expect("asked")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_hosts_the_one_that_takes_writes_is_followed() {
    let (one, other) = (cluster("one").await, cluster("other").await);
    read_only(&one, true).await;
    let hosts: Hosts = format!(
        "postgres://{}@{},{}/{}",
        cluster::APP,
        encoded(&one),
        encoded(&other),
        cluster::DATABASE
    )
    .parse()
    .expect("an address");
    // One connection of each kind, which must not be used once another host takes writes.
    let db = Db::connect(hosts.clone(), 1).await.expect("one takes writes");
    assert_eq!(
        connected(&other).await,
        ["muster"],
        "none for work before there is any"
    );
    follows(&db, "other").await;
    assert_eq!(connected(&other).await, ["muster", "muster-work"]);

    read_only(&one, false).await;
    read_only(&other, true).await;
    follows(&db, "one").await;

    // A host that is gone is as good as one that takes no writes.
    one.stop().await.expect("it stops");
    read_only(&other, false).await;
    follows(&db, "other").await;

    read_only(&other, true).await;
    let refused = hosts.writable().await.expect_err("none takes writes").to_string();
    assert!(refused.contains("read-only"), "{refused}");
    db.close().await;
    other.stop().await.expect("it stops");
}

/// The folder of the socket, as an address holds it.
fn encoded(cluster: &Cluster) -> String {
    let url = cluster.url(cluster::APP, cluster::DATABASE).to_url_lossy();
    url.host_str().expect("a host").to_owned()
}
