//! The server side of digest authentication: RFC 7616 (SHA-256), RFC 2617 (MD5), RFC 8760 (both in SIP).
//!
//! A nonce carries its own time and a MAC, so none is stored until someone has logged in with it;
//! from then on its nonce count must grow, which makes a captured request worthless. Its MAC is also over the
//! source it was given to (an IPv4 address, an IPv6 /64; not the port, which NATs change): only who gets our
//! answers can guess passwords, and a wrong password cannot be laid to somebody else's address. A phone whose
//! address changes is challenged once more, as stale.
//!
//! Nobody learns which users exist: an unknown one costs the same hashes and gets the same answers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest, hmac};
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::guard::source;
use super::uri::Uri;
use crate::settings::SipCredentials;
use crate::time::Timestamp;

/// A nonce's life. Longer saves phones a round trip on each refresh; shorter leaves an eavesdropper less.
const LIFETIME: Duration = Duration::from_secs(300);
/// Nonces in use at most, about 1 MB; past it the oldest becomes stale early.
const MAX_NONCES: usize = 20_000;
/// Credentials longer than this (bytes) are not read.
const MAX_CREDENTIALS: usize = 4_096;
/// At most so many credentials of a request are looked at, those for other realms included. The first password
/// for ours decides, so a request is one guess.
const MAX_TRIES: usize = 4;
/// Stands for the HA1 of a user who is not there: no password has it, as it is no hash.
const NO_HA1: &str = "----------------------------------------------------------------";

/// The verdict on a request's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right: this user sent it.
    Accepted {
        /// The user name.
        user: String,
    },
    /// There are none for our realm: challenge.
    Missing,
    /// There are some that cannot be judged (form, algorithm, another request's target): challenge.
    Unusable,
    /// The nonce is old, used before, or not one this source was given: challenge with `stale`
    /// (RFC 7616 §3.3).
    Stale,
    /// Wrong user or password.
    Wrong {
        /// The user name.
        user: String,
    },
    /// Passwords for this user are not looked at now, as too many were wrong.
    Throttled,
}

/// The request that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// Where it came from.
    pub remote: IpAddr,
}

/// Issues challenges and checks answers to them.
pub struct DigestServer {
    realm: String,
    key: hmac::Key,
    algorithms: Vec<Algorithm>,
    issued: u64,
    /// The last nonce count of each nonce that has been used, oldest first.
    used: BTreeMap<NonceId, u32>,
    /// Nonces up to this one are stale, as their counts were dropped.
    floor: Option<NonceId>,
}

impl DigestServer {
    /// A server for `realm`. `secret` keys the nonces' MAC: with a new one all nonces become stale.
    #[must_use]
    pub fn new(realm: &str, secret: [u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
        Self { realm: realm.to_owned(), key, algorithms, issued: 0, used: BTreeMap::new(), floor: None }
    }

    /// Offers and takes these algorithms only, in this order; none changes nothing.
    #[must_use]
    pub fn offering(mut self, algorithms: &[Algorithm]) -> Self {
        if !algorithms.is_empty() {
            self.algorithms = algorithms.to_vec();
        }
        self
    }

    /// The values for `WWW-Authenticate` (or `Proxy-Authenticate`) headers, one an algorithm: SHA-256
    /// first, then MD5 for phones that know no better (RFC 8760 §2.4). They are for `remote` only.
    pub fn challenges(&mut self, stale: bool, remote: IpAddr, now: Timestamp) -> Vec<String> {
        self.issued += 1;
        let nonce = self.write_nonce(NonceId { issued: now.as_micros(), n: self.issued }, remote);
        let realm = self.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            let algorithm = algorithm.name();
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
        };
        self.algorithms.iter().map(challenge).collect()
    }

