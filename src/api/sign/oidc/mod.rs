//! Sign-on by OpenID Connect (Core 1.0 §3.1): the code flow with PKCE (RFC 7636) and a nonce. What belongs to the trip
//! to the provider and back travels in a sealed cookie of the browser that began it; the server keeps nothing.

mod client;
mod http;
mod person;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::access::could_be_name;
use crate::api::desk::{Desk, random, soon};
use crate::api::guard::{Visitor, host, session_key};
use crate::api::problem::Problem;
use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::settings::Provider;
use crate::store::{Change, SessionKey, StoreError};
use crate::time::Timestamp;

pub(in crate::api) use client::Providers;

/// So long somebody may take at the provider: a password, a second factor, a telephone call for help.
pub(in crate::api) const TRIP: Duration = Duration::from_secs(10 * 60);
/// What the cookie is sealed as.
const SEALED_AS: &str = "sign-on";
/// The longest code or state of a provider that is read; RFC 6749 names no limit.
const LONGEST: usize = 4_096;

/// Why nobody was let in. The page is told the title alone.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Fault {
    /// There is no such provider in the settings.
    #[error("there is no such provider")]
    NoProvider,
    /// The browser brings no cookie of a trip, one that is over, or one of another.
    #[error("the browser did not begin here, or took too long")]
    Late,
    /// The provider says no, in a word.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// The provider does not answer, or not as it should.
    #[error("{0}")]
    Away(String),
    /// What the provider says cannot be believed.
    #[error("{0}")]
    Untrue(String),
    /// There is no such user here, and the provider makes none.
    #[error("there is no such user")]
    NoUser,
    /// No line of the provider's roles fits, or it names a role that does not exist.
    #[error("no role fits")]
    NoRole,
    /// What the claim says cannot be a user's name.
    #[error("the claim names no user")]
    BadName,
    /// The name is already that of somebody else of the same provider.
    #[error("the name belongs to another of the provider's people")]
    Other,
    /// Too many failed from there.
    #[error("too many failed from this address")]
    TooMany,
    /// Nobody said where browsers reach us: where the provider sends them back to must not be for a request to say.
    #[error("`url` of `[desktop]` is not set: without it nobody is sent to a provider")]
    NoUrl,
    /// Our own database does not answer.
    #[error("the database does not answer")]
    Unavailable,
}

