//! The doctor: everything that triggers and constraints keep true, computed again from scratch.
//!
//! Each check is one statement whose rows are what is wrong. All of them look at one snapshot, so that what happens
//! meanwhile cannot look like damage; begin the transaction with [`crate::db::Db::begin_snapshot`].

pub mod api;
pub mod pages;

use muster_wire::doctor::Finding;

use crate::{
    actor::Actor,
    app::App,
    backup,
    cluster::Space,
    db::Tx,
    problem::{Bug, Failure},
};

/// Examples given with a finding, at most.
pub const EXAMPLES_MAX: i64 = 20;

/// A row that a check found.
struct Wrong {
    example: String,
    count: i64,
}

/// How a thing is called, what is wrong with it, and what ends it.
struct Ailment {
    code: &'static str,
    what: &'static str,
    cure: &'static str,
    /// A statement for the database's superuser; heals every tenant.
    repair: Option<&'static str>,
}

impl Ailment {
    fn found(&self, wrong: Vec<Wrong>) -> Option<Finding> {
        let count = wrong.first()?.count;
        Some(Finding {
            code: self.code.to_owned(),
            what: self.what.to_owned(),
            cure: self.cure.to_owned(),
            repair: self.repair.map(str::to_owned),
            count,
            examples: wrong.into_iter().map(|row| row.example).collect(),
        })
    }
}

const REPAIR: &str = "as the database's superuser run the statement in `repair`; it sets what is kept beside \
                      accounts, pools and proxies to what they say, and may run while servers do";

/// Examines what the actor's tenant has, and the server. Nothing is changed. Reads every account and the whole step log of
/// the tenant.
///
/// # Errors
/// When the database fails.
pub async fn examine(tx: &mut Tx, actor: &Actor) -> Result<Vec<Finding>, Failure> {
    let mut findings = examine_accounts(tx, actor).await?;
    findings.extend(examine_work(tx, actor).await?);
    findings.extend(examine_tenant(tx, actor).await?);
    findings.extend(examine_server(tx).await?);
    Ok(findings)
}

/// Runs a check; its statement's last parameter is the number of examples.
macro_rules! check {
    ($tx:ident, $file:literal $(, $parameter:expr)*) => {
        sqlx::query_file_as!(Wrong, $file $(, $parameter)*, EXAMPLES_MAX).fetch_all(&mut **$tx).await?
    };
}

async fn examine_accounts(tx: &mut Tx, actor: &Actor) -> Result<Vec<Finding>, Failure> {
    let tenant = actor.tenant.0;
    let model_counters = Ailment {
        code: "model_counters",
        what: "models whose counters are not the numbers of their accounts",
        cure: REPAIR,
        repair: Some(include_str!("mend_model_counters.sql")),
    };
    let account_counts = Ailment {
        code: "account_counts",
        what: "kinds of accounts, by model, state and status, whose counters are not their numbers",
        cure: REPAIR,
        repair: Some(include_str!("mend_account_counts.sql")),
    };
    let proxy_counters = Ailment {
        code: "proxy_counters",
        what: "proxies whose counter is not the number of their accounts",
        cure: REPAIR,
        repair: Some(include_str!("mend_proxy_counters.sql")),
    };
    let proxy_counts = Ailment {
        code: "proxy_counts",
        what: "models and locations whose counters are not what their proxies carry and cost",
        cure: REPAIR,
        repair: Some(include_str!("mend_proxy_counts.sql")),
    };
    let proxy_capacity = Ailment {
        code: "proxy_capacity",
        what: "proxies with more accounts than they may hold",
        cure: "give the accounts beyond the limit another proxy, or retire them; then examine again, for the counter",
        repair: None,
    };
    let history = Ailment {
        code: "history",
        what: "accounts whose state is not the one that their history ends with",
        cure: "something changed these accounts around Muster: find out who, then retire each account, and restore it if it \
               is still wanted; its history then ends where the account is",
        repair: None,
    };
    let authorisations = Ailment {
        code: "authorisations",
        what: "accounts whose authorisation is not the one that was recorded last",
        cure: "something changed these accounts around Muster: check that each authorisation is right, correct it where it \
               is not, then as the database's superuser run the statement in `repair`, which records what they have now",
        repair: Some(include_str!("mend_authorisations.sql")),
    };
    Ok([
        model_counters.found(check!(tx, "src/doctor/model_counters.sql", tenant)),
        account_counts.found(check!(tx, "src/doctor/account_counts.sql", tenant)),
        proxy_counters.found(check!(tx, "src/doctor/proxy_counters.sql", tenant)),
        proxy_counts.found(check!(tx, "src/doctor/proxy_counts.sql", tenant)),
        proxy_capacity.found(check!(tx, "src/doctor/proxy_capacity.sql", tenant)),
        history.found(check!(tx, "src/doctor/history.sql", tenant)),
        authorisations.found(check!(tx, "src/doctor/authorisations.sql", tenant)),
    ]
    .into_iter()
    .flatten()
    .collect())
}

