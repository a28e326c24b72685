//! The one table of routes below `/api/v1`: each group of routes is a file with a `routes()`, each route says what it
//! needs, takes and gives (`route`), and the OpenAPI document is made of that (`openapi`). `web/src/api/` says the same to
//! the pages.

mod audio;
mod audit;
mod calls;
mod consent_rights;
mod consents;
mod events;
mod history;
mod holds;
mod ladder;
mod openapi;
mod overview;
mod past;
mod phone;
mod presence;
mod privacy;
mod prompts;
mod recordings;
mod reports;
mod retention;
pub(super) mod route;
mod session;
mod settings;
mod sign_on;
mod tokens;
mod trunks;
mod users;
mod vault;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodFilter;

use super::desk::Desk;
use super::guard::guard;
use super::problem::Problem;

#[cfg_attr(not(test), allow(unused_imports))] // the tests read the document
pub(super) use openapi::Document;
pub(super) use route::Route;

/// Every route and what it needs.
pub(super) fn table() -> Vec<Route> {
    let mut table = Vec::new();
    for group in [
        session::routes,
        phone::routes,
        events::routes,
        presence::routes,
        past::routes,
        calls::routes,
        history::routes,
        consents::routes,
        reports::routes,
        overview::routes,
        recordings::routes,
        retention::routes,
        holds::routes,
        vault::routes,
        users::routes,
        tokens::routes,
        settings::routes,
        sign_on::routes,
        audit::routes,
        webhooks::routes,
        privacy::routes,
        consent_rights::routes,
        prompts::routes,
        trunks::routes,
        ladder::routes,
    ] {
        table.extend(group());
    }
    table
}

/// All of `/api/v1`.
pub(super) fn router(desk: &Arc<Desk>) -> Router {
    let mut router = Router::new();
    for Route { method, path, needs, handler, .. } in table() {
        let guarded = from_fn_with_state((Arc::clone(desk), needs), guard);
        let filter = MethodFilter::try_from(method).expect("the table's methods are usual ones");
        router = router.route(path, handler(filter).route_layer(guarded));
    }
    let document = openapi::Document::of(&table());
    router = router.route("/openapi.json", axum::routing::get(async move || document));
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "no-route", "There is no such route."))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-method", "This route knows no such method.")
        })
        .with_state(Arc::clone(desk))
        .layer(from_fn(unstored))
}

/// Nothing here is kept by a browser or a proxy.
async fn unstored(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
