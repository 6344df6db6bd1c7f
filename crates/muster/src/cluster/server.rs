//! The processes: `initdb`, the supervised `postgres`, and whatever an earlier life left behind.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::folder::{Folder, first_closed};
use secrecy::ExposeSecret;

use super::{Archive, Binaries, ClusterError, ServerState, Settings};

/// How long a fast shutdown may take, with its checkpoint, before an immediate one follows.
const FAST_STOP: Duration = Duration::from_secs(60);
/// How long processes may take to end after an immediate shutdown.
const IMMEDIATE_STOP: Duration = Duration::from_secs(20);
/// How often processes and `postmaster.pid` are looked at while one waits for them.
const POLL: Duration = Duration::from_millis(20);
/// The wait before a restart, doubled after each start that fails.
const RESTART_DELAY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between restarts: what it could not start for, a full disk for example, is over sooner or later.
const RESTART_DELAY_MAX: Duration = Duration::from_secs(2);
/// How often the size of the log is looked at.
const LOG_CHECK: Duration = Duration::from_secs(60);
/// A log of this size is put aside as `postgres.log.1`, whose predecessor is dropped.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much of the log an error quotes.
const LOG_QUOTE_BYTES: u64 = 2048;
/// Settings without which acknowledged writes or the detection of damage are lost.
const MUST_BE_ON: [&str; 4] = [
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "data_checksums",
];

/// What is needed to start the server, again and again.
pub(super) struct Server {
    pub folder: Folder,
    pub binaries: Binaries,
    pub settings: Settings,
}

impl Server {
    /// Makes the data unless it is there. What an interrupted attempt left is removed first.
    pub(super) async fn init(&self) -> Result<(), ClusterError> {
        if self.folder.data.exists() {
            return Ok(());
        }
        end_all(&self.folder.unfinished_data()).await?;
        let fresh = self.folder.fresh_data()?;
        let mut command = self.command("initdb", &fresh);
        command.args([
            "--data-checksums",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=peer",
            "--no-instructions",
        ]);
        command
            .arg(format!("--username={}", super::SUPERUSER))
            .arg("--pgdata")
            .arg(&fresh);
        if !self.settings.durable {
            command.arg("--no-sync");
        }
        self.run("initdb", command).await?;
        self.folder.keep_fresh_data()
    }

    /// Refuses a configuration that does not parse, or in which a setting that must be on is off.
    pub(super) async fn check_settings(&self) -> Result<(), ClusterError> {
        for name in MUST_BE_ON {
            let mut command = self.postgres();
            command.args(["-C", name]);
            let output = self.run("postgres", command).await?;
            let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if value == "off" {
                return Err(ClusterError::Unsafe {
                    name,
                    value,
                    dir: self.folder.dir.clone(),
                });
            }
        }
        Ok(())
    }

