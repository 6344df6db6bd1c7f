//! The one door to the database: no connection without an actor, no statement outside a transaction that knows its
//! tenant.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, PgPool, SqlSafeStr,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use crate::{
    actor::{Actor, Who},
    hosts::{Hosts, Standby},
    problem::{Failure, Refusal},
};

mod borrowed;

pub use borrowed::Borrowed;

/// Connections that serve requests, at most, unless the configuration says otherwise. Claims and reports have a third as many
/// of their own.
pub const CONNECTIONS_MAX_DEFAULT: u32 = 12;

/// How long a request waits for a connection before it is told to come back later.
pub const CONNECTION_WAIT_MS_MAX: u64 = 1_500;

/// How long a statement of a request may take, before the database gives it up.
pub const STATEMENT_MS_MAX: u64 = 3_000;

/// How long one of the timers may take: nobody waits for it.
pub const TIMER_STATEMENT_MS_MAX: u64 = 30_000;

/// How long one that works on very much may take.
pub const LONG_STATEMENT_MS_MAX: u64 = 3_600_000;

/// How long one of the timer's role may take, which makes partitions.
const SCHEDULER_STATEMENT_MS_MAX: u64 = 60_000;

/// How much longer is waited for the database to say that it gave a statement up: one that does not is gone. As long as that
/// the database waits for the next statement of a transaction, before it ends that.
pub const WORD_MS_MAX: u64 = 1_000;

/// How long a transaction that takes its time may wait for its next statement, before the database ends it.
const LONG_IDLE_MS_MAX: u64 = 30_000;

/// The connections of the serving role. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    /// For what is one statement: claims and reports. Few, so that each has their plans and pages at hand; and their own, so that
    /// neither they nor what takes long waits for the other's.
    work: PgPool,
    standby: Option<Standby>,
}

/// A transaction of one actor: it sees the rows of one tenant, and what it writes names the actor. Rolled back when
/// dropped. No wait for the database lasts for ever: a statement of a request ends within [`STATEMENT_MS_MAX`] and
/// [`WORD_MS_MAX`], whatever has become of the database.
#[derive(Debug)]
pub struct Tx(Borrowed);