async fn examine_work(tx: &mut Tx, actor: &Actor) -> Result<Vec<Finding>, Failure> {
    let tenant = actor.tenant.0;
    let mend_queue = Some(include_str!("mend_queue.sql"));
    let queue_steps = Ailment {
        code: "queue_steps",
        what: "accounts that warm up and are not queued for their step, or are queued and do not warm up",
        cure: REPAIR,
        repair: mend_queue,
    };
    let queue_holds = Ailment {
        code: "queue_holds",
        what: "queued accounts whose hold, model, people's steps or authorisation are not what accounts, models and proxies say",
        cure: REPAIR,
        repair: mend_queue,
    };
    let pool_counters = Ailment {
        code: "pool_counters",
        what: "content and texts whose counters are not what the step log says",
        cure: "stop the servers, as the database's superuser run the statement in `repair`, which counts the step log again, \
               and start them",
        repair: Some(include_str!("mend_pool_counters.sql")),
    };
    let pool_counts = Ailment {
        code: "pool_counts",
        what: "pools, by when their items were last used, whose counters are not what is in them",
        cure: REPAIR,
        repair: Some(include_str!("mend_pool_counts.sql")),
    };
    let duplicates = Ailment {
        code: "duplicates",
        what: "content and texts that are marked as being in a pool twice and are not, or the other way round",
        cure: REPAIR,
        repair: Some(include_str!("mend_duplicates.sql")),
    };
    Ok([
        queue_steps.found(check!(tx, "src/doctor/queue_steps.sql", tenant)),
        queue_holds.found(check!(tx, "src/doctor/queue_holds.sql", tenant)),
        pool_counters.found(check!(tx, "src/doctor/pool_counters.sql", tenant)),
        pool_counts.found(check!(tx, "src/doctor/pool_counts.sql", tenant)),
        duplicates.found(check!(tx, "src/doctor/duplicates.sql", tenant)),
    ]
    .into_iter()
    .flatten()
    .collect())
}

async fn examine_tenant(tx: &mut Tx, actor: &Actor) -> Result<Vec<Finding>, Failure> {
    let tenant = actor.tenant.0;
    let imports_reading = Ailment {
        code: "imports_reading",
        what: "imports that began to be read over an hour ago and never ended",
        cure: "discard each of them and import its file again; nothing of it was stored",
        repair: None,
    };
    let imports_partial = Ailment {
        code: "imports_partial",
        what: "imports that were not committed and whose new rows are stored all the same",
        cure: "look through the rows of each import: remove what should not be there, then discard the import and import its \
               file again, which shows what is left as unchanged",
        repair: None,
    };
    let tokens = Ailment {
        code: "tokens",
        what: "tokens in force that as good as never expire",
        cure: "issue new ones that expire, give them to whoever uses these, and revoke these",
        repair: None,
    };
    let pictures = Ailment {
        code: "pictures",
        what: "pictures that are kept and shown by no content, or shown and not kept",
        cure: "upload again what is not kept, and give the content the new address, or delete it; then as the database's superuser \
               run the statement in `repair`, which drops what nothing shows",
        repair: Some(include_str!("mend_pictures.sql")),
    };
    let keys = Ailment {
        code: "keys",
        what: "data keys that are needed and not there",
        cure: "restore the rows of tenant_keys from a backup; where there is none, enter the secrets anew",
        repair: None,
    };
    Ok([
        imports_reading.found(check!(tx, "src/doctor/imports_reading.sql", tenant)),
        imports_partial.found(check!(tx, "src/doctor/imports_partial.sql", tenant)),
        tokens.found(check!(tx, "src/doctor/tokens.sql", tenant)),
        pictures.found(check!(tx, "src/doctor/pictures.sql", tenant)),
        keys.found(check!(tx, "src/doctor/keys.sql", tenant)),
    ]
    .into_iter()
    .flatten()
    .collect())
}

