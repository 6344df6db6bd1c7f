//! Muster's benchmark: what it does a second and what that costs, beside other job queues, on a PostgreSQL of its own.
//! docs/benchmark.md says what each number means.

mod bench;
mod cluster;
mod explained;
mod http;
mod load;
mod metrics;
mod peers;
mod report;
mod scenarios;
mod server;
mod targets;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use bench::{Bench, Sizes};
use cluster::Cluster;
use report::{Report, Run};
use scenarios::{assign, drain, due, import, neighbours, read, single, steady};
use server::Binary;

/// Measure Muster beside other job queues.
#[derive(Debug, Parser)]
struct Args {
    /// Small sizes: all of it within a minute, to see that it works.
    #[arg(long)]
    quick: bool,

    /// Only these scenarios.
    #[arg(long, value_enum)]
    only: Vec<Scenario>,

    /// The release binary to measure; that of this repository, built, when absent.
    #[arg(long, env = "MUSTER_BIN")]
    muster: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    Drain,
    Single,
    Steady,
    Neighbours,
    Due,
    Import,
    Assign,
    Read,
}

impl Scenario {
    /// Runs it, after those that gave these runs.
    async fn run(self, bench: &Bench, before: &[Run]) -> Result<Vec<Run>> {
        match self {
            Self::Drain => drain::run(bench).await,
            Self::Single => single::run(bench).await,
            Self::Steady => steady::run(bench, drain::rate(before)).await,
            Self::Neighbours => neighbours::run(bench).await,
            Self::Due => due::run(bench).await,
            Self::Import => import::run(bench).await,
            Self::Assign => assign::run(bench).await,
            Self::Read => read::run(bench).await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let sizes = if args.quick { Sizes::quick() } else { Sizes::full() };
    let cluster = Cluster::start().await?;
    let binary = Binary::find(args.muster, cluster.dir())?;
    let postgres = cluster.settings().await?;
    let bench = Bench {
        cluster,
        binary,
        sizes,
    };
    let began = Instant::now();
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = measure(&bench, &args.only) => {
            let mut report = Report {
                quick: args.quick,
                machine: machine()?,
                binary: bench.binary.path().display().to_string(),
                postgres,
                took_secs: began.elapsed().as_secs_f64(),
                runs: ended?,
                targets: Vec::new(),
            };
            report.targets = targets::judge(&report, &bench.sizes);
            report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench"))
        }
        // So that the cluster is stopped and removed.
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}

async fn measure(bench: &Bench, only: &[Scenario]) -> Result<Vec<Run>> {
    bench.prepare().await?;
    let mut runs = Vec::new();
    for scenario in Scenario::value_variants() {
        if only.is_empty() || only.contains(scenario) {
            let began = Instant::now();
            let found = scenario.run(bench, &runs).await;
            runs.extend(found.with_context(|| format!("{scenario:?}"))?);
            eprintln!("{scenario:?} took {:.0} seconds", began.elapsed().as_secs_f64());
        }
    }
    Ok(runs)
}

/// What the numbers were measured on.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .unwrap_or_default();
    Ok(format!(
        "{cores} cores of {model}, {} GB of memory, shared by PostgreSQL, server and load",
        kib / 1_000_000
    ))
}
