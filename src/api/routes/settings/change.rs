//! Changing and removing an object. What is stored is read, compared with the version that is meant, and the change
//! made from it is stored only while nothing has changed since; else all of it begins anew.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use crate::access::{leaves_no_superuser, superusers};
use crate::api::desk::{Desk, random, soon};
use crate::api::guard::Visitor;
use crate::api::problem::Problem;
use crate::api::routes::retention::counted;
use crate::settings::{Changed, Difference, DocumentError, Kind, Object, Settings, from_document, without};
use crate::store::{Change, StoreError, VersionedSettings};

use super::fault::{Fault, changed, no_object, version_needed};
use super::{may, tagged, version};

/// How often a change is made anew because another one was stored in between.
const TRIES: usize = 8;

/// Which version a request is about.
#[derive(Debug)]
enum Meant {
    /// One that is there, and is one of these; empty: whichever it is.
    There(Vec<u64>),
    /// None: it is to be made.
    New,
}

impl Meant {
    /// From the headers of a request (RFC 9110 §13.1).
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let all = |name: HeaderName| -> Vec<String> {
            let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
            lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).collect()
        };
        let (there, new) = (all(header::IF_MATCH), all(header::IF_NONE_MATCH));
        match (&there[..], &new[..]) {
            ([], [any]) if any == "*" => Ok(Self::New),
            ([any], []) if any == "*" => Ok(Self::There(Vec::new())),
            ([_, ..], []) => {
                // A tag that is none of ours matches nothing; a weak one never does (RFC 9110 §13.1.1).
                let ours = |tag: &String| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
                let tags: Vec<u64> = there.iter().filter_map(ours).collect();
                if tags.is_empty() { Err(changed()) } else { Ok(Self::There(tags)) }
            }
            (_, _) => Err(version_needed()),
        }
    }

    /// Whether this is what is stored.
    fn holds(&self, all: &VersionedSettings, kind: Kind, name: &str) -> Result<(), Problem> {
        let stored = all.versions.contains_key(&(kind, name.to_owned()));
        let there = stored || kind == Kind::System;
        let fits = match self {
            Self::New => !stored,
            Self::There(tags) => there && (tags.is_empty() || tags.contains(&version(all, kind, name))),
        };
        if fits { Ok(()) } else { Err(changed()) }
    }
}

/// Changes an object, or makes one.
pub(super) async fn put(
    desk: &Desk,
    visitor: &Visitor,
    kind: Kind,
    name: &str,
    headers: &HeaderMap,
    document: Map<String, Value>,
) -> Result<Response, Fault> {
    let meant = Meant::of(headers)?;
    if kind == Kind::User && name == visitor.user && document.contains_key("password") {
        // Also the right one: nobody tries one's own here, uncounted.
        return Err(may::own_password().into());
    }
    for _ in 0..TRIES {
        let all = soon(desk.store().versioned_settings()).await?;
        let old = all.settings.object(kind, name);
        if old.as_ref().is_some_and(|object| !may::see(visitor, name, object)) {
            return Err(no_object().into());
        }
        meant.holds(&all, kind, name)?;
        let is_new = version(&all, kind, name) == 0;
        let status = if is_new && kind != Kind::System { StatusCode::CREATED } else { StatusCode::OK };
        let differences = made(desk, &all, kind, name, &document).await??;
        let Some(new) = after(&differences, kind, name) else {
            // Who may not change it is told nothing by that either, such as whether a password was the right one.
            may::change(visitor, &all.settings, name, old.as_ref(), old.as_ref())?;
            let same = old.ok_or_else(no_object)?;
            return Ok(tagged(StatusCode::OK, version(&all, kind, name), &same));
        };
        let new = new.clone();
        may::change(visitor, &all.settings, name, old.as_ref(), Some(&new))?;
        if let (Some(Object::Webhook(old)), Object::Webhook(new)) = (&old, &new)
            && origin(&old.url) != origin(&new.url)
            && !document.contains_key("secret")
        {
            let what = "is asked for anew when events go to another place".to_owned();
            return Err(vec![DocumentError { key: "secret".to_owned(), what }].into());
        }
        if store(desk, visitor, &all, differences).await? {
            return Ok(tagged(status, all.generation + 1, &new));
        }
    }
    Err(busy().into())
}

