//! The test of a proxy: really connects through it to a target that the configuration names.
//!
//! A proxy's host is written by a tenant, so the server must not let it reach into its own network. The host is resolved
//! once, every address it resolves to must be globally routable or allowed by the configuration, and the connection is
//! made to one of these very addresses: a name that resolves differently a moment later gains nothing. The target is the
//! configuration's own and travels to the proxy by name.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use super::guard::forbidden;

/// How long one test may take, all phases together, unless the configuration says otherwise.
pub const TEST_SECONDS_DEFAULT: u64 = 10;
/// How many tests one [`Probe`] runs at a time, over all its callers; further ones wait their turn.
pub const TESTS_AT_ONCE_MAX: usize = 64;
/// How much of the target's page is searched for the exit address.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// The longest response head that is accepted from a proxy or a target; also the read buffer, hence 8 KiB at least.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The longest username, password or name that fits into a SOCKS5 message.
const SOCKS_FIELD_BYTES_MAX: usize = 255;

/// The protocol a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP with the CONNECT method.
    Http,
    /// SOCKS version 5.
    Socks5,
}

/// A proxy as the test needs it.
#[derive(Debug, Clone)]
pub struct Egress {
    /// The protocol it speaks.
    pub scheme: Scheme,
    /// A name or an address; an IPv6 address with or without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Without one, no credentials are offered.
    pub username: Option<String>,
    /// Counts as empty when there is a username without a password.
    pub password: Option<SecretString>,
}

/// What the tunnel is opened to: `tcp://host:port` is only connected to, of `http://host[:port]/path` the page is read
/// too, and the first IP address in it is the exit address.
#[derive(Debug, Clone)]
pub struct Target {
    host: String,
    port: u16,
    /// `host:port`, with brackets around an IPv6 address.
    authority: Uri,
    /// Path and query of the page, for `http://`.
    page: Option<Uri>,
}

/// The text is not a target that a proxy can be tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a target for testing proxies: give `tcp://host:port`, or `http://host[:port]/path` of a page that answers \
     with the caller's IP address, without user name and fragment"
)]
pub struct BadTarget;

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let written = Url::parse(text).map_err(|_| BadTarget)?;
        let (scheme, rest) = text.split_once("://").ok_or(BadTarget)?;
        // Both schemes follow the rules of http for hosts; `written` still knows whether a port was given.
        let url = Url::parse(&format!("http://{rest}")).map_err(|_| BadTarget)?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(BadTarget);
        }
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let (port, page) = match scheme {
            "tcp" if path == "/" => (written.port().ok_or(BadTarget)?, None),
            "http" => (
                url.port().unwrap_or(80),
                Some(path.parse().map_err(|_| BadTarget)?),
            ),
            _ => return Err(BadTarget),
        };
        let host = url.host_str().ok_or(BadTarget)?;
        let authority = format!("{host}:{port}").parse().map_err(|_| BadTarget)?;
        let host = without_brackets(host).to_owned();
        if port == 0 || host.len() > SOCKS_FIELD_BYTES_MAX {
            return Err(BadTarget);
        }
        Ok(Self {
            host,
            port,
            authority,
            page,
        })
    }
}

/// What a proxy that works has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Milliseconds from the first packet to the proxy until the tunnel to the target was open.
    pub latency_ms: u32,
    /// The address the target saw; `None` for a `tcp://` target and for a page that names no address.
    pub exit_ip: Option<IpAddr>,
}

/// The part of a test in which its time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Resolving the proxy's host.
    Resolve,
    /// Connecting to the proxy.
    Connect,
    /// Asking the proxy for a tunnel to the target.
    Tunnel,
    /// Reading the target's page through the tunnel.
    Fetch,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "while resolving the proxy's host: check its name and the server's DNS",
            Self::Connect => "while connecting to the proxy: check host, port and firewalls",
            Self::Tunnel => {
                "while the proxy was opening the tunnel: check scheme and port, or ask its provider"
            }
            Self::Fetch => {
                "while reading the target's page: check that the target answers, or ask the proxy's provider"
            }
        })
    }
}

