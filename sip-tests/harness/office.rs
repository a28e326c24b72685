//! An office: a server whose agents work in browsers, and the callers from a trunk. Every party has a voice of
//! its own.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::audio::{beeps, tone};
use super::browser::{Look, Page};
use super::clerk::Clerk;
use super::desk::{ADA_HZ, CALLER, CALLER_HZ, LATER, NUMBER, hears};
use super::phone::{Phone, SOON};
use super::rtp::Stream;
use super::server::Server;
use super::until;

pub(crate) const BOB_HZ: f64 = 1_130.0;
pub(crate) const SUE_HZ: f64 = 1_510.0;

/// The caller is asked, an agent may record all the same.
pub(crate) const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"2s\" }\n\
    override-allowed = true";

/// The server and what it is set to.
pub(crate) struct Office {
    pub(crate) server: Server,
}

impl Office {
    /// Queue `support`, recorded like this, with agent Ada; queue `sales`, never recorded on its own account, with
    /// agent Bob; Sue is a supervisor. Their users have the same names.
    pub(crate) fn open(recording: &str) -> Self {
        Self::with(recording, "", "")
    }

    /// The same, with more tables of settings, and more keys for the configuration's `[sip]`, perhaps with further
    /// tables after them.
    pub(crate) fn with(recording: &str, more: &str, sip: &str) -> Self {
        let settings = format!("{}{more}\n", Self::settings(recording, ""));
        Self { server: Server::start_with(&settings, sip) }
    }

    /// What its server is set to; `ada`: more keys of hers.
    pub(crate) fn settings(recording: &str, ada: &str) -> String {
        let mut text = format!(
            "[trunk.carrier]\nnetworks = [\"127.0.0.2/32\"]\n\
             [number.\"{NUMBER}\"]\nqueue = \"support\"\n\
             [queue.support]\nlanguage = \"en\"\nwrap-up = \"0s\"\n{recording}\n\
             [queue.sales]\nlanguage = \"en\"\nwrap-up = \"0s\"\nrecording = \"never\"\n\
             [agent.ada]\ndisplay-name = \"Ada\"\nqueues = [\"support\"]\n{ada}\n\
             [agent.bob]\ndisplay-name = \"Bob\"\nqueues = [\"sales\"]\n\
             [agent.sue]\ndisplay-name = \"Sue\"\n"
        );
        for (user, name, role) in
            [("ada", "Ada", "agent"), ("bob", "Bob", "agent"), ("sue", "Sue", "supervisor")]
        {
            text.push_str(&format!(
                "[user.{user}]\ndisplay-name = \"{name}\"\nrole = \"{role}\"\nagent = \"{user}\"\npassword = \"{}\"\nmust-change = false\n",
                secret(user)
            ));
        }
        text
    }

