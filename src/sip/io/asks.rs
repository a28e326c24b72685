//! What is asked of the stack and answered once: whether a trunk's server is there, what was said in dialogs.

use std::collections::HashMap;
use std::fmt;
use std::io;

use metrics::counter;
use rustls::{AlertDescription, CertificateError, Error as TlsFault};
use tokio::sync::{mpsc, oneshot};

use crate::ids::TrunkId;
use crate::settings::Outbound;
use crate::sip::core::{DialogId, Endpoint, ProbeId, Probed, Traced};
use crate::time::Timestamp;

/// Questions that may wait.
pub(super) const MAX_WAITING: usize = 64;

/// What is asked.
pub(super) enum Ask {
    /// Is this trunk's server there?
    Probe(TrunkId, Outbound, oneshot::Sender<ProbeEnd>),
    /// What was said in these dialogs so far?
    Traces(Vec<DialogId>, oneshot::Sender<Vec<Traced>>),
}

/// What came of asking a trunk's server whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEnd {
    /// As the protocol sees it.
    pub what: Probed,
    /// Of [`Probed::Unreachable`]: why there is no connection, if that is known.
    pub why: Option<Unreachable>,
}

/// Why a connection could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nothing listens there.
    Refused,
    /// Nothing came back.
    Late,
    /// It showed a certificate that is not believed, for this reason.
    Certificate(&'static str),
    /// It wants a certificate of ours that it believes.
    OurCertificate,
    /// What else the system or TLS says.
    Other(String),
}

impl Unreachable {
    /// Reads why a connection failed.
    pub(super) fn of(error: &io::Error) -> Self {
        if let Some(fault) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsFault>()) {
            return Self::of_tls(fault);
        }
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Refused
        } else if error.kind() == io::ErrorKind::TimedOut {
            Self::Late
        } else {
            Self::Other(error.to_string())
        }
    }

    fn of_tls(fault: &TlsFault) -> Self {
        if let TlsFault::InvalidCertificate(why) = fault {
            return Self::Certificate(certificate(why));
        }
        let ours = matches!(
            fault,
            TlsFault::AlertReceived(
                AlertDescription::CertificateRequired
                    | AlertDescription::BadCertificate
                    | AlertDescription::UnknownCA
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::AccessDenied
            )
        );
        if ours {
            Self::OurCertificate
        } else if *fault == TlsFault::NoCertificatesPresented {
            Self::Certificate("it shows none")
        } else {
            Self::Other(fault.to_string())
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("nothing listens there"),
            Self::Late => f.write_str("nothing came back"),
            Self::Certificate(why) => write!(f, "its certificate is refused: {why}"),
            Self::OurCertificate => f.write_str("it refuses our certificate, or wants one and we have none"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

fn certificate(why: &CertificateError) -> &'static str {
    use CertificateError as Why;
    if matches!(why, Why::Expired | Why::ExpiredContext { .. }) {
        "it has expired"
    } else if matches!(why, Why::NotValidYet | Why::NotValidYetContext { .. }) {
        "it is not valid yet"
    } else if matches!(why, Why::NotValidForName | Why::NotValidForNameContext { .. }) {
        "it is for another name than the trunk's server has"
    } else if matches!(why, Why::UnknownIssuer) {
        "nobody we trust has issued it"
    } else if matches!(why, Why::Revoked) {
        "it is revoked"
    } else if matches!(why, Why::BadSignature) {
        "its signature is wrong"
    } else {
        "it cannot be verified"
    }
}

/// Who waits for an answer, and who takes traces.
pub(super) struct Answers {
    probes: HashMap<ProbeId, oneshot::Sender<ProbeEnd>>,
    traces: Option<mpsc::Sender<Traced>>,
    /// Why the connection failed whose end the endpoint is being told.
    failed: Option<Unreachable>,
}

impl Answers {
    pub(super) fn new(traces: Option<mpsc::Sender<Traced>>) -> Self {
        Self { probes: HashMap::new(), traces, failed: None }
    }

    pub(super) fn ask(&mut self, ask: Ask, endpoint: &mut Endpoint, now: Timestamp) {
        match ask {
            Ask::Probe(trunk, outbound, answer) => {
                drop(self.probes.insert(endpoint.probe(&trunk, &outbound, now), answer));
            }
            Ask::Traces(dialogs, answer) => {
                let known = dialogs.into_iter().filter_map(|dialog| endpoint.trace_so_far(dialog));
                // Who asked may have stopped waiting.
                let _ = answer.send(known.collect());
            }
        }
    }

    /// A connection could not be made; the endpoint is told next.
    pub(super) fn failed(&mut self, why: Unreachable) {
        self.failed = Some(why);
    }

    /// Passes on what the endpoint has to tell.
    pub(super) fn told(&mut self, endpoint: &mut Endpoint) {
        let failed = self.failed.take();
        while let Some((probe, what)) = endpoint.poll_probed() {
            let Some(answer) = self.probes.remove(&probe) else { continue };
            let why = failed.clone().filter(|_| matches!(what, Probed::Unreachable { .. }));
            // Who asked may have stopped waiting.
            let _ = answer.send(ProbeEnd { what, why });
        }
        while let Some(traced) = endpoint.poll_trace() {
            let taken = self.traces.as_ref().is_some_and(|traces| traces.try_send(traced).is_ok());
            if !taken {
                counter!("sayso_sip_traces_lost_total").increment(1);
            }
        }
    }
}
