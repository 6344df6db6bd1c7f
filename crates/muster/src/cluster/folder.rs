//! The one folder that holds everything: who owns which part of it, who holds it, and in what format it is.
//!
//! Started as root, `DIR` and the configuration in it belong to root, and only `pg` and `run` to the unprivileged user,
//! so that a broken PostgreSQL can never trick root into writing through a link that it planted.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, Uid, User, geteuid};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::process::Command;

use super::{ClusterError, conf};

/// The newest format of the folder that this Muster reads and writes.
const FORMAT: u32 = 1;
/// Who else may connect, and how: the administrator's own lines.
const OWN_ACCESS: &str = "pg_hba.local.conf";
/// The longest path of a socket that the kernel takes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// System users that an embedded PostgreSQL may run as when Muster runs as root, the preferred one first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "muster"];

/// `muster.json`: written when the database has been made, so that its loss is noticed.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    /// Raised when an older Muster could no longer read the folder.
    format: u32,
    /// The version of Muster that made the folder.
    created_by: String,
    /// Where the socket is.
    socket_folder: PathBuf,
}

/// Where the parts of a cluster are, and as whom its server runs.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder that holds everything.
    pub dir: PathBuf,
    /// The data directory, `DIR/pg`.
    pub data: PathBuf,
    /// The folder of the socket, 0700.
    pub socket: PathBuf,
    /// Whom the server runs as.
    pub server: User,
}

impl Layout {
    /// Finds out where the parts of a folder of Muster are. Holds and changes nothing, so that it may be in use.
    ///
    /// # Errors
    /// [`ClusterError::Io`] when there is no such folder.
    pub fn find(dir: &Path) -> Result<Self, ClusterError> {
        let dir = fs::canonicalize(dir).map_err(ClusterError::io("looking up", dir))?;
        let data = dir.join("pg");
        let socket = read_label(&dir)?.map_or_else(|| dir.join("run"), |label| label.socket_folder);
        let server = server_user(&data)?;
        Ok(Self {
            dir,
            data,
            socket,
            server,
        })
    }

    /// The folder of WAL, which can be on a disk of its own.
    #[must_use]
    pub fn wal(&self) -> PathBuf {
        self.data.join("pg_wal")
    }

    /// A program that runs as the server does, without our environment, which may hold secrets.
    #[must_use]
    pub fn command(&self, program: &Path, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(cwd)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if geteuid().is_root() {
            command.uid(self.server.uid.into()).gid(self.server.gid.into());
        }
        command
    }

    /// Replaces a file of `DIR` durably, readable by the server and following no link.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn write(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        self.replace(name, text, 0o640)
    }

    /// Replaces a file of `DIR` durably, readable by us alone, because there is a secret in it.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn write_secret(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        self.replace(name, text, 0o600)
    }

    fn replace(&self, name: &str, text: &str, mode: u32) -> Result<(), ClusterError> {
        let (path, new) = (self.dir.join(name), self.dir.join(format!("{name}.new")));
        let written = || {
            let _ = fs::remove_file(&new);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&new)?;
            file.write_all(text.as_bytes())?;
            if geteuid().is_root() {
                chown(&new, None, Some(self.server.gid.into()))?;
            }
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        written().map_err(ClusterError::io("writing", &path))?;
        sync(&self.dir)
    }

    /// Replaces a file in a folder of `DIR` that is ours alone and made when it is not there.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn write_in(&self, folder: &str, name: &str, text: &str) -> Result<(), ClusterError> {
        create_folder(&self.dir.join(folder))?;
        self.write(&format!("{folder}/{name}"), text)
    }

    /// How to connect as `role` to `database`: through the socket, without a password.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket)
            .port(super::PORT)
            .username(role)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Makes a folder in `DIR` for the server alone, unless it is there.
    ///
    /// # Errors
    /// [`ClusterError::Io`].
    pub fn create_private(&self, name: &str) -> Result<PathBuf, ClusterError> {
        let path = self.dir.join(name);
        create_folder(&path)?;
        give(&path, self.server.uid, self.server.gid, 0o700)?;
        Ok(path)
    }
}

/// A folder that this process holds for as long as the value lives.
#[derive(Debug)]
pub struct Folder {
    layout: Layout,
    /// What the server wrote to its standard error.
    pub(super) log: PathBuf,
    label: Option<Label>,
    _lock: Flock<File>,
}

impl Deref for Folder {
    type Target = Layout;

    fn deref(&self) -> &Layout {
        &self.layout
    }
}

