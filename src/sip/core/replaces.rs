//! Replaces (RFC 3891): in an INVITE, which takes the place of a dialog of ours; in Refer-To URIs, which
//! ask for such an INVITE.

use super::dialog::Dialog;
use super::endpoint::Endpoint;
use super::io::DialogId;
use super::leg::Leg;
use super::respond::Inbound;
use super::wire::{self, HeaderName};

/// A Replaces value, from the view of who holds the dialog it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replaces {
    call_id: String,
    /// The tag of who gets the INVITE.
    to_tag: String,
    /// The tag of the other side; `0` for the absent one of RFC 2543.
    from_tag: String,
    early_only: bool,
}

impl Replaces {
    /// `callid;to-tag=…;from-tag=…[;early-only]`; `None`: malformed (RFC 3891 §6.1).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) =
                part.split_once('=').map_or((part, ""), |(name, value)| (name.trim(), value.trim()));
            let tag = match name.to_ascii_lowercase().as_str() {
                "to-tag" => &mut to_tag,
                "from-tag" => &mut from_tag,
                "early-only" => {
                    early_only = true;
                    continue;
                }
                _ => continue,
            };
            if value.is_empty() || tag.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, early_only })
    }

    /// The value that names this dialog to its other side, escaped for a URI's header part
    /// (RFC 3261 §19.1.1, `hvalue`).
    pub(super) fn for_uri(dialog: &Dialog) -> String {
        let theirs = dialog.remote_tag.as_deref().unwrap_or(b"0");
        let ours = dialog.local_tag.as_bytes();
        let value = [&dialog.call_id[..], b";to-tag=", theirs, b";from-tag=", ours].concat();
        let mut out = String::with_capacity(value.len() + 16);
        for byte in value {
            if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        out
    }
}

impl Endpoint {
    /// The dialog of ours that an INVITE is to take the place of. `Err`: it was answered.
    pub(super) fn replaced(&mut self, inbound: &Inbound) -> Result<Option<DialogId>, ()> {
        let headers = &inbound.request.headers;
        let mut rows = headers.get_all(&HeaderName::Replaces);
        let Some(row) = rows.next() else { return Ok(None) };
        let join = HeaderName::parse(&bytes::Bytes::from_static(b"Join"));
        // RFC 3891 §3: at most one, and not beside Join.
        let alone = rows.next().is_none() && headers.get(&join).is_none();
        let parsed = alone.then(|| Replaces::parse(&String::from_utf8_lossy(&row.value()))).flatten();
        let status = match parsed {
            None => 400,
            Some(replaces) => match self.find_replaced(&replaces).map(|id| (id, self.legs.get(&id))) {
                Some((_, Some(Leg::Live(_)))) if replaces.early_only => 486,
                Some((id, Some(Leg::Live(_)))) => return Ok(Some(id)),
                Some((_, Some(Leg::Leaving(_)))) => 603,
                // An early dialog that we did not begin is not to be replaced; nor is one that we did:
                // nobody picks up a call that rings elsewhere.
                Some((_, Some(Leg::Offered(_) | Leg::Calling(_) | Leg::LoggingOn) | None)) | None => 481,
            },
        };
        self.refuse(inbound, status, &[]);
        Err(())
    }

    /// The dialog of ours with this Call-ID and these tags.
    pub(super) fn find_replaced(&self, replaces: &Replaces) -> Option<DialogId> {
        let id = *self.tags.get(&replaces.to_tag)?;
        let fits = |dialog: &&Dialog| {
            let theirs = dialog.remote_tag.as_deref().unwrap_or(b"0");
            dialog.call_id == replaces.call_id.as_bytes() && theirs == replaces.from_tag.as_bytes()
        };
        self.legs.get(&id)?.dialogs().into_iter().find(fits).map(|_| id)
    }
}

/// The Replaces header that a Refer-To URI asks for; `Err`: malformed.
pub(super) fn in_uri(uri: &wire::Uri) -> Result<Option<Replaces>, ()> {
    let Some(headers) = uri.headers() else { return Ok(None) };
    let mut found = headers.iter().filter(|header| header.has_name("Replaces"));
    let Some(header) = found.next() else { return Ok(None) };
    let text = header.value().and_then(wire::unescape).and_then(|text| String::from_utf8(text).ok());
    match text.and_then(|text| Replaces::parse(&text)) {
        Some(replaces) if found.next().is_none() => Ok(Some(replaces)),
        Some(_) | None => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_refused() {
        let value = Replaces::parse("a@b ;to-tag=1; from-tag = 2;early-only;x=y").unwrap();
        let expected =
            Replaces { call_id: "a@b".into(), to_tag: "1".into(), from_tag: "2".into(), early_only: true };
        assert_eq!(value, expected);
        for bad in [
            "",
            "a",
            "a;to-tag=1",
            "a;to-tag=1;from-tag=",
            ";to-tag=1;from-tag=2",
            "a;to-tag=1;to-tag=1;from-tag=2",
        ] {
            assert_eq!(Replaces::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn uris_hide_what_they_ask_for() {
        let uri = |text: &'static str| wire::Uri::parse(bytes::Bytes::from_static(text.as_bytes())).unwrap();
        let asked = in_uri(&uri("sip:b@h?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2")).unwrap().unwrap();
        assert_eq!(
            (asked.call_id.as_str(), asked.to_tag.as_str(), asked.from_tag.as_str()),
            ("a@b", "1", "2")
        );
        assert!(in_uri(&uri("sip:b@h")).unwrap().is_none());
        assert!(in_uri(&uri("sip:b@h?Subject=x")).unwrap().is_none());
        for bad in [
            "sip:b@h?Replaces=a",
            "sip:b@h?Replaces=",
            "sip:b@h?replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=x",
        ] {
            assert!(in_uri(&uri(bad)).is_err(), "{bad}");
        }
    }
}
