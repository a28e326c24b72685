//! Everything that is set, as documents: read, checked, changed and removed. A change names the version that it was made
//! from (`If-Match`, RFC 9110 §13.1.1), so that two administrators cannot overwrite each other.

mod change;
mod fault;
mod may;
mod more;

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, Told};
use crate::api::problem::Problem;
use crate::settings::{
    AgentDocument, Kind, NumberDocument, Object, ProviderDocument, QueueDocument, RoleDocument, SYSTEM,
    SystemDocument, TrunkDocument, UserDocument, WebhookDocument, to_document,
};
use crate::store::{Page, VersionedSettings};

use self::change::Confirmed;
use super::route::{Route, delete, get, put};

pub(super) use more::wording;

pub(super) fn routes() -> Vec<Route> {
    let mut table = Vec::new();
    table.extend(of::<TrunkDocument>(Kind::Trunk, "/trunks", "/trunks/{name}"));
    table.extend(of::<NumberDocument>(Kind::Number, "/numbers", "/numbers/{name}"));
    table.extend(of::<QueueDocument>(Kind::Queue, "/queues", "/queues/{name}"));
    table.extend(of::<AgentDocument>(Kind::Agent, "/agents", "/agents/{name}"));
    table.extend(of::<RoleDocument>(Kind::Role, "/roles", "/roles/{name}"));
    table.extend(of::<UserDocument>(Kind::User, "/users", "/users/{name}"));
    table.extend(of::<WebhookDocument>(Kind::Webhook, "/webhooks", "/webhooks/{name}"));
    table.extend(of::<ProviderDocument>(Kind::Provider, "/providers", "/providers/{name}"));
    table.extend(system());
    table.extend(more::routes());
    table
}

/// Who may read objects of a kind: who may change them, and who has to name them elsewhere.
const fn reads(kind: Kind) -> Needs {
    use Right::{
        ConfigureAgents, ConfigurePrompts, ConfigureQueues, ConfigureRecording, ConfigureSystem,
        ConfigureTrunks, ManageRoles, ManageUsers,
    };
    Needs::Any(match kind {
        Kind::Trunk | Kind::Number => &[ConfigureTrunks],
        Kind::Queue => &[
            ConfigureQueues,
            ConfigureRecording,
            ConfigurePrompts,
            ConfigureTrunks,
            ConfigureAgents,
            ManageUsers,
        ],
        Kind::Agent => &[ConfigureAgents, ManageUsers],
        Kind::Role => &[ManageRoles, ManageUsers],
        Kind::User => &[ManageUsers],
        Kind::Webhook => &[ConfigureSystem],
        Kind::Provider => &[ManageRoles],
        Kind::System => &[ConfigureSystem, ConfigureRecording],
    })
}

/// Who may change objects of a kind; what of them, [`may`] says.
const fn changes(kind: Kind) -> &'static [Right] {
    match kind {
        Kind::Trunk | Kind::Number => &[Right::ConfigureTrunks],
        Kind::Queue => &[Right::ConfigureQueues, Right::ConfigureRecording],
        Kind::Agent => &[Right::ConfigureAgents],
        Kind::User => &[Right::ManageUsers],
        Kind::Role | Kind::Provider => &[Right::ManageRoles],
        Kind::Webhook => &[Right::ConfigureSystem],
        Kind::System => &[Right::ConfigureSystem, Right::ConfigureRecording],
    }
}

/// The routes of a kind; `D` is the shape of its documents.
fn of<D: ToSchema + 'static>(kind: Kind, all: &'static str, one: &'static str) -> [Route; 4] {
    let changes = Needs::Any(changes(kind));
    let list = async move |State(desk): State<Arc<Desk>>,
                           Extension(visitor): Extension<Visitor>,
                           asked: Asked<ByName>| list::<D>(desk, visitor, kind, asked).await;
    let read = async move |State(desk): State<Arc<Desk>>,
                           Extension(visitor): Extension<Visitor>,
                           Path(name): Path<String>| read(&desk, &visitor, kind, &name).await;
    let change = async move |State(desk): State<Arc<Desk>>,
                             Extension(visitor): Extension<Visitor>,
                             Path(name): Path<String>,
                             headers: HeaderMap,
                             Told(document): Told<Map<String, Value>>| {
        change::put(&desk, &visitor, kind, &name, &headers, document).await
    };
    let remove = async move |State(desk): State<Arc<Desk>>,
                             Extension(visitor): Extension<Visitor>,
                             Path(name): Path<String>,
                             headers: HeaderMap,
                             confirmed: Result<Query<Confirmed>, QueryRejection>| {
        let confirmed = confirmed.map(|Query(confirmed)| confirmed).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-request", format!("The query: {error}."))
        })?;
        change::remove(&desk, &visitor, kind, &name, &headers, confirmed).await
    };
    [
        get(all, reads(kind), list)
            .says("All of them by name, with their versions.")
            .lists::<ByName, Named<D>>(),
        get(one, reads(kind), read).says("One of them, and its version.").gives::<D>().versioned(),
        put(one, changes, change)
            .says("Changes one (If-Match), or makes one (If-None-Match: *).")
            .takes::<D>()
            .gives::<D>()
            .gives_with::<D>(StatusCode::CREATED)
            .versioned(),
        delete(one, changes, remove)
            .says("Removes one, unless another refers to it.")
            .query::<Confirmed>()
            .gives_nothing(StatusCode::NO_CONTENT)
            .versioned(),
    ]
}

