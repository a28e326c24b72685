//! What goes into an [`Endpoint`](super::Endpoint) and what comes out of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::call::Cause;
use crate::ids::{AgentId, Redacted, TrunkId};
use crate::media::Digit;
use crate::time::Timestamp;

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream in TLS.
    Tls,
    /// WebSocket (RFC 7118): one message a frame.
    Ws,
    /// WebSocket in TLS.
    Wss,
}

impl Transport {
    /// Datagrams may be lost and come from anywhere; all others are connections.
    #[must_use]
    pub const fn is_datagram(self) -> bool {
        matches!(self, Self::Udp)
    }

    /// Whether messages are cut out of a stream of octets by Content-Length.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// Whether it is WebSocket: only the other side can connect, and each frame is a message.
    #[must_use]
    pub const fn is_web(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Whether nobody on the way can read it.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Its word in Via (RFC 3261 §20.42, RFC 7118 §5.2).
    #[must_use]
    pub const fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// Its value of a URI's `transport` parameter; that of WSS is `ws` (RFC 7118 §5.3).
    #[must_use]
    pub const fn param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }

    /// What names it in a URI; empty for UDP, which needs no naming.
    #[must_use]
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }

    /// The port when none is named (RFC 3261 §19.1.2, RFC 7118 §5.3).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// Where a message came from, and the way back: for UDP an address pair, else a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
    /// The connection's number, unique in the process; 0 for UDP.
    pub connection: u64,
}

impl Flow {
    /// Whether both lead the same way. Our own address does not count: of a connection we make it is
    /// known only once it is there.
    #[must_use]
    pub fn is_same_way(&self, other: &Self) -> bool {
        self.transport == other.transport
            && self.remote == other.remote
            && self.connection == other.connection
    }
}

/// A dialog (or a dialog to be), by a number unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId(pub u64);

/// Who sends an INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A known trunk.
    Trunk(TrunkId),
    /// A registered agent's phone, authenticated.
    Agent(AgentId),
}

/// A new call from outside. Its `Debug` shows no number.
#[derive(Clone)]
pub struct Incoming {
    /// Its dialog.
    pub dialog: DialogId,
    /// Who sent it.
    pub source: Source,
    /// The Request-URI's user part, unescaped.
    pub dialled: String,
    /// The caller's identity as the trunk gives it: the user part of P-Asserted-Identity (from
    /// a trunk only) or From; `None` when withheld (`anonymous`, Privacy: id).
    pub caller: Option<String>,
    /// The SDP offer; `None`: late offer.
    pub sdp: Option<Bytes>,
    /// Their address, for choosing our media address.
    pub flow: Flow,
    /// What else its headers tell.
    pub particulars: Particulars,
    /// The dialog of ours it is to take the place of (RFC 3891). The endpoint has checked that it is there
    /// and answered; whether this source may is the user's to judge. Answering does not end the old one.
    pub replaces: Option<DialogId>,
    /// Whether it understands `a=record` (RFC 7866 §6.1.1, option tag `record-aware`).
    pub record_aware: bool,
}

/// What a call's headers tell beside its offer. Values that are not read are kept as they stand, to be
/// handed on. Its `Debug` shows nothing: all of it is about people.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Whether the caller asked to stay unnamed (RFC 3323, RFC 3325 §9.3).
    pub private: bool,
    /// The user part of P-Asserted-Identity (RFC 3325), from or for a trunk only.
    pub asserted: Option<String>,
    /// Diversion values (RFC 5806), the latest first.
    pub diversion: Vec<String>,
    /// History-Info values (RFC 7044), in order.
    pub history: Vec<String>,
    /// User-to-User values (RFC 7433).
    pub user_to_user: Vec<String>,
    /// Referred-By (RFC 3892).
    pub referred_by: Option<String>,
    /// X-Sayso-Call, told to agents' phones only and never read: which call of ours it is.
    pub call: Option<String>,
    /// X-Sayso-Purpose, likewise: why the phone is called, such as `reattach`.
    pub purpose: Option<&'static str>,
}

impl fmt::Debug for Particulars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Particulars(…)")
    }
}

/// What a phone speaks beneath SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// RTP (RFC 3550), plain or with keys in SDP (RFC 4568).
    Rtp,
    /// ICE and DTLS-SRTP, as browsers do (RFC 8827).
    Webrtc,
}

