//! Reads that may be old: a replica answers those who say so, and says how old the answer is.

use std::{fs::Permissions, os::unix::fs::PermissionsExt};

use muster::{access::ENDPOINTS, cluster};
use reqwest::{
    Response, StatusCode,
    header::{AGE, CACHE_CONTROL},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::{Duration, Instant};

use crate::{
    replicas::{end, muster, run},
    support::{
        PATIENCE, http,
        load::{Ground, host, serve_at},
    },
};

/// How long is waited before something is asked again, so that nobody's allowance is used up.
const ASK_AGAIN: Duration = Duration::from_millis(200);

struct Reader {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

impl Reader {
    async fn get(&self, path: &str, stale: &str) -> Response {
        let request = self
            .http
            .get(format!("{}{path}", self.url))
            .header(CACHE_CONTROL, stale);
        let request = request.bearer_auth(self.token.expose_secret());
        request.send().await.expect("an answer")
    }

    /// The names of models, and how old the answer is.
    async fn models(&self, stale: &str) -> (Vec<String>, Option<u64>) {
        let answer = self.get("/v1/models", stale).await;
        let age = age(&answer);
        let page: Value = answer.json().await.expect("JSON");
        let Some(items) = page["items"].as_array() else {
            // The replica went away meanwhile, or took the place of the primary.
            assert_eq!(page["status"], 503, "{page}");
            return (Vec::new(), Some(0));
        };
        let names = items.iter();
        let names = names.map(|model| model["name"].as_str().expect("a name").to_owned());
        (names.collect(), age)
    }

    async fn make_model(&self, name: &str) {
        let request = self
            .http
            .post(format!("{}/v1/models", self.url))
            .json(&json!({"name": name}));
        let answer = request.bearer_auth(self.token.expose_secret()).send().await;
        assert_eq!(answer.expect("an answer").status(), StatusCode::CREATED);
    }

    /// Asks with this until the answer is so.
    async fn until(&self, stale: &str, so: impl Fn(&[String], Option<u64>) -> bool) {
        let begun = Instant::now();
        loop {
            let (models, age) = self.models(stale).await;
            if so(&models, age) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{models:?}, {age:?}");
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

fn age(answer: &Response) -> Option<u64> {
    let age = answer.headers().get(AGE)?;
    Some(age.to_str().expect("text").parse().expect("seconds"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_answers_who_takes_old_answers_and_says_how_old_they_are() {
    let ground = Ground::with(10).await;
    let above = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(above.path(), Permissions::from_mode(0o711)).expect("a mode");
    let data = above.path().join("replica");
    let of = format!("postgres://{}@{}", cluster::SUPERUSER, host(&ground.cluster));
    muster(&data, &["replica", "create", "--of", &of]).await.expect(0);
    let mut replica = run(&data);
    let folder = data.join("run").to_str().expect("text").replace('/', "%2F");
    let url = |role: &str| format!("postgres://{role}@{folder}/{}", cluster::DATABASE);
    let mut db = PgConnection::connect(&url(cluster::SUPERUSER))
        .await
        .expect("the replica");

    let served = serve_at(
        &ground,
        &[host(&ground.cluster), folder.clone()],
        &["--standby-url", &url(cluster::APP)],
    );
    let reader = Reader {
        http: http(),
        url: served.url.clone(),
        token: ground.owner_token().await,
    };
    reader.make_model("Before").await;
    let has = |models: &[String], name: &str| models.iter().any(|model| model == name);
    reader
        .until("no-transform, max-stale=60", |models, age| {
            has(models, "Before") && age.is_some()
        })
        .await;
    assert_eq!(
        reader.models("no-cache").await.1,
        None,
        "nobody said that it may be old"
    );

    // Whatever is only looked at can be looked at there.
    for endpoint in ENDPOINTS {
        if endpoint.method == "GET" && endpoint.path.starts_with("/v1/") && !endpoint.path.contains('{') {
            let (there, here) = (
                reader.get(endpoint.path, "max-stale").await.status(),
                reader.get(endpoint.path, "").await.status(),
            );
            assert_eq!(there, here, "{}", endpoint.path);
        }
    }
    for path in [
        "/v1/accounts",
        "/v1/accounts/count",
        "/v1/today",
        "/v1/proxies",
        "/v1/audit",
        "/v1/metrics",
    ] {
        assert!(age(&reader.get(path, "max-stale").await).is_some(), "{path}");
    }

    // The replica shows what there was, and is asked only by those for whom that will do.
    db.execute("select pg_wal_replay_pause()")
        .await
        .expect("it stops replaying");
    reader.make_model("After").await;
    let (models, age) = reader.models("max-stale=0").await;
    assert!(has(&models, "After") && age.is_none(), "{models:?}, {age:?}");
    reader.until("max-stale", |_, age| age >= Some(2)).await;
    let (models, _) = reader.models("max-stale").await;
    assert!(!has(&models, "After"), "{models:?}");
    db.execute("select pg_wal_replay_resume()")
        .await
        .expect("it goes on");
    reader
        .until("max-stale=60", |models, age| {
            has(models, "After") && age.is_some()
        })
        .await;

    // One that is gone is not asked, and one that is promoted shows another line of events.
    end(&mut replica);
    reader.until("max-stale", |_, age| age.is_none()).await;
    let mut replica = run(&data);
    reader.until("max-stale", |_, age| age.is_some()).await;
    muster(&data, &["replica", "promote"]).await.expect(0);
    reader.until("max-stale", |_, age| age.is_none()).await;
    end(&mut replica);
    ground.cluster.stop().await.expect("it stops");
}
