//! Sayso: answer a caller, ask for consent, connect an agent, and record only what was allowed.
//!
//! The map. A pure band that knows no I/O, no clock, no async and no randomness, and a shell
//! around it. The import rule (checked by `import_rule.rs`): shell imports pure, never
//! the reverse; shell siblings do not import one another, except `jobs` -> `store`, `vault`, `export`, `prompts` ->
//! `store`, and `api` -> these; only `server`, `phone` and the CLI see all.
//!
//! | module       | band  | what it is for |
//! |--------------|-------|----------------|
//! | [`ids`]      | pure  | ids, `PhoneNumber`, `Redacted<T>` |
//! | [`time`]     | pure  | `Timestamp`, the only time the pure band knows |
//! | [`call`]     | pure  | the state machine of one call |
//! | [`consent`]  | pure  | policy, the consent dialogue, `RecordingPermit` |
//! | [`queue`]    | pure  | waiting calls, agents, strategies |
//! | [`audit`]    | pure  | audit events and their hash chain |
//! | [`certificate`] | pure | deletion certificates: signed, verified offline |
//! | [`settings`] | pure  | trunks, numbers, queues, agents, users: parse, check, diff |
//! | [`privacy`]  | pure  | people's data: what a search looks for, lists of people as CSV |
//! | [`reconcile`]| pure  | database against object store and spool: what is missing, left over, wrong |
//! | [`retention`]| pure  | how long things are kept: what is due, what is held, why |
//! | [`sip::core`]| pure  | SIP endpoint, dialogs, registrar, digest, SDP |
//! | [`media`]    | pure  | RTP, RTCP, SRTP, codecs, jitter buffer, digits, prompt player, recorder tap |
//! | [`config`]   | shell | `sayso.toml` and the environment -> `Config`, parsed once |
//! | [`sip::io`]  | shell | UDP, TCP, TLS and WebSocket, name lookups |
//! | [`engine`]   | shell | media workers: one OS thread each, its sockets, its sessions |
//! | [`vault`]    | shell | recordings at rest: keys, encrypted spool, salvage, export |
//! | [`store`]    | shell | database: migrations, units of work, queries |
//! | [`jobs`]     | shell | uploads, destruction and what else must happen once and for certain; alarms |
//! | [`export`]   | shell | recordings on their way out: audio, manifest, vCon |
//! | [`prompts`]  | shell | shipped and imported prompts |
//! | [`api`]      | shell | HTTP: health, metrics, the way in for WebSocket |
//! | [`server`]   | shell | composition root: call driver, start, drain |
//! | [`phone`]    | shell | a scriptable SIP phone: `sayso call`, the demo's people |
//! | [`cli`]      | shell | the subcommands |

pub mod access;
pub mod audit;
pub mod call;
pub mod certificate;
pub mod consent;
pub mod ids;
pub mod media;
pub mod privacy;
pub mod queue;
pub mod reconcile;
pub mod retention;
pub mod settings;
pub mod sip;
pub mod time;

pub mod api;
pub mod cli;
pub mod config;
pub mod engine;
pub mod export;
pub mod jobs;
pub mod phone;
pub mod prompts;
pub mod server;
pub mod store;
pub mod vault;

#[cfg(test)]
mod import_rule;
