//! The schema: immutable numbered migrations, then the functions, triggers, policies and grants that are made anew at
//! every migrate, so that each has one readable definition. `schema.sql` beside the migrations shows the result.

use muster_wire::lifecycle::TABLE;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgExecutor, migrate::Migrator,
    postgres::PgConnectOptions,
};

/// The numbered migrations.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./schema");

/// What is made anew at every migrate, in this order.
pub const ALWAYS: &[&str] = &[
    include_str!("../../schema/always/10_actor.sql"),
    include_str!("../../schema/always/15_sign_in.sql"),
    include_str!("../../schema/always/20_partitions.sql"),
    include_str!("../../schema/always/30_queue.sql"),
    include_str!("../../schema/always/40_accounts.sql"),
    include_str!("../../schema/always/42_counts.sql"),
    include_str!("../../schema/always/45_matching.sql"),
    include_str!("../../schema/always/46_pictures.sql"),
    include_str!("../../schema/always/47_duplicates.sql"),
    include_str!("../../schema/always/50_triggers.sql"),
    include_str!("../../schema/always/60_work.sql"),
    include_str!("../../schema/always/65_copies.sql"),
    include_str!("../../schema/always/65_metrics.sql"),
    include_str!("../../schema/always/70_fields.sql"),
    include_str!("../../schema/always/80_policies.sql"),
    include_str!("../../schema/always/90_grants.sql"),
];

/// One at a time, whichever server or person migrates.
const MIGRATE_LOCK: i64 = 0x6d75_7374_6572;

/// Why a database cannot be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was made by a newer Muster.
    #[error(
        "the database was made by a newer Muster (migration {0} is not known here): install that version or a newer one"
    )]
    Newer(i64),
    /// A role is missing and could not be made.
    #[error(
        "the role {role} does not exist and could not be created: as a superuser run `create role {role} login` and give \
         it a password, then migrate again"
    )]
    Role {
        /// Which.
        role: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The database failed, or refused a migration. What was done before stands, and migrate can be run again.
    #[error("the migration stopped")]
    Database(#[from] sqlx::Error),
    /// As above, in a numbered migration.
    #[error("the migration stopped")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

/// Brings the database up to date. Safe to run twice, at once from several places, and to be killed at any statement: each
/// numbered migration is one transaction, all that is made anew is one more.
///
/// # Errors
/// When the database is newer than this binary, or refuses.
pub async fn migrate(owner: &PgConnectOptions) -> Result<(), MigrateError> {
    let mut db = PgConnection::connect_with(owner).await?;
    sqlx::query!("select pg_advisory_lock($1)", MIGRATE_LOCK)
        .fetch_one(&mut db)
        .await?;
    for role in ["muster_app", "muster_scheduler"] {
        make_role(&mut db, role).await?;
    }
    MIGRATIONS
        .run_direct(None, &mut db, false)
        .await
        .map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => MigrateError::Newer(version),
            other => MigrateError::Migration(other),
        })?;
    let mut tx = db.begin().await?;
    for sql in ALWAYS {
        tx.execute(AssertSqlSafe(*sql)).await?;
    }
    store_lifecycle(&mut tx).await?;
    tx.commit().await?;
    db.close().await?;
    Ok(())
}

async fn make_role(db: &mut PgConnection, role: &'static str) -> Result<(), MigrateError> {
    let exists = sqlx::query_file_scalar!("src/schema/role_exists.sql", role)
        .fetch_one(&mut *db)
        .await?;
    if exists {
        return Ok(());
    }
    // One of two words: there is nothing to escape.
    db.execute(AssertSqlSafe(format!(
        "create role {role} login nosuperuser nobypassrls"
    )))
    .await
    .map(drop)
    .map_err(|source| MigrateError::Role { role, source })
}

async fn store_lifecycle(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (mut events, mut froms, mut tos, mut complete) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in TABLE {
        events.push(row.event.word().to_owned());
        froms.push(row.from.word().to_owned());
        tos.push(row.to.word().to_owned());
        complete.push(row.warmup_complete);
    }
    sqlx::query!("delete from lifecycle_transitions")
        .execute(&mut *db)
        .await?;
    sqlx::query_file!(
        "src/schema/store_lifecycle.sql",
        &events,
        &froms,
        &tos,
        &complete as &[Option<bool>]
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// The newest migration that is stored in a database that has been migrated; none where none is.
///
/// # Errors
/// When the database fails.
pub async fn version(db: impl PgExecutor<'_>) -> Result<Option<i64>, sqlx::Error> {
    // Not checked when compiled: the table is the migrator's own.
    sqlx::query_scalar(include_str!("version.sql"))
        .fetch_one(db)
        .await
}

/// Whether the database is as this binary needs it.
///
/// # Errors
/// When it is older or newer, with the cure; or when it cannot be reached.
pub async fn check(app: &PgConnectOptions) -> Result<(), CheckError> {
    let mut db = PgConnection::connect_with(app).await?;
    let there = sqlx::query_file_scalar!("src/schema/exists.sql")
        .fetch_one(&mut db)
        .await?;
    let stored = if there { version(&mut db).await? } else { None };
    db.close().await?;
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    match stored {
        None => Err(CheckError::Unmigrated),
        Some(version) if version < known => Err(CheckError::Older),
        Some(version) if version > known => Err(CheckError::Newer),
        Some(_) => Ok(()),
    }
}

/// Why a server does not start on a database.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no schema.
    #[error("the database has no schema yet: run `muster migrate --database-url ...` with the owner's role")]
    Unmigrated,
    /// The schema is older.
    #[error(
        "the database's schema is older than this binary: run `muster migrate --database-url ...` with the owner's role"
    )]
    Older,
    /// The schema is newer.
    #[error(
        "the database's schema is newer than this binary: install the version that made it, or a newer one"
    )]
    Newer,
    /// It cannot be reached.
    #[error("the database cannot be reached")]
    Database(#[from] sqlx::Error),
}