/// Why a proxy did not pass. The text names fault and cure, and holds neither secrets nor anything the proxy sent but
/// its numeric answer; nor does it hold the address a name resolved to, which could be one of the server's own network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeFault {
    /// The host is, or resolves to, an address that tenants may not make the server connect to; nothing was sent.
    #[error(
        "the proxy's host is a {0} address, which is not tested: give a public host, or let whoever runs the server \
         allow its network in the configuration"
    )]
    Forbidden(&'static str),
    /// The host has no address.
    #[error("the proxy's host cannot be resolved: check its spelling and the server's DNS")]
    Unresolvable,
    /// Nothing listens there.
    #[error("the proxy refused the connection: check its port and that it is running")]
    Refused,
    /// The network does not lead there.
    #[error("the proxy cannot be reached ({0}): check its host and the server's network")]
    Unreachable(ErrorKind),
    /// The time for the whole test ran out.
    #[error("timed out {0}")]
    TimedOut(Phase),
    /// The proxy wants credentials and has none stored.
    #[error("the proxy asks for credentials and none are stored: give its username and password")]
    CredentialsMissing,
    /// The proxy does not accept the stored credentials.
    #[error("the proxy refused the stored credentials: correct its username and password")]
    CredentialsRefused,
    /// The credentials do not fit into the protocol.
    #[error(
        "SOCKS5 carries at most 255 bytes each of username and password: shorten them, or use the scheme http"
    )]
    CredentialsTooLong,
    /// The proxy answers as one but the target was not reached, or did not answer as it should.
    #[error("{0}")]
    Target(String),
    /// What listens there does not behave like a proxy of this scheme.
    #[error("{0}")]
    Protocol(String),
}

/// Tests proxies against one target. One instance serves the whole process, so that its limits hold for all callers.
#[derive(Debug)]
pub struct Probe {
    target: Target,
    timeout: Duration,
    allow: Vec<IpNet>,
    slots: Semaphore,
}

impl Probe {
    /// Makes a probe. `timeout` bounds each whole test, and `allow` lists the networks that may be connected to although
    /// they are not globally routable.
    pub fn new(target: Target, timeout: Duration, allow: Vec<IpNet>) -> Self {
        Self {
            target,
            timeout,
            allow,
            slots: Semaphore::new(TESTS_AT_ONCE_MAX),
        }
    }

    /// Connects through the proxy to the target, once, and follows no redirect.
    ///
    /// Ends within the timeout, counted from when one of the [`TESTS_AT_ONCE_MAX`] turns is free.
    ///
    /// # Errors
    /// Says which part failed, see [`ProbeFault`].
    pub async fn test(&self, egress: &Egress) -> Result<Seen, ProbeFault> {
        let _turn = self.slots.acquire().await.expect("the semaphore is never closed");
        let deadline = Instant::now() + self.timeout;
        let addresses = within(deadline, Phase::Resolve, self.resolve(egress)).await?;
        let started = Instant::now();
        let stream = within(deadline, Phase::Connect, connect(&addresses)).await?;
        let tunnel = within(deadline, Phase::Tunnel, async {
            match egress.scheme {
                Scheme::Http => http_tunnel(stream, egress, &self.target).await,
                Scheme::Socks5 => socks_tunnel(stream, egress, &self.target).await,
            }
        })
        .await?;
        let latency_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let exit_ip = match &self.target.page {
            Some(page) => within(deadline, Phase::Fetch, fetch(tunnel, &self.target, page)).await?,
            None => None,
        };
        Ok(Seen { latency_ms, exit_ip })
    }

    /// Tests many proxies, at most [`TESTS_AT_ONCE_MAX`] at a time; results come as they are ready, in no order.
    /// Dropping the stream abandons the tests that have not ended.
    pub fn test_many<Id>(
        &self,
        egresses: impl IntoIterator<Item = (Id, Egress)>,
    ) -> impl Stream<Item = (Id, Result<Seen, ProbeFault>)> {
        stream::iter(egresses)
            .map(move |(id, egress)| async move { (id, self.test(&egress).await) })
            .buffer_unordered(TESTS_AT_ONCE_MAX)
    }

