//! What can be written: facts about calls, the life of recordings, agents, settings, sessions, notes,
//! who listened, audit events.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::access::Attempts;
use crate::audit::{Actor, AuditEvent, Person};
use crate::call::Fact;
use crate::ids::{AgentId, CallId, LegId, RecordingId, Redacted};
use crate::queue::AgentState;
use crate::settings::{Difference, SessionRules};
use crate::time::Timestamp;

use super::anchor::AnchorChange;
use super::anonymise::AnonymiseChange;
use super::hold::HoldChange;
use super::job::JobChange;
use super::kek::KekChange;
use super::login::LoginChange;
use super::node::NodeRow;
use super::particulars::ParticularsChange;
use super::privacy::PrivacyChange;
use super::prompts::PromptChange;
use super::reconciliation::ReconciliationChange;
use super::recorded::RecordingChange;
use super::spool::Adoption;
use super::webhook::WebhookChange;

/// One change; each leaves its rows and its audit events in the same transaction.
#[derive(Debug)]
pub enum Change {
    /// A fact about a call: its rows and exactly one audit event.
    Fact(Fact),
    /// A step in the life of a recording: its row, the job that is to follow, and one audit event.
    Recording(RecordingChange),
    /// What becomes of a job; only an operator's hurry is audited.
    Job(JobChange),
    /// A lost spool's work becomes another's: its rows, jobs that save what can be saved, and one audit event.
    Adopt(Adoption),
    /// What becomes of a key-encryption key: its row and one audit event.
    Kek(KekChange),
    /// What a reconciliation found; its end is audited, and what an operator does about a finding.
    Report(ReconciliationChange),
    /// An agent's state. Coming, going, ready and not ready are audited; ringing, talking and
    /// wrap-up are not (the call's own facts tell of them).
    Agent {
        /// Who.
        agent: AgentId,
        /// To what.
        state: AgentState,
        /// When.
        at: Timestamp,
    },
    /// A leg's media as it ended; not audited.
    LegStats {
        /// Which leg.
        leg: LegId,
        /// How it was.
        quality: LegQuality,
    },
    /// Settings, from [`settings::diff`](crate::settings::diff): one audit event for each attribute.
    /// Refused as a whole with [`StoreError::Conflict`](super::StoreError::Conflict) if an object is no
    /// longer what the difference was made from.
    Settings(Vec<Difference>, Actor),
    /// The same, refused with [`StoreError::Conflict`](super::StoreError::Conflict), too, when any settings have changed
    /// since: what a difference refers to, or what refers to it, may be another by then.
    SettingsSince {
        /// The generation that the differences were made from.
        generation: u64,
        /// What changes.
        differences: Vec<Difference>,
        /// Who changes it.
        who: Actor,
    },
    /// A prompt is imported, restored, removed, or what it says noted: one audit event, and a new generation of
    /// settings, so that running servers take it up.
    Prompt(PromptChange),
    /// A session begins, is used, ends; not audited, since why it does is known to who says so.
    Session(SessionChange),
    /// The failed log-ins of a name; none: they are forgotten. Not audited.
    Attempts {
        /// The name.
        user: String,
        /// How many, and when.
        attempts: Attempts,
    },
    /// A note on a call, and an audit event without its text.
    Note(NoteChange),
    /// Somebody listened to a conversation or a recording: the listening log's row (domain rule 24), and an
    /// audit event.
    Listened(Listened),
    /// Legal holds: recordings, calls and people held back from removal (domain rule 14).
    Hold(HoldChange),
    /// Calls that lose what is personal, and rows that are past their time (domain rules 12, 16).
    Anonymise(AnonymiseChange),
    /// What is done about a person: requests, approvals, restrictions, the directory, consents reset (domain rules 17-21).
    Privacy(PrivacyChange),
    /// Second factors, earlier passwords, tokens for machines (domain rule 23).
    Login(LoginChange),
    /// Events on their way to webhooks, and what became of them.
    Webhook(WebhookChange),
    /// Where the audit log's head was anchored, and when.
    Anchor(AnchorChange),
    /// What a call has beside its own: attached data, its SIP messages.
    Particulars(ParticularsChange),
    /// A person's key is destroyed: what the audit log says of them, in whatever row, is erased, and the chain stays
    /// whole. Leaves one audit event, if there was a key; why and for whom is for who erases to say. The key is out of
    /// the database's own logs once [`Store::shred`](super::Store::shred) returns.
    ErasePerson {
        /// Who is erased: [`Person::number`] for whoever has a number.
        person: Person,
        /// By whose order.
        by: Actor,
    },
    /// What the audit log says of people in these calls is erased: numbers and texts in rows of the calls, their legs
    /// and recordings; what it says of the same people elsewhere stays. Leaves no audit event: who anonymises a call
    /// says so. Done again it does nothing.
    ErasePersonalOf {
        /// Which calls.
        calls: Vec<CallId>,
    },
    /// A server is there; not audited.
    Node(NodeRow),
    /// Only an audit event.
    Audit(AuditEvent),
}

