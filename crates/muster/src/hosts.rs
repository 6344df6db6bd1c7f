//! Where the database is: one PostgreSQL, or several that replicate one, of which the one that takes writes is followed.
//!
//! Of several that say so the one on the newest timeline is right: a promotion begins a timeline, so that a primary that comes
//! back after another was promoted is known for what it is.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::MissedTickBehavior;

mod standby;

pub use standby::Standby;

/// How often each of several hosts is asked whether it takes writes.
const ASK_EVERY_MS: u64 = 500;

/// How long a host has for its answer, connecting included.
const ANSWER_MS_MAX: u64 = 2_000;

/// How long a connection that idles has to show that it still leads somewhere, before it is closed for another.
const ALIVE_MS_MAX: u64 = 500;

/// How long a connection that answered when it was given back is believed to lead somewhere.
const TRUSTED: Duration = Duration::from_secs(1);

/// Has the server notice within half a minute that who connected over TCP is gone without a word: what is given up here must not
/// pile up there.
const KEEPALIVES: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// The hosts of one database, at least one.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<PgConnectOptions>);

/// Which host takes writes, and on which timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Writable {
    host: usize,
    timeline: i64,
}

/// What is followed, and since when.
#[derive(Debug, Clone, Copy)]
struct Followed {
    writable: Writable,
    since: Instant,
}

impl From<PgConnectOptions> for Hosts {
    fn from(one: PgConnectOptions) -> Self {
        Self(vec![one])
    }
}

/// As libpq reads it: `postgres://ROLE:PASSWORD@HOST:PORT,HOST:PORT/NAME`.
impl FromStr for Hosts {
    type Err = sqlx::Error;

    fn from_str(url: &str) -> Result<Self, sqlx::Error> {
        let start = url.find("://").map_or(0, |at| at + "://".len());
        let end = url[start..]
            .find(['/', '?', '#'])
            .map_or(url.len(), |at| start + at);
        let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
        let each = url[start..end]
            .split(',')
            .map(|host| format!("{}{host}{}", &url[..start], &url[end..]).parse());
        Ok(Self(each.collect::<Result<_, _>>()?))
    }
}

impl Hosts {
    /// The host that takes writes. Where there is but one it is not asked.
    ///
    /// # Errors
    /// When none does, with what each says.
    pub async fn writable(&self) -> Result<PgConnectOptions, sqlx::Error> {
        match self.0.as_slice() {
            [one] => Ok(one.clone()),
            several => Ok(several[self.find().await?.host].clone()),
        }
    }

