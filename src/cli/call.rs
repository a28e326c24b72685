//! `sayso call`: a caller for trying a queue without a phone.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::lookup_host;

use crate::media::Codec;
use crate::phone::{Digits, Ending, Key, Phone, Script, parse_keys};
use crate::prompts::wav;
use crate::settings::{SrtpPolicy, parse_span};
use crate::sip::core::{Callee, Login, Transport};
use crate::time::Clock;

use super::out;

/// Call a number as a caller would.
#[derive(Debug, clap::Args)]
pub(super) struct CallCommand {
    /// Whom: `sip:NUMBER@HOST[:PORT][;transport=tcp]`.
    uri: String,
    /// Keys: `0`-`9 * #`, `,` for a second's pause. Each is pressed when the other side has spoken and
    /// fallen silent.
    #[arg(long, value_name = "KEYS", default_value = "", value_parser = parse_press)]
    press: Keys,
    /// How long the other side must be silent before a key is pressed.
    #[arg(long, value_name = "SPAN", default_value = "1200ms", value_parser = parse_span)]
    quiet: Duration,
    /// A WAV file to speak after the keys, again and again.
    #[arg(long, value_name = "FILE.wav")]
    say: Option<PathBuf>,
    /// Write what is heard to this file (mono; 16 kHz when the codec is wideband, else 8 kHz).
    #[arg(long, value_name = "OUT.wav")]
    record: Option<PathBuf>,
    /// Hang up after so long.
    #[arg(long = "for", value_name = "SPAN", default_value = "60s", value_parser = parse_span)]
    span: Duration,
    /// The number to call from; `anonymous` withholds it.
    #[arg(long, value_name = "NUMBER", default_value = "anonymous")]
    from: String,
    /// What to speak, the best first: `pcma`, `pcmu`, `g722`, `opus`.
    #[arg(long, value_name = "CODEC,…", default_value = "pcma,pcmu", value_delimiter = ',', value_parser = parse_codec)]
    codec: Vec<Codec>,
    /// Whether audio is sealed: `off`, `optional` or `required`.
    #[arg(long, value_name = "POLICY", default_value = "off", value_parser = parse_srtp)]
    srtp: SrtpPolicy,
    /// Milliseconds of audio in a packet to ask for, 10-60.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u8).range(10..=60))]
    ptime: Option<u8>,
    /// How keys are sent: `rfc4733`, `info` or `in-band`.
    #[arg(long, value_name = "HOW", default_value = "rfc4733", value_parser = parse_digits)]
    digits: Digits,
    /// Log in as `USER:PASSWORD` when the other side asks.
    #[arg(long, value_name = "USER:PASSWORD")]
    login: Option<String>,
}

#[derive(Clone, Debug)]
struct Keys(Vec<Key>);

fn parse_press(text: &str) -> Result<Keys, crate::media::BadDigit> {
    parse_keys(text).map(Keys)
}

fn parse_codec(text: &str) -> Result<Codec, String> {
    let all = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];
    let known = all.into_iter().find(|codec| codec.word() == text);
    known.ok_or_else(|| "pcma, pcmu, g722 and opus are known".to_owned())
}

fn parse_srtp(text: &str) -> Result<SrtpPolicy, String> {
    match text {
        "off" => Ok(SrtpPolicy::Off),
        "optional" => Ok(SrtpPolicy::Optional),
        "required" => Ok(SrtpPolicy::Required),
        _ => Err("off, optional or required is expected".to_owned()),
    }
}

fn parse_digits(text: &str) -> Result<Digits, String> {
    match text {
        "rfc4733" => Ok(Digits::Rfc4733),
        "info" => Ok(Digits::Info),
        "in-band" => Ok(Digits::InBand),
        _ => Err("rfc4733, info or in-band is expected".to_owned()),
    }
}

