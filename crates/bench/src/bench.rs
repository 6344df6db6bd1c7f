//! What every scenario begins with: the database, the binary, the sizes, and databases filled as a user's would be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::{Connection as _, Postgres, postgres::PgArguments, query::Query};
use tokio::task::JoinSet;

use crate::{
    cluster::{Cluster, OWNER, SUPERUSER},
    metrics::{Cost, Meter},
    server::{Binary, Server},
};

/// The database that a run works on; made anew for each.
pub const RUN: &str = "run";

/// The database that all templates begin as.
const EMPTY: &str = "empty";

/// Models of a tenant, and pictures or texts of each type in each one's pools.
const MODELS: i32 = 10;

/// Bots side by side, where a scenario does not say otherwise.
pub const BOTS: usize = 8;
const POOL_ITEMS: i32 = 100;

/// How often a server that has started is looked at, in how many looks in a row it must be at rest, and within which time.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const QUIET_LOOKS: u32 = 5;
const QUIET_WITHIN: Duration = Duration::from_secs(60);

/// Parts that a large tenant is filled in at once.
const PARTS: i32 = 2;

/// How large everything is.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Runs of each subject.
    pub rounds: usize,
    /// Accounts that are led through all five steps.
    pub accounts: i32,
    /// Steps that are worked one at a time.
    pub single_accounts: i32,
    /// How long accounts become ready one after the other, and how long beside a transaction that goes on.
    pub steady_secs: u32,
    pub pinned_secs: u32,
    /// Accounts that are drained before, and after, the steady load.
    pub burst_accounts: i32,
    /// Small tenants, the accounts of each, how long from one claim of each to its next and how many it makes, and the accounts of
    /// the large one beside them.
    pub small_tenants: usize,
    pub small_accounts: i32,
    pub small_every: Duration,
    pub small_claims: u32,
    pub large_accounts: i32,
    /// Of the large one's, those that are ready where the others are not due.
    pub ready_accounts: i32,
    /// Runs of each where there is a large tenant: one that the disk held up is not to decide.
    pub large_rounds: usize,
    /// Rows of the files that are imported.
    pub imported_accounts: u32,
    pub imported_proxies: u32,
    /// Accounts that are given a proxy.
    pub assigned_accounts: i32,
    /// Models, and accounts that lists are read among, and how often each is read to see how long it takes.
    pub read_models: i32,
    pub read_accounts: &'static [i32],
    pub reads: usize,
}

impl Sizes {
    /// Those that the targets are meant for.
    #[must_use]
    pub const fn full() -> Self {
        Self {
            rounds: 2,
            accounts: 40_000,
            single_accounts: 20_000,
            steady_secs: 60,
            pinned_secs: 600,
            burst_accounts: 60_000,
            small_tenants: 100,
            small_accounts: 100,
            small_every: Duration::from_millis(500),
            small_claims: 50,
            large_accounts: 1_100_000,
            ready_accounts: 100_000,
            large_rounds: 3,
            imported_accounts: 1_000_000,
            imported_proxies: 100_000,
            assigned_accounts: 100_000,
            read_models: 100,
            read_accounts: &[10_000, 100_000, 1_000_000],
            reads: 50,
        }
    }

    /// Those with which all of it takes a minute.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            rounds: 1,
            accounts: 600,
            single_accounts: 200,
            steady_secs: 1,
            pinned_secs: 1,
            burst_accounts: 200,
            small_tenants: 5,
            small_accounts: 10,
            small_every: Duration::from_millis(100),
            small_claims: 2,
            large_accounts: 2_500,
            ready_accounts: 1_000,
            large_rounds: 1,
            imported_accounts: 5_000,
            imported_proxies: 500,
            assigned_accounts: 1_000,
            read_models: 10,
            read_accounts: &[1_000, 2_000],
            reads: 2,
        }
    }
}

/// What all scenarios share.
#[derive(Debug)]
pub struct Bench {
    pub cluster: Cluster,
    pub binary: Binary,
    pub sizes: Sizes,
}

/// A filled database to make copies of.
#[derive(Debug)]
pub struct Template {
    name: String,
    /// The token of the owner of each tenant; the first tenant's id is 1, and so on.
    pub owners: Vec<String>,
    /// How long it took to fill.
    pub filled_in: Duration,
}

/// The accounts of a tenant that is made.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    pub models: i32,
    pub accounts: i32,
    /// Pictures, or texts, of each type in the pools of each model.
    pub items: i32,
    /// Of how many of them the warm-up has begun; the others have a proxy. Where it is of none, all are just imported.
    pub warming: i32,
}

impl Fill {
    /// Accounts whose warm-up has begun.
    #[must_use]
    pub const fn warming(accounts: i32) -> Self {
        Self {
            models: MODELS,
            accounts,
            items: POOL_ITEMS,
            warming: accounts,
        }
    }
}

impl Template {
    /// The database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Bench {
    /// Makes the database that all templates begin as: up to date, with the procedures of the benchmark, and no tenant.
    ///
    /// # Errors
    /// When the binary or the database refuses.
    pub async fn prepare(&self) -> Result<()> {
        self.cluster.create(EMPTY, None).await?;
        self.binary.migrate(&self.cluster, EMPTY).await?;
        let mut owner = self.cluster.connect(OWNER, EMPTY).await?;
        for made in [
            include_str!("../sql/schema.sql"),
            include_str!("../sql/fill.sql"),
            include_str!("../sql/advance.sql"),
            include_str!("../sql/drain.sql"),
            include_str!("../sql/stored_columns.sql"),
            include_str!("../sql/copy_out.sql"),
            include_str!("../sql/copy_in.sql"),
        ] {
            sqlx::raw_sql(made).execute(&mut owner).await?;
        }
        owner.close().await?;
        Ok(())
    }

