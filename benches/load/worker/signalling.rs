//! SIP messages as they arrive: at the callers' socket and at the agents'.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use super::{CALLER_SIP, FRAME, MS, T1, Worker, send};
use crate::agent::{self, Agent};
use crate::caller::{self, Answer};
use crate::plan::Kind;
use crate::sip::Message;
use crate::timers::Timer;

impl Worker<'_> {
    pub(super) fn read_sip(&mut self, which: u64) {
        let mut buffer = [0u8; 65_536];
        loop {
            let socket = if which == CALLER_SIP { &self.caller_sip } else { &self.agent_sip };
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
            let Some(message) = Message::parse(&buffer[..length]) else { continue };
            if which == CALLER_SIP { self.caller_got(&message, from) } else { self.agent_got(&message, from) }
        }
    }

    pub(super) fn caller_got(&mut self, message: &Message, from: SocketAddr) {
        let Some(i) = message.get("Call-ID").and_then(|id| self.callers_by_id.get(id)).copied() else {
            return;
        };
        if let Some(method) = message.method() {
            if method != "ACK" {
                send(&self.caller_sip, &message.response(200, "OK", "").bytes(), from);
            }
            if method == "BYE" && !matches!(self.callers[i].state, caller::State::Over) {
                self.fail(i, "the server hung up");
                self.over(i);
            }
            return;
        }
        match message.cseq() {
            Some((_, "INVITE")) => self.answer(i, message),
            Some((_, "BYE")) if matches!(self.callers[i].state, caller::State::Leaving { .. }) => {
                if message.status() != Some(200) {
                    self.fail(i, &format!("BYE: {}", message.status().unwrap_or(0)));
                }
                self.over(i);
            }
            _ => {}
        }
    }

    pub(super) fn answer(&mut self, i: usize, message: &Message) {
        match self.callers[i].answered(message) {
            Some(Answer::Accepted { ack, since }) => {
                self.send_to_server(&ack);
                let Some(since) = since else { return };
                let now = self.now();
                self.counts.answer.push((now - since) / 1000);
                match self.plan.kind {
                    Kind::Talk => {
                        // Spread over the frame, by a step that is no divisor of it.
                        self.timers.set(now + i as u64 * 7_100_003 % FRAME, Timer::CallerPacket(i));
                        if let Some(key) = self.plan.key {
                            self.timers.set(now + key.after.as_nanos() as u64, Timer::Press(i));
                        }
                    }
                    Kind::SetUp { hold } => self.timers.set(now + hold.as_nanos() as u64, Timer::Leave(i)),
                }
            }
            Some(Answer::Refused { ack, status, retry_after }) => {
                self.send_to_server(&ack);
                if self.plan.overload && status == 503 && retry_after {
                    self.counts.refused += 1;
                    self.shared.refused.fetch_add(1, Relaxed);
                } else {
                    let why = if retry_after { "" } else { " without Retry-After" };
                    self.fail(i, &format!("INVITE: {status}{why}"));
                }
                self.over(i);
            }
            Some(Answer::Provisional) | None => {}
        }
    }

    pub(super) fn agent_got(&mut self, message: &Message, from: SocketAddr) {
        if message.method().is_none() {
            if message.cseq().is_some_and(|(_, of)| of == "REGISTER") {
                self.registered(message);
            }
            return;
        }
        match message.method() {
            Some("INVITE") => self.invite(message, from),
            Some("ACK") => {
                let now = self.now();
                if let Some(up) = self.agent_in(message) {
                    up.unacknowledged = None;
                    let call = up.call;
                    self.flows[call].acknowledged.get_or_insert(now);
                }
            }
            Some(method) => {
                send(&self.agent_sip, &message.response(200, "OK", "x").bytes(), from);
                if method == "BYE" {
                    self.agent_left(message);
                }
            }
            None => {}
        }
    }

    pub(super) fn registered(&mut self, message: &Message) {
        let (Some(server), Some(i)) =
            (self.plan.server, message.user_of("To").and_then(|n| self.names.get(n)).copied())
        else {
            return;
        };
        let before = matches!(self.agents[i].state, agent::State::Registering { .. });
        match self.agents[i].registered(message, server) {
            Ok(Some(next)) => send(&self.agent_sip, &next, server),
            Ok(None) => {
                if before && matches!(self.agents[i].state, agent::State::Idle) {
                    self.shared.registered.fetch_add(1, Relaxed);
                }
            }
            Err(why) => {
                *self.counts.failures.entry(why).or_default() += 1;
                self.agents[i].state = agent::State::Idle;
                self.shared.registered.fetch_add(1, Relaxed);
            }
        }
    }

    pub(super) fn invite(&mut self, invite: &Message, from: SocketAddr) {
        let uri = invite.start.split(' ').nth(1).and_then(|uri| uri.strip_prefix("sip:")).unwrap_or_default();
        let agent = uri.split('@').next().and_then(|name| self.names.get(name)).copied();
        let caller = invite.user_of("From").and_then(|number| self.names.get(number)).copied();
        let (Some(agent), Some(caller)) = (agent, caller) else {
            *self
                .counts
                .failures
                .entry("an agent's INVITE names no caller of ours".to_owned())
                .or_default() += 1;
            return send(&self.agent_sip, &invite.response(404, "Not Found", "x").bytes(), from);
        };
        let now = self.now();
        if let caller::State::Up(up) = &self.callers[caller].state
            && let (Some(pressed), true) =
                (up.pressed, invite.get("To").is_some_and(|to| !to.contains(";tag=")))
        {
            self.counts.key_to_invite.push((now - pressed) / 1000);
        }
        let instant = self.instant(now);
        let answers = match self.agents[agent].invited(invite, (caller, self.callers[caller].call), instant) {
            Ok(answers) => answers,
            Err(why) => {
                if self.plan.web {
                    self.fail(caller, &why);
                }
                return send(&self.agent_sip, &invite.response(486, "Busy Here", "x").bytes(), from);
            }
        };
        let first = answers[0].is_some();
        for answer in answers.into_iter().flatten() {
            send(&self.agent_sip, &answer, from);
        }
        if first {
            let generation = self.agents[agent].generation;
            self.timers.set(now + agent as u64 * 3_700_001 % FRAME, Timer::AgentPacket(agent, generation));
            self.timers.set(now + u64::from(T1) * MS, Timer::ResendOk(agent, generation));
            self.serve(agent);
        }
    }

    /// The agent's call a message belongs to.
    pub(super) fn agent_in(&mut self, message: &Message) -> Option<&mut agent::Up> {
        let id = message.get("Call-ID")?;
        self.agents.iter_mut().find_map(|agent| match &mut agent.state {
            agent::State::Up(up) if up.call_id == id => Some(up),
            agent::State::Up(_) | agent::State::Idle | agent::State::Registering { .. } => None,
        })
    }

    pub(super) fn agent_left(&mut self, bye: &Message) {
        let Some(up) = self.agent_in(bye) else { return };
        let (call, sent, id) = (up.call, up.talker.sent, up.call_id.clone());
        self.flows[call].said_by_agent = sent;
        let mine = |agent: &&mut Agent| matches!(&agent.state, agent::State::Up(up) if up.call_id == id);
        if let Some(agent) = self.agents.iter_mut().find(mine) {
            agent.state = agent::State::Idle;
        }
    }
}
