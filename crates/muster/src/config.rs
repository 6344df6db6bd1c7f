//! Every setting of a server, once.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::proxies::probe::Target;

/// Days that metrics are kept, unless the configuration says otherwise: two years, and the days of a leap one.
const METRICS_DAYS_DEFAULT: u32 = 731;

/// How a server serves, whichever database it uses.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// Where to listen. Anything but loopback has to stand behind TLS: say so with --behind-proxy.
    #[arg(long, env = "MUSTER_LISTEN", default_value = "127.0.0.1:7700")]
    pub listen: SocketAddr,

    /// A proxy in front of this server ends TLS, so it may listen beyond loopback.
    #[arg(long, env = "MUSTER_BEHIND_PROXY")]
    pub behind_proxy: bool,

    /// Connections to the database, at most; claims and reports have a third as many of their own.
    #[arg(long, env = "MUSTER_CONNECTIONS", default_value_t = crate::db::CONNECTIONS_MAX_DEFAULT, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub connections: u32,

    /// A standby of the database, as the same role: answers lists and dashboards of the API to those who say that old answers will do.
    #[arg(long, env = "MUSTER_STANDBY_URL", value_name = "URL", hide_env_values = true)]
    pub standby_url: Option<SecretString>,

    /// Seconds that a claimed step is leased for.
    #[arg(long, env = "MUSTER_LEASE_SECS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub lease_secs: u32,

    /// Milliseconds until the first retry of a failed step; each further one waits twice as long, up to an hour.
    #[arg(long, env = "MUSTER_RETRY_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    pub retry_ms: u32,

    /// What `proxies test` reaches through each proxy: tcp://HOST:PORT (a tunnel is enough) or http://HOST/PATH (the first
    /// address in the answer is the proxy's exit address).
    #[arg(
        long,
        env = "MUSTER_PROBE_TARGET",
        default_value = "tcp://www.instagram.com:443"
    )]
    pub probe_target: Target,

    /// Networks that `proxies test` may connect to although they are not public, for example 10.1.0.0/16.
    #[arg(long, env = "MUSTER_PROBE_ALLOW", value_delimiter = ',')]
    pub probe_allow: Vec<IpNet>,

    /// A folder for copies of the tenants: each hour one of each, encrypted by the master key; `muster copy restore` puts one into
    /// another server. All of the last day and the last of each of 14 days are kept. `muster up` puts them into its data folder.
    #[arg(long, env = "MUSTER_COPIES", value_name = "DIR")]
    pub copies: Option<PathBuf>,

    /// The folder of WAL, where the PostgreSQL is one of ours: writes are refused before its disk is full.
    #[arg(skip)]
    pub wal: Option<PathBuf>,

    /// Days that metrics are kept.
    #[arg(long, env = "MUSTER_METRICS_DAYS", default_value_t = METRICS_DAYS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub metrics_days: u32,

    /// Months of history and step logs that are kept beside the present one: what is older is dropped, once the last drill has
    /// found good a backup that holds it. Everything is kept unless this says otherwise.
    #[arg(long, env = "MUSTER_HISTORY_MONTHS", value_parser = clap::value_parser!(u32).range(3..=1_200))]
    pub history_months: Option<u32>,

    /// Write logs as JSON.
    #[arg(long, env = "MUSTER_LOG_JSON")]
    pub log_json: bool,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7700)),
            behind_proxy: false,
            connections: crate::db::CONNECTIONS_MAX_DEFAULT,
            standby_url: None,
            lease_secs: 120,
            retry_ms: 30_000,
            probe_target: "tcp://www.instagram.com:443"
                .parse()
                .expect("it is written above"),
            probe_allow: Vec::new(),
            copies: None,
            wal: None,
            metrics_days: METRICS_DAYS_DEFAULT,
            history_months: None,
            log_json: false,
        }
    }
}
