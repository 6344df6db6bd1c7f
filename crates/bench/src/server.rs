//! Muster as it is run: the release binary serving over HTTP on a database, with tokens that it made.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    cluster::{APP, Cluster, OWNER, SCHEDULER},
    http::Connection,
};

/// Requests a minute for the tokens that work is done with: the load is to be limited by what the server can do.
const REQUESTS_PER_MINUTE: u32 = 100_000_000;

/// Seconds that a claimed step is leased for: what is not reported is to stay leased for as long as it is looked at.
pub const LEASE_SECS: u32 = 1_200;

/// The binary that is measured.
#[derive(Debug, Clone)]
pub struct Binary {
    path: PathBuf,
    /// Where the master key of all the databases is.
    key_file: PathBuf,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    owner: String,
}

impl Binary {
    /// The binary at a path; where none is given, that of this repository, built.
    ///
    /// # Errors
    /// When there is none, or it does not build.
    pub fn find(path: Option<PathBuf>, dir: &Path) -> Result<Self> {
        let path = match path {
            Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
            None => build()?,
        };
        Ok(Self {
            path,
            key_file: dir.join("master.key"),
        })
    }

    /// Which it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings a database up to date.
    ///
    /// # Errors
    /// When the binary fails.
    pub async fn migrate(&self, cluster: &Cluster, database: &str) -> Result<()> {
        let mut migrate = Command::new(&self.path);
        migrate
            .arg("migrate")
            .env("MUSTER_OWNER_URL", cluster.url(OWNER, database));
        output(&mut migrate).await.map(drop)
    }

    /// Makes a tenant, and gives its owner's token.
    ///
    /// # Errors
    /// When the binary fails.
    pub async fn create_tenant(&self, cluster: &Cluster, database: &str, name: &str) -> Result<String> {
        let mut create = Command::new(&self.path);
        create.args([
            "create-tenant",
            name,
            "--owner",
            &format!("{name}@example.org"),
            "--master-key-file",
        ]);
        create
            .arg(&self.key_file)
            .env("MUSTER_OWNER_URL", cluster.url(OWNER, database));
        let said = output(&mut create).await?;
        let token = said
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| line.starts_with("mst_"));
        Ok(token.context("create-tenant gave no token")?.to_owned())
    }

    /// Serves a database until the server is stopped or dropped.
    ///
    /// # Errors
    /// When the server does not come up.
    pub async fn serve(&self, cluster: &Cluster, database: &str, owner: &str) -> Result<Server> {
        let mut child = Command::new(&self.path)
            .args(["serve", "--listen", "127.0.0.1:0", "--master-key-file"])
            .arg(&self.key_file)
            .env("MUSTER_DATABASE_URL", cluster.url(APP, database))
            .env("MUSTER_SCHEDULER_URL", cluster.url(SCHEDULER, database))
            .env("MUSTER_LEASE_SECS", LEASE_SECS.to_string())
            // That a statement took long says the report.
            .env("MUSTER_LOG", "warn,sqlx=error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| self.path.display().to_string())?;
        let mut lines = BufReader::new(child.stdout.take().context("the server's output is piped")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.trim().trim_end_matches('/').to_owned();
                return Ok(Server {
                    child,
                    address,
                    owner: owner.to_owned(),
                });
            }
        }
        bail!("the server did not come up: {}", child.wait().await?)
    }
}

impl Server {
    /// The process.
    ///
    /// # Panics
    /// When it has been waited for, which only `stop` does.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// A connection with this token.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(&self, token: &str) -> Result<Connection> {
        Connection::open(&self.address, token).await
    }

    /// A connection as the tenant's owner.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn owner(&self) -> Result<Connection> {
        self.connect(&self.owner).await
    }

    /// Connections for as many bots, each with a token of its own.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn bots(&self, count: usize) -> Result<Vec<Connection>> {
        self.bots_of(&self.owner, count).await
    }

    /// The same in the tenant of whoever this token is of.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn bots_of(&self, owner: &str, count: usize) -> Result<Vec<Connection>> {
        let mut owner = self.connect(owner).await?;
        let mut bots = Vec::with_capacity(count);
        for n in 1..=count {
            let name = format!("bot {n}");
            let bot: Value = owner.post("/v1/bots", &json!({"name": name})).await?;
            let wanted = json!({"kind": "bot", "name": name, "bot_id": bot["id"], "requests_per_minute": REQUESTS_PER_MINUTE});
            let issued: Value = owner.post("/v1/tokens", &wanted).await?;
            let secret = issued["secret"].as_str().context("a token has a secret")?;
            bots.push(self.connect(secret).await?);
        }
        Ok(bots)
    }

    /// Nothing, when every invariant of the owner's tenant holds.
    ///
    /// # Errors
    /// With what the doctor found.
    pub async fn examine(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Examination {
            findings: Vec<Value>,
        }
        let examination: Examination = self.owner().await?.get("/v1/doctor").await?;
        ensure!(
            examination.findings.is_empty(),
            "the doctor found {}",
            json!(examination.findings)
        );
        Ok(())
    }

    /// Stops it in order, so that its connections to the database have ended.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub async fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM)?;
        let ended = self.child.wait().await?;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(())
    }
}

async fn output(command: &mut Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).output().await?;
    ensure!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// Builds the release binary of this repository.
fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let mut cargo = std::process::Command::new("cargo");
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            "muster",
            "--target-dir",
            "target",
        ])
        .current_dir(&root);
    ensure!(cargo.status()?.success(), "muster does not build");
    Ok(root.join("target/release/muster"))
}
