//! The drill: a backup is good when a database has been made of it that is whole, and nothing else shows that.

use std::{collections::BTreeMap, process::Stdio, time::Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::process::Command;

use super::{
    BackupError, Repository, Target,
    record::{Event, Record},
    restore::hold_new,
};
use crate::{
    actor::Actor,
    cluster::{self, Cluster, Layout},
    db::{Db, SchedulerDb},
    doctor, keys,
    problem::Failure,
    seal::{Keyring, MasterKeys},
    tick,
};

/// The folder in the data folder that drills restore into.
const SCRATCH: &str = "drill";
/// The folder in the data folder with what became of each drill.
const RECORDS: &str = "drills";
/// How long the archive may take for the segment that a drill ends with.
const ARCHIVE_SECS_MAX: u64 = 60;
/// How often it is looked whether it did.
const ARCHIVE_POLL_MS: u64 = 100;
/// Transactions that take longer may count as lost, and nothing else does: a row bears the time when its transaction began.
const TRANSACTION_MINUTES_MAX: i64 = 30;
/// Secrets of each column that are opened, in each tenant.
const SECRETS_OPENED: i64 = 20;
/// Connections to a database that is examined.
const CONNECTIONS: u32 = 2;

/// The rows of a table at some time.
#[derive(Debug)]
struct Count {
    what: String,
    removable: bool,
    settled: i64,
    made: i64,
}

impl Repository {
    /// Restores the newest backup, or the moment `at`, into a scratch cluster beside the live one; starts it without touching
    /// the archive; examines it; looks through what of the repositories was not restored, as [`Repository::check`] does; and
    /// writes down what came of it, in the database and as a file in `DIR/drills`. What is wrong is not an error but among
    /// the record's faults.
    ///
    /// # Errors
    /// When no verdict could be reached or written down: the live cluster does not run, or another drill does.
    pub async fn drill(
        &self,
        at: Option<DateTime<Utc>>,
        progress: impl FnMut(f64),
    ) -> Result<Record, BackupError> {
        let scratch = self.layout.dir.join(SCRATCH);
        cluster::discard(&scratch).await?;
        let mut record = Record::begin(Event::Drill);
        let tried = self.try_out(&mut record, at, progress).await;
        if let Err(error) = tried {
            record.faults.push(error.to_string());
        }
        cluster::discard(&scratch).await?;
        record.faults.extend(self.look_through().await.faults);
        let record = self.write_down(record).await?;
        let name = record.started_at.format("%Y-%m-%dT%H-%M-%SZ.json");
        let text = serde_json::to_string_pretty(&record).expect("a record is plain text and numbers");
        self.layout.write_in(RECORDS, &name.to_string(), &(text + "\n"))?;
        Ok(record)
    }

    async fn try_out(
        &self,
        record: &mut Record,
        at: Option<DateTime<Utc>>,
        progress: impl FnMut(f64),
    ) -> Result<(), BackupError> {
        let superuser = |layout: &Layout| layout.url(cluster::SUPERUSER, cluster::DATABASE);
        let mut live = superuser(&self.layout).connect().await?;
        let (point, now) = mark(&mut live).await?;
        let (target, until) = at.map_or((point, now), |at| (Target::Time(at), at));
        let used = self.list().await?.backups;
        let used = used.into_iter().rev().find(|backup| backup.ended_at <= until);
        record.bytes = used.as_ref().and_then(|b| i64::try_from(b.database_bytes).ok());
        record.label = used.as_ref().map(|backup| backup.label.clone());

        let begun = Instant::now();
        let folder = hold_new(&self.layout.dir.join(SCRATCH)).await?;
        let scratch = self.for_restore(&folder)?;
        let recovered = scratch.recover(folder, &target, progress).await?;
        record.recovery_ms = i64::try_from(begun.elapsed().as_millis()).ok();
        record.recovery_point = recovered
            .recovery_point
            .or_else(|| used.map(|backup| backup.ended_at));

        let examined = self.examine(&recovered.cluster, &mut live, until).await;
        recovered.cluster.stop().await?;
        record.faults.extend(examined?);
        live.close().await?;
        Ok(())
    }

    /// What is wrong with a database that was restored, against the live one.
    async fn examine(
        &self,
        restored: &Cluster,
        live: &mut PgConnection,
        until: DateTime<Utc>,
    ) -> Result<Vec<String>, BackupError> {
        let mut faults = amcheck(restored).await?;
        let mut superuser = restored
            .url(cluster::SUPERUSER, cluster::DATABASE)
            .connect()
            .await?;
        let kept_from = sqlx::query_file_scalar!("src/backup/kept_from.sql")
            .fetch_one(&mut *live)
            .await?;
        let (there, here) = (
            counts(&mut superuser, until, kept_from).await?,
            counts(live, until, kept_from).await?,
        );
        faults.extend(compare(&there, &here));
        superuser.close().await?;
        let scheduler = SchedulerDb::connect(restored.url(cluster::SCHEDULER, cluster::DATABASE)).await?;
        let tenants = tick::every_tenant(&scheduler).await;
        scheduler.close().await;
        let tenants = match tenants {
            Ok(tenants) => tenants,
            Err(failure) => {
                faults.push(format!("the tenants: {failure}"));
                Vec::new()
            }
        };

        let app = |layout: &Layout| Db::connect(layout.url(cluster::APP, cluster::DATABASE), CONNECTIONS);
        let (restored, live) = (app(restored.layout()).await?, app(&self.layout).await?);
        let keyring = Keyring::new(MasterKeys::clone(self.key.masters()));
        for tenant in tenants {
            let actor = Actor::system(tenant);
            let examined = examine_tenant(&restored, &live, &keyring, &actor).await;
            match examined {
                Ok(found) => faults.extend(found),
                Err(failure) => faults.push(format!("tenant {tenant}: {failure}")),
            }
        }
        restored.close().await;
        live.close().await;
        Ok(faults)
    }
}

/// Makes a restore point now, and waits until the archive has it; gives it and the time.
pub(super) async fn mark(live: &mut PgConnection) -> Result<(Target, DateTime<Utc>), BackupError> {
    let name = format!(
        "muster-drill-{}",
        Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
    );
    let marked = sqlx::query_file!("src/backup/mark.sql", name)
        .fetch_one(&mut *live)
        .await?;
    let segment = sqlx::query_file_scalar!("src/backup/switch.sql")
        .fetch_one(&mut *live)
        .await?;
    let begun = Instant::now();
    loop {
        let archived = sqlx::query_file!("src/backup/archived.sql", segment)
            .fetch_one(&mut *live)
            .await?;
        if archived.done {
            return Ok((Target::Name(name), marked.at));
        }
        if begun.elapsed().as_secs() >= ARCHIVE_SECS_MAX {
            let stuck = archived.failed.unwrap_or(segment);
            return Err(BackupError::NotArchived { segment: stuck });
        }
        tokio::time::sleep(std::time::Duration::from_millis(ARCHIVE_POLL_MS)).await;
    }
}

async fn counts(
    db: &mut PgConnection,
    until: DateTime<Utc>,
    kept_from: DateTime<Utc>,
) -> Result<Vec<Count>, sqlx::Error> {
    let settled = until - TimeDelta::minutes(TRANSACTION_MINUTES_MAX);
    sqlx::query_file_as!(Count, "src/backup/counts.sql", until, settled, kept_from)
        .fetch_all(db)
        .await
}

/// What the restored tables lack, or have too much, beside the live ones.
fn compare(restored: &[Count], live: &[Count]) -> Vec<String> {
    let of = |counts: &[Count], what: &str| {
        let count = counts.iter().find(|count| count.what == what);
        count.map_or((0, 0), |count| (count.settled, count.made))
    };
    let names: BTreeMap<&str, bool> = restored
        .iter()
        .chain(live)
        .map(|count| (count.what.as_str(), count.removable))
        .collect();
    let mut faults = Vec::new();
    for (what, removable) in names {
        let ((there_settled, there), (here_settled, here)) = (of(restored, what), of(live, what));
        if there_settled < here_settled {
            let missing = here_settled - there_settled;
            faults.push(format!("{what}: {missing} rows of the live database are missing"));
        }
        if !removable && there > here {
            let more = there - here;
            faults.push(format!(
                "{what}: {more} rows are not in the live database, which never removes one"
            ));
        }
    }
    faults
}

/// Every page of every table, and every entry of every index.
async fn amcheck(cluster: &Cluster) -> Result<Vec<String>, BackupError> {
    let layout = cluster.layout();
    let program = cluster.binaries().folder.join("pg_amcheck");
    let mut check: Command = layout.command(&program, &layout.data);
    check
        .args([
            "--heapallindexed",
            "--install-missing",
            "--username",
            cluster::SUPERUSER,
        ])
        .arg("--host")
        .arg(&layout.socket)
        .args([
            "--port",
            &cluster::PORT.to_string(),
            "--database",
            cluster::DATABASE,
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = check
        .output()
        .await
        .map_err(BackupError::io("running", &program))?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().replace('\n', "; ");
    Ok(vec![format!("pg_amcheck: {said}")])
}

/// What the doctor finds in the restored database and not in the live one, and secrets that do not open.
async fn examine_tenant(
    restored: &Db,
    live: &Db,
    keyring: &Keyring,
    actor: &Actor,
) -> Result<Vec<String>, Failure> {
    let tenant = actor.tenant;
    let mut faults = Vec::new();
    let mut tx = restored.begin_snapshot(actor).await?;
    let sample = keys::open_some(&mut tx, keyring, actor, SECRETS_OPENED).await?;
    faults.extend(
        sample
            .into_iter()
            .map(|fault| format!("tenant {tenant}: {fault}")),
    );
    let found = doctor::examine(&mut tx, actor).await?;
    tx.commit().await?;
    if found.is_empty() {
        return Ok(faults);
    }
    let mut tx = live.begin_snapshot(actor).await?;
    let known = doctor::examine(&mut tx, actor).await?;
    tx.commit().await?;
    let new = found
        .into_iter()
        .filter(|finding| known.iter().all(|known| known.code != finding.code));
    faults.extend(new.map(|finding| format!("tenant {tenant}: {} ({})", finding.what, finding.count)));
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_missing_or_too_many_are_told() {
        let count = |what: &str, removable, settled, made| Count {
            what: what.to_owned(),
            removable,
            settled,
            made,
        };
        let live = [
            count("accounts", true, 10, 12),
            count("warmup_step_logs", false, 5, 8),
        ];
        let with = |accounts, (settled, made)| {
            let logs = count("warmup_step_logs", false, settled, made);
            compare(&[count("accounts", true, accounts, accounts), logs], &live)
        };
        assert_eq!(with(10, (5, 6)), Vec::<String>::new());
        assert_eq!(
            with(13, (5, 8)),
            Vec::<String>::new(),
            "accounts can have been removed since"
        );
        assert_eq!(
            with(9, (5, 8)),
            ["accounts: 1 rows of the live database are missing"]
        );
        assert_eq!(
            with(10, (4, 7)),
            ["warmup_step_logs: 1 rows of the live database are missing"]
        );
        assert!(with(10, (5, 9))[0].contains("1 rows are not in the live database"));
        assert_eq!(compare(&[], &live).len(), 2);
        assert_eq!(compare(&[count("warmup_step_logs", false, 0, 1)], &[]).len(), 1);
    }
}
