//! Who asks, where a proxy of ours stands between.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

/// Where our own proxies are, whose word is taken for who asks them.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Those of these networks.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Where a request comes from: of a proxy, the address it wrote behind whatever the client itself sent.
    pub(super) fn source(&self, remote: IpAddr, headers: &HeaderMap) -> IpAddr {
        let remote = remote.to_canonical();
        if !self.0.iter().any(|network| network.contains(&remote)) {
            return remote;
        }
        let last = headers.get_all(FORWARDED).into_iter().next_back();
        let last = last.and_then(|line| line.to_str().ok()).and_then(|line| line.rsplit(',').next());
        last.and_then(|text| address(text.trim())).unwrap_or(remote)
    }
}

/// An address, perhaps in brackets or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_is_believed_and_only_its_own_word() {
        let proxies = Proxies::new(vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        let source = |remote: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED, line.parse().unwrap());
            }
            proxies.source(remote.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(source("192.0.2.1", &["198.51.100.1"]), "192.0.2.1", "no proxy of ours");
        assert_eq!(source("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(source("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(source("::ffff:10.1.2.3", &["1.1.1.1, 198.51.100.1:4000"]), "198.51.100.1");
        assert_eq!(source("127.0.0.1", &["1.1.1.1", "2001:db8::1"]), "2001:db8::1", "the last line's");
        assert_eq!(source("127.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(source("127.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(source("127.0.0.1", &["1.1.1.1, unknown"]), "127.0.0.1", "no older word is taken for it");
    }
}
