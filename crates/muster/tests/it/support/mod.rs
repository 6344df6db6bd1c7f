//! What every test stands on: a private PostgreSQL cluster for the run, a database of its own for each test, a real
//! server on it, and callers with tokens.
#![allow(dead_code, reason = "each test module uses some of it")]

pub mod backed;
pub mod browser;
pub mod load;
pub mod network;
pub mod showcase;
pub mod volume;
pub mod warm;
pub mod watch;

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use muster::{
    access::SESSION_COOKIE,
    actor::{Actor, Who},
    app::App,
    bots,
    config::ServeSettings,
    db::Db,
    schema,
    seal::{Keyring, MasterKeys},
    tenants,
    token::{self, TokenKind},
    tokens::{self, Bearer},
};
use muster_wire::{BotId, OperatorId, Role, TenantId};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{net::TcpListener, sync::oneshot};

pub mod hostile;

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Which form of a test of faults to run: 0 for the short one of `make test`, 1 for the long one of `make faults`.
pub fn long() -> usize {
    usize::from(std::env::var_os("MUSTER_FAULTS").is_some())
}

/// A client between which and the server no proxy from the environment comes.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// The cluster of this run. Stopped and deleted when the process ends, however it ends.
pub struct Cluster {
    /// The folder with the socket.
    pub socket: PathBuf,
    /// The data directory.
    pub data: PathBuf,
}

/// The cluster that tests share; its template database is migrated.
pub static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::start();
    // A runtime of its own: this may be first asked for inside another one.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(cluster.make_template());
        });
    });
    cluster
});

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|dir| {
            dir.filter_map(|e| Some(e.ok()?.path().join("bin")))
                .filter(|p| p.join("initdb").exists())
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    std::env::var_os("MUSTER_PG_BIN")
        .map(PathBuf::from)
        .or(found.pop())
        .expect("no PostgreSQL found: `make test` installs it")
}

/// Makes the command run as an ordinary user where the tests run as root, which PostgreSQL refuses.
fn unprivileged(command: &mut Command) {
    if nix::unistd::geteuid().is_root() {
        let user = nix::unistd::User::from_name("postgres")
            .ok()
            .flatten()
            .expect("the user postgres comes with it");
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
}

impl Cluster {
    fn start() -> Self {
        let bin = binaries();
        let folder = tempfile::Builder::new()
            .prefix("muster-test-")
            .tempdir()
            .expect("a folder")
            .keep();
        if nix::unistd::geteuid().is_root() {
            let user = nix::unistd::User::from_name("postgres")
                .ok()
                .flatten()
                .expect("the user postgres comes with it");
            nix::unistd::chown(&folder, Some(user.uid), Some(user.gid)).expect("chown");
        }
        let data = folder.join("data");
        let mut initdb = Command::new(bin.join("initdb"));
        initdb
            .args([
                "-N",
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-D",
            ])
            .arg(&data);
        unprivileged(&mut initdb);
        let made = initdb.stdout(Stdio::null()).output().expect("initdb starts");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        // The shell waits for this process to end, however it ends, and then stops the server and clears up. That a
        // crash of this machine would lose this data does not matter here, and only here.
        let script = format!(
            "trap '' INT TERM; '{bin}/postgres' -D '{data}' -F -c listen_addresses= -c unix_socket_directories='{folder}' \
             -c max_connections=300 -c log_parameter_max_length=0 -c log_parameter_max_length_on_error=0 \
             -c log_min_error_statement=panic \
             -c shared_buffers=256MB -c full_page_writes=off -c max_wal_size=4GB >'{folder}/log' 2>&1 & \
             read gone; kill -QUIT $!; wait $!; rm -rf '{folder}'",
            bin = bin.display(),
            data = data.display(),
            folder = folder.display(),
        );
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        unprivileged(&mut shell);
        #[expect(
            clippy::zombie_processes,
            reason = "it ends after this process, and is what clears up behind it"
        )]
        let mut shell = shell.spawn().expect("sh starts");
        std::mem::forget(shell.stdin.take());
        let cluster = Self { socket: folder, data };
        let until = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(cluster.socket.join(".s.PGSQL.5432")).is_err() {
            assert!(
                Instant::now() < until,
                "PostgreSQL did not start: see {}/log",
                cluster.socket.display()
            );
            std::thread::yield_now();
        }
        cluster
    }

    /// How to connect.
    pub fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket)
            .username(role)
            .database(database)
    }

    /// A connection of the superuser, for arranging and for looking.
    pub async fn superuser(&self, database: &str) -> PgConnection {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match PgConnection::connect_with(&self.options("postgres", database)).await {
                Ok(db) => return db,
                // The socket is there a moment before the server is ready.
                Err(error) if Instant::now() < until && error.to_string().contains("starting up") => {}
                Err(error) => panic!("no connection to {database}: {error}"),
            }
        }
    }

    async fn make_template(&self) {
        let mut db = self.superuser("postgres").await;
        db.execute("create role muster_owner login createrole")
            .await
            .expect("role");
        db.execute("create database template_muster owner muster_owner")
            .await
            .expect("database");
        schema::migrate(&self.options("muster_owner", "template_muster"))
            .await
            .expect("it migrates");
    }

    /// A new database like the template.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut db = self.superuser("postgres").await;
        db.execute(AssertSqlSafe(format!(
            "create database {name} template template_muster owner muster_owner"
        )))
        .await
        .expect("database");
        name
    }
}