    /// Where its page is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.server.http)
    }

    /// Somebody at a page, logged in and with a phone that rings; says beeps of this pitch.
    pub(crate) fn clerk(&self, user: &'static str, hz: f64) -> Clerk {
        self.clerk_like(user, Look { says: Some(&beeps(hz)), ..Look::default() })
    }

    /// The same, with a browser like this.
    pub(crate) fn clerk_like(&self, user: &'static str, look: Look<'_>) -> Clerk {
        let clerk = Clerk::new(user, Page::open(&self.url(), look));
        clerk.log_in(&secret(user));
        clerk.is_reachable();
        clerk
    }

    /// Ada, beeping, and ready.
    pub(crate) fn ada(&self) -> Clerk {
        let ada = self.clerk("ada", ADA_HZ);
        ada.is_ready();
        ada
    }

    /// A caller who is asked whether the call may be recorded and presses this key; speaks a tone.
    pub(crate) fn caller(&self, key: char) -> Caller {
        let mut caller = self.caller_unasked();
        self.server.phase("asking");
        caller.line.press(key.to_digit(10).and_then(|key| u8::try_from(key).ok()).expect("a digit"));
        caller.key = Some(key);
        caller
    }

    /// A caller who has been answered; speaks a tone.
    pub(crate) fn caller_unasked(&self) -> Caller {
        let mut phone = Phone::new(self.server.udp, [127, 0, 0, 2], CALLER);
        phone.call_answered(NUMBER);
        let line = phone.talk(tone(CALLER_HZ));
        Caller { phone, line, key: None }
    }

    /// A caller who pressed this key, and Ada, in conversation: both hear one another.
    pub(crate) fn conversation(&self, key: char, ada: &Clerk) -> Caller {
        let caller = self.caller(key);
        ada.answer();
        caller.hears(ADA_HZ, "the caller hears Ada");
        ada.hears(&[CALLER_HZ], "Ada hears the caller");
        caller
    }

    /// The audit rows of this action, the oldest first, once there are so many.
    pub(crate) fn audited(&self, action: &str, count: usize) -> Vec<Value> {
        let rows = || {
            let mut rows = self.server.rows(&["audit", "list", "--action", action]);
            rows.reverse();
            (rows.len() >= count).then_some(rows)
        };
        let rows = until(SOON, &format!("{count} audit rows {action}"), rows);
        assert_eq!(rows.len(), count, "audit rows {action}: {rows:?}");
        rows
    }

    /// The recordings that are sealed, the oldest first, once there are so many: their rows.
    pub(crate) fn recordings(&self, count: usize) -> Vec<Value> {
        let sealed = || {
            let mut rows = self.server.rows(&["recordings", "list"]);
            rows.retain(|row| row["state"] == "stored");
            rows.sort_by_key(|row| row["started_at"].as_str().map(str::to_owned));
            (rows.len() >= count).then_some(rows)
        };
        let rows = until(SOON * 2, &format!("{count} sealed recordings"), sealed);
        assert_eq!(rows.len(), count, "sealed recordings: {rows:?}");
        rows
    }

    /// The two channels of a recording.
    pub(crate) fn channels(&self, recording: &Value) -> [Vec<i16>; 2] {
        let path = self.server.export(recording["id"].as_str().expect("an id"));
        super::audio::channels(&path).try_into().expect("a stereo file")
    }

    /// Asserts that no call holds anything, that the audit chain is whole and nothing was lost inside.
    pub(crate) fn is_empty(&self) {
        super::desk::is_empty(&self.server);
        assert_eq!(self.server.metrics().sum("sayso_store_failures_total").unwrap_or(0.0), 0.0);
    }

    /// The kinds of the only call's events, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let call = super::desk::only_call(&self.server);
        let kinds = call["events"].as_array().into_iter().flatten();
        kinds.filter_map(|event| event["kind"].as_str().map(str::to_owned)).collect()
    }
}

/// Somebody who called.
pub(crate) struct Caller {
    pub(crate) phone: Phone,
    pub(crate) line: Stream,
    /// The key that answered the question.
    pub(crate) key: Option<char>,
}

impl Caller {
    /// Waits until half a second of this voice was heard from now on.
    pub(crate) fn hears(&self, hz: f64, what: &str) {
        hears(&self.line, hz, 0.5, what);
    }

    /// All that is heard in so much time from now on.
    pub(crate) fn listens(&self, span: Duration) -> Vec<i16> {
        let wanted = usize::try_from(span.as_millis() * 8).expect("a short time");
        let from = self.line.log(|log| log.heard.len());
        let heard = || self.line.log(|log| log.heard.get(from..from + wanted).map(<[i16]>::to_vec));
        until(span + LATER, "the caller to be sent audio", heard)
    }

    /// Hangs up.
    pub(crate) fn hangs_up(&mut self) {
        self.phone.bye();
    }

    /// The other side hung up.
    pub(crate) fn is_hung_up(&mut self) {
        self.phone.take("BYE", SOON);
    }

    /// Goes on in another voice.
    pub(crate) fn speaks(self, hz: f64) -> Self {
        let Self { phone, line, key } = self;
        drop(line);
        let line = phone.talk(tone(hz));
        Self { phone, line, key }
    }
}

/// The password of a user.
pub(crate) fn secret(user: &str) -> String {
    format!("the secret of {user}")
}

/// The folder of the pictures that the tests take.
pub(crate) fn picture(name: &str) -> std::path::PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    std::fs::create_dir_all(&dir).expect("the folder is writable");
    dir.join(format!("{name}.png"))
}
