//! Which addresses a tenant may make the server connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks that are not globally routable, after the IANA registries of special-purpose addresses, with what they are
/// called. IPv6 outside `2000::/3` is refused as a whole; its entries here only give the more telling name.
static SPECIAL: LazyLock<Vec<(IpNet, &str)>> = LazyLock::new(|| {
    [
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.169.254/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique-local"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    ]
    .map(|(net, kind)| (net.parse().expect("the table holds networks"), kind))
    .into()
});

/// What kind of address it is that may not be connected to, or `None` where it may.
///
/// An IPv4 address inside IPv6 is judged as what it stands for: mapped (`::ffff:0:0/96`) always, also by `allow`; NAT64
/// (`64:ff9b::/96`) may be connected to only where it stands for a globally routable one.
pub(super) fn forbidden(ip: IpAddr, allow: &[IpNet]) -> Option<&'static str> {
    let ip = ip.to_canonical();
    if allow.iter().any(|net| net.contains(&ip)) {
        return None;
    }
    if let Some((_, kind)) = SPECIAL.iter().find(|(net, _)| net.contains(&ip)) {
        return Some(kind);
    }
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => forbidden(embedded(v6).into(), &[]),
            [first, ..] if first & 0xe000 == 0x2000 => None,
            _ => Some("reserved"),
        },
    }
}

/// The IPv4 address in the last 32 bits.
fn embedded(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kind(ip: &str, allow: &[&str]) -> Option<&'static str> {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        forbidden(ip.parse().unwrap(), &allow)
    }

    #[test]
    fn addresses_that_are_not_globally_routable_are_forbidden() {
        for (ip, expected) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.255.0.1", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "cloud metadata"),
            ("169.254.169.254", "cloud metadata"),
            ("169.254.1.1", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "reserved"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4"),
            ("192.168.1.1", "private"),
            ("198.19.0.1", "benchmarking"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("239.1.1.1", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "reserved"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "cloud metadata"),
            ("::ffff:0:127.0.0.1", "reserved"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "cloud metadata"),
            ("64:ff9b:1::7f00:1", "reserved"),
            ("100::1", "reserved"),
            ("2001::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::1", "6to4"),
            ("3fff::1", "documentation"),
            ("5f00::1", "reserved"),
            ("fc00::1", "unique-local"),
            ("fd00:ec2::254", "unique-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(kind(ip, &[]), Some(expected), "{ip}");
        }
    }

    #[test]
    fn globally_routable_addresses_are_not_forbidden() {
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(kind(ip, &[]), None, "{ip}");
        }
    }

    #[test]
    fn the_configuration_allows_its_networks_and_no_more() {
        let allow = ["127.0.0.0/8", "::1/128", "fd12::/16"];
        for ip in ["127.9.9.9", "::ffff:127.0.0.1", "::1", "fd12::7"] {
            assert_eq!(kind(ip, &allow), None, "{ip}");
        }
        for ip in ["10.0.0.1", "64:ff9b::7f00:1", "::", "fd13::7"] {
            assert!(kind(ip, &allow).is_some(), "{ip}");
        }
    }
}
