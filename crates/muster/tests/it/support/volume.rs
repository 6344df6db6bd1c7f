//! A volume of a certain size, that can be full; and a cluster whose WAL, or all but whose WAL, is on it.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use muster::cluster::{self, Cluster};
use tempfile::TempDir;

/// What the ballast grows by.
const PIECE_BYTES: usize = 64 * 1024;

/// A file system in memory, unmounted when this is dropped.
pub struct Volume(TempDir);

impl Volume {
    /// Mounts one, where this process may mount.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={mebibytes}m,mode=0711");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "muster-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|done| done.status.success());
        mounted.then_some(Self(folder))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut ballast = File::options()
            .append(true)
            .create(true)
            .open(self.path("ballast"))
            .expect("a file");
        let mut piece = &[1; PIECE_BYTES][..];
        while !piece.is_empty() {
            if ballast.write_all(piece).is_err() {
                piece = &piece[..piece.len() / 2];
            }
        }
    }

    /// Gives it back.
    pub fn free(&self) {
        fs::remove_file(self.path("ballast")).expect("it was full");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // What is still open on it keeps it until it is closed.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

/// A cluster in `dir` with its WAL in `wal`.
pub async fn with_wal_in(dir: &Path, wal: &Path) -> Cluster {
    let cluster = Cluster::start(dir, cluster::Settings::default())
        .await
        .expect("a cluster");
    let (inside, server) = (
        cluster.layout().data.join("pg_wal"),
        cluster.layout().server.clone(),
    );
    cluster.stop().await.expect("it stops");
    let moved = Command::new("cp").arg("--archive").arg(&inside).arg(wal).output();
    assert!(moved.expect("cp").status.success(), "its WAL is moved");
    chown(wal, Some(server.uid.into()), Some(server.gid.into())).expect("an owner");
    fs::set_permissions(wal, Permissions::from_mode(0o700)).expect("a mode");
    fs::remove_dir_all(&inside).expect("it was moved");
    symlink(wal, &inside).expect("a link");
    Cluster::start(dir, cluster::Settings::default())
        .await
        .expect("a cluster")
}