    /// Makes a database with tenants, and fills each.
    ///
    /// # Errors
    /// When the binary or the database refuses.
    pub async fn template(&self, name: &str, fills: &[Fill]) -> Result<Template> {
        self.cluster.create(name, Some(EMPTY)).await?;
        let began = Instant::now();
        let mut owner = self.cluster.connect(OWNER, name).await?;
        let mut owners = Vec::with_capacity(fills.len());
        for (tenant, fill) in (1_i64..).zip(fills) {
            owners.push(
                self.binary
                    .create_tenant(&self.cluster, name, &format!("tenant-{tenant}"))
                    .await?,
            );
            sqlx::query(include_str!("../sql/allow.sql"))
                .bind(tenant)
                .execute(&mut owner)
                .await?;
            let filled = self.in_parts(name, PARTS.min(fill.models), |part, parts| {
                sqlx::query(include_str!("../sql/call_fill.sql"))
                    .bind(tenant)
                    .bind(fill.models)
                    .bind(fill.items)
                    .bind(fill.accounts)
                    .bind(fill.warming)
                    .bind(part)
                    .bind(parts)
            });
            filled
                .await
                .with_context(|| format!("filling tenant {tenant} of {name}"))?;
        }
        drop(owner);
        self.cluster.settle(name).await?;
        let filled_in = began.elapsed();
        eprintln!("{name}: filled in {:.0} seconds", filled_in.as_secs_f64());
        Ok(Template {
            name: name.to_owned(),
            owners,
            filled_in,
        })
    }

    /// A copy of a filled database, to be filled further.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn another(&self, name: &str, template: &Template) -> Result<Template> {
        self.cluster.create(name, Some(&template.name)).await?;
        Ok(Template {
            name: name.to_owned(),
            owners: template.owners.clone(),
            filled_in: template.filled_in,
        })
    }

    /// Leads the accounts of the first tenant on, as over a year of use.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn advance(&self, template: &Template) -> Result<()> {
        self.in_parts(&template.name, PARTS, |part, parts| {
            sqlx::query(include_str!("../sql/call_advance.sql"))
                .bind(1_i64)
                .bind(part)
                .bind(parts)
        })
        .await?;
        self.cluster.settle(&template.name).await
    }

    /// Has the owner of the schema run a statement for each part of something, all at once.
    async fn in_parts(
        &self,
        database: &str,
        parts: i32,
        statement: impl Fn(i32, i32) -> Query<'static, Postgres, PgArguments>,
    ) -> Result<()> {
        let mut running = JoinSet::new();
        for part in 0..parts {
            let (mut owner, statement) = (
                self.cluster.connect(OWNER, database).await?,
                statement(part, parts),
            );
            running.spawn(async move { statement.execute(&mut owner).await });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Makes the run's database anew as a copy: vacuumed, analysed and written to disk, as the template is, and in memory, as
    /// what a peer fills for itself is.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn copy(&self, template: &Template) -> Result<()> {
        self.cluster.create(RUN, Some(&template.name)).await?;
        self.cluster.prewarm(RUN).await
    }

    /// The same, with a server on it.
    ///
    /// # Errors
    /// When the database refuses, or the server does not start.
    pub async fn serve(&self, template: &Template) -> Result<Server> {
        self.copy(template).await?;
        self.serve_run(template).await
    }

    /// A server on the run's database as it is, which was copied from this, that is done with what a server does when it starts: it
    /// counts the last days' metrics, which takes longer the more accounts there are. Its owner is the last tenant's.
    ///
    /// # Errors
    /// When the server does not start, or is at work for a minute.
    pub async fn serve_run(&self, template: &Template) -> Result<Server> {
        let owner = template.owners.last().context("a template has a tenant")?;
        let server = self.binary.serve(&self.cluster, RUN, owner).await?;
        let mut admin = self.cluster.connect(SUPERUSER, RUN).await?;
        let (began, mut quiet) = (Instant::now(), 0);
        while quiet < QUIET_LOOKS {
            ensure!(
                began.elapsed() < QUIET_WITHIN,
                "the server is still at work by itself"
            );
            tokio::time::sleep(LOOK_EVERY).await;
            let at_work: i64 = sqlx::query_scalar(include_str!("../sql/at_work.sql"))
                .fetch_one(&mut admin)
                .await?;
            quiet = if at_work == 0 { quiet + 1 } else { 0 };
        }
        Ok(server)
    }

    /// Begins to measure the run's database, and a server on it.
    ///
    /// # Errors
    /// When the database or `/proc` does not answer.
    pub async fn meter(&self, server: Option<&Server>) -> Result<Meter> {
        Meter::start(&self.cluster, RUN, server.map(Server::pid)).await
    }

    /// Sees that every invariant holds, stops the server, and completes what was measured.
    ///
    /// # Errors
    /// With what does not hold, or when the server does not stop in order.
    pub async fn finish(&self, server: Server, meter: &Meter, mut cost: Cost) -> Result<Cost> {
        self.end(server).await?;
        meter.settle(&self.cluster, &mut cost).await?;
        Ok(cost)
    }

    /// Sees that every invariant holds, and stops the server.
    ///
    /// # Errors
    /// With what does not hold, or when the server does not stop in order.
    pub async fn end(&self, server: Server) -> Result<()> {
        // As autovacuum has it within a minute: what the doctor asks is planned by how much there is of everything.
        self.cluster.analyse(RUN).await?;
        server.examine().await?;
        server.stop().await
    }

    /// Removes the databases of a scenario.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn clear(&self, templates: &[&Template]) -> Result<()> {
        self.cluster.drop(RUN).await?;
        for template in templates {
            self.cluster.drop(&template.name).await?;
        }
        Ok(())
    }
}
