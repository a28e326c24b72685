//! A fact about a call as the one audit event it leaves.

use crate::call::{Fact, Whom};
use crate::consent::{Answered, Basis};
use crate::ids::PhoneNumber;

use super::event::{Actor, AuditEvent, Class, Object, Value};
use super::words::{
    answer_key, answer_word, basis_detail, basis_word, category_word, cause_word, channel_word,
    supervision_word,
};

/// The event that tells of `fact`: exactly one for each.
#[must_use]
pub fn of_fact(fact: &Fact) -> AuditEvent {
    use Class::{Failure, Modify, Read, System};
    let plain = |text: String| Some(Value::Plain(text));
    match fact {
        Fact::Arrived { call, at, from, dialled, trunk, queue, language } => {
            let who = trunk.clone().map_or(Actor::Caller, Actor::Trunk);
            AuditEvent::new(System, who, *at, "call.arrived", Object::new("call", call))
                .about(from.as_ref().map(PhoneNumber::as_e164))
                .new_value(plain(format!("dialled {dialled}, queue {queue}, language {}", language.0)))
        }
        Fact::Decided { call, at, basis } => {
            let what = Object::new("call", call).attribute("recording-basis");
            AuditEvent::new(Modify, decider(basis), *at, "recording.decided", what)
                .new_value(plain(with_detail(basis_word(basis), basis_detail(basis))))
        }
        Fact::ConsentAnswered { call, from, queue, answered } => {
            consent_answered(Object::new("call", call).attribute("consent"), answered)
                .about(from.as_ref().map(PhoneNumber::as_e164))
                .new_value(plain(format!("{}, queue {queue}", describe(answered))))
        }
        Fact::ConsentWithdrawn { call, from, queue, entered_by, at } => {
            let what = Object::new("call", call).attribute("consent");
            let by =
                entered_by.as_ref().map_or_else(String::new, |agent| format!(", entered by agent {agent}"));
            AuditEvent::new(Modify, Actor::Caller, *at, "consent.withdrawn", what)
                .about(from.as_ref().map(PhoneNumber::as_e164))
                .new_value(plain(format!("withdrawn, queue {queue}{by}")))
        }
        Fact::Queued { call, queue, at } => {
            let what = Object::new("call", call).attribute("queue");
            AuditEvent::new(System, Actor::System, *at, "call.queued", what)
                .new_value(plain(queue.to_string()))
        }
        Fact::Dialled { leg, to, at } => {
            let (action, who) = match to {
                Whom::Agent(agent) => ("agent.dialled", Value::plain(agent)),
                Whom::Outside(outside) => {
                    ("outside.dialled", Value::Personal(outside.number.as_e164().into()))
                }
            };
            AuditEvent::new(System, Actor::System, *at, action, Object::new("leg", leg)).new_value(Some(who))
        }
        Fact::Admitted { leg, agent, replaces, at } => {
            let who = agent.clone().map_or(Actor::System, Actor::Agent);
            AuditEvent::new(System, who, *at, "leg.admitted", Object::new("leg", leg))
                .new_value(replaces.map(|old| Value::Plain(format!("replaces {old}"))))
        }
        Fact::Connected { leg, at } => {
            AuditEvent::new(System, Actor::System, *at, "call.connected", Object::new("leg", leg))
        }
        Fact::LegEnded { leg, at, cause } => {
            AuditEvent::new(System, Actor::System, *at, "leg.ended", Object::new("leg", leg))
                .new_value(plain(cause_word(*cause).to_owned()))
        }
        Fact::Overridden { call, agent, reason, at } => {
            let what = Object::new("call", call).attribute(category_word(reason.category));
            AuditEvent::new(Modify, Actor::Agent(agent.clone()), *at, "consent.overridden", what)
                .new_value(Some(Value::Personal(reason.text.0.clone())))
        }
        Fact::Paused { call, agent, on, at } => {
            let who = agent.clone().map_or(Actor::System, Actor::Agent);
            let (action, old, new) = if *on {
                ("recording.paused", "recording", "paused")
            } else {
                ("recording.resumed", "paused", "recording")
            };
            AuditEvent::new(Modify, who, *at, action, Object::new("call", call).attribute("recording"))
                .old(plain(old.to_owned()))
                .new_value(plain(new.to_owned()))
        }
        Fact::RecordingFailed { call, at } => {
            let what = Object::new("call", call).attribute("recording");
            AuditEvent::new(Failure, Actor::System, *at, "recording.impossible", what)
                .new_value(plain("not recorded".to_owned()))
        }
        Fact::Returned { call, agent, cause, at } => {
            let to = agent.as_ref().map_or_else(|| "anyone".to_owned(), |agent| format!("agent {agent}"));
            AuditEvent::new(System, Actor::System, *at, "call.returned", Object::new("call", call))
                .new_value(plain(format!("{to}: {}", cause_word(*cause))))
        }
        Fact::Consulted { call, by, queue, agent, outside, at }
        | Fact::Transferred { call, by, queue, agent, outside, at } => {
            let to = match (queue, agent) {
                (Some(queue), Some(agent)) => format!("queue {queue}, agent {agent}"),
                (Some(queue), None) => format!("queue {queue}"),
                (None, Some(agent)) => format!("agent {agent}"),
                (None, None) => "a number outside".to_owned(),
            };
            let number = outside.as_ref().map(PhoneNumber::as_e164);
            AuditEvent::new(
                System,
                Actor::Agent(by.clone()),
                *at,
                if matches!(fact, Fact::Consulted { .. }) { "call.consulted" } else { "call.transferred" },
                Object::new("call", call),
            )
            .about(number)
            .new_value(plain(to))
        }
        Fact::Lost { call, leg, agent, at } => {
            let what = Object::new("call", call).attribute("agent");
            AuditEvent::new(Failure, Actor::Agent(agent.clone()), *at, "agent.lost", what)
                .new_value(plain(format!("leg {}", leg.n)))
        }
        Fact::Reattached { call, agent, lost, leg, at } => {
            let what = Object::new("call", call).attribute("agent");
            AuditEvent::new(System, Actor::Agent(agent.clone()), *at, "agent.reattached", what)
                .old(plain(format!("leg {}", lost.n)))
                .new_value(plain(format!("leg {}", leg.n)))
        }
        Fact::Supervised { call, leg: _, by, mode, was, at } => {
            let what = Object::new("call", call).attribute("supervision");
            AuditEvent::new(Read, Actor::User(by.clone()), *at, "call.supervised", what)
                .old(was.map(|was| Value::plain(supervision_word(was))))
                .new_value(plain(supervision_word(*mode).to_owned()))
        }
        Fact::SuperviseEnded { call, leg: _, by, at } => {
            let what = Object::new("call", call).attribute("supervision");
            AuditEvent::new(Read, Actor::User(by.clone()), *at, "call.supervision-ended", what)
                .new_value(plain("none".to_owned()))
        }
        Fact::Ended { call, at, cause } => {
            AuditEvent::new(System, Actor::System, *at, "call.ended", Object::new("call", call))
                .new_value(plain(cause_word(*cause).to_owned()))
        }
    }
}

