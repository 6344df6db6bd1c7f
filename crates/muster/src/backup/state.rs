//! How it stands with the backups, for the doctor, the figures and whoever asks whether the server is ready.

use crate::{db::Tx, problem::Failure};

/// The longest that the newest full backup, and the last good drill, may be ago: they are daily.
const DAILY_HOURS_MAX: i64 = 26;
/// The longest that the newest backup of any kind may be ago: they are hourly.
const HOURLY_HOURS_MAX: i64 = 3;
const HOUR_SECS: i64 = 3_600;

/// How it stands with one kind of run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `full`, `incremental`, `drill`, or `archive` for WAL.
    pub event: String,
    /// How long ago it last was good, in seconds; none, when never.
    pub good_secs_ago: Option<i64>,
    /// Whether the last time was good.
    pub last_is_good: bool,
}

/// How it stands with every kind of run that there has been. Nothing, where Muster makes no backups.
///
/// # Errors
/// When the database fails.
pub async fn states(tx: &mut Tx) -> Result<Vec<State>, Failure> {
    let states = sqlx::query_file_as!(State, "src/backup/state.sql")
        .fetch_all(&mut **tx)
        .await?;
    Ok(states)
}

/// What is not as it must be, in words that tell no paths and no names.
pub fn worries(states: &[State]) -> Vec<String> {
    let of = |event: &str| states.iter().find(|state| state.event == event);
    let mut worries = Vec::new();
    if of("archive").is_some_and(|archive| !archive.last_is_good) {
        worries.push(
            "WAL is not being archived: what is written now is only in the data folder, whose disk fills"
                .to_owned(),
        );
    }
    for (event, name) in [("full", "full backup"), ("incremental", "incremental backup")] {
        if of(event).is_some_and(|state| !state.last_is_good) {
            worries.push(format!("the last {name} failed"));
        }
    }
    let late = |age: Option<i64>, hours: i64| age.is_none_or(|secs| secs > hours * HOUR_SECS);
    let Some(full) = of("full") else {
        return worries;
    };
    if late(full.good_secs_ago, DAILY_HOURS_MAX) {
        worries.push(format!("no full backup was made in {DAILY_HOURS_MAX} hours"));
    }
    let incremental = of("incremental").and_then(|state| state.good_secs_ago);
    let newest = full.good_secs_ago.into_iter().chain(incremental).min();
    if late(newest, HOURLY_HOURS_MAX) {
        worries.push(format!("no backup was made in {HOURLY_HOURS_MAX} hours"));
    }
    match of("drill") {
        Some(drill) if !drill.last_is_good => {
            worries.push("the last drill found the backup not good".to_owned())
        }
        Some(drill) if late(drill.good_secs_ago, DAILY_HOURS_MAX) => {
            worries.push(format!("no drill was made in {DAILY_HOURS_MAX} hours"));
        }
        None if full
            .good_secs_ago
            .is_some_and(|secs| secs > HOURLY_HOURS_MAX * HOUR_SECS) =>
        {
            worries.push("no backup was ever drilled".to_owned());
        }
        _ => {}
    }
    worries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(event: &str, good_secs_ago: Option<i64>, last_is_good: bool) -> State {
        State {
            event: event.to_owned(),
            good_secs_ago,
            last_is_good,
        }
    }

    #[test]
    fn what_fails_and_what_is_missing_is_told() {
        let good = [
            state("archive", Some(30), true),
            state("full", Some(20 * HOUR_SECS), true),
            state("incremental", Some(HOUR_SECS), true),
            state("drill", Some(20 * HOUR_SECS), true),
        ];
        assert_eq!(worries(&good), Vec::<String>::new());
        assert_eq!(
            worries(&[]),
            Vec::<String>::new(),
            "where there are no backups of ours"
        );
        for (at, wrong, told) in [
            (0, state("archive", Some(300), false), "not being archived"),
            (1, state("full", Some(27 * HOUR_SECS), true), "no full backup"),
            (
                1,
                state("full", Some(20 * HOUR_SECS), false),
                "the last full backup failed",
            ),
            (
                2,
                state("incremental", Some(HOUR_SECS), false),
                "incremental backup failed",
            ),
            (
                2,
                state("incremental", Some(4 * HOUR_SECS), true),
                "no backup was made in 3 hours",
            ),
            (3, state("drill", Some(20 * HOUR_SECS), false), "not good"),
            (3, state("drill", Some(27 * HOUR_SECS), true), "no drill"),
        ] {
            let mut states = good.clone();
            states[at] = wrong;
            let worries = worries(&states);
            assert!(
                worries.len() == 1 && worries[0].contains(told),
                "{told}: {worries:?}"
            );
        }
        let never = worries(&[state("full", None, false)]);
        assert_eq!(never.len(), 3, "{never:?}");
    }
}
