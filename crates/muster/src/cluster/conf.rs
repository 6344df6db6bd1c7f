//! The text of PostgreSQL's configuration files.

use std::path::Path;

use super::ClusterError;

const MIB: u64 = 1024 * 1024;

/// What the settings are sized by.
pub(super) struct Machine {
    pub memory_bytes: u64,
    pub cores: usize,
}

impl Machine {
    /// This machine, or the container's share of it.
    pub(super) fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let total = read("/proc/meminfo")
            .lines()
            .find_map(|line| {
                line.strip_prefix("MemTotal:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<u64>()
                    .ok()
            })
            .map_or(2048 * MIB, |kib| kib * 1024);
        let limit = read("/sys/fs/cgroup/memory.max")
            .trim()
            .parse()
            .unwrap_or(u64::MAX);
        Self {
            memory_bytes: total.min(limit),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// `muster.conf`: what `initdb` chose, then Muster's settings, then the administrator's own.
///
/// No statement and no parameter ever reaches the log; nothing listens on TCP.
pub(super) fn settings(socket: &Path, machine: &Machine) -> Result<String, ClusterError> {
    let socket = plain(socket)?.replace('"', "\"\"");
    let mib = machine.memory_bytes / MIB;
    let lines = [
        ("listen_addresses", String::new()),
        ("port", super::PORT.to_string()),
        ("unix_socket_directories", format!("\"{socket}\"")),
        ("unix_socket_permissions", "0700".into()),
        ("max_connections", "100".into()),
        ("fsync", "on".into()),
        ("full_page_writes", "on".into()),
        ("synchronous_commit", "on".into()),
        ("wal_log_hints", "on".into()),
        ("wal_compression", "on".into()),
        ("max_wal_size", "2GB".into()),
        ("checkpoint_timeout", "10min".into()),
        ("archive_timeout", "60s".into()),
        // A replica that is gone must not fill the disk: it is made again.
        ("max_slot_wal_keep_size", "8GB".into()),
        // A promotion waits for no less than this when the primary has just gone.
        ("wal_retrieve_retry_interval", "250ms".into()),
        ("shared_buffers", format!("{}MB", (mib / 8).clamp(64, 1024))),
        ("effective_cache_size", format!("{}MB", (mib / 2).max(128))),
        ("maintenance_work_mem", format!("{}MB", (mib / 32).clamp(32, 256))),
        ("work_mem", "8MB".into()),
        ("max_worker_processes", machine.cores.max(8).to_string()),
        ("max_parallel_workers", machine.cores.to_string()),
        (
            "max_parallel_workers_per_gather",
            (machine.cores / 2).min(4).to_string(),
        ),
        ("random_page_cost", "1.1".into()),
        ("effective_io_concurrency", "200".into()),
        ("jit", "off".into()),
        ("autovacuum_naptime", "15s".into()),
        ("autovacuum_vacuum_scale_factor", "0.05".into()),
        ("autovacuum_vacuum_insert_scale_factor", "0.05".into()),
        ("autovacuum_analyze_scale_factor", "0.02".into()),
        ("autovacuum_vacuum_cost_limit", "1000".into()),
        ("client_connection_check_interval", "5s".into()),
        ("TimeZone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("lc_messages", "C".into()),
        ("log_destination", "stderr".into()),
        ("logging_collector", "off".into()),
        ("log_line_prefix", "%m [%p] %u ".into()),
        ("log_statement", "none".into()),
        ("log_min_error_statement", "panic".into()),
        ("log_error_verbosity", "terse".into()),
        ("log_parameter_max_length", "0".into()),
        ("log_parameter_max_length_on_error", "0".into()),
    ];
    let mut text = String::from(
        "# Written by Muster at each start: put your own settings into postgresql.local.conf beside this file.\n\
         include_if_exists 'pg/postgresql.conf'\n",
    );
    for (name, value) in lines {
        text += &format!("{name} = '{}'\n", value.replace('\\', "\\\\").replace('\'', "''"));
    }
    Ok(text + "include_if_exists 'postgresql.local.conf'\n")
}

/// `pg_hba.conf`: the administrator's own lines, and else only through the socket, and only as who the kernel says the caller
/// is.
pub(super) fn access(own: &str) -> String {
    format!(
        "# Written by Muster at each start: put your own lines into pg_hba.local.conf beside this file.\n{own}\n\
         local all all peer map=muster\nlocal replication all peer map=muster\n"
    )
}

/// `pg_ident.conf`: the users of the system that may take each of the roles.
pub(super) fn identities(users: &[&str]) -> String {
    let mut text = String::from("# Written by Muster at each start.\n");
    for user in users {
        for role in [super::SUPERUSER, super::OWNER, super::APP, super::SCHEDULER] {
            text += &format!("muster \"{user}\" {role}\n");
        }
    }
    text
}

fn plain(path: &Path) -> Result<&str, ClusterError> {
    path.to_str()
        .filter(|text| !text.contains(char::is_control))
        .ok_or_else(|| ClusterError::BadPath {
            path: path.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_fit_small_and_large_machines() {
        let of = |mib, cores| {
            settings(
                Path::new("/run/muster"),
                &Machine {
                    memory_bytes: mib * MIB,
                    cores,
                },
            )
            .expect("a plain path")
        };
        assert!(of(256, 1).contains("shared_buffers = '64MB'\n"));
        assert!(of(4096, 4).contains("shared_buffers = '512MB'\n"));
        assert!(of(262_144, 64).contains("shared_buffers = '1024MB'\n"));
        assert!(of(256, 1).contains("max_parallel_workers_per_gather = '0'\n"));
    }

    #[test]
    fn a_path_cannot_end_its_line_in_the_configuration() {
        let machine = Machine {
            memory_bytes: 2048 * MIB,
            cores: 2,
        };
        let quoted = settings(Path::new("/it's \"here\"\\"), &machine).expect("odd, but plain text");
        assert!(
            quoted.contains("unix_socket_directories = '\"/it''s \"\"here\"\"\\\\\"'\n"),
            "{quoted}"
        );
        let refused = settings(Path::new("/a\nfsync = off"), &machine);
        assert!(
            matches!(refused, Err(ClusterError::BadPath { .. })),
            "{refused:?}"
        );
    }
}
