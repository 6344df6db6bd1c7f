//! Which of a tenant's hourly copies are kept: all of the last day, and of each day before it the last one.

use std::{collections::HashSet, fs, io, path::Path};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// For how many hours each hour's copy is kept.
const HOURS_KEPT: i64 = 24;

/// For how many days the last copy of the day is kept.
const DAYS_KEPT: i64 = 14;

/// What the copy of this hour is called.
pub fn name(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%HZ.copy").to_string()
}

/// The hour whose copy is called so.
fn hour(name: &str) -> Option<DateTime<Utc>> {
    let hour = name.strip_suffix("Z.copy")?;
    let at = NaiveDateTime::parse_from_str(&format!("{hour}:00"), "%Y-%m-%dT%H:%M").ok()?;
    Some(at.and_utc())
}

/// Removes from a folder the copies that are not kept; what is not named like one is left alone.
pub fn forget(dir: &Path, now: DateTime<Utc>) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string());
    }
    for name in forgotten(names, now) {
        fs::remove_file(dir.join(name))?;
    }
    Ok(())
}

fn forgotten(names: Vec<String>, now: DateTime<Utc>) -> Vec<String> {
    let mut copies: Vec<_> = names
        .into_iter()
        .filter_map(|name| Some((hour(&name)?, name)))
        .collect();
    copies.sort_unstable();
    let mut days = HashSet::new();
    let mut forgotten = Vec::new();
    for (at, name) in copies.into_iter().rev() {
        let age = now - at;
        let last_of_day = days.insert(at.date_naive());
        if age >= TimeDelta::hours(HOURS_KEPT) && !(last_of_day && age < TimeDelta::days(DAYS_KEPT)) {
            forgotten.push(name);
        }
    }
    forgotten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_hours_and_a_fortnight_of_days_is_kept() {
        let now = "2026-11-26T10:20:00Z".parse::<DateTime<Utc>>().expect("a time");
        let mut names: Vec<String> = (0..24 * 20)
            .map(|hours| name(now - TimeDelta::hours(hours)))
            .collect();
        names.extend(["notes.txt".to_owned(), "2026-11-01.copy".to_owned()]);
        let forgotten = forgotten(names.clone(), now);
        let kept: Vec<&str> = names
            .iter()
            .filter(|name| !forgotten.contains(name))
            .map(String::as_str)
            .collect();
        // 24 hours, the last of each of the 13 days before, and what is no copy.
        assert_eq!(kept.len(), 24 + 13 + 2, "{kept:#?}");
        assert!(kept.contains(&"2026-11-25T11Z.copy") && !kept.contains(&"2026-11-25T10Z.copy"));
        assert!(kept.contains(&"2026-11-12T23Z.copy") && !kept.contains(&"2026-11-11T23Z.copy"));
    }
}
