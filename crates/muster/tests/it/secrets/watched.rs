//! A server that is watched: everything that it says and stores is kept, to be searched.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use muster::{
    actor::Actor,
    cluster::{self, Cluster},
    db::Db,
    schema,
    seal::{Keyring, MasterKeys},
    tenants,
    tokens::{self, Bearer},
};
use muster_wire::Role;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::support::{Answer, Caller};

/// The forms that a secret could have been written in: plain, hexadecimal, and base64 at each alignment.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let aligned = (0..3).map(|shift| {
        let shifted = [&[0; 2][..shift], secret.as_bytes()].concat();
        let text = BASE64_STANDARD_NO_PAD.encode(&shifted);
        // The characters at either end also hold bits of what is beside.
        text[(shift * 8).div_ceil(6)..shifted.len() * 8 / 6].to_owned()
    });
    [secret.to_owned(), hex].into_iter().chain(aligned).collect()
}

/// Looks for any form of any of these in all files of a folder; gives the files' paths.
pub fn found_in(folder: &Path, secrets: &[&str]) -> String {
    let forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let grep = Command::new("grep")
        .args(["-rlaiF", "-e", &forms.join("\n")])
        .arg(folder)
        .env("LC_ALL", "C")
        .output()
        .expect("grep starts");
    assert!(
        grep.status.code() < Some(2),
        "{}",
        String::from_utf8_lossy(&grep.stderr)
    );
    String::from_utf8(grep.stdout).expect("paths are texts")
}

/// The real server on a cluster of its own, at its most talkative, and everything that it said.
pub struct Watched {
    pub cluster: Cluster,
    pub server: Child,
    pub owner: Caller,
    pub bot: Caller,
    /// The log of the server, the answers in which no secret may be, and a dump of the database.
    pub evidence: TempDir,
    pub answers: usize,
    /// What else is secret: tokens of every kind.
    pub tokens: Vec<String>,
}

impl Watched {
    pub async fn start() -> Self {
        let cluster = Cluster::temporary(cluster::Settings::default())
            .await
            .expect("a cluster");
        // So that pages in the WAL can be read, and none of it goes away.
        let mut db = superuser(&cluster).await;
        for sql in ["wal_compression = off", "wal_keep_size = '4GB'"] {
            db.execute(AssertSqlSafe(format!("alter system set {sql}")))
                .await
                .expect("a setting");
        }
        db.execute("select pg_reload_conf()")
            .await
            .expect("it reads its settings");
        let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
        schema::migrate(&owner_role).await.expect("it migrates");
        let key_file = cluster.dir().join("master.key");
        let keys = Keyring::new(MasterKeys::read_or_create(&key_file).expect("a key"));
        let made = tenants::create(&owner_role, &keys, "First", "ana@example.com", "Ana")
            .await
            .expect("a tenant");

        let actor = Actor::system(made.tenant);
        let pool = Db::connect(cluster.url(cluster::APP, cluster::DATABASE), 2)
            .await
            .expect("the app's role");
        let mut tx = pool.begin(&actor).await.expect("a transaction");
        let bot = muster::bots::create(&mut tx, &actor, "worker", "")
            .await
            .expect("a bot");
        let mut issued: Vec<SecretString> = Vec::new();
        for bearer in [Bearer::Operator(made.owner, Role::Owner), Bearer::Bot(bot)] {
            let expires = chrono::Utc::now() + chrono::Duration::days(1);
            issued.push(
                tokens::issue(&mut tx, &actor, "test", bearer, expires)
                    .await
                    .expect("a token")
                    .1,
            );
        }
        tx.commit().await.expect("commit");
        pool.close().await;

        let evidence = tempfile::tempdir().expect("a folder");
        let (server, url) = serve(&cluster, &key_file, evidence.path());
        let [owner, bot] = [0, 1].map(|n| Caller::new(&url, Some(issued[n].clone())));
        let tokens = vec![owner.token().to_owned(), bot.token().to_owned()];
        Self {
            cluster,
            server,
            owner,
            bot,
            evidence,
            answers: 0,
            tokens,
        }
    }

