//! Figures about the server, in the format of Prometheus, and the set-up of logs.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::MatchedPath,
    http::{Extensions, Method},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{backup::State, cluster::Space};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    event: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VolumeLabels {
    volume: &'static str,
}

/// The figures that `/metrics` shows.
#[derive(Debug)]
pub struct Telemetry {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Histogram,
    under_way: Gauge,
    steps: Family<OutcomeLabels, Counter>,
    connections: Gauge,
    connections_idle: Gauge,
    backup_ages: Family<EventLabels, Gauge>,
    backups_good: Family<EventLabels, Gauge>,
    free_bytes: Family<VolumeLabels, Gauge>,
    bugs: AtomicU64,
}

/// A request that is being counted.
#[derive(Debug)]
pub struct Count {
    began: Instant,
    method: String,
    path: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        // From one millisecond to a minute.
        let bounds = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        ];
        let this = Self {
            registry: Mutex::new(Registry::with_prefix("muster")),
            requests: Family::default(),
            durations: Histogram::new(bounds),
            under_way: Gauge::default(),
            steps: Family::default(),
            connections: Gauge::default(),
            connections_idle: Gauge::default(),
            backup_ages: Family::default(),
            backups_good: Family::default(),
            free_bytes: Family::default(),
            bugs: AtomicU64::new(0),
        };
        {
            let mut registry = this.registry.lock().expect("it was just made");
            registry.register("requests", "Requests answered", this.requests.clone());
            registry.register(
                "request_duration_seconds",
                "How long requests took",
                this.durations.clone(),
            );
            registry.register(
                "requests_under_way",
                "Requests not yet answered",
                this.under_way.clone(),
            );
            registry.register(
                "steps",
                "Steps reported, by what became of them",
                this.steps.clone(),
            );
            registry.register(
                "database_connections",
                "Connections to the database",
                this.connections.clone(),
            );
            registry.register(
                "database_connections_idle",
                "Those of them that are idle",
                this.connections_idle.clone(),
            );
            registry.register(
                "backup_good_age_seconds",
                "How long ago a backup, a drill or the archiving of WAL was last good",
                this.backup_ages.clone(),
            );
            registry.register(
                "backup_last_is_good",
                "Whether the last backup, drill or archiving of WAL was good",
                this.backups_good.clone(),
            );
            registry.register(
                "free_bytes",
                "The room on the disk that WAL is on, where the PostgreSQL is Muster's",
                this.free_bytes.clone(),
            );
        }
        this
    }
}

impl Telemetry {
    /// Begins to count a request.
    pub fn begin(&self, method: &Method, extensions: &Extensions) -> Count {
        self.under_way.inc();
        // The pattern, never the address itself: there are as many of those as accounts.
        let path = extensions
            .get::<MatchedPath>()
            .map_or("", |path| path.as_str())
            .to_owned();
        Count {
            began: Instant::now(),
            method: method.to_string(),
            path,
        }
    }

    /// Counts steps that were reported.
    pub fn steps(&self, outcome: &'static str, count: u64) {
        self.steps.get_or_create(&OutcomeLabels { outcome }).inc_by(count);
    }

    /// The figures as text.
    pub fn render(&self, (open, idle): (u32, usize), backups: &[State], wal: Option<Space>) -> String {
        if let Some(wal) = wal {
            let free = i64::try_from(wal.free_bytes).unwrap_or(i64::MAX);
            self.free_bytes
                .get_or_create(&VolumeLabels { volume: "wal" })
                .set(free);
        }
        for state in backups {
            let labels = EventLabels {
                event: state.event.clone(),
            };
            self.backups_good
                .get_or_create(&labels)
                .set(state.last_is_good.into());
            if let Some(secs) = state.good_secs_ago {
                self.backup_ages.get_or_create(&labels).set(secs);
            }
        }
        self.connections.set(i64::from(open));
        self.connections_idle.set(i64::try_from(idle).unwrap_or(i64::MAX));
        let mut text = String::new();
        let registry = self.registry.lock().expect("no holder of this lock panics");
        encode(&mut text, &registry).expect("writing to a String does not fail");
        text
    }

    /// Answers of status 500 since the start.
    pub fn bugs(&self) -> u64 {
        self.bugs.load(Ordering::Relaxed)
    }
}

impl Count {
    /// Ends the count; gives the milliseconds that the request took.
    pub fn end(self, telemetry: &Telemetry, status: u16) -> u64 {
        let elapsed = self.began.elapsed();
        telemetry.under_way.dec();
        telemetry.durations.observe(elapsed.as_secs_f64());
        telemetry
            .requests
            .get_or_create(&RequestLabels {
                method: self.method,
                path: self.path,
                status,
            })
            .inc();
        if status == 500 {
            telemetry.bugs.fetch_add(1, Ordering::Relaxed);
        }
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Sets the process's logs up: to standard error, filtered by `MUSTER_LOG` (as in `info,muster=debug`), as JSON when asked.
pub fn logs(json: bool) {
    let filter = EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new("warn,muster=info"));
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where tests set logs up themselves, theirs stand.
    let _ = if json {
        logs.json().try_init()
    } else {
        logs.try_init()
    };
}
