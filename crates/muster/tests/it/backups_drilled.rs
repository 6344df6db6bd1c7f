//! Drills, of backups that are good, and of a live database that is not as it was. Damaged backups are in `recovery.rs`.

use std::fs;

use chrono::{DateTime, Utc};
use muster::backup::Kind;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor};

use crate::support::{
    backed::{Ground, files, rfc3339},
    warm::warm_accounts,
};

/// Accounts in a database that is drilled.
const ACCOUNTS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_tells_a_good_backup_and_writes_its_verdict_down() {
    let ground = Ground::make().await;
    warm_accounts(&mut ground.superuser().await, ground.tenant, ACCOUNTS).await;
    ground
        .repository
        .run_recorded(Kind::Full, |_| ())
        .await
        .expect("a backup");
    ground.account("after.the.backup").await;
    let mut db = ground.superuser().await;
    // pgBackRest knows the end of a backup to the second, and takes only one that ended before the second that is asked for.
    let then: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp() from pg_sleep(1.1)")
        .fetch_one(&mut db)
        .await
        .expect("a time");
    let archived_before = files(&ground.folder().join("archive")).len();

    let drilled: Value =
        serde_json::from_str(&ground.backup(&["drill", "--json"]).await.expect(0)).expect("JSON");
    assert_eq!(drilled["faults"], json!([]));
    assert!(drilled["recovery_point"].as_str().expect("a time") <= rfc3339(Utc::now()).as_str());
    assert!(
        drilled["recovery_ms"].as_i64() > Some(0) && drilled["bytes"].as_i64() > Some(0),
        "{drilled}"
    );
    assert!(
        !ground.path("live/drill").exists(),
        "the scratch cluster is removed"
    );
    let named = files(&ground.folder().join("archive"));
    let names: Vec<_> = named.iter().filter_map(|f| f.file_name()?.to_str()).collect();
    assert!(
        named.len() > archived_before,
        "the drill has what it looks at archived"
    );
    assert!(
        names.iter().all(|name| !name.starts_with("00000002")),
        "the scratch cluster archived something: {names:?}"
    );
    let dated = files(&ground.path("live/drills"));
    assert_eq!(dated.len(), 1);
    let text = fs::read_to_string(&dated[0]).expect("a file");
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("JSON")["label"],
        drilled["label"]
    );

    let at = ground
        .backup(&["drill", "--to-time", &rfc3339(then)])
        .await
        .expect(0);
    assert!(at.contains("recovery_point"), "{at}");
    let events: Vec<(String, bool)> = sqlx::query_as("select event, good from backup_runs order by id")
        .fetch_all(&mut db)
        .await
        .expect("what was written down");
    let expected = [("full", true), ("drill", true), ("drill", true)];
    assert_eq!(events, expected.map(|(event, good)| (event.to_owned(), good)));
    assert_eq!(ground.owner.get("/readyz").await.expect(200), "ready\n");

    // The live database has a row from before that moment which the restored one has not.
    db.execute(AssertSqlSafe(format!(
        "set session_replication_role = replica; insert into accounts (tenant_id, username, email, created_at) \
         values ({}, 'lost', 'l@example.com', now() - interval '2 hours')",
        ground.tenant
    )))
    .await
    .expect("a row");
    let at = ground
        .backup(&["drill", "--to-time", &rfc3339(then), "--json"])
        .await
        .expect(6);
    assert!(
        at.contains("accounts: 1 rows of the live database are missing"),
        "{at}"
    );
    let ready = ground.owner.get("/readyz").await.expect(200);
    assert_eq!(
        ready,
        "ready\nwarning: the last drill found the backup not good\n"
    );
    let metrics = ground.owner.get("/metrics").await.expect(200);
    let metrics = metrics.as_str().expect("text");
    assert!(
        metrics.contains("muster_backup_last_is_good{event=\"drill\"} 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("muster_backup_last_is_good{event=\"full\"} 1"),
        "{metrics}"
    );
    ground.end().await;
}
