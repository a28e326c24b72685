//! Listening to a recording: its row in the listening log, and its audio with ranges.

use axum::response::Response;

use crate::api::problem::Problem;

pub(super) async fn listen() -> Result<Response, Problem> {
    unimplemented!("comes with the vault's Reader")
}

pub(super) async fn play() -> Result<Response, Problem> {
    unimplemented!("comes with the vault's Reader")
}
