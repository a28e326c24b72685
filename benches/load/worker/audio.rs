//! RTP: the next packet of each stream when it is due, and what the packets that arrive show.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{FRAME, PRESS, Worker, send};
use crate::agent;
use crate::caller;
use crate::rtp::{Mark, mark};
use crate::timers::Timer;
use crate::web::Page;
use sayso::phone::browser::BrowserError;

impl Worker<'_> {
    pub(super) fn caller_packet(&mut self, i: usize, due: u64) {
        let now = self.now();
        let caller::State::Up(up) = &mut self.callers[i].state else { return };
        if self.stopping {
            return;
        }
        let mut buffer = [0u8; 172];
        if up.talker.begins_key() {
            up.pressed = Some(now);
        }
        let length = up.talker.packet(i as u32, now, &mut buffer);
        send(&self.rtp[i * 2], &buffer[..length], up.remote);
        self.timers.set(due + FRAME, Timer::CallerPacket(i));
    }

    pub(super) fn agent_packet(&mut self, i: usize, generation: u32, due: u64) {
        let now = self.now();
        let current = self.agents[i].generation == generation;
        let agent::State::Up(up) = &mut self.agents[i].state else { return };
        if self.stopping || !current {
            return;
        }
        let mut buffer = [0u8; 172];
        let length = up.talker.packet(up.call, now, &mut buffer);
        if up.page.is_some() {
            self.page(i, |page, now| page.send(&buffer[..length], now));
        } else {
            send(&self.rtp[i * 2 + 1], &buffer[..length], up.remote);
        }
        self.timers.set(due + FRAME, Timer::AgentPacket(i, generation));
    }

    pub(super) fn press(&mut self, i: usize) {
        let now = self.now();
        let connected = self.flows[i].connected;
        let caller::State::Up(up) = &mut self.callers[i].state else { return };
        if connected || self.stopping || self.plan.server.is_none() {
            return;
        }
        up.talker.press(1);
        self.timers.set(now + PRESS, Timer::Press(i));
    }

    pub(super) fn read_rtp(&mut self, which: usize) {
        let mut buffer = [0u8; 2048];
        let Ok((length, from)) = self.rtp[which].recv_from(&mut buffer) else { return };
        let to_agent = !which.is_multiple_of(2);
        if to_agent && self.plan.web {
            self.page(which / 2, |page, now| page.receive(from, &buffer[..length], now));
        } else if let Some(mark) = mark(&buffer[..length]) {
            self.note(which, mark);
        }
    }

    /// A packet of ours arrived.
    fn note(&mut self, which: usize, mark: Mark) {
        let (now, call) = (self.now(), mark.call as usize);
        let Some(flow) = self.flows.get_mut(call) else { return };
        // A caller must hear its own call; an agent may serve any.
        let to_caller = which.is_multiple_of(2);
        if to_caller && which / 2 != call {
            return self.fail(which / 2, "heard another call's audio");
        }
        if to_caller {
            flow.to_caller.note(mark.number)
        } else {
            flow.to_agent.note(mark.number)
        }
        if !flow.connected && flow.to_caller.heard() && flow.to_agent.heard() {
            flow.connected = true;
            self.shared.connected.fetch_add(1, Relaxed);
        }
        if self.shared.measuring.load(Relaxed) {
            self.counts.delay.push(now.saturating_sub(mark.sent) / 1000);
        }
    }

    pub(super) fn instant(&self, now: u64) -> Instant {
        self.clock + Duration::from_nanos(now)
    }

    pub(super) fn wake(&mut self, i: usize, generation: u32) {
        if self.agents[i].generation == generation {
            self.page(i, Page::wake);
        }
    }

    /// Wakes an agent's browser that was given something to do.
    pub(super) fn serve(&mut self, i: usize) {
        self.page(i, Page::wake);
    }

    /// Does this with an agent's browser, and then what comes of it.
    fn page(&mut self, i: usize, with: impl FnOnce(&mut Page, Instant) -> Result<(), BrowserError>) {
        let instant = self.instant(self.now());
        let generation = self.agents[i].generation;
        let agent::State::Up(agent::Up { page: Some(page), call, .. }) = &mut self.agents[i].state else {
            return;
        };
        let (call, socket) = (*call as usize, &self.rtp[i * 2 + 1]);
        let served = with(page, instant).and_then(|()| page.serve(socket, &mut self.heard));
        match served {
            Ok(Some(at)) => {
                let at = at.saturating_duration_since(self.clock).as_nanos() as u64;
                self.timers.set(at, Timer::Wake(i, generation));
            }
            Ok(None) => {}
            Err(error) => self.fail(call, &error.to_string()),
        }
        let mut heard = std::mem::take(&mut self.heard);
        heard.drain(..).for_each(|mark| self.note(i * 2 + 1, mark));
        self.heard = heard;
    }
}
