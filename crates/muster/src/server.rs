//! A server from settings to its last request: what `up`, `serve` and the demo have in common.

use std::{net::SocketAddr, time::Duration};

use secrecy::ExposeSecret;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::ServeSettings,
    console::live,
    db::{Db, SchedulerDb},
    hosts::Hosts,
    problem::Failure,
    schema,
    seal::Keyring,
    tick,
};

/// How long requests that are under way may take to end when the server stops.
const STOP_SECS_MAX: u64 = 35;

/// Connections that serve no requests: the one on which a server hears the others.
const LISTENERS: u32 = 1;

/// Clients that may be waiting to be accepted. Where there are more, each further one is tried again by its own system, a second later:
/// with the usual 128 that is what becomes of a thousand that come at once. The system's own limit holds too (`somaxconn`).
const CLIENTS_WAITING_MAX: u32 = 4_096;

/// A server that is serving.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its handlers share.
    pub app: App,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    timers: JoinHandle<()>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It would be reached by others without TLS.
    #[error(
        "{0} can be reached from elsewhere, and this server speaks no TLS: put a proxy in front that does and say --behind-proxy, or listen on 127.0.0.1"
    )]
    Exposed(SocketAddr),
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: choose another with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The schema is not the one that this binary knows.
    #[error(transparent)]
    Schema(#[from] schema::CheckError),
    /// The database would not keep tenants apart, or could lose what it acknowledged.
    #[error("the database cannot be served: {0}")]
    Unsafe(Failure),
    /// It cannot be reached.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
}

impl Server {
    /// Starts on a database, of whose hosts it follows the one that takes writes. Everything that could go wrong later is
    /// checked first: the address, the schema, the role, and that the database keeps what it acknowledges.
    ///
    /// # Errors
    /// Each with its cure.
    pub async fn start(
        app_role: impl Into<Hosts>,
        scheduler_role: impl Into<Hosts>,
        keys: Keyring,
        settings: ServeSettings,
    ) -> Result<Self, StartError> {
        if !settings.listen.ip().is_loopback() && !settings.behind_proxy {
            return Err(StartError::Exposed(settings.listen));
        }
        let app_role = app_role.into();
        schema::check(&app_role.writable().await?).await?;
        let mut db = Db::connect(app_role, settings.connections + LISTENERS).await?;
        if let Some(url) = &settings.standby_url {
            let standby = url.expose_secret().parse().map_err(|_| {
                let cure =
                    "the standby's address is not understood: write postgres://ROLE:PASSWORD@HOST:PORT/NAME";
                StartError::Setting(cure.to_owned())
            })?;
            db = db.with_standby(&standby, settings.connections);
        }
        db.check().await.map_err(StartError::Unsafe)?;
        let scheduler = SchedulerDb::connect(scheduler_role).await?;
        let address = settings.listen;
        let listener = listen(address).map_err(|source| StartError::Listen { address, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| StartError::Listen { address, source })?;
        let app = App::new(db, keys, settings);
        let stop = CancellationToken::new();
        let timers = tokio::spawn(tick::run(app.clone(), scheduler, stop.clone()));
        tokio::spawn(live::hear(app.clone(), stop.clone()));
        let serving = tokio::spawn(app.clone().serve(listener, stop.clone().cancelled_owned()));
        tracing::debug!(%address, "serving on {address}");
        Ok(Self {
            address,
            app,
            stop,
            serving,
            timers,
        })
    }

    /// `http://HOST:PORT`, for clients on this machine.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more requests, finishes those under way, and closes the connections to the database.
    ///
    /// # Errors
    /// When serving had failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.cancel();
        let served = tokio::time::timeout(Duration::from_secs(STOP_SECS_MAX), self.serving).await;
        let _ = self.timers.await;
        self.app.db.close().await;
        match served {
            Ok(Ok(served)) => served,
            Ok(Err(join)) => Err(std::io::Error::other(join)),
            // What is still under way is cut off; it was not acknowledged.
            Err(_) => Ok(()),
        }
    }
}

/// Listens, at an address that may have been listened at a moment ago.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CLIENTS_WAITING_MAX)
}