    /// Starts the server and waits until it takes connections, for as long as it recovers.
    pub(super) async fn launch(&self) -> Result<Child, ClusterError> {
        let (data, log) = (&self.folder.data, &self.folder.log);
        end_all(data).await?;
        // No process of this data is left, so that the file can only name a stranger that was given the same number.
        match std::fs::remove_file(data.join("postmaster.pid")) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClusterError::io("removing", data.join("postmaster.pid"))(error));
            }
            _ => {}
        }
        rotate(log).map_err(ClusterError::io("rotating", log))?;
        let stderr = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
        let stderr = stderr.map_err(ClusterError::io("opening", log))?;
        let log_start = stderr.metadata().map_err(ClusterError::io("reading", log))?.len();

        let mut command = self.postgres();
        // On the command line neither a file nor ALTER SYSTEM nor a reload can change them.
        let durable = if self.settings.durable { "on" } else { "off" };
        command
            .arg("-c")
            .arg(format!("fsync={durable}"))
            .arg("-c")
            .arg(format!("full_page_writes={durable}"));
        if !self.settings.durable {
            command.args(["-c", "synchronous_commit=off"]);
        }
        let environment = match &self.settings.archive {
            Archive::Off | Archive::Receive => &[][..],
            Archive::Push {
                command: push,
                environment,
            } => {
                command.args(["-c", "archive_mode=on", "-c"]);
                command.arg(format!("archive_command={push}"));
                environment
            }
            Archive::Replay { environment } => {
                // Ready only when all is replayed, and no setting of the old server can stop it.
                command.args(["-c", "hot_standby=off", "-c", "recovery_init_sync_method=syncfs"]);
                environment
            }
        };
        command.envs(
            environment
                .iter()
                .map(|(name, value)| (name, value.expose_secret())),
        );
        // A group of its own: Ctrl-C on the terminal is for us alone, who then stop the server in order.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .process_group(0);
        let mut child = command.spawn().map_err(|error| self.not_run("postgres", error))?;
        loop {
            if let Some(status) = child.try_wait().map_err(ClusterError::io("waiting for", data))? {
                let output = format!("{status}: {}", tail(log, log_start));
                return Err(ClusterError::Program {
                    program: "postgres",
                    output,
                });
            }
            if child.id().is_some_and(|pid| is_ready(data, pid)) {
                return Ok(child);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Restarts the server whenever it ends, until told to stop; then ends it and returns.
    pub(super) async fn supervise(
        self,
        mut child: Child,
        state: watch::Sender<ServerState>,
        stop: CancellationToken,
    ) -> Result<(), ClusterError> {
        while let Some(status) = stop.run_until_cancelled(self.watch_over(&mut child)).await {
            tracing::error!(%status, "postgres ended unexpectedly and is started again");
            state.send_replace(ServerState::Restarting);
            let Some(again) = stop.run_until_cancelled(self.relaunch()).await else {
                break;
            };
            child = again;
            let pid = child.id().unwrap_or_default();
            tracing::info!(pid, "postgres is back");
            state.send_replace(ServerState::Running { pid });
        }
        end_all(&self.folder.data).await?;
        let _ = child.wait().await;
        self.folder.tidy_up();
        state.send_replace(ServerState::Stopped);
        Ok(())
    }

    /// Returns when the server has ended, and keeps its log small meanwhile.
    async fn watch_over(&self, child: &mut Child) -> String {
        let mut log_check = tokio::time::interval(LOG_CHECK);
        loop {
            tokio::select! {
                ended = child.wait() => {
                    return ended.as_ref().map_or_else(ToString::to_string, ExitStatus::to_string);
                }
                _ = log_check.tick() => {
                    if let Err(error) = rotate(&self.folder.log) {
                        tracing::warn!(%error, "the log of postgres cannot be put aside");
                    }
                }
            }
        }
    }

    /// Starts it again until it is ready; waits longer after each start that failed, not after one that once was ready.
    async fn relaunch(&self) -> Child {
        let mut delay = RESTART_DELAY_MIN;
        loop {
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(RESTART_DELAY_MAX);
            match self.launch().await {
                Ok(child) => return child,
                Err(error) => {
                    tracing::error!(%error, "postgres could not be started and is tried again")
                }
            }
        }
    }

    /// `postgres` on our data and configuration.
    fn postgres(&self) -> Command {
        let dir = &self.folder.dir;
        let mut command = self.command("postgres", &self.folder.data);
        command.arg("-D").arg(&self.folder.data);
        for (setting, file) in [
            ("config_file", "muster.conf"),
            ("hba_file", "pg_hba.conf"),
            ("ident_file", "pg_ident.conf"),
        ] {
            let mut value = std::ffi::OsString::from(format!("{setting}="));
            value.push(dir.join(file));
            command.arg("-c").arg(value);
        }
        command
    }

    /// A program of PostgreSQL as the unprivileged user.
    fn command(&self, program: &str, cwd: &Path) -> Command {
        self.folder.command(&self.binaries.folder.join(program), cwd)
    }

    async fn run(&self, program: &'static str, mut command: Command) -> Result<Output, ClusterError> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| self.not_run(program, error))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ClusterError::Program {
            program,
            output: format!("{}: {said}", output.status),
        })
    }

    fn not_run(&self, program: &'static str, error: std::io::Error) -> ClusterError {
        let user = &self.folder.server;
        let closed =
            || first_closed(&self.folder.dir, user).or_else(|| first_closed(&self.binaries.folder, user));
        match closed().filter(|_| error.kind() == ErrorKind::PermissionDenied) {
            Some(path) => ClusterError::Unreachable {
                path,
                user: user.name.clone(),
            },
            None => ClusterError::io("running", self.binaries.folder.join(program))(error),
        }
    }
}