    /// Judges a request by its `Authorization` or `Proxy-Authorization` values. `credentials` looks a
    /// user name up, and `may_try` says whether a password for it is looked at now. Call it once for a
    /// request: a retransmission must be absorbed by its transaction before it comes here, or its nonce count is
    /// found used.
    pub fn verify<'a>(
        &mut self,
        ask: Ask<'_>,
        authorization: impl Iterator<Item = &'a [u8]>,
        credentials: &dyn Fn(&str) -> Option<SipCredentials>,
        may_try: &mut dyn FnMut(&str) -> bool,
        now: Timestamp,
    ) -> Verdict {
        while let Some(entry) = self.used.first_entry().filter(|entry| *entry.key() < oldest(now)) {
            entry.remove();
        }
        let mut verdict = Verdict::Missing;
        for value in authorization.filter_map(digest_params).take(MAX_TRIES) {
            match self.verify_one(ask, value, credentials, may_try, now) {
                decided @ (Verdict::Accepted { .. } | Verdict::Wrong { .. } | Verdict::Throttled) => {
                    return decided;
                }
                Verdict::Stale => verdict = Verdict::Stale,
                Verdict::Unusable if verdict == Verdict::Missing => verdict = Verdict::Unusable,
                Verdict::Unusable | Verdict::Missing => {}
            }
        }
        verdict
    }

    /// Whether any of these values answers a challenge that `remote` was given and that is not too old.
    pub fn answers_challenge<'a>(
        &self,
        authorization: impl Iterator<Item = &'a [u8]>,
        remote: IpAddr,
        now: Timestamp,
    ) -> bool {
        let nonce = |params| Params::parse(params)?.take("nonce");
        let mut nonces = authorization.filter_map(digest_params).take(MAX_TRIES).filter_map(nonce);
        nonces.any(|nonce| self.young_nonce(&nonce, remote, now).is_some())
    }

    fn verify_one(
        &mut self,
        ask: Ask<'_>,
        params: &str,
        credentials: &dyn Fn(&str) -> Option<SipCredentials>,
        may_try: &mut dyn FnMut(&str) -> bool,
        now: Timestamp,
    ) -> Verdict {
        let Some(answer) = Answer::parse(params) else { return Verdict::Unusable };
        if answer.realm != self.realm {
            return Verdict::Missing; // for another server on the way
        }
        if !same_target(&answer.uri, ask.uri) || !self.algorithms.contains(&answer.algorithm) {
            return Verdict::Unusable;
        }
        // Before the password: without a nonce of its own nobody gets to guess.
        let Some(nonce) = self.young_nonce(&answer.nonce, ask.remote, now) else { return Verdict::Stale };
        if !may_try(&answer.username) {
            return Verdict::Throttled;
        }
        let known = credentials(&answer.username);
        // An unknown user costs the same hashes as a known one, so that time does not tell them apart.
        let (md5, sha256) =
            known.as_ref().map_or((&NO_HA1[..32], NO_HA1), |c| (&c.ha1_md5.0[..], &c.ha1_sha256.0[..]));
        let ha1 = match answer.algorithm {
            Algorithm::Md5 => md5,
            Algorithm::Sha256 => sha256,
        };
        let expected = answer.expected(ha1, ask.method);
        let right =
            constant_time::verify_slices_are_equal(expected.as_bytes(), answer.response.as_bytes()).is_ok();
        if !right || known.is_none_or(|c| c.user != answer.username) {
            return Verdict::Wrong { user: answer.username };
        }
        // Only who knows the password gets an entry in the table.
        if self.use_nonce(nonce, answer.count()) {
            Verdict::Accepted { user: answer.username }
        } else {
            Verdict::Stale
        }
    }

    /// A nonce that `remote` was given and that is still good.
    fn young_nonce(&self, nonce: &str, remote: IpAddr, now: Timestamp) -> Option<NonceId> {
        let id = self.read_nonce(nonce, remote)?;
        let is_young = id >= oldest(now) && id.issued <= now.as_micros();
        (is_young && self.floor.is_none_or(|floor| id > floor)).then_some(id)
    }

    /// Whether `count` is new for this nonce; keeps it.
    fn use_nonce(&mut self, id: NonceId, count: u32) -> bool {
        let last = self.used.entry(id).or_insert(0);
        if count <= *last {
            return false;
        }
        *last = count;
        if self.used.len() > MAX_NONCES {
            self.floor = self.used.pop_first().map(|(id, _)| id).max(self.floor);
        }
        true
    }

    fn write_nonce(&self, id: NonceId, remote: IpAddr) -> String {
        hex::encode([&id.bytes()[..], &self.mac(id, remote)[..]].concat())
    }

    fn read_nonce(&self, nonce: &str, remote: IpAddr) -> Option<NonceId> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(nonce, &mut bytes).ok()?;
        let (issued, rest) = bytes.split_first_chunk::<8>()?;
        let (n, mac) = rest.split_first_chunk::<8>()?;
        let id = NonceId { issued: i64::from_be_bytes(*issued), n: u64::from_be_bytes(*n) };
        constant_time::verify_slices_are_equal(mac, &self.mac(id, remote)).ok().map(|()| id)
    }

    /// Half an HMAC-SHA-256: 128 bits are enough against forging, and keep headers short.
    fn mac(&self, id: NonceId, remote: IpAddr) -> [u8; 16] {
        let of = match source(remote) {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let tag = hmac::sign(&self.key, &[&id.bytes()[..], &of, self.realm.as_bytes()].concat());
        *tag.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }
}