/// Removes an object.
pub(super) async fn remove(
    desk: &Desk,
    visitor: &Visitor,
    kind: Kind,
    name: &str,
    headers: &HeaderMap,
    Confirmed { confirm }: Confirmed,
) -> Result<Response, Fault> {
    let meant = Meant::of(headers)?;
    for _ in 0..TRIES {
        let all = soon(desk.store().versioned_settings()).await?;
        let old = all.settings.object(kind, name).filter(|object| may::see(visitor, name, object));
        let old = old.ok_or_else(no_object)?;
        meant.holds(&all, kind, name)?;
        may::change(visitor, &all.settings, name, Some(&old), None)?;
        let differences = without(&all.settings, kind, name)?;
        if !confirm {
            removes_nothing_sooner(desk, &all, &differences).await?;
        }
        if store(desk, visitor, &all, differences).await? {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    Err(busy().into())
}

/// Whether what is to go anyway is meant, too.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Confirmed {
    /// Of a queue: it goes even if recordings and calls are kept by rules of its own that would go sooner without it.
    confirm: bool,
}

/// Refuses to remove a queue without which something would be removed sooner: nobody has said that this is meant.
async fn removes_nothing_sooner(
    desk: &Desk,
    all: &VersionedSettings,
    differences: &[Difference],
) -> Result<(), Fault> {
    let removals = counted(desk.store().removals(&all.settings, differences, desk.now())).await?;
    let Some(removal) = removals.first() else { return Ok(()) };
    let detail = format!(
        "The {removal}. Simulate it, then give the system as long a rule, keep the queue, or confirm its removal \
         (`confirm=true`)."
    );
    Err(Problem::conflict("keeps-recordings", detail).into())
}

fn busy() -> Problem {
    Problem::conflict("not-now", "Settings are being changed all the time: try again.")
}

/// What a document changes. Passwords are hashed and compared, which takes its time: off the threads that serve.
pub(super) async fn made(
    desk: &Desk,
    all: &VersionedSettings,
    kind: Kind,
    name: &str,
    document: &Map<String, Value>,
) -> Result<Result<Vec<Difference>, Vec<DocumentError>>, Problem> {
    let realm = desk.control().realm().to_owned();
    if kind != Kind::User || !document.contains_key("password") {
        return Ok(from_document(&all.settings, kind, name, document, &realm, random()));
    }
    let _turn = desk.hashing.acquire().await;
    let (stored, name, document) = (all.settings.clone(), name.to_owned(), document.clone());
    let made = move || from_document(&stored, kind, &name, &document, &realm, random());
    tokio::task::spawn_blocking(made).await.map_err(|error| {
        tracing::error!(%error, "a document could not be read");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The document could not be read.")
    })
}

/// The object as it will be; `None`: it does not change.
pub(super) fn after<'d>(differences: &'d [Difference], kind: Kind, name: &str) -> Option<&'d Object> {
    let own = differences.iter().find(|difference| difference.kind == kind && difference.name == name)?;
    match &own.what {
        Changed::Added(new) | Changed::Altered { new, .. } => Some(new),
        Changed::Removed(_) => None,
    }
}

/// Scheme, host and port: who hears what is sent there.
fn origin(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok().map(|url| url.origin().ascii_serialization())
}

/// Refuses to take a provider away, or to make it another one, by which alone all come in who can grant rights: it made
/// them, and nobody knows their passwords.
async fn still_logs_in(desk: &Desk, then: &Settings, differences: &[Difference]) -> Result<(), Problem> {
    let another = |difference: &&Difference| match &difference.what {
        Changed::Removed(Object::Provider(_)) => true,
        Changed::Altered { old: Object::Provider(old), new: Object::Provider(new) } => {
            old.issuer != new.issuer || old.client_id != new.client_id
        }
        Changed::Added(_) | Changed::Altered { .. } | Changed::Removed(_) => false,
    };
    let gone: Vec<&str> =
        differences.iter().filter(another).map(|difference| difference.name.as_str()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let made = soon(desk.store().made_users()).await?;
    let by_it = |name: &str| made.get(name).is_some_and(|provider| gone.contains(&provider.as_str()));
    if superusers(then).next().is_some() && superusers(then).all(by_it) {
        let detail = "Everybody who can grant rights comes in by this provider alone: give somebody else the right \
                      manage-roles first.";
        return Err(Problem::conflict("refused", detail));
    }
    Ok(())
}

/// Stores it; `false`: something was changed meanwhile.
async fn store(
    desk: &Desk,
    visitor: &Visitor,
    all: &VersionedSettings,
    differences: Vec<Difference>,
) -> Result<bool, Fault> {
    let mut then = all.settings.clone();
    then.apply(&differences);
    still_logs_in(desk, &then, &differences).await?;
    if leaves_no_superuser(&then) && !leaves_no_superuser(&all.settings) {
        let detail =
            "Nobody would be left who can grant rights: give somebody else the right manage-roles first.";
        return Err(Problem::conflict("refused", detail).into());
    }
    let change = Change::SettingsSince { generation: all.generation, differences, who: visitor.actor() };
    match desk.store().commit(vec![change]).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
