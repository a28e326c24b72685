//! Digest as a client (RFC 3261 §22, RFC 7616, RFC 8760): answers the challenges of servers and of
//! proxies on the way, several realms at once, and counts how often a nonce was used.

use super::io::Login;
use super::transactions::{ClientId, Purpose};
use super::wire::{self, Challenge, HeaderName, Headers, Method, Request, Response};
use super::{dialog, endpoint::Endpoint, machines::Outcome};
use crate::time::Timestamp;

/// Realms remembered at most: a server and the proxies before it.
const MAX_REALMS: usize = 4;
/// A request is sent again at most so often: two realms one after the other, each stale once.
const MAX_TRIES: u8 = 4;

/// A password, and the challenges it answers.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    login: Login,
    known: Vec<Known>,
    /// How often in a row a request was sent again.
    tries: u8,
    /// What the last INVITE bore: its ACK bears the same (RFC 3261 §22.1).
    of_invite: Vec<(HeaderName, String)>,
}

#[derive(Clone, Debug)]
struct Known {
    challenge: Challenge,
    /// How often its nonce was used (RFC 7616 §3.4, `nc`).
    count: u32,
}

impl Keyring {
    pub(super) fn new(login: Login) -> Self {
        Self { login, known: Vec::new(), tries: 0, of_invite: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407 to `request`; whether it is worth sending again. Not so
    /// when the password was refused: a challenge for a realm that had credentials, of a nonce that
    /// was new and is not called stale.
    pub(super) fn learn(&mut self, request: &Request, response: &Response) -> bool {
        let mut offered: Vec<Challenge> = Vec::new();
        for challenge in wire::challenges(response) {
            match offered.iter().position(|other| other.realm == challenge.realm) {
                // The strongest of a realm: no one on the way may talk us down (RFC 8760 §3).
                Some(at) if challenge.algorithm.strength() > offered[at].algorithm.strength() => {
                    offered[at] = challenge;
                }
                Some(_) => {}
                None if offered.len() < MAX_REALMS => offered.push(challenge),
                None => {}
            }
        }
        if self.tries >= MAX_TRIES {
            return false;
        }
        let mut worth = false;
        for challenge in offered {
            let borne = request.headers.get(&challenge.response_header()).is_some();
            let same = |known: &Known| {
                known.challenge.realm == challenge.realm && known.challenge.from_proxy == challenge.from_proxy
            };
            let before = self.known.iter().position(same);
            if let Some(known) = before.map(|at| &self.known[at]).filter(|_| borne) {
                let another = known.challenge.nonce != challenge.nonce;
                if !another || !(challenge.stale || known.count > 1) {
                    continue;
                }
            }
            worth = true;
            let known = Known { challenge, count: 0 };
            match before {
                Some(at) => self.known[at] = known,
                None => self.known.push(known),
            }
        }
        // What was learnt from other answers long ago gives way.
        let excess = self.known.len().saturating_sub(MAX_REALMS);
        self.known.drain(..excess);
        self.tries += u8::from(worth);
        worth
    }

    /// A request got through: the next may be challenged anew.
    pub(super) fn accepted(&mut self) {
        self.tries = 0;
    }

    /// Puts the credentials for all realms we know into a request, instead of those it has.
    pub(super) fn sign(&mut self, request: &mut Request, cnonce: &str) {
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let method = request.method.clone();
        request.headers.remove_all(&HeaderName::Authorization);
        request.headers.remove_all(&HeaderName::ProxyAuthorization);
        let mut rows = Vec::new();
        for known in &mut self.known {
            known.count = known.count.saturating_add(1);
            let value = wire::credentials(&known.challenge, &self.login, &method, &uri, known.count, cnonce);
            rows.push((known.challenge.response_header(), value));
        }
        add(&mut request.headers, &rows);
        if method == Method::Invite {
            self.of_invite = rows;
        }
    }

    /// The same credentials as the INVITE had, for the ACK of its 2xx.
    pub(super) fn sign_ack(&self, ack: &mut Request) {
        add(&mut ack.headers, &self.of_invite);
    }
}

fn add(headers: &mut Headers, rows: &[(HeaderName, String)]) {
    for (name, value) in rows {
        wire::push(headers, name.clone(), value.clone());
    }
}

/// Whether this is a challenge.
pub(super) fn is_challenge(response: &Response) -> bool {
    matches!(response.status.code(), 401 | 407)
}

impl Endpoint {
    /// Sends a request inside a dialog again when it was challenged and the dialog has a password.
    /// `true`: it was, and the answer that came is of no more interest.
    pub(super) fn answers_challenge(
        &mut self,
        id: ClientId,
        purpose: &Purpose,
        outcome: &Outcome,
        now: Timestamp,
    ) -> bool {
        let Outcome::Response(response) = outcome else { return false };
        let Some((of, purpose)) = purpose.in_dialog().filter(|_| response.status.is_final()) else {
            return false;
        };
        let Some(client) = self.tx.client(id) else { return false };
        let (request, flow) = (client.machine.request().clone(), client.flow);
        let (branch, cnonce) = (self.mint.branch(), self.mint.token());
        let via = dialog::via(&self.config, &flow, &branch);
        let Some(dialog) = self.dialog_of(&of) else { return false };
        let Some(keys) = &mut dialog.keys else { return false };
        if !is_challenge(response) {
            keys.accepted();
            return false;
        }
        if !keys.learn(&request, response) {
            return false;
        }
        dialog.local_cseq += 1;
        let mut again = request;
        wire::renew(&mut again, via, dialog.local_cseq);
        keys.sign(&mut again, &cnonce);
        self.settle(id);
        self.start(again, &branch, flow, purpose, now);
        true
    }
}
