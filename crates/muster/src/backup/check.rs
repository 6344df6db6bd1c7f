//! Whether the repositories hold what was put there: every file as it was written, all WAL since the oldest backup, the key.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{Backup, BackupError, BackupKey, KEY_FILE, Repository};

/// Segments of WAL that are counted by the second of the three numbers in their names.
const SEGMENTS_OF_A_FILE: u64 = 0x100;

/// What a check of the repository looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// Backups whose every file has the checksum that it had when it was made.
    pub backups: usize,
    /// How long it took.
    pub milliseconds: u64,
}

/// What was seen of the repositories.
#[derive(Debug, Default)]
pub(super) struct Seen {
    whole_backups: usize,
    /// What is not as it was put there.
    pub(super) faults: Vec<String>,
}

impl Repository {
    /// Has a segment of WAL archived, holds every file of each repository against its checksum, and sees that no WAL since the
    /// oldest backup is missing and that the key there opens it.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] with all that is; or as [`Repository::run`].
    pub async fn check(&self) -> Result<Checked, BackupError> {
        let begun = std::time::Instant::now();
        self.program.run("check", &[], |_| ()).await?;
        let seen = self.look_through().await;
        if !seen.faults.is_empty() {
            return Err(BackupError::Damaged {
                found: seen.faults.join("; "),
            });
        }
        Ok(Checked {
            backups: seen.whole_backups,
            milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Looks at all that is in the repositories. What cannot be read is a fault like any other.
    pub(super) async fn look_through(&self) -> Seen {
        let mut seen = Seen::default();
        let backups = match self.list().await {
            Ok(listing) => listing.backups,
            Err(error) => {
                seen.faults.push(error.to_string());
                Vec::new()
            }
        };
        for number in self.settings.repositories() {
            let repository = format!("--repo={number}");
            let verify = ["--output=text", "--verbose", &repository];
            let said = self.program.answer("verify", &verify).await;
            match said.and_then(|said| verified_backups(&said)) {
                Ok(whole) => seen.whole_backups += whole,
                Err(error) => seen.faults.push(error.to_string()),
            }
            let list = ["--output=json", "--recurse", &repository];
            let listed = self.program.answer("repo-ls", &list).await;
            match listed.and_then(|json| file_names(&json)) {
                Ok(files) => {
                    let oldest = backups.iter().find(|backup| backup.repository == number);
                    seen.faults.extend(missing_wal(&files, oldest));
                    seen.faults.extend(self.broken_pairs(&repository, &files).await);
                }
                Err(error) => seen.faults.push(error.to_string()),
            }
        }
        if let Some(path) = self.settings.folder().map(|folder| folder.join(KEY_FILE)) {
            let passphrase = |key: &BackupKey| key.passphrase().expose_secret().to_owned();
            match BackupKey::read(&path, self.key.masters()) {
                Ok(key) if passphrase(&key) == passphrase(&self.key) => {}
                Ok(_) => seen
                    .faults
                    .push(format!("{} is of other backups", path.display())),
                Err(error) => seen.faults.push(format!("{}: {error}", path.display())),
            }
        }
        seen
    }

    /// The files that say what there is, and of which there are two, because nothing can be restored without one: those that differ
    /// from their copies. pgBackRest takes the other one and is silent, `verify` too.
    async fn broken_pairs(&self, repository: &str, files: &BTreeSet<String>) -> Vec<String> {
        let mut broken = Vec::new();
        for file in paired(files) {
            let copy = format!("{file}.copy");
            let read = async |path: &str| self.program.answer("repo-get", &[repository, path]).await.ok();
            let (one, other) = (read(&file).await, read(&copy).await);
            if one.is_none() || one != other {
                broken.push(format!(
                    "{file} is not what its copy is: one of them is damaged or missing"
                ));
            }
        }
        broken
    }
}

/// The paths of all files of a repository.
fn file_names(listed: &str) -> Result<BTreeSet<String>, BackupError> {
    #[derive(serde::Deserialize)]
    struct Entry {
        #[serde(rename = "type")]
        kind: String,
    }
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(listed).map_err(|error| BackupError::NotUnderstood(error.to_string()))?;
    let files = entries.into_iter().filter(|(_, entry)| entry.kind == "file");
    Ok(files.map(|(path, _)| path).collect())
}

/// The files that have, or had, a copy beside them.
fn paired(files: &BTreeSet<String>) -> BTreeSet<String> {
    const PAIRED: [&str; 3] = ["archive.info", "backup.info", "backup.manifest"];
    files
        .iter()
        .map(|path| path.strip_suffix(".copy").unwrap_or(path))
        .filter(|path| path.rsplit('/').next().is_some_and(|name| PAIRED.contains(&name)))
        .map(str::to_owned)
        .collect()
}

/// How many backups `verify` found good. It is judged by what it says: it succeeds however much is damaged.
fn verified_backups(said: &str) -> Result<usize, BackupError> {
    let wrong: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| {
            line.starts_with("status: error")
                || line.contains("status: invalid")
                || line.starts_with("error")
                || (line.starts_with("missing: ") && line.contains(|c: char| ('1'..='9').contains(&c)))
        })
        .collect();
    if !wrong.is_empty() || !said.contains("status: ok") {
        let found = if wrong.is_empty() {
            said.trim()
        } else {
            &wrong.join("; ")
        };
        return Err(BackupError::Damaged {
            found: found.to_owned(),
        });
    }
    Ok(said.matches("status: valid").count())
}

/// The holes in the WAL of a repository since its oldest backup, of each timeline for itself. `verify` does not see them.
fn missing_wal(files: &BTreeSet<String>, oldest: Option<&Backup>) -> Vec<String> {
    let Some(first) = oldest.and_then(|oldest| segment(&oldest.first_segment)) else {
        return Vec::new();
    };
    let mut timelines: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::from([(first.0, BTreeSet::new())]);
    let names = files.iter().filter_map(|path| path.rsplit('/').next());
    // A segment is stored as NAME-CHECKSUM.COMPRESSION.
    let segments = names.filter_map(|name| segment(name.split_once('-')?.0));
    for (timeline, number) in segments.filter(|segment| *segment >= first) {
        timelines.entry(timeline).or_default().insert(number);
    }
    let mut missing = Vec::new();
    for (timeline, numbers) in timelines {
        let begin = if timeline == first.0 {
            first.1
        } else {
            numbers.first().copied().unwrap_or(0)
        };
        let end = numbers.last().copied().unwrap_or(begin);
        let holes: Vec<_> = (begin..=end).filter(|number| !numbers.contains(number)).collect();
        if let Some(hole) = holes.first() {
            missing.push(format!(
                "{} segments of WAL are missing in the archive, the first is {timeline:08X}{:08X}{:08X}: what was written from \
                 there to the next full backup cannot be restored",
                holes.len(),
                hole / SEGMENTS_OF_A_FILE,
                hole % SEGMENTS_OF_A_FILE,
            ));
        }
    }
    missing
}

/// The timeline and the number of a segment of WAL.
fn segment(name: &str) -> Option<(u64, u64)> {
    let part = |at: usize| u64::from_str_radix(name.get(at..at + 8)?, 16).ok();
    let (timeline, file, segment) = (part(0)?, part(8)?, part(16)?);
    (name.len() == 24).then_some((timeline, file * SEGMENTS_OF_A_FILE + segment))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::backup::Kind;

    #[test]
    fn a_verify_that_succeeds_over_damage_is_damage() {
        let good = "stanza: muster\nstatus: ok\n  archiveId: 15-1, total WAL checked: 6, total valid WAL: 6\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n  backup: 20261125-212421F, status: valid, total files checked: 966, total valid files: 966\n    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n";
        assert_eq!(verified_backups(good).expect("it is good"), 1);
        for (from, to) in [
            ("status: ok", "status: error"),
            ("status: valid", "status: invalid"),
            (
                "size invalid: 0, other: 0\n  backup",
                "size invalid: 2, other: 0\n  backup",
            ),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(
                matches!(verified_backups(&bad), Err(BackupError::Damaged { .. })),
                "{bad}"
            );
        }
        assert!(verified_backups("").is_err(), "silence is not good news");
    }

    #[test]
    fn holes_in_the_wal_are_seen_on_every_timeline() {
        let epoch = DateTime::UNIX_EPOCH;
        let oldest = Backup {
            label: "20261125-212421F".to_owned(),
            repository: 1,
            kind: Kind::Full,
            started_at: epoch,
            ended_at: epoch,
            database_bytes: 0,
            stored_bytes: 0,
            damaged: false,
            first_segment: "0000000100000000000000FE".to_owned(),
        };
        let missing = |names: &[&str]| {
            let files = names
                .iter()
                .map(|name| format!("archive/muster/15-1/{}/{name}-0123abcd.zst", &name[..16]));
            missing_wal(&files.collect(), Some(&oldest))
        };
        let (fe, ff, next) = (
            "0000000100000000000000FE",
            "0000000100000000000000FF",
            "000000010000000100000000",
        );
        // The second timeline begins where the first was left; before the oldest backup nothing is needed.
        let second = ["0000000200000000000000FF", "000000020000000100000000"];
        let none: [String; 0] = [];
        assert_eq!(missing(&[fe, ff, next, second[0], second[1]]), none);
        assert_eq!(missing(&["0000000100000000000000A0", fe, ff]), none);
        assert!(missing(&[fe, next])[0].starts_with(
            "1 segments of WAL are missing in the archive, the first is 0000000100000000000000FF"
        ));
        assert_eq!(missing(&[ff, next]).len(), 1, "the first one");
        assert_eq!(missing(&[fe, ff, second[0], "000000020000000100000001"]).len(), 1);
        assert_eq!(
            missing(&[fe, next, second[0], "000000020000000100000001"]).len(),
            2
        );
    }

    #[test]
    fn what_has_a_copy_is_known_when_either_is_gone() {
        let listed = r#"{".":{"type":"path"},"archive/muster/archive.info":{"type":"file","size":1},
            "backup/muster/backup.info.copy":{"type":"file"},"backup/muster/A/backup.manifest":{"type":"file"},
            "backup/muster/A/backup.manifest.copy":{"type":"file"},"backup/muster/A/bundle/1":{"type":"file"},
            "backup/muster/latest":{"type":"link"}}"#;
        let files = file_names(listed).expect("it is understood");
        assert_eq!(files.len(), 5);
        let expected = [
            "archive/muster/archive.info",
            "backup/muster/A/backup.manifest",
            "backup/muster/backup.info",
        ];
        assert_eq!(paired(&files).into_iter().collect::<Vec<_>>(), expected);
        assert!(file_names("[]").is_err());
    }
}
