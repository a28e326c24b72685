//! An agent's browser in a call: the WebRTC half of `sayso::phone`, on a socket of the generator.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use sayso::media::Codec;
use sayso::media::rtp::View;
use sayso::phone::browser::{Browser, BrowserError, Out};

use crate::rtp::{Mark, mark_in};

/// A page with one call.
pub(crate) struct Page {
    browser: Browser,
    /// When it is to be woken; a timer of the worker runs for it.
    pub(crate) alarm: Option<Instant>,
}

impl Page {
    /// Answers an offer; the page, and its answer.
    pub(crate) fn open(
        at: SocketAddr,
        offer: &[u8],
        now: Instant,
    ) -> Result<(Box<Self>, String), BrowserError> {
        let mut page = Box::new(Self { browser: Browser::new(at, &[Codec::Pcma], now)?, alarm: None });
        let answer = page.answer(offer)?;
        Ok((page, answer))
    }

    /// Answers a further offer.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<String, BrowserError> {
        let (answer, _) = self.browser.answer(offer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Sends an RTP packet.
    pub(crate) fn send(&mut self, packet: &[u8], now: Instant) -> Result<(), BrowserError> {
        match View::parse(packet) {
            Ok(view) => self.browser.send(&view.header, Arc::from(&packet[view.payload()]), now),
            Err(_) => Ok(()),
        }
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
        heard: &mut Vec<Mark>,
    ) -> Result<Option<Instant>, BrowserError> {
        loop {
            match self.browser.poll()? {
                Out::Send { to, datagram } => {
                    let _ = socket.send_to(&datagram, to); // missed where it is counted
                }
                Out::Heard { header, payload } => heard.extend(mark_in(header.payload_type, &payload)),
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
