//! The lite side of ICE (RFC 8445 §2.5): the peer checks, we answer, and send to whom it nominates. An address
//! is learned from a check whose integrity proves that the sender was told our password, and from nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::rand;
use str0m::ice::StunMessage;

use crate::ids::Redacted;
use crate::media::rtc::IceLogin;
use crate::time::Timestamp;

use super::provider;

/// Addresses a peer may have at a time: Wi-Fi and mobile, both families. The oldest makes room.
const KNOWN: usize = 6;
/// An address that is sent to and has not been checked for so long makes room for one that is, though nobody
/// nominated that: browsers check each 2.5 s, others each 4 to 6 (RFC 7675 §5.1).
const STALE: Duration = Duration::from_secs(8);
/// Who has not checked for so long does not want to be sent anything any more (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// Room for an answer to a check.
pub(super) const ANSWER: usize = 256;

/// Draws a login: 48 and 144 bits (RFC 8445 §5.3 asks for 24 and 128). `None`: there is no randomness.
pub(in crate::engine) fn draw() -> Option<IceLogin> {
    let mut octets = [0; 32];
    rand::fill(&mut octets).ok()?;
    // 64 ice-chars: six bits of each octet count.
    const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: String = octets.iter().map(|octet| char::from(CHARS[usize::from(octet & 63)])).collect();
    let (ufrag, password) = text.split_at(8);
    Some(IceLogin { ufrag: ufrag.to_owned(), password: Redacted(password.to_owned()) })
}

/// The user name fragment of ours that a check names (RFC 8489 §14.3, RFC 8445 §7.2.2). Of the rest nothing is
/// judged: this only finds out whose password it is to be checked with.
pub(super) fn named(datagram: &[u8]) -> Option<&str> {
    const USERNAME: [u8; 2] = [0, 6];
    let mut rest = datagram.get(20..)?;
    loop {
        let (&[a, b, c, d], value) = rest.split_first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([c, d]));
        if [a, b] == USERNAME {
            let name = std::str::from_utf8(value.get(..len)?).ok()?;
            return name.split_once(':').map(|(ours, _)| ours);
        }
        rest = value.get(len.next_multiple_of(4)..)?;
    }
}

/// What came of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It proves nothing: no answer, nothing learned.
    Refused,
    /// Of whom takes itself for the controlled side: to be answered so, with the first so many octets. Where it came
    /// from is not learned.
    Conflict(usize),
    /// Proven, from an address that was known; answered with the first so many octets.
    Answered(usize),
    /// The same, and the address is new. Another one may have been given up for it.
    Learned(usize, Option<SocketAddr>),
}

/// Our side of a leg's ICE.
#[derive(Debug)]
pub(super) struct Lite {
    ours: IceLogin,
    /// Drawn for a restart the peer has not followed yet.
    next: Option<IceLogin>,
    theirs: Option<IceLogin>,
    /// Whom we send to, since when it was last checked, and whether the peer chose it.
    selected: Option<Selected>,
    /// Authenticated, the newest last.
    known: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Selected {
    address: SocketAddr,
    checked: Timestamp,
    nominated: bool,
}

impl Lite {
    pub(super) fn new(ours: IceLogin) -> Self {
        Self { ours, next: None, theirs: None, selected: None, known: Vec::new() }
    }

    /// Our user name fragments that count.
    pub(super) fn ufrags(&self) -> impl Iterator<Item = &str> {
        [Some(&self.ours), self.next.as_ref()].into_iter().flatten().map(|login| login.ufrag.as_str())
    }

    /// All addresses learned.
    pub(super) fn known(&self) -> &[SocketAddr] {
        &self.known
    }

    /// Where to send to.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.selected.map(|selected| selected.address)
    }

    /// Another login of ours counts beside the one before. A login drawn before and not used is returned.
    pub(super) fn restart(&mut self, next: IceLogin) -> Option<IceLogin> {
        self.next.replace(next)
    }

    /// Offer and answer told the peer's login. When it is another one the peer restarts: our new login takes
    /// the place of the old one, which is returned. What was learned stays until the peer nominates anew
    /// (RFC 8445 §9).
    pub(super) fn agree(&mut self, theirs: &IceLogin) -> Option<IceLogin> {
        if self.theirs.as_ref() == Some(theirs) {
            return None;
        }
        self.theirs = Some(theirs.clone());
        self.next.take().map(|next| std::mem::replace(&mut self.ours, next))
    }

