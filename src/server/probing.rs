//! Whether a trunk's server is there: asked beside a running server, and what came of it in words.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::api::control::Tested;
use crate::config::Config;
use crate::ids::TrunkId;
use crate::settings::{Outbound, Settings};
use crate::sip::core::{PROBE_PATIENCE, Probed};
use crate::sip::io::{self, Certificates, ProbeEnd, StackConfig};
use crate::time::Clock;

use super::{stack_config, tls_files};

/// Asks a trunk's server, which is what `outbound` says, from where the server of this configuration is: its addresses,
/// certificates and name servers, but ports of our own, since it may be running. Takes [`PROBE_PATIENCE`] at most.
///
/// # Errors
/// When no socket can be opened, a certificate cannot be read, or what the settings have for the server is no address.
pub async fn ask(
    config: &Config,
    trunk: TrunkId,
    outbound: Outbound,
    clock: Clock,
) -> anyhow::Result<Tested> {
    let (nobody, _) = mpsc::channel(1);
    let certificates = Certificates::load(tls_files(config))?;
    let stack = stack_config(config, certificates, nobody);
    let drawn = |list: &[SocketAddr]| list.iter().map(|at| SocketAddr::new(at.ip(), 0)).collect();
    let stack = StackConfig {
        udp: drawn(&stack.udp),
        tcp: drawn(&stack.tcp),
        tls: drawn(&stack.tls),
        ws: Vec::new(),
        wss: Vec::new(),
        traces: None,
        ..stack
    };
    // Nobody may call here, so there is nothing to hear of.
    let (events, _unheard) = mpsc::channel(1);
    let sip = io::start(stack, Arc::new(Settings::default()), clock, events).await?;
    words(&sip.probe(trunk, outbound).await?).map_err(anyhow::Error::msg)
}

/// In words; `Err`: it was not asked, and why.
pub(super) fn words(end: &ProbeEnd) -> Result<Tested, String> {
    let unanswered = |what: String| Ok(Tested { ok: false, status: None, after: None, what });
    match &end.what {
        Probed::Answered { status, after, with_password, transport, remote } => {
            let what = format!("{} It came from {remote} over {}.", said(*status, *with_password), transport.via());
            Ok(Tested { ok: is_there(*status), status: Some(*status), after: Some(*after), what })
        }
        Probed::Silent { transport, remote } => unanswered(format!(
            "Nothing was heard from {remote} over {} within {} seconds: is the address right, and do firewalls let it through?",
            transport.via(),
            PROBE_PATIENCE.as_secs()
        )),
        Probed::Unreachable { transport, remote } => {
            let why = end.why.as_ref().map_or_else(|| "nothing can be sent there".to_owned(), ToString::to_string);
            unanswered(format!("There is no connection to {remote} over {}: {why}.", transport.via()))
        }
        Probed::NotFound => unanswered(
            "Its name was not found, or leads to nothing that we can send to: is it written right, do the name servers \
             know it, and do we listen on its transport?"
                .to_owned(),
        ),
        Probed::NoServer => Err("What the settings have for its server is no address.".to_owned()),
        Probed::Busy => Err("It is being tested already: wait for the result.".to_owned()),
    }
}

/// Who does not take OPTIONS says so, and so is there.
const fn is_there(status: u16) -> bool {
    matches!(status, 200..=299 | 405 | 501)
}

fn said(status: u16, with_password: bool) -> &'static str {
    match status {
        200..=299 if with_password => "It is there, and takes our password.",
        200..=299 => "It is there.",
        405 | 501 => "It is there; it does not take OPTIONS.",
        300..=399 => "It sends us elsewhere.",
        401 | 407 if with_password => "It refuses our user name or password.",
        401 | 407 => "It asks for a user name and password, and the trunk has none.",
        403 => "It refuses us: does it know our address?",
        404 => "It does not know the address it was asked under: is the host right?",
        408 | 504 => "It did not hear from a server behind it.",
        480 => "It says that it is not available now.",
        503 => "It is out of service, or overloaded.",
        500..=599 => "It has a fault of its own.",
        0..=u16::MAX => "It refuses the request.",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sip::core::Transport;
    use crate::sip::io::Unreachable;

    fn answered(status: u16, with_password: bool) -> Tested {
        let remote = ([192, 0, 2, 1], 5060).into();
        let (after, transport) = (Duration::from_millis(23), Transport::Udp);
        let what = Probed::Answered { status, after, with_password, transport, remote };
        words(&ProbeEnd { what, why: None }).expect("it was asked")
    }

    #[test]
    fn who_answers_at_all_is_told_from_who_takes_us() {
        let good = answered(200, false);
        assert!(good.ok && good.what == "It is there. It came from 192.0.2.1:5060 over UDP.", "{good:?}");
        assert_eq!((good.status, good.after), (Some(200), Some(Duration::from_millis(23))));
        assert!(answered(405, false).ok && answered(200, true).what.contains("takes our password"));
        assert!(answered(401, true).what.contains("refuses our user name or password"));
        assert!(answered(401, false).what.contains("has none"));
        for status in [302, 401, 403, 404, 408, 480, 488, 500, 503, 600, 699] {
            assert!(!answered(status, false).ok, "{status}");
        }
    }

    #[test]
    fn who_does_not_answer_is_told_with_the_reason() {
        let (transport, remote) = (Transport::Tls, ([192, 0, 2, 1], 5061).into());
        let told = |what, why| words(&ProbeEnd { what, why }).map(|tested| tested.what);
        let why = Some(Unreachable::Certificate("it has expired"));
        let refused = told(Probed::Unreachable { transport, remote }, why).expect("asked");
        assert_eq!(
            refused,
            "There is no connection to 192.0.2.1:5061 over TLS: its certificate is refused: it has expired."
        );
        assert!(
            told(Probed::Silent { transport, remote }, None).expect("asked").contains("within 12 seconds")
        );
        assert!(told(Probed::NotFound, None).expect("asked").contains("not found"));
        assert!(told(Probed::Busy, None).is_err() && told(Probed::NoServer, None).is_err());
    }
}
