//! An agent's browser in a call: the WebRTC half of `sayso::phone`, on a socket of the generator.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use sayso::media::Codec;
use sayso::media::rtp::{Header, View};
use sayso::phone::browser::{Browser, BrowserError, Out};

use crate::rtp::{Mark, mark_in};

/// What a page heard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    /// A packet of ours.
    Mark(Mark),
    /// A packet whose payload was made anew on the way: SSRC and sequence number.
    Header(u32, u16),
}

/// A page with one call.
pub(crate) struct Page {
    browser: Browser,
    opus: bool,
    /// Of the codec that was agreed.
    payload_type: u8,
    /// When it is to be woken; a timer of the worker runs for it.
    pub(crate) alarm: Option<Instant>,
}

impl Page {
    /// Answers an offer; the page, and its answer.
    pub(crate) fn open(
        at: SocketAddr,
        offer: &[u8],
        opus: bool,
        now: Instant,
    ) -> Result<(Box<Self>, String), BrowserError> {
        let codec = if opus { Codec::Opus } else { Codec::Pcma };
        let browser = Browser::new(at, &[codec], now)?;
        let mut page = Box::new(Self { browser, opus, payload_type: 0, alarm: None });
        let answer = page.answer(offer)?;
        Ok((page, answer))
    }

    /// Answers a further offer.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<String, BrowserError> {
        let (answer, agreed) = self.browser.answer(offer)?;
        self.payload_type = agreed.payload_type;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Sends an RTP packet.
    pub(crate) fn send(&mut self, packet: &[u8], now: Instant) -> Result<(), BrowserError> {
        match View::parse(packet) {
            Ok(view) => self.browser.send(&view.header, Arc::from(&packet[view.payload()]), now),
            Err(_) => Ok(()),
        }
    }

    /// Sends a payload of the codec that was agreed.
    pub(crate) fn say(
        &mut self,
        header: Header,
        payload: Arc<[u8]>,
        now: Instant,
    ) -> Result<(), BrowserError> {
        self.browser.send(&Header { payload_type: self.payload_type, ..header }, payload, now)
    }

    /// Takes what came.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<(), BrowserError> {
        self.browser.receive(from, datagram, now)
    }

    /// Its time has come.
    pub(crate) fn wake(&mut self, now: Instant) -> Result<(), BrowserError> {
        self.alarm.take_if(|alarm| *alarm <= now);
        self.browser.wake(now)
    }

    /// Sends what waits and notes what was heard. When it wants to be woken, if no timer runs for that.
    pub(crate) fn serve(
        &mut self,
        socket: &UdpSocket,
        heard: &mut Vec<Heard>,
    ) -> Result<Option<Instant>, BrowserError> {
        loop {
            match self.browser.poll()? {
                Out::Send { to, datagram } => {
                    let _ = socket.send_to(&datagram, to); // missed where it is counted
                }
                Out::Heard { header, .. } if self.opus => {
                    heard.push(Heard::Header(header.ssrc, header.sequence))
                }
                Out::Heard { header, payload } => {
                    heard.extend(mark_in(header.payload_type, &payload).map(Heard::Mark));
                }
                Out::Connected | Out::Closed => {}
                Out::Wait(at) if self.alarm.is_none_or(|alarm| at < alarm) => {
                    self.alarm = Some(at);
                    return Ok(self.alarm);
                }
                Out::Wait(_) => return Ok(None),
            }
        }
    }
}