/// Which kinds of phones an agent has registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Phones {
    /// One at least that speaks RTP.
    pub rtp: bool,
    /// One at least that speaks WebRTC.
    pub webrtc: bool,
}

/// A SIP user name and password for a while, such as a web page gets from its session. Its `Debug` shows no
/// password.
#[derive(Clone, Debug)]
pub struct Loan {
    /// Whose phone it logs on; the address-of-record stays that of the agent.
    pub agent: AgentId,
    /// The digest user name; another than any agent's or trunk's.
    pub user: String,
    /// The password.
    pub password: Redacted<String>,
    /// It is good until then, and what was registered with it ends then.
    pub until: Timestamp,
}

/// Where a REFER leads (RFC 3515).
#[derive(Clone, PartialEq, Eq)]
pub enum ReferTo {
    /// To whom this user part leads, unescaped: a blind transfer.
    User(String),
    /// To the other side of this dialog of ours, by Replaces: an attended transfer.
    Dialog(DialogId),
}

impl fmt::Debug for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(_) => f.write_str("User(…)"),
            Self::Dialog(dialog) => write!(f, "{dialog:?}"),
        }
    }
}

/// Numbers a question to the name service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query(pub u64);

/// A host to be found by RFC 3263.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// A name or a written-out address.
    pub host: String,
    /// A given port rules NAPTR and SRV out.
    pub port: Option<u16>,
    /// A given transport rules NAPTR out.
    pub transport: Option<Transport>,
    /// `sips:`: only TLS will do.
    pub secure: bool,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = self.caller.as_ref().map(|_| Redacted(()));
        let Self { dialog, source, flow, .. } = self;
        let mut text = f.debug_struct("Incoming");
        text.field("dialog", dialog).field("source", source).field("flow", flow).field("caller", &caller);
        text.finish_non_exhaustive()
    }
}

/// What the endpoint tells its user.
#[derive(Debug)]
pub enum Event {
    /// A new call. 100 Trying was sent. Answer with `Ring`, `Answer` or `Reject`.
    Incoming(Box<Incoming>),
    /// The ACK of our 200 arrived; with the answer if we offered. Of a re-INVITE's 200 it is told
    /// only when it bears SDP.
    Confirmed {
        /// Which dialog.
        dialog: DialogId,
        /// SDP in the ACK.
        sdp: Option<Bytes>,
    },
    /// A re-INVITE, or an UPDATE or PRACK with an offer. Answer with `AcceptReinvite` or `RejectReinvite`;
    /// without SDP we must offer.
    Reinvite {
        /// Which dialog.
        dialog: DialogId,
        /// The offer.
        sdp: Option<Bytes>,
    },
    /// A digit by SIP INFO (`application/dtmf-relay` or `application/dtmf`); 200 was sent.
    Digit {
        /// Which dialog.
        dialog: DialogId,
        /// The key.
        digit: Digit,
    },
    /// Our INVITE rings (180 or 183).
    Ringing {
        /// Which dialog.
        dialog: DialogId,
        /// Early media's SDP.
        sdp: Option<Bytes>,
        /// The host it came from.
        peer: IpAddr,
    },
    /// Our INVITE was answered; ACK was sent. Without SDP when a reliable provisional response (RFC 3262)
    /// had brought the answer before, in [`Event::Ringing`].
    Answered {
        /// Which dialog.
        dialog: DialogId,
        /// The answer.
        sdp: Option<Bytes>,
        /// Whether it understands `a=record` (RFC 7866).
        record_aware: bool,
        /// The host it came from.
        peer: IpAddr,
    },
    /// The session wants refreshing by an offer (RFC 4028): send `Reinvite` with the description as it is.
    Refresh {
        /// Which dialog.
        dialog: DialogId,
    },
    /// They ask us to send the other side of this call elsewhere (RFC 3515). Answer with `AnswerRefer`,
    /// and when it was taken tell how it goes with `Notify`.
    Refer {
        /// Which dialog.
        dialog: DialogId,
        /// Where to.
        to: ReferTo,
        /// Referred-By, to be handed on.
        referred_by: Option<String>,
    },
    /// How our REFER fares. With a final `status` it is over.
    ReferProgress {
        /// Which dialog.
        dialog: DialogId,
        /// What the refused REFER or the NOTIFY says.
        status: u16,
    },
    /// We are registered at a trunk's server (`Ok`), or not any more and why.
    TrunkRegistered {
        /// Which trunk.
        trunk: TrunkId,
        /// The SIP status of the refusal, if there was one.
        result: Result<(), Option<u16>>,
    },
    /// Our offer was answered (`Some`) or refused (`None`): that of a re-INVITE, of an UPDATE before the answer,
    /// or of a `Ring` whose INVITE had none (told again by `Confirmed`).
    Reinvited {
        /// Which dialog.
        dialog: DialogId,
        /// The answer.
        sdp: Option<Bytes>,
    },
    /// The dialog is over, before or after an answer, from their side or by a failure; nothing
    /// more comes of it. Also ends a dialog we hung up, with the cause we gave.
    Ended {
        /// Which dialog.
        dialog: DialogId,
        /// Why.
        cause: Cause,
        /// The SIP status that ended it, if one did.
        status: Option<u16>,
    },
    /// An agent's phone registered (`true`) or its last binding went; told again when the kinds of its phones
    /// change, and when one registers over a new WebSocket connection.
    Registered {
        /// Whose.
        agent: AgentId,
        /// Reachable or not.
        on: bool,
        /// By what.
        phones: Phones,
    },
    /// The connection that a dialog's phone is on has closed, as when its web page is loaded anew. Told once
    /// for each connection; the dialog itself stays until it is ended, and goes on over a connection that the
    /// phone comes back on.
    Unreachable {
        /// Which dialog.
        dialog: DialogId,
    },
    /// An unknown source was refused; it will be ignored until then. For the audit log.
    Stranger {
        /// Its address.
        remote: SocketAddr,
        /// Until when.
        ignored_until: Timestamp,
    },
    /// A request inside a dialog, or a CANCEL, that fits but does not come from where the other side is:
    /// it was refused and changed nothing. For metrics and the audit log.
    Spoofed {
        /// Its address.
        remote: SocketAddr,
    },
    /// A failed log-in (wrong user or password). For the audit log.
    LoginFailed {
        /// Its address.
        remote: SocketAddr,
    },
    /// A call was refused by a trunk's limit. For metrics and the audit log.
    Limited {
        /// Which trunk.
        trunk: TrunkId,
    },
}

