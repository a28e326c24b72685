//! The OpenAPI 3.1 document of the table of routes, at `/api/v1/openapi.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApiBuilder, Paths, RefOr, Required, ResponseBuilder,
    SecurityRequirement, ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::Route;
use super::route::{Body, Schemas};
use crate::api::guard::Needs;
use crate::api::problem::ProblemBody;

/// The document's text; cheap to clone.
#[derive(Clone)]
pub(in crate::api) struct Document(Arc<str>);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

impl Document {
    /// Of a table of routes.
    pub(in crate::api) fn of(table: &[Route]) -> Self {
        let (paths, schemas) = parts(table);
        document(paths, schemas)
    }

    #[cfg(test)]
    pub(in crate::api) fn text(&self) -> &str {
        &self.0
    }

    /// All shapes by name, as often as they come.
    #[cfg(test)]
    pub(in crate::api) fn shapes(table: &[Route]) -> Schemas {
        parts(table).1
    }
}

fn parts(table: &[Route]) -> (Paths, Schemas) {
    let mut paths = Paths::new();
    let mut schemas = Schemas::new();
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    for route in table {
        let methods = vec![method(&route.method)];
        paths.add_path_operation(route.path, methods, operation(route, &mut schemas));
    }
    (paths, schemas)
}

fn document(paths: Paths, schemas: Schemas) -> Document {
    let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("sayso"))))
        .security_scheme(
            "token",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .build();
    let info = InfoBuilder::new()
        .title("Sayso")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Calls, consents, recordings, and what is set. People log in and have a session's cookie; machines bring \
             a token. Faults are problem+json (RFC 9457). Lists come in pages: give `next` back as `after`.",
        ))
        .build();
    let server = ServerBuilder::new().url("/api/v1").build();
    let api = OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .paths(paths)
        .components(Some(components))
        .build();
    let text = api.to_json().expect("an OpenAPI document is JSON");
    Document(text.into())
}

fn operation(route: &Route, schemas: &mut Schemas) -> OperationBuilder {
    let first = route.path.split('/').nth(1).unwrap_or_default();
    let mut operation = OperationBuilder::new().tag(first).operation_id(Some(name(route)));
    if !route.summary.is_empty() {
        operation = operation.summary(Some(route.summary));
    }
    for parameter in named(route.path).chain(route.query.iter().cloned()).chain(steering(route)) {
        operation = operation.parameter(parameter);
    }
    if !route.takes.is_empty() {
        let body =
            route.takes.iter().fold(RequestBodyBuilder::new().required(Some(Required::True)), |all, body| {
                all.content(body.kind, content(body, schemas))
            });
        operation = operation.request_body(Some(body.build()));
    }
    let mut given: BTreeMap<StatusCode, ResponseBuilder> = BTreeMap::new();
    for (status, body) in &route.gives {
        let begun = given.remove(status).unwrap_or_else(|| {
            let response = ResponseBuilder::new().description(status.canonical_reason().unwrap_or("Done"));
            if route.versioned && *status != StatusCode::NO_CONTENT {
                response.header("ETag", HeaderBuilder::new().schema(Some(text())).build())
            } else {
                response
            }
        });
        let response = match body {
            Some(body) => begun.content(body.kind, content(body, schemas)),
            None => begun,
        };
        given.insert(*status, response);
    }
    for (status, response) in given {
        operation = operation.response(status.as_str(), response);
    }
    let problem = ContentBuilder::new()
        .schema(Some(utoipa::openapi::Ref::from_schema_name(ProblemBody::name())))
        .build();
    let refused = ResponseBuilder::new().description("Refused").content("application/problem+json", problem);
    operation = operation.response("default", refused);
    operation = operation.securities(Some(if route.needs == Needs::Nothing {
        Vec::new()
    } else {
        ["session", "token"].map(|by| SecurityRequirement::new(by, [] as [&str; 0])).to_vec()
    }));
    let needs = ExtensionsBuilder::new().add("x-needs", json!(route.needs.words())).build();
    operation.extensions(Some(needs))
}

/// `get-recordings-id-audio`.
fn name(route: &Route) -> String {
    let path = route.path.replace(['{', '}'], "").replace('/', "-");
    format!("{}{path}", route.method.as_str().to_ascii_lowercase())
}

/// The parameters within the path.
fn named(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(text()))
            .build()
    })
}

/// The headers that steer it.
fn steering(route: &Route) -> impl Iterator<Item = Parameter> {
    let header = |name: &'static str, required| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(required)
            .schema(Some(text()))
            .build()
    };
    let changes = route.method != Method::GET;
    let ours = changes.then(|| header("X-Sayso", Required::False));
    let version = (changes && route.versioned).then(|| header("If-Match", Required::False));
    ours.into_iter().chain(version)
}

fn content(body: &Body, schemas: &mut Schemas) -> Content {
    let schema = match body.shape {
        Some(shape) => shape(schemas),
        None => octets().into(),
    };
    ContentBuilder::new().schema(Some(schema)).build()
}

fn text() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).into()
}

fn octets() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Binary)))
        .into()
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
