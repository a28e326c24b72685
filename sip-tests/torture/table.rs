//! What each message of RFC 4475 and RFC 5118 deserves from a user agent server that knows no user of
//! these domains, reasoned from those RFCs and RFC 3261. The order of checks is that of RFC 3261 §8.2:
//! method, Request-URI and To, merged requests, Require, content. A registrar challenges first (§10.3).

/// What answers a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// One final response with one of these statuses.
    Status(&'static [u16]),
    /// Nothing.
    Silence,
    /// One of these, or nothing: there is too little to build a response from.
    StatusOrSilence(&'static [u16]),
}

impl Expect {
    /// Whether these final responses are what was expected.
    pub(super) fn fits(self, finals: &[u16]) -> bool {
        match (self, finals) {
            (Self::Status(wanted), [first, rest @ ..]) => {
                // Over UDP the same refusal may come again before its ACK arrives.
                wanted.contains(first) && rest.iter().all(|status| status == first)
            }
            (Self::StatusOrSilence(_) | Self::Silence, []) => true,
            (Self::StatusOrSilence(wanted), [status]) => wanted.contains(status),
            (Self::Status(_), []) | (Self::Silence | Self::StatusOrSilence(_), _) => false,
        }
    }
}

/// What becomes of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    /// The answer is that of UDP, and the connection serves on.
    Lives,
    /// Framing is lost: the answer, then the end (RFC 3261 §18.3).
    Closes(Expect),
    /// The message is not complete: the server must wait for the rest.
    Waits,
    /// The answer; whether the connection lives is the server's choice.
    Either(Expect),
}

/// One message's line in the table.
pub(super) struct Row {
    pub(super) udp: Expect,
    pub(super) tcp: Over,
    pub(super) why: &'static str,
}

use Expect::{Silence, Status, StatusOrSilence};
use Over::{Closes, Either, Lives, Waits};

/// A REGISTER without credentials: challenged, or refused for a domain or user that is not ours.
const REGISTER: Expect = Status(&[401, 403, 404]);
/// An INVITE to a number that is not ours.
const UNKNOWN: Expect = Status(&[404]);