/// What the user asks of the endpoint. Its `Debug` shows no number.
pub enum Command {
    /// 180 Ringing, or 183 with SDP: reliably (RFC 3262) if the other side can, and then that is the answer, or
    /// our offer when theirs is late.
    Ring {
        /// Which dialog.
        dialog: DialogId,
        /// Early media.
        sdp: Option<Bytes>,
    },
    /// 200 OK with our answer (or our offer, when theirs was late). What a reliable `Ring` has said before is
    /// not said again; until its PRACK came the 200 waits.
    Answer {
        /// Which dialog.
        dialog: DialogId,
        /// The SDP.
        sdp: Bytes,
    },
    /// A final refusal.
    Reject {
        /// Which dialog.
        dialog: DialogId,
        /// 4xx-6xx.
        status: u16,
    },
    /// Call an agent's registered phone(s). The first answer wins.
    Invite {
        /// The dialog's number, drawn with [`Endpoint::new_dialog`](super::Endpoint::new_dialog).
        dialog: DialogId,
        /// Whom.
        to: Callee,
        /// The user part of From: the caller's number, or `anonymous`.
        from: String,
        /// Our offer.
        sdp: Bytes,
        /// What else the headers are to tell.
        particulars: Box<Particulars>,
    },
    /// 200 to a re-INVITE, UPDATE or PRACK.
    AcceptReinvite {
        /// Which dialog.
        dialog: DialogId,
        /// The answer, or our offer.
        sdp: Bytes,
    },
    /// 488 or another refusal of a re-INVITE; the call goes on as it was.
    RejectReinvite {
        /// Which dialog.
        dialog: DialogId,
        /// 4xx-6xx.
        status: u16,
    },
    /// Our own re-INVITE (hold, resume, new address). It waits for its turn; a newer one takes the
    /// place of one that waits. Before the answer it is an UPDATE, if they take that.
    Reinvite {
        /// Which dialog.
        dialog: DialogId,
        /// The offer.
        sdp: Bytes,
    },
    /// End it as its state asks: CANCEL, BYE, or a final response that fits the cause.
    Hangup {
        /// Which dialog.
        dialog: DialogId,
        /// Why.
        cause: Cause,
    },
    /// Send a digit by INFO (`application/dtmf-relay`).
    Info {
        /// Which dialog.
        dialog: DialogId,
        /// The key.
        digit: Digit,
    },
    /// 202 to a REFER, or a refusal.
    AnswerRefer {
        /// Which dialog.
        dialog: DialogId,
        /// 202, or 4xx-6xx.
        status: u16,
    },
    /// Tell who asked for a transfer how it goes (NOTIFY with `message/sipfrag`); not sent when the REFER
    /// asked for silence (RFC 4488). A final status is the last.
    Notify {
        /// Which dialog.
        dialog: DialogId,
        /// 100-699.
        status: u16,
    },
    /// Ask the other side to call somebody else instead (RFC 3515). [`Event::ReferProgress`] follows.
    Refer {
        /// Which dialog.
        dialog: DialogId,
        /// The user part of Refer-To; its host is that of their own address.
        to: String,
        /// Attended: the dialog of ours that the new call takes the place of.
        replaces: Option<DialogId>,
    },
    /// Log a phone on at a registrar, once (the scriptable phone's half). [`Event::Answered`]
    /// without SDP tells that it is logged on (or off), [`Event::Ended`] that it failed; either is
    /// the last of this number. To stay logged on, ask again before `expires` is over.
    Register {
        /// A number for the answer.
        dialog: DialogId,
        /// The registrar's address.
        registrar: SocketAddr,
        /// Over UDP or TCP.
        transport: Transport,
        /// User name and password.
        login: Login,
        /// Seconds; 0 logs off.
        expires: u32,
    },
}

