//! The secrets of leased accounts.

use muster::{actor::Actor, seal::Place};
use serde_json::{Value, json};

use crate::{
    support::TestApp,
    work::{claim, expire, only, report},
};

#[tokio::test]
async fn credentials_open_for_held_leases_only_and_each_opening_is_written_down() {
    let app = TestApp::start().await;
    app.warm_accounts(2).await;
    let (id, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let mut tx = app
        .app
        .db
        .begin(&Actor::system(app.tenant))
        .await
        .expect("a transaction");
    let keys = app.app.keys.tenant(&mut tx, app.tenant).await.expect("keys");
    for (sql, place, secret) in [
        (
            "update accounts set password_encrypted = $1 where id = 1",
            Place::new("accounts", "password_encrypted", 1),
            "pass-1",
        ),
        (
            "update accounts set access_token_encrypted = $1 where id = 1",
            Place::new("accounts", "access_token_encrypted", 1),
            "token-1",
        ),
        (
            "update proxies set password_encrypted = $1",
            Place::new("proxies", "password_encrypted", 1),
            "proxy-1",
        ),
    ] {
        sqlx::query(sql)
            .bind(keys.seal(&place, &secret.into()))
            .execute(&mut *tx)
            .await
            .expect(sql);
    }
    tx.commit().await.expect("commit");
    let items = claim(&bot, 2).await;
    assert!(!format!("{items:?}").contains("pass-1"));
    let leases = json!({ "leases": ["1.1", "2.1", "2.2"] });
    let nothing = other
        .post("/v1/work/credentials", leases.clone())
        .await
        .expect(200);
    assert!(
        nothing["leases"]
            .as_array()
            .expect("leases")
            .iter()
            .all(|l| l["held"] == false && l.as_object().map(|o| o.len()) == Some(2))
    );
    assert_eq!(
        app.look("select count(*) from audit_log where action = 'credentials.open'")
            .await
            .as_deref(),
        Some("0")
    );
    let opened = bot.post("/v1/work/credentials", leases.clone()).await.expect(200);
    assert_eq!(
        opened["leases"],
        json!([
            { "lease": "1.1", "held": true, "password": "pass-1", "access_token": "token-1", "proxy_password": "proxy-1" },
            { "lease": "2.1", "held": true, "proxy_password": "proxy-1" },
            { "lease": "2.2", "held": false },
        ])
    );
    let audited =
        "select string_agg(concat_ws(' ', object_id, bot_id, after->>'lease'), ', ' order by object_id)
        from audit_log where action = 'credentials.open'";
    assert_eq!(app.look(audited).await, Some(format!("1 {id} 1.1, 2 {id} 2.1")));
    expire(&app).await;
    let late = bot.post("/v1/work/credentials", leases).await.expect(200);
    assert!(
        late["leases"]
            .as_array()
            .expect("leases")
            .iter()
            .all(|l| l["held"] == false)
    );
}

#[tokio::test]
async fn session_data_is_kept_sealed_for_whoever_holds_the_lease_next() {
    let app = TestApp::start().await;
    app.warm_accounts(1).await;
    let (_, bot) = app.bot("b1").await;
    let (_, other) = app.bot("b2").await;
    let path = |item: &Value| {
        format!(
            "/v1/work/session?lease={}",
            item["lease"].as_str().expect("a lease")
        )
    };
    let first = only(claim(&bot, 1).await);
    assert_eq!(bot.get(&path(&first)).await.expect(200), json!({}));
    for data in ["cookies-CANARY", "cookies-CANARY-2"] {
        let put = bot.put(&path(&first), json!({ "data": data })).await.expect(200);
        assert!(put["updated_at"].is_string() && put["data"].is_null());
        assert_eq!(bot.get(&path(&first)).await.expect(200)["data"], data);
    }
    let stored = "select position('CANARY'::bytea in data_encrypted) from bot_sessions";
    assert_eq!(app.look(stored).await.as_deref(), Some("0"));
    assert_eq!(other.get(&path(&first)).await.problem(409), "lease_lost");
    assert_eq!(
        other
            .put(&path(&first), json!({ "data": "x" }))
            .await
            .problem(409),
        "lease_lost"
    );
    report(&bot, &first["lease"], "completed").await;
    assert_eq!(
        bot.put(&path(&first), json!({ "data": "x" })).await.problem(409),
        "lease_lost"
    );
    let second = only(claim(&other, 1).await);
    assert_eq!(
        other.get(&path(&second)).await.expect(200)["data"],
        "cookies-CANARY-2"
    );
    report(&other, &second["lease"], "completed").await;
    let third = only(claim(&other, 1).await);
    let old = path(&second);
    assert_eq!(other.get(&old).await.problem(409), "lease_lost");
    assert_eq!(
        other.put(&old, json!({ "data": "x" })).await.problem(409),
        "lease_lost"
    );
    let long = json!({ "data": "x".repeat(262_145) });
    assert_eq!(other.put(&path(&third), long).await.problem(422), "invalid");
    assert_eq!(
        other.get("/v1/work/session?lease=nonsense").await.problem(422),
        "invalid"
    );
}
