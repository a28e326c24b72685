//! The shapes of the documents about calls (queues, trunks, numbers, agents): for the OpenAPI document, and for what goes
//! out. `web/src/api/admin.ts` has them for the pages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::consent::{AskRule, LegalBasis, Policy, Script};
use crate::media::{Codec, Digit};
use crate::settings::{
    Agent, Hours, Keep, Number, OnRecordingFailure, Overflow, Queue, Strategy, Trunk, format_span,
};

/// `null` is the same as a key that is missing: it has its default.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct QueueDocument {
    /// `en`, `de`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// `never`, `always`, `consent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legal_basis: Option<BasisDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ScriptDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_allowed: Option<bool>,
    /// `2m`, `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destroy_on_withdrawal: Option<bool>,
    /// `continue`, `drop-call`.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_recording_failure: Option<&'static str>,
    /// `90d`, `forever`; absent: as the system says.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<String>,
    /// As `retention`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_removal: Option<String>,
    /// `longest-idle`, `round-robin`, `ring-all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'static str>,
    /// Only agents with all of these get its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    skills: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ring_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_wait: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overflow: Option<OnwardDocument>,
    /// `mon` to `sun`, each a list of hours such as `08:00-12:00`; absent: always open.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<BTreeMap<&'static str, Vec<String>>>,
    /// `2026-12-25`
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    when_closed: Option<OnwardDocument>,
    /// `1m`, `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    position_every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_seconds: Option<u32>,
}

/// Which obligation, or which contract.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum BasisDocument {
    Obligation(String),
    Contract(String),
}

/// How the question is asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct ScriptDocument {
    /// A key.
    #[serde(skip_serializing_if = "Option::is_none")]
    yes: Option<String>,
    /// A key.
    #[serde(skip_serializing_if = "Option::is_none")]
    no: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    barge_in: Option<bool>,
    /// `every-call`, `when-unknown`, `older-than 365d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
}

/// `"hangup"`, or `{"queue": "sales"}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum OnwardDocument {
    Hangup,
    Queue(String),
}

impl From<&Overflow> for OnwardDocument {
    fn from(onward: &Overflow) -> Self {
        match onward {
            Overflow::Hangup => Self::Hangup,
            Overflow::Queue(queue) => Self::Queue(queue.0.clone()),
        }
    }
}

impl From<&Queue> for QueueDocument {
    fn from(queue: &Queue) -> Self {
        let keep = |keep: Option<Keep>| keep.map(|keep| keep.to_string());
        let (recording, legal_basis, consent) = match &queue.recording {
            Policy::Never => ("never", None, None),
            Policy::Always(LegalBasis::Obligation(name)) => {
                ("always", Some(BasisDocument::Obligation(name.clone())), None)
            }
            Policy::Always(LegalBasis::Contract(name)) => {
                ("always", Some(BasisDocument::Contract(name.clone())), None)
            }
            Policy::Consent(script) => ("consent", None, Some(script.into())),
        };
        let strategy = match queue.strategy {
            Strategy::LongestIdle => "longest-idle",
            Strategy::RoundRobin => "round-robin",
            Strategy::RingAll => "ring-all",
        };
        let failure = match queue.on_recording_failure {
            OnRecordingFailure::Continue => "continue",
            OnRecordingFailure::DropCall => "drop-call",
        };
        Self {
            language: Some(queue.language.0.clone()),
            recording: Some(recording),
            legal_basis,
            consent,
            override_allowed: Some(queue.override_allowed),
            pause_limit: Some(or_never(queue.pause_limit)),
            destroy_on_withdrawal: Some(queue.destroy_on_withdrawal),
            on_recording_failure: Some(failure),
            retention: keep(queue.retention),
            file_removal: keep(queue.file_removal),
            strategy: Some(strategy),
            skills: Some(queue.skills.clone()),
            priority: Some(queue.priority),
            ring_timeout: Some(format_span(queue.ring_timeout)),
            wrap_up: Some(format_span(queue.wrap_up)),
            max_wait: Some(format_span(queue.max_wait)),
            overflow: Some((&queue.overflow).into()),
            hours: queue.hours.as_ref().map(week),
            closed: Some(queue.closed.iter().map(ToString::to_string).collect()),
            when_closed: Some((&queue.when_closed).into()),
            position_every: Some(or_never(queue.position_every)),
            service_seconds: Some(queue.service_seconds),
        }
    }
}

