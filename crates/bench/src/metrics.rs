//! What is measured: latencies, and what a run costs PostgreSQL, the server and the machine.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::PgConnection;

use crate::cluster::{Cluster, SUPERUSER};

/// Latencies of one kind of request.
#[derive(Debug, Default, Clone)]
pub struct Latencies(Vec<Duration>);

/// Percentiles in milliseconds, by the nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Latencies {
    /// Notes one.
    pub fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Notes all that another noted.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// What they come to; nothing when there are none.
    #[must_use]
    pub fn percentiles(mut self) -> Option<Percentiles> {
        self.0.sort_unstable();
        let count = self.0.len();
        let at = |of_thousand: usize| {
            let rank = (count * of_thousand).div_ceil(1000).clamp(1, count);
            self.0[rank - 1].as_secs_f64() * 1000.0
        };
        (count > 0).then(|| Percentiles {
            count,
            p50_ms: at(500),
            p99_ms: at(990),
            p999_ms: at(999),
            max_ms: at(1000),
        })
    }
}

/// The middle of some values; of two, their mean.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[half]),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

/// What has been used so far; two of them, one before and one after a run, make a [`Cost`].
#[derive(Debug)]
pub struct Meter {
    database: String,
    wal_bytes: i64,
    commits: i64,
    table_bytes: i64,
    postgres_secs: f64,
    server_secs: f64,
    own_secs: f64,
}

/// What a run used.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    pub wal_bytes: i64,
    pub commits: i64,
    pub dead_tuples: i64,
    pub table_growth_bytes: i64,
    pub postgres_cpu_secs: f64,
    /// Of Muster's server; 0 where none took part.
    pub server_cpu_secs: f64,
    /// Of the benchmark itself: the load for Muster, or the whole of a peer, which runs inside it.
    pub own_cpu_secs: f64,
    /// Of Muster's server, from its start.
    pub server_memory_peak_bytes: Option<u64>,
}

impl Meter {
    /// Begins to measure.
    ///
    /// # Errors
    /// When the database or `/proc` does not answer.
    pub async fn start(cluster: &Cluster, database: &str, server: Option<u32>) -> Result<Self> {
        let mut admin = cluster.connect(SUPERUSER, database).await?;
        let (commits, _, table_bytes) = table_figures(&mut admin).await?;
        Ok(Self {
            database: database.to_owned(),
            commits,
            table_bytes,
            wal_bytes: wal_bytes(&mut admin).await?,
            postgres_secs: cpu_secs_with_children(cluster.pid())?,
            server_secs: server.map_or(Ok(0.0), cpu_secs)?,
            own_secs: cpu_secs(std::process::id())?,
        })
    }

    /// What was used since, but for what PostgreSQL tells late.
    ///
    /// # Errors
    /// When the database or `/proc` does not answer.
    pub async fn stop(&self, cluster: &Cluster, server: Option<u32>) -> Result<Cost> {
        let own_cpu_secs = cpu_secs(std::process::id())? - self.own_secs;
        let server_cpu_secs = server.map_or(Ok(0.0), cpu_secs)? - self.server_secs;
        let postgres_cpu_secs = cpu_secs_with_children(cluster.pid())? - self.postgres_secs;
        let mut admin = cluster.connect(SUPERUSER, &self.database).await?;
        Ok(Cost {
            wal_bytes: wal_bytes(&mut admin).await? - self.wal_bytes,
            postgres_cpu_secs,
            server_cpu_secs,
            own_cpu_secs,
            server_memory_peak_bytes: server.map(memory_peak_bytes).transpose()?,
            ..Cost::default()
        })
    }

    /// Adds what PostgreSQL counts only once those who worked have disconnected, which they must have.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settle(&self, cluster: &Cluster, cost: &mut Cost) -> Result<()> {
        let mut admin = cluster.connect(SUPERUSER, &self.database).await?;
        let (commits, dead_tuples, table_bytes) = table_figures(&mut admin).await?;
        cost.commits = commits - self.commits;
        cost.dead_tuples = dead_tuples;
        cost.table_growth_bytes = table_bytes - self.table_bytes;
        Ok(())
    }
}

async fn wal_bytes(admin: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar(include_str!("../sql/wal_bytes.sql"))
        .fetch_one(admin)
        .await?)
}

async fn table_figures(admin: &mut PgConnection) -> Result<(i64, i64, i64)> {
    Ok(sqlx::query_as(include_str!("../sql/table_figures.sql"))
        .fetch_one(admin)
        .await?)
}

/// Processor time of a process, in user and system mode.
fn cpu_secs(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(ticks(&stat, 13..15).context("/proc/PID/stat is not understood")? / ticks_per_sec()?)
}

/// Processor time of a process, of its children, and of those of them that have ended.
fn cpu_secs_with_children(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let mut sum = ticks(&stat, 13..17).context("/proc/PID/stat is not understood")?;
    for entry in std::fs::read_dir("/proc")? {
        // A process may have ended since the folder was read.
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        if ticks(&stat, 3..4) == Some(f64::from(pid)) {
            sum += ticks(&stat, 13..15).unwrap_or_default();
        }
    }
    Ok(sum / ticks_per_sec()?)
}

/// The sum of fields of a line of `/proc/PID/stat`, counted from 0 as `man proc` has them from 1. The name, the second field,
/// may hold anything, so what counts begins after its last parenthesis.
fn ticks(stat: &str, fields: std::ops::Range<usize>) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let all: Vec<&str> = rest.split_ascii_whitespace().collect();
    all.get(fields.start - 2..fields.end - 2)?
        .iter()
        .map(|field| field.parse::<f64>().ok())
        .sum()
}

fn ticks_per_sec() -> Result<f64> {
    let per_sec = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?;
    Ok(per_sec.context("the system does not say how long a tick is")? as f64)
}

/// The most memory that a process has held.
///
/// # Errors
/// When the process is gone.
pub fn memory_peak_bytes(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    Ok(kib.context("/proc/PID/status has no VmHWM")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut latencies = Latencies::default();
        for ms in (1..=1000).rev() {
            latencies.add(Duration::from_millis(ms));
        }
        let found = latencies.percentiles().expect("there are some");
        assert_eq!((found.count, found.p50_ms, found.p99_ms), (1000, 500.0, 990.0));
        assert_eq!((found.p999_ms, found.max_ms), (999.0, 1000.0));
    }

    #[test]
    fn one_latency_is_every_percentile_and_none_is_none() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.clone().percentiles(), None);
        latencies.add(Duration::from_millis(7));
        let found = latencies.percentiles().expect("there is one");
        assert_eq!((found.p50_ms, found.p999_ms), (7.0, 7.0));
    }

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0]), Some(2.0));
        assert_eq!(median(&[3.0, 1.0, 50.0]), Some(3.0));
    }

    #[test]
    fn a_process_may_be_called_anything() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1";
        assert_eq!(ticks(stat, 3..4), Some(7.0));
        assert_eq!(ticks(stat, 13..15), Some(120.0));
        assert_eq!(ticks(stat, 13..17), Some(127.0));
    }
}