    /// The addresses of the proxy, all of which may be connected to.
    async fn resolve(&self, egress: &Egress) -> Result<Vec<SocketAddr>, ProbeFault> {
        let found = lookup_host((without_brackets(&egress.host), egress.port)).await;
        let addresses: Vec<_> = found.map_err(|_| ProbeFault::Unresolvable)?.collect();
        if addresses.is_empty() {
            return Err(ProbeFault::Unresolvable);
        }
        match addresses
            .iter()
            .find_map(|address| forbidden(address.ip(), &self.allow))
        {
            Some(kind) => Err(ProbeFault::Forbidden(kind)),
            None => Ok(addresses),
        }
    }
}

async fn within<T>(
    deadline: Instant,
    phase: Phase,
    work: impl Future<Output = Result<T, ProbeFault>>,
) -> Result<T, ProbeFault> {
    timeout_at(deadline, work)
        .await
        .unwrap_or(Err(ProbeFault::TimedOut(phase)))
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, ProbeFault> {
    TcpStream::connect(addresses)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => ProbeFault::Refused,
            ErrorKind::TimedOut => ProbeFault::TimedOut(Phase::Connect),
            kind => ProbeFault::Unreachable(kind),
        })
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).title_case_headers(true);
    builder
}

/// Runs `work`, which needs `connection` to be polled beside it.
async fn beside<T>(connection: impl Future, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(connection)).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}

/// Opens the tunnel with CONNECT. Done here with hyper because hyper-util's `Tunnel` does not tell one refusal from
/// another.
async fn http_tunnel(stream: TcpStream, egress: &Egress, target: &Target) -> Result<TcpStream, ProbeFault> {
    let not_http = |error: hyper::Error| {
        ProbeFault::Protocol(if error.is_parse() {
            "what listens there does not answer in HTTP: check the scheme and the port".to_owned()
        } else {
            "the connection ended before an HTTP answer: check the scheme and the port".to_owned()
        })
    };
    let mut request = Request::connect(&target.authority).header(HOST, target.authority.to_string());
    if let Some(username) = &egress.username {
        request = request.header(PROXY_AUTHORIZATION, basic(username, egress.password.as_ref()));
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .expect("every part was valid before");
    let (mut sender, connection) = http1().handshake(TokioIo::new(stream)).await.map_err(not_http)?;
    beside(connection.with_upgrades(), async {
        let answer = sender.send_request(request).await.map_err(not_http)?;
        match answer.status().as_u16() {
            200..=299 => {}
            401 | 407 if egress.username.is_some() => return Err(ProbeFault::CredentialsRefused),
            401 | 407 => return Err(ProbeFault::CredentialsMissing),
            403 => {
                return Err(ProbeFault::Target(
                    "the proxy does not allow a tunnel to the target (status 403): allow the target's port, and this \
                     server's address, in the proxy's settings"
                        .to_owned(),
                ));
            }
            status @ (500 | 502..=504) => {
                return Err(ProbeFault::Target(format!(
                    "the proxy cannot reach the target (status {status}): check that the target is up, or ask the \
                     proxy's provider"
                )));
            }
            status => {
                return Err(ProbeFault::Protocol(format!(
                    "what listens there opens no tunnel (status {status}): check that host and port are those of an \
                     HTTP proxy and that its plan is in force"
                )));
            }
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(not_http)?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("the connection was made of this type");
        Ok(parts.io.into_inner())
    })
    .await
}

fn basic(username: &str, password: Option<&SecretString>) -> HeaderValue {
    let password = password.map_or("", |password| password.expose_secret());
    let pair = Zeroizing::new(format!("{username}:{password}"));
    let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(&*pair)));
    let mut value = HeaderValue::from_str(&text).expect("base64 is plain ASCII");
    value.set_sensitive(true);
    value
}