/// As [`examine`], and what the settings of this server ask for: that old months are dropped, that there is room.
///
/// # Errors
/// When the database fails.
pub async fn examine_here(app: &App, actor: &Actor) -> Result<Vec<Finding>, Failure> {
    let mut tx = app.db.begin_snapshot(actor).await?;
    let mut findings = examine(&mut tx, actor).await?;
    if let Some(months) = app.settings.history_months {
        findings.extend(retention(&mut tx, months).await?);
    }
    tx.commit().await?;
    findings.extend(app.wal_space().and_then(space));
    Ok(findings)
}

/// What waits to be dropped.
async fn retention(tx: &mut Tx, months: u32) -> Result<Option<Finding>, Failure> {
    let retention = Ailment {
        code: "retention",
        what: "months of history and step log that are to be dropped, and are kept until a backup that holds them is known to be \
               good",
        cure: "run `muster backup drill`, and mend what it finds; where Muster makes no backups it drops nothing: see \
               docs/operate.md",
        repair: None,
    };
    let months = i32::try_from(months).map_err(Bug::new)?;
    Ok(retention.found(check!(tx, "src/doctor/retention.sql", months)))
}

/// What is wrong with the room for WAL, which no statement sees.
fn space(space: Space) -> Option<Finding> {
    let ailment = Ailment {
        code: "space",
        what: "disks that fill",
        cure: "see in log/postgres.log of the data folder whether WAL is archived, because it is kept until it is; make room or \
               give the disk more; never remove anything from pg/",
        repair: None,
    };
    let example = space.worry()?;
    ailment.found(vec![Wrong { example, count: 1 }])
}

async fn examine_server(tx: &mut Tx) -> Result<Vec<Finding>, Failure> {
    let partitions = Ailment {
        code: "partitions",
        what: "months, this one or the next, that history or step log have no place for",
        cure: "run `muster migrate`, which makes them; then see from the server's log why its timer did not",
        repair: None,
    };
    let settings = Ailment {
        code: "settings",
        what: "settings of PostgreSQL with which acknowledged work could be lost",
        cure: "set each of them to on and reload PostgreSQL",
        repair: None,
    };
    let isolation = Ailment {
        code: "isolation",
        what: "ways past row-level security, which keeps tenants apart",
        cure: "stop the servers; connect them as muster_app; as superuser run `alter role ... nosuperuser nobypassrls` for \
               a role that is above it; run `muster migrate`, which protects the tables again",
        repair: None,
    };
    let backups = Ailment {
        code: "backups",
        what: "ways in which what is written could be lost with this machine",
        cure: "read why in the server's log, in log/postgres.log and in drills/ of the data folder, mend it, and make sure with \
               `muster backup run --full` and `muster backup drill`; see docs/operate.md",
        repair: None,
    };
    let worries = backup::worries(&backup::states(tx).await?);
    let count = worries.len().try_into().unwrap_or(i64::MAX);
    let worries = worries.into_iter().map(|example| Wrong { example, count });
    Ok([
        backups.found(worries.collect()),
        partitions.found(check!(tx, "src/doctor/partitions.sql")),
        settings.found(check!(tx, "src/doctor/settings.sql")),
        isolation.found(check!(tx, "src/doctor/isolation.sql")),
    ]
    .into_iter()
    .flatten()
    .collect())
}