impl Folder {
    /// Takes hold of `dir`, which is made when it is not there, and makes everything in it but the data. Blocks on the file
    /// system.
    ///
    /// # Errors
    /// When `dir` is held, belongs to another, or is neither empty nor Muster's.
    pub fn open(dir: &Path) -> Result<Self, ClusterError> {
        create_folder(dir)?;
        let dir = fs::canonicalize(dir).map_err(ClusterError::io("looking up", dir))?;
        refuse_other_owner(&dir)?;
        let lock = hold(&dir)?;
        let label = read_label(&dir)?;
        let data = dir.join("pg");
        let server = server_user(&data)?;
        if label.is_some() && !data.exists() {
            return Err(ClusterError::DataMissing { dir });
        }

        if geteuid().is_root() && owner(&dir)? != server.uid {
            give(&dir, geteuid(), server.gid, 0o710)?;
        } else {
            give(&dir, server.uid, server.gid, 0o700)?;
        }
        create_folder(&dir.join("log"))?;
        let socket = socket_folder(&dir, &server)?;
        let folder = Self {
            log: dir.join("log/postgres.log"),
            layout: Layout {
                dir,
                data,
                socket,
                server,
            },
            label,
            _lock: lock,
        };
        folder.configure()?;
        Ok(folder)
    }

    /// The major version of PostgreSQL that wrote the data, or nothing before the first start.
    pub(super) fn data_major(&self) -> Result<Option<u32>, ClusterError> {
        let path = self.data.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClusterError::io("reading", path)(error)),
        }
    }

    /// An empty folder for what makes the data, beside the place of the data, without what an interrupted start left in it.
    pub(crate) fn fresh_data(&self) -> Result<PathBuf, ClusterError> {
        let fresh = self.unfinished_data();
        match fs::remove_dir_all(&fresh) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClusterError::io("removing", fresh)(error));
            }
            _ => {}
        }
        create_folder(&fresh)?;
        give(&fresh, self.server.uid, self.server.gid, 0o700)?;
        Ok(fresh)
    }

    pub(crate) fn unfinished_data(&self) -> PathBuf {
        self.dir.join("pg.new")
    }

    /// Puts what was made in its place, at once and durably.
    pub(crate) fn keep_fresh_data(&self) -> Result<(), ClusterError> {
        fs::rename(self.unfinished_data(), &self.data).map_err(ClusterError::io("naming", &self.data))?;
        sync(&self.dir)
    }

    /// Writes `muster.json` if need be.
    pub(crate) fn label(&self) -> Result<(), ClusterError> {
        if self
            .label
            .as_ref()
            .is_some_and(|label| label.socket_folder == self.socket)
        {
            return Ok(());
        }
        let created_by = self
            .label
            .as_ref()
            .map_or(env!("CARGO_PKG_VERSION"), |label| &label.created_by)
            .to_owned();
        let label = Label {
            format: FORMAT,
            created_by,
            socket_folder: self.socket.clone(),
        };
        let text = serde_json::to_string_pretty(&label).expect("the label is plain text and numbers");
        self.write("muster.json", &(text + "\n"))
    }

    /// Removes the folder of the socket when it is outside of `DIR`.
    pub(super) fn tidy_up(&self) {
        if !self.socket.starts_with(&self.dir) {
            let _ = fs::remove_dir(&self.socket);
        }
    }

    fn configure(&self) -> Result<(), ClusterError> {
        let me = User::from_uid(geteuid())
            .ok()
            .flatten()
            .ok_or(ClusterError::NamelessUser {
                uid: geteuid().into(),
            })?;
        let mut users = vec![me.name.as_str()];
        if self.server.uid != me.uid {
            users.push(&self.server.name);
        }
        self.write(
            "muster.conf",
            &conf::settings(&self.socket, &conf::Machine::here())?,
        )?;
        let own = fs::read_to_string(self.dir.join(OWN_ACCESS)).unwrap_or_default();
        self.write("pg_hba.conf", &conf::access(&own))?;
        self.write("pg_ident.conf", &conf::identities(&users))
    }
}

/// Takes the lock of the folder, which the kernel lets go of when this process ends, however it ends.
fn hold(dir: &Path) -> Result<Flock<File>, ClusterError> {
    let path = dir.join("lock");
    let in_use = fs::read_dir(dir)
        .map_err(ClusterError::io("listing", dir))?
        .next()
        .is_some();
    if in_use && !path.exists() {
        return Err(ClusterError::NotOurs { dir: dir.to_owned() });
    }
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let file = options
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(ClusterError::io("opening", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            let mut put = || {
                lock.set_len(0)
                    .and_then(|()| writeln!(lock, "{}", std::process::id()))
            };
            put().map_err(ClusterError::io("writing", &path))?;
            Ok(lock)
        }
        Err((_, Errno::EWOULDBLOCK)) => {
            let pid = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            Err(ClusterError::Held {
                dir: dir.to_owned(),
                pid,
            })
        }
        Err((_, errno)) => Err(ClusterError::io("locking", &path)(errno.into())),
    }
}

fn read_label(dir: &Path) -> Result<Option<Label>, ClusterError> {
    /// What every format to come keeps.
    #[derive(Deserialize)]
    struct Any {
        format: u32,
        created_by: String,
    }
    let path = dir.join("muster.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ClusterError::io("reading", path)(error)),
    };
    let read = || {
        let any: Any = serde_json::from_slice(&text)?;
        if any.format > FORMAT {
            let Any { format, created_by } = any;
            return Ok(Err(ClusterError::NewerFolder {
                dir: dir.to_owned(),
                format,
                known: FORMAT,
                created_by,
            }));
        }
        serde_json::from_slice(&text).map(|label| Ok(Some(label)))
    };
    read().map_err(|error: serde_json::Error| ClusterError::io("reading", &path)(error.into()))?
}