/// Opens the tunnel with SOCKS5 (RFC 1928, RFC 1929), the target's name left to the proxy to resolve. Written out
/// because hyper-util's `SocksV5` hides the error's kind and cannot offer to do without credentials.
async fn socks_tunnel(
    mut stream: TcpStream,
    egress: &Egress,
    target: &Target,
) -> Result<TcpStream, ProbeFault> {
    const VERSION: u8 = 5;
    const NO_CREDENTIALS: u8 = 0;
    const CREDENTIALS: u8 = 2;
    const NOTHING_ACCEPTABLE: u8 = 0xff;
    let ended = |_: io::Error| {
        ProbeFault::Protocol(
            "the connection ended within the SOCKS5 handshake: check the scheme and the port".to_owned(),
        )
    };
    let not_socks = || {
        ProbeFault::Protocol(
            "what listens there does not answer in SOCKS5: check the scheme and the port".to_owned(),
        )
    };
    let greeting: &[u8] = match egress.username {
        Some(_) => &[VERSION, 2, NO_CREDENTIALS, CREDENTIALS],
        None => &[VERSION, 1, NO_CREDENTIALS],
    };
    stream.write_all(greeting).await.map_err(ended)?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.map_err(ended)?;
    match (chosen, &egress.username) {
        ([VERSION, NO_CREDENTIALS], _) => {}
        ([VERSION, CREDENTIALS], Some(username)) => {
            let message = socks_credentials(username, egress.password.as_ref())?;
            stream.write_all(&message).await.map_err(ended)?;
            let mut verdict = [0; 2];
            stream.read_exact(&mut verdict).await.map_err(ended)?;
            if verdict[1] != 0 {
                return Err(ProbeFault::CredentialsRefused);
            }
        }
        ([VERSION, NOTHING_ACCEPTABLE | CREDENTIALS], None) => {
            return Err(ProbeFault::CredentialsMissing);
        }
        ([VERSION, NOTHING_ACCEPTABLE], Some(_)) => return Err(ProbeFault::CredentialsRefused),
        _ => return Err(not_socks()),
    }
    stream.write_all(&socks_request(target)).await.map_err(ended)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(ended)?;
    let [version, reply, _, address_type] = head;
    if version != VERSION {
        return Err(not_socks());
    }
    if reply != 0 {
        return Err(socks_refusal(reply));
    }
    // The address the proxy bound is of no use, but must be out of the way of the target's bytes.
    let address_bytes = match address_type {
        1 => 4,
        3 => stream.read_u8().await.map_err(ended)?.into(),
        4 => 16,
        _ => return Err(not_socks()),
    };
    let mut bound = [0; SOCKS_FIELD_BYTES_MAX + 2];
    stream
        .read_exact(&mut bound[..address_bytes + 2])
        .await
        .map_err(ended)?;
    Ok(stream)
}

fn socks_credentials(
    username: &str,
    password: Option<&SecretString>,
) -> Result<Zeroizing<Vec<u8>>, ProbeFault> {
    let password = password.map_or("", |password| password.expose_secret());
    let mut message = Zeroizing::new(Vec::with_capacity(3 + 2 * SOCKS_FIELD_BYTES_MAX));
    message.push(1);
    for field in [username, password] {
        message.push(u8::try_from(field.len()).map_err(|_| ProbeFault::CredentialsTooLong)?);
        message.extend_from_slice(field.as_bytes());
    }
    Ok(message)
}