/// A server of its own on a database of its own, with one tenant.
pub struct TestApp {
    /// What the server shares.
    pub app: App,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The database.
    pub database: String,
    /// The first tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner_id: OperatorId,
    /// A caller with the owner's token.
    pub owner: Caller,
    stop: Option<oneshot::Sender<()>>,
}

impl TestApp {
    /// Starts with the settings that tests need: short leases and retries where nothing else is said.
    pub async fn start() -> Self {
        Self::start_with(ServeSettings {
            lease_secs: 60,
            retry_ms: 1,
            ..ServeSettings::default()
        })
        .await
    }

    /// Starts with these settings.
    pub async fn start_with(settings: ServeSettings) -> Self {
        Self::start_on(CLUSTER.database().await, settings).await
    }

    /// Starts with these settings on this database, which has no tenant yet.
    pub async fn start_on(database: String, settings: ServeSettings) -> Self {
        // Faults of ours show in the test's output.
        muster::telemetry::logs(false);
        let folder = tempfile::tempdir().expect("a folder");
        let master = MasterKeys::read_or_create(&folder.path().join("master.key")).expect("a key");
        let keys = Keyring::new(master);
        let owner_role = CLUSTER.options("muster_owner", &database);
        let made = tenants::create(&owner_role, &keys, "First", "ana@example.com", "Ana")
            .await
            .expect("a tenant");
        let connections = settings.connections;
        let db = Db::connect(CLUSTER.options("muster_app", &database), connections)
            .await
            .expect("the app's role");
        let app = App::new(db, keys, settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(app.clone().serve(listener, async {
            let _ = stopped.await;
        }));
        let mut this = Self {
            app,
            owner: Caller::new(&url, None),
            url,
            database,
            tenant: made.tenant,
            owner_id: made.owner,
            stop: Some(stop),
        };
        this.owner = this
            .caller(made.tenant, Bearer::Operator(made.owner, Role::Owner))
            .await;
        this
    }

    /// A second tenant on the same server, with a caller who owns it.
    pub async fn other_tenant(&self) -> (TenantId, Caller) {
        static NEXT: AtomicU32 = AtomicU32::new(2);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let owner_role = CLUSTER.options("muster_owner", &self.database);
        let email = format!("owner{n}@example.com");
        let made = tenants::create(&owner_role, &self.app.keys, &format!("Tenant {n}"), &email, "Olu")
            .await
            .expect("a tenant");
        (
            made.tenant,
            self.caller(made.tenant, Bearer::Operator(made.owner, Role::Owner))
                .await,
        )
    }

    /// A caller with a new token.
    pub async fn caller(&self, tenant: TenantId, bearer: Bearer) -> Caller {
        let actor = Actor::system(tenant);
        let mut tx = self.app.db.begin(&actor).await.expect("a transaction");
        let expires = chrono::Utc::now() + chrono::Duration::days(1);
        let (_, token) = tokens::issue(&mut tx, &actor, "test", bearer, expires)
            .await
            .expect("a token");
        tx.commit().await.expect("commit");
        Caller::new(&self.url, Some(token))
    }

    /// A person with this role in the first tenant, by a token of theirs.
    pub async fn person(&self, role: Role) -> Caller {
        let id = self.operator(role).await;
        self.caller(self.tenant, Bearer::Operator(id, role)).await
    }

    /// The cookie of a session of somebody with this role, as a browser sends it; the owner's is the first owner's.
    pub async fn session(&self, role: Role) -> String {
        let id = match role {
            Role::Owner => self.owner_id,
            _ => self.operator(role).await,
        };
        let secret = token::mint(TokenKind::Session, self.tenant);
        sqlx::query("insert into sessions (tenant_id, token_hash, operator_id, expires_at) values ($1, $2, $3, now() + interval '30 minutes')")
            .bind(self.tenant.0)
            .bind(&token::hash(&secret)[..])
            .bind(id.0)
            .execute(&mut self.superuser().await)
            .await
            .expect("a session");
        format!("{SESSION_COOKIE}={}", secret.expose_secret())
    }

    /// A member of the first tenant with this role.
    pub async fn operator(&self, role: Role) -> OperatorId {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut db = self.superuser().await;
        let id: i64 = sqlx::query_scalar("insert into operators (email, name) values ($1, $2) returning id")
            .bind(format!("{role}{n}@example.com"))
            .bind(role.word())
            .fetch_one(&mut db)
            .await
            .expect("an operator");
        sqlx::query("insert into memberships (tenant_id, operator_id, role) values ($1, $2, $3)")
            .bind(self.tenant.0)
            .bind(id)
            .bind(role.word())
            .execute(&mut db)
            .await
            .expect("a membership");
        OperatorId(id)
    }

    /// A bot of the first tenant.
    pub async fn bot(&self, name: &str) -> (BotId, Caller) {
        let actor = Actor::system(self.tenant);
        let mut tx = self.app.db.begin(&actor).await.expect("a transaction");
        let id = bots::create(&mut tx, &actor, name, "").await.expect("a bot");
        tx.commit().await.expect("commit");
        (id, self.caller(self.tenant, Bearer::Bot(id)).await)
    }

    /// The owner, for operations called in process.
    pub fn owner_actor(&self) -> Actor {
        Actor {
            who: Who::Operator {
                id: self.owner_id,
                role: Role::Owner,
            },
            ..Actor::system(self.tenant)
        }
    }

    /// A connection that sees everything: to arrange what the API cannot, and to look.
    pub async fn superuser(&self) -> PgConnection {
        CLUSTER.superuser(&self.database).await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Somebody who calls the API.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, where it is JSON; otherwise a JSON string of it.
    pub body: Value,
}

impl Caller {
    /// A caller with this token, or none.
    pub fn new(url: &str, token: Option<SecretString>) -> Self {
        Self {
            http: http(),
            url: url.to_owned(),
            token,
        }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token
            .as_ref()
            .expect("this caller has a token")
            .expose_secret()
    }

    /// A request, to be changed before it is sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("a body");
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer {
            status,
            headers,
            body,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// PUT with JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    /// PATCH with JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }
}

impl Answer {
    /// The body, when the status is what was expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body
    }

    /// The problem's code, when the status is what was expected.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        let kind = self
            .headers
            .get("content-type")
            .map(|v| v.to_str().unwrap_or_default().to_owned());
        let body = self.expect(status);
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{body:#}");
        body["code"].as_str().expect("a problem has a code").to_owned()
    }
}

/// Runs a query for one value, as the superuser.
pub async fn value<T>(app: &TestApp, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(sql)
        .fetch_one(&mut app.superuser().await)
        .await
        .expect("one value")
}

/// Makes a certificate of this name that nobody vouches for, and its key, in a folder; gives where they are.
pub fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
        ])
        .arg(format!("/CN={name}"))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}