impl Db {
    /// Connects as the serving role; of several hosts, to whichever takes writes. There are a third as many connections more, for
    /// claims and reports, opened when there are any.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(hosts: impl Into<Hosts>, connections_max: u32) -> Result<Self, sqlx::Error> {
        let options = |connections_max| {
            PgPoolOptions::new()
                .max_connections(connections_max)
                .acquire_timeout(Duration::from_millis(CONNECTION_WAIT_MS_MAX))
        };
        let wanted = [
            (options(connections_max), "muster"),
            (options(connections_max.div_ceil(3)), "muster-work"),
        ];
        let [pool, work] = hosts.into().pools(wanted, STATEMENT_MS_MAX).await?;
        Ok(Self {
            pool,
            work,
            standby: None,
        })
    }

    /// The same database with a standby of it, which answers where somebody says that old answers will do.
    #[must_use]
    pub fn with_standby(self, standby: &PgConnectOptions, connections_max: u32) -> Self {
        let standby = Standby::of(self.pool.clone(), standby, connections_max, STATEMENT_MS_MAX);
        Self {
            standby: Some(standby),
            ..self
        }
    }

    /// A connection for a claim or a report: one statement that is a transaction of its own, in one round trip. It has to say
    /// itself who acts, with `muster_act_as`: nothing can be seen before. What it fails with is to be told by [`not_committed`].
    ///
    /// # Errors
    /// Unavailable when no connection is free in time, or the database cannot be reached.
    pub async fn for_one_statement(&self) -> Result<Borrowed, Failure> {
        Ok(connection(&self.work, STATEMENT_MS_MAX).await?)
    }

    /// Opens a transaction for the actor. The tenant and the actor are set in the same round trip, and end with it.
    ///
    /// # Errors
    /// Unavailable when no connection is free in time, or the database cannot be reached.
    pub async fn begin(&self, actor: &Actor) -> Result<Tx, Failure> {
        self.open("begin", actor, statement_ms_max(actor)).await
    }

    /// Opens a transaction for the actor that changes nothing, and in which all statements see the same moment. They may
    /// take their time, since they are to see everything.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_snapshot(&self, actor: &Actor) -> Result<Tx, Failure> {
        let begin = "begin isolation level repeatable read read only";
        self.open(begin, actor, LONG_STATEMENT_MS_MAX).await
    }

    async fn open(&self, begin: &'static str, actor: &Actor, statement_ms_max: u64) -> Result<Tx, Failure> {
        self.open_on(&self.pool, begin, actor, statement_ms_max).await
    }

    async fn open_on(
        &self,
        pool: &PgPool,
        begin: &'static str,
        actor: &Actor,
        statement_ms_max: u64,
    ) -> Result<Tx, Failure> {
        let null_or = |id: Option<i64>| id.map_or_else(|| "null".to_owned(), |id| id.to_string());
        let tenant = actor.tenant.0;
        let by = actor.triggered_by();
        let operator = null_or(actor.operator().map(|id| id.0));
        let bot = null_or(actor.bot().map(|id| id.0));
        let request = actor.request;
        let idle_ms_max = statement_ms_max.min(LONG_IDLE_MS_MAX) + WORD_MS_MAX;
        // Numbers, a UUID and one of four words: there is nothing to escape.
        let statement = format!(
            "{begin}; select muster_act_as({tenant}, '{by}', {operator}, {bot}, '{request}'), \
             set_config('statement_timeout', '{statement_ms_max}', true), \
             set_config('idle_in_transaction_session_timeout', '{idle_ms_max}', true)"
        );
        let mut tx = connection(pool, statement_ms_max).await?;
        tx.begin(AssertSqlSafe(statement).into_sql_str()).await?;
        Ok(Tx(tx))
    }

    /// Opens a transaction for the actor in which every statement is planned for its own parameters: for lists, where
    /// one statement serves many filters. It is on the standby where what that shows is not too old for the actor, who is then told
    /// how old it is; and can write nothing there.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn begin_read(&self, actor: &Actor) -> Result<Tx, Failure> {
        let begin = "begin; set local plan_cache_mode = force_custom_plan";
        let limit = statement_ms_max(actor);
        if let (Some(standby), Some(stale)) = (&self.standby, &actor.stale)
            && let Some(age) = standby.age()
            && stale.allows(age)
            && let Ok(tx) = self.open_on(standby.pool(), begin, actor, limit).await
        {
            stale.give(age);
            return Ok(tx);
        }
        self.open(begin, actor, limit).await
    }

    /// Calls the function that finds who signs in, the one statement for which no tenant is known yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in(&self, email: &str) -> Result<Vec<SignIn>, Failure> {
        let rows = sqlx::query_file_as!(SignIn, "src/sessions/sign_in.sql", email)
            .fetch_all(&mut connection(&self.pool, STATEMENT_MS_MAX).await?)
            .await?;
        Ok(rows)
    }

    /// Listens on a channel, on a connection that is the listener's until it is dropped or the database is closed. The listener
    /// gives `None`, or an error, once when its connection is lost, and is then of no more use.
    ///
    /// # Errors
    /// When no connection is free in time, or the database cannot be reached.
    pub async fn listen(&self, channel: &str) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.eager_reconnect(false);
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// Refuses a role that could see past row-level security, and a server that could lose what it has acknowledged.
    ///
    /// # Errors
    /// Each fault with its cure, all at once.
    pub async fn check(&self) -> Result<(), Failure> {
        let seen = sqlx::query_file!("src/schema/guards.sql")
            .fetch_one(&mut connection(&self.pool, STATEMENT_MS_MAX).await?)
            .await?;
        let mut faults = Vec::new();
        if seen.bypasses {
            faults.push(format!(
                "the role {} can see past row-level security (superuser, bypassrls, or owner of tables): connect as \
                 muster_app or another role that only has muster_app's grants",
                seen.role
            ));
        }
        if seen.major < 15 {
            faults.push("the server is older than PostgreSQL 15: upgrade it".to_owned());
        }
        for setting in seen.unsafe_settings {
            faults.push(format!(
                "{setting} is off, so acknowledged work could be lost: set {setting} = on"
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Refusal::unavailable(faults.join("; ")).into())
        }
    }

    /// How many connections are open, and how many of them idle.
    pub fn connections(&self) -> (u32, usize) {
        (
            self.pool.size() + self.work.size(),
            self.pool.num_idle() + self.work.num_idle(),
        )
    }

    /// Closes every connection, after what runs on them is done.
    pub async fn close(&self) {
        tokio::join!(self.pool.close(), self.work.close());
        if let Some(standby) = &self.standby {
            standby.pool().close().await;
        }
    }
}

