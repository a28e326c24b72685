//! The vault's jobs, alarms and reports.

use axum::response::Response;

use crate::api::problem::Problem;

pub(super) async fn jobs() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn retry() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn alarms() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn reports() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn reconcile() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn report() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}

pub(super) async fn remove_orphan() -> Result<Response, Problem> {
    unimplemented!("comes with the store's jobs")
}