fn socks_request(target: &Target) -> Vec<u8> {
    let mut request = vec![5, 1, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            request.push(3);
            request.push(u8::try_from(target.host.len()).expect("a target's host is short"));
            request.extend_from_slice(target.host.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    request
}

fn socks_refusal(reply: u8) -> ProbeFault {
    let why = match reply {
        2 => "its rules forbid it: allow the target's port in the proxy's settings",
        3 => "network unreachable: ask the proxy's provider",
        4 => "host unreachable: check the target's name and that it is up",
        5 => "connection refused: check that the target is up",
        6 => "timed out: check that the target is up, or ask the proxy's provider",
        7 | 8 => "it does not know this request: ask the proxy's provider",
        _ => "failed: check that the target is up, or ask the proxy's provider",
    };
    ProbeFault::Target(format!(
        "the proxy cannot reach the target (SOCKS5 reply {reply}), {why}"
    ))
}

/// Reads the target's page through the tunnel, as far as [`BODY_BYTES_MAX`], and finds the exit address in it.
async fn fetch(tunnel: TcpStream, target: &Target, page: &Uri) -> Result<Option<IpAddr>, ProbeFault> {
    let broken = |_: hyper::Error| {
        ProbeFault::Target(
            "the target's answer through the proxy is not whole HTTP: check the target, or ask the proxy's provider"
                .to_owned(),
        )
    };
    let host = target.authority.to_string();
    let request = Request::get(page).header(HOST, host.strip_suffix(":80").unwrap_or(&host));
    let request = request
        .body(Empty::<Bytes>::new())
        .expect("every part was valid before");
    let (mut sender, connection) = http1().handshake(TokioIo::new(tunnel)).await.map_err(broken)?;
    beside(connection, async {
        let mut answer = sender.send_request(request).await.map_err(broken)?;
        if !answer.status().is_success() {
            return Err(ProbeFault::Target(format!(
                "the target answered with status {}: configure a page that answers 200 (redirects are not followed)",
                answer.status().as_u16()
            )));
        }
        let mut body = Vec::new();
        let mut whole = false;
        while !whole && body.len() < BODY_BYTES_MAX {
            match answer.frame().await {
                Some(frame) => body.extend(frame.map_err(broken)?.into_data().unwrap_or_default()),
                None => whole = true,
            }
        }
        Ok(first_address(&String::from_utf8_lossy(&body), whole))
    })
    .await
}

/// The first IP address in a text; where the text is not whole, one that its end might have cut is left out.
fn first_address(text: &str, whole: bool) -> Option<IpAddr> {
    let foreign = |c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':');
    let text = if whole {
        text
    } else {
        text.rsplit_once(foreign).map_or("", |(head, _)| head)
    };
    text.split(foreign)
        .filter_map(|word| {
            word.parse()
                .or_else(|_| word.trim_matches([':', '.']).parse())
                .ok()
        })
        .find(|ip: &IpAddr| !ip.is_unspecified())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port_or_a_page() {
        let read = |text: &str| {
            text.parse::<Target>().ok().map(|t| {
                (
                    t.authority.to_string(),
                    t.host,
                    t.port,
                    t.page.map(|page| page.to_string()),
                )
            })
        };
        let some = |authority: &str, host: &str, port, page: Option<&str>| {
            Some((
                authority.to_owned(),
                host.to_owned(),
                port,
                page.map(str::to_owned),
            ))
        };
        assert_eq!(
            read("tcp://example.com:443"),
            some("example.com:443", "example.com", 443, None)
        );
        assert_eq!(
            read("tcp://example.com:80"),
            some("example.com:80", "example.com", 80, None)
        );
        assert_eq!(
            read("tcp://[2606::1]:443"),
            some("[2606::1]:443", "2606::1", 443, None)
        );
        assert_eq!(
            read("http://example.com"),
            some("example.com:80", "example.com", 80, Some("/"))
        );
        assert_eq!(
            read("http://example.com:8080/ip?a=b"),
            some("example.com:8080", "example.com", 8080, Some("/ip?a=b"))
        );
        for text in [
            "",
            "example.com:443",
            "tcp://example.com",
            "tcp://example.com:443/path",
            "tcp://:443",
            "tcp://example.com:0",
            "https://example.com/",
            "http://user:secret@example.com/",
            "http://example.com/#there",
            "tcp://example.com:70000",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_exit_address_is_the_first_in_the_page() {
        let ip = |text: &str| Some(text.parse().unwrap());
        assert_eq!(first_address("198.51.100.7\n", true), ip("198.51.100.7"));
        assert_eq!(
            first_address(r#"{"origin": "2001:db8::7", "via": "1.1.1.1"}"#, true),
            ip("2001:db8::7")
        );
        assert_eq!(
            first_address("<p>Your IP:198.51.100.7.</p>", true),
            ip("198.51.100.7")
        );
        assert_eq!(first_address("version 1.2.3 :: build 12:30", true), None);
        assert_eq!(first_address("padding 198.51.100.7", false), None);
        assert_eq!(first_address("198.51.100.7 padding 1", false), ip("198.51.100.7"));
    }

    #[test]
    fn nothing_printed_about_a_proxy_shows_its_password() {
        let egress = Egress {
            scheme: Scheme::Http,
            host: "proxy.example".to_owned(),
            port: 1,
            username: Some("user".to_owned()),
            password: Some("canary-7f3a".into()),
        };
        let header = basic("user", egress.password.as_ref());
        assert_eq!(header.as_bytes(), b"Basic dXNlcjpjYW5hcnktN2YzYQ==");
        assert!(!format!("{egress:?} {header:?}").contains("canary"));
        assert!(!format!("{header:?}").contains("dXNlcj"));
    }
}
