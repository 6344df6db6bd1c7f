//! A network between a server and its database that can be slow, cut, or silent.

use std::{sync::Arc, time::Duration};

use muster::cluster::{self, Cluster};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream, unix},
    sync::watch,
};

/// What a slow network adds to each piece that goes through.
const SLOW_MS: u64 = 200;

/// What goes through at once.
const PIECE_BYTES: usize = 16 * 1024;

/// How the network is.
#[derive(Debug, Clone, Copy, Default)]
struct Link {
    is_slow: bool,
    /// How often it was cut.
    cuts: u64,
    /// How often it fell silent.
    silences: u64,
    /// Whether it is silent for what is opened now, too.
    is_dead: bool,
}

/// A socket like the cluster's own, behind which is this network.
pub struct Network {
    folder: TempDir,
    link: watch::Sender<Link>,
}

impl Network {
    /// To this cluster.
    pub fn to(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!(".s.PGSQL.{}", cluster::PORT);
        let listener = UnixListener::bind(folder.path().join(&name)).expect("a socket");
        let far = Arc::new(cluster.layout().socket.join(name));
        let (link, seen) = watch::channel(Link::default());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (far, seen) = (far.clone(), seen.clone());
                tokio::spawn(async move {
                    if seen.borrow().is_dead {
                        // Nobody is reached, and whoever waits for an answer is not told.
                        return lie_dead(near, seen).await;
                    }
                    if let Ok(far) = UnixStream::connect(&*far).await {
                        connect(near, far, seen).await;
                    }
                });
            }
        });
        Self { folder, link }
    }

    /// Makes everything go through late from now on, or in time.
    pub fn slow(&self, is_slow: bool) {
        self.link.send_modify(|link| link.is_slow = is_slow);
    }

    /// Closes what is connected.
    pub fn cut(&self) {
        self.link.send_modify(|link| link.cuts += 1);
    }

    /// Makes what is connected half open for ever: nothing goes through, and neither side is told.
    pub fn silence(&self) {
        self.link.send_modify(|link| link.silences += 1);
    }

    /// Makes nothing go through at all, what is opened from now on included, or makes it go through again; what was connected
    /// stays half open for ever.
    pub fn dead(&self, is_dead: bool) {
        self.link.send_modify(|link| {
            link.is_dead = is_dead;
            link.silences += 1;
        });
    }

    /// The host of an address that goes through it.
    pub fn host(&self) -> String {
        self.folder.path().display().to_string().replace('/', "%2F")
    }
}

/// Keeps what was connected open, until the silence after the next one: as keepalives would notice, after a while.
async fn lie_dead<T>(_open: T, mut seen: watch::Receiver<Link>) {
    let before = *seen.borrow();
    until(&mut seen, |link| link.silences > before.silences + 1).await;
}

/// Carries both ways until one side closes, or the network is cut.
async fn connect(near: UnixStream, far: UnixStream, seen: watch::Receiver<Link>) {
    let mut ended = seen.clone();
    let (near_from, near_to) = near.into_split();
    let (far_from, far_to) = far.into_split();
    let before = *seen.borrow();
    tokio::select! {
        () = carry(near_from, far_to, seen.clone()) => {}
        () = carry(far_from, near_to, seen.clone()) => {}
        () = until(&mut ended, |link| link.cuts > before.cuts) => {}
    }
}

async fn carry(mut from: unix::OwnedReadHalf, mut to: unix::OwnedWriteHalf, seen: watch::Receiver<Link>) {
    let before = *seen.borrow();
    let mut piece = vec![0; PIECE_BYTES];
    let carried = async {
        loop {
            let Ok(read @ 1..) = from.read(&mut piece).await else {
                return;
            };
            let is_slow = seen.borrow().is_slow;
            if is_slow {
                // This is the fault itself.
                tokio::time::sleep(Duration::from_millis(SLOW_MS)).await;
            }
            if to.write_all(&piece[..read]).await.is_err() {
                return;
            }
        }
    };
    let mut silence = seen.clone();
    tokio::select! {
        () = carried => {}
        () = until(&mut silence, |link| link.silences > before.silences) => lie_dead((), seen).await,
    }
}

async fn until(seen: &mut watch::Receiver<Link>, reached: impl Fn(&Link) -> bool) {
    // The guard of what was seen is not kept.
    drop(seen.wait_for(reached).await);
}
