//! One proxy written on one line, in any of the shapes that providers hand out.

use std::net::IpAddr;

use super::cells::{is_host_name, trimmed};

/// The parts of a line; the values are as written and still to be checked. Has no `Debug`: it holds a password.
#[derive(PartialEq, Eq)]
pub(super) struct ProxyLine {
    pub scheme: Option<String>,
    pub host: String,
    pub port: String,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// Why a line is no proxy: a fault's code and message, without anything of the line itself.
pub(super) type Wrong = (&'static str, &'static str);

const UNREADABLE: Wrong = (
    "proxy_line",
    "is no proxy in a shape that is known: write host:port, host:port:user:password or http://user:password@host:port",
);
const AMBIGUOUS: Wrong = (
    "proxy_line_ambiguous",
    "can be read two ways, as either end could be the host and port: write it as http://user:password@host:port",
);

/// Splits a line into the parts of a proxy.
pub(super) fn parse(line: &str) -> Result<ProxyLine, Wrong> {
    let line = trimmed(line).trim_matches(['"', '\'']);
    let (scheme, rest) = match line.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_lowercase()), rest),
        None => (None, line),
    };
    let is_url = scheme.is_some();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if is_url && !rest.contains('@') && rest.contains('/') {
        return Err((
            "proxy_download_link",
            "is the address of a list and not a proxy, and carries a secret: download the list and import that",
        ));
    }
    let mut found = if rest.contains('@') {
        with_at(rest, is_url)
    } else {
        Err(UNREADABLE)
    };
    if found == Err(UNREADABLE) {
        found = with_colons(rest);
    }
    if found == Err(UNREADABLE) {
        let cells: Vec<&str> = rest.split([',', ';', '\t']).map(str::trim).collect();
        if matches!(cells.len(), 2 | 4) {
            found = with_colons(&cells.join(":"));
        }
    }
    found.map(|line| ProxyLine { scheme, ..line })
}

fn plausible_port(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 5
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// How surely `text` is a host: 2 an address, 1 a name with a dot, 0 neither.
fn host_likelihood(text: &str) -> u8 {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if bare.parse::<IpAddr>().is_ok() {
        2
    } else {
        u8::from(text.contains('.') && is_host_name(text))
    }
}

/// Splits `host:port`, with brackets around IPv6, at its front; the rest follows a colon, if any.
fn host_first(text: &str) -> Option<(&str, &str, Option<&str>)> {
    let (host, rest) = match text.strip_prefix('[').and_then(|inner| inner.find(']')) {
        Some(end) => (&text[..end + 2], text[end + 2..].strip_prefix(':')?),
        None => text.split_once(':')?,
    };
    match rest.split_once(':') {
        Some((port, rest)) => Some((host, port, Some(rest))),
        None => Some((host, rest, None)),
    }
}

/// Splits `…:host:port` at its end.
fn host_last(text: &str) -> Option<(Option<&str>, &str, &str)> {
    let (rest, port) = text.rsplit_once(':')?;
    if rest.ends_with(']') {
        let start = rest.rfind('[')?;
        let before = &rest[..start];
        return Some((
            before
                .strip_suffix(':')
                .or(if before.is_empty() { None } else { Some(before) }),
            &rest[start..],
            port,
        ));
    }
    match rest.rsplit_once(':') {
        Some((before, host)) => Some((Some(before), host, port)),
        None => Some((None, rest, port)),
    }
}

fn likelihood(host: &str, port: &str) -> u8 {
    if plausible_port(port) {
        host_likelihood(host)
    } else {
        0
    }
}

fn proxy(host: &str, port: &str, credentials: Option<&str>, decode: bool) -> ProxyLine {
    let decoded = |text: &str| {
        if decode {
            percent_decoded(text)
        } else {
            text.to_owned()
        }
    };
    let (username, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
        Some((username, password)) => (Some(decoded(username)), Some(decoded(password))),
        None => (None, None),
    };
    let filled = |value: Option<String>| value.filter(|value| !value.is_empty());
    ProxyLine {
        scheme: None,
        host: host.to_owned(),
        port: port.to_owned(),
        username: filled(username),
        password: filled(password),
    }
}

/// `host:port`, `host:port:user:password` or `user:password:host:port`.
fn with_colons(text: &str) -> Result<ProxyLine, Wrong> {
    let first = host_first(text).ok_or(UNREADABLE)?;
    if first.2.is_none() {
        let local = first.0 == "localhost" && plausible_port(first.1);
        return if local || likelihood(first.0, first.1) > 0 {
            Ok(proxy(first.0, first.1, None, false))
        } else {
            Err(UNREADABLE)
        };
    }
    let last = host_last(text).filter(|(before, ..)| before.is_some());
    let at_front = likelihood(first.0, first.1);
    let at_end = last.map_or(0, |(_, host, port)| likelihood(host, port));
    match (at_front, at_end, last) {
        (0, 0, _) => Err(UNREADABLE),
        (front, end, _) if front > end => Ok(proxy(first.0, first.1, first.2, false)),
        (front, end, Some((credentials, host, port))) if end > front => {
            Ok(proxy(host, port, credentials, false))
        }
        _ => Err(AMBIGUOUS),
    }
}

/// `user:password@host:port`, split at the last `@`, or `host:port@user:password`, split at the first.
fn with_at(text: &str, is_url: bool) -> Result<ProxyLine, Wrong> {
    let (credentials, address) = text.rsplit_once('@').ok_or(UNREADABLE)?;
    let (front, back) = text.split_once('@').ok_or(UNREADABLE)?;
    let single = |text| host_first(text).filter(|(.., rest)| rest.is_none());
    let usual = single(address).filter(|(_, port, _)| plausible_port(port));
    let reversed = single(front).filter(|(_, port, _)| plausible_port(port));
    let score = |side: Option<(&str, &str, _)>| {
        side.map_or(0, |(host, port, _): (_, _, Option<&str>)| likelihood(host, port))
    };
    match (usual, reversed) {
        // A URL says which side is which.
        (Some((host, port, _)), _) if is_url && is_host(host) => {
            Ok(proxy(host, port, Some(credentials), true))
        }
        (Some((host, port, _)), other) if score(usual) > score(other) => {
            Ok(proxy(host, port, Some(credentials), false))
        }
        (other, Some((host, port, _))) if score(reversed) > score(other) => {
            Ok(proxy(host, port, Some(back), false))
        }
        (Some(_), Some(_)) if score(usual) > 0 => Err(AMBIGUOUS),
        _ => Err(UNREADABLE),
    }
}

fn is_host(text: &str) -> bool {
    host_likelihood(text) > 0 || is_host_name(text)
}

/// `text` with its percent escapes resolved; as it is when they are broken or are not UTF-8.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail
            .get(..2)
            .filter(|pair| *first == b'%' && pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match escaped.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