    /// Takes a STUN message. What is to be sent back is written to `answer`.
    pub(super) fn check(
        &mut self,
        message: &StunMessage<'_>,
        from: SocketAddr,
        answer: &mut [u8; ANSWER],
        now: Timestamp,
    ) -> Checked {
        let hmac = |key: &[u8], parts: &[&[u8]]| provider().sha1_hmac_provider.sha1_hmac(key, parts);
        let login = message.split_username().and_then(|(ours, _)| {
            [Some(&self.ours), self.next.as_ref()].into_iter().flatten().find(|login| login.ufrag == ours)
        });
        let Some(login) = login.filter(|_| message.is_binding_request()) else { return Checked::Refused };
        let password = login.password.0.as_bytes();
        if !message.verify(password, hmac) {
            return Checked::Refused;
        }
        let conflict = message.ice_controlled().is_some();
        let reply = match conflict {
            // The lite side never controls (RFC 8445 §6.1.1): the peer has to change its mind.
            true => StunMessage::binding_role_conflict_reply(message.trans_id()),
            false => {
                let seen = SocketAddr::new(from.ip().to_canonical(), from.port());
                StunMessage::binding_reply(message.trans_id(), seen)
            }
        };
        let Ok(len) = reply.to_bytes(Some(password), answer, hmac) else { return Checked::Refused };
        if conflict {
            return Checked::Conflict(len);
        }
        self.select(from, message.use_candidate(), now);
        if self.known.contains(&from) {
            return Checked::Answered(len);
        }
        let full = self.known.len() >= KNOWN;
        let spare = self.known.iter().position(|known| Some(*known) != self.destination());
        let forgotten = spare.filter(|_| full).map(|at| self.known.remove(at));
        self.known.push(from);
        Checked::Learned(len, forgotten)
    }

    /// Browsers nominate the pair they send on with each check towards a lite side, so the last one counts;
    /// who nominates once is followed when its address changes and the old one falls silent.
    fn select(&mut self, from: SocketAddr, nominates: bool, now: Timestamp) {
        match &mut self.selected {
            Some(known) if known.address == from => {
                known.checked = now;
                known.nominated |= nominates;
            }
            Some(known) if !nominates && now.since(known.checked) < STALE => {}
            Some(_) | None => {
                self.selected = Some(Selected { address: from, checked: now, nominated: nominates });
            }
        }
    }