impl Fault {
    /// The word that the page is told.
    pub(in crate::api) const fn title(&self) -> &'static str {
        match self {
            Self::NoProvider => "no-provider",
            Self::Late => "sign-on-late",
            Self::Refused(_) => "sign-on-refused",
            Self::Away(_) => "provider-away",
            Self::Untrue(_) => "sign-on-failed",
            Self::NoUser => "no-user",
            Self::NoRole => "no-role",
            Self::BadName => "bad-name",
            Self::Other => "other-person",
            Self::TooMany => "too-many",
            Self::NoUrl => "no-url",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether it tells of somebody whom the provider named, or of a try to deceive: written to the audit log, and
    /// counted for the address. The others any stranger could cause as often as they like.
    const fn is_failure(&self) -> bool {
        match self {
            Self::Untrue(_) | Self::NoUser | Self::NoRole | Self::BadName | Self::Other => true,
            Self::NoProvider
            | Self::Late
            | Self::Refused(_)
            | Self::Away(_)
            | Self::TooMany
            | Self::NoUrl
            | Self::Unavailable => false,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a sign-on failed");
        Self::Unavailable
    }
}

impl From<Problem> for Fault {
    /// Of a read of the database that took too long.
    fn from(_: Problem) -> Self {
        Self::Unavailable
    }
}

/// What the browser carries to the provider and back.
#[derive(Serialize, Deserialize)]
struct Trip {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    /// In microseconds, as [`Timestamp`].
    until: i64,
    /// The session that the browser had when it left (hex), which ends when another one begins: the cookie of a session
    /// does not come along when another site's page leads back here.
    #[serde(default)]
    before: Option<String>,
}

/// What the provider sends the browser back with.
#[derive(Default, Deserialize)]
pub(in crate::api) struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    /// Who it is (RFC 9207), where the provider says so.
    iss: Option<String>,
}

/// Begins: where the browser is to go, and its cookie.
///
/// # Errors
/// When the provider is unknown or away.
pub(in crate::api) async fn begin(
    desk: &Desk,
    name: &str,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<(String, String), Fault> {
    if !desk.hears(from) {
        return Err(Fault::TooMany);
    }
    let back_at = back_at(desk, name, headers)?;
    let provider = provider(desk, name).await?;
    let known = desk.providers.known(name, &provider, desk.now()).await?;
    let fresh = || URL_SAFE_NO_PAD.encode(random());
    let until = (desk.now() + TRIP).as_micros();
    let before = session_key(headers, desk.secure()).map(|key| hex::encode(key.0));
    let provider = name.to_owned();
    let trip = Trip { provider, state: fresh(), nonce: fresh(), verifier: fresh(), until, before };
    let place = known.authorize(&back_at, &trip)?;
    let text = serde_json::to_vec(&trip).map_err(|_| Fault::Unavailable)?;
    Ok((place, desk.sealing.seal(SEALED_AS, &text)))
}

/// Ends: the session's token, and who it is.
///
/// # Errors
/// Why nobody is let in; it is audited where it says something of a person.
pub(in crate::api) async fn finish(
    desk: &Arc<Desk>,
    name: &str,
    back: Back,
    cookie: Option<&str>,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<(String, Visitor), Fault> {
    if !desk.hears(from) {
        return Err(Fault::TooMany);
    }
    let fault = match admitted(desk, name, back, cookie, headers, from).await {
        Ok(done) => return Ok(done),
        Err(fault) => fault,
    };
    metrics::counter!("sayso_sign_on_failures_total", "fault" => fault.title()).increment(1);
    if !fault.is_failure() {
        // Anybody can cause these, as often as they like.
        tracing::debug!(provider = name, why = fault.title(), %fault, "a sign-on failed");
    } else {
        tracing::info!(provider = name, why = fault.title(), %fault, "a sign-on failed");
        desk.failed(from);
        let what = Object::new("provider", name);
        let event = AuditEvent::new(Class::Failure, Actor::System, desk.now(), "user.login-failed", what);
        let event = event.about(Some(from.to_string())).new_value(Some(Value::plain(&fault)));
        desk.store().commit(vec![Change::Audit(event)]).await?;
    }
    Err(fault)
}

async fn admitted(
    desk: &Arc<Desk>,
    name: &str,
    back: Back,
    cookie: Option<&str>,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<(String, Visitor), Fault> {
    let trip = cookie.and_then(|cookie| trip(desk, cookie)).filter(|trip| trip.provider == name);
    let trip = trip.filter(|trip| desk.now() < Timestamp::from_micros(trip.until)).ok_or(Fault::Late)?;
    let same = back
        .state
        .as_ref()
        .is_some_and(|state| verify_slices_are_equal(state.as_bytes(), trip.state.as_bytes()).is_ok());
    if !same {
        return Err(Fault::Late);
    }
    if let Some(error) = back.error {
        return Err(Fault::Refused(error.chars().filter(|c| c.is_ascii_graphic()).take(64).collect()));
    }
    let code = back.code.filter(|code| code.len() <= LONGEST).ok_or(Fault::Late)?;
    let provider = provider(desk, name).await?;
    if back.iss.is_some_and(|iss| iss.trim_end_matches('/') != provider.issuer.trim_end_matches('/')) {
        return Err(Fault::Untrue("the answer is another provider's".to_owned()));
    }
    let back_at = back_at(desk, name, headers)?;
    let (subject, claims) = desk.providers.ask(name, &provider, &back_at, code, &trip, desk.now()).await?;
    person::admit(desk, name, &provider, &subject, &claims, from).await
}

/// The session that a browser had when it left for the provider.
pub(in crate::api) fn before(desk: &Desk, cookie: &str) -> Option<SessionKey> {
    let mut key = [0; 32];
    hex::decode_to_slice(trip(desk, cookie)?.before?, &mut key).ok()?;
    Some(SessionKey(key))
}

fn trip(desk: &Desk, cookie: &str) -> Option<Trip> {
    serde_json::from_slice(&desk.sealing.open(SEALED_AS, cookie)?).ok()
}

async fn provider(desk: &Desk, name: &str) -> Result<Provider, Fault> {
    if !could_be_name(name) {
        return Err(Fault::NoProvider);
    }
    soon(desk.store().provider(name)).await?.ok_or(Fault::NoProvider)
}

/// Where the provider sends the browser back to; it has to be registered there.
fn back_at(desk: &Desk, name: &str, headers: &HeaderMap) -> Result<String, Fault> {
    Ok(format!("{}/api/v1/sign-on/{name}/callback", base(desk, headers)?))
}

/// Where browsers reach us: as the settings say; else as the request says, if it is this machine, which nobody can be
/// led to from elsewhere.
fn base(desk: &Desk, headers: &HeaderMap) -> Result<String, Fault> {
    if let Some(url) = desk.url() {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let scheme = if desk.secure() { "https" } else { "http" };
    let said = host(headers).map(|authority| format!("{scheme}://{authority}"));
    let here = |said: &String| reqwest::Url::parse(said).is_ok_and(|url| http::is_here(&url));
    said.filter(here).ok_or(Fault::NoUrl)
}

/// Whether anybody can be sent to a provider and back.
pub(in crate::api) fn leads_back(desk: &Desk, headers: &HeaderMap) -> bool {
    base(desk, headers).is_ok()
}
