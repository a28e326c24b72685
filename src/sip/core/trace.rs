//! What was said in each dialog, for the ladder of a call: method or status, sequence number, time and direction of each
//! message, and of its body the kind and length. Nothing else of it is kept, so no number, name, digit or key can be.
//!
//! A message finds its trace by its Call-ID. It costs two look-ups and 64 octets; a trace is bounded, and told
//! [`LINGER`] after its dialog ended.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::io::DialogId;
use super::respond::phrase;
use super::wire::{self, HeaderName, Headers, Message, Method, Request, Response};
use crate::time::Timestamp;

/// Of each dialog so many messages are kept from its beginning …
pub const FIRST: usize = 70;
/// … and so many up to its end: why it ended is what is looked for most.
pub const LAST: usize = 30;

/// How long after a dialog's end its last messages are waited for: as long as one may linger in the network (RFC 3261
/// §17.1.2.2, T4).
const LINGER: Duration = Duration::from_secs(5);
/// Call-IDs of one dialog: an INVITE of ours has one for each phone and each try.
const MAX_NAMES: usize = 32;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it came or went.
    pub at: Timestamp,
    /// Whether we sent it.
    pub sent: bool,
    /// The status of a response; `None`: a request.
    pub status: Option<u16>,
    /// The request's method, or that of the request it answers.
    pub method: &'static str,
    /// The sequence number.
    pub cseq: u32,
    /// Its body.
    pub body: Option<Body>,
}

// A thousand calls have twenty thousand of these.
const _: () = assert!(size_of::<Step>() <= 64);

impl Step {
    /// `INVITE`, or `200 OK`: our own phrase, as theirs could hold anything.
    #[must_use]
    pub fn what(&self) -> String {
        self.status.map_or_else(|| self.method.to_owned(), |status| format!("{status} {}", phrase(status)))
    }

    /// As CSeq says it: `1 INVITE`.
    #[must_use]
    pub fn cseq(&self) -> String {
        format!("{} {}", self.cseq, self.method)
    }
}

/// What is told of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its media type, if it is one we know.
    pub kind: &'static str,
    /// Octets; `None` where the length could tell what is in it.
    pub length: Option<u32>,
}

/// The messages of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Which dialog.
    pub dialog: DialogId,
    /// In the order they crossed the endpoint.
    pub steps: Vec<Step>,
    /// There were more, in the middle.
    pub cut: bool,
}

#[derive(Default)]
struct Trace {
    names: Vec<Bytes>,
    first: Vec<Step>,
    last: VecDeque<Step>,
    cut: bool,
}

impl Trace {
    fn add(&mut self, step: Step) {
        if self.first.len() < FIRST {
            return self.first.push(step);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.cut = true;
        }
        self.last.push_back(step);
    }

    fn told(&self, dialog: DialogId) -> Traced {
        let steps = self.first.iter().chain(&self.last).copied().collect();
        Traced { dialog, steps, cut: self.cut }
    }
}

/// The traces of all dialogs.
pub(super) struct Traces {
    /// Whether any are kept.
    on: bool,
    /// The time of the input that is being worked on.
    pub(super) now: Timestamp,
    all: HashMap<DialogId, Trace>,
    /// Dialogs by their Call-IDs.
    names: HashMap<Bytes, DialogId>,
    /// Dialogs that may have ended, the earliest first.
    ending: VecDeque<(Timestamp, DialogId)>,
    told: VecDeque<Traced>,
}

impl Traces {
    pub(super) fn new(on: bool) -> Self {
        let (all, names) = (HashMap::new(), HashMap::new());
        let (ending, told) = (VecDeque::new(), VecDeque::new());
        Self { on, now: Timestamp::from_micros(0), all, names, ending, told }
    }

    /// Messages with this request's Call-ID belong to this dialog from now on.
    pub(super) fn begin(&mut self, dialog: DialogId, request: &Request) {
        if !self.on {
            return;
        }
        let Some(name) = request.headers.value(&HeaderName::CallId) else { return };
        let trace = self.all.entry(dialog).or_default();
        if trace.names.len() < MAX_NAMES && !self.names.contains_key(&name[..]) {
            let name = Bytes::copy_from_slice(&name);
            trace.names.push(name.clone());
            self.names.insert(name, dialog);
        }
    }

