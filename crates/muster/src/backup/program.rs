//! Running pgBackRest: as the user of PostgreSQL, never as root, with the key in its environment and nowhere else.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};

use super::{BackupError, key::BackupKey, settings::Settings};
use crate::cluster::Layout;

/// The program, as it is looked for in `$PATH`.
const PROGRAM: &str = "pgbackrest";

/// How far what backs up and restores steps back behind those who serve: a tenth of a busy processor is left to it. Archiving, which
/// PostgreSQL begins itself, does not.
const NICENESS: &str = "10";

/// pgBackRest with its configuration.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    layout: Layout,
    environment: Vec<(String, SecretString)>,
}

impl Program {
    /// Finds the program, and writes its configuration into the folder of the cluster.
    pub(super) fn configure(
        layout: &Layout,
        settings: &Settings,
        key: &BackupKey,
    ) -> Result<Self, BackupError> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&folders)
            .map(|folder| folder.join(PROGRAM))
            .find(|path| path.is_absolute() && path.is_file())
            .ok_or(BackupError::NotInstalled)?;
        layout.create_private("backup")?;
        layout.write("pgbackrest.conf", &settings.text(layout))?;
        let environment = settings
            .repositories()
            .into_iter()
            .map(|number| {
                let name = format!("PGBACKREST_REPO{number}_CIPHER_PASS");
                (name, key.passphrase().clone())
            })
            .collect();
        Ok(Self {
            path,
            layout: layout.clone(),
            environment,
        })
    }

    /// Variables that pgBackRest finds the key in.
    pub(super) fn environment(&self) -> Vec<(String, SecretString)> {
        self.environment.clone()
    }

    /// `archive_command`: takes one segment to every repository, and succeeds only when it is there.
    pub(super) fn archive_command(&self) -> String {
        let shell = |path: &Path| {
            let quoted = path.display().to_string().replace('\'', r"'\''");
            // PostgreSQL takes a % for the beginning of something.
            format!("'{}'", quoted.replace('%', "%%"))
        };
        format!(
            "{} --config={} --stanza={} --log-level-console=off --log-level-stderr=warn archive-push \"%p\"",
            shell(&self.path),
            shell(&self.layout.dir.join("pgbackrest.conf")),
            super::STANZA,
        )
    }

    fn command(&self, command: &str, arguments: &[String]) -> Command {
        let mut run = self.layout.command(Path::new("nice"), &self.layout.dir);
        run.args(["-n", NICENESS]).arg(&self.path);
        run.envs(
            self.environment
                .iter()
                .map(|(name, value)| (name, value.expose_secret())),
        )
        .arg(format!(
            "--config={}",
            self.layout.dir.join("pgbackrest.conf").display()
        ))
        .arg(format!("--stanza={}", super::STANZA))
        .arg(command)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C on the terminal is for us alone. When nobody waits any more, it ends.
        .process_group(0)
        .kill_on_drop(true);
        run
    }

    /// Runs a command to its end, and tells how far it is, in percent.
    pub(super) async fn run(
        &self,
        command: &'static str,
        arguments: &[String],
        mut progress: impl FnMut(f64),
    ) -> Result<(), BackupError> {
        let not_run = |error| BackupError::io("running", &self.path)(error);
        let mut child = self
            .command(command, arguments)
            .arg("--log-level-console=detail")
            .spawn()
            .map_err(not_run)?;
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut errors = child.stderr.take().expect("it is piped");
        let (mut said, mut faulty) = (Vec::new(), false);
        while let Some(line) = lines.next_line().await.map_err(not_run)? {
            if let Some(percent) = percent(&line) {
                progress(percent);
            }
            match message(&line) {
                Some((level, text)) => {
                    faulty = matches!(level, "ERROR" | "WARN" | "ASSERT");
                    match level {
                        "ERROR" | "ASSERT" => said.push(text.to_owned()),
                        "WARN" => tracing::warn!(command, "pgBackRest: {text}"),
                        _ => {}
                    }
                }
                None if faulty && !said.is_empty() => said.push(line.trim().to_owned()),
                None => {}
            }
        }
        let mut rest = String::new();
        let _ = errors.read_to_string(&mut rest).await;
        let status = child.wait().await.map_err(not_run)?;
        if status.success() {
            return Ok(());
        }
        if !rest.trim().is_empty() {
            said.push(rest.trim().to_owned());
        }
        if said.is_empty() {
            said.push(status.to_string());
        }
        Err(BackupError::Pgbackrest {
            command,
            said: said.join(" "),
        })
    }

    /// What a command prints.
    pub(super) async fn answer(
        &self,
        command: &'static str,
        arguments: &[&str],
    ) -> Result<String, BackupError> {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let output = self
            .command(command, &arguments)
            .args(["--log-level-console=off", "--log-level-stderr=error"])
            .output()
            .await
            .map_err(BackupError::io("running", &self.path))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(BackupError::Pgbackrest { command, said })
    }
}

/// The level and text of a line of pgBackRest's log, such as `2026-11-25 21:24:28.437 P00   INFO: new backup`; nothing for
/// a line that goes on.
fn message(line: &str) -> Option<(&str, &str)> {
    let (head, text) = line.split_once(": ")?;
    let mut words = head.split_whitespace();
    let process = words.nth(2)?;
    let level = words.next()?;
    (process.starts_with('P') && words.next().is_none()).then_some((level, text))
}

/// How far the whole is, from a line about a file, such as `... backup file .../1259 (128KB, 42.10%) checksum ...`.
fn percent(line: &str) -> Option<f64> {
    let before = line.split_once("%)")?.0;
    before.rsplit_once(", ")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_pgbackrest_is_read() {
        let line = "2026-11-25 21:26:24.289 P00  ERROR: [029]: unable to load info file";
        assert_eq!(message(line), Some(("ERROR", "[029]: unable to load info file")));
        assert_eq!(message("                  HINT: is it there?"), None);
        let line =
            "2026-11-25 21:26:22.243 P01 DETAIL: backup file /pg/base/5/1255 (776KB, 12.50%) checksum 01ab";
        assert_eq!(percent(line), Some(12.5));
        assert_eq!(percent("2026-11-25 21:26:22.243 P00   INFO: 100% sure"), None);
    }
}