fn consent_answered(what: Object, answered: &Answered) -> AuditEvent {
    let action = if answered.answer.agreed() { "consent.given" } else { "consent.refused" };
    AuditEvent::new(Class::Modify, Actor::Caller, answered.at, action, what)
}

fn describe(answered: &Answered) -> String {
    let word = answer_word(answered.answer);
    let key = answer_key(answered.answer).map_or_else(String::new, |(digit, channel)| {
        format!(" (key {} by {})", digit.as_char(), channel_word(channel))
    });
    format!("{word}{key}, question {} in {}", answered.question_sha256, answered.language.0)
}

/// Who made a decision on recording: the agent who overrides, else the rules.
fn decider(basis: &Basis) -> Actor {
    match basis {
        Basis::Override { agent, .. } => Actor::Agent(agent.clone()),
        Basis::Agreed(_) | Basis::Refused(_) | Basis::Withdrawn(_) => Actor::Caller,
        Basis::Never
        | Basis::Legal(_)
        | Basis::AgreedEarlier(_)
        | Basis::RefusedEarlier(_)
        | Basis::NotStored => Actor::System,
    }
}

fn with_detail(word: &str, detail: Option<String>) -> String {
    detail.map_or_else(|| word.to_owned(), |detail| format!("{word}: {detail}"))
}
