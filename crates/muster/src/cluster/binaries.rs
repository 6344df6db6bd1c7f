use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::ClusterError;

/// The oldest PostgreSQL that Muster runs on.
const MAJOR_MIN: u32 = 15;

/// An installed PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder that holds `initdb`, `postgres` and the rest.
    pub folder: PathBuf,
    /// The major version.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
}

/// The newest PostgreSQL 15 or newer on this machine that has both `initdb` and `postgres`.
///
/// `$MUSTER_PG_BIN` decides when it is set; else `/usr/lib/postgresql/*/bin`, `pg_config --bindir` and `$PATH` are
/// looked through.
///
/// # Errors
/// [`ClusterError::NoBinaries`] with the packages to install.
pub async fn find_binaries() -> Result<Binaries, ClusterError> {
    newest(installed().await)
}

/// The installed server of the major version that wrote `dir`, whatever newer ones stand beside it.
///
/// # Errors
/// [`ClusterError::OtherMajor`] when it is not installed.
pub async fn find_binaries_for(dir: &Path, major: u32) -> Result<Binaries, ClusterError> {
    let (mut found, looked) = installed().await;
    if let Some(position) = found.iter().position(|one| one.major == major) {
        return Ok(found.swap_remove(position));
    }
    let newest = newest((found, looked))?;
    Err(ClusterError::OtherMajor {
        dir: dir.to_owned(),
        data: major,
        found: newest.major.to_string(),
    })
}

fn newest((found, looked): (Vec<Binaries>, Vec<PathBuf>)) -> Result<Binaries, ClusterError> {
    found
        .into_iter()
        .find(|one| one.major >= MAJOR_MIN)
        .ok_or_else(|| ClusterError::NoBinaries {
            looked: looked
                .iter()
                .map(|folder| folder.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// Every server found, newest first, and the folders that were looked at.
async fn installed() -> (Vec<Binaries>, Vec<PathBuf>) {
    let looked = candidates().await;
    let mut found = Vec::new();
    for folder in &looked {
        if folder.join("initdb").exists()
            && let Some((major, minor)) = version(&folder.join("postgres")).await
        {
            found.push(Binaries {
                folder: folder.clone(),
                major,
                minor,
            });
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse((one.major, one.minor)));
    (found, looked)
}

async fn candidates() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os("MUSTER_PG_BIN") {
        return vec![std::path::absolute(&folder).unwrap_or_else(|_| folder.into())];
    }
    let mut folders = Vec::new();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output().await {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| folder.is_absolute() && seen.insert(folder.clone()));
    folders
}

/// Reads the answer of `postgres --version`, such as `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
async fn version(postgres: &Path) -> Option<(u32, u32)> {
    let output = Command::new(postgres).arg("--version").output().await.ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

fn parse_version(answer: &str) -> Option<(u32, u32)> {
    let number = answer
        .strip_prefix("postgres (PostgreSQL) ")?
        .split_whitespace()
        .next()?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    Some((
        parts.next()?.parse().ok()?,
        parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_distributions_and_previews_are_read() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"),
            Some((15, 20))
        );
        assert_eq!(parse_version("postgres (PostgreSQL) 18.0\n"), Some((18, 0)));
        assert_eq!(parse_version("postgres (PostgreSQL) 19devel\n"), Some((19, 0)));
        assert_eq!(parse_version("some other program 15.2"), None);
    }

    #[test]
    fn the_newest_is_taken_and_one_before_15_is_refused() {
        let of = |major| Binaries {
            folder: format!("/pg/{major}").into(),
            major,
            minor: 1,
        };
        assert_eq!(
            newest((vec![of(17), of(15)], vec![]))
                .expect("there are two")
                .major,
            17
        );
        let refused = newest((vec![of(14)], vec!["/pg/14".into()]))
            .expect_err("14 is too old")
            .to_string();
        assert!(
            refused.contains("/pg/14") && refused.contains("apt-get install postgresql"),
            "{refused}"
        );
    }
}
