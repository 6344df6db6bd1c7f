//! What the runbook has an administrator type that is no command of Muster's; the rest is run where its feature is tested.

use std::process::Command;

use sqlx::{AssertSqlSafe, Executor, Row};

use crate::support::{
    TestApp,
    backed::{Ground, accounts},
};

const RUNBOOK: &str = include_str!("../../../../docs/operate.md");

/// A line of the runbook, with the words in capitals that are to be filled in.
pub fn documented(line: &'static str) -> &'static str {
    let page = RUNBOOK.replace('\n', " ");
    assert!(page.contains(line), "the runbook does not say {line}");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_point_made_by_psql_is_restored_to() {
    let ground = Ground::make().await;
    ground.backup(&["run", "--full"]).await.expect(0);
    let (_, rest) = RUNBOOK
        .split_once("where a restore point was made before with `")
        .expect("it is there");
    let (line, _) = rest.split_once('`').expect("it ends");
    let made = Command::new("sh")
        .args(["-c", &line.replace("NAME", "before-the-import")])
        .env("MUSTER_DATA", ground.path("live"))
        .output()
        .expect("sh runs");
    assert!(made.status.success(), "{made:?}");
    ground.account("imported.by.mistake").await;
    let into = ground.path("restored");
    let arguments = [
        "restore",
        "--to-name",
        "before-the-import",
        "--into",
        into.to_str().expect("text"),
    ];
    ground.backup(&arguments).await.expect(0);
    assert_eq!(accounts(&into, ground.tenant).await.len(), 1);

    let (_, rest) = RUNBOOK.split_once("To look inside: `").expect("it is there");
    let (line, _) = rest.split_once('`').expect("it ends");
    let live = ground.path("live");
    let line = line.replace("FOLDER", live.to_str().expect("text")) + " -Atc 'select current_user'";
    let looked = Command::new("sh").args(["-c", &line]).output().expect("sh runs");
    assert_eq!(
        String::from_utf8_lossy(&looked.stdout),
        "muster_owner\n",
        "{looked:?}"
    );
    ground.end().await;
}

#[tokio::test]
async fn the_last_owner_who_lost_the_phone_is_let_in_by_the_superuser() {
    let app = TestApp::start().await;
    app.run(
        "insert into second_factors (tenant_id, operator_id, secret_encrypted, last_step)
         select m.tenant_id, m.operator_id, 'sealed', 0 from memberships m",
    )
    .await;
    let (_, rest) = RUNBOOK
        .split_once("```sql\ndelete from second_factors")
        .expect("it is there");
    let (statement, _) = rest.split_once("```").expect("it ends");
    let removed = app
        .superuser()
        .await
        .execute(AssertSqlSafe(format!("delete from second_factors{statement}")))
        .await
        .expect("it is removed");
    assert_eq!(removed.rows_affected(), 1);
}

#[tokio::test]
async fn who_holds_a_transaction_open_is_found_and_sent_away() {
    let app = TestApp::start().await;
    let mut forgotten = app.superuser().await;
    forgotten
        .execute("begin; select count(*) from accounts")
        .await
        .expect("a transaction");
    let find = documented("select pid, xact_start, query from pg_stat_activity order by xact_start");
    let mut db = app.superuser().await;
    let open = db.fetch_all(find).await.expect("who is connected");
    let holder = open
        .iter()
        .find(|row| row.get::<Option<&str>, _>("query") == Some("begin; select count(*) from accounts"))
        .expect("it is among them");
    let pid = holder.get::<i32, _>("pid").to_string();
    let end = documented("select pg_terminate_backend(PID)").replace("PID", &pid);
    db.execute(AssertSqlSafe(end)).await.expect("it is ended");
    forgotten.execute("select 1").await.expect_err("it is gone");
}
