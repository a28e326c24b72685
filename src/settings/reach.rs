//! Which addresses webhooks may be sent to: public ones, and those private networks that an operator has allowed. What
//! an administrator may write as a URL would else be a way into the network behind the server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// See [`super::System::webhooks`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookRules {
    /// Networks that webhooks may reach though they are private: none by default, not even this machine.
    pub networks: Vec<IpNet>,
}

impl WebhookRules {
    /// Whether a request may go there. Of an address that carries another (IPv4 in IPv6) the inner one counts.
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        let ip = inner(ip);
        is_public(ip) || self.networks.iter().any(|network| network.contains(&ip))
    }
}

/// The address a URL names without a look-up; `None`: it names a host, whose addresses are known when it is reached.
pub(super) fn literal(url: &str) -> Option<IpAddr> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => host.split(':').next()?,
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Some(Ipv4Addr::LOCALHOST.into()); // RFC 6761 §6.3
    }
    name.parse().ok()
}

/// What is reached in the end: mapped (RFC 4291 §2.5.5), translated (RFC 6052) and tunnelled (RFC 3056) addresses.
fn inner(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => of(high, low),
        [0x2002, high, low, ..] => of(high, low),
        _ => ip,
    }
}

/// Whether it is an address of the public internet (IANA's registries of special-purpose addresses, RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(four) => is_public_four(four),
        IpAddr::V6(six) => is_public_six(six),
    }
}

fn is_public_four(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (224..=255, ..)
    );
    !special
}

/// Of IPv6 only `2000::/3` is given out; Teredo (`2001::/32`) leads behind somebody's router.
fn is_public_six(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_reached_and_others_only_if_allowed() {
        let nobody = WebhookRules::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for good in ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2600::1", "64:ff9b::808:808"] {
            assert!(nobody.allows(ip(good)), "{good}");
        }
        let private = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.9.10",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
        ];
        for bad in private {
            assert!(!nobody.allows(ip(bad)), "{bad}");
        }
        let networks = ["10.1.0.0/16", "127.0.0.1/32", "fd00::/8"];
        let some = WebhookRules { networks: networks.iter().map(|net| net.parse().unwrap()).collect() };
        for good in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "fd00::1", "8.8.8.8"] {
            assert!(some.allows(ip(good)), "{good}");
        }
        for bad in ["10.2.0.1", "127.0.0.2", "fe80::1", "::1"] {
            assert!(!some.allows(ip(bad)), "{bad}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_seen() {
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        for url in
            ["http://127.0.0.1:80/x", "https://LOCALHOST", "http://a.localhost.:1?x", "https://127.0.0.1#a"]
        {
            assert_eq!(literal(url), here, "{url}");
        }
        assert_eq!(literal("http://[::1]:1/"), Some(Ipv6Addr::LOCALHOST.into()));
        for name in ["https://crm.example/127.0.0.1", "https://127.0.0.1.crm.example", "crm", ""] {
            assert_eq!(literal(name), None, "{name}");
        }
    }
}
