//! One route: how it is reached, what it needs of who asks, what it takes and gives.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::api::desk::Desk;
use crate::api::guard::Needs;

/// Schemas by name, as `utoipa` collects them.
pub(in crate::api) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A body, going in or coming out.
pub(in crate::api) struct Body {
    /// Its media type.
    pub(in crate::api) kind: &'static str,
    /// Its shape, with the schemas it refers to; `None`: octets.
    pub(in crate::api) shape: Option<fn(&mut Schemas) -> RefOr<Schema>>,
}

/// A route. What is said of it here is all that is said: the OpenAPI document is made of it.
pub(in crate::api) struct Route {
    pub(in crate::api) method: Method,
    /// Below `/api/v1`.
    pub(in crate::api) path: &'static str,
    pub(in crate::api) needs: Needs,
    /// One sentence.
    pub(in crate::api) summary: &'static str,
    pub(in crate::api) query: Vec<Parameter>,
    pub(in crate::api) takes: Vec<Body>,
    pub(in crate::api) gives: Vec<(StatusCode, Option<Body>)>,
    /// Whether it wants `If-Match` and gives an `ETag`.
    pub(in crate::api) versioned: bool,
    pub(in crate::api) handler: Box<dyn FnOnce(MethodFilter) -> MethodRouter<Arc<Desk>>>,
}

/// `GET path`.
pub(in crate::api) fn get<H: Handler<T, Arc<Desk>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    route(Method::GET, path, needs, handler)
}

/// `POST path`.
pub(in crate::api) fn post<H: Handler<T, Arc<Desk>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    route(Method::POST, path, needs, handler)
}

/// `PUT path`.
pub(in crate::api) fn put<H: Handler<T, Arc<Desk>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    route(Method::PUT, path, needs, handler)
}

/// `DELETE path`.
pub(in crate::api) fn delete<H: Handler<T, Arc<Desk>>, T: 'static>(
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    route(Method::DELETE, path, needs, handler)
}

fn route<H: Handler<T, Arc<Desk>>, T: 'static>(
    method: Method,
    path: &'static str,
    needs: Needs,
    handler: H,
) -> Route {
    Route {
        method,
        path,
        needs,
        summary: "",
        query: Vec::new(),
        takes: Vec::new(),
        gives: Vec::new(),
        versioned: false,
        handler: Box::new(move |filter| on(filter, handler)),
    }
}

impl Route {
    /// What it does, in a sentence.
    pub(in crate::api) fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The parameters of its query.
    pub(in crate::api) fn query<Q: IntoParams>(mut self) -> Self {
        self.query.extend(Q::into_params(|| Some(ParameterIn::Query)));
        self
    }

    /// It takes JSON.
    pub(in crate::api) fn takes<B: ToSchema>(mut self) -> Self {
        self.takes.push(Body { kind: "application/json", shape: Some(shape::<B>) });
        self
    }

    /// It takes octets of this media type.
    pub(in crate::api) fn takes_octets(mut self, kind: &'static str) -> Self {
        self.takes.push(Body { kind, shape: None });
        self
    }

    /// It gives JSON, with 200.
    pub(in crate::api) fn gives<B: ToSchema>(self) -> Self {
        self.gives_with::<B>(StatusCode::OK)
    }

    /// It gives JSON.
    pub(in crate::api) fn gives_with<B: ToSchema>(mut self, status: StatusCode) -> Self {
        let body = Body { kind: "application/json", shape: Some(shape::<B>) };
        self.gives.push((status, Some(body)));
        self
    }

    /// It gives octets of this media type.
    pub(in crate::api) fn gives_octets(mut self, status: StatusCode, kind: &'static str) -> Self {
        self.gives.push((status, Some(Body { kind, shape: None })));
        self
    }

    /// It gives no body: 204, and the like.
    pub(in crate::api) fn gives_nothing(mut self, status: StatusCode) -> Self {
        self.gives.push((status, None));
        self
    }

    /// It wants the version that is to be changed (`If-Match`, RFC 9110 §13.1.1), and says which one there is (`ETag`).
    pub(in crate::api) fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }
}

/// A type's schema: by name if it is an object or has words, else as it is; what it refers to is collected.
fn shape<B: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    B::schemas(schemas);
    let schema = B::schema();
    let has_a_name = matches!(
        schema,
        RefOr::T(Schema::Object(_) | Schema::OneOf(_) | Schema::AllOf(_) | Schema::AnyOf(_))
    );
    if !has_a_name {
        return schema;
    }
    let name = B::name().into_owned();
    schemas.push((name.clone(), schema));
    RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name))
}
