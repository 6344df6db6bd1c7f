//! The settings of pgBackRest: ours, and the administrator's own before them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use super::{BackupError, STANZA};
use crate::{
    cluster::{self, Layout},
    seal,
};

/// The administrator's own settings, in the data folder.
pub const OWN_FILE: &str = "pgbackrest.local.conf";

/// For how many days backups, and the WAL to reach any moment since, are kept at least.
const RETENTION_DAYS: u32 = 14;

/// Settings that are not the administrator's to change, by how their names begin, and why.
const FIXED: &[(&str, &str)] = &[
    ("pg", "Muster knows where its PostgreSQL is"),
    ("lock-path", "Muster owns the folder of locks"),
    ("log-", "Muster reads what pgBackRest says and logs it itself"),
    ("config", "this is the file for settings"),
    (
        "archive-push-queue-max",
        "it would drop WAL and call that success",
    ),
    ("archive-async", "a failing archive would be noticed late"),
];

/// Settings of the section `global`, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Those of a data folder.
    ///
    /// # Errors
    /// Every fault of the administrator's file at once.
    pub fn of(dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(OWN_FILE);
        let own = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(BackupError::io("reading", path)(error)),
        };
        let own = own_settings(&own).map_err(|faults| BackupError::Settings { path, faults })?;
        let mut all = Self::in_folder(&dir.join("backup/repository")).0;
        all.extend(own);
        Ok(Self(all))
    }

    /// Those of a repository that is this folder.
    pub fn in_folder(repository: &Path) -> Self {
        let processes = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) / 2;
        let ours = [
            ("repo1-path", repository.display().to_string()),
            ("repo1-retention-full-type", "time".to_owned()),
            ("repo1-retention-full", RETENTION_DAYS.to_string()),
            ("repo1-bundle", "y".to_owned()),
            ("archive-copy", "y".to_owned()),
            ("compress-type", "zst".to_owned()),
            ("process-max", processes.max(1).to_string()),
            ("start-fast", "y".to_owned()),
        ];
        Self(
            ours.into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The numbers of the repositories.
    pub fn repositories(&self) -> BTreeSet<u8> {
        self.0.keys().filter_map(|name| repository_of(name)).collect()
    }

    /// The first repository, where it is a folder of this machine.
    pub fn folder(&self) -> Option<PathBuf> {
        let elsewhere =
            self.0.get("repo1-type").is_some_and(|kind| kind != "posix") || self.0.contains_key("repo1-host");
        (!elsewhere).then(|| self.0["repo1-path"].clone().into())
    }

    /// The text of pgBackRest's configuration for the cluster that is laid out so. There is no secret of ours in it.
    pub fn text(&self, layout: &Layout) -> String {
        let mut text = format!(
            "# Written by Muster: put your own settings, one name=value a line, into {OWN_FILE} beside this file.\n[global]\n"
        );
        for (name, value) in &self.0 {
            text += &format!("{name}={value}\n");
        }
        for number in self.repositories() {
            text += &format!("repo{number}-cipher-type=aes-256-cbc\n");
        }
        text + &format!(
            "lock-path={}\nlog-level-file=off\nlog-level-stderr=off\n\n[{STANZA}]\npg1-path={}\npg1-socket-path={}\npg1-port={}\npg1-user={}\n",
            layout.dir.join("backup/lock").display(),
            layout.data.display(),
            layout.socket.display(),
            cluster::PORT,
            cluster::SUPERUSER,
        )
    }
}

/// A configuration of pgBackRest for a PostgreSQL that Muster does not run, with a new passphrase.
pub fn external(data: &Path, repository: &Path) -> SecretString {
    include_str!("external.conf")
        .replace("{repository}", &repository.display().to_string())
        .replace("{passphrase}", seal::new_passphrase().expose_secret())
        .replace("{days}", &RETENTION_DAYS.to_string())
        .replace("{data}", &data.display().to_string())
        .into()
}

fn repository_of(name: &str) -> Option<u8> {
    name.strip_prefix("repo")?.split_once('-')?.0.parse().ok()
}

/// The settings of a text of name=value lines.
fn own_settings(text: &str) -> Result<BTreeMap<String, String>, Vec<String>> {
    let (mut settings, mut faults) = (BTreeMap::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |what: &str| format!("line {}: {what}", at + 1);
        let Some((name, value)) = line.split_once('=').map(|(n, v)| (n.trim(), v.trim())) else {
            faults.push(fault("write name=value, without sections"));
            continue;
        };
        if let Some((_, why)) = FIXED.iter().find(|(begins, _)| name.starts_with(begins)) {
            faults.push(fault(&format!("remove {name}: {why}")));
        } else if name.contains("-cipher-") {
            faults.push(fault(&format!(
                "remove {name}: every repository is encrypted with the key of the backups"
            )));
        } else if name.contains("-retention-archive") {
            faults.push(fault(&format!(
                "remove {name}: any moment since the oldest backup is to be restored, so all WAL since then is kept"
            )));
        } else if settings.insert(name.to_owned(), value.to_owned()).is_some() {
            faults.push(fault(&format!("{name} is there twice: keep one")));
        }
    }
    if faults.is_empty() {
        Ok(settings)
    } else {
        Err(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_own_settings_is_told_at_once() {
        let text = "# mine\n[global]\nrepo2-type=s3\nrepo2-type=s3\nrepo2-cipher-pass=x\nrepo2-retention-archive=1\npg1-path=/x\narchive-push-queue-max=1GB\n";
        let faults = own_settings(text).expect_err("there are faults");
        assert_eq!(faults.len(), 6, "{faults:?}");
        assert!(faults[0].starts_with("line 2: write name=value"), "{faults:?}");
        assert!(faults[5].contains("drop WAL"), "{faults:?}");
    }

    #[test]
    fn the_own_settings_go_first_and_every_repository_is_encrypted() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(
            dir.path().join(OWN_FILE),
            "repo1-retention-full = 30\nrepo2-type=s3\nrepo2-path=/muster\n",
        )
        .expect("a file");
        let settings = Settings::of(dir.path()).expect("they are good");
        assert_eq!(settings.0["repo1-retention-full"], "30");
        let layout = Layout {
            dir: dir.path().to_owned(),
            data: dir.path().join("pg"),
            socket: dir.path().join("run"),
            server: nix::unistd::User::from_uid(nix::unistd::geteuid())
                .expect("the system's users")
                .expect("we have a name"),
        };
        let text = settings.text(&layout);
        for line in [
            "repo1-cipher-type=aes-256-cbc\n",
            "repo2-cipher-type=aes-256-cbc\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("cipher-pass"), "{text}");
    }
}
