//! Just enough of SIP URIs for comparing two of them: digest credentials with the request they came
//! with, and a REGISTER's contact with the bindings there are.

/// A URI taken apart. Borrowed; nothing is unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uri<'a> {
    /// `sip`, `sips`, `tel`, …
    pub(crate) scheme: &'a str,
    /// The user part, with its password if it has one.
    pub(crate) user: Option<&'a str>,
    /// The host, an IPv6 address with its brackets.
    pub(crate) host: &'a str,
    /// The port, if it is written and is a number.
    pub(crate) port: Option<u16>,
    /// What follows the first `;`, without the headers after `?`.
    pub(crate) params: &'a str,
}

impl<'a> Uri<'a> {
    /// Takes `text` apart (RFC 3261 §19.1.1); `None` when it has no scheme or no host.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(':')?;
        // The user part may hold `;` and `?`, so it goes first.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        let (hostport, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_port(hostport)?;
        (!host.is_empty() && !scheme.is_empty()).then_some(Self { scheme, user, host, port, params })
    }

    /// Whether both name the same user at the same host and port; parameters do not count.
    pub(crate) fn same_place(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.user == other.user
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port_or_default() == other.port_or_default()
    }

    /// RFC 3261 §19.1.4, but for escapes and for the port: here an absent port equals the default.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.same_place(other) && params_agree(self, other) && params_agree(other, self)
    }

    fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.scheme.eq_ignore_ascii_case("sips") { 5061 } else { 5060 })
    }

    fn param(&self, name: &str) -> Option<&'a str> {
        split_params(self.params).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Whether two texts are the same URI; texts that are no URIs are compared as they are.
pub(crate) fn same(a: &str, b: &str) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        (Some(a), Some(b)) => a.same(&b),
        _ => a == b,
    }
}

/// Each parameter of `a` agrees with `b`: these five must be in both or in neither, others may be absent.
fn params_agree(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    const TELLING: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    split_params(a.params).all(|(name, value)| match b.param(name) {
        Some(other) => other.eq_ignore_ascii_case(value),
        None => !TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(name)),
    })
}

fn split_params(params: &str) -> impl Iterator<Item = (&str, &str)> {
    params
        .split(';')
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').map_or((p, ""), |(name, value)| (name.trim(), value.trim())))
}

fn split_port(hostport: &str) -> Option<(&str, Option<u16>)> {
    if hostport.starts_with('[') {
        let (host, rest) = hostport.split_at(hostport.find(']')? + 1);
        return Some((host, rest.strip_prefix(':').and_then(|port| port.parse().ok())));
    }
    Some(match hostport.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (hostport, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_compared_as_uris() {
        for (a, b) in [
            ("sip:ada@10.0.0.1", "sip:ada@10.0.0.1:5060"),
            ("SIP:ada@Example.COM", "sip:ada@example.com"),
            ("sip:ada@h;ob;transport=tcp", "sip:ada@h;transport=TCP"),
            ("sip:ada@[2001:DB8::1]:5062;x=1", "sip:ada@[2001:db8::1]:5062;y=2"),
            ("not a uri", "not a uri"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("sip:ada@h", "sip:Ada@h"),
            ("sip:ada@h", "sips:ada@h"),
            ("sip:ada@h:5070", "sip:ada@h"),
            ("sip:ada@h;transport=tcp", "sip:ada@h"),
            ("sip:ada@h", "sip:ada@h;transport=tcp"),
            ("sip:ada@h;x=1", "sip:ada@h;x=2"),
            ("sip:[::1]:5060", "sip:[::2]:5060"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn odd_texts_do_no_harm() {
        for text in ["", ":", "sip:", "sip:@", "sip:[", "sip:[]:x", "sip:;;;", "sip:a@b:99999", "tel:+1;x"] {
            let _ = Uri::parse(text);
        }
    }
}
