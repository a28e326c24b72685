//! The little SIP that scripted callers and agents need: read and write messages, answer a digest
//! challenge, offer and read G.711 in SDP. Not the server's parser, so that a fault in one is not
//! hidden by the same fault in the other.

use std::fmt::Write as _;
use std::net::SocketAddr;

use md5::{Digest as _, Md5};

/// A SIP message, split into lines. Header names keep their spelling; lookups ignore case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Request line or status line.
    pub(crate) start: String,
    /// Header fields in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one message; `None` when the blank line is missing.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n").skip_while(|line| line.is_empty());
        let start = lines.next()?.to_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = headers.last_mut()
            {
                value.push(' ');
                value.push_str(line.trim());
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Some(Self { start, headers, body: bytes[end + 4..].to_vec() })
    }

    /// A request: Via with `branch`, Max-Forwards, From, To, Call-ID, CSeq.
    #[must_use]
    pub(crate) fn request(method: &str, uri: &str, via: &str, ids: &Ids) -> Self {
        Self {
            start: format!("{method} {uri} SIP/2.0"),
            headers: pairs(&[
                ("Via", via),
                ("Max-Forwards", "70"),
                ("From", &ids.from),
                ("To", &ids.to),
                ("Call-ID", &ids.call_id),
                ("CSeq", &format!("{} {method}", ids.cseq)),
            ]),
            body: Vec::new(),
        }
    }

    /// A response to this request, with `tag` on To unless one is there.
    #[must_use]
    pub(crate) fn response(&self, status: u16, reason: &str, tag: &str) -> Self {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let is = |wanted: &str| same(name, wanted);
            if is("To") && !value.contains(";tag=") {
                headers.push((name.clone(), format!("{value};tag={tag}")));
            } else if is("Via") || is("From") || is("To") || is("Call-ID") || is("CSeq") || is("Record-Route")
            {
                headers.push((name.clone(), value.clone()));
            }
        }
        Self { start: format!("SIP/2.0 {status} {reason}"), headers, body: Vec::new() }
    }

    /// Adds a header field.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body and its type.
    #[must_use]
    pub(crate) fn with_body(mut self, kind: &str, body: &str) -> Self {
        self.headers.push(("Content-Type".to_owned(), kind.to_owned()));
        self.body = body.as_bytes().to_vec();
        self
    }

    /// The bytes for the wire, Content-Length included.
    #[must_use]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n"); // writing to a String cannot fail
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The status of a response.
    #[must_use]
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The method of a request.
    #[must_use]
    pub(crate) fn method(&self) -> Option<&str> {
        if self.start.starts_with("SIP/") { None } else { self.start.split(' ').next() }
    }

    /// The first field of this name (compact forms included).
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| same(n, name)).map(|(_, value)| value.as_str())
    }

    /// All fields of this name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| same(n, name)).map(|(_, value)| value.as_str())
    }

    /// CSeq: number and method.
    #[must_use]
    pub(crate) fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.get("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }

    /// The URI inside a field such as Contact: what stands in `<>`, or the whole up to `;`.
    #[must_use]
    pub(crate) fn uri_of(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        match value.split_once('<') {
            Some((_, rest)) => rest.split('>').next(),
            None => value.split(';').next(),
        }
    }

    /// The user part of the URI in a field.
    #[must_use]
    pub(crate) fn user_of(&self, name: &str) -> Option<&str> {
        let uri = self.uri_of(name)?;
        uri.split_once(':')?.1.split_once('@').map(|(user, _)| user)
    }
}

/// What names a request's dialog and its place in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// From, with its tag.
    pub(crate) from: String,
    /// To, with its tag once there is one.
    pub(crate) to: String,
    /// Call-ID.
    pub(crate) call_id: String,
    /// CSeq number.
    pub(crate) cseq: u32,
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Field names are equal without regard to case, and in compact form (RFC 3261 §7.3.3).
fn same(a: &str, b: &str) -> bool {
    fn long(name: &str) -> &str {
        match name {
            "v" | "V" => "Via",
            "f" | "F" => "From",
            "t" | "T" => "To",
            "i" | "I" => "Call-ID",
            "m" | "M" => "Contact",
            "l" | "L" => "Content-Length",
            "c" | "C" => "Content-Type",
            other => other,
        }
    }
    long(a).eq_ignore_ascii_case(long(b))
}