/// One tenant that a person may sign in to. Has no `Debug`: it holds a hash.
pub struct SignIn {
    /// The operator.
    pub operator_id: muster_wire::OperatorId,
    /// Their name.
    pub name: String,
    /// bcrypt, or none where the person has not set a password.
    pub password_hash: Option<String>,
    /// The tenant.
    pub tenant_id: muster_wire::TenantId,
    /// The tenant's name.
    pub tenant: String,
    /// Their role in it.
    pub role: muster_wire::Role,
}

impl Tx {
    /// Makes what was done last. The answer may be given only after this.
    ///
    /// # Errors
    /// That it was not committed, where the database says so; where it is lost before it answers, that this is not known.
    pub async fn commit(self) -> Result<(), Failure> {
        self.0.commit().await.map_err(not_committed)
    }

    /// Gives statements [`LONG_STATEMENT_MS_MAX`], for work on very much at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_your_time(&mut self) -> Result<(), Failure> {
        for (setting, limit) in [
            ("statement_timeout", LONG_STATEMENT_MS_MAX),
            ("idle_in_transaction_session_timeout", LONG_IDLE_MS_MAX),
        ] {
            sqlx::query_scalar!("select set_config($1, $2, true)", setting, limit.to_string())
                .fetch_one(&mut **self)
                .await?;
        }
        self.0.wait_at_most(wait_max(LONG_STATEMENT_MS_MAX));
        Ok(())
    }

    /// Has the statements from here on planned for their own parameters, as [`Db::begin_read`] does, or once for any. The
    /// latter finds each of many rows by its key, however little is known of a table that has just been filled, and spares
    /// foreign keys, which look something up for each row, a plan for each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_for_given(&mut self, given: bool) -> Result<(), Failure> {
        let mode = if given {
            "force_custom_plan"
        } else {
            "force_generic_plan"
        };
        sqlx::query_scalar!("select set_config('plan_cache_mode', $1, true)", mode)
            .fetch_one(&mut **self)
            .await?;
        Ok(())
    }

    /// Says why, for the history that this transaction writes from here on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn because(&mut self, reason: &str) -> Result<(), Failure> {
        sqlx::query_scalar!("select set_config('muster.reason', $1, true)", reason)
            .fetch_one(&mut **self)
            .await?;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn connection(pool: &PgPool, statement_ms_max: u64) -> Result<Borrowed, sqlx::Error> {
    Ok(Borrowed::new(pool.acquire().await?, wait_max(statement_ms_max)))
}

/// What a commit, or a statement that is a transaction of its own, failed with: that it was not committed, where the database says
/// so; where it is lost before it answers, that this is not known.
pub fn not_committed(error: sqlx::Error) -> Failure {
    let code = error.as_database_error().and_then(|said| said.code());
    match code {
        Some(code) if !code.starts_with("57P") && !code.starts_with("08") => error.into(),
        _ => Refusal::outcome_unknown().into(),
    }
}

/// How long a statement of the actor may take.
fn statement_ms_max(actor: &Actor) -> u64 {
    match actor.who {
        Who::Scheduler => TIMER_STATEMENT_MS_MAX,
        _ => STATEMENT_MS_MAX,
    }
}

/// How long to wait for a database that may take this long for a statement.
fn wait_max(statement_ms_max: u64) -> Duration {
    Duration::from_millis(statement_ms_max + WORD_MS_MAX)
}

impl Deref for Tx {
    type Target = Borrowed;

    fn deref(&self) -> &Borrowed {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Borrowed {
        &mut self.0
    }
}

/// The connections of the timer's role, which sees which tenants have work for the timers, and nothing else.
#[derive(Debug, Clone)]
pub struct SchedulerDb {
    pool: PgPool,
}

impl SchedulerDb {
    /// Connects as the timer's role.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn connect(hosts: impl Into<Hosts>) -> Result<Self, sqlx::Error> {
        let options = PgPoolOptions::new().max_connections(1);
        let limit = SCHEDULER_STATEMENT_MS_MAX;
        let [pool] = hosts.into().pools([(options, "muster-scheduler")], limit).await?;
        Ok(Self { pool })
    }

    /// Closes the connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A connection of the timer's role.
    ///
    /// # Errors
    /// When the database cannot be reached.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the other door, for the timer's role"
    )]
    pub async fn connection(&self) -> Result<Borrowed, Failure> {
        let connection = self.pool.acquire().await?;
        Ok(Borrowed::new(connection, wait_max(SCHEDULER_STATEMENT_MS_MAX)))
    }
}