impl Command {
    /// Its name, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ring { .. } => "Ring",
            Self::Answer { .. } => "Answer",
            Self::Reject { .. } => "Reject",
            Self::Invite { .. } => "Invite",
            Self::AcceptReinvite { .. } => "AcceptReinvite",
            Self::RejectReinvite { .. } => "RejectReinvite",
            Self::Reinvite { .. } => "Reinvite",
            Self::Hangup { .. } => "Hangup",
            Self::Info { .. } => "Info",
            Self::AnswerRefer { .. } => "AnswerRefer",
            Self::Notify { .. } => "Notify",
            Self::Refer { .. } => "Refer",
            Self::Register { .. } => "Register",
        }
    }

    /// The dialog it is for.
    #[must_use]
    pub const fn dialog(&self) -> DialogId {
        match self {
            Self::Ring { dialog, .. }
            | Self::Answer { dialog, .. }
            | Self::Reject { dialog, .. }
            | Self::Invite { dialog, .. }
            | Self::AcceptReinvite { dialog, .. }
            | Self::RejectReinvite { dialog, .. }
            | Self::Reinvite { dialog, .. }
            | Self::Hangup { dialog, .. }
            | Self::Info { dialog, .. }
            | Self::AnswerRefer { dialog, .. }
            | Self::Notify { dialog, .. }
            | Self::Refer { dialog, .. }
            | Self::Register { dialog, .. } => *dialog,
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.dialog().0)
    }
}

/// Whom an INVITE is for. Its `Debug` shows no number.
#[derive(Clone)]
pub enum Callee {
    /// A registered agent's phones of one kind.
    Agent {
        /// Which agent.
        agent: AgentId,
        /// What the offer is for: only phones that speak this are rung.
        media: Media,
    },
    /// A number, by a trunk that takes calls to the outside (its settings say where and how).
    Trunk {
        /// Which trunk.
        trunk: TrunkId,
        /// The user part of the Request-URI: E.164.
        number: String,
    },
    /// A SIP URI at an address (the scriptable phone's half).
    Uri {
        /// `sip:user@host[:port]`.
        uri: String,
        /// Where to send it.
        remote: SocketAddr,
        /// Over what.
        transport: Transport,
        /// To answer a challenge with.
        login: Option<Login>,
    },
}

impl fmt::Debug for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { agent, media } => write!(f, "Agent({agent}, {media:?})"),
            Self::Trunk { trunk, .. } => write!(f, "Trunk({trunk}, …)"),
            Self::Uri { remote, transport, .. } => write!(f, "Uri(… at {transport:?} {remote})"),
        }
    }
}

/// A user name and password, for answering digest challenges.
#[derive(Clone)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// What the shell must do.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes over this flow. For TCP without a connection (`connection` 0), connect first.
    Send {
        /// The way.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Close this connection (framing lost beyond repair).
    Close(Flow),
    /// Find a host; answer with [`Endpoint::resolved`](super::Endpoint::resolved).
    Resolve(Query, Whereabouts),
    /// Tell the user.
    Event(Event),
}