    /// A message came or went.
    pub(super) fn message(&mut self, message: &Message, sent: bool) {
        match message {
            Message::Request(request) => self.request(request, sent),
            Message::Response(response) => self.response(response, sent),
        }
    }

    pub(super) fn request(&mut self, request: &Request, sent: bool) {
        self.add(&request.headers, request.body(), None, sent);
    }

    pub(super) fn response(&mut self, response: &Response, sent: bool) {
        self.add(&response.headers, response.body(), Some(response.status.code()), sent);
    }

    fn add(&mut self, headers: &Headers, body: &[u8], status: Option<u16>, sent: bool) {
        if self.names.is_empty() {
            return;
        }
        let Some(name) = headers.value(&HeaderName::CallId) else { return };
        let Some(trace) = self.names.get(&name[..]).and_then(|dialog| self.all.get_mut(dialog)) else {
            return;
        };
        let Some((cseq, method)) = wire::cseq_of(headers) else { return };
        let body = (!body.is_empty()).then(|| body_of(headers, body.len()));
        trace.add(Step { at: self.now, sent, status, method: word(&method), cseq, body });
    }

    /// What we said last to this, as a response, goes out once more.
    pub(super) fn again(&mut self, dialog: DialogId, cseq: Option<u32>) {
        let now = self.now;
        let Some(trace) = self.all.get_mut(&dialog) else { return };
        let fits =
            |step: &&Step| step.sent && step.status.is_some() && cseq.is_none_or(|cseq| step.cseq == cseq);
        let said = trace.last.iter().rev().chain(trace.first.iter().rev()).find(fits).copied();
        if let Some(step) = said {
            trace.add(Step { at: now, ..step });
        }
    }

    /// A dialog has ended, or changes its state.
    pub(super) fn ends(&mut self, dialog: DialogId) {
        if self.all.contains_key(&dialog) {
            self.ending.push_back((self.now + LINGER, dialog));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.ending.front().map(|(at, _)| *at)
    }

    /// Tells of the dialogs that have been gone for long enough; `lives`: which have not gone at all.
    pub(super) fn run(&mut self, now: Timestamp, lives: impl Fn(DialogId) -> bool) {
        while let Some((_, dialog)) = self.ending.pop_front_if(|(at, _)| *at <= now) {
            if lives(dialog) {
                continue;
            }
            let Some(trace) = self.all.remove(&dialog) else { continue };
            for name in &trace.names {
                self.names.remove(name);
            }
            self.told.push_back(trace.told(dialog));
        }
    }

    pub(super) fn poll(&mut self) -> Option<Traced> {
        self.told.pop_front()
    }

    /// What there is of a dialog so far.
    pub(super) fn so_far(&self, dialog: DialogId) -> Option<Traced> {
        self.all.get(&dialog).map(|trace| trace.told(dialog))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// The methods we know. Others are not written down: their names are the sender's.
fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 14] = [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "INFO",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "UPDATE",
        "REFER",
        "NOTIFY",
        "SUBSCRIBE",
        "MESSAGE",
        "PUBLISH",
    ];
    KNOWN.into_iter().find(|known| method.as_bytes() == known.as_bytes()).unwrap_or("OTHER")
}

fn body_of(headers: &Headers, length: usize) -> Body {
    /// Media types, and whether their lengths say nothing of what is in them.
    const KNOWN: [(&str, bool); 5] = [
        ("application/sdp", true),
        ("application/dtmf-relay", false),
        ("application/dtmf", false),
        ("message/sipfrag", true),
        ("multipart/mixed", true),
    ];
    let told = headers.value(&HeaderName::ContentType).unwrap_or_default();
    let kind = told.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let known = KNOWN.into_iter().find(|(known, _)| kind.eq_ignore_ascii_case(known.as_bytes()));
    let (kind, plain) = known.unwrap_or(("application/other", false));
    Body { kind, length: plain.then(|| u32::try_from(length).unwrap_or(u32::MAX)) }
}
