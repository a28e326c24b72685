//! Which of our addresses a peer is told: in Via and Contact, and in SDP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use bytes::Bytes;
use ipnet::IpNet;

/// The addresses peers reach us at, when they are not those we listen on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Advertise {
    /// Those we listen on.
    #[default]
    Nothing,
    /// One for all addresses of its family.
    One(IpAddr),
    /// By our address; what is not in it is told as it is.
    Each(BTreeMap<IpAddr, IpAddr>),
}

/// How a NAT between us and some peers changes our addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nat {
    advertise: Advertise,
    local_networks: Vec<IpNet>,
}

impl Nat {
    /// Peers in `local_networks` are on our side of it.
    #[must_use]
    pub fn new(advertise: Advertise, local_networks: Vec<IpNet>) -> Self {
        Self { advertise, local_networks }
    }

    /// RFC 1918, loopback, link-local, and their IPv6 likes (RFC 4193, RFC 4291).
    #[must_use]
    pub fn usual_local_networks() -> Vec<IpNet> {
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]
            .into_iter()
            .chain(["fc00::/7", "::1/128", "fe80::/10"])
            .map(|net| net.parse().expect("the list is of networks"))
            .collect()
    }

    /// What the peer at `remote` is told instead of our address `local`.
    #[must_use]
    pub fn outward(&self, local: IpAddr, remote: IpAddr) -> IpAddr {
        let near = remote.to_canonical();
        if self.local_networks.iter().any(|net| net.contains(&near)) {
            return local;
        }
        if local.is_unspecified() {
            return local; // in SDP: on hold, in the old way
        }
        match &self.advertise {
            Advertise::Nothing => local,
            Advertise::One(public) if public.is_ipv4() == local.is_ipv4() => *public,
            Advertise::One(_) => local,
            Advertise::Each(table) => table.get(&local).copied().unwrap_or(local),
        }
    }

    /// A message to `remote` with our addresses in its SDP as that peer is to be told them. Only here it is
    /// known which way each copy goes: an agent's phones may be on both sides.
    pub(super) fn describe(&self, message: Bytes, remote: IpAddr) -> Bytes {
        if self.advertise == Advertise::Nothing {
            return message;
        }
        let Some(head) = message.windows(4).position(|four| four == b"\r\n\r\n") else { return message };
        let body = &message[head + 4..];
        let Some(new) = std::str::from_utf8(body).ok().and_then(|sdp| self.sdp(sdp, remote)) else {
            return message;
        };
        let Ok(head) = std::str::from_utf8(&message[..head + 2]) else { return message };
        let (old_length, length) = (
            format!("\r\nContent-Length: {}\r\n", body.len()),
            format!("\r\nContent-Length: {}\r\n", new.len()),
        );
        Bytes::from(format!("{}\r\n{new}", head.replacen(&old_length, &length, 1)))
    }

    /// The description with our addresses replaced; `None`: it is none, or nothing is to be replaced.
    fn sdp(&self, text: &str, remote: IpAddr) -> Option<String> {
        if !text.starts_with("v=0") {
            return None;
        }
        let mut changed = false;
        let lines = text.split_inclusive('\n').map(|line| {
            let told = place_of_address(line).and_then(|place| {
                let ip: IpAddr = line[place.clone()].parse().ok()?;
                let told = self.outward(ip, remote);
                (told != ip).then(|| format!("{}{told}{}", &line[..place.start], &line[place.end..]))
            });
            changed |= told.is_some();
            told.unwrap_or_else(|| line.to_owned())
        });
        let new: String = lines.collect();
        changed.then_some(new)
    }
}

/// Where a line of SDP has our address: at its end, or as the fifth word of an ICE candidate (RFC 8839 §5.1).
/// As ours are host candidates, the public address put there stands for the same socket (RFC 8445 §5.1.1.1 has no
/// other way where we know it beforehand).
fn place_of_address(line: &str) -> Option<Range<usize>> {
    let content = line.trim_end();
    if ["o=", "c=", "a=rtcp:"].iter().any(|start| line.starts_with(start)) {
        return content.rfind(' ').map(|space| space + 1..content.len());
    }
    let mut spaces = content.match_indices(' ').map(|(at, _)| at).skip(3);
    let start = spaces.next().filter(|_| content.starts_with("a=candidate:"))? + 1;
    Some(start..spaces.next().unwrap_or(content.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn peers_elsewhere_are_told_the_public_address() {
        let nat = Nat::new(Advertise::One(ip("203.0.113.7")), Nat::usual_local_networks());
        let told = |local, remote| nat.outward(ip(local), ip(remote)).to_string();
        assert_eq!(told("10.0.0.1", "198.51.100.1"), "203.0.113.7");
        for near in ["10.9.9.9", "172.31.0.1", "192.168.1.1", "127.0.0.1", "::ffff:10.0.0.2"] {
            assert_eq!(told("10.0.0.1", near), "10.0.0.1", "{near}");
        }
        assert_eq!(told("2001:db8::1", "2001:db8:1::1"), "2001:db8::1", "of another family");
        assert_eq!(told("fd00::1", "fd00::2"), "fd00::1");
    }

    #[test]
    fn descriptions_are_told_too() {
        let nat = Nat::new(Advertise::One(ip("203.0.113.77")), Nat::usual_local_networks());
        let sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
                   m=audio 20000 RTP/AVP 8\r\na=rtcp:20001 IN IP4 10.0.0.1\r\n\
                   a=candidate:1 1 udp 2130706431 10.0.0.1 20000 typ host\r\na=candidate:1\r\n";
        let message = |sdp: &str| {
            let head = "INVITE sip:x SIP/2.0\r\nContent-Type: application/sdp";
            Bytes::from(format!("{head}\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()))
        };
        let told = nat.describe(message(sdp), ip("198.51.100.1"));
        assert_eq!(told, message(&sdp.replace("10.0.0.1", "203.0.113.77")));
        assert_eq!(nat.describe(message(sdp), ip("10.0.0.9")), message(sdp));
        assert_eq!(Nat::default().describe(message(sdp), ip("198.51.100.1")), message(sdp));
        for other in
            ["", "SIP/2.0 200 OK c=IN IP4 10.0.0.1", "v=0\r\nc=IN IP4 0.0.0.0\r\n", "v=0\r\nc=\r\no= \r\n"]
        {
            assert_eq!(nat.describe(message(other), ip("198.51.100.1")), message(other));
        }
        assert_eq!(nat.describe(Bytes::from_static(b"\r\n"), ip("198.51.100.1")), &b"\r\n"[..]);
    }

    #[test]
    fn each_address_may_have_its_own() {
        let table = [(ip("10.0.0.1"), ip("203.0.113.1")), (ip("fd00::1"), ip("2001:db8::1"))];
        let nat = Nat::new(Advertise::Each(table.into()), vec!["10.0.0.0/8".parse().unwrap()]);
        let told = |local, remote| nat.outward(ip(local), ip(remote)).to_string();
        assert_eq!(told("10.0.0.1", "198.51.100.1"), "203.0.113.1");
        assert_eq!(told("10.0.0.2", "198.51.100.1"), "10.0.0.2");
        assert_eq!(told("10.0.0.1", "10.1.1.1"), "10.0.0.1");
        assert_eq!(told("fd00::1", "2001:db8:9::1"), "2001:db8::1");
        assert_eq!(Nat::default().outward(ip("10.0.0.1"), ip("198.51.100.1")), ip("10.0.0.1"));
    }
}
