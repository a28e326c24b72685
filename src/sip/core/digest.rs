//! The server side of digest authentication: RFC 7616 (SHA-256), RFC 2617 (MD5), RFC 8760 (both in SIP).
//!
//! A nonce carries its own time and a MAC, so none is stored until someone has logged in with it;
//! from then on its nonce count must grow, which makes a captured request worthless.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::{constant_time, digest, hmac};
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::uri::Uri;
use crate::settings::SipCredentials;
use crate::time::Timestamp;

/// A nonce's life. Longer saves phones a round trip on each refresh; shorter leaves an eavesdropper less.
const LIFETIME: Duration = Duration::from_secs(60);
/// Nonces in use at most, about 0.5 MB; past it the oldest becomes stale early.
const MAX_NONCES: usize = 10_000;
/// Credentials longer than this (bytes) are not read.
const MAX_CREDENTIALS: usize = 4_096;
/// At most so many credentials of a request are tried: each costs two hashes.
const MAX_TRIES: usize = 4;

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
    /// The password is right, the nonce is old, unknown or used before: challenge with `stale`.
    Stale,
    /// Wrong user, password or form.
    Wrong,
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
    /// first, then MD5 for phones that know no better (RFC 8760 §2.4).
    pub fn challenges(&mut self, stale: bool, now: Timestamp) -> Vec<String> {
        self.issued += 1;
        let nonce = self.write_nonce(NonceId { issued: now.as_micros(), n: self.issued });
        let realm = self.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            let algorithm = algorithm.name();
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
        };
        self.algorithms.iter().map(challenge).collect()
    }

    /// Judges a request by its `Authorization` or `Proxy-Authorization` values. `credentials` looks a
    /// user name up. Call it once for a request: a retransmission must be absorbed by its transaction
    /// before it comes here, or its nonce count is found used.
    pub fn verify<'a>(
        &mut self,
        method: &str,
        authorization: impl Iterator<Item = &'a [u8]>,
        request_uri: &str,
        credentials: &dyn Fn(&str) -> Option<SipCredentials>,
        now: Timestamp,
    ) -> Verdict {
        let mut verdict = Verdict::Missing;
        for value in authorization.filter_map(digest_params).take(MAX_TRIES) {
            match self.verify_one(method, value, request_uri, credentials, now) {
                accepted @ Verdict::Accepted { .. } => return accepted,
                Verdict::Stale => verdict = Verdict::Stale,
                Verdict::Wrong if verdict == Verdict::Missing => verdict = Verdict::Wrong,
                Verdict::Wrong | Verdict::Missing => {}
            }
        }
        verdict
    }

    fn verify_one(
        &mut self,
        method: &str,
        params: &str,
        request_uri: &str,
        credentials: &dyn Fn(&str) -> Option<SipCredentials>,
        now: Timestamp,
    ) -> Verdict {
        let Some(answer) = Answer::parse(params) else { return Verdict::Wrong };
        if answer.realm != self.realm {
            return Verdict::Missing; // for another server on the way
        }
        if !same_target(&answer.uri, request_uri) || !self.algorithms.contains(&answer.algorithm) {
            return Verdict::Wrong;
        }
        let known = credentials(&answer.username);
        // An unknown user costs the same hashes as a known one, so that time does not tell them apart.
        let (md5, sha256) = known.as_ref().map_or(("", ""), |c| (&c.ha1_md5.0, &c.ha1_sha256.0));
        let ha1 = match answer.algorithm {
            Algorithm::Md5 => md5,
            Algorithm::Sha256 => sha256,
        };
        let expected = answer.expected(ha1, method);
        let right =
            constant_time::verify_slices_are_equal(expected.as_bytes(), answer.response.as_bytes()).is_ok();
        if !right || known.is_none_or(|c| c.user != answer.username) {
            return Verdict::Wrong;
        }
        // Only who knows the password learns that a nonce is stale (RFC 7616 §3.3), and only who
        // knows it gets an entry in the table.
        if self.use_nonce(&answer.nonce, answer.count(), now) {
            Verdict::Accepted { user: answer.username }
        } else {
            Verdict::Stale
        }
    }

    /// Whether the nonce is ours and young, and `count` is new for it; keeps the count.
    fn use_nonce(&mut self, nonce: &str, count: u32, now: Timestamp) -> bool {
        let oldest = NonceId { issued: (now - LIFETIME).as_micros(), n: 0 };
        while let Some(entry) = self.used.first_entry().filter(|entry| *entry.key() < oldest) {
            entry.remove();
        }
        let Some(id) = self.read_nonce(nonce) else { return false };
        if id < oldest || id.issued > now.as_micros() || self.floor.is_some_and(|floor| id <= floor) {
            return false;
        }
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

    fn write_nonce(&self, id: NonceId) -> String {
        hex::encode([&id.bytes()[..], &self.mac(id)[..]].concat())
    }

    fn read_nonce(&self, nonce: &str) -> Option<NonceId> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(nonce, &mut bytes).ok()?;
        let (issued, rest) = bytes.split_first_chunk::<8>()?;
        let (n, mac) = rest.split_first_chunk::<8>()?;
        let id = NonceId { issued: i64::from_be_bytes(*issued), n: u64::from_be_bytes(*n) };
        constant_time::verify_slices_are_equal(mac, &self.mac(id)).ok().map(|()| id)
    }

    /// Half an HMAC-SHA-256: 128 bits are enough against forging, and keep headers short.
    fn mac(&self, id: NonceId) -> [u8; 16] {
        let tag = hmac::sign(&self.key, &[&id.bytes()[..], self.realm.as_bytes()].concat());
        *tag.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }
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
