//! The commands that run a server, or make a database ready for one.

use std::{
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use chrono::{Duration, Utc};
use clap::Args;
use muster_wire::{Role, Secret};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::{
    actor::Actor,
    backup::{BackupError, Repository, schedule},
    cluster::{self, Cluster},
    config::ServeSettings,
    db::Db,
    hosts::Hosts,
    operators::{self, PASSWORD_LINK_HOURS},
    problem::Failure,
    schema,
    seal::{Keyring, MasterKeys},
    server::Server,
    telemetry, tenants,
    tokens::{self, Bearer},
};

/// How long the first owner's token is good for.
const FIRST_TOKEN_DAYS: i64 = 365;

/// The wait before the first retry of a simulated step, at most.
const DEMO_RETRY_MS: u32 = 1_000;

/// Start everything here: an embedded PostgreSQL, the server, and its timers.
#[derive(Debug, Args)]
pub struct Up {
    /// The folder that holds everything.
    #[arg(long, env = "MUSTER_DATA", default_value = "muster-data")]
    data: PathBuf,

    /// The name of the first tenant, when there is none yet.
    #[arg(long, default_value = "My organisation")]
    tenant: String,

    /// The e-mail address of the first tenant's owner, when there is none yet.
    #[arg(long, default_value = "owner@localhost.localdomain")]
    owner: String,

    /// Play the demo: import the sample files, assign proxies, let simulated bots work, and leave the reviews to you.
    #[arg(long)]
    demo: bool,

    #[command(flatten)]
    settings: ServeSettings,
}

/// Serve on a PostgreSQL of yours.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    database: ServeDatabase,

    #[command(flatten)]
    key: MasterKeySource,

    #[command(flatten)]
    settings: ServeSettings,
}

/// The two roles that a server connects as.
#[derive(Debug, Args)]
struct ServeDatabase {
    /// The database, as the serving role: postgres://muster_app:...@HOST/muster. Of several hosts, HOST:PORT,HOST:PORT, the
    /// one that takes writes is followed.
    #[arg(long, env = "MUSTER_DATABASE_URL", hide_env_values = true)]
    database_url: SecretString,

    /// The same database, as the timer's role: postgres://muster_scheduler:...@HOST/muster. Several hosts as above.
    #[arg(long, env = "MUSTER_SCHEDULER_URL", hide_env_values = true)]
    scheduler_url: SecretString,
}

/// Where the master key is.
#[derive(Debug, Args)]
pub struct MasterKeySource {
    /// The file with the master key, which only its owner may read; made when there is none.
    #[arg(long, env = "MUSTER_MASTER_KEY_FILE", required_unless_present = "master_key")]
    master_key_file: Option<PathBuf>,

    /// The master key itself: 64 hexadecimal digits. Only from the environment, where no other user can see it.
    #[arg(
        env = "MUSTER_MASTER_KEY",
        hide = true,
        long,
        conflicts_with = "master_key_file"
    )]
    master_key: Option<SecretString>,
}

/// Bring a PostgreSQL of yours up to date.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    owner: OwnerDatabase,
}

/// Make a tenant on a PostgreSQL of yours, with its owner.
#[derive(Debug, Args)]
pub struct CreateTenant {
    /// The tenant's name.
    name: String,

    /// The e-mail address of its owner.
    #[arg(long)]
    owner: String,

    #[command(flatten)]
    database: OwnerDatabase,

    #[command(flatten)]
    key: MasterKeySource,
}

/// The role that owns the schema.
#[derive(Debug, Args)]
pub struct OwnerDatabase {
    /// The database, as the role that owns the schema: postgres://muster_owner:...@HOST/muster.
    #[arg(long, env = "MUSTER_OWNER_URL", hide_env_values = true)]
    database_url: SecretString,
}

impl OwnerDatabase {
    /// How to connect.
    pub fn options(&self) -> Result<PgConnectOptions, Exit> {
        address(&self.database_url)
    }
}