/// Whom the server runs as: the owner of the data, else whoever we are, else an unprivileged user.
fn server_user(data: &Path) -> Result<User, ClusterError> {
    let uid = match fs::symlink_metadata(data) {
        Ok(found) => Uid::from_raw(found.uid()),
        Err(_) => geteuid(),
    };
    if !uid.is_root() {
        return User::from_uid(uid)
            .ok()
            .flatten()
            .ok_or(ClusterError::NamelessUser { uid: uid.into() });
    }
    if let Some(user) = existing_unprivileged() {
        return Ok(user);
    }
    // One at a time: of two `useradd` at once, the second may give the user another number.
    let system = File::open("/etc").map_err(ClusterError::io("opening", "/etc"))?;
    let _alone = Flock::lock(system, FlockArg::LockExclusive)
        .map_err(|(_, errno)| ClusterError::io("locking", "/etc")(errno.into()))?;
    existing_unprivileged().map_or_else(create_unprivileged, Ok)
}

fn existing_unprivileged() -> Option<User> {
    UNPRIVILEGED
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .filter(|user| !user.uid.is_root())
}

fn create_unprivileged() -> Result<User, ClusterError> {
    let name = UNPRIVILEGED[1];
    let mut failures = Vec::new();
    let commands: [&[&str]; 2] = [
        &[
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            name,
        ],
        &["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", name],
    ];
    for command in commands {
        match std::process::Command::new(command[0])
            .args(&command[1..])
            .output()
        {
            Ok(output) => failures.push(format!(
                "{}: {}",
                command[0],
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => failures.push(format!("{}: {error}", command[0])),
        }
        if let Some(user) = existing_unprivileged() {
            return Ok(user);
        }
    }
    Err(ClusterError::NoUser {
        why: failures.join("; "),
    })
}

/// `DIR/run`, or a private folder in the system's runtime or temporary folder when that path is too long.
fn socket_folder(dir: &Path, server: &User) -> Result<PathBuf, ClusterError> {
    let inside = dir.join("run");
    let name = format!(".s.PGSQL.{}", super::PORT);
    let folder = if inside.join(&name).as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        inside
    } else {
        let base = match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(base) if !geteuid().is_root() => base.into(),
            _ => std::env::temp_dir(),
        };
        let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
        base.join(format!(
            "muster-{:016x}",
            u64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
        ))
    };
    create_folder(&folder)?;
    let found = owner(&folder)?;
    if found != server.uid && found != geteuid() {
        return Err(ClusterError::OtherOwner {
            path: folder,
            owner: name_of(found),
        });
    }
    give(&folder, server.uid, server.gid, 0o700)?;
    Ok(folder)
}

fn refuse_other_owner(dir: &Path) -> Result<(), ClusterError> {
    let (found, me) = (owner(dir)?, geteuid());
    if me.is_root() || found == me {
        return Ok(());
    }
    Err(ClusterError::OtherOwner {
        path: dir.to_owned(),
        owner: name_of(found),
    })
}

fn name_of(uid: Uid) -> String {
    User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

/// The owner of a real folder: a link in its place is refused.
fn owner(folder: &Path) -> Result<Uid, ClusterError> {
    let found = fs::symlink_metadata(folder).map_err(ClusterError::io("looking up", folder))?;
    if !found.is_dir() {
        return Err(ClusterError::io("entering", folder)(
            ErrorKind::NotADirectory.into(),
        ));
    }
    Ok(Uid::from_raw(found.uid()))
}

/// Makes a folder for us alone, unless it is there.
fn create_folder(path: &Path) -> Result<(), ClusterError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(ClusterError::io("creating", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(ClusterError::io("creating", path)(error))
        }
        _ => Ok(()),
    }
}

fn give(path: &Path, uid: Uid, gid: Gid, mode: u32) -> Result<(), ClusterError> {
    let given = || {
        if geteuid().is_root() {
            chown(path, Some(uid.into()), Some(gid.into()))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    given().map_err(ClusterError::io("setting the owner of", path))
}

fn sync(folder: &Path) -> Result<(), ClusterError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(ClusterError::io("syncing", folder))
}

/// The first folder on the way to `path` that `user` may not enter, by its permission bits.
pub(super) fn first_closed(path: &Path, user: &User) -> Option<PathBuf> {
    let mut on_the_way: Vec<_> = path.ancestors().collect();
    on_the_way.reverse();
    on_the_way
        .into_iter()
        .find(|folder| is_closed(folder, user))
        .map(Path::to_owned)
}

fn is_closed(folder: &Path, user: &User) -> bool {
    let Ok(found) = fs::metadata(folder) else {
        return true;
    };
    let bit = if found.uid() == user.uid.as_raw() {
        0o100
    } else if found.gid() == user.gid.as_raw() {
        0o010
    } else {
        0o001
    };
    found.mode() & bit == 0
}
