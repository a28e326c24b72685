//! The audit events that are of no call: the server's own, strangers, limits.

use std::net::SocketAddr;

use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::{CallId, LegId, RecordingId, TrunkId};
use crate::time::Timestamp;

pub(super) fn started(at: Timestamp) -> AuditEvent {
    server("server.started", at)
}

pub(super) fn stopped(at: Timestamp) -> AuditEvent {
    server("server.stopped", at)
}

/// An unknown source was refused and is ignored for a while. Its address is personal data.
pub(super) fn stranger_refused(remote: SocketAddr, until: Timestamp, at: Timestamp) -> AuditEvent {
    AuditEvent::new(Class::Failure, Actor::System, at, "stranger.refused", Object::new("source", "sip"))
        .about(Some(remote.to_string()))
        .new_value(Some(Value::plain(format!("ignored until {until}"))))
}

/// Somebody did this so many times since the last row: `login.failed` (a wrong user name or password),
/// `request.spoofed` (what only the other side of a call may send).
pub(super) fn by_somebody(action: &'static str, remote: SocketAddr, times: u64, at: Timestamp) -> AuditEvent {
    AuditEvent::new(Class::Failure, Actor::System, at, action, Object::new("source", "sip"))
        .about(Some(remote.to_string()))
        .new_value(Some(Value::plain(format!("{times} times"))))
}

/// The same, more often than rows were written for it.
pub(super) fn by_many(action: &'static str, times: u64, at: Timestamp) -> AuditEvent {
    AuditEvent::new(Class::Failure, Actor::System, at, action, Object::new("source", "sip"))
        .new_value(Some(Value::plain(format!("{times} more times"))))
}

/// A trunk called more than it may.
pub(super) fn limited(trunk: &TrunkId, at: Timestamp) -> AuditEvent {
    let actor = Actor::Trunk(trunk.clone());
    AuditEvent::new(Class::Failure, actor, at, "call.limited", Object::new("trunk", trunk))
}

/// We are registered at a trunk's server, or not any more.
pub(super) fn trunk_registered(
    trunk: &TrunkId,
    result: Result<(), Option<u16>>,
    at: Timestamp,
) -> AuditEvent {
    let what = Object::new("trunk", trunk);
    match result {
        Ok(()) => AuditEvent::new(Class::System, Actor::System, at, "trunk.registered", what)
            .new_value(Some(Value::plain("registered"))),
        Err(status) => {
            let why =
                status.map_or_else(|| "no answer".to_owned(), |status| format!("refused with {status}"));
            AuditEvent::new(Class::Failure, Actor::System, at, "trunk.unregistered", what)
                .new_value(Some(Value::plain(why)))
        }
    }
}

/// So many speak with one another.
pub(super) fn conference(call: CallId, legs: &[u16], at: Timestamp) -> AuditEvent {
    let legs: Vec<String> = legs.iter().map(u16::to_string).collect();
    AuditEvent::new(Class::System, Actor::System, at, "call.conference", Object::new("call", call))
        .new_value(Some(Value::plain(format!("legs {}", legs.join(", ")))))
}

/// Somebody asked something of a call that no fact of the call tells by whom.
pub(super) fn asked(
    call: CallId,
    who: Actor,
    class: Class,
    action: &'static str,
    at: Timestamp,
) -> AuditEvent {
    AuditEvent::new(class, who, at, action, Object::new("call", call))
}

/// A leg whose audio may be sealed is not: the other side cannot.
pub(super) fn leg_in_the_open(leg: LegId, at: Timestamp) -> AuditEvent {
    let what = Object::new("leg", leg).attribute("srtp");
    AuditEvent::new(Class::Failure, Actor::System, at, "leg.unsealed", what)
        .new_value(Some(Value::plain("plain RTP")))
}

/// A file in the spool that no row knows.
pub(super) fn stray_file(id: RecordingId, at: Timestamp) -> AuditEvent {
    AuditEvent::new(Class::Failure, Actor::System, at, "recording.stray", Object::new("recording", id))
}

/// What was left of a recording whose key is gone was removed from the spool.
pub(super) fn noise_removed(id: RecordingId, files: &[String], at: Timestamp) -> AuditEvent {
    AuditEvent::new(Class::Modify, Actor::System, at, "recording.noise-removed", Object::new("recording", id))
        .new_value(Some(Value::plain(files.join(", "))))
}

fn server(action: &'static str, at: Timestamp) -> AuditEvent {
    let version = Value::plain(env!("CARGO_PKG_VERSION"));
    AuditEvent::new(Class::System, Actor::System, at, action, Object::new("server", "sayso"))
        .new_value(Some(version))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::scene;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_tells_that_it_began_and_that_it_ended() {
        let (_dir, server) = scene::server().await;
        let store = server.store().clone();
        let row = format!("system system server sayso: nothing -> {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(store.told("server.started").await, std::slice::from_ref(&row));
        assert!(store.told("server.stopped").await.is_empty());
        server.drain(Duration::ZERO, std::future::ready(())).await;
        assert_eq!(store.told("server.stopped").await, [row]);
    }
}
