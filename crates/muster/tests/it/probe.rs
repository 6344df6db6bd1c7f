//! Proxies are tested against real ones, tinyproxy and microsocks, on loopback addresses.

#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use muster::proxies::probe::{Egress, Phase, Probe, ProbeFault, Scheme, Seen, TESTS_AT_ONCE_MAX};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// The address the proxies connect from, so that the target sees who really connected.
const EXIT: &str = "127.0.0.77";
const AMPLE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

/// A real proxy, killed when dropped.
struct Proxy {
    port: u16,
    _child: Child,
    _folder: TempDir,
}

impl Proxy {
    async fn start(scheme: Scheme, credentials: Option<(&str, &str)>) -> Self {
        for _ in 0..10 {
            let port = unused_port();
            let folder = tempfile::tempdir().unwrap();
            let mut command = match scheme {
                Scheme::Http => tinyproxy(port, &folder, credentials),
                Scheme::Socks5 => microsocks(port, credentials),
            };
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            if answers(port, &mut child).await {
                return Self {
                    port,
                    _child: child,
                    _folder: folder,
                };
            }
        }
        panic!("the proxy did not start on any of ten ports");
    }
}

fn binary(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin"]
        .map(|folder| PathBuf::from(folder).join(name))
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is missing: run make test, it installs them"))
}

fn tinyproxy(port: u16, folder: &TempDir, credentials: Option<(&str, &str)>) -> Command {
    let path = folder.path().join("tinyproxy.conf");
    let mut conf = format!(
        "Port {port}\nListen 127.0.0.1\nBind {EXIT}\nTimeout 60\nMaxClients 100\nLogLevel Critical\n"
    );
    if let Some((username, password)) = credentials {
        conf += &format!("BasicAuth {username} {password}\n");
    }
    std::fs::write(&path, conf).unwrap();
    let mut command = Command::new(binary("tinyproxy"));
    command.arg("-d").arg("-c").arg(path);
    command
}

fn microsocks(port: u16, credentials: Option<(&str, &str)>) -> Command {
    let mut command = Command::new(binary("microsocks"));
    command.args(["-i", "127.0.0.1", "-b", EXIT, "-p", &port.to_string()]);
    if let Some((username, password)) = credentials {
        command.args(["-u", username, "-P", password]);
    }
    command
}

/// Whether the child accepts connections within 10 s; not when it ended, as it does when another took the port.
async fn answers(port: u16, child: &mut Child) -> bool {
    let mut tries = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..500 {
        tries.tick().await;
        let connected = TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if connected {
            return true;
        }
    }
    false
}

/// A port on which nothing listens.
fn unused_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A server that reads one request head and hands it, with the caller's address, to `answer`.
struct Server {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn server(answer: impl Fn(SocketAddr) -> String + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, peer) = listener.accept().await.unwrap();
            let answer = answer(peer);
            tokio::spawn(async move {
                head(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.ok();
                // What the caller still sends is read, or closing would reset the connection under the answer.
                stream.shutdown().await.ok();
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
            });
        }
    });
    Server { port, task }
}

/// Reads up to the empty line of an HTTP head, or to the end.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn page(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A page that answers with the caller's address.
async fn mirror() -> Server {
    server(|peer| page(&format!("{{\"ip\": \"{}\"}}\n", peer.ip()))).await
}

fn egress(scheme: Scheme, port: u16, credentials: Option<(&str, &str)>) -> Egress {
    Egress {
        scheme,
        host: "127.0.0.1".to_owned(),
        port,
        username: credentials.map(|(username, _)| username.to_owned()),
        password: credentials.map(|(_, password)| password.into()),
    }
}

/// A probe of this target which may connect to loopback addresses.
fn probe(target: &str, timeout: Duration) -> Probe {
    let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    Probe::new(target.parse().unwrap(), timeout, allow)
}

async fn page_through(port: u16, egress: &Egress) -> Result<Seen, ProbeFault> {
    probe(&format!("http://127.0.0.1:{port}/ip"), AMPLE)
        .test(egress)
        .await
}

const BOTH: [Scheme; 2] = [Scheme::Http, Scheme::Socks5];

