//! A call in progress: paces the mouth, fills the ear, watches the dialog.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use crate::call::Cause;
use crate::media::srtp::Suite;
use crate::media::{Codec, LegMedia};
use crate::sip::core::sdp::{self, Local};
use crate::sip::core::{Command, DialogId, Event};
use crate::sip::io::SipHandle;
use crate::time::{Clock, Timestamp};

use super::browser::Packets;
use super::ear::Ear;
use super::line::Line;
use super::mouth::{Mouth, Say, Script};
use super::{PhoneError, Voices};

/// How a call went.
#[derive(Debug)]
pub struct Report {
    /// When it was answered.
    pub answered: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Who hung up.
    pub ending: Ending,
    /// What was heard, 16-bit linear.
    pub heard: Vec<i16>,
    /// Samples per second of it: 8,000, or 16,000 when the call began with a wideband codec.
    pub rate: u32,
    /// The codec spoken at the end.
    pub codec: Codec,
    /// The suite it was sealed with at the end.
    pub srtp: Option<Suite>,
    /// What a WebRTC call sent and heard; `None`: it was none.
    pub webrtc: Option<Packets>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The phone, when its script's time was up.
    Us,
    /// The other side.
    Them(Cause),
}

/// See the module.
pub(super) struct Talk<'a> {
    dialog: DialogId,
    local: Local,
    voices: Voices,
    socket: UdpSocket,
    line: Line,
    sip: &'a SipHandle,
    events: &'a mut mpsc::Receiver<Event>,
    clock: Clock,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        dialog: DialogId,
        local: Local,
        voices: Voices,
        (socket, line): (UdpSocket, Line),
        sip: &'a SipHandle,
        events: &'a mut mpsc::Receiver<Event>,
        clock: Clock,
    ) -> Self {
        Self { dialog, local, voices, socket, line, sip, events, clock }
    }

    /// Follows the script to the end of the call.
    pub(super) async fn run(mut self, media: LegMedia, script: Script) -> Result<Report, PhoneError> {
        let answered = self.clock.now();
        let deadline = self.clock.instant(answered + script.hang_up_after);
        let rate = if media.codec.rate() > 8_000 { 16_000 } else { 8_000 };
        let mut ear = Ear::new(rate);
        self.line.agreed(&media)?;
        let mut ptime = packet_time(&media);
        let mut mouth = Mouth::new(media, &script, u32::from(self.local.rtp.port()))?;
        let mut tick = paced(ptime);
        let mut datagram = [0; 2048];
        let mut heard = false;
        self.flush().await?;
        let ending = loop {
            let wake = self.line.wakes_at().unwrap_or(deadline);
            tokio::select! {
                () = sleep_until(wake.into()), if self.line.wakes_at().is_some() => {
                    self.line.wake()?;
                    self.flush().await?;
                    heard |= self.hear(&mut ear, &mouth);
                }
                _ = tick.tick() => {
                    if !std::mem::take(&mut heard) {
                        ear.no_packet(ptime);
                    }
                    if mouth.is_listening() && ear.fell_silent(script.quiet) {
                        ear.forget();
                        mouth.take_turn();
                    }
                    self.say(&mut mouth)?;
                    self.flush().await?;
                    heard |= self.hear(&mut ear, &mouth);
                }
                received = self.socket.recv_from(&mut datagram) => {
                    // An error here is an ICMP answer to a packet of ours: the peer is not there yet,
                    // or no longer. SIP tells which.
                    if let Ok((length, from)) = received {
                        self.line.receive(from, &mut datagram[..length])?;
                        self.flush().await?;
                    heard |= self.hear(&mut ear, &mouth);
                    }
                }
                event = self.events.recv() => match event {
                    None => return Err(PhoneError::Closed),
                    Some(event) => if let Some(cause) = self.on_event(event, &mut mouth)? {
                        break Ending::Them(cause);
                    } else if packet_time(mouth.media()) != ptime {
                        ptime = packet_time(mouth.media());
                        tick = paced(ptime);
                    },
                },
                () = sleep_until(deadline.into()) => {
                    self.sip.send(Command::Hangup { dialog: self.dialog, cause: Cause::HungUp })?;
                    self.last_word().await?;
                    break Ending::Us;
                }
            }
        };
        let codec = mouth.media().codec;
        self.line.close()?;
        self.flush().await?;
        Ok(Report {
            answered,
            ended: self.clock.now(),
            ending,
            heard: ear.into_samples(),
            rate,
            codec,
            srtp: self.line.suite(),
            webrtc: self.line.packets(),
        })
    }

    fn say(&mut self, mouth: &mut Mouth) -> Result<(), PhoneError> {
        let packet = match mouth.next() {
            Say::Packet(packet) => packet,
            Say::Info(digit, packet) => {
                self.sip.send(Command::Info { dialog: self.dialog, digit })?;
                packet
            }
        };
        self.line.say(packet, mouth.media().remote_rtp)
    }

    /// Whether something was heard.
    fn hear(&mut self, ear: &mut Ear, mouth: &Mouth) -> bool {
        let mut heard = false;
        for packet in self.line.heard() {
            // What is no packet of its codec is not heard.
            heard |= ear.hear(&packet, &mouth.media().receive).is_ok();
        }
        heard
    }

    /// Sends what the line has to send.
    async fn flush(&mut self) -> Result<(), PhoneError> {
        for (to, packet) in self.line.to_send() {
            send(&self.socket, to, &packet).await?;
        }
        Ok(())
    }

    /// Why the call ended, if this event ends it.
    fn on_event(&mut self, event: Event, mouth: &mut Mouth) -> Result<Option<Cause>, PhoneError> {
        if let Event::Ended { dialog, cause, .. } = event
            && dialog == self.dialog
        {
            return Ok(Some(cause));
        }
        if let Event::Incoming(other) = event {
            // One call at a time.
            self.sip.send(Command::Reject { dialog: other.dialog, status: 486 })?;
        } else if let Event::Reinvite { dialog, sdp } = event
            && dialog == self.dialog
        {
            self.on_reinvite(sdp, mouth)?;
        }
        Ok(None)
    }

    fn on_reinvite(&mut self, sdp: Option<bytes::Bytes>, mouth: &mut Mouth) -> Result<(), PhoneError> {
        self.local.version += 1;
        let dialog = self.dialog;
        let command = match (sdp, &mut self.line) {
            (None, Line::Rtp(_)) => {
                Command::AcceptReinvite { dialog, sdp: sdp::offer(&self.local, &self.voices.terms()) }
            }
            // Nothing of ours asks a browser to offer.
            (None, Line::Webrtc(_)) => Command::RejectReinvite { dialog, status: 488 },
            (Some(offer), line) => match line.answer(&offer, &self.local, &self.voices) {
                Ok((sdp, media)) => {
                    mouth.set_media(media)?;
                    Command::AcceptReinvite { dialog, sdp }
                }
                Err(_unusable) => Command::RejectReinvite { dialog, status: 488 },
            },
        };
        Ok(self.sip.send(command)?)
    }

    /// Waits until our BYE is answered, so that the program does not leave before it is on its way.
    async fn last_word(&mut self) -> Result<(), PhoneError> {
        loop {
            match self.events.recv().await {
                None => return Err(PhoneError::Closed),
                Some(Event::Ended { dialog, .. }) if dialog == self.dialog => return Ok(()),
                Some(_other) => {}
            }
        }
    }
}

async fn send(socket: &UdpSocket, to: SocketAddr, packet: &[u8]) -> Result<(), PhoneError> {
    match socket.send_to(packet, to).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(PhoneError::Rtp(to.ip(), error)),
    }
}

fn packet_time(media: &LegMedia) -> Duration {
    Duration::from_millis(media.ptime.into())
}

fn paced(ptime: Duration) -> Interval {
    let mut tick = interval(ptime);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    tick
}