    /// Stops sending to a peer that does not check any more. Call it now and then.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.selected.take_if(|selected| now.since(selected.checked) > CONSENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::ice::{StunMessageBuilder, TransId};

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(7_000_000) + Duration::from_millis(ms)
    }

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 4_000 + n))
    }

    fn login(name: &str) -> IceLogin {
        IceLogin { ufrag: name.to_owned(), password: Redacted(format!("{name}-password-of-22-chars")) }
    }

    /// A check by somebody who was told `to`.
    fn check(lite: &mut Lite, to: &IceLogin, from: SocketAddr, nominates: bool, now: Timestamp) -> Checked {
        check_with(lite, (&to.ufrag, &to.password.0), from, (true, nominates), now)
    }

    fn check_with(
        lite: &mut Lite,
        (ufrag, password): (&str, &str),
        from: SocketAddr,
        (controls, nominates): (bool, bool),
        now: Timestamp,
    ) -> Checked {
        let user = format!("{ufrag}:them");
        let message = StunMessage::binding_request(&user, TransId::new(), controls, 5, 100, nominates);
        let hmac = |key: &[u8], parts: &[&[u8]]| provider().sha1_hmac_provider.sha1_hmac(key, parts);
        let mut octets = [0; ANSWER];
        let len = message.to_bytes(Some(password.as_bytes()), &mut octets, hmac).unwrap();
        let message = StunMessage::parse(&octets[..len]).unwrap();
        let mut answer = [0; ANSWER];
        let checked = lite.check(&message, from, &mut answer, now);
        if let Checked::Conflict(len) | Checked::Answered(len) | Checked::Learned(len, _) = checked {
            let answer = StunMessage::parse(&answer[..len]).unwrap();
            assert!(answer.verify(password.as_bytes(), hmac), "sealed with our password");
            assert_eq!(answer.trans_id(), message.trans_id());
            assert_eq!(answer.mapped_address(), controls.then_some(from));
            assert_eq!(answer.error_code().map(|(code, _)| code), (!controls).then_some(487));
        }
        checked
    }

    #[test]
    fn logins_are_long_and_of_ice_chars() {
        let (a, b) = (draw().unwrap(), draw().unwrap());
        assert_eq!((a.ufrag.len(), a.password.0.len()), (8, 24));
        assert!(a.ufrag.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/'));
        assert_ne!(a, b);
    }

    #[test]
    fn nothing_is_learned_from_whom_does_not_know_the_password() {
        let mut lite = Lite::new(login("ours"));
        for (ufrag, password) in
            [("ours", "a-guess-of-22-characters"), ("theirs", "ours-password-of-22-chars")]
        {
            let checked = check_with(&mut lite, (ufrag, password), address(0), (true, true), at(0));
            assert_eq!(checked, Checked::Refused);
        }
        let hmac = |key: &[u8], parts: &[&[u8]]| provider().sha1_hmac_provider.sha1_hmac(key, parts);
        // An answer to a check we never sent.
        let mut octets = [0; ANSWER];
        let reply = StunMessageBuilder::new().binding().success().username("ours:them");
        let reply = reply.xor_mapped_address(address(1)).build(TransId::new());
        let len = reply.to_bytes(Some(b"ours-password-of-22-chars"), &mut octets, hmac).unwrap();
        let message = StunMessage::parse(&octets[..len]).unwrap();
        assert_eq!(lite.check(&message, address(0), &mut [0; ANSWER], at(0)), Checked::Refused);
        assert_eq!((lite.destination(), lite.known()), (None, &[][..]));
    }

    #[test]
    fn the_last_nominated_address_is_sent_to() {
        let ours = login("ours");
        let mut lite = Lite::new(ours.clone());
        assert!(matches!(check(&mut lite, &ours, address(1), false, at(0)), Checked::Learned(_, None)));
        assert_eq!(lite.destination(), Some(address(1)), "the only one");
        check(&mut lite, &ours, address(2), false, at(10));
        assert_eq!(lite.destination(), Some(address(1)));
        check(&mut lite, &ours, address(2), true, at(20));
        assert_eq!(lite.destination(), Some(address(2)));
        assert!(matches!(check(&mut lite, &ours, address(1), false, at(30)), Checked::Answered(_)));
        assert_eq!(lite.destination(), Some(address(2)));
        // The network changed, and this peer nominates once only.
        check(&mut lite, &ours, address(3), false, at(8_010));
        assert_eq!(lite.destination(), Some(address(2)));
        check(&mut lite, &ours, address(3), false, at(8_030));
        assert_eq!(lite.destination(), Some(address(3)));
    }

    #[test]
    fn who_takes_itself_for_controlled_is_told_and_not_learned() {
        let ours = login("ours");
        let mut lite = Lite::new(ours.clone());
        let told = (&ours.ufrag[..], &ours.password.0[..]);
        assert!(matches!(
            check_with(&mut lite, told, address(1), (false, false), at(0)),
            Checked::Conflict(_)
        ));
        assert_eq!((lite.destination(), lite.known()), (None, &[][..]));
    }

    #[test]
    fn whose_a_check_is_is_read_of_any_octets() {
        let mut octets = vec![0; 20];
        // SOFTWARE of 5 octets, padded, then USERNAME.
        octets.extend(b"\x80\x22\0\x05sayso\0\0\0\0\x06\0\x09ours:them\0\0\0");
        assert_eq!(named(&octets), Some("ours"));
        for len in 0..octets.len() - 3 {
            assert_eq!(named(&octets[..len]), None, "{len}");
        }
        octets[40] = b'_';
        assert_eq!(named(&octets), None, "no colon");
        octets[36] = 0xFF;
        assert_eq!(named(&octets), None, "no text");
    }

    #[test]
    fn a_restart_ends_the_old_login_and_keeps_the_way_until_a_new_one_is_nominated() {
        let (old, new) = (login("old"), login("new"));
        let mut lite = Lite::new(old.clone());
        assert_eq!(lite.agree(&login("them")), None);
        check(&mut lite, &old, address(1), true, at(0));
        assert_eq!(lite.restart(new.clone()), None);
        assert_eq!(lite.ufrags().collect::<Vec<_>>(), ["old", "new"]);
        assert_eq!(lite.agree(&login("them")), None, "a hold on its way meanwhile");
        assert!(matches!(check(&mut lite, &old, address(1), true, at(50)), Checked::Answered(_)));
        assert_eq!(lite.agree(&login("them-again")), Some(old.clone()));
        assert_eq!(check(&mut lite, &old, address(1), true, at(100)), Checked::Refused);
        assert_eq!(lite.destination(), Some(address(1)));
        check(&mut lite, &new, address(2), true, at(150));
        assert_eq!(lite.destination(), Some(address(2)));
    }

    #[test]
    fn addresses_are_bounded_and_the_one_in_use_stays() {
        let ours = login("ours");
        let mut lite = Lite::new(ours.clone());
        check(&mut lite, &ours, address(0), true, at(0));
        let mut forgotten = Vec::new();
        for n in 1..10 {
            let Checked::Learned(_, gone) = check(&mut lite, &ours, address(n), false, at(10)) else {
                panic!()
            };
            forgotten.extend(gone);
        }
        assert_eq!(lite.known().len(), KNOWN);
        assert_eq!(forgotten, [1, 2, 3, 4].map(address));
        assert!(lite.known().contains(&address(0)));
    }

    #[test]
    fn nothing_is_sent_to_a_peer_that_stopped_checking() {
        let ours = login("ours");
        let mut lite = Lite::new(ours.clone());
        check(&mut lite, &ours, address(0), true, at(0));
        lite.expire(at(30_000));
        assert!(lite.destination().is_some());
        lite.expire(at(30_001));
        assert_eq!(lite.destination(), None);
        check(&mut lite, &ours, address(0), true, at(40_000));
        assert!(lite.destination().is_some());
    }
}