/// Answers the first digest challenge this client knows (SHA-256 or MD5, `qop=auth`; RFC 7616).
#[must_use]
pub(crate) fn authorize(
    challenges: &Message,
    (user, password): (&str, &str),
    (method, uri): (&str, &str),
) -> Option<String> {
    let challenge =
        challenges.all("WWW-Authenticate").chain(challenges.all("Proxy-Authenticate")).find(|challenge| {
            match parameter(challenge, "algorithm") {
                Some(name) => name.eq_ignore_ascii_case("MD5") || name.eq_ignore_ascii_case("SHA-256"),
                None => true,
            }
        })?;
    let algorithm = parameter(challenge, "algorithm").unwrap_or("MD5");
    let hash = |text: String| {
        if algorithm.eq_ignore_ascii_case("MD5") {
            hex::encode(Md5::digest(text))
        } else {
            hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
        }
    };
    let (realm, nonce) = (parameter(challenge, "realm")?, parameter(challenge, "nonce")?);
    let cnonce = hash(format!("{nonce}{user}"))[..16].to_owned();
    let secret = hash(format!("{user}:{realm}:{password}"));
    let asked = hash(format!("{method}:{uri}"));
    let response = hash(format!("{secret}:{nonce}:00000001:{cnonce}:auth:{asked}"));
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={algorithm}, cnonce=\"{cnonce}\", qop=auth, nc=00000001"
    ))
}

fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let parameters = challenge.split_once(' ')?.1;
    let (_, value) = parameters
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"'))
}

/// An SDP body with one audio stream: PCMA or PCMU (payload types 8 and 0, in this order) and
/// telephone-event 101. `direction` is one of `sendrecv`, `sendonly`, `recvonly`, `inactive`.
#[must_use]
pub(crate) fn sdp(rtp: SocketAddr, payload_types: &[u8], direction: &str, version: u32) -> String {
    let list: Vec<String> = payload_types.iter().map(u8::to_string).collect();
    let ip = rtp.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {} 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n",
        rtp.port(),
        list.join(" "),
    )
}

/// Where the peer of this SDP wants its audio, and the first payload type it lists.
#[must_use]
pub(crate) fn audio_of(body: &[u8]) -> Option<(SocketAddr, u8)> {
    let text = std::str::from_utf8(body).ok()?;
    let field = |prefix: &str| text.lines().find_map(|line| line.strip_prefix(prefix));
    let ip = field("c=IN IP4 ").or_else(|| field("c=IN IP6 "))?.split('/').next()?.trim();
    let mut words = field("m=audio ")?.split_whitespace();
    let port: u16 = words.next()?.parse().ok()?;
    let payload_type = words.nth(1)?.parse().ok()?;
    Some((SocketAddr::new(ip.parse().ok()?, port), payload_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_wire() {
        let ids =
            Ids { from: "<sip:a@x>;tag=1".into(), to: "<sip:b@x>".into(), call_id: "c1".into(), cseq: 7 };
        let sent = Message::request("INVITE", "sip:b@x", "SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK1", &ids)
            .with_body("application/sdp", "v=0\r\n");
        let read = Message::parse(&sent.bytes()).expect("a whole message");
        assert_eq!(read.method(), Some("INVITE"));
        assert_eq!(read.cseq(), Some((7, "INVITE")));
        assert_eq!(read.body, b"v=0\r\n");
        let answer = read.response(200, "OK", "t9");
        assert_eq!(answer.get("t"), Some("<sip:b@x>;tag=t9"));
        assert_eq!(answer.status(), Some(200));
        assert_eq!(answer.user_of("From"), Some("a"));
    }

    #[test]
    fn the_first_known_challenge_is_answered() {
        let challenge = Message::parse(
            b"SIP/2.0 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512\r\n\
              WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\", algorithm=MD5\r\n\r\n",
        )
        .expect("a message");
        let answer = authorize(&challenge, ("u", "p"), ("REGISTER", "sip:r")).expect("MD5 is known");
        let cnonce = parameter(&answer, "cnonce").expect("a cnonce");
        let md5 = |text: String| hex::encode(Md5::digest(text));
        let expected =
            md5(format!("{}:n:00000001:{cnonce}:auth:{}", md5("u:r:p".into()), md5("REGISTER:sip:r".into())));
        assert_eq!(parameter(&answer, "response"), Some(expected.as_str()));
    }

    #[test]
    fn sdp_is_read_back() {
        let rtp = "127.0.0.1:4000".parse().expect("an address");
        assert_eq!(audio_of(sdp(rtp, &[8, 0], "sendrecv", 1).as_bytes()), Some((rtp, 8)));
        assert_eq!(audio_of(b"v=0\r\n"), None);
    }
}
