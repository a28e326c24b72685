//! What a phone speaks over: plain or SDES-sealed RTP, or WebRTC. Packets go in and come out as RTP; the socket is
//! the caller's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::browser::{Browser, Out, Packets};
use super::seal::Seal;
use super::{PhoneError, Voices};
use crate::media::LegMedia;
use crate::media::rtp::{HEADER, View};
use crate::media::srtp::Suite;
use crate::sip::core::Media;
use crate::sip::core::sdp::{self, Local};

/// See the module.
pub(super) enum Line {
    /// RTP.
    Rtp(Rtp),
    /// ICE, DTLS and SRTP.
    Webrtc(Box<Webrtc>),
}

/// See [`Line::Rtp`].
#[derive(Default)]
pub(super) struct Rtp {
    seal: Seal,
    queues: Queues,
}

/// See [`Line::Webrtc`].
pub(super) struct Webrtc {
    browser: Browser,
    wakes: Option<Instant>,
    queues: Queues,
}

#[derive(Default)]
struct Queues {
    out: Vec<(SocketAddr, Vec<u8>)>,
    heard: Vec<Vec<u8>>,
}

impl Line {
    /// For a call that is made; with its offer.
    pub(super) fn offering(
        local: &Local,
        voices: &Voices,
        media: Media,
    ) -> Result<(Self, Bytes), PhoneError> {
        match media {
            Media::Rtp => Ok((Self::Rtp(Rtp::default()), sdp::offer(local, &voices.terms()))),
            Media::Webrtc => {
                let mut webrtc = Webrtc::new(local, voices)?;
                let offer = webrtc.browser.offer()?;
                Ok((Self::Webrtc(webrtc), offer))
            }
        }
    }

    /// For a call that came, of the kind that is offered.
    pub(super) fn answering(local: &Local, voices: &Voices, offer: &[u8]) -> Result<Self, PhoneError> {
        Ok(if sdp::is_webrtc(offer) {
            Self::Webrtc(Webrtc::new(local, voices)?)
        } else {
            Self::Rtp(Rtp::default())
        })
    }

    /// Reads the answer to the offer it made.
    pub(super) fn accept(
        &mut self,
        answer: &[u8],
        offer: &[u8],
        local: &Local,
        voices: &Voices,
    ) -> Result<LegMedia, PhoneError> {
        match self {
            Self::Rtp(_) => Ok(sdp::accept(answer, offer, local, &voices.terms())?),
            Self::Webrtc(webrtc) => Ok(webrtc.browser.accept(answer)?),
        }
    }

    /// Answers an offer, the first or a later one, and goes by it.
    pub(super) fn answer(
        &mut self,
        offer: &[u8],
        local: &Local,
        voices: &Voices,
    ) -> Result<(Bytes, LegMedia), PhoneError> {
        let (answer, media) = match self {
            Self::Rtp(_) => sdp::answer(offer, local, &voices.terms())?,
            Self::Webrtc(webrtc) => webrtc.browser.answer(offer)?,
        };
        self.agreed(&media)?;
        Ok((answer, media))
    }

    /// Goes by what was agreed.
    pub(super) fn agreed(&mut self, media: &LegMedia) -> Result<(), PhoneError> {
        match self {
            Self::Rtp(rtp) => Ok(rtp.seal.set(media.crypto.as_deref())?),
            Self::Webrtc(webrtc) => webrtc.drain(),
        }
    }

    /// Sends a packet; `to` counts for RTP alone.
    pub(super) fn say(&mut self, packet: Vec<u8>, to: SocketAddr) -> Result<(), PhoneError> {
        match self {
            Self::Rtp(rtp) => {
                let packet = rtp.seal.close(packet)?;
                rtp.queues.out.push((to, packet));
                Ok(())
            }
            Self::Webrtc(webrtc) => {
                if let Ok(view) = View::parse(&packet) {
                    let payload: Arc<[u8]> = packet[view.payload()].into();
                    webrtc.browser.send(&view.header, payload, Instant::now())?;
                }
                webrtc.drain()
            }
        }
    }

    /// Takes a datagram.
    pub(super) fn receive(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Result<(), PhoneError> {
        match self {
            Self::Rtp(rtp) => {
                let opened = rtp.seal.open(datagram).map(<[u8]>::to_vec);
                rtp.queues.heard.extend(opened);
                Ok(())
            }
            Self::Webrtc(webrtc) => {
                webrtc.browser.receive(from, datagram, Instant::now())?;
                webrtc.drain()
            }
        }
    }

    /// When to call [`Line::wake`].
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match self {
            Self::Rtp(_) => None,
            Self::Webrtc(webrtc) => webrtc.wakes,
        }
    }

    /// Time has come.
    pub(super) fn wake(&mut self) -> Result<(), PhoneError> {
        match self {
            Self::Rtp(_) => Ok(()),
            Self::Webrtc(webrtc) => {
                webrtc.browser.wake(Instant::now())?;
                webrtc.drain()
            }
        }
    }

    /// What is to be sent.
    pub(super) fn to_send(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.queues().out)
    }

    /// What was heard: RTP packets.
    pub(super) fn heard(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.queues().heard)
    }

    /// Says goodbye, where there is a way to.
    pub(super) fn close(&mut self) -> Result<(), PhoneError> {
        match self {
            Self::Rtp(_) => Ok(()),
            Self::Webrtc(webrtc) => {
                webrtc.browser.close()?;
                webrtc.drain()
            }
        }
    }

    /// What it is sealed with.
    pub(super) fn suite(&self) -> Option<Suite> {
        match self {
            Self::Rtp(rtp) => rtp.seal.suite(),
            Self::Webrtc(webrtc) => webrtc.browser.suite(),
        }
    }

    /// What a WebRTC line sent and heard.
    pub(super) fn packets(&self) -> Option<Packets> {
        match self {
            Self::Rtp(_) => None,
            Self::Webrtc(webrtc) => Some(webrtc.browser.packets()),
        }
    }

    fn queues(&mut self) -> &mut Queues {
        match self {
            Self::Rtp(rtp) => &mut rtp.queues,
            Self::Webrtc(webrtc) => &mut webrtc.queues,
        }
    }
}

impl Webrtc {
    fn new(local: &Local, voices: &Voices) -> Result<Box<Self>, PhoneError> {
        let browser = Browser::new(local.rtp, &voices.codecs, Instant::now())?;
        Ok(Box::new(Self { browser, wakes: None, queues: Queues::default() }))
    }

    fn drain(&mut self) -> Result<(), PhoneError> {
        loop {
            match self.browser.poll()? {
                Out::Send { to, datagram } => self.queues.out.push((to, datagram)),
                Out::Heard { header, payload } => {
                    let mut packet = vec![0; HEADER];
                    header.write(&mut packet);
                    packet.extend_from_slice(&payload);
                    self.queues.heard.push(packet);
                }
                // SIP tells how the call goes.
                Out::Connected | Out::Closed => {}
                Out::Wait(at) => {
                    self.wakes = Some(at);
                    return Ok(());
                }
            }
        }
    }
}
