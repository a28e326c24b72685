//! A trunk of the apply file: where it calls from, where it is called, what it speaks.

use ipnet::IpNet;
use toml::de::DeValue;

use crate::ids::{PhoneNumber, Redacted};
use crate::media::Codec;

use super::file::{Login, OutboundLogin, TrunkEntry};
use super::read::{Source, Table, boolean, filled, integer, list, secret, text, word};
use super::secret::ha1;
use super::{Codes, Outbound, SrtpPolicy, Trunk};

/// The codecs by their words.
const CODECS: [(&str, Codec); 4] =
    [("opus", Codec::Opus), ("g722", Codec::G722), ("pcma", Codec::Pcma), ("pcmu", Codec::Pcmu)];

/// Reads `[trunk.NAME]`.
pub(super) fn read(source: &mut Source<'_>, table: &mut Table<'_>, realm: &str) -> TrunkEntry {
    let networks = table.take(source, "networks", |value| list(value, network));
    let login = digest(source, table, realm);
    let most = 1..=1_000_000;
    let max_calls = table.take(source, "max-calls", |value| integer(value, most.clone()));
    let calls_per_second = table.take(source, "calls-per-second", |value| integer(value, most));
    let region = table.take(source, "region", region);
    let usual = Trunk::default();
    let codecs = table.take(source, "codecs", codecs).unwrap_or(usual.codecs);
    let srtp = table.take(source, "srtp", |value| word(value, &SrtpPolicy::WORDS)).unwrap_or_default();
    let in_band_digits = table.take(source, "in-band-digits", boolean).unwrap_or_default();
    let release_path = table.take(source, "release-path", boolean).unwrap_or_default();
    let (outbound, outbound_login) = outbound(source, table).unzip();
    if !table.has("networks") && !table.has("digest") && !table.has("outbound") {
        let what = "is known by nothing: give networks = [\"192.0.2.0/24\"], or digest = { user = \"...\", \
                    password = \"...\" }, or outbound = { server = \"sip:...\" }, or several of them";
        source.error(table.at, table.path.clone(), what);
    }
    let networks = networks.unwrap_or_default();
    let digest = None;
    let trunk = Trunk {
        networks,
        digest,
        max_calls,
        calls_per_second,
        region,
        outbound,
        codecs,
        srtp,
        in_band_digits,
        release_path,
    };
    TrunkEntry { trunk, login, outbound: outbound_login.flatten() }
}

fn digest(source: &mut Source<'_>, table: &mut Table<'_>, realm: &str) -> Option<Login> {
    let (at, value) = table.raw("digest")?;
    let mut digest = Table::open(source, table.path_of("digest"), at, value)?;
    let user = digest.take(source, "user", filled);
    let password = digest.take(source, "password", secret);
    if user.is_none() && !digest.has("user") {
        source.error(at, digest.path_of("user"), "is missing: the name the trunk authenticates with");
    }
    digest.close(source);
    user.map(|user| self::login(user, password.as_deref(), realm))
}

/// Credentials of a SIP user, hashed at once.
pub(super) fn login(user: String, password: Option<&str>, realm: &str) -> Login {
    match password {
        Some(password) => Login::New(ha1(&user, realm, password)),
        None => Login::Keep { user },
    }
}

fn outbound(source: &mut Source<'_>, table: &mut Table<'_>) -> Option<(Outbound, Option<OutboundLogin>)> {
    let (at, value) = table.raw("outbound")?;
    let mut table = Table::open(source, table.path_of("outbound"), at, value)?;
    let server = table.take(source, "server", server);
    let user = table.take(source, "user", filled);
    let password = table.take(source, "password", secret).map(Redacted);
    let register = table.take(source, "register", boolean).unwrap_or_default();
    let caller_id = table.take(source, "caller-id", e164);
    let prefixes = table.take(source, "prefixes", |value| list(value, prefix));
    if !table.has("server") {
        let what = "is missing: where calls to the outside go, such as \"sip:carrier.example\"";
        source.error(at, table.path_of("server"), what);
    }
    for (key, needed) in [("password", !table.has("user")), ("register", register && !table.has("user"))] {
        if table.has(key) && needed {
            source.error(at, table.path_of("user"), format!("is missing: {key} needs it"));
        }
    }
    table.close(source);
    let outbound = Outbound {
        server: server?,
        login: None,
        register,
        caller_id: caller_id.map(Redacted),
        prefixes: prefixes.unwrap_or_else(|| vec!["+".to_owned()]),
    };
    Some((outbound, user.map(|user| OutboundLogin { user, password })))
}

