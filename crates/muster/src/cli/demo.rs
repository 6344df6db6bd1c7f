//! `muster demo`, and the demo of `muster up`.

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use muster_client::Client;
use muster_wire::{Page, accounts::Count, reviews::Review};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{Exit, serve};
use crate::{
    cluster::{self, Cluster},
    config::ServeSettings,
    demo::{self, Bots, Simulation, Summary},
    schema,
    seal::Keyring,
    server::Server,
    telemetry, tenants,
};

/// The pace of the whole demo: as fast as the machine goes, with a few failures.
const WHOLE: Simulation = Simulation {
    bots: 4,
    concurrency: 200,
    latency_ms: (1, 10),
    failures_percent: 3,
    reviews_permille: 5,
};

/// The pace of `up --demo`: slow enough to be watched.
const WATCHED: Simulation = Simulation {
    bots: 3,
    concurrency: 8,
    latency_ms: (100, 500),
    failures_percent: 6,
    reviews_permille: 20,
};

/// The main job from an empty temporary database to its end, with simulated bots and an automatic reviewer.
#[derive(Debug, Args)]
pub struct Demo {
    /// Accounts to lead to the end.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: u32,

    /// Print one JSON object and nothing else.
    #[arg(long)]
    json: bool,
}

impl Demo {
    /// Runs it, cleans up, and succeeds only when the doctor finds nothing.
    pub async fn run(self) -> Result<(), Exit> {
        telemetry::logs(false);
        let cluster = Cluster::temporary(cluster::Settings::default()).await?;
        let ran = self.on(&cluster).await;
        cluster.stop().await?;
        let summary = ran?;
        if self.json {
            println!("{}", serde_json::to_string(&summary)?);
        } else {
            tell(&summary);
        }
        match summary.doctor_findings {
            0 => Ok(()),
            n => Err(Exit::new(6, format!("the doctor has {n} findings"))),
        }
    }

    async fn on(&self, cluster: &Cluster) -> Result<Summary, Exit> {
        let owner_role = cluster.url(cluster::OWNER, cluster::DATABASE);
        schema::migrate(&owner_role).await?;
        let key = tempfile::tempdir()?;
        let keys = Keyring::from_file(&key.path().join("master.key"))?;
        let made = tenants::create(&owner_role, &keys, "Demo", "owner@example.com", "Owner").await?;
        let token = serve::first_token(&owner_role, &made).await?;
        let settings = ServeSettings {
            listen: ([127, 0, 0, 1], 0).into(),
            retry_ms: 20,
            ..ServeSettings::default()
        };
        let server = Server::start(
            cluster.url(cluster::APP, cluster::DATABASE),
            cluster.url(cluster::SCHEDULER, cluster::DATABASE),
            keys,
            settings,
        )
        .await?;
        let owner = Client::new(&server.url(), token)?;
        let accounts = usize::try_from(self.accounts)?;
        let files = if accounts == 600 {
            demo::samples()
        } else {
            demo::generated(accounts)
        };
        let bar = bar(u64::from(self.accounts) * 5, self.json);
        let ran = demo::run(&owner, &files, WHOLE, |so_far| {
            bar.set_position(so_far.steps_completed)
        })
        .await;
        bar.finish_and_clear();
        server.stop().await?;
        Ok(ran?)
    }
}

fn bar(length: u64, hidden: bool) -> ProgressBar {
    if hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} steps, {per_sec}, {eta} left")
        .expect("the template is valid");
    ProgressBar::new(length)
        .with_style(style)
        .with_message("Warming up")
}

fn tell(summary: &Summary) {
    println!(
        "{} accounts imported, {} rows refused",
        summary.imported, summary.rejected
    );
    println!("{} given a proxy", summary.proxies_assigned);
    println!(
        "{} steps completed, {} failed, {} accounts escalated",
        summary.steps_completed, summary.steps_failed, summary.escalated
    );
    println!(
        "{} approved, {} active, in {} s",
        summary.approved, summary.active, summary.seconds
    );
}

/// The demo beside a server that a person watches: imports the samples, assigns, warms up, and leaves the reviews to them.
/// Does nothing where there are accounts already.
pub async fn watched(url: &str, token: SecretString, stop: CancellationToken) -> Result<(), Exit> {
    let owner = Client::new(url, token)?;
    let there: Count = owner.get("/v1/accounts/count", &[]).await?;
    if there.count > 0 {
        println!("There are accounts already, so the demo does not begin again.");
        return Ok(());
    }
    println!("\nImporting the sample files:");
    let files = demo::samples();
    demo::import(&owner, &files, |file, import| {
        println!(
            "  {:<26} {:>4} good rows, {:>2} refused",
            file.name, import.new_rows, import.rejected_rows
        );
    })
    .await?;
    let drawn = demo::illustrate(&owner).await?;
    println!("{drawn} pictures were drawn for their content.");
    let assigned = demo::begin(&owner).await?;
    println!("{assigned} accounts were given a proxy, and warm up.");
    let mut bots = Bots::start(&owner, WATCHED).await?;
    let bar = bar(u64::try_from(assigned * 5)?, false);
    let ended = watch(&owner, &mut bots, &bar, stop).await;
    bar.finish_and_clear();
    bots.stop().await?;
    ended
}

/// Shows how far it has come, until nothing warms up any more or the person stops it.
async fn watch(
    owner: &Client,
    bots: &mut Bots,
    bar: &ProgressBar,
    stop: CancellationToken,
) -> Result<(), Exit> {
    let mut beat = tokio::time::interval(Duration::from_millis(500));
    let mut told = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        bots.all_working()?;
        let steps = bots.steps.load(std::sync::atomic::Ordering::Relaxed);
        bar.set_position(steps);
        // Without a terminal there is no bar: say it in lines, not too often.
        if bar.is_hidden() && steps >= told + 500 {
            told = steps;
            println!("{steps} steps worked");
        }
        let warming: Count = owner
            .get("/v1/accounts/count", &[("filter", "state:warming_up")])
            .await?;
        if warming.count == 0 {
            break;
        }
    }
    let finished = ("filter", "kind:finished");
    let waiting: Count = owner.get("/v1/reviews/count", &[finished]).await?;
    let all: Count = owner.get("/v1/reviews/count", &[]).await?;
    let first: Page<Review> = owner.get("/v1/reviews", &[("limit", "1"), finished]).await?;
    bar.finish_and_clear();
    println!(
        "\nThe warm-up is over, and {} accounts wait for your decision. In another terminal, with the token above:",
        all.count
    );
    println!("\n  muster reviews list kind:finished");
    if let Some(review) = first.items.first() {
        println!(
            "  muster reviews decide approve {} --reason 'looks good'",
            review.account.id
        );
        println!("  muster accounts history {}", review.account.id);
    }
    println!("  muster accounts do activate --filter state:ready --expect 1 --reason 'go'");
    println!(
        "\n{} of them stopped at a step; the bots go on with those that you resume:",
        all.count - waiting.count
    );
    println!("\n  muster reviews list kind:escalated");
    println!("  muster reviews decide resume ID --reason 'try again'");
    stop.cancelled().await;
    Ok(())
}
