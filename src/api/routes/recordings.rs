//! Recordings: what there is, taking one out, destroying one.

use axum::response::Response;

use crate::api::problem::Problem;

pub(super) async fn list() -> Result<Response, Problem> {
    unimplemented!("comes with the store's new columns")
}

pub(super) async fn show() -> Result<Response, Problem> {
    unimplemented!("comes with the store's new columns")
}

pub(super) async fn destroy() -> Result<Response, Problem> {
    unimplemented!("comes with the store's new columns")
}

pub(super) async fn vcon() -> Result<Response, Problem> {
    unimplemented!("comes with the store's new columns")
}

pub(super) async fn certificate() -> Result<Response, Problem> {
    unimplemented!("comes with the store's new columns")
}