/// The oldest nonce that is good now.
fn oldest(now: Timestamp) -> NonceId {
    NonceId { issued: (now - LIFETIME).as_micros(), n: 0 }
}

/// When a nonce was issued, and its number in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NonceId {
    issued: i64,
    n: u64,
}

impl NonceId {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.issued.to_be_bytes());
        bytes[8..].copy_from_slice(&self.n.to_be_bytes());
        bytes
    }
}

/// A digest algorithm. Some phones (baresip 1.0 and its kin) give up when SHA-256 is offered beside
/// MD5, in whatever order: where such phones are used, offer MD5 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RFC 2617.
    #[serde(rename = "md5")]
    Md5,
    /// RFC 7616.
    #[serde(rename = "sha-256")]
    Sha256,
}

impl Algorithm {
    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex::encode(Md5::digest(text)),
            Self::Sha256 => hex::encode(digest::digest(&digest::SHA256, text.as_bytes())),
        }
    }
}

/// Credentials for our scheme, well formed.
struct Answer {
    username: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    qop: Qop,
}

/// What protects the request.
enum Qop {
    /// None: RFC 2069 phones. Such a nonce is good for one request.
    Absent,
    /// `auth`.
    Auth {
        /// As it was written: the hash is over the text.
        nc: String,
        count: u32,
        cnonce: String,
    },
}

impl Answer {
    fn parse(params: &str) -> Option<Self> {
        let mut map = Params::parse(params)?;
        let algorithm = match map.take("algorithm") {
            None => Algorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
            Some(_) => return None,
        };
        let qop = match map.take("qop") {
            // RFC 7616 §3.4 wants qop; only a phone that knows nothing but MD5 may come without.
            None if algorithm == Algorithm::Md5 => Qop::Absent,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = map.take("nc").filter(|nc| (1..=8).contains(&nc.len()))?;
                let count = u32::from_str_radix(&nc, 16).ok()?;
                Qop::Auth { nc, count, cnonce: map.take("cnonce")? }
            }
            None | Some(_) => return None,
        };
        Some(Self {
            username: map.take("username")?,
            realm: map.take("realm")?,
            nonce: map.take("nonce")?,
            uri: map.take("uri")?,
            response: map.take("response")?.to_ascii_lowercase(),
            algorithm,
            qop,
        })
    }

    /// The response that proves knowledge of `ha1` (RFC 7616 §3.4.1).
    fn expected(&self, ha1: &str, method: &str) -> String {
        let ha2 = self.algorithm.hash(&format!("{method}:{}", self.uri));
        let nonce = &self.nonce;
        self.algorithm.hash(&match &self.qop {
            Qop::Absent => format!("{ha1}:{nonce}:{ha2}"),
            Qop::Auth { nc, cnonce, .. } => format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"),
        })
    }

    fn count(&self) -> u32 {
        match self.qop {
            Qop::Absent => 1,
            Qop::Auth { count, .. } => count,
        }
    }
}

/// What follows the scheme, if it is `Digest` and not oversize. Bytes that are no UTF-8 cannot be a
/// user of ours, and make it `Wrong` by leaving no parameters.
fn digest_params(value: &[u8]) -> Option<&str> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(6)?;
    let is_digest =
        scheme.eq_ignore_ascii_case(b"Digest") && rest.first().is_some_and(u8::is_ascii_whitespace);
    is_digest.then(|| if rest.len() > MAX_CREDENTIALS { "" } else { std::str::from_utf8(rest).unwrap_or("") })
}

/// Whether the credentials' `uri` means the request's target. Phones differ in port and parameters.
fn same_target(uri: &str, request_uri: &str) -> bool {
    uri == request_uri
        || matches!((Uri::parse(uri), Uri::parse(request_uri)), (Some(a), Some(b)) if a.same_place(&b))
}

/// `name=value` pairs separated by commas; names in lower case, values unquoted.
struct Params(Vec<(String, String)>);

impl Params {
    /// `None` when malformed or when a name comes twice.
    fn parse(text: &str) -> Option<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            let (value, after) = read_value(after.trim_start())?;
            if pairs.iter().any(|(n, _)| *n == name) {
                return None;
            }
            pairs.push((name, value));
            rest = match after.trim_start().strip_prefix(',') {
                Some(more) => more.trim_start(),
                None if after.trim().is_empty() => "",
                None => return None,
            };
        }
        Some(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// A token or a quoted string at the start of `text`, and what follows it.
fn read_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