/// What holds for all: there is one.
fn system() -> [Route; 2] {
    let read = async |State(desk): State<Arc<Desk>>, Extension(visitor): Extension<Visitor>| {
        read(&desk, &visitor, Kind::System, SYSTEM).await
    };
    let change = async |State(desk): State<Arc<Desk>>,
                        Extension(visitor): Extension<Visitor>,
                        headers: HeaderMap,
                        Told(document): Told<Map<String, Value>>| {
        change::put(&desk, &visitor, Kind::System, SYSTEM, &headers, document).await
    };
    [
        get("/system", reads(Kind::System), read)
            .says("What holds for the whole system, and its version.")
            .gives::<SystemDocument>()
            .versioned(),
        put("/system", Needs::Any(changes(Kind::System)), change)
            .says("Changes it (If-Match).")
            .takes::<SystemDocument>()
            .gives::<SystemDocument>()
            .gives_with::<SystemDocument>(StatusCode::CREATED)
            .versioned(),
    ]
}

/// The filter of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
struct ByName {
    /// A part of the name.
    q: Option<String>,
}

/// `Named` of `admin.ts`.
#[derive(Serialize)]
struct Named<D> {
    name: String,
    version: String,
    document: Value,
    #[serde(skip)]
    of: PhantomData<fn() -> D>,
}

impl<D> Clone for Named<D> {
    fn clone(&self) -> Self {
        let Self { name, version, document, of } = self;
        Self { name: name.clone(), version: version.clone(), document: document.clone(), of: *of }
    }
}

impl<D: 'static> Listed for Named<D> {
    const COLUMNS: &'static [&'static str] = &["name", "version", "document"];
    const PERSONAL: bool = false;
}

impl<D: ToSchema> PartialSchema for Named<D> {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let named = ObjectBuilder::new().property("name", text()).property("version", text());
        let named = named.property("document", Ref::from_schema_name(D::name()));
        named.required("name").required("version").required("document").into()
    }
}

impl<D: ToSchema> ToSchema for Named<D> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("Named{}", D::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((D::name().into_owned(), D::schema()));
        D::schemas(schemas);
    }
}

/// All rows at once: there are hundreds of them, not millions.
async fn list<D: 'static>(
    desk: Arc<Desk>,
    visitor: Visitor,
    kind: Kind,
    asked: Asked<ByName>,
) -> Result<Response, Problem> {
    let all = soon(desk.store().versioned_settings()).await?;
    let part = asked.by.q.as_deref().unwrap_or_default().to_lowercase();
    let named = |(of, name, object): (Kind, &str, Object)| {
        let fits = of == kind && name.to_lowercase().contains(&part) && may::see(&visitor, name, &object);
        fits.then(|| Named::<D> {
            name: name.to_owned(),
            version: version(&all, kind, name).to_string(),
            document: to_document(&object),
            of: PhantomData,
        })
    };
    let items: Vec<Named<D>> = all.settings.objects().filter_map(named).collect();
    let read = move |_| {
        let page = Page { items: items.clone(), next: None };
        async move { Ok(page) }
    };
    listed(&desk, &visitor, &asked, kind.word(), read).await
}

async fn read(desk: &Desk, visitor: &Visitor, kind: Kind, name: &str) -> Result<Response, Problem> {
    let all = soon(desk.store().versioned_settings()).await?;
    let object = all.settings.object(kind, name).filter(|object| may::see(visitor, name, object));
    let object = object.ok_or_else(fault::no_object)?;
    Ok(tagged(StatusCode::OK, version(&all, kind, name), &object))
}

/// The version of an object; 0 of one that is not stored: the system with its defaults.
fn version(all: &VersionedSettings, kind: Kind, name: &str) -> u64 {
    all.versions.get(&(kind, name.to_owned())).copied().unwrap_or_default()
}

/// A document with its version as a strong validator (RFC 9110 §8.8.3).
fn tagged(status: StatusCode, version: u64, object: &Object) -> Response {
    use axum::response::IntoResponse as _;
    let tag = [(axum::http::header::ETAG, format!("\"{version}\""))];
    (status, tag, Json(to_document(object))).into_response()
}