impl From<&Script> for ScriptDocument {
    fn from(script: &Script) -> Self {
        let ask = match script.ask {
            AskRule::EveryCall => "every-call".to_owned(),
            AskRule::WhenUnknown => "when-unknown".to_owned(),
            AskRule::OlderThan(age) => format!("older-than {}", format_span(age)),
        };
        Self {
            yes: Some(script.yes.as_char().to_string()),
            no: Some(script.no.as_char().to_string()),
            attempts: Some(script.attempts),
            timeout: Some(format_span(script.timeout)),
            barge_in: Some(script.barge_in),
            ask: Some(ask),
        }
    }
}

fn week(hours: &Hours) -> BTreeMap<&'static str, Vec<String>> {
    hours.days().map(|(day, openings)| (day, openings.iter().map(ToString::to_string).collect())).collect()
}

pub(super) fn or_never(span: Option<Duration>) -> String {
    span.map_or_else(|| "never".to_owned(), format_span)
}

/// A carrier's or PBX's trunk.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TrunkDocument {
    /// `192.0.2.0/24`
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<DigestDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_per_second: Option<u32>,
    /// `DE`
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// `opus`, `g722`, `pcma`, `pcmu`; the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    codecs: Option<Vec<&'static str>>,
    /// `off`, `optional`, `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    srtp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_band_digits: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_path: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbound: Option<OutboundDocument>,
}

/// Who the trunk logs in as here.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct DigestDocument {
    user: String,
    /// Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// How calls go out by it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct OutboundDocument {
    /// `sip:carrier.example;transport=tls`
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    register: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_id: Option<String>,
    /// `+49`; of all trunks the longest that fits wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefixes: Option<Vec<String>>,
}

impl From<&Trunk> for TrunkDocument {
    fn from(trunk: &Trunk) -> Self {
        let digest = trunk.digest.as_ref();
        let outbound = trunk.outbound.as_ref().map(|outbound| OutboundDocument {
            server: outbound.server.clone(),
            user: outbound.login.as_ref().map(|login| login.user.clone()),
            password: None,
            register: Some(outbound.register),
            caller_id: outbound.caller_id.as_ref().map(|number| number.0.clone()),
            prefixes: Some(outbound.prefixes.clone()),
        });
        Self {
            networks: Some(trunk.networks.iter().map(ToString::to_string).collect()),
            digest: digest.map(|digest| DigestDocument { user: digest.user.clone(), password: None }),
            max_calls: trunk.max_calls,
            calls_per_second: trunk.calls_per_second,
            region: trunk.region.clone(),
            codecs: Some(words(&trunk.codecs)),
            srtp: Some(trunk.srtp.word()),
            in_band_digits: Some(trunk.in_band_digits),
            release_path: Some(trunk.release_path),
            outbound,
        }
    }
}

fn words(codecs: &[Codec]) -> Vec<&'static str> {
    codecs.iter().map(|codec| codec.word()).collect()
}

/// A number that can be dialled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumberDocument {
    queue: String,
    /// Instead of the queue's.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
}

impl From<&Number> for NumberDocument {
    fn from(number: &Number) -> Self {
        let language = number.language.as_ref().map(|language| language.0.clone());
        Self { queue: number.queue.0.clone(), language }
    }
}

/// An agent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct AgentDocument {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// Of its SIP phone. Goes in and never comes out.
    #[schema(write_only)]
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skills: Option<Vec<String>>,
    /// `opus`, `g722`, `pcma`, `pcmu`; the best first.
    #[serde(skip_serializing_if = "Option::is_none")]
    codecs: Option<Vec<&'static str>>,
    /// `off`, `optional`, `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    srtp: Option<&'static str>,
    /// `auto`, `rtp`, `webrtc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'static str>,
    /// `*3`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    three_way_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_code: Option<String>,
}

impl From<&Agent> for AgentDocument {
    fn from(agent: &Agent) -> Self {
        let code = |keys: &[Digit]| match keys {
            [] => "none".to_owned(),
            keys => keys.iter().map(|key| key.as_char()).collect(),
        };
        Self {
            display_name: Some(agent.display_name.0.clone()),
            password: None,
            queues: Some(agent.queues.iter().map(|queue| queue.0.clone()).collect()),
            skills: Some(agent.skills.clone()),
            codecs: Some(words(&agent.phone.codecs)),
            srtp: Some(agent.phone.srtp.word()),
            media: Some(agent.phone.media.word()),
            three_way_code: Some(code(&agent.phone.codes.three_way)),
            complete_code: Some(code(&agent.phone.codes.complete)),
            return_code: Some(code(&agent.phone.codes.back)),
        }
    }
}