impl From<Fact> for Change {
    fn from(fact: Fact) -> Self {
        Self::Fact(fact)
    }
}

/// A session, by SHA-256 of the token its browser has: who reads the database cannot log in with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(pub [u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// See [`Change::Session`].
#[derive(Clone, Debug)]
pub enum SessionChange {
    /// It begins; what is over by then is removed.
    Opened {
        /// Which one.
        key: SessionKey,
        /// Whose.
        user: String,
        /// The hash of the password: the session holds while this is the user's.
        password_hash: Redacted<String>,
        /// The OpenID Connect provider that said who it is; `None`: it was a password.
        provider: Option<String>,
        /// How long sessions live.
        rules: SessionRules,
        /// When.
        at: Timestamp,
    },
    /// It is used.
    Used {
        /// Which one.
        key: SessionKey,
        /// When.
        at: Timestamp,
    },
    /// It ends.
    Ended {
        /// Which one.
        key: SessionKey,
    },
    /// All of a user end.
    AllEnded {
        /// Whose.
        user: String,
    },
    /// The user has another password: this session goes on with it, all others of the user end.
    Renewed {
        /// Which one.
        key: SessionKey,
        /// Whose.
        user: String,
        /// The hash of the new password.
        password_hash: Redacted<String>,
    },
}

/// See [`Change::Note`].
#[derive(Clone, Debug)]
pub struct NoteChange {
    /// On which call.
    pub call: CallId,
    /// The user who wrote it.
    pub by: String,
    /// For the audit log.
    pub who: Actor,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: Redacted<String>,
}

/// See [`Change::Listened`].
#[derive(Clone, Debug)]
pub struct Listened {
    /// When it began.
    pub at: Timestamp,
    /// The user.
    pub who: String,
    /// To what.
    pub to: ListenedTo,
    /// Why, in the user's words.
    pub reason: Option<Redacted<String>>,
}

/// See [`Listened::to`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenedTo {
    /// A recording.
    Recording(RecordingId),
    /// A conversation as it went on.
    Live {
        /// Of which call.
        call: CallId,
        /// `listen`, `whisper` or `barge`.
        mode: &'static str,
    },
}

/// How a leg's media was, at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegQuality {
    /// RTP packets from the peer.
    pub packets_in: u64,
    /// RTP packets to the peer.
    pub packets_out: u64,
    /// Packets of the peer that never came (RFC 3550 A.3).
    pub lost: u64,
    /// Packets that came from elsewhere and were ignored.
    pub strangers: u64,
    /// Keys the peer pressed.
    pub digits: u64,
    /// Interarrival jitter (RFC 3550 A.8), in microseconds.
    pub jitter_us: u64,
    /// Our packets that the peer lost, by its last report (may be negative, RFC 3550 6.4.1).
    pub peer_lost: Option<i64>,
    /// Jitter the peer sees, in microseconds.
    pub peer_jitter_us: Option<u64>,
    /// Round trip (RFC 3550 6.4.1), in microseconds.
    pub round_trip_us: Option<u64>,
    /// What was spoken last: `pcma`, `opus`, …
    #[serde(default)]
    pub codec: Option<String>,
    /// The SRTP suite by its name in SDP; `None`: plain RTP.
    #[serde(default)]
    pub srtp: Option<String>,
    /// What we heard of the peer, as a mean opinion score by the E-model (ITU-T G.107), times 100: 100 to 450.
    #[serde(default)]
    pub mos_x100: Option<u16>,
    /// What the peer heard of us, by its last report.
    #[serde(default)]
    pub peer_mos_x100: Option<u16>,
    /// Milliseconds made up for packets that did not come in time, where the audio was decoded.
    #[serde(default)]
    pub concealed_ms: u64,
    /// Packets that SRTP refused: forged, damaged or replayed.
    #[serde(default)]
    pub auth_failures: u64,
}