#[tokio::test]
async fn a_proxy_that_works_shows_its_exit_address() {
    let target = mirror().await;
    let named = format!("http://localhost:{}/ip", target.port);
    let exit: IpAddr = EXIT.parse().unwrap();
    for scheme in BOTH {
        // tinyproxy's own configuration takes plain words only.
        let password = if scheme == Scheme::Http {
            "plain-1"
        } else {
            "pä: ss#1"
        };
        for credentials in [None, Some(("user", password))] {
            let proxy = Proxy::start(scheme, credentials).await;
            let egress = egress(scheme, proxy.port, credentials);
            let seen = page_through(target.port, &egress).await.unwrap();
            assert_eq!(seen.exit_ip, Some(exit), "{scheme:?} {credentials:?}");
            let seen = probe(&named, AMPLE).test(&egress).await.unwrap();
            assert_eq!(seen.exit_ip, Some(exit), "by name, {scheme:?} {credentials:?}");
            let tunnel = probe(&format!("tcp://127.0.0.1:{}", target.port), AMPLE)
                .test(&egress)
                .await
                .unwrap();
            assert_eq!(tunnel.exit_ip, None, "{scheme:?} {credentials:?}");
        }
    }
}

#[tokio::test]
async fn credentials_that_the_proxy_does_not_ask_for_do_no_harm() {
    let target = mirror().await;
    for scheme in BOTH {
        let proxy = Proxy::start(scheme, None).await;
        let egress = egress(scheme, proxy.port, Some(("user", "password")));
        assert!(page_through(target.port, &egress).await.is_ok(), "{scheme:?}");
    }
}

#[tokio::test]
async fn wrong_and_missing_credentials_are_told_apart() {
    let target = mirror().await;
    for scheme in BOTH {
        let proxy = Proxy::start(scheme, Some(("user", "right"))).await;
        let wrong = page_through(
            target.port,
            &egress(scheme, proxy.port, Some(("user", "canary-7f3a"))),
        )
        .await;
        let fault = wrong.unwrap_err();
        assert_eq!(fault, ProbeFault::CredentialsRefused, "{scheme:?}");
        assert!(!format!("{fault} {fault:?}").contains("canary"));
        let none = page_through(target.port, &egress(scheme, proxy.port, None)).await;
        assert_eq!(none, Err(ProbeFault::CredentialsMissing), "{scheme:?}");
    }
}

#[tokio::test]
async fn credentials_too_long_for_socks5_are_refused_with_the_cure() {
    let proxy = Proxy::start(Scheme::Socks5, Some(("user", "right"))).await;
    let password = "p".repeat(256);
    let tested = page_through(
        unused_port(),
        &egress(Scheme::Socks5, proxy.port, Some(("user", &password))),
    )
    .await;
    assert_eq!(tested, Err(ProbeFault::CredentialsTooLong));
}

#[tokio::test]
async fn a_port_on_which_nothing_listens_is_refused() {
    for scheme in BOTH {
        let tested = page_through(unused_port(), &egress(scheme, unused_port(), None)).await;
        assert_eq!(tested, Err(ProbeFault::Refused), "{scheme:?}");
    }
}