    /// Remembers a token that was just made.
    pub fn token(&mut self, token: &Value) -> String {
        let token = token.as_str().filter(|text| text.len() > 20).expect("a token");
        self.tokens.push(token.to_owned());
        token.to_owned()
    }

    /// Keeps an answer in which no secret may be.
    pub fn keep(&mut self, answer: &Answer) {
        let path = self.evidence.path().join(format!("answer-{}", self.answers));
        std::fs::write(path, format!("{answer:?}\n{}", answer.body)).expect("it is written");
        self.answers += 1;
    }

    /// Asks for something as the owner; no secret may be in the answer.
    pub async fn ask(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.owner.request(method.clone(), path);
        let request = if method == Method::GET {
            request
        } else {
            request.json(&body)
        };
        self.send(request).await
    }

    pub async fn send(&mut self, request: RequestBuilder) -> Answer {
        let answer = self.owner.send(request).await;
        self.keep(&answer);
        answer
    }

    /// Gives a file in to be imported.
    pub async fn file(&mut self, kind: &str, options: &str, file: impl Into<Vec<u8>>) -> Answer {
        let request = self
            .owner
            .request(Method::POST, &format!("/v1/imports?kind={kind}{options}"));
        self.send(request.body(file.into())).await
    }

    /// Imports what is good in a file; gives the import, and looks at its rows on the way.
    pub async fn import(&mut self, kind: &str, file: impl Into<Vec<u8>>) -> Value {
        let staged = self.file(kind, "", file).await.expect(201);
        let path = format!("/v1/imports/{}", staged["id"]);
        for view in [
            "",
            "/rows?limit=500",
            "/rows?filter=verdict:rejected&limit=500",
            "/rows?filter=verdict:changed",
        ] {
            self.ask(Method::GET, &format!("{path}{view}"), Value::Null)
                .await
                .expect(200);
        }
        self.ask(Method::POST, &format!("{path}/commit"), json!({"rows": "good"}))
            .await
            .expect(200)
    }

    /// Puts a dump of the whole database beside the rest of the evidence.
    pub fn dump(&self) {
        let options = self.cluster.url(cluster::SUPERUSER, cluster::DATABASE);
        let dumped = Command::new(self.cluster.binaries().folder.join("pg_dump"))
            .arg("--host")
            .arg(options.get_socket().expect("a socket"))
            .args([
                "--username",
                cluster::SUPERUSER,
                "--dbname",
                cluster::DATABASE,
                "--file",
            ])
            .arg(self.evidence.path().join("dump.sql"))
            .output()
            .expect("pg_dump starts");
        assert!(
            dumped.status.success(),
            "{}",
            String::from_utf8_lossy(&dumped.stderr)
        );
    }
}

pub async fn superuser(cluster: &Cluster) -> PgConnection {
    let options = cluster.url(cluster::SUPERUSER, cluster::DATABASE);
    PgConnection::connect_with(&options).await.expect("a connection")
}

/// Starts the real binary with everything logged, and waits until it says where it serves.
fn serve(cluster: &Cluster, key_file: &Path, evidence: &Path) -> (Child, String) {
    let url = |role: &str| cluster.url(role, cluster::DATABASE).to_url_lossy().to_string();
    let log = std::fs::File::create(evidence.join("server.log")).expect("a file");
    let mut server = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["serve", "--listen", "127.0.0.1:0", "--retry-ms", "1"])
        .env("MUSTER_DATABASE_URL", url(cluster::APP))
        .env("MUSTER_SCHEDULER_URL", url(cluster::SCHEDULER))
        .env("MUSTER_MASTER_KEY_FILE", key_file)
        .env("MUSTER_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("muster starts");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let line = lines.next().expect("it says where it serves").expect("a line");
    let url = line.rsplit(' ').next().expect("an address").to_owned();
    (server, url)
}