/// Codecs, each once.
pub(super) fn codecs(value: &DeValue<'_>) -> Result<Vec<Codec>, String> {
    let codecs = list(value, |value| word(value, &CODECS))?;
    let twice = codecs.iter().enumerate().find(|(n, codec)| codecs[..*n].contains(codec));
    match twice {
        Some((_, codec)) => Err(format!("names {:?} twice", codec.word())),
        None if codecs.is_empty() => Err("is empty: at least one codec is expected".to_owned()),
        None => Ok(codecs),
    }
}

/// A network, or one address.
pub(super) fn network(value: &DeValue<'_>) -> Result<IpNet, String> {
    let text = text(value)?;
    let host = text.parse::<std::net::IpAddr>().map(IpNet::from);
    host.or_else(|_| text.parse::<IpNet>()).map(|net| net.trunc()).map_err(|_| {
        format!("{text:?} is no network; \"192.0.2.0/24\", \"192.0.2.1\" or \"2001:db8::/32\" is expected")
    })
}

fn region(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let known = text.len() == 2 && text.parse::<phonenumber::country::Id>().is_ok();
    if known { Ok(text.to_owned()) } else { Err(format!("{text:?} is no country such as \"DE\" or \"FI\"")) }
}

/// `sip:` or `sips:`, a host, perhaps a port and a transport. Kept as it is written.
fn server(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let wrong = || {
        format!(
            "{text:?} is no server; \"sip:carrier.example\", \"sip:192.0.2.1:5070;transport=tcp\" or \
             \"sips:carrier.example\" is expected (transport: udp, tcp or tls)"
        )
    };
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:")).ok_or_else(wrong)?;
    let (place, transport) = rest.split_once(';').map_or((rest, None), |(place, it)| (place, Some(it)));
    let known = ["transport=udp", "transport=tcp", "transport=tls"];
    let transport = transport.is_none_or(|it| known.contains(&it));
    if transport && is_host(place) { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// `name`, `name:port`, `192.0.2.1`, `[2001:db8::1]:5060`.
fn is_host(place: &str) -> bool {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host.parse::<std::net::Ipv6Addr>().is_ok(), None),
        Some((host, rest)) => {
            (host.parse::<std::net::Ipv6Addr>().is_ok(), Some(rest.strip_prefix(':').unwrap_or("")))
        }
        None => {
            let (host, port) = place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)));
            let label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            (host.len() <= 253 && host.split('.').all(label), port)
        }
    };
    host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn e164(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let number = text.starts_with('+').then(|| PhoneNumber::parse(text, None)).flatten();
    let number = number.ok_or_else(|| "is no number such as \"+49891000\"".to_owned())?;
    Ok(number.as_e164().to_owned())
}

fn prefix(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let digits = text.strip_prefix('+').filter(|digits| digits.len() <= 15);
    match digits {
        Some(digits) if digits.chars().all(|c| c.is_ascii_digit()) => Ok(text.to_owned()),
        Some(_) | None => Err(format!("{text:?} is no beginning of a number such as \"+\" or \"+49\"")),
    }
}

impl Codes {
    /// A code that another one begins with, so that it could never be told from it.
    pub(super) fn clash(&self) -> Option<String> {
        let codes = [&self.three_way, &self.complete, &self.back];
        let clash = codes.iter().enumerate().find(|(n, code)| {
            let mut others = codes.iter().enumerate().filter(|(m, _)| m != n);
            !code.is_empty() && others.any(|(_, other)| other.starts_with(code))
        });
        clash.map(|(_, code)| code.iter().map(|key| key.as_char()).collect())
    }
}