#[tokio::test]
async fn a_host_without_an_address_is_unresolvable() {
    for host in [
        "no-such-proxy.invalid",
        "",
        "with space",
        "nul\0",
        "[",
        "300.1.1.1",
    ] {
        let egress = Egress {
            host: host.to_owned(),
            ..egress(Scheme::Http, 8080, None)
        };
        let tested = probe("tcp://127.0.0.1:9", AMPLE).test(&egress).await;
        assert_eq!(tested, Err(ProbeFault::Unresolvable), "{host:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_times_out_and_says_in_which_phase() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    for scheme in BOTH {
        let started = Instant::now();
        let tested = probe("tcp://127.0.0.1:9", SHORT)
            .test(&egress(scheme, silent_port, None))
            .await;
        assert_eq!(tested, Err(ProbeFault::TimedOut(Phase::Tunnel)), "{scheme:?}");
        assert!(started.elapsed() < SHORT * 10);

        let proxy = Proxy::start(scheme, None).await;
        let hanging_page = format!("http://127.0.0.1:{silent_port}/");
        let tested = probe(&hanging_page, SHORT * 5)
            .test(&egress(scheme, proxy.port, None))
            .await;
        assert_eq!(tested, Err(ProbeFault::TimedOut(Phase::Fetch)), "{scheme:?}");
    }
}

#[tokio::test]
async fn a_target_that_is_down_is_told_from_a_proxy_that_is_down() {
    for scheme in BOTH {
        let proxy = Proxy::start(scheme, None).await;
        let fault = page_through(unused_port(), &egress(scheme, proxy.port, None))
            .await
            .unwrap_err();
        assert!(matches!(fault, ProbeFault::Target(_)), "{scheme:?} {fault:?}");
        assert!(fault.to_string().contains("cannot reach the target"), "{fault}");
    }
}

#[tokio::test]
async fn what_is_no_proxy_of_the_scheme_is_named_so() {
    let web = server(|_| "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    let nonsense = server(|_| "220 mail.example ESMTP\r\n".to_owned()).await;
    let endless = server(|_| format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20))).await;
    let microsocks = Proxy::start(Scheme::Socks5, None).await;
    for port in [web.port, nonsense.port, endless.port, microsocks.port] {
        let fault = page_through(web.port, &egress(Scheme::Http, port, None))
            .await
            .unwrap_err();
        assert!(matches!(fault, ProbeFault::Protocol(_)), "{port}: {fault:?}");
    }

    let greeter = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let greeting = async {
        greeter
            .accept()
            .await
            .unwrap()
            .0
            .write_all(b"220 mail.example ESMTP\r\n")
            .await
            .unwrap()
    };
    let not_socks = egress(Scheme::Socks5, greeter.local_addr().unwrap().port(), None);
    let ((), tested) = tokio::join!(greeting, page_through(web.port, &not_socks));
    assert!(matches!(tested, Err(ProbeFault::Protocol(_))), "{tested:?}");

    // An HTTP proxy waits for the end of a line that SOCKS5 never sends.
    let tinyproxy = Proxy::start(Scheme::Http, None).await;
    let not_socks = egress(Scheme::Socks5, tinyproxy.port, None);
    let fault = probe("tcp://127.0.0.1:9", SHORT)
        .test(&not_socks)
        .await
        .unwrap_err();
    assert_eq!(fault, ProbeFault::TimedOut(Phase::Tunnel));
    assert!(fault.to_string().contains("check scheme"), "{fault}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = elsewhere.local_addr().unwrap();
    let target = server(move |_| {
        format!("HTTP/1.1 302 Found\r\nLocation: http://{location}/\r\nContent-Length: 0\r\n\r\n")
    });
    let target = target.await;
    let proxy = Proxy::start(Scheme::Socks5, None).await;
    let fault = page_through(target.port, &egress(Scheme::Socks5, proxy.port, None))
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("status 302"), "{fault}");
    assert!(
        elsewhere.accept().now_or_never().is_none(),
        "the redirect was followed"
    );
}

#[tokio::test]
async fn only_the_beginning_of_a_long_page_is_read() {
    let first = server(|_| format!("HTTP/1.1 200 OK\r\n\r\nip 1.2.3.4 {}", "x ".repeat(1 << 20))).await;
    let last = server(|_| format!("HTTP/1.1 200 OK\r\n\r\n{} ip 1.2.3.4", "x ".repeat(1 << 20))).await;
    let proxy = Proxy::start(Scheme::Socks5, None).await;
    let egress = egress(Scheme::Socks5, proxy.port, None);
    assert_eq!(
        page_through(first.port, &egress).await.unwrap().exit_ip,
        Some("1.2.3.4".parse().unwrap())
    );
    assert_eq!(page_through(last.port, &egress).await.unwrap().exit_ip, None);
}