impl MasterKeySource {
    /// The keyring under it.
    pub fn keyring(&self) -> Result<Keyring, Exit> {
        match (&self.master_key, &self.master_key_file) {
            (Some(key), _) => Ok(Keyring::new(MasterKeys::parse(key)?)),
            (None, Some(path)) => Ok(Keyring::from_file(path)?),
            (None, None) => Err(Exit::new(2, "give --master-key-file")),
        }
    }
}

/// Never shows the address itself, which can hold a password.
fn address<T: FromStr>(url: &SecretString) -> Result<T, Exit> {
    url.expose_secret().parse().map_err(|_| {
        Exit::new(
            2,
            "the database's address is not understood: write postgres://ROLE:PASSWORD@HOST:PORT/NAME",
        )
    })
}

impl Migrate {
    /// Migrates.
    pub async fn run(self) -> Result<(), Exit> {
        schema::migrate(&self.owner.options()?).await?;
        println!("The database is up to date.");
        Ok(())
    }
}

impl CreateTenant {
    /// Makes the tenant, and prints its owner's token.
    pub async fn run(self) -> Result<(), Exit> {
        let owner_role = self.database.options()?;
        let keys = self.key.keyring()?;
        let made = tenants::create(&owner_role, &keys, &self.name, &self.owner, &self.owner).await?;
        let token = first_token(&owner_role, &made).await?;
        println!(
            "Tenant {} ({}) is made. Its owner's token, shown this once:\n{}",
            self.name,
            made.tenant,
            token.expose_secret()
        );
        Ok(())
    }
}

impl Serve {
    /// Serves until it is told to stop.
    pub async fn run(self) -> Result<(), Exit> {
        telemetry::logs(self.settings.log_json);
        let keys = self.key.keyring()?;
        let server = Server::start(
            address::<Hosts>(&self.database.database_url)?,
            address::<Hosts>(&self.database.scheduler_url)?,
            keys,
            self.settings,
        )
        .await?;
        println!("Muster serves on {}", server.url());
        told_to_stop().await?;
        say("Stopping.");
        Ok(server.stop().await?)
    }
}

impl Up {
    /// Starts everything and serves until it is told to stop.
    pub async fn run(self) -> Result<(), Exit> {
        telemetry::logs(self.settings.log_json);
        // Asked for first, so that a signal during the start is not lost.
        let stopped = told_to_stop();
        let folder = Cluster::hold(&self.data).await?;
        let keys = Keyring::from_file(&folder.dir.join("master.key"))?;
        let repository = match Repository::open(&folder, &keys.master()) {
            Err(error @ BackupError::NotInstalled) => {
                eprintln!("warning: there are no backups: {error}");
                None
            }
            opened => Some(opened?),
        };
        let settings = cluster::Settings {
            archive: repository
                .as_ref()
                .map_or(cluster::Archive::Off, Repository::archive),
            ..cluster::Settings::default()
        };
        let cluster = Cluster::start_in(folder, settings).await?;
        let served = self.serve(&cluster, keys, repository, stopped).await;
        say("Stopping.");
        cluster.stop().await?;
        served
    }

    async fn serve(
        self,
        cluster: &Cluster,
        keys: Keyring,
        repository: Option<Repository>,
        stopped: impl Future<Output = Result<(), Exit>>,
    ) -> Result<(), Exit> {
        if let Some(repository) = &repository {
            // Serving goes on without: WAL is kept until it is archived.
            if let Err(error) = repository.prepare().await {
                tracing::error!(%error, "the repository of backups is not ready");
            }
        }
        let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
        schema::migrate(&owner_role).await?;
        let first = self.first_tenant(&owner_role, &keys).await?;
        let demo = self.demo;
        let mut settings = self.settings;
        settings
            .copies
            .get_or_insert_with(|| cluster.dir().join("copies"));
        settings.wal = Some(cluster.layout().wal());
        if demo {
            // Who watches does not want to wait half a minute for a retry.
            settings.retry_ms = settings.retry_ms.min(DEMO_RETRY_MS);
        }
        let server = Server::start(
            cluster.url(cluster::APP, cluster::DATABASE),
            cluster.url(cluster::SCHEDULER, cluster::DATABASE),
            keys,
            settings,
        )
        .await?;
        greet(&server.url(), cluster.dir(), first.as_ref());
        let stop = CancellationToken::new();
        let backups = async {
            if let Some(repository) = repository {
                schedule::keep(repository, stop.clone()).await;
            }
        };
        let demo = async {
            if !demo {
                return Ok(());
            }
            match first {
                Some(first) => super::demo::watched(&server.url(), first.token, stop.clone()).await,
                None => {
                    println!(
                        "This data folder was begun before, so the demo is not played again; --data names another."
                    );
                    Ok(())
                }
            }
        };
        let told = async {
            let told = stopped.await;
            stop.cancel();
            told
        };
        let (played, told, ()) = tokio::join!(demo, told, backups);
        server.stop().await?;
        played.and(told)
    }

