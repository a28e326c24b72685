//! RTP: the next packet of each stream when it is due, and what the packets that arrive show.

use std::sync::atomic::Ordering::Relaxed;

use super::{FRAME, PRESS, Worker, send};
use crate::agent;
use crate::caller;
use crate::rtp::mark;
use crate::timers::Timer;

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
        send(&self.rtp[i * 2 + 1], &buffer[..length], up.remote);
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
        let Ok(length) = self.rtp[which].recv(&mut buffer) else { return };
        let now = self.now();
        let Some(mark) = mark(&buffer[..length]) else { return };
        let call = mark.call as usize;
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
}
