//! RTP: the next packet of each stream when it is due, and what the packets that arrive show.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{FRAME, Worker, send};
use crate::agent;
use crate::arrival;
use crate::caller;
use crate::rtp::{Mark, header, mark};
use crate::timers::Timer;
use crate::web::{Heard, Page};
use sayso::phone::browser::BrowserError;

impl Worker<'_> {
    pub(super) fn caller_packet(&mut self, i: usize, due: u64) {
        let (now, call, plan) = (self.now(), self.callers[i].call, self.plan);
        let caller::State::Up(up) = &mut self.callers[i].state else { return };
        if self.stopping {
            return;
        }
        let mut buffer = [0u8; 172];
        if up.talker.begins_key() {
            up.pressed = Some(now);
        }
        let length = match &plan.speech {
            Some(speech) => up.talker.speech(speech, &mut buffer),
            None => up.talker.packet(call, now, &mut buffer),
        };
        send(&self.rtp[i * 2], &buffer[..length], up.remote);
        self.timers.set(due + FRAME, Timer::CallerPacket(i));
    }

    pub(super) fn agent_packet(&mut self, i: usize, generation: u32, due: u64) {
        let (now, plan) = (self.now(), self.plan);
        let current = self.agents[i].generation == generation;
        let agent::State::Up(up) = &mut self.agents[i].state else { return };
        if self.stopping || !current {
            return;
        }
        let in_browser = up.page.is_some();
        match &plan.speech {
            Some(speech) if in_browser => {
                let (header, payload) = up.talker.opus(speech);
                self.page(i, now, |page, now| page.say(header, payload, now));
            }
            Some(_) | None => {
                let mut buffer = [0u8; 172];
                let length = up.talker.packet(self.callers[up.call].call, now, &mut buffer);
                if in_browser {
                    self.page(i, now, |page, now| page.send(&buffer[..length], now));
                } else {
                    send(&self.rtp[i * 2 + 1], &buffer[..length], up.remote);
                }
            }
        }
        self.timers.set(due + FRAME, Timer::AgentPacket(i, generation));
    }

    pub(super) fn press(&mut self, i: usize) {
        let now = self.now();
        let connected = self.flows[i].connected;
        let caller::State::Up(up) = &mut self.callers[i].state else { return };
        let Some(key) = self.plan.key.filter(|_| self.plan.server.is_some()) else { return };
        if connected || self.stopping {
            return;
        }
        up.talker.press(key.event);
        self.timers.set(now + key.every.as_nanos() as u64, Timer::Press(i));
    }

    pub(super) fn read_rtp(&mut self, which: usize) {
        let mut buffer = [0u8; 2048];
        let Some(came) = arrival::receive(&self.rtp[which], &mut buffer, &mut self.room) else { return };
        let at = self.now().saturating_sub(came.age);
        let datagram = &buffer[..came.length];
        let to_agent = !which.is_multiple_of(2);
        if to_agent && self.plan.web {
            self.page(which / 2, at, |page, now| page.receive(came.from, datagram, now));
        } else if self.plan.speech.is_some() {
            if let Some((ssrc, sequence)) = header(datagram) {
                self.note_header(which, ssrc, sequence, at);
            }
        } else if let Some(mark) = mark(datagram) {
            self.note(which, mark, at);
        }
    }

    /// A packet arrived whose payload was made anew on the way.
    fn note_header(&mut self, which: usize, ssrc: u32, sequence: u16, at: u64) {
        let to_caller = which.is_multiple_of(2);
        let call = match (&self.agents[which / 2].state, to_caller) {
            (_, true) => which / 2,
            (agent::State::Up(up), false) => up.call,
            (agent::State::Idle | agent::State::Registering { .. }, false) => return,
        };
        let flow = &mut self.flows[call];
        if to_caller {
            // Before an agent is there it is prompts and music.
            if !flow.to_agent.heard() {
                return;
            }
            flow.caller_hears.get_or_insert(at);
            flow.to_caller.note_header(ssrc, sequence);
        } else {
            flow.to_agent.note_header(ssrc, sequence);
        }
        self.connected(call);
    }

    fn connected(&mut self, call: usize) {
        let flow = &mut self.flows[call];
        if !flow.connected && flow.to_caller.heard() && flow.to_agent.heard() {
            flow.connected = true;
            self.shared.connected.fetch_add(1, Relaxed);
        }
    }

    /// A packet of ours arrived at `at`.
    fn note(&mut self, which: usize, mark: Mark, at: u64) {
        let Some(call) = self.place(mark.call) else { return };
        let flow = &mut self.flows[call];
        // A caller must hear its own call; an agent may serve any.
        let to_caller = which.is_multiple_of(2);
        if to_caller && which / 2 != call {
            return self.fail(which / 2, "heard another call's audio");
        }
        let seen = if to_caller {
            flow.caller_hears.get_or_insert(at);
            flow.to_caller.note(mark, at)
        } else {
            flow.to_agent.note(mark, at)
        };
        self.connected(call);
        if self.shared.measuring.load(Relaxed) {
            self.counts.late += u64::from(seen.is_late());
            self.counts.delay.push(seen.delay);
            self.counts.jitter.extend(seen.jitter);
        }
    }

    pub(super) fn instant(&self, now: u64) -> Instant {
        self.clock + Duration::from_nanos(now)
    }

    pub(super) fn wake(&mut self, i: usize, generation: u32) {
        if self.agents[i].generation == generation {
            self.page(i, self.now(), Page::wake);
        }
    }

    /// Wakes an agent's browser that was given something to do.
    pub(super) fn serve(&mut self, i: usize) {
        self.page(i, self.now(), Page::wake);
    }

    /// Does this with an agent's browser, and then what comes of it; `at` is when it came about.
    fn page(&mut self, i: usize, at: u64, with: impl FnOnce(&mut Page, Instant) -> Result<(), BrowserError>) {
        let instant = self.instant(self.now());
        let generation = self.agents[i].generation;
        let agent::State::Up(agent::Up { page: Some(page), call, .. }) = &mut self.agents[i].state else {
            return;
        };
        let (call, socket) = (*call, &self.rtp[i * 2 + 1]);
        let served = with(page, instant).and_then(|()| page.serve(socket, &mut self.heard));
        match served {
            Ok(Some(alarm)) => {
                let alarm = alarm.saturating_duration_since(self.clock).as_nanos() as u64;
                self.timers.set(alarm, Timer::Wake(i, generation));
            }
            Ok(None) => {}
            Err(error) => self.fail(call, &error.to_string()),
        }
        let mut heard = std::mem::take(&mut self.heard);
        heard.drain(..).for_each(|heard| match heard {
            Heard::Mark(mark) => self.note(i * 2 + 1, mark, at),
            Heard::Header(ssrc, sequence) => self.note_header(i * 2 + 1, ssrc, sequence, at),
        });
        self.heard = heard;
    }
}
