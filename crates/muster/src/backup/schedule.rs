//! The backups that the server makes by itself: a full one daily, an incremental one hourly, and a drill after each full.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{BackupError, Event, Kind, Repository};
use crate::cluster::{self, Space};

/// How often it is looked whether something is due; the first time after this.
const LOOK_SECS: u64 = 60;
/// A full backup is due when the last good one began this long ago.
const FULL_SECS: i64 = 24 * 3_600;
/// An incremental one is due when the last good backup of any kind began this long ago.
const INCREMENTAL_SECS: i64 = 3_600;
/// What failed is tried again after this.
const RETRY_SECS: i64 = 600;

/// When a kind of run was last begun.
#[derive(Debug, Clone)]
struct Tried {
    event: String,
    tried_secs_ago: i64,
    good_secs_ago: Option<i64>,
}

/// Makes what is due until `stop`; what is under way then is given up, and made anew next time.
pub async fn keep(repository: Repository, stop: CancellationToken) {
    let mut looks = tokio::time::interval(Duration::from_secs(LOOK_SECS));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let forever = async {
        looks.tick().await;
        loop {
            looks.tick().await;
            while make_what_is_due(&repository).await {}
        }
    };
    stop.run_until_cancelled(forever).await;
}

/// Makes what is due; whether it was made, so that something else may be due now.
async fn make_what_is_due(repository: &Repository) -> bool {
    // A backup or a drill would take what is left.
    if Space::at(&repository.layout.wal()).is_ok_and(Space::is_short) {
        return false;
    }
    let due = match look(repository).await {
        Ok(due) => due,
        Err(error) => {
            tracing::error!(%error, "whether a backup is due cannot be seen");
            return false;
        }
    };
    let Some(event) = due else { return false };
    let (name, made) = match event {
        Event::Full => ("full backup", make(repository, Kind::Full).await),
        Event::Incremental => ("incremental backup", make(repository, Kind::Incremental).await),
        Event::Drill => ("drill", drill(repository).await),
    };
    match made {
        Ok(()) => tracing::info!("the {name} is made and good"),
        Err(why) => tracing::error!("the {name} failed: {why}"),
    }
    true
}

async fn make(repository: &Repository, kind: Kind) -> Result<(), String> {
    let prepared = repository.prepare().await;
    let made = repository.run_recorded(kind, |_| ()).await;
    prepared.and(made.map(drop)).map_err(|error| error.to_string())
}

async fn drill(repository: &Repository) -> Result<(), String> {
    let record = repository
        .drill(None, |_| ())
        .await
        .map_err(|error| error.to_string())?;
    if record.is_good() {
        Ok(())
    } else {
        Err(record.faults.join("; "))
    }
}

async fn look(repository: &Repository) -> Result<Option<Event>, BackupError> {
    let options = repository.layout.url(cluster::SUPERUSER, cluster::DATABASE);
    let mut live = options.connect().await?;
    let tried = sqlx::query_file_as!(Tried, "src/backup/tried.sql")
        .fetch_all(&mut live)
        .await?;
    live.close().await?;
    Ok(due(&tried))
}

/// What is due, the most needed first.
fn due(tried: &[Tried]) -> Option<Event> {
    let of = |event: Event| tried.iter().find(|tried| tried.event == event.word());
    let may_try = |event| of(event).is_none_or(|run| run.tried_secs_ago >= RETRY_SECS);
    let good = |event| of(event).and_then(|run| run.good_secs_ago);
    let full = good(Event::Full);
    if full.is_none_or(|secs| secs >= FULL_SECS) && may_try(Event::Full) {
        return Some(Event::Full);
    }
    let full = full?;
    // A drill whose verdict was bad is a finding, and is not made again to get another.
    if of(Event::Drill).is_none_or(|drill| drill.tried_secs_ago > full) {
        return Some(Event::Drill);
    }
    let newest = good(Event::Incremental).map_or(full, |secs| secs.min(full));
    (newest >= INCREMENTAL_SECS && may_try(Event::Incremental)).then_some(Event::Incremental)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(event: Event, tried_secs_ago: i64, good_secs_ago: Option<i64>) -> Tried {
        Tried {
            event: event.word().to_owned(),
            tried_secs_ago,
            good_secs_ago,
        }
    }

    #[test]
    fn a_full_backup_then_its_drill_then_incremental_ones() {
        assert_eq!(due(&[]), Some(Event::Full));
        let full = |secs| tried(Event::Full, secs, Some(secs));
        assert_eq!(due(&[full(10)]), Some(Event::Drill));
        let drill = |secs| tried(Event::Drill, secs, None);
        assert_eq!(due(&[full(10), drill(5)]), None, "a bad verdict stands");
        assert_eq!(due(&[full(3_600), drill(3_590)]), Some(Event::Incremental));
        let incremental = |secs| tried(Event::Incremental, secs, Some(secs));
        assert_eq!(due(&[full(7_200), drill(7_190), incremental(3_599)]), None);
        assert_eq!(
            due(&[full(86_400), drill(86_390), incremental(10)]),
            Some(Event::Full)
        );
    }

    #[test]
    fn what_failed_is_tried_again_but_not_at_once() {
        let failed = |event, secs| tried(event, secs, None);
        assert_eq!(due(&[failed(Event::Full, 599)]), None);
        assert_eq!(due(&[failed(Event::Full, 600)]), Some(Event::Full));
        let full = tried(Event::Full, 7_200, Some(7_200));
        let drill = tried(Event::Drill, 7_100, Some(7_100));
        let late = |secs| [full.clone(), drill.clone(), failed(Event::Incremental, secs)];
        assert_eq!(due(&late(599)), None);
        assert_eq!(due(&late(600)), Some(Event::Incremental));
    }
}