impl CallCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let target = Destination::parse(&self.uri)?;
        let remote = lookup_host((target.host.as_str(), target.port))
            .await
            .with_context(|| format!("{}: the host cannot be found", target.host))?
            .next()
            .with_context(|| format!("{}: the host has no address", target.host))?;
        let say = match &self.say {
            None => Vec::new(),
            Some(file) => wav::read_pcm8k(file)?,
        };
        let login = match &self.login {
            None => None,
            Some(text) => {
                let (user, password) = text.split_once(':').context("--login: USER:PASSWORD is expected")?;
                Some(Login { user: user.to_owned(), password: password.to_owned() })
            }
        };
        let script = Script {
            press: self.press.0,
            quiet: self.quiet,
            say,
            hang_up_after: self.span,
            codecs: self.codec,
            srtp: self.srtp,
            ptime: self.ptime,
            digits: self.digits,
            ..Script::default()
        };
        let mut phone = Phone::open(local_ip_towards(remote).await?, Clock::start()).await?;
        let to = Callee::Uri { uri: target.uri, remote, transport: target.transport, login };
        let report = phone.call(to, self.from, script).await?;
        if let Some(file) = &self.record {
            wav::write_pcm16(file, report.rate, 1, &report.heard)?;
        }
        let seconds = report.ended.since(report.answered).as_secs_f32();
        let ending = match report.ending {
            Ending::Us => "hung up here".to_owned(),
            Ending::Them(cause) => format!("ended by the other side ({cause:?})"),
        };
        let codec = report.codec.word();
        let seal = report.srtp.map(|suite| format!(", {}", suite.name())).unwrap_or_default();
        let file = self.record.map(|file| format!(", heard: {}", file.display())).unwrap_or_default();
        out(format_args!("answered, {seconds:.1} s of {codec}{seal}, {ending}{file}\n"));
        Ok(ExitCode::SUCCESS)
    }
}

/// A SIP URI as far as a caller needs it.
struct Destination {
    uri: String,
    host: String,
    port: u16,
    transport: Transport,
}

impl Destination {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let wrong = || format!("{text:?}: sip:NUMBER@HOST[:PORT][;transport=tcp] is expected");
        let rest = text.strip_prefix("sip:").with_context(wrong)?;
        let (address, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let (user, host) = address.rsplit_once('@').with_context(wrong)?;
        let transport = match parameters {
            "" | "transport=udp" => Transport::Udp,
            "transport=tcp" => Transport::Tcp,
            other => bail!("{text:?}: {other:?} is not known: transport=udp or transport=tcp are"),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.contains(']') => {
                (host, port.parse().ok().filter(|port| *port > 0).with_context(wrong)?)
            }
            Some(_) | None => (host, 5060),
        };
        if user.is_empty() || host.is_empty() {
            bail!(wrong());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { uri: text.to_owned(), host, port, transport })
    }
}

/// The address of ours that packets to `remote` leave from; nothing is sent to find out.
pub(super) async fn local_ip_towards(remote: SocketAddr) -> anyhow::Result<IpAddr> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await?;
    socket.connect(remote).await.with_context(|| format!("no way to {remote}"))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let read = |text| Destination::parse(text).map(|d| (d.host, d.port, d.transport));
        assert_eq!(read("sip:100@127.0.0.1").unwrap(), ("127.0.0.1".to_owned(), 5060, Transport::Udp));
        assert_eq!(
            read("sip:+4930100@pbx.example:5080;transport=tcp").unwrap(),
            ("pbx.example".to_owned(), 5080, Transport::Tcp)
        );
        assert_eq!(read("sip:100@[::1]:5070").unwrap(), ("::1".to_owned(), 5070, Transport::Udp));
        for wrong in ["100@host", "sip:host", "sip:@host", "sip:1@", "sip:1@h:x", "sip:1@h;transport=ws"] {
            let fault = read(wrong).expect_err(wrong).to_string();
            assert!(fault.contains(wrong), "{fault}");
        }
    }
}