/// The line of a message; panics for a name the table does not have.
pub(super) fn row(name: &str) -> Row {
    let (udp, tcp, why) = match name {
        // RFC 4475 §3.1.1: legal
        // Its To has a tag, so it belongs to a dialog, which is none of ours (RFC 3261 §12.2.2).
        "wsinv" => (Status(&[481]), Lives, "legal: folding, spaces, compact forms, an unknown header"),
        "intmeth" => (Status(&[405, 501]), Lives, "legal, with a method nobody knows (RFC 3261 §8.2.1)"),
        "esc01" => (UNKNOWN, Lives, "legal: %-escapes are part of the user name"),
        "escnull" => (REGISTER, Lives, "legal: an escaped NUL is a character like others"),
        "esc02" => {
            (Status(&[405, 501]), Lives, "the method is RE%47IST%45R, not REGISTER: % is no escape there")
        }
        "lwsdisp" => (Status(&[200]), Lives, "legal: no space between display name and <"),
        "longreq" => (UNKNOWN, Lives, "legal: long values, 34 Via fields"),
        "dblreq" => (
            // A stream has no extra octets: the INVITE after the REGISTER is a message of its own.
            REGISTER,
            Either(Status(&[401, 403, 404])),
            "over UDP what follows the first message is ignored",
        ),
        "semiuri" => (Status(&[200]), Lives, "legal: the user part has semicolons and an escaped @"),
        "transports" => (Status(&[200]), Lives, "legal: unknown transports below the topmost Via"),
        "mpart01" => {
            (Status(&[405, 501]), Lives, "a legal MESSAGE with binary parts; MESSAGE is not offered")
        }
        "unreason" => (Silence, Lives, "a response to nothing we asked, with UTF-8 in its reason"),
        "noreason" => (Silence, Lives, "a response to nothing we asked, without a reason"),
        // RFC 4475 §3.1.2: invalid
        "badinv01" => (Status(&[400]), Lives, "stray separators in Via and Contact"),
        "clerr" => (
            Status(&[400]),
            Waits,
            "Content-Length 9999: too long for the datagram; a stream has more to come",
        ),
        "ncl" => {
            (Status(&[400]), Closes(StatusOrSilence(&[400])), "a negative length: nobody knows where it ends")
        }
        "scalar02" => (Status(&[400]), Lives, "CSeq over 2**31 (and Max-Forwards over 255)"),
        "scalarlg" => (Silence, Lives, "a response to nothing, its CSeq over 2**31"),
        "quotbal" => (Status(&[400]), Lives, "an unfinished quoted string in To"),
        "ltgtruri" => (Status(&[400, 404]), Lives, "Request-URI in <>: refuse, or take it without them"),
        "lwsruri" => (Status(&[400]), Lives, "white space within the Request-URI"),
        "lwsstart" => {
            (Status(&[400, 404]), Lives, "two spaces in the request line: refuse, or take it as one")
        }
        "trws" => {
            (Status(&[400, 200]), Lives, "spaces at the end of the request line: refuse, or pass over them")
        }
        "escruri" => (Status(&[400]), Lives, "header fields in a Request-URI (RFC 3261 §19.1.1)"),
        "baddate" => (Status(&[400, 404]), Lives, "Date not in GMT: refuse, or do not read Date at all"),
        "regbadct" => {
            (Status(&[400, 401, 403, 404]), Lives, "a Contact with ? outside <>; the challenge comes first")
        }
        "badaspec" => (Status(&[400, 200]), Lives, "spaces within <> of To: refuse, or pass over them"),
        "baddn" => (
            Status(&[400, 200]),
            Either(StatusOrSilence(&[400])),
            "display names that want quotes; no blank line at its end",
        ),
        "badvers" => (Status(&[505]), Lives, "SIP/7.0 (RFC 3261 §21.5.6)"),
        "mismatch01" => (Status(&[400]), Lives, "the method differs from that in CSeq (RFC 3261 §8.1.1.5)"),
        "mismatch02" => (Status(&[400, 405, 501]), Lives, "the same with an unknown method"),
        "bigcode" => (Silence, Lives, "a response with a status over 2**32"),
        // RFC 4475 §3.2 - 3.4
        "badbranch" => (Status(&[200, 400]), Lives, "the magic cookie and nothing after it"),
        "insuf" => (StatusOrSilence(&[400]), Lives, "no Call-ID, From or To: ideally a 400 (§3.3.1)"),
        "unkscm" => (Status(&[416]), Lives, "a Request-URI of an unknown scheme"),
        "novelsc" => (Status(&[416]), Lives, "a Request-URI of a known scheme that is not SIP's"),
        "unksm2" => {
            (Status(&[400, 401, 403, 404, 416]), Lives, "REGISTER for a To of a scheme that cannot be an AOR")
        }
        "bext01" => (Status(&[420]), Lives, "Require of unknown extensions (RFC 3261 §8.2.2.3)"),
        "invut" => (Status(&[415, 404]), Lives, "an unknown content type, for a user who is not here"),
        "regaut01" => (Status(&[401, 403]), Lives, "an unknown authentication scheme: challenged with ours"),
        "multi01" => (Status(&[400]), Lives, "several values where one is allowed"),
        "mcl01" => {
            (Status(&[400]), Closes(StatusOrSilence(&[400])), "two lengths: nobody knows where it ends")
        }
        "bcast" => (Silence, Lives, "a response to nothing, with a broadcast address to send it on to"),
        "zeromf" => (Status(&[200, 483]), Lives, "Max-Forwards 0 concerns proxies only"),
        "cparam01" | "cparam02" => (REGISTER, Lives, "legal, with an unknown parameter of Contact"),
        "regescrt" => (REGISTER, Lives, "legal, with a header field in the Contact's URI"),
        "sdp01" => (Status(&[406, 404]), Lives, "Accept leaves out SDP; the user is not here"),
        "inv2543" => (
            // RFC 3261 §18.3: on a stream a request without Content-Length has no end.
            UNKNOWN,
            Either(StatusOrSilence(&[400, 404])),
            "legal by RFC 2543: no tag, no branch, no Max-Forwards, no Content-Length",
        ),
        "test" => (
            StatusOrSilence(&[400, 505]),
            Either(StatusOrSilence(&[400, 505])),
            "no version, no Via: not a SIP/2.0 message",
        ),
        // RFC 5118
        "ipv6-good" | "port-unambiguous" => (REGISTER, Lives, "legal IPv6 references"),
        "port-ambiguous" => (REGISTER, Lives, "legal: what looks like a port is part of the address (§4.3)"),
        "ipv6-bad" => (Status(&[400]), Lives, "an IPv6 address without [] as the Request-URI's host"),
        "via-received-param-no-delim" => (Status(&[200]), Lives, "received without []"),
        "via-received-param-with-delim" => (Status(&[481]), Lives, "received with [], in a BYE of no dialog"),
        "ipv6-in-sdp" | "mult-ip-in-sdp" | "ipv4-mapped-ipv6" => {
            (Status(&[404, 488]), Lives, "legal IPv6 in SDP, for a user who is not here")
        }
        "mult-ip-in-header" => (Status(&[481]), Lives, "IPv4 and IPv6 in Via fields, in a BYE of no dialog"),
        "ipv6-bug-abnf-3-colons" => {
            (Status(&[200, 400]), Lives, "three colons: RFC 3261's grammar allows them, RFC 5954's does not")
        }
        "ipv6-correct-abnf-2-colons" => (Status(&[200]), Lives, "two colons before the IPv4 part"),
        other => panic!("{other} is not in the table"),
    };
    Row { udp, tcp, why }
}

#[test]
fn every_message_has_its_row() {
    for case in sipx_testkit::rfc4475::CASES {
        assert!(!row(case.name).why.is_empty());
    }
    for case in sipx_testkit::rfc5118::CASES {
        assert!(!row(case.name).why.is_empty());
    }
}