    /// Makes the first tenant when there is none; then gives what its owner needs.
    async fn first_tenant(
        &self,
        owner_role: &PgConnectOptions,
        keys: &Keyring,
    ) -> Result<Option<First>, Exit> {
        if tenants::first(owner_role).await?.is_some() {
            return Ok(None);
        }
        let made = tenants::create(owner_role, keys, &self.tenant, &self.owner, "Owner").await?;
        Ok(Some(First {
            token: first_token(owner_role, &made).await?,
            link: first_link(owner_role, &made).await?,
        }))
    }
}

/// What the owner of the first tenant needs, shown once.
struct First {
    /// A token for the command line.
    token: SecretString,
    /// What the link holds by which they set their password.
    link: Secret,
}

/// What lets the owner of a tenant that was just made set their password.
async fn first_link(owner_role: &PgConnectOptions, made: &tenants::Made) -> Result<Secret, Failure> {
    let db = Db::connect(owner_role.clone(), 1).await?;
    let mut tx = db.begin(&Actor::system(made.tenant)).await?;
    let link = operators::password_link(&mut tx, &Actor::system(made.tenant), made.owner).await?;
    tx.commit().await?;
    db.close().await;
    Ok(link.token)
}

/// A token for the owner of a tenant that was just made.
pub async fn first_token(
    owner_role: &PgConnectOptions,
    made: &tenants::Made,
) -> Result<SecretString, Failure> {
    let db = Db::connect(owner_role.clone(), 1).await?;
    let actor = Actor::system(made.tenant);
    let mut tx = db.begin(&actor).await?;
    let expires = Utc::now() + Duration::days(FIRST_TOKEN_DAYS);
    let (_, token) = tokens::issue(
        &mut tx,
        &actor,
        "first",
        Bearer::Operator(made.owner, Role::Owner),
        expires,
    )
    .await?;
    tx.commit().await?;
    db.close().await;
    Ok(token)
}

fn greet(url: &str, data: &Path, first: Option<&First>) {
    println!("Muster serves on {url}");
    println!("  API documentation  {url}/docs");
    println!("  everything it has  {}", data.display());
    println!(
        "  the master key     {} (keep a copy elsewhere: without it no secret and no backup opens)",
        data.join("master.key").display()
    );
    match first {
        Some(first) => println!(
            "\nOpen the console by this link, which works once and for {PASSWORD_LINK_HOURS} hours, and set your password:\n\n  \
             {url}/password?token={}\n\nYour owner's token for the command line, shown this once:\n\n  export MUSTER_TOKEN={}\n",
            first.link.0.expose_secret(),
            first.token.expose_secret()
        ),
        None => println!("  the console        sign in; for tokens, `muster tokens` makes others"),
    }
    println!("Ctrl-C stops it cleanly.");
}

/// Says something on standard output, to whoever still reads it.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Waits for SIGINT or SIGTERM, from the moment it is called.
pub fn told_to_stop() -> impl Future<Output = Result<(), Exit>> {
    let signals = signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
    async move {
        let (mut interrupt, mut terminate) = signals?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}