#[tokio::test]
async fn the_name_of_the_target_is_left_to_the_proxy() {
    let probe = probe("tcp://target.invalid:443", AMPLE);
    for (scheme, request) in [
        (
            Scheme::Http,
            &b"CONNECT target.invalid:443 HTTP/1.1\r\nHost: target.invalid:443\r\n\r\n"[..],
        ),
        (
            Scheme::Socks5,
            &b"\x05\x01\x00\x05\x01\x00\x03\x0etarget.invalid\x01\xbb"[..],
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            if scheme == Scheme::Socks5 {
                stream.write_all(b"\x05\x00").await.unwrap();
            }
            let mut received = vec![0; request.len()];
            stream.read_exact(&mut received).await.unwrap();
            received
        };
        let egress = egress(scheme, port, None);
        let (received, tested) = tokio::join!(proxy, probe.test(&egress));
        assert_eq!(
            String::from_utf8_lossy(&received),
            String::from_utf8_lossy(request)
        );
        assert!(matches!(tested, Err(ProbeFault::Protocol(_))), "{tested:?}");
    }
}

#[tokio::test]
async fn without_leave_nothing_is_sent_to_a_loopback_address_however_it_is_written() {
    let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = v4.local_addr().unwrap().port();
    let v6 = TcpListener::bind(("::1", port)).await.ok();
    let guarded = |allow: &[&str]| {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        Probe::new("tcp://127.0.0.1:9".parse().unwrap(), SHORT, allow)
    };
    for host in [
        "127.0.0.1",
        "localhost",
        "::1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "::ffff:7f00:1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "::",
    ] {
        for scheme in BOTH {
            let egress = Egress {
                host: host.to_owned(),
                ..egress(scheme, port, None)
            };
            let tested = guarded(&["10.0.0.0/8"]).test(&egress).await;
            assert!(
                matches!(tested, Err(ProbeFault::Forbidden(_))),
                "{host} {tested:?}"
            );
        }
    }
    assert!(v4.accept().now_or_never().is_none(), "a connection was made");
    assert!(
        v6.is_none_or(|v6| v6.accept().now_or_never().is_none()),
        "a connection was made"
    );

    let tested = guarded(&["127.0.0.0/8"])
        .test(&egress(Scheme::Http, port, None))
        .await;
    assert_eq!(tested, Err(ProbeFault::TimedOut(Phase::Tunnel)));
    assert!(
        v4.accept().now_or_never().is_some(),
        "the listener would not have seen a connection"
    );
}

#[tokio::test]
async fn many_proxies_are_tested_at_once_but_not_more_than_the_limit() {
    const EGRESSES: usize = 2 * TESTS_AT_ONCE_MAX;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let probe = probe("tcp://127.0.0.1:9", SHORT * 5);
    let egresses = || (0..EGRESSES).map(|id| (id, egress(Scheme::Http, port, None)));
    // Two callers share one limit.
    let tests = async {
        tokio::join!(
            probe.test_many(egresses()).count(),
            probe.test_many(egresses()).count()
        )
    };
    let mut open = Vec::new();
    let first_wave = async {
        while open.len() < TESTS_AT_ONCE_MAX {
            open.push(silent.accept().await.unwrap());
        }
        tokio::time::timeout(SHORT, silent.accept()).await.is_err()
    };
    let mut tests = std::pin::pin!(tests);
    tokio::select! {
        biased;
        _ = &mut tests => panic!("the tests ended while the proxies hung"),
        only = first_wave => assert!(only, "more than the limit ran at once"),
    }

    let working = Proxy::start(Scheme::Http, None).await;
    let target = mirror().await;
    let probe = self::probe(&format!("http://127.0.0.1:{}/", target.port), AMPLE);
    let ports = [working.port, unused_port()];
    let tests = tokio::spawn(async move {
        let egresses = (0..EGRESSES).map(|id| (id, egress(Scheme::Http, ports[id % 2], None)));
        let passed = probe
            .test_many(egresses)
            .filter_map(async |(id, tested)| tested.is_ok().then_some(id));
        passed.collect::<Vec<_>>().await
    });
    let mut passed = tests.await.unwrap();
    passed.sort_unstable();
    assert_eq!(passed, (0..EGRESSES).step_by(2).collect::<Vec<_>>());
}