/// Ends every process of PostgreSQL that works in `data`: in order when its postmaster lives, at once otherwise.
///
/// A process counts only when it is called `postgres` or `initdb` and its working directory *is* this folder, whatever
/// number `postmaster.pid` gives, so that no stranger is ever signalled.
pub(super) async fn end_all(data: &Path) -> Result<(), ClusterError> {
    let mut told = HashSet::new();
    let start = Instant::now();
    loop {
        let left = processes_in(data);
        if left.is_empty() {
            return Ok(());
        }
        if start.elapsed() > FAST_STOP + IMMEDIATE_STOP {
            let pids = left.into_iter().map(Pid::as_raw).collect();
            return Err(ClusterError::Lingering {
                data: data.to_owned(),
                pids,
            });
        }
        let postmaster = postmaster(data)
            .map(|(pid, _)| pid)
            .filter(|pid| left.contains(pid));
        let (signal, to) = match postmaster {
            Some(pid) if start.elapsed() < FAST_STOP => (Signal::SIGINT, vec![pid]),
            _ => (Signal::SIGQUIT, left),
        };
        for pid in to {
            if told.insert((signal, pid)) {
                tracing::debug!(%pid, %signal, "ending a process of postgres");
                let _ = kill(pid, signal);
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The processes of PostgreSQL whose working directory is `data`.
pub(super) fn processes_in(data: &Path) -> Vec<Pid> {
    let Ok(wanted) = std::fs::metadata(data) else {
        return Vec::new();
    };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let is_ours = |process: &Path| {
        let called = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
        matches!(called.trim_end(), "postgres" | "initdb")
            && std::fs::metadata(process.join("cwd"))
                .is_ok_and(|cwd| (cwd.dev(), cwd.ino()) == (wanted.dev(), wanted.ino()))
    };
    processes
        .flatten()
        .filter_map(|entry| {
            Some((
                Pid::from_raw(entry.file_name().to_str()?.parse().ok()?),
                entry.path(),
            ))
        })
        .filter(|(_, process)| is_ours(process))
        .map(|(pid, _)| pid)
        .collect()
}

/// What `postmaster.pid` says: the process and its state.
fn postmaster(data: &Path) -> Option<(Pid, String)> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = Pid::from_raw(lines.next()?.trim().parse().ok()?);
    Some((pid, lines.nth(6).unwrap_or_default().trim().to_owned()))
}

fn is_ready(data: &Path, pid: u32) -> bool {
    postmaster(data).is_some_and(|(found, state)| found.as_raw().unsigned_abs() == pid && state == "ready")
}

/// Puts a log aside that has grown too long. The server appends, so that it goes on in the emptied file.
fn rotate(log: &Path) -> std::io::Result<()> {
    if std::fs::metadata(log).is_ok_and(|found| found.len() > LOG_BYTES_MAX) {
        std::fs::copy(log, log.with_extension("log.1"))?;
        OpenOptions::new().write(true).open(log)?.set_len(0)?;
    }
    Ok(())
}

/// The end of what the server has written since `start`.
fn tail(log: &Path, start: u64) -> String {
    let read = || {
        let mut file = File::open(log)?;
        let from = file.metadata()?.len().saturating_sub(LOG_QUOTE_BYTES).max(start);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("see {}: {error}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_has_grown_too_long_is_put_aside_and_goes_on_empty() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("postgres.log");
        let file = File::create(&log).expect("a file");
        file.set_len(LOG_BYTES_MAX).expect("room");
        rotate(&log).expect("readable");
        assert!(
            !dir.path().join("postgres.log.1").exists(),
            "it is not too long yet"
        );
        file.set_len(LOG_BYTES_MAX + 1).expect("room");
        rotate(&log).expect("readable");
        assert_eq!(std::fs::metadata(&log).expect("it stays").len(), 0);
        assert_eq!(
            std::fs::metadata(dir.path().join("postgres.log.1"))
                .expect("put aside")
                .len(),
            LOG_BYTES_MAX + 1
        );
    }
}