    /// Pools of connections to the host that takes writes, one by each of these names. When another host does, the connections to
    /// the one before are closed as soon as they are idle, and none is opened to it. It goes on until the first pool is closed.
    /// That one connects at once, the others when they are used.
    ///
    /// # Errors
    /// When none takes writes or can be connected to.
    pub(crate) async fn pools<const N: usize>(
        &self,
        wanted: [(PgPoolOptions, &'static str); N],
        statement_ms_max: u64,
    ) -> Result<[PgPool; N], sqlx::Error> {
        let (host, followed) = match self.0.as_slice() {
            [one] => (one, None),
            several => {
                let writable = self.find().await?;
                let since = Instant::now();
                let followed = Arc::new(Mutex::new(Followed { writable, since }));
                (&several[writable.host], Some(followed))
            }
        };
        let names = wanted.each_ref().map(|(_, name)| *name);
        let pools = wanted.map(|(options, name)| {
            let options = examining(options);
            let options = match &followed {
                None => options,
                Some(followed) => leaving(options, followed),
            };
            options.connect_lazy_with(named(host, name, statement_ms_max))
        });
        let Some(first) = pools.first() else {
            return Ok(pools);
        };
        #[expect(clippy::disallowed_methods, reason = "nothing is asked on it")]
        drop(first.acquire().await?);
        if let Some(followed) = followed {
            let (hosts, first, pools) = (self.clone(), first.clone(), pools.clone());
            tokio::spawn(async move {
                let mut closed = first.close_event();
                let follow = hosts.follow(&followed, |host| {
                    for (pool, name) in pools.iter().zip(names) {
                        pool.set_connect_options(named(host, name, statement_ms_max));
                    }
                });
                closed.do_until(follow).await
            });
        }
        Ok(pools)
    }

    /// Has connections opened to whichever host takes writes.
    async fn follow(&self, followed: &Mutex<Followed>, lead_to: impl Fn(&PgConnectOptions)) {
        let mut ticks = tokio::time::interval(Duration::from_millis(ASK_EVERY_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let known = current(followed).writable;
            let found = newest(&self.ask().await, Some(known));
            let Some(found) = found.filter(|found| *found != known) else {
                continue;
            };
            let host = &self.0[found.host];
            lead_to(host);
            *followed.lock().expect("no holder of this lock panics") = Followed {
                writable: found,
                since: Instant::now(),
            };
            tracing::warn!(
                timeline = found.timeline,
                "the database's host {} takes writes now and is followed",
                Shown(host)
            );
        }
    }

    async fn find(&self) -> Result<Writable, sqlx::Error> {
        let answers = self.ask().await;
        newest(&answers, None).ok_or_else(|| {
            let each = self.0.iter().zip(&answers).map(|(host, answer)| match answer {
                Ok(_) => format!("{} is read-only", Shown(host)),
                Err(error) => format!("{}: {error}", Shown(host)),
            });
            let each = each.collect::<Vec<_>>().join("; ");
            sqlx::Error::Io(std::io::Error::other(format!(
                "none of the hosts takes writes: {each}"
            )))
        })
    }

    /// Asks every host on which timeline it writes, if it does.
    async fn ask(&self) -> Vec<Result<Option<i64>, sqlx::Error>> {
        let each = self.0.iter().map(async |host| {
            let asked = async {
                let mut connection = host.clone().application_name("muster-hosts").connect().await?;
                let timeline = timeline(&mut connection).await?;
                connection.close().await?;
                Ok(timeline)
            };
            within(ANSWER_MS_MAX, asked).await
        });
        join_all(each).await
    }
}

/// The host that writes on the newest timeline: the one that is known where it is among them, and none that is older.
fn newest(answers: &[Result<Option<i64>, sqlx::Error>], known: Option<Writable>) -> Option<Writable> {
    let writable = answers.iter().enumerate().filter_map(|(host, answer)| {
        let timeline = answer.as_ref().ok().copied().flatten()?;
        Some(Writable { host, timeline })
    });
    writable
        .filter(|one| known.is_none_or(|known| one.timeline >= known.timeline))
        .max_by_key(|one| {
            let is_known = known.is_some_and(|known| known.host == one.host);
            (one.timeline, is_known, std::cmp::Reverse(one.host))
        })
}

fn current(followed: &Mutex<Followed>) -> Followed {
    *followed.lock().expect("no holder of this lock panics")
}

/// How a pool connects to a host.
fn named(host: &PgConnectOptions, application: &str, statement_ms_max: u64) -> PgConnectOptions {
    let host = host.clone().application_name(application).options(KEEPALIVES);
    host.options([("statement_timeout", statement_ms_max)])
}

/// Has a pool examine what idled: sqlx waits for ever, and keeps the connection's place, when the other side is gone and did not
/// say so.
fn examining(options: PgPoolOptions) -> PgPoolOptions {
    options
        .test_before_acquire(false)
        .before_acquire(|connection, known| Box::pin(is_still_alive(connection, known.idle_for)))
}

/// Has a pool leave a host that no longer takes writes: it keeps no connection of before another one was followed, and opens none
/// to one that does not write on the timeline that is known.
fn leaving(options: PgPoolOptions, followed: &Arc<Mutex<Followed>>) -> PgPoolOptions {
    let (opened, taken) = (followed.clone(), followed.clone());
    options
        .after_connect(move |connection, _| {
            let opened = opened.clone();
            Box::pin(async move {
                let known = current(&opened).writable.timeline;
                match timeline(connection).await? {
                    Some(timeline) if timeline >= known => Ok(()),
                    _ => Err(sqlx::Error::Io(std::io::Error::other(
                        "this host no longer takes writes",
                    ))),
                }
            })
        })
        .before_acquire(move |connection, known| {
            let newer = known.age <= current(&taken).since.elapsed();
            let idle_for = known.idle_for;
            Box::pin(async move { Ok(newer && is_still_alive(connection, idle_for).await?) })
        })
}

/// Waits for an answer, but not for ever.
async fn within<T>(
    ms_max: u64,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(Duration::from_millis(ms_max), answer)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether a connection still leads somewhere, after it idled for so long.
async fn is_still_alive(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for > TRUSTED {
        within(ALIVE_MS_MAX, connection.ping()).await?;
    }
    Ok(true)
}

async fn timeline(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_file_scalar!("src/hosts/timeline.sql")
        .fetch_one(connection)
        .await
}

/// A host without its password.
struct Shown<'a>(&'a PgConnectOptions);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get_socket() {
            Some(socket) => write!(f, "{}", socket.display()),
            None => write!(f, "{}:{}", self.0.get_host(), self.0.get_port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Vec<String> {
        let hosts: Hosts = url.parse().expect("an address");
        hosts.0.iter().map(|host| Shown(host).to_string()).collect()
    }

    #[test]
    fn several_hosts_are_read_as_libpq_reads_them() {
        assert_eq!(shown("postgres://app@one/muster"), ["one:5432"]);
        assert_eq!(
            shown("postgres://app:a%2Cb@one,two:5433,[::1]:5434/muster?sslmode=disable"),
            ["one:5432", "two:5433", "[::1]:5434"]
        );
        assert_eq!(shown("postgres://app@%2Fa%2Frun,%2Fb/muster"), ["/a/run", "/b"]);
        let hosts: Hosts = "postgres://app@one,two/muster".parse().expect("an address");
        for host in &hosts.0 {
            assert_eq!(
                (host.get_username(), host.get_database()),
                ("app", Some("muster"))
            );
        }
        assert!("postgres://app@one,two:x/muster".parse::<Hosts>().is_err());
    }

    #[test]
    fn the_newest_timeline_is_followed_and_never_an_older_one() {
        let at = |host, timeline| Writable { host, timeline };
        let answers = [Ok(Some(1)), Ok(None), Ok(Some(2))];
        assert_eq!(newest(&answers, None), Some(at(2, 2)));
        assert_eq!(newest(&answers, Some(at(1, 3))), None, "all are older");
        let same = [Ok(Some(2)), Ok(Some(2))];
        assert_eq!(newest(&same, None), Some(at(0, 2)));
        assert_eq!(newest(&same, Some(at(1, 2))), Some(at(1, 2)), "it stays");
        assert_eq!(newest(&[Ok(None), Err(sqlx::Error::PoolTimedOut)], None), None);
    }
}
