//! Counts messages by what their first bytes say, without reading them.

use metrics::{counter, gauge};

use super::Status;
use crate::sip::core::Transport;

const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "INFO",
    "PRACK",
    "UPDATE",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "PUBLISH",
];

/// Which way a message goes.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// Counts one message. A chunk of a TCP stream counts when a message begins it, which is nearly always.
pub(super) fn message(bytes: &[u8], transport: Transport, way: Way) {
    let direction = match way {
        Way::In => "in",
        Way::Out => "out",
    };
    match kind(bytes) {
        Kind::Request(method) => {
            counter!("sayso_sip_requests_total", "method" => method, "direction" => direction).increment(1);
        }
        Kind::Response(class) => {
            counter!("sayso_sip_responses_total", "class" => class, "direction" => direction).increment(1);
        }
        Kind::Other => match transport {
            Transport::Udp => {
                counter!("sayso_sip_requests_total", "method" => "other", "direction" => direction)
                    .increment(1);
            }
            // Most likely the rest of a message, or a keep-alive.
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {}
        },
    }
}

/// Shows how full the tables are, and what limits have refused.
pub(super) fn status(status: &Status) {
    let core = &status.core;
    for (table, size) in [
        ("dialogs", core.dialogs),
        ("client_transactions", core.client_transactions),
        ("server_transactions", core.server_transactions),
        ("timers", core.timers),
        ("registrations", core.registrations),
        ("connections", status.connections),
    ] {
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        gauge!("sayso_sip_table", "table" => table).set(size as f64);
    }
    let refused = &status.refusals;
    for (what, count) in [
        ("trunk-request", refused.trunk_requests),
        ("peer-request", refused.peer_requests),
        ("stranger-request", refused.stranger_requests),
        ("stranger-answer", refused.answers),
        ("log-in", refused.log_ins),
        ("overload", refused.overload),
    ] {
        counter!("sayso_sip_refused_total", "what" => what).absolute(count);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Request(&'static str),
    Response(&'static str),
    Other,
}

fn kind(bytes: &[u8]) -> Kind {
    if let Some(status) = bytes.strip_prefix(b"SIP/2.0 ") {
        return match status.first() {
            Some(b'1') => Kind::Response("1xx"),
            Some(b'2') => Kind::Response("2xx"),
            Some(b'3') => Kind::Response("3xx"),
            Some(b'4') => Kind::Response("4xx"),
            Some(b'5') => Kind::Response("5xx"),
            Some(b'6') => Kind::Response("6xx"),
            Some(_) | None => Kind::Other,
        };
    }
    let is =
        |method: &&&str| bytes.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.starts_with(b" "));
    METHODS.iter().find(is).map_or(Kind::Other, |method| Kind::Request(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_kind() {
        assert_eq!(kind(b"INVITE sip:a@b SIP/2.0\r\n"), Kind::Request("INVITE"));
        assert_eq!(kind(b"INVITED sip:a@b SIP/2.0\r\n"), Kind::Other);
        assert_eq!(kind(b"SIP/2.0 486 Busy Here\r\n"), Kind::Response("4xx"));
        assert_eq!(kind(b"SIP/2.0 "), Kind::Other);
        assert_eq!(kind(b""), Kind::Other);
    }
}
