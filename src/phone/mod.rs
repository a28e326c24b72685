//! A scriptable SIP phone: presses keys, speaks a file, records what it hears. It is the caller of
//! `sayso call`, and both the caller and the agent of the demo. One call at a time.

pub mod browser;
mod cipher;
mod ear;
mod line;
mod mouth;
mod seal;
mod talk;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use ipnet::IpNet;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::call::Cause;
use crate::ids::TrunkId;
use crate::media::Codec;
use crate::media::codec::CodecError;
use crate::media::srtp::{MasterKey, SrtpError, Suite};
use crate::settings::{Settings, SrtpPolicy, Trunk};
use crate::sip::core::sdp::{Local, SdpError, Terms};
use crate::sip::core::{Callee, Command, DialogId, Event, Login, Transport};
use crate::sip::io::{self, Certificates, SendError, SipHandle, StackConfig, StackError};
use crate::time::Clock;

use line::Line;
pub use mouth::{Digits, Key, Script, parse_keys};
use talk::Talk;
pub use talk::{Ending, Report};

/// How long a registration or a call's set-up may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// What can go wrong with a phone.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// Its sockets cannot be opened.
    #[error("the phone cannot open its SIP sockets: {0}")]
    Stack(#[from] StackError),
    /// Its RTP socket cannot be opened or used.
    #[error("the phone's RTP socket on {0}: {1}")]
    Rtp(IpAddr, std::io::Error),
    /// The registrar said no, or nothing.
    #[error("the registrar {registrar} did not take the log-in: {why}")]
    Register {
        /// Its address.
        registrar: SocketAddr,
        /// Its status, or that it was silent.
        why: String,
    },
    /// The call was not answered.
    #[error("the call was not answered: {0}")]
    NotAnswered(String),
    /// The other side's SDP is of no use.
    #[error("the other side's SDP cannot be used: {0}")]
    Sdp(#[from] SdpError),
    /// Its codec has no memory.
    #[error("the phone's codec: {0}")]
    Codec(#[from] CodecError),
    /// Its WebRTC connection is of no use.
    #[error(transparent)]
    Webrtc(#[from] browser::BrowserError),
    /// Its keys are of no use.
    #[error("the phone's SRTP: {0}")]
    Srtp(#[from] SrtpError),
    /// The endpoint takes no commands.
    #[error("the phone's SIP endpoint is overloaded: {0}")]
    Handle(#[from] SendError),
    /// The system gives no random octets for keys.
    #[error("the system gives no random octets for keys")]
    NoRandomness,
    /// The endpoint is gone.
    #[error("the phone's SIP endpoint is closed")]
    Closed,
}

/// See the module.
pub struct Phone {
    sip: SipHandle,
    events: mpsc::Receiver<Event>,
    ip: IpAddr,
    clock: Clock,
}

impl Phone {
    /// A phone on free ports of `ip`.
    ///
    /// # Errors
    /// When the sockets cannot be opened.
    pub async fn open(ip: IpAddr, clock: Clock) -> Result<Self, PhoneError> {
        Self::open_with(ip, clock, Certificates::default(), Vec::new()).await
    }

    /// The same, for calls in TLS: what servers are checked with, and the names they have to prove, by
    /// address.
    ///
    /// # Errors
    /// When the sockets cannot be opened.
    pub async fn open_with(
        ip: IpAddr,
        clock: Clock,
        certificates: Certificates,
        names: Vec<(SocketAddr, String)>,
    ) -> Result<Self, PhoneError> {
        let any = SocketAddr::new(ip, 0);
        let (udp, tcp) = (vec![any], vec![any]);
        let config =
            StackConfig { udp, tcp, certificates, names, web_client: true, ..StackConfig::default() };
        let (sender, events) = mpsc::channel(256);
        let sip = io::start(config, Arc::new(takes_calls_from_anyone()), clock, sender).await?;
        Ok(Self { sip, events, ip, clock })
    }

    /// Logs on at a registrar for `expires` seconds; 0 logs off.
    ///
    /// # Errors
    /// When the registrar refuses or does not answer.
    pub async fn register(
        &mut self,
        registrar: SocketAddr,
        transport: Transport,
        login: Login,
        expires: u32,
    ) -> Result<(), PhoneError> {
        let dialog = self.sip.new_dialog();
        self.sip.send(Command::Register { dialog, registrar, transport, login, expires })?;
        let fault = |why: String| Err(PhoneError::Register { registrar, why });
        loop {
            match timeout(PATIENCE, self.events.recv()).await {
                Err(_) => return fault("it did not answer".to_owned()),
                Ok(None) => return Err(PhoneError::Closed),
                Ok(Some(Event::Answered { dialog: of, .. })) if of == dialog => return Ok(()),
                Ok(Some(Event::Ended { dialog: of, status, cause })) if of == dialog => {
                    return fault(status.map_or_else(|| format!("{cause:?}"), |status| status.to_string()));
                }
                Ok(Some(_other)) => {}
            }
        }
    }

    /// Calls and follows the script until either side hangs up.
    ///
    /// # Errors
    /// When the call is not answered, or cannot be understood.
    pub async fn call(&mut self, to: Callee, from: String, script: Script) -> Result<Report, PhoneError> {
        let dialog = self.sip.new_dialog();
        let (socket, local) = self.media(dialog).await?;
        let voices = Voices::new(&script)?;
        let (mut line, offer) = Line::offering(&local, &voices, script.media)?;
        self.sip.send(Command::Invite {
            dialog,
            to,
            from,
            sdp: offer.clone(),
            particulars: Box::default(),
        })?;
        let answer = loop {
            match timeout(PATIENCE, self.events.recv()).await {
                Err(_) => {
                    self.sip.send(Command::Hangup { dialog, cause: Cause::Cancelled })?;
                    return Err(PhoneError::NotAnswered("nobody answered in time".to_owned()));
                }
                Ok(None) => return Err(PhoneError::Closed),
                Ok(Some(Event::Answered { dialog: of, sdp, .. })) if of == dialog => break sdp,
                Ok(Some(Event::Ended { dialog: of, cause, status })) if of == dialog => {
                    let status = status.map(|status| format!(" (SIP {status})")).unwrap_or_default();
                    return Err(PhoneError::NotAnswered(format!("{cause:?}{status}")));
                }
                Ok(Some(_other)) => {}
            }
        };
        let media = match line.accept(answer.as_deref().unwrap_or_default(), &offer, &local, &voices) {
            Ok(media) => media,
            Err(error) => {
                self.sip.send(Command::Hangup { dialog, cause: Cause::Internal })?;
                return Err(error);
            }
        };
        self.talk(dialog, local, voices, (socket, line)).run(media, script).await
    }

    /// Waits for a call, rings for `ring`, answers, and follows the script until either side hangs
    /// up. Calls that are given up while ringing are passed over.
    ///
    /// # Errors
    /// When the call's SDP is of no use or the phone's sockets fail.
    pub async fn answer(&mut self, ring: Duration, script: Script) -> Result<Report, PhoneError> {
        loop {
            let incoming = match self.events.recv().await {
                None => return Err(PhoneError::Closed),
                Some(Event::Incoming(incoming)) => incoming,
                Some(_other) => continue,
            };
            let dialog = incoming.dialog;
            self.sip.send(Command::Ring { dialog, sdp: None })?;
            if self.ended_within(dialog, ring).await? {
                continue;
            }
            let (socket, local) = self.media(dialog).await?;
            let offer = incoming.sdp.as_deref().unwrap_or_default();
            let voices = Voices::new(&script)?;
            let mut line = Line::answering(&local, &voices, offer)?;
            let (sdp, media) = match line.answer(offer, &local, &voices) {
                Ok(agreed) => agreed,
                Err(error) => {
                    self.sip.send(Command::Reject { dialog, status: 488 })?;
                    return Err(error);
                }
            };
            self.sip.send(Command::Answer { dialog, sdp })?;
            return self.talk(dialog, local, voices, (socket, line)).run(media, script).await;
        }
    }

    /// Whether the dialog ends before `span` is over.
    async fn ended_within(&mut self, dialog: DialogId, span: Duration) -> Result<bool, PhoneError> {
        let ended = async {
            loop {
                match self.events.recv().await {
                    None => return Err(PhoneError::Closed),
                    Some(Event::Ended { dialog: of, .. }) if of == dialog => return Ok(true),
                    Some(_other) => {}
                }
            }
        };
        timeout(span, ended).await.unwrap_or(Ok(false))
    }

    async fn media(&self, dialog: DialogId) -> Result<(UdpSocket, Local), PhoneError> {
        let fault = |error| PhoneError::Rtp(self.ip, error);
        let socket = UdpSocket::bind(SocketAddr::new(self.ip, 0)).await.map_err(fault)?;
        let rtp = socket.local_addr().map_err(fault)?;
        Ok((socket, Local { rtp, rtcp: rtp, session_id: dialog.0, version: 1, rtc: None }))
    }

    fn talk(&mut self, dialog: DialogId, local: Local, voices: Voices, line: (UdpSocket, Line)) -> Talk<'_> {
        Talk::new(dialog, local, voices, line, &self.sip, &mut self.events, self.clock)
    }
}

/// What the phone offers and answers in one call.
struct Voices {
    codecs: Vec<Codec>,
    srtp: SrtpPolicy,
    keys: Vec<MasterKey>,
    ptime: Option<u8>,
}

impl Voices {
    /// Draws keys, if any are needed.
    fn new(script: &Script) -> Result<Self, PhoneError> {
        let mut keys = Vec::new();
        for suite in Suite::ALL.into_iter().filter(|_| script.srtp != SrtpPolicy::Off) {
            let mut octets = Zeroizing::new(vec![0; suite.key_len() + suite.salt_len()]);
            rand::fill(&mut octets).map_err(|_| PhoneError::NoRandomness)?;
            keys.push(MasterKey::new(suite, octets)?);
        }
        Ok(Self { codecs: script.codecs.clone(), srtp: script.srtp, keys, ptime: script.ptime })
    }

    fn terms(&self) -> Terms<'_> {
        let Self { codecs, srtp, keys, ptime } = self;
        Terms { codecs, srtp: *srtp, keys, ptime: *ptime, ..Terms::default() }
    }
}

/// The phone's own settings: whoever calls it may.
fn takes_calls_from_anyone() -> Settings {
    let anyone =
        Trunk { networks: vec![IpNet::default(), IpNet::V6(ipnet::Ipv6Net::default())], ..Trunk::default() };
    let mut settings = Settings::default();
    settings.trunks.insert(TrunkId::from("anyone"), Arc::new(anyone));
    settings
}
