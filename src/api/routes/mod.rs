//! The one table of routes below `/api/v1`, each with what it needs; `web/src/api/types.ts` says what goes in
//! and what comes out.

mod audio;
mod calls;
mod events;
mod past;
mod phone;
mod presence;
mod recordings;
mod session;
mod vault;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::access::Right;

use super::desk::Desk;
use super::guard::{Needs, guard};
use super::problem::Problem;

/// A route.
pub(super) struct Route {
    pub(super) method: Method,
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    handler: Box<dyn FnOnce(MethodFilter) -> MethodRouter<Arc<Desk>>>,
}

/// Every route and what it needs.
pub(super) fn table() -> Vec<Route> {
    use Needs::{Agent, Nothing, Session, User};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    const CALLS: Needs = Agent(&[Right::TakeCalls]);
    const LISTEN: Needs = Agent(&[Right::ListenLive]);
    const HEAR: Needs = Needs::Right(Right::ListenRecordings);
    const EXPORT: Needs = Needs::Right(Right::ExportRecordings);
    const DESTROY: Needs = Needs::Right(Right::DestroyRecordings);
    const MANAGE: Needs = Needs::Right(Right::ManageVault);
    const PROVE: Needs = Needs::Any(&[Right::ExportRecordings, Right::DestroyRecordings, Right::ManageVault]);
    vec![
        route(POST, "/session", Nothing, session::log_in),
        route(GET, "/session", Session, session::show),
        route(DELETE, "/session", Session, session::log_out),
        route(PUT, "/session/password", Session, session::change_password),
        route(POST, "/phone", Agent(&[Right::TakeCalls, Right::ListenLive]), phone::lend),
        route(GET, "/events", User, events::stream),
        route(PUT, "/presence", CALLS, presence::choose),
        route(GET, "/presence/reasons", User, presence::reasons),
        route(GET, "/directory", Needs::Any(&[Right::TakeCalls, Right::Wallboard]), presence::directory),
        route(GET, "/my/calls", CALLS, past::own_calls),
        route(GET, "/my/listening-log", User, past::own_listening),
        route(GET, "/listening-log", Needs::Right(Right::ViewListeningLogs), past::all_listening),
        route(POST, "/calls/{id}/transfer", CALLS, calls::transfer),
        route(POST, "/calls/{id}/consult", CALLS, calls::consult),
        route(POST, "/calls/{id}/complete", CALLS, calls::complete),
        route(POST, "/calls/{id}/three-way", CALLS, calls::three_way),
        route(POST, "/calls/{id}/end-consultation", CALLS, calls::end_consultation),
        route(POST, "/calls/{id}/recording/pause", CALLS, calls::pause),
        route(POST, "/calls/{id}/recording/resume", CALLS, calls::resume),
        route(POST, "/calls/{id}/recording/withdraw", CALLS, calls::withdraw),
        route(POST, "/calls/{id}/recording/override", Agent(&[Right::Override]), calls::override_refusal),
        route(POST, "/calls/{id}/notes", CALLS, past::note),
        route(POST, "/calls/{id}/supervise", LISTEN, calls::supervise),
        route(PUT, "/calls/{id}/supervise", LISTEN, calls::supervise),
        route(DELETE, "/calls/{id}/supervise", LISTEN, calls::unsupervise),
        route(GET, "/recordings", HEAR, recordings::list),
        route(GET, "/recordings/{id}", HEAR, recordings::show),
        route(DELETE, "/recordings/{id}", DESTROY, recordings::destroy),
        route(POST, "/recordings/{id}/listening", HEAR, audio::listen),
        route(GET, "/recordings/{id}/audio", HEAR, audio::play),
        route(GET, "/recordings/{id}/vcon", EXPORT, recordings::vcon),
        route(GET, "/recordings/{id}/certificate", PROVE, recordings::certificate),
        route(GET, "/jobs", MANAGE, vault::jobs),
        route(POST, "/jobs/{id}/retry", MANAGE, vault::retry),
        route(GET, "/alarms", MANAGE, vault::alarms),
        route(GET, "/reconciliations", MANAGE, vault::reports),
        route(POST, "/reconciliations", MANAGE, vault::ask),
        route(GET, "/reconciliations/{id}", MANAGE, vault::report),
        route(POST, "/reconciliations/{id}/orphans", MANAGE, vault::remove_orphan),
    ]
}

fn route<H, T>(method: Method, path: &'static str, needs: Needs, handler: H) -> Route
where
    H: Handler<T, Arc<Desk>>,
    T: 'static,
{
    Route { method, path, needs, handler: Box::new(move |filter| on(filter, handler)) }
}

/// All of `/api/v1`.
pub(super) fn router(desk: &Arc<Desk>) -> Router {
    let mut router = Router::new();
    for Route { method, path, needs, handler } in table() {
        let guarded = from_fn_with_state((Arc::clone(desk), needs), guard);
        let filter = MethodFilter::try_from(method).expect("the table's methods are usual ones");
        router = router.route(path, handler(filter).route_layer(guarded));
    }
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
